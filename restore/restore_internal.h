/*
 * restore_internal.h - what the files of restore/ share
 */
#ifndef RESTORE_RESTORE_INTERNAL_H
#define RESTORE_RESTORE_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct chunk_reader;
struct rows_ahead;
struct sqlite3;
struct sqlite3_stmt;
struct table;
struct value;

/** How long to wait for a lock where the caller leaves it to us. */
#define BUSY_TIMEOUT_MS 30000

/** What lies beside a database named X: X-wal, X-journal, X-shm. */
#define SIDE_COUNT 3
extern const char *const side_suffixes[SIDE_COUNT];

/** @return `path` with `suffix` behind it in new memory, or NULL */
char *path_with(const char *path, const char *suffix);

/** @return the first side file that lies at `path`, as its suffix, or NULL;
 *  out of memory counts as "none", the next step will find out */
const char *side_file(const char *path);

/** "TARGET.pre-restore-20261120T023522Z", with "-2", "-3" ... when something
 *  is there already; the caller frees it. */
int aside_name(const char *target, char **out, struct error *err);

/** Remove a database file of our own and what lies beside it. */
void database_remove(const char *path);

/* ---- rows_ahead.c ---- */

/**
 * Read the rows of `t` from `r`, ahead of who takes them.  Until
 * rows_ahead_free(), which is called in any case, nobody else uses `r` or its
 * source.
 *
 * @param jobs  threads, this one included; 0: as many as processors for us
 */
int rows_ahead_new(struct rows_ahead **out, struct chunk_reader *r,
		   const struct table *t, unsigned int jobs, struct error *err);
/** NULL is allowed. */
void rows_ahead_free(struct rows_ahead *a);

/** As chunk_reader_next(), but the values are lent until the next call.  In the
 *  thread that made it. */
int rows_ahead_next(struct rows_ahead *a, int64_t *rowid,
		    const struct value **values, struct error *err);

/* ---- sql.c: SQLite with our errors ---- */

enum open_as {
	OPEN_PAGES,       /* only pages are copied: no matter what the schema
			     says, or whether the application is needed for it */
	OPEN_DISTRUSTED,  /* a schema that others wrote may call nothing that
			     could do harm; virtual tables can be named, not
			     reached */
	OPEN_TRUSTED,     /* the user's own: its schema calls what it likes */
	OPEN_WITH_MODULES /* as well, and virtual tables can be reached */
};

/** Open an existing database to write to, never creating one, with extended
 *  result codes. */
int target_open(struct sqlite3 **out, const char *path, int busy_timeout_ms,
		enum open_as as, struct error *err);

/**
 * Record what SQLite said last, behind the text: "TEXT: no such table: x".
 * A full disk, a lock and a lack of memory get their own words and codes.
 */
int target_failed(struct sqlite3 *db, struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Run statements that give no rows. */
int target_exec(struct sqlite3 *db, struct error *err, const char *sql);

/** Prepare `sql`, which is freed with sqlite3_free() whatever happens; NULL
 *  counts as out of memory.  `what` begins the message. */
int target_prepare(struct sqlite3 *db, struct sqlite3_stmt **out, char *sql,
		   struct error *err, const char *what);

/** As target_prepare(), and run it to its end. */
int target_run(struct sqlite3 *db, char *sql, struct error *err,
	       const char *what);

/** The first column of the first row as a number; 0 without a row. */
int target_number(struct sqlite3 *db, int64_t *out, const char *sql,
		  struct error *err);

/** The first column of the first row as text in new memory. */
int target_text(struct sqlite3 *db, char **out, const char *sql,
		struct error *err);

/** Add the functions that comparing needs: dbstow_same(a, b, c, d ...) is 1
 *  when a is b and c is d ..., bit by bit. */
int target_add_functions(struct sqlite3 *db, struct error *err);

#endif /* RESTORE_RESTORE_INTERNAL_H */
