/*
 * chunks_fixture.h - a table's rows in files for the tests of chunks
 */
#ifndef TESTS_SNAPSHOT_CHUNKS_FIXTURE_H
#define TESTS_SNAPSHOT_CHUNKS_FIXTURE_H

#include "tests/snapshot/files.h"

#include <inttypes.h>

#include "base/hash.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"
#include "snapshot/row.h"
#include "snapshot/value.h"
#include "tests/support/table_writer.h"

/* A table with the columns id and text, its rows in files, and a reader. */
struct world {
	struct catalog *catalog;
	struct table *t;
	struct keep *keep;
	struct table_writer *writer;
	struct files *files;
	struct chunk_reader *reader;
	struct error err;
	struct value values[2];
	struct object_id id;
};

static inline int setup(void **state)
{
	static const char *const names[] = { "id", "text" };
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->catalog = catalog_new();
	w->t = catalog_add_table(w->catalog);
	w->t->name = strdup("users");
	w->t->folder = strdup("users");
	for (size_t i = 0; i < 2; i++)
		table_add_column(w->t)->name = strdup(names[i]);
	w->t->columns[0].key = 1;
	w->t->order = ORDER_ROWID;
	w->t->rowid_key = strdup("id");
	w->t->rowid_column = 0;
	w->keep = keep_new();
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	table_writer_free(w->writer);
	chunk_reader_free(w->reader);
	if (w->files)
		source_free(&w->files->source);
	keep_free(w->keep);
	catalog_free(w->catalog);
	free(w);
	return 0;
}

static inline void begin(struct world *w)
{
	table_writer_free(w->writer);
	assert_int_equal(
		table_writer_new(&w->writer, w->t, &w->keep->sink, &w->err), 0);
}

static inline int add(struct world *w, int64_t id, const char *text,
		      size_t size)
{
	struct value values[2] = {
		{ .class = VALUE_INTEGER, .integer = id },
		{ .class = VALUE_TEXT, .data = text, .size = size }
	};

	if (!w->writer)
		begin(w);
	return table_writer_row(w->writer, id, values, &w->err);
}

static inline void add_text(struct world *w, int64_t id, const char *text)
{
	assert_int_equal(add(w, id, text, strlen(text)), 0);
}

/* Finish the table and unfold it into w->files. */
static inline void finish(struct world *w)
{
	if (!w->writer)
		begin(w);
	assert_int_equal(table_writer_finish(w->writer, w->t, &w->id, &w->err),
			 0);
	if (w->files)
		source_free(&w->files->source);
	w->files = files_new();
	keep_unfold(w->keep, &w->id, "data/tables/users", w->files);
}

/* @return the last result: 0 at the end or -1 */
static inline int read_all(struct world *w, uint64_t *rows)
{
	int64_t rowid;
	int rc;

	*rows = 0;
	chunk_reader_free(w->reader);
	rc = chunk_reader_new(&w->reader, w->t, &w->files->source, &w->err);
	while (!rc) {
		rc = chunk_reader_next(w->reader, &rowid, w->values, &w->err);
		if (rc <= 0)
			return rc;
		++*rows;
		rc = 0;
	}
	return rc;
}

static inline uint64_t hash_row(uint64_t hash, int64_t rowid,
				const struct value *values, size_t count)
{
	hash = hash_bytes64_more(hash, &rowid, sizeof(rowid));
	for (size_t i = 0; i < count; i++) {
		const struct value *v = &values[i];

		hash = hash_bytes64_more(hash, &v->class, sizeof(v->class));
		if (v->class >= VALUE_TEXT)
			hash = hash_bytes64_more(hash, v->data, v->size);
		else if (v->class == VALUE_INTEGER)
			hash = hash_bytes64_more(hash, &v->integer, 8);
	}
	return hash;
}

/* The same, and what the rows are. */
static inline int hash_all(struct world *w, uint64_t *hash)
{
	int64_t rowid;
	int rc;

	*hash = HASH_BYTES64;
	chunk_reader_free(w->reader);
	rc = chunk_reader_new(&w->reader, w->t, &w->files->source, &w->err);
	if (rc < 0)
		return -1;
	while ((rc = chunk_reader_next(w->reader, &rowid, w->values, &w->err)) >
	       0)
		*hash = hash_row(*hash, rowid, w->values, 2);
	return rc;
}

/* Rows of files that were decoded before it was their turn. */
static inline int hash_files(struct world *w, struct chunk_file *f,
			     struct source_reader *by, uint64_t *hash)
{
	const struct value *values;
	int64_t rowid;
	int rc;

	while ((rc = chunk_reader_find(w->reader, f, &w->err)) > 0) {
		chunk_file_prepare(f, by);
		rc = chunk_reader_open(w->reader, f, &w->err);
		while (!rc && (rc = chunk_reader_row(w->reader, f, &rowid,
						     &values, &w->err)) > 0) {
			*hash = hash_row(*hash, rowid, values, 2);
			rc = 0;
		}
		if (rc < 0)
			break;
	}
	return rc < 0 ? -1 : chunk_reader_end(w->reader, &w->err);
}

static inline int hash_ahead(struct world *w, uint64_t *hash)
{
	struct source_reader *by;
	struct chunk_file *f;
	int rc;

	*hash = HASH_BYTES64;
	chunk_reader_free(w->reader);
	w->files->source.reader = files_reader;
	rc = chunk_reader_new(&w->reader, w->t, &w->files->source, &w->err);
	if (rc == 0) {
		assert_int_equal(chunk_file_new(&f, w->t, &w->err), 0);
		by = chunk_reader_reader(w->reader);
		rc = hash_files(w, f, by, hash);
		by->free(by);
		chunk_file_free(f);
	}
	w->files->source.reader = NULL;
	return rc;
}

static inline void assert_sound(struct world *w)
{
	uint64_t rows, one_by_one, ahead;
	size_t tells;
	int64_t rowid;

	if (w->t->order != ORDER_RECORDS) {
		tells = w->files->tells;
		assert_int_equal(hash_all(w, &one_by_one), 0);
		assert_int_equal(w->files->told.size, 0);
		w->files->tells = tells;
		assert_int_equal(hash_ahead(w, &ahead), 0);
		assert_true(ahead == one_by_one);
		/* readers need no hints */
		assert_int_equal(w->files->tells, tells);
	}
	w->files->calls = 0;
	if (read_all(w, &rows) != 0)
		print_error("%s\n", w->err.message);
	assert_int_equal(w->err.code, ERROR_NONE);
	assert_int_equal(rows, w->t->rows);
	/* all that was told was read, in that order */
	assert_int_equal(w->files->told.size, 0);
	/* the end stays the end */
	assert_int_equal(
		chunk_reader_next(w->reader, &rowid, w->values, &w->err), 0);
}

static inline void assert_damage(struct world *w, const char *message)
{
	uint64_t rows;

	error_clear(&w->err);
	assert_int_equal(read_all(w, &rows), -1);
	assert_string_equal(w->err.message, message);
	assert_int_equal(w->err.code, ERROR_DAMAGE);
	error_clear(&w->err);
	if (w->t->order == ORDER_RECORDS)
		return;
	assert_int_equal(hash_ahead(w, &rows), -1);
	assert_string_equal(w->err.message, message);
	assert_int_equal(w->err.code, ERROR_DAMAGE);
}

static inline void assert_file(struct world *w, const char *path,
			       const char *text)
{
	struct file *file = files_find(w->files, path);

	assert_non_null(file);
	assert_string_equal(buffer_cstr(&file->data), text);
}

static inline void order_by(struct world *w, enum table_order order)
{
	w->t->order = order;
	w->t->rowid_column = -1;
	free(w->t->rowid_key);
	w->t->rowid_key = NULL;
}

/* ---- rowids with hashes of our choice ---- */

/* The odd number that undoes a multiplication by `a`. */
static inline uint64_t inverse(uint64_t a)
{
	uint64_t x = a;

	for (int i = 0; i < 6; i++)
		x *= 2 - a * x;
	return x;
}

/* hash_mix64() backwards */
static inline uint64_t unmix(uint64_t h)
{
	h ^= h >> 31 ^ h >> 62;
	h *= inverse(UINT64_C(0x94d049bb133111eb));
	h ^= h >> 27 ^ h >> 54;
	h *= inverse(UINT64_C(0xbf58476d1ce4e5b9));
	return h ^ h >> 30 ^ h >> 60;
}

static inline uint64_t second(uint64_t hash)
{
	return hash_mix64(hash ^ UINT64_C(0x9e3779b97f4a7c15));
}

static inline int compare_rowids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* `count` rowids in order that all begin a chunk; with `mask`, those bits of
 * the second hash are zero. */
static inline int64_t *cutting_rowids(size_t count, uint64_t mask)
{
	int64_t *ids = calloc(count, sizeof(*ids));
	uint64_t hash = 1;

	assert_non_null(ids);
	for (size_t i = 0; i < count; hash++)
		if (!(second(hash) & mask))
			ids[i++] = (int64_t)unmix(hash);
	qsort(ids, count, sizeof(*ids), compare_rowids);
	return ids;
}

/* `count` ids whose lines {"id":N,"text":"x"} begin a chunk each in a table of
 * order 'scan'. */
static inline int64_t *cutting_lines(size_t count)
{
	int64_t *ids = calloc(count, sizeof(*ids)), id = 1;
	char line[64];

	assert_non_null(ids);
	for (size_t i = 0; i < count; id++) {
		size_t size = (size_t)snprintf(
			line, sizeof(line),
			"{\"id\":%" PRId64 ",\"text\":\"x\"}", id);

		if (hash_bytes64(line, size) >> 48 <= size)
			ids[i++] = id;
	}
	return ids;
}

static inline void add_rows(struct world *w, const int64_t *ids, size_t count)
{
	begin(w);
	for (size_t i = 0; i < count; i++)
		add_text(w, ids[i], "x");
	finish(w);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif /* TESTS_SNAPSHOT_CHUNKS_FIXTURE_H */
