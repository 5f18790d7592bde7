/*
 * sqlite_internal.h - what the files of the SQLite engine share
 */
#ifndef DATABASE_SQLITE_INTERNAL_H
#define DATABASE_SQLITE_INTERNAL_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "database/database.h"
#include "snapshot/catalog.h"
#include "snapshot/value.h"

struct build;
struct pages;

#define INDEX_HEADER 48 /* bytes of a WAL index's header */

/* Which state the read transaction sees, as far as pages go. */
struct view {
	enum { JOURNAL_UNKNOWN, JOURNAL_ROLLBACK, JOURNAL_WAL } journal;
	unsigned char index[INDEX_HEADER]; /* JOURNAL_WAL: its index, as it
					      stood when it began */
	uint32_t backfill; /* frames that are in the database file too */
};

/** Names that are equal but for ASCII case count once. */
struct names {
	char **items;
	size_t count, capacity;
};

int names_add(struct names *n, const char *name);
int names_has(const struct names *n, const char *name);
void names_release(struct names *n);

struct database {
	sqlite3 *sql;
	char *name; /* as the user wrote it: for messages */
	char *path; /* what is open */
	char *copy; /* scratch folder of a private copy, or NULL */
	int busy_timeout_ms;
	int allow_empty;
	int building;           /* by another connection: no locks */
	enum encoding encoding; /* known after database_begin() and
				   database_create() */

	/* Stand-ins for what the application has and we have not. */
	int stand_ins;           /* they may be used */
	struct names collations; /* stood in for */
	struct names functions;
	struct names left_out; /* indexes that were not built, in words */
	struct names violated; /* what else is not as declared, in words */
	char *missing;         /* collation that was asked for in vain */
	struct buffer told;    /* text of database_stand_ins() */

	struct build *build; /* a database being built, or NULL */

	struct view view;
	struct pages *pages; /* NULL also when they can't be read */
	int pages_tried;
};

/* ---- sqlite_open.c: connections ---- */

struct database *database_new(const char *name);

/** Set up a connection: no extensions, no modules, nothing trusted. */
int connection_harden(struct database *db, sqlite3 *sql);

/** The file's size and the size its header tells, as one consistent pair
 *  only while a read transaction is open. */
int sql_file_size(sqlite3 *sql, uint64_t *size, uint64_t *pages,
		  uint64_t *page_size);

/* ---- sqlite_statement.c: statements, and text in and out ---- */

/** Record what went wrong in `sql`: the formatted text, ": " and SQLite's
 *  message; the code follows from SQLite's. @return -1 */
int sql_error(sqlite3 *sql, struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** As sql_error(), of a result code that something else than a statement gave.
 *  @return -1 */
int sql_file_error(sqlite3 *sql, int rc, struct error *err, const char *what);

/** Run statements whose text is ours. */
int sql_run(sqlite3 *sql, const char *text, struct error *err);

/** Prepare one statement; `fmt` is sqlite3_mprintf()'s (%w, %Q). */
int sql_prepare(sqlite3 *sql, sqlite3_stmt **out, struct error *err,
		const char *fmt, ...);

/** @return 1 with a row, 0 at the end, -1 */
int sql_step(sqlite3_stmt *st, struct error *err);

/** First column of the first row of a statement that is ours. */
int sql_integer(sqlite3 *sql, const char *text, int64_t *out,
		struct error *err);

int sql_encoding(sqlite3 *sql, enum encoding *out, struct error *err);

/** The stored bytes of a text or blob column, in the database's encoding.
 *  Borrowed until the next step. */
void sql_bytes(const struct database *db, sqlite3_stmt *st, int column,
	       const char **data, size_t *size);

/** Any column as a value, text as sql_bytes().  Borrowed until the next step.
 */
void sql_value(const struct database *db, sqlite3_stmt *st, int column,
	       struct value *v);

/** A column of text as UTF-8 in new memory. @return 0; 1 when it is no text,
 *  has a NUL inside or is ill-formed UTF-16; -1 */
int sql_text(struct database *db, sqlite3_stmt *st, int column, char **out,
	     size_t *size, struct error *err);

/** Bind UTF-8 (or any bytes, in a UTF-8 database) as TEXT in the encoding of
 *  the database. */
int sql_bind_text(struct database *db, sqlite3_stmt *st, int parameter,
		  const char *data, size_t size, struct error *err);

/** Append UTF-16 of the database as SQLite has to be given it. @return 0 or -1:
 *  no memory */
int sql_mark_text16(struct buffer *out, const struct database *db,
		    const char *data, size_t size);

/* ---- sqlite_pages.c ---- */

/** Note which state is the newest, before a read transaction. */
void pages_before(struct database *db);

/** Is it the one that the transaction sees? @return 0; 1: others wrote
 *  meanwhile: it is not known; begin again */
int pages_after(struct database *db);

void pages_free(struct pages *p);

/* ---- stand_ins.c ---- */

/** sqlite3_collation_needed() callback; `payload` is the database. */
void collation_needed(void *payload, sqlite3 *sql, int encoding,
		      const char *name);

/** A collation that every SQLite has: BINARY, NOCASE, RTRIM. */
int collation_is_built_in(const char *name);

/**
 * After a failure: was it for want of a collation or a function?
 *
 * @param what   "table 'x'": whose want it is
 * @param tries  0 at first: counts, so that there is an end
 * @return 1: a stand-in is registered, try again; 0: no, `err` is untouched;
 *         -1 with ERROR_STANDIN
 */
int stand_in_after(struct database *db, sqlite3 *sql, const char *what,
		   int *tries, struct error *err);

/* ---- sql_text.c: reading SQL text without running it ---- */

/** Is `e` one statement, of its type, that makes the object it names, with
 *  nothing behind it? @return 0, or -1 with ERROR_DAMAGE */
int statement_check(const struct entry *e, struct error *err);

/** Does the text begin with CREATE VIRTUAL? */
int statement_is_virtual(const char *text);

/** Name of the module of a CREATE VIRTUAL TABLE, in new memory, or NULL. */
char *statement_module(const char *text);

/** Does the name stand in the text, as a word or quoted (ASCII case does not
 *  matter)? */
int statement_mentions(const char *text, const char *name);

/** The expression, with its parentheses, of the generated column that is the
 *  `column`th of a CREATE TABLE. @return 0, or -1: there is none */
int statement_generated(const char *text, size_t column, const char **start,
			size_t *size);

/** What stands behind the WHERE of a CREATE INDEX, or NULL. */
const char *statement_where(const char *text);

/** The name in an expression "name IS NULL" or "name IS NOT NULL", in new
 *  memory, or NULL: it is another one.  No keyword is a name.
 *  @param null  receives which of both it is */
char *statement_null_test(const char *expression, int *null);

/** Is there nothing but blanks, comments and semicolons? */
int statement_is_blank(const char *text, size_t size);

/* ---- sqlite_catalog.c ---- */

/** How a table's b-tree can be scanned in its own order. */
struct table_tree {
	int without_rowid;
	int strange_order; /* the key's collation is not built in */
	char *key_index;   /* WITHOUT ROWID: name of its primary key's index,
			      else NULL; owned */
	int has_key_index; /* there is an index of origin 'pk' */
};

int table_tree_read(sqlite3 *sql, const char *name, struct table_tree *out,
		    struct error *err);
void table_tree_release(struct table_tree *t);

/** Fill in name, folder, columns, order, rowid key and kind (ordinary or
 *  internal) of a zeroed table. */
int table_read(sqlite3 *sql, const char *name, struct table *t,
	       struct error *err);

/** The column's index by exact name, or -1. */
int table_column(const struct table *t, const char *name);

/** Which value of a row a column is that is not generated. */
int table_value(const struct table *t, int column);

/* ---- sqlite_entry.c: the text of one table or index, run ---- */

/** Run the CREATE TABLE or CREATE INDEX of `e` under the authorizer, with
 *  stand-ins where those are allowed. @return 0; 1 when rows stand against an
 *  index (`err` says how); -1 */
int entry_run(struct database *db, sqlite3 *sql, const struct entry *e,
	      struct error *err);

/** Make the schema's row of `e` exact, bytes and all. */
int entry_fix(struct database *db, const struct entry *e, int64_t rowid,
	      struct error *err);

/** Rowid of the schema's last row, or 0. */
int entry_last_row(struct database *db, int64_t *last, struct error *err);

/** Are the rows behind `last` that of `e` and what comes along with it? */
int entry_check_made(struct database *db, const struct entry *e, int64_t last,
		     struct error *err);

/** Is the row at hand, of the columns type, name, tbl_name, sql, rowid, that of
 *  `e`?  Then its text is put right. @return 1, 0 or -1 */
int entry_adopt_row(struct database *db, sqlite3_stmt *st,
		    const struct entry *e, struct error *err);

/* ---- building: sqlite_build.c, sqlite_bare.c ---- */

/** An index of a table's own UNIQUE or PRIMARY KEY, built after the rows. */
struct autoindex {
	char *name;   /* as SQLite will look for it */
	char *making; /* while it is made: the bare table's own key may have
			 that name */
	char *sql;    /* CREATE UNIQUE INDEX ... */
	char *plain;  /* CREATE INDEX ... */
};

struct bare_table {
	const struct table *table;
	const struct entry *entry;
	int computed; /* a stored generated column needs its expression */
	int typed;    /* and so the columns keep their affinity */
	struct autoindex *indexes;
	size_t index_count;
};

struct build {
	const struct catalog *catalog;
	struct bare_table *bare;
	size_t bare_count;
	unsigned int autoindexes; /* named so far */
	int sequence_loaded;      /* rows of sqlite_sequence were given */
	int rows_done;
	int (*stopped)(void *payload); /* as in database_build */
	void *payload;
	struct database *twin; /* in memory, tables without rows; or NULL */
};

/** Open a connection that builds: constraints and protections off. */
int build_connect(struct database *db, const char *path, sqlite3 **out,
		  struct error *err);

/** The schema's entry of a table, or NULL. */
const struct entry *build_entry(const struct database *db,
				const struct table *t);

/** Are both the same but for kind, parents and row counts? */
int build_compare(const struct table *want, const struct table *made,
		  struct error *err);

int bare_create(struct database *db, const struct table *t,
		const struct entry *e, struct error *err);
/** Build the indexes of a bare table and put its true text back. */
int bare_finish(struct database *db, struct bare_table *b, struct error *err);
const struct bare_table *bare_find(const struct database *db,
				   const char *table);
void build_free(struct build *b);

/* ---- sqlite_feed.c: rows that SQLite takes from us ---- */

struct feed {
	struct database *db;
	/* Make the next row the one below. @return 1, 0 at the end, -1 */
	int (*next)(struct feed *);
	int64_t rowid;
	const struct value *values; /* `count`, borrowed until next() */
	size_t count;

	char *name; /* in SQL */
	int wide;   /* a SELECT can't give that many: a statement a row */
};

/** Let statements of ours take from it; one at a time in a connection. */
int feed_open(struct feed *f, struct error *err);
/** When no statement uses it any more. */
void feed_close(struct feed *f);
/** Append "SELECT c0, ..., rowid FROM ..." or, for a wide one, "VALUES(...)" */
void feed_select(sqlite3_str *text, const struct feed *f, int with_rowid);

/* ---- sqlite_affinity.c ---- */

enum affinity {
	AFFINITY_NONE,
	AFFINITY_TEXT,
	AFFINITY_NUMERIC,
	AFFINITY_INTEGER,
	AFFINITY_REAL
};

/** The affinity that a declared type gives, as SQLite's documentation of
 *  types tells (section 3.1). */
enum affinity affinity_of(const char *type, int strict);

/** The class that a column would turn a value into, or NULL: it stays what it
 *  is. */
const char *affinity_conversion(enum affinity a, const struct value *v);

/** Does any value of the class stay what it is? */
static inline int affinity_keeps(enum affinity a, enum value_class class)
{
	switch (class) {
	case VALUE_INTEGER:
		return a != AFFINITY_TEXT && a != AFFINITY_REAL;
	case VALUE_REAL:
		return a == AFFINITY_NONE;
	case VALUE_TEXT:
	case VALUE_TEXT16:
		return a == AFFINITY_NONE || a == AFFINITY_TEXT;
	default:
		return 1;
	}
}

#endif /* DATABASE_SQLITE_INTERNAL_H */
