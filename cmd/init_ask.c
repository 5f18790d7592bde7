/* init_ask.c - questions on a terminal, or what stands for the answers */

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/error.h"
#include "cmd/init.h"
#include "gitstore/sync.h"

#define OWNER_CHARACTERS                                                       \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"

static int on_terminal(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

int init_agree(const struct init *in, const char *question)
{
	char *line;
	int yes;

	if (in->yes)
		return 1;
	if (!on_terminal())
		return 0;
	fprintf(stderr, "%s [y/N]: ", question);
	line = cmd_answer();
	yes = line && (!strcasecmp(line, "y") || !strcasecmp(line, "yes"));
	free(line);
	return yes;
}

/* Ask until something is typed. @param otherwise  stands for nothing; or NULL
 */
static int ask(struct init *in, const char *question, const char *otherwise,
	       const char **out, struct error *err)
{
	char *line = NULL;

	while (!line || (!*line && !otherwise)) {
		free(line);
		fprintf(stderr, "%s%s%s%s: ", question, otherwise ? " [" : "",
			otherwise ? otherwise : "", otherwise ? "]" : "");
		line = cmd_answer();
		if (!line)
			return error_set(err, ERROR_INTERRUPTED,
					 "interrupted; nothing was changed");
	}
	in->answers[in->answer_count++] = line;
	*out = *line ? line : otherwise;
	return 0;
}

/* What no flag said: the answer, or without a question what is usual. */
static int settle(struct init *in, const char **place, const char *question,
		  const char *usual, struct error *err)
{
	if (*place)
		return 0;
	if (in->asking)
		return ask(in, question, usual, place, err);
	*place = usual;
	return 0;
}

static int is_url(const char *text)
{
	return !strncmp(text, "https://", 8) || !strncmp(text, "http://", 7);
}

/* ---- what is usual ---- */

/* A value of the configuration, else `otherwise`. */
static int configured(struct init *in, const char *key, const char *otherwise,
		      const char **out, struct error *err)
{
	char *value = NULL;

	if (in->store && gitstore_config(in->store, key, &value, err) < 0)
		return -1;
	if (value)
		in->answers[in->answer_count++] = value;
	*out = value ? value : otherwise;
	return 0;
}

static int usual_remote(struct init *in, const char **out, struct error *err)
{
	struct sync_names names;

	if (configured(in, "dbstow.remote", NULL, out, err) < 0)
		return -1;
	in->configured = *out;
	if (*out)
		return 0;
	*out = "none";
	if (in->store &&
	    sync_names_find(in->store, "origin", &names, NULL) == 0) {
		*out = "origin";
		sync_names_release(&names);
	}
	return 0;
}

/* ---- the answers ---- */

/* "DB|URL, --remote" of what no flag said. */
static int refuse_to_guess(const struct init *in, struct error *err)
{
	struct buffer missing = BUFFER_INIT;

	if (!in->what)
		buffer_str(&missing, ", DB or URL");
	if (!in->remote && !in->yes)
		buffer_str(&missing, ", --remote NAME|URL|none");
	if (!in->workflow && !in->yes)
		buffer_str(&missing, ", --workflow none|export|fetch");
	if (!missing.size)
		return 0;
	if (!buffer_cstr(&missing)) {
		buffer_release(&missing);
		return error_nomem(err);
	}
	error_set(err, ERROR_USAGE, "there is no terminal to ask on; give %s%s",
		  missing.data + 2,
		  in->yes || !in->what ? "" : ", or --yes for the defaults");
	buffer_release(&missing);
	return -1;
}

static int parse_keep(struct init *in, const char *text, struct error *err)
{
	size_t digits = strspn(text, "0123456789");

	in->keep = digits && digits <= 7 && !text[digits]
			   ? (unsigned int)strtoul(text, NULL, 10)
			   : 0;
	if (!in->keep || in->keep > 1000000)
		return error_set(err, ERROR_USAGE,
				 "'%s' is not a whole number from 1 to 1000000",
				 text);
	return 0;
}

static int take_words(struct init *in, struct error *err)
{
	static const char *const workflows[] = { "none", "export", "fetch" };
	size_t i = 0;

	while (i < 3 && strcmp(workflows[i], in->workflow) != 0)
		i++;
	if (i == 3)
		return error_set(err, ERROR_USAGE,
				 "--workflow takes 'none', 'export' or "
				 "'fetch', not '%s'",
				 in->workflow);
	in->kind = (enum init_workflow)i;
	if ((in->kind == WORKFLOW_FETCH) != is_url(in->what) &&
	    in->kind != WORKFLOW_NONE)
		return error_set(err, ERROR_USAGE,
				 in->kind == WORKFLOW_FETCH
					 ? "the workflow 'fetch' needs the URL "
					   "of an export, not a database"
					 : "the workflow 'export' needs a "
					   "database, not a URL");
	in->daily = !strcmp(in->schedule, "daily");
	if (!in->daily && strcmp(in->schedule, "weekly") != 0)
		return error_set(err, ERROR_USAGE,
				 "--schedule takes 'weekly' or 'daily', not "
				 "'%s'",
				 in->schedule);
	if (in->action && (!*in->action || *in->action == '-' ||
			   in->action[strspn(in->action, OWNER_CHARACTERS)]))
		return error_set(err, ERROR_USAGE,
				 "--action takes the name of an owner on "
				 "GitHub, not '%s'",
				 in->action);
	in->no_remote = !strcmp(in->remote, "none");
	if (in->push && in->no_remote)
		return error_set(err, ERROR_USAGE,
				 "--push needs a --remote to push to");
	if (!is_url(in->what))
		return cmd_database(in->what, &in->database, err);
	return 0;
}

int init_ask(struct init *in, struct error *err)
{
	const char *branch, *remote, *usual_keep, *keep = NULL;

	in->asking = !in->yes && on_terminal();
	if (!in->what)
		in->what = getenv("DBSTOW_DB");
	if (in->what && !*in->what)
		in->what = NULL;
	if (!in->asking && refuse_to_guess(in, err) < 0)
		return -1;
	if (settle(in, &in->what,
		   "Database file, or URL that answers with its export", NULL,
		   err) < 0 ||
	    usual_remote(in, &remote, err) < 0 ||
	    settle(in, &in->remote,
		   "Git remote for a copy off-site: a name, a URL, or none",
		   remote, err) < 0 ||
	    configured(in, "dbstow.branch", GITSTORE_BRANCH, &branch, err) <
		    0 ||
	    settle(in, &in->cmd->branch, "Branch of the snapshots", branch,
		   err) < 0 ||
	    configured(in, "dbstow.keep", "8", &usual_keep, err) < 0)
		return -1;
	if (!in->keep && (settle(in, &keep, "How many snapshots to keep",
				 usual_keep, err) < 0 ||
			  parse_keep(in, keep, err) < 0))
		return -1;
	if (settle(in, &in->workflow, "GitHub workflow: none, export or fetch",
		   is_url(in->what) ? "fetch" : "none", err) < 0)
		return -1;
	in->asking &= strcmp(in->workflow, "none") != 0;
	if (settle(in, &in->schedule, "How often: weekly or daily", "weekly",
		   err) < 0)
		return -1;
	return take_words(in, err);
}
