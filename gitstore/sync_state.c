/*
 * sync_state.c - what a remote had when it was read last
 *
 * One small file a remote and branch, "<git folder>/dbstow/remotes/HASH", so
 * that people can be told how far behind a remote is without asking it.  The
 * remote-tracking refs are git's and stay as they are.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"
#include "gitstore/sync.h"

#define STATE_MAX ((size_t)1 << 20)

static void state_release(struct sync_state *s)
{
	free(s->name);
	free(s->snapshots);
	memset(s, 0, sizeof(*s));
}

void sync_states_release(struct sync_states *s)
{
	while (s->count)
		state_release(&s->items[--s->count]);
	free(s->items);
	s->items = NULL;
}

static char *state_folder(struct gitstore *g, struct error *err)
{
	const char *folder = gitstore_folder(g, err);
	char *path = folder ? path_join(folder, "remotes") : NULL;

	if (folder && !path)
		error_nomem(err);
	return path;
}

/* The name may hold anything, so the file's is a hash. */
static char *state_path(struct gitstore *g, const char *name, struct error *err)
{
	struct buffer text = BUFFER_INIT;
	struct object_id id;
	char hex[OBJECT_HEX_SIZE], *folder = state_folder(g, err), *path;

	if (!folder)
		return NULL;
	buffer_printf(&text, "%s\n%s", g->branch, name);
	object_hash(g->hasher, "blob", text.data, text.size, &id);
	buffer_release(&text);
	object_hex(hex, &id);
	path = path_join(folder, hex);
	free(folder);
	if (!path)
		error_nomem(err);
	return path;
}

/* ---- reading ---- */

static int add_snapshot(struct sync_state *s, const char *hex,
			struct error *err)
{
	struct object_id *all;

	if (!(s->count & (s->count - 1))) {
		all = realloc(s->snapshots, (s->count + 1) * 2 * sizeof(*all));
		if (!all)
			return error_nomem(err);
		s->snapshots = all;
	}
	if (strlen(hex) == 40 && !hex_decode(s->snapshots[s->count].bytes, hex,
					     sizeof(*s->snapshots)))
		s->count++;
	return 0;
}

/* @return 0; 1: of another branch; -1 */
static int take_line(struct gitstore *g, struct sync_state *s, const char *key,
		     const char *value, struct error *err)
{
	if (!strcmp(key, "branch"))
		return strcmp(value, g->branch) != 0;
	if (!strcmp(key, "remote") && !s->name) {
		s->name = strdup(value);
		return s->name ? 0 : error_nomem(err);
	}
	if (!strcmp(key, "seen") && clock_parse(&s->seen_at_s, value) < 0)
		s->seen_at_s = 0;
	else if (!strcmp(key, "sent"))
		s->sent_bytes = strtoull(value, NULL, 10);
	else if (!strcmp(key, "tip") && strlen(value) == 40 &&
		 hex_decode(s->tip.bytes, value, sizeof(s->tip)) < 0)
		memset(&s->tip, 0, sizeof(s->tip));
	else if (!strcmp(key, "snapshot"))
		return add_snapshot(s, value, err);
	return 0;
}

/* @return 0; 1: there is none, or none that can be read; -1 */
static int state_read(struct gitstore *g, const char *path,
		      struct sync_state *s, struct error *err)
{
	struct buffer text = BUFFER_INIT;
	char *line, *next, *value;
	int rc = 0;

	memset(s, 0, sizeof(*s));
	if (file_read(path, STATE_MAX, &text, NULL) || !buffer_cstr(&text))
		rc = 1;
	for (line = text.data; !rc && line && *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		value = strchr(line, ' ');
		if (!value)
			continue;
		*value++ = '\0';
		rc = take_line(g, s, line, value, err);
	}
	if (!rc && !s->name)
		rc = 1;
	buffer_release(&text);
	if (rc)
		state_release(s);
	return rc;
}

static int compare_states(const void *a, const void *b)
{
	const struct sync_state *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int add_state(struct sync_states *all, const struct sync_state *s,
		     struct error *err)
{
	struct sync_state *more =
		realloc(all->items, (all->count + 1) * sizeof(*more));

	if (!more)
		return error_nomem(err);
	all->items = more;
	more[all->count++] = *s;
	return 0;
}

static struct sync_state *find_state(struct sync_states *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++)
		if (!strcmp(all->items[i].name, name))
			return &all->items[i];
	return NULL;
}

static int add_unseen(struct sync_states *all, const char *name,
		      struct error *err)
{
	struct sync_state s = { .name = strdup(name), .configured = 1 };

	if (!s.name)
		return error_nomem(err);
	if (!add_state(all, &s, err))
		return 0;
	state_release(&s);
	return -1;
}

/* "origin" may be there for other things alone; what dbstow.remote names is
 * there for this. */
static int mark_configured(struct gitstore *g, struct sync_states *all,
			   struct error *err)
{
	struct sync_names names;
	struct sync_state *s;
	char *list = NULL;
	int rc = 0;

	/* a configuration that is wrong is sync's to tell */
	if (gitstore_config(g, "dbstow.remote", &list, NULL) < 0 ||
	    sync_names_find(g, NULL, &names, NULL) < 0)
		goto done;
	for (size_t i = 0; !rc && i < names.count; i++) {
		s = find_state(all, names.names[i]);
		if (s)
			s->configured = 1;
		else if (list)
			rc = add_unseen(all, names.names[i], err);
	}
	sync_names_release(&names);
done:
	free(list);
	return rc;
}

int sync_states_read(struct gitstore *g, struct sync_states *out,
		     struct error *err)
{
	char *folder, *path;
	struct sync_state s;
	struct dirent *e;
	DIR *d = NULL;
	int rc = 0;

	out->items = NULL;
	out->count = 0;
	/* not gitstore_folder(): readers write nothing */
	path = path_join(g->common, "dbstow");
	folder = path ? path_join(path, "remotes") : NULL;
	free(path);
	if (!folder)
		return error_nomem(err);
	d = opendir(folder);
	while (d && rc >= 0 && (e = readdir(d))) {
		if (strlen(e->d_name) != 40)
			continue;
		path = path_join(folder, e->d_name);
		rc = path ? state_read(g, path, &s, err) : error_nomem(err);
		if (!rc && add_state(out, &s, err) < 0) {
			state_release(&s);
			rc = -1;
		}
		free(path);
	}
	if (d)
		closedir(d);
	free(folder);
	if (rc >= 0)
		rc = mark_configured(g, out, err);
	if (rc < 0)
		sync_states_release(out);
	else if (out->count)
		qsort(out->items, out->count, sizeof(*out->items),
		      compare_states);
	return rc < 0 ? -1 : 0;
}

size_t sync_state_lacks(const struct sync_state *s, const struct history *h)
{
	size_t lacks = 0, i, k;

	for (i = 0; i < h->count; i++) {
		for (k = 0; k < s->count; k++)
			if (object_same(&h->snapshots[i].id, &s->snapshots[k]))
				break;
		lacks += k == s->count;
	}
	return lacks;
}

/* ---- writing ---- */

static int write_text(struct gitstore *g, const char *path,
		      const struct buffer *text, struct error *err)
{
	char *folder = state_folder(g, err);
	int rc = -1;

	if (!folder)
		return -1;
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		error_errno(err, ERROR_FAILED,
			    "cannot write to the repository '%s': '%s'",
			    g->where, folder);
	else
		rc = file_write(path, text->data, text->size, 0600, err);
	free(folder);
	return rc;
}

int sync_state_write(struct gitstore *g, const char *name,
		     const struct history *there, const struct object_id *tip,
		     uint64_t bytes, struct error *err)
{
	char *path = state_path(g, name, err), hex[OBJECT_HEX_SIZE];
	char seen[CLOCK_TEXT_SIZE];
	struct buffer text = BUFFER_INIT;
	struct sync_state before;
	size_t i;
	int rc;

	if (!path)
		return -1;
	rc = state_read(g, path, &before, err);
	if (!rc)
		bytes += before.sent_bytes;
	if (!rc)
		state_release(&before);
	clock_iso(seen, clock_now());
	object_hex(hex, tip);
	buffer_printf(&text,
		      "branch %s\nremote %s\nseen %s\nsent %" PRIu64
		      "\ntip %s\n",
		      g->branch, name, seen, bytes, hex);
	for (i = 0; there && i < there->count; i++) {
		object_hex(hex, &there->snapshots[i].id);
		buffer_printf(&text, "snapshot %s\n", hex);
	}
	if (rc >= 0)
		rc = buffer_failed(&text) ? error_nomem(err)
					  : write_text(g, path, &text, err);
	buffer_release(&text);
	free(path);
	return rc;
}

int sync_state_forget(struct gitstore *g, const char *name, struct error *err)
{
	char *path = state_path(g, name, err);
	int rc = 0;

	if (!path)
		return -1;
	if (unlink(path) < 0)
		rc = errno == ENOENT ? 1
				     : error_errno(err, ERROR_FAILED,
						   "cannot remove '%s'", path);
	free(path);
	return rc;
}
