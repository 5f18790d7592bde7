/*
 * chunks_write.c - segments into a table's folder, in order
 *
 * The rows behind a segment's last cut stay in `open` until the next cut comes,
 * in a later segment: then they are a chunk.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks_internal.h"

struct chunk_writer {
	struct sink *sink;
	struct chunk_folders folders;
	struct chunk_parts parts;
	struct buffer open;       /* the open chunk's lines */
	struct chunk_entry first; /* its name */
	struct buffer path;       /* of the table's folder, with a '/' */
	struct hasher *rows_sha;  /* NULL: it is that of `expected` ... */
	const struct table *expected;
	struct object_id expected_folder; /* ... if this comes out */
	uint64_t rows, bytes;
};

int chunk_writer_new(struct chunk_writer **out, const struct table *t,
		     struct sink *s, struct error *err)
{
	struct chunk_writer *w = calloc(1, sizeof(*w));

	*out = NULL;
	if (!w)
		return error_nomem(err);
	w->sink = s;
	w->folders.sink = s;
	w->folders.listed = chunk_is_listed(t);
	buffer_printf(&w->path, CHUNK_ROOT "%s/", t->folder);
	if (buffer_failed(&w->path))
		error_nomem(err);
	else if (!hasher_new(&w->rows_sha, HASH_SHA256, err))
		*out = w;
	if (!*out)
		chunk_writer_free(w);
	return *out ? 0 : -1;
}

void chunk_writer_free(struct chunk_writer *w)
{
	if (!w)
		return;
	chunk_folders_release(&w->folders);
	chunk_parts_release(&w->parts);
	buffer_release(&w->open);
	buffer_release(&w->path);
	hasher_free(w->rows_sha);
	free(w);
}

void chunk_writer_expect(struct chunk_writer *w, const struct table *t,
			 const struct object_id *folder)
{
	hasher_free(w->rows_sha);
	w->rows_sha = NULL;
	w->expected = t;
	w->expected_folder = *folder;
}

/* The segment's chunks, but for the last, which goes on. */
static int add_chunks(struct chunk_writer *w, struct chunk_segment *s,
		      struct error *err)
{
	size_t last = s->cut_count - 1, i;

	if (w->open.size) {
		if (chunk_segment_put_chunk(s, w->open.data, w->open.size,
					    &w->first, err) < 0 ||
		    chunk_folders_add(&w->folders, 0, &w->first, err) < 0)
			return -1;
	}
	for (i = 0; i < last; i++) {
		struct chunk_cut *c = &s->cuts[i];

		if (i >= s->put &&
		    chunk_segment_put_chunk(s, s->lines.data + c[0].at,
					    c[1].at - c[0].at, &c->e, err) < 0)
			return -1;
		if (chunk_folders_add(&w->folders, 0, &c->e, err) < 0)
			return -1;
	}
	w->first = s->cuts[last].e;
	buffer_clear(&w->open);
	buffer_add(&w->open, s->lines.data + s->cuts[last].at,
		   s->lines.size - s->cuts[last].at);
	return buffer_failed(&w->open) ? error_nomem(err) : 0;
}

/* Part files are put by every segment that meets them; they count once. */
static int add_parts(struct chunk_writer *w, const struct chunk_segment *s,
		     struct error *err)
{
	size_t i;
	int rc;

	for (i = 0; i < s->parts.capacity; i++) {
		const struct chunk_part *part = &s->parts.slots[i];

		if (!part->used)
			continue;
		rc = chunk_parts_add(&w->parts, part, err);
		if (rc < 0)
			return -1;
		if (rc > 0)
			w->bytes += part->size;
	}
	return 0;
}

/* Does the segment begin where it thought it would? */
static int is_in_place(const struct chunk_writer *w,
		       const struct chunk_segment *s, size_t head)
{
	if (s->place->exact || !s->rows)
		return 1;
	return w->open.size + head <= CHUNK_MAX_BYTES &&
	       (w->rows || s->first.stem[0]);
}

int chunk_writer_add(struct chunk_writer *w, struct chunk_segment *s,
		     struct error *err)
{
	size_t head = s->cut_count ? s->cuts[0].at : s->lines.size;

	if (!is_in_place(w, s, head))
		return 1;
	if (!w->rows)
		w->first = s->first;
	s->has_turn = 1;
	if (w->rows_sha)
		hasher_add(w->rows_sha, s->lines.data, s->lines.size);
	buffer_add(&w->open, s->lines.data, head);
	if (buffer_failed(&w->open))
		return error_nomem(err);
	if ((s->cut_count && add_chunks(w, s, err) < 0) ||
	    add_parts(w, s, err) < 0)
		return -1;
	if (s->batch && s->sink->batch_store(s->sink, s->batch, err) < 0)
		return -1;
	w->rows += s->rows;
	w->bytes += s->lines.size;
	chunk_segment_clear(s);
	if (!s->place->exact) {
		/* all rows in front are known now, if more are to follow */
		s->place->exact = 1;
		s->place->rows = w->rows;
		s->place->open = w->open.size;
	}
	return 0;
}

/* Put the last chunk. */
static int close_open(struct chunk_writer *w, struct error *err)
{
	buffer_str(&w->path, w->first.stem);
	buffer_str(&w->path, CHUNK_SUFFIX);
	if (w->sink->put(w->sink, OBJECT_BLOB, buffer_cstr(&w->path),
			 w->open.data, w->open.size, &w->first.id, err) < 0)
		return -1;
	return chunk_folders_add(&w->folders, 0, &w->first, err);
}

/* Equal folders hold equal lines, so their SHA-256 is the same. */
static int is_expected(const struct chunk_writer *w, const struct object_id *id)
{
	return w->rows && w->rows == w->expected->rows &&
	       !memcmp(id, &w->expected_folder, sizeof(*id));
}

int chunk_writer_finish(struct chunk_writer *w, struct table *t,
			struct object_id *id, struct error *err)
{
	struct object_id values;

	if (w->rows) {
		if (close_open(w, err) < 0)
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
	if (w->rows_sha)
		hasher_final(w->rows_sha, t->sha256);
	else if (is_expected(w, id))
		memcpy(t->sha256, w->expected->sha256, sizeof(t->sha256));
	else
		return 2;
	return w->rows ? 0 : 1;
}
