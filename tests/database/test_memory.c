/*
 * test_memory.c - SQLite runs out of memory at any moment
 */
#include "tests/database/fixture.h"

static sqlite3_mem_methods real;
static long allowed = -1; /* allocations until the first failure; -1: all */

static int fails(void)
{
	return allowed >= 0 && (!allowed || !--allowed);
}

static void *failing_malloc(int size)
{
	return fails() ? NULL : real.xMalloc(size);
}

static void *failing_realloc(void *p, int size)
{
	return fails() ? NULL : real.xRealloc(p, size);
}

static int setup(void **state)
{
	sqlite3_mem_methods failing;

	(void)state;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real),
			 SQLITE_OK);
	failing = real;
	failing.xMalloc = failing_malloc;
	failing.xRealloc = failing_realloc;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing),
			 SQLITE_OK);
	return 0;
}

static int find_parts(struct reader *r, struct error *err)
{
	struct parts *p;
	size_t i;

	for (i = 0; i < r->catalog->table_count; i++) {
		if (database_parts(r->db, &r->catalog->tables[i], &p, err) < 0)
			return -1;
		parts_free(p);
	}
	return 0;
}

/* Read, build, check. @return 0 or -1 */
static int go_all_the_way(struct fixture *f, int bare, struct error *err)
{
	struct reader r = { NULL, NULL };
	struct database_check check;
	struct database *built = NULL;
	int rc = -1;

	if (database_open(&r.db, f->a, NULL, err) < 0 ||
	    database_begin(r.db, err) < 0 ||
	    database_catalog(r.db, &r.catalog, err) < 0 ||
	    find_parts(&r, err) < 0 ||
	    build(&r, f->b, 1, bare, NULL, err) < 0 ||
	    database_open(&built, f->b, NULL, err) < 0 ||
	    database_check(built, NULL, &check, err) < 0)
		goto done;
	database_check_release(&check);
	rc = 0;
done:
	database_close(built);
	reader_close(&r);
	unlink(f->b);
	return rc;
}

static void run_out(struct fixture *f, int bare)
{
	long n, failures = 0;
	int rc = -1;

	/* each moment at first, then some of the many that come */
	for (n = 1; rc < 0; n += 1 + n / 150) {
		struct error err = ERROR_INIT;

		allowed = n;
		rc = go_all_the_way(f, bare, &err);
		/* what SQLite can do without, it does without: then goes on to
		 * the next moment */
		if (rc == 0 && !allowed)
			rc = -1;
		allowed = -1;
		if (err.code != ERROR_NONE && err.code != ERROR_NOMEM)
			fail_msg("after %ld: %s", n, err.message);
		failures += err.code == ERROR_NOMEM;
		assert_false(file_exists(f->b));
	}
	assert_true(failures > 200);
}

static void running_out_of_memory_is_told_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	make(f->a,
	     "PRAGMA encoding='UTF-16le';"
	     "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT"
	     " UNIQUE, g AS (v || 'x') STORED);"
	     "INSERT INTO p(v) VALUES('one'), ('two');"
	     "CREATE TABLE w(a, b, c REFERENCES p, PRIMARY KEY(b, a))"
	     " WITHOUT ROWID; INSERT INTO w VALUES(1, 'x', 3);"
	     "CREATE INDEX i ON w(c) WHERE a > 0;"
	     "CREATE VIEW v AS SELECT 1; CREATE TRIGGER t AFTER INSERT ON "
	     "p BEGIN SELECT 1; END; PRAGMA user_version=3");
	run_out(f, 0);
	run_out(f, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(running_out_of_memory_is_told_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
