/*
 * text.c - strict UTF-8, UTF-16, and JSON strings
 */
#include "snapshot/text.h"

#include <stdint.h>
#include <string.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "snapshot/scan_internal.h"

/* What a string takes beside its characters: two quotes, what the longest
 * escape adds, and the block that is written where fewer bytes are left. */
#define JSON_ROOM (8 + SCAN_BLOCK)

/*
 * The length of the well-formed sequence of two to four bytes at `p`, or 0.
 * The second byte's range is what keeps out overlongs (E0, F0), surrogates
 * (ED) and all above U+10FFFF (F4): table 3-7 of the Unicode standard.
 */
static size_t sequence(const unsigned char *p, const unsigned char *end)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t size, i;

	if (*p < 0xc2 || *p > 0xf4)
		return 0;
	size = *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
	if ((size_t)(end - p) < size)
		return 0;
	if (*p == 0xe0)
		low = 0xa0;
	else if (*p == 0xed)
		high = 0x9f;
	else if (*p == 0xf0)
		low = 0x90;
	else if (*p == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < size; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

int text_is_utf8(const char *data, size_t size)
{
	const unsigned char *p = (const unsigned char *)data;
	const unsigned char *end = size ? p + size : p;
	size_t step;

	while (p < end) {
		while (end - p >= 8 && !scan_high(scan_load((const char *)p)))
			p += 8;
		while (p < end && *p < 0x80)
			p++;
		/* Text that is no ASCII seldom is again at once. */
		while (p < end && *p >= 0x80) {
			step = sequence(p, end);
			if (!step)
				return 0;
			p += step;
		}
	}
	return 1;
}

static unsigned int unit(const char *data, int big_endian)
{
	const unsigned char *p = (const unsigned char *)data;

	return big_endian ? (unsigned int)p[0] << 8 | p[1]
			  : (unsigned int)p[1] << 8 | p[0];
}

/* Write a code point; room for four bytes is there. */
static char *put_utf8(char *p, unsigned int c)
{
	if (c < 0x80) {
		*p++ = (char)c;
	} else if (c < 0x800) {
		*p++ = (char)(0xc0 | c >> 6);
		*p++ = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		*p++ = (char)(0xe0 | c >> 12);
		*p++ = (char)(0x80 | (c >> 6 & 63));
		*p++ = (char)(0x80 | (c & 63));
	} else {
		*p++ = (char)(0xf0 | c >> 18);
		*p++ = (char)(0x80 | (c >> 12 & 63));
		*p++ = (char)(0x80 | (c >> 6 & 63));
		*p++ = (char)(0x80 | (c & 63));
	}
	return p;
}

int text_from_utf16(struct buffer *out, const char *data, size_t size,
		    int big_endian)
{
	const char *end;
	char *p;

	if (size % 2)
		return 1;
	if (!size)
		return 0;
	/* Two bytes become three at most; a pair, of four, becomes four. */
	if (size > SIZE_MAX / 3 || buffer_reserve(out, size / 2 * 3) < 0) {
		out->failed = 1;
		return 0;
	}
	p = out->data + out->size;
	for (end = data + size; data < end; data += 2) {
		unsigned int c = unit(data, big_endian), low;

		if (c >= 0xd800 && c <= 0xdfff) {
			if (c >= 0xdc00 || end - data < 4)
				return 1;
			data += 2;
			low = unit(data, big_endian);
			if (low < 0xdc00 || low > 0xdfff)
				return 1;
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
		p = put_utf8(p, c);
	}
	out->size = (size_t)(p - out->data);
	return 0;
}

/* Read the code point at `*p` of well-formed text. */
static unsigned int get_utf8(const unsigned char **p)
{
	const unsigned char *s = *p;

	if (s[0] < 0x80) {
		*p += 1;
		return s[0];
	}
	if (s[0] < 0xe0) {
		*p += 2;
		return (s[0] & 31u) << 6 | (s[1] & 63u);
	}
	if (s[0] < 0xf0) {
		*p += 3;
		return (s[0] & 15u) << 12 | (s[1] & 63u) << 6 | (s[2] & 63u);
	}
	*p += 4;
	return (s[0] & 7u) << 18 | (s[1] & 63u) << 12 | (s[2] & 63u) << 6 |
	       (s[3] & 63u);
}

static char *put_unit(char *p, unsigned int c, int big_endian)
{
	p[!big_endian] = (char)(c >> 8);
	p[!!big_endian] = (char)(c & 255);
	return p + 2;
}

void text_to_utf16(struct buffer *out, const char *data, size_t size,
		   int big_endian)
{
	const unsigned char *p = (const unsigned char *)data, *end;
	char *to;

	if (!size)
		return;
	if (size > SIZE_MAX / 2 || buffer_reserve(out, size * 2) < 0) {
		out->failed = 1;
		return;
	}
	to = out->data + out->size;
	for (end = p + size; p < end;) {
		unsigned int c = get_utf8(&p);

		if (c >= 0x10000) {
			c -= 0x10000;
			to = put_unit(to, 0xd800 + (c >> 10), big_endian);
			c = 0xdc00 + (c & 0x3ff);
		}
		to = put_unit(to, c, big_endian);
	}
	out->size = (size_t)(to - out->data);
}

/* U+2028 or U+2029, which JavaScript once took for ends of lines. */
static int line_separator(const unsigned char *p, const unsigned char *end)
{
	return end - p >= 3 && p[0] == 0xe2 && p[1] == 0x80 &&
	       (p[2] == 0xa8 || p[2] == 0xa9);
}

/* Copy what can stand in a JSON string as it is, up to the first byte that
 * can't or is no ASCII; @return where that is. */
static const unsigned char *copy_clean(char **out, const unsigned char *p,
				       const unsigned char *end)
{
	char *to = *out;
	size_t n, left;

	/* What is clean to its end is not looked at before going on. */
	for (; (size_t)(end - p) >= SCAN_BLOCK; p += SCAN_BLOCK) {
		n = scan_copy(to, (const char *)p);
		if (n < SCAN_BLOCK) {
			*out = to + n;
			return p + n;
		}
		to += SCAN_BLOCK;
	}
	left = (size_t)(end - p);
	if (left) {
		n = scan_copy_short(to, (const char *)p, left);
		if (n < left)
			left = n;
	}
	*out = to + left;
	return left ? p + left : p;
}

/* Copy characters that are no ASCII, but for line separators; @return the
 * first that is something else, or NULL where they are ill-formed. */
static const unsigned char *copy_high(char **out, const unsigned char *p,
				      const unsigned char *end)
{
	char *to = *out;
	size_t step, i;

	while (p < end && *p >= 0x80 && !line_separator(p, end)) {
		step = sequence(p, end);
		if (!step)
			return NULL;
		for (i = 0; i < step; i++)
			*to++ = (char)*p++;
	}
	*out = to;
	return p;
}

/* At most six bytes for the one to three at `*p`. */
static char *escape(char *to, const unsigned char **p)
{
	static const char named[] = "btn?fr"; /* from 8 to 13 */
	static const char digits[] = "0123456789abcdef";
	unsigned char c = **p;

	*p += c == 0xe2 ? 3 : 1;
	*to++ = '\\';
	if (c == '"' || c == '\\') {
		*to++ = (char)c;
	} else if (c >= 8 && c <= 13 && c != 11) {
		*to++ = named[c - 8];
	} else if (c == 0xe2) {
		memcpy(to, (*p)[-1] == 0xa8 ? "u2028" : "u2029", 5);
		to += 5;
	} else {
		memcpy(to, "u00", 3);
		to[3] = digits[c >> 4];
		to[4] = digits[c & 15];
		to += 5;
	}
	return to;
}

/* @return where `to` is with so much room behind it, or NULL */
static inline char *more_room(struct buffer *out, char *to, size_t room)
{
	if ((size_t)(out->data + out->capacity - to) >= room)
		return to;
	out->size = (size_t)(to - out->data);
	return buffer_reserve(out, room) < 0 ? NULL : out->data + out->size;
}

int text_json_string(struct buffer *out, const char *data, size_t size)
{
	const unsigned char *p = (const unsigned char *)data, *end;
	size_t before = out->size;
	char *to;

	if (size > SIZE_MAX - JSON_ROOM ||
	    buffer_reserve(out, size + JSON_ROOM) < 0) {
		out->failed = 1;
		return 0;
	}
	to = out->data + before;
	*to++ = '"';
	end = size ? p + size : p;
	while ((p = copy_clean(&to, p, end)) < end) {
		if (*p >= 0x80 && !line_separator(p, end)) {
			p = copy_high(&to, p, end);
			if (p)
				continue;
			out->size = before;
			return 1;
		}
		to = escape(to, &p);
		to = more_room(out, to, (size_t)(end - p) + JSON_ROOM);
		if (!to) {
			out->size = before;
			return 0;
		}
	}
	*to++ = '"';
	out->size = (size_t)(to - out->data);
	return 0;
}

void text_base64(struct buffer *out, const char *data, size_t size)
{
	if (!size)
		return;
	if (size > SIZE_MAX / 4 || buffer_reserve(out, base64_size(size)) < 0) {
		out->failed = 1;
		return;
	}
	base64_encode(out->data + out->size, (const unsigned char *)data, size);
	out->size += base64_size(size);
}

/* Characters that move a cursor or turn the direction of what follows. */
static int unseemly(unsigned int c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 ||
	       c == 0x2029 || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

void text_display(struct buffer *out, const char *data, size_t size,
		  size_t limit)
{
	const unsigned char *p = (const unsigned char *)data, *next, *end;
	size_t step, shown = 0;

	for (end = size ? p + size : p; p < end; p += step) {
		step = *p < 0x80 ? 1 : sequence(p, end);
		next = p;
		if (shown + (step ? step : 1) > limit) {
			buffer_str(out, "...");
			return;
		}
		if (step && !unseemly(get_utf8(&next))) {
			buffer_add(out, p, step);
		} else {
			step = step ? step : 1;
			for (next = p; next < p + step; next++)
				buffer_printf(out, "\\x%02x", *next);
		}
		shown += step;
	}
}
