/*
 * buffer.c - bytes that grow
 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SMALLEST 256

void buffer_release(struct buffer *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

int buffer_grow(struct buffer *b, size_t more)
{
	size_t need, capacity;
	char *data;

	if (b->failed)
		return -1;
	if (more > (size_t)PTRDIFF_MAX - b->size) {
		b->failed = 1;
		return -1;
	}
	need = b->size + more;
	if (need <= b->capacity)
		return 0;
	/* Doubling stops where it would ask for more than there can be. */
	capacity = b->capacity < SMALLEST ? SMALLEST : b->capacity;
	while (capacity < need)
		capacity = capacity > (size_t)PTRDIFF_MAX / 2 ? need
							      : capacity * 2;
	data = realloc(b->data, capacity);
	if (!data) {
		b->failed = 1;
		return -1;
	}
	b->data = data;
	b->capacity = capacity;
	return 0;
}

void buffer_printf(struct buffer *b, const char *fmt, ...)
{
	va_list args;
	int n;

	if (buffer_reserve(b, 128) < 0)
		return;
	va_start(args, fmt);
	n = vsnprintf(b->data + b->size, b->capacity - b->size, fmt, args);
	va_end(args);
	if (n < 0) {
		b->failed = 1;
		return;
	}
	if ((size_t)n >= b->capacity - b->size) {
		if (buffer_reserve(b, (size_t)n + 1) < 0)
			return;
		va_start(args, fmt);
		n = vsnprintf(b->data + b->size, b->capacity - b->size, fmt,
			      args);
		va_end(args);
		if (n < 0) {
			b->failed = 1;
			return;
		}
	}
	b->size += (size_t)n;
}

const char *buffer_cstr(struct buffer *b)
{
	if (buffer_reserve(b, 1) < 0)
		return NULL;
	b->data[b->size] = '\0';
	return b->data;
}

char *buffer_detach(struct buffer *b)
{
	char *data = NULL;

	if (buffer_cstr(b)) {
		data = b->data;
		memset(b, 0, sizeof(*b));
	} else {
		buffer_release(b);
	}
	return data;
}
