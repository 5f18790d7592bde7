/*
 * storing.h - from the files of a snapshot in the store to one on the branch
 *
 *   storing_open()    the repository, the branch's source, how many to keep
 *   storing_begin()   progress, and a drill that goes along
 *   ... a sink of storing.store takes data/; catalog, info, content are set
 *   storing_rows()
 *   storing_put()     found again, or proven by a drill and committed
 *   storing_end()     told, and pushed where asked for
 *   storing_release()
 *
 * What dbstow export, import and fetch do once they have the rows.
 */
#ifndef CMD_STORING_H
#define CMD_STORING_H

#include <stddef.h>

#include "cmd/cmd.h"
#include "export/export.h"
#include "gitstore/gitstore.h"
#include "snapshot/manifest.h"

struct ahead;
struct catalog;
struct error;
struct sink;

/** What the user asks for; CMD_STORING_OPTIONS fills most of it. */
struct storing_options {
	const char *name, *description, *kind, *source, *scratch;
	const char *push; /* NULL: not; "": where the configuration says */
	/* of import and fetch */
	const char *schema_db; /* to drill records in a copy of; or NULL */
	const char *map;       /* and how; or NULL */
	int allow_partial;
	unsigned int keep;
	int always, adopt, no_drill, set_policy, allow_public;
};

/** One snapshot on its way.  Zero it, and set `cmd` and `o`. */
struct storing {
	struct cmd *cmd;
	const struct storing_options *o;
	struct gitstore *store;
	struct history *history;
	struct catalog *catalog; /* borrowed */
	struct snapshot_info info;
	struct object_id content;
	const char *unread;  /* why the rows were not read, or NULL; borrowed */
	unsigned int keep;   /* 0: as the branch says */
	struct ahead *ahead; /* a drill at work, or NULL */
	char drill[512];
	int drilled;   /* 1: proven */
	char *partial; /* models that were left out, or NULL */
	struct gitstore_result result;
};

/** Are the texts of the options what they have to be?  ERROR_USAGE */
int storing_check(const struct storing_options *o, struct error *err);

/** 1 when a text has no control characters. */
int storing_printable(const char *text);

/** Open the repository.  A slip in the configuration costs nobody a scan. */
int storing_open(struct storing *s, struct error *err);

/** Could a snapshot of `source` be committed?  Before work starts. */
int storing_allowed(struct storing *s, const char *source, struct error *err);

/** For export_data() and export_import(). */
struct storing_tick {
	struct export_progress base;
	struct cmd_progress shown;
	struct ahead *ahead;
};

/** Rows are about to come; `catalog` is set.
 *  @param what  for progress: "export" */
void storing_begin(struct storing *s, struct storing_tick *t, const char *what);

/** All of them came, or not: `rc` says. */
void storing_rows(struct storing *s, struct storing_tick *t, int rc);

/** Fill the totals and the content id of `info` when all rows were put. */
void storing_count(struct snapshot_info *info, const struct catalog *c,
		   const struct object_id *content);

/** The tables that people know. */
uint64_t storing_tables(const struct catalog *c);

/** Read the branch again: others may have stored meanwhile. */
int storing_history(struct storing *s, struct error *err);

/** Is the content the newest snapshot's, and nothing left to do about it?
 *  After storing_history(). */
int storing_is_stored(const struct storing *s);

/** Set the engine in `info` to the newest snapshot's, where that can be read:
 *  messages then speak of records.  After storing_history(). */
int storing_note_engine(struct storing *s, struct error *err);

/** Note on the branch that the content was found again; `info` has a time and
 *  a source.  @return 0; 1: the branch has another newest snapshot by now; -1
 */
int storing_found_again(struct storing *s, struct error *err);

/** data/ was put into `sink`: bring the snapshot onto the branch. */
int storing_put(struct storing *s, struct sink *sink, struct error *err);

/** Tell what was done and push.  @return the exit status, or -1 */
int storing_end(struct storing *s, struct error *err);

/** The catalog goes away: end what works on it. */
void storing_forget(struct storing *s);

void storing_release(struct storing *s);

/* ---- storing_drill.c ---- */

/** Restore the tree that was published once; sets `drill`. */
int storing_drill(struct storing *s, const struct object_id *root,
		  struct error *err);

/* Of those that take documents. */
#define CMD_INCOMING_OPTIONS(o)                                                        \
	{ .name = "source",                                                            \
	  .text = &(o)->source,                                                        \
	  .arg = "NAME",                                                               \
	  .env = "DBSTOW_SOURCE",                                                      \
	  .help = "what the database is called (default: as the document "             \
		  "says; for records, as the branch does, "                            \
		  "or their file or host)" },                                          \
		{ .name = "schema-db",                                                 \
		  .text = &(o)->schema_db,                                             \
		  .arg = "FILE",                                                       \
		  .env = "DBSTOW_SCHEMA_DB",                                           \
		  .help = "an empty, migrated database: records are restored once "    \
			  "into a copy of it" },                                       \
		{ .name = "map",                                                       \
		  .text = &(o)->map,                                                   \
		  .arg = "FILE",                                                       \
		  .help = "with --schema-db: names of models, tables and fields that " \
			  "are not Django's" },                                        \
	{                                                                              \
		.name = "allow-partial", .flag = &(o)->allow_partial,                  \
		.help = "take records also where the application left models "         \
			"out; exit 7"                                                  \
	}

#define CMD_STORING_OPTIONS(c, o)                                              \
	{ .name = "name",                                                      \
	  .text = &(o)->name,                                                  \
	  .arg = "NAME",                                                       \
	  .help = "name the snapshot; stored even if nothing changed" },       \
		{ .name = "message",                                           \
		  .letter = 'm',                                               \
		  .text = &(o)->description,                                   \
		  .arg = "TEXT",                                               \
		  .help = "describe it; stored even if nothing changed" },     \
		{ .name = "keep",                                              \
		  .number = &(o)->keep,                                        \
		  .arg = "N",                                                  \
		  .env = "DBSTOW_KEEP",                                        \
		  .help = "snapshots to keep (default: as before, or 8)" },    \
		{ .name = "set-policy",                                        \
		  .flag = &(o)->set_policy,                                    \
		  .help = "--keep is meant for every copy of the branch, "     \
			  "also for those that keep more" },                   \
		{ .name = "always",                                            \
		  .flag = &(o)->always,                                        \
		  .help = "store a snapshot even if nothing changed" },        \
		{ .name = "adopt",                                             \
		  .flag = &(o)->adopt,                                         \
		  .help = "a branch that is not dbstow's: rename it to "       \
			  "BRANCH-before-dbstow" },                            \
		{ .name = "no-drill",                                          \
		  .flag = &(o)->no_drill,                                      \
		  .help = "do not prove that the snapshot restores" },         \
		{ .name = "scratch",                                           \
		  .text = &(o)->scratch,                                       \
		  .arg = "DIR",                                                \
		  .env = "DBSTOW_SCRATCH",                                     \
		  .help = "folder for the drill's database" },                 \
		{ .name = "jobs",                                              \
		  .number = &(c)->jobs,                                        \
		  .arg = "N",                                                  \
		  .env = "DBSTOW_JOBS",                                        \
		  .help = "threads (default: one a processor, at most 16)" },  \
		{ .name = "push",                                              \
		  .text = &(o)->push,                                          \
		  .arg = "REMOTE",                                             \
		  .otherwise = "",                                             \
		  .help = "then bring the branch to git remotes (dbstow sync " \
			  "--push)" },                                         \
		{ .name = "allow-public",                                      \
		  .flag = &(o)->allow_public,                                  \
		  .help = "push also where the whole world can read it" },     \
		CMD_ACCESS_OPTIONS(c)

#endif /* CMD_STORING_H */
