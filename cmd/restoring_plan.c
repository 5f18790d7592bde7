/* restoring_plan.c - what a restore is from, and what it will do */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "cmd/restoring.h"
#include "cmd/safety.h"
#include "gitstore/gitstore.h"
#include "snapshot/catalog.h"

/* ---- which snapshot ---- */

/** On a terminal without SNAP: show what there is and ask. */
static int ask_which(struct restoring *r, struct error *err)
{
	struct history *h = r->choice.history;
	char *line;
	int rc = 0;

	if (r->cmd->quiet || r->o->yes || h->count < 2 ||
	    !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return 0;
	snapshot_print_table(h, stderr);
	fputs("Which snapshot? (Enter: the newest) ", stderr);
	line = cmd_answer();
	if (cmd_interrupted())
		rc = error_set(err, ERROR_INTERRUPTED, "interrupted");
	else if (line && *line)
		rc = history_find(h, line, &r->choice.at, err);
	free(line);
	return rc;
}

static int choose_from_branch(struct restoring *r, struct error *err)
{
	char id[OBJECT_HEX_SIZE], when[CLOCK_TEXT_SIZE], age[CLOCK_TEXT_SIZE];
	const struct snapshot *s;
	int64_t at;

	if (snapshot_choose(r->cmd, r->o->snapshot, &r->choice, err) < 0)
		return -1;
	if (r->o->at) {
		if (clock_parse(&at, r->o->at) < 0)
			return error_set(err, ERROR_USAGE,
					 "--at takes a time like "
					 "2026-11-20T02:35Z, not '%s'",
					 r->o->at);
		if (history_find_at(r->choice.history, at, &r->choice.at, err) <
		    0)
			return -1;
	} else if (!r->o->snapshot && ask_which(r, err) < 0) {
		return -1;
	}
	s = snapshot_chosen(&r->choice);
	object_hex(id, &s->id);
	clock_text(when, s->created_at_s);
	clock_age(age, clock_now() - s->created_at_s);
	snprintf(r->label, sizeof(r->label), "snapshot %.8s of %s (%s old)", id,
		 when, age);
	return snapshot_source(&r->choice, s, &r->source, err);
}

int restoring_open(struct restoring *r, struct error *err)
{
	if (r->o->from) {
		if (from_open(&r->from, r->cmd, r->o->from, r->o->scratch,
			      err) < 0)
			return -1;
		r->source = r->from.source;
		r->from.source = NULL;
		snprintf(r->label, sizeof(r->label), "%s", r->from.label);
	} else if (choose_from_branch(r, err) < 0) {
		return -1;
	}
	if (proof_open(r->source, &r->catalog, &r->content, err) < 0)
		return -1;
	/*
	 * A folder can have been changed by anyone: all of it is read before
	 * anything is built.  In git every object vouches for itself.
	 */
	return r->from.is_folder
		       ? proof_intact(r->source, r->catalog, &r->content, err)
		       : 0;
}

/* ---- the plan ---- */

static void note_state(struct restoring *r)
{
	static const char *const words[] = {
		[TARGET_ABSENT] = "is new",
		[TARGET_SIDE_FILES] =
			("is not there, but its -wal, -journal or -shm are"),
		[TARGET_DATABASE] = "is a database",
		[TARGET_EMPTY] = "is a zero-byte file",
		[TARGET_DAMAGED] = "is no sound database",
	};
	struct catalog *c = r->catalog;
	char tables[CMD_NUMBER_SIZE * 2], rows[CMD_NUMBER_SIZE * 2];
	char size[CMD_NUMBER_SIZE], available[CMD_NUMBER_SIZE] = "?";
	uint64_t row_count = 0, bytes = 0, space = 0, shown = 0;
	struct error quiet = ERROR_INIT;
	char *folder = path_folder(r->real);

	for (size_t i = 0; i < c->table_count; i++) {
		row_count += c->tables[i].rows;
		shown += c->tables[i].kind != TABLE_INTERNAL;
	}
	if (r->choice.history)
		bytes = snapshot_chosen(&r->choice)->bytes;
	if (folder && !file_free_bytes(folder, &space, &quiet))
		cmd_bytes(available, space);
	free(folder);
	cmd_note(r->cmd, "from    %s", r->label);
	cmd_note(r->cmd, "to      %s, which %s%s%s", r->real, words[r->state],
		 r->why_damaged ? ": " : "",
		 r->why_damaged ? r->why_damaged : "");
	cmd_note(r->cmd, "content %s, %s%s%s; %s free",
		 cmd_count(tables, shown, "table"),
		 cmd_count(rows, row_count, "row"), bytes ? ", " : "",
		 bytes ? cmd_bytes(size, bytes) : "", available);
}

/** What the application could not export is not restored either. */
static void note_left_out(const struct restoring *r)
{
	for (size_t i = 0; i < r->catalog->left_out_count; i++)
		cmd_note(r->cmd,
			 "note: the application left out model '%s'; its table "
			 "stays as it is",
			 r->catalog->left_out[i].name);
}

/** Schema revisions of both sides, where the target has one that differs. */
static void note_revisions(struct restoring *r)
{
	const char *theirs = NULL;
	char *mine = NULL;

	if (r->choice.history)
		theirs = snapshot_chosen(&r->choice)->schema_revision;
	if (r->state == TARGET_DATABASE)
		mine = safety_schema_revision(r->real);
	if (theirs || mine)
		cmd_note(r->cmd, "schema  snapshot: %s; target: %s",
			 theirs ? theirs : "not recorded",
			 mine ? mine : "none");
	free(mine);
}

/** A restored database takes about as much as its JSON; what really does not
 *  fit ends with "disk is full", and nothing is touched. */
static void note_space(const struct restoring *r)
{
	char need[CMD_NUMBER_SIZE], have[CMD_NUMBER_SIZE];
	struct error quiet = ERROR_INIT;
	uint64_t bytes, space;
	char *folder;

	if (!r->choice.history)
		return;
	bytes = snapshot_chosen(&r->choice)->bytes;
	folder = path_folder(r->real);
	if (folder && !file_free_bytes(folder, &space, &quiet) && space < bytes)
		cmd_note(r->cmd,
			 "note: about %s are needed beside '%s', and %s are "
			 "free",
			 cmd_bytes(need, bytes), r->real,
			 cmd_bytes(have, space));
	free(folder);
}

void restoring_plan(struct restoring *r)
{
	note_state(r);
	note_revisions(r);
	note_space(r);
	note_left_out(r);
}
