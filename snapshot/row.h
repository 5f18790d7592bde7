/*
 * row.h - one row as one line of JSON, and back
 *
 * docs/format.md, section "Rows", is the specification.  The codec keeps no
 * state between rows but its memory.
 */
#ifndef SNAPSHOT_ROW_H
#define SNAPSHOT_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot/value.h"

struct buffer;
struct error;
struct table;

/** Bytes of raw values that one line may hold before further ones go to part
 *  files too, whatever their size: so a line never outgrows a chunk. */
#define ROW_INLINE_MAX ((size_t)4 << 20)
/** A value goes to part files of at most this many bytes. */
#define ROW_PART_MAX ((size_t)32 << 20)
/** No line of a sound snapshot is longer. */
#define ROW_LINE_MAX ((size_t)64 << 20)

/** What the codec knows of a table in advance. */
struct row_shape;

/** `t` is borrowed and must outlive the shape. */
int row_shape_new(struct row_shape **out, const struct table *t,
		  struct error *err);
void row_shape_free(struct row_shape *s);

/** Values per row: the columns that are not generated, in column order. */
size_t row_shape_values(const struct row_shape *s);

/** Where the codec hands over, or asks for, values that lie in part files. */
struct row_files {
	/* A value too big for the line: store its parts.  `sha256` is over the
	 * whole value.  @return 0 or -1 */
	int (*store)(struct row_files *, const struct value *value,
		     const unsigned char sha256[32], struct error *err);
	/* Load a value: append exactly `size` bytes to `out`. */
	int (*load)(struct row_files *, const unsigned char sha256[32],
		    size_t size, struct buffer *out, struct error *err);
};

/** Path of one part below the table's folder: "values/ab/cdef...-0" */
#define ROW_PART_PATH_SIZE 96
void row_part_path(char out[ROW_PART_PATH_SIZE], const unsigned char sha256[32],
		   unsigned int part);

/**
 * Append the row's line, with its newline, to `out`.
 *
 * @param rowid   used only where the table has a rowid key that is no column
 * @param values  row_shape_values() of them
 * @param files   takes values that are too big; NULL keeps all in the line
 *                (documents)
 * @return 0 or -1
 */
int row_encode(struct buffer *out, struct row_shape *s, int64_t rowid,
	       const struct value *values, struct row_files *files,
	       struct error *err);

/**
 * Read one line.  Every key must be a column's, in column order; unknown tags,
 * duplicate or unknown keys, bad UTF-8 and anything behind the closing bracket
 * are errors.  White space between tokens is accepted.
 *
 * @param line    without its newline
 * @param rowid   receives the rowid (also where a column is it), else 0
 * @param values  receives row_shape_values() values; borrowed from the line
 *                and the shape until the next call
 * @return 0, or -1 with ERROR_DAMAGE that says which key is wrong (the caller
 *         knows table and line and adds them)
 */
int row_decode(struct row_shape *s, const char *line, size_t size,
	       int64_t *rowid, struct value *values, struct row_files *files,
	       struct error *err);

/**
 * What values of the row that was decoded last point to, where it is not the
 * line: strings with escapes, and bytes.
 *
 * @param data  receives where they lie, one behind the other; NULL: some come
 *              from part files, and lie elsewhere
 * @return how many bytes
 */
size_t row_shape_apart(const struct row_shape *s, const char **data);

/** The text of a value in a line; NULL where it is left out, or null. */
struct row_span {
	const char *data;
	size_t size;
};

/**
 * Find the values of a line that row_encode() wrote without reading them: each
 * is checked to be sound JSON, no more.
 *
 * @param line    without its newline
 * @param rowid   receives the rowid's text (also where a column is it), else
 *                NULL
 * @param values  receives row_shape_values() texts; all borrowed from the line
 * @return 0, or -1 with ERROR_DAMAGE as row_decode()
 */
int row_split(struct row_shape *s, const char *line, size_t size,
	      struct row_span *rowid, struct row_span *values,
	      struct error *err);

/**
 * The bytes that stand for the row's key where it is no integer: for ORDER_KEY
 * the JSON of the primary key's values in key order as an array, else the line
 * itself.  Appended to `out`.
 */
int row_key_bytes(struct buffer *out, struct row_shape *s,
		  const struct value *values, const char *line, size_t size,
		  struct error *err);

#endif /* SNAPSHOT_ROW_H */
