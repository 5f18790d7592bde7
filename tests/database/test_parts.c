/*
 * test_parts.c - rows from the pages are the rows from SQL
 */
#include <pthread.h>

#include "database/sqlite_pages.h"
#include "tests/database/parts_fixture.h"

static void every_page_size_is_read(void **state)
{
	struct fixture *f = *state;
	char pragma[64];
	int size;

	for (size = 512; size <= 65536; size *= 2) {
		snprintf(pragma, sizeof(pragma),
			 "PRAGMA page_size=%d; PRAGMA auto_vacuum=%d;", size,
			 size % 3);
		make_rows(f->a, pragma);
		assert_parts(f->a, NULL);
	}
}

static void both_orders_of_utf16_are_read(void **state)
{
	struct fixture *f = *state;

	make_rows(f->a, "PRAGMA encoding='UTF-16le'; PRAGMA page_size=1024;");
	assert_parts(f->a, NULL);
	make_rows(f->a, "PRAGMA encoding='UTF-16be'; PRAGMA page_size=512;");
	assert_parts(f->a, NULL);
}

static void assert_byte(const char *path, long at, int want)
{
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_int_equal(fgetc(file), want);
	fclose(file);
}

static void reserved_bytes_are_not_read(void **state)
{
	struct fixture *f = *state;
	int reserved = 24;
	sqlite3 *sql;

	unlink(f->a);
	sql = app_open(f->a);
	app_run(sql, "PRAGMA page_size=512; PRAGMA journal_mode=OFF");
	assert_int_equal(sqlite3_file_control(sql, "main",
					      SQLITE_FCNTL_RESERVE_BYTES,
					      &reserved),
			 SQLITE_OK);
	app_run(sql, rows);
	sqlite3_close(sql);
	assert_byte(f->a, 20, 24);
	assert_parts(f->a, NULL);
}

static void tables_of_all_shapes_are_read(void **state)
{
	struct fixture *f = *state;

	make(f->a,
	     "CREATE TABLE none(a); CREATE TABLE only(a INTEGER PRIMARY KEY);"
	     "INSERT INTO only VALUES(-5), (7);"
	     "CREATE TABLE last(a, b INTEGER PRIMARY KEY DESC, c INTEGER);"
	     "INSERT INTO last VALUES(1, 2, 3);"
	     "CREATE TABLE text_key(a TEXT PRIMARY KEY, b);"
	     "INSERT INTO text_key VALUES('x', 1), (NULL, 2);"
	     "CREATE TABLE made(v AS (a + 1), a REAL, s AS (a + 2) STORED, "
	     "b TEXT, w AS (b) VIRTUAL, r REAL AS (a) STORED, c);"
	     "INSERT INTO made(a, b, c) VALUES(1, 'b', 2.5), (NULL, 2, x'');"
	     "CREATE TABLE strict(a INT, b REAL, c ANY, d TEXT, e BLOB) STRICT;"
	     "INSERT INTO strict VALUES(1, 2, '3', '4', x'5a');"
	     "CREATE TABLE types(a FLOATING POINT, b DOUBLE, c REALINT, "
	     "d CHARREAL, e BLOBREAL, f \"real\", g floating);"
	     "INSERT INTO types VALUES(1, 1, 1, 1, 1, 1, 1), "
	     "('1', '1', '1', '1', '1', '1', '1'), (x'31', x'31', 1.5, 'a', "
	     "9007199254740993, 9007199254740993, 9007199254740993);"
	     "CREATE TABLE odd(a, b); INSERT INTO odd VALUES(9e999, -9e999),"
	     "(-0.0, CAST(x'ff' AS TEXT)), ('', x'');"
	     "CREATE TABLE w(a PRIMARY KEY) WITHOUT ROWID;"
	     "INSERT INTO w VALUES(1);"
	     "CREATE TABLE no(a PRIMARY KEY) WITHOUT ROWID;"
	     "CREATE TABLE key(v AS (a + 1), a REAL, s AS (b) STORED, b, c, "
	     "d TEXT, PRIMARY KEY(d, a DESC, d)) WITHOUT ROWID;"
	     "INSERT INTO key(a, b, c, d) VALUES(1, 'b', 2.5, 'x'), "
	     "(1.5, NULL, x'00', 'x'), (-2, 3, 4, 'y');"
	     "CREATE TABLE strange(a TEXT COLLATE nocase PRIMARY KEY, b) "
	     "WITHOUT ROWID; INSERT INTO strange VALUES('b', 1), ('A', 2);"
	     "CREATE TABLE auto(a INTEGER PRIMARY KEY AUTOINCREMENT);"
	     "INSERT INTO auto VALUES(1); ANALYZE");
	assert_parts(f->a, NULL);
}

static void columns_come_and_go(void **state)
{
	struct fixture *f = *state;

	make(f->a,
	     "CREATE TABLE t(a, b, c); INSERT INTO t VALUES(1, 2, 3);"
	     "ALTER TABLE t ADD COLUMN d; ALTER TABLE t ADD COLUMN e INTEGER "
	     "NOT NULL DEFAULT 17; ALTER TABLE t ADD COLUMN f TEXT DEFAULT "
	     "'it''s'; ALTER TABLE t ADD COLUMN g REAL DEFAULT -3;"
	     "ALTER TABLE t ADD COLUMN h DEFAULT ''; ALTER TABLE t ADD COLUMN "
	     "i NUMERIC DEFAULT NULL; ALTER TABLE t ADD COLUMN j BLOB DEFAULT "
	     "0; ALTER TABLE t ADD COLUMN k VARCHAR(9) DEFAULT 'caf\xc3\xa9';"
	     "INSERT INTO t(a) VALUES(7); ALTER TABLE t DROP COLUMN b;"
	     "ALTER TABLE t ADD COLUMN l REAL DEFAULT -0;"
	     "CREATE TABLE s(a); INSERT INTO s VALUES(1);"
	     "ALTER TABLE s ADD COLUMN b AS (a) VIRTUAL;"
	     "ALTER TABLE s ADD COLUMN c DEFAULT (1);"
	     "CREATE TABLE w(a, b PRIMARY KEY, c) WITHOUT ROWID;"
	     "INSERT INTO w VALUES(1, 2, 3); ALTER TABLE w ADD COLUMN d "
	     "DEFAULT 4; ALTER TABLE w ADD COLUMN e; ALTER TABLE w DROP COLUMN "
	     "a; INSERT INTO w VALUES(5, 6, 7, 8)");
	assert_parts(f->a, NULL);
}

/* What SQLite makes of these takes an expression, so it does. */
static void a_default_that_is_no_plain_literal_is_odd(void **state)
{
	static const char *const columns[] = {
		"TEXT DEFAULT 5",      "INT DEFAULT '5'", "DEFAULT -1.5e3",
		"DEFAULT 1.5",         "DEFAULT x'00'",   "DEFAULT \"x\"",
		"DEFAULT 12345678901", "DEFAULT +1",      "DEFAULT TRUE",
		"REAL DEFAULT '1'",
	};
	struct fixture *f = *state;
	char text[256];
	size_t i;

	for (i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
		snprintf(text, sizeof(text),
			 "CREATE TABLE t(a); INSERT INTO t VALUES(1);"
			 "ALTER TABLE t ADD COLUMN b %s",
			 columns[i]);
		unlink(f->a);
		make(f->a, text);
		assert_parts(f->a, "t");
	}
	unlink(f->a);
	make(f->a, "PRAGMA encoding='UTF-16'; CREATE TABLE t(a);"
		   "INSERT INTO t VALUES(1); ALTER TABLE t ADD COLUMN b TEXT "
		   "DEFAULT 'x'");
	assert_parts(f->a, "t");
}

static void a_record_may_have_more_fields_than_the_table(void **state)
{
	struct fixture *f = *state;

	make(f->a, "CREATE TABLE t(a, b, c); INSERT INTO t VALUES(1, 'x', 2),"
		   "(zeroblob(9999), 4, NULL); PRAGMA writable_schema=ON;"
		   "UPDATE sqlite_schema SET sql='CREATE TABLE t(a, b)'");
	assert_parts(f->a, NULL);
}

/* ---- threads ---- */

struct job {
	struct parts *parts;
	const struct table *table;
	size_t first, end;
	struct buffer rows;
	int rc;
};

static void *run_job(void *data)
{
	struct error err = ERROR_INIT;
	struct job *job = data;
	struct scan *s;

	job->rc = -1;
	if (parts_scan(job->parts, NULL, NULL, &s, &err) < 0)
		return NULL;
	if (scan_part(s, job->first, job->end) == 0)
		job->rc = take_rows(s, job->table, &job->rows, &err);
	scan_free(s);
	return NULL;
}

static void several_threads_read_one_table(void **state)
{
	struct fixture *f = *state;
	struct buffer all = BUFFER_INIT, whole = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct job jobs[4] = { 0 };
	const struct table *t;
	pthread_t threads[4];
	struct parts *p;
	struct reader r;
	struct scan *s;
	size_t i;

	make_rows(f->a, "PRAGMA page_size=512;");
	r = reader_open(f->a);
	t = catalog_table(r.catalog, "t");
	assert_int_equal(database_parts(r.db, t, &p, &err), 0);
	for (i = 0; i < 4; i++) {
		jobs[i].parts = p;
		jobs[i].table = t;
		jobs[i].first = parts_count(p) * i / 4;
		jobs[i].end = parts_count(p) * (i + 1) / 4;
		assert_int_equal(
			pthread_create(&threads[i], NULL, run_job, &jobs[i]),
			0);
	}
	assert_int_equal(database_scan(r.db, t, &s, &err), 0);
	assert_int_equal(scan_part(s, 0, 1), -1);
	assert_int_equal(take_rows(s, t, &whole, &err), 0);
	scan_free(s);
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(jobs[i].rc, 0);
		buffer_add(&all, jobs[i].rows.data, jobs[i].rows.size);
		buffer_release(&jobs[i].rows);
	}
	assert_equal(&whole, &all, "t");
	buffer_release(&whole);
	buffer_release(&all);
	parts_free(p);
	reader_close(&r);
}

/* ---- narrow scans ---- */

#define NOT_READ ((enum value_class)99)

static struct scan *scan_narrow(struct parts *p, const struct table *t,
				size_t wanted)
{
	unsigned char *marks = calloc(value_count(t) + 1, 1);
	struct error err = ERROR_INIT;
	struct scan *s;

	assert_non_null(marks);
	marks[wanted] = 1;
	parts_narrow(p, marks);
	free(marks);
	assert_int_equal(parts_scan(p, NULL, NULL, &s, &err), 0);
	assert_int_equal(scan_part(s, 0, parts_count(p)), 0);
	return s;
}

static void assert_value(const struct value *a, const struct value *b)
{
	assert_int_equal(a->class, b->class);
	if (a->class == VALUE_INTEGER || a->class == VALUE_REAL)
		assert_int_equal(a->integer, b->integer);
	if (a->class < VALUE_TEXT)
		return;
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->data, b->data, a->size);
}

/* Value `wanted` is that of a scan of all, the others were not touched. */
static void assert_narrow_row(const struct table *t, size_t wanted,
			      const struct value *all, struct value *few)
{
	int rowid = t->order == ORDER_ROWID && t->rowid_column >= 0
			    ? table_value(t, t->rowid_column)
			    : -1;
	size_t i;

	assert_value(&few[wanted], &all[wanted]);
	for (i = 0; i < value_count(t); i++) {
		if (i != wanted && (int)i != rowid)
			assert_int_equal(few[i].class, NOT_READ);
		few[i].class = NOT_READ;
	}
}

static void assert_narrow(struct database *db, const struct table *t,
			  size_t wanted)
{
	struct value all[16], few[16];
	struct error err = ERROR_INIT;
	struct scan *want, *have;
	int64_t rowid, same;
	struct parts *p;
	size_t i;
	int rc;

	assert_true(value_count(t) <= 16);
	for (i = 0; i < 16; i++)
		few[i].class = NOT_READ;
	assert_int_equal(database_scan(db, t, &want, &err), 0);
	assert_int_equal(database_parts(db, t, &p, &err), 0);
	have = scan_narrow(p, t, wanted);
	while ((rc = scan_next(have, &same, few, &err)) == 1) {
		assert_int_equal(scan_next(want, &rowid, all, &err), 1);
		assert_int_equal(same, rowid);
		assert_narrow_row(t, wanted, all, few);
	}
	assert_int_equal(rc, 0);
	assert_int_equal(scan_next(want, &rowid, all, &err), 0);
	scan_free(have);
	scan_free(want);
	parts_free(p);
}

static void only_what_is_wanted_is_read(void **state)
{
	struct fixture *f = *state;
	struct reader r;
	size_t i, k;

	make_rows(f->a, "PRAGMA page_size=512;");
	make(f->a, "ALTER TABLE u ADD COLUMN d TEXT DEFAULT 'it''s';"
		   "ALTER TABLE u ADD COLUMN e AS (c + 1); ALTER TABLE u ADD "
		   "COLUMN f TEXT DEFAULT 'and that'");
	r = reader_open(f->a);
	for (i = 0; i < r.catalog->table_count; i++)
		for (k = 0; k < value_count(&r.catalog->tables[i]); k++)
			assert_narrow(r.db, &r.catalog->tables[i], k);
	reader_close(&r);
}

static int read_one(const char *path, size_t wanted, struct value *values)
{
	struct reader r = reader_open(path);
	struct error err = ERROR_INIT;
	struct parts *p;
	struct scan *s;
	int64_t rowid;
	int rc;

	assert_int_equal(database_parts(r.db, &r.catalog->tables[0], &p, &err),
			 0);
	s = scan_narrow(p, &r.catalog->tables[0], wanted);
	rc = scan_next(s, &rowid, values, &err);
	scan_free(s);
	parts_free(p);
	reader_close(&r);
	return rc;
}

/* The page number of what overflows stands at the leaf's end. */
static void what_overflows_is_read_where_it_is_wanted(void **state)
{
	struct fixture *f = *state;
	struct value values[3];
	FILE *file;

	make(f->a, "PRAGMA page_size=4096; CREATE TABLE t(a, b, c);"
		   "INSERT INTO t VALUES(5, zeroblob(10000), 6)");
	assert_int_equal(read_one(f->a, 2, values), 1);
	assert_int_equal(values[2].integer, 6);
	file = fopen(f->a, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, 2 * 4096 - 4, SEEK_SET), 0);
	assert_int_equal(fwrite("\xff\xff\xff\xff", 4, 1, file), 1);
	fclose(file);
	assert_int_equal(read_one(f->a, 0, values), 1);
	assert_int_equal(values[0].integer, 5);
	assert_int_equal(read_one(f->a, 1, values), 2);
	assert_int_equal(read_one(f->a, 2, values), 2);
}

/* There texts are turned into UTF-8, all of them. */
static void utf16_is_never_narrow(void **state)
{
	struct fixture *f = *state;
	struct value values[3] = { { .class = NOT_READ } };

	make(f->a, "PRAGMA encoding='UTF-16le'; CREATE TABLE t(a, b, c);"
		   "INSERT INTO t VALUES('x', 'y', 'z')");
	assert_int_equal(read_one(f->a, 1, values), 1);
	assert_int_equal(values[0].class, VALUE_TEXT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(every_page_size_is_read),
		fixture_test(both_orders_of_utf16_are_read),
		fixture_test(reserved_bytes_are_not_read),
		fixture_test(tables_of_all_shapes_are_read),
		fixture_test(columns_come_and_go),
		fixture_test(a_default_that_is_no_plain_literal_is_odd),
		fixture_test(a_record_may_have_more_fields_than_the_table),
		fixture_test(several_threads_read_one_table),
		fixture_test(only_what_is_wanted_is_read),
		fixture_test(what_overflows_is_read_where_it_is_wanted),
		fixture_test(utf16_is_never_narrow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
