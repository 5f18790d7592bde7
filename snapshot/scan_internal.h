/*
 * scan_internal.h - looking at many bytes of text at once
 *
 * A word's tests tell whether any of its eight bytes is of a kind.  Which one
 * is found by looking again, so the order of bytes in a word does not matter.
 * A block is what the machine looks at best: 16 bytes where there is SSE2, else
 * a word.
 */
#ifndef SNAPSHOT_SCAN_INTERNAL_H
#define SNAPSHOT_SCAN_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SCAN_ONES UINT64_C(0x0101010101010101)
#define SCAN_TOPS UINT64_C(0x8080808080808080)

static inline uint64_t scan_load(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/** memcmp() for a few bytes, of which most are equal: without a call. */
static inline int scan_same(const char *a, const char *b, size_t size)
{
	uint32_t c[2], d[2];
	size_t at = 0;

	if (size < sizeof(c[0]))
		return !memcmp(a, b, size);
	if (size < sizeof(uint64_t)) {
		at = size - sizeof(c[0]);
		memcpy(&c[0], a, sizeof(c[0]));
		memcpy(&c[1], a + at, sizeof(c[0]));
		memcpy(&d[0], b, sizeof(d[0]));
		memcpy(&d[1], b + at, sizeof(d[0]));
		return c[0] == d[0] && c[1] == d[1];
	}
	for (; at < size - sizeof(uint64_t); at += sizeof(uint64_t))
		if (scan_load(a + at) != scan_load(b + at))
			return 0;
	at = size - sizeof(uint64_t);
	return scan_load(a + at) == scan_load(b + at);
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

/** A byte that stands in a JSON string as it is, and is ASCII. */
static inline int scan_is_clean(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/** Are all bytes of a word so? */
static inline int scan_word_clean(uint64_t w)
{
	return !(scan_below(w, 0x20) | scan_equal(w, '"') |
		 scan_equal(w, '\\') | scan_equal(w, 0x7f) | scan_high(w));
}

#ifdef __SSE2__

#define SCAN_BLOCK ((size_t)16)

/* As signed bytes all that is no ASCII is below 0x20 too. */
static inline unsigned int scan_mask_special(__m128i x)
{
	__m128i below = _mm_cmplt_epi8(x, _mm_set1_epi8(0x20));
	__m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
	__m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));

	return (unsigned int)_mm_movemask_epi8(
		_mm_or_si128(below, _mm_or_si128(quote, slash)));
}

/** How many bytes at the block's beginning are clean. */
static inline size_t scan_clean(const char *p)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i rubout = _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f));
	unsigned int mask = scan_mask_special(x) |
			    (unsigned int)_mm_movemask_epi8(rubout);

	return (size_t)__builtin_ctz(mask | 1U << SCAN_BLOCK);
}

/** How many bytes at the block's beginning are neither quote, backslash nor
 *  control; sets `*high` when one of them is no ASCII. */
static inline size_t scan_plain(const char *p, int *high)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	unsigned int tops = (unsigned int)_mm_movemask_epi8(x);
	unsigned int stop = (scan_mask_special(x) & ~tops) | 1U << SCAN_BLOCK;

	/* the bits below the lowest of `stop` */
	*high |= (tops & (stop - 1) & ~stop) != 0;
	return (size_t)__builtin_ctz(stop);
}

#else

#define SCAN_BLOCK ((size_t)8)

static inline size_t scan_clean(const char *p)
{
	size_t n = scan_word_clean(scan_load(p)) ? SCAN_BLOCK : 0;

	while (n < SCAN_BLOCK && scan_is_clean((unsigned char)p[n]))
		n++;
	return n;
}

static inline size_t scan_plain(const char *p, int *high)
{
	uint64_t w = scan_load(p);
	size_t n;

	if (!(scan_below(w, 0x20) | scan_equal(w, '"') | scan_equal(w, '\\'))) {
		*high |= scan_high(w) != 0;
		return SCAN_BLOCK;
	}
	for (n = 0; n < SCAN_BLOCK; n++) {
		if ((unsigned char)p[n] < 0x20 || p[n] == '"' || p[n] == '\\')
			break;
		*high |= (unsigned char)p[n] >= 0x80;
	}
	return n;
}

#endif

#endif /* SNAPSHOT_SCAN_INTERNAL_H */
