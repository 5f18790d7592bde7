/*
 * sqlite_key_write.c - the b-tree of a WITHOUT ROWID table, bottom up
 *
 * Such a table is an index: of its primary key, with the other columns behind
 * it in each entry.  Rows come in the order of the key, as they stand in a
 * snapshot.  That is checked, for a row that is not in its place would be found
 * by no search; INSERT, which puts it there, is not asked.
 */
#include "base/error.h"
#include "database/sqlite_index_make.h"
#include "database/sqlite_page_write.h"
#include "snapshot/catalog.h"

#include <stdlib.h>
#include <string.h>

/* A row that is bigger leaves no memory behind. */
#define KEPT_BYTES ((size_t)1 << 20)

static int reserve(struct key_writer *w, size_t columns)
{
	w->columns = calloc(columns + 1, sizeof(*w->columns));
	w->affinities = calloc(columns + 1, sizeof(*w->affinities));
	w->values = calloc(columns + 1, sizeof(*w->values));
	return w->columns && w->affinities && w->values ? 0 : -1;
}

/* Take what PRAGMA index_xinfo tells of a column. @return 0; 1: not for us */
static int add_column(struct key_writer *w, const struct table *t,
		      const enum affinity *affinities, sqlite3_stmt *st)
{
	struct key_column *c = &w->columns[w->count];
	int column = sqlite3_column_int(st, 1);

	if (column < 0 || column >= (int)t->column_count ||
	    t->columns[column].generated ||
	    collation_of((const char *)sqlite3_column_text(st, 4),
			 &c->collation))
		return 1;
	c->value = (size_t)table_value(t, column);
	c->descending = sqlite3_column_int(st, 3);
	w->affinities[w->count++] = affinities[c->value];
	w->key_count += sqlite3_column_int(st, 5) != 0;
	return 0;
}

/* Its own name, where an index's is asked for, means the table's b-tree.
 * @return 0; 1; -1 */
static int read_columns(struct key_writer *w, sqlite3 *sql,
			const struct table *t, const enum affinity *affinities,
			size_t values, struct error *err)
{
	sqlite3_stmt *st;
	int rc, other = 0;

	if (sql_prepare(sql, &st, err, "PRAGMA main.index_xinfo(\"%w\")",
			t->name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0 && !other)
		other = w->count == values || add_column(w, t, affinities, st);
	sqlite3_finalize(st);
	if (rc < 0)
		return -1;
	/* a cell of one column can be smaller than a cell may be */
	return other || w->count != values || w->count < 2 || !w->key_count;
}

/* REINDEX, which fills other indexes, would begin with the table itself.
 * @return 0; 1: there are others; -1 */
static int has_others(sqlite3 *sql, const struct table *t, struct error *err)
{
	sqlite3_stmt *st;
	int rc, other = 0;

	if (sql_prepare(sql, &st, err, "PRAGMA main.index_list(\"%w\")",
			t->name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0)
		other |= strcmp((const char *)sqlite3_column_text(st, 3),
				"pk") != 0;
	sqlite3_finalize(st);
	return rc < 0 ? -1 : other;
}

int key_writer_plan(struct key_writer *w, sqlite3 *sql, const struct table *t,
		    const enum affinity *affinities, size_t values,
		    struct error *err)
{
	int rc;

	memset(w, 0, sizeof(*w));
	if (reserve(w, values) < 0)
		return error_nomem(err);
	rc = read_columns(w, sql, t, affinities, values, err);
	if (!rc)
		rc = has_others(sql, t, err);
	if (!rc && record_writer_init(&w->record, w->affinities, w->count,
				      -1) != SQLITE_OK)
		rc = error_nomem(err);
	return rc;
}

int key_writer_open(struct key_writer *w, sqlite3 *sql, uint32_t root)
{
	return index_writer_open(&w->out, sql, root);
}

/* Does the key of w->values come after the one before?
 * @return SQLITE_OK, SQLITE_CONSTRAINT: no, or it has a NULL; or SQLITE_NOMEM
 */
static int next_key(struct key_writer *w)
{
	struct buffer *key = &w->keys[w->rows % 2];
	const struct buffer *last = &w->keys[(w->rows + 1) % 2];
	size_t i;

	buffer_clear(key);
	for (i = 0; i < w->key_count; i++)
		if (w->values[i].class == VALUE_NULL ||
		    index_key_add(key, &w->values[i], w->columns[i].collation,
				  w->columns[i].descending))
			return SQLITE_CONSTRAINT;
	if (buffer_failed(key))
		return SQLITE_NOMEM;
	/* none begins another */
	if (w->rows++ &&
	    memcmp(key->data, last->data,
		   key->size < last->size ? key->size : last->size) <= 0)
		return SQLITE_CONSTRAINT;
	return SQLITE_OK;
}

static void trim(struct buffer *b)
{
	if (b->capacity > KEPT_BYTES)
		buffer_release(b);
}

int key_writer_add(struct key_writer *w, const struct value *values)
{
	struct buffer *bytes = &w->bytes;
	size_t i;
	int rc;

	for (i = 0; i < w->count; i++)
		w->values[i] = values[w->columns[i].value];
	rc = next_key(w);
	if (rc != SQLITE_OK)
		return rc;
	record_writer_set(&w->record, w->values);
	buffer_clear(bytes);
	if (w->record.size > w->out.out.length_limit)
		return SQLITE_TOOBIG;
	if (buffer_reserve(bytes, (size_t)w->record.size) < 0)
		return SQLITE_NOMEM;
	record_write(&w->record, (unsigned char *)bytes->data);
	rc = index_writer_add(&w->out, bytes->data, (size_t)w->record.size);
	trim(bytes);
	trim(&w->keys[w->rows % 2]); /* that of the row before */
	return rc;
}

int key_writer_end(struct key_writer *w)
{
	return index_writer_end(&w->out);
}

void key_writer_release(struct key_writer *w)
{
	index_writer_release(&w->out);
	record_writer_release(&w->record);
	free(w->columns);
	free(w->affinities);
	free(w->values);
	buffer_release(&w->bytes);
	buffer_release(&w->keys[0]);
	buffer_release(&w->keys[1]);
	memset(w, 0, sizeof(*w));
}
