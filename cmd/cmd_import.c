/* cmd_import.c - dbstow import: a document becomes a snapshot on the branch */

#include <string.h>

#include "base/error.h"
#include "cmd/cmd.h"
#include "cmd/from.h"
#include "cmd/importing.h"
#include "cmd/storing.h"

static int import(struct storing *s, const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	const char *file = slash ? slash + 1 : path;
	struct document_file in = { 0 };
	int rc = -1;

	if (!strcmp(path, "-"))
		file = NULL;
	if (storing_open(s, err) == 0 &&
	    document_file_open(&in, path, err) == 0)
		rc = importing_put(s, &in.input, in.label, file, "import",
				   "imported", err);
	document_file_close(&in);
	return rc < 0 ? -1 : storing_end(s, err);
}

int cmd_import(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct storing_options o = { 0 };
	struct storing s = { .cmd = c, .o = &o };
	const char *path = NULL;
	const struct cmd_option options[] = {
		CMD_STORING_OPTIONS(c, &o),
		{ .name = "kind",
		  .text = &o.kind,
		  .arg = "KIND",
		  .help = "imported (default; records for records), or a "
			  "word of yours" },
		CMD_INCOMING_OPTIONS(&o),
		{ .name = NULL },
	};
	int rc;

	rc = cmd_parse(c, options, argc, argv, &path, 1, 1, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (storing_check(&o, err) < 0)
		return -1;
	rc = import(&s, path, err);
	storing_release(&s);
	return rc;
}
