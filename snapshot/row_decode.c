/*
 * row_decode.c - one line of JSON to one row
 *
 * A line that row_encode() wrote is read in one pass: keys are compared where
 * they must stand, strings without escapes are borrowed from the line.  What
 * others wrote with white space or with escapes takes the slower turns.
 * Nothing here recurses: a value is a scalar or one of a few fixed objects.
 */
#include <string.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/real.h"
#include "snapshot/row_tokens_internal.h"

/* ---- numbers ---- */

static int in_number(char c)
{
	return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' ||
	       c == '+' || c == '-';
}

static int read_number(struct row_reader *r, struct value *v)
{
	const char *begin = r->p,
		   *stop = token_digits(begin, r->end, &v->integer);
	int real = 0;

	if (stop && (stop == r->end || !in_number(*stop))) {
		if (!token_is_plain(v->integer))
			return row_wrong(r,
					 "is an integer of 2^53 or more, which "
					 "must be written as '$int'");
		v->class = VALUE_INTEGER;
		r->p = stop;
		return 0;
	}
	stop = real_parse_few(&v->real, begin, r->end);
	if (stop && (stop == r->end || !in_number(*stop))) {
		v->class = VALUE_REAL;
		r->p = stop;
		return 0;
	}
	for (; r->p < r->end && in_number(*r->p); r->p++)
		real |= *r->p == '.' || *r->p == 'e' || *r->p == 'E';
	if (!real)
		return row_wrong(r, "is no integer that can be read");
	if (real_parse(&v->real, begin, (size_t)(r->p - begin)) < 0)
		return row_wrong(r, "is no number that can be read");
	v->class = VALUE_REAL;
	return 0;
}

/* ---- values ---- */

/* `index` is the value's place in the row; the rowid has none. */
static int read_value(struct row_reader *r, struct value *v, size_t index)
{
	struct row_slice s;

	token_skip_space(r);
	v->class = VALUE_NULL;
	v->integer = 0;
	v->data = NULL;
	v->size = 0;
	if (r->p == r->end)
		return row_wrong(r, "has no value");
	if (*r->p == '"') {
		r->p++;
		if (token_string(r, &s) < 0)
			return -1;
		v->class = VALUE_TEXT;
		v->data = s.data;
		v->size = s.size;
		return 0;
	}
	if ((*r->p >= '0' && *r->p <= '9') || *r->p == '-')
		return read_number(r, v);
	if (*r->p == '{') {
		r->p++;
		return row_read_tagged(r, v, index);
	}
	if (r->end - r->p >= 4 && !memcmp(r->p, "null", 4)) {
		r->p += 4;
		return 0;
	}
	return row_wrong(r, "has a value of a kind that no row holds");
}

static int read_rowid(struct row_reader *r, int64_t *rowid)
{
	struct value v;

	if (read_value(r, &v, r->shape->count) < 0)
		return -1;
	if (v.class != VALUE_INTEGER)
		return row_wrong(r, "is no integer");
	*rowid = v.integer;
	return 0;
}

/* ---- rows ---- */

/* Record what is wrong with a key that the row has and should not. */
static int wrong_key(struct row_reader *r, struct row_slice key,
		     const char *problem)
{
	struct row_name name = { key.data, key.size, NULL, 0 };

	r->name = &name;
	row_wrong(r, problem);
	r->name = NULL;
	return -1;
}

static int expect_colon(struct row_reader *r, struct row_slice key)
{
	if (!token_is(r, ':'))
		return wrong_key(r, key, "has no ':' behind it");
	return 0;
}

/* A key that is not the next column's: it stands elsewhere or nowhere. */
static int misplaced(struct row_reader *r, struct row_slice key)
{
	const struct row_shape *s = r->shape;
	size_t i;
	int known = s->separate && key.size == s->rowid.name_size &&
		    !memcmp(key.data, s->rowid.name, key.size);

	for (i = 0; i < s->count && !known; i++)
		known = key.size == s->names[i].name_size &&
			!memcmp(key.data, s->names[i].name, key.size);
	return wrong_key(r, key,
			 known ? "stands twice or in the wrong place"
			       : "is no column of this table");
}

/* Step over a key and its colon if they stand here as row_encode() writes
 * them. */
static inline int written_here(struct row_reader *r, const struct row_name *n)
{
	size_t size = n->key_size - 1; /* without the comma */

	if ((size_t)(r->end - r->p) < size ||
	    !scan_same(r->p, n->key + 1, size))
		return 0;
	r->p += size;
	return 1;
}

/* Read a key with its colon; `*at` is the column that could be next and
 * receives the one that it is. */
static int read_key(struct row_reader *r, size_t *at)
{
	const struct row_shape *s = r->shape;
	struct row_slice key;
	size_t i;

	token_skip_space(r);
	for (i = *at; i < s->count; i++) {
		if (!written_here(r, &s->names[i]))
			continue;
		*at = i;
		return 0;
	}
	if (!token_is(r, '"'))
		return row_wrong(r,
				 "has something else where a key must stand");
	if (token_string(r, &key) < 0)
		return -1;
	for (i = *at; i < s->count; i++)
		if (s->names[i].name_size == key.size &&
		    !memcmp(s->names[i].name, key.data, key.size))
			break;
	if (i == s->count)
		return misplaced(r, key);
	*at = i;
	return expect_colon(r, key);
}

/* The rowid that is no column, and the comma behind it. */
static int read_first(struct row_reader *r, int64_t *rowid, int *more)
{
	const struct row_name *n = &r->shape->rowid;
	struct row_slice key;

	*more = !token_is(r, '}');
	if (!*more) {
		r->name = n;
		return row_wrong(r, "is missing");
	}
	if (!token_is(r, '"'))
		return row_wrong(r,
				 "has something else where a key must stand");
	if (token_string(r, &key) < 0)
		return -1;
	r->name = n;
	if (key.size != n->name_size || memcmp(key.data, n->name, key.size))
		return row_wrong(r, "is not the first in the row");
	if (expect_colon(r, key) < 0 || read_rowid(r, rowid) < 0)
		return -1;
	r->name = NULL;
	*more = token_is(r, ',');
	if (!*more && !token_is(r, '}'))
		return row_wrong(r, "has something else where ',' or '}' must "
				    "stand");
	return 0;
}

static void set_nulls(struct value *values, size_t from, size_t to)
{
	for (; from < to; from++) {
		values[from].class = VALUE_NULL;
		values[from].integer = 0;
		values[from].data = NULL;
		values[from].size = 0;
	}
}

static int read_object(struct row_reader *r, int64_t *rowid,
		       struct value *values)
{
	const struct row_shape *s = r->shape;
	size_t next = 0, at;
	int more;

	if (!token_is(r, '{'))
		return row_wrong(r, "is no object");
	if (!s->separate)
		more = !token_is(r, '}');
	else if (read_first(r, rowid, &more) < 0)
		return -1;
	while (more) {
		at = next;
		if (read_key(r, &at) < 0)
			return -1;
		set_nulls(values, next, at);
		r->name = &s->names[at];
		if (read_value(r, &values[at], at) < 0)
			return -1;
		if (values[at].class == VALUE_NULL)
			return row_wrong(r, "is null, and must be left out");
		r->name = NULL;
		next = at + 1;
		more = token_is(r, ',');
		if (!more && !token_is(r, '}'))
			return row_wrong(r,
					 "has something else where ',' or '}' "
					 "must stand");
	}
	set_nulls(values, next, s->count);
	return 0;
}

static int read_array(struct row_reader *r, int64_t *rowid,
		      struct value *values)
{
	const struct row_shape *s = r->shape;
	size_t total = s->count + (size_t)s->separate, i;

	if (!token_is(r, '['))
		return row_wrong(r, "is no array");
	for (i = 0; i < total; i++) {
		if (i && !token_is(r, ','))
			return row_wrong(r, "has too few values");
		r->number = i + 1;
		if (s->separate && !i) {
			if (read_rowid(r, rowid) < 0)
				return -1;
		} else if (read_value(r, &values[i - (size_t)s->separate],
				      i - (size_t)s->separate) < 0) {
			return -1;
		}
		r->number = 0;
	}
	if (!token_is(r, ']'))
		return row_wrong(r, "has too many values");
	return 0;
}

/* The rowid where a column is it. */
static int take_rowid(struct row_reader *r, int64_t *rowid,
		      const struct value *values)
{
	const struct row_shape *s = r->shape;

	if (s->rowid_value == NO_VALUE)
		return 0;
	if (s->table->form_array)
		r->number = s->rowid_value + 1;
	else
		r->name = &s->names[s->rowid_value];
	if (values[s->rowid_value].class != VALUE_INTEGER)
		return row_wrong(r, "is the rowid, and no integer");
	*rowid = values[s->rowid_value].integer;
	return 0;
}

/* The buffer may have moved while it grew: pointers are set at the end. */
static void point_at_loaded(struct row_shape *s, struct value *values)
{
	size_t i;

	if (!s->loaded.size)
		return;
	for (i = 0; i < s->count; i++) {
		if (s->loaded_at[i] != NO_VALUE)
			values[i].data = s->loaded.data + s->loaded_at[i];
		s->loaded_at[i] = NO_VALUE;
	}
}

size_t row_shape_apart(const struct row_shape *s, const char **data)
{
	*data = s->loaded.size ? NULL : s->text.data;
	return s->text.size + s->loaded.size;
}

int row_decode(struct row_shape *s, const char *line, size_t size,
	       int64_t *rowid, struct value *values, struct row_files *files,
	       struct error *err)
{
	struct row_reader r = {
		s, line, line + size, size, files, err, NULL, 0
	};
	int rc;

	*rowid = 0;
	buffer_clear(&s->text);
	buffer_clear(&s->loaded);
	if (s->table->form_array)
		rc = read_array(&r, rowid, values);
	else
		rc = read_object(&r, rowid, values);
	point_at_loaded(s, values);
	if (rc < 0)
		return -1;
	token_skip_space(&r);
	if (r.p != r.end)
		return row_wrong(&r, "has something behind its end");
	return take_rowid(&r, rowid, values);
}
