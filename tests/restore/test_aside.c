/*
 * test_aside.c - moving a target aside, copying it aside
 */
#include "tests/restore/application.h"

#include <sys/stat.h>

/* ---- restore_move_aside() ---- */

static void all_four_files_move_together(void **state)
{
	struct error err = ERROR_INIT;
	const char *path = in_folder(state, "app.db");
	char *moved = NULL;

	write_bytes(path, "main", 4);
	write_bytes(in_folder(state, "app.db-wal"), "wal", 3);
	write_bytes(in_folder(state, "app.db-shm"), "shm", 3);
	write_bytes(in_folder(state, "app.db-journal"), "journal", 7);
	assert_int_equal(restore_move_aside(path, &moved, &err), 0);
	assert_string_equal(path_base(moved),
			    "app.db.pre-restore-20261120T023522Z");
	free(moved);
	assert_int_equal(look(path), TARGET_ABSENT);
	moved = (char *)in_folder(state, "app.db.pre-restore-20261120T023522Z");
	assert_true(file_exists(moved));
	assert_true(file_exists(
		in_folder(state, "app.db.pre-restore-20261120T023522Z-wal")));
	assert_true(file_exists(
		in_folder(state, "app.db.pre-restore-20261120T023522Z-shm")));
	assert_true(file_exists(in_folder(
		state, "app.db.pre-restore-20261120T023522Z-journal")));
}

static void side_files_move_without_a_database(void **state)
{
	struct error err = ERROR_INIT;
	const char *path = in_folder(state, "app.db");
	char *moved = NULL;

	write_bytes(in_folder(state, "app.db-wal"), "wal", 3);
	assert_int_equal(restore_move_aside(path, &moved, &err), 0);
	assert_false(file_exists(moved));
	free(moved);
	assert_int_equal(look(path), TARGET_ABSENT);
	assert_true(file_exists(
		in_folder(state, "app.db.pre-restore-20261120T023522Z-wal")));
}

static void a_taken_name_gets_a_number(void **state)
{
	struct error err = ERROR_INIT;
	const char *path = in_folder(state, "app.db");
	char *moved = NULL;

	/* a side file alone takes the name, too */
	write_bytes(in_folder(state, "app.db.pre-restore-20261120T023522Z-wal"),
		    "x", 1);
	write_bytes(in_folder(state, "app.db.pre-restore-20261120T023522Z-2"),
		    "x", 1);
	write_bytes(path, "main", 4);
	assert_int_equal(restore_move_aside(path, &moved, &err), 0);
	assert_string_equal(path_base(moved),
			    "app.db.pre-restore-20261120T023522Z-3");
	free(moved);
}

/* A name so long that "-wal" fits behind the new one, but "-journal" not. */
static const char *long_name(void **state, const char *suffix)
{
	char name[256];

	memset(name, 'x', 220);
	snprintf(name + 220, sizeof name - 220, "%s", suffix);
	return in_folder(state, name);
}

static void move_fails(void **state)
{
	struct error err = ERROR_INIT;
	const char *path = long_name(state, "");
	char *moved = NULL;

	write_bytes(path, "main", 4);
	write_bytes(long_name(state, "-journal"), "journal", 7);
	assert_int_equal(restore_move_aside(path, &moved, &err), -1);
	assert_error(&err, ERROR_FAILED,
		     "cannot move '%s' aside to '%s.pre-restore-"
		     "20261120T023522Z': File name too long",
		     path, path);
	assert_null(moved);
	assert_true(file_exists(path));
	assert_true(file_exists(long_name(state, "-wal")));
	assert_true(file_exists(long_name(state, "-journal")));
	assert_false(file_exists(
		long_name(state, ".pre-restore-20261120T023522Z-wal")));
}

static void a_move_that_fails_leaves_all_in_place(void **state)
{
	write_bytes(long_name(state, "-wal"), "wal", 3);
	move_fails(state);
}

static void renames_are_taken_back_where_links_do_not_work(void **state)
{
	/* a folder can't have a second name, but it can be renamed */
	assert_int_equal(mkdir(long_name(state, "-wal"), 0755), 0);
	move_fails(state);
}

static void files_are_renamed_where_links_do_not_work(void **state)
{
	struct error err = ERROR_INIT;
	const char *path = in_folder(state, "app.db");
	char *moved = NULL;

	assert_int_equal(mkdir(in_folder(state, "app.db-wal"), 0755), 0);
	write_bytes(path, "main", 4);
	assert_int_equal(restore_move_aside(path, &moved, &err), 0);
	assert_true(file_exists(moved));
	free(moved);
	assert_int_equal(look(path), TARGET_ABSENT);
}

static void nothing_cannot_be_moved(void **state)
{
	struct error err = ERROR_INIT;
	const char *path = in_folder(state, "app.db");
	char *moved = NULL;

	assert_int_equal(restore_move_aside(path, &moved, &err), -1);
	assert_error(&err, ERROR_FAILED,
		     "there is nothing at '%s' to move aside", path);
}

/* ---- restore_copy_aside() ---- */

static void a_live_database_is_copied_aside(void **state)
{
	struct error err = ERROR_INIT;
	const char *path = in_folder(state, "app.db");
	sqlite3 *db = opened(path);
	char *name = NULL;

	run(db, "PRAGMA journal_mode=WAL; CREATE TABLE t(a);"
		"INSERT INTO t VALUES (5)");
	if (restore_copy_aside(path, &name, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(path_base(name),
			    "app.db.pre-restore-20261120T023522Z");
	assert_string_equal(rows(name, "SELECT a FROM t"), "5");
	assert_string_equal(rows_of(db, "SELECT a FROM t"), "5");
	free(name);
	sqlite3_close(db);
}

static void a_database_that_needs_its_application_is_copied(void **state)
{
	struct error err = ERROR_INIT;
	const char *path = in_folder(state, "app.db");
	char *name = NULL;

	with_application(path, FOR_AN_APPLICATION);
	if (restore_copy_aside(path, &name, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(rows(name, "SELECT count(*) FROM sqlite_schema"),
			    "3");
	free(name);
}

static void a_copy_that_fails_leaves_nothing(void **state)
{
	struct error err = ERROR_INIT;
	const char *path = in_folder(state, "app.db");
	char *name = NULL;

	write_bytes(path, "this is no database at all", 26);
	assert_int_equal(restore_copy_aside(path, &name, &err), -1);
	assert_error(&err, ERROR_FAILED,
		     "cannot copy '%s' to '%s.pre-restore-20261120T023522Z': "
		     "file is not a database",
		     path, path);
	assert_null(name);
	assert_false(file_exists(
		in_folder(state, "app.db.pre-restore-20261120T023522Z")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(all_four_files_move_together),
		FOLDER_TEST(side_files_move_without_a_database),
		FOLDER_TEST(a_taken_name_gets_a_number),
		FOLDER_TEST(a_move_that_fails_leaves_all_in_place),
		FOLDER_TEST(renames_are_taken_back_where_links_do_not_work),
		FOLDER_TEST(files_are_renamed_where_links_do_not_work),
		FOLDER_TEST(nothing_cannot_be_moved),
		FOLDER_TEST(a_live_database_is_copied_aside),
		FOLDER_TEST(a_database_that_needs_its_application_is_copied),
		FOLDER_TEST(a_copy_that_fails_leaves_nothing),
	};

	setenv("SOURCE_DATE_EPOCH", "1795142122", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
