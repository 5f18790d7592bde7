/*
 * sqlite_pages.h - reading the pages of a database file ourselves
 *
 * sqlite_pages.c: pages as the open read transaction sees them, from any
 * thread.  sqlite_leaves.c: the leaves of a b-tree.  sqlite_record.c: what lies
 * in a page.  sqlite_cells.c: what lies in all of them, in order.
 * sqlite_parts.c: a table's rows as scans.  sqlite_index.c: the entries of an
 * index (sqlite_index_plan.c).  sqlite_rowids.c and sqlite_key_values.c: what
 * foreign keys may point to.
 * sqlite_sweep.c: whether indexes and foreign keys fit the rows, table by table
 * (sqlite_check_tables.c).
 *
 * The way back is sqlite_page_write.h.
 *
 * The format: https://sqlite.org/fileformat2.html, of the WAL and its index
 * also https://sqlite.org/walformat.html.  What is not just as it says there
 * is "odd": the functions return 1, record nothing, and the table is read
 * through SQL, which knows what to make of it and what to say.
 */
#ifndef DATABASE_SQLITE_PAGES_H
#define DATABASE_SQLITE_PAGES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#include "base/buffer.h"
#include "database/sqlite_internal.h"
#include "snapshot/value.h"

/* The first byte of a page tells what it is. */
enum {
	PAGE_INDEX_INTERIOR = 2,
	PAGE_TABLE_INTERIOR = 5,
	PAGE_INDEX_LEAF = 10,
	PAGE_TABLE_LEAF = 13
};

static inline uint32_t get16(const unsigned char *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t get32(const unsigned char *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* ---- sqlite_pages.c ---- */

struct sqlite3_file;

struct pages {
	struct sqlite3_file *file, *wal; /* SQLite's own */
	uint32_t size;                   /* bytes of a page */
	uint32_t usable; /* of them, without the reserved ones at the end */
	uint32_t count;
	uint64_t *frames; /* page << 32 | frame, ascending: pages of the WAL */
	size_t frame_count;
	struct root {
		char *table;
		uint32_t page; /* 0: more than one of that name */
	} * roots;             /* by name */
	size_t root_count;
	size_t value_limit; /* SQLITE_LIMIT_LENGTH */
};

/** SQLite's own file object, or NULL. */
struct sqlite3_file *pages_file(sqlite3 *sql);

/** Is it the VFS that we know, and does it read and write without a common
 *  position and without a map that moves? */
int pages_plain(sqlite3 *sql);

/** How pages can be read in this transaction; opened at the first call.
 *  Borrowed. @return NULL: they can't, or memory ran out */
struct pages *database_pages(struct database *db);

/* So much is read at once where pages lie one behind the other. */
#define PAGES_RUN_BYTES ((uint32_t)64 << 10)

/** Read `count` pages from `page` on, of together PAGES_RUN_BYTES at most;
 *  many threads at once. @return 0 or 1 */
int pages_read(const struct pages *p, uint32_t page, uint32_t count,
	       unsigned char *out);

/** Root page of a table; @return 0 when there is no one such page. */
uint32_t pages_root(const struct pages *p, const char *table);

/* ---- sqlite_leaves.c ---- */

/* Where a row stands that is between two leaves. */
struct between {
	uint32_t page; /* interior; 0: there is none */
	unsigned cell;
};

/* An interior page whose children are leaves.  Only these are kept, some
 * hundred times fewer than leaves. */
struct twig {
	int64_t upto;          /* greatest rowid below it */
	struct between behind; /* its last leaf */
	uint64_t first;        /* number of its first leaf */
	uint32_t page;
};

struct leaves {
	const struct pages *pages;
	uint32_t root;
	int of_table;       /* with rowids, and no rows between leaves */
	struct twig *twigs; /* none: the root is the only leaf */
	size_t twig_count, twig_capacity;
	size_t leaf_count;
};

struct leaf {
	uint32_t page;
	int64_t from, upto; /* rowids that may be in it */
	struct between behind;
};

/* A way to leaves for one thread. */
struct leaf_cursor {
	const struct leaves *leaves;
	unsigned char *page; /* of twig `twig`, or NULL before the first */
	size_t twig;
	unsigned cells;
};

/** Find the leaves below `root`; release it in any case.
 *  @return 0; 1; -1: memory ran out */
int leaves_find(struct leaves *t, const struct pages *p, uint32_t root);
void leaves_release(struct leaves *t);

/** Where leaf `leaf` lies; cheap in ascending order.
 *  @return 0; 1; -1: memory ran out */
int leaf_find(struct leaf_cursor *c, size_t leaf, struct leaf *out);
void leaf_cursor_release(struct leaf_cursor *c);

/** How many leaves from the one that was found last on are sure to lie one
 *  behind the other: at least that one, at most `most`. */
uint32_t leaf_run(const struct leaf_cursor *c, size_t leaf, uint32_t most);

/** Check the header of a leaf that was read. @return 0 or 1 */
int leaf_check(const struct leaves *t, uint32_t number,
	       const unsigned char *page, unsigned *cells);

/** Get the page with the row between two leaves.
 *  @param room  for a page
 *  @return it, in `room` or the cursor's until its next leaf; NULL: odd */
const unsigned char *between_page(const struct leaf_cursor *c,
				  const struct between *b, unsigned char *room,
				  unsigned *cells);

/* ---- sqlite_record.c ---- */

struct cell {
	int64_t rowid;              /* in a table's leaf */
	uint64_t size;              /* of the payload */
	const unsigned char *local; /* its beginning, in the page */
	size_t local_size;
	uint32_t overflow; /* page of the rest, when that is not all */
};

/** How much of a payload lies in the page itself, by "B-tree Cell Format". */
size_t payload_local(uint32_t usable, uint64_t size, int of_table);

/** Look at cell `i` of `cells` of a table's leaf, or of any page of an index.
 *  @return 0 or 1 */
int cell_read(const struct pages *p, const unsigned char *page, unsigned cells,
	      unsigned i, struct cell *out);

/** Put a payload that overflows together in `out`; `room` is for
 *  PAGES_RUN_BYTES.
 *  @return 0; 1; -1: memory ran out */
int cell_payload(const struct pages *p, const struct cell *c,
		 unsigned char *room, struct buffer *out);

/* One column as it lies in a record. */
struct field {
	int value;    /* which of the scan's values it is; -1: none */
	int real;     /* REAL affinity: an integer in it means a real */
	int not_null; /* as SQLite believes, whatever the rows hold */

	/* where a record ends before it: the column was added later */
	int strange;          /* not known what it is: odd */
	struct value missing; /* what it is */
	char *text;           /* owned by the field: bytes of `missing` */
};

struct record_plan {
	struct field *fields;
	size_t field_count;
	size_t value_count;
	int rowid_value; /* the value that is the rowid, or -1 */
};

/** How records of `t` are to be read. @return 0; 1; -1 with an error */
int record_plan(struct database *db, const struct table *t,
		struct record_plan *out, struct error *err);
void record_plan_release(struct record_plan *plan);

/** Leave out values that nobody asks for, and what stands behind the last of
 *  the others in a record is not looked at.
 *  @param wanted  by value: non-zero where it is */
void record_plan_narrow(struct record_plan *plan, const unsigned char *wanted);

/** Values that point into the record; texts as they are stored.
 *  @return 0 or 1 */
int record_read(const struct record_plan *plan, const unsigned char *record,
		size_t size, int64_t rowid, struct value *values);

/** A varint before `end`. @return what stands behind it, or NULL */
const unsigned char *varint_read(const unsigned char *at,
				 const unsigned char *end, uint64_t *out);

/* ---- sqlite_cells.c ---- */

/* A way through the cells of a tree, for one thread. */
struct cells {
	const struct leaves *leaves;
	struct leaf_cursor cursor;
	struct leaf leaf;           /* the one that was read last */
	size_t next, end;           /* leaves still to come */
	unsigned cell, stop, count; /* of the page `page`, up to `stop` */
	int between;                /* which is not a leaf */
	const unsigned char *page;
	unsigned char *room;     /* for a run, and one page */
	uint32_t run, run_count; /* pages in `room` */
};

/** Release it in any case. @return 0, or -1: memory ran out */
int cells_open(struct cells *c, const struct leaves *leaves);
void cells_release(struct cells *c);

/** Go to leaf `first`; cells come up to what is behind leaf `end` - 1. */
void cells_range(struct cells *c, size_t first, size_t end);

/** @return 1 with a cell, which points into a page that stays until the next
 *  call; 0 at the end; 2: a page is not as it should be; -1: memory ran out */
int cells_next(struct cells *c, struct cell *out);

/* ---- sqlite_index.c ---- */

enum index_collation { COLLATION_BINARY, COLLATION_NOCASE, COLLATION_RTRIM };

/** @param name  NULL is allowed. @return 0; 1: it is none of these */
int collation_of(const char *name, enum index_collation *out);

/* An index of a rowid table of a UTF-8 database, in columns of the table. */
struct index_plan {
	uint32_t root;
	int unique;
	struct index_column {
		int value; /* which of the table's scan; -1: the rowid */
		int descending;
		enum index_collation collation;
	} * columns;         /* as in an entry: the rowid is last */
	size_t column_count; /* with the rowid */
	size_t key_count;    /* those that UNIQUE is about */
	struct record_plan record;
	char *where;     /* which rows a partial index has, in SQL; or NULL */
	int filter;      /* which of the table's scan alone tells that; or -1 */
	int filter_null; /* those where it is NULL; else those where it isn't */
};

/* What a set of entries amounts to, whatever their order.  Zero it to begin. */
struct index_sum {
	uint64_t low, high, count;
	struct buffer room;
};

/**
 * Add an entry.
 * @param key  PARTS_KEY_SIZE random bytes, the same for sums to compare
 * @return 0, or -1: memory ran out
 */
int index_sum_add(struct index_sum *s, const struct value *const *values,
		  size_t count, const unsigned char *key);
int index_sums_equal(const struct index_sum *a, const struct index_sum *b);

/* The entry before, in its columns.  Zero it to begin. */
struct index_order {
	struct value *last;
	struct buffer bytes;
};

/** Does the next entry come behind the one before?
 *  @return 0; 1: no (in a UNIQUE index also: its key is the same); -1: memory
 *          ran out */
int index_order_next(struct index_order *o, const struct index_plan *x,
		     const struct value *const *values);
void index_order_release(struct index_order *o);

/**
 * Read all of an index.
 * @param out  receives the sum of its entries
 * @return 0: they ascend, and none is there twice (of a UNIQUE index: no key);
 *         1: they don't, or a page is not as it should be; -1: memory ran out
 */
int index_read(const struct index_plan *x, const struct pages *p,
	       const unsigned char *key, struct index_sum *out);

/* ---- sqlite_index_plan.c ---- */

/**
 * Plan for an index; release it in any case.
 * @param out      zeroed
 * @param rows     of the table's records
 * @param partial  it is not about all rows
 * @return 0; 1: it is none that we read; -1
 */
int index_plan_read(struct index_plan *out, struct database *db,
		    const struct table *t, const struct record_plan *rows,
		    const char *name, int partial, struct error *err);
void index_plan_release(struct index_plan *x);

/** Plan for the order of a table without rowids: columns are those of its
 *  primary key, and all else stays zeroed.  Release it in any case.
 *  @return 0; 1: it sorts by something that we don't know; -1 */
int index_plan_key(struct index_plan *out, struct database *db,
		   const struct table *t, struct error *err);

/** Has a row an entry, as far as the filter tells?
 *  @param v  the value that the filter is about, if there is one */
static inline int index_plan_takes(const struct index_plan *x,
				   const struct value *v)
{
	return x->filter < 0 || x->filter_null == (v->class == VALUE_NULL);
}

/* ---- sqlite_rowids.c ---- */

#define ROWID_BITS_MAX ((uint64_t)1 << 25) /* 4 MB */

/* Rowids of a table. */
struct rowid_set {
	uint32_t root;
	int64_t first;
	uint64_t size; /* rowids from first on, those that are not there too */
	uint64_t *bits;
};

/* Of some tables, together up to ROWID_BITS_MAX.  Zero it to begin. */
struct rowid_sets {
	struct rowid_set *sets;
	size_t count;
	uint64_t bits; /* of all of them */
};

/** Find the set of the table at `root`, or read it.
 *  @param out  receives its place among the sets
 *  @return 0; 1: there is no room, or a page is odd; -1 */
int rowid_sets_find(struct rowid_sets *s, const struct pages *p, uint32_t root,
		    size_t *out, struct error *err);
void rowid_sets_release(struct rowid_sets *s);

static inline int rowid_set_has(const struct rowid_set *set, int64_t rowid)
{
	uint64_t bit = (uint64_t)rowid - (uint64_t)set->first;

	return bit < set->size && set->bits[bit / 64] >> bit % 64 & 1;
}

/* ---- sqlite_key_values.c ---- */

#define KEY_VALUES_MAX ((size_t)1 << 16) /* 2 to 4 MB */

/* What stands in a column of a table. */
struct key_values {
	uint32_t root;
	int column;
	int unknown; /* it could not be read */
	enum affinity affinity;
	XXH128_hash_t *slots;   /* a hash table */
	size_t count, capacity; /* a power of two, or 0 */
};

/* Of some columns, together up to KEY_VALUES_MAX.  Zero it to begin, but for
 * `pages` and `key`. */
struct key_value_sets {
	const struct pages *pages;
	const unsigned char *key; /* PARTS_KEY_SIZE random bytes */
	struct key_values *sets;
	size_t count;
	size_t count_of_all; /* values */
};

/** Find the values of a column that is not generated, or read them.
 *  @param out  receives their place among the sets
 *  @return 0; 1: there is no room, or the table can't be read in parts; -1 */
int key_values_find(struct key_value_sets *s, struct database *db,
		    const struct table *t, int column, size_t *out,
		    struct error *err);
void key_values_release(struct key_value_sets *s);

/** Does a child of value `v` have a parent there?  @return 1: yes, whatever
 *  collation is used; 0: not known, for it may be one that is converted */
int key_values_have(const struct key_value_sets *s, size_t set,
		    const struct value *v);

/* ---- sqlite_sweep.c ---- */

/* What is known of a table. */
struct swept {
	int indexes;         /* they are right */
	unsigned char *keys; /* by id of PRAGMA foreign_key_list: it holds */
	size_t key_count;
};

struct sweep;

/** For all tables of an open read transaction; free it before the database is
 *  closed. */
int sweep_new(struct sweep **out, struct database *db, struct error *err);
/** NULL is allowed. */
void sweep_free(struct sweep *s);

/** Read a table, its indexes and its parents' rowids.
 *  @return 0, or -1: SQLite failed or memory ran out */
int sweep_table(struct sweep *s, const char *table, struct swept *out,
		struct error *err);
void swept_release(struct swept *s);

/* ---- sqlite_check_tables.c ---- */

struct table_sizes {
	struct table_size {
		char *name;
		int64_t leaves;
	} * items; /* those of many leaves first, then by name */
	size_t count;
};

/** All tables; release them in any case. @return 0 or -1 */
int table_sizes_read(struct table_sizes *out, struct database *db,
		     struct error *err);
void table_sizes_release(struct table_sizes *t);

/* ---- sqlite_parts.c and sqlite_scan.c ---- */

struct part_scan;

/** Before parts_scan() without fingerprints: only these values are read, and of
 *  what overflows only what they need.  The others stay as they are.
 *  @param wanted  as for record_plan_narrow(), the rowid's is always read */
void parts_narrow(struct parts *p, const unsigned char *wanted);

/** As scan_next(), but -1 only for want of memory. */
int part_next(struct part_scan *s, int64_t *rowid, struct value *values,
	      struct error *err);
void part_range(struct part_scan *s, size_t first, size_t end);
void part_free(struct part_scan *s);

/** Make it a scan that owns `part`; NULL when memory ran out. */
struct scan *scan_of_part(struct part_scan *part);

/** Turn all TEXT values from UTF-16 into UTF-8, in `out`; what has no UTF-8
 *  becomes TEXT16 and stays where it is. @return 0, or -1: out of memory */
int texts_from_utf16(struct buffer *out, struct value *values, size_t count,
		     int big_endian);

#endif /* DATABASE_SQLITE_PAGES_H */
