/*
 * text.h - strict UTF-8, UTF-16, and JSON strings
 */
#ifndef SNAPSHOT_TEXT_H
#define SNAPSHOT_TEXT_H

#include <stddef.h>

struct buffer;

/** @return 1 when the bytes are well-formed UTF-8 (no overlongs, no
 *  surrogates, nothing above U+10FFFF; NUL is well-formed), else 0 */
int text_is_utf8(const char *data, size_t size);

/**
 * Transcode UTF-16 to UTF-8.
 *
 * @param big_endian  byte order of `data`
 * @return 0; 1 when the text is not well-formed (lone surrogate, odd number of
 *         bytes): `out` is then as it was
 */
int text_from_utf16(struct buffer *out, const char *data, size_t size,
		    int big_endian);

/** Transcode well-formed UTF-8 to UTF-16 without a byte order mark. */
void text_to_utf16(struct buffer *out, const char *data, size_t size,
		   int big_endian);

/**
 * Append UTF-8 as a JSON string with its quotes.
 * Raw but for '"' and '\' (backslash form), C0 and DEL (\b \f \n \r \t, else
 * \u00XX with lower-case hex), U+2028 and U+2029 (\u2028, \u2029).
 * @return 0; 1 when the text is not well-formed: `out` is then as it was
 */
int text_json_string(struct buffer *out, const char *data, size_t size);

/** Append the bytes as base64 text, without quotes. */
void text_base64(struct buffer *out, const char *data, size_t size);

/** Append for people: 'data' with control characters and ill-formed bytes as
 *  \xHH, cut at `limit` bytes with "...". */
void text_display(struct buffer *out, const char *data, size_t size,
		  size_t limit);

#endif /* SNAPSHOT_TEXT_H */
