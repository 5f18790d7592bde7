/*
 * test_parts_wal.c - rows from a WAL and the file below it are the rows from
 * SQL, whoever checkpoints meanwhile
 */
#include "tests/database/parts_fixture.h"

static const char wal[] =
	"PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;";

static void a_wal_is_read_up_to_the_snapshot(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	struct reader r;

	app_run(sql, wal);
	r = reader_open(f->a); /* nothing in it yet */
	assert_parts_of(&r, NULL);
	app_run(sql, rows);
	assert_parts_of(&r, NULL);
	reader_close(&r);
	r = reader_open(f->a); /* nothing in the file */
	assert_parts_of(&r, NULL);
	app_run(sql, "UPDATE t SET d = 'new'; DELETE FROM u WHERE c = 1;"
		     "PRAGMA wal_checkpoint");
	assert_parts_of(&r, NULL);
	reader_close(&r);
	sqlite3_close(sql);
}

static void a_half_checkpointed_wal_is_read(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	struct reader old, r;

	app_run(sql, wal);
	app_run(sql, rows);
	old = reader_open(f->a);
	/* in place: the first frame behind is a leaf's */
	app_run(sql,
		"UPDATE u SET a = replace(a, 'u', 'v'); PRAGMA wal_checkpoint");
	r = reader_open(f->a);
	app_run(sql, "UPDATE u SET c = 'newer' WHERE rowid % 3 = 0;"
		     "PRAGMA wal_checkpoint");
	assert_parts_of(&r, NULL);
	assert_parts_of(&old, NULL);
	reader_close(&old);
	app_run(sql, "PRAGMA wal_checkpoint");
	assert_parts_of(&r, NULL);
	reader_close(&r);
	sqlite3_close(sql);
}

/* Leaves lie one behind the other in the file, and one of them in the WAL. */
static void a_leaf_in_the_wal_is_not_read_from_the_file(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	char text[64];
	struct reader r;
	int i;

	app_run(sql, wal);
	app_run(sql, rows);
	app_run(sql, "PRAGMA wal_checkpoint(TRUNCATE)");
	for (i = 1; i < 3000; i += 311) {
		snprintf(text, sizeof(text),
			 "UPDATE u SET c = -c - 1 WHERE rowid = %d", i);
		app_run(sql, text);
		r = reader_open(f->a);
		assert_parts_of(&r, NULL);
		reader_close(&r);
	}
	sqlite3_close(sql);
}

/* All is in the file when we begin: then others may begin the WAL anew. */
static void a_wal_that_starts_anew_is_not_read(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	struct reader r;

	app_run(sql, wal);
	app_run(sql, rows);
	app_run(sql, "PRAGMA wal_checkpoint");
	r = reader_open(f->a);
	app_run(sql, "UPDATE t SET d = 'new'; UPDATE u SET a = c;"
		     "PRAGMA wal_checkpoint");
	assert_parts_of(&r, NULL);
	reader_close(&r);
	sqlite3_close(sql);
}

/* A new snapshot of a shrunk database, pages of the old one behind it. */
static void a_shrunk_database_is_read(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	struct reader r;

	app_run(sql, wal);
	app_run(sql, rows);
	app_run(sql, "DELETE FROM u WHERE rowid > 50; VACUUM");
	r = reader_open(f->a);
	assert_parts_of(&r, NULL);
	reader_close(&r);
	sqlite3_close(sql);
}

static void do_something(sqlite3 *sql, uint64_t *seed)
{
	static const char *const things[] = {
		"INSERT INTO t SELECT NULL, a, b, c, d FROM t LIMIT 9",
		"UPDATE t SET c = c || 'x' WHERE id % 7 = abs(random() % 7)",
		"DELETE FROM t WHERE id % 11 = abs(random() % 11)",
		"INSERT INTO u SELECT c, b, a FROM u LIMIT 30",
		"PRAGMA wal_checkpoint(PASSIVE)",
		"PRAGMA wal_checkpoint(PASSIVE)",
		"PRAGMA wal_checkpoint(RESTART)",
		"PRAGMA wal_checkpoint(TRUNCATE)",
	};

	/* a checkpoint may well be in the way of our readers: then it is less
	 * of one */
	sqlite3_exec(
		sql,
		things[next_random(seed) % (sizeof(things) / sizeof(*things))],
		NULL, NULL, NULL);
}

static void readers_and_checkpoints_come_in_any_order(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sql = app_open(f->a);
	struct reader readers[3];
	uint64_t seed = 1;
	int i, at;

	app_run(sql, "PRAGMA page_size=512");
	app_run(sql, wal);
	app_run(sql, rows);
	sqlite3_busy_timeout(sql, 0);
	for (i = 0; i < 3; i++)
		readers[i] = reader_open(f->a);
	for (i = 0; i < 60; i++) {
		at = (int)(next_random(&seed) % 3);
		assert_parts_of(&readers[at], NULL);
		reader_close(&readers[at]);
		do_something(sql, &seed);
		readers[at] = reader_open(f->a);
		do_something(sql, &seed);
		do_something(sql, &seed);
	}
	for (i = 0; i < 3; i++) {
		assert_parts_of(&readers[i], NULL);
		reader_close(&readers[i]);
	}
	sqlite3_close(sql);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_wal_is_read_up_to_the_snapshot),
		fixture_test(a_half_checkpointed_wal_is_read),
		fixture_test(a_leaf_in_the_wal_is_not_read_from_the_file),
		fixture_test(a_wal_that_starts_anew_is_not_read),
		fixture_test(a_shrunk_database_is_read),
		fixture_test(readers_and_checkpoints_come_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
