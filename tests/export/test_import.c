/*
 * test_import.c - a database through its document is the same snapshot
 */
#include "tests/export/sample.h"

#include "snapshot/document.h"

static int take(void *payload, const void *data, size_t size, struct error *err)
{
	(void)err;
	buffer_add(payload, data, size);
	return 0;
}

struct text_input {
	struct byte_input base;
	const struct buffer *text;
	size_t at;
};

static ssize_t read_text(struct byte_input *input, void *data, size_t size,
			 struct error *err)
{
	struct text_input *t = (struct text_input *)input;
	size_t n = t->text->size - t->at;

	(void)err;
	n = n < size ? n : size;
	memcpy(data, t->text->data + t->at, n);
	t->at += n;
	return (ssize_t)n;
}

/* Content ids of a database, and of what its document gives. */
static void both_ways(const char *sql, struct object_id *direct,
		      struct object_id *imported)
{
	struct snapshot_info info = { .created_at_s = 1763607322,
				      .source = (char *)"app.db",
				      .page_size = 4096 };
	struct buffer text = BUFFER_INIT;
	struct text_input in = { { read_text }, &text, 0 };
	struct error err = ERROR_INIT;
	struct document *d;
	struct sample s;

	sample_open(&s, sql);
	assert_int_equal(
		export_document(s.db, s.catalog, &info, take, &text, &err), 0);
	sample_export(&s, direct);
	if (document_open(&d, &in.base, "'x.json'", &err) < 0 ||
	    export_import(d, memory_store_sink(s.store), NULL, imported, &err) <
		    0)
		fail_msg("%s", err.message);
	for (size_t i = 0; i < s.catalog->table_count; i++) {
		const struct table *a = &s.catalog->tables[i];
		const struct table *b = &document_catalog(d)->tables[i];

		assert_int_equal(a->rows, b->rows);
		assert_int_equal(a->bytes, b->bytes);
		assert_memory_equal(a->sha256, b->sha256, 32);
	}
	document_free(d);
	buffer_release(&text);
	sample_close(&s);
}

static void the_same(const char *sql)
{
	struct object_id direct, imported;

	both_ways(sql, &direct, &imported);
	assert_memory_equal(&direct, &imported, sizeof(direct));
}

static void an_imported_document_is_the_same_content(void **state)
{
	(void)state;
	the_same("");
	the_same("CREATE TABLE a(id INTEGER PRIMARY KEY, x); CREATE TABLE b(x);"
		 "INSERT INTO a VALUES(1,'x'),(2,NULL),(3,0.1),(4,x'00ff'),"
		 "(5,9e999),(6,-9223372036854775808),(7,'')");
	the_same("CREATE TABLE t(a TEXT, b, PRIMARY KEY(b, a)) WITHOUT ROWID;"
		 "INSERT INTO t VALUES('x',2),('y',1),('z',NULL OR 3);"
		 "CREATE VIEW v AS SELECT 1; CREATE INDEX i ON t(a)");
	the_same("CREATE TABLE \"\xff\"(\"\xfe\" , x);"
		 "INSERT INTO \"\xff\" VALUES(1,2)");
	the_same("PRAGMA encoding='UTF-16le'; CREATE TABLE t(x);"
		 "INSERT INTO t VALUES('abc'),(CAST(x'00d8' AS TEXT))");
	the_same("CREATE TABLE t(x AS (y + 1), y, z AS (y) STORED);"
		 "INSERT INTO t VALUES(5)");
	the_same("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, x);"
		 "INSERT INTO t(x) VALUES(1),(2); DELETE FROM t; ANALYZE");
}

static void many_rows_make_the_same_files(void **state)
{
	(void)state;
	the_same("CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT);"
		 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM "
		 "n WHERE i < 30000) INSERT INTO t SELECT i * 3, 'value ' || i "
		 "FROM n");
}

static void big_values_go_into_their_files(void **state)
{
	(void)state;
	the_same("CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(3000000)),"
		 "(1),(printf('%.*c', 2000000, 'x'))");
}

static void lines_are_sorted_again(void **state)
{
	(void)state;
	the_same("CREATE TABLE t(k TEXT COLLATE app PRIMARY KEY, v)"
		 "WITHOUT ROWID;"
		 "INSERT INTO t VALUES('a',zeroblob(1500000)),('c',1),"
		 "('b',NULL)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_imported_document_is_the_same_content),
		cmocka_unit_test(many_rows_make_the_same_files),
		cmocka_unit_test(big_values_go_into_their_files),
		cmocka_unit_test(lines_are_sorted_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
