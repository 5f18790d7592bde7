/*
 * test_real.c - shortest digits that read back to the same bits
 *
 * The oracle is the C library: strtod() reads what we write, and no "%.*e"
 * with fewer digits reads back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/real.h"

#define ROUNDS 300000

static uint64_t bits_of(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static double with_bits(uint64_t bits)
{
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static void format(char out[REAL_TEXT_SIZE + 1], double x)
{
	size_t size = real_format(out, x);

	assert_true(size > 0 && size <= REAL_TEXT_SIZE);
	out[size] = '\0';
}

static void writes(double x, const char *expected)
{
	char text[REAL_TEXT_SIZE + 1];
	double back;

	format(text, x);
	assert_string_equal(text, expected);
	assert_int_equal(real_parse(&back, text, strlen(text)), 0);
	assert_true(bits_of(back) == bits_of(x));
}

static void layout_follows_the_exponent(void **state)
{
	(void)state;
	writes(0.0, "0.0");
	writes(-0.0, "-0.0");
	writes(1, "1.0");
	writes(-1, "-1.0");
	writes(10, "10.0");
	writes(0.5, "0.5");
	writes(-12.25, "-12.25");
	writes(1e-5, "0.00001");
	writes(1.25e-5, "0.0000125");
	writes(9.999e-6, "9.999e-6");
	writes(1e-6, "1e-6");
	writes(1e15, "1000000000000000.0");
	writes(1234567890123456.0, "1234567890123456.0");
	writes(1e16, "1e+16");
	writes(1.5e16, "1.5e+16");
	writes(123456789012345680.0, "1.2345678901234568e+17");
	writes(1e100, "1e+100");
	writes(1e-100, "1e-100");
	writes(1e-10, "1e-10");
}

static void known_hard_values(void **state)
{
	(void)state;
	writes(5e-324, "5e-324");
	writes(-5e-324, "-5e-324");
	writes(1e-323, "1e-323");
	writes(2.2250738585072014e-308, "2.2250738585072014e-308");
	writes(2.225073858507201e-308, "2.225073858507201e-308");
	writes(1.7976931348623157e308, "1.7976931348623157e+308");
	writes(9007199254740991.0, "9007199254740991.0");
	writes(9007199254740992.0, "9007199254740992.0");
	writes(9007199254740994.0, "9007199254740994.0");
	writes(9007199254740993.0, "9007199254740992.0");
	writes(1e22, "1e+22");
	writes(1e23, "1e+23");
	writes(9.5e-3, "0.0095");
	writes(0.1, "0.1");
	writes(0.1 + 0.2, "0.30000000000000004");
	writes(1.0 / 3, "0.3333333333333333");
	writes(2.0 / 3, "0.6666666666666666");
	writes(100.0 / 3, "33.333333333333336");
	writes(4.35, "4.35");
	writes(123.456, "123.456");
	writes(999999999999.999, "999999999999.999");
	writes(1000000000000.001, "1000000000000.001");
	writes(0.001, "0.001");
	writes(0.0009999, "0.0009999");
	writes(9.109383632e-31, "9.109383632e-31");
	writes(4.891559871276714e20, "4.891559871276714e+20");
	writes(8.41e21, "8.41e+21");
	writes(2.0019531e-3, "0.0020019531");
	writes(2251799813685248.5, "2251799813685248.5");
	writes(4503599627370495.5, "4503599627370495.5");
	writes(1.8446744073709552e19, "1.8446744073709552e+19");
	writes(9.223372036854776e18, "9.223372036854776e+18");
}

/* Digits without zeros at either end, and the exponent of the first. */
static int significant(char out[REAL_TEXT_SIZE], const char *text,
		       int *exponent)
{
	int count = 0, point = 0, seen = 0, digits = 0;
	const char *p;

	*exponent = 0;
	for (p = text; *p && *p != 'e'; p++) {
		if (*p == '.')
			point = 1;
		if (*p < '0' || *p > '9')
			continue;
		if (!point && (digits || *p != '0'))
			digits++;
		if (point && !seen && !digits && *p == '0')
			--*exponent;
		if (seen || *p != '0') {
			seen = 1;
			out[count++] = *p;
		}
	}
	while (count && out[count - 1] == '0')
		count--;
	*exponent += digits - 1;
	if (*p == 'e')
		*exponent += (int)strtol(p + 1, NULL, 10);
	return count;
}

/* Of the texts with `count` digits, the one that is closest to the value. */
static int closest(char out[REAL_TEXT_SIZE], double x, int count, int *exponent)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*e", count - 1, fabs(x));
	if (strtod(text, NULL) != fabs(x))
		return 0;
	return significant(out, text, exponent);
}

static void check(double x, unsigned long long seed)
{
	char text[REAL_TEXT_SIZE + 1], ours[REAL_TEXT_SIZE],
		theirs[REAL_TEXT_SIZE];
	int exponent, their_exponent, count, their_count;
	double back;

	format(text, x);
	if (bits_of(strtod(text, NULL)) != bits_of(x))
		fail_msg("%a: '%s' reads back differently (seed %#llx)", x,
			 text, seed);
	if (real_parse(&back, text, strlen(text)) < 0 ||
	    bits_of(back) != bits_of(x))
		fail_msg("%a: we read '%s' as %a (seed %#llx)", x, text, back,
			 seed);
	if (x == 0)
		return;
	count = significant(ours, text, &exponent);
	if (count > 1 && closest(theirs, x, count - 1, &their_exponent))
		fail_msg("%a: '%s' is not the shortest (seed %#llx)", x, text,
			 seed);
	/* With 17 digits the C library's own are closest; with fewer, where
	 * the closest text reads back, it must be ours. */
	their_count = closest(theirs, x, count, &their_exponent);
	if (their_count &&
	    (their_count != count || their_exponent != exponent ||
	     memcmp(ours, theirs, (size_t)count) != 0))
		fail_msg("%a: '%s' is not the closest (seed %#llx)", x, text,
			 seed);
	if ((strchr(text, 'e') == NULL) != (exponent >= -5 && exponent <= 15))
		fail_msg("%a: '%s' has the wrong layout", x, text);
	if (!strchr(text, '.') && !strchr(text, 'e'))
		fail_msg("%a: '%s' looks like an integer", x, text);
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static uint64_t begin_random(void)
{
	const char *given = getenv("DBSTOW_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0)
			      : UINT64_C(0x9e3779b97f4a7c15);

	print_message("seed %#llx (DBSTOW_TEST_SEED sets it)\n",
		      (unsigned long long)seed);
	return seed ? seed : 1;
}

static void random_bit_patterns_read_back(void **state)
{
	uint64_t x = begin_random();
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		uint64_t seed = x;
		double d = with_bits(next_random(&x));

		if (isfinite(d))
			check(d, seed);
	}
}

static void powers_of_two_and_their_neighbours_read_back(void **state)
{
	int biased;

	(void)state;
	for (biased = 0; biased < 0x7ff; biased++) {
		uint64_t bits = (uint64_t)biased << 52;

		check(with_bits(bits), bits);
		check(with_bits(bits + 1), bits);
		check(with_bits(bits + 2), bits);
		if (bits)
			check(with_bits(bits - 1), bits);
		check(with_bits(bits + (UINT64_C(1) << 51)), bits);
		check(-with_bits(bits), bits);
	}
}

static void powers_of_ten_and_their_neighbours_read_back(void **state)
{
	char text[32];
	int e, mantissa;

	(void)state;
	for (e = -324; e <= 308; e++) {
		for (mantissa = 1; mantissa < 10; mantissa++) {
			double d;

			snprintf(text, sizeof(text), "%de%d", mantissa, e);
			d = strtod(text, NULL);
			if (d == 0 || !isfinite(d))
				continue;
			check(d, 0);
			check(with_bits(bits_of(d) - 1), 0);
			check(with_bits(bits_of(d) + 1), 0);
		}
	}
}

static void short_decimals_and_small_numbers_read_back(void **state)
{
	static const double scales[] = { 1,   10,  100,  1e3, 1e4,
					 1e5, 1e6, 1e10, 1e18 };
	uint64_t x = begin_random();
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		uint64_t seed = x, r = next_random(&x);
		int64_t whole = (int64_t)(r >> (r % 50 + 10));

		check((double)whole / scales[r % 9], seed);
	}
	for (i = 0; i < 5000; i++)
		check(with_bits((uint64_t)i), (unsigned long long)i);
}

/* Up to where doubles lie closer together than a millionth, and behind. */
static void millionths_and_their_neighbours_read_back(void **state)
{
	static const double wholes[] = { 0,          1,          9,
					 10,         99999999,   100000000,
					 999999999,  4503599626, 4503599627,
					 4503599628, 9007199254, 90071992547 };
	static const double decimals[] = { 0,        0.000001, 0.000009,
					   0.00001,  0.000011, 0.1,
					   0.25,     0.0009,   0.01234,
					   0.123456, 0.999999, 0.9999995 };
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++)
		for (j = 0; j < sizeof(decimals) / sizeof(decimals[0]); j++) {
			double x = wholes[i] + decimals[j];

			check(x, 0);
			check(-x, 0);
			check(nextafter(x, INFINITY), 0);
			check(nextafter(x, 0), 0);
		}
	writes(1690013523.7337, "1690013523.7337");
	writes(1690013523.733712, "1690013523.733712");
	writes(4503599626.999999, "4503599626.999999");
	writes(4503599627.999999, "4503599627.999999");
	writes(4503599627.0, "4503599627.0");
	writes(100000000.0, "100000000.0");
}

static void reads(const char *text, double expected)
{
	double x;

	if (real_parse(&x, text, strlen(text)) < 0)
		fail_msg("'%s' was refused", text);
	if (bits_of(x) != bits_of(expected))
		fail_msg("'%s' was read as %a, not %a", text, x, expected);
}

static void any_form_of_json_number_is_read(void **state)
{
	(void)state;
	reads("0", 0.0);
	reads("-0", -0.0);
	reads("-0.0e5", -0.0);
	reads("0.000", 0.0);
	reads("1", 1);
	reads("1E5", 1e5);
	reads("1e+05", 1e5);
	reads("1.50e-1", 0.15);
	reads("12345678901234567890", 12345678901234567890.0);
	reads("0.1000000000000000055511151231257827021181583404541015625", 0.1);
	/* 19 digits and 20; with 21, 2^66 would wrap around to 0 */
	reads("0.0000000000000012345", 1.2345e-15);
	reads("0.00000000000000012345", 1.2345e-16);
	reads("73786976294838206464.5", 73786976294838206464.0);
	reads("1e-400", 0.0);
	reads("-1e-99999999999999999999", -0.0);
	reads("0e99999999999999999999", 0.0);
	reads("179769313486231570000e288", 1.7976931348623157e308);
}

/* Halfway between two doubles the even one; a digit further decides. */
static void reading_rounds_correctly(void **state)
{
	(void)state;
	reads("9007199254740993", 9007199254740992.0);
	reads("9007199254740993.0000000000000000000000000001",
	      9007199254740994.0);
	reads("9007199254740995", 9007199254740996.0);
	reads("2.4703282292062327208e-324", 0.0);
	reads("2.4703282292062327209e-324", 5e-324);
	reads("2.2250738585072011e-308", 2.225073858507201e-308);
	reads("1.7976931348623158e308", 1.7976931348623157e308);
}

static void thousands_of_digits_are_read(void **state)
{
	const size_t room = 20000;
	char *text = malloc(room);
	double x;

	(void)state;
	assert_non_null(text);
	/* 2^53 + 1 and a bit, far behind: just above halfway */
	memset(text, '0', room);
	memcpy(text, "9007199254740993.", 17);
	assert_int_equal(real_parse(&x, text, room), 0);
	assert_true(x == 9007199254740992.0);
	text[room - 1] = '1';
	assert_int_equal(real_parse(&x, text, room), 0);
	assert_true(x == 9007199254740994.0);
	/* 10^9999 / 10^9999 */
	memset(text, '0', room);
	text[0] = '1';
	memcpy(text + 10000, "e-9999", 6);
	assert_int_equal(real_parse(&x, text, 10006), 0);
	assert_true(x == 1.0);
	/* 0.000...01 * 10^9999 */
	memset(text, '0', room);
	text[1] = '.';
	memcpy(text + 10000, "1e+9999", 7);
	assert_int_equal(real_parse(&x, text, 10007), 0);
	assert_true(x == 1.0);
	free(text);
}

static void refuses(const char *text)
{
	double x;

	if (!real_parse(&x, text, strlen(text)))
		fail_msg("'%s' was accepted", text);
}

static void what_is_no_json_number_is_refused(void **state)
{
	(void)state;
	refuses("");
	refuses("-");
	refuses("+1");
	refuses(".5");
	refuses("1.");
	refuses("1.e5");
	refuses("01");
	refuses("-01.5");
	refuses("00");
	refuses("1e");
	refuses("1e+");
	refuses("1.5.5");
	refuses("1e5e5");
	refuses("1e5.5");
	refuses(" 1");
	refuses("1 ");
	refuses("0x10");
	refuses("1,5");
	refuses("inf");
	refuses("nan");
	refuses("--1");
	refuses("1-");
}

static void what_is_not_finite_is_refused(void **state)
{
	(void)state;
	refuses("1e309");
	refuses("-1e309");
	refuses("1.7976931348623159e308");
	refuses("1e99999999999999999999");
}

static void text_ends_where_its_size_says(void **state)
{
	double x;

	(void)state;
	assert_int_equal(real_parse(&x, "1.55", 3), 0);
	assert_true(x == 1.5);
	assert_int_equal(real_parse(&x, "1.5", 2), -1);
}

static void few_is(const char *text, double expected, size_t used)
{
	const char *end = text + strlen(text), *stop;
	double x = 0;

	stop = real_parse_few(&x, text, end);
	if (stop != text + used || bits_of(x) != bits_of(expected))
		fail_msg("'%s': %a", text, x);
}

static void few_refuses(const char *text)
{
	double x;

	if (real_parse_few(&x, text, text + strlen(text)))
		fail_msg("'%s' was read", text);
}

static void short_numbers_are_read_up_to_their_end(void **state)
{
	(void)state;
	few_is("12.5", 12.5, 4);
	few_is("-0.0,", -0.0, 4);
	few_is("0.25}", 0.25, 4);
	few_is("1.5e3", 1.5, 3);
	few_is("1.5.5", 1.5, 3);
	few_is("-9007199254740.992", -9007199254740.992, 18);
	few_refuses("");
	few_refuses("-");
	few_refuses("1");
	few_refuses("1.");
	few_refuses(".5");
	few_refuses("01.5");
	few_refuses("1e5");
	few_refuses("900719925474099.3");
}

static void locale_changes_nothing(void **state)
{
	char text[REAL_TEXT_SIZE + 1];

	(void)state;
	if (!setlocale(LC_ALL, "de_DE.UTF-8"))
		print_message("no de_DE locale here\n");
	format(text, 0.30000000000000004);
	assert_string_equal(text, "0.30000000000000004");
	reads("0.30000000000000004", 0.30000000000000004);
	setlocale(LC_ALL, "C");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_follows_the_exponent),
		cmocka_unit_test(known_hard_values),
		cmocka_unit_test(random_bit_patterns_read_back),
		cmocka_unit_test(powers_of_two_and_their_neighbours_read_back),
		cmocka_unit_test(powers_of_ten_and_their_neighbours_read_back),
		cmocka_unit_test(short_decimals_and_small_numbers_read_back),
		cmocka_unit_test(millionths_and_their_neighbours_read_back),
		cmocka_unit_test(any_form_of_json_number_is_read),
		cmocka_unit_test(reading_rounds_correctly),
		cmocka_unit_test(thousands_of_digits_are_read),
		cmocka_unit_test(what_is_no_json_number_is_refused),
		cmocka_unit_test(what_is_not_finite_is_refused),
		cmocka_unit_test(text_ends_where_its_size_says),
		cmocka_unit_test(short_numbers_are_read_up_to_their_end),
		cmocka_unit_test(locale_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
