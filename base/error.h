/*
 * error.h - one error, said once, where it was found
 *
 * Fallible functions return 0 or -1 and take a `struct error *` last.  The
 * first error recorded wins, so trouble during clean-up can't hide its cause.
 * Only cmd/ prints errors and turns codes into exit statuses.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stddef.h>

/** Kinds of failure; cmd/main.c maps each to an exit status. */
enum error_code {
	ERROR_NONE = 0,
	ERROR_FAILED,     /* exit 1: anything without a kind of its own */
	ERROR_NOMEM,      /* exit 1 */
	ERROR_USAGE,      /* exit 2: the command line is wrong */
	ERROR_DAMAGE,     /* exit 3: a hash, a row or a drill does not agree */
	ERROR_CONFLICT,   /* exit 4: the branch moved and retries ran out */
	ERROR_NETWORK,    /* exit 5: network or authentication */
	ERROR_REFUSED,    /* exit 6: refused for safety */
	ERROR_STANDIN,    /* exit 1: the application's collation or function is
			     missing, or a unique index is violated: a drill
			     may go on with stand-ins */
	ERROR_NOSPACE,    /* exit 1: a disk is full */
	ERROR_NOBRANCH,   /* exit 1: the remote has no such branch (yet) */
	ERROR_INTERRUPTED /* exit 130 */
};

struct error {
	enum error_code code;
	char message[2048]; /* one line, no full stop or newline at its end */
};

#define ERROR_INIT                                                             \
	{                                                                      \
		ERROR_NONE, ""                                                 \
	}

/**
 * Record an error unless one is recorded already.
 *
 * Control characters in the formatted text are replaced by '?', so text from
 * a database or a server can't move the cursor of a terminal, and what is
 * secret (base/secret.h) by "***".
 *
 * @param err  may be NULL: then nothing is recorded
 * @param fmt  lower case, subject in single quotes; a second sentence after
 *             "; " says what to do next
 * @return always -1, so that `return error_set(...)` works
 */
int error_set(struct error *err, enum error_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** As error_set(), with ": " and strerror(errno) behind the text;
 *  ERROR_FAILED becomes ERROR_NOSPACE when errno is ENOSPC or EDQUOT. */
int error_errno(struct error *err, enum error_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Record "out of memory"; @return always -1. */
int error_nomem(struct error *err);

/** Forget what was recorded. */
void error_clear(struct error *err);

#endif /* BASE_ERROR_H */
