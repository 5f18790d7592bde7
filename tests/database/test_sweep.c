/*
 * test_sweep.c - a sweep knows what is right, and never of what is not
 */
#include "database/sqlite_pages.h"
#include "tests/database/fixture.h"

/* 600 rows: more than a page of each, and values of all classes. */
#define ROWS                                                                   \
	"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c "        \
	"WHERE i<600) INSERT INTO t SELECT i, i * 7 % 101, CASE i % 6 "        \
	"WHEN 0 THEN NULL WHEN 1 THEN i / 2 WHEN 2 THEN i / 4.0 "              \
	"WHEN 3 THEN 'text ' || i WHEN 4 THEN 'TEXT ' || (i-1) || '  ' "       \
	"ELSE x'0102' END, i % 9 - 0.5 FROM c;"
#define TABLE "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b, r REAL);" ROWS

/* Sweep table `t` of a database. */
static struct swept sweep(const char *path)
{
	struct reader r = reader_open(path);
	struct error err = ERROR_INIT;
	struct sweep *s;
	struct swept out;

	assert_int_equal(sweep_new(&s, r.db, &err), 0);
	assert_int_equal(sweep_table(s, "t", &out, &err), 0);
	assert_int_equal(err.code, ERROR_NONE);
	sweep_free(s);
	reader_close(&r);
	return out;
}

static int indexes_are_right(const char *path)
{
	struct swept s = sweep(path);

	swept_release(&s);
	return s.indexes;
}

/* ---- indexes ---- */

static const char *const sound[] = {
	"CREATE INDEX i ON t(a)",
	"CREATE INDEX i ON t(b)",
	"CREATE INDEX i ON t(b COLLATE NOCASE, r)",
	"CREATE INDEX i ON t(b COLLATE RTRIM DESC, a, b)",
	"CREATE INDEX i ON t(r DESC, id)",
	"CREATE UNIQUE INDEX i ON t(a, b, r, id)",
	"CREATE UNIQUE INDEX i ON t(b COLLATE RTRIM, id DESC)",
	"CREATE INDEX i ON t(a) WHERE b IS NOT NULL -- some\n",
	"CREATE INDEX i ON t(b, r) WHERE \"B\" IS NOT NULL",
	"CREATE INDEX i ON t(r, id) WHERE b IS NULL; CREATE INDEX j ON t(a) "
	"WHERE id IS NOT NULL; CREATE INDEX k ON t(b) WHERE a IS NULL",
	"CREATE UNIQUE INDEX \"(i\" ON t(b, id, r) WHERE a > 50 AND b > 'T'",
	"CREATE INDEX i ON t(a); DELETE FROM t",
	"CREATE INDEX i ON t(a); CREATE INDEX j ON t(b); CREATE INDEX k ON "
	"t(r, a); DELETE FROM t WHERE id % 3; UPDATE t SET a = -a",
	"ALTER TABLE t ADD COLUMN n INT DEFAULT 7; CREATE INDEX i ON t(n, a)",
	"ALTER TABLE t ADD COLUMN w TEXT DEFAULT 'x'; UPDATE t SET w = hex("
	"zeroblob(3000)) || id WHERE id < 20; CREATE INDEX i ON t(w)",
	"UPDATE t SET b = -0.0 WHERE id = 5; UPDATE t SET b = 9e18 WHERE "
	"id = 6; UPDATE t SET b = 9007199254740993 WHERE id = 7; UPDATE t SET "
	"b = 9007199254740992.0 WHERE id = 8; CREATE INDEX i ON t(b)",
};

static void sound_indexes_are_known_to_be(void **state)
{
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(sound) / sizeof(*sound); i++) {
		unlink(f->a);
		make(f->a, TABLE);
		make(f->a, sound[i]);
		if (!indexes_are_right(f->a))
			fail_msg("%s", sound[i]);
	}
}

static void tables_without_indexes_have_none_that_are_wrong(void **state)
{
	struct fixture *f = *state;

	make(f->a, TABLE);
	assert_int_equal(indexes_are_right(f->a), 1);
}

static const char *const foreign[] = {
	"CREATE INDEX i ON t(a + 1)",
	"CREATE INDEX i ON t(a) WHERE abs(a) > 3; ALTER TABLE t ADD COLUMN g "
	"AS (a * 2); CREATE INDEX j ON t(g)",
	"DROP TABLE t; CREATE TABLE t(a, b, PRIMARY KEY(a, b)) WITHOUT ROWID; "
	"CREATE INDEX i ON t(b)",
	"DROP TABLE t; PRAGMA encoding='UTF-16le'; VACUUM; CREATE TABLE t(a); "
	"CREATE INDEX i ON t(a)",
};

static void what_is_not_read_is_not_judged(void **state)
{
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(foreign) / sizeof(*foreign); i++) {
		unlink(f->a);
		make(f->a,
		     i == 3 ? "PRAGMA encoding='UTF-16le';" TABLE : TABLE);
		make(f->a, foreign[i]);
		if (indexes_are_right(f->a))
			fail_msg("%s", foreign[i]);
	}
}

/* An index, and how its row in the schema says other than its entries. */
static const struct {
	const char *make, *edit;
} wrong[] = {
	/* an entry too few, too many, and one instead of another */
	{ "CREATE INDEX i ON t(a) WHERE id <> 300",
	  "sql = 'CREATE INDEX i ON t(a)'" },
	{ "CREATE INDEX i ON t(a)",
	  "sql = 'CREATE INDEX i ON t(a) WHERE id <> 300'" },
	{ "CREATE INDEX i ON t(a) WHERE id <> 300",
	  "sql = 'CREATE INDEX i ON t(a) WHERE id <> 301'" },
	/* and so where rows are chosen by a NULL */
	{ "CREATE INDEX i ON t(a) WHERE b IS NOT NULL AND id <> 301",
	  "sql = 'CREATE INDEX i ON t(a) WHERE b IS NOT NULL'" },
	{ "CREATE INDEX i ON t(a) WHERE b IS NOT NULL OR id = 300",
	  "sql = 'CREATE INDEX i ON t(a) WHERE b IS NOT NULL'" },
	{ "CREATE INDEX i ON t(a) WHERE b IS NOT NULL AND id <> 301 OR "
	  "id = 300",
	  "sql = 'CREATE INDEX i ON t(a) WHERE b IS NOT NULL'" },
	{ "CREATE INDEX i ON t(a) WHERE b IS NOT NULL",
	  "sql = 'CREATE INDEX i ON t(a) WHERE b IS NULL'" },
	{ "CREATE INDEX i ON t(a) WHERE b IS NULL AND id <> 300",
	  "sql = 'CREATE INDEX i ON t(a) WHERE b IS NULL'" },
	/* other columns */
	{ "UPDATE t SET a = id * 2; CREATE INDEX i ON t(id)",
	  "sql = 'CREATE INDEX i ON t(a)'" },
	{ "UPDATE t SET r = a + 0.5 WHERE id = 3; UPDATE t SET r = a WHERE "
	  "id <> 3; CREATE INDEX i ON t(r)",
	  "sql = 'CREATE INDEX i ON t(a)'" },
	/* another order */
	{ "CREATE INDEX i ON t(a)", "sql = 'CREATE INDEX i ON t(a DESC)'" },
	{ "CREATE INDEX i ON t(b)",
	  "sql = 'CREATE INDEX i ON t(b COLLATE NOCASE)'" },
	{ "UPDATE t SET b = 'a' || char(9) WHERE id = 1; UPDATE t SET "
	  "b = 'a' WHERE id = 2; CREATE INDEX i ON t(b COLLATE RTRIM, a)",
	  "sql = 'CREATE INDEX i ON t(b COLLATE RTRIM, a DESC)'" },
	/* twice the same */
	{ "CREATE INDEX i ON t(a)", "sql = 'CREATE UNIQUE INDEX i ON t(a)'" },
	{ "CREATE INDEX i ON t(b, a) WHERE id <> 8; UPDATE t SET b = 'x', "
	  "a = 1 WHERE id IN (4, 7)",
	  "sql = 'CREATE UNIQUE INDEX i ON t(b, a) WHERE id <> 8'" },
	{ "UPDATE t SET b = 'x ' WHERE id = 4; UPDATE t SET b = 'x' WHERE "
	  "id = 7; CREATE INDEX i ON t(b COLLATE RTRIM) WHERE id IN (4, 7)",
	  "sql = 'CREATE UNIQUE INDEX i ON t(b COLLATE RTRIM) WHERE id IN "
	  "(4, 7)'" },
	/* another index's entries */
	{ "CREATE INDEX i ON t(a); CREATE INDEX j ON t(b)",
	  "rootpage = (SELECT sum(rootpage) FROM sqlite_schema WHERE name IN "
	  "('i', 'j')) - rootpage WHERE name = 'j' OR name = 'i'" },
};

static void wrong_indexes_are_not_taken_for_right(void **state)
{
	struct fixture *f = *state;
	char edit[512];
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		unlink(f->a);
		make(f->a, TABLE);
		make(f->a, wrong[i].make);
		if (!indexes_are_right(f->a))
			fail_msg("%zu: %s", i, wrong[i].make);
		snprintf(edit, sizeof(edit),
			 "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
			 "%s %s",
			 wrong[i].edit,
			 strstr(wrong[i].edit, "name = 'i'")
				 ? ""
				 : "WHERE name = 'i'");
		make(f->a, edit);
		if (indexes_are_right(f->a))
			fail_msg("%zu: %s", i, wrong[i].edit);
	}
}

/* Which rows SQLite means then is not told by the rows. */
static void not_null_is_believed_as_sqlite_does(void **state)
{
	struct fixture *f = *state;

	make(f->a,
	     "CREATE TABLE t(a, n); INSERT INTO t VALUES(1, NULL), "
	     "(2, 2), (3, 3); CREATE INDEX i ON t(a) WHERE n IS NOT NULL");
	assert_int_equal(indexes_are_right(f->a), 1);
	make(f->a, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql "
		   "= 'CREATE TABLE t(a, n NOT NULL)' WHERE name = 't'");
	assert_int_equal(indexes_are_right(f->a), 0);
	make(f->a, "REINDEX");
	assert_int_equal(indexes_are_right(f->a), 1);
}

/* ---- tables without rowids ---- */

#define KEYS(columns, key)                                                     \
	"DROP TABLE IF EXISTS t; CREATE TABLE t(" columns ", PRIMARY KEY(" key \
	")) WITHOUT ROWID; WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL "        \
	"SELECT i+1 FROM c WHERE i<600) INSERT INTO t SELECT i * 7 % 101, "    \
	"CASE i % 5 WHEN 0 THEN i / 2 WHEN 1 THEN i / 4.0 WHEN 2 THEN "        \
	"'text ' || i || hex(zeroblob(i * i % 900)) WHEN 3 THEN 'TEXT ' || "   \
	"(i-1) || '  ' ELSE zeroblob(i % 7) END, i FROM c;"

static const char *const sound_keys[] = {
	KEYS("a, b, c", "c"),
	KEYS("a, b, c", "a DESC, c"),
	KEYS("a, b, c REAL", "b, c DESC"),
	KEYS("a, b COLLATE NOCASE, c", "b, c"),
	KEYS("a, b, c", "b COLLATE RTRIM DESC, a, c"),
	KEYS("a, b, c, v AS (a + c), s AS (b) STORED", "b, c, b"),
	KEYS("a, b, c", "a, c") "DELETE FROM t",
	KEYS("a, b, c", "b, c") "UPDATE t SET b = 'a' WHERE c % 3",
	KEYS("a, b, c", "b, c") "ALTER TABLE t ADD COLUMN d DEFAULT 'x'",
};

static void keys_in_order_are_known_to_be(void **state)
{
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(sound_keys) / sizeof(*sound_keys); i++) {
		make(f->a, sound_keys[i]);
		if (!indexes_are_right(f->a))
			fail_msg("%s", sound_keys[i]);
	}
}

/* A table's rows, and another key that they are said to be sorted by. */
static const struct {
	const char *make, *key;
} wrong_keys[] = {
	{ KEYS("a, b, c", "c"), "c DESC" },
	{ KEYS("a, b, c", "a, c"), "a, c DESC" },
	{ KEYS("a, b, c", "b, c"), "b COLLATE NOCASE, c" },
	{ KEYS("a, b, c", "b COLLATE RTRIM, c") "UPDATE t SET b = 'x ' WHERE "
						"c = 1; UPDATE t SET b = 'x' "
						"WHERE c = 2",
	  "b, c" },
	/* twice the same key */
	{ KEYS("a, b, c", "a, c"), "a" },
	{ "DROP TABLE t; CREATE TABLE t(a, b, c, PRIMARY KEY(a, b)) "
	  "WITHOUT ROWID; INSERT INTO t VALUES('same', 1, 2), ('same', 2, 3)",
	  "a" },
};

static void keys_out_of_order_are_not_taken_for_right(void **state)
{
	struct fixture *f = *state;
	char edit[512];
	size_t i;

	make(f->a, TABLE);
	for (i = 0; i < sizeof(wrong_keys) / sizeof(*wrong_keys); i++) {
		make(f->a, wrong_keys[i].make);
		if (!indexes_are_right(f->a))
			fail_msg("%zu: %s", i, wrong_keys[i].make);
		snprintf(edit, sizeof(edit),
			 "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
			 "sql = 'CREATE TABLE t(a, b, c, PRIMARY KEY(%s)) "
			 "WITHOUT ROWID' WHERE name = 't'",
			 wrong_keys[i].key);
		make(f->a, edit);
		if (indexes_are_right(f->a))
			fail_msg("%zu: %s", i, wrong_keys[i].key);
	}
}

/* NULLs are not each other's equal. */
static void unique_indexes_may_have_nulls_twice(void **state)
{
	struct fixture *f = *state;

	make(f->a, "CREATE TABLE t(a, b, UNIQUE(a, b)); INSERT INTO t VALUES"
		   "(1, NULL), (1, NULL), (NULL, 2), (NULL, 2), (1, 2)");
	assert_int_equal(indexes_are_right(f->a), 1);
}

/* ---- damage ---- */

static int is_ok(const char *path)
{
	sqlite3 *sql = app_open(path);
	sqlite3_stmt *st = NULL;
	int ok;

	ok = sqlite3_prepare_v2(sql, "PRAGMA integrity_check", -1, &st, NULL) ==
		     SQLITE_OK &&
	     sqlite3_step(st) == SQLITE_ROW &&
	     !strcmp((const char *)sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
	sqlite3_close(sql);
	return ok;
}

static int check_is_clean(const char *path)
{
	struct error err = ERROR_INIT;
	struct database_check out;
	struct database *db = NULL;
	int clean;

	clean = database_open(&db, path, NULL, &err) == 0 &&
		database_begin(db, &err) == 0 &&
		database_check(db, NULL, &out, &err) == 0;
	if (clean) {
		clean = !out.problem_count;
		database_check_release(&out);
	}
	database_close(db);
	return clean;
}

/* Any byte of a small database, one after the other: what SQLite finds, the
 * check finds. */
static void assert_no_damage_is_missed(struct fixture *f, const char *made)
{
	unsigned missed = 0, found = 0;
	unsigned char old, new;
	long size, at;
	FILE *file;

	make(f->a, made);
	file = fopen(f->a, "r+b");
	assert_non_null(file);
	setvbuf(file, NULL, _IONBF, 0);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	for (at = 512; at < size; at++) {
		assert_int_equal(fseek(file, at, SEEK_SET), 0);
		assert_int_equal(fread(&old, 1, 1, file), 1);
		new = (unsigned char)(old ^ (1 << at % 8));
		assert_int_equal(fseek(file, at, SEEK_SET), 0);
		assert_int_equal(fwrite(&new, 1, 1, file), 1);
		if (!is_ok(f->a)) {
			found++;
			missed += check_is_clean(f->a) != 0;
		} else if (!check_is_clean(f->a)) {
			fail_msg("byte %ld is no damage", at);
		}
		assert_int_equal(fseek(file, at, SEEK_SET), 0);
		assert_int_equal(fwrite(&old, 1, 1, file), 1);
	}
	fclose(file);
	assert_true(found > 100);
	assert_int_equal(missed, 0);
}

#define SMALL                                                                  \
	"FROM json_each('[1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31,33,35]');"

static void no_damage_is_missed(void **state)
{
	assert_no_damage_is_missed(
		*state, "PRAGMA page_size=512; CREATE TABLE t(a INT, b TEXT "
			"COLLATE NOCASE UNIQUE, c); INSERT INTO t SELECT "
			"value, 't' || value, value / 3 " SMALL
			"CREATE INDEX i ON t(a DESC); CREATE INDEX j ON t(c) "
			"WHERE c IS NOT NULL");
}

static void no_damage_to_keys_is_missed(void **state)
{
	assert_no_damage_is_missed(
		*state, "PRAGMA page_size=512; CREATE TABLE t(a INT, b TEXT "
			"COLLATE NOCASE, c, PRIMARY KEY(b, c DESC)) WITHOUT "
			"ROWID; INSERT INTO t SELECT value, 't' || value % 4, "
			"value || hex(zeroblob(value * value % 70)) " SMALL
			"INSERT INTO t VALUES(1, hex(zeroblob(300)), 'end')");
}

/* ---- many tables ---- */

static void large_tables_come_first(void **state)
{
	static const char *const want[] = { "w", "z", "a", "b", "empty" };
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct table_sizes sizes;
	struct reader r;
	size_t i;

	make(f->a, "PRAGMA page_size=512; CREATE TABLE empty(x);"
		   "CREATE TABLE b(x); INSERT INTO b VALUES(1);"
		   "CREATE TABLE a(x); INSERT INTO a VALUES(1);"
		   "CREATE VIEW v AS SELECT 1; CREATE TABLE z(x);"
		   "INSERT INTO z SELECT zeroblob(200) " SMALL
		   "CREATE TABLE w(x PRIMARY KEY, y) WITHOUT ROWID;"
		   "INSERT INTO w SELECT value, zeroblob(90) " SMALL
		   "INSERT INTO w SELECT value + 1, zeroblob(90) " SMALL
		   "INSERT INTO w SELECT value + 50, zeroblob(90) " SMALL);
	r = reader_open(f->a);
	assert_int_equal(table_sizes_read(&sizes, r.db, &err), 0);
	assert_int_equal(sizes.count, sizeof(want) / sizeof(*want));
	for (i = 0; i < sizes.count; i++)
		assert_string_equal(sizes.items[i].name, want[i]);
	assert_true(sizes.items[0].leaves > sizes.items[1].leaves);
	table_sizes_release(&sizes);
	reader_close(&r);
}

/* ---- foreign keys ---- */

static void assert_keys(const char *path, const char *want)
{
	struct swept s = sweep(path);
	size_t i;

	assert_int_equal(s.key_count, strlen(want));
	for (i = 0; i < s.key_count; i++)
		assert_int_equal(s.keys[i], want[i] - '0');
	swept_release(&s);
}

/* SQLite numbers the keys from the last to the first. */
static void keys_to_rowids_are_known_to_hold(void **state)
{
	struct fixture *f = *state;

	make(f->a, "CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p "
		   "VALUES(-9223372036854775807), (-9223372036854775800);"
		   "CREATE TABLE q(a, id INTEGER PRIMARY KEY); INSERT INTO q "
		   "VALUES(0, 1), (0, 600), (0, 601);"
		   "CREATE TABLE e(id INTEGER PRIMARY KEY);"
		   "CREATE TABLE t(id INTEGER PRIMARY KEY REFERENCES q, "
		   "a REFERENCES p(ID), b REFERENCES t, c REFERENCES e);"
		   "INSERT INTO t VALUES(1, -9223372036854775807, 600, NULL), "
		   "(600, -9223372036854775800, 1, NULL), "
		   "(601, NULL, 601, NULL)");
	assert_keys(f->a, "1111");
	make(f->a, "UPDATE t SET c = 1 WHERE id = 1");
	assert_keys(f->a, "0111");
	make(f->a, "UPDATE t SET b = 2 WHERE id = 1; UPDATE t SET c = NULL");
	assert_keys(f->a, "1011");
	make(f->a, "UPDATE t SET a = -9223372036854775799 WHERE id = 601");
	assert_keys(f->a, "1001");
	make(f->a, "UPDATE t SET b = 1, a = NULL; INSERT INTO t(id) "
		   "VALUES(602)");
	assert_keys(f->a, "1110");
}

static void keys_to_other_columns_are_known_to_hold(void **state)
{
	struct fixture *f = *state;

	make(f->a, "CREATE TABLE p(name TEXT PRIMARY KEY, n INT UNIQUE, "
		   "b UNIQUE) WITHOUT ROWID; WITH RECURSIVE c(i) AS (SELECT 1 "
		   "UNION ALL SELECT i+1 FROM c WHERE i<600) INSERT INTO p "
		   "SELECT 'name ' || i, -i, zeroblob(i) FROM c; "
		   "INSERT INTO p VALUES('', NULL, x'');"
		   "CREATE TABLE t(a REFERENCES p, b REFERENCES p(N), "
		   "c BLOB REFERENCES p(b), PRIMARY KEY(a, b)) WITHOUT ROWID;"
		   "INSERT INTO t SELECT name, coalesce(n, -1), b FROM p");
	assert_keys(f->a, "111");
	make(f->a, "UPDATE t SET a = 'Name 7' WHERE a = 'name 7'");
	assert_keys(f->a, "110");
	make(f->a, "UPDATE t SET a = 'name 8' WHERE a = 'Name 7'; "
		   "UPDATE t SET b = 0 WHERE b = -600");
	assert_keys(f->a, "101");
	make(f->a, "UPDATE t SET b = -1 WHERE b = 0; "
		   "UPDATE t SET c = zeroblob(601) WHERE b = -5");
	assert_keys(f->a, "011");
	make(f->a, "UPDATE t SET c = NULL WHERE b = -5");
	assert_keys(f->a, "111");
	make(f->a, "UPDATE t SET c = 'text' WHERE b = -5; INSERT INTO p "
		   "VALUES('text', 1, 'text')");
	assert_keys(f->a, "111");
}

/* What is converted before it is compared, to the parent's type, is another
 * value then; and an integer's bytes are no blob. */
static void values_that_are_converted_are_not_judged(void **state)
{
	struct fixture *f = *state;

	make(f->a, "CREATE TABLE p(i INT UNIQUE, t TEXT UNIQUE, r REAL UNIQUE, "
		   "n UNIQUE, g AS (n) UNIQUE);"
		   "INSERT INTO p VALUES(1, '1', 1, 1);"
		   "CREATE TABLE t(a REFERENCES p(i), b REFERENCES p(t), "
		   "c REFERENCES p(r), d REFERENCES p(n), e REFERENCES p(g));"
		   "INSERT INTO t VALUES('1', 1, 1.0, 1, 1)");
	assert_keys(f->a, "01000");
	make(f->a, "UPDATE t SET a = 1, b = '1', c = 1, d = 1.0");
	assert_keys(f->a, "00011");
	make(f->a, "UPDATE t SET d = x'0100000000000000'");
	assert_keys(f->a, "00011");
}

/* Here '1' is converted, and the 1 that it becomes is not there. */
static void
parents_of_another_class_than_their_type_are_not_judged(void **state)
{
	struct fixture *f = *state;

	make(f->a, "CREATE TABLE p(i BLOB UNIQUE, t BLOB UNIQUE);"
		   "INSERT INTO p VALUES('1', 1);"
		   "CREATE TABLE t(a REFERENCES p(i), b REFERENCES p(t));"
		   "INSERT INTO t VALUES('1', 1)");
	assert_keys(f->a, "11");
	make(f->a, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql "
		   "= 'CREATE TABLE p(i INT UNIQUE, t TEXT UNIQUE)' "
		   "WHERE name = 'p'");
	assert_keys(f->a, "00");
}

/* More than is kept. */
static void keys_to_many_values_are_not_judged(void **state)
{
	struct fixture *f = *state;

	make(f->a, "CREATE TABLE p(a TEXT PRIMARY KEY) WITHOUT ROWID;"
		   "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM "
		   "c WHERE i<65536) INSERT INTO p SELECT i FROM c;"
		   "CREATE TABLE t(a REFERENCES p, b TEXT REFERENCES p(a));"
		   "INSERT INTO t VALUES('1', '65536')");
	assert_keys(f->a, "11");
	make(f->a, "INSERT INTO p VALUES('one more')");
	assert_keys(f->a, "00");
}

/* '1' may be the child of 1: SQLite knows.  So with parents that have several
 * columns, or are far apart. */
static void other_keys_are_not_judged(void **state)
{
	struct fixture *f = *state;

	make(f->a, "CREATE TABLE p(id INTEGER PRIMARY KEY, u UNIQUE, v, "
		   "UNIQUE(u, v)); INSERT INTO p VALUES(1, 1, 1), "
		   "(9000000000000000000, 2, 2);"
		   "CREATE TABLE q(id INTEGER PRIMARY KEY); INSERT INTO q "
		   "VALUES(1);"
		   "CREATE TABLE t(a REFERENCES q, b REFERENCES p, c "
		   "REFERENCES p(u), d REFERENCES gone, g AS (1) REFERENCES q, "
		   "FOREIGN KEY(a, b) REFERENCES p(u, v));"
		   "INSERT INTO t VALUES('1', 1, 1, NULL)");
	assert_keys(f->a, "000100");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(sound_indexes_are_known_to_be),
		fixture_test(tables_without_indexes_have_none_that_are_wrong),
		fixture_test(what_is_not_read_is_not_judged),
		fixture_test(wrong_indexes_are_not_taken_for_right),
		fixture_test(not_null_is_believed_as_sqlite_does),
		fixture_test(keys_in_order_are_known_to_be),
		fixture_test(keys_out_of_order_are_not_taken_for_right),
		fixture_test(unique_indexes_may_have_nulls_twice),
		fixture_test(no_damage_is_missed),
		fixture_test(no_damage_to_keys_is_missed),
		fixture_test(large_tables_come_first),
		fixture_test(keys_to_rowids_are_known_to_hold),
		fixture_test(keys_to_other_columns_are_known_to_hold),
		fixture_test(values_that_are_converted_are_not_judged),
		fixture_test(
			parents_of_another_class_than_their_type_are_not_judged),
		fixture_test(keys_to_many_values_are_not_judged),
		fixture_test(other_keys_are_not_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
