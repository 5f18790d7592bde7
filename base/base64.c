/*
 * base64.c - RFC 4648 section 4
 */
#include "base/base64.h"

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define X 0xff /* no character of the alphabet */

static const unsigned char worth[256] = {
	X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
	X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
	X,  X,  X,  X,  X,  X,  X,  62, X,  X,  X,  63, 52, 53, 54, 55, 56, 57,
	58, 59, 60, 61, X,  X,  X,  X,  X,  X,  X,  0,  1,  2,  3,  4,  5,  6,
	7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
	25, X,  X,  X,  X,  X,  X,  26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36,
	37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, X,  X,  X,
	X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
	X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
	X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
	X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
	X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
	X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
	X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
	X,  X,  X,  X,
};

void base64_encode(char *out, const unsigned char *data, size_t size)
{
	unsigned int x;

	for (; size >= 3; size -= 3, data += 3, out += 4) {
		x = (unsigned int)data[0] << 16 | (unsigned int)data[1] << 8 |
		    data[2];
		out[0] = alphabet[x >> 18];
		out[1] = alphabet[x >> 12 & 63];
		out[2] = alphabet[x >> 6 & 63];
		out[3] = alphabet[x & 63];
	}
	if (!size)
		return;
	x = (unsigned int)data[0] << 16 |
	    (size == 2 ? (unsigned int)data[1] << 8 : 0);
	out[0] = alphabet[x >> 18];
	out[1] = alphabet[x >> 12 & 63];
	out[2] = size == 2 ? alphabet[x >> 6 & 63] : '=';
	out[3] = '=';
}

/* The last four characters, which may carry padding. */
static int decode_last(unsigned char *out, size_t *used,
		       const unsigned char *text)
{
	unsigned int a = worth[text[0]], b = worth[text[1]];
	unsigned int c = text[2] == '=' ? 0 : worth[text[2]];
	unsigned int d = text[3] == '=' ? 0 : worth[text[3]];

	if ((a | b | c | d) & 0x80)
		return -1;
	if (text[2] == '=' && (text[3] != '=' || b & 15))
		return -1;
	if (text[2] != '=' && text[3] == '=' && c & 3)
		return -1;
	out[(*used)++] = (unsigned char)(a << 2 | b >> 4);
	if (text[2] != '=')
		out[(*used)++] = (unsigned char)(b << 4 | c >> 2);
	if (text[3] != '=')
		out[(*used)++] = (unsigned char)(c << 6 | d);
	return 0;
}

int base64_decode(unsigned char *out, size_t *used, const char *text,
		  size_t size)
{
	const unsigned char *p = (const unsigned char *)text;

	*used = 0;
	if (size % 4)
		return -1;
	if (!size)
		return 0;
	for (; size > 4; size -= 4, p += 4) {
		unsigned int a = worth[p[0]], b = worth[p[1]];
		unsigned int c = worth[p[2]], d = worth[p[3]];

		if ((a | b | c | d) & 0x80)
			return -1;
		out[*used] = (unsigned char)(a << 2 | b >> 4);
		out[*used + 1] = (unsigned char)(b << 4 | c >> 2);
		out[*used + 2] = (unsigned char)(c << 6 | d);
		*used += 3;
	}
	return decode_last(out, used, p);
}
