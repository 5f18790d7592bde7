/*
 * test_into.c - records replayed into the schema that is there
 */
#include "tests/restore/application.h"
#include "tests/restore/into_fixture.h"

/* ---- rows ---- */

static void rows_are_inserted_updated_and_deleted(void **state)
{
	given(state, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)",
	      "INSERT INTO t VALUES (1,'a'),(2,'new'),(4,'d')",
	      "INSERT INTO t VALUES (1,'a'),(2,'old'),(3,'c')");
	replay(state, "t +1 ~1 -1");
	assert_string_equal(now(state, "SELECT * FROM t"), "1|a/2|new/4|d");
	replay(state, "");
}

static void rows_without_a_key_column_go_by_rowid(void **state)
{
	given(state, "CREATE TABLE t(a)",
	      "INSERT INTO t(rowid, a) VALUES (7,'x'),(9,'x'),(-3,'z')",
	      "INSERT INTO t(rowid, a) VALUES (1,'x'),(9,'y')");
	replay(state, "t +2 ~1 -1");
	assert_string_equal(now(state, "SELECT rowid, a FROM t"),
			    "-3|z/7|x/9|x");
}

static void a_column_named_rowid_is_only_a_column(void **state)
{
	given(state, "CREATE TABLE t(rowid, a)",
	      "INSERT INTO t(_rowid_, rowid, a) VALUES (5, 'q', 1)",
	      "INSERT INTO t(_rowid_, rowid, a) VALUES (6, 'q', 1)");
	replay(state, "t +1 ~0 -1");
	assert_string_equal(now(state, "SELECT _rowid_, rowid, a FROM t"),
			    "5|q|1");
}

static void rows_without_rowid_go_by_primary_key(void **state)
{
	given(state,
	      "CREATE TABLE t(v, b, a TEXT, PRIMARY KEY(a, b)) WITHOUT ROWID",
	      "INSERT INTO t VALUES ('n',1,'k'),('s',2,'k'),('i',1,'l')",
	      "INSERT INTO t VALUES ('o',1,'k'),('s',2,'k'),('d',3,'k')");
	replay(state, "t +1 ~1 -1");
	assert_string_equal(now(state, "SELECT a, b, v FROM t"),
			    "k|1|n/k|2|s/l|1|i");
}

static void the_same_key_may_be_declared_in_another_order(void **state)
{
	sql(in_folder(state, "staged.db"),
	    "CREATE TABLE t(a, b, v, PRIMARY KEY(a, b)) WITHOUT ROWID;"
	    "INSERT INTO t VALUES (1,2,'x'),(2,1,'y')");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE t(v, a, b, PRIMARY KEY(b, a)) WITHOUT ROWID;"
	    "INSERT INTO t VALUES ('old',1,2),('gone',5,5)");
	replay(state, "t +1 ~1 -1");
	assert_string_equal(now(state, "SELECT a, b, v FROM t ORDER BY a"),
			    "1|2|x/2|1|y");
}

static void a_key_that_differs_in_case_alone_is_made_the_same(void **state)
{
	given(state,
	      "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, v) "
	      "WITHOUT ROWID",
	      "INSERT INTO t VALUES ('Ab',1)", "INSERT INTO t VALUES ('aB',1)");
	replay(state, "t +0 ~1 -0");
	assert_string_equal(now(state, "SELECT * FROM t"), "Ab|1");
}

static void every_class_and_bit_of_a_value_counts(void **state)
{
	given(state, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
	      "INSERT INTO t VALUES (1,1),(2,1.0),(3,'1'),(4,x'31'),(5,NULL),"
	      "(6,-0.0),(7,0.0),(8,9e999),(9,x''),(10,''),"
	      "(11,CAST(x'ff00fe' AS TEXT)),(12,9223372036854775807),"
	      "(13,5e-324)",
	      "INSERT INTO t VALUES (1,1.0),(2,1),(3,x'31'),(4,'1'),(5,0),"
	      "(6,0.0),(7,-0.0),(8,-9e999),(9,''),(10,x''),"
	      "(11,CAST(x'ff00ff' AS TEXT)),(12,9223372036854775806),"
	      "(13,0.0)");
	replay(state, "t +0 ~13 -0");
	replay(state, "");
	assert_string_equal(
		now(state, "SELECT typeof(v), hex(v) FROM t WHERE id < 5"),
		"integer|31/real|312E30/text|31/blob|31");
	assert_string_equal(now(state, "SELECT typeof(v), hex(v) FROM t "
				       "WHERE id IN (9,10,11)"),
			    "blob|/text|/text|FF00FE");
}

static void wide_tables_go_over(void **state)
{
	char *schema = sqlite3_mprintf("CREATE TABLE t(id INTEGER PRIMARY KEY");

	for (int i = 0; i < 500; i++)
		schema = sqlite3_mprintf("%z, c%d DEFAULT %d", schema, i, i);
	schema = sqlite3_mprintf("%z)", schema);
	given(state, schema, "INSERT INTO t(id, c499) VALUES (1,'x'),(2,'y')",
	      "INSERT INTO t(id, c499) VALUES (1,'o')");
	replay(state, "t +1 ~1 -0");
	assert_string_equal(now(state, "SELECT c0, c498, c499 FROM t"),
			    "0|498|x/0|498|y");
	sqlite3_free(schema);
}

static void rows_may_swap_what_is_unique(void **state)
{
	given(state, "CREATE TABLE t(id INTEGER PRIMARY KEY, name UNIQUE, v)",
	      "INSERT INTO t VALUES (1,'b',1),(2,'a',2),(3,'c',3)",
	      "INSERT INTO t VALUES (1,'a',1),(2,'b',2),(3,'z',3)");
	sql(in_folder(state, "app.db"),
	    "ALTER TABLE t ADD COLUMN extra DEFAULT 'none';"
	    "UPDATE t SET extra = 'kept' || id");
	replay(state, "t +0 ~3 -0");
	assert_string_equal(now(state, "SELECT * FROM t"),
			    "1|b|1|kept1/2|a|2|kept2/3|c|3|kept3");
}

static void a_unique_value_may_move_to_a_new_row(void **state)
{
	given(state, "CREATE TABLE t(id INTEGER PRIMARY KEY, name UNIQUE)",
	      "INSERT INTO t VALUES (1,'x'),(2,'a')",
	      "INSERT INTO t VALUES (1,'a'),(3,'x')");
	replay(state, "t +1 ~1 -1");
	assert_string_equal(now(state, "SELECT * FROM t ORDER BY id"),
			    "1|x/2|a");
}

static void an_empty_snapshot_table_empties_the_target(void **state)
{
	given(state, "CREATE TABLE t(a)", "",
	      "INSERT INTO t VALUES (1),(2),(3)");
	replay(state, "t +0 ~0 -3");
}

static void ill_formed_utf16_goes_over(void **state)
{
	given(state,
	      "PRAGMA encoding='UTF-16le'; CREATE TABLE t(id INTEGER PRIMARY "
	      "KEY, v)",
	      /* a byte order mark, a lone surrogate */
	      "INSERT INTO t VALUES (1,CAST(x'fffe4100' AS TEXT)),"
	      "(2,CAST(x'00d8' AS TEXT))",
	      "INSERT INTO t VALUES (2,CAST(x'01d8' AS TEXT))");
	replay(state, "t +1 ~1 -0");
	assert_string_equal(now(state, "SELECT hex(CAST(v AS BLOB)) FROM t"),
			    rows(in_folder(state, "staged.db"),
				 "SELECT hex(CAST(v AS BLOB)) FROM t"));
}

static void another_encoding_is_refused(void **state)
{
	char message[2048];

	sql(in_folder(state, "staged.db"),
	    "PRAGMA encoding='UTF-16le'; CREATE TABLE t(a)");
	sql(in_folder(state, "app.db"), "CREATE TABLE t(a)");
	snprintf(message, sizeof message,
		 "'%s' keeps text as UTF-8, the snapshot as UTF-16le; records "
		 "can't go over unchanged; restore to a new file",
		 in_folder(state, "app.db"));
	fails(state, ERROR_FAILED, message);
}

/* ---- columns and keys that differ ---- */

static void all_that_is_missing_is_listed(void **state)
{
	sql(in_folder(state, "staged.db"),
	    "CREATE TABLE a(x); CREATE TABLE b(x, y, z); CREATE TABLE c(x);"
	    "CREATE TABLE d(id INTEGER PRIMARY KEY, x); CREATE TABLE e(x);"
	    "CREATE TABLE f(x); INSERT INTO f VALUES (1)");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE B(Y); CREATE VIEW c AS SELECT 1 AS x;"
	    "CREATE TABLE d(id TEXT PRIMARY KEY, x);"
	    "CREATE TABLE e(w, x AS (w + 1)); CREATE TABLE f(x, n NOT NULL)");
	misfit(state,
	       "no table 'a', no column 'x' in table 'b', no column 'z' "
	       "in table 'b', 'c' is no ordinary table, table 'd' has "
	       "another key, column 'x' of table 'e' is computed, column "
	       "'n' of table 'f' needs a value");
}

static void rowids_that_cannot_be_reached_are_told(void **state)
{
	given(state, "CREATE TABLE t(rowid, _rowid_, oid)", "", "");
	misfit(state, "table 't' has no key");
}

static void a_key_with_an_index_of_its_own_is_no_rowid(void **state)
{
	sql(in_folder(state, "staged.db"),
	    "CREATE TABLE t(id INTEGER PRIMARY KEY)");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE t(id INTEGER PRIMARY KEY DESC)");
	misfit(state, "table 't' has another key");
}

static void names_differ_in_case_at_will(void **state)
{
	sql(in_folder(state, "staged.db"),
	    "CREATE TABLE Users(Id INTEGER PRIMARY KEY, Name);"
	    "INSERT INTO Users VALUES (1,'x')");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE USERS(ID INTEGER PRIMARY KEY, NAME)");
	replay_table(state, "uSERS", "Users +1 ~0 -0");
	assert_string_equal(now(state, "SELECT * FROM users"), "1|x");
}

static void columns_that_only_the_target_has_keep_their_values(void **state)
{
	sql(in_folder(state, "staged.db"),
	    "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
	    "INSERT INTO t VALUES (1,'n'),(2,'i')");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE t(extra NOT NULL DEFAULT 'def', id INTEGER PRIMARY "
	    "KEY, a, more, g AS (a || '!'));"
	    "INSERT INTO t VALUES ('mine',1,'o','too')");
	replay(state, "t +1 ~1 -0");
	assert_string_equal(now(state, "SELECT * FROM t"),
			    "mine|1|n|too|n!/def|2|i|NULL|i!");
}

static void computed_columns_are_left_out(void **state)
{
	given(state, "CREATE TABLE t(a, b AS (a*2) STORED, c AS (a*3))",
	      "INSERT INTO t VALUES (5)", "INSERT INTO t VALUES (6)");
	replay(state, "t +0 ~1 -0");
	assert_string_equal(now(state, "SELECT * FROM t"), "5|10|15");
}

static void a_type_that_would_change_a_value_is_told(void **state)
{
	sql(in_folder(state, "staged.db"),
	    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);"
	    "INSERT INTO t VALUES (1,'x','x'),(2,'x','12')");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b INTEGER)");
	fails(state, ERROR_FAILED,
	      "the type of column 'b' of table 't' would change the value of "
	      "row 2; nothing was changed; restore to a new file");
}

/* ---- constraints ---- */

static void what_a_constraint_refuses_is_named(void **state)
{
	sql(in_folder(state, "staged.db"),
	    "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
	    "INSERT INTO t VALUES (1,5),(2,-5)");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE t(id INTEGER PRIMARY KEY, a CHECK(a > 0))");
	fails(state, ERROR_FAILED,
	      "the target refuses row 2 of table 't': CHECK constraint failed: "
	      "a > 0; nothing was changed");
}

static void a_null_that_is_not_allowed_is_named(void **state)
{
	sql(in_folder(state, "staged.db"),
	    "CREATE TABLE t(a, b, c, PRIMARY KEY(a, b)) WITHOUT ROWID;"
	    "INSERT INTO t VALUES (1,'k''s',NULL)");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE t(a, b, c NOT NULL ON CONFLICT REPLACE DEFAULT 9, "
	    "PRIMARY KEY(a, b)) WITHOUT ROWID");
	fails(state, ERROR_FAILED,
	      "the target refuses row (1, 'k''s') of table 't': NOT NULL "
	      "constraint failed: t.c; nothing was changed");
}

static void a_unique_value_twice_is_named_and_replaces_nothing(void **state)
{
	sql(in_folder(state, "staged.db"),
	    "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
	    "INSERT INTO t VALUES (1,'x'),(2,'x')");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE ON CONFLICT "
	    "REPLACE); INSERT INTO t VALUES (1,'x'),(2,'y')");
	fails(state, ERROR_FAILED,
	      "the target refuses row 2 of table 't': UNIQUE constraint "
	      "failed: t.a; nothing was changed");
}

static void a_strict_type_is_named(void **state)
{
	sql(in_folder(state, "staged.db"),
	    "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
	    "INSERT INTO t VALUES (1,'x')");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER) STRICT");
	fails(state, ERROR_FAILED,
	      "the target refuses row 1 of table 't': cannot store TEXT value "
	      "in INTEGER column t.a; nothing was changed");
}

static void a_missing_collation_is_named(void **state)
{
	const char *names[] = { "staged.db", "app.db" };

	for (int i = 0; i < 2; i++) {
		sqlite3 *db = opened(in_folder(state, names[i]));

		sqlite3_create_collation(db, "applen", SQLITE_UTF8, NULL,
					 by_length);
		run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a COLLATE "
			"applen UNIQUE); INSERT INTO t VALUES (1,'x')");
		run(db, i ? "UPDATE t SET a = 'yy'" : "");
		sqlite3_close(db);
	}
	fails(state, ERROR_FAILED,
	      "table 't': no such collation sequence: applen");
}

static void a_locked_target_is_waited_for(void **state)
{
	sqlite3 *other;
	char message[2048];

	given(state, "CREATE TABLE t(a)", "INSERT INTO t VALUES (1)", "");
	other = opened(in_folder(state, "app.db"));
	run(other, "BEGIN IMMEDIATE");
	snprintf(message, sizeof message,
		 "cannot write '%s': the database stayed locked; stop what "
		 "uses it, or try again",
		 in_folder(state, "app.db"));
	fails(state, ERROR_FAILED, message);
	sqlite3_close(other);
}

static void a_dry_run_changes_nothing_and_tells_all(void **state)
{
	const struct restore_selection dry = { .dry_run = 1 };

	given(state, "CREATE TABLE t(a)", "INSERT INTO t VALUES (1),(2)",
	      "INSERT INTO t VALUES (1),(3)");
	replay_as(state, &dry, "t +0 ~1 -0");
	assert_string_equal(now(state, "SELECT a FROM t"), "1/3");
}

static void the_journal_mode_stays(void **state)
{
	given(state, "PRAGMA journal_mode=WAL; CREATE TABLE t(a)",
	      "INSERT INTO t VALUES (1)", "");
	replay(state, "t +1 ~0 -0");
	assert_string_equal(now(state, "PRAGMA journal_mode"), "wal");
}

static void an_unlisted_table_keeps_its_rows(void **state)
{
	given(state, "CREATE TABLE t(a); CREATE TABLE u(a)",
	      "INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)",
	      "INSERT INTO t VALUES (2); INSERT INTO u VALUES (2)");
	sql(in_folder(state, "app.db"),
	    "CREATE TABLE own(a); INSERT INTO own VALUES ('mine')");
	replay_table(state, "t", "t +0 ~1 -0");
	assert_string_equal(now(state, "SELECT (SELECT a FROM t), (SELECT a "
				       "FROM u), (SELECT a FROM own)"),
			    "1|2|mine");
}

static void an_unknown_table_is_told_with_what_there_is(void **state)
{
	given(state, "CREATE TABLE users(a); CREATE TABLE posts(a)", "", "");
	fails_table(state, "user", ERROR_USAGE,
		    "the snapshot has no table 'user'; it has 'users', "
		    "'posts'");
	fails_table(state, "sqlite_schema", ERROR_USAGE,
		    "the snapshot has no table 'sqlite_schema'; it has "
		    "'users', 'posts'");
}

/* ---- AUTOINCREMENT ---- */

#define COUNTED "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a);"

static void a_lower_counter_is_raised(void **state)
{
	given(state, COUNTED,
	      "INSERT INTO t VALUES (50,'x'),(2,'y');"
	      "DELETE FROM t WHERE id = 50",
	      "INSERT INTO t VALUES (3,'z')");
	replay(state, "t +1 ~0 -1");
	assert_string_equal(now(state, "SELECT * FROM sqlite_sequence"),
			    "t|50");
}

static void a_higher_counter_stays(void **state)
{
	given(state, COUNTED, "INSERT INTO t VALUES (2,'y')",
	      "INSERT INTO t VALUES (70,'z')");
	replay(state, "t +1 ~0 -1");
	assert_string_equal(now(state, "SELECT * FROM sqlite_sequence"),
			    "t|70");
}

static void a_counter_that_is_not_there_is_made(void **state)
{
	given(state, COUNTED,
	      "INSERT INTO t VALUES (9,'y'); DELETE FROM t;"
	      "INSERT INTO sqlite_sequence VALUES ('t','junk'),('t',NULL)",
	      "");
	replay(state, "");
	assert_string_equal(now(state, "SELECT * FROM sqlite_sequence"), "t|9");
}

static void junk_for_a_counter_is_replaced(void **state)
{
	given(state, COUNTED, "INSERT INTO t VALUES (9,'y')",
	      "INSERT INTO t VALUES (9,'y');"
	      "UPDATE sqlite_sequence SET seq = 'junk'");
	replay(state, "");
	assert_string_equal(now(state, "SELECT * FROM sqlite_sequence"), "t|9");
}

/* ---- names ---- */

static void awkward_names_are_no_trouble(void **state)
{
	given(state,
	      "CREATE TABLE \"a\"\"b '%s\"(\"id\"\"\" INTEGER PRIMARY KEY, "
	      "\"select\", \"c'd\");"
	      "CREATE TABLE \"weird]\"(\"x y\" REFERENCES \"a\"\"b '%s\", "
	      "\"t\", \"s\");",
	      "INSERT INTO \"a\"\"b '%s\" VALUES (1,'x','y'),(2,'z',0);"
	      "INSERT INTO \"weird]\" VALUES (1, 2, 3)",
	      "INSERT INTO \"a\"\"b '%s\" VALUES (2,'old',0)");
	replay_table(state, "weird]",
		     "weird] +1 ~0 -0, parent a\"b '%s +1 ~0 -0");
	replay(state, "a\"b '%s +0 ~1 -0");
}

static void a_missing_target_is_told_and_not_made(void **state)
{
	struct error err = ERROR_INIT;
	const struct restore_selection all = { .busy_timeout_ms = 50 };
	char changes[2048];

	sql(in_folder(state, "staged.db"), "CREATE TABLE t(a)");
	assert_int_equal(into(state, &all, changes, &err), -1);
	assert_error(&err, ERROR_FAILED,
		     "cannot open '%s': unable to open database file",
		     in_folder(state, "app.db"));
	assert_false(file_exists(in_folder(state, "app.db")));
}

/* ---- many ---- */

/* A value out of few, so that keys meet and unique values collide. */
static void add_random(sqlite3_str *sql, unsigned int *seed)
{
	static const char *const texts[] = { "a", "A", "b", "", "1" };
	int n = rand_r(seed) % 5;

	switch (rand_r(seed) % 5) {
	case 0:
		sqlite3_str_appendall(sql, "NULL");
		break;
	case 1:
		sqlite3_str_appendf(sql, "%d", n);
		break;
	case 2:
		sqlite3_str_appendf(sql, n ? "%d.0" : "-0.0", n);
		break;
	case 3:
		sqlite3_str_appendf(sql, "%Q", texts[n]);
		break;
	default:
		sqlite3_str_appendf(sql, "x'%02d'", n);
	}
}

static void fill_randomly(const char *path, const char *schema,
			  unsigned int *seed)
{
	sqlite3 *db = opened(path);
	char *text;

	run(db, schema);
	for (int i = rand_r(seed) % 12; i > 0; i--) {
		sqlite3_str *sql = sqlite3_str_new(db);

		sqlite3_str_appendf(sql, "INSERT OR IGNORE INTO t VALUES (%d, ",
				    rand_r(seed) % 8);
		add_random(sql, seed);
		sqlite3_str_appendall(sql, ", ");
		add_random(sql, seed);
		sqlite3_str_appendchar(sql, 1, ')');
		text = sqlite3_str_finish(sql);
		run(db, text);
		sqlite3_free(text);
	}
	sqlite3_close(db);
}

static void any_rows_become_any_others(void **state)
{
	static const char *const schemas[] = {
		"CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, v)",
		"CREATE TABLE t(id, u UNIQUE, v)",
		"CREATE TABLE t(id, u COLLATE NOCASE UNIQUE, v UNIQUE)",
		"CREATE TABLE t(id, u DEFAULT 0, v, PRIMARY KEY(u, id)) "
		"WITHOUT ROWID",
		"CREATE TABLE t(id, u COLLATE NOCASE, v, PRIMARY KEY(id, u), "
		"UNIQUE(v)) WITHOUT ROWID",
	};
	const struct restore_selection all = { .busy_timeout_ms = 50 };
	const char *query = "SELECT id, typeof(id), quote(u), quote(v) FROM t "
			    "ORDER BY 1, 2, 3, 4";

	for (unsigned int round = 0; round < 150; round++) {
		const char *staged = in_folder(state, "staged.db");
		const char *target = in_folder(state, "app.db");
		struct error err = ERROR_INIT;
		unsigned int seed = round;
		char changes[2048];

		fill_randomly(staged, schemas[round % 5], &seed);
		fill_randomly(target, schemas[round % 5], &seed);
		if (into(state, &all, changes, &err) < 0)
			fail_msg("round %u: %s", round, err.message);
		assert_string_equal(rows(staged, query), rows(target, query));
		if (into(state, &all, changes, &err) < 0)
			fail_msg("round %u: %s", round, err.message);
		assert_string_equal(changes, "");
		assert_string_equal(rows(target, "PRAGMA integrity_check"),
				    "ok");
		unlink(staged);
		unlink(target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(rows_are_inserted_updated_and_deleted),
		FOLDER_TEST(rows_without_a_key_column_go_by_rowid),
		FOLDER_TEST(a_column_named_rowid_is_only_a_column),
		FOLDER_TEST(rows_without_rowid_go_by_primary_key),
		FOLDER_TEST(the_same_key_may_be_declared_in_another_order),
		FOLDER_TEST(a_key_that_differs_in_case_alone_is_made_the_same),
		FOLDER_TEST(every_class_and_bit_of_a_value_counts),
		FOLDER_TEST(wide_tables_go_over),
		FOLDER_TEST(rows_may_swap_what_is_unique),
		FOLDER_TEST(a_unique_value_may_move_to_a_new_row),
		FOLDER_TEST(an_empty_snapshot_table_empties_the_target),
		FOLDER_TEST(ill_formed_utf16_goes_over),
		FOLDER_TEST(another_encoding_is_refused),
		FOLDER_TEST(all_that_is_missing_is_listed),
		FOLDER_TEST(rowids_that_cannot_be_reached_are_told),
		FOLDER_TEST(a_key_with_an_index_of_its_own_is_no_rowid),
		FOLDER_TEST(names_differ_in_case_at_will),
		FOLDER_TEST(columns_that_only_the_target_has_keep_their_values),
		FOLDER_TEST(computed_columns_are_left_out),
		FOLDER_TEST(a_type_that_would_change_a_value_is_told),
		FOLDER_TEST(what_a_constraint_refuses_is_named),
		FOLDER_TEST(a_null_that_is_not_allowed_is_named),
		FOLDER_TEST(a_unique_value_twice_is_named_and_replaces_nothing),
		FOLDER_TEST(a_strict_type_is_named),
		FOLDER_TEST(a_missing_collation_is_named),
		FOLDER_TEST(a_locked_target_is_waited_for),
		FOLDER_TEST(a_dry_run_changes_nothing_and_tells_all),
		FOLDER_TEST(the_journal_mode_stays),
		FOLDER_TEST(an_unlisted_table_keeps_its_rows),
		FOLDER_TEST(an_unknown_table_is_told_with_what_there_is),
		FOLDER_TEST(a_lower_counter_is_raised),
		FOLDER_TEST(a_higher_counter_stays),
		FOLDER_TEST(a_counter_that_is_not_there_is_made),
		FOLDER_TEST(junk_for_a_counter_is_replaced),
		FOLDER_TEST(any_rows_become_any_others),
		FOLDER_TEST(awkward_names_are_no_trouble),
		FOLDER_TEST(a_missing_target_is_told_and_not_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
