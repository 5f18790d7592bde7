/* cmd_restore.c - dbstow restore: a snapshot back as a database */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "cmd/changes.h"
#include "cmd/cmd.h"
#include "cmd/restoring.h"
#include "cmd/safety.h"
#include "cmd/shell.h"
#include "cmd/snapshots.h"
#include "gitstore/gitstore.h"
#include "snapshot/catalog.h"
#include "snapshot/records.h"

#define SCRATCH_PREFIX ".dbstow-restore"

/* ---- consent ---- */

static int needs_consent(const struct restoring *r)
{
	return r->state != TARGET_ABSENT;
}

static int consent(struct restoring *r, struct error *err)
{
	const char *name = path_base(r->real);
	char question[512];

	if (!needs_consent(r) || r->o->yes)
		return 0;
	if (r->state == TARGET_SIDE_FILES)
		return error_set(
			err, ERROR_REFUSED,
			"'%s' is not there, but its -wal, -journal or -shm "
			"are: SQLite would replay them into the restored file; "
			"--yes moves them aside first",
			r->real);
	snprintf(question, sizeof(question),
		 "'%.200s' will be changed. Type its name (%.200s) to go on:",
		 r->real, name);
	if (cmd_confirm(question, name))
		return 0;
	if (cmd_interrupted())
		return error_set(err, ERROR_INTERRUPTED,
				 "interrupted; '%s' is as it was", r->real);
	return error_set(err, ERROR_REFUSED,
			 "'%s' exists and was not touched; to %s add --yes "
			 "(the old content is kept)",
			 r->real,
			 r->o->into ? "change its rows"
				    : "replace its content");
}

/* ---- building ---- */

static int make_folder(struct restoring *r, struct error *err)
{
	char *beside = path_folder(r->real);
	const char *parent = beside;
	int rc;

	/*
	 * What will be renamed into place has to be on the target's file
	 * system; what goes in through the backup API need not.
	 */
	if (r->o->scratch && r->state == TARGET_DATABASE)
		parent = r->o->scratch;
	if (!parent)
		return error_nomem(err);
	scratch_sweep(parent, SCRATCH_PREFIX);
	rc = scratch_make(&r->folder, parent, SCRATCH_PREFIX, err);
	free(beside);
	if (rc < 0)
		return -1;
	r->built = path_join(r->folder, "restored.db");
	return r->built ? 0 : error_nomem(err);
}

static int build(struct restoring *r, struct error *err)
{
	struct proof_options o = { .stand_ins = r->o->stand_ins,
				   .stays = r->state != TARGET_DATABASE,
				   .what = "restore" };

	if (make_folder(r, err) < 0)
		return -1;
	/* Page size can't change on the way in, so it is the target's. */
	if (r->state == TARGET_DATABASE && !r->o->into) {
		int wal;

		if (restore_layout(r->real, &r->catalog->page_size, &wal, err) <
		    0)
			return -1;
	}
	o.scratch = r->folder;
	return proof_build(r->cmd, r->source, r->catalog, &r->content, r->built,
			   &o, &r->proof, err);
}

/** Records become rows of the target's own tables. */
static int stage(struct restoring *r, struct error *err)
{
	struct staging *s = &r->staging;
	struct error why = ERROR_INIT;

	if (staging_open(s, r->cmd, r->source, r->o->map, err) < 0 ||
	    make_folder(r, err) < 0)
		return -1;
	s->how.models = r->o->tables.items;
	s->how.model_count = r->o->tables.count;
	s->how.busy_timeout_ms = (int)r->o->timeout_s * 1000;
	if (staging_make(s, r->real, r->built, &why) == 0)
		return 0;
	return error_set(err, why.code,
			 why.code == ERROR_FAILED ? "%s; nothing was changed"
						  : "%s",
			 why.message);
}

/* ---- putting it in place ---- */

static int replace(struct restoring *r, struct error *err)
{
	char *note = NULL;
	int rc;

	rc = restore_replace(r->built, r->real, (int)r->o->timeout_s * 1000,
			     &note, err);
	if (note)
		cmd_note(r->cmd, "note: %s", note);
	free(note);
	return rc;
}

static int move_aside_and_install(struct restoring *r, struct error *err)
{
	if (restore_move_aside(r->real, &r->moved, err) < 0)
		return -1;
	cmd_note(r->cmd, "moved what was there to '%s'", r->moved);
	return restore_install(r->built, r->real, r->moved, err);
}

/** A database whose schema can be read may still be damaged further in: then
 *  it is kept as files, all of them together. */
static int keep_and_replace(struct restoring *r, struct error *err)
{
	struct error kept = ERROR_INIT;

	if (safety_keep(r->cmd, r->real, &r->undo, &kept) == 0)
		return replace(r, err);
	if (kept.code != ERROR_DAMAGE)
		return error_set(err, kept.code, "%s", kept.message);
	cmd_note(r->cmd,
		 "note: the old content cannot be kept as a snapshot: "
		 "%s",
		 kept.message);
	return move_aside_and_install(r, err);
}

static int put_in_place(struct restoring *r, struct error *err)
{
	switch (r->state) {
	case TARGET_ABSENT:
		return restore_install(r->built, r->real, NULL, err);
	case TARGET_SIDE_FILES:
	case TARGET_EMPTY:
	case TARGET_DAMAGED:
		return move_aside_and_install(r, err);
	case TARGET_DATABASE:
		break;
	}
	return keep_and_replace(r, err);
}

static int replay(struct restoring *r, struct error *err)
{
	const struct staged_records *staged = &r->staging.staged;
	const struct catalog *c = staged->catalog ? staged->catalog
						  : r->catalog;
	struct restore_selection what = {
		.tables = r->o->tables.items,
		.table_count = r->o->tables.count,
		.triggers = r->o->triggers,
		.busy_timeout_ms = (int)r->o->timeout_s * 1000,
		.dry_run = r->o->dry_run,
	};

	if (staged->catalog) {
		what.records = staged;
		what.tables = staged->tables;
		what.table_count = staged->table_count;
	}
	if (!r->o->dry_run) {
		/*
		 * A trial first: what can't be done must not cost one of the
		 * few safety copies.
		 */
		what.dry_run = 1;
		if (restore_into(r->built, c, r->real, &what, &r->changes,
				 err) < 0)
			return -1;
		restore_changes_release(&r->changes);
		what.dry_run = 0;
		if (safety_keep(r->cmd, r->real, &r->undo, err) < 0)
			return -1;
	}
	return restore_into(r->built, c, r->real, &what, &r->changes, err);
}

/** From a proven file to the target, between the user's two commands. */
static int act(struct restoring *r, struct error *err)
{
	struct error after = ERROR_INIT;
	int rc = -1;

	if (cmd_interrupted())
		return error_set(err, ERROR_INTERRUPTED,
				 "interrupted; '%s' is as it was", r->real);
	if (!r->o->before || shell_run(r->o->before, "--before", err) == 0)
		rc = r->o->into ? replay(r, err) : put_in_place(r, err);
	if (r->o->after && shell_run(r->o->after, "--after", &after) < 0) {
		cmd_warn("%s", after.message);
		r->after_failed = 1;
	}
	return rc;
}

/* ---- telling ---- */

static int tell(const struct restoring *r)
{
	char content[OBJECT_HEX_SIZE], id[OBJECT_HEX_SIZE] = "";

	object_hex(content, &r->content);
	if (r->choice.history)
		object_hex(id, &snapshot_chosen(&r->choice)->id);
	proof_note_orphans(r->cmd, &r->proof.check);
	changes_note(r->cmd, &r->changes, r->o->dry_run);
	if (r->o->dry_run)
		cmd_note(r->cmd, "dry run: nothing was changed");
	else if (r->o->into)
		cmd_note(r->cmd, "restored records into '%s'%s", r->real,
			 r->changes.count ? "" : "; all were there");
	else
		cmd_note(r->cmd,
			 "restored '%s'; every table read back equal "
			 "to the snapshot",
			 r->real);
	if (r->undo)
		cmd_note(r->cmd, "undo with: %s", r->undo);
	if (r->cmd->json)
		json_print(json_pack("{s:o, s:o, s:s, s:b, s:o, s:o, s:o, s:o}",
				     "snapshot", json_text(*id ? id : NULL),
				     "target", json_text(r->real), "content",
				     content, "dry_run", r->o->dry_run,
				     "stand_ins", json_text(r->proof.stand_ins),
				     "undo", json_text(r->undo), "moved_aside",
				     json_text(r->moved), "changes",
				     changes_json(&r->changes)));
	if (r->proof.stand_ins) {
		int reindex = strstr(r->proof.stand_ins, "collation '") ||
			      strstr(r->proof.stand_ins, "function '");

		cmd_warn("restored with stand-ins: %s%s", r->proof.stand_ins,
			 reindex ? "; run REINDEX in the application" : "");
		return EXIT_ATTENTION;
	}
	return 0;
}

/* ---- the command ---- */

static void run_release(struct restoring *r)
{
	scratch_remove(r->folder);
	source_free(r->source);
	from_release(&r->from);
	snapshot_choice_release(&r->choice);
	catalog_free(r->catalog);
	proof_release(&r->proof);
	staging_release(&r->staging);
	restore_changes_release(&r->changes);
	free(r->real);
	free(r->why_damaged);
	free(r->folder);
	free(r->built);
	free(r->undo);
	free(r->moved);
}

static int check_target(struct restoring *r, struct error *err)
{
	if (restore_inspect(r->o->to, &r->state, &r->real, &r->why_damaged,
			    err) < 0)
		return -1;
	if (!r->o->into || r->state == TARGET_DATABASE)
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "'%s' is no database to restore records into; %s",
			 r->real,
			 records_are(r->catalog)
				 ? "let the application make it first (migrate)"
				 : "leave --into and --table out to restore "
				   "all of the snapshot");
}

/** Records go into tables that the application made. */
static int check_schema(const struct restoring *r, struct error *err)
{
	if (records_are(r->catalog) && !r->o->into)
		return error_set(err, ERROR_USAGE,
				 "%s holds records, which have no schema; let "
				 "the application make the database's tables "
				 "(migrate), then add --into",
				 r->label);
	if (!records_are(r->catalog) && r->o->map)
		return error_set(err, ERROR_USAGE,
				 "--map is for records, and %s holds a "
				 "database",
				 r->label);
	return 0;
}

static int restore(struct restoring *r, struct error *err)
{
	int status;

	if (restoring_open(r, err) < 0 || check_target(r, err) < 0 ||
	    check_schema(r, err) < 0)
		return -1;
	restoring_plan(r);
	if (r->o->dry_run && !r->o->into)
		return tell(r);
	if (!r->o->dry_run && consent(r, err) < 0)
		return -1;
	if ((records_are(r->catalog) ? stage(r, err) : build(r, err)) < 0 ||
	    act(r, err) < 0)
		return -1;
	status = tell(r);
	if (r->after_failed)
		return error_set(err, ERROR_FAILED,
				 "'%s' was restored, but the --after command "
				 "failed",
				 r->real);
	return status;
}

int cmd_restore(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct restoring_options o = { .timeout_s = 30 };
	struct restoring r = { .cmd = c, .o = &o };
	const struct cmd_option options[] = {
		{ .name = "to",
		  .text = &o.to,
		  .arg = "DB",
		  .help = "the database to make or to replace" },
		{ .name = "at",
		  .text = &o.at,
		  .arg = "TIME",
		  .help = "the newest snapshot not newer than TIME (UTC)" },
		{ .name = "from",
		  .text = &o.from,
		  .arg = "PATH",
		  .help = "a checkout or an unpacked archive of the branch, or "
			  "a document ('-': standard input)" },
		{ .name = "table",
		  .letter = 't',
		  .list = &o.tables,
		  .arg = "NAME",
		  .help = "only this table or model, and parents it misses "
			  "(again for more; implies --into)" },
		{ .name = "into",
		  .flag = &o.into,
		  .help = "replay records into the schema that is there" },
		{ .name = "triggers",
		  .flag = &o.triggers,
		  .help = "with --into: let the target's triggers run" },
		{ .name = "map",
		  .text = &o.map,
		  .arg = "FILE",
		  .help = "of records: names of models, tables and fields that "
			  "are not Django's" },
		{ .name = "dry-run",
		  .letter = 'n',
		  .flag = &o.dry_run,
		  .help = "show the plan, change nothing" },
		{ .name = "yes",
		  .flag = &o.yes,
		  .help = "do not ask before replacing what is there" },
		{ .name = "before",
		  .text = &o.before,
		  .arg = "CMD",
		  .help = "run first (stop the application)" },
		{ .name = "after",
		  .text = &o.after,
		  .arg = "CMD",
		  .help = "run afterwards, whatever happened (start it)" },
		{ .name = "stand-ins",
		  .flag = &o.stand_ins,
		  .help = "go on without the application's collations and "
			  "functions" },
		{ .name = "scratch",
		  .text = &o.scratch,
		  .arg = "DIR",
		  .env = "DBSTOW_SCRATCH",
		  .help = "where to build when the target exists" },
		{ .name = "jobs",
		  .number = &c->jobs,
		  .arg = "N",
		  .env = "DBSTOW_JOBS",
		  .help = "threads (default: one a processor, at most 16)" },
		{ .name = "timeout",
		  .number = &o.timeout_s,
		  .arg = "SECONDS",
		  .help = "wait for a locked target (default: 30)" },
		CMD_REMOTE_OPTIONS(c),
		{ .name = NULL },
	};
	int rc;

	rc = cmd_parse(c, options, argc, argv, &o.snapshot, 0, 1, err);
	if (rc) {
		cmd_list_release(&o.tables);
		return rc < 0 ? -1 : 0;
	}
	if (!o.to)
		rc = error_set(err, ERROR_USAGE,
			       "--to is missing; usage: dbstow restore %s",
			       c->usage);
	else if ((o.snapshot != NULL) + (o.at != NULL) + (o.from != NULL) > 1)
		rc = error_set(err, ERROR_USAGE,
			       "give one of SNAP, --at and --from");
	o.into |= o.tables.count > 0;
	if (rc == 0 && cmd_database(o.to, &o.to, err) == 0)
		rc = restore(&r, err);
	else
		rc = -1;
	run_release(&r);
	cmd_list_release(&o.tables);
	return rc;
}
