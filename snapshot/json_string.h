/*
 * json_string.h - the inside of a JSON string, read strictly
 */
#ifndef SNAPSHOT_JSON_STRING_H
#define SNAPSHOT_JSON_STRING_H

#include <stddef.h>

#include "snapshot/scan_internal.h"

struct buffer;

/** The first byte that ends a string's plain part: quote, backslash, control;
 *  or `end`.  Sets `*high` when a byte before it is no ASCII. */
static inline const char *json_plain_end(const char *p, const char *end,
					 int *high)
{
	size_t n;

	while ((size_t)(end - p) >= SCAN_BLOCK) {
		n = scan_plain(p, high);
		p += n;
		if (n < SCAN_BLOCK)
			return p;
	}
	for (; p < end; p++) {
		if ((unsigned char)*p < 0x20 || *p == '"' || *p == '\\')
			break;
		*high |= (unsigned char)*p >= 0x80;
	}
	return p;
}

/**
 * Append the bytes of a string, whose opening quote is in front of `*p`: never
 * more than it has there.
 *
 * @param p  receives where it ended, behind the closing quote
 * @return NULL; else what is wrong with it: "has half of a surrogate pair"
 */
const char *json_string_decode(struct buffer *out, const char **p,
			       const char *end);

#endif /* SNAPSHOT_JSON_STRING_H */
