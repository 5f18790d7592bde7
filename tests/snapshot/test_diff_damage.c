/*
 * test_diff_damage.c - snapshots that cannot be compared
 */
#include "tests/snapshot/diff_fixture.h"

/* Two snapshots as files that can be spoiled. */
struct spoiled {
	struct world *w;
	struct files *files[2];
};

static void spoil_begin(struct spoiled *s, struct world *w, const char *a,
			const char *b)
{
	const char *const texts[2] = { a, b };

	s->w = w;
	for (int i = 0; i < 2; i++) {
		struct table *t = add_table(&w->sides[i], ORDER_ROWID);

		for (const char *p = texts[i]; *p; p++)
			t->rows += *p == '\n';
		s->files[i] = files_new();
		files_put(s->files[i], CHUNK, texts[i], strlen(texts[i]));
		w->sides[i].source = &s->files[i]->source;
	}
}

static void spoil_expect(struct spoiled *s, const char *message)
{
	struct diff_table *t;
	size_t count;

	error_clear(&s->w->err);
	diff_free(s->w->diff);
	open_diff(s->w);
	t = diff_tables(s->w->diff, &count);
	assert_int_equal(diff_rows(s->w->diff, t, &s->w->taker, &s->w->err),
			 -1);
	assert_int_equal(s->w->err.code, ERROR_DAMAGE);
	assert_string_equal(s->w->err.message, message);
}

static void files_without_ids_are_compared_by_their_lines(void **state)
{
	struct world *w = *state;
	struct spoiled s;

	spoil_begin(&s, w, "{\"id\":1}\n{\"id\":2}\n",
		    "{\"id\":1}\n{\"id\":2,\"text\":\"\"}\n");
	expect_counts(compare(w), 0, 1, 0);
	expect_said(w, "-{\"id\":2}+{\"id\":2,\"text\":\"\"}\n");
}

static void counts_that_contradict_the_manifests_are_damage(void **state)
{
	struct spoiled s;

	spoil_begin(&s, *state, "{\"id\":1}\n", "{\"id\":1}\n{\"id\":2}\n");
	s.w->sides[DIFF_B].catalog->tables[0].rows = 5;
	spoil_expect(&s, "table 't': its files have 1 rows more and 0 fewer, "
			 "but the manifests say 1 and 5; see what 'dbstow "
			 "verify' says of both");
}

static void what_is_no_row_is_damage(void **state)
{
	struct spoiled s;

	spoil_begin(&s, *state, "{\"id\":1}\n", "{\"id\":2}\n");
	files_put(s.files[DIFF_B], CHUNK, "{\"id\":\"x\"}\n", 11);
	spoil_expect(&s, "table 't': the row has no rowid that is an integer");
	files_put(s.files[DIFF_B], CHUNK, "{\"text\":\"x\"}\n", 13);
	spoil_expect(&s, "table 't': the row has no rowid that is an integer");
	files_put(s.files[DIFF_B], CHUNK, "\n", 1);
	spoil_expect(&s, "table 't': the row is no object");
	files_put(s.files[DIFF_B], CHUNK, "{\"id\":2", 7);
	spoil_expect(&s, "table 't', file '" CHUNK "': its last line is cut "
			 "short");
	files_put(s.files[DIFF_B], CHUNK, "", 0);
	spoil_expect(&s, "table 't', file '" CHUNK "': it is empty");
}

static void what_does_not_belong_there_is_damage(void **state)
{
	struct spoiled s;

	spoil_begin(&s, *state, "{\"id\":1}\n", "{\"id\":2}\n");
	files_put(s.files[DIFF_B], "data/tables/t/notes.txt", "x\n", 2);
	spoil_expect(&s, "table 't': 'data/tables/t/notes.txt' does not "
			 "belong there");
}

static void a_folder_that_lies_too_deep_is_damage(void **state)
{
	struct spoiled s;

	spoil_begin(&s, *state, "{\"id\":1}\n", "{\"id\":2}\n");
	files_put(s.files[DIFF_B], "data/tables/t/1/2/3/4/5/6/7/8/0.jsonl",
		  "x\n", 2);
	spoil_expect(&s, "table 't': folder 'data/tables/t/1/2/3/4/5/6/7/8' "
			 "lies too deep");
}

static void a_folder_that_is_not_there_is_damage(void **state)
{
	struct spoiled s;

	spoil_begin(&s, *state, "{\"id\":1}\n", "{\"id\":2}\n");
	free(s.w->sides[DIFF_A].catalog->tables[0].folder);
	s.w->sides[DIFF_A].catalog->tables[0].folder = strdup("u");
	free(s.w->sides[DIFF_B].catalog->tables[0].folder);
	s.w->sides[DIFF_B].catalog->tables[0].folder = strdup("u");
	/* none on either side: nothing to compare, and the counts agree */
	s.w->sides[DIFF_A].catalog->tables[0].rows = 3;
	spoil_expect(&s, "table 't': its files have 0 rows more and 0 fewer, "
			 "but the manifests say 3 and 1; see what 'dbstow "
			 "verify' says of both");
	files_put(s.files[DIFF_A], "data/tables/u/0.jsonl", "{\"id\":1}\n", 9);
	spoil_expect(&s, "table 't': folder 'data/tables/u' is missing in "
			 "snapshot 1f2e3d4");
}

static void every_read_that_fails_is_told(void **state)
{
	struct spoiled s;
	struct diff_table *t;
	size_t count, failed = 0;

	spoil_begin(&s, *state, "{\"id\":1}\n", "{\"id\":2}\n");
	open_diff(s.w);
	t = diff_tables(s.w->diff, &count);
	for (size_t n = 1; n <= 5; n++) {
		struct error err = ERROR_INIT;

		s.files[DIFF_B]->calls = 0;
		s.files[DIFF_B]->fails_at = n;
		if (diff_rows(s.w->diff, t, &s.w->taker, &err) == 0)
			continue;
		assert_int_equal(err.code, ERROR_NOSPACE);
		failed++;
	}
	assert_int_equal(failed, 2); /* the folder and the file */
}

static void what_is_no_record_is_damage(void **state)
{
	struct world *w = *state;
	struct diff_table *t;
	size_t count;

	add_model(&w->sides[DIFF_A], "{\"pk\":1,\"fields\":{}}\n");
	add_model(&w->sides[DIFF_B], "{\"pk\":1}\n");
	open_diff(w);
	t = diff_tables(w->diff, &count);
	assert_int_equal(diff_rows(w->diff, t, &w->taker, &w->err), -1);
	assert_int_equal(w->err.code, ERROR_DAMAGE);
	assert_memory_equal(w->err.message, "table 't': ", 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(files_without_ids_are_compared_by_their_lines),
		IN_WORLD(counts_that_contradict_the_manifests_are_damage),
		IN_WORLD(what_is_no_row_is_damage),
		IN_WORLD(what_does_not_belong_there_is_damage),
		IN_WORLD(a_folder_that_lies_too_deep_is_damage),
		IN_WORLD(a_folder_that_is_not_there_is_damage),
		IN_WORLD(every_read_that_fails_is_told),
		IN_WORLD(what_is_no_record_is_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
