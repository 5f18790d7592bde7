/*
 * importing.c - a document becomes a snapshot, whatever brings it
 *
 * Its rows stream into the store as an export's do.  Whether it is whole is
 * known at its end only, which comes before the branch moves.
 */
#include "cmd/importing.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "cmd/incoming.h"
#include "cmd/storing.h"
#include "snapshot/catalog.h"
#include "snapshot/records.h"

/* Names of models that a line for people tells. */
#define NAMES_MAX 10

static int copy(char **out, const char *text, struct error *err)
{
	*out = text ? strdup(text) : NULL;
	return text && !*out ? error_nomem(err) : 0;
}

/* Records of others don't tell it: then they are what the branch holds, or on
 * a new one are called after where they come from. */
static int find_source(struct storing *s, const struct snapshot_info *from,
		       const char *label, const char *otherwise,
		       const char **source, struct error *err)
{
	*source = s->o->source ? s->o->source : from->source;
	if (!*source && !s->o->adopt) {
		if (storing_history(s, err) < 0)
			return -1;
		*source = s->history->source;
	}
	if (!*source)
		*source = otherwise;
	if (!*source || !**source || !storing_printable(*source))
		return error_set(err, ERROR_USAGE,
				 "%s does not tell what the database is "
				 "called; give a name with --source",
				 label);
	return 0;
}

/* What the document says of the run that made it, and what we add. */
static int fill_info(struct storing *s, const struct snapshot_info *from,
		     const char *source, const char *kind, struct error *err)
{
	const struct storing_options *o = s->o;
	struct snapshot_info *i = &s->info;
	int64_t now = clock_now();

	if (from->engine)
		kind = "records";
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
	    copy(&i->engine, from->engine, err) < 0 ||
	    copy(&i->schema_revision, from->schema_revision, err) < 0)
		return -1;
	return 0;
}

/* "app.Model, app.Other and 3 more" */
static int name_left_out(struct storing *s, struct error *err)
{
	const struct catalog *c = s->catalog;
	struct buffer names = BUFFER_INIT;

	for (size_t i = 0; i < c->left_out_count && i < NAMES_MAX; i++)
		buffer_printf(&names, "%s%s", i ? ", " : "",
			      c->left_out[i].name);
	if (c->left_out_count > NAMES_MAX)
		buffer_printf(&names, " and %zu more",
			      c->left_out_count - NAMES_MAX);
	if (!c->left_out_count)
		return 0;
	s->partial = buffer_detach(&names);
	return s->partial ? 0 : error_nomem(err);
}

static int put_rows(struct storing *s, struct incoming *in, const char *what,
		    struct sink *sink, struct error *err)
{
	struct storing_tick t = { 0 };
	int rc;

	s->catalog = incoming_catalog(in);
	storing_begin(s, &t, what);
	rc = incoming_put(in, s->o->allow_partial, sink, &t.base, &s->content,
			  err);
	s->catalog = incoming_catalog(in);
	storing_rows(s, &t, rc);
	return rc < 0 ? -1 : name_left_out(s, err);
}

int importing_put(struct storing *s, struct byte_input *from, const char *label,
		  const char *otherwise, const char *what, const char *kind,
		  struct error *err)
{
	struct incoming in = { 0 };
	struct snapshot_info told;
	struct sink *sink;
	char *source = NULL;
	const char *name;
	int rc = -1;

	if (incoming_open(&in, from, label, err) < 0)
		goto done;
	incoming_info(&in, &told);
	if (find_source(s, &told, label, otherwise, &name, err) < 0 ||
	    copy(&source, name, err) < 0 || /* the history's may go */
	    storing_allowed(s, source, err) < 0 ||
	    !(sink = gitstore_sink(s->store, err)) ||
	    put_rows(s, &in, what, sink, err) < 0)
		goto done;
	incoming_info(&in, &told);
	snapshot_info_release(&s->info);
	if (fill_info(s, &told, source, kind, err) < 0)
		goto done;
	storing_count(&s->info, s->catalog, &s->content);
	rc = storing_put(s, sink, err);
done:
	storing_forget(s); /* the catalog is the document's */
	incoming_release(&in);
	free(source);
	return rc;
}
