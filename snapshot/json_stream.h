/*
 * json_stream.h - the values of a long JSON text, one at a time
 *
 * Only finds where a value begins and ends: whoever takes it decodes it and so
 * tells whether it is sound.  Memory holds one value.
 */
#ifndef SNAPSHOT_JSON_STREAM_H
#define SNAPSHOT_JSON_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"

struct error;

/** Where bytes come from: a file, a pipe, a server. */
struct byte_input {
	/* Read up to `size` bytes.
	 * @return how many; 0 at the end; -1 with an error */
	ssize_t (*read)(struct byte_input *, void *data, size_t size,
			struct error *err);
};

/** Zero it, set `input` and `label`, and begin. */
struct json_stream {
	struct byte_input *input;
	const char *label; /* "'x.json'": what messages begin with; borrowed */
	struct buffer bytes;
	size_t at;      /* bytes of `bytes` that were taken */
	uint64_t lines; /* newlines that were taken */
	int ended;      /* the input has no more */
};

void json_stream_release(struct json_stream *s);

/** The next byte that is no white space, which is not taken.
 *  @return it; 0 at the end; -1 with an error */
int json_stream_peek(struct json_stream *s, struct error *err);

/** Take the next byte, which has to be `c`. */
int json_stream_expect(struct json_stream *s, char c, struct error *err);

/**
 * Take a whole value.
 *
 * @param limit  bytes that it may have
 * @param text   receives it; borrowed until the next call
 */
int json_stream_value(struct json_stream *s, size_t limit, const char **text,
		      size_t *size, struct error *err);

/** Record ERROR_DAMAGE: label, line, and the text. @return -1 */
int json_stream_damage(const struct json_stream *s, struct error *err,
		       const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* SNAPSHOT_JSON_STREAM_H */
