/*
 * test_info.c - snapshot.json: facts of a run, there and back
 */
#include "tests/snapshot/manifest_fixture.h"

static const char info_text[] =
	"{\n"
	" \"created_at\": \"2026-11-20T02:35:22Z\",\n"
	" \"source\": \"app.db\",\n"
	" \"tool_version\": \"0.1.0\",\n"
	" \"name\": {\"$text\":\"/w==\"},\n"
	" \"description\": \"before the \\\"big\\\" move\",\n"
	" \"kind\": \"manual\",\n"
	" \"schema_revision\": \"ae1027a6acf\",\n"
	" \"app_commit\": \"1f2e3d4\",\n"
	" \"tables\": 12,\n"
	" \"rows\": 15607,\n"
	" \"bytes\": 1234567,\n"
	" \"content\": \"00000000000000000000000000000000000000ff\",\n"
	" \"page_size\": 65536,\n"
	" \"auto_vacuum\": 2,\n"
	" \"wal\": true\n"
	"}\n";

static int setup(void **state)
{
	struct world *w;

	make_world(state);
	w = *state;
	files_text(w->files, "snapshot.json", info_text);
	return 0;
}

static int read_info(struct world *w)
{
	error_clear(&w->err);
	snapshot_info_release(&w->info);
	return snapshot_info_read(&w->info, &w->files->source, &w->err);
}

static void facts_of_a_run_come_back_as_they_were_written(void **state)
{
	struct world *w = *state;
	struct buffer out = BUFFER_INIT;
	struct catalog *c = catalog_new();

	assert_int_equal(read_info(w), 0);
	assert_string_equal(w->info.name, "\xff");
	assert_int_equal(w->info.created_at_s, 1795142122);
	assert_int_equal(w->info.content.bytes[19], 0xff);
	assert_int_equal(snapshot_info_write(&out, &w->info, &w->err), 0);
	assert_string_equal(buffer_cstr(&out), info_text);
	snapshot_info_apply(&w->info, c);
	assert_int_equal(c->page_size, 65536);
	assert_int_equal(c->auto_vacuum, 2);
	assert_int_equal(c->wal, 1);
	catalog_free(c);
	buffer_release(&out);
}

static void facts_that_are_not_known_are_left_out(void **state)
{
	struct world *w = *state;
	struct snapshot_info info = { .page_size = 4096 };
	struct buffer out = BUFFER_INIT;

	assert_int_equal(snapshot_info_write(&out, &info, &w->err), 0);
	assert_null(strstr(buffer_cstr(&out), "name"));
	assert_non_null(strstr(out.data, "\"wal\": false"));
	files_put(w->files, "snapshot.json", out.data, out.size);
	assert_int_equal(read_info(w), 0);
	assert_null(w->info.name);
	assert_null(w->info.schema_revision);
	buffer_release(&out);
}

static void facts_of_a_newer_dbstow_are_passed_over(void **state)
{
	static const struct change more = { "\"rows\"",
					    "\"mood\": \"fine\",\n \"rows\"",
					    "" };
	struct world *w = *state;

	change_file(w, "snapshot.json", info_text, &more);
	assert_int_equal(read_info(w), 0);
	assert_int_equal(w->info.rows, 15607);
}

static void bad_facts_are_refused_with_one_clear_line(void **state)
{
	static const struct change changes[] = {
		{ "2026-11-20T02:35:22Z", "yesterday",
		  "'created_at' is no time: 'yesterday'" },
		{ " \"created_at\": \"2026-11-20T02:35:22Z\",\n", "",
		  "'created_at' is missing" },
		{ "\"app.db\"", "{}", "'source' is not a string" },
		{ "15607", "-1", "'rows' is out of range: -1" },
		{ "0000ff", "0000fg", "'content' is not 40 hex digits" },
		{ "65536", "1000", "'page_size' is no power of two" },
		{ "65536", "131072", "'page_size' is out of range: 131072" },
		{ "\"auto_vacuum\": 2", "\"auto_vacuum\": 3",
		  "'auto_vacuum' is out of range: 3" },
		{ "true", "1", "'wal' is not true or false" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		change_file(w, "snapshot.json", info_text, &changes[i]);
		assert_int_equal(read_info(w), -1);
		assert_refused(w, "snapshot.json", changes[i].message);
		assert_null(w->info.source);
	}
	files_text(w->files, "snapshot.json", "[]");
	assert_int_equal(read_info(w), -1);
	assert_refused(w, "snapshot.json", "it is not an object");
	files_remove(w->files, "snapshot.json");
	assert_int_equal(read_info(w), -1);
	assert_string_equal(w->err.message,
			    "snapshot 1f2e3d4 is no snapshot: it has no file "
			    "'snapshot.json'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(facts_of_a_run_come_back_as_they_were_written),
		IN_WORLD(facts_that_are_not_known_are_left_out),
		IN_WORLD(facts_of_a_newer_dbstow_are_passed_over),
		IN_WORLD(bad_facts_are_refused_with_one_clear_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
