/* cmd_list.c - dbstow list: the snapshots on the branch */

#include <stdlib.h>

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
	struct gitstore *store = NULL;
	struct history *h = NULL;
	char *note = NULL;
	int rc;

	rc = cmd_parse(c, NULL, argc, argv, NULL, 0, 0, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	rc = -1;
	if (cmd_open_store(c, &store, err) < 0 ||
	    gitstore_history(store, 1, &h, &note, err) < 0)
		goto done;
	if (note)
		cmd_note(c, "note: %s", note);
	if (c->json)
		print_json(h);
	else
		snapshot_print_table(h, stdout);
	rc = 0;
done:
	free(note);
	history_free(h);
	gitstore_free(store);
	return rc;
}
