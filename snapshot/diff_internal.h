/*
 * diff_internal.h - what the files of diff share
 */
#ifndef SNAPSHOT_DIFF_INTERNAL_H
#define SNAPSHOT_DIFF_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "snapshot/diff.h"
#include "snapshot/object.h"

const struct catalog *diff_catalog(const struct diff *d, enum diff_side side);

/* ---- diff_chunks.c: the files that differ ---- */

struct diff_chunks;

/** The rows of a table on both sides; NULL: the side has no such table. */
int diff_chunks_new(struct diff_chunks **out, const struct table *const t[2],
		    struct source *const sources[2], struct error *err);
void diff_chunks_free(struct diff_chunks *c);

/**
 * The next file that differs, of one side or of both (under one name).
 *
 * @param out  receives whole lines, or nothing where only the other side has
 *             the file
 * @return 1; 0 at the end; -1
 */
int diff_chunks_next(struct diff_chunks *c, struct buffer out[2],
		     struct error *err);

/** Record ERROR_DAMAGE of the file that was read last: "table 'x', file 'y':
 *  TEXT".  @return -1 */
int diff_chunks_damage(const struct diff_chunks *c, struct error *err,
		       const char *text);

/* ---- diff_pool.c: lines that both sides have go out ---- */

struct diff_pool;

/** Where the lines go that only one side has. */
struct diff_rest {
	int (*line)(struct diff_rest *, enum diff_side side, const char *line,
		    size_t size, struct error *err);
};

#define DIFF_POOL_BYTES ((size_t)4 << 20)

/** @param bytes  held at once, twice; less in tests */
int diff_pool_new(struct diff_pool **out, size_t bytes, struct diff_rest *rest,
		  struct error *err);
void diff_pool_free(struct diff_pool *p);

/** Take whole lines of both sides, which are likely to be alike. */
int diff_pool_add(struct diff_pool *p, const struct buffer lines[2],
		  struct error *err);

/** No more come. */
int diff_pool_finish(struct diff_pool *p, struct error *err);

/* ---- diff_keys.c: lines by key, and those of one key joined ---- */

struct diff_keys;

int diff_keys_new(struct diff_keys **out, const struct table *const t[2],
		  struct error *err);
void diff_keys_free(struct diff_keys *k);

/** Add a line that only one side has, as far as is known. */
int diff_keys_add(struct diff_keys *k, enum diff_side side, const char *line,
		  size_t size, struct error *err);

/** Give the rows to `take`, in order. */
int diff_keys_finish(struct diff_keys *k,
		     int (*take)(void *payload, const struct diff_row *row,
				 struct error *err),
		     void *payload, struct error *err);

#endif /* SNAPSHOT_DIFF_INTERNAL_H */
