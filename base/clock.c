/*
 * clock.c - the present time and how times are written
 */
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t clock_now(void)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	struct timespec now;
	char *end;

	if (epoch && *epoch >= '0' && *epoch <= '9') {
		long long fixed;

		errno = 0;
		fixed = strtoll(epoch, &end, 10);
		if (!*end && !errno)
			return fixed;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

static int broken_down(struct tm *tm, int64_t when_s)
{
	time_t when = (time_t)when_s;

	return gmtime_r(&when, tm) != NULL;
}

/* Beyond the year 2^31 there is no calendar: the number must do. */
static void write_number(char out[CLOCK_TEXT_SIZE], int64_t when_s)
{
	snprintf(out, CLOCK_TEXT_SIZE, "@%" PRId64, when_s);
}

void clock_iso(char out[CLOCK_TEXT_SIZE], int64_t when_s)
{
	struct tm tm;

	if (!broken_down(&tm, when_s) ||
	    !strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		write_number(out, when_s);
}

void clock_text(char out[CLOCK_TEXT_SIZE], int64_t when_s)
{
	struct tm tm;

	if (!broken_down(&tm, when_s) ||
	    !strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%d %H:%M:%SZ", &tm))
		write_number(out, when_s);
}

void clock_age(char out[CLOCK_TEXT_SIZE], int64_t age_s)
{
	const char *in = age_s < 0 ? "in " : "", *unit;
	uint64_t age = age_s < 0 ? 0 - (uint64_t)age_s : (uint64_t)age_s;

	if (age < 60) {
		unit = "s";
	} else if (age < 3600) {
		age /= 60;
		unit = "min";
	} else if (age < 48 * 3600) {
		age /= 3600;
		unit = "h";
	} else {
		age /= 86400;
		unit = "days";
	}
	snprintf(out, CLOCK_TEXT_SIZE, "%s%" PRIu64 " %s", in, age, unit);
}

/* Read exactly `digits` digits, and `then` behind them unless it is 0. */
static int number(const char **text, int digits, char then, int *out)
{
	const char *p = *text;

	*out = 0;
	for (; digits > 0; digits--, p++) {
		if (*p < '0' || *p > '9')
			return -1;
		*out = *out * 10 + (*p - '0');
	}
	if (then && *p++ != then)
		return -1;
	*text = p;
	return 0;
}

static int read_date(const char **p, struct tm *tm)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31 };
	int year, month, day, leap;

	if (number(p, 4, '-', &year) < 0 || number(p, 2, '-', &month) < 0 ||
	    number(p, 2, 0, &day) < 0 || month < 1 || month > 12)
		return -1;
	leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	if (day < 1 || day > days[month - 1] + (month == 2 && leap))
		return -1;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return 0;
}

static int read_time(const char **p, struct tm *tm)
{
	if (number(p, 2, ':', &tm->tm_hour) < 0 ||
	    number(p, 2, 0, &tm->tm_min) < 0)
		return -1;
	if (**p == ':') {
		(*p)++;
		if (number(p, 2, 0, &tm->tm_sec) < 0)
			return -1;
	}
	if (tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 59)
		return -1;
	return 0;
}

static int read_offset(const char **p, int *offset_s)
{
	int sign = **p == '-' ? -1 : 1, hours, minutes;

	if (**p == 'Z') {
		(*p)++;
		return 0;
	}
	if (**p != '+' && **p != '-')
		return 0;
	(*p)++;
	if (number(p, 2, ':', &hours) < 0 || number(p, 2, 0, &minutes) < 0 ||
	    hours > 23 || minutes > 59)
		return -1;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return 0;
}

int clock_parse(int64_t *out, const char *text)
{
	const char *p = text;
	struct tm tm;
	int offset_s = 0;

	memset(&tm, 0, sizeof(tm));
	if (read_date(&p, &tm) < 0)
		return -1;
	if (*p == 'T' || *p == ' ') {
		p++;
		if (read_time(&p, &tm) < 0 || read_offset(&p, &offset_s) < 0)
			return -1;
	}
	if (*p)
		return -1;
	*out = (int64_t)timegm(&tm) - offset_s;
	return 0;
}

int clock_parse_span(int64_t *out_s, const char *text)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = { { "", 3600 },  { "s", 1 },     { "min", 60 },
		      { "h", 3600 }, { "d", 86400 }, { "w", 7 * 86400 },
		      { "m", 60 } };
	const int64_t most = INT64_C(100) * 366 * 86400;
	int64_t n = 0;

	if (*text < '0' || *text > '9')
		return -1;
	for (; *text >= '0' && *text <= '9'; text++) {
		n = n * 10 + (*text - '0');
		if (n > most)
			return -1;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text, units[i].name))
			continue;
		*out_s = n * units[i].seconds;
		return *out_s <= most ? 0 : -1;
	}
	return -1;
}
