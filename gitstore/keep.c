/*
 * keep.c - pins, deletion, and safety snapshots outside the branch
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "gitstore/own_pack.h"

#define UNDO_REFS "refs/dbstow/undo/"

struct change {
	struct edit edit; /* first */
	const struct object_id *id;
	int pinned;
};

static int find(struct gitstore *g, const struct history *h,
		const struct object_id *id, size_t *at, struct error *err)
{
	char hex[SHORT_HEX_SIZE];

	if (history_index(h, id, at))
		return 0;
	object_short(hex, id);
	return error_set(err, ERROR_FAILED, "branch '%s' has no snapshot %s",
			 g->branch, hex);
}

static int apply_pin(struct gitstore *g, struct history *h, struct edit *e,
		     struct error *err)
{
	struct change *c = (struct change *)e;
	size_t at;

	if (find(g, h, c->id, &at, err) < 0)
		return -1;
	if (h->snapshots[at].pinned == c->pinned)
		return 1;
	return history_pin(h, at, c->pinned, e->when_s, err);
}

int gitstore_pin(struct gitstore *g, const struct object_id *id, int pinned,
		 struct error *err)
{
	struct change c = { .edit = { .apply = apply_pin,
				      .log = pinned ? "dbstow: pin"
						    : "dbstow: unpin",
				      .when_s = clock_now() },
			    .id = id,
			    .pinned = pinned != 0 };

	return branch_edit(g, &c.edit, err);
}

/* ---- deletion ---- */

static int is_last_proven(const struct history *h, size_t at)
{
	size_t i;

	for (i = 0; i < h->count; i++)
		if (i != at && !h->snapshots[i].absent &&
		    h->snapshots[i].drill &&
		    !strcmp(h->snapshots[i].drill, "ok"))
			return 0;
	return h->snapshots[at].drill && !strcmp(h->snapshots[at].drill, "ok");
}

static int may_delete(const struct history *h, size_t at, struct error *err)
{
	char hex[SHORT_HEX_SIZE];

	object_short(hex, &h->snapshots[at].id);
	if (h->snapshots[at].pinned)
		return error_set(err, ERROR_REFUSED,
				 "snapshot %s is pinned; unpin it first", hex);
	if (h->count == 1)
		return error_set(err, ERROR_REFUSED,
				 "snapshot %s is the last one; export again "
				 "first",
				 hex);
	if (is_last_proven(h, at))
		return error_set(err, ERROR_REFUSED,
				 "snapshot %s is the last one that was proven "
				 "restorable; export again first",
				 hex);
	return 0;
}

static int apply_delete(struct gitstore *g, struct history *h, struct edit *e,
			struct error *err)
{
	struct change *c = (struct change *)e;
	size_t at;

	if (find(g, h, c->id, &at, err) < 0 || may_delete(h, at, err) < 0)
		return -1;
	return history_delete(h, at, e->when_s, err);
}

int gitstore_delete(struct gitstore *g, const struct object_id *id,
		    struct error *err)
{
	struct change c = { .edit = { .apply = apply_delete,
				      .log = "dbstow: delete",
				      .when_s = clock_now() },
			    .id = id };

	return branch_edit(g, &c.edit, err);
}

/* ---- undo ---- */

/* "20261120T023522Z" */
static void compact_time(char out[CLOCK_TEXT_SIZE], int64_t when_s)
{
	char iso[CLOCK_TEXT_SIZE];
	size_t used = 0, i;

	clock_iso(iso, when_s);
	for (i = 0; iso[i]; i++)
		if (iso[i] != '-' && iso[i] != ':')
			out[used++] = iso[i];
	out[used] = '\0';
}

struct undo_list {
	char **refs;
	size_t count;
};

/* By time, then by number: "...Z" < "...Z-2" < "...Z-10" */
static int compare_undo(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	size_t nx = strcspn(x, "-"), ny = strcspn(y, "-");
	int diff = memcmp(x, y, nx < ny ? nx : ny);

	if (diff || nx != ny)
		return diff ? diff : (nx < ny ? -1 : 1);
	diff = (int)strlen(x + nx) - (int)strlen(y + ny);
	return diff ? diff : strcmp(x, y);
}

static int list_undo(struct gitstore *g, struct undo_list *l, struct error *err)
{
	git_reference_iterator *all = NULL;
	const char *name;
	char **refs;

	memset(l, 0, sizeof(*l));
	if (git_reference_iterator_glob_new(&all, g->repo, UNDO_REFS "*") < 0)
		return git_failed(err, ERROR_FAILED, "cannot read the refs");
	while (!git_reference_next_name(&name, all)) {
		refs = realloc(l->refs, (l->count + 1) * sizeof(*refs));
		if (refs)
			l->refs = refs;
		if (!refs || !(refs[l->count] = strdup(name))) {
			error_nomem(err);
			break;
		}
		l->count++;
	}
	git_reference_iterator_free(all);
	if (l->count)
		qsort(l->refs, l->count, sizeof(*l->refs), compare_undo);
	return 0;
}

static void undo_list_release(struct undo_list *l)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		free(l->refs[i]);
	free(l->refs);
}

/* "refs/dbstow/undo/TIME", or "...-N" behind those of this second; never a name
 * that was used: the newest sorts last. */
static int undo_name(struct gitstore *g, int64_t when_s, struct buffer *out,
		     struct error *err)
{
	char time[CLOCK_TEXT_SIZE];
	unsigned long last = 0, n;
	struct undo_list l;
	const char *rest;
	size_t i;
	int rc;

	compact_time(time, when_s);
	buffer_printf(out, "%s%s", UNDO_REFS, time);
	if (!buffer_cstr(out))
		return error_nomem(err);
	rc = list_undo(g, &l, err);
	for (i = 0; !rc && i < l.count; i++) {
		if (strncmp(l.refs[i], out->data, out->size) != 0)
			continue;
		rest = l.refs[i] + out->size;
		n = *rest == '-' ? strtoul(rest + 1, NULL, 10) : 1;
		if (n > last && n < UINT32_MAX)
			last = n;
	}
	undo_list_release(&l);
	if (last)
		buffer_printf(out, "-%lu", last + 1);
	return rc < 0 ? -1 : buffer_cstr(out) ? 0 : error_nomem(err);
}

/* Point a new ref to the commit; nobody else takes its name under the lock. */
static int place_undo(struct gitstore *g, int64_t when_s,
		      const struct new_commit *c, char **ref, struct error *err)
{
	struct move m = { .id = c->id, .log = "dbstow: before a restore" };
	struct buffer name = BUFFER_INIT;
	int rc = undo_name(g, when_s, &name, err);

	m.ref = name.data;
	if (!rc)
		rc = place_commits(g, &c, 1, 1, &m, err);
	if (!rc)
		rc = ref_move(g, &m, err);
	if (rc == MOVE_LOCKED)
		rc = ref_locked(g, m.ref, err);
	else if (rc == MOVE_CHANGED)
		rc = error_set(err, ERROR_CONFLICT, "'%s' exists already",
			       m.ref);
	*ref = rc ? NULL : buffer_detach(&name);
	buffer_release(&name);
	return rc;
}

/* A safety snapshot alone; NULL where there is none that can be read. */
static struct history *read_undo(struct gitstore *g, const char *ref)
{
	struct history *h = NULL;
	struct object_id id;

	if (ref_read(g, ref, &id, NULL) ||
	    history_read(g, &id, HISTORY_ANY, &h, NULL))
		return NULL;
	if (h->count == 1 && object_same(&h->snapshots[0].id, &id))
		return h;
	history_free(h);
	return NULL;
}

static void remove_ref(struct gitstore *g, const char *ref)
{
	git_reference *r = NULL;

	if (!git_reference_lookup(&r, g->repo, ref))
		git_reference_delete(r);
	git_reference_free(r);
}

/*
 * The newest of each source stay: a busy database must not push out the only
 * copy of another one.  What can't be read is not ours to remove; what can't be
 * removed now is removed by the next one.
 */
static void trim_undo(struct gitstore *g)
{
	struct history **seen = NULL;
	struct undo_list l;
	size_t i, k, newer, count = 0;

	if (!list_undo(g, &l, NULL))
		seen = calloc(l.count + 1, sizeof(struct history *));
	for (i = seen ? l.count : 0; i-- > 0;) {
		seen[count] = read_undo(g, l.refs[i]);
		if (!seen[count])
			continue;
		for (k = newer = 0; k < count; k++)
			newer += !strcmp(seen[k]->source, seen[count]->source);
		if (newer >= GITSTORE_UNDO_KEEP)
			remove_ref(g, l.refs[i]);
		count++;
	}
	while (count)
		history_free(seen[--count]);
	free(seen);
	undo_list_release(&l);
}

/* Is all of it there, without what only our new pack has?  0 or 1, -1 */
static int is_whole(struct gitstore *g, const struct object_id *commit,
		    struct error *err)
{
	int published = g->published, whole;
	struct raw_commit c;

	g->published = 0;
	whole = !raw_commit_read(g, commit, &c, NULL) &&
		!tree_complete(g, &c.tree, NULL);
	raw_commit_release(&c);
	g->published = published;
	return store_look_again(g, err) < 0 ? -1 : whole;
}

/* The newest safety snapshot of the same source, if its content is the same: a
 * restore that is done again and again keeps one copy, not five equal ones.
 * @return 1 with `ref` and `id`; 0: there is no such one; -1 */
static int find_equal(struct gitstore *g, const struct gitstore_snapshot *s,
		      char **ref, struct object_id *id, struct error *err)
{
	struct history *h = NULL;
	struct undo_list l;
	size_t i;
	int rc = list_undo(g, &l, err);

	for (i = l.count; !rc && !h && i-- > 0;) {
		h = read_undo(g, l.refs[i]);
		if (!h || !strcmp(h->source, s->source))
			continue;
		history_free(h);
		h = NULL;
	}
	if (h && object_same(&h->snapshots[0].content, &s->content)) {
		*id = h->snapshots[0].id;
		rc = is_whole(g, id, err);
	}
	if (rc > 0) {
		*ref = strdup(l.refs[i]);
		rc = *ref ? 1 : error_nomem(err);
	}
	history_free(h);
	undo_list_release(&l);
	return rc;
}

/* Is all there that we did not store because the branch reached it? */
static int check_tree(struct gitstore *g, const struct object_id *tree,
		      struct error *err)
{
	struct object_id tip;

	/* a damaged branch is one that we did not rely on */
	if (!ref_read(g, g->ref, &tip, NULL) && g->known_loaded &&
	    object_same(&tip, &g->known_tip))
		return 0;
	return tree_complete(g, tree, err);
}

int gitstore_keep_undo(struct gitstore *g, const struct gitstore_snapshot *s,
		       char **name, struct object_id *id, struct error *err)
{
	struct new_commit c = { .body = BUFFER_INIT };
	struct buffer text = BUFFER_INIT;
	char *ref = NULL;
	int rc = -1;

	*name = NULL;
	if (message_check(s, err) < 0 || check_published(g, err) < 0 ||
	    message_snapshot(&text, s, 1, err) < 0 ||
	    commit_build(g, &s->tree, NULL, 0, s->created_at_s, text.data, &c,
			 err) < 0 ||
	    store_lock(g, err) < 0)
		goto done;
	rc = find_equal(g, s, &ref, id, err);
	if (!rc) {
		*id = c.id;
		rc = check_tree(g, &s->tree, err);
		if (!rc)
			rc = place_undo(g, s->created_at_s, &c, &ref, err);
	}
	if (rc < 0) {
		placed_discard(g);
	} else {
		placed_release(g);
		packs_tidy(g);
		publish_forget(g);
		trim_undo(g);
	}
	store_unlock(g);
	if (rc < 0)
		goto done;
	*name = strdup(ref + strlen("refs/dbstow/"));
	rc = *name ? 0 : error_nomem(err);
done:
	free(ref);
	buffer_release(&c.body);
	buffer_release(&text);
	return rc;
}
