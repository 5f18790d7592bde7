/*
 * sync_pull.c - our branch to the merged list, and reading a branch at a remote
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "gitstore/own_pack.h"
#include "gitstore/sync_internal.h"

#define SHALLOW_MAX ((size_t)16 << 20)

/* ---- reading a branch there ---- */

/* Are the commits of all its snapshots there to be read? */
static int has_commits(struct gitstore *store, const struct history *h)
{
	size_t i;

	for (i = 0; i < h->count; i++)
		if (h->snapshots[i].absent ||
		    !object_exists(store, &h->snapshots[i].id))
			return 0;
	return 1;
}

static int not_ours_there(struct remote *r, struct gitstore *g,
			  struct error *err)
{
	return error_set(err, ERROR_REFUSED,
			 "branch '%s' of the remote %s exists and holds "
			 "something else; use --branch NAME",
			 g->branch, remote_label(r));
}

int sync_read(struct remote *r, struct gitstore *g,
	      const struct remote_ref *ref, struct history **out,
	      struct error *err)
{
	struct gitstore *store = remote_store(r, err);
	int rc;

	*out = NULL;
	if (!store || remote_fetch(r, &ref->id, 1, REMOTE_LIST, err) < 0)
		return -1;
	rc = history_read(store, &ref->id, HISTORY_BRANCH, out, err);
	if (rc > 0)
		return not_ours_there(r, g, err);
	if (rc < 0 || has_commits(store, *out))
		return rc;
	/* a server that cannot leave files out */
	history_free(*out);
	*out = NULL;
	if (remote_fetch(r, &ref->id, 1, REMOTE_WHOLE, err) < 0)
		return -1;
	return history_read(store, &ref->id, HISTORY_BRANCH, out, err);
}

int sync_fetch(struct remote *r, const struct remote_ref *ref,
	       const struct object_id *snapshots, size_t count,
	       struct error *err)
{
	if (ref->any_commit)
		return remote_fetch(r, snapshots, count, REMOTE_WHOLE, err);
	return remote_fetch(r, &ref->id, 1, REMOTE_WHOLE, err);
}

/* ---- to our branch ---- */

/* A commit that .git/shallow names has no parents for git: a gc would take the
 * snapshots that it lists. */
static int is_shallow(struct sync *s, const struct object_id *id,
		      struct error *err)
{
	char *path = path_join(s->g->common, "shallow"), hex[OBJECT_HEX_SIZE];
	struct buffer text = BUFFER_INIT;
	int rc;

	if (!path)
		return error_nomem(err);
	object_hex(hex, id);
	rc = file_read(path, SHALLOW_MAX, &text, err);
	if (!rc)
		rc = !buffer_cstr(&text) ? error_nomem(err)
					 : strstr(text.data, hex) != NULL;
	else if (rc > 0)
		rc = 0;
	buffer_release(&text);
	free(path);
	return rc;
}

static int is_missing(struct sync *s, const struct object_id *id, int partial)
{
	struct raw_commit c;
	size_t at;
	int missing;

	if (!history_index(s->local, id, &at) ||
	    s->local->snapshots[at].absent || !object_exists(s->g, id))
		return 1;
	if (!partial)
		return 0;
	missing = raw_commit_read(s->g, id, &c, NULL) ||
		  tree_complete(s->g, &c.tree, NULL) < 0;
	raw_commit_release(&c);
	return missing;
}

/* Fetch what we lack of the snapshots of the list.
 * @param count  receives how many these are */
static int fetch_missing(struct sync *s, size_t *count, struct error *err)
{
	const struct history *m = s->merged;
	struct object_id *wants = calloc(m->count + 1, sizeof(*wants));
	int partial = store_is_partial(s->g), rc = 0;
	size_t i;

	*count = 0;
	if (!wants)
		return error_nomem(err);
	for (i = 0; i < m->count; i++)
		if (is_missing(s, &m->snapshots[i].id, partial))
			wants[(*count)++] = m->snapshots[i].id;
	if (*count && !s->o->dry_run)
		rc = sync_fetch(s->r, &s->ref, wants, *count, err);
	free(wants);
	return rc;
}

/* The remote's index commit, where it can be ours as well: then the two are
 * seen to be equal at a glance.  @return 1: `c` was made instead; 0; -1 */
static int local_index(struct sync *s, struct new_commit *c,
		       struct object_id *id, struct error *err)
{
	int other = s->o->direction == SYNC_PULL, rc;

	if (other) {
		rc = history_same(s->merged, s->theirs, err);
		if (rc < 0)
			return -1;
		other = !rc;
	}
	*id = s->arranged;
	/* what goes on for ever there need not do so here */
	if (object_same(&s->arranged, &s->ref.id))
		other |= !object_is_zero(&s->theirs->previous);
	else
		other |= !object_is_zero(&s->merged->previous);
	rc = other ? 1 : is_shallow(s, id, err);
	if (rc <= 0)
		return rc;
	memset(&s->merged->previous, 0, sizeof(s->merged->previous));
	if (index_build(s->g, s->merged, &s->tree, s->now_s, c, err) < 0)
		return -1;
	*id = c->id;
	return 1;
}

/* What a snapshot shares with one that retention dropped here meanwhile was not
 * sent, and may be gone. */
static int check_whole(struct sync *s, struct error *err)
{
	const struct history *m = s->merged;
	struct raw_commit c;
	size_t i, at;
	int rc = 0;

	for (i = 0; !rc && i < m->count; i++) {
		if (history_index(s->local, &m->snapshots[i].id, &at))
			continue;
		rc = raw_commit_read(s->g, &m->snapshots[i].id, &c, err);
		if (!rc)
			rc = tree_complete(s->g, &c.tree, err);
		raw_commit_release(&c);
	}
	return rc;
}

/* What was seen in a pack of a run that was killed may be swept away since.
 * @return enum step, or -1 */
static int place(struct sync *s, const struct new_commit *made,
		 const struct move *m, struct error *err)
{
	size_t i;
	int rc;

	if (remote_keep(s->r, m, err) < 0)
		return -1;
	for (i = 0; i < s->merged->count; i++)
		if (!object_exists(s->g, &s->merged->snapshots[i].id))
			return STEP_AGAIN;
	rc = check_whole(s, err);
	if (rc)
		return rc < 0 ? -1 : STEP_AGAIN;
	if (!made && object_exists(s->g, &m->id))
		return STEP_DONE;
	if (!made && !object_same(&m->id, &s->index.id))
		return STEP_AGAIN;
	if (!made) /* it was made for the remote */
		made = &s->index;
	return place_commits(s->g, &made, 1, 0, m, err);
}

/* The lock is held. @return enum step, or -1 */
static int move_locked(struct sync *s, struct error *err)
{
	struct new_commit made = { .body = BUFFER_INIT };
	struct move m = { .ref = s->g->ref,
			  .old = s->tip,
			  .log = "dbstow: sync" };
	struct object_id now;
	int rc = ref_read(s->g, s->g->ref, &now, err), own;

	if (rc < 0 || branch_not_checked_out(s->g, err) < 0)
		return -1;
	if (!object_same(&now, &s->tip))
		return STEP_AGAIN;
	own = local_index(s, &made, &m.id, err);
	rc = own < 0 ? -1 : place(s, own ? &made : NULL, &m, err);
	if (!rc &&
	    !object_same(&m.id, &m.old)) /* else there were files to add */
		rc = ref_move(s->g, &m, err);
	if (rc == MOVE_LOCKED)
		rc = ref_locked(s->g, m.ref, err);
	buffer_release(&made.body);
	return rc;
}

static int move_ours(struct sync *s, struct error *err)
{
	int rc;

	if (store_lock(s->g, err) < 0)
		return -1;
	rc = move_locked(s, err);
	if (rc) {
		placed_discard(s->g);
	} else {
		placed_release(s->g);
		packs_tidy(s->g);
	}
	store_unlock(s->g);
	return rc;
}

int sync_pull(struct sync *s, struct error *err)
{
	size_t missing;
	int same, rc;

	if (s->o->direction == SYNC_PUSH)
		return STEP_DONE;
	same = have_ours(s) ? history_same(s->merged, s->ours, err) : 0;
	if (same < 0)
		return -1;
	rc = fetch_missing(s, &missing, err);
	if (rc < 0 && err && err->code == ERROR_CONFLICT) {
		error_clear(err);
		return STEP_AGAIN;
	}
	if (rc < 0)
		return -1;
	s->out->fetched = missing;
	if (same && !missing)
		return STEP_DONE;
	if (s->o->dry_run)
		return STEP_DONE;
	rc = move_ours(s, err);
	s->out->pulled = !rc;
	return rc;
}
