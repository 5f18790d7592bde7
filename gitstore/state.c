/*
 * state.c - what a branch tells beside its snapshots: tombstones, pins, policy
 *
 * Each statement carries its time, so that of two copies of a branch the later
 * word counts (sync_merge.c), whichever copy it was said on.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gitstore/gitstore_internal.h"

int tombstone_add(struct tombstone **all, size_t *count,
		  const struct object_id *id, int64_t when_s, struct error *err)
{
	struct tombstone *more;

	/* room for a power of two; more than that where one was removed */
	if (!(*count & (*count - 1))) {
		more = realloc(*all, (*count + 1) * 2 * sizeof(*more));
		if (!more)
			return error_nomem(err);
		*all = more;
	}
	(*all)[*count].id = *id;
	(*all)[(*count)++].deleted_at_s = when_s;
	return 0;
}

int tombstone_find(const struct tombstone *all, size_t count,
		   const struct object_id *id, int64_t *when_s)
{
	int found = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		if (!object_same(&all[i].id, id))
			continue;
		if (!found || all[i].deleted_at_s > *when_s)
			*when_s = all[i].deleted_at_s;
		found = 1;
	}
	return found;
}

void tombstone_remove(struct tombstone *all, size_t *count,
		      const struct object_id *id)
{
	size_t i, kept = 0;

	for (i = 0; i < *count; i++)
		if (!object_same(&all[i].id, id))
			all[kept++] = all[i];
	*count = kept;
}

int history_pin(struct history *h, size_t at, int pinned, int64_t when_s,
		struct error *err)
{
	struct snapshot *s = &h->snapshots[at];
	int64_t before = 0;

	if (!pinned) {
		if (when_s <= s->pinned_at_s)
			when_s = s->pinned_at_s + 1;
		s->pinned = 0;
		s->pinned_at_s = 0;
		return tombstone_add(&h->unpinned, &h->unpinned_count, &s->id,
				     when_s, err);
	}
	if (tombstone_find(h->unpinned, h->unpinned_count, &s->id, &before) &&
	    when_s < before)
		when_s = before;
	tombstone_remove(h->unpinned, &h->unpinned_count, &s->id);
	s->pinned = 1;
	s->pinned_at_s = when_s;
	return 0;
}

int history_delete(struct history *h, size_t at, int64_t when_s,
		   struct error *err)
{
	struct object_id id = h->snapshots[at].id;

	if (tombstone_add(&h->deleted, &h->deleted_count, &id, when_s, err) < 0)
		return -1;
	tombstone_remove(h->unpinned, &h->unpinned_count, &id);
	history_remove(h, at);
	if (!at)
		h->checked_at_s = 0; /* it was about the one that goes */
	return 0;
}

void history_set_keep(struct history *h, unsigned int keep, int for_all,
		      int64_t when_s)
{
	h->keep = keep;
	if (for_all)
		h->keep_set_s = when_s > h->keep_set_s ? when_s
						       : h->keep_set_s + 1;
}
