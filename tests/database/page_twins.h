/*
 * page_twins.h - the same rows, written by us and inserted by SQLite
 *
 * Rows are written into one file and inserted into another: the cells must be
 * the same byte for byte, and SQLite must find nothing wrong.
 */
#ifndef TESTS_DATABASE_PAGE_TWINS_H
#define TESTS_DATABASE_PAGE_TWINS_H

#include "tests/database/fixture.h"

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

static inline sqlite3 *make_file(const char *path, int page_size, int reserved,
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

static inline uint32_t root_of(sqlite3 *sql, const char *table)
{
	int64_t root = 0;
	char text[100];

	snprintf(text, sizeof(text),
		 "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", table);
	assert_int_equal(sql_integer(sql, text, &root, NULL), 0);
	return (uint32_t)root;
}

/* INSERT INTO t(c0, ..., rowid) VALUES(?, ..., ?) */
static inline sqlite3_stmt *prepare_insert(sqlite3 *sql, size_t columns,
					   int own_rowid)
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

static inline void read_columns(struct twins *t)
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
static inline void twins_open(struct twins *t, struct fixture *f, int page_size,
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
	assert_int_equal(t->w.out.size, page_size);
	assert_int_equal(t->w.out.usable, page_size - reserved);
}

static inline void bind(sqlite3_stmt *st, int at, const struct value *v)
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

static inline void add(struct twins *t, int64_t rowid,
		       const struct value *values)
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
static inline void add_blob(struct twins *t, int64_t rowid, size_t size)
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

static inline void side_open(struct side *s, const char *path)
{
	struct pages *p;

	memset(s, 0, sizeof(*s));
	s->r = reader_open(path);
	p = database_pages(s->r.db);
	assert_non_null(p);
	assert_int_equal(leaves_find(&s->leaves, p, pages_root(p, "t")), 0);
	assert_int_equal(cells_open(&s->cells, &s->leaves), 0);
	cells_range(&s->cells, 0, SIZE_MAX);
	s->page = malloc(PAGES_RUN_BYTES);
}

static inline void side_close(struct side *s)
{
	buffer_release(&s->payload);
	free(s->page);
	cells_release(&s->cells);
	leaves_release(&s->leaves);
	reader_close(&s->r);
}

static inline int side_next(struct side *s, struct cell *c)
{
	int rc = cells_next(&s->cells, c);

	if (rc == 1)
		assert_int_equal(
			cell_payload(s->leaves.pages, c, s->page, &s->payload),
			0);
	return rc;
}

static inline int64_t assert_same_cells(struct fixture *f)
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

static inline int64_t file_bytes(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static inline void assert_integer(sqlite3 *sql, const char *text, int64_t want)
{
	int64_t got = 0;

	assert_int_equal(sql_integer(sql, text, &got, NULL), 0);
	assert_int_equal(got, want);
}

static inline void assert_sound(sqlite3 *sql)
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
static inline void assert_count_is_good(const struct twins *t)
{
	unsigned char h[100];
	FILE *f = fopen(t->f->a, "rb");

	assert_non_null(f);
	assert_int_equal(fread(h, 1, sizeof(h), f), sizeof(h));
	fclose(f);
	assert_memory_equal(h + 24, h + 92, 4);
	assert_int_equal((int64_t)get32(h + 28) * t->w.out.size,
			 file_bytes(t->f->a));
}

static inline void twins_close(struct twins *t)
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

#endif /* TESTS_DATABASE_PAGE_TWINS_H */
