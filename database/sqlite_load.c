/*
 * sqlite_load.c - rows into a table, exactly as they were
 *
 * SQLite converts a value to its column's affinity on the way in.  The values
 * of a sound table went that way once and so stay as they are; but a table can
 * hold others (its text was edited, it was filled by another version).  Such a
 * value is found before it is bound: then the table has to be built bare.
 *
 * The rows of a plain table that has more than a few are not inserted: their
 * pages are written (sqlite_page_write.h), at a third of the cost.  What INSERT
 * would see to is seen to here: values are checked as for INSERT, rowids and
 * the keys of WITHOUT ROWID tables ascend, and UNIQUE and PRIMARY KEY are
 * enforced when their indexes are filled from the rows.  NOT NULL and the types
 * of a STRICT table are not, and need no bare table then: a row that violates
 * them is kept as it was.  CHECK and foreign keys are off either way, and there
 * are no triggers yet.
 */
#include "base/error.h"
#include "database/sqlite_index_make.h"
#include "database/sqlite_internal.h"
#include "database/sqlite_page_write.h"
#include "snapshot/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One run of database_load(). */
struct loader {
	struct feed feed; /* first: SQLite hands us its address */
	struct row_source *rows;
	struct database *db;
	const struct table *table;
	sqlite3_stmt *insert;
	const struct bare_table *bare; /* or NULL */
	enum affinity *affinities;     /* by value */
	size_t value_count;
	int rowid_value; /* index of the value that is the rowid, or -1 */
	int has_rowid;   /* the rowid is given for itself */
	int failed;      /* 1 or -1: next_row() ended it, with an error */
	struct error *err;
};

/* There are no views yet that PRAGMA table_list would have to compile. */
static int is_strict(sqlite3 *sql, const char *table, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(sql, &st, err, "PRAGMA main.table_list(\"%w\")",
			table) < 0)
		return -1;
	rc = sql_step(st, err);
	if (rc > 0)
		rc = sqlite3_column_int(st, 5);
	sqlite3_finalize(st);
	return rc;
}

static int read_affinities(struct loader *l, struct error *err)
{
	sqlite3 *sql = l->db->sql;
	const char *name = l->table->name;
	int strict = is_strict(sql, name, err), rc;
	sqlite3_stmt *st;
	size_t i = 0;

	if (strict < 0 ||
	    sql_prepare(sql, &st, err, "PRAGMA main.table_xinfo(\"%w\")",
			name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *type = (const char *)sqlite3_column_text(st, 2);

		if (sqlite3_column_int(st, 6) < 2 && i < l->value_count)
			l->affinities[i++] =
				affinity_of(type ? type : "", strict);
	}
	sqlite3_finalize(st);
	if (rc == 0 && i != l->value_count)
		rc = error_set(err, ERROR_FAILED,
			       "table '%.200s' has other columns", name);
	return rc;
}

static char *insert_text(const struct loader *l)
{
	sqlite3_str *text = sqlite3_str_new(l->db->sql);
	const struct table *t = l->table;
	const char *comma = "";
	size_t i;

	/* OR FAIL outranks the ON CONFLICT clauses of constraints, which would
	 * replace a NULL or skip a row without a word; and unlike OR ABORT it
	 * keeps nothing to take back what it did: the file is thrown away */
	sqlite3_str_appendf(text, "INSERT OR FAIL INTO main.\"%w\"(", t->name);
	for (i = 0; i < t->column_count; i++) {
		if (t->columns[i].generated)
			continue;
		sqlite3_str_appendf(text, "%s\"%w\"", comma,
				    t->columns[i].name);
		comma = ",";
	}
	if (l->has_rowid)
		sqlite3_str_appendf(text, ",%s", t->rowid_key);
	sqlite3_str_appendall(text, ")");
	feed_select(text, &l->feed, l->has_rowid);
	return sqlite3_str_finish(text);
}

static int prepare_insert(struct loader *l, struct error *err)
{
	char what[320], *sql;
	int rc, tries = 0;

	if (feed_open(&l->feed, err) < 0)
		return -1;
	sql = insert_text(l);
	if (!sql)
		return error_nomem(err);
	snprintf(what, sizeof(what), "table '%.200s'", l->table->name);
	do {
		rc = sqlite3_prepare_v2(l->db->sql, sql, -1, &l->insert,
					NULL) == SQLITE_OK
			     ? 0
			     : stand_in_after(l->db, l->db->sql, what, &tries,
					      err);
	} while (rc > 0);
	if (rc == 0 && !l->insert)
		rc = sql_error(l->db->sql, err, "cannot load table '%.200s'",
			       l->table->name);
	sqlite3_free(sql);
	return rc;
}

/* The rows that AUTOINCREMENT wrote while other tables were loaded are not
 * the database's. */
static int begin_sequence(struct database *db, const struct table *t,
			  struct error *err)
{
	if (strcmp(t->name, "sqlite_sequence") != 0 ||
	    db->build->sequence_loaded)
		return 0;
	db->build->sequence_loaded = 1;
	return sql_run(db->sql, "DELETE FROM main.sqlite_sequence", err);
}

/* ---- what is not loaded as it is ---- */

static const struct column *value_column(const struct loader *l, size_t value)
{
	const struct column *c = l->table->columns;

	for (;; c++) {
		if (c->generated)
			continue;
		if (!value--)
			return c;
	}
}

/* @return 0, 1 or -1 as loader_row() */
static int check_row(struct loader *l, const struct value *values,
		     struct error *err)
{
	const char *becomes;
	size_t i;

	if (l->rowid_value >= 0 &&
	    values[l->rowid_value].class != VALUE_INTEGER)
		return error_set(err, ERROR_DAMAGE,
				 "table '%.200s': a row's INTEGER PRIMARY KEY "
				 "is no integer",
				 l->table->name);
	if (l->bare && !l->bare->typed)
		return 0;
	for (i = 0; i < l->value_count; i++) {
		if ((int)i == l->rowid_value)
			continue;
		if (affinity_keeps(l->affinities[i], values[i].class))
			continue;
		becomes = affinity_conversion(l->affinities[i], &values[i]);
		if (!becomes)
			continue;
		error_set(
			err, l->bare ? ERROR_STANDIN : ERROR_FAILED,
			"table '%.200s' would turn a value of column '%.200s' "
			"into %s%s",
			l->table->name, value_column(l, i)->name, becomes,
			l->bare ? ", and its generated columns need the types"
				: "");
		return l->bare ? -1 : 1;
	}
	return 0;
}

/* Can the database hold this text? */
static int check_text(const struct loader *l, const struct value *v,
		      struct error *err)
{
	const char *name = l->table->name;

	if (v->class == VALUE_TEXT && !text_is_utf8(v->data, v->size))
		return error_set(err, ERROR_DAMAGE,
				 "table '%.200s': a text for a UTF-16 database "
				 "is no well-formed UTF-8",
				 name);
	if (v->class == VALUE_TEXT)
		return 0;
	if (l->db->encoding == ENCODING_UTF8)
		return error_set(err, ERROR_DAMAGE,
				 "table '%.200s': UTF-16 in a UTF-8 database",
				 name);
	/* SQLite would cut the last byte off.  No SQL makes such a text, only
	 * an edited file has it */
	if (v->size % 2)
		return error_set(err, ERROR_FAILED,
				 "table '%.200s': UTF-16 text with an odd "
				 "number of bytes can't be written",
				 name);
	return 0;
}

static int check_texts(const struct loader *l, struct error *err)
{
	for (size_t i = 0; i < l->value_count; i++)
		if ((l->feed.values[i].class == VALUE_TEXT16 ||
		     (l->feed.values[i].class == VALUE_TEXT &&
		      l->db->encoding != ENCODING_UTF8)) &&
		    check_text(l, &l->feed.values[i], err) < 0)
			return -1;
	return 0;
}

/* ---- rows ---- */

static int next_row(struct feed *f)
{
	struct loader *l = (struct loader *)f;
	int rc = l->rows->next(l->rows, &f->rowid, &f->values, l->err);

	if (rc <= 0) {
		l->failed = rc;
		return rc;
	}
	l->failed = check_row(l, f->values, l->err);
	if (!l->failed)
		l->failed = check_texts(l, l->err);
	return l->failed ? -1 : 1;
}

static void describe_row(char out[320], const struct loader *l)
{
	if (l->table->order == ORDER_ROWID)
		snprintf(out, 320, "table '%.200s', rowid %lld", l->table->name,
			 (long long)l->feed.rowid);
	else
		snprintf(out, 320, "table '%.200s'", l->table->name);
}

/* @return as database_load() */
static int step_failed(struct loader *l, int rc, struct error *err)
{
	char what[320];

	if (l->failed)
		return l->failed;
	describe_row(what, l);
	if (rc != SQLITE_CONSTRAINT && rc != SQLITE_MISMATCH)
		return sql_error(l->db->sql, err, "%s", what);
	error_set(err, ERROR_DAMAGE, "%s is refused: %s", what,
		  sqlite3_errmsg(l->db->sql));
	return l->bare ? -1 : 1;
}

static int insert_rows(struct loader *l, struct error *err)
{
	int rc;

	if (!l->feed.wide) {
		rc = sqlite3_step(l->insert) & 0xff;
		return rc == SQLITE_DONE ? 0 : step_failed(l, rc, err);
	}
	while (l->feed.next(&l->feed) > 0) {
		rc = sqlite3_step(l->insert) & 0xff;
		if (rc != SQLITE_DONE)
			return step_failed(l, rc, err);
		sqlite3_reset(l->insert);
	}
	return l->failed;
}

/* ---- rows into pages ---- */

/* Fewer are not worth a transaction of their own. */
#define PAGE_ROWS_MIN 64

/* A stored generated column is computed by INSERT; what SQLite has tables of
 * its own for, it may keep in memory.  Rows that don't come by their primary
 * key are put in their places by INSERT, into the bare table. */
static int fits_pages(const struct loader *l)
{
	const struct table *t = l->table;

	if ((t->order != ORDER_ROWID && (t->order != ORDER_KEY || l->bare)) ||
	    t->rows < PAGE_ROWS_MIN || l->db->encoding != ENCODING_UTF8 ||
	    !sqlite3_strnicmp(t->name, "sqlite_", 7))
		return 0;
	for (size_t i = 0; i < t->column_count; i++)
		if (t->columns[i].generated == 2)
			return 0;
	return 1;
}

/* It is the last table, or not far from it. */
static int root_page(const struct loader *l, uint32_t *out, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	*out = 0;
	if (sql_prepare(l->db->sql, &st, err,
			"SELECT rootpage FROM main.sqlite_schema "
			"WHERE type = 'table' AND name = '%q' "
			"ORDER BY rowid DESC LIMIT 1",
			l->table->name) < 0)
		return -1;
	rc = sql_step(st, err);
	if (rc > 0)
		*out = (uint32_t)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

static int write_failed(const struct loader *l, int rc, struct error *err)
{
	char what[320];

	describe_row(what, l);
	return sql_file_error(l->db->sql, rc, err, what);
}

/* @return as database_load() */
static int write_row(struct loader *l, struct table_writer *w,
		     struct record_writer *r, struct error *err)
{
	int64_t rowid = l->rowid_value < 0
				? l->feed.rowid
				: l->feed.values[l->rowid_value].integer;
	char what[320];
	int rc;

	if (w->cells && rowid <= w->last) {
		describe_row(what, l);
		error_set(err, ERROR_DAMAGE,
			  "%s is refused: it comes after rowid %lld", what,
			  (long long)w->last);
		return l->bare ? -1 : 1;
	}
	record_writer_set(r, l->feed.values);
	rc = table_writer_add(w, rowid, r);
	return rc == SQLITE_OK ? 0 : write_failed(l, rc, err);
}

/* @return as database_load(); 2: these can't be written like this */
static int write_rows(struct loader *l, uint32_t root, struct error *err)
{
	struct record_writer record;
	struct table_writer w;
	int made = record_writer_init(&record, l->affinities, l->value_count,
				      l->rowid_value),
	    rc;

	rc = table_writer_open(&w, l->db->sql, root);
	if (rc == SQLITE_NOTADB) {
		rc = 2;
		goto done;
	}
	if (rc == SQLITE_OK)
		rc = made;
	if (rc != SQLITE_OK) {
		rc = write_failed(l, rc, err);
		goto done;
	}
	while (rc == 0 && l->feed.next(&l->feed) > 0)
		rc = write_row(l, &w, &record, err);
	if (rc == 0)
		rc = l->failed;
	if (rc == 0) {
		rc = table_writer_end(&w);
		if (rc != SQLITE_OK)
			rc = write_failed(l, rc, err);
	}
done:
	table_writer_release(&w);
	record_writer_release(&record);
	return rc;
}

/* @return as database_load() */
static int write_keyed(struct loader *l, struct key_writer *w,
		       struct error *err)
{
	int rc;

	while (l->feed.next(&l->feed) > 0) {
		rc = key_writer_add(w, l->feed.values);
		if (rc == SQLITE_CONSTRAINT) {
			error_set(err, ERROR_DAMAGE,
				  "rows of table '%.200s' are refused: they do "
				  "not ascend by their primary key",
				  l->table->name);
			return 1;
		}
		if (rc != SQLITE_OK)
			return write_failed(l, rc, err);
	}
	if (l->failed)
		return l->failed;
	rc = key_writer_end(w);
	return rc == SQLITE_OK ? 0 : write_failed(l, rc, err);
}

/* The rows of a table WITHOUT ROWID. @return as write_rows() */
static int write_keys(struct loader *l, uint32_t root, struct error *err)
{
	struct key_writer w;
	int rc = key_writer_plan(&w, l->db->sql, l->table, l->affinities,
				 l->value_count, err);

	if (rc == 0) {
		rc = key_writer_open(&w, l->db->sql, root);
		if (rc == SQLITE_OK)
			rc = write_keyed(l, &w, err);
		else
			rc = rc == SQLITE_NOTADB ? 2 : write_failed(l, rc, err);
	} else if (rc > 0) {
		rc = 2;
	}
	key_writer_release(&w);
	return rc;
}

/* @return as database_load() */
static int reindex(struct loader *l, const char *name, struct error *err)
{
	sqlite3 *sql = l->db->sql;
	char *text = sqlite3_mprintf("REINDEX main.\"%w\"", name);
	int rc;

	if (!text)
		return error_nomem(err);
	rc = sqlite3_exec(sql, text, NULL, NULL, NULL) & 0xff;
	sqlite3_free(text);
	if (rc == SQLITE_OK)
		return 0;
	name = l->table->name;
	if (rc != SQLITE_CONSTRAINT)
		return sql_error(sql, err, "table '%.200s'", name);
	error_set(err, ERROR_DAMAGE, "rows of table '%.200s' are refused: %s",
		  name, sqlite3_errmsg(sql));
	return l->bare ? -1 : 1;
}

/* The file is ours between two transactions: for the rows, and for the indexes
 * of UNIQUE and PRIMARY KEY; there are no others yet.
 * @return as write_rows() */
static int load_pages(struct loader *l, struct error *err)
{
	struct names rest = { NULL, 0, 0 };
	uint32_t root;
	size_t i;
	int rc;

	if (root_page(l, &root, err) < 0 ||
	    sql_run(l->db->sql, "COMMIT", err) < 0)
		return -1;
	rc = l->table->order == ORDER_KEY ? write_keys(l, root, err)
					  : write_rows(l, root, err);
	if (rc == 1 || rc < 0)
		return rc;
	if (rc == 0 && l->table->order == ORDER_ROWID &&
	    index_fill(l->db, l->table, &rest, err) < 0)
		rc = -1;
	if (rc >= 0 && sql_run(l->db->sql, "BEGIN", err) < 0)
		rc = -1;
	for (i = 0; rc == 0 && i < rest.count; i++)
		rc = reindex(l, rest.items[i], err);
	names_release(&rest);
	return rc;
}

static int prepare(struct loader *l, struct error *err)
{
	const struct table *t = l->table;

	l->bare = bare_find(l->db, t->name);
	l->rowid_value = -1;
	l->has_rowid = t->order == ORDER_ROWID && t->rowid_column < 0;
	for (size_t i = 0; i < t->column_count; i++) {
		if (t->columns[i].generated)
			continue;
		if (t->order == ORDER_ROWID && t->rowid_column == (int)i)
			l->rowid_value = (int)l->value_count;
		l->value_count++;
	}
	l->affinities = calloc(l->value_count + 1, sizeof(*l->affinities));
	if (!l->affinities)
		return error_nomem(err);
	l->feed.db = l->db;
	l->feed.next = next_row;
	l->feed.count = l->value_count;
	if (begin_sequence(l->db, t, err) < 0 || read_affinities(l, err) < 0)
		return -1;
	return prepare_insert(l, err);
}

int database_load(struct database *db, const struct table *t,
		  struct row_source *rows, struct error *err)
{
	struct loader l = { .rows = rows, .db = db, .table = t, .err = err };
	int rc = prepare(&l, err);

	if (rc == 0)
		rc = fits_pages(&l) ? load_pages(&l, err) : 2;
	if (rc == 2)
		rc = insert_rows(&l, err);
	sqlite3_finalize(l.insert);
	feed_close(&l.feed);
	free(l.affinities);
	return rc;
}
