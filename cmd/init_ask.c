/* init_ask.c - questions on a terminal, or what stands for the answers */

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/error.h"
#include "base/https.h"
#include "cmd/init.h"
#include "gitstore/sync.h"

static int on_terminal(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static int interrupted(struct error *err)
{
	return error_set(err, ERROR_INTERRUPTED,
			 "interrupted; nothing was changed");
}

static int is_yes(const char *text)
{
	return !strcasecmp(text, "y") || !strcasecmp(text, "yes");
}

int init_agree(const struct init *in, const char *question, struct error *err)
{
	char *line;
	int yes;

	if (in->yes)
		return 1;
	if (!on_terminal())
		return 0;
	fprintf(stderr, "%s [y/N]: ", question);
	line = cmd_answer();
	if (!line && cmd_interrupted())
		return interrupted(err);
	yes = line && is_yes(line);
	free(line);
	return yes;
}

/* Is it an answer?  What is not is told, and asked for again. */
typedef int (*answer_check)(struct init *in, const char *text,
			    struct error *err);

struct question {
	const char *text;
	const char *usual; /* stands for nothing typed; or NULL */
	answer_check good;
};

/* @return 1 when `line` will do; 0: told why not; -1 */
static int take_answer(struct init *in, const struct question *q, char *line,
		       const char **out, struct error *err)
{
	struct error why = ERROR_INIT;

	*out = *line ? line : q->usual;
	if (!*out)
		return 0;
	if (q->good(in, *out, &why) == 0) {
		in->answers[in->answer_count++] = line;
		return 1;
	}
	if (why.code == ERROR_INTERRUPTED)
		return interrupted(err);
	fprintf(stderr, "dbstow: %s\n", why.message);
	return 0;
}

static int ask(struct init *in, const struct question *q, const char **out,
	       struct error *err)
{
	char *line;
	int rc;

	do {
		fprintf(stderr, "%s%s%s%s: ", q->text, q->usual ? " [" : "",
			q->usual ? q->usual : "", q->usual ? "]" : "");
		line = cmd_answer();
		if (!line)
			return interrupted(err);
		rc = take_answer(in, q, line, out, err);
		if (rc != 1)
			free(line);
	} while (!rc);
	return rc < 0 ? -1 : 0;
}

/* What no flag said: the answer, or without a question what is usual. */
static int settle(struct init *in, const char **place, struct question q,
		  struct error *err)
{
	if (*place)
		return 0;
	if (in->asking)
		return ask(in, &q, place, err);
	*place = q.usual;
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

/* ---- what is an answer, and what is none ---- */

/* A database is looked at as soon as it is named. */
static int good_what(struct init *in, const char *text, struct error *err)
{
	if (is_url(text))
		return https_url_check(text, in->allow_http, NULL, NULL, err);
	if (cmd_database(text, &in->database, err) < 0)
		return -1;
	return init_check_database(in, err);
}

/* Where there is no repository yet, no remote has a name. */
static int good_remote(struct init *in, const char *text, struct error *err)
{
	struct sync_names names;

	if (!strcmp(text, "none") ||
	    (in->configured && !strcmp(text, in->configured)))
		return 0;
	if (!in->store && !strpbrk(text, "/:"))
		return error_set(err, ERROR_USAGE,
				 "there is no remote '%s'; give a URL, or a "
				 "path with a '/' in it",
				 text);
	if (!in->store)
		return 0;
	if (sync_names_find(in->store, text, &names, err) < 0)
		return -1;
	sync_names_release(&names);
	return 0;
}

static int good_branch(struct init *in, const char *text, struct error *err)
{
	const char *name;

	(void)in;
	return gitstore_branch_name(text, &name, err);
}

static int good_keep(struct init *in, const char *text, struct error *err)
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

static int good_workflow(struct init *in, const char *text, struct error *err)
{
	static const char *const workflows[] = { "none", "export", "fetch" };
	size_t i = 0;

	while (i < 3 && strcmp(workflows[i], text) != 0)
		i++;
	if (i == 3)
		return error_set(err, ERROR_USAGE,
				 "--workflow takes 'none', 'export' or "
				 "'fetch', not '%s'",
				 text);
	in->kind = (enum init_workflow)i;
	if ((in->kind == WORKFLOW_FETCH) != is_url(in->what) &&
	    in->kind != WORKFLOW_NONE)
		return error_set(err, ERROR_USAGE,
				 in->kind == WORKFLOW_FETCH
					 ? "the workflow 'fetch' needs the URL "
					   "of an export, not a database"
					 : "the workflow 'export' needs a "
					   "database, not a URL");
	return 0;
}

static int good_schedule(struct init *in, const char *text, struct error *err)
{
	in->daily = !strcmp(text, "daily");
	if (in->daily || !strcmp(text, "weekly"))
		return 0;
	return error_set(err, ERROR_USAGE,
			 "--schedule takes 'weekly' or 'daily', not '%s'",
			 text);
}

static int good_owner(struct init *in, const char *text, struct error *err)
{
	(void)in;
	if (*text && *text != '-' && !text[strspn(text, INIT_OWNER_CHARACTERS)])
		return 0;
	return error_set(err, ERROR_USAGE,
			 "--action takes the name of an owner on GitHub, not "
			 "'%s'",
			 text);
}

static int good_push(struct init *in, const char *text, struct error *err)
{
	in->push = is_yes(text);
	if (in->push || !strcasecmp(text, "n") || !strcasecmp(text, "no"))
		return 0;
	return error_set(err, ERROR_USAGE, "'%s' is not 'yes' or 'no'", text);
}

/* ---- all of it ---- */

/* What flags said was not looked at yet. */
static int take_words(struct init *in, struct error *err)
{
	if (good_workflow(in, in->workflow, err) < 0 ||
	    good_schedule(in, in->schedule, err) < 0 ||
	    (in->action && good_owner(in, in->action, err) < 0))
		return -1;
	in->no_remote = !strcmp(in->remote, "none");
	if (in->push && in->no_remote)
		return error_set(err, ERROR_USAGE,
				 "--push needs a --remote to push to");
	if (!is_url(in->what))
		return cmd_database(in->what, &in->database, err);
	return 0;
}

static int ask_source(struct init *in, struct error *err)
{
	const struct question q = {
		"Database file, or URL that answers with its export", NULL,
		good_what
	};
	const int given = in->what != NULL;

	if (settle(in, &in->what, q, err) < 0)
		return -1;
	/* before the questions, and not after them */
	return given && in->asking ? good_what(in, in->what, err) : 0;
}

static int ask_storing(struct init *in, struct error *err)
{
	const char *branch, *remote, *usual_keep, *keep = NULL;

	if (usual_remote(in, &remote, err) < 0 ||
	    settle(in, &in->remote,
		   (struct question){ "Git remote for a copy off-site: a name, "
				      "a URL, or none",
				      remote, good_remote },
		   err) < 0 ||
	    configured(in, "dbstow.branch", GITSTORE_BRANCH, &branch, err) <
		    0 ||
	    settle(in, &in->cmd->branch,
		   (struct question){ "Branch of the snapshots", branch,
				      good_branch },
		   err) < 0 ||
	    configured(in, "dbstow.keep", "8", &usual_keep, err) < 0)
		return -1;
	if (in->keep)
		return 0;
	if (settle(in, &keep,
		   (struct question){ "How many snapshots to keep", usual_keep,
				      good_keep },
		   err) < 0)
		return -1;
	return good_keep(in, keep, err);
}

/* What is there already is what is proposed; --yes alone adds no workflow. */
static int ask_workflow(struct init *in, struct error *err)
{
	const char *usual = is_url(in->what) ? "fetch" : "none";
	const char *owner;

	if (init_files_before(in, err) < 0)
		return -1;
	if (in->before.workflow)
		usual = in->before.workflow;
	if (settle(in, &in->workflow,
		   (struct question){ "GitHub workflow: none, export or fetch",
				      in->asking ? usual : "none",
				      good_workflow },
		   err) < 0)
		return -1;
	if (!strcmp(in->workflow, "none")) {
		if (!in->schedule)
			in->schedule = in->before.schedule;
		return 0;
	}
	owner = in->before.owner ? in->before.owner : "later";
	if (settle(in, &in->schedule,
		   (struct question){ "How often: weekly or daily",
				      in->before.schedule, good_schedule },
		   err) < 0 ||
	    settle(in, &in->action,
		   (struct question){ "Owner on GitHub of the dbstow that "
				      "workflows use, or later",
				      owner, good_owner },
		   err) < 0)
		return -1;
	if (!strcmp(in->action, "later"))
		in->action = NULL;
	return 0;
}

static int ask_push(struct init *in, struct error *err)
{
	const char *push = in->push || !in->asking ? "" : NULL;

	if (!strcmp(in->remote, "none"))
		return 0;
	return settle(in, &push,
		      (struct question){ "Bring the snapshot to the remote at "
					 "once: yes or no",
					 "yes", good_push },
		      err);
}

int init_ask(struct init *in, struct error *err)
{
	in->asking = !in->yes && on_terminal();
	if (!in->what)
		in->what = getenv("DBSTOW_DB");
	if (in->what && !*in->what)
		in->what = NULL;
	if (!in->asking && refuse_to_guess(in, err) < 0)
		return -1;
	if (ask_source(in, err) < 0 || ask_storing(in, err) < 0 ||
	    ask_workflow(in, err) < 0 || ask_push(in, err) < 0)
		return -1;
	return take_words(in, err);
}
