/*
 * test_process.c - programs that we run
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/process.h"
#include "base/secret.h"

static struct process *started(const char *script, unsigned int stall_s)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	const char *set[] = { "SET=yes", NULL };
	const char *unset[] = { "LOST", NULL };
	struct error err = ERROR_INIT;
	struct process *p;

	assert_int_equal(
		process_start(&p,
			      &(struct process_options){ .argv = argv,
							 .set = set,
							 .unset = unset,
							 .stall_s = stall_s },
			      &err),
		0);
	return p;
}

static void assert_reads(struct process *p, const char *wanted)
{
	struct error err = ERROR_INIT;
	char text[256] = "";
	size_t used = 0, got = 1;

	while (got) {
		assert_int_equal(process_read(p, text + used,
					      sizeof(text) - 1 - used, &got,
					      &err),
				 0);
		used += got;
	}
	assert_string_equal(text, wanted);
}

static void a_program_answers_and_ends(void **state)
{
	struct process *p = started("cat; exit 3", 0);
	struct error err = ERROR_INIT;
	int status;

	(void)state;
	assert_int_equal(process_write(p, "hello", 5, &err), 0);
	process_close_input(p);
	assert_reads(p, "hello");
	assert_int_equal(process_end(p, &status, &err), 0);
	assert_int_equal(status, 3);
	process_free(p);
}

static void a_program_that_talks_while_it_is_told_blocks_nobody(void **state)
{
	struct process *p = started("cat", 5);
	static char data[700000], back[sizeof(data)];
	struct error err = ERROR_INIT;
	size_t used = 0, got = 1;

	(void)state;
	memset(data, 'x', sizeof(data));
	assert_int_equal(process_write(p, data, sizeof(data), &err), 0);
	process_close_input(p);
	while (got) {
		assert_int_equal(process_read(p, back + used,
					      sizeof(back) - used + 0, &got,
					      &err),
				 0);
		used += got;
		if (used == sizeof(back))
			break;
	}
	assert_int_equal(used, sizeof(data));
	assert_memory_equal(back, data, sizeof(data));
	process_free(p);
}

static void its_environment_holds_no_secret_of_ours(void **state)
{
	struct process *p;

	(void)state;
	setenv("DBSTOW_TOKEN", "canary-1", 1);
	setenv("GITHUB_TOKEN", "canary-2", 1);
	setenv("LOST", "1", 1);
	p = started("echo \"$SET$LOST$DBSTOW_TOKEN$GITHUB_TOKEN\"", 0);
	assert_reads(p, "yes\n");
	process_free(p);
	unsetenv("DBSTOW_TOKEN");
	unsetenv("GITHUB_TOKEN");
}

static void it_inherits_no_descriptor(void **state)
{
	struct process *p = started("ls /proc/self/fd | tr '\\n' ' '", 0);

	(void)state;
	/* 3 is the folder that ls reads */
	assert_reads(p, "0 1 2 3 ");
	process_free(p);
}

static void a_missing_program_is_named(void **state)
{
	const char *argv[] = { "no-such-program", NULL };
	struct error err = ERROR_INIT;
	struct process *p;

	(void)state;
	assert_int_equal(
		process_start(&p, &(struct process_options){ .argv = argv },
			      &err),
		-1);
	assert_null(p);
	assert_int_equal(err.code, ERROR_FAILED);
	assert_string_equal(err.message, "cannot run 'no-such-program': No "
					 "such file or directory");
}

static void one_that_says_nothing_is_left_in_time(void **state)
{
	struct process *p = started("echo why >&2; sleep 20", 1);
	struct error err = ERROR_INIT;
	char data[16];
	int status;
	size_t got;

	(void)state;
	assert_int_equal(process_read(p, data, sizeof(data), &got, &err), -1);
	assert_int_equal(err.code, ERROR_NETWORK);
	assert_string_equal(err.message, "'sh' sent nothing for 1 s: why");
	/* and nobody waits for it again */
	assert_int_equal(process_end(p, &status, NULL), 0);
	assert_int_equal(status, 128 + SIGKILL);
	process_free(p);
}

static void one_that_takes_nothing_is_left_in_time(void **state)
{
	struct process *p = started("sleep 20", 1);
	static const char data[1 << 20];
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(process_write(p, data, sizeof(data), &err), -1);
	assert_string_equal(err.message, "'sh' took nothing for 1 s");
	process_free(p);
}

static void writing_to_one_that_is_gone_tells_its_words(void **state)
{
	struct process *p = started("echo denied >&2; exec <&-; sleep 1", 3);
	static const char data[1 << 20];
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(process_write(p, data, sizeof(data), &err), -1);
	assert_int_equal(err.code, ERROR_NETWORK);
	assert_string_equal(err.message, "'sh' takes no more: denied");
	process_free(p);
}

static void its_words_are_one_clean_line(void **state)
{
	struct process *p = started("printf '\\033[31mone\\r\\n\\ntwo  3\\377 "
				    "my-canary\\n' >&2",
				    0);
	struct error err = ERROR_INIT;
	struct secret *s;
	int status;

	(void)state;
	assert_int_equal(secret_new(&s, "TEST", "my-canary", 9, &err), 0);
	assert_int_equal(process_end(p, &status, &err), 0);
	assert_int_equal(status, 0);
	assert_string_equal(process_said(p), "one; two 3? ***");
	process_free(p);
	secret_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_answers_and_ends),
		cmocka_unit_test(
			a_program_that_talks_while_it_is_told_blocks_nobody),
		cmocka_unit_test(its_environment_holds_no_secret_of_ours),
		cmocka_unit_test(it_inherits_no_descriptor),
		cmocka_unit_test(a_missing_program_is_named),
		cmocka_unit_test(one_that_says_nothing_is_left_in_time),
		cmocka_unit_test(one_that_takes_nothing_is_left_in_time),
		cmocka_unit_test(writing_to_one_that_is_gone_tells_its_words),
		cmocka_unit_test(its_words_are_one_clean_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
