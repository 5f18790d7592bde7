/*
 * test_early.c - tables exported while the rest of their file is written, and
 * what an export of the finished file takes over
 */
#include "export/cache.h"
#include "tests/export/sample.h"

/* More than a leaf of each kind of b-tree, rows that overflow, none at all. */
static const char tables[] =
	"CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
	"CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID;"
	"CREATE TABLE big(x);"
	"CREATE TABLE none(x);"
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	" WHERE i < 2000) INSERT INTO t SELECT i, 'value ' || i FROM n;"
	"INSERT INTO w SELECT v, id FROM t;"
	"INSERT INTO big VALUES('a' || hex(zeroblob(50000)) || 'z')";

struct early {
	struct export_progress progress; /* first */
	int prepared;
	const char *path; /* then page 3 of it is emptied, or NULL */
};

static void when_prepared(struct export_progress *p)
{
	static const char nothing[4096];
	struct early *e = (struct early *)p;
	FILE *f;

	e->prepared++;
	if (!e->path)
		return;
	f = fopen(e->path, "r+");
	assert_non_null(f);
	assert_int_equal(fseek(f, 2 * (long)sizeof(nothing), SEEK_SET), 0);
	assert_int_equal(fwrite(nothing, sizeof(nothing), 1, f), 1);
	assert_int_equal(fclose(f), 0);
}

/* @param path  see struct early
 * @return how often it was told that all is prepared */
static int export_building(const struct sample *s, struct export_cache *cache,
			   unsigned int jobs, const char *path)
{
	const struct database_options open = { .building = 1 };
	struct early e = { .progress = { .prepared = when_prepared,
					 .jobs = jobs,
					 .cache = cache },
			   .path = path };
	struct error err = ERROR_INIT;
	struct catalog *c = NULL;
	struct database *db = NULL;
	struct sink *hash = NULL;

	assert_int_equal(hash_sink_new(&hash, &err), 0);
	if (database_open(&db, s->path, &open, &err) < 0 ||
	    database_begin(db, &err) < 0 || database_catalog(db, &c, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(export_early(db, c, hash, &e.progress), 0);
	catalog_free(c);
	database_close(db);
	hash_sink_free(hash);
	return e.prepared;
}

static void run(const struct sample *s, const char *sql)
{
	char *message = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(s->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void let_go(struct sample *s)
{
	catalog_free(s->catalog);
	database_close(s->db);
	s->catalog = NULL;
	s->db = NULL;
}

/* What lies there now, with a store that has nothing yet. */
static void open_again(struct sample *s)
{
	struct error err = ERROR_INIT;

	let_go(s);
	memory_store_free(s->store);
	s->store = memory_store_new();
	if (database_open(&s->db, s->path, NULL, &err) < 0 ||
	    database_begin(s->db, &err) < 0 ||
	    database_catalog(s->db, &s->catalog, &err) < 0)
		fail_msg("%s", err.message);
}

/* What is taken over is not put again. */
static int was_put(struct sample *s, const struct object_id *id,
		   const char *path)
{
	struct source *source = memory_store_source(s->store, id);
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	int put = source->read(source, path, &out, &err) == 0;

	buffer_release(&out);
	source_free(source);
	return put;
}

/* Export early, run `between`, export: the same must come out as without.
 * @param again  first letters of the tables that were read again, of "twb" */
static void expect_again(const char *sql, const char *between,
			 const char *again)
{
	static const char *const files[] = { "tables/t/0.jsonl",
					     "tables/w/0.jsonl",
					     "tables/big/0.jsonl" };
	struct object_id plain, with;
	struct export_progress p = { .jobs = 2 };
	struct export_cache *cache;
	struct error err = ERROR_INIT;
	char put[4] = "";
	size_t count = 0;
	struct sample s;

	sample_open(&s, sql);
	assert_int_equal(export_cache_new(&cache, &err), 0);
	let_go(&s);
	export_building(&s, cache, 2, NULL);
	run(&s, between);
	open_again(&s);
	sample_export(&s, &plain);
	open_again(&s);
	export_cache_turn(cache);
	p.cache = cache;
	assert_int_equal(export_data(s.db, s.catalog,
				     memory_store_sink(s.store), &p, &with,
				     &err),
			 0);
	assert_memory_equal(&with, &plain, sizeof(with));
	for (int i = 0; i < 3; i++)
		if (was_put(&s, &with, files[i]))
			put[count++] = files[i][7];
	assert_string_equal(put, again);
	export_cache_free(cache);
	sample_close(&s);
}

static void tables_that_stay_as_they_were_are_taken_over(void **state)
{
	(void)state;
	expect_again(tables, "", "");
	expect_again(tables,
		     "CREATE INDEX i ON t(v); CREATE INDEX j ON w(v);"
		     "CREATE VIEW x AS SELECT 1; PRAGMA user_version = 7;"
		     "PRAGMA journal_mode = WAL",
		     "");
}

static void a_page_that_changed_meanwhile_is_noticed(void **state)
{
	(void)state;
	expect_again(tables, "UPDATE t SET v = 'vulue 1500' WHERE id = 1500",
		     "t");
	expect_again(tables, "UPDATE w SET v = 1501 WHERE k = 'value 1500'",
		     "w");
	/* the last page of those that overflow */
	expect_again(tables, "UPDATE big SET x = substr(x, 1, 100001) || 'y'",
		     "b");
	expect_again(tables, "DELETE FROM t WHERE id = 2000", "t");
}

static void a_table_whose_text_changed_meanwhile_is_read_again(void **state)
{
	(void)state;
	expect_again(tables,
		     "PRAGMA writable_schema = ON;"
		     "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(id INTEGER"
		     " PRIMARY KEY, v REAL)' WHERE name = 't'",
		     "t");
}

static void a_table_that_pages_do_not_tell_is_read_again(void **state)
{
	(void)state;
	expect_again("CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
		     "CREATE TABLE w(k PRIMARY KEY COLLATE app, v)"
		     " WITHOUT ROWID;"
		     "INSERT INTO t VALUES(1, 2); INSERT INTO w VALUES('a', 1)",
		     "", "w");
}

/* Who completes the file may change all else by then. */
static void when_all_is_prepared_only_pages_are_read(void **state)
{
	struct error err = ERROR_INIT;
	struct export_cache *cache;
	struct sample s;

	(void)state;
	sample_open(&s, "CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
			"CREATE TABLE w(k PRIMARY KEY COLLATE app, v)"
			" WITHOUT ROWID;"
			"INSERT INTO t VALUES(1, 2);"
			"INSERT INTO w VALUES('a', 1)");
	let_go(&s);
	assert_int_equal(export_cache_new(&cache, &err), 0);
	assert_int_equal(export_building(&s, cache, 2, s.path), 1);
	export_cache_free(cache);
	sample_close(&s);
}

static void texts_in_utf16_are_taken_over(void **state)
{
	char sql[sizeof(tables) + 64];

	(void)state;
	snprintf(sql, sizeof(sql), "PRAGMA encoding = 'UTF-16be';%s", tables);
	expect_again(sql, "CREATE INDEX i ON t(v)", "");
}

/* Its pages move while indexes are made. */
static void with_auto_vacuum_all_is_read_again(void **state)
{
	char sql[sizeof(tables) + 64];

	(void)state;
	snprintf(sql, sizeof(sql), "PRAGMA auto_vacuum = 2;%s", tables);
	expect_again(sql, "", "twb");
}

static void all_is_prepared_once_or_there_is_nothing_to_do(void **state)
{
	struct error err = ERROR_INIT;
	struct export_cache *cache;
	struct sample s;

	(void)state;
	sample_open(&s, tables);
	assert_int_equal(export_cache_new(&cache, &err), 0);
	assert_int_equal(export_building(&s, cache, 2, NULL), 1);
	assert_int_equal(export_building(&s, cache, 16, NULL), 1);
	/* the one thread is at work already */
	assert_int_equal(export_building(&s, cache, 1, NULL), 0);
	sample_close(&s);
	sample_open(&s, "PRAGMA auto_vacuum = 1; CREATE TABLE t(x)");
	assert_int_equal(export_building(&s, cache, 2, NULL), 0);
	export_cache_free(cache);
	sample_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_that_stay_as_they_were_are_taken_over),
		cmocka_unit_test(a_page_that_changed_meanwhile_is_noticed),
		cmocka_unit_test(
			a_table_whose_text_changed_meanwhile_is_read_again),
		cmocka_unit_test(a_table_that_pages_do_not_tell_is_read_again),
		cmocka_unit_test(when_all_is_prepared_only_pages_are_read),
		cmocka_unit_test(texts_in_utf16_are_taken_over),
		cmocka_unit_test(with_auto_vacuum_all_is_read_again),
		cmocka_unit_test(
			all_is_prepared_once_or_there_is_nothing_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
