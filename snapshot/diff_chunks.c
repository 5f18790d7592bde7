/*
 * diff_chunks.c - the files of a table that are not the same on both sides
 *
 * Two folders are walked as one, by name: a file keeps its name as long as its
 * first row keeps its key.  What has one name and one id on both sides is left
 * out before anything in it is read.  In which order rows lie is of no
 * importance here, so the files "chunks" are passed over.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks_internal.h"
#include "snapshot/diff_internal.h"

struct level {
	struct source_names names[2]; /* that differ, sorted */
	size_t next[2];
	size_t path; /* length of the folder's path, the same on both sides */
};

struct diff_chunks {
	struct source *sources[2]; /* NULL: not read */
	struct level levels[CHUNK_LEVELS_MAX];
	size_t depth;
	struct buffer path;
	struct buffer shown; /* the table's name for people */
};

int diff_chunks_damage(const struct diff_chunks *c, struct error *err,
		       const char *text)
{
	return error_set(err, ERROR_DAMAGE, "table '%s', file '%.*s': %s",
			 c->shown.data, (int)c->path.size, c->path.data, text);
}

/* ---- folders ---- */

static int is_chunk(const struct source_name *n)
{
	size_t size = strlen(n->name), suffix = sizeof(CHUNK_SUFFIX) - 1;

	return size > suffix && !strcmp(n->name + size - suffix, CHUNK_SUFFIX);
}

/* Keep what holds rows: files named as chunks, and folders of them. */
static int keep_chunks(struct diff_chunks *c, struct source_names *n,
		       struct error *err)
{
	size_t kept = 0, i;
	int rc = 0;

	for (i = 0; i < n->count; i++) {
		struct source_name *name = &n->names[i];
		int values = name->folder && c->depth == 1 &&
			     !strcmp(name->name, CHUNK_VALUES);
		int list = !name->folder &&
			   !strcmp(name->name, CHUNK_LIST_FILE);

		if (!values && !list && !name->folder && !is_chunk(name))
			rc = error_set(err, ERROR_DAMAGE,
				       "table '%s': '%s/%s' does not belong "
				       "there",
				       c->shown.data, c->path.data, name->name);
		if (values || list)
			free(name->name);
		else
			n->names[kept++] = *name;
	}
	n->count = kept;
	return rc;
}

static int is_same(const struct source_name *a, const struct source_name *b)
{
	return a->folder == b->folder && a->known && b->known &&
	       !memcmp(&a->id, &b->id, sizeof(a->id));
}

/* Drop the names that both sides have with the same content. */
static void drop_same(struct level *l)
{
	struct source_names *a = &l->names[DIFF_A], *b = &l->names[DIFF_B];
	size_t i = 0, j = 0, kept_a = 0, kept_b = 0;
	int diff;

	while (i < a->count || j < b->count) {
		if (i == a->count)
			diff = 1;
		else if (j == b->count)
			diff = -1;
		else
			diff = strcmp(a->names[i].name, b->names[j].name);
		if (!diff && is_same(&a->names[i], &b->names[j])) {
			free(a->names[i++].name);
			free(b->names[j++].name);
			continue;
		}
		if (diff <= 0)
			a->names[kept_a++] = a->names[i++];
		if (diff >= 0)
			b->names[kept_b++] = b->names[j++];
	}
	a->count = kept_a;
	b->count = kept_b;
}

/* Look into the folder at c->path on the sides where it is. */
static int enter(struct diff_chunks *c, const int sides[2], struct error *err)
{
	const char *path = buffer_cstr(&c->path);
	struct level *l;
	int side, rc;

	if (!path)
		return error_nomem(err);
	if (c->depth == CHUNK_LEVELS_MAX)
		return error_set(err, ERROR_DAMAGE,
				 "table '%s': folder '%s' lies too deep",
				 c->shown.data, path);
	l = &c->levels[c->depth++];
	memset(l, 0, sizeof(*l));
	l->path = c->path.size;
	for (side = DIFF_A; side <= DIFF_B; side++) {
		struct source *s = sides[side] ? c->sources[side] : NULL;

		rc = s ? s->list(s, path, &l->names[side], err) : 0;
		if (rc > 0)
			rc = error_set(err, ERROR_DAMAGE,
				       "table '%s': folder '%s' is missing in "
				       "%s",
				       c->shown.data, path, s->label);
		if (rc < 0 || keep_chunks(c, &l->names[side], err) < 0)
			return -1;
	}
	drop_same(l);
	return 0;
}

/* ---- files ---- */

static int read_file(struct diff_chunks *c, enum diff_side side, size_t nth,
		     const struct level *l, struct buffer *out,
		     struct error *err)
{
	struct source *s = c->sources[side];
	const char *path;
	int rc;

	source_tell(s, &l->names[side], nth, &c->path, l->path);
	c->path.size = l->path;
	buffer_byte(&c->path, '/');
	buffer_str(&c->path, l->names[side].names[nth].name);
	path = buffer_cstr(&c->path);
	if (!path)
		return error_nomem(err);
	rc = s->read(s, path, out, err);
	if (rc > 0)
		return diff_chunks_damage(c, err, "it is missing");
	if (!rc && !out->size)
		return diff_chunks_damage(c, err, "it is empty");
	if (!rc && out->data[out->size - 1] != '\n')
		return diff_chunks_damage(c, err, "its last line is cut short");
	return rc;
}

/* Which sides have the name that comes next in a folder? */
static void next_sides(const struct level *l, int sides[2])
{
	const struct source_names *a = &l->names[DIFF_A],
				  *b = &l->names[DIFF_B];
	int diff = 0;

	sides[DIFF_A] = l->next[DIFF_A] < a->count;
	sides[DIFF_B] = l->next[DIFF_B] < b->count;
	if (!sides[DIFF_A] || !sides[DIFF_B])
		return;
	diff = strcmp(a->names[l->next[DIFF_A]].name,
		      b->names[l->next[DIFF_B]].name);
	sides[DIFF_A] = diff <= 0;
	sides[DIFF_B] = diff >= 0;
}

/* @return 1 with a file, 0 when a folder was entered, -1 */
static int take_next(struct diff_chunks *c, struct level *l, const int sides[2],
		     struct buffer out[2], struct error *err)
{
	const struct source_name *n = NULL;
	int folders[2] = { 0, 0 }, side;
	size_t at;

	for (side = DIFF_A; side <= DIFF_B; side++) {
		if (!sides[side])
			continue;
		at = l->next[side]++;
		n = &l->names[side].names[at];
		folders[side] = n->folder;
		if (!n->folder &&
		    read_file(c, side, at, l, &out[side], err) < 0)
			return -1;
	}
	if (!folders[DIFF_A] && !folders[DIFF_B])
		return 1;
	c->path.size = l->path;
	buffer_byte(&c->path, '/');
	buffer_str(&c->path, n->name);
	if (enter(c, folders, err) < 0)
		return -1;
	return out[DIFF_A].size || out[DIFF_B].size;
}

int diff_chunks_next(struct diff_chunks *c, struct buffer out[2],
		     struct error *err)
{
	int sides[2], rc;

	buffer_clear(&out[DIFF_A]);
	buffer_clear(&out[DIFF_B]);
	while (c->depth) {
		struct level *l = &c->levels[c->depth - 1];

		next_sides(l, sides);
		if (!sides[DIFF_A] && !sides[DIFF_B]) {
			source_names_release(&l->names[DIFF_A]);
			source_names_release(&l->names[DIFF_B]);
			c->depth--;
			continue;
		}
		rc = take_next(c, l, sides, out, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- the walk ---- */

int diff_chunks_new(struct diff_chunks **out, const struct table *const t[2],
		    struct source *const sources[2], struct error *err)
{
	const struct table *named = t[DIFF_B] ? t[DIFF_B] : t[DIFF_A];
	struct diff_chunks *c = calloc(1, sizeof(*c));
	int sides[2], side;

	*out = NULL;
	if (!c)
		return error_nomem(err);
	for (side = DIFF_A; side <= DIFF_B; side++) {
		c->sources[side] = sources[side];
		/* a table without rows has no folder */
		sides[side] = sources[side] && t[side] && t[side]->rows;
	}
	buffer_printf(&c->path, CHUNK_ROOT "%s", named->folder);
	if (chunk_shown(&c->shown, named, err) < 0 ||
	    enter(c, sides, err) < 0) {
		diff_chunks_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

void diff_chunks_free(struct diff_chunks *c)
{
	if (!c)
		return;
	while (c->depth) {
		struct level *l = &c->levels[--c->depth];

		source_names_release(&l->names[DIFF_A]);
		source_names_release(&l->names[DIFF_B]);
	}
	buffer_release(&c->path);
	buffer_release(&c->shown);
	free(c);
}
