/*
 * sync_names.c - which remotes are meant
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "gitstore/gitstore_internal.h"
#include "gitstore/sync.h"

void sync_names_release(struct sync_names *n)
{
	while (n->count) {
		n->count--;
		free(n->names[n->count]);
		free(n->urls[n->count]);
	}
	free(n->names);
	free(n->urls);
	free(n->token_file);
	memset(n, 0, sizeof(*n));
}

/* Both texts become the list's, whatever comes. */
static int add(struct sync_names *n, char *name, char *url, struct error *err)
{
	char **names = realloc(n->names, (n->count + 1) * sizeof(*names));
	char **urls = realloc(n->urls, (n->count + 1) * sizeof(*urls));

	if (names)
		n->names = names;
	if (urls)
		n->urls = urls;
	if (!names || !urls || !name || !url) {
		free(name);
		free(url);
		return error_nomem(err);
	}
	names[n->count] = name;
	urls[n->count++] = url;
	return 0;
}

/* A relative path in the configuration is seen from the top of the work tree,
 * as git sees it. */
static char *from_the_top(struct gitstore *g, char *url)
{
	const char *top = git_repository_workdir(g->repo);
	size_t size = strcspn(url, ":/");
	char *path;

	if (url[0] == '/' || url[size] == ':')
		return url;
	path = path_join(top ? top : g->common, url);
	free(url);
	return path;
}

/* "remote.NAME.pushurl", else "remote.NAME.url"; new memory or NULL */
static char *configured_url(struct gitstore *g, const char *name)
{
	static const char *const keys[] = { "pushurl", "url" };
	struct buffer key = BUFFER_INIT;
	char *url = NULL;
	size_t i;

	for (i = 0; i < 2 && !url; i++) {
		buffer_clear(&key);
		buffer_printf(&key, "remote.%s.%s", name, keys[i]);
		if (buffer_cstr(&key))
			url = repository_config(g, key.data);
		if (url && !*url) {
			free(url);
			url = NULL;
		}
	}
	buffer_release(&key);
	return url ? from_the_top(g, url) : NULL;
}

/* What no remote is called: "../x.git", "git@host:x", "https://host/x" */
static int is_url(const char *text)
{
	return strpbrk(text, "/:") || !strcmp(text, ".") || !strcmp(text, "..");
}

static int add_one(struct gitstore *g, const char *what, struct sync_names *n,
		   struct error *err)
{
	char *url = configured_url(g, what);

	if (!url && is_url(what))
		url = strdup(what);
	else if (!url)
		return error_set(err, ERROR_USAGE,
				 "there is no remote '%s'; add it with 'git "
				 "remote add %s URL', or give a URL or a path "
				 "with a '/' in it",
				 what, what);
	return add(n, strdup(what), url, err);
}

/*
 * "origin disk": names and URLs between blanks.  The file ".dbstow" comes with
 * the work tree, perhaps from somebody else: it may choose among the remotes
 * that the user has configured, but not say where else the rows shall go.
 */
static int add_configured(struct gitstore *g, const char *list,
			  struct sync_names *n, struct error *err)
{
	char *text = strdup(list), *rest = text, *word;
	char *own = repository_config(g, "dbstow.remote");
	int trusted = own && !strcmp(own, list);
	int rc = text ? 0 : error_nomem(err);

	while (!rc && (word = strsep(&rest, " \t\n,"))) {
		if (!trusted && is_url(word))
			rc = error_set(err, ERROR_REFUSED,
				       "'.dbstow' may name remotes that are "
				       "configured, not '%s'; see 'git remote "
				       "add', or use git config dbstow.remote",
				       word);
		else if (*word)
			rc = add_one(g, word, n, err);
	}
	free(own);
	free(text);
	return rc;
}

static int add_default(struct gitstore *g, struct sync_names *n,
		       struct error *err)
{
	char *url = configured_url(g, "origin");

	if (url)
		return add(n, strdup("origin"), url, err);
	return error_set(err, ERROR_USAGE,
			 "there is no remote 'origin'; name one (dbstow sync "
			 "URL), or set it: git config dbstow.remote URL");
}

int sync_names_find(struct gitstore *g, const char *what,
		    struct sync_names *out, struct error *err)
{
	char *list = NULL;
	int rc;

	memset(out, 0, sizeof(*out));
	/* never what a work tree says: it would be sent */
	out->token_file = repository_config(g, "dbstow.tokenfile");
	if (what) {
		rc = add_one(g, what, out, err);
	} else {
		rc = gitstore_config(g, "dbstow.remote", &list, err);
		if (!rc && list)
			rc = add_configured(g, list, out, err);
		if (!rc && !out->count)
			rc = add_default(g, out, err);
		free(list);
	}
	if (rc < 0)
		sync_names_release(out);
	return rc;
}
