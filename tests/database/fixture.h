/*
 * fixture.h - what the tests of database/ share
 */
#ifndef TESTS_DATABASE_FIXTURE_H
#define TESTS_DATABASE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "database/database.h"
#include "snapshot/catalog.h"

/* A folder for one test, removed with all in it. */
struct fixture {
	char *folder;
	char a[512], b[512]; /* two paths in it */
};

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *parent = getenv("TMPDIR");
	struct error err = ERROR_INIT;

	assert_non_null(f);
	if (scratch_make(&f->folder, parent ? parent : "/tmp", "dbstow-test",
			 &err) < 0)
		fail_msg("%s", err.message);
	snprintf(f->a, sizeof(f->a), "%s/a.db", f->folder);
	snprintf(f->b, sizeof(f->b), "%s/b.db", f->folder);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	scratch_remove(f->folder);
	free(f->folder);
	free(f);
	return 0;
}

#define fixture_test(name)                                                     \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* A plain connection, as an application has one. */
static inline sqlite3 *app_open(const char *path)
{
	sqlite3 *sql;

	assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
	sqlite3_busy_timeout(sql, 30000);
	return sql;
}

static inline void app_run(sqlite3 *sql, const char *text)
{
	char *message = NULL;

	if (sqlite3_exec(sql, text, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", text, message);
}

static inline void make(const char *path, const char *text)
{
	sqlite3 *sql = app_open(path);

	app_run(sql, text);
	assert_int_equal(sqlite3_close(sql), SQLITE_OK);
}

/* First column of the first row, as text. */
static inline void assert_sql(const char *path, const char *text,
			      const char *want)
{
	sqlite3 *sql = app_open(path);
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(sql, text, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(sql));
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(st, 0), want);
	sqlite3_finalize(st);
	sqlite3_close(sql);
}

/* A database open for reading, with its catalog. */
struct reader {
	struct database *db;
	struct catalog *catalog;
};

static inline struct reader reader_open(const char *path)
{
	struct error err = ERROR_INIT;
	struct reader r = { NULL, NULL };

	if (database_open(&r.db, path, NULL, &err) < 0 ||
	    database_begin(r.db, &err) < 0 ||
	    database_catalog(r.db, &r.catalog, &err) < 0)
		fail_msg("%s", err.message);
	return r;
}

static inline void reader_close(struct reader *r)
{
	catalog_free(r->catalog);
	database_close(r->db);
}

/* A new file of what `text` makes, open for reading. */
static inline struct reader read_made(void **state, const char *text)
{
	struct fixture *f = *state;

	unlink(f->a);
	make(f->a, text);
	return reader_open(f->a);
}

static inline void assert_no_open(const char *target,
				  const struct database_options *o,
				  enum error_code code, const char *message)
{
	struct error err = ERROR_INIT;
	struct database *db;

	assert_int_equal(database_open(&db, target, o, &err), -1);
	assert_null(db);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, code);
}

static inline void value_text(struct buffer *out, const struct value *v)
{
	size_t i;

	switch (v->class) {
	case VALUE_NULL:
		buffer_str(out, " null");
		return;
	case VALUE_INTEGER:
		buffer_printf(out, " %lld", (long long)v->integer);
		return;
	case VALUE_REAL:
		buffer_printf(out, " r%.17g", v->real);
		return;
	case VALUE_TEXT:
		buffer_str(out, " '");
		buffer_add(out, v->data, v->size);
		buffer_str(out, "'");
		return;
	case VALUE_TEXT16:
		buffer_str(out, " t16:");
		break;
	case VALUE_BLOB:
		buffer_str(out, " b:");
		break;
	}
	for (i = 0; i < v->size; i++)
		buffer_printf(out, "%02x", (unsigned char)v->data[i]);
}

static inline size_t value_count(const struct table *t)
{
	size_t i, count = 0;

	for (i = 0; i < t->column_count; i++)
		count += !t->columns[i].generated;
	return count;
}

/* All rows, "ROWID: VALUE VALUE ...;" each. */
static inline char *rows_of(struct reader *r, const char *table)
{
	const struct table *t = catalog_table(r->catalog, table);
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct value *values;
	struct scan *s;
	int64_t rowid;
	size_t i;
	int rc;

	assert_non_null(t);
	values = calloc(value_count(t), sizeof(*values));
	if (database_scan(r->db, t, &s, &err) < 0)
		fail_msg("%s", err.message);
	while ((rc = scan_next(s, &rowid, values, &err)) > 0) {
		buffer_printf(&out, "%lld:", (long long)rowid);
		for (i = 0; i < value_count(t); i++)
			value_text(&out, &values[i]);
		buffer_str(&out, ";");
	}
	if (rc < 0)
		fail_msg("%s", err.message);
	scan_free(s);
	free(values);
	return buffer_detach(&out);
}

static inline void assert_rows(struct reader *r, const char *table,
			       const char *want)
{
	char *rows = rows_of(r, table);

	assert_string_equal(rows ? rows : "", want);
	free(rows);
}

/* A scan as a source of rows. */
struct scan_rows {
	struct row_source source; /* first */
	struct scan *scan;
	struct value *values;
};

static inline int scan_rows_next(struct row_source *source, int64_t *rowid,
				 const struct value **values, struct error *err)
{
	struct scan_rows *s = (struct scan_rows *)source;

	*values = s->values;
	return scan_next(s->scan, rowid, s->values, err);
}

/* Move all rows of one table; @return as database_load() */
static inline int load_rows(struct reader *from, struct database *to,
			    const struct table *t, struct error *err)
{
	struct scan_rows s = { { scan_rows_next }, NULL, NULL };
	int rc = -1;

	s.values = calloc(t->column_count + 1, sizeof(*s.values));
	assert_non_null(s.values);
	if (database_scan(from->db, t, &s.scan, err) == 0)
		rc = database_load(to, t, &s.source, err);
	scan_free(s.scan);
	free(s.values);
	return rc;
}

/* The same row of one value a number of times. */
struct same_rows {
	struct row_source source; /* first */
	int64_t rowid;
	struct value value;
	int count;
};

static inline int same_rows_next(struct row_source *source, int64_t *rowid,
				 const struct value **values, struct error *err)
{
	struct same_rows *s = (struct same_rows *)source;

	(void)err;
	*rowid = s->rowid;
	*values = &s->value;
	return s->count-- > 0;
}

static inline int load_same(struct database *db, const struct table *t,
			    int64_t rowid, const struct value *value, int count,
			    struct error *err)
{
	struct same_rows s = { { same_rows_next }, rowid, *value, count };

	return database_load(db, t, &s.source, err);
}

/* Build `path` from what was read; `bare` gives one flag a table.
 * @return 0; 1 when table `*refused` has to be bare; -1 */
static inline int build_once(struct reader *from, const char *path,
			     int stand_ins, const char *bare, size_t *refused,
			     struct buffer *told, struct error *err)
{
	struct database_build how = { .stand_ins = stand_ins };
	struct catalog *c = from->catalog;
	struct database *db;
	int rc = 0;
	size_t i;

	if (database_create(&db, path, c, &how, err) < 0)
		return -1;
	for (i = 0; rc == 0 && i < c->table_count; i++) {
		*refused = i;
		rc = database_create_table(db, &c->tables[i], bare[i], err);
		if (rc == 0)
			rc = load_rows(from, db, &c->tables[i], err);
	}
	if (rc == 0)
		rc = database_complete(db, err);
	if (rc == 0 && told && database_stand_ins(db))
		buffer_str(told, database_stand_ins(db));
	database_close(db);
	if (rc)
		unlink(path);
	return rc;
}

/* Build `path`, with the tables bare that have to be. @return 0 or -1 */
static inline int build(struct reader *from, const char *path, int stand_ins,
			int all_bare, struct buffer *told, struct error *err)
{
	size_t count = from->catalog->table_count, refused = 0, i;
	char *bare = calloc(count + 1, 1);
	int rc;

	for (i = 0; i < count; i++)
		bare[i] = all_bare &&
			  from->catalog->tables[i].kind != TABLE_INTERNAL;
	while ((rc = build_once(from, path, stand_ins, bare, &refused, told,
				err)) > 0) {
		assert_false(bare[refused]);
		bare[refused] = 1;
		error_clear(err);
	}
	free(bare);
	return rc;
}

static inline void build_well(struct reader *from, const char *path)
{
	struct error err = ERROR_INIT;

	if (build(from, path, 0, 0, NULL, &err) < 0)
		fail_msg("%s", err.message);
}

/* As a manifest tells it that has many rows: these are written in pages. */
static inline void expect_many_rows(struct reader *r)
{
	for (size_t i = 0; i < r->catalog->table_count; i++)
		r->catalog->tables[i].rows = 1000000;
}

/* The same rows and schema? */
static inline void assert_same(struct reader *a, const char *path)
{
	struct reader b = reader_open(path);
	size_t i;

	assert_int_equal(a->catalog->table_count, b.catalog->table_count);
	assert_int_equal(a->catalog->entry_count, b.catalog->entry_count);
	for (i = 0; i < a->catalog->entry_count; i++) {
		const struct entry *x = &a->catalog->entries[i];
		const struct entry *y = &b.catalog->entries[i];

		assert_int_equal(x->type, y->type);
		assert_string_equal(x->name, y->name);
		assert_string_equal(x->table, y->table);
		assert_string_equal(x->sql, y->sql);
	}
	for (i = 0; i < a->catalog->table_count; i++) {
		const char *name = a->catalog->tables[i].name;
		char *rows = rows_of(a, name);

		assert_rows(&b, name, rows ? rows : "");
		free(rows);
	}
	reader_close(&b);
}

#endif /* TESTS_DATABASE_FIXTURE_H */
