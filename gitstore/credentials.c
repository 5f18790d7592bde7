/*
 * credentials.c - who we are to a git server over HTTPS
 */
#include "gitstore/credentials.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/https.h"
#include "base/process.h"
#include "base/secret.h"
#include "gitstore/gitstore_internal.h"

/* What servers of git take for a user where the password is a token. */
#define TOKEN_USER "x-access-token"

#define HELPER_S     40 /* it may have to ask another machine */
#define ANSWER_BYTES ((size_t)64 << 10)

struct credentials {
	char *url, *shown; /* shown: for people */
	char *git_folder;  /* or NULL */
	char *host, *path;
	int (*interrupted)(void);
	struct secret *token; /* alive, so that an echo of it is taken out */
	struct secret *header;
	char *tried;
	int asked;
	struct buffer answer; /* what the helpers gave; they get it back */
};

/* The host that DBSTOW_TOKEN went to, as long as we run. */
static pthread_mutex_t token_lock = PTHREAD_MUTEX_INITIALIZER;
static char *token_host;

static void wipe(struct buffer *b)
{
	if (b->data)
		explicit_bzero(b->data, b->capacity);
	buffer_release(b);
}

/* ---- tokens ---- */

/* Is `host` the one that DBSTOW_TOKEN is for?  The first one asked for is. */
static int token_is_for(const char *host)
{
	int is;

	pthread_mutex_lock(&token_lock);
	if (!token_host)
		token_host = strdup(host);
	is = token_host && !strcmp(token_host, host);
	pthread_mutex_unlock(&token_lock);
	return is;
}

/* Is there one, which went to another host? */
static int token_is_elsewhere(const char *host)
{
	struct secret *token = NULL;
	int is = !token_is_for(host) &&
		 !secret_from_environment(&token, "DBSTOW_TOKEN", NULL);

	secret_free(token);
	return is;
}

/* GITHUB_TOKEN is what a workflow gets from GitHub, for GitHub. */
static int is_github(const char *host)
{
	const char *server = getenv("GITHUB_SERVER_URL");
	char *own = NULL;
	int is = !strcmp(host, "github.com");

	if (!is && server && !https_url_check(server, 0, &own, NULL, NULL))
		is = !strcmp(host, own);
	free(own);
	return is;
}

static int set_tried(struct credentials *c, const char *text,
		     const char *subject, struct error *err)
{
	free(c->tried);
	if (asprintf(&c->tried, "%s%s%s%s", text, subject ? " '" : "",
		     subject ? subject : "", subject ? "'" : "") < 0) {
		c->tried = NULL;
		return error_nomem(err);
	}
	return 0;
}

static int use_token(struct credentials *c, const char *text, const char *file,
		     struct error *err)
{
	if (secret_header(&c->header, c->token, "Basic ", TOKEN_USER, err) < 0)
		return -1;
	return set_tried(c, text, file, err);
}

/* @return 0: used; 1: there is none; -1 */
static int token_of_variable(struct credentials *c, const char *name,
			     const char *text, struct error *err)
{
	int rc = secret_from_environment(&c->token, name, err);

	return rc ? rc : use_token(c, text, NULL, err);
}

static int token_of_file(struct credentials *c, const char *path,
			 struct error *err)
{
	if (secret_from_file(&c->token, path, err) < 0)
		return -1;
	return use_token(c, "the token in the file", path, err);
}

static const char *why_no_token(const char *host)
{
	const char *github = getenv("GITHUB_TOKEN");

	if (token_is_elsewhere(host))
		return "no token (DBSTOW_TOKEN is for the host that was asked "
		       "first)";
	if (github && *github && !is_github(host))
		return "no token (GITHUB_TOKEN is for GitHub alone)";
	return "no token";
}

static int find_token(struct credentials *c, const char *file,
		      struct error *err)
{
	int rc = 1;

	if (token_is_for(c->host))
		rc = token_of_variable(c, "DBSTOW_TOKEN",
				       "the token in DBSTOW_TOKEN", err);
	if (rc == 1 && is_github(c->host))
		rc = token_of_variable(c, "GITHUB_TOKEN",
				       "the token in GITHUB_TOKEN", err);
	if (rc == 1 && file)
		rc = token_of_file(c, file, err);
	return rc == 1 ? set_tried(c, why_no_token(c->host), NULL, err) : rc;
}

int credentials_for(struct credentials **out, struct gitstore *g,
		    const struct credentials_options *o, struct error *err)
{
	struct credentials *c = calloc(1, sizeof(*c));
	int rc = -1;

	*out = NULL;
	if (!c)
		return error_nomem(err);
	c->interrupted = o->interrupted;
	if (https_url_check(o->url, 1, &c->host, &c->path, err) < 0)
		goto done;
	c->url = strdup(o->url);
	c->shown = https_url_text(o->url);
	c->git_folder = g ? strdup(g->common) : NULL;
	if (!c->url || !c->shown || (g && !c->git_folder)) {
		error_nomem(err);
		goto done;
	}
	if (find_token(c, o->token_file, err) < 0)
		goto done;
	*out = c;
	c = NULL;
	rc = 0;
done:
	credentials_free(c);
	return rc;
}

const struct secret *credentials_header(const struct credentials *c)
{
	return c->header;
}

int credentials_bearer(const struct credentials *c, struct secret **out,
		       struct error *err)
{
	*out = NULL;
	return c && c->token
		       ? secret_header(out, c->token, "Bearer ", NULL, err)
		       : 0;
}

const char *credentials_tried(const struct credentials *c)
{
	return c->tried;
}

void credentials_free(struct credentials *c)
{
	if (!c)
		return;
	secret_free(c->token);
	secret_free(c->header);
	wipe(&c->answer);
	free(c->url);
	free(c->shown);
	free(c->git_folder);
	free(c->host);
	free(c->path);
	free(c->tried);
	free(c);
}

/* ---- git's credential helpers ---- */

static int start_git(struct process **out, const struct credentials *c,
		     const char *verb)
{
	/* They must not ask on a terminal where nobody may sit; an empty
	 * GIT_ASKPASS keeps git from core.askPass and SSH_ASKPASS, too. */
	static const char *const set[] = { "GIT_TERMINAL_PROMPT=0",
					   "GIT_ASKPASS=", NULL };
	static const char *const unset[] = { "GIT_DIR",        "GIT_WORK_TREE",
					     "GIT_INDEX_FILE", "GIT_TRACE",
					     "GIT_TRACE_CURL", NULL };
	const char *argv[8];
	size_t n = 0;

	argv[n++] = "git";
	if (c->git_folder) {
		argv[n++] = "--git-dir";
		argv[n++] = c->git_folder;
	}
	argv[n++] = "credential";
	argv[n++] = verb;
	argv[n] = NULL;
	return process_start(
		out,
		&(struct process_options){ .argv = argv,
					   .set = set,
					   .unset = unset,
					   .what = "git credential",
					   .stall_s = HELPER_S,
					   .interrupted = c->interrupted },
		NULL);
}

/* @return 0, or -1: too much, or it stalled */
static int read_answer(struct process *p, struct buffer *answer,
		       struct error *err)
{
	size_t got = 0;

	/* once: growing would leave copies that nobody wipes */
	if (buffer_reserve(answer, ANSWER_BYTES) < 0)
		return error_nomem(err);
	do {
		answer->size += got;
		if (answer->size == ANSWER_BYTES)
			return -1;
		if (process_read(p, answer->data + answer->size,
				 ANSWER_BYTES - answer->size, &got, err) < 0)
			return -1;
	} while (got);
	return 0;
}

/* Run "git credential VERB" with `text`.
 * @return 0, or -1 when it failed in any way */
static int run_git(const struct credentials *c, const char *verb,
		   const struct buffer *text, struct buffer *answer,
		   struct error *err)
{
	struct process *p = NULL;
	int status = 1, rc = -1;

	if (start_git(&p, c, verb) < 0)
		return -1;
	if (process_write(p, text->data, text->size, err) < 0)
		goto done;
	process_close_input(p);
	if (answer && read_answer(p, answer, err) < 0)
		goto done;
	if (process_end(p, &status, err) < 0)
		goto done;
	rc = status ? -1 : 0;
done:
	process_free(p);
	return rc;
}

/* The value of "KEY=" in the answer, not NUL-terminated; NULL: none. */
static const char *value_of(const struct buffer *b, const char *key,
			    size_t *size)
{
	const char *p = b->data, *end = p + b->size;
	size_t n = strlen(key);

	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));

		if (!stop)
			stop = end;
		if ((size_t)(stop - p) > n && !memcmp(p, key, n) &&
		    p[n] == '=') {
			*size = (size_t)(stop - p) - n - 1;
			return p + n + 1;
		}
		p = stop + 1;
	}
	return NULL;
}

/* @return 0; 1: the answer has no password; -1 */
static int use_answer(struct credentials *c, struct error *err)
{
	size_t user_size = 0, size = 0;
	const char *user = value_of(&c->answer, "username", &user_size);
	const char *value = value_of(&c->answer, "password", &size);
	char *name = NULL;
	int rc = -1;

	if (!user || !value || !size)
		return 1;
	name = strndup(user, user_size);
	if (!name) {
		error_nomem(err);
		goto done;
	}
	if (secret_new(&c->token, "git's credential helper", value, size, err) <
		    0 ||
	    secret_header(&c->header, c->token, "Basic ", name, err) < 0 ||
	    set_tried(c, "what git's credential helpers gave for the user",
		      name, err) < 0)
		goto done;
	rc = 0;
done:
	free(name);
	return rc;
}

/* What git wants to know: a line each, ended by an empty one. */
static void put_question(const struct credentials *c, struct buffer *out)
{
	size_t scheme = strcspn(c->url, ":");

	buffer_str(out, "protocol=");
	for (size_t i = 0; i < scheme; i++)
		buffer_byte(out, (char)(c->url[i] | 0x20));
	buffer_printf(out, "\nhost=%s\npath=%s\n\n", c->host,
		      c->path + (c->path[0] == '/'));
}

/* @param why  what went wrong with them; no text: nothing did */
static int helpers_gave_none(struct credentials *c, const struct error *why,
			     struct error *err)
{
	const char *failed = why->code ? why->message : "";
	char *before = c->tried;
	int n;

	n = asprintf(&c->tried, "%s, and git's credential helpers %s%s", before,
		     *failed ? "gave none: " : "know none", failed);
	if (n < 0)
		c->tried = NULL;
	free(before);
	return n < 0 ? error_nomem(err) : 1;
}

int credentials_ask(struct credentials *c, struct error *err)
{
	struct buffer question = BUFFER_INIT;
	struct error why = ERROR_INIT;
	int rc = 1;

	if (c->header || c->asked)
		return 1;
	c->asked = 1;
	put_question(c, &question);
	if (buffer_failed(&question))
		rc = error_nomem(err);
	else if (!run_git(c, "fill", &question, &c->answer, &why))
		rc = use_answer(c, err);
	else if (why.code == ERROR_INTERRUPTED || why.code == ERROR_NOMEM)
		rc = error_set(err, why.code, "%s", why.message);
	if (rc)
		wipe(&c->answer);
	if (rc == 1)
		rc = helpers_gave_none(c, &why, err);
	buffer_release(&question);
	return rc;
}

/* Failing here changes nothing for us. */
static void tell_helpers(struct credentials *c, const char *verb)
{
	if (!c->answer.size)
		return;
	run_git(c, verb, &c->answer, NULL, NULL);
	wipe(&c->answer);
}

void credentials_accepted(struct credentials *c)
{
	tell_helpers(c, "approve");
}

int credentials_refused(struct credentials *c, const struct https_reply *reply,
			struct error *err)
{
	const char *text = https_status_text(reply->status);
	const char *said = reply->said;

	if (reply->status == 401)
		tell_helpers(c, "reject");
	if (!c->header)
		return error_set(err, ERROR_NETWORK,
				 "'%s' wants to know who we are (%d %s), and "
				 "there is %s; set DBSTOW_TOKEN or name a file "
				 "with --token-file",
				 c->shown, reply->status, text, c->tried);
	return error_set(err, ERROR_NETWORK,
			 "'%s' refused %s (%d %s)%s%.1000s; has it expired, or "
			 "may it not do this here?",
			 c->shown, c->tried, reply->status, text,
			 *said ? ": " : "", said);
}
