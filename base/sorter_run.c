/*
 * sorter_run.c - lines in memory, sorted
 *
 * Eight bytes of each line at a time, which stand beside each other as numbers:
 * these are distributed digit by digit, from the last to the first, leaving out
 * bits in which all agree; what they don't tell apart is sorted by the next
 * eight.  Comparing whole lines instead would wait for memory at each step.
 * Few lines are compared all the same, and lines that are in order stay as they
 * are.
 */
#include "base/sorter_internal.h"

#include <stdlib.h>

#define DEPTH_MAX 64 /* bytes; what agrees in more is compared */
#define DIGITS    256
#define MOVES     2   /* a piece, on average */
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

/* Bring pieces into the order of one digit of their words. */
static void distribute(struct piece *to, const struct piece *from, size_t count,
		       unsigned shift)
{
	size_t starts[DIGITS] = { 0 }, i, at = 0;

	for (i = 0; i < count; i++)
		starts[from[i].word >> shift & (DIGITS - 1)]++;
	for (i = 0; i < DIGITS; i++) {
		size_t here = starts[i];

		starts[i] = at;
		at += here;
	}
	for (i = 0; i < count; i++)
		to[starts[from[i].word >> shift & (DIGITS - 1)]++] = from[i];
}

/* Bring pieces that are nearly in order, as times often are, into it.
 * @return 1, or 0: there would be more to move than is worth it */
static int move_words(struct piece *pieces, size_t count)
{
	size_t left = MOVES * count, i, at;

	for (i = 1; i < count; i++) {
		struct piece p = pieces[i];

		for (at = i; at && left && pieces[at - 1].word > p.word; at--) {
			pieces[at] = pieces[at - 1];
			left--;
		}
		pieces[at] = p;
		if (!left)
			return 0;
	}
	return 1;
}

/* Digits begin where words differ. */
static void sort_words(struct piece *pieces, struct piece *spare, size_t count)
{
	struct piece *from = pieces, *to = spare, *other;
	uint64_t differ = 0;
	unsigned shift;
	size_t i;

	if (move_words(pieces, count))
		return;
	for (i = 0; i < count; i++)
		differ |= pieces[i].word ^ pieces->word;
	while (differ) {
		shift = (unsigned)__builtin_ctzll(differ);
		differ &= ~((uint64_t)(DIGITS - 1) << shift);
		distribute(to, from, count, shift);
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
	sort_words(p, r->spare, count);
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

int sorter_run_sort_words(struct piece *pieces, size_t count)
{
	struct piece *spare = malloc((count + 1) * sizeof(*spare));

	if (!spare)
		return -1;
	sort_words(pieces, spare, count);
	free(spare);
	return 0;
}
