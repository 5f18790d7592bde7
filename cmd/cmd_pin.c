/* cmd_pin.c - dbstow pin, unpin, delete: what the branch keeps */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "cmd/cmd.h"
#include "cmd/snapshots.h"
#include "gitstore/gitstore.h"

/** Find a snapshot of the local branch: only that one can be changed. */
static int choose_local(const struct cmd *c, const char *what,
			struct snapshot_choice *out, struct error *err)
{
	if (cmd_open_store(c, &out->store, err) < 0 ||
	    gitstore_history(out->store, 0, &out->history, NULL, err) < 0 ||
	    history_find(out->history, what, &out->at, err) < 0) {
		snapshot_choice_release(out);
		return -1;
	}
	return 0;
}

static void tell(const struct cmd *c, const struct object_id *id,
		 const char *done)
{
	char hex[OBJECT_HEX_SIZE];

	object_hex(hex, id);
	if (c->json)
		json_print(json_pack("{s:s, s:b}", "snapshot", hex, done, 1));
	else
		printf("%s %s\n", done, hex);
}

static int pin(struct cmd *c, int argc, char **argv, int pinned,
	       struct error *err)
{
	struct snapshot_choice choice = { 0 };
	const char *what;
	int rc;

	rc = cmd_parse(c, NULL, argc, argv, &what, 1, 1, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (choose_local(c, what, &choice, err) < 0)
		return -1;
	rc = gitstore_pin(choice.store, &snapshot_chosen(&choice)->id, pinned,
			  err);
	if (rc == 0)
		tell(c, &snapshot_chosen(&choice)->id,
		     pinned ? "pinned" : "unpinned");
	snapshot_choice_release(&choice);
	return rc;
}

int cmd_pin(struct cmd *c, int argc, char **argv, struct error *err)
{
	return pin(c, argc, argv, 1, err);
}

int cmd_unpin(struct cmd *c, int argc, char **argv, struct error *err)
{
	return pin(c, argc, argv, 0, err);
}

static int ask(const struct snapshot *s, struct error *err)
{
	char id[OBJECT_HEX_SIZE], when[CLOCK_TEXT_SIZE], question[256];

	object_hex(id, &s->id);
	id[8] = '\0';
	clock_text(when, s->created_at_s);
	snprintf(question, sizeof(question),
		 "Delete snapshot %s of %s from the branch? Type %s to "
		 "confirm:",
		 id, when, id);
	if (cmd_confirm(question, id))
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "snapshot %s was not deleted; confirm with --yes", id);
}

int cmd_delete(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct snapshot_choice choice = { 0 };
	int yes = 0, rc;
	const struct cmd_option options[] = {
		{ .name = "yes", .flag = &yes, .help = "do not ask" },
		{ .name = NULL },
	};
	const char *what;

	rc = cmd_parse(c, options, argc, argv, &what, 1, 1, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (choose_local(c, what, &choice, err) < 0)
		return -1;
	rc = -1;
	if (!yes && ask(snapshot_chosen(&choice), err) < 0)
		goto done;
	if (gitstore_delete(choice.store, &snapshot_chosen(&choice)->id, err) <
	    0)
		goto done;
	tell(c, &snapshot_chosen(&choice)->id, "deleted");
	rc = 0;
done:
	snapshot_choice_release(&choice);
	return rc;
}
