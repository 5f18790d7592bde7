/*
 * test_install.c - putting a built file into its place
 */
#include "tests/restore/test_restore.h"

#include <sys/stat.h>

static void a_built_file_goes_into_an_empty_place(void **state)
{
	struct error err = ERROR_INIT;
	const char *built = in_folder(state, "built.db");
	const char *path = in_folder(state, "app.db");

	sql(built, "CREATE TABLE t(a); INSERT INTO t VALUES (1)");
	assert_int_equal(restore_install(built, path, NULL, &err), 0);
	assert_false(file_exists(built));
	assert_string_equal(rows(path, "SELECT * FROM t"), "1");
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void a_new_file_has_the_usual_mode(void **state)
{
	static const mode_t umasks[] = { 022, 077, 002 };
	static const mode_t modes[] = { 0644, 0600, 0644 };
	const char *built = in_folder(state, "built.db");
	const char *path = in_folder(state, "app.db");

	for (int i = 0; i < 3; i++) {
		struct error err = ERROR_INIT;
		mode_t before = umask(umasks[i]);
		int rc;

		sql(built, "CREATE TABLE t(a)");
		assert_int_equal(chmod(built, 0600), 0);
		/* a file that is not there is no pattern */
		rc = restore_install(built, path,
				     i ? NULL : in_folder(state, "none"), &err);
		umask(before);
		assert_int_equal(rc, 0);
		assert_int_equal(mode_of(path), modes[i]);
		unlink(path);
	}
	assert_false(file_exists(in_folder(state, "built.db-mode")));
}

static void a_file_takes_the_place_of_one_that_was_there(void **state)
{
	static const mode_t modes[] = { 0660, 0400, 04711 };
	const char *built = in_folder(state, "built.db");
	const char *path = in_folder(state, "app.db");
	const char *old = in_folder(state, "old.db");
	struct error err = ERROR_INIT;
	struct stat st;

	write_bytes(old, "x", 1);
	if (!getuid())
		assert_int_equal(chown(old, 12, 34), 0);
	for (int i = 0; i < 3; i++) {
		sql(built, "CREATE TABLE t(a)");
		assert_int_equal(chmod(old, modes[i]), 0);
		assert_int_equal(restore_install(built, path, old, &err), 0);
		/* nothing that runs with another's rights */
		assert_int_equal(mode_of(path), modes[i] & 0777);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_uid, getuid() ? getuid() : 12);
		assert_int_equal(st.st_gid, getuid() ? getgid() : 34);
		unlink(path);
	}
}

static void nothing_is_replaced(void **state)
{
	struct error err = ERROR_INIT;
	const char *built = in_folder(state, "built.db");
	const char *path = in_folder(state, "app.db");

	sql(built, "CREATE TABLE t(a)");
	sql(path, "CREATE TABLE old(a)");
	assert_int_equal(restore_install(built, path, NULL, &err), -1);
	assert_error(&err, ERROR_REFUSED,
		     "'%s' appeared meanwhile; nothing was replaced", path);
	assert_true(file_exists(built));
	assert_string_equal(rows(path, "SELECT name FROM sqlite_schema"),
			    "old");
}

static void a_dangling_link_is_not_replaced(void **state)
{
	struct error err = ERROR_INIT;
	const char *built = in_folder(state, "built.db");
	const char *path = in_folder(state, "app.db");

	sql(built, "CREATE TABLE t(a)");
	assert_int_equal(symlink("gone", path), 0);
	assert_int_equal(restore_install(built, path, NULL, &err), -1);
	assert_int_equal(err.code, ERROR_REFUSED);
}

static void a_stale_side_file_stops_the_install(void **state)
{
	static const char *const sides[] = { "-wal", "-journal", "-shm" };
	const char *built = in_folder(state, "built.db");
	const char *path = in_folder(state, "app.db");

	sql(built, "CREATE TABLE t(a)");
	for (int i = 0; i < 3; i++) {
		struct error err = ERROR_INIT;
		char side[1100];

		snprintf(side, sizeof side, "%s%s", path, sides[i]);
		write_bytes(side, "x", 1);
		assert_int_equal(restore_install(built, path, NULL, &err), -1);
		assert_error(&err, ERROR_REFUSED,
			     "'%s' is there without its database; move it away "
			     "first",
			     side);
		assert_false(file_exists(path));
		unlink(side);
	}
}

static void an_open_built_file_is_not_installed(void **state)
{
	struct error err = ERROR_INIT;
	const char *built = in_folder(state, "built.db");
	const char *path = in_folder(state, "app.db");
	sqlite3 *db = opened(built);

	run(db, "PRAGMA journal_mode=WAL; CREATE TABLE t(a)");
	assert_int_equal(restore_install(built, path, NULL, &err), -1);
	assert_error(&err, ERROR_FAILED,
		     "'%s-wal' lies beside the restored file: it is still open",
		     built);
	sqlite3_close(db);
}

static void a_missing_folder_stops_the_install(void **state)
{
	struct error err = ERROR_INIT;
	const char *built = in_folder(state, "built.db");
	const char *path = in_folder(state, "no/app.db");

	sql(built, "CREATE TABLE t(a)");
	assert_int_equal(restore_install(built, path, NULL, &err), -1);
	assert_error(&err, ERROR_FAILED,
		     "cannot move the restored file to '%s': No such file or "
		     "directory",
		     path);
	assert_true(file_exists(built));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(a_built_file_goes_into_an_empty_place),
		FOLDER_TEST(a_new_file_has_the_usual_mode),
		FOLDER_TEST(a_file_takes_the_place_of_one_that_was_there),
		FOLDER_TEST(nothing_is_replaced),
		FOLDER_TEST(a_dangling_link_is_not_replaced),
		FOLDER_TEST(a_stale_side_file_stops_the_install),
		FOLDER_TEST(an_open_built_file_is_not_installed),
		FOLDER_TEST(a_missing_folder_stops_the_install),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
