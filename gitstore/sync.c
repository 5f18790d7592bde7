/*
 * sync.c - one branch, here and at a remote
 *
 * The order is what makes it safe to be killed anywhere.  First the remote's
 * branch moves, to an index commit over all that both had; its snapshots arrive
 * in the same push.  Then ours does, after what we lacked is placed.  At any
 * instant each of the two lists is a whole one, and whatever one of them lacks,
 * the other one has: the next sync finds it.
 *
 * What is read of the remote lies in the transfer repository (remote.h),
 * through which our own objects are seen, too: `store`.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "gitstore/sync_internal.h"

#define PAUSE_MAX_MS 5000

void sync_warn(struct sync *s, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (s->o->warn)
		s->o->warn(s->o->payload, line);
}

static void lists_release(struct sync *s)
{
	history_free(s->ours);
	history_free(s->theirs);
	history_free(s->merged);
	history_free(s->local);
	s->ours = s->theirs = s->merged = s->local = NULL;
	buffer_release(&s->index.body);
}

void sync_result_release(struct sync_result *out)
{
	free(out->messages);
	memset(out, 0, sizeof(*out));
}

/* ---- reading both lists ---- */

static int read_theirs(struct sync *s, struct error *err)
{
	if (s->ref.exists)
		return sync_read(s->r, s->g, &s->ref, &s->theirs, err);
	s->theirs = history_new();
	return s->theirs ? 0 : error_nomem(err);
}

static int read_ours(struct sync *s, struct error *err)
{
	int rc = ref_read(s->g, s->g->ref, &s->tip, err);

	if (rc < 0)
		return -1;
	if (rc > 0) {
		s->ours = history_new();
		s->local = history_new();
		return s->ours && s->local ? 0 : error_nomem(err);
	}
	rc = history_read(s->store, &s->tip, HISTORY_BRANCH, &s->ours, err);
	if (!rc)
		rc = history_read(s->g, &s->tip, HISTORY_BRANCH, &s->local,
				  err);
	return rc > 0 ? branch_not_ours(s->g, err) : rc;
}

static int check_sides(struct sync *s, struct error *err)
{
	if (!s->ref.exists && !have_ours(s))
		return error_set(err, ERROR_NOBRANCH,
				 "there is no branch '%s', neither here nor at "
				 "the remote %s; 'dbstow export' makes one",
				 s->g->branch, remote_label(s->r));
	if (!s->ref.exists && s->o->direction == SYNC_PULL)
		return error_set(err, ERROR_NOBRANCH,
				 "the remote %s has no branch '%s'; 'dbstow "
				 "sync --push' makes one",
				 remote_label(s->r), s->g->branch);
	if (!have_ours(s) && s->o->direction == SYNC_PUSH)
		return error_set(err, ERROR_FAILED,
				 "there is no branch '%s' here to push; "
				 "'dbstow export' makes one",
				 s->g->branch);
	return 0;
}

/* ---- merging ---- */

/* The time of our packs' folder: who moves objects from one to another, as a gc
 * does, changes it. */
static struct timespec packs_time(struct sync *s)
{
	char *path = path_join(s->g->objects, "pack");
	struct stat st;

	memset(&st, 0, sizeof(st));
	if (path && stat(path, &st) < 0)
		memset(&st, 0, sizeof(st));
	free(path);
	return st.st_mtim;
}

/* What was not found may have been on its way from one pack to another. */
static int packs_changed(struct sync *s)
{
	struct timespec now = packs_time(s);

	return now.tv_sec != s->packs.tv_sec || now.tv_nsec != s->packs.tv_nsec;
}

/* A snapshot that is nowhere any more: our clone is shallow, and the remote has
 * dropped it.  @return enum step */
static int drop_lost(struct sync *s)
{
	struct history *m = s->merged;
	char hex[SHORT_HEX_SIZE];
	size_t i;

	for (i = m->count; i-- > 0;) {
		if (object_exists(s->store, &m->snapshots[i].id))
			continue;
		if (packs_changed(s))
			return STEP_AGAIN;
		object_short(hex, &m->snapshots[i].id);
		sync_warn(
			s,
			"snapshot %s is neither in this repository nor at the "
			"remote %s any more; it leaves the list",
			hex, remote_label(s->r));
		history_remove(m, i);
	}
	return STEP_DONE;
}

static int read_tree(struct sync *s, struct error *err)
{
	const struct history *m = s->merged;
	struct raw_commit c;
	int rc = 1;

	if (m->count)
		rc = raw_commit_read(s->store, &m->snapshots[0].id, &c, err);
	if (rc)
		return rc < 0 ? -1
			      : error_set(err, ERROR_FAILED,
					  "no snapshot of branch '%s' can be "
					  "read; run 'git fetch --unshallow'",
					  s->g->branch);
	s->tree = c.tree;
	raw_commit_release(&c);
	return 0;
}

static void look_at_clocks(struct sync *s)
{
	const struct snapshot *newest = s->merged->snapshots;
	char hex[SHORT_HEX_SIZE], when[CLOCK_TEXT_SIZE];

	if (!s->merged->count ||
	    newest->created_at_s <= s->now_s + CLOCK_AHEAD_S)
		return;
	object_short(hex, &newest->id);
	clock_text(when, newest->created_at_s);
	sync_warn(
		s,
		"the newest snapshot %s is of %s, which is yet to come: the clock "
		"of the machine that made it is wrong, or this one's",
		hex, when);
}

/* @return enum step, or -1 */
static int merge(struct sync *s, struct error *err)
{
	struct error failed = ERROR_INIT;

	if (history_merge(&s->merged, s->ours, s->theirs, &failed) < 0)
		return error_set(err, failed.code,
				 "cannot merge with the remote %s: %s",
				 remote_label(s->r), failed.message);
	s->out->dropped = 0;
	if (s->merged->keep)
		s->out->dropped = history_retain(s->merged, s->merged->keep);
	if (drop_lost(s))
		return STEP_AGAIN;
	look_at_clocks(s);
	return read_tree(s, err);
}

/* ---- the loop ---- */

/* @return enum step, or -1 */
static int read_lists(struct sync *s, struct error *err)
{
	if (remote_refs(s->r, s->g->ref, &s->ref, err) < 0)
		return -1;
	if (read_theirs(s, err) < 0) {
		if (!err || err->code != ERROR_CONFLICT)
			return -1;
		error_clear(err);
		return STEP_AGAIN;
	}
	return read_ours(s, err);
}

/* @return enum step, or -1 */
static int sync_once(struct sync *s, struct error *err)
{
	int rc;

	lists_release(s);
	memset(&s->index.id, 0, sizeof(s->index.id));
	s->packs = packs_time(s);
	/* not what an earlier try placed and took away again */
	if (store_look_again(s->g, err) < 0 ||
	    store_look_again(s->store, err) < 0)
		return -1;
	rc = read_lists(s, err);
	if (!rc)
		rc = check_sides(s, err);
	if (!rc)
		rc = merge(s, err);
	if (!rc)
		rc = sync_push(s, err);
	if (!rc)
		rc = sync_pull(s, err);
	return rc;
}

/* Longer each time, and never in step with another writer. */
static void pause_for(unsigned int attempt)
{
	unsigned int most = 250U << attempt;
	struct timespec pause;
	uint32_t random = 0;

	if (most > PAUSE_MAX_MS)
		most = PAUSE_MAX_MS;
	if (getrandom(&random, sizeof(random), 0) < 0)
		random = (uint32_t)getpid();
	random %= most;
	pause.tv_sec = (time_t)(random / 1000);
	pause.tv_nsec = (long)(random % 1000) * 1000000L;
	nanosleep(&pause, NULL);
}

static int try_sync(struct sync *s, struct error *err)
{
	unsigned int attempt;
	int rc = STEP_AGAIN;

	for (attempt = 0; attempt < SYNC_TRIES && rc == STEP_AGAIN; attempt++) {
		if (attempt)
			pause_for(attempt);
		rc = sync_once(s, err);
		if (rc < 0 && attempt + 1 < SYNC_TRIES && err &&
		    err->code == ERROR_DAMAGE && packs_changed(s)) {
			error_clear(err);
			rc = STEP_AGAIN;
		}
	}
	if (rc == STEP_AGAIN)
		return error_set(err, ERROR_CONFLICT,
				 "the branch '%s' kept moving, here or at the "
				 "remote %s, while it was to be written, %d "
				 "times; try again",
				 s->g->branch, remote_label(s->r), SYNC_TRIES);
	return rc;
}

/* What is known of the remote without asking it again. */
static int remember(struct sync *s, struct error *err)
{
	const struct sync_options *o = s->o;
	const char *name = o->remote.name ? o->remote.name : o->remote.url;
	int at_merged = !object_same(&s->arranged, &s->ref.id);

	s->out->tip = s->arranged;
	s->out->there = at_merged ? s->merged->count : s->theirs->count;
	s->out->here = o->direction == SYNC_PUSH ? s->ours->count
						 : s->merged->count;
	if (o->dry_run)
		return 0;
	return sync_state_write(s->g, name, at_merged ? s->merged : s->theirs,
				&s->arranged, s->out->bytes, err);
}

int sync_remote(struct gitstore *g, const struct sync_options *o,
		struct sync_result *out, struct error *err)
{
	struct sync s = { .g = g,
			  .o = o,
			  .out = out,
			  .index = { .body = BUFFER_INIT },
			  .now_s = clock_now() };
	int rc = -1;

	memset(out, 0, sizeof(*out));
	if (remote_open(&s.r, g, &o->remote, err) < 0)
		return -1;
	s.store = remote_store(s.r, err);
	/* what killed runs left is no ground to stand on */
	if (s.store && store_lock(g, err) < 0)
		s.store = NULL;
	store_unlock(g);
	if (s.store &&
	    (o->direction == SYNC_PUSH || branch_not_checked_out(g, err) >= 0))
		rc = try_sync(&s, err);
	if (!rc)
		rc = remember(&s, err);
	lists_release(&s);
	remote_free(s.r);
	return rc;
}
