/*
 * staging.h - records as rows, for a restore and for a drill
 */
#ifndef CMD_STAGING_H
#define CMD_STAGING_H

#include "cmd/cmd.h"
#include "restore/restore.h"

struct model_map;
struct records;
struct source;

/** Zero it. */
struct staging {
	struct restore_progress base; /* first: its tick hands it back */
	struct cmd_progress shown;
	struct records *records;
	struct model_map *map;
	struct restore_records how;
	struct staged_records staged;
};

/**
 * @param from  a record snapshot; borrowed
 * @param map   the user's --map, or NULL
 */
int staging_open(struct staging *s, const struct cmd *c, struct source *from,
		 const char *map, struct error *err);

/** Stage them for `target` in a new database at `path`; `how` may be changed
 *  before. */
int staging_make(struct staging *s, const char *target, const char *path,
		 struct error *err);

/** The drill of records: restore them into the database at `copy`, which is
 *  ours, read them back and compare. */
int staging_drill(struct staging *s, const char *copy, struct error *err);

void staging_release(struct staging *s);

#endif /* CMD_STAGING_H */
