/*
 * chunks.h - a table's rows as a folder of files, and back
 *
 * docs/format.md, section "Chunks", is the specification.  In short: a file
 * ends before a row where
 *
 *     hash(key) < line_bytes * 2^48        (2^64 / 65536)
 *
 * (always, when line_bytes >= 65536), or where it would grow over 32 MiB.
 * The first file is "0.jsonl"; others are named by their first key: 16 hex
 * digits of rowid + 2^63, or of SHA-256 over the key's bytes.  More than 1,000
 * files go into a second level (and a third, and so on), cut by other bits of
 * the same hash.  Where names don't sort in row order, a file "chunks" in each
 * folder lists them in order.
 */
#ifndef SNAPSHOT_CHUNKS_H
#define SNAPSHOT_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot/value.h"

struct buffer;
struct error;
struct object_id;
struct record;
struct sink;
struct source;
struct source_reader;
struct table;

#define CHUNK_MEAN_BYTES 65536
#define CHUNK_MAX_BYTES  ((size_t)32 << 20)
#define CHUNK_FOLDER_MAX 1000

/*
 * ---- writing ----
 *
 * Rows are encoded, cut and put in segments, runs of a table's rows, by any
 * number of threads; a writer joins them in order.  The files are the same
 * however rows are spread over segments.
 */

struct chunk_segment;
struct chunk_writer;

/** What is known of the rows in front of a segment; zero it and set `exact`
 *  where a table begins. */
struct chunk_place {
	int exact;     /* 0: a segment from the middle, whose place is unknown:
			  `rows` is then 0 only where the table begins */
	uint64_t rows; /* so far, with the segment's own */
	int64_t last_rowid;
	size_t open; /* bytes of the chunk that is not complete yet */
};

/** A segment is used by one thread at a time. */
int chunk_segment_new(struct chunk_segment **out, struct sink *s,
		      struct error *err);
void chunk_segment_free(struct chunk_segment *s);

/** Who has to wait until all segments in front were added: before the segment
 *  puts more than it may hold.  @return 0, or -1 to give up */
struct chunk_turn {
	int (*wait)(struct chunk_turn *, struct error *err);
};

/**
 * Begin a run of rows of `t`.  What was in the segment is forgotten.
 *
 * @param place  moves with the rows; borrowed until the segment is added
 * @param turn   borrowed as well; NULL: it is always the segment's turn
 */
int chunk_segment_begin(struct chunk_segment *s, const struct table *t,
			struct chunk_place *place, struct chunk_turn *turn,
			struct error *err);

/**
 * Encode and append one row.
 * @return 0; 1: where the place is not exact, and the row needs it to be; -1
 */
int chunk_segment_row(struct chunk_segment *s, int64_t rowid,
		      const struct value *values, struct error *err);

/** Encode a row as chunk_segment_row() would, big values into part files of
 *  this table's folder, but append its line to `out`: rows of ORDER_SORTED are
 *  sorted before chunk_segment_line() takes them. */
int chunk_segment_encode(struct chunk_segment *s, int64_t rowid,
			 const struct value *values, struct buffer *out,
			 struct error *err);

/**
 * Append a row whose line is at hand (with its newline): ORDER_SORTED, and
 * ORDER_RECORDS.
 *
 * @param key  the bytes that decide on cuts and names; NULL: the line's
 */
int chunk_segment_line(struct chunk_segment *s, const char *line, size_t size,
		       const char *key, size_t key_size, struct error *err);

/** Bytes of lines that it holds. */
size_t chunk_segment_bytes(const struct chunk_segment *s);

/** Bytes that it ever took, of lines and of big values: so much work it was. */
uint64_t chunk_segment_taken(const struct chunk_segment *s);

/** Put the chunks that are complete, which is most of the work; does nothing
 *  for a sink without batches. */
int chunk_segment_put(struct chunk_segment *s, struct error *err);

/** Begin a table's folder. `t` and `s` are borrowed. */
int chunk_writer_new(struct chunk_writer **out, const struct table *t,
		     struct sink *s, struct error *err);

/**
 * Before the first segment: the folder is expected to be `folder`.  Then its
 * bytes are known, and so is the SHA-256 of its rows: it is not computed.
 *
 * @param t  has rows and sha256 of that folder; borrowed
 */
void chunk_writer_expect(struct chunk_writer *w, const struct table *t,
			 const struct object_id *folder);

/**
 * Add the next segment, which is empty afterwards and can take the rows that
 * follow.  By one thread at a time.
 *
 * @return 0; 1: a cut depends on the rows in front, and the segment's place was
 *         not exact: the table must be written anew by segments whose is; -1
 */
int chunk_writer_add(struct chunk_writer *w, struct chunk_segment *s,
		     struct error *err);

/**
 * Finish: put what is left.  Sets rows, bytes and sha256 of `t`.
 * @param id  receives the folder's id; untouched for a table without rows
 * @return 0; 1 when the table has no rows and so no folder; 2 when it is not
 *         what chunk_writer_expect() told, and sha256 is not set; -1
 */
int chunk_writer_finish(struct chunk_writer *w, struct table *t,
			struct object_id *id, struct error *err);
void chunk_writer_free(struct chunk_writer *w);

struct chunk_reader;

/** Open the rows of table `t` ("data/tables/<folder>") of a source. */
int chunk_reader_new(struct chunk_reader **out, const struct table *t,
		     struct source *s, struct error *err);

/**
 * The next row.
 * @param values  untouched for ORDER_RECORDS: see chunk_reader_record()
 * @return 1 with a row; 0 at the end, after row count and SHA-256 were found
 *         to equal the manifest's; -1: ERROR_DAMAGE that names table, file
 *         and line
 */
int chunk_reader_next(struct chunk_reader *r, int64_t *rowid,
		      struct value *values, struct error *err);

/** The line of the current row, without newline; borrowed until the next. */
const char *chunk_reader_line(const struct chunk_reader *r, size_t *size);

/** The current row of ORDER_RECORDS; borrowed until the next. */
const struct record *chunk_reader_record(const struct chunk_reader *r);
void chunk_reader_free(struct chunk_reader *r);

/*
 * ---- reading by several threads ----
 *
 * One thread has the reader, finds files and takes their rows, all in order;
 * any thread may read and decode what was found.  Not for ORDER_RECORDS.
 *
 *   chunk_reader_find() -> chunk_file_prepare() -> chunk_reader_open()
 *                       -> chunk_reader_row() ... -> chunk_reader_end()
 */

/** A file and its rows.  Used by one thread at a time. */
struct chunk_file;

int chunk_file_new(struct chunk_file **out, const struct table *t,
		   struct error *err);

/** NULL is allowed. */
void chunk_file_free(struct chunk_file *f);

/** For chunk_file_prepare() in one thread; its free() is called in any, before
 *  the reader's source is freed.  @return NULL: there is none */
struct source_reader *chunk_reader_reader(struct chunk_reader *r);

/** Let `f` be the next file, of which nothing is read yet.
 *  @return 1; 0 behind the last one; -1 */
int chunk_reader_find(struct chunk_reader *r, struct chunk_file *f,
		      struct error *err);

/**
 * Read it and decode its rows, as far as that goes: what does not, for whatever
 * reason, is left for when they are taken.
 *
 * @param by  of the reader's source; NULL: none
 */
void chunk_file_prepare(struct chunk_file *f, struct source_reader *by);

/** It is the file's turn: those found before have no more rows. */
int chunk_reader_open(struct chunk_reader *r, struct chunk_file *f,
		      struct error *err);

/**
 * The next row of the file that was opened last.
 *
 * @param values  lent until the next call
 * @return 1; 0 behind its last row; -1 as chunk_reader_next()
 */
int chunk_reader_row(struct chunk_reader *r, struct chunk_file *f,
		     int64_t *rowid, const struct value **values,
		     struct error *err);

/** Behind the last file, as often as one likes.
 *  @return 0: row count and SHA-256 are the manifest's; -1 */
int chunk_reader_end(struct chunk_reader *r, struct error *err);

#endif /* SNAPSHOT_CHUNKS_H */
