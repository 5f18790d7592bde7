/*
 * diff_pool.c - lines that both sides have go out
 *
 * A line holds its row's key, so two equal lines are one row that did not
 * change, wherever they lie.  Files of one name are compared line by line;
 * what differs there waits for its like of the other side, in two pieces of
 * memory: when the younger is full, the older one's lines are given on, and
 * whoever takes them has to find what pairs are left.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "snapshot/diff_internal.h"

/* Lines that are looked at before one is added without having found its like:
 * hashes can be made to collide. */
#define CHAIN_MAX 64

#define BUCKETS ((size_t)1 << 14)
#define NOTHING UINT32_MAX

struct held {
	uint64_t hash;
	size_t at, size;
	uint32_t next; /* in the bucket's chain */
	unsigned char side;
	unsigned char gone; /* its like was found */
};

struct piece {
	struct buffer text;
	struct held *lines;
	size_t count, capacity;
	uint32_t buckets[BUCKETS];
};

struct diff_pool {
	struct diff_rest *rest;
	size_t bytes;
	struct piece *young, *old;
};

/* A line to be looked at, without its newline. */
struct line {
	const char *data;
	size_t size;
};

static void piece_clear(struct piece *p)
{
	buffer_clear(&p->text);
	p->count = 0;
	memset(p->buckets, 0xff, sizeof(p->buckets));
}

static struct piece *piece_new(void)
{
	struct piece *p = calloc(1, sizeof(*p));

	if (p)
		piece_clear(p);
	return p;
}

static void piece_free(struct piece *p)
{
	if (!p)
		return;
	buffer_release(&p->text);
	free(p->lines);
	free(p);
}

int diff_pool_new(struct diff_pool **out, size_t bytes, struct diff_rest *rest,
		  struct error *err)
{
	struct diff_pool *p = calloc(1, sizeof(*p));

	*out = NULL;
	if (!p)
		return error_nomem(err);
	p->rest = rest;
	p->bytes = bytes;
	p->young = piece_new();
	p->old = piece_new();
	if (!p->young || !p->old) {
		diff_pool_free(p);
		return error_nomem(err);
	}
	*out = p;
	return 0;
}

void diff_pool_free(struct diff_pool *p)
{
	if (!p)
		return;
	piece_free(p->young);
	piece_free(p->old);
	free(p);
}

/* Find the like of a line on the other side and take it out. @return 1 or 0 */
static int take_like(struct piece *p, enum diff_side side, uint64_t hash,
		     const struct line *l)
{
	uint32_t i = p->buckets[hash % BUCKETS];
	size_t looked = 0;

	for (; i != NOTHING && looked < CHAIN_MAX; i = p->lines[i].next) {
		struct held *h = &p->lines[i];

		looked++;
		if (h->hash == hash && !h->gone && h->side != side &&
		    h->size == l->size &&
		    !memcmp(p->text.data + h->at, l->data, l->size)) {
			h->gone = 1;
			return 1;
		}
	}
	return 0;
}

static int piece_add(struct piece *p, enum diff_side side, uint64_t hash,
		     const struct line *l, struct error *err)
{
	size_t capacity = p->capacity ? p->capacity * 2 : 1024;
	struct held *lines;

	if (p->count == p->capacity) {
		lines = reallocarray(p->lines, capacity, sizeof(*lines));
		if (!lines)
			return error_nomem(err);
		p->lines = lines;
		p->capacity = capacity;
	}
	lines = &p->lines[p->count];
	lines->hash = hash;
	lines->at = p->text.size;
	lines->size = l->size;
	lines->next = p->buckets[hash % BUCKETS];
	lines->side = (unsigned char)side;
	lines->gone = 0;
	buffer_add(&p->text, l->data, l->size);
	if (buffer_failed(&p->text))
		return error_nomem(err);
	p->buckets[hash % BUCKETS] = (uint32_t)p->count++;
	return 0;
}

/* Give on what is left. */
static int piece_empty(struct diff_pool *p, struct piece *piece,
		       struct error *err)
{
	size_t i;

	for (i = 0; i < piece->count; i++) {
		const struct held *h = &piece->lines[i];

		if (!h->gone &&
		    p->rest->line(p->rest, h->side, piece->text.data + h->at,
				  h->size, err) < 0)
			return -1;
	}
	piece_clear(piece);
	return 0;
}

static int hold(struct diff_pool *p, enum diff_side side, const struct line *l,
		struct error *err)
{
	uint64_t hash = hash_bytes64(l->data, l->size);
	struct piece *full = p->young;

	if (take_like(p->young, side, hash, l) ||
	    take_like(p->old, side, hash, l))
		return 0;
	/* the lines' own memory counts: a line may have two bytes */
	if (full->text.size + full->count * sizeof(struct held) >= p->bytes) {
		if (piece_empty(p, p->old, err) < 0)
			return -1;
		p->young = p->old;
		p->old = full;
	}
	return piece_add(p->young, side, hash, l, err);
}

/* The line that begins at `*at`; @return 0 at the end */
static int get_line(const struct buffer *b, size_t at, struct line *out)
{
	const char *newline;

	if (at == b->size)
		return 0;
	out->data = b->data + at;
	newline = memchr(out->data, '\n', b->size - at);
	out->size = (size_t)(newline - out->data);
	return 1;
}

static int same(const struct line *a, const struct line *b)
{
	return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

/*
 * Two lines differ: which of them does only its side have?  If the other one
 * comes next on a side, a line was put in front of it there.
 */
static void look_ahead(const struct buffer lines[2], const size_t at[2],
		       const struct line now[2], int taken[2])
{
	struct line next;
	int side;

	taken[DIFF_A] = taken[DIFF_B] = 1;
	for (side = DIFF_A; side <= DIFF_B; side++) {
		if (get_line(&lines[side], at[side] + now[side].size + 1,
			     &next) &&
		    same(&next, &now[!side])) {
			taken[!side] = 0;
			return;
		}
	}
}

int diff_pool_add(struct diff_pool *p, const struct buffer lines[2],
		  struct error *err)
{
	size_t at[2] = { 0, 0 };
	struct line now[2];
	int taken[2], side;

	for (;;) {
		taken[DIFF_A] =
			get_line(&lines[DIFF_A], at[DIFF_A], &now[DIFF_A]);
		taken[DIFF_B] =
			get_line(&lines[DIFF_B], at[DIFF_B], &now[DIFF_B]);
		if (!taken[DIFF_A] && !taken[DIFF_B])
			return 0;
		if (taken[DIFF_A] && taken[DIFF_B]) {
			if (same(&now[DIFF_A], &now[DIFF_B])) {
				at[DIFF_A] += now[DIFF_A].size + 1;
				at[DIFF_B] += now[DIFF_B].size + 1;
				continue;
			}
			look_ahead(lines, at, now, taken);
		}
		for (side = DIFF_A; side <= DIFF_B; side++) {
			if (!taken[side])
				continue;
			if (hold(p, side, &now[side], err) < 0)
				return -1;
			at[side] += now[side].size + 1;
		}
	}
}

int diff_pool_finish(struct diff_pool *p, struct error *err)
{
	if (piece_empty(p, p->old, err) < 0)
		return -1;
	return piece_empty(p, p->young, err);
}
