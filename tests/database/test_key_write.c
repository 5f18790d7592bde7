/*
 * test_key_write.c - WITHOUT ROWID tables, written by us and by SQLite
 *
 * SQLite inserts the rows into one file, we write them into another, in the
 * order in which SQLite has them: the entries must be the same byte for byte.
 */
#include "tests/database/index_twins.h"

/* Rows 1 to COUNT with values of all classes, and some long ones. */
#define ROWS(count, insert)                                                    \
	"; WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c "    \
	"WHERE i < " #count "), v(i, x, y) AS (SELECT i, CASE i % 7 "          \
	"WHEN 0 THEN i WHEN 1 THEN i / 4.0 WHEN 2 THEN -i WHEN 3 THEN "        \
	"'text' || i WHEN 4 THEN CAST(i AS BLOB) WHEN 5 THEN i * 1e15 "        \
	"ELSE x'00' || i END, substr(hex(zeroblob(i % 300)) || i, 1, i % "     \
	"900) FROM c) " insert

struct keyed {
	struct table t;
	struct key_writer w;
	enum affinity affinities[16];
	size_t count;
};

static void plan(struct keyed *k, sqlite3 *sql, int want)
{
	struct error err = ERROR_INIT;

	memset(k, 0, sizeof(*k));
	assert_int_equal(table_read(sql, "t", &k->t, &err), 0);
	for (size_t i = 0; i < k->t.column_count; i++) {
		char text[100], type[20];
		sqlite3_stmt *st;

		if (k->t.columns[i].generated)
			continue;
		snprintf(text, sizeof(text),
			 "SELECT type FROM pragma_table_xinfo('t') "
			 "WHERE cid = %zu",
			 i);
		sqlite3_prepare_v2(sql, text, -1, &st, NULL);
		assert_int_equal(sqlite3_step(st), SQLITE_ROW);
		snprintf(type, sizeof(type), "%s",
			 (const char *)sqlite3_column_text(st, 0));
		sqlite3_finalize(st);
		k->affinities[k->count++] = affinity_of(type, 0);
	}
	assert_int_equal(key_writer_plan(&k->w, sql, &k->t, k->affinities,
					 k->count, &err),
			 want);
}

static void finish(struct keyed *k)
{
	key_writer_release(&k->w);
	table_release(&k->t);
}

static struct value value_at(sqlite3_stmt *st, int i)
{
	struct value v = { .class = VALUE_NULL };

	switch (sqlite3_column_type(st, i)) {
	case SQLITE_INTEGER:
		v.class = VALUE_INTEGER;
		v.integer = sqlite3_column_int64(st, i);
		return v;
	case SQLITE_FLOAT:
		v.class = VALUE_REAL;
		v.real = sqlite3_column_double(st, i);
		return v;
	case SQLITE_NULL:
		return v;
	case SQLITE_BLOB:
		v.class = VALUE_BLOB;
		v.data = sqlite3_column_blob(st, i);
		break;
	default:
		v.class = VALUE_TEXT;
		v.data = (const char *)sqlite3_column_text(st, i);
	}
	v.size = (size_t)sqlite3_column_bytes(st, i);
	return v;
}

/* All rows of `from` in its order. @return the last result */
static int copy_rows(struct keyed *k, sqlite3 *from, const char *columns)
{
	char text[200];
	struct value values[16];
	sqlite3_stmt *st;
	int rc = SQLITE_OK;

	snprintf(text, sizeof(text), "SELECT %s FROM t", columns);
	assert_int_equal(sqlite3_prepare_v2(from, text, -1, &st, NULL), 0);
	while (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
		for (int i = 0; i < (int)k->count; i++)
			values[i] = value_at(st, i);
		rc = key_writer_add(&k->w, values);
	}
	sqlite3_finalize(st);
	return rc;
}

/* @param columns  those that are not generated */
static void twins(struct fixture *f, int page_size, int reserved,
		  const char *create, const char *rows, const char *columns,
		  int64_t count)
{
	sqlite3 *ours = make_file(f->a, page_size, reserved, create);
	sqlite3 *theirs = make_file(f->b, page_size, reserved, create);
	struct keyed k;
	uint32_t root = root_of(ours, "t");

	app_run(ours, "SELECT * FROM t"); /* for SQLite to keep in mind */
	app_run(theirs, rows);
	plan(&k, ours, 0);
	assert_int_equal(key_writer_open(&k.w, ours, root), SQLITE_OK);
	assert_int_equal(copy_rows(&k, theirs, columns), SQLITE_OK);
	assert_int_equal(key_writer_end(&k.w), SQLITE_OK);
	finish(&k);
	assert_integer(ours, "SELECT count(*) FROM t", count);
	assert_sound(ours);
	sqlite3_close(ours);
	sqlite3_close(theirs);
	assert_int_equal(assert_same_entries(f, root, root), count);
	assert_true(file_bytes(f->a) <= file_bytes(f->b) + page_size);
}

static void rows_are_those_that_sqlite_inserts(void **state)
{
	static const int sizes[] = { 512, 1024, 4096, 65536 };

	for (size_t i = 0; i < 4; i++)
		twins(*state, sizes[i], i % 2 ? 32 : 0,
		      "CREATE TABLE t(a, b, c, PRIMARY KEY(a, b)) "
		      "WITHOUT ROWID",
		      ROWS(2000, "INSERT INTO t SELECT x, i, y FROM v"), "*",
		      2000);
}

static void a_key_lies_in_front_as_it_is_ordered(void **state)
{
	twins(*state, 1024, 0,
	      "CREATE TABLE t(r REAL, g AS (i + 1), a TEXT COLLATE RTRIM, "
	      "i INT, n TEXT COLLATE NOCASE, x, "
	      "PRIMARY KEY(n DESC, i DESC, a)) WITHOUT ROWID",
	      ROWS(3000, "INSERT INTO t SELECT i / 2.0, y || '  ', i % 40, "
			 "substr('aBcDeF', 1 + i % 5) || i, x FROM v"),
	      "r, a, i, n, x", 3000);
}

static void few_rows_and_long_ones_are_written(void **state)
{
	static const char *const create =
		"CREATE TABLE t(a PRIMARY KEY, b) WITHOUT ROWID";

	twins(*state, 512, 0, create, "SELECT 1", "*", 0);
	twins(*state, 512, 0, create, "INSERT INTO t VALUES(1, NULL)", "*", 1);
	twins(*state, 512, 0, create,
	      ROWS(100, "INSERT INTO t SELECT zeroblob(i * i) || i, "
			"zeroblob(i * 40000) FROM v"),
	      "*", 100);
}

/* ---- what is not written ---- */

static void refuses(struct fixture *f, const char *columns, const char *a,
		    const char *b)
{
	char create[200], text[200];
	struct value values[2];
	sqlite3_stmt *st;
	sqlite3 *sql;
	struct keyed k;

	snprintf(create, sizeof(create),
		 "CREATE TABLE t(%s, PRIMARY KEY(a, b)) WITHOUT ROWID",
		 columns);
	sql = make_file(f->a, 1024, 0, create);
	plan(&k, sql, 0);
	assert_int_equal(key_writer_open(&k.w, sql, root_of(sql, "t")), 0);
	snprintf(text, sizeof(text), "VALUES(%s), (%s)", a, b);
	assert_int_equal(sqlite3_prepare_v2(sql, text, -1, &st, NULL), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sqlite3_step(st), SQLITE_ROW);
		values[0] = value_at(st, 0);
		values[1] = value_at(st, 1);
		assert_int_equal(key_writer_add(&k.w, values),
				 i ? SQLITE_CONSTRAINT : SQLITE_OK);
	}
	sqlite3_finalize(st);
	finish(&k);
	sqlite3_close(sql);
}

static void keys_that_do_not_ascend_are_refused(void **state)
{
	refuses(*state, "a, b", "1, 2", "1, 2");
	refuses(*state, "a, b", "1, 2", "1, 1");
	refuses(*state, "a, b", "1, 2", "1.0, 2.0");
	refuses(*state, "a, b", "1, 2", "NULL, 3");
	refuses(*state, "a, b", "1, 2", "3, NULL");
	refuses(*state, "a, b", "'a', 2", "3, 3");
	refuses(*state, "a, b", "x'00', 2", "'b', 3");
	refuses(*state, "a, b", "9007199254740993, 0", "9007199254740992.0, 0");
	refuses(*state, "a, b", "'ab', ''", "'a', 'b'");
	refuses(*state, "a COLLATE NOCASE, b", "'ab', 1", "'AB', 1");
	refuses(*state, "a COLLATE RTRIM, b", "'ab', 1", "'ab ', 1");
	refuses(*state, "a COLLATE NOCASE, b", "'a' || char(0, 98), 1",
		"'A' || char(0, 99), 1");
}

static void left_to_sqlite(struct fixture *f, const char *create)
{
	sqlite3 *sql = make_file(f->a, 1024, 0, create);
	struct keyed k;

	plan(&k, sql, 1);
	finish(&k);
	sqlite3_close(sql);
}

static void some_tables_are_left_to_sqlite(void **state)
{
	left_to_sqlite(*state, "CREATE TABLE t(a PRIMARY KEY) WITHOUT ROWID");
	left_to_sqlite(*state, "CREATE TABLE t(a PRIMARY KEY, b UNIQUE) "
			       "WITHOUT ROWID");
	left_to_sqlite(*state, "CREATE TABLE t(a PRIMARY KEY, b AS (a)) "
			       "WITHOUT ROWID");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(rows_are_those_that_sqlite_inserts),
		fixture_test(a_key_lies_in_front_as_it_is_ordered),
		fixture_test(few_rows_and_long_ones_are_written),
		fixture_test(keys_that_do_not_ascend_are_refused),
		fixture_test(some_tables_are_left_to_sqlite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
