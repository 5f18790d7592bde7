/*
 * digits_internal.h - whole numbers as decimal digits, eight at a time
 *
 * Numbers of a column have few or many digits as it happens, so nothing here
 * loops or branches on how many: eight digits are made of any number, and those
 * that are not wanted are overwritten by what follows.
 */
#ifndef SNAPSHOT_DIGITS_INTERNAL_H
#define SNAPSHOT_DIGITS_INTERNAL_H

#include <stdint.h>
#include <string.h>

/** The most digits of a 64-bit number, and the most bytes that are written. */
#define DIGITS_SIZE 20

#define DIGITS_8 UINT64_C(100000000)

/**
 * The eight digits of a number below 10^8 as bytes 0 to 9, the first one
 * lowest.  The number is halved into lanes of four, two, one digits; a lane is
 * divided by 100 or 10 by multiplying with a fraction that is a little above,
 * which is exact for what fits the lane.
 */
static inline uint64_t digits_eight(uint64_t x)
{
	uint64_t lanes = x / 10000 | x % 10000 << 32, high;

	high = lanes * 10486 >> 20 & UINT64_C(0x0000007f0000007f);
	lanes = high | (lanes - high * 100) << 16;
	high = lanes * 103 >> 10 & UINT64_C(0x000f000f000f000f);
	return high | (lanes - high * 10) << 8;
}

/** Write eight bytes: what digits_eight() gave, as text. */
static inline void digits_store(char *to, uint64_t eight)
{
	eight |= UINT64_C(0x3030303030303030);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	eight = __builtin_bswap64(eight);
#endif
	memcpy(to, &eight, sizeof(eight));
}

/* A number below 10^8 without leading zeros. */
static inline char *digits_lead(char *to, uint64_t x)
{
	uint64_t eight = digits_eight(x);
	/* the bit is the last digit's, which stands also where it is 0 */
	int zeros = __builtin_ctzll(eight | UINT64_C(1) << 56) / 8;

	digits_store(to, eight >> 8 * zeros);
	return to + 8 - zeros;
}

static inline char *digits_follow(char *to, uint64_t x)
{
	digits_store(to, digits_eight(x));
	return to + 8;
}

/** Write a number's digits, no NUL; @return where they end.  The bytes behind,
 *  up to DIGITS_SIZE of all, may be written too. */
static inline char *digits_put(char *to, uint64_t x)
{
	if (x < DIGITS_8)
		return digits_lead(to, x);
	if (x < DIGITS_8 * DIGITS_8) {
		to = digits_lead(to, x / DIGITS_8);
	} else {
		to = digits_lead(to, x / DIGITS_8 / DIGITS_8);
		to = digits_follow(to, x / DIGITS_8 % DIGITS_8);
	}
	return digits_follow(to, x % DIGITS_8);
}

#endif /* SNAPSHOT_DIGITS_INTERNAL_H */
