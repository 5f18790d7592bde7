/*
 * test_parts_fingerprint.c - what a fingerprint of a part tells
 */
#include "tests/database/parts_fixture.h"

static const unsigned char key[PARTS_KEY_SIZE] = { 3, 1, 4, 1, 5, 9 };

/* Fingerprints of all leaves of a table, behind each other. */
static void fingerprints(const char *path, const char *table,
			 const unsigned char *with, struct buffer *out)
{
	struct reader r = reader_open(path);
	struct error err = ERROR_INIT;
	struct parts *p;

	buffer_clear(out);
	assert_int_equal(
		database_parts(r.db, catalog_table(r.catalog, table), &p, &err),
		0);
	assert_int_equal(parts_fingerprint(p, with, 0, SIZE_MAX, out, &err), 0);
	assert_int_equal(out->size, parts_count(p) * PARTS_FINGERPRINT_SIZE);
	parts_free(p);
	reader_close(&r);
}

/* How many of the leaves have other fingerprints now? */
static size_t changed(const char *path, const char *table, const char *text)
{
	struct buffer before = BUFFER_INIT, after = BUFFER_INIT;
	size_t i, count = 0;

	fingerprints(path, table, key, &before);
	make(path, text);
	fingerprints(path, table, key, &after);
	assert_int_equal(before.size, after.size);
	for (i = 0; i < before.size; i += PARTS_FINGERPRINT_SIZE)
		count += memcmp(before.data + i, after.data + i,
				PARTS_FINGERPRINT_SIZE) != 0;
	buffer_release(&before);
	buffer_release(&after);
	return count;
}

static void a_fingerprint_tells_of_its_leaf_and_what_overflows(void **state)
{
	struct fixture *f = *state;

	make_rows(f->a, "PRAGMA page_size=1024;");
	assert_int_equal(changed(f->a, "t",
				 "CREATE TABLE other(a);"
				 "INSERT INTO u VALUES(1, 2, 3)"),
			 0);
	assert_int_equal(
		changed(f->a, "t", "UPDATE t SET b = b + 1 WHERE id = 500"), 1);
	/* its last byte lies in an overflow page */
	assert_int_equal(changed(f->a, "t",
				 "UPDATE t SET d = CAST(substr(d, 1, "
				 "length(d) - 1) || x'01' AS BLOB) "
				 "WHERE id = (SELECT max(id) FROM t "
				 "WHERE length(d) > 4500)"),
			 1);
	assert_parts(f->a, NULL);
}

/* Each row is in one leaf, or between two of them. */
static void a_fingerprint_tells_of_the_row_behind_its_leaf(void **state)
{
	struct fixture *f = *state;
	char text[128];
	int i;

	make(f->a,
	     "PRAGMA page_size=512; CREATE TABLE k(a, b, PRIMARY KEY(a)) "
	     "WITHOUT ROWID;" COUNT(500) "INSERT INTO k SELECT i, "
					 "zeroblob(90) FROM n; UPDATE k SET "
					 "b = zeroblob(2000) WHERE a % 7 = 0");
	for (i = 1; i <= 60; i++) {
		snprintf(text, sizeof(text),
			 "UPDATE k SET b = CAST(substr(b, 1, length(b) - 1) || "
			 "x'01' AS BLOB) WHERE a = %d",
			 i);
		assert_int_equal(changed(f->a, "k", text), 1);
	}
	assert_parts(f->a, NULL);
}

static void a_fingerprint_depends_on_the_key(void **state)
{
	static const unsigned char other[PARTS_KEY_SIZE] = { 2, 7, 1, 8, 2, 8 };
	struct buffer a = BUFFER_INIT, b = BUFFER_INIT;
	struct fixture *f = *state;
	size_t i;

	make_rows(f->a, "");
	fingerprints(f->a, "t", key, &a);
	fingerprints(f->a, "t", other, &b);
	assert_int_equal(a.size, b.size);
	assert_true(a.size > 0);
	for (i = 0; i < a.size; i += PARTS_FINGERPRINT_SIZE)
		assert_memory_not_equal(a.data + i, b.data + i,
					PARTS_FINGERPRINT_SIZE);
	buffer_release(&a);
	buffer_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(
			a_fingerprint_tells_of_its_leaf_and_what_overflows),
		fixture_test(a_fingerprint_tells_of_the_row_behind_its_leaf),
		fixture_test(a_fingerprint_depends_on_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
