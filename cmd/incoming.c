/*
 * incoming.c - a document on its way in, of ours or of others
 */
#include "cmd/incoming.h"

#include <string.h>

#include "base/clock.h"
#include "export/export.h"
#include "snapshot/catalog.h"
#include "snapshot/document.h"
#include "snapshot/manifest.h"
#include "snapshot/records.h"

int incoming_open(struct incoming *in, struct byte_input *from,
		  const char *label, struct error *err)
{
	enum dump_shape shape;

	in->label = label;
	if (dump_look(&in->look, from, label, &shape, err) < 0)
		return -1;
	if (shape == DUMP_NONE)
		return document_open(&in->document, &in->look.input, label,
				     err);
	return dump_open(&in->dump, &in->look.input, label, shape, err);
}

struct catalog *incoming_catalog(struct incoming *in)
{
	return in->document ? document_catalog(in->document) : in->catalog;
}

int incoming_put(struct incoming *in, int partial, struct sink *s,
		 struct export_progress *p, struct object_id *content,
		 struct error *err)
{
	if (in->document)
		return export_import(in->document, s, p, content, err);
	return export_records(in->dump, in->label, partial, s, p, &in->catalog,
			      content, err);
}

void incoming_info(const struct incoming *in, struct snapshot_info *info)
{
	/* strings of an info are not const; nobody writes to this one */
	static char engine[] = RECORDS_ENGINE;

	memset(info, 0, sizeof(*info));
	if (in->document) {
		*info = *document_info(in->document);
		return;
	}
	info->engine = engine;
	info->created_at_s = dump_created_s(in->dump);
	if (!info->created_at_s)
		info->created_at_s = clock_now();
}

void incoming_release(struct incoming *in)
{
	document_free(in->document);
	dump_free(in->dump);
	dump_look_release(&in->look);
	catalog_free(in->catalog);
	memset(in, 0, sizeof(*in));
}
