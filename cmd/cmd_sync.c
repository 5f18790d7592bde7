/* cmd_sync.c - dbstow sync: the branch to git remotes and back */

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

int cmd_sync(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct sync_request q = { .append = 0 };
	const char *what[REMOTES_MAX], *mode = NULL;
	struct gitstore *store = NULL;
	json_t *report = NULL;
	int pull = 0, push = 0, rc;
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
	rc = sync_run(c, store, &q, what, count, c->json ? &report : NULL, err);
	if (c->json && rc >= 0)
		json_print(json_pack("{s:O}", "remotes", report));
	json_decref(report);
	gitstore_free(store);
	return rc;
}
