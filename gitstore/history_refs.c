/*
 * history_refs.c - whose list of snapshots is read: the branch's, that of a
 * remote-tracking branch, or that of any commit
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "gitstore/gitstore_internal.h"

int branch_not_ours(struct gitstore *g, struct error *err)
{
	return error_set(err, ERROR_REFUSED,
			 "branch '%s' exists and holds something else; use "
			 "--branch NAME, or --adopt to rename it to "
			 "'%s-before-dbstow' first",
			 g->branch, g->branch);
}

static int tip_damaged(const struct object_id *tip, const char *ref,
		       struct error *err)
{
	char hex[SHORT_HEX_SIZE];

	object_short(hex, tip);
	return error_set(err, ERROR_DAMAGE,
			 "commit %s, where '%s' points, is missing or damaged; "
			 "'git fsck' tells more",
			 hex, ref);
}

/* Does a commit that can be read stand there? */
static int is_sound(struct gitstore *g, const struct object_id *id)
{
	struct raw_commit c;
	int rc = raw_commit_read(g, id, &c, NULL);

	raw_commit_release(&c);
	return !rc;
}

static int set_ref(struct history *h, const char *ref, struct error *err)
{
	free(h->ref);
	h->ref = strdup(ref);
	return h->ref ? 0 : error_nomem(err);
}

/* @return 0; 1: the ref exists and is not ours (its tip is set); -1 */
static int history_of_ref(struct gitstore *g, const char *ref,
			  struct history **out, struct error *err)
{
	struct object_id tip;
	int rc = ref_read(g, ref, &tip, err);

	*out = NULL;
	if (rc < 0)
		return -1;
	if (!rc) {
		rc = history_read(g, &tip, HISTORY_BRANCH, out, err);
		if (rc <= 0)
			return rc < 0 ? -1 : set_ref(*out, ref, err);
		if (!is_sound(g, &tip))
			return tip_damaged(&tip, ref, err);
	} else {
		rc = 0;
	}
	*out = history_new();
	if (!*out)
		return error_nomem(err);
	(*out)->tip = tip;
	(*out)->exists = rc;
	return set_ref(*out, ref, err) < 0 ? -1 : rc;
}

/* ---- the remote-tracking branches ---- */

static int64_t newest_time(const struct history *h)
{
	return h->count ? h->snapshots[0].created_at_s : INT64_MIN;
}

static int same_list(const struct history *a, const struct history *b)
{
	size_t i;

	if (a->count != b->count)
		return 0;
	for (i = 0; i < a->count; i++)
		if (!object_same(&a->snapshots[i].id, &b->snapshots[i].id))
			return 0;
	return 1;
}

/*
 * A '*' stands for slashes too: "refs/remotes/origin/x/database-backups" may be
 * of a remote "origin/x", or be another branch, "x/database-backups" of origin.
 */
static int is_remote_of_ours(struct gitstore *g, const char *ref)
{
	const char *name = ref + strlen("refs/remotes/");
	size_t size = strlen(name) - strlen(g->branch) - 1;
	struct buffer key = BUFFER_INIT;
	char *url = NULL;
	int ours = !memchr(name, '/', size);

	/* not git_remote_lookup(): libgit2 1.5 leaks in that */
	buffer_printf(&key, "remote.%.*s.url", (int)size, name);
	if (!ours && buffer_cstr(&key))
		url = repository_config(g, key.data);
	ours |= url != NULL;
	free(url);
	buffer_release(&key);
	return ours;
}

/* What is not ours there (1) is no reason to stop. */
static void take_newer(struct gitstore *g, const char *ref,
		       struct history **out, struct error *unread)
{
	struct error one = ERROR_INIT;
	struct history *h = NULL;
	int rc = history_of_ref(g, ref, &h, &one);

	if (rc < 0)
		error_set(unread, one.code, "cannot go on from '%s': %s", ref,
			  one.message);
	if (rc || !h->count || (*out && newest_time(*out) >= newest_time(h))) {
		history_free(h);
		return;
	}
	history_free(*out);
	*out = h;
}

/* The remote-tracking branch whose newest snapshot is newest; NULL: none.
 * @param unread  receives the first error of one that is ours, or damaged */
static int newest_remote(struct gitstore *g, struct history **out,
			 struct error *unread, struct error *err)
{
	git_reference_iterator *all = NULL;
	struct buffer pattern = BUFFER_INIT;
	const char *name;
	int rc = 0;

	*out = NULL;
	buffer_printf(&pattern, "refs/remotes/*/%s", g->branch);
	if (!buffer_cstr(&pattern)) {
		buffer_release(&pattern);
		return error_nomem(err);
	}
	if (git_reference_iterator_glob_new(&all, g->repo, pattern.data) < 0)
		rc = git_failed(err, ERROR_FAILED, "cannot read the refs");
	while (!rc && !git_reference_next_name(&name, all))
		if (is_remote_of_ours(g, name))
			take_newer(g, name, out, unread);
	git_reference_iterator_free(all);
	buffer_release(&pattern);
	return rc;
}

/*
 * In a fresh clone there is only the remote-tracking branch.  An export that
 * began a list of its own there would share nothing with the one it continues,
 * and one of the two would be lost when they meet.
 */
static int go_on_from_remote(struct gitstore *g, struct history **out,
			     struct error *err)
{
	struct error unread = ERROR_INIT;
	struct history *remote = NULL;

	if (newest_remote(g, &remote, &unread, err) < 0) {
		history_free(remote);
		return -1;
	}
	if (!remote && unread.code)
		return error_set(err, unread.code, "%s", unread.message);
	if (!remote)
		return 0;
	remote->exists = 0;
	history_free(*out);
	*out = remote;
	return 0;
}

int history_of_branch(struct gitstore *g, struct history **out,
		      struct error *err)
{
	int rc = history_of_ref(g, g->ref, out, err);

	if (!rc && !(*out)->exists)
		rc = go_on_from_remote(g, out, err);
	return rc;
}

static char *make_note(const struct history *used, const struct history *other)
{
	struct buffer text = BUFFER_INIT;
	char newer[CLOCK_TEXT_SIZE], older[CLOCK_TEXT_SIZE];

	clock_text(newer, newest_time(used));
	clock_text(older, newest_time(other));
	buffer_printf(&text,
		      "'%s' (newest %s) and '%s' (newest %s) differ; reading "
		      "the first",
		      used->ref, newer, other->ref, older);
	return buffer_detach(&text);
}

/* The list is a remote-tracking branch's, since there is no local one. */
static char *note_base(struct gitstore *g, const struct history *h, int newest)
{
	struct buffer text = BUFFER_INIT;

	if (newest)
		buffer_printf(&text, "'%s' is not here; reading '%s'", g->ref,
			      h->ref);
	else
		buffer_printf(&text,
			      "'%s' is not here; going on from '%s' (%zu "
			      "snapshot%s)",
			      g->ref, h->ref, h->count,
			      h->count == 1 ? "" : "s");
	return buffer_detach(&text);
}

/* Ours has gone on from there: a sync leaves such refs as they are, so it is
 * nothing to tell. */
static int is_behind(const struct history *remote, const struct history *ours)
{
	size_t at;

	return remote->count &&
	       history_index(ours, &remote->snapshots[0].id, &at);
}

/* Take the newer one into *out and say so. */
static void choose(struct history **out, struct history *remote, char **note)
{
	struct history *swap;
	char *text;

	if (!same_list(*out, remote) && !is_behind(remote, *out)) {
		if (newest_time(remote) > newest_time(*out)) {
			swap = *out;
			*out = remote;
			remote = swap;
		}
		text = make_note(*out, remote);
		if (note)
			*note = text;
		else
			free(text);
	}
	history_free(remote);
}

int gitstore_history(struct gitstore *g, int newest, struct history **out,
		     char **note, struct error *err)
{
	struct history *remote = NULL;
	int rc;

	if (note)
		*note = NULL;
	rc = history_of_branch(g, out, err);
	if (rc > 0)
		rc = branch_not_ours(g, err);
	if (!rc && newest && (*out)->exists)
		rc = newest_remote(g, &remote, NULL, err);
	if (rc < 0) {
		history_free(remote);
		history_free(*out);
		*out = NULL;
		return -1;
	}
	if (remote)
		choose(out, remote, note);
	else if (note && !(*out)->exists && (*out)->count)
		*note = note_base(g, *out, newest);
	return 0;
}

/* ---- at any commit ---- */

static int resolve(struct gitstore *g, const char *rev, struct object_id *id)
{
	git_object *object = NULL, *commit = NULL;
	struct buffer name = BUFFER_INIT;
	int rc = -1;

	/* our own names first: "undo/20261120T023522Z" */
	if (!strncmp(rev, "undo/", 5))
		buffer_str(&name, "refs/dbstow/");
	buffer_str(&name, rev);
	if (buffer_cstr(&name) &&
	    !git_revparse_single(&object, g->repo, name.data) &&
	    !git_object_peel(&commit, object, GIT_OBJECT_COMMIT)) {
		object_from_oid(id, git_object_id(commit));
		rc = 0;
	}
	git_object_free(object);
	git_object_free(commit);
	buffer_release(&name);
	return rc;
}

int gitstore_history_at(struct gitstore *g, const char *rev,
			struct history **out, struct error *err)
{
	struct object_id id;
	int rc = 1;

	*out = NULL;
	if (!resolve(g, rev, &id))
		rc = history_read(g, &id, HISTORY_ANY, out, err);
	if (rc > 0)
		return error_set(err, ERROR_FAILED,
				 "'%s' is no snapshot of dbstow; 'dbstow list' "
				 "shows what there is",
				 rev);
	if (rc < 0)
		return -1;
	if (set_ref(*out, rev, err) < 0) {
		history_free(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}
