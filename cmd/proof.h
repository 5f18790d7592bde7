/*
 * proof.h - a snapshot that has been restored once
 *
 * Restore from the source, export the result into a sink that only hashes,
 * compare.  The drill of an export and every restore go this way; the database
 * that comes out is sound, or nothing is left.
 */
#ifndef CMD_PROOF_H
#define CMD_PROOF_H

#include <stdint.h>

#include "database/database.h"
#include "snapshot/object.h"

struct beside;
struct catalog;
struct cmd;
struct error;
struct source;

struct proof {
	char *stand_ins; /* what was stood in for, or NULL: then it is whole */
	struct database_check check; /* orphans are the source's own */
};

struct proof_options {
	int built;             /* the database lies at `path` already, built as
				  restore_build() does without stand-ins */
	struct beside *beside; /* with `built`: it watched that; or NULL */
	int stand_ins;         /* go on with stand-ins */
	int stays;             /* the file is to be kept: sync it */
	const char *what;      /* for progress: "drill", "restore" */
	const char *scratch;   /* for the database's own temporary needs */
};

/**
 * Build `path` from a snapshot and prove it.
 *
 * @param c        the snapshot's catalog with its layout; borrowed
 * @param content  the content id that must come out
 * @param path     nothing may be there, unless it is built already; its
 *                 folder exists
 * @return 0 with the proven file at `path`; -1 and nothing there:
 *         ERROR_DAMAGE names table and row of the first difference,
 *         ERROR_STANDIN says what is missing
 */
int proof_build(const struct cmd *cmd, struct source *s,
		const struct catalog *c, const struct object_id *content,
		const char *path, const struct proof_options *o,
		struct proof *out, struct error *err);
void proof_release(struct proof *p);

/**
 * The snapshot in a source: its catalog with layout applied.
 *
 * @param content  receives the content id that snapshot.json records
 */
int proof_open(struct source *s, struct catalog **c, struct object_id *content,
	       struct error *err);

/**
 * Read every file of data/ and compare with the recorded content id.  Where
 * they differ, the rows are read to name the file and line that is wrong.
 */
int proof_intact(struct source *s, const struct catalog *c,
		 const struct object_id *content, struct error *err);

/** Read every row of every table: counts and hashes are checked on the way. */
int proof_read(struct source *s, const struct catalog *c, struct error *err);

/** Say what the orphans are, one line a pair, as notes. */
void proof_note_orphans(const struct cmd *cmd,
			const struct database_check *check);

#endif /* CMD_PROOF_H */
