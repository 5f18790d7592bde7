/*
 * export.h - a database as the files of a snapshot
 */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot/object.h"

struct catalog;
struct database;
struct document;
struct dump;
struct error;
struct export_cache;
struct model_map;
struct sink;
struct snapshot_info;

/** What a database is believed to be: the snapshot it was restored from, whose
 *  rows had these digests when they were read. */
struct export_expected {
	const struct catalog *catalog;   /* with rows and sha256 of its tables;
					    borrowed */
	const struct object_id *folders; /* of its tables, all zero: not known;
					    borrowed; NULL: of none */
};

/** How an export goes. */
struct export_progress {
	/* Told now and then while rows go by, in the thread that exports.
	 * @return 0, or non-zero to stop with ERROR_INTERRUPTED */
	int (*tick)(struct export_progress *, const char *table,
		    uint64_t rows_done);
	/* Threads, this one included; 0: as many as there are processors for
	 * us, at most 16.  What is put, and in which order, does not depend on
	 * it. */
	unsigned int jobs;
	/* What the last export found, or NULL.  Borrowed. */
	struct export_cache *cache;
	/* Where a table's folder comes out the same, the SHA-256 of its rows
	 * is taken from there; or NULL.  Borrowed.  Where not, it is computed
	 * as without, but some tables are read twice. */
	const struct export_expected *expected;
	/* For export_early(); or NULL. */
	void (*prepared)(struct export_progress *);
	/* Told when a table is stored, one after another in the catalog's
	 * order, in any thread and while nothing else is put; may be NULL.
	 * @param folder  its id; NULL: it has no rows and no folder */
	void (*stored)(struct export_progress *, size_t table,
		       const struct object_id *folder);
};

/**
 * Scan all tables of `db` and put data/ (manifest, schema, tables).
 *
 * @param db       after database_begin()
 * @param c        its catalog; rows, bytes and sha256 of each table are set
 * @param content  receives the tree id of data/: the content id
 * @param p        may be NULL
 */
int export_data(struct database *db, struct catalog *c, struct sink *s,
		struct export_progress *p, struct object_id *content,
		struct error *err);

/**
 * Export what can be exported of a file that another connection of this process
 * still completes (database_options.building): rows that are in their place.
 * Nothing but `p->cache` has it: an export of the finished file finds there the
 * tables that are as they were.  One thread of `p->jobs` is left to the other
 * connection.
 *
 * @param c  tables of it are changed
 * @param s  only hashes
 * @param p  prepared() is told when no more than pages of tables will be read:
 *           now the other connection may change all else.  It is not where
 *           there is nothing to do.
 * @return 0; -1: the cache has not all that it could
 */
int export_early(struct database *db, struct catalog *c, struct sink *s,
		 struct export_progress *p);

/**
 * Read the rows of a document to its end and put data/.
 *
 * @param d  just opened; rows, bytes and sha256 of its catalog's tables are set
 */
int export_import(struct document *d, struct sink *s, struct export_progress *p,
		  struct object_id *content, struct error *err);

/**
 * Read the records of others to the document's end, sort them in a file of
 * TMPDIR, and put data/ of a record snapshot.
 *
 * @param d        just opened
 * @param label    "'x.json'": what messages begin with
 * @param p        may be NULL; its stored() is not called
 * @param partial  take it also where the application left models out
 * @param c        receives the new catalog, which the caller frees: its models
 *                 with what was put of each, and those left out
 * @return 0; -1: ERROR_DAMAGE; ERROR_FAILED where a model is left out;
 *         ERROR_REFUSED where there is no record at all
 */
int export_records(struct dump *d, const char *label, int partial,
		   struct sink *s, struct export_progress *p,
		   struct catalog **c, struct object_id *content,
		   struct error *err);

/**
 * Put the root of the snapshot: README.md, .gitattributes, snapshot.json,
 * restore.py and data/.
 * @param root  receives the tree id
 */
int export_root(const struct snapshot_info *info, const struct catalog *c,
		const struct object_id *content, struct sink *s,
		struct object_id *root, struct error *err);

/**
 * Write the document ("dbstow-export/1") as a stream.
 * @param write  takes bytes; @return 0, or -1 with `err` set
 */
int export_document(struct database *db, struct catalog *c,
		    const struct snapshot_info *info,
		    int (*write)(void *payload, const void *data, size_t size,
				 struct error *err),
		    void *payload, struct error *err);

struct dumpdata_report {
	uint64_t models, records;
	const char **left_out; /* tables that are no models; names borrowed
				  from the catalog */
	size_t left_out_count;
};

/**
 * Write the rows of an application's models as Django's dumpdata does, as a
 * stream.
 *
 * @param db     after database_begin()
 * @param map    the user's --map, or NULL
 * @param p      for its tick; may be NULL
 * @param write  as for export_document()
 */
int export_dumpdata(struct database *db, const struct catalog *c,
		    const struct model_map *map, struct export_progress *p,
		    int (*write)(void *payload, const void *data, size_t size,
				 struct error *err),
		    void *payload, struct dumpdata_report *out,
		    struct error *err);
void dumpdata_report_release(struct dumpdata_report *r);

#endif /* EXPORT_EXPORT_H */
