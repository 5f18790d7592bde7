/*
 * diff_fixture.h - two snapshots of a table for the tests of diff
 */
#ifndef TESTS_SNAPSHOT_DIFF_FIXTURE_H
#define TESTS_SNAPSHOT_DIFF_FIXTURE_H

#include "tests/snapshot/files.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "snapshot/catalog.h"
#include "snapshot/diff_internal.h"
#include "snapshot/value.h"
#include "tests/support/memory_store.h"
#include "tests/support/table_writer.h"

#define CHUNK "data/tables/t/0.jsonl"

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

static inline int counted_read(struct source *s, const char *path,
			       struct buffer *out, struct error *err)
{
	reads++;
	return plain_read(s, path, out, err);
}

static inline int take(struct diff_taker *taker, const struct diff_table *t,
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

static inline int tick(struct diff_taker *taker, const char *table,
		       uint64_t rows)
{
	struct world *w =
		(struct world *)((char *)taker - offsetof(struct world, taker));

	assert_string_equal(table, "t");
	assert_true(rows > 0);
	return ++w->ticks == w->stop_at;
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
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

static inline void add_column(struct table *t, const char *name, int key)
{
	struct column *c = table_add_column(t);

	c->name = strdup(name);
	c->key = key;
}

/* A table "t" with the columns id and text. */
static inline struct table *add_table(struct side *s, enum table_order order)
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

static inline struct table_writer *begin(struct side *s, struct table *t)
{
	struct table_writer *out;
	struct error err = ERROR_INIT;

	assert_int_equal(
		table_writer_new(&out, t, memory_store_sink(s->store), &err),
		0);
	return out;
}

static inline void add_row(struct table_writer *w, int64_t id, const char *text)
{
	struct value values[2] = {
		{ .class = VALUE_INTEGER, .integer = id },
		{ .class = VALUE_TEXT, .data = text, .size = strlen(text) }
	};
	struct error err = ERROR_INIT;

	assert_int_equal(table_writer_row(w, id, values, &err), 0);
}

/* The table's last row was added. */
static inline void end(struct side *s, struct table *t, struct table_writer *w)
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
static inline void close_side(struct side *s)
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

static inline void open_diff(struct world *w)
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
static inline struct diff_table *compare(struct world *w)
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

static inline void expect_said(struct world *w, const char *text)
{
	const char *said = w->said.size ? buffer_cstr(&w->said) : "";

	assert_string_equal(said, text);
}

static inline void expect_counts(const struct diff_table *t, uint64_t added,
				 uint64_t changed, uint64_t removed)
{
	assert_int_equal(t->added, added);
	assert_int_equal(t->changed, changed);
	assert_int_equal(t->removed, removed);
}

/* Small tables: "1=one 2=two". */
static inline void fill(struct side *s, enum table_order order,
			const char *rows)
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

static inline uint64_t draw(uint64_t *state, uint64_t below)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return hash_mix64(*state) % below;
}

/* A record snapshot, of one file. */
static inline void add_model(struct side *s, const char *lines)
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

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif /* TESTS_SNAPSHOT_DIFF_FIXTURE_H */
