/* cmd_export.c - dbstow export: a snapshot of a database on the branch */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "cmd/cmd.h"
#include "cmd/output.h"
#include "cmd/snapshots.h"
#include "cmd/storing.h"
#include "database/database.h"
#include "export/cache.h"
#include "export/export.h"
#include "gitstore/gitstore.h"
#include "snapshot/catalog.h"
#include "snapshot/model_map.h"

struct export_options {
	struct storing_options storing;
	const char *db, *output, *format, *map, *app_commit;
	unsigned int timeout_s;
	int allow_empty, rescan;
};

/** What one run knows. */
struct run {
	struct cmd *cmd;
	const struct export_options *o;
	struct storing s;
	struct database *db;
	struct catalog *catalog;
	struct export_cache *cache; /* or NULL */
	char *fresh;                /* scratch folder for the next one */
	struct buffer identity;     /* of the file when its transaction began */
	int identified;             /* 1: and still the same at its end */
};

static int open_database(struct run *r, struct error *err)
{
	struct database_options open = {
		.busy_timeout_ms = (int)r->o->timeout_s * 1000,
		.scratch = r->o->storing.scratch,
		.allow_empty = r->o->allow_empty,
	};

	if (database_open(&r->db, r->o->db, &open, err) < 0 ||
	    database_begin(r->db, err) < 0)
		return -1;
	return 0;
}

/* ---- what the last run found ---- */

/* One cache a branch, as a branch has one source. */
static char *cache_path(struct run *r)
{
	const char *folder = gitstore_folder(r->s.store, NULL);
	struct buffer path = BUFFER_INIT;
	const char *branch = gitstore_branch(r->s.store);

	if (!folder)
		return NULL;
	buffer_printf(&path, "%s/cache-%016llx", folder,
		      (unsigned long long)hash_bytes64(branch, strlen(branch)));
	return buffer_detach(&path);
}

/* Without a cache the work is done, that is all. */
static void open_cache(struct run *r)
{
	struct buffer about = BUFFER_INIT;
	char *path = cache_path(r);

	buffer_printf(&about, DBSTOW_VERSION " %s", r->o->storing.source);
	if (path && buffer_cstr(&about))
		export_cache_open(&r->cache, path, about.data, r->o->rescan,
				  NULL);
	buffer_release(&about);
	free(path);
}

/* The database will be read: what is found goes into a new cache. */
static void begin_cache(struct run *r)
{
	const char *parent = gitstore_folder(r->s.store, NULL);
	char *path = NULL;

	if (!r->cache || !parent)
		return;
	/* swept with the store's own when a run was killed */
	if (scratch_make(&r->fresh, parent, "tmp", NULL) == 0)
		path = path_join(r->fresh, "new");
	if (path)
		export_cache_begin(r->cache, path, NULL);
	free(path);
}

static void identify(struct run *r)
{
	int settled;

	buffer_clear(&r->identity);
	if (database_identity(r->db, &r->identity, &settled) != 0)
		buffer_clear(&r->identity);
}

/* At the end of the transaction: does the file stand as it stood at its
 * beginning, and would a later write show? */
static void identify_again(struct run *r)
{
	struct buffer now = BUFFER_INIT;
	int settled;

	r->identified = r->identity.size &&
			database_identity(r->db, &now, &settled) == 0 &&
			settled && now.size == r->identity.size &&
			!memcmp(now.data, r->identity.data, now.size);
	buffer_release(&now);
}

static void save_cache(struct run *r)
{
	export_cache_save(r->cache, r->identified ? r->identity.data : NULL,
			  r->identity.size, &r->s.content);
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void fill_info(struct run *r)
{
	const struct storing_options *o = &r->o->storing;
	struct snapshot_info *i = &r->s.info;

	snapshot_info_release(i);
	i->created_at_s = clock_now();
	i->source = strdup(o->source);
	i->tool_version = strdup(DBSTOW_VERSION);
	i->name = copy(o->name);
	i->description = copy(o->description);
	i->kind = strdup(o->kind ? o->kind : "manual");
	i->app_commit = copy(r->o->app_commit);
	i->schema_revision = copy(r->catalog->schema_revision);
	i->page_size = r->catalog->page_size;
	i->auto_vacuum = r->catalog->auto_vacuum;
	i->wal = r->catalog->wal;
}

/** Scan everything into `s`; the database is let go of right after. */
static int scan(struct run *r, struct sink *s, struct error *err)
{
	struct storing_tick t = { .base = { .cache = r->cache } };
	int rc;

	storing_begin(&r->s, &t, "export");
	rc = export_data(r->db, r->catalog, s, &t.base, &r->s.content, err);
	storing_rows(&r->s, &t, rc);
	if (rc < 0)
		return -1;
	identify_again(r);
	database_close(r->db);
	r->db = NULL;
	storing_count(&r->s.info, r->catalog, &r->s.content);
	return 0;
}

/** Nobody wrote to the file since its content was found to be the newest
 *  snapshot's.  @return 0; 1: it has to be read; -1 */
static int without_reading(struct run *r, struct error *err)
{
	struct storing *s = &r->s;

	identify(r);
	if (s->o->adopt || !r->cache ||
	    !export_cache_content(r->cache, r->identity.data, r->identity.size,
				  &s->content))
		return 1;
	if (storing_history(s, err) < 0)
		return -1;
	if (!storing_is_stored(s))
		return 1;
	s->info.created_at_s = clock_now();
	s->info.source = strdup(s->o->source);
	if (!s->info.source)
		return error_nomem(err);
	s->unread = "the file was not written to since";
	return storing_found_again(s, err);
}

static int by_reading(struct run *r, struct error *err)
{
	struct sink *sink;

	r->s.unread = NULL;
	if (database_catalog(r->db, &r->catalog, err) < 0)
		return -1;
	r->s.catalog = r->catalog;
	fill_info(r);
	begin_cache(r);
	if (!(sink = gitstore_sink(r->s.store, err)) ||
	    scan(r, sink, err) < 0 || storing_put(&r->s, sink, err) < 0)
		return -1;
	save_cache(r);
	return 0;
}

static int snapshot_to_branch(struct run *r, struct error *err)
{
	int rc;

	if (storing_open(&r->s, err) < 0 ||
	    storing_allowed(&r->s, r->s.o->source, err) < 0 ||
	    open_database(r, err) < 0)
		return -1;
	open_cache(r);
	rc = without_reading(r, err);
	if (rc > 0)
		rc = by_reading(r, err);
	return rc < 0 ? -1 : storing_end(&r->s, err);
}

/* ---- --output: the document instead, no git ---- */

static void tell_document(const struct run *r)
{
	char tables[CMD_NUMBER_SIZE * 2], rows[CMD_NUMBER_SIZE * 2];
	uint64_t count = 0;

	for (size_t i = 0; i < r->catalog->table_count; i++)
		count += r->catalog->tables[i].rows;
	if (r->cmd->json && strcmp(r->o->output, "-") != 0)
		json_print(json_pack("{s:o, s:I, s:I}", "output",
				     json_text(r->o->output), "tables",
				     (json_int_t)r->s.info.tables, "rows",
				     (json_int_t)count));
	cmd_note(r->cmd, "%s: %s, %s written to %s", r->s.info.source,
		 cmd_count(tables, r->s.info.tables, "table"),
		 cmd_count(rows, count, "row"),
		 strcmp(r->o->output, "-") ? r->o->output : "standard output");
}

/* The list that Django's loaddata takes, instead of the document. */
struct dumpdata {
	struct output base;
	struct run *run;
	struct model_map *map;
	struct dumpdata_report report;
};

static int make_dumpdata(struct output *o,
			 int (*write)(void *payload, const void *data,
				      size_t size, struct error *err),
			 void *payload, struct error *err)
{
	struct dumpdata *d = (struct dumpdata *)o;

	return export_dumpdata(o->db, o->catalog, d->map, NULL, write, payload,
			       &d->report, err);
}

static void tell_dumpdata(const struct run *r, const struct dumpdata_report *d)
{
	char models[CMD_NUMBER_SIZE * 2], records[CMD_NUMBER_SIZE * 2];
	const char *output = r->o->output;

	for (size_t i = 0; i < d->left_out_count; i++)
		cmd_note(r->cmd,
			 "note: table '%s' was left out: it is no model that "
			 "django_content_type or --map tells",
			 d->left_out[i]);
	if (r->cmd->json && strcmp(output, "-") != 0) {
		json_t *left_out = json_array();

		for (size_t i = 0; i < d->left_out_count; i++)
			json_array_append_new(left_out,
					      json_text(d->left_out[i]));
		json_print(json_pack(
			"{s:o, s:I, s:I, s:o}", "output", json_text(output),
			"models", (json_int_t)d->models, "records",
			(json_int_t)d->records, "left_out", left_out));
	}
	cmd_note(r->cmd, "%s: %s, %s written to %s", r->s.info.source,
		 cmd_count(models, d->models, "model"),
		 cmd_count(records, d->records, "record"),
		 strcmp(output, "-") ? output : "standard output");
}

static int dumpdata(struct run *r, struct error *err)
{
	struct dumpdata d = { .base = { .make = make_dumpdata }, .run = r };
	int rc = -1;

	if (r->o->map && model_map_read(&d.map, r->o->map, err) < 0)
		return -1;
	if (output_check(r->o->output, r->o->db, err) == 0 &&
	    open_database(r, err) == 0 &&
	    database_catalog(r->db, &r->catalog, err) == 0) {
		fill_info(r);
		d.base.db = r->db;
		d.base.catalog = r->catalog;
		d.base.info = &r->s.info;
		rc = output_write(&d.base, r->o->output, err);
	}
	if (rc == 0)
		tell_dumpdata(r, &d.report);
	dumpdata_report_release(&d.report);
	model_map_free(d.map);
	return rc;
}

static int document(struct run *r, struct error *err)
{
	struct output o = { .info = &r->s.info };

	if (output_check(r->o->output, r->o->db, err) < 0 ||
	    open_database(r, err) < 0 ||
	    database_catalog(r->db, &r->catalog, err) < 0)
		return -1;
	fill_info(r);
	r->s.info.tables = storing_tables(r->catalog);
	o.db = r->db;
	o.catalog = r->catalog;
	if (output_write(&o, r->o->output, err) < 0)
		return -1;
	tell_document(r);
	return 0;
}

/* ---- the command ---- */

static void run_release(struct run *r)
{
	database_close(r->db);
	export_cache_free(r->cache);
	scratch_remove(r->fresh);
	free(r->fresh);
	buffer_release(&r->identity);
	storing_release(&r->s); /* its drill may be at work on the catalog */
	catalog_free(r->catalog);
}

static int is_dumpdata(const struct export_options *o)
{
	return o->format && !strcmp(o->format, "dumpdata");
}

static int check_format(const struct export_options *o, struct error *err)
{
	if (o->format && !is_dumpdata(o) && strcmp(o->format, "dbstow") != 0)
		return error_set(err, ERROR_USAGE,
				 "--format is dbstow or dumpdata, not '%s'",
				 o->format);
	if (o->format && !o->output)
		return error_set(err, ERROR_USAGE,
				 "--format is for what --output writes");
	if (o->map && !is_dumpdata(o))
		return error_set(err, ERROR_USAGE,
				 "--map is for --format dumpdata");
	return 0;
}

int cmd_export(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct export_options o = { .timeout_s = 30 };
	struct storing_options *s = &o.storing;
	struct run r = { .cmd = c, .o = &o, .s = { .cmd = c, .o = s } };
	const struct cmd_option options[] = {
		CMD_STORING_OPTIONS(c, s),
		{ .name = "kind",
		  .text = &s->kind,
		  .arg = "KIND",
		  .help = "manual (default), scheduled, or a word of yours" },
		{ .name = "source",
		  .text = &s->source,
		  .arg = "NAME",
		  .env = "DBSTOW_SOURCE",
		  .help = "what the database is called (default: its file "
			  "name)" },
		{ .name = "rescan",
		  .flag = &o.rescan,
		  .help = "read all of the database, changed or not" },
		{ .name = "timeout",
		  .number = &o.timeout_s,
		  .arg = "SECONDS",
		  .help = "wait for a locked database (default: 30)" },
		{ .name = "allow-empty",
		  .flag = &o.allow_empty,
		  .help = "take a zero-byte file for an empty database" },
		{ .name = "app-commit",
		  .text = &o.app_commit,
		  .arg = "ID",
		  .env = "GITHUB_SHA",
		  .help = "the application's commit, to record" },
		{ .name = "output",
		  .letter = 'o',
		  .text = &o.output,
		  .arg = "FILE|-",
		  .help = "write one JSON document instead; no git" },
		{ .name = "format",
		  .text = &o.format,
		  .arg = "FORMAT",
		  .help = "of --output: dbstow (default), or dumpdata for "
			  "Django's loaddata" },
		{ .name = "map",
		  .text = &o.map,
		  .arg = "FILE",
		  .help = "with --format dumpdata: names of models, tables and "
			  "fields that are not Django's" },
		{ .name = NULL },
	};
	int rc;

	rc = cmd_parse(c, options, argc, argv, &o.db, 0, 1, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (!o.db)
		o.db = getenv("DBSTOW_DB");
	if (!o.db)
		o.db = getenv("DATABASE_URL");
	if (!o.db || !*o.db)
		return error_set(err, ERROR_USAGE,
				 "no database given; usage: dbstow export DB, "
				 "or set DBSTOW_DB");
	if (cmd_database(o.db, &o.db, err) < 0 || storing_check(s, err) < 0)
		return -1;
	if (check_format(&o, err) < 0)
		return -1;
	if (s->push && o.output)
		return error_set(err, ERROR_USAGE,
				 "--output writes no snapshot that --push "
				 "could bring to a remote");
	if (!s->source)
		s->source = path_base(o.db);
	if (!storing_printable(s->source))
		return error_set(err, ERROR_USAGE,
				 "the file's name has control characters; give "
				 "a plain name with --source");
	if (!o.output)
		rc = snapshot_to_branch(&r, err);
	else
		rc = is_dumpdata(&o) ? dumpdata(&r, err) : document(&r, err);
	run_release(&r);
	return rc;
}
