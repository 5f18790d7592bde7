/*
 * field_time.c - dates, times and durations as Django reads and writes them
 *
 * Read as django.utils.dateparse does, but that a digit which would be lost is
 * an error.
 */
#include "snapshot/field_internal.h"

#include <string.h>

#include "base/buffer.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* Days that the year 1 begins before 1970, and those that 9999 ends after. */
#define DAYS_MIN INT64_C(-719162)
#define DAYS_MAX INT64_C(2932896)

/* What is left of a text. */
struct rest {
	const char *p, *end;
};

static int take(struct rest *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return 0;
	r->p++;
	return 1;
}

static int is_digit(const struct rest *r)
{
	return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

/* @return 0, or -1 without `min` digits */
static int take_number(struct rest *r, int min, int max, int64_t *out)
{
	int count = 0;

	for (*out = 0; count < max && is_digit(r); count++)
		*out = *out * 10 + (*r->p++ - '0');
	return count < min ? -1 : 0;
}

/* What stands behind a point or comma; digits beyond six must be 0. */
static int take_fraction(struct rest *r, int64_t *out)
{
	int64_t unit = SECOND;

	if (!take(r, '.') && !take(r, ','))
		return 0;
	if (!is_digit(r))
		return -1;
	for (; is_digit(r); r->p++) {
		int digit = *r->p - '0';

		unit /= 10;
		if (!unit && digit)
			return -1;
		*out += digit * unit;
	}
	return 0;
}

/* ---- dates ---- */

static int is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t month_days(int64_t year, int64_t month)
{
	static const char days[] = { 31, 28, 31, 30, 31, 30,
				     31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 0000-03-01 to the first of March of a year. */
static int64_t years_days(int64_t year)
{
	return year * 365 + year / 4 - year / 100 + year / 400;
}

/* Years are counted from March on, so that the day that comes and goes is the
 * last one. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t from_march = (month + 9) % 12;

	if (month < 3)
		year--;
	return years_days(year) + (from_march * 153 + 2) / 5 + day - 1 - 719468;
}

static int take_date(struct rest *r, int64_t *days)
{
	int64_t year, month, day;

	if (take_number(r, 4, 4, &year) < 0 || !take(r, '-') ||
	    take_number(r, 1, 2, &month) < 0 || !take(r, '-') ||
	    take_number(r, 1, 2, &day) < 0)
		return -1;
	if (year < 1 || month < 1 || month > 12 || day < 1 ||
	    day > month_days(year, month))
		return -1;
	*days = days_of(year, month, day);
	return 0;
}

int date_parse(int64_t *out, const char *text, size_t size)
{
	struct rest r = { text, text + size };

	return take_date(&r, out) < 0 || r.p != r.end ? -1 : 0;
}

void date_put(struct buffer *out, int64_t days)
{
	int64_t left = days + 719468, year, month;

	/* too late by a year at most */
	year = left * 400 / 146097 + 1;
	while (years_days(year) > left)
		year--;
	left -= years_days(year);
	month = (left * 5 + 2) / 153;
	left -= (month * 153 + 2) / 5;
	month = month < 10 ? month + 3 : month - 9;
	buffer_printf(out, "%04d-%02d-%02d", (int)(year + (month < 3)),
		      (int)month, (int)left + 1);
}

/* ---- times of day ---- */

static int take_clock(struct rest *r, int64_t *out)
{
	int64_t hour, minute, second = 0, fraction = 0;

	if (take_number(r, 1, 2, &hour) < 0 || !take(r, ':') ||
	    take_number(r, 1, 2, &minute) < 0)
		return -1;
	if (take(r, ':') && (take_number(r, 1, 2, &second) < 0 ||
			     take_fraction(r, &fraction) < 0))
		return -1;
	if (hour > 23 || minute > 59 || second > 59)
		return -1;
	*out = hour * HOUR + minute * MINUTE + second * SECOND + fraction;
	return 0;
}

int clock_parse_day(int64_t *out, const char *text, size_t size)
{
	struct rest r = { text, text + size };

	return take_clock(&r, out) < 0 || r.p != r.end ? -1 : 0;
}

static void put_fraction(struct buffer *out, int64_t fraction, int stored)
{
	if (!fraction)
		return;
	if (stored || fraction % 1000)
		buffer_printf(out, ".%06d", (int)fraction);
	else
		buffer_printf(out, ".%03d", (int)(fraction / 1000));
}

void clock_put(struct buffer *out, int64_t clock, int stored)
{
	buffer_printf(out, "%02d:%02d:%02d", (int)(clock / HOUR),
		      (int)(clock / MINUTE % 60), (int)(clock / SECOND % 60));
	put_fraction(out, clock % SECOND, stored);
}

/* ---- both ---- */

/* "Z", "+02", "+0200", "+02:00"; without one it is taken as it is. */
static int take_offset(struct rest *r, int64_t *out)
{
	int64_t hours, minutes = 0;
	int negative = r->p < r->end && *r->p == '-';

	*out = 0;
	if (take(r, 'Z') || take(r, 'z') || r->p == r->end)
		return 0;
	if (!take(r, '+') && !take(r, '-'))
		return -1;
	if (take_number(r, 2, 2, &hours) < 0)
		return -1;
	if ((take(r, ':') || is_digit(r)) && take_number(r, 2, 2, &minutes) < 0)
		return -1;
	if (hours > 23 || minutes > 59)
		return -1;
	*out = hours * HOUR + minutes * MINUTE;
	if (negative)
		*out = -*out;
	return 0;
}

int moment_parse(int64_t *out, const char *text, size_t size)
{
	struct rest r = { text, text + size };
	int64_t days, clock, offset;

	if (take_date(&r, &days) < 0 || (!take(&r, 'T') && !take(&r, ' ')) ||
	    take_clock(&r, &clock) < 0 || take_offset(&r, &offset) < 0 ||
	    r.p != r.end)
		return -1;
	*out = days * DAY + clock - offset;
	return *out < DAYS_MIN * DAY || *out >= (DAYS_MAX + 1) * DAY ? -1 : 0;
}

void moment_put(struct buffer *out, int64_t moment, char between)
{
	int64_t days = moment / DAY - (moment % DAY < 0);

	date_put(out, days);
	buffer_byte(out, between);
	clock_put(out, moment - days * DAY, between == ' ');
}

/* ---- durations ---- */

#define DIGITS_MAX 18

/* @return 0, or -1: it is longer than can be told */
static int add_units(int64_t *sum, int64_t number, int64_t unit)
{
	int64_t product;

	return __builtin_mul_overflow(number, unit, &product) ||
			       __builtin_add_overflow(*sum, product, sum)
		       ? -1
		       : 0;
}

/* "[-]H:MM:SS[.f]" */
static int take_hours(struct rest *r, int64_t *out)
{
	int64_t hours, minutes, seconds, sum = 0;
	int negative = take(r, '-');

	if (take_number(r, 1, DIGITS_MAX, &hours) < 0 || !take(r, ':') ||
	    take_number(r, 1, 2, &minutes) < 0 || !take(r, ':') ||
	    take_number(r, 1, 2, &seconds) < 0 || take_fraction(r, &sum) < 0 ||
	    add_units(&sum, hours, HOUR) < 0 ||
	    add_units(&sum, minutes, MINUTE) < 0 ||
	    add_units(&sum, seconds, SECOND) < 0)
		return -1;
	return add_units(out, sum, negative ? -1 : 1);
}

/* "[-]D day[s][, ]", or without a word */
static int take_days(struct rest *r, int64_t *out)
{
	int negative = take(r, '-');
	int64_t days;

	if (take_number(r, 1, DIGITS_MAX, &days) < 0 || !take(r, ' '))
		return -1;
	if (r->end - r->p > 3 && !memcmp(r->p, "day", 3)) {
		r->p += 3;
		(void)take(r, 's');
		(void)take(r, ',');
		if (!take(r, ' '))
			return -1;
	}
	return add_units(out, negative ? -days : days, DAY);
}

static int take_plain(struct rest *r, int64_t *out)
{
	if (memchr(r->p, ' ', (size_t)(r->end - r->p)) && take_days(r, out) < 0)
		return -1;
	return take_hours(r, out);
}

/* "1DT2H3M4.5S" */
static int take_iso(struct rest *r, int64_t *out)
{
	static const char letters[] = "DHMS";
	static const int64_t units[] = { DAY, HOUR, MINUTE, SECOND };
	size_t first = 0, end = 1; /* of the letters that may stand here */

	do {
		int64_t number, fraction = 0;
		const char *letter;

		if (end == 1 && take(r, 'T')) {
			first = 1;
			end = 4;
		}
		if (take_number(r, 1, DIGITS_MAX, &number) < 0 ||
		    take_fraction(r, &fraction) < 0 || r->p == r->end)
			return -1;
		letter = memchr(letters + first, *r->p++, end - first);
		if (!letter || (fraction && *letter != 'S') ||
		    add_units(out, number, units[letter - letters]) < 0 ||
		    add_units(out, fraction, 1) < 0)
			return -1;
		first = (size_t)(letter - letters) + 1;
	} while (r->p < r->end);
	return 0;
}

int duration_parse(int64_t *out, const char *text, size_t size)
{
	struct rest r = { text, text + size };
	int64_t sum = 0;
	int rc, negative = size > 1 && *text == '-' && text[1] == 'P';

	if (negative)
		r.p++;
	rc = take(&r, 'P') ? take_iso(&r, &sum) : take_plain(&r, &sum);
	if (rc < 0 || r.p != r.end)
		return -1;
	*out = negative ? -sum : sum; /* sums up to at least INT64_MIN + 1 */
	return 0;
}

void duration_put(struct buffer *out, int64_t duration)
{
	int64_t days = duration / DAY - (duration % DAY < 0);

	if (days)
		buffer_printf(out, "%lld ", (long long)days);
	clock_put(out, duration - days * DAY, 1);
}
