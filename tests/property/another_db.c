/*
 * another_db.c - a random database, most often one much like another
 */
#include "tests/property/another_db.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "tests/property/random_db.h"

static uint64_t state;

static uint64_t draw(uint64_t below)
{
	state += UINT64_C(0x9e3779b97f4a7c15);
	return hash_mix64(state) % below;
}

static void sql_draw(sqlite3_context *c, int count, sqlite3_value **values)
{
	(void)count;
	sqlite3_result_int64(
		c, (int64_t)draw((uint64_t)sqlite3_value_int64(values[0])));
}

/* What is refused is of no interest. */
static void try_sql(sqlite3 *db, char *sql)
{
	sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
}

static void change_rows(sqlite3 *db, const char *t, const char *column)
{
	int part = 1 + (int)draw(6);

	switch (draw(6)) {
	case 0:
		try_sql(db, sqlite3_mprintf("DELETE FROM \"%w\" WHERE "
					    "draw(%d) = 0",
					    t, part));
		break;
	case 1:
		try_sql(db, sqlite3_mprintf("INSERT OR IGNORE INTO \"%w\" "
					    "SELECT * FROM \"%w\" WHERE "
					    "draw(%d) = 0",
					    t, t, part));
		break;
	case 2:
		try_sql(db, sqlite3_mprintf("UPDATE OR IGNORE \"%w\" SET "
					    "_rowid_ = _rowid_ + draw(4) WHERE "
					    "draw(%d) = 0",
					    t, part));
		break;
	default:
		try_sql(db,
			sqlite3_mprintf(
				"UPDATE OR IGNORE \"%w\" SET \"%w\" = CASE "
				"draw(5) WHEN 0 THEN NULL WHEN 1 THEN "
				"draw(1000) WHEN 2 THEN x'00ff' WHEN 3 THEN "
				"draw(9) / 7.0 ELSE 'text ' || draw(9) END "
				"WHERE draw(%d) = 0",
				t, column, part));
	}
}

static void change_schema(sqlite3 *db, const char *t, const char *column)
{
	switch (draw(6)) {
	case 0:
		try_sql(db, sqlite3_mprintf("DROP TABLE \"%w\"", t));
		break;
	case 1:
		try_sql(db, sqlite3_mprintf("ALTER TABLE \"%w\" RENAME COLUMN "
					    "\"%w\" TO \"r\xff%d\"",
					    t, column, (int)draw(9)));
		break;
	case 2:
		try_sql(db, sqlite3_mprintf("ALTER TABLE \"%w\" ADD COLUMN "
					    "\"rowid\"",
					    t));
		break;
	case 3:
		try_sql(db, sqlite3_mprintf("ALTER TABLE \"%w\" DROP COLUMN "
					    "\"%w\"",
					    t, column));
		break;
	case 4:
		try_sql(db, sqlite3_mprintf("CREATE INDEX \"new %w\" ON "
					    "\"%w\"(\"%w\")",
					    t, t, column));
		break;
	default:
		try_sql(db, sqlite3_mprintf("PRAGMA user_version = %d",
					    (int)draw(99)));
	}
}

/* A table and a column of it, in new memory; @return 0: there is none */
static int pick(sqlite3 *db, char **table, char **column)
{
	sqlite3_stmt *st = NULL;
	int found = 0;

	if (sqlite3_prepare_v2(db,
			       "SELECT t.name, c.name FROM sqlite_schema AS t, "
			       "pragma_table_info(t.name) AS c WHERE t.type = "
			       "'table' ORDER BY draw(1000) LIMIT 1",
			       -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW) {
		*table = strdup((const char *)sqlite3_column_text(st, 0));
		*column = strdup((const char *)sqlite3_column_text(st, 1));
		found = 1;
	}
	sqlite3_finalize(st);
	return found;
}

static void copy_changed(const char *from, const char *to)
{
	sqlite3 *a, *b;
	sqlite3_backup *copy;
	uint64_t changes = draw(6);
	char *table, *column;

	if (sqlite3_open(from, &a) || sqlite3_open(to, &b))
		abort();
	copy = sqlite3_backup_init(b, "main", a, "main");
	if (copy) {
		sqlite3_backup_step(copy, -1);
		sqlite3_backup_finish(copy);
	}
	sqlite3_create_function(b, "draw", 1, SQLITE_UTF8, NULL, sql_draw, NULL,
				NULL);
	while (changes-- && pick(b, &table, &column)) {
		if (draw(4))
			change_rows(b, table, column);
		else
			change_schema(b, table, column);
		free(table);
		free(column);
	}
	sqlite3_close(a);
	sqlite3_close(b);
}

void another_db(const char *from, const char *to, uint64_t seed)
{
	state = seed;
	if (draw(8))
		copy_changed(from, to);
	else
		random_db(to, seed + 1);
}
