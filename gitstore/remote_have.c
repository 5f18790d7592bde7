/*
 * remote_have.c - which snapshots are here with all their files
 *
 * A clone may be shallow or partial: that a commit is here tells nothing about
 * its files, and a server that is told "have" does not send them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gitstore/remote_internal.h"

/* More than a server looks at with pleasure. */
#define HAVES_MAX 256

int id_list_add(struct id_list *l, const struct object_id *id,
		struct error *err)
{
	size_t capacity = l->capacity ? l->capacity * 2 : 64;
	struct object_id *ids;

	if (l->count == l->capacity) {
		ids = realloc(l->ids, capacity * sizeof(*ids));
		if (!ids)
			return error_nomem(err);
		l->ids = ids;
		l->capacity = capacity;
	}
	l->ids[l->count++] = *id;
	return 0;
}

struct walk {
	struct remote *r;
	struct id_set *ids;
	struct id_list todo; /* trees */
	int missing;
};

static int walk_entry(void *payload, unsigned int mode, const char *name,
		      const struct object_id *id, struct error *err)
{
	struct walk *w = payload;
	git_oid oid;
	int added = id_set_add(w->ids, id, err);

	(void)name;
	if (added <= 0)
		return added;
	if (mode == 040000)
		return id_list_add(&w->todo, id, err);
	object_to_oid(&oid, id);
	if (!git_odb_exists_ext(w->r->transfer->odb, &oid,
				GIT_ODB_LOOKUP_NO_REFRESH))
		w->missing = 1;
	return 0;
}

static int walk_tree(struct walk *w, const struct object_id *id,
		     struct error *err)
{
	struct buffer tree = BUFFER_INIT;
	int rc = remote_object(w->r, id, PACK_TREE, &tree, err);

	if (!rc && tree.size)
		rc = tree_each(tree.data, tree.size, walk_entry, w, err);
	buffer_release(&tree);
	if (rc > 0)
		w->missing = 1;
	return rc < 0 ? -1 : 0;
}

int tree_ids(struct remote *r, const struct object_id *tree, struct id_set *ids,
	     struct error *err)
{
	struct walk w = { .r = r, .ids = ids };
	int rc = remote_store(r, err) ? 0 : -1;

	if (!rc && id_set_has(ids, tree))
		return 0;
	if (!rc && (id_set_add(ids, tree, err) < 0 ||
		    id_list_add(&w.todo, tree, err) < 0))
		rc = -1;
	while (!rc && w.todo.count) {
		struct object_id id = w.todo.ids[--w.todo.count];

		rc = walk_tree(&w, &id, err);
	}
	free(w.todo.ids);
	return rc < 0 ? -1 : w.missing;
}

/* With `ids` holding only what is whole so far, as it must. */
static int is_whole(struct remote *r, const struct object_id *id, int parents,
		    struct id_set *ids, struct error *err)
{
	struct raw_commit c;
	int rc;
	size_t i;

	if (!remote_store(r, err))
		return -1;
	rc = raw_commit_read(r->transfer, id, &c, err);
	if (!rc)
		rc = tree_ids(r, &c.tree, ids, err);
	for (i = 0; !rc && parents && i < c.parent_count; i++)
		rc = is_whole(r, &c.parents[i], 0, ids, err);
	raw_commit_release(&c);
	return rc;
}

int commit_is_whole(struct remote *r, const struct object_id *id, int parents,
		    struct error *err)
{
	struct id_set ids = { NULL, 0, 0 };
	int rc = is_whole(r, id, parents, &ids, err);

	id_set_release(&ids);
	return rc;
}

/* Trees that several share are looked at once, until something is missing. */
static int add_whole(struct id_list *out, struct remote *r,
		     const struct history *h, struct error *err)
{
	struct id_set ids = { NULL, 0, 0 };
	size_t i;
	int rc = 0;

	for (i = 0; rc >= 0 && i < h->count && out->count < HAVES_MAX; i++) {
		rc = is_whole(r, &h->snapshots[i].id, 0, &ids, err);
		if (!rc)
			rc = id_list_add(out, &h->snapshots[i].id, err);
		else
			id_set_release(&ids);
	}
	id_set_release(&ids);
	return rc < 0 ? -1 : 0;
}

int haves_find(struct id_list *out, struct remote *r, struct error *err)
{
	struct gitstore *stores[2] = { r->g, remote_store(r, err) };
	struct history *h;
	size_t i;
	int rc = stores[1] ? 0 : -1;

	for (i = 0; !rc && i < 2; i++) {
		/* a branch that is not ours has nothing to offer */
		if (gitstore_history(stores[i], 0, &h, NULL, NULL) < 0)
			continue;
		rc = add_whole(out, r, h, err);
		history_free(h);
	}
	return rc;
}
