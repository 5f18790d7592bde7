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

/** How many bytes of both are the same, from their beginning on. */
static inline size_t scan_common(const char *a, const char *b, size_t size)
{
	size_t n = 0;

	while (size - n >= 8 && scan_load(a + n) == scan_load(b + n))
		n += 8;
	while (n < size && a[n] == b[n])
		n++;
	return n;
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

/* How many bytes at the beginning are clean.  With 1 added, as signed bytes
 * DEL is below 0x21 as well. */
static inline size_t scan_clean(__m128i x)
{
	__m128i after = _mm_add_epi8(x, _mm_set1_epi8(1));
	__m128i below = _mm_cmplt_epi8(after, _mm_set1_epi8(0x21));
	__m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
	__m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
	unsigned int mask = (unsigned int)_mm_movemask_epi8(
		_mm_or_si128(below, _mm_or_si128(quote, slash)));

	return mask ? (size_t)__builtin_ctz(mask) : SCAN_BLOCK;
}

/** Write a block to `to`; @return how many bytes at its beginning are clean. */
static inline size_t scan_copy(char *to, const char *p)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);

	_mm_storeu_si128((__m128i *)(void *)to, x);
	return scan_clean(x);
}

/*
 * The same of fewer than SCAN_BLOCK bytes, but a whole block is written.  Two
 * words that overlap hold all of them, and zeros, which aren't clean, follow.
 */
static inline size_t scan_copy_short(char *to, const char *p, size_t n)
{
	uint64_t low = 0, high = 0;
	uint32_t begin, end;
	__m128i x;

	if (n >= 8) {
		low = scan_load(p);
		high = scan_load(p + n - 8) >> (15 - n) * 8 >> 8;
	} else if (n >= 4) {
		memcpy(&begin, p, 4);
		memcpy(&end, p + n - 4, 4);
		low = begin | (uint64_t)end << (n - 4) * 8;
	} else if (n) {
		low = (unsigned char)p[0] |
		      (uint64_t)(unsigned char)p[n / 2] << n / 2 * 8 |
		      (uint64_t)(unsigned char)p[n - 1] << (n - 1) * 8;
	}
	x = _mm_set_epi64x((int64_t)high, (int64_t)low);
	_mm_storeu_si128((__m128i *)(void *)to, x);
	return scan_clean(x);
}

/* As signed bytes all that is no ASCII is below 0x20 too. */
static inline unsigned int scan_mask_special(__m128i x)
{
	__m128i below = _mm_cmplt_epi8(x, _mm_set1_epi8(0x20));
	__m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
	__m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));

	return (unsigned int)_mm_movemask_epi8(
		_mm_or_si128(below, _mm_or_si128(quote, slash)));
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

static inline size_t scan_copy_short(char *to, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && scan_is_clean((unsigned char)p[i]); i++)
		to[i] = p[i];
	return i;
}

static inline size_t scan_copy(char *to, const char *p)
{
	memcpy(to, p, SCAN_BLOCK);
	return scan_word_clean(scan_load(p))
		       ? SCAN_BLOCK
		       : scan_copy_short(to, p, SCAN_BLOCK);
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
