/*
 * test_into_triggers.c - restore_into() where a change makes more of them:
 * triggers and virtual tables
 */
#include "tests/restore/into_fixture.h"

/* ---- triggers ---- */

#define LOGGED                                                                 \
	"CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE TABLE log(what);"   \
	"CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO log VALUES "     \
	"('i' || new.id); END;"                                                \
	"CREATE TRIGGER u AFTER UPDATE ON t BEGIN INSERT INTO log VALUES "     \
	"('u' || new.id); END;"                                                \
	"CREATE TRIGGER d AFTER DELETE ON t BEGIN INSERT INTO log VALUES "     \
	"('d' || old.id); END;"

static void triggers_stay_quiet(void **state)
{
	given(state, LOGGED, "INSERT INTO t VALUES (1,'n'),(2,'i')",
	      "INSERT INTO t VALUES (1,'o'),(3,'d'); DELETE FROM log");
	replay_table(state, "t", "t +1 ~1 -1");
	assert_string_equal(now(state, "SELECT * FROM log"), "");
}

static void triggers_run_when_asked_for(void **state)
{
	const char *table = "t";
	const struct restore_selection what = { .tables = &table,
						.table_count = 1,
						.triggers = 1 };

	given(state, LOGGED, "INSERT INTO t VALUES (1,'n'),(2,'i')",
	      "INSERT INTO t VALUES (1,'o'),(3,'d'); DELETE FROM log");
	replay_as(state, &what, "t +1 ~1 -1");
	assert_string_equal(now(state, "SELECT * FROM log"), "d3/u1/i2");
}

static void a_trigger_that_changes_the_rows_is_told(void **state)
{
	const struct restore_selection what = { .triggers = 1 };

	given(state, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)",
	      "INSERT INTO t VALUES (1,'n')", "");
	sql(in_folder(state, "app.db"),
	    "CREATE TRIGGER i AFTER INSERT ON t BEGIN UPDATE t SET a = 'hm' "
	    "WHERE id = new.id; END");
	fails_as(state, &what, ERROR_FAILED,
		 "row 1 of table 't' is not as in the snapshot after the "
		 "triggers ran; nothing was changed; leave out --triggers");
}

static void a_trigger_that_adds_rows_is_told(void **state)
{
	const struct restore_selection what = { .triggers = 1 };

	given(state, "CREATE TABLE a(x); CREATE TABLE b(x)",
	      "INSERT INTO b VALUES (1)", "");
	sql(in_folder(state, "app.db"),
	    "CREATE TRIGGER i AFTER INSERT ON b BEGIN INSERT INTO a VALUES (7);"
	    " END");
	fails_as(state, &what, ERROR_FAILED,
		 "table 'a' does not hold as many rows as the snapshot after "
		 "all; nothing was changed; leave out --triggers");
}

/* ---- virtual tables ---- */

#define SEARCH                                                                 \
	"CREATE VIRTUAL TABLE docs USING fts5(body);"                          \
	"CREATE TABLE docs_of_users(a);"

static void a_search_index_is_replayed_with_all(void **state)
{
	struct error err = ERROR_INIT;
	const struct restore_selection all = { .busy_timeout_ms = 50 };
	char changes[2048];

	given(state, SEARCH,
	      "INSERT INTO docs VALUES ('brown fox'),('lazy dog')",
	      "INSERT INTO docs VALUES ('quick cat')");
	if (into(state, &all, changes, &err) < 0)
		fail_msg("%s", err.message);
	assert_non_null(strstr(changes, "docs_content +1 ~1 -0"));
	assert_string_equal(now(state, "SELECT rowid, body FROM docs('dog')"),
			    "2|lazy dog");
	assert_string_equal(now(state, "SELECT count(*) FROM docs('cat')"),
			    "0");
	sql(in_folder(state, "app.db"),
	    "INSERT INTO docs(docs) VALUES ('integrity-check')");
}

static void a_search_index_is_chosen_by_its_own_name(void **state)
{
	struct error err = ERROR_INIT;
	const char *table = "DOCS";
	const struct restore_selection one = { .tables = &table,
					       .table_count = 1 };
	char changes[2048];

	given(state, SEARCH,
	      "INSERT INTO docs VALUES ('brown fox');"
	      "INSERT INTO docs_of_users VALUES (1)",
	      "");
	if (into(state, &one, changes, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(now(state, "SELECT body FROM docs('fox')"),
			    "brown fox");
	assert_string_equal(now(state, "SELECT count(*) FROM docs_of_users"),
			    "0");
	fails_table(state, "docs_content", ERROR_USAGE,
		    "'docs_content' holds data of virtual table 'docs'; name "
		    "that");
}

static void another_search_index_does_not_fit(void **state)
{
	sql(in_folder(state, "staged.db"),
	    "CREATE VIRTUAL TABLE docs USING fts5(body)");
	sql(in_folder(state, "app.db"),
	    "CREATE VIRTUAL TABLE docs USING fts5(body, title)");
	misfit(state, "no virtual table 'docs' like the snapshot's");
}

static void triggers_and_search_indexes_do_not_mix(void **state)
{
	const struct restore_selection what = { .triggers = 1 };

	given(state, SEARCH, "", "");
	fails_as(state, &what, ERROR_USAGE,
		 "virtual table 'docs' can't be restored while triggers run; "
		 "leave out --triggers, or choose other tables with --table");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(triggers_stay_quiet),
		FOLDER_TEST(triggers_run_when_asked_for),
		FOLDER_TEST(a_trigger_that_changes_the_rows_is_told),
		FOLDER_TEST(a_trigger_that_adds_rows_is_told),
		FOLDER_TEST(a_search_index_is_replayed_with_all),
		FOLDER_TEST(a_search_index_is_chosen_by_its_own_name),
		FOLDER_TEST(another_search_index_does_not_fit),
		FOLDER_TEST(triggers_and_search_indexes_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
