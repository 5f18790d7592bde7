/*
 * sync_push.c - the remote's branch to the merged list
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gitstore/sync_internal.h"

/* A gc is over soon; a damaged remote stays one. */
#define TAKEN_TRIES 3

/* Snapshots of `h` that `other` does not have. */
static size_t lacking(const struct history *h, const struct history *other)
{
	size_t count = 0, i, at;

	for (i = 0; i < h->count; i++)
		count += !history_index(other, &h->snapshots[i].id, &at);
	return count;
}

static int refuse_public(struct sync *s, struct error *err)
{
	enum remote_readers readers;

	return s->o->allow_public ? 0 : remote_readers(s->r, 0, &readers, err);
}

/* Is all that was ever listed to stay there? */
static int goes_on(const struct sync *s)
{
	return s->ref.exists && !s->o->replace &&
	       (s->o->append || !object_is_zero(&s->theirs->previous));
}

/* The commit that the remote's branch is to point to: ours if it says the same,
 * else one that is made now. */
static int prepare_index(struct sync *s, struct error *err)
{
	int append = goes_on(s), same = 0;

	if (!append && have_ours(s) && object_is_zero(&s->ours->previous))
		same = history_same(s->merged, s->ours, err);
	if (same < 0)
		return -1;
	if (same) {
		s->index.id = s->tip;
		return 0;
	}
	s->out->appended = append;
	if (append)
		s->merged->previous = s->ref.id;
	return index_build(s->g, s->merged, &s->tree, s->now_s, &s->index, err);
}

static int has(const char *text, const char *part)
{
	return text && strstr(text, part);
}

static int has_any(const char *text, const char *const *parts)
{
	while (*parts && !has(text, *parts))
		parts++;
	return *parts != NULL;
}

/*
 * What is on its way lies in a folder that `git prune --expire=now` removes,
 * and what git made loose objects of until the ref moves, too.  So it does not
 * move, and git tells what it found missing first.
 */
static int was_taken(const struct remote_push_result *p)
{
	static const char *const reasons[] = {
		"missing necessary objects", "unable to migrate objects",
		"unable to create temporary object directory", "bad pack", NULL
	};
	/* beside "index-pack abnormal exit" and the like; where the folder is
	 * gone, git takes all of it for no repository */
	static const char *const messages[] = {
		"No such file or directory", "unable to rename temporary",
		"unresolved deltas",         "with nonexistent object",
		"a git repository",          NULL
	};

	return has_any(p->reason, reasons) ||
	       ((has(p->reason, "abnormal exit") ||
		 has(p->reason, "failed to update ref")) &&
		has_any(p->messages, messages));
}

static int taken(struct sync *s, const char *reason, struct error *err)
{
	return error_set(err, ERROR_CONFLICT,
			 "the remote %s lost what was sent before its branch "
			 "'%s' could move (%s), as happens while 'git gc "
			 "--prune=now' or 'git prune' runs there; nothing is "
			 "lost here, sync again when that is done; if it stays "
			 "so, run 'git fsck' there",
			 remote_label(s->r), s->g->branch, reason);
}

static int rejected(struct sync *s, const struct remote_push_result *p,
		    struct error *err)
{
	const char *reason = p->reason ? p->reason : "no reason given";
	const char *hint = "";

	if (was_taken(p))
		return taken(s, reason, err);
	if (strstr(reason, "unpack") || strstr(reason, "index-pack"))
		return error_set(err, ERROR_FAILED,
				 "the remote %s could not store what was sent: "
				 "%s; is its disk full?",
				 remote_label(s->r), reason);
	if (strstr(reason, "non-fast-forward") ||
	    strstr(reason, "protected branch") ||
	    (p->messages && (strstr(p->messages, "non-fast-forward") ||
			     strstr(p->messages, "force-push"))))
		hint = "; allow force pushes to that branch, or use --history "
		       "append";
	return error_set(err, ERROR_REFUSED,
			 "the remote %s did not take branch '%s': %s%s",
			 remote_label(s->r), s->g->branch, reason, hint);
}

/* What hosts like GitHub advise against or refuse. */
#define HOST_FILE_BYTES     UINT64_C(100000000)
#define HOST_FOLDER_ENTRIES 3000
/* One that never forgets asks for less than this in all. */
#define HOST_ADVICE_BYTES UINT64_C(10000000000)

/* A host that keeps what nothing reaches any more only ever grows. */
static void look_at_total(struct sync *s, uint64_t more)
{
	const char *name = s->o->remote.name;
	struct sync_states all;

	if (!name || sync_states_read(s->g, &all, NULL) < 0)
		return;
	for (size_t i = 0; i < all.count; i++)
		if (!strcmp(all.items[i].name, name) &&
		    all.items[i].sent_bytes + more > HOST_ADVICE_BYTES / 5 * 4)
			sync_warn(s,
				  "%.1f GB were sent to '%s' so far; hosts "
				  "like GitHub keep all of it and ask for less "
				  "than 10 GB: begin a new repository in time",
				  (double)all.items[i].sent_bytes / 1e9, name);
	sync_states_release(&all);
}

/* Told before the pack is sent: what a host will refuse need not be waited for.
 */
static void look_at_sizes(void *payload, const struct remote_push_result *p)
{
	struct sync *s = payload;
	char hex[SHORT_HEX_SIZE];

	object_short(hex, &p->largest);
	if (p->largest_bytes > HOST_FILE_BYTES)
		sync_warn(s,
			  "object %s has %.0f MB; hosts like GitHub take no "
			  "file over 100 MB",
			  hex, (double)p->largest_bytes / 1e6);
	if (p->largest_folder > HOST_FOLDER_ENTRIES)
		sync_warn(s,
			  "a folder of the snapshot has %zu entries; hosts "
			  "like GitHub advise against more than %d",
			  p->largest_folder, HOST_FOLDER_ENTRIES);
	look_at_total(s, p->bytes);
}

static void take_push_result(struct sync *s, struct remote_push_result *p)
{
	s->out->objects += p->objects;
	s->out->bytes += p->bytes;
	free(s->out->messages);
	s->out->messages = p->messages;
	p->messages = NULL;
}

/* @return enum step, or -1 */
static int send_index(struct sync *s, struct error *err)
{
	struct remote_push_result p = { .objects = 0 };
	struct remote_push q = { .ref = s->g->ref,
				 .old = s->ref.id,
				 .id = s->index.id,
				 .body = s->index.body.data,
				 .body_size = s->index.body.size,
				 .dry_run = s->o->dry_run,
				 .made = look_at_sizes,
				 .payload = s };
	int rc = remote_push(s->r, &q, &p, err);

	if (!rc && p.outcome == REMOTE_REJECTED)
		rc = was_taken(&p) && ++s->taken < TAKEN_TRIES
			     ? STEP_AGAIN
			     : rejected(s, &p, err);
	else if (!rc && p.outcome == REMOTE_MOVED)
		rc = STEP_AGAIN;
	if (rc <= 0)
		take_push_result(s, &p);
	remote_push_result_release(&p);
	return rc;
}

/* "Stored off-site" is said of what was seen there. */
static int look_again(struct sync *s, struct error *err)
{
	struct remote_ref now;

	if (remote_refs(s->r, s->g->ref, &now, err) < 0)
		return -1;
	if (!now.exists)
		return error_set(err, ERROR_FAILED,
				 "the remote %s took branch '%s' and does not "
				 "show it; look there",
				 remote_label(s->r), s->g->branch);
	/* else another writer moved it since: it had ours before its eyes */
	s->out->pushed = 1;
	return 0;
}

int sync_push(struct sync *s, struct error *err)
{
	int rc = s->ref.exists ? history_same(s->merged, s->theirs, err) : 0;

	if (rc > 0 && s->o->replace && !object_is_zero(&s->theirs->previous))
		rc = 0; /* the same list, without those before it */
	s->out->appended = 0;
	s->arranged = s->ref.id;
	if (rc || s->o->direction == SYNC_PULL)
		return rc < 0 ? -1 : STEP_DONE;
	if (refuse_public(s, err) < 0 || prepare_index(s, err) < 0)
		return -1;
	rc = send_index(s, err);
	if (rc)
		return rc;
	s->out->sent = lacking(s->merged, s->theirs);
	s->arranged = s->index.id;
	return s->o->dry_run ? 0 : look_again(s, err);
}
