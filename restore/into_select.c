/*
 * into_select.c - which tables are replayed, and whether they fit
 *
 * Without --table that is all ordinary tables of the snapshot.  The data of a
 * virtual table lies in shadow tables; they are replayed like any other where
 * the target has a virtual table of the same text, because then the same module
 * reads them.  Shadow tables are never replayed by themselves: half an index is
 * worse than an old one.
 */
#include "restore/restore.h"

#include "restore/into_internal.h"
#include "restore/restore_internal.h"
#include "snapshot/catalog.h"

/* A message of at most so much about what does not fit. */
#define LIST_MAX 1500

struct into_table *into_find(struct into *in, const char *name)
{
	for (size_t i = 0; i < in->table_count; i++)
		if (!sqlite3_stricmp(in->tables[i].name, name))
			return &in->tables[i];
	return NULL;
}

int into_add(struct into *in, const char *name, int selected, struct error *err)
{
	struct into_table *grown;

	grown = realloc(in->tables, (in->table_count + 1) * sizeof *grown);
	if (!grown)
		return error_nomem(err);
	in->tables = grown;
	if (into_table_read(&grown[in->table_count++], in->db, name, err) < 0)
		return -1;
	grown[in->table_count - 1].selected = selected;
	return 0;
}

int into_misfit(const struct into *in, const char *problems, struct error *err)
{
	return error_set(err, ERROR_FAILED,
			 "'%s' does not fit the snapshot: %.*s%s; nothing was "
			 "changed; restore to a new file, or choose tables "
			 "with --table",
			 in->target, LIST_MAX, problems,
			 strlen(problems) > LIST_MAX ? "..." : "");
}

/* ---- which ---- */

static int is_virtual(const struct entry *e)
{
	return e->type == ENTRY_TABLE && e->virtual_table;
}

/* The virtual table that a shadow table belongs to: the one with the longest
 * name that "NAME_" begins with. */
static const struct entry *owner(const struct catalog *c, const char *shadow)
{
	const struct entry *found = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < c->entry_count; i++) {
		const struct entry *e = &c->entries[i];
		size_t size = strlen(e->name);

		if (is_virtual(e) && size > longest && shadow[size] == '_' &&
		    !sqlite3_strnicmp(e->name, shadow, (int)size)) {
			found = e;
			longest = size;
		}
	}
	return found;
}

static int same_name(const char *a, const char *b)
{
	return !sqlite3_stricmp(a, b);
}

static int wanted(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (same_name(names[i], name))
			return 1;
	return !names;
}

static int in_snapshot(const struct catalog *c, const char *name)
{
	for (size_t i = 0; i < c->table_count; i++)
		if (c->tables[i].kind == TABLE_ORDINARY &&
		    same_name(c->tables[i].name, name))
			return 1;
	for (size_t i = 0; i < c->entry_count; i++)
		if (is_virtual(&c->entries[i]) &&
		    same_name(c->entries[i].name, name))
			return 1;
	return 0;
}

static void add_name(struct buffer *b, const char *name)
{
	buffer_printf(b, "%s'%s'", b->size ? ", " : "", name);
}

static int unknown_name(const struct catalog *c, const char *name,
			struct error *err)
{
	struct buffer there = BUFFER_INIT;
	const char *list;

	for (size_t i = 0; i < c->table_count; i++)
		if (c->tables[i].kind == TABLE_ORDINARY)
			add_name(&there, c->tables[i].name);
	for (size_t i = 0; i < c->entry_count; i++)
		if (is_virtual(&c->entries[i]))
			add_name(&there, c->entries[i].name);
	list = buffer_cstr(&there);
	error_set(err, ERROR_USAGE,
		  "the snapshot has no table '%s'; it has %.*s%s", name,
		  LIST_MAX, list && *list ? list : "none",
		  there.size > LIST_MAX ? "..." : "");
	buffer_release(&there);
	return -1;
}

static int check_names(const struct catalog *c, const char *const *names,
		       size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < c->table_count; j++) {
			const struct entry *e;

			if (c->tables[j].kind != TABLE_SHADOW ||
			    !same_name(c->tables[j].name, names[i]))
				continue;
			e = owner(c, c->tables[j].name);
			return error_set(err, ERROR_USAGE,
					 "'%s' holds data of virtual table "
					 "'%s'; name that",
					 names[i], e ? e->name : "?");
		}
		if (!in_snapshot(c, names[i]))
			return unknown_name(c, names[i], err);
	}
	return 0;
}

/* ---- does it fit ---- */

/* @return 1 when the target has that virtual table with the same text */
static int same_virtual(sqlite3 *db, const struct entry *e, struct error *err)
{
	int64_t same = 0;
	char *sql = sqlite3_mprintf(
		"SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' "
		"AND name = %Q COLLATE NOCASE AND sql = %Q",
		e->name, e->sql);
	int rc = sql ? target_number(db, &same, sql, err) : error_nomem(err);

	sqlite3_free(sql);
	return rc < 0 ? -1 : same > 0;
}

static int check_virtual(struct into *in, const char *const *names,
			 size_t count, struct buffer *problems,
			 struct error *err)
{
	for (size_t i = 0; i < in->catalog->entry_count; i++) {
		const struct entry *e = &in->catalog->entries[i];
		int same;

		if (!is_virtual(e) || !wanted(names, count, e->name))
			continue;
		/* a module writes its shadow tables when it likes to, and the
		 * triggers that keep a search index go through it */
		if (in->triggers)
			return error_set(err, ERROR_USAGE,
					 "virtual table '%s' can't be restored "
					 "while triggers run; leave out "
					 "--triggers, or choose other tables "
					 "with --table",
					 e->name);
		same = same_virtual(in->db, e, err);
		if (same < 0)
			return -1;
		if (!same)
			buffer_printf(problems,
				      "%sno virtual table '%s' like "
				      "the snapshot's",
				      problems->size ? ", " : "", e->name);
	}
	return 0;
}

static int add_selected(struct into *in, const char *const *names, size_t count,
			struct buffer *problems, struct error *err)
{
	const struct catalog *c = in->catalog;

	for (size_t i = 0; i < c->table_count; i++) {
		const struct table *t = &c->tables[i];
		const char *name = t->name;
		struct into_table *added;

		if (t->kind == TABLE_INTERNAL)
			continue;
		if (t->kind == TABLE_SHADOW) {
			const struct entry *e = owner(c, t->name);

			/* a shadow without its virtual table is a table */
			name = e ? e->name : t->name;
		}
		if (!wanted(names, count, name))
			continue;
		if (into_add(in, t->name, 1, err) < 0)
			return -1;
		added = &in->tables[in->table_count - 1];
		if (added->problems.size)
			buffer_printf(problems, "%s%s",
				      problems->size ? ", " : "",
				      buffer_cstr(&added->problems));
	}
	in->selected_count = in->table_count;
	return 0;
}

int into_select(struct into *in, const char *const *names, size_t count,
		struct error *err)
{
	struct buffer problems = BUFFER_INIT;
	int rc = -1;

	if (!count)
		names = NULL;
	if (check_names(in->catalog, names, count, err) < 0 ||
	    check_virtual(in, names, count, &problems, err) < 0 ||
	    add_selected(in, names, count, &problems, err) < 0)
		goto done;
	if (buffer_failed(&problems))
		error_nomem(err);
	else if (problems.size)
		into_misfit(in, buffer_cstr(&problems), err);
	else
		rc = 0;
done:
	buffer_release(&problems);
	return rc;
}
