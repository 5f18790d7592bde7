/*
 * chunks_walk.c - the chunk files of a table, in row order
 *
 * Each folder holds only names of the known forms; where they don't sort, it
 * lists them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks_internal.h"

int chunk_walk_damage(struct chunk_walk *w, struct error *err, const char *fmt,
		      ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(err, ERROR_DAMAGE, "table '%s': %s", w->shown.data,
			 text);
}

static int file_damage(struct chunk_walk *w, struct error *err, const char *fmt,
		       ...) __attribute__((format(printf, 3, 4)));

static int file_damage(struct chunk_walk *w, struct error *err, const char *fmt,
		       ...)
{
	const char *path = buffer_cstr(&w->path);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(err, ERROR_DAMAGE, "table '%s', file '%s': %s",
			 w->shown.data, path ? path : "?", text);
}

/* ---- names ---- */

static size_t count_digits(const char *s, const char *digits)
{
	return strspn(s, digits);
}

/* "0", "0.jsonl", 16 hex digits with or without ".jsonl"; where names are
 * listed also "-2" and so on in front of the suffix. */
static int is_chunk_name(const char *name, int folder, int listed)
{
	size_t n = count_digits(name, "0123456789abcdef"), digits;

	if (n == CHUNK_STEM_SIZE - 1) {
		name += n;
		digits = listed && *name == '-'
				 ? count_digits(name + 1, "0123456789")
				 : 0;
		if (digits)
			name += digits <= 4 ? digits + 1 : 0;
	} else if (n == 1 && *name == '0') {
		name++;
	} else {
		return 0;
	}
	return !strcmp(name, folder ? "" : CHUNK_SUFFIX);
}

/* Drop name number `at`. */
static void drop_name(struct source_names *n, size_t at)
{
	free(n->names[at].name);
	n->count--;
	memmove(&n->names[at], &n->names[at + 1],
		(n->count - at) * sizeof(*n->names));
}

/* Take "values" and "chunks" out of the names. */
static void drop_special(struct chunk_walk *w, struct source_names *n,
			 int *listed)
{
	size_t i = 0;

	*listed = 0;
	while (i < n->count) {
		const struct source_name *name = &n->names[i];

		if (w->depth == 1 && name->folder &&
		    !strcmp(name->name, CHUNK_VALUES))
			w->has_values = 1;
		else if (!name->folder && !strcmp(name->name, CHUNK_LIST_FILE))
			*listed = 1;
		else if (++i)
			continue;
		drop_name(n, i);
	}
}

static int check_names(struct chunk_walk *w, const struct source_names *n,
		       struct error *err)
{
	const char *path = buffer_cstr(&w->path);
	size_t i;

	if (!path)
		return error_nomem(err);
	if (!n->count)
		return chunk_walk_damage(w, err, "folder '%s' has no rows",
					 path);
	if (n->count > CHUNK_FOLDER_MAX)
		return chunk_walk_damage(w, err, "folder '%s' has %zu files",
					 path, n->count);
	for (i = 0; i < n->count; i++)
		if (n->names[i].folder != n->names[0].folder ||
		    !is_chunk_name(n->names[i].name, n->names[i].folder,
				   chunk_is_listed(w->table)))
			return chunk_walk_damage(
				w, err, "'%s/%s' does not belong there", path,
				n->names[i].name);
	return 0;
}

static int compare_name(const void *key, const void *name)
{
	return strcmp(key, ((const struct source_name *)name)->name);
}

/* One line of "chunks": move that name from `n` to the end of `out`. */
static int take_listed(struct chunk_walk *w, struct source_names *n,
		       struct source_names *out, const char *line,
		       struct error *err)
{
	struct source_name *name;

	name = bsearch(line, n->names, n->count, sizeof(*n->names),
		       compare_name);
	/* a name already taken has lost its folder mark */
	if (!name || name->folder < 0)
		return file_damage(w, err, "'%s' is %s", line,
				   name ? "listed twice" : "not there");
	if (source_names_add(out, name->name, name->folder, err) < 0)
		return -1;
	out->names[out->count - 1].known = name->known;
	out->names[out->count - 1].id = name->id;
	name->folder = -1;
	return 0;
}

/* Put the names into the order of the folder's file "chunks", which is in
 * w->list; each is listed once. */
static int apply_list(struct chunk_walk *w, struct source_names *n,
		      struct error *err)
{
	struct source_names out = { 0 };
	char *line = w->list.data, *end = line + w->list.size, *newline;
	int rc = -1;

	for (; line < end; line = newline + 1) {
		newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline) {
			file_damage(w, err, "its last line is cut short");
			goto done;
		}
		*newline = '\0';
		if (newline > line && newline[-1] == '\r') {
			file_damage(w, err, CHUNK_CRLF_HINT);
			goto done;
		}
		if (take_listed(w, n, &out, line, err) < 0)
			goto done;
	}
	if (out.count != n->count) {
		file_damage(w, err, "%zu of %zu files are listed", out.count,
			    n->count);
		goto done;
	}
	source_names_release(n);
	*n = out;
	memset(&out, 0, sizeof(out));
	rc = 0;
done:
	source_names_release(&out);
	return rc;
}

/* ---- files ---- */

/* Read the list at w->path into w->list. */
static int read_path(struct chunk_walk *w, struct error *err)
{
	const char *path = buffer_cstr(&w->path);
	int rc;

	if (!path)
		return error_nomem(err);
	buffer_clear(&w->list);
	rc = w->source->read(w->source, path, &w->list, err);
	if (rc > 0)
		return file_damage(w, err, "it is missing");
	if (!rc && !w->list.size)
		return file_damage(w, err, "it is empty");
	return rc;
}

static int read_list(struct chunk_walk *w, struct source_names *n,
		     struct error *err)
{
	size_t length = w->path.size;
	int rc;

	buffer_str(&w->path, "/" CHUNK_LIST_FILE);
	rc = read_path(w, err);
	if (!rc)
		rc = apply_list(w, n, err);
	buffer_clear(&w->list);
	w->path.size = length;
	return rc;
}

/* @return 0; 1 when there is no such folder; -1 */
static int enter_folder(struct chunk_walk *w, struct error *err)
{
	const char *path = buffer_cstr(&w->path);
	struct walk_level *l;
	int listed, rc;

	if (!path)
		return error_nomem(err);
	if (w->depth == CHUNK_LEVELS_MAX)
		return chunk_walk_damage(w, err, "folder '%s' lies too deep",
					 path);
	l = &w->levels[w->depth++];
	memset(l, 0, sizeof(*l));
	l->path = w->path.size;
	rc = w->source->list(w->source, path, &l->names, err);
	if (rc)
		return rc;
	source_names_sort(&l->names);
	drop_special(w, &l->names, &listed);
	if (check_names(w, &l->names, err) < 0)
		return -1;
	if (listed != chunk_is_listed(w->table))
		return chunk_walk_damage(
			w, err, "file '%s/" CHUNK_LIST_FILE "' %s", path,
			listed ? "does not belong there" : "is missing");
	return listed ? read_list(w, &l->names, err) : 0;
}

int chunk_walk_next(struct chunk_walk *w, struct error *err)
{
	while (w->depth) {
		struct walk_level *l = &w->levels[w->depth - 1];
		const struct source_name *n;
		int rc;

		if (l->next == l->names.count) {
			source_names_release(&l->names);
			w->depth--;
			continue;
		}
		n = &l->names.names[l->next++];
		if (!n->folder && !w->has_readers)
			source_tell(w->source, &l->names, l->next - 1, &w->path,
				    l->path);
		w->path.size = l->path;
		buffer_byte(&w->path, '/');
		buffer_str(&w->path, n->name);
		w->name = n;
		if (!n->folder)
			return buffer_cstr(&w->path) ? 1 : error_nomem(err);
		rc = enter_folder(w, err);
		if (rc > 0)
			return chunk_walk_damage(
				w, err, "folder '%s' is missing", w->path.data);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* Look at the table's folder: there is one exactly if there are rows. */
static int enter_table(struct chunk_walk *w, struct error *err)
{
	struct source_names names = { 0 };
	const char *path;
	int rc;

	buffer_printf(&w->path, CHUNK_ROOT "%s", w->table->folder);
	path = buffer_cstr(&w->path);
	if (!path)
		return error_nomem(err);
	if (w->table->rows) {
		rc = enter_folder(w, err);
		if (rc > 0)
			rc = chunk_walk_damage(w, err, "folder '%s' is missing",
					       path);
		return rc;
	}
	rc = w->source->list(w->source, path, &names, err);
	if (!rc && names.count)
		rc = chunk_walk_damage(
			w, err,
			"folder '%s' is there, but the manifest says "
			"that the table has no rows",
			path);
	source_names_release(&names);
	return rc < 0 ? -1 : 0;
}

int chunk_walk_begin(struct chunk_walk *w, const struct table *t,
		     struct source *s, struct error *err)
{
	w->table = t;
	w->source = s;
	return chunk_shown(&w->shown, t, err) < 0 ? -1 : enter_table(w, err);
}

void chunk_walk_release(struct chunk_walk *w)
{
	while (w->depth)
		source_names_release(&w->levels[--w->depth].names);
	buffer_release(&w->path);
	buffer_release(&w->list);
	buffer_release(&w->shown);
}
