/*
 * distrust.c - what a schema that others wrote may not call
 *
 * SQLite would evaluate the functions of a CHECK, an index or a generated
 * column as soon as a row is touched.  Those that could do harm go.
 */
#include "database/distrust.h"

#include <string.h>

#include "database/sqlite_internal.h"

static void return_null(sqlite3_context *context, int count,
			sqlite3_value **values)
{
	(void)count;
	(void)values;
	sqlite3_result_null(context);
}

/* The names of functions that the library calls unsafe in a schema, but JSON's:
 * releases around 3.40 mark those so by mistake, and schemas are full of them.
 * `*json` tells whether this is one. */
static int find_unsafe(sqlite3 *sql, struct names *out, int *json)
{
	sqlite3_stmt *st;
	int rc = 0;

	*json = 0;
	if (sqlite3_prepare_v2(sql, "PRAGMA function_list", -1, &st, NULL) !=
	    SQLITE_OK)
		return 0;
	while (rc == 0 && sqlite3_step(st) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(st, 0);

		if (!name || (sqlite3_column_int(st, 5) & SQLITE_INNOCUOUS))
			continue;
		if (!strncmp(name, "json", 4) || !strncmp(name, "->", 2))
			*json = 1;
		else
			rc = names_add(out, name);
	}
	sqlite3_finalize(st);
	return rc;
}

/* Replace a function, whatever its number of arguments, by one that a schema
 * may not use.  A CHECK may use any function that is not deterministic (SQLite
 * does not look), so this one claims to be. */
static int take_away(sqlite3 *sql, const char *name)
{
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC |
			  SQLITE_DIRECTONLY;
	int count;

	for (count = -1; count <= 3; count++)
		if (sqlite3_create_function_v2(sql, name, count, flags, NULL,
					       return_null, NULL, NULL,
					       NULL) != SQLITE_OK)
			return -1;
	return 0;
}

int distrust_schema(sqlite3 *sql)
{
	struct names unsafe = { NULL, 0, 0 };
	int json, rc;
	size_t i;

	rc = find_unsafe(sql, &unsafe, &json);
	/* where JSON is taken for unsafe, the schema has to be trusted: there
	 * only what is taken away is out of reach */
	sqlite3_db_config(sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, json, NULL);
	for (i = 0; rc == 0 && i < unsafe.count; i++)
		rc = take_away(sql, unsafe.items[i]);
	names_release(&unsafe);
	return rc;
}
