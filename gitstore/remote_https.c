/*
 * remote_https.c - a channel over HTTPS: git's "smart HTTP"
 *
 * GET URL/info/refs?service=git-... greets, POST URL/git-... asks.  Each stands
 * alone; gitprotocol-http has it all.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/https.h"
#include "gitstore/credentials.h"
#include "gitstore/remote_internal.h"

/* Some hosts look for "git/" to tell a git client from a browser. */
#define AGENT "git/2.0 (dbstow " DBSTOW_VERSION ")"

struct web {
	struct channel channel; /* first */
	struct remote *r;
	enum remote_service service;
};

static const char *service_name(enum remote_service service)
{
	return service == SERVICE_FETCH ? "git-upload-pack"
					: "git-receive-pack";
}

static int feed(void *payload, const void *data, size_t size, struct error *err)
{
	return pkt_feed(payload, data, size, err);
}

int remote_https_open(struct remote *r, struct error *err)
{
	struct https_options o = { .cacert = r->cacert,
				   .allow_http_loopback =
					   r->allow_http_loopback,
				   .agent = AGENT,
				   .stall_s = REMOTE_STALL_S,
				   .interrupted = r->interrupted };

	return r->https ? 0 : https_open(&r->https, &o, err);
}

static int find_credentials(struct remote *r, struct error *err)
{
	struct credentials_options o = { .url = r->url.text,
					 .token_file = r->token_file,
					 .interrupted = r->interrupted };

	return r->credentials ? 0
			      : credentials_for(&r->credentials, r->g, &o, err);
}

/* "it answered 404" says little where git hosts hide what one may not see. */
static int refused(struct remote *r, const struct https_request *q,
		   const struct https_reply *reply, struct error *err)
{
	if (reply->status == 404)
		return error_set(err, ERROR_NETWORK,
				 "there is no git repository at %s, or it is "
				 "not shown to who asks with %s",
				 r->label, credentials_tried(r->credentials));
	if (reply->status == 401 || reply->status == 403)
		return credentials_refused(r->credentials, reply, err);
	return https_refused(q, reply, err);
}

/* @return 0: a whole 2xx answer; -1 */
static int send(struct remote *r, struct https_request *q, struct error *err)
{
	struct https_reply reply;
	int rc, again;

	do {
		again = 0;
		q->secret = credentials_header(r->credentials);
		q->secret_name = q->secret ? "Authorization" : NULL;
		rc = https_send(r->https, q, &reply, err);
		if (!rc && (reply.status == 401 || reply.status == 403)) {
			rc = credentials_ask(r->credentials, err);
			again = !rc;
		}
		if (rc >= 0 && !again && reply.status / 100 != 2)
			rc = refused(r, q, &reply, err);
		else if (!rc && !again)
			credentials_accepted(r->credentials);
		https_reply_release(&reply);
	} while (again);
	return rc < 0 ? -1 : 0;
}

static int cut_off(struct remote *r, struct error *err)
{
	return error_set(err, ERROR_NETWORK,
			 "the remote %s ended the connection in the middle of "
			 "an answer",
			 r->label);
}

/* "https://host/x.git" and "/git-upload-pack"; new memory */
static char *address(const struct remote *r, const char *tail, const char *name)
{
	struct buffer url = BUFFER_INIT;
	size_t size = strlen(r->url.text);

	while (size && r->url.text[size - 1] == '/')
		size--;
	buffer_add(&url, r->url.text, size);
	buffer_printf(&url, "%s%s", tail, name);
	return buffer_detach(&url);
}

/* A push is in version 0. */
static const struct https_header version_2[] = { { "Git-Protocol",
						   "version=2" } };

static int greet(struct channel *c, struct pkt_reader *in, struct error *err)
{
	struct web *w = (struct web *)c;
	const char *name = service_name(w->service);
	struct https_request q = { .headers = version_2,
				   .header_count = w->service == SERVICE_FETCH,
				   .body_fd = -1,
				   .compressed = 1,
				   .total_s = REMOTE_REFS_S,
				   .take = feed,
				   .payload = in };
	char *url = address(w->r, "/info/refs?service=", name);
	int rc;

	if (!url)
		return error_nomem(err);
	q.url = url;
	rc = send(w->r, &q, err);
	free(url);
	return rc < 0 ? -1 : (in->done ? 0 : cut_off(w->r, err));
}

static int ask(struct channel *c, const struct request *request,
	       struct pkt_reader *in, struct error *err)
{
	struct web *w = (struct web *)c;
	const char *name = service_name(w->service);
	struct https_header headers[2];
	struct buffer types = BUFFER_INIT;
	struct https_request q = { .post = 1,
				   .headers = headers,
				   .header_count = 1,
				   .head = request->head.data,
				   .head_bytes = request->head.size,
				   .body_fd = request->body_fd,
				   .body_bytes = request->body_size,
				   .total_s = REMOTE_TOTAL_S,
				   .take = feed,
				   .payload = in };
	char *url = address(w->r, "/", name);
	char accept[64];
	int rc;

	buffer_printf(&types, "application/x-%s-request", name);
	snprintf(accept, sizeof(accept), "application/x-%s-result", name);
	headers[0].name = "Content-Type";
	headers[0].value = buffer_cstr(&types);
	if (w->service == SERVICE_FETCH)
		headers[q.header_count++] = version_2[0];
	q.accept = accept;
	q.url = url;
	rc = url && headers[0].value ? send(w->r, &q, err) : error_nomem(err);
	buffer_release(&types);
	free(url);
	return rc < 0 ? -1 : (in->done ? 0 : cut_off(w->r, err));
}

static void close_web(struct channel *c)
{
	free(c);
}

int https_channel(struct channel **out, struct remote *r,
		  enum remote_service service, struct error *err)
{
	struct web *w;

	if (remote_https_open(r, err) < 0 || find_credentials(r, err) < 0)
		return -1;
	w = calloc(1, sizeof(*w));
	if (!w)
		return error_nomem(err);
	w->channel.greet = greet;
	w->channel.ask = ask;
	w->channel.close = close_web;
	w->r = r;
	w->service = service;
	*out = &w->channel;
	return 0;
}
