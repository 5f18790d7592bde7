/*
 * test_diff.c - what differs between two snapshots
 */
#include "tests/snapshot/diff_fixture.h"

/* ---- rows by key ---- */

static void a_row_has_changed_where_both_sides_have_its_rowid(void **state)
{
	struct world *w = *state;
	struct diff_table *t;

	fill(&w->sides[DIFF_A], ORDER_ROWID, "-5=a 1=one 2=two 3=three 10=x");
	fill(&w->sides[DIFF_B], ORDER_ROWID,
	     "-6=b -5=A 1=one 3=drei 9=n 10=x 11=y");
	t = compare(w);
	expect_counts(t, 3, 2, 1);
	expect_said(w,
		    "+{\"id\":-6,\"text\":\"b\"}\n"
		    "-{\"id\":-5,\"text\":\"a\"}+{\"id\":-5,\"text\":\"A\"}\n"
		    "-{\"id\":2,\"text\":\"two\"}\n"
		    "-{\"id\":3,\"text\":\"three\"}"
		    "+{\"id\":3,\"text\":\"drei\"}\n"
		    "+{\"id\":9,\"text\":\"n\"}\n"
		    "+{\"id\":11,\"text\":\"y\"}\n");
}

static void rowids_beyond_2_to_the_53_are_numbers_too(void **state)
{
	struct world *w = *state;

	fill(&w->sides[DIFF_A], ORDER_ROWID,
	     "-9223372036854775808=a 9223372036854775807=b");
	fill(&w->sides[DIFF_B], ORDER_ROWID,
	     "-9223372036854775808=A 7=c 9223372036854775807=B");
	expect_counts(compare(w), 1, 2, 0);
	expect_said(w, "-{\"id\":{\"$int\":\"-9223372036854775808\"},"
		       "\"text\":\"a\"}"
		       "+{\"id\":{\"$int\":\"-9223372036854775808\"},"
		       "\"text\":\"A\"}\n"
		       "+{\"id\":7,\"text\":\"c\"}\n"
		       "-{\"id\":{\"$int\":\"9223372036854775807\"},"
		       "\"text\":\"b\"}"
		       "+{\"id\":{\"$int\":\"9223372036854775807\"},"
		       "\"text\":\"B\"}\n");
}

static void a_primary_key_is_a_key(void **state)
{
	struct world *w = *state;

	fill(&w->sides[DIFF_A], ORDER_KEY, "1=one 2=two 3=three");
	fill(&w->sides[DIFF_B], ORDER_KEY, "2=deux 3=three 4=four");
	expect_counts(compare(w), 1, 1, 1);
	expect_said(w, "-{\"id\":1,\"text\":\"one\"}\n"
		       "-{\"id\":2,\"text\":\"two\"}"
		       "+{\"id\":2,\"text\":\"deux\"}\n"
		       "+{\"id\":4,\"text\":\"four\"}\n");
}

static void an_order_that_turned_around_is_no_change(void **state)
{
	struct world *w = *state;

	fill(&w->sides[DIFF_A], ORDER_KEY, "1=one 2=two 3=three");
	fill(&w->sides[DIFF_B], ORDER_KEY, "3=three 2=zwei 1=one");
	expect_counts(compare(w), 0, 1, 0);
	expect_said(w, "-{\"id\":2,\"text\":\"two\"}"
		       "+{\"id\":2,\"text\":\"zwei\"}\n");
}

static void an_integer_primary_key_stays_the_key_without_a_rowid(void **state)
{
	struct world *w = *state;

	fill(&w->sides[DIFF_A], ORDER_ROWID, "1=one 2=two");
	fill(&w->sides[DIFF_B], ORDER_KEY, "1=one 2=deux");
	expect_counts(compare(w), 0, 1, 0);
}

static void
without_a_key_rows_are_lines_as_often_as_they_are_there(void **state)
{
	struct world *w = *state;

	fill(&w->sides[DIFF_A], ORDER_SCAN, "1=a 1=a 1=a 2=b 3=c");
	fill(&w->sides[DIFF_B], ORDER_SCAN, "3=c 1=a 2=x 4=d 4=d");
	expect_counts(compare(w), 3, 0, 3);
	expect_said(w, "-{\"id\":1,\"text\":\"a\"}\n"
		       "-{\"id\":1,\"text\":\"a\"}\n"
		       "-{\"id\":2,\"text\":\"b\"}\n"
		       "+{\"id\":2,\"text\":\"x\"}\n"
		       "+{\"id\":4,\"text\":\"d\"}\n"
		       "+{\"id\":4,\"text\":\"d\"}\n");
}

static void where_the_key_is_another_rows_are_lines(void **state)
{
	struct world *w = *state;

	fill(&w->sides[DIFF_A], ORDER_KEY, "1=one 2=two");
	fill(&w->sides[DIFF_B], ORDER_KEY, "1=one 2=deux");
	w->sides[DIFF_B].catalog->tables[0].columns[0].key = 0;
	w->sides[DIFF_B].catalog->tables[0].columns[1].key = 1;
	expect_counts(compare(w), 1, 0, 1);
}

static void a_key_of_another_name_is_another_key(void **state)
{
	struct world *w = *state;
	struct table *b = add_table(&w->sides[DIFF_B], ORDER_KEY);
	struct table_writer *writer;

	fill(&w->sides[DIFF_A], ORDER_KEY, "1=one 2=two");
	free(b->columns[0].name);
	b->columns[0].name = strdup("no");
	writer = begin(&w->sides[DIFF_B], b);
	add_row(writer, 1, "one");
	end(&w->sides[DIFF_B], b, writer);
	expect_counts(compare(w), 1, 0, 2);
}

/* No sound snapshot has it: what is damaged must not be compared for ever. */
static void rows_of_one_key_are_paired_in_the_order_of_their_lines(void **state)
{
	struct world *w = *state;

	fill(&w->sides[DIFF_A], ORDER_KEY, "1=a 1=b 1=c");
	fill(&w->sides[DIFF_B], ORDER_KEY, "1=b 1=d 2=e");
	expect_counts(compare(w), 1, 1, 1);
	expect_said(w, "-{\"id\":1,\"text\":\"a\"}\n"
		       "-{\"id\":1,\"text\":\"c\"}+{\"id\":1,\"text\":\"d\"}\n"
		       "+{\"id\":2,\"text\":\"e\"}\n");
}

static void equal_tables_are_not_looked_into(void **state)
{
	struct world *w = *state;

	fill(&w->sides[DIFF_A], ORDER_ROWID, "1=one");
	fill(&w->sides[DIFF_B], ORDER_ROWID, "1=one");
	expect_counts(compare(w), 0, 0, 0);
	expect_said(w, "");
	assert_int_equal(reads, 0);
}

/* ---- tables of one side ---- */

static void rows_of_a_new_table_are_counted_by_its_manifest(void **state)
{
	struct world *w = *state;
	struct diff_table *t;

	fill(&w->sides[DIFF_B], ORDER_ROWID, "1=one 2=two");
	w->taker.row = NULL;
	t = compare(w);
	expect_counts(t, 2, 0, 0);
	assert_null(t->sides[DIFF_A]);
	assert_int_equal(reads, 0);
	w->taker.row = take;
	w->limit = 1;
	assert_int_equal(diff_rows(w->diff, t, &w->taker, &w->err), 0);
	expect_counts(t, 2, 0, 0);
	expect_said(w, "+{\"id\":1,\"text\":\"one\"}\n");
}

static void a_table_that_went_or_was_emptied_has_lost_its_rows(void **state)
{
	struct world *w = *state;
	struct diff_table *t;

	fill(&w->sides[DIFF_A], ORDER_ROWID, "1=one 2=two");
	fill(&w->sides[DIFF_B], ORDER_ROWID, "");
	t = compare(w);
	expect_counts(t, 0, 0, 2);
	assert_non_null(t->sides[DIFF_B]);
	expect_said(w, "-{\"id\":1,\"text\":\"one\"}\n"
		       "-{\"id\":2,\"text\":\"two\"}\n");
}

static void tables_stand_in_the_order_of_b_with_those_of_a_behind(void **state)
{
	static const char *const names[2][3] = { { "x", "both", "y" },
						 { "z", "both", "a" } };
	struct world *w = *state;
	struct diff_table *t;
	size_t count;

	for (int side = 0; side < 2; side++)
		for (int i = 0; i < 3; i++) {
			struct table *table =
				add_table(&w->sides[side], ORDER_ROWID);

			free(table->name);
			table->name = strdup(names[side][i]);
		}
	open_diff(w);
	t = diff_tables(w->diff, &count);
	assert_int_equal(count, 5);
	assert_string_equal(t[0].name, "z");
	assert_string_equal(t[1].name, "both");
	assert_string_equal(t[2].name, "a");
	assert_string_equal(t[3].name, "x");
	assert_string_equal(t[4].name, "y");
	assert_null(t[0].sides[DIFF_A]);
	assert_non_null(t[1].sides[DIFF_A]);
	assert_null(t[3].sides[DIFF_B]);
}

static void enough_rows_are_enough_and_the_others_are_counted(void **state)
{
	struct world *w = *state;

	fill(&w->sides[DIFF_A], ORDER_ROWID, "1=a 2=b 3=c");
	fill(&w->sides[DIFF_B], ORDER_ROWID, "1=A 2=B 3=C 4=D");
	w->limit = 1;
	expect_counts(compare(w), 1, 3, 0);
	expect_said(w,
		    "-{\"id\":1,\"text\":\"a\"}+{\"id\":1,\"text\":\"A\"}\n");
}

static void a_run_can_be_stopped(void **state)
{
	struct world *w = *state;
	struct diff_table *t;
	size_t count;

	fill(&w->sides[DIFF_A], ORDER_ROWID, "1=a");
	fill(&w->sides[DIFF_B], ORDER_ROWID, "1=b");
	w->taker.tick = tick;
	w->stop_at = 1;
	open_diff(w);
	t = diff_tables(w->diff, &count);
	assert_int_equal(diff_rows(w->diff, t, &w->taker, &w->err), -1);
	assert_int_equal(w->err.code, ERROR_INTERRUPTED);
}

/* ---- schema ---- */

static void add_entry(struct side *s, enum entry_type type, const char *name,
		      const char *table, const char *sql)
{
	struct entry *e = catalog_add_entry(s->catalog);

	e->type = type;
	e->name = strdup(name);
	e->table = strdup(table);
	e->sql = strdup(sql);
	e->sql_size = strlen(sql);
}

static void the_schema_differs_by_type_name_and_text(void **state)
{
	struct world *w = *state;
	struct side *a = &w->sides[DIFF_A], *b = &w->sides[DIFF_B];
	struct diff_entry *e;
	size_t count;

	add_entry(a, ENTRY_TABLE, "same", "same", "x");
	add_entry(a, ENTRY_TABLE, "t", "t", "CREATE TABLE t(a)");
	add_entry(a, ENTRY_INDEX, "moved", "t", "x");
	add_entry(a, ENTRY_INDEX, "t2", "t", "x");
	add_entry(a, ENTRY_TRIGGER, "t", "t", "gone");
	add_entry(b, ENTRY_TABLE, "same", "same", "x");
	add_entry(b, ENTRY_TABLE, "t", "t", "CREATE TABLE t(b)");
	add_entry(b, ENTRY_INDEX, "moved", "u", "x");
	add_entry(b, ENTRY_VIEW, "t2", "t2", "x");
	open_diff(w);
	assert_int_equal(diff_schema(w->diff, &e, &count, &w->err), 0);
	assert_int_equal(count, 5);
	assert_int_equal(e[0].change, DIFF_CHANGED);
	assert_string_equal(e[0].b->sql, "CREATE TABLE t(b)");
	assert_int_equal(e[1].change, DIFF_CHANGED);
	assert_string_equal(e[1].a->name, "moved");
	assert_int_equal(e[2].change, DIFF_REMOVED);
	assert_int_equal(e[2].a->type, ENTRY_INDEX);
	assert_null(e[2].b);
	assert_int_equal(e[3].change, DIFF_ADDED);
	assert_int_equal(e[3].b->type, ENTRY_VIEW);
	assert_int_equal(e[4].change, DIFF_REMOVED);
	assert_int_equal(e[4].a->type, ENTRY_TRIGGER);
	free(e);
}

static void triggers_that_fire_in_another_order_have_moved(void **state)
{
	struct world *w = *state;
	struct side *a = &w->sides[DIFF_A], *b = &w->sides[DIFF_B];
	struct diff_entry *e;
	size_t count;

	add_entry(a, ENTRY_TRIGGER, "first", "t", "1");
	add_entry(a, ENTRY_TRIGGER, "second", "t", "2");
	add_entry(a, ENTRY_TRIGGER, "third", "t", "3");
	add_entry(a, ENTRY_TRIGGER, "other", "u", "4");
	add_entry(b, ENTRY_TRIGGER, "other", "u", "4");
	add_entry(b, ENTRY_TRIGGER, "second", "t", "2");
	add_entry(b, ENTRY_TRIGGER, "third", "t", "3");
	add_entry(b, ENTRY_TRIGGER, "first", "t", "1");
	open_diff(w);
	assert_int_equal(diff_schema(w->diff, &e, &count, &w->err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(e[0].a->name, "second");
	assert_string_equal(e[1].a->name, "third");
	assert_true(e[0].moved && e[1].moved);
	assert_int_equal(e[0].change, DIFF_CHANGED);
	free(e);
}

/* ---- records ---- */

static void records_are_matched_by_their_pk(void **state)
{
	struct world *w = *state;

	add_model(&w->sides[DIFF_A], "{\"pk\":-2,\"fields\":{}}\n"
				     "{\"pk\":2,\"fields\":{\"a\":1}}\n"
				     "{\"pk\":10,\"fields\":{\"a\":1.0}}\n"
				     "{\"pk\":\"x\",\"fields\":{}}\n"
				     "{\"fields\":{\"a\":1}}\n"
				     "{\"fields\":{\"a\":2}}\n");
	add_model(&w->sides[DIFF_B], "{\"pk\":-20,\"fields\":{}}\n"
				     "{\"pk\":2,\"fields\":{\"a\":1}}\n"
				     "{\"pk\":10,\"fields\":{\"a\":1}}\n"
				     "{\"pk\":256,\"fields\":{}}\n"
				     "{\"fields\":{\"a\":2}}\n"
				     "{\"fields\":{\"a\":3}}\n");
	expect_counts(compare(w), 3, 1, 3);
	expect_said(w, "+{\"pk\":-20,\"fields\":{}}\n"
		       "-{\"pk\":-2,\"fields\":{}}\n"
		       "-{\"pk\":10,\"fields\":{\"a\":1.0}}"
		       "+{\"pk\":10,\"fields\":{\"a\":1}}\n"
		       "+{\"pk\":256,\"fields\":{}}\n"
		       "-{\"pk\":\"x\",\"fields\":{}}\n"
		       "-{\"fields\":{\"a\":1}}\n"
		       "+{\"fields\":{\"a\":3}}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_row_has_changed_where_both_sides_have_its_rowid),
		IN_WORLD(rowids_beyond_2_to_the_53_are_numbers_too),
		IN_WORLD(a_primary_key_is_a_key),
		IN_WORLD(an_order_that_turned_around_is_no_change),
		IN_WORLD(an_integer_primary_key_stays_the_key_without_a_rowid),
		IN_WORLD(
			without_a_key_rows_are_lines_as_often_as_they_are_there),
		IN_WORLD(where_the_key_is_another_rows_are_lines),
		IN_WORLD(a_key_of_another_name_is_another_key),
		IN_WORLD(
			rows_of_one_key_are_paired_in_the_order_of_their_lines),
		IN_WORLD(equal_tables_are_not_looked_into),
		IN_WORLD(rows_of_a_new_table_are_counted_by_its_manifest),
		IN_WORLD(a_table_that_went_or_was_emptied_has_lost_its_rows),
		IN_WORLD(tables_stand_in_the_order_of_b_with_those_of_a_behind),
		IN_WORLD(enough_rows_are_enough_and_the_others_are_counted),
		IN_WORLD(a_run_can_be_stopped),
		IN_WORLD(the_schema_differs_by_type_name_and_text),
		IN_WORLD(triggers_that_fire_in_another_order_have_moved),
		IN_WORLD(records_are_matched_by_their_pk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
