/*
 * records.c - records of others, sorted, into data/ of a record snapshot
 *
 * They come in any order and leave by model and key, through the sorter:
 *
 *     model \0 key \0 line \n tail
 *
 * A key that is text has no NUL, so one that goes on sorts behind; a key that
 * is a number tells its own size.  Where there is no pk, the line decides, and
 * stands there once.
 */
#include "export/export.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/sorter.h"
#include "export/export_internal.h"
#include "snapshot/catalog.h"
#include "snapshot/dump.h"
#include "snapshot/records.h"
#include "snapshot/text.h"

/* More make a program slow that has to find them by their names, and a
 * document that is none of an application's. */
#define MODELS_MAX 10000

#define TICK_RECORDS 1000

/* Behind the line; nobody else reads it, so bytes are as they are here. */
struct tail {
	uint64_t line;         /* of the document */
	size_t head;           /* bytes in front of the record's line */
	size_t pk_at, pk_size; /* in the record's line; size 0: none */
};

struct model {
	char *name;
	uint64_t records;
	int listed; /* the document has it as a model, not by its records */
};

struct sorted_records {
	const char *label;
	struct sorter *sorter;
	/* the next record */
	const char *entry;
	size_t size;
	struct tail tail;
	int has_entry;
	/* head of the one before, and where it stood */
	struct buffer before;
	uint64_t before_line;
};

/* What is gathered while the document is read. */
struct intake {
	struct sorted_records sorted;
	struct dump *dump;
	struct model *models; /* by name */
	size_t count, capacity;
	size_t last; /* the model that was found last */
	struct catalog *catalog;
	struct export_progress *progress; /* or NULL */
	int partial;
	uint64_t records;
	struct buffer entry;
};

/* ---- models ---- */

static int compare_model(const struct model *m, struct json_piece name)
{
	int order = strncmp(m->name, name.data, name.size);

	return order ? order : m->name[name.size] != '\0';
}

/* @return the place of the first model that is not smaller */
static size_t place_of(const struct intake *in, struct json_piece name)
{
	size_t low = 0, high = in->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_model(&in->models[middle], name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int insert_model(struct intake *in, size_t at, struct json_piece name,
			struct error *err)
{
	size_t capacity = in->capacity ? in->capacity * 2 : 64;
	struct model *models = in->models;

	if (in->count == MODELS_MAX)
		return error_set(err, ERROR_DAMAGE,
				 "%s has more than %d models; it is no "
				 "application's",
				 in->sorted.label, MODELS_MAX);
	if (in->count == in->capacity) {
		models = reallocarray(models, capacity, sizeof(*models));
		if (!models)
			return error_nomem(err);
		in->models = models;
		in->capacity = capacity;
	}
	memmove(&models[at + 1], &models[at],
		(in->count - at) * sizeof(*models));
	models[at] = (struct model){ .name = strndup(name.data, name.size) };
	in->count++;
	return models[at].name ? 0 : error_nomem(err);
}

/* Find it, or make it.  @return 0, -1; `in->last` is its place */
static int find_model(struct intake *in, struct json_piece name,
		      struct error *err)
{
	if (in->last < in->count && !compare_model(&in->models[in->last], name))
		return 0;
	in->last = place_of(in, name);
	if (in->last < in->count && !compare_model(&in->models[in->last], name))
		return 0;
	return insert_model(in, in->last, name, err);
}

/* A model that the document lists, with or without records. */
static int list_model(struct intake *in, const struct dump_item *item,
		      struct error *err)
{
	if (find_model(in, item->model, err) < 0)
		return -1;
	if (in->models[in->last].listed++)
		return error_set(err, ERROR_DAMAGE,
				 "%s: line %llu: model '%s' is there twice",
				 in->sorted.label,
				 (unsigned long long)item->line,
				 in->models[in->last].name);
	return 0;
}

static int leave_out(struct intake *in, const struct dump_item *item,
		     struct error *err)
{
	struct left_out *l;

	if (list_model(in, item, err) < 0)
		return -1;
	if (!in->partial)
		return error_set(
			err, ERROR_FAILED,
			"%s: the application could not export model '%s': "
			"%.*s; mend that, or import with --allow-partial to "
			"store the others",
			in->sorted.label, in->models[in->last].name,
			(int)item->why.size, item->why.data);
	l = catalog_add_left_out(in->catalog);
	if (!l)
		return error_nomem(err);
	l->name = strdup(in->models[in->last].name);
	l->why = strndup(item->why.data, item->why.size);
	return l->name && l->why ? 0 : error_nomem(err);
}

/* ---- reading ---- */

static int take_record(struct intake *in, const struct dump_item *item,
		       struct error *err)
{
	const struct record *r = &item->record;
	struct tail tail = { .line = item->line };
	struct buffer *b = &in->entry;

	if (find_model(in, item->model, err) < 0)
		return -1;
	in->models[in->last].records++;
	in->records++;
	buffer_clear(b);
	buffer_add(b, item->model.data, item->model.size);
	buffer_byte(b, '\0');
	/* of a key without a pk, the first byte is what is not in the line */
	buffer_add(b, r->key.data, r->pk.data ? r->key.size : 1);
	buffer_byte(b, '\0');
	tail.head = b->size;
	tail.pk_size = r->pk.size;
	tail.pk_at = r->pk.size ? (size_t)(r->pk.data - r->line.data) : 0;
	buffer_add(b, r->line.data, r->line.size);
	buffer_byte(b, '\n');
	buffer_add(b, &tail, sizeof(tail));
	if (buffer_failed(b))
		return error_nomem(err);
	return sorter_add(in->sorted.sorter, b->data, b->size, err);
}

static int tick(struct intake *in, struct error *err)
{
	struct export_progress *p = in->progress;

	if (in->records % TICK_RECORDS || !p || !p->tick ||
	    !p->tick(p, in->count ? in->models[in->last].name : "",
		     in->records))
		return 0;
	return error_set(err, ERROR_INTERRUPTED, "interrupted");
}

static int read_all(struct intake *in, struct error *err)
{
	struct dump_item item;
	int event, rc = 0;

	while ((event = dump_next(in->dump, &item, err)) > 0) {
		if (event == DUMP_MODEL)
			rc = list_model(in, &item, err);
		else if (event == DUMP_LEFT_OUT)
			rc = leave_out(in, &item, err);
		else
			rc = take_record(in, &item, err);
		if (rc < 0 || tick(in, err) < 0)
			return -1;
	}
	if (event < 0)
		return -1;
	if (!in->records)
		return error_set(err, ERROR_REFUSED,
				 "%s holds no record; an empty document is no "
				 "backup, and is not stored",
				 in->sorted.label);
	return sorter_finish(in->sorted.sorter, err);
}

static int fill_catalog(struct intake *in, struct error *err)
{
	struct catalog *c = in->catalog;

	c->engine = strdup(RECORDS_ENGINE);
	if (!c->engine)
		return error_nomem(err);
	records_sort_left_out(c);
	for (size_t i = 0, left_out = 0; i < in->count; i++) {
		const char *name = in->models[i].name;

		if (left_out < c->left_out_count &&
		    !strcmp(c->left_out[left_out].name, name))
			left_out++;
		else if (records_add_model(c, name, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- handing over ---- */

/* @return 0 with the next record, or none; -1 */
static int next_entry(struct sorted_records *s, struct error *err)
{
	int more = sorter_next(s->sorter, &s->entry, &s->size, err);

	s->has_entry = more > 0;
	if (more > 0)
		memcpy(&s->tail, s->entry + s->size - sizeof(s->tail),
		       sizeof(s->tail));
	return more < 0 ? -1 : 0;
}

static int is_of(const struct sorted_records *s, const struct table *t)
{
	return s->has_entry && !strcmp(s->entry, t->name);
}

/* The same model and key as the record before: lines decide on their order, so
 * that either can be the first in the document. */
static int twice(const struct sorted_records *s, const struct table *t,
		 struct json_piece of, struct error *err)
{
	const struct record record = { .pk = of };
	uint64_t a = s->before_line, b = s->tail.line;
	struct buffer pk = BUFFER_INIT;

	record_show_pk(&pk, &record);
	error_set(err, ERROR_DAMAGE,
		  "%s: line %llu: model '%s', %s: it is there a second time, "
		  "after line %llu",
		  s->label, (unsigned long long)(a > b ? a : b), t->name,
		  pk.size ? buffer_cstr(&pk) : "?",
		  (unsigned long long)(a > b ? b : a));
	buffer_release(&pk);
	return -1;
}

static int hand_over(struct sorted_records *s, const struct table *t,
		     struct row_taker *taker, struct error *err)
{
	const char *line = s->entry + s->tail.head;
	size_t size = s->size - s->tail.head - sizeof(s->tail);
	struct json_piece pk = { NULL, s->tail.pk_size };

	if (pk.size)
		pk.data = line + s->tail.pk_at;
	if (pk.size && s->before.size == s->tail.head &&
	    !memcmp(s->before.data, s->entry, s->tail.head))
		return twice(s, t, pk, err);
	buffer_clear(&s->before);
	buffer_add(&s->before, s->entry, s->tail.head);
	if (buffer_failed(&s->before))
		return error_nomem(err);
	s->before_line = s->tail.line;
	return taker->line(taker, line, size, pk.data, pk.size, err);
}

int sorted_records_rows(struct sorted_records *s, const struct table *t,
			struct row_taker *taker, struct error *err)
{
	while (is_of(s, t)) {
		if (hand_over(s, t, taker, err) < 0 || next_entry(s, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- all of it ---- */

/* While records are stored, people see how many were read. */
struct storing_tick {
	struct export_progress base;
	const struct intake *intake;
};

static int tick_storing(struct export_progress *p, const char *table,
			uint64_t rows)
{
	const struct intake *in = ((struct storing_tick *)p)->intake;

	(void)rows;
	return in->progress->tick(in->progress, table, in->records);
}

static int put_all(struct intake *in, struct sink *s, struct object_id *content,
		   struct error *err)
{
	struct row_origin from = { .records = &in->sorted };
	struct storing_tick t = { .intake = in };

	if (in->progress) {
		t.base.jobs = in->progress->jobs;
		t.base.tick = in->progress->tick ? tick_storing : NULL;
	}
	if (next_entry(&in->sorted, err) < 0)
		return -1;
	return export_put_data(&from, in->catalog, s, &t.base, content, err);
}

int export_records(struct dump *d, const char *label, int partial,
		   struct sink *s, struct export_progress *p,
		   struct catalog **c, struct object_id *content,
		   struct error *err)
{
	struct intake in = { .dump = d, .progress = p, .partial = partial };
	int rc = -1;

	*c = NULL;
	in.sorted.label = label;
	in.catalog = catalog_new();
	if (!in.catalog)
		error_nomem(err);
	else if (sorter_new(&in.sorted.sorter, NULL, SORTER_RUN_BYTES, err) ==
			 0 &&
		 read_all(&in, err) == 0 && fill_catalog(&in, err) == 0)
		rc = put_all(&in, s, content, err);
	if (rc == 0) {
		*c = in.catalog;
		in.catalog = NULL;
	}
	catalog_free(in.catalog);
	sorter_free(in.sorted.sorter);
	buffer_release(&in.sorted.before);
	buffer_release(&in.entry);
	for (size_t i = 0; i < in.count; i++)
		free(in.models[i].name);
	free(in.models);
	return rc;
}
