/*
 * field.c - fields of records and columns, either way
 */
#include "snapshot/field.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/error.h"
#include "snapshot/field_internal.h"
#include "snapshot/real.h"
#include "snapshot/text.h"

#define SHOWN_MAX 60 /* bytes of a value in a message */
#define UUID_SIZE 32
#define UUID_TEXT 36

/* ---- classes ---- */

static const struct {
	const char *name, *what;
} classes[] = {
	[FIELD_ANY] = { "any", "value" },
	[FIELD_BOOL] = { "bool", "boolean" },
	[FIELD_INTEGER] = { "integer", "integer" },
	[FIELD_BIGINT] = { "bigint", "integer and no duration" },
	[FIELD_DURATION] = { "duration", "duration" },
	[FIELD_REAL] = { "real", "number" },
	[FIELD_DECIMAL] = { "decimal", "decimal" },
	[FIELD_DATETIME] = { "datetime", "date and time" },
	[FIELD_DATE] = { "date", "date" },
	[FIELD_TIME] = { "time", "time" },
	[FIELD_UUID] = { "uuid", "UUID" },
	[FIELD_JSON] = { "json", "JSON" },
	[FIELD_BLOB] = { "blob", "base64" },
	[FIELD_TEXT] = { "text", "text" },
};

#define CLASS_COUNT (sizeof(classes) / sizeof(classes[0]))

int field_class_named(enum field_class *out, const char *name)
{
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		if (strcmp(classes[i].name, name))
			continue;
		*out = (enum field_class)i;
		return 0;
	}
	return -1;
}

/* What Django's SQLite backend declares; sizes may be behind some of them. */
enum field_class field_class_of(const char *type)
{
	static const struct {
		const char *begin;
		enum field_class class;
	} types[] = {
		{ "char(32)", FIELD_UUID },     { "bigint", FIELD_BIGINT },
		{ "integer", FIELD_INTEGER },   { "smallint", FIELD_INTEGER },
		{ "int", FIELD_INTEGER },       { "bool", FIELD_BOOL },
		{ "datetime", FIELD_DATETIME }, { "date", FIELD_DATE },
		{ "time", FIELD_TIME },         { "decimal", FIELD_DECIMAL },
		{ "real", FIELD_REAL },         { "double", FIELD_REAL },
		{ "float", FIELD_REAL },        { "blob", FIELD_BLOB },
		{ "varchar", FIELD_TEXT },      { "char", FIELD_TEXT },
		{ "text", FIELD_TEXT },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t size = strlen(types[i].begin);

		if (strncasecmp(type, types[i].begin, size))
			continue;
		/* "timestamp" is none of them */
		if (type[size] == '\0' || type[size] == ' ' ||
		    type[size] == '(' || (type[size] == 'e' && size == 4))
			return types[i].class;
	}
	return FIELD_ANY;
}

/* ---- from a record ---- */

static void show(char out[4 * SHOWN_MAX + 8], const char *data, size_t size)
{
	struct buffer b = BUFFER_INIT;
	const char *text;

	text_display(&b, data, size, SHOWN_MAX);
	text = buffer_cstr(&b);
	snprintf(out, 4 * SHOWN_MAX + 8, "%s", text ? text : "?");
	buffer_release(&b);
}

static int unfit(enum field_class class, const char *data, size_t size,
		 struct error *err)
{
	char shown[4 * SHOWN_MAX + 8];

	show(shown, data, size);
	return error_set(err, ERROR_FAILED, "'%s' is no %s", shown,
			 classes[class].what);
}

static void be_text(struct value *out, enum value_class class,
		    const struct buffer *text)
{
	out->class = class;
	out->data = text->data ? text->data : "";
	out->size = text->size;
}

/* Strings as json.dumps() of Python writes them: all in ASCII. */
static void put_python_string(struct buffer *out, const char *p, size_t size)
{
	static const char letters[] = "\"\\\b\f\n\r\t", marks[] = "\"\\bfnrt";
	struct buffer wide = BUFFER_INIT;
	const char *at;

	text_to_utf16(&wide, p, size, 1);
	buffer_byte(out, '"');
	for (size_t i = 0; i + 1 < wide.size; i += 2) {
		unsigned int unit = (unsigned int)(unsigned char)wide.data[i]
					    << 8 |
				    (unsigned char)wide.data[i + 1];

		at = unit && unit < 0x7f ? strchr(letters, (int)unit) : NULL;
		if (at)
			buffer_printf(out, "\\%c", marks[at - letters]);
		else if (unit < 0x20 || unit >= 0x7f)
			buffer_printf(out, "\\u%04x", unit);
		else
			buffer_byte(out, (char)unit);
	}
	buffer_byte(out, '"');
	if (buffer_failed(&wide))
		out->failed = 1;
	buffer_release(&wide);
}

/* Where the string at `p` ends. */
static const char *string_end(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		p += *p == '\\';
	return p + 1;
}

/* As json.dumps() of Python has it; numbers stay as they are. */
static void put_python_json(struct buffer *out, struct json_piece json)
{
	const char *p = json.data, *end = p + json.size;
	struct buffer string = BUFFER_INIT;

	while (p < end) {
		const char *stop = p + 1;

		if (*p == '"') {
			stop = string_end(p, end);
			buffer_clear(&string);
			json_piece_text(
				&string,
				(struct json_piece){ p, (size_t)(stop - p) });
			put_python_string(out, string.data, string.size);
			if (buffer_failed(&string))
				out->failed = 1;
		} else {
			buffer_byte(out, *p);
			if (*p == ',' || *p == ':')
				buffer_byte(out, ' ');
		}
		p = stop;
	}
	buffer_release(&string);
}

/* UUIDs are kept as 32 digits. */
static int decode_uuid(struct buffer *text)
{
	size_t digits = 0;

	if (text->size != UUID_SIZE && text->size != UUID_TEXT)
		return -1;
	for (size_t i = 0; i < text->size; i++) {
		char c = text->data[i];

		if (text->size == UUID_TEXT &&
		    (i == 8 || i == 13 || i == 18 || i == 23)) {
			if (c != '-')
				return -1;
			continue;
		}
		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
			return -1;
		text->data[digits++] = c;
	}
	text->size = digits;
	return 0;
}

static int decode_blob(struct buffer *text)
{
	size_t used = 0;

	if (text->size && base64_decode((unsigned char *)text->data, &used,
					text->data, text->size) < 0)
		return -1;
	text->size = used;
	return 0;
}

static int decode_infinity(const struct buffer *text, double *out)
{
	const char *p = text->data ? text->data : "";
	size_t size = text->size, negative = size && *p == '-';

	if (size - negative != 8 || memcmp(p + negative, "Infinity", 8))
		return -1;
	*out = negative ? -INFINITY : INFINITY;
	return 0;
}

static int decode_moments(enum field_class class, struct buffer *text)
{
	const char *p = text->data ? text->data : "";
	int64_t n;
	int rc;

	rc = class == FIELD_DATETIME ? moment_parse(&n, p, text->size)
	     : class == FIELD_DATE   ? date_parse(&n, p, text->size)
				     : clock_parse_day(&n, p, text->size);
	if (rc < 0)
		return -1;
	buffer_clear(text);
	if (class == FIELD_DATETIME)
		moment_put(text, n, ' ');
	else if (class == FIELD_DATE)
		date_put(text, n);
	else
		clock_put(text, n, 1);
	return 0;
}

static int decode_decimal(struct value *out, const char *data, size_t size,
			  struct error *err)
{
	char shown[4 * SHOWN_MAX + 8];
	int rc = decimal_parse(out, data, size);

	if (rc == 2) {
		show(shown, data, size);
		return error_set(err, ERROR_FAILED,
				 "'%s' has more digits than SQLite keeps of a "
				 "decimal",
				 shown);
	}
	return rc ? unfit(FIELD_DECIMAL, data, size, err) : 0;
}

static int decode_integer(struct json_piece json, struct value *out,
			  struct error *err)
{
	char shown[4 * SHOWN_MAX + 8];
	int rc = integer_parse(&out->integer, json.data, json.size);

	out->class = VALUE_INTEGER;
	if (rc == 2) {
		show(shown, json.data, json.size);
		return error_set(err, ERROR_FAILED,
				 "'%s' is an integer of more than 64 bits, "
				 "which SQLite does not have",
				 shown);
	}
	return rc ? unfit(FIELD_INTEGER, json.data, json.size, err) : 0;
}

static int decode_string(enum field_class class, struct buffer *text,
			 struct value *out, struct error *err)
{
	const char *p = text->data ? text->data : "";
	size_t size = text->size;
	int rc = 0;

	switch (class) {
	case FIELD_ANY:
	case FIELD_TEXT:
	case FIELD_JSON:
		break;
	case FIELD_BIGINT:
	case FIELD_DURATION:
		out->class = VALUE_INTEGER;
		rc = duration_parse(&out->integer, p, size);
		return rc ? unfit(class, p, size, err) : 0;
	case FIELD_REAL:
		out->class = VALUE_REAL;
		rc = decode_infinity(text, &out->real);
		return rc ? unfit(class, p, size, err) : 0;
	case FIELD_DECIMAL:
		return decode_decimal(out, p, size, err);
	case FIELD_DATETIME:
	case FIELD_DATE:
	case FIELD_TIME:
		rc = decode_moments(class, text);
		break;
	case FIELD_UUID:
		rc = decode_uuid(text);
		break;
	case FIELD_BLOB:
		rc = decode_blob(text);
		break;
	case FIELD_INTEGER: /* as loaddata takes it */
		return decode_integer((struct json_piece){ p, size }, out, err);
	case FIELD_BOOL:
		rc = -1;
		break;
	}
	if (rc < 0)
		return unfit(class, p, size, err);
	be_text(out, class == FIELD_BLOB ? VALUE_BLOB : VALUE_TEXT, text);
	return buffer_failed(text) ? error_nomem(err) : 0;
}

static int decode_number(enum field_class class, struct json_piece json,
			 struct value *out, struct error *err)
{
	switch (class) {
	case FIELD_ANY:
		if (!memchr(json.data, '.', json.size) &&
		    !memchr(json.data, 'e', json.size) &&
		    !memchr(json.data, 'E', json.size))
			return decode_integer(json, out, err);
		/* fall through */
	case FIELD_REAL:
		out->class = VALUE_REAL;
		if (real_parse(&out->real, json.data, json.size) < 0)
			return unfit(FIELD_REAL, json.data, json.size, err);
		return 0;
	case FIELD_DECIMAL:
		return decode_decimal(out, json.data, json.size, err);
	case FIELD_INTEGER:
	case FIELD_BIGINT:
		return decode_integer(json, out, err);
	case FIELD_BOOL:
		out->class = VALUE_INTEGER;
		out->integer = *json.data == '1';
		if (json.size == 1 && (*json.data == '0' || *json.data == '1'))
			return 0;
		break;
	default:
		break;
	}
	return unfit(class, json.data, json.size, err);
}

int field_decode(enum field_class class, struct json_piece json,
		 struct buffer *text, struct value *out, struct error *err)
{
	char first = *json.data;

	memset(out, 0, sizeof(*out));
	buffer_clear(text);
	if (first == 'n')
		return 0; /* VALUE_NULL */
	if (class == FIELD_JSON) {
		put_python_json(text, json);
		be_text(out, VALUE_TEXT, text);
		return buffer_failed(text) ? error_nomem(err) : 0;
	}
	if (first == '"') {
		json_piece_text(text, json);
		if (buffer_failed(text))
			return error_nomem(err);
		return decode_string(class, text, out, err);
	}
	if ((first == 't' || first == 'f') &&
	    (class == FIELD_BOOL || class == FIELD_ANY)) {
		out->class = VALUE_INTEGER;
		out->integer = first == 't';
		return 0;
	}
	if (first == '-' || (first >= '0' && first <= '9'))
		return decode_number(class, json, out, err);
	return unfit(class, json.data, json.size, err);
}
