/*
 * gitstore_internal.h - what the files of gitstore/ share
 */
#ifndef GITSTORE_INTERNAL_H
#define GITSTORE_INTERNAL_H

#include <git2.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/buffer.h"
#include "base/error.h"
#include "gitstore/gitstore.h"

struct error;
struct hasher;

/* ---- id_set.c: ids of objects that need not be stored again ---- */

struct id_set {
	struct object_id *slots; /* all zero: free */
	size_t capacity;         /* a power of two, or 0 */
	size_t count;
};

/** @return 1 when `id` is new, 0 when it was there, -1: out of memory */
int id_set_add(struct id_set *s, const struct object_id *id, struct error *err);
int id_set_has(const struct id_set *s, const struct object_id *id);
void id_set_release(struct id_set *s);

/* ---- path_map.c: what the newest snapshot has at a path ---- */

struct path_map {
	struct {
		uint64_t key; /* 0: free */
		struct object_id id;
	} * slots;
	size_t capacity; /* a power of two, or 0 */
	size_t count;
};

/** A hash of a path; folders inside a table's folder don't count. */
uint64_t path_key(const char *path);
int path_map_add(struct path_map *m, uint64_t key, const struct object_id *id,
		 struct error *err);
/** Borrowed, or NULL. */
const struct object_id *path_map_find(const struct path_map *m, uint64_t key);
void path_map_release(struct path_map *m);

/* ---- deflate.c: zlib streams and CRCs ---- */

/** zlib's crc32() of `data` behind what `crc` is of; 0: nothing. */
uint32_t pack_crc32(uint32_t crc, const void *data, size_t size);

struct deflater;

int deflater_new(struct deflater **out, struct error *err);
void deflater_free(struct deflater *d);

/** Compress `data` into one zlib stream and hand it to `write` in pieces. */
int deflater_run(struct deflater *d, const void *data, size_t size,
		 int (*write)(void *payload, const void *data, size_t size,
			      struct error *err),
		 void *payload, struct error *err);

/* ---- inflate.c: zlib streams back ---- */

struct inflater;

int inflater_new(struct inflater **out, struct error *err);
void inflater_free(struct inflater *f);

/** Begin a stream.  @param room  a byte more than its content has */
void inflater_begin(struct inflater *f, void *room, uint32_t size);

/** Take the stream's next bytes.
 *  @return 1: it ended; 0: it goes on; -1: no zlib stream, or no room left */
int inflater_add(struct inflater *f, const void *data, uint32_t size);

/** Bytes of the room that were not used. */
uint32_t inflater_left(const struct inflater *f);

/* ---- delta.c ---- */

/**
 * Append a git delta that turns `base` into `target`.
 *
 * It follows lines and does not search: both are versions of one file of rows
 * in ascending key order.  Any other bytes will do, but may not be worth it.
 * The same bytes give the same delta.  Any thread may call it.
 *
 * @param limit  bytes of the delta that are too many by one more
 * @return 0; 1: it would be bigger than that, `out` is as it was; -1: out of
 *         memory
 */
int delta_make(const void *base, size_t base_size, const void *target,
	       size_t target_size, size_t limit, struct buffer *out,
	       struct error *err);

/** The sizes that a delta announces; look at them before delta_apply().
 *  @return 0; 1: it is malformed */
int delta_sizes(const void *delta, size_t delta_size, uint64_t *base_size,
		uint64_t *target_size);

/**
 * Append what a delta makes of `base`; neither of them is in `out`.
 * @return 0; 1: it is malformed or of another base, `out` is as it was; -1:
 *         out of memory
 */
int delta_apply(const void *base, size_t base_size, const void *delta,
		size_t delta_size, struct buffer *out, struct error *err);

/* ---- pack_index.c, pack_write.c ---- */

struct pack_entry {
	struct object_id id;
	uint32_t crc32; /* of the entry as it lies in the pack */
	uint64_t offset;
};

/**
 * Write an index (version 2) for a pack.  Sorts `entries` by id.
 *
 * @param pack_hash  the pack's last 20 bytes
 */
int pack_index_write(const char *path, struct pack_entry *entries, size_t count,
		     const unsigned char *pack_hash, struct error *err);

/* Types as a pack numbers them. */
enum pack_type {
	PACK_COMMIT = 1,
	PACK_TREE = 2,
	PACK_BLOB = 3,
	PACK_OFS_DELTA = 6, /* of what lies so many bytes in front */
	PACK_REF_DELTA = 7  /* of an object by its id */
};

/** Write what stands before an object's zlib stream.
 *  @param type  enum pack_type, or what a pack has besides
 *  @param size  bytes of the content
 *  @return bytes written */
#define PACK_HEADER_MAX 10
size_t pack_entry_header(unsigned char out[PACK_HEADER_MAX], unsigned int type,
			 uint64_t size);

struct pack_writer;

/** Begin a pack in the files NAME.pack and NAME.idx of `folder`. */
int pack_writer_new(struct pack_writer **out, const char *folder,
		    const char *name, struct error *err);

/** Append one object whole.  After a failure the writer refuses further work.
 */
int pack_writer_put(struct pack_writer *w, enum pack_type type,
		    const struct object_id *id, const void *data, size_t size,
		    struct error *err);

/** Append an entry as it lies in a pack.  @param crc32  of its bytes */
int pack_writer_entry(struct pack_writer *w, const struct object_id *id,
		      uint32_t crc32, const void *entry, size_t size,
		      struct error *err);

/** Make what was put readable to libgit2; more can be put.
 *  @param more  how many objects will probably follow: a hint */
int pack_writer_readable(struct pack_writer *w, size_t more, struct error *err);

/** What was put lies in the file now, for pack_reader_follow().
 *  @param fd  receives a descriptor to read, `entries` a copy: the caller's */
int pack_writer_share(struct pack_writer *w, int *fd, uint64_t *end,
		      struct pack_entry **entries, size_t *count,
		      struct error *err);

/** Write count, trailer and index, and sync both files. */
int pack_writer_close(struct pack_writer *w, struct error *err);

/** Bytes written so far. */
uint64_t pack_writer_size(const struct pack_writer *w);

/** The objects put so far; in no order that means anything. */
const struct pack_entry *pack_writer_entries(const struct pack_writer *w,
					     size_t *count);
/** The pack's last 20 bytes, after pack_writer_close(). */
const unsigned char *pack_writer_hash(const struct pack_writer *w);
const char *pack_writer_pack(const struct pack_writer *w);
const char *pack_writer_idx(const struct pack_writer *w);
/** The files stay. NULL is allowed. */
void pack_writer_free(struct pack_writer *w);

/* ---- pack_files.c: the packs there are ---- */

struct pack_reader;

/**
 * Look which packs there are.  Any number of threads may read from them, each
 * with a cursor of its own.
 *
 * @param folder  objects/pack
 * @param own     the index of a pack that lies elsewhere, or NULL
 */
int pack_reader_new(struct pack_reader **out, const char *folder,
		    const char *own, struct error *err);

/** What its cursors need stays until they are freed.  NULL is allowed. */
void pack_reader_free(struct pack_reader *r);

/** Show a pack that is still being written, first of all and instead of the one
 *  shown so before, up to `end`; while others read.  Takes descriptor and
 *  entries over, also when it fails. */
int pack_reader_follow(struct pack_reader *r, int fd, uint64_t end,
		       struct pack_entry *entries, size_t count,
		       struct error *err);

/* ---- pack_read.c: objects from them ---- */

struct pack_cursor;

/** For one thread at a time; about 400 KB, and at work on a delta three
 *  objects of its file's size. */
int pack_cursor_new(struct pack_cursor **out, struct pack_reader *r,
		    struct error *err);
/** NULL is allowed. */
void pack_cursor_free(struct pack_cursor *c);

/**
 * Append an object that lies in a pack, whole or as a delta of others there;
 * its SHA-1 is checked.
 *
 * @param type   PACK_TREE or PACK_BLOB
 * @param limit  leave bigger ones alone
 * @return 0; 1: ask libgit2, nothing was appended and no error recorded; -1:
 *         out of memory
 */
int pack_cursor_read(struct pack_cursor *c, const struct object_id *id,
		     enum pack_type type, size_t limit, struct buffer *out,
		     struct error *err);

/* ---- read_ahead.c ---- */

struct read_ahead;

/** Start a thread that reads with `c`, which it takes over.
 *  @return 0; 1: there can be none, `c` is still the caller's */
int read_ahead_new(struct read_ahead **out, struct pack_cursor *c);

/** NULL is allowed. */
void read_ahead_free(struct read_ahead *a);

/** Tell a blob that will be needed after those told before.  It may be
 *  ignored. */
void read_ahead_tell(struct read_ahead *a, const struct object_id *id);

/** Append a blob that was told, and forget those told before it.
 *  @return 0; 1: read it yourself; -1: out of memory */
int read_ahead_take(struct read_ahead *a, const struct object_id *id,
		    struct buffer *out, struct error *err);

/* ---- open.c ---- */

/** A pack of ours in objects/pack that no ref is known to reach. */
struct placed {
	char *pack, *idx, *keep; /* paths */
	int keep_fd; /* holds an flock: the sign that we are alive */
	int removable;
	struct timespec mtime; /* of the pack as we placed it */
	char *ref;             /* that was to reach it ... */
	struct object_id id;   /* ... by this commit */
};

struct gitstore {
	struct sink sink; /* first: the pointer that gitstore_sink() hands out
			   */
	git_repository *repo;
	git_odb *odb;  /* the repository's, or one with our pack besides */
	char *where;   /* what the user called the repository */
	char *branch;  /* "database-backups" */
	char *ref;     /* "refs/heads/database-backups" */
	char *common;  /* the git folder that all work trees share, no '/' */
	char *objects; /* its object folder, no '/' */
	char *folder;  /* <common>/dbstow, or NULL until made */
	char *scratch; /* of this run, or NULL until made */
	struct hasher *hasher;
	struct deflater *deflater;
	struct pack_reader *reader; /* or NULL until needed */
	struct pack_cursor *cursor; /* on it */
	pthread_mutex_t known_lock;
	struct id_set known;    /* under known_lock while batches are put */
	struct put_batch *puts; /* of put(), or NULL until needed */
	struct path_map newest_files; /* of the newest snapshot */
	struct own_packs *own;        /* or NULL until `known` is loaded */
	struct id_set packed;         /* what `pack` holds */
	size_t reads; /* what it may cost to look what is dropped */
	int dropping; /* `pack` leaves out some of what older packs hold */
	struct buffer copied;       /* an entry on its way into it */
	struct object_id known_tip; /* the tip that `known` is about */
	size_t retained;            /* snapshots, as of then */
	int known_holes;            /* some of what they hold is missing */
	int known_loaded;
	struct pack_writer *pack; /* in the scratch folder */
	int published;            /* 1: `pack` is readable, and complete but for
				     commits */
	int alone;                /* 1: the repository has nothing of `pack` */
	unsigned int packs;       /* begun so far, for their names */
	struct placed *placed;
	size_t placed_count;
	int lock_fd; /* -1: not held */
	unsigned int lock_wait_ms;
	unsigned int tries; /* to move the branch */
	int checked, adopt;
	/* The newest snapshot of the history read last and its index commit,
	 * whose tree is the same: all there is in a clone of depth 1. */
	struct object_id newest, newest_tip;
};

/** Record an error with libgit2's own message behind the text; ERROR_FAILED
 *  becomes ERROR_NOSPACE where that is the cause. @return -1 */
int git_failed(struct error *err, enum error_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** The scratch folder of this run, made on first use; borrowed. */
const char *gitstore_scratch(struct gitstore *g, struct error *err);

/** A value of git's own configuration, whatever the work tree says; new memory
 *  or NULL. */
char *repository_config(struct gitstore *g, const char *key);

/** Is this a partial clone?  git, and a gc, leave files out of such a one that
 *  they could get again. */
int store_is_partial(struct gitstore *g);

/** "1f2e3d4": how people are told of an object. */
#define SHORT_HEX_SIZE 8
void object_short(char out[SHORT_HEX_SIZE], const struct object_id *id);

int object_same(const struct object_id *a, const struct object_id *b);
int object_is_zero(const struct object_id *id);
void object_to_oid(git_oid *out, const struct object_id *id);
void object_from_oid(struct object_id *out, const git_oid *id);

/* ---- objects.c ---- */

/** Read an object of a type and a size that we expect; it is the caller's.
 *  @return 0; 1: missing, damaged or something else */
int object_read(git_odb_object **out, struct gitstore *g,
		const struct object_id *id, git_object_t type, size_t limit);

struct raw_commit {
	struct object_id tree;
	struct object_id *parents;
	size_t parent_count;
	int64_t created_at_s; /* committer's time */
	char *message;
};

/**
 * Read a commit as it is stored: grafts of a shallow clone do not apply.
 * @return 0; 1 when the object is missing or is no sound commit; -1
 */
int raw_commit_read(struct gitstore *g, const struct object_id *id,
		    struct raw_commit *out, struct error *err);
void raw_commit_release(struct raw_commit *c);

/** The same from a commit's bytes. */
int raw_commit_parse(struct raw_commit *out, const char *data, size_t size,
		     struct error *err);

/** A commit that is not stored yet. */
struct new_commit {
	struct object_id id;
	struct buffer body;
};

int commit_build(struct gitstore *g, const struct object_id *tree,
		 const struct object_id *parents, size_t parent_count,
		 int64_t when_s, const char *message, struct new_commit *out,
		 struct error *err);

/** SHA-1 over "TYPE SIZE\0" and the bytes. */
void object_hash(struct hasher *h, const char *type, const void *data,
		 size_t size, struct object_id *id);

/** Is the object there, as of now? */
int object_exists(struct gitstore *g, const struct object_id *id);

/** Call `each` for every entry of a raw tree.  @return 0, 1: the tree is
 *  malformed, or what `each` returned when that is not 0 */
int tree_each(const void *data, size_t size,
	      int (*each)(void *payload, unsigned int mode, const char *name,
			  const struct object_id *id, struct error *err),
	      void *payload, struct error *err);

/* ---- loose.c ---- */

/** Store it as a loose object, synced. */
int commit_write_loose(struct gitstore *g, const struct new_commit *c,
		       struct error *err);

/* ---- known.c ---- */

/** Add all that the trees of the retained snapshots reach to g->known. */
int known_load(struct gitstore *g, struct error *err);
void known_forget(struct gitstore *g);
/** Go on as if no branch reached anything. */
void known_none(struct gitstore *g);

/** @return 0 when every object below `tree` is there, else -1 */
int tree_complete(struct gitstore *g, const struct object_id *tree,
		  struct error *err);

/* ---- message.c ---- */

/** The last paragraph of a commit message as keys and values. */
struct trailers {
	char *text;
	struct {
		const char *key, *value;
	} * items;
	size_t count;
};

int trailers_parse(struct trailers *t, const char *message, struct error *err);
/** The first value of `key`, or NULL. */
const char *trailers_get(const struct trailers *t, const char *key);
void trailers_release(struct trailers *t);

/** Read the trailers of a snapshot into `s` (not its id).
 *  @return 0; 1: these are not a snapshot's; -1: out of memory */
int snapshot_from_trailers(struct snapshot *s, const struct trailers *t,
			   struct error *err);
void snapshot_release(struct snapshot *s);

/** Refuse what could not stand in one line of a trailer. */
int message_check(const struct gitstore_snapshot *s, struct error *err);
int message_check_line(const char *what, const char *text, struct error *err);

/** Compose a snapshot's message.
 *  @param serial  above 1: tells it from an equal one of the same second */
int message_snapshot(struct buffer *out, const struct gitstore_snapshot *s,
		     unsigned int serial, struct error *err);

/** Compose an index commit's message. */
int message_index(struct buffer *out, const struct history *h,
		  struct error *err);

/* ---- history.c ---- */

#define HISTORY_ANY    0 /* an index commit or a snapshot */
#define HISTORY_BRANCH 1 /* an index commit only */

/**
 * Read the history that `tip` tells.
 * @return 0; 1 when `tip` is nothing of ours; -1
 */
int history_read(struct gitstore *g, const struct object_id *tip, int what,
		 struct history **out, struct error *err);

int history_index(const struct history *h, const struct object_id *id,
		  size_t *at);
struct history *history_new(void);
/** Put a snapshot in front; its strings become the history's. */
int history_prepend(struct history *h, const struct snapshot *s,
		    struct error *err);
void history_remove(struct history *h, size_t at);

/** Drop what `keep` does not hold; @return how many */
size_t history_retain(struct history *h, unsigned int keep);

/* ---- history_refs.c ---- */

/**
 * Read the branch as it is now.
 * @return 0 (`exists` tells whether it is there); 1: it exists and is not
 *         ours, only its tip is set; -1
 */
int history_of_branch(struct gitstore *g, struct history **out,
		      struct error *err);
int branch_not_ours(struct gitstore *g, struct error *err);

/* ---- state.c: what a branch tells beside its snapshots ---- */

/** Append an id and a time; ids may repeat. */
int tombstone_add(struct tombstone **all, size_t *count,
		  const struct object_id *id, int64_t when_s,
		  struct error *err);

/** The newest time recorded for `id`. @return 1, or 0 where there is none */
int tombstone_find(const struct tombstone *all, size_t count,
		   const struct object_id *id, int64_t *when_s);

/** Take out all entries for `id`. */
void tombstone_remove(struct tombstone *all, size_t *count,
		      const struct object_id *id);

/**
 * Pin a snapshot or take the pin back, so that it counts as later than what
 * was said of it before, whatever the clock says.
 */
int history_pin(struct history *h, size_t at, int pinned, int64_t when_s,
		struct error *err);

/** Remove a snapshot for good: a tombstone stays. */
int history_delete(struct history *h, size_t at, int64_t when_s,
		   struct error *err);

/** Set the retention. @param for_all  also for copies that keep more */
void history_set_keep(struct history *h, unsigned int keep, int for_all,
		      int64_t when_s);

/* ---- sync_merge.c ---- */

/**
 * Unite two copies of a branch; neither is changed.  The result has no tip and
 * no ref, and retention was not applied to it.
 *
 * @return 0, or -1: ERROR_REFUSED when they hold different sources, or when
 *         what each side deleted would together leave nothing
 */
int history_merge(struct history **out, const struct history *ours,
		  const struct history *theirs, struct error *err);

/** Do both lists say the same?  @return 1, 0, or -1 */
int history_same(const struct history *a, const struct history *b,
		 struct error *err);

struct move;

/* ---- branch.c ---- */

/** Where a ref points. @return 0; 1: absent; -1 (a symbolic ref too) */
int ref_read(struct gitstore *g, const char *ref, struct object_id *id,
	     struct error *err);

/** @return 0, or -1 with ERROR_REFUSED when a work tree has it checked out */
int branch_not_checked_out(struct gitstore *g, struct error *err);

/** A branch whose name is a folder of ours, or the other way round. */
int branch_name_free(struct gitstore *g, const char *ref, struct error *err);

enum move_result { MOVE_DONE = 0, MOVE_CHANGED = 1, MOVE_LOCKED = 2 };

/**
 * Move a ref if it is where `m` says, and leave one entry in its reflog.  The
 * lock is held.
 * @return enum move_result, or -1
 */
int ref_move(struct gitstore *g, const struct move *m, struct error *err);

/** Say whose lock it is that MOVE_LOCKED told of. @return -1 */
int ref_locked(struct gitstore *g, const char *ref, struct error *err);

/* ---- lock.c ---- */

/** Take the repository's lock and sweep what killed runs left. */
int store_lock(struct gitstore *g, struct error *err);
void store_unlock(struct gitstore *g);

int intent_write(struct gitstore *g, const struct move *m, struct error *err);
void intent_remove(struct gitstore *g);

/* ---- batch.c ---- */

/** Set the functions of g->sink. */
void batch_sink(struct gitstore *g);

void batch_free(struct put_batch *b);

/* ---- publish.c ---- */

/** Begin a pack unless one is begun. */
int publish_begin(struct gitstore *g, struct error *err);

/** Refuse to go on while objects were put and not published. */
int check_published(struct gitstore *g, struct error *err);

/** See the object store as it is now, what was removed too. */
int store_look_again(struct gitstore *g, struct error *err);

/** As pack_cursor_read(), from the packs that are there and the one that was
 *  published. */
int store_read(struct gitstore *g, const struct object_id *id,
	       enum pack_type type, size_t limit, struct buffer *out,
	       struct error *err);

/** The cursor of the thread that follows. */
struct pack_cursor *follower_cursor(struct follower *f, struct error *err);
/** One more, for another thread; the caller frees it. */
int follower_cursor_new(struct follower *f, struct pack_cursor **out,
			struct error *err);

/** A cursor for another thread, on the same packs; the call itself is for the
 *  thread that has the store. */
int store_cursor_new(struct gitstore *g, struct pack_cursor **out,
		     struct error *err);

/** Forget a pack that was not placed, and what else one run knows. */
void publish_forget(struct gitstore *g);

/* ---- place.c ---- */

/** A ref that is about to move. */
struct move {
	const char *ref;
	struct object_id old; /* all zero: it is absent */
	struct object_id id;
	const char *log;
};

/**
 * Store commits so that no gc takes them before a ref reaches them: at the end
 * of the published pack, which is placed, or in a pack of their own.
 *
 * @param with_pack  the published pack is needed too
 */
int place_commits(struct gitstore *g, const struct new_commit *const *commits,
		  size_t count, int with_pack, const struct move *m,
		  struct error *err);

/**
 * Place a pack that came from elsewhere.
 *
 * @param alone  the repository has none of its objects
 */
int place_fetched(struct gitstore *g, const char *pack, const char *idx,
		  int alone, const struct move *m, struct error *err);

/** The ref moved: let go of the packs. */
void placed_release(struct gitstore *g);
/** No ref will reach the packs: remove them where that is safe. */
void placed_discard(struct gitstore *g);

/** Remove .keep files that killed runs left, and packs that they placed and
 *  that no ref can reach. */
void keep_sweep(struct gitstore *g);

/** Rename a finished scratch file into the object folder. */
int object_place(const char *from, const char *to, struct error *err);

/* ---- merge.c ---- */

/** Does git refuse to remove objects from here?  Another repository may borrow
 *  them (git clone --shared). */
int is_precious(struct gitstore *g);

/** Remove what a run left that was killed while it removed packs. */
void packs_remove_rest(struct gitstore *g);

/* ---- commit.c ---- */

/**
 * Compose the index commit of a list; nothing is written.
 *
 * @param g     whose user signs it
 * @param tree  of the newest snapshot
 */
int index_build(struct gitstore *g, const struct history *h,
		const struct object_id *tree, int64_t when_s,
		struct new_commit *out, struct error *err);

/** What one call changes in the list of snapshots. */
struct edit {
	/* Change `h`, which was just read.
	 * @return 0: write it; 1: nothing to write; -1 */
	int (*apply)(struct gitstore *g, struct history *h, struct edit *e,
		     struct error *err);
	const char *log; /* for the reflog */
	int64_t when_s;
	int adopt;
	/* A snapshot that apply() put in front, and its tree; or NULL. */
	const struct new_commit *snapshot;
	struct object_id tree;
	int stored; /* an earlier try stored the snapshot's commit */
};

/** Read the branch, apply the edit, move the branch; again when it moved. */
int branch_edit(struct gitstore *g, struct edit *e, struct error *err);

#endif /* GITSTORE_INTERNAL_H */
