/*
 * test_error.c - one error, said once
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void first_error_wins(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_set(&err, ERROR_DAMAGE, "row %d is bad", 7), -1);
	assert_int_equal(error_set(&err, ERROR_FAILED, "cannot close"), -1);
	assert_int_equal(error_nomem(&err), -1);
	assert_int_equal(err.code, ERROR_DAMAGE);
	assert_string_equal(err.message, "row 7 is bad");
}

static void cleared_error_takes_the_next(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, ERROR_DAMAGE, "first");
	error_clear(&err);
	assert_int_equal(err.code, ERROR_NONE);
	assert_string_equal(err.message, "");
	error_nomem(&err);
	assert_int_equal(err.code, ERROR_NOMEM);
	assert_string_equal(err.message, "out of memory");
}

static void nobody_listening_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, ERROR_FAILED, "x"), -1);
	assert_int_equal(error_errno(NULL, ERROR_FAILED, "x"), -1);
	assert_int_equal(error_nomem(NULL), -1);
	error_clear(NULL);
}

static void control_characters_are_disarmed(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, ERROR_FAILED, "table '%s'",
		  "\x1b[2J\r\n\x7f\xc2\x9b"
		  "1mGr\xc3\xb6\xc3\x9f"
		  "e\xc2\xa0");
	assert_string_equal(err.message, "table '?[2J?????1mGr\xc3\xb6\xc3\x9f"
					 "e\xc2\xa0'");
}

static void errno_is_told_in_words(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	errno = ENOENT;
	assert_int_equal(
		error_errno(&err, ERROR_FAILED, "cannot open '%s'", "a.db"),
		-1);
	assert_int_equal(err.code, ERROR_FAILED);
	assert_string_equal(err.message,
			    "cannot open 'a.db': No such file or directory");
}

static void full_disk_has_a_code_of_its_own(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	errno = ENOSPC;
	error_errno(&err, ERROR_FAILED, "cannot write 'x'");
	assert_int_equal(err.code, ERROR_NOSPACE);
	assert_string_equal(err.message,
			    "cannot write 'x': No space left on device");
	error_clear(&err);
	errno = EDQUOT;
	error_errno(&err, ERROR_FAILED, "cannot write 'x'");
	assert_int_equal(err.code, ERROR_NOSPACE);
	error_clear(&err);
	errno = ENOSPC;
	error_errno(&err, ERROR_REFUSED, "cannot write 'x'");
	assert_int_equal(err.code, ERROR_REFUSED);
}

/* `before` bytes of 'x', then `tail`, until it no longer fits. */
static void cut_ends_at(size_t before, const char *tail, size_t expected)
{
	struct error err = ERROR_INIT;
	char text[sizeof(err.message)];

	memset(text, 'x', sizeof(text));
	text[before] = '\0';
	error_set(&err, ERROR_FAILED, "%s%s%s", text, tail, "and more");
	assert_int_equal(strlen(err.message), expected);
}

static void long_message_is_cut_between_characters(void **state)
{
	const size_t room = sizeof(((struct error *)0)->message) - 1;

	(void)state;
	cut_ends_at(room - 1, "x", room);
	cut_ends_at(room - 2, "\xc3\xb6", room);
	cut_ends_at(room - 1, "\xc3\xb6", room - 1);
	cut_ends_at(room - 2, "\xe2\x82\xac", room - 2);
	cut_ends_at(room - 3, "\xe2\x82\xac", room);
	cut_ends_at(room - 3, "\xf0\x9f\x98\x80", room - 3);
	cut_ends_at(room - 4, "\xf0\x9f\x98\x80", room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_error_wins),
		cmocka_unit_test(cleared_error_takes_the_next),
		cmocka_unit_test(nobody_listening_is_allowed),
		cmocka_unit_test(control_characters_are_disarmed),
		cmocka_unit_test(errno_is_told_in_words),
		cmocka_unit_test(full_disk_has_a_code_of_its_own),
		cmocka_unit_test(long_message_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
