/*
 * row_tokens_internal.h - reading a line of JSON token by token
 *
 * What every value needs is in the header, so that it becomes part of its
 * callers.
 */
#ifndef SNAPSHOT_ROW_TOKENS_INTERNAL_H
#define SNAPSHOT_ROW_TOKENS_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "snapshot/json_string.h"
#include "snapshot/row_internal.h"
#include "snapshot/text.h"

#define ROW_NAME_SHOWN 200 /* bytes of a name in a message */

struct row_reader {
	struct row_shape *shape;
	const char *p, *end;
	size_t line_size;
	struct row_files *files;
	struct error *err;

	/* what is being read, for messages; neither: the row itself */
	const struct row_name *name;
	size_t number; /* place in an array, from 1 */
};

struct row_slice {
	const char *data;
	size_t size;
};

static inline int row_slice_is(struct row_slice s, const char *text)
{
	return s.size == strlen(text) && !memcmp(s.data, text, s.size);
}

/* ---- row_tokens.c ---- */

/** Record `problem` of what is being read. @return -1 */
int row_wrong(struct row_reader *r, const char *problem);

/** Room in the shape's text for decoded bytes.  Nothing decodes to more than
 *  its text, so room for the line is room for all of it, and what was decoded
 *  never moves. */
int row_reserve_text(struct row_reader *r);

/** Read the string with escapes that begins at `begin`, behind the quote. */
int token_escaped(struct row_reader *r, const char *begin,
		  struct row_slice *out);

/** A string must come next. */
int token_expect_string(struct row_reader *r, struct row_slice *out);

/** Decimal digits as row_encode() writes them: no '+', no leading zero, no
 *  "-0".  @return where they end, or NULL when they are none or do not fit */
const char *token_digits(const char *p, const char *end, int64_t *out);

static inline void token_skip_space(struct row_reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' ||
				 *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

/** @return 1 and step over it when the next token is `c`, else 0 */
static inline int token_is(struct row_reader *r, char c)
{
	token_skip_space(r);
	if (r->p == r->end || *r->p != c)
		return 0;
	r->p++;
	return 1;
}

/** A string, whose opening quote is behind us. */
static inline int token_string(struct row_reader *r, struct row_slice *out)
{
	const char *begin = r->p;
	int high = 0;

	r->p = json_plain_end(begin, r->end, &high);
	if (r->p == r->end || *r->p != '"')
		return token_escaped(r, begin, out);
	out->data = begin;
	out->size = (size_t)(r->p - begin);
	r->p++;
	if (high && !text_is_utf8(out->data, out->size))
		return row_wrong(r, "has a string that is not UTF-8");
	return 0;
}

/** Integers that are written as a plain number. */
static inline int token_is_plain(int64_t x)
{
	return x < PLAIN_LIMIT && x > -PLAIN_LIMIT;
}

/* ---- row_tags.c ---- */

/**
 * Read an object, whose bracket is behind us.
 * @param index  the value's place in the row: one in part files is loaded, and
 *               its data set only when the whole row was read
 */
int row_read_tagged(struct row_reader *r, struct value *v, size_t index);

#endif /* SNAPSHOT_ROW_TOKENS_INTERNAL_H */
