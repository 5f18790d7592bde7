/*
 * source.c - the files of a commit or a tree
 *
 * The SHA-1 of every object is checked: by our own reader of packs, or by
 * libgit2, which reads what that leaves alone.  The folder read last is kept
 * parsed, since a table's chunks are read one after another; those that are
 * told are read ahead by a thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "gitstore/gitstore_internal.h"

#define FOLDER_MAX ((size_t)64 << 20)

struct entry {
	const char *name; /* in the object */
	struct object_id id;
	int folder;
};

struct folder {
	struct buffer data;    /* of the object */
	struct entry *entries; /* in git's order */
	size_t count;
};

struct git_source {
	struct source source; /* first */
	struct gitstore *g;
	struct pack_cursor *cursor; /* of another thread, or NULL; borrowed */
	struct follower *follower;  /* whose cursor it is */
	struct object_id root;
	char label[32];
	struct folder folder; /* read last */
	char *path;           /* its path, NULL: none */
	struct read_ahead *ahead;
	int ahead_tried; /* to start it */
};

static int damaged(const struct git_source *s, const char *path,
		   const char *why, struct error *err)
{
	return error_set(err, ERROR_DAMAGE, "'%s' of %s %s", path, s->label,
			 why);
}

/* ---- objects ---- */

static int read_once(git_odb_object **out, const struct git_source *s,
		     const git_oid *oid, git_object_t type, size_t limit,
		     size_t *size, git_object_t *is)
{
	int rc = git_odb_read_header(size, is, s->g->odb, oid);

	if (!rc && *is == type && *size <= limit)
		rc = git_odb_read(out, s->g->odb, oid);
	return rc;
}

static int read_slowly(git_odb_object **out, const struct git_source *s,
		       const char *path, const struct object_id *id,
		       git_object_t type, size_t limit, struct error *err)
{
	git_object_t is = type;
	git_oid oid;
	size_t size = 0;
	int rc;

	*out = NULL;
	object_to_oid(&oid, id);
	rc = read_once(out, s, &oid, type, limit, &size, &is);
	/* a gc may have put it into another pack this moment */
	if (rc < 0 && !store_look_again(s->g, NULL))
		rc = read_once(out, s, &oid, type, limit, &size, &is);
	if (rc == GIT_ENOTFOUND && store_is_partial(s->g))
		return error_set(err, ERROR_FAILED,
				 "'%s' of %s is not in this repository, a "
				 "partial clone; get it with: dbstow sync "
				 "--pull",
				 path, s->label);
	if (rc == GIT_ENOTFOUND)
		return damaged(s, path, "is missing in the repository", err);
	if (rc < 0)
		return git_failed(err, ERROR_DAMAGE, "'%s' of %s is damaged",
				  path, s->label);
	if (is != type)
		return damaged(s, path,
			       "is damaged: its object is of another type",
			       err);
	if (size > limit)
		return error_set(err, ERROR_DAMAGE,
				 "'%s' of %s has %zu bytes, more than a "
				 "snapshot's file may have",
				 path, s->label, size);
	return 0;
}

/* Append an object of that type and of at most `limit` bytes. */
static int read_object(struct buffer *out, const struct git_source *s,
		       const char *path, const struct object_id *id,
		       enum pack_type type, size_t limit, struct error *err)
{
	git_odb_object *object;
	int rc = 1;

	if (s->ahead && type == PACK_BLOB)
		rc = read_ahead_take(s->ahead, id, out, err);
	if (rc > 0)
		rc = s->cursor ? pack_cursor_read(s->cursor, id, type, limit,
						  out, err)
			       : store_read(s->g, id, type, limit, out, err);
	if (rc <= 0)
		return rc;
	/* libgit2 knows nothing of a pack that is being written */
	if (s->cursor)
		return error_set(err, ERROR_FAILED,
				 "'%s' of %s cannot be read yet", path,
				 s->label);
	if (read_slowly(&object, s, path, id,
			type == PACK_TREE ? GIT_OBJECT_TREE : GIT_OBJECT_BLOB,
			limit, err) < 0)
		return -1;
	buffer_add(out, git_odb_object_data(object),
		   git_odb_object_size(object));
	git_odb_object_free(object);
	return buffer_failed(out) ? error_nomem(err) : 0;
}

/* ---- folders ---- */

static void folder_release(struct folder *f)
{
	buffer_release(&f->data);
	free(f->entries);
	memset(f, 0, sizeof(*f));
}

/* Git's order: a folder's name as if it ended in '/' */
static int compare(const char *a, int a_folder, const char *b, int b_folder)
{
	size_t i = 0;
	int x, y;

	while (a[i] && a[i] == b[i])
		i++;
	x = a[i] ? (unsigned char)a[i] : a_folder ? '/' : 0;
	y = b[i] ? (unsigned char)b[i] : b_folder ? '/' : 0;
	return x - y;
}

struct parse {
	const struct git_source *source;
	const char *path;
	struct folder *folder;
	size_t capacity;
};

static int bad_mode(const struct parse *p, const char *name, unsigned int mode,
		    struct error *err)
{
	return error_set(err, ERROR_DAMAGE,
			 "'%s%s%s' of %s is neither a regular file nor a "
			 "folder (mode %06o)",
			 p->path, *p->path ? "/" : "", name, p->source->label,
			 mode);
}

static int parse_entry(void *payload, unsigned int mode, const char *name,
		       const struct object_id *id, struct error *err)
{
	struct parse *p = payload;
	struct folder *f = p->folder;
	struct entry *entries, *last;
	int folder = mode == 040000;

	if (!folder && mode != 0100644)
		return bad_mode(p, name, mode, err);
	last = f->count ? &f->entries[f->count - 1] : NULL;
	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") ||
	    (last && compare(last->name, last->folder, name, folder) >= 0))
		return 1;
	if (f->count == p->capacity) {
		p->capacity = p->capacity ? p->capacity * 2 : 64;
		entries = realloc(f->entries, p->capacity * sizeof(*entries));
		if (!entries)
			return error_nomem(err);
		f->entries = entries;
	}
	f->entries[f->count].name = name;
	f->entries[f->count].id = *id;
	f->entries[f->count++].folder = folder;
	return 0;
}

static int folder_read(struct folder *f, const struct git_source *s,
		       const char *path, const struct object_id *id,
		       struct error *err)
{
	struct parse p = { s, path, f, 0 };
	int rc;

	memset(f, 0, sizeof(*f));
	rc = read_object(&f->data, s, path, id, PACK_TREE, FOLDER_MAX, err);
	if (!rc)
		rc = tree_each(f->data.size ? f->data.data : "", f->data.size,
			       parse_entry, &p, err);
	if (rc > 0)
		rc = damaged(s, path, "is damaged: no sound git tree", err);
	if (rc < 0)
		folder_release(f);
	return rc;
}

static const struct entry *folder_find(const struct folder *f, const char *name,
				       int folder)
{
	size_t low = 0, high = f->count, at;
	int diff;

	while (low < high) {
		at = low + (high - low) / 2;
		diff = compare(name, folder, f->entries[at].name,
			       f->entries[at].folder);
		if (!diff)
			return &f->entries[at];
		if (diff < 0)
			high = at;
		else
			low = at + 1;
	}
	return NULL;
}

/* Step into the folder `name` of *f. @return 0, 1: there is none, -1 */
static int descend(struct git_source *s, struct folder *f, const char *path,
		   const char *name, struct error *err)
{
	const struct entry *e = folder_find(f, name, 1);
	struct object_id id;

	if (!e)
		return 1;
	id = e->id;
	folder_release(f);
	return folder_read(f, s, path, &id, err);
}

/* Make `path` ("" is the root) the folder at hand. @return 0, 1, -1 */
static int go_to(struct git_source *s, const char *path, struct error *err)
{
	char *copy, *part, *next;
	int rc;

	if (s->path && !strcmp(s->path, path))
		return 0;
	copy = strdup(path);
	if (!copy)
		return error_nomem(err);
	free(s->path);
	s->path = NULL;
	folder_release(&s->folder);
	rc = folder_read(&s->folder, s, "", &s->root, err);
	for (part = copy; !rc && *part; part = next) {
		next = strchr(part, '/');
		if (next)
			*next = '\0';
		rc = descend(s, &s->folder, copy, part, err);
		if (next)
			*next++ = '/';
		else
			next = part + strlen(part);
	}
	if (!rc)
		s->path = copy;
	else
		free(copy);
	return rc;
}

/* ---- the source ---- */

/* @return 0 with the file's entry in the folder at hand; 1: none; -1 */
static int find_file(struct git_source *s, const char *path,
		     const struct entry **out, struct error *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char *folder = strndup(path, slash ? (size_t)(slash - path) : 0);
	int rc;

	if (!folder)
		return error_nomem(err);
	rc = slash == path ? 1 : go_to(s, folder, err);
	free(folder);
	if (rc)
		return rc;
	*out = folder_find(&s->folder, name, 0);
	return *out ? 0 : 1;
}

static int git_source_read(struct source *source, const char *path,
			   struct buffer *out, struct error *err)
{
	struct git_source *s = (struct git_source *)source;
	const struct entry *e;
	int rc = find_file(s, path, &e, err);

	return rc ? rc
		  : read_object(out, s, path, &e->id, PACK_BLOB,
				SOURCE_FILE_MAX, err);
}

static struct pack_cursor *new_cursor(const struct git_source *s)
{
	struct pack_cursor *c = NULL;
	int rc = s->follower ? follower_cursor_new(s->follower, &c, NULL)
			     : store_cursor_new(s->g, &c, NULL);

	return rc ? NULL : c;
}

static void start_ahead(struct git_source *s)
{
	struct pack_cursor *c = new_cursor(s);

	s->ahead_tried = 1;
	if (c && read_ahead_new(&s->ahead, c))
		pack_cursor_free(c);
}

static void git_source_will_read(struct source *source, const char *path)
{
	struct git_source *s = (struct git_source *)source;
	const struct entry *e;

	if (!s->ahead_tried)
		start_ahead(s);
	if (s->ahead && !find_file(s, path, &e, NULL))
		read_ahead_tell(s->ahead, &e->id);
}

/* ---- for other threads ---- */

struct git_reader {
	struct source_reader reader; /* first */
	struct pack_cursor *cursor;
};

static int git_reader_read(struct source_reader *reader, const char *path,
			   const struct object_id *id, size_t limit,
			   struct buffer *out)
{
	struct git_reader *r = (struct git_reader *)reader;

	(void)path;
	return id ? pack_cursor_read(r->cursor, id, PACK_BLOB, limit, out, NULL)
		  : 1;
}

static void git_reader_free(struct source_reader *reader)
{
	pack_cursor_free(((struct git_reader *)reader)->cursor);
	free(reader);
}

static struct source_reader *git_source_reader(struct source *source)
{
	struct git_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->reader.read = git_reader_read;
	r->reader.free = git_reader_free;
	r->cursor = new_cursor((struct git_source *)source);
	if (r->cursor)
		return &r->reader;
	free(r);
	return NULL;
}

/* ---- the source ---- */

static int git_source_list(struct source *source, const char *path,
			   struct source_names *out, struct error *err)
{
	struct git_source *s = (struct git_source *)source;
	size_t i;
	int rc = go_to(s, path, err);

	for (i = 0; !rc && i < s->folder.count; i++) {
		const struct entry *e = &s->folder.entries[i];

		rc = source_names_add(out, e->name, e->folder, err);
		if (!rc) {
			out->names[out->count - 1].id = e->id;
			out->names[out->count - 1].known = 1;
		}
	}
	if (rc)
		return rc;
	source_names_sort(out);
	for (i = 1; i < out->count; i++)
		if (!strcmp(out->names[i - 1].name, out->names[i].name))
			return damaged(s, path,
				       "holds a file and a folder of one name",
				       err);
	return 0;
}

static void git_source_free(struct source *source)
{
	struct git_source *s = (struct git_source *)source;

	read_ahead_free(s->ahead);
	folder_release(&s->folder);
	free(s->path);
	free(s);
}

static struct git_source *new_source(struct gitstore *g, const char *what,
				     const struct object_id *id,
				     const struct object_id *root,
				     struct error *err)
{
	struct git_source *s = calloc(1, sizeof(*s));
	char hex[SHORT_HEX_SIZE];

	if (!s) {
		error_nomem(err);
		return NULL;
	}
	object_short(hex, id);
	snprintf(s->label, sizeof(s->label), "%s %s", what, hex);
	s->source.label = s->label;
	s->source.read = git_source_read;
	s->source.list = git_source_list;
	s->source.free = git_source_free;
	s->source.will_read = git_source_will_read;
	s->source.reader = git_source_reader;
	s->g = g;
	s->root = *root;
	return s;
}

int gitstore_source(struct gitstore *g, const struct object_id *commit,
		    struct source **out, struct error *err)
{
	struct git_source *s = NULL;
	struct raw_commit c;
	char hex[SHORT_HEX_SIZE];
	int rc = raw_commit_read(g, commit, &c, err);

	*out = NULL;
	if (rc > 0 && object_same(commit, &g->newest))
		rc = raw_commit_read(g, &g->newest_tip, &c, err);
	if (rc > 0) {
		object_short(hex, commit);
		rc = error_set(err, ERROR_DAMAGE,
			       "snapshot %s is missing or damaged in the "
			       "repository '%s'",
			       hex, g->where);
	}
	if (!rc)
		s = new_source(g, "snapshot", commit, &c.tree, err);
	raw_commit_release(&c);
	if (!s)
		return -1;
	*out = &s->source;
	return 0;
}

int gitstore_tree_source(struct gitstore *g, const struct object_id *tree,
			 struct source **out, struct error *err)
{
	struct git_source *s = new_source(g, "tree", tree, tree, err);

	*out = s ? &s->source : NULL;
	return s ? 0 : -1;
}

int follower_source(struct follower *f, const struct object_id *tree,
		    struct source **out, struct error *err)
{
	struct git_source *s = NULL;
	struct pack_cursor *cursor = follower_cursor(f, err);

	if (cursor)
		s = new_source(NULL, "tree", tree, tree, err);
	if (s) {
		s->cursor = cursor;
		s->follower = f;
	}
	*out = s ? &s->source : NULL;
	return s ? 0 : -1;
}

int gitstore_folder_id(struct source *source, const char *path,
		       struct object_id *id, struct error *err)
{
	struct git_source *s = (struct git_source *)source;
	const char *slash = strrchr(path, '/');
	const struct entry *e = NULL;
	char *folder = strndup(path, slash ? (size_t)(slash - path) : 0);
	int rc;

	if (!folder)
		return error_nomem(err);
	rc = go_to(s, folder, err);
	free(folder);
	if (!rc)
		e = folder_find(&s->folder, slash ? slash + 1 : path, 1);
	if (e)
		*id = e->id;
	return rc < 0 ? -1 : !e;
}
