/*
 * sqlite_index_plan.c - what an index holds: columns, and which rows
 */
#include "base/error.h"
#include "database/sqlite_pages.h"

#include <stdlib.h>
#include <strings.h>

void index_plan_release(struct index_plan *x)
{
	record_plan_release(&x->record);
	free(x->columns);
	free(x->where);
	memset(x, 0, sizeof(*x));
}

int collation_of(const char *name, enum index_collation *out)
{
	static const char *const names[] = { "BINARY", "NOCASE", "RTRIM" };
	int i;

	for (i = 0; name && i < 3; i++) {
		if (!strcasecmp(name, names[i])) {
			*out = (enum index_collation)i;
			return 0;
		}
	}
	return 1;
}

/* How a column lies in a row's record; virtual ones are not there. */
static const struct field *field_of(const struct record_plan *rows,
				    const struct table *t, int column)
{
	const struct field *f = rows->fields;
	int i;

	for (i = 0; i < column; i++)
		f += t->columns[i].generated != 1;
	return f;
}

/* Which column is it, and how does it sort? @return 0; 1: it is none that we
 * read */
static int read_column(struct index_column *c, const struct table *t,
		       sqlite3_stmt *st)
{
	int column = sqlite3_column_int(st, 1);

	if (column < -1 || column >= (int)t->column_count ||
	    (column >= 0 && t->columns[column].generated) ||
	    collation_of((const char *)sqlite3_column_text(st, 4),
			 &c->collation))
		return 1;
	c->value = column < 0 ? -1 : table_value(t, column);
	c->descending = sqlite3_column_int(st, 3);
	return 0;
}

/* Add what PRAGMA index_xinfo tells of a column; room is there.
 * @return 0; 1: it is none that we read */
static int add_column(struct index_plan *x, const struct table *t,
		      const struct record_plan *rows, sqlite3_stmt *st)
{
	struct index_column *c = &x->columns[x->column_count];
	struct field *f = &x->record.fields[x->column_count];
	int column = sqlite3_column_int(st, 1);

	if (read_column(c, t, st))
		return 1;
	f->value = (int)x->column_count++;
	f->real = column >= 0 && field_of(rows, t, column)->real;
	f->strange = 1; /* an entry has all columns */
	x->key_count += sqlite3_column_int(st, 5) != 0;
	x->record.field_count = x->record.value_count = x->column_count;
	return 0;
}

static int plan_columns(struct index_plan *x, struct database *db,
			const struct table *t, const struct record_plan *rows,
			const char *name, struct error *err)
{
	/* each column of the table, an expression each, the rowid: an index can
	 * name a column more than once */
	size_t room = 2 * t->column_count + 2;
	sqlite3_stmt *st;
	int rc, other = 0;

	x->columns = calloc(room, sizeof(*x->columns));
	x->record.fields = calloc(room, sizeof(*x->record.fields));
	x->record.rowid_value = -1;
	if (!x->columns || !x->record.fields)
		return error_nomem(err);
	if (sql_prepare(db->sql, &st, err, "PRAGMA main.index_xinfo(\"%w\")",
			name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0 && !other)
		other = x->column_count == room || add_column(x, t, rows, st);
	sqlite3_finalize(st);
	if (rc < 0)
		return -1;
	/* the rowid stands last, and is no part of the key */
	return other || x->column_count < 2 ||
	       x->key_count != x->column_count - 1 ||
	       x->columns[x->key_count].value != -1;
}

/* Root page, and which rows it is about. @return 0; 1; -1 */
static int plan_rows(struct index_plan *x, struct database *db,
		     const char *name, int partial, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(db->sql, &st, err,
			"SELECT rootpage, sql FROM main.sqlite_schema "
			"WHERE type = 'index' AND name = '%q'",
			name) < 0)
		return -1;
	rc = sql_step(st, err);
	if (rc > 0) {
		const char *text = (const char *)sqlite3_column_text(st, 1);
		const char *where = text ? statement_where(text) : NULL;

		x->root = (uint32_t)sqlite3_column_int64(st, 0);
		if (where && !(x->where = strdup(where)))
			rc = error_nomem(err);
	}
	sqlite3_finalize(st);
	if (rc < 0)
		return -1;
	return !rc || x->root < 2 || !x->where != !partial;
}

/* By the rows' own values we can tell what "c IS NULL" and "c IS NOT NULL" are
 * about.  Where a column is NOT NULL, SQLite asks no row, so what it does with
 * a NULL all the same is its own. */
static void plan_filter(struct index_plan *x, const struct table *t,
			const struct record_plan *rows)
{
	char *name = x->where ? statement_null_test(x->where, &x->filter_null)
			      : NULL;
	size_t i;

	x->filter = -1;
	for (i = 0; name && i < t->column_count; i++)
		if (!sqlite3_stricmp(t->columns[i].name, name) &&
		    !t->columns[i].generated && (int)i != t->rowid_column &&
		    !field_of(rows, t, (int)i)->not_null)
			x->filter = table_value(t, (int)i);
	free(name);
}

int index_plan_read(struct index_plan *out, struct database *db,
		    const struct table *t, const struct record_plan *rows,
		    const char *name, int partial, struct error *err)
{
	int rc = plan_columns(out, db, t, rows, name, err);

	if (rc == 0)
		rc = plan_rows(out, db, name, partial, err);
	if (rc == 0)
		plan_filter(out, t, rows);
	return rc;
}

int index_plan_key(struct index_plan *out, struct database *db,
		   const struct table *t, struct error *err)
{
	sqlite3_stmt *st;
	int rc = 0, other = 0;

	out->columns = calloc(t->column_count + 1, sizeof(*out->columns));
	if (!out->columns)
		return error_nomem(err);
	/* the name of such a table stands for its primary key's index */
	if (sql_prepare(db->sql, &st, err, "PRAGMA main.index_xinfo(\"%w\")",
			t->name) < 0)
		return -1;
	while (!other && (rc = sql_step(st, err)) > 0) {
		struct index_column *c = &out->columns[out->column_count];

		if (!sqlite3_column_int(st, 5))
			continue; /* it stands behind the key */
		other = out->column_count++ == t->column_count ||
			read_column(c, t, st) || c->value < 0;
	}
	sqlite3_finalize(st);
	if (rc < 0)
		return -1;
	return other || !out->column_count;
}
