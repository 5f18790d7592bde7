/*
 * cmd_init.c - dbstow init: from nothing to a proven, scheduled, off-site
 * backup
 *
 * Everything is looked at before anything is written.  Then come a snapshot
 * with its drill, the remote, and the files: each step is one that the user
 * could type, so what a run did not reach the next one does.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "cmd/init.h"
#include "cmd/snapshots.h"
#include "cmd/sync.h"
#include "snapshot/text.h"

#define ARGUMENTS_MAX 32

/* ---- telling ---- */

static void add_line(json_t *list, const char *step, const char *text)
{
	if (step)
		json_array_append_new(list,
				      json_pack("{s:s, s:o}", "step", step,
						"text", json_text(text)));
	else
		json_array_append_new(list, json_text(text));
}

void init_say(struct init *in, const char *step, const char *fmt, ...)
{
	struct buffer shown = BUFFER_INIT;
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_display(&shown, text, strlen(text), sizeof(text));
	if (in->cmd->json) {
		add_line(in->steps, step, text);
	} else if (buffer_cstr(&shown)) {
		printf("%-9s %s\n", step, shown.data);
		fflush(stdout);
	}
	buffer_release(&shown);
}

/* Commands are to be typed: none may be cut off. */
void init_next(struct init *in, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text)
		add_line(in->next, NULL, text);
	free(text);
}

/* ---- steps ---- */

struct arguments {
	char *list[ARGUMENTS_MAX];
	int count;
};

/* What a command is given; its texts are not changed. */
static void give(struct arguments *a, const char *name, const char *value)
{
	if (name && !value)
		return;
	if (name)
		a->list[a->count++] = (char *)name;
	a->list[a->count++] = (char *)value;
}

static void give_access(struct arguments *a, const struct cmd *c)
{
	give(a, "--cacert", c->access.cacert);
	give(a, "--token-file", c->access.token_file);
}

/* The list that is there already: what is stored next goes in front of it. */
static int pull(struct init *in, struct error *err)
{
	const struct sync_request q = { .direction = SYNC_PULL };
	json_t *report = json_array();
	int rc;

	rc = sync_run(in->cmd, in->store, &q, &in->remote, 1, &report, err);
	json_decref(report);
	return rc;
}

/* `dbstow export` or `dbstow fetch`, as it would be typed. */
static int store(struct init *in, struct error *err)
{
	struct cmd sub = { .name = in->database ? "export" : "fetch",
			   .usage = "",
			   .report = &in->snapshot };
	struct arguments a = { .count = 0 };
	char keep[16];
	int rc;

	snprintf(keep, sizeof(keep), "%u", in->keep);
	give(&a, NULL, sub.name);
	give(&a, "--repo", in->cmd->repo);
	give(&a, "--branch", in->cmd->branch);
	give(&a, "--keep", keep);
	give(&a, "--source", in->source);
	give(&a, "--scratch", in->scratch);
	if (in->cmd->quiet)
		give(&a, NULL, "--quiet");
	if (!in->database) {
		give(&a, "--key-file", in->key_file);
		give(&a, "--header", in->header);
		if (in->allow_http)
			give(&a, NULL, "--allow-http");
	}
	give_access(&a, in->cmd);
	give(&a, NULL, "--");
	give(&a, NULL, in->what);
	a.list[a.count] = NULL;
	rc = in->database ? cmd_export(&sub, a.count, a.list, err)
			  : cmd_fetch(&sub, a.count, a.list, err);
	if (rc > in->status)
		in->status = rc;
	return rc < 0 ? -1 : 0;
}

static void say_stored(struct init *in)
{
	const char *id, *drill;
	int changed;

	if (json_unpack(in->snapshot, "{s:s, s:s, s:b}", "snapshot", &id,
			"drill", &drill, "changed", &changed) < 0)
		return;
	init_say(in, changed ? "stored" : "there", "snapshot %.8s, %s%s", id,
		 strcmp(drill, "ok") ? "not proven: drill "
				     : "restorable: restored once and equal",
		 strcmp(drill, "ok") ? drill : "");
}

/* To the remote, or what that would be. */
static int off_site(struct init *in, struct error *err)
{
	const struct sync_request q = { .direction = SYNC_BOTH,
					.allow_public = in->allow_public,
					.dry_run = !in->push };
	const int several = strpbrk(in->remote, " \t\n,") != NULL;
	int rc;

	if (in->no_remote)
		return 0;
	if (in->cmd->json)
		in->remotes = json_array();
	rc = sync_run(in->cmd, in->store, &q, &in->remote, !several,
		      in->cmd->json ? &in->remotes : NULL, err);
	if (rc > in->status)
		in->status = rc;
	return rc < 0 ? -1 : 0;
}

/* A URL stands in this repository's own configuration, where only its user
 * writes. */
static int remember_remote(struct init *in, struct error *err)
{
	char *there = NULL;
	int rc = 0;

	if (in->no_remote || !strpbrk(in->remote, "/:") ||
	    strpbrk(in->remote, " \t\n,"))
		return 0;
	if (gitstore_config(in->store, "dbstow.remote", &there, err) < 0)
		return -1;
	if (!there || strcmp(there, in->remote) != 0) {
		rc = gitstore_config_set(in->store, "dbstow.remote", in->remote,
					 err);
		if (rc == 0)
			init_say(in, "written",
				 "dbstow.remote in git's configuration");
	}
	free(there);
	return rc;
}

/* ---- telling what was done ---- */

static void tell(struct init *in)
{
	json_t *files = json_array();
	size_t i;

	if (!in->cmd->json) {
		puts("next:");
		for (i = 0; i < json_array_size(in->next); i++)
			printf("  %s\n",
			       json_string_value(json_array_get(in->next, i)));
		json_decref(files);
		return;
	}
	for (i = 0; i < in->file_count; i++) {
		static const char *const states[] = {
			[FILE_NEW] = "written",
			[FILE_SAME] = "there",
			[FILE_DIFFERENT] = "changed",
		};

		json_array_append_new(files,
				      json_pack("{s:s, s:s}", "path",
						in->files[i].path, "state",
						states[in->files[i].state]));
	}
	json_print(json_pack("{s:O, s:O?, s:O?, s:o, s:O}", "steps", in->steps,
			     "snapshot", in->snapshot, "remotes", in->remotes,
			     "files", files, "next", in->next));
}

/* ---- the command ---- */

static int is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

/* Before the secrets are taken out of it. */
static void look_at_environment(struct init *in)
{
	in->key_in_environment = is_set("DBSTOW_FETCH_KEY");
	in->token_in_environment = is_set("DBSTOW_TOKEN") ||
				   is_set("GITHUB_TOKEN");
}

static int run(struct init *in, struct error *err)
{
	if (gitstore_is_there(in->cmd->repo) &&
	    cmd_open_store(in->cmd, &in->store, err) < 0)
		return -1;
	if (init_ask(in, err) < 0 || init_check(in, err) < 0 ||
	    init_files_plan(in, err) < 0)
		return -1;
	if ((in->branch_there && pull(in, err) < 0) || store(in, err) < 0)
		return -1;
	say_stored(in);
	if (off_site(in, err) < 0 || remember_remote(in, err) < 0 ||
	    init_files_write(in, err) < 0)
		return -1;
	init_next_steps(in);
	tell(in);
	return in->status;
}

static void init_release(struct init *in)
{
	init_files_release(in);
	while (in->answer_count)
		free(in->answers[--in->answer_count]);
	free(in->before.owner);
	json_decref(in->steps);
	json_decref(in->next);
	json_decref(in->snapshot);
	json_decref(in->remotes);
	gitstore_free(in->store);
	free(in->url);
}

int cmd_init(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct init in = { .cmd = c };
	const struct cmd_option options[] = {
		{ .name = "remote",
		  .text = &in.remote,
		  .arg = "REMOTE",
		  .help = "git remote for a copy off-site: a name, a URL or "
			  "none" },
		{ .name = "keep",
		  .number = &in.keep,
		  .arg = "N",
		  .env = "DBSTOW_KEEP",
		  .help = "snapshots to keep (default: as before, or 8)" },
		{ .name = "workflow",
		  .text = &in.workflow,
		  .arg = "KIND",
		  .help = "write workflows for GitHub: none, export or fetch" },
		{ .name = "schedule",
		  .text = &in.schedule,
		  .arg = "HOW",
		  .help = "the workflow runs weekly (default) or daily" },
		{ .name = "action",
		  .text = &in.action,
		  .arg = "OWNER",
		  .help = "the workflows use the action of OWNER/dbstow" },
		{ .name = "push",
		  .flag = &in.push,
		  .help = "bring the snapshot to the remote at once" },
		{ .name = "yes",
		  .letter = 'y',
		  .flag = &in.yes,
		  .help = "no questions: defaults for what is left out; make "
			  "a repository, change files that are there" },
		{ .name = "allow-public",
		  .flag = &in.allow_public,
		  .help = "also a remote that the whole world can read" },
		{ .name = "source",
		  .text = &in.source,
		  .arg = "NAME",
		  .env = "DBSTOW_SOURCE",
		  .help = "what the database is called (default: its file "
			  "name)" },
		{ .name = "key-file",
		  .text = &in.key_file,
		  .arg = "FILE",
		  .env = "DBSTOW_FETCH_KEY_FILE",
		  .help = "of a URL: file with the key, mode 0600 (default: "
			  "the variable DBSTOW_FETCH_KEY)" },
		{ .name = "header",
		  .text = &in.header,
		  .arg = "NAME",
		  .help = "of a URL: send the key as this header" },
		{ .name = "allow-http",
		  .flag = &in.allow_http,
		  .help = "http without TLS to this machine itself" },
		{ .name = "scratch",
		  .text = &in.scratch,
		  .arg = "DIR",
		  .env = "DBSTOW_SCRATCH",
		  .help = "folder for the drill's database" },
		CMD_ACCESS_OPTIONS(c),
		{ .name = NULL },
	};
	int rc;

	rc = cmd_parse(c, options, argc, argv, &in.what, 0, 1, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	look_at_environment(&in);
	in.steps = json_array();
	in.next = json_array();
	rc = run(&in, err);
	init_release(&in);
	return rc;
}
