/*
 * sync_internal.h - what the files of gitstore/sync*.c share
 *
 *   sync.c        the loop: reading both lists, merging them
 *   sync_push.c   to the remote
 *   sync_pull.c   to our branch, and reading a branch there
 *   sync_merge.c  two lists become one
 *   sync_names.c  which remotes are meant
 *   sync_state.c  what is known of them
 */
#ifndef GITSTORE_SYNC_INTERNAL_H
#define GITSTORE_SYNC_INTERNAL_H

#include <time.h>

#include "gitstore/gitstore_internal.h"
#include "gitstore/sync.h"

/* What a step says; below 0 it failed. */
enum step {
	STEP_DONE = MOVE_DONE,
	STEP_AGAIN = MOVE_CHANGED /* a branch moved, or a gc was at work */
};

struct sync {
	struct gitstore *g;
	const struct sync_options *o;
	struct sync_result *out;
	struct remote *r;
	struct gitstore *store;    /* the transfer repository; borrowed */
	struct remote_ref ref;     /* the remote's branch */
	struct object_id tip;      /* ours; zero: there is none */
	struct history *ours;      /* read through `store` */
	struct history *theirs;    /* without snapshots where there is none */
	struct history *merged;    /* with retention applied */
	struct history *local;     /* ours, as it can be read without `store` */
	struct object_id tree;     /* of the newest of `merged` */
	struct new_commit index;   /* of `merged`, for the remote */
	struct object_id arranged; /* the remote's tip when all is done */
	struct timespec packs;     /* our packs' folder's, as the try began */
	unsigned int taken; /* pushes that a gc there took the objects of */
	int64_t now_s;
};

void sync_warn(struct sync *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** Is our branch there? */
static inline int have_ours(const struct sync *s)
{
	return !object_is_zero(&s->tip);
}

/* ---- sync_push.c, sync_pull.c ---- */

/** Bring the remote's branch to the merged list. @return enum step, or -1 */
int sync_push(struct sync *s, struct error *err);

/** Bring ours there. @return enum step, or -1 */
int sync_pull(struct sync *s, struct error *err);

#endif /* GITSTORE_SYNC_INTERNAL_H */
