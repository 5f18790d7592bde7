/*
 * sqlite_cells.c - the cells of a b-tree's leaves, in order, with those between
 */
#include "database/sqlite_pages.h"

#include <stdlib.h>

/* Pages of a run, at most. */
static uint32_t run_max(const struct cells *c)
{
	return PAGES_RUN_BYTES / c->leaves->pages->size;
}

int cells_open(struct cells *c, const struct leaves *leaves)
{
	memset(c, 0, sizeof(*c));
	c->leaves = leaves;
	c->cursor.leaves = leaves;
	c->room = malloc(((size_t)run_max(c) + 1) * leaves->pages->size);
	return c->room ? 0 : -1;
}

void cells_release(struct cells *c)
{
	leaf_cursor_release(&c->cursor);
	free(c->room);
	c->room = NULL;
}

void cells_range(struct cells *c, size_t first, size_t end)
{
	size_t count = c->leaves->leaf_count;

	c->end = end < count ? end : count;
	c->next = first < c->end ? first : c->end;
	c->cell = c->stop = 0;
	c->leaf.behind.page = 0;
	c->run_count = 0;
}

/* The leaf that was found last, and with it those that lie behind it and will
 * be asked for.  @return it, or NULL: it is odd */
static const unsigned char *read_leaf(struct cells *c)
{
	const struct pages *p = c->leaves->pages;
	uint32_t most = run_max(c);

	if (c->leaf.page - c->run >= c->run_count) {
		if (c->end - c->next + 1 < most)
			most = (uint32_t)(c->end - c->next) + 1;
		c->run = c->leaf.page;
		c->run_count = leaf_run(&c->cursor, c->next - 1, most);
		if (pages_read(p, c->run, c->run_count, c->room)) {
			c->run_count = 0;
			return NULL;
		}
	}
	return c->room + (size_t)(c->leaf.page - c->run) * p->size;
}

/* Behind a leaf the cell between it and the next, if there is one, then that
 * leaf. @return 0; 2; -1 */
static int next_page(struct cells *c)
{
	struct between b = c->leaf.behind;
	int rc;

	c->cell = c->stop = 0;
	c->between = b.page != 0;
	if (c->between) {
		c->leaf.behind.page = 0;
		c->page = between_page(&c->cursor, &b,
				       c->room + (size_t)run_max(c) *
							 c->leaves->pages->size,
				       &c->count);
		if (!c->page)
			return 2;
		c->cell = b.cell;
		c->stop = b.cell + 1;
		return 0;
	}
	rc = leaf_find(&c->cursor, c->next, &c->leaf);
	if (rc)
		return rc < 0 ? -1 : 2;
	c->next++;
	c->page = read_leaf(c);
	if (!c->page || leaf_check(c->leaves, c->leaf.page, c->page, &c->count))
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
