/*
 * chunks_read.c - chunk files back into rows
 *
 * Nothing here is believed: each line is decoded strictly, rowids rise, and at
 * the end row count and SHA-256 are the manifest's.  One file is in memory at a
 * time.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks_internal.h"
#include "snapshot/record.h"
#include "snapshot/row.h"

/* SQLite's own limit for one value; what says more is no snapshot of ours. */
#define VALUE_BYTES_MAX ((size_t)0x7fffffff)

struct chunk_reader {
	struct row_files files; /* first: the codec hands us this */
	const struct table *table;
	struct chunk_walk walk;
	struct row_shape *shape;
	struct record_reader *records; /* ORDER_RECORDS */
	struct record record;          /* the current one */
	struct buffer last_key;        /* of the one before */
	struct chunk_parts parts;      /* seen in rows */
	size_t at; /* where in the walk's file the next line begins */
	size_t line, line_size;
	uint64_t line_number;
	uint64_t rows;
	int64_t last_rowid;
	int ended; /* the last row was given out */
	struct hasher *rows_sha, *value_sha;
};

/* Only what is found in a line is damage; memory can run out there too. */
static int line_failed(struct chunk_reader *r, const struct error *cause,
		       struct error *err)
{
	const char *path = buffer_cstr(&r->walk.path);

	if (cause->code != ERROR_DAMAGE)
		return error_set(err, cause->code, "%s", cause->message);
	return error_set(err, ERROR_DAMAGE,
			 "table '%s', file '%s', line %" PRIu64 ": %s",
			 r->walk.shown.data, path ? path : "?", r->line_number,
			 cause->message);
}

/* ---- big values ---- */

static int load_part(struct chunk_reader *r, struct chunk_part *part,
		     size_t size, struct buffer *out, struct error *err)
{
	struct buffer path = BUFFER_INIT;
	char name[ROW_PART_PATH_SIZE];
	size_t before = out->size;
	int rc = -1;

	row_part_path(name, part->sha256, part->part);
	buffer_printf(&path, CHUNK_ROOT "%s/%s", r->table->folder, name);
	if (!buffer_cstr(&path)) {
		error_nomem(err);
		goto done;
	}
	rc = r->walk.source->read(r->walk.source, path.data, out, err);
	if (rc > 0)
		rc = error_set(err, ERROR_DAMAGE, "file '%s' is missing",
			       path.data);
	else if (!rc && out->size - before != size)
		rc = error_set(err, ERROR_DAMAGE,
			       "file '%s' has %zu bytes, not %zu", path.data,
			       out->size - before, size);
	if (!rc && chunk_parts_add(&r->parts, part, err) < 0)
		rc = -1;
done:
	buffer_release(&path);
	return rc;
}

static int load_value(struct row_files *files, const unsigned char sha256[32],
		      size_t size, struct buffer *out, struct error *err)
{
	struct chunk_reader *r = (struct chunk_reader *)files;
	struct chunk_part part = { .part = 0 };
	unsigned char digest[HASH_SHA256_SIZE];
	size_t begin = out->size, at, step;

	if (size > VALUE_BYTES_MAX)
		return error_set(err, ERROR_DAMAGE,
				 "a value of %zu bytes is bigger than any",
				 size);
	memcpy(part.sha256, sha256, sizeof(part.sha256));
	for (at = 0; at < size; at += step, part.part++) {
		step = size - at < ROW_PART_MAX ? size - at : ROW_PART_MAX;
		if (load_part(r, &part, step, out, err) < 0)
			return -1;
	}
	hasher_reset(r->value_sha);
	hasher_add(r->value_sha, size ? out->data + begin : "", size);
	hasher_final(r->value_sha, digest);
	if (memcmp(digest, sha256, sizeof(digest)) != 0)
		return error_set(err, ERROR_DAMAGE,
				 "a value in '" CHUNK_VALUES
				 "' does not have the SHA-256 its row names");
	return 0;
}

/* ---- the reader ---- */

int chunk_reader_new(struct chunk_reader **out, const struct table *t,
		     struct source *s, struct error *err)
{
	struct chunk_reader *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (!r)
		return error_nomem(err);
	r->files.load = load_value;
	r->table = t;
	if (hasher_new(&r->rows_sha, HASH_SHA256, err) < 0 ||
	    hasher_new(&r->value_sha, HASH_SHA256, err) < 0 ||
	    (t->order == ORDER_RECORDS &&
	     record_reader_new(&r->records, err) < 0) ||
	    row_shape_new(&r->shape, t, err) < 0 ||
	    chunk_walk_begin(&r->walk, t, s, err) < 0) {
		chunk_reader_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

void chunk_reader_free(struct chunk_reader *r)
{
	if (!r)
		return;
	row_shape_free(r->shape);
	record_reader_free(r->records);
	buffer_release(&r->last_key);
	chunk_parts_release(&r->parts);
	chunk_walk_release(&r->walk);
	hasher_free(r->rows_sha);
	hasher_free(r->value_sha);
	free(r);
}

/* Count the files in "values": none may be there that no row names. */
static int check_values(struct chunk_reader *r, struct error *err)
{
	struct source_names folders = { 0 }, files = { 0 };
	struct source *s = r->walk.source;
	struct buffer *path = &r->walk.path;
	size_t found = 0, i;
	int rc = -1;

	buffer_clear(path);
	buffer_printf(path, CHUNK_ROOT "%s/" CHUNK_VALUES, r->table->folder);
	if (!buffer_cstr(path))
		return error_nomem(err);
	if (s->list(s, path->data, &folders, err) < 0)
		goto done;
	for (i = 0; i < folders.count; i++) {
		buffer_clear(path);
		buffer_printf(path, CHUNK_ROOT "%s/" CHUNK_VALUES "/%s",
			      r->table->folder, folders.names[i].name);
		if (!buffer_cstr(path)) {
			error_nomem(err);
			goto done;
		}
		source_names_release(&files);
		if (folders.names[i].folder &&
		    s->list(s, path->data, &files, err) < 0)
			goto done;
		found += folders.names[i].folder ? files.count : 1;
	}
	rc = 0;
	if (found != r->parts.count)
		rc = chunk_walk_damage(&r->walk, err,
				       "folder '" CHUNK_ROOT "%s/" CHUNK_VALUES
				       "' has %zu files, its rows name %zu",
				       r->table->folder, found, r->parts.count);
done:
	source_names_release(&folders);
	source_names_release(&files);
	return rc;
}

/* All rows were read: are they what the manifest says? */
static int finish(struct chunk_reader *r, struct error *err)
{
	unsigned char digest[HASH_SHA256_SIZE];

	if (r->rows != r->table->rows)
		return chunk_walk_damage(&r->walk, err,
					 "%" PRIu64
					 " rows where the manifest says "
					 "%" PRIu64,
					 r->rows, r->table->rows);
	hasher_final(r->rows_sha, digest);
	if (memcmp(digest, r->table->sha256, sizeof(digest)) != 0)
		return chunk_walk_damage(
			&r->walk, err,
			"its rows do not have the SHA-256 that the "
			"manifest names");
	return r->walk.has_values ? check_values(r, err) : 0;
}

/* Records rise by their keys; those without a pk can be equal. */
static int check_record(struct chunk_reader *r, struct error *err)
{
	const struct json_piece *key = &r->record.key;
	struct buffer *last = &r->last_key;
	size_t shorter = last->size < key->size ? last->size : key->size;
	int order = shorter ? memcmp(last->data, key->data, shorter) : -1;

	if (!order)
		order = (last->size > key->size) - (last->size < key->size);
	if (order > 0 || (!order && r->record.pk.data))
		return error_set(err, ERROR_DAMAGE, "the record is %s",
				 order ? "not in its place" : "there twice");
	buffer_clear(last);
	buffer_add(last, key->data, key->size);
	return buffer_failed(last) ? error_nomem(err) : 0;
}

static int decode_row(struct chunk_reader *r, const char *line, int64_t *rowid,
		      struct value *values, struct error *err)
{
	if (r->records) {
		if (record_from_line(r->records, line, r->line_size, &r->record,
				     err) < 0)
			return -1;
		return check_record(r, err);
	}
	if (row_decode(r->shape, line, r->line_size, rowid, values, &r->files,
		       err) < 0)
		return -1;
	if (r->table->order != ORDER_ROWID)
		return 0;
	if (r->rows > 1 && *rowid <= r->last_rowid)
		return error_set(err, ERROR_DAMAGE,
				 "rowid %" PRId64 " comes after %" PRId64,
				 *rowid, r->last_rowid);
	r->last_rowid = *rowid;
	return 0;
}

static int decode_line(struct chunk_reader *r, int64_t *rowid,
		       struct value *values, struct error *err)
{
	const char *line = r->walk.file.data + r->line;
	struct error cause;

	error_clear(&cause); /* ERROR_INIT would zero 2 KiB for each line */
	if (r->line_size && line[r->line_size - 1] == '\r')
		error_set(&cause, ERROR_DAMAGE, CHUNK_CRLF_HINT);
	else if (r->line_size > ROW_LINE_MAX)
		error_set(&cause, ERROR_DAMAGE, "%zu bytes are too long",
			  r->line_size);
	else if (r->rows > r->table->rows)
		error_set(&cause, ERROR_DAMAGE,
			  "more rows than the %" PRIu64
			  " that the manifest names",
			  r->table->rows);
	else
		decode_row(r, line, rowid, values, &cause);
	return cause.code ? line_failed(r, &cause, err) : 1;
}

int chunk_reader_next(struct chunk_reader *r, int64_t *rowid,
		      struct value *values, struct error *err)
{
	const char *newline;
	int rc;

	if (r->ended)
		return 0;
	if (r->at == r->walk.file.size) {
		rc = chunk_walk_next(&r->walk, err);
		if (rc <= 0) {
			buffer_clear(&r->walk.file);
			r->at = r->line = r->line_size = 0;
			if (rc < 0 || finish(r, err) < 0)
				return -1;
			r->ended = 1;
			return 0;
		}
		hasher_add(r->rows_sha, r->walk.file.data, r->walk.file.size);
		r->at = 0;
		r->line_number = 0;
	}
	r->line = r->at;
	newline = memchr(r->walk.file.data + r->at, '\n',
			 r->walk.file.size - r->at);
	r->line_size = (size_t)(newline - r->walk.file.data) - r->at;
	r->at += r->line_size + 1;
	r->line_number++;
	r->rows++;
	return decode_line(r, rowid, values, err);
}

int chunk_reader_file_ends(const struct chunk_reader *r)
{
	return r->at == r->walk.file.size;
}

void chunk_reader_swap(struct chunk_reader *r, struct buffer *memory)
{
	struct buffer swap = r->walk.file;

	r->walk.file = *memory;
	*memory = swap;
	buffer_clear(&r->walk.file);
	r->at = r->line = r->line_size = 0;
}

size_t chunk_reader_apart(const struct chunk_reader *r, const char **data)
{
	return row_shape_apart(r->shape, data);
}

size_t chunk_reader_file_bytes(const struct chunk_reader *r)
{
	return r->walk.file.size;
}

const char *chunk_reader_line(const struct chunk_reader *r, size_t *size)
{
	*size = r->line_size;
	return r->walk.file.data + r->line;
}

const struct record *chunk_reader_record(const struct chunk_reader *r)
{
	return &r->record;
}
