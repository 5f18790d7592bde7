/*
 * batch.c - objects into a pack, prepared by several threads
 *
 * A batch holds entries as they will lie in the pack: hashed, looked up and
 * compressed by whoever puts them.  Storing a batch appends its bytes, and
 * that is all that has to be done by one thread at a time.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"

/* Bigger ones are not held in memory a second time by put(). */
#define HELD_MAX ((size_t)1 << 20)

struct batch_entry {
	struct object_id id;
	uint32_t crc32; /* of the entry as it lies in the pack */
	size_t size;
};

struct put_batch {
	struct gitstore *g;
	struct hasher *hasher;
	struct deflater *deflater;
	struct buffer bytes; /* of the entries, one after another */
	struct batch_entry *entries;
	size_t count, capacity;
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

/* Compress one object behind the others. */
static int add_whole(struct put_batch *b, enum object_type type,
		     const struct object_id *id, const void *data, size_t size,
		     struct error *err)
{
	struct batch_entry *e = new_entry(b, err);
	unsigned char header[PACK_HEADER_MAX];
	size_t start = b->bytes.size;

	if (!e)
		return -1;
	buffer_add(&b->bytes, header,
		   pack_entry_header(header, pack_type(type), size));
	if (deflater_run(b->deflater, data, size, add_bytes, b, err) < 0)
		return -1;
	e->id = *id;
	e->size = b->bytes.size - start;
	e->crc32 =
		(uint32_t)crc32_z(0, (Bytef *)b->bytes.data + start, e->size);
	b->count++;
	return 0;
}

static int batch_put(struct put_batch *b, enum object_type type,
		     const char *name, const void *data, size_t size,
		     struct object_id *id, struct error *err)
{
	int rc = look_up(b->g, b->hasher, type, name, data, size, id, err);

	return rc > 0 ? add_whole(b, type, id, data, size, err) : rc;
}

static int store_entry(struct gitstore *g, const struct batch_entry *e,
		       const char *bytes, struct error *err)
{
	int rc = make_known(g, &e->id, err);

	return rc > 0 ? pack_writer_entry(g->pack, &e->id, e->crc32, bytes,
					  e->size, err)
		      : rc;
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
	struct put_batch *b = calloc(1, sizeof(*b));

	*out = NULL;
	if (!b)
		return error_nomem(err);
	b->g = (struct gitstore *)s;
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
	buffer_release(&b->bytes);
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

void batch_sink(struct gitstore *g)
{
	g->sink.put = put;
	g->sink.any_thread = 1;
	g->sink.batch_new = batch_new;
	g->sink.batch_put = batch_put;
	g->sink.batch_store = batch_store;
	g->sink.batch_free = batch_free;
}
