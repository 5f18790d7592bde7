/*
 * into_links.c - foreign keys of the target: what refers to what, and orphans
 *
 * SQLite's own enforcement is off while records are replayed: with it on,
 * deleting or updating a parent would run ON DELETE CASCADE, SET NULL and the
 * like, and so change rows that nobody chose.  Instead the orphans are noted
 * before the first change and looked for again after the last.  One that was
 * none before ends everything, unless child and parent are restored and it is
 * one in the snapshot: that is how things were.  Else it is what enforcement
 * with all constraints deferred to the commit says, without its actions, and an
 * old orphan that has nothing to do with the restored rows does not get in the
 * way.
 *
 * foreign_key_check is not used because it gives no key for WITHOUT ROWID
 * tables and fails on the whole database when one foreign key names columns
 * without a unique index.
 */
#include "restore/into_internal.h"
#include "restore/restore_internal.h"
#include "snapshot/catalog.h"

#define ORPHANS "temp.dbstow_orphans"

static void link_release(struct link *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->child_columns[i]);
		free(l->parent_columns[i]);
	}
	free(l->child_columns);
	free(l->parent_columns);
	free(l->child);
	free(l->parent);
	free(l->label);
	side_release(&l->child_side);
	sqlite3_finalize(l->ask);
	sqlite3_finalize(l->ask_listed);
}

void links_release(struct into *in)
{
	for (size_t i = 0; i < in->link_count; i++)
		link_release(&in->links[i]);
	free(in->links);
	in->links = NULL;
	in->link_count = 0;
}

/* ---- reading ---- */

static char *column_copy(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	return strdup(text ? text : "");
}

static struct link *link_add(struct into *in, sqlite3_stmt *stmt)
{
	struct link *grown, *l;

	grown = realloc(in->links, (in->link_count + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	in->links = grown;
	l = &grown[in->link_count++];
	memset(l, 0, sizeof *l);
	l->child = column_copy(stmt, 0);
	l->parent = column_copy(stmt, 2);
	if (!l->child || !l->parent)
		return NULL;
	l->label = table_label(l->child);
	return l->label ? l : NULL;
}

/* An empty parent column stands for "the parent's primary key". */
static int link_add_column(struct link *l, sqlite3_stmt *stmt)
{
	size_t size = (l->count + 1) * sizeof(char *);
	char **child, **parent;

	child = realloc(l->child_columns, size);
	if (child)
		l->child_columns = child;
	parent = realloc(l->parent_columns, size);
	if (parent)
		l->parent_columns = parent;
	if (!child || !parent)
		return -1;
	child[l->count] = column_copy(stmt, 3);
	parent[l->count] = column_copy(stmt, 4);
	l->count++;
	return child[l->count - 1] && parent[l->count - 1] ? 0 : -1;
}

static int read_links(struct into *in, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (target_prepare(
		    in->db, &stmt,
		    sqlite3_mprintf(
			    "SELECT m.name, f.seq, f.\"table\", f.\"from\","
			    " f.\"to\" FROM main.sqlite_schema AS m CROSS "
			    "JOIN pragma_foreign_key_list(m.name, 'main') "
			    "AS f WHERE m.type = 'table' AND m.rootpage > "
			    "0 ORDER BY m.rowid, f.id, f.seq"),
		    err, "cannot read foreign keys") < 0)
		return -1;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct link *l;

		if (sqlite3_column_int(stmt, 1) == 0)
			l = link_add(in, stmt);
		else
			l = &in->links[in->link_count - 1];
		if (!l || link_add_column(l, stmt) < 0)
			break;
	}
	if (rc == SQLITE_ROW)
		error_nomem(err);
	else if (rc != SQLITE_DONE)
		target_failed(in->db, err, "cannot read foreign keys");
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* ---- which ones matter ---- */

struct name_set {
	const char **names; /* borrowed */
	size_t count;
};

static int set_has(const struct name_set *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (!sqlite3_stricmp(s->names[i], name))
			return 1;
	return 0;
}

/* Tables whose rows may change: the selected ones and everything that they
 * refer to, directly or not. */
static int find_touched(struct into *in, struct name_set *touched,
			struct error *err)
{
	touched->names = calloc(in->table_count + in->link_count + 1,
				sizeof *touched->names);
	if (!touched->names)
		return error_nomem(err);
	for (size_t i = 0; i < in->table_count; i++)
		touched->names[touched->count++] = in->tables[i].name;
	for (size_t i = 0; i < touched->count; i++) {
		for (size_t j = 0; j < in->link_count; j++) {
			const struct link *l = &in->links[j];

			if (!sqlite3_stricmp(l->child, touched->names[i]) &&
			    !set_has(touched, l->parent))
				touched->names[touched->count++] = l->parent;
		}
	}
	return 0;
}

/* Put the primary key's columns for the ones that were left out. */
static int name_parent_columns(struct link *l, const struct side *parent)
{
	size_t found = 0;

	for (size_t i = 0; i < parent->column_count; i++) {
		const struct side_column *c = &parent->columns[i];

		if (!c->key)
			continue;
		if (++found > l->count || (size_t)c->key > l->count)
			return 1;
		free(l->parent_columns[c->key - 1]);
		l->parent_columns[c->key - 1] = strdup(c->name);
		if (!l->parent_columns[c->key - 1])
			return -1;
	}
	return found == l->count ? 0 : 1;
}

static int resolve_parent(struct link *l, const struct side *parent,
			  struct error *err)
{
	int rc = 0;

	l->parent_absent = parent->kind == SIDE_ABSENT;
	if (l->parent_absent)
		return 0;
	if (parent->kind == SIDE_OTHER)
		rc = 1;
	else if (!*l->parent_columns[0])
		rc = name_parent_columns(l, parent);
	for (size_t i = 0; !rc && i < l->count; i++)
		if (!side_column(parent, l->parent_columns[i]))
			rc = 1;
	if (rc < 0)
		return error_nomem(err);
	l->loose = rc;
	return 0;
}

static int resolve(struct into *in, struct link *l, struct error *err)
{
	struct side parent;
	int rc;

	if (side_read(&l->child_side, in->db, "main", l->child, err) < 0 ||
	    side_read(&parent, in->db, "main", l->parent, err) < 0)
		return -1;
	rc = resolve_parent(l, &parent, err);
	side_release(&parent);
	return rc;
}

static int watch_links(struct into *in, struct error *err)
{
	struct name_set touched = { 0 };
	int rc = find_touched(in, &touched, err);

	for (size_t i = 0; !rc && i < in->link_count; i++) {
		struct link *l = &in->links[i];

		/* a trigger may write anywhere */
		l->watched = in->triggers || set_has(&touched, l->child) ||
			     set_has(&touched, l->parent);
		if (l->watched)
			rc = resolve(in, l, err);
	}
	free(touched.names);
	return rc;
}

/* ---- orphans ---- */

/* What tells a child row from others: its key; where that can't be reached,
 * what it refers to (such rows never change here, only their parents). */
static size_t orphan_key(const struct link *l, const char *const **names)
{
	if (l->child_side.key_count) {
		*names = l->child_side.keys;
		return l->child_side.key_count;
	}
	*names = (const char *const *)l->child_columns;
	return l->count;
}

static size_t widest_key(const struct into *in)
{
	const char *const *names;
	size_t widest = 1;

	for (size_t i = 0; i < in->link_count; i++) {
		size_t n = orphan_key(&in->links[i], &names);

		if (in->links[i].watched && n > widest)
			widest = n;
	}
	return widest;
}

/*
 * FROM and WHERE of the children `s` without a parent `t`.  A NULL refers to
 * nothing.  The parent's affinity and collation decide, as SQLite has it: a
 * '+' takes the child's affinity away, its collation comes second anyhow.
 */
static void add_orphans(sqlite3_str *sql, const struct link *l)
{
	sqlite3_str_appendf(sql, " FROM main.\"%w\" AS s", l->child);
	if (!l->parent_absent) {
		sqlite3_str_appendf(sql, " LEFT JOIN main.\"%w\" AS t ON ",
				    l->parent);
		for (size_t i = 0; i < l->count; i++)
			sqlite3_str_appendf(
				sql, "%st.\"%w\" = +s.\"%w\"", i ? " AND " : "",
				l->parent_columns[i], l->child_columns[i]);
	}
	sqlite3_str_appendall(sql, " WHERE 1");
	if (!l->parent_absent)
		sqlite3_str_appendf(sql, " AND t.\"%w\" IS NULL",
				    l->parent_columns[0]);
	for (size_t i = 0; i < l->count; i++)
		sqlite3_str_appendf(sql, " AND s.\"%w\" IS NOT NULL",
				    l->child_columns[i]);
}

static int note_orphans(struct into *in, size_t number, struct error *err)
{
	const struct link *l = &in->links[number];
	const char *const *key;
	size_t count = orphan_key(l, &key);
	sqlite3_str *sql = sqlite3_str_new(in->db);

	sqlite3_str_appendall(sql, "INSERT OR IGNORE INTO " ORPHANS "(link, ");
	add_list_keys(sql, "", count);
	sqlite3_str_appendf(sql, ") SELECT %d, ", (int)number);
	add_columns(sql, "s", key, count);
	add_orphans(sql, l);
	return target_run(in->db, sqlite3_str_finish(sql), err, l->label);
}

static int note_all(struct into *in, struct error *err)
{
	size_t widest = widest_key(in);
	sqlite3_str *sql = sqlite3_str_new(in->db);

	sqlite3_str_appendall(sql, "CREATE TABLE " ORPHANS "(link");
	for (size_t i = 0; i < widest; i++)
		sqlite3_str_appendf(sql, ", k%d DEFAULT 0", (int)i);
	sqlite3_str_appendall(sql, ", PRIMARY KEY(link, ");
	add_list_keys(sql, "", widest);
	sqlite3_str_appendall(sql, ")) WITHOUT ROWID");
	if (target_run(in->db, sqlite3_str_finish(sql), err,
		       "cannot note orphans") < 0)
		return -1;
	for (size_t i = 0; i < in->link_count; i++)
		if (in->links[i].watched && !in->links[i].loose &&
		    note_orphans(in, i, err) < 0)
			return -1;
	return 0;
}

int into_links(struct into *in, struct error *err)
{
	if (read_links(in, err) < 0 || watch_links(in, err) < 0)
		return -1;
	return note_all(in, err);
}

/* ---- afterwards ---- */

int link_known(const struct link *l, const struct side *child,
	       const struct side *parent)
{
	for (size_t i = 0; i < l->count; i++)
		if (!side_column(child, l->child_columns[i]) ||
		    (parent && !side_column(parent, l->parent_columns[i])))
			return 0;
	return 1;
}

/* The child's table when the snapshot's own orphans may come back: the parent's
 * rows are the snapshot's, too, or it has no such table. */
static const struct into_table *owner_of_orphans(struct into *in,
						 const struct link *l,
						 const struct side *parent)
{
	const struct into_table *child = into_find(in, l->child);
	const struct into_table *there = into_find(in, l->parent);

	if (!child || !child->selected)
		return NULL;
	if (parent->kind == SIDE_ABSENT)
		return link_known(l, &child->staged, NULL) ? child : NULL;
	if (!there || !there->selected || *l->parent_columns[0] == '\0')
		return NULL;
	return link_known(l, &child->staged, parent) ? child : NULL;
}

/* ... and it is no orphan `o` of the snapshot's. */
static void add_not_own(sqlite3_str *sql, const struct link *l,
			const struct into_table *child,
			const struct side *parent)
{
	sqlite3_str_appendf(sql,
			    " AND NOT EXISTS (SELECT 1 FROM staged.\"%w\" AS o "
			    "WHERE ",
			    l->child);
	add_key_match_as(sql, child, "s", "o");
	for (size_t i = 0; i < l->count; i++)
		sqlite3_str_appendf(sql, " AND o.\"%w\" IS NOT NULL",
				    l->child_columns[i]);
	if (parent->kind != SIDE_ABSENT) {
		sqlite3_str_appendf(sql,
				    " AND NOT EXISTS (SELECT 1 FROM "
				    "staged.\"%w\" AS p WHERE 1",
				    l->parent);
		for (size_t i = 0; i < l->count; i++)
			sqlite3_str_appendf(sql, " AND p.\"%w\" = +o.\"%w\"",
					    l->parent_columns[i],
					    l->child_columns[i]);
		sqlite3_str_appendchar(sql, 1, ')');
	}
	sqlite3_str_appendchar(sql, 1, ')');
}

static int in_snapshot(const struct into *in, const char *name)
{
	for (size_t i = 0; i < in->catalog->table_count; i++)
		if (!sqlite3_stricmp(in->catalog->tables[i].name, name))
			return 1;
	return 0;
}

/* What there is left to do about a new orphan. */
static const char *advice(struct into *in, const struct link *l)
{
	const struct into_table *child = into_find(in, l->child);
	const struct into_table *parent = into_find(in, l->parent);

	if (!in_snapshot(in, l->child))
		return "change or delete that row first";
	if (in_snapshot(in, l->parent) &&
	    !(child && child->selected && parent && parent->selected))
		return "restore both tables together";
	return in->triggers ? "leave out --triggers" : "restore to a new file";
}

/* Two columns: the row's key, and what it refers to. */
static char *new_orphan_text(struct into *in, size_t number,
			     const struct side *parent)
{
	const struct link *l = &in->links[number];
	const struct into_table *own = owner_of_orphans(in, l, parent);
	const char *const *key;
	size_t count = orphan_key(l, &key);
	sqlite3_str *sql = sqlite3_str_new(in->db);

	sqlite3_str_appendall(sql, "SELECT ");
	if (l->child_side.key_count)
		add_key_text(sql, "s", &l->child_side);
	else
		sqlite3_str_appendall(sql, "'?'");
	for (size_t i = 0; i < l->count; i++)
		sqlite3_str_appendf(sql, "%s || %Q || ' = ' || quote(s.\"%w\")",
				    i ? " || ' and '" : ", ''",
				    l->child_columns[i], l->child_columns[i]);
	add_orphans(sql, l);
	sqlite3_str_appendf(sql,
			    " AND NOT EXISTS (SELECT 1 FROM " ORPHANS
			    " AS w WHERE w.link = %d",
			    (int)number);
	for (size_t i = 0; i < count; i++) {
		sqlite3_str_appendall(sql, " AND ");
		if (key == l->child_side.keys)
			add_key(sql, "s", &l->child_side, i);
		else
			sqlite3_str_appendf(sql, "s.\"%w\"", key[i]);
		sqlite3_str_appendf(sql, " = w.k%d", (int)i);
	}
	sqlite3_str_appendchar(sql, 1, ')');
	if (own)
		add_not_own(sql, l, own, parent);
	sqlite3_str_appendall(sql, " LIMIT 1");
	return sqlite3_str_finish(sql);
}

static int check_link(struct into *in, size_t number, struct error *err)
{
	const struct link *l = &in->links[number];
	sqlite3_stmt *stmt = NULL;
	struct side parent;
	int rc;

	if (side_read(&parent, in->db, "staged", l->parent, err) < 0)
		return -1;
	rc = target_prepare(in->db, &stmt, new_orphan_text(in, number, &parent),
			    err, l->label);
	side_release(&parent);
	if (rc < 0)
		return -1;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		error_set(err, ERROR_REFUSED,
			  "row %.200s of table '%s' would be an orphan: "
			  "nothing in table '%s' has its %.400s; nothing was "
			  "changed; %s",
			  (const char *)sqlite3_column_text(stmt, 0), l->child,
			  l->parent, (const char *)sqlite3_column_text(stmt, 1),
			  advice(in, l));
	else if (rc != SQLITE_DONE)
		target_failed(in->db, err, "cannot check table '%s'", l->child);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

int into_check_links(struct into *in, struct error *err)
{
	for (size_t i = 0; i < in->link_count; i++)
		if (in->links[i].watched && !in->links[i].loose &&
		    check_link(in, i, err) < 0)
			return -1;
	return 0;
}
