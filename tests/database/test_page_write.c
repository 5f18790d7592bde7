/*
 * test_page_write.c - a table that we write is the table that SQLite writes
 */
#include "tests/database/page_twins.h"

#include <math.h>

#include "base/hash.h"

static const int page_sizes[] = { 512, 1024, 4096, 65536 };
#define PAGE_SIZES (sizeof(page_sizes) / sizeof(*page_sizes))

static void rows_of_every_count_come_back(void **state)
{
	struct twins t;

	/* rowids this small take nine bytes: with 31 children a page, these
	 * are the ends of two levels */
	for (int count = 0; count < 2200; count += count < 140    ? 1
						   : count < 1850 ? 97
								  : 1) {
		twins_open(&t, *state, 512, 0, "CREATE TABLE t(c0)");
		for (int i = 0; i < count; i++)
			add_blob(&t, INT64_MIN + i, 200);
		twins_close(&t);
	}
}

static void trees_of_many_levels_come_back(void **state)
{
	struct twins t;
	struct value v = { VALUE_INTEGER, { 0 }, NULL, 0 };

	twins_open(&t, *state, 512, 32, "CREATE TABLE t(c0)");
	for (int i = 0; i < 60000; i++) {
		v.integer = i % 3;
		add(&t, INT64_MIN + i, &v);
	}
	assert_true(t.w.levels[2].count > 0);
	twins_close(&t);
}

static void all_page_sizes_and_reserved_bytes_come_back(void **state)
{
	static const int reserved[] = { 0, 7, 32 };
	struct twins t;

	for (size_t p = 0; p < PAGE_SIZES; p++)
		for (size_t r = 0; r < 3; r++) {
			twins_open(&t, *state, page_sizes[p], reserved[r],
				   "CREATE TABLE t(c0)");
			for (int i = 0; i < 3000; i++)
				add_blob(&t, i * 3, (size_t)i % 300);
			twins_close(&t);
		}
}

/* Every size up to some pages; in big pages those around where something
 * changes: what fits, and what fills the last overflow page. */
static void payloads_of_every_size_come_back(void **state)
{
	struct twins t;

	for (size_t p = 0; p < PAGE_SIZES; p++) {
		size_t size = (size_t)page_sizes[p], i;
		size_t least = (size - 12) * 32 / 255 - 23;

		twins_open(&t, *state, (int)size, 0, "CREATE TABLE t(c0)");
		for (i = 0; i < 3 * size && size <= 1024; i++)
			add_blob(&t, (int64_t)i, i);
		for (i = 0; i < 60 && size > 1024; i++) {
			add_blob(&t, 10 * (int64_t)i, size - 60 + i);
			add_blob(&t, 10 * (int64_t)i + 1,
				 least + size - 30 + i);
			add_blob(&t, 10 * (int64_t)i + 2,
				 least + 2 * size - 30 + i);
			add_blob(&t, 10 * (int64_t)i + 3, least - 30 + i);
		}
		twins_close(&t);
	}
}

static void a_blob_of_many_pages_comes_back(void **state)
{
	struct twins t;

	for (size_t p = 0; p < PAGE_SIZES; p++) {
		twins_open(&t, *state, page_sizes[p], 0, "CREATE TABLE t(c0)");
		add_blob(&t, 1, 10);
		add_blob(&t, 2, (size_t)5 << 20);
		add_blob(&t, 3, ((size_t)5 << 20) - 1);
		add_blob(&t, 4, 10);
		twins_close(&t);
	}
}

static void rowids_at_the_extremes_come_back(void **state)
{
	static const int64_t rowids[] = { INT64_MIN,
					  INT64_MIN + 1,
					  -(INT64_C(1) << 56),
					  -129,
					  -128,
					  -2,
					  -1,
					  0,
					  1,
					  127,
					  128,
					  16383,
					  16384,
					  2097151,
					  2097152,
					  268435455,
					  268435456,
					  INT64_C(34359738367),
					  INT64_C(34359738368),
					  INT64_C(4398046511103),
					  INT64_C(4398046511104),
					  INT64_C(562949953421311),
					  INT64_C(562949953421312),
					  INT64_C(72057594037927935),
					  INT64_C(72057594037927936),
					  INT64_MAX - 1,
					  INT64_MAX };
	struct twins t;

	for (size_t size = 0; size < 400; size += 390) {
		twins_open(&t, *state, 512, 0, "CREATE TABLE t(c0)");
		for (size_t i = 0; i < sizeof(rowids) / sizeof(*rowids); i++)
			add_blob(&t, rowids[i], size);
		twins_close(&t);
	}
}

static void values_are_as_short_as_sqlite_makes_them(void **state)
{
	struct value v[3] = { { VALUE_INTEGER, { 0 }, NULL, 0 },
			      { VALUE_REAL, { 0 }, NULL, 0 },
			      { VALUE_REAL, { 0 }, NULL, 0 } };
	static const double reals[] = { 0.5,
					-0.0,
					INFINITY,
					-INFINITY,
					1e300,
					5e-324,
					9223372036854774784.0,
					-9223372036854775808.0,
					1e19 };
	struct twins t;
	int64_t rowid = 0;

	twins_open(&t, *state, 4096, 0, "CREATE TABLE t(c0, c1, c2 REAL)");
	for (int bits = 0; bits < 64; bits++)
		for (int off = -2; off <= 2; off++)
			for (int sign = -1; sign <= 1; sign += 2) {
				uint64_t n = (UINT64_C(1) << bits) +
					     (uint64_t)(int64_t)off;

				v[0].integer = (int64_t)(sign < 0 ? 0 - n : n);
				v[1].real = (double)v[0].integer;
				v[2].real = v[1].real;
				add(&t, rowid++, v);
			}
	for (size_t i = 0; i < sizeof(reals) / sizeof(*reals); i++) {
		v[1].real = reals[i];
		/* that one is refused before (sqlite_load.c) */
		v[2].real = reals[i] == 0 ? 1 : reals[i];
		add(&t, rowid++, v);
	}
	twins_close(&t);
}

static void empty_texts_and_bytes_of_any_kind_come_back(void **state)
{
	struct value v[3] = { { VALUE_TEXT, { 0 }, NULL, 0 },
			      { VALUE_BLOB, { 0 }, NULL, 0 },
			      { VALUE_NULL, { 0 }, NULL, 0 } };
	struct twins t;

	twins_open(&t, *state, 512, 0, "CREATE TABLE t(c0 TEXT, c1, c2)");
	add(&t, 1, v);
	v[0].data = "a\0\xff\xfe";
	v[0].size = 4;
	v[1].data = "\0";
	v[1].size = 1;
	add(&t, 2, v);
	v[0].class = v[1].class = VALUE_NULL;
	add(&t, 3, v);
	twins_close(&t);
}

static void an_integer_primary_key_is_no_value(void **state)
{
	struct value v[3] = { { VALUE_TEXT, { 0 }, "x", 1 },
			      { VALUE_INTEGER, { 0 }, NULL, 0 },
			      { VALUE_INTEGER, { 5 }, NULL, 0 } };
	struct twins t;

	twins_open(&t, *state, 512, 0,
		   "CREATE TABLE t(c0, c1 INTEGER PRIMARY KEY, c2)");
	for (int i = -300; i < 300; i++) {
		v[1].integer = i;
		add(&t, i, v);
	}
	twins_close(&t);
}

static void two_thousand_columns_come_back(void **state)
{
	static struct value v[COLUMNS_MAX];
	struct buffer text = BUFFER_INIT;
	static const char bytes[200];
	struct twins t;
	int i;

	buffer_str(&text, "CREATE TABLE t(c0");
	for (i = 1; i < COLUMNS_MAX; i++)
		buffer_printf(&text, ",c%d", i);
	buffer_str(&text, ")");
	for (size_t p = 0; p < PAGE_SIZES; p++) {
		twins_open(&t, *state, page_sizes[p], 0, buffer_cstr(&text));
		/* headers of all sizes: some columns have types of two bytes */
		for (int row = 0; row < 8; row++) {
			for (i = 0; i < COLUMNS_MAX; i++) {
				v[i].class = i % 7 < row ? VALUE_TEXT
							 : VALUE_INTEGER;
				v[i].data = bytes;
				v[i].size = i % 7 < row ? (size_t)i % 200 : 0;
				v[i].integer = i;
			}
			add(&t, row, v);
		}
		twins_close(&t);
	}
	buffer_release(&text);
}

/* The header's size is a varint that counts itself. */
static void headers_around_a_longer_size_come_back(void **state)
{
	struct value v[COLUMNS_MAX];
	struct buffer text = BUFFER_INIT;
	struct twins t;
	int columns;

	memset(v, 0, sizeof(v));
	for (columns = 120; columns < 132; columns++) {
		buffer_clear(&text);
		buffer_str(&text, "CREATE TABLE t(c0");
		for (int i = 1; i < columns; i++)
			buffer_printf(&text, ",c%d", i);
		buffer_str(&text, ")");
		twins_open(&t, *state, 4096, 0, buffer_cstr(&text));
		add(&t, 1, v);
		twins_close(&t);
	}
	buffer_release(&text);
}

/* ---- drawn from a seed ---- */

static uint64_t draw(uint64_t *seed, uint64_t below)
{
	*seed += UINT64_C(0x9e3779b97f4a7c15);
	return hash_mix64(*seed) % below;
}

/* Any value that a column of the affinity leaves as it is. */
static void draw_value(uint64_t *seed, enum affinity a, struct value *v,
		       const char *bytes)
{
	static const enum value_class classes[][5] = {
		{ VALUE_NULL, VALUE_INTEGER, VALUE_REAL, VALUE_TEXT,
		  VALUE_BLOB },
		{ VALUE_NULL, VALUE_TEXT, VALUE_TEXT, VALUE_TEXT, VALUE_BLOB },
		{ VALUE_NULL, VALUE_INTEGER, VALUE_INTEGER, VALUE_TEXT,
		  VALUE_BLOB },
		{ VALUE_NULL, VALUE_INTEGER, VALUE_INTEGER, VALUE_TEXT,
		  VALUE_BLOB },
		{ VALUE_NULL, VALUE_REAL, VALUE_REAL, VALUE_TEXT, VALUE_BLOB },
	};

	v->class = classes[a][draw(seed, 5)];
	v->data = NULL;
	v->size = 0;
	if (v->class == VALUE_INTEGER || v->class == VALUE_REAL) {
		v->integer = (int64_t)draw(seed, UINT64_MAX) >> draw(seed, 64);
		if (v->class == VALUE_REAL)
			v->real = (double)v->integer *
				  (draw(seed, 2) ? 1 : 0.001);
	} else if (v->class != VALUE_NULL) {
		v->size = (size_t)draw(seed, draw(seed, 20) ? 60 : 3000);
		v->data = bytes + draw(seed, 1000);
	}
}

static void draw_table(uint64_t *seed, struct buffer *create)
{
	static const char *const types[] = { "", "TEXT", "NUMERIC", "INT",
					     "REAL" };
	size_t columns = 1 + draw(seed, 6), key = draw(seed, 2 * columns), i;

	buffer_clear(create);
	for (i = 0; i < columns; i++)
		buffer_printf(create, "%s c%zu %s", i ? "," : "CREATE TABLE t(",
			      i,
			      i == key ? "INTEGER PRIMARY KEY"
				       : types[draw(seed, 5)]);
	buffer_str(create, ")");
}

static void tables_drawn_from_a_seed_come_back(void **state)
{
	struct buffer create = BUFFER_INIT;
	struct value v[6];
	char bytes[4001];
	struct twins t;
	uint64_t seed = 1;
	int64_t rowid;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + draw(&seed, 26));
	for (int round = 0; round < 150; round++) {
		draw_table(&seed, &create);
		twins_open(&t, *state, page_sizes[draw(&seed, PAGE_SIZES)],
			   draw(&seed, 4) ? 0 : (int)draw(&seed, 33),
			   buffer_cstr(&create));
		rowid = (int64_t)draw(&seed, 1 << 20) - (1 << 19);
		for (uint64_t n = draw(&seed, 700); n; n--) {
			rowid += 1 + (int64_t)(draw(&seed, 30)
						       ? 0
						       : draw(&seed, 1 << 30));
			for (size_t i = 0; i < t.columns; i++)
				draw_value(&seed, t.affinities[i], &v[i],
					   bytes);
			if (t.rowid_value >= 0) {
				v[t.rowid_value].class = VALUE_INTEGER;
				v[t.rowid_value].integer = rowid;
			}
			add(&t, rowid, v);
		}
		twins_close(&t);
	}
	buffer_release(&create);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(rows_of_every_count_come_back),
		fixture_test(trees_of_many_levels_come_back),
		fixture_test(all_page_sizes_and_reserved_bytes_come_back),
		fixture_test(payloads_of_every_size_come_back),
		fixture_test(a_blob_of_many_pages_comes_back),
		fixture_test(rowids_at_the_extremes_come_back),
		fixture_test(values_are_as_short_as_sqlite_makes_them),
		fixture_test(empty_texts_and_bytes_of_any_kind_come_back),
		fixture_test(an_integer_primary_key_is_no_value),
		fixture_test(two_thousand_columns_come_back),
		fixture_test(headers_around_a_longer_size_come_back),
		fixture_test(tables_drawn_from_a_seed_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
