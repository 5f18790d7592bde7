/*
 * test_target.c - looking at a target
 */
#include "tests/restore/application.h"

#include <sys/stat.h>

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
