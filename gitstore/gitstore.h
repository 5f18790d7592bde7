/*
 * gitstore.h - snapshots on one branch of a git repository
 *
 *   gitstore_open()  ->  gitstore_history()                       to read
 *   gitstore_open()  ->  gitstore_sink() ... gitstore_publish()
 *                    ->  gitstore_commit()                        to add one
 *
 * A snapshot is a parentless commit.  The branch's tip is an *index commit*:
 * its tree is the newest snapshot's tree, its parents are the retained
 * snapshots: the previous one first, then the newest, then the older ones,
 * newest to oldest.  docs/format.md, section "Branch", has the details.
 *
 * What was put becomes readable with gitstore_publish() and visible when
 * gitstore_commit() moves the branch.  Freeing the store before that leaves
 * branch and object store as they were.  The work tree, the index, HEAD and
 * all other refs are never touched.  A store is used by one thread at a time.
 */
#ifndef GITSTORE_GITSTORE_H
#define GITSTORE_GITSTORE_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot/object.h"

struct error;
struct gitstore;

#define GITSTORE_BRANCH "database-backups"
#define GITSTORE_KEEP   8

struct gitstore_options {
	const char *path;   /* repository or a folder in it; NULL: the one that
			       holds the current folder */
	const char *branch; /* NULL: GITSTORE_BRANCH; "refs/heads/" in front of
			       it is passed over */
};

/**
 * Open the repository (bare, linked worktree, submodule all work).  Nothing is
 * written.
 * @return 0, or -1: no repository there, unsafe ownership (says what to type),
 *         an object format libgit2 cannot read ...
 */
int gitstore_open(struct gitstore **out, const struct gitstore_options *o,
		  struct error *err);

/** Make a bare repository at `path`, where nothing is yet: for scratch. */
int gitstore_make(const char *path, struct error *err);

/** The same with a work tree, as `git init` does.
 *  @param path  NULL: the current folder */
int gitstore_make_work_tree(const char *path, struct error *err);

/** @return 1 when `path` (NULL: the current folder) lies in a repository, be it
 *  one that cannot be opened; else 0 */
int gitstore_is_there(const char *path);

/** The folder of the work tree, ending in '/'; NULL: there is none.
 *  Borrowed. */
const char *gitstore_work_tree(const struct gitstore *g);

/**
 * Can a branch be called so?  No repository is needed.
 * @param out  receives its short name, borrowed from `branch`
 * @return 0, or -1 with ERROR_USAGE
 */
int gitstore_branch_name(const char *branch, const char **out,
			 struct error *err);

/** Remove what was put but not committed, drop the lock.  NULL is allowed. */
void gitstore_free(struct gitstore *g);

/** The branch, in full: "refs/heads/database-backups". Borrowed. */
const char *gitstore_ref(const struct gitstore *g);

/** Folder for scratch files beside the lock: "<git folder>/dbstow"; created on
 *  first use, mode 0700. Borrowed. */
const char *gitstore_folder(struct gitstore *g, struct error *err);

/** The branch's short name.  Borrowed. */
const char *gitstore_branch(const struct gitstore *g);

/**
 * A value of the repository's git configuration ("dbstow.keep"), or of the file
 * ".dbstow" at the top of the work tree, which comes first.
 *
 * @param out  receives new memory, which the caller frees; NULL: there is none
 * @return 0, or -1 with ERROR_USAGE when a file cannot be read or is broken
 */
int gitstore_config(struct gitstore *g, const char *key, char **out,
		    struct error *err);

/** The same of the file ".dbstow" alone. */
int gitstore_work_tree_config(struct gitstore *g, const char *key, char **out,
			      struct error *err);

/** Set a value in the repository's own configuration. */
int gitstore_config_set(struct gitstore *g, const char *key, const char *value,
			struct error *err);

/** Set a value in the file ".dbstow"; all else in it stays. */
int gitstore_work_tree_set(struct gitstore *g, const char *key,
			   const char *value, struct error *err);

/** Record that the value gitstore_config() gave is not what it has to be:
 *  "'.dbstow': dbstow.keep is 'x', not a number".  @return -1, ERROR_USAGE */
int gitstore_config_wrong(struct gitstore *g, const char *key,
			  const char *wanted, struct error *err);

/* ---- history ---- */

/** A snapshot's drill where there is no schema to restore into: all was read
 *  back and compared. */
#define GITSTORE_NO_SCHEMA "none (no schema)"

/** What the branch knows of one snapshot without reading its files. */
struct snapshot {
	struct object_id id;      /* the commit: the snapshot's id */
	struct object_id content; /* tree id of data/ */
	int64_t created_at_s;
	char *source;
	char *name;            /* or NULL */
	char *kind;            /* or NULL */
	char *description;     /* or NULL */
	char *drill;           /* "ok", "none (reason)" */
	char *schema_revision; /* or NULL */
	char *partial;         /* the models that the application left out, for
				  people; NULL: it is whole */
	uint64_t tables, rows, bytes;
	int pinned;
	int64_t pinned_at_s; /* 0: not recorded */
	int absent; /* the commit is not in this repository (shallow clone) */
};

struct tombstone {
	struct object_id id;
	int64_t deleted_at_s;
};

struct history {
	struct snapshot *snapshots; /* newest first */
	size_t count;
	char *source;       /* of the branch; NULL when empty */
	unsigned int keep;  /* retention; 0: not recorded */
	int64_t keep_set_s; /* when it was set for all copies; 0: it was not */
	int64_t checked_at_s; /* 0: never */
	struct tombstone *deleted;
	size_t deleted_count;
	struct tombstone *unpinned; /* pins that were taken back, and when */
	size_t unpinned_count;
	struct object_id tip;      /* the index commit */
	struct object_id previous; /* the index commit before it, which it has
				      for a parent where a remote only takes
				      what goes on from there; else zero */
	int exists; /* 0: there is no such branch here; what is listed
		       is then a remote-tracking one's */
	char *ref;  /* the ref it was read from */
};

/**
 * Read the branch.  A branch that exists and is not ours: ERROR_REFUSED.
 *
 * Where there is none, the remote-tracking branch (refs/remotes/REMOTE/BRANCH)
 * whose newest snapshot is newest stands for it: what is written next takes its
 * list over, and makes the branch.
 *
 * @param newest  look at the remote-tracking branches in any case, and take the
 *                one whose newest snapshot is newest; `note` then tells when
 *                they differ
 * @param note    receives a line for people or NULL; the caller frees it;
 *                may be NULL
 */
int gitstore_history(struct gitstore *g, int newest, struct history **out,
		     char **note, struct error *err);

/** Read the history at any commit or ref (an index commit or a snapshot). */
int gitstore_history_at(struct gitstore *g, const char *rev,
			struct history **out, struct error *err);
void history_free(struct history *h);

/**
 * Find a snapshot: "latest", "latest~2", a commit id or unique prefix of at
 * least 4 digits, a snapshot's name, a date prefix "2026-11-20" (the newest
 * of that day).
 * @return 0 with the index in `*at`; -1 with ERROR_FAILED that lists what
 *         there is or which ones a prefix could mean
 */
int history_find(const struct history *h, const char *what, size_t *at,
		 struct error *err);

/** The newest snapshot not newer than `when_s`. */
int history_find_at(const struct history *h, int64_t when_s, size_t *at,
		    struct error *err);

/** The files of a snapshot.  `g` must outlive the source.  The SHA-1 of every
 *  object read is checked. */
int gitstore_source(struct gitstore *g, const struct object_id *commit,
		    struct source **out, struct error *err);

/* ---- adding ---- */

/** Takes objects into a pack of our own in the scratch folder; those that the
 *  branch reaches already are not stored again. Borrowed.  The first call
 *  checks that the branch may be written (ours, not checked out). */
struct sink *gitstore_sink(struct gitstore *g, struct error *err);

/** The same for a safety copy: the branch is not looked at, so it works
 *  whatever lies there. */
struct sink *gitstore_undo_sink(struct gitstore *g, struct error *err);

/** Finish the pack, in the scratch folder: gitstore_tree_source() can read it,
 *  nobody else sees it.  gitstore_commit() or gitstore_keep_undo() places it in
 *  the repository, guarded by a .keep file until the ref has moved. */
int gitstore_publish(struct gitstore *g, struct error *err);

/** The files of a tree that was put and published. */
int gitstore_tree_source(struct gitstore *g, const struct object_id *tree,
			 struct source **out, struct error *err);

/** The id of a folder in a source of gitstore's.
 *  @return 0; 1: there is no such folder; -1 */
int gitstore_folder_id(struct source *s, const char *path, struct object_id *id,
		       struct error *err);

/**
 * Objects that were put, read back in another thread while more are put:
 *
 *   the thread that puts         follower_look()
 *   the one that follows         follower_source()
 *
 * All is read from the pack's file as it will stay, its SHA-1 checked.  What
 * can't be read so (git's own kinds of storing that we leave to libgit2) is an
 * error: read it after gitstore_publish().
 */
struct follower;

/** To be called by who puts. `g` must outlive it. */
int follower_new(struct follower **out, struct gitstore *g, struct error *err);

/**
 * Show what was put so far; nobody puts meanwhile.  It costs more the more
 * there is, so it is done when enough is new.
 *
 * @param all  in any case
 * @return 1: all that was put can be read; 0: not yet, or nothing new had to be
 *         stored at all; -1
 */
int follower_look(struct follower *f, int all, struct error *err);

/** The files of a tree that can be read; for one thread, and before
 *  follower_free(). */
int follower_source(struct follower *f, const struct object_id *tree,
		    struct source **out, struct error *err);
void follower_free(struct follower *f);

struct gitstore_snapshot {
	struct object_id tree;    /* root tree; all zero: nothing was put, only
				     note that the content was found again */
	struct object_id content; /* its data/ */
	int64_t created_at_s;
	const char *source;
	const char *name, *kind, *description, *schema_revision; /* or NULL */
	const char *drill;   /* "ok", GITSTORE_NO_SCHEMA, "none (reason)" */
	const char *partial; /* as in struct snapshot */
	const char *changes; /* body text: lines "users: 1,204 rows (+3)" */
	uint64_t tables, rows, bytes;
	unsigned int keep; /* 0: as the branch says, else GITSTORE_KEEP */
	int set_policy;    /* `keep` is meant for all copies of the branch,
			      also for those that keep more */
	int always;        /* add even when the content equals the newest */
	int adopt;         /* a branch that is not ours: rename it first to
			      BRANCH-before-dbstow */
	int pin;
};

struct gitstore_result {
	struct object_id id; /* the new snapshot, or the existing equal one;
				all zero: there was no tree to add, and the
				newest snapshot has other content */
	int unchanged;       /* 1: equal content, only Checked: moved */
	size_t retained;     /* snapshots on the branch now */
	size_t dropped;      /* by retention */
};

/**
 * Check before work starts that gitstore_commit() could succeed: branch ours
 * or absent or `adopt`, same source, not checked out, repository writable.
 */
int gitstore_check(struct gitstore *g, const char *source, int adopt,
		   struct error *err);

/**
 * Add one snapshot and move the branch (compare and swap; when it moved: read
 * the new tip, add only this snapshot to its list, apply retention, again, at
 * most 20 times with jitter, then ERROR_CONFLICT).
 */
int gitstore_commit(struct gitstore *g, const struct gitstore_snapshot *s,
		    struct gitstore_result *out, struct error *err);

/* ---- keeping ---- */

int gitstore_pin(struct gitstore *g, const struct object_id *id, int pinned,
		 struct error *err);

/** Drop a snapshot and leave a tombstone.  ERROR_REFUSED when it is pinned or
 *  the last one whose drill is ok (or the last at all). */
int gitstore_delete(struct gitstore *g, const struct object_id *id,
		    struct error *err);

/* ---- undo: safety snapshots outside the branch ---- */

#define GITSTORE_UNDO_KEEP 5

/** Keep a published tree under refs/dbstow/undo/TIME; only the newest 5 of its
 *  source stay.  Where the newest of them holds the same content, nothing is
 *  added and that one told.
 *  @param name  receives "undo/20261120T023522Z" (history_find() does not know
 *               it, gitstore_history_at() does); the caller frees it */
int gitstore_keep_undo(struct gitstore *g, const struct gitstore_snapshot *s,
		       char **name, struct object_id *id, struct error *err);

#endif /* GITSTORE_GITSTORE_H */
