/*
 * remote_url.c - URLs of remotes, read as git reads them
 *
 *   https://host[:port]/path
 *   ssh://[user@]host[:port]/path     ssh://host/~user/path
 *   [user@]host:path                  a colon before the first slash
 *   file:///path    /path    ./path
 *
 * A password in a URL ends up in process lists, logs and .git/config, so one
 * that has it is refused and never repeated.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gitstore/remote_internal.h"

#define URL_MAX 4096

static int is_unprintable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return 1;
	return 0;
}

/* The part of "SCHEME://" URLs between the slashes. */
static int has_userinfo(const char *rest)
{
	const char *at = memchr(rest, '@', strcspn(rest, "/?#"));

	return at != NULL;
}

static int has_password(const char *rest)
{
	size_t size = strcspn(rest, "/?#");
	const char *at = memrchr(rest, '@', size);

	return at && memchr(rest, ':', (size_t)(at - rest));
}

static int userinfo_refused(const char *scheme, const char *rest,
			    struct error *err)
{
	const char *at = memrchr(rest, '@', strcspn(rest, "/?#"));

	return error_set(err, ERROR_REFUSED,
			 "the URL '%s...@%s' holds a user name or a password, "
			 "which others can see there; leave it out, and put "
			 "a token into DBSTOW_TOKEN or a file for "
			 "--token-file",
			 scheme, at + 1);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%20" -> " ", in place; @return 0, or -1: a NUL or a control character */
static int decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		int high = *text == '%' ? hex_digit(text[1]) : -1;
		int low = high >= 0 ? hex_digit(text[2]) : -1;

		if (low < 0) {
			*to++ = *text;
			continue;
		}
		*to++ = (char)(high * 16 + low);
		text += 2;
		if ((unsigned char)to[-1] < ' ' || to[-1] == 0x7f)
			return -1;
	}
	*to = '\0';
	return 0;
}

static int malformed(const char *text, const char *why, struct error *err)
{
	return error_set(err, ERROR_USAGE,
			 "cannot use the remote's URL '%s': %s", text, why);
}

/* "host", "host:22", "[::1]:22": the host and the port are cut apart. */
static int split_host(struct remote_url *u, const char *text, char *host,
		      struct error *err)
{
	char *user_end = strrchr(host, '@');
	char *name = user_end ? user_end + 1 : host;
	char *close = *name == '[' ? strchr(name, ']') : NULL;
	char *colon = strchr(close ? close : name, ':');

	if (*name == '[' && !close)
		return malformed(text, "it has no ']'", err);
	if (colon) {
		*colon++ = '\0';
		if (*colon && strspn(colon, "0123456789") != strlen(colon))
			return malformed(text, "its port is no number", err);
		if (*colon && !(u->port = strdup(colon)))
			return error_nomem(err);
	}
	if (close) { /* ssh takes addresses without brackets */
		*close = '\0';
		memmove(name, name + 1, strlen(name));
	}
	/* An option for ssh otherwise: git had that hole once. */
	if (!*name || *name == '-' || *host == '-')
		return malformed(text, "it names no host", err);
	u->host = strdup(host);
	return u->host ? 0 : error_nomem(err);
}

static int parse_ssh(struct remote_url *u, const char *text, const char *rest,
		     struct error *err)
{
	char *copy = strdup(rest), *slash;
	int rc = -1;

	if (!copy)
		return error_nomem(err);
	slash = strchr(copy, '/');
	if (!slash || !slash[1]) {
		malformed(text, "it names no repository", err);
		goto done;
	}
	/* "/~user/x" is relative to a home folder, as "~user/x" */
	u->path = strdup(slash[1] == '~' ? slash + 1 : slash);
	*slash = '\0';
	if (!u->path)
		error_nomem(err);
	else if (decode(copy) < 0 || decode(u->path) < 0)
		malformed(text, "it holds control characters", err);
	else
		rc = split_host(u, text, copy, err);
done:
	free(copy);
	return rc;
}

/* user@host:path; the path is relative to the home folder there */
static int parse_scp(struct remote_url *u, const char *text, const char *colon,
		     struct error *err)
{
	char *host = strndup(text, (size_t)(colon - text));
	int rc;

	if (!host)
		return error_nomem(err);
	u->kind = REMOTE_SSH;
	u->path = strdup(colon + 1);
	if (!u->path)
		rc = error_nomem(err);
	else if (!*u->path || *u->path == '-')
		rc = malformed(text, "it names no repository", err);
	else
		rc = split_host(u, text, host, err);
	free(host);
	return rc;
}

static int parse_file(struct remote_url *u, const char *text, const char *path,
		      int encoded, struct error *err)
{
	char *copy = strdup(path);

	u->kind = REMOTE_FILE;
	if (!copy)
		return error_nomem(err);
	if (encoded && decode(copy) < 0) {
		free(copy);
		return malformed(text, "it holds control characters", err);
	}
	/* in full, so that it can't be taken for an option */
	u->path = realpath(copy, NULL);
	if (!u->path)
		error_errno(err, ERROR_NETWORK, "cannot find the remote '%s'",
			    copy);
	free(copy);
	return u->path ? 0 : -1;
}

static int is_loopback(const char *rest)
{
	static const char *const names[] = { "127.0.0.1", "localhost",
					     "[::1]" };
	size_t size = strcspn(rest, "/?#"), i, n;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		n = strlen(names[i]);
		if (size >= n && !strncmp(rest, names[i], n) &&
		    (size == n || rest[n] == ':'))
			return 1;
	}
	return 0;
}

static int parse_https(struct remote_url *u, const char *text, const char *rest,
		       struct error *err)
{
	size_t size = strcspn(rest, "/?#");

	u->kind = REMOTE_HTTPS;
	if (!size || !rest[size] || strpbrk(rest, "?#"))
		return malformed(text,
				 "it is not like "
				 "'https://host/folder/name.git'",
				 err);
	u->host = strndup(rest, strcspn(rest, ":/"));
	return u->host ? 0 : error_nomem(err);
}

/* What stands behind "SCHEME://", or NULL */
static const char *behind(const char *text, const char *scheme)
{
	size_t size = strlen(scheme);

	return !strncasecmp(text, scheme, size) ? text + size : NULL;
}

/* "NAME::ADDRESS" runs git-remote-NAME */
static int is_helper(const char *text)
{
	size_t size = strcspn(text, ":/@[");

	return size && text[size] == ':' && text[size + 1] == ':';
}

static int parse(struct remote_url *u, const char *text, int loopback,
		 struct error *err)
{
	const char *colon = strchr(text, ':');
	const char *rest;

	if ((rest = behind(text, "https://")))
		return has_userinfo(rest)
			       ? userinfo_refused("https://", rest, err)
			       : parse_https(u, text, rest, err);
	if ((rest = behind(text, "http://"))) {
		if (has_userinfo(rest))
			return userinfo_refused("http://", rest, err);
		if (loopback && is_loopback(rest))
			return parse_https(u, text, rest, err);
		return error_set(err, ERROR_REFUSED,
				 "'%s' is not encrypted: everybody on the way "
				 "could read the data; use https://",
				 text);
	}
	if ((rest = behind(text, "ssh://"))) {
		u->kind = REMOTE_SSH;
		return has_password(rest)
			       ? userinfo_refused("ssh://", rest, err)
			       : parse_ssh(u, text, rest, err);
	}
	if ((rest = behind(text, "file://")))
		return parse_file(u, text, rest, 1, err);
	if (strstr(text, "://") || is_helper(text))
		return error_set(err, ERROR_USAGE,
				 "cannot use a remote like '%.*s...'; dbstow "
				 "talks https://, ssh:// and to folders",
				 (int)(strcspn(text, "/@") < 12
					       ? strcspn(text, "/@")
					       : 12),
				 text);
	if (colon && colon < text + strcspn(text, "/"))
		return parse_scp(u, text,
				 *text == '[' ? strstr(text, "]:") + 1 : colon,
				 err);
	return parse_file(u, text, text, 0, err);
}

int remote_url_parse(struct remote_url *out, const char *text,
		     int allow_http_loopback, struct error *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	if (!*text || strlen(text) > URL_MAX || is_unprintable(text))
		return error_set(err, ERROR_USAGE,
				 "a remote's URL is empty, too long or holds "
				 "control characters");
	rc = parse(out, text, allow_http_loopback, err);
	if (!rc && !(out->text = strdup(text)))
		rc = error_nomem(err);
	if (rc < 0)
		remote_url_release(out);
	return rc;
}

void remote_url_escape(struct buffer *out, const char *text, const char *also)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
				    "qrstuvwxyz0123456789-._~";

	for (; *text; text++)
		if (strchr(plain, *text) || strchr(also, *text))
			buffer_byte(out, *text);
		else
			buffer_printf(out, "%%%02X", (unsigned char)*text);
}

void remote_url_release(struct remote_url *u)
{
	free(u->text);
	free(u->host);
	free(u->port);
	free(u->path);
	memset(u, 0, sizeof(*u));
}
