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
	const struct table *table;
	struct chunk_walk walk;
	struct chunk_file *file;       /* where nobody brings another one */
	struct record_reader *records; /* ORDER_RECORDS */
	struct record record;          /* the current one */
	struct buffer last_key;        /* of the one before */
	struct chunk_parts parts;      /* seen in rows */
	uint64_t rows;
	int64_t last_rowid;
	int ended; /* row count and SHA-256 were found right */
	struct hasher *rows_sha, *value_sha;
};

static int file_damage(struct chunk_reader *r, struct chunk_file *f,
		       const char *what, struct error *err)
{
	const char *path = buffer_cstr(&f->path);

	return error_set(err, ERROR_DAMAGE, "table '%s', file '%s': %s",
			 r->walk.shown.data, path ? path : "?", what);
}

/* Only what is found in a line is damage; memory can run out there too. */
static int line_failed(struct chunk_reader *r, struct chunk_file *f,
		       const struct error *cause, struct error *err)
{
	const char *path = buffer_cstr(&f->path);

	if (cause->code != ERROR_DAMAGE)
		return error_set(err, cause->code, "%s", cause->message);
	return error_set(err, ERROR_DAMAGE,
			 "table '%s', file '%s', line %" PRIu64 ": %s",
			 r->walk.shown.data, path ? path : "?", f->line_number,
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
	struct chunk_reader *r = ((struct chunk_file *)files)->reader;
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
	r->table = t;
	if (hasher_new(&r->rows_sha, HASH_SHA256, err) < 0 ||
	    hasher_new(&r->value_sha, HASH_SHA256, err) < 0 ||
	    (t->order == ORDER_RECORDS &&
	     record_reader_new(&r->records, err) < 0) ||
	    chunk_file_new(&r->file, t, err) < 0 ||
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
	chunk_file_free(r->file);
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

int chunk_reader_end(struct chunk_reader *r, struct error *err)
{
	unsigned char digest[HASH_SHA256_SIZE];

	if (r->ended)
		return 0;
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
	r->ended = !r->walk.has_values || check_values(r, err) == 0;
	return r->ended ? 0 : -1;
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

/* ---- rows ---- */

static int check_order(struct chunk_reader *r, int64_t rowid, struct error *err)
{
	if (r->table->order != ORDER_ROWID)
		return 0;
	if (r->rows > 1 && rowid <= r->last_rowid)
		return error_set(err, ERROR_DAMAGE,
				 "rowid %" PRId64 " comes after %" PRId64,
				 rowid, r->last_rowid);
	r->last_rowid = rowid;
	return 0;
}

static int decode_row(struct chunk_reader *r, struct chunk_file *f,
		      int64_t *rowid, struct value *values, struct error *err)
{
	const char *line = f->bytes.data + f->line;

	if (r->records) {
		if (record_from_line(r->records, line, f->line_size, &r->record,
				     err) < 0)
			return -1;
		return check_record(r, err);
	}
	if (row_decode(f->shape, line, f->line_size, rowid, values, &f->files,
		       err) < 0)
		return -1;
	return check_order(r, *rowid, err);
}

static int too_many(const struct chunk_reader *r, struct error *err)
{
	return error_set(err, ERROR_DAMAGE,
			 "more rows than the %" PRIu64
			 " that the manifest names",
			 r->table->rows);
}

/* @return 1; 0: the file has no more lines; -1 */
static int next_line(struct chunk_reader *r, struct chunk_file *f,
		     int64_t *rowid, struct value *values, struct error *err)
{
	struct error cause;

	if (!chunk_file_line(f))
		return 0;
	r->rows++;
	error_clear(&cause); /* ERROR_INIT would zero 2 KiB for each line */
	if (f->line_size && f->bytes.data[f->line + f->line_size - 1] == '\r')
		error_set(&cause, ERROR_DAMAGE, CHUNK_CRLF_HINT);
	else if (f->line_size > ROW_LINE_MAX)
		error_set(&cause, ERROR_DAMAGE, "%zu bytes are too long",
			  f->line_size);
	else if (r->rows > r->table->rows)
		too_many(r, &cause);
	else
		decode_row(r, f, rowid, values, &cause);
	return cause.code ? line_failed(r, f, &cause, err) : 1;
}

/* One that was decoded ahead. */
static int next_ready(struct chunk_reader *r, struct chunk_file *f,
		      int64_t *rowid, const struct value **values,
		      struct error *err)
{
	size_t row = f->next_row++;
	struct error cause;

	*rowid = f->rowids[row];
	*values = f->values + row * f->values_a_row;
	r->rows++;
	f->line_number++;
	error_clear(&cause);
	if (r->rows > r->table->rows)
		too_many(r, &cause);
	else
		check_order(r, *rowid, &cause);
	return cause.code ? line_failed(r, f, &cause, err) : 1;
}

int chunk_reader_row(struct chunk_reader *r, struct chunk_file *f,
		     int64_t *rowid, const struct value **values,
		     struct error *err)
{
	if (f->next_row < f->row_count)
		return next_ready(r, f, rowid, values, err);
	*values = f->row;
	return next_line(r, f, rowid, f->row, err);
}

/* ---- files ---- */

struct source_reader *chunk_reader_reader(struct chunk_reader *r)
{
	struct source *s = r->walk.source;
	struct source_reader *by = s->reader ? s->reader(s) : NULL;

	r->walk.has_readers |= by != NULL;
	return by;
}

int chunk_reader_find(struct chunk_reader *r, struct chunk_file *f,
		      struct error *err)
{
	int rc = chunk_walk_next(&r->walk, err);

	chunk_file_forget(f);
	if (rc <= 0)
		return rc;
	f->known = r->walk.name->known;
	f->id = r->walk.name->id;
	buffer_clear(&f->path);
	buffer_add(&f->path, r->walk.path.data, r->walk.path.size);
	return buffer_cstr(&f->path) ? 1 : error_nomem(err);
}

int chunk_reader_open(struct chunk_reader *r, struct chunk_file *f,
		      struct error *err)
{
	struct source *s = r->walk.source;
	int rc = 0;

	f->files.load = load_value;
	f->reader = r;
	if (!f->bytes.size)
		rc = s->read(s, f->path.data, &f->bytes, err);
	if (rc)
		return rc < 0 ? -1 : file_damage(r, f, "it is missing", err);
	if (!f->bytes.size)
		return file_damage(r, f, "it is empty", err);
	if (f->bytes.data[f->bytes.size - 1] != '\n')
		return file_damage(r, f, "its last line is cut short", err);
	hasher_add(r->rows_sha, f->bytes.data, f->bytes.size);
	return 0;
}

/* ---- one after the other ---- */

int chunk_reader_next(struct chunk_reader *r, int64_t *rowid,
		      struct value *values, struct error *err)
{
	struct chunk_file *f = r->file;
	int rc;

	if (r->ended)
		return 0;
	while ((rc = next_line(r, f, rowid, values, err)) == 0) {
		rc = chunk_reader_find(r, f, err);
		if (rc <= 0)
			break;
		if (chunk_reader_open(r, f, err) < 0)
			return -1;
	}
	if (rc)
		return rc;
	return chunk_reader_end(r, err);
}

const char *chunk_reader_line(const struct chunk_reader *r, size_t *size)
{
	*size = r->file->line_size;
	return r->file->bytes.data + r->file->line;
}

const struct record *chunk_reader_record(const struct chunk_reader *r)
{
	return &r->record;
}
