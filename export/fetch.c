/*
 * fetch.c - a document from a web server, while it arrives
 *
 * libcurl pushes and the document's reader pulls, so each has a thread, and
 * between them lies a ring.  What the thread writes of the struct, its reply
 * and its error, others read only after it has ended.
 */
#include "export/fetch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "snapshot/json_stream.h"

#define RING_BYTES ((size_t)1 << 20)

/* All attempts together, so that nobody waits for long on what is down. */
#define DEADLINE_S    60
#define SHORTEST_S    10 /* of the last attempt */
#define ATTEMPTS      4
#define LOOK_AGAIN_MS 200

struct fetch {
	struct byte_input input; /* first: the reader hands it back */
	struct fetch_options o;
	struct https *https;
	struct https_header known; /* If-None-Match */
	struct https_request request;
	struct https_reply reply;
	struct error failed;
	char *label;
	struct timespec began_at;
	pthread_t thread;
	int running;
	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	unsigned char *ring;
	size_t at, fill; /* first byte that was not read, and how many */
	int coming;      /* the body has begun */
	int stop;        /* nobody reads any more */
	int ended, rc;
};

/* ---- the thread ---- */

static size_t put_piece(struct fetch *f, const unsigned char *data, size_t size)
{
	size_t to = (f->at + f->fill) % RING_BYTES;

	if (size > RING_BYTES - f->fill)
		size = RING_BYTES - f->fill;
	if (size > RING_BYTES - to)
		size = RING_BYTES - to;
	memcpy(f->ring + to, data, size);
	f->fill += size;
	return size;
}

static int take(void *payload, const void *data, size_t size, struct error *err)
{
	const unsigned char *from = data;
	struct fetch *f = payload;
	size_t put;

	pthread_mutex_lock(&f->lock);
	f->coming = 1;
	while (size && !f->stop) {
		put = put_piece(f, from, size);
		from += put;
		size -= put;
		pthread_cond_broadcast(&f->changed);
		if (size && !f->stop)
			pthread_cond_wait(&f->changed, &f->lock);
	}
	pthread_mutex_unlock(&f->lock);
	return size ? error_set(err, ERROR_INTERRUPTED, "stopped") : 0;
}

static int stopped(void *payload)
{
	struct fetch *f = payload;
	int stop;

	pthread_mutex_lock(&f->lock);
	stop = f->stop;
	pthread_mutex_unlock(&f->lock);
	return stop;
}

static void *run(void *payload)
{
	struct fetch *f = payload;
	int rc = https_send(f->https, &f->request, &f->reply, &f->failed);

	pthread_mutex_lock(&f->lock);
	f->rc = rc;
	f->ended = 1;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* ---- the reader's side ---- */

static int is_interrupted(const struct fetch *f)
{
	return f->o.https.interrupted && f->o.https.interrupted();
}

/* Until there is something new, or for a moment: a signal wakes nobody. */
static void look_again(struct fetch *f)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_AGAIN_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&f->changed, &f->lock, &until);
}

static size_t get_piece(struct fetch *f, void *data, size_t size)
{
	if (size > f->fill)
		size = f->fill;
	if (size > RING_BYTES - f->at)
		size = RING_BYTES - f->at;
	memcpy(data, f->ring + f->at, size);
	f->at = (f->at + size) % RING_BYTES;
	f->fill -= size;
	return size;
}

static ssize_t read_ring(struct byte_input *input, void *data, size_t size,
			 struct error *err)
{
	struct fetch *f = (struct fetch *)input;
	ssize_t got = 0;

	pthread_mutex_lock(&f->lock);
	while (!f->fill && !f->ended && !is_interrupted(f))
		look_again(f);
	if (is_interrupted(f)) {
		got = error_set(err, ERROR_INTERRUPTED, "interrupted");
	} else if (f->fill) {
		got = (ssize_t)get_piece(f, data, size);
		pthread_cond_broadcast(&f->changed);
	} else if (f->rc < 0) {
		got = error_set(err, f->failed.code, "%s", f->failed.message);
	}
	pthread_mutex_unlock(&f->lock);
	return got;
}

/* ---- attempts ---- */

static int64_t elapsed_s(const struct fetch *f)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - f->began_at.tv_sec;
}

static unsigned int at_most(unsigned int s, unsigned int usual, int64_t left)
{
	if (!s)
		s = usual;
	if (left < SHORTEST_S)
		left = SHORTEST_S;
	return left < (int64_t)s ? (unsigned int)left : s;
}

static void end_thread(struct fetch *f)
{
	if (!f->running)
		return;
	pthread_join(f->thread, NULL);
	f->running = 0;
}

static int start(struct fetch *f, struct error *err)
{
	struct https_options o = f->o.https;
	int64_t left = DEADLINE_S - elapsed_s(f);

	o.stall_s = at_most(o.stall_s, HTTPS_STALL_S, left);
	o.connect_s = at_most(o.connect_s, HTTPS_CONNECT_S, left);
	if (f->o.total_s) {
		int64_t rest = f->o.total_s - elapsed_s(f);

		/* 0 would be no limit */
		f->request.total_s = rest > 0 ? (unsigned int)rest : 1;
	}
	https_free(f->https);
	f->https = NULL;
	https_reply_release(&f->reply);
	error_clear(&f->failed);
	f->ended = f->rc = 0;
	if (https_open(&f->https, &o, err) < 0)
		return -1;
	if (pthread_create(&f->thread, NULL, run, f))
		return error_set(err, ERROR_FAILED, "cannot start a thread");
	f->running = 1;
	return 0;
}

/* @return 1: the body is coming; 0: there was none, and the thread ended */
static int wait_for_body(struct fetch *f)
{
	int coming;

	pthread_mutex_lock(&f->lock);
	while (!f->coming && !f->ended)
		look_again(f); /* libcurl asks whether to stop */
	coming = f->coming;
	pthread_mutex_unlock(&f->lock);
	if (!coming)
		end_thread(f);
	return coming;
}

/* Is it worth while to ask again, and when? @return 1 after the wait */
static int wait_to_ask(struct fetch *f, int attempt, const struct error *why)
{
	const struct timespec moment = { 0, LOOK_AGAIN_MS * 1000000L };
	int64_t wait_s = f->reply.retry_after_s, until;

	if (!f->reply.transient || attempt + 1 >= ATTEMPTS)
		return 0;
	if (wait_s < 0)
		wait_s = (int64_t)1 << attempt;
	until = elapsed_s(f) + wait_s;
	if (wait_s > DEADLINE_S || until > DEADLINE_S - SHORTEST_S ||
	    (f->o.total_s && until >= f->o.total_s))
		return 0;
	if (f->o.waiting)
		f->o.waiting(f->o.payload, why->message, wait_s);
	while (elapsed_s(f) < until && !is_interrupted(f))
		nanosleep(&moment, NULL);
	return 1;
}

static int refused(struct fetch *f, struct error *err)
{
	struct error said = ERROR_INIT;
	const char *hint = "";

	https_refused(&f->request, &f->reply, &said);
	if (f->reply.status == 401 || f->reply.status == 403)
		hint = f->o.secret ? "; is the key right, and may it do this?"
				   : "; give a key with DBSTOW_FETCH_KEY or "
				     "--key-file";
	return error_set(err, said.code, "%s%s", said.message, hint);
}

static int ask(struct fetch *f, struct error *err)
{
	struct error why;
	int attempt = 0;

	do {
		if (is_interrupted(f))
			return error_set(err, ERROR_INTERRUPTED, "interrupted");
		if (start(f, err) < 0)
			return -1;
		if (wait_for_body(f))
			return 0;
		if (f->rc == 0 && f->reply.status == 304 && f->o.known_etag)
			return 1;
		/* an empty one: the reader says it is no document */
		if (f->rc == 0 && f->reply.status / 100 == 2)
			return 0;
		why = f->failed;
		if (f->rc == 0)
			refused(f, &why);
	} while (wait_to_ask(f, attempt++, &why));
	return error_set(err, why.code, "%s", why.message);
}

/* ---- the whole ---- */

static int make_label(struct fetch *f, struct error *err)
{
	char *url = https_url_text(f->o.url);
	int rc = url ? asprintf(&f->label, "'%s'", url) : -1;

	free(url);
	if (rc < 0)
		f->label = NULL;
	return rc < 0 ? error_nomem(err) : 0;
}

static void make_request(struct fetch *f)
{
	const struct fetch_options *o = &f->o;

	f->known = (struct https_header){ "If-None-Match", o->known_etag };
	f->request = (struct https_request){
		.url = o->url,
		.headers = &f->known,
		.header_count = o->known_etag != NULL,
		.secret_name = o->secret_name,
		.secret = o->secret,
		.accept = FETCH_TYPE,
		.compressed = 1,
		.limit_bytes = o->limit_bytes,
		.total_s = o->total_s,
		.take = take,
		.stopped = stopped,
		.payload = f,
	};
}

int fetch_open(struct fetch **out, const struct fetch_options *o,
	       struct error *err)
{
	struct fetch *f = calloc(1, sizeof(*f));
	int rc = -1;

	*out = NULL;
	if (!f)
		return error_nomem(err);
	f->input.read = read_ring;
	f->o = *o;
	f->reply.retry_after_s = -1;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	clock_gettime(CLOCK_MONOTONIC, &f->began_at);
	f->ring = malloc(RING_BYTES);
	if (!f->ring)
		error_nomem(err);
	else if (make_label(f, err) == 0) {
		make_request(f);
		rc = ask(f, err);
	}
	if (rc == 0)
		*out = f;
	else
		fetch_free(f);
	return rc;
}

struct byte_input *fetch_input(struct fetch *f)
{
	return &f->input;
}

const char *fetch_label(const struct fetch *f)
{
	return f->label;
}

const char *fetch_etag(const struct fetch *f)
{
	return f->reply.etag;
}

void fetch_free(struct fetch *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stop = 1;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	end_thread(f);
	https_free(f->https);
	https_reply_release(&f->reply);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f->ring);
	free(f->label);
	free(f);
}
