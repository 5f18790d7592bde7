/*
 * record.c - one record of others to one line of ours
 *
 * Tokens are read strictly and written down again in the same pass.  Nothing
 * recurses: what is open stands in an array.  Only the fields of a record
 * change places; they are put together in a buffer of their own and sorted
 * there.
 */
#include "snapshot/record_internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "snapshot/json_string.h"
#include "snapshot/text.h"

#define NAME_SHOWN 200 /* bytes of a name in a message */

/* Up to so many names are compared each with each. */
#define FEW_NAMES 8

/* A member's name, with its quotes, in the buffer it was written to. */
struct name {
	size_t at, size;
	size_t end; /* of the member; for fields */
};

/* An array or object that is open. */
struct level {
	char close;
	size_t first; /* of its names */
};

struct record_reader {
	const char *p, *end;
	struct error *err;
	struct buffer line, pk, model, key;
	struct buffer raw;  /* the fields as they come */
	struct buffer text; /* of a string with escapes */
	struct name *names; /* of the fields, behind them of what is open */
	size_t count, capacity;
	struct level levels[RECORD_DEPTH_MAX];
	size_t depth;
	struct name field; /* being read, in `raw`; size 0: none */
	int in_pk;
};

int record_reader_new(struct record_reader **out, struct error *err)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : error_nomem(err);
}

void record_reader_free(struct record_reader *r)
{
	if (!r)
		return;
	buffer_release(&r->line);
	buffer_release(&r->pk);
	buffer_release(&r->model);
	buffer_release(&r->key);
	buffer_release(&r->raw);
	buffer_release(&r->text);
	free(r->names);
	free(r);
}

/* ---- trouble ---- */

/* Record `problem` of what is being read; @return -1 */
static int wrong(struct record_reader *r, const char *problem)
{
	struct buffer name = BUFFER_INIT;
	const char *text;

	if (r->field.size) {
		text_display(&name, r->raw.data + r->field.at + 1,
			     r->field.size - 2, NAME_SHOWN);
		text = buffer_cstr(&name);
		error_set(r->err, ERROR_DAMAGE, "field '%s' %s",
			  text ? text : "?", problem);
	} else {
		error_set(r->err, ERROR_DAMAGE, "%s %s",
			  r->in_pk ? "its pk" : "it", problem);
	}
	buffer_release(&name);
	return -1;
}

/* The same of a member whose name stands in a buffer, with its quotes. */
static int wrong_name(struct record_reader *r, const char *data, size_t size,
		      const char *problem)
{
	struct buffer shown = BUFFER_INIT;
	const char *text;

	buffer_str(&shown, "has the member '");
	text_display(&shown, data + 1, size - 2, NAME_SHOWN);
	buffer_printf(&shown, "' %s", problem);
	text = buffer_cstr(&shown);
	wrong(r, text ? text : problem);
	buffer_release(&shown);
	return -1;
}

/* ---- tokens ---- */

static void skip_space(struct record_reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' ||
				 *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

/* @return 1 and step over it when the next token is `c`, else 0 */
static int next_is(struct record_reader *r, char c)
{
	skip_space(r);
	if (r->p == r->end || *r->p != c)
		return 0;
	r->p++;
	return 1;
}

/* A string, whose opening quote is behind us, as we write it. */
static int put_string(struct record_reader *r, struct buffer *out)
{
	const char *begin = r->p, *problem;
	int high = 0;

	r->p = json_plain_end(begin, r->end, &high);
	if (r->p < r->end && *r->p == '"') {
		if (text_json_string(out, begin, (size_t)(r->p - begin)))
			return wrong(r, "has a string that is not UTF-8");
		r->p++;
		return 0;
	}
	r->p = begin;
	buffer_clear(&r->text);
	problem = json_string_decode(&r->text, &r->p, r->end);
	if (problem)
		return wrong(r, problem);
	if (buffer_failed(&r->text))
		return error_nomem(r->err);
	text_json_string(out, r->text.data, r->text.size);
	return 0;
}

static const char *digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* Where the number at `p` ends; NULL: JSON has none like it. */
static const char *number_end(const char *p, const char *end)
{
	const char *from;

	p += p < end && *p == '-';
	from = p;
	p = digits(p, end);
	if (p == from || (*from == '0' && p - from > 1))
		return NULL;
	if (p < end && *p == '.') {
		from = ++p;
		p = digits(p, end);
		if (p == from)
			return NULL;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		from = p;
		p = digits(p, end);
		if (p == from)
			return NULL;
	}
	return p;
}

/* Is it a number of those that Python writes and JSON does not have? */
static int is_special(const char *p, const char *end)
{
	static const char *const words[] = { "NaN", "Infinity", "-Infinity" };

	for (size_t i = 0; i < 3; i++) {
		size_t size = strlen(words[i]);

		if ((size_t)(end - p) >= size && !memcmp(p, words[i], size))
			return 1;
	}
	return 0;
}

static int put_scalar(struct record_reader *r, struct buffer *out)
{
	static const char *const words[] = { "null", "true", "false" };
	const char *stop;

	if (*r->p == '"') {
		r->p++;
		return put_string(r, out);
	}
	for (size_t i = 0; i < 3; i++) {
		size_t size = strlen(words[i]);

		if ((size_t)(r->end - r->p) < size ||
		    memcmp(r->p, words[i], size))
			continue;
		buffer_str(out, words[i]);
		r->p += size;
		return 0;
	}
	if (is_special(r->p, r->end))
		return wrong(r, "has a number that JSON does not have (NaN or "
				"Infinity)");
	if (*r->p != '-' && (*r->p < '0' || *r->p > '9'))
		return wrong(r, "has something else where a value must stand");
	stop = number_end(r->p, r->end);
	if (!stop)
		return wrong(r, "has a number that is none in JSON");
	buffer_add(out, r->p, (size_t)(stop - r->p));
	r->p = stop;
	return 0;
}

/* ---- names ---- */

static int add_name(struct record_reader *r, size_t at, size_t size)
{
	size_t capacity = r->capacity ? r->capacity * 2 : 64;
	struct name *names;

	if (r->count == r->capacity) {
		names = reallocarray(r->names, capacity, sizeof(*names));
		if (!names)
			return error_nomem(r->err);
		r->names = names;
		r->capacity = capacity;
	}
	r->names[r->count++] = (struct name){ .at = at, .size = size };
	return 0;
}

/* A name and its colon. */
static int put_name(struct record_reader *r, struct buffer *out)
{
	size_t at = out->size;

	if (!next_is(r, '"'))
		return wrong(r, "has something else where a name must stand");
	if (put_string(r, out) < 0)
		return -1;
	if (buffer_failed(out))
		return error_nomem(r->err);
	if (add_name(r, at, out->size - at) < 0)
		return -1;
	if (!next_is(r, ':'))
		return wrong_name(r, out->data + at, out->size - at,
				  "without a ':' behind it");
	buffer_byte(out, ':');
	return 0;
}

static int compare_names(const void *a, const void *b, void *text)
{
	const struct name *x = a, *y = b;
	const char *base = text;

	return record_compare_names(
		(struct json_piece){ base + x->at, x->size },
		(struct json_piece){ base + y->at, y->size });
}

/* Sort the names from `first` on, which stand in `out`; each is there once. */
static int sort_names(struct record_reader *r, struct buffer *out, size_t first)
{
	struct name *names = r->names + first;
	size_t count = r->count - first, i;

	if (count < 2)
		return 0;
	if (buffer_failed(out))
		return error_nomem(r->err);
	/* ours are sorted, and those of others often */
	for (i = 1; i < count; i++)
		if (compare_names(&names[i - 1], &names[i], out->data) >= 0)
			break;
	if (i == count)
		return 0;
	qsort_r(names, count, sizeof(*names), compare_names, out->data);
	for (i = 1; i < count; i++)
		if (!compare_names(&names[i - 1], &names[i], out->data))
			return wrong_name(r, out->data + names[i].at,
					  names[i].size, "twice");
	return 0;
}

/* Of an object inside of a field: only whether a name is there twice. */
static int check_names(struct record_reader *r, struct buffer *out,
		       size_t first)
{
	const struct name *names = r->names + first;
	size_t count = r->count - first, i, j;

	if (count > FEW_NAMES)
		return sort_names(r, out, first);
	if (buffer_failed(out))
		return error_nomem(r->err);
	for (i = 1; i < count; i++) {
		for (j = 0; j < i; j++)
			if (names[i].size == names[j].size &&
			    !memcmp(out->data + names[i].at,
				    out->data + names[j].at, names[i].size))
				return wrong_name(r, out->data + names[i].at,
						  names[i].size, "twice");
	}
	return 0;
}

/* ---- values ---- */

/* @return 1: a value stands in it, and is next; 0: it is empty; -1 */
static int open_level(struct record_reader *r, struct buffer *out)
{
	struct level *l;
	char open = *r->p++;

	if (r->depth == RECORD_DEPTH_MAX)
		return wrong(r, "is nested too deeply");
	l = &r->levels[r->depth];
	l->close = open == '{' ? '}' : ']';
	l->first = r->count;
	buffer_byte(out, open);
	if (next_is(r, l->close)) {
		buffer_byte(out, l->close);
		return 0;
	}
	r->depth++;
	if (open == '{' && put_name(r, out) < 0)
		return -1;
	return 1;
}

/* Behind a value: close what ends there.
 * @return 1: another value is next; 0: all down to `base` is closed; -1 */
static int go_on(struct record_reader *r, struct buffer *out, size_t base)
{
	while (r->depth > base) {
		struct level *l = &r->levels[r->depth - 1];

		if (next_is(r, ',')) {
			buffer_byte(out, ',');
			if (l->close == '}' && put_name(r, out) < 0)
				return -1;
			return 1;
		}
		if (!next_is(r, l->close))
			return wrong(r, l->close == '}'
						? "has something else where "
						  "',' or '}' must stand"
						: "has something else where "
						  "',' or ']' must stand");
		if (l->close == '}' && check_names(r, out, l->first) < 0)
			return -1;
		r->count = l->first;
		buffer_byte(out, l->close);
		r->depth--;
	}
	return 0;
}

/* Copy one value as we write it. */
static int put_value(struct record_reader *r, struct buffer *out)
{
	size_t base = r->depth;
	int more;

	do {
		skip_space(r);
		if (r->p == r->end)
			return wrong(r, "has no value");
		more = *r->p == '{' || *r->p == '[' ? open_level(r, out)
						    : put_scalar(r, out);
		if (more == 0)
			more = go_on(r, out, base);
	} while (more > 0);
	return more;
}

/* ---- a record's members ---- */

/* The fields as they come; their names are the first of all. */
static int read_fields(struct record_reader *r)
{
	struct buffer *out = &r->raw;
	size_t i;

	if (!next_is(r, '{'))
		return wrong(r, "has 'fields' that are no object");
	if (next_is(r, '}'))
		return 0;
	r->depth = 2;
	do {
		i = r->count;
		if (put_name(r, out) < 0)
			return -1;
		r->field = r->names[i];
		if (put_value(r, out) < 0)
			return -1;
		r->names[i].end = out->size;
		r->field.size = 0;
	} while (next_is(r, ','));
	if (!next_is(r, '}'))
		return wrong(r, "has something else where ',' or '}' must "
				"stand");
	return sort_names(r, out, 0);
}

static int read_pk(struct record_reader *r)
{
	int rc;

	r->in_pk = 1;
	r->depth = 1;
	rc = put_value(r, &r->pk);
	r->in_pk = 0;
	if (rc == 0 && r->pk.size == 4 && !memcmp(r->pk.data, "null", 4))
		buffer_clear(&r->pk);
	return rc;
}

static int read_model(struct record_reader *r)
{
	const char *problem;

	if (!next_is(r, '"'))
		return wrong(r, "has a 'model' that is no string");
	problem = json_string_decode(&r->model, &r->p, r->end);
	return problem ? wrong(r, problem) : 0;
}

/* What a record has. */
enum member { MEMBER_MODEL, MEMBER_PK, MEMBER_FIELDS, MEMBER_COUNT };

/* A member's name and its colon.  @return the member, or -1 */
static int read_name(struct record_reader *r, int seen[MEMBER_COUNT])
{
	static const char *const names[] = { "model", "pk", "fields" };
	struct buffer *name = &r->line; /* which is made last */
	struct json_piece piece;
	int which = 0;

	buffer_clear(name);
	if (!next_is(r, '"'))
		return wrong(r, "has something else where a name must stand");
	if (put_string(r, name) < 0)
		return -1;
	if (buffer_failed(name))
		return error_nomem(r->err);
	piece = (struct json_piece){ name->data, name->size };
	while (which < MEMBER_COUNT && !json_piece_is(piece, names[which]))
		which++;
	if (which == MEMBER_COUNT)
		return wrong_name(r, name->data, name->size,
				  "and should have none but 'model', 'pk' and "
				  "'fields'");
	if (seen[which]++)
		return wrong_name(r, name->data, name->size, "twice");
	if (!next_is(r, ':'))
		return wrong_name(r, name->data, name->size,
				  "without a ':' behind it");
	return which;
}

/* What was read is told at once, so that what fails later can be named. */
static int read_member(struct record_reader *r, int which, struct record *out)
{
	if (which == MEMBER_FIELDS)
		return read_fields(r);
	if (which == MEMBER_PK) {
		if (read_pk(r) < 0)
			return -1;
		if (r->pk.size)
			out->pk = (struct json_piece){ r->pk.data, r->pk.size };
		return 0;
	}
	if (read_model(r) < 0)
		return -1;
	out->model = (struct json_piece){ r->model.data ? r->model.data : "",
					  r->model.size };
	return 0;
}

static int read_members(struct record_reader *r, struct record *out)
{
	int seen[MEMBER_COUNT] = { 0 };

	if (!next_is(r, '{'))
		return wrong(r, "is no object");
	if (next_is(r, '}'))
		return wrong(r, "is empty");
	do {
		int which = read_name(r, seen);

		if (which < 0 || read_member(r, which, out) < 0)
			return -1;
	} while (next_is(r, ','));
	if (!next_is(r, '}'))
		return wrong(r, "has something else where ',' or '}' must "
				"stand");
	skip_space(r);
	if (r->p != r->end)
		return wrong(r, "has something behind its end");
	return seen[MEMBER_FIELDS] ? 0 : wrong(r, "has no 'fields'");
}

/* ---- the line ---- */

static void put_line(struct record_reader *r, struct record *out)
{
	struct buffer *line = &r->line;
	size_t pk_at = 0, at;

	buffer_clear(line);
	buffer_byte(line, '{');
	if (r->pk.size) {
		buffer_str(line, "\"pk\":");
		pk_at = line->size;
		buffer_add(line, r->pk.data, r->pk.size);
		buffer_byte(line, ',');
	}
	buffer_str(line, "\"fields\":");
	at = line->size;
	for (size_t i = 0; i < r->count; i++) {
		const struct name *n = &r->names[i];

		buffer_byte(line, i ? ',' : '{');
		buffer_add(line, r->raw.data + n->at, n->end - n->at);
	}
	buffer_str(line, r->count ? "}}" : "{}}");
	if (buffer_failed(line))
		return;
	out->line = (struct json_piece){ line->data, line->size };
	out->fields =
		(struct json_piece){ line->data + at, line->size - at - 1 };
	out->pk = (struct json_piece){ r->pk.size ? line->data + pk_at : NULL,
				       r->pk.size };
}

int record_from_json(struct record_reader *r, const char *text, size_t size,
		     struct record *out, struct error *err)
{
	memset(out, 0, sizeof(*out));
	r->p = text;
	r->end = text + size;
	r->err = err;
	r->count = 0;
	r->depth = 0;
	r->field.size = 0;
	buffer_clear(&r->pk);
	buffer_clear(&r->model);
	buffer_clear(&r->raw);
	if (read_members(r, out) < 0)
		return -1;
	put_line(r, out);
	if (out->line.data)
		record_put_key(&r->key, out);
	out->key = (struct json_piece){ r->key.data, r->key.size };
	if (buffer_failed(&r->line) || buffer_failed(&r->key) ||
	    buffer_failed(&r->raw) || buffer_failed(&r->pk) ||
	    buffer_failed(&r->model))
		return error_nomem(err);
	if (out->line.size >= RECORD_LINE_MAX)
		return wrong(r, "takes more bytes as JSON than a snapshot's "
				"line may have");
	return 0;
}

int record_from_line(struct record_reader *r, const char *line, size_t size,
		     struct record *out, struct error *err)
{
	if (record_from_json(r, line, size, out, err) < 0)
		return -1;
	if (out->line.size == size && !memcmp(out->line.data, line, size))
		return 0;
	return wrong(r, "is not written in the one way that a record is");
}
