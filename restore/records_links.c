/*
 * records_links.c - do the records' foreign keys lead to rows?
 *
 * Looked at before anything is written, when it can be told whose fault it is.
 */
#include "restore/records_internal.h"

#include <string.h>

#include "restore/restore_internal.h"

/* ... AND NOT EXISTS (...) */
static void add_absent(sqlite3_str *sql, const char *schema,
		       const struct model *parent, int column, const char *of)
{
	sqlite3_str_appendf(sql,
			    " AND NOT EXISTS (SELECT 1 FROM %s.\"%w\" AS p "
			    "WHERE p.\"%w\" = s.\"%w\")",
			    schema, parent->table->name,
			    parent->columns[column].name, of);
}

/* Two columns: the pk of the record, and what it refers to. */
static char *lost_text(struct stage *s, const struct staged_table *t,
		       const struct model_column *c)
{
	const struct staged_table *parent = &s->tables[c->parent];
	const struct model *m = t->model;
	int named = t->list ? t->list->own : m->key;
	sqlite3_str *sql = sqlite3_str_new(s->db);

	sqlite3_str_appendf(sql,
			    "SELECT s.\"%w\", s.\"%w\" FROM main.\"%w\" AS s "
			    "WHERE s.\"%w\" IS NOT NULL",
			    m->columns[named].name, c->name, m->table->name,
			    c->name);
	if (parent->here)
		add_absent(sql, "main", parent->model, c->parent_column,
			   c->name);
	if (!parent->here || !parent->chosen)
		add_absent(sql, "target", parent->model, c->parent_column,
			   c->name);
	sqlite3_str_appendall(sql, " LIMIT 1");
	return sqlite3_str_finish(sql);
}

static int tell(struct stage *s, const struct staged_table *t,
		const struct model_column *c, sqlite3_stmt *row,
		struct error *err)
{
	const struct staged_table *parent = &s->tables[c->parent];
	const char *field = t->list ? t->list->field : c->field;
	const char *value = (const char *)sqlite3_column_text(row, 1);
	char pk[300];

	snprintf(pk, sizeof pk, "pk %.200s",
		 (const char *)sqlite3_column_text(row, 0));
	return records_refuse(
		t, pk, (struct json_piece){ field, strlen(field) }, err,
		"it leads to %.200s, and there is no such row of table '%.200s'"
		"%s",
		value ? value : "?", parent->model->table->name,
		parent->here && parent->chosen ? " in the snapshot"
					       : "; restore that model, too");
}

static int check_link(struct stage *s, const struct staged_table *t,
		      const struct model_column *c, struct error *err)
{
	const struct staged_table *parent = &s->tables[c->parent];
	sqlite3_stmt *stmt = NULL;
	int rc;

	/* a key that no record tells stays the target's, and replaying looks
	 * at it */
	if (parent->here && !parent->has[c->parent_column])
		return 0;
	if (target_prepare(s->db, &stmt, lost_text(s, t, c), err,
			   "cannot check foreign keys") < 0)
		return -1;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		tell(s, t, c, stmt, err);
	else if (rc != SQLITE_DONE)
		target_failed(s->db, err, "cannot check foreign keys");
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

int records_check_links(struct stage *s, struct error *err)
{
	for (size_t i = 0; i < s->models->count; i++) {
		const struct staged_table *t = &s->tables[i];
		const struct model *m = t->model;

		for (size_t j = 0; t->here && j < m->table->column_count; j++)
			if (t->has[j] && m->columns[j].parent != NO_MODEL &&
			    check_link(s, t, &m->columns[j], err) < 0)
				return -1;
	}
	return 0;
}
