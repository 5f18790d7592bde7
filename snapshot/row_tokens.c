/*
 * row_tokens.c - words and numbers of a line, and what is wrong with it
 */
#include "base/error.h"
#include "snapshot/json_string.h"
#include "snapshot/row_tokens_internal.h"

int row_wrong(struct row_reader *r, const char *problem)
{
	struct buffer name = BUFFER_INIT;
	const char *text;

	if (r->name) {
		text_display(&name, r->name->name, r->name->name_size,
			     ROW_NAME_SHOWN);
		text = buffer_cstr(&name);
		error_set(r->err, ERROR_DAMAGE, "key '%s' %s",
			  text ? text : "?", problem);
	} else if (r->number) {
		error_set(r->err, ERROR_DAMAGE, "value %zu %s", r->number,
			  problem);
	} else {
		error_set(r->err, ERROR_DAMAGE, "the row %s", problem);
	}
	buffer_release(&name);
	return -1;
}

int row_reserve_text(struct row_reader *r)
{
	struct buffer *text = &r->shape->text;

	if (text->size)
		return 0;
	return buffer_reserve(text, r->line_size + 1) ? error_nomem(r->err) : 0;
}

int token_escaped(struct row_reader *r, const char *begin,
		  struct row_slice *out)
{
	struct buffer *text = &r->shape->text;
	size_t first = text->size;
	const char *problem;

	r->p = begin;
	if (row_reserve_text(r) < 0)
		return -1;
	problem = json_string_decode(text, &r->p, r->end);
	if (problem)
		return row_wrong(r, problem);
	out->data = text->data + first;
	out->size = text->size - first;
	return 0;
}

int token_expect_string(struct row_reader *r, struct row_slice *out)
{
	if (!token_is(r, '"'))
		return row_wrong(r, "has no string where one must stand");
	return token_string(r, out);
}

const char *token_digits(const char *p, const char *end, int64_t *out)
{
	int negative = p < end && *p == '-';
	uint64_t x = 0, limit = (uint64_t)INT64_MAX + (uint64_t)negative;
	const char *begin;

	p += negative;
	for (begin = p; p < end && *p >= '0' && *p <= '9'; p++)
		x = x * 10 + (uint64_t)(*p - '0');
	if (p == begin || (*begin == '0' && (p - begin > 1 || negative)))
		return NULL;
	/* 19 digits never wrap around 2^64, and 20 are beyond the limit */
	if (p - begin >= 19 && (p - begin > 19 || x > limit))
		return NULL;
	*out = negative ? (int64_t)(0 - x) : (int64_t)x;
	return p;
}
