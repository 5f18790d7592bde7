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
	int narrow; /* not all of a row is needed */
};

struct part_scan {
	const struct parts *parts;
	struct cells cells;
	unsigned char *more;   /* overflow pages */
	struct buffer payload; /* of a row that overflows */
	struct buffer texts;

	/* for fingerprints */
	const unsigned char *key;
	struct buffer *prints; /* NULL: none are wanted */
	XXH3_state_t *hash;
	size_t hashed; /* of the leaf in front of this number */
};

void parts_free(struct parts *p)
{
	if (!p)
		return;
	leaves_release(&p->leaves);
	record_plan_release(&p->plan);
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

void parts_narrow(struct parts *p, const unsigned char *wanted)
{
	/* there all values are turned into UTF-8 */
	if (p->encoding != ENCODING_UTF8)
		return;
	record_plan_narrow(&p->plan, wanted);
	p->narrow = 1;
}

/* ---- scans ---- */

void part_free(struct part_scan *s)
{
	if (!s)
		return;
	cells_release(&s->cells);
	buffer_release(&s->payload);
	buffer_release(&s->texts);
	XXH3_freeState(s->hash);
	free(s->more);
	free(s);
}

static struct part_scan *part_new(struct parts *p, const unsigned char *key,
				  struct buffer *prints)
{
	struct part_scan *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->parts = p;
	s->key = key;
	s->prints = prints;
	s->more = malloc(PAGES_RUN_BYTES);
	if (prints)
		s->hash = XXH3_createState();
	if (cells_open(&s->cells, &p->leaves) == 0 && s->more &&
	    (s->hash || !prints))
		return s;
	part_free(s);
	return NULL;
}

int parts_scan(struct parts *p, const unsigned char *key, struct buffer *prints,
	       struct scan **out, struct error *err)
{
	struct part_scan *s = part_new(p, key, prints);

	*out = s ? scan_of_part(s) : NULL;
	if (*out)
		return 0;
	part_free(s);
	return error_nomem(err);
}

void part_range(struct part_scan *s, size_t first, size_t end)
{
	cells_range(&s->cells, first, end);
	s->hashed = 0;
}

/* ---- fingerprints ---- */

static int end_print(struct part_scan *s)
{
	XXH128_canonical_t canonical;

	if (!s->hashed)
		return 0;
	s->hashed = 0;
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(s->hash));
	buffer_add(s->prints, canonical.digest, PARTS_FINGERPRINT_SIZE);
	return buffer_failed(s->prints) ? -1 : 0;
}

/* Add the leaf that was read, or the row behind it as far as it is in its page.
 * What overflows comes behind it.  @return 0, or -1: memory ran out */
static int add_cell(struct part_scan *s, const struct cell *c)
{
	const struct cells *at = &s->cells;

	if (at->between) {
		XXH3_128bits_update(s->hash, &c->size, sizeof(c->size));
		XXH3_128bits_update(s->hash, c->local, c->local_size);
	} else if (s->hashed != at->next) {
		if (end_print(s) < 0)
			return -1;
		XXH3_128bits_reset_withSecret(s->hash, s->key, PARTS_KEY_SIZE);
		XXH3_128bits_update(s->hash, at->page, s->parts->pages->usable);
		s->hashed = at->next;
	}
	return 0;
}

/* ---- rows ---- */

/* Put the payload of a cell that overflows together. @return as part_next() */
static int get_payload(struct part_scan *s, struct cell *c)
{
	int rc;

	if (s->payload.capacity > PAYLOAD_KEPT)
		buffer_release(&s->payload);
	rc = cell_payload(s->parts->pages, c, s->more, &s->payload);
	if (rc)
		return rc < 0 ? -1 : 2;
	if (s->prints)
		XXH3_128bits_update(s->hash, s->payload.data + c->local_size,
				    (size_t)c->size - c->local_size);
	c->local = (unsigned char *)s->payload.data;
	c->local_size = (size_t)c->size;
	return 1;
}

/* Go to the next cell, and put its payload together unless its values may be
 * found without. @return as part_next() */
static int next_cell(struct part_scan *s, struct cell *c)
{
	int rc = cells_next(&s->cells, c);

	if (rc == 0 && s->prints)
		return end_print(s);
	if (rc != 1)
		return rc;
	if (s->prints && add_cell(s, c) < 0)
		return -1;
	return c->local_size < c->size && !s->parts->narrow ? get_payload(s, c)
							    : 1;
}

/* @return as part_next() */
static int take_cell(struct part_scan *s, struct cell *c, struct value *values)
{
	const struct parts *p = s->parts;
	int rc = record_read(&p->plan, c->local, c->local_size, c->rowid,
			     values);

	if (rc && c->local_size < c->size) {
		rc = get_payload(s, c);
		if (rc != 1)
			return rc;
		rc = record_read(&p->plan, c->local, c->local_size, c->rowid,
				 values);
	}
	if (rc)
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
	int rc = next_cell(s, &c);

	if (rc == 1) {
		*rowid = c.rowid;
		rc = take_cell(s, &c, values);
	}
	return rc < 0 ? error_nomem(err) : rc;
}

int parts_fingerprint(struct parts *p, const unsigned char *key, size_t first,
		      size_t end, struct buffer *prints, struct error *err)
{
	struct part_scan *s = part_new(p, key, prints);
	struct cell c;
	int rc = -1;

	if (s) {
		part_range(s, first, end);
		while ((rc = next_cell(s, &c)) == 1)
			;
	}
	part_free(s);
	return rc < 0 ? error_nomem(err) : rc != 0;
}
