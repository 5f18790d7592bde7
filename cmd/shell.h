/*
 * shell.h - the user's own commands around a restore
 */
#ifndef CMD_SHELL_H
#define CMD_SHELL_H

struct error;

/**
 * Run `command` with /bin/sh -c; its stdout goes to our stderr.
 *
 * @param option  "--before", for the message
 * @return 0 when it exited with 0, else -1 with ERROR_FAILED
 */
int shell_run(const char *command, const char *option, struct error *err);

#endif /* CMD_SHELL_H */
