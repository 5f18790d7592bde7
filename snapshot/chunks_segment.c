/*
 * chunks_segment.c - a run of a table's rows: encoded, cut, put
 *
 * Cuts depend on the row they stand before, so a segment finds them by itself
 * and puts what lies between two of them.  Its rows before the first cut and
 * behind the last are the writer's to join with its neighbours'.  Only the
 * forced cut looks back: a segment that doesn't know what is in front of it
 * gives up where that would matter.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks_internal.h"
#include "snapshot/scan_internal.h"
#include "snapshot/text.h"

#define SHOWN_MAX 120 /* bytes of a name in a message */

/* Put and not yet stored: more waits for the segment's turn, when it can be
 * stored at once. */
#define HELD_MAX ((size_t)8 << 20)

/* Memory for lines, keys and cuts that is kept for the next run. */
#define LINES_KEPT ((size_t)4 << 20)
#define KEYS_KEPT  ((size_t)64 << 10)
#define CUTS_KEPT  ((size_t)1 << 12)

/* Makes a second hash of the first, for the folders. */
#define SECOND_HASH UINT64_C(0x9e3779b97f4a7c15)

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

/* ---- putting ---- */

/* The sink's hint: the path as it is while the files lie flat. */
static const char *hint(struct chunk_segment *s, const char *name,
			const char *suffix)
{
	s->path.size = s->path_root;
	buffer_str(&s->path, name);
	buffer_str(&s->path, suffix);
	return buffer_cstr(&s->path);
}

/* Before `size` more bytes are put. */
static int make_room(struct chunk_segment *s, size_t size, struct error *err)
{
	if (s->held + size <= HELD_MAX)
		return 0;
	if (!s->has_turn && s->turn && s->turn->wait(s->turn, err) < 0)
		return -1;
	s->has_turn = 1;
	s->held = 0;
	return s->sink->batch_store(s->sink, s->batch, err);
}

static int put(struct chunk_segment *s, const char *path, const char *data,
	       size_t size, struct object_id *id, struct error *err)
{
	if (!s->batch)
		return s->sink->put(s->sink, OBJECT_BLOB, path, data, size, id,
				    err);
	if (make_room(s, size, err) < 0)
		return -1;
	s->held += size;
	return s->sink->batch_put(s->batch, OBJECT_BLOB, path, data, size, id,
				  err);
}

int chunk_segment_put_chunk(struct chunk_segment *s, const char *data,
			    size_t size, struct chunk_entry *e,
			    struct error *err)
{
	return put(s, hint(s, e->stem, CHUNK_SUFFIX), data, size, &e->id, err);
}

int chunk_segment_put(struct chunk_segment *s, struct error *err)
{
	struct chunk_cut *c;

	/* without a batch it is done in order, when the segment is added */
	for (; s->batch && s->put + 1 < s->cut_count; s->put++) {
		c = &s->cuts[s->put];
		if (chunk_segment_put_chunk(s, s->lines.data + c[0].at,
					    c[1].at - c[0].at, &c->e, err) < 0)
			return -1;
	}
	return 0;
}

static int store_value(struct row_files *files, const struct value *value,
		       const unsigned char sha256[32], struct error *err)
{
	struct chunk_segment *s = (struct chunk_segment *)files;
	struct chunk_part part = { .part = 0 };
	char path[ROW_PART_PATH_SIZE];
	size_t at;

	s->taken += value->size;
	if (chunk_parts_has(&s->parts, sha256))
		return 0;
	memcpy(part.sha256, sha256, sizeof(part.sha256));
	for (at = 0; at < value->size; at += part.size, part.part++) {
		part.size = value->size - at;
		if (part.size > ROW_PART_MAX)
			part.size = ROW_PART_MAX;
		row_part_path(path, part.sha256, part.part);
		if (put(s, hint(s, path, ""), value->data + at, part.size,
			&part.id, err) < 0 ||
		    chunk_parts_add(&s->parts, &part, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the segment ---- */

int chunk_segment_new(struct chunk_segment **out, struct sink *sink,
		      struct error *err)
{
	struct chunk_segment *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return error_nomem(err);
	s->files.store = store_value;
	s->sink = sink;
	if (hasher_new(&s->key_sha, HASH_SHA256, err) < 0 ||
	    (sink->batch_new && sink->batch_new(sink, &s->batch, err) < 0)) {
		chunk_segment_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void chunk_segment_free(struct chunk_segment *s)
{
	if (!s)
		return;
	if (s->batch)
		s->sink->batch_free(s->batch);
	row_shape_free(s->shape);
	chunk_parts_release(&s->parts);
	buffer_release(&s->lines);
	buffer_release(&s->keys[0]);
	buffer_release(&s->keys[1]);
	buffer_release(&s->path);
	buffer_release(&s->shown);
	hasher_free(s->key_sha);
	free(s->cuts);
	free(s);
}

void chunk_segment_clear(struct chunk_segment *s)
{
	if (s->lines.capacity > LINES_KEPT)
		buffer_release(&s->lines);
	for (int i = 0; i < 2; i++)
		if (s->keys[i].capacity > KEYS_KEPT)
			buffer_release(&s->keys[i]);
	if (s->cut_capacity > CUTS_KEPT) {
		free(s->cuts);
		s->cuts = NULL;
		s->cut_capacity = 0;
	}
	buffer_clear(&s->lines);
	chunk_parts_release(&s->parts);
	s->rows = 0;
	s->cut_count = 0;
	s->put = 0;
	s->held = 0;
}

/* What is needed of a table that the segment has not just had. */
static int take_table(struct chunk_segment *s, const struct table *t,
		      struct error *err)
{
	int i;

	row_shape_free(s->shape);
	s->shape = NULL;
	s->table = NULL;
	s->rowid_value = 0;
	for (i = 0; i < t->rowid_column; i++)
		s->rowid_value += !t->columns[i].generated;
	buffer_clear(&s->shown);
	buffer_clear(&s->path);
	buffer_printf(&s->path, CHUNK_ROOT "%s/", t->folder);
	s->path_root = s->path.size;
	if (buffer_failed(&s->path))
		return error_nomem(err);
	if (chunk_shown(&s->shown, t, err) < 0 ||
	    row_shape_new(&s->shape, t, err) < 0)
		return -1;
	s->table = t;
	return 0;
}

int chunk_segment_begin(struct chunk_segment *s, const struct table *t,
			struct chunk_place *place, struct chunk_turn *turn,
			struct error *err)
{
	/* a run that was given up may have left something in the batch */
	if (s->held && s->batch) {
		s->sink->batch_free(s->batch);
		s->batch = NULL;
		if (s->sink->batch_new(s->sink, &s->batch, err) < 0)
			return -1;
	}
	chunk_segment_clear(s);
	s->place = place;
	s->turn = turn;
	s->has_turn = 0;
	s->first.stem[0] = '\0';
	return t == s->table ? 0 : take_table(s, t, err);
}

size_t chunk_segment_bytes(const struct chunk_segment *s)
{
	return s->lines.size;
}

uint64_t chunk_segment_taken(const struct chunk_segment *s)
{
	return s->taken;
}

/* ---- rows ---- */

/* Name and second hash of a chunk that begins with the row of this key. */
static void name_chunk(struct chunk_segment *s, struct chunk_entry *e,
		       const struct row_key *key)
{
	unsigned char digest[HASH_SHA256_SIZE];
	uint64_t place;

	e->bits = hash_mix64(key->hash ^ SECOND_HASH);
	if (s->table->order == ORDER_ROWID) {
		/* so that names sort as signed numbers do */
		place = (uint64_t)key->rowid ^ (UINT64_C(1) << 63);
		snprintf(e->stem, sizeof(e->stem), "%016" PRIx64, place);
	} else {
		hasher_reset(s->key_sha);
		hasher_add(s->key_sha, key->data, key->size);
		hasher_final(s->key_sha, digest);
		hex_encode(e->stem, digest, (CHUNK_STEM_SIZE - 1) / 2);
	}
}

static int add_cut(struct chunk_segment *s, size_t at,
		   const struct row_key *key, struct error *err)
{
	size_t capacity = s->cut_capacity ? s->cut_capacity * 2 : 64;
	struct chunk_cut *cuts;

	if (s->cut_count == s->cut_capacity) {
		cuts = reallocarray(s->cuts, capacity, sizeof(*cuts));
		if (!cuts)
			return error_nomem(err);
		s->cuts = cuts;
		s->cut_capacity = capacity;
	}
	s->cuts[s->cut_count].at = at;
	name_chunk(s, &s->cuts[s->cut_count++].e, key);
	return 0;
}

static int is_cut(size_t line_bytes, uint64_t hash)
{
	return line_bytes >= CHUNK_MEAN_BYTES || hash < (uint64_t)line_bytes
								 << 48;
}

/* A line was appended at `start`. */
static int take_line(struct chunk_segment *s, size_t start,
		     const struct row_key *key, struct error *err)
{
	struct chunk_place *place = s->place;
	size_t size = s->lines.size - start;
	int full = place->open + size > CHUNK_MAX_BYTES;

	if (!place->exact && (size > ROW_LINE_MAX || (full && !s->cut_count)))
		return 1;
	if (size > ROW_LINE_MAX)
		return error_set(
			err, ERROR_FAILED,
			"table '%s': row %" PRIu64 " takes %zu bytes "
			"as JSON, more than a snapshot's line may have",
			s->shown.data, place->rows + 1, size);
	if (!place->rows) {
		s->first.bits = hash_mix64(key->hash ^ SECOND_HASH);
		memcpy(s->first.stem, "0", 2);
	} else if (full || is_cut(size, key->hash)) {
		if (add_cut(s, start, key, err) < 0)
			return -1;
		place->open = 0;
	}
	s->taken += size;
	place->open += size;
	place->rows++;
	s->rows++;
	return 0;
}

/* Rowids rise, or the restored rows could not be told from damage. */
static int take_rowid(struct chunk_segment *s, int64_t *rowid,
		      const struct value *values, struct error *err)
{
	struct chunk_place *place = s->place;

	if (s->table->rowid_column >= 0) {
		const struct value *v = &values[s->rowid_value];

		if (v->class != VALUE_INTEGER && !place->exact)
			return 1;
		if (v->class != VALUE_INTEGER)
			return error_set(err, ERROR_FAILED,
					 "table '%s': row %" PRIu64
					 " has a rowid that is no integer",
					 s->shown.data, place->rows + 1);
		*rowid = v->integer;
	}
	if ((place->exact ? place->rows : s->rows) &&
	    *rowid <= place->last_rowid)
		return error_set(err, ERROR_FAILED,
				 "table '%s' gives rowid %" PRId64
				 " after rowid %" PRId64
				 "; the database is damaged, see what "
				 "'PRAGMA integrity_check' says",
				 s->shown.data, *rowid, place->last_rowid);
	place->last_rowid = *rowid;
	return 0;
}

/* hash_bytes64() of a key, from where it differs from the last one: they
 * ascend, so that is most often near its end. */
static uint64_t hash_key(struct chunk_segment *s, const struct buffer *key,
			 const struct buffer *last)
{
	size_t least = key->size < last->size ? key->size : last->size;
	size_t same = scan_common(key->data, last->data, least);

	if (same < s->hashed || !s->hashed) {
		s->hashed = 0;
		s->hash = HASH_BYTES64;
	}
	s->hash = hash_bytes64_more(s->hash, key->data + s->hashed,
				    same - s->hashed);
	s->hashed = same;
	return hash_mix64(
		hash_bytes64_more(s->hash, key->data + same, key->size - same));
}

/* The key of ORDER_KEY; it stays until the next one. */
static int primary_key(struct chunk_segment *s, struct row_key *key,
		       const struct value *values, struct error *err)
{
	struct buffer *bytes = &s->keys[s->this_key];

	buffer_clear(bytes);
	if (row_key_bytes(bytes, s->shape, values, NULL, 0, err) < 0)
		return -1;
	key->data = bytes->data;
	key->size = bytes->size;
	key->hash = hash_key(s, bytes, &s->keys[!s->this_key]);
	s->this_key = !s->this_key;
	return 0;
}

static int row_key(struct chunk_segment *s, struct row_key *key, size_t start,
		   const struct value *values, struct error *err)
{
	if (s->table->order == ORDER_ROWID) {
		key->hash = hash_mix64((uint64_t)key->rowid);
		return 0;
	}
	if (s->table->order == ORDER_KEY)
		return primary_key(s, key, values, err);
	key->data = s->lines.data + start;
	key->size = s->lines.size - start - 1; /* without the newline */
	key->hash = hash_bytes64(key->data, key->size);
	return 0;
}

int chunk_segment_row(struct chunk_segment *s, int64_t rowid,
		      const struct value *values, struct error *err)
{
	struct row_key key = { .rowid = rowid };
	size_t start = s->lines.size;
	int rc = 0;

	if (s->table->order == ORDER_ROWID)
		rc = take_rowid(s, &key.rowid, values, err);
	if (rc)
		return rc;
	if (row_encode(&s->lines, s->shape, rowid, values, &s->files, err) <
		    0 ||
	    row_key(s, &key, start, values, err) < 0)
		return -1;
	return take_line(s, start, &key, err);
}

int chunk_segment_encode(struct chunk_segment *s, int64_t rowid,
			 const struct value *values, struct buffer *out,
			 struct error *err)
{
	size_t before = out->size;

	if (row_encode(out, s->shape, rowid, values, &s->files, err) < 0)
		return -1;
	s->taken += out->size - before;
	return 0;
}

int chunk_segment_line(struct chunk_segment *s, const char *line, size_t size,
		       const char *key, size_t key_size, struct error *err)
{
	struct row_key k = { .data = key ? key : line,
			     .size = key ? key_size : size - 1 };
	size_t start = s->lines.size;

	if ((s->table->order != ORDER_SORTED &&
	     s->table->order != ORDER_RECORDS) ||
	    !size || line[size - 1] != '\n')
		return error_set(err, ERROR_FAILED,
				 "table '%s' takes rows, not lines",
				 s->shown.data);
	buffer_add(&s->lines, line, size);
	if (buffer_failed(&s->lines))
		return error_nomem(err);
	k.hash = hash_bytes64(k.data, k.size);
	return take_line(s, start, &k, err);
}
