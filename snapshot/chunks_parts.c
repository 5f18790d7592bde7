/*
 * chunks_parts.c - the folder "values": part files of big values
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/chunks_internal.h"
#include "snapshot/row.h"

/* "values/ab/": what row_part_path() puts in front of a part's own name */
#define PART_PREFIX_SIZE 10

static size_t first_slot(const struct chunk_parts *p,
			 const unsigned char sha256[32], unsigned int part)
{
	uint64_t bits;

	memcpy(&bits, sha256, sizeof(bits));
	return (size_t)((bits + part) & (p->capacity - 1));
}

/* @return the slot that holds the part, or the free one where it belongs */
static struct chunk_part *find_slot(const struct chunk_parts *p,
				    const unsigned char sha256[32],
				    unsigned int part)
{
	size_t at = first_slot(p, sha256, part);

	while (p->slots[at].used &&
	       (p->slots[at].part != part ||
		memcmp(p->slots[at].sha256, sha256, 32) != 0))
		at = (at + 1) & (p->capacity - 1);
	return &p->slots[at];
}

static int grow_slots(struct chunk_parts *p, struct error *err)
{
	struct chunk_parts bigger = { NULL, p->capacity ? p->capacity * 2 : 16,
				      p->count };
	size_t i;

	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots)
		return error_nomem(err);
	for (i = 0; i < p->capacity; i++) {
		const struct chunk_part *old = &p->slots[i];

		if (old->used)
			*find_slot(&bigger, old->sha256, old->part) = *old;
	}
	free(p->slots);
	*p = bigger;
	return 0;
}

int chunk_parts_add(struct chunk_parts *p, const struct chunk_part *part,
		    struct error *err)
{
	struct chunk_part *slot;

	if (p->count + 1 > p->capacity / 2 && grow_slots(p, err) < 0)
		return -1;
	slot = find_slot(p, part->sha256, part->part);
	if (slot->used)
		return 0;
	*slot = *part;
	slot->used = 1;
	p->count++;
	return 1;
}

int chunk_parts_has(const struct chunk_parts *p, const unsigned char sha256[32])
{
	return p->capacity && find_slot(p, sha256, 0)->used;
}

static int compare_parts(const void *a, const void *b)
{
	const struct chunk_part *x = a, *y = b;
	int diff = memcmp(x->sha256, y->sha256, sizeof(x->sha256));

	if (!diff)
		diff = x->part < y->part ? -1 : x->part > y->part;
	return diff;
}

/* The parts alone, sorted: those of one subfolder stand together. */
static struct chunk_part *sorted_parts(const struct chunk_parts *p)
{
	struct chunk_part *parts = calloc(p->count + 1, sizeof(*parts));
	size_t i, n = 0;

	if (!parts)
		return NULL;
	for (i = 0; i < p->capacity; i++)
		if (p->slots[i].used)
			parts[n++] = p->slots[i];
	qsort(parts, n, sizeof(*parts), compare_parts);
	return parts;
}

int chunk_parts_put(const struct chunk_parts *p, struct sink *s,
		    struct object_id *id, struct error *err)
{
	struct chunk_part *parts = sorted_parts(p);
	struct tree values = { 0 }, folder = { 0 };
	struct object_id folder_id;
	size_t i;
	int rc = -1;

	if (!parts)
		return error_nomem(err);
	for (i = 0; i < p->count; i++) {
		char path[ROW_PART_PATH_SIZE];

		row_part_path(path, parts[i].sha256, parts[i].part);
		if (tree_add(&folder, path + PART_PREFIX_SIZE, 0, &parts[i].id,
			     err) < 0)
			goto done;
		if (i + 1 < p->count &&
		    parts[i + 1].sha256[0] == parts[i].sha256[0])
			continue;
		path[PART_PREFIX_SIZE - 1] = '\0';
		if (tree_put(&folder, s, &folder_id, err) < 0 ||
		    tree_add(&values, path + sizeof(CHUNK_VALUES), 1,
			     &folder_id, err) < 0)
			goto done;
	}
	rc = tree_put(&values, s, id, err);
done:
	tree_release(&values);
	tree_release(&folder);
	free(parts);
	return rc;
}

void chunk_parts_release(struct chunk_parts *p)
{
	free(p->slots);
	memset(p, 0, sizeof(*p));
}
