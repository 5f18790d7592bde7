/*
 * sqlite_leaves.c - the leaves of a b-tree, in its order
 *
 * Only the interior pages are read, and of those only the lowest ("twigs")
 * are remembered.  How deep the tree is shows on its left edge; a leaf that is
 * none is found when it is read.
 *
 * A rowid table has all rows in its leaves.  In the tree of a table without
 * rowids, or of an index, a cell of an interior page is a row too: the one
 * between the leaves to its left and right.
 */
#include "database/sqlite_pages.h"

#include <stdlib.h>

#define INTERIOR_HEADER 12
#define LEAF_HEADER     8
#define DEPTH_MAX       20 /* as SQLite's */

/* An interior page that is being walked through. */
struct level {
	unsigned char *page;
	uint32_t number;
	int64_t upto;
	struct between behind;
	unsigned cells, next;
};

void leaves_release(struct leaves *t)
{
	free(t->twigs);
	memset(t, 0, sizeof(*t));
}

static int interior_read(const struct leaves *t, uint32_t page,
			 unsigned char *out, unsigned *cells)
{
	if (pages_read(t->pages, page, 1, out) ||
	    out[0] != (t->of_table ? PAGE_TABLE_INTERIOR : PAGE_INDEX_INTERIOR))
		return 1;
	*cells = get16(out + 3);
	return !*cells || INTERIOR_HEADER + 2 * *cells > t->pages->usable;
}

int leaf_check(const struct leaves *t, uint32_t number,
	       const unsigned char *page, unsigned *cells)
{
	if (page[0] != (t->of_table ? PAGE_TABLE_LEAF : PAGE_INDEX_LEAF))
		return 1;
	*cells = get16(page + 3);
	/* only a tree without rows has a page without cells: its root */
	return LEAF_HEADER + 2 * *cells > t->pages->usable ||
	       (!*cells && number != t->root);
}

/* Child `i` of an interior page, and the greatest rowid below it. */
static int child(const struct leaves *t, const unsigned char *page,
		 unsigned cells, unsigned i, uint32_t *number, int64_t *upto)
{
	const struct pages *p = t->pages;
	uint32_t at;
	uint64_t key = (uint64_t)*upto;

	if (i == cells) {
		*number = get32(page + 8);
	} else {
		at = get16(page + INTERIOR_HEADER + 2 * i);
		if (at < INTERIOR_HEADER + 2 * cells || at + 5 > p->usable ||
		    (t->of_table &&
		     !varint_read(page + at + 4, page + p->usable, &key)))
			return 1;
		*number = get32(page + at);
		*upto = (int64_t)key;
	}
	return *number < 2 || *number > p->count;
}

/* Interior levels on the left edge. */
static int find_depth(struct leaves *t, unsigned char *page, size_t *depth)
{
	uint32_t number = t->root;
	unsigned cells;
	int64_t unused = 0;

	for (*depth = 0; *depth < DEPTH_MAX; ++*depth) {
		if (pages_read(t->pages, number, 1, page))
			return 1;
		if (!*depth)
			t->of_table = page[0] == PAGE_TABLE_LEAF ||
				      page[0] == PAGE_TABLE_INTERIOR;
		if (page[0] ==
		    (t->of_table ? PAGE_TABLE_LEAF : PAGE_INDEX_LEAF))
			return 0;
		if (interior_read(t, number, page, &cells) ||
		    child(t, page, cells, 0, &number, &unused))
			return 1;
	}
	return 1;
}

static int add_twig(struct leaves *t, const struct level *l)
{
	struct twig *grown;
	size_t room;

	if (t->of_table && t->twig_count &&
	    t->twigs[t->twig_count - 1].upto >= l->upto)
		return 1;
	if (t->twig_count == t->twig_capacity) {
		room = t->twig_capacity ? 2 * t->twig_capacity : 8;
		grown = realloc(t->twigs, room * sizeof(*grown));
		if (!grown)
			return -1;
		t->twigs = grown;
		t->twig_capacity = room;
	}
	t->twigs[t->twig_count].upto = l->upto;
	t->twigs[t->twig_count].behind = l->behind;
	t->twigs[t->twig_count].first = t->leaf_count;
	t->twigs[t->twig_count++].page = l->number;
	t->leaf_count += (size_t)l->cells + 1;
	/* an end also where pages form a ring */
	return t->leaf_count > t->pages->count;
}

/* Go through all interior pages, `depth` levels of them. */
static int walk(struct leaves *t, struct level *levels, size_t depth)
{
	size_t at = 0;
	int rc;

	levels[0].number = t->root;
	levels[0].upto = INT64_MAX;
	if (interior_read(t, t->root, levels[0].page, &levels[0].cells))
		return 1;
	for (;;) {
		struct level *l = &levels[at];

		if (at + 1 == depth && (rc = add_twig(t, l)) != 0)
			return rc;
		if (at + 1 == depth || l->next > l->cells) {
			if (!at)
				return 0;
			at--;
			continue;
		}
		l[1].upto = l->upto;
		l[1].behind = l->next < l->cells
				      ? (struct between){ l->number, l->next }
				      : l->behind;
		l[1].next = 0;
		if (child(t, l->page, l->cells, l->next++, &l[1].number,
			  &l[1].upto) ||
		    interior_read(t, l[1].number, l[1].page, &l[1].cells))
			return 1;
		at++;
	}
}

int leaves_find(struct leaves *t, const struct pages *p, uint32_t root)
{
	struct level levels[DEPTH_MAX];
	unsigned char *room = NULL;
	size_t depth, i;
	int rc = -1;

	memset(t, 0, sizeof(*t));
	memset(levels, 0, sizeof(levels));
	t->pages = p;
	t->root = root;
	room = malloc(p->size);
	if (!room)
		return -1;
	rc = find_depth(t, room, &depth);
	free(room);
	if (rc)
		return rc;
	t->leaf_count = !depth;
	if (!depth)
		return 0;
	room = malloc(depth * p->size);
	if (!room)
		return -1;
	for (i = 0; i < depth; i++)
		levels[i].page = room + i * p->size;
	rc = walk(t, levels, depth);
	free(room);
	return rc;
}

/* ---- cursors ---- */

void leaf_cursor_release(struct leaf_cursor *c)
{
	free(c->page);
	c->page = NULL;
}

static size_t twig_of(const struct leaves *t, size_t leaf)
{
	size_t low = 0, high = t->twig_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (t->twigs[middle].first <= leaf)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int enter_twig(struct leaf_cursor *c, size_t twig)
{
	const struct leaves *t = c->leaves;
	size_t leaves;
	int fresh = !c->page;

	if (!fresh && c->twig == twig)
		return 0;
	if (fresh && !(c->page = malloc(t->pages->size)))
		return -1;
	c->twig = twig;
	leaves = (twig + 1 < t->twig_count ? t->twigs[twig + 1].first
					   : t->leaf_count) -
		 t->twigs[twig].first;
	if (interior_read(t, t->twigs[twig].page, c->page, &c->cells) ||
	    c->cells + 1 != leaves) {
		leaf_cursor_release(c);
		return 1;
	}
	return 0;
}

/* Rowids that may stand in child `i` begin behind those of the one before. */
static int lower_bound(const struct leaf_cursor *c, unsigned i, int64_t *from)
{
	const struct leaves *t = c->leaves;
	int64_t before = INT64_MIN;
	uint32_t unused;

	if (i) {
		if (child(t, c->page, c->cells, i - 1, &unused, &before))
			return 1;
	} else if (c->twig) {
		before = t->twigs[c->twig - 1].upto;
	} else {
		*from = INT64_MIN;
		return 0;
	}
	if (before == INT64_MAX)
		return 1;
	*from = before + 1;
	return 0;
}

/* Rowids that may stand in child `i`, whose `upto` is that of its twig. */
static int find_bounds(const struct leaf_cursor *c, unsigned i,
		       struct leaf *out)
{
	const struct leaves *t = c->leaves;

	if (!t->of_table)
		return 0;
	return lower_bound(c, i, &out->from) || out->from > out->upto ||
	       out->upto > t->twigs[c->twig].upto;
}

int leaf_find(struct leaf_cursor *c, size_t leaf, struct leaf *out)
{
	const struct leaves *t = c->leaves;
	unsigned i;
	size_t twig;
	int rc;

	if (leaf >= t->leaf_count)
		return 1;
	out->behind = (struct between){ 0, 0 };
	if (!t->twig_count) {
		out->page = t->root;
		out->from = INT64_MIN;
		out->upto = INT64_MAX;
		return 0;
	}
	twig = twig_of(t, leaf);
	rc = enter_twig(c, twig);
	if (rc)
		return rc;
	i = (unsigned)(leaf - t->twigs[twig].first);
	if (!t->of_table)
		out->behind =
			i < c->cells
				? (struct between){ t->twigs[twig].page, i }
				: t->twigs[twig].behind;
	out->upto = t->twigs[twig].upto;
	return child(t, c->page, c->cells, i, &out->page, &out->upto) ||
	       find_bounds(c, i, out);
}

uint32_t leaf_run(const struct leaf_cursor *c, size_t leaf, uint32_t most)
{
	const struct leaves *t = c->leaves;
	uint32_t number, first, count = 1;
	int64_t unused = 0;
	unsigned i;

	if (!t->twig_count)
		return 1;
	i = (unsigned)(leaf - t->twigs[c->twig].first);
	if (child(t, c->page, c->cells, i, &first, &unused))
		return 1;
	while (count < most && i + count <= c->cells &&
	       !child(t, c->page, c->cells, i + count, &number, &unused) &&
	       number == first + count)
		count++;
	return count;
}

const unsigned char *between_page(const struct leaf_cursor *c,
				  const struct between *b, unsigned char *room,
				  unsigned *cells)
{
	const struct leaves *t = c->leaves;

	if (c->page && b->page == t->twigs[c->twig].page) {
		*cells = c->cells;
		room = c->page;
	} else if (interior_read(t, b->page, room, cells)) {
		return NULL;
	}
	return b->cell < *cells ? room : NULL;
}
