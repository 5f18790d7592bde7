/*
 * sqlite_index_write.c - an index's b-tree, bottom up
 *
 * As sqlite_page_write.c, but that an entry is in the tree once: those between
 * two leaves are in the page above them.  So an entry that does not fit into a
 * full page waits beside it.  When another one comes, the page is written, the
 * entry that waited goes up, and the other begins the next page.  At the end
 * the page gives its last entry instead, and the one that waited has the next
 * page: no page is ever empty.  The same holds on each level.
 */
#include "database/sqlite_page_write.h"
#include "database/sqlite_pages.h"

#include <stdlib.h>
#include <string.h>

#define LEAF_HEADER     8
#define INTERIOR_HEADER 12

/* Bytes; none of them overflows. */
#define SHORT_ENTRY 64

static uint32_t header_size(size_t level)
{
	return level ? INTERIOR_HEADER : LEAF_HEADER;
}

static void begin_page(const struct index_writer *w, struct index_level *l)
{
	l->cells = 0;
	l->content = w->out.usable;
}

/* @return SQLITE_NOMEM or SQLITE_OK */
static int reserve_level(const struct index_writer *w, struct index_level *l)
{
	if (l->page)
		return SQLITE_OK;
	l->page = calloc(1, w->out.size);
	if (!l->page)
		return SQLITE_NOMEM;
	l->waiting = malloc(w->out.size);
	begin_page(w, l);
	return l->waiting ? SQLITE_OK : SQLITE_NOMEM;
}

/* What a cell takes in a page of a level: four bytes or more, as an entry has
 * two columns. */
static uint32_t size_in(size_t level, size_t size)
{
	return (uint32_t)size + (level ? 4 : 0);
}

static int fits(const struct index_level *l, size_t level, size_t size)
{
	return size_in(level, size) + 2 <=
	       l->content - (header_size(level) + 2 * l->cells);
}

/* @param child  the page with the entries before it, above the leaves */
static void put_cell(struct index_level *l, size_t level, uint32_t child,
		     const unsigned char *cell, size_t size)
{
	unsigned char *at;

	l->content -= size_in(level, size);
	put16(l->page + header_size(level) + 2 * l->cells++, l->content);
	at = l->page + l->content;
	if (level) {
		put32(at, child);
		at += 4;
	}
	memcpy(at, cell, size);
}

/* @param right  the page with the entries behind all of its, above the leaves
 */
static void finish_page(struct index_level *l, size_t level, uint32_t right)
{
	uint32_t used = header_size(level) + 2 * l->cells;

	memset(l->page, 0, header_size(level));
	l->page[0] = level ? PAGE_INDEX_INTERIOR : PAGE_INDEX_LEAF;
	put16(l->page + 3, l->cells);
	put16(l->page + 5, l->content); /* 65536 is 0 */
	if (level)
		put32(l->page + 8, right);
	memset(l->page + used, 0, l->content - used);
}

static int write_page(struct index_writer *w, size_t level, uint32_t right,
		      uint32_t *number)
{
	struct index_level *l = &w->levels[level];
	unsigned char *page;
	int rc = page_file_next(&w->out, &page, number);

	if (rc != SQLITE_OK)
		return rc;
	finish_page(l, level, right);
	memcpy(page, l->page, w->out.size);
	begin_page(w, l);
	return SQLITE_OK;
}

static void wait_beside(struct index_level *l, uint32_t child,
			const unsigned char *cell, size_t size)
{
	memcpy(l->waiting, cell, size);
	l->waiting_size = size;
	l->waiting_child = child;
}

/* Add a cell to a level, and to those above it what must go up. */
static int add_cell(struct index_writer *w, size_t level, uint32_t child,
		    const unsigned char *cell, size_t size)
{
	struct index_level *l;
	uint32_t number;
	int rc;

	for (; level < INDEX_LEVELS; level++) {
		l = &w->levels[level];
		rc = reserve_level(w, l);
		if (rc != SQLITE_OK)
			return rc;
		if (!l->waiting_size) {
			if (fits(l, level, size))
				put_cell(l, level, child, cell, size);
			else
				wait_beside(l, child, cell, size);
			return SQLITE_OK;
		}
		rc = write_page(w, level, l->waiting_child, &number);
		if (rc != SQLITE_OK)
			return rc;
		put_cell(l, level, child, cell, size);
		cell = l->waiting;
		size = l->waiting_size;
		child = number;
		l->waiting_size = 0;
	}
	return SQLITE_FULL;
}

int index_writer_open(struct index_writer *w, sqlite3 *sql, uint32_t root)
{
	int rc;

	memset(w, 0, sizeof(*w));
	w->root = root;
	rc = page_file_open(&w->out, sql);
	if (rc != SQLITE_OK)
		return rc;
	if (root == 1 || root > w->out.count)
		return SQLITE_NOTADB;
	/* where SQLite would have it: before the others */
	if (!root)
		rc = page_file_reserve(&w->out, &w->root);
	if (rc != SQLITE_OK)
		return rc;
	w->cell = malloc(w->out.size);
	return w->cell ? reserve_level(w, &w->levels[0]) : SQLITE_NOMEM;
}

/* Most entries are short, and go straight into the leaf. @return 0: not this
 * one */
static int put_entry(struct index_writer *w, const void *record, size_t size)
{
	struct index_level *l = &w->levels[0];
	unsigned char *at;

	if (size > SHORT_ENTRY || l->waiting_size || !fits(l, 0, size + 1))
		return 0;
	l->content -= (uint32_t)size + 1;
	put16(l->page + LEAF_HEADER + 2 * l->cells++, l->content);
	at = l->page + l->content;
	*at++ = (unsigned char)size;
	memcpy(at, record, size);
	return 1;
}

int index_writer_add(struct index_writer *w, const void *record, size_t size)
{
	size_t local = payload_local(w->out.usable, size, 0);
	unsigned char *at;
	int rc;

	if (size > w->out.length_limit)
		return SQLITE_TOOBIG;
	if (put_entry(w, record, size))
		return SQLITE_OK;
	at = varint_write(w->cell, size);
	memcpy(at, record, local);
	at += local;
	if (local < size) {
		put32(at, w->out.next);
		at += 4;
		w->out.room = 0;
		w->out.left = size - local;
		rc = page_file_pour(&w->out, (const char *)record + local,
				    size - local);
		if (rc != SQLITE_OK)
			return rc;
	}
	return add_cell(w, 0, 0, w->cell, (size_t)(at - w->cell));
}

/* Take the last cell of a page out, to `waiting`, in exchange for the one that
 * waits: that one is put into the next page, when this one is written. */
static int share_out(struct index_writer *w, size_t level)
{
	struct index_level *l = &w->levels[level];
	uint32_t header = header_size(level), child = 0, number;
	size_t size = l->waiting_size, last_size;
	const unsigned char *last = l->page + l->content;
	unsigned char *moved;
	uint64_t payload;
	int rc;

	if (level) {
		child = get32(last);
		last += 4;
	}
	last_size =
		(size_t)(varint_read(last, l->page + w->out.size, &payload) -
			 last);
	last_size += payload_local(w->out.usable, payload, 0);
	if (payload_local(w->out.usable, payload, 0) < payload)
		last_size += 4;
	moved = malloc(last_size);
	if (!moved)
		return SQLITE_NOMEM;
	memcpy(moved, last, last_size);
	l->cells--;
	l->content = l->cells ? get16(l->page + header + 2 * l->cells - 2)
			      : w->out.usable;
	rc = write_page(w, level, child, &number);
	if (rc == SQLITE_OK) {
		put_cell(l, level, l->waiting_child, l->waiting, size);
		l->waiting_size = 0;
		rc = add_cell(w, level + 1, number, moved, last_size);
	}
	free(moved);
	return rc;
}

/* Write the pages that are not full yet, up to the one that is the root: that
 * one is left in `page`. */
static int end_levels(struct index_writer *w, unsigned char **page)
{
	uint32_t right = 0;
	size_t level;
	int rc = SQLITE_OK;

	for (level = 0; level < INDEX_LEVELS; level++) {
		struct index_level *l = &w->levels[level];

		if (l->waiting_size && level + 1 < INDEX_LEVELS)
			rc = share_out(w, level);
		if (rc != SQLITE_OK)
			return rc;
		if (level + 1 == INDEX_LEVELS || !l[1].page) {
			finish_page(l, level, right);
			*page = l->page;
			return SQLITE_OK;
		}
		rc = write_page(w, level, right, &right);
		if (rc != SQLITE_OK)
			return rc;
	}
	return SQLITE_FULL;
}

int index_writer_end(struct index_writer *w)
{
	unsigned char *page;
	int rc = end_levels(w, &page);

	return rc == SQLITE_OK ? page_file_end(&w->out, page, w->root) : rc;
}

void index_writer_release(struct index_writer *w)
{
	size_t i;

	for (i = 0; i < INDEX_LEVELS; i++) {
		free(w->levels[i].page);
		free(w->levels[i].waiting);
	}
	free(w->cell);
	page_file_release(&w->out);
	memset(w, 0, sizeof(*w));
}
