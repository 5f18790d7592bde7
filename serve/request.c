/*
 * request.c - from a request's head to its answer
 *
 * Nothing of a request names anything: a path is one of two words or it is
 * none, queries and bodies are refused.  What libmicrohttpd (0.9.75) lets pass
 * and should not is refused here: two lengths, a length and a coding, blanks in
 * header names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "serve/server_internal.h"

#define AGAIN_S "15" /* what Retry-After says */

/* ---- the head ---- */

struct head {
	size_t hosts, lengths, codings, authorizations;
	const char *host, *length, *authorization;
	struct buffer accept, none_match; /* lists may stand in several lines */
	int odd;
};

/* RFC 9110, section 5.6.2 */
static int is_token(const char *text)
{
	const char *at = text;

	while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
	       (*at >= '0' && *at <= '9') ||
	       (*at && strchr("!#$%&'*+-.^_`|~", *at)))
		at++;
	return at > text && !*at;
}

static void add_line(struct buffer *list, const char *value)
{
	if (list->size)
		buffer_str(list, ", ");
	buffer_str(list, value);
}

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind,
				   const char *key, const char *value)
{
	struct head *h = cls;

	(void)kind;
	value = value ? value : "";
	if (!is_token(key)) {
		h->odd = 1;
	} else if (!strcasecmp(key, "Host")) {
		h->hosts++;
		h->host = value;
	} else if (!strcasecmp(key, "Content-Length")) {
		h->lengths++;
		h->length = value;
	} else if (!strcasecmp(key, "Transfer-Encoding")) {
		h->codings++;
	} else if (!strcasecmp(key, "Authorization")) {
		h->authorizations++;
		h->authorization = value;
	} else if (!strcasecmp(key, "Accept-Encoding")) {
		add_line(&h->accept, value);
	} else if (!strcasecmp(key, "If-None-Match")) {
		add_line(&h->none_match, value);
	}
	return MHD_YES;
}

static enum MHD_Result bad(struct request *r, const char *why)
{
	return reply_error(r, MHD_HTTP_BAD_REQUEST, "bad_request", why, NULL,
			   NULL);
}

/* Is it one request, with one meaning, for us?  Where not, it is answered and
 * `*rc` set. @return 1: it is */
static int is_sound(struct request *r, const struct head *h,
		    enum MHD_Result *rc)
{
	const struct server *s = r->server;
	uint64_t length = 0;

	if (h->odd || h->lengths > 1 || h->codings > 1 ||
	    (h->lengths && h->codings) || h->authorizations > 1 ||
	    (h->lengths && headers_length(h->length, &length) < 0))
		*rc = bad(r, "the request's headers contradict each other");
	else if (h->hosts != 1)
		*rc = bad(r, "a request has one Host");
	else if (length || h->codings)
		*rc = reply_error(r, 413, "too_large",
				  "no request here has a body", NULL, NULL);
	else if (!headers_host(h->host, s->place.host, s->o))
		*rc = reply_error(r, 421, "wrong_host",
				  "this host is not served here; see --host",
				  NULL, NULL);
	else
		return 1;
	return 0;
}

/* ---- who asks ---- */

/* @return 1: somebody with a key; 0: it is answered and `*rc` set */
static int is_allowed(struct request *r, const struct head *h,
		      enum MHD_Result *rc)
{
	size_t size = 0;
	const char *token = headers_bearer(h->authorization, &size);
	const char *name;

	if (!token) {
		*rc = reply_error(r, MHD_HTTP_UNAUTHORIZED, "unauthorized",
				  "a key is needed: Authorization: Bearer KEY",
				  "WWW-Authenticate", "Bearer");
		return 0;
	}
	name = keys_find(r->server->keys, token, size);
	if (!name) {
		*rc = reply_error(r, MHD_HTTP_FORBIDDEN, "forbidden",
				  "this key may not have the export", NULL,
				  NULL);
		return 0;
	}
	snprintf(r->key, sizeof(r->key), "%s", name);
	return 1;
}

/* ---- waiting ---- */

static enum MHD_Result wait_as(struct request *r, enum stage stage)
{
	r->stage = stage;
	r->suspended = 1;
	MHD_suspend_connection(r->connection);
	return MHD_YES;
}

void request_resume(struct request *r)
{
	r->suspended = 0;
	r->server->run_again = 1;
	r->moved_ms = server_now_ms();
	MHD_resume_connection(r->connection);
}

static enum MHD_Result busy(struct request *r)
{
	return reply_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "busy",
			   "another export is running; try again later",
			   "Retry-After", AGAIN_S);
}

/* ---- /export ---- */

static void queue(struct server *s, struct request *r)
{
	struct request **at = &s->exports;

	while (*at)
		at = &(*at)->next;
	*at = r;
	s->export_count++;
}

static void unqueue(struct server *s, struct request *r)
{
	for (struct request **at = &s->exports; *at; at = &(*at)->next) {
		if (*at == r) {
			*at = r->next;
			*(r->made ? &s->made_count : &s->export_count) -= 1;
			return;
		}
	}
}

static enum MHD_Result give_export(struct request *r, struct head *h)
{
	struct server *s = r->server;
	enum MHD_Result rc;

	if (!is_allowed(r, h, &rc))
		return rc;
	r->coding =
		headers_coding(h->accept.size ? buffer_cstr(&h->accept) : NULL);
	if (r->coding == CODING_NONE)
		return reply_error(r, MHD_HTTP_NOT_ACCEPTABLE, "not_acceptable",
				   "an export comes as it is or with gzip",
				   NULL, NULL);
	if (!strcmp(r->method, "HEAD"))
		return reply_document(r);
	if (s->stop_by_ms || s->export_count > s->o->queue)
		return busy(r);
	if (h->none_match.size) {
		r->if_none_match = buffer_detach(&h->none_match);
		if (!r->if_none_match)
			return MHD_NO;
	}
	queue(s, r);
	return wait_as(r, STAGE_QUEUED);
}

static void say_why(struct request *r)
{
	server_say(r->server, "an export failed: %s",
		   job_error(r->job)->message);
}

/* Its job has said its first word. */
static enum MHD_Result begun(struct request *r)
{
	switch (job_state(r->job)) {
	case JOB_SAME:
		return reply_unchanged(r);
	case JOB_COMING:
		return reply_document(r);
	case JOB_CLOSED:
		say_why(r);
		return reply_error(r, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "unavailable",
				   "the database cannot be opened",
				   "Retry-After", AGAIN_S);
	case JOB_FAILED:
		say_why(r);
		return reply_error(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "failed",
				   "the database cannot be exported; the "
				   "server's log says why",
				   NULL, NULL);
	default:
		return wait_as(r, STAGE_BEGUN);
	}
}

/* ---- /healthz ---- */

static enum MHD_Result health(struct request *r)
{
	int healthy = server_ask_health(r->server);

	if (healthy > 0)
		return reply_healthy(r);
	if (healthy == 0)
		return reply_error(r, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "unavailable",
				   "the database cannot be opened", NULL, NULL);
	r->server->health_waiting++;
	return wait_as(r, STAGE_HEALTH);
}

/* ---- all of them ---- */

static enum MHD_Result answer(struct request *r, const char *url,
			      const char *method, struct head *h)
{
	int is_export = !strcmp(url, "/export");
	enum MHD_Result rc;

	if (!is_sound(r, h, &rc))
		return rc;
	if ((!is_export && strcmp(url, "/healthz") != 0) ||
	    MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND,
				      NULL, NULL) > 0)
		return reply_error(r, MHD_HTTP_NOT_FOUND, "not_found",
				   "there is /export and /healthz, without a "
				   "query",
				   NULL, NULL);
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return reply_error(
			r, MHD_HTTP_METHOD_NOT_ALLOWED, "method_not_allowed",
			"this is read with GET or HEAD", "Allow", "GET, HEAD");
	return is_export ? give_export(r, h) : health(r);
}

/* A key that somebody put into the path is not logged.  @return how much of the
 * path can be: all, if it holds none */
static size_t shown_size(struct server *s, const char *url, size_t most)
{
	size_t length = strlen(url);

	for (size_t i = 0; i < length && i < most; i++) {
		if (keys_find(s->keys, url + i, length - i) ||
		    keys_find(s->keys, url + i, strcspn(url + i, "/&;,")))
			return i;
	}
	return length;
}

static void note_path(struct request *r, const char *url)
{
	const size_t most = sizeof(r->path) - 8;
	size_t size = shown_size(r->server, url, most), used = 0;

	for (size_t i = 0; i < size && used < most; i++) {
		unsigned char c = (unsigned char)url[i];

		if (c > ' ' && c < 0x7f && c != '"' && c != '\\')
			r->path[used++] = (char)c;
		else
			used += (size_t)snprintf(r->path + used, 5, "\\x%02x",
						 (unsigned int)c);
	}
	snprintf(r->path + used, 4, "%s",
		 url[size] ? "***" : (used >= most ? "..." : ""));
}

static struct request *request_new(struct server *s,
				   struct MHD_Connection *connection,
				   const char *url, const char *method)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct client *c = info ? info->socket_context : NULL;
	struct request *r = c && !c->served ? calloc(1, sizeof(*r)) : NULL;

	if (!r)
		return NULL;
	r->server = s;
	r->connection = connection;
	r->client = c;
	r->begun_ms = r->moved_ms = server_now_ms();
	snprintf(r->method, sizeof(r->method), "%s",
		 is_token(method) && strlen(method) < sizeof(r->method) ? method
									: "?");
	note_path(r, url);
	c->request = r;
	c->served = 1;
	return r;
}

static enum MHD_Result go_on(struct request *r)
{
	if (r->gone)
		return MHD_NO;
	if (r->stage == STAGE_HEALTH)
		return health(r);
	if (r->stage == STAGE_BEGUN && r->job)
		return begun(r);
	return r->stage == STAGE_QUEUED && !r->refused
		       ? wait_as(r, STAGE_QUEUED)
		       : busy(r);
}

enum MHD_Result request_take(void *cls, struct MHD_Connection *connection,
			     const char *url, const char *method,
			     const char *version, const char *upload_data,
			     size_t *upload_size, void **context)
{
	struct head h = { .accept = BUFFER_INIT, .none_match = BUFFER_INIT };
	struct request *r = *context;
	enum MHD_Result rc;

	(void)version;
	(void)upload_data;
	(void)upload_size;
	if (r)
		return go_on(r);
	r = *context = request_new(cls, connection, url, method);
	if (!r)
		return MHD_NO;
	MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, &h);
	rc = buffer_failed(&h.accept) || buffer_failed(&h.none_match)
		     ? MHD_NO
		     : answer(r, url, method, &h);
	buffer_release(&h.accept);
	buffer_release(&h.none_match);
	return rc;
}

void request_done(void *cls, struct MHD_Connection *connection, void **context,
		  enum MHD_RequestTerminationCode how)
{
	struct request *r = *context;
	struct server *s = cls;

	(void)connection;
	*context = NULL;
	if (!r)
		return;
	reply_log(r, how != MHD_REQUEST_TERMINATED_COMPLETED_OK);
	unqueue(s, r);
	/* a job that still runs is stopped, and freed when it has ended */
	if (r->job && r->job == s->running)
		job_stop(r->job);
	else
		job_free(r->job);
	r->client->request = NULL;
	free(r->if_none_match);
	free(r);
}
