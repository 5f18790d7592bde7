/*
 * remote_readers.c - can the whole world read a remote?
 *
 * Over https it is asked as a stranger.  Over ssh nobody is one; but the hosts
 * where most people's repositories lie serve each over https as well, under the
 * same path, and are asked there.  An own server's https may be anything, so no
 * other is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/https.h"
#include "gitstore/remote_internal.h"

#define ADVERTISEMENT "application/x-git-upload-pack-advertisement"
#define QUESTION      "/info/refs?service=git-upload-pack"

/* ssh may work where https is blocked: then this is lost with each push. */
#define FORGE_S 5

/* The second names of the first three listen on port 443. */
static const struct forge {
	const char *ssh, *web;
} forges[] = {
	{ "github.com", "github.com" },
	{ "ssh.github.com", "github.com" },
	{ "gist.github.com", "gist.github.com" },
	{ "gitlab.com", "gitlab.com" },
	{ "altssh.gitlab.com", "gitlab.com" },
	{ "bitbucket.org", "bitbucket.org" },
	{ "altssh.bitbucket.org", "bitbucket.org" },
	{ "codeberg.org", "codeberg.org" },
};

static const char *forge_of(const char *host)
{
	for (size_t i = 0; i < sizeof(forges) / sizeof(*forges); i++)
		if (!strcasecmp(host, forges[i].ssh))
			return forges[i].web;
	return NULL;
}

/* The forge behind an ssh remote, or NULL. */
static int find_forge(struct remote *r, const char **out, struct error *err)
{
	char *host;
	int rc;

	*out = forge_of(remote_host(r));
	if (*out)
		return 0;
	rc = remote_ssh_host(r, &host, err);
	if (!rc)
		*out = forge_of(host);
	free(host);
	return rc < 0 ? -1 : 0;
}

/* "/owner/name.git/" and "owner/name" -> "https://HOST/owner/name.git/..."; all
 * of them know the ".git", and GitLab would send us to it.  New memory. */
static char *forge_url(const char *host, const char *path)
{
	struct buffer url = BUFFER_INIT;
	size_t size;

	buffer_printf(&url, "https://%s/", host);
	size = url.size;
	remote_url_escape(&url, path + strspn(path, "/"), "/");
	while (url.size > size && url.data[url.size - 1] == '/')
		url.size--;
	if (url.size < 4 || memcmp(url.data + url.size - 4, ".git", 4) != 0)
		buffer_str(&url, ".git");
	buffer_str(&url, QUESTION);
	return buffer_detach(&url);
}

static int ask(struct remote *r, const char *url, unsigned int total_s,
	       struct https_reply *reply, struct error *err)
{
	struct https_request q = { .url = url,
				   .body_fd = -1,
				   .total_s = total_s };

	return https_send(r->https, &q, reply, err);
}

/* A page to log in has status 200, too. */
static enum remote_readers judge(const struct https_reply *reply)
{
	int status = reply->status;

	if (status == 200 && reply->content_type &&
	    !strcmp(reply->content_type, ADVERTISEMENT))
		return READERS_WORLD;
	if (status == 401 || status == 403 || status == 404)
		return READERS_SOME;
	return READERS_UNKNOWN;
}

/* Where to ask again: a repository that was renamed is found by its old name,
 * over ssh as well.  New memory; NULL: nowhere */
static char *moved_to(const struct https_reply *reply, const char *host)
{
	const char *rest = reply->redirect;
	size_t size = strlen(host);

	if (!rest || strncmp(rest, "https://", 8) != 0 ||
	    strncmp(rest + 8, host, size) != 0 || rest[8 + size] != '/')
		return NULL;
	return strdup(rest);
}

static int ask_forge(struct remote *r, const char *host,
		     enum remote_readers *out, struct error *err)
{
	char *url = forge_url(host, r->url.path);
	int rc = url ? 0 : error_nomem(err);

	*out = READERS_UNKNOWN;
	for (int i = 0; i < 2 && url && !rc; i++) {
		struct error why = ERROR_INIT;
		struct https_reply reply;

		ask(r, url, FORGE_S, &reply, &why);
		*out = judge(&reply);
		free(url);
		url = moved_to(&reply, host);
		https_reply_release(&reply);
		if (why.code == ERROR_INTERRUPTED || why.code == ERROR_NOMEM)
			rc = error_set(err, why.code, "%s", why.message);
	}
	free(url);
	return rc;
}

static int ask_ssh(struct remote *r, enum remote_readers *out,
		   struct error *err)
{
	const char *host;

	if (find_forge(r, &host, err) < 0)
		return -1;
	if (!host)
		return 0;
	/* --cacert, which ssh does not need, may name nothing */
	if (remote_https_open(r, NULL) < 0) {
		*out = READERS_UNKNOWN;
		return 0;
	}
	return ask_forge(r, host, out, err);
}

static int ask_https(struct remote *r, enum remote_readers *out,
		     struct error *err)
{
	struct buffer url = BUFFER_INIT;
	struct https_reply reply;
	int rc = -1;

	if (remote_https_open(r, err) < 0)
		return -1;
	buffer_str(&url, r->url.text);
	while (url.size && url.data[url.size - 1] == '/')
		url.size--;
	buffer_str(&url, QUESTION);
	if (!buffer_cstr(&url)) {
		error_nomem(err);
		goto done;
	}
	rc = ask(r, url.data, REMOTE_REFS_S, &reply, err);
	if (!rc && reply.status == 200)
		*out = READERS_WORLD;
	https_reply_release(&reply);
done:
	buffer_release(&url);
	return rc;
}

int remote_readers(struct remote *r, int allow_public, enum remote_readers *out,
		   struct error *err)
{
	int rc = 0;

	*out = READERS_SOME;
	if (r->url.kind == REMOTE_HTTPS)
		rc = ask_https(r, out, err);
	else if (r->url.kind == REMOTE_SSH)
		rc = ask_ssh(r, out, err);
	if (rc < 0 || *out != READERS_WORLD || allow_public)
		return rc;
	return error_set(err, ERROR_REFUSED,
			 "the remote %s can be read without a password: the "
			 "whole world would see every row; make the repository "
			 "private, or use --allow-public",
			 remote_label(r));
}
