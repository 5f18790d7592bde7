/*
 * diff.c - tables of two snapshots side by side, and how many rows differ
 */
#include "snapshot/diff.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks_internal.h"
#include "snapshot/diff_internal.h"
#include "snapshot/record.h"

struct diff {
	struct source *sources[2];
	const struct catalog *catalogs[2];
	struct source_names folders[2]; /* in data/tables, sorted */
	struct diff_table *tables;
	size_t table_count;
};

/* ---- which tables ---- */

struct named {
	const char *name;
	const struct table *table;
};

static int compare_named(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name,
		      ((const struct named *)b)->name);
}

/* The tables of a catalog by name, in new memory. */
static struct named *sorted_tables(const struct catalog *c)
{
	struct named *names = calloc(c->table_count + 1, sizeof(*names));
	size_t i;

	for (i = 0; names && i < c->table_count; i++) {
		names[i].name = c->tables[i].name;
		names[i].table = &c->tables[i];
	}
	if (names)
		qsort(names, c->table_count, sizeof(*names), compare_named);
	return names;
}

static const struct table *find_table(const struct named *names,
				      const struct catalog *c, const char *name)
{
	struct named key = { name, NULL }, *found;

	found = bsearch(&key, names, c->table_count, sizeof(key),
			compare_named);
	return found ? found->table : NULL;
}

static void add_table(struct diff *d, const char *name, const struct table *a,
		      const struct table *b)
{
	struct diff_table *t = &d->tables[d->table_count++];

	t->name = name;
	t->sides[DIFF_A] = a;
	t->sides[DIFF_B] = b;
}

static int join_tables(struct diff *d, struct error *err)
{
	const struct catalog *a = d->catalogs[DIFF_A], *b = d->catalogs[DIFF_B];
	struct named *in_a = sorted_tables(a), *in_b = sorted_tables(b);
	size_t i;
	int rc = -1;

	d->tables =
		calloc(a->table_count + b->table_count + 1, sizeof(*d->tables));
	if (!in_a || !in_b || !d->tables) {
		error_nomem(err);
		goto done;
	}
	for (i = 0; i < b->table_count; i++)
		add_table(d, b->tables[i].name,
			  find_table(in_a, a, b->tables[i].name),
			  &b->tables[i]);
	for (i = 0; i < a->table_count; i++)
		if (!find_table(in_b, b, a->tables[i].name))
			add_table(d, a->tables[i].name, &a->tables[i], NULL);
	rc = 0;
done:
	free(in_a);
	free(in_b);
	return rc;
}

/* ---- the two snapshots ---- */

int diff_new(struct diff **out, struct source *const sources[2],
	     const struct catalog *const catalogs[2], struct error *err)
{
	struct diff *d = calloc(1, sizeof(*d));
	int side;

	*out = NULL;
	if (!d)
		return error_nomem(err);
	for (side = DIFF_A; side <= DIFF_B; side++) {
		d->sources[side] = sources[side];
		d->catalogs[side] = catalogs[side];
		/* without any row there is no such folder */
		if (sources[side]->list(sources[side], "data/tables",
					&d->folders[side], err) < 0)
			goto failed;
		source_names_sort(&d->folders[side]);
	}
	if (join_tables(d, err) < 0)
		goto failed;
	*out = d;
	return 0;
failed:
	diff_free(d);
	return -1;
}

void diff_free(struct diff *d)
{
	if (!d)
		return;
	source_names_release(&d->folders[DIFF_A]);
	source_names_release(&d->folders[DIFF_B]);
	free(d->tables);
	free(d);
}

struct diff_table *diff_tables(const struct diff *d, size_t *count)
{
	*count = d->table_count;
	return d->tables;
}

const struct catalog *diff_catalog(const struct diff *d, enum diff_side side)
{
	return d->catalogs[side];
}

/* ---- rows ---- */

/* One table at work. */
struct work {
	struct diff_rest rest; /* first: the pool hands us this */
	struct diff_table *table;
	struct diff_taker *taker;
	struct diff_chunks *chunks;
	struct diff_pool *pool;
	struct diff_keys *keys;
	struct buffer lines[2];
	uint64_t seen; /* rows that were read */
	int enough;
};

static int compare_folder(const void *name, const void *b)
{
	return strcmp(name, ((const struct source_name *)b)->name);
}

static const struct source_name *find_folder(const struct source_names *n,
					     const char *name)
{
	return n->count ? bsearch(name, n->names, n->count, sizeof(*n->names),
				  compare_folder)
			: NULL;
}

/* Have the tables one folder, by its id? */
static int is_same(const struct diff *d, const struct diff_table *t)
{
	const struct source_name *a, *b;

	if (!t->sides[DIFF_A] || !t->sides[DIFF_B])
		return 0;
	a = find_folder(&d->folders[DIFF_A], t->sides[DIFF_A]->folder);
	b = find_folder(&d->folders[DIFF_B], t->sides[DIFF_B]->folder);
	if (!a || !b)
		return !a && !b;
	return a->known && b->known && !memcmp(&a->id, &b->id, sizeof(a->id));
}

static uint64_t rows_of(const struct table *t)
{
	return t ? t->rows : 0;
}

static int give(struct work *w, const struct diff_row *row, struct error *err)
{
	int rc;

	if (w->enough || !w->taker->row)
		return 0;
	rc = w->taker->row(w->taker, w->table, row, err);
	if (rc > 0)
		w->enough = 1;
	return rc < 0 ? -1 : 0;
}

static int take(void *payload, const struct diff_row *row, struct error *err)
{
	struct work *w = payload;

	if (row->change == DIFF_ADDED)
		w->table->added++;
	else if (row->change == DIFF_REMOVED)
		w->table->removed++;
	else
		w->table->changed++;
	return give(w, row, err);
}

static int line_left(struct diff_rest *rest, enum diff_side side,
		     const char *line, size_t size, struct error *err)
{
	return diff_keys_add(((struct work *)rest)->keys, side, line, size,
			     err);
}

static uint64_t count_lines(const struct buffer *b)
{
	const char *p = b->data, *end = b->size ? p + b->size : p;
	uint64_t lines = 0;

	for (; p < end; p++) {
		p = memchr(p, '\n', (size_t)(end - p));
		lines++;
	}
	return lines;
}

/* The next file or two. @return 1, 0 at the end, -1 */
static int next_lines(struct work *w, struct error *err)
{
	int rc = diff_chunks_next(w->chunks, w->lines, err);

	if (rc <= 0 || !w->taker->tick)
		return rc;
	w->seen +=
		count_lines(&w->lines[DIFF_A]) + count_lines(&w->lines[DIFF_B]);
	if (w->taker->tick(w->taker, w->table->name, w->seen))
		return error_set(err, ERROR_INTERRUPTED, "interrupted");
	return rc;
}

static int compare_rows(struct work *w, struct error *err)
{
	int rc;

	if (diff_keys_new(&w->keys, w->table->sides, err) < 0 ||
	    diff_pool_new(&w->pool, DIFF_POOL_BYTES, &w->rest, err) < 0)
		return -1;
	while ((rc = next_lines(w, err)) > 0)
		if (diff_pool_add(w->pool, w->lines, err) < 0)
			return -1;
	if (rc < 0 || diff_pool_finish(w->pool, err) < 0)
		return -1;
	return diff_keys_finish(w->keys, take, w, err);
}

/* Tells whether lines are sound. */
struct judge {
	struct row_shape *shape;
	struct row_span *values;
	struct record_reader *records; /* ORDER_RECORDS, else NULL */
};

static int judge_new(struct judge *j, const struct table *t, struct error *err)
{
	if (t->order == ORDER_RECORDS)
		return record_reader_new(&j->records, err);
	if (row_shape_new(&j->shape, t, err) < 0)
		return -1;
	j->values = calloc(row_shape_values(j->shape) + 1, sizeof(*j->values));
	return j->values ? 0 : error_nomem(err);
}

static void judge_release(struct judge *j)
{
	record_reader_free(j->records);
	row_shape_free(j->shape);
	free(j->values);
}

static int judge_line(struct judge *j, const char *line, size_t size,
		      struct error *err)
{
	struct row_span rowid;
	struct record record;

	if (j->records)
		return record_from_line(j->records, line, size, &record, err);
	return row_split(j->shape, line, size, &rowid, j->values, err);
}

/* The lines of a file, while more are wanted. */
static int give_lines(struct work *w, enum diff_side side, struct judge *judge,
		      struct error *err)
{
	struct diff_row row = {
		.change = side == DIFF_A ? DIFF_REMOVED : DIFF_ADDED,
	};
	const char *p = w->lines[side].data, *end = p + w->lines[side].size;
	struct error cause = ERROR_INIT;

	for (; p < end && !w->enough; p += row.sizes[side] + 1) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		row.lines[side] = p;
		row.sizes[side] = (size_t)(newline - p);
		if (judge_line(judge, p, row.sizes[side], &cause) < 0)
			return diff_chunks_damage(w->chunks, err,
						  cause.message);
		if (give(w, &row, err) < 0)
			return -1;
	}
	return 0;
}

/* One side has rows, and how many says its manifest. */
static int only_rows(struct work *w, enum diff_side side, struct error *err)
{
	const struct table *t = w->table->sides[side];
	struct judge judge = { NULL, NULL, NULL };
	int rc = -1;

	if (side == DIFF_A)
		w->table->removed = t->rows;
	else
		w->table->added = t->rows;
	if (!w->taker->row)
		return 0;
	if (judge_new(&judge, t, err) < 0)
		goto done;
	while (!w->enough && (rc = next_lines(w, err)) > 0)
		if (give_lines(w, side, &judge, err) < 0)
			goto done;
	rc = rc < 0 ? -1 : 0;
done:
	judge_release(&judge);
	return rc;
}

/* What was counted has to lead from one manifest's count to the other's. */
static int check_counts(const struct work *w, struct error *err)
{
	const struct diff_table *t = w->table;
	uint64_t a = rows_of(t->sides[DIFF_A]), b = rows_of(t->sides[DIFF_B]);

	if (a - t->removed + t->added == b)
		return 0;
	return error_set(err, ERROR_DAMAGE,
			 "table '%.120s': its files have %" PRIu64
			 " rows more and %" PRIu64 " fewer, but the manifests "
			 "say %" PRIu64 " and %" PRIu64
			 "; see what 'dbstow verify' says of both",
			 t->name, t->added, t->removed, a, b);
}

int diff_rows(struct diff *d, struct diff_table *t, struct diff_taker *taker,
	      struct error *err)
{
	struct work w = { .rest = { line_left }, .table = t, .taker = taker };
	int has_a = rows_of(t->sides[DIFF_A]) > 0;
	int has_b = rows_of(t->sides[DIFF_B]) > 0;
	int rc = -1;

	t->added = t->changed = t->removed = 0;
	if (is_same(d, t) || (!has_a && !has_b))
		return check_counts(&w, err);
	if (diff_chunks_new(&w.chunks, t->sides, d->sources, err) < 0)
		goto done;
	if (has_a && has_b)
		rc = compare_rows(&w, err);
	else
		rc = only_rows(&w, has_b ? DIFF_B : DIFF_A, err);
	if (rc == 0)
		rc = check_counts(&w, err);
done:
	diff_chunks_free(w.chunks);
	diff_pool_free(w.pool);
	diff_keys_free(w.keys);
	buffer_release(&w.lines[DIFF_A]);
	buffer_release(&w.lines[DIFF_B]);
	return rc;
}
