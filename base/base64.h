/*
 * base64.h - RFC 4648 section 4, with padding, without line breaks
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

/** Bytes that base64_encode() writes for `size` bytes. */
static inline size_t base64_size(size_t size)
{
	return (size + 2) / 3 * 4;
}

/** Write base64_size(size) characters to `out`, no NUL. */
void base64_encode(char *out, const unsigned char *data, size_t size);

/**
 * Decode strictly: length a multiple of 4, canonical padding bits.
 *
 * @param out   room for size / 4 * 3 bytes; may be `text` itself
 * @param used  receives the number of bytes written
 * @return 0, or -1 when the text is not canonical base64
 */
int base64_decode(unsigned char *out, size_t *used, const char *text,
		  size_t size);

#endif /* BASE_BASE64_H */
