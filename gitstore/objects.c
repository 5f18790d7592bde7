/*
 * objects.c - commits and trees as git stores them
 *
 * Commits are read and written raw.  In a shallow clone libgit2 may hide a
 * commit's parents or refuse to name one that is not there, and the list of
 * snapshots *is* that list of parents.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "gitstore/own_pack.h"

#define COMMIT_MAX ((size_t)16 << 20)
#define TREE_MAX   ((size_t)64 << 20)

/* A path of ours is shorter; whatever somebody put there may be deep. */
#define FOLDER_PATH_MAX ((size_t)1024)
#define REPEATED_MAX    ((size_t)4096)

static int read_once(git_odb_object **out, struct gitstore *g,
		     const git_oid *oid, git_object_t type, size_t limit)
{
	git_object_t is;
	size_t size;

	*out = NULL;
	if (git_odb_read_header(&size, &is, g->odb, oid) < 0 || is != type ||
	    size > limit)
		return 1;
	return git_odb_read(out, g->odb, oid) < 0;
}

/* Read an object of a type and a size that we expect.
 * @return 0; 1: missing, damaged or something else */
static int read_object(git_odb_object **out, struct gitstore *g,
		       const struct object_id *id, git_object_t type,
		       size_t limit)
{
	git_oid oid;

	object_to_oid(&oid, id);
	if (!read_once(out, g, &oid, type, limit))
		return 0;
	/* a gc may have put it into another pack this moment */
	if (store_look_again(g, NULL) < 0)
		return 1;
	return read_once(out, g, &oid, type, limit);
}

int object_exists(struct gitstore *g, const struct object_id *id)
{
	git_oid oid;

	object_to_oid(&oid, id);
	if (git_odb_exists_ext(g->odb, &oid, GIT_ODB_LOOKUP_NO_REFRESH))
		return 1;
	return !store_look_again(g, NULL) && git_odb_exists(g->odb, &oid);
}

/* "NAME <hex>\n" at *p: take the id and step over the line; 1, else 0 */
static int header_id(const char **p, const char *end, const char *name,
		     struct object_id *id)
{
	size_t size = strlen(name);

	if ((size_t)(end - *p) < size + 42 || memcmp(*p, name, size) != 0 ||
	    (*p)[size] != ' ' || (*p)[size + 41] != '\n' ||
	    hex_decode(id->bytes, *p + size + 1, sizeof(id->bytes)) < 0)
		return 0;
	*p += size + 42;
	return 1;
}

static int add_parent(struct raw_commit *c, const struct object_id *id,
		      struct error *err)
{
	struct object_id *parents;

	/* powers of two are when the room is used up */
	if (!(c->parent_count & (c->parent_count - 1))) {
		parents = realloc(c->parents,
				  (c->parent_count + 1) * 2 * sizeof(*parents));
		if (!parents)
			return error_nomem(err);
		c->parents = parents;
	}
	c->parents[c->parent_count++] = *id;
	return 0;
}

/* "committer A <a@b> 1763606122 +0000" */
static int64_t committer_time(const char *line, const char *end)
{
	const char *mail_end = memrchr(line, '>', (size_t)(end - line));
	char digits[32];
	size_t size;

	if (!mail_end || end - mail_end < 3)
		return 0;
	size = (size_t)(end - mail_end - 2);
	if (size >= sizeof(digits))
		size = sizeof(digits) - 1;
	memcpy(digits, mail_end + 2, size);
	digits[size] = '\0';
	return strtoll(digits, NULL, 10);
}

static int parse_commit(struct raw_commit *c, const char *data, size_t size,
			struct error *err)
{
	const char *p = data, *end = data + size, *eol;
	struct object_id parent;

	if (!header_id(&p, end, "tree", &c->tree))
		return 1;
	while (header_id(&p, end, "parent", &parent))
		if (add_parent(c, &parent, err) < 0)
			return -1;
	while (p < end && *p != '\n') {
		eol = memchr(p, '\n', (size_t)(end - p));
		if (!eol)
			return 1;
		if (eol - p > 10 && !memcmp(p, "committer ", 10))
			c->created_at_s = committer_time(p, eol);
		p = eol + 1;
	}
	if (p < end)
		p++;
	c->message = strndup(p, (size_t)(end - p));
	return c->message ? 0 : error_nomem(err);
}

int raw_commit_parse(struct raw_commit *out, const char *data, size_t size,
		     struct error *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = parse_commit(out, data, size, err);
	if (rc)
		raw_commit_release(out);
	return rc;
}

int raw_commit_read(struct gitstore *g, const struct object_id *id,
		    struct raw_commit *out, struct error *err)
{
	git_odb_object *object;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = read_object(&object, g, id, GIT_OBJECT_COMMIT, COMMIT_MAX);
	if (!rc)
		rc = raw_commit_parse(out, git_odb_object_data(object),
				      git_odb_object_size(object), err);
	git_odb_object_free(object);
	return rc;
}

void raw_commit_release(struct raw_commit *c)
{
	free(c->parents);
	free(c->message);
	memset(c, 0, sizeof(*c));
}

void object_hash(struct hasher *h, const char *type, const void *data,
		 size_t size, struct object_id *id)
{
	char head[32];
	int length = snprintf(head, sizeof(head), "%s %zu", type, size);

	hasher_reset(h);
	hasher_add(h, head, (size_t)length + 1); /* its NUL counts */
	hasher_add(h, data, size);
	hasher_final(h, id->bytes);
}

/* ---- loose objects ---- */

struct loose {
	int fd;
	const char *path;
};

static int loose_add(void *payload, const void *data, size_t size,
		     struct error *err)
{
	struct loose *l = payload;
	const char *p = data;

	while (size) {
		ssize_t n = write(l->fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, ERROR_FAILED,
					   "cannot write '%s'", l->path);
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Write the object to a scratch file, synced. */
static int loose_fill(struct gitstore *g, const char *path,
		      const struct buffer *raw, struct error *err)
{
	struct loose l = { -1, path };
	int rc = -1;

	if (!g->deflater && deflater_new(&g->deflater, err) < 0)
		return -1;
	unlink(path);
	l.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (l.fd < 0)
		return error_errno(err, ERROR_FAILED, "cannot write '%s'",
				   path);
	if (deflater_run(g->deflater, raw->data, raw->size, loose_add, &l,
			 err) < 0)
		goto done;
	if (fsync(l.fd) < 0) {
		error_errno(err, ERROR_FAILED, "cannot write '%s'", path);
		goto done;
	}
	rc = 0;
done:
	close(l.fd);
	return rc;
}

/* Make <objects>/xx, so that it lasts. */
static int make_folder(struct gitstore *g, const char *path, struct error *err)
{
	if (!mkdir(path, 0777))
		return file_sync(g->objects, err);
	if (errno == EEXIST)
		return 0;
	return error_errno(err, ERROR_FAILED, "cannot make the folder '%s'",
			   path);
}

/* <objects>/xx/yyyy..., its folder made; the caller frees it */
static char *loose_path(struct gitstore *g, const struct object_id *id,
			struct error *err)
{
	struct buffer path = BUFFER_INIT;
	char hex[OBJECT_HEX_SIZE];
	int rc;

	object_hex(hex, id);
	buffer_printf(&path, "%s/%.2s", g->objects, hex);
	rc = buffer_cstr(&path) ? make_folder(g, path.data, err)
				: error_nomem(err);
	buffer_printf(&path, "/%s", hex + 2);
	if (!rc && !buffer_cstr(&path))
		rc = error_nomem(err);
	if (rc < 0)
		buffer_release(&path);
	return rc < 0 ? NULL : buffer_detach(&path);
}

static int loose_write(struct gitstore *g, const char *to,
		       const struct new_commit *c, struct error *err)
{
	const char *scratch = gitstore_scratch(g, err);
	char *from = scratch ? path_join(scratch, "object") : NULL;
	struct buffer raw = BUFFER_INIT;
	int rc = -1;

	if (!scratch)
		return -1;
	buffer_printf(&raw, "commit %zu", c->body.size);
	buffer_byte(&raw, '\0');
	buffer_add(&raw, c->body.data, c->body.size);
	if (!from || buffer_failed(&raw))
		error_nomem(err);
	else if (!loose_fill(g, from, &raw, err))
		rc = object_place(from, to, err);
	buffer_release(&raw);
	free(from);
	return rc;
}

/*
 * Our own writing and not libgit2's, since that leaves objects/tmp_object_*
 * behind when it is killed; our scratch folder is swept by the next run.
 */
int commit_write_loose(struct gitstore *g, const struct new_commit *c,
		       struct error *err)
{
	char *to = loose_path(g, &c->id, err);
	int rc = -1;

	if (!to)
		return -1;
	rc = file_exists(to) ? 0 : loose_write(g, to, c, err);
	free(to);
	return rc;
}

/* A name in a commit's header: one line without angle brackets. */
static void add_person(struct buffer *out, const char *text, const char *none)
{
	size_t before = out->size;

	for (; text && *text; text++)
		if ((unsigned char)*text >= ' ' && *text != '<' &&
		    *text != '>' && *text != 0x7f)
			buffer_byte(out, *text);
	if (out->size == before)
		buffer_str(out, none);
}

static void add_signature(struct gitstore *g, struct buffer *out,
			  const char *role, int64_t when_s)
{
	git_signature *who = NULL;

	if (git_signature_default(&who, g->repo) < 0)
		who = NULL;
	buffer_printf(out, "%s ", role);
	add_person(out, who ? who->name : NULL, "dbstow");
	buffer_str(out, " <");
	add_person(out, who ? who->email : NULL, "dbstow@localhost");
	buffer_printf(out, "> %lld +0000\n",
		      when_s > 0 ? (long long)when_s : 0LL);
	git_signature_free(who);
}

int commit_build(struct gitstore *g, const struct object_id *tree,
		 const struct object_id *parents, size_t parent_count,
		 int64_t when_s, const char *message, struct new_commit *out,
		 struct error *err)
{
	struct buffer *body = &out->body;
	char hex[OBJECT_HEX_SIZE];
	size_t i;

	buffer_clear(body);
	object_hex(hex, tree);
	buffer_printf(body, "tree %s\n", hex);
	for (i = 0; i < parent_count; i++) {
		object_hex(hex, &parents[i]);
		buffer_printf(body, "parent %s\n", hex);
	}
	add_signature(g, body, "author", when_s);
	add_signature(g, body, "committer", when_s);
	buffer_byte(body, '\n');
	buffer_str(body, message);
	if (buffer_failed(body))
		return error_nomem(err);
	object_hash(g->hasher, "commit", body->data, body->size, &out->id);
	return 0;
}

/* ---- trees ---- */

int tree_each(const void *data, size_t size,
	      int (*each)(void *payload, unsigned int mode, const char *name,
			  const struct object_id *id, struct error *err),
	      void *payload, struct error *err)
{
	const char *p = data, *end = p + size, *nul;
	struct object_id id;
	unsigned int mode;
	int rc;

	while (p < end) {
		for (mode = 0;
		     p < end && *p >= '0' && *p <= '7' && mode < 01000000; p++)
			mode = mode * 8 + (unsigned int)(*p - '0');
		if (p == end || *p++ != ' ')
			return 1;
		nul = memchr(p, '\0', (size_t)(end - p));
		if (!nul || nul == p ||
		    (size_t)(end - nul) < 1 + sizeof(id.bytes))
			return 1;
		memcpy(id.bytes, nul + 1, sizeof(id.bytes));
		rc = each(payload, mode, p, &id, err);
		if (rc)
			return rc;
		p = nul + 1 + sizeof(id.bytes);
	}
	return 0;
}

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
	int rc = read_object(&object, w->g, id, GIT_OBJECT_TREE, TREE_MAX);

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
