/*
 * said.c - words of servers and programs, for a line of ours
 */
#include "base/said.h"

#include <string.h>

#include "base/secret.h"

/* Bytes of the well-formed UTF-8 character at `p`, 0 when there is none.
 * U+0080 to U+009F count as none: some terminals obey them. */
static size_t character(const unsigned char *p, size_t left)
{
	unsigned int c = p[0], code;
	size_t size = c < 0x80   ? 1
		      : c < 0xc2 ? 0
		      : c < 0xe0 ? 2
		      : c < 0xf0 ? 3
		      : c < 0xf5 ? 4
				 : 0;

	if (!size || size > left)
		return 0;
	if (size == 1)
		return 1;
	code = c & (0xffU >> (size + 1));
	for (size_t i = 1; i < size; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fU);
	}
	if (code < 0xa0 || (size == 3 && code < 0x800) ||
	    (size == 4 && code < 0x10000) || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return size;
}

/* Bytes of the escape sequence "ESC [ ... letter" at `p`, or 1. */
static size_t escape(const unsigned char *p, size_t left)
{
	size_t n = 2;

	if (left < 2 || p[1] != '[')
		return 1;
	while (n < left && p[n] >= 0x20 && p[n] < 0x40)
		n++;
	return n < left && p[n] < 0x7f && p[n] >= 0x40 ? n + 1 : n;
}

struct line {
	char *out;
	size_t room, used;
	int gap; /* 1: a blank, 2: the end of a line was passed over */
	int cut;
};

static void put(struct line *l, const void *data, size_t size)
{
	if (l->cut || size >= l->room - l->used) {
		l->cut = 1;
		return;
	}
	memcpy(l->out + l->used, data, size);
	l->used += size;
}

static void put_character(struct line *l, const void *data, size_t size)
{
	if (l->gap && l->used)
		put(l, l->gap == 1 ? " " : "; ", l->gap);
	l->gap = 0;
	put(l, data, size);
}

void said_line(char *out, size_t room, const char *data, size_t size)
{
	const unsigned char *p = (const unsigned char *)data, *end = p + size;
	struct line l = { out, room, 0, 0, 0 };

	while (p < end) {
		size_t n = character(p, (size_t)(end - p));

		if (*p == '\n' || *p == '\r') {
			l.gap = 2;
		} else if (*p == ' ' || *p == '\t') {
			l.gap |= !l.gap;
		} else if (*p == 0x1b) {
			n = escape(p, (size_t)(end - p));
		} else if (*p >= 0x20 && *p != 0x7f) {
			put_character(&l, n ? (const char *)p : "?", n ? n : 1);
		}
		p += n ? n : 1;
	}
	out[l.used] = '\0';
	if (l.cut)
		secret_redact_cut(out);
	else
		secret_redact(out);
}
