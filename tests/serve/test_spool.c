/* test_spool.c - what is put comes out, in order, and no more lies there than
 * may */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "serve/serve_internal.h"

#define MEMORY ((size_t)256 << 10)
#define LONG   ((size_t)3 << 20)

struct fixture {
	int wake;
	struct spool *spool;
	unsigned char *data, *back;
	int put; /* what spool_put() returned in the thread */
	struct error err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->data = malloc(LONG);
	f->back = malloc(LONG);
	assert_true(f->wake >= 0 && f->data && f->back);
	for (size_t i = 0; i < LONG; i++)
		f->data[i] = (unsigned char)(i * 7 + i / 251);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	spool_free(f->spool);
	close(f->wake);
	free(f->data);
	free(f->back);
	free(f);
	return 0;
}

static void make(struct fixture *f, const char *folder, uint64_t most)
{
	if (spool_new(&f->spool, folder, most, f->wake, &f->err) < 0)
		fail_msg("%s", f->err.message);
}

static int is_woken(struct fixture *f)
{
	uint64_t count;

	return read(f->wake, &count, sizeof(count)) == sizeof(count);
}

static void puts_all(struct fixture *f, size_t at, size_t size)
{
	assert_int_equal(spool_put(f->spool, f->data + at, size, &f->err), 0);
}

static void takes(struct fixture *f, size_t at, size_t room, size_t expected)
{
	assert_int_equal(spool_take(f->spool, f->back, room, &f->err),
			 expected);
	assert_memory_equal(f->back, f->data + at, expected);
}

static void what_is_put_comes_out_in_pieces(void **state)
{
	struct fixture *f = *state;

	make(f, "/tmp", LONG);
	assert_false(spool_filled(f->spool));
	puts_all(f, 0, 1000);
	assert_true(spool_filled(f->spool));
	takes(f, 0, 600, 600);
	puts_all(f, 1000, 1000);
	takes(f, 600, 5000, 1400);
	assert_false(spool_filled(f->spool));
	takes(f, 2000, 5000, 0);
}

static void who_found_nothing_is_woken_once(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, 0);
	puts_all(f, 0, 10);
	assert_false(is_woken(f));
	takes(f, 0, 100, 10);
	takes(f, 10, 100, 0);
	assert_false(is_woken(f));
	puts_all(f, 10, 10);
	assert_true(is_woken(f));
	puts_all(f, 20, 10);
	assert_false(is_woken(f));
}

static void *put_long(void *payload)
{
	struct fixture *f = payload;

	f->put = spool_put(f->spool, f->data, LONG, &f->err);
	return NULL;
}

/* Through a ring of a size that divides nothing. */
static void round_and_round(struct fixture *f, const char *folder,
			    uint64_t most)
{
	struct pollfd p = { .fd = f->wake, .events = POLLIN };
	struct error err = ERROR_INIT;
	pthread_t thread;
	size_t at = 0;

	make(f, folder, most);
	assert_int_equal(pthread_create(&thread, NULL, put_long, f), 0);
	while (at < LONG) {
		ssize_t got = spool_take(f->spool, f->back + at, 4099, &err);

		assert_true(got >= 0);
		if (!got)
			assert_int_equal(poll(&p, 1, 60000), 1);
		if (!got)
			assert_true(is_woken(f));
		at += (size_t)got;
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(f->put, 0);
	assert_memory_equal(f->back, f->data, LONG);
	assert_false(spool_filled(f->spool));
}

static void more_than_fits_waits_for_who_takes(void **state)
{
	round_and_round(*state, NULL, 0);
}

static void a_file_is_no_longer_than_it_may_be(void **state)
{
	round_and_round(*state, "/tmp", 300007);
}

/* Of whoever keeps up nothing is left lying. */
static void an_empty_one_begins_at_its_begin(void **state)
{
	struct fixture *f = *state;
	struct stat st = { 0 };
	char path[64];
	DIR *files;

	make(f, "/tmp", LONG);
	for (size_t at = 0; at + 70000 < LONG; at += 70000) {
		puts_all(f, at, 70000);
		takes(f, at, 70000, 70000);
	}
	/* its file is the one that has no name */
	files = opendir("/proc/self/fd");
	for (const struct dirent *e; files && (e = readdir(files));) {
		struct stat of;

		snprintf(path, sizeof(path), "/proc/self/fd/%.20s", e->d_name);
		if (stat(path, &of) == 0 && S_ISREG(of.st_mode) && !of.st_nlink)
			st = of;
	}
	closedir(files);
	assert_int_equal(st.st_size, 70000);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void who_waits_is_stopped(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	make(f, NULL, 0);
	assert_int_equal(pthread_create(&thread, NULL, put_long, f), 0);
	spool_stop(f->spool);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(f->put, -1);
	assert_int_equal(f->err.code, ERROR_INTERRUPTED);
}

static void a_folder_that_is_none_is_told_and_done_without(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(spool_check("/tmp", LONG, &f->err), 0);
	assert_int_equal(spool_check("/nowhere", LONG, &f->err), -1);
	assert_string_equal(f->err.message,
			    "cannot tell the free space of '/nowhere': No such "
			    "file or directory");
	make(f, "/nowhere", LONG);
	puts_all(f, 0, MEMORY);
	takes(f, 0, LONG, MEMORY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_put_comes_out_in_pieces),
		TEST(who_found_nothing_is_woken_once),
		TEST(more_than_fits_waits_for_who_takes),
		TEST(a_file_is_no_longer_than_it_may_be),
		TEST(an_empty_one_begins_at_its_begin),
		TEST(who_waits_is_stopped),
		TEST(a_folder_that_is_none_is_told_and_done_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
