/*
 * chunks_worker.c - a thread that puts chunks while the next rows are read
 *
 * Scanning and encoding take about as long as hashing and compressing.  A
 * table that fills more than one chunk gets a worker; chunks go to it through
 * a short queue, whole buffers at a time and in order, so the same objects are
 * put in the same order as without it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/chunks_internal.h"

/* Buffers that wait: enough to even out chunks of different sizes. */
#define QUEUE_MAX 4

struct waiting {
	struct buffer bytes;
	struct chunk_entry first;
};

struct chunk_worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	chunk_put put;
	void *payload;
	struct waiting queue[QUEUE_MAX];
	size_t head, count; /* `count` from `head` on wait or are being put */
	int stop, failed;
	struct error err;
};

static void *work(void *payload)
{
	struct chunk_worker *w = payload;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct waiting *next = &w->queue[w->head];
		int failed;

		while (!w->count && !w->stop)
			pthread_cond_wait(&w->changed, &w->lock);
		if (!w->count)
			break;
		failed = w->failed;
		pthread_mutex_unlock(&w->lock);
		/* after a failure the rest is dropped, so that nobody waits */
		if (!failed)
			failed = w->put(w->payload, next->bytes.data,
					next->bytes.size, &next->first,
					&w->err) < 0;
		pthread_mutex_lock(&w->lock);
		w->failed = failed;
		w->head = (w->head + 1) % QUEUE_MAX;
		w->count--;
		pthread_cond_signal(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int chunk_worker_start(struct chunk_worker **out, chunk_put put, void *payload)
{
	struct chunk_worker *w = calloc(1, sizeof(*w));
	sigset_t all, before;
	int rc;

	*out = NULL;
	if (!w)
		return 1;
	w->put = put;
	w->payload = payload;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	/* signals are the main thread's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		pthread_cond_destroy(&w->changed);
		pthread_mutex_destroy(&w->lock);
		free(w);
		return 1;
	}
	*out = w;
	return 0;
}

static int pass_on(struct chunk_worker *w, struct error *err)
{
	return w->failed ? error_set(err, w->err.code, "%s", w->err.message)
			 : 0;
}

int chunk_worker_push(struct chunk_worker *w, struct buffer *chunk, size_t size,
		      const struct chunk_entry *first, struct error *err)
{
	struct waiting *slot;
	struct buffer swap;
	int rc;

	pthread_mutex_lock(&w->lock);
	while (w->count == QUEUE_MAX)
		pthread_cond_wait(&w->changed, &w->lock);
	slot = &w->queue[(w->head + w->count) % QUEUE_MAX];
	rc = pass_on(w, err);
	pthread_mutex_unlock(&w->lock);
	if (rc < 0)
		return -1;

	/* a free slot is ours alone */
	buffer_clear(&slot->bytes);
	buffer_add(&slot->bytes, chunk->data + size, chunk->size - size);
	if (buffer_failed(&slot->bytes))
		return error_nomem(err);
	swap = slot->bytes;
	slot->bytes = *chunk;
	slot->bytes.size = size;
	slot->first = *first;
	*chunk = swap;

	pthread_mutex_lock(&w->lock);
	w->count++;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

int chunk_worker_drain(struct chunk_worker *w, struct error *err)
{
	int rc;

	pthread_mutex_lock(&w->lock);
	while (w->count)
		pthread_cond_wait(&w->changed, &w->lock);
	rc = pass_on(w, err);
	pthread_mutex_unlock(&w->lock);
	return rc;
}

void chunk_worker_stop(struct chunk_worker *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = 1;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	for (size_t i = 0; i < QUEUE_MAX; i++)
		buffer_release(&w->queue[i].bytes);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
