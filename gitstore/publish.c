/*
 * publish.c - objects into a pack of ours
 *
 * The pack is written in the scratch folder and stays there until its commits
 * are known: nobody else sees objects of an export that is not there yet, and
 * a run that fails or finds nothing new leaves nothing in the repository.
 */
#include <git2/sys/odb_backend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "gitstore/own_pack.h"

/* A snapshot and an index commit follow. */
#define COMMITS 2

#define OPEN_TRIES 10

int publish_begin(struct gitstore *g, struct error *err)
{
	const char *scratch;
	char name[32];

	if (g->pack)
		return 0;
	id_set_release(&g->packed);
	scratch = gitstore_scratch(g, err);
	snprintf(name, sizeof(name), "new%u", g->packs++);
	return scratch ? pack_writer_new(&g->pack, scratch, name, err) : -1;
}

static struct sink *open_sink(struct gitstore *g, struct error *err)
{
	if (!g->known_loaded && known_load(g, err) < 0)
		return NULL;
	batch_sink(g);
	return &g->sink;
}

struct sink *gitstore_sink(struct gitstore *g, struct error *err)
{
	if (!g->checked && gitstore_check(g, NULL, g->adopt, err) < 0)
		return NULL;
	return open_sink(g, err);
}

/* What a damaged branch reaches is stored again. */
struct sink *gitstore_undo_sink(struct gitstore *g, struct error *err)
{
	if (!g->known_loaded && known_load(g, NULL) < 0)
		known_none(g);
	return open_sink(g, err);
}

/* Is none of the pack's objects in the repository already? */
static int is_alone(struct gitstore *g)
{
	const struct pack_entry *entries;
	size_t count, i;
	git_oid oid;

	entries = pack_writer_entries(g->pack, &count);
	git_odb_refresh(g->odb);
	for (i = 0; i < count; i++) {
		object_to_oid(&oid, &entries[i].id);
		if (git_odb_exists_ext(g->odb, &oid, GIT_ODB_LOOKUP_NO_REFRESH))
			return 0;
	}
	return 1;
}

static int add_pack(struct gitstore *g, git_odb *odb)
{
	git_odb_backend *pack = NULL;

	if (git_odb_backend_one_pack(&pack, pack_writer_idx(g->pack)) < 0)
		return -1;
	if (!git_odb_add_backend(odb, pack, 0))
		return 0;
	pack->free(pack);
	return -1;
}

static git_odb *open_store(struct gitstore *g)
{
	git_odb *odb = NULL;

	if (git_odb_open(&odb, g->objects) < 0 ||
	    (g->published && add_pack(g, odb) < 0)) {
		git_odb_free(odb);
		return NULL;
	}
	return odb;
}

static void forget_reader(struct gitstore *g)
{
	pack_cursor_free(g->cursor);
	pack_reader_free(g->reader);
	g->cursor = NULL;
	g->reader = NULL;
}

static int open_reader(struct gitstore *g, struct error *err)
{
	char *folder = path_join(g->objects, "pack");
	int rc;

	if (!folder)
		return error_nomem(err);
	rc = pack_reader_new(&g->reader, folder,
			     g->published ? pack_writer_idx(g->pack) : NULL,
			     err);
	free(folder);
	return rc;
}

int store_cursor_new(struct gitstore *g, struct pack_cursor **out,
		     struct error *err)
{
	*out = NULL;
	if (!g->reader && open_reader(g, err) < 0)
		return -1;
	return pack_cursor_new(out, g->reader, err);
}

int store_read(struct gitstore *g, const struct object_id *id,
	       enum pack_type type, size_t limit, struct buffer *out,
	       struct error *err)
{
	if (!g->cursor && store_cursor_new(g, &g->cursor, err) < 0)
		return -1;
	return pack_cursor_read(g->cursor, id, type, limit, out, err);
}

/*
 * A new view of the object store: one that is open goes on showing packs that
 * somebody removed.  With our pack, once that can be read.  While a gc swaps
 * packs, libgit2 may list one and then not find it.
 */
int store_look_again(struct gitstore *g, struct error *err)
{
	const struct timespec pause = { 0, 20 * 1000000L };
	git_odb *odb = open_store(g);
	int attempt;

	forget_reader(g);
	for (attempt = 1; attempt < OPEN_TRIES && !odb; attempt++) {
		nanosleep(&pause, NULL);
		odb = open_store(g);
	}
	if (!odb)
		return git_failed(err, ERROR_FAILED,
				  "cannot read the repository '%s'", g->where);
	git_odb_free(g->odb);
	g->odb = odb;
	return 0;
}

int gitstore_publish(struct gitstore *g, struct error *err)
{
	if (!g->pack || g->published)
		return 0; /* everything was there */
	if (packs_merge(g, err) < 0)
		return -1;
	g->alone = is_alone(g);
	if (pack_writer_readable(g->pack, COMMITS, err) < 0)
		return -1;
	g->published = 1;
	return store_look_again(g, err);
}

int check_published(struct gitstore *g, struct error *err)
{
	if (g->pack && !g->published)
		return error_set(err, ERROR_FAILED,
				 "what was put is not published yet");
	return 0;
}

void publish_forget(struct gitstore *g)
{
	git_odb *odb = NULL;

	forget_reader(g);
	if (g->pack) {
		unlink(pack_writer_pack(g->pack));
		unlink(pack_writer_idx(g->pack));
	}
	pack_writer_free(g->pack);
	g->pack = NULL;
	g->published = 0;
	if (g->repo && !git_repository_odb(&odb, g->repo)) {
		git_odb_free(g->odb);
		g->odb = odb;
		git_odb_refresh(odb);
	}
	/* What was known may be on no branch any more. */
	known_forget(g);
	id_set_release(&g->packed);
}
