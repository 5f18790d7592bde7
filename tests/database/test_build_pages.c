/*
 * test_build_pages.c - tables whose rows are written in pages: what SQLite adds
 * to them, and what it does not take
 */
#include "tests/database/fixture.h"

static void written_tables_have_their_indexes_and_sequences(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(
		state,
		"PRAGMA page_size = 512; CREATE TABLE a(id INTEGER PRIMARY KEY "
		"AUTOINCREMENT, k TEXT COLLATE NOCASE UNIQUE, v AS (k || 'x') "
		"UNIQUE, r REAL, UNIQUE(r, k));"
		"CREATE TABLE b(k PRIMARY KEY, x);"
		"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c "
		"WHERE i<3000) INSERT INTO a(id, k, r) SELECT i*2, 'k' || "
		"(i*7919%3001), i FROM c;"
		"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c "
		"WHERE i<300) INSERT INTO b SELECT i % 299 + 300*(i=300), "
		"zeroblob(i*10) FROM c;"
		"UPDATE sqlite_sequence SET seq = 9000; CREATE INDEX i ON "
		"a(r)");

	expect_many_rows(&r);
	build_well(&r, f->b);
	assert_same(&r, f->b);
	assert_sql(f->b, "PRAGMA integrity_check", "ok");
	assert_sql(f->b, "SELECT id FROM a WHERE k = 'K5'",
		   "4878"); /* found by the index, whatever the case */
	assert_sql(f->b, "SELECT seq FROM sqlite_sequence", "9000");
	assert_sql(f->b, "SELECT count(*) FROM b WHERE k > 298", "1");
	reader_close(&r);
}

static void indexes_of_all_kinds_come_back(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(
		state,
		"PRAGMA page_size = 1024; CREATE TABLE \"T 1\"(a, b REAL, c "
		"TEXT, d COLLATE NOCASE, \"null\", UNIQUE(c, a));"
		"CREATE TABLE w(k PRIMARY KEY, x) WITHOUT ROWID;"
		"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c "
		"WHERE i<3000) INSERT INTO \"T 1\" SELECT nullif(i % 9, 3), "
		"i * 7919 % 3001, 'text' || i, char(65 + i % 40), nullif(i % "
		"2, 0) FROM c; INSERT INTO w SELECT b, a FROM \"T 1\";"
		"CREATE INDEX ours ON \"t 1\"(a);"
		"CREATE INDEX sqlites ON \"T 1\"(a + 1);"
		"CREATE UNIQUE INDEX \"of both\" ON \"T 1\"(b DESC, d) "
		"-- said\n;"
		"CREATE INDEX a_null ON \"T 1\"(d, b) WHERE a IS NULL;"
		"CREATE INDEX not_null ON \"T 1\"(b) WHERE \"null\" IS NOT "
		"NULL;"
		"CREATE INDEX no_row ON \"T 1\"(b) WHERE null IS NOT NULL;"
		"CREATE INDEX some ON \"T 1\"(c) WHERE a > 4;"
		"CREATE INDEX of_w ON w(x);"
		"CREATE INDEX last ON \"T 1\"(c COLLATE NOCASE DESC)");

	expect_many_rows(&r);
	build_well(&r, f->b);
	assert_same(&r, f->b);
	assert_sql(f->b, "PRAGMA integrity_check", "ok");
	/* SQLite counts the tables and indexes that it makes: one table with
	 * its indexes, another, and four of these */
	assert_sql(f->b, "PRAGMA schema_version", "6");
	assert_sql(f->b,
		   "SELECT group_concat(name) FROM sqlite_schema WHERE type = "
		   "'index' AND sql IS NOT NULL",
		   "a_null,last,no_row,not_null,of both,ours,some,"
		   "sqlites,of_w");
	assert_sql(f->b,
		   "SELECT count(*) FROM \"T 1\" INDEXED BY not_null WHERE "
		   "\"null\" IS NOT NULL",
		   "1500");
	reader_close(&r);
}

/* SQLite takes the NOT NULL for granted, so that each row has an entry in the
 * one and none in the other. */
static void
null_where_a_column_is_not_null_is_indexed_as_by_sqlite(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(
		state,
		"CREATE TABLE t(a, b); WITH RECURSIVE c(i) AS (SELECT 1 UNION "
		"ALL SELECT i+1 FROM c WHERE i<1500) INSERT INTO t SELECT "
		"nullif(i % 5, 0), i FROM c;"
		"CREATE INDEX is_null ON t(b) WHERE a IS NULL;"
		"CREATE INDEX not_null ON t(b) WHERE a IS NOT NULL;"
		"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
		"sql='CREATE TABLE t(a NOT NULL, b)' WHERE name='t'");

	expect_many_rows(&r);
	build_well(&r, f->b);
	assert_same(&r, f->b);
	assert_sql(f->b,
		   "SELECT count(*) FROM pragma_integrity_check(1000) WHERE "
		   "integrity_check <> 'NULL value in t.a'",
		   "0");
	reader_close(&r);
}

/* What is not unique was written, and is taken back. */
static void a_unique_index_that_is_left_out_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct buffer told = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct stat st;
	char want[32];
	struct reader r = read_made(
		state,
		"CREATE TABLE t(a); WITH RECURSIVE c(i) AS (SELECT 1 UNION "
		"ALL SELECT i+1 FROM c WHERE i<30000) INSERT INTO t SELECT "
		"'some text' || min(i + 100000, 129999) FROM c;"
		"CREATE INDEX i ON t(a);"
		"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
		"sql='CREATE UNIQUE INDEX i ON t(a)' WHERE name='i'");

	expect_many_rows(&r);
	assert_int_equal(build(&r, f->b, 1, 0, &told, &err), 0);
	assert_string_equal(buffer_cstr(&told), "left out index 'i'");
	assert_sql(f->b, "PRAGMA integrity_check", "ok");
	assert_int_equal(stat(f->b, &st), 0);
	snprintf(want, sizeof(want), "%lld", (long long)st.st_size / 4096);
	assert_sql(f->b, "PRAGMA page_count", want);
	assert_true(st.st_size < 900000); /* as without the index */
	buffer_release(&told);
	reader_close(&r);
}

/* Those are for INSERT, however many rows they have. */
static void stored_columns_and_utf16_are_left_to_sqlite(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(state,
				    "CREATE TABLE t(a, s AS (a * 2) STORED);"
				    "INSERT INTO t(a) VALUES(4), (5)");

	expect_many_rows(&r);
	build_well(&r, f->b);
	assert_same(&r, f->b);
	assert_sql(f->b, "SELECT group_concat(s) FROM t", "8,10");
	unlink(f->b);
	reader_close(&r);
	r = read_made(state, "PRAGMA encoding = 'UTF-16be'; CREATE TABLE t(a);"
			     "INSERT INTO t VALUES('\xc3\xa9')");
	expect_many_rows(&r);
	build_well(&r, f->b);
	assert_same(&r, f->b);
	assert_sql(f->b, "SELECT hex(CAST(a AS BLOB)) FROM t", "00E9");
	reader_close(&r);
}

static void written_rows_that_are_not_unique_need_a_bare_table(void **state)
{
	static const char *const text =
		"CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES('a'), ('A');"
		"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
		"sql='CREATE TABLE t(a UNIQUE COLLATE NOCASE)' WHERE name='t'";
	struct fixture *f = *state;
	struct buffer told = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct reader r = read_made(state, text);
	char plain[16] = "";
	size_t refused;

	expect_many_rows(&r);
	assert_int_equal(build_once(&r, f->b, 0, plain, &refused, NULL, &err),
			 1);
	assert_int_equal(refused, 0);
	assert_string_equal(err.message,
			    "rows of table 't' are refused: UNIQUE constraint "
			    "failed: t.a");
	assert_int_equal(err.code, ERROR_DAMAGE);
	error_clear(&err);
	assert_int_equal(build(&r, f->b, 1, 0, &told, &err), 0);
	assert_string_equal(buffer_cstr(&told),
			    "rows of table 't' are not unique in "
			    "'sqlite_autoindex_t_1'");
	assert_same(&r, f->b);
	buffer_release(&told);
	reader_close(&r);
}

/* Where INSERT would refuse the row, it is kept as it was. */
static void written_rows_need_no_bare_table_for_null_and_types(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	char plain[16] = "";
	size_t refused;
	struct reader r = read_made(
		state,
		"CREATE TABLE t(a, b); INSERT INTO t VALUES(1, NULL), (2, 3);"
		"CREATE TABLE s(a, b); INSERT INTO s VALUES('x', x'00');"
		"PRAGMA writable_schema=ON;"
		"UPDATE sqlite_schema SET sql='CREATE TABLE t(a INT, b NOT "
		"NULL ON CONFLICT REPLACE DEFAULT 5)' WHERE name='t';"
		"UPDATE sqlite_schema SET sql='CREATE TABLE s(a INT, b TEXT) "
		"STRICT' WHERE name='s'");

	expect_many_rows(&r);
	assert_int_equal(build_once(&r, f->b, 0, plain, &refused, NULL, &err),
			 0);
	assert_same(&r, f->b);
	reader_close(&r);
}

static void written_rowids_that_do_not_ascend_are_refused(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(state, "CREATE TABLE t(x)");
	struct value v = { VALUE_INTEGER, { 5 }, NULL, 0 };
	struct error err = ERROR_INIT;
	struct database *db;
	const struct table *t = &r.catalog->tables[0];

	expect_many_rows(&r);
	assert_int_equal(database_create(&db, f->b, r.catalog, NULL, &err), 0);
	assert_int_equal(database_create_table(db, t, 0, &err), 0);
	assert_int_equal(load_same(db, t, 7, &v, 2, &err), 1);
	assert_string_equal(err.message, "table 't', rowid 7 is refused: it "
					 "comes after rowid 7");
	assert_int_equal(err.code, ERROR_DAMAGE);
	database_close(db);
	reader_close(&r);
}

/* Rows (2, 1) and (1, 2). */
struct two_rows {
	struct row_source source; /* first */
	struct value values[2];
};

static int two_rows_next(struct row_source *source, int64_t *rowid,
			 const struct value **values, struct error *err)
{
	struct two_rows *r = (struct two_rows *)source;

	(void)err;
	*rowid = 0;
	r->values[0].integer--;
	r->values[1].integer++;
	*values = r->values;
	return r->values[0].integer > 0;
}

static int load_two(struct reader *r, const char *path, int bare,
		    struct error *err)
{
	struct two_rows rows = { { two_rows_next },
				 { { VALUE_INTEGER, { 3 }, NULL, 0 },
				   { VALUE_INTEGER, { 0 }, NULL, 0 } } };
	const struct table *t = &r->catalog->tables[0];
	struct database *db;
	int rc;

	assert_int_equal(database_create(&db, path, r->catalog, NULL, err), 0);
	assert_int_equal(database_create_table(db, t, bare, err), 0);
	rc = database_load(db, t, &rows.source, err);
	if (rc == 0)
		assert_int_equal(database_complete(db, err), 0);
	database_close(db);
	return rc;
}

static void written_keys_that_do_not_ascend_need_a_bare_table(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(
		state, "CREATE TABLE t(a PRIMARY KEY, b) WITHOUT ROWID");
	struct error err = ERROR_INIT;

	expect_many_rows(&r);
	assert_int_equal(load_two(&r, f->b, 0, &err), 1);
	assert_string_equal(err.message,
			    "rows of table 't' are refused: they do not ascend "
			    "by their primary key");
	assert_int_equal(err.code, ERROR_DAMAGE);
	error_clear(&err);
	unlink(f->b);
	assert_int_equal(load_two(&r, f->b, 1, &err), 0);
	assert_sql(f->b, "SELECT group_concat(a || '-' || b) FROM t",
		   "1-2,2-1");
	assert_sql(f->b, "PRAGMA integrity_check", "ok");
	reader_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(written_tables_have_their_indexes_and_sequences),
		fixture_test(indexes_of_all_kinds_come_back),
		fixture_test(
			null_where_a_column_is_not_null_is_indexed_as_by_sqlite),
		fixture_test(a_unique_index_that_is_left_out_leaves_nothing),
		fixture_test(stored_columns_and_utf16_are_left_to_sqlite),
		fixture_test(
			written_rows_that_are_not_unique_need_a_bare_table),
		fixture_test(
			written_rows_need_no_bare_table_for_null_and_types),
		fixture_test(written_rowids_that_do_not_ascend_are_refused),
		fixture_test(written_keys_that_do_not_ascend_need_a_bare_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
