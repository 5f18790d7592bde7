/*
 * sync.h - the branch to a remote and back
 *
 *   sync_remote()  read the remote's list, merge it with ours, send what the
 *                  remote lacks, move its branch, fetch what we lack, move
 *                  ours; again from the beginning when one of them moved
 *
 * The remote's branch moves only if it still is what was merged; the server
 * compares and swaps.  A killed sync leaves both branches the old or the new
 * ones, and the next one goes on from there.
 */
#ifndef GITSTORE_SYNC_H
#define GITSTORE_SYNC_H

#include <stddef.h>
#include <stdint.h>

#include "gitstore/gitstore.h"
#include "gitstore/remote.h"

struct error;

/* Tries before ERROR_CONFLICT. */
#define SYNC_TRIES 5

enum sync_direction {
	SYNC_BOTH,
	SYNC_PULL, /* the remote stays as it is */
	SYNC_PUSH  /* our branch stays as it is */
};

struct sync_options {
	struct remote_options remote;
	enum sync_direction direction;
	int append;  /* the remote's branch only goes on: for remotes that
			refuse anything else */
	int replace; /* ... and no longer does; else it stays as it began */
	int allow_public; /* also where the world can read it */
	int dry_run;      /* look, and change nothing anywhere */
	/* Something people should know; may be NULL. */
	void (*warn)(void *payload, const char *text);
	void *payload;
};

struct sync_result {
	size_t here, there;   /* snapshots on the two branches afterwards */
	size_t sent, fetched; /* snapshots that the other side did not have */
	size_t dropped;       /* by retention, of all that both had */
	size_t objects;       /* that were sent */
	uint64_t bytes;       /* of the pack that was sent */
	int pushed;           /* the remote's branch moved, and was read again:
				 it is there */
	int pulled;           /* our branch moved */
	int appended;         /* its branch went on: all lists stay there */
	struct object_id tip; /* the remote's index commit; zero: none */
	char *messages;       /* what the server said, lines, safe to show;
				 or NULL */
};

/**
 * Bring both branches to the same list.
 *
 * @param out  to be released with sync_result_release(), whatever comes
 * @return 0; -1: ERROR_NETWORK; ERROR_CONFLICT when a branch kept moving, or
 *         a gc there threw away what was sent, again and again;
 *         ERROR_REFUSED: a public remote, another database, another's branch,
 *         or the server's rules; ERROR_FAILED when neither side has the branch
 */
int sync_remote(struct gitstore *g, const struct sync_options *o,
		struct sync_result *out, struct error *err);
void sync_result_release(struct sync_result *out);

/* ---- reading a branch at a remote ---- */

/**
 * Read the list of a remote's branch, without its files where the server can
 * leave them out.
 *
 * @param ref  what remote_refs() told; it exists
 * @return 0, or -1; ERROR_REFUSED when the branch there is not ours
 */
int sync_read(struct remote *r, struct gitstore *g,
	      const struct remote_ref *ref, struct history **out,
	      struct error *err);

/** Fetch whole snapshots of that branch, no others where the server allows
 *  it. */
int sync_fetch(struct remote *r, const struct remote_ref *ref,
	       const struct object_id *snapshots, size_t count,
	       struct error *err);

/* ---- which remotes: sync_names.c ---- */

struct sync_names {
	char **names; /* as the user calls them */
	char **urls;
	size_t count;
	char *token_file; /* that git's configuration names, or NULL */
};

/**
 * Find a remote's URL: `remote.NAME.pushurl` or `.url` of git's configuration,
 * else `what` is a URL or a path itself.  url.*.insteadOf does not apply.
 *
 * @param what  NULL: all that `dbstow.remote` names, else "origin"
 * @return 0, or -1 with ERROR_USAGE that says what to type
 */
int sync_names_find(struct gitstore *g, const char *what,
		    struct sync_names *out, struct error *err);
void sync_names_release(struct sync_names *n);

/* ---- what is known of remotes without asking: sync_state.c ---- */

/** A remote as it was when it was read last. */
struct sync_state {
	char *name;
	int configured;      /* a plain sync goes there */
	int64_t seen_at_s;   /* 0: never */
	uint64_t sent_bytes; /* by us, in all */
	struct object_id tip;
	struct object_id *snapshots; /* newest first */
	size_t count;
};

struct sync_states {
	struct sync_state *items;
	size_t count;
};

/** Read what is known of all remotes of this branch; what cannot be read is
 *  passed over.  Those that `dbstow.remote` names are there in any case. */
int sync_states_read(struct gitstore *g, struct sync_states *out,
		     struct error *err);
void sync_states_release(struct sync_states *s);

/** How many snapshots of `h` the remote did not have then. */
size_t sync_state_lacks(const struct sync_state *s, const struct history *h);

/** Remember a remote.  @param there  NULL: the branch is not there
 *  @param bytes  that were sent just now */
int sync_state_write(struct gitstore *g, const char *name,
		     const struct history *there, const struct object_id *tip,
		     uint64_t bytes, struct error *err);

/** Remember a remote no longer.
 *  @return 0; 1: nothing was remembered of it; -1 */
int sync_state_forget(struct gitstore *g, const char *name, struct error *err);

#endif /* GITSTORE_SYNC_H */
