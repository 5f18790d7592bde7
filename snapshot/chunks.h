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
struct sink;
struct source;
struct table;

#define CHUNK_MEAN_BYTES 65536
#define CHUNK_MAX_BYTES  ((size_t)32 << 20)
#define CHUNK_FOLDER_MAX 1000

struct chunk_writer;

/** Begin a table's folder. `t` and `s` are borrowed. */
int chunk_writer_new(struct chunk_writer **out, const struct table *t,
		     struct sink *s, struct error *err);

/** Encode and append one row. */
int chunk_writer_row(struct chunk_writer *w, int64_t rowid,
		     const struct value *values, struct error *err);

/** Encode a row as chunk_writer_row() would, big values into part files of this
 *  table's folder, but append its line to `out`: rows of ORDER_SORTED are
 *  sorted before chunk_writer_line() takes them. */
int chunk_writer_encode(struct chunk_writer *w, int64_t rowid,
			const struct value *values, struct buffer *out,
			struct error *err);

/** Append a row whose line is at hand (with its newline): ORDER_SORTED. */
int chunk_writer_line(struct chunk_writer *w, const char *line, size_t size,
		      struct error *err);

/**
 * Finish: put what is left.  Sets rows, bytes and sha256 of `t`.
 * @param id  receives the folder's id; untouched for a table without rows
 * @return 0; 1 when the table has no rows and so no folder; -1
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
 * @return 1 with a row; 0 at the end, after row count and SHA-256 were found
 *         to equal the manifest's; -1: ERROR_DAMAGE that names table, file
 *         and line
 */
int chunk_reader_next(struct chunk_reader *r, int64_t *rowid,
		      struct value *values, struct error *err);

/** The line of the current row, without newline; borrowed until the next. */
const char *chunk_reader_line(const struct chunk_reader *r, size_t *size);
void chunk_reader_free(struct chunk_reader *r);

#endif /* SNAPSHOT_CHUNKS_H */
