/*
 * into_rows.c - make the rows of a table those of the snapshot
 *
 * Values are copied by SQLite from one database to the other and never pass
 * through our hands.  Keys of the rows to write are listed first; each row is
 * then a statement of its own, so that what refuses it can be named.
 */
#include "restore/into_internal.h"
#include "restore/restore.h"
#include "restore/restore_internal.h"
#include "snapshot/catalog.h"

/* ---- telling what was refused ---- */

static const struct staged_name *name_of(const struct into *in,
					 const struct into_table *t)
{
	const struct catalog *c = in->records ? in->records->catalog : NULL;

	for (size_t i = 0; c && i < c->table_count; i++)
		if (!sqlite3_stricmp(c->tables[i].name, t->name))
			return &in->records->names[i];
	return NULL;
}

/* @param key  the row's */
static void refused(const struct into_table *t, const struct staged_name *name,
		    const char *key, const char *why, struct error *err)
{
	if (name)
		error_set(err, ERROR_FAILED,
			  "model '%.200s', pk %.200s%s%.200s%s: the target "
			  "refuses it: %s; nothing was changed",
			  name->model, key, name->field ? ", field '" : "",
			  name->field ? name->field : "",
			  name->field ? "'" : "", why);
	else
		error_set(err, ERROR_FAILED,
			  "the target refuses row %.200s of table '%s': %s; "
			  "nothing was changed",
			  key, t->name, why);
}

static int row_failed(struct into *in, const struct into_table *t, int list,
		      int64_t n, struct error *err)
{
	const struct staged_name *name = name_of(in, t);
	sqlite3_str *sql;
	sqlite3_stmt *stmt = NULL;
	char why[1024];
	int code = sqlite3_errcode(in->db);

	if ((code & 0xff) != SQLITE_CONSTRAINT &&
	    (code & 0xff) != SQLITE_MISMATCH)
		return target_failed(in->db, err, "cannot write table '%s'",
				     t->name);
	/* the next statement forgets it */
	snprintf(why, sizeof why, "%s", sqlite3_errmsg(in->db));
	sql = sqlite3_str_new(in->db);
	sqlite3_str_appendall(sql, "SELECT ");
	if (name)
		sqlite3_str_appendf(sql, "ifnull(s.\"%w\", '?')", name->key);
	else
		add_key_text(sql, "s", &t->staged);
	sqlite3_str_appendf(sql, " FROM staged.\"%w\" AS s WHERE ", t->name);
	add_key_listed(sql, "s", &t->staged, list);
	if (target_prepare(in->db, &stmt, sqlite3_str_finish(sql), err,
			   "cannot name the row") < 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, n);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		refused(t, name, (const char *)sqlite3_column_text(stmt, 0),
			why, err);
	else
		target_failed(in->db, err, "cannot write table '%s'", t->name);
	sqlite3_finalize(stmt);
	return -1;
}

/* ---- lists ---- */

/* Fill a new list from the statement's tail; @return rows in `count`. */
static int fill_list(struct into *in, const struct into_table *t, int *list,
		     sqlite3_str *tail, uint64_t *count, struct error *err)
{
	char *text = sqlite3_str_finish(tail);
	sqlite3_str *sql;
	int rc = -1;

	if (!text)
		return error_nomem(err);
	if (list_create(in, t->target.key_count, list, err) < 0)
		goto done;
	sql = sqlite3_str_new(in->db);
	sqlite3_str_appendf(sql, "INSERT INTO temp.dbstow_list_%d(", *list);
	add_list_keys(sql, "", t->target.key_count);
	sqlite3_str_appendall(sql, ") SELECT ");
	add_columns(sql, "s", t->staged.keys, t->staged.key_count);
	sqlite3_str_appendf(sql, " FROM staged.\"%w\" AS s %s", t->name, text);
	rc = target_run(in->db, sqlite3_str_finish(sql), err, t->label);
	*count = (uint64_t)sqlite3_changes64(in->db);
done:
	sqlite3_free(text);
	return rc;
}

static int list_changed(struct into *in, struct into_table *t, int *list,
			struct error *err)
{
	sqlite3_str *sql = sqlite3_str_new(in->db);

	sqlite3_str_appendf(sql, "CROSS JOIN main.\"%w\" AS t WHERE ", t->name);
	add_key_match(sql, t);
	sqlite3_str_appendall(sql, " AND NOT ");
	add_same(sql, t);
	return fill_list(in, t, list, sql, &t->updated, err);
}

static int list_missing(struct into *in, struct into_table *t, int *list,
			struct error *err)
{
	sqlite3_str *sql = sqlite3_str_new(in->db);

	sqlite3_str_appendf(sql,
			    "WHERE NOT EXISTS (SELECT 1 FROM main.\"%w\" AS t "
			    "WHERE ",
			    t->name);
	add_key_match(sql, t);
	sqlite3_str_appendchar(sql, 1, ')');
	return fill_list(in, t, list, sql, &t->inserted, err);
}

/* Some row has the key, or a value that must be unique. */
static int is_conflict(int rc)
{
	return rc == SQLITE_CONSTRAINT_UNIQUE ||
	       rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
	       rc == SQLITE_CONSTRAINT_ROWID;
}

/*
 * Run a statement for the rows 1 to `count` of a list.
 *
 * @param conflict  NULL: a conflict is a failure like any other; else set to 1
 *                  when one ended the run
 */
static int each_row(struct into *in, const struct into_table *t, int list,
		    uint64_t count, char *sql, int *conflict, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	if (target_prepare(in->db, &stmt, sql, err, t->label) < 0)
		return -1;
	for (int64_t n = 1; n <= (int64_t)count; n++) {
		sqlite3_bind_int64(stmt, 1, n);
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
			;
		if (rc == SQLITE_DONE) {
			rc = sqlite3_reset(stmt);
			continue;
		}
		if (conflict && is_conflict(rc)) {
			*conflict = 1;
			rc = 0;
		} else {
			rc = row_failed(in, t, list, n, err);
		}
		break;
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- statements ---- */

int into_delete(struct into *in, struct into_table *t, struct error *err)
{
	sqlite3_str *sql = sqlite3_str_new(in->db);

	sqlite3_str_appendf(sql,
			    "DELETE FROM main.\"%w\" AS t WHERE NOT EXISTS "
			    "(SELECT 1 FROM staged.\"%w\" AS s WHERE ",
			    t->name, t->name);
	add_key_match(sql, t);
	sqlite3_str_appendchar(sql, 1, ')');
	if (target_run(in->db, sqlite3_str_finish(sql), err, t->label) < 0)
		return -1;
	t->deleted = (uint64_t)sqlite3_changes64(in->db);
	return 0;
}

/* OR ABORT: what the target's constraints say of conflicts (REPLACE, IGNORE)
 * must not take other rows with it. */
static char *insert_text(struct into *in, const struct into_table *t, int list,
			 int with_rowid)
{
	sqlite3_str *sql = sqlite3_str_new(in->db);
	int rowid = with_rowid && t->target.kind == SIDE_ROWID;

	sqlite3_str_appendf(sql, "INSERT OR ABORT INTO main.\"%w\"(", t->name);
	if (rowid)
		sqlite3_str_appendf(sql, "\"%w\", ", t->target.keys[0]);
	add_names(sql, t->columns, t->column_count);
	sqlite3_str_appendall(sql, ") SELECT ");
	if (rowid)
		sqlite3_str_appendf(sql, "s.\"%w\", ", t->staged.keys[0]);
	add_columns(sql, "s", t->columns, t->column_count);
	sqlite3_str_appendf(sql, " FROM staged.\"%w\" AS s WHERE ", t->name);
	add_key_listed(sql, "s", &t->staged, list);
	return sqlite3_str_finish(sql);
}

static char *update_text(struct into *in, const struct into_table *t, int list)
{
	sqlite3_str *sql = sqlite3_str_new(in->db);
	const char *comma = "";

	sqlite3_str_appendf(sql, "UPDATE OR ABORT main.\"%w\" AS t SET ",
			    t->name);
	for (size_t i = 0; i < t->column_count; i++) {
		/* the rowid is the same; to set it would be a new row */
		if (t->target.kind == SIDE_ALIAS &&
		    !sqlite3_stricmp(t->columns[i], t->target.keys[0]))
			continue;
		sqlite3_str_appendf(sql, "%s\"%w\" = s.\"%w\"", comma,
				    t->columns[i], t->columns[i]);
		comma = ", ";
	}
	sqlite3_str_appendf(sql, " FROM staged.\"%w\" AS s WHERE ", t->name);
	add_key_listed(sql, "s", &t->staged, list);
	sqlite3_str_appendall(sql, " AND ");
	add_key_match(sql, t);
	return sqlite3_str_finish(sql);
}

/* ---- rows that swap what is unique ---- */

/* e0, e1 ... stand for the columns that only the target has. */
static void add_kept(sqlite3_str *sql, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sqlite3_str_appendf(sql, ", e%d", (int)i);
}

static int keep_extras(struct into *in, const struct into_table *t, int list,
		       struct error *err)
{
	sqlite3_str *sql = sqlite3_str_new(in->db);

	sqlite3_str_appendall(sql, "CREATE TEMP TABLE dbstow_kept("
				   "n INTEGER PRIMARY KEY");
	add_kept(sql, t->extra_count);
	sqlite3_str_appendchar(sql, 1, ')');
	if (target_run(in->db, sqlite3_str_finish(sql), err, t->label) < 0)
		return -1;
	sql = sqlite3_str_new(in->db);
	sqlite3_str_appendall(sql, "INSERT INTO temp.dbstow_kept SELECT w.n");
	if (t->extra_count)
		sqlite3_str_appendall(sql, ", ");
	add_columns(sql, "t", t->extras, t->extra_count);
	sqlite3_str_appendf(sql,
			    " FROM temp.dbstow_list_%d AS w CROSS JOIN "
			    "main.\"%w\" AS t WHERE ",
			    list, t->name);
	add_key_in_list(sql, "t", &t->target);
	return target_run(in->db, sqlite3_str_finish(sql), err, t->label);
}

static char *delete_listed_text(struct into *in, const struct into_table *t,
				int list)
{
	sqlite3_str *sql = sqlite3_str_new(in->db);

	sqlite3_str_appendf(sql, "DELETE FROM main.\"%w\" AS t WHERE ",
			    t->name);
	add_key_listed(sql, "t", &t->target, list);
	return sqlite3_str_finish(sql);
}

static char *insert_kept_text(struct into *in, const struct into_table *t,
			      int list)
{
	sqlite3_str *sql = sqlite3_str_new(in->db);
	int rowid = t->target.kind == SIDE_ROWID;

	sqlite3_str_appendf(sql, "INSERT OR ABORT INTO main.\"%w\"(", t->name);
	if (rowid)
		sqlite3_str_appendf(sql, "\"%w\", ", t->target.keys[0]);
	add_names(sql, t->columns, t->column_count);
	if (t->extra_count)
		sqlite3_str_appendall(sql, ", ");
	add_names(sql, t->extras, t->extra_count);
	sqlite3_str_appendall(sql, ") SELECT ");
	if (rowid)
		sqlite3_str_appendf(sql, "s.\"%w\", ", t->staged.keys[0]);
	add_columns(sql, "s", t->columns, t->column_count);
	add_kept(sql, t->extra_count);
	sqlite3_str_appendf(sql,
			    " FROM staged.\"%w\" AS s, temp.dbstow_kept AS e "
			    "WHERE e.n = ?1 AND ",
			    t->name);
	add_key_listed(sql, "s", &t->staged, list);
	return sqlite3_str_finish(sql);
}

/*
 * Two rows that exchange a unique value can't be updated one after the other.
 * So all changed rows of the table go out, and come in again with the values
 * that only the target has.
 */
static int swap_rows(struct into *in, const struct into_table *t, int list,
		     struct error *err)
{
	if (keep_extras(in, t, list, err) < 0 ||
	    each_row(in, t, list, t->updated, delete_listed_text(in, t, list),
		     NULL, err) < 0 ||
	    each_row(in, t, list, t->updated, insert_kept_text(in, t, list),
		     NULL, err) < 0)
		return -1;
	return target_run(in->db,
			  sqlite3_mprintf("DROP TABLE temp.dbstow_kept"), err,
			  t->label);
}

static int update_rows(struct into *in, const struct into_table *t, int list,
		       struct error *err)
{
	int conflict = 0;

	if (target_exec(in->db, err, "SAVEPOINT dbstow_update") < 0 ||
	    each_row(in, t, list, t->updated, update_text(in, t, list),
		     &conflict, err) < 0)
		return -1;
	if (!conflict)
		return target_exec(in->db, err, "RELEASE dbstow_update");
	if (target_exec(in->db, err,
			"ROLLBACK TO dbstow_update; RELEASE dbstow_update") < 0)
		return -1;
	return swap_rows(in, t, list, err);
}

int into_write(struct into *in, struct into_table *t, struct error *err)
{
	int list;

	/* updates first: a value that a new row needs may still be taken */
	if (list_changed(in, t, &list, err) < 0)
		return -1;
	if (t->updated && update_rows(in, t, list, err) < 0)
		return -1;
	if (list_drop(in, list, err) < 0 || list_missing(in, t, &list, err) < 0)
		return -1;
	if (each_row(in, t, list, t->inserted, insert_text(in, t, list, 1),
		     NULL, err) < 0)
		return -1;
	return list_drop(in, list, err);
}

/* ---- parents ---- */

/* Note under which rowid a listed row stands now. */
static int note_place(struct into *in, int list, int64_t n, struct error *err)
{
	return target_run(in->db,
			  sqlite3_mprintf("UPDATE temp.dbstow_list_%d SET at = "
					  "last_insert_rowid() WHERE n = %lld",
					  list, (long long)n),
			  err, "cannot list rows");
}

/* A rowid that is no column is nobody's key: where it is taken, the parent
 * gets another. */
static int insert_elsewhere(struct into *in, const struct into_table *t,
			    int64_t n, sqlite3_stmt *stmt, struct error *err)
{
	int rc;

	sqlite3_bind_int64(stmt, 1, n);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		;
	if (rc != SQLITE_DONE)
		return row_failed(in, t, t->list, n, err);
	sqlite3_reset(stmt);
	return note_place(in, t->list, n, err);
}

int into_insert_listed(struct into *in, struct into_table *t, struct error *err)
{
	sqlite3_stmt *stmt = NULL, *elsewhere = NULL;
	int rc = -1;

	if (target_prepare(in->db, &stmt, insert_text(in, t, t->list, 1), err,
			   t->label) < 0 ||
	    target_prepare(in->db, &elsewhere, insert_text(in, t, t->list, 0),
			   err, t->label) < 0)
		goto done;
	for (int64_t n = 1; n <= t->listed; n++) {
		sqlite3_bind_int64(stmt, 1, n);
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
			;
		if (rc == SQLITE_CONSTRAINT_ROWID &&
		    t->target.kind == SIDE_ROWID)
			rc = insert_elsewhere(in, t, n, elsewhere, err);
		else if (rc != SQLITE_DONE)
			rc = row_failed(in, t, t->list, n, err);
		else
			rc = 0;
		if (rc < 0)
			goto done;
		sqlite3_reset(stmt);
		t->inserted++;
	}
	rc = 0;
done:
	sqlite3_finalize(stmt);
	sqlite3_finalize(elsewhere);
	return rc;
}

/* ---- proof ---- */

static int same_count(struct into *in, const struct into_table *t,
		      struct error *err)
{
	int64_t same = 0;
	char *sql = sqlite3_mprintf("SELECT (SELECT count(*) FROM "
				    "main.\"%w\") = (SELECT count(*) FROM "
				    "staged.\"%w\")",
				    t->name, t->name);
	int rc = sql ? target_number(in->db, &same, sql, err)
		     : error_nomem(err);

	sqlite3_free(sql);
	if (rc < 0 || same)
		return rc;
	return error_set(err, ERROR_FAILED,
			 "table '%s' does not hold as many rows as the "
			 "snapshot after all; nothing was changed%s",
			 t->name, in->triggers ? "; leave out --triggers" : "");
}

/* Key and first column of a row that is not as in the snapshot. */
static char *difference_text(struct into *in, const struct into_table *t)
{
	sqlite3_str *sql = sqlite3_str_new(in->db);

	sqlite3_str_appendall(sql, "SELECT ");
	add_key_text(sql, "s", &t->staged);
	sqlite3_str_appendf(sql, ", CASE WHEN t.\"%w\" IS NULL THEN NULL",
			    t->target.keys[0]);
	for (size_t i = 0; i < t->column_count; i++)
		sqlite3_str_appendf(sql,
				    " WHEN NOT dbstow_same(s.\"%w\", t.\"%w\")"
				    " THEN %Q",
				    t->columns[i], t->columns[i],
				    t->columns[i]);
	sqlite3_str_appendall(sql, " END FROM ");
	if (t->selected)
		sqlite3_str_appendf(sql,
				    "staged.\"%w\" AS s LEFT JOIN main.\"%w\" "
				    "AS t ON ",
				    t->name, t->name);
	else
		sqlite3_str_appendf(sql,
				    "temp.dbstow_list_%d AS w CROSS JOIN "
				    "staged.\"%w\" AS s LEFT JOIN main.\"%w\" "
				    "AS t ON ",
				    t->list, t->name, t->name);
	if (t->selected)
		add_key_match(sql, t);
	else if (t->target.kind == SIDE_ROWID)
		sqlite3_str_appendf(sql, "t.\"%w\" = coalesce(w.at, w.k0)",
				    t->target.keys[0]);
	else
		add_key_match(sql, t);
	sqlite3_str_appendall(sql, " WHERE ");
	if (!t->selected) {
		add_key_in_list(sql, "s", &t->staged);
		sqlite3_str_appendall(sql, " AND ");
	}
	sqlite3_str_appendf(sql, "(t.\"%w\" IS NULL OR NOT ",
			    t->target.keys[0]);
	add_same(sql, t);
	sqlite3_str_appendall(sql, ") LIMIT 1");
	return sqlite3_str_finish(sql);
}

static int differs(struct into *in, const struct into_table *t,
		   sqlite3_stmt *row, struct error *err)
{
	const char *key = (const char *)sqlite3_column_text(row, 0);
	const char *column = (const char *)sqlite3_column_text(row, 1);

	if (in->triggers)
		return error_set(err, ERROR_FAILED,
				 "row %.200s of table '%s' is not as in the "
				 "snapshot after the triggers ran; nothing was "
				 "changed; leave out --triggers",
				 key, t->name);
	if (!column)
		return error_set(err, ERROR_FAILED,
				 "row %.200s of table '%s' did not arrive; "
				 "nothing was changed",
				 key, t->name);
	return error_set(err, ERROR_FAILED,
			 "the type of column '%s' of table '%s' would change "
			 "the value of row %.200s; nothing was changed; "
			 "restore to a new file",
			 column, t->name, key);
}

int into_verify(struct into *in, struct into_table *t, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (t->selected && same_count(in, t, err) < 0)
		return -1;
	if (target_prepare(in->db, &stmt, difference_text(in, t), err,
			   t->label) < 0)
		return -1;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		differs(in, t, stmt, err);
	else if (rc != SQLITE_DONE)
		target_failed(in->db, err, "cannot read table '%s'", t->name);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* ---- AUTOINCREMENT ---- */

int into_sequence(struct into *in, struct into_table *t, struct error *err)
{
	int counts = 0;
	int64_t there = 0;

	if (t->target.kind != SIDE_ALIAS)
		return 0;
	if (sqlite3_table_column_metadata(in->db, "main", t->name,
					  t->target.keys[0], NULL, NULL, NULL,
					  NULL, &counts) != SQLITE_OK)
		return target_failed(in->db, err, "cannot read table '%s'",
				     t->name);
	if (!counts)
		return 0;
	if (target_number(
		    in->db, &there,
		    "SELECT count(*) FROM staged.sqlite_schema WHERE name = "
		    "'sqlite_sequence'",
		    err) < 0)
		return -1;
	if (!there)
		return 0;
	/* Keys that were given out once must not be given out again: the
	 * greater of both counters stays.  Whatever else lies in the snapshot's
	 * table (it takes any value) is not a counter. */
	if (target_run(
		    in->db,
		    sqlite3_mprintf(
			    "UPDATE main.sqlite_sequence SET seq = s.seq FROM "
			    "(SELECT max(seq) AS seq FROM "
			    "staged.sqlite_sequence WHERE name = %Q COLLATE "
			    "NOCASE AND typeof(seq) = 'integer') AS s WHERE "
			    "name = %Q COLLATE NOCASE AND s.seq IS NOT NULL "
			    "AND (typeof(sqlite_sequence.seq) <> 'integer' OR "
			    "sqlite_sequence.seq < s.seq)",
			    t->name, t->name),
		    err, "cannot write 'sqlite_sequence'") < 0)
		return -1;
	return target_run(
		in->db,
		sqlite3_mprintf(
			"INSERT INTO main.sqlite_sequence(name, seq) SELECT "
			"(SELECT name FROM main.sqlite_schema WHERE type = "
			"'table' AND name = %Q COLLATE NOCASE), s.seq FROM "
			"(SELECT max(seq) AS seq FROM staged.sqlite_sequence "
			"WHERE name = %Q COLLATE NOCASE AND typeof(seq) = "
			"'integer') AS s WHERE s.seq IS NOT NULL AND NOT "
			"EXISTS (SELECT 1 FROM main.sqlite_sequence AS t WHERE "
			"t.name = %Q COLLATE NOCASE)",
			t->name, t->name, t->name),
		err, "cannot write 'sqlite_sequence'");
}
