/* test_job.c - one export: its tag, its bytes, its end */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <sqlite3.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/file.h"
#include "serve/serve_internal.h"

struct fixture {
	char *folder, *db;
	struct serve_options serve;
	struct known known;
	struct job_options o;
	struct error err; /* of job_read() */
};

static void run_sql(struct fixture *f, const char *text)
{
	sqlite3 *sql = NULL;

	assert_int_equal(sqlite3_open(f->db, &sql), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sql, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(sql), SQLITE_OK);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct error err = ERROR_INIT;

	assert_non_null(f);
	assert_int_equal(scratch_make(&f->folder, "/tmp", "test-job", &err), 0);
	f->db = path_join(f->folder, "a.db");
	run_sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
		   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
		   "FROM n WHERE i < 20000) "
		   "INSERT INTO t(x) SELECT hex(randomblob(100)) FROM n");
	f->serve = (struct serve_options){
		.db = f->db, .source = "a.db", .version = "1", .jobs = 1
	};
	f->o.serve = &f->serve;
	f->o.known = &f->known;
	f->o.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(f->o.wake >= 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->o.wake);
	buffer_release(&f->known.identity);
	scratch_remove(f->folder);
	free(f->folder);
	free(f->db);
	free(f);
	return 0;
}

static void await(struct fixture *f)
{
	struct pollfd p = { .fd = f->o.wake, .events = POLLIN };
	uint64_t count;

	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_int_equal(read(f->o.wake, &count, sizeof(count)), sizeof(count));
}

static struct job *begun(struct fixture *f, const char *if_none_match,
			 enum job_state expected)
{
	struct error err = ERROR_INIT;
	struct job *j = NULL;

	f->o.if_none_match = if_none_match;
	assert_int_equal(job_start(&j, &f->o, &err), 0);
	while (job_state(j) == JOB_BEGUN)
		await(f);
	assert_int_equal(job_state(j), expected);
	return j;
}

/* @return what job_read() ended with */
static ssize_t read_all(struct fixture *f, struct job *j, struct buffer *out)
{
	char piece[5000];
	ssize_t got;

	while ((got = job_read(j, piece, sizeof(piece), &f->err)) >= 0) {
		if (got == 0)
			await(f);
		buffer_add(out, piece, (size_t)got);
	}
	assert_true(job_ended(j));
	return got;
}

static void document_comes_through_memory(void **state)
{
	struct fixture *f = *state;
	struct buffer out = BUFFER_INIT;
	struct job *j = begun(f, NULL, JOB_COMING);

	assert_int_equal(strlen(job_tag(j)), 40);
	assert_int_equal(read_all(f, j, &out), -1);
	assert_true(out.size > 4000000);
	assert_memory_equal(out.data, "{\"format\":\"dbstow-export/1\"", 27);
	assert_memory_equal(out.data + out.size - 4, "]}}\n", 4);
	buffer_release(&out);
	job_free(j);
}

/* The transaction ends, whether anybody reads or not. */
static void document_is_made_without_its_client(void **state)
{
	struct fixture *f = *state;
	struct buffer out = BUFFER_INIT;
	struct job *j;

	f->serve.spool = f->folder;
	f->serve.spool_bytes = 100000000;
	j = begun(f, NULL, JOB_COMING);
	while (!job_ended(j))
		await(f);
	run_sql(f, "UPDATE t SET x = 1");
	assert_int_equal(read_all(f, j, &out), -1);
	assert_true(out.size > 4000000);
	assert_memory_equal(out.data + out.size - 4, "]}}\n", 4);
	buffer_release(&out);
	job_free(j);
}

static void job_that_is_stopped_ends_with_an_error(void **state)
{
	struct fixture *f = *state;
	struct buffer out = BUFFER_INIT;
	struct job *j = begun(f, NULL, JOB_COMING);

	job_stop(j);
	assert_int_equal(read_all(f, j, &out), -2);
	assert_true(out.size < 1000000);
	assert_int_equal(f->err.code, ERROR_INTERRUPTED);
	buffer_release(&out);
	job_free(j);
	/* nobody reads at all: free() ends it */
	job_free(begun(f, NULL, JOB_COMING));
}

static void content_that_the_client_has_is_not_sent(void **state)
{
	struct fixture *f = *state;
	char header[TAG_SIZE + 8], tag[TAG_SIZE];
	struct job *j = begun(f, NULL, JOB_COMING);

	snprintf(tag, sizeof(tag), "%s", job_tag(j));
	snprintf(header, sizeof(header), "W/\"%s\"", tag);
	job_free(j);
	job_free(begun(f, header, JOB_SAME));
	run_sql(f, "CREATE TABLE u(x); DROP TABLE u");
	job_free(begun(f, header, JOB_SAME));
	run_sql(f, "UPDATE t SET x = 1 WHERE id = 7");
	j = begun(f, header, JOB_COMING);
	assert_string_not_equal(job_tag(j), tag);
	job_free(j);
}

/* The tag, once the file was written to long enough ago. */
static struct job *settled(struct fixture *f)
{
	const struct timespec moment = { 0, 20000000 };
	struct job *j = begun(f, NULL, JOB_COMING);

	for (int i = 0; i < 250 && !job_tag(j)[0]; i++) {
		job_free(j);
		nanosleep(&moment, NULL);
		j = begun(f, NULL, JOB_COMING);
	}
	return j;
}

static void big_database_has_a_tag_for_its_file(void **state)
{
	struct fixture *f = *state;
	char header[TAG_SIZE + 8];
	struct job *j;

	f->known.slow_bytes = 1;
	j = settled(f);
	assert_int_equal(strlen(job_tag(j)), 45);
	assert_memory_equal(job_tag(j), "file-", 5);
	snprintf(header, sizeof(header), "W/\"%s\"", job_tag(j));
	job_free(j);
	j = begun(f, header, JOB_SAME);
	assert_memory_equal(job_tag(j), header + 3, 45);
	job_free(j);
	/* written to, be it the same content: it may be another */
	run_sql(f, "CREATE TABLE u(x); DROP TABLE u");
	job_free(begun(f, header, JOB_COMING));
}

static void smaller_database_is_looked_through_again(void **state)
{
	struct fixture *f = *state;
	struct job *j;

	f->known.slow_bytes = 1000000000;
	j = begun(f, NULL, JOB_COMING);
	assert_int_equal(strlen(job_tag(j)), 40);
	job_free(j);
}

static void database_that_is_not_there_is_told_apart(void **state)
{
	struct fixture *f = *state;
	char text[256];
	struct job *j;

	unlink(f->db);
	j = begun(f, NULL, JOB_CLOSED);
	snprintf(text, sizeof(text), "database '%s' does not exist", f->db);
	assert_string_equal(job_error(j)->message, text);
	job_free(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(document_comes_through_memory,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			document_is_made_without_its_client, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			job_that_is_stopped_ends_with_an_error, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			content_that_the_client_has_is_not_sent, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			big_database_has_a_tag_for_its_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			smaller_database_is_looked_through_again, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			database_that_is_not_there_is_told_apart, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
