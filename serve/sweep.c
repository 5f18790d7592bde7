/*
 * sweep.c - whose turn it is, and who kept us waiting for too long
 *
 * libmicrohttpd's own time limit begins anew with every byte, so a client that
 * sends one a second would never be late: these count from the beginning.
 */
#include <poll.h>
#include <sys/socket.h>

#include "serve/server_internal.h"

/* From connecting to the end of the request's head. */
#define HEAD_MS       10000
#define HEAD_MS_TIGHT 2000  /* when half of the connections are taken */
#define SETTLED_MS    500   /* what was sent with the last byte was read */
#define ANSWER_MS     10000 /* to take a short answer */
/* Clients and proxies give up what is silent for half a minute or a minute. */
#define TURN_MS 15000
/* Documents that lie here until their clients have taken them. */
#define MADE_MOST 16

/* ---- turns ---- */

static void next_turn(struct server *s)
{
	struct job_options o = { .serve = s->o,
				 .known = &s->known,
				 .wake = s->wake };
	struct error err = ERROR_INIT;
	struct request *r = s->exports;

	while (r && (r->stage != STAGE_QUEUED || r->gone || r->refused))
		r = r->next;
	if (!r || s->running || s->made_count >= MADE_MOST)
		return;
	o.coding = r->coding;
	o.if_none_match = r->if_none_match;
	if (job_start(&r->job, &o, &err) < 0) {
		server_say(s, "an export failed: %s", err.message);
		r->refused = 1;
		return;
	}
	r->stage = STAGE_BEGUN;
	s->running = r->job;
}

/* Its transaction is over; its bytes may still be on their way. */
static void end_turn(struct server *s)
{
	struct request *r = s->exports;

	if (!s->running || !job_ended(s->running))
		return;
	while (r && r->job != s->running)
		r = r->next;
	if (r) {
		r->made = 1;
		s->made_count++;
		s->export_count--;
	} else { /* its client has left */
		job_free(s->running);
	}
	s->running = NULL;
}

static int has_news(const struct request *r)
{
	if (r->gone)
		return 1;
	switch (r->stage) {
	case STAGE_QUEUED:
		return r->refused;
	case STAGE_BEGUN:
		return job_state(r->job) != JOB_BEGUN;
	case STAGE_SENDING:
		return job_ready(r->job);
	default:
		return 0;
	}
}

static void tell_health(struct server *s)
{
	if (!s->health_waiting || health_ask(s->health) < 0)
		return;
	s->health_waiting = 0;
	for (struct client *c = s->oldest; c; c = c->next) {
		if (c->request && c->request->suspended &&
		    c->request->stage == STAGE_HEALTH)
			request_resume(c->request);
	}
}

void sweep_turns(struct server *s)
{
	end_turn(s);
	next_turn(s);
	for (struct request *r = s->exports; r; r = r->next) {
		if (r->suspended && has_news(r))
			request_resume(r);
	}
	tell_health(s);
}

/* ---- deadlines ---- */

static int has_left(const struct client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0;
}

/* Is a request to be ended? */
static int is_late(const struct server *s, const struct request *r, int64_t now)
{
	int64_t idle = now - r->moved_ms;

	switch (r->stage) {
	case STAGE_QUEUED:
	case STAGE_BEGUN:
	case STAGE_HEALTH:
		return has_left(r->client);
	case STAGE_SENDING:
		return now - r->begun_ms > (int64_t)s->o->timeout_s * 1000 ||
		       (r->suspended ? has_left(r->client)
				     : idle > (int64_t)s->o->idle_s * 1000);
	default:
		return idle > ANSWER_MS;
	}
}

static void look_at(struct server *s, struct client *c, int64_t head_ms,
		    int64_t now)
{
	struct request *r = c->request;

	if (!r) {
		/* libmicrohttpd waits for more also where none can come */
		if (now - c->since_ms > head_ms || c->served ||
		    (now - c->since_ms > SETTLED_MS && has_left(c)))
			shutdown(c->fd, SHUT_RDWR);
		return;
	}
	if (r->stage == STAGE_QUEUED && now - r->begun_ms > TURN_MS)
		r->refused = 1;
	if (r->gone || !is_late(s, r, now))
		return;
	r->gone = 1;
	if (r->suspended)
		request_resume(r);
	else
		shutdown(c->fd, SHUT_RDWR);
}

void sweep_deadlines(struct server *s)
{
	int64_t now = server_now_ms(), head_ms = HEAD_MS;

	if (s->client_count > s->o->connections / 2)
		head_ms = HEAD_MS_TIGHT;
	if (s->stop_by_ms)
		head_ms = 0;
	for (struct client *c = s->oldest; c; c = c->next)
		look_at(s, c, head_ms, now);
}
