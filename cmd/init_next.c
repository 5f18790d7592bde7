/*
 * init_next.c - what is left to the user after dbstow init
 *
 * Lines to be done from top to bottom: those that are commands can be typed as
 * they stand.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "cmd/init.h"
#include "cmd/shell.h"

static int must_commit(const struct init *in)
{
	for (size_t i = 0; i < in->file_count; i++)
		if (in->files[i].state != FILE_SAME)
			return 1;
	return 0;
}

static void next_line(struct init *in, struct buffer *line)
{
	if (buffer_cstr(line))
		init_next(in, "%s", line->data);
	buffer_release(line);
}

/* A command with one word of the user's. */
static void next_quoted(struct init *in, const char *command, const char *word,
			const char *more)
{
	struct buffer line = BUFFER_INIT;

	buffer_str(&line, command);
	shell_quote(&line, word);
	buffer_str(&line, more);
	next_line(in, &line);
}

/* "git", from where the user stands. */
static void put_git(const struct init *in, struct buffer *line)
{
	const char *top = gitstore_work_tree(in->store);
	char *here = realpath(".", NULL),
	     *there = realpath(top ? top : ".", NULL);

	buffer_str(line, "git ");
	if (here && there && strcmp(here, there) != 0) {
		buffer_str(line, "-C ");
		shell_quote(line, there);
		buffer_byte(line, ' ');
	}
	free(here);
	free(there);
}

/* What --repo named has to be named again. */
static void put_repo(const struct init *in, struct buffer *line)
{
	if (!in->cmd->repo)
		return;
	buffer_str(line, " --repo ");
	shell_quote(line, in->cmd->repo);
}

/* ---- the remote, and the files ---- */

static int is_local(const char *url)
{
	return url[0] == '/' || url[0] == '.' || !strncmp(url, "file://", 7);
}

static void next_off_site(struct init *in)
{
	struct buffer line = BUFFER_INIT;

	if (in->no_remote) {
		put_git(in, &line);
		buffer_str(&line, "remote add origin URL, then dbstow init "
				  "again: there is no copy off-site");
	} else if (!in->push) {
		buffer_str(&line, "dbstow sync");
		put_repo(in, &line);
	}
	if (line.size)
		next_line(in, &line);
}

static int needs_owner(const struct init *in)
{
	for (size_t i = 0; i < in->file_count; i++)
		if (in->files[i].text.size &&
		    memmem(in->files[i].text.data, in->files[i].text.size,
			   "<owner>", 7))
			return 1;
	return 0;
}

/* Add, commit and, where there is a place for it, push. */
static void next_files(struct init *in)
{
	const int workflows = in->kind != WORKFLOW_NONE;
	const int add = workflows && !in->has_origin && in->url &&
			!is_local(in->url);
	struct buffer line = BUFFER_INIT;

	if (add) {
		put_git(in, &line);
		buffer_str(&line, "remote add origin ");
		shell_quote(&line, in->url);
		next_line(in, &line);
	}
	put_git(in, &line);
	buffer_printf(&line, "add .dbstow%s && ",
		      workflows ? " .github/workflows" : "");
	put_git(in, &line);
	buffer_str(&line, "commit -m 'Database backups'");
	if (add || in->has_origin) {
		buffer_str(&line, " && ");
		put_git(in, &line);
		buffer_str(&line, "push -u origin HEAD");
	}
	next_line(in, &line);
}

static void next_commit(struct init *in)
{
	if (!must_commit(in))
		return;
	if (needs_owner(in))
		init_next(in, "put the owner of the dbstow repository in place "
			      "of <owner> in the workflows");
	if (in->kind == WORKFLOW_EXPORT)
		init_next(in,
			  "put into %s how the job gets '%s', unless it lies "
			  "in the repository",
			  in->files[1].path, path_base(in->database));
	next_files(in);
}

/* ---- on GitHub ---- */

static void next_workflow(struct init *in)
{
	if (in->kind == WORKFLOW_FETCH) {
		next_quoted(in, "gh variable set DBSTOW_URL --body ", in->what,
			    "");
		init_next(in, "gh secret set DBSTOW_FETCH_KEY");
	}
	if (in->place == PLACE_NAMED)
		next_quoted(in, "gh secret set DBSTOW_TOKEN # may push to ",
			    in->url, "");
	if (in->place == PLACE_OTHERWISE)
		init_next(in,
			  "the workflows push to the repository that they run "
			  "in, not to '%s'",
			  in->url);
	init_next(in,
		  "the workflow runs %s at 00:07 UTC, and when started by "
		  "hand: gh workflow run %s",
		  in->daily ? "daily" : "on Sundays",
		  path_base(in->files[1].path));
}

/* ---- where GitHub does not run it, cron can ---- */

/* An option and its file, as found from everywhere. */
static void put_file(struct buffer *line, const char *option, const char *path)
{
	char *real = path ? realpath(path, NULL) : NULL;

	if (!path)
		return;
	buffer_printf(line, " %s ", option);
	shell_quote(line, real ? real : path);
	free(real);
}

static void put_text(struct buffer *line, const char *option, const char *text)
{
	if (!text)
		return;
	buffer_printf(line, " %s ", option);
	shell_quote(line, text);
}

/* This program by its path: cron's PATH has /usr/bin and /bin. */
static void put_program(struct buffer *line)
{
	char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[size > 0 ? size : 0] = '\0';
	shell_quote(line, size > 0 && file_exists(path) ? path : "dbstow");
}

static void put_options(struct init *in, struct buffer *line)
{
	const char *top = gitstore_work_tree(in->store);

	put_file(line, "--repo",
		 top             ? top
		 : in->cmd->repo ? in->cmd->repo
				 : ".");
	if (!top) { /* else .dbstow says so */
		put_text(line, "--branch", gitstore_branch(in->store));
		buffer_printf(line, " --keep %u", in->keep);
	}
	put_text(line, "--source", in->source);
	if (!in->database) {
		put_file(line, "--key-file", in->key_file);
		put_text(line, "--header", in->header);
		if (in->allow_http)
			buffer_str(line, " --allow-http");
	}
	if (!in->database || !in->no_remote)
		put_file(line, "--cacert", in->cmd->access.cacert);
	buffer_str(line, " --quiet");
	if (in->no_remote)
		return;
	put_file(line, "--token-file", in->cmd->access.token_file);
	if (in->allow_public)
		buffer_str(line, " --allow-public");
	buffer_str(line, " --push");
}

/* What stands in our environment does not stand in cron's. */
static void next_secrets(struct init *in)
{
	if (!in->database && !in->key_file && in->key_in_environment)
		init_next(in, "cron does not know DBSTOW_FETCH_KEY: write the "
			      "key to a file of mode 0600 and add --key-file "
			      "FILE");
	if (in->url && !strncmp(in->url, "https://", 8) &&
	    !in->cmd->access.token_file && in->token_in_environment)
		init_next(in, "cron does not know the token: write it to a "
			      "file of mode 0600 and add --token-file FILE");
}

/* To cron, a '%' is the end of a line. */
static void escape_percent(struct buffer *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '%')
			buffer_byte(out, '\\');
		buffer_byte(out, *text);
	}
}

static void next_cron(struct init *in)
{
	struct buffer command = BUFFER_INIT, line = BUFFER_INIT;
	char *db = in->database ? realpath(in->database, NULL) : NULL;

	put_program(&command);
	buffer_str(&command, in->database ? " export " : " fetch ");
	shell_quote(&command, db ? db : in->what);
	put_options(in, &command);
	if (buffer_cstr(&command))
		escape_percent(&line, command.data);
	if (buffer_cstr(&line))
		init_next(in, "cron: 7 0 * * %s  %s", in->daily ? "*" : "0",
			  line.data);
	next_secrets(in);
	buffer_release(&command);
	buffer_release(&line);
	free(db);
}

/* ---- looking after it ---- */

/* A workflow's snapshots are at the remote, and not here. */
static void next_status(struct init *in)
{
	struct buffer line = BUFFER_INIT;

	buffer_str(&line, "dbstow status");
	put_repo(in, &line);
	if (in->kind != WORKFLOW_NONE && in->url &&
	    in->place != PLACE_OTHERWISE)
		put_text(&line, "--remote", in->url);
	buffer_printf(&line,
		      " --max-age %s: exit 7 when no fresh, proven snapshot is "
		      "there",
		      in->daily ? "2d" : "8d");
	next_line(in, &line);
}

static void next_restore(struct init *in)
{
	struct buffer line = BUFFER_INIT;

	buffer_str(&line, "to restore: dbstow restore --to NEW.db");
	put_repo(in, &line);
	if (in->url) {
		buffer_str(&line, ", from anywhere with --remote ");
		shell_quote(&line, in->url);
	}
	next_line(in, &line);
}

void init_next_steps(struct init *in)
{
	next_off_site(in);
	next_commit(in);
	if (in->kind != WORKFLOW_NONE)
		next_workflow(in);
	else if (!in->before.workflow)
		next_cron(in);
	next_status(in);
	next_restore(in);
}
