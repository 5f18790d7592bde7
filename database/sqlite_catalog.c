/*
 * sqlite_catalog.c - what a SQLite database consists of
 *
 * All from sqlite_schema and pragmas that call no virtual table module and
 * compile no view: a broken or hostile view costs nothing here.
 */
#include "base/error.h"
#include "database/sqlite_internal.h"
#include "snapshot/name.h"
#include "snapshot/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void table_tree_release(struct table_tree *t)
{
	free(t->key_index);
	t->key_index = NULL;
}

/* Is there a key, and does it sort by a collation that is not built in?
 *
 * PRAGMA index_xinfo with the name of a table answers for the primary key of
 * a WITHOUT ROWID table and with nothing for any other (since 3.30).  So it
 * tells the two kinds apart without PRAGMA table_list, which compiles every
 * view of the database. */
static int read_key(sqlite3 *sql, const char *name, struct table_tree *out,
		    struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(sql, &st, err, "PRAGMA main.index_xinfo(\"%w\")",
			name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *collation =
			(const char *)sqlite3_column_text(st, 4);

		out->without_rowid = 1;
		if (sqlite3_column_int(st, 5) && collation &&
		    !collation_is_built_in(collation))
			out->strange_order = 1;
	}
	sqlite3_finalize(st);
	return rc;
}

int table_tree_read(sqlite3 *sql, const char *name, struct table_tree *out,
		    struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	memset(out, 0, sizeof(*out));
	if (read_key(sql, name, out, err) < 0 ||
	    sql_prepare(sql, &st, err, "PRAGMA main.index_list(\"%w\")", name) <
		    0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *index = (const char *)sqlite3_column_text(st, 1);
		const char *origin = (const char *)sqlite3_column_text(st, 3);

		if (!index || !origin || strcmp(origin, "pk") != 0)
			continue;
		out->has_key_index = 1;
		if (!out->without_rowid || out->key_index)
			continue;
		out->key_index = strdup(index);
		if (!out->key_index) {
			rc = error_nomem(err);
			break;
		}
	}
	sqlite3_finalize(st);
	if (rc == 0 && out->without_rowid && !out->key_index)
		rc = error_set(err, ERROR_FAILED,
			       "table '%.200s' has a primary key without an "
			       "index",
			       name);
	if (rc < 0)
		table_tree_release(out);
	return rc;
}

int table_column(const struct table *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->column_count; i++)
		if (!strcmp(t->columns[i].name, name))
			return (int)i;
	return -1;
}

int table_value(const struct table *t, int column)
{
	int value = 0, i;

	for (i = 0; i < column; i++)
		value += !t->columns[i].generated;
	return value;
}

/* `*integer_key` receives the only key column if it is declared INTEGER. */
static int read_columns(sqlite3 *sql, struct table *t, int *integer_key,
			struct error *err)
{
	size_t keys = 0;
	sqlite3_stmt *st;
	int rc;

	*integer_key = -1;
	if (sql_prepare(sql, &st, err, "PRAGMA main.table_xinfo(\"%w\")",
			t->name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *name = (const char *)sqlite3_column_text(st, 1);
		const char *type = (const char *)sqlite3_column_text(st, 2);
		struct column *c = table_add_column(t);

		if (!c || !name || !(c->name = strdup(name))) {
			rc = error_nomem(err);
			break;
		}
		/* 2 and 3: generated virtual and stored */
		if (sqlite3_column_int(st, 6) >= 2)
			c->generated = sqlite3_column_int(st, 6) - 1;
		c->key = sqlite3_column_int(st, 5);
		if (c->key && !keys++ && type && !strcasecmp(type, "INTEGER"))
			*integer_key = (int)t->column_count - 1;
		if (!text_is_utf8(name, strlen(name)))
			t->form_array = 1;
	}
	sqlite3_finalize(st);
	if (keys != 1)
		*integer_key = -1;
	if (rc == 0 && !t->column_count)
		rc = error_set(err, ERROR_DAMAGE,
			       "table '%.200s' has no columns", t->name);
	return rc;
}

static int is_column(const struct table *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->column_count; i++)
		if (!sqlite3_stricmp(t->columns[i].name, name))
			return 1;
	return 0;
}

/* INTEGER PRIMARY KEY is the rowid unless SQLite made an index for it, as for
 * the historical INTEGER PRIMARY KEY DESC. */
static int find_rowid(struct table *t, int integer_key, int has_key_index,
		      struct error *err)
{
	static const char *const names[] = { "rowid", "_rowid_", "oid" };
	const char *key = NULL;
	size_t i;

	t->rowid_column = integer_key >= 0 && !has_key_index ? integer_key : -1;
	if (t->rowid_column >= 0)
		key = t->columns[t->rowid_column].name;
	for (i = 0; !key && i < sizeof(names) / sizeof(*names); i++)
		if (!is_column(t, names[i]))
			key = names[i];
	t->order = key ? ORDER_ROWID : ORDER_SCAN;
	if (key && !(t->rowid_key = strdup(key)))
		return error_nomem(err);
	return 0;
}

static int is_internal(const char *name)
{
	static const char *const names[] = { "sqlite_sequence", "sqlite_stat1",
					     "sqlite_stat2", "sqlite_stat3",
					     "sqlite_stat4" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!sqlite3_stricmp(name, names[i]))
			return 1;
	return 0;
}

static int set_names(struct table *t, const char *name, struct error *err)
{
	char folder[NAME_FOLDER_SIZE];

	if (name_folder(folder, name, strlen(name), err) < 0)
		return -1;
	t->name = strdup(name);
	t->folder = strdup(folder);
	return t->name && t->folder ? 0 : error_nomem(err);
}

int table_read(sqlite3 *sql, const char *name, struct table *t,
	       struct error *err)
{
	struct table_tree tree;
	int integer_key, rc = 0;

	if (set_names(t, name, err) < 0 ||
	    table_tree_read(sql, name, &tree, err) < 0)
		return -1;
	t->rowid_column = -1;
	if (read_columns(sql, t, &integer_key, err) < 0) {
		rc = -1;
	} else if (is_internal(name)) {
		t->kind = TABLE_INTERNAL;
		t->order = ORDER_SORTED;
	} else if (tree.without_rowid) {
		t->order = tree.strange_order ? ORDER_SORTED : ORDER_KEY;
	} else {
		rc = find_rowid(t, integer_key, tree.has_key_index, err);
	}
	table_tree_release(&tree);
	return rc;
}

static int add_parent(struct table *t, const char *name)
{
	char **parents;
	size_t i;

	for (i = 0; i < t->parent_count; i++)
		if (!strcmp(t->parents[i], name))
			return 0;
	parents = realloc(t->parents, (t->parent_count + 1) * sizeof(*parents));
	if (!parents)
		return -1;
	t->parents = parents;
	parents[t->parent_count] = strdup(name);
	return parents[t->parent_count++] ? 0 : -1;
}

static int read_parents(sqlite3 *sql, struct table *t, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(sql, &st, err, "PRAGMA main.foreign_key_list(\"%w\")",
			t->name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *name = (const char *)sqlite3_column_text(st, 2);

		if (name && add_parent(t, name) < 0) {
			rc = error_nomem(err);
			break;
		}
	}
	sqlite3_finalize(st);
	return rc;
}

/* ---- schema entries ---- */

static int strange_row(int64_t rowid, const char *why, struct error *err)
{
	return error_set(err, ERROR_DAMAGE,
			 "row %lld of sqlite_schema %s; the schema was edited "
			 "by hand and needs repair",
			 (long long)rowid, why);
}

static int entry_type(const char *word, enum entry_type *out)
{
	static const char *const words[] = { "table", "index", "view",
					     "trigger" };
	int i;

	for (i = 0; i < 4; i++) {
		if (!strcmp(word, words[i])) {
			*out = (enum entry_type)i;
			return 0;
		}
	}
	return -1;
}

/* One row with SQL text: type, name, tbl_name, sql, rootpage. */
static int read_entry(struct database *db, sqlite3_stmt *st, struct entry *e,
		      struct error *err)
{
	int64_t rowid = sqlite3_column_int64(st, 5);
	char *type = NULL;
	size_t size;
	int rc, root;

	rc = sql_text(db, st, 0, &type, &size, err);
	if (rc == 0)
		rc = sql_text(db, st, 1, &e->name, &size, err);
	if (rc == 0)
		rc = sql_text(db, st, 2, &e->table, &size, err);
	if (rc == 0)
		rc = sql_text(db, st, 3, &e->sql, &e->sql_size, err);
	if (rc > 0)
		rc = strange_row(rowid, "holds something else than text", err);
	if (rc == 0 && entry_type(type, &e->type) < 0)
		rc = strange_row(rowid, "is of no known type", err);
	free(type);
	if (rc < 0)
		return -1;
	root = sqlite3_column_int64(st, 4) != 0;
	e->virtual_table = e->type == ENTRY_TABLE &&
			   statement_is_virtual(e->sql);
	if (root != ((e->type == ENTRY_TABLE && !e->virtual_table) ||
		     e->type == ENTRY_INDEX))
		return strange_row(rowid, "has a root page that does not fit",
				   err);
	return 0;
}

static int read_entries(struct database *db, struct catalog *c,
			struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(db->sql, &st, err,
			"SELECT type, name, tbl_name, sql, rootpage, rowid "
			"FROM main.sqlite_schema") < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		struct entry *e;

		/* the index of a UNIQUE or PRIMARY KEY comes with its table */
		if (sqlite3_column_type(st, 3) == SQLITE_NULL)
			continue;
		e = catalog_add_entry(c);
		if (!e)
			rc = error_nomem(err);
		else
			rc = read_entry(db, st, e, err);
		if (rc < 0)
			break;
	}
	sqlite3_finalize(st);
	return rc;
}

/* ---- shadow tables ---- */

static int has_suffix(const char *const *suffixes, const char *suffix)
{
	for (; *suffixes; suffixes++)
		if (!sqlite3_stricmp(*suffixes, suffix))
			return 1;
	return 0;
}

/* A fixed list, so that the answer is the same whatever modules the library
 * at hand was built with. */
static int is_shadow_suffix(const char *module, const char *suffix)
{
	static const char *const fts5[] = { "data",    "idx",    "content",
					    "docsize", "config", NULL };
	static const char *const fts3[] = { "content", "segments", "segdir",
					    "docsize", "stat",     NULL };
	static const char *const rtree[] = { "node", "parent", "rowid", NULL };
	static const struct {
		const char *module;
		const char *const *suffixes;
	} modules[] = {
		{ "fts5", fts5 },       { "fts4", fts3 },
		{ "fts3", fts3 },       { "rtree", rtree },
		{ "rtree_i32", rtree }, { "geopoly", rtree },
	};
	size_t i;

	for (i = 0; i < sizeof(modules) / sizeof(*modules); i++)
		if (!sqlite3_stricmp(modules[i].module, module))
			return has_suffix(modules[i].suffixes, suffix);
	return 0;
}

/* As SQLite: what stands before the last '_' names a virtual table, and its
 * module knows what stands behind. */
static int is_shadow(const char *table, char **virtuals, char **modules,
		     size_t count)
{
	const char *tail = strrchr(table, '_');
	size_t i, head;

	if (!tail)
		return 0;
	head = (size_t)(tail - table);
	for (i = 0; i < count; i++)
		if (strlen(virtuals[i]) == head &&
		    !sqlite3_strnicmp(virtuals[i], table, (int)head))
			return is_shadow_suffix(modules[i], tail + 1);
	return 0;
}

static int mark_shadows(struct catalog *c, struct error *err)
{
	char **virtuals = calloc(c->entry_count + 1, sizeof(*virtuals));
	char **modules = calloc(c->entry_count + 1, sizeof(*modules));
	size_t i, count = 0;
	int rc = -1;

	if (!virtuals || !modules) {
		error_nomem(err);
		goto done;
	}
	for (i = 0; i < c->entry_count; i++) {
		if (!c->entries[i].virtual_table)
			continue;
		modules[count] = statement_module(c->entries[i].sql);
		if (modules[count])
			virtuals[count++] = c->entries[i].name;
	}
	for (i = 0; i < c->table_count; i++)
		if (c->tables[i].kind == TABLE_ORDINARY &&
		    is_shadow(c->tables[i].name, virtuals, modules, count))
			c->tables[i].kind = TABLE_SHADOW;
	rc = 0;
done:
	for (i = 0; i < count; i++)
		free(modules[i]);
	free(modules);
	free(virtuals);
	return rc;
}

/* ---- the rest ---- */

static int read_tables(struct database *db, struct catalog *c,
		       struct error *err)
{
	size_t i;

	for (i = 0; i < c->entry_count; i++) {
		const struct entry *e = &c->entries[i];
		struct table *t;

		if (e->type != ENTRY_TABLE || e->virtual_table)
			continue;
		t = catalog_add_table(c);
		if (!t)
			return error_nomem(err);
		if (table_read(db->sql, e->name, t, err) < 0 ||
		    read_parents(db->sql, t, err) < 0)
			return -1;
	}
	return mark_shadows(c, err);
}

static int read_settings(struct database *db, struct catalog *c,
			 struct error *err)
{
	static const char *const pragmas[] = { "PRAGMA main.user_version",
					       "PRAGMA main.application_id",
					       "PRAGMA main.page_size",
					       "PRAGMA main.auto_vacuum" };
	int32_t *const values[] = { &c->user_version, &c->application_id,
				    &c->page_size, &c->auto_vacuum };
	sqlite3_stmt *st;
	int64_t value;
	int i, rc;

	for (i = 0; i < 4; i++) {
		if (sql_integer(db->sql, pragmas[i], &value, err) < 0)
			return -1;
		*values[i] = (int32_t)value;
	}
	if (sql_prepare(db->sql, &st, err, "PRAGMA main.journal_mode") < 0)
		return -1;
	rc = sql_step(st, err);
	if (rc > 0) {
		const char *mode = (const char *)sqlite3_column_text(st, 0);

		c->wal = mode && !strcasecmp(mode, "wal");
	}
	sqlite3_finalize(st);
	c->encoding = db->encoding;
	c->engine = strdup("sqlite");
	if (!c->engine)
		return error_nomem(err);
	return rc < 0 ? -1 : 0;
}

/* ---- the application's schema revision ---- */

#define REVISION_MAX 200

/* Append a text of a row; @return 0, or 1 when it is none that can stand in
 * a line. */
static int add_text(struct database *db, sqlite3_stmt *st, int column,
		    struct buffer *out)
{
	char *text;
	size_t i, size;
	int bad;

	if (sql_text(db, st, column, &text, &size, NULL) != 0)
		return 1;
	bad = !size || size > REVISION_MAX || !text_is_utf8(text, size);
	for (i = 0; !bad && i < size; i++)
		bad = (unsigned char)text[i] < ' ' || text[i] == 0x7f;
	if (!bad)
		buffer_add(out, text, size);
	free(text);
	return bad;
}

static int has_columns(const struct catalog *c, const char *table,
		       const char *a, const char *b)
{
	const struct table *t = catalog_table(c, table);

	return t && t->order == ORDER_ROWID && table_column(t, a) >= 0 &&
	       (!b || table_column(t, b) >= 0);
}

/* A failure here is left to the scan of that table to find. */
static void read_revision(struct database *db, const struct catalog *c,
			  struct buffer *out)
{
	sqlite3_stmt *st = NULL;
	int django = 0, rc = 1;

	if (has_columns(c, "alembic_version", "version_num", NULL)) {
		/* one row a head: usually one */
		rc = sql_prepare(db->sql, &st, NULL,
				 "SELECT version_num FROM main.alembic_version "
				 "NOT INDEXED ORDER BY rowid DESC LIMIT 1");
	} else if (has_columns(c, "django_migrations", "app", "name")) {
		django = 1;
		rc = sql_prepare(db->sql, &st, NULL,
				 "SELECT app, name FROM main.django_migrations "
				 "NOT INDEXED ORDER BY rowid DESC LIMIT 1");
	}
	if (rc == 0 && sql_step(st, NULL) > 0) {
		rc = add_text(db, st, 0, out);
		if (!rc && django) {
			buffer_byte(out, '.');
			rc = add_text(db, st, 1, out);
		}
	}
	if (rc)
		buffer_clear(out);
	if (!out->size && c->user_version)
		buffer_printf(out, "user_version %ld", (long)c->user_version);
	sqlite3_finalize(st);
}

static int set_revision(struct database *db, struct catalog *c,
			struct error *err)
{
	struct buffer text = BUFFER_INIT;

	read_revision(db, c, &text);
	if (!text.size && !buffer_failed(&text))
		return 0;
	c->schema_revision = buffer_detach(&text);
	return c->schema_revision ? 0 : error_nomem(err);
}

int database_catalog(struct database *db, struct catalog **out,
		     struct error *err)
{
	struct catalog *c = catalog_new();

	*out = NULL;
	if (!c)
		return error_nomem(err);
	if (read_settings(db, c, err) < 0 || read_entries(db, c, err) < 0 ||
	    read_tables(db, c, err) < 0 || set_revision(db, c, err) < 0 ||
	    catalog_arrange(c, err) < 0) {
		catalog_free(c);
		return -1;
	}
	*out = c;
	return 0;
}
