/*
 * test_page_write_file.c - the file around a table that we write: which ones
 * are for us, and what SQLite makes of them afterwards
 */
#include "tests/database/page_twins.h"

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
			assert_int_equal(t.w.out.lock_page,
					 0x40000000 / 512 + 1);
			t.w.out.lock_page = (uint32_t)lock_page;
			for (int i = 0; i < count; i++)
				add_blob(&t, i, i % 9 ? 200 : (size_t)size);
			twins_close(&t);
		}
		sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, 0x40000000);
	}
}

static void add_entries(struct index_writer *w, sqlite3 *sql)
{
	static const enum affinity none[2];
	struct value values[2] = { { .class = VALUE_BLOB },
				   { .class = VALUE_INTEGER } };
	struct record_writer r;
	char record[2000];
	sqlite3_stmt *st;

	assert_int_equal(record_writer_init(&r, none, 2, -1), SQLITE_OK);
	assert_int_equal(sql_prepare(sql, &st, NULL,
				     "SELECT a, rowid FROM t ORDER BY a"),
			 0);
	while (sqlite3_step(st) == SQLITE_ROW) {
		values[0].data = sqlite3_column_blob(st, 0);
		values[0].size = (size_t)sqlite3_column_bytes(st, 0);
		values[1].integer = sqlite3_column_int64(st, 1);
		record_writer_set(&r, values);
		record_write(&r, (unsigned char *)record);
		assert_int_equal(index_writer_add(w, record, (size_t)r.size),
				 SQLITE_OK);
	}
	sqlite3_finalize(st);
	record_writer_release(&r);
}

/* A leaf, an overflow page or an interior page there, or the end before it. */
static void indexes_leave_the_page_with_locks_empty(void **state)
{
	struct fixture *f = *state;
	int lock_byte = 0x10000, lock_page = lock_byte / 512 + 1;
	struct index_writer w;
	char text[300];
	sqlite3 *sql;

	for (int count = 196; count < 300; count++) {
		sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, lock_byte);
		snprintf(text, sizeof(text),
			 "CREATE TABLE t(a); WITH RECURSIVE c(i) AS (SELECT 1 "
			 "UNION ALL SELECT i+1 FROM c LIMIT %d) INSERT INTO t "
			 "SELECT CAST(printf('%%0*d', iif(i %% 9, 100, 700), i)"
			 " AS BLOB) FROM c",
			 count);
		sql = make_file(f->a, 512, 0, text);
		assert_int_equal(index_writer_open(&w, sql, 0), SQLITE_OK);
		assert_true(w.root < (uint32_t)lock_page);
		w.out.lock_page = (uint32_t)lock_page;
		add_entries(&w, sql);
		assert_int_equal(index_writer_end(&w), SQLITE_OK);
		assert_true(w.out.count >= (uint32_t)lock_page - 1);
		snprintf(text, sizeof(text),
			 "PRAGMA writable_schema = ON; INSERT INTO "
			 "sqlite_schema VALUES('index', 'i', 't', %u, "
			 "'CREATE INDEX i ON t(a)'); PRAGMA writable_schema "
			 "= RESET",
			 w.root);
		index_writer_release(&w);
		app_run(sql, text);
		assert_sound(sql);
		sqlite3_close(sql);
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
	w.out.most = w.out.next - 1;
	v.size = 497;
	record_writer_set(&r, &v);
	assert_int_equal(table_writer_add(&w, 3, &r), SQLITE_FULL);
	table_writer_release(&w);
	record_writer_release(&r);
	/* nothing was ended: the table is as it was */
	assert_integer(sql, "SELECT count(*) FROM t", 0);
	sqlite3_close(sql);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(the_page_with_locks_stays_empty),
		fixture_test(indexes_leave_the_page_with_locks_empty),
		fixture_test(sqlite_goes_on_behind_what_we_wrote),
		fixture_test(files_that_are_not_for_us_are_told),
		fixture_test(limits_of_sqlite_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
