/*
 * test_diff.c - what differs between two snapshots
 */
#include "tests/snapshot/files.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "snapshot/catalog.h"
#include "snapshot/diff_internal.h"
#include "snapshot/value.h"
#include "tests/support/memory_store.h"
#include "tests/support/table_writer.h"

/* One side: the table "t" with the columns id, text and more, and its rows. */
struct side {
	struct catalog *catalog;
	struct memory_store *store;
	struct source *source;
	struct tree tables;
};

struct world {
	struct side sides[2];
	struct diff *diff;
	struct diff_taker taker;
	struct buffer said; /* rows as they came, one a line */
	size_t limit;       /* rows that are wanted; 0: all */
	size_t ticks, stop_at;
	struct error err;
};

static size_t reads;
static int (*plain_read)(struct source *, const char *, struct buffer *,
			 struct error *);

static int counted_read(struct source *s, const char *path, struct buffer *out,
			struct error *err)
{
	reads++;
	return plain_read(s, path, out, err);
}

static int take(struct diff_taker *taker, const struct diff_table *t,
		const struct diff_row *row, struct error *err)
{
	struct world *w =
		(struct world *)((char *)taker - offsetof(struct world, taker));

	(void)t;
	(void)err;
	for (int side = DIFF_A; side <= DIFF_B; side++) {
		if (!row->lines[side])
			continue;
		buffer_byte(&w->said, "-+"[side]);
		buffer_add(&w->said, row->lines[side], row->sizes[side]);
	}
	buffer_byte(&w->said, '\n');
	return w->limit && !--w->limit;
}

static int tick(struct diff_taker *taker, const char *table, uint64_t rows)
{
	struct world *w =
		(struct world *)((char *)taker - offsetof(struct world, taker));

	assert_string_equal(table, "t");
	assert_true(rows > 0);
	return ++w->ticks == w->stop_at;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	for (int i = 0; i < 2; i++) {
		w->sides[i].catalog = catalog_new();
		w->sides[i].store = memory_store_new();
	}
	w->taker.row = take;
	reads = 0;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	diff_free(w->diff);
	for (int i = 0; i < 2; i++) {
		tree_release(&w->sides[i].tables);
		source_free(w->sides[i].source);
		memory_store_free(w->sides[i].store);
		catalog_free(w->sides[i].catalog);
	}
	buffer_release(&w->said);
	free(w);
	return 0;
}

static void add_column(struct table *t, const char *name, int key)
{
	struct column *c = table_add_column(t);

	c->name = strdup(name);
	c->key = key;
}

/* A table "t" with the columns id and text. */
static struct table *add_table(struct side *s, enum table_order order)
{
	struct table *t = catalog_add_table(s->catalog);

	t->name = strdup("t");
	t->folder = strdup("t");
	t->order = order;
	add_column(t, "id", order == ORDER_ROWID || order == ORDER_KEY);
	add_column(t, "text", 0);
	if (order == ORDER_ROWID) {
		t->rowid_key = strdup("id");
		t->rowid_column = 0;
	}
	return t;
}

static struct table_writer *begin(struct side *s, struct table *t)
{
	struct table_writer *out;
	struct error err = ERROR_INIT;

	assert_int_equal(
		table_writer_new(&out, t, memory_store_sink(s->store), &err),
		0);
	return out;
}

static void add_row(struct table_writer *w, int64_t id, const char *text)
{
	struct value values[2] = {
		{ .class = VALUE_INTEGER, .integer = id },
		{ .class = VALUE_TEXT, .data = text, .size = strlen(text) }
	};
	struct error err = ERROR_INIT;

	assert_int_equal(table_writer_row(w, id, values, &err), 0);
}

/* The table's last row was added. */
static void end(struct side *s, struct table *t, struct table_writer *w)
{
	struct error err = ERROR_INIT;
	struct object_id id;
	int rc = table_writer_finish(w, t, &id, &err);

	assert_true(rc >= 0);
	if (rc == 0)
		assert_int_equal(tree_add(&s->tables, t->folder, 1, &id, &err),
				 0);
	table_writer_free(w);
}

/* All tables were added. */
static void close_side(struct side *s)
{
	struct sink *sink = memory_store_sink(s->store);
	struct tree data = { 0 }, root = { 0 };
	struct error err = ERROR_INIT;
	struct object_id id;

	if (s->tables.count) {
		assert_int_equal(tree_put(&s->tables, sink, &id, &err), 0);
		assert_int_equal(tree_add(&data, "tables", 1, &id, &err), 0);
	}
	assert_int_equal(tree_put(&data, sink, &id, &err), 0);
	assert_int_equal(tree_add(&root, "data", 1, &id, &err), 0);
	assert_int_equal(tree_put(&root, sink, &id, &err), 0);
	s->source = memory_store_source(s->store, &id);
	plain_read = s->source->read;
	s->source->read = counted_read;
}

static void open_diff(struct world *w)
{
	struct source *sources[2];
	const struct catalog *catalogs[2];

	for (int i = 0; i < 2; i++) {
		if (!w->sides[i].source)
			close_side(&w->sides[i]);
		sources[i] = w->sides[i].source;
		catalogs[i] = w->sides[i].catalog;
	}
	if (diff_new(&w->diff, sources, catalogs, &w->err) < 0)
		fail_msg("%s", w->err.message);
}

/* Compare the only table. */
static struct diff_table *compare(struct world *w)
{
	struct diff_table *t;
	size_t count;

	open_diff(w);
	t = diff_tables(w->diff, &count);
	assert_int_equal(count, 1);
	if (diff_rows(w->diff, t, &w->taker, &w->err) < 0)
		fail_msg("%s", w->err.message);
	return t;
}

static void expect_said(struct world *w, const char *text)
{
	const char *said = w->said.size ? buffer_cstr(&w->said) : "";

	assert_string_equal(said, text);
}

static void expect_counts(const struct diff_table *t, uint64_t added,
			  uint64_t changed, uint64_t removed)
{
	assert_int_equal(t->added, added);
	assert_int_equal(t->changed, changed);
	assert_int_equal(t->removed, removed);
}

/* Small tables: "1=one 2=two". */
static void fill(struct side *s, enum table_order order, const char *rows)
{
	struct table *t = add_table(s, order);
	struct table_writer *w = begin(s, t);
	char text[64];
	int64_t id;
	int used;

	while (sscanf(rows, " %" SCNd64 "=%63s%n", &id, text, &used) == 2) {
		add_row(w, id, text);
		rows += used;
	}
	end(s, t, w);
}

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

/* ---- many rows ---- */

#define ROWS 30000

struct model {
	char texts[ROWS][32]; /* "": no such row */
};

static uint64_t draw(uint64_t *state, uint64_t below)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return hash_mix64(*state) % below;
}

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

/* 1,001 files make folders of files; some stay as they were. */
static void folders_of_files_are_compared_with_files(void **state)
{
	struct world *w = *state;
	char *text = malloc(CHUNK_MEAN_BYTES + 1);
	struct table *t;
	struct table_writer *writer;

	assert_non_null(text);
	memset(text, 'x', CHUNK_MEAN_BYTES);
	text[CHUNK_MEAN_BYTES] = '\0';
	for (int side = 0; side < 2; side++) {
		struct side *s = &w->sides[side];

		t = add_table(s, ORDER_ROWID);
		writer = begin(s, t);
		for (int i = 0; i < 1200; i++) {
			text[0] = side == DIFF_B && i % 300 == 7 ? 'y' : 'x';
			if (side == DIFF_A || i < 990)
				add_row(writer, i, text);
		}
		end(s, t, writer);
	}
	free(text);
	w->taker.row = NULL;
	expect_counts(compare(w), 0, 4, 210);
}

static void folders_that_are_equal_are_not_looked_into(void **state)
{
	struct world *w = *state;
	char *text = malloc(CHUNK_MEAN_BYTES + 1);
	struct table *t;
	struct table_writer *writer;

	assert_non_null(text);
	memset(text, 'x', CHUNK_MEAN_BYTES);
	text[CHUNK_MEAN_BYTES] = '\0';
	for (int side = 0; side < 2; side++) {
		struct side *s = &w->sides[side];

		t = add_table(s, ORDER_KEY);
		writer = begin(s, t);
		for (int i = 0; i < 1200; i++) {
			text[0] = side == DIFF_B && i == 777 ? 'y' : 'x';
			add_row(writer, i, text);
		}
		end(s, t, writer);
	}
	free(text);
	w->taker.row = NULL;
	expect_counts(compare(w), 0, 1, 0);
	assert_int_equal(reads, 2);
}

/* ---- lines of both sides ---- */

struct rest {
	struct diff_rest base; /* first */
	int64_t more[100];     /* of each line B has than A */
	size_t calls, fails_at;
};

static int line_left(struct diff_rest *base, enum diff_side side,
		     const char *line, size_t size, struct error *err)
{
	struct rest *r = (struct rest *)base;
	int n = 0;

	if (++r->calls == r->fails_at)
		return error_set(err, ERROR_NOSPACE, "no more");
	assert_true(size > 4 && !memcmp(line, "line", 4));
	for (size_t i = 4; i < size; i++)
		n = n * 10 + line[i] - '0';
	r->more[n] += side == DIFF_B ? 1 : -1;
	return 0;
}

static void what_both_sides_have_goes_out_however_small_the_pool(void **state)
{
	static const size_t sizes[] = { 1, 100, 1000, 1 << 20 };
	struct buffer lines[2] = { BUFFER_INIT, BUFFER_INIT };
	uint64_t seed = 1;

	(void)state;
	for (size_t round = 0; round < 40; round++) {
		struct error err = ERROR_INIT;
		struct rest r = { .base = { line_left } };
		struct diff_pool *p;
		int64_t more[100] = { 0 };

		assert_int_equal(
			diff_pool_new(&p, sizes[round % 4], &r.base, &err), 0);
		for (int i = 0; i < 20; i++) {
			for (int side = 0; side < 2; side++) {
				buffer_clear(&lines[side]);
				for (uint64_t n = draw(&seed, 30); n; n--) {
					uint64_t x = draw(&seed, 100);

					buffer_printf(&lines[side],
						      "line%" PRIu64 "\n", x);
					more[x] += side ? 1 : -1;
				}
			}
			assert_int_equal(diff_pool_add(p, lines, &err), 0);
		}
		assert_int_equal(diff_pool_finish(p, &err), 0);
		assert_memory_equal(r.more, more, sizeof(more));
		/* nothing had to go before its time */
		for (int i = 0; round % 4 == 3 && i < 100; i++)
			r.calls -= (size_t)(more[i] < 0 ? -more[i] : more[i]);
		if (round % 4 == 3)
			assert_int_equal(r.calls, 0);
		diff_pool_free(p);
	}
	buffer_release(&lines[0]);
	buffer_release(&lines[1]);
}

static void a_line_put_in_front_leaves_the_others_alone(void **state)
{
	struct buffer lines[2] = { BUFFER_INIT, BUFFER_INIT };
	struct rest r = { .base = { line_left } };
	struct error err = ERROR_INIT;
	struct diff_pool *p;

	(void)state;
	/* so small that nothing waits: only those side by side go out */
	assert_int_equal(diff_pool_new(&p, 0, &r.base, &err), 0);
	buffer_str(&lines[DIFF_A], "line1\nline2\nline3\nline9\nline4\n");
	buffer_str(&lines[DIFF_B],
		   "line7\nline1\nline2\nline3\nline4\nline8\n");
	assert_int_equal(diff_pool_add(p, lines, &err), 0);
	assert_int_equal(diff_pool_finish(p, &err), 0);
	assert_int_equal(r.calls, 3);
	assert_int_equal(r.more[7], 1);
	assert_int_equal(r.more[9], -1);
	assert_int_equal(r.more[8], 1);
	diff_pool_free(p);
	buffer_release(&lines[0]);
	buffer_release(&lines[1]);
}

static void what_fails_behind_the_pool_ends_it(void **state)
{
	struct buffer lines[2] = { BUFFER_INIT, BUFFER_INIT };
	struct rest r = { .base = { line_left }, .fails_at = 1 };
	struct error err = ERROR_INIT;
	struct diff_pool *p;

	(void)state;
	assert_int_equal(diff_pool_new(&p, 0, &r.base, &err), 0);
	buffer_str(&lines[DIFF_A], "line1\nline2\nline3\n");
	assert_int_equal(diff_pool_add(p, lines, &err), -1);
	assert_string_equal(err.message, "no more");
	diff_pool_free(p);
	buffer_release(&lines[0]);
}

/* ---- damage ---- */

/* Two snapshots as files that can be spoiled. */
struct spoiled {
	struct world *w;
	struct files *files[2];
};

#define CHUNK "data/tables/t/0.jsonl"

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

/* ---- values ---- */

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

/* ---- records ---- */

static void add_model(struct side *s, const char *lines)
{
	struct table *t = catalog_add_table(s->catalog);
	struct files *f = files_new();

	t->name = strdup("t");
	t->folder = strdup("t");
	t->order = ORDER_RECORDS;
	for (const char *p = lines; *p; p++)
		t->rows += *p == '\n';
	files_text(f, CHUNK, lines);
	s->source = &f->source;
}

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
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_row_has_changed_where_both_sides_have_its_rowid),
		T(rowids_beyond_2_to_the_53_are_numbers_too),
		T(a_primary_key_is_a_key),
		T(an_order_that_turned_around_is_no_change),
		T(an_integer_primary_key_stays_the_key_without_a_rowid),
		T(without_a_key_rows_are_lines_as_often_as_they_are_there),
		T(where_the_key_is_another_rows_are_lines),
		T(a_key_of_another_name_is_another_key),
		T(rows_of_one_key_are_paired_in_the_order_of_their_lines),
		T(equal_tables_are_not_looked_into),
		T(rows_of_a_new_table_are_counted_by_its_manifest),
		T(a_table_that_went_or_was_emptied_has_lost_its_rows),
		T(tables_stand_in_the_order_of_b_with_those_of_a_behind),
		T(enough_rows_are_enough_and_the_others_are_counted),
		T(a_run_can_be_stopped),
		T(many_rows_differ_as_a_look_at_all_of_them_says),
		T(only_files_that_differ_are_read),
		T(folders_of_files_are_compared_with_files),
		T(folders_that_are_equal_are_not_looked_into),
		T(what_both_sides_have_goes_out_however_small_the_pool),
		T(a_line_put_in_front_leaves_the_others_alone),
		T(what_fails_behind_the_pool_ends_it),
		T(files_without_ids_are_compared_by_their_lines),
		T(counts_that_contradict_the_manifests_are_damage),
		T(what_is_no_row_is_damage),
		T(what_does_not_belong_there_is_damage),
		T(a_folder_that_lies_too_deep_is_damage),
		T(a_folder_that_is_not_there_is_damage),
		T(every_read_that_fails_is_told),
		T(the_schema_differs_by_type_name_and_text),
		T(triggers_that_fire_in_another_order_have_moved),
		T(values_stand_beside_each_other_by_column),
		T(a_rowid_is_one_under_each_of_its_names),
		T(records_are_matched_by_their_pk),
		T(what_is_no_record_is_damage),
		T(fields_stand_beside_each_other_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
