/*
 * test_data.c - the folder data/ of a snapshot
 */
#include "tests/export/sample.h"

static const char shop[] =
	"CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);"
	"CREATE TABLE empty(x);"
	"CREATE TABLE tags(tag TEXT PRIMARY KEY, n) WITHOUT ROWID;"
	"CREATE TABLE orders(user REFERENCES users(id), total REAL,"
	" twice AS (total * 2));"
	"CREATE INDEX by_total ON orders(total);"
	"INSERT INTO users VALUES(1,'Ada'),(7,NULL);"
	"INSERT INTO tags VALUES('b',x'00ff'),('a',1e999);"
	"INSERT INTO orders(rowid,user,total) VALUES(5,7,1.5);";

static void expect_file(struct sample *s, const struct object_id *root,
			const char *path, const char *text)
{
	char *got = sample_file(s, root, path, NULL);

	if (!text) {
		assert_null(got);
	} else {
		assert_non_null(got);
		assert_string_equal(got, text);
	}
	free(got);
}

static void rows_lie_in_a_folder_a_table(void **state)
{
	struct object_id id;
	struct sample s;

	(void)state;
	sample_open(&s, shop);
	sample_export(&s, &id);
	expect_file(&s, &id, "tables/users/0.jsonl",
		    "{\"id\":1,\"name\":\"Ada\"}\n{\"id\":7}\n");
	expect_file(&s, &id, "tables/tags/0.jsonl",
		    "{\"tag\":\"a\",\"n\":{\"$real\":\"inf\"}}\n"
		    "{\"tag\":\"b\",\"n\":{\"$blob\":\"AP8=\"}}\n");
	expect_file(&s, &id, "tables/orders/0.jsonl",
		    "{\"rowid\":5,\"user\":7,\"total\":1.5}\n");
	expect_file(&s, &id, "tables/sqlite_sequence/0.jsonl",
		    "{\"name\":\"users\",\"seq\":7}\n");
	expect_file(&s, &id, "tables/empty/0.jsonl", NULL);
	sample_close(&s);
}

static void tables_know_their_rows_bytes_and_digest_afterwards(void **state)
{
	struct object_id id;
	const struct table *t;
	struct sample s;
	char *manifest;

	(void)state;
	sample_open(&s, shop);
	sample_export(&s, &id);
	t = catalog_table(s.catalog, "users");
	assert_int_equal(t->rows, 2);
	assert_int_equal(t->bytes, 31);
	assert_int_equal(catalog_table(s.catalog, "empty")->rows, 0);
	/* sha256sum of the file above */
	manifest = sample_file(&s, &id, "manifest.json", NULL);
	assert_non_null(
		strstr(manifest,
		       "\"rows\": 2,\n  \"sha256\": \"dea9913bd42f357bccd41642"
		       "b1469e1984b86d0aca81e66d9647e6380d65bece\""));
	free(manifest);
	sample_close(&s);
}

static void the_schema_is_there_word_for_word(void **state)
{
	struct object_id id;
	struct sample s;

	(void)state;
	sample_open(&s, "CREATE TABLE  a (x); CREATE VIEW v AS SELECT 1;");
	sample_export(&s, &id);
	expect_file(&s, &id, "schema.json",
		    "[\n{\"type\":\"table\",\"name\":\"a\",\"table\":\"a\","
		    "\"sql\":\"CREATE TABLE a (x)\"},\n"
		    "{\"type\":\"view\",\"name\":\"v\",\"table\":\"v\","
		    "\"sql\":\"CREATE VIEW v AS SELECT 1\"}\n]\n");
	sample_close(&s);
}

static void a_database_without_tables_has_no_folder_of_tables(void **state)
{
	struct source_names names = { 0 };
	struct error err = ERROR_INIT;
	struct source *source;
	struct object_id id;
	struct sample s;

	(void)state;
	sample_open(&s, "");
	sample_export(&s, &id);
	source = memory_store_source(s.store, &id);
	assert_int_equal(source->list(source, "", &names, &err), 0);
	assert_int_equal(names.count, 2);
	assert_string_equal(names.names[0].name, "manifest.json");
	assert_string_equal(names.names[1].name, "schema.json");
	source_names_release(&names);
	source_free(source);
	sample_close(&s);
}

static void page_layout_does_not_change_the_content_id(void **state)
{
	struct object_id first, second;
	struct sample s;

	(void)state;
	sample_open(&s, shop);
	sample_export(&s, &first);
	sample_close(&s);
	sample_open(&s,
		    "PRAGMA page_size = 512; PRAGMA auto_vacuum = 1;"
		    "CREATE TABLE gone(x);"
		    "INSERT INTO gone VALUES(zeroblob(90000));"
		    "DROP TABLE gone;"
		    "CREATE TABLE tags(tag TEXT PRIMARY KEY, n) WITHOUT ROWID;"
		    "CREATE TABLE orders(user REFERENCES users(id), total REAL,"
		    " twice AS (total * 2));"
		    "INSERT INTO orders(rowid,user,total) VALUES(9,7,1.5);"
		    "INSERT INTO orders(rowid,user,total) VALUES(5,7,1.5);"
		    "DELETE FROM orders WHERE rowid = 9;"
		    "INSERT INTO tags VALUES('a',1e999),('b',x'00ff');"
		    "CREATE TABLE empty(x);"
		    "CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT,"
		    " name TEXT);"
		    "CREATE INDEX by_total ON orders(total);"
		    "INSERT INTO users VALUES(1,'Ada'),(7,NULL);");
	sample_export(&s, &second);
	sample_close(&s);
	assert_memory_equal(&first, &second, sizeof(first));
}

/* ---- rows sorted by their lines ---- */

static void rows_under_an_unknown_collation_are_sorted_by_line(void **state)
{
	struct object_id id;
	struct sample s;

	(void)state;
	sample_open(&s, "CREATE TABLE t(k TEXT COLLATE app PRIMARY KEY, v)"
			" WITHOUT ROWID;"
			"INSERT INTO t VALUES('a',1),('c',2),('b',3),('B',4)");
	assert_int_equal(catalog_table(s.catalog, "t")->order, ORDER_SORTED);
	sample_export(&s, &id);
	expect_file(&s, &id, "tables/t/0.jsonl",
		    "{\"k\":\"B\",\"v\":4}\n{\"k\":\"a\",\"v\":1}\n"
		    "{\"k\":\"b\",\"v\":3}\n{\"k\":\"c\",\"v\":2}\n");
	sample_close(&s);
}

static void big_values_of_sorted_rows_lie_in_part_files(void **state)
{
	/* sha256sum of 1,500,000 zero bytes */
	static const char part[] =
		"tables/t/values/3f/b3661f659e89fea0d325bc25ae17d9410cd6c85867"
		"e55ed641ed062650a55e-0";
	struct object_id id;
	struct sample s;
	size_t size;
	char *bytes;

	(void)state;
	sample_open(&s, "CREATE TABLE t(k TEXT COLLATE app PRIMARY KEY, v)"
			" WITHOUT ROWID;"
			"INSERT INTO t VALUES('a',zeroblob(1500000)),('b',1)");
	sample_export(&s, &id);
	bytes = sample_file(&s, &id, part, &size);
	assert_non_null(bytes);
	assert_int_equal(size, 1500000);
	free(bytes);
	sample_close(&s);
}

static void the_sequence_is_sorted_by_line(void **state)
{
	struct object_id id;
	struct sample s;

	(void)state;
	sample_open(&s, "CREATE TABLE b(i INTEGER PRIMARY KEY AUTOINCREMENT);"
			"CREATE TABLE a(i INTEGER PRIMARY KEY AUTOINCREMENT);"
			"INSERT INTO b VALUES(3); INSERT INTO a VALUES(4);"
			"INSERT INTO sqlite_sequence VALUES('a',NULL),('a',4)");
	sample_export(&s, &id);
	expect_file(&s, &id, "tables/sqlite_sequence/0.jsonl",
		    "{\"name\":\"a\",\"seq\":4}\n{\"name\":\"a\",\"seq\":4}\n"
		    "{\"name\":\"a\"}\n{\"name\":\"b\",\"seq\":3}\n");
	sample_close(&s);
}

/* ---- progress and trouble ---- */

struct counting_progress {
	struct export_progress progress;
	int ticks, stop_at;
	uint64_t last;
	char tables[256];
};

static int count_tick(struct export_progress *p, const char *table,
		      uint64_t rows)
{
	struct counting_progress *c = (struct counting_progress *)p;

	assert_true(rows >= c->last);
	c->last = rows;
	if (strlen(c->tables) + strlen(table) + 2 < sizeof(c->tables)) {
		memcpy(c->tables + strlen(c->tables), table, strlen(table) + 1);
		memcpy(c->tables + strlen(c->tables), " ", 2);
	}
	return ++c->ticks == c->stop_at;
}

static const char many[] =
	"CREATE TABLE a(x); CREATE TABLE b(x);"
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	" WHERE i < 2500) INSERT INTO a SELECT i FROM n;"
	"INSERT INTO b VALUES(zeroblob(9000000)),(1);";

static void progress_is_told_now_and_then(void **state)
{
	struct counting_progress p = { .progress = { count_tick } };
	struct error err = ERROR_INIT;
	struct object_id id;
	struct sample s;

	(void)state;
	sample_open(&s, many);
	assert_int_equal(export_data(s.db, s.catalog,
				     memory_store_sink(s.store), &p.progress,
				     &id, &err),
			 0);
	/* at each beginning, each thousand rows, each eight megabytes */
	assert_string_equal(p.tables, "a a a b b ");
	assert_int_equal(p.last, 2501);
	sample_close(&s);
}

static void progress_can_stop_the_export(void **state)
{
	struct counting_progress p = { .progress = { count_tick },
				       .stop_at = 2 };
	struct error err = ERROR_INIT;
	struct object_id id;
	struct sample s;

	(void)state;
	sample_open(&s, many);
	assert_int_equal(export_data(s.db, s.catalog,
				     memory_store_sink(s.store), &p.progress,
				     &id, &err),
			 -1);
	assert_int_equal(err.code, ERROR_INTERRUPTED);
	assert_string_equal(err.message, "interrupted");
	sample_close(&s);
}

/* A sink whose n-th object finds the disk full. */
struct full_sink {
	struct sink sink;
	struct sink *behind;
	int left;
};

static int put_or_fail(struct sink *sink, enum object_type type,
		       const char *name, const void *data, size_t size,
		       struct object_id *id, struct error *err)
{
	struct full_sink *f = (struct full_sink *)sink;

	if (!f->left--)
		return error_set(err, ERROR_NOSPACE, "the disk is full");
	return f->behind->put(f->behind, type, name, data, size, id, err);
}

static void a_full_disk_at_any_object_ends_the_export(void **state)
{
	struct object_id id;
	struct sample s;
	int n, rc = -1;

	(void)state;
	sample_open(&s, shop);
	for (n = 0; rc < 0; n++) {
		struct full_sink f = { { .put = put_or_fail },
				       memory_store_sink(s.store),
				       n };
		struct error err = ERROR_INIT;

		rc = export_data(s.db, s.catalog, &f.sink, NULL, &id, &err);
		assert_int_equal(err.code, rc ? ERROR_NOSPACE : ERROR_NONE);
	}
	/* rows and folder of 4 tables, 2 lists, tables/, 2 files, data/ */
	assert_int_equal(n - 1, 14);
	sample_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_lie_in_a_folder_a_table),
		cmocka_unit_test(
			tables_know_their_rows_bytes_and_digest_afterwards),
		cmocka_unit_test(the_schema_is_there_word_for_word),
		cmocka_unit_test(
			a_database_without_tables_has_no_folder_of_tables),
		cmocka_unit_test(page_layout_does_not_change_the_content_id),
		cmocka_unit_test(
			rows_under_an_unknown_collation_are_sorted_by_line),
		cmocka_unit_test(big_values_of_sorted_rows_lie_in_part_files),
		cmocka_unit_test(the_sequence_is_sorted_by_line),
		cmocka_unit_test(progress_is_told_now_and_then),
		cmocka_unit_test(progress_can_stop_the_export),
		cmocka_unit_test(a_full_disk_at_any_object_ends_the_export),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
