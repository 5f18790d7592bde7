/* storing.c - a snapshot whose files are in the store comes onto the branch */

#include "cmd/storing.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "cmd/ahead.h"
#include "cmd/cmd.h"
#include "cmd/snapshots.h"
#include "cmd/sync.h"
#include "export/export.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest.h"
#include "snapshot/model_map.h"
#include "snapshot/records.h"

#define KEEP_MAX 1000000

/* ---- before work starts ---- */

int storing_printable(const char *name)
{
	for (; *name; name++) {
		if ((unsigned char)*name < 0x20 || *name == 0x7f)
			return 0;
	}
	return 1;
}

/* A slip costs nobody a fetch. */
static int check_schema_db(const struct storing_options *o, struct error *err)
{
	struct model_map *map = NULL;

	if (o->schema_db && !file_exists(o->schema_db))
		return error_set(err, ERROR_USAGE,
				 "there is no database '%s' for --schema-db; "
				 "let the application make it (migrate)",
				 o->schema_db);
	if (!o->map)
		return 0;
	if (!o->schema_db)
		return error_set(err, ERROR_USAGE,
				 "--map is for what --schema-db does");
	if (model_map_read(&map, o->map, err) < 0)
		return -1;
	model_map_free(map);
	return 0;
}

int storing_check(const struct storing_options *o, struct error *err)
{
	const struct {
		const char *option, *text;
	} texts[] = { { "name", o->name },
		      { "kind", o->kind },
		      { "source", o->source } };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!texts[i].text)
			continue;
		if (!*texts[i].text || !storing_printable(texts[i].text))
			return error_set(err, ERROR_USAGE,
					 "--%s must be one line of text",
					 texts[i].option);
	}
	if (o->set_policy && !o->keep)
		return error_set(err, ERROR_USAGE,
				 "--set-policy needs --keep N beside it");
	return check_schema_db(o, err);
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
static int find_keep(struct storing *s, struct error *err)
{
	char *text = NULL;
	int rc = 0;

	s->keep = s->o->keep;
	if (s->keep)
		return 0;
	if (gitstore_config(s->store, "dbstow.keep", &text, err) < 0)
		return -1;
	if (text && !(s->keep = parse_keep(text)))
		rc = gitstore_config_wrong(s->store, "dbstow.keep",
					   "a whole number from 1 to 1000000",
					   err);
	free(text);
	return rc;
}

int storing_open(struct storing *s, struct error *err)
{
	if (cmd_open_store(s->cmd, &s->store, err) < 0)
		return -1;
	return find_keep(s, err);
}

int storing_allowed(struct storing *s, const char *source, struct error *err)
{
	return gitstore_check(s->store, source, s->o->adopt, err);
}

/* ---- while rows come ---- */

static int tick(struct export_progress *p, const char *table, uint64_t rows)
{
	return cmd_progress_tick(&((struct storing_tick *)p)->shown, table,
				 rows);
}

static void stored(struct export_progress *p, size_t table,
		   const struct object_id *folder)
{
	ahead_stored(((struct storing_tick *)p)->ahead, table, folder);
}

void storing_begin(struct storing *s, struct storing_tick *t, const char *what)
{
	t->base.tick = tick;
	t->base.stored = stored;
	t->base.jobs = s->cmd->jobs;
	if (!s->o->no_drill && s->cmd->jobs != 1 && s->catalog)
		t->ahead = s->ahead = ahead_new(s->store, s->catalog,
						s->o->scratch, s->cmd->jobs);
	cmd_progress_begin(&t->shown, s->cmd, what, 0);
}

void storing_rows(struct storing *s, struct storing_tick *t, int rc)
{
	cmd_progress_end(&t->shown);
	if (rc == 0)
		ahead_all(s->ahead);
}

/* ---- totals ---- */

uint64_t storing_tables(const struct catalog *c)
{
	uint64_t count = 0;

	for (size_t i = 0; i < c->table_count; i++)
		count += c->tables[i].kind != TABLE_INTERNAL;
	return count;
}

void storing_count(struct snapshot_info *info, const struct catalog *c,
		   const struct object_id *content)
{
	info->tables = storing_tables(c);
	info->rows = info->bytes = 0;
	for (size_t i = 0; i < c->table_count; i++) {
		info->rows += c->tables[i].rows;
		info->bytes += c->tables[i].bytes;
	}
	info->content = *content;
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
static int describe_changes(const struct storing *s,
			    const struct catalog *before, struct buffer *out,
			    struct error *err)
{
	const struct catalog *now = s->catalog;

	for (size_t i = 0; before && i < now->table_count; i++) {
		const struct table *t = &now->tables[i];

		add_change(out, t, catalog_table(before, t->name));
	}
	for (size_t i = 0; before && i < before->table_count; i++) {
		const struct table *t = &before->tables[i];

		if (!catalog_table(now, t->name))
			buffer_printf(out, "%s: gone\n", t->name);
	}
	for (size_t i = 0; i < now->left_out_count; i++)
		buffer_printf(out, "%s: left out (%s)\n", now->left_out[i].name,
			      now->left_out[i].why);
	return buffer_failed(out) ? error_nomem(err) : 0;
}

/** The catalog of the newest snapshot; NULL where there is none to be read:
 *  an unreadable predecessor is no reason not to store this one. */
static struct catalog *newest_catalog(const struct storing *s)
{
	struct error quiet = ERROR_INIT;
	struct catalog *newest = NULL;
	struct source *from = NULL;

	if (s->history->count && !s->history->snapshots[0].absent &&
	    gitstore_source(s->store, &s->history->snapshots[0].id, &from,
			    &quiet) == 0)
		manifest_read(&newest, from, &quiet);
	source_free(from);
	return newest;
}

int storing_note_engine(struct storing *s, struct error *err)
{
	struct catalog *newest = newest_catalog(s);
	int rc = 0;

	if (newest && records_are(newest)) {
		s->info.engine = strdup(RECORDS_ENGINE);
		rc = s->info.engine ? 0 : error_nomem(err);
	}
	catalog_free(newest);
	return rc;
}

/** One branch, one kind: whoever restores its newest snapshot knows how. */
static int check_engine(const struct storing *s, const struct catalog *newest,
			struct error *err)
{
	static const char *const words[] = { "a database", "records" };
	int mine = records_are(s->catalog);

	if (!newest || records_are(newest) == mine)
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "the branch '%s' holds snapshots of %s, not of %s; "
			 "take another one with --branch NAME",
			 gitstore_branch(s->store), words[!mine], words[mine]);
}

static int equals_newest(const struct storing *s)
{
	const struct history *h = s->history;

	return h->count && !memcmp(&h->snapshots[0].content, &s->content,
				   sizeof(s->content));
}

/** Whoever changes a snapshot by hand leaves its message as it was: then its
 *  files are not what the message says.  What cannot be read is not judged. */
static int holds_what_it_says(const struct storing *s)
{
	const struct snapshot *newest = &s->history->snapshots[0];
	struct source_names names = { 0 };
	struct source *files = NULL;
	int holds = 1;

	if (gitstore_source(s->store, &newest->id, &files, NULL) == 0 &&
	    files->list(files, "", &names, NULL) == 0) {
		for (size_t i = 0; i < names.count; i++)
			if (!strcmp(names.names[i].name, "data") &&
			    names.names[i].known)
				holds = !memcmp(&names.names[i].id,
						&newest->content,
						sizeof(newest->content));
	}
	source_names_release(&names);
	source_free(files);
	return holds;
}

/* ---- onto the branch ---- */

static int commit(struct storing *s, const struct object_id *root,
		  const char *changes, struct error *err)
{
	const struct storing_options *o = s->o;
	struct gitstore_snapshot snap = {
		.content = s->content,
		.created_at_s = s->info.created_at_s,
		.source = s->info.source,
		.name = s->info.name,
		.kind = s->info.kind,
		.description = s->info.description,
		.schema_revision = s->info.schema_revision,
		.drill = s->drill,
		.partial = s->partial,
		.changes = changes,
		.tables = s->info.tables,
		.rows = s->info.rows,
		.bytes = s->info.bytes,
		.keep = s->keep,
		.set_policy = o->set_policy,
		.always = o->always || o->name || o->description ||
			  (equals_newest(s) && !holds_what_it_says(s)),
		.adopt = o->adopt,
	};

	if (root)
		snap.tree = *root;
	return gitstore_commit(s->store, &snap, &s->result, err);
}

/** The content is new (or has to be stored anyway): prove it, then show it. */
static int store(struct storing *s, struct sink *sink, struct error *err)
{
	struct catalog *newest = newest_catalog(s);
	struct buffer changes = BUFFER_INIT;
	struct object_id root;
	int rc = -1;

	if (check_engine(s, newest, err) < 0 ||
	    describe_changes(s, newest, &changes, err) < 0)
		goto done;
	if (export_root(&s->info, s->catalog, &s->content, sink, &root, err) <
		    0 ||
	    gitstore_publish(s->store, err) < 0)
		goto done;
	if (s->o->no_drill)
		snprintf(s->drill, sizeof(s->drill),
			 "none (skipped with --no-drill)");
	else if (storing_drill(s, &root, err) < 0)
		goto done;
	if (cmd_interrupted()) {
		error_set(err, ERROR_INTERRUPTED,
			  "interrupted; the branch is as it was");
		goto done;
	}
	rc = commit(s, &root, buffer_cstr(&changes), err);
done:
	catalog_free(newest);
	buffer_release(&changes);
	return rc;
}

int storing_history(struct storing *s, struct error *err)
{
	char *note = NULL;

	history_free(s->history);
	s->history = NULL;
	if (gitstore_history(s->store, 0, &s->history, &note, err) < 0)
		return -1;
	if (note)
		cmd_note(s->cmd, "note: %s", note);
	free(note);
	return 0;
}

/** As good a drill as there can be? */
static int is_proven(const char *drill)
{
	return drill &&
	       (!strcmp(drill, "ok") || !strcmp(drill, GITSTORE_NO_SCHEMA));
}

/** Has the newest one had the drill that is asked for? */
static int has_drill(const struct storing *s)
{
	const char *drill = s->history->snapshots[0].drill;

	if (s->o->no_drill)
		return 1;
	return s->o->schema_db ? drill && !strcmp(drill, "ok")
			       : is_proven(drill);
}

int storing_is_stored(const struct storing *s)
{
	const struct storing_options *o = s->o;

	return equals_newest(s) && !o->always && !o->name && !o->description &&
	       has_drill(s) && holds_what_it_says(s);
}

int storing_found_again(struct storing *s, struct error *err)
{
	static const struct object_id none;
	const struct snapshot *newest = &s->history->snapshots[0];

	snprintf(s->drill, sizeof(s->drill), "%s",
		 newest->drill ? newest->drill : "none (not recorded)");
	s->drilled = !strcmp(s->drill, "ok");
	s->info.tables = newest->tables;
	s->info.rows = newest->rows;
	s->info.bytes = newest->bytes;
	if (commit(s, NULL, NULL, err) < 0)
		return -1;
	return !memcmp(&s->result.id, &none, sizeof(none));
}

int storing_put(struct storing *s, struct sink *sink, struct error *err)
{
	struct error foreign = ERROR_INIT;
	int rc = 1;

	/* Taken now, not before the scan: others may have stored meanwhile.
	 * What is to be adopted has none that could be read. */
	if (storing_history(s, s->o->adopt ? &foreign : err) < 0 &&
	    !s->o->adopt)
		return -1;
	if (!s->history && !(s->history = calloc(1, sizeof(*s->history))))
		return error_nomem(err);
	if (storing_is_stored(s))
		rc = storing_found_again(s, err);
	return rc > 0 ? store(s, sink, err) : rc;
}

/* ---- telling ---- */

static void tell(const struct storing *s, json_t *remotes)
{
	const struct gitstore_result *res = &s->result;
	char id[OBJECT_HEX_SIZE], content[OBJECT_HEX_SIZE];
	char tables[CMD_NUMBER_SIZE * 2], rows[CMD_NUMBER_SIZE * 2];
	char bytes[CMD_NUMBER_SIZE];

	object_hex(id, &res->id);
	object_hex(content, &s->content);
	if (s->cmd->json || s->cmd->report) {
		json_t *o = json_pack(
			"{s:s, s:s, s:b, s:b, s:s, s:o, s:I, s:I, s:I, s:I, "
			"s:I}",
			"snapshot", id, "content", content, "changed",
			!res->unchanged, "read", !s->unread, "drill", s->drill,
			"partial", json_text(s->partial), "tables",
			(json_int_t)s->info.tables, "rows",
			(json_int_t)s->info.rows, "bytes",
			(json_int_t)s->info.bytes, "retained",
			(json_int_t)res->retained, "dropped",
			(json_int_t)res->dropped);

		if (remotes)
			json_object_set(o, "remotes", remotes);
		if (s->cmd->report)
			*s->cmd->report = o;
		else
			json_print(o);
	} else {
		puts(id);
		fflush(stdout);
	}
	cmd_note(s->cmd, "%s: %s, %s, %s of JSON", s->info.source,
		 cmd_count(tables, s->info.tables,
			   s->info.engine ? "model" : "table"),
		 cmd_count(rows, s->info.rows,
			   s->info.engine ? "record" : "row"),
		 cmd_bytes(bytes, s->info.bytes));
	if (res->unchanged)
		cmd_note(s->cmd,
			 "unchanged: snapshot %.8s holds the same content%s%s",
			 id, s->unread ? "; " : "", s->unread ? s->unread : "");
	else
		cmd_note(s->cmd,
			 "stored as snapshot %.8s (%s); %zu on the branch%s",
			 id,
			 s->drilled ? "restorable: restored once and equal"
			 : is_proven(s->drill)
				 ? "intact: read back and equal; there is no "
				   "schema to restore into"
				 : "not proven",
			 res->retained,
			 res->dropped ? ", retention dropped older ones" : "");
}

/** What is stored is stored: a remote that fails is a status. */
static int push(struct storing *s, json_t *remotes, struct error *err)
{
	const struct sync_request q = { .direction = SYNC_PUSH,
					.allow_public = s->o->allow_public,
					.beside = 1 };
	const char *what = s->o->push;

	return sync_run(s->cmd, s->store, &q, &what, *what != 0,
			s->cmd->json ? &remotes : NULL, err);
}

/** With --json all is told at once, else what is stored before it is sent. */
static int tell_and_push(struct storing *s, struct error *err)
{
	json_t *remotes = s->o->push && s->cmd->json ? json_array() : NULL;
	int status = 0;

	if (!remotes)
		tell(s, NULL);
	if (s->o->push)
		status = push(s, remotes, err);
	if (remotes && status >= 0)
		tell(s, remotes);
	json_decref(remotes);
	return status;
}

int storing_end(struct storing *s, struct error *err)
{
	int status = tell_and_push(s, err);

	if (s->partial) {
		cmd_warn("stored, but partial: the application left out %s",
			 s->partial);
		status = status ? status : EXIT_ATTENTION;
	}
	if (!is_proven(s->drill) && !s->o->no_drill) {
		cmd_warn("stored, but not proven restorable: drill %s",
			 s->drill);
		status = status ? status : EXIT_ATTENTION;
	}
	return status;
}

void storing_forget(struct storing *s)
{
	ahead_free(s->ahead);
	s->ahead = NULL;
	s->catalog = NULL;
}

void storing_release(struct storing *s)
{
	storing_forget(s);
	history_free(s->history);
	gitstore_free(s->store);
	snapshot_info_release(&s->info);
	free(s->partial);
}
