/*
 * sqlite_page_write.c - a table's b-tree, bottom up
 *
 * Pages are numbered when they are written (sqlite_page_file.c): a leaf when it
 * is full, the pages that its rows overflow to before it, an interior page when
 * its children are known.  What is held in memory is one leaf and the children
 * of one interior page a level.
 *
 * Leaves are filled as SQLite fills them when rows are appended: until the next
 * row does not fit.  Interior pages are filled too, but the last two of a level
 * share what there is, as an interior page needs a cell.
 */
#include "database/sqlite_page_write.h"
#include "database/sqlite_pages.h"

#include <stdlib.h>
#include <string.h>

#define LEAF_HEADER     8
#define INTERIOR_HEADER 12
#define CELL_MIN        4

/* ---- interior pages ---- */

static size_t child_size(const struct writer_child *c)
{
	return 2 + 4 + varint_size((uint64_t)c->upto);
}

static void fill_interior(const struct table_writer *w, unsigned char *page,
			  const struct writer_child *children, size_t count)
{
	uint32_t content = w->out.usable;
	size_t i;

	memset(page, 0, w->out.size);
	page[0] = PAGE_TABLE_INTERIOR;
	put16(page + 3, (uint32_t)count - 1);
	put32(page + 8, children[count - 1].page);
	for (i = 0; i + 1 < count; i++) {
		content -= (uint32_t)child_size(&children[i]) - 2;
		put32(page + content, children[i].page);
		varint_write(page + content + 4, (uint64_t)children[i].upto);
		put16(page + INTERIOR_HEADER + 2 * i, content);
	}
	put16(page + 5, content);
}

/* Write the page of the first `count` children; `*made` is what the level above
 * knows of it. */
static int write_interior(struct table_writer *w, struct writer_level *l,
			  size_t count, struct writer_child *made)
{
	unsigned char *page;
	int rc = page_file_next(&w->out, &page, &made->page);

	if (rc != SQLITE_OK)
		return rc;
	fill_interior(w, page, l->children, count);
	made->upto = l->children[count - 1].upto;
	l->count -= count;
	memmove(l->children, l->children + count,
		l->count * sizeof(*l->children));
	l->bytes = l->full = 0;
	for (size_t i = 0; i + 1 < l->count; i++)
		l->bytes += child_size(&l->children[i]);
	return SQLITE_OK;
}

static int reserve_level(const struct table_writer *w, struct writer_level *l)
{
	/* as many as fill a page, and two that wait */
	size_t most = (w->out.usable - INTERIOR_HEADER) / (2 + 4 + 1) + 3;

	if (!l->children)
		l->children = malloc(most * sizeof(*l->children));
	return l->children ? SQLITE_OK : SQLITE_NOMEM;
}

/* Add a child to a level.  A page is written when there are two children for
 * the next one, so that that one will have a cell. */
static int add_child(struct table_writer *w, size_t level,
		     struct writer_child child)
{
	struct writer_level *l;
	size_t more;
	int rc;

	for (; level < WRITER_LEVELS; level++) {
		l = &w->levels[level];
		rc = reserve_level(w, l);
		if (rc != SQLITE_OK)
			return rc;
		/* the last one needs a cell now that another comes */
		more = l->count ? child_size(&l->children[l->count - 1]) : 0;
		if (!l->full &&
		    l->bytes + more > w->out.usable - INTERIOR_HEADER)
			l->full = l->count;
		if (!l->full)
			l->bytes += more;
		l->children[l->count++] = child;
		if (!l->full || l->count < l->full + 2)
			return SQLITE_OK;
		rc = write_interior(w, l, l->full, &child);
		if (rc != SQLITE_OK)
			return rc;
	}
	return SQLITE_FULL;
}

/* ---- leaves ---- */

static void begin_leaf(struct table_writer *w)
{
	w->cells = 0;
	w->content = w->out.usable;
}

static void end_leaf(struct table_writer *w)
{
	uint32_t used = LEAF_HEADER + 2 * w->cells;

	memset(w->leaf, 0, LEAF_HEADER);
	w->leaf[0] = PAGE_TABLE_LEAF;
	put16(w->leaf + 3, w->cells);
	put16(w->leaf + 5, w->content); /* 65536 is 0 */
	memset(w->leaf + used, 0, w->content - used);
}

static int write_leaf(struct table_writer *w)
{
	struct writer_child child = { .upto = w->last };
	unsigned char *page;
	int rc = page_file_next(&w->out, &page, &child.page);

	if (rc != SQLITE_OK)
		return rc;
	end_leaf(w);
	memcpy(page, w->leaf, w->out.size);
	begin_leaf(w);
	return add_child(w, 0, child);
}

/* ---- rows ---- */

static int pour_record(struct table_writer *w, const struct record_writer *r)
{
	unsigned char number[8];
	int rc = page_file_pour(&w->out, r->header, r->header_size);
	size_t i;

	for (i = 0; rc == SQLITE_OK && i < r->count; i++) {
		const struct record_piece *p = &r->pieces[i];

		if (p->data) {
			rc = page_file_pour(&w->out, p->data, p->size);
			continue;
		}
		number_write(number, p->number, p->size);
		rc = page_file_pour(&w->out, number, p->size);
	}
	return rc;
}

int table_writer_add(struct table_writer *w, int64_t rowid,
		     const struct record_writer *record)
{
	size_t local = payload_local(w->out.usable, record->size, 1), size;
	int overflows = local < record->size, rc;
	unsigned char *at;

	if (record->size > w->out.length_limit)
		return SQLITE_TOOBIG;
	size = varint_size(record->size) + varint_size((uint64_t)rowid) +
	       local + (overflows ? 4 : 0);
	if (size < CELL_MIN)
		size = CELL_MIN;
	if (size + 2 > w->content - (LEAF_HEADER + 2 * w->cells)) {
		rc = write_leaf(w);
		if (rc != SQLITE_OK)
			return rc;
	}
	w->content -= (uint32_t)size;
	put16(w->leaf + LEAF_HEADER + 2 * w->cells++, w->content);
	w->last = rowid;
	at = varint_write(w->leaf + w->content, record->size);
	at = varint_write(at, (uint64_t)rowid);
	if (!overflows) {
		record_write(record, at);
		return SQLITE_OK;
	}
	put32(at + local, w->out.next);
	w->out.at = at;
	w->out.room = local;
	w->out.left = record->size;
	rc = pour_record(w, record);
	w->out.room = 0;
	return rc;
}

int table_writer_open(struct table_writer *w, sqlite3 *sql, uint32_t root)
{
	int rc;

	memset(w, 0, sizeof(*w));
	w->root = root;
	rc = page_file_open(&w->out, sql);
	if (rc != SQLITE_OK)
		return rc;
	if (root < 2 || root > w->out.count)
		return SQLITE_NOTADB;
	w->leaf = calloc(1, w->out.size);
	if (!w->leaf)
		return SQLITE_NOMEM;
	begin_leaf(w);
	return SQLITE_OK;
}

/* The pages that are not full yet, up to the one that is the root: that one is
 * left in `leaf`. */
static int end_levels(struct table_writer *w)
{
	struct writer_child made;
	struct writer_level *l;
	size_t level, count;
	int rc = write_leaf(w);

	for (level = 0; rc == SQLITE_OK && level < WRITER_LEVELS - 1; level++) {
		l = &w->levels[level];
		if (!l->full && !l[1].count) {
			fill_interior(w, w->leaf, l->children, l->count);
			return SQLITE_OK;
		}
		/* one child waits for the next page: it takes another along */
		while (rc == SQLITE_OK && l->count) {
			count = l->full ? l->full - 1 : l->count;
			rc = write_interior(w, l, count, &made);
			if (rc == SQLITE_OK)
				rc = add_child(w, level + 1, made);
		}
	}
	return rc == SQLITE_OK ? SQLITE_FULL : rc;
}

int table_writer_end(struct table_writer *w)
{
	int rc = SQLITE_OK;

	if (w->levels[0].count)
		rc = end_levels(w);
	else
		end_leaf(w);
	return rc == SQLITE_OK ? page_file_end(&w->out, w->leaf, w->root) : rc;
}

void table_writer_release(struct table_writer *w)
{
	size_t i;

	for (i = 0; i < WRITER_LEVELS; i++)
		free(w->levels[i].children);
	free(w->leaf);
	page_file_release(&w->out);
	memset(w, 0, sizeof(*w));
}
