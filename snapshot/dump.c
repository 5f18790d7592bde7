/*
 * dump.c - records out of the documents of others, as a stream
 */
#include "snapshot/dump.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "snapshot/json_string.h"
#include "snapshot/text.h"

/* Of a name, or of a member that is no model. */
#define SHORT_MAX ((size_t)1 << 20)
/* Of a record as others write it: with white space, and escapes for what we
 * write as it is. */
#define RECORD_MAX (2 * RECORD_LINE_MAX)
#define WHY_MAX    500

/* Where in a document the reader is. */
enum stage {
	STAGE_TOP,    /* between the members of the outermost object */
	STAGE_MODELS, /* between models */
	STAGE_RECORDS /* between records */
};

struct dump {
	struct json_stream in;
	enum dump_shape shape;
	enum stage stage;
	struct record_reader *reader;
	struct buffer model; /* whose records are being read: DUMP_MODELS */
	struct buffer name, why;
	int64_t created_s;
	uint64_t records;
	int begun;      /* the first bracket was taken */
	int has_models; /* so was "models" */
	int follows;    /* something stands in front: a comma is next */
};

int dump_open(struct dump **out, struct byte_input *input, const char *label,
	      enum dump_shape shape, struct error *err)
{
	struct dump *d = calloc(1, sizeof(*d));

	*out = NULL;
	if (!d)
		return error_nomem(err);
	d->in.input = input;
	d->in.label = label;
	d->shape = shape;
	d->stage = shape == DUMP_MODELS ? STAGE_TOP : STAGE_RECORDS;
	if (record_reader_new(&d->reader, err) < 0) {
		dump_free(d);
		return -1;
	}
	*out = d;
	return 0;
}

void dump_free(struct dump *d)
{
	if (!d)
		return;
	json_stream_release(&d->in);
	record_reader_free(d->reader);
	buffer_release(&d->model);
	buffer_release(&d->name);
	buffer_release(&d->why);
	free(d);
}

int64_t dump_created_s(const struct dump *d)
{
	return d->created_s;
}

/* ---- records ---- */

/* Say what is wrong with which record. */
static int record_wrong(struct dump *d, const struct dump_item *item,
			const char *what, struct error *err)
{
	struct buffer who = BUFFER_INIT;
	int has_pk = item->record.pk.data != NULL;

	if (item->model.size || has_pk)
		buffer_str(&who, " (");
	text_display(&who, item->model.data, item->model.size, DUMP_MODEL_MAX);
	if (item->model.size && has_pk)
		buffer_str(&who, ", ");
	if (has_pk)
		record_show_pk(&who, &item->record);
	if (who.size)
		buffer_byte(&who, ')');
	error_set(err, ERROR_DAMAGE, "%s: line %llu: record %llu%s: %s",
		  d->in.label, (unsigned long long)item->line,
		  (unsigned long long)d->records,
		  who.size ? buffer_cstr(&who) : "", what);
	buffer_release(&who);
	return -1;
}

static int check_model(struct json_piece name)
{
	struct buffer shown = BUFFER_INIT;
	int same;

	/* it stands in messages and in names of commits' trailers */
	text_display(&shown, name.data, name.size, DUMP_MODEL_MAX);
	same = shown.size && shown.size == name.size &&
	       !memcmp(shown.data, name.data, name.size);
	buffer_release(&shown);
	return same ? 0 : -1;
}

/* Whose record is it? */
static int find_model(struct dump *d, struct dump_item *out, struct error *err)
{
	const struct json_piece told = out->record.model;

	if (d->shape != DUMP_MODELS) {
		if (!told.data)
			return record_wrong(d, out, "it has no 'model'", err);
		if (check_model(told) < 0)
			return record_wrong(
				d, out, "its 'model' is no model's name", err);
		out->model = told;
		return 0;
	}
	if (told.data && (told.size != out->model.size ||
			  memcmp(told.data, out->model.data, told.size)))
		return record_wrong(
			d, out, "its 'model' is another than it stands under",
			err);
	return 0;
}

static int take_record(struct dump *d, struct dump_item *out, struct error *err)
{
	struct error why = ERROR_INIT;
	const char *text;
	size_t size;

	if (json_stream_peek(&d->in, err) < 0)
		return -1;
	out->line = d->in.lines + 1;
	d->records++;
	if (d->shape == DUMP_MODELS)
		out->model =
			(struct json_piece){ d->model.data, d->model.size };
	if (json_stream_value(&d->in, RECORD_MAX, &text, &size, &why) < 0) {
		if (d->in.bytes.size - d->in.at > RECORD_MAX)
			return record_wrong(d, out,
					    "it takes more bytes than a "
					    "snapshot's line may have",
					    err);
		return error_set(err, why.code, "%s", why.message);
	}
	if (record_from_json(d->reader, text, size, &out->record, &why) < 0) {
		if (why.code != ERROR_DAMAGE)
			return error_set(err, why.code, "%s", why.message);
		if (d->shape != DUMP_MODELS && out->record.model.data &&
		    check_model(out->record.model) == 0)
			out->model = out->record.model;
		return record_wrong(d, out, why.message, err);
	}
	return find_model(d, out, err) < 0 ? -1 : DUMP_RECORD;
}

/* ---- brackets and commas ---- */

/* Take `close`, or get to the next element, behind its comma.
 * @return 1: an element is next; 0: it was closed; -1 */
static int next_element(struct dump *d, char close, struct error *err)
{
	int next = json_stream_peek(&d->in, err);

	if (next < 0)
		return -1;
	if (next == close) {
		d->follows = 1; /* what was closed is an element itself */
		return json_stream_expect(&d->in, close, err);
	}
	if (d->follows && json_stream_expect(&d->in, ',', err) < 0)
		return -1;
	d->follows = 1;
	return 1;
}

static int open_bracket(struct dump *d, char open, struct error *err)
{
	d->follows = 0;
	return json_stream_expect(&d->in, open, err);
}

/* A member's name and its colon. */
static int take_name(struct dump *d, struct buffer *out, struct error *err)
{
	const char *text, *problem;
	size_t size;

	if (json_stream_value(&d->in, SHORT_MAX, &text, &size, err) < 0)
		return -1;
	if (*text != '"')
		return json_stream_damage(&d->in, err,
					  "a member's name expected, not %.*s",
					  (int)(size < 80 ? size : 80), text);
	buffer_clear(out);
	buffer_byte(out, ' '); /* so that an empty one has memory, too */
	out->size = 0;
	text++;
	problem = json_string_decode(out, &text, text + size - 1);
	if (problem)
		return json_stream_damage(&d->in, err, "a member's name %s",
					  problem);
	if (buffer_failed(out))
		return error_nomem(err);
	return json_stream_expect(&d->in, ':', err);
}

/* Nothing may stand behind the last bracket. */
static int take_end(struct dump *d, struct error *err)
{
	int next = json_stream_peek(&d->in, err);

	if (next > 0)
		return json_stream_damage(&d->in, err,
					  "something stands behind the end");
	return next < 0 ? -1 : DUMP_END;
}

/* ---- the model document ---- */

static int is_name(const struct buffer *name, const char *text)
{
	return name->size == strlen(text) &&
	       !memcmp(name->data, text, name->size);
}

/* Python's times have fractions of seconds, which ours have not. */
static void take_time(struct dump *d, const json_t *value)
{
	const char *text = json_string_value(value);
	char time[64];
	size_t whole;

	if (!text || strlen(text) >= sizeof(time))
		return;
	whole = strcspn(text, ".");
	memcpy(time, text, whole);
	text += whole;
	text += *text == '.';
	text += strspn(text, "0123456789");
	memcpy(time + whole, text, strlen(text) + 1);
	if (clock_parse(&d->created_s, time) < 0 || d->created_s < 0)
		d->created_s = 0;
}

/* A member that is neither "models" nor content.  What could hold data is not
 * passed over. */
static int take_other(struct dump *d, struct error *err)
{
	struct buffer shown = BUFFER_INIT;
	json_error_t trouble;
	const char *text;
	json_t *value;
	size_t size;
	int rc = 0;

	if (json_stream_value(&d->in, SHORT_MAX, &text, &size, err) < 0)
		return -1;
	text_display(&shown, d->name.data, d->name.size, 80);
	value = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL,
			   &trouble);
	if (buffer_failed(&shown))
		rc = error_nomem(err);
	else if (!value)
		rc = json_stream_damage(&d->in, err, "'%s': %s",
					shown.size ? buffer_cstr(&shown) : "",
					trouble.text);
	else if (json_is_object(value) || json_is_array(value))
		rc = json_stream_damage(
			&d->in, err,
			"the member '%s' is neither 'models' nor a plain "
			"value; dbstow does not know whether it is data",
			shown.size ? buffer_cstr(&shown) : "");
	else if (is_name(&d->name, "export_date"))
		take_time(d, value);
	json_decref(value);
	buffer_release(&shown);
	return rc;
}

static int open_models(struct dump *d, struct error *err)
{
	int next = json_stream_peek(&d->in, err);

	if (next > 0 && next != '{')
		return json_stream_damage(&d->in, err,
					  "'models' is no object of models");
	return next < 0 ? -1 : open_bracket(d, '{', err);
}

/* @return DUMP_END, -1; 1: "models" are open */
static int walk_top(struct dump *d, struct error *err)
{
	int more;

	while ((more = next_element(d, '}', err)) > 0) {
		if (take_name(d, &d->name, err) < 0)
			return -1;
		if (!is_name(&d->name, "models")) {
			if (take_other(d, err) < 0)
				return -1;
			continue;
		}
		if (d->has_models++)
			return json_stream_damage(&d->in, err,
						  "'models' is there twice");
		d->stage = STAGE_MODELS;
		return open_models(d, err) < 0 ? -1 : 1;
	}
	if (more < 0)
		return -1;
	if (!d->has_models)
		return error_set(err, ERROR_FAILED,
				 "%s is no document that dbstow knows: it has "
				 "neither \"format\":\"dbstow-export/1\" nor "
				 "\"models\"",
				 d->in.label);
	return take_end(d, err);
}

/* {"error":…}: what the application says */
static int take_error(struct dump *d, struct dump_item *out, struct error *err)
{
	json_error_t trouble;
	json_t *value = NULL;
	const json_t *told;
	const char *text;
	char *dumped = NULL;
	size_t size;
	int rc = -1;

	if (json_stream_value(&d->in, SHORT_MAX, &text, &size, err) < 0)
		return -1;
	value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &trouble);
	if (!value) {
		json_stream_damage(&d->in, err, "model '%s': %s",
				   buffer_cstr(&d->model), trouble.text);
		goto done;
	}
	told = json_object_get(value, "error");
	if (!told) {
		json_stream_damage(&d->in, err,
				   "model '%s' has neither a list of records "
				   "nor an 'error'",
				   buffer_cstr(&d->model));
		goto done;
	}
	buffer_clear(&d->why);
	dumped = json_is_string(told)
			 ? strdup(json_string_value(told))
			 : json_dumps(told, JSON_ENCODE_ANY | JSON_COMPACT);
	if (dumped)
		text_display(&d->why, dumped, strlen(dumped), WHY_MAX);
	if (!dumped || !buffer_cstr(&d->why)) {
		error_nomem(err);
		goto done;
	}
	out->why = (struct json_piece){ d->why.data, d->why.size };
	rc = DUMP_LEFT_OUT;
done:
	json_decref(value);
	free(dumped);
	return rc;
}

static int take_model(struct dump *d, struct dump_item *out, struct error *err)
{
	int next;

	if (take_name(d, &d->model, err) < 0)
		return -1;
	out->model = (struct json_piece){ d->model.data, d->model.size };
	if (check_model(out->model) < 0)
		return json_stream_damage(&d->in, err,
					  "a model has a name that is none");
	next = json_stream_peek(&d->in, err);
	if (next < 0)
		return -1;
	out->line = d->in.lines + 1;
	if (next == '{')
		return take_error(d, out, err);
	if (next && next != '[')
		return json_stream_damage(
			&d->in, err,
			"model '%s' has neither a list of records nor an "
			"'error'",
			buffer_cstr(&d->model));
	d->stage = STAGE_RECORDS;
	return open_bracket(d, '[', err) < 0 ? -1 : DUMP_MODEL;
}

static int walk_models(struct dump *d, struct dump_item *out, struct error *err)
{
	for (;;) {
		int more;

		if (d->stage == STAGE_TOP) {
			more = walk_top(d, err);
			if (more != 1)
				return more;
		} else if (d->stage == STAGE_MODELS) {
			more = next_element(d, '}', err);
			if (more)
				return more < 0 ? -1 : take_model(d, out, err);
			d->stage = STAGE_TOP;
		} else {
			more = next_element(d, ']', err);
			if (more)
				return more < 0 ? -1 : take_record(d, out, err);
			d->stage = STAGE_MODELS;
		}
	}
}

/* ---- any of them ---- */

int dump_next(struct dump *d, struct dump_item *out, struct error *err)
{
	int more = 1;

	memset(out, 0, sizeof(*out));
	if (!d->begun && d->shape != DUMP_LINES &&
	    open_bracket(d, d->shape == DUMP_LIST ? '[' : '{', err) < 0)
		return -1;
	d->begun = 1;
	if (d->shape == DUMP_MODELS)
		return walk_models(d, out, err);
	if (d->shape == DUMP_LIST) {
		more = next_element(d, ']', err);
		return more < 0   ? -1
		       : more > 0 ? take_record(d, out, err)
				  : take_end(d, err);
	}
	more = json_stream_peek(&d->in, err);
	return more < 0 ? -1 : more > 0 ? take_record(d, out, err) : DUMP_END;
}
