/*
 * sqlite_index_make.h - making indexes ourselves
 *
 * CREATE INDEX and REINDEX read the rows, sort and write with one machine that
 * is made for any index.  Most have a column or two and plain values: these are
 * read from the table's pages (sqlite_pages.h), sorted as bytes or as pairs of
 * numbers (base/sorter.h) and written in one go (sqlite_page_write.h).  All
 * else is SQLite's.
 */
#ifndef DATABASE_SQLITE_INDEX_MAKE_H
#define DATABASE_SQLITE_INDEX_MAKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "database/sqlite_internal.h"
#include "database/sqlite_pages.h"

/* ---- sqlite_index_key.c ---- */

/**
 * Append a value in bytes that compare as the values do, and of which none
 * begins another.
 * @return 0; 1: there is no such form
 */
int index_key_add(struct buffer *out, const struct value *v,
		  enum index_collation collation, int descending);

/** Append a rowid; INDEX_ROWID_SIZE bytes. */
void index_key_add_rowid(struct buffer *out, int64_t rowid);

#define INDEX_ROWID_SIZE 8

/* ---- sqlite_index_make.c ---- */

/* Memory for sorting: with what else a restore holds, well below 100 MB. */
#define INDEX_SORT_BYTES ((size_t)16 << 20)

/* Longer entries, with what they are sorted by, are left to SQLite. */
#define INDEX_ENTRY_MAX ((size_t)256 << 10)

struct index_making {
	struct database *db;
	const struct table *table;
	uint32_t table_root;
	const struct record_plan *rows; /* how its records are read */
	const struct index_plan *plan;  /* with `unique` set; its filter tells
					   which rows it has */
	const char *what;               /* "table 'x'", for errors */
	size_t sort_bytes;              /* INDEX_SORT_BYTES, or less */
};

/**
 * Make an index from the rows of its table, while no transaction is open.
 *
 * @param root  its empty root page; where it is 0 it receives a new one, which
 *              is still to be told to SQLite
 * @return 0; 1: SQLite is to make it (rows violate it, or are not as we know
 *         them), nothing is left of ours; -1
 */
int index_make(const struct index_making *m, uint32_t *root, struct error *err);

/* ---- sqlite_index_build.c ---- */

/** Make an index of a table that is built. @return 0; 1: SQLite is to; -1 */
int index_create(struct database *db, const struct entry *e, struct error *err);

/** Fill those indexes of UNIQUE and PRIMARY KEY that we can.
 *  @param rest  receives the others' names */
int index_fill(struct database *db, const struct table *t, struct names *rest,
	       struct error *err);

#endif /* DATABASE_SQLITE_INDEX_MAKE_H */
