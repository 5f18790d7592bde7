/*
 * scan_internal.h - looking at eight bytes of text at once
 *
 * Each test tells whether any of the eight bytes is of a kind.  Which one is
 * found by looking again, so the order of bytes in a word does not matter.
 */
#ifndef SNAPSHOT_SCAN_INTERNAL_H
#define SNAPSHOT_SCAN_INTERNAL_H

#include <stdint.h>
#include <string.h>

#define SCAN_ONES UINT64_C(0x0101010101010101)
#define SCAN_TOPS UINT64_C(0x8080808080808080)

static inline uint64_t scan_load(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/** Not 0 when a byte is below `n` (at most 128). */
static inline uint64_t scan_below(uint64_t w, unsigned char n)
{
	return (w - SCAN_ONES * n) & ~w & SCAN_TOPS;
}

/** Not 0 when a byte is `c`. */
static inline uint64_t scan_equal(uint64_t w, unsigned char c)
{
	return scan_below(w ^ (SCAN_ONES * c), 1);
}

/** Not 0 when a byte is no ASCII. */
static inline uint64_t scan_high(uint64_t w)
{
	return w & SCAN_TOPS;
}

#endif /* SNAPSHOT_SCAN_INTERNAL_H */
