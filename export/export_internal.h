/*
 * export_internal.h - what the files of export/ share
 */
#ifndef EXPORT_EXPORT_INTERNAL_H
#define EXPORT_EXPORT_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

struct buffer;
struct database;
struct error;
struct export_progress;
struct table;
struct value;

/* ---- rows.c: the rows of one table, in the snapshot's order ---- */

/** Tells the progress now and then, over all tables of a run. */
struct row_ticker {
	struct export_progress *progress; /* or NULL */
	uint64_t rows;                    /* so far, of all tables */
	size_t pending_rows;              /* since the last tick */
	size_t pending_bytes;
};

/** Where the rows go. */
struct row_taker {
	/* Take the next row. */
	int (*row)(struct row_taker *, int64_t rowid,
		   const struct value *values, struct error *err);
	/* Append a row's line, with its newline, to `out`; it comes back
	 * through line() when all rows are sorted. */
	int (*encode)(struct row_taker *, int64_t rowid,
		      const struct value *values, struct buffer *out,
		      struct error *err);
	int (*line)(struct row_taker *, const char *line, size_t size,
		    struct error *err);
};

/** Hand all rows of `t` to `taker`: by row(), or for ORDER_SORTED by encode()
 *  and line(). */
int export_rows(struct database *db, const struct table *t,
		struct row_taker *taker, struct row_ticker *ticker,
		struct error *err);

/* ---- sorter.c: lines sorted bytewise, in bounded memory ---- */

/** Bytes of lines that are sorted at once. */
#define SORTER_RUN_BYTES ((size_t)32 << 20)

struct sorter;

/** @param run_bytes  SORTER_RUN_BYTES, or less in tests */
int sorter_new(struct sorter **out, size_t run_bytes, struct error *err);

/** Add a line; it is copied. */
int sorter_add(struct sorter *s, const char *line, size_t size,
	       struct error *err);

/** No more lines come: get ready for sorter_next(). */
int sorter_finish(struct sorter *s, struct error *err);

/** @return 1 with the next line, borrowed until the next call; 0 at the end;
 *  -1 */
int sorter_next(struct sorter *s, const char **line, size_t *size,
		struct error *err);
void sorter_free(struct sorter *s);

/* ---- branch/: files that lie in every snapshot, put in by CMake ---- */

extern const unsigned char branch_readme[]; /* with @SOURCE@ in it */
extern const size_t branch_readme_size;
extern const unsigned char branch_gitattributes[];
extern const size_t branch_gitattributes_size;
extern const unsigned char branch_restore[];
extern const size_t branch_restore_size;

#endif /* EXPORT_EXPORT_INTERNAL_H */
