/* cmd_verify.c - dbstow verify: read snapshots back, restore them in scratch */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/from.h"
#include "cmd/proof.h"
#include "cmd/snapshots.h"
#include "gitstore/gitstore.h"
#include "snapshot/catalog.h"

struct verify_options {
	const char *from, *scratch;
	int all, drill;
};

static int drill(struct cmd *cmd, const struct verify_options *o,
		 struct gitstore *store, struct source *s,
		 const struct catalog *c, const struct object_id *content,
		 struct error *err)
{
	const char *parent = o->scratch;
	struct proof_options p = { .what = "drill" };
	struct error unwritable = ERROR_INIT;
	struct proof proof = { 0 };
	char *folder = NULL, *path = NULL;
	int rc = -1;

	if (!parent && store)
		parent = gitstore_folder(store, &unwritable);
	if (parent) {
		scratch_sweep(parent, "drill");
		if (scratch_make(&folder, parent, "drill",
				 o->scratch ? err : &unwritable) < 0 &&
		    o->scratch)
			return -1;
	}
	/* a repository that can only be read can be proven all the same */
	if (!folder) {
		parent = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
		if (scratch_make(&folder, parent, "dbstow-drill", err) < 0)
			return -1;
	}
	path = path_join(folder, "drill.db");
	p.scratch = folder;
	if (!path)
		error_nomem(err);
	else
		rc = proof_build(cmd, s, c, content, path, &p, &proof, err);
	if (rc == 0)
		proof_note_orphans(cmd, &proof.check);
	proof_release(&proof);
	scratch_remove(folder);
	free(folder);
	free(path);
	return rc;
}

/** @param expect  the content id that the commit records, or NULL */
static int verify(struct cmd *cmd, const struct verify_options *o,
		  struct gitstore *store, struct source *s,
		  const struct object_id *expect, struct error *err)
{
	struct catalog *c = NULL;
	struct object_id content;
	int rc = -1;

	if (proof_open(s, &c, &content, err) < 0)
		goto done;
	if (expect && memcmp(expect, &content, sizeof(content))) {
		error_set(err, ERROR_DAMAGE,
			  "%s: snapshot.json and the commit name different "
			  "content ids",
			  s->label);
		goto done;
	}
	if (proof_read(s, c, err) < 0 || proof_intact(s, c, &content, err) < 0)
		goto done;
	rc = o->drill ? drill(cmd, o, store, s, c, &content, err) : 0;
done:
	catalog_free(c);
	return rc;
}

/** The drill could not be complete, which is no damage: what it misses is not
 *  in the snapshot (the application's collation, space ...). */
static int is_only_unproven(const struct verify_options *o, int rc,
			    const struct error *err)
{
	return rc < 0 && o->drill &&
	       (err->code == ERROR_STANDIN || err->code == ERROR_NOSPACE);
}

/**
 * Say how one came out and add it to the results.
 *
 * @param what   the full id or the path, for JSON
 * @param shown  the same for people
 * @return `rc`, or EXIT_ATTENTION when it is intact and not proven
 */
static int conclude(const struct cmd *cmd, const struct verify_options *o,
		    const char *what, const char *shown, int rc,
		    json_t *results, struct error *err)
{
	int unproven = is_only_unproven(o, rc, err);
	const char *word = o->drill && rc == 0 ? "restorable" : "intact";
	json_t *r;

	/* what could not be read is not damaged for all we know */
	if (rc < 0 && err->code == ERROR_DAMAGE)
		word = "damaged";
	else if (rc < 0 && !unproven)
		cmd_exit_status(err->code, &word);
	r = json_pack("{s:o, s:s}", "snapshot", json_text(what), "result",
		      word);
	if (rc < 0)
		json_object_set_new(r, "message", json_text(err->message));
	json_array_append_new(results, r);
	if (!cmd->json && (rc == 0 || unproven))
		printf("%s  %s\n", shown, word);
	if (unproven) {
		cmd_warn("%s is intact, but not proven restorable: %s", shown,
			 err->message);
		error_clear(err);
		return EXIT_ATTENTION;
	}
	return rc;
}

static int verify_one(struct cmd *cmd, const struct verify_options *o,
		      struct snapshot_choice *choice,
		      const struct snapshot *snap, json_t *results,
		      struct error *err)
{
	struct source *s = NULL;
	char id[OBJECT_HEX_SIZE], shown[9];
	int rc = -1;

	object_hex(id, &snap->id);
	snprintf(shown, sizeof(shown), "%.8s", id);
	if (!snapshot_source(choice, snap, &s, err))
		rc = verify(cmd, o, choice->store, s, &snap->content, err);
	source_free(s);
	return conclude(cmd, o, id, shown, rc, results, err);
}

/** The damage of one is no reason not to look at the others. */
static int verify_all(struct cmd *cmd, const struct verify_options *o,
		      struct snapshot_choice *choice, json_t *results,
		      struct error *err)
{
	size_t absent = 0;
	int rc = 0;

	for (size_t i = 0; i < choice->history->count; i++) {
		const struct snapshot *s = &choice->history->snapshots[i];
		struct error one = ERROR_INIT;
		int status;

		absent += s->absent;
		if (s->absent)
			continue;
		status = verify_one(cmd, o, choice, s, results, &one);
		if (status >= 0) {
			rc = rc ? rc : status;
			continue;
		}
		cmd_note(cmd, "dbstow: %s", one.message);
		if (one.code == ERROR_DAMAGE && err->code != ERROR_DAMAGE)
			error_clear(err);
		rc = error_set(err, one.code, "%s", one.message);
		if (one.code == ERROR_INTERRUPTED)
			break;
	}
	if (absent)
		cmd_warn("%zu of the %zu snapshots are not in this repository "
			 "(a shallow clone?) and were not looked at; get them "
			 "with: dbstow sync --pull",
			 absent, choice->history->count);
	return rc;
}

static int verify_branch(struct cmd *cmd, const struct verify_options *o,
			 const char *what, json_t *results, struct error *err)
{
	struct snapshot_choice choice = { 0 };
	int rc;

	if (snapshot_choose(cmd, what, &choice, err) < 0)
		return -1;
	rc = o->all ? verify_all(cmd, o, &choice, results, err)
		    : verify_one(cmd, o, &choice, snapshot_chosen(&choice),
				 results, err);
	snapshot_choice_release(&choice);
	return rc;
}

static int verify_from(struct cmd *cmd, const struct verify_options *o,
		       json_t *results, struct error *err)
{
	struct from from;
	int rc;

	rc = from_open(&from, cmd, o->from, o->scratch, err);
	if (!rc)
		rc = verify(cmd, o, NULL, from.source, NULL, err);
	from_release(&from);
	return conclude(cmd, o, o->from, o->from, rc, results, err);
}

int cmd_verify(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct verify_options o = { 0 };
	const struct cmd_option options[] = {
		{ .name = "all",
		  .flag = &o.all,
		  .help = "every snapshot on the branch" },
		{ .name = "from",
		  .text = &o.from,
		  .arg = "PATH",
		  .help = "a checkout or an unpacked archive of the branch, or "
			  "a document ('-': standard input)" },
		{ .name = "drill",
		  .flag = &o.drill,
		  .help = "restore into scratch and compare, too" },
		{ .name = "scratch",
		  .text = &o.scratch,
		  .arg = "DIR",
		  .env = "DBSTOW_SCRATCH",
		  .help = "folder for the drill's database" },
		{ .name = "jobs",
		  .number = &c->jobs,
		  .arg = "N",
		  .env = "DBSTOW_JOBS",
		  .help = "threads (default: one a processor, at most 16)" },
		CMD_REMOTE_OPTIONS(c),
		{ .name = NULL },
	};
	json_t *results;
	const char *what;
	int rc;

	rc = cmd_parse(c, options, argc, argv, &what, 0, 1, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if ((what != NULL) + o.all + (o.from != NULL) > 1)
		return error_set(err, ERROR_USAGE,
				 "give one of SNAP, --all and --from");
	results = json_array();
	rc = o.from ? verify_from(c, &o, results, err)
		    : verify_branch(c, &o, what, results, err);
	/* A failure's JSON is the error that main prints. */
	if (c->json && (rc >= 0 || o.all)) {
		json_print(json_pack("{s:O}", "results", results));
		c->json = 0; /* said already */
	}
	json_decref(results);
	return rc;
}
