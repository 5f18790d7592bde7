/*
 * test_catalog.c - what a database is found to consist of
 */
#include "tests/database/fixture.h"

static const struct table *table_of(struct reader *r, const char *name)
{
	const struct table *t = catalog_table(r->catalog, name);

	assert_non_null(t);
	return t;
}

/* Order and rowid of a table as one word: "column 0", "key _rowid_" ... */
static void assert_order(struct reader *r, const char *name, const char *want)
{
	const struct table *t = table_of(r, name);
	char got[128] = "";

	switch (t->order) {
	case ORDER_ROWID:
		if (t->rowid_column >= 0)
			snprintf(got, sizeof(got), "column %d %s",
				 t->rowid_column, t->rowid_key);
		else
			snprintf(got, sizeof(got), "key %s", t->rowid_key);
		break;
	case ORDER_KEY:
		snprintf(got, sizeof(got), "primary key");
		break;
	case ORDER_SCAN:
		snprintf(got, sizeof(got), "scan");
		break;
	case ORDER_SORTED:
		snprintf(got, sizeof(got), "sorted");
		break;
	case ORDER_RECORDS:
		break; /* no database's */
	}
	assert_string_equal(got, want);
}

static void an_integer_primary_key_is_the_rowid(void **state)
{
	struct reader r = read_made(
		state,
		"CREATE TABLE a(v, id INTEGER PRIMARY KEY);"
		"CREATE TABLE b(\"id\" 'integer', PRIMARY KEY(id DESC));"
		"CREATE TABLE c(rowid, _rowid_, oid INTEGER PRIMARY KEY)");

	assert_order(&r, "a", "column 1 id");
	assert_order(&r, "b", "column 0 id");
	assert_order(&r, "c", "column 2 oid");
	assert_int_equal(table_of(&r, "a")->columns[1].key, 1);
	reader_close(&r);
}

static void what_only_looks_like_one_is_not(void **state)
{
	struct reader r = read_made(
		state,
		"CREATE TABLE a(id INT PRIMARY KEY);"
		"CREATE TABLE b(id INTEGER PRIMARY KEY DESC);"
		"CREATE TABLE c(id BIGINT, PRIMARY KEY(id));"
		"CREATE TABLE d(id INTEGER, x INTEGER, PRIMARY KEY(id, x));"
		"CREATE TABLE e(id INTEGER)");

	assert_order(&r, "a", "key rowid");
	assert_order(&r, "b", "key rowid");
	assert_order(&r, "c", "key rowid");
	assert_order(&r, "d", "key rowid");
	assert_order(&r, "e", "key rowid");
	assert_int_equal(table_of(&r, "d")->columns[1].key, 2);
	assert_int_equal(table_of(&r, "e")->columns[0].key, 0);
	reader_close(&r);
}

static void the_rowid_has_the_first_name_that_is_no_column(void **state)
{
	struct reader r = read_made(state,
				    "CREATE TABLE a(RowID);"
				    "CREATE TABLE b(rowid, _ROWID_);"
				    "CREATE TABLE c(rowid, _rowid_, oid)");

	assert_order(&r, "a", "key _rowid_");
	assert_order(&r, "b", "key oid");
	assert_order(&r, "c", "scan");
	reader_close(&r);
}

static void without_rowid_goes_by_its_key_if_we_can_compare(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	struct reader r;

	/* the text names a collation that nobody has */
	app_run(sql,
		"CREATE TABLE a(k TEXT COLLATE NOCASE PRIMARY KEY, v)"
		" WITHOUT ROWID;"
		"CREATE TABLE b(k COLLATE NOCASE PRIMARY KEY) WITHOUT ROWID;"
		"PRAGMA writable_schema=ON;"
		"UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', "
		"'unicase') WHERE name = 'b'");
	sqlite3_close(sql);
	r = reader_open(f->a);
	assert_order(&r, "a", "primary key");
	assert_order(&r, "b", "sorted");
	assert_rows(&r, "b", "");
	assert_string_equal(database_stand_ins(r.db), "collation 'unicase'");
	reader_close(&r);
}

static void generated_columns_are_told_by_kind(void **state)
{
	struct reader r =
		read_made(state, "CREATE TABLE t(a, v AS (a+1), "
				 "s AS (a+2) STORED, w AS (abs(a)) VIRTUAL)");
	const struct table *t = table_of(&r, "t");

	assert_int_equal(t->column_count, 4);
	assert_int_equal(t->columns[0].generated, 0);
	assert_int_equal(t->columns[1].generated, 1);
	assert_int_equal(t->columns[2].generated, 2);
	assert_int_equal(t->columns[3].generated, 1);
	reader_close(&r);
}

static void sequences_and_statistics_are_internal(void **state)
{
	struct reader r = read_made(
		state, "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT);"
		       "CREATE INDEX i ON t(id); INSERT INTO t VALUES(3);"
		       "ANALYZE; CREATE TABLE zz(x)");

	assert_int_equal(table_of(&r, "sqlite_sequence")->kind, TABLE_INTERNAL);
	assert_order(&r, "sqlite_sequence", "sorted");
	assert_order(&r, "sqlite_stat1", "sorted");
	/* and last, though zz was made later */
	assert_string_equal(r.catalog->tables[2].name, "sqlite_sequence");
	assert_string_equal(r.catalog->tables[3].name, "sqlite_stat1");
	reader_close(&r);
}

static void only_tables_of_a_virtual_table_are_shadows(void **state)
{
	struct reader r = read_made(
		state, "CREATE TABLE notes_content(x);"
		       "CREATE VIRTUAL TABLE Real USING fts5(a);"
		       "CREATE TABLE real_extra(x);"
		       "CREATE VIRTUAL TABLE \"q t\" USING fts4(a);"
		       "CREATE VIRTUAL TABLE box USING rtree(id, x0, x1)");
	static const char *const shadows[] = {
		"Real_data",   "Real_idx",    "Real_content", "Real_docsize",
		"Real_config", "q t_content", "q t_segments", "q t_segdir",
		"q t_docsize", "q t_stat",    "box_node",     "box_parent",
		"box_rowid"
	};
	size_t i;

	for (i = 0; i < sizeof(shadows) / sizeof(*shadows); i++)
		assert_int_equal(table_of(&r, shadows[i])->kind, TABLE_SHADOW);
	assert_int_equal(table_of(&r, "notes_content")->kind, TABLE_ORDINARY);
	assert_int_equal(table_of(&r, "real_extra")->kind, TABLE_ORDINARY);
	assert_null(catalog_table(r.catalog, "Real"));
	assert_int_equal(r.catalog->table_count, 15);
	reader_close(&r);
}

static void a_virtual_table_without_its_module_is_an_entry(void **state)
{
	struct reader r = read_made(
		state,
		"CREATE TABLE gone_data(x); PRAGMA writable_schema=ON;"
		"INSERT INTO sqlite_schema VALUES('table','gone','gone',0,"
		"'CREATE VIRTUAL TABLE gone USING nobody_has_this(a)')");

	assert_int_equal(r.catalog->entry_count, 2);
	assert_true(r.catalog->entries[1].virtual_table);
	assert_int_equal(table_of(&r, "gone_data")->kind, TABLE_ORDINARY);
	reader_close(&r);
}

static void parents_are_named_once_and_as_written(void **state)
{
	struct reader r =
		read_made(state, "CREATE TABLE p(a, b, UNIQUE(a, b));"
				 "CREATE TABLE c(x REFERENCES \"P\"(a), y, z, "
				 "q REFERENCES nobody, "
				 "FOREIGN KEY(y, z) REFERENCES p(a, b), "
				 "FOREIGN KEY(z, y) REFERENCES p(a, b))");
	const struct table *t;

	t = table_of(&r, "c");
	assert_int_equal(t->parent_count, 3);
	assert_string_equal(t->parents[0], "p");
	assert_string_equal(t->parents[1], "nobody");
	assert_string_equal(t->parents[2], "P");
	assert_string_equal(r.catalog->tables[0].name, "p");
	reader_close(&r);
}

static void names_that_are_no_utf8_make_arrays(void **state)
{
	struct reader r = read_made(state, "CREATE TABLE \"caf\xe9\"(a);"
					   "CREATE TABLE t(\"b\xff\")");

	assert_int_equal(table_of(&r, "caf\xe9")->form_array, 0);
	assert_int_equal(table_of(&r, "t")->form_array, 1);
	assert_string_equal(table_of(&r, "t")->columns[0].name, "b\xff");
	reader_close(&r);
}

static void settings_are_read(void **state)
{
	struct reader r = read_made(
		state, "PRAGMA encoding='UTF-16be'; PRAGMA page_size=8192;"
		       "PRAGMA auto_vacuum=2; PRAGMA user_version=-7;"
		       "PRAGMA application_id=0x7fffffff;"
		       "PRAGMA journal_mode=WAL; CREATE TABLE t(x)");

	assert_string_equal(r.catalog->engine, "sqlite");
	assert_int_equal(r.catalog->encoding, ENCODING_UTF16BE);
	assert_int_equal(r.catalog->page_size, 8192);
	assert_int_equal(r.catalog->auto_vacuum, 2);
	assert_int_equal(r.catalog->user_version, -7);
	assert_int_equal(r.catalog->application_id, 0x7fffffff);
	assert_int_equal(r.catalog->wal, 1);
	assert_string_equal(r.catalog->schema_revision, "user_version -7");
	reader_close(&r);
}

static void assert_revision(void **state, const char *text, const char *want)
{
	struct fixture *f = *state;
	struct reader r;

	unlink(f->a);
	r = read_made(state, text);
	if (want)
		assert_string_equal(r.catalog->schema_revision, want);
	else
		assert_null(r.catalog->schema_revision);
	reader_close(&r);
}

static void the_schema_revision_is_the_frameworks(void **state)
{
	assert_revision(state, "CREATE TABLE t(x)", NULL);
	assert_revision(state,
			"CREATE TABLE alembic_version(version_num VARCHAR(32) "
			"NOT NULL PRIMARY KEY);"
			"INSERT INTO alembic_version VALUES('1975ea83b712');"
			"PRAGMA user_version=4",
			"1975ea83b712");
	assert_revision(state,
			"CREATE TABLE django_migrations(id INTEGER PRIMARY KEY "
			"AUTOINCREMENT, app VARCHAR(255), name VARCHAR(255));"
			"INSERT INTO django_migrations(app,name) VALUES"
			"('auth','0001_initial'),('shop','0002_orders')",
			"shop.0002_orders");
	/* what can't stand in a line is passed over */
	assert_revision(state,
			"CREATE TABLE alembic_version(version_num);"
			"INSERT INTO alembic_version VALUES('a' || char(10));"
			"PRAGMA user_version=4",
			"user_version 4");
	/* a view is never run */
	assert_revision(state,
			"CREATE VIEW alembic_version AS WITH RECURSIVE "
			"c(version_num) AS (SELECT 1 UNION ALL SELECT 2 FROM c)"
			" SELECT version_num FROM c",
			NULL);
}

static void broken_and_endless_views_do_no_harm(void **state)
{
	struct reader r = read_made(
		state, "CREATE TABLE t(x); CREATE VIEW a AS SELECT * FROM b;"
		       "CREATE VIEW b AS SELECT * FROM a;"
		       "CREATE VIEW c AS SELECT no_function(x) FROM nowhere");

	assert_int_equal(r.catalog->entry_count, 4);
	assert_int_equal(r.catalog->table_count, 1);
	reader_close(&r);
}

static void automatic_indexes_are_no_entries(void **state)
{
	struct reader r = read_made(
		state, "CREATE TABLE t(a UNIQUE, b PRIMARY KEY); CREATE INDEX "
		       "i ON t(b)");

	assert_int_equal(r.catalog->entry_count, 2);
	assert_string_equal(r.catalog->entries[1].name, "i");
	assert_string_equal(r.catalog->entries[1].table, "t");
	reader_close(&r);
}

static void assert_no_catalog(void **state, const char *text,
			      const char *message)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct database *db;
	struct catalog *c;

	unlink(f->a);
	make(f->a, text);
	assert_int_equal(database_open(&db, f->a, NULL, &err), 0);
	assert_int_equal(database_begin(db, &err), 0);
	assert_int_equal(database_catalog(db, &c, &err), -1);
	assert_null(c);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, ERROR_DAMAGE);
	database_close(db);
}

static void strange_schema_rows_are_refused(void **state)
{
	assert_no_catalog(state,
			  "CREATE TABLE t(x); PRAGMA writable_schema=ON;"
			  "UPDATE sqlite_schema SET type='TABLE'",
			  "row 1 of sqlite_schema is of no known type; the "
			  "schema was edited by hand and needs repair");
	assert_no_catalog(
		state,
		"CREATE TABLE t(x); PRAGMA writable_schema=ON;"
		"UPDATE sqlite_schema SET sql=CAST(sql AS BLOB)",
		"row 1 of sqlite_schema holds something else than text; the "
		"schema was edited by hand and needs repair");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(an_integer_primary_key_is_the_rowid),
		fixture_test(what_only_looks_like_one_is_not),
		fixture_test(the_rowid_has_the_first_name_that_is_no_column),
		fixture_test(without_rowid_goes_by_its_key_if_we_can_compare),
		fixture_test(generated_columns_are_told_by_kind),
		fixture_test(sequences_and_statistics_are_internal),
		fixture_test(only_tables_of_a_virtual_table_are_shadows),
		fixture_test(a_virtual_table_without_its_module_is_an_entry),
		fixture_test(parents_are_named_once_and_as_written),
		fixture_test(names_that_are_no_utf8_make_arrays),
		fixture_test(settings_are_read),
		fixture_test(the_schema_revision_is_the_frameworks),
		fixture_test(broken_and_endless_views_do_no_harm),
		fixture_test(automatic_indexes_are_no_entries),
		fixture_test(strange_schema_rows_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
