/*
 * into_fixture.h - a snapshot and a target for the tests of restore_into()
 */
#ifndef TESTS_RESTORE_INTO_FIXTURE_H
#define TESTS_RESTORE_INTO_FIXTURE_H

#include "tests/restore/test_restore.h"

#include "restore/restore.h"
#include "snapshot/catalog.h"

static inline char *copy(const char *text)
{
	char *out = strdup(text);

	assert_non_null(out);
	return out;
}

static inline void add_table(struct catalog *c, const char *name,
			     const char *type)
{
	struct table *t = catalog_add_table(c);

	assert_non_null(t);
	t->name = copy(name);
	t->folder = copy(name);
	t->kind = !strncmp(name, "sqlite_", 7) ? TABLE_INTERNAL
		  : !strcmp(type, "shadow")    ? TABLE_SHADOW
					       : TABLE_ORDINARY;
}

static inline void add_entry(struct catalog *c, const char *name,
			     const char *text)
{
	struct entry *e = catalog_add_entry(c);

	assert_non_null(e);
	e->type = ENTRY_TABLE;
	e->virtual_table = 1;
	e->name = copy(name);
	e->table = copy(name);
	e->sql = copy(text);
	e->sql_size = strlen(text);
}

/* As much of a catalog as restore_into() looks at. */
static inline struct catalog *catalog_of(const char *path)
{
	struct catalog *c = catalog_new();
	sqlite3 *db = opened(path);
	sqlite3_stmt *stmt;

	assert_non_null(c);
	c->engine = copy("sqlite");
	if (!strcmp(rows_of(db, "PRAGMA encoding"), "UTF-16le"))
		c->encoding = ENCODING_UTF16LE;
	assert_int_equal(
		sqlite3_prepare_v2(db,
				   "SELECT l.name, l.type, s.sql FROM "
				   "pragma_table_list AS l JOIN sqlite_schema "
				   "AS s USING (name) WHERE l.schema = 'main' "
				   "AND s.type = 'table' ORDER BY s.rowid",
				   -1, &stmt, NULL),
		SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		const char *type = (const char *)sqlite3_column_text(stmt, 1);

		if (!strcmp(type, "virtual"))
			add_entry(c, name,
				  (const char *)sqlite3_column_text(stmt, 2));
		else
			add_table(c, name, type);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return c;
}

static inline const char *change_text(const struct restore_changes *c)
{
	static char out[2048];
	size_t used = 0;

	out[0] = 0;
	for (size_t i = 0; i < c->count; i++)
		used += (size_t)snprintf(
			out + used, sizeof out - used, "%s%s%s +%d ~%d -%d",
			i ? ", " : "", c->changes[i].parent ? "parent " : "",
			c->changes[i].table, (int)c->changes[i].inserted,
			(int)c->changes[i].updated, (int)c->changes[i].deleted);
	return out;
}

/* Replaying takes things out of the staged file: each run gets its own. */
static inline void copy_bytes(const char *from, const char *to)
{
	FILE *in = fopen(from, "rb");
	char data[4096];
	size_t size;
	FILE *out = fopen(to, "wb");

	assert_non_null(in);
	assert_non_null(out);
	while ((size = fread(data, 1, sizeof data, in)) > 0)
		assert_int_equal(fwrite(data, 1, size, out), size);
	assert_int_equal(fclose(out), 0);
	fclose(in);
}

static inline int into(void **state, const struct restore_selection *what,
		       char changes[2048], struct error *err)
{
	const char *original = in_folder(state, "staged.db");
	const char *staged = in_folder(state, "work.db");
	const char *target = in_folder(state, "app.db");
	struct catalog *c = catalog_of(original);
	struct restore_changes out;
	int rc;

	copy_bytes(original, staged);
	rc = restore_into(staged, c, target, what, &out, err);

	snprintf(changes, 2048, "%s", rc ? "" : change_text(&out));
	if (rc)
		assert_int_equal(out.count, 0);
	restore_changes_release(&out);
	catalog_free(c);
	return rc;
}

static inline void replay_as(void **state, const struct restore_selection *what,
			     const char *expected)
{
	struct error err = ERROR_INIT;
	char changes[2048];

	if (into(state, what, changes, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(changes, expected);
}

static inline void replay(void **state, const char *expected)
{
	const struct restore_selection all = { .busy_timeout_ms = 50 };

	replay_as(state, &all, expected);
}

static inline void replay_table(void **state, const char *table,
				const char *expected)
{
	const struct restore_selection one = { .tables = &table,
					       .table_count = 1 };

	replay_as(state, &one, expected);
}

/* All rows of all tables in one line, to see that nothing changed. */
static inline const char *dump(void **state)
{
	static char out[8192];
	sqlite3 *db = opened(in_folder(state, "app.db"));
	sqlite3_stmt *stmt;
	size_t used = 0;

	out[0] = 0;
	assert_int_equal(
		sqlite3_prepare_v2(db,
				   "SELECT 'SELECT ''' || name || ''', * FROM "
				   "\"' || name || '\"' FROM sqlite_schema "
				   "WHERE type = 'table'",
				   -1, &stmt, NULL),
		SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW)
		used += (size_t)snprintf(
			out + used, sizeof out - used, "%s;",
			rows_of(db,
				(const char *)sqlite3_column_text(stmt, 0)));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return out;
}

static inline void fails_as(void **state, const struct restore_selection *what,
			    enum error_code code, const char *message)
{
	struct error err = ERROR_INIT;
	char changes[2048], *before = copy(dump(state));

	assert_int_equal(into(state, what, changes, &err), -1);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, code);
	assert_string_equal(dump(state), before);
	free(before);
}

static inline void fails(void **state, enum error_code code,
			 const char *message)
{
	const struct restore_selection all = { .busy_timeout_ms = 50 };

	fails_as(state, &all, code, message);
}

static inline void fails_table(void **state, const char *table,
			       enum error_code code, const char *message)
{
	const struct restore_selection one = { .tables = &table,
					       .table_count = 1 };

	fails_as(state, &one, code, message);
}

/* `schema` on both sides, then the rows of each. */
static inline void given(void **state, const char *schema, const char *staged,
			 const char *target)
{
	const char *a = in_folder(state, "staged.db");
	const char *b = in_folder(state, "app.db");

	sql(a, schema);
	sql(a, staged);
	sql(b, schema);
	sql(b, target);
}

static inline const char *now(void **state, const char *query)
{
	return rows(in_folder(state, "app.db"), query);
}

static inline void misfit(void **state, const char *problems)
{
	char message[2048];

	snprintf(message, sizeof message,
		 "'%s' does not fit the snapshot: %s; nothing was changed; "
		 "restore to a new file, or choose tables with --table",
		 in_folder(state, "app.db"), problems);
	fails(state, ERROR_FAILED, message);
}

#endif /* TESTS_RESTORE_INTO_FIXTURE_H */
