/*
 * test_manifest.c - manifest and schema, there and back
 */
#include "tests/snapshot/manifest_fixture.h"

#define SHA                                                                    \
	"00000000000000000000000000000000"                                     \
	"00000000000000000000000000000000"

static const char manifest_text[] =
	"{\n"
	"\"format\": \"dbstow-snapshot/1\",\n"
	"\"engine\": \"sqlite\",\n"
	"\"settings\": {\n"
	" \"encoding\": \"UTF-16le\",\n"
	" \"user_version\": -7,\n"
	" \"application_id\": 1196444487\n"
	"},\n"
	"\"tables\": [\n"
	" {\n"
	"  \"name\": \"a\",\n"
	"  \"dir\": \"a\",\n"
	"  \"kind\": \"table\",\n"
	"  \"columns\": [\"id\", \"x\", \"y\", \"z\"],\n"
	"  \"generated\": {\"virtual\": [\"y\"], \"stored\": [\"z\"]},\n"
	"  \"key\": [\"id\"],\n"
	"  \"order\": \"rowid\",\n"
	"  \"rowid\": \"id\",\n"
	"  \"rows\": 0,\n"
	"  \"sha256\": \"" SHA "\"\n"
	" },\n"
	" {\n"
	"  \"name\": \"b\",\n"
	"  \"dir\": \"b\",\n"
	"  \"kind\": \"table\",\n"
	"  \"columns\": [\"p\", \"q\"],\n"
	"  \"key\": [\"q\", \"p\"],\n"
	"  \"order\": \"key\",\n"
	"  \"rows\": 9223372036854775807,\n"
	"  \"sha256\": \"" SHA "\"\n"
	" },\n"
	" {\n"
	"  \"name\": {\"$text\":\"/w==\"},\n"
	"  \"dir\": \"%FF~a8100ae6aa1940d0\",\n"
	"  \"kind\": \"shadow\",\n"
	"  \"form\": \"array\",\n"
	"  \"columns\": [{\"$text\":\"/g==\"}],\n"
	"  \"order\": \"rowid\",\n"
	"  \"rowid\": \"_rowid_\",\n"
	"  \"rows\": 1,\n"
	"  \"sha256\": \"" SHA "\"\n"
	" },\n"
	" {\n"
	"  \"name\": \"sqlite_sequence\",\n"
	"  \"dir\": \"sqlite_sequence\",\n"
	"  \"kind\": \"internal\",\n"
	"  \"columns\": [\"name\", \"seq\"],\n"
	"  \"order\": \"sorted\",\n"
	"  \"rows\": 2,\n"
	"  \"sha256\": \"" SHA "\"\n"
	" }\n"
	"],\n"
	"\"cycles\": [\n"
	" [\"a\", \"b\"]\n"
	"]\n"
	"}\n";

static const char schema_text[] =
	"[\n"
	"{\"type\":\"table\",\"name\":\"a\",\"table\":\"a\","
	"\"sql\":\"CREATE TABLE a(\\r\\n \\\"id\\\")\"},\n"
	"{\"type\":\"table\",\"name\":\"b\",\"table\":\"b\","
	"\"sql\":\"CREATE TABLE b(p,q)\"},\n"
	"{\"type\":\"table\",\"name\":{\"$text\":\"/w==\"},"
	"\"table\":{\"$text\":\"/w==\"},\"sql\":{\"$text\":\"Q/8=\"}},\n"
	"{\"type\":\"table\",\"name\":\"sqlite_sequence\","
	"\"table\":\"sqlite_sequence\","
	"\"sql\":\"CREATE TABLE sqlite_sequence(name,seq)\"},\n"
	"{\"type\":\"table\",\"name\":\"find\",\"table\":\"find\","
	"\"sql\":\"create -- not TABLE\\n/**/VIRTUAL\\ttable find\"},\n"
	"{\"type\":\"index\",\"name\":\"i\",\"table\":\"b\","
	"\"sql\":\"CREATE INDEX i ON b(q)\"},\n"
	"{\"type\":\"view\",\"name\":\"v\",\"table\":\"v\","
	"\"sql\":\"CREATE VIEW v AS SELECT 1\"},\n"
	"{\"type\":\"trigger\",\"name\":\"b\",\"table\":\"a\","
	"\"sql\":\"CREATE TRIGGER b\"}\n"
	"]\n";

static int setup(void **state)
{
	struct world *w;

	make_world(state);
	w = *state;
	files_text(w->files, "data/manifest.json", manifest_text);
	files_text(w->files, "data/schema.json", schema_text);
	return 0;
}

static int read_manifest(struct world *w)
{
	error_clear(&w->err);
	catalog_free(w->catalog);
	return manifest_read(&w->catalog, &w->files->source, &w->err);
}

static void a_catalog_comes_back_as_it_was_written(void **state)
{
	struct world *w = *state;
	struct buffer out = BUFFER_INIT;

	assert_int_equal(read_manifest(w), 0);
	assert_int_equal(manifest_write(&out, w->catalog, &w->err), 0);
	assert_string_equal(buffer_cstr(&out), manifest_text);
	buffer_clear(&out);
	assert_int_equal(schema_write(&out, w->catalog, &w->err), 0);
	assert_string_equal(buffer_cstr(&out), schema_text);
	buffer_release(&out);
}

static void what_was_read_is_what_stands_there(void **state)
{
	struct world *w = *state;
	const struct table *t;

	assert_int_equal(read_manifest(w), 0);
	assert_string_equal(w->catalog->engine, "sqlite");
	assert_int_equal(w->catalog->encoding, ENCODING_UTF16LE);
	assert_int_equal(w->catalog->user_version, -7);
	assert_int_equal(w->catalog->application_id, 1196444487);
	assert_int_equal(w->catalog->table_count, 4);
	t = &w->catalog->tables[0];
	assert_int_equal(t->rowid_column, 0);
	assert_int_equal(t->columns[0].key, 1);
	assert_int_equal(t->columns[1].generated, 0);
	assert_int_equal(t->columns[2].generated, 1);
	assert_int_equal(t->columns[3].generated, 2);
	t = &w->catalog->tables[1];
	assert_int_equal(t->order, ORDER_KEY);
	assert_int_equal(t->rowid_column, -1);
	assert_null(t->rowid_key);
	assert_int_equal(t->columns[0].key, 2);
	assert_int_equal(t->columns[1].key, 1);
	assert_int_equal(t->rows, INT64_MAX);
	t = &w->catalog->tables[2];
	assert_string_equal(t->name, "\xff");
	assert_int_equal(t->kind, TABLE_SHADOW);
	assert_int_equal(t->form_array, 1);
	assert_int_equal(t->rowid_column, -1);
	assert_string_equal(t->rowid_key, "_rowid_");
	assert_int_equal(w->catalog->tables[3].kind, TABLE_INTERNAL);
	assert_int_equal(w->catalog->tables[3].order, ORDER_SORTED);
	assert_int_equal(w->catalog->cycle_count, 1);
	assert_string_equal(w->catalog->cycles[0].tables[1], "b");
	assert_int_equal(w->catalog->entry_count, 8);
	assert_string_equal(w->catalog->entries[0].sql,
			    "CREATE TABLE a(\r\n \"id\")");
	assert_int_equal(w->catalog->entries[0].virtual_table, 0);
	assert_int_equal(w->catalog->entries[2].sql_size, 2);
	assert_int_equal(w->catalog->entries[4].virtual_table, 1);
	assert_int_equal(w->catalog->entries[7].type, ENTRY_TRIGGER);
}

static void an_empty_database_has_a_manifest(void **state)
{
	struct world *w = *state;
	struct buffer out = BUFFER_INIT;

	w->catalog = catalog_new();
	w->catalog->engine = strdup("sqlite");
	assert_int_equal(manifest_write(&out, w->catalog, &w->err), 0);
	assert_string_equal(buffer_cstr(&out),
			    "{\n\"format\": \"dbstow-snapshot/1\",\n"
			    "\"engine\": \"sqlite\",\n\"settings\": {\n"
			    " \"encoding\": \"UTF-8\",\n"
			    " \"user_version\": 0,\n"
			    " \"application_id\": 0\n},\n"
			    "\"tables\": [],\n\"cycles\": []\n}\n");
	files_put(w->files, "data/manifest.json", out.data, out.size);
	buffer_clear(&out);
	assert_int_equal(schema_write(&out, w->catalog, &w->err), 0);
	assert_string_equal(buffer_cstr(&out), "[]\n");
	files_put(w->files, "data/schema.json", out.data, out.size);
	assert_int_equal(read_manifest(w), 0);
	assert_int_equal(w->catalog->table_count, 0);
	buffer_release(&out);
}

static void a_newer_format_is_told_apart_from_damage(void **state)
{
	static const struct change newer = {
		"snapshot/1\",\n\"engine\": \"sqlite\"",
		"snapshot/2\",\n\"engines\": 7", ""
	};
	struct world *w = *state;

	change_file(w, "data/manifest.json", manifest_text, &newer);
	assert_int_equal(read_manifest(w), -1);
	assert_int_equal(w->err.code, ERROR_FAILED);
	assert_string_equal(w->err.message,
			    "snapshot format 'dbstow-snapshot/2' is newer than "
			    "this dbstow reads (dbstow-snapshot/1); install a "
			    "newer dbstow");
	assert_null(w->catalog);
}

static void a_bad_manifest_is_refused_with_one_clear_line(void **state)
{
	static const struct change changes[] = {
		{ "dbstow-snapshot/1", "dbstow-snapshot/0",
		  "format 'dbstow-snapshot/0' is not known" },
		{ "dbstow-snapshot/1", "dbstow-snapshot/2x",
		  "format 'dbstow-snapshot/2x' is not known" },
		{ "dbstow-snapshot/1", "other", "format 'other' is not known" },
		{ "\"format\": \"dbstow-snapshot/1\",\n", "",
		  "'format' is missing" },
		{ "\"dbstow-snapshot/1\"", "1", "'format' is not a string" },
		{ "\"engine\"", "\"extra\": 1,\n\"engine\"",
		  "'extra' is not known" },
		{ "\"sqlite\"", "\"oracle\"",
		  "'engine' is not known: 'oracle'" },
		{ "\"engine\"", "\"format\": 1,\n\"engine\"",
		  "line 3: duplicate object key near '\"format\"'" },
		{ "UTF-16le", "UTF-7", "'encoding' is not known: 'UTF-7'" },
		{ "-7", "2147483648",
		  "'user_version' is out of range: 2147483648" },
		{ "-7", "1.0", "'user_version' is not an integer" },
		{ "\"settings\": {", "\"settings\": {\"wal\": true,",
		  "'wal' is not known" },
		{ "\"dir\": \"a\"", "\"dir\": \"../x\"",
		  "table 'a': its folder is '../x', not 'a' as its name "
		  "gives" },
		{ "\"name\": \"b\"", "\"name\": \"a\"",
		  "table 'a': its folder is 'b', not 'a' as its name gives" },
		{ "\"name\": \"b\",\n  \"dir\": \"b\"",
		  "\"name\": \"a\",\n  \"dir\": \"a\"",
		  "table 'a': it is there twice" },
		{ "\"name\": \"a\"", "\"name\": \"\"",
		  "table '': its folder is 'a', not '~e3b0c44298fc1c14' as "
		  "its name gives" },
		{ "  \"name\": \"a\",\n", "", "table 1: 'name' is missing" },
		{ "\"name\": \"a\"", "\"name\": 5",
		  "table 1: 'name' is not a string" },
		{ "\"name\": \"a\"", "\"name\": {\"$text\":\"YQ==\"}",
		  "table 1: 'name' has a bad \"$text\"" },
		{ "/w==", "/w=", "table 3: 'name' has a bad \"$text\"" },
		{ "/w==", "/wA=", "table 3: 'name' has a bad \"$text\"" },
		{ "\"kind\"", "\"color\": 1, \"kind\"",
		  "table 'a': 'color' is not known" },
		{ "\"shadow\"", "\"ghost\"",
		  "table '\\xff': 'kind' is not known: 'ghost'" },
		{ "  \"form\": \"array\",\n", "",
		  "table '\\xff': 'form' does not agree with the columns" },
		{ "\"order\": \"key\"",
		  "\"form\": \"array\", \"order\": "
		  "\"key\"",
		  "table 'b': 'form' does not agree with the columns" },
		{ "[\"p\", \"q\"]", "[]", "table 'b': 0 columns" },
		{ "[\"p\", \"q\"]", "[\"q\", \"Q\"]",
		  "table 'b': column 'Q' is there twice" },
		{ "{\"virtual\": [\"y\"], ", "{\"virtual\": [\"Y\"], ",
		  "table 'a': 'virtual' names no column: 'Y'" },
		{ "{\"virtual\": [\"y\"], ", "{\"virtual\": [\"z\"], ",
		  "table 'a': 'generated' names 'z' twice" },
		{ "{\"virtual\": [\"y\"], ", "{\"virtual\": [], ",
		  "table 'a': 'virtual' is empty" },
		{ "[\"q\", \"p\"]", "[\"q\", \"q\"]",
		  "table 'b': 'key' names 'q' twice" },
		{ "[\"q\", \"p\"]", "[]", "table 'b': 'key' is empty" },
		{ "  \"key\": [\"q\", \"p\"],\n", "",
		  "table 'b': 'key' is missing" },
		{ "\"order\": \"key\"", "\"order\": \"key\", \"rowid\": \"p\"",
		  "table 'b': 'rowid' goes with order 'rowid' only" },
		{ "\"rowid\": \"id\"", "\"rowid\": \"ID\"",
		  "table 'a': 'rowid' cannot be 'ID'" },
		{ "\"rowid\": \"id\"", "\"rowid\": \"y\"",
		  "table 'a': 'rowid' cannot be 'y'" },
		{ "\"_rowid_\"", "\"rownum\"",
		  "table '\\xff': 'rowid' cannot be 'rownum'" },
		{ "  \"rowid\": \"id\",\n", "",
		  "table 'a': 'rowid' is missing" },
		{ "\"rows\": 0", "\"rows\": -1",
		  "table 'a': 'rows' is out of range: -1" },
		{ "9223372036854775807", "9223372036854775808",
		  "line 29: too big integer near '9223372036854775808'" },
		{ SHA, "00", "table 'a': 'sha256' is not 64 hex digits" },
		{ "[\"a\", \"b\"]", "[\"a\", \"c\"]",
		  "cycle 1: there is no table 'c'" },
		{ "[\"a\", \"b\"]", "[\"a\"]",
		  "cycle 1: it is no list of tables" },
		{ "\"tables\": [\n {", "\"tables\": [\n 7, {",
		  "table 1: it is not an object" },
		{ "\n", "\r\n",
		  "line endings were changed by git (CR LF); check out again "
		  "with core.autocrlf=false, or use git archive" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		change_file(w, "data/manifest.json", manifest_text,
			    &changes[i]);
		assert_int_equal(read_manifest(w), -1);
		assert_refused(w, "data/manifest.json", changes[i].message);
		assert_null(w->catalog);
	}
	files_text(w->files, "data/manifest.json", "[]");
	assert_int_equal(read_manifest(w), -1);
	assert_refused(w, "data/manifest.json", "it is not an object");
	files_text(w->files, "data/manifest.json", "");
	assert_int_equal(read_manifest(w), -1);
	assert_refused(w, "data/manifest.json",
		       "line 1: '[' or '{' expected near end of file");
}

static void a_bad_schema_is_refused_with_one_clear_line(void **state)
{
	static const struct change changes[] = {
		{ "\"type\":\"index\"", "\"type\":\"macro\"",
		  "entry 'i': 'type' is not known: 'macro'" },
		{ "\"type\":\"index\",", "\"type\":\"index\",\"x\":1,",
		  "entry 'i': 'x' is not known" },
		{ "\"name\":\"i\",", "", "entry 6: 'name' is missing" },
		{ ",\"table\":\"v\"", "", "entry 'v': 'table' is missing" },
		{ "\"table\":\"v\"", "\"table\":\"b\"",
		  "entry 'v': its 'table' is another name" },
		{ "\"CREATE INDEX i ON b(q)\"", "null",
		  "entry 'i': 'sql' is not a string" },
		{ "CREATE INDEX i ON b(q)", "", "entry 'i': its SQL is empty" },
		{ "CREATE TABLE b(p,q)", "CREATE\\u0000",
		  "line 3: \\u0000 is not allowed without JSON_ALLOW_NUL "
		  "near '\"CREATE\\u0000\"'" },
		{ "\"name\":\"i\"", "\"name\":\"a\"",
		  "entry 'a': it is there twice" },
		{ "\"name\":\"b\",\"table\":\"b\"",
		  "\"name\":\"aa\",\"table\":\"aa\"",
		  "entry 'aa': the manifest has no such table" },
		{ "\"name\":\"find\",\"table\":\"find\"",
		  "\"name\":\"Z\",\"table\":\"Z\"", NULL },
		{ "VIRTUAL", "VIRTUALS",
		  "entry 'find': the manifest has no such table" },
		{ "CREATE TABLE b", "CREATE VIRTUAL TABLE b",
		  "entry 'b': a virtual table has no rows, but the manifest "
		  "has it" },
		{ "\"type\":\"table\",\"name\":\"b\"",
		  "\"type\":\"view\",\"name\":\"b\"",
		  "table 'b': it is in the manifest, but not here" },
		{ "{\"type\":\"table\",\"name\":{\"$text\":\"/w==\"},"
		  "\"table\":{\"$text\":\"/w==\"},"
		  "\"sql\":{\"$text\":\"Q/8=\"}},\n",
		  "", "table '\\xff': it is in the manifest, but not here" },
		{ "{\"type\":\"table\",\"name\":\"a\"",
		  "7,{\"type\":\"table\",\"name\":\"a\"",
		  "entry 1: it is not an object" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		change_file(w, "data/schema.json", schema_text, &changes[i]);
		if (!changes[i].message) {
			assert_int_equal(read_manifest(w), 0);
			continue;
		}
		assert_int_equal(read_manifest(w), -1);
		assert_refused(w, "data/schema.json", changes[i].message);
	}
	files_text(w->files, "data/schema.json", "{}");
	assert_int_equal(read_manifest(w), -1);
	assert_refused(w, "data/schema.json", "it is not an array");
}

static void deep_json_is_refused(void **state)
{
	struct world *w = *state;
	struct buffer deep = BUFFER_INIT;

	for (int i = 0; i < 100000; i++)
		buffer_byte(&deep, '[');
	files_put(w->files, "data/manifest.json", deep.data, deep.size);
	assert_int_equal(read_manifest(w), -1);
	assert_refused(w, "data/manifest.json",
		       "line 1: maximum parsing depth reached near '['");
	buffer_release(&deep);
}

static void a_folder_without_a_manifest_is_no_snapshot(void **state)
{
	struct world *w = *state;

	files_remove(w->files, "data/manifest.json");
	assert_int_equal(read_manifest(w), -1);
	assert_int_equal(w->err.code, ERROR_DAMAGE);
	assert_string_equal(w->err.message,
			    "snapshot 1f2e3d4 is no snapshot: it has no file "
			    "'data/manifest.json'");
}

static void three_thousand_tables_are_read(void **state)
{
	struct world *w = *state;
	struct buffer out = BUFFER_INIT;
	struct catalog *c = catalog_new();
	char name[32];

	c->engine = strdup("sqlite");
	for (int i = 0; i < 3000; i++) {
		struct table *t = catalog_add_table(c);
		struct entry *e = catalog_add_entry(c);

		snprintf(name, sizeof(name), "t%d", i);
		t->name = strdup(name);
		t->folder = strdup(name);
		table_add_column(t)->name = strdup("x");
		t->order = ORDER_SCAN;
		e->name = strdup(name);
		e->table = strdup(name);
		e->sql = strdup("CREATE TABLE t(x)");
	}
	assert_int_equal(manifest_write(&out, c, &w->err), 0);
	files_put(w->files, "data/manifest.json", out.data, out.size);
	buffer_clear(&out);
	assert_int_equal(schema_write(&out, c, &w->err), 0);
	files_put(w->files, "data/schema.json", out.data, out.size);
	assert_int_equal(read_manifest(w), 0);
	assert_int_equal(w->catalog->table_count, 3000);
	assert_string_equal(w->catalog->tables[2999].name, "t2999");
	catalog_free(c);
	buffer_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_catalog_comes_back_as_it_was_written),
		IN_WORLD(what_was_read_is_what_stands_there),
		IN_WORLD(an_empty_database_has_a_manifest),
		IN_WORLD(a_newer_format_is_told_apart_from_damage),
		IN_WORLD(a_bad_manifest_is_refused_with_one_clear_line),
		IN_WORLD(a_bad_schema_is_refused_with_one_clear_line),
		IN_WORLD(deep_json_is_refused),
		IN_WORLD(a_folder_without_a_manifest_is_no_snapshot),
		IN_WORLD(three_thousand_tables_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
