/*
 * row_tags.c - values that are objects: {"$int":"..."}, {"$blob":"..."} ...
 */
#include <math.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "snapshot/row_tokens_internal.h"

static int read_int_tag(struct row_reader *r, struct value *v)
{
	struct row_slice s;

	if (token_expect_string(r, &s) < 0)
		return -1;
	if (token_digits(s.data, s.data + s.size, &v->integer) !=
	    s.data + s.size)
		return row_wrong(r, "has an '$int' that is no 64-bit integer");
	if (token_is_plain(v->integer))
		return row_wrong(r, "has an '$int' below 2^53, which must be a "
				    "plain number");
	v->class = VALUE_INTEGER;
	return 0;
}

static int read_real_tag(struct row_reader *r, struct value *v)
{
	struct row_slice s;

	if (token_expect_string(r, &s) < 0)
		return -1;
	if (row_slice_is(s, "inf"))
		v->real = INFINITY;
	else if (row_slice_is(s, "-inf"))
		v->real = -INFINITY;
	else
		return row_wrong(r, "has a '$real' that is neither 'inf' nor "
				    "'-inf'");
	v->class = VALUE_REAL;
	return 0;
}

static int read_base64(struct row_reader *r, struct value *v,
		       enum value_class class)
{
	struct buffer *text = &r->shape->text;
	struct row_slice s;
	size_t used;
	char *to;

	if (token_expect_string(r, &s) < 0)
		return -1;
	v->class = class;
	v->data = "";
	v->size = 0;
	if (!s.size)
		return 0;
	if (row_reserve_text(r) < 0)
		return -1;
	/*
	 * A string with escapes lies in `text` already, where there may be no
	 * room for both: it is decoded onto itself.
	 */
	if (s.data >= text->data && s.data < text->data + text->size)
		text->size = (size_t)(s.data - text->data);
	to = text->data + text->size;
	if (base64_decode((unsigned char *)to, &used, s.data, s.size) < 0)
		return row_wrong(r, "has bytes that are not canonical base64");
	v->data = to;
	v->size = used;
	text->size += used;
	return 0;
}

/* Text that has a string's form must have it: one value, one line. */
static int read_text_tag(struct row_reader *r, struct value *v)
{
	if (read_base64(r, v, VALUE_TEXT) < 0)
		return -1;
	if (text_is_utf8(v->data, v->size))
		return row_wrong(r,
				 "has a '$text' that is UTF-8, which must be a "
				 "plain string");
	return 0;
}

/* ---- values in part files ---- */

static int expect_key(struct row_reader *r, char before, const char *key)
{
	struct row_slice s;

	if (!token_is(r, before) || !token_is(r, '"') ||
	    token_string(r, &s) < 0 || !row_slice_is(s, key) ||
	    !token_is(r, ':'))
		return row_wrong(r, "has a '$file' that does not read class, "
				    "bytes, sha256, parts");
	return 0;
}

static int read_class(struct row_reader *r, struct value *v)
{
	struct row_slice s;

	if (expect_key(r, '{', "class") < 0 || token_expect_string(r, &s) < 0)
		return -1;
	if (row_slice_is(s, "blob"))
		v->class = VALUE_BLOB;
	else if (row_slice_is(s, "text"))
		v->class = VALUE_TEXT;
	else if (row_slice_is(s, "text16"))
		v->class = VALUE_TEXT16;
	else
		return row_wrong(r, "has a '$file' of an unknown class");
	return 0;
}

static int read_bytes(struct row_reader *r, size_t *size)
{
	const char *stop;
	int64_t bytes;

	if (expect_key(r, ',', "bytes") < 0)
		return -1;
	token_skip_space(r);
	stop = token_digits(r->p, r->end, &bytes);
	if (!stop || bytes < 1 || bytes > ROW_VALUE_MAX)
		return row_wrong(r, "has a '$file' of a size that cannot be");
	r->p = stop;
	*size = (size_t)bytes;
	return 0;
}

static int read_digest(struct row_reader *r, unsigned char *digest)
{
	struct row_slice s;

	if (expect_key(r, ',', "sha256") < 0 || token_expect_string(r, &s) < 0)
		return -1;
	if (s.size != 2 * HASH_SHA256_SIZE ||
	    hex_decode(digest, s.data, HASH_SHA256_SIZE) < 0)
		return row_wrong(r, "has a '$file' whose sha256 is not 64 "
				    "lower-case hex digits");
	return 0;
}

/* The parts' names follow from digest and size: so a row cannot point at any
 * other file. */
static int read_parts(struct row_reader *r, const unsigned char *digest,
		      size_t size)
{
	size_t parts = row_part_count(size), i;
	char path[ROW_PART_PATH_SIZE];
	struct row_slice s;

	if (expect_key(r, ',', "parts") < 0)
		return -1;
	for (i = 0; i < parts; i++) {
		row_part_path(path, digest, (unsigned int)i);
		if (!token_is(r, i ? ',' : '[') || !token_is(r, '"'))
			return row_wrong(r, "has a '$file' with too few parts");
		if (token_string(r, &s) < 0)
			return -1;
		if (!row_slice_is(s, path))
			return row_wrong(
				r, "has a '$file' with a part that is not "
				   "where its sha256 puts it");
	}
	if (!token_is(r, ']') || !token_is(r, '}'))
		return row_wrong(r, "has a '$file' with too much in it");
	return 0;
}

static int load(struct row_reader *r, const unsigned char *digest, size_t size,
		size_t index)
{
	struct row_shape *s = r->shape;
	unsigned char found[HASH_SHA256_SIZE];
	size_t at = s->loaded.size;

	if (!r->files)
		return row_wrong(r,
				 "lies in part files, and there are none here");
	if (r->files->load(r->files, digest, size, &s->loaded, r->err) < 0)
		return -1;
	if (buffer_failed(&s->loaded))
		return error_nomem(r->err);
	if (s->loaded.size - at != size)
		return row_wrong(r, "has part files of another size");
	hasher_reset(s->sha256);
	hasher_add(s->sha256, s->loaded.data + at, size);
	hasher_final(s->sha256, found);
	if (memcmp(found, digest, sizeof(found)) != 0)
		return row_wrong(r, "has part files whose sha256 differs");
	s->loaded_at[index] = at;
	return 0;
}

static int read_file_tag(struct row_reader *r, struct value *v, size_t index)
{
	unsigned char digest[HASH_SHA256_SIZE];

	if (read_class(r, v) < 0 || read_bytes(r, &v->size) < 0 ||
	    read_digest(r, digest) < 0 || read_parts(r, digest, v->size) < 0)
		return -1;
	return load(r, digest, v->size, index);
}

/* ---- any of them ---- */

static int unknown_tag(struct row_reader *r, struct row_slice tag)
{
	struct buffer problem = BUFFER_INIT;
	const char *text;

	buffer_str(&problem, "has the unknown tag '");
	text_display(&problem, tag.data, tag.size, ROW_NAME_SHOWN);
	buffer_str(&problem, "'; a newer dbstow may know it");
	text = buffer_cstr(&problem);
	row_wrong(r, text ? text : "has an unknown tag");
	buffer_release(&problem);
	return -1;
}

int row_read_tagged(struct row_reader *r, struct value *v, size_t index)
{
	struct row_slice tag;
	int rc;

	if (!token_is(r, '"'))
		return row_wrong(r, "has an object without a tag");
	if (token_string(r, &tag) < 0)
		return -1;
	if (!token_is(r, ':'))
		return row_wrong(r, "has a tag without a value");
	if (row_slice_is(tag, "$blob"))
		rc = read_base64(r, v, VALUE_BLOB);
	else if (row_slice_is(tag, "$int"))
		rc = read_int_tag(r, v);
	else if (row_slice_is(tag, "$real"))
		rc = read_real_tag(r, v);
	else if (row_slice_is(tag, "$text"))
		rc = read_text_tag(r, v);
	else if (row_slice_is(tag, "$text16"))
		rc = read_base64(r, v, VALUE_TEXT16);
	else if (row_slice_is(tag, "$file"))
		rc = read_file_tag(r, v, index);
	else
		rc = unknown_tag(r, tag);
	if (!rc && !token_is(r, '}'))
		rc = row_wrong(r, "has more than one tag");
	return rc;
}
