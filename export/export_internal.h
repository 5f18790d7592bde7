/*
 * export_internal.h - what the files of export/ share
 */
#ifndef EXPORT_EXPORT_INTERNAL_H
#define EXPORT_EXPORT_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

struct buffer;
struct catalog;
struct database;
struct document;
struct error;
struct export_progress;
struct object_id;
struct sink;
struct sorted_records;
struct table;
struct tree;
struct value;

/** Where rows come from: one of them. */
struct row_origin {
	struct database *db;            /* after database_begin() */
	struct document *document;      /* just opened */
	struct sorted_records *records; /* of all models, by model */
	int early; /* `db` is being completed: see export_early() */
};

/* ---- tables.c: the folder data/tables, by a crew ---- */

/** Put it and add it to `data`, if any table has rows. */
int export_tables(const struct row_origin *from, struct catalog *c,
		  struct sink *s, struct export_progress *p, struct tree *data,
		  struct error *err);

/* ---- rows.c: the rows of one table, in the snapshot's order ---- */

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
	/* `key` decides on the line's place among files; NULL: the line. */
	int (*line)(struct row_taker *, const char *line, size_t size,
		    const char *key, size_t key_size, struct error *err);
};

/** Values a row: columns that are not generated. */
size_t export_values(const struct table *t);

/**
 * Hand all rows of `t` to `taker`: by row(), or for ORDER_SORTED by encode()
 * and line().  From a document each table in turn, in the catalog's order.
 */
int export_rows(const struct row_origin *from, const struct table *t,
		struct row_taker *taker, struct error *err);

/* ---- records.c: the records of others ---- */

/** Hand the records of a model to line(), each model in turn. */
int sorted_records_rows(struct sorted_records *r, const struct table *t,
			struct row_taker *taker, struct error *err);

/* ---- data.c ---- */

/** Put data/ of a catalog and the rows of its tables. */
int export_put_data(const struct row_origin *from, struct catalog *c,
		    struct sink *s, struct export_progress *p,
		    struct object_id *content, struct error *err);

/* ---- crew.c: jobs done by several threads, and ended in order ---- */

#define CREW_JOBS_MAX 16

/** What a crew does with its places, numbered from 0: the caller keeps what
 *  belongs to each. */
struct crew_work {
	/* Do the job in a place, in any thread.  @return 0; 1: stop, and let
	 * crew_wait() say so; -1 */
	int (*run)(struct crew_work *, size_t place, struct error *err);
	/* End it: in the order in which jobs were given, one at a time, in any
	 * thread.  @return as run() */
	int (*end)(struct crew_work *, size_t place, struct error *err);
	/* In the thread that made the crew, now and then.  @return 0 or -1 */
	int (*tick)(struct crew_work *, struct error *err);
};

struct crew;

/**
 * @param jobs  how many are to be done at once, this thread's included; 0: as
 *              many as there are processors for us.  Threads begin with the
 *              first job that is worth them.
 */
int crew_new(struct crew **out, unsigned int jobs, struct crew_work *work,
	     struct error *err);

/** Number of places. */
size_t crew_places(const struct crew *c);

/** Wait for a free place.  The job that is put there has to be given with
 *  crew_give() or crew_fail() before the next one.
 *  @return 0; 1 when a job failed or stopped: go to crew_wait() */
int crew_place(struct crew *c, size_t *place);

/** @param worth  it is worth a thread: 0 for the small jobs of a small run */
void crew_give(struct crew *c, size_t place, int worth);

/** In its stead an error: what was given before still ends, and an error of it
 *  goes first. */
void crew_fail(struct crew *c, size_t place, const struct error *err);

/** Wait until all jobs before that in `place` are ended; to be called by who
 *  does it, or is about to give it.  @return 0, or -1: none may end any more */
int crew_turn(struct crew *c, size_t place);

/** To be called now and then in run() of a long job.  @return 0, or -1: it is
 *  for nothing */
int crew_pause(struct crew *c);

/** Wait for all jobs that were given.
 *  @param place  of the job that stopped
 *  @return 0; 1: a job stopped, none behind it was ended, and the crew can go
 *          on; -1 with the first job's error */
int crew_wait(struct crew *c, size_t *place, struct error *err);

/** After crew_wait(), or to give up.  NULL is allowed. */
void crew_free(struct crew *c);

/* ---- branch/: files that lie in every snapshot, put in by CMake ---- */

extern const unsigned char branch_readme[]; /* with @SOURCE@ in it */
extern const size_t branch_readme_size;
extern const unsigned char branch_gitattributes[];
extern const size_t branch_gitattributes_size;
extern const unsigned char branch_restore[];
extern const size_t branch_restore_size;
/* ... and in record snapshots */
extern const unsigned char branch_recordsreadme[];
extern const size_t branch_recordsreadme_size;
extern const unsigned char branch_recordsscript[];
extern const size_t branch_recordsscript_size;

#endif /* EXPORT_EXPORT_INTERNAL_H */
