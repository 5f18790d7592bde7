/*
 * test_parts.c - random databases, read in parts and through SQL
 *
 * usage: property_test_parts [ROUNDS [FIRST_SEED]]
 *        property_test_parts DATABASE ...
 *
 * The second form reads given databases, and tells what can't be read in
 * parts.
 */
#include "tests/database/same_parts.h"

#include <inttypes.h>

#include "tests/property/random_db.h"
#include "tests/property/same_db.h"

/* All tables, in runs of `step` leaves. */
static void compare(const char *path, size_t step, int tell)
{
	struct error err = ERROR_INIT;
	struct reader r = { NULL, NULL };
	size_t i;

	if (database_open(&r.db, path, NULL, &err) < 0 ||
	    database_begin(r.db, &err) < 0 ||
	    database_catalog(r.db, &r.catalog, &err) < 0) {
		if (tell)
			printf("%s\n", err.message);
		reader_close(&r);
		return;
	}
	for (i = 0; i < r.catalog->table_count; i++) {
		const struct table *t = &r.catalog->tables[i];
		int rc = compare_table(r.db, t, step);

		if (rc && tell)
			printf("%s: table '%s' is %s\n", path, t->name,
			       rc == 1 ? "not in parts" : "odd");
		else if ((rc == 1) !=
			 (t->order != ORDER_ROWID && t->order != ORDER_KEY))
			fail_msg("table '%s' in parts: %d", t->name, rc);
	}
	reader_close(&r);
}

static uint64_t rounds = 500, first = 1, seed;

static void rows_by_parts_are_rows_by_sql(void **state)
{
	struct fixture *f = *state;

	for (seed = first; seed < first + rounds; seed++) {
		unlink(f->a);
		random_db(f->a, seed);
		if (!is_malformed(f->a))
			compare(f->a, seed % 4, 0);
	}
}

static int teardown(void **state)
{
	if (seed < first + rounds)
		printf("to repeat it: property_test_parts 1 %" PRIu64 "\n",
		       seed);
	return fixture_teardown(state);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_by_parts_are_rows_by_sql,
						fixture_setup, teardown),
	};
	char *end;
	int i;

	if (argc > 1) {
		rounds = strtoull(argv[1], &end, 10);
		if (*end) {
			for (i = 1; i < argc; i++)
				compare(argv[i], 3, 1);
			return 0;
		}
	}
	if (argc > 2)
		first = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
