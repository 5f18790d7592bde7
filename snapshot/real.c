/*
 * real.c - doubles as the shortest digits that read back to the same bits
 *
 * Three ways, the cheapest that fits: whole numbers below 2^53 are their
 * digits; numbers with few decimals are found by trying; all others go through
 * Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020).
 */
#include "snapshot/real.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/digits_internal.h"

#define FRACTION_BITS 52
#define HIDDEN_BIT    (UINT64_C(1) << FRACTION_BITS)
#define BIAS          1075 /* of the exponent, for a whole significand */
#define WHOLE_MAX     9007199254740992.0 /* 2^53 */

/* 2^52 / 10^6, rounded down */
#define MILLIONTHS_MAX 4503599627.0

/*
 * ---- powers of ten ----
 *
 * power[k - POWER_MIN] is 10^k, scaled to 2^127 <= x < 2^128 and rounded up
 * where it is not whole.  Computed once, exactly: multiplying and dividing a
 * long number by ten 617 times takes less than reading a table of them from
 * disk would, and cannot be mistyped.
 */
#define POWER_MIN (-292)
#define POWER_MAX 324
#define LIMBS     36 /* of 32 bits: room for 10^324, and 2^1151 / 10^292 */

struct wide {
	uint64_t high, low;
};

static struct wide power[POWER_MAX - POWER_MIN + 1];
static pthread_once_t power_once = PTHREAD_ONCE_INIT;

static int bit(const uint32_t *n, int at)
{
	return at >= 0 && n[at / 32] >> at % 32 & 1;
}

/* The highest 128 bits of `n`, and 1 added when `up` or others are set. */
static struct wide leading_bits(const uint32_t *n, int up)
{
	struct wide w = { 0, 0 };
	int top = LIMBS * 32 - 1, i;

	while (!bit(n, top))
		top--;
	for (i = 0; i < 64; i++) {
		w.high = w.high << 1 | (uint64_t)bit(n, top - i);
		w.low = w.low << 1 | (uint64_t)bit(n, top - 64 - i);
	}
	for (i = top - 128; i >= 0 && !up; i--)
		up = bit(n, i);
	w.low += (uint64_t)up;
	w.high += up && !w.low;
	return w;
}

static void times_ten(uint32_t *n)
{
	uint64_t carry = 0;
	int i;

	for (i = 0; i < LIMBS; i++) {
		carry += (uint64_t)n[i] * 10;
		n[i] = (uint32_t)carry;
		carry >>= 32;
	}
}

/* Rounds down.  Doing so again and again is as good as once at the end. */
static void by_ten(uint32_t *n)
{
	uint64_t rest = 0;
	int i;

	for (i = LIMBS - 1; i >= 0; i--) {
		rest = rest << 32 | n[i];
		n[i] = (uint32_t)(rest / 10);
		rest %= 10;
	}
}

static void compute_powers(void)
{
	uint32_t n[LIMBS] = { 1 };
	int k;

	for (k = 0; k <= POWER_MAX; k++) {
		power[k - POWER_MIN] = leading_bits(n, 0);
		times_ten(n);
	}
	memset(n, 0, sizeof(n));
	n[LIMBS - 1] = UINT32_C(1) << 31;
	for (k = -1; k >= POWER_MIN; k--) {
		by_ten(n);
		power[k - POWER_MIN] = leading_bits(n, 1);
	}
}

/* ---- Schubfach ---- */

/* floor(e * log10(2)), and of 3/4 * 2^e; exact for all exponents there are */
static int log10_of_power2(int e)
{
	return (e * 1262611) >> 22;
}

static int log10_of_three_quarters(int e)
{
	return (e * 1262611 - 524031) >> 22;
}

/* floor(k * log2(10)) */
static int log2_of_power10(int k)
{
	return (k * 1741647) >> 19;
}

/* g * x / 2^128, rounded to odd: the last bit says "and something". */
static uint64_t round_to_odd(struct wide g, uint64_t x)
{
	unsigned __int128 low = (unsigned __int128)g.low * x;
	unsigned __int128 high = (unsigned __int128)g.high * x + (low >> 64);

	return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/*
 * The digits of c * 2^q as a whole number, times 10^*exponent.  All is counted
 * in quarters of 10^k, with k so that one or two multiples of 10^k, and at
 * most one of 10^(k+1), lie where numbers are read back as this one.
 */
static uint64_t shortest(uint64_t c, int q, int closer, int *exponent)
{
	int k = closer ? log10_of_three_quarters(q) : log10_of_power2(q);
	int shift = q + log2_of_power10(-k) + 1, odd = (int)(c & 1);
	struct wide g = power[-k - POWER_MIN];
	uint64_t lower =
		round_to_odd(g, (4 * c - 2 + (uint64_t)closer) << shift);
	uint64_t value = round_to_odd(g, (4 * c) << shift);
	uint64_t upper = round_to_odd(g, (4 * c + 2) << shift);
	uint64_t down = value / 4, tens = down / 10;
	int below, above;

	/* The ends of the range count where the significand is even. */
	lower += (uint64_t)odd;
	upper -= (uint64_t)odd;
	*exponent = k + 1;
	if (tens) {
		below = lower <= 40 * tens;
		above = 40 * tens + 40 <= upper;
		if (below != above)
			return tens + (uint64_t)above;
	}
	*exponent = k;
	below = lower <= 4 * down;
	above = 4 * down + 4 <= upper;
	if (below != above)
		return down + (uint64_t)above;
	/* Both would do: the closer one, the even one when they tie. */
	if (value == 4 * down + 2)
		return down + (down & 1);
	return down + (value > 4 * down + 2);
}

/* ---- digits ---- */

/*
 * Write a number that six decimals tell exactly, as the time of day does in
 * microseconds; @return where it ends, or NULL when they don't.  Below 2^52
 * millionths doubles lie closer together than a millionth, so no two such
 * numbers read as one double, and what reads back is what the shortest digits
 * are.
 */
static char *few_decimals(char *out, double x)
{
	uint64_t millionths, decimals;

	if (x >= MILLIONTHS_MAX) {
		if (x >= WHOLE_MAX || x != (double)(uint64_t)x)
			return NULL;
		out = digits_put(out, (uint64_t)x);
		memcpy(out, ".0", 2);
		return out + 2;
	}
	millionths = (uint64_t)(x * 1e6 + 0.5);
	if ((double)millionths / 1e6 != x || (x < 1e-5 && millionths))
		return NULL;
	out = digits_put(out, millionths / 1000000);
	decimals = digits_eight(millionths % 1000000 * 100);
	*out++ = '.';
	digits_store(out, decimals);
	/* up to the last that is not 0, and one in any case */
	return out + 8 - __builtin_clzll(decimals | 1) / 8;
}

static uint64_t find_digits(double x, int *exponent)
{
	uint64_t bits, digits, fraction;
	int biased;

	pthread_once(&power_once, compute_powers);
	memcpy(&bits, &x, sizeof(bits));
	fraction = bits & (HIDDEN_BIT - 1);
	biased = (int)(bits >> FRACTION_BITS);
	if (biased)
		digits = shortest(fraction | HIDDEN_BIT, biased - BIAS,
				  !fraction && biased > 1, exponent);
	else
		digits = shortest(fraction, 1 - BIAS, 0, exponent);
	while (digits >= 10 && digits % 10 == 0) {
		digits /= 10;
		++*exponent;
	}
	return digits;
}

/* ---- layout ---- */

static size_t zeros(char *out, int count)
{
	memset(out, '0', (size_t)count);
	return (size_t)count;
}

/* Digits with the point behind the first `whole` of them. */
static size_t plain(char *out, const char *digits, int count, int whole)
{
	size_t used = 0;

	if (whole <= 0) {
		out[used++] = '0';
		out[used++] = '.';
		used += zeros(out + used, -whole);
		memcpy(out + used, digits, (size_t)count);
		return used + (size_t)count;
	}
	if (count <= whole) {
		memcpy(out, digits, (size_t)count);
		used = (size_t)count;
		used += zeros(out + used, whole - count);
		memcpy(out + used, ".0", 2);
		return used + 2;
	}
	memcpy(out, digits, (size_t)whole);
	out[whole] = '.';
	memcpy(out + whole + 1, digits + whole, (size_t)(count - whole));
	return (size_t)count + 1;
}

static size_t scientific(char *out, const char *digits, int count, int exponent)
{
	size_t used = 0;

	out[used++] = digits[0];
	if (count > 1) {
		out[used++] = '.';
		memcpy(out + used, digits + 1, (size_t)(count - 1));
		used += (size_t)(count - 1);
	}
	out[used++] = 'e';
	out[used++] = exponent < 0 ? '-' : '+';
	if (exponent < 0)
		exponent = -exponent;
	if (exponent >= 100)
		out[used++] = (char)('0' + exponent / 100);
	if (exponent >= 10)
		out[used++] = (char)('0' + exponent / 10 % 10);
	out[used++] = (char)('0' + exponent % 10);
	return used;
}

size_t real_format(char out[REAL_TEXT_SIZE], double value)
{
	char text[DIGITS_SIZE], *end;
	int sign = signbit(value) != 0, exponent, count, first;

	if (sign)
		*out++ = '-';
	value = fabs(value);
	end = few_decimals(out, value);
	if (end)
		return (size_t)sign + (size_t)(end - out);
	end = digits_put(text, find_digits(value, &exponent));
	count = (int)(end - text);
	first = exponent + count - 1;
	if (first >= -5 && first <= 15)
		return (size_t)sign + plain(out, text, count, first + 1);
	return (size_t)sign + scientific(out, text, count, first);
}

/* ---- reading ---- */

/* More digits than decide about any double; one more tells "and something" */
#define DIGITS_MAX   800
#define EXPONENT_MAX 100000

struct number {
	int negative;
	char digits[DIGITS_MAX + 16]; /* without leading zeros */
	size_t count;
	uint64_t small;   /* their value, of the first 19 */
	int64_t exponent; /* of the last digit kept */
	int more;         /* a digit that was not kept is no zero */
};

static int is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

/* Take digits; `down` is 1 behind the point. */
static const char *take_digits(struct number *n, const char *p, const char *end,
			       int down)
{
	for (; is_digit(p, end); p++) {
		n->exponent -= down;
		if (!n->count && *p == '0')
			continue;
		if (n->count == DIGITS_MAX) {
			n->more |= *p != '0';
			n->exponent++;
			continue;
		}
		if (n->count < 19)
			n->small = n->small * 10 + (uint64_t)(*p - '0');
		n->digits[n->count++] = *p;
	}
	return p;
}

static const char *take_exponent(struct number *n, const char *p,
				 const char *end)
{
	int64_t value = 0;
	int negative = 0;

	if (p < end && (*p == '+' || *p == '-'))
		negative = *p++ == '-';
	if (!is_digit(p, end))
		return NULL;
	for (; is_digit(p, end); p++)
		if (value < INT64_MAX / 100)
			value = value * 10 + (*p - '0');
	n->exponent += negative ? -value : value;
	return p;
}

/* @return 0 when all of it is a JSON number */
static int take_number(struct number *n, const char *p, const char *end)
{
	n->negative = p < end && *p == '-';
	p += n->negative;
	if (!is_digit(p, end) || (*p == '0' && is_digit(p + 1, end)))
		return -1;
	p = take_digits(n, p, end, 0);
	if (p < end && *p == '.') {
		if (!is_digit(++p, end))
			return -1;
		p = take_digits(n, p, end, 1);
	}
	if (p < end && (*p == 'e' || *p == 'E'))
		p = take_exponent(n, p + 1, end);
	return p == end ? 0 : -1;
}

/* Both numbers and the result's one rounding are exact (W. Clinger, 1990). */
static int convert_small(uint64_t small, int64_t exponent, double *out)
{
	static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,
				       1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
				       1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
				       1e18, 1e19, 1e20, 1e21, 1e22 };

	if (small > HIDDEN_BIT * 2 || exponent < -22 || exponent > 22)
		return -1;
	*out = (double)small;
	if (exponent < 0)
		*out /= tens[-exponent];
	else
		*out *= tens[exponent];
	return 0;
}

const char *real_parse_few(double *out, const char *p, const char *end)
{
	const char *first, *point;
	uint64_t small = 0;
	int negative = p < end && *p == '-';

	p += negative;
	for (first = p; is_digit(p, end); p++)
		small = small * 10 + (uint64_t)(*p - '0');
	if (p == first || p == end || *p != '.' ||
	    (*first == '0' && p - first > 1))
		return NULL;
	for (point = p++; is_digit(p, end); p++)
		small = small * 10 + (uint64_t)(*p - '0');
	/* 19 digits and the point have not wrapped around */
	if (p - point < 2 || p - first > 20 ||
	    convert_small(small, point + 1 - p, out) < 0)
		return NULL;
	if (negative)
		*out = -*out;
	return p;
}

/* Digits and exponent without a point read alike in every locale. */
static int convert_any(struct number *n, double *out)
{
	int64_t exponent = n->exponent;

	if (n->more) {
		n->digits[n->count++] = '1';
		exponent--;
	}
	if (exponent > EXPONENT_MAX)
		exponent = EXPONENT_MAX;
	if (exponent < -EXPONENT_MAX)
		exponent = -EXPONENT_MAX;
	snprintf(n->digits + n->count, sizeof(n->digits) - n->count, "e%d",
		 (int)exponent);
	*out = strtod(n->digits, NULL);
	return isfinite(*out) ? 0 : -1;
}

int real_parse(double *out, const char *text, size_t size)
{
	struct number n;

	if (real_parse_few(out, text, text + size) == text + size)
		return 0;
	n.count = 0;
	n.small = 0;
	n.exponent = 0;
	n.more = 0;
	if (take_number(&n, text, text + size) < 0)
		return -1;
	if (!n.count)
		*out = 0;
	else if ((n.count > 19 ||
		  convert_small(n.small, n.exponent, out) < 0) &&
		 convert_any(&n, out) < 0)
		return -1;
	if (n.negative)
		*out = -*out;
	return 0;
}
