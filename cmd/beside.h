/*
 * beside.h - a new database's rows are exported again while its indexes are
 * made
 *
 *   beside_new() -> beside_watch() for restore_build() -> beside_end()
 *                -> beside_free()
 *
 * One thread makes indexes; the others have nothing to do, and the rows are in
 * their place already.  What comes out is no proof, as the file is not done:
 * an export of the finished file takes over the tables whose pages are as they
 * were, and reads the others.
 *
 * Whatever goes wrong here, that export reads everything: nothing here is an
 * error.
 */
#ifndef CMD_BESIDE_H
#define CMD_BESIDE_H

struct beside;
struct export_cache;
struct export_expected;
struct restore_watch;

/**
 * @param jobs      --jobs; 0: as many as there are processors for us
 * @param expected  what is restored; to be known when all rows are in their
 *                  place; borrowed; NULL is allowed
 * @return NULL when there can be none
 */
struct beside *beside_new(unsigned int jobs,
			  const struct export_expected *expected);

/** For one restore_build().  NULL is allowed, and given back. */
struct restore_watch *beside_watch(struct beside *b);

/** Wait for it.  NULL is allowed.
 *  @return what it found, for export_data() of that file into a sink that only
 *          hashes; borrowed; or NULL */
struct export_cache *beside_end(struct beside *b);

/** Stop where it is.  NULL is allowed. */
void beside_free(struct beside *b);

#endif /* CMD_BESIDE_H */
