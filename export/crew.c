/*
 * crew.c - jobs done by several threads, and ended in order
 *
 * One thread gives jobs, all of them do jobs, and whoever finishes one ends
 * all that are ready, in the order in which they were given.  So what is seen
 * from outside does not depend on the threads.  There are twice as many places
 * as threads, so that a long job keeps nobody waiting for long; a job that is
 * not ended keeps its place, which bounds the memory.
 */
#include "export/export_internal.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/processors.h"

enum state { FREE, FILLING, WAITING, RUNNING, DONE };

struct place {
	enum state state;
	uint64_t number; /* of the job, from 0 */
	int rc;
	struct error err;
};

struct crew {
	struct crew_work *work;
	pthread_t owner, threads[CREW_JOBS_MAX];
	size_t jobs, thread_count;
	int begun; /* threads were made, or can't be */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct place places[2 * CREW_JOBS_MAX];
	uint64_t given, ended; /* jobs */
	int ending;            /* one is being ended */
	int quit;
	atomic_int status; /* 0; as end() returned: then jobs are dropped */
	struct error err;
	size_t stopped; /* the place whose job stopped all */
};

size_t crew_places(const struct crew *c)
{
	return 2 * c->jobs;
}

/* ---- with the lock held ---- */

static struct place *find(struct crew *c, enum state state, uint64_t number)
{
	for (size_t i = 0; i < crew_places(c); i++) {
		if (c->places[i].state == state &&
		    (state == FREE || c->places[i].number == number))
			return &c->places[i];
	}
	return NULL;
}

/* The job that was given first of those that wait. */
static struct place *find_waiting(struct crew *c)
{
	struct place *p = NULL;

	for (uint64_t n = c->ended; !p && n < c->given; n++)
		p = find(c, WAITING, n);
	return p;
}

static void stop(struct crew *c, int status, const struct error *err)
{
	if (c->status)
		return;
	c->status = status;
	if (status < 0)
		c->err = *err;
	pthread_cond_broadcast(&c->changed);
}

static void end_ready(struct crew *c)
{
	struct place *p;

	while (!c->ending && (p = find(c, DONE, c->ended))) {
		c->ending = 1;
		if (!c->status && !p->rc) {
			pthread_mutex_unlock(&c->lock);
			p->rc = c->work->end(c->work, (size_t)(p - c->places),
					     &p->err);
			pthread_mutex_lock(&c->lock);
		}
		if (p->rc && !c->status)
			c->stopped = (size_t)(p - c->places);
		if (p->rc)
			stop(c, p->rc, &p->err);
		p->state = FREE;
		c->ended++;
		c->ending = 0;
		pthread_cond_broadcast(&c->changed);
	}
}

static void run(struct crew *c, struct place *p)
{
	p->state = RUNNING;
	if (!c->status) {
		pthread_mutex_unlock(&c->lock);
		p->rc = c->work->run(c->work, (size_t)(p - c->places), &p->err);
		pthread_mutex_lock(&c->lock);
	}
	p->state = DONE;
	end_ready(c);
}

static void tick(struct crew *c)
{
	struct error err = ERROR_INIT;
	int rc;

	if (c->status)
		return;
	pthread_mutex_unlock(&c->lock);
	rc = c->work->tick(c->work, &err);
	pthread_mutex_lock(&c->lock);
	if (rc < 0)
		stop(c, -1, &err);
}

/* The owner has nothing better to do than a job of others. */
static void help(struct crew *c)
{
	struct place *p = find_waiting(c);

	if (p)
		run(c, p);
	else
		pthread_cond_wait(&c->changed, &c->lock);
	tick(c);
}

/* ---- threads ---- */

static void *work(void *payload)
{
	struct crew *c = payload;
	struct place *p;

	pthread_mutex_lock(&c->lock);
	while (!c->quit) {
		p = find_waiting(c);
		if (p)
			run(c, p);
		else
			pthread_cond_wait(&c->changed, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* As many threads as can be had; it goes without any as well. */
static void begin_threads(struct crew *c)
{
	sigset_t all, before;

	c->begun = 1;
	/* signals are the main thread's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (c->thread_count + 1 < c->jobs &&
	       !pthread_create(&c->threads[c->thread_count], NULL, work, c))
		c->thread_count++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int crew_new(struct crew **out, unsigned int jobs, struct crew_work *work,
	     struct error *err)
{
	struct crew *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return error_nomem(err);
	c->work = work;
	c->owner = pthread_self();
	c->jobs = jobs ? jobs : processors_for_us();
	if (c->jobs > CREW_JOBS_MAX)
		c->jobs = CREW_JOBS_MAX;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	*out = c;
	return 0;
}

void crew_free(struct crew *c)
{
	struct error given_up = ERROR_INIT;

	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	stop(c, -1, &given_up);
	while (find_waiting(c))
		help(c);
	c->quit = 1;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < c->thread_count; i++)
		pthread_join(c->threads[i], NULL);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- jobs ---- */

int crew_place(struct crew *c, size_t *place)
{
	struct place *p = NULL;
	int rc;

	pthread_mutex_lock(&c->lock);
	tick(c);
	while (!c->status && !(p = find(c, FREE, 0)))
		help(c);
	rc = c->status != 0;
	if (!rc) {
		p->state = FILLING;
		p->number = c->given++;
		p->rc = 0;
		error_clear(&p->err);
		*place = (size_t)(p - c->places);
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void crew_give(struct crew *c, size_t place, int worth)
{
	if (worth && !c->begun)
		begin_threads(c);
	pthread_mutex_lock(&c->lock);
	if (c->thread_count) {
		c->places[place].state = WAITING;
		pthread_cond_broadcast(&c->changed);
	} else {
		run(c, &c->places[place]);
	}
	pthread_mutex_unlock(&c->lock);
}

void crew_fail(struct crew *c, size_t place, const struct error *err)
{
	struct place *p = &c->places[place];

	pthread_mutex_lock(&c->lock);
	p->rc = -1;
	p->err = *err;
	p->state = DONE;
	end_ready(c);
	pthread_mutex_unlock(&c->lock);
}

int crew_turn(struct crew *c, size_t place)
{
	int rc;

	pthread_mutex_lock(&c->lock);
	while (!c->status && c->ended != c->places[place].number)
		pthread_cond_wait(&c->changed, &c->lock);
	rc = c->status ? -1 : 0;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

int crew_pause(struct crew *c)
{
	if (pthread_equal(c->owner, pthread_self())) {
		pthread_mutex_lock(&c->lock);
		tick(c);
		pthread_mutex_unlock(&c->lock);
	}
	return c->status ? -1 : 0;
}

int crew_wait(struct crew *c, size_t *place, struct error *err)
{
	int rc;

	pthread_mutex_lock(&c->lock);
	while (c->ended < c->given)
		help(c);
	tick(c);
	rc = c->status;
	*place = c->stopped;
	if (rc < 0)
		error_set(err, c->err.code, "%s", c->err.message);
	else
		c->status = 0;
	pthread_mutex_unlock(&c->lock);
	return rc;
}
