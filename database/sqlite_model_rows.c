/*
 * sqlite_model_rows.c - rows of models' tables, as records have them
 */
#include "database/models.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/error.h"
#include "database/sqlite_internal.h"
#include "snapshot/model_map.h"
#include "snapshot/text.h"

struct model_rows {
	struct database *db;
	const struct models *models;
	const struct model *model;
	sqlite3_stmt *all, *one; /* prepared when asked for */
	sqlite3_stmt *row;       /* the one that stands on a row, or NULL */
	sqlite3_stmt **lists;
	struct record_reader *json;
	struct buffer text;
};

int model_rows_open(struct model_rows **out, struct database *db,
		    const struct models *m, size_t model, struct error *err)
{
	struct model_rows *r = calloc(1, sizeof(*r));

	*out = r;
	if (!r)
		return error_nomem(err);
	r->db = db;
	r->models = m;
	r->model = &m->items[model];
	r->lists = calloc(r->model->list_count + 1, sizeof(*r->lists));
	if (!r->lists || record_reader_new(&r->json, err) < 0) {
		model_rows_free(r);
		*out = NULL;
		return error_nomem(err);
	}
	return 0;
}

void model_rows_free(struct model_rows *r)
{
	if (!r)
		return;
	sqlite3_finalize(r->all);
	sqlite3_finalize(r->one);
	for (size_t i = 0; r->lists && i < r->model->list_count; i++)
		sqlite3_finalize(r->lists[i]);
	free(r->lists);
	record_reader_free(r->json);
	buffer_release(&r->text);
	free(r);
}

/* ---- finding them ---- */

/* Columns stand in the table's order, the generated ones too. */
static int prepare(struct model_rows *r, sqlite3_stmt **out, const char *tail,
		   struct error *err)
{
	const struct model *m = r->model;
	sqlite3_str *text = sqlite3_str_new(r->db->sql);
	char *sql;
	int rc = -1;

	for (size_t i = 0; i < m->table->column_count; i++)
		sqlite3_str_appendf(text, "%s t.\"%w\"", i ? "," : "SELECT",
				    m->columns[i].name);
	sqlite3_str_appendf(text, " FROM main.\"%w\" AS t %s t.\"%w\"",
			    m->table->name, tail, m->columns[m->key].name);
	if (*tail == 'W')
		sqlite3_str_appendall(text, " = ?1");
	sql = sqlite3_str_finish(text);
	if (!sql)
		error_nomem(err);
	else
		rc = sql_prepare(r->db->sql, out, err, "%s", sql);
	sqlite3_free(sql);
	return rc;
}

int model_rows_next(struct model_rows *r, struct error *err)
{
	int rc;

	if (!r->all && prepare(r, &r->all, "ORDER BY", err) < 0)
		return -1;
	rc = sql_step(r->all, err);
	r->row = rc > 0 ? r->all : NULL;
	return rc;
}

static int bind(struct model_rows *r, sqlite3_stmt *st, const struct value *v,
		struct error *err)
{
	int rc = SQLITE_OK;

	switch (v->class) {
	case VALUE_INTEGER:
		rc = sqlite3_bind_int64(st, 1, v->integer);
		break;
	case VALUE_REAL:
		rc = sqlite3_bind_double(st, 1, v->real);
		break;
	case VALUE_BLOB:
		rc = sqlite3_bind_blob64(st, 1, v->size ? v->data : "", v->size,
					 SQLITE_STATIC);
		break;
	case VALUE_TEXT:
		return sql_bind_text(r->db, st, 1, v->data, v->size, err);
	default:
		rc = sqlite3_bind_null(st, 1);
	}
	return rc == SQLITE_OK
		       ? 0
		       : sql_error(r->db->sql, err, "cannot bind a value");
}

int model_rows_find(struct model_rows *r, const struct value *key,
		    struct error *err)
{
	int rc;

	if (!r->one && prepare(r, &r->one, "WHERE", err) < 0)
		return -1;
	sqlite3_reset(r->one);
	if (bind(r, r->one, key, err) < 0)
		return -1;
	rc = sql_step(r->one, err);
	r->row = rc > 0 ? r->one : NULL;
	return rc;
}

/* ---- values ---- */

/** A column of a statement, borrowed from it or from `r`. */
static int take(struct model_rows *r, sqlite3_stmt *st, int column,
		struct value *v, struct error *err)
{
	sql_value(r->db, st, column, v);
	if (v->class != VALUE_TEXT || r->db->encoding == ENCODING_UTF8)
		return 0;
	buffer_clear(&r->text);
	if (text_from_utf16(&r->text, v->data, v->size,
			    r->db->encoding == ENCODING_UTF16BE)) {
		v->class = VALUE_TEXT16;
		return 0;
	}
	v->data = r->text.data;
	v->size = r->text.size;
	return buffer_failed(&r->text) ? error_nomem(err) : 0;
}

static int put(struct model_rows *r, sqlite3_stmt *st, int column,
	       enum field_class class, struct buffer *out, struct error *err)
{
	const struct model_map *map = r->models->map;
	struct value v;

	if (take(r, st, column, &v, err) < 0)
		return -1;
	return field_encode(class, &v, !(map && map->no_zone), r->json, out,
			    err);
}

int model_rows_column(struct model_rows *r, int column, enum field_class class,
		      struct buffer *out, struct error *err)
{
	return put(r, r->row, column, class, out, err);
}

static int prepare_list(struct model_rows *r, const struct model_list *l,
			sqlite3_stmt **out, struct error *err)
{
	const struct model *join = &r->models->items[l->table];

	return sql_prepare(r->db->sql, out, err,
			   "SELECT t.\"%w\" FROM main.\"%w\" AS t WHERE "
			   "t.\"%w\" = ?1 ORDER BY t.\"%w\"",
			   join->columns[l->other].name, join->table->name,
			   join->columns[l->own].name,
			   join->columns[join->key].name);
}

int model_rows_list(struct model_rows *r, size_t list, struct buffer *out,
		    struct error *err)
{
	const struct model_list *l = &r->model->lists[list];
	const struct model *join = &r->models->items[l->table];
	enum field_class class = join->columns[l->other].class;
	sqlite3_stmt **st = &r->lists[list];
	const char *comma = "";
	int rc;

	if (!*st && prepare_list(r, l, st, err) < 0)
		return -1;
	if (sqlite3_bind_value(*st, 1,
			       sqlite3_column_value(r->row, r->model->key)))
		return sql_error(r->db->sql, err, "cannot bind a value");
	buffer_byte(out, '[');
	while ((rc = sql_step(*st, err)) > 0) {
		buffer_str(out, comma);
		if ((rc = put(r, *st, 0, class, out, err)) < 0)
			break;
		comma = ",";
	}
	sqlite3_reset(*st);
	buffer_byte(out, ']');
	return rc < 0 ? -1 : buffer_failed(out) ? error_nomem(err) : 0;
}
