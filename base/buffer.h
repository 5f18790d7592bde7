/*
 * buffer.h - bytes that grow
 *
 * A buffer that could not grow refuses further work and stays as it was, so a
 * series of appends is checked once, with buffer_failed().  `data` is NULL
 * while nothing was ever appended, and is not NUL-terminated unless
 * buffer_cstr() is called.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stddef.h>
#include <string.h>

struct buffer {
	char *data;
	size_t size;     /* bytes in use */
	size_t capacity; /* bytes allocated */
	int failed;      /* set when memory ran out; sticky */
};

#define BUFFER_INIT                                                            \
	{                                                                      \
		NULL, 0, 0, 0                                                  \
	}

/** Free the bytes and make the buffer empty again. */
void buffer_release(struct buffer *b);

/** Forget the content, keep the memory and forget a failure. */
static inline void buffer_clear(struct buffer *b)
{
	b->size = 0;
	b->failed = 0;
}

/** Make room for `more` further bytes; @return 0, or -1 (sticky). */
int buffer_grow(struct buffer *b, size_t more);

static inline int buffer_reserve(struct buffer *b, size_t more)
{
	if (b->failed)
		return -1;
	if (b->capacity - b->size >= more)
		return 0;
	return buffer_grow(b, more);
}

static inline void buffer_add(struct buffer *b, const void *data, size_t size)
{
	if (size && !buffer_reserve(b, size)) {
		memcpy(b->data + b->size, data, size);
		b->size += size;
	}
}

static inline void buffer_byte(struct buffer *b, char c)
{
	if (!buffer_reserve(b, 1))
		b->data[b->size++] = c;
}

/** Append a NUL-terminated string, without its NUL. */
static inline void buffer_str(struct buffer *b, const char *s)
{
	buffer_add(b, s, strlen(s));
}

/** Append formatted text. */
void buffer_printf(struct buffer *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** NUL-terminate (not counted in `size`) and return the bytes; borrowed;
 *  NULL when memory ran out. */
const char *buffer_cstr(struct buffer *b);

/** NUL-terminate and hand the bytes to the caller, who frees them; the buffer
 *  is empty afterwards.  NULL when memory ran out. */
char *buffer_detach(struct buffer *b);

static inline int buffer_failed(const struct buffer *b)
{
	return b->failed;
}

#endif /* BASE_BUFFER_H */
