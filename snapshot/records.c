/*
 * records.c - the records of a record snapshot
 */
#include "snapshot/records.h"

#include <stdlib.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"
#include "snapshot/manifest.h"
#include "snapshot/object.h"

struct records {
	struct source *source;
	struct catalog *catalog;
	struct chunk_reader *reader; /* of the model begun, or NULL */
};

int records_open(struct records **out, struct source *s, struct error *err)
{
	struct records *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (!r)
		return error_nomem(err);
	r->source = s;
	if (manifest_read(&r->catalog, s, err) < 0)
		goto failed;
	if (!records_are(r->catalog)) {
		error_set(err, ERROR_FAILED, "%s holds a database, not records",
			  s->label);
		goto failed;
	}
	*out = r;
	return 0;
failed:
	records_free(r);
	return -1;
}

const struct catalog *records_catalog(const struct records *r)
{
	return r->catalog;
}

int records_begin(struct records *r, const struct table *model,
		  struct error *err)
{
	chunk_reader_free(r->reader);
	r->reader = NULL;
	return chunk_reader_new(&r->reader, model, r->source, err);
}

int records_next(struct records *r, struct record *out, struct error *err)
{
	int64_t none;
	int rc = chunk_reader_next(r->reader, &none, NULL, err);

	if (rc > 0)
		*out = *chunk_reader_record(r->reader);
	return rc;
}

void records_free(struct records *r)
{
	if (!r)
		return;
	chunk_reader_free(r->reader);
	catalog_free(r->catalog);
	free(r);
}
