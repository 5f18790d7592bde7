/*
 * remote_rules.c - what GitHub's rules say of a branch
 *
 * git's protocol tells nothing of rules before a push is refused.  GitHub's API
 * does: GET /repos/OWNER/NAME/rules/branches/BRANCH lists those that hold for a
 * branch, be it there or not.  Who asks may be free of them all the same, so
 * they are told and nothing is refused for them.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/https.h"
#include "base/secret.h"
#include "gitstore/credentials.h"
#include "gitstore/remote_internal.h"

#define ANSWER_BYTES ((size_t)1 << 20)

/* What a branch of snapshots cannot do with: its tip is written anew each time,
 * with several parents, by whoever exports, unsigned. */
static const struct rule {
	const char *type, *words;
} rules[] = {
	{ "non_fast_forward", "no force pushes" },
	{ "required_linear_history", "linear history" },
	{ "pull_request", "changes only by pull requests" },
	{ "update", "no updates" },
	{ "creation", "no new branches" },
	{ "required_signatures", "signed commits" },
	{ "required_status_checks", "status checks" },
	{ "merge_queue", "a merge queue" },
};

/* Where the API of a git host is, as far as that is known; NULL: nowhere */
static char *api_of(const char *host)
{
	const char *server = getenv("GITHUB_SERVER_URL");
	const char *api = getenv("GITHUB_API_URL");
	char *own = NULL, *out = NULL;

	if (!strcmp(host, "github.com"))
		return strdup("https://api.github.com");
	if (server && api && !strncmp(api, "https://", 8) &&
	    !https_url_check(server, 0, &own, NULL, NULL) && !strcmp(own, host))
		out = strdup(api);
	free(own);
	return out;
}

/* "/OWNER/NAME.git" of a URL -> "OWNER/NAME" appended; @return 1: it is none */
static int put_repository(struct buffer *out, const char *path)
{
	size_t size = strlen(path), slash;

	if (*path != '/')
		return 1;
	path++;
	size--;
	while (size && path[size - 1] == '/')
		size--;
	if (size > 4 && !memcmp(path + size - 4, ".git", 4))
		size -= 4;
	slash = strcspn(path, "/");
	if (!slash || slash + 1 >= size ||
	    memchr(path + slash + 1, '/', size - slash - 1))
		return 1;
	buffer_add(out, path, size);
	return 0;
}

/* The question's URL in new memory.  @return 0; 1: there is nobody to ask */
static int find_url(const struct remote *r, const char *branch, char **out,
		    struct error *err)
{
	struct buffer url = BUFFER_INIT;
	char *host = NULL, *path = NULL, *api = NULL;
	int rc = 1;

	if (r->url.kind == REMOTE_HTTPS &&
	    !https_url_check(r->url.text, 0, &host, &path, NULL))
		api = api_of(host);
	if (api && path) {
		buffer_printf(&url, "%s/repos/", api);
		rc = put_repository(&url, path);
	}
	if (!rc) {
		buffer_str(&url, "/rules/branches/");
		remote_url_escape(&url, branch, "");
		buffer_str(&url, "?per_page=100");
		*out = buffer_detach(&url);
		rc = *out ? 0 : error_nomem(err);
	}
	buffer_release(&url);
	free(host);
	free(path);
	free(api);
	return rc;
}

static int take(void *payload, const void *data, size_t size, struct error *err)
{
	struct buffer *out = payload;

	buffer_add(out, data, size);
	return buffer_failed(out) ? error_nomem(err) : 0;
}

/* @return 0 with the answer; 1: there was no good one */
static int ask(struct remote *r, const char *url, struct buffer *answer)
{
	static const struct https_header accept = {
		"Accept", "application/vnd.github+json"
	};
	struct https_request q = { .url = url,
				   .headers = &accept,
				   .header_count = 1,
				   .body_fd = -1,
				   .limit_bytes = ANSWER_BYTES,
				   .total_s = 30,
				   .take = take,
				   .payload = answer };
	struct https_reply reply;
	struct secret *token = NULL;
	int rc;

	if (remote_https_open(r, NULL) < 0 ||
	    credentials_bearer(r->credentials, &token, NULL) < 0)
		return 1;
	q.secret = token;
	q.secret_name = token ? "Authorization" : NULL;
	rc = https_send(r->https, &q, &reply, NULL);
	if (!rc && reply.status != 200)
		rc = 1;
	https_reply_release(&reply);
	secret_free(token);
	return rc ? 1 : 0;
}

/* The words for the rules that the answer names. @return 0; 1: it is no list */
static int read_rules(const struct buffer *answer, struct buffer *out)
{
	json_t *list = json_loadb(answer->data ? answer->data : "",
				  answer->size, 0, NULL);
	size_t i, j;

	if (!json_is_array(list)) {
		json_decref(list);
		return 1;
	}
	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		for (j = 0; j < json_array_size(list); j++) {
			const char *type = json_string_value(json_object_get(
				json_array_get(list, j), "type"));

			if (!type || strcmp(type, rules[i].type) != 0)
				continue;
			buffer_printf(out, "%s%s", out->size ? ", " : "",
				      rules[i].words);
			break;
		}
	json_decref(list);
	return 0;
}

int remote_rules(struct remote *r, const char *branch, char **out,
		 struct error *err)
{
	struct buffer answer = BUFFER_INIT, words = BUFFER_INIT;
	char *url = NULL;
	int rc;

	*out = NULL;
	rc = find_url(r, branch, &url, err);
	if (!rc)
		rc = ask(r, url, &answer);
	if (!rc)
		rc = read_rules(&answer, &words);
	if (!rc && words.size) {
		*out = buffer_detach(&words);
		if (!*out)
			rc = error_nomem(err);
	}
	buffer_release(&words);
	buffer_release(&answer);
	free(url);
	return rc;
}
