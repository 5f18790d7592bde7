/*
 * object.h - where the files of a snapshot go and where they come from
 *
 * A *sink* takes git objects: blobs and trees, told by their ids (SHA-1 over
 * "TYPE SIZE\0" and the bytes, as git defines it).  A sink that stores is
 * gitstore's; one that only hashes makes a drill and a check cheap.
 *
 * A *source* gives files by path: from a commit (gitstore), from a folder or a
 * document (restore).
 */
#ifndef SNAPSHOT_OBJECT_H
#define SNAPSHOT_OBJECT_H

#include <stddef.h>
#include <stdint.h>

struct buffer;
struct error;

struct object_id {
	unsigned char bytes[20];
};

#define OBJECT_HEX_SIZE 41

void object_hex(char out[OBJECT_HEX_SIZE], const struct object_id *id);

enum object_type { OBJECT_BLOB, OBJECT_TREE };

/** Objects that one thread puts and that are stored later, in one go. */
struct put_batch;

struct sink {
	/* Store one object and tell its id.  `data` is borrowed for the call.
	 * `name` is a hint: the path the object will have as far as it is
	 * known, for choosing a delta base; may be NULL. */
	int (*put)(struct sink *, enum object_type type, const char *name,
		   const void *data, size_t size, struct object_id *id,
		   struct error *err);
	/* Is the object, with all that it leads to, one that need not be put?
	 * @return 1 or 0.  NULL: nothing is known of any. */
	int (*has)(struct sink *, const struct object_id *id);
	/*
	 * Batches: the work of put() in many threads at once, and objects
	 * stored in an order that does not depend on the threads.  A sink that
	 * has them takes put() in any thread too, by one at a time.  NULL where
	 * a sink has none.
	 */
	/* Made, and freed before the sink, in any thread. */
	int (*batch_new)(struct sink *, struct put_batch **out,
			 struct error *err);
	/* As put(), but the object stays in the batch's memory.  In any thread,
	 * by one at a time for each batch. */
	int (*batch_put)(struct put_batch *, enum object_type type,
			 const char *name, const void *data, size_t size,
			 struct object_id *id, struct error *err);
	/* Store what the batch holds; it is empty afterwards, and of no more
	 * use after a failure.  In any thread, one at a time for the sink, and
	 * put() counts. */
	int (*batch_store)(struct sink *, struct put_batch *,
			   struct error *err);
	/* What was not stored is forgotten.  NULL is allowed. */
	void (*batch_free)(struct put_batch *);
};

/** A sink that computes ids and stores nothing. */
int hash_sink_new(struct sink **out, struct error *err);
void hash_sink_free(struct sink *s);

/** One entry of a folder. */
struct tree_entry {
	char *name; /* owned by the tree */
	int folder; /* 1: a tree; 0: a blob, mode 100644 */
	struct object_id id;
};

/** A folder being put together.  Zero it to begin. */
struct tree {
	struct tree_entry *entries;
	size_t count, capacity;
};

int tree_add(struct tree *t, const char *name, int folder,
	     const struct object_id *id, struct error *err);

/** Put the folder with its entries in git's order (a folder's name compares
 *  as if it ended in '/'); equal names with equal ids count once.  The tree is
 *  empty afterwards. */
int tree_put(struct tree *t, struct sink *s, struct object_id *id,
	     struct error *err);
void tree_release(struct tree *t);

/** Names in a folder, sorted bytewise. */
struct source_name {
	char *name;
	int folder;          /* 1: a folder; 0: a regular file */
	int known;           /* its id is: */
	struct object_id id; /* which a source may tell that has it at hand */
};

struct source_names {
	struct source_name *names;
	size_t count, capacity;
};

int source_names_add(struct source_names *n, const char *name, int folder,
		     struct error *err);
void source_names_sort(struct source_names *n);
void source_names_release(struct source_names *n);

/** No file of a snapshot is bigger. */
#define SOURCE_FILE_MAX ((size_t)96 << 20)

/** Reads files of a source in a thread of its own. */
struct source_reader {
	/*
	 * Append a file.
	 * @param id     as list() told it, or NULL: it did not
	 * @param limit  leave bigger ones alone
	 * @return 0; else nothing was appended, and the source is to be asked
	 */
	int (*read)(struct source_reader *, const char *path,
		    const struct object_id *id, size_t limit,
		    struct buffer *out);
	void (*free)(struct source_reader *);
};

struct source {
	/* What it is, for messages: "snapshot 1f2e3d4", "folder 'x'". */
	const char *label;
	/* Append the whole file at `path` ("data/manifest.json").
	 * @return 0; 1: no such file; -1: error that names the file */
	int (*read)(struct source *, const char *path, struct buffer *out,
		    struct error *err);
	/* List a folder.  @return 0; 1: no such folder; -1.  Anything but
	 * regular files and folders (symlinks, submodules) is an error. */
	int (*list)(struct source *, const char *path, struct source_names *out,
		    struct error *err);
	void (*free)(struct source *);
	/* Tell that a file will be read soon, after those told before: a hint
	 * for reading ahead.  NULL: it would not help. */
	void (*will_read)(struct source *, const char *path);
	/* A reader for the folder that was listed last and those in it, which
	 * is freed before the source; NULL: there is none.  May be NULL. */
	struct source_reader *(*reader)(struct source *);
};

/** So many files are worth telling ahead. */
#define SOURCE_AHEAD 8

/**
 * Tell a source what follows, before file number `nth` of a folder is read.
 *
 * @param names  of the folder, in the order in which they are read
 * @param path   begins with the folder's path, `size` bytes; changed behind it
 */
void source_tell(struct source *s, const struct source_names *names, size_t nth,
		 struct buffer *path, size_t size);

/** Open a folder (plain checkout, unpacked archive) as a source.  Symbolic
 *  links in it are never followed. */
int folder_source_open(struct source **out, const char *path,
		       struct error *err);

/** Free any source; NULL is allowed. */
void source_free(struct source *s);

/**
 * Compute the tree id of a folder of a source by reading every file in it.
 * @param path  "data", say
 */
int source_tree_id(struct source *s, const char *path, struct object_id *id,
		   struct error *err);

#endif /* SNAPSHOT_OBJECT_H */
