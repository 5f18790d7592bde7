/*
 * remote.h - a git remote: what is there, fetching it, pushing to it
 *
 *   remote_open()  ->  remote_refs()    where a branch is there
 *                  ->  remote_fetch()   its objects, to read
 *                  ->  remote_store()   ... as a store of their own
 *                  ->  remote_keep()    ... into the user's repository
 *                  ->  remote_push()    move it there, if it still is where
 *                                       it was: the server compares and swaps
 *                  ->  remote_free()
 *
 * HTTPS, ssh (by running `ssh`) and folders (by running git there).  What
 * arrives lies in a *transfer repository*: private, bare, in the git folder's
 * "dbstow", with the user's objects as alternates.  It lives as long as the
 * remote, and is swept when a run was killed.  The user's repository, its refs,
 * FETCH_HEAD and .git/shallow stay as they are, until remote_keep().
 *
 * Errors are ERROR_NETWORK unless said otherwise and name the remote.  A server
 * that is silent ends in one: nothing here waits longer than a minute for the
 * next byte.  A remote is used by one thread at a time.
 */
#ifndef GITSTORE_REMOTE_H
#define GITSTORE_REMOTE_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot/object.h"

struct error;
struct gitstore;
struct move;
struct remote;

/* What a server takes as one push; GitHub's limit. */
#define REMOTE_PACK_MAX UINT64_C(2147483648)

struct remote_options {
	const char *name; /* as the user calls it; NULL: its URL */
	const char *url;  /* https://, ssh://, [user@]host:path, file://, a path
			     (relative: to the current folder) */
	const char *cacert;       /* more certificate authorities, or NULL */
	const char *token_file;   /* or NULL */
	int allow_http_loopback;  /* http:// to this machine: for tests */
	int (*interrupted)(void); /* asked while waiting; or NULL */
};

/**
 * Look at the URL; nothing is run or asked yet.  All strings are copied.
 *
 * @param g  the user's store; it must outlive the remote
 * @return 0, or -1: ERROR_USAGE when the URL is none that can be used,
 *         ERROR_REFUSED when it holds a password
 */
int remote_open(struct remote **out, struct gitstore *g,
		const struct remote_options *o, struct error *err);

/** Remove the transfer repository too.  NULL is allowed. */
void remote_free(struct remote *r);

/** "'origin' (https://host/x.git)" or "'../x.git'": for messages; borrowed. */
const char *remote_label(const struct remote *r);

enum remote_kind { REMOTE_HTTPS, REMOTE_SSH, REMOTE_FILE };
enum remote_kind remote_kind(const struct remote *r);

/** The host that the URL names; NULL for a folder; borrowed. */
const char *remote_host(const struct remote *r);

struct remote_ref {
	struct object_id id; /* all zero: there is no such ref */
	int exists;
	int empty;      /* the repository has no branch at all */
	int any_commit; /* a commit can be asked for that is no ref's tip */
	int filters;    /* commits can be had without their files */
	char agent[64]; /* "git/2.39.5", or "" */
};

/**
 * Ask where a ref is, now.
 * @param ref  in full: "refs/heads/database-backups"
 */
int remote_refs(struct remote *r, const char *ref, struct remote_ref *out,
		struct error *err);

enum remote_readers {
	READERS_SOME,   /* not the whole world, as far as can be asked */
	READERS_WORLD,  /* whoever comes, without a password */
	READERS_UNKNOWN /* there is somebody to ask, who did not say */
};

/**
 * Can the whole world read this?  Ask for the refs without credentials: a URL
 * of https itself; of ssh, where its host is one that serves the same
 * repository over https (GitHub, GitLab, Codeberg, Bitbucket), there, for at
 * most 5 s a question.  Other ssh hosts and folders are not asked.
 *
 * @param allow_public  else READERS_WORLD is ERROR_REFUSED
 * @return 0, or -1; that a host could not be asked is no error for ssh
 */
int remote_readers(struct remote *r, int allow_public, enum remote_readers *out,
		   struct error *err);

/**
 * Would the server let us push?  Ask for its refs as a push does; nothing is
 * sent.  Rules that it has for a branch show only with a push.
 */
int remote_may_push(struct remote *r, const char *ref, struct error *err);

/**
 * Which of the host's rules for a branch stand in the way of its snapshots?
 * Where it can be asked: GitHub, after remote_refs().
 *
 * @param branch  its short name
 * @param out     receives words for people ("no force pushes, signed commits")
 *                in new memory, or NULL: none
 * @return 0; 1: it cannot be told; -1
 */
int remote_rules(struct remote *r, const char *branch, char **out,
		 struct error *err);

enum remote_depth {
	REMOTE_WHOLE, /* all that the wanted commits reach */
	REMOTE_TIP,   /* the wanted commits and their files, no parents */
	REMOTE_LIST   /* all commits without files where the server can do that,
			 else as REMOTE_TIP */
};

/**
 * Fetch what the store lacks of commits.  Objects that are here already are not
 * sent again.
 *
 * @param wants  commits that refs there point to; others where `any_commit`
 * @return 0, or -1; ERROR_DAMAGE: what was sent is not sound git data;
 *         ERROR_CONFLICT: the branch moved since remote_refs(), and this server
 *         gives out nothing else
 */
int remote_fetch(struct remote *r, const struct object_id *wants, size_t count,
		 enum remote_depth depth, struct error *err);

/**
 * The transfer repository as a store: what was fetched and all that the user's
 * has.  For reading: gitstore_history_at(), gitstore_source().  Its branch, of
 * the same name as the user's, points to the first commit fetched last.
 * Borrowed; NULL with an error.
 */
struct gitstore *remote_store(struct remote *r, struct error *err);

/**
 * Move what was fetched into the user's repository, guarded by .keep files
 * until placed_release() or placed_discard() on its store, whose lock is held.
 *
 * @param m  the ref that is about to move, by which it will be reached
 */
int remote_keep(struct remote *r, const struct move *m, struct error *err);

struct remote_push_result;

struct remote_push {
	const char *ref;      /* in full */
	struct object_id old; /* what was read and merged with: the lease; all
				 zero: the ref must not exist */
	struct object_id id;  /* the index commit it is to point to */
	const void *body;     /* the commit's bytes where it is not stored yet;
				 NULL: it is */
	size_t body_size;
	uint64_t max_bytes; /* refuse a bigger pack; 0: REMOTE_PACK_MAX */
	int dry_run;        /* make the pack, send nothing */
	/* Told what the pack holds, before a byte of it is sent; or NULL. */
	void (*made)(void *payload, const struct remote_push_result *made);
	void *payload;
};

enum remote_outcome {
	REMOTE_PUSHED,  /* the server said so */
	REMOTE_MOVED,   /* the ref was not at `old`: read it and merge again */
	REMOTE_REJECTED /* the server does not want it: `reason`, `messages` */
};

struct remote_push_result {
	enum remote_outcome outcome;
	size_t objects, deltas;
	uint64_t bytes;           /* of the pack */
	uint64_t largest_bytes;   /* of the biggest object, as a file */
	size_t largest_folder;    /* entries */
	struct object_id largest; /* the biggest object */
	char *reason; /* REMOTE_REJECTED: the server's word for it, one line */
	char *messages; /* lines that the server or its hooks wrote, without
			   control characters; NULL: none */
};

/**
 * Send what the remote lacks of a commit, and have it move the ref.  Objects
 * are read from remote_store().  What the remote has is told by `old`, which
 * must have been fetched (or be here anyway).
 *
 * @param out  to be released with remote_push_result_release(), whatever comes
 * @return 0 with the outcome; -1: the network, or ERROR_REFUSED when the pack
 *         would be too big.  After ERROR_NETWORK the ref may have moved or not.
 */
int remote_push(struct remote *r, const struct remote_push *p,
		struct remote_push_result *out, struct error *err);
void remote_push_result_release(struct remote_push_result *out);

#endif /* GITSTORE_REMOTE_H */
