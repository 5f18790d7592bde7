/*
 * test_into_snapshot.c - restore_into() and what the snapshot brings along:
 * keys with collations of their own, orphans, views and functions
 */
#include "tests/restore/application.h"
#include "tests/restore/into_fixture.h"

/* ---- keys ---- */

#define MIXED                                                                  \
	"CREATE TABLE a(k TEXT COLLATE NOCASE, j TEXT COLLATE RTRIM, v, "      \
	"PRIMARY KEY(k, j COLLATE BINARY)) WITHOUT ROWID;"
#define EXACT                                                                  \
	"CREATE TABLE a(k TEXT COLLATE NOCASE, v, PRIMARY KEY(k COLLATE "      \
	"BINARY)) WITHOUT ROWID;"
#define EXACT_ROWS "INSERT INTO a VALUES ('b',1),('B',4),('c',2)"

static void a_key_has_collations_of_its_own(void **state)
{
	given(state, MIXED,
	      "INSERT INTO a VALUES ('b','x ',1),('B','x',4),('c','y',2)", "");
	replay(state, "a +3 ~0 -0");
	assert_string_equal(now(state, "SELECT k, j, v FROM a ORDER BY v"),
			    "b|x |1/c|y|2/B|x|4");
	replay(state, "");
	sql(in_folder(state, "app.db"),
	    "UPDATE a SET v = 9 WHERE v = 4; INSERT INTO a VALUES "
	    "('B','x  ',7); DELETE FROM a WHERE v = 2");
	replay(state, "a +1 ~1 -1");
	assert_string_equal(now(state, "SELECT k, j, v FROM a ORDER BY v"),
			    "b|x |1/c|y|2/B|x|4");
}

static void a_stricter_key_than_its_columns_is_followed(void **state)
{
	given(state, EXACT, EXACT_ROWS, "INSERT INTO a VALUES ('B',1),('b',4)");
	replay(state, "a +1 ~2 -0");
	assert_string_equal(now(state, "SELECT k, v FROM a ORDER BY v"),
			    "b|1/c|2/B|4");
}

static void rows_of_such_a_key_may_swap_what_is_unique(void **state)
{
	given(state, EXACT "CREATE UNIQUE INDEX u ON a(v);", EXACT_ROWS,
	      "INSERT INTO a VALUES ('B',1),('b',4)");
	replay(state, "a +1 ~2 -0");
	assert_string_equal(now(state, "SELECT k, v FROM a ORDER BY v"),
			    "b|1/c|2/B|4");
}

static void a_column_may_stand_twice_in_a_key(void **state)
{
	given(state,
	      "CREATE TABLE a(k TEXT, v, PRIMARY KEY(k COLLATE NOCASE, k)) "
	      "WITHOUT ROWID",
	      EXACT_ROWS, "INSERT INTO a VALUES ('B',1),('b',4)");
	replay(state, "a +1 ~2 -0");
	assert_string_equal(now(state, "SELECT k, v FROM a ORDER BY v"),
			    "b|1/c|2/B|4");
}

static void a_target_whose_key_is_laxer_refuses_the_second_row(void **state)
{
	sql(in_folder(state, "staged.db"), EXACT EXACT_ROWS);
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE a(k TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT "
	    "ROWID");
	fails(state, ERROR_FAILED,
	      "the target refuses row ('b') of table 'a': UNIQUE constraint "
	      "failed: a.k; nothing was changed");
}

static void an_old_orphan_is_known_by_its_key(void **state)
{
	given(state,
	      "CREATE TABLE p(id INTEGER PRIMARY KEY);"
	      "CREATE TABLE c(k TEXT COLLATE NOCASE PRIMARY KEY, p REFERENCES "
	      "p) WITHOUT ROWID;",
	      "INSERT INTO c VALUES ('A',5)", "INSERT INTO c VALUES ('a',5)");
	replay_table(state, "c", "c +0 ~1 -0");
	assert_string_equal(now(state, "SELECT * FROM c"), "A|5");
}

/* ---- width ---- */

static char *wide(const char *first, int columns)
{
	char *schema = sqlite3_mprintf("CREATE TABLE t(%s", first);

	for (int i = 0; i < columns; i++)
		schema = sqlite3_mprintf("%z%sc%d", schema,
					 i || *first ? ", " : "", i);
	schema = sqlite3_mprintf("%z)", schema);
	assert_non_null(schema);
	return schema;
}

static void the_widest_table_with_a_key_column_goes_over(void **state)
{
	char *schema = wide("id INTEGER PRIMARY KEY", 1999);

	given(state, schema, "INSERT INTO t(id, c1998) VALUES (1,'x'),(2,'y')",
	      "INSERT INTO t(id, c1998) VALUES (1,'o')");
	replay(state, "t +1 ~1 -0");
	assert_string_equal(now(state, "SELECT id, c0, c1998 FROM t"),
			    "1|NULL|x/2|NULL|y");
	sqlite3_free(schema);
}

static void a_table_of_1999_columns_goes_over(void **state)
{
	char *schema = wide("", 1999);

	given(state, schema,
	      "CREATE UNIQUE INDEX u ON t(c0); INSERT INTO t(c0, c1998) VALUES "
	      "(1,'x'),(2,'y')",
	      "CREATE UNIQUE INDEX u ON t(c0); INSERT INTO t(c0, c1998) VALUES "
	      "(2,'x'),(1,'y')");
	replay(state, "t +0 ~2 -0");
	assert_string_equal(now(state, "SELECT rowid, c0, c1998 FROM t"),
			    "1|1|x/2|2|y");
	sqlite3_free(schema);
}

static void a_table_that_is_too_wide_is_told(void **state)
{
	const struct restore_selection all = { .busy_timeout_ms = 50 };
	char *schema = wide("", 2000), changes[2048];
	struct error err = ERROR_INIT;

	given(state, schema, "INSERT INTO t(c0) VALUES (1)", "");
	assert_int_equal(into(state, &all, changes, &err), -1);
	assert_error(
		&err, ERROR_FAILED,
		"'%s' does not fit the snapshot: table 't' has 2001 columns "
		"with its key, and SQLite can replay 2000; nothing was "
		"changed; restore to a new file, or choose tables with "
		"--table",
		in_folder(state, "app.db"));
	assert_string_equal(now(state, "SELECT count(*) FROM t"), "0");
	sqlite3_free(schema);
}

/* ---- orphans of the snapshot ---- */

#define FAMILY                                                                 \
	"CREATE TABLE users(id INTEGER PRIMARY KEY, name);"                    \
	"CREATE TABLE posts(id INTEGER PRIMARY KEY, author INTEGER "           \
	"REFERENCES users, re INTEGER REFERENCES posts);"
#define ORPHANS                                                                \
	"INSERT INTO users VALUES (1,'a');"                                    \
	"INSERT INTO posts VALUES (10,1,NULL),(11,7,NULL),(12,1,99)"

static void orphans_of_the_snapshot_come_back(void **state)
{
	given(state, FAMILY, ORPHANS, "INSERT INTO users VALUES (7,'new')");
	replay(state, "users +1 ~0 -1, posts +3 ~0 -0");
	assert_string_equal(now(state, "SELECT * FROM posts"),
			    "10|1|NULL/11|7|NULL/12|1|99");
}

static void one_table_of_them_is_refused(void **state)
{
	given(state, FAMILY, ORPHANS, "");
	fails_table(state, "posts", ERROR_REFUSED,
		    "row 11 of table 'posts' would be an orphan: nothing in "
		    "table 'users' has its author = 7; nothing was changed; "
		    "restore both tables together");
}

static void a_table_that_refers_to_itself_is_both(void **state)
{
	const char *schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, up "
			     "REFERENCES t)";

	given(state, schema, "INSERT INTO t VALUES (1,NULL),(2,5)", "");
	replay_table(state, "t", "t +2 ~0 -0");
}

static void an_orphan_that_triggers_make_is_none_of_them(void **state)
{
	const struct restore_selection with = { .triggers = 1 };

	given(state,
	      "CREATE TABLE p(id INTEGER PRIMARY KEY, v);"
	      "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p);"
	      "CREATE TABLE log(id INTEGER PRIMARY KEY, c REFERENCES c);",
	      "INSERT INTO p VALUES (1,'x')", "");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE own(id INTEGER PRIMARY KEY, p REFERENCES p);"
	    "CREATE TRIGGER i AFTER INSERT ON p BEGIN INSERT INTO own VALUES "
	    "(1, 77); END");
	fails_as(state, &with, ERROR_REFUSED,
		 "row 1 of table 'own' would be an orphan: nothing in table "
		 "'p' has its p = 77; nothing was changed; change or delete "
		 "that row first");
}

static void a_row_of_the_targets_own_table_is_to_be_changed(void **state)
{
	given(state, "CREATE TABLE p(id INTEGER PRIMARY KEY)", "",
	      "INSERT INTO p VALUES (1)");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE own(id INTEGER PRIMARY KEY, p REFERENCES p);"
	    "INSERT INTO own VALUES (5,1)");
	fails(state, ERROR_REFUSED,
	      "row 5 of table 'own' would be an orphan: nothing in table 'p' "
	      "has its p = 1; nothing was changed; change or delete that row "
	      "first");
}

static void a_foreign_key_that_only_the_target_has_counts(void **state)
{
	sql(in_folder(state, "staged.db"),
	    "CREATE TABLE p(id INTEGER PRIMARY KEY);"
	    "CREATE TABLE c(id INTEGER PRIMARY KEY);"
	    "INSERT INTO c VALUES (1)");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE p(id INTEGER PRIMARY KEY);"
	    "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p);"
	    "INSERT INTO p VALUES (3); INSERT INTO c VALUES (1,3)");
	fails(state, ERROR_REFUSED,
	      "row 1 of table 'c' would be an orphan: nothing in table 'p' has "
	      "its p = 3; nothing was changed; restore to a new file");
}

/* ---- the snapshot's schema ---- */

static void views_and_triggers_that_say_main_are_no_trouble(void **state)
{
	given(state,
	      "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
	      "CREATE TABLE log(a);"
	      "CREATE VIEW v AS SELECT * FROM main.t;"
	      "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log SELECT "
	      "a FROM main.t; END;",
	      "INSERT INTO t VALUES (1,'x')", "");
	replay_table(state, "t", "t +1 ~0 -0");
	assert_string_equal(now(state, "SELECT * FROM v"), "1|x");
	assert_string_equal(now(state, "SELECT count(*) FROM log"), "0");
}

static void the_applications_indexes_of_the_snapshot_do_not_matter(void **state)
{
	with_application(in_folder(state, "staged.db"),
			 "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
			 "CREATE INDEX f ON t(twice(a));"
			 "CREATE UNIQUE INDEX g ON t(a COLLATE applen);"
			 "CREATE UNIQUE INDEX h ON t(a) WHERE twice(a) > 1;"
			 "INSERT INTO t VALUES (1,5),(2,'xx')");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE t(id INTEGER PRIMARY KEY, a)");
	replay(state, "t +2 ~0 -0");
	assert_string_equal(now(state, "SELECT * FROM t"), "1|5/2|xx");
}

static void tables_beside_may_need_the_application(void **state)
{
	given(state, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)",
	      "INSERT INTO t VALUES (1,'x')", "");
	with_application(in_folder(state, "app.db"),
			 "CREATE TABLE u(a COLLATE applen PRIMARY KEY);"
			 "CREATE INDEX f ON u(twice(a));"
			 "INSERT INTO u VALUES (1)");
	replay(state, "t +1 ~0 -0");
}

#define JSON                                                                   \
	"CREATE TABLE t(id INTEGER PRIMARY KEY, j CHECK(json_valid(j)),"       \
	" k AS (json_extract(j, '$.k')));"                                     \
	"CREATE INDEX i ON t(json_extract(j, '$.k'));"

static void json_in_both_schemas_is_trusted(void **state)
{
	given(state, JSON, "INSERT INTO t(id, j) VALUES (1,'{\"k\":2}')",
	      "INSERT INTO t(id, j) VALUES (1,'{}')");
	replay(state, "t +0 ~1 -0");
	assert_string_equal(now(state, "SELECT k FROM t"), "2");
}

/* matchinfo() is what SQLite lets no schema call that it does not trust */
static void what_the_target_calls_is_trusted(void **state)
{
	given(state, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)",
	      "INSERT INTO t VALUES (1,'x')", "");
	with_application(in_folder(state, "app.db"),
			 "CREATE TABLE u(a CHECK(a > 0 OR matchinfo(a)))");
	replay(state, "t +1 ~0 -0");
}

static void parents_are_found_without_an_index(void **state)
{
	given(state,
	      "CREATE TABLE p(id INTEGER PRIMARY KEY, n TEXT);"
	      "CREATE UNIQUE INDEX n ON p(n);"
	      "CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT REFERENCES p(n));",
	      "INSERT INTO p VALUES (1,'a'),(2,'b');"
	      "INSERT INTO c VALUES (1,'b')",
	      "");
	replay_table(state, "c", "c +1 ~0 -0, parent p +1 ~0 -0");
	assert_string_equal(now(state, "SELECT * FROM p"), "2|b");
}

/* ---- AUTOINCREMENT ---- */

static void counters_of_other_tables_stay(void **state)
{
	given(state,
	      "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a);"
	      "CREATE TABLE u(id INTEGER PRIMARY KEY AUTOINCREMENT, a);",
	      "INSERT INTO t VALUES (50,1); INSERT INTO u VALUES (50,1);"
	      "DELETE FROM t",
	      "INSERT INTO t VALUES (3,1); INSERT INTO u VALUES (4,1)");
	replay_table(state, "t", "t +0 ~0 -1");
	assert_string_equal(now(state, "SELECT * FROM sqlite_sequence ORDER BY "
				       "name"),
			    "t|50/u|4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(a_key_has_collations_of_its_own),
		FOLDER_TEST(a_stricter_key_than_its_columns_is_followed),
		FOLDER_TEST(rows_of_such_a_key_may_swap_what_is_unique),
		FOLDER_TEST(a_column_may_stand_twice_in_a_key),
		FOLDER_TEST(a_target_whose_key_is_laxer_refuses_the_second_row),
		FOLDER_TEST(an_old_orphan_is_known_by_its_key),
		FOLDER_TEST(the_widest_table_with_a_key_column_goes_over),
		FOLDER_TEST(a_table_of_1999_columns_goes_over),
		FOLDER_TEST(a_table_that_is_too_wide_is_told),
		FOLDER_TEST(orphans_of_the_snapshot_come_back),
		FOLDER_TEST(one_table_of_them_is_refused),
		FOLDER_TEST(a_table_that_refers_to_itself_is_both),
		FOLDER_TEST(an_orphan_that_triggers_make_is_none_of_them),
		FOLDER_TEST(a_row_of_the_targets_own_table_is_to_be_changed),
		FOLDER_TEST(a_foreign_key_that_only_the_target_has_counts),
		FOLDER_TEST(views_and_triggers_that_say_main_are_no_trouble),
		FOLDER_TEST(
			the_applications_indexes_of_the_snapshot_do_not_matter),
		FOLDER_TEST(tables_beside_may_need_the_application),
		FOLDER_TEST(json_in_both_schemas_is_trusted),
		FOLDER_TEST(what_the_target_calls_is_trusted),
		FOLDER_TEST(parents_are_found_without_an_index),
		FOLDER_TEST(counters_of_other_tables_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
