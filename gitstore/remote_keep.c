/*
 * remote_keep.c - what was fetched, into the user's repository
 *
 * A pack goes as it is.  One that holds commits without their files does not:
 * git would find the repository broken.  Of those go the commits whose files
 * came otherwise or were here.
 */
#include <git2/sys/odb_backend.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "gitstore/remote_internal.h"

/* The objects of one pack alone; NULL where it can't be opened. */
static git_odb *open_pack(const char *stem)
{
	struct buffer idx = BUFFER_INIT;
	git_odb_backend *pack = NULL;
	git_odb *odb = NULL;

	buffer_printf(&idx, "%s.idx", stem);
	if (!buffer_cstr(&idx) || git_odb_new(&odb) < 0 ||
	    git_odb_backend_one_pack(&pack, idx.data) < 0)
		goto failed;
	if (git_odb_add_backend(odb, pack, 0) < 0) {
		pack->free(pack);
		goto failed;
	}
	buffer_release(&idx);
	return odb;
failed:
	git_odb_free(odb);
	buffer_release(&idx);
	return NULL;
}

static int is_there(const git_oid *id, void *payload)
{
	return git_odb_exists_ext(payload, id, GIT_ODB_LOOKUP_NO_REFRESH);
}

/* Has the user's repository none of the pack's objects? */
static int is_alone(struct remote *r, const char *stem)
{
	git_odb *odb = open_pack(stem);
	int there = 1;

	git_odb_refresh(r->g->odb);
	if (odb)
		there = git_odb_foreach(odb, is_there, r->g->odb);
	git_odb_free(odb);
	return !there;
}

static int place(struct remote *r, const char *stem, const struct move *m,
		 struct error *err)
{
	struct buffer pack = BUFFER_INIT, idx = BUFFER_INIT;
	int rc;

	buffer_printf(&pack, "%s.pack", stem);
	buffer_printf(&idx, "%s.idx", stem);
	if (!buffer_cstr(&pack) || !buffer_cstr(&idx))
		rc = error_nomem(err);
	else
		rc = place_fetched(r->g, pack.data, idx.data, is_alone(r, stem),
				   m, err);
	buffer_release(&pack);
	buffer_release(&idx);
	return rc;
}

/* ---- commits without files ---- */

struct commits {
	struct remote *r;
	struct pack_writer *w;
	struct error *err;
	size_t count;
};

static int put_commit(struct commits *c, const struct object_id *id)
{
	struct buffer body = BUFFER_INIT;
	int rc = remote_object(c->r, id, PACK_COMMIT, &body, c->err);

	if (!rc)
		rc = pack_writer_put(c->w, PACK_COMMIT, id, body.data,
				     body.size, c->err);
	if (!rc)
		c->count++;
	buffer_release(&body);
	return rc < 0 ? -1 : 0;
}

static int each_object(const git_oid *oid, void *payload)
{
	struct commits *c = payload;
	struct object_id id;
	int rc;

	object_from_oid(&id, oid);
	if (git_odb_exists_ext(c->r->g->odb, oid, GIT_ODB_LOOKUP_NO_REFRESH))
		return 0;
	rc = commit_is_whole(c->r, &id, 1, c->err);
	return rc ? (rc < 0 ? -1 : 0) : put_commit(c, &id);
}

static int place_commits_of(struct remote *r, const char *stem,
			    const struct move *m, struct error *err)
{
	struct commits c = { .r = r, .err = err };
	git_odb *odb = open_pack(stem);
	char name[32], *kept;
	int rc = -1;

	snprintf(name, sizeof(name), "commits%zu", r->fetched_count);
	kept = path_join(r->folder, name);
	git_odb_refresh(r->g->odb);
	if (!kept)
		error_nomem(err);
	else if (!odb)
		git_failed(err, ERROR_FAILED, "cannot read what was fetched");
	else if (!pack_writer_new(&c.w, r->folder, name, err) &&
		 !git_odb_foreach(odb, each_object, &c))
		rc = 0;
	if (!rc && c.count)
		rc = pack_writer_close(c.w, err) < 0 ? -1
						     : place(r, kept, m, err);
	else if (c.w)
		unlink(pack_writer_pack(c.w));
	pack_writer_free(c.w);
	git_odb_free(odb);
	free(kept);
	return rc;
}

/* Commits alone come last: by then their files are where they are to be. */
static int keep_packs(struct remote *r, int commits_only, const struct move *m,
		      struct error *err)
{
	size_t i;

	for (i = r->fetched_count; i-- > 0;) {
		struct fetched *f = &r->fetched[i];

		if (f->commits_only != commits_only)
			continue;
		if ((commits_only ? place_commits_of(r, f->stem, m, err)
				  : place(r, f->stem, m, err)) < 0)
			return -1;
		if (commits_only)
			continue; /* read from there still */
		free(f->stem);
		memmove(f, f + 1, (--r->fetched_count - i) * sizeof(*f));
	}
	if (store_look_again(r->g, err) < 0)
		return -1;
	return r->transfer ? store_look_again(r->transfer, err) : 0;
}

int remote_keep(struct remote *r, const struct move *m, struct error *err)
{
	if (keep_packs(r, 0, m, err) < 0)
		return -1;
	return keep_packs(r, 1, m, err);
}
