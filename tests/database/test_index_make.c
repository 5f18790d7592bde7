/*
 * test_index_make.c - an index that we make is the index that SQLite makes
 */
#include "tests/database/index_twins.h"

#define ROWS                                                                   \
	"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c LIMIT %d)"

/* Format with up to two numbers; freed by the next call. */
static const char *text(const char *format, int a, int b)
{
	static char *last;

	sqlite3_free(last);
	last = sqlite3_mprintf(format, a, b);
	return last;
}

static void entries_of_every_count_come_back(void **state)
{
	/* four entries a page: these are the ends of three levels */
	for (int count = 0; count < 700;
	     count += count < 140 || count > 610 ? 1 : 23) {
		struct index_case c = { .create = "CREATE INDEX i ON t(a)" };

		c.setup = text("CREATE TABLE t(a);" ROWS
			       "INSERT INTO t SELECT printf('%%0100d', i) "
			       "FROM c WHERE i <= %d",
			       count + 1, count);
		assert_made(*state, &c, count);
		c.create = "CREATE INDEX i ON t(a DESC)";
		assert_made(*state, &c, count);
	}
}

static void trees_of_many_levels_come_back(void **state)
{
	struct index_case c = { .create = "CREATE INDEX i ON t(a)" };

	c.setup = text("CREATE TABLE t(a);" ROWS
		       "INSERT INTO t SELECT printf('%%0100d', i * 7919 %% "
		       "%d) FROM c",
		       40000, 40009);
	assert_made(*state, &c, 40000);
}

static void all_page_sizes_and_reserved_bytes_come_back(void **state)
{
	static const int sizes[] = { 512, 1024, 4096, 65536 };
	static const int reserved[] = { 0, 7, 32 };

	for (size_t s = 0; s < 4; s++)
		for (size_t r = 0; r < 3; r++) {
			struct index_case c = { .page_size = sizes[s],
						.reserved = reserved[r] };

			c.create = "CREATE INDEX i ON t(a, b)";
			c.setup = text("CREATE TABLE t(a, b);" ROWS
				       "INSERT INTO t SELECT i * 7919 %% %d, "
				       "zeroblob(i %% 300) FROM c",
				       3000, 61);
			assert_made(*state, &c, 3000);
		}
}

/* Those around where an entry begins to overflow, and fills its last page. */
static void entries_of_every_size_come_back(void **state)
{
	for (int first = 0; first < 2400; first += 300) {
		struct index_case c = { .create = "CREATE INDEX i ON t(a)" };

		c.setup = text("CREATE TABLE t(a);" ROWS
			       "INSERT INTO t SELECT CAST(zeroblob(i + %d) AS "
			       "TEXT) || 'x' FROM c",
			       300, first);
		assert_made(*state, &c, 300);
		c.create = "CREATE INDEX i ON t(a DESC)";
		assert_made(*state, &c, 300);
	}
}

/* ---- which comes first ---- */

#define VALUES                                                                  \
	"CREATE TABLE v(x); INSERT INTO v VALUES(NULL), (0), (0.0), (-0.0),"    \
	"(1), (1.0), (-1), (0.5), (127), (128), (-129), (8388608), (1e308),"    \
	"(5e-324), (9e999), (-9e999), (9007199254740992), (9007199254740993),"  \
	"(9007199254740992.0), (9007199254740994.0), (-9007199254740993),"      \
	"(-9007199254740992.0), (9223372036854775807), (9223372036854775806),"  \
	"(9223372036854775295), (9223372036854775296), (9223372036854774784),"  \
	"(9223372036854774784.0), (9223372036854775808.0), (-9e18),"            \
	"(-9223372036854775807-1), (-9223372036854775808.0), (4611686018427"    \
	"387905), (4611686018427387904.0), (''), ('a'), ('A'), ('ab'), ('aB')"  \
	", ('a '), ('a  b'), ('  '), ('b'), ('_'), ('[z'), ('Zz'), (char(97,"   \
	"1)), (char(127)), (char(255)), (char(233)), (x''), (x'00'), (x'0000')" \
	", (x'0001'), (x'00ff'), (x'ff'), (x'ff00'), (x'61'), ('12345678'),"    \
	"('123456780'), ('1234567'), ('12345678901234567890');"
#define NULS                                                                   \
	"INSERT INTO v VALUES(char(0)), (char(97,0)), (char(97,0,0)),"         \
	"(char(97,0,98)), (char(97,0,32)), (char(97,255,0));"

static void values_of_all_kinds_are_in_order(void **state)
{
	static const char *const indexes[] = {
		"CREATE INDEX i ON t(a, b)",
		"CREATE INDEX i ON t(a DESC, b)",
		"CREATE INDEX i ON t(b, a DESC)",
		"CREATE INDEX i ON t(b DESC, a DESC)",
		"CREATE INDEX i ON t(a COLLATE RTRIM, b COLLATE RTRIM DESC)",
	};
	static const char *const plain[] = {
		"CREATE INDEX i ON t(a COLLATE NOCASE, b)",
		"CREATE INDEX i ON t(b COLLATE NOCASE DESC, a COLLATE NOCASE)",
		"CREATE INDEX i ON t(a COLLATE NOCASE, b COLLATE RTRIM)",
	};
	struct index_case c = { .page_size = 1024 };

	for (size_t i = 0; i < 5; i++) {
		c.setup = VALUES NULS "CREATE TABLE t(a, b); INSERT INTO t "
				      "SELECT p.x, q.x FROM v p, v q";
		c.create = indexes[i];
		assert_made(*state, &c, 68 * 68);
	}
	for (size_t i = 0; i < 3; i++) {
		c.setup = VALUES "CREATE TABLE t(a, b); INSERT INTO t "
				 "SELECT p.x, q.x FROM v p, v q";
		c.create = plain[i];
		assert_made(*state, &c, 62 * 62);
	}
}

static void columns_are_kept_as_their_table_keeps_them(void **state)
{
	struct index_case c = { .page_size = 1024 };

	c.setup = VALUES "CREATE TABLE t(z, r REAL, id INTEGER PRIMARY KEY, "
			 "n NUMERIC, s TEXT, g AS (n + 1), i INT);"
			 "INSERT INTO t(z, r, id, n, s, i) SELECT "
			 "zeroblob(900), x, rowid * 7 - 99, x, x, x FROM v";
	c.create = "CREATE INDEX i ON t(r, s, i DESC, n)";
	assert_made(*state, &c, 62);
	c.create = "CREATE INDEX i ON t(s DESC, id DESC, z)";
	assert_made(*state, &c, 62);
	c.create = "CREATE INDEX i ON t(id)";
	assert_made(*state, &c, 62);
	c.create = "CREATE UNIQUE INDEX i ON t(id DESC)";
	assert_made(*state, &c, 62);
	/* what stands in front of such a row is enough */
	c.setup = "CREATE TABLE t(a, b); INSERT INTO t VALUES(2, "
		  "zeroblob(9000000)), (1, 0)";
	c.create = "CREATE INDEX i ON t(a)";
	assert_made(*state, &c, 2);
}

static void rows_without_an_entry_are_left_out(void **state)
{
	struct index_case c = {
		.setup = VALUES "CREATE TABLE t(a, r REAL, b); INSERT INTO t "
				"SELECT p.x, q.x, nullif(p.rowid % 3, 1) "
				"FROM v p, v q",
		.create = "CREATE INDEX i ON t(a) WHERE b IS NOT NULL",
		.partial = 1,
	};

	assert_made(*state, &c, 41 * 62);
	c.create = "CREATE INDEX i ON t(b, r) WHERE b IS NULL";
	assert_made(*state, &c, 21 * 62);
}

/* ---- memory ---- */

static void what_does_not_fit_into_memory_is_merged(void **state)
{
	static const size_t bytes[] = { 1, 300, 5000, 100000 };

	for (size_t i = 0; i < 4; i++) {
		struct index_case c = { .sort_bytes = bytes[i] };

		c.setup = VALUES
			"CREATE TABLE t(a, b); INSERT INTO t "
			"SELECT p.x, zeroblob(q.rowid * 9) FROM v p, v q";
		c.create = "CREATE INDEX i ON t(a DESC, b)";
		assert_made(*state, &c, 62 * 62);
	}
}

/* ---- UNIQUE ---- */

static void unique_indexes_take_any_number_of_nulls(void **state)
{
	struct index_case c = { .create = "CREATE UNIQUE INDEX i ON t(a, b)" };

	c.setup = text("CREATE TABLE t(a, b);" ROWS
		       "INSERT INTO t SELECT nullif(i %% %d, 0), "
		       "iif(i < 1600, i, NULL) FROM c",
		       2000, 40);
	assert_made(*state, &c, 2000);
}

static void equal_keys_of_a_unique_index_are_for_sqlite_to_tell(void **state)
{
	static const char *const rows[] = {
		"(1), (2), (3), (3)", "(3), (2), (1), (2)", "(9), (1), (1.0)",
		"('a'), ('b'), ('a')", "(x'00'), (''), (x'00')"
	};
	int64_t count;

	for (size_t i = 0; i < 5; i++) {
		struct index_case c = { .page_size = 512 };
		char *setup = sqlite3_mprintf("CREATE TABLE t(a);" ROWS
					      "INSERT INTO t SELECT 100 + i "
					      "FROM c;"
					      "INSERT INTO t VALUES%s",
					      1000, rows[i]);

		c.setup = setup;
		c.create = "CREATE UNIQUE INDEX i ON t(a)";
		assert_int_equal(index_twins(*state, &c, &count), 1);
		assert_true(c.refused);
		sqlite3_free(setup);
	}
}

/* All texts of up to three of these, by rowid in one order and its reverse. */
#define ZEROS                                                                  \
	"CREATE TABLE t(a); WITH b(x) AS (VALUES('a'), ('B'), ('b'), "         \
	"(char(0)), (char(1)), ('')) INSERT INTO t SELECT p.x || q.x || r.x "  \
	"FROM b p, b q, b r; INSERT INTO t SELECT a FROM t ORDER BY rowid DESC"

static void nocase_looks_no_further_than_a_zero(void **state)
{
	static const char *const creates[] = {
		"CREATE INDEX i ON t(a COLLATE NOCASE)",
		"CREATE INDEX i ON t(a COLLATE NOCASE DESC)",
	};
	struct index_case c = { .page_size = 512, .setup = ZEROS };
	int64_t count;

	for (size_t i = 0; i < 2; i++) {
		c.create = creates[i];
		assert_int_equal(index_twins(*state, &c, &count), 0);
		assert_int_equal(count, 432);
	}
	c.setup = "CREATE TABLE t(a); INSERT INTO t VALUES('a' || char(0, 98)),"
		  " ('A' || char(0)), ('A' || char(0, 99))";
	c.create = "CREATE UNIQUE INDEX i ON t(a COLLATE NOCASE)";
	assert_int_equal(index_twins(*state, &c, &count), 1);
	assert_true(c.refused);
}

/* ---- what is for SQLite ---- */

static void what_we_do_not_know_is_left_to_sqlite(void **state)
{
	struct index_case cases[] = {
		{ .setup = "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)",
		  .create = "CREATE INDEX i ON t(a, a COLLATE NOCASE)" },
		{ .setup = "CREATE TABLE t(a); INSERT INTO t VALUES(1), "
			   "(zeroblob(300000))",
		  .create = "CREATE INDEX i ON t(a)" },
		{ .setup = "CREATE TABLE t(a, b); INSERT INTO t VALUES("
			   "zeroblob(140000), zeroblob(140000))",
		  .create = "CREATE INDEX i ON t(a, b)" },
		{ .setup = "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2);"
			   "ALTER TABLE t ADD COLUMN b DEFAULT 5",
		  .create = "CREATE INDEX i ON t(b)" },
		{ .setup = "CREATE TABLE t(b, a); INSERT INTO t VALUES("
			   "zeroblob(9000000), 1)",
		  .create = "CREATE INDEX i ON t(a)" },
		{ .setup = "PRAGMA auto_vacuum = 1; CREATE TABLE t(a);"
			   "INSERT INTO t VALUES(1), (2)",
		  .create = "CREATE INDEX i ON t(a)" },
	};
	int64_t count;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(index_twins(*state, &cases[i], &count), 1);
}

/* ---- any index ---- */

static uint64_t seed;

static int below(int limit)
{
	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return (int)((seed >> 33) % (uint64_t)limit);
}

/* What stands in a column: `%d` are two numbers. */
static const char *any_column(void)
{
	static const char *const columns[] = {
		"(SELECT x FROM v WHERE rowid = 1 + i * %d %% 62 * (%d > 0))",
		"i * %d %% %d",
		"(i - 300) * 0.5 / %d + 0 * %d",
		"'text ' || (i * %d %% %d)",
		"nullif(i * %d %% %d, 0)",
		"printf('%%0*d', i * %d %% 900, i %% %d)",
		"CAST(printf('%%0*d', i * %d %% 90, i %% %d) AS BLOB)",
		"substr('aAbBcC dD', i * %d %% 7, 1 + i %% %d)",
		"%d * %d",
		"i << (i * %d %% 60) | %d",
	};

	return columns[below(10)];
}

static const char *any_index(struct buffer *out, int columns)
{
	static const char *const orders[] = { "", " DESC", " COLLATE RTRIM",
					      " COLLATE NOCASE",
					      " COLLATE NOCASE DESC" };

	buffer_printf(out, "CREATE %sINDEX i ON t(", below(4) ? "" : "UNIQUE ");
	for (int i = 0; i < columns; i++)
		buffer_printf(out, "%sc%d%s", i ? ", " : "", columns - 1 - i,
			      orders[below(5)]);
	buffer_str(out, ")");
	return buffer_cstr(out);
}

static const char *any_table(struct buffer *out, int columns)
{
	static const char *const types[] = { "", "INT", "REAL", "TEXT",
					     "NUMERIC" };
	struct buffer rows = BUFFER_INIT;

	buffer_str(out, VALUES "CREATE TABLE t(");
	for (int i = 0; i < columns; i++) {
		char *column = sqlite3_mprintf(any_column(), 1 + below(5000),
					       1 + below(900));

		buffer_printf(out, "c%d %s,", i, types[below(5)]);
		buffer_printf(&rows, "%s%s", i ? ", " : "", column);
		sqlite3_free(column);
	}
	buffer_printf(out,
		      "filler DEFAULT 1);"
		      "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 "
		      "FROM c LIMIT %d) INSERT INTO t SELECT %s, 1 FROM c",
		      1 + below(1500), buffer_cstr(&rows));
	buffer_release(&rows);
	return buffer_cstr(out);
}

static void any_index_comes_back(void **state)
{
	static const int sizes[] = { 512, 512, 1024, 4096, 65536 };
	static const size_t bytes[] = { 1, 4000, 40000, INDEX_SORT_BYTES };
	const char *rounds = getenv("DBSTOW_TEST_ROUNDS");
	int count = rounds ? (int)strtol(rounds, NULL, 10) : 150;
	int64_t entries;

	for (int round = 0; round < count; round++) {
		struct buffer table = BUFFER_INIT, index = BUFFER_INIT;
		struct index_case c = { .page_size = 0 };
		int columns;

		seed = (uint64_t)round;
		columns = 1 + below(3);
		c.page_size = sizes[below(5)];
		c.reserved = below(3) * 4;
		c.sort_bytes = bytes[below(4)];
		c.setup = any_table(&table, columns);
		c.create = any_index(&index, columns);
		/* what fails is told by its texts */
		if (index_twins(*state, &c, &entries) != c.refused)
			fail_msg("%d: %s; %s", round, c.setup, c.create);
		buffer_release(&table);
		buffer_release(&index);
	}
}

static void sqlite_goes_on_behind_what_we_made(void **state)
{
	struct index_case c = { .create = "CREATE INDEX i ON t(a)" };
	struct fixture *f = *state;
	sqlite3 *sql;

	c.setup = text("CREATE TABLE t(a);" ROWS
		       "INSERT INTO t SELECT i * 7919 %% %d FROM c",
		       5000, 977);
	assert_made(f, &c, 5000);
	sql = app_open(f->a);
	app_run(sql, "INSERT INTO t SELECT a * 2 FROM t WHERE a % 3;"
		     "DELETE FROM t WHERE a < 400; CREATE INDEX j ON t(a);"
		     "UPDATE t SET a = a + 1 WHERE a % 7");
	assert_sound(sql);
	app_run(sql, "DELETE FROM t; DROP INDEX i");
	assert_sound(sql);
	sqlite3_close(sql);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(entries_of_every_count_come_back),
		fixture_test(trees_of_many_levels_come_back),
		fixture_test(all_page_sizes_and_reserved_bytes_come_back),
		fixture_test(entries_of_every_size_come_back),
		fixture_test(values_of_all_kinds_are_in_order),
		fixture_test(columns_are_kept_as_their_table_keeps_them),
		fixture_test(rows_without_an_entry_are_left_out),
		fixture_test(what_does_not_fit_into_memory_is_merged),
		fixture_test(unique_indexes_take_any_number_of_nulls),
		fixture_test(
			equal_keys_of_a_unique_index_are_for_sqlite_to_tell),
		fixture_test(nocase_looks_no_further_than_a_zero),
		fixture_test(what_we_do_not_know_is_left_to_sqlite),
		fixture_test(any_index_comes_back),
		fixture_test(sqlite_goes_on_behind_what_we_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
