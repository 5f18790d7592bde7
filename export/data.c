/*
 * data.c - the folder data/ of a snapshot: tables, manifest, schema
 */
#include "export/export.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/processors.h"
#include "export/export_internal.h"
#include "snapshot/catalog.h"
#include "snapshot/document.h"
#include "snapshot/manifest.h"

/* Put the file that `write` makes of the catalog as data/NAME. */
static int put_text(const struct catalog *c, struct sink *s, struct tree *data,
		    const char *name, const char *path,
		    int (*write)(struct buffer *, const struct catalog *,
				 struct error *),
		    struct error *err)
{
	struct buffer text = BUFFER_INIT;
	struct object_id id;
	int rc = -1;

	if (write(&text, c, err) < 0)
		goto done;
	if (buffer_failed(&text)) {
		error_nomem(err);
		goto done;
	}
	/* A reader would refuse it: then the snapshot must not come to be. */
	if (text.size > SOURCE_FILE_MAX) {
		error_set(err, ERROR_FAILED,
			  "the schema is too big: '%s' would have %zu bytes",
			  path, text.size);
		goto done;
	}
	if (s->put(s, OBJECT_BLOB, path, text.data, text.size, &id, err) < 0)
		goto done;
	rc = tree_add(data, name, 0, &id, err);
done:
	buffer_release(&text);
	return rc;
}

int export_put_data(const struct row_origin *from, struct catalog *c,
		    struct sink *s, struct export_progress *p,
		    struct object_id *content, struct error *err)
{
	struct tree data = { 0 };
	int rc = -1;

	/* The manifest last: it holds the row counts and digests. */
	if (export_tables(from, c, s, p, &data, err) < 0 ||
	    (from->document && document_end(from->document, err) < 0) ||
	    (!from->records &&
	     put_text(c, s, &data, "schema.json", "data/schema.json",
		      schema_write, err) < 0) ||
	    put_text(c, s, &data, "manifest.json", "data/manifest.json",
		     manifest_write, err) < 0)
		goto done;
	rc = tree_put(&data, s, content, err);
done:
	tree_release(&data);
	return rc;
}

int export_data(struct database *db, struct catalog *c, struct sink *s,
		struct export_progress *p, struct object_id *content,
		struct error *err)
{
	const struct row_origin from = { .db = db };

	return export_put_data(&from, c, s, p, content, err);
}

int export_early(struct database *db, struct catalog *c, struct sink *s,
		 struct export_progress *p)
{
	const struct row_origin from = { .db = db, .early = 1 };
	size_t jobs = p->jobs ? p->jobs : processors_for_us();
	struct error ignored = ERROR_INIT;
	struct tree data = { 0 };
	int rc = 0;

	/* with auto_vacuum, pages move while indexes are made */
	if (!c->auto_vacuum && jobs > 1)
		rc = export_tables(&from, c, s, p, &data, &ignored);
	tree_release(&data);
	return rc;
}

int export_import(struct document *d, struct sink *s, struct export_progress *p,
		  struct object_id *content, struct error *err)
{
	const struct row_origin from = { .document = d };

	return export_put_data(&from, document_catalog(d), s, p, content, err);
}
