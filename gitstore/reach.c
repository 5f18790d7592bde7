/*
 * reach.c - what anything in the repository still reaches
 *
 * What retention dropped may leave a pack of ours only if nothing else of the
 * user's reaches it: somebody may have tagged an old snapshot, or taken a file
 * of one into a branch of his own.  So this looks where `git gc` looks: refs
 * and their logs, HEAD and the like, the index.  It walks with a budget, and
 * wherever something is not plain (linked work trees, a rebase or any other
 * command at work, another index, a ref or an object that cannot be read) it
 * says that it cannot tell.  Then nothing goes.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "gitstore/own_pack.h"

#define OBJECT_MAX ((size_t)64 << 20)
#define HEADS_MAX  ((size_t)1 << 20)

struct reach {
	struct gitstore *g;
	struct id_set *reached;
	struct object_id *todo;
	size_t count, capacity;
	size_t budget; /* objects that may still be read */
};

static int push(struct reach *r, const struct object_id *id, struct error *err)
{
	struct object_id *todo;
	size_t capacity;
	int rc = id_set_add(r->reached, id, err);

	if (rc <= 0)
		return rc;
	if (r->count == r->capacity) {
		capacity = r->capacity ? r->capacity * 2 : 256;
		todo = realloc(r->todo, capacity * sizeof(*todo));
		if (!todo)
			return error_nomem(err);
		r->todo = todo;
		r->capacity = capacity;
	}
	r->todo[r->count++] = *id;
	return 0;
}

static int push_oid(struct reach *r, const git_oid *oid, struct error *err)
{
	struct object_id id;

	object_from_oid(&id, oid);
	return push(r, &id, err);
}

/* ---- where to begin ---- */

/* Lines that begin with an id, as HEAD, ORIG_HEAD, FETCH_HEAD have them. */
static int push_lines(struct reach *r, const char *path, struct error *err)
{
	struct buffer text = BUFFER_INIT;
	struct object_id id;
	const char *line;
	int rc = file_read(path, HEADS_MAX, &text, NULL);

	if (!rc && !buffer_cstr(&text))
		rc = error_nomem(err);
	else if (rc < 0)
		rc = 1;
	for (line = text.data; !rc && line && *line;) {
		if (strlen(line) >= 40 &&
		    !hex_decode(id.bytes, line, sizeof(id.bytes)))
			rc = push(r, &id, err);
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	buffer_release(&text);
	return rc;
}

static int ends_with(const char *name, const char *end)
{
	size_t size = strlen(name), end_size = strlen(end);

	return size >= end_size && !strcmp(name + size - end_size, end);
}

/* A rebase and the like keep ids in files of their own; `git commit FILE` has
 * them in an index of its own while the editor is open. */
static int is_plain_name(const char *name)
{
	return strncmp(name, "rebase", 6) != 0 &&
	       strcmp(name, "sequencer") != 0 &&
	       strcmp(name, "worktrees") != 0 &&
	       strncmp(name, "sharedindex", 11) != 0 &&
	       strncmp(name, "next-index", 10) != 0 &&
	       (strncmp(name, "index", 5) != 0 || !name[5]) &&
	       !ends_with(name, ".lock");
}

static int is_head_name(const char *name)
{
	return *name && name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")] == 0;
}

static int push_heads(struct reach *r, struct error *err)
{
	DIR *d = opendir(r->g->common);
	struct dirent *e;
	int rc = d ? 0 : 1;

	while (!rc && (e = readdir(d))) {
		char *path;

		if (!is_plain_name(e->d_name)) {
			rc = 1;
		} else if (is_head_name(e->d_name)) {
			path = path_join(r->g->common, e->d_name);
			rc = path ? push_lines(r, path, err) : error_nomem(err);
			free(path);
		}
	}
	if (d)
		closedir(d);
	return rc;
}

/* ---- refs that are damaged ---- */

struct folders {
	char **paths; /* "refs/heads" */
	size_t count;
};

static int add_folder(struct folders *f, char *path, struct error *err)
{
	char **paths = realloc(f->paths, (f->count + 1) * sizeof(*paths));

	if (paths)
		f->paths = paths;
	if (!paths || !path) {
		free(path);
		return error_nomem(err);
	}
	f->paths[f->count++] = path;
	return 0;
}

/* @param path  "refs/heads/x"; taken over */
static int check_ref(struct reach *r, struct folders *f, char *path,
		     struct error *err)
{
	char *full = path ? path_join(r->g->common, path) : NULL;
	git_reference *ref = NULL;
	struct stat st;
	int rc = 0;

	if (!full) {
		free(path);
		return error_nomem(err);
	}
	if (lstat(full, &st) < 0 || !r->budget--) {
		rc = 1;
	} else if (S_ISDIR(st.st_mode)) {
		free(full);
		return add_folder(f, path, err);
	} else if (git_reference_lookup(&ref, r->g->repo, path) < 0) {
		rc = 1;
	}
	git_reference_free(ref);
	free(full);
	free(path);
	return rc;
}

static int check_folder(struct reach *r, struct folders *f, const char *folder,
			struct error *err)
{
	char *full = path_join(r->g->common, folder);
	DIR *d = full ? opendir(full) : NULL;
	struct dirent *e;
	int rc = d ? 0 : full ? 1 : error_nomem(err);

	while (!rc && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = check_ref(r, f, path_join(folder, e->d_name), err);
	if (d)
		closedir(d);
	free(full);
	return rc;
}

/* libgit2 passes over refs that it cannot read, such as the empty ones that a
 * loss of power leaves; their logs still tell what they were. */
static int check_refs(struct reach *r, struct error *err)
{
	struct folders f = { NULL, 0 };
	int rc = add_folder(&f, strdup("refs"), err);

	while (!rc && f.count) {
		char *folder = f.paths[--f.count];

		rc = check_folder(r, &f, folder, err);
		free(folder);
	}
	while (f.count)
		free(f.paths[--f.count]);
	free(f.paths);
	return rc;
}

/* ---- refs ---- */

static int push_log(struct reach *r, const char *ref, struct error *err)
{
	git_reflog *log = NULL;
	size_t i;
	int rc = 0;

	if (git_reference_has_log(r->g->repo, ref) != 1)
		return 0;
	if (git_reflog_read(&log, r->g->repo, ref) < 0)
		return 1;
	for (i = 0; !rc && i < git_reflog_entrycount(log); i++) {
		const git_reflog_entry *e = git_reflog_entry_byindex(log, i);

		rc = push_oid(r, git_reflog_entry_id_old(e), err);
		if (!rc)
			rc = push_oid(r, git_reflog_entry_id_new(e), err);
	}
	git_reflog_free(log);
	return rc;
}

static int push_refs(struct reach *r, struct error *err)
{
	git_reference_iterator *all = NULL;
	git_reference *ref = NULL;
	int rc = 0, next = 0;

	if (git_reference_iterator_new(&all, r->g->repo) < 0)
		return 1;
	while (!rc && !(next = git_reference_next(&ref, all))) {
		if (git_reference_type(ref) == GIT_REFERENCE_DIRECT)
			rc = push_oid(r, git_reference_target(ref), err);
		if (!rc)
			rc = push_log(r, git_reference_name(ref), err);
		git_reference_free(ref);
	}
	git_reference_iterator_free(all);
	if (!rc && next != GIT_ITEROVER)
		rc = 1;
	return rc ? rc : push_log(r, "HEAD", err);
}

static int push_index(struct reach *r, struct error *err)
{
	char *path = path_join(r->g->common, "index");
	git_index *index = NULL;
	size_t i;
	int rc = 0;

	if (!path)
		return error_nomem(err);
	if (file_exists(path) && git_index_open(&index, path) < 0)
		rc = 1;
	for (i = 0; !rc && index && i < git_index_entrycount(index); i++) {
		const git_index_entry *e = git_index_get_byindex(index, i);

		struct object_id id;

		object_from_oid(&id, &e->id);
		rc = id_set_add(r->reached, &id, err) < 0 ? -1 : 0;
	}
	git_index_free(index);
	free(path);
	return rc;
}

/* ---- the walk ---- */

static int each_entry(void *payload, unsigned int mode, const char *name,
		      const struct object_id *id, struct error *err)
{
	struct reach *r = payload;

	(void)name;
	if (mode == 0160000) /* a submodule's commit is not here */
		return 0;
	if (mode == 040000)
		return push(r, id, err);
	return id_set_add(r->reached, id, err) < 0 ? -1 : 0;
}

static int each_commit(struct reach *r, const struct object_id *id,
		       struct error *err)
{
	struct raw_commit c;
	size_t i;
	int rc = raw_commit_read(r->g, id, &c, err);

	if (!rc)
		rc = push(r, &c.tree, err);
	for (i = 0; !rc && i < c.parent_count; i++)
		rc = push(r, &c.parents[i], err);
	raw_commit_release(&c);
	return rc;
}

/* "object <hex>\n" */
static int each_tag(struct reach *r, const char *data, size_t size,
		    struct error *err)
{
	struct object_id id;

	if (size < 48 || memcmp(data, "object ", 7) != 0 ||
	    hex_decode(id.bytes, data + 7, sizeof(id.bytes)) < 0)
		return 1;
	return push(r, &id, err);
}

static int look_at(struct reach *r, const struct object_id *id,
		   struct error *err)
{
	git_odb_object *object = NULL;
	git_object_t type;
	size_t size;
	git_oid oid;
	int rc = 0;

	object_to_oid(&oid, id);
	if (git_odb_read_header(&size, &type, r->g->odb, &oid) < 0)
		return 1;
	if (type == GIT_OBJECT_BLOB)
		return 0;
	if (type == GIT_OBJECT_COMMIT)
		return each_commit(r, id, err);
	if (size > OBJECT_MAX || git_odb_read(&object, r->g->odb, &oid) < 0)
		return 1;
	if (type == GIT_OBJECT_TREE)
		rc = tree_each(git_odb_object_data(object), size, each_entry, r,
			       err);
	else
		rc = each_tag(r, git_odb_object_data(object), size, err);
	git_odb_object_free(object);
	return rc;
}

/* Commits may have other parents than they say. */
static int is_grafted(struct gitstore *g)
{
	char *path = path_join(g->common, "info/grafts");
	int grafted = !path || file_exists(path);

	free(path);
	return grafted;
}

int reach_load(struct gitstore *g, struct id_set *reached, size_t budget,
	       struct error *err)
{
	struct reach r = { .g = g, .reached = reached, .budget = budget };
	struct object_id id;
	int rc = is_grafted(g) ? 1 : push_heads(&r, err);

	if (!rc)
		rc = check_refs(&r, err);
	if (!rc)
		rc = push_refs(&r, err);
	if (!rc)
		rc = push_index(&r, err);
	while (!rc && r.count) {
		id = r.todo[--r.count];
		rc = r.budget-- ? look_at(&r, &id, err) : 1;
	}
	free(r.todo);
	git_error_clear();
	return rc;
}
