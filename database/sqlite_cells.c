/*
 * sqlite_cells.c - the cells of a b-tree's leaves, in order, with those between
 */
#include "database/sqlite_pages.h"

#include <stdlib.h>

int cells_open(struct cells *c, const struct leaves *leaves)
{
	memset(c, 0, sizeof(*c));
	c->leaves = leaves;
	c->cursor.leaves = leaves;
	c->page = malloc(leaves->pages->size);
	return c->page ? 0 : -1;
}

void cells_release(struct cells *c)
{
	leaf_cursor_release(&c->cursor);
	free(c->page);
	c->page = NULL;
}

void cells_range(struct cells *c, size_t first, size_t end)
{
	size_t count = c->leaves->leaf_count;

	c->end = end < count ? end : count;
	c->next = first < c->end ? first : c->end;
	c->cell = c->stop = 0;
	c->leaf.behind.page = 0;
}

/* Behind a leaf the cell between it and the next, if there is one, then that
 * leaf. @return 0; 2; -1 */
static int next_page(struct cells *c)
{
	struct between b = c->leaf.behind;
	int rc;

	c->cell = c->stop = 0;
	if (b.page) {
		c->leaf.behind.page = 0;
		if (between_read(c->leaves, &b, c->page, &c->count))
			return 2;
		c->cell = b.cell;
		c->stop = b.cell + 1;
		return 0;
	}
	rc = leaf_find(&c->cursor, c->next, &c->leaf);
	if (rc)
		return rc < 0 ? -1 : 2;
	c->next++;
	if (leaf_read(c->leaves, c->leaf.page, c->page, &c->count))
		return 2;
	c->stop = c->count;
	return 0;
}

/* Rowids ascend and stay within their leaf's bounds, and so do those of all
 * ranges together. */
static int take_rowid(struct cells *c, int64_t rowid)
{
	if (rowid < c->leaf.from || rowid > c->leaf.upto)
		return 1;
	if (rowid == INT64_MAX)
		return c->cell < c->stop;
	c->leaf.from = rowid + 1;
	return 0;
}

int cells_next(struct cells *c, struct cell *out)
{
	int rc;

	while (c->cell == c->stop) {
		if (c->next == c->end && !c->leaf.behind.page)
			return 0;
		rc = next_page(c);
		if (rc)
			return rc;
	}
	if (cell_read(c->leaves->pages, c->page, c->count, c->cell++, out) ||
	    (c->leaves->of_table && take_rowid(c, out->rowid)))
		return 2;
	return 1;
}
