/*
 * dumpdata.c - a database as the list that Django's loaddata takes
 *
 * Rows are read one at a time, tables in the order of their foreign keys, and
 * each record is a line:
 *
 *     [{"model":"shop.tag","pk":1,"fields":{"name":"new"}},
 *     {"model":"shop.book","pk":7,"fields":{"tags":[1]}}]
 */
#include "export/export.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/error.h"
#include "database/models.h"
#include "snapshot/catalog.h"
#include "snapshot/text.h"

/* So much is written at once. */
#define FLUSH_SIZE ((size_t)64 << 10)
#define TICK_ROWS  1024

struct dump {
	struct database *db;
	struct models *models;
	const struct model *model;
	struct model_rows *rows;
	struct export_progress *progress;
	int (*write)(void *payload, const void *data, size_t size,
		     struct error *err);
	void *payload;
	struct buffer out;
	uint64_t records;
};

static int flush(struct dump *d, size_t limit, struct error *err)
{
	if (buffer_failed(&d->out))
		return error_nomem(err);
	if (d->out.size < limit || !d->out.size)
		return 0;
	if (d->write(d->payload, d->out.data, d->out.size, err) < 0)
		return -1;
	buffer_clear(&d->out);
	return 0;
}

/* Where the value stands that could not be written; `key` is its record's. */
static int unfit(const struct dump *d, const char *column, struct buffer *key,
		 const struct error *why, struct error *err)
{
	const char *pk = key->size ? buffer_cstr(key) : NULL;

	if (why->code != ERROR_FAILED)
		return error_set(err, why->code, "%s", why->message);
	return error_set(err, ERROR_FAILED,
			 "table '%.200s', pk %.100s, column '%.200s' %s; give "
			 "the column's type with --map",
			 d->model->table->name, pk ? pk : "?", column,
			 why->message);
}

static void put_name(struct dump *d, const char **comma, const char *name)
{
	buffer_str(&d->out, *comma);
	text_json_string(&d->out, name, strlen(name));
	buffer_byte(&d->out, ':');
	*comma = ",";
}

static int put_fields(struct dump *d, struct buffer *key, struct error *err)
{
	const struct model *m = d->model;
	struct error why = ERROR_INIT;
	const char *comma = "";

	for (size_t i = 0; i < m->table->column_count; i++) {
		const struct model_column *c = &m->columns[i];

		if ((int)i == m->key || c->generated)
			continue;
		put_name(d, &comma, c->field);
		if (model_rows_column(d->rows, (int)i, c->class, &d->out,
				      &why) < 0)
			return unfit(d, c->name, key, &why, err);
	}
	for (size_t i = 0; i < m->list_count; i++) {
		put_name(d, &comma, m->lists[i].field);
		if (model_rows_list(d->rows, i, &d->out, &why) < 0)
			return unfit(d, m->lists[i].field, key, &why, err);
	}
	return 0;
}

static int put_record(struct dump *d, struct buffer *key, struct error *err)
{
	const struct model_column *c = &d->model->columns[d->model->key];
	struct error why = ERROR_INIT;

	buffer_clear(key);
	if (model_rows_column(d->rows, d->model->key, c->class, key, &why) < 0)
		return unfit(d, c->name, key, &why, err);
	buffer_str(&d->out, d->records++ ? ",\n{\"model\":" : "{\"model\":");
	text_json_string(&d->out, d->model->label, strlen(d->model->label));
	buffer_str(&d->out, ",\"pk\":");
	buffer_add(&d->out, key->data, key->size);
	buffer_str(&d->out, ",\"fields\":{");
	if (put_fields(d, key, err) < 0)
		return -1;
	buffer_str(&d->out, "}}");
	return flush(d, FLUSH_SIZE, err);
}

static int put_model(struct dump *d, size_t at, struct error *err)
{
	struct buffer key = BUFFER_INIT;
	uint64_t rows = 0;
	int rc;

	d->model = &d->models->items[at];
	if (d->model->key < 0)
		return error_set(err, ERROR_FAILED,
				 "table '%.200s' of model '%.200s' has no "
				 "primary key of one column",
				 d->model->table->name, d->model->label);
	if (model_rows_open(&d->rows, d->db, d->models, at, err) < 0)
		return -1;
	while ((rc = model_rows_next(d->rows, err)) > 0) {
		rc = put_record(d, &key, err);
		if (rc == 0 && ++rows % TICK_ROWS == 0 && d->progress &&
		    d->progress->tick(d->progress, d->model->table->name, rows))
			rc = error_set(err, ERROR_INTERRUPTED, "interrupted");
		if (rc < 0)
			break;
	}
	model_rows_free(d->rows);
	buffer_release(&key);
	return rc;
}

/* Django keeps what it did to the schema in a table that is no model. */
static int is_expected(const struct model *m)
{
	return m->joins || !strcasecmp(m->table->name, "django_migrations");
}

static int put_models(struct dump *d, struct dumpdata_report *out,
		      struct error *err)
{
	out->left_out = calloc(d->models->count + 1, sizeof(*out->left_out));
	if (!out->left_out)
		return error_nomem(err);
	for (size_t i = 0; i < d->models->count; i++) {
		const struct model *m = &d->models->items[i];

		if (m->label) {
			out->models++;
			if (put_model(d, i, err) < 0)
				return -1;
		} else if (!is_expected(m)) {
			out->left_out[out->left_out_count++] = m->table->name;
		}
	}
	if (!out->models)
		return error_set(err, ERROR_FAILED,
				 "the database has no django_content_type that "
				 "tells its models; name them with --map");
	out->records = d->records;
	return 0;
}

int export_dumpdata(struct database *db, const struct catalog *c,
		    const struct model_map *map, struct export_progress *p,
		    int (*write)(void *payload, const void *data, size_t size,
				 struct error *err),
		    void *payload, struct dumpdata_report *out,
		    struct error *err)
{
	struct dump d = {
		.db = db, .progress = p, .write = write, .payload = payload
	};
	int rc = -1;

	memset(out, 0, sizeof(*out));
	if (models_read(&d.models, db, c, map, err) < 0)
		return -1;
	buffer_byte(&d.out, '[');
	if (put_models(&d, out, err) == 0) {
		buffer_str(&d.out, "]\n");
		rc = flush(&d, 0, err);
	}
	buffer_release(&d.out);
	models_free(d.models);
	if (rc < 0)
		dumpdata_report_release(out);
	return rc;
}

void dumpdata_report_release(struct dumpdata_report *r)
{
	free(r->left_out);
	memset(r, 0, sizeof(*r));
}
