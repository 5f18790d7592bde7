/*
 * chunks_read.c - chunk files back into rows
 *
 * Nothing here is believed: each folder holds only names of the known forms,
 * each line is decoded strictly, rowids rise, and at the end row count and
 * SHA-256 are the manifest's.  One file is in memory at a time.
 */
#include <inttypes.h>
#include <stdarg.h>
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

#define CRLF_HINT                                                              \
	"line endings were changed by git (CR LF); check out again with "      \
	"core.autocrlf=false, or use git archive"

/* A folder on the way down. */
struct reader_level {
	struct source_names names; /* in row order */
	size_t next;
	size_t path; /* length of the folder's path */
};

struct chunk_reader {
	struct row_files files; /* first: the codec hands us this */
	const struct table *table;
	struct source *source;
	struct row_shape *shape;
	struct record_reader *records; /* ORDER_RECORDS */
	struct record record;          /* the current one */
	struct buffer last_key;        /* of the one before */
	struct chunk_parts parts;      /* seen in rows */
	struct reader_level levels[CHUNK_LEVELS_MAX];
	size_t depth;
	struct buffer path; /* of the folder or file being looked at */
	struct buffer file; /* its content */
	size_t at;          /* where in it the next line begins */
	size_t line, line_size;
	uint64_t line_number;
	uint64_t rows;
	int64_t last_rowid;
	int has_values;      /* there is a folder "values" */
	int ended;           /* the last row was given out */
	struct buffer shown; /* the table's name for people */
	struct hasher *rows_sha, *value_sha;
};

/* ---- what is wrong, and where ---- */

static int table_damage(struct chunk_reader *r, struct error *err,
			const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int file_damage(struct chunk_reader *r, struct error *err,
		       const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int table_damage(struct chunk_reader *r, struct error *err,
			const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(err, ERROR_DAMAGE, "table '%s': %s", r->shown.data,
			 text);
}

static int file_damage(struct chunk_reader *r, struct error *err,
		       const char *fmt, ...)
{
	const char *path = buffer_cstr(&r->path);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(err, ERROR_DAMAGE, "table '%s', file '%s': %s",
			 r->shown.data, path ? path : "?", text);
}

/* Only what is found in a line is damage; memory can run out there too. */
static int line_failed(struct chunk_reader *r, const struct error *cause,
		       struct error *err)
{
	const char *path = buffer_cstr(&r->path);

	if (cause->code != ERROR_DAMAGE)
		return error_set(err, cause->code, "%s", cause->message);
	return error_set(err, ERROR_DAMAGE,
			 "table '%s', file '%s', line %" PRIu64 ": %s",
			 r->shown.data, path ? path : "?", r->line_number,
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
	rc = r->source->read(r->source, path.data, out, err);
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

/* ---- names ---- */

static size_t count_digits(const char *s, const char *digits)
{
	return strspn(s, digits);
}

/* "0", "0.jsonl", 16 hex digits with or without ".jsonl"; where names are
 * listed also "-2" and so on in front of the suffix. */
static int is_chunk_name(const char *name, int folder, int listed)
{
	size_t n = count_digits(name, "0123456789abcdef"), digits;

	if (n == CHUNK_STEM_SIZE - 1) {
		name += n;
		digits = listed && *name == '-'
				 ? count_digits(name + 1, "0123456789")
				 : 0;
		if (digits)
			name += digits <= 4 ? digits + 1 : 0;
	} else if (n == 1 && *name == '0') {
		name++;
	} else {
		return 0;
	}
	return !strcmp(name, folder ? "" : CHUNK_SUFFIX);
}

/* Drop name number `at`. */
static void drop_name(struct source_names *n, size_t at)
{
	free(n->names[at].name);
	n->count--;
	memmove(&n->names[at], &n->names[at + 1],
		(n->count - at) * sizeof(*n->names));
}

/* Take "values" and "chunks" out of the names. */
static void drop_special(struct chunk_reader *r, struct source_names *n,
			 int *listed)
{
	size_t i = 0;

	*listed = 0;
	while (i < n->count) {
		const struct source_name *name = &n->names[i];

		if (r->depth == 1 && name->folder &&
		    !strcmp(name->name, CHUNK_VALUES))
			r->has_values = 1;
		else if (!name->folder && !strcmp(name->name, CHUNK_LIST_FILE))
			*listed = 1;
		else if (++i)
			continue;
		drop_name(n, i);
	}
}

static int check_names(struct chunk_reader *r, const struct source_names *n,
		       struct error *err)
{
	const char *path = buffer_cstr(&r->path);
	size_t i;

	if (!path)
		return error_nomem(err);
	if (!n->count)
		return table_damage(r, err, "folder '%s' has no rows", path);
	if (n->count > CHUNK_FOLDER_MAX)
		return table_damage(r, err, "folder '%s' has %zu files", path,
				    n->count);
	for (i = 0; i < n->count; i++)
		if (n->names[i].folder != n->names[0].folder ||
		    !is_chunk_name(n->names[i].name, n->names[i].folder,
				   chunk_is_listed(r->table)))
			return table_damage(r, err,
					    "'%s/%s' does not belong there",
					    path, n->names[i].name);
	return 0;
}

static int compare_name(const void *key, const void *name)
{
	return strcmp(key, ((const struct source_name *)name)->name);
}

/* One line of "chunks": move that name from `n` to the end of `out`. */
static int take_listed(struct chunk_reader *r, struct source_names *n,
		       struct source_names *out, const char *line,
		       struct error *err)
{
	struct source_name *name;

	name = bsearch(line, n->names, n->count, sizeof(*n->names),
		       compare_name);
	/* a name already taken has lost its folder mark */
	if (!name || name->folder < 0)
		return file_damage(r, err, "'%s' is %s", line,
				   name ? "listed twice" : "not there");
	if (source_names_add(out, name->name, name->folder, err) < 0)
		return -1;
	name->folder = -1;
	return 0;
}

/* Put the names into the order of the folder's file "chunks", which is in
 * r->file; each is listed once. */
static int apply_list(struct chunk_reader *r, struct source_names *n,
		      struct error *err)
{
	struct source_names out = { 0 };
	char *line = r->file.data, *end = line + r->file.size, *newline;
	int rc = -1;

	for (; line < end; line = newline + 1) {
		newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline) {
			file_damage(r, err, "its last line is cut short");
			goto done;
		}
		*newline = '\0';
		if (newline > line && newline[-1] == '\r') {
			file_damage(r, err, CRLF_HINT);
			goto done;
		}
		if (take_listed(r, n, &out, line, err) < 0)
			goto done;
	}
	if (out.count != n->count) {
		file_damage(r, err, "%zu of %zu files are listed", out.count,
			    n->count);
		goto done;
	}
	source_names_release(n);
	*n = out;
	memset(&out, 0, sizeof(out));
	rc = 0;
done:
	source_names_release(&out);
	return rc;
}

/* ---- files in row order ---- */

/* Read the file at r->path into r->file. */
static int read_path(struct chunk_reader *r, struct error *err)
{
	const char *path = buffer_cstr(&r->path);
	int rc;

	if (!path)
		return error_nomem(err);
	buffer_clear(&r->file);
	rc = r->source->read(r->source, path, &r->file, err);
	if (rc > 0)
		return file_damage(r, err, "it is missing");
	if (!rc && !r->file.size)
		return file_damage(r, err, "it is empty");
	return rc;
}

static int read_list(struct chunk_reader *r, struct source_names *n,
		     struct error *err)
{
	size_t length = r->path.size;
	int rc;

	buffer_str(&r->path, "/" CHUNK_LIST_FILE);
	rc = read_path(r, err);
	if (!rc)
		rc = apply_list(r, n, err);
	buffer_clear(&r->file);
	r->path.size = length;
	return rc;
}

/* @return 0; 1 when there is no such folder; -1 */
static int enter_folder(struct chunk_reader *r, struct error *err)
{
	const char *path = buffer_cstr(&r->path);
	struct reader_level *l;
	int listed, rc;

	if (!path)
		return error_nomem(err);
	if (r->depth == CHUNK_LEVELS_MAX)
		return table_damage(r, err, "folder '%s' lies too deep", path);
	l = &r->levels[r->depth++];
	memset(l, 0, sizeof(*l));
	l->path = r->path.size;
	rc = r->source->list(r->source, path, &l->names, err);
	if (rc)
		return rc;
	source_names_sort(&l->names);
	drop_special(r, &l->names, &listed);
	if (check_names(r, &l->names, err) < 0)
		return -1;
	if (listed != chunk_is_listed(r->table))
		return table_damage(
			r, err, "file '%s/" CHUNK_LIST_FILE "' %s", path,
			listed ? "does not belong there" : "is missing");
	return listed ? read_list(r, &l->names, err) : 0;
}

static int open_file(struct chunk_reader *r, struct error *err)
{
	if (read_path(r, err) < 0)
		return -1;
	if (r->file.data[r->file.size - 1] != '\n')
		return file_damage(r, err, "its last line is cut short");
	hasher_add(r->rows_sha, r->file.data, r->file.size);
	r->at = 0;
	r->line_number = 0;
	return 1;
}

/* @return 1 with the next file open, 0 behind the last, -1 */
static int next_file(struct chunk_reader *r, struct error *err)
{
	while (r->depth) {
		struct reader_level *l = &r->levels[r->depth - 1];
		const struct source_name *n;
		int rc;

		if (l->next == l->names.count) {
			source_names_release(&l->names);
			r->depth--;
			continue;
		}
		n = &l->names.names[l->next++];
		if (!n->folder)
			source_tell(r->source, &l->names, l->next - 1, &r->path,
				    l->path);
		r->path.size = l->path;
		buffer_byte(&r->path, '/');
		buffer_str(&r->path, n->name);
		if (!n->folder)
			return open_file(r, err);
		rc = enter_folder(r, err);
		if (rc > 0)
			return table_damage(r, err, "folder '%s' is missing",
					    r->path.data);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* ---- the reader ---- */

/* Look at the table's folder: there is one exactly if there are rows. */
static int enter_table(struct chunk_reader *r, struct error *err)
{
	struct source_names names = { 0 };
	const char *path;
	int rc;

	buffer_printf(&r->path, CHUNK_ROOT "%s", r->table->folder);
	path = buffer_cstr(&r->path);
	if (!path)
		return error_nomem(err);
	if (r->table->rows) {
		rc = enter_folder(r, err);
		if (rc > 0)
			rc = table_damage(r, err, "folder '%s' is missing",
					  path);
		return rc;
	}
	rc = r->source->list(r->source, path, &names, err);
	if (!rc && names.count)
		rc = table_damage(r, err,
				  "folder '%s' is there, but the manifest says "
				  "that the table has no rows",
				  path);
	source_names_release(&names);
	return rc < 0 ? -1 : 0;
}

int chunk_reader_new(struct chunk_reader **out, const struct table *t,
		     struct source *s, struct error *err)
{
	struct chunk_reader *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (!r)
		return error_nomem(err);
	r->files.load = load_value;
	r->table = t;
	r->source = s;
	if (chunk_shown(&r->shown, t, err) < 0 ||
	    hasher_new(&r->rows_sha, HASH_SHA256, err) < 0 ||
	    hasher_new(&r->value_sha, HASH_SHA256, err) < 0 ||
	    (t->order == ORDER_RECORDS &&
	     record_reader_new(&r->records, err) < 0) ||
	    row_shape_new(&r->shape, t, err) < 0 || enter_table(r, err) < 0) {
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
	while (r->depth)
		source_names_release(&r->levels[--r->depth].names);
	row_shape_free(r->shape);
	record_reader_free(r->records);
	buffer_release(&r->last_key);
	chunk_parts_release(&r->parts);
	buffer_release(&r->path);
	buffer_release(&r->file);
	buffer_release(&r->shown);
	hasher_free(r->rows_sha);
	hasher_free(r->value_sha);
	free(r);
}

/* Count the files in "values": none may be there that no row names. */
static int check_values(struct chunk_reader *r, struct error *err)
{
	struct source_names folders = { 0 }, files = { 0 };
	size_t found = 0, i;
	int rc = -1;

	buffer_clear(&r->path);
	buffer_printf(&r->path, CHUNK_ROOT "%s/" CHUNK_VALUES,
		      r->table->folder);
	if (!buffer_cstr(&r->path))
		return error_nomem(err);
	if (r->source->list(r->source, r->path.data, &folders, err) < 0)
		goto done;
	for (i = 0; i < folders.count; i++) {
		buffer_clear(&r->path);
		buffer_printf(&r->path, CHUNK_ROOT "%s/" CHUNK_VALUES "/%s",
			      r->table->folder, folders.names[i].name);
		if (!buffer_cstr(&r->path)) {
			error_nomem(err);
			goto done;
		}
		source_names_release(&files);
		if (folders.names[i].folder &&
		    r->source->list(r->source, r->path.data, &files, err) < 0)
			goto done;
		found += folders.names[i].folder ? files.count : 1;
	}
	rc = 0;
	if (found != r->parts.count)
		rc = table_damage(r, err,
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
		return table_damage(r, err,
				    "%" PRIu64 " rows where the manifest says "
				    "%" PRIu64,
				    r->rows, r->table->rows);
	hasher_final(r->rows_sha, digest);
	if (memcmp(digest, r->table->sha256, sizeof(digest)) != 0)
		return table_damage(r, err,
				    "its rows do not have the SHA-256 that the "
				    "manifest names");
	return r->has_values ? check_values(r, err) : 0;
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
	struct error cause = ERROR_INIT;
	const char *line = r->file.data + r->line;

	if (r->line_size && line[r->line_size - 1] == '\r')
		error_set(&cause, ERROR_DAMAGE, CRLF_HINT);
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
	if (r->at == r->file.size) {
		rc = next_file(r, err);
		if (rc <= 0) {
			buffer_clear(&r->file);
			r->at = r->line = r->line_size = 0;
			if (rc < 0 || finish(r, err) < 0)
				return -1;
			r->ended = 1;
			return 0;
		}
	}
	r->line = r->at;
	newline = memchr(r->file.data + r->at, '\n', r->file.size - r->at);
	r->line_size = (size_t)(newline - r->file.data) - r->at;
	r->at += r->line_size + 1;
	r->line_number++;
	r->rows++;
	return decode_line(r, rowid, values, err);
}

const char *chunk_reader_line(const struct chunk_reader *r, size_t *size)
{
	*size = r->line_size;
	return r->file.data + r->line;
}

const struct record *chunk_reader_record(const struct chunk_reader *r)
{
	return &r->record;
}
