/*
 * id_set.c - a set of object ids
 *
 * Open addressing with linear steps over the bare ids.  Ids are hashes, so
 * their first bytes are the hash.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gitstore/gitstore_internal.h"

static size_t slot_of(const struct id_set *s, const struct object_id *id)
{
	uint64_t hash;
	size_t at;

	memcpy(&hash, id->bytes, sizeof(hash));
	at = (size_t)hash & (s->capacity - 1);
	while (!object_is_zero(&s->slots[at]) &&
	       !object_same(&s->slots[at], id))
		at = (at + 1) & (s->capacity - 1);
	return at;
}

static int grow(struct id_set *s, struct error *err)
{
	struct id_set bigger = { NULL, s->capacity ? s->capacity * 2 : 1024,
				 s->count };
	size_t i;

	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots)
		return error_nomem(err);
	for (i = 0; i < s->capacity; i++)
		if (!object_is_zero(&s->slots[i]))
			bigger.slots[slot_of(&bigger, &s->slots[i])] =
				s->slots[i];
	free(s->slots);
	*s = bigger;
	return 0;
}

int id_set_add(struct id_set *s, const struct object_id *id, struct error *err)
{
	size_t at;

	if (object_is_zero(id)) /* stands for a free slot; never an object */
		return 0;
	if (s->count + 1 > s->capacity / 4 * 3 && grow(s, err) < 0)
		return -1;
	at = slot_of(s, id);
	if (!object_is_zero(&s->slots[at]))
		return 0;
	s->slots[at] = *id;
	s->count++;
	return 1;
}

int id_set_has(const struct id_set *s, const struct object_id *id)
{
	return s->capacity && !object_is_zero(&s->slots[slot_of(s, id)]);
}

void id_set_release(struct id_set *s)
{
	free(s->slots);
	memset(s, 0, sizeof(*s));
}
