/*
 * test_root.c - what lies beside data/ in a snapshot
 */
#include "tests/export/sample.h"

#include "snapshot/text.h"

/* Put the root of an empty database's snapshot; the catalog may be changed
 * first. */
static void put_root(struct sample *s, const char *source,
		     struct object_id *root)
{
	struct snapshot_info info = { .created_at_s = 1763607322,
				      .source = (char *)source,
				      .page_size = 4096 };
	struct error err = ERROR_INIT;

	sample_export(s, &info.content);
	if (export_root(&info, s->catalog, &info.content,
			memory_store_sink(s->store), root, &err) < 0)
		fail_msg("%s", err.message);
}

static char *readme_of(const char *source)
{
	struct object_id root;
	struct sample s;
	char *text;

	sample_open(&s, "");
	put_root(&s, source, &root);
	text = sample_file(&s, &root, "README.md", NULL);
	assert_non_null(text);
	sample_close(&s);
	return text;
}

static void expect_heading(const char *source, const char *heading)
{
	char *text = readme_of(source);

	*strchr(text, '\n') = '\0';
	assert_string_equal(text, heading);
	free(text);
}

static void everything_has_its_place(void **state)
{
	static const char *const names[] = { ".gitattributes", "README.md",
					     "data", "restore.py",
					     "snapshot.json" };
	struct source_names found = { 0 };
	struct error err = ERROR_INIT;
	struct source *source;
	struct object_id root;
	struct sample s;

	(void)state;
	sample_open(&s, "CREATE TABLE t(x)");
	put_root(&s, "app.db", &root);
	source = memory_store_source(s.store, &root);
	assert_int_equal(source->list(source, "", &found, &err), 0);
	source_names_sort(&found);
	assert_int_equal(found.count, sizeof(names) / sizeof(names[0]));
	for (size_t i = 0; i < found.count; i++) {
		assert_string_equal(found.names[i].name, names[i]);
		assert_int_equal(found.names[i].folder,
				 !strcmp(names[i], "data"));
	}
	source_names_release(&found);
	source_free(source);
	sample_close(&s);
}

static void git_is_told_to_leave_the_bytes_alone(void **state)
{
	struct object_id root;
	struct sample s;
	char *text;

	(void)state;
	sample_open(&s, "");
	put_root(&s, "app.db", &root);
	text = sample_file(&s, &root, ".gitattributes", NULL);
	assert_string_equal(text, "* -text -filter -ident -eol "
				  "!working-tree-encoding -export-ignore "
				  "-export-subst\n*.json* diff\n");
	free(text);
	sample_close(&s);
}

static void the_readme_names_the_source(void **state)
{
	(void)state;
	expect_heading("app.db", "# A backup of the database `app.db`");
	expect_heading("Zo\xc3\xab", "# A backup of the database `Zo\xc3\xab`");
	expect_heading(NULL, "# A backup of the database `database`");
	expect_heading("", "# A backup of the database `database`");
}

static void a_source_cannot_write_into_the_readme(void **state)
{
	(void)state;
	expect_heading("a`<b>`\n# Run this",
		       "# A backup of the database `a??b??\\x0a# Run this`");
	expect_heading("\x1b[2J\xff",
		       "# A backup of the database `\\x1b[2J\\xff`");
}

static void the_readme_is_the_same_for_all_but_the_name(void **state)
{
	char *one = readme_of("app.db"), *other = readme_of("b");

	(void)state;
	assert_string_equal(strchr(one, '\n'), strchr(other, '\n'));
	assert_null(strstr(one, "@SOURCE@"));
	assert_true(text_is_utf8(one, strlen(one)));
	free(one);
	free(other);
}

static void a_catalog_of_another_engine_has_no_script(void **state)
{
	struct object_id root;
	struct sample s;

	(void)state;
	sample_open(&s, "");
	free(s.catalog->engine);
	s.catalog->engine = strdup("postgres");
	put_root(&s, "app", &root);
	assert_null(sample_file(&s, &root, "restore.py", NULL));
	sample_close(&s);
}

static void trouble_with_any_file_is_passed_on(void **state)
{
	struct snapshot_info info = { .page_size = 4096 };
	struct object_id root;
	struct sample s;
	int n, rc = -1;

	(void)state;
	sample_open(&s, "");
	sample_export(&s, &info.content);
	for (n = 0; rc < 0; n++) {
		struct full_sink f = { { .put = full_sink_put },
				       memory_store_sink(s.store),
				       n };
		struct error err = ERROR_INIT;

		rc = export_root(&info, s.catalog, &info.content, &f.sink,
				 &root, &err);
		assert_int_equal(err.code, rc ? ERROR_NOSPACE : ERROR_NONE);
	}
	assert_int_equal(n - 1, 5); /* four files and the root folder */
	sample_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_has_its_place),
		cmocka_unit_test(git_is_told_to_leave_the_bytes_alone),
		cmocka_unit_test(the_readme_names_the_source),
		cmocka_unit_test(a_source_cannot_write_into_the_readme),
		cmocka_unit_test(the_readme_is_the_same_for_all_but_the_name),
		cmocka_unit_test(a_catalog_of_another_engine_has_no_script),
		cmocka_unit_test(trouble_with_any_file_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
