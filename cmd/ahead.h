/*
 * ahead.h - a drill that begins while the export is at work
 *
 *   ahead_new() -> ahead_stored() per table -> ahead_all() -> ahead_end()
 *               -> ahead_free()
 *
 * In a thread of its own, each table is read back from the pack as soon as it
 * lies there, and loaded into the scratch database.  What the build takes on
 * trust meanwhile, the export's own catalog, is compared with what was written
 * once that can be read.
 *
 * Whatever goes wrong here, and wherever there is too little to do, the drill
 * is held afterwards from the beginning: nothing here is an error.
 */
#ifndef CMD_AHEAD_H
#define CMD_AHEAD_H

#include <stddef.h>

/** The scratch database's name. */
#define DRILL_DB "drill.db"

struct ahead;
struct beside;
struct catalog;
struct gitstore;
struct object_id;
struct source;

/**
 * @param g        its sink takes the export
 * @param c        the export's, borrowed; its tables get their row counts and
 *                 digests before ahead_stored()
 * @param scratch  where its scratch folder is made, borrowed; NULL: beside the
 *                 repository's lock
 * @param jobs     see beside_new()
 * @return NULL when there can be none
 */
struct ahead *ahead_new(struct gitstore *g, const struct catalog *c,
			const char *scratch, unsigned int jobs);

/** For export_progress's stored().  NULL is allowed. */
void ahead_stored(struct ahead *a, size_t table,
		  const struct object_id *folder);

/** All tables were stored. NULL is allowed. */
void ahead_all(struct ahead *a);

/**
 * All is put and published: wait for the database, and compare what it was
 * built from with what lies in the store.
 *
 * @param s        the whole tree, of gitstore's; by another way than the
 *                 build's
 * @param content  the id of data/
 * @return the scratch folder with DRILL_DB in it, borrowed; NULL: hold the
 *         drill from the start
 */
const char *ahead_end(struct ahead *a, struct source *s,
		      const struct object_id *content);

/** What watched the build; borrowed, may be NULL. */
struct beside *ahead_beside(struct ahead *a);

/** Stop where it is; remove the scratch folder.  NULL is allowed. */
void ahead_free(struct ahead *a);

#endif /* CMD_AHEAD_H */
