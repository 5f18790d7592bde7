/*
 * test_build_stand_ins.c - schemas that need their application, or do not fit
 * their rows
 */
#include "tests/database/fixture.h"

static void lower(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count;
	sqlite3_result_value(context, values[0]);
}

static int compare(void *payload, int a_size, const void *a, int b_size,
		   const void *b)
{
	(void)payload;
	return sqlite3_strnicmp(a, b, a_size < b_size ? a_size : b_size);
}

static struct reader read_app_made(struct fixture *f, const char *text)
{
	sqlite3 *sql = app_open(f->a);

	sqlite3_create_function(sql, "title_sort", 1,
				SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, lower,
				NULL, NULL);
	sqlite3_create_collation(sql, "unicase", SQLITE_UTF8, NULL, compare);
	app_run(sql, text);
	sqlite3_close(sql);
	return reader_open(f->a);
}

static void assert_needs_stand_in(void **state, const char *text,
				  const char *message, const char *told)
{
	struct fixture *f = *state;
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct reader r = read_app_made(f, text);

	assert_int_equal(build(&r, f->b, 0, 0, NULL, &err), -1);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, ERROR_STANDIN);
	assert_false(file_exists(f->b));
	error_clear(&err);
	if (build(&r, f->b, 1, 0, &out, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(buffer_cstr(&out), told);
	buffer_release(&out);
	assert_same(&r, f->b);
	reader_close(&r);
	unlink(f->a);
	unlink(f->b);
}

static void a_missing_function_is_told_and_stood_in_for(void **state)
{
	assert_needs_stand_in(
		state,
		"CREATE TABLE t(a CHECK(title_sort(a) <> ''), v AS "
		"(title_sort(a))); INSERT INTO t VALUES('x')",
		"table 't' needs the application's function 'title_sort'; "
		"restore with --stand-ins and run REINDEX in the application",
		"function 'title_sort'");
	assert_needs_stand_in(
		state,
		"CREATE TABLE t(a); INSERT INTO t VALUES('x');"
		"CREATE INDEX i ON t(title_sort(a))",
		"index 'i' needs the application's function 'title_sort'; "
		"restore with --stand-ins and run REINDEX in the application",
		"function 'title_sort'");
}

static void a_missing_collation_is_told_and_stood_in_for(void **state)
{
	assert_needs_stand_in(
		state,
		"CREATE TABLE t(k COLLATE unicase PRIMARY KEY) WITHOUT ROWID;"
		"INSERT INTO t VALUES('b'), ('A')",
		"table 't' needs the application's collation 'unicase'; "
		"restore with --stand-ins and run REINDEX in the application",
		"collation 'unicase'");
	assert_needs_stand_in(
		state,
		"CREATE TABLE t(k); INSERT INTO t VALUES('b'), ('A');"
		"CREATE INDEX i ON t(k COLLATE unicase)",
		"index 'i' needs the application's collation 'unicase'; "
		"restore with --stand-ins and run REINDEX in the application",
		"collation 'unicase'");
}

static void a_unique_index_against_its_rows_is_left_out(void **state)
{
	struct fixture *f = *state;
	struct buffer told = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct reader r = read_made(
		state,
		"CREATE TABLE t(a, b); WITH RECURSIVE c(i) AS (SELECT 1 UNION "
		"ALL SELECT i+1 FROM c WHERE i<3000) INSERT INTO t SELECT "
		"hex(zeroblob(40)) || min(i, 2999), i FROM c;"
		"CREATE INDEX \"i\x1b[1m\" ON t(a); CREATE INDEX j ON t(b);"
		"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
		"sql='CREATE UNIQUE INDEX \"i\x1b[1m\" ON t(a)' WHERE name LIKE 'i%'");

	assert_int_equal(build(&r, f->b, 0, 0, NULL, &err), -1);
	assert_string_equal(err.message,
			    "index 'i?[1m' does not fit its rows: UNIQUE "
			    "constraint failed: t.a; restore with --stand-ins "
			    "to leave it out");
	assert_int_equal(err.code, ERROR_STANDIN);
	error_clear(&err);
	assert_int_equal(build(&r, f->b, 1, 0, &told, &err), 0);
	assert_string_equal(buffer_cstr(&told), "left out index 'i\\x1b[1m'");
	assert_sql(f->b, "SELECT group_concat(name) FROM sqlite_schema", "t,j");
	assert_sql(f->b, "SELECT count(*) FROM t", "3000");
	assert_sql(f->b, "PRAGMA integrity_check", "ok");
	buffer_release(&told);
	reader_close(&r);
}

static void a_unique_constraint_against_its_rows_is_told(void **state)
{
	struct fixture *f = *state;
	struct buffer told = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct reader r = read_made(
		state,
		"CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES('a'), ('A');"
		"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
		"sql='CREATE TABLE t(a UNIQUE COLLATE NOCASE)' WHERE "
		"name='t'");

	assert_int_equal(build(&r, f->b, 0, 0, NULL, &err), -1);
	assert_string_equal(
		err.message,
		"rows of table 't' are not unique in 'sqlite_autoindex_t_1': "
		"UNIQUE constraint failed: t.a; restore with --stand-ins to "
		"have them all the same");
	assert_int_equal(err.code, ERROR_STANDIN);
	error_clear(&err);
	assert_int_equal(build(&r, f->b, 1, 0, &told, &err), 0);
	assert_string_equal(buffer_cstr(&told),
			    "rows of table 't' are not unique in "
			    "'sqlite_autoindex_t_1'");
	assert_same(&r, f->b);
	buffer_release(&told);
	reader_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_missing_function_is_told_and_stood_in_for),
		fixture_test(a_missing_collation_is_told_and_stood_in_for),
		fixture_test(a_unique_index_against_its_rows_is_left_out),
		fixture_test(a_unique_constraint_against_its_rows_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
