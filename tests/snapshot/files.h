/*
 * files.h - a snapshot as files in memory that a test can change, and a sink
 * whose trees unfold into them
 */
#ifndef TESTS_SNAPSHOT_FILES_H
#define TESTS_SNAPSHOT_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/error.h"
#include "snapshot/object.h"

struct file {
	char *path;
	struct buffer data;
};

struct files {
	struct source source; /* first */
	struct file *files;
	size_t count;
	size_t fails_at; /* the call of that number fails; 0: none does */
	size_t calls;
	struct buffer told; /* and not read yet: paths, each with '\n' */
	size_t tells, most; /* that waited at a time */
	int tells_ids;      /* when it is listed; they mean nothing */
};

/* @return -1 with an error when it is this call's turn to fail */
static inline int fails(size_t *calls, size_t fails_at, struct error *err)
{
	if (++*calls != fails_at)
		return 0;
	return error_set(err, ERROR_NOSPACE, "call %zu fails", fails_at);
}

static inline struct file *files_find(struct files *f, const char *path)
{
	for (size_t i = 0; i < f->count; i++)
		if (!strcmp(f->files[i].path, path))
			return &f->files[i];
	return NULL;
}

static inline void files_will_read(struct source *s, const char *path)
{
	struct files *f = (struct files *)s;
	size_t waiting = 0;

	buffer_printf(&f->told, "%s\n", path);
	for (size_t i = 0; i < f->told.size; i++)
		waiting += f->told.data[i] == '\n';
	if (waiting > f->most)
		f->most = waiting;
	f->tells++;
}

/* What was told first is read first. */
static inline void files_expect(struct files *f, const char *path)
{
	size_t size = strlen(path) + 1;

	if (f->told.size < size || f->told.data[size - 1] != '\n' ||
	    memcmp(f->told.data, path, size - 1) != 0)
		return;
	f->told.size -= size;
	memmove(f->told.data, f->told.data + size, f->told.size);
}

static inline int files_read(struct source *s, const char *path,
			     struct buffer *out, struct error *err)
{
	struct files *f = (struct files *)s;
	struct file *file = files_find(f, path);

	files_expect(f, path);
	if (fails(&f->calls, f->fails_at, err) < 0)
		return -1;
	if (!file)
		return 1;
	buffer_add(out, file->data.data, file->data.size);
	return 0;
}

static inline int files_list(struct source *s, const char *path,
			     struct source_names *out, struct error *err)
{
	struct files *f = (struct files *)s;
	size_t size = strlen(path), n;
	char name[256];

	if (fails(&f->calls, f->fails_at, err) < 0)
		return -1;
	for (size_t i = 0; i < f->count; i++) {
		const char *p = f->files[i].path;

		if (strncmp(p, path, size) != 0 || p[size] != '/')
			continue;
		p += size + 1;
		n = strcspn(p, "/");
		memcpy(name, p, n);
		name[n] = '\0';
		for (size_t j = 0; j < out->count; j++)
			if (!strcmp(out->names[j].name, name))
				goto next;
		assert_int_equal(source_names_add(out, name, p[n] == '/', err),
				 0);
		out->names[out->count - 1].known = f->tells_ids;
	next:;
	}
	source_names_sort(out);
	return out->count ? 0 : 1;
}

static inline void files_free(struct source *s)
{
	struct files *f = (struct files *)s;

	for (size_t i = 0; i < f->count; i++) {
		free(f->files[i].path);
		buffer_release(&f->files[i].data);
	}
	free(f->files);
	buffer_release(&f->told);
	free(f);
}

/* Reads what the source does, but no call fails. */
struct files_reader {
	struct source_reader reader; /* first */
	struct files *files;
};

static inline int files_reader_read(struct source_reader *reader,
				    const char *path,
				    const struct object_id *id, size_t limit,
				    struct buffer *out)
{
	struct file *file =
		files_find(((struct files_reader *)reader)->files, path);

	(void)id;
	if (!file || file->data.size > limit)
		return 1;
	buffer_add(out, file->data.data, file->data.size);
	return 0;
}

static inline void files_reader_free(struct source_reader *reader)
{
	free(reader);
}

/** For `source.reader`, which is NULL. */
static inline struct source_reader *files_reader(struct source *s)
{
	struct files_reader *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->reader.read = files_reader_read;
	r->reader.free = files_reader_free;
	r->files = (struct files *)s;
	return &r->reader;
}

static inline struct files *files_new(void)
{
	struct files *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->source.label = "snapshot 1f2e3d4";
	f->source.read = files_read;
	f->source.list = files_list;
	f->source.free = files_free;
	f->source.will_read = files_will_read;
	return f;
}

/** Add a file or replace its content. */
static inline void files_put(struct files *f, const char *path,
			     const void *data, size_t size)
{
	struct file *file = files_find(f, path);

	if (!file) {
		f->files = realloc(f->files, (f->count + 1) * sizeof(*file));
		assert_non_null(f->files);
		file = &f->files[f->count++];
		memset(file, 0, sizeof(*file));
		file->path = strdup(path);
	}
	buffer_clear(&file->data);
	buffer_add(&file->data, data, size);
}

static inline void files_text(struct files *f, const char *path,
			      const char *text)
{
	files_put(f, path, text, strlen(text));
}

static inline void files_remove(struct files *f, const char *path)
{
	struct file *file = files_find(f, path);

	assert_non_null(file);
	free(file->path);
	buffer_release(&file->data);
	*file = f->files[--f->count];
}

/* ---- a sink that keeps what it is given ---- */

struct kept {
	struct object_id id;
	struct buffer data;
};

struct keep {
	struct sink sink; /* first */
	struct sink *hash;
	struct kept *kept;
	size_t count, puts;
	size_t fails_at; /* the put of that number fails; 0: none does */
};

static inline int keep_put(struct sink *s, enum object_type type,
			   const char *name, const void *data, size_t size,
			   struct object_id *id, struct error *err)
{
	struct keep *k = (struct keep *)s;

	if (fails(&k->puts, k->fails_at, err) < 0 ||
	    k->hash->put(k->hash, type, name, data, size, id, err) < 0)
		return -1;
	k->kept = realloc(k->kept, (k->count + 1) * sizeof(*k->kept));
	assert_non_null(k->kept);
	memset(&k->kept[k->count], 0, sizeof(*k->kept));
	k->kept[k->count].id = *id;
	buffer_add(&k->kept[k->count++].data, data, size);
	return 0;
}

static inline struct keep *keep_new(void)
{
	struct keep *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	k->sink.put = keep_put;
	assert_int_equal(hash_sink_new(&k->hash, NULL), 0);
	return k;
}

static inline void keep_free(struct keep *k)
{
	for (size_t i = 0; i < k->count; i++)
		buffer_release(&k->kept[i].data);
	free(k->kept);
	hash_sink_free(k->hash);
	free(k);
}

static inline const struct buffer *keep_find(const struct keep *k,
					     const struct object_id *id)
{
	for (size_t i = 0; i < k->count; i++)
		if (!memcmp(&k->kept[i].id, id, sizeof(*id)))
			return &k->kept[i].data;
	return NULL;
}

/** Unfold the tree `id` into files below `path`. */
static inline void keep_unfold(const struct keep *k, const struct object_id *id,
			       const char *path, struct files *out)
{
	const struct buffer *tree = keep_find(k, id);
	const char *p, *end, *name;
	struct object_id child;
	char full[512];

	assert_non_null(tree);
	for (p = tree->data, end = p + tree->size; p < end;) {
		int folder = !strncmp(p, "40000 ", 6);

		name = strchr(p, ' ') + 1;
		p = name + strlen(name) + 1;
		memcpy(&child, p, sizeof(child));
		p += sizeof(child);
		assert_true(snprintf(full, sizeof(full), "%s/%s", path, name) <
			    (int)sizeof(full));
		if (folder) {
			keep_unfold(k, &child, full, out);
			continue;
		}
		tree = keep_find(k, &child);
		assert_non_null(tree);
		files_put(out, full, tree->data, tree->size);
	}
}

#endif /* TESTS_SNAPSHOT_FILES_H */
