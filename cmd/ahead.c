/* ahead.c - a drill that begins while the export is at work */

#include "cmd/ahead.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "cmd/beside.h"
#include "cmd/cmd.h"
#include "export/export.h"
#include "gitstore/gitstore.h"
#include "restore/restore.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"
#include "snapshot/manifest.h"

#define TABLES "data/tables/"

/** What the build reads: the folders of tables that are stored. */
struct stored_source {
	struct source base; /* first */
	struct ahead *ahead;
	size_t table;         /* of `inner` */
	struct source *inner; /* its folder, or NULL */
};

struct ahead {
	struct restore_gate gate; /* first: the build hands us its address */
	struct restore_progress progress;
	struct gitstore *store;
	const struct catalog *catalog;
	struct follower *follower;
	struct beside *beside;
	struct stored_source source;
	struct object_id *folders; /* of the tables stored so far */
	struct export_expected expected;
	unsigned char *has_folder;
	size_t stored;       /* tables */
	const char *scratch; /* where its folder is made */
	unsigned int jobs;
	char *folder;

	pthread_t thread;
	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	size_t readable; /* tables */
	int stopped;
	int begun; /* the thread was */
	int built; /* 1: the database is there */
};

/* ---- in the thread that builds ---- */

static int stopped(struct ahead *a)
{
	int is;

	pthread_mutex_lock(&a->lock);
	is = a->stopped;
	pthread_mutex_unlock(&a->lock);
	return is;
}

static int tick(struct restore_progress *p, const char *table, uint64_t rows)
{
	(void)table;
	(void)rows;
	return cmd_interrupted() ||
	       stopped((struct ahead *)((char *)p -
					offsetof(struct ahead, progress)));
}

static int wait_for(struct restore_gate *gate, size_t table, struct error *err)
{
	struct ahead *a = (struct ahead *)gate;
	int is;

	pthread_mutex_lock(&a->lock);
	while (!a->stopped && table >= a->readable)
		pthread_cond_wait(&a->changed, &a->lock);
	is = a->stopped;
	pthread_mutex_unlock(&a->lock);
	return is ? error_set(err, ERROR_INTERRUPTED, "interrupted") : 0;
}

/* Turn to the table whose folder `path` is, or lies in.
 * @return 0 with the rest of the path, 1: it has none, -1 */
static int turn_to(struct stored_source *s, const char *path, const char **rest,
		   struct error *err)
{
	const struct catalog *c = s->ahead->catalog;
	const char *name = path + strlen(TABLES);
	size_t size = strcspn(name, "/"), i;

	for (i = 0; i < c->table_count; i++)
		if (strlen(c->tables[i].folder) == size &&
		    !memcmp(c->tables[i].folder, name, size))
			break;
	if (i == c->table_count || !s->ahead->has_folder[i])
		return 1;
	*rest = name[size] ? name + size + 1 : "";
	if (s->inner && s->table == i)
		return 0;
	source_free(s->inner);
	s->inner = NULL;
	s->table = i;
	return follower_source(s->ahead->follower, &s->ahead->folders[i],
			       &s->inner, err);
}

static int read_stored(struct source *source, const char *path,
		       struct buffer *out, struct error *err)
{
	struct stored_source *s = (struct stored_source *)source;
	const char *rest;
	int rc = turn_to(s, path, &rest, err);

	return rc ? rc : s->inner->read(s->inner, rest, out, err);
}

static int list_stored(struct source *source, const char *path,
		       struct source_names *out, struct error *err)
{
	struct stored_source *s = (struct stored_source *)source;
	const char *rest;
	int rc = turn_to(s, path, &rest, err);

	return rc ? rc : s->inner->list(s->inner, rest, out, err);
}

static void will_read_stored(struct source *source, const char *path)
{
	struct stored_source *s = (struct stored_source *)source;
	const char *rest;

	if (!turn_to(s, path, &rest, NULL) && s->inner->will_read)
		s->inner->will_read(s->inner, rest);
}

static struct source_reader *reader_of_stored(struct source *source)
{
	const struct stored_source *s = (struct stored_source *)source;

	return s->inner && s->inner->reader ? s->inner->reader(s->inner) : NULL;
}

static void *work(void *payload)
{
	struct ahead *a = payload;
	struct restore_build how = { .progress = &a->progress,
				     .gate = &a->gate,
				     .watch = beside_watch(a->beside),
				     .jobs = a->jobs };
	struct restore_report report = { NULL, 0 };
	struct error ignored = ERROR_INIT;
	char *path = path_join(a->folder, DRILL_DB);

	a->built = path && !restore_build(&a->source.base, a->catalog, path,
					  &how, &report, &ignored);
	restore_report_release(&report);
	free(path);
	source_free(a->source.inner);
	a->source.inner = NULL;
	return NULL;
}

/* ---- in threads that export ---- */

struct ahead *ahead_new(struct gitstore *g, const struct catalog *c,
			const char *scratch, unsigned int jobs)
{
	struct error ignored = ERROR_INIT;
	struct ahead *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	a->gate.wait = wait_for;
	a->progress.tick = tick;
	a->store = g;
	a->catalog = c;
	a->scratch = scratch;
	a->jobs = jobs;
	a->source.base.label = "the new snapshot";
	a->source.base.read = read_stored;
	a->source.base.list = list_stored;
	a->source.base.will_read = will_read_stored;
	a->source.base.reader = reader_of_stored;
	a->source.ahead = a;
	a->folders = calloc(c->table_count + 1, sizeof(*a->folders));
	a->has_folder = calloc(c->table_count + 1, 1);
	a->expected = (struct export_expected){ c, a->folders };
	a->beside = beside_new(jobs, &a->expected);
	if (!a->folders || !a->has_folder ||
	    follower_new(&a->follower, g, &ignored) < 0) {
		ahead_free(a);
		return NULL;
	}
	return a;
}

static void start(struct ahead *a)
{
	struct error ignored = ERROR_INIT;

	if (!a->scratch)
		a->scratch = gitstore_folder(a->store, &ignored);
	if (a->scratch)
		scratch_sweep(a->scratch, "drill");
	if (!a->scratch ||
	    scratch_make(&a->folder, a->scratch, "drill", &ignored) < 0) {
		a->stopped = 1;
		return;
	}
	a->begun = cmd_thread(&a->thread, work, a);
}

static void look(struct ahead *a, int all)
{
	struct error ignored = ERROR_INIT;

	if (follower_look(a->follower, all, &ignored) <= 0)
		return;
	pthread_mutex_lock(&a->lock);
	a->readable = a->stored;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
	if (!a->begun)
		start(a);
}

void ahead_stored(struct ahead *a, size_t table, const struct object_id *folder)
{
	if (!a)
		return;
	if (folder) {
		a->folders[table] = *folder;
		a->has_folder[table] = 1;
	}
	a->stored = table + 1;
	if (!a->stopped)
		look(a, 0);
}

void ahead_all(struct ahead *a)
{
	/* what did not begin by now has no head start to win */
	if (a && a->begun)
		look(a, 1);
}

/* ---- at the end ---- */

/* Is the file what `write` makes of the catalog? */
static int same_file(const struct ahead *a, struct source *s, const char *path,
		     int (*write)(struct buffer *, const struct catalog *,
				  struct error *))
{
	struct buffer have = BUFFER_INIT, want = BUFFER_INIT;
	struct error ignored = ERROR_INIT;
	int same = s->read(s, path, &have, &ignored) == 0 &&
		   write(&want, a->catalog, &ignored) == 0 &&
		   !buffer_failed(&want) && have.size == want.size &&
		   !memcmp(have.data, want.data, want.size);

	buffer_release(&have);
	buffer_release(&want);
	return same;
}

static int same_folders(const struct ahead *a, struct source *s)
{
	for (size_t i = 0; i < a->catalog->table_count; i++) {
		struct buffer path = BUFFER_INIT;
		struct error ignored = ERROR_INIT;
		struct object_id id;
		int rc = -1;

		buffer_printf(&path, TABLES "%s", a->catalog->tables[i].folder);
		if (buffer_cstr(&path))
			rc = gitstore_folder_id(s, path.data, &id, &ignored);
		buffer_release(&path);
		if (rc < 0 || rc != !a->has_folder[i] ||
		    (!rc && memcmp(&id, &a->folders[i], sizeof(id)) != 0))
			return 0;
	}
	return 1;
}

static int same_layout(const struct ahead *a, struct source *s)
{
	struct snapshot_info info = { 0 };
	struct error ignored = ERROR_INIT;
	const struct catalog *c = a->catalog;
	int same = snapshot_info_read(&info, s, &ignored) == 0 &&
		   info.page_size == c->page_size &&
		   info.auto_vacuum == c->auto_vacuum && info.wal == c->wal;

	snapshot_info_release(&info);
	return same;
}

/* Did the build read what the snapshot's root leads to? */
static int same_snapshot(const struct ahead *a, struct source *s,
			 const struct object_id *content)
{
	struct error ignored = ERROR_INIT;
	struct object_id id;

	return gitstore_folder_id(s, "data", &id, &ignored) == 0 &&
	       !memcmp(&id, content, sizeof(id)) && same_layout(a, s) &&
	       same_file(a, s, "data/schema.json", schema_write) &&
	       same_file(a, s, "data/manifest.json", manifest_write) &&
	       same_folders(a, s);
}

static void join(struct ahead *a)
{
	if (a->begun)
		pthread_join(a->thread, NULL);
	a->begun = 0;
}

static void stop(struct ahead *a)
{
	pthread_mutex_lock(&a->lock);
	a->stopped = 1;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
	join(a);
}

const char *ahead_end(struct ahead *a, struct source *s,
		      const struct object_id *content)
{
	if (a->begun && a->readable == a->catalog->table_count)
		join(a);
	else
		stop(a);
	return a->built && same_snapshot(a, s, content) ? a->folder : NULL;
}

struct beside *ahead_beside(struct ahead *a)
{
	return a->beside;
}

void ahead_free(struct ahead *a)
{
	if (!a)
		return;
	stop(a);
	beside_free(a->beside);
	scratch_remove(a->folder);
	follower_free(a->follower);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->changed);
	free(a->folders);
	free(a->has_folder);
	free(a->folder);
	free(a);
}
