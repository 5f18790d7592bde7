/*
 * test_hostile.c - schema text that others wrote, and manifests that lie
 */
#include "tests/database/fixture.h"

#include "database/sqlite_internal.h"

/* ---- the text alone ---- */

static void assert_text(enum entry_type type, int virtual_table,
			const char *name, const char *table, const char *sql,
			const char *message)
{
	struct entry e = { type,          virtual_table, (char *)name,
			   (char *)table, (char *)sql,   strlen(sql) };
	struct error err = ERROR_INIT;

	if (message) {
		assert_int_equal(statement_check(&e, &err), -1);
		assert_string_equal(err.message, message);
		assert_int_equal(err.code, ERROR_DAMAGE);
	} else if (statement_check(&e, &err) < 0) {
		fail_msg("%s: %s", sql, err.message);
	}
}

static void texts_that_sqlite_stores_are_accepted(void **state)
{
	static const char *const tables[] = {
		"CREATE TABLE t(a)",
		"CREATE TABLE \"T\"(\"a)\", 'b(', [c)], `d(`) WITHOUT ROWID, "
		"STRICT",
		"create table if not exists t(a DEFAULT ';' CHECK(a <> \";\"))"
		"; ; -- end",
		"CREATE TABLE [t] ( a -- ;)\n, b /* ;) */ ) /* open",
		"CREATE TABLE 't'(a,FOREIGN KEY(a) REFERENCES t(a))",
		"CREATE TABLE t(a AS (b) STORED, b)",
	};
	static const char *const triggers[] = {
		"CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
		"CREATE TRIGGER x UPDATE OF a, b ON main.t WHEN 1 BEGIN "
		"SELECT CASE 1 WHEN 2 THEN 3 END; DELETE FROM t; END ;",
		"CREATE TRIGGER \"x\" INSTEAD OF DELETE ON [t] FOR EACH ROW "
		"BEGIN SELECT ';END;'; END -- bye",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		assert_text(ENTRY_TABLE, 0, "t", "t", tables[i], NULL);
	for (i = 0; i < sizeof(triggers) / sizeof(*triggers); i++)
		assert_text(ENTRY_TRIGGER, 0, "x", "t", triggers[i], NULL);
	assert_text(ENTRY_TABLE, 0, "a\"b", "a\"b",
		    "CREATE TABLE \"a\"\"b\"(x)", NULL);
	assert_text(ENTRY_INDEX, 0, "i", "t", "CREATE UNIQUE INDEX i ON T(a)",
		    NULL);
	assert_text(ENTRY_VIEW, 0, "v", "v",
		    "CREATE VIEW v(a, b) AS SELECT ';', 2", NULL);
	assert_text(ENTRY_TABLE, 1, "f", "f",
		    "CREATE VIRTUAL TABLE f USING fts5(a, ';')", NULL);
}

static void what_stands_behind_a_statement_is_refused(void **state)
{
	static const char *const tails[] = { "; DROP TABLE u", ";;SELECT 1",
					     "; 'x", " 'x" };
	char sql[200];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
		snprintf(sql, sizeof(sql), "CREATE TABLE t(a)%s", tails[i]);
		assert_text(ENTRY_TABLE, 0, "t", "t", sql,
			    "the schema's text of TABLE 't' is not one "
			    "statement of its kind");
		snprintf(sql, sizeof(sql), "CREATE INDEX i ON t(a)%s",
			 tails[i]);
		assert_text(ENTRY_INDEX, 0, "i", "t", sql,
			    "the schema's text of INDEX 'i' is not one "
			    "statement of its kind");
		snprintf(sql, sizeof(sql), "CREATE VIEW v AS SELECT 1%s",
			 tails[i]);
		assert_text(ENTRY_VIEW, 0, "v", "v", sql,
			    "the schema's text of VIEW 'v' is not one "
			    "statement of its kind");
		snprintf(sql, sizeof(sql),
			 "CREATE TRIGGER x DELETE ON t BEGIN SELECT 1; END%s",
			 tails[i]);
		assert_text(ENTRY_TRIGGER, 0, "x", "t", sql,
			    "the schema's text of TRIGGER 'x' is not one "
			    "statement of its kind");
	}
	assert_text(ENTRY_TRIGGER, 0, "x", "t",
		    "CREATE TRIGGER x DELETE ON t BEGIN SELECT 1;",
		    "the schema's text of TRIGGER 'x' is not one statement of "
		    "its kind");
	assert_text(ENTRY_TABLE, 0, "t", "t", "CREATE TABLE t AS SELECT 1",
		    "the schema's text of TABLE 't' is not one statement of "
		    "its kind");
	assert_text(ENTRY_TABLE, 0, "t", "t", "CREATE TABLE t(a) AS SELECT 1",
		    "the schema's text of TABLE 't' is not one statement of "
		    "its kind");
	assert_text(ENTRY_TABLE, 0, "t", "t", "CREATE TABLE t(a",
		    "the schema's text of TABLE 't' is not one statement of "
		    "its kind");
}

static void type_and_names_must_agree_with_the_text(void **state)
{
	static const char other[] =
		"the schema's text of TABLE 't' makes something else";

	(void)state;
	assert_text(ENTRY_TABLE, 0, "t", "t", "ATTACH 'x' AS t", other);
	assert_text(ENTRY_TABLE, 0, "t", "t", "", other);
	assert_text(ENTRY_TABLE, 0, "t", "t", "CREATE VIEW t AS SELECT 1",
		    other);
	assert_text(ENTRY_TABLE, 0, "t", "t", "CREATE TEMP TABLE t(a)", other);
	assert_text(ENTRY_TABLE, 0, "t", "t", "CREATE UNIQUE TABLE t(a)",
		    other);
	assert_text(ENTRY_TABLE, 0, "t", "t",
		    "CREATE VIRTUAL TABLE t USING fts5(a)", other);
	assert_text(ENTRY_TABLE, 0, "t", "t", "CREATE TABLE u(a)",
		    "the schema's text of TABLE 't' makes one of another "
		    "name");
	assert_text(ENTRY_TABLE, 0, "t", "t", "CREATE TABLE main.t(a)",
		    "the schema's text of TABLE 't' makes one of another "
		    "name");
	assert_text(ENTRY_TABLE, 0, "t", "u", "CREATE TABLE t(a)",
		    "the schema's text of TABLE 't' belongs to another table");
	assert_text(ENTRY_INDEX, 0, "i", "t", "CREATE INDEX i ON u(a)",
		    "the schema's text of INDEX 'i' belongs to another table");
	assert_text(ENTRY_TRIGGER, 0, "x", "t",
		    "CREATE TRIGGER x BEFORE DELETE ON u BEGIN SELECT 1; END",
		    "the schema's text of TRIGGER 'x' belongs to another "
		    "table");
	assert_text(ENTRY_TRIGGER, 0, "x", "t",
		    "CREATE TRIGGER x SELECT ON t BEGIN SELECT 1; END",
		    "the schema's text of TRIGGER 'x' makes something else");
	assert_text(ENTRY_VIEW, 0, "v", "t", "CREATE VIEW v AS SELECT 1",
		    "the schema's text of VIEW 'v' belongs to another table");
}

static void expressions_of_generated_columns_are_found(void **state)
{
	static const char sql[] =
		"CREATE TABLE t(a DEFAULT (1, 2), b TEXT GENERATED ALWAYS AS "
		"(')' || (a)), \"as\" INT, d AS /* ( */ ([x)] + 1) STORED, "
		"CHECK(a AS b))";
	const char *start;
	size_t size;

	(void)state;
	assert_int_equal(statement_generated(sql, 0, &start, &size), -1);
	assert_int_equal(statement_generated(sql, 1, &start, &size), 0);
	assert_int_equal(size, strlen("(')' || (a))"));
	assert_memory_equal(start, "(')' || (a))", size);
	assert_int_equal(statement_generated(sql, 2, &start, &size), -1);
	assert_int_equal(statement_generated(sql, 3, &start, &size), 0);
	assert_memory_equal(start, "([x)] + 1)", size);
	assert_int_equal(statement_generated(sql, 5, &start, &size), -1);
}

/* ---- building ---- */

/* Read a good database, replace one entry's text, build. */
static void assert_refused(void **state, const char *made, const char *name,
			   const char *sql, const char *message)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct reader r;
	size_t i;
	int found = 0;

	unlink(f->a);
	make(f->a, made);
	r = reader_open(f->a);
	for (i = 0; i < r.catalog->entry_count; i++) {
		struct entry *e = &r.catalog->entries[i];

		if (strcmp(e->name, name) != 0)
			continue;
		free(e->sql);
		e->sql = strdup(sql);
		e->sql_size = strlen(sql);
		found++;
	}
	assert_int_equal(found, 1);
	assert_int_equal(build(&r, f->b, 0, 0, NULL, &err), -1);
	assert_string_equal(err.message, message);
	assert_false(file_exists(f->b));
	reader_close(&r);
}

static void a_table_can_only_be_made_from_its_text(void **state)
{
	static const char made[] = "CREATE TABLE t(a)";

	assert_refused(state, made, "t",
		       "CREATE TABLE t(a); ATTACH '/tmp/x' AS y",
		       "the schema's text of TABLE 't' is not one statement of "
		       "its kind");
	assert_refused(state, made, "t", "CREATE TABLE t(a, b)",
		       "table 't': manifest and schema text disagree about its "
		       "columns");
	assert_refused(state, made, "t", "CREATE TABLE t(a PRIMARY KEY)",
		       "table 't': manifest and schema text disagree about its "
		       "primary key");
	assert_refused(state, made, "t", "CREATE TABLE t(a AS (1) STORED)",
		       "cannot create table 't': must have at least one "
		       "non-generated column");
	assert_refused(state, "CREATE TABLE t(a, PRIMARY KEY(a))", "t",
		       "CREATE TABLE t(a PRIMARY KEY) WITHOUT ROWID",
		       "table 't': manifest and schema text disagree about its "
		       "rowid");
	assert_refused(state, made, "t",
		       "CREATE TABLE t(a CHECK(load_extension(a)))",
		       "cannot create table 't': not authorized to use "
		       "function: load_extension");
}

static void an_index_can_only_be_made_from_its_text(void **state)
{
	static const char made[] =
		"CREATE TABLE t(a); CREATE TABLE u(a); CREATE INDEX i ON t(a)";

	assert_refused(state, made, "i", "CREATE INDEX i ON u(a)",
		       "the schema's text of INDEX 'i' belongs to another "
		       "table");
	assert_refused(
		state, made, "i", "CREATE INDEX i ON t(no_function(a))",
		"index 'i' needs the application's function 'no_function'; "
		"restore with --stand-ins and run REINDEX in the "
		"application");
	assert_refused(state, made, "i",
		       "CREATE INDEX i ON t(a) WHERE a IN (SELECT 1)",
		       "cannot create index 'i': subqueries prohibited in "
		       "partial index WHERE clauses");
	assert_refused(state, made, "i", "CREATE INDEX i ON t(random())",
		       "cannot create index 'i': non-deterministic functions "
		       "prohibited in index expressions");
}

static void functions_that_could_do_harm_may_not_stand_in_a_schema(void **state)
{
	struct fixture *f = *state;
	char want[700];

	assert_refused(state, "CREATE TABLE t(a)", "t",
		       "CREATE TABLE t(a CHECK(rtreecheck(a)))",
		       "cannot create table 't': unsafe use of rtreecheck()");
	unlink(f->a);
	make(f->a, "CREATE TABLE t(a CHECK(rtreecheck(a)))");
	snprintf(want, sizeof(want),
		 "cannot read database '%s': malformed database schema (t) - "
		 "unsafe use of rtreecheck()",
		 f->a);
	assert_no_open(f->a, NULL, ERROR_DAMAGE, want);
}

static void rows_of_the_schema_are_read_as_sqlite_will(void **state)
{
	static const char made[] =
		"CREATE TABLE t(a); CREATE VIEW v AS SELECT 1; CREATE TRIGGER "
		"x AFTER INSERT ON t BEGIN SELECT 1; END";

	assert_refused(state, made, "v", "CREATE VIEW v AS SELECT 1 FROM",
		       "the schema would make a database that does not open: "
		       "malformed database schema (v) - incomplete input");
	assert_refused(
		state, made, "x",
		"CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT * "
		"FROM other.t; END",
		"the schema would make a database that does not open: "
		"malformed database schema (x) - trigger x cannot reference "
		"objects in database other");
}

/* What stands in views and triggers must not happen while they are put
 * there. */
static void nothing_runs_while_a_database_is_built(void **state)
{
	struct fixture *f = *state;
	struct reader r;

	make(f->a,
	     "CREATE TABLE t(a); CREATE TABLE log(x);"
	     "INSERT INTO t VALUES(1);"
	     "CREATE TRIGGER x AFTER INSERT ON t BEGIN INSERT INTO log "
	     "VALUES(new.a); END;"
	     "CREATE VIEW endless AS WITH RECURSIVE c(i) AS (SELECT 1 UNION "
	     "ALL SELECT i FROM c) SELECT count(*) FROM c");
	r = reader_open(f->a);
	build_well(&r, f->b);
	assert_same(&r, f->b);
	assert_sql(f->b, "SELECT count(*) FROM log", "0");
	reader_close(&r);
}

static struct table *find(struct reader *r, const char *name)
{
	struct table *t = catalog_table(r->catalog, name);

	assert_non_null(t);
	return t;
}

static void a_table_without_text_is_refused(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct reader r;

	make(f->a, "CREATE TABLE t(a)");
	r = reader_open(f->a);
	r.catalog->entries[0].name[0] = 'u';
	assert_int_equal(build(&r, f->b, 0, 0, NULL, &err), -1);
	assert_string_equal(err.message, "the schema has no table 't'");
	reader_close(&r);
}

static void values_that_cannot_be_are_refused(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct value v = { .class = VALUE_TEXT, .data = "x", .size = 1 };
	struct database *db;
	struct reader r;

	make(f->a, "CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE "
		   "u(a)");
	r = reader_open(f->a);
	assert_int_equal(database_create(&db, f->b, r.catalog, NULL, &err), 0);
	assert_int_equal(database_create_table(db, find(&r, "t"), 0, &err), 0);
	assert_int_equal(load_same(db, find(&r, "t"), 0, &v, 1, &err), -1);
	assert_string_equal(err.message, "table 't': a row's INTEGER PRIMARY "
					 "KEY is no integer");
	error_clear(&err);
	assert_int_equal(database_create_table(db, find(&r, "u"), 0, &err), 0);
	v.class = VALUE_TEXT16;
	assert_int_equal(load_same(db, find(&r, "u"), 1, &v, 1, &err), -1);
	assert_string_equal(err.message,
			    "table 'u': UTF-16 in a UTF-8 database");
	error_clear(&err);
	v.class = VALUE_TEXT;
	assert_int_equal(load_same(db, find(&r, "u"), 1, &v, 2, &err), 1);
	assert_string_equal(err.message, "table 'u', rowid 1 is refused: "
					 "UNIQUE constraint failed: u.rowid");
	database_close(db);
	reader_close(&r);
}

static void what_else_a_text_makes_is_found(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct reader r;

	/* IF NOT EXISTS makes nothing when the name is taken */
	make(f->a, "CREATE TABLE t(a)");
	r = reader_open(f->a);
	free(r.catalog->entries[0].sql);
	r.catalog->entries[0].sql = strdup("CREATE TABLE IF NOT EXISTS t(a)");
	r.catalog->entries[0].sql_size =
		strlen("CREATE TABLE IF NOT EXISTS t(a)");
	{
		struct database *db;
		struct table *t = find(&r, "t");

		assert_int_equal(
			database_create(&db, f->b, r.catalog, NULL, &err), 0);
		assert_int_equal(database_create_table(db, t, 0, &err), 0);
		assert_int_equal(database_create_table(db, t, 0, &err), -1);
		assert_string_equal(err.message,
				    "the schema's text of 't' made nothing");
		database_close(db);
	}
	unlink(f->b);
	/* a view twice: SQLite would not open that */
	reader_close(&r);
	unlink(f->a);
	make(f->a, "CREATE VIEW v AS SELECT 1; CREATE VIEW w AS SELECT 1");
	r = reader_open(f->a);
	memcpy(r.catalog->entries[1].name, "v", 1);
	memcpy(r.catalog->entries[1].table, "v", 1);
	memcpy(strchr(r.catalog->entries[1].sql, 'w'), "v", 1);
	error_clear(&err);
	assert_int_equal(build(&r, f->b, 0, 0, NULL, &err), -1);
	assert_string_equal(err.message,
			    "the schema would make a database that does not "
			    "open: malformed database schema (v) - view v "
			    "already exists");
	reader_close(&r);
}

static void an_index_cannot_have_the_name_of_another_thing(void **state)
{
	static const char *const taken[] = { "i2", "T2" };
	struct fixture *f = *state;
	struct reader r = read_made(
		state, "CREATE TABLE t1(a); CREATE TABLE t2(a); INSERT INTO t1 "
		       "VALUES(1); CREATE INDEX i1 ON t1(a); CREATE INDEX i2 "
		       "ON t1(a)");
	struct error err = ERROR_INIT;
	struct entry *e = r.catalog->entries;

	expect_many_rows(&r);
	while (strcmp(e->name, "i1") != 0)
		e++;
	for (size_t i = 0; i < 2; i++) {
		memcpy(e->name, taken[i], 2);
		memcpy(strstr(e->sql, i ? "i2" : "i1"), taken[i], 2);
		error_clear(&err);
		assert_int_equal(build(&r, f->b, 0, 0, NULL, &err), -1);
		assert_string_equal(
			err.message,
			i ? "cannot create index 'T2': there is already a "
			    "table named T2"
			  : "cannot create index 'i2': index i2 already "
			    "exists");
	}
	reader_close(&r);
}

static void odd_layouts_become_sqlites_own(void **state)
{
	struct fixture *f = *state;
	struct reader r;

	make(f->a, "CREATE TABLE t(a)");
	r = reader_open(f->a);
	r.catalog->page_size = 4095;
	r.catalog->auto_vacuum = 9;
	build_well(&r, f->b);
	assert_sql(f->b, "PRAGMA page_size", "4096");
	assert_sql(f->b, "PRAGMA auto_vacuum", "0");
	reader_close(&r);
}

static void assert_null_test(const char *expression, const char *name, int null)
{
	int got = -1;
	char *found = statement_null_test(expression, &got);

	if (!name) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found, name);
	assert_int_equal(got, null);
	free(found);
}

static void tests_for_null_are_known_by_their_text(void **state)
{
	(void)state;
	assert_null_test(" a IS NULL", "a", 1);
	assert_null_test("a is not null -- done", "a", 0);
	assert_null_test("\"b \"\"c\" /* */ IS/**/NOT NULL", "b \"c", 0);
	assert_null_test("[b c] IS NULL;", "b c", 1);
	assert_null_test("`b` IS NULL", "b", 1);
	/* these are no columns, even if there are some of that name */
	assert_null_test("null IS NOT NULL", NULL, 0);
	assert_null_test("current_time IS NOT NULL", NULL, 0);
	assert_null_test("1 IS NOT NULL", NULL, 0);
	assert_null_test("'a' IS NOT NULL", NULL, 0);
	assert_null_test("a IS NOT NULL AND b", NULL, 0);
	assert_null_test("a IS NOT 1", NULL, 0);
	assert_null_test("a + b IS NULL", NULL, 0);
	assert_null_test("(a) IS NULL", NULL, 0);
	assert_null_test("t.a IS NULL", NULL, 0);
	assert_null_test("a NOTNULL", NULL, 0);
	assert_null_test("", NULL, 0);
	assert_null_test("\"a IS NULL", NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_that_sqlite_stores_are_accepted),
		cmocka_unit_test(what_stands_behind_a_statement_is_refused),
		cmocka_unit_test(tests_for_null_are_known_by_their_text),
		cmocka_unit_test(type_and_names_must_agree_with_the_text),
		cmocka_unit_test(expressions_of_generated_columns_are_found),
		fixture_test(a_table_can_only_be_made_from_its_text),
		fixture_test(an_index_can_only_be_made_from_its_text),
		fixture_test(
			functions_that_could_do_harm_may_not_stand_in_a_schema),
		fixture_test(rows_of_the_schema_are_read_as_sqlite_will),
		fixture_test(nothing_runs_while_a_database_is_built),
		fixture_test(what_else_a_text_makes_is_found),
		fixture_test(an_index_cannot_have_the_name_of_another_thing),
		fixture_test(odd_layouts_become_sqlites_own),
		fixture_test(a_table_without_text_is_refused),
		fixture_test(values_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
