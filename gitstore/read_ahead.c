/*
 * read_ahead.c - a thread that reads the objects that are needed next
 *
 * Who restores a table needs its chunks one after another and works on each of
 * them about as long as reading, inflating and checking the next one takes.
 * Those that were told wait in a short queue.  What the thread could not read,
 * for whatever reason, is left to who needs it, and so are all errors.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "gitstore/gitstore_internal.h"

/* A chunk has 64 KiB, mostly; memory must stay flat. */
#define AHEAD_BYTES_MAX ((size_t)1 << 20)

/* Those in front of a file are told before it is read. */
#define QUEUE_MAX (SOURCE_AHEAD + 1)

struct ahead {
	struct object_id id;
	struct buffer bytes;
	int rc; /* 0: they are the object's */
};

struct read_ahead {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct pack_cursor *cursor; /* the thread's */
	struct ahead queue[QUEUE_MAX];
	size_t head, count; /* `count` from `head` on were told, ... */
	size_t done;        /* ... and so many of them are read */
	int stop;
};

static struct ahead *nth(struct read_ahead *a, size_t n)
{
	return &a->queue[(a->head + n) % QUEUE_MAX];
}

static void *work(void *payload)
{
	struct read_ahead *a = payload;
	struct ahead *next;

	pthread_mutex_lock(&a->lock);
	for (;;) {
		while (a->done == a->count && !a->stop)
			pthread_cond_wait(&a->changed, &a->lock);
		if (a->stop)
			break;
		/* only what is done leaves the queue: this one stays */
		next = nth(a, a->done);
		pthread_mutex_unlock(&a->lock);
		buffer_clear(&next->bytes);
		next->rc = pack_cursor_read(a->cursor, &next->id, PACK_BLOB,
					    AHEAD_BYTES_MAX, &next->bytes,
					    NULL);
		pthread_mutex_lock(&a->lock);
		a->done++;
		pthread_cond_signal(&a->changed);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

int read_ahead_new(struct read_ahead **out, struct pack_cursor *c)
{
	struct read_ahead *a = calloc(1, sizeof(*a));
	sigset_t all, before;
	int rc;

	*out = NULL;
	if (!a)
		return 1;
	a->cursor = c;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	/* signals are the main thread's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&a->thread, NULL, work, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		pthread_cond_destroy(&a->changed);
		pthread_mutex_destroy(&a->lock);
		free(a);
		return 1;
	}
	*out = a;
	return 0;
}

/* The lock is held. */
static void drop(struct read_ahead *a, size_t count)
{
	a->head = (a->head + count) % QUEUE_MAX;
	a->count -= count;
	a->done -= count;
}

void read_ahead_tell(struct read_ahead *a, const struct object_id *id)
{
	pthread_mutex_lock(&a->lock);
	/* what was told and then not needed must not block the rest */
	if (a->count == QUEUE_MAX && a->done)
		drop(a, 1);
	if (a->count < QUEUE_MAX) {
		nth(a, a->count++)->id = *id;
		pthread_cond_signal(&a->changed);
	}
	pthread_mutex_unlock(&a->lock);
}

static void take(struct ahead *from, struct buffer *out)
{
	struct buffer swap = *out;

	if (out->size || out->failed) {
		buffer_add(out, from->bytes.data, from->bytes.size);
		return;
	}
	*out = from->bytes;
	from->bytes = swap;
}

int read_ahead_take(struct read_ahead *a, const struct object_id *id,
		    struct buffer *out, struct error *err)
{
	size_t i = 0;
	int rc = 1;

	pthread_mutex_lock(&a->lock);
	while (i < a->count && !object_same(&nth(a, i)->id, id))
		i++;
	if (i < a->count) {
		while (a->done <= i)
			pthread_cond_wait(&a->changed, &a->lock);
		rc = nth(a, i)->rc ? 1 : 0;
		if (!rc)
			take(nth(a, i), out);
		/* they are read in the order in which they were told */
		drop(a, i + 1);
	}
	pthread_mutex_unlock(&a->lock);
	return !rc && buffer_failed(out) ? error_nomem(err) : rc;
}

void read_ahead_free(struct read_ahead *a)
{
	size_t i;

	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = 1;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	for (i = 0; i < QUEUE_MAX; i++)
		buffer_release(&a->queue[i].bytes);
	pack_cursor_free(a->cursor);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
