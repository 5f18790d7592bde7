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
 * What nothing reaches any more (see reach.c) is not taken along, unless as a
 * base.  What only the snapshot reaches that this very export drops stays once
 * more, for its readers.
 *
 * A pack is removed when it is ours, no .keep or other file of git's lies
 * beside it, nobody touched it, and every object in it lies in another pack of
 * ours or is reached by nothing.  Readers find what is gone in the other pack,
 * as they do when git repacks.  A list of the packs that go is on the disk
 * before the first of them does: a killed run leaves none that nobody reads.
 *
 * Who wants nothing removed tells git so, and we heed it:
 * extensions.preciousObjects, gc.pruneExpire=never.
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

/* Looking for what may go costs time, so it has to be worth it: a part of all
 * that is taken along, and a budget that grows with it. */
#define GARBAGE_PART   16
#define READS_LEAST    1000
#define BYTES_PER_READ 4096

/* Which packs are being removed: a file in our folder */
#define REMOVING       "removing"
#define REMOVING_MAX   ((size_t)1 << 20)
#define PACK_NAME_SIZE 45 /* "pack-" and 40 digits */

/* git takes a gc.pid that is older for a leftover */
#define GC_AGE_S (12 * 3600)

static int is_gc_running(struct gitstore *g)
{
	char *path = path_join(g->common, "gc.pid");
	int running = 0;
	struct stat st;

	if (path && !lstat(path, &st))
		running = time(NULL) - st.st_mtime < GC_AGE_S;
	free(path);
	return running;
}

static int is_there(struct gitstore *g, const char *name)
{
	char *path = path_join(g->objects, name);
	int there = !path || file_exists(path);

	free(path);
	return there;
}

int is_precious(struct gitstore *g)
{
	char *value = repository_config(g, "extensions.preciousobjects");
	int precious = 0;

	/* without a value it is true, and what makes no sense is no permission
	 */
	if (value && (!*value || git_config_parse_bool(&precious, value) < 0))
		precious = 1;
	free(value);
	return precious;
}

/* While git packs objects, or has an index over several packs, none may go. */
static int may_remove(struct gitstore *g)
{
	return !is_gc_running(g) && !is_there(g, "pack/multi-pack-index") &&
	       !is_there(g, "pack/multi-pack-index.d") && !is_precious(g);
}

/* May what nothing reaches go?  Not where it never shall, nor where a linked
 * object folder may serve other repositories, with refs of their own. */
static int may_drop(struct gitstore *g)
{
	char *expire = repository_config(g, "gc.pruneexpire");
	char *objects = path_join(g->common, "objects");
	struct stat st;
	int may = (!expire || strcmp(expire, "never") != 0) && objects &&
		  !lstat(objects, &st) && S_ISDIR(st.st_mode);

	free(expire);
	free(objects);
	return may;
}

/* Git's graph of commits must find those it lists; their trees it does not
 * ask for. */
static int has_commit_graph(struct gitstore *g)
{
	return is_there(g, "info/commit-graph") ||
	       is_there(g, "info/commit-graphs");
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

/* @param reached  or NULL: everything is */
static int is_garbage(struct gitstore *g, const struct own_entry *e,
		      const struct id_set *reached)
{
	return reached && !id_set_has(&g->known, &e->id) &&
	       !id_set_has(reached, &e->id);
}

/* In the order in which they lie. @return 0, 1: one is damaged, -1 */
static int copy_all(struct gitstore *g, const struct own_pack *p,
		    const struct id_set *reached, struct error *err)
{
	struct own_entry **all = own_in_order(p, err);
	int graph = has_commit_graph(g);
	size_t i;
	int rc = 0;

	if (!all)
		return -1;
	for (i = 0; !rc && i < p->count; i++)
		if (is_garbage(g, all[i], reached) &&
		    !(graph && own_is_commit(p, all[i])))
			g->dropping = 1;
		else
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

static size_t reads_for(size_t entries, uint64_t garbage)
{
	return READS_LEAST + entries / GARBAGE_PART +
	       (size_t)(garbage / BYTES_PER_READ);
}

/* What may stay behind is told by `reached`.
 * @return 0; 1: it is not worth it, or cannot be told; -1 */
static int find_garbage(struct gitstore *g, const struct own_pack **packs,
			size_t count, struct id_set *reached, struct error *err)
{
	uint64_t garbage = 0, all = 0;
	size_t i, k, entries = 0;

	for (i = 0; i < count; i++) {
		all += packs[i]->size;
		entries += packs[i]->count;
		for (k = 0; k < packs[i]->count; k++)
			if (!id_set_has(&g->known, &packs[i]->entries[k].id) &&
			    !id_set_has(&g->packed, &packs[i]->entries[k].id))
				garbage += packs[i]->entries[k].size;
	}
	if (garbage < all / GARBAGE_PART || !may_drop(g))
		return 1;
	g->reads = reads_for(entries, garbage);
	return reach_load(g, reached, g->reads, err);
}

/* How many, from the smallest on, are taken along?
 * @param room  bytes that they may have */
static size_t choose(const struct own_pack **packs, size_t count, uint64_t size,
		     uint64_t room)
{
	size_t n;

	for (n = 0; n < count && packs[n]->size / RATIO <= size &&
		    packs[n]->size <= room;
	     n++) {
		size += packs[n]->size;
		room -= packs[n]->size;
	}
	return n;
}

static int merge(struct gitstore *g, const struct own_pack **packs,
		 size_t count, struct error *err)
{
	struct id_set reached = { NULL, 0, 0 };
	int rc = find_garbage(g, packs, count, &reached, err);
	const struct id_set *told = rc ? NULL : &reached;
	size_t i;

	/* a damaged one stays where it is, for git to judge */
	for (i = 0; rc >= 0 && i < count; i++)
		rc = copy_all(g, packs[i], told, err);
	id_set_release(&reached);
	return rc < 0 ? -1 : 0;
}

int packs_merge(struct gitstore *g, struct error *err)
{
	const struct own_pack **packs;
	const struct own_packs *o = g->own;
	size_t count = 0, i;
	uint64_t room;
	int rc;

	g->dropping = 0;
	/* a disk that is full but for the new objects is no reason to fail */
	if (!o || !o->count || !may_remove(g) ||
	    file_free_bytes(g->objects, &room, NULL) < 0)
		return 0;
	packs = calloc(o->count, sizeof(*packs));
	if (!packs)
		return error_nomem(err);
	for (i = 0; i < o->count; i++)
		if (!o->packs[i].touched)
			packs[count++] = &o->packs[i];
	qsort(packs, count, sizeof(*packs), compare_sizes);
	rc = merge(g, packs,
		   choose(packs, count, pack_writer_size(g->pack), room / 2),
		   err);
	free(packs);
	return rc;
}

/* ---- lists ---- */

/* Does it hold lists of snapshots, and nothing else? */
static int is_lists(const struct own_pack *p)
{
	size_t i;

	for (i = 0; i < p->count && own_is_commit(p, &p->entries[i]); i++)
		;
	return i == p->count && !p->touched;
}

/* @return 0; 1: it is damaged, and stays where it is; -1 */
static int take_lists(struct pack_writer *w, const struct own_pack *p,
		      struct id_set *taken, struct error *err)
{
	struct buffer entry = BUFFER_INIT;
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < p->count; i++) {
		const struct own_entry *e = &p->entries[i];

		buffer_clear(&entry);
		rc = own_entry_raw(p, e, &entry, err);
		if (!rc)
			rc = id_set_add(taken, &e->id, err);
		if (!rc)
			continue; /* it is there */
		if (rc > 0)
			rc = pack_writer_entry(w, &e->id, e->crc32, entry.data,
					       entry.size, err);
	}
	buffer_release(&entry);
	return rc;
}

static int add_commits(struct pack_writer *w, struct id_set *ids,
		       struct error *err)
{
	size_t count, i;
	const struct pack_entry *e = pack_writer_entries(w, &count);

	for (i = 0; i < count; i++)
		if (id_set_add(ids, &e[i].id, err) < 0)
			return -1;
	return 0;
}

static int take_chosen(struct pack_writer *w, const struct own_packs *o,
		       struct error *err)
{
	const struct own_pack **packs = calloc(o->count + 1, sizeof(*packs));
	struct id_set taken = { NULL, 0, 0 };
	size_t count = 0, i;
	int rc;

	if (!packs)
		return error_nomem(err);
	for (i = 0; i < o->count; i++)
		if (is_lists(&o->packs[i]))
			packs[count++] = &o->packs[i];
	qsort(packs, count, sizeof(*packs), compare_sizes);
	count = choose(packs, count, pack_writer_size(w), UINT64_MAX);
	rc = add_commits(w, &taken, err);
	for (i = 0; rc >= 0 && i < count; i++)
		rc = take_lists(w, packs[i], &taken, err);
	id_set_release(&taken);
	free(packs);
	return rc < 0 ? -1 : 0;
}

int packs_take_lists(struct gitstore *g, struct pack_writer *w,
		     struct error *err)
{
	char *folder = path_join(g->objects, "pack");
	struct own_packs o = { NULL, 0 };
	int rc = -1;

	if (!folder)
		return error_nomem(err);
	if (!may_remove(g))
		rc = 0;
	else if (!own_packs_load(&o, folder, g->hasher, err))
		rc = take_chosen(w, &o, err);
	own_packs_release(&o);
	free(folder);
	return rc;
}

/* ---- removing ---- */

/* Is every object of `a` in `b` too, or reached by nothing?
 * @param reached  or NULL: it cannot be told */
static int is_within(const struct own_pack *a, const struct own_pack *b,
		     const struct id_set *reached)
{
	size_t i;

	for (i = 0; i < a->count; i++)
		if (!own_pack_find(b, &a->entries[i].id) &&
		    (!reached || id_set_has(reached, &a->entries[i].id)))
			return 0;
	return 1;
}

/* Newer ones stand in front: of two with the same objects the newer stays. */
static int is_needless(const struct own_packs *o, size_t at,
		       const struct id_set *reached, const unsigned char *gone)
{
	size_t i;

	for (i = 0; !o->packs[at].touched && i < o->count; i++)
		if (i != at && !gone[i] &&
		    is_within(&o->packs[at], &o->packs[i], reached))
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

/* The names of those that go, one a line. */
static int write_removing(struct gitstore *g, const struct own_packs *o,
			  const unsigned char *gone)
{
	struct buffer text = BUFFER_INIT;
	char *path = g->folder ? path_join(g->folder, REMOVING) : NULL;
	size_t i;
	int rc = -1;

	for (i = 0; i < o->count; i++)
		if (gone[i])
			buffer_printf(&text, "%.*s\n", PACK_NAME_SIZE,
				      path_base(o->packs[i].stem));
	if (path && !buffer_failed(&text))
		rc = file_write(path, text.data, text.size, 0600, NULL);
	buffer_release(&text);
	free(path);
	return rc;
}

static void remove_removing(struct gitstore *g)
{
	char *path = g->folder ? path_join(g->folder, REMOVING) : NULL;

	if (path)
		unlink(path);
	free(path);
}

/* A pack whose index is gone already. */
static void remove_rest(struct gitstore *g, const char *name)
{
	static const char *const ends[] = { "idx", "keep", "pack" };
	struct buffer path = BUFFER_INIT;
	size_t i;

	for (i = 0; i < 3; i++) {
		buffer_clear(&path);
		buffer_printf(&path, "%s/pack/%s.%s", g->objects, name,
			      ends[i]);
		if (!buffer_cstr(&path) || (i < 2 && file_exists(path.data)))
			break;
	}
	if (i == 3)
		unlink(path.data);
	buffer_release(&path);
}

void packs_remove_rest(struct gitstore *g)
{
	char *path = g->folder ? path_join(g->folder, REMOVING) : NULL;
	struct buffer text = BUFFER_INIT;
	char *line, *end;

	if (!path || !file_exists(path))
		goto done;
	if (file_read(path, REMOVING_MAX, &text, NULL) || !buffer_cstr(&text))
		goto remove;
	for (line = text.data; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (end - line == PACK_NAME_SIZE &&
		    !strncmp(line, "pack-", 5) &&
		    strspn(line + 5, "0123456789abcdef") == 40)
			remove_rest(g, line);
	}
remove:
	unlink(path);
done:
	buffer_release(&text);
	free(path);
}

static size_t remove_needless(struct gitstore *g, const struct own_packs *o,
			      const struct id_set *reached)
{
	unsigned char *gone = calloc(o->count, 1);
	size_t i, removed = 0;

	/* the oldest first */
	for (i = o->count; gone && i-- > 0;) {
		gone[i] = (unsigned char)is_needless(o, i, reached, gone);
		removed += gone[i];
	}
	if (removed && !write_removing(g, o, gone)) {
		/* looking took its time */
		for (i = o->count; i-- > 0;)
			if (gone[i] && own_pack_unchanged(&o->packs[i]) &&
			    may_remove(g))
				remove_pack(&o->packs[i]);
	}
	/* what could not be synced was written all the same */
	if (removed)
		remove_removing(g);
	free(gone);
	return removed;
}

void packs_tidy(struct gitstore *g)
{
	char *folder = path_join(g->objects, "pack");
	struct own_packs o = { NULL, 0 };
	struct id_set reached = { NULL, 0, 0 };
	const struct id_set *told = NULL;

	if (!folder || !may_remove(g) ||
	    own_packs_load(&o, folder, g->hasher, NULL) < 0 || o.count < 2)
		goto done;
	/* what nothing reached when the packs were merged somebody may have
	 * found a use for since */
	if (g->dropping && may_drop(g) && !store_look_again(g, NULL) &&
	    !reach_load(g, &reached, g->reads * 2, NULL))
		told = &reached;
	if (remove_needless(g, &o, told))
		store_look_again(g, NULL);
	g->dropping = 0;
done:
	id_set_release(&reached);
	own_packs_release(&o);
	free(folder);
}
