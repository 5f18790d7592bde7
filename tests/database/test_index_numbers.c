/*
 * test_index_numbers.c - an index over one column of numbers is the one that
 * SQLite makes, whatever else turns up among them
 */
#include "tests/database/index_twins.h"

#define COUNT_TO(n)                                                             \
	"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c LIMIT " n \
	")"

/* One entry a run, many runs to be merged more than once, few, none. */
static const size_t sort_bytes[] = { 1, 2000, 40000, INDEX_SORT_BYTES };

static const char *const creates[] = {
	"CREATE INDEX i ON t(a)",
	"CREATE INDEX i ON t(a DESC)",
};

/* Both ways, whatever fits into memory. */
static void assert_made_each_way(void **state, const char *setup, int64_t want)
{
	for (size_t i = 0; i < 8; i++) {
		struct index_case c = { .setup = setup };

		c.create = creates[i % 2];
		c.sort_bytes = sort_bytes[i / 2];
		c.page_size = i % 3 ? 512 : 4096;
		assert_made(*state, &c, want);
	}
}

static void integers_of_all_sizes_come_back(void **state)
{
	assert_made_each_way(
		state,
		"CREATE TABLE t(x, a INTEGER);" COUNT_TO(
			"4000") "INSERT INTO t SELECT i, (i * 7919 % 1009 - 500) << (i % 56) "
				"FROM c; INSERT INTO t(a) VALUES(9223372036854775807),"
				"(-9223372036854775807-1), (9223372036854775806), (0), (1), "
				"(-1), (9223372036854775807), (-9223372036854775807-1)",
		4008);
}

static void equal_integers_are_in_the_order_of_their_rowids(void **state)
{
	assert_made_each_way(
		state,
		"CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER);" COUNT_TO(
			"3000") "INSERT INTO t SELECT (i - 1500) * 7, "
				"i * 7919 % 4 FROM c; INSERT INTO t VALUES"
				"(9223372036854775807, 1), (4294967296, 2),"
				"(-9223372036854775807-1, 3)",
		3003);
	assert_made_each_way(
		state,
		"CREATE TABLE t(a INTEGER);" COUNT_TO(
			"3000") "INSERT INTO t SELECT i = 1 FROM c",
		3000);
}

static void numbers_nearly_in_order_come_back(void **state)
{
	assert_made_each_way(state,
			     "CREATE TABLE t(a REAL);" COUNT_TO(
				     "5000") "INSERT INTO t SELECT 1.69e9 + i "
					     "* 10.5 + i * 7919 % 37 FROM c",
			     5000);
	/* it turns out late that they are not */
	assert_made_each_way(
		state,
		"CREATE TABLE t(a INTEGER);" COUNT_TO(
			"5000") "INSERT INTO t SELECT iif(i < 4000, i, "
				"i * 7919 % 5000) FROM c",
		5000);
}

static void reals_come_back(void **state)
{
	static const char *const types[] = { "", "REAL", "NUMERIC" };

	for (size_t i = 0; i < 3; i++) {
		char *setup = sqlite3_mprintf(
			"CREATE TABLE t(a %s);" COUNT_TO(
				"2000") "INSERT INTO t SELECT (i * 7919 %% "
					"2003 - 1000) * 0.75e%d FROM c;"
					"INSERT INTO t VALUES(9e999), "
					"(-9e999), (5e-324), (-5e-324), (0.0),"
					"(1e308), (-4.0), (9007199254740992.0)",
			types[i], i % 2 ? 300 : 0);

		assert_made_each_way(state, setup, 2008);
		sqlite3_free(setup);
	}
}

/* ---- what is no pair ---- */

#define SHUFFLED                                                               \
	"CREATE TABLE t(a); " COUNT_TO(                                        \
		"2000") "INSERT INTO t SELECT i * 7919 % 2003 FROM c;"

static void nulls_stand_where_they_belong(void **state)
{
	assert_made_each_way(
		state,
		"CREATE TABLE t(a INTEGER);" COUNT_TO(
			"3000") "INSERT INTO t SELECT iif(i % 3, NULL, i * "
				"7919 % 3001) FROM c",
		3000);
	assert_made_each_way(state, SHUFFLED "INSERT INTO t VALUES(NULL)",
			     2001);
	/* nothing but NULL out of order, and nothing but NULL behind it */
	assert_made_each_way(state,
			     "CREATE TABLE t(a INTEGER); INSERT INTO t VALUES"
			     "(1), (NULL), (NULL), (NULL)",
			     4);
}

static void what_is_no_such_number_is_told_late(void **state)
{
	static const char *const last[] = {
		"'text'", "x'00'", "7.5", "7.0", "9e999", "NULL", "-0.0",
	};

	for (size_t i = 0; i < sizeof(last) / sizeof(*last); i++) {
		char *setup = sqlite3_mprintf("%sINSERT INTO t VALUES(%s)",
					      SHUFFLED, last[i]);

		assert_made_each_way(state, setup, 2001);
		sqlite3_free(setup);
	}
}

static void zeros_of_either_sign_are_equal(void **state)
{
	static const char *const zeros[] = { "0.0", "-0.0" };

	for (size_t i = 0; i < 4; i++) {
		/* a REAL column keeps none that is negative */
		char *setup = sqlite3_mprintf(
			"CREATE TABLE t(a %s);" COUNT_TO(
				"2000") "INSERT INTO t SELECT i * 7919 %% "
					"2003 - 1000.5 FROM c; INSERT INTO t "
					"VALUES(%s), (%s), (%s), (-0.5), (0.5)",
			i / 2 ? "REAL" : "", zeros[i % 2], zeros[1 - i % 2],
			zeros[i % 2]);

		assert_made_each_way(state, setup, 2005);
		sqlite3_free(setup);
	}
}

static void rows_without_an_entry_are_left_out(void **state)
{
	struct index_case c = {
		.setup = "CREATE TABLE t(a, b);" COUNT_TO(
			"3000") "INSERT INTO t SELECT i * 7919 % 3001, "
				"nullif(i % 3, 0) FROM c;"
				"INSERT INTO t VALUES('text', NULL)",
		.create = "CREATE INDEX i ON t(a) WHERE b IS NOT NULL",
		.partial = 1,
	};

	assert_made(*state, &c, 2000);
	c.create = "CREATE INDEX i ON t(b) WHERE b IS NOT NULL";
	assert_made(*state, &c, 2000);
}

/* ---- UNIQUE ---- */

static void a_unique_index_takes_what_differs(void **state)
{
	struct index_case c = { .setup = SHUFFLED
				"INSERT INTO t VALUES(-1), (NULL), (NULL),"
				"(9223372036854775807),"
				"(-9223372036854775807-1)" };

	for (size_t i = 0; i < 4; i++) {
		c.sort_bytes = sort_bytes[i];
		c.create = "CREATE UNIQUE INDEX i ON t(a)";
		assert_made(*state, &c, 2005);
		assert_false(c.refused);
		c.create = "CREATE UNIQUE INDEX i ON t(a DESC)";
		assert_made(*state, &c, 2005);
	}
}

static void equal_numbers_are_for_sqlite_to_tell(void **state)
{
	static const char *const more[] = {
		"SELECT a FROM t WHERE rowid = 2",
		"SELECT a FROM t WHERE rowid = 1000",
		"SELECT min(a) FROM t",
		"SELECT max(a) FROM t",
		"SELECT 5.0",
	};
	int64_t count;

	for (size_t i = 0; i < 20; i++) {
		struct index_case c = { .sort_bytes = sort_bytes[i / 5] };
		char *setup = sqlite3_mprintf("%sINSERT INTO t %s", SHUFFLED,
					      more[i % 5]);

		c.setup = setup;
		c.create = "CREATE UNIQUE INDEX i ON t(a)";
		assert_int_equal(index_twins(*state, &c, &count), 1);
		assert_true(c.refused);
		sqlite3_free(setup);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(integers_of_all_sizes_come_back),
		fixture_test(equal_integers_are_in_the_order_of_their_rowids),
		fixture_test(numbers_nearly_in_order_come_back),
		fixture_test(reals_come_back),
		fixture_test(nulls_stand_where_they_belong),
		fixture_test(what_is_no_such_number_is_told_late),
		fixture_test(zeros_of_either_sign_are_equal),
		fixture_test(rows_without_an_entry_are_left_out),
		fixture_test(a_unique_index_takes_what_differs),
		fixture_test(equal_numbers_are_for_sqlite_to_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
