/*
 * application.h - databases that only their application can use in full
 */
#ifndef TESTS_RESTORE_APPLICATION_H
#define TESTS_RESTORE_APPLICATION_H

#include "tests/restore/test_restore.h"

static inline void twice(sqlite3_context *context, int count, sqlite3_value **v)
{
	(void)count;
	sqlite3_result_int64(context, 2 * sqlite3_value_int64(v[0]));
}

static inline int by_length(void *unused, int a_size, const void *a, int b_size,
			    const void *b)
{
	(void)unused;
	(void)a;
	(void)b;
	return a_size - b_size;
}

/* Run `text` as an application would that has a collation applen and functions
 * twice() and lower(). */
static inline void with_application(const char *path, const char *text)
{
	sqlite3 *db = opened(path);

	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1, NULL);
	sqlite3_create_function(db, "twice", 1,
				SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, twice,
				NULL, NULL);
	/* SQLite has one of its own, for one argument: nobody else can make
	 * sense of a schema that calls this one */
	sqlite3_create_function(db, "lower", 2,
				SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, twice,
				NULL, NULL);
	sqlite3_create_collation(db, "applen", SQLITE_UTF8, NULL, by_length);
	run(db, text);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Three entries in the schema, one row.  matchinfo() is one of the functions
 * that distrust_schema() takes away; JSON's are not unsafe, but some releases
 * of SQLite take them for such. */
#define FOR_AN_APPLICATION                                                     \
	"CREATE TABLE t(a COLLATE applen PRIMARY KEY, j CHECK(json_valid(j) "  \
	"OR matchinfo(j)), k AS (json_extract(j, '$.k'))) WITHOUT ROWID;"      \
	"CREATE INDEX i ON t(twice(a), json_extract(j, '$.k'));"               \
	"CREATE INDEX l ON t(a COLLATE applen) WHERE twice(a) > 1;"            \
	"INSERT INTO t(a, j) VALUES ('x', '{}');"

#endif /* TESTS_RESTORE_APPLICATION_H */
