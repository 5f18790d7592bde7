/*
 * sorter_internal.h - how a run is sorted in memory
 */
#ifndef BASE_SORTER_INTERNAL_H
#define BASE_SORTER_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/sorter.h"

#define SORTER_WORD  sizeof(uint64_t)
#define SORTER_AHEAD 16 /* lines */

/* Of a line, or a pair of numbers. */
struct piece {
	uint64_t word; /* eight of its bytes, as a number in their order */
	uint64_t at;   /* in the lines: its size, and it */
};

/** The eight bytes of a line behind its first `depth`; 0 where it has none. */
static inline uint64_t sorter_word(const char *line, size_t size, size_t depth)
{
	unsigned char bytes[SORTER_WORD] = { 0 };
	uint64_t word = 0;
	size_t left = size > depth ? size - depth : 0, i;

	if (left >= sizeof(bytes))
		memcpy(bytes, line + depth, sizeof(bytes));
	else if (left)
		memcpy(bytes, line + depth, left);
	for (i = 0; i < sizeof(bytes); i++)
		word = word << 8 | bytes[i];
	return word;
}

/* Lines are looked at in an order that no cache guesses: ask for one that is
 * needed soon. */
static inline void sorter_expect(const char *lines, const struct piece *p,
				 size_t left)
{
	if (left > SORTER_AHEAD)
		__builtin_prefetch(lines + p[SORTER_AHEAD].at);
}

static inline const char *sorter_line(const char *lines, const struct piece *p,
				      uint64_t *size)
{
	memcpy(size, lines + p->at, sizeof(*size));
	return lines + p->at + sizeof(*size);
}

static inline int sorter_compare(const char *a, size_t a_size, const char *b,
				 size_t b_size)
{
	size_t shorter = a_size < b_size ? a_size : b_size;
	int order = shorter ? memcmp(a, b, shorter) : 0;

	if (order)
		return order;
	return (a_size > b_size) - (a_size < b_size);
}

/**
 * Sort pieces of `lines` whose words are their lines' first.
 * @return 0, or -1: memory ran out
 */
int sorter_run_sort(struct piece *pieces, size_t count, const char *lines);

/** Sort pieces by their words alone; those of one word stay as they are.
 *  @return as sorter_run_sort() */
int sorter_run_sort_words(struct piece *pieces, size_t count);

#endif /* BASE_SORTER_INTERNAL_H */
