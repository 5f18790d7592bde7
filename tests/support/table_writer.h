/*
 * table_writer.h - a table's rows into a sink, one after another: a segment
 * after the other, each with its place known
 */
#ifndef TESTS_SUPPORT_TABLE_WRITER_H
#define TESTS_SUPPORT_TABLE_WRITER_H

#include <stdlib.h>

#include "snapshot/chunks.h"

struct table_writer {
	struct chunk_writer *writer;
	struct chunk_segment *segment;
	struct chunk_place place;
	size_t step; /* lines of so many bytes are a segment */
};

static inline void table_writer_free(struct table_writer *w)
{
	if (!w)
		return;
	chunk_segment_free(w->segment);
	chunk_writer_free(w->writer);
	free(w);
}

static inline int table_writer_new(struct table_writer **out,
				   const struct table *t, struct sink *s,
				   struct error *err)
{
	struct table_writer *w = calloc(1, sizeof(*w));

	w->step = 1 << 20;
	w->place.exact = 1;
	*out = w;
	if (chunk_writer_new(&w->writer, t, s, err) < 0 ||
	    chunk_segment_new(&w->segment, s, err) < 0)
		return -1;
	return chunk_segment_begin(w->segment, t, &w->place, NULL, err);
}

static inline int table_writer_add(struct table_writer *w, size_t step,
				   struct error *err)
{
	if (chunk_segment_bytes(w->segment) < step)
		return 0;
	if (chunk_segment_put(w->segment, err) < 0)
		return -1;
	return chunk_writer_add(w->writer, w->segment, err);
}

static inline int table_writer_row(struct table_writer *w, int64_t rowid,
				   const struct value *values,
				   struct error *err)
{
	if (chunk_segment_row(w->segment, rowid, values, err) < 0)
		return -1;
	return table_writer_add(w, w->step, err);
}

static inline int table_writer_line(struct table_writer *w, const char *line,
				    size_t size, struct error *err)
{
	if (chunk_segment_line(w->segment, line, size, NULL, 0, err) < 0)
		return -1;
	return table_writer_add(w, w->step, err);
}

static inline int table_writer_encode(struct table_writer *w, int64_t rowid,
				      const struct value *values,
				      struct buffer *out, struct error *err)
{
	return chunk_segment_encode(w->segment, rowid, values, out, err);
}

static inline int table_writer_finish(struct table_writer *w, struct table *t,
				      struct object_id *id, struct error *err)
{
	if (table_writer_add(w, 0, err) < 0)
		return -1;
	return chunk_writer_finish(w->writer, t, id, err);
}

#endif /* TESTS_SUPPORT_TABLE_WRITER_H */
