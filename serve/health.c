/*
 * health.c - can the database be opened?
 *
 * Anybody may ask, so an answer stands for a while, and one thread at a time
 * finds the next one out: a locked database keeps nobody else waiting.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "database/database.h"
#include "serve/serve_internal.h"

#define STANDS_MS 2000
#define BUSY_MS   2000

struct health {
	struct database_options open;
	char *db;
	int wake;
	pthread_t thread;
	int running;      /* to be joined */
	int64_t known_ms; /* 0: never */
	int news;
	pthread_mutex_t lock; /* for what follows */
	int ended, rc;
	struct error why;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 1;
}

static void *look(void *payload)
{
	struct health *h = payload;
	struct error why = ERROR_INIT;
	const uint64_t one = 1;
	int rc = database_probe(h->db, &h->open, &why);

	pthread_mutex_lock(&h->lock);
	h->news = h->known_ms ? (rc < 0) != (h->rc < 0) : rc < 0;
	h->rc = rc;
	h->why = why;
	h->ended = 1;
	pthread_mutex_unlock(&h->lock);
	if (write(h->wake, &one, sizeof(one)) < 0)
		return NULL; /* it is about to be woken anyway */
	return NULL;
}

int health_new(struct health **out, const char *db, int allow_empty, int wake,
	       struct error *err)
{
	struct health *h = calloc(1, sizeof(*h));

	*out = h;
	if (!h)
		return error_nomem(err);
	pthread_mutex_init(&h->lock, NULL);
	h->open.busy_timeout_ms = BUSY_MS;
	h->open.allow_empty = allow_empty;
	h->wake = wake;
	h->db = strdup(db);
	return h->db ? 0 : error_nomem(err);
}

/* Take the thread's result. @return 1; 0: it is not done yet */
static int collect(struct health *h)
{
	int ended;

	pthread_mutex_lock(&h->lock);
	ended = h->ended;
	pthread_mutex_unlock(&h->lock);
	if (!ended)
		return 0;
	pthread_join(h->thread, NULL);
	h->running = 0;
	h->known_ms = now_ms();
	return 1;
}

int health_ask(struct health *h)
{
	if (h->running && !collect(h))
		return -1;
	if (h->known_ms && now_ms() - h->known_ms < STANDS_MS)
		return h->rc == 0;
	h->ended = 0;
	if (pthread_create(&h->thread, NULL, look, h))
		return 0;
	h->running = 1;
	return -1;
}

int health_news(struct health *h, struct error *why)
{
	int news = !h->running && h->news;

	if (news) {
		h->news = 0;
		*why = h->why;
	}
	return news;
}

void health_free(struct health *h)
{
	if (!h)
		return;
	if (h->running)
		pthread_join(h->thread, NULL);
	pthread_mutex_destroy(&h->lock);
	free(h->db);
	free(h);
}
