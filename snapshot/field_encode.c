/*
 * field_encode.c - from a column to a record's field
 */
#include "snapshot/field.h"

#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "snapshot/field_internal.h"
#include "snapshot/real.h"
#include "snapshot/text.h"

#define SHOWN_MAX 60 /* bytes of a value in a message */

static int holds(const struct value *v, const char *no, struct error *err)
{
	static const char *const kinds[] = {
		[VALUE_NULL] = "nothing", [VALUE_INTEGER] = "an integer",
		[VALUE_REAL] = "a real",  [VALUE_TEXT] = "text",
		[VALUE_TEXT16] = "text",  [VALUE_BLOB] = "a blob",
	};
	struct buffer shown = BUFFER_INIT;
	const char *text;

	if (v->class == VALUE_TEXT) {
		text_display(&shown, v->data, v->size, SHOWN_MAX);
		text = buffer_cstr(&shown);
		error_set(err, ERROR_FAILED, "holds '%s', which is no %s",
			  text ? text : "?", no);
	} else if (v->class == VALUE_INTEGER) {
		error_set(err, ERROR_FAILED, "holds %lld, which is no %s",
			  (long long)v->integer, no);
	} else {
		error_set(err, ERROR_FAILED, "holds %s, which is no %s",
			  kinds[v->class], no);
	}
	buffer_release(&shown);
	return -1;
}

static int put_text(const struct value *v, struct buffer *out,
		    struct error *err)
{
	if (v->class != VALUE_TEXT || text_json_string(out, v->data, v->size))
		return holds(v, "text", err);
	return 0;
}

static int put_integer(const struct value *v, struct buffer *out,
		       struct error *err)
{
	if (v->class != VALUE_INTEGER)
		return holds(v, "integer", err);
	buffer_printf(out, "%lld", (long long)v->integer);
	return 0;
}

static int put_real(const struct value *v, struct buffer *out,
		    struct error *err)
{
	char text[REAL_TEXT_SIZE];

	if (v->class == VALUE_INTEGER)
		return put_integer(v, out, err);
	if (v->class != VALUE_REAL)
		return holds(v, "number", err);
	if (isinf(v->real))
		buffer_str(out, v->real < 0 ? "\"-Infinity\"" : "\"Infinity\"");
	else
		buffer_add(out, text, real_format(text, v->real));
	return 0;
}

static int put_decimal(const struct value *v, struct buffer *out,
		       struct error *err)
{
	if ((v->class != VALUE_INTEGER && v->class != VALUE_REAL) ||
	    (v->class == VALUE_REAL && isinf(v->real)))
		return holds(v, "decimal", err);
	buffer_byte(out, '"');
	if (put_real(v, out, err) < 0)
		return -1;
	/* a decimal has as many digits as it has, and needs no ".0" */
	if (out->size > 2 && !memcmp(out->data + out->size - 2, ".0", 2))
		out->size -= 2;
	buffer_byte(out, '"');
	return 0;
}

static int put_moment(enum field_class class, const struct value *v, int utc,
		      struct buffer *out, struct error *err)
{
	int64_t n;
	int rc = -1;

	if (v->class == VALUE_TEXT)
		rc = class == FIELD_DATETIME
			     ? moment_parse(&n, v->data, v->size)
		     : class == FIELD_DATE
			     ? date_parse(&n, v->data, v->size)
			     : clock_parse_day(&n, v->data, v->size);
	if (rc < 0)
		return holds(v,
			     class == FIELD_DATETIME ? "date and time"
			     : class == FIELD_DATE   ? "date"
						     : "time",
			     err);
	buffer_byte(out, '"');
	if (class == FIELD_DATETIME)
		moment_put(out, n, 'T');
	else if (class == FIELD_DATE)
		date_put(out, n);
	else
		clock_put(out, n, 0);
	buffer_str(out, class == FIELD_DATETIME && utc ? "Z\"" : "\"");
	return 0;
}

static int put_uuid(const struct value *v, struct buffer *out,
		    struct error *err)
{
	size_t i;

	if (v->class != VALUE_TEXT || v->size != 32)
		return holds(v, "UUID", err);
	for (i = 0; i < 32; i++)
		if (!strchr("0123456789abcdef", v->data[i]) || !v->data[i])
			return holds(v, "UUID", err);
	buffer_byte(out, '"');
	for (i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			buffer_byte(out, '-');
		buffer_byte(out, v->data[i]);
	}
	buffer_byte(out, '"');
	return 0;
}

/* A record's pk may be any value, and reading it writes it in the one way. */
static int put_json(const struct value *v, struct record_reader *reader,
		    struct buffer *out, struct error *err)
{
	struct error why = ERROR_INIT;
	struct buffer text = BUFFER_INIT;
	struct record record;
	int rc;

	if (v->class != VALUE_TEXT)
		return holds(v, "JSON", err);
	buffer_str(&text, "{\"fields\":{},\"pk\":");
	buffer_add(&text, v->data, v->size);
	buffer_byte(&text, '}');
	rc = buffer_failed(&text) ? error_nomem(&why)
				  : record_from_json(reader, text.data,
						     text.size, &record, &why);
	if (why.code == ERROR_NOMEM)
		error_nomem(err);
	else if (rc < 0 || record.model.data)
		rc = holds(v, "JSON", err);
	else if (record.pk.data)
		buffer_add(out, record.pk.data, record.pk.size);
	else
		buffer_str(out, "null");
	buffer_release(&text);
	return rc;
}

static int put_any(const struct value *v, struct buffer *out, struct error *err)
{
	if (v->class == VALUE_TEXT)
		return put_text(v, out, err);
	return put_real(v, out, err);
}

static int put(enum field_class class, const struct value *v, int utc,
	       struct record_reader *json, struct buffer *out,
	       struct error *err)
{
	switch (class) {
	case FIELD_ANY:
		return put_any(v, out, err);
	case FIELD_BOOL:
		if (v->class != VALUE_INTEGER || v->integer >> 1)
			return holds(v, "boolean", err);
		buffer_str(out, v->integer ? "true" : "false");
		return 0;
	case FIELD_INTEGER:
	case FIELD_BIGINT:
		return put_integer(v, out, err);
	case FIELD_DURATION:
		if (v->class != VALUE_INTEGER)
			return holds(v, "duration", err);
		buffer_byte(out, '"');
		duration_put(out, v->integer);
		buffer_byte(out, '"');
		return 0;
	case FIELD_REAL:
		return put_real(v, out, err);
	case FIELD_DECIMAL:
		return put_decimal(v, out, err);
	case FIELD_DATETIME:
	case FIELD_DATE:
	case FIELD_TIME:
		return put_moment(class, v, utc, out, err);
	case FIELD_UUID:
		return put_uuid(v, out, err);
	case FIELD_JSON:
		return put_json(v, json, out, err);
	case FIELD_BLOB:
		if (v->class != VALUE_BLOB)
			return holds(v, "blob", err);
		buffer_byte(out, '"');
		text_base64(out, v->data, v->size);
		buffer_byte(out, '"');
		return 0;
	case FIELD_TEXT:
		return put_text(v, out, err);
	}
	return holds(v, "value", err);
}

int field_encode(enum field_class class, const struct value *v, int utc,
		 struct record_reader *json, struct buffer *out,
		 struct error *err)
{
	if (v->class == VALUE_NULL)
		buffer_str(out, "null");
	else if (put(class, v, utc, json, out, err) < 0)
		return -1;
	return buffer_failed(out) ? error_nomem(err) : 0;
}

/* ---- comparing ---- */

static int same_value(const struct value *a, const struct value *b)
{
	if (a->class != b->class)
		return 0;
	switch (a->class) {
	case VALUE_NULL:
		return 1;
	case VALUE_INTEGER:
		return a->integer == b->integer;
	case VALUE_REAL:
		/* -0.0 is 0.0: a REAL column has no other */
		return a->real == b->real;
	default:
		return a->size == b->size && !memcmp(a->data, b->data, a->size);
	}
}

int field_same(enum field_class class, struct json_piece a, struct json_piece b,
	       struct error *err)
{
	struct buffer x = BUFFER_INIT, y = BUFFER_INIT;
	struct error why = ERROR_INIT;
	struct value v, w;
	int rc;

	if (a.size == b.size && !memcmp(a.data, b.data, a.size))
		return 1;
	rc = field_decode(class, a, &x, &v, &why) == 0 &&
	     field_decode(class, b, &y, &w, &why) == 0 && same_value(&v, &w);
	if (why.code == ERROR_NOMEM)
		rc = error_nomem(err);
	buffer_release(&x);
	buffer_release(&y);
	return rc;
}
