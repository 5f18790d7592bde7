/*
 * manifest.h - data/manifest.json, data/schema.json and snapshot.json
 */
#ifndef SNAPSHOT_MANIFEST_H
#define SNAPSHOT_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot/object.h"

struct buffer;
struct catalog;
struct error;

#define MANIFEST_FORMAT "dbstow-snapshot/1"

/** Append data/manifest.json (the tables' rows and sha256 are known). */
int manifest_write(struct buffer *out, const struct catalog *c,
		   struct error *err);

/** Append data/schema.json: a JSON array, one entry a line. */
int schema_write(struct buffer *out, const struct catalog *c,
		 struct error *err);

/**
 * Read manifest and schema of a source into a new catalog; that of a record
 * snapshot has no schema (records.h).
 *
 * Checks everything that can be checked without the rows: the format's version
 * (a newer one is refused with a message that says so), that every folder name
 * is the one its table's name gives, types, duplicates, limits.
 */
int manifest_read(struct catalog **out, struct source *s, struct error *err);

/** snapshot.json: facts of one run.  Strings may be NULL. Owned. */
struct snapshot_info {
	int64_t created_at_s;
	char *source; /* never a path */
	char *tool_version;
	char *name;        /* --name */
	char *description; /* -m */
	char *kind;        /* "scheduled", "manual", "safety" ... */
	char *schema_revision;
	char *app_commit; /* the application's git commit */
	char *engine;     /* "records": there is no layout; NULL: SQLite */
	uint64_t tables, rows, bytes;
	struct object_id content; /* tree id of data/ */
	int32_t page_size, auto_vacuum;
	int wal;
};

int snapshot_info_write(struct buffer *out, const struct snapshot_info *i,
			struct error *err);
int snapshot_info_read(struct snapshot_info *out, struct source *s,
		       struct error *err);
/** Take layout settings (page size ...) into the catalog. */
void snapshot_info_apply(const struct snapshot_info *i, struct catalog *c);
void snapshot_info_release(struct snapshot_info *i);

#endif /* SNAPSHOT_MANIFEST_H */
