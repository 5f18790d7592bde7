/*
 * sqlite_parts.c - a table in parts, which several threads can scan
 */
#include "base/error.h"
#include "database/sqlite_pages.h"

#include <stdlib.h>
#include <xxhash.h>

#define PAYLOAD_KEPT ((size_t)4 << 20)

struct parts {
	const struct pages *pages;
	struct leaves leaves;
	struct record_plan plan;
	enum encoding encoding;

	/* for fingerprints */
	struct leaf_cursor cursor;
	unsigned char *page, *more; /* a leaf, an overflow page */
	XXH3_state_t *hash;
};

struct part_scan {
	const struct parts *parts;
	struct cells cells;
	unsigned char *more;   /* an overflow page */
	struct buffer payload; /* of a row that overflows */
	struct buffer texts;
};

void parts_free(struct parts *p)
{
	if (!p)
		return;
	leaf_cursor_release(&p->cursor);
	leaves_release(&p->leaves);
	record_plan_release(&p->plan);
	XXH3_freeState(p->hash);
	free(p->page);
	free(p->more);
	free(p);
}

size_t parts_count(const struct parts *p)
{
	return p->leaves.leaf_count;
}

int database_parts(struct database *db, const struct table *t,
		   struct parts **out, struct error *err)
{
	const struct pages *pages = NULL;
	struct parts *p = NULL;
	uint32_t root = 0;
	int rc = 1;

	*out = NULL;
	if (t->order == ORDER_ROWID || t->order == ORDER_KEY)
		pages = database_pages(db);
	if (pages)
		root = pages_root(pages, t->name);
	if (!root)
		return 1;
	p = calloc(1, sizeof(*p));
	if (!p)
		return error_nomem(err);
	p->pages = pages;
	p->encoding = db->encoding;
	p->cursor.leaves = &p->leaves;
	rc = record_plan(db, t, &p->plan, err);
	if (rc == 0 && (rc = leaves_find(&p->leaves, pages, root)) < 0)
		error_nomem(err);
	if (rc == 0 && p->leaves.of_table != (t->order == ORDER_ROWID))
		rc = 1;
	if (rc == 0)
		*out = p;
	else
		parts_free(p);
	return rc;
}

/* ---- scans ---- */

void part_free(struct part_scan *s)
{
	if (!s)
		return;
	cells_release(&s->cells);
	buffer_release(&s->payload);
	buffer_release(&s->texts);
	free(s->more);
	free(s);
}

int parts_scan(struct parts *p, struct scan **out, struct error *err)
{
	struct part_scan *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return error_nomem(err);
	s->parts = p;
	s->more = malloc(p->pages->size);
	if (cells_open(&s->cells, &p->leaves) == 0 && s->more)
		*out = scan_of_part(s);
	if (*out)
		return 0;
	part_free(s);
	return error_nomem(err);
}

void part_range(struct part_scan *s, size_t first, size_t end)
{
	cells_range(&s->cells, first, end);
}

/* @return as part_next() */
static int take_cell(struct part_scan *s, const struct cell *c,
		     struct value *values)
{
	const struct parts *p = s->parts;
	const unsigned char *record = c->local;
	int rc;

	if (s->payload.capacity > PAYLOAD_KEPT)
		buffer_release(&s->payload);
	if (c->local_size < c->size) {
		rc = cell_payload(p->pages, c, s->more, &s->payload);
		if (rc)
			return rc < 0 ? -1 : 2;
		record = (unsigned char *)s->payload.data;
	}
	if (record_read(&p->plan, record, (size_t)c->size, c->rowid, values))
		return 2;
	if (p->encoding != ENCODING_UTF8 &&
	    texts_from_utf16(&s->texts, values, p->plan.value_count,
			     p->encoding == ENCODING_UTF16BE) < 0)
		return -1;
	return 1;
}

int part_next(struct part_scan *s, int64_t *rowid, struct value *values,
	      struct error *err)
{
	struct cell c;
	int rc = cells_next(&s->cells, &c);

	if (rc == 1) {
		*rowid = c.rowid;
		rc = take_cell(s, &c, values);
	}
	return rc < 0 ? error_nomem(err) : rc;
}

/* ---- fingerprints ---- */

static int prepare_hash(struct parts *p, struct error *err)
{
	if (!p->hash)
		p->hash = XXH3_createState();
	if (!p->page)
		p->page = malloc(p->pages->size);
	if (!p->more)
		p->more = malloc(p->pages->size);
	return p->hash && p->page && p->more ? 0 : error_nomem(err);
}

/* Add what of a payload is not in its leaf. */
static int add_overflow(struct parts *p, const struct cell *c)
{
	size_t left = (size_t)c->size - c->local_size, some;
	uint32_t next = c->overflow;

	for (; left; left -= some) {
		if (pages_read(p->pages, next, p->more))
			return 1;
		some = left < p->pages->usable - 4 ? left
						   : p->pages->usable - 4;
		XXH3_128bits_update(p->hash, p->more + 4, some);
		next = get32(p->more);
	}
	return 0;
}

/* Add cells `from` to `to` of a page, as far as they are not in it. */
static int add_cells(struct parts *p, unsigned cells, unsigned from,
		     unsigned to)
{
	struct cell c;

	for (; from < to; from++)
		if (cell_read(p->pages, p->page, cells, from, &c) ||
		    (c.local_size < c.size && add_overflow(p, &c)))
			return 1;
	return 0;
}

/* Add the row behind a leaf. */
static int add_between(struct parts *p, const struct between *b)
{
	unsigned cells;
	struct cell c;

	if (between_read(&p->leaves, b, p->page, &cells) ||
	    cell_read(p->pages, p->page, cells, b->cell, &c))
		return 1;
	XXH3_128bits_update(p->hash, &c.size, sizeof(c.size));
	XXH3_128bits_update(p->hash, c.local, c.local_size);
	return add_cells(p, cells, b->cell, b->cell + 1);
}

int parts_fingerprint(struct parts *p, const unsigned char *key, size_t leaf,
		      unsigned char *out, struct error *err)
{
	XXH128_canonical_t canonical;
	struct leaf where;
	unsigned cells;
	int rc;

	if (prepare_hash(p, err) < 0)
		return -1;
	rc = leaf_find(&p->cursor, leaf, &where);
	if (rc)
		return rc < 0 ? error_nomem(err) : 1;
	if (leaf_read(&p->leaves, where.page, p->page, &cells))
		return 1;
	XXH3_128bits_reset_withSecret(p->hash, key, PARTS_KEY_SIZE);
	XXH3_128bits_update(p->hash, p->page, p->pages->usable);
	if (add_cells(p, cells, 0, cells) ||
	    (where.behind.page && add_between(p, &where.behind)))
		return 1;
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(p->hash));
	memcpy(out, canonical.digest, PARTS_FINGERPRINT_SIZE);
	return 0;
}
