/*
 * test_rows_ahead.c - rows read and decoded by several threads
 *
 * All rows of a test differ, and each is looked at when it is its turn: memory
 * that was used again too early would show.
 */
#include "tests/restore/test_restore.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "restore/restore_internal.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"
#include "snapshot/object.h"
#include "tests/support/memory_store.h"
#include "tests/support/table_writer.h"

#define VALUES 7 /* an integer, and six of bytes or NULL */

/* Make value `column` of a row; the bytes are for the caller to free. */
typedef struct value make_value(int64_t rowid, size_t column);

static struct value bytes_value(enum value_class class, size_t size, int64_t n,
				char filler)
{
	struct value v = { .class = class, .size = size };
	char *data = malloc(size + 32);

	assert_non_null(data);
	memset(data, filler, size);
	v.size = size > 20 ? size : 20;
	snprintf(data + v.size - 20, 21, "%020lld", (long long)n);
	v.data = data;
	return v;
}

static struct value number(int64_t n)
{
	struct value v = { .class = VALUE_INTEGER, .integer = n };

	return v;
}

static struct value nothing(void)
{
	struct value v = { .class = VALUE_NULL };

	return v;
}

struct world {
	struct memory_store *store;
	struct catalog *catalog;
	struct table *t;
	struct source *source;
};

static void make_table(struct world *w)
{
	static const char *const names[] = {
		"id", "a", "b", "c", "d", "e", "f"
	};

	w->catalog = catalog_new();
	w->t = catalog_add_table(w->catalog);
	w->t->name = strdup("t");
	w->t->folder = strdup("t");
	for (size_t i = 0; i < VALUES; i++)
		table_add_column(w->t)->name = strdup(names[i]);
	w->t->columns[0].key = 1;
	w->t->order = ORDER_ROWID;
	w->t->rowid_key = strdup("id");
	w->t->rowid_column = 0;
}

static void put_folder(struct world *w, const char *name, struct object_id *id)
{
	struct tree tree = { 0 };
	struct error err = ERROR_INIT;

	assert_int_equal(tree_add(&tree, name, 1, id, &err), 0);
	assert_int_equal(tree_put(&tree, memory_store_sink(w->store), id, &err),
			 0);
}

/* A table of so many rows in a snapshot. */
static void world_open(struct world *w, make_value *make, int64_t rows)
{
	struct error err = ERROR_INIT;
	struct table_writer *writer = NULL;
	struct value values[VALUES];
	struct object_id id;

	w->store = memory_store_new();
	make_table(w);
	assert_int_equal(table_writer_new(&writer, w->t,
					  memory_store_sink(w->store), &err),
			 0);
	for (int64_t rowid = 1; rowid <= rows; rowid++) {
		values[0] = number(rowid);
		for (size_t i = 1; i < VALUES; i++)
			values[i] = make(rowid, i);
		if (table_writer_row(writer, rowid, values, &err) < 0)
			fail_msg("%s", err.message);
		for (size_t i = 1; i < VALUES; i++)
			free((char *)(uintptr_t)values[i].data);
	}
	assert_int_equal(table_writer_finish(writer, w->t, &id, &err), 0);
	table_writer_free(writer);
	put_folder(w, "t", &id);
	put_folder(w, "tables", &id);
	put_folder(w, "data", &id);
	w->source = memory_store_source(w->store, &id);
}

static void world_close(struct world *w)
{
	source_free(w->source);
	catalog_free(w->catalog);
	memory_store_free(w->store);
}

static void is_row(const struct value *values, int64_t rowid, make_value *make)
{
	assert_true(values[0].integer == rowid);
	for (size_t i = 1; i < VALUES; i++) {
		struct value v = make(rowid, i);

		if (values[i].class != v.class || values[i].size != v.size ||
		    (v.size && memcmp(values[i].data, v.data, v.size) != 0))
			fail_msg("row %lld, value %zu", (long long)rowid, i);
		free((char *)(uintptr_t)v.data);
	}
}

/* Take all rows, or `most` of them. @return the last result */
static int take_with(struct world *w, unsigned int jobs, make_value *make,
		     int64_t most, struct error *err)
{
	struct chunk_reader *reader = NULL;
	struct rows_ahead *ahead = NULL;
	const struct value *values;
	int64_t rowid, taken = 0;
	int rc;

	assert_int_equal(chunk_reader_new(&reader, w->t, w->source, err), 0);
	assert_int_equal(rows_ahead_new(&ahead, reader, w->t, jobs, err), 0);
	while ((rc = rows_ahead_next(ahead, &rowid, &values, err)) > 0) {
		assert_true(rowid == ++taken);
		is_row(values, rowid, make);
		if (taken == most)
			break;
	}
	if (!rc) {
		assert_true((uint64_t)taken == w->t->rows);
		/* the end stays the end */
		assert_int_equal(rows_ahead_next(ahead, &rowid, &values, err),
				 0);
	}
	rows_ahead_free(ahead);
	chunk_reader_free(reader);
	return rc;
}

static int take(struct world *w, make_value *make, int64_t most,
		struct error *err)
{
	return take_with(w, 3, make, most, err);
}

static void all_come_back(make_value *make, int64_t rows)
{
	static const unsigned int jobs[] = { 0, 1, 2, 3, 40 };
	struct error err = ERROR_INIT;
	struct world w;

	world_open(&w, make, rows);
	for (size_t i = 0; i < sizeof(jobs) / sizeof(*jobs); i++)
		if (take_with(&w, jobs[i], make, -1, &err) != 0)
			fail_msg("%u: %s", jobs[i], err.message);
	world_close(&w);
}

/* ---- tests ---- */

static struct value plain(int64_t rowid, size_t column)
{
	return bytes_value(VALUE_TEXT, (size_t)(rowid % 90) * column, rowid,
			   'x');
}

static void rows_of_many_files_come_in_order(void **state)
{
	(void)state;
	all_come_back(plain, 20000);
}

static void few_rows_come_without_a_thread(void **state)
{
	(void)state;
	all_come_back(plain, 4095);
	all_come_back(plain, 1);
}

static struct value one_short(int64_t rowid, size_t column)
{
	return column == 3 ? bytes_value(VALUE_TEXT, 20, rowid, 'x')
			   : nothing();
}

static void files_of_many_short_rows_come_in_order(void **state)
{
	(void)state;
	all_come_back(one_short, 30000);
}

/* Of one row values lie in the line, and beside it. */
static struct value mixed(int64_t rowid, size_t column)
{
	size_t size = (size_t)(rowid * 7 % 400);

	if (column == 1)
		return bytes_value(VALUE_TEXT, size, rowid, '"');
	if (column == 2 || rowid % 3)
		return bytes_value(VALUE_TEXT, size, rowid, 'x');
	return bytes_value(VALUE_BLOB, size, rowid, '\1');
}

static void values_with_escapes_and_bytes_come_back(void **state)
{
	(void)state;
	all_come_back(mixed, 9000);
}

/* What lies beside the lines: at times more than a batch holds, in sum and in
 * one row.  Files over 1 MiB.  Values in part files; the last but for its size,
 * as 4 MiB stand in the line. */
static struct value big(int64_t rowid, size_t column)
{
	size_t size = 40;
	char filler = column < 3 ? '\\' : 'x';

	if (rowid % 1000 > 990)
		size = (size_t)90 << 10;
	if (rowid % 2000 == 500)
		size = column == 1 ? (size_t)530 << 10 : 40;
	if (rowid % 2000 == 700)
		size = column > 3 ? (size_t)1000 << 10 : 40;
	if (rowid % 2000 == 900)
		size = column == 3 ? (size_t)1100 << 10 : 40;
	if (rowid == 1500)
		size = column < 5    ? (size_t)1000 << 10
		       : column == 5 ? ((size_t)96 << 10) - 1
				     : 40;
	if (rowid == 1500 || rowid % 2000 == 900)
		filler = 'x';
	return bytes_value(VALUE_TEXT, size, rowid, filler);
}

static void big_values_come_back(void **state)
{
	(void)state;
	all_come_back(big, 5000);
}

static void the_thread_ends_when_nobody_takes_more(void **state)
{
	struct error err = ERROR_INIT;
	struct world w;

	(void)state;
	world_open(&w, big, 5000);
	assert_int_equal(take(&w, big, 1, &err), 1);
	assert_int_equal(take(&w, big, 500, &err), 1);
	assert_int_equal(take(&w, big, 4000, &err), 1);
	world_close(&w);
}

static void rows_in_front_of_damage_are_given(void **state)
{
	struct error err = ERROR_INIT;
	struct world w;

	(void)state;
	world_open(&w, mixed, 5000);
	w.t->rows = 4500;
	assert_int_equal(take(&w, mixed, 4500, &err), 1);
	assert_int_equal(take(&w, mixed, -1, &err), -1);
	assert_int_equal(err.code, ERROR_DAMAGE);
	assert_non_null(strstr(err.message, "more rows than the 4500 that the "
					    "manifest names"));
	error_clear(&err);
	w.t->rows = 5000;
	w.t->sha256[0] ^= 1;
	assert_int_equal(take(&w, mixed, -1, &err), -1);
	assert_string_equal(err.message,
			    "table 't': its rows do not have the SHA-256 that "
			    "the manifest names");
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_many_files_come_in_order),
		cmocka_unit_test(few_rows_come_without_a_thread),
		cmocka_unit_test(files_of_many_short_rows_come_in_order),
		cmocka_unit_test(values_with_escapes_and_bytes_come_back),
		cmocka_unit_test(big_values_come_back),
		cmocka_unit_test(the_thread_ends_when_nobody_takes_more),
		cmocka_unit_test(rows_in_front_of_damage_are_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
