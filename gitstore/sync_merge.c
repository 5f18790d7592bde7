/*
 * sync_merge.c - two copies of a branch become one list
 *
 * Both sides compute it, in any order and any number of times, and must come
 * to the same list; so it depends on nothing but what the two lists say.
 *
 * - Snapshots are united by id; a tombstone on either side beats that.
 * - Order is recorded order.  Where the two sides have nothing to say about
 *   the order of two snapshots, the younger one comes first:
 *
 *       ours    d3 (Nov 12)  b2  a1   \   d3  c3  b2  a1
 *       theirs  c3 (Nov 11)  b2  a1   /
 *
 *   Time alone would not do: a snapshot that was made while the clock was
 *   wrong would stay in front for years.
 * - Of what was said of a pin, of the policy and so on the later word counts.
 *
 * What retention dropped on one side has no tombstone, and comes back: the
 * policy that keeps more holds for both sides, and dropping it again is for
 * the caller, history_retain().
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gitstore/gitstore_internal.h"

/* ---- lists of ids and times ---- */

static int compare_tombstones(const void *a, const void *b)
{
	const struct tombstone *x = a, *y = b;
	int diff = memcmp(&x->id, &y->id, sizeof(x->id));

	if (diff)
		return diff;
	return (x->deleted_at_s < y->deleted_at_s) -
	       (x->deleted_at_s > y->deleted_at_s);
}

struct tombstones {
	struct tombstone *items;
	size_t count;
};

static int add_all(struct tombstones *to, const struct tombstone *from,
		   size_t count, struct error *err)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (tombstone_add(&to->items, &to->count, &from[i].id,
				  from[i].deleted_at_s, err) < 0)
			return -1;
	return 0;
}

/* Sorted by id, of each id the newest. */
static void tidy(struct tombstones *t)
{
	size_t i, kept = 0;

	if (t->count)
		qsort(t->items, t->count, sizeof(*t->items),
		      compare_tombstones);
	for (i = 0; i < t->count; i++)
		if (!kept ||
		    !object_same(&t->items[kept - 1].id, &t->items[i].id))
			t->items[kept++] = t->items[i];
	t->count = kept;
}

static const struct tombstone *lookup(const struct tombstones *t,
				      const struct object_id *id)
{
	struct tombstone key = { .id = *id, .deleted_at_s = INT64_MAX };
	size_t low = 0, high = t->count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (compare_tombstones(&t->items[mid], &key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == t->count || !object_same(&t->items[low].id, id))
		return NULL;
	return &t->items[low];
}

/* A tombstone says all there is to say of a snapshot. */
static void forget_deleted(struct tombstones *unpinned,
			   const struct tombstones *deleted)
{
	size_t i, kept = 0;

	for (i = 0; i < unpinned->count; i++)
		if (!lookup(deleted, &unpinned->items[i].id))
			unpinned->items[kept++] = unpinned->items[i];
	unpinned->count = kept;
}

/* ---- where a snapshot stands in a list ---- */

struct place {
	struct object_id id;
	size_t at;
};

/* One of the two lists while they are merged. */
struct side {
	const struct history *h;
	struct place *places; /* sorted by id */
	size_t next;          /* the first that is not taken yet */
};

static int compare_places(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct object_id));
}

static int side_begin(struct side *s, const struct history *h,
		      struct error *err)
{
	size_t i;

	s->h = h;
	s->next = 0;
	s->places = calloc(h->count + 1, sizeof(*s->places));
	if (!s->places)
		return error_nomem(err);
	for (i = 0; i < h->count; i++) {
		s->places[i].id = h->snapshots[i].id;
		s->places[i].at = i;
	}
	qsort(s->places, h->count, sizeof(*s->places), compare_places);
	return 0;
}

/* @return SIZE_MAX when the list does not have it */
static size_t position(const struct side *s, const struct object_id *id)
{
	const struct place *found = bsearch(id, s->places, s->h->count,
					    sizeof(*found), compare_places);

	return found ? found->at : SIZE_MAX;
}

static const struct snapshot *find_in(const struct side *s,
				      const struct object_id *id)
{
	size_t at = position(s, id);

	return at == SIZE_MAX ? NULL : &s->h->snapshots[at];
}

/* ---- order ---- */

/* Negative: `a` comes first. */
static int compare_age(const void *a, const void *b)
{
	const struct snapshot *const *x = a, *const *y = b;

	if ((*x)->created_at_s != (*y)->created_at_s)
		return (*x)->created_at_s > (*y)->created_at_s ? -1 : 1;
	return memcmp(&(*y)->id, &(*x)->id, sizeof((*x)->id));
}

/* Do the two lists contradict each other about the order of what both have? */
static int is_contrary(const struct side *a, const struct side *b)
{
	size_t last = 0, at, i;

	for (i = 0; i < a->h->count; i++) {
		at = position(b, &a->h->snapshots[i].id);
		if (at == SIZE_MAX)
			continue;
		if (at < last)
			return 1;
		last = at;
	}
	return 0;
}

/* Of a snapshot that both have, the copy that tells more. */
static const struct snapshot *better(const struct snapshot *a,
				     const struct snapshot *b)
{
	if (!a || !b)
		return a ? a : b;
	if (a->absent != b->absent)
		return a->absent ? b : a;
	return b->created_at_s > a->created_at_s ? b : a;
}

/* The next in the order of both; one that the other side has further down
 * waits for what stands before it there. */
static const struct snapshot *take_next(struct side *a, struct side *b)
{
	const struct snapshot *x = NULL, *y = NULL;

	if (a->next < a->h->count)
		x = &a->h->snapshots[a->next];
	if (b->next < b->h->count)
		y = &b->h->snapshots[b->next];
	if (x && y && object_same(&x->id, &y->id)) {
		a->next++;
		b->next++;
		return better(x, y);
	}
	if (x && y && position(b, &x->id) != SIZE_MAX)
		x = NULL;
	else if (x && y && position(a, &y->id) != SIZE_MAX)
		y = NULL;
	else if (x && y && compare_age(&x, &y) > 0)
		x = NULL;
	if (x)
		a->next++;
	else
		b->next++;
	return x ? x : y;
}

/* All snapshots of both sides, in order.  `out` has room for them. */
static size_t unite(struct side *a, struct side *b, const struct snapshot **out)
{
	int contrary = is_contrary(a, b);
	size_t count = 0, i;

	if (!contrary) {
		while (a->next < a->h->count || b->next < b->h->count)
			out[count++] = take_next(a, b);
		return count;
	}
	/* It takes several remotes and wrong clocks to come here. Time is then
	 * what all can agree on. */
	for (i = 0; i < a->h->count; i++)
		out[count++] = better(&a->h->snapshots[i],
				      find_in(b, &a->h->snapshots[i].id));
	for (i = 0; i < b->h->count; i++)
		if (position(a, &b->h->snapshots[i].id) == SIZE_MAX)
			out[count++] = &b->h->snapshots[i];
	qsort(out, count, sizeof(struct snapshot *), compare_age);
	return count;
}

/* ---- one snapshot ---- */

static int copy_text(char **to, const char *from, struct error *err)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? error_nomem(err) : 0;
}

static int copy_snapshot(struct snapshot *to, const struct snapshot *from,
			 struct error *err)
{
	*to = *from;
	to->source = to->name = to->kind = to->description = to->drill =
		to->schema_revision = to->partial = NULL;
	if (copy_text(&to->source, from->source, err) < 0 ||
	    copy_text(&to->name, from->name, err) < 0 ||
	    copy_text(&to->kind, from->kind, err) < 0 ||
	    copy_text(&to->description, from->description, err) < 0 ||
	    copy_text(&to->drill, from->drill, err) < 0 ||
	    copy_text(&to->schema_revision, from->schema_revision, err) < 0 ||
	    copy_text(&to->partial, from->partial, err) < 0) {
		snapshot_release(to);
		return -1;
	}
	return 0;
}

static int64_t pinned_at(const struct snapshot *s)
{
	if (!s || !s->pinned)
		return -1;
	return s->pinned_at_s < 0 ? 0 : s->pinned_at_s;
}

/* The later word counts; of two at once the one that keeps. */
static void decide_pin(struct snapshot *s, const struct side *a,
		       const struct side *b, struct tombstones *unpinned)
{
	int64_t x = pinned_at(find_in(a, &s->id));
	int64_t y = pinned_at(find_in(b, &s->id));
	const struct tombstone *back = lookup(unpinned, &s->id);

	s->pinned_at_s = x > y ? x : y;
	s->pinned = s->pinned_at_s >= 0 &&
		    (!back || back->deleted_at_s <= s->pinned_at_s);
	if (s->pinned && back)
		tombstone_remove(unpinned->items, &unpinned->count, &s->id);
	if (!s->pinned)
		s->pinned_at_s = 0;
}

/* ---- the whole ---- */

static int check_sources(const struct history *a, const struct history *b,
			 struct error *err)
{
	if (!a->source || !b->source || !strcmp(a->source, b->source))
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "the branch holds snapshots of '%s' here and of '%s' "
			 "there; use --branch NAME for one of them",
			 a->source, b->source);
}

static int is_proven(const struct snapshot *s)
{
	return s->drill && !strcmp(s->drill, "ok");
}

/* Each side has deleted what the other one still relied on. */
static int check_left(const struct history *h, size_t dropped,
		      size_t dropped_proven, struct error *err)
{
	size_t i, proven = 0;

	for (i = 0; i < h->count; i++)
		proven += is_proven(&h->snapshots[i]);
	if (!h->count && dropped)
		return error_set(err, ERROR_REFUSED,
				 "of the snapshots here and there none would "
				 "be left, as each was deleted on one side; "
				 "export again first");
	if (!proven && dropped_proven)
		return error_set(err, ERROR_REFUSED,
				 "no snapshot that was proven restorable would "
				 "be left, as each was deleted on one side; "
				 "export again first");
	return 0;
}

static int take_snapshots(struct history *out, struct side *a, struct side *b,
			  struct tombstones *deleted,
			  struct tombstones *unpinned, struct error *err)
{
	size_t room = a->h->count + b->h->count + 1, count, i, dropped = 0,
	       dropped_proven = 0;
	const struct snapshot **all = calloc(room, sizeof(*all));
	int rc = -1;

	out->snapshots = calloc(room, sizeof(*out->snapshots));
	if (!all || !out->snapshots) {
		error_nomem(err);
		goto done;
	}
	count = unite(a, b, all);
	for (i = 0; i < count; i++) {
		struct snapshot *s = &out->snapshots[out->count];

		if (lookup(deleted, &all[i]->id)) {
			dropped++;
			dropped_proven += is_proven(all[i]);
			continue;
		}
		if (copy_snapshot(s, all[i], err) < 0)
			goto done;
		out->count++;
		decide_pin(s, a, b, unpinned);
	}
	rc = check_left(out, dropped, dropped_proven, err);
done:
	free(all);
	return rc;
}

static int take_policy(struct history *out, const struct history *a,
		       const struct history *b, struct error *err)
{
	const struct history *more = a;

	if (b->keep_set_s > a->keep_set_s ||
	    (b->keep_set_s == a->keep_set_s && b->keep > a->keep))
		more = b;
	out->keep = more->keep;
	out->keep_set_s = more->keep_set_s;
	return copy_text(&out->source, a->source ? a->source : b->source, err);
}

/* It was said of the newest snapshot of the side that said it. */
static void take_checked(struct history *out, const struct history *from)
{
	if (!out->count || !from->count ||
	    !object_same(&out->snapshots[0].id, &from->snapshots[0].id))
		return;
	if (from->checked_at_s > out->checked_at_s)
		out->checked_at_s = from->checked_at_s;
}

int history_merge(struct history **out, const struct history *ours,
		  const struct history *theirs, struct error *err)
{
	struct tombstones deleted = { NULL, 0 }, unpinned = { NULL, 0 };
	struct side a = { .places = NULL }, b = { .places = NULL };
	struct history *h = history_new();
	int rc = -1;

	*out = NULL;
	if (!h) {
		error_nomem(err);
		goto done;
	}
	if (check_sources(ours, theirs, err) < 0 ||
	    add_all(&deleted, ours->deleted, ours->deleted_count, err) < 0 ||
	    add_all(&deleted, theirs->deleted, theirs->deleted_count, err) <
		    0 ||
	    add_all(&unpinned, ours->unpinned, ours->unpinned_count, err) < 0 ||
	    add_all(&unpinned, theirs->unpinned, theirs->unpinned_count, err) <
		    0)
		goto done;
	tidy(&deleted);
	tidy(&unpinned);
	forget_deleted(&unpinned, &deleted);
	if (side_begin(&a, ours, err) < 0 || side_begin(&b, theirs, err) < 0 ||
	    take_snapshots(h, &a, &b, &deleted, &unpinned, err) < 0 ||
	    take_policy(h, ours, theirs, err) < 0)
		goto done;
	take_checked(h, ours);
	take_checked(h, theirs);
	h->deleted = deleted.items;
	h->deleted_count = deleted.count;
	h->unpinned = unpinned.items;
	h->unpinned_count = unpinned.count;
	memset(&deleted, 0, sizeof(deleted));
	memset(&unpinned, 0, sizeof(unpinned));
	*out = h;
	h = NULL;
	rc = 0;
done:
	free(a.places);
	free(b.places);
	free(deleted.items);
	free(unpinned.items);
	history_free(h);
	return rc;
}

/* ---- equal? ---- */

static int same_tombstones(const struct tombstone *a, size_t a_count,
			   const struct tombstone *b, size_t b_count,
			   struct error *err)
{
	struct tombstones x = { NULL, 0 }, y = { NULL, 0 };
	size_t i;
	int same = -1;

	if (add_all(&x, a, a_count, err) < 0 ||
	    add_all(&y, b, b_count, err) < 0)
		goto done;
	tidy(&x);
	tidy(&y);
	same = x.count == y.count;
	for (i = 0; same && i < x.count; i++)
		same = !compare_tombstones(&x.items[i], &y.items[i]);
done:
	free(x.items);
	free(y.items);
	return same;
}

int history_same(const struct history *a, const struct history *b,
		 struct error *err)
{
	int same;
	size_t i;

	if (a->count != b->count || a->keep != b->keep ||
	    a->keep_set_s != b->keep_set_s ||
	    a->checked_at_s != b->checked_at_s ||
	    strcmp(a->source ? a->source : "", b->source ? b->source : "") != 0)
		return 0;
	for (i = 0; i < a->count; i++) {
		const struct snapshot *x = &a->snapshots[i];
		const struct snapshot *y = &b->snapshots[i];

		if (!object_same(&x->id, &y->id) || x->pinned != y->pinned ||
		    (x->pinned && x->pinned_at_s != y->pinned_at_s))
			return 0;
	}
	same = same_tombstones(a->deleted, a->deleted_count, b->deleted,
			       b->deleted_count, err);
	if (same <= 0)
		return same;
	return same_tombstones(a->unpinned, a->unpinned_count, b->unpinned,
			       b->unpinned_count, err);
}
