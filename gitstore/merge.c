/*
 * merge.c - packs of ours into the one that is being written
 *
 * A delta needs its base in the same pack, so bases are copied.  Were that all,
 * a change here and there in a big table would store half of it a second time;
 * so the new pack takes whole older ones along, and those are removed once the
 * ref has moved.  Which: from the smallest on, as long as a pack is at most
 * RATIO times what the new one has by then.  That way a small change never
 * moves much, what is stored twice meanwhile is at most a RATIOth, and there
 * are never more than a few packs of ours.
 *
 * In a pack of ours a base stands before the deltas that need it, and what is
 * there is not appended again.  So there are no cycles, whatever the packs that
 * entries come from say of each other.
 *
 * A pack is removed when it is ours, no .keep or other file of git's lies
 * beside it, and every object in it lies in another pack of ours.  So nothing
 * ever goes that somebody could have come to rely on.  Readers find what is
 * gone in the other pack, as they do when git repacks.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "gitstore/own_pack.h"

#define RATIO 20

/* git takes a gc.pid that is older for a leftover */
#define GC_AGE_S (12 * 3600)

int is_gc_running(struct gitstore *g)
{
	char *path = path_join(g->common, "gc.pid");
	int running = 0;
	struct stat st;

	if (path && !lstat(path, &st))
		running = time(NULL) - st.st_mtime < GC_AGE_S;
	free(path);
	return running;
}

/* While git packs objects, or has an index over several packs, none may go. */
static int may_remove(struct gitstore *g)
{
	static const char *const over_all[] = { "pack/multi-pack-index",
						"pack/multi-pack-index.d" };
	int there = is_gc_running(g);
	size_t i;

	for (i = 0; i < 2 && !there; i++) {
		char *path = path_join(g->objects, over_all[i]);

		there = !path || file_exists(path);
		free(path);
	}
	return !there;
}

/* ---- copying ---- */

static int append(struct gitstore *g, const struct own_pack *p,
		  const struct own_entry *e, struct error *err)
{
	int rc;

	buffer_clear(&g->copied);
	rc = own_entry_raw(p, e, &g->copied, err);
	if (!rc)
		rc = pack_writer_entry(g->pack, &e->id, e->crc32,
				       g->copied.data, g->copied.size, err);
	if (!rc)
		rc = id_set_add(&g->packed, &e->id, err) < 0 ? -1 : 0;
	return rc;
}

int own_copy(struct gitstore *g, const struct own_pack *p,
	     const struct own_entry *e, struct error *err)
{
	const struct own_entry *chain[CHAIN_MAX];
	size_t count = 0;
	int rc = 0;

	while (e && !id_set_has(&g->packed, &e->id)) {
		if (count == CHAIN_MAX)
			return 1;
		chain[count++] = e;
		if (own_base(p, e, &e) < 0)
			return 1;
	}
	while (!rc && count)
		rc = append(g, p, chain[--count], err);
	return rc;
}

static int compare_offsets(const void *a, const void *b)
{
	const struct own_entry *x = *(const struct own_entry *const *)a;
	const struct own_entry *y = *(const struct own_entry *const *)b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* In the order in which they lie. @return 0, 1: one is damaged, -1 */
static int copy_all(struct gitstore *g, const struct own_pack *p,
		    struct error *err)
{
	const struct own_entry **all = calloc(p->count + 1, sizeof(*all));
	size_t i;
	int rc = 0;

	if (!all)
		return error_nomem(err);
	for (i = 0; i < p->count; i++)
		all[i] = &p->entries[i];
	qsort(all, p->count, sizeof(*all), compare_offsets);
	for (i = 0; !rc && i < p->count; i++)
		rc = own_copy(g, p, all[i], err);
	free(all);
	return rc;
}

static int compare_sizes(const void *a, const void *b)
{
	const struct own_pack *x = *(const struct own_pack *const *)a;
	const struct own_pack *y = *(const struct own_pack *const *)b;

	return (x->size > y->size) - (x->size < y->size);
}

int packs_merge(struct gitstore *g, struct error *err)
{
	const struct own_pack **by_size;
	const struct own_packs *o = g->own;
	uint64_t size = pack_writer_size(g->pack);
	size_t i;
	int rc = 0;

	if (!o || !o->count || !may_remove(g))
		return 0;
	by_size = calloc(o->count, sizeof(*by_size));
	if (!by_size)
		return error_nomem(err);
	for (i = 0; i < o->count; i++)
		by_size[i] = &o->packs[i];
	qsort(by_size, o->count, sizeof(*by_size), compare_sizes);
	for (i = 0; rc >= 0 && i < o->count; i++) {
		if (by_size[i]->size / RATIO > size)
			break;
		/* a damaged one stays where it is, for git to judge */
		rc = copy_all(g, by_size[i], err);
		size += by_size[i]->size;
	}
	free(by_size);
	return rc < 0 ? -1 : 0;
}

/* ---- removing ---- */

/* Is every object of `a` in `b` too? */
static int is_within(const struct own_pack *a, const struct own_pack *b)
{
	size_t i, k = 0;
	int diff = 0;

	for (i = 0; i < a->count; i++) {
		for (diff = 1; k < b->count && diff > 0; k++)
			diff = memcmp(&a->entries[i].id, &b->entries[k].id,
				      sizeof(struct object_id));
		if (diff)
			return 0;
	}
	return 1;
}

/* Packs stand in the order of their age: of two equal ones the newer stays. */
static int is_needless(const struct own_packs *o, size_t at,
		       const unsigned char *gone)
{
	size_t i;

	for (i = 0; i < o->count; i++)
		if (i != at && !gone[i] &&
		    (o->packs[at].count < o->packs[i].count ||
		     (o->packs[at].count == o->packs[i].count && i < at)) &&
		    is_within(&o->packs[at], &o->packs[i]))
			return 1;
	return 0;
}

static void remove_pack(const struct own_pack *p)
{
	/* The index first: a pack without one is read by nobody. */
	static const char *const ends[] = { "idx", "pack" };
	struct buffer path = BUFFER_INIT;
	size_t i;

	for (i = 0; i < 2; i++) {
		buffer_clear(&path);
		buffer_printf(&path, "%s%s", p->stem, ends[i]);
		if (!buffer_cstr(&path) || unlink(path.data) < 0)
			break;
	}
	buffer_release(&path);
}

void packs_tidy(struct gitstore *g)
{
	char *folder = path_join(g->objects, "pack");
	struct own_packs o = { NULL, 0 };
	unsigned char *gone = NULL;
	size_t i, removed = 0;

	if (folder && may_remove(g) &&
	    !own_packs_load(&o, folder, g->hasher, NULL) && o.count > 1)
		gone = calloc(o.count, 1);
	for (i = o.count; gone && i-- > 0;) {
		gone[i] = (unsigned char)is_needless(&o, i, gone);
		if (gone[i])
			remove_pack(&o.packs[i]);
		removed += gone[i];
	}
	if (removed)
		store_look_again(g, NULL);
	free(gone);
	free(folder);
	own_packs_release(&o);
}
