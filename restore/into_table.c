/*
 * into_table.c - a table in the snapshot and in the target, compared
 */
#include "restore/into_internal.h"
#include "restore/restore_internal.h"

/* ---- one side ---- */

const struct side_column *side_column(const struct side *s, const char *name)
{
	for (size_t i = 0; i < s->column_count; i++)
		if (!sqlite3_stricmp(s->columns[i].name, name))
			return &s->columns[i];
	return NULL;
}

void side_release(struct side *s)
{
	for (size_t i = 0; i < s->column_count; i++)
		free(s->columns[i].name);
	free(s->columns);
	for (size_t i = 0; s->collations && i < s->key_count; i++)
		free(s->collations[i]);
	free(s->collations);
	free(s->keys);
	memset(s, 0, sizeof *s);
}

/* Is there such a table, and is it one that holds rows itself? */
static int read_kind(struct side *out, sqlite3 *db, const char *schema,
		     const char *name, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	out->kind = SIDE_ABSENT;
	if (target_prepare(
		    db, &stmt,
		    sqlite3_mprintf("SELECT type = 'table' AND rootpage > 0"
				    " FROM %s.sqlite_schema WHERE type IN "
				    "('table', 'view') AND name = %Q "
				    "COLLATE NOCASE",
				    schema, name),
		    err, "cannot read the schema") < 0)
		return -1;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		out->kind = sqlite3_column_int(stmt, 0) ? SIDE_NO_KEY
							: SIDE_OTHER;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		target_failed(db, err, "cannot read the schema");
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

static int keep_column(struct side *out, sqlite3_stmt *stmt)
{
	const char *name = (const char *)sqlite3_column_text(stmt, 0);
	const char *type = (const char *)sqlite3_column_text(stmt, 1);
	struct side_column *grown, *c;

	grown = realloc(out->columns, (out->column_count + 1) * sizeof *grown);
	if (!grown)
		return -1;
	out->columns = grown;
	c = &grown[out->column_count];
	memset(c, 0, sizeof *c);
	c->name = strdup(name ? name : "");
	if (!c->name)
		return -1;
	c->integer = type && !sqlite3_stricmp(type, "INTEGER");
	c->needs_value = sqlite3_column_int(stmt, 2);
	c->key = sqlite3_column_int(stmt, 3);
	c->generated = sqlite3_column_int(stmt, 4) > 1;
	out->column_count++;
	return 0;
}

/* Hand each row of a query about the table to `keep`.
 * @param sql  as of sqlite3_mprintf(), taken over */
static int keep_rows(struct side *s, sqlite3 *db, const char *name, char *sql,
		     int (*keep)(struct side *, sqlite3_stmt *),
		     struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (target_prepare(db, &stmt, sql, err, "cannot read the schema") < 0)
		return -1;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (keep(s, stmt) < 0) {
			error_nomem(err);
			break;
		}
	}
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		target_failed(db, err, "cannot read table '%s'", name);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

static int read_columns(struct side *out, sqlite3 *db, const char *schema,
			const char *name, struct error *err)
{
	return keep_rows(out, db, name,
			 sqlite3_mprintf("SELECT name, type, \"notnull\" AND "
					 "dflt_value IS NULL, pk, hidden FROM "
					 "pragma_table_xinfo(%Q, %Q) "
					 "ORDER BY cid",
					 name, schema),
			 keep_column, err);
}

/* INTEGER PRIMARY KEY *is* the rowid, unless it was declared so that it got an
 * index of its own (INTEGER PRIMARY KEY DESC). */
static const char *alias_of(const struct side *s, int64_t key_indexes)
{
	const char *alias = NULL;

	if (key_indexes)
		return NULL;
	for (size_t i = 0; i < s->column_count; i++) {
		if (!s->columns[i].key)
			continue;
		if (alias || !s->columns[i].integer)
			return NULL;
		alias = s->columns[i].name;
	}
	return alias;
}

static const char *hidden_rowid(const struct side *s)
{
	static const char *const names[] = { "rowid", "_rowid_", "oid" };

	for (size_t i = 0; i < 3; i++)
		if (!side_column(s, names[i]))
			return names[i];
	return NULL;
}

static int keep_key(struct side *s, sqlite3_stmt *stmt)
{
	const char *name = (const char *)sqlite3_column_text(stmt, 0);
	const char *collation = (const char *)sqlite3_column_text(stmt, 1);
	const struct side_column *c = name ? side_column(s, name) : NULL;
	char **grown;
	const char **keys;

	keys = realloc(s->keys, (s->key_count + 1) * sizeof *keys);
	if (keys)
		s->keys = keys;
	grown = realloc(s->collations, (s->key_count + 1) * sizeof *grown);
	if (grown)
		s->collations = grown;
	if (!keys || !grown || !c)
		return -1;
	grown[s->key_count] = strdup(collation ? collation : "BINARY");
	if (!grown[s->key_count])
		return -1;
	keys[s->key_count++] = c->name;
	return 0;
}

/* The primary key's columns in their order.  One may stand there twice, with
 * two collations. */
static int read_primary_key(struct side *s, sqlite3 *db, const char *schema,
			    const char *name, struct error *err)
{
	return keep_rows(
		s, db, name,
		sqlite3_mprintf("SELECT x.name, x.coll FROM "
				"pragma_index_list(%Q, %Q) AS l "
				"CROSS JOIN pragma_index_xinfo(l.name, "
				"%Q) AS x WHERE l.origin = 'pk' AND "
				"x.\"key\" ORDER BY x.seqno",
				name, schema, schema),
		keep_key, err);
}

static int read_key(struct side *s, sqlite3 *db, const char *schema,
		    const char *name, struct error *err)
{
	int64_t without_rowid, key_indexes;
	const char *key;
	char *sql;
	int rc;

	sql = sqlite3_mprintf("SELECT wr FROM pragma_table_list(%Q) "
			      "WHERE schema = %Q",
			      name, schema);
	rc = sql ? target_number(db, &without_rowid, sql, err)
		 : error_nomem(err);
	sqlite3_free(sql);
	if (rc < 0)
		return -1;
	sql = sqlite3_mprintf("SELECT count(*) FROM pragma_index_list(%Q, %Q) "
			      "WHERE origin = 'pk'",
			      name, schema);
	rc = sql ? target_number(db, &key_indexes, sql, err) : error_nomem(err);
	sqlite3_free(sql);
	if (rc < 0)
		return -1;
	s->keys = calloc(1, sizeof *s->keys);
	if (!s->keys)
		return error_nomem(err);
	if (without_rowid) {
		s->kind = SIDE_WITHOUT_ROWID;
		return read_primary_key(s, db, schema, name, err);
	} else if ((key = alias_of(s, key_indexes))) {
		s->kind = SIDE_ALIAS;
		s->keys[s->key_count++] = key;
	} else if ((key = hidden_rowid(s))) {
		s->kind = SIDE_ROWID;
		s->keys[s->key_count++] = key;
	}
	return 0;
}

int side_read(struct side *out, sqlite3 *db, const char *schema,
	      const char *name, struct error *err)
{
	memset(out, 0, sizeof *out);
	if (read_kind(out, db, schema, name, err) < 0)
		return -1;
	if (out->kind == SIDE_ABSENT || out->kind == SIDE_OTHER)
		return 0;
	if (read_columns(out, db, schema, name, err) < 0 ||
	    read_key(out, db, schema, name, err) < 0) {
		side_release(out);
		return -1;
	}
	return 0;
}

/* ---- both sides ---- */

#define PROBLEM(t, ...)                                                        \
	do {                                                                   \
		if ((t)->problem_count++)                                      \
			buffer_str(&(t)->problems, ", ");                      \
		buffer_printf(&(t)->problems, __VA_ARGS__);                    \
	} while (0)

/* Which values go over, and what only the target has. */
static void compare_columns(struct into_table *t)
{
	for (size_t i = 0; i < t->staged.column_count; i++) {
		const struct side_column *s = &t->staged.columns[i];
		const struct side_column *there =
			side_column(&t->target, s->name);

		if (s->generated)
			continue;
		if (!there)
			PROBLEM(t, "no column '%s' in table '%s'", s->name,
				t->name);
		else if (there->generated)
			PROBLEM(t, "column '%s' of table '%s' is computed",
				s->name, t->name);
		t->columns[t->column_count++] = s->name;
	}
	for (size_t i = 0; i < t->target.column_count; i++) {
		const struct side_column *c = &t->target.columns[i];
		const struct side_column *there =
			side_column(&t->staged, c->name);

		if (c->generated || (there && !there->generated))
			continue;
		if (c->needs_value)
			PROBLEM(t, "column '%s' of table '%s' needs a value",
				c->name, t->name);
		t->extras[t->extra_count++] = c->name;
	}
}

/* Bring a staged key column to the place that it has in the target. */
static int place_key(struct side *s, const char *name, size_t place)
{
	for (size_t i = place; i < s->key_count; i++) {
		const char *key = s->keys[i];

		if (sqlite3_stricmp(key, name))
			continue;
		s->keys[i] = s->keys[place];
		s->keys[place] = key;
		if (s->collations) {
			char *collation = s->collations[i];

			s->collations[i] = s->collations[place];
			s->collations[place] = collation;
		}
		return 1;
	}
	return 0;
}

/* Both sides then have their key's columns in the same order, the target's. */
static void compare_keys(struct into_table *t)
{
	struct side *s = &t->staged;
	const struct side *d = &t->target;
	int equal = s->kind == d->kind && s->key_count == d->key_count;

	if (s->kind == SIDE_NO_KEY && d->kind == SIDE_NO_KEY) {
		PROBLEM(t, "table '%s' has no key", t->name);
		return;
	}
	if (equal && d->kind == SIDE_ROWID)
		return; /* it may have different names on the two sides */
	for (size_t i = 0; equal && i < d->key_count; i++)
		equal = place_key(s, d->keys[i], i);
	if (!equal)
		PROBLEM(t, "table '%s' has another key", t->name);
}

/* A row is written with its key before its values, all in one result. */
static void check_width(struct into_table *t, sqlite3 *db)
{
	int most = sqlite3_limit(db, SQLITE_LIMIT_COLUMN, -1);
	size_t width = t->column_count + t->extra_count;

	if (t->target.kind != SIDE_ALIAS)
		width += t->target.key_count;
	if (width > (size_t)most)
		PROBLEM(t,
			"table '%s' has %zu columns with its key, and SQLite "
			"can replay %d",
			t->name, width, most);
}

char *table_label(const char *name)
{
	struct buffer b = BUFFER_INIT;

	buffer_printf(&b, "table '%s'", name);
	return buffer_detach(&b);
}

int into_table_read(struct into_table *t, sqlite3 *db, const char *name,
		    struct error *err)
{
	memset(t, 0, sizeof *t);
	t->list = -1;
	t->name = strdup(name);
	t->label = table_label(name);
	if (!t->name || !t->label)
		return error_nomem(err);
	if (side_read(&t->staged, db, "staged", name, err) < 0 ||
	    side_read(&t->target, db, "main", name, err) < 0)
		return -1;
	t->columns = calloc(t->staged.column_count + 1, sizeof *t->columns);
	t->extras = calloc(t->target.column_count + 1, sizeof *t->extras);
	if (!t->columns || !t->extras)
		return error_nomem(err);
	if (t->target.kind == SIDE_ABSENT) {
		PROBLEM(t, "no table '%s'", name);
	} else if (t->target.kind == SIDE_OTHER ||
		   t->staged.kind == SIDE_ABSENT ||
		   t->staged.kind == SIDE_OTHER) {
		PROBLEM(t, "'%s' is no ordinary table", name);
	} else {
		compare_columns(t);
		compare_keys(t);
		check_width(t, db);
	}
	return buffer_failed(&t->problems) ? error_nomem(err) : 0;
}

void into_table_release(struct into_table *t)
{
	free(t->name);
	free(t->label);
	side_release(&t->staged);
	side_release(&t->target);
	free(t->columns);
	free(t->extras);
	buffer_release(&t->problems);
	memset(t, 0, sizeof *t);
}
