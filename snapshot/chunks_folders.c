/*
 * chunks_folders.c - chunk files into folders of at most a thousand
 *
 * Files lie flat in the table's folder until there are 1,001 of them.  Then
 * they are grouped into folders, cut by eight bits of the second hash of each
 * file's first row; when the folders are too many, they are grouped by the
 * next eight bits, and so on.  The result depends on the rows alone, yet no
 * more than one open folder a level is kept:
 *
 *   level 0   files     ... f7 f8 f9          put as a folder when a group ends
 *   level 1   folders   ... g3 g4
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "snapshot/chunks_internal.h"

#define LEVEL_BITS 8

/* The name of entry `at` in its folder: two first keys of one folder can have
 * the same digits, then the later ones are numbered from 2. */
static void entry_name(char out[CHUNK_NAME_SIZE], const struct chunk_folders *f,
		       size_t level, size_t at)
{
	const struct chunk_level *l = &f->levels[level];
	const char *suffix = level ? "" : CHUNK_SUFFIX;
	const char *stem = l->entries[at].stem;
	unsigned int same = 1;
	size_t i;

	for (i = 0; f->listed && i < at; i++)
		same += !strcmp(l->entries[i].stem, stem);
	if (same > 1)
		snprintf(out, CHUNK_NAME_SIZE, "%s-%u%s", stem, same, suffix);
	else
		snprintf(out, CHUNK_NAME_SIZE, "%s%s", stem, suffix);
}

static int put_list(struct chunk_folders *f, struct tree *t,
		    const struct buffer *list, struct error *err)
{
	struct object_id id;

	if (buffer_failed(list))
		return error_nomem(err);
	if (f->sink->put(f->sink, OBJECT_BLOB, NULL, list->data, list->size,
			 &id, err) < 0)
		return -1;
	return tree_add(t, CHUNK_LIST_FILE, 0, &id, err);
}

/* Put the open folder of a level. */
static int put_level(struct chunk_folders *f, size_t level,
		     const struct object_id *values, struct object_id *id,
		     struct error *err)
{
	struct chunk_level *l = &f->levels[level];
	struct buffer list = BUFFER_INIT;
	struct tree t = { 0 };
	char name[CHUNK_NAME_SIZE];
	size_t i;
	int rc = -1;

	for (i = 0; i < l->count; i++) {
		entry_name(name, f, level, i);
		buffer_printf(&list, "%s\n", name);
		if (tree_add(&t, name, level > 0, &l->entries[i].id, err) < 0)
			goto done;
	}
	if (f->listed && put_list(f, &t, &list, err) < 0)
		goto done;
	if (values && tree_add(&t, CHUNK_VALUES, 1, values, err) < 0)
		goto done;
	rc = tree_put(&t, f->sink, id, err);
done:
	tree_release(&t);
	buffer_release(&list);
	return rc;
}

/* The group is complete: it becomes an entry of the level above. */
static int close_group(struct chunk_folders *f, size_t level, struct error *err)
{
	struct chunk_level *l = &f->levels[level];
	struct chunk_entry group = l->entries[0];

	if (level + 1 == CHUNK_LEVELS_MAX)
		return error_set(err, ERROR_FAILED,
				 "a table has more rows than a snapshot's "
				 "folders can hold");
	if (put_level(f, level, NULL, &group.id, err) < 0)
		return -1;
	l->count = 0;
	return chunk_folders_add(f, level + 1, &group, err);
}

/* The level overflows: what lay flat in it goes into groups. */
static int begin_groups(struct chunk_folders *f, size_t level,
			struct error *err)
{
	struct chunk_level *l = &f->levels[level];
	struct chunk_entry *flat = l->entries;
	size_t count = l->count, i;
	int rc = 0;

	l->grouped = 1;
	l->entries = NULL;
	l->count = 0;
	for (i = 0; !rc && i < count; i++)
		rc = chunk_folders_add(f, level, &flat[i], err);
	free(flat);
	return rc;
}

int chunk_folders_add(struct chunk_folders *f, size_t level,
		      const struct chunk_entry *e, struct error *err)
{
	struct chunk_level *l = &f->levels[level];
	unsigned int shift = (unsigned int)level * LEVEL_BITS;
	int full = l->count == CHUNK_FOLDER_MAX;

	if (!l->grouped && full && begin_groups(f, level, err) < 0)
		return -1;
	full = l->count == CHUNK_FOLDER_MAX;
	if (l->grouped && l->count &&
	    (full || !((e->bits >> shift) & ((1U << LEVEL_BITS) - 1))) &&
	    close_group(f, level, err) < 0)
		return -1;
	if (!l->entries) {
		l->entries = calloc(CHUNK_FOLDER_MAX, sizeof(*l->entries));
		if (!l->entries)
			return error_nomem(err);
	}
	l->entries[l->count++] = *e;
	return 0;
}

int chunk_folders_finish(struct chunk_folders *f,
			 const struct object_id *values, struct object_id *id,
			 struct error *err)
{
	size_t level;

	for (level = 0; f->levels[level].grouped; level++)
		if (close_group(f, level, err) < 0)
			return -1;
	return put_level(f, level, values, id, err);
}

void chunk_folders_release(struct chunk_folders *f)
{
	size_t i;

	for (i = 0; i < CHUNK_LEVELS_MAX; i++)
		free(f->levels[i].entries);
	memset(f->levels, 0, sizeof(f->levels));
}
