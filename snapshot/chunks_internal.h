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
#include "snapshot/row.h"

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
	size_t size;         /* of the part; these two the writer's only */
	struct object_id id; /* of its blob */
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

/* ---- chunks_walk.c: the files of a table in row order ---- */

#define CHUNK_CRLF_HINT                                                        \
	"line endings were changed by git (CR LF); check out again with "      \
	"core.autocrlf=false, or use git archive"

/* A folder on the way down. */
struct walk_level {
	struct source_names names; /* in row order */
	size_t next;
	size_t path; /* length of the folder's path */
};

/** Zero it. */
struct chunk_walk {
	const struct table *table;
	struct source *source;
	struct walk_level levels[CHUNK_LEVELS_MAX];
	size_t depth;
	struct buffer path; /* of the folder or file being looked at */
	const struct source_name *name; /* of the file; until the next one */
	struct buffer list;             /* a folder's file "chunks" */
	int has_values;                 /* there is a folder "values" */
	int has_readers;                /* files are not read in their order */
	struct buffer shown;            /* the table's name for people */
};

/** Look at the table's folder: there is one exactly if there are rows.
 *  Release it in any case. */
int chunk_walk_begin(struct chunk_walk *w, const struct table *t,
		     struct source *s, struct error *err);
void chunk_walk_release(struct chunk_walk *w);

/** Go to the next file, which is not read.
 *  @return 1 with its path and name; 0 behind the last; -1 */
int chunk_walk_next(struct chunk_walk *w, struct error *err);

/** Record damage of the table: "table 'x': TEXT". @return -1 */
int chunk_walk_damage(struct chunk_walk *w, struct error *err, const char *fmt,
		      ...) __attribute__((format(printf, 3, 4)));

/* ---- chunks_file.c: a file of rows ---- */

/** Where a file is; the rows in front of it, and values that don't lie in it,
 *  are the reader's. */
struct chunk_file {
	struct row_files files; /* first: the codec hands us this */
	const struct table *table;
	struct row_shape *shape;
	size_t values_a_row;
	struct buffer path;
	struct object_id id;
	int known; /* the id is */
	struct buffer bytes;
	/* the current line, and where the next one begins */
	size_t line, line_size, at;
	uint64_t line_number;

	/* rows that were decoded ahead, and which one is next */
	size_t row_count, next_row;
	int64_t *rowids;
	struct value *values; /* of one row after the other */
	size_t capacity;      /* rows */
	struct buffer apart;  /* what they have that lies not in the lines */
	/* of a row that was not decoded ahead: the reader decodes it */
	struct value *row;
	struct chunk_reader *reader; /* who has the file's turn, or NULL */
};

/** Nothing is read of it. */
void chunk_file_forget(struct chunk_file *f);

/** Find the next line. @return 1; 0: there is none */
int chunk_file_line(struct chunk_file *f);

/* ---- chunks_segment.c: rows encoded, cut and put ---- */

/** A chunk begins there. */
struct chunk_cut {
	size_t at;            /* in `lines` */
	struct chunk_entry e; /* its id once it is put */
};

struct chunk_segment {
	struct row_files files; /* first: the codec hands us this */
	struct sink *sink;
	struct put_batch *batch; /* NULL: the sink has none */
	const struct table *table;
	struct row_shape *shape;
	struct chunk_place *place;
	struct chunk_turn *turn;
	int has_turn; /* all in front were added */

	struct buffer lines;
	uint64_t rows;
	struct chunk_entry first; /* of the rows in front of the first cut, if
				     the table begins with them */
	struct chunk_cut *cuts;
	size_t cut_count, cut_capacity;
	size_t put; /* chunks put: chunk i begins at cut i */
	struct chunk_parts parts;
	size_t held;    /* bytes put since the batch was stored */
	uint64_t taken; /* see chunk_segment_taken() */

	struct buffer keys[2]; /* ORDER_KEY: of this row and of the last */
	int this_key;          /* which one is this row's */
	size_t hashed;         /* bytes of the last one, to: */
	uint64_t hash;
	struct buffer path;  /* hint for the sink */
	struct buffer shown; /* the table's name for people */
	size_t path_root;    /* bytes of `path` up to the table's folder */
	struct hasher *key_sha;
	size_t rowid_value; /* where among the values the rowid stands */
};

/** Put a chunk, through the batch where there is one. */
int chunk_segment_put_chunk(struct chunk_segment *s, const char *data,
			    size_t size, struct chunk_entry *e,
			    struct error *err);

/** All that was in it is taken over. */
void chunk_segment_clear(struct chunk_segment *s);

#endif /* SNAPSHOT_CHUNKS_INTERNAL_H */
