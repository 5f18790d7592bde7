/*
 * restoring.h - one run of dbstow restore
 *
 *   restoring_open()   which snapshot
 *   restoring_plan()   shown before anything is done
 *   ... cmd_restore.c builds, asks, and puts it in place
 */
#ifndef CMD_RESTORING_H
#define CMD_RESTORING_H

#include "cmd/cmd.h"
#include "cmd/from.h"
#include "cmd/proof.h"
#include "cmd/snapshots.h"
#include "cmd/staging.h"
#include "restore/restore.h"

struct catalog;
struct error;
struct source;

struct restoring_options {
	const char *snapshot, *at, *from, *to, *map, *scratch, *before, *after;
	struct cmd_list tables;
	unsigned int timeout_s;
	int into, dry_run, yes, stand_ins, triggers;
};

/** One restore.  Zero it, and set `cmd` and `o`. */
struct restoring {
	struct cmd *cmd;
	const struct restoring_options *o;
	struct snapshot_choice choice; /* without --from */
	struct from from;
	struct source *source;
	struct catalog *catalog;
	struct object_id content;
	char label[160]; /* "snapshot 1f2e3d4c of 2026-..." */
	char *real;      /* the target, links followed */
	enum restore_target state;
	char *why_damaged;
	char *folder; /* scratch beside the target */
	char *built;
	struct proof proof;
	struct staging staging; /* of records */
	char *undo;             /* how to get the old content back, or NULL */
	char *moved;
	struct restore_changes changes;
	int after_failed;
};

/** Find the snapshot that is meant, and open it.  On a terminal that may be a
 *  question. */
int restoring_open(struct restoring *r, struct error *err);

/** Show what will be done, and what to know before: `real` and `state` are
 *  set. */
void restoring_plan(struct restoring *r);

#endif /* CMD_RESTORING_H */
