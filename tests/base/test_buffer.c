/*
 * test_buffer.c - bytes that grow
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

static void appends_come_one_behind_the_other(void **state)
{
	struct buffer b = BUFFER_INIT;

	(void)state;
	buffer_add(&b, "a\0b", 3);
	buffer_byte(&b, 'c');
	buffer_str(&b, "de");
	buffer_printf(&b, "%d-%s", 12, "x");
	assert_int_equal(b.size, 10);
	assert_memory_equal(b.data, "a\0bcde12-x", 10);
	assert_false(buffer_failed(&b));
	buffer_release(&b);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
	assert_int_equal(b.capacity, 0);
}

static void nothing_appended_leaves_no_memory(void **state)
{
	struct buffer b = BUFFER_INIT;

	(void)state;
	buffer_add(&b, NULL, 0);
	buffer_str(&b, "");
	assert_null(b.data);
	buffer_release(&b);
}

static void long_formatted_text_fits(void **state)
{
	struct buffer b = BUFFER_INIT;
	char text[5000];

	(void)state;
	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	buffer_str(&b, "a");
	buffer_printf(&b, "<%s>", text);
	assert_int_equal(b.size, sizeof(text) + 2);
	assert_memory_equal(b.data, "a<yyy", 5);
	assert_int_equal(b.data[b.size - 1], '>');
	buffer_release(&b);
}

static void terminating_nul_is_not_counted(void **state)
{
	struct buffer b = BUFFER_INIT;

	(void)state;
	assert_string_equal(buffer_cstr(&b), "");
	buffer_str(&b, "abc");
	assert_string_equal(buffer_cstr(&b), "abc");
	assert_int_equal(b.size, 3);
	buffer_release(&b);
}

static void detached_bytes_belong_to_the_caller(void **state)
{
	struct buffer b = BUFFER_INIT;
	char *text;

	(void)state;
	buffer_str(&b, "abc");
	text = buffer_detach(&b);
	assert_string_equal(text, "abc");
	assert_null(b.data);
	assert_int_equal(b.size, 0);
	free(text);
}

static void failure_sticks_and_keeps_what_was_there(void **state)
{
	struct buffer b = BUFFER_INIT;

	(void)state;
	buffer_str(&b, "abc");
	assert_int_equal(buffer_reserve(&b, SIZE_MAX - 1), -1);
	assert_int_equal(buffer_grow(&b, 1), -1);
	buffer_str(&b, "def");
	buffer_byte(&b, 'g');
	buffer_printf(&b, "%d", 1);
	assert_true(buffer_failed(&b));
	assert_int_equal(b.size, 3);
	assert_memory_equal(b.data, "abc", 3);
	assert_null(buffer_cstr(&b));

	buffer_clear(&b);
	buffer_str(&b, "new");
	assert_false(buffer_failed(&b));
	assert_string_equal(buffer_cstr(&b), "new");
	assert_int_equal(buffer_reserve(&b, SIZE_MAX), -1);
	assert_null(buffer_detach(&b));
	assert_null(b.data);
}

static void growing_keeps_the_bytes(void **state)
{
	struct buffer b = BUFFER_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < 100000; i++)
		buffer_byte(&b, (char)(i % 251));
	assert_int_equal(b.size, 100000);
	for (i = 0; i < b.size; i++)
		assert_int_equal((unsigned char)b.data[i], i % 251);
	assert_int_equal(buffer_grow(&b, 0), 0);
	buffer_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_come_one_behind_the_other),
		cmocka_unit_test(nothing_appended_leaves_no_memory),
		cmocka_unit_test(long_formatted_text_fits),
		cmocka_unit_test(terminating_nul_is_not_counted),
		cmocka_unit_test(detached_bytes_belong_to_the_caller),
		cmocka_unit_test(failure_sticks_and_keeps_what_was_there),
		cmocka_unit_test(growing_keeps_the_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
