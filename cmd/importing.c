/*
 * importing.c - a document becomes a snapshot, whatever brings it
 *
 * Its rows stream into the store as an export's do.  Whether it is whole is
 * known at its end only, which comes before the branch moves.
 */
#include "cmd/importing.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "cmd/storing.h"
#include "snapshot/catalog.h"
#include "snapshot/document.h"

static int copy(char **out, const char *text, struct error *err)
{
	*out = text ? strdup(text) : NULL;
	return text && !*out ? error_nomem(err) : 0;
}

static int find_source(const struct storing *s, const struct document *d,
		       const char *label, const char **source,
		       struct error *err)
{
	*source = s->o->source ? s->o->source : document_info(d)->source;
	if (!*source || !**source || !storing_printable(*source))
		return error_set(err, ERROR_USAGE,
				 "%s does not tell what the database is "
				 "called; give a name with --source",
				 label);
	return 0;
}

/* What the document says of the run that made it, and what we add. */
static int fill_info(struct storing *s, const struct document *d,
		     const char *source, const char *kind, struct error *err)
{
	const struct snapshot_info *from = document_info(d);
	const struct storing_options *o = s->o;
	struct snapshot_info *i = &s->info;
	int64_t now = clock_now();

	snapshot_info_release(i);
	/* a clock that is ahead would make it the newest for long */
	i->created_at_s = from->created_at_s < now ? from->created_at_s : now;
	i->page_size = from->page_size;
	i->auto_vacuum = from->auto_vacuum;
	i->wal = from->wal;
	if (copy(&i->source, source, err) < 0 ||
	    copy(&i->tool_version, DBSTOW_VERSION, err) < 0 ||
	    copy(&i->name, o->name, err) < 0 ||
	    copy(&i->description, o->description, err) < 0 ||
	    copy(&i->kind, o->kind ? o->kind : kind, err) < 0 ||
	    copy(&i->app_commit, from->app_commit, err) < 0 ||
	    copy(&i->schema_revision, from->schema_revision, err) < 0)
		return -1;
	return 0;
}

static int put_rows(struct storing *s, struct document *d, const char *what,
		    struct error *err)
{
	struct storing_tick t = { 0 };
	struct sink *sink = gitstore_sink(s->store, err);
	int rc;

	if (!sink)
		return -1;
	s->catalog = document_catalog(d);
	storing_begin(s, &t, what);
	rc = export_import(d, sink, &t.base, &s->content, err);
	storing_rows(s, &t, rc);
	if (rc < 0)
		return -1;
	storing_count(&s->info, s->catalog, &s->content);
	return storing_put(s, sink, err);
}

int importing_put(struct storing *s, struct byte_input *in, const char *label,
		  const char *what, const char *kind, struct error *err)
{
	struct document *d = NULL;
	const char *source;
	int rc = -1;

	if (document_open(&d, in, label, err) == 0 &&
	    find_source(s, d, label, &source, err) == 0 &&
	    storing_allowed(s, source, err) == 0 &&
	    fill_info(s, d, source, kind, err) == 0)
		rc = put_rows(s, d, what, err);
	storing_forget(s); /* the catalog is the document's */
	document_free(d);
	return rc;
}
