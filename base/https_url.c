/*
 * https_url.c - which URLs we go to, and how they are shown
 *
 * libcurl parses them, here as when it connects, so that both mean the same
 * host.
 */
#include <stdlib.h>
#include <string.h>

#include "base/https_internal.h"
#include "base/said.h"

static int is_loopback(const char *host)
{
	return !strcmp(host, "localhost") || !strcmp(host, "127.0.0.1") ||
	       !strcmp(host, "[::1]");
}

char *https_url_text(const char *url)
{
	CURLU *u = curl_url();
	char *text = NULL, *out = NULL;

	if (!u)
		return NULL;
	if (curl_url_set(u, CURLUPART_URL, url, 0) ||
	    curl_url_set(u, CURLUPART_USER, NULL, 0) ||
	    curl_url_set(u, CURLUPART_PASSWORD, NULL, 0) ||
	    curl_url_set(u, CURLUPART_OPTIONS, NULL, 0) ||
	    curl_url_set(u, CURLUPART_QUERY, NULL, 0) ||
	    curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) ||
	    curl_url_get(u, CURLUPART_URL, &text, 0)) {
		curl_url_cleanup(u);
		return strdup("?");
	}
	out = malloc(strlen(text) + 1);
	if (out)
		said_line(out, strlen(text) + 1, text, strlen(text));
	curl_free(text);
	curl_url_cleanup(u);
	return out;
}

/* Blanks and control characters: what could end a line of the request. */
static int is_clean(const char *url)
{
	for (; *url; url++)
		if ((unsigned char)*url <= 0x20 || *url == 0x7f)
			return 0;
	return 1;
}

static int has(CURLU *u, CURLUPart part)
{
	char *text = NULL;
	int found = !curl_url_get(u, part, &text, 0);

	curl_free(text);
	return found;
}

static int check_scheme(CURLU *u, const char *shown, int allow_http_loopback,
			struct error *err)
{
	char *scheme = NULL, *host = NULL;
	int rc = 0;

	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0))
		rc = error_set(err, ERROR_USAGE, "'%s' names no host", shown);
	else if (!strcmp(scheme, "https"))
		rc = 0;
	else if (strcmp(scheme, "http") != 0)
		rc = error_set(err, ERROR_USAGE, "'%s' is no https:// address",
			       shown);
	else if (!is_loopback(host))
		rc = error_set(err, ERROR_USAGE,
			       "'%s' is not encrypted; use https://", shown);
	else if (!allow_http_loopback)
		rc = error_set(err, ERROR_USAGE,
			       "'%s' is not encrypted; use https://, or allow "
			       "it on this machine with --allow-http",
			       shown);
	curl_free(scheme);
	curl_free(host);
	return rc;
}

int https_url_parse(CURLU **out, const char *url, int allow_http_loopback,
		    struct error *err)
{
	CURLU *u = curl_url();
	char *shown = https_url_text(url);
	int rc = -1;

	*out = NULL;
	if (!u || !shown) {
		error_nomem(err);
		goto done;
	}
	if (!is_clean(url) || curl_url_set(u, CURLUPART_URL, url, 0)) {
		error_set(err, ERROR_USAGE,
			  "'%s' is no URL; one is 'https://HOST/PATH'", shown);
		goto done;
	}
	if (has(u, CURLUPART_USER) || has(u, CURLUPART_PASSWORD)) {
		error_set(err, ERROR_USAGE,
			  "the URL '%s' holds a user name or password, which "
			  "would be seen by others; take it out, and give the "
			  "key by an environment variable or a file (see "
			  "--help)",
			  shown);
		goto done;
	}
	if (check_scheme(u, shown, allow_http_loopback, err) < 0)
		goto done;
	*out = u;
	u = NULL;
	rc = 0;
done:
	curl_url_cleanup(u);
	free(shown);
	return rc;
}

char *https_url_host(CURLU *u)
{
	char *host = NULL, *port = NULL, *out = NULL;

	if (curl_url_get(u, CURLUPART_HOST, &host, 0))
		return NULL;
	curl_url_get(u, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
	if (asprintf(&out, "%s%s%s", host, port ? ":" : "", port ? port : "") <
	    0)
		out = NULL;
	for (char *p = out; p && *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	curl_free(host);
	curl_free(port);
	return out;
}

int https_url_check(const char *url, int allow_http_loopback, char **host,
		    char **path, struct error *err)
{
	char *text = NULL;
	CURLU *u;
	int rc = 0;

	if (host)
		*host = NULL;
	if (path)
		*path = NULL;
	if (https_url_parse(&u, url, allow_http_loopback, err) < 0)
		return -1;
	if (host && !(*host = https_url_host(u)))
		rc = error_nomem(err);
	if (!rc && path &&
	    (curl_url_get(u, CURLUPART_PATH, &text, 0) ||
	     !(*path = strdup(text))))
		rc = error_nomem(err);
	if (rc && host) {
		free(*host);
		*host = NULL;
	}
	curl_free(text);
	curl_url_cleanup(u);
	return rc;
}
