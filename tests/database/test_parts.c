/*
 * test_parts.c - rows from the pages are the rows from SQL
 */
#include <pthread.h>

#include "tests/database/same_parts.h"

/* All tables with rowids or a key, whole and leaf by leaf; `odd` as that. */
static void assert_parts_of(struct reader *r, const char *odd)
{
	size_t i;

	for (i = 0; i < r->catalog->table_count; i++) {
		const struct table *t = &r->catalog->tables[i];
		int is = t->order == ORDER_ROWID || t->order == ORDER_KEY;
		int want = !is ? 1 : odd && !strcmp(odd, t->name) ? 2 : 0;

		assert_int_equal(compare_table(r->db, t, 0), want);
		assert_int_equal(compare_table(r->db, t, 1), want);
	}
}

static void assert_parts(const char *path, const char *odd)
{
	struct reader r = reader_open(path);

	assert_parts_of(&r, odd);
	reader_close(&r);
}

#define COUNT(n)                                                               \
	"WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n "     \
	"WHERE i < " #n ") "

/* Rows of all sorts, many of them longer than a page. */
static const char rows[] =
	"CREATE TABLE t(id INTEGER PRIMARY KEY, a, b REAL, c TEXT, d);"
	"CREATE TABLE u(a, b DOUBLE PRECISION, c INT);" COUNT(
		400) "INSERT INTO t SELECT i * 7 - 900, "
		     "CASE i % 9 WHEN 0 THEN NULL WHEN 1 THEN i WHEN 2 THEN "
		     "-i * 1000 WHEN 3 THEN i * 10000000 WHEN 4 THEN "
		     "-i * 30000000000 WHEN 5 THEN i * 9000000000000000 WHEN 6 "
		     "THEN i / 3.0 WHEN 7 THEN i % 2 ELSE x'00ff' || i END, "
		     "i % 5, substr('caf\xc3\xa9 \xf0\x9f\x98\x80', 1, i % 9) "
		     "|| i, zeroblob(i * i % 5000) FROM n;" COUNT(
			     3000) "INSERT INTO u SELECT 'u' || i, i, i % 3 "
				   "FROM n;"
				   "INSERT INTO u(rowid) VALUES"
				   "(-9223372036854775808), "
				   "(9223372036854775807);"
				   "CREATE TABLE k(d, r REAL, c TEXT, b, "
				   "PRIMARY KEY(c DESC, b)) WITHOUT ROWID;"
				   "INSERT INTO k SELECT d, b, c, id FROM t;"
				   "INSERT INTO k SELECT NULL, c, a, b FROM u "
				   "WHERE a NOT NULL;";

static void make_rows(const char *path, const char *pragmas)
{
	struct buffer text = BUFFER_INIT;

	buffer_str(&text, pragmas);
	buffer_str(&text, rows);
	unlink(path);
	make(path, buffer_cstr(&text));
	buffer_release(&text);
}

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

/* ---- a WAL ---- */

static const char wal[] =
	"PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;";

static void a_wal_is_read_up_to_the_snapshot(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	struct reader r;

	app_run(sql, wal);
	r = reader_open(f->a); /* nothing in it yet */
	assert_parts_of(&r, NULL);
	app_run(sql, rows);
	assert_parts_of(&r, NULL);
	reader_close(&r);
	r = reader_open(f->a); /* nothing in the file */
	assert_parts_of(&r, NULL);
	app_run(sql, "UPDATE t SET d = 'new'; DELETE FROM u WHERE c = 1;"
		     "PRAGMA wal_checkpoint");
	assert_parts_of(&r, NULL);
	reader_close(&r);
	sqlite3_close(sql);
}

static void a_half_checkpointed_wal_is_read(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	struct reader old, r;

	app_run(sql, wal);
	app_run(sql, rows);
	old = reader_open(f->a);
	/* in place: the first frame behind is a leaf's */
	app_run(sql,
		"UPDATE u SET a = replace(a, 'u', 'v'); PRAGMA wal_checkpoint");
	r = reader_open(f->a);
	app_run(sql, "UPDATE u SET c = 'newer' WHERE rowid % 3 = 0;"
		     "PRAGMA wal_checkpoint");
	assert_parts_of(&r, NULL);
	assert_parts_of(&old, NULL);
	reader_close(&old);
	app_run(sql, "PRAGMA wal_checkpoint");
	assert_parts_of(&r, NULL);
	reader_close(&r);
	sqlite3_close(sql);
}

/* All is in the file when we begin: then others may begin the WAL anew. */
static void a_wal_that_starts_anew_is_not_read(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	struct reader r;

	app_run(sql, wal);
	app_run(sql, rows);
	app_run(sql, "PRAGMA wal_checkpoint");
	r = reader_open(f->a);
	app_run(sql, "UPDATE t SET d = 'new'; UPDATE u SET a = c;"
		     "PRAGMA wal_checkpoint");
	assert_parts_of(&r, NULL);
	reader_close(&r);
	sqlite3_close(sql);
}

/* A new snapshot of a shrunk database, pages of the old one behind it. */
static void a_shrunk_database_is_read(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	struct reader r;

	app_run(sql, wal);
	app_run(sql, rows);
	app_run(sql, "DELETE FROM u WHERE rowid > 50; VACUUM");
	r = reader_open(f->a);
	assert_parts_of(&r, NULL);
	reader_close(&r);
	sqlite3_close(sql);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

static void do_something(sqlite3 *sql, uint64_t *seed)
{
	static const char *const things[] = {
		"INSERT INTO t SELECT NULL, a, b, c, d FROM t LIMIT 9",
		"UPDATE t SET c = c || 'x' WHERE id % 7 = abs(random() % 7)",
		"DELETE FROM t WHERE id % 11 = abs(random() % 11)",
		"INSERT INTO u SELECT c, b, a FROM u LIMIT 30",
		"PRAGMA wal_checkpoint(PASSIVE)",
		"PRAGMA wal_checkpoint(PASSIVE)",
		"PRAGMA wal_checkpoint(RESTART)",
		"PRAGMA wal_checkpoint(TRUNCATE)",
	};

	/* a checkpoint may well be in the way of our readers: then it is less
	 * of one */
	sqlite3_exec(
		sql,
		things[next_random(seed) % (sizeof(things) / sizeof(*things))],
		NULL, NULL, NULL);
}

static void readers_and_checkpoints_come_in_any_order(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	struct reader readers[3];
	uint64_t seed = 1;
	int i, at;

	app_run(sql, "PRAGMA page_size=512");
	app_run(sql, wal);
	app_run(sql, rows);
	sqlite3_busy_timeout(sql, 0);
	for (i = 0; i < 3; i++)
		readers[i] = reader_open(f->a);
	for (i = 0; i < 60; i++) {
		at = (int)(next_random(&seed) % 3);
		assert_parts_of(&readers[at], NULL);
		reader_close(&readers[at]);
		do_something(sql, &seed);
		readers[at] = reader_open(f->a);
		do_something(sql, &seed);
		do_something(sql, &seed);
	}
	for (i = 0; i < 3; i++) {
		assert_parts_of(&readers[i], NULL);
		reader_close(&readers[i]);
	}
	sqlite3_close(sql);
}

/* ---- damage ---- */

static void read_all(const char *path, struct buffer *out)
{
	char bytes[4096];
	FILE *file = fopen(path, "rb");
	size_t n;

	assert_non_null(file);
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		buffer_add(out, bytes, n);
	fclose(file);
}

static void write_all(const char *path, const struct buffer *bytes)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes->data, bytes->size, 1, file), 1);
	fclose(file);
}

/* Open what may be damaged in its schema as well. @return 0 or -1 */
static int try_reader(struct reader *r, const char *path)
{
	struct error err = ERROR_INIT;

	memset(r, 0, sizeof(*r));
	if (database_open(&r->db, path, NULL, &err) == 0 &&
	    database_begin(r->db, &err) == 0 &&
	    database_catalog(r->db, &r->catalog, &err) == 0)
		return 0;
	reader_close(r);
	return -1;
}

static void fingerprint_all(struct database *db, const struct table *t)
{
	unsigned char key[PARTS_KEY_SIZE] = { 1 };
	unsigned char out[PARTS_FINGERPRINT_SIZE];
	struct error err = ERROR_INIT;
	struct parts *p;
	size_t i;

	if (database_parts(db, t, &p, &err))
		return;
	for (i = 0; i < parts_count(p); i++)
		assert_true(parts_fingerprint(p, key, i, out, &err) >= 0);
	parts_free(p);
}

/* Put other bytes where `from` first stands, `skip` bytes into it. */
static void patch(const char *path, const char *from, size_t size, size_t skip,
		  const char *to, size_t to_size)
{
	struct buffer bytes = BUFFER_INIT;
	char *at;

	read_all(path, &bytes);
	at = memmem(bytes.data, bytes.size, from, size);
	assert_non_null(at);
	memcpy(at + skip, to, to_size);
	write_all(path, &bytes);
	buffer_release(&bytes);
}

static void a_real_that_is_no_number_is_null(void **state)
{
	struct fixture *f = *state;
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct parts *p;
	struct reader r;

	make(f->a, "CREATE TABLE t(a); INSERT INTO t VALUES(1234.5)");
	/* header of two bytes, type 7, the value */
	patch(f->a, "\x02\x07\x40\x93\x4a", 5, 2, "\x7f\xf8", 2);
	r = reader_open(f->a);
	assert_rows(&r, "t", "1: null;");
	assert_parts_of(&r, NULL);
	assert_int_equal(
		database_parts(r.db, catalog_table(r.catalog, "t"), &p, &err),
		0);
	assert_int_equal(take_parts(p, catalog_table(r.catalog, "t"), 1, &out),
			 0);
	assert_memory_equal(out.data, "1: 0/0:", 7);
	parts_free(p);
	reader_close(&r);
	buffer_release(&out);
}

static void a_type_that_is_none_is_odd(void **state)
{
	struct fixture *f = *state;

	make(f->a, "CREATE TABLE t(a, b); INSERT INTO t VALUES(NULL, 'abc')");
	patch(f->a,
	      "\x03\x00\x13"
	      "abc",
	      6, 1, "\x0b", 1);
	assert_parts(f->a, "t");
}

/* A page without cells, where SQLite stops. */
static void an_empty_leaf_is_odd(void **state)
{
	struct buffer bytes = BUFFER_INIT;
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct reader r;
	struct value v;
	struct scan *s;
	int64_t rowid;
	int rc;

	make(f->a, "PRAGMA page_size=512; CREATE TABLE t(a);" COUNT(
			   90) "INSERT INTO t SELECT 'row ' || i FROM n");
	/* pages are schema, root, leaves: the first leaf's number of cells */
	read_all(f->a, &bytes);
	assert_int_equal(bytes.data[1024], 13);
	memset(bytes.data + 1024 + 3, 0, 2);
	write_all(f->a, &bytes);
	buffer_release(&bytes);
	assert_parts(f->a, "t");
	r = reader_open(f->a);
	assert_int_equal(
		database_scan(r.db, catalog_table(r.catalog, "t"), &s, &err),
		0);
	while ((rc = scan_next(s, &rowid, &v, &err)) > 0)
		;
	assert_int_equal(rc, -1);
	scan_free(s);
	reader_close(&r);
}

/* Flip bytes, most of them where pages begin: the rows are SQL's, or odd. */
static void damage_gives_the_rows_of_sql_or_none(void **state)
{
	struct fixture *f = *state;
	struct buffer whole = BUFFER_INIT;
	uint64_t seed = 7;
	struct reader r;
	int i, j, flips, seen[3] = { 0 };
	size_t k;

	make(f->a, "PRAGMA page_size=512; CREATE TABLE t(a, b);" COUNT(
			   300) "INSERT INTO t SELECT i * 1000, 'text' || i "
				"FROM n; UPDATE t SET b = zeroblob(2000) "
				"WHERE rowid % 90 = 0; CREATE TABLE k(a, b, "
				"PRIMARY KEY(b, a)) WITHOUT ROWID; INSERT "
				"INTO k SELECT * FROM t");
	read_all(f->a, &whole);
	for (i = 0; i < 600; i++) {
		struct buffer bytes = BUFFER_INIT;

		buffer_add(&bytes, whole.data, whole.size);
		flips = 1 + (int)(next_random(&seed) % 4);
		for (j = 0; j < flips; j++) {
			size_t at = 512 + next_random(&seed) % 512;

			at += next_random(&seed) % (whole.size / 512 - 2) * 512;
			if (next_random(&seed) % 2)
				at = at / 512 * 512 + at % 32;
			bytes.data[at] = (char)next_random(&seed);
		}
		write_all(f->b, &bytes);
		buffer_release(&bytes);
		if (try_reader(&r, f->b) < 0)
			continue;
		for (k = 0; k < r.catalog->table_count; k++) {
			fingerprint_all(r.db, &r.catalog->tables[k]);
			seen[compare_table(r.db, &r.catalog->tables[k],
					   i % 4)]++;
		}
		reader_close(&r);
	}
	buffer_release(&whole);
	/* it was a fair sample */
	assert_true(seen[0] > 50 && seen[2] > 50);
}

/* ---- fingerprints ---- */

static const unsigned char key[PARTS_KEY_SIZE] = { 3, 1, 4, 1, 5, 9 };

/* Fingerprints of all leaves of a table, behind each other. */
static void fingerprints(const char *path, const char *table,
			 const unsigned char *with, struct buffer *out)
{
	struct reader r = reader_open(path);
	unsigned char one[PARTS_FINGERPRINT_SIZE];
	struct error err = ERROR_INIT;
	struct parts *p;
	size_t i;

	buffer_clear(out);
	assert_int_equal(
		database_parts(r.db, catalog_table(r.catalog, table), &p, &err),
		0);
	for (i = 0; i < parts_count(p); i++) {
		assert_int_equal(parts_fingerprint(p, with, i, one, &err), 0);
		buffer_add(out, one, sizeof(one));
	}
	assert_int_equal(parts_fingerprint(p, with, i, one, &err), 1);
	parts_free(p);
	reader_close(&r);
}

/* How many of the leaves have other fingerprints now? */
static size_t changed(const char *path, const char *table, const char *text)
{
	struct buffer before = BUFFER_INIT, after = BUFFER_INIT;
	size_t i, count = 0;

	fingerprints(path, table, key, &before);
	make(path, text);
	fingerprints(path, table, key, &after);
	assert_int_equal(before.size, after.size);
	for (i = 0; i < before.size; i += PARTS_FINGERPRINT_SIZE)
		count += memcmp(before.data + i, after.data + i,
				PARTS_FINGERPRINT_SIZE) != 0;
	buffer_release(&before);
	buffer_release(&after);
	return count;
}

static void a_fingerprint_tells_of_its_leaf_and_what_overflows(void **state)
{
	struct fixture *f = *state;

	make_rows(f->a, "PRAGMA page_size=1024;");
	assert_int_equal(changed(f->a, "t",
				 "CREATE TABLE other(a);"
				 "INSERT INTO u VALUES(1, 2, 3)"),
			 0);
	assert_int_equal(
		changed(f->a, "t", "UPDATE t SET b = b + 1 WHERE id = 500"), 1);
	/* its last byte lies in an overflow page */
	assert_int_equal(changed(f->a, "t",
				 "UPDATE t SET d = CAST(substr(d, 1, "
				 "length(d) - 1) || x'01' AS BLOB) "
				 "WHERE id = (SELECT max(id) FROM t "
				 "WHERE length(d) > 4500)"),
			 1);
	assert_parts(f->a, NULL);
}

/* Each row is in one leaf, or between two of them. */
static void a_fingerprint_tells_of_the_row_behind_its_leaf(void **state)
{
	struct fixture *f = *state;
	char text[128];
	int i;

	make(f->a,
	     "PRAGMA page_size=512; CREATE TABLE k(a, b, PRIMARY KEY(a)) "
	     "WITHOUT ROWID;" COUNT(500) "INSERT INTO k SELECT i, "
					 "zeroblob(90) FROM n; UPDATE k SET "
					 "b = zeroblob(2000) WHERE a % 7 = 0");
	for (i = 1; i <= 60; i++) {
		snprintf(text, sizeof(text),
			 "UPDATE k SET b = CAST(substr(b, 1, length(b) - 1) || "
			 "x'01' AS BLOB) WHERE a = %d",
			 i);
		assert_int_equal(changed(f->a, "k", text), 1);
	}
	assert_parts(f->a, NULL);
}

static void a_fingerprint_depends_on_the_key(void **state)
{
	static const unsigned char other[PARTS_KEY_SIZE] = { 2, 7, 1, 8, 2, 8 };
	struct buffer a = BUFFER_INIT, b = BUFFER_INIT;
	struct fixture *f = *state;
	size_t i;

	make_rows(f->a, "");
	fingerprints(f->a, "t", key, &a);
	fingerprints(f->a, "t", other, &b);
	assert_int_equal(a.size, b.size);
	assert_true(a.size > 0);
	for (i = 0; i < a.size; i += PARTS_FINGERPRINT_SIZE)
		assert_memory_not_equal(a.data + i, b.data + i,
					PARTS_FINGERPRINT_SIZE);
	buffer_release(&a);
	buffer_release(&b);
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
	if (parts_scan(job->parts, &s, &err) < 0)
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
		fixture_test(a_wal_is_read_up_to_the_snapshot),
		fixture_test(a_half_checkpointed_wal_is_read),
		fixture_test(a_wal_that_starts_anew_is_not_read),
		fixture_test(a_shrunk_database_is_read),
		fixture_test(readers_and_checkpoints_come_in_any_order),
		fixture_test(a_real_that_is_no_number_is_null),
		fixture_test(a_type_that_is_none_is_odd),
		fixture_test(an_empty_leaf_is_odd),
		fixture_test(damage_gives_the_rows_of_sql_or_none),
		fixture_test(
			a_fingerprint_tells_of_its_leaf_and_what_overflows),
		fixture_test(a_fingerprint_tells_of_the_row_behind_its_leaf),
		fixture_test(a_fingerprint_depends_on_the_key),
		fixture_test(several_threads_read_one_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
