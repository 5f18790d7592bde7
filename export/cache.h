/*
 * cache.h - what the last export of a database found, to spare the next one
 * the work
 *
 * A file in the repository's git folder.  It may be removed at any time; one
 * that is damaged, or of another dbstow, counts as none.  It holds
 *
 * - what told the state of the database file (database_identity()) and the
 *   content id: where nothing else is there now, nothing need be read;
 * - for each table that can be read in parts a digest of its leaves'
 *   fingerprints, and its folder's id: where that is the same, so is the
 *   folder.  A digest of a few leaves tells of most tables that changed before
 *   all are read.
 *
 * It is written when a snapshot is on the branch, so an id in it is one that
 * the branch reached; whether it still does is looked up.
 *
 * Without a file it does the same for two exports of one run:
 * export_cache_new(), an export, export_cache_turn(), another one.
 */
#ifndef EXPORT_CACHE_H
#define EXPORT_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot/object.h"

struct buffer;
struct catalog;
struct error;
struct export_cache;
struct hasher;
struct parts;
struct table;

/**
 * Open for one run.
 *
 * @param path    where it lies; its folder exists
 * @param about   what has to be the same besides, dbstow's version for one
 * @param rescan  take nothing from it, but write it anew
 */
int export_cache_open(struct export_cache **out, const char *path,
		      const char *about, int rescan, struct error *err);

/** A new one in memory.  No sink is asked whether it has a folder: both exports
 *  go into one that only hashes. */
int export_cache_new(struct export_cache **out, struct error *err);

/** What was noted so far is what the last export found. */
void export_cache_turn(struct export_cache *c);

/** The content id that was found in this state of the file.
 *  @return 1, or 0: not known */
int export_cache_content(const struct export_cache *c, const void *identity,
			 size_t size, struct object_id *content);

/**
 * The database will be read: begin what the next run finds.
 *
 * @param path  a new file on the same file system, in a scratch folder
 */
int export_cache_begin(struct export_cache *c, const char *path,
		       struct error *err);

/* A table's leaves, told by the fingerprints of all and of some. */
struct leaf_digests {
	unsigned char all[32], some[32];
};

/* Takes fingerprints of a table's leaves, from the first to the last. */
struct leaf_sum {
	struct hasher *all, *some;
	size_t leaves, seen;
};

/** Zero it to begin. */
int leaf_sum_begin(struct leaf_sum *s, size_t leaves, struct error *err);
void leaf_sum_add(struct leaf_sum *s, const struct buffer *prints);
/** @return 1 with the digests; 0: there was not one for each leaf */
int leaf_sum_end(struct leaf_sum *s, struct leaf_digests *out);
void leaf_sum_release(struct leaf_sum *s);

/**
 * Has the table the rows that it had?  Called before they are read.
 *
 * @param c       NULL is allowed: no
 * @param sink    has to have the folder still, where the cache is a file
 * @param folder  receives the folder's id (all zero: the table has no rows)
 * @param slot    receives the number for export_cache_note(), or SIZE_MAX:
 *                nothing is to be noted
 * @return 1: `folder` is set, and rows, bytes and sha256 of `t`; 0: scan it; -1
 */
int export_cache_table(struct export_cache *c, const struct catalog *catalog,
		       struct table *t, struct parts *p, struct sink *sink,
		       struct object_id *folder, size_t *slot,
		       struct error *err);

/** What scans make fingerprints with, PARTS_KEY_SIZE bytes; borrowed. */
const unsigned char *export_cache_key(const struct export_cache *c);

/** The table was scanned.
 *  @param digests  of its leaves, made with our key
 *  @param folder   all zero: it has no rows */
void export_cache_note(struct export_cache *c, size_t slot,
		       const struct table *t,
		       const struct leaf_digests *digests,
		       const struct object_id *folder);

/**
 * The snapshot is on the branch: keep what was found for the next run.  That it
 * can't be written is no reason to fail.
 *
 * @param identity  may be NULL: not known, or not settled
 */
void export_cache_save(struct export_cache *c, const void *identity,
		       size_t size, const struct object_id *content);

/** NULL is allowed. */
void export_cache_free(struct export_cache *c);

#endif /* EXPORT_CACHE_H */
