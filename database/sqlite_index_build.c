/*
 * sqlite_index_build.c - which indexes we make ourselves, and how SQLite learns
 * of them
 *
 * CREATE INDEX would fill the index at once.  So it runs in a twin, an empty
 * database in memory with the same table: there SQLite says whether the text is
 * sound and what it means.  The true schema gets a row, as for a view, that
 * tells the root page of what we wrote; it is read with SQLite's strictness in
 * the end.  Where the twin does not agree, SQLite makes the index, and says
 * what is wrong.
 *
 * The indexes of UNIQUE and PRIMARY KEY are there already, and empty.
 */
#include "base/error.h"
#include "database/sqlite_index_make.h"

#include <stdio.h>
#include <string.h>

/* Fewer are not worth the way. */
#define ROWS_MIN 1000

static int is_for_us(const struct database *db, const struct table *t)
{
	return t && t->rows >= ROWS_MIN && t->order == ORDER_ROWID &&
	       db->encoding == ENCODING_UTF8 && !bare_find(db, t->name) &&
	       sqlite3_strnicmp(t->name, "sqlite_", 7) != 0;
}

static int table_root(struct database *db, const struct table *t, uint32_t *out,
		      struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	*out = 0;
	if (sql_prepare(db->sql, &st, err,
			"SELECT rootpage FROM main.sqlite_schema "
			"WHERE type = 'table' AND name = '%q'",
			t->name) < 0)
		return -1;
	rc = sql_step(st, err);
	if (rc > 0)
		*out = (uint32_t)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc < 0 ? -1 : *out < 2;
}

/* Plan and make the index that `where` knows by its name: the database itself,
 * or its twin. @return as index_make() */
static int make(struct database *db, struct database *where,
		const struct table *t, const char *name, int unique,
		int partial, const char *what, uint32_t *root,
		struct error *err)
{
	struct record_plan rows = { .fields = NULL };
	struct index_plan plan = { .root = 0 };
	struct index_making m = { .db = db,
				  .table = t,
				  .rows = &rows,
				  .plan = &plan,
				  .what = what,
				  .sort_bytes = INDEX_SORT_BYTES };
	int rc = record_plan(where, t, &rows, err);

	if (rc == 0)
		rc = index_plan_read(&plan, where, t, &rows, name, partial,
				     err);
	if (rc == 0)
		rc = plan.where && plan.filter < 0;
	if (rc == 0)
		rc = table_root(db, t, &m.table_root, err);
	plan.unique = unique;
	if (rc == 0 && where == db)
		*root = plan.root;
	if (rc == 0)
		rc = index_make(&m, root, err);
	index_plan_release(&plan);
	record_plan_release(&rows);
	return rc;
}

/* ---- CREATE INDEX ---- */

static struct database *twin_of(struct database *db)
{
	struct build *b = db->build;
	struct database *twin;

	if (b->twin)
		return b->twin;
	twin = database_new(":memory:");
	if (!twin)
		return NULL;
	if (build_connect(twin, ":memory:", &twin->sql, NULL) < 0) {
		database_close(twin);
		return NULL;
	}
	b->twin = twin;
	return twin;
}

/* @return 0, or 1: the twin does not take it */
static int run_in_twin(struct database *twin, const struct entry *e)
{
	int64_t last;

	return entry_last_row(twin, &last, NULL) < 0 ||
	       entry_run(twin, twin->sql, e, NULL) != 0 ||
	       entry_check_made(twin, e, last, NULL) < 0;
}

static int has_table(struct database *twin, const char *name)
{
	struct table t;
	int has;

	memset(&t, 0, sizeof(t));
	has = table_read(twin->sql, name, &t, NULL) == 0;
	table_release(&t);
	return has;
}

static int is_unique(struct database *twin, const char *table, const char *name)
{
	sqlite3_stmt *st;
	int unique = -1;

	if (sql_prepare(twin->sql, &st, NULL, "PRAGMA main.index_list(\"%w\")",
			table) < 0)
		return -1;
	while (unique < 0 && sql_step(st, NULL) > 0) {
		const char *found = (const char *)sqlite3_column_text(st, 1);

		if (found && !strcmp(found, name))
			unique = sqlite3_column_int(st, 2);
	}
	sqlite3_finalize(st);
	return unique;
}

/* SQLite has not read yet what we told its schema: when a name is there twice,
 * it has to, to say so. @return 0, 1 or -1 */
static int name_is_taken(struct database *db, const char *name,
			 struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(db->sql, &st, err,
			"SELECT 1 FROM main.sqlite_schema "
			"WHERE name = '%q' COLLATE NOCASE",
			name) < 0)
		return -1;
	rc = sql_step(st, err);
	sqlite3_finalize(st);
	if (rc > 0 && sql_run(db->sql,
			      "PRAGMA writable_schema = RESET;"
			      "PRAGMA writable_schema = ON",
			      err) < 0)
		return -1;
	return rc;
}

static int tell_schema(struct database *db, const struct entry *e,
		       uint32_t root, struct error *err)
{
	sqlite3_stmt *st;
	int rc = -1;

	if (sql_prepare(db->sql, &st, err,
			"INSERT INTO main.sqlite_schema"
			"(type, name, tbl_name, rootpage, sql) "
			"VALUES('index', ?1, ?2, ?3, ?4)") < 0)
		return -1;
	sqlite3_bind_int64(st, 3, root);
	if (sql_bind_text(db, st, 1, e->name, strlen(e->name), err) == 0 &&
	    sql_bind_text(db, st, 2, e->table, strlen(e->table), err) == 0 &&
	    sql_bind_text(db, st, 4, e->sql, e->sql_size, err) == 0)
		rc = sql_step(st, err);
	sqlite3_finalize(st);
	return rc;
}

int index_create(struct database *db, const struct entry *e, struct error *err)
{
	const struct table *t = catalog_table(db->build->catalog, e->table);
	struct database *twin;
	char what[320];
	uint32_t root = 0;
	int unique, rc = name_is_taken(db, e->name, err);

	if (rc || !is_for_us(db, t))
		return rc < 0 ? -1 : 1;
	twin = twin_of(db);
	if (!twin ||
	    (!has_table(twin, t->name) &&
	     run_in_twin(twin, build_entry(db, t))) ||
	    run_in_twin(twin, e))
		return 1;
	unique = is_unique(twin, t->name, e->name);
	if (unique < 0)
		return 1;
	snprintf(what, sizeof(what), "cannot create index '%.200s'", e->name);
	rc = make(db, twin, t, e->name, unique, statement_where(e->sql) != NULL,
		  what, &root, err);
	return rc ? rc : tell_schema(db, e, root, err);
}

/* ---- UNIQUE and PRIMARY KEY ---- */

static int list_indexes(struct database *db, const struct table *t,
			struct names *out, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(db->sql, &st, err, "PRAGMA main.index_list(\"%w\")",
			t->name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *name = (const char *)sqlite3_column_text(st, 1);

		if (!name || names_add(out, name) < 0) {
			rc = error_nomem(err);
			break;
		}
	}
	sqlite3_finalize(st);
	return rc;
}

int index_fill(struct database *db, const struct table *t, struct names *rest,
	       struct error *err)
{
	struct names all = { NULL, 0, 0 };
	int rc = list_indexes(db, t, &all, err);
	char what[320];
	size_t i;

	snprintf(what, sizeof(what), "table '%.200s'", t->name);
	for (i = 0; rc == 0 && i < all.count; i++) {
		uint32_t root = 0;

		rc = is_for_us(db, t) ? make(db, db, t, all.items[i], 1, 0,
					     what, &root, err)
				      : 1;
		if (rc > 0)
			rc = names_add(rest, all.items[i]) < 0
				     ? error_nomem(err)
				     : 0;
	}
	names_release(&all);
	return rc;
}
