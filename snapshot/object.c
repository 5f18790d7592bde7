/*
 * object.c - git object ids, trees, names in a source, a folder's tree id
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "snapshot/object.h"

/* Folders below a snapshot's folder that we are ready to walk: chunks take
 * eight levels at most, the rest of the layout three. */
#define DEPTH_MAX 12

void object_hex(char out[OBJECT_HEX_SIZE], const struct object_id *id)
{
	hex_encode(out, id->bytes, sizeof(id->bytes));
}

/* ---- a sink that only hashes ---- */

struct hash_sink {
	struct sink sink; /* first: the pointer we hand out */
	struct hasher *hasher;
};

struct put_batch {
	struct hasher *hasher;
};

static void hash_object(struct hasher *h, enum object_type type,
			const void *data, size_t size, struct object_id *id)
{
	char head[32];
	int length;

	length = snprintf(head, sizeof(head), "%s %zu",
			  type == OBJECT_TREE ? "tree" : "blob", size);
	hasher_reset(h);
	hasher_add(h, head, (size_t)length + 1); /* the NUL belongs to it */
	hasher_add(h, data, size);
	hasher_final(h, id->bytes);
}

static int hash_put(struct sink *s, enum object_type type, const char *name,
		    const void *data, size_t size, struct object_id *id,
		    struct error *err)
{
	(void)name;
	(void)err;
	hash_object(((struct hash_sink *)s)->hasher, type, data, size, id);
	return 0;
}

static int hash_batch_new(struct sink *s, struct put_batch **out,
			  struct error *err)
{
	struct put_batch *b = calloc(1, sizeof(*b));

	(void)s;
	*out = NULL;
	if (!b)
		return error_nomem(err);
	if (hasher_new(&b->hasher, HASH_SHA1, err) < 0) {
		free(b);
		return -1;
	}
	*out = b;
	return 0;
}

static int hash_batch_put(struct put_batch *b, enum object_type type,
			  const char *name, const void *data, size_t size,
			  struct object_id *id, struct error *err)
{
	(void)name;
	(void)err;
	hash_object(b->hasher, type, data, size, id);
	return 0;
}

static int hash_batch_store(struct sink *s, struct put_batch *b,
			    struct error *err)
{
	(void)s;
	(void)b;
	(void)err;
	return 0;
}

static void hash_batch_free(struct put_batch *b)
{
	if (!b)
		return;
	hasher_free(b->hasher);
	free(b);
}

int hash_sink_new(struct sink **out, struct error *err)
{
	struct hash_sink *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return error_nomem(err);
	if (hasher_new(&s->hasher, HASH_SHA1, err) < 0) {
		free(s);
		return -1;
	}
	s->sink.put = hash_put;
	s->sink.batch_new = hash_batch_new;
	s->sink.batch_put = hash_batch_put;
	s->sink.batch_store = hash_batch_store;
	s->sink.batch_free = hash_batch_free;
	*out = &s->sink;
	return 0;
}

void hash_sink_free(struct sink *s)
{
	if (!s)
		return;
	hasher_free(((struct hash_sink *)s)->hasher);
	free(s);
}

/* ---- trees ---- */

/* What git itself refuses, or a checkout could not hold. */
static int is_tree_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && strcasecmp(name, ".git") != 0;
}

int tree_add(struct tree *t, const char *name, int folder,
	     const struct object_id *id, struct error *err)
{
	struct tree_entry *entries;
	size_t capacity;

	if (!is_tree_name(name))
		return error_set(err, ERROR_FAILED,
				 "'%s' cannot be a name in a git tree", name);
	if (t->count == t->capacity) {
		capacity = t->capacity ? t->capacity * 2 : 16;
		if (capacity > SIZE_MAX / 2 / sizeof(*entries))
			return error_nomem(err);
		entries = realloc(t->entries, capacity * sizeof(*entries));
		if (!entries)
			return error_nomem(err);
		t->entries = entries;
		t->capacity = capacity;
	}
	entries = &t->entries[t->count];
	entries->name = strdup(name);
	if (!entries->name)
		return error_nomem(err);
	entries->folder = folder;
	entries->id = *id;
	t->count++;
	return 0;
}

void tree_release(struct tree *t)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		free(t->entries[i].name);
	free(t->entries);
	memset(t, 0, sizeof(*t));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct tree_entry *)a)->name,
		      ((const struct tree_entry *)b)->name);
}

/* Git compares a folder's name as if it ended in '/': "a.b" stands before the
 * folder "a", and behind the file "a". */
static int compare_entries(const void *a, const void *b)
{
	const struct tree_entry *x = a, *y = b;
	size_t nx = strlen(x->name), ny = strlen(y->name);
	size_t n = nx < ny ? nx : ny;
	int diff = memcmp(x->name, y->name, n), cx, cy;

	if (diff)
		return diff;
	cx = x->name[n] ? (unsigned char)x->name[n] : x->folder ? '/' : 0;
	cy = y->name[n] ? (unsigned char)y->name[n] : y->folder ? '/' : 0;
	return cx - cy;
}

/* Sort by name and drop what is there twice. */
static int tree_unique(struct tree *t, struct error *err)
{
	size_t i, kept = 0;

	if (t->count)
		qsort(t->entries, t->count, sizeof(*t->entries), compare_names);
	for (i = 0; i < t->count; i++) {
		struct tree_entry *e = &t->entries[i];
		struct tree_entry *last = kept ? &t->entries[kept - 1] : NULL;

		if (!last || strcmp(last->name, e->name) != 0) {
			t->entries[kept++] = *e;
			continue;
		}
		if (last->folder != e->folder ||
		    memcmp(&last->id, &e->id, sizeof(e->id)) != 0) {
			/* keep what is not looked at yet, for release */
			memmove(&t->entries[kept], e,
				(t->count - i) * sizeof(*e));
			t->count -= i - kept;
			return error_set(err, ERROR_FAILED,
					 "two files of one folder are both "
					 "named '%s'",
					 t->entries[kept].name);
		}
		free(e->name);
	}
	t->count = kept;
	return 0;
}

int tree_put(struct tree *t, struct sink *s, struct object_id *id,
	     struct error *err)
{
	struct buffer raw = BUFFER_INIT;
	size_t i;
	int rc = -1;

	if (tree_unique(t, err) < 0)
		goto done;
	if (t->count)
		qsort(t->entries, t->count, sizeof(*t->entries),
		      compare_entries);
	for (i = 0; i < t->count; i++) {
		const struct tree_entry *e = &t->entries[i];

		buffer_str(&raw, e->folder ? "40000 " : "100644 ");
		buffer_add(&raw, e->name, strlen(e->name) + 1);
		buffer_add(&raw, e->id.bytes, sizeof(e->id.bytes));
	}
	if (buffer_failed(&raw)) {
		error_nomem(err);
		goto done;
	}
	rc = s->put(s, OBJECT_TREE, NULL, raw.size ? raw.data : "", raw.size,
		    id, err);
done:
	tree_release(t);
	buffer_release(&raw);
	return rc;
}

/* ---- names in a source ---- */

int source_names_add(struct source_names *n, const char *name, int folder,
		     struct error *err)
{
	struct source_name *names;
	size_t capacity;

	if (n->count == n->capacity) {
		capacity = n->capacity ? n->capacity * 2 : 16;
		if (capacity > SIZE_MAX / 2 / sizeof(*names))
			return error_nomem(err);
		names = realloc(n->names, capacity * sizeof(*names));
		if (!names)
			return error_nomem(err);
		n->names = names;
		n->capacity = capacity;
	}
	names = &n->names[n->count];
	memset(names, 0, sizeof(*names));
	names->name = strdup(name);
	if (!names->name)
		return error_nomem(err);
	names->folder = folder;
	n->count++;
	return 0;
}

static int compare_source_names(const void *a, const void *b)
{
	return strcmp(((const struct source_name *)a)->name,
		      ((const struct source_name *)b)->name);
}

void source_names_sort(struct source_names *n)
{
	if (n->count)
		qsort(n->names, n->count, sizeof(*n->names),
		      compare_source_names);
}

void source_names_release(struct source_names *n)
{
	size_t i;

	for (i = 0; i < n->count; i++)
		free(n->names[i].name);
	free(n->names);
	memset(n, 0, sizeof(*n));
}

void source_free(struct source *s)
{
	if (s)
		s->free(s);
}

void source_tell(struct source *s, const struct source_names *names, size_t nth,
		 struct buffer *path, size_t size)
{
	/* when the first is read nothing was told yet, later all but one */
	size_t i = nth ? nth + SOURCE_AHEAD : 1;

	for (; s->will_read && i < names->count && i <= nth + SOURCE_AHEAD;
	     i++) {
		if (names->names[i].folder)
			continue;
		path->size = size;
		buffer_byte(path, '/');
		buffer_str(path, names->names[i].name);
		if (buffer_cstr(path))
			s->will_read(s, path->data);
	}
}

/* ---- the tree id of a source's folder ---- */

/* A folder on the way down. */
struct level {
	struct source_names names;
	struct tree tree;
	size_t next; /* name to look at */
	size_t path; /* length of the folder's path */
};

struct walk {
	struct source *source;
	struct sink *sink;
	struct buffer path; /* of what is being looked at, with a NUL */
	struct buffer data;
	struct level levels[DEPTH_MAX];
	size_t depth; /* levels in use */
};

static int enter_folder(struct walk *w, struct error *err)
{
	struct level *l = &w->levels[w->depth];
	const char *path = buffer_cstr(&w->path);
	int rc;

	if (!path)
		return error_nomem(err);
	if (w->depth == DEPTH_MAX)
		return error_set(err, ERROR_DAMAGE,
				 "%s: '%s' lies deeper than any folder of a "
				 "snapshot",
				 w->source->label, path);
	memset(l, 0, sizeof(*l));
	l->path = w->path.size;
	w->depth++;
	rc = w->source->list(w->source, path, &l->names, err);
	if (rc > 0)
		return error_set(err, ERROR_DAMAGE,
				 "%s: folder '%s' is missing", w->source->label,
				 path);
	return rc;
}

static int hash_file(struct walk *w, struct object_id *id, struct error *err)
{
	const char *path = buffer_cstr(&w->path);
	int rc;

	if (!path)
		return error_nomem(err);
	buffer_clear(&w->data);
	rc = w->source->read(w->source, path, &w->data, err);
	if (rc > 0)
		return error_set(err, ERROR_DAMAGE, "%s: file '%s' is missing",
				 w->source->label, path);
	if (rc < 0)
		return -1;
	return w->sink->put(w->sink, OBJECT_BLOB, path,
			    w->data.size ? w->data.data : "", w->data.size, id,
			    err);
}

/* The folder is complete: put it and tell its parent. */
static int leave_folder(struct walk *w, struct object_id *id, struct error *err)
{
	struct level *l = &w->levels[w->depth - 1], *parent;
	size_t entries = l->tree.count;
	int rc;

	rc = tree_put(&l->tree, w->sink, id, err);
	source_names_release(&l->names);
	w->depth--;
	/* Git knows no empty folders; a folder on disk can hold some. */
	if (rc < 0 || !w->depth || !entries)
		return rc;
	parent = &w->levels[w->depth - 1];
	return tree_add(&parent->tree,
			parent->names.names[parent->next - 1].name, 1, id, err);
}

static int next_name(struct walk *w, struct level *l, struct error *err)
{
	const struct source_name *n = &l->names.names[l->next++];
	struct object_id id;

	if (!n->folder)
		source_tell(w->source, &l->names, l->next - 1, &w->path,
			    l->path);
	w->path.size = l->path;
	buffer_byte(&w->path, '/');
	buffer_str(&w->path, n->name);
	if (buffer_failed(&w->path))
		return error_nomem(err);
	if (n->folder)
		return enter_folder(w, err);
	if (hash_file(w, &id, err) < 0)
		return -1;
	return tree_add(&l->tree, n->name, 0, &id, err);
}

int source_tree_id(struct source *s, const char *path, struct object_id *id,
		   struct error *err)
{
	struct walk w = { .source = s };
	int rc = -1;

	if (hash_sink_new(&w.sink, err) < 0)
		goto done;
	buffer_str(&w.path, path);
	if (enter_folder(&w, err) < 0)
		goto done;
	while (w.depth) {
		struct level *l = &w.levels[w.depth - 1];

		rc = l->next < l->names.count ? next_name(&w, l, err)
					      : leave_folder(&w, id, err);
		if (rc < 0)
			goto done;
	}
	rc = 0;
done:
	while (w.depth) {
		struct level *l = &w.levels[--w.depth];

		source_names_release(&l->names);
		tree_release(&l->tree);
	}
	buffer_release(&w.path);
	buffer_release(&w.data);
	hash_sink_free(w.sink);
	return rc;
}
