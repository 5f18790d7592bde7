/* beside.c - rows exported again while their indexes are made */

#include "cmd/beside.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/error.h"
#include "cmd/cmd.h"
#include "database/database.h"
#include "export/cache.h"
#include "export/export.h"
#include "restore/restore.h"
#include "snapshot/catalog.h"
#include "snapshot/object.h"

struct beside {
	struct restore_watch watch;
	struct export_progress progress;
	struct export_cache *cache;
	const char *path; /* until `prepared` is set */
	pthread_t thread;
	int begun; /* the thread was */
	int done;  /* it found what the cache has */
	atomic_int stopped;

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	int prepared; /* the build can go on */
};

/* ---- in the thread ---- */

static struct beside *of_progress(struct export_progress *p)
{
	return (struct beside *)((char *)p - offsetof(struct beside, progress));
}

static int tick(struct export_progress *p, const char *table, uint64_t rows)
{
	(void)table;
	(void)rows;
	return cmd_interrupted() || of_progress(p)->stopped;
}

static void prepared(struct export_progress *p)
{
	struct beside *b = of_progress(p);

	pthread_mutex_lock(&b->lock);
	b->prepared = 1;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

static void *work(void *payload)
{
	const struct database_options open = { .building = 1 };
	struct error ignored = ERROR_INIT;
	struct beside *b = payload;
	struct database *db = NULL;
	struct catalog *c = NULL;
	struct sink *hash = NULL;

	b->done = hash_sink_new(&hash, &ignored) == 0 &&
		  database_open(&db, b->path, &open, &ignored) == 0 &&
		  database_begin(db, &ignored) == 0 &&
		  database_catalog(db, &c, &ignored) == 0 &&
		  export_early(db, c, hash, &b->progress) == 0;
	prepared(&b->progress); /* also where it did not come to that */
	catalog_free(c);
	database_close(db);
	hash_sink_free(hash);
	return NULL;
}

/* ---- in the thread that builds ---- */

static void rows_done(struct restore_watch *w, const char *path)
{
	struct beside *b =
		(struct beside *)((char *)w - offsetof(struct beside, watch));

	b->path = path;
	b->begun = cmd_thread(&b->thread, work, b);
	pthread_mutex_lock(&b->lock);
	while (b->begun && !b->prepared)
		pthread_cond_wait(&b->changed, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

/* ---- in any ---- */

struct beside *beside_new(unsigned int jobs,
			  const struct export_expected *expected)
{
	struct error ignored = ERROR_INIT;
	struct beside *b = jobs == 1 ? NULL : calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	if (export_cache_new(&b->cache, &ignored) < 0) {
		free(b);
		return NULL;
	}
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->changed, NULL);
	b->watch.rows_done = rows_done;
	b->progress.tick = tick;
	b->progress.prepared = prepared;
	b->progress.jobs = jobs;
	b->progress.cache = b->cache;
	b->progress.expected = expected;
	return b;
}

struct restore_watch *beside_watch(struct beside *b)
{
	return b ? &b->watch : NULL;
}

static void join(struct beside *b)
{
	if (b->begun)
		pthread_join(b->thread, NULL);
	b->begun = 0;
}

struct export_cache *beside_end(struct beside *b)
{
	if (!b)
		return NULL;
	join(b);
	if (!b->done)
		return NULL;
	export_cache_turn(b->cache);
	return b->cache;
}

void beside_free(struct beside *b)
{
	if (!b)
		return;
	b->stopped = 1;
	join(b);
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->changed);
	export_cache_free(b->cache);
	free(b);
}
