/*
 * snapshots.h - how commands find, list and print snapshots
 */
#ifndef CMD_SNAPSHOTS_H
#define CMD_SNAPSHOTS_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "gitstore/remote.h"

struct cmd;
struct error;
struct gitstore;
struct history;
struct snapshot;
struct source;

/** A snapshot in the repository, as commands name it. */
struct snapshot_choice {
	struct gitstore *store;
	struct history *history;
	size_t at; /* in the history */
	/* of one at a remote; `store` is then the remote's */
	struct remote *remote;
	struct remote_ref ref;
	struct gitstore *own;
};

/** The list that a command reads: of the branch here, or with --remote of the
 *  one there. */
int snapshot_history_here(const struct cmd *c, struct snapshot_choice *out,
			  struct error *err);

/** The same; where there is no branch here at all, of the first configured
 *  remote that has it.  When none has it, the list is empty; -1 where that
 *  cannot be told, because one could not be read. */
int snapshot_history(const struct cmd *c, struct snapshot_choice *out,
		     struct error *err);

/**
 * Open the store and find `what` (NULL: "latest"): in the history of the newer
 * of local and remote-tracking branch, else as any ref or commit.
 */
int snapshot_choose(const struct cmd *c, const char *what,
		    struct snapshot_choice *out, struct error *err);
void snapshot_choice_release(struct snapshot_choice *choice);
const struct snapshot *snapshot_chosen(const struct snapshot_choice *choice);

/** The files of one of the list, which are fetched with --remote; an absent one
 *  (shallow clone) says how to get it. */
int snapshot_source(struct snapshot_choice *choice, const struct snapshot *s,
		    struct source **out, struct error *err);

/** The table of `dbstow list`. */
void snapshot_print_table(const struct history *h, FILE *out);

/** One snapshot as JSON; new reference. */
json_t *snapshot_json(const struct snapshot *s);

/** Text that may not be UTF-8 as JSON: such bytes are shown as \xHH. */
json_t *json_text(const char *text);

/** Print and free. */
void json_print(json_t *o);

#endif /* CMD_SNAPSHOTS_H */
