/*
 * sorter_run.c - lines in memory, sorted
 *
 * Eight bytes of each line at a time, which stand beside each other as numbers:
 * these are distributed byte by byte, from the last to the first, leaving out
 * those in which all agree; what they don't tell apart is sorted by the next
 * eight.  Comparing whole lines instead would wait for memory at each step.
 * Few lines are compared all the same, and lines that are in order stay as they
 * are.
 */
#include "base/sorter_internal.h"

#include <stdlib.h>

#define DEPTH_MAX 64  /* bytes; what agrees in more is compared */
#define FEW       128 /* as many are compared sooner than distributed */

struct run_sort {
	const char *lines;
	struct piece *spare; /* as many as there are */
	size_t depth;        /* where the words of the pieces begin */
};

/* Order of two lines whose bytes before `depth` agree. */
static int compare(const void *a, const void *b, void *payload)
{
	const struct piece *x = a, *y = b;
	const struct run_sort *r = payload;
	uint64_t x_size, y_size;
	const char *x_line, *y_line;
	size_t skip;

	if (x->word != y->word)
		return x->word < y->word ? -1 : 1;
	x_line = sorter_line(r->lines, x, &x_size);
	y_line = sorter_line(r->lines, y, &y_size);
	skip = x_size < y_size ? (size_t)x_size : (size_t)y_size;
	if (skip > r->depth)
		skip = r->depth;
	return sorter_compare(x_line + skip, (size_t)x_size - skip,
			      y_line + skip, (size_t)y_size - skip);
}

static int in_order(struct run_sort *r, const struct piece *p, size_t count)
{
	size_t i;

	for (i = 1; i < count; i++) {
		sorter_expect(r->lines, &p[i], count - i);
		if (compare(&p[i - 1], &p[i], r) > 0)
			return 0;
	}
	return 1;
}

/* Bring pieces into the order of one byte of their words. */
static void distribute(struct piece *to, const struct piece *from, size_t count,
		       unsigned shift, const size_t *counts)
{
	size_t starts[256], i;

	starts[0] = 0;
	for (i = 1; i < 256; i++)
		starts[i] = starts[i - 1] + counts[i - 1];
	for (i = 0; i < count; i++)
		to[starts[from[i].word >> shift & 255]++] = from[i];
}

static void sort_words(struct run_sort *r, struct piece *pieces, size_t count)
{
	size_t counts[SORTER_WORD][256], i, byte;
	struct piece *from = pieces, *to = r->spare, *other;

	memset(counts, 0, sizeof(counts));
	for (i = 0; i < count; i++)
		for (byte = 0; byte < SORTER_WORD; byte++)
			counts[byte][pieces[i].word >> 8 * byte & 255]++;
	for (byte = 0; byte < SORTER_WORD; byte++) {
		if (counts[byte][pieces->word >> 8 * byte & 255] == count)
			continue;
		distribute(to, from, count, (unsigned)(8 * byte), counts[byte]);
		other = from;
		from = to;
		to = other;
	}
	if (from != pieces)
		memcpy(pieces, from, count * sizeof(*pieces));
}

static void next_words(const struct run_sort *r, struct piece *p, size_t count)
{
	const char *line;
	uint64_t size;
	size_t i;

	for (i = 0; i < count; i++) {
		sorter_expect(r->lines, &p[i], count - i);
		line = sorter_line(r->lines, &p[i], &size);
		p[i].word = sorter_word(line, (size_t)size, r->depth);
	}
}

/* Goes at most DEPTH_MAX / SORTER_WORD deep. */
static void sort_pieces(struct run_sort *r, struct piece *p, size_t count)
{
	size_t first, end;

	if (count < 2 || in_order(r, p, count))
		return;
	if (count <= FEW || r->depth >= DEPTH_MAX) {
		qsort_r(p, count, sizeof(*p), compare, r);
		return;
	}
	sort_words(r, p, count);
	r->depth += SORTER_WORD;
	for (first = 0; first < count; first = end) {
		sorter_expect(r->lines, &p[first], count - first);
		end = first + 1;
		while (end < count && p[end].word == p[first].word)
			end++;
		if (end - first < 2)
			continue;
		next_words(r, p + first, end - first);
		sort_pieces(r, p + first, end - first);
	}
	r->depth -= SORTER_WORD;
}

int sorter_run_sort(struct piece *pieces, size_t count, const char *lines)
{
	struct run_sort r = { .lines = lines };

	if (count < 2)
		return 0;
	r.spare = malloc(count * sizeof(*r.spare));
	if (!r.spare)
		return -1;
	sort_pieces(&r, pieces, count);
	free(r.spare);
	return 0;
}
