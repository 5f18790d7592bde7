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

/* These write at `to`, where there is room; @return where they end. */

static char *put_key(char *to, const struct row_name *n)
{
	size_t i;

	memcpy(to, n->key, ROW_KEY_STEP);
	for (i = ROW_KEY_STEP; i < n->key_size; i += ROW_KEY_STEP)
		memcpy(to + i, n->key + i, ROW_KEY_STEP);
	return to + n->key_size;
}

static char *put_text(char *to, const char *text)
{
	size_t size = strlen(text);

	memcpy(to, text, size);
	return to + size;
}

static char *put_integer(char *to, int64_t x)
{
	uint64_t size = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
	int big = size >= PLAIN_LIMIT;

	if (big)
		to = put_text(to, "{\"$int\":\"");
	*to = '-';
	to = digits_put(to + (x < 0), size);
	return big ? put_text(to, "\"}") : to;
}

/* A number, or NULL for what is none. */
static inline char *put_number(char *to, const struct value *v)
{
	if (v->class == VALUE_INTEGER)
		return put_integer(to, v->integer);
	if (v->class == VALUE_REAL && isfinite(v->real))
		return to + real_format(to, v->real);
	return NULL;
}

/* These append, and make the room that they need. */

static void put_tagged(struct buffer *out, const char *tag,
		       const struct value *v)
{
	buffer_str(out, tag);
	text_base64(out, v->data, v->size);
	buffer_str(out, "\"}");
}

static int put_odd(struct buffer *out, const struct value *v, struct error *err)
{
	switch (v->class) {
	case VALUE_NULL:
	case VALUE_INTEGER: /* not here */
		buffer_str(out, "null");
		break;
	case VALUE_REAL:
		if (isnan(v->real))
			return error_set(err, ERROR_FAILED,
					 "a value is not a number (NaN), which "
					 "no database can store");
		buffer_str(out, v->real < 0 ? "{\"$real\":\"-inf\"}"
					    : "{\"$real\":\"inf\"}");
		break;
	case VALUE_TEXT:
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

static inline int put_other(struct buffer *out, const struct value *v,
			    struct error *err)
{
	if (v->class == VALUE_TEXT && !text_json_string(out, v->data, v->size))
		return 0;
	return put_odd(out, v, err);
}

int row_put_value(struct buffer *out, const struct value *v, struct error *err)
{
	char *to;

	if (buffer_reserve(out, ROW_VALUE_ROOM) < 0)
		return error_nomem(err);
	to = put_number(out->data + out->size, v);
	if (!to)
		return put_other(out, v, err);
	out->size = (size_t)(to - out->data);
	return 0;
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

/* Put what is no number into the line or, when it is too big for it, into
 * files. */
static inline int put_long(struct buffer *out, struct row_shape *s,
			   const struct value *v, size_t *inline_bytes,
			   struct row_files *files, struct error *err)
{
	if (v->class >= VALUE_TEXT && files) {
		if (v->size > VALUE_INLINE_MAX ||
		    v->size > ROW_INLINE_MAX - *inline_bytes)
			return put_file(out, s, v, files, err);
		*inline_bytes += v->size;
	}
	return put_other(out, v, err);
}

/* From where the line begins, `out` always has the room that its keys and
 * numbers take. */
static int put_line(struct buffer *out, struct row_shape *s, int64_t rowid,
		    const struct value *values, struct row_files *files,
		    struct error *err)
{
	int array = s->table->form_array;
	size_t inline_bytes = 0, begin = out->size, i;
	char *to, *number;

	if (buffer_reserve(out, s->room) < 0)
		return error_nomem(err);
	to = out->data + begin;
	if (s->separate)
		to = put_integer(put_key(to, &s->rowid), rowid);
	for (i = 0; i < s->count; i++) {
		if (values[i].class == VALUE_NULL && !array)
			continue;
		to = put_key(to, &s->names[i]);
		number = put_number(to, &values[i]);
		if (number) {
			to = number;
			continue;
		}
		out->size = (size_t)(to - out->data);
		if (put_long(out, s, &values[i], &inline_bytes, files, err) < 0)
			return -1;
		if (buffer_reserve(out, s->room) < 0)
			return error_nomem(err);
		to = out->data + out->size;
	}
	/* Each key came with its comma: the first one's is the bracket. */
	if (to == out->data + begin)
		to++;
	out->data[begin] = array ? '[' : '{';
	*to++ = array ? ']' : '}';
	*to++ = '\n';
	out->size = (size_t)(to - out->data);
	return 0;
}

int row_encode(struct buffer *out, struct row_shape *s, int64_t rowid,
	       const struct value *values, struct row_files *files,
	       struct error *err)
{
	size_t before = out->size;

	if (put_line(out, s, rowid, values, files, err) == 0)
		return 0;
	out->size = before;
	return -1;
}
