/*
 * sqlite_entry.c - the text of one table or index, run
 *
 * It runs alone under an authorizer that knows only what it takes, and
 * afterwards the schema must hold what the entry tells and no more.
 */
#include "base/error.h"
#include "database/sqlite_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_schema(const char *table)
{
	return !strcmp(table, "sqlite_master") ||
	       !strcmp(table, "sqlite_schema");
}

/* What it takes to make the one object of the entry in `payload`. */
static int authorize(void *payload, int action, const char *a, const char *b,
		     const char *database, const char *trigger)
{
	const struct entry *e = payload;
	int ok = 0;

	(void)trigger;
	if (database && strcmp(database, "main") != 0)
		return SQLITE_DENY;
	switch (action) {
	case SQLITE_CREATE_TABLE:
		ok = e->type == ENTRY_TABLE && (!sqlite3_stricmp(a, e->name) ||
						!strcmp(a, "sqlite_sequence"));
		break;
	case SQLITE_CREATE_INDEX:
		ok = !sqlite3_stricmp(b, e->table);
		break;
	case SQLITE_REINDEX:
		ok = e->type == ENTRY_INDEX && !sqlite3_stricmp(a, e->name);
		break;
	case SQLITE_INSERT:
	case SQLITE_UPDATE:
		ok = is_schema(a);
		break;
	case SQLITE_READ:
		ok = is_schema(a) || !sqlite3_stricmp(a, e->table);
		break;
	case SQLITE_FUNCTION:
		ok = b && sqlite3_stricmp(b, "load_extension") != 0;
		break;
	}
	return ok ? SQLITE_OK : SQLITE_DENY;
}

static void describe(char out[320], const struct entry *e)
{
	snprintf(out, 320, "%s '%.200s'",
		 e->type == ENTRY_TABLE ? "table" : "index", e->name);
}

/* Run it once. @return 0, 1 when rows stand against it, -1 when SQLite
 * reports an error */
static int run_once(sqlite3 *sql, const struct entry *e)
{
	sqlite3_stmt *st = NULL;
	const char *tail = NULL;
	int rc, prepared;

	sqlite3_set_authorizer(sql, authorize, (void *)e);
	rc = sqlite3_prepare_v2(sql, e->sql, (int)e->sql_size, &st, &tail);
	prepared = rc == SQLITE_OK;
	if (prepared)
		rc = sqlite3_step(st);
	sqlite3_set_authorizer(sql, NULL, NULL);
	sqlite3_finalize(st);
	if (rc == SQLITE_DONE)
		return 0;
	return prepared && e->type == ENTRY_INDEX &&
			       ((rc & 0xff) == SQLITE_CONSTRAINT ||
				(rc & 0xff) == SQLITE_ERROR)
		       ? 1
		       : -1;
}

int entry_run(struct database *db, sqlite3 *sql, const struct entry *e,
	      struct error *err)
{
	char what[320];
	int rc, again, tries = 0;

	describe(what, e);
	do {
		rc = run_once(sql, e);
		if (rc == 0)
			return 0;
		again = rc < 0 ? stand_in_after(db, sql, what, &tries, err) : 0;
	} while (again > 0);
	if (again < 0)
		return -1;
	if (rc > 0) {
		error_set(err, ERROR_STANDIN,
			  "%s does not fit its rows: %s; restore with "
			  "--stand-ins to leave it out",
			  what, sqlite3_errmsg(sql));
		return 1;
	}
	return sql_error(sql, err, "cannot create %s", what);
}

static int same_text(struct database *db, sqlite3_stmt *st, int column,
		     const char *text, size_t size, struct error *err)
{
	char *stored;
	size_t stored_size;
	int rc = sql_text(db, st, column, &stored, &stored_size, err), same;

	if (rc)
		return rc < 0 ? -1 : 0;
	same = stored_size == size && !memcmp(stored, text, size);
	free(stored);
	return same;
}

int entry_fix(struct database *db, const struct entry *e, int64_t rowid,
	      struct error *err)
{
	sqlite3_stmt *st;
	int rc = -1;

	if (sql_prepare(db->sql, &st, err,
			"UPDATE main.sqlite_schema SET name = ?1, "
			"tbl_name = ?2, sql = ?3 WHERE rowid = ?4") < 0)
		return -1;
	sqlite3_bind_int64(st, 4, rowid);
	if (sql_bind_text(db, st, 1, e->name, strlen(e->name), err) == 0 &&
	    sql_bind_text(db, st, 2, e->table, strlen(e->table), err) == 0 &&
	    sql_bind_text(db, st, 3, e->sql, e->sql_size, err) == 0)
		rc = sql_step(st, err);
	sqlite3_finalize(st);
	return rc;
}

/* SQLite writes the words before the name itself, so texts that were edited by
 * hand may differ there. */
int entry_adopt_row(struct database *db, sqlite3_stmt *st,
		    const struct entry *e, struct error *err)
{
	const char *type = (const char *)sqlite3_column_text(st, 0);
	const char *name = (const char *)sqlite3_column_text(st, 1);
	const char *table = (const char *)sqlite3_column_text(st, 2);
	int64_t rowid = sqlite3_column_int64(st, 4);
	int same;

	if ((!type || !name || !table) &&
	    sqlite3_errcode(db->sql) == SQLITE_NOMEM)
		return error_nomem(err);
	if (!type || !name || !table ||
	    strcmp(type, e->type == ENTRY_TABLE ? "table" : "index") != 0 ||
	    sqlite3_stricmp(name, e->name) != 0 ||
	    sqlite3_stricmp(table, e->table) != 0)
		return 0;
	same = !strcmp(name, e->name) && !strcmp(table, e->table)
		       ? same_text(db, st, 3, e->sql, e->sql_size, err)
		       : 0;
	if (same == 0 && entry_fix(db, e, rowid, err) < 0)
		return -1;
	return same < 0 ? -1 : 1;
}

/* Rows that come along with a table: indexes of its constraints, and
 * sqlite_sequence with the first AUTOINCREMENT. */
static int comes_along(sqlite3_stmt *st, const struct entry *e)
{
	const char *name = (const char *)sqlite3_column_text(st, 1);
	const char *table = (const char *)sqlite3_column_text(st, 2);

	if (e->type != ENTRY_TABLE || !name || !table)
		return 0;
	if (sqlite3_column_type(st, 3) == SQLITE_NULL)
		return !sqlite3_stricmp(table, e->name);
	return !strcmp(name, "sqlite_sequence");
}

int entry_check_made(struct database *db, const struct entry *e, int64_t last,
		     struct error *err)
{
	int rc, found = 0, mine;
	sqlite3_stmt *st;

	if (sql_prepare(db->sql, &st, err,
			"SELECT type, name, tbl_name, sql, rowid "
			"FROM main.sqlite_schema WHERE rowid > ?1") < 0)
		return -1;
	sqlite3_bind_int64(st, 1, last);
	while ((rc = sql_step(st, err)) > 0) {
		mine = entry_adopt_row(db, st, e, err);
		found += mine > 0;
		if (mine == 0 && !comes_along(st, e))
			mine = error_set(err, ERROR_DAMAGE,
					 "the schema's text of '%.200s' made "
					 "something else",
					 e->name);
		if (mine < 0) {
			rc = -1;
			break;
		}
	}
	sqlite3_finalize(st);
	if (rc == 0 && found != 1)
		rc = error_set(err, ERROR_DAMAGE,
			       "the schema's text of '%.200s' made nothing",
			       e->name);
	return rc;
}

int entry_last_row(struct database *db, int64_t *last, struct error *err)
{
	return sql_integer(db->sql,
			   "SELECT coalesce(max(rowid), 0) "
			   "FROM main.sqlite_schema",
			   last, err);
}
