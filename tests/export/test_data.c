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
	struct counting_progress p = { .progress = { .tick = count_tick } };
	struct error err = ERROR_INIT;
	struct object_id id;
	struct sample s;

	(void)state;
	sample_open(&s, many);
	assert_int_equal(export_data(s.db, s.catalog,
				     memory_store_sink(s.store), &p.progress,
				     &id, &err),
			 0);
	/* at each job, each thousand rows, each eight megabytes, at the end */
	assert_string_equal(p.tables, "a a a b b b ");
	assert_int_equal(p.last, 2502);
	sample_close(&s);
}

struct stored_tables {
	struct export_progress progress; /* first */
	struct sample *sample;
	size_t count;
	struct object_id folders[8];
	int has_folder[8];
};

static void note_stored(struct export_progress *p, size_t table,
			const struct object_id *folder)
{
	struct stored_tables *t = (struct stored_tables *)p;
	const unsigned char none[32] = { 0 };
	const struct table *is = &t->sample->catalog->tables[table];

	assert_int_equal(table, t->count);
	t->has_folder[t->count] = folder != NULL;
	if (folder)
		t->folders[t->count] = *folder;
	/* what the manifest says of it is known by now */
	assert_int_equal(is->rows, folder ? 1 : 0);
	assert_true(memcmp(is->sha256, none, sizeof(none)) != 0);
	t->count++;
}

static int ignore_tick(struct export_progress *p, const char *table,
		       uint64_t rows)
{
	(void)p;
	(void)table;
	(void)rows;
	return 0;
}

static void tables_are_told_as_they_are_stored(void **state)
{
	struct stored_tables t = { .progress = { .tick = ignore_tick,
						 .stored = note_stored } };
	struct object_id content;
	struct error err = ERROR_INIT;
	struct sample s;

	(void)state;
	sample_open(&s, "CREATE TABLE a(x REFERENCES c(x));"
			"CREATE TABLE b(x); CREATE TABLE c(x PRIMARY KEY);"
			"INSERT INTO a VALUES(1); INSERT INTO c VALUES(1)");
	t.sample = &s;
	assert_int_equal(export_data(s.db, s.catalog,
				     memory_store_sink(s.store), &t.progress,
				     &content, &err),
			 0);
	assert_int_equal(t.count, 3);
	for (size_t i = 0; i < t.count; i++) {
		const char *name = s.catalog->tables[i].name;
		char *rows;

		assert_int_equal(t.has_folder[i], *name != 'b');
		if (!t.has_folder[i])
			continue;
		rows = sample_file(&s, &t.folders[i], "0.jsonl", NULL);
		assert_string_equal(rows, "{\"rowid\":1,\"x\":1}\n");
		free(rows);
	}
	sample_close(&s);
}

static void progress_can_stop_the_export(void **state)
{
	struct counting_progress p = { .progress = { .tick = count_tick },
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

static void a_full_disk_at_any_object_ends_the_export(void **state)
{
	struct object_id id;
	struct sample s;
	int n, rc = -1;

	(void)state;
	sample_open(&s, shop);
	for (n = 0; rc < 0; n++) {
		struct full_sink f = { { .put = full_sink_put },
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

/* ---- several threads ---- */

/* Tables of all kinds, of one leaf and of many; rows that overflow. */
static const char many_kinds[] =
	"PRAGMA page_size = 512;"
	"CREATE TABLE r(id INTEGER PRIMARY KEY, t TEXT, x);"
	"CREATE TABLE none(x);"
	"CREATE TABLE w(a, b, PRIMARY KEY(b, a)) WITHOUT ROWID;"
	"CREATE TABLE s(k TEXT COLLATE app PRIMARY KEY, v) WITHOUT ROWID;"
	"CREATE TABLE z(rowid, _rowid_, oid);"
	"CREATE TABLE big(x);"
	"CREATE TABLE few(x);"
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	" WHERE i < 30000) INSERT INTO r SELECT i * 7, 'row ' || i,"
	" CASE WHEN i % 1000 THEN i / 8.0 ELSE hex(zeroblob(i)) END FROM n;"
	"INSERT INTO w SELECT id, t FROM r;"
	"INSERT INTO s SELECT t, id FROM r LIMIT 9000;"
	"INSERT INTO z SELECT id, t, x FROM r LIMIT 20000;"
	"INSERT INTO big SELECT zeroblob(id * 60) FROM r LIMIT 100;"
	"INSERT INTO big VALUES(zeroblob(3000000)),(zeroblob(20000000)),"
	"(zeroblob(3000000)),(1);"
	"INSERT INTO few VALUES(1);";

static int export_with(struct sample *s, unsigned int jobs,
		       struct object_id *id, struct error *err)
{
	struct export_progress p = { .jobs = jobs };

	return export_data(s->db, s->catalog, memory_store_sink(s->store), &p,
			   id, err);
}

static void content_does_not_depend_on_threads(void **state)
{
	static const unsigned int jobs[] = { 1, 2, 3, 7, 16, 1000000 };
	struct error err = ERROR_INIT;
	struct object_id one, id;
	struct sample s;
	uint64_t bytes;

	(void)state;
	sample_open(&s, many_kinds);
	sample_export(&s, &one); /* without batches */
	bytes = catalog_table(s.catalog, "big")->bytes;
	/* equal values lie in one file */
	assert_in_range(bytes, 23000000, 60000000);
	memory_store_batches(s.store, 0);
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		assert_int_equal(export_with(&s, jobs[i], &id, &err), 0);
		assert_memory_equal(&one, &id, sizeof(id));
		assert_int_equal(catalog_table(s.catalog, "big")->bytes, bytes);
		assert_int_equal(catalog_table(s.catalog, "r")->rows, 30000);
	}
	sample_close(&s);
}

static void a_disk_that_fills_ends_all_threads(void **state)
{
	struct object_id id;
	struct sample s;
	int rc = -1;

	(void)state;
	sample_open(&s, many_kinds);
	for (size_t n = 1; rc < 0; n += 3) {
		struct error err = ERROR_INIT;

		memory_store_batches(s.store, n);
		rc = export_with(&s, 3, &id, &err);
		assert_int_equal(err.code, rc ? ERROR_NOSPACE : ERROR_NONE);
		assert_string_equal(err.message, rc ? "the disk is full" : "");
		if (!rc)
			assert_true(n > 10);
	}
	sample_close(&s);
}

static void progress_can_stop_all_threads(void **state)
{
	struct object_id id;
	struct sample s;

	(void)state;
	sample_open(&s, many_kinds);
	memory_store_batches(s.store, 0);
	for (int at = 1; at < 40; at += 7) {
		struct counting_progress p = { .progress = { .tick = count_tick,
							     .jobs = 3 },
					       .stop_at = at };
		struct error err = ERROR_INIT;

		assert_int_equal(export_data(s.db, s.catalog,
					     memory_store_sink(s.store),
					     &p.progress, &id, &err),
				 -1);
		assert_int_equal(err.code, ERROR_INTERRUPTED);
		assert_int_equal(p.ticks, at);
	}
	sample_close(&s);
}

/* ---- pages that are not as they should be ---- */

#define ODD_PAGE 512

static const char marked[] =
	"PRAGMA page_size = 512;"
	"CREATE TABLE before(x); CREATE TABLE m(id INTEGER PRIMARY KEY, t, y);"
	"CREATE TABLE z(x);"
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	" WHERE i < 60000) INSERT INTO m SELECT i, 'row' || i, NULL FROM n;"
	"UPDATE m SET t = 'MARKER' WHERE id = 50000;"
	"INSERT INTO before SELECT t FROM m; INSERT INTO z SELECT t FROM m;";

/* The offset of the first "MARKER" in the file: that of `m`, which was filled
 * first. */
static long find_marker(const struct sample *s)
{
	struct buffer file = BUFFER_INIT;
	struct error err = ERROR_INIT;
	const char *at;
	long offset;

	assert_int_equal(file_read(s->path, 1 << 28, &file, &err), 0);
	at = memmem(file.data, file.size, "MARKER", 6);
	assert_non_null(at);
	offset = at - file.data;
	buffer_release(&file);
	return offset;
}

static void overwrite(const struct sample *s, long offset, int byte)
{
	FILE *f = fopen(s->path, "r+");

	assert_non_null(f);
	assert_int_equal(fseek(f, offset, SEEK_SET), 0);
	assert_int_equal(fputc(byte, f), byte);
	assert_int_equal(fclose(f), 0);
}

/* A NULL of a kind that the file format reserves: SQLite reads it. */
static void odd_pages_are_left_to_sqlite(void **state)
{
	struct error err = ERROR_INIT;
	struct object_id whole, id;
	struct sample s;

	(void)state;
	sample_open(&s, marked);
	sample_export(&s, &whole);
	overwrite(&s, find_marker(&s) - 1, 10);
	memory_store_batches(s.store, 0);
	for (unsigned int jobs = 1; jobs < 5; jobs++) {
		assert_int_equal(export_with(&s, jobs, &id, &err), 0);
		assert_memory_equal(&whole, &id, sizeof(id));
	}
	sample_close(&s);
}

static void damaged_pages_are_told_in_sqlites_words(void **state)
{
	struct object_id id;
	struct sample s;

	(void)state;
	sample_open(&s, marked);
	overwrite(&s, find_marker(&s) / ODD_PAGE * ODD_PAGE, 7);
	memory_store_batches(s.store, 0);
	for (unsigned int jobs = 1; jobs < 5; jobs++) {
		struct error err = ERROR_INIT;

		assert_int_equal(export_with(&s, jobs, &id, &err), -1);
		assert_string_equal(
			err.message,
			"table 'm' can't be read behind rowid 49976: database disk image is malformed");
		assert_int_equal(err.code, ERROR_DAMAGE);
	}
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
		cmocka_unit_test(tables_are_told_as_they_are_stored),
		cmocka_unit_test(progress_can_stop_the_export),
		cmocka_unit_test(a_full_disk_at_any_object_ends_the_export),
		cmocka_unit_test(content_does_not_depend_on_threads),
		cmocka_unit_test(a_disk_that_fills_ends_all_threads),
		cmocka_unit_test(progress_can_stop_all_threads),
		cmocka_unit_test(odd_pages_are_left_to_sqlite),
		cmocka_unit_test(damaged_pages_are_told_in_sqlites_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
