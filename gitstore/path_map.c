/*
 * path_map.c - which object a path of the newest snapshot has
 *
 * Open addressing by a hash of the path.  Two paths of one hash would share an
 * object: the later one would get a delta base that does not suit it, and be
 * stored whole.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"

#define TABLES "data/tables/"

#define SECOND UINT64_C(0x9e3779b97f4a7c15)

/*
 * A sink is told "data/tables/TABLE/FILE", whatever folders the table's files
 * come to lie in, so these count for nothing.
 */
uint64_t path_key(const char *path)
{
	const char *name = strrchr(path, '/'), *table_end = name;
	uint64_t key;

	if (!strncmp(path, TABLES, strlen(TABLES)))
		table_end = strchr(path + strlen(TABLES), '/');
	if (!name || !table_end)
		return hash_bytes64(path, strlen(path)) | 1;
	key = hash_bytes64(path, (size_t)(table_end - path)) * SECOND;
	return (key ^ hash_bytes64(name, strlen(name))) | 1; /* 0 is free */
}

static size_t slot_of(const struct path_map *m, uint64_t key)
{
	size_t at = (size_t)hash_mix64(key) & (m->capacity - 1);

	while (m->slots[at].key && m->slots[at].key != key)
		at = (at + 1) & (m->capacity - 1);
	return at;
}

static int grow(struct path_map *m, struct error *err)
{
	struct path_map bigger = { NULL, m->capacity ? m->capacity * 2 : 256,
				   m->count };
	size_t i;

	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots)
		return error_nomem(err);
	for (i = 0; i < m->capacity; i++)
		if (m->slots[i].key)
			bigger.slots[slot_of(&bigger, m->slots[i].key)] =
				m->slots[i];
	free(m->slots);
	*m = bigger;
	return 0;
}

int path_map_add(struct path_map *m, uint64_t key, const struct object_id *id,
		 struct error *err)
{
	size_t at;

	if (m->count + 1 > m->capacity / 4 * 3 && grow(m, err) < 0)
		return -1;
	at = slot_of(m, key);
	m->count += !m->slots[at].key;
	m->slots[at].key = key;
	m->slots[at].id = *id;
	return 0;
}

const struct object_id *path_map_find(const struct path_map *m, uint64_t key)
{
	size_t at;

	if (!m->capacity)
		return NULL;
	at = slot_of(m, key);
	return m->slots[at].key ? &m->slots[at].id : NULL;
}

void path_map_release(struct path_map *m)
{
	free(m->slots);
	memset(m, 0, sizeof(*m));
}
