/*
 * into_staged.c - leave of the snapshot's database what replaying reads: tables
 *
 * A schema that is attached is parsed under the name "staged", and a view or a
 * trigger that says "main." does not parse there.  Indexes on expressions may
 * need the application's functions.  The file is ours and goes away afterwards,
 * so all that is taken out of its schema; the pages stay unused.
 */
#include "restore/into_internal.h"
#include "restore/restore_internal.h"

/* What stays beside tables and their own keys: indexes that a foreign key's
 * parents may be found by.  Tables without pages are virtual; their shadow
 * tables are ordinary ones without them. */
static const char strip_sql[] =
	"PRAGMA synchronous = OFF;"
	"CREATE TEMP TABLE useful AS SELECT l.name FROM main.sqlite_schema AS "
	"m CROSS JOIN pragma_index_list(m.name, 'main') AS l WHERE m.type = "
	"'table' AND m.rootpage > 0 AND l.\"unique\" AND NOT l.partial AND "
	"NOT EXISTS (SELECT 1 FROM pragma_index_info(l.name, 'main') AS i "
	"WHERE i.cid = -2);"
	"DELETE FROM main.sqlite_schema WHERE coalesce(rootpage, 0) = 0 OR "
	"(type = 'index' AND sql IS NOT NULL AND name NOT IN (SELECT name FROM "
	"temp.useful));";

int into_strip(const char *staged, struct error *err)
{
	sqlite3 *db = NULL;
	int rc;

	/* opened so, the schema may be written and need not make sense */
	if (target_open(&db, staged, 0, OPEN_PAGES, err) < 0)
		return -1;
	rc = sqlite3_exec(db, strip_sql, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		target_failed(db, err, "cannot prepare the snapshot");
	sqlite3_close(db);
	return rc == SQLITE_OK ? 0 : -1;
}
