/*
 * chunks_file.c - a file of rows, read and decoded by any thread
 *
 * What is found wrong is no error here: decoding ahead ends in front of it, and
 * the reader (chunks_read.c), which does all in order, comes to it and says so.
 * So it does with values in part files and with what would take much memory.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks_internal.h"

/* A bigger file is not read ahead; mostly they have 64 KiB. */
#define AHEAD_BYTES_MAX ((size_t)1 << 20)

/* Values that are decoded ahead */
#define AHEAD_VALUES_MAX ((size_t)1 << 16)

/* More memory is not kept for further files. */
#define KEPT_BYTES ((size_t)256 << 10)

int chunk_file_new(struct chunk_file **out, const struct table *t,
		   struct error *err)
{
	struct chunk_file *f = calloc(1, sizeof(*f));

	*out = NULL;
	if (!f)
		return error_nomem(err);
	f->table = t;
	if (row_shape_new(&f->shape, t, err) < 0) {
		free(f);
		return -1;
	}
	f->values_a_row = row_shape_values(f->shape);
	f->row = calloc(f->values_a_row + 1, sizeof(*f->row));
	if (!f->row) {
		chunk_file_free(f);
		return error_nomem(err);
	}
	*out = f;
	return 0;
}

void chunk_file_free(struct chunk_file *f)
{
	if (!f)
		return;
	row_shape_free(f->shape);
	buffer_release(&f->path);
	buffer_release(&f->bytes);
	buffer_release(&f->apart);
	free(f->rowids);
	free(f->values);
	free(f->row);
	free(f);
}

int chunk_file_line(struct chunk_file *f)
{
	const char *newline;

	if (f->at == f->bytes.size)
		return 0;
	f->line = f->at;
	newline = memchr(f->bytes.data + f->at, '\n', f->bytes.size - f->at);
	f->line_size = (size_t)(newline - f->bytes.data) - f->at;
	f->at += f->line_size + 1;
	f->line_number++;
	return 1;
}

/* ---- ahead ---- */

static int no_values_here(struct row_files *files,
			  const unsigned char sha256[32], size_t size,
			  struct buffer *out, struct error *err)
{
	(void)files;
	(void)sha256;
	(void)size;
	(void)out;
	return error_set(err, ERROR_FAILED, "not ahead");
}

static int grow(struct chunk_file *f)
{
	size_t capacity = f->capacity ? 2 * f->capacity : 16;
	struct value *values;
	int64_t *rowids;

	if (f->row_count < f->capacity)
		return 0;
	if (capacity * (f->values_a_row + 1) > AHEAD_VALUES_MAX)
		return -1;
	rowids = reallocarray(f->rowids, capacity, sizeof(*rowids));
	if (rowids)
		f->rowids = rowids;
	values = reallocarray(f->values, capacity * (f->values_a_row + 1),
			      sizeof(*values));
	if (values)
		f->values = values;
	if (!rowids || !values)
		return -1;
	f->capacity = capacity;
	return 0;
}

/* The shape lends them until the next row: copy what lies at `from`, and let
 * the row's values point there. */
static void keep_apart(struct chunk_file *f, struct value *v, const char *from,
		       size_t size)
{
	struct value *end = v + f->values_a_row;
	char *to = f->apart.data + f->apart.size;

	memcpy(to, from, size);
	f->apart.size += size;
	for (; v < end; v++)
		if (v->class >= VALUE_TEXT && v->size &&
		    (uintptr_t)v->data - (uintptr_t)from < size)
			v->data = to + (v->data - from);
}

/* @return 1: one more row is decoded */
static int decode_next(struct chunk_file *f)
{
	struct value *values;
	struct error quiet;
	const char *data;
	size_t apart;

	error_clear(&quiet); /* ERROR_INIT would zero 2 KiB for each line */
	if (grow(f) < 0 || !chunk_file_line(f))
		return 0;
	values = f->values + f->row_count * f->values_a_row;
	/* behind a CR or not, a JSON text is the same */
	if (f->line_size > ROW_LINE_MAX ||
	    (f->line_size && f->bytes.data[f->at - 2] == '\r') ||
	    row_decode(f->shape, f->bytes.data + f->line, f->line_size,
		       &f->rowids[f->row_count], values, &f->files, &quiet) < 0)
		return 0;
	apart = row_shape_apart(f->shape, &data);
	/* what stands in a line takes no more than the line */
	if (apart && (!data || apart > f->apart.capacity - f->apart.size))
		return 0;
	if (apart)
		keep_apart(f, values, data, apart);
	f->row_count++;
	return 1;
}

void chunk_file_forget(struct chunk_file *f)
{
	if (f->bytes.capacity > KEPT_BYTES)
		buffer_release(&f->bytes);
	if (f->apart.capacity > KEPT_BYTES)
		buffer_release(&f->apart);
	buffer_clear(&f->bytes);
	buffer_clear(&f->apart);
	f->line = f->line_size = f->at = 0;
	f->line_number = 0;
	f->row_count = f->next_row = 0;
	f->reader = NULL;
}

void chunk_file_prepare(struct chunk_file *f, struct source_reader *by)
{
	size_t at;

	f->files.load = no_values_here;
	if (!by || by->read(by, f->path.data, f->known ? &f->id : NULL,
			    AHEAD_BYTES_MAX, &f->bytes) != 0) {
		chunk_file_forget(f);
		return;
	}
	/* the reader says what is wrong with it */
	if (!f->bytes.size || f->bytes.data[f->bytes.size - 1] != '\n' ||
	    buffer_reserve(&f->apart, f->bytes.size) < 0)
		return;
	do
		at = f->at;
	while (decode_next(f));
	/* who takes the rows goes on there, and counts lines */
	f->at = at;
	f->line_number = 0;
}
