/*
 * test_scan.c - rows as they are stored, in the order of their table
 */
#include "tests/database/fixture.h"

static void every_class_comes_as_it_is_stored(void **state)
{
	struct reader r = read_made(
		state, "CREATE TABLE t(a, b, c); INSERT INTO t VALUES"
		       "(NULL, 9223372036854775807, -9223372036854775808),"
		       "(1.0, -0.0, 1e999), ('', 'a', CAST(x'ff00fe' AS TEXT)),"
		       "(x'', x'0102', zeroblob(2)), (5e-324, 0.1, '1')");

	assert_rows(
		&r, "t",
		"1: null 9223372036854775807 -9223372036854775808;"
		"2: r1 r-0 rinf;3: '' 'a' '\xff\0\xfe';4: b: b:0102 b:0000;");
	reader_close(&r);
}

/* The fixture's text ends at a NUL: look at the value itself. */
static void a_nul_inside_a_text_is_kept(void **state)
{
	struct reader r = read_made(state,
				    "CREATE TABLE t(a); INSERT INTO t VALUES"
				    "(CAST(x'610062' AS TEXT))");
	struct error err = ERROR_INIT;
	struct value v;
	struct scan *s;
	int64_t rowid;

	assert_int_equal(
		database_scan(r.db, catalog_table(r.catalog, "t"), &s, &err),
		0);
	assert_int_equal(scan_next(s, &rowid, &v, &err), 1);
	assert_int_equal(v.class, VALUE_TEXT);
	assert_int_equal(v.size, 3);
	assert_memory_equal(v.data, "a\0b", 3);
	assert_int_equal(scan_next(s, &rowid, &v, &err), 0);
	scan_free(s);
	reader_close(&r);
}

static void a_column_that_was_added_gives_its_default(void **state)
{
	struct reader r = read_made(
		state, "CREATE TABLE t(a); INSERT INTO t VALUES(1);"
		       "ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'old';"
		       "INSERT INTO t VALUES(2, NULL);");

	assert_rows(&r, "t", "1: 1 'old';2: 2 null;");
	reader_close(&r);
}

static void a_null_in_a_not_null_column_is_seen(void **state)
{
	struct reader r = read_made(
		state, "CREATE TABLE t(a); INSERT INTO t VALUES(NULL);"
		       "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
		       "sql='CREATE TABLE t(a NOT NULL)'");

	assert_rows(&r, "t", "1: null;");
	reader_close(&r);
}

static void rowids_come_ascending_also_below_zero(void **state)
{
	struct reader r = read_made(
		state, "CREATE TABLE t(a); CREATE INDEX i ON t(a);"
		       "INSERT INTO t(rowid, a) VALUES(9, 1), (-4, 3), "
		       "(9223372036854775807, 0), (0, 2)");

	assert_rows(&r, "t", "-4: 3;0: 2;9: 1;9223372036854775807: 0;");
	reader_close(&r);
}

static void an_index_that_covers_the_table_does_not_serve_it(void **state)
{
	struct reader r = read_made(
		state,
		"CREATE TABLE w(u UNIQUE, k, PRIMARY KEY(k)) WITHOUT ROWID;"
		"CREATE INDEX i ON w(u, k);"
		"INSERT INTO w VALUES(1, 'c'), (2, 'b'), (3, 'a');"
		"CREATE TABLE d(v, b, a, PRIMARY KEY(a DESC, b)) WITHOUT ROWID;"
		"INSERT INTO d VALUES(1, 1, 'p'), (2, 0, 'q'), (3, 0, 'p')");

	assert_rows(&r, "w", "0: 3 'a';0: 2 'b';0: 1 'c';");
	assert_rows(&r, "d", "0: 2 0 'q';0: 3 0 'p';0: 1 1 'p';");
	reader_close(&r);
}

static void generated_columns_are_not_computed(void **state)
{
	struct reader r = read_made(
		state, "CREATE TABLE t(v AS (1/0), a, s AS (a+1) STORED, b);"
		       "INSERT INTO t(a, b) VALUES(1, 2);"
		       "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
		       "sql='CREATE TABLE t(v AS (missing(a)), a, s AS (a+1) "
		       "STORED, b)'");

	assert_rows(&r, "t", "1: 1 2;");
	reader_close(&r);
}

static void names_that_look_like_sql_are_names(void **state)
{
	struct reader r = read_made(
		state, "CREATE TABLE \"a\"\"b; --\"(\"x\"\"y\", \"\", "
		       "[select], '1');"
		       "INSERT INTO \"a\"\"b; --\" VALUES(1, 2, 3, 4)");

	assert_rows(&r, "a\"b; --", "1: 1 2 3 4;");
	reader_close(&r);
}

/* One column more than SQLite allows in a result, with the rowid. */
static void as_many_columns_as_sqlite_allows_are_read(void **state)
{
	struct fixture *f = *state;
	struct buffer text = BUFFER_INIT;
	struct reader r;
	char *rows;
	int i;

	buffer_str(&text, "CREATE TABLE t(c0");
	for (i = 1; i < 2000; i++)
		buffer_printf(&text, ", c%d", i);
	buffer_str(&text, "); INSERT INTO t(rowid, c0, c1998, c1999) VALUES"
			  "(7, 'first', 'last but one', 'last'), "
			  "(8, 1, 2, 3)");
	make(f->a, buffer_cstr(&text));
	r = reader_open(f->a);
	rows = rows_of(&r, "t");
	assert_memory_equal(rows, "7: 'first' null", 15);
	assert_non_null(strstr(rows, "null 'last but one' 'last';8: 1 null"));
	assert_non_null(strstr(rows, "null 2 3;"));
	free(rows);
	build_well(&r, f->b);
	assert_same(&r, f->b);
	reader_close(&r);
	buffer_release(&text);
}

static void read_utf16(void **state, const char *encoding, const char *pair,
		       const char *lone, const char *mark)
{
	struct fixture *f = *state;
	char text[512], want[256];
	struct reader r;

	snprintf(text, sizeof(text),
		 "PRAGMA encoding='%s'; CREATE TABLE t(a, b);"
		 "INSERT INTO t VALUES('e\xcc\x81', CAST(x'%s' AS TEXT)),"
		 "(CAST(x'%s' AS TEXT), x'ff'), ('', CAST(x'%s' AS TEXT))",
		 encoding, pair, lone, mark);
	make(f->a, text);
	r = reader_open(f->a);
	snprintf(want, sizeof(want),
		 "1: 'e\xcc\x81' '\xf0\x9f\x98\x80';2: t16:%s b:ff;"
		 "3: '' '\xef\xbb\xbf"
		 "a';",
		 lone);
	assert_rows(&r, "t", want);
	build_well(&r, f->b);
	assert_same(&r, f->b);
	assert_sql(f->b, "PRAGMA integrity_check", "ok");
	reader_close(&r);
}

static void utf16_little_endian_is_read_and_built(void **state)
{
	read_utf16(state, "UTF-16le", "3dd800de", "610000d86200", "fffe6100");
}

static void utf16_big_endian_is_read_and_built(void **state)
{
	read_utf16(state, "UTF-16be", "d83dde00", "0061d8000062", "feff0061");
}

/* Put other bytes at an offset of a file. */
static void patch(const char *path, long at, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "r+b");

	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, size, 1, file), 1);
	fclose(file);
}

static void odd_utf16_is_read_but_not_cut_when_written(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct reader r;

	/* a blob of three bytes becomes a text: type 18 becomes 19 */
	make(f->a, "PRAGMA page_size=512; PRAGMA encoding='UTF-16be';"
		   "CREATE TABLE t(a); INSERT INTO t VALUES(x'610062')");
	patch(f->a, 1024 - 4, "\x13", 1);
	r = reader_open(f->a);
	assert_rows(&r, "t", "1: t16:610062;");
	assert_int_equal(build(&r, f->b, 0, 0, NULL, &err), -1);
	assert_string_equal(err.message,
			    "table 't': UTF-16 text with an odd number of "
			    "bytes can't be written");
	reader_close(&r);
}

/* ---- damage ---- */

static void overwrite_page(const char *path, long page)
{
	char junk[512];

	memset(junk, 0xaa, sizeof(junk));
	patch(path, (page - 1) * 512, junk, sizeof(junk));
}

static void assert_stops(const char *path, const char *message)
{
	struct reader r = reader_open(path);
	struct error err = ERROR_INIT;
	struct value v[2];
	struct scan *s;
	int64_t rowid;
	int rc;

	assert_int_equal(
		database_scan(r.db, catalog_table(r.catalog, "t"), &s, &err),
		0);
	while ((rc = scan_next(s, &rowid, v, &err)) > 0)
		;
	assert_int_equal(rc, -1);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, ERROR_DAMAGE);
	scan_free(s);
	reader_close(&r);
}

static void damage_is_told_with_table_and_rowid(void **state)
{
	struct fixture *f = *state;

	make(f->a, "PRAGMA page_size=512; CREATE TABLE t(a, b);"
		   "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 "
		   "FROM c WHERE i<100) INSERT INTO t SELECT i,"
		   "hex(zeroblob(50)) FROM c");
	overwrite_page(f->a, 10);
	assert_stops(f->a, "table 't' can't be read behind rowid 28: database "
			   "disk image is malformed");
}

static void damage_before_the_first_row_is_told(void **state)
{
	struct fixture *f = *state;

	make(f->a, "PRAGMA page_size=512; CREATE TABLE t(a, b);"
		   "INSERT INTO t VALUES(1, 2)");
	overwrite_page(f->a, 2);
	assert_stops(f->a, "table 't' can't be read from its first row on: "
			   "database disk image is malformed");
}

static void damage_without_a_rowid_is_told_with_the_row(void **state)
{
	struct fixture *f = *state;

	make(f->a, "PRAGMA page_size=512; CREATE TABLE t(a PRIMARY KEY, b)"
		   " WITHOUT ROWID;"
		   "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 "
		   "FROM c WHERE i<100) INSERT INTO t SELECT i,"
		   "hex(zeroblob(30)) FROM c");
	overwrite_page(f->a, 10);
	assert_stops(f->a, "table 't' can't be read behind row 56: database "
			   "disk image is malformed");
}

/* A tree that was tampered with may give a row twice. */
static void rowids_that_do_not_ascend_are_damage(void **state)
{
	struct fixture *f = *state;

	make(f->a, "PRAGMA page_size=512; CREATE TABLE t(a, b);"
		   "INSERT INTO t VALUES('x', 1), ('y', 2)");
	/* both cells of the leaf are the first one, the last 6 bytes of the
	 * page */
	patch(f->a, 512 + 8, "\x01\xfa\x01\xfa", 4);
	assert_stops(f->a, "table 't' can't be read behind rowid 1: rowids do "
			   "not ascend");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(every_class_comes_as_it_is_stored),
		fixture_test(a_nul_inside_a_text_is_kept),
		fixture_test(a_column_that_was_added_gives_its_default),
		fixture_test(a_null_in_a_not_null_column_is_seen),
		fixture_test(rowids_come_ascending_also_below_zero),
		fixture_test(an_index_that_covers_the_table_does_not_serve_it),
		fixture_test(generated_columns_are_not_computed),
		fixture_test(names_that_look_like_sql_are_names),
		fixture_test(as_many_columns_as_sqlite_allows_are_read),
		fixture_test(utf16_little_endian_is_read_and_built),
		fixture_test(utf16_big_endian_is_read_and_built),
		fixture_test(odd_utf16_is_read_but_not_cut_when_written),
		fixture_test(damage_is_told_with_table_and_rowid),
		fixture_test(damage_before_the_first_row_is_told),
		fixture_test(damage_without_a_rowid_is_told_with_the_row),
		fixture_test(rowids_that_do_not_ascend_are_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
