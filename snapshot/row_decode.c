/*
 * row_decode.c - one line of JSON to one row
 *
 * A line that row_encode() wrote is read in one pass: keys are compared where
 * they must stand, strings without escapes are borrowed from the line.  What
 * others wrote with white space or with escapes takes the slower turns.
 * Nothing here recurses: a value is a scalar or one of a few fixed objects.
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/json_string.h"
#include "snapshot/real.h"
#include "snapshot/row_internal.h"
#include "snapshot/text.h"

#define NAME_SHOWN 200 /* bytes of a name in a message */

struct reader {
	struct row_shape *shape;
	const char *p, *end;
	size_t line_size;
	struct row_files *files;
	struct error *err;

	/* what is being read, for messages; neither: the row itself */
	const struct row_name *name;
	size_t number; /* place in an array, from 1 */
};

struct slice {
	const char *data;
	size_t size;
};

/* ---- trouble ---- */

/* Record `problem` of what is being read; @return -1 */
static int wrong(struct reader *r, const char *problem)
{
	struct buffer name = BUFFER_INIT;
	const char *text;

	if (r->name) {
		text_display(&name, r->name->name, r->name->name_size,
			     NAME_SHOWN);
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

/* The same of a key that the row has and should not. */
static int wrong_key(struct reader *r, struct slice key, const char *problem)
{
	struct row_name name = { key.data, key.size, NULL, 0 };

	r->name = &name;
	wrong(r, problem);
	r->name = NULL;
	return -1;
}

/* ---- tokens ---- */

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' ||
				 *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

/* @return 1 and step over it when the next token is `c`, else 0 */
static int next_is(struct reader *r, char c)
{
	skip_space(r);
	if (r->p == r->end || *r->p != c)
		return 0;
	r->p++;
	return 1;
}

/*
 * Room for decoded bytes.  Nothing decodes to more than its text, so room for
 * the line is room for all of it, and what was decoded never moves.
 */
static int reserve_text(struct reader *r)
{
	struct buffer *text = &r->shape->text;

	if (text->size)
		return 0;
	return buffer_reserve(text, r->line_size + 1) ? error_nomem(r->err) : 0;
}

/* The rest of a string with escapes; `begin` is where it began. */
static int read_escaped(struct reader *r, const char *begin, struct slice *out)
{
	struct buffer *text = &r->shape->text;
	size_t first = text->size;
	const char *problem;

	r->p = begin;
	if (reserve_text(r) < 0)
		return -1;
	problem = json_string_decode(text, &r->p, r->end);
	if (problem)
		return wrong(r, problem);
	out->data = text->data + first;
	out->size = text->size - first;
	return 0;
}

/* A string, whose opening quote is behind us. */
static int read_string(struct reader *r, struct slice *out)
{
	const char *begin = r->p;
	int high = 0;

	r->p = json_plain_end(begin, r->end, &high);
	if (r->p == r->end || *r->p != '"')
		return read_escaped(r, begin, out);
	out->data = begin;
	out->size = (size_t)(r->p - begin);
	r->p++;
	if (high && !text_is_utf8(out->data, out->size))
		return wrong(r, "has a string that is not UTF-8");
	return 0;
}

static int expect_string(struct reader *r, struct slice *out)
{
	if (!next_is(r, '"'))
		return wrong(r, "has no string where one must stand");
	return read_string(r, out);
}

static int slice_is(struct slice s, const char *text)
{
	return s.size == strlen(text) && !memcmp(s.data, text, s.size);
}

/* ---- numbers ---- */

/*
 * Decimal digits as row_encode() writes them: no '+', no leading zero, no
 * "-0".  @return where they end, or NULL when they are none or do not fit
 */
static const char *read_digits(const char *p, const char *end, int64_t *out)
{
	int negative = p < end && *p == '-';
	uint64_t x = 0, limit = (uint64_t)INT64_MAX + (uint64_t)negative;
	const char *begin;

	p += negative;
	for (begin = p; p < end && *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (x > (limit - digit) / 10)
			return NULL;
		x = x * 10 + digit;
	}
	if (p == begin || (*begin == '0' && (p - begin > 1 || negative)))
		return NULL;
	*out = negative ? (int64_t)(0 - x) : (int64_t)x;
	return p;
}

static int is_plain(int64_t x)
{
	return x < PLAIN_LIMIT && x > -PLAIN_LIMIT;
}

static int in_number(char c)
{
	return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' ||
	       c == '+' || c == '-';
}

static int read_number(struct reader *r, struct value *v)
{
	const char *begin = r->p,
		   *stop = read_digits(begin, r->end, &v->integer);
	int real = 0;

	if (stop && (stop == r->end || !in_number(*stop))) {
		if (!is_plain(v->integer))
			return wrong(r, "is an integer of 2^53 or more, which "
					"must be written as '$int'");
		v->class = VALUE_INTEGER;
		r->p = stop;
		return 0;
	}
	for (; r->p < r->end && in_number(*r->p); r->p++)
		real |= *r->p == '.' || *r->p == 'e' || *r->p == 'E';
	if (!real)
		return wrong(r, "is no integer that can be read");
	if (real_parse(&v->real, begin, (size_t)(r->p - begin)) < 0)
		return wrong(r, "is no number that can be read");
	v->class = VALUE_REAL;
	return 0;
}

/* ---- tagged values ---- */

static int read_int_tag(struct reader *r, struct value *v)
{
	struct slice s;

	if (expect_string(r, &s) < 0)
		return -1;
	if (read_digits(s.data, s.data + s.size, &v->integer) !=
	    s.data + s.size)
		return wrong(r, "has an '$int' that is no 64-bit integer");
	if (is_plain(v->integer))
		return wrong(r, "has an '$int' below 2^53, which must be a "
				"plain number");
	v->class = VALUE_INTEGER;
	return 0;
}

static int read_real_tag(struct reader *r, struct value *v)
{
	struct slice s;

	if (expect_string(r, &s) < 0)
		return -1;
	if (slice_is(s, "inf"))
		v->real = INFINITY;
	else if (slice_is(s, "-inf"))
		v->real = -INFINITY;
	else
		return wrong(r, "has a '$real' that is neither 'inf' nor "
				"'-inf'");
	v->class = VALUE_REAL;
	return 0;
}

static int read_base64(struct reader *r, struct value *v,
		       enum value_class class)
{
	struct buffer *text = &r->shape->text;
	struct slice s;
	size_t used;
	char *to;

	if (expect_string(r, &s) < 0)
		return -1;
	v->class = class;
	v->data = "";
	v->size = 0;
	if (!s.size)
		return 0;
	if (reserve_text(r) < 0)
		return -1;
	/*
	 * A string with escapes lies in `text` already, where there may be no
	 * room for both: it is decoded onto itself.
	 */
	if (s.data >= text->data && s.data < text->data + text->size)
		text->size = (size_t)(s.data - text->data);
	to = text->data + text->size;
	if (base64_decode((unsigned char *)to, &used, s.data, s.size) < 0)
		return wrong(r, "has bytes that are not canonical base64");
	v->data = to;
	v->size = used;
	text->size += used;
	return 0;
}

/* Text that has a string's form must have it: one value, one line. */
static int read_text_tag(struct reader *r, struct value *v)
{
	if (read_base64(r, v, VALUE_TEXT) < 0)
		return -1;
	if (text_is_utf8(v->data, v->size))
		return wrong(r, "has a '$text' that is UTF-8, which must be a "
				"plain string");
	return 0;
}

/* ---- values in part files ---- */

static int expect_key(struct reader *r, char before, const char *key)
{
	struct slice s;

	if (!next_is(r, before) || !next_is(r, '"') || read_string(r, &s) < 0 ||
	    !slice_is(s, key) || !next_is(r, ':'))
		return wrong(r, "has a '$file' that does not read class, "
				"bytes, sha256, parts");
	return 0;
}

static int read_class(struct reader *r, struct value *v)
{
	struct slice s;

	if (expect_key(r, '{', "class") < 0 || expect_string(r, &s) < 0)
		return -1;
	if (slice_is(s, "blob"))
		v->class = VALUE_BLOB;
	else if (slice_is(s, "text"))
		v->class = VALUE_TEXT;
	else if (slice_is(s, "text16"))
		v->class = VALUE_TEXT16;
	else
		return wrong(r, "has a '$file' of an unknown class");
	return 0;
}

static int read_bytes(struct reader *r, size_t *size)
{
	const char *stop;
	int64_t bytes;

	if (expect_key(r, ',', "bytes") < 0)
		return -1;
	skip_space(r);
	stop = read_digits(r->p, r->end, &bytes);
	if (!stop || bytes < 1 || bytes > ROW_VALUE_MAX)
		return wrong(r, "has a '$file' of a size that cannot be");
	r->p = stop;
	*size = (size_t)bytes;
	return 0;
}

static int read_digest(struct reader *r, unsigned char *digest)
{
	struct slice s;

	if (expect_key(r, ',', "sha256") < 0 || expect_string(r, &s) < 0)
		return -1;
	if (s.size != 2 * HASH_SHA256_SIZE ||
	    hex_decode(digest, s.data, HASH_SHA256_SIZE) < 0)
		return wrong(r, "has a '$file' whose sha256 is not 64 "
				"lower-case hex digits");
	return 0;
}

/* The parts' names follow from digest and size: so a row cannot point at any
 * other file. */
static int read_parts(struct reader *r, const unsigned char *digest,
		      size_t size)
{
	size_t parts = row_part_count(size), i;
	char path[ROW_PART_PATH_SIZE];
	struct slice s;

	if (expect_key(r, ',', "parts") < 0)
		return -1;
	for (i = 0; i < parts; i++) {
		row_part_path(path, digest, (unsigned int)i);
		if (!next_is(r, i ? ',' : '[') || !next_is(r, '"'))
			return wrong(r, "has a '$file' with too few parts");
		if (read_string(r, &s) < 0)
			return -1;
		if (!slice_is(s, path))
			return wrong(r, "has a '$file' with a part that is not "
					"where its sha256 puts it");
	}
	if (!next_is(r, ']') || !next_is(r, '}'))
		return wrong(r, "has a '$file' with too much in it");
	return 0;
}

static int load(struct reader *r, const unsigned char *digest, size_t size,
		size_t index)
{
	struct row_shape *s = r->shape;
	unsigned char found[HASH_SHA256_SIZE];
	size_t at = s->loaded.size;

	if (!r->files)
		return wrong(r, "lies in part files, and there are none here");
	if (r->files->load(r->files, digest, size, &s->loaded, r->err) < 0)
		return -1;
	if (buffer_failed(&s->loaded))
		return error_nomem(r->err);
	if (s->loaded.size - at != size)
		return wrong(r, "has part files of another size");
	hasher_reset(s->sha256);
	hasher_add(s->sha256, s->loaded.data + at, size);
	hasher_final(s->sha256, found);
	if (memcmp(found, digest, sizeof(found)) != 0)
		return wrong(r, "has part files whose sha256 differs");
	s->loaded_at[index] = at;
	return 0;
}

static int read_file_tag(struct reader *r, struct value *v, size_t index)
{
	unsigned char digest[HASH_SHA256_SIZE];

	if (read_class(r, v) < 0 || read_bytes(r, &v->size) < 0 ||
	    read_digest(r, digest) < 0 || read_parts(r, digest, v->size) < 0)
		return -1;
	return load(r, digest, v->size, index);
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

/* ---- values ---- */

static int unknown_tag(struct reader *r, struct slice tag)
{
	struct buffer problem = BUFFER_INIT;
	const char *text;

	buffer_str(&problem, "has the unknown tag '");
	text_display(&problem, tag.data, tag.size, NAME_SHOWN);
	buffer_str(&problem, "'; a newer dbstow may know it");
	text = buffer_cstr(&problem);
	wrong(r, text ? text : "has an unknown tag");
	buffer_release(&problem);
	return -1;
}

/* An object, whose bracket is behind us. */
static int read_tagged(struct reader *r, struct value *v, size_t index)
{
	struct slice tag;
	int rc;

	if (!next_is(r, '"'))
		return wrong(r, "has an object without a tag");
	if (read_string(r, &tag) < 0)
		return -1;
	if (!next_is(r, ':'))
		return wrong(r, "has a tag without a value");
	if (slice_is(tag, "$blob"))
		rc = read_base64(r, v, VALUE_BLOB);
	else if (slice_is(tag, "$int"))
		rc = read_int_tag(r, v);
	else if (slice_is(tag, "$real"))
		rc = read_real_tag(r, v);
	else if (slice_is(tag, "$text"))
		rc = read_text_tag(r, v);
	else if (slice_is(tag, "$text16"))
		rc = read_base64(r, v, VALUE_TEXT16);
	else if (slice_is(tag, "$file"))
		rc = read_file_tag(r, v, index);
	else
		rc = unknown_tag(r, tag);
	if (!rc && !next_is(r, '}'))
		rc = wrong(r, "has more than one tag");
	return rc;
}

/* `index` is the value's place in the row; the rowid has none. */
static int read_value(struct reader *r, struct value *v, size_t index)
{
	struct slice s;

	skip_space(r);
	v->class = VALUE_NULL;
	v->integer = 0;
	v->data = NULL;
	v->size = 0;
	if (r->p == r->end)
		return wrong(r, "has no value");
	if (*r->p == '"') {
		r->p++;
		if (read_string(r, &s) < 0)
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
		return read_tagged(r, v, index);
	}
	if (r->end - r->p >= 4 && !memcmp(r->p, "null", 4)) {
		r->p += 4;
		return 0;
	}
	return wrong(r, "has a value of a kind that no row holds");
}

static int read_rowid(struct reader *r, int64_t *rowid)
{
	struct value v;

	if (read_value(r, &v, r->shape->count) < 0)
		return -1;
	if (v.class != VALUE_INTEGER)
		return wrong(r, "is no integer");
	*rowid = v.integer;
	return 0;
}

/* ---- rows ---- */

static int expect_colon(struct reader *r, struct slice key)
{
	if (!next_is(r, ':'))
		return wrong_key(r, key, "has no ':' behind it");
	return 0;
}

/* A key that is not the next column's: it stands elsewhere or nowhere. */
static int misplaced(struct reader *r, struct slice key)
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

/* Read a key with its colon; `*at` is the column that could be next and
 * receives the one that it is. */
static int read_key(struct reader *r, size_t *at)
{
	const struct row_shape *s = r->shape;
	const struct row_name *n = &s->names[*at];
	struct slice key;
	size_t i;

	skip_space(r);
	if (*at < s->count && (size_t)(r->end - r->p) >= n->key_size - 1 &&
	    !memcmp(r->p, n->key + 1, n->key_size - 1)) {
		r->p += n->key_size - 1;
		return 0;
	}
	if (!next_is(r, '"'))
		return wrong(r, "has something else where a key must stand");
	if (read_string(r, &key) < 0)
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
static int read_first(struct reader *r, int64_t *rowid, int *more)
{
	const struct row_name *n = &r->shape->rowid;
	struct slice key;

	*more = !next_is(r, '}');
	if (!*more) {
		r->name = n;
		return wrong(r, "is missing");
	}
	if (!next_is(r, '"'))
		return wrong(r, "has something else where a key must stand");
	if (read_string(r, &key) < 0)
		return -1;
	r->name = n;
	if (key.size != n->name_size || memcmp(key.data, n->name, key.size))
		return wrong(r, "is not the first in the row");
	if (expect_colon(r, key) < 0 || read_rowid(r, rowid) < 0)
		return -1;
	r->name = NULL;
	*more = next_is(r, ',');
	if (!*more && !next_is(r, '}'))
		return wrong(r, "has something else where ',' or '}' must "
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

static int read_object(struct reader *r, int64_t *rowid, struct value *values)
{
	const struct row_shape *s = r->shape;
	size_t next = 0, at;
	int more;

	if (!next_is(r, '{'))
		return wrong(r, "is no object");
	if (!s->separate)
		more = !next_is(r, '}');
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
			return wrong(r, "is null, and must be left out");
		r->name = NULL;
		next = at + 1;
		more = next_is(r, ',');
		if (!more && !next_is(r, '}'))
			return wrong(r, "has something else where ',' or '}' "
					"must stand");
	}
	set_nulls(values, next, s->count);
	return 0;
}

static int read_array(struct reader *r, int64_t *rowid, struct value *values)
{
	const struct row_shape *s = r->shape;
	size_t total = s->count + (size_t)s->separate, i;

	if (!next_is(r, '['))
		return wrong(r, "is no array");
	for (i = 0; i < total; i++) {
		if (i && !next_is(r, ','))
			return wrong(r, "has too few values");
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
	if (!next_is(r, ']'))
		return wrong(r, "has too many values");
	return 0;
}

/* The rowid where a column is it. */
static int take_rowid(struct reader *r, int64_t *rowid,
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
		return wrong(r, "is the rowid, and no integer");
	*rowid = values[s->rowid_value].integer;
	return 0;
}

int row_decode(struct row_shape *s, const char *line, size_t size,
	       int64_t *rowid, struct value *values, struct row_files *files,
	       struct error *err)
{
	struct reader r = { s, line, line + size, size, files, err, NULL, 0 };
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
	skip_space(&r);
	if (r.p != r.end)
		return wrong(&r, "has something behind its end");
	return take_rowid(&r, rowid, values);
}
