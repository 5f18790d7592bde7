/*
 * job.c - one export, in a thread of its own
 *
 * The thread opens the database, begins its one transaction, finds out whether
 * the client has this content already, and writes the document into a spool.
 * The thread that speaks HTTP reads from there and is never kept waiting: it is
 * woken.  The spool holds what a slow client has not taken yet; where that is
 * more than it may hold, the thread waits, with its transaction, and when to
 * stop() that is the reader's affair.
 *
 * The entity tag.  The document tells when it was made, so two documents of
 * one content differ in bytes: the tag is a weak one, the same for all codings
 * (RFC 9110, section 8.8.1).  It is the content id.  That is known
 *
 * - where the file stands as it stood when it was read last, at once;
 * - else by reading all of it once more, in the same transaction, before the
 *   first byte is sent.  As long as that takes a client hears nothing, so after
 *   LOOK_S it is given up, and for databases of that size not tried again.
 *   Their tag stands for the state of the file, which changes whenever anybody
 *   writes to it, be it the same content.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "database/database.h"
#include "export/export.h"
#include "serve/serve_internal.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest.h"

#define LOOK_S  10
#define BUSY_MS 5000

struct job {
	struct job_options o;
	char *if_none_match;
	/* the thread's own */
	struct database *db;
	struct catalog *catalog;
	struct snapshot_info info;
	struct gzip *gzip;
	struct buffer identity;
	int settled;
	int opened;
	struct object_id content;
	pthread_t thread;
	int running;
	atomic_int stop;
	struct spool *spool;
	pthread_mutex_t lock; /* for what follows */
	enum job_state state;
	char tag[TAG_SIZE];
	struct error failed;
	int ended;
};

/* ---- what the reader is told ---- */

static void wake(struct job *j)
{
	const uint64_t one = 1;

	/* it cannot fail but where the reader is about to be woken anyway */
	if (write(j->o.wake, &one, sizeof(one)) < 0)
		return;
}

static void tell(struct job *j, enum job_state state)
{
	pthread_mutex_lock(&j->lock);
	j->state = state;
	pthread_mutex_unlock(&j->lock);
	wake(j);
}

static int put(void *payload, const void *data, size_t size, struct error *err)
{
	struct job *j = payload;

	return spool_put(j->spool, data, size, err);
}

static int compress(void *payload, const void *data, size_t size,
		    struct error *err)
{
	struct job *j = payload;

	return gzip_add(j->gzip, data, size, 0, put, j, err);
}

/* ---- the entity tag ---- */

struct look {
	struct export_progress base; /* first: tick() gets its address */
	struct job *job;
	int64_t until_s;
	int too_long;
};

static int64_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static int tick(struct export_progress *p, const char *table, uint64_t rows)
{
	struct look *l = (struct look *)p;

	(void)table;
	(void)rows;
	l->too_long = now_s() >= l->until_s;
	return l->job->stop || l->too_long;
}

/* Does the file stand as it stood when its content was known? */
static int is_known(struct job *j)
{
	const struct known *k = j->o.known;

	if (!j->identity.size || j->identity.size != k->identity.size ||
	    memcmp(j->identity.data, k->identity.data, j->identity.size) != 0)
		return 0;
	j->content = k->content;
	return 1;
}

/* It is known from now on, if the file still stands as it stood and a later
 * write would show. */
static void keep_known(struct job *j)
{
	struct known *k = j->o.known;

	buffer_clear(&k->identity);
	k->content = j->content;
	if (!j->identity.size ||
	    database_identity(j->db, &k->identity, &j->settled) != 0 ||
	    !j->settled || k->identity.size != j->identity.size ||
	    memcmp(k->identity.data, j->identity.data, j->identity.size) != 0)
		buffer_clear(&k->identity);
}

/* Read all of it. @return 0; 1: that takes too long; -1 */
static int look_through(struct job *j, struct error *err)
{
	struct look look = { .base = { .tick = tick, .jobs = j->o.serve->jobs },
			     .job = j,
			     .until_s = now_s() + LOOK_S };
	struct known *k = j->o.known;
	struct sink *sink = NULL;
	uint64_t bytes;
	int rc;

	if (database_size(j->db, &bytes, err) < 0)
		return -1;
	if (k->slow_bytes && bytes >= k->slow_bytes)
		return 1;
	if (hash_sink_new(&sink, err) < 0)
		return -1;
	rc = export_data(j->db, j->catalog, sink, &look.base, &j->content, err);
	hash_sink_free(sink);
	if (rc < 0 && look.too_long && !j->stop) {
		error_clear(err);
		k->slow_bytes = bytes;
		return 1;
	}
	if (rc == 0)
		keep_known(j);
	return rc;
}

static void set_content_tag(struct job *j)
{
	object_hex(j->tag, &j->content);
}

/* While the file stands as it stands: a tag of its own kind. */
static void set_file_tag(struct job *j)
{
	unsigned char digest[HASH_SHA256_SIZE];
	struct hasher *h = NULL;
	char hex[2 * HASH_SHA256_SIZE + 1];

	if (!j->settled || !j->identity.size ||
	    hasher_new(&h, HASH_SHA256, NULL) < 0)
		return;
	hasher_reset(h);
	hasher_add(h, j->identity.data, j->identity.size);
	hasher_final(h, digest);
	hasher_free(h);
	hex_encode(hex, digest, sizeof(digest));
	snprintf(j->tag, sizeof(j->tag), "file-%.40s", hex);
}

static int is_same(const struct job *j)
{
	return j->tag[0] && headers_match(j->if_none_match, j->tag);
}

/* Set `tag` if it can be had. @return 0; 1: it is what the client has; -1 */
static int find_tag(struct job *j, struct error *err)
{
	int rc;

	if (database_identity(j->db, &j->identity, &j->settled) != 0)
		buffer_clear(&j->identity);
	if (is_known(j)) {
		set_content_tag(j);
		return is_same(j);
	}
	set_file_tag(j);
	if (is_same(j))
		return 1;
	if (database_catalog(j->db, &j->catalog, err) < 0)
		return -1;
	rc = look_through(j, err);
	if (rc == 0)
		set_content_tag(j);
	return rc < 0 ? -1 : is_same(j);
}

/* ---- the document ---- */

static int fill_info(struct job *j, struct error *err)
{
	const struct serve_options *o = j->o.serve;
	struct snapshot_info *i = &j->info;
	const char *revision = j->catalog->schema_revision;

	i->created_at_s = clock_now();
	i->source = strdup(o->source);
	i->tool_version = strdup(o->version);
	i->kind = strdup("served");
	i->schema_revision = revision ? strdup(revision) : NULL;
	i->page_size = j->catalog->page_size;
	i->auto_vacuum = j->catalog->auto_vacuum;
	i->wal = j->catalog->wal;
	/* as for the files of a snapshot: tables that people know */
	for (size_t t = 0; t < j->catalog->table_count; t++)
		i->tables += j->catalog->tables[t].kind != TABLE_INTERNAL;
	return i->source && i->tool_version && i->kind &&
			       (i->schema_revision || !revision)
		       ? 0
		       : error_nomem(err);
}

static int send_document(struct job *j, struct error *err)
{
	if (!j->catalog && database_catalog(j->db, &j->catalog, err) < 0)
		return -1;
	if (fill_info(j, err) < 0)
		return -1;
	if (j->o.coding == CODING_GZIP && gzip_new(&j->gzip, err) < 0)
		return -1;
	tell(j, JOB_COMING);
	if (export_document(j->db, j->catalog, &j->info,
			    j->gzip ? compress : put, j, err) < 0)
		return -1;
	return j->gzip ? gzip_add(j->gzip, "", 0, 1, put, j, err) : 0;
}

static int work(struct job *j, struct error *err)
{
	const struct serve_options *o = j->o.serve;
	const struct database_options open = {
		.busy_timeout_ms = BUSY_MS,
		.scratch = o->scratch,
		.allow_empty = o->allow_empty,
	};
	int rc;

	if (database_open(&j->db, o->db, &open, err) < 0 ||
	    database_begin(j->db, err) < 0)
		return -1;
	j->opened = 1;
	rc = find_tag(j, err);
	if (rc == 0)
		return send_document(j, err);
	if (rc > 0)
		tell(j, JOB_SAME);
	return rc < 0 ? -1 : 0;
}

static void *run(void *payload)
{
	struct error err = ERROR_INIT;
	struct job *j = payload;
	int rc = work(j, &err);

	/* the transaction is over before anybody hears of the end */
	database_close(j->db);
	j->db = NULL;
	pthread_mutex_lock(&j->lock);
	if (rc < 0) {
		j->failed = err;
		if (j->state == JOB_BEGUN)
			j->state = j->opened ? JOB_FAILED : JOB_CLOSED;
	}
	j->ended = 1;
	pthread_mutex_unlock(&j->lock);
	wake(j);
	return NULL;
}

/* ---- the reader's side ---- */

static int begin(struct job *j, const struct job_options *o, struct error *err)
{
	const struct serve_options *s = o->serve;

	j->o = *o;
	if (o->if_none_match)
		j->if_none_match = strdup(o->if_none_match);
	if (o->if_none_match && !j->if_none_match)
		return error_nomem(err);
	if (spool_new(&j->spool, s->spool, s->spool_bytes, o->wake, err) < 0)
		return -1;
	if (pthread_create(&j->thread, NULL, run, j))
		return error_set(err, ERROR_FAILED, "cannot start a thread");
	j->running = 1;
	return 0;
}

int job_start(struct job **out, const struct job_options *o, struct error *err)
{
	struct job *j = calloc(1, sizeof(*j));

	*out = NULL;
	if (!j)
		return error_nomem(err);
	pthread_mutex_init(&j->lock, NULL);
	if (begin(j, o, err) < 0) {
		job_free(j);
		return -1;
	}
	*out = j;
	return 0;
}

enum job_state job_state(struct job *j)
{
	enum job_state state;

	pthread_mutex_lock(&j->lock);
	state = j->state;
	pthread_mutex_unlock(&j->lock);
	return state;
}

const char *job_tag(struct job *j)
{
	return j->tag;
}

ssize_t job_read(struct job *j, void *out, size_t room, struct error *err)
{
	/* asked first: what is put before the end is then seen */
	int ended = job_ended(j);
	ssize_t got = spool_take(j->spool, out, room, err);

	if (got < 0)
		return -2;
	if (got > 0 || !ended)
		return got;
	if (j->failed.code == ERROR_NONE)
		return -1;
	error_set(err, j->failed.code, "%s", j->failed.message);
	return -2;
}

int job_ready(struct job *j)
{
	return job_ended(j) || spool_filled(j->spool);
}

void job_stop(struct job *j)
{
	j->stop = 1;
	spool_stop(j->spool);
}

int job_ended(struct job *j)
{
	int ended;

	pthread_mutex_lock(&j->lock);
	ended = j->ended;
	pthread_mutex_unlock(&j->lock);
	return ended;
}

const struct error *job_error(struct job *j)
{
	return &j->failed;
}

void job_free(struct job *j)
{
	if (!j)
		return;
	if (j->running) {
		job_stop(j);
		pthread_join(j->thread, NULL);
	}
	snapshot_info_release(&j->info);
	catalog_free(j->catalog);
	gzip_free(j->gzip);
	buffer_release(&j->identity);
	spool_free(j->spool);
	pthread_mutex_destroy(&j->lock);
	free(j->if_none_match);
	free(j);
}
