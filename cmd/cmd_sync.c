/* cmd_sync.c - dbstow sync: the branch to git remotes and back */

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cmd/cmd.h"
#include "cmd/snapshots.h"
#include "cmd/sync.h"
#include "gitstore/gitstore.h"

#define REMOTES_MAX 16

static int direction(struct sync_request *q, int pull, int push,
		     struct error *err)
{
	if (pull && push)
		return error_set(err, ERROR_USAGE,
				 "--pull and --push exclude each other; "
				 "without them the branch goes both ways");
	q->direction = pull ? SYNC_PULL : push ? SYNC_PUSH : SYNC_BOTH;
	return 0;
}

static int history_mode(struct sync_request *q, const char *mode,
			struct error *err)
{
	if (!mode)
		return 0;
	q->append = !strcmp(mode, "append");
	q->replace = !strcmp(mode, "replace");
	if (q->append || q->replace)
		return 0;
	return error_set(err, ERROR_USAGE,
			 "--history takes 'replace' or 'append', not '%s'",
			 mode);
}

/* ---- what `status` tells of remotes ---- */

static int is_configured(struct gitstore *store, const char *name)
{
	struct sync_states all;
	int found = 0;

	if (sync_states_read(store, &all, NULL) < 0)
		return 0;
	for (size_t i = 0; i < all.count; i++)
		found |= all.items[i].configured &&
			 !strcmp(all.items[i].name, name);
	sync_states_release(&all);
	return found;
}

static int forget_one(const struct cmd *c, struct gitstore *store,
		      const char *name, json_t *report, struct error *err)
{
	int rc = sync_state_forget(store, name, err);

	if (rc > 0)
		return error_set(err, ERROR_USAGE,
				 "nothing is remembered of a remote '%s'; "
				 "'dbstow status' names those that are",
				 name);
	if (rc < 0)
		return -1;
	if (is_configured(store, name))
		cmd_note(c,
			 "note: a plain 'dbstow sync' goes to '%s' still: see "
			 "dbstow.remote and origin in git's configuration",
			 name);
	if (report)
		json_array_append_new(report, json_pack("{s:o, s:b}", "remote",
							json_text(name),
							"forgotten", 1));
	else
		printf("%s: forgotten; what is there stays\n", name);
	return 0;
}

/* The remote is not asked: perhaps it is gone for good. */
static int forget(const struct cmd *c, struct gitstore *store,
		  const struct sync_request *q, const char *const *what,
		  size_t count, json_t *report, struct error *err)
{
	if (!count || q->direction != SYNC_BOTH || q->dry_run || q->append ||
	    q->replace || q->allow_public)
		return error_set(err, ERROR_USAGE,
				 "--forget takes the remotes' names, and no "
				 "other option");
	for (size_t i = 0; i < count; i++)
		if (forget_one(c, store, what[i], report, err) < 0)
			return -1;
	return 0;
}

int cmd_sync(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct sync_request q = { .append = 0 };
	const char *what[REMOTES_MAX], *mode = NULL;
	struct gitstore *store = NULL;
	json_t *report = NULL;
	int pull = 0, push = 0, forgets = 0, rc;
	size_t count = 0;
	const struct cmd_option options[] = {
		{ .name = "pull",
		  .flag = &pull,
		  .help = "only bring the local branch up to date" },
		{ .name = "push",
		  .flag = &push,
		  .help = "only bring the remote's branch up to date" },
		{ .name = "dry-run",
		  .flag = &q.dry_run,
		  .help = "say what would be sent and fetched" },
		{ .name = "history",
		  .text = &mode,
		  .arg = "MODE",
		  .help = "'append' for a remote that refuses force pushes: "
			  "nothing ever leaves it" },
		{ .name = "allow-public",
		  .flag = &q.allow_public,
		  .help = "push also where the whole world can read it" },
		{ .name = "forget",
		  .flag = &forgets,
		  .help = "status no longer tells of these remotes; nothing is "
			  "asked or sent" },
		CMD_ACCESS_OPTIONS(c),
		{ .name = NULL },
	};

	rc = cmd_parse(c, options, argc, argv, what, 0, REMOTES_MAX, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	while (count < REMOTES_MAX && what[count])
		count++;
	if (direction(&q, pull, push, err) < 0 ||
	    history_mode(&q, mode, err) < 0 ||
	    cmd_open_store(c, &store, err) < 0)
		return -1;
	if (c->json)
		report = json_array();
	rc = forgets ? forget(c, store, &q, what, count, report, err)
		     : sync_run(c, store, &q, what, count,
				c->json ? &report : NULL, err);
	if (c->json && rc >= 0)
		json_print(json_pack("{s:O}", "remotes", report));
	json_decref(report);
	gitstore_free(store);
	return rc;
}
