/* snapshots.c - finding, listing and printing snapshots */

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "cmd/cmd.h"
#include "cmd/snapshots.h"
#include "cmd/sync.h"
#include "gitstore/gitstore.h"
#include "snapshot/text.h"

void snapshot_choice_release(struct snapshot_choice *choice)
{
	history_free(choice->history);
	if (!choice->remote)
		gitstore_free(choice->store);
	remote_free(choice->remote); /* and its store */
	gitstore_free(choice->own);
	memset(choice, 0, sizeof(*choice));
}

const struct snapshot *snapshot_chosen(const struct snapshot_choice *choice)
{
	return &choice->history->snapshots[choice->at];
}

/** `what` is no snapshot of the branch; perhaps it is a ref or a commit. */
static int choose_elsewhere(struct snapshot_choice *out, const char *what,
			    const struct error *first, struct error *err)
{
	struct error second = ERROR_INIT;
	struct history *h = NULL;

	if (gitstore_history_at(out->store, what, &h, &second) < 0 ||
	    !h->count) {
		history_free(h);
		return error_set(err,
				 second.code == ERROR_DAMAGE ? second.code
							     : first->code,
				 "%s",
				 second.code == ERROR_DAMAGE ? second.message
							     : first->message);
	}
	history_free(out->history);
	out->history = h;
	out->at = 0;
	return 0;
}

static int history_there(const struct cmd *c, const char *what,
			 struct snapshot_choice *out, struct error *err)
{
	if (cmd_open_store(c, &out->own, err) < 0 ||
	    sync_open_remote(c, out->own, what, &out->remote, err) < 0)
		return -1;
	out->store = remote_store(out->remote, err);
	if (!out->store || remote_refs(out->remote, gitstore_ref(out->own),
				       &out->ref, err) < 0)
		return -1;
	if (!out->ref.exists)
		return error_set(
			err, ERROR_NOBRANCH, "the remote %s has no branch '%s'",
			remote_label(out->remote),
			gitstore_ref(out->own) + strlen("refs/heads/"));
	return sync_read(out->remote, out->own, &out->ref, &out->history, err);
}

int snapshot_history_here(const struct cmd *c, struct snapshot_choice *out,
			  struct error *err)
{
	char *note = NULL;
	int rc = -1;

	memset(out, 0, sizeof(*out));
	if (c->access.remote)
		rc = history_there(c, c->access.remote, out, err);
	else if (!cmd_open_store(c, &out->store, err))
		rc = gitstore_history(out->store, 1, &out->history, &note, err);
	if (note)
		cmd_note(c, "note: %s", note);
	free(note);
	return rc;
}

/* @return 0: `out` holds it now; 1: no branch there; -1 */
static int take_over(const struct cmd *c, const char *what,
		     struct snapshot_choice *out, struct error *err)
{
	const char *branch = gitstore_ref(out->store) + strlen("refs/heads/");
	struct snapshot_choice there = { 0 };
	struct error why = ERROR_INIT;

	if (!history_there(c, what, &there, &why)) {
		cmd_note(c,
			 "note: there is no branch '%s' here; reading it at "
			 "the remote %s",
			 branch, remote_label(there.remote));
		snapshot_choice_release(out);
		*out = there;
		return 0;
	}
	snapshot_choice_release(&there);
	if (why.code == ERROR_NOBRANCH)
		return 1;
	return error_set(err, why.code,
			 "there is no branch '%s' here, and at the remote '%s' "
			 "it cannot be read: %s",
			 branch, what, why.message);
}

/* A new machine: what is not here may be where a sync would look. */
static int history_of_remotes(const struct cmd *c, struct snapshot_choice *out,
			      struct error *err)
{
	struct error why = ERROR_INIT;
	struct sync_names names;
	int rc = 1, failed = 0;
	size_t i;

	if (sync_names_find(out->store, NULL, &names, &why) < 0)
		return why.code == ERROR_USAGE
			       ? 0 /* none is configured */
			       : error_set(err, why.code, "%s", why.message);
	for (i = 0; rc && i < names.count && !cmd_interrupted(); i++) {
		error_clear(&why);
		rc = take_over(c, names.names[i], out, &why);
		if (rc < 0 && !failed++)
			error_set(err, why.code, "%s", why.message);
	}
	sync_names_release(&names);
	if (!rc)
		error_clear(err);
	return rc && failed ? -1 : 0;
}

int snapshot_history(const struct cmd *c, struct snapshot_choice *out,
		     struct error *err)
{
	if (snapshot_history_here(c, out, err) < 0)
		return -1;
	if (c->access.remote || out->history->exists || out->history->count)
		return 0;
	return history_of_remotes(c, out, err);
}

int snapshot_choose(const struct cmd *c, const char *what,
		    struct snapshot_choice *out, struct error *err)
{
	struct error first = ERROR_INIT;
	int rc = -1;

	if (snapshot_history(c, out, &first) < 0) {
		/* An unreadable branch must not hide a commit that is fine. */
		if (what && out->store && !out->remote)
			rc = choose_elsewhere(out, what, &first, err);
		else
			error_set(err, first.code, "%s", first.message);
	} else if (!history_find(out->history, what ? what : "latest", &out->at,
				 &first)) {
		rc = 0;
	} else if (what) {
		rc = choose_elsewhere(out, what, &first, err);
	} else {
		error_set(err, first.code, "%s", first.message);
	}
	if (rc < 0)
		snapshot_choice_release(out);
	return rc;
}

int snapshot_source(struct snapshot_choice *choice, const struct snapshot *s,
		    struct source **out, struct error *err)
{
	char id[OBJECT_HEX_SIZE];

	object_hex(id, &s->id);
	if (choice->remote &&
	    sync_fetch(choice->remote, &choice->ref, &s->id, 1, err) < 0)
		return -1;
	if (s->absent)
		return error_set(err, ERROR_FAILED,
				 "snapshot %.8s is not in this repository (a "
				 "shallow clone?); get it with: dbstow sync "
				 "--pull",
				 id);
	return gitstore_source(choice->store, &s->id, out, err);
}

static const char *drill_word(const struct snapshot *s)
{
	if (s->drill && !strcmp(s->drill, "ok"))
		return "ok";
	return s->absent ? "?" : "none";
}

static void print_row(const struct snapshot *s, int64_t now, FILE *out)
{
	char id[OBJECT_HEX_SIZE], when[CLOCK_TEXT_SIZE], age[CLOCK_TEXT_SIZE];
	char rows[CMD_NUMBER_SIZE], bytes[CMD_NUMBER_SIZE];
	struct buffer text = BUFFER_INIT;

	object_hex(id, &s->id);
	if (s->absent) {
		fprintf(out, "%.8s  (not in this repository)\n", id);
		return;
	}
	clock_text(when, s->created_at_s);
	clock_age(age, now - s->created_at_s);
	if (s->name) {
		text_display(&text, s->name, strlen(s->name), 60);
		buffer_byte(&text, ' ');
	}
	if (s->pinned)
		buffer_str(&text, "(pinned) ");
	if (s->partial)
		buffer_str(&text, "(partial) ");
	if (s->description)
		text_display(&text, s->description, strlen(s->description), 60);
	while (text.size && text.data[text.size - 1] == ' ')
		text.size--;
	fprintf(out, "%.8s  %8s  %s  %12s  %8s  ", id, age, when,
		cmd_number(rows, s->rows), cmd_bytes(bytes, s->bytes));
	if (text.size)
		fprintf(out, "%-5s  %s\n", drill_word(s), buffer_cstr(&text));
	else
		fprintf(out, "%s\n", drill_word(s));
	buffer_release(&text);
}

void snapshot_print_table(const struct history *h, FILE *out)
{
	char count[CMD_NUMBER_SIZE * 2], checked[CLOCK_TEXT_SIZE];
	int64_t now = clock_now();
	size_t proven = 0;

	if (!h->count) {
		fputs("no snapshots\n", out);
		return;
	}
	fprintf(out, "%-8s  %8s  %-20s  %12s  %8s  %-5s  %s\n", "ID", "AGE",
		"DATE", "ROWS", "SIZE", "DRILL", "NAME, DESCRIPTION");
	for (size_t i = 0; i < h->count; i++) {
		print_row(&h->snapshots[i], now, out);
		proven += !strcmp(drill_word(&h->snapshots[i]), "ok");
	}
	fprintf(out, "%s of '%s', %zu proven restorable",
		cmd_count(count, h->count, "snapshot"),
		h->source ? h->source : "?", proven);
	if (h->keep)
		fprintf(out, ", keeping %u", h->keep);
	if (h->checked_at_s) {
		clock_text(checked, h->checked_at_s);
		fprintf(out, ", found unchanged %s", checked);
	}
	fputc('\n', out);
}

json_t *json_text(const char *text)
{
	struct buffer shown = BUFFER_INIT;
	json_t *o;

	if (!text)
		return json_null();
	o = json_string(text);
	if (o)
		return o;
	text_display(&shown, text, strlen(text), 4096);
	o = json_string(buffer_cstr(&shown));
	buffer_release(&shown);
	return o ? o : json_null();
}

json_t *snapshot_json(const struct snapshot *s)
{
	char id[OBJECT_HEX_SIZE], content[OBJECT_HEX_SIZE];
	char when[CLOCK_TEXT_SIZE];

	object_hex(id, &s->id);
	if (s->absent)
		return json_pack("{s:s, s:b}", "id", id, "absent", 1);
	object_hex(content, &s->content);
	clock_iso(when, s->created_at_s);
	return json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, "
		"s:I, s:I, s:b, s:b}",
		"id", id, "content", content, "created_at", when, "source",
		json_text(s->source), "name", json_text(s->name), "kind",
		json_text(s->kind), "description", json_text(s->description),
		"drill", json_text(s->drill), "schema_revision",
		json_text(s->schema_revision), "partial", json_text(s->partial),
		"tables", (json_int_t)s->tables, "rows", (json_int_t)s->rows,
		"bytes", (json_int_t)s->bytes, "pinned", s->pinned, "absent",
		0);
}

void json_print(json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}
