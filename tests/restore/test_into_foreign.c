/*
 * test_into_foreign.c - restore_into() and foreign keys
 */
#include "tests/restore/into_fixture.h"

#define FAMILY                                                                 \
	"CREATE TABLE users(id INTEGER PRIMARY KEY, name);"                    \
	"CREATE TABLE posts(id INTEGER PRIMARY KEY, author INTEGER "           \
	"REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE, t);"

static void nothing_cascades(void **state)
{
	given(state, FAMILY,
	      "INSERT INTO users VALUES (1,'a'),(2,'b');"
	      "INSERT INTO posts VALUES (10,2,'x')",
	      "INSERT INTO users VALUES (1,'a'),(3,'gone');"
	      "INSERT INTO posts VALUES (10,3,'x'),(11,3,'y')");
	replay(state, "users +1 ~0 -1, posts +0 ~1 -1");
	assert_string_equal(now(state, "SELECT * FROM posts"), "10|2|x");
}

static void an_orphan_is_refused_by_name(void **state)
{
	given(state, FAMILY, "INSERT INTO users VALUES (1,'a')",
	      "INSERT INTO users VALUES (1,'a'),(2,'b');"
	      "INSERT INTO posts VALUES (10,1,'x'),(11,2,'y')");
	fails_table(state, "users", ERROR_REFUSED,
		    "row 11 of table 'posts' would be an orphan: nothing in "
		    "table 'users' has its author = 2; nothing was changed; "
		    "restore both tables together");
}

static void old_orphans_do_not_get_in_the_way(void **state)
{
	given(state, FAMILY, "INSERT INTO users VALUES (1,'a')",
	      "INSERT INTO users VALUES (2,'b');"
	      "INSERT INTO posts VALUES (10,99,'x')");
	replay_table(state, "users", "users +1 ~0 -1");
	assert_string_equal(now(state, "SELECT * FROM posts"), "10|99|x");
}

static void missing_parents_come_along_and_others_stay(void **state)
{
	given(state, FAMILY,
	      "INSERT INTO users VALUES (1,'a'),(2,'b'),(3,'c');"
	      "INSERT INTO posts VALUES (10,1,'x'),(11,2,'y'),(12,NULL,'z')",
	      "INSERT INTO users VALUES (1,'changed since')");
	replay_table(state, "posts", "posts +3 ~0 -0, parent users +1 ~0 -0");
	assert_string_equal(now(state, "SELECT * FROM users"),
			    "1|changed since/2|b");
}

static void parents_of_parents_come_along(void **state)
{
	given(state,
	      "CREATE TABLE a(id INTEGER PRIMARY KEY, up REFERENCES a);"
	      "CREATE TABLE b(id INTEGER PRIMARY KEY, a REFERENCES A);"
	      "CREATE TABLE c(id INTEGER PRIMARY KEY, b REFERENCES b);",
	      "INSERT INTO a VALUES (1,NULL),(2,1),(3,2),(4,3),(5,4),(6,6);"
	      "INSERT INTO b VALUES (7,4),(8,6),(9,5);"
	      "INSERT INTO c VALUES (1,7),(2,8)",
	      "INSERT INTO a VALUES (2,NULL)");
	/* 4 and 3; 2 is there, so 1 is not needed */
	replay_table(state, "c",
		     "c +2 ~0 -0, parent b +2 ~0 -0, parent a +3 ~0 -0");
	assert_string_equal(now(state, "SELECT * FROM a"),
			    "2|NULL/3|2/4|3/6|6");
}

static void cycles_of_parents_end(void **state)
{
	given(state,
	      "CREATE TABLE a(id INTEGER PRIMARY KEY, b REFERENCES b);"
	      "CREATE TABLE b(id INTEGER PRIMARY KEY, a REFERENCES a);"
	      "CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES a);",
	      "INSERT INTO a VALUES (1,1),(2,2); INSERT INTO b VALUES (1,2),"
	      "(2,1); INSERT INTO c VALUES (1,1)",
	      "");
	replay_table(state, "c",
		     "c +1 ~0 -0, parent a +2 ~0 -0, parent b +2 ~0 -0");
	assert_string_equal(now(state, "PRAGMA foreign_key_check"), "");
}

static void composite_keys_with_nulls_need_no_parent(void **state)
{
	given(state,
	      "CREATE TABLE p(x, y, v, PRIMARY KEY(y, x)) WITHOUT ROWID;"
	      "CREATE TABLE c(id INTEGER PRIMARY KEY, y, x, FOREIGN KEY(y, x) "
	      "REFERENCES p);",
	      "INSERT INTO p VALUES (1,2,'p12'),(3,4,'p34');"
	      "INSERT INTO c VALUES (1,2,1),(2,2,NULL),(3,NULL,NULL),"
	      "(4,NULL,77)",
	      "");
	replay_table(state, "c", "c +4 ~0 -0, parent p +1 ~0 -0");
	assert_string_equal(now(state, "SELECT * FROM p"), "1|2|p12");
}

static void a_parent_is_matched_as_sqlite_does(void **state)
{
	/* the parent's affinity and collation decide */
	given(state,
	      "CREATE TABLE p(k TEXT COLLATE NOCASE UNIQUE, v);"
	      "CREATE TABLE c(id INTEGER PRIMARY KEY, k REFERENCES p(k));",
	      "INSERT INTO p VALUES ('abc',1),('7',2);"
	      "INSERT INTO c VALUES (1,'ABC'),(2,7)",
	      "");
	replay_table(state, "c", "c +2 ~0 -0, parent p +2 ~0 -0");
	assert_string_equal(now(state, "PRAGMA foreign_key_check"), "");
}

static void a_parent_whose_rowid_is_taken_gets_another(void **state)
{
	given(state,
	      "CREATE TABLE p(k UNIQUE, v); CREATE TABLE c(id INTEGER PRIMARY "
	      "KEY, k REFERENCES p(k));",
	      "INSERT INTO p(rowid, k, v) VALUES (5,'want',1),(6,'too',2);"
	      "INSERT INTO c VALUES (1,'want'),(2,'too')",
	      "INSERT INTO p(rowid, k, v) VALUES (5,'other',9)");
	replay_table(state, "c", "c +2 ~0 -0, parent p +2 ~0 -0");
	assert_string_equal(now(state, "SELECT k, v FROM p ORDER BY v"),
			    "want|1/too|2/other|9");
}

static void a_parent_whose_key_is_taken_is_told(void **state)
{
	given(state,
	      "CREATE TABLE p(id INTEGER PRIMARY KEY, k UNIQUE);"
	      "CREATE TABLE c(id INTEGER PRIMARY KEY, k REFERENCES p(k));",
	      "INSERT INTO p VALUES (5,'want'); INSERT INTO c VALUES "
	      "(1,'want')",
	      "INSERT INTO p VALUES (5,'other')");
	fails_table(state, "c", ERROR_FAILED,
		    "the target refuses row 5 of table 'p': UNIQUE constraint "
		    "failed: p.id; nothing was changed");
}

static void a_parent_that_is_nowhere_is_an_orphan(void **state)
{
	given(state, FAMILY, "INSERT INTO posts VALUES (10,4,'x')", "");
	fails_table(state, "posts", ERROR_REFUSED,
		    "row 10 of table 'posts' would be an orphan: nothing in "
		    "table 'users' has its author = 4; nothing was changed; "
		    "restore both tables together");
}

static void a_parent_table_that_does_not_fit_matters_if_needed(void **state)
{
	char message[2048];

	sql(in_folder(state, "staged.db"),
	    "CREATE TABLE p(id INTEGER PRIMARY KEY, x);"
	    "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p);"
	    "INSERT INTO p VALUES (1,'x'),(2,'y');"
	    "INSERT INTO c VALUES (1,1)");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE p(id INTEGER PRIMARY KEY);"
	    "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p);"
	    "INSERT INTO p VALUES (1)");
	replay_table(state, "c", "c +1 ~0 -0");
	sql(in_folder(state, "staged.db"), "INSERT INTO c VALUES (2,2)");
	snprintf(message, sizeof message,
		 "'%s' does not fit the snapshot: no column 'x' in table 'p'; "
		 "nothing was changed; restore to a new file, or choose tables "
		 "with --table",
		 in_folder(state, "app.db"));
	fails_table(state, "c", ERROR_FAILED, message);
}

static void a_foreign_key_to_nowhere_stays_one(void **state)
{
	given(state,
	      "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES gone(x))",
	      "INSERT INTO c VALUES (1,NULL),(2,5)",
	      "INSERT INTO c VALUES (2,5)");
	/* row 2 is one already */
	replay(state, "c +1 ~0 -0");
	/* row 3 is one in the snapshot */
	sql(in_folder(state, "staged.db"), "INSERT INTO c VALUES (3,6)");
	replay(state, "c +1 ~0 -0");
}

static void keys_that_sqlite_cannot_enforce_are_left_alone(void **state)
{
	given(state,
	      "CREATE TABLE p(a, b); CREATE VIEW v AS SELECT 1 AS a;"
	      "CREATE TABLE c(id INTEGER PRIMARY KEY, x REFERENCES p,"
	      " y REFERENCES v(a), z REFERENCES p(absent));",
	      "INSERT INTO c VALUES (1,2,3,4)", "");
	replay(state, "c +1 ~0 -0");
}

static void children_without_rowid_are_named_by_their_key(void **state)
{
	given(state,
	      "CREATE TABLE p(id INTEGER PRIMARY KEY);"
	      "CREATE TABLE c(k TEXT PRIMARY KEY, x INT, y INT, FOREIGN KEY(x) "
	      "REFERENCES p) WITHOUT ROWID;",
	      "", "INSERT INTO p VALUES (1); INSERT INTO c VALUES ('a',1,2)");
	fails_table(state, "p", ERROR_REFUSED,
		    "row ('a') of table 'c' would be an orphan: nothing in "
		    "table 'p' has its x = 1; nothing was changed; restore "
		    "both tables together");
}

static void a_trigger_that_makes_an_orphan_is_told(void **state)
{
	const char *table = "t";
	const struct restore_selection what = { .tables = &table,
						.table_count = 1,
						.triggers = 1 };

	given(state, FAMILY "CREATE TABLE t(id INTEGER PRIMARY KEY, a);",
	      "INSERT INTO t VALUES (1,'n')", "");
	sql(in_folder(state, "app.db"),
	    "CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO posts VALUES "
	    "(1, 77, 'x'); END");
	fails_as(state, &what, ERROR_REFUSED,
		 "row 1 of table 'posts' would be an orphan: nothing in table "
		 "'users' has its author = 77; nothing was changed; restore "
		 "both tables together");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(nothing_cascades),
		FOLDER_TEST(an_orphan_is_refused_by_name),
		FOLDER_TEST(old_orphans_do_not_get_in_the_way),
		FOLDER_TEST(missing_parents_come_along_and_others_stay),
		FOLDER_TEST(parents_of_parents_come_along),
		FOLDER_TEST(cycles_of_parents_end),
		FOLDER_TEST(composite_keys_with_nulls_need_no_parent),
		FOLDER_TEST(a_parent_is_matched_as_sqlite_does),
		FOLDER_TEST(a_parent_whose_rowid_is_taken_gets_another),
		FOLDER_TEST(a_parent_whose_key_is_taken_is_told),
		FOLDER_TEST(a_parent_that_is_nowhere_is_an_orphan),
		FOLDER_TEST(a_parent_table_that_does_not_fit_matters_if_needed),
		FOLDER_TEST(a_foreign_key_to_nowhere_stays_one),
		FOLDER_TEST(keys_that_sqlite_cannot_enforce_are_left_alone),
		FOLDER_TEST(children_without_rowid_are_named_by_their_key),
		FOLDER_TEST(a_trigger_that_makes_an_orphan_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
