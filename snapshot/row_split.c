/*
 * row_split.c - where the values stand in a line
 *
 * For who compares lines: values are told apart and not decoded, and those in
 * part files are not loaded.  Each is checked to be one sound JSON value, so
 * its text can be handed on.  The depth of nesting is bounded, and nothing
 * recurses.
 */
#include <string.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/row_internal.h"
#include "snapshot/scan_internal.h"
#include "snapshot/text.h"

/* Brackets that may be open at once. */
#define DEPTH_MAX 512

/* The brackets that are open: a bit each, 1 for an object. */
struct nesting {
	unsigned char object[DEPTH_MAX];
	size_t depth;
};

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* ---- scalars: each returns what is behind it, or NULL ---- */

static const char *skip_hex4(const char *p, const char *end)
{
	int i;

	if (end - p < 4)
		return NULL;
	for (i = 0; i < 4; i++, p++)
		if (!memchr("0123456789abcdefABCDEF", *p, 22))
			return NULL;
	return p;
}

/* Behind the opening quote. */
static const char *skip_string(const char *p, const char *end)
{
	const char *begin = p;
	int high = 0;

	for (;;) {
		while ((size_t)(end - p) >= SCAN_BLOCK) {
			size_t n = scan_plain(p, &high);

			p += n;
			if (n < SCAN_BLOCK)
				break;
		}
		if (p == end || (unsigned char)*p < 0x20)
			return NULL;
		if (*p == '"')
			break;
		if (*p != '\\') {
			high |= (unsigned char)*p++ >= 0x80;
			continue;
		}
		if (++p == end)
			return NULL;
		if (*p == 'u')
			p = skip_hex4(p + 1, end);
		else
			p = memchr("\"\\/bfnrt", *p, 8) ? p + 1 : NULL;
		if (!p)
			return NULL;
	}
	if (high && !text_is_utf8(begin, (size_t)(p - begin)))
		return NULL;
	return p + 1;
}

static const char *skip_digits(const char *p, const char *end)
{
	const char *begin = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p == begin ? NULL : p;
}

static const char *skip_number(const char *p, const char *end)
{
	p += *p == '-';
	if (p < end && *p == '0')
		p++;
	else
		p = skip_digits(p, end);
	if (p && p < end && *p == '.')
		p = skip_digits(p + 1, end);
	if (p && p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		p = skip_digits(p, end);
	}
	return p;
}

static const char *skip_word(const char *p, const char *end)
{
	static const char *const words[] = { "null", "true", "false" };
	size_t i, size;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size = strlen(words[i]);
		if ((size_t)(end - p) >= size && !memcmp(p, words[i], size))
			return p + size;
	}
	return NULL;
}

/* ---- values ---- */

/* A key and its colon. */
static const char *skip_key(const char *p, const char *end)
{
	p = skip_space(p, end);
	if (p == end || *p != '"')
		return NULL;
	p = skip_string(p + 1, end);
	if (!p)
		return NULL;
	p = skip_space(p, end);
	return p < end && *p == ':' ? p + 1 : NULL;
}

/* A bracket was opened: to its first value, or behind it when it has none. */
static const char *open_bracket(struct nesting *n, const char *p,
				const char *end, int *empty)
{
	int object = *p++ == '{';

	if (n->depth == DEPTH_MAX)
		return NULL;
	p = skip_space(p, end);
	*empty = p < end && *p == (object ? '}' : ']');
	if (*empty)
		return p + 1;
	n->object[n->depth++] = (unsigned char)object;
	return object ? skip_key(p, end) : p;
}

/* A value has ended: to the next one, or to the end of all (depth 0). */
static const char *go_on(struct nesting *n, const char *p, const char *end)
{
	int object;

	while (n->depth) {
		object = n->object[n->depth - 1];
		p = skip_space(p, end);
		if (p == end)
			return NULL;
		if (*p == ',')
			return object ? skip_key(p + 1, end) : p + 1;
		if (*p++ != (object ? '}' : ']'))
			return NULL;
		n->depth--;
	}
	return p;
}

/* Step over one value; @return what is behind it, or NULL when it is none */
static const char *skip_value(const char *p, const char *end)
{
	struct nesting n;
	int empty = 0;

	n.depth = 0;
	do {
		p = skip_space(p, end);
		if (p == end)
			return NULL;
		if (*p == '{' || *p == '[') {
			p = open_bracket(&n, p, end, &empty);
			if (p && !empty)
				continue;
		} else if (*p == '"') {
			p = skip_string(p + 1, end);
		} else if (*p == '-' || (*p >= '0' && *p <= '9')) {
			p = skip_number(p, end);
		} else {
			p = skip_word(p, end);
		}
		if (p)
			p = go_on(&n, p, end);
	} while (p && n.depth);
	return p;
}

/* ---- rows ---- */

struct split {
	struct row_shape *shape;
	const char *p, *end;
	struct error *err;
};

static int wrong(struct split *s, const char *problem)
{
	return error_set(s->err, ERROR_DAMAGE, "the row %s", problem);
}

static int next_is(struct split *s, char c)
{
	s->p = skip_space(s->p, s->end);
	if (s->p == s->end || *s->p != c)
		return 0;
	s->p++;
	return 1;
}

static int take_value(struct split *s, struct row_span *out)
{
	const char *begin = skip_space(s->p, s->end);

	s->p = skip_value(begin, s->end);
	if (!s->p)
		return wrong(s, "has a value that is no JSON");
	out->data = begin;
	out->size = (size_t)(s->p - begin);
	return 0;
}

/* Does this key stand here, as row_encode() writes it? */
static int take_key(struct split *s, const struct row_name *n)
{
	/* without the comma in front and the colon behind */
	size_t size = n->key_size - 2;
	const char *p;

	if ((size_t)(s->end - s->p) < size ||
	    memcmp(s->p, n->key + 1, size) != 0)
		return 0;
	p = skip_space(s->p + size, s->end);
	if (p == s->end || *p != ':')
		return 0;
	s->p = p + 1;
	return 1;
}

static int split_object(struct split *s, struct row_span *rowid,
			struct row_span *values)
{
	const struct row_shape *shape = s->shape;
	size_t at = 0;
	int more;

	if (!next_is(s, '{'))
		return wrong(s, "is no object");
	s->p = skip_space(s->p, s->end);
	if (shape->separate) {
		if (!take_key(s, &shape->rowid))
			return wrong(s, "does not begin with its rowid");
		if (take_value(s, rowid) < 0)
			return -1;
		more = next_is(s, ',');
	} else {
		if (next_is(s, '}'))
			return 0;
		more = 1;
	}
	for (; more; more = next_is(s, ','), at++) {
		s->p = skip_space(s->p, s->end);
		while (at < shape->count && !take_key(s, &shape->names[at]))
			at++;
		if (at == shape->count)
			return wrong(s, "has a key that is no column of this "
					"table, or not in its place");
		if (take_value(s, &values[at]) < 0)
			return -1;
	}
	if (!next_is(s, '}'))
		return wrong(s, "has something else where ',' or '}' must "
				"stand");
	return 0;
}

static int split_array(struct split *s, struct row_span *rowid,
		       struct row_span *values)
{
	const struct row_shape *shape = s->shape;
	size_t separate = (size_t)shape->separate;
	size_t total = shape->count + separate, i;

	if (!next_is(s, '['))
		return wrong(s, "is no array");
	for (i = 0; i < total; i++) {
		if (i && !next_is(s, ','))
			return wrong(s, "has too few values");
		if (take_value(s, i < separate ? rowid
					       : &values[i - separate]) < 0)
			return -1;
	}
	if (!next_is(s, ']'))
		return wrong(s, "has too many values");
	for (i = 0; i < shape->count; i++)
		if (values[i].size == 4 && !memcmp(values[i].data, "null", 4))
			memset(&values[i], 0, sizeof(values[i]));
	return 0;
}

int row_split(struct row_shape *shape, const char *line, size_t size,
	      struct row_span *rowid, struct row_span *values,
	      struct error *err)
{
	struct split s = { shape, line, line + size, err };
	int rc;

	memset(rowid, 0, sizeof(*rowid));
	memset(values, 0, shape->count * sizeof(*values));
	rc = shape->table->form_array ? split_array(&s, rowid, values)
				      : split_object(&s, rowid, values);
	if (rc < 0)
		return -1;
	if (skip_space(s.p, s.end) != s.end)
		return wrong(&s, "has something behind its end");
	if (shape->rowid_value != NO_VALUE)
		*rowid = values[shape->rowid_value];
	return 0;
}
