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
#include "cmd/ahead.h"
#include "cmd/cmd.h"
#include "cmd/output.h"
#include "cmd/proof.h"
#include "cmd/snapshots.h"
#include "cmd/sync.h"
#include "database/database.h"
#include "export/cache.h"
#include "export/export.h"
#include "gitstore/gitstore.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest.h"

#define KEEP_MAX 1000000

struct export_options {
	const char *db, *name, *description, *kind, *source, *scratch, *output;
	const char *app_commit;
	const char *push; /* NULL: not; "": where the configuration says */
	unsigned int keep, timeout_s;
	int always, adopt, no_drill, allow_empty, set_policy, rescan;
	int allow_public;
};

/** What one run knows. */
struct run {
	struct cmd *cmd;
	const struct export_options *o;
	struct gitstore *store;
	struct history *history;
	struct database *db;
	struct catalog *catalog;
	struct snapshot_info info;
	struct object_id content;
	struct export_cache *cache; /* or NULL */
	char *fresh;                /* scratch folder for the next one */
	struct buffer identity;     /* of the file when its transaction began */
	int identified;             /* 1: and still the same at its end */
	int not_read;               /* 1: nobody wrote to the file */
	unsigned int keep;          /* 0: as the branch says */
	struct ahead *ahead;        /* a drill at work, or NULL */
	char drill[512];
	int drilled; /* 1: proven */
};

struct tick {
	struct export_progress base;
	struct cmd_progress shown;
	struct ahead *ahead;
};

static int tick(struct export_progress *p, const char *table, uint64_t rows)
{
	return cmd_progress_tick(&((struct tick *)p)->shown, table, rows);
}

static void stored(struct export_progress *p, size_t table,
		   const struct object_id *folder)
{
	ahead_stored(((struct tick *)p)->ahead, table, folder);
}

static int name_is_printable(const char *name)
{
	for (; *name; name++) {
		if ((unsigned char)*name < 0x20 || *name == 0x7f)
			return 0;
	}
	return 1;
}

static int check_texts(const struct export_options *o, struct error *err)
{
	const struct {
		const char *option, *text;
	} texts[] = { { "name", o->name },
		      { "kind", o->kind },
		      { "source", o->source } };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!texts[i].text)
			continue;
		if (!*texts[i].text || !name_is_printable(texts[i].text))
			return error_set(err, ERROR_USAGE,
					 "--%s must be one line of text",
					 texts[i].option);
	}
	return 0;
}

static int open_database(struct run *r, struct error *err)
{
	struct database_options open = {
		.busy_timeout_ms = (int)r->o->timeout_s * 1000,
		.scratch = r->o->scratch,
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
	const char *folder = gitstore_folder(r->store, NULL);
	struct buffer path = BUFFER_INIT;
	const char *branch = gitstore_branch(r->store);

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

	buffer_printf(&about, DBSTOW_VERSION " %s", r->o->source);
	if (path && buffer_cstr(&about))
		export_cache_open(&r->cache, path, about.data, r->o->rescan,
				  NULL);
	buffer_release(&about);
	free(path);
}

/* The database will be read: what is found goes into a new cache. */
static void begin_cache(struct run *r)
{
	const char *parent = gitstore_folder(r->store, NULL);
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
			  r->identity.size, &r->content);
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void fill_info(struct run *r)
{
	struct snapshot_info *i = &r->info;
	const struct export_options *o = r->o;

	snapshot_info_release(i);
	i->created_at_s = clock_now();
	i->source = strdup(o->source);
	i->tool_version = strdup(DBSTOW_VERSION);
	i->name = copy(o->name);
	i->description = copy(o->description);
	i->kind = strdup(o->kind ? o->kind : "manual");
	i->app_commit = copy(o->app_commit);
	i->schema_revision = copy(r->catalog->schema_revision);
	i->page_size = r->catalog->page_size;
	i->auto_vacuum = r->catalog->auto_vacuum;
	i->wal = r->catalog->wal;
}

static uint64_t count_tables(const struct catalog *c)
{
	uint64_t count = 0;

	for (size_t i = 0; i < c->table_count; i++)
		count += c->tables[i].kind != TABLE_INTERNAL;
	return count;
}

static void count_totals(struct run *r)
{
	struct snapshot_info *i = &r->info;

	i->tables = count_tables(r->catalog);
	i->rows = i->bytes = 0;
	for (size_t k = 0; k < r->catalog->table_count; k++) {
		i->rows += r->catalog->tables[k].rows;
		i->bytes += r->catalog->tables[k].bytes;
	}
	i->content = r->content;
}

/** Scan everything into `s`; the database is let go of right after. */
static int scan(struct run *r, struct sink *s, struct error *err)
{
	struct tick t = { .base = { .tick = tick,
				    .stored = stored,
				    .jobs = r->cmd->jobs,
				    .cache = r->cache } };
	int rc;

	if (!r->o->no_drill && r->cmd->jobs != 1)
		t.ahead = r->ahead =
			ahead_new(r->store, r->catalog, r->o->scratch);

	cmd_progress_begin(&t.shown, r->cmd, "export", 0);
	rc = export_data(r->db, r->catalog, s, &t.base, &r->content, err);
	cmd_progress_end(&t.shown);
	if (rc < 0)
		return -1;
	ahead_all(r->ahead);
	identify_again(r);
	database_close(r->db);
	r->db = NULL;
	count_totals(r);
	return 0;
}

static int equals_newest(const struct run *r)
{
	const struct history *h = r->history;

	return h->count && !memcmp(&h->snapshots[0].content, &r->content,
				   sizeof(r->content));
}

/* ---- the drill ---- */

static int drill_without_whole_proof(struct run *r, const struct error *why)
{
	snprintf(r->drill, sizeof(r->drill), "none (%.480s)", why->message);
	return 0;
}

/** @param built  the database lies in the folder already */
static int drill_in(struct run *r, const char *folder, int built,
		    struct source *s, struct error *err)
{
	struct proof_options o = { .built = built,
				   .what = "drill",
				   .scratch = folder };
	struct error missing = ERROR_INIT, further = ERROR_INIT;
	struct proof p = { 0 };
	struct catalog *c = NULL;
	struct object_id content;
	char *path = path_join(folder, DRILL_DB);
	int rc = -1;

	if (!path) {
		error_nomem(err);
		goto done;
	}
	if (proof_open(s, &c, &content, err) < 0)
		goto done;
	rc = proof_build(r->cmd, s, c, &r->content, path, &o, &p, &missing);
	if (rc < 0 && missing.code == ERROR_STANDIN) {
		o.stand_ins = 1;
		o.built = 0;
		rc = proof_build(r->cmd, s, c, &r->content, path, &o, &p,
				 &further);
		if (rc < 0 && further.code != ERROR_STANDIN)
			error_set(err, further.code, "drill: %s",
				  further.message);
		else
			rc = drill_without_whole_proof(r, &missing);
	} else if (rc < 0 && missing.code == ERROR_NOSPACE) {
		rc = drill_without_whole_proof(r, &missing);
	} else if (rc < 0) {
		error_set(err, missing.code,
			  missing.code == ERROR_DAMAGE
				  ? "drill: %s; nothing was stored"
				  : "%s",
			  missing.message);
	} else {
		snprintf(r->drill, sizeof(r->drill), "ok");
		r->drilled = 1;
		proof_note_orphans(r->cmd, &p.check);
	}
	if (rc == 0)
		unlink(path);
done:
	catalog_free(c);
	proof_release(&p);
	free(path);
	return rc;
}

static int drill_from_start(struct run *r, struct source *s, struct error *err)
{
	const char *parent = r->o->scratch;
	char *folder = NULL;
	int rc = -1;

	if (!parent && !(parent = gitstore_folder(r->store, err)))
		return -1;
	scratch_sweep(parent, "drill");
	if (scratch_make(&folder, parent, "drill", err) < 0)
		return -1;
	rc = drill_in(r, folder, 0, s, err);
	scratch_remove(folder);
	free(folder);
	return rc;
}

static void forget_ahead(struct run *r)
{
	ahead_free(r->ahead);
	r->ahead = NULL;
}

static int drill(struct run *r, const struct object_id *root, struct error *err)
{
	const char *folder = NULL;
	struct source *s = NULL;
	int rc;

	if (gitstore_tree_source(r->store, root, &s, err) < 0)
		return -1;
	if (r->ahead)
		folder = ahead_end(r->ahead, s, &r->content);
	if (folder) {
		rc = drill_in(r, folder, 1, s, err);
		forget_ahead(r);
	} else {
		forget_ahead(r);
		rc = drill_from_start(r, s, err);
	}
	source_free(s);
	return rc;
}

/* ---- what changed, for the commit's message ---- */

static void add_change(struct buffer *out, const struct table *now,
		       const struct table *before)
{
	char rows[CMD_NUMBER_SIZE * 2];
	long long by;

	if (before && before->rows == now->rows &&
	    !memcmp(before->sha256, now->sha256, 32))
		return;
	if (now->kind == TABLE_INTERNAL)
		return;
	buffer_printf(out, "%s: %s", now->name,
		      cmd_count(rows, now->rows, "row"));
	by = (long long)(now->rows - (before ? before->rows : 0));
	if (!before)
		buffer_str(out, " (new)\n");
	else if (by)
		buffer_printf(out, " (%+lld)\n", by);
	else
		buffer_str(out, " (changed)\n");
}

/** Lines like "users: 1,204 rows (+3)"; empty for a first snapshot. */
static int describe_changes(struct run *r, struct buffer *out,
			    struct error *err)
{
	struct error quiet = ERROR_INIT;
	struct catalog *before = NULL;
	struct source *s = NULL;

	if (!r->history->count || r->history->snapshots[0].absent)
		return 0;
	/* An unreadable predecessor is no reason not to store this one. */
	if (gitstore_source(r->store, &r->history->snapshots[0].id, &s,
			    &quiet) < 0 ||
	    manifest_read(&before, s, &quiet) < 0)
		goto done;
	for (size_t i = 0; i < r->catalog->table_count; i++) {
		const struct table *t = &r->catalog->tables[i];

		add_change(out, t, catalog_table(before, t->name));
	}
	for (size_t i = 0; i < before->table_count; i++) {
		const struct table *t = &before->tables[i];

		if (!catalog_table(r->catalog, t->name))
			buffer_printf(out, "%s: gone\n", t->name);
	}
done:
	catalog_free(before);
	source_free(s);
	return buffer_failed(out) ? error_nomem(err) : 0;
}

/* ---- telling ---- */

static void tell(const struct run *r, const struct gitstore_result *res,
		 json_t *remotes)
{
	char id[OBJECT_HEX_SIZE], content[OBJECT_HEX_SIZE];
	char tables[CMD_NUMBER_SIZE * 2], rows[CMD_NUMBER_SIZE * 2];
	char bytes[CMD_NUMBER_SIZE];

	object_hex(id, &res->id);
	object_hex(content, &r->content);
	if (r->cmd->json) {
		json_t *o = json_pack(
			"{s:s, s:s, s:b, s:b, s:s, s:I, s:I, s:I, s:I, s:I}",
			"snapshot", id, "content", content, "changed",
			!res->unchanged, "read", !r->not_read, "drill",
			r->drill, "tables", (json_int_t)r->info.tables, "rows",
			(json_int_t)r->info.rows, "bytes",
			(json_int_t)r->info.bytes, "retained",
			(json_int_t)res->retained, "dropped",
			(json_int_t)res->dropped);

		if (remotes)
			json_object_set(o, "remotes", remotes);
		json_print(o);
	} else {
		puts(id);
		fflush(stdout);
	}
	cmd_note(r->cmd, "%s: %s, %s, %s of JSON", r->info.source,
		 cmd_count(tables, r->info.tables, "table"),
		 cmd_count(rows, r->info.rows, "row"),
		 cmd_bytes(bytes, r->info.bytes));
	if (res->unchanged)
		cmd_note(r->cmd,
			 "unchanged: snapshot %.8s holds the same content%s",
			 id,
			 r->not_read ? "; the file was not written to since"
				     : "");
	else
		cmd_note(r->cmd,
			 "stored as snapshot %.8s (%s); %zu on the branch%s",
			 id,
			 r->drilled ? "restorable: restored once and equal"
				    : "not proven",
			 res->retained,
			 res->dropped ? ", retention dropped older ones" : "");
}

/** "30" -> 30; 0 when it is no whole number from 1 to KEEP_MAX. */
static unsigned int parse_keep(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long n;

	if (!digits || digits > 9 || text[digits])
		return 0;
	n = strtoul(text, NULL, 10);
	return n <= KEEP_MAX ? (unsigned int)n : 0;
}

/** How many snapshots to keep; known before any work is done, so that a slip in
 *  the configuration costs nobody a scan. */
static int keep(struct run *r, struct error *err)
{
	char *text = NULL;
	int rc = 0;

	r->keep = r->o->keep;
	if (r->keep)
		return 0;
	if (gitstore_config(r->store, "dbstow.keep", &text, err) < 0)
		return -1;
	if (text && !(r->keep = parse_keep(text)))
		rc = gitstore_config_wrong(r->store, "dbstow.keep",
					   "a whole number from 1 to 1000000",
					   err);
	free(text);
	return rc;
}

static int commit(struct run *r, const struct object_id *root,
		  const char *changes, struct gitstore_result *res,
		  struct error *err)
{
	struct gitstore_snapshot s = {
		.content = r->content,
		.created_at_s = r->info.created_at_s,
		.source = r->info.source,
		.name = r->info.name,
		.kind = r->info.kind,
		.description = r->info.description,
		.schema_revision = r->info.schema_revision,
		.drill = r->drill,
		.changes = changes,
		.tables = r->info.tables,
		.rows = r->info.rows,
		.bytes = r->info.bytes,
		.keep = r->keep,
		.set_policy = r->o->set_policy,
		.always = r->o->always || r->o->name || r->o->description,
		.adopt = r->o->adopt,
	};

	if (root)
		s.tree = *root;
	return gitstore_commit(r->store, &s, res, err);
}

/** The content is new (or has to be stored anyway): prove it, then show it. */
static int store(struct run *r, struct sink *s, struct gitstore_result *res,
		 struct error *err)
{
	struct buffer changes = BUFFER_INIT;
	struct object_id root;
	int rc = -1;

	if (export_root(&r->info, r->catalog, &r->content, s, &root, err) < 0 ||
	    gitstore_publish(r->store, err) < 0)
		goto done;
	if (r->o->no_drill)
		snprintf(r->drill, sizeof(r->drill),
			 "none (skipped with --no-drill)");
	else if (drill(r, &root, err) < 0)
		goto done;
	if (cmd_interrupted()) {
		error_set(err, ERROR_INTERRUPTED,
			  "interrupted; the branch is as it was");
		goto done;
	}
	if (describe_changes(r, &changes, err) < 0)
		goto done;
	rc = commit(r, &root, buffer_cstr(&changes), res, err);
done:
	buffer_release(&changes);
	return rc;
}

static int read_history(struct run *r, struct error *err)
{
	char *note = NULL;

	history_free(r->history);
	r->history = NULL;
	if (gitstore_history(r->store, 0, &r->history, &note, err) < 0)
		return -1;
	if (note)
		cmd_note(r->cmd, "note: %s", note);
	free(note);
	return 0;
}

/* Is the content the newest snapshot's, and nothing left to do about it? */
static int is_stored(const struct run *r)
{
	const struct export_options *o = r->o;

	return equals_newest(r) && !o->always && !o->name && !o->description &&
	       (o->no_drill || (r->history->snapshots[0].drill &&
				!strcmp(r->history->snapshots[0].drill, "ok")));
}

/** Note on the branch that the content was found again.
 *  @return 0; 1: the branch has another newest snapshot by now; -1 */
static int note_unchanged(struct run *r, struct gitstore_result *res,
			  struct error *err)
{
	static const struct object_id none;
	const struct snapshot *newest = &r->history->snapshots[0];

	snprintf(r->drill, sizeof(r->drill), "%s",
		 newest->drill ? newest->drill : "none (not recorded)");
	r->drilled = !strcmp(r->drill, "ok");
	r->info.tables = newest->tables;
	r->info.rows = newest->rows;
	r->info.bytes = newest->bytes;
	if (commit(r, NULL, NULL, res, err) < 0)
		return -1;
	return !memcmp(&res->id, &none, sizeof(none));
}

/** Nobody wrote to the file since its content was found to be the newest
 *  snapshot's.  @return 0; 1: it has to be read; -1 */
static int without_reading(struct run *r, struct gitstore_result *res,
			   struct error *err)
{
	identify(r);
	if (r->o->adopt || !r->cache ||
	    !export_cache_content(r->cache, r->identity.data, r->identity.size,
				  &r->content))
		return 1;
	if (read_history(r, err) < 0)
		return -1;
	if (!is_stored(r))
		return 1;
	r->info.created_at_s = clock_now();
	r->info.source = strdup(r->o->source);
	if (!r->info.source)
		return error_nomem(err);
	r->not_read = 1;
	return note_unchanged(r, res, err);
}

static int by_reading(struct run *r, struct gitstore_result *res,
		      struct error *err)
{
	struct sink *s;
	int rc = 1;

	r->not_read = 0;
	if (database_catalog(r->db, &r->catalog, err) < 0)
		return -1;
	fill_info(r);
	begin_cache(r);
	if (!(s = gitstore_sink(r->store, err)) || scan(r, s, err) < 0)
		return -1;

	/* Taken now, not before the scan: others may have stored meanwhile. */
	if (!r->o->adopt && read_history(r, err) < 0)
		return -1;
	if (!r->history && !(r->history = calloc(1, sizeof(*r->history))))
		return error_nomem(err);
	if (is_stored(r))
		rc = note_unchanged(r, res, err);
	if (rc > 0)
		rc = store(r, s, res, err);
	if (rc == 0)
		save_cache(r);
	return rc;
}

/** What is stored is stored: a remote that fails is a status. */
static int push(struct run *r, json_t *remotes, struct error *err)
{
	const struct sync_request q = { .direction = SYNC_PUSH,
					.allow_public = r->o->allow_public,
					.beside = 1 };
	const char *what = r->o->push;

	return sync_run(r->cmd, r->store, &q, &what, *what != 0,
			r->cmd->json ? &remotes : NULL, err);
}

/** With --json all is told at once, else what is stored before it is sent. */
static int tell_and_push(struct run *r, const struct gitstore_result *res,
			 struct error *err)
{
	json_t *remotes = r->o->push && r->cmd->json ? json_array() : NULL;
	int status = 0;

	if (!remotes)
		tell(r, res, NULL);
	if (r->o->push)
		status = push(r, remotes, err);
	if (remotes && status >= 0)
		tell(r, res, remotes);
	json_decref(remotes);
	return status;
}

static int snapshot_to_branch(struct run *r, struct error *err)
{
	const struct export_options *o = r->o;
	struct gitstore_result res = { 0 };
	int rc, status;

	if (cmd_open_store(r->cmd, &r->store, err) < 0 || keep(r, err) < 0 ||
	    gitstore_check(r->store, o->source, o->adopt, err) < 0 ||
	    open_database(r, err) < 0)
		return -1;
	open_cache(r);
	rc = without_reading(r, &res, err);
	if (rc > 0)
		rc = by_reading(r, &res, err);
	if (rc < 0)
		return -1;
	status = tell_and_push(r, &res, err);
	if (!r->drilled && !o->no_drill) {
		cmd_warn("stored, but not proven restorable: drill %s",
			 r->drill);
		status = status ? status : EXIT_ATTENTION;
	}
	return status;
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
				     (json_int_t)r->info.tables, "rows",
				     (json_int_t)count));
	cmd_note(r->cmd, "%s: %s, %s written to %s", r->info.source,
		 cmd_count(tables, r->info.tables, "table"),
		 cmd_count(rows, count, "row"),
		 strcmp(r->o->output, "-") ? r->o->output : "standard output");
}

static int document(struct run *r, struct error *err)
{
	struct output o = { NULL, NULL, &r->info };

	if (output_check(r->o->output, r->o->db, err) < 0 ||
	    open_database(r, err) < 0 ||
	    database_catalog(r->db, &r->catalog, err) < 0)
		return -1;
	fill_info(r);
	r->info.tables = count_tables(r->catalog);
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
	forget_ahead(r);
	database_close(r->db);
	export_cache_free(r->cache);
	scratch_remove(r->fresh);
	free(r->fresh);
	buffer_release(&r->identity);
	history_free(r->history);
	gitstore_free(r->store);
	catalog_free(r->catalog);
	snapshot_info_release(&r->info);
}

int cmd_export(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct export_options o = { .timeout_s = 30 };
	struct run r = { .cmd = c, .o = &o };
	const struct cmd_option options[] = {
		{ .name = "name",
		  .text = &o.name,
		  .arg = "NAME",
		  .help = "name the snapshot; stored even if nothing changed" },
		{ .name = "message",
		  .letter = 'm',
		  .text = &o.description,
		  .arg = "TEXT",
		  .help = "describe it; stored even if nothing changed" },
		{ .name = "kind",
		  .text = &o.kind,
		  .arg = "KIND",
		  .help = "manual (default), scheduled, or a word of yours" },
		{ .name = "source",
		  .text = &o.source,
		  .arg = "NAME",
		  .env = "DBSTOW_SOURCE",
		  .help = "what the database is called (default: its file "
			  "name)" },
		{ .name = "keep",
		  .number = &o.keep,
		  .arg = "N",
		  .env = "DBSTOW_KEEP",
		  .help = "snapshots to keep (default: as before, or 8)" },
		{ .name = "set-policy",
		  .flag = &o.set_policy,
		  .help = "--keep is meant for every copy of the branch, also "
			  "for those that keep more" },
		{ .name = "always",
		  .flag = &o.always,
		  .help = "store a snapshot even if nothing changed" },
		{ .name = "adopt",
		  .flag = &o.adopt,
		  .help = "a branch that is not dbstow's: rename it to "
			  "BRANCH-before-dbstow" },
		{ .name = "no-drill",
		  .flag = &o.no_drill,
		  .help = "do not prove that the snapshot restores" },
		{ .name = "rescan",
		  .flag = &o.rescan,
		  .help = "read all of the database, changed or not" },
		{ .name = "scratch",
		  .text = &o.scratch,
		  .arg = "DIR",
		  .env = "DBSTOW_SCRATCH",
		  .help = "folder for the drill's database" },
		{ .name = "jobs",
		  .number = &c->jobs,
		  .arg = "N",
		  .env = "DBSTOW_JOBS",
		  .help = "threads (default: one a processor, at most 16)" },
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
		{ .name = "push",
		  .text = &o.push,
		  .arg = "REMOTE",
		  .otherwise = "",
		  .help = "then bring the branch to git remotes (dbstow sync "
			  "--push)" },
		{ .name = "allow-public",
		  .flag = &o.allow_public,
		  .help = "push also where the whole world can read it" },
		CMD_ACCESS_OPTIONS(c),
		{ .name = "output",
		  .letter = 'o',
		  .text = &o.output,
		  .arg = "FILE|-",
		  .help = "write one JSON document instead; no git" },
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
	if (cmd_database(o.db, &o.db, err) < 0 || check_texts(&o, err) < 0)
		return -1;
	if (o.push && o.output)
		return error_set(err, ERROR_USAGE,
				 "--output writes no snapshot that --push "
				 "could bring to a remote");
	if (o.set_policy && !o.keep)
		return error_set(err, ERROR_USAGE,
				 "--set-policy needs --keep N beside it");
	if (!o.source)
		o.source = path_base(o.db);
	if (!name_is_printable(o.source))
		return error_set(err, ERROR_USAGE,
				 "the file's name has control characters; give "
				 "a plain name with --source");
	rc = o.output ? document(&r, err) : snapshot_to_branch(&r, err);
	run_release(&r);
	return rc;
}
