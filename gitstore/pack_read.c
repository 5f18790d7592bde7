/*
 * pack_read.c - objects out of packs, wherever that is simple
 *
 * libgit2 reads everything, but at 40 to 60 MB/s.  Nearly all that a source
 * reads lies in a pack with an index of version 2, and that is all there is
 * here: no loose objects, no alternates, no base outside the delta's own pack.
 * What this file cannot read soundly, for whatever reason, is left to libgit2,
 * which also finds the words for it; so nothing here is an error but a lack of
 * memory.
 *
 * A delta's bases are made one after another, from the one that lies whole on.
 * They are not kept for later: chunks that are read one after another hardly
 * share any, and what git's gc makes are short chains.
 *
 * Nothing in a pack is believed; an object is handed out when its SHA-1 is the
 * id that was asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"
#include "gitstore/pack_internal.h"

/* A snapshot's objects mostly lie in the order in which they are read, and so
 * do the deltas of each export between them: a window for each in a chain. */
#define WINDOWS      16
#define WINDOW_BYTES ((size_t)16 << 10)

/* Git makes chains of 50, and of 4095 when it is told to. */
#define CHAIN_MAX 4096

/* What is in the midst of a chain may be bigger than its end. */
#define MIDST_MAX SOURCE_FILE_MAX

/* A buffer that grew beyond is not kept. */
#define KEEP_BYTES ((size_t)1 << 20)

/* Bytes of a pack, as they were read */
struct window {
	const struct pack *pack; /* or NULL */
	uint64_t at, used;       /* used when */
	size_t size;
	unsigned char bytes[WINDOW_BYTES];
};

/* Where an entry's stream is, and how many bytes it makes */
struct stream {
	uint64_t at, size;
};

struct pack_cursor {
	struct pack_reader *reader;
	struct hasher *hasher;
	struct inflater *inflater;
	struct pack *last; /* that served, held; or NULL */
	struct window windows[WINDOWS], *window; /* and the one used last */
	uint64_t uses;
	/* A chain at work: its deltas, the last one first */
	struct stream chain[CHAIN_MAX];
	struct buffer base, delta, made;
};

/* ---- entries ---- */

static int is_in(const struct window *w, const struct pack *p, uint64_t at)
{
	return w->pack == p && at >= w->at && at - w->at < w->size;
}

static int window_fill(struct window *w, const struct pack *p, uint64_t at)
{
	w->pack = NULL;
	w->at = at;
	w->size = p->end - at < WINDOW_BYTES ? (size_t)(p->end - at)
					     : WINDOW_BYTES;
	if (pack_read_at(p->fd, w->bytes, w->size, at) < 0)
		return -1;
	w->pack = p;
	return 0;
}

/* Turn to the window that has `at`, or fill the one not used for longest. */
static int window_turn(struct pack_cursor *c, const struct pack *p, uint64_t at)
{
	struct window *oldest = c->windows;
	size_t i;

	for (i = 0; i < WINDOWS && !is_in(&c->windows[i], p, at); i++)
		if (c->windows[i].used < oldest->used)
			oldest = &c->windows[i];
	if (i == WINDOWS && window_fill(oldest, p, at) < 0)
		return -1;
	c->window = i < WINDOWS ? &c->windows[i] : oldest;
	c->window->used = ++c->uses;
	return 0;
}

/* The bytes of a pack from `at` on, as many as are at hand; borrowed.
 * @return NULL: there are none */
static const unsigned char *
bytes_at(struct pack_cursor *c, const struct pack *p, uint64_t at, size_t *size)
{
	struct window *w;

	if (at >= p->end)
		return NULL;
	if (!is_in(c->window, p, at) && window_turn(c, p, at) < 0)
		return NULL;
	w = c->window;
	*size = w->size - (size_t)(at - w->at);
	return w->bytes + (at - w->at);
}

/* Read numbers of 7 bits a byte, the lowest first, behind `low` bits. */
static int get_size(struct pack_cursor *c, const struct pack *p, uint64_t *at,
		    uint64_t *size)
{
	const unsigned char *b;
	unsigned int shift = 4;
	size_t n;

	do {
		b = bytes_at(c, p, (*at)++, &n);
		if (!b || shift > 53)
			return -1;
		*size |= (uint64_t)(*b & 0x7f) << shift;
		shift += 7;
	} while (*b & 0x80);
	return 0;
}

/* How far in front of a delta its base is: 7 bits a byte, the highest first,
 * where each further byte begins at the first number that needs it. */
static int get_distance(struct pack_cursor *c, const struct pack *p,
			uint64_t *at, uint64_t *distance)
{
	const unsigned char *b;
	size_t n;

	b = bytes_at(c, p, (*at)++, &n);
	if (!b)
		return -1;
	*distance = *b & 0x7f;
	while (*b & 0x80) {
		b = bytes_at(c, p, (*at)++, &n);
		if (!b || *distance >> 56)
			return -1;
		*distance = (*distance + 1) << 7 | (*b & 0x7f);
	}
	return 0;
}

static int get_id(struct pack_cursor *c, const struct pack *p, uint64_t *at,
		  struct object_id *id)
{
	const unsigned char *b;
	size_t i, n;

	for (i = 0; i < sizeof(id->bytes); i++) {
		b = bytes_at(c, p, (*at)++, &n);
		if (!b)
			return -1;
		id->bytes[i] = *b;
	}
	return 0;
}

/* Step over the header (see pack_write.c) of the entry at `at`.
 * @param base  receives where a delta's base is */
static int entry_begin(struct pack_cursor *c, const struct pack *p, uint64_t at,
		       unsigned int *type, struct stream *s, uint64_t *base)
{
	uint64_t entry = at, distance;
	const unsigned char *b;
	struct object_id id;
	size_t n;

	b = bytes_at(c, p, at++, &n);
	if (!b)
		return -1;
	*type = *b >> 4 & 7;
	s->size = *b & 15;
	if (*b & 0x80 && get_size(c, p, &at, &s->size) < 0)
		return -1;
	if (*type == PACK_OFS_DELTA) {
		if (get_distance(c, p, &at, &distance) < 0 ||
		    distance > entry - 12 || !distance)
			return -1;
		*base = entry - distance;
	} else if (*type == PACK_REF_DELTA) {
		if (get_id(c, p, &at, &id) < 0 || pack_find(p, &id, base) < 0)
			return -1;
	}
	s->at = at;
	return 0;
}

/* Append what a stream makes. @return 0; 1: it is not sound, or too big; -1 */
static int inflate_to(struct buffer *out, struct pack_cursor *c,
		      const struct pack *p, const struct stream *s,
		      size_t limit, struct error *err)
{
	const unsigned char *b;
	uint64_t at = s->at;
	int ended = 0;
	size_t n;

	if (s->size > limit || s->size >= UINT32_MAX)
		return 1;
	if (buffer_reserve(out, (size_t)s->size + 1) < 0)
		return error_nomem(err);
	inflater_begin(c->inflater, out->data + out->size,
		       (uint32_t)s->size + 1);
	while (!ended) {
		b = bytes_at(c, p, at, &n);
		if (!b)
			return 1;
		ended = inflater_add(c->inflater, b, (uint32_t)n);
		at += n;
	}
	if (ended < 0 || inflater_left(c->inflater) != 1)
		return 1;
	out->size += (size_t)s->size;
	return 0;
}

/* ---- deltas ---- */

/* Apply a delta to c->base. @return 0, 1, -1 as inflate_to() */
static int apply(struct buffer *out, struct pack_cursor *c,
		 const struct pack *p, const struct stream *s, size_t limit,
		 struct error *err)
{
	uint64_t base_size, size;
	int rc;

	buffer_clear(&c->delta);
	rc = inflate_to(&c->delta, c, p, s, MIDST_MAX, err);
	if (rc)
		return rc;
	if (delta_sizes(c->delta.data, c->delta.size, &base_size, &size) ||
	    size > limit)
		return 1;
	return delta_apply(c->base.data, c->base.size, c->delta.data,
			   c->delta.size, out, err);
}

/* @param whole  what the chain of `count` deltas stands on */
static int unchain(struct buffer *out, struct pack_cursor *c,
		   const struct pack *p, const struct stream *whole,
		   size_t count, size_t limit, struct error *err)
{
	struct buffer swap;
	int rc;

	buffer_clear(&c->base);
	rc = inflate_to(&c->base, c, p, whole, MIDST_MAX, err);
	while (!rc && --count) {
		buffer_clear(&c->made);
		rc = apply(&c->made, c, p, &c->chain[count], MIDST_MAX, err);
		swap = c->base;
		c->base = c->made;
		c->made = swap;
	}
	return rc ? rc : apply(out, c, p, &c->chain[0], limit, err);
}

static void trim(struct buffer *b)
{
	if (b->capacity > KEEP_BYTES)
		buffer_release(b);
}

/* ---- one object ---- */

/* Append the entry at `at`. @return 0; 1: not soundly, or too big; -1 */
static int read_entry(struct buffer *out, struct pack_cursor *c,
		      const struct pack *p, uint64_t at, enum pack_type type,
		      size_t limit, struct error *err)
{
	struct stream s;
	unsigned int is;
	size_t count = 0;
	int rc;

	for (;;) {
		if (entry_begin(c, p, at, &is, &s, &at) < 0)
			return 1;
		if (is != PACK_OFS_DELTA && is != PACK_REF_DELTA)
			break;
		if (count == CHAIN_MAX)
			return 1;
		c->chain[count++] = s;
	}
	if (is != (unsigned int)type)
		return 1;
	if (!count)
		return inflate_to(out, c, p, &s, limit, err);
	rc = unchain(out, c, p, &s, count, limit, err);
	trim(&c->base);
	trim(&c->delta);
	trim(&c->made);
	return rc;
}

/* @return 0, 1: not in this pack, or not soundly; -1 */
static int read_from(struct pack_cursor *c, const struct pack *p,
		     const struct object_id *id, enum pack_type type,
		     size_t limit, struct buffer *out, struct error *err)
{
	size_t before = out->size;
	struct object_id is;
	uint64_t at;
	int rc;

	if (pack_find(p, id, &at) < 0)
		return 1;
	rc = read_entry(out, c, p, at, type, limit, err);
	if (rc)
		return rc;
	object_hash(c->hasher, type == PACK_TREE ? "tree" : "blob",
		    out->data ? out->data + before : "", out->size - before,
		    &is);
	if (object_same(&is, id))
		return 0;
	out->size = before;
	return 1;
}

static void let_go(struct pack_cursor *c, struct pack *p)
{
	size_t i;

	for (i = 0; p && i < WINDOWS; i++)
		if (c->windows[i].pack == p)
			c->windows[i].pack = NULL;
	pack_let_go(c->reader, p);
}

/* Hold on to the pack that served. */
static void keep(struct pack_cursor *c, struct pack *p)
{
	let_go(c, c->last);
	c->last = p;
}

/* A pack that cannot serve may have a neighbour that can. */
static int read_any(struct pack_cursor *c, const struct object_id *id,
		    enum pack_type type, size_t limit, struct buffer *out,
		    struct error *err)
{
	struct pack *p;
	size_t i;
	int rc = 1;

	if (c->last)
		rc = read_from(c, c->last, id, type, limit, out, err);
	for (i = 0; rc > 0 && !pack_hold(c->reader, i, &p); i++) {
		if (p && p != c->last)
			rc = read_from(c, p, id, type, limit, out, err);
		if (rc <= 0)
			keep(c, p);
		else
			let_go(c, p);
	}
	return rc;
}

/* ---- the cursor ---- */

int pack_cursor_new(struct pack_cursor **out, struct pack_reader *r,
		    struct error *err)
{
	struct pack_cursor *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return error_nomem(err);
	c->window = c->windows;
	c->reader = r;
	pack_reader_hold(r);
	if (inflater_new(&c->inflater, err) < 0 ||
	    hasher_new(&c->hasher, HASH_SHA1, err) < 0) {
		pack_cursor_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

int pack_cursor_read(struct pack_cursor *c, const struct object_id *id,
		     enum pack_type type, size_t limit, struct buffer *out,
		     struct error *err)
{
	unsigned int number = pack_list_number(c->reader);
	int rc = read_any(c, id, type, limit, out, err);
	int again;

	if (rc <= 0)
		return rc;
	again = pack_list_again(c->reader, number, err);
	if (again <= 0)
		return again < 0 ? -1 : 1;
	return read_any(c, id, type, limit, out, err);
}

void pack_cursor_free(struct pack_cursor *c)
{
	if (!c)
		return;
	let_go(c, c->last);
	buffer_release(&c->base);
	buffer_release(&c->delta);
	buffer_release(&c->made);
	inflater_free(c->inflater);
	hasher_free(c->hasher);
	pack_reader_free(c->reader);
	free(c);
}
