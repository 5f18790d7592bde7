/*
 * test_copy.c - databases where we may not write: in place, or from a copy
 */
#include "tests/database/journals.h"

#include "database/sqlite_copy.h"

#include <fcntl.h>
#include <signal.h>

/* Run as somebody whom file modes bind; root is not.  What it writes to `out`
 * is compared. */
static void assert_told_unprivileged(struct fixture *f,
				     void (*job)(struct fixture *, FILE *out),
				     const char *want)
{
	char got[2048] = "";
	int ends[2], status;
	size_t size;
	FILE *in;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		FILE *out = fdopen(ends[1], "w");

		if (!geteuid() && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(1);
		job(f, out);
		fflush(out);
		_exit(0);
	}
	close(ends[1]);
	in = fdopen(ends[0], "r");
	size = fread(got, 1, sizeof(got) - 1, in);
	got[size] = '\0';
	fclose(in);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(got, want);
}

static void tell_rows(struct fixture *f, FILE *out)
{
	struct database_options o = { .busy_timeout_ms = 1000 };
	struct error err = ERROR_INIT;
	struct reader r = { NULL, NULL };
	char scratch[600], *rows;

	snprintf(scratch, sizeof(scratch), "%s/scratch", f->folder);
	o.scratch = scratch;
	if (database_open(&r.db, f->a, &o, &err) < 0 ||
	    database_begin(r.db, &err) < 0 ||
	    database_catalog(r.db, &r.catalog, &err) < 0) {
		fprintf(out, "%s", err.message);
		return;
	}
	rows = rows_of(&r, "t");
	fprintf(out, "%.60s", rows);
	free(rows);
	reader_close(&r);
}

/* The folder of `f->a` becomes one in which nobody may write. */
static void close_folder(struct fixture *f)
{
	char scratch[600];

	snprintf(scratch, sizeof(scratch), "%s/scratch", f->folder);
	assert_int_equal(mkdir(scratch, 0700), 0);
	assert_int_equal(chmod(scratch, 0777), 0);
	chmod(f->a, 0444);
	assert_int_equal(chmod(f->folder, 0555), 0);
}

static void assert_read_in_closed_folder(struct fixture *f, const char *want)
{
	char scratch[600];
	size_t before;

	close_folder(f);
	before = count_names(f->folder);
	assert_told_unprivileged(f, tell_rows, want);
	assert_int_equal(count_names(f->folder), before);
	snprintf(scratch, sizeof(scratch), "%s/scratch", f->folder);
	assert_int_equal(count_names(scratch), 0);
	assert_int_equal(chmod(f->folder, 0700), 0);
}

static void a_database_in_a_closed_folder_is_read_in_place(void **state)
{
	struct fixture *f = *state;

	make(f->a, "CREATE TABLE t(v); INSERT INTO t VALUES('readable')");
	assert_read_in_closed_folder(f, "1: 'readable';");
}

static void wal_mode_in_a_closed_folder_is_read_from_a_copy(void **state)
{
	struct fixture *f = *state;

	make(f->a, "PRAGMA journal_mode=WAL; CREATE TABLE t(v);"
		   "INSERT INTO t VALUES('readable')");
	assert_read_in_closed_folder(f, "1: 'readable';");
}

static void a_wal_in_a_closed_folder_is_copied_along(void **state)
{
	struct fixture *f = *state;
	char wal[600];

	make_wal(f->a);
	snprintf(wal, sizeof(wal), "%s-wal", f->a);
	chmod(wal, 0444);
	assert_read_in_closed_folder(
		f, "1: 1 'in the file';2: 2 'only in the wal';");
}

static void a_hot_journal_in_a_closed_folder_is_rolled_back_aside(void **state)
{
	struct fixture *f = *state;
	char journal[600];

	make_hot(f->a);
	snprintf(journal, sizeof(journal), "%s-journal", f->a);
	chmod(journal, 0444);
	assert_read_in_closed_folder(
		f,
		"1: 1 'old';2: 2 'old';3: 3 'old';4: 4 'old';5: 5 'old';6: 6 ");
	assert_true(file_exists(journal));
}

static void a_file_that_may_not_be_read_is_told(void **state)
{
	struct fixture *f = *state;
	char want[700];

	make(f->a, "CREATE TABLE t(v)");
	close_folder(f);
	assert_int_equal(chmod(f->a, 0000), 0);
	snprintf(want, sizeof(want), "cannot read '%s': Permission denied",
		 f->a);
	assert_told_unprivileged(f, tell_rows, want);
	assert_int_equal(chmod(f->folder, 0700), 0);
}

static void a_copy_takes_the_journals_along(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	char *folder, *copied, side[600];
	struct reader r;

	make_wal(f->a);
	assert_int_equal(
		copy_aside(&folder, &copied, "a.db", f->a, f->folder, &err), 0);
	assert_int_equal(count_names(folder), 2);
	snprintf(side, sizeof(side), "%s-wal", f->a);
	assert_true(file_exists(side));
	r = reader_open(copied);
	assert_rows(&r, "t", "1: 1 'in the file';2: 2 'only in the wal';");
	reader_close(&r);
	scratch_remove(folder);
	free(folder);
	free(copied);
}

static void a_copy_needs_a_file_and_a_folder(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	char *folder, *copied, want[700], nowhere[600];

	snprintf(nowhere, sizeof(nowhere), "%s/nowhere", f->folder);
	make(f->a, "CREATE TABLE t(x)");
	assert_int_equal(
		copy_aside(&folder, &copied, "a.db", f->a, nowhere, &err), -1);
	assert_non_null(strstr(err.message, "/nowhere'"));
	assert_null(folder);
	error_clear(&err);
	/* what is there can't be read as a file */
	snprintf(nowhere, sizeof(nowhere), "%s/a.db/b.db", f->folder);
	assert_int_equal(
		copy_aside(&folder, &copied, "b.db", nowhere, NULL, &err), -1);
	snprintf(want, sizeof(want),
		 "cannot read '%s-journal': Not a directory", nowhere);
	assert_string_equal(err.message, want);
	error_clear(&err);
	assert_int_equal(copy_aside(&folder, &copied, "folder", f->folder,
				    f->folder, &err),
			 -1);
	snprintf(want, sizeof(want), "cannot read '%s': Is a directory",
		 f->folder);
	assert_string_equal(err.message, want);
	assert_null(copied);
	scratch_remove(folder);
	free(folder);
}

/* Somebody touches the file all the time. */
static void a_file_that_changes_is_not_copied(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	char *folder, *copied;
	int status, ends[2];
	char c;
	pid_t pid;

	make(f->a, "CREATE TABLE t(x); INSERT INTO t "
		   "VALUES(zeroblob(30000000))");
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

		for (;; times[1].tv_nsec++) {
			utimensat(AT_FDCWD, f->a, times, 0);
			if (times[1].tv_nsec == 2)
				status = (int)write(ends[1], "x", 1);
		}
	}
	assert_true(pid > 0);
	assert_int_equal(read(ends[0], &c, 1), 1);
	assert_int_equal(
		copy_aside(&folder, &copied, "a.db", f->a, f->folder, &err),
		-1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(ends[0]);
	close(ends[1]);
	assert_string_equal(err.message,
			    "'a.db' can't be opened in place and changes while "
			    "it is copied; stop the program that writes to it, "
			    "or make its folder writable");
	scratch_remove(folder);
	free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_database_in_a_closed_folder_is_read_in_place),
		fixture_test(wal_mode_in_a_closed_folder_is_read_from_a_copy),
		fixture_test(a_wal_in_a_closed_folder_is_copied_along),
		fixture_test(
			a_hot_journal_in_a_closed_folder_is_rolled_back_aside),
		fixture_test(a_file_that_may_not_be_read_is_told),
		fixture_test(a_copy_takes_the_journals_along),
		fixture_test(a_copy_needs_a_file_and_a_folder),
		fixture_test(a_file_that_changes_is_not_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
