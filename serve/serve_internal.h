/*
 * serve_internal.h - what the files of serve/ share
 */
#ifndef SERVE_SERVE_INTERNAL_H
#define SERVE_SERVE_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"
#include "serve/serve.h"
#include "snapshot/object.h"

/* ---- keys.c: who may have the document ---- */

#define KEY_SHORTEST  16 /* characters */
#define KEY_LONGEST   512
#define KEYS_MOST     64
#define KEY_NAME_SIZE 33

struct keys;

/**
 * Read keys, parted by white space or commas: "KEY", "NAME:KEY", or in place of
 * the KEY "sha256:" and 64 hex digits.  What stands behind a blank and #
 * is passed over.  Only SHA-256 digests are kept.
 *
 * @param where  for messages, which never show a key: "'serve.keys'"
 * @return 0, or -1 with ERROR_USAGE
 */
int keys_parse(struct keys **out, const char *where, const char *text,
	       size_t size, struct error *err);

/** From a file that only we can read, or, where `file` is NULL, from the
 *  variable SERVE_KEYS_VARIABLE, which is wiped. */
int keys_load(struct keys **out, const char *file, struct error *err);

size_t keys_count(const struct keys *k);

/** The name of the key `token`, "key-N" where it has none; NULL: it is none of
 *  them, or has not a key's length.  Takes as long whichever it is.  Borrowed.
 */
const char *keys_find(struct keys *k, const char *token, size_t size);

/** NULL is allowed. */
void keys_free(struct keys *k);

/* ---- headers.c: what headers of requests mean ---- */

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_NONE };

/** The coding to answer with: gzip where it is wanted no less than none at all;
 *  CODING_NONE: neither will do.  @param accept  Accept-Encoding, or NULL */
enum coding headers_coding(const char *accept);

/** Does If-None-Match (or NULL) hold the tag W/"OPAQUE", weak or strong?  "*"
 *  is any. */
int headers_match(const char *list, const char *opaque);

/** The token behind "Bearer ", or NULL. @param size  receives its length */
const char *headers_bearer(const char *authorization, size_t *size);

/** Is a Host, with or without a port, one of those that may be?
 *  @param own  the address that is listened on */
int headers_host(const char *host, const char *own,
		 const struct serve_options *o);

/** Digits and nothing else -> number, UINT64_MAX when it is greater; -1 */
int headers_length(const char *text, uint64_t *length);

/* ---- gzip.c: a stream's bytes, compressed ---- */

struct gzip;

int gzip_new(struct gzip **out, struct error *err);

/** Compress a piece. @param last  nothing comes behind it */
int gzip_add(struct gzip *g, const void *data, size_t size, int last,
	     int (*write)(void *payload, const void *data, size_t size,
			  struct error *err),
	     void *payload, struct error *err);

/** NULL is allowed. */
void gzip_free(struct gzip *g);

/* ---- spool.c: a document between who makes it and who takes it ---- */

struct spool;

/** Can documents of up to `most` bytes be kept in the folder? */
int spool_check(const char *folder, uint64_t most, struct error *err);

/**
 * @param folder  for a file without a name; NULL, or where that can't be made:
 *                256 KiB in memory
 * @param most    bytes that may lie there, and no more than a quarter of what
 *                is free
 * @param wake    eventfd, written to when there is something for who found
 *                nothing
 */
int spool_new(struct spool **out, const char *folder, uint64_t most, int wake,
	      struct error *err);

/** Waits while it is full.  From one thread.
 *  @return 0, or -1: ERROR_INTERRUPTED after spool_stop(), or it can't write */
int spool_put(struct spool *s, const void *data, size_t size,
	      struct error *err);

/** From one thread. @return bytes; 0: there are none now; -1 */
ssize_t spool_take(struct spool *s, void *out, size_t room, struct error *err);

/** Would spool_take() have some? */
int spool_filled(struct spool *s);

/** Who puts is not to wait any more, but to fail. */
void spool_stop(struct spool *s);

/** NULL is allowed. */
void spool_free(struct spool *s);

/* ---- job.c: one export, in a thread of its own ---- */

#define TAG_SIZE (OBJECT_HEX_SIZE + 8)

/** What jobs found out, for the next one; one job at a time uses it. */
struct known {
	struct buffer identity; /* of the file when `content` was read */
	struct object_id content;
	uint64_t slow_bytes; /* a database of that size takes too long to be
				looked through first; 0: none did */
};

enum job_state {
	JOB_BEGUN,
	JOB_SAME,   /* it is what the client has */
	JOB_COMING, /* job_read() */
	/* before there was anything to send; job_error() says why: */
	JOB_CLOSED, /* the database cannot be opened, or stays locked */
	JOB_FAILED
};

struct job_options {
	const struct serve_options *serve;
	struct known *known;
	enum coding coding;
	const char *if_none_match; /* or NULL; copied */
	int wake; /* eventfd, written to when something changed that the reader
		     waits for */
};

struct job;

int job_start(struct job **out, const struct job_options *o, struct error *err);

/** All but JOB_BEGUN are final, and what stands below may be asked for. */
enum job_state job_state(struct job *j);

/** The tag without W/ and quotes; "": there is none.  Borrowed. */
const char *job_tag(struct job *j);

/** @return bytes; 0: none yet, and `wake` is written to when that changes; -1:
 *  the end; -2: it failed, with an error */
ssize_t job_read(struct job *j, void *out, size_t room, struct error *err);

/** Would job_read() have something else than 0? */
int job_ready(struct job *j);

/** Let it end where it is; it does so soon. */
void job_stop(struct job *j);

/** Has its thread ended, and its transaction with it? */
int job_ended(struct job *j);

/** Why it failed, with JOB_CLOSED and JOB_FAILED. Borrowed. */
const struct error *job_error(struct job *j);

/** Stops it and waits.  NULL is allowed. */
void job_free(struct job *j);

/* ---- health.c: can the database be opened? ---- */

struct health;

int health_new(struct health **out, const char *db, int allow_empty, int wake,
	       struct error *err);

/** @return 1: it can; 0: it can't; -1: not known yet, `wake` is written to when
 *  it is */
int health_ask(struct health *h);

/** Why it can't, to be told; 1 once each time that changes. */
int health_news(struct health *h, struct error *why);

/** NULL is allowed. */
void health_free(struct health *h);

/* ---- listen.c: where requests come from, and the service manager ---- */

struct place {
	int fd;
	int local;      /* loopback or a unix socket */
	char text[128]; /* "http://127.0.0.1:8790", "unix:PATH" */
	char host[64];  /* an address that Host may hold, or "" */
	char *path;     /* of our socket, to be removed; or NULL */
	dev_t device;   /* so that another's in its place is not */
	ino_t inode;
};

/** Listen, as the options say. */
int place_open(struct place *out, const struct serve_options *o,
	       struct error *err);

/** Close it (if `fd` is not -1) and remove the socket's file. */
void place_close(struct place *p);

/** Tell the service manager, if there is one: "READY=1". */
void manager_tell(const char *state);

#endif /* SERVE_SERVE_INTERNAL_H */
