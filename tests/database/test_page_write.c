/*
 * test_page_write.c - a table that we write is the table that SQLite writes
 *
 * Rows are written into one file and inserted into another: the cells must be
 * the same byte for byte, and SQLite must find nothing wrong.
 */
#include "tests/database/fixture.h"

#include <math.h>

#include "base/hash.h"
#include "database/sqlite_page_write.h"
#include "database/sqlite_pages.h"

#define COLUMNS_MAX 2000

struct twins {
	struct fixture *f;
	sqlite3 *ours, *theirs;
	sqlite3_stmt *insert;
	struct table_writer w;
	struct record_writer r;
	enum affinity affinities[COLUMNS_MAX];
	size_t columns;
	int rowid_value;
	int64_t rows;
};

static sqlite3 *make_file(const char *path, int page_size, int reserved,
			  const char *create)
{
	sqlite3 *sql;
	char text[100];

	unlink(path);
	sql = app_open(path);
	snprintf(text, sizeof(text),
		 "PRAGMA page_size = %d; PRAGMA synchronous = OFF;"
		 "PRAGMA journal_mode = OFF",
		 page_size);
	app_run(sql, text);
	assert_int_equal(sqlite3_file_control(sql, "main",
					      SQLITE_FCNTL_RESERVE_BYTES,
					      &reserved),
			 SQLITE_OK);
	app_run(sql, create);
	return sql;
}

static uint32_t root_of(sqlite3 *sql, const char *table)
{
	int64_t root = 0;
	char text[100];

	snprintf(text, sizeof(text),
		 "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", table);
	assert_int_equal(sql_integer(sql, text, &root, NULL), 0);
	return (uint32_t)root;
}

/* INSERT INTO t(c0, ..., rowid) VALUES(?, ..., ?) */
static sqlite3_stmt *prepare_insert(sqlite3 *sql, size_t columns, int own_rowid)
{
	struct buffer text = BUFFER_INIT, places = BUFFER_INIT;
	sqlite3_stmt *st;

	for (size_t i = 0; i < columns; i++) {
		buffer_printf(&text, "%sc%zu", i ? "," : "INSERT INTO t(", i);
		buffer_str(&places, i ? ",?" : "?");
	}
	if (own_rowid) {
		buffer_str(&text, ",rowid");
		buffer_str(&places, ",?");
	}
	buffer_printf(&text, ") VALUES(%s)", buffer_cstr(&places));
	if (sqlite3_prepare_v2(sql, buffer_cstr(&text), -1, &st, NULL))
		fail_msg("%s", sqlite3_errmsg(sql));
	buffer_release(&text);
	buffer_release(&places);
	return st;
}

static void read_columns(struct twins *t)
{
	sqlite3_stmt *st;

	t->columns = 0;
	t->rowid_value = -1;
	assert_int_equal(sqlite3_prepare_v2(t->ours, "PRAGMA table_info(t)", -1,
					    &st, NULL),
			 SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		if (sqlite3_column_int(st, 5))
			t->rowid_value = (int)t->columns;
		t->affinities[t->columns++] = affinity_of(
			(const char *)sqlite3_column_text(st, 2), 0);
	}
	sqlite3_finalize(st);
}

/* Columns are c0, c1, ... of table t. */
static void twins_open(struct twins *t, struct fixture *f, int page_size,
		       int reserved, const char *create)
{
	memset(t, 0, sizeof(*t));
	t->f = f;
	t->ours = make_file(f->a, page_size, reserved, create);
	t->theirs = make_file(f->b, page_size, reserved, create);
	read_columns(t);
	/* what SQLite keeps of the file must not be what it sees later */
	app_run(t->ours, "SELECT * FROM t");
	app_run(t->theirs, "BEGIN");
	t->insert = prepare_insert(t->theirs, t->columns, t->rowid_value < 0);
	assert_int_equal(record_writer_init(&t->r, t->affinities, t->columns,
					    t->rowid_value),
			 SQLITE_OK);
	assert_int_equal(
		table_writer_open(&t->w, t->ours, root_of(t->ours, "t")),
		SQLITE_OK);
	assert_int_equal(t->w.size, page_size);
	assert_int_equal(t->w.usable, page_size - reserved);
}

static void bind(sqlite3_stmt *st, int at, const struct value *v)
{
	const char *data = v->size ? v->data : "";

	switch (v->class) {
	case VALUE_NULL:
		sqlite3_bind_null(st, at);
		break;
	case VALUE_INTEGER:
		sqlite3_bind_int64(st, at, v->integer);
		break;
	case VALUE_REAL:
		sqlite3_bind_double(st, at, v->real);
		break;
	case VALUE_BLOB:
		sqlite3_bind_blob64(st, at, data, v->size, SQLITE_STATIC);
		break;
	default:
		sqlite3_bind_text64(st, at, data, v->size, SQLITE_STATIC,
				    SQLITE_UTF8);
	}
}

static void add(struct twins *t, int64_t rowid, const struct value *values)
{
	size_t i;

	record_writer_set(&t->r, values);
	assert_int_equal(table_writer_add(&t->w, rowid, &t->r), SQLITE_OK);
	for (i = 0; i < t->columns; i++)
		bind(t->insert, (int)i + 1, &values[i]);
	if (t->rowid_value < 0)
		sqlite3_bind_int64(t->insert, (int)i + 1, rowid);
	if (sqlite3_step(t->insert) != SQLITE_DONE)
		fail_msg("%s", sqlite3_errmsg(t->theirs));
	sqlite3_reset(t->insert);
	t->rows++;
}

/* A row of one blob of `size` bytes. */
static void add_blob(struct twins *t, int64_t rowid, size_t size)
{
	static char bytes[(size_t)5 << 20];
	struct value v = { VALUE_BLOB, { 0 }, bytes, size };

	if (size)
		bytes[0] = bytes[size - 1] = (char)rowid;
	add(t, rowid, &v);
}

/* ---- are they the same? ---- */

struct side {
	struct reader r;
	struct leaves leaves;
	struct cells cells;
	unsigned char *page;
	struct buffer payload;
};

static void side_open(struct side *s, const char *path)
{
	struct pages *p;

	memset(s, 0, sizeof(*s));
	s->r = reader_open(path);
	p = database_pages(s->r.db);
	assert_non_null(p);
	assert_int_equal(leaves_find(&s->leaves, p, pages_root(p, "t")), 0);
	assert_int_equal(cells_open(&s->cells, &s->leaves), 0);
	cells_range(&s->cells, 0, SIZE_MAX);
	s->page = malloc(p->size);
}

static void side_close(struct side *s)
{
	buffer_release(&s->payload);
	free(s->page);
	cells_release(&s->cells);
	leaves_release(&s->leaves);
	reader_close(&s->r);
}

static int side_next(struct side *s, struct cell *c)
{
	int rc = cells_next(&s->cells, c);

	if (rc == 1)
		assert_int_equal(
			cell_payload(s->leaves.pages, c, s->page, &s->payload),
			0);
	return rc;
}

static int64_t assert_same_cells(struct fixture *f)
{
	struct side a, b;
	struct cell x, y;
	int64_t rows = 0;
	int rc;

	side_open(&a, f->a);
	side_open(&b, f->b);
	while ((rc = side_next(&a, &x)) == 1) {
		assert_int_equal(side_next(&b, &y), 1);
		assert_int_equal(x.rowid, y.rowid);
		assert_int_equal(x.size, y.size);
		assert_memory_equal(a.payload.data, b.payload.data, x.size);
		rows++;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(side_next(&b, &y), 0);
	side_close(&a);
	side_close(&b);
	return rows;
}

static int64_t file_bytes(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void assert_integer(sqlite3 *sql, const char *text, int64_t want)
{
	int64_t got = 0;

	assert_int_equal(sql_integer(sql, text, &got, NULL), 0);
	assert_int_equal(got, want);
}

static void assert_sound(sqlite3 *sql)
{
	sqlite3_stmt *st;

	assert_int_equal(sqlite3_prepare_v2(sql, "PRAGMA integrity_check", -1,
					    &st, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
}

/* SQLite believes the header's count of pages, as it does its own. */
static void assert_count_is_good(const struct twins *t)
{
	unsigned char h[100];
	FILE *f = fopen(t->f->a, "rb");

	assert_non_null(f);
	assert_int_equal(fread(h, 1, sizeof(h), f), sizeof(h));
	fclose(f);
	assert_memory_equal(h + 24, h + 92, 4);
	assert_int_equal((int64_t)get32(h + 28) * t->w.size,
			 file_bytes(t->f->a));
}

static void twins_close(struct twins *t)
{
	assert_int_equal(table_writer_end(&t->w), SQLITE_OK);
	assert_count_is_good(t);
	table_writer_release(&t->w);
	record_writer_release(&t->r);
	sqlite3_finalize(t->insert);
	app_run(t->theirs, "COMMIT");
	assert_sound(t->ours);
	assert_integer(t->ours, "SELECT count(*) FROM t", t->rows);
	sqlite3_close(t->ours);
	sqlite3_close(t->theirs);
	assert_int_equal(assert_same_cells(t->f), t->rows);
	assert_true(file_bytes(t->f->a) <= file_bytes(t->f->b));
}

/* ---- shapes ---- */

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

/* ---- the file ---- */

/* SQLite can be told to lock elsewhere than at 1 GiB. */
static void the_page_with_locks_stays_empty(void **state)
{
	struct twins t;
	int lock_byte = 0x10000, lock_page = lock_byte / 512 + 1;

	for (int count = 240; count < 262; count++) {
		sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, lock_byte);
		/* a leaf, an overflow page or an interior page there, or the
		 * end of the file before it */
		for (int size = 200; size < 4000; size += 900) {
			twins_open(&t, *state, 512, 0, "CREATE TABLE t(c0)");
			assert_int_equal(t.w.lock_page, 0x40000000 / 512 + 1);
			t.w.lock_page = (uint32_t)lock_page;
			for (int i = 0; i < count; i++)
				add_blob(&t, i, i % 9 ? 200 : (size_t)size);
			twins_close(&t);
		}
		sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, 0x40000000);
	}
}

static void sqlite_goes_on_behind_what_we_wrote(void **state)
{
	struct fixture *f = *state;
	struct table_writer w;
	struct record_writer r;
	enum affinity none = AFFINITY_NONE;
	struct value v = { VALUE_BLOB, { 0 }, "0123456789", 10 };
	sqlite3 *sql = make_file(f->a, 512, 0,
				 "CREATE TABLE t(c0 UNIQUE); CREATE TABLE u(x);"
				 "INSERT INTO u VALUES(zeroblob(3000))");

	app_run(sql, "DELETE FROM u"); /* pages to be used again */
	for (int round = 0; round < 2; round++) {
		assert_int_equal(
			table_writer_open(&w, sql,
					  root_of(sql, round ? "u" : "t")),
			SQLITE_OK);
		assert_int_equal(record_writer_init(&r, &none, 1, -1),
				 SQLITE_OK);
		for (int i = 0; i < 1000; i++) {
			char bytes[12];

			snprintf(bytes, sizeof(bytes), "%010d", i);
			v.data = bytes;
			record_writer_set(&r, &v);
			assert_int_equal(table_writer_add(&w, i, &r),
					 SQLITE_OK);
		}
		assert_int_equal(table_writer_end(&w), SQLITE_OK);
		table_writer_release(&w);
		record_writer_release(&r);
		app_run(sql, "BEGIN; REINDEX t;"
			     "INSERT INTO t VALUES(zeroblob(4000)); COMMIT");
		app_run(sql, "DELETE FROM t WHERE typeof(c0) = 'blob' AND "
			     "length(c0) = 4000");
		assert_sound(sql);
	}
	assert_integer(sql, "SELECT count(*) FROM t", 1000);
	assert_integer(sql, "SELECT count(*) FROM t JOIN u ON c0 = x", 1000);
	sqlite3_close(sql);
}

static void files_that_are_not_for_us_are_told(void **state)
{
	struct fixture *f = *state;
	static const char *const setups[] = {
		"PRAGMA auto_vacuum = 1; CREATE TABLE t(x)",
		"CREATE TABLE t(x); PRAGMA journal_mode = WAL",
		"CREATE TABLE t(x); BEGIN; INSERT INTO t VALUES(1)",
	};
	struct table_writer w;
	sqlite3 *sql;

	for (size_t i = 0; i < 3; i++) {
		sql = make_file(f->a, 4096, 0, setups[i]);
		assert_int_equal(table_writer_open(&w, sql, root_of(sql, "t")),
				 SQLITE_NOTADB);
		table_writer_release(&w);
		sqlite3_close(sql);
	}
	sql = make_file(f->a, 4096, 0, "CREATE TABLE t(x)");
	assert_int_equal(table_writer_open(&w, sql, 1), SQLITE_NOTADB);
	table_writer_release(&w);
	assert_int_equal(table_writer_open(&w, sql, 3), SQLITE_NOTADB);
	table_writer_release(&w);
	sqlite3_close(sql);
}

static void limits_of_sqlite_are_kept(void **state)
{
	struct fixture *f = *state;
	struct value v = { VALUE_BLOB, { 0 }, NULL, 0 };
	enum affinity none = AFFINITY_NONE;
	struct table_writer w;
	struct record_writer r;
	static char bytes[1000];
	sqlite3 *sql = make_file(f->a, 512, 0, "CREATE TABLE t(x)");

	sqlite3_limit(sql, SQLITE_LIMIT_LENGTH, 500);
	assert_int_equal(record_writer_init(&r, &none, 1, -1), SQLITE_OK);
	assert_int_equal(table_writer_open(&w, sql, root_of(sql, "t")),
			 SQLITE_OK);
	v.data = bytes;
	v.size = 497; /* and three bytes before it */
	record_writer_set(&r, &v);
	assert_int_equal(table_writer_add(&w, 1, &r), SQLITE_OK);
	v.size = 498;
	record_writer_set(&r, &v);
	assert_int_equal(table_writer_add(&w, 2, &r), SQLITE_TOOBIG);
	w.most = w.next - 1;
	v.size = 497;
	record_writer_set(&r, &v);
	assert_int_equal(table_writer_add(&w, 3, &r), SQLITE_FULL);
	table_writer_release(&w);
	record_writer_release(&r);
	/* nothing was ended: the table is as it was */
	assert_integer(sql, "SELECT count(*) FROM t", 0);
	sqlite3_close(sql);
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
		fixture_test(the_page_with_locks_stays_empty),
		fixture_test(sqlite_goes_on_behind_what_we_wrote),
		fixture_test(files_that_are_not_for_us_are_told),
		fixture_test(limits_of_sqlite_are_kept),
		fixture_test(tables_drawn_from_a_seed_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
