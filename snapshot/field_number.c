/*
 * field_number.c - integers and decimals
 */
#include "snapshot/field_internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "snapshot/real.h"

/* An exponent beyond is none that a double has. */
#define EXPONENT_MAX 400

int integer_parse(int64_t *out, const char *text, size_t size)
{
	int negative = size && *text == '-';
	size_t i = (size_t)negative;

	*out = 0;
	if (i == size)
		return 1;
	for (size_t j = i; j < size; j++)
		if (text[j] < '0' || text[j] > '9')
			return 1;
	/* downwards, where there is one more */
	for (; i < size; i++)
		if (__builtin_mul_overflow(*out, 10, out) ||
		    __builtin_sub_overflow(*out, text[i] - '0', out))
			return 2;
	if (!negative && __builtin_sub_overflow(0, *out, out))
		return 2;
	return 0;
}

/* A number as its digits, none of them a 0 in front or behind, and the
 * exponent of the last: 10.50 is 105 and -1. */
struct digits {
	char text[64];
	size_t size;
	int more; /* further digits that are not 0 did not fit */
	int exponent;
	int negative;
};

static const char *read_exponent(const char *p, const char *end, int *out)
{
	int negative = 0, exponent = 0;
	const char *first;

	if (p < end && (*p == '+' || *p == '-'))
		negative = *p++ == '-';
	for (first = p; p < end && *p >= '0' && *p <= '9'; p++)
		if (exponent < EXPONENT_MAX * 10)
			exponent = exponent * 10 + (*p - '0');
	*out = negative ? -exponent : exponent;
	return p > first ? p : NULL;
}

static void keep_digit(struct digits *d, char digit)
{
	if (d->size < sizeof(d->text)) {
		if (d->size || digit != '0')
			d->text[d->size++] = digit;
	} else {
		d->more |= digit != '0';
		d->exponent++;
	}
}

/* @return 0, or -1: it is no number */
static int read_digits(struct digits *d, const char *p, const char *end)
{
	int seen = 0, point = 0, exponent = 0;

	memset(d, 0, sizeof(*d));
	d->negative = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end; p++) {
		if (*p == '.' && !point) {
			point = 1;
			continue;
		}
		if (*p < '0' || *p > '9')
			break;
		seen = 1;
		keep_digit(d, *p);
		if (point && d->exponent > -EXPONENT_MAX * 10)
			d->exponent--;
	}
	if (!seen)
		return -1;
	if (p < end && (*p == 'e' || *p == 'E'))
		p = read_exponent(p + 1, end, &exponent);
	d->exponent += exponent;
	while (d->size && d->text[d->size - 1] == '0') {
		d->size--;
		d->exponent++;
	}
	return p == end ? 0 : -1;
}

static int same_digits(const struct digits *a, const struct digits *b)
{
	return a->size == b->size && !memcmp(a->text, b->text, a->size) &&
	       a->negative == b->negative && a->exponent == b->exponent;
}

/* A whole number that has room in 64 bits. */
static int whole(const struct digits *d, int64_t *out)
{
	char text[32];
	size_t size = 0;

	if (d->exponent < 0 || d->size + (size_t)d->exponent > 19)
		return 0;
	if (d->negative)
		text[size++] = '-';
	memcpy(text + size, d->text, d->size);
	size += d->size;
	memset(text + size, '0', (size_t)d->exponent);
	size += (size_t)d->exponent;
	return integer_parse(out, text, size) == 0;
}

int decimal_parse(struct value *out, const char *text, size_t size)
{
	char written[REAL_TEXT_SIZE], shortest[96];
	struct digits d, back;
	int used;

	if (read_digits(&d, text, text + size) < 0)
		return 1;
	out->class = VALUE_INTEGER;
	out->integer = 0;
	if (!d.size)
		return 0;
	if (d.more || d.exponent > EXPONENT_MAX || d.exponent < -EXPONENT_MAX)
		return 2;
	if (whole(&d, &out->integer))
		return 0;
	out->class = VALUE_REAL;
	used = snprintf(shortest, sizeof(shortest), "%s%.*se%d",
			d.negative ? "-" : "", (int)d.size, d.text, d.exponent);
	if (real_parse(&out->real, shortest, (size_t)used) < 0)
		return 2;
	/* 15 digits always come back, and more where they are those that the
	 * double is written with */
	used = (int)real_format(written, out->real);
	if (read_digits(&back, written, written + used) < 0)
		return 2;
	return same_digits(&d, &back) ? 0 : 2;
}
