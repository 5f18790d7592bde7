/*
 * sqlite_scan.c - the rows of a table, from its own b-tree, in its order
 *
 * Never from an index: an index may be corrupt, or cover the table and serve
 * it in an order of its own.  A table with so many columns that the rowid does
 * not fit into one result is read by several statements that step together.
 *
 * The scans of parts (sqlite_parts.c) go through the same functions.
 */
#include "base/error.h"
#include "database/sqlite_internal.h"
#include "database/sqlite_pages.h"
#include "snapshot/text.h"

#include <stdlib.h>

struct scan {
	struct part_scan *part; /* then nothing else is set */
	struct database *db;
	const struct table *table;
	sqlite3_stmt **statements;
	size_t statement_count;
	size_t value_count;
	size_t width;    /* result columns of a statement but the last */
	int has_rowid;   /* the first result column is the rowid */
	int rowid_value; /* index of the value that is the rowid, or -1 */
	int64_t last;    /* rowid of the last row */
	uint64_t rows;   /* rows handed out */
	struct buffer text;
};

void scan_free(struct scan *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->statement_count; i++)
		sqlite3_finalize(s->statements[i]);
	free(s->statements);
	buffer_release(&s->text);
	part_free(s->part);
	free(s);
}

struct scan *scan_of_part(struct part_scan *part)
{
	struct scan *s = calloc(1, sizeof(*s));

	if (s)
		s->part = part;
	return s;
}

int scan_part(struct scan *s, size_t first, size_t end)
{
	if (!s->part)
		return -1;
	part_range(s->part, first, end);
	return 0;
}

/* Columns by explicit names, the next `limit` of those that are stored. */
static size_t add_columns(sqlite3_str *text, const struct table *t, size_t at,
			  size_t limit, const char *comma)
{
	for (; at < t->column_count && limit; at++) {
		if (t->columns[at].generated)
			continue;
		sqlite3_str_appendf(text, "%s\"%w\"", comma,
				    t->columns[at].name);
		comma = ", ";
		limit--;
	}
	return at;
}

static int prepare(struct scan *s, const struct table_tree *tree, size_t *at,
		   int with_rowid, struct error *err)
{
	const struct table *t = s->table;
	sqlite3_str *text = sqlite3_str_new(s->db->sql);
	size_t limit = s->width;
	char *sql;
	int rc = -1;

	sqlite3_str_appendall(text, "SELECT ");
	if (with_rowid) {
		sqlite3_str_appendall(text, t->rowid_key);
		limit--;
	}
	*at = add_columns(text, t, *at, limit, with_rowid ? ", " : "");
	sqlite3_str_appendf(text, " FROM main.\"%w\" ", t->name);
	if (tree->without_rowid)
		sqlite3_str_appendf(text, "INDEXED BY \"%w\"", tree->key_index);
	else
		sqlite3_str_appendall(text, "NOT INDEXED");
	sql = sqlite3_str_finish(text);
	if (!sql)
		return error_nomem(err);
	if (sqlite3_prepare_v2(s->db->sql, sql, -1,
			       &s->statements[s->statement_count],
			       NULL) != SQLITE_OK) {
		sql_error(s->db->sql, err, "cannot read table '%.200s'",
			  t->name);
	} else {
		s->statement_count++;
		rc = 0;
	}
	sqlite3_free(sql);
	return rc;
}

static int prepare_all(struct scan *s, struct error *err)
{
	size_t columns = s->value_count + (size_t)s->has_rowid, at = 0, i;
	struct table_tree tree;
	int limit, rc = 0;

	limit = sqlite3_limit(s->db->sql, SQLITE_LIMIT_COLUMN, -1);
	s->width = limit > 1 ? (size_t)limit : 1;
	if (s->width == 1 && s->has_rowid)
		return error_set(err, ERROR_FAILED, "no columns allowed");
	columns = (columns + s->width - 1) / s->width;
	s->statements = calloc(columns, sizeof(sqlite3_stmt *));
	if (!s->statements)
		return error_nomem(err);
	if (table_tree_read(s->db->sql, s->table->name, &tree, err) < 0)
		return -1;
	for (i = 0; rc == 0 && i < columns; i++)
		rc = prepare(s, &tree, &at, !i && s->has_rowid, err);
	table_tree_release(&tree);
	return rc;
}

int database_scan(struct database *db, const struct table *t, struct scan **out,
		  struct error *err)
{
	struct scan *s = calloc(1, sizeof(*s));
	size_t i;

	*out = NULL;
	if (!s)
		return error_nomem(err);
	s->db = db;
	s->table = t;
	s->rowid_value = -1;
	s->has_rowid = t->order == ORDER_ROWID && t->rowid_column < 0;
	for (i = 0; i < t->column_count; i++) {
		if (t->columns[i].generated)
			continue;
		if (t->order == ORDER_ROWID && t->rowid_column == (int)i)
			s->rowid_value = (int)s->value_count;
		s->value_count++;
	}
	if (prepare_all(s, err) < 0) {
		scan_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

static int stopped(struct scan *s, const char *why, enum error_code code,
		   struct error *err)
{
	const char *table = s->table->name;

	if (!s->rows)
		return error_set(err, code,
				 "table '%.200s' can't be read from its first "
				 "row on: %s",
				 table, why);
	if (s->table->order == ORDER_ROWID)
		return error_set(err, code,
				 "table '%.200s' can't be read behind rowid "
				 "%lld: %s",
				 table, (long long)s->last, why);
	return error_set(err, code,
			 "table '%.200s' can't be read behind row %llu: %s",
			 table, (unsigned long long)s->rows, why);
}

static int failed(struct scan *s, struct error *err)
{
	sqlite3 *sql = s->db->sql;
	struct error cause = ERROR_INIT;

	/* the code as sql_error() finds it, the words as they read here */
	sql_error(sql, &cause, "scan");
	if (cause.code == ERROR_NOMEM)
		return error_nomem(err);
	return stopped(s, sqlite3_errmsg(sql), cause.code, err);
}

/* @return 1 with a row in all statements, 0 at the end of all, -1 */
static int step(struct scan *s, struct error *err)
{
	size_t i, rows = 0;

	for (i = 0; i < s->statement_count; i++) {
		int rc = sqlite3_step(s->statements[i]);

		if (rc == SQLITE_ROW)
			rows++;
		else if (rc != SQLITE_DONE)
			return failed(s, err);
	}
	if (rows && rows != s->statement_count)
		return stopped(s, "two scans differ", ERROR_DAMAGE, err);
	return rows ? 1 : 0;
}

/* `data` stays NULL where the text was appended to the buffer, whose bytes may
 * still move. */
static void read_text16(struct buffer *out, struct value *v, int big_endian)
{
	size_t before = out->size;

	if (text_from_utf16(out, v->data, v->size, big_endian)) {
		v->class = VALUE_TEXT16;
		return;
	}
	v->data = NULL;
	v->size = out->size - before;
}

int texts_from_utf16(struct buffer *out, struct value *values, size_t count,
		     int big_endian)
{
	size_t i, at = 0;

	buffer_clear(out);
	for (i = 0; i < count; i++)
		if (values[i].class == VALUE_TEXT)
			read_text16(out, &values[i], big_endian);
	if (buffer_failed(out))
		return -1;
	/* now the buffer stands still */
	for (i = 0; i < count; i++) {
		if (values[i].class != VALUE_TEXT)
			continue;
		values[i].data = out->data ? out->data + at : "";
		at += values[i].size;
	}
	return 0;
}

static void read_values(struct scan *s, struct value *values)
{
	size_t statement = 0, column = (size_t)s->has_rowid, i;

	for (i = 0; i < s->value_count; i++, column++) {
		if (column == s->width) {
			statement++;
			column = 0;
		}
		sql_value(s->db, s->statements[statement], (int)column,
			  &values[i]);
	}
}

int scan_next(struct scan *s, int64_t *rowid, struct value *values,
	      struct error *err)
{
	int64_t id = 0;
	int rc;

	if (s->part)
		return part_next(s->part, rowid, values, err);
	rc = step(s, err);
	if (rc <= 0)
		return rc;
	read_values(s, values);
	if (s->db->encoding != ENCODING_UTF8 &&
	    texts_from_utf16(&s->text, values, s->value_count,
			     s->db->encoding == ENCODING_UTF16BE) < 0)
		return error_nomem(err);
	if (s->has_rowid)
		id = sqlite3_column_int64(s->statements[0], 0);
	else if (s->rowid_value >= 0)
		id = values[s->rowid_value].integer;
	/* a damaged tree may give rows twice or out of order */
	if (s->table->order == ORDER_ROWID && s->rows && id <= s->last)
		return stopped(s, "rowids do not ascend", ERROR_DAMAGE, err);
	s->last = id;
	s->rows++;
	*rowid = id;
	return 1;
}
