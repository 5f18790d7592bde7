/* same_db.c - step both databases side by side */

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/property/same_db.h"

struct pair {
	sqlite3 *db[2];
	char *why;
	size_t why_size;
};

__attribute__((format(printf, 2, 3))) static int differ(struct pair *p,
							const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, p->why_size, fmt, ap);
	va_end(ap);
	return 0;
}

static int same_value(sqlite3_stmt *a, sqlite3_stmt *b, int at)
{
	int type = sqlite3_column_type(a, at), size;
	double x, y;

	if (type != sqlite3_column_type(b, at))
		return 0;
	switch (type) {
	case SQLITE_INTEGER:
		return sqlite3_column_int64(a, at) ==
		       sqlite3_column_int64(b, at);
	case SQLITE_FLOAT:
		x = sqlite3_column_double(a, at);
		y = sqlite3_column_double(b, at);
		return !memcmp(&x, &y, sizeof(x));
	case SQLITE_NULL:
		return 1;
	default:
		/* column_blob of a text is its stored bytes, unconverted */
		size = (sqlite3_column_blob(a, at),
			sqlite3_column_bytes(a, at));
		if (size !=
		    (sqlite3_column_blob(b, at), sqlite3_column_bytes(b, at)))
			return 0;
		return !size ||
		       !memcmp(sqlite3_column_blob(a, at),
			       sqlite3_column_blob(b, at), (size_t)size);
	}
}

/** The same statement on both gives the same rows. */
static int same_rows(struct pair *p, const char *what, const char *sql)
{
	sqlite3_stmt *st[2] = { NULL, NULL };
	int rc[2], row = 0, same = 1;

	for (int i = 0; i < 2; i++)
		rc[i] = sqlite3_prepare_v2(p->db[i], sql, -1, &st[i], NULL);
	if (rc[0] != rc[1])
		same = differ(p, "%s: '%s' against '%s'", what,
			      sqlite3_errmsg(p->db[0]),
			      sqlite3_errmsg(p->db[1]));
	while (same && !rc[0]) {
		int a = sqlite3_step(st[0]), b = sqlite3_step(st[1]);

		row++;
		if (a != b) {
			same = differ(p, "%s: ends at row %d in one: %s / %s",
				      what, row, sqlite3_errmsg(p->db[0]),
				      sqlite3_errmsg(p->db[1]));
			break;
		}
		if (a != SQLITE_ROW)
			break;
		for (int i = 0; same && i < sqlite3_column_count(st[0]); i++) {
			if (!same_value(st[0], st[1], i))
				same = differ(p, "%s: row %d, column %d", what,
					      row, i);
		}
	}
	sqlite3_finalize(st[0]);
	sqlite3_finalize(st[1]);
	return same;
}

/** A source may be unsound (an index that does not fit its table any more);
 *  the restored database must not be where the source is sound. */
static int is_sound(struct pair *p)
{
	static const char sql[] =
		"SELECT * FROM pragma_integrity_check WHERE integrity_check "
		"LIKE '%index%'";
	sqlite3_stmt *st = NULL;
	int unsound = 0;

	if (sqlite3_prepare_v2(p->db[0], sql, -1, &st, NULL) == SQLITE_OK)
		unsound = sqlite3_step(st) != SQLITE_DONE;
	sqlite3_finalize(st);
	return unsound ||
	       same_rows(p, "integrity_check",
			 "SELECT * FROM pragma_integrity_check(1000000) "
			 "ORDER BY 1");
}

static int same_settings(struct pair *p)
{
	static const char *const pragmas[] = {
		"encoding",  "user_version", "application_id",
		"page_size", "auto_vacuum",  "journal_mode"
	};
	char sql[64];

	for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++) {
		snprintf(sql, sizeof(sql), "PRAGMA %s", pragmas[i]);
		if (!same_rows(p, pragmas[i], sql))
			return 0;
	}
	return 1;
}

static int same_table(struct pair *p, const char *name, int without_rowid)
{
	char *sql;
	int same;

	/* +0 keeps an index from serving the scan in another order. */
	sql = without_rowid
		      ? sqlite3_mprintf("SELECT * FROM \"%w\" NOT INDEXED",
					name)
		      : sqlite3_mprintf("SELECT _rowid_, * FROM \"%w\" NOT "
					"INDEXED",
					name);
	same = same_rows(p, name, sql);
	sqlite3_free(sql);
	return same;
}

static int same_tables(struct pair *p)
{
	sqlite3_stmt *st = NULL;
	int same = 1;

	if (sqlite3_prepare_v2(p->db[0],
			       "SELECT name, wr FROM pragma_table_list WHERE "
			       "schema = 'main' AND type IN ('table', "
			       "'shadow') AND name NOT LIKE 'sqlite_%' ORDER "
			       "BY name",
			       -1, &st, NULL) != SQLITE_OK)
		return differ(p, "%s", sqlite3_errmsg(p->db[0]));
	while (same && sqlite3_step(st) == SQLITE_ROW)
		same = same_table(p, (const char *)sqlite3_column_text(st, 0),
				  sqlite3_column_int(st, 1));
	sqlite3_finalize(st);
	return same &&
	       same_rows(p, "sqlite_sequence",
			 "SELECT * FROM sqlite_sequence ORDER BY 1, 2") &&
	       same_rows(p, "sqlite_stat1",
			 "SELECT * FROM sqlite_stat1 ORDER BY 1, 2, 3");
}

int same_db(const char *a, const char *b, char *why, size_t why_size)
{
	struct pair p = { .why = why, .why_size = why_size };
	const char *paths[] = { a, b };
	int same = 1;

	for (int i = 0; i < 2; i++) {
		if (sqlite3_open_v2(paths[i], &p.db[i], SQLITE_OPEN_READWRITE,
				    NULL) != SQLITE_OK)
			abort();
	}
	same = same_settings(&p) &&
	       same_rows(&p, "schema",
			 "SELECT type, name, tbl_name, sql FROM sqlite_schema "
			 "ORDER BY 1, 2, 3") &&
	       same_tables(&p) && is_sound(&p) &&
	       same_rows(&p, "foreign_key_check",
			 "SELECT * FROM pragma_foreign_key_check ORDER BY 1, "
			 "2, 3, 4");
	sqlite3_close(p.db[0]);
	sqlite3_close(p.db[1]);
	return same;
}

int is_malformed(const char *path)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	int rc;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) !=
	    SQLITE_OK)
		abort();
	rc = sqlite3_prepare_v2(db,
				"SELECT * FROM pragma_integrity_check WHERE "
				"integrity_check LIKE '%*** in database%' OR "
				"integrity_check LIKE 'Page %'",
				-1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return rc != SQLITE_DONE;
}
