/*
 * parts_fixture.h - tables with rows of all sorts, to be read in parts
 */
#ifndef TESTS_DATABASE_PARTS_FIXTURE_H
#define TESTS_DATABASE_PARTS_FIXTURE_H

#include "tests/database/same_parts.h"

/* All tables with rowids or a key, whole and leaf by leaf; `odd` as that. */
static inline void assert_parts_of(struct reader *r, const char *odd)
{
	size_t i;

	for (i = 0; i < r->catalog->table_count; i++) {
		const struct table *t = &r->catalog->tables[i];
		int is = t->order == ORDER_ROWID || t->order == ORDER_KEY;
		int want = !is ? 1 : odd && !strcmp(odd, t->name) ? 2 : 0;

		assert_int_equal(compare_table(r->db, t, 0), want);
		assert_int_equal(compare_table(r->db, t, 1), want);
	}
}

static inline void assert_parts(const char *path, const char *odd)
{
	struct reader r = reader_open(path);

	assert_parts_of(&r, odd);
	reader_close(&r);
}

#define COUNT(n)                                                               \
	"WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n "     \
	"WHERE i < " #n ") "

/* Rows of all sorts, many of them longer than a page. */
static const char rows[] =
	"CREATE TABLE t(id INTEGER PRIMARY KEY, a, b REAL, c TEXT, d);"
	"CREATE TABLE u(a, b DOUBLE PRECISION, c INT);" COUNT(
		400) "INSERT INTO t SELECT i * 7 - 900, "
		     "CASE i % 9 WHEN 0 THEN NULL WHEN 1 THEN i WHEN 2 THEN "
		     "-i * 1000 WHEN 3 THEN i * 10000000 WHEN 4 THEN "
		     "-i * 30000000000 WHEN 5 THEN i * 9000000000000000 WHEN 6 "
		     "THEN i / 3.0 WHEN 7 THEN i % 2 ELSE x'00ff' || i END, "
		     "i % 5, substr('caf\xc3\xa9 \xf0\x9f\x98\x80', 1, i % 9) "
		     "|| i, zeroblob(i * i % 5000) FROM n;" COUNT(
			     3000) "INSERT INTO u SELECT 'u' || i, i, i % 3 "
				   "FROM n;"
				   "INSERT INTO u(rowid) VALUES"
				   "(-9223372036854775808), "
				   "(9223372036854775807);"
				   "CREATE TABLE k(d, r REAL, c TEXT, b, "
				   "PRIMARY KEY(c DESC, b)) WITHOUT ROWID;"
				   "INSERT INTO k SELECT d, b, c, id FROM t;"
				   "INSERT INTO k SELECT NULL, c, a, b FROM u "
				   "WHERE a NOT NULL;";

static inline void make_rows(const char *path, const char *pragmas)
{
	struct buffer text = BUFFER_INIT;

	buffer_str(&text, pragmas);
	buffer_str(&text, rows);
	unlink(path);
	make(path, buffer_cstr(&text));
	buffer_release(&text);
}

static inline uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

#endif /* TESTS_DATABASE_PARTS_FIXTURE_H */
