/*
 * rows_ahead.c - rows decoded by a thread of their own
 *
 * Reading and decoding a table's rows takes longer than storing them in pages,
 * so that is done meanwhile.  Rows are handed over in batches; a row too big
 * for one is lent: the thread waits until it was used.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "restore/restore_internal.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"

#define BATCHES      3
#define BATCH_VALUES 16384
#define BATCH_BYTES  ((size_t)512 << 10)
#define ROWS_MIN     4096 /* fewer are not worth a thread */

struct batch {
	int64_t *rowids;
	struct value *values; /* of one row after the other */
	size_t rows;
	char *bytes; /* BATCH_BYTES that values point into */
	size_t used;
};

struct rows_ahead {
	struct chunk_reader *reader;
	size_t count;         /* values a row */
	size_t most;          /* rows a batch */
	struct value *values; /* the row that was read last */
	pthread_t thread;
	int threaded;

	struct batch batches[BATCHES];
	struct batch *now; /* being taken from, or NULL */
	size_t at;         /* its next row */

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	uint64_t filled, emptied; /* batches, in turn */
	int ended;                /* 1: there are no more; -1: with `err` */
	int stop;
	struct error err;
};

/* ---- the thread that decodes ---- */

static struct batch *batch_of(struct rows_ahead *a, uint64_t turn)
{
	return &a->batches[turn % BATCHES];
}

/* Wait until fewer than `most` batches are in use. @return 0 to stop */
static int wait_for_room(struct rows_ahead *a, uint64_t most)
{
	int stop;

	pthread_mutex_lock(&a->lock);
	while (a->filled - a->emptied >= most && !a->stop)
		pthread_cond_wait(&a->changed, &a->lock);
	stop = a->stop;
	pthread_mutex_unlock(&a->lock);
	return !stop;
}

static void hand_over(struct rows_ahead *a)
{
	pthread_mutex_lock(&a->lock);
	a->filled++;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

/* A batch to fill, or NULL to stop.  Only this thread changes `filled`. */
static struct batch *next_batch(struct rows_ahead *a)
{
	struct batch *b;

	if (!wait_for_room(a, BATCHES))
		return NULL;
	b = batch_of(a, a->filled);
	b->rows = b->used = 0;
	return b;
}

static size_t bytes_of(const struct value *values, size_t count)
{
	size_t bytes = 0, i;

	for (i = 0; i < count; i++)
		if (values[i].class >= VALUE_TEXT)
			bytes += values[i].size;
	return bytes;
}

static void copy_row(struct rows_ahead *a, struct batch *b, int64_t rowid)
{
	struct value *v = b->values + b->rows * a->count;
	size_t i;

	memcpy(v, a->values, a->count * sizeof(*v));
	for (i = 0; i < a->count; i++) {
		if (v[i].class < VALUE_TEXT || !v[i].size)
			continue;
		memcpy(b->bytes + b->used, v[i].data, v[i].size);
		v[i].data = b->bytes + b->used;
		b->used += v[i].size;
	}
	b->rowids[b->rows++] = rowid;
}

/* Give the row itself, and wait until it was used. @return 0 to stop */
static int lend_row(struct rows_ahead *a, struct batch *b, int64_t rowid)
{
	memcpy(b->values, a->values, a->count * sizeof(*b->values));
	b->rowids[0] = rowid;
	b->rows = 1;
	hand_over(a);
	return wait_for_room(a, 1);
}

/* @return 0 at the end; -1 with an error; 1 to stop */
static int decode(struct rows_ahead *a, struct error *err)
{
	struct batch *b = next_batch(a);
	int64_t rowid = 0;
	size_t bytes;
	int rc;

	if (!b)
		return 1;
	while ((rc = chunk_reader_next(a->reader, &rowid, a->values, err)) >
	       0) {
		bytes = bytes_of(a->values, a->count);
		if (b->rows &&
		    (b->rows == a->most || bytes > BATCH_BYTES - b->used)) {
			hand_over(a);
			b = next_batch(a);
		}
		if (!b)
			return 1;
		if (bytes <= BATCH_BYTES) {
			copy_row(a, b, rowid);
			continue;
		}
		if (!lend_row(a, b, rowid) || !(b = next_batch(a)))
			return 1;
	}
	if (b->rows)
		hand_over(a);
	return rc;
}

static void *work(void *payload)
{
	struct rows_ahead *a = payload;
	struct error err = ERROR_INIT;
	int rc = decode(a, &err);

	pthread_mutex_lock(&a->lock);
	a->ended = rc < 0 ? -1 : 1;
	a->err = err;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* ---- who takes the rows ---- */

static void begin(struct rows_ahead *a)
{
	sigset_t all, before;

	/* signals are the main thread's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	a->threaded = !pthread_create(&a->thread, NULL, work, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int prepare(struct rows_ahead *a)
{
	size_t i;

	a->most = a->count < BATCH_VALUES ? BATCH_VALUES / (a->count + 1) : 1;
	for (i = 0; i < BATCHES; i++) {
		struct batch *b = &a->batches[i];

		b->bytes = malloc(BATCH_BYTES);
		b->rowids = calloc(a->most, sizeof(*b->rowids));
		b->values = calloc(a->most * a->count + 1, sizeof(*b->values));
		if (!b->bytes || !b->rowids || !b->values)
			return -1;
	}
	return 0;
}

int rows_ahead_new(struct rows_ahead **out, struct chunk_reader *r,
		   const struct table *t, struct error *err)
{
	struct rows_ahead *a = calloc(1, sizeof(*a));
	size_t i;

	*out = a;
	if (!a)
		return error_nomem(err);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	a->reader = r;
	for (i = 0; i < t->column_count; i++)
		a->count += !t->columns[i].generated;
	if (t->rows < ROWS_MIN)
		return 0;
	a->values = calloc(a->count + 1, sizeof(*a->values));
	if (!a->values || prepare(a) < 0)
		return error_nomem(err);
	begin(a);
	return 0;
}

void rows_ahead_free(struct rows_ahead *a)
{
	size_t i;

	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = 1;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	if (a->threaded)
		pthread_join(a->thread, NULL);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	for (i = 0; i < BATCHES; i++) {
		free(a->batches[i].bytes);
		free(a->batches[i].rowids);
		free(a->batches[i].values);
	}
	free(a->values);
	free(a);
}

/* Give the batch back, and wait for the next. @return as chunk_reader_next() */
static int turn_batch(struct rows_ahead *a, struct error *err)
{
	int rc = 1;

	pthread_mutex_lock(&a->lock);
	if (a->now) {
		a->emptied++;
		pthread_cond_signal(&a->changed);
	}
	while (a->filled == a->emptied && !a->ended)
		pthread_cond_wait(&a->changed, &a->lock);
	a->now = a->filled == a->emptied ? NULL : batch_of(a, a->emptied);
	if (!a->now) {
		rc = a->ended < 0 ? -1 : 0;
		if (rc < 0)
			error_set(err, a->err.code, "%s", a->err.message);
	}
	pthread_mutex_unlock(&a->lock);
	a->at = 0;
	return rc;
}

int rows_ahead_next(struct rows_ahead *a, int64_t *rowid, struct value *values,
		    struct error *err)
{
	int rc;

	if (!a->threaded)
		return chunk_reader_next(a->reader, rowid, values, err);
	if (!a->now || a->at == a->now->rows) {
		rc = turn_batch(a, err);
		if (rc <= 0)
			return rc;
	}
	*rowid = a->now->rowids[a->at];
	memcpy(values, a->now->values + a->at * a->count,
	       a->count * sizeof(*values));
	a->at++;
	return 1;
}
