/*
 * test_open.c - which files open, what is said of those that don't, and what
 * is read of those that others write
 */
#include "tests/database/journals.h"

#include <fcntl.h>
#include <signal.h>

static void write_file(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
}

/* "'PATH'REST" or with something in front */
static const char *about(const char *front, const char *path, const char *rest)
{
	static char text[1024];

	snprintf(text, sizeof(text), "%s'%s'%s", front, path, rest);
	return text;
}

static void a_missing_file_is_told(void **state)
{
	struct fixture *f = *state;

	assert_no_open(f->a, NULL, ERROR_FAILED,
		       about("database ", f->a, " does not exist"));
	assert_no_open("", NULL, ERROR_FAILED, "database '' does not exist");
	assert_false(file_exists(f->a));
}

static void a_folder_and_a_device_are_no_databases(void **state)
{
	struct fixture *f = *state;

	assert_no_open(f->folder, NULL, ERROR_FAILED,
		       about("", f->folder, " is a folder, not a database"));
	assert_no_open("/dev/null", NULL, ERROR_FAILED,
		       "'/dev/null' is not a regular file");
}

static void a_zero_byte_file_is_refused_unless_it_may_be_empty(void **state)
{
	const struct database_options o = { .allow_empty = 1 };
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct database *db;
	struct catalog *c;

	write_file(f->a, "", 0);
	assert_no_open(f->a, NULL, ERROR_REFUSED,
		       about("", f->a,
			     " is a zero-byte file; if an empty database is "
			     "meant, say --allow-empty"));
	assert_int_equal(database_open(&db, f->a, &o, &err), 0);
	assert_int_equal(database_begin(db, &err), 0);
	assert_int_equal(database_catalog(db, &c, &err), 0);
	assert_int_equal(c->table_count, 0);
	assert_int_equal(c->entry_count, 0);
	catalog_free(c);
	database_close(db);
}

static void a_text_file_is_no_database(void **state)
{
	static const char text[] = "This is not a database at all.\n";
	struct fixture *f = *state;

	write_file(f->a, text, sizeof(text));
	assert_no_open(f->a, NULL, ERROR_FAILED,
		       about("", f->a,
			     " is not a SQLite database (or it is encrypted)"));
}

static void a_truncated_database_is_told_with_both_sizes(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct database *db;

	make(f->a, "PRAGMA page_size=4096; CREATE TABLE t(x);"
		   "INSERT INTO t VALUES(zeroblob(20000))");
	/* by whole pages SQLite sees it, by less only we do */
	assert_int_equal(truncate(f->a, 3 * 4096), 0);
	assert_no_open(f->a, NULL, ERROR_DAMAGE,
		       about("", f->a,
			     " is truncated: it has 12288 bytes, its header "
			     "tells of 6 pages of 4096 bytes"));
	make(f->b, "PRAGMA page_size=4096; CREATE TABLE t(x)");
	assert_int_equal(truncate(f->b, 2 * 4096 - 1), 0);
	assert_int_equal(database_open(&db, f->b, NULL, &err), 0);
	assert_int_equal(database_begin(db, &err), -1);
	assert_string_equal(
		err.message,
		about("", f->b,
		      " is truncated: it has 8191 bytes, its header "
		      "tells of 2 pages of 4096 bytes"));
	assert_int_equal(err.code, ERROR_DAMAGE);
	database_close(db);
}

static void a_malformed_schema_is_told_with_the_object(void **state)
{
	struct fixture *f = *state;

	make(f->a, "CREATE TABLE t(x); PRAGMA writable_schema=ON;"
		   "UPDATE sqlite_schema SET sql='CREATE TABLE t(x'");
	assert_no_open(f->a, NULL, ERROR_DAMAGE,
		       about("cannot read database ", f->a,
			     ": malformed database schema (t) - incomplete "
			     "input"));
}

static void a_locked_database_is_told_after_the_time_given(void **state)
{
	const struct database_options o = { .busy_timeout_ms = 20 };
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct database *db;
	sqlite3 *writer;

	make(f->a, "CREATE TABLE t(x)");
	assert_int_equal(database_open(&db, f->a, &o, &err), 0);
	writer = app_open(f->a);
	app_run(writer, "BEGIN EXCLUSIVE");
	assert_no_open(f->a, &o, ERROR_FAILED,
		       about("database ", f->a,
			     " stayed locked for 20 ms; try again when the "
			     "program that writes to it has finished"));
	assert_int_equal(database_begin(db, &err), -1);
	assert_string_equal(
		err.message,
		about("database ", f->a,
		      " stayed locked for 20 ms; try again when the "
		      "program that writes to it has finished"));
	app_run(writer, "COMMIT");
	error_clear(&err);
	assert_int_equal(database_begin(db, &err), 0);
	database_close(db);
	sqlite3_close(writer);
}

static void sqlite_in_front_of_a_path_is_taken_off(void **state)
{
	struct fixture *f = *state;
	char target[600];
	struct reader r;

	make(f->a, "CREATE TABLE t(x)");
	snprintf(target, sizeof(target), "sqlite:%s", f->a);
	r = reader_open(target);
	assert_int_equal(r.catalog->table_count, 1);
	reader_close(&r);
}

static void no_name_is_taken_for_a_uri_or_memory(void **state)
{
	struct fixture *f = *state;
	struct reader r;
	char *old = getcwd(NULL, 0);
	char name[600];

	snprintf(name, sizeof(name), "%s/file:x?mode=memory", f->folder);
	make(f->a, "CREATE TABLE t(x)");
	assert_int_equal(rename(f->a, name), 0);
	assert_int_equal(chdir(f->folder), 0);
	r = reader_open("file:x?mode=memory");
	assert_int_equal(r.catalog->table_count, 1);
	reader_close(&r);
	assert_no_open(":memory:", NULL, ERROR_FAILED,
		       "database ':memory:' does not exist");
	assert_int_equal(chdir(old), 0);
	free(old);
}

static void the_size_is_pages_times_page_size(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct reader r;
	uint64_t bytes;

	make(f->a, "PRAGMA page_size=512; CREATE TABLE t(x)");
	r = reader_open(f->a);
	assert_int_equal(database_size(r.db, &bytes, &err), 0);
	assert_int_equal(bytes, 1024);
	reader_close(&r);
}

/* ---- what crashed writers leave ---- */

static void assert_only_old_rows(const char *path)
{
	struct reader r = reader_open(path);
	char *rows = rows_of(&r, "t");

	assert_int_equal(r.catalog->table_count, 1);
	assert_null(strstr(rows, "DIRTY"));
	assert_non_null(strstr(rows, "500: 500 'old';"));
	free(rows);
	reader_close(&r);
}

static void a_hot_journal_is_rolled_back(void **state)
{
	struct fixture *f = *state;

	make_hot(f->a);
	assert_only_old_rows(f->a);
}

static void rows_that_are_only_in_the_wal_are_read(void **state)
{
	struct fixture *f = *state;
	struct reader r;

	make_wal(f->a);
	r = reader_open(f->a);
	assert_true(r.catalog->wal);
	assert_rows(&r, "t", "1: 1 'in the file';2: 2 'only in the wal';");
	reader_close(&r);
}

static void reading_in_wal_mode_leaves_no_files_behind(void **state)
{
	struct fixture *f = *state;
	struct reader r;

	make(f->a, "PRAGMA journal_mode=WAL; CREATE TABLE t(v);"
		   "INSERT INTO t VALUES(1)");
	r = reader_open(f->a);
	assert_rows(&r, "t", "1: 1;");
	reader_close(&r);
	assert_int_equal(count_names(f->folder), 1);
}

/* ---- while others write ---- */

/* Move money between two accounts until killed; tell of each commit. */
static pid_t start_writer(const char *path, int *commits)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		sqlite3 *sql;

		close(ends[0]);
		sqlite3_open(path, &sql);
		sqlite3_busy_timeout(sql, 30000);
		for (;;) {
			if (sqlite3_exec(sql,
					 "BEGIN IMMEDIATE;"
					 "UPDATE t SET v=v-1 WHERE id=1;"
					 "UPDATE t SET v=v+1 WHERE id=700;"
					 "COMMIT",
					 NULL, NULL, NULL) != SQLITE_OK ||
			    write(ends[1], "x", 1) != 1)
				_exit(1);
		}
	}
	assert_true(pid > 0);
	close(ends[1]);
	*commits = ends[0];
	return pid;
}

static void wait_for_commit(int commits)
{
	char c;

	assert_int_equal(read(commits, &c, 1), 1);
}

static int64_t sum_of(struct reader *r)
{
	const struct table *t = catalog_table(r->catalog, "t");
	struct error err = ERROR_INIT;
	struct value values[2];
	int64_t rowid, sum = 0;
	struct scan *s;

	assert_int_equal(database_scan(r->db, t, &s, &err), 0);
	while (scan_next(s, &rowid, values, &err) > 0)
		sum += values[1].integer;
	assert_int_equal(err.code, ERROR_NONE);
	scan_free(s);
	return sum;
}

static void read_beside_a_writer(const char *path, const char *mode)
{
	int commits, round, status;
	char text[512];
	pid_t pid;

	snprintf(text, sizeof(text),
		 "PRAGMA journal_mode=%s; PRAGMA page_size=512;"
		 "CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
		 "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 "
		 "FROM c WHERE i<700) INSERT INTO t SELECT i,10 FROM c",
		 mode);
	make(path, text);
	pid = start_writer(path, &commits);
	for (round = 0; round < 20; round++) {
		struct reader r;

		/* the writer goes on after each of our transactions */
		wait_for_commit(commits);
		r = reader_open(path);
		assert_int_equal(sum_of(&r), 7000);
		assert_int_equal(sum_of(&r), 7000);
		reader_close(&r);
		/* the pipe holds old commits: empty it first */
		fcntl(commits, F_SETFL, O_NONBLOCK);
		while (read(commits, text, sizeof(text)) > 0)
			;
		fcntl(commits, F_SETFL, 0);
	}
	wait_for_commit(commits);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(commits);
}

static void beside_a_writer_in_wal_mode_one_state_is_read(void **state)
{
	read_beside_a_writer(((struct fixture *)*state)->a, "WAL");
}

static void beside_a_writer_in_rollback_mode_one_state_is_read(void **state)
{
	read_beside_a_writer(((struct fixture *)*state)->a, "DELETE");
}

static void what_is_committed_after_begin_is_not_seen(void **state)
{
	struct fixture *f = *state;
	struct reader r;
	sqlite3 *writer;

	make(f->a, "PRAGMA journal_mode=WAL; CREATE TABLE t(v);"
		   "INSERT INTO t VALUES('before')");
	r = reader_open(f->a);
	writer = app_open(f->a);
	app_run(writer, "INSERT INTO t VALUES('after'); CREATE TABLE u(x);"
			"PRAGMA wal_checkpoint");
	assert_rows(&r, "t", "1: 'before';");
	reader_close(&r);
	r = reader_open(f->a);
	assert_rows(&r, "t", "1: 'before';2: 'after';");
	reader_close(&r);
	sqlite3_close(writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_missing_file_is_told),
		fixture_test(a_folder_and_a_device_are_no_databases),
		fixture_test(
			a_zero_byte_file_is_refused_unless_it_may_be_empty),
		fixture_test(a_text_file_is_no_database),
		fixture_test(a_truncated_database_is_told_with_both_sizes),
		fixture_test(a_malformed_schema_is_told_with_the_object),
		fixture_test(a_locked_database_is_told_after_the_time_given),
		fixture_test(sqlite_in_front_of_a_path_is_taken_off),
		fixture_test(no_name_is_taken_for_a_uri_or_memory),
		fixture_test(the_size_is_pages_times_page_size),
		fixture_test(a_hot_journal_is_rolled_back),
		fixture_test(rows_that_are_only_in_the_wal_are_read),
		fixture_test(reading_in_wal_mode_leaves_no_files_behind),
		fixture_test(beside_a_writer_in_wal_mode_one_state_is_read),
		fixture_test(
			beside_a_writer_in_rollback_mode_one_state_is_read),
		fixture_test(what_is_committed_after_begin_is_not_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
