/*
 * test_check.c - what SQLite's own checks say, without what is content
 */
#include "tests/database/fixture.h"

static struct database_check check_of(const char *path)
{
	struct error err = ERROR_INIT;
	struct database_check out = { 0 };
	struct database *db;

	if (database_open(&db, path, NULL, &err) < 0 ||
	    database_check(db, NULL, &out, &err) < 0)
		fail_msg("%s", err.message);
	database_close(db);
	return out;
}

static void a_sound_database_has_no_problems(void **state)
{
	struct fixture *f = *state;
	struct database_check c;

	make(f->a, "CREATE TABLE p(a PRIMARY KEY); CREATE TABLE t(a "
		   "REFERENCES p); INSERT INTO p VALUES(1); INSERT INTO t "
		   "VALUES(1), (NULL)");
	c = check_of(f->a);
	assert_int_equal(c.problem_count, 0);
	assert_int_equal(c.orphan_count, 0);
	assert_int_equal(c.unchecked_count, 0);
	database_check_release(&c);
}

/* More of them than integrity_check would tell by itself, and a real one in the
 * last row. */
static void broken_constraints_are_content_and_hide_nothing(void **state)
{
	struct fixture *f = *state;
	struct database_check c;

	make(f->a,
	     "CREATE TABLE a(x, y, z); WITH RECURSIVE c(i) AS (SELECT 1 UNION "
	     "ALL SELECT i+1 FROM c WHERE i<200) INSERT INTO a SELECT NULL, "
	     "'t', -i FROM c; CREATE INDEX i ON a(y) WHERE z > 0;"
	     "CREATE TABLE s(x); INSERT INTO s VALUES('t');"
	     "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
	     "sql='CREATE TABLE a(x NOT NULL, y, z CHECK(z > 0))' WHERE "
	     "name='a'; UPDATE sqlite_schema SET sql='CREATE TABLE s(x INT) "
	     "STRICT' WHERE name='s'; UPDATE sqlite_schema SET sql='CREATE "
	     "INDEX i ON a(y) WHERE z = -200' WHERE name='i'");
	c = check_of(f->a);
	assert_true(c.problem_count >= 1);
	assert_string_equal(c.problems[0], "row 200 missing from index i");
	/* SQLite 3.40 counts the entries as well, 3.46 does not */
	if (c.problem_count > 1)
		assert_string_equal(c.problems[1],
				    "wrong # of entries in index i");
	database_check_release(&c);
}

static void violated_foreign_keys_are_counted_by_table_and_parent(void **state)
{
	struct fixture *f = *state;
	struct database_check c;

	make(f->a, "CREATE TABLE p(a PRIMARY KEY);"
		   "CREATE TABLE t(a REFERENCES p, b REFERENCES gone, c "
		   "REFERENCES P(a)); INSERT INTO t VALUES(1, NULL, NULL), "
		   "(2, 3, 4);"
		   "CREATE TABLE s(a REFERENCES s(b), b UNIQUE); INSERT INTO s "
		   "VALUES(1, 2)");
	c = check_of(f->a);
	assert_int_equal(c.problem_count, 0);
	assert_int_equal(c.orphan_count, 4);
	assert_string_equal(c.orphans[0].table, "s");
	assert_string_equal(c.orphans[0].parent, "s");
	assert_int_equal(c.orphans[0].rows, 1);
	assert_string_equal(c.orphans[1].parent, "P");
	assert_int_equal(c.orphans[1].rows, 1);
	assert_string_equal(c.orphans[2].parent, "gone");
	assert_int_equal(c.orphans[2].rows, 1);
	assert_string_equal(c.orphans[3].parent, "p");
	assert_int_equal(c.orphans[3].rows, 2);
	database_check_release(&c);
}

/* Rows that SQLite's own check tells, one by one. */
static int count_violations(const char *path)
{
	sqlite3 *sql = app_open(path);
	sqlite3_stmt *st;
	int count = 0;

	assert_int_equal(sqlite3_prepare_v2(sql, "PRAGMA foreign_key_check", -1,
					    &st, NULL),
			 SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW)
		count++;
	sqlite3_finalize(st);
	sqlite3_close(sql);
	return count;
}

/* Affinities and collations of parents meet those of children, and values of
 * all classes, with and without an index of the child. */
static void parents_are_found_as_foreign_keys_find_them(void **state)
{
	static const char *const parents[] = { "INTEGER PRIMARY KEY",
					       "TEXT UNIQUE",
					       "REAL UNIQUE",
					       "UNIQUE",
					       "NUMERIC UNIQUE",
					       "TEXT COLLATE NOCASE UNIQUE",
					       "TEXT COLLATE RTRIM UNIQUE" };
	static const char *const children[] = { "INTEGER", "TEXT", "REAL", "",
						"TEXT COLLATE NOCASE" };
	static const char *const values[] = { "1",     "1.0",   "'1'",  "'1.0'",
					      "1.5",   "'a'",   "'A'",  "'a '",
					      "x'31'", "x'61'", "NULL", "' 1'",
					      "'1e0'", "0" };
	struct fixture *f = *state;
	struct database_check c;
	sqlite3 *sql = app_open(f->a);
	char text[512];
	uint64_t told = 0;

	app_run(sql, "BEGIN");
	for (size_t p = 0; p < 7; p++) {
		snprintf(text, sizeof(text),
			 "CREATE TABLE p%zu(k %s); INSERT INTO p%zu VALUES(1)",
			 p, parents[p], p);
		app_run(sql, text);
		snprintf(text, sizeof(text),
			 "INSERT OR IGNORE INTO p%zu VALUES('a'), (x'31')", p);
		if (p)
			app_run(sql, text);
	}
	for (size_t i = 0; i < 7 * 5 * 14; i++) {
		snprintf(text, sizeof(text),
			 "CREATE TABLE c%zu(v %s REFERENCES p%zu(k));"
			 "INSERT INTO c%zu VALUES(%s)",
			 i, children[i / 7 % 5], i % 7, i, values[i / 35]);
		app_run(sql, text);
		snprintf(text, sizeof(text), "CREATE INDEX i%zu ON c%zu(v)", i,
			 i);
		if (i % 2)
			app_run(sql, text);
	}
	app_run(sql, "COMMIT");
	sqlite3_close(sql);
	c = check_of(f->a);
	for (size_t i = 0; i < c.orphan_count; i++)
		told += c.orphans[i].rows;
	assert_int_equal(told, count_violations(f->a));
	assert_true(told > 100 && told < 400);
	database_check_release(&c);
}

static void foreign_keys_without_a_key_to_meet_are_not_checked(void **state)
{
	struct fixture *f = *state;
	struct database_check c;

	make(f->a,
	     "CREATE TABLE p(a); CREATE VIEW v AS SELECT a FROM p;"
	     "CREATE TABLE t(a REFERENCES p(a)); INSERT INTO t VALUES(1);"
	     "CREATE TABLE u(a REFERENCES v(a)); INSERT INTO u VALUES(1)");
	c = check_of(f->a);
	assert_int_equal(c.orphan_count, 0);
	assert_int_equal(c.unchecked_count, 2);
	assert_string_equal(c.unchecked[0], "t");
	assert_string_equal(c.unchecked[1], "u");
	database_check_release(&c);
}

static void lower(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count;
	sqlite3_result_int(context, sqlite3_value_bytes(values[0]));
}

static int reverse(void *payload, int a_size, const void *a, int b_size,
		   const void *b)
{
	(void)payload;
	return -memcmp(a, b, (size_t)(a_size < b_size ? a_size : b_size));
}

static void indexes_we_cannot_judge_are_not_judged(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	struct database_check c;

	sqlite3_create_function(sql, "app_size", 1,
				SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, lower,
				NULL, NULL);
	sqlite3_create_collation(sql, "app_order", SQLITE_UTF8, NULL, reverse);
	app_run(sql,
		"CREATE TABLE t(a, b, g AS (app_size(a)));"
		"INSERT INTO t VALUES('a', 1), ('b', 2), ('c', 3);"
		"CREATE INDEX by_size ON t(app_size(a));"
		"CREATE INDEX by_g ON t(g);"
		"CREATE INDEX by_order ON t(a COLLATE app_order);"
		"CREATE TABLE w(k COLLATE app_order PRIMARY KEY) WITHOUT "
		"ROWID; INSERT INTO w VALUES('a'), ('b'), ('c');"
		"CREATE TABLE z(a, b); CREATE INDEX sound ON z(a); INSERT INTO "
		"z VALUES(1, 2); PRAGMA writable_schema=ON; UPDATE "
		"sqlite_schema SET sql='CREATE INDEX sound ON z(b)' WHERE "
		"name='sound'");
	sqlite3_close(sql);
	c = check_of(f->a);
	assert_int_equal(c.problem_count, 1);
	assert_string_equal(c.problems[0], "row 1 missing from index sound");
	database_check_release(&c);
}

static void connections_share_the_checks(void **state)
{
	struct fixture *f = *state;
	struct check_share share = { 2 }; /* integrity and table a are taken */
	struct database_check mine, others = { 0 };
	struct error err = ERROR_INIT;
	struct database *db;

	make(f->a, "CREATE TABLE p(a PRIMARY KEY);"
		   "CREATE TABLE a(x REFERENCES p);"
		   "CREATE TABLE b(x REFERENCES p, y REFERENCES a(x));"
		   "CREATE TABLE c(x REFERENCES p);"
		   "INSERT INTO a VALUES(1); INSERT INTO b VALUES(2, NULL);"
		   "INSERT INTO c VALUES(3)");
	assert_int_equal(database_open(&db, f->a, NULL, &err), 0);
	assert_int_equal(database_check(db, &share, &mine, &err), 0);
	assert_int_equal(mine.orphan_count, 1);
	assert_string_equal(mine.orphans[0].table, "c");
	assert_int_equal(mine.unchecked_count, 1);
	assert_int_equal(database_check(db, &share, &others, &err), 0);
	assert_int_equal(others.orphan_count, 0);
	database_check_release(&others);
	assert_int_equal(database_check(db, NULL, &others, &err), 0);
	assert_int_equal(others.orphan_count, 2);
	assert_int_equal(database_check_merge(&mine, &others, &err), 0);
	assert_int_equal(others.orphan_count, 0);
	assert_int_equal(mine.orphan_count, 3);
	assert_string_equal(mine.orphans[0].table, "a");
	assert_string_equal(mine.orphans[1].table, "c");
	assert_string_equal(mine.orphans[2].table, "c");
	assert_int_equal(mine.unchecked_count, 2);
	assert_string_equal(mine.unchecked[1], "b");
	database_check_release(&mine);
	database_check_release(&others);
	database_close(db);
}

static char *copy(const char *text)
{
	char *made = strdup(text);

	assert_non_null(made);
	return made;
}

/* Half of what a check found. */
static struct database_check found(const char *problem, const char *table,
				   const char *parent, const char *unchecked)
{
	struct database_check c = { 0 };

	c.problems = calloc(1, sizeof(*c.problems));
	c.orphans = calloc(1, sizeof(*c.orphans));
	c.unchecked = calloc(1, sizeof(*c.unchecked));
	assert_true(c.problems && c.orphans && c.unchecked);
	c.problems[c.problem_count++] = copy(problem);
	c.orphans[c.orphan_count].table = copy(table);
	c.orphans[c.orphan_count++].parent = copy(parent);
	c.unchecked[c.unchecked_count++] = copy(unchecked);
	return c;
}

/* Which of two connections took a table is chance. */
static void what_is_found_has_one_order(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		struct database_check c[2] = { found("one", "t", "p", "b"),
					       found("another", "t", "o",
						     "a") };

		assert_int_equal(
			database_check_merge(&c[turn], &c[!turn], &err), 0);
		assert_int_equal(c[turn].problem_count, 2);
		assert_string_equal(c[turn].problems[0], "another");
		assert_int_equal(c[turn].orphan_count, 2);
		assert_string_equal(c[turn].orphans[0].parent, "o");
		assert_int_equal(c[turn].unchecked_count, 2);
		assert_string_equal(c[turn].unchecked[0], "a");
		database_check_release(&c[turn]);
		database_check_release(&c[!turn]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_sound_database_has_no_problems),
		fixture_test(broken_constraints_are_content_and_hide_nothing),
		fixture_test(
			violated_foreign_keys_are_counted_by_table_and_parent),
		fixture_test(parents_are_found_as_foreign_keys_find_them),
		fixture_test(
			foreign_keys_without_a_key_to_meet_are_not_checked),
		fixture_test(indexes_we_cannot_judge_are_not_judged),
		fixture_test(connections_share_the_checks),
		fixture_test(what_is_found_has_one_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
