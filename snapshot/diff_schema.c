/*
 * diff_schema.c - tables, indexes, views and triggers that differ
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/diff_internal.h"

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a;
	const struct entry *y = *(const struct entry *const *)b;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The entries of a catalog by type and name, in new memory. */
static const struct entry **sorted_entries(const struct catalog *c)
{
	const struct entry **list = calloc(c->entry_count + 1, sizeof(*list));
	size_t i;

	for (i = 0; list && i < c->entry_count; i++)
		list[i] = &c->entries[i];
	if (list)
		qsort(list, c->entry_count, sizeof(*list), compare_entries);
	return list;
}

static int same_text(const struct entry *a, const struct entry *b)
{
	return a->sql_size == b->sql_size &&
	       !memcmp(a->sql, b->sql, a->sql_size) &&
	       !strcmp(a->table, b->table);
}

static int compare_places(const void *a, const void *b)
{
	const struct diff_entry *x = a, *y = b;

	return (x->a > y->a) - (x->a < y->a);
}

static int compare_pairs(const void *a, const void *b)
{
	const struct diff_entry *x = a, *y = b;

	return compare_entries(x->a ? &x->a : &x->b, y->a ? &y->a : &y->b);
}

/*
 * Triggers of one table fire in the order in which they are listed.  Those that
 * both sides have with one text stand in `pairs`; of them those are kept that
 * lie behind one that they lay in front of.
 */
static size_t keep_moved(struct diff_entry *pairs, size_t count)
{
	const struct entry *last = NULL;
	size_t kept = 0, i;

	if (count)
		qsort(pairs, count, sizeof(*pairs), compare_places);
	for (i = 0; i < count; i++) {
		struct diff_entry e = pairs[i];

		if (last && !strcmp(last->table, e.b->table) && e.b < last) {
			e.moved = 1;
			pairs[kept++] = e;
		} else {
			last = e.b;
		}
	}
	return kept;
}

static void compare_pair(struct diff_entry *out, size_t *count,
			 struct diff_entry *same, size_t *same_count,
			 const struct entry *a, const struct entry *b)
{
	struct diff_entry e = { .change = DIFF_CHANGED, .a = a, .b = b };

	if (!a || !b)
		e.change = a ? DIFF_REMOVED : DIFF_ADDED;
	else if (same_text(a, b)) {
		if (a->type == ENTRY_TRIGGER)
			same[(*same_count)++] = e;
		return;
	}
	out[(*count)++] = e;
}

int diff_schema(const struct diff *d, struct diff_entry **out, size_t *count,
		struct error *err)
{
	const struct catalog *a = diff_catalog(d, DIFF_A),
			     *b = diff_catalog(d, DIFF_B);
	const struct entry **in_a = sorted_entries(a),
			   **in_b = sorted_entries(b);
	size_t room = a->entry_count + b->entry_count + 1, triggers = 0;
	struct diff_entry *list = calloc(room, sizeof(*list));
	struct diff_entry *same = calloc(room, sizeof(*same));
	size_t i = 0, j = 0;
	int rc = -1;

	*out = NULL;
	*count = 0;
	if (!in_a || !in_b || !list || !same) {
		error_nomem(err);
		goto done;
	}
	while (i < a->entry_count || j < b->entry_count) {
		int diff = i == a->entry_count ? 1
			   : j == b->entry_count
				   ? -1
				   : compare_entries(&in_a[i], &in_b[j]);

		compare_pair(list, count, same, &triggers,
			     diff <= 0 ? in_a[i] : NULL,
			     diff >= 0 ? in_b[j] : NULL);
		i += diff <= 0;
		j += diff >= 0;
	}
	triggers = keep_moved(same, triggers);
	memcpy(list + *count, same, triggers * sizeof(*same));
	*count += triggers;
	if (*count)
		qsort(list, *count, sizeof(*list), compare_pairs);
	*out = list;
	list = NULL;
	rc = 0;
done:
	free(in_a);
	free(in_b);
	free(list);
	free(same);
	return rc;
}
