/*
 * delta_apply.c - git's deltas back; delta.c tells how they look
 *
 * Nothing in a delta is believed: all of it is looked at before memory is
 * taken for what it makes.
 */
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "gitstore/gitstore_internal.h"

struct reader {
	const unsigned char *at, *end;
};

static int get_size(struct reader *r, uint64_t *size)
{
	unsigned int shift = 0;
	unsigned char byte;

	*size = 0;
	do {
		if (r->at == r->end || shift > 56)
			return -1;
		byte = *r->at++;
		*size |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return 0;
}

/* What one instruction appends */
struct piece {
	const void *data;
	size_t size;
};

/* The offset and the size behind the first byte of a copy. */
static int get_copy(struct reader *r, unsigned int flags, uint64_t *at,
		    size_t *size)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < 7; i++)
		if (flags >> i & 1) {
			if (r->at == r->end)
				return -1;
			value |= (uint64_t)*r->at++ << i * 8;
		}
	*at = value & UINT32_MAX;
	*size = (size_t)(value >> 32);
	if (!*size)
		*size = 0x10000;
	return 0;
}

/* @return 1; 0: there are no more; -1: malformed */
static int get_piece(struct reader *r, const char *base, size_t base_size,
		     struct piece *out)
{
	unsigned int first;
	uint64_t at;

	if (r->at == r->end)
		return 0;
	first = *r->at++;
	if (first & 0x80) {
		if (get_copy(r, first, &at, &out->size) < 0 || at > base_size ||
		    out->size > base_size - at)
			return -1;
		out->data = base + at;
		return 1;
	}
	if (!first || first > (size_t)(r->end - r->at))
		return -1;
	out->data = r->at;
	out->size = first;
	r->at += first;
	return 1;
}

int delta_sizes(const void *delta, size_t delta_size, uint64_t *base_size,
		uint64_t *target_size)
{
	struct reader r = { delta, (const unsigned char *)delta + delta_size };

	return get_size(&r, base_size) < 0 || get_size(&r, target_size) < 0 ? 1
									    : 0;
}

/* Is every instruction sound, and do they make `size` bytes? */
static int is_sound(struct reader r, const char *base, size_t base_size,
		    uint64_t size)
{
	struct piece p;
	int rc;

	while ((rc = get_piece(&r, base, base_size, &p)) > 0 && p.size <= size)
		size -= p.size;
	return !rc && !size;
}

int delta_apply(const void *base, size_t base_size, const void *delta,
		size_t delta_size, struct buffer *out, struct error *err)
{
	struct reader r = { delta, (const unsigned char *)delta + delta_size };
	const char *from = base_size ? base : "";
	uint64_t size, want;
	struct piece p;

	if (get_size(&r, &want) < 0 || want != base_size ||
	    get_size(&r, &size) < 0 || !is_sound(r, from, base_size, size))
		return 1;
	if (size != (size_t)size || buffer_reserve(out, (size_t)size) < 0)
		return error_nomem(err);
	while (get_piece(&r, from, base_size, &p) > 0)
		buffer_add(out, p.data, p.size);
	return 0;
}
