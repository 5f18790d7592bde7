/*
 * test_parts_damage.c - damaged pages give the rows of SQL, or none
 */
#include "tests/database/parts_fixture.h"

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
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct parts *p;

	if (database_parts(db, t, &p, &err))
		return;
	assert_true(parts_fingerprint(p, key, 0, SIZE_MAX, &out, &err) >= 0);
	buffer_release(&out);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_real_that_is_no_number_is_null),
		fixture_test(a_type_that_is_none_is_odd),
		fixture_test(an_empty_leaf_is_odd),
		fixture_test(damage_gives_the_rows_of_sql_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
