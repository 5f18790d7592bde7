/*
 * test_diff_chunks.c - which files of a diff are read
 */
#include "tests/snapshot/diff_fixture.h"

#define ROWS 30000

struct model {
	char texts[ROWS][32]; /* "": no such row */
};

static void fill_model(struct side *s, enum table_order order,
		       const struct model *m, int backwards)
{
	struct table *t = add_table(s, order);
	struct table_writer *w = begin(s, t);

	for (int i = 0; i < ROWS; i++) {
		int id = backwards ? ROWS - 1 - i : i;

		if (m->texts[id][0])
			add_row(w, id, m->texts[id]);
	}
	end(s, t, w);
}

/* Change, take out and put in rows, in a stretch or anywhere. */
static void mutate(struct model *m, uint64_t seed)
{
	uint64_t many = 1 + draw(&seed, 400), from = draw(&seed, ROWS);
	int anywhere = draw(&seed, 2) == 0;

	for (uint64_t i = 0; i < many; i++) {
		uint64_t at = anywhere ? draw(&seed, ROWS) : (from + i) % ROWS;

		if (draw(&seed, 3) == 0)
			m->texts[at][0] = '\0';
		else
			snprintf(m->texts[at], sizeof(m->texts[at]),
				 "new %" PRIu64, draw(&seed, 1000000));
	}
}

static void many_rows_differ_as_a_look_at_all_of_them_says(void **state)
{
	static const enum table_order orders[] = { ORDER_ROWID, ORDER_KEY,
						   ORDER_SCAN };
	struct model *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	uint64_t seed = 7;

	(void)state;
	assert_true(a && b);
	for (int round = 0; round < 18; round++) {
		enum table_order order = orders[round % 3];
		uint64_t added = 0, changed = 0, removed = 0;
		struct diff_table *t;
		struct world *w;
		void *own;

		setup(&own);
		w = own;
		for (int i = 0; i < ROWS; i++)
			snprintf(a->texts[i], sizeof(a->texts[i]), "%s%d",
				 draw(&seed, 5) ? "the text of row " : "", i);
		mutate(a, seed);
		memcpy(b, a, sizeof(*b));
		mutate(b, ++seed);
		for (int i = 0; i < ROWS; i++) {
			if (!strcmp(a->texts[i], b->texts[i]))
				continue;
			if (!a->texts[i][0])
				added++;
			else if (!b->texts[i][0])
				removed++;
			else
				changed++;
		}
		if (order == ORDER_SCAN) {
			added += changed;
			removed += changed;
			changed = 0;
		}
		fill_model(&w->sides[DIFF_A], order, a, 0);
		/* under a collation that was turned around */
		fill_model(&w->sides[DIFF_B], order, b,
			   order != ORDER_ROWID && round > 9);
		t = compare(w);
		expect_counts(t, added, changed, removed);
		teardown(&own);
	}
	free(a);
	free(b);
}

static void only_files_that_differ_are_read(void **state)
{
	struct world *w = *state;
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	for (int i = 0; i < ROWS; i++)
		snprintf(m->texts[i], sizeof(m->texts[i]), "text of row %d", i);
	fill_model(&w->sides[DIFF_A], ORDER_ROWID, m, 0);
	m->texts[ROWS / 2][0] = 'T';
	fill_model(&w->sides[DIFF_B], ORDER_ROWID, m, 0);
	w->taker.tick = tick;
	expect_counts(compare(w), 0, 1, 0);
	assert_int_equal(reads, 2);
	assert_int_equal(w->ticks, 1);
	free(m);
}

/* A table of so many files on both sides that they lie in folders; in B it has
 * `rows`, of which each `period`th is another. */
static void fill_folders(struct world *w, enum table_order order, int rows,
			 int period)
{
	char *text = malloc(CHUNK_MEAN_BYTES + 1);

	assert_non_null(text);
	memset(text, 'x', CHUNK_MEAN_BYTES);
	text[CHUNK_MEAN_BYTES] = '\0';
	for (int side = 0; side < 2; side++) {
		struct side *s = &w->sides[side];
		struct table *t = add_table(s, order);
		struct table_writer *writer = begin(s, t);

		for (int i = 0; i < (side == DIFF_B ? rows : 1200); i++) {
			text[0] = side == DIFF_B && i % period == 7 ? 'y' : 'x';
			add_row(writer, i, text);
		}
		end(s, t, writer);
	}
	free(text);
	w->taker.row = NULL;
}

static void folders_of_files_are_compared_with_files(void **state)
{
	struct world *w = *state;

	fill_folders(w, ORDER_ROWID, 990, 300);
	expect_counts(compare(w), 0, 4, 210);
}

static void folders_that_are_equal_are_not_looked_into(void **state)
{
	struct world *w = *state;

	fill_folders(w, ORDER_KEY, 1200, 1200);
	expect_counts(compare(w), 0, 1, 0);
	assert_int_equal(reads, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(many_rows_differ_as_a_look_at_all_of_them_says),
		IN_WORLD(only_files_that_differ_are_read),
		IN_WORLD(folders_of_files_are_compared_with_files),
		IN_WORLD(folders_that_are_equal_are_not_looked_into),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
