/*
 * database.h - one door to all engines
 *
 * Reading:   database_open() -> database_begin() -> database_catalog()
 *            -> database_scan() per table -> database_close()
 * Building:  database_create() -> database_create_table() + database_load()
 *            per table -> database_complete() -> database_close()
 *
 * Everything between database_begin() and database_close() sees one committed
 * state, whatever others write meanwhile.  A database is used by one thread at
 * a time.
 */
#ifndef DATABASE_DATABASE_H
#define DATABASE_DATABASE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot/value.h"

struct buffer;
struct catalog;
struct database;
struct error;
struct scan;
struct table;

struct database_options {
	int busy_timeout_ms; /* how long to wait for a lock; 0: default 30 s */
	const char *scratch; /* folder for a private copy where the database
				cannot be opened in place; NULL: TMPDIR */
	int allow_empty;     /* a zero-byte file is an empty database */
	int building;        /* another connection of this process is about to
				complete it: see database_rows_done() */
};

/**
 * Open for reading, READWRITE without CREATE (a hot journal rolls back, a WAL
 * is recovered).  Where folder or file are read-only and SQLite would have to
 * write, the database is copied aside with its -wal and -journal and the copy
 * is read.
 *
 * @param target  a path, "sqlite:PATH" or "file:"-less name
 * @return 0, or -1 with one line that names the file
 */
int database_open(struct database **out, const char *target,
		  const struct database_options *options, struct error *err);

/** A short look: would database_open() do?  Nothing is copied.
 *  @return 0, or -1 as database_open() */
int database_probe(const char *target, const struct database_options *options,
		   struct error *err);

/** Begin the one read transaction; fails when the database stays locked. */
int database_begin(struct database *db, struct error *err);

/** Fill a new catalog, arranged (catalog_arrange()), rows still 0. */
int database_catalog(struct database *db, struct catalog **out,
		     struct error *err);

/** Page count and page size, for free-space checks and progress. */
int database_size(struct database *db, uint64_t *bytes, struct error *err);

/**
 * Append what tells this state of the database file from others: while it is
 * the same, nobody wrote to it.
 *
 * @param db       after database_begin()
 * @param settled  receives 1 when a later write would surely show: the file
 *                 was last written long enough ago.  Only then may it be kept
 *                 for later, together with what was read in this transaction;
 *                 it is to be the same at its beginning and end.
 * @return 0; 1: nothing can be told (a private copy, a network file system)
 */
int database_identity(struct database *db, struct buffer *out, int *settled);

/** Roll back, close, remove a private copy.  NULL is allowed. */
void database_close(struct database *db);

/** Scan a table in its order. `t` is borrowed until scan_free(). */
int database_scan(struct database *db, const struct table *t, struct scan **out,
		  struct error *err);

/**
 * @param rowid   receives the rowid where there is one
 * @param values  receives the columns that are not generated; borrowed until
 *                the next step
 * Rows come in the table's order, but for ORDER_SORTED: there the caller sorts
 * the lines.
 *
 * @return 1 with a row, 0 at the end, -1 with an error that names table and
 *         the rowid where the scan stopped; 2 see scan_part()
 */
int scan_next(struct scan *s, int64_t *rowid, struct value *values,
	      struct error *err);
void scan_free(struct scan *s);

/* ---- a table in parts ----
 *
 * A rowid table's rows lie in leaves, pages in the order of the rowids.  They
 * can be scanned in runs by several threads, which is also faster than
 * database_scan().
 */

struct parts;

/**
 * Find the leaves of a table, in memory that is a small fraction of them.
 *
 * @param out  to be freed with parts_free(), before the database is closed
 * @return 0; 1: this table can't be read in parts, use database_scan(); -1
 */
int database_parts(struct database *db, const struct table *t,
		   struct parts **out, struct error *err);

/** Number of leaves: at least 1, also of a table without rows. */
size_t parts_count(const struct parts *p);

/** NULL is allowed. */
void parts_free(struct parts *p);

#define PARTS_KEY_SIZE         192
#define PARTS_FINGERPRINT_SIZE 16

/**
 * A scan for one thread; any number over one `p` at once, while another thread
 * uses the database.  It gives nothing before scan_part().
 *
 * @param key     for fingerprints: see parts_fingerprint()
 * @param prints  gets appended, when a leaf's last row was given and the next
 *                is asked for, the leaf's fingerprint; NULL: none are wanted
 * @return 0, or -1: memory ran out
 */
int parts_scan(struct parts *p, const unsigned char *key, struct buffer *prints,
	       struct scan **out, struct error *err);

/**
 * Go to leaf `first`; rows come up to the end of leaf `end` - 1.  Then
 * scan_next() gives them as database_scan()'s does, rowids ascending over all
 * leaves; or it returns 2, with no error recorded: a page is not as it should
 * be.  Then all that was read of this table is to be dropped, and
 * database_scan() gives the rows or says what is wrong.
 *
 * @return 0, or -1 for a scan that is not of parts_scan()
 */
int scan_part(struct scan *s, size_t first, size_t end);

/**
 * Fingerprint leaves, each with all that overflows from it: while a leaf's is
 * the same, so are its rows.  The same rows may lie otherwise, and then it
 * differs.
 *
 * @param key     PARTS_KEY_SIZE random bytes that nobody knows who could choose
 *                the rows: XXH3 resists no one who does
 * @param end     the leaf behind the last one
 * @param prints  gets appended PARTS_FINGERPRINT_SIZE bytes a leaf
 * @return 0; 1: a page is not as it should be; -1: memory ran out
 */
int parts_fingerprint(struct parts *p, const unsigned char *key, size_t first,
		      size_t end, struct buffer *prints, struct error *err);

/* ---- building ---- */

struct database_build {
	int stand_ins; /* byte-order stand-ins for missing collations, NULL
			  stand-ins for missing functions, and leave out unique
			  indexes that the rows violate: what had to be stood in
			  for is told by database_stand_ins() */
	/* Asked now and then while SQLite is at work, indexes above all; or
	 * NULL.  @return non-zero to stop with ERROR_INTERRUPTED */
	int (*stopped)(void *payload);
	void *payload;
};

/**
 * Create a new database file; nothing may be there.  The catalog gives
 * encoding and layout, and is borrowed until database_close().  Journal and
 * synchronous are off: the caller syncs the file at the end and renames it into
 * place.
 */
int database_create(struct database **out, const char *path,
		    const struct catalog *c, const struct database_build *how,
		    struct error *err);

/**
 * Create table `t` from its entry's exact text, under an authorizer: one
 * statement, CREATE TABLE of that name, no AS SELECT.
 *
 * @param bare  without types and constraints, so that rows that the text would
 *              change or refuse go in as they are; the true text is put back
 *              by database_complete()
 */
int database_create_table(struct database *db, const struct table *t, int bare,
			  struct error *err);

/** Where database_load() takes rows from. */
struct row_source {
	/* Give the next row: `rowid` where the table has one, `values` of the
	 * columns that are not generated, borrowed until the next call.
	 * @return 1 with a row, 0 at the end, -1 */
	int (*next)(struct row_source *, int64_t *rowid,
		    const struct value **values, struct error *err);
};

/**
 * Load all rows of a table, in ascending key order.
 *
 * @return 0; 1 when a constraint or type of the table refused a row (the
 *         caller begins again with that table bare; `err` is set and says
 *         why); -1
 */
int database_load(struct database *db, const struct table *t,
		  struct row_source *rows, struct error *err);

/**
 * All rows were given: they are in the file when this returns, and where the
 * catalog has no auto_vacuum they stay in their pages.  Until
 * database_complete() is called, the file can be opened with
 * database_options.building, which takes no locks; what is read through SQL is
 * to be read until then, tables in parts as long as one likes.
 */
int database_rows_done(struct database *db, struct error *err);

/**
 * After all rows of all tables but the internal ones: rows of the internal
 * tables were given to database_load() last.  Creates indexes, puts views,
 * triggers and virtual tables into the schema without running anything, puts
 * true texts back, sets user_version, application_id and WAL.
 */
int database_complete(struct database *db, struct error *err);

/** One line that tells what was stood in for, or NULL when nothing was.
 *  Borrowed. */
const char *database_stand_ins(const struct database *db);

/** Result of database_check(). */
struct database_check {
	char **problems; /* integrity_check lines that the source does not
			    explain; NULL when sound */
	size_t problem_count;
	struct orphan {
		char *table, *parent;
		uint64_t rows;
	} * orphans; /* violated foreign keys, by table and parent */
	size_t orphan_count;
	char **unchecked; /* tables whose foreign keys SQLite can't check: the
			     parent has no such key, or is a view */
	size_t unchecked_count;
};

/** Connections to one file that share its checks.  Zero it to begin. */
struct check_share {
	atomic_size_t next; /* piece that nobody has taken */
};

/**
 * integrity_check (messages about CHECK, NOT NULL and types are the source's
 * own and left out) and foreign_key_check of an open database.
 *
 * quick_check is one piece: it looks at the free list and pages that nobody
 * uses, too, which a check of one table leaves out (SQLite's documentation of
 * PRAGMA integrity_check).  Each table's indexes and foreign keys are another;
 * integrity_check is run only where a table's indexes are not known to be
 * right.
 *
 * @param share  with it, only those pieces are done that no other connection
 *               has taken; NULL: all
 */
int database_check(struct database *db, struct check_share *share,
		   struct database_check *out, struct error *err);
/** Move what was found by one connection to what was found by another. */
int database_check_merge(struct database_check *to, struct database_check *from,
			 struct error *err);
void database_check_release(struct database_check *c);

#endif /* DATABASE_DATABASE_H */
