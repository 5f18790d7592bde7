/*
 * test_build.c - a database file from the files of a snapshot
 */
#include "tests/restore/test_restore.h"

#include "base/buffer.h"
#include "database/database.h"
#include "restore/restore.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest.h"
#include "snapshot/object.h"
#include "tests/support/memory_store.h"
#include "tests/support/table_writer.h"

/* ---- a snapshot in memory ---- */

struct shot {
	struct memory_store *store;
	struct source *source;
	struct catalog *catalog;
	struct object_id root;
};

#define OK(call)                                                               \
	do {                                                                   \
		if ((call) < 0)                                                \
			fail_msg("%s", err.message);                           \
	} while (0)

/* Internal tables of these tests have one row, so it is in order. */
static void put_table(struct shot *s, struct database *db, struct table *t,
		      struct tree *tables)
{
	struct sink *sink = memory_store_sink(s->store);
	struct error err = ERROR_INIT;
	struct table_writer *w = NULL;
	struct scan *scan = NULL;
	struct value values[16];
	struct object_id id;
	int64_t rowid;
	int rc;

	assert_true(t->column_count <= 16);
	OK(table_writer_new(&w, t, sink, &err));
	OK(database_scan(db, t, &scan, &err));
	while ((rc = scan_next(scan, &rowid, values, &err)) > 0)
		OK(table_writer_row(w, rowid, values, &err));
	OK(rc);
	rc = table_writer_finish(w, t, &id, &err);
	OK(rc);
	if (!rc)
		OK(tree_add(tables, t->folder, 1, &id, &err));
	scan_free(scan);
	table_writer_free(w);
}

static void put_text(struct shot *s, struct tree *tree, const char *name,
		     const struct buffer *text)
{
	struct sink *sink = memory_store_sink(s->store);
	struct error err = ERROR_INIT;
	struct object_id id;

	OK(sink->put(sink, OBJECT_BLOB, name, text->data, text->size, &id,
		     &err));
	OK(tree_add(tree, name, 0, &id, &err));
}

static void put_data(struct shot *s, struct database *db, struct catalog *c)
{
	struct sink *sink = memory_store_sink(s->store);
	struct tree tables = { 0 }, data = { 0 }, root = { 0 };
	struct buffer text = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct object_id id;

	for (size_t i = 0; i < c->table_count; i++)
		put_table(s, db, &c->tables[i], &tables);
	OK(tree_put(&tables, sink, &id, &err));
	OK(tree_add(&data, "tables", 1, &id, &err));
	OK(manifest_write(&text, c, &err));
	put_text(s, &data, "manifest.json", &text);
	buffer_clear(&text);
	OK(schema_write(&text, c, &err));
	put_text(s, &data, "schema.json", &text);
	OK(tree_put(&data, sink, &id, &err));
	OK(tree_add(&root, "data", 1, &id, &err));
	OK(tree_put(&root, sink, &s->root, &err));
	buffer_release(&text);
}

static struct shot shot_of(const char *path)
{
	const struct database_options options = { .busy_timeout_ms = 100 };
	struct shot s = { .store = memory_store_new() };
	struct error err = ERROR_INIT;
	struct database *db = NULL;
	struct catalog *c = NULL;

	OK(database_open(&db, path, &options, &err));
	OK(database_begin(db, &err));
	OK(database_catalog(db, &c, &err));
	put_data(&s, db, c);
	s.source = memory_store_source(s.store, &s.root);
	OK(manifest_read(&s.catalog, s.source, &err));
	s.catalog->page_size = c->page_size;
	s.catalog->auto_vacuum = c->auto_vacuum;
	s.catalog->wal = c->wal;
	catalog_free(c);
	database_close(db);
	return s;
}

static void shot_release(struct shot *s)
{
	source_free(s->source);
	catalog_free(s->catalog);
	memory_store_free(s->store);
}

/* `content` into a database, that into a snapshot. */
static struct shot shot_with(void **state, const char *content)
{
	sql(in_folder(state, "source.db"), content);
	return shot_of(in_folder(state, "source.db"));
}

static void build(struct shot *s, const char *path, uint64_t expected_rows)
{
	struct restore_report report;
	struct error err = ERROR_INIT;

	OK(restore_build(s->source, s->catalog, path, NULL, &report, &err));
	assert_int_equal(report.rows, expected_rows);
	assert_null(report.stand_ins);
	restore_report_release(&report);
}

static void leaves_nothing(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-journal", "-shm" };
	char name[1100];

	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof name, "%s%s", path, ends[i]);
		assert_false(file_exists(name));
	}
}

/* ---- tests ---- */

static void rows_schema_and_settings_come_back(void **state)
{
	const char *built = in_folder(state, "built.db");
	struct shot s = shot_with(
		state,
		"PRAGMA page_size=2048; PRAGMA user_version=5;"
		"PRAGMA application_id=77;"
		"CREATE TABLE child(p REFERENCES parent, v);"
		"CREATE TABLE parent(id INTEGER PRIMARY KEY AUTOINCREMENT, n);"
		"CREATE TABLE w(a TEXT, b, PRIMARY KEY(b, a)) WITHOUT ROWID;"
		"CREATE INDEX vi ON child(v DESC);"
		"CREATE VIEW vw AS SELECT v FROM child;"
		"CREATE TRIGGER tr AFTER INSERT ON child BEGIN DELETE FROM w; "
		"END;"
		"INSERT INTO parent VALUES (3,'x'),(40,'y');"
		"DELETE FROM parent WHERE id = 40;"
		"INSERT INTO child(rowid, p, v) VALUES (9,3,-0.0),(20,3,x'00');"
		"INSERT INTO w VALUES ('k', 1.0)");

	build(&s, built, 5);
	assert_string_equal(rows(built, "SELECT rowid, p, typeof(v), quote(v) "
					"FROM child"),
			    rows(in_folder(state, "source.db"),
				 "SELECT rowid, p, typeof(v), quote(v) "
				 "FROM child"));
	assert_string_equal(rows(built, "SELECT rowid FROM child NOT "
					"INDEXED"),
			    "9/20");
	assert_string_equal(rows(built, "SELECT * FROM w"), "k|1.0");
	assert_string_equal(rows(built, "SELECT * FROM sqlite_sequence"),
			    "parent|40");
	assert_string_equal(rows(built, "PRAGMA page_size"), "2048");
	assert_string_equal(rows(built, "PRAGMA user_version"), "5");
	assert_string_equal(rows(built, "PRAGMA application_id"), "77");
	assert_string_equal(rows(built, "SELECT name FROM sqlite_schema WHERE "
					"sql NOT NULL ORDER BY name"),
			    "child/parent/sqlite_sequence/tr/vi/vw/w");
	assert_string_equal(rows(built, "PRAGMA integrity_check"), "ok");
	shot_release(&s);
}

static void a_page_size_of_the_callers_choice_is_used(void **state)
{
	const char *built = in_folder(state, "built.db");
	struct shot s = shot_with(state, "CREATE TABLE t(a);"
					 "INSERT INTO t VALUES (1)");

	s.catalog->page_size = 16384;
	build(&s, built, 1);
	assert_string_equal(rows(built, "PRAGMA page_size"), "16384");
	shot_release(&s);
}

/* Rows that their table's text refuses, as an edited schema leaves them. */
static const char misfits[] =
	"CREATE TABLE a(x, y); INSERT INTO a VALUES (NULL, 1), ('k', 2);"
	"CREATE TABLE b(id INTEGER PRIMARY KEY, x);"
	"INSERT INTO b VALUES (1, '12'), (2, 13);"
	"CREATE TABLE c(x); INSERT INTO c VALUES (1);"
	"PRAGMA writable_schema=ON;"
	"UPDATE sqlite_schema SET sql='CREATE TABLE a(x NOT NULL, y)' "
	"WHERE name='a';"
	"UPDATE sqlite_schema SET sql='CREATE TABLE b(id INTEGER PRIMARY KEY, "
	"x INT)' WHERE name='b'";

static void tables_that_refuse_their_rows_are_built_bare(void **state)
{
	const char *built = in_folder(state, "built.db");
	struct shot s = shot_with(state, misfits);

	/* two tables refuse, so the file is begun three times */
	build(&s, built, 5);
	assert_string_equal(rows(built, "SELECT typeof(x), x, y FROM a"),
			    "null|NULL|1/text|k|2");
	assert_string_equal(rows(built, "SELECT typeof(x), x FROM b"),
			    "text|12/integer|13");
	assert_string_equal(rows(built, "SELECT sql FROM sqlite_schema"),
			    rows(in_folder(state, "source.db"),
				 "SELECT sql FROM sqlite_schema"));
	assert_string_equal(rows(built, "SELECT sql FROM sqlite_schema WHERE "
					"name = 'a'"),
			    "CREATE TABLE a(x NOT NULL, y)");
	shot_release(&s);
}

struct watch {
	struct restore_progress progress;
	int first_tables; /* how often the first table was begun or done */
	int stop;
};

static int watch_tick(struct restore_progress *p, const char *table,
		      uint64_t rows_done)
{
	struct watch *w = (struct watch *)p;

	(void)rows_done;
	if (!strcmp(table, "c"))
		w->first_tables++;
	return w->stop;
}

static void tables_known_to_be_bare_need_no_second_attempt(void **state)
{
	const char *built = in_folder(state, "built.db");
	const char *const bare[] = { "b", "a" };
	struct watch w = { .progress = { watch_tick } };
	const struct restore_build how = { .bare = bare,
					   .bare_count = 2,
					   .progress = &w.progress };
	struct shot s = shot_with(state, misfits);
	struct error err = ERROR_INIT;
	struct restore_report report;

	OK(restore_build(s.source, s.catalog, built, &how, &report, &err));
	assert_int_equal(w.first_tables, 1);
	assert_int_equal(report.rows, 5);
	restore_report_release(&report);
	shot_release(&s);
}

static void a_stop_leaves_nothing(void **state)
{
	const char *built = in_folder(state, "built.db");
	struct watch w = { .progress = { watch_tick }, .stop = 1 };
	const struct restore_build how = { .progress = &w.progress };
	struct shot s = shot_with(state, "CREATE TABLE c(a)");
	struct error err = ERROR_INIT;
	struct restore_report report;

	assert_int_equal(
		restore_build(s.source, s.catalog, built, &how, &report, &err),
		-1);
	assert_error(&err, ERROR_INTERRUPTED, "interrupted");
	leaves_nothing(built);
	shot_release(&s);
}

static void what_is_there_is_not_touched(void **state)
{
	static const char *const ends[] = { "", "-wal", "-journal" };
	struct shot s = shot_with(state, "CREATE TABLE t(a)");

	for (int i = 0; i < 3; i++) {
		const char *built = in_folder(state, "built.db");
		struct error err = ERROR_INIT;
		struct restore_report report;
		char name[1100];

		snprintf(name, sizeof name, "%s%s", built, ends[i]);
		write_bytes(name, "mine", 4);
		assert_int_equal(restore_build(s.source, s.catalog, built, NULL,
					       &report, &err),
				 -1);
		assert_error(&err, ERROR_REFUSED, "'%s' is there already",
			     built);
		assert_true(file_exists(name));
		unlink(name);
	}
	shot_release(&s);
}

static void a_row_too_many_in_the_manifest_leaves_nothing(void **state)
{
	const char *built = in_folder(state, "built.db");
	struct shot s = shot_with(state, "CREATE TABLE t(a);"
					 "INSERT INTO t VALUES (1),(2)");
	struct error err = ERROR_INIT;
	struct restore_report report;

	s.catalog->tables[0].rows++;
	assert_int_equal(
		restore_build(s.source, s.catalog, built, NULL, &report, &err),
		-1);
	assert_int_equal(err.code, ERROR_DAMAGE);
	assert_null(report.stand_ins);
	leaves_nothing(built);
	shot_release(&s);
}

static int by_length(void *unused, int a_size, const void *a, int b_size,
		     const void *b)
{
	(void)unused;
	(void)a;
	(void)b;
	return a_size - b_size;
}

static void a_missing_collation_needs_a_stand_in(void **state)
{
	const char *built = in_folder(state, "built.db");
	const struct restore_build how = { .stand_ins = 1 };
	sqlite3 *db = opened(in_folder(state, "source.db"));
	struct error err = ERROR_INIT;
	struct restore_report report;
	struct shot s;

	sqlite3_create_collation(db, "applen", SQLITE_UTF8, NULL, by_length);
	run(db, "CREATE TABLE t(a COLLATE applen UNIQUE);"
		"INSERT INTO t VALUES ('x')");
	sqlite3_close(db);
	s = shot_of(in_folder(state, "source.db"));

	assert_int_equal(
		restore_build(s.source, s.catalog, built, NULL, &report, &err),
		-1);
	assert_int_equal(err.code, ERROR_STANDIN);
	leaves_nothing(built);
	error_clear(&err);
	OK(restore_build(s.source, s.catalog, built, &how, &report, &err));
	assert_non_null(strstr(report.stand_ins, "applen"));
	restore_report_release(&report);
	assert_null(report.stand_ins);
	shot_release(&s);
}

/* ---- more rows than are decoded by who loads them ---- */

#define MANY                                                                   \
	"CREATE TABLE m(a, b, c); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL " \
	"SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO m SELECT i, "        \
	"CASE WHEN i % 3 THEN 'text ' || i END, CASE WHEN i % 4999 = 0 THEN "  \
	"randomblob(700000) WHEN i = 9000 THEN randomblob(2000000) "           \
	"WHEN i % 7 THEN randomblob(i % 50) ELSE x'' END FROM n;"

static void assert_same_rows(void **state, const char *built)
{
	sqlite3 *db = opened(built);
	char text[1200];

	snprintf(text, sizeof(text), "ATTACH '%s' AS was",
		 in_folder(state, "source.db"));
	run(db, text);
	assert_string_equal(rows_of(db, "SELECT count(*) FROM (SELECT rowid, * "
					"FROM main.m INTERSECT SELECT rowid, * "
					"FROM was.m)"),
			    "20000");
	sqlite3_close(db);
}

static void many_rows_of_all_sizes_come_back(void **state)
{
	const char *built = in_folder(state, "built.db");
	struct shot s = shot_with(state, MANY);

	build(&s, built, 20000);
	assert_same_rows(state, built);
	shot_release(&s);
}

static void a_refusal_behind_many_rows_begins_anew(void **state)
{
	const char *built = in_folder(state, "built.db");
	struct shot s = shot_with(
		state, MANY
		"UPDATE m SET b = NULL; UPDATE m SET b = 1 WHERE a < 15000;"
		"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
		"sql='CREATE TABLE m(a, b NOT NULL, c)'");

	build(&s, built, 20000);
	assert_same_rows(state, built);
	shot_release(&s);
}

static void fails(struct shot *s, const char *path, const char *want)
{
	struct restore_report report;
	struct error err = ERROR_INIT;

	assert_int_equal(
		restore_build(s->source, s->catalog, path, NULL, &report, &err),
		-1);
	assert_int_equal(err.code, ERROR_DAMAGE);
	assert_string_equal(err.message, want);
	leaves_nothing(path);
}

static void damage_behind_many_rows_is_told(void **state)
{
	const char *built = in_folder(state, "built.db");
	struct shot s = shot_with(state, MANY);

	s.catalog->tables[0].sha256[0] ^= 1;
	fails(&s, built,
	      "table 'm': its rows do not have the SHA-256 that the manifest "
	      "names");
	s.catalog->tables[0].rows++;
	fails(&s, built, "table 'm': 20000 rows where the manifest says 20001");
	shot_release(&s);
}

struct rows_watch {
	struct restore_watch watch; /* first */
	const char *path;
	int told;
};

static void watch_rows(struct restore_watch *watch, const char *path)
{
	const struct database_options open = { .building = 1 };
	struct rows_watch *w = (struct rows_watch *)watch;
	struct error err = ERROR_INIT;
	struct database *db = NULL;
	struct catalog *c = NULL;

	assert_string_equal(path, w->path);
	OK(database_open(&db, path, &open, &err));
	OK(database_begin(db, &err));
	OK(database_catalog(db, &c, &err));
	/* rows and what they need; nothing that comes later */
	assert_int_equal(c->table_count, 1);
	assert_int_equal(c->entry_count, 1);
	catalog_free(c);
	database_close(db);
	w->told++;
}

static void whoever_watches_is_told_when_the_rows_are_there(void **state)
{
	const char *built = in_folder(state, "built.db");
	struct rows_watch w = { .watch = { watch_rows }, .path = built };
	const struct restore_build how = { .watch = &w.watch };
	struct shot s = shot_with(state, "CREATE TABLE t(a);"
					 "CREATE INDEX i ON t(a);"
					 "CREATE VIEW v AS SELECT 1;"
					 "INSERT INTO t VALUES (1),(2)");
	struct error err = ERROR_INIT;
	struct restore_report report;

	OK(restore_build(s.source, s.catalog, built, &how, &report, &err));
	assert_int_equal(w.told, 1);
	restore_report_release(&report);
	shot_release(&s);
}

struct late_stop {
	struct restore_progress progress; /* first */
	struct restore_watch watch;
	int rows_done;
	int questions; /* that are still answered with no, from then on */
};

static int tick_late(struct restore_progress *p, const char *table,
		     uint64_t rows)
{
	struct late_stop *w = (struct late_stop *)p;

	assert_string_equal(table, "t");
	assert_true(rows <= 20000);
	return w->rows_done && !w->questions--;
}

static void note_rows(struct restore_watch *watch, const char *path)
{
	struct late_stop *w =
		(struct late_stop *)((char *)watch -
				     offsetof(struct late_stop, watch));

	(void)path;
	w->rows_done = 1;
}

static void stop_at_index(void **state, const char *insert, int questions)
{
	const char *built = in_folder(state, "built.db");
	struct late_stop w = { { tick_late }, { note_rows }, 0, questions };
	const struct restore_build how = { .progress = &w.progress,
					   .watch = &w.watch };
	struct shot s = shot_with(state, insert);
	struct error err = ERROR_INIT;
	struct restore_report report;

	assert_int_equal(
		restore_build(s.source, s.catalog, built, &how, &report, &err),
		-1);
	assert_int_equal(w.rows_done, 1);
	assert_error(&err, ERROR_INTERRUPTED,
		     "cannot create index 'i': interrupted");
	leaves_nothing(built);
	shot_release(&s);
}

static void a_stop_is_heard_while_indexes_are_made(void **state)
{
	stop_at_index(state,
		      "CREATE TABLE t(a); CREATE INDEX i ON t(a);"
		      "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL "
		      "SELECT i+1 FROM c WHERE i<20000) "
		      "INSERT INTO t SELECT i FROM c",
		      0);
}

#define SHUFFLED                                                               \
	"CREATE TABLE t(a); CREATE INDEX i ON t(a);"                           \
	"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL "                          \
	"SELECT i+1 FROM c WHERE i<20000) INSERT INTO t SELECT "

/* There is a question every 4096 rows, and then entries. */
static void a_stop_is_heard_while_sorted_lines_are_written(void **state)
{
	stop_at_index(state, SHUFFLED "'x' || (i * 7919 % 20011) FROM c", 7);
}

static void a_stop_is_heard_while_sorted_pairs_are_written(void **state)
{
	stop_at_index(state, SHUFFLED "i * 7919 % 20011 FROM c", 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(rows_schema_and_settings_come_back),
		FOLDER_TEST(a_page_size_of_the_callers_choice_is_used),
		FOLDER_TEST(tables_that_refuse_their_rows_are_built_bare),
		FOLDER_TEST(tables_known_to_be_bare_need_no_second_attempt),
		FOLDER_TEST(a_stop_leaves_nothing),
		FOLDER_TEST(what_is_there_is_not_touched),
		FOLDER_TEST(a_row_too_many_in_the_manifest_leaves_nothing),
		FOLDER_TEST(a_missing_collation_needs_a_stand_in),
		FOLDER_TEST(many_rows_of_all_sizes_come_back),
		FOLDER_TEST(a_refusal_behind_many_rows_begins_anew),
		FOLDER_TEST(damage_behind_many_rows_is_told),
		FOLDER_TEST(whoever_watches_is_told_when_the_rows_are_there),
		FOLDER_TEST(a_stop_is_heard_while_indexes_are_made),
		FOLDER_TEST(a_stop_is_heard_while_sorted_lines_are_written),
		FOLDER_TEST(a_stop_is_heard_while_sorted_pairs_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
