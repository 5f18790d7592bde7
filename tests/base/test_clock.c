/*
 * test_clock.c - the present time and how times are written
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static void source_date_epoch_is_the_present(void **state)
{
	(void)state;
	setenv("SOURCE_DATE_EPOCH", "1763603722", 1);
	assert_int_equal(clock_now(), 1763603722);
	setenv("SOURCE_DATE_EPOCH", "0", 1);
	assert_int_equal(clock_now(), 0);
	unsetenv("SOURCE_DATE_EPOCH");
}

static void real_time(const char *epoch)
{
	time_t before = time(NULL);
	int64_t now;

	if (epoch)
		setenv("SOURCE_DATE_EPOCH", epoch, 1);
	now = clock_now();
	assert_true(now >= before - 1 && now <= before + 3600);
	unsetenv("SOURCE_DATE_EPOCH");
}

static void no_number_in_the_environment_is_no_time(void **state)
{
	(void)state;
	real_time(NULL);
	real_time("");
	real_time("yesterday");
	real_time("12x");
	real_time(" 12");
	real_time("-12");
	real_time("99999999999999999999999");
}

static void times_are_written_in_utc(void **state)
{
	char out[CLOCK_TEXT_SIZE];

	(void)state;
	clock_iso(out, 1763606122);
	assert_string_equal(out, "2025-11-20T02:35:22Z");
	clock_text(out, 1763606122);
	assert_string_equal(out, "2025-11-20 02:35:22Z");
	clock_iso(out, 0);
	assert_string_equal(out, "1970-01-01T00:00:00Z");
	clock_text(out, -1);
	assert_string_equal(out, "1969-12-31 23:59:59Z");
}

static void time_beyond_the_calendar_is_a_number(void **state)
{
	char out[CLOCK_TEXT_SIZE];

	(void)state;
	clock_iso(out, INT64_MAX);
	assert_string_equal(out, "@9223372036854775807");
	clock_text(out, INT64_MIN);
	assert_string_equal(out, "@-9223372036854775808");
}

static void age_is(int64_t age_s, const char *expected)
{
	char out[CLOCK_TEXT_SIZE];

	clock_age(out, age_s);
	assert_string_equal(out, expected);
}

static void ages_are_told_in_the_unit_that_fits(void **state)
{
	(void)state;
	age_is(0, "0 s");
	age_is(59, "59 s");
	age_is(60, "1 min");
	age_is(3599, "59 min");
	age_is(3600, "1 h");
	age_is(48 * 3600 - 1, "47 h");
	age_is(48 * 3600, "2 days");
	age_is(9 * 86400 + 5, "9 days");
	age_is(-3 * 3600, "in 3 h");
	age_is(-5, "in 5 s");
	age_is(INT64_MIN, "in 106751991167300 days");
	age_is(INT64_MAX, "106751991167300 days");
}

static void reads(const char *text, int64_t expected)
{
	int64_t when;

	if (clock_parse(&when, text) < 0)
		fail_msg("'%s' was refused", text);
	assert_int_equal(when, expected);
}

static void dates_and_times_are_read(void **state)
{
	(void)state;
	reads("2025-11-20", 1763596800);
	reads("2025-11-20T02:35", 1763606100);
	reads("2025-11-20T02:35:22", 1763606122);
	reads("2025-11-20 02:35:22Z", 1763606122);
	reads("2025-11-20T02:35Z", 1763606100);
	reads("2025-11-20T03:35:22+01:00", 1763606122);
	reads("2025-11-19 21:05:22-05:30", 1763606122);
	reads("2024-02-29", 1709164800);
	reads("2000-02-29", 951782400);
	reads("1969-12-31T23:59:59", -1);
}

static void refused(const char *text)
{
	int64_t when;

	if (!clock_parse(&when, text))
		fail_msg("'%s' was accepted", text);
}

static void what_is_no_time_is_refused(void **state)
{
	(void)state;
	refused("");
	refused("2025");
	refused("2025-11");
	refused("2025-13-01");
	refused("2025-00-01");
	refused("2025-11-31");
	refused("2025-11-00");
	refused("2025-02-29");
	refused("1900-02-29");
	refused("2025-1-20");
	refused("2025-11-20x");
	refused("2025-11-20T");
	refused("2025-11-20T2:35");
	refused("2025-11-20T24:00");
	refused("2025-11-20T02:60");
	refused("2025-11-20T02:35:60");
	refused("2025-11-20T02:35:");
	refused("2025-11-20T02:35:22.5");
	refused("2025-11-20T02:35:22z");
	refused("2025-11-20T02:35+1:00");
	refused("2025-11-20T02:35+0100");
	refused("2025-11-20T02:35+24:00");
	refused("2025-11-20T02:35+01:60");
	refused("2025-11-20T02:35Z ");
	refused("2025-11-20Z");
	refused("-025-11-20");
	refused("latest");
}

static void lengths_of_time_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} spans[] = { { "26", 93600 },
		      { "26h", 93600 },
		      { "90min", 5400 },
		      { "90m", 5400 },
		      { "45s", 45 },
		      { "8d", 691200 },
		      { "2w", 1209600 },
		      { "0", 0 },
		      { "36600d", INT64_C(3162240000) } };
	static const char *const none[] = { "",    "h",
					    "-1h", "1.5h",
					    "1 h", "36601d",
					    "1H",  "99999999999999999999" };
	int64_t seconds;

	(void)state;
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		assert_int_equal(clock_parse_span(&seconds, spans[i].text), 0);
		assert_int_equal(seconds, spans[i].seconds);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(clock_parse_span(&seconds, none[i]), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(source_date_epoch_is_the_present),
		cmocka_unit_test(no_number_in_the_environment_is_no_time),
		cmocka_unit_test(times_are_written_in_utc),
		cmocka_unit_test(time_beyond_the_calendar_is_a_number),
		cmocka_unit_test(ages_are_told_in_the_unit_that_fits),
		cmocka_unit_test(dates_and_times_are_read),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(lengths_of_time_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
