/*
 * test_document.c - a snapshot as one JSON document
 */
#include "tests/export/sample.h"

#include <jansson.h>

#include "base/hash.h"

static int take(void *payload, const void *data, size_t size, struct error *err)
{
	(void)err;
	buffer_add(payload, data, size);
	return 0;
}

static struct snapshot_info some_info(void)
{
	return (struct snapshot_info){ .created_at_s = 1763607322,
				       .source = (char *)"app.db",
				       .page_size = 4096 };
}

/* The document of a database, NUL-terminated; the caller frees it. */
static char *document_of(const char *sql)
{
	struct snapshot_info info = some_info();
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct sample s;

	sample_open(&s, sql);
	if (export_document(s.db, s.catalog, &info, take, &out, &err) < 0)
		fail_msg("%s", err.message);
	sample_close(&s);
	return buffer_detach(&out);
}

static json_t *parsed(const char *text)
{
	json_error_t trouble;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &trouble);

	if (!json)
		fail_msg("line %d: %s", trouble.line, trouble.text);
	return json;
}

static void sha256_of(char hex[65], const char *text)
{
	unsigned char digest[32];
	struct error err = ERROR_INIT;
	struct hasher *h;

	assert_int_equal(hasher_new(&h, HASH_SHA256, &err), 0);
	hasher_reset(h);
	hasher_add(h, text, strlen(text));
	hasher_final(h, digest);
	hex_encode(hex, digest, sizeof(digest));
	hasher_free(h);
}

static const char two_tables[] = "CREATE TABLE a(id INTEGER PRIMARY KEY, x);"
				 "CREATE TABLE b(x); CREATE TABLE c(x);"
				 "INSERT INTO a VALUES(1,'x'),(2,NULL);"
				 "INSERT INTO c VALUES(0.5);";

static void one_row_stands_on_one_line(void **state)
{
	char *text = document_of(two_tables);

	(void)state;
	assert_non_null(strstr(text, ",\n\"tables\":{\"a\":[\n"
				     "{\"id\":1,\"x\":\"x\"},\n"
				     "{\"id\":2}\n"
				     "],\"b\":[],\"c\":[\n"
				     "{\"rowid\":1,\"x\":0.5}\n"
				     "]},\n\"end\":{"));
	free(text);
}

static void the_members_stand_in_their_order(void **state)
{
	static const char *const keys[] = { "format", "snapshot", "manifest",
					    "schema", "tables",   "end" };
	char *text = document_of(two_tables);
	json_t *json = parsed(text), *value;
	const char *key;
	size_t i = 0;

	(void)state;
	json_object_foreach(json, key, value)
		assert_string_equal(key, keys[i++]);
	assert_int_equal(i, 6);
	assert_string_equal(json_string_value(json_object_get(json, "format")),
			    "dbstow-export/1");
	assert_string_equal(text + strlen(text) - 5, "\n]}}\n");
	json_decref(json);
	free(text);
}

static void what_is_known_at_the_end_stands_at_the_end(void **state)
{
	char *text = document_of(two_tables);
	json_t *json = parsed(text), *snapshot, *table;

	(void)state;
	snapshot = json_object_get(json, "snapshot");
	assert_string_equal(
		json_string_value(json_object_get(snapshot, "source")),
		"app.db");
	assert_non_null(json_object_get(snapshot, "tables"));
	assert_null(json_object_get(snapshot, "rows"));
	assert_null(json_object_get(snapshot, "bytes"));
	assert_null(json_object_get(snapshot, "content"));
	table = json_array_get(
		json_object_get(json_object_get(json, "manifest"), "tables"),
		0);
	assert_string_equal(json_string_value(json_object_get(table, "name")),
			    "a");
	assert_null(json_object_get(table, "rows"));
	assert_null(json_object_get(table, "sha256"));
	json_decref(json);
	free(text);
}

static void the_end_counts_and_digests_the_rows(void **state)
{
	char *text = document_of(two_tables), hex[65];
	json_t *json = parsed(text), *end, *each;

	(void)state;
	end = json_object_get(json, "end");
	assert_int_equal(json_integer_value(json_object_get(end, "tables")), 3);
	assert_int_equal(json_integer_value(json_object_get(end, "rows")), 3);
	sha256_of(hex, "{\"id\":1,\"x\":\"x\"}\n{\"id\":2}\n"
		       "{\"rowid\":1,\"x\":0.5}\n");
	assert_string_equal(json_string_value(json_object_get(end, "sha256")),
			    hex);
	each = json_object_get(end, "each");
	assert_int_equal(json_array_size(each), 3);
	sha256_of(hex, "{\"id\":1,\"x\":\"x\"}\n{\"id\":2}\n");
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(each, 0), "sha256")),
			    hex);
	sha256_of(hex, "");
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(each, 1), "sha256")),
			    hex);
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(each, 2), "rows")),
			 1);
	json_decref(json);
	free(text);
}

static void an_empty_database_gives_a_whole_document(void **state)
{
	char *text = document_of("");
	json_t *json = parsed(text);

	(void)state;
	assert_int_equal(json_object_size(json_object_get(json, "tables")), 0);
	assert_int_equal(json_array_size(json_object_get(json, "schema")), 0);
	assert_non_null(strstr(
		text,
		",\n\"schema\":[],\n\"tables\":{},\n\"end\":{\"tables\":0,"
		"\"rows\":0,\"sha256\":\"e3b0c44298fc1c149afbf4c8996fb92427"
		"ae41e4649b934ca495991b7852b855\",\"each\":[]}}\n"));
	json_decref(json);
	free(text);
}

static void big_values_stay_in_their_row(void **state)
{
	char *text = document_of("CREATE TABLE t(x);"
				 "INSERT INTO t VALUES(zeroblob(3000000)),(1)");
	json_t *json = parsed(text), *rows;

	(void)state;
	rows = json_object_get(json_object_get(json, "tables"), "t");
	assert_int_equal(json_array_size(rows), 2);
	assert_int_equal(json_string_length(json_object_get(
				 json_object_get(json_array_get(rows, 0), "x"),
				 "$blob")),
			 4000000);
	json_decref(json);
	free(text);
}

static void a_name_that_is_not_utf8_gives_way_to_its_folder(void **state)
{
	char *text = document_of("CREATE TABLE \"\xff\"(x)");
	json_t *json = parsed(text);
	const char *key = json_object_iter_key(
		json_object_iter(json_object_get(json, "tables")));

	(void)state;
	assert_memory_equal(key, "%FF~", 4);
	assert_int_equal(strlen(key), 20);
	json_decref(json);
	free(text);
}

static void rows_under_an_unknown_collation_are_sorted_by_line(void **state)
{
	char *text = document_of("CREATE TABLE t(k TEXT COLLATE app PRIMARY KEY"
				 ") WITHOUT ROWID;"
				 "INSERT INTO t VALUES('a'),('c'),('b')");

	(void)state;
	assert_non_null(strstr(text, "{\"t\":[\n{\"k\":\"a\"},\n"
				     "{\"k\":\"b\"},\n{\"k\":\"c\"}\n]}"));
	free(text);
}

static void without_big_values_digests_are_those_of_the_snapshot(void **state)
{
	struct snapshot_info info = some_info();
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	unsigned char digest[32];
	struct object_id content;
	struct sample s;

	(void)state;
	sample_open(&s, two_tables);
	sample_export(&s, &content);
	memcpy(digest, s.catalog->tables[0].sha256, sizeof(digest));
	memset(s.catalog->tables[0].sha256, 0, sizeof(digest));
	assert_int_equal(
		export_document(s.db, s.catalog, &info, take, &out, &err), 0);
	assert_memory_equal(digest, s.catalog->tables[0].sha256,
			    sizeof(digest));
	assert_int_equal(s.catalog->tables[0].rows, 2);
	buffer_release(&out);
	sample_close(&s);
}

/* Counts calls and the largest of them; fails when `left` are used up. */
struct writer {
	int calls, left;
	size_t largest, total;
};

static int count_writes(void *payload, const void *data, size_t size,
			struct error *err)
{
	struct writer *w = payload;

	(void)data;
	if (!w->left--)
		return error_set(err, ERROR_NOSPACE, "the disk is full");
	w->calls++;
	w->total += size;
	if (size > w->largest)
		w->largest = size;
	return 0;
}

static const char many[] =
	"CREATE TABLE a(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
	"SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO a "
	"SELECT 'some text of some length ' || i FROM n;";

static void it_is_written_piece_by_piece(void **state)
{
	struct snapshot_info info = some_info();
	struct writer w = { .left = -1 };
	struct error err = ERROR_INIT;
	struct sample s;

	(void)state;
	sample_open(&s, many);
	assert_int_equal(
		export_document(s.db, s.catalog, &info, count_writes, &w, &err),
		0);
	assert_true(w.total > 200000);
	assert_true(w.largest < 70000);
	sample_close(&s);
}

static void trouble_while_writing_is_passed_on(void **state)
{
	struct snapshot_info info = some_info();
	struct sample s;

	(void)state;
	sample_open(&s, many);
	for (int n = 0; n < 4; n++) {
		struct writer w = { .left = n };
		struct error err = ERROR_INIT;

		assert_int_equal(export_document(s.db, s.catalog, &info,
						 count_writes, &w, &err),
				 -1);
		assert_int_equal(err.code, ERROR_NOSPACE);
		assert_string_equal(err.message, "the disk is full");
		assert_int_equal(w.calls, n);
	}
	sample_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_row_stands_on_one_line),
		cmocka_unit_test(the_members_stand_in_their_order),
		cmocka_unit_test(what_is_known_at_the_end_stands_at_the_end),
		cmocka_unit_test(the_end_counts_and_digests_the_rows),
		cmocka_unit_test(an_empty_database_gives_a_whole_document),
		cmocka_unit_test(big_values_stay_in_their_row),
		cmocka_unit_test(
			a_name_that_is_not_utf8_gives_way_to_its_folder),
		cmocka_unit_test(
			rows_under_an_unknown_collation_are_sorted_by_line),
		cmocka_unit_test(
			without_big_values_digests_are_those_of_the_snapshot),
		cmocka_unit_test(it_is_written_piece_by_piece),
		cmocka_unit_test(trouble_while_writing_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
