/* memory_store.c - objects in a hash table */

/* these must hold in a release build, too */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tests/support/memory_store.h"

enum { BUCKETS = 4096 };

struct object {
	struct object *next;
	struct object_id id;
	enum object_type type;
	size_t size;
	char data[];
};

struct memory_store {
	struct sink sink; /* first: the sink is the store */
	struct sink *hash;
	size_t stores_left; /* until one fails; 0: none does */
	struct object *buckets[BUCKETS];
};

struct memory_source {
	struct source base;
	struct memory_store *store;
	struct object_id root;
};

static struct object **bucket(struct memory_store *m,
			      const struct object_id *id)
{
	return &m->buckets[(id->bytes[0] | id->bytes[1] << 8) % BUCKETS];
}

static struct object *find(struct memory_store *m, const struct object_id *id)
{
	struct object *o = *bucket(m, id);

	while (o && memcmp(&o->id, id, sizeof(*id)))
		o = o->next;
	return o;
}

static int put(struct sink *s, enum object_type type, const char *name,
	       const void *data, size_t size, struct object_id *id,
	       struct error *err)
{
	struct memory_store *m = (struct memory_store *)s;
	struct object *o;

	if (m->hash->put(m->hash, type, name, data, size, id, err) < 0)
		return -1;
	if (find(m, id))
		return 0;
	o = malloc(sizeof(*o) + size);
	assert(o);
	o->id = *id;
	o->type = type;
	o->size = size;
	if (size)
		memcpy(o->data, data, size);
	o->next = *bucket(m, id);
	*bucket(m, id) = o;
	return 0;
}

/* ---- batches: kept as they are, and put when they are stored ---- */

struct put_batch {
	struct sink *hash;
	struct object *objects; /* the last one first */
};

static int batch_new(struct sink *s, struct put_batch **out, struct error *err)
{
	(void)s;
	*out = calloc(1, sizeof(**out));
	assert(*out);
	return hash_sink_new(&(*out)->hash, err);
}

static int batch_put(struct put_batch *b, enum object_type type,
		     const char *name, const void *data, size_t size,
		     struct object_id *id, struct error *err)
{
	struct object *o = malloc(sizeof(*o) + size);

	assert(o);
	o->type = type;
	o->size = size;
	if (size)
		memcpy(o->data, data, size);
	o->next = b->objects;
	b->objects = o;
	return b->hash->put(b->hash, type, name, data, size, id, err);
}

static void store_first_to_last(struct sink *s, struct object *o)
{
	struct object *turned = NULL, *next;
	struct object_id id;

	for (; o; o = next) {
		next = o->next;
		o->next = turned;
		turned = o;
	}
	for (; turned; turned = next) {
		next = turned->next;
		if (s)
			put(s, turned->type, NULL, turned->data, turned->size,
			    &id, NULL);
		free(turned);
	}
}

static int batch_store(struct sink *s, struct put_batch *b, struct error *err)
{
	struct memory_store *m = (struct memory_store *)s;

	if (m->stores_left && !--m->stores_left)
		return error_set(err, ERROR_NOSPACE, "the disk is full");
	store_first_to_last(s, b->objects);
	b->objects = NULL;
	return 0;
}

static void batch_free(struct put_batch *b)
{
	store_first_to_last(NULL, b->objects);
	hash_sink_free(b->hash);
	free(b);
}

void memory_store_batches(struct memory_store *m, size_t fails_at)
{
	m->sink.batch_new = batch_new;
	m->sink.batch_put = batch_put;
	m->sink.batch_store = batch_store;
	m->sink.batch_free = batch_free;
	m->stores_left = fails_at;
}

struct memory_store *memory_store_new(void)
{
	struct memory_store *m = calloc(1, sizeof(*m));

	assert(m);
	m->sink.put = put;
	assert(hash_sink_new(&m->hash, NULL) == 0);
	return m;
}

void memory_store_free(struct memory_store *m)
{
	for (size_t i = 0; m && i < BUCKETS; i++) {
		while (m->buckets[i]) {
			struct object *o = m->buckets[i];

			m->buckets[i] = o->next;
			free(o);
		}
	}
	if (m)
		hash_sink_free(m->hash);
	free(m);
}

struct sink *memory_store_sink(struct memory_store *m)
{
	return &m->sink;
}

/** The entry at `*at` of a tree; @return 0 at the end */
static int next_entry(const struct object *tree, size_t *at, const char **name,
		      int *folder, struct object_id *id)
{
	const char *p = tree->data + *at;

	if (*at >= tree->size)
		return 0;
	*folder = !strncmp(p, "40000 ", 6);
	*name = strchr(p, ' ') + 1;
	p = *name + strlen(*name) + 1;
	memcpy(id, p, sizeof(*id));
	*at = (size_t)(p - tree->data) + sizeof(*id);
	return 1;
}

static struct object *walk(struct memory_source *s, const char *path)
{
	struct object *o = find(s->store, &s->root);

	while (o && *path) {
		size_t len = strcspn(path, "/"), at = 0;
		struct object *child = NULL;
		struct object_id id;
		const char *name;
		int folder;

		if (o->type != OBJECT_TREE)
			return NULL;
		while (!child && next_entry(o, &at, &name, &folder, &id)) {
			if (strlen(name) == len && !memcmp(name, path, len))
				child = find(s->store, &id);
		}
		o = child;
		path += len + (path[len] == '/');
	}
	return o;
}

static int read_file(struct source *base, const char *path, struct buffer *out,
		     struct error *err)
{
	struct object *o = walk((struct memory_source *)base, path);

	(void)err;
	if (!o || o->type != OBJECT_BLOB)
		return 1;
	buffer_add(out, o->data, o->size);
	return 0;
}

static int list_folder(struct source *base, const char *path,
		       struct source_names *out, struct error *err)
{
	struct object *o = walk((struct memory_source *)base, path);
	struct object_id id;
	const char *name;
	size_t at = 0;
	int folder;

	if (!o || o->type != OBJECT_TREE)
		return 1;
	while (next_entry(o, &at, &name, &folder, &id)) {
		if (source_names_add(out, name, folder, err) < 0)
			return -1;
		out->names[out->count - 1].id = id;
		out->names[out->count - 1].known = 1;
	}
	source_names_sort(out);
	return 0;
}

/* Any thread may read: nothing changes. */
struct memory_reader {
	struct source_reader base; /* first */
	struct source *source;
};

static int read_by(struct source_reader *base, const char *path,
		   const struct object_id *id, size_t limit, struct buffer *out)
{
	const struct memory_reader *r = (struct memory_reader *)base;
	const struct object *o = walk((struct memory_source *)r->source, path);

	if (!id || !o || o->size > limit)
		return 1;
	return read_file(r->source, path, out, NULL);
}

static void free_reader(struct source_reader *base)
{
	free(base);
}

static struct source_reader *new_reader(struct source *base)
{
	struct memory_reader *r = calloc(1, sizeof(*r));

	assert(r);
	r->base.read = read_by;
	r->base.free = free_reader;
	r->source = base;
	return &r->base;
}

static void free_source(struct source *base)
{
	free(base);
}

struct source *memory_store_source(struct memory_store *m,
				   const struct object_id *id)
{
	struct memory_source *s = calloc(1, sizeof(*s));

	assert(s);
	s->base.label = "snapshot in memory";
	s->base.read = read_file;
	s->base.list = list_folder;
	s->base.free = free_source;
	s->base.reader = new_reader;
	s->store = m;
	s->root = *id;
	return &s->base;
}
