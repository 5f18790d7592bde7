/*
 * commit.c - changing the list of snapshots, and adding one
 *
 * Every change reads the tip, builds the list anew, writes an index commit and
 * moves the branch if it is still where it was read; else all over again.  So
 * what another writer added meanwhile is in the list that we write.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "gitstore/own_pack.h"

#define PAUSE_MAX_MS 250

/* ---- before work starts ---- */

static int check_source(struct gitstore *g, const struct history *h,
			const char *source, struct error *err)
{
	if (!source || !h->source || !strcmp(h->source, source))
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "branch '%s' holds snapshots of '%s', not of '%s'; "
			 "use --branch NAME for another database, or --source "
			 "%s if it is the same one",
			 g->branch, h->source, source, h->source);
}

static int check_writable(struct gitstore *g, const char *folder,
			  struct error *err)
{
	if (access(folder, W_OK | X_OK) < 0)
		return error_errno(err, ERROR_FAILED,
				   "cannot write to the repository '%s': '%s'",
				   g->where, folder);
	return 0;
}

/* "<branch>-before-dbstow"; the caller frees it */
static char *adopted_ref(struct gitstore *g)
{
	struct buffer name = BUFFER_INIT;

	buffer_printf(&name, "%s-before-dbstow", g->ref);
	return buffer_detach(&name);
}

/* @return 0: the adopted branch's new name is free or points there already */
static int check_adopted(struct gitstore *g, const char *ref,
			 const struct object_id *tip, int *there,
			 struct error *err)
{
	struct object_id now;
	int rc = ref_read(g, ref, &now, err);

	*there = !rc;
	if (rc || object_same(&now, tip))
		return rc < 0 ? -1 : 0;
	return error_set(err, ERROR_REFUSED,
			 "branch '%s' exists already; rename or remove it "
			 "before --adopt",
			 ref + strlen("refs/heads/"));
}

static int check_adopt(struct gitstore *g, const struct object_id *tip,
		       struct error *err)
{
	char *ref = adopted_ref(g);
	int there, rc;

	if (!ref)
		return error_nomem(err);
	rc = check_adopted(g, ref, tip, &there, err);
	free(ref);
	return rc;
}

static int missing_here(struct gitstore *g, const struct history *h,
			const struct object_id *id, struct error *err)
{
	char hex[SHORT_HEX_SIZE];

	object_short(hex, id);
	if (!h->exists)
		return error_set(
			err, ERROR_REFUSED,
			"snapshot %s of '%s' is not in this repository, and "
			"its list cannot be taken over without it; run 'git "
			"fetch --unshallow' or work in a full clone",
			hex, h->ref);
	return error_set(
		err, ERROR_REFUSED,
		"snapshot %s of branch '%s' is not in this repository, "
		"and its list cannot be written without it; run 'git "
		"fetch --unshallow' or work in a full clone",
		hex, g->branch);
}

/* Are all snapshots here, but `made`, which is not stored yet (or NULL)? */
static int check_complete(struct gitstore *g, const struct history *h,
			  const struct new_commit *made, struct error *err)
{
	size_t i;

	for (i = 0; i < h->count; i++) {
		if (made && object_same(&made->id, &h->snapshots[i].id))
			continue;
		if (h->snapshots[i].absent ||
		    !object_exists(g, &h->snapshots[i].id))
			return missing_here(g, h, &h->snapshots[i].id, err);
	}
	return 0;
}

int gitstore_check(struct gitstore *g, const char *source, int adopt,
		   struct error *err)
{
	struct history *h = NULL;
	const char *folder;
	int rc = history_of_branch(g, &h, err);

	if (rc > 0)
		rc = adopt ? check_adopt(g, &h->tip, err)
			   : branch_not_ours(g, err);
	if (rc < 0 ||
	    (source && message_check_line("source name", source, err) < 0) ||
	    check_source(g, h, source, err) < 0 ||
	    branch_not_checked_out(g, err) < 0 ||
	    (!h->exists && branch_name_free(g, g->ref, err) < 0) ||
	    check_complete(g, h, NULL, err) < 0 ||
	    check_writable(g, g->common, err) < 0 ||
	    check_writable(g, g->objects, err) < 0)
		rc = -1;
	history_free(h);
	if (rc < 0)
		return -1;
	folder = gitstore_folder(g, err);
	if (!folder || check_writable(g, folder, err) < 0)
		return -1;
	g->checked = 1;
	g->adopt = adopt;
	return 0;
}

/* ---- one change ---- */

/* A copy of the old branch under its new name; the move itself replaces the
 * old one, so at no instant is it on neither. */
static int adopt_branch(struct gitstore *g, const struct object_id *tip,
			struct error *err)
{
	char *ref = adopted_ref(g);
	struct move m = { .ref = ref,
			  .id = *tip,
			  .log = "dbstow: adopted from another branch" };
	int there, rc = -1;

	if (!ref)
		return error_nomem(err);
	if (!check_adopted(g, ref, tip, &there, err))
		rc = there ? 0 : ref_move(g, &m, err);
	if (rc > 0)
		rc = ref_locked(g, ref, err);
	free(ref);
	return rc;
}

static int newest_tree(struct gitstore *g, const struct history *h,
		       const struct edit *e, struct object_id *tree,
		       struct error *err)
{
	struct raw_commit c;
	int rc;

	if (e->snapshot && object_same(&h->snapshots[0].id, &e->snapshot->id)) {
		*tree = e->tree;
		return 0;
	}
	rc = raw_commit_read(g, &h->snapshots[0].id, &c, err);
	if (rc > 0)
		return missing_here(g, h, &h->snapshots[0].id, err);
	if (!rc)
		*tree = c.tree;
	raw_commit_release(&c);
	return rc;
}

/* Parents: the previous snapshot, the newest, then older and older ones; then
 * perhaps the index commit before. */
int index_build(struct gitstore *g, const struct history *h,
		const struct object_id *tree, int64_t when_s,
		struct new_commit *out, struct error *err)
{
	struct object_id *parents = calloc(h->count + 1, sizeof(*parents));
	struct buffer text = BUFFER_INIT;
	size_t count = h->count, i;
	int rc = -1;

	if (!parents) {
		error_nomem(err);
		goto done;
	}
	for (i = 0; i < count; i++)
		parents[i] = h->snapshots[i].id;
	if (count > 1) {
		parents[0] = h->snapshots[1].id;
		parents[1] = h->snapshots[0].id;
	}
	if (!object_is_zero(&h->previous))
		parents[count++] = h->previous;
	if (!message_index(&text, h, err))
		rc = commit_build(g, tree, parents, count, when_s, text.data,
				  out, err);
done:
	free(parents);
	buffer_release(&text);
	return rc;
}

/* Store what is new and move the branch. @return enum move_result, or -1 */
static int write_list(struct gitstore *g, const struct history *h,
		      struct edit *e, struct error *err)
{
	struct new_commit index = { .body = BUFFER_INIT };
	const struct new_commit *commits[2];
	struct move m = { .ref = g->ref, .log = e->log };
	struct object_id tree;
	size_t count = 0;
	int rc = -1;

	if (h->exists) /* else the tip is a remote-tracking branch's */
		m.old = h->tip;
	if (check_complete(g, h, e->snapshot, err) < 0 ||
	    newest_tree(g, h, e, &tree, err) < 0 ||
	    index_build(g, h, &tree, e->when_s, &index, err) < 0)
		goto done;
	m.id = index.id;
	rc = MOVE_DONE;
	if (object_same(&m.id, &m.old)) /* the same change a second ago */
		goto done;
	if (e->snapshot && !e->stored)
		commits[count++] = e->snapshot;
	commits[count++] = &index;
	rc = place_commits(g, commits, count, e->snapshot != NULL, &m, err);
	if (rc < 0)
		goto done;
	e->stored = 1;
	rc = ref_move(g, &m, err);
done:
	buffer_release(&index.body);
	return rc;
}

/* @return enum move_result, or -1 */
static int edit_once(struct gitstore *g, struct edit *e, struct error *err)
{
	struct history *h = NULL;
	int rc = history_of_branch(g, &h, err);

	if (rc > 0)
		rc = e->adopt ? adopt_branch(g, &h->tip, err)
			      : branch_not_ours(g, err);
	if (rc || branch_not_checked_out(g, err) < 0) {
		rc = -1;
		goto done;
	}
	memset(&h->previous, 0, sizeof(h->previous)); /* a remote's business */
	rc = e->apply(g, h, e, err);
	if (rc > 0) /* it is as it should be */
		rc = MOVE_DONE;
	else if (!rc)
		rc = write_list(g, h, e, err);
done:
	history_free(h);
	return rc;
}

/* A little longer each time, and never in step with another writer. */
static void pause_for(unsigned int attempt)
{
	unsigned int most = attempt < 6 ? 8U << attempt : PAUSE_MAX_MS;
	struct timespec pause = { 0, 0 };
	uint32_t random = 0;

	if (most > PAUSE_MAX_MS)
		most = PAUSE_MAX_MS;
	if (getrandom(&random, sizeof(random), 0) < 0)
		random = (uint32_t)getpid();
	pause.tv_nsec = (long)(random % (most * 1000U)) * 1000L;
	nanosleep(&pause, NULL);
}

static int try_edit(struct gitstore *g, struct edit *e, struct error *err)
{
	unsigned int attempt;
	int rc = MOVE_CHANGED;

	for (attempt = 0; attempt < g->tries && rc > 0; attempt++) {
		if (attempt)
			pause_for(attempt);
		if (store_lock(g, err) < 0)
			return -1;
		rc = edit_once(g, e, err);
		if (rc == MOVE_DONE) {
			placed_release(g);
			packs_tidy(g);
		}
		store_unlock(g);
	}
	if (rc == MOVE_LOCKED)
		return ref_locked(g, g->ref, err);
	if (rc == MOVE_CHANGED)
		return error_set(err, ERROR_CONFLICT,
				 "the branch '%s' kept moving while it was to "
				 "be written, %u times; try again",
				 g->branch, g->tries);
	return rc;
}

int branch_edit(struct gitstore *g, struct edit *e, struct error *err)
{
	int rc = try_edit(g, e, err);

	if (rc < 0)
		placed_discard(g);
	else
		placed_release(g);
	return rc;
}

/* ---- adding a snapshot ---- */

struct addition {
	struct edit edit; /* first */
	const struct gitstore_snapshot *s;
	struct gitstore_result result;
	struct new_commit commit; /* our snapshot's, once made */
	struct buffer message;
	unsigned int serial; /* 0: not made yet */
};

/* How good a proof is. */
static int rank(const char *drill)
{
	if (drill && !strcmp(drill, "ok"))
		return 2;
	return drill && !strcmp(drill, GITSTORE_NO_SCHEMA);
}

/* Equal content adds nothing, but a better proof: a snapshot that was never
 * restored gives way to one that was. */
static int is_unchanged(const struct history *h,
			const struct gitstore_snapshot *s)
{
	const struct snapshot *newest = h->snapshots;

	return h->count && !s->always && !s->name && !s->description &&
	       object_same(&newest->content, &s->content) &&
	       rank(newest->drill) >= rank(s->drill);
}

static int is_taken(const struct history *h, const struct object_id *id)
{
	size_t at;

	if (history_index(h, id, &at))
		return 1;
	for (at = 0; at < h->deleted_count; at++)
		if (object_same(&h->deleted[at].id, id))
			return 1;
	return 0;
}

/* Make our snapshot's commit; another one if the list has that id already (an
 * equal export in the same second, or one that was deleted). */
static int make_commit(struct gitstore *g, const struct history *h,
		       struct addition *a, struct error *err)
{
	while (!a->serial || is_taken(h, &a->commit.id)) {
		buffer_clear(&a->message);
		a->serial++;
		a->edit.stored = 0;
		if (message_snapshot(&a->message, a->s, a->serial, err) < 0 ||
		    commit_build(g, &a->s->tree, NULL, 0, a->s->created_at_s,
				 a->message.data, &a->commit, err) < 0)
			return -1;
	}
	return 0;
}

static int prepend_ours(struct history *h, const struct addition *a,
			struct error *err)
{
	struct snapshot s;
	struct trailers t;
	int rc;

	memset(&s, 0, sizeof(s));
	if (trailers_parse(&t, a->message.data, err) < 0)
		return -1;
	rc = snapshot_from_trailers(&s, &t, err);
	trailers_release(&t);
	if (rc)
		return rc < 0 ? -1
			      : error_set(err, ERROR_FAILED,
					  "cannot read back the snapshot's "
					  "message");
	s.id = a->commit.id;
	s.pinned = a->s->pin != 0;
	s.pinned_at_s = s.pinned ? a->s->created_at_s : 0;
	if (history_prepend(h, &s, err) < 0) {
		snapshot_release(&s);
		return -1;
	}
	return 0;
}

static int add_snapshot(struct gitstore *g, struct history *h,
			struct addition *a, struct error *err)
{
	/*
	 * What we did not store because the old tip reached it may be gone
	 * when somebody else moved the branch: retention and a gc.
	 */
	if ((!g->known_loaded || !object_same(&g->known_tip, &h->tip)) &&
	    tree_complete(g, &a->s->tree, err) < 0)
		return -1;
	if (make_commit(g, h, a, err) < 0 || prepend_ours(h, a, err) < 0)
		return -1;
	if (!h->source)
		h->source = strdup(a->s->source);
	if (!h->source)
		return error_nomem(err);
	h->checked_at_s = 0; /* it was about the one before */
	a->result.id = a->commit.id;
	a->edit.snapshot = &a->commit;
	a->edit.tree = a->s->tree;
	a->result.unchanged = 0;
	return 0;
}

static int apply_addition(struct gitstore *g, struct history *h, struct edit *e,
			  struct error *err)
{
	struct addition *a = (struct addition *)e;

	if (check_source(g, h, a->s->source, err) < 0)
		return -1;
	if (is_unchanged(h, a->s)) {
		if (h->checked_at_s < a->s->created_at_s)
			h->checked_at_s = a->s->created_at_s;
		if (a->s->pin && !h->snapshots[0].pinned &&
		    history_pin(h, 0, 1, a->s->created_at_s, err) < 0)
			return -1;
		a->result.id = h->snapshots[0].id;
		a->result.unchanged = 1;
		a->edit.snapshot = NULL;
	} else if (object_is_zero(&a->s->tree)) {
		return 1;
	} else if (add_snapshot(g, h, a, err) < 0) {
		return -1;
	}
	if (a->s->keep)
		history_set_keep(h, a->s->keep, a->s->set_policy,
				 a->s->created_at_s);
	if (!h->keep)
		h->keep = GITSTORE_KEEP;
	a->result.dropped = history_retain(h, h->keep);
	a->result.retained = h->count;
	return 0;
}

int gitstore_commit(struct gitstore *g, const struct gitstore_snapshot *s,
		    struct gitstore_result *out, struct error *err)
{
	struct addition a = { .edit = { .apply = apply_addition,
					.log = "dbstow: export",
					.when_s = s->created_at_s,
					.adopt = s->adopt },
			      .s = s };
	int rc;

	if (message_check(s, err) < 0 || check_published(g, err) < 0)
		return -1;
	rc = branch_edit(g, &a.edit, err);
	buffer_release(&a.message);
	buffer_release(&a.commit.body);
	/* A pack that was placed and removed again is not there any more. */
	if (!rc || !g->pack)
		publish_forget(g);
	if (rc < 0)
		return -1;
	*out = a.result;
	return 0;
}
