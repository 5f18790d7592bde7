/*
 * batch.c - objects into a pack, prepared by several threads
 *
 * A batch holds entries as they will lie in the pack: hashed, looked up and
 * compressed by whoever puts them.  Storing a batch appends its bytes, and
 * that is all that has to be done by one thread at a time.
 *
 * A file that the newest snapshot has in another version is stored as a delta
 * against that one, if it lies in a pack of ours (see merge.c).  When there
 * would be too many deltas up to a whole one, the chain is turned round: the
 * new version is stored whole, and the older ones once more, each as a delta
 * against the next newer one.  So at any time one version of a file is whole,
 * and what an export adds follows the change.
 *
 *     whole          whole <- d <- d <- d          d -> d -> d -> d -> whole
 *     1              1        2    3    4          1    2    3    4    5
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "gitstore/own_pack.h"

/* Bigger ones are not held in memory a second time by put(). */
#define HELD_MAX ((size_t)1 << 20)

/* Files that are worth a delta, and the deltas that are worth it */
#define DELTA_FILE_MIN    ((size_t)256)
#define DELTA_FILE_MAX    ((size_t)4 << 20)
#define DELTA_LIMIT(size) ((size) / 2)

/* Deltas up to a whole version.  Not all of a table's files have one limit, or
 * all their chains would be turned round in one export. */
#define DEPTH_MAX  9
#define DEPTH_LESS 6

struct batch_entry {
	struct object_id id;
	uint32_t crc32; /* of the entry as it lies in the pack */
	size_t size;
	/* of a delta against an object that lies in a pack of ours */
	const struct own_pack *base_pack;
	const struct own_entry *base;
	/* of an object of ours that is stored once more: its new base */
	int again;
	struct object_id again_base;
};

struct put_batch {
	struct gitstore *g;
	struct hasher *hasher;
	struct deflater *deflater;
	struct buffer bytes; /* of the entries, one after another */
	struct batch_entry *entries;
	size_t count, capacity;
	struct own_reader reader;
	struct buffer delta;  /* the one being made */
	struct buffer turned; /* deltas of a chain that is turned round */
	int root_stays;       /* the next step is about one that stays whole */
};

static int is_known(struct gitstore *g, const struct object_id *id)
{
	int known;

	pthread_mutex_lock(&g->known_lock);
	known = id_set_has(&g->known, id);
	pthread_mutex_unlock(&g->known_lock);
	return known;
}

/* @return 1: it is new, 0, -1 */
static int make_known(struct gitstore *g, const struct object_id *id,
		      struct error *err)
{
	int rc;

	pthread_mutex_lock(&g->known_lock);
	rc = id_set_add(&g->known, id, err);
	pthread_mutex_unlock(&g->known_lock);
	return rc;
}

static enum pack_type pack_type(enum object_type type)
{
	return type == OBJECT_TREE ? PACK_TREE : PACK_BLOB;
}

/* @return 1: it has to be stored, 0: it is there, -1 */
static int look_up(struct gitstore *g, struct hasher *hasher,
		   enum object_type type, const char *name, const void *data,
		   size_t size, struct object_id *id, struct error *err)
{
	if (size > SOURCE_FILE_MAX)
		return error_set(err, ERROR_FAILED,
				 "'%s' would have %zu bytes, more than a "
				 "snapshot's file may have",
				 name ? name : "a folder", size);
	if (g->published)
		return error_set(err, ERROR_FAILED,
				 "what was published is not committed yet");
	object_hash(hasher, type == OBJECT_TREE ? "tree" : "blob", data, size,
		    id);
	return !is_known(g, id);
}

static int add_bytes(void *payload, const void *data, size_t size,
		     struct error *err)
{
	struct put_batch *b = payload;

	buffer_add(&b->bytes, data, size);
	return buffer_failed(&b->bytes) ? error_nomem(err) : 0;
}

static struct batch_entry *new_entry(struct put_batch *b, struct error *err)
{
	struct batch_entry *entries;
	size_t capacity;

	if (b->count == b->capacity) {
		capacity = b->capacity ? b->capacity * 2 : 16;
		entries = realloc(b->entries, capacity * sizeof(*entries));
		if (!entries) {
			error_nomem(err);
			return NULL;
		}
		b->entries = entries;
		b->capacity = capacity;
	}
	return &b->entries[b->count];
}

/* Compress behind the others what an entry has after its header. */
static struct batch_entry *add_entry(struct put_batch *b, unsigned int type,
				     const struct object_id *id,
				     const struct object_id *base,
				     const void *data, size_t size,
				     struct error *err)
{
	struct batch_entry *e = new_entry(b, err);
	unsigned char header[PACK_HEADER_MAX];
	size_t start = b->bytes.size;

	if (!e)
		return NULL;
	buffer_add(&b->bytes, header, pack_entry_header(header, type, size));
	if (base)
		buffer_add(&b->bytes, base->bytes, sizeof(base->bytes));
	if (deflater_run(b->deflater, data, size, add_bytes, b, err) < 0)
		return NULL;
	memset(e, 0, sizeof(*e));
	e->id = *id;
	e->size = b->bytes.size - start;
	e->crc32 = pack_crc32(0, b->bytes.data + start, e->size);
	b->count++;
	return e;
}

/* ---- deltas ---- */

/* In b->turned: this, then so many bytes. */
struct turned {
	struct object_id id, base;
	size_t size;
};

/* The older version as a delta against the newer one.  What is not worth it
 * stays as it is. */
static int turn_step(void *payload, const struct own_entry *older,
		     const struct buffer *older_content,
		     const struct own_entry *newer,
		     const struct buffer *newer_content, struct error *err)
{
	struct put_batch *b = payload;
	struct turned t = { .id = older->id, .base = newer->id };
	int rc;

	if (b->root_stays) {
		b->root_stays = 0;
		return 0;
	}
	buffer_clear(&b->delta);
	rc = delta_make(newer_content->data, newer_content->size,
			older_content->data, older_content->size,
			DELTA_LIMIT(older_content->size), &b->delta, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	t.size = b->delta.size;
	/* the head behind, since they are taken from the end */
	buffer_add(&b->turned, b->delta.data, b->delta.size);
	buffer_add(&b->turned, &t, sizeof(t));
	return buffer_failed(&b->turned) ? error_nomem(err) : 0;
}

/* From the newest to the oldest, so that each base stands in front. */
static int add_turned(struct put_batch *b, struct error *err)
{
	struct batch_entry *e;
	struct turned t;

	while (b->turned.size) {
		b->turned.size -= sizeof(t);
		memcpy(&t, b->turned.data + b->turned.size, sizeof(t));
		b->turned.size -= t.size;
		e = add_entry(b, PACK_DELTA, &t.id, &t.base,
			      b->turned.data + b->turned.size, t.size, err);
		if (!e)
			return -1;
		e->again = 1;
		e->again_base = t.base;
	}
	return 0;
}

/* Store the new version whole, and those that lead to `old` after it. */
static int add_turning(struct put_batch *b, const struct own_pack *p,
		       const struct own_entry *old, const struct object_id *id,
		       const void *data, size_t size, struct error *err)
{
	struct buffer content = { (char *)(uintptr_t)data, size, size, 0 };
	struct own_entry new = { .id = *id };
	unsigned int depth;
	int rc;

	if (!add_entry(b, PACK_BLOB, id, NULL, data, size, err))
		return -1;
	buffer_clear(&b->turned);
	/* many snapshots would make a long chain: then it has several wholes */
	b->root_stays = b->g->retained > DEPTH_MAX;
	rc = own_read(&b->reader, p, old, DELTA_FILE_MAX, &depth, turn_step, b,
		      err);
	if (!rc)
		rc = turn_step(b, old, &b->reader.content, &new, &content, err);
	/* where the chain is damaged it stays as it is */
	return rc ? (rc < 0 ? -1 : 0) : add_turned(b, err);
}

static unsigned int depth_limit(uint64_t key)
{
	return DEPTH_MAX - (unsigned int)(hash_mix64(key) % DEPTH_LESS);
}

/* As a delta against the version that the newest snapshot has.
 * @return 0; 1: there is none that serves; -1 */
static int add_delta(struct put_batch *b, const char *name,
		     const struct object_id *id, const void *data, size_t size,
		     struct error *err)
{
	uint64_t key = path_key(name);
	const struct object_id *base_id =
		path_map_find(&b->g->newest_files, key);
	const struct own_pack *p;
	const struct own_entry *base;
	struct batch_entry *e;
	unsigned int depth;
	int rc;

	if (!base_id || !b->g->own || own_find(b->g->own, base_id, &p, &base))
		return 1;
	rc = own_read(&b->reader, p, base, DELTA_FILE_MAX, &depth, NULL, NULL,
		      err);
	buffer_clear(&b->delta);
	if (!rc)
		rc = delta_make(b->reader.content.data, b->reader.content.size,
				data, size, DELTA_LIMIT(size), &b->delta, err);
	if (rc)
		return rc;
	if (depth >= depth_limit(key))
		return add_turning(b, p, base, id, data, size, err);
	e = add_entry(b, PACK_DELTA, id, base_id, b->delta.data, b->delta.size,
		      err);
	if (!e)
		return -1;
	e->base_pack = p;
	e->base = base;
	return 0;
}

static int batch_put(struct put_batch *b, enum object_type type,
		     const char *name, const void *data, size_t size,
		     struct object_id *id, struct error *err)
{
	int rc = look_up(b->g, b->hasher, type, name, data, size, id, err);

	if (rc <= 0)
		return rc;
	if (type == OBJECT_BLOB && name && size >= DELTA_FILE_MIN &&
	    size <= DELTA_FILE_MAX) {
		rc = add_delta(b, name, id, data, size, err);
		if (rc <= 0)
			return rc;
	}
	return add_entry(b, pack_type(type), id, NULL, data, size, err) ? 0
									: -1;
}

/* ---- into the pack ---- */

static int went_bad(struct gitstore *g, struct error *err)
{
	return error_set(err, ERROR_FAILED,
			 "a pack in the repository '%s' cannot be read any "
			 "more; run the export again",
			 g->where);
}

/* 1: the entry has to be appended, its base is there; 0; -1 */
static int is_due(struct gitstore *g, const struct batch_entry *e,
		  struct error *err)
{
	int rc;

	if (e->again)
		return !id_set_has(&g->packed, &e->id) &&
		       id_set_has(&g->packed, &e->again_base);
	rc = make_known(g, &e->id, err);
	if (rc <= 0)
		return rc;
	if (e->base && own_copy(g, e->base_pack, e->base, err))
		return went_bad(g, err);
	/* as a base of its own base: content that had been there before */
	return !id_set_has(&g->packed, &e->id);
}

static int store_entry(struct gitstore *g, const struct batch_entry *e,
		       const char *bytes, struct error *err)
{
	int rc = is_due(g, e, err);

	if (rc <= 0)
		return rc;
	if (pack_writer_entry(g->pack, &e->id, e->crc32, bytes, e->size, err) <
	    0)
		return -1;
	return id_set_add(&g->packed, &e->id, err) < 0 ? -1 : 0;
}

static int batch_store(struct sink *s, struct put_batch *b, struct error *err)
{
	struct gitstore *g = (struct gitstore *)s;
	size_t i, at = 0;
	int rc = 0;

	if (b->count)
		rc = publish_begin(g, err);
	for (i = 0; !rc && i < b->count; i++) {
		rc = store_entry(g, &b->entries[i], b->bytes.data + at, err);
		at += b->entries[i].size;
	}
	b->count = 0;
	buffer_clear(&b->bytes);
	return rc;
}

static int batch_new(struct sink *s, struct put_batch **out, struct error *err)
{
	struct gitstore *g = (struct gitstore *)s;
	struct put_batch *b;

	*out = NULL;
	if (!g->known_loaded && known_load(g, err) < 0)
		return -1;
	b = calloc(1, sizeof(*b));
	if (!b)
		return error_nomem(err);
	b->g = g;
	if (hasher_new(&b->hasher, HASH_SHA1, err) < 0 ||
	    deflater_new(&b->deflater, err) < 0) {
		batch_free(b);
		return -1;
	}
	*out = b;
	return 0;
}

void batch_free(struct put_batch *b)
{
	if (!b)
		return;
	hasher_free(b->hasher);
	deflater_free(b->deflater);
	own_reader_release(&b->reader);
	buffer_release(&b->bytes);
	buffer_release(&b->delta);
	buffer_release(&b->turned);
	free(b->entries);
	free(b);
}

/* ---- one at a time ---- */

static int put_big(struct gitstore *g, enum object_type type, const char *name,
		   const void *data, size_t size, struct object_id *id,
		   struct error *err)
{
	int rc = look_up(g, g->puts->hasher, type, name, data, size, id, err);

	if (rc <= 0)
		return rc;
	if (publish_begin(g, err) < 0 ||
	    pack_writer_put(g->pack, pack_type(type), id, data, size, err) < 0)
		return -1;
	if (id_set_add(&g->packed, id, err) < 0)
		return -1;
	return make_known(g, id, err) < 0 ? -1 : 0;
}

static int put(struct sink *s, enum object_type type, const char *name,
	       const void *data, size_t size, struct object_id *id,
	       struct error *err)
{
	struct gitstore *g = (struct gitstore *)s;

	if (!g->known_loaded && known_load(g, err) < 0)
		return -1;
	if (!g->puts && batch_new(s, &g->puts, err) < 0)
		return -1;
	if (size > HELD_MAX)
		return put_big(g, type, name, data, size, id, err);
	if (batch_put(g->puts, type, name, data, size, id, err) < 0)
		return -1;
	return batch_store(s, g->puts, err);
}

/* Trees among the known ones were read from the list's snapshots, with all that
 * is below them, or put after all that is below them.  Where something of a
 * snapshot is missing, a tree may be there without it: then its files have to
 * be put once more. */
static int has(struct sink *s, const struct object_id *id)
{
	struct gitstore *g = (struct gitstore *)s;

	if (!g->known_loaded && known_load(g, NULL) < 0)
		return 0;
	return !g->known_holes && is_known(g, id);
}

void batch_sink(struct gitstore *g)
{
	g->sink.put = put;
	g->sink.has = has;
	g->sink.batch_new = batch_new;
	g->sink.batch_put = batch_put;
	g->sink.batch_store = batch_store;
	g->sink.batch_free = batch_free;
}
