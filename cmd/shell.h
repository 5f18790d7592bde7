/*
 * shell.h - commands for a shell
 */
#ifndef CMD_SHELL_H
#define CMD_SHELL_H

struct buffer;
struct error;

/** Append a word in quotes, as a shell reads it back. */
void shell_quote(struct buffer *out, const char *word);

/**
 * Run `command` with /bin/sh -c; its stdout goes to our stderr.
 *
 * @param option  "--before", for the message
 * @return 0 when it exited with 0, else -1 with ERROR_FAILED
 */
int shell_run(const char *command, const char *option, struct error *err);

#endif /* CMD_SHELL_H */
