/*
 * sql.c - SQLite with our errors, and an exact comparison
 */
#include "restore/restore_internal.h"

#include <sqlite3.h>
#include <stdarg.h>

#include "base/buffer.h"
#include "database/distrust.h"

static int set(sqlite3 *db, int option, int on)
{
	return sqlite3_db_config(db, option, on, NULL) == SQLITE_OK ? 0 : -1;
}

/*
 * A snapshot's schema was written by whoever can write to the branch.  The
 * user's database is trusted by the user's programs already: to distrust it
 * here would only make us call it damaged where they go on working.
 */
static int configure(sqlite3 *db, enum open_as as)
{
	if (set(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0) < 0 ||
	    set(db, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0) < 0)
		return -1;
	if (as != OPEN_WITH_MODULES &&
	    sqlite3_drop_modules(db, NULL) != SQLITE_OK)
		return -1;
	switch (as) {
	case OPEN_PAGES:
		/* with it a schema that can't be parsed is no error */
		return set(db, SQLITE_DBCONFIG_DEFENSIVE, 0) < 0
			       ? -1
			       : set(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1);
	case OPEN_DISTRUSTED:
		return distrust_schema(db);
	case OPEN_TRUSTED:
	case OPEN_WITH_MODULES:
		break;
	}
	return set(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1);
}

int target_open(sqlite3 **out, const char *path, int busy_timeout_ms,
		enum open_as as, struct error *err)
{
	sqlite3 *db = NULL;
	char *name;
	int rc;

	/* "file:x" must stay the name of a file wherever SQLite was built to
	 * take it for a URI */
	name = sqlite3_mprintf("%s%s", *path == '/' ? "" : "./", path);
	if (!name)
		return error_nomem(err);
	rc = sqlite3_open_v2(name, &db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	sqlite3_free(name);
	if (rc == SQLITE_OK) {
		sqlite3_extended_result_codes(db, 1);
		sqlite3_busy_timeout(db, busy_timeout_ms > 0 ? busy_timeout_ms
							     : BUSY_TIMEOUT_MS);
	}
	if (rc != SQLITE_OK || configure(db, as) < 0) {
		target_failed(db, err, "cannot open '%s'", path);
		sqlite3_close(db);
		return -1;
	}
	*out = db;
	return 0;
}

int target_failed(sqlite3 *db, struct error *err, const char *fmt, ...)
{
	int rc = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return error_nomem(err);
	case SQLITE_FULL:
		return error_set(err, ERROR_NOSPACE,
				 "%s: the disk is full; free some space", what);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(err, ERROR_FAILED,
				 "%s: the database stayed locked; stop what "
				 "uses it, or try again",
				 what);
	case SQLITE_READONLY:
		return error_set(err, ERROR_FAILED, "%s: it cannot be written",
				 what);
	default:
		return error_set(err, ERROR_FAILED, "%s: %s", what,
				 sqlite3_errmsg(db));
	}
}

int target_exec(sqlite3 *db, struct error *err, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return target_failed(db, err, "cannot write '%s'",
				     sqlite3_db_filename(db, "main"));
	return 0;
}

int target_prepare(sqlite3 *db, sqlite3_stmt **out, char *sql,
		   struct error *err, const char *what)
{
	int rc;

	if (!sql)
		return error_nomem(err);
	rc = sqlite3_prepare_v3(db, sql, -1, 0, out, NULL);
	sqlite3_free(sql);
	return rc == SQLITE_OK ? 0 : target_failed(db, err, "%s", what);
}

int target_run(sqlite3 *db, char *sql, struct error *err, const char *what)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (target_prepare(db, &stmt, sql, err, what) < 0)
		return -1;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		;
	if (rc != SQLITE_DONE)
		target_failed(db, err, "%s", what);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

int target_number(sqlite3 *db, int64_t *out, const char *sql, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	*out = 0;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		target_failed(db, err, "cannot read '%s'",
			      sqlite3_db_filename(db, "main"));
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

int target_text(sqlite3 *db, char **out, const char *sql, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	const char *text = NULL;

	*out = NULL;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		text = (const char *)sqlite3_column_text(stmt, 0);
		*out = strdup(text ? text : "");
	}
	if (rc != SQLITE_ROW)
		target_failed(db, err, "cannot read '%s'",
			      sqlite3_db_filename(db, "main"));
	else if (!*out)
		error_nomem(err);
	sqlite3_finalize(stmt);
	return *out ? 0 : -1;
}

/* ---- dbstow_same() ---- */

static const void *value_bytes(sqlite3_value *v, int utf16, size_t *size)
{
	const void *data;

	/* Text is looked at in the database's own encoding: a conversion would
	 * make different ill-formed texts alike.  The pointer comes first, the
	 * size counts what it points to. */
	if (sqlite3_value_type(v) == SQLITE_BLOB) {
		data = sqlite3_value_blob(v);
		*size = (size_t)sqlite3_value_bytes(v);
	} else if (utf16 == SQLITE_UTF16LE) {
		data = sqlite3_value_text16le(v);
		*size = (size_t)sqlite3_value_bytes16(v);
	} else if (utf16 == SQLITE_UTF16BE) {
		data = sqlite3_value_text16be(v);
		*size = (size_t)sqlite3_value_bytes16(v);
	} else {
		data = sqlite3_value_text(v);
		*size = (size_t)sqlite3_value_bytes(v);
	}
	return data;
}

static int same_bytes(sqlite3_value *a, sqlite3_value *b, int utf16)
{
	size_t a_size, b_size;
	const void *a_data = value_bytes(a, utf16, &a_size);
	const void *b_data = value_bytes(b, utf16, &b_size);

	return a_size == b_size &&
	       (!a_size ||
		(a_data && b_data && !memcmp(a_data, b_data, a_size)));
}

static int same(sqlite3_value *a, sqlite3_value *b, int utf16)
{
	double x, y;

	if (sqlite3_value_type(a) != sqlite3_value_type(b))
		return 0;
	switch (sqlite3_value_type(a)) {
	case SQLITE_NULL:
		return 1;
	case SQLITE_INTEGER:
		return sqlite3_value_int64(a) == sqlite3_value_int64(b);
	case SQLITE_FLOAT:
		/* by bits: 0.0 == -0.0 */
		x = sqlite3_value_double(a);
		y = sqlite3_value_double(b);
		return !memcmp(&x, &y, sizeof x);
	default:
		return same_bytes(a, b, utf16);
	}
}

static void call_same(sqlite3_context *context, int count, sqlite3_value **v)
{
	int utf16 = (int)(intptr_t)sqlite3_user_data(context);

	for (int i = 0; i + 1 < count; i += 2) {
		if (!same(v[i], v[i + 1], utf16)) {
			sqlite3_result_int(context, 0);
			return;
		}
	}
	sqlite3_result_int(context, 1);
}

int target_add_functions(sqlite3 *db, struct error *err)
{
	int encoding = SQLITE_UTF8;
	char *name = NULL;
	int rc;

	if (target_text(db, &name, "PRAGMA main.encoding", err) < 0)
		return -1;
	if (!strcmp(name, "UTF-16le"))
		encoding = SQLITE_UTF16LE;
	else if (!strcmp(name, "UTF-16be"))
		encoding = SQLITE_UTF16BE;
	free(name);
	/* DIRECTONLY: no trigger or view of the database may call it */
	rc = sqlite3_create_function_v2(
		db, "dbstow_same", -1,
		encoding | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
		(void *)(intptr_t)encoding, call_same, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return target_failed(db, err, "cannot compare rows");
	return 0;
}
