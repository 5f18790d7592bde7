/*
 * rows_ahead.c - rows decoded by a thread of their own
 *
 * Reading and decoding a table's rows takes longer than storing them in pages,
 * so that is done meanwhile.  Rows are handed over in batches, in turn.  Most
 * of their values lie in the file that was read, and are not copied: a batch
 * takes the memory of the files that ended in it along.  What lies elsewhere is
 * copied.  Where that or a file is too big to be kept, the thread waits until
 * the rows were used.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "restore/restore_internal.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"

#define BATCHES      3
#define BATCH_VALUES 16384
#define BATCH_BYTES  ((size_t)512 << 10)
#define BATCH_FILES  4
#define FILE_MAX     ((size_t)1 << 20)   /* they have 64 KiB, mostly */
#define MEMORY_MAX   ((size_t)256 << 10) /* more is not kept for further ones */
#define ROWS_MIN     4096                /* fewer are not worth a thread */

struct batch {
	int64_t *rowids;
	struct value *values; /* of one row after the other */
	size_t rows;
	char *bytes; /* BATCH_BYTES, for values that don't lie in a file */
	size_t used;
	struct buffer files[BATCH_FILES]; /* that rows up to here lie in */
	size_t file_count;
};

struct rows_ahead {
	struct chunk_reader *reader;
	size_t count;         /* values a row */
	size_t most;          /* rows a batch */
	struct value *values; /* a row, where there is no thread */
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
	size_t i;

	if (!wait_for_room(a, BATCHES))
		return NULL;
	b = batch_of(a, a->filled);
	for (i = 0; i < b->file_count; i++)
		if (b->files[i].capacity > MEMORY_MAX)
			buffer_release(&b->files[i]);
	b->rows = b->used = b->file_count = 0;
	return b;
}

/* Give what is in the batch, and begin the next. @return 0 to stop */
static int turn(struct rows_ahead *a, struct batch **b)
{
	hand_over(a);
	*b = next_batch(a);
	return *b != NULL;
}

/* The same, but all rows are used before it begins. */
static int turn_and_wait(struct rows_ahead *a, struct batch **b)
{
	if ((*b)->rows)
		hand_over(a);
	if (!wait_for_room(a, 1))
		return 0;
	*b = next_batch(a);
	return *b != NULL;
}

/* Rows may point into the file, those of batches that were handed over too.
 * @return 0 to stop */
static int end_file(struct rows_ahead *a, struct batch **b)
{
	if (!chunk_reader_file_bytes(a->reader))
		return 1; /* the first one is yet to come */
	if (chunk_reader_file_bytes(a->reader) > FILE_MAX)
		return turn_and_wait(a, b);
	/* each file has a row, so there is one when they are too many */
	if ((*b)->file_count == BATCH_FILES && !turn(a, b))
		return 0;
	chunk_reader_swap(a->reader, &(*b)->files[(*b)->file_count++]);
	return 1;
}

/* Copy what lies at `from`, and let the row's values point there. */
static void copy_apart(const struct rows_ahead *a, struct batch *b,
		       const char *from, size_t size)
{
	struct value *v = b->values + b->rows * a->count, *end = v + a->count;
	char *to = b->bytes + b->used;

	memcpy(to, from, size);
	b->used += size;
	for (; v < end; v++)
		if (v->class >= VALUE_TEXT && v->size &&
		    (uintptr_t)v->data - (uintptr_t)from < size)
			v->data = to + (v->data - from);
}

/* Take the row to the next batch, where there is room. @return 0 to stop */
static int move_row(struct rows_ahead *a, struct batch **b)
{
	const struct batch *from = *b;

	if (!turn(a, b))
		return 0;
	(*b)->rowids[0] = from->rowids[from->rows];
	memcpy((*b)->values, from->values + from->rows * a->count,
	       a->count * sizeof(*from->values));
	return 1;
}

/* A row was read into the batch's next place. @return 0 to stop */
static int add_row(struct rows_ahead *a, struct batch **b)
{
	const char *data;
	size_t size = chunk_reader_apart(a->reader, &data);

	if (size && (!data || size > BATCH_BYTES)) {
		(*b)->rows++;
		return turn_and_wait(a, b);
	}
	if (size) {
		if (size > BATCH_BYTES - (*b)->used && !move_row(a, b))
			return 0;
		copy_apart(a, *b, data, size);
	}
	return ++(*b)->rows < a->most || turn(a, b);
}

/* @return 0 at the end; -1 with an error; 1 to stop */
static int decode(struct rows_ahead *a, struct error *err)
{
	struct batch *b = next_batch(a);
	int rc;

	if (!b)
		return 1;
	for (;;) {
		if (chunk_reader_file_ends(a->reader) && !end_file(a, &b))
			return 1;
		rc = chunk_reader_next(a->reader, &b->rowids[b->rows],
				       b->values + b->rows * a->count, err);
		if (rc <= 0)
			break;
		if (!add_row(a, &b))
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
	a->values = calloc(a->count + 1, sizeof(*a->values));
	if (!a->values || (t->rows >= ROWS_MIN && prepare(a) < 0))
		return error_nomem(err);
	if (t->rows >= ROWS_MIN)
		begin(a);
	return 0;
}

void rows_ahead_free(struct rows_ahead *a)
{
	size_t i, j;

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
		for (j = 0; j < BATCH_FILES; j++)
			buffer_release(&a->batches[i].files[j]);
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

int rows_ahead_next(struct rows_ahead *a, int64_t *rowid,
		    const struct value **values, struct error *err)
{
	int rc;

	if (!a->threaded) {
		*values = a->values;
		return chunk_reader_next(a->reader, rowid, a->values, err);
	}
	if (!a->now || a->at == a->now->rows) {
		rc = turn_batch(a, err);
		if (rc <= 0)
			return rc;
	}
	*rowid = a->now->rowids[a->at];
	*values = a->now->values + a->at * a->count;
	a->at++;
	return 1;
}
