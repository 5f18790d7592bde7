/*
 * sqlite_bare.c - tables whose own text would not take their rows
 *
 * Rows can violate what their table declares: it was altered by hand, or an
 * older SQLite was more lenient.  Such a table is made without types and
 * constraints, but with the same b-trees: same columns in the same places of a
 * record, same key.  After the rows are in, the indexes of its UNIQUE and
 * PRIMARY KEY are made and given the names that SQLite looks for, and the true
 * text is put into the schema.
 *
 *   CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL UNIQUE, b AS (a))
 *
 * becomes
 *
 *   CREATE TABLE "t"("id" INTEGER PRIMARY KEY, "a")
 *   CREATE UNIQUE INDEX "sqlite_bare_0" ON "t"("a" COLLATE "BINARY")
 *
 * A virtual generated column takes no place in a record and is left out.  A
 * stored one does, and its value depends on the types it is computed from: then
 * all generated columns and the types stay.  Where a type would change a value
 * all the same, that needs a stand-in: no types, and the generated columns
 * computed from the values as they are.
 */
#include "base/error.h"
#include "database/sqlite_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct bare_table *bare_find(const struct database *db, const char *table)
{
	size_t i;

	for (i = 0; db->build && i < db->build->bare_count; i++)
		if (!strcmp(db->build->bare[i].table->name, table))
			return &db->build->bare[i];
	return NULL;
}

static const char *affinity_type(enum affinity a)
{
	switch (a) {
	case AFFINITY_TEXT:
		return " TEXT";
	case AFFINITY_NUMERIC:
		return " NUMERIC";
	case AFFINITY_INTEGER:
		return " INT";
	case AFFINITY_REAL:
		return " REAL";
	case AFFINITY_NONE:
		break;
	}
	return "";
}

/* Is a generated column part of the index? (`st`: index_xinfo) */
static int indexes_generated(sqlite3 *sql, const struct table *t,
			     const char *index, struct error *err)
{
	int rc, column, found = 0;
	sqlite3_stmt *st;

	if (sql_prepare(sql, &st, err, "PRAGMA main.index_xinfo(\"%w\")",
			index) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		column = sqlite3_column_int(st, 1);
		if (column >= 0 && (size_t)column < t->column_count &&
		    t->columns[column].generated)
			found = 1;
	}
	sqlite3_finalize(st);
	return rc < 0 ? -1 : found;
}

/* Append "a" COLLATE x DESC, ... of an index's key. */
static int add_key(sqlite3 *sql, sqlite3_str *text, const char *index,
		   struct error *err)
{
	const char *comma = "";
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(sql, &st, err, "PRAGMA main.index_xinfo(\"%w\")",
			index) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *name = (const char *)sqlite3_column_text(st, 2);
		const char *order = (const char *)sqlite3_column_text(st, 4);

		if (!sqlite3_column_int(st, 5) || !name)
			continue;
		sqlite3_str_appendf(text, "%s\"%w\" COLLATE \"%w\"%s", comma,
				    name, order ? order : "BINARY",
				    sqlite3_column_int(st, 3) ? " DESC" : "");
		comma = ", ";
	}
	sqlite3_finalize(st);
	return rc;
}

static int add_index(struct database *db, struct bare_table *b, sqlite3 *sql,
		     const char *name, struct error *err)
{
	struct autoindex *list, *x;
	sqlite3_str *text;
	char making[40], *key;

	list = realloc(b->indexes, (b->index_count + 1) * sizeof(*list));
	if (!list)
		return error_nomem(err);
	b->indexes = list;
	x = &list[b->index_count++];
	memset(x, 0, sizeof(*x));
	text = sqlite3_str_new(sql);
	snprintf(making, sizeof(making), "sqlite_bare_%u",
		 db->build->autoindexes++);
	sqlite3_str_appendf(text, "INDEX main.\"%w\" ON \"%w\"(", making,
			    b->table->name);
	if (add_key(sql, text, name, err) < 0) {
		sqlite3_free(sqlite3_str_finish(text));
		return -1;
	}
	sqlite3_str_appendall(text, ")");
	key = sqlite3_str_finish(text);
	x->name = strdup(name);
	x->making = strdup(making);
	if (key) {
		struct buffer out = BUFFER_INIT;

		buffer_str(&out, "CREATE UNIQUE ");
		buffer_str(&out, key);
		x->sql = buffer_detach(&out);
		buffer_str(&out, "CREATE ");
		buffer_str(&out, key);
		x->plain = buffer_detach(&out);
	}
	sqlite3_free(key);
	return x->name && x->making && x->sql && x->plain ? 0
							  : error_nomem(err);
}

/* The indexes of the table's constraints, but for a WITHOUT ROWID table's
 * primary key, which is the table. */
static int read_indexes(struct database *db, struct bare_table *b, sqlite3 *sql,
			const struct table_tree *tree, struct error *err)
{
	sqlite3_stmt *st;
	int rc, generated;

	if (sql_prepare(sql, &st, err, "PRAGMA main.index_list(\"%w\")",
			b->table->name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *name = (const char *)sqlite3_column_text(st, 1);

		if (!name ||
		    (tree->key_index && !strcmp(name, tree->key_index)))
			continue;
		generated = indexes_generated(sql, b->table, name, err);
		if (generated < 0 || add_index(db, b, sql, name, err) < 0) {
			rc = -1;
			break;
		}
		b->computed |= generated;
	}
	sqlite3_finalize(st);
	return rc;
}

/* Type and collation of a column that keeps them. */
static int add_type(sqlite3 *sql, sqlite3_str *text, const struct table *t,
		    const char *column, struct error *err)
{
	const char *type = NULL, *collation = NULL;

	if (sqlite3_table_column_metadata(sql, "main", t->name, column, &type,
					  &collation, NULL, NULL,
					  NULL) != SQLITE_OK)
		return sql_error(sql, err, "table '%.200s'", t->name);
	sqlite3_str_appendall(text,
			      affinity_type(affinity_of(type ? type : "", 0)));
	if (collation)
		sqlite3_str_appendf(text, " COLLATE \"%w\"", collation);
	return 0;
}

static int add_expression(sqlite3_str *text, const struct bare_table *b,
			  size_t column, struct error *err)
{
	const char *start;
	size_t size;

	if (statement_generated(b->entry->sql, column, &start, &size) < 0)
		return error_set(
			err, ERROR_FAILED,
			"cannot find the expression of column '%.200s' "
			"in the text of table '%.200s'",
			b->table->columns[column].name, b->table->name);
	sqlite3_str_appendall(text, " AS ");
	sqlite3_str_append(text, start, (int)size);
	sqlite3_str_appendall(text, b->table->columns[column].generated == 2
					    ? " STORED"
					    : " VIRTUAL");
	return 0;
}

static int add_columns(sqlite3 *sql, sqlite3_str *text,
		       const struct bare_table *b, struct error *err)
{
	const struct table *t = b->table;
	const char *comma = "";
	size_t i;

	for (i = 0; i < t->column_count; i++) {
		const struct column *c = &t->columns[i];

		if (c->generated && !b->computed)
			continue;
		sqlite3_str_appendf(text, "%s\"%w\"", comma, c->name);
		comma = ", ";
		if (t->rowid_column == (int)i) {
			sqlite3_str_appendall(text, " INTEGER PRIMARY KEY");
			continue;
		}
		if (b->typed && add_type(sql, text, t, c->name, err) < 0)
			return -1;
		if (c->generated && add_expression(text, b, i, err) < 0)
			return -1;
	}
	return 0;
}

/* The text of the bare table, in memory of sqlite3_malloc(). */
static int bare_text(sqlite3 *sql, const struct bare_table *b,
		     const struct table_tree *tree, char **out,
		     struct error *err)
{
	sqlite3_str *text = sqlite3_str_new(sql);
	int rc;

	sqlite3_str_appendf(text, "CREATE TABLE \"%w\"(", b->table->name);
	rc = add_columns(sql, text, b, err);
	if (rc == 0 && tree->without_rowid) {
		sqlite3_str_appendall(text, ", PRIMARY KEY(");
		rc = add_key(sql, text, tree->key_index, err);
		sqlite3_str_appendall(text, ")");
	}
	sqlite3_str_appendall(text,
			      tree->without_rowid ? ") WITHOUT ROWID" : ")");
	*out = sqlite3_str_finish(text);
	if (rc == 0 && !*out)
		rc = error_nomem(err);
	return rc;
}

static int tell_computed_untyped(struct database *db,
				 const struct bare_table *b, struct error *err)
{
	char what[512];

	snprintf(what, sizeof(what),
		 "the generated columns of table '%.200s' were computed "
		 "without its types",
		 b->table->name);
	return names_add(&db->violated, what) < 0 ? error_nomem(err) : 0;
}

/* Find out from the true table, made in memory, what the bare one must be. */
static int plan(struct database *db, struct bare_table *b, char **text,
		struct error *err)
{
	struct table_tree tree = { 0, 0, NULL, 0 };
	struct table made;
	sqlite3 *sql = NULL;
	size_t i;
	int rc = -1;

	memset(&made, 0, sizeof(made));
	if (build_connect(db, ":memory:", &sql, err) < 0 ||
	    entry_run(db, sql, b->entry, err) < 0 ||
	    table_read(sql, b->table->name, &made, err) < 0 ||
	    build_compare(b->table, &made, err) < 0 ||
	    table_tree_read(sql, b->table->name, &tree, err) < 0)
		goto done;
	for (i = 0; i < made.column_count; i++)
		b->computed |= made.columns[i].generated == 2;
	if (read_indexes(db, b, sql, &tree, err) < 0)
		goto done;
	/* with stand-ins the rows go first, and what is computed second */
	b->typed = b->computed && !db->stand_ins;
	if (b->computed && db->stand_ins &&
	    tell_computed_untyped(db, b, err) < 0)
		goto done;
	rc = bare_text(sql, b, &tree, text, err);
done:
	table_tree_release(&tree);
	table_release(&made);
	sqlite3_close_v2(sql);
	return rc;
}

int bare_create(struct database *db, const struct table *t,
		const struct entry *e, struct error *err)
{
	struct build *build = db->build;
	struct entry bare = *e;
	struct bare_table *list, *b;
	char *text = NULL;
	int rc = -1;

	list = realloc(build->bare, (build->bare_count + 1) * sizeof(*list));
	if (!list)
		return error_nomem(err);
	build->bare = list;
	b = &list[build->bare_count++];
	memset(b, 0, sizeof(*b));
	b->table = t;
	b->entry = e;
	if (plan(db, b, &text, err) == 0) {
		/* the generated columns' expressions are others' text */
		bare.sql = text;
		bare.sql_size = strlen(text);
		rc = statement_check(&bare, err) < 0
			     ? -1
			     : entry_run(db, db->sql, &bare, err);
	}
	sqlite3_free(text);
	return rc;
}

static int make_index(struct database *db, struct bare_table *b,
		      const struct autoindex *x, struct error *err)
{
	char what[512];
	int rc = sqlite3_exec(db->sql, x->sql, NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		return 0;
	if ((rc & 0xff) != SQLITE_CONSTRAINT)
		return sql_error(db->sql, err, "table '%.200s'",
				 b->table->name);
	snprintf(what, sizeof(what),
		 "rows of table '%.200s' are not unique in '%.200s'",
		 b->table->name, x->name);
	if (!db->stand_ins)
		return error_set(
			err, ERROR_STANDIN,
			"%s: %s; restore with --stand-ins to have them "
			"all the same",
			what, sqlite3_errmsg(db->sql));
	if (names_add(&db->violated, what) < 0)
		return error_nomem(err);
	return sql_run(db->sql, x->plain, err);
}

/* In the schema the index of a constraint has its own name and no text. */
static int hide_index(struct database *db, const struct autoindex *x,
		      struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(db->sql, &st, err,
			"UPDATE main.sqlite_schema SET name = '%q', sql = NULL "
			"WHERE type = 'index' AND name = '%q'",
			x->name, x->making) < 0)
		return -1;
	rc = sql_step(st, err);
	sqlite3_finalize(st);
	return rc;
}

static int put_text_back(struct database *db, const struct bare_table *b,
			 struct error *err)
{
	sqlite3_stmt *st;
	int64_t rowid = 0;
	int rc;

	if (sql_prepare(db->sql, &st, err,
			"SELECT rowid FROM main.sqlite_schema "
			"WHERE type = 'table' AND name = '%q'",
			b->table->name) < 0)
		return -1;
	rc = sql_step(st, err);
	if (rc > 0)
		rowid = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	if (rc == 0)
		return error_set(err, ERROR_FAILED,
				 "table '%.200s' is gone from the schema",
				 b->table->name);
	return rc < 0 ? -1 : entry_fix(db, b->entry, rowid, err);
}

int bare_finish(struct database *db, struct bare_table *b, struct error *err)
{
	size_t i;

	for (i = 0; i < b->index_count; i++)
		if (make_index(db, b, &b->indexes[i], err) < 0 ||
		    hide_index(db, &b->indexes[i], err) < 0)
			return -1;
	return put_text_back(db, b, err);
}
