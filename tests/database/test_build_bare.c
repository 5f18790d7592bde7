/*
 * test_build_bare.c - rows that their table, as it was declared, would not take
 */
#include "tests/database/fixture.h"

/* It has to be built bare, and comes back all the same. */
static void assert_needs_bare(void **state, const char *text,
			      const char *message)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct reader r = read_made(state, text);
	char plain[16] = "";
	size_t refused;

	assert_int_equal(build_once(&r, f->b, 0, plain, &refused, NULL, &err),
			 1);
	assert_string_equal(err.message, message);
	error_clear(&err);
	build_well(&r, f->b);
	assert_same(&r, f->b);
	unlink(f->b);
	reader_close(&r);
}

static void values_that_a_type_would_turn_need_a_bare_table(void **state)
{
	static const struct {
		const char *type, *value, *becomes;
	} moves[] = {
		{ "INTEGER", "'12'", "a number" },
		{ "INT", "' +1.5e3 '", "a number" },
		{ "NUMERIC", "'.5'", "a number" },
		{ "DATE", "'7.'", "a number" },
		{ "BIGINT", "3.0", "an integer" },
		{ "DECIMAL(10,2)", "-0.0", "an integer" },
		{ "FLOAT", "'1e3'", "a number" },
		{ "REAL", "-0.0", "0.0" },
		{ "VARCHAR(20)", "5", "text" },
		{ "CLOB", "2.5", "text" },
		{ "CHARINT", "'5'", "a number" },
	};
	char text[512], message[256];
	size_t i;

	for (i = 0; i < sizeof(moves) / sizeof(*moves); i++) {
		snprintf(text, sizeof(text),
			 "CREATE TABLE t(x); INSERT INTO t VALUES(%s);"
			 "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
			 "sql='CREATE TABLE t(x %s)'",
			 moves[i].value, moves[i].type);
		snprintf(message, sizeof(message),
			 "table 't' would turn a value of column 'x' into %s",
			 moves[i].becomes);
		assert_needs_bare(state, text, message);
	}
}

static void values_that_stay_need_none(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	char plain[16] = "";
	size_t refused;
	struct reader r = read_made(
		state,
		"CREATE TABLE t(i INTEGER, n NUMERIC, r REAL, x TEXT, b BLOB);"
		"INSERT INTO t VALUES('2020-01-01', '0x1F', 1, '5', '7'),"
		"('', '-', 'e5', x'31', 5), (x'31', 9223372036854775808.0,"
		" 0.0, NULL, 5.0), ('1e', '1 2', '.', '', -0.0),"
		"(1.5, '1e+', '+', 'a', NULL)");

	assert_int_equal(build_once(&r, f->b, 0, plain, &refused, NULL, &err),
			 0);
	assert_same(&r, f->b);
	reader_close(&r);
}

static void rows_that_a_constraint_refuses_need_a_bare_table(void **state)
{
	assert_needs_bare(
		state,
		"CREATE TABLE t(a UNIQUE, b, c); INSERT INTO t VALUES"
		"(1, NULL, 1), (2, 2, NULL); PRAGMA writable_schema=ON;"
		"UPDATE sqlite_schema SET sql='CREATE TABLE t(a UNIQUE,"
		" b NOT NULL ON CONFLICT REPLACE DEFAULT 5,"
		" c NOT NULL ON CONFLICT IGNORE)' WHERE name='t'",
		"table 't', rowid 1 is refused: NOT NULL constraint failed: "
		"t.b");
	assert_needs_bare(
		state,
		"CREATE TABLE t(a); INSERT INTO t VALUES('x');"
		"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
		"sql='CREATE TABLE t(a INT) STRICT'",
		"table 't', rowid 1 is refused: cannot store TEXT value in INT "
		"column t.a");
}

static void rows_that_violate_a_check_come_back(void **state)
{
	struct fixture *f = *state;
	struct reader r = read_made(
		state, "PRAGMA ignore_check_constraints=ON;"
		       "CREATE TABLE t(a CHECK(a > 5), b CHECK(b < "
		       "date('now'))); INSERT INTO t VALUES(1, '9999')");

	build_well(&r, f->b);
	assert_same(&r, f->b);
	reader_close(&r);
}

static void a_stored_column_keeps_the_types_of_a_bare_table(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct reader r = read_made(
		state, "CREATE TABLE t(a TEXT, b, s AS (a || b) STORED);"
		       "INSERT INTO t(a, b) VALUES('1', 1), (NULL, 2);"
		       "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
		       "sql='CREATE TABLE t(a TEXT NOT NULL, b, s AS (a || b) "
		       "STORED)'");

	build_well(&r, f->b);
	assert_same(&r, f->b);
	assert_sql(f->b, "SELECT s FROM t WHERE rowid = 1", "11");
	unlink(f->b);
	reader_close(&r);
	r = read_made(state,
		      "CREATE TABLE t(a, b, s AS (a || b) STORED);"
		      "INSERT INTO t(a, b) VALUES(1, 2);"
		      "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
		      "sql='CREATE TABLE t(a TEXT, b, s AS (a || b) STORED)'");
	assert_int_equal(build(&r, f->b, 0, 0, NULL, &err), -1);
	assert_string_equal(err.message,
			    "table 't' would turn a value of column 'a' into "
			    "text, and its generated columns need the types");
	reader_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(values_that_a_type_would_turn_need_a_bare_table),
		fixture_test(values_that_stay_need_none),
		fixture_test(rows_that_a_constraint_refuses_need_a_bare_table),
		fixture_test(rows_that_violate_a_check_come_back),
		fixture_test(a_stored_column_keeps_the_types_of_a_bare_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
