/*
 * sqlite_statement.c - running statements, and text on its way in and out
 */
#include "base/error.h"
#include "database/sqlite_internal.h"
#include "snapshot/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum error_code code_of(int rc, int system)
{
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return ERROR_NOMEM;
	case SQLITE_FULL:
		return ERROR_NOSPACE;
	case SQLITE_IOERR:
		return system == ENOSPC || system == EDQUOT ? ERROR_NOSPACE
							    : ERROR_FAILED;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERROR_DAMAGE;
	case SQLITE_INTERRUPT:
		return ERROR_INTERRUPTED;
	default:
		return ERROR_FAILED;
	}
}

int sql_error(sqlite3 *sql, struct error *err, const char *fmt, ...)
{
	enum error_code code =
		code_of(sqlite3_errcode(sql), sqlite3_system_errno(sql));
	char what[1024];
	va_list list;

	if (code == ERROR_NOMEM)
		return error_nomem(err);
	va_start(list, fmt);
	vsnprintf(what, sizeof(what), fmt, list);
	va_end(list);
	return error_set(err, code, "%s: %s", what, sqlite3_errmsg(sql));
}

int sql_file_error(sqlite3 *sql, int rc, struct error *err, const char *what)
{
	enum error_code code;
	int system = 0;

	sqlite3_file_control(sql, "main", SQLITE_FCNTL_LAST_ERRNO, &system);
	code = code_of(rc, system);
	if (code == ERROR_NOMEM)
		return error_nomem(err);
	return error_set(err, code, "%s: %s", what, sqlite3_errstr(rc));
}

int sql_run(sqlite3 *sql, const char *text, struct error *err)
{
	if (sqlite3_exec(sql, text, NULL, NULL, NULL) != SQLITE_OK)
		return sql_error(sql, err, "cannot run '%s'", text);
	return 0;
}

int sql_prepare(sqlite3 *sql, sqlite3_stmt **out, struct error *err,
		const char *fmt, ...)
{
	va_list list;
	char *text;
	int rc = 0;

	*out = NULL;
	va_start(list, fmt);
	text = sqlite3_vmprintf(fmt, list);
	va_end(list);
	if (!text)
		return error_nomem(err);
	if (sqlite3_prepare_v2(sql, text, -1, out, NULL) != SQLITE_OK)
		rc = sql_error(sql, err, "cannot prepare '%.300s'", text);
	sqlite3_free(text);
	return rc;
}

int sql_step(sqlite3_stmt *st, struct error *err)
{
	switch (sqlite3_step(st)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return sql_error(sqlite3_db_handle(st), err,
				 "cannot run '%.300s'", sqlite3_sql(st));
	}
}

int sql_integer(sqlite3 *sql, const char *text, int64_t *out, struct error *err)
{
	sqlite3_stmt *st;
	int rc = -1;

	if (sql_prepare(sql, &st, err, "%s", text) < 0)
		return -1;
	*out = 0;
	if (sql_step(st, err) >= 0) {
		*out = sqlite3_column_int64(st, 0);
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}

int sql_encoding(sqlite3 *sql, enum encoding *out, struct error *err)
{
	sqlite3_stmt *st;
	int rc = -1;

	if (sql_prepare(sql, &st, err, "PRAGMA main.encoding") < 0)
		return -1;
	if (sql_step(st, err) > 0) {
		const char *name = (const char *)sqlite3_column_text(st, 0);

		*out = !name || !strcmp(name, "UTF-8") ? ENCODING_UTF8
		       : !strcmp(name, "UTF-16le")     ? ENCODING_UTF16LE
						       : ENCODING_UTF16BE;
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}

void sql_bytes(const struct database *db, sqlite3_stmt *st, int column,
	       const char **data, size_t *size)
{
	/* sqlite3_column_blob() converts nothing.  Behind it the size is asked
	 * for in the encoding that the text has, because any other would be
	 * computed by converting, and that repairs what is ill-formed. */
	*data = sqlite3_column_blob(st, column);
	*size = (size_t)(db->encoding == ENCODING_UTF8
				 ? sqlite3_column_bytes(st, column)
				 : sqlite3_column_bytes16(st, column));
}

void sql_value(const struct database *db, sqlite3_stmt *st, int column,
	       struct value *v)
{
	v->data = NULL;
	v->size = 0;
	switch (sqlite3_column_type(st, column)) {
	case SQLITE_INTEGER:
		v->class = VALUE_INTEGER;
		v->integer = sqlite3_column_int64(st, column);
		break;
	case SQLITE_FLOAT:
		v->class = VALUE_REAL;
		v->real = sqlite3_column_double(st, column);
		break;
	case SQLITE_TEXT:
		v->class = VALUE_TEXT;
		sql_bytes(db, st, column, &v->data, &v->size);
		break;
	case SQLITE_BLOB:
		v->class = VALUE_BLOB;
		v->data = sqlite3_column_blob(st, column);
		v->size = (size_t)sqlite3_column_bytes(st, column);
		break;
	default:
		v->class = VALUE_NULL;
		v->integer = 0;
		break;
	}
}

int sql_text(struct database *db, sqlite3_stmt *st, int column, char **out,
	     size_t *size, struct error *err)
{
	struct buffer text = BUFFER_INIT;
	const char *data;
	size_t bytes;
	int rc = 1;

	*out = NULL;
	if (sqlite3_column_type(st, column) != SQLITE_TEXT)
		return 1;
	sql_bytes(db, st, column, &data, &bytes);
	if (db->encoding == ENCODING_UTF8) {
		buffer_add(&text, data, bytes);
	} else if (text_from_utf16(&text, data, bytes,
				   db->encoding == ENCODING_UTF16BE)) {
		goto done;
	}
	if (text.size && memchr(text.data, '\0', text.size))
		goto done;
	*size = text.size;
	*out = buffer_detach(&text);
	rc = *out ? 0 : error_nomem(err);
done:
	buffer_release(&text);
	return rc;
}

int sql_mark_text16(struct buffer *out, const struct database *db,
		    const char *data, size_t size)
{
	/* SQLite takes a leading byte order mark for its own and removes it;
	 * with one of ours in front, the text's own stays */
	buffer_add(out,
		   db->encoding == ENCODING_UTF16BE ? "\xfe\xff" : "\xff\xfe",
		   2);
	buffer_add(out, data, size);
	return buffer_failed(out) ? -1 : 0;
}

int sql_bind_text(struct database *db, sqlite3_stmt *st, int parameter,
		  const char *data, size_t size, struct error *err)
{
	struct buffer plain = BUFFER_INIT, text = BUFFER_INIT;
	int big = db->encoding == ENCODING_UTF16BE, rc;

	if (db->encoding == ENCODING_UTF8) {
		rc = sqlite3_bind_text64(st, parameter, size ? data : "", size,
					 SQLITE_STATIC, SQLITE_UTF8);
	} else if (!text_is_utf8(data, size)) {
		return error_set(err, ERROR_DAMAGE,
				 "a text for a UTF-16 database is no "
				 "well-formed UTF-8");
	} else {
		text_to_utf16(&plain, data, size, big);
		rc = buffer_failed(&plain) ||
				     sql_mark_text16(&text, db, plain.data,
						     plain.size) < 0
			     ? SQLITE_NOMEM
			     : sqlite3_bind_text64(st, parameter, text.data,
						   text.size, SQLITE_TRANSIENT,
						   big ? SQLITE_UTF16BE
						       : SQLITE_UTF16LE);
		buffer_release(&plain);
		buffer_release(&text);
		if (rc == SQLITE_NOMEM)
			return error_nomem(err);
	}
	if (rc != SQLITE_OK)
		return sql_error(sqlite3_db_handle(st), err,
				 "cannot bind text");
	return 0;
}
