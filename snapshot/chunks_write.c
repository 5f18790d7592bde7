/*
 * chunks_write.c - rows into chunk files
 *
 * A row is encoded behind the rows of the open chunk.  Only then its length is
 * known, and with it whether a cut goes in front of it: the bytes before are
 * put and the row moves to the front.  So there is one buffer, and bytes move
 * at cuts only.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks_internal.h"
#include "snapshot/row.h"
#include "snapshot/text.h"

#define SHOWN_MAX 120 /* bytes of a name in a message */

/* Makes a second hash of the first, for the folders. */
#define SECOND_HASH UINT64_C(0x9e3779b97f4a7c15)

struct chunk_writer {
	struct row_files files; /* first: the codec hands us this */
	const struct table *table;
	struct sink *sink;
	struct row_shape *shape;
	struct chunk_folders folders;
	struct chunk_parts parts;
	struct chunk_worker *worker; /* from the second chunk on, or NULL */
	struct buffer chunk;         /* the open chunk's lines */
	struct buffer key;
	struct buffer path;  /* hint for the sink */
	struct buffer shown; /* the table's name for people */
	size_t path_root;    /* bytes of it up to the table's folder */
	struct hasher *rows_sha, *key_sha;
	size_t rowid_value;       /* where among the values the rowid stands */
	struct chunk_entry first; /* of the open chunk */
	uint64_t rows, bytes;
	int64_t last_rowid;
	int alone; /* no thread could be had */
};

/* What decides on a row's place: a rowid, or the bytes of a key. */
struct row_key {
	uint64_t hash;
	int64_t rowid;
	const char *data;
	size_t size;
};

int chunk_is_listed(const struct table *t)
{
	return t->order != ORDER_ROWID;
}

int chunk_shown(struct buffer *out, const struct table *t, struct error *err)
{
	text_display(out, t->name, strlen(t->name), SHOWN_MAX);
	return buffer_cstr(out) ? 0 : error_nomem(err);
}

/* The sink's hint: the path as it is while the files lie flat. */
static const char *hint(struct chunk_writer *w, const char *name,
			const char *suffix)
{
	w->path.size = w->path_root;
	buffer_str(&w->path, name);
	buffer_str(&w->path, suffix);
	return buffer_cstr(&w->path);
}

static int store_part(struct chunk_writer *w, struct chunk_part *part,
		      const char *data, size_t size, struct error *err)
{
	char path[ROW_PART_PATH_SIZE];

	if (w->worker && chunk_worker_drain(w->worker, err) < 0)
		return -1;
	row_part_path(path, part->sha256, part->part);
	if (w->sink->put(w->sink, OBJECT_BLOB, hint(w, path, ""), data, size,
			 &part->id, err) < 0)
		return -1;
	w->bytes += size;
	return chunk_parts_add(&w->parts, part, err) < 0 ? -1 : 0;
}

static int store_value(struct row_files *files, const struct value *value,
		       const unsigned char sha256[32], struct error *err)
{
	struct chunk_writer *w = (struct chunk_writer *)files;
	struct chunk_part part = { .part = 0 };
	size_t at, size;

	if (chunk_parts_has(&w->parts, sha256))
		return 0;
	memcpy(part.sha256, sha256, sizeof(part.sha256));
	for (at = 0; at < value->size; at += size, part.part++) {
		size = value->size - at;
		if (size > ROW_PART_MAX)
			size = ROW_PART_MAX;
		if (store_part(w, &part, value->data + at, size, err) < 0)
			return -1;
	}
	return 0;
}

int chunk_writer_new(struct chunk_writer **out, const struct table *t,
		     struct sink *s, struct error *err)
{
	struct chunk_writer *w = calloc(1, sizeof(*w));
	int i;

	*out = NULL;
	if (!w)
		return error_nomem(err);
	w->files.store = store_value;
	w->table = t;
	w->sink = s;
	w->folders.sink = s;
	w->folders.listed = chunk_is_listed(t);
	for (i = 0; i < t->rowid_column; i++)
		w->rowid_value += !t->columns[i].generated;
	buffer_printf(&w->path, CHUNK_ROOT "%s/", t->folder);
	w->path_root = w->path.size;
	if (buffer_failed(&w->path))
		error_nomem(err);
	else if (!chunk_shown(&w->shown, t, err) &&
		 !hasher_new(&w->rows_sha, HASH_SHA256, err) &&
		 !hasher_new(&w->key_sha, HASH_SHA256, err) &&
		 !row_shape_new(&w->shape, t, err))
		*out = w;
	if (!*out)
		chunk_writer_free(w);
	return *out ? 0 : -1;
}

void chunk_writer_free(struct chunk_writer *w)
{
	if (!w)
		return;
	chunk_worker_stop(w->worker);
	row_shape_free(w->shape);
	chunk_folders_release(&w->folders);
	chunk_parts_release(&w->parts);
	buffer_release(&w->chunk);
	buffer_release(&w->key);
	buffer_release(&w->path);
	buffer_release(&w->shown);
	hasher_free(w->rows_sha);
	hasher_free(w->key_sha);
	free(w);
}

/* Name and second hash of a chunk that begins with the row of this key. */
static void begin_chunk(struct chunk_writer *w, const struct row_key *key)
{
	unsigned char digest[HASH_SHA256_SIZE];
	uint64_t place;

	w->first.bits = hash_mix64(key->hash ^ SECOND_HASH);
	if (!w->rows) {
		memcpy(w->first.stem, "0", 2);
	} else if (w->table->order == ORDER_ROWID) {
		/* so that names sort as signed numbers do */
		place = (uint64_t)key->rowid ^ (UINT64_C(1) << 63);
		snprintf(w->first.stem, sizeof(w->first.stem), "%016" PRIx64,
			 place);
	} else {
		hasher_reset(w->key_sha);
		hasher_add(w->key_sha, key->data, key->size);
		hasher_final(w->key_sha, digest);
		hex_encode(w->first.stem, digest, (CHUNK_STEM_SIZE - 1) / 2);
	}
}

static int put_now(void *payload, const char *data, size_t size,
		   const struct chunk_entry *first, struct error *err)
{
	struct chunk_writer *w = payload;
	struct chunk_entry e = *first;

	hasher_add(w->rows_sha, data, size);
	w->bytes += size;
	if (w->sink->put(w->sink, OBJECT_BLOB, hint(w, e.stem, CHUNK_SUFFIX),
			 data, size, &e.id, err) < 0)
		return -1;
	return chunk_folders_add(&w->folders, 0, &e, err);
}

/* Put the first `size` bytes as a chunk; more rows follow. */
static int put_chunk(struct chunk_writer *w, size_t size, struct error *err)
{
	struct buffer *b = &w->chunk;

	if (!w->worker && w->sink->any_thread && !w->alone)
		w->alone = chunk_worker_start(&w->worker, put_now, w);
	if (w->worker)
		return chunk_worker_push(w->worker, b, size, &w->first, err);
	if (put_now(w, b->data, size, &w->first, err) < 0)
		return -1;
	memmove(b->data, b->data + size, b->size - size);
	b->size -= size;
	return 0;
}

static int is_cut(size_t line_bytes, uint64_t hash)
{
	return line_bytes >= CHUNK_MEAN_BYTES || hash < (uint64_t)line_bytes
								 << 48;
}

/* A line was appended at `start`. */
static int take_line(struct chunk_writer *w, size_t start, struct row_key *key,
		     struct error *err)
{
	size_t size = w->chunk.size - start;

	if (size > ROW_LINE_MAX)
		return error_set(
			err, ERROR_FAILED,
			"table '%s': row %" PRIu64 " takes %zu bytes "
			"as JSON, more than a snapshot's line may have",
			w->shown.data, w->rows + 1, size);
	if (start &&
	    (is_cut(size, key->hash) || w->chunk.size > CHUNK_MAX_BYTES)) {
		if (put_chunk(w, start, err) < 0)
			return -1;
		start = 0;
		/* the line has moved to the front; where it is its own key,
		 * the key moves with it */
		if (w->table->order != ORDER_ROWID &&
		    w->table->order != ORDER_KEY)
			key->data = w->chunk.data;
	}
	if (!start)
		begin_chunk(w, key);
	w->rows++;
	return 0;
}

/* Rowids rise, or the restored rows could not be told from damage. */
static int take_rowid(struct chunk_writer *w, int64_t *rowid,
		      const struct value *values, struct error *err)
{
	if (w->table->rowid_column >= 0) {
		const struct value *v = &values[w->rowid_value];

		if (v->class != VALUE_INTEGER)
			return error_set(err, ERROR_FAILED,
					 "table '%s': row %" PRIu64
					 " has a rowid that is no integer",
					 w->shown.data, w->rows + 1);
		*rowid = v->integer;
	}
	if (w->rows && *rowid <= w->last_rowid)
		return error_set(err, ERROR_FAILED,
				 "table '%s' gives rowid %" PRId64
				 " after rowid %" PRId64
				 "; the database is damaged, see what "
				 "'PRAGMA integrity_check' says",
				 w->shown.data, *rowid, w->last_rowid);
	w->last_rowid = *rowid;
	return 0;
}

static int row_key(struct chunk_writer *w, struct row_key *key, size_t start,
		   const struct value *values, struct error *err)
{
	if (w->table->order == ORDER_ROWID) {
		key->hash = hash_mix64((uint64_t)key->rowid);
		return 0;
	}
	key->data = w->chunk.data + start;
	key->size = w->chunk.size - start - 1; /* without the newline */
	if (w->table->order == ORDER_KEY) {
		buffer_clear(&w->key);
		if (row_key_bytes(&w->key, w->shape, values, key->data,
				  key->size, err) < 0)
			return -1;
		key->data = w->key.data;
		key->size = w->key.size;
	}
	key->hash = hash_bytes64(key->data, key->size);
	return 0;
}

int chunk_writer_row(struct chunk_writer *w, int64_t rowid,
		     const struct value *values, struct error *err)
{
	struct row_key key = { .rowid = rowid };
	size_t start = w->chunk.size;

	if (w->table->order == ORDER_ROWID &&
	    take_rowid(w, &key.rowid, values, err) < 0)
		return -1;
	if (row_encode(&w->chunk, w->shape, rowid, values, &w->files, err) <
		    0 ||
	    row_key(w, &key, start, values, err) < 0)
		return -1;
	return take_line(w, start, &key, err);
}

int chunk_writer_encode(struct chunk_writer *w, int64_t rowid,
			const struct value *values, struct buffer *out,
			struct error *err)
{
	return row_encode(out, w->shape, rowid, values, &w->files, err);
}

int chunk_writer_line(struct chunk_writer *w, const char *line, size_t size,
		      struct error *err)
{
	struct row_key key = { .rowid = 0 };
	size_t start = w->chunk.size;

	if (w->table->order != ORDER_SORTED || !size || line[size - 1] != '\n')
		return error_set(err, ERROR_FAILED,
				 "table '%s' takes rows, not lines",
				 w->shown.data);
	buffer_add(&w->chunk, line, size);
	if (buffer_failed(&w->chunk))
		return error_nomem(err);
	if (row_key(w, &key, start, NULL, err) < 0)
		return -1;
	return take_line(w, start, &key, err);
}

int chunk_writer_finish(struct chunk_writer *w, struct table *t,
			struct object_id *id, struct error *err)
{
	struct object_id values;

	if (w->rows) {
		if (w->worker && chunk_worker_drain(w->worker, err) < 0)
			return -1;
		if (put_now(w, w->chunk.data, w->chunk.size, &w->first, err) <
		    0)
			return -1;
		if (w->parts.count &&
		    chunk_parts_put(&w->parts, w->sink, &values, err) < 0)
			return -1;
		if (chunk_folders_finish(&w->folders,
					 w->parts.count ? &values : NULL, id,
					 err) < 0)
			return -1;
	}
	t->rows = w->rows;
	t->bytes = w->bytes;
	hasher_final(w->rows_sha, t->sha256);
	return w->rows ? 0 : 1;
}
