/* random_db.c - statements drawn from a seed */

#include <math.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "tests/property/random_db.h"

enum { TABLES_MAX = 6, COLUMNS_MAX = 7 };

struct column {
	const char *type;
	int generated;
	char name[32];
};

struct table {
	char name[32];
	struct column columns[COLUMNS_MAX];
	int column_count;
	int without_rowid;
};

struct maker {
	sqlite3 *db;
	uint64_t state;
	struct table tables[TABLES_MAX];
	int table_count;
};

static uint64_t draw(struct maker *m, uint64_t below)
{
	m->state += UINT64_C(0x9e3779b97f4a7c15);
	return hash_mix64(m->state) % below;
}

static const char *pick(struct maker *m, const char *const *list, size_t count)
{
	return list[draw(m, count)];
}
#define PICK(m, list) pick(m, list, sizeof(list) / sizeof((list)[0]))

/** Run what may well be refused: the point is what gets in. */
static int try_sql(struct maker *m, const char *fmt, ...)
{
	va_list ap;
	char *sql;
	int rc;

	va_start(ap, fmt);
	sql = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	rc = sqlite3_exec(m->db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
	return rc;
}

static void name_column(struct maker *m, struct column *c, int at)
{
	static const char *const stems[] = { "a",   "B",       "rowid", "oid",
					     "é",   "x y",     "$int",  "q\"r",
					     "key", "_rowid_", "n\nl",  "" };

	snprintf(c->name, sizeof(c->name), "%s%d", PICK(m, stems), at);
	if (draw(m, 12) == 0)
		snprintf(c->name, sizeof(c->name), "%s", PICK(m, stems));
}

static void draw_columns(struct maker *m, struct table *t)
{
	static const char *const types[] = { "INTEGER", "INT",   "TEXT",
					     "REAL",    "BLOB",  "",
					     "NUMERIC", "ANY",   "VARCHAR(9)",
					     "BOOLEAN", "DOUBLE" };

	t->column_count = 1 + (int)draw(m, COLUMNS_MAX);
	for (int i = 0; i < t->column_count; i++) {
		struct column *c = &t->columns[i];
		int again;

		c->type = PICK(m, types);
		c->generated = i > 0 && draw(m, 10) == 0;
		do {
			name_column(m, c, i);
			again = 0;
			for (int k = 0; k < i; k++)
				again |= !sqlite3_stricmp(t->columns[k].name,
							  c->name);
		} while (again);
	}
}

/** Text of one column's definition; `pk` makes it the primary key. */
static void define_column(struct maker *m, sqlite3_str *s,
			  const struct table *t, int at, const char *pk,
			  int strict)
{
	static const char *const strict_types[] = { "INTEGER", "TEXT", "REAL",
						    "BLOB", "ANY" };
	static const char *const collations[] = { "NOCASE", "RTRIM", "BINARY" };
	const struct column *c = &t->columns[at];

	sqlite3_str_appendf(s, "%s\"%w\" %s", at ? ", " : "", c->name,
			    strict ? PICK(m, strict_types) : c->type);
	if (c->generated) {
		sqlite3_str_appendf(s, " AS (\"%w\" || '-g') %s",
				    t->columns[0].name,
				    draw(m, 2) ? "STORED" : "VIRTUAL");
		return;
	}
	if (pk)
		sqlite3_str_appendf(s, " %s", pk);
	if (draw(m, 8) == 0)
		sqlite3_str_appendf(s, " COLLATE %s", PICK(m, collations));
	if (draw(m, 8) == 0)
		sqlite3_str_appendall(s, " DEFAULT 'd''x'");
	if (!pk && draw(m, 10) == 0)
		sqlite3_str_appendall(s, " UNIQUE");
	if (draw(m, 6) == 0) {
		const struct table *p = &m->tables[draw(m, TABLES_MAX)];

		/* May name itself, a later table, or one never made. */
		sqlite3_str_appendf(s, " REFERENCES \"%w\"", p->name);
	}
}

static void make_table(struct maker *m, struct table *t)
{
	static const char *const keys[] = { "PRIMARY KEY", "PRIMARY KEY DESC",
					    "PRIMARY KEY AUTOINCREMENT", NULL,
					    NULL };
	const char *pk = PICK(m, keys);
	int composite = t->column_count > 1 && !t->columns[1].generated &&
			draw(m, 3) == 0;
	int strict = draw(m, 5) == 0;
	sqlite3_str *s = sqlite3_str_new(m->db);
	char *sql;

	if (composite)
		pk = NULL;
	t->without_rowid = (pk || composite) && draw(m, 3) == 0;
	sqlite3_str_appendf(s, "CREATE TABLE \"%w\"(", t->name);
	for (int i = 0; i < t->column_count; i++)
		define_column(m, s, t, i, i == 0 ? pk : NULL, strict);
	if (composite)
		sqlite3_str_appendf(s, ", PRIMARY KEY(\"%w\", \"%w\" DESC)",
				    t->columns[1].name, t->columns[0].name);
	sqlite3_str_appendf(
		s, ")%s%s%s", t->without_rowid ? "WITHOUT ROWID" : "",
		t->without_rowid && strict ? ", " : "", strict ? "STRICT" : "");
	sql = sqlite3_str_finish(s);
	sqlite3_exec(m->db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
}

static double draw_real(struct maker *m)
{
	static const double special[] = {
		0.0, -0.0, 1.0,  1e308, 5e-324,
		0.1, 1e22, -1.5, 1e15,  123456789012345680.0
	};
	uint64_t bits = hash_mix64(m->state ^ draw(m, UINT64_MAX));
	double d;

	if (draw(m, 2))
		return special[draw(m, 10)];
	if (draw(m, 12) == 0)
		return draw(m, 2) ? INFINITY : -INFINITY;
	memcpy(&d, &bits, sizeof(d));
	return isnan(d) ? 2.5 : d;
}

static void bind_bytes(struct maker *m, sqlite3_stmt *st, int at, int blob)
{
	static const char *const texts[] = {
		"",          "x",
		"12",        "-1.50",
		"1e3",       "a\"b\\c",
		"line\nend", "\x01\x7f",
		"é漢😀",      "\xe2\x80\xa8",
		"\xff\xfe",  "\xed\xa0\x80",
		"null",      "{\"$blob\":\"AA==\"}",
		"0x10",      " 7 "
	};
	char bytes[300];
	const char *text = PICK(m, texts);
	int size = (int)strlen(text);

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, text, (size_t)size);
	if (draw(m, 6) == 0) {
		size = (int)draw(m, sizeof(bytes));
		for (int i = 0; i < size; i++)
			bytes[i] = (char)(draw(m, 8) ? 'a' + draw(m, 26)
						     : draw(m, 256));
	}
	if (blob)
		sqlite3_bind_blob(st, at, bytes, size, SQLITE_TRANSIENT);
	else
		sqlite3_bind_text(st, at, bytes, size, SQLITE_TRANSIENT);
}

static void bind_any(struct maker *m, sqlite3_stmt *st, int at)
{
	static const int64_t special[] = { 0,         1,
					   -1,        INT64_MAX,
					   INT64_MIN, (1LL << 53) - 1,
					   1LL << 53, -(1LL << 53),
					   127,       65536 };

	switch (draw(m, 6)) {
	case 0:
		sqlite3_bind_null(st, at);
		break;
	case 1:
		sqlite3_bind_int64(st, at, special[draw(m, 10)]);
		break;
	case 2:
		sqlite3_bind_double(st, at, draw_real(m));
		break;
	case 3:
		bind_bytes(m, st, at, 1);
		break;
	case 4:
		sqlite3_bind_int64(st, at, (int64_t)draw(m, 50));
		break;
	default:
		bind_bytes(m, st, at, 0);
	}
}

/** A rowid of the row's own, here and there far from the others. */
static void insert_rows(struct maker *m, const struct table *t, int rows)
{
	int with_rowid = !t->without_rowid && draw(m, 2);
	sqlite3_str *s = sqlite3_str_new(m->db);
	sqlite3_stmt *st = NULL;
	int count = 0;
	char *sql;

	sqlite3_str_appendf(s, "INSERT OR IGNORE INTO \"%w\"(", t->name);
	for (int i = 0; i < t->column_count; i++) {
		if (t->columns[i].generated)
			continue;
		sqlite3_str_appendf(s, "%s\"%w\"", count++ ? "," : "",
				    t->columns[i].name);
	}
	sqlite3_str_appendf(s, "%s) VALUES(", with_rowid ? ",_rowid_" : "");
	for (int i = 0; i < count + with_rowid; i++)
		sqlite3_str_appendf(s, i ? ",?" : "?");
	sqlite3_str_appendall(s, ")");
	sql = sqlite3_str_finish(s);
	if (sqlite3_prepare_v2(m->db, sql, -1, &st, NULL) == SQLITE_OK) {
		while (rows--) {
			for (int i = 1; i <= count; i++)
				bind_any(m, st, i);
			if (with_rowid && draw(m, 2))
				sqlite3_bind_int64(
					st, count + 1,
					(int64_t)(draw(m, 2000) *
							  draw(m, 1 << 20) -
						  1000));
			sqlite3_step(st);
			sqlite3_reset(st);
			sqlite3_clear_bindings(st);
		}
	}
	sqlite3_finalize(st);
	sqlite3_free(sql);
}

static void make_objects(struct maker *m, const struct table *t)
{
	const char *a = t->columns[0].name;
	const char *b = t->columns[t->column_count - 1].name;

	if (draw(m, 2))
		try_sql(m,
			"CREATE INDEX \"ix %w\" ON \"%w\"(\"%w\" DESC, "
			"\"%w\" COLLATE NOCASE)",
			t->name, t->name, a, b);
	if (draw(m, 4) == 0)
		try_sql(m,
			"CREATE INDEX \"ex %w\" ON \"%w\"(lower(\"%w\")) "
			"WHERE \"%w\" IS NOT NULL",
			t->name, t->name, a, b);
	if (draw(m, 3) == 0)
		try_sql(m,
			"CREATE TRIGGER \"tr %w\" AFTER INSERT ON \"%w\" "
			"BEGIN DELETE FROM \"%w\"; END",
			t->name, t->name, t->name);
	if (draw(m, 3) == 0)
		try_sql(m, "CREATE VIEW \"v %w\" AS SELECT \"%w\" FROM \"%w\"",
			t->name, a, t->name);
	if (draw(m, 6) == 0)
		try_sql(m, "ALTER TABLE \"%w\" ADD COLUMN added DEFAULT 'old'",
			t->name);
}

/** Change declared types behind the rows' back: values that the new types
 *  would convert, and NOT NULL that NULLs violate. */
static void tamper(struct maker *m)
{
	try_sql(m, "PRAGMA writable_schema=ON");
	try_sql(m, "UPDATE sqlite_schema SET sql = replace(sql, ' BLOB', ' "
		   "INTEGER') WHERE type = 'table' AND sql NOT LIKE "
		   "'%%STRICT%%'");
	if (draw(m, 2))
		try_sql(m, "UPDATE sqlite_schema SET sql = replace(sql, ' "
			   "NUMERIC', ' TEXT NOT NULL') WHERE type = 'table' "
			   "AND sql NOT LIKE '%%UNIQUE%%' AND sql NOT LIKE "
			   "'%%PRIMARY%%'");
	try_sql(m, "PRAGMA writable_schema=RESET");
}

static void settings(struct maker *m)
{
	static const char *const encodings[] = { "UTF-8", "UTF-8", "UTF-16le",
						 "UTF-16be" };
	static const int sizes[] = { 512, 1024, 4096, 4096, 8192 };

	try_sql(m, "PRAGMA page_size=%d", sizes[draw(m, 5)]);
	try_sql(m, "PRAGMA encoding='%s'", PICK(m, encodings));
	try_sql(m, "PRAGMA auto_vacuum=%d", (int)draw(m, 3));
	try_sql(m, "PRAGMA user_version=%d", (int)draw(m, 1000) - 500);
	try_sql(m, "PRAGMA application_id=%d", (int)draw(m, 1000));
	if (draw(m, 4) == 0)
		try_sql(m, "PRAGMA journal_mode=WAL");
	if (draw(m, 2))
		try_sql(m, "PRAGMA recursive_triggers=OFF");
}

void random_db(const char *path, uint64_t seed)
{
	static const char *const stems[] = { "users", "T",    "a/b",
					     "é",     "con",  "x-y",
					     "..",    "q\"t", "select" };
	struct maker m = { .state = seed };

	if (sqlite3_open(path, &m.db) != SQLITE_OK)
		abort();
	sqlite3_exec(m.db, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
	settings(&m);
	m.table_count = 1 + (int)draw(&m, TABLES_MAX);
	for (int i = 0; i < TABLES_MAX; i++) {
		snprintf(m.tables[i].name, sizeof(m.tables[i].name), "%s%d",
			 PICK(&m, stems), i);
		draw_columns(&m, &m.tables[i]);
	}
	sqlite3_exec(m.db, "BEGIN", NULL, NULL, NULL);
	for (int i = 0; i < m.table_count; i++) {
		make_table(&m, &m.tables[i]);
		insert_rows(&m, &m.tables[i], (int)draw(&m, 40));
		if (draw(&m, 60) == 0)
			insert_rows(&m, &m.tables[i], 2500);
	}
	for (int i = 0; i < m.table_count; i++)
		make_objects(&m, &m.tables[i]);
	if (draw(&m, 4) == 0)
		try_sql(&m, "ANALYZE");
	sqlite3_exec(m.db, "COMMIT", NULL, NULL, NULL);
	if (draw(&m, 6) == 0)
		try_sql(&m, "CREATE VIRTUAL TABLE ft USING fts5(a, b); INSERT "
			    "INTO ft VALUES('x y','z')");
	if (draw(&m, 4) == 0)
		tamper(&m);
	if (sqlite3_close(m.db) != SQLITE_OK)
		abort();
}
