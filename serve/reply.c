/*
 * reply.c - answers
 *
 * Every answer ends its connection: a second request on it would be a second
 * reading of where the first one ends, which is what request smuggling lives
 * on.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "serve/server_internal.h"

#define BLOCK_BYTES ((size_t)32 << 10)

static enum MHD_Result send_off(struct request *r, unsigned int status,
				struct MHD_Response *a, const char *name,
				const char *value)
{
	enum MHD_Result rc = MHD_NO;

	if (a &&
	    MHD_add_response_header(a, "Content-Type", "application/json") ==
		    MHD_YES &&
	    MHD_add_response_header(a, "Cache-Control", "no-store") ==
		    MHD_YES &&
	    MHD_add_response_header(a, "X-Content-Type-Options", "nosniff") ==
		    MHD_YES &&
	    MHD_add_response_header(a, "Connection", "close") == MHD_YES &&
	    (!name || MHD_add_response_header(a, name, value) == MHD_YES))
		rc = MHD_queue_response(r->connection, status, a);
	if (a)
		MHD_destroy_response(a);
	r->status = status;
	r->moved_ms = server_now_ms();
	return rc;
}

static enum MHD_Result send_text(struct request *r, unsigned int status,
				 const char *text, const char *name,
				 const char *value)
{
	/* the library copies it, though its pointer is not const */
	struct MHD_Response *a = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

	r->stage = STAGE_ANSWERED;
	r->bytes = strlen(text);
	return send_off(r, status, a, name, value);
}

enum MHD_Result reply_error(struct request *r, unsigned int status,
			    const char *code, const char *message,
			    const char *name, const char *value)
{
	char text[512];

	/* both are ours, and need no escapes */
	snprintf(text, sizeof(text),
		 "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n", code,
		 message);
	return send_text(r, status, text, name, value);
}

enum MHD_Result reply_healthy(struct request *r)
{
	return send_text(r, MHD_HTTP_OK, "{\"status\":\"ok\"}\n", NULL, NULL);
}

static int add_tag(struct request *r, struct MHD_Response *a)
{
	char tag[TAG_SIZE + 8];

	if (!a || !r->job || !job_tag(r->job)[0])
		return 0;
	snprintf(tag, sizeof(tag), "W/\"%s\"", job_tag(r->job));
	return MHD_add_response_header(a, "ETag", tag) == MHD_YES ? 0 : -1;
}

enum MHD_Result reply_unchanged(struct request *r)
{
	struct MHD_Response *a = MHD_create_response_from_buffer(
		0, (void *)(uintptr_t) "", MHD_RESPMEM_MUST_COPY);

	r->stage = STAGE_ANSWERED;
	add_tag(r, a);
	return send_off(r, MHD_HTTP_NOT_MODIFIED, a, "Vary", "Accept-Encoding");
}

/* ---- the document ---- */

/* libmicrohttpd's client can take more. */
static ssize_t more(void *cls, uint64_t at, char *out, size_t room)
{
	struct error err = ERROR_INIT;
	struct request *r = cls;
	ssize_t got;

	(void)at;
	if (r->gone || !r->job)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	r->moved_ms = server_now_ms();
	got = job_read(r->job, out, room, &err);
	if (got == -1)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (got == -2) {
		server_say(r->server, "an export failed: %s", err.message);
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	if (got == 0) {
		r->suspended = 1;
		MHD_suspend_connection(r->connection);
	}
	r->bytes += (uint64_t)got;
	return got;
}

enum MHD_Result reply_document(struct request *r)
{
	struct MHD_Response *a = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK_BYTES, more, r, NULL);

	r->stage = r->job ? STAGE_SENDING : STAGE_ANSWERED;
	if (a && r->coding == CODING_GZIP)
		MHD_add_response_header(a, "Content-Encoding", "gzip");
	add_tag(r, a);
	return send_off(r, MHD_HTTP_OK, a, "Vary", "Accept-Encoding");
}

/* ---- the log ---- */

void reply_log(struct request *r, int cut)
{
	const struct serve_options *o = r->server->o;
	char when[CLOCK_TEXT_SIZE], line[512];

	if (!o->log)
		return;
	clock_iso(when, clock_now());
	snprintf(line, sizeof(line),
		 "%s %s \"%s %s\" %u %llu bytes %lld ms%s%s%s%s", when,
		 r->client->address, r->method, r->path, r->status,
		 (unsigned long long)r->bytes,
		 (long long)(server_now_ms() - r->begun_ms),
		 r->coding == CODING_GZIP ? " gzip" : "",
		 r->key[0] ? " key=" : "", r->key, cut ? " cut off" : "");
	o->log(o->payload, line);
}
