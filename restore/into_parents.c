/*
 * into_parents.c - rows that restored rows refer to and the target lacks
 *
 * They are found in the snapshot alone, before the first of them is inserted:
 * the restored rows' parents, the parents of those, and so on until a round
 * finds none.  Each parent table has a list in temp; a row comes into it once,
 * so cycles end.
 */
#include "restore/into_internal.h"
#include "restore/restore_internal.h"
#include "snapshot/catalog.h"

static void add_reference(sqlite3_str *sql, const char *alias,
			  const struct link *l)
{
	for (size_t i = 0; i < l->count; i++)
		sqlite3_str_appendf(sql, " AND %s.\"%w\" = +s.\"%w\"", alias,
				    l->parent_columns[i], l->child_columns[i]);
}

/*
 * Children `s` -> their rows `p` in the snapshot that the target lacks.
 *
 * @param child  NULL: all rows of the child's table; else those of its list
 *               with numbers above ?1 up to ?2
 */
static void add_wanted(sqlite3_str *sql, const struct link *l,
		       const struct into_table *child)
{
	sqlite3_str_appendall(sql, " FROM ");
	if (child)
		sqlite3_str_appendf(sql, "temp.dbstow_list_%d AS w CROSS JOIN ",
				    child->list);
	/* in this order: the planner knows nothing of how few they are */
	sqlite3_str_appendf(sql,
			    "staged.\"%w\" AS s CROSS JOIN staged.\"%w\" AS p "
			    "WHERE ",
			    l->child, l->parent);
	if (child) {
		sqlite3_str_appendall(sql, "w.n > ?1 AND w.n <= ?2 AND ");
		add_key_in_list(sql, "s", &child->staged);
	} else {
		sqlite3_str_appendchar(sql, 1, '1');
	}
	add_reference(sql, "p", l);
	sqlite3_str_appendf(sql,
			    " AND NOT EXISTS (SELECT 1 FROM main.\"%w\" AS t "
			    "WHERE 1",
			    l->parent);
	add_reference(sql, "t", l);
	sqlite3_str_appendchar(sql, 1, ')');
}

/* A parent that does not fit the target only matters if it is needed. */
static int check_not_needed(struct into *in, const struct link *l,
			    const struct into_table *child,
			    struct into_table *parent, struct error *err)
{
	sqlite3_str *sql = sqlite3_str_new(in->db);
	sqlite3_stmt *stmt = NULL;
	int rc;

	sqlite3_str_appendall(sql, "SELECT 1");
	add_wanted(sql, l, child->selected ? NULL : child);
	sqlite3_str_appendall(sql, " LIMIT 1");
	if (target_prepare(in->db, &stmt, sqlite3_str_finish(sql), err,
			   parent->label) < 0)
		return -1;
	if (!child->selected) {
		sqlite3_bind_int64(stmt, 1, child->asked);
		sqlite3_bind_int64(stmt, 2, child->listed);
	}
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		into_misfit(in, buffer_cstr(&parent->problems), err);
	else if (rc != SQLITE_DONE)
		target_failed(in->db, err, "cannot read table '%s'", l->parent);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

static int prepare_ask(struct into *in, const struct link *l,
		       const struct into_table *child,
		       struct into_table *parent, sqlite3_stmt **stmt,
		       struct error *err)
{
	sqlite3_str *sql;

	if (parent->list < 0 &&
	    list_create(in, parent->target.key_count, &parent->list, err) < 0)
		return -1;
	sql = sqlite3_str_new(in->db);
	sqlite3_str_appendf(sql, "INSERT OR IGNORE INTO temp.dbstow_list_%d(",
			    parent->list);
	add_list_keys(sql, "", parent->staged.key_count);
	sqlite3_str_appendall(sql, ") SELECT ");
	add_columns(sql, "p", parent->staged.keys, parent->staged.key_count);
	add_wanted(sql, l, child->selected ? NULL : child);
	return target_prepare(in->db, stmt, sqlite3_str_finish(sql), err,
			      parent->label);
}

static int run_ask(struct into *in, sqlite3_stmt *stmt,
		   const struct into_table *child, struct into_table *parent,
		   int64_t upto, struct error *err)
{
	int rc;

	if (!child->selected) {
		sqlite3_bind_int64(stmt, 1, child->asked);
		sqlite3_bind_int64(stmt, 2, upto);
	}
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		;
	if (rc != SQLITE_DONE)
		return target_failed(in->db, err, "cannot read table '%s'",
				     parent->name);
	parent->listed += sqlite3_changes64(in->db);
	sqlite3_reset(stmt);
	return 0;
}

/* The table's name as the snapshot writes it. */
static const char *name_there(const struct catalog *c, const char *name)
{
	for (size_t i = 0; i < c->table_count; i++)
		if (!sqlite3_stricmp(c->tables[i].name, name))
			return c->tables[i].name;
	return name;
}

/* List what the child's rows need through one foreign key. */
static int ask(struct into *in, struct link *l, size_t child_at, int64_t upto,
	       struct error *err)
{
	struct into_table *child, *parent = into_find(in, l->parent);
	sqlite3_stmt **stmt;

	if (!parent &&
	    into_add(in, name_there(in->catalog, l->parent), 0, err) < 0)
		return -1;
	parent = into_find(in, l->parent);
	child = &in->tables[child_at];
	if (parent->selected || parent->staged.kind == SIDE_ABSENT ||
	    parent->staged.kind == SIDE_OTHER ||
	    !link_known(l, &child->staged, &parent->staged))
		return 0;
	if (parent->problem_count)
		return check_not_needed(in, l, child, parent, err);
	stmt = child->selected ? &l->ask : &l->ask_listed;
	if (!*stmt && prepare_ask(in, l, child, parent, stmt, err) < 0)
		return -1;
	return run_ask(in, *stmt, child, parent, upto, err);
}

static int ask_links(struct into *in, size_t child_at, int64_t upto,
		     struct error *err)
{
	for (size_t i = 0; i < in->link_count; i++) {
		struct link *l = &in->links[i];

		if (!l->watched || l->loose || l->parent_absent ||
		    sqlite3_stricmp(l->child, in->tables[child_at].name))
			continue;
		if (ask(in, l, child_at, upto, err) < 0)
			return -1;
	}
	return 0;
}

int into_list_parents(struct into *in, struct error *err)
{
	int again;

	for (size_t i = 0; i < in->selected_count; i++)
		if (ask_links(in, i, 0, err) < 0)
			return -1;
	do {
		again = 0;
		for (size_t i = in->selected_count; i < in->table_count; i++) {
			int64_t upto = in->tables[i].listed;

			if (in->tables[i].asked == upto)
				continue;
			if (ask_links(in, i, upto, err) < 0)
				return -1;
			in->tables[i].asked = upto;
			again = 1;
		}
	} while (again);
	return 0;
}
