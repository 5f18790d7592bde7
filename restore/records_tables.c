/*
 * records_tables.c - the tables that records are staged in
 *
 * A staged table begins with its key and grows by the columns that records turn
 * out to have: what no record tells of stays as it is in the target.
 */
#include "restore/records_internal.h"

#include <stdlib.h>

#include "restore/restore_internal.h"
#include "snapshot/text.h"

static const struct table *table_of(const struct staged_table *t)
{
	return t->model->table;
}

static int has_own_rowid(const struct staged_table *t)
{
	return table_of(t)->order == ORDER_ROWID &&
	       table_of(t)->rowid_column != t->model->key;
}

/* ---- creating ---- */

static const char *key_type(const struct staged_table *t)
{
	if (table_of(t)->order == ORDER_ROWID &&
	    table_of(t)->rowid_column == t->model->key)
		return "INTEGER"; /* it is the rowid */
	return t->model->columns[t->model->key].affinity;
}

/* Row numbers that the target does not use. */
static int find_next(struct stage *s, struct staged_table *t, struct error *err)
{
	int own = has_own_rowid(t), rc;
	char *sql;

	if (!own && !t->list)
		return 0;
	sql = sqlite3_mprintf("SELECT coalesce(max(t.\"%w\"), 0) FROM "
			      "target.\"%w\" AS t",
			      own ? table_of(t)->rowid_key
				  : t->model->columns[t->model->key].name,
			      table_of(t)->name);
	rc = sql ? target_number(s->db, &t->next, sql, err) : error_nomem(err);
	sqlite3_free(sql);
	t->next += t->next < INT64_MAX;
	return rc;
}

int records_create(struct stage *s, struct staged_table *t, struct error *err)
{
	size_t columns = table_of(t)->column_count;
	const struct model_column *key = &t->model->columns[t->model->key];
	sqlite3_str *sql;

	t->has = calloc(columns + 1, sizeof(*t->has));
	t->seen = calloc(columns + 1, sizeof(*t->seen));
	t->fallbacks = calloc(columns + 1, sizeof(sqlite3_value *));
	if (!t->has || !t->seen || !t->fallbacks)
		return error_nomem(err);
	sql = sqlite3_str_new(s->db);
	sqlite3_str_appendf(sql,
			    "CREATE TABLE main.\"%w\"(\"%w\" %s NOT NULL "
			    "PRIMARY KEY",
			    table_of(t)->name, key->name, key_type(t));
	if (t->list) {
		/* twice the same in a list can't be told from once */
		const struct model_column *c = t->model->columns;

		sqlite3_str_appendf(
			sql,
			", \"%w\" %s, \"%w\" %s, UNIQUE(\"%w\", "
			"\"%w\")",
			c[t->list->own].name, c[t->list->own].affinity,
			c[t->list->other].name, c[t->list->other].affinity,
			c[t->list->own].name, c[t->list->other].name);
		t->has[t->list->own] = t->has[t->list->other] = 1;
	}
	sqlite3_str_appendall(sql,
			      table_of(t)->order == ORDER_KEY ||
					      table_of(t)->order == ORDER_SORTED
				      ? ") WITHOUT ROWID"
				      : ")");
	t->has[t->model->key] = 1;
	t->here = 1;
	if (target_run(s->db, sqlite3_str_finish(sql), err,
		       "cannot make a table for records") < 0)
		return -1;
	return find_next(s, t, err);
}

static int read_fallback(struct stage *s, struct staged_table *t, int column,
			 struct error *err)
{
	const struct model_column *c = &t->model->columns[column];
	sqlite3_stmt *stmt = NULL;
	int rc = -1;

	if (!c->fallback)
		return 0;
	if (target_prepare(s->db, &stmt,
			   sqlite3_mprintf("SELECT %s", c->fallback), err,
			   "cannot read a column's DEFAULT") < 0)
		return -1;
	if (sqlite3_step(stmt) != SQLITE_ROW)
		target_failed(s->db, err,
			      "cannot read the DEFAULT of column '%s'",
			      c->name);
	else if (!(t->fallbacks[column] =
			   sqlite3_value_dup(sqlite3_column_value(stmt, 0))))
		error_nomem(err);
	else
		rc = 0;
	sqlite3_finalize(stmt);
	return rc;
}

/* Records that were read before did not have it. */
static int fill_in(struct stage *s, struct staged_table *t, int column,
		   struct error *err)
{
	const struct model_column *c = &t->model->columns[column];
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (!t->fallbacks[column])
		return 0;
	if (target_prepare(s->db, &stmt,
			   sqlite3_mprintf("UPDATE main.\"%w\" SET \"%w\" = ?1",
					   table_of(t)->name, c->name),
			   err, "cannot write records") < 0)
		return -1;
	sqlite3_bind_value(stmt, 1, t->fallbacks[column]);
	rc = sqlite3_step(stmt) == SQLITE_DONE
		     ? 0
		     : target_failed(s->db, err, "cannot write records");
	sqlite3_finalize(stmt);
	return rc;
}

int records_add_column(struct stage *s, struct staged_table *t, int column,
		       struct error *err)
{
	const struct model_column *c = &t->model->columns[column];

	sqlite3_finalize(t->insert);
	t->insert = NULL;
	t->has[column] = 1;
	if (target_run(s->db,
		       sqlite3_mprintf("ALTER TABLE main.\"%w\" ADD COLUMN "
				       "\"%w\" %s",
				       table_of(t)->name, c->name, c->affinity),
		       err, "cannot make a table for records") < 0 ||
	    read_fallback(s, t, column, err) < 0)
		return -1;
	return t->rows ? fill_in(s, t, column, err) : 0;
}

/* ---- rows ---- */

/*
 * A row keeps the number that it has in the target: its rowid, or the key of a
 * join table's row, which no record tells.
 */
static void add_number(sqlite3_str *sql, const struct stage *s,
		       const struct staged_table *t, int parameter)
{
	const struct model *m = t->model;

	if (t->list && s->how->new_links) {
		sqlite3_str_appendf(sql, "?%d", parameter);
		return;
	}
	sqlite3_str_appendf(sql,
			    "coalesce((SELECT t.\"%w\" FROM target.\"%w\" AS t "
			    "WHERE ",
			    t->list ? m->columns[m->key].name
				    : table_of(t)->rowid_key,
			    table_of(t)->name);
	if (t->list)
		sqlite3_str_appendf(
			sql, "t.\"%w\" = ?%d AND t.\"%w\" = ?%d LIMIT 1",
			m->columns[t->list->own].name, t->list->own + 1,
			m->columns[t->list->other].name, t->list->other + 1);
	else
		sqlite3_str_appendf(sql, "t.\"%w\" = ?%d",
				    m->columns[m->key].name, m->key + 1);
	sqlite3_str_appendf(sql, "), ?%d)", parameter);
}

int records_prepare(struct stage *s, struct staged_table *t, struct error *err)
{
	const struct model *m = t->model;
	size_t count = table_of(t)->column_count;
	sqlite3_str *sql = sqlite3_str_new(s->db);
	const char *comma = "";

	sqlite3_str_appendf(sql, "INSERT INTO main.\"%w\"(", table_of(t)->name);
	if (has_own_rowid(t) && !t->list) {
		sqlite3_str_appendf(sql, "\"%w\"", table_of(t)->rowid_key);
		comma = ", ";
	}
	for (size_t i = 0; i < count; i++) {
		if (!t->has[i])
			continue;
		sqlite3_str_appendf(sql, "%s\"%w\"", comma, m->columns[i].name);
		comma = ", ";
	}
	sqlite3_str_appendall(sql, ") VALUES(");
	comma = "";
	if (has_own_rowid(t) && !t->list) {
		add_number(sql, s, t, (int)count + 1);
		comma = ", ";
	}
	for (size_t i = 0; i < count; i++) {
		if (!t->has[i])
			continue;
		sqlite3_str_appendall(sql, comma);
		if (t->list && (int)i == m->key)
			add_number(sql, s, t, (int)count + 1);
		else
			sqlite3_str_appendf(sql, "?%d", (int)i + 1);
		comma = ", ";
	}
	sqlite3_str_appendchar(sql, 1, ')');
	return target_prepare(s->db, &t->insert, sqlite3_str_finish(sql), err,
			      "cannot write records");
}

static int bind_text(struct stage *s, sqlite3_stmt *stmt, int parameter,
		     const struct value *v)
{
	int big = s->catalog->encoding == ENCODING_UTF16BE, rc;
	struct buffer text = BUFFER_INIT;

	if (s->catalog->encoding == ENCODING_UTF8)
		return sqlite3_bind_text64(stmt, parameter, v->data, v->size,
					   SQLITE_TRANSIENT, SQLITE_UTF8);
	/* by ourselves: SQLite would change U+FFFE and U+FFFF; it takes a
	 * leading byte order mark away, so that there has to be one */
	buffer_add(&text, big ? "\xfe\xff" : "\xff\xfe", 2);
	text_to_utf16(&text, v->data, v->size, big);
	rc = buffer_failed(&text)
		     ? SQLITE_NOMEM
		     : sqlite3_bind_text64(stmt, parameter, text.data,
					   text.size, SQLITE_TRANSIENT,
					   big ? SQLITE_UTF16BE
					       : SQLITE_UTF16LE);
	buffer_release(&text);
	return rc;
}

int records_bind(struct stage *s, struct staged_table *t, int column,
		 const struct value *v, struct error *err)
{
	int rc = SQLITE_OK;

	switch (v->class) {
	case VALUE_INTEGER:
		rc = sqlite3_bind_int64(t->insert, column + 1, v->integer);
		break;
	case VALUE_REAL:
		rc = sqlite3_bind_double(t->insert, column + 1, v->real);
		break;
	case VALUE_TEXT:
		rc = bind_text(s, t->insert, column + 1, v);
		break;
	case VALUE_BLOB:
		rc = sqlite3_bind_blob64(t->insert, column + 1,
					 v->size ? v->data : "", v->size,
					 SQLITE_TRANSIENT);
		break;
	default:
		rc = sqlite3_bind_null(t->insert, column + 1);
	}
	return rc == SQLITE_OK
		       ? 0
		       : target_failed(s->db, err, "cannot write records");
}

int records_bind_fallback(struct stage *s, struct staged_table *t, int column,
			  struct error *err)
{
	int rc = t->fallbacks[column]
			 ? sqlite3_bind_value(t->insert, column + 1,
					      t->fallbacks[column])
			 : sqlite3_bind_null(t->insert, column + 1);

	return rc == SQLITE_OK
		       ? 0
		       : target_failed(s->db, err, "cannot write records");
}

int records_insert(struct stage *s, struct staged_table *t, struct error *err)
{
	int numbered = t->list || has_own_rowid(t), rc;

	if (numbered)
		sqlite3_bind_int64(t->insert,
				   (int)table_of(t)->column_count + 1, t->next);
	rc = sqlite3_step(t->insert);
	sqlite3_reset(t->insert);
	if ((rc & 0xff) == SQLITE_CONSTRAINT)
		return 1;
	if (rc != SQLITE_DONE)
		return target_failed(s->db, err, "cannot write records");
	if (numbered && sqlite3_last_insert_rowid(s->db) == t->next &&
	    t->next < INT64_MAX)
		t->next++;
	t->rows++;
	return 0;
}
