/* sync_run.c - syncing with several remotes, and telling how it went */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "cmd/cmd.h"
#include "cmd/snapshots.h"
#include "cmd/sync.h"
#include "gitstore/gitstore.h"

/* One remote's turn. */
struct turn {
	struct sync_result result;
	struct error err; /* its code is ERROR_NONE when all went well */
};

static void warn(void *payload, const char *text)
{
	(void)payload;
	cmd_warn("%s", text);
}

static struct remote_options reach(const struct cmd *c,
				   const struct sync_names *n, size_t i)
{
	const char *token_file = c->access.token_file;

	return (struct remote_options){ .name = n->names[i],
					.url = n->urls[i],
					.cacert = c->access.cacert,
					.token_file = token_file
							      ? token_file
							      : n->token_file,
					.interrupted = cmd_interrupted };
}

static struct sync_options options_of(const struct cmd *c,
				      const struct sync_request *q,
				      const struct sync_names *n, size_t i)
{
	return (struct sync_options){
		.remote = reach(c, n, i),
		.direction = q->direction,
		.append = q->append,
		.replace = q->replace,
		.allow_public = q->allow_public,
		.dry_run = q->dry_run,
		.warn = warn,
	};
}

int sync_open_remote(const struct cmd *c, struct gitstore *g, const char *what,
		     struct remote **out, struct error *err)
{
	struct sync_names names;
	struct remote_options o;
	int rc;

	*out = NULL;
	if (sync_names_find(g, what, &names, err) < 0)
		return -1;
	o = reach(c, &names, 0);
	rc = remote_open(out, g, &o, err);
	sync_names_release(&names);
	return rc;
}

/* ---- telling ---- */

/* What a hook or the host had to say is worth reading when it refused. */
static void tell_messages(const struct cmd *c, const struct turn *t)
{
	const char *line = t->result.messages, *end;

	for (; line && *line; line = end + (*end == '\n')) {
		end = line + strcspn(line, "\n");
		if (t->err.code)
			cmd_warn("remote: %.*s", (int)(end - line), line);
		else
			cmd_note(c, "remote: %.*s", (int)(end - line), line);
	}
}

/* "sent 2 snapshots, 12 kB; got 1" */
static void add_moved(struct buffer *out, const struct sync_result *r, int dry)
{
	char count[CMD_NUMBER_SIZE * 2], bytes[CMD_NUMBER_SIZE];

	if (r->bytes)
		buffer_printf(out, "; %s %s, %s", dry ? "would send" : "sent",
			      cmd_count(count, r->sent, "snapshot"),
			      cmd_bytes(bytes, r->bytes));
	if (r->fetched)
		buffer_printf(out, "; %s %s", dry ? "would fetch" : "fetched",
			      cmd_count(count, r->fetched, "snapshot"));
}

static void print_turn(const struct cmd *c, const char *name,
		       const struct turn *t, const struct sync_request *q)
{
	const struct sync_result *r = &t->result;
	struct buffer text = BUFFER_INIT;
	char count[CMD_NUMBER_SIZE * 2];

	if (q->dry_run && (r->bytes || r->fetched))
		buffer_str(&text, "a dry run");
	else if (r->pushed)
		buffer_str(&text, "stored off-site");
	else
		buffer_str(&text,
			   r->pulled ? "fetched from there" : "up to date");
	buffer_printf(&text, ", %s %s", cmd_count(count, r->there, "snapshot"),
		      q->dry_run && r->bytes ? "to be there" : "there");
	add_moved(&text, r, q->dry_run);
	if (r->appended)
		buffer_str(&text, "; nothing ever leaves it "
				  "(--history append)");
	if (!buffer_cstr(&text))
		buffer_clear(&text);
	else if (q->beside)
		cmd_note(c, "%s: %s", name, text.data);
	else
		printf("%s: %s\n", name, text.data);
	buffer_release(&text);
}

static json_t *error_json(const struct error *err)
{
	const char *name;
	int status = cmd_exit_status(err->code, &name);

	return json_pack("{s:s, s:i, s:o}", "code", name, "exit", status,
			 "message", json_text(err->message));
}

static json_t *turn_json(const char *name, const struct turn *t)
{
	const struct sync_result *r = &t->result;
	char tip[OBJECT_HEX_SIZE];

	if (t->err.code)
		return json_pack("{s:o, s:o}", "remote", json_text(name),
				 "error", error_json(&t->err));
	object_hex(tip, &r->tip);
	return json_pack(
		"{s:o, s:s, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I}",
		"remote", json_text(name), "tip", tip, "pushed", r->pushed,
		"appended", r->appended, "pulled", r->pulled, "snapshots",
		(json_int_t)r->there, "local_snapshots", (json_int_t)r->here,
		"sent", (json_int_t)r->sent, "fetched", (json_int_t)r->fetched,
		"dropped", (json_int_t)r->dropped, "bytes",
		(json_int_t)r->bytes);
}

/* ---- turns ---- */

static void take_turn(const struct cmd *c, struct gitstore *g,
		      const struct sync_request *q, const struct sync_names *n,
		      size_t i, struct turn *t)
{
	struct sync_options o = options_of(c, q, n, i);

	sync_result_release(&t->result);
	error_clear(&t->err);
	if (sync_remote(g, &o, &t->result, &t->err) < 0 && !t->err.code)
		error_nomem(&t->err);
	tell_messages(c, t);
	if (t->err.code == ERROR_REFUSED)
		sync_tell_secrets(g, t->result.messages);
}

/* In order; what a later one brought, the earlier ones get in a second round.
 */
static void take_turns(const struct cmd *c, struct gitstore *g,
		       const struct sync_request *q, const struct sync_names *n,
		       struct turn *turns)
{
	size_t i, late = 0;

	for (i = 0; i < n->count && !cmd_interrupted(); i++) {
		take_turn(c, g, q, n, i, &turns[i]);
		if (!turns[i].err.code && turns[i].result.pulled)
			late = i;
	}
	for (i = 0; i < late && q->direction == SYNC_BOTH; i++) {
		struct sync_result first = turns[i].result;

		if (turns[i].err.code || cmd_interrupted())
			continue;
		turns[i].result = (struct sync_result){ .messages = NULL };
		take_turn(c, g, q, n, i, &turns[i]);
		turns[i].result.sent += first.sent;
		turns[i].result.fetched += first.fetched;
		turns[i].result.bytes += first.bytes;
		turns[i].result.pushed |= first.pushed;
		turns[i].result.pulled |= first.pulled;
		turns[i].result.appended |= first.appended;
		free(first.messages);
	}
}

static int find_all(struct gitstore *g, const char *const *what, size_t count,
		    struct sync_names *all, struct error *err)
{
	struct sync_names one;
	size_t i;

	if (!count)
		return sync_names_find(g, NULL, all, err);
	memset(all, 0, sizeof(*all));
	all->names = calloc(count, sizeof(*all->names));
	all->urls = calloc(count, sizeof(*all->urls));
	if (!all->names || !all->urls) {
		sync_names_release(all);
		return error_nomem(err);
	}
	for (i = 0; i < count; i++) {
		if (sync_names_find(g, what[i], &one, err) < 0) {
			sync_names_release(all);
			return -1;
		}
		all->names[i] = one.names[0];
		all->urls[i] = one.urls[0];
		all->count++;
		free(one.names);
		free(one.urls);
		free(all->token_file);
		all->token_file = one.token_file;
	}
	return 0;
}

/* @return the worst exit status */
static int tell_turns(const struct cmd *c, const struct sync_request *q,
		      const struct sync_names *n, const struct turn *turns,
		      json_t *report)
{
	const char *name;
	int worst = 0, status;
	size_t i;

	for (i = 0; i < n->count; i++) {
		const struct turn *t = &turns[i];

		status = t->err.code ? cmd_exit_status(t->err.code, &name) : 0;
		worst = status > worst ? status : worst;
		if (report)
			json_array_append_new(report,
					      turn_json(n->names[i], t));
		else if (!t->err.code)
			print_turn(c, n->names[i], t, q);
		if (t->err.code && (n->count > 1 || q->beside))
			cmd_warn("%s", t->err.message);
	}
	return worst;
}

int sync_run(const struct cmd *c, struct gitstore *g,
	     const struct sync_request *q, const char *const *what,
	     size_t count, json_t **report, struct error *err)
{
	struct sync_names names;
	struct turn *turns;
	int rc = -1;

	if (find_all(g, what, count, &names, err) < 0)
		return -1;
	turns = calloc(names.count, sizeof(*turns));
	if (!turns) {
		error_nomem(err);
		goto done;
	}
	take_turns(c, g, q, &names, turns);
	if (cmd_interrupted())
		error_set(err, ERROR_INTERRUPTED,
			  "interrupted; both branches are whole, 'dbstow sync' "
			  "goes on from there");
	else if (names.count == 1 && turns[0].err.code && !q->beside)
		error_set(err, turns[0].err.code, "%s", turns[0].err.message);
	else
		rc = tell_turns(c, q, &names, turns, report ? *report : NULL);
done:
	for (size_t i = 0; turns && i < names.count; i++)
		sync_result_release(&turns[i].result);
	free(turns);
	sync_names_release(&names);
	return rc;
}
