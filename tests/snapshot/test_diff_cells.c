/*
 * test_diff_cells.c - values beside each other
 */
#include "tests/snapshot/diff_fixture.h"

static void expect_cell(const struct diff_cell *c, const char *name, int key,
			const char *a, const char *b)
{
	const char *const texts[2] = { a, b };

	assert_string_equal(c->name, name);
	assert_int_equal(c->key, key);
	for (int side = 0; side < 2; side++) {
		if (!texts[side]) {
			assert_null(c->values[side].data);
			continue;
		}
		assert_int_equal(c->values[side].size, strlen(texts[side]));
		assert_memory_equal(c->values[side].data, texts[side],
				    c->values[side].size);
	}
}

static void set_lines(struct diff_row *row, const char *a, const char *b)
{
	memset(row, 0, sizeof(*row));
	row->lines[DIFF_A] = a;
	row->sizes[DIFF_A] = a ? strlen(a) : 0;
	row->lines[DIFF_B] = b;
	row->sizes[DIFF_B] = b ? strlen(b) : 0;
	row->change = !a ? DIFF_ADDED : !b ? DIFF_REMOVED : DIFF_CHANGED;
}

static void values_stand_beside_each_other_by_column(void **state)
{
	struct world *w = *state;
	struct table *a = add_table(&w->sides[DIFF_A], ORDER_ROWID);
	struct table *b = add_table(&w->sides[DIFF_B], ORDER_ROWID);
	struct diff_table t = { .name = "t", .sides = { a, b } };
	const struct diff_cell *cells;
	struct diff_cells *c;
	struct diff_row row;
	size_t count;

	add_column(a, "old", 0);
	add_column(a, "calc", 0);
	a->columns[3].generated = 1;
	add_column(b, "new", 0);
	assert_int_equal(diff_cells_new(&c, &t, &w->err), 0);
	set_lines(&row,
		  "{\"id\":1,\"text\":\"a\",\"old\":{\"$blob\":\"AA==\"}}",
		  "{\"id\":1,\"new\":-0.0}");
	assert_int_equal(diff_cells_split(c, &row, &cells, &count, &w->err), 0);
	assert_int_equal(count, 4);
	expect_cell(&cells[0], "id", 1, "1", "1");
	expect_cell(&cells[1], "text", 0, "\"a\"", NULL);
	expect_cell(&cells[2], "new", 0, NULL, "-0.0");
	expect_cell(&cells[3], "old", 0, "{\"$blob\":\"AA==\"}", NULL);
	assert_false(diff_cell_differs(&cells[0]));
	assert_true(diff_cell_differs(&cells[1]));
	assert_true(diff_cell_differs(&cells[2]));
	set_lines(&row, NULL, "{\"id\":2}");
	assert_int_equal(diff_cells_split(c, &row, &cells, &count, &w->err), 0);
	expect_cell(&cells[0], "id", 1, NULL, "2");
	expect_cell(&cells[3], "old", 0, NULL, NULL);
	assert_false(diff_cell_differs(&cells[3]));
	diff_cells_free(c);
}

static void a_rowid_is_one_under_each_of_its_names(void **state)
{
	struct world *w = *state;
	struct table *a = add_table(&w->sides[DIFF_A], ORDER_SCAN);
	struct table *b = add_table(&w->sides[DIFF_B], ORDER_SCAN);
	struct diff_table t = { .name = "t", .sides = { a, b } };
	const struct diff_cell *cells;
	struct diff_cells *c;
	struct diff_row row;
	size_t count;

	a->order = b->order = ORDER_ROWID;
	a->rowid_key = strdup("rowid");
	b->rowid_key = strdup("_rowid_");
	add_column(b, "rowid", 0);
	a->form_array = 1;
	assert_int_equal(diff_cells_new(&c, &t, &w->err), 0);
	set_lines(&row, "[7,null,\"x\"]", "{\"_rowid_\":7,\"id\":3}");
	assert_int_equal(diff_cells_split(c, &row, &cells, &count, &w->err), 0);
	assert_int_equal(count, 4);
	expect_cell(&cells[0], "_rowid_", 1, "7", "7");
	expect_cell(&cells[1], "id", 0, NULL, "3");
	expect_cell(&cells[2], "text", 0, "\"x\"", NULL);
	expect_cell(&cells[3], "rowid", 0, NULL, NULL);
	diff_cells_free(c);
}

static void fields_stand_beside_each_other_by_name(void **state)
{
	struct table a = { .name = (char[]){ "t" }, .order = ORDER_RECORDS };
	struct diff_table t = { .name = "t", .sides = { &a, &a } };
	const struct diff_cell *cells;
	struct world *w = *state;
	struct diff_cells *c;
	struct diff_row row;
	size_t count;

	assert_int_equal(diff_cells_new(&c, &t, &w->err), 0);
	set_lines(&row,
		  "{\"pk\":7,\"fields\":{\"a\":1,\"a!\":[2],\"gone\":{}}}",
		  "{\"pk\":7,\"fields\":{\"a!\":[3],\"new\\\"\":null}}");
	assert_int_equal(diff_cells_split(c, &row, &cells, &count, &w->err), 0);
	assert_int_equal(count, 5);
	expect_cell(&cells[0], "pk", 1, "7", "7");
	expect_cell(&cells[1], "a", 0, "1", NULL);
	expect_cell(&cells[2], "a!", 0, "[2]", "[3]");
	expect_cell(&cells[3], "gone", 0, "{}", NULL);
	expect_cell(&cells[4], "new\"", 0, NULL, "null");
	set_lines(&row, NULL, "{\"fields\":{\"a\":0}}");
	assert_int_equal(diff_cells_split(c, &row, &cells, &count, &w->err), 0);
	assert_int_equal(count, 1);
	expect_cell(&cells[0], "a", 0, NULL, "0");
	diff_cells_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(values_stand_beside_each_other_by_column),
		IN_WORLD(a_rowid_is_one_under_each_of_its_names),
		IN_WORLD(fields_stand_beside_each_other_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
