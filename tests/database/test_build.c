/*
 * test_build.c - a database from a catalog and rows, equal to the one read
 */
#include "tests/database/fixture.h"

/* Make it, build it, compare; all tables bare as well, and in pages. */
static void assert_comes_back(void **state, const char *text)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct reader r = read_made(state, text);

	for (int way = 0; way < 4; way++) {
		if (way == 2)
			expect_many_rows(&r);
		if (build(&r, f->b, 0, way % 2, NULL, &err) < 0)
			fail_msg("%s", err.message);
		assert_same(&r, f->b);
		assert_sql(f->b, "PRAGMA integrity_check", "ok");
		unlink(f->b);
	}
	reader_close(&r);
}

static void tables_of_all_kinds_come_back(void **state)
{
	assert_comes_back(
		state,
		"CREATE TABLE a(id INTEGER PRIMARY KEY, v DEFAULT 7);"
		"INSERT INTO a VALUES(5, NULL), (-2, x'');"
		"CREATE TABLE b(a INT PRIMARY KEY, b UNIQUE, c, UNIQUE(a),"
		" UNIQUE(c DESC, a));"
		"INSERT INTO b(rowid, a, b) VALUES(8, 3, 2), (2, 1, 5);"
		"CREATE TABLE w(a, b UNIQUE, c, UNIQUE(c, a COLLATE NOCASE "
		"DESC), PRIMARY KEY(b DESC, a COLLATE RTRIM, b)) WITHOUT ROWID;"
		"INSERT INTO w VALUES('x', 2, 1), ('X ', 5, NULL);"
		"CREATE TABLE s(a INT, b ANY) STRICT;"
		"INSERT INTO s VALUES(1, '1'), (2, 2.0);"
		"CREATE TABLE o(rowid, _rowid_, oid); INSERT INTO o "
		"VALUES(1, 2, 3), (1, 2, 3);"
		"CREATE INDEX i ON w(c, a); CREATE INDEX p ON a(v) WHERE v > 1;"
		"CREATE UNIQUE INDEX e ON a(abs(v), id)");
}

/* As many columns as SQLite gives a table, and the rowid beside them. */
static void a_table_of_all_columns_comes_back(void **state)
{
	struct buffer text = BUFFER_INIT;

	buffer_str(&text, "CREATE TABLE t(c0");
	for (int i = 1; i < 2000; i++)
		buffer_printf(&text, ",c%d", i);
	buffer_str(&text, ");INSERT INTO t(rowid, c0, c1999) VALUES"
			  "(7, 1, 'x'), (-2, x'00', 2.5), (9, NULL, NULL)");
	assert_comes_back(state, buffer_cstr(&text));
	buffer_release(&text);
}

/* The names that rows are fed to SQLite under. */
static void tables_with_names_of_ours_come_back(void **state)
{
	assert_comes_back(state, "CREATE TABLE DBStow_feed(c0, c1);"
				 "INSERT INTO dbstow_feed VALUES(1, 2), (3, 4);"
				 "CREATE TABLE dbstow_feed_(c0);"
				 "INSERT INTO dbstow_feed_ VALUES('a'), ('b')");
}

static void generated_columns_come_back(void **state)
{
	assert_comes_back(
		state,
		"CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE,"
		" v AS (a || ')') VIRTUAL, n NUMERIC, r REAL, x CLOB, b INT, s "
		"INT GENERATED ALWAYS AS ((b * 2)) STORED, w TEXT AS (v || s), UNIQUE(v), UNIQUE(s));"
		"INSERT INTO t(id, a, b) VALUES(1, 'x', 2), (5, 'y', NULL);"
		"CREATE INDEX i ON t(w);"
		"CREATE TABLE u(a, v AS (a + 1), b, PRIMARY KEY(b))"
		" WITHOUT ROWID; INSERT INTO u(a, b) VALUES(1, 2);"
		"CREATE INDEX j ON u(v)");
}

static void sequences_and_statistics_come_back(void **state)
{
	assert_comes_back(
		state,
		"CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, v);"
		"CREATE TABLE b(id INTEGER PRIMARY KEY AUTOINCREMENT, v);"
		"INSERT INTO a VALUES(10, 1); INSERT INTO b VALUES(3, 3);"
		"UPDATE sqlite_sequence SET seq = 500 WHERE name = 'a';"
		"DELETE FROM sqlite_sequence WHERE name = 'b';"
		"INSERT INTO sqlite_sequence VALUES('gone', 'x'), (NULL, NULL);"
		"CREATE INDEX i ON a(v); ANALYZE;"
		"INSERT INTO sqlite_stat1 VALUES('gone', 'gone', '5 5')");
	assert_comes_back(
		state,
		"CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT);"
		"INSERT INTO a VALUES(1); DROP TABLE a; CREATE TABLE t(x)");
}

static void views_triggers_and_virtual_tables_come_back(void **state)
{
	assert_comes_back(
		state,
		"CREATE TABLE t(a); INSERT INTO t VALUES(1);"
		"CREATE VIRTUAL TABLE f USING fts5(x, tokenize='porter');"
		"INSERT INTO f VALUES('hello world');"
		"CREATE VIRTUAL TABLE r USING rtree(id, x0, x1);"
		"INSERT INTO r VALUES(1, 0.5, 1.5);"
		"CREATE VIEW v AS SELECT no_function(a) FROM t;"
		"CREATE VIEW w(x, y) AS SELECT * FROM missing;"
		"CREATE TRIGGER z AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 "
		"THEN 2 END; DELETE FROM t; END;"
		"CREATE TRIGGER b AFTER INSERT ON t BEGIN SELECT 1; END;"
		"CREATE TRIGGER i INSTEAD OF UPDATE OF x, y ON w BEGIN "
		"SELECT 1; END");
}

static void texts_that_were_edited_come_back_byte_by_byte(void **state)
{
	assert_comes_back(
		state,
		"CREATE TABLE t(a, b UNIQUE); INSERT INTO t VALUES(1, 2);"
		"CREATE INDEX i ON t(a); CREATE VIEW v AS SELECT 1;"
		"CREATE TABLE s(id INTEGER PRIMARY KEY AUTOINCREMENT);"
		"PRAGMA writable_schema=ON;"
		"UPDATE sqlite_schema SET sql='create  table/**/t -- x\r\n"
		"( a , b UNIQUE ) ; ' WHERE name='t';"
		"UPDATE sqlite_schema SET sql='create index i on T ( a ) '"
		" WHERE name='i';"
		"UPDATE sqlite_schema SET sql='create view \"V\" as select 1;'"
		" WHERE name='v';"
		"UPDATE sqlite_schema SET sql='create table if not exists "
		"[S](id INTEGER PRIMARY KEY AUTOINCREMENT)' WHERE name='s'");
}

static void names_without_utf8_come_back(void **state)
{
	assert_comes_back(state, "CREATE TABLE \"caf\xe9\"(\"b\xff\" UNIQUE);"
				 "INSERT INTO \"caf\xe9\" VALUES('\xfe');"
				 "CREATE INDEX \"i\xff\" ON \"caf\xe9\"(\"b\xff"
				 "\"); CREATE VIEW \"v\xff\" AS SELECT 1;"
				 "CREATE TRIGGER \"t\xff\" AFTER DELETE ON "
				 "\"caf\xe9\" BEGIN SELECT 1; END");
}

static void schemas_with_strings_in_double_quotes_come_back(void **state)
{
	assert_comes_back(
		state,
		"CREATE TABLE q(a DEFAULT \"dq\", b CHECK(b <> \"no\"));"
		"INSERT INTO q VALUES(1, 2); CREATE INDEX i ON q(a) WHERE "
		"a <> 'z'; PRAGMA writable_schema=ON;"
		"UPDATE sqlite_schema SET sql='CREATE INDEX i ON q(a) WHERE a "
		"<> \"z\"' WHERE name='i'");
}

static void json_in_a_schema_comes_back(void **state)
{
	assert_comes_back(
		state,
		"CREATE TABLE t(j CHECK(json_valid(j)), k AS "
		"(json_extract(j, '$.k')) STORED);"
		"INSERT INTO t(j) VALUES('{\"k\": 5}');"
		"CREATE INDEX i ON t(json_extract(j, '$.k')); CREATE INDEX l "
		"ON t(k)");
}

static void layout_and_versions_come_back(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(
		state, "PRAGMA page_size=1024; PRAGMA auto_vacuum=1;"
		       "PRAGMA encoding='UTF-16le'; PRAGMA user_version=-3;"
		       "PRAGMA application_id=-1; PRAGMA journal_mode=WAL;"
		       "CREATE TABLE t(x); INSERT INTO t VALUES('\xc3\xa9')");
	char side[600];

	build_well(&r, f->b);
	assert_same(&r, f->b);
	assert_sql(f->b, "PRAGMA page_size", "1024");
	assert_sql(f->b, "PRAGMA auto_vacuum", "1");
	assert_sql(f->b, "PRAGMA encoding", "UTF-16le");
	assert_sql(f->b, "PRAGMA user_version", "-3");
	assert_sql(f->b, "PRAGMA application_id", "-1");
	assert_sql(f->b, "PRAGMA journal_mode", "wal");
	snprintf(side, sizeof(side), "%s-wal", f->b);
	assert_false(file_exists(side));
	snprintf(side, sizeof(side), "%s-shm", f->b);
	assert_false(file_exists(side));
	reader_close(&r);
}

static void a_database_without_tables_keeps_its_encoding(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(state, "PRAGMA encoding='UTF-16be'; PRAGMA "
					   "user_version=42; CREATE TABLE t(x);"
					   "DROP TABLE t");

	build_well(&r, f->b);
	assert_sql(f->b, "PRAGMA encoding", "UTF-16be");
	assert_sql(f->b, "PRAGMA user_version", "42");
	assert_sql(f->b, "SELECT count(*) FROM sqlite_schema", "0");
	reader_close(&r);
}

static void autoincrement_without_its_sequence_comes_back(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(
		state,
		"CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v);"
		"INSERT INTO t VALUES(5, 'x'); PRAGMA writable_schema=ON;"
		"DELETE FROM sqlite_schema WHERE name='sqlite_sequence'");

	build_well(&r, f->b);
	assert_same(&r, f->b);
	assert_sql(f->b, "SELECT count(*) FROM sqlite_schema", "1");
	reader_close(&r);
}

/* ---- the file ---- */

static void nothing_that_is_there_is_overwritten(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(state, "CREATE TABLE t(x)");
	struct error err = ERROR_INIT;
	struct database *db;
	char want[700], side[600];

	make(f->b, "CREATE TABLE mine(x)");
	assert_int_equal(database_create(&db, f->b, r.catalog, NULL, &err), -1);
	assert_null(db);
	snprintf(want, sizeof(want), "cannot create '%s': File exists", f->b);
	assert_string_equal(err.message, want);
	assert_sql(f->b, "SELECT name FROM sqlite_schema", "mine");
	unlink(f->b);
	snprintf(side, sizeof(side), "%s-journal", f->b);
	make(side, "CREATE TABLE x(y)");
	error_clear(&err);
	assert_int_equal(database_create(&db, f->b, r.catalog, NULL, &err), -1);
	snprintf(want, sizeof(want), "'%s' is in the way", side);
	assert_string_equal(err.message, want);
	assert_false(file_exists(f->b));
	reader_close(&r);
}

static void a_built_file_is_its_owners_alone(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(state, "CREATE TABLE t(x)");
	struct stat st;

	build_well(&r, f->b);
	assert_int_equal(stat(f->b, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	reader_close(&r);
}

static void expect_open_building(const char *path)
{
	const struct database_options open = { .busy_timeout_ms = 1,
					       .building = 1 };
	struct error err = ERROR_INIT;
	struct reader r = { NULL, NULL };

	if (database_open(&r.db, path, &open, &err) < 0 ||
	    database_begin(r.db, &err) < 0 ||
	    database_catalog(r.db, &r.catalog, &err) < 0)
		fail_msg("%s", err.message);
	assert_rows(&r, "t", "1: 1 'a';7: 7 'b';");
	reader_close(&r);
}

static void rows_can_be_read_before_the_rest_is_there(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(
		state, "CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE);"
		       "CREATE INDEX i ON t(id, v);"
		       "INSERT INTO t VALUES(1, 'a'), (7, 'b')");
	const struct table *t = &r.catalog->tables[0];
	struct error err = ERROR_INIT;
	struct database *db;
	char path[sizeof(f->b) + 16];

	/* what stands for something in a URI */
	snprintf(path, sizeof(path), "%s%%41?#b", f->b);
	if (database_create(&db, path, r.catalog, NULL, &err) < 0 ||
	    database_create_table(db, t, 0, &err) < 0 ||
	    load_rows(&r, db, t, &err) != 0 || database_rows_done(db, &err) < 0)
		fail_msg("%s", err.message);
	expect_open_building(path);
	if (database_complete(db, &err) < 0)
		fail_msg("%s", err.message);
	database_close(db);
	assert_same(&r, path);
	reader_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(tables_of_all_kinds_come_back),
		fixture_test(a_table_of_all_columns_comes_back),
		fixture_test(tables_with_names_of_ours_come_back),
		fixture_test(generated_columns_come_back),
		fixture_test(sequences_and_statistics_come_back),
		fixture_test(views_triggers_and_virtual_tables_come_back),
		fixture_test(texts_that_were_edited_come_back_byte_by_byte),
		fixture_test(names_without_utf8_come_back),
		fixture_test(schemas_with_strings_in_double_quotes_come_back),
		fixture_test(json_in_a_schema_comes_back),
		fixture_test(layout_and_versions_come_back),
		fixture_test(a_database_without_tables_keeps_its_encoding),
		fixture_test(autoincrement_without_its_sequence_comes_back),
		fixture_test(nothing_that_is_there_is_overwritten),
		fixture_test(a_built_file_is_its_owners_alone),
		fixture_test(rows_can_be_read_before_the_rest_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
