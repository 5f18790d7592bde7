/*
 * secret.h - tokens and keys: where they come from and where they never go
 *
 * Every secret that is alive is known by its value to secret_redact(), which
 * error_set() applies to all that it records, and which is applied to every
 * text of a server or a program that is shown.  Freeing one wipes it.
 *
 * Safe to use from several threads.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>

struct error;
struct secret;

/** Longest value; a token has some hundred characters at most. */
#define SECRET_BYTES 4096

/**
 * Keep a copy of a value.
 *
 * @param where  where it came from, for messages: "DBSTOW_TOKEN"
 * @param value  not NUL-terminated; a newline (LF or CR LF) at its end is
 *               left out
 * @return 0, or -1 with ERROR_USAGE: empty, too long, or with control
 *         characters, which cannot stand in a header
 */
int secret_new(struct secret **out, const char *where, const char *value,
	       size_t size, struct error *err);

/**
 * Take a value out of the environment: it is wiped there, so that neither
 * children nor /proc show it, and kept for later calls with that name.
 *
 * @return 0; 1 when the variable is not set or is empty; -1 as secret_new()
 */
int secret_from_environment(struct secret **out, const char *name,
			    struct error *err);

/**
 * Read a file that only its owner, who must be us, can read.
 *
 * @return 0, or -1 with ERROR_REFUSED when others can read it (says what to
 *         type), ERROR_FAILED when it cannot be read, or as secret_new()
 */
int secret_from_file(struct secret **out, const char *path, struct error *err);

/**
 * The bytes of such a file, where it holds more than one secret.
 *
 * @param out   receives up to `room` bytes; the caller wipes them
 * @param used  receives how many; `room`: there may be more
 * @return 0, or -1 with ERROR_REFUSED or ERROR_FAILED as secret_from_file()
 */
int secret_file_read(const char *path, void *out, size_t room, size_t *used,
		     struct error *err);

/** "PREFIX" and base64("USER:value"): a header's value that is a secret, too.
 *  Keep `s` while the header is in use: a server may echo either.
 *  @param user  NULL: the value itself, as it is (for "Bearer ") */
int secret_header(struct secret **out, const struct secret *s,
		  const char *prefix, const char *user, struct error *err);

/** NUL-terminated; borrowed. */
const char *secret_value(const struct secret *s);
/** Where it came from; borrowed. */
const char *secret_where(const struct secret *s);

/** Wipe and free.  NULL is allowed. */
void secret_free(struct secret *s);

/**
 * Replace what is secret in a NUL-terminated text, in place, by "***": each
 * live value, as it is, percent-encoded and in base64 (alone, and behind
 * "x-access-token:").  Values of less than 4 characters would be found in
 * ordinary words and are not looked for.
 */
void secret_redact(char *text);

/** The same where the text was cut at its end: what is left of a secret there
 *  goes, too. */
void secret_redact_cut(char *text);

#endif /* BASE_SECRET_H */
