/*
 * row_fixture.h - tables and part files for the tests of the row codec
 */
#ifndef TESTS_SNAPSHOT_ROW_FIXTURE_H
#define TESTS_SNAPSHOT_ROW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/row.h"

#define COLUMNS_MAX 16
#define FILES_MAX   16

/* A table whose rowid is a key of its own, with columns a, b and c, unless
 * a test says otherwise. */
struct fixture {
	struct column columns[COLUMNS_MAX];
	struct table table;
	struct row_shape *shape;
	struct buffer line;
	struct error err;

	/* part files in memory */
	struct row_files files;
	struct stored {
		unsigned char sha256[32];
		char *data;
		size_t size;
	} stored[FILES_MAX];
	size_t stored_count;
	int fails;    /* store and load fail */
	int short_by; /* load gives so many bytes less */
	int differs;  /* load gives another first byte */
};

static inline int fixture_store(struct row_files *files, const struct value *v,
				const unsigned char sha256[32],
				struct error *err)
{
	struct fixture *f =
		(struct fixture *)(void *)((char *)files -
					   offsetof(struct fixture, files));
	struct stored *s = &f->stored[f->stored_count++];

	if (f->fails)
		return error_set(err, ERROR_NOSPACE, "no room for the parts");
	assert_true(f->stored_count <= FILES_MAX);
	memcpy(s->sha256, sha256, 32);
	s->data = malloc(v->size + 1);
	assert_non_null(s->data);
	memcpy(s->data, v->data, v->size);
	s->size = v->size;
	return 0;
}

static inline int fixture_load(struct row_files *files,
			       const unsigned char sha256[32], size_t size,
			       struct buffer *out, struct error *err)
{
	struct fixture *f =
		(struct fixture *)(void *)((char *)files -
					   offsetof(struct fixture, files));
	size_t i, at = out->size;

	for (i = 0; i < f->stored_count && !f->fails; i++) {
		if (memcmp(f->stored[i].sha256, sha256, 32) != 0)
			continue;
		assert_int_equal(f->stored[i].size, size);
		buffer_add(out, f->stored[i].data, size - (size_t)f->short_by);
		if (f->differs)
			out->data[at] ^= 1;
		return 0;
	}
	return error_set(err, ERROR_DAMAGE, "a part file is missing");
}

static inline void fixture_init(struct fixture *f)
{
	static char names[COLUMNS_MAX][2] = { "a", "b", "c", "d",
					      "e", "f", "g", "h" };
	static char folder[] = "t", rowid[] = "rowid";
	int i;

	memset(f, 0, sizeof(*f));
	for (i = 0; i < 8; i++)
		f->columns[i].name = names[i];
	f->table.name = folder;
	f->table.folder = folder;
	f->table.columns = f->columns;
	f->table.column_count = 3;
	f->table.order = ORDER_ROWID;
	f->table.rowid_key = rowid;
	f->table.rowid_column = -1;
	f->files.store = fixture_store;
	f->files.load = fixture_load;
}

/* After the table was changed, if it was. */
static inline void fixture_open(struct fixture *f)
{
	if (row_shape_new(&f->shape, &f->table, &f->err) < 0)
		fail_msg("%s", f->err.message);
}

static inline void fixture_release(struct fixture *f)
{
	size_t i;

	row_shape_free(f->shape);
	buffer_release(&f->line);
	for (i = 0; i < f->stored_count; i++)
		free(f->stored[i].data);
}

static inline struct value null_value(void)
{
	struct value v = { .class = VALUE_NULL, .integer = 0 };

	return v;
}

static inline struct value integer_value(int64_t x)
{
	struct value v = { .class = VALUE_INTEGER, .integer = x };

	return v;
}

static inline struct value real_value(double x)
{
	struct value v = { .class = VALUE_REAL, .real = x };

	return v;
}

static inline struct value bytes_value(enum value_class class, const char *data,
				       size_t size)
{
	struct value v = { .class = class, .data = data, .size = size };

	return v;
}

static inline struct value text_value(const char *text)
{
	return bytes_value(VALUE_TEXT, text, strlen(text));
}

static inline void assert_same_value(const struct value *a,
				     const struct value *b)
{
	assert_int_equal(a->class, b->class);
	if (a->class == VALUE_INTEGER)
		assert_true(a->integer == b->integer);
	if (a->class == VALUE_REAL)
		assert_memory_equal(&a->real, &b->real, sizeof(a->real));
	if (a->class < VALUE_TEXT)
		return;
	assert_int_equal(a->size, b->size);
	if (a->size && memcmp(a->data, b->data, a->size) != 0)
		fail_msg("%zu bytes differ", a->size);
}

static inline void line_is(struct fixture *f, const char *expected)
{
	assert_non_null(buffer_cstr(&f->line));
	assert_string_equal(f->line.data, expected);
}

static inline void encode(struct fixture *f, int64_t rowid,
			  const struct value *values)
{
	buffer_clear(&f->line);
	if (row_encode(&f->line, f->shape, rowid, values, NULL, &f->err) < 0)
		fail_msg("%s", f->err.message);
}

/* Decode the fixture's line and compare. */
static inline void decodes_to(struct fixture *f, int64_t rowid,
			      const struct value *values)
{
	struct value found[COLUMNS_MAX];
	int64_t found_rowid;
	size_t i;

	if (row_decode(f->shape, f->line.data, f->line.size, &found_rowid,
		       found, &f->files, &f->err) < 0)
		fail_msg("%s: %s", f->err.message, buffer_cstr(&f->line));
	assert_true(found_rowid == rowid);
	for (i = 0; i < row_shape_values(f->shape); i++)
		assert_same_value(&found[i], &values[i]);
}

#endif /* TESTS_SNAPSHOT_ROW_FIXTURE_H */
