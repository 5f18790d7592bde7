/*
 * sqlite_page_write.c - a table's b-tree, bottom up
 *
 * Pages are numbered when they are written: a leaf when it is full, the pages
 * that its rows overflow to before it, an interior page when its children are
 * known.  So the file is written from front to back, and what is held in memory
 * is one leaf, the children of one interior page a level, and the pages up to
 * the next write.
 *
 * Leaves are filled as SQLite fills them when rows are appended: until the next
 * row does not fit.  Interior pages are filled too, but the last two of a level
 * share what there is, as an interior page needs a cell.
 */
#include "database/sqlite_page_write.h"
#include "database/sqlite_pages.h"

#include <stdlib.h>
#include <string.h>

#define DATABASE_HEADER 100
#define LEAF_HEADER     8
#define INTERIOR_HEADER 12
#define CELL_MIN        4
#define HELD_BYTES      ((uint32_t)64 << 10) /* unix xWrite takes < 128 KiB */
#define LOCK_BYTE       ((uint32_t)1 << 30) /* SQLite locks; no page is there */
#define MOST_DEFAULT    1073741823          /* SQLITE_MAX_PAGE_COUNT */

static inline void put16(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

static inline void put32(unsigned char *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* ---- the file ---- */

static int write_at(struct table_writer *w, const void *data, size_t size,
		    uint32_t page)
{
	return w->file->pMethods->xWrite(w->file, data, (int)size,
					 (sqlite3_int64)(page - 1) * w->size);
}

static int write_held(struct table_writer *w)
{
	int rc = SQLITE_OK;

	if (w->held_count)
		rc = write_at(w, w->held, (size_t)w->held_count * w->size,
			      w->held_first);
	w->held_count = 0;
	return rc;
}

static void skip_lock_page(struct table_writer *w)
{
	if (w->next == w->lock_page)
		w->next++;
}

/* Give out the next page. `*page` is for the caller to fill, before the next
 * one is given out. */
static int next_page(struct table_writer *w, unsigned char **page,
		     uint32_t *number)
{
	int rc;

	if (w->held_count == w->held_room ||
	    (w->held_count && w->held_first + w->held_count != w->next)) {
		rc = write_held(w);
		if (rc != SQLITE_OK)
			return rc;
	}
	if (w->next > w->most)
		return SQLITE_FULL;
	if (!w->held_count)
		w->held_first = w->next;
	*page = w->held + (size_t)w->held_count++ * w->size;
	*number = w->count = w->next++;
	skip_lock_page(w);
	return SQLITE_OK;
}

/* ---- interior pages ---- */

static size_t child_size(const struct writer_child *c)
{
	return 2 + 4 + varint_size((uint64_t)c->upto);
}

static void fill_interior(const struct table_writer *w, unsigned char *page,
			  const struct writer_child *children, size_t count)
{
	uint32_t content = w->usable;
	size_t i;

	memset(page, 0, w->size);
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
	int rc = next_page(w, &page, &made->page);

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
	size_t most = (w->usable - INTERIOR_HEADER) / (2 + 4 + 1) + 3;

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
		if (!l->full && l->bytes + more > w->usable - INTERIOR_HEADER)
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
	w->content = w->usable;
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
	int rc = next_page(w, &page, &child.page);

	if (rc != SQLITE_OK)
		return rc;
	end_leaf(w);
	memcpy(page, w->leaf, w->size);
	begin_leaf(w);
	return add_child(w, 0, child);
}

/* ---- rows ---- */

/* Write a part of a record that overflows. */
static int pour(struct table_writer *w, const void *data, size_t size)
{
	const char *from = data;
	unsigned char *page;
	uint32_t number;
	size_t some;
	int rc;

	while (size) {
		if (!w->room) {
			rc = next_page(w, &page, &number);
			if (rc != SQLITE_OK)
				return rc;
			w->room = w->usable - 4;
			put32(page, w->left > w->room ? w->next : 0);
			w->at = page + 4;
			if (w->left < w->room)
				memset(w->at + w->left, 0,
				       w->room - (size_t)w->left);
			memset(page + w->usable, 0, w->size - w->usable);
		}
		some = size < w->room ? size : w->room;
		memcpy(w->at, from, some);
		w->at += some;
		w->room -= some;
		w->left -= some;
		from += some;
		size -= some;
	}
	return SQLITE_OK;
}

static int pour_record(struct table_writer *w, const struct record_writer *r)
{
	unsigned char number[8];
	int rc = pour(w, r->header, r->header_size);
	size_t i;

	for (i = 0; rc == SQLITE_OK && i < r->count; i++) {
		const struct record_piece *p = &r->pieces[i];

		if (p->data) {
			rc = pour(w, p->data, p->size);
			continue;
		}
		number_write(number, p->number, p->size);
		rc = pour(w, number, p->size);
	}
	return rc;
}

int table_writer_add(struct table_writer *w, int64_t rowid,
		     const struct record_writer *record)
{
	size_t local = payload_local(w->usable, record->size, 1), size;
	int overflows = local < record->size, rc;
	unsigned char *at;

	if (record->size > w->length_limit)
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
	put32(at + local, w->next);
	w->at = at;
	w->room = local;
	w->left = record->size;
	rc = pour_record(w, record);
	w->room = 0;
	return rc;
}

/* ---- the beginning and the end ---- */

/* Is it the file of a database as SQLite makes it for us? */
static int read_header(struct table_writer *w)
{
	unsigned char h[DATABASE_HEADER];
	sqlite3_int64 bytes;
	int rc = w->file->pMethods->xRead(w->file, h, sizeof(h), 0);

	if (rc == SQLITE_OK)
		rc = w->file->pMethods->xFileSize(w->file, &bytes);
	if (rc != SQLITE_OK)
		return rc;
	w->size = get16(h + 16) == 1 ? 65536 : get16(h + 16);
	w->usable = w->size - h[20];
	w->count = get32(h + 28);
	/* a rollback journal; cells of today; no pages that point back */
	if (memcmp(h, "SQLite format 3", 16) != 0 || h[18] != 1 || h[19] != 1 ||
	    w->size < 512 || (w->size & (w->size - 1)) || w->usable < 480 ||
	    get32(h + 44) != 4 || get32(h + 52) != 0 ||
	    memcmp(h + 24, h + 92, 4) != 0 ||
	    (uint64_t)bytes != (uint64_t)w->count * w->size || w->root < 2 ||
	    w->root > w->count)
		return SQLITE_NOTADB;
	return SQLITE_OK;
}

static int prepare(struct table_writer *w)
{
	w->held_room = HELD_BYTES / w->size;
	w->held = malloc((size_t)w->held_room * w->size);
	w->leaf = calloc(1, w->size);
	if (!w->held || !w->leaf)
		return SQLITE_NOMEM;
	w->most = MOST_DEFAULT;
	w->lock_page = LOCK_BYTE / w->size + 1;
	w->next = w->count + 1;
	skip_lock_page(w);
	begin_leaf(w);
	return SQLITE_OK;
}

int table_writer_open(struct table_writer *w, sqlite3 *sql, uint32_t root)
{
	int limit = sqlite3_limit(sql, SQLITE_LIMIT_LENGTH, -1), rc;

	memset(w, 0, sizeof(*w));
	w->root = root;
	w->length_limit = limit > 0 ? (uint64_t)limit : 0;
	if (!pages_plain(sql) || !sqlite3_get_autocommit(sql))
		return SQLITE_NOTADB;
	w->file = pages_file(sql);
	if (!w->file)
		return SQLITE_NOTADB;
	rc = read_header(w);
	return rc == SQLITE_OK ? prepare(w) : rc;
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

/* How many pages there are now, and that SQLite's cache is out of date. */
static int write_header(struct table_writer *w)
{
	unsigned char h[DATABASE_HEADER];
	int rc = w->file->pMethods->xRead(w->file, h, sizeof(h), 0);
	uint32_t changes = get32(h + 24) + 1;

	if (rc != SQLITE_OK)
		return rc;
	put32(h + 24, changes);
	put32(h + 28, w->count);
	put32(h + 92, changes);
	return write_at(w, h, sizeof(h), 1);
}

int table_writer_end(struct table_writer *w)
{
	int rc = SQLITE_OK;

	if (w->levels[0].count)
		rc = end_levels(w);
	else
		end_leaf(w);
	if (rc == SQLITE_OK)
		rc = write_held(w);
	if (rc == SQLITE_OK)
		rc = write_at(w, w->leaf, w->size, w->root);
	return rc == SQLITE_OK ? write_header(w) : rc;
}

void table_writer_release(struct table_writer *w)
{
	size_t i;

	for (i = 0; i < WRITER_LEVELS; i++)
		free(w->levels[i].children);
	free(w->held);
	free(w->leaf);
	memset(w, 0, sizeof(*w));
}
