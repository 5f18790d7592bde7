/*
 * records_check.c - records that were restored, read back and compared
 *
 * The way back is the one that an export for Django goes.  Each value is
 * compared as the application sees it: '10.5' and '10.50' are one decimal.
 */
#include "restore/restore.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "database/database.h"
#include "database/models.h"
#include "snapshot/catalog.h"
#include "snapshot/records.h"
#include "snapshot/text.h"

#define TICK_ROWS  1024
#define SHOWN_MAX  200 /* bytes of a value in a message */
#define NAME_SHOWN 100

struct check {
	const struct restore_records *how;
	struct records *records;
	struct database *db;
	struct catalog *catalog;
	struct models *models;
	/* of the model being read */
	const char *label;
	const struct model *model;
	struct model_rows *rows;
	struct buffer text, json;
};

static int differs(struct check *c, const struct record *r,
		   struct json_piece name, const char *what,
		   struct json_piece want, struct json_piece got,
		   struct error *err)
{
	struct buffer b = BUFFER_INIT;
	const char *text;

	record_show_pk(&b, r);
	if (name.data) {
		buffer_str(&b, ", field '");
		text_display(&b, name.data + 1, name.size - 2, NAME_SHOWN);
		buffer_byte(&b, '\'');
	}
	buffer_printf(&b, ": %s", what);
	if (want.data) {
		buffer_str(&b, ": recorded as ");
		text_display(&b, want.data, want.size, SHOWN_MAX);
		buffer_str(&b, ", restored as ");
		text_display(&b, got.data, got.size, SHOWN_MAX);
	}
	text = buffer_cstr(&b);
	error_set(err, ERROR_DAMAGE, "model '%.200s', %s", c->label,
		  text ? text : "?");
	buffer_release(&b);
	return -1;
}

static const struct json_piece none;

/* ---- fields ---- */

/* A duration lies in a column like any number. */
static enum field_class class_of(enum field_class class, struct json_piece json)
{
	return class == FIELD_BIGINT && *json.data == '"' ? FIELD_DURATION
							  : class;
}

static int same_list(enum field_class class, struct json_piece a,
		     struct json_piece b, struct error *err)
{
	struct json_piece x, y;
	struct json_walk v, w;
	int same;

	if (*a.data != '[')
		return 0;
	json_walk_begin(&v, a);
	json_walk_begin(&w, b);
	while (json_walk_next(&v, NULL, &x)) {
		if (!json_walk_next(&w, NULL, &y))
			return 0;
		same = field_same(class, x, y, err);
		if (same <= 0)
			return same;
	}
	return !json_walk_next(&w, NULL, &y);
}

static int check_list(struct check *c, size_t list, struct json_piece json,
		      struct error *err)
{
	const struct model_list *l = &c->model->lists[list];
	const struct model *join = &c->models->items[l->table];

	if (model_rows_list(c->rows, list, &c->json, err) < 0)
		return -1;
	return same_list(join->columns[l->other].class, json,
			 (struct json_piece){ c->json.data, c->json.size },
			 err);
}

static int check_column(struct check *c, int column, struct json_piece json,
			struct error *err)
{
	enum field_class class =
		class_of(c->model->columns[column].class, json);

	if (c->model->columns[column].generated)
		return 1;
	if (model_rows_column(c->rows, column, class, &c->json, err) < 0)
		return -1;
	return field_same(class, json,
			  (struct json_piece){ c->json.data, c->json.size },
			  err);
}

static int check_field(struct check *c, const struct record *r,
		       struct json_piece name, struct json_piece json,
		       struct error *err)
{
	struct error why = ERROR_INIT;
	int column, list, same;

	buffer_clear(&c->text);
	buffer_clear(&c->json);
	json_piece_text(&c->text, name);
	if (buffer_failed(&c->text))
		return error_nomem(err);
	column = model_column_of(c->model, c->text.data, c->text.size);
	list = model_list_of(c->model, c->text.data, c->text.size);
	if (column < 0 && list < 0)
		return differs(c, r, name, "it has no column", none, none, err);
	same = column >= 0 ? check_column(c, column, json, &why)
			   : check_list(c, (size_t)list, json, &why);
	if (same > 0)
		return 0;
	if (same < 0)
		return differs(c, r, name, why.message, none, none, err);
	return differs(c, r, name, "it came back changed", json,
		       (struct json_piece){ c->json.data, c->json.size }, err);
}

/* ---- records ---- */

static int find_row(struct check *c, const struct record *r, struct error *err)
{
	struct error why = ERROR_INIT;
	struct value key;
	int rc;

	if (!r->pk.data)
		return differs(c, r, none, "it cannot be found again", none,
			       none, err);
	if (field_decode(c->model->columns[c->model->key].class, r->pk,
			 &c->text, &key, &why) < 0)
		return differs(c, r, none, why.message, none, none, err);
	rc = model_rows_find(c->rows, &key, err);
	if (rc == 0)
		return differs(c, r, none, "it did not come back", none, none,
			       err);
	return rc;
}

static int check_record(struct check *c, const struct record *r,
			struct error *err)
{
	struct json_piece name, json;
	struct json_walk walk;

	if (find_row(c, r, err) < 0)
		return -1;
	json_walk_begin(&walk, r->fields);
	while (json_walk_next(&walk, &name, &json))
		if (check_field(c, r, name, json, err) < 0)
			return -1;
	return 0;
}

static int check_rows(struct check *c, const struct table *model,
		      struct error *err)
{
	struct restore_progress *p = c->how->progress;
	uint64_t rows = 0, there = 0;
	struct record r;
	int rc;

	if (records_begin(c->records, model, err) < 0)
		return -1;
	while ((rc = records_next(c->records, &r, err)) > 0) {
		if (check_record(c, &r, err) < 0)
			return -1;
		if (++rows % TICK_ROWS == 0 && p && p->tick(p, c->label, rows))
			return error_set(err, ERROR_INTERRUPTED, "interrupted");
	}
	if (rc < 0)
		return -1;
	while ((rc = model_rows_next(c->rows, err)) > 0)
		there++;
	if (rc == 0 && there != rows)
		rc = error_set(err, ERROR_DAMAGE,
			       "model '%.200s': the snapshot has %llu records, "
			       "the restored table %llu rows",
			       c->label, (unsigned long long)rows,
			       (unsigned long long)there);
	return rc;
}

static int check_model(struct check *c, const struct table *model,
		       struct error *err)
{
	size_t at = models_find(c->models, model->name);
	int rc;

	c->label = model->name;
	if (at == NO_MODEL || c->models->items[at].key < 0)
		return error_set(err, ERROR_DAMAGE,
				 "model '%.200s' has no table", c->label);
	c->model = &c->models->items[at];
	if (model_rows_open(&c->rows, c->db, c->models, at, err) < 0)
		return -1;
	rc = check_rows(c, model, err);
	model_rows_free(c->rows);
	c->rows = NULL;
	return rc;
}

int restore_records_check(struct records *r, const char *path,
			  const struct restore_records *how, struct error *err)
{
	const struct database_options o = { 0 };
	const struct catalog *models = records_catalog(r);
	struct check c = { .how = how, .records = r };
	int rc = -1;

	if (database_open(&c.db, path, &o, err) == 0 &&
	    database_begin(c.db, err) == 0 &&
	    database_catalog(c.db, &c.catalog, err) == 0)
		rc = models_read(&c.models, c.db, c.catalog, how->map, err);
	for (size_t i = 0; rc == 0 && i < models->table_count; i++)
		rc = check_model(&c, &models->tables[i], err);
	models_free(c.models);
	catalog_free(c.catalog);
	database_close(c.db);
	buffer_release(&c.text);
	buffer_release(&c.json);
	return rc;
}
