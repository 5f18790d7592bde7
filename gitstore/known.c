/*
 * known.c - what the retained snapshots reach, so that it is not stored again
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "gitstore/own_pack.h"

#define TREE_MAX ((size_t)64 << 20)

/* A path of ours is shorter; whatever somebody put there may be deep. */
#define FOLDER_PATH_MAX ((size_t)1024)
#define REPEATED_MAX    ((size_t)4096)

struct tree_todo {
	struct object_id id;
	char *path; /* or NULL: of no interest */
};

/* Trees still to be looked at. */
struct tree_walk {
	struct gitstore *g;
	struct id_set *there; /* what was found, trees and blobs */
	struct id_set trees;  /* what was put on the list */
	struct tree_todo *todo;
	size_t count, capacity;
	const char *path;       /* of the tree being looked at, or NULL */
	struct path_map *files; /* receives the files of trees with a path */
	size_t repeated;        /* trees that lie at several paths */
	int strict;             /* a missing object is an error */
	int holes;              /* one was missing */
};

/* Takes `path` over. */
static int walk_push(struct tree_walk *w, const struct object_id *id,
		     char *path, struct error *err)
{
	struct tree_todo *todo;
	size_t capacity;
	/* one that lies at several paths is looked at in each, but a hostile
	 * branch may have a thousand paths to each of a thousand */
	int rc = id_set_add(&w->trees, id, err);

	if (rc < 0 || (!rc && (!path || w->repeated++ >= REPEATED_MAX))) {
		free(path);
		return rc;
	}
	if (w->count == w->capacity) {
		capacity = w->capacity ? w->capacity * 2 : 64;
		todo = realloc(w->todo, capacity * sizeof(*todo));
		if (!todo) {
			free(path);
			return error_nomem(err);
		}
		w->todo = todo;
		w->capacity = capacity;
	}
	w->todo[w->count].id = *id;
	w->todo[w->count++].path = path;
	return 0;
}

static int object_missing(const struct object_id *id, struct error *err)
{
	char hex[SHORT_HEX_SIZE];

	object_short(hex, id);
	return error_set(err, ERROR_CONFLICT,
			 "object %s went away while the export ran; run it "
			 "again",
			 hex);
}

/* The path of an entry of the tree at hand, in new memory. */
static char *entry_path(const struct tree_walk *w, const char *name)
{
	return *w->path ? path_join(w->path, name) : strdup(name);
}

static int add_file(struct tree_walk *w, const char *name,
		    const struct object_id *id, struct error *err)
{
	char *path = entry_path(w, name);
	int rc = path ? path_map_add(w->files, path_key(path), id, err)
		      : error_nomem(err);

	free(path);
	return rc;
}

static int push_folder(struct tree_walk *w, const char *name,
		       const struct object_id *id, struct error *err)
{
	char *path = NULL;

	/* nothing of ours lies deeper than that */
	if (w->path && strlen(w->path) < FOLDER_PATH_MAX) {
		path = entry_path(w, name);
		if (!path)
			return error_nomem(err);
	}
	return walk_push(w, id, path, err) < 0 ? -1 : 0;
}

static int walk_entry(void *payload, unsigned int mode, const char *name,
		      const struct object_id *id, struct error *err)
{
	struct tree_walk *w = payload;
	git_oid oid;

	if (mode == 040000)
		return push_folder(w, name, id, err);
	if (w->path && add_file(w, name, id, err) < 0)
		return -1;
	if (id_set_has(w->there, id))
		return 0;
	object_to_oid(&oid, id);
	/* A partial clone or a damaged store may lack it: then it is stored
	 * again. */
	if (git_odb_exists_ext(w->g->odb, &oid, GIT_ODB_LOOKUP_NO_REFRESH) ||
	    (w->strict && object_exists(w->g, id)))
		return id_set_add(w->there, id, err) < 0 ? -1 : 0;
	if (w->strict)
		return object_missing(id, err);
	w->holes = 1;
	return 0;
}

static int walk_tree(struct tree_walk *w, const struct object_id *id,
		     struct error *err)
{
	git_odb_object *object;
	int rc = object_read(&object, w->g, id, GIT_OBJECT_TREE, TREE_MAX);

	if (!rc)
		rc = tree_each(git_odb_object_data(object),
			       git_odb_object_size(object), walk_entry, w, err);
	git_odb_object_free(object);
	if (!rc)
		return id_set_add(w->there, id, err) < 0 ? -1 : 0;
	if (rc > 0 && w->strict)
		return object_missing(id, err);
	w->holes = 1;
	return rc > 0 ? 0 : -1;
}

static int walk_trees(struct tree_walk *w, struct error *err)
{
	struct tree_todo todo;
	int rc = 0;

	while (w->count && !rc) {
		todo = w->todo[--w->count];
		w->path = todo.path;
		rc = walk_tree(w, &todo.id, err);
		free(todo.path);
	}
	return rc;
}

static void walk_release(struct tree_walk *w)
{
	while (w->count)
		free(w->todo[--w->count].path);
	free(w->todo);
	id_set_release(&w->trees);
}

/* @param path  new memory that is taken over, or NULL */
static int walk_snapshot(struct tree_walk *w, const struct object_id *commit,
			 char *path, struct error *err)
{
	struct raw_commit c;
	int rc = raw_commit_read(w->g, commit, &c, err);

	if (!rc) {
		rc = walk_push(w, &c.tree, path, err) < 0 ? -1 : 0;
		path = NULL;
	}
	if (!rc)
		rc = walk_trees(w, err);
	raw_commit_release(&c);
	free(path);
	return rc < 0 ? -1 : 0; /* one that is not there has nothing */
}

/* The newest first, with the paths of its files: what others share with it is
 * not looked at again. */
static int walk_history(struct tree_walk *w, const struct history *h,
			struct error *err)
{
	size_t i;
	char *path;
	int rc = 0;

	for (i = 0; !rc && i < h->count; i++) {
		path = i ? NULL : strdup("");
		if (!i && !path)
			return error_nomem(err);
		rc = walk_snapshot(w, &h->snapshots[i].id, path, err);
	}
	return rc;
}

static int load_own(struct gitstore *g, struct error *err)
{
	char *folder = path_join(g->objects, "pack");
	int rc = -1;

	g->own = calloc(1, sizeof(*g->own));
	if (folder && g->own)
		rc = own_packs_load(g->own, folder, g->hasher, err);
	else
		error_nomem(err);
	free(folder);
	return rc;
}

void known_forget(struct gitstore *g)
{
	id_set_release(&g->known);
	path_map_release(&g->newest_files);
	if (g->own)
		own_packs_release(g->own);
	free(g->own);
	g->own = NULL;
	g->known_loaded = 0;
	g->known_holes = 0;
	memset(&g->known_tip, 0, sizeof(g->known_tip));
}

void known_none(struct gitstore *g)
{
	known_forget(g);
	g->known_loaded = 1;
}

int known_load(struct gitstore *g, struct error *err)
{
	struct tree_walk w = { .g = g,
			       .there = &g->known,
			       .files = &g->newest_files };
	struct history *h = NULL;
	int rc;

	known_forget(g);
	rc = history_of_branch(g, &h, err);
	if (h)
		g->known_tip = h->tip;
	g->retained = h ? h->count : 0;
	if (!rc)
		rc = walk_history(&w, h, err);
	g->known_holes = w.holes;
	walk_release(&w);
	history_free(h);
	/* a branch that is not ours (1) has nothing that we rely on */
	if (rc < 0 || load_own(g, err) < 0) {
		known_forget(g);
		return -1;
	}
	g->known_loaded = 1;
	return 0;
}

int tree_complete(struct gitstore *g, const struct object_id *tree,
		  struct error *err)
{
	struct id_set there = { NULL, 0, 0 };
	struct tree_walk w = { .g = g, .there = &there, .strict = 1 };
	int rc;

	if (store_look_again(g, err) < 0)
		return -1;
	rc = walk_push(&w, tree, NULL, err);
	if (rc >= 0)
		rc = walk_trees(&w, err);
	walk_release(&w);
	id_set_release(&there);
	return rc < 0 ? -1 : 0;
}
