/*
 * row_encode.c - one row to one line of JSON
 *
 *   {"rowid":5,"id":1,"name":"x","price":9.5}     NULLs are left out
 *   [5,1,"x",9.5,null]                            in array form
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/digits_internal.h"
#include "snapshot/real.h"
#include "snapshot/row_internal.h"
#include "snapshot/text.h"

/* Room that a value takes beside its text or bytes, with what stands in front
 * of it but its key: the longest is {"$int":"-9223372036854775808"} */
#define VALUE_ROOM 64

/* Have room for a key and for VALUE_ROOM; @return 0 or -1 */
static inline int make_room(struct buffer *out, const struct row_name *n)
{
	return buffer_reserve(out, n->key_size + ROW_KEY_STEP + VALUE_ROOM);
}

/* These write into room that is there. */

static void put_key(struct buffer *out, const struct row_name *n)
{
	char *to = out->data + out->size;
	size_t i;

	for (i = 0; i < n->key_size; i += ROW_KEY_STEP)
		memcpy(to + i, n->key + i, ROW_KEY_STEP);
	out->size += n->key_size;
}

static char *put_text(char *to, const char *text)
{
	size_t size = strlen(text);

	memcpy(to, text, size);
	return to + size;
}

static void put_integer(struct buffer *out, int64_t x)
{
	int big = x >= PLAIN_LIMIT || x <= -PLAIN_LIMIT;
	char *to = out->data + out->size;

	if (big)
		to = put_text(to, "{\"$int\":\"");
	if (x < 0)
		*to++ = '-';
	to = digits_put(to, x < 0 ? 0 - (uint64_t)x : (uint64_t)x);
	if (big)
		to = put_text(to, "\"}");
	out->size = (size_t)(to - out->data);
}

static int put_real(struct buffer *out, double x, struct error *err)
{
	char *to = out->data + out->size;

	if (isnan(x))
		return error_set(err, ERROR_FAILED,
				 "a value is not a number (NaN), which no "
				 "database can store");
	if (isinf(x))
		out->size +=
			(size_t)(put_text(to, x < 0 ? "{\"$real\":\"-inf\"}"
						    : "{\"$real\":\"inf\"}") -
				 to);
	else
		out->size += real_format(to, x);
	return 0;
}

/* These make the room that they need. */

static void put_tagged(struct buffer *out, const char *tag,
		       const struct value *v)
{
	buffer_str(out, tag);
	text_base64(out, v->data, v->size);
	buffer_str(out, "\"}");
}

/* A value, for which there is VALUE_ROOM. */
static int put_small(struct buffer *out, const struct value *v,
		     struct error *err)
{
	switch (v->class) {
	case VALUE_NULL:
		buffer_str(out, "null");
		break;
	case VALUE_INTEGER:
		put_integer(out, v->integer);
		break;
	case VALUE_REAL:
		return put_real(out, v->real, err);
	case VALUE_TEXT:
		if (text_json_string(out, v->data, v->size))
			put_tagged(out, "{\"$text\":\"", v);
		break;
	case VALUE_TEXT16:
		put_tagged(out, "{\"$text16\":\"", v);
		break;
	case VALUE_BLOB:
		put_tagged(out, "{\"$blob\":\"", v);
		break;
	}
	return 0;
}

int row_put_value(struct buffer *out, const struct value *v, struct error *err)
{
	if (buffer_reserve(out, VALUE_ROOM) < 0)
		return error_nomem(err);
	return put_small(out, v, err);
}

static int put_file(struct buffer *out, struct row_shape *s,
		    const struct value *v, struct row_files *files,
		    struct error *err)
{
	const char *class = v->class == VALUE_BLOB   ? "blob"
			    : v->class == VALUE_TEXT ? "text"
						     : "text16";
	unsigned char digest[HASH_SHA256_SIZE];
	char hex[2 * HASH_SHA256_SIZE + 1], path[ROW_PART_PATH_SIZE];
	size_t parts = row_part_count(v->size), i;

	hasher_reset(s->sha256);
	hasher_add(s->sha256, v->data, v->size);
	hasher_final(s->sha256, digest);
	if (files->store(files, v, digest, err) < 0)
		return -1;
	hex_encode(hex, digest, sizeof(digest));
	buffer_printf(out,
		      "{\"$file\":{\"class\":\"%s\",\"bytes\":%zu,"
		      "\"sha256\":\"%s\",\"parts\":[",
		      class, v->size, hex);
	for (i = 0; i < parts; i++) {
		row_part_path(path, digest, (unsigned int)i);
		buffer_printf(out, "%s\"%s\"", i ? "," : "", path);
	}
	buffer_str(out, "]}}");
	return 0;
}

/* Put a value into the line or, when it is too big for it, into files. */
static int put_value(struct buffer *out, struct row_shape *s,
		     const struct value *v, size_t *inline_bytes,
		     struct row_files *files, struct error *err)
{
	if (v->class >= VALUE_TEXT && files) {
		if (v->size > VALUE_INLINE_MAX ||
		    v->size > ROW_INLINE_MAX - *inline_bytes)
			return put_file(out, s, v, files, err);
		*inline_bytes += v->size;
	}
	return put_small(out, v, err);
}

static int put_object(struct buffer *out, struct row_shape *s, int64_t rowid,
		      const struct value *values, struct row_files *files,
		      struct error *err)
{
	size_t inline_bytes = 0, begin = out->size, i;

	if (s->separate) {
		if (make_room(out, &s->rowid) < 0)
			return error_nomem(err);
		put_key(out, &s->rowid);
		put_integer(out, rowid);
	}
	for (i = 0; i < s->count; i++) {
		if (values[i].class == VALUE_NULL)
			continue;
		if (make_room(out, &s->names[i]) < 0)
			return error_nomem(err);
		put_key(out, &s->names[i]);
		if (put_value(out, s, &values[i], &inline_bytes, files, err) <
		    0)
			return -1;
	}
	/* Each key came with its comma: the first one's is the bracket. */
	if (out->size == begin)
		buffer_byte(out, '{');
	else
		out->data[begin] = '{';
	buffer_byte(out, '}');
	return 0;
}

static int put_array(struct buffer *out, struct row_shape *s, int64_t rowid,
		     const struct value *values, struct row_files *files,
		     struct error *err)
{
	size_t inline_bytes = 0, i;

	if (buffer_reserve(out, VALUE_ROOM) < 0)
		return error_nomem(err);
	buffer_byte(out, '[');
	if (s->separate)
		put_integer(out, rowid);
	for (i = 0; i < s->count; i++) {
		if (buffer_reserve(out, VALUE_ROOM) < 0)
			return error_nomem(err);
		if (i || s->separate)
			buffer_byte(out, ',');
		if (put_value(out, s, &values[i], &inline_bytes, files, err) <
		    0)
			return -1;
	}
	buffer_byte(out, ']');
	return 0;
}

int row_encode(struct buffer *out, struct row_shape *s, int64_t rowid,
	       const struct value *values, struct row_files *files,
	       struct error *err)
{
	size_t before = out->size;
	int rc;

	if (s->table->form_array)
		rc = put_array(out, s, rowid, values, files, err);
	else
		rc = put_object(out, s, rowid, values, files, err);
	buffer_byte(out, '\n');
	if (!rc && buffer_failed(out))
		rc = error_nomem(err);
	if (rc < 0)
		out->size = before;
	return rc;
}
