/*
 * into_sql.c - pieces of the statements that replay records
 *
 * Names of columns always stand behind a table's alias: SQLite takes a name in
 * double quotes that it does not find for a string.
 */
#include "restore/into_internal.h"
#include "restore/restore_internal.h"

/* Pairs of values for one call: SQLite allows 127 arguments. */
#define SAME_PAIRS 60

void add_columns(sqlite3_str *sql, const char *alias, const char *const *names,
		 size_t count)
{
	for (size_t i = 0; i < count; i++)
		sqlite3_str_appendf(sql, "%s%s.\"%w\"", i ? ", " : "", alias,
				    names[i]);
}

void add_names(sqlite3_str *sql, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : "", names[i]);
}

void add_list_keys(sqlite3_str *sql, const char *prefix, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sqlite3_str_appendf(sql, "%s%sk%d", i ? ", " : "", prefix,
				    (int)i);
}

void add_key(sqlite3_str *sql, const char *alias, const struct side *s,
	     size_t i)
{
	sqlite3_str_appendf(sql, "%s.\"%w\"", alias, s->keys[i]);
	if (s->collations)
		sqlite3_str_appendf(sql, " COLLATE \"%w\"", s->collations[i]);
}

void add_key_match_as(sqlite3_str *sql, const struct into_table *t,
		      const char *target, const char *staged)
{
	/* the target's column comes first, so its collation counts */
	for (size_t i = 0; i < t->target.key_count; i++) {
		sqlite3_str_appendall(sql, i ? " AND " : "");
		add_key(sql, target, &t->target, i);
		sqlite3_str_appendf(sql, " = %s.\"%w\"", staged,
				    t->staged.keys[i]);
	}
}

void add_key_match(sqlite3_str *sql, const struct into_table *t)
{
	add_key_match_as(sql, t, "t", "s");
}

void add_key_in_list(sqlite3_str *sql, const char *alias, const struct side *s)
{
	for (size_t i = 0; i < s->key_count; i++) {
		sqlite3_str_appendall(sql, i ? " AND " : "");
		add_key(sql, alias, s, i);
		sqlite3_str_appendf(sql, " = w.k%d", (int)i);
	}
}

void add_key_listed(sqlite3_str *sql, const char *alias, const struct side *s,
		    int list)
{
	for (size_t i = 0; i < s->key_count; i++) {
		sqlite3_str_appendall(sql, i ? " AND " : "");
		add_key(sql, alias, s, i);
		sqlite3_str_appendf(sql,
				    " = (SELECT w.k%d FROM temp.dbstow_list_%d "
				    "AS w WHERE w.n = ?1)",
				    (int)i, list);
	}
}

void add_same(sqlite3_str *sql, const struct into_table *t)
{
	sqlite3_str_appendall(sql, "(1");
	for (size_t i = 0; i < t->column_count; i++) {
		sqlite3_str_appendall(
			sql, i % SAME_PAIRS == 0 ? " AND dbstow_same(" : ", ");
		sqlite3_str_appendf(sql, "s.\"%w\", t.\"%w\"", t->columns[i],
				    t->columns[i]);
		if (i % SAME_PAIRS == SAME_PAIRS - 1 ||
		    i + 1 == t->column_count)
			sqlite3_str_appendchar(sql, 1, ')');
	}
	sqlite3_str_appendchar(sql, 1, ')');
}

void add_key_text(sqlite3_str *sql, const char *alias, const struct side *s)
{
	if (s->kind != SIDE_WITHOUT_ROWID) {
		sqlite3_str_appendf(sql, "%s.\"%w\"", alias, s->keys[0]);
		return;
	}
	for (size_t i = 0; i < s->key_count; i++)
		sqlite3_str_appendf(sql, "%squote(%s.\"%w\")",
				    i ? " || ', ' || " : "'(' || ", alias,
				    s->keys[i]);
	sqlite3_str_appendall(sql, " || ')'");
}

int list_create(struct into *in, size_t key_count, int *list, struct error *err)
{
	sqlite3_str *sql = sqlite3_str_new(in->db);

	/* without types, so that keys stay as they are; UNIQUE makes asking
	 * twice for one row harmless */
	sqlite3_str_appendf(sql,
			    "CREATE TEMP TABLE dbstow_list_%d("
			    "n INTEGER PRIMARY KEY, at, ",
			    in->lists);
	add_list_keys(sql, "", key_count);
	sqlite3_str_appendall(sql, ", UNIQUE(");
	add_list_keys(sql, "", key_count);
	sqlite3_str_appendall(sql, "))");
	*list = in->lists++;
	return target_run(in->db, sqlite3_str_finish(sql), err,
			  "cannot list rows");
}

int list_drop(struct into *in, int list, struct error *err)
{
	return target_run(
		in->db, sqlite3_mprintf("DROP TABLE temp.dbstow_list_%d", list),
		err, "cannot list rows");
}
