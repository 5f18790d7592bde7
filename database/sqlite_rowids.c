/*
 * sqlite_rowids.c - the rowids of a table, one bit each
 */
#include "base/error.h"
#include "database/sqlite_pages.h"

#include <stdlib.h>

/* Call `each` for all rowids from a leaf on, ascending.
 * @return 0; 1; -1; what `each` returned instead of 0 */
static int read_rowids(const struct leaves *t, size_t from,
		       int (*each)(struct rowid_set *, int64_t),
		       struct rowid_set *set)
{
	struct cells cells;
	struct cell c;
	int rc = cells_open(&cells, t);

	if (rc == 0)
		cells_range(&cells, from, t->leaf_count);
	while (rc == 0) {
		rc = cells_next(&cells, &c);
		if (rc != 1) {
			rc = rc == 2 ? 1 : rc;
			break;
		}
		rc = each(set, c.rowid);
	}
	cells_release(&cells);
	return rc;
}

/* Of the last leaf's rowids the greatest; of the first row the rowid. */
static int note_last(struct rowid_set *set, int64_t rowid)
{
	set->size = (uint64_t)rowid;
	return 0;
}

static int note_first(struct rowid_set *set, int64_t rowid)
{
	set->first = rowid;
	return 2; /* that is all */
}

static int add_rowid(struct rowid_set *set, int64_t rowid)
{
	uint64_t bit = (uint64_t)rowid - (uint64_t)set->first;

	if (bit >= set->size)
		return 1;
	set->bits[bit / 64] |= (uint64_t)1 << bit % 64;
	return 0;
}

/* From which rowid to which. @return 0; 1: too far; -1 */
static int measure(const struct leaves *t, struct rowid_set *set)
{
	int rc = read_rowids(t, 0, note_first, set);

	if (rc == 0) /* there is none */
		return 0;
	if (rc != 2)
		return rc;
	rc = read_rowids(t, t->leaf_count - 1, note_last, set);
	if (rc)
		return rc;
	set->size -= (uint64_t)set->first;
	return set->size++ >= ROWID_BITS_MAX;
}

static int fill_set(const struct rowid_sets *s, const struct leaves *t,
		    struct rowid_set *set)
{
	int rc = measure(t, set);

	if (rc)
		return rc;
	if (s->bits + set->size > ROWID_BITS_MAX)
		return 1;
	set->bits = calloc(set->size / 64 + 1, sizeof(*set->bits));
	return set->bits ? read_rowids(t, 0, add_rowid, set) : -1;
}

int rowid_sets_find(struct rowid_sets *s, const struct pages *p, uint32_t root,
		    size_t *out, struct error *err)
{
	struct rowid_set set = { .root = root }, *grown;
	struct leaves leaves;
	int rc;

	for (*out = 0; *out < s->count; ++*out)
		if (s->sets[*out].root == root)
			return !s->sets[*out].bits;
	rc = leaves_find(&leaves, p, root);
	if (rc == 0 && !leaves.of_table)
		rc = 1;
	if (rc == 0)
		rc = fill_set(s, &leaves, &set);
	leaves_release(&leaves);
	grown = rc < 0 ? NULL
		       : realloc(s->sets, (s->count + 1) * sizeof(*grown));
	if (!grown) {
		free(set.bits);
		return error_nomem(err);
	}
	s->sets = grown;
	if (rc > 0) { /* and it is not tried again */
		free(set.bits);
		set.bits = NULL;
	}
	s->bits += set.bits ? set.size : 0;
	s->sets[s->count++] = set;
	return rc;
}

void rowid_sets_release(struct rowid_sets *s)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		free(s->sets[i].bits);
	free(s->sets);
	memset(s, 0, sizeof(*s));
}
