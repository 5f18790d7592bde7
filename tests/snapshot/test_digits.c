/*
 * test_digits.c - whole numbers as decimal digits
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "snapshot/digits_internal.h"

/* The C library says the same; nothing is written behind DIGITS_SIZE. */
static void same(uint64_t x)
{
	char expected[32], *room = malloc(DIGITS_SIZE), *end;
	int size = snprintf(expected, sizeof(expected), "%" PRIu64, x);

	assert_non_null(room);
	end = digits_put(room, x);
	if (end - room != size || memcmp(room, expected, (size_t)size) != 0)
		fail_msg("%s is written as '%.*s'", expected, (int)(end - room),
			 room);
	free(room);
}

static void numbers_of_all_lengths_have_their_digits(void **state)
{
	uint64_t power = 1, m;
	int digits;

	(void)state;
	same(0);
	same(UINT64_MAX);
	same(UINT64_C(1) << 63);
	for (digits = 1; digits <= 20; digits++) {
		same(power - 1);
		for (m = 1; m < 10 && power <= UINT64_MAX / m; m++) {
			same(power * m);
			same(power * m + 1);
			same(power * m + power / 7);
		}
		power *= digits < 20 ? 10 : 1;
	}
}

/* Each half of eight digits takes the same way, and each value of it. */
static void every_four_digits_are_right_in_every_place(void **state)
{
	uint64_t x;

	(void)state;
	for (x = 0; x < 10000; x++) {
		same(x);
		same(x * 10000);
		same(x * DIGITS_8 + x);
		same((x * 10000 + x) * DIGITS_8 + x * 10000);
		same(x % 1844 * DIGITS_8 * DIGITS_8 + x * DIGITS_8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_all_lengths_have_their_digits),
		cmocka_unit_test(every_four_digits_are_right_in_every_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
