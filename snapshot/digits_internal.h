/*
 * digits_internal.h - whole numbers as decimal digits, two at a time
 */
#ifndef SNAPSHOT_DIGITS_INTERNAL_H
#define SNAPSHOT_DIGITS_INTERNAL_H

#include <stdint.h>
#include <string.h>

/** The most digits of a 64-bit number. */
#define DIGITS_SIZE 20

static inline void digits_pair(char *to, unsigned int x)
{
	static const char pairs[] =
		"00010203040506070809101112131415161718192021222324"
		"25262728293031323334353637383940414243444546474849"
		"50515253545556575859606162636465666768697071727374"
		"75767778798081828384858687888990919293949596979899";

	memcpy(to, pairs + (size_t)2 * x, 2);
}

/** Write a number's digits, no NUL; @return where they end. */
static inline char *digits_put(char *to, uint64_t x)
{
	char room[DIGITS_SIZE], *p = room + sizeof(room);
	size_t size;

	for (; x >= 100; x /= 100) {
		p -= 2;
		digits_pair(p, (unsigned int)(x % 100));
	}
	if (x >= 10) {
		p -= 2;
		digits_pair(p, (unsigned int)x);
	} else {
		*--p = (char)('0' + x);
	}
	size = (size_t)(room + sizeof(room) - p);
	memcpy(to, p, size);
	return to + size;
}

#endif /* SNAPSHOT_DIGITS_INTERNAL_H */
