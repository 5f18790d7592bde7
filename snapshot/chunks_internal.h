/*
 * chunks_internal.h - what the files of chunks share
 */
#ifndef SNAPSHOT_CHUNKS_INTERNAL_H
#define SNAPSHOT_CHUNKS_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "snapshot/chunks.h"
#include "snapshot/object.h"

/** Folders below folders; each level takes eight bits of the second hash. */
#define CHUNK_LEVELS_MAX 8

/** "0", or 16 hex digits, and a NUL */
#define CHUNK_STEM_SIZE 17
/** A stem with "-999" and ".jsonl" behind it */
#define CHUNK_NAME_SIZE 48

#define CHUNK_SUFFIX    ".jsonl"
#define CHUNK_LIST_FILE "chunks"
#define CHUNK_VALUES    "values"
#define CHUNK_ROOT      "data/tables/"
#define CHUNK_ROOT_SIZE (sizeof(CHUNK_ROOT) - 1)

/** Names of the entries lie in row order only where keys are rowids. */
int chunk_is_listed(const struct table *t);

/** Write the table's name for messages, NUL-terminated. */
int chunk_shown(struct buffer *out, const struct table *t, struct error *err);

/* ---- chunks_folders.c: files into folders ---- */

/** A file or a folder of files, told by the first row in it. */
struct chunk_entry {
	char stem[CHUNK_STEM_SIZE];
	uint64_t bits; /* second hash of the first row */
	struct object_id id;
};

/** The open folder of one level. */
struct chunk_level {
	struct chunk_entry *entries; /* room for CHUNK_FOLDER_MAX */
	size_t count;
	int grouped; /* entries go into folders of the level above */
};

struct chunk_folders {
	struct sink *sink;
	int listed;
	struct chunk_level levels[CHUNK_LEVELS_MAX];
};

/** Append an entry at a level (0: a file). */
int chunk_folders_add(struct chunk_folders *f, size_t level,
		      const struct chunk_entry *e, struct error *err);

/** Put what is open, and the table's folder.
 *  @param values  id of the folder "values", or NULL when there is none */
int chunk_folders_finish(struct chunk_folders *f,
			 const struct object_id *values, struct object_id *id,
			 struct error *err);
void chunk_folders_release(struct chunk_folders *f);

/* ---- chunks_parts.c: part files of big values ---- */

struct chunk_part {
	unsigned char sha256[32]; /* of the whole value */
	unsigned int part;
	int used;
	struct object_id id; /* of the part's blob; the writer's only */
};

/** The parts seen so far: a value that is there twice counts once. */
struct chunk_parts {
	struct chunk_part *slots; /* open addressing */
	size_t capacity, count;
};

/** @return 1 when the part was added, 0 when it was there, -1 with an error */
int chunk_parts_add(struct chunk_parts *p, const struct chunk_part *part,
		    struct error *err);
/** @return 1 when the first part of the value was seen, else 0 */
int chunk_parts_has(const struct chunk_parts *p,
		    const unsigned char sha256[32]);
/** Put the folder "values". */
int chunk_parts_put(const struct chunk_parts *p, struct sink *s,
		    struct object_id *id, struct error *err);
void chunk_parts_release(struct chunk_parts *p);

/* ---- chunks_worker.c: putting chunks in a thread of its own ---- */

struct chunk_worker;

/** Put one chunk; called in the worker's thread, one at a time, in order. */
typedef int (*chunk_put)(void *payload, const char *data, size_t size,
			 const struct chunk_entry *first, struct error *err);

/** @return 0; 1 when no thread can be had: then the caller puts by itself */
int chunk_worker_start(struct chunk_worker **out, chunk_put put, void *payload);

/** Hand over the first `size` bytes of `chunk`, which then holds the rest.
 *  Waits while the queue is full.  @return 0, or -1 with the error of this or
 *  an earlier chunk */
int chunk_worker_push(struct chunk_worker *w, struct buffer *chunk, size_t size,
		      const struct chunk_entry *first, struct error *err);

/** Wait until all is put; the sink is the caller's until the next push. */
int chunk_worker_drain(struct chunk_worker *w, struct error *err);

/** Put what waits, end the thread.  NULL is allowed. */
void chunk_worker_stop(struct chunk_worker *w);

#endif /* SNAPSHOT_CHUNKS_INTERNAL_H */
