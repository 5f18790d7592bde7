/* cmd_status.c - dbstow status: is there a fresh, proven copy? */

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "cmd/cmd.h"
#include "cmd/snapshots.h"
#include "cmd/sync.h"
#include "gitstore/gitstore.h"
#include "gitstore/sync.h"
#include "snapshot/text.h"

struct status {
	const struct cmd *cmd;
	struct snapshot_choice branch; /* here, or there with --remote */
	struct gitstore *store;        /* borrowed from it */
	struct history *history;
	int64_t now_s;
	int64_t max_age_s; /* 0: any age will do */
	json_t *attention; /* what is wrong, in words */
	struct sync_states remotes;
};

static const struct snapshot *newest(const struct status *s)
{
	return s->history->count ? &s->history->snapshots[0] : NULL;
}

static int is_proven(const struct snapshot *s)
{
	return s->drill && !strcmp(s->drill, "ok");
}

static const struct snapshot *newest_proven(const struct status *s)
{
	for (size_t i = 0; i < s->history->count; i++) {
		if (is_proven(&s->history->snapshots[i]))
			return &s->history->snapshots[i];
	}
	return NULL;
}

/* When the database was last seen to be as `snapshot` holds it: a run that
 * found equal content counts. */
static int64_t seen_at(const struct status *s, const struct snapshot *snapshot)
{
	int64_t checked_s = s->history->checked_at_s;

	return snapshot == newest(s) && checked_s > snapshot->created_at_s
		       ? checked_s
		       : snapshot->created_at_s;
}

/* ---- what is wrong ---- */

static void attention(struct status *s, const char *text)
{
	json_array_append_new(s->attention, json_text(text));
}

static int has_newest(const struct status *s, const struct sync_state *r)
{
	for (size_t i = 0; i < r->count; i++) {
		if (!memcmp(&r->snapshots[i], &newest(s)->id,
			    sizeof(r->snapshots[i])))
			return 1;
	}
	return 0;
}

/* A remote that was synced with once is no promise; one that is configured
 * is. */
static void judge_remotes(struct status *s)
{
	for (size_t i = 0; i < s->remotes.count; i++) {
		const struct sync_state *r = &s->remotes.items[i];
		char age[CLOCK_TEXT_SIZE], text[512];

		if (has_newest(s, r) || !r->configured)
			continue;
		if (!r->seen_at_s) {
			snprintf(text, sizeof(text),
				 "the remote '%.200s' was never synced with; "
				 "run 'dbstow sync'",
				 r->name);
			attention(s, text);
			continue;
		}
		clock_age(age, s->now_s - r->seen_at_s);
		snprintf(
			text, sizeof(text),
			"the remote '%.200s' does not have the newest snapshot "
			"(asked %s ago); run 'dbstow sync'",
			r->name, age);
		attention(s, text);
	}
}

static void judge(struct status *s)
{
	const struct snapshot *latest = newest(s);
	char age[CLOCK_TEXT_SIZE], when[CLOCK_TEXT_SIZE], text[256];

	if (!latest) {
		if (!json_array_size(s->attention))
			attention(s, "there is no snapshot; make one with "
				     "'dbstow export DB'");
		return;
	}
	if (latest->absent) {
		attention(s, "the newest snapshot is not in this repository "
			     "(a shallow clone); get it with git fetch");
		return;
	}
	if (latest->created_at_s > s->now_s + CLOCK_AHEAD_S) {
		clock_text(when, latest->created_at_s);
		snprintf(text, sizeof(text),
			 "the newest snapshot is of %s, which is yet to come: "
			 "a clock was wrong, and nobody can tell how old it is",
			 when);
		attention(s, text);
	}
	if (s->max_age_s && s->now_s - seen_at(s, latest) > s->max_age_s) {
		clock_age(age, s->now_s - seen_at(s, latest));
		snprintf(text, sizeof(text),
			 "stale: the database was last looked at %s ago; is "
			 "the schedule still running?",
			 age);
		attention(s, text);
	}
	if (latest->partial)
		attention(s, "the newest snapshot is partial: the application "
			     "left models out (see 'dbstow show')");
	/* where there is no schema, reading back is all that can be done */
	if (!is_proven(latest) &&
	    !(latest->drill && !strcmp(latest->drill, GITSTORE_NO_SCHEMA)))
		attention(s, "the newest snapshot was never restored; export "
			     "without --no-drill to prove it");
	judge_remotes(s);
}

/* ---- asking ---- */

static int ask_one(struct status *s, const char *name, struct error *err)
{
	struct history *there = NULL;
	struct remote *r = NULL;
	struct remote_ref ref;
	int rc = -1;

	if (sync_open_remote(s->cmd, s->store, name, &r, err) < 0 ||
	    remote_refs(r, gitstore_ref(s->store), &ref, err) < 0)
		goto done;
	if (!ref.exists || !sync_read(r, s->store, &ref, &there, err))
		rc = sync_state_write(s->store, name, there, &ref.id, 0, err);
done:
	history_free(there);
	remote_free(r);
	return rc;
}

/* One that does not answer needs attention, and stops no other. */
static int ask_remotes(struct status *s, struct error *err)
{
	struct error failed = ERROR_INIT;
	struct sync_names names;
	int rc = 0;

	if (sync_names_find(s->store, NULL, &names, err) < 0)
		return -1;
	for (size_t i = 0; !rc && i < names.count; i++) {
		error_clear(&failed);
		if (!ask_one(s, names.names[i], &failed))
			continue;
		if (failed.code == ERROR_INTERRUPTED)
			rc = error_set(err, failed.code, "%s", failed.message);
		else
			attention(s, failed.message);
	}
	sync_names_release(&names);
	return rc;
}

/* ---- telling ---- */

static json_t *json_time(int64_t when_s)
{
	char text[CLOCK_TEXT_SIZE];

	clock_iso(text, when_s);
	return json_string(text);
}

static json_t *remotes_json(const struct status *s)
{
	json_t *all = json_array();

	for (size_t i = 0; i < s->remotes.count; i++) {
		const struct sync_state *r = &s->remotes.items[i];

		json_array_append_new(
			all,
			json_pack("{s:o, s:o, s:I, s:I, s:I}", "remote",
				  json_text(r->name), "seen_at",
				  r->seen_at_s ? json_time(r->seen_at_s)
					       : json_null(),
				  "snapshots", (json_int_t)r->count, "lacks",
				  (json_int_t)sync_state_lacks(r, s->history),
				  "sent_bytes", (json_int_t)r->sent_bytes));
	}
	return all;
}

static void print_json(const struct status *s)
{
	const struct snapshot *latest = newest(s), *proven = newest_proven(s);
	const struct history *h = s->history;
	json_t *sizes = json_array();

	for (size_t i = 0; i < h->count; i++) {
		if (!h->snapshots[i].absent)
			json_array_append_new(
				sizes,
				json_integer(
					(json_int_t)h->snapshots[i].bytes));
	}
	json_print(json_pack(
		"{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "source",
		json_text(h->source), "snapshots", (json_int_t)h->count,
		"newest", latest ? snapshot_json(latest) : json_null(),
		"seen_at",
		latest && !latest->absent ? json_time(seen_at(s, latest))
					  : json_null(),
		"proven", proven ? snapshot_json(proven) : json_null(),
		"proven_at",
		proven ? json_time(seen_at(s, proven)) : json_null(), "sizes",
		sizes, "remotes", remotes_json(s), "attention", s->attention));
}

static void print_when(const struct status *s, const char *what,
		       const struct snapshot *snapshot)
{
	char id[OBJECT_HEX_SIZE], when[CLOCK_TEXT_SIZE], age[CLOCK_TEXT_SIZE];
	int64_t seen_s = seen_at(s, snapshot);

	object_hex(id, &snapshot->id);
	clock_text(when, snapshot->created_at_s);
	clock_age(age, s->now_s - snapshot->created_at_s);
	printf("%-9s %.8s of %s, %s%s", what, id, when, age,
	       snapshot->created_at_s > s->now_s ? "" : " old");
	if (seen_s > snapshot->created_at_s) {
		clock_age(age, s->now_s - seen_s);
		printf("; unchanged %s ago", age);
	}
	putchar('\n');
}

/* "+1.2 MB" */
static const char *change(char out[CMD_NUMBER_SIZE], uint64_t now,
			  uint64_t before)
{
	char text[CMD_NUMBER_SIZE];

	cmd_bytes(text, now > before ? now - before : before - now);
	snprintf(out, CMD_NUMBER_SIZE, "%c%.30s", now < before ? '-' : '+',
		 text);
	return out;
}

static void print_size(const struct status *s)
{
	const struct history *h = s->history;
	const struct snapshot *oldest = &h->snapshots[h->count - 1];
	char bytes[CMD_NUMBER_SIZE], rows[CMD_NUMBER_SIZE * 2];
	char by[CMD_NUMBER_SIZE], age[CLOCK_TEXT_SIZE];

	printf("%-9s %s in %s", "size", cmd_bytes(bytes, newest(s)->bytes),
	       cmd_count(rows, newest(s)->rows, "row"));
	if (h->count > 1 && !h->snapshots[1].absent)
		printf("; %s since the one before",
		       change(by, newest(s)->bytes, h->snapshots[1].bytes));
	if (h->count > 2 && !oldest->absent) {
		clock_age(age, s->now_s - oldest->created_at_s);
		printf(", %s in %s",
		       change(by, newest(s)->bytes, oldest->bytes), age);
	}
	putchar('\n');
}

/* "off-site  origin, 1 h ago: 7 of 8 snapshots" */
static void print_remotes(const struct status *s)
{
	for (size_t i = 0; i < s->remotes.count; i++) {
		const struct sync_state *r = &s->remotes.items[i];
		size_t lacks = sync_state_lacks(r, s->history);
		size_t has = s->history->count - lacks;
		struct buffer name = BUFFER_INIT;
		char age[CLOCK_TEXT_SIZE];

		clock_age(age, s->now_s - r->seen_at_s);
		text_display(&name, r->name, strlen(r->name), 200);
		printf("%-9s %s", "off-site",
		       name.size ? buffer_cstr(&name) : "");
		if (r->seen_at_s)
			printf(", %s ago: %zu of %zu snapshots\n", age, has,
			       s->history->count);
		else
			puts(": never synced with");
		buffer_release(&name);
	}
}

static void print_text(const struct status *s)
{
	const struct snapshot *latest = newest(s), *proven = newest_proven(s);
	struct buffer source = BUFFER_INIT;
	char count[CMD_NUMBER_SIZE * 2];

	if (!latest)
		return;
	text_display(&source, s->history->source, strlen(s->history->source),
		     200);
	printf("%-9s %s of %s\n", "branch",
	       cmd_count(count, s->history->count, "snapshot"),
	       source.size ? buffer_cstr(&source) : "");
	buffer_release(&source);
	if (latest->absent)
		return;
	print_when(s, "newest", latest);
	if (proven)
		print_when(s, "proven", proven);
	else
		printf("%-9s none\n", "proven");
	print_size(s);
	print_remotes(s);
}

/* ---- for Prometheus' node exporter (its text format 0.0.4) ---- */

/* Its text is UTF-8; a file's name need not be. */
static void add_label(struct buffer *out, const char *text)
{
	struct buffer shown = BUFFER_INIT;

	if (!text_is_utf8(text, strlen(text))) {
		text_display(&shown, text, strlen(text), strlen(text));
		text = shown.size && buffer_cstr(&shown) ? shown.data : "";
	}
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buffer_byte(out, '\\');
		if (*text == '\n')
			buffer_str(out, "\\n");
		else
			buffer_byte(out, *text);
	}
	buffer_release(&shown);
}

static void print_gauge(const struct buffer *label, const char *name,
			const char *help, int64_t value)
{
	printf("# HELP dbstow_%s %s\n# TYPE dbstow_%s gauge\n"
	       "dbstow_%s{source=\"%.*s\"} %lld\n",
	       name, help, name, name, (int)label->size,
	       label->size ? label->data : "", (long long)value);
}

/* A gauge with a value for each remote. */
static void print_remote_gauge(const struct status *s,
			       const struct buffer *label, const char *name,
			       const char *help,
			       int64_t (*value)(const struct status *,
						const struct sync_state *))
{
	printf("# HELP dbstow_remote_%s %s\n# TYPE dbstow_remote_%s gauge\n",
	       name, help, name);
	for (size_t i = 0; i < s->remotes.count; i++) {
		const struct sync_state *r = &s->remotes.items[i];
		struct buffer remote = BUFFER_INIT;

		add_label(&remote, r->name);
		printf("dbstow_remote_%s{source=\"%.*s\",remote=\"%.*s\"} "
		       "%lld\n",
		       name, (int)label->size, label->size ? label->data : "",
		       (int)remote.size, remote.size ? remote.data : "",
		       (long long)value(s, r));
		buffer_release(&remote);
	}
}

static int64_t seen_value(const struct status *s, const struct sync_state *r)
{
	(void)s;
	return r->seen_at_s;
}

static int64_t lacks_value(const struct status *s, const struct sync_state *r)
{
	return (int64_t)sync_state_lacks(r, s->history);
}

static void print_remote_gauges(const struct status *s,
				const struct buffer *label)
{
	if (!s->remotes.count)
		return;
	print_remote_gauge(s, label, "seen_timestamp_seconds",
			   "When the remote was asked last; 0: never.",
			   seen_value);
	print_remote_gauge(s, label, "lacks",
			   "Snapshots of ours that the remote did not have "
			   "then.",
			   lacks_value);
}

static void print_prometheus(const struct status *s)
{
	const struct snapshot *latest = newest(s), *proven = newest_proven(s);
	struct buffer label = BUFFER_INIT;

	add_label(&label, s->history->source ? s->history->source : "");
	print_gauge(&label, "snapshots", "Snapshots on the branch.",
		    (int64_t)s->history->count);
	if (latest && !latest->absent) {
		print_gauge(&label, "seen_timestamp_seconds",
			    "When the database was last exported or found "
			    "unchanged.",
			    seen_at(s, latest));
		print_gauge(&label, "size_bytes",
			    "Bytes of JSON of the newest snapshot.",
			    (int64_t)latest->bytes);
		print_gauge(&label, "rows", "Rows of the newest snapshot.",
			    (int64_t)latest->rows);
	}
	if (proven)
		print_gauge(&label, "proven_timestamp_seconds",
			    "When the newest snapshot that was restored once "
			    "was last current.",
			    seen_at(s, proven));
	print_remote_gauges(s, &label);
	print_gauge(&label, "attention", "1 when something needs attention.",
		    json_array_size(s->attention) > 0);
	buffer_release(&label);
}

static void warn_all(const struct status *s)
{
	const json_t *text;
	size_t i;

	json_array_foreach(s->attention, i, text)
		cmd_warn("%s", json_string_value(text));
}

/* With --remote, what is there is all that is told: no branch is needed here,
 * and none there is a finding like any other. */
static int read_branch(struct status *s, int ask, struct error *err)
{
	struct error missing = ERROR_INIT;

	if (ask && s->cmd->access.remote)
		return error_set(err, ERROR_USAGE,
				 "--remote and --ask exclude each other; "
				 "--remote always asks");
	if (snapshot_history_here(s->cmd, &s->branch, &missing) < 0) {
		if (missing.code != ERROR_NOBRANCH)
			return error_set(err, missing.code, "%s",
					 missing.message);
		attention(s, missing.message);
		s->branch.history = calloc(1, sizeof(struct history));
	}
	s->store = s->branch.store;
	s->history = s->branch.history;
	if (!s->history)
		return error_nomem(err);
	if (s->cmd->access.remote)
		return 0;
	if (ask && ask_remotes(s, err) < 0)
		return -1;
	return sync_states_read(s->store, &s->remotes, err);
}

static int parse_age(struct status *s, const char *text, struct error *err)
{
	if (!text)
		return 0;
	if (clock_parse_span(&s->max_age_s, text) < 0 || !s->max_age_s)
		return error_set(err, ERROR_USAGE,
				 "--max-age is '%.80s'; give a length of time "
				 "like 26h, 8d or 90min",
				 text);
	return 0;
}

int cmd_status(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct status s = { .cmd = c, .now_s = clock_now() };
	const char *max_age = NULL;
	int prometheus = 0, ask = 0, rc;
	const struct cmd_option options[] = {
		{ .name = "max-age",
		  .text = &max_age,
		  .arg = "AGE",
		  .env = "DBSTOW_MAX_AGE",
		  .help = "needs attention when older: 26h, 8d, 90min" },
		{ .name = "ask",
		  .flag = &ask,
		  .help = "ask the remotes now, rather than tell what they had "
			  "last" },
		CMD_REMOTE_OPTIONS(c),
		{ .name = "prometheus",
		  .flag = &prometheus,
		  .help = "print metrics in Prometheus' text format" },
		{ .name = NULL },
	};

	rc = cmd_parse(c, options, argc, argv, NULL, 0, 0, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (prometheus && c->json)
		return error_set(err, ERROR_USAGE,
				 "--json and --prometheus exclude each other");
	rc = -1;
	if (!(s.attention = json_array())) {
		error_nomem(err);
		goto done;
	}
	if (parse_age(&s, max_age, err) < 0 || read_branch(&s, ask, err) < 0)
		goto done;
	judge(&s);
	if (prometheus)
		print_prometheus(&s);
	else if (c->json)
		print_json(&s);
	else
		print_text(&s);
	warn_all(&s);
	rc = json_array_size(s.attention) ? EXIT_ATTENTION : 0;
done:
	json_decref(s.attention);
	sync_states_release(&s.remotes);
	snapshot_choice_release(&s.branch);
	return rc;
}
