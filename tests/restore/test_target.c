/*
 * test_target.c - looking at a target, moving it aside, putting a file there
 */
#include "tests/restore/test_restore.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "restore/restore.h"
#include "tests/restore/application.h"

static enum restore_target look(const char *path)
{
	struct error err = ERROR_INIT;
	enum restore_target found = TARGET_DAMAGED;
	char *real = NULL;

	if (restore_inspect(path, &found, &real, NULL, &err) < 0)
		fail_msg("%s", err.message);
	free(real);
	return found;
}

static void refused(const char *path, enum error_code code, const char *message)
{
	struct error err = ERROR_INIT;
	enum restore_target found;
	char *real = (char *)"", *why = (char *)"";

	assert_int_equal(restore_inspect(path, &found, &real, &why, &err), -1);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, code);
	assert_null(real);
	assert_null(why);
}

/* '@' in the message stands for `path`. */
static void refused_in(void **state, const char *name, enum error_code code,
		       const char *text, const char *path)
{
	const char *at = strchr(text, '@');
	char message[2048];

	snprintf(message, sizeof message, "%.*s%s%s", (int)(at - text), text,
		 path, at + 1);
	refused(in_folder(state, name), code, message);
}

static void damaged(const char *path, const char *reason)
{
	struct error err = ERROR_INIT;
	enum restore_target found = TARGET_ABSENT;
	char *real = NULL, *why = NULL;

	assert_int_equal(restore_inspect(path, &found, &real, &why, &err), 0);
	assert_int_equal(found, TARGET_DAMAGED);
	assert_string_equal(why, reason);
	free(real);
	free(why);
}

static void an_empty_place_is_absent(void **state)
{
	assert_int_equal(look(in_folder(state, "new.db")), TARGET_ABSENT);
}

static void a_scheme_before_the_path_is_taken_off(void **state)
{
	struct error err = ERROR_INIT;
	enum restore_target found;
	char target[2048], *real = NULL;

	snprintf(target, sizeof target, "sqlite:%s",
		 in_folder(state, "new.db"));
	assert_int_equal(restore_inspect(target, &found, &real, NULL, &err), 0);
	assert_string_equal(real, target + 7);
	free(real);
}

static void each_side_file_without_a_database_is_seen(void **state)
{
	static const char *const names[] = { "a.db-wal", "b.db-journal",
					     "c.db-shm" };
	static const char *const targets[] = { "a.db", "b.db", "c.db" };

	for (int i = 0; i < 3; i++) {
		write_bytes(in_folder(state, names[i]), "x", 1);
		assert_int_equal(look(in_folder(state, targets[i])),
				 TARGET_SIDE_FILES);
	}
}

static void a_database_is_one_even_while_it_is_locked(void **state)
{
	const char *path = in_folder(state, "app.db");
	sqlite3 *db = opened(path);

	run(db, "CREATE TABLE t(a)");
	assert_int_equal(look(path), TARGET_DATABASE);
	run(db, "BEGIN EXCLUSIVE");
	assert_int_equal(look(path), TARGET_DATABASE);
	sqlite3_close(db);
}

static void a_zero_byte_file_is_empty(void **state)
{
	const char *path = in_folder(state, "app.db");

	write_bytes(path, "", 0);
	assert_int_equal(look(path), TARGET_EMPTY);
}

static void what_is_no_database_is_damaged(void **state)
{
	const char *path = in_folder(state, "app.db");

	write_bytes(path, "SQLite format 3", 15);
	damaged(path, "it does not begin as a SQLite database does (another "
		      "kind of file, or encrypted)");
}

static void a_truncated_database_is_damaged(void **state)
{
	const char *path = in_folder(state, "app.db");

	sql(path, "CREATE TABLE t(a); CREATE TABLE u(a);"
		  "INSERT INTO t VALUES (zeroblob(20000))");
	assert_int_equal(truncate(path, 4096), 0);
	damaged(path, "database disk image is malformed");
}

static void a_malformed_schema_is_damaged(void **state)
{
	const char *path = in_folder(state, "app.db");

	sql(path, "CREATE TABLE t(a); PRAGMA writable_schema=ON;"
		  "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a'");
	damaged(path, "malformed database schema (t) - incomplete input");
}

static void a_header_alone_is_damaged(void **state)
{
	const char *path = in_folder(state, "app.db");

	sql(path, "CREATE TABLE t(a)");
	assert_int_equal(truncate(path, 100), 0);
	damaged(path, "database disk image is malformed");
}

static void a_database_that_needs_its_application_is_sound(void **state)
{
	const char *path = in_folder(state, "app.db");

	with_application(path, FOR_AN_APPLICATION);
	assert_int_equal(look(path), TARGET_DATABASE);
}

static void names_that_are_no_paths_are_refused(void **state)
{
	(void)state;
	refused("", ERROR_USAGE, "the target has no name");
	refused("sqlite:", ERROR_USAGE, "the target has no name");
	refused(":memory:", ERROR_USAGE,
		"':memory:' is no path; give the path of a file");
	refused("file:x.db", ERROR_USAGE,
		"'file:x.db' is no path; give the path of a file");
	refused("postgresql://h/x", ERROR_USAGE,
		"'postgresql://h/x' is no path; give the path of a file");
	refused("/tmp/x.db-wal", ERROR_USAGE,
		"'/tmp/x.db-wal' is the name of a file that SQLite keeps "
		"beside '/tmp/x.db'; choose another");
}

static void a_missing_folder_is_told(void **state)
{
	refused_in(state, "no/app.db", ERROR_FAILED,
		   "folder '@' of the target does not exist; create it first",
		   in_folder(state, "no"));
}

static void a_file_for_a_folder_is_told(void **state)
{
	const char *path = in_folder(state, "file");

	write_bytes(path, "x", 1);
	refused_in(state, "file/app.db", ERROR_FAILED,
		   "'@', where the target shall lie, is no folder", path);
}

static void a_folder_that_cannot_be_written_is_told(void **state)
{
	const char *path = in_folder(state, "locked");
	uid_t us = geteuid();

	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(chmod(*state, 0755), 0);
	assert_int_equal(chmod(path, 0555), 0);
	/* root may write anywhere */
	if (!us)
		assert_int_equal(seteuid(65534), 0);
	refused_in(state, "locked/app.db", ERROR_FAILED,
		   "folder '@' of the target is not writable: Permission "
		   "denied",
		   path);
	if (!us)
		assert_int_equal(seteuid(us), 0);
}

static void a_folder_is_no_target(void **state)
{
	const char *path = in_folder(state, "folder");

	assert_int_equal(mkdir(path, 0755), 0);
	refused_in(state, "folder", ERROR_FAILED,
		   "target '@' is a folder; name a file in it", path);
}

static void a_pipe_is_no_target(void **state)
{
	const char *path = in_folder(state, "pipe");

	assert_int_equal(mkfifo(path, 0600), 0);
	refused_in(state, "pipe", ERROR_FAILED, "target '@' is no regular file",
		   path);
}

static void a_link_stands_for_its_file(void **state)
{
	struct error err = ERROR_INIT;
	const char *path = in_folder(state, "app.db");
	const char *name = in_folder(state, "link.db");
	enum restore_target found;
	char *real = NULL;

	sql(path, "CREATE TABLE t(a)");
	assert_int_equal(symlink("app.db", name), 0);
	assert_int_equal(restore_inspect(name, &found, &real, NULL, &err), 0);
	assert_int_equal(found, TARGET_DATABASE);
	assert_string_equal(path_base(real), "app.db");
	free(real);
}

static void a_dangling_link_is_refused(void **state)
{
	const char *name = in_folder(state, "link.db");

	assert_int_equal(symlink("gone.db", name), 0);
	refused_in(state, "link.db", ERROR_FAILED,
		   "target '@' is a link to something that does not exist; "
		   "remove the link, or name the file itself",
		   name);
}

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

/* ---- restore_install() ---- */

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
		FOLDER_TEST(an_empty_place_is_absent),
		FOLDER_TEST(a_scheme_before_the_path_is_taken_off),
		FOLDER_TEST(each_side_file_without_a_database_is_seen),
		FOLDER_TEST(a_database_is_one_even_while_it_is_locked),
		FOLDER_TEST(a_zero_byte_file_is_empty),
		FOLDER_TEST(what_is_no_database_is_damaged),
		FOLDER_TEST(a_truncated_database_is_damaged),
		FOLDER_TEST(a_malformed_schema_is_damaged),
		FOLDER_TEST(a_header_alone_is_damaged),
		FOLDER_TEST(a_database_that_needs_its_application_is_sound),
		FOLDER_TEST(names_that_are_no_paths_are_refused),
		FOLDER_TEST(a_missing_folder_is_told),
		FOLDER_TEST(a_file_for_a_folder_is_told),
		FOLDER_TEST(a_folder_that_cannot_be_written_is_told),
		FOLDER_TEST(a_folder_is_no_target),
		FOLDER_TEST(a_pipe_is_no_target),
		FOLDER_TEST(a_link_stands_for_its_file),
		FOLDER_TEST(a_dangling_link_is_refused),
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
		FOLDER_TEST(a_built_file_goes_into_an_empty_place),
		FOLDER_TEST(a_new_file_has_the_usual_mode),
		FOLDER_TEST(a_file_takes_the_place_of_one_that_was_there),
		FOLDER_TEST(nothing_is_replaced),
		FOLDER_TEST(a_dangling_link_is_not_replaced),
		FOLDER_TEST(a_stale_side_file_stops_the_install),
		FOLDER_TEST(an_open_built_file_is_not_installed),
		FOLDER_TEST(a_missing_folder_stops_the_install),
	};

	setenv("SOURCE_DATE_EPOCH", "1795142122", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
