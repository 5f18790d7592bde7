/* cmd_diff.c - dbstow diff: what changed between two snapshots */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cmd/cmd.h"
#include "cmd/diff_print.h"
#include "cmd/from.h"
#include "cmd/proof.h"
#include "cmd/snapshots.h"
#include "gitstore/gitstore.h"
#include "snapshot/catalog.h"

#define LIMIT 10

struct diff_options {
	const char *what[2]; /* snapshots */
	const char *from, *scratch;
	struct cmd_list tables;
	int exit_code;
	struct diff_choice choice;
};

/* Both snapshots, open. */
struct ends {
	struct snapshot_choice choices[2];
	struct from from;
	struct source *sources[2]; /* borrowed where it is the folder's */
	struct catalog *catalogs[2];
	struct object_id contents[2];
	struct diff_end shown[2];
};

static void ends_release(struct ends *e)
{
	for (int side = DIFF_A; side <= DIFF_B; side++) {
		catalog_free(e->catalogs[side]);
		if (e->sources[side] != e->from.source)
			source_free(e->sources[side]);
	}
	from_release(&e->from);
	snapshot_choice_release(&e->choices[DIFF_A]);
	snapshot_choice_release(&e->choices[DIFF_B]);
}

/* ---- opening ---- */

static int open_snapshot(const struct cmd *c, const char *what, struct ends *e,
			 enum diff_side side, struct error *err)
{
	struct snapshot_choice *choice = &e->choices[side];
	const struct snapshot *s;
	struct cmd again = *c;

	/* what is to be said of the branch is said once */
	again.quiet |= side == DIFF_B;
	if (snapshot_choose(&again, what, choice, err) < 0)
		return -1;
	s = snapshot_chosen(choice);
	e->shown[side].snapshot = s;
	return snapshot_source(choice, s, &e->sources[side], err);
}

static int open_from(const struct cmd *c, const struct diff_options *o,
		     struct ends *e, struct error *err)
{
	if (from_open(&e->from, c, o->from, o->scratch, err) < 0)
		return -1;
	e->sources[DIFF_B] = e->from.source;
	e->shown[DIFF_B].path = o->from;
	return 0;
}

static int open_ends(const struct cmd *c, const struct diff_options *o,
		     struct ends *e, struct error *err)
{
	if (open_snapshot(c, o->what[DIFF_A], e, DIFF_A, err) < 0)
		return -1;
	if (o->from ? open_from(c, o, e, err) < 0
		    : open_snapshot(c, o->what[DIFF_B], e, DIFF_B, err) < 0)
		return -1;
	for (int side = DIFF_A; side <= DIFF_B; side++) {
		if (proof_open(e->sources[side], &e->catalogs[side],
			       &e->contents[side], err) < 0)
			return -1;
		e->shown[side].catalog = e->catalogs[side];
	}
	return 0;
}

/* ---- comparing ---- */

struct run {
	const struct cmd *cmd;
	const struct diff_options *options;
	struct ends *ends;
	struct diff *diff;
	struct diff_rows_text rows; /* its taker ticks for the progress */
	struct cmd_progress progress;
	struct buffer out;
	size_t differ; /* tables whose rows do */
	uint64_t added, changed, removed;
	int different;
};

static int tick(struct diff_taker *taker, const char *table, uint64_t rows)
{
	struct run *r = (struct run *)((char *)taker -
				       offsetof(struct run, rows.taker));

	return cmd_progress_tick(&r->progress, table, rows);
}

/* Whoever prints for people sees each part at once. */
static int flush(struct run *r, struct error *err)
{
	if (buffer_failed(&r->out))
		return error_nomem(err);
	if (r->out.size)
		fwrite(r->out.data, 1, r->out.size, stdout);
	buffer_clear(&r->out);
	return 0;
}

static int print_schema(struct run *r, struct error *err)
{
	const struct diff_choice *choice = &r->options->choice;
	struct diff_setting settings[DIFF_SETTINGS];
	struct diff_entry *entries = NULL;
	size_t count, kept = 0, setting_count = 0, i;

	if (!choice->table_count)
		setting_count = diff_settings(r->ends->shown, settings);
	if (diff_schema(r->diff, &entries, &count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (diff_is_chosen(choice, entries[i].b ? entries[i].b->table
							: entries[i].a->table))
			entries[kept++] = entries[i];
	r->different |= kept || setting_count;
	if (r->cmd->json)
		diff_json_schema(&r->out, entries, kept, settings,
				 setting_count);
	else
		diff_text_schema(&r->out, choice, entries, kept, settings,
				 setting_count);
	free(entries);
	return r->cmd->json ? 0 : flush(r, err);
}

static int print_table(struct run *r, struct diff_table *t, struct error *err)
{
	const struct diff_choice *choice = &r->options->choice;
	int rc;

	diff_rows_begin(&r->rows, choice, r->cmd->json);
	cmd_progress_begin(&r->progress, r->cmd, "diff", 0);
	rc = diff_rows(r->diff, t, &r->rows.taker, err);
	cmd_progress_end(&r->progress);
	if (rc < 0)
		return -1;
	if (!(t->added || t->changed || t->removed))
		return 0;
	r->added += t->added;
	r->changed += t->changed;
	r->removed += t->removed;
	if (r->cmd->json)
		diff_json_table(&r->out, choice, t, &r->rows, !r->differ);
	else
		diff_text_table(&r->out, choice, t, &r->rows);
	r->differ++;
	return r->cmd->json ? 0 : flush(r, err);
}

static int print_tables(struct run *r, struct error *err)
{
	struct diff_table *tables;
	size_t count, i;

	tables = diff_tables(r->diff, &count);
	if (r->cmd->json)
		buffer_str(&r->out, ",\n\"tables\": [");
	for (i = 0; i < count; i++)
		if (diff_is_chosen(&r->options->choice, tables[i].name) &&
		    print_table(r, &tables[i], err) < 0)
			return -1;
	r->different |= r->differ > 0;
	if (!r->cmd->json)
		return 0;
	buffer_str(&r->out, "]\n}\n");
	return flush(r, err);
}

static void note_outcome(struct run *r)
{
	char tables[CMD_NUMBER_SIZE * 2], added[CMD_NUMBER_SIZE * 2];
	char changed[CMD_NUMBER_SIZE], removed[CMD_NUMBER_SIZE];
	int same = !memcmp(&r->ends->contents[DIFF_A],
			   &r->ends->contents[DIFF_B],
			   sizeof(r->ends->contents[DIFF_A]));

	if (r->differ)
		cmd_note(r->cmd, "%s: %s added, %s changed, %s removed",
			 cmd_count(tables, r->differ, "table"),
			 cmd_count(added, r->added, "row"),
			 cmd_number(changed, r->changed),
			 cmd_number(removed, r->removed));
	else if (r->different)
		cmd_note(r->cmd, "no row differs");
	else if (same || r->options->choice.table_count)
		cmd_note(r->cmd, "no difference");
	else
		cmd_note(r->cmd, "schema and rows are equal; how they are "
				 "written down is not");
}

/* A name that neither side has is a slip of the keys. */
static int check_tables(const struct run *r, struct error *err)
{
	const struct diff_choice *c = &r->options->choice;
	size_t i;

	for (i = 0; i < c->table_count; i++)
		if (!catalog_table(r->ends->catalogs[DIFF_A], c->tables[i]) &&
		    !catalog_table(r->ends->catalogs[DIFF_B], c->tables[i]))
			return error_set(err, ERROR_USAGE,
					 "neither snapshot has a table '%s'",
					 c->tables[i]);
	return 0;
}

static int compare(const struct cmd *c, const struct diff_options *o,
		   struct ends *e, struct error *err)
{
	const struct catalog *const catalogs[2] = { e->catalogs[DIFF_A],
						    e->catalogs[DIFF_B] };
	struct run r = { .cmd = c, .options = o, .ends = e };
	int rc = -1;

	r.rows.taker.tick = tick;
	if (check_tables(&r, err) < 0 ||
	    diff_new(&r.diff, e->sources, catalogs, err) < 0)
		goto done;
	if (c->json)
		diff_json_heading(&r.out, e->shown);
	else
		diff_text_heading(&r.out, e->shown);
	if (print_schema(&r, err) < 0 || print_tables(&r, err) < 0)
		goto done;
	note_outcome(&r);
	rc = o->exit_code && r.different ? EXIT_ATTENTION : 0;
done:
	diff_free(r.diff);
	diff_rows_release(&r.rows);
	buffer_release(&r.out);
	return rc;
}

/* ---- the command ---- */

static int take_arguments(struct diff_options *o, const char *const what[2],
			  struct error *err)
{
	if (o->from && what[1])
		return error_set(err, ERROR_USAGE,
				 "give a second snapshot or --from, not both");
	o->what[DIFF_A] = what[0] ? what[0] : o->from ? "latest" : "latest~1";
	o->what[DIFF_B] = what[1] ? what[1] : "latest";
	o->choice.tables = o->tables.items;
	o->choice.table_count = o->tables.count;
	return 0;
}

int cmd_diff(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct diff_options o = { .choice = { .limit = LIMIT } };
	const struct cmd_option options[] = {
		{ .name = "stat",
		  .flag = &o.choice.stat,
		  .help = "only count rows" },
		{ .name = "table",
		  .list = &o.tables,
		  .arg = "T",
		  .help = "only this table; may be given again" },
		{ .name = "limit",
		  .number = &o.choice.limit,
		  .arg = "N",
		  .help = "rows shown of each table (default: 10)" },
		{ .name = "exit-code",
		  .flag = &o.exit_code,
		  .help = "exit with 7 when something differs" },
		{ .name = "from",
		  .text = &o.from,
		  .arg = "PATH",
		  .help = "compare with a checkout or a document ('-': "
			  "standard input) instead of B" },
		{ .name = "scratch",
		  .text = &o.scratch,
		  .arg = "DIR",
		  .env = "DBSTOW_SCRATCH",
		  .help = "folder for a document's files" },
		CMD_REMOTE_OPTIONS(c),
		{ .name = NULL },
	};
	struct ends e = { 0 };
	const char *what[2];
	int rc;

	rc = cmd_parse(c, options, argc, argv, what, 0, 2, err);
	if (rc) {
		rc = rc < 0 ? -1 : 0;
		goto done;
	}
	rc = -1;
	if (take_arguments(&o, what, err) < 0 || open_ends(c, &o, &e, err) < 0)
		goto done;
	rc = compare(c, &o, &e, err);
done:
	ends_release(&e);
	cmd_list_release(&o.tables);
	return rc;
}
