/*
 * test_replace.c - new content for a database while others have it open
 */
#include "tests/restore/test_restore.h"

#include <signal.h>
#include <sys/wait.h>

#include "restore/restore.h"
#include "tests/restore/application.h"

static const char new_content[] =
	"CREATE TABLE t(a INTEGER PRIMARY KEY, b);"
	"INSERT INTO t VALUES (1, 'new'), (2, x'00ff');"
	"CREATE TABLE added(x); INSERT INTO added VALUES (-0.5);"
	"PRAGMA user_version=7; PRAGMA application_id=99;";
static const char old_content[] =
	"CREATE TABLE t(a INTEGER PRIMARY KEY, b, c);"
	"INSERT INTO t VALUES (8, 'old', 1);"
	"CREATE TABLE big(x); INSERT INTO big VALUES (zeroblob(100000));"
	"PRAGMA user_version=1;";

static void make(const char *path, const char *pragmas, const char *content)
{
	sqlite3 *db = opened(path);

	run(db, pragmas);
	run(db, content);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void replace_ok(const char *built, const char *target,
		       const char *expected_note)
{
	struct error err = ERROR_INIT;
	char *note = NULL;

	if (restore_replace(built, target, 200, &note, &err) < 0)
		fail_msg("%s", err.message);
	if (expected_note)
		assert_string_equal(note, expected_note);
	else
		assert_null(note);
	free(note);
}

static void assert_new(sqlite3 *db)
{
	assert_string_equal(rows_of(db, "SELECT a, b, typeof(b), hex(b) "
					"FROM t"),
			    "1|new|text|6E6577/2||blob|00FF");
	assert_string_equal(rows_of(db, "SELECT * FROM added"), "-0.5");
	assert_string_equal(rows_of(db, "PRAGMA user_version"), "7");
	assert_string_equal(rows_of(db, "PRAGMA application_id"), "99");
	assert_string_equal(rows_of(db, "SELECT count(*) FROM sqlite_schema "
					"WHERE name = 'big'"),
			    "0");
	assert_string_equal(rows_of(db, "PRAGMA integrity_check"), "ok");
}

/* A connection that has read before must read and write on afterwards. */
static void survives(void **state, const char *target_mode,
		     const char *built_mode, const char *note)
{
	const char *built = in_folder(state, "built.db");
	const char *target = in_folder(state, "app.db");
	char pragma[64], mode[16];
	sqlite3 *other;
	sqlite3_stmt *stmt;

	snprintf(pragma, sizeof pragma, "PRAGMA journal_mode=%s", built_mode);
	make(built, pragma, new_content);
	snprintf(pragma, sizeof pragma, "PRAGMA journal_mode=%s", target_mode);
	make(target, pragma, old_content);
	snprintf(mode, sizeof mode, "%s", target_mode);

	other = opened(target);
	assert_string_equal(rows_of(other, "SELECT a, b, c FROM t"), "8|old|1");
	assert_int_equal(sqlite3_prepare_v2(other, "SELECT b FROM t ORDER BY a",
					    -1, &stmt, NULL),
			 SQLITE_OK);
	replace_ok(built, target, note);

	/* a statement that was prepared before */
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "new");
	sqlite3_finalize(stmt);
	assert_new(other);
	assert_string_equal(rows_of(other, "PRAGMA journal_mode"), mode);
	run(other, "INSERT INTO t VALUES (3, 'later')");
	sqlite3_close(other);
	assert_string_equal(rows(target, "PRAGMA journal_mode"), mode);
	assert_string_equal(rows(target, "SELECT a FROM t"), "1/2/3");
}

static void a_connection_in_delete_mode_goes_on(void **state)
{
	survives(state, "delete", "delete", NULL);
}

static void a_connection_in_wal_mode_goes_on(void **state)
{
	survives(state, "wal", "wal", NULL);
}

static void a_target_in_wal_mode_stays_in_it(void **state)
{
	survives(state, "wal", "delete",
		 "the journal mode stays wal, the snapshot's is delete");
}

static void a_target_that_is_not_in_wal_mode_stays_out_of_it(void **state)
{
	survives(state, "delete", "wal",
		 "the journal mode stays delete, the snapshot's is wal");
}

static void a_reader_in_wal_mode_keeps_its_state_to_the_end(void **state)
{
	const char *built = in_folder(state, "built.db");
	const char *target = in_folder(state, "app.db");
	sqlite3 *other;

	make(built, "", new_content);
	make(target, "PRAGMA journal_mode=WAL", old_content);
	other = opened(target);
	run(other, "BEGIN");
	assert_string_equal(rows_of(other, "SELECT b FROM t"), "old");
	replace_ok(built, target,
		   "the journal mode stays wal, the snapshot's is delete");
	assert_string_equal(rows_of(other, "SELECT b FROM t"), "old");
	run(other, "COMMIT");
	assert_new(other);
	sqlite3_close(other);
}

static void locked_by(void **state, const char *lock)
{
	struct error err = ERROR_INIT;
	const char *built = in_folder(state, "built.db");
	const char *target = in_folder(state, "app.db");
	char *note = NULL;
	sqlite3 *other;

	make(built, "", new_content);
	make(target, "", old_content);
	other = opened(target);
	run(other, lock);
	rows_of(other, "SELECT * FROM t");
	assert_int_equal(restore_replace(built, target, 50, &note, &err), -1);
	assert_error(&err, ERROR_FAILED,
		     "cannot replace '%s': the database stayed locked; stop "
		     "what uses it, or try again",
		     target);
	assert_null(note);
	run(other, "COMMIT");
	assert_string_equal(rows_of(other, "SELECT b FROM t"), "old");
	sqlite3_close(other);
}

static void a_reader_in_delete_mode_is_waited_for(void **state)
{
	locked_by(state, "BEGIN");
}

static void a_writer_is_waited_for(void **state)
{
	locked_by(state, "BEGIN IMMEDIATE");
}

static void another_page_size_is_refused_unharmed(void **state)
{
	struct error err = ERROR_INIT;
	const char *built = in_folder(state, "built.db");
	const char *target = in_folder(state, "app.db");
	char *note = NULL;

	make(built, "PRAGMA page_size=4096", new_content);
	make(target, "PRAGMA page_size=8192", old_content);
	assert_int_equal(restore_replace(built, target, 50, &note, &err), -1);
	assert_error(&err, ERROR_FAILED,
		     "'%s' has pages of 8192 bytes, the restored file of 4096; "
		     "restore again",
		     target);
	assert_string_equal(rows(target, "SELECT b FROM t"), "old");
}

static void the_layout_to_build_for_is_told(void **state)
{
	struct error err = ERROR_INIT;
	const char *target = in_folder(state, "app.db");
	const char *empty = in_folder(state, "empty.db");
	int32_t page_size = -1;
	int wal = -1;

	make(target, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL",
	     old_content);
	assert_int_equal(restore_layout(target, &page_size, &wal, &err), 0);
	assert_int_equal(page_size, 8192);
	assert_int_equal(wal, 1);
	write_bytes(empty, "", 0);
	assert_int_equal(restore_layout(empty, &page_size, &wal, &err), 0);
	assert_int_equal(page_size, 0);
	assert_int_equal(wal, 0);
}

static void a_zero_byte_target_takes_everything(void **state)
{
	const char *built = in_folder(state, "built.db");
	const char *target = in_folder(state, "app.db");
	sqlite3 *db;

	make(built, "PRAGMA page_size=1024; PRAGMA journal_mode=WAL",
	     new_content);
	write_bytes(target, "", 0);
	replace_ok(built, target, NULL);
	db = opened(target);
	assert_new(db);
	assert_string_equal(rows_of(db, "PRAGMA journal_mode"), "wal");
	assert_string_equal(rows_of(db, "PRAGMA page_size"), "1024");
	sqlite3_close(db);
}

static void another_auto_vacuum_is_taken_and_told(void **state)
{
	const char *built = in_folder(state, "built.db");
	const char *target = in_folder(state, "app.db");
	sqlite3 *db;

	make(built, "PRAGMA auto_vacuum=INCREMENTAL", new_content);
	make(target, "PRAGMA auto_vacuum=FULL", old_content);
	replace_ok(built, target,
		   "auto_vacuum was full and is incremental now");
	db = opened(target);
	assert_new(db);
	assert_string_equal(rows_of(db, "PRAGMA auto_vacuum"), "2");
	sqlite3_close(db);
}

static void another_encoding_is_taken_and_told(void **state)
{
	const char *built = in_folder(state, "built.db");
	const char *target = in_folder(state, "app.db");
	sqlite3 *db, *other;

	make(built, "PRAGMA encoding='UTF-16le'",
	     "CREATE TABLE t(a); INSERT INTO t VALUES ('ä')");
	make(target, "", old_content);
	other = opened(target);
	rows_of(other, "SELECT * FROM t");
	replace_ok(built, target,
		   "the text encoding was UTF-8 and is UTF-16le now: "
		   "connections that are open must be opened anew");
	/* an open connection neither reads nor writes anything wrong */
	assert_int_equal(sqlite3_exec(other, "INSERT INTO t VALUES ('x')", NULL,
				      NULL, NULL),
			 SQLITE_ERROR);
	sqlite3_close(other);
	db = opened(target);
	assert_string_equal(rows_of(db, "SELECT a FROM t"), "ä");
	assert_string_equal(rows_of(db, "PRAGMA encoding"), "UTF-16le");
	sqlite3_close(db);
}

static void what_only_the_application_can_use_is_replaced(void **state)
{
	const char *built = in_folder(state, "built.db");
	const char *target = in_folder(state, "app.db");
	struct error err = ERROR_INIT;
	int32_t page_size;
	sqlite3 *db;
	int wal;

	make(built, "", new_content);
	with_application(target,
			 FOR_AN_APPLICATION "CREATE INDEX m ON t(lower(a, j))");
	if (restore_layout(target, &page_size, &wal, &err) < 0)
		fail_msg("%s", err.message);
	replace_ok(built, target, NULL);
	db = opened(target);
	assert_new(db);
	sqlite3_close(db);
}

static void what_only_the_application_can_use_goes_in(void **state)
{
	const char *built = in_folder(state, "built.db");
	const char *target = in_folder(state, "app.db");
	sqlite3 *db;

	with_application(built,
			 FOR_AN_APPLICATION "CREATE INDEX m ON t(lower(a, j))");
	make(target, "", old_content);
	replace_ok(built, target, NULL);
	db = opened(target);
	run(db, "PRAGMA writable_schema=ON");
	assert_string_equal(rows_of(db, "SELECT count(*) FROM sqlite_schema"),
			    "4");
	sqlite3_close(db);
}

static void a_missing_target_is_not_created(void **state)
{
	struct error err = ERROR_INIT;
	const char *built = in_folder(state, "built.db");
	const char *target = in_folder(state, "app.db");
	char *note = NULL;

	make(built, "", new_content);
	assert_int_equal(restore_replace(built, target, 50, &note, &err), -1);
	assert_error(&err, ERROR_FAILED,
		     "cannot open '%s': unable to open database file", target);
	assert_false(file_exists(target));
}

/*
 * Killed at a time that differs from round to round, the target is old or new.
 * The children do nothing but the call, so most kills hit it.
 */
static void a_killed_replacement_leaves_old_or_new(void **state)
{
	const char *built = in_folder(state, "built.db");
	int old = 0, new = 0;

	make(built, "", new_content);
	sql(built, "INSERT INTO t VALUES (3, zeroblob(2000000))");
	for (int i = 0; i < 20; i++) {
		char name[32];
		const char *target, *found;
		pid_t pid;
		int status;

		snprintf(name, sizeof name, "app%d.db", i);
		target = in_folder(state, name);
		make(target, i % 2 ? "PRAGMA journal_mode=WAL" : "",
		     old_content);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			struct error err = ERROR_INIT;
			char *note;

			(void)restore_replace(built, target, 50, &note, &err);
			_exit(0);
		}
		usleep((useconds_t)i * 700);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_string_equal(rows(target, "PRAGMA integrity_check"),
				    "ok");
		found = rows(target, "SELECT b FROM t ORDER BY a LIMIT 1");
		if (!strcmp(found, "old"))
			old++;
		else if (!strcmp(found, "new"))
			new ++;
	}
	assert_int_equal(old + new, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(a_connection_in_delete_mode_goes_on),
		FOLDER_TEST(a_connection_in_wal_mode_goes_on),
		FOLDER_TEST(a_target_in_wal_mode_stays_in_it),
		FOLDER_TEST(a_target_that_is_not_in_wal_mode_stays_out_of_it),
		FOLDER_TEST(a_reader_in_wal_mode_keeps_its_state_to_the_end),
		FOLDER_TEST(a_reader_in_delete_mode_is_waited_for),
		FOLDER_TEST(a_writer_is_waited_for),
		FOLDER_TEST(another_page_size_is_refused_unharmed),
		FOLDER_TEST(the_layout_to_build_for_is_told),
		FOLDER_TEST(a_zero_byte_target_takes_everything),
		FOLDER_TEST(another_auto_vacuum_is_taken_and_told),
		FOLDER_TEST(another_encoding_is_taken_and_told),
		FOLDER_TEST(what_only_the_application_can_use_is_replaced),
		FOLDER_TEST(what_only_the_application_can_use_goes_in),
		FOLDER_TEST(a_missing_target_is_not_created),
		FOLDER_TEST(a_killed_replacement_leaves_old_or_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
