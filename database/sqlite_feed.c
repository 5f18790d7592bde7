/*
 * sqlite_feed.c - rows that SQLite takes from us
 *
 * INSERT ... SELECT from a table that is no table: one statement loads all
 * rows.  SQLite then keeps its place at the end of the b-tree, where a
 * statement a row would look for it every time: half the work.
 *
 * The name is one that no table of the database has, and only statements of
 * ours may use it: whatever the schema says, it can't reach the rows.
 */
#include "base/error.h"
#include "database/sqlite_internal.h"
#include "snapshot/text.h"

#include <limits.h>
#include <stdlib.h>

struct feed_table {
	sqlite3_vtab base; /* first: SQLite hands us its address */
	struct feed *feed;
};

struct feed_cursor {
	sqlite3_vtab_cursor base; /* first */
	struct feed *feed;
	int ended;
};

/* ---- one value ---- */

static void give_text16(const struct feed *f, sqlite3_context *c,
			const char *data, size_t size)
{
	int big = f->db->encoding == ENCODING_UTF16BE;
	struct buffer text = BUFFER_INIT;

	if (sql_mark_text16(&text, f->db, data, size) < 0)
		sqlite3_result_error_nomem(c);
	else
		sqlite3_result_text64(c, text.data, text.size, SQLITE_TRANSIENT,
				      big ? SQLITE_UTF16BE : SQLITE_UTF16LE);
	buffer_release(&text);
}

static void give_text(const struct feed *f, sqlite3_context *c,
		      const struct value *v)
{
	struct buffer text = BUFFER_INIT;

	if (f->db->encoding == ENCODING_UTF8) {
		sqlite3_result_text64(c, v->size ? v->data : "", v->size,
				      SQLITE_STATIC, SQLITE_UTF8);
		return;
	}
	text_to_utf16(&text, v->data, v->size,
		      f->db->encoding == ENCODING_UTF16BE);
	if (buffer_failed(&text))
		sqlite3_result_error_nomem(c);
	else
		give_text16(f, c, text.data, text.size);
	buffer_release(&text);
}

/* What is given is not copied: it lasts until the next row is asked for. */
static void give(const struct feed *f, sqlite3_context *c, size_t i)
{
	const struct value *v = &f->values[i];

	switch (v->class) {
	case VALUE_NULL:
		sqlite3_result_null(c);
		break;
	case VALUE_INTEGER:
		sqlite3_result_int64(c, v->integer);
		break;
	case VALUE_REAL:
		sqlite3_result_double(c, v->real);
		break;
	case VALUE_TEXT:
		give_text(f, c, v);
		break;
	case VALUE_TEXT16:
		give_text16(f, c, v->data, v->size);
		break;
	case VALUE_BLOB:
		/* a NULL pointer would be NULL */
		sqlite3_result_blob64(c, v->size ? v->data : "", v->size,
				      SQLITE_STATIC);
		break;
	}
}

/* ---- the table ---- */

static int feed_connect(sqlite3 *sql, void *payload, int count,
			const char *const *words, sqlite3_vtab **out,
			char **message)
{
	sqlite3_str *text = sqlite3_str_new(sql);
	struct feed_table *t;
	char *declaration;
	size_t i;
	int rc;

	(void)count;
	(void)words;
	(void)message;
	t = sqlite3_malloc(sizeof(*t));
	sqlite3_str_appendall(text, "CREATE TABLE x(");
	for (i = 0; t && i < ((struct feed *)payload)->count; i++)
		sqlite3_str_appendf(text, "%sc%d", i ? "," : "", (int)i);
	sqlite3_str_appendall(text, ")");
	declaration = sqlite3_str_finish(text);
	rc = !t || !declaration ? SQLITE_NOMEM
				: sqlite3_declare_vtab(sql, declaration);
	if (rc == SQLITE_OK)
		rc = sqlite3_vtab_config(sql, SQLITE_VTAB_DIRECTONLY);
	sqlite3_free(declaration);
	if (rc != SQLITE_OK) {
		sqlite3_free(t);
		return rc;
	}
	memset(t, 0, sizeof(*t));
	t->feed = payload;
	*out = &t->base;
	return SQLITE_OK;
}

static int feed_disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

static int feed_plan(sqlite3_vtab *table, sqlite3_index_info *info)
{
	(void)table;
	(void)info; /* there is one way: from the first to the last */
	return SQLITE_OK;
}

static int feed_begin(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
	struct feed_cursor *c = sqlite3_malloc(sizeof(*c));

	if (!c)
		return SQLITE_NOMEM;
	memset(c, 0, sizeof(*c));
	c->feed = ((struct feed_table *)table)->feed;
	*out = &c->base;
	return SQLITE_OK;
}

static int feed_end(sqlite3_vtab_cursor *cursor)
{
	sqlite3_free(cursor);
	return SQLITE_OK;
}

static int feed_next(sqlite3_vtab_cursor *cursor)
{
	struct feed_cursor *c = (struct feed_cursor *)cursor;
	int rc = c->feed->next(c->feed);

	c->ended = rc == 0;
	return rc < 0 ? SQLITE_ABORT : SQLITE_OK;
}

static int feed_filter(sqlite3_vtab_cursor *cursor, int plan, const char *text,
		       int count, sqlite3_value **values)
{
	(void)plan;
	(void)text;
	(void)count;
	(void)values;
	return feed_next(cursor);
}

static int feed_ended(sqlite3_vtab_cursor *cursor)
{
	return ((struct feed_cursor *)cursor)->ended;
}

static int feed_column(sqlite3_vtab_cursor *cursor, sqlite3_context *c,
		       int column)
{
	give(((struct feed_cursor *)cursor)->feed, c, (size_t)column);
	return SQLITE_OK;
}

static int feed_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out)
{
	*out = ((struct feed_cursor *)cursor)->feed->rowid;
	return SQLITE_OK;
}

/* Without xCreate it is there without CREATE VIRTUAL TABLE, and only so. */
static const sqlite3_module module = {
	.xConnect = feed_connect,
	.xBestIndex = feed_plan,
	.xDisconnect = feed_disconnect,
	.xOpen = feed_begin,
	.xClose = feed_end,
	.xFilter = feed_filter,
	.xNext = feed_next,
	.xEof = feed_ended,
	.xColumn = feed_column,
	.xRowid = feed_rowid,
};

/* With the rowid a table of 2,000 columns has more than a SELECT may give, but
 * not more than a row of VALUES: those are functions, told their place. */
static void feed_value(sqlite3_context *c, int count, sqlite3_value **places)
{
	const struct feed *f = sqlite3_user_data(c);
	size_t place = (size_t)sqlite3_value_int(places[0]);

	(void)count;
	if (place < f->count)
		give(f, c, place);
	else
		sqlite3_result_int64(c, f->rowid);
}

/* A name that no table has. */
static char *free_name(const struct catalog *c)
{
	char *name = sqlite3_mprintf("dbstow_feed");
	size_t i = 0;

	while (name && i < c->entry_count) {
		if (sqlite3_stricmp(c->entries[i].name, name) != 0) {
			i++;
			continue;
		}
		name = sqlite3_mprintf("%z_", name);
		i = 0;
	}
	return name;
}

int feed_open(struct feed *f, struct error *err)
{
	sqlite3 *sql = f->db->sql;
	int rc;

	f->name = free_name(f->db->build->catalog);
	if (!f->name)
		return error_nomem(err);
	f->wide = f->count + 1 >
		  (size_t)sqlite3_limit(sql, SQLITE_LIMIT_COLUMN, -1);
	if (f->wide)
		rc = sqlite3_create_function_v2(
			sql, f->name, 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, f,
			feed_value, NULL, NULL, NULL);
	else
		rc = sqlite3_create_module_v2(sql, f->name, &module, f, NULL);
	if (rc != SQLITE_OK)
		return sql_error(sql, err, "cannot load rows");
	return 0;
}

void feed_close(struct feed *f)
{
	if (f->name && f->wide)
		sqlite3_create_function_v2(f->db->sql, f->name, 1, SQLITE_UTF8,
					   NULL, NULL, NULL, NULL, NULL);
	else if (f->name)
		sqlite3_create_module_v2(f->db->sql, f->name, NULL, NULL, NULL);
	sqlite3_free(f->name);
	f->name = NULL;
}

void feed_select(sqlite3_str *text, const struct feed *f, int with_rowid)
{
	size_t count = f->count + (with_rowid ? 1 : 0), i;

	sqlite3_str_appendall(text, f->wide ? "VALUES(" : "SELECT ");
	for (i = 0; i < count; i++) {
		const char *comma = i ? "," : "";

		if (f->wide)
			sqlite3_str_appendf(text, "%s%s(%d)", comma, f->name,
					    (int)i);
		else if (i < f->count)
			sqlite3_str_appendf(text, "%sc%d", comma, (int)i);
		else
			sqlite3_str_appendf(text, "%srowid", comma);
	}
	if (f->wide)
		sqlite3_str_appendall(text, ")");
	else
		sqlite3_str_appendf(text, " FROM %s", f->name);
}
