/*
 * json_string.c - the inside of a JSON string, read strictly
 */
#include "snapshot/json_string.h"

#include <string.h>

#include "base/buffer.h"
#include "snapshot/text.h"

static int hex4(const char *p, const char *end, unsigned int *out)
{
	int i;

	*out = 0;
	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		char c = p[i];
		unsigned int d;

		if (c >= '0' && c <= '9')
			d = (unsigned int)(c - '0');
		else if (c >= 'a' && c <= 'f')
			d = (unsigned int)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			d = (unsigned int)(c - 'A') + 10;
		else
			return -1;
		*out = *out << 4 | d;
	}
	return 0;
}

/* \uXXXX, where the 'u' is behind us, to UTF-16 and on to UTF-8. */
static const char *decode_unicode(struct buffer *out, const char **p,
				  const char *end)
{
	unsigned int c, low;
	size_t size = 2;
	char pair[4];

	if (hex4(*p, end, &c) < 0)
		return "has an escape that is none";
	*p += 4;
	pair[0] = (char)(c >> 8);
	pair[1] = (char)(c & 255);
	if (c >= 0xd800 && c <= 0xdbff && end - *p >= 6 && (*p)[0] == '\\' &&
	    (*p)[1] == 'u' && !hex4(*p + 2, end, &low)) {
		pair[2] = (char)(low >> 8);
		pair[3] = (char)(low & 255);
		size = 4;
		*p += 6;
	}
	if (text_from_utf16(out, pair, size, 1))
		return "has half of a surrogate pair";
	return NULL;
}

/* Behind a backslash. */
static const char *decode_escape(struct buffer *out, const char **p,
				 const char *end)
{
	static const char from[] = "/bfnrt", to[] = "/\b\f\n\r\t";
	const char *at;
	char c;

	if (*p == end)
		return "has a string without an end";
	c = *(*p)++;
	if (c == '"' || c == '\\') { /* nearly all of them */
		buffer_byte(out, c);
		return NULL;
	}
	if (c == 'u')
		return decode_unicode(out, p, end);
	at = c ? strchr(from, c) : NULL;
	if (!at)
		return "has an escape that is none";
	buffer_byte(out, to[at - from]);
	return NULL;
}

/* Append what stands for itself; @return where something else begins. */
static const char *copy_plain(struct buffer *out, const char *p,
			      const char *end, int *high)
{
	const char *stop;
	size_t n;

	while ((size_t)(end - p) >= SCAN_BLOCK &&
	       out->capacity - out->size >= SCAN_BLOCK) {
		memcpy(out->data + out->size, p, SCAN_BLOCK);
		n = scan_plain(p, high);
		p += n;
		out->size += n;
		if (n < SCAN_BLOCK)
			return p;
	}
	stop = json_plain_end(p, end, high);
	buffer_add(out, p, (size_t)(stop - p));
	return stop;
}

const char *json_string_decode(struct buffer *out, const char **p,
			       const char *end)
{
	size_t first = out->size;
	const char *problem;
	int high = 0;

	for (;;) {
		*p = copy_plain(out, *p, end, &high);
		if (*p == end)
			return "has a string without an end";
		if (**p == '"')
			break;
		if (*(*p)++ != '\\')
			return "has a control character in a string";
		problem = decode_escape(out, p, end);
		if (problem)
			return problem;
	}
	++*p;
	if (high && !buffer_failed(out) &&
	    !text_is_utf8(out->data + first, out->size - first))
		return "has a string that is not UTF-8";
	return NULL;
}
