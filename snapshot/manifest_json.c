/*
 * manifest_json.c - members of a JSON file, taken strictly
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "snapshot/manifest_internal.h"
#include "snapshot/text.h"

#define SHOWN_MAX 80 /* bytes of a name in a message */

void json_file_where(struct json_file *f, const char *what, const char *name,
		     size_t number)
{
	struct buffer b = BUFFER_INIT;

	if (name)
		text_display(&b, name, strlen(name), SHOWN_MAX);
	if (name && buffer_cstr(&b))
		snprintf(f->where, sizeof(f->where), "%s '%s'", what, b.data);
	else
		snprintf(f->where, sizeof(f->where), "%s %zu", what, number);
	buffer_release(&b);
}

int json_file_damage(const struct json_file *f, struct error *err,
		     const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(err, ERROR_DAMAGE, "%s: %s: %s%s%s", f->source->label,
			 f->path, f->where, *f->where ? ": " : "", text);
}

/* Git changed the line endings if a CR stands before a newline: we write none,
 * and inside strings it is escaped. */
static int has_crlf(const struct buffer *text)
{
	return text->size && memchr(text->data, '\r', text->size) != NULL;
}

int json_file_load(json_t **out, const struct json_file *f, struct error *err)
{
	struct buffer text = BUFFER_INIT;
	json_error_t cause;
	int rc;

	*out = NULL;
	rc = f->source->read(f->source, f->path, &text, err);
	if (rc > 0)
		rc = error_set(err, ERROR_DAMAGE,
			       "%s is no snapshot: it has no file '%s'",
			       f->source->label, f->path);
	if (rc < 0)
		goto done;
	if (has_crlf(&text)) {
		rc = json_file_damage(
			f, err,
			"line endings were changed by git (CR LF); "
			"check out again with core.autocrlf=false, "
			"or use git archive");
		goto done;
	}
	*out = json_loadb(text.size ? text.data : "", text.size,
			  JSON_REJECT_DUPLICATES, &cause);
	if (*out)
		goto done;
	rc = json_error_code(&cause) == json_error_out_of_memory
		     ? error_nomem(err)
		     : json_file_damage(f, err, "line %d: %s", cause.line,
					cause.text);
done:
	buffer_release(&text);
	return rc;
}

int json_file_keys(const struct json_file *f, const json_t *object,
		   const char *const *keys, struct error *err)
{
	const char *key;
	json_t *value;
	size_t i;

	/* jansson's iterators take no const, but change nothing */
	json_object_foreach((json_t *)object, key, value)
	{
		for (i = 0; keys[i] && strcmp(keys[i], key) != 0; i++)
			;
		if (!keys[i])
			return json_file_damage(f, err, "'%.80s' is not known",
						key);
	}
	return 0;
}

static const char *type_name(json_type type)
{
	switch (type) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	default:
		return "true or false";
	}
}

json_t *json_file_member(const struct json_file *f, const json_t *object,
			 const char *key, json_type type, struct error *err)
{
	json_t *value = json_object_get(object, key);

	if (!value) {
		json_file_damage(f, err, "'%s' is missing", key);
		return NULL;
	}
	if (json_typeof(value) == type)
		return value;
	if (type == JSON_TRUE && json_is_false(value))
		return value;
	json_file_damage(f, err, "'%s' is not %s", key, type_name(type));
	return NULL;
}

/* The bytes of {"$text":"base64"}.  What is UTF-8 must stand there as a
 * string: one content, one form. */
static int decode_bytes(const struct json_file *f, const json_t *value,
			const char *key, struct buffer *out, struct error *err)
{
	const json_t *text = json_object_get(value, "$text");
	size_t size, used;

	if (json_object_size(value) != 1 || !json_is_string(text))
		return json_file_damage(f, err, "'%s' is not a string", key);
	size = json_string_length(text);
	if (buffer_reserve(out, size + 1) < 0)
		return error_nomem(err);
	if (base64_decode((unsigned char *)out->data, &used,
			  json_string_value(text), size) < 0 ||
	    text_is_utf8(out->data, used) || memchr(out->data, 0, used))
		return json_file_damage(f, err, "'%s' has a bad \"$text\"",
					key);
	out->size = used;
	return 0;
}

int json_file_bytes(const struct json_file *f, const json_t *value,
		    const char *key, char **out, struct error *err)
{
	struct buffer bytes = BUFFER_INIT;
	int rc = 0;

	*out = NULL;
	if (!value)
		return json_file_damage(f, err, "'%s' is missing", key);
	if (json_is_string(value))
		buffer_add(&bytes, json_string_value(value),
			   json_string_length(value));
	else
		rc = decode_bytes(f, value, key, &bytes, err);
	if (!rc) {
		*out = buffer_detach(&bytes);
		if (!*out)
			rc = error_nomem(err);
	}
	buffer_release(&bytes);
	return rc;
}

int json_file_integer(const struct json_file *f, const json_t *object,
		      const char *key, int64_t min, int64_t max, int64_t *out,
		      struct error *err)
{
	const json_t *value =
		json_file_member(f, object, key, JSON_INTEGER, err);

	if (!value)
		return -1;
	*out = json_integer_value(value);
	if (*out < min || *out > max)
		return json_file_damage(
			f, err, "'%s' is out of range: %" PRId64, key, *out);
	return 0;
}

int json_file_word(const struct json_file *f, const json_t *object,
		   const char *key, const char *const *words, int *out,
		   struct error *err)
{
	const json_t *value =
		json_file_member(f, object, key, JSON_STRING, err);

	if (!value)
		return -1;
	for (*out = 0; words[*out]; (*out)++)
		if (!strcmp(words[*out], json_string_value(value)))
			return 0;
	return json_file_damage(f, err, "'%s' is not known: '%.80s'", key,
				json_string_value(value));
}

int json_file_hex(const struct json_file *f, const json_t *object,
		  const char *key, unsigned char *out, size_t size,
		  struct error *err)
{
	const json_t *value =
		json_file_member(f, object, key, JSON_STRING, err);

	if (!value)
		return -1;
	if (json_string_length(value) != 2 * size ||
	    hex_decode(out, json_string_value(value), size) < 0)
		return json_file_damage(f, err, "'%s' is not %zu hex digits",
					key, 2 * size);
	return 0;
}

void json_file_put(struct buffer *out, const char *s)
{
	size_t size = strlen(s);

	if (!text_json_string(out, s, size))
		return;
	buffer_str(out, "{\"$text\":\"");
	text_base64(out, s, size);
	buffer_str(out, "\"}");
}
