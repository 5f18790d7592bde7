/*
 * fetch.h - a document from a web server, while it arrives
 *
 *   fetch_open()  ->  fetch_input() to the document's end  ->  fetch_free()
 *
 * A thread of its own takes what the server sends into a bounded ring, out of
 * which the reader of the document pulls: a server that is faster has to wait.
 */
#ifndef EXPORT_FETCH_H
#define EXPORT_FETCH_H

#include <stdint.h>

#include "base/https.h"

struct byte_input;
struct error;
struct fetch;

/** Lines of JSON go by two names. */
#define FETCH_TYPE "application/json, application/x-ndjson, application/jsonl"

/** Everything is borrowed until fetch_free(). */
struct fetch_options {
	const char *url;
	struct https_options https;
	const char *secret_name; /* "Authorization", or NULL */
	const struct secret *secret;
	const char *known_etag; /* of what we have already, or NULL */
	uint64_t limit_bytes;   /* of the document, not as it is sent */
	unsigned int total_s;   /* for all of it; 0: as long as bytes flow */
	/* Told before another attempt is made; or NULL. */
	void (*waiting)(void *payload, const char *why, int64_t wait_s);
	void *payload;
};

/**
 * Ask for the document.  Where the server was not reached, is busy or was cut
 * off before the first byte of an answer, it is asked again, as long as all
 * that ends within a minute; a Retry-After is heeded.
 *
 * @return 0: it is coming; 1: it is what `known_etag` says; -1: ERROR_NETWORK,
 *         ERROR_USAGE, ERROR_INTERRUPTED
 */
int fetch_open(struct fetch **out, const struct fetch_options *o,
	       struct error *err);

/** Its bytes, without compression; the end is told only where all was sent. */
struct byte_input *fetch_input(struct fetch *f);

/** "'https://host/path'", without what may be secret in it. Borrowed. */
const char *fetch_label(const struct fetch *f);

/** What the server calls this version of it, or NULL.  After the end of the
 *  input.  Borrowed. */
const char *fetch_etag(const struct fetch *f);

/** Ends the request where it is.  NULL is allowed. */
void fetch_free(struct fetch *f);

#endif /* EXPORT_FETCH_H */
