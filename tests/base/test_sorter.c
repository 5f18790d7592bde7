/*
 * test_sorter.c - lines come out in byte order, and pairs in that of their
 * numbers, whether they fitted into memory or not
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sorter.h"

static struct sorter *new_sorter(size_t run_bytes)
{
	struct error err = ERROR_INIT;
	struct sorter *s;

	assert_int_equal(sorter_new(&s, NULL, run_bytes, &err), 0);
	return s;
}

static void add(struct sorter *s, const char *line, size_t size)
{
	struct error err = ERROR_INIT;

	if (sorter_add(s, line, size, &err) < 0)
		fail_msg("%s", err.message);
}

static void expect(struct sorter *s, const char *line, size_t size)
{
	struct error err = ERROR_INIT;
	const char *got;
	size_t got_size;

	assert_int_equal(sorter_next(s, &got, &got_size, &err), 1);
	assert_int_equal(got_size, size);
	assert_memory_equal(got, line, size);
}

static void expect_end(struct sorter *s)
{
	struct error err = ERROR_INIT;
	const char *got;
	size_t size;

	assert_int_equal(sorter_next(s, &got, &size, &err), 0);
	assert_int_equal(sorter_next(s, &got, &size, &err), 0);
}

static void finish(struct sorter *s)
{
	struct error err = ERROR_INIT;

	if (sorter_finish(s, &err) < 0)
		fail_msg("%s", err.message);
}

static void no_lines_give_no_lines(void **state)
{
	struct sorter *s = new_sorter(SORTER_RUN_BYTES);

	(void)state;
	finish(s);
	expect_end(s);
	sorter_free(s);
	sorter_free(NULL);
}

static void lines_are_sorted_by_bytes_and_not_as_text(void **state)
{
	struct sorter *s = new_sorter(SORTER_RUN_BYTES);

	(void)state;
	add(s, "b\n", 2);
	add(s, "\xff\n", 2);
	add(s, "a\0z\n", 4);
	add(s, "a\n", 2);
	add(s, "B\n", 2);
	add(s, "a\0a\n", 4);
	finish(s);
	expect(s, "B\n", 2);
	expect(s, "a\0a\n", 4);
	expect(s, "a\0z\n", 4);
	expect(s, "a\n", 2);
	expect(s, "b\n", 2);
	expect(s, "\xff\n", 2);
	expect_end(s);
	sorter_free(s);
}

static void a_line_comes_before_those_it_begins(void **state)
{
	(void)state;
	for (size_t run_bytes = 1; run_bytes <= 1000; run_bytes += 999) {
		struct sorter *s = new_sorter(run_bytes);

		add(s, "ab", 2);
		add(s, "", 0);
		add(s, "a", 1);
		finish(s);
		expect(s, "", 0);
		expect(s, "a", 1);
		expect(s, "ab", 2);
		expect_end(s);
		sorter_free(s);
	}
}

static void equal_lines_all_come_back(void **state)
{
	struct sorter *s = new_sorter(1); /* each line is a run */

	(void)state;
	for (int i = 0; i < 40; i++)
		add(s, i % 2 ? "x\n" : "y\n", 2);
	finish(s);
	for (int i = 0; i < 40; i++)
		expect(s, i < 20 ? "x\n" : "y\n", 2);
	expect_end(s);
	sorter_free(s);
}

/* A permutation of 0 .. LINES - 1 as lines; every thousandth is longer than
 * what is read from the file at once. */
#define LINES 20000

static size_t make_line(char *out, size_t number)
{
	size_t size = (size_t)snprintf(out, 32, "%08zu", number);

	if (number % 1000 == 17) {
		memset(out + size, 'x', 300000);
		size += 300000;
	}
	out[size++] = '\n';
	return size;
}

static void sort_many(size_t run_bytes)
{
	struct sorter *s = new_sorter(run_bytes);
	char *line = malloc(400000);

	assert_non_null(line);
	for (size_t i = 0; i < LINES; i++)
		add(s, line, make_line(line, i * 7919 % LINES));
	finish(s);
	for (size_t i = 0; i < LINES; i++)
		expect(s, line, make_line(line, i));
	expect_end(s);
	sorter_free(s);
	free(line);
}

static void lines_that_fit_into_memory_are_sorted(void **state)
{
	(void)state;
	sort_many(SORTER_RUN_BYTES);
}

static void a_few_runs_are_merged(void **state)
{
	(void)state;
	sort_many((size_t)1 << 20);
}

static void more_runs_than_can_be_merged_at_once_are_merged(void **state)
{
	(void)state;
	sort_many((size_t)2 << 10);
}

struct long_line {
	unsigned char bytes[160];
	size_t size;
};

static int compare_lines(const void *a, const void *b)
{
	const struct long_line *x = a, *y = b;
	size_t shorter = x->size < y->size ? x->size : y->size;
	int order = memcmp(x->bytes, y->bytes, shorter);

	return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* From none to all of a line the same, and zeros at the end of some. */
static void sort_like_lines(size_t run_bytes, size_t same, unsigned range)
{
	enum { COUNT = 4000 };
	struct long_line *lines = calloc(COUNT, sizeof(*lines));
	struct sorter *s = new_sorter(run_bytes);
	unsigned random = (unsigned)same + 1;

	for (size_t i = 0; i < COUNT; i++) {
		struct long_line *l = &lines[i];

		memset(l->bytes, 'x', same);
		random = random * 1103515245 + 12345;
		l->size = same + random / 65536 % 20;
		for (size_t k = same; k < l->size; k++) {
			random = random * 1103515245 + 12345;
			l->bytes[k] = (unsigned char)(random / 65536 % range);
		}
		add(s, (char *)l->bytes, l->size);
	}
	qsort(lines, COUNT, sizeof(*lines), compare_lines);
	finish(s);
	for (size_t i = 0; i < COUNT; i++)
		expect(s, (char *)lines[i].bytes, lines[i].size);
	expect_end(s);
	sorter_free(s);
	free(lines);
}

static void lines_that_begin_alike_are_sorted(void **state)
{
	(void)state;
	for (size_t same = 0; same <= 80; same += same < 10 ? 1 : 7)
		for (unsigned range = 1; range <= 256; range *= 4) {
			sort_like_lines(SORTER_RUN_BYTES, same, range);
			sort_like_lines((size_t)30 << 10, same, range);
		}
}

static void lines_in_order_stay_so(void **state)
{
	struct sorter *s = new_sorter(SORTER_RUN_BYTES);
	char line[32];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "0123456789 %06d", i);
		add(s, line, strlen(line));
	}
	finish(s);
	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "0123456789 %06d", i);
		expect(s, line, strlen(line));
	}
	expect_end(s);
	sorter_free(s);
}

/* ---- pairs ---- */

struct two {
	uint64_t first, second;
};

static int compare_first(const void *a, const void *b)
{
	const struct two *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->second > y->second) - (x->second < y->second);
}

static uint64_t any_number(void)
{
	static uint64_t random;

	random = random * 6364136223846793005U + 1442695040888963407U;
	return random ^ random >> 29;
}

/* First numbers of `bits` bits from bit `shift` on, in ascending order but for
 * these bits when `ascend` is set. */
static void sort_pairs(size_t run_bytes, unsigned bits, unsigned shift,
		       int ascend)
{
	enum { COUNT = 3000 };
	struct two *pairs = calloc(COUNT, sizeof(*pairs));
	struct sorter *s = new_sorter(run_bytes);
	struct error err = ERROR_INIT;
	uint64_t first, second;

	for (size_t i = 0; i < COUNT; i++) {
		pairs[i].first =
			(any_number() >> (64 - bits) << shift) +
			(ascend ? (uint64_t)i << (bits + shift - 3) : 0);
		pairs[i].second = i * 3;
		assert_int_equal(sorter_add_pair(s, pairs[i].first,
						 pairs[i].second, &err),
				 0);
	}
	qsort(pairs, COUNT, sizeof(*pairs), compare_first);
	finish(s);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(sorter_next_pair(s, &first, &second, &err), 1);
		assert_true(first == pairs[i].first);
		assert_true(second == pairs[i].second);
	}
	assert_int_equal(sorter_next_pair(s, &first, &second, &err), 0);
	assert_int_equal(sorter_next_pair(s, &first, &second, &err), 0);
	sorter_free(s);
	free(pairs);
}

static void pairs_are_sorted_by_their_first_numbers(void **state)
{
	static const size_t bytes[] = { 1, 1000, 30000, SORTER_RUN_BYTES };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		sort_pairs(bytes[i], 64, 0, 0);
		for (unsigned bits = 1; bits < 30; bits += 4)
			for (unsigned shift = 0; shift < 64 - bits; shift += 9)
				sort_pairs(bytes[i], bits, shift, 0);
	}
}

static void pairs_nearly_in_order_are_sorted(void **state)
{
	(void)state;
	for (unsigned bits = 3; bits < 40; bits++) {
		sort_pairs(SORTER_RUN_BYTES, bits, 5, 1);
		sort_pairs((size_t)20 << 10, bits, 5, 1);
	}
}

static void pairs_take_no_more_memory_than_allowed(void **state)
{
	struct error err = ERROR_INIT;
	struct sorter *s;

	(void)state;
	/* a pair takes 16 bytes, and as many to be sorted */
	assert_int_equal(sorter_new(&s, "/nowhere/else", 1000, &err), 0);
	for (uint64_t i = 0; i < 31; i++)
		assert_int_equal(sorter_add_pair(s, i, i, &err), 0);
	assert_int_equal(sorter_add_pair(s, 31, 31, &err), -1);
	assert_string_equal(err.message,
			    "cannot create a file for sorting in "
			    "'/nowhere/else': No such file or directory");
	sorter_free(s);
}

static void no_pairs_give_no_pairs(void **state)
{
	struct sorter *s = new_sorter(SORTER_RUN_BYTES);
	struct error err = ERROR_INIT;
	uint64_t first, second;

	(void)state;
	finish(s);
	assert_int_equal(sorter_next_pair(s, &first, &second, &err), 0);
	sorter_free(s);
}

static void a_folder_of_ones_own_is_used(void **state)
{
	struct error err = ERROR_INIT;
	struct sorter *s;

	(void)state;
	assert_int_equal(sorter_new(&s, "/nowhere/else", 1, &err), 0);
	assert_int_equal(sorter_add(s, "x", 1, &err), -1);
	assert_string_equal(err.message,
			    "cannot create a file for sorting in "
			    "'/nowhere/else': No such file or directory");
	sorter_free(s);
}

static void a_sorter_that_is_left_half_way_frees_what_it_holds(void **state)
{
	struct sorter *s = new_sorter(8);

	(void)state;
	for (int i = 0; i < 10; i++)
		add(s, "line\n", 5);
	sorter_free(s);
}

static void
a_folder_for_temporary_files_that_is_not_there_is_named(void **state)
{
	char *before = getenv("TMPDIR") ? strdup(getenv("TMPDIR")) : NULL;
	struct sorter *s = new_sorter(1);
	struct error err = ERROR_INIT;

	(void)state;
	setenv("TMPDIR", "/nowhere/at/all", 1);
	assert_int_equal(sorter_add(s, "x\n", 2, &err), -1);
	assert_int_equal(err.code, ERROR_FAILED);
	assert_string_equal(err.message,
			    "cannot create a file for sorting in "
			    "'/nowhere/at/all': No such file or directory");
	if (before)
		setenv("TMPDIR", before, 1);
	else
		unsetenv("TMPDIR");
	free(before);
	sorter_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_lines_give_no_lines),
		cmocka_unit_test(lines_are_sorted_by_bytes_and_not_as_text),
		cmocka_unit_test(a_line_comes_before_those_it_begins),
		cmocka_unit_test(equal_lines_all_come_back),
		cmocka_unit_test(lines_that_fit_into_memory_are_sorted),
		cmocka_unit_test(a_few_runs_are_merged),
		cmocka_unit_test(
			more_runs_than_can_be_merged_at_once_are_merged),
		cmocka_unit_test(lines_that_begin_alike_are_sorted),
		cmocka_unit_test(lines_in_order_stay_so),
		cmocka_unit_test(pairs_are_sorted_by_their_first_numbers),
		cmocka_unit_test(pairs_nearly_in_order_are_sorted),
		cmocka_unit_test(pairs_take_no_more_memory_than_allowed),
		cmocka_unit_test(no_pairs_give_no_pairs),
		cmocka_unit_test(a_folder_of_ones_own_is_used),
		cmocka_unit_test(
			a_sorter_that_is_left_half_way_frees_what_it_holds),
		cmocka_unit_test(
			a_folder_for_temporary_files_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
