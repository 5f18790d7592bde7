/*
 * sync.h - what `dbstow sync` and `dbstow export --push` share
 */
#ifndef CMD_SYNC_H
#define CMD_SYNC_H

#include <jansson.h>
#include <stddef.h>

#include "gitstore/sync.h"

struct cmd;
struct error;
struct gitstore;
struct remote;

struct sync_request {
	enum sync_direction direction;
	int append, replace, allow_public, dry_run;
	int beside; /* something else is the command's matter: lines go to
		       stderr, and a failure is no error but a status */
};

/**
 * Sync with all remotes that `what` names; one that fails does not stop the
 * others.  Each is told on stdout, or in `report`.
 *
 * @param what    names or URLs; a count of 0: what the configuration names
 * @param report  receives a JSON array; NULL: lines on stdout
 * @return the exit status of the worst; -1 where there is only one remote and
 *         it failed (not with `beside`), or none was found
 */
int sync_run(const struct cmd *c, struct gitstore *g,
	     const struct sync_request *q, const char *const *what,
	     size_t count, json_t **report, struct error *err);

/** Open the one remote that `what` names. */
int sync_open_remote(const struct cmd *c, struct gitstore *g, const char *what,
		     struct remote **out, struct error *err);

/** Where a server that refused secrets saw them: table, row and snapshot. */
void sync_tell_secrets(struct gitstore *g, const char *messages);

#endif /* CMD_SYNC_H */
