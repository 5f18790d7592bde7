/*
 * process.h - another program, spoken to over its standard streams
 *
 *   process_start()  ->  process_write(), process_read() ...
 *                    ->  process_end()  ->  process_free()
 *
 * No shell is involved.  The program runs in a process group of its own, gets
 * no descriptor of ours but its three streams, and is killed when we die.  It
 * cannot make us wait for ever: a read or write that moves nothing for
 * `stall_s` seconds is an error, and it is killed.  The thread that started it
 * has to outlive it.
 *
 * What it says on stderr is kept, its last 4 KiB, for process_said().
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

struct error;
struct process;

#define PROCESS_STALL_S 30

struct process_options {
	const char *const *argv; /* NULL-terminated; argv[0] is found in PATH */
	const char *const *set;  /* "NAME=value", NULL-terminated; or NULL */
	const char *const *unset; /* names, NULL-terminated; or NULL.  Those of
				     our own secrets are never passed on */
	const char *folder;       /* to run in; NULL: where we are */
	const char *what;         /* for messages, NULL: argv[0] */
	unsigned int stall_s;     /* 0: PROCESS_STALL_S */
	int (*interrupted)(void); /* asked while waiting; or NULL */
};

/**
 * Start it.
 * @return 0, or -1 with ERROR_FAILED: "cannot run 'ssh': No such file or
 *         directory"
 */
int process_start(struct process **out, const struct process_options *o,
		  struct error *err);

/**
 * Read what is there, at least a byte, from its stdout.
 *
 * @param got  receives the number of bytes, 0 at the end
 * @return 0, or -1 with ERROR_NETWORK when nothing came for `stall_s`, or
 *         ERROR_INTERRUPTED
 */
int process_read(struct process *p, void *data, size_t room, size_t *got,
		 struct error *err);

/**
 * Write all of it to its stdin.  What it says meanwhile is kept for
 * process_read(), up to 1 MiB.
 *
 * @return 0, or -1 with ERROR_NETWORK when it takes nothing for `stall_s` or
 *         has closed its stdin (what it said stands in the message)
 */
int process_write(struct process *p, const void *data, size_t size,
		  struct error *err);

/** It finds the end of its stdin; reading goes on. */
void process_close_input(struct process *p);

/**
 * Close its stdin, pass over what it still says, wait for its end.
 *
 * @param status  receives its exit status, 128 + N when signal N ended it
 * @return 0 whatever the status; -1 when it does not end within `stall_s`
 *         (it is killed)
 */
int process_end(struct process *p, int *status, struct error *err);

/** The last of what it said on stderr: lines parted by "; ", without control
 *  characters and secrets; "" when it said nothing. Borrowed until the next
 *  call. */
const char *process_said(struct process *p);

/** Kill it, with its children, when it still runs.  NULL is allowed. */
void process_free(struct process *p);

#endif /* BASE_PROCESS_H */
