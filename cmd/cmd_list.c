/* cmd_list.c - dbstow list: the snapshots on the branch */

#include <stdio.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/snapshots.h"
#include "gitstore/gitstore.h"

static void print_json(const struct history *h)
{
	char checked[CLOCK_TEXT_SIZE];
	json_t *list = json_array();

	for (size_t i = 0; i < h->count; i++)
		json_array_append_new(list, snapshot_json(&h->snapshots[i]));
	if (h->checked_at_s)
		clock_iso(checked, h->checked_at_s);
	json_print(json_pack("{s:o, s:o, s:i, s:o}", "source",
			     json_text(h->source), "snapshots", list, "keep",
			     (int)h->keep, "checked_at",
			     json_text(h->checked_at_s ? checked : NULL)));
}

int cmd_list(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct snapshot_choice choice = { 0 };
	const struct cmd_option options[] = {
		CMD_REMOTE_OPTIONS(c),
		{ .name = NULL },
	};
	int rc;

	rc = cmd_parse(c, options, argc, argv, NULL, 0, 0, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	rc = snapshot_history(c, &choice, err);
	if (!rc && c->json)
		print_json(choice.history);
	else if (!rc)
		snapshot_print_table(choice.history, stdout);
	snapshot_choice_release(&choice);
	return rc;
}
