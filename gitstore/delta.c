/*
 * delta.c - git's deltas between two versions of a file of rows
 *
 * Git finds what two objects share by searching; here both are lines in
 * ascending key order of which few changed, so walking through both at once is
 * enough.  Where they are equal, that goes at the speed of memcmp().  Where
 * they part, the next line that both have ends the *gap*; the lines in a gap
 * are paired by their heads:
 *
 *     base                            target
 *     {"id":1,"name":"ann","n":1}     {"id":1,"name":"ann","n":1}     run
 *     {"id":2,"name":"bob","n":2}     {"id":2,"name":"rob","n":2}     gap:
 *     {"id":3,"name":"cid","n":3}                                     2 and 2
 *                                     {"id":4,"name":"dan","n":4}     pair
 *     {"id":5,"name":"eve","n":5}     {"id":5,"name":"eve","n":5}     run
 *
 * Of a pair, what it has in common at its beginning and end is copied.  That
 * is a guess at what changed: a bad one costs bytes and is never wrong, since
 * every copy is of bytes that were compared.  So other files (git's trees)
 * work, too.
 *
 * A delta, by gitformat-pack(5): the sizes of base and target, 7 bits a byte
 * from the lowest, then instructions, each with one byte in front:
 *
 *     0nnnnnnn            the n bytes that follow
 *     1zzzoooo            copy; z and o tell which of the 4 bytes of an offset
 *                         and the 3 of a size follow, the others are 0; the
 *                         size 0 is 0x10000
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "gitstore/gitstore_internal.h"

/* Copies of more have a third byte of size, which old readers don't know. */
#define COPY_MAX ((size_t)0x10000)

/* A copy takes up to 7 bytes that do not compress, and text in its place about
 * a third of its size. */
#define COPY_MIN ((size_t)16)

#define LITERAL_MAX ((size_t)127)

/* How many lines a search looks ahead, and the slots for them: with half of
 * them free few lines are lost to others. */
#define LOOK_LINES 4096
#define SLOTS      ((size_t)8192)

/* A shorter line, or head ({"k":1,), is no place to meet again. */
#define ANCHOR_MIN ((size_t)7)

/* A line that a search saw */
struct seen {
	uint32_t search; /* the search's number, another one: free */
	uint32_t at;
};

struct span {
	size_t at, end;
};

struct maker {
	const char *base, *target;
	size_t base_size, target_size;
	struct buffer *out;
	size_t begin, limit;
	size_t written; /* so much of the target is in `out` */
	/* A copy that may still grow; its size 0: none */
	size_t copy_base, copy_target, copy_size;
	struct seen *seen[2]; /* lines of base and target; NULL until needed */
	uint32_t searches;
};

/* ---- bytes ---- */

static uint64_t load(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* How many bytes are equal from here on? */
static size_t equal_after(const char *a, const char *b, size_t most)
{
	size_t n = 0;

	while (n + 32 <= most && !((load(a + n) ^ load(b + n)) |
				   (load(a + n + 8) ^ load(b + n + 8)) |
				   (load(a + n + 16) ^ load(b + n + 16)) |
				   (load(a + n + 24) ^ load(b + n + 24))))
		n += 32;
	while (n < most && a[n] == b[n])
		n++;
	return n;
}

/* How many are equal in front of here? */
static size_t equal_before(const char *a, const char *b, size_t most)
{
	size_t n = 0;

	while (n + 8 <= most && load(a - n - 8) == load(b - n - 8))
		n += 8;
	while (n < most && a[-(ptrdiff_t)n - 1] == b[-(ptrdiff_t)n - 1])
		n++;
	return n;
}

/* With its line feed, if it has one. */
static size_t line_size(const char *data, size_t at, size_t end)
{
	const char *feed = memchr(data + at, '\n', end - at);

	return feed ? (size_t)(feed - (data + at)) + 1 : end - at;
}

/* Up to the first comma: mostly {"key":value */
static size_t head_size(const char *data, size_t size)
{
	const char *comma = memchr(data, ',', size);

	return comma ? (size_t)(comma - data) + 1 : size;
}

static size_t slot_of(const char *data, size_t size)
{
	const uint64_t k = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t h = size * k, tail = 0;

	for (; size >= 8; size -= 8, data += 8) {
		h = (h ^ load(data)) * k;
		h ^= h >> 32;
	}
	memcpy(&tail, data, size);
	h = (h ^ tail) * k;
	return (size_t)(h >> 40) % SLOTS;
}

/* ---- instructions ---- */

static void put_size(struct buffer *out, size_t size)
{
	for (; size > 0x7f; size >>= 7)
		buffer_byte(out, (char)(0x80 | (size & 0x7f)));
	buffer_byte(out, (char)size);
}

static void put_literal(struct buffer *out, const char *data, size_t size)
{
	size_t n;

	for (; size; size -= n, data += n) {
		n = size < LITERAL_MAX ? size : LITERAL_MAX;
		buffer_byte(out, (char)n);
		buffer_add(out, data, n);
	}
}

static void put_copy(struct buffer *out, size_t at, size_t size)
{
	char bytes[7];
	unsigned int flags = 0x80, count = 0, i;
	uint64_t value;

	/* the size 0x10000 is that of no size at all */
	value = (uint64_t)at | (uint64_t)(size & 0xffff) << 32;
	for (i = 0; i < 6; i++)
		if (value >> i * 8 & 0xff) {
			bytes[count++] = (char)(value >> i * 8 & 0xff);
			flags |= 1U << i;
		}
	buffer_byte(out, (char)flags);
	buffer_add(out, bytes, count);
}

/* Write the copy at hand and what of the target lies in front of it. */
static void flush(struct maker *m)
{
	size_t n;

	if (m->copy_size >= COPY_MIN) {
		put_literal(m->out, m->target + m->written,
			    m->copy_target - m->written);
		m->written = m->copy_target + m->copy_size;
		for (; m->copy_size; m->copy_size -= n, m->copy_base += n) {
			n = m->copy_size < COPY_MAX ? m->copy_size : COPY_MAX;
			put_copy(m->out, m->copy_base, n);
		}
	}
	m->copy_size = 0;
}

/* From front to back; what is never copied becomes literal. */
static void copy(struct maker *m, size_t base, size_t target, size_t size)
{
	if (!size)
		return;
	if (m->copy_size && m->copy_base + m->copy_size == base &&
	    m->copy_target + m->copy_size == target) {
		m->copy_size += size;
		return;
	}
	flush(m);
	m->copy_base = base;
	m->copy_target = target;
	m->copy_size = size;
}

/* Is it too big, if all in front of `target` were written? */
static int is_too_big(const struct maker *m, size_t target)
{
	size_t literal = target - m->written - m->copy_size;

	return m->out->size - m->begin > m->limit ||
	       literal > m->limit - (m->out->size - m->begin);
}

/* ---- a gap ---- */

/* Remember a line, unless another one has its place. */
static void remember(struct seen *table, size_t slot, uint32_t search,
		     size_t at)
{
	if (table[slot].search != search) {
		table[slot].search = search;
		table[slot].at = (uint32_t)at;
	}
}

/* Lines that are being searched in step */
struct walk {
	const char *data;
	struct span span; /* `at` is the line at hand */
	size_t size;      /* of the line */
	size_t key;       /* of the part that has to be equal */
};

static void walk_line(struct walk *w, int by_head)
{
	w->size = line_size(w->data, w->span.at, w->span.end);
	w->key = by_head ? head_size(w->data + w->span.at, w->size) : w->size;
}

/* Is the line of `w` one that the other side showed before? */
static int met(const struct maker *m, int side, const struct walk *w,
	       const struct walk *other, int by_head, size_t slot, size_t *at)
{
	const struct seen *s = &m->seen[!side][slot];
	struct walk there = *other;

	if (s->search != m->searches)
		return 0;
	there.span.at = s->at;
	walk_line(&there, by_head);
	*at = s->at;
	return there.key == w->key &&
	       !memcmp(there.data + s->at, w->data + w->span.at, w->key);
}

/*
 * Find the nearest lines of both that are equal, or have equal heads, and move
 * to them; or to the end of what is looked at.  One line of either side a step,
 * so that what it costs is as much as what it skips.
 */
static void search(struct maker *m, int by_head, struct span *base,
		   struct span *target)
{
	struct walk w[2] = { { m->base, *base, 0, 0 },
			     { m->target, *target, 0, 0 } };
	size_t slot, at;
	int lines, side;

	m->searches++;
	for (lines = 0; lines < LOOK_LINES; lines++) {
		for (side = 0; side < 2; side++) {
			if (w[side].span.at == w[side].span.end)
				continue;
			walk_line(&w[side], by_head);
			if (w[side].key < ANCHOR_MIN)
				continue;
			slot = slot_of(w[side].data + w[side].span.at,
				       w[side].key);
			if (met(m, side, &w[side], &w[!side], by_head, slot,
				&at)) {
				w[!side].span.at = at;
				goto done;
			}
			remember(m->seen[side], slot, m->searches,
				 w[side].span.at);
		}
		if (w[0].span.at == w[0].span.end &&
		    w[1].span.at == w[1].span.end)
			break;
		for (side = 0; side < 2; side++)
			if (w[side].span.at < w[side].span.end)
				w[side].span.at += w[side].size;
	}
done:
	*base = w[0].span;
	*target = w[1].span;
}

/* Copy what two stretches of one size have in the same places. */
static void in_place(struct maker *m, size_t base, size_t target, size_t size)
{
	size_t i = 0, n;

	while (i < size) {
		n = equal_after(m->base + base + i, m->target + target + i,
				size - i);
		if (n >= COPY_MIN)
			copy(m, base + i, target + i, n);
		i += n + 1;
	}
}

/* A line and what became of it */
static void pair(struct maker *m, struct span base, struct span target)
{
	size_t base_size = base.end - base.at, size = target.end - target.at;
	size_t most = base_size < size ? base_size : size;
	size_t front =
		equal_after(m->base + base.at, m->target + target.at, most);
	size_t back = equal_before(m->base + base.end, m->target + target.end,
				   most - front);

	copy(m, base.at, target.at, front);
	if (base_size == size)
		in_place(m, base.at + front, target.at + front,
			 size - front - back);
	copy(m, base.end - back, target.end - back, back);
}

/* Pair lines in order. */
static void pair_lines(struct maker *m, struct span *base, struct span *target,
		       int only_equal_heads)
{
	struct walk b = { m->base, *base, 0, 0 };
	struct walk t = { m->target, *target, 0, 0 };

	while (b.span.at < b.span.end && t.span.at < t.span.end) {
		walk_line(&b, 1);
		walk_line(&t, 1);
		if (only_equal_heads &&
		    (b.key != t.key ||
		     memcmp(m->base + b.span.at, m->target + t.span.at, b.key)))
			break;
		pair(m, (struct span){ b.span.at, b.span.at + b.size },
		     (struct span){ t.span.at, t.span.at + t.size });
		b.span.at += b.size;
		t.span.at += t.size;
	}
	base->at = b.span.at;
	target->at = t.span.at;
}

static void gap(struct maker *m, struct span base, struct span target)
{
	struct span b, t;

	while (base.at < base.end && target.at < target.end &&
	       !is_too_big(m, target.at)) {
		pair_lines(m, &base, &target, 1);
		b = base;
		t = target;
		search(m, 1, &base, &target);
		/* keys that changed, maybe */
		b.end = base.at;
		t.end = target.at;
		pair_lines(m, &b, &t, 0);
	}
}

/* ---- both in step ---- */

static int tables_new(struct maker *m)
{
	m->seen[0] = calloc(2 * SLOTS, sizeof(**m->seen));
	if (!m->seen[0])
		return -1;
	m->seen[1] = m->seen[0] + SLOTS;
	return 0;
}

/* Copy the lines that are equal from here on. @return 0: that was all */
static int run(struct maker *m, struct span *base, struct span *target)
{
	size_t left = base->end - base->at, size = target->end - target->at;
	const char *lines = m->target + target->at, *feed;
	size_t n = equal_after(m->base + base->at, lines,
			       left < size ? left : size);

	if (n < size) {
		feed = memrchr(lines, '\n', n);
		n = feed ? (size_t)(feed - lines) + 1 : 0;
	}
	copy(m, base->at, target->at, n);
	base->at += n;
	target->at += n;
	return n < size && base->at < base->end;
}

/* @return 0; 1: too big; -1: out of memory */
static int follow_lines(struct maker *m)
{
	struct span base = { 0, m->base_size }, target = { 0, m->target_size };
	struct span b, t;

	while (run(m, &base, &target)) {
		if (is_too_big(m, target.at))
			return 1;
		if (!m->seen[0] && tables_new(m) < 0)
			return -1;
		b = base;
		t = target;
		search(m, 0, &base, &target);
		b.end = base.at;
		t.end = target.at;
		gap(m, b, t);
	}
	return is_too_big(m, target.at);
}

/* A tree whose names did not change: ids of 20 bytes did, in their places. */
static int is_same_tree(const struct maker *m)
{
	size_t size = m->target_size;

	return size == m->base_size &&
	       memchr(m->target, '\0', size < 512 ? size : 512);
}

static int make(struct maker *m)
{
	int rc = 0;

	put_size(m->out, m->base_size);
	put_size(m->out, m->target_size);
	if (is_same_tree(m))
		in_place(m, 0, 0, m->target_size);
	else
		rc = follow_lines(m);
	if (rc)
		return rc;
	flush(m);
	if (is_too_big(m, m->target_size))
		return 1;
	put_literal(m->out, m->target + m->written,
		    m->target_size - m->written);
	return m->out->size - m->begin > m->limit;
}

int delta_make(const void *base, size_t base_size, const void *target,
	       size_t target_size, size_t limit, struct buffer *out,
	       struct error *err)
{
	struct maker m = { .base = base_size ? base : "",
			   .target = target_size ? target : "",
			   .base_size = base_size,
			   .target_size = target_size,
			   .out = out,
			   .begin = out->size,
			   .limit = limit };
	int rc = 1;

	/* offsets have 4 bytes */
	if (base_size < UINT32_MAX && target_size < UINT32_MAX)
		rc = make(&m);
	if (rc)
		out->size = m.begin;
	free(m.seen[0]);
	return rc < 0 || buffer_failed(out) ? error_nomem(err) : rc;
}
