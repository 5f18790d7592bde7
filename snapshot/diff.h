/*
 * diff.h - what differs between two snapshots, A and B
 *
 *   diff_new()  ->  diff_schema(), diff_tables(), diff_rows() ...  ->
 * diff_free()
 *
 * Folders and files with equal git ids on both sides are not read, so the work
 * follows the change.  A row is one that changed where both sides have its key:
 * the rowid, or the primary key; without a key, or where the key itself is
 * another one, rows are lines that were added or removed, as often as one side
 * has more of them.
 *
 * Memory is bounded: what one side has is held in a pool of some megabytes
 * until the other side has it too, what is left over goes through a sorter.
 */
#ifndef SNAPSHOT_DIFF_H
#define SNAPSHOT_DIFF_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot/row.h"

struct catalog;
struct diff;
struct entry;
struct error;
struct source;
struct table;

enum diff_change { DIFF_ADDED, DIFF_CHANGED, DIFF_REMOVED };

enum diff_side { DIFF_A, DIFF_B };

/**
 * Sources and catalogs are borrowed and must outlive it.  Nothing but the names
 * of the tables' folders is read.
 */
int diff_new(struct diff **out, struct source *const sources[2],
	     const struct catalog *const catalogs[2], struct error *err);
void diff_free(struct diff *d);

/* ---- schema ---- */

/** An object of the schema that differs. */
struct diff_entry {
	enum diff_change change;
	int moved; /* DIFF_CHANGED: a trigger with equal text that fires in
		      another order */
	const struct entry *a, *b; /* NULL: the side has none */
};

/** All that differ, by type and name, in new memory that the caller frees. */
int diff_schema(const struct diff *d, struct diff_entry **out, size_t *count,
		struct error *err);

/* ---- tables ---- */

struct diff_table {
	const char *name;
	const struct table *sides[2]; /* NULL: the side has none */
	/* after diff_rows() */
	uint64_t added, changed, removed;
};

/** The tables of both: in B's order, then those that only A has.  Borrowed. */
struct diff_table *diff_tables(const struct diff *d, size_t *count);

struct diff_row {
	enum diff_change change;
	/* lines without their newlines, each one sound JSON; NULL: the side has
	 * none */
	const char *lines[2];
	size_t sizes[2];
};

struct diff_taker {
	/* Take the next row: by key, rowids as numbers, else bytewise.
	 * NULL: rows are only counted.
	 * @return 0; 1: enough, only count from here on; -1 */
	int (*row)(struct diff_taker *, const struct diff_table *t,
		   const struct diff_row *row, struct error *err);
	/* Called now and then; may be NULL. @return 0, or 1 to stop */
	int (*tick)(struct diff_taker *, const char *table, uint64_t rows);
};

/**
 * Compare the rows of one table and set its counts.
 * @return 0; -1: ERROR_DAMAGE names table and file; counts that the manifests
 *         contradict are damage, too
 */
int diff_rows(struct diff *d, struct diff_table *t, struct diff_taker *taker,
	      struct error *err);

/* ---- the values of a row ---- */

/** One column, or a rowid that is no column, of either side. */
struct diff_cell {
	const char *name;
	int key; /* part of what names the row */
	/* as JSON, borrowed from the lines; NULL: NULL, or no such row */
	struct row_span values[2];
};

/** @return 1 when the values differ, else 0 */
int diff_cell_differs(const struct diff_cell *c);

struct diff_cells;

/** `t` is borrowed and must outlive it. */
int diff_cells_new(struct diff_cells **out, const struct diff_table *t,
		   struct error *err);
void diff_cells_free(struct diff_cells *c);

/** The cells of a row, keys and others in column order.  Borrowed until the
 *  next call. */
int diff_cells_split(struct diff_cells *c, const struct diff_row *row,
		     const struct diff_cell **out, size_t *count,
		     struct error *err);

#endif /* SNAPSHOT_DIFF_H */
