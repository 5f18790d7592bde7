/*
 * rows_ahead.c - files of rows read and decoded by all threads
 *
 * A few files are found ahead, in order.  Each is read and decoded by whoever
 * comes to it first: one of the threads, or who takes the rows, as long as the
 * file that is next is not ready.  So nobody waits while there is something to
 * do.  Order is looked after where rows are taken; they lie in the file's own
 * memory, and are not copied.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/processors.h"
#include "restore/restore_internal.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"
#include "snapshot/object.h"

#define JOBS_MAX  16
#define FILES_MIN 17 /* enough that storing and decoding even out */
#define FILES_MAX (2 * JOBS_MAX + 1)
#define ROWS_MIN  4096 /* fewer are not worth a thread */

enum state { FOUND, RUNNING, READY };

struct place {
	enum state state;
	struct chunk_file *file;
};

struct worker {
	struct rows_ahead *of;
	struct source_reader *by;
	pthread_t thread;
};

struct rows_ahead {
	struct chunk_reader *reader;
	struct source_reader *by;        /* of who takes rows, or NULL */
	struct worker workers[JOBS_MAX]; /* the other threads */
	size_t worker_count;
	size_t place_count;
	int no_more; /* files are to be found; -1: because of `err` */
	struct error err;
	int open; /* the first file's rows are being taken */

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t found, ready;
	struct place places[FILES_MAX]; /* a ring */
	size_t first, count;
	int stop;
};

/* ---- with the lock held ---- */

static struct place *nth(struct rows_ahead *a, size_t n)
{
	return &a->places[(a->first + n) % a->place_count];
}

static struct place *next_found(struct rows_ahead *a)
{
	size_t i;

	for (i = 0; i < a->count; i++)
		if (nth(a, i)->state == FOUND)
			return nth(a, i);
	return NULL;
}

static void run(struct rows_ahead *a, struct place *p, struct source_reader *by)
{
	p->state = RUNNING;
	pthread_mutex_unlock(&a->lock);
	chunk_file_prepare(p->file, by);
	pthread_mutex_lock(&a->lock);
	p->state = READY;
}

/* ---- the other threads ---- */

static void *work(void *payload)
{
	struct worker *w = payload;
	struct rows_ahead *a = w->of;
	struct place *p;

	pthread_mutex_lock(&a->lock);
	while (!a->stop) {
		p = next_found(a);
		if (!p) {
			pthread_cond_wait(&a->found, &a->lock);
			continue;
		}
		run(a, p, w->by);
		if (p == nth(a, 0))
			pthread_cond_signal(&a->ready);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* As many as can be had; it goes without any as well. */
static void begin_threads(struct rows_ahead *a, size_t jobs)
{
	sigset_t all, before;

	/* signals are the main thread's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (a->worker_count + 1 < jobs) {
		struct worker *w = &a->workers[a->worker_count];

		w->of = a;
		w->by = chunk_reader_reader(a->reader);
		if (!w->by)
			break;
		if (pthread_create(&w->thread, NULL, work, w)) {
			w->by->free(w->by);
			break;
		}
		a->worker_count++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- who takes the rows ---- */

int rows_ahead_new(struct rows_ahead **out, struct chunk_reader *r,
		   const struct table *t, unsigned int jobs, struct error *err)
{
	struct rows_ahead *a = calloc(1, sizeof(*a));
	size_t threads = jobs ? jobs : processors_for_us(), i;

	*out = a;
	if (!a)
		return error_nomem(err);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->found, NULL);
	pthread_cond_init(&a->ready, NULL);
	a->reader = r;
	if (threads > JOBS_MAX)
		threads = JOBS_MAX;
	if (t->rows < ROWS_MIN)
		threads = 1;
	a->place_count = 2 * threads + 1;
	if (a->place_count < FILES_MIN)
		a->place_count = threads > 1 ? FILES_MIN : 1;
	for (i = 0; i < a->place_count; i++)
		if (chunk_file_new(&a->places[i].file, t, err) < 0)
			return -1;
	if (threads > 1)
		a->by = chunk_reader_reader(r);
	if (a->by)
		begin_threads(a, threads);
	return 0;
}

void rows_ahead_free(struct rows_ahead *a)
{
	size_t i;

	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = 1;
	pthread_cond_broadcast(&a->found);
	pthread_mutex_unlock(&a->lock);
	for (i = 0; i < a->worker_count; i++) {
		pthread_join(a->workers[i].thread, NULL);
		a->workers[i].by->free(a->workers[i].by);
	}
	for (i = 0; i < a->place_count; i++)
		chunk_file_free(a->places[i].file);
	if (a->by)
		a->by->free(a->by);
	pthread_cond_destroy(&a->found);
	pthread_cond_destroy(&a->ready);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* Fill the places that are free.  What goes wrong is told behind the rows in
 * front of it. */
static void find_files(struct rows_ahead *a)
{
	int rc;

	while (!a->no_more && a->count < a->place_count) {
		/* nobody else looks at places that are free */
		rc = chunk_reader_find(a->reader, nth(a, a->count)->file,
				       &a->err);
		if (rc <= 0) {
			a->no_more = rc < 0 ? -1 : 1;
			break;
		}
		pthread_mutex_lock(&a->lock);
		nth(a, a->count++)->state = FOUND;
		pthread_cond_signal(&a->found);
		pthread_mutex_unlock(&a->lock);
	}
}

/* Behind the last file. */
static int end(struct rows_ahead *a, struct error *err)
{
	if (a->no_more < 0)
		return error_set(err, a->err.code, "%s", a->err.message);
	return chunk_reader_end(a->reader, err);
}

/* Wait until the first file is ready, and work meanwhile. */
static void make_ready(struct rows_ahead *a)
{
	struct place *p;

	pthread_mutex_lock(&a->lock);
	while (nth(a, 0)->state != READY) {
		p = next_found(a);
		if (p)
			run(a, p, a->by);
		else
			pthread_cond_wait(&a->ready, &a->lock);
	}
	pthread_mutex_unlock(&a->lock);
}

static void drop_first(struct rows_ahead *a)
{
	pthread_mutex_lock(&a->lock);
	a->first = (a->first + 1) % a->place_count;
	a->count--;
	pthread_mutex_unlock(&a->lock);
	a->open = 0;
}

int rows_ahead_next(struct rows_ahead *a, int64_t *rowid,
		    const struct value **values, struct error *err)
{
	struct chunk_file *f = a->places[a->first].file;
	int rc;

	for (;;) {
		if (a->open) {
			rc = chunk_reader_row(a->reader, f, rowid, values, err);
			if (rc)
				return rc;
			drop_first(a);
		}
		find_files(a);
		if (!a->count)
			return end(a, err);
		make_ready(a);
		f = a->places[a->first].file;
		if (chunk_reader_open(a->reader, f, err) < 0)
			return -1;
		a->open = 1;
	}
}
