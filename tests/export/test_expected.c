/*
 * test_expected.c - databases exported again by who knows what they should be
 *
 * What is expected has digests that no rows have: so it shows where one was
 * taken over, and where it was computed.
 */
#include "base/hash.h"
#include "export/cache.h"
#include "tests/export/sample.h"

/* Read from pages (a, b, e), sorted (c), without rows (d). */
static const char tables[] =
	"PRAGMA page_size = 512;"
	"CREATE TABLE a(id INTEGER PRIMARY KEY, v);"
	"CREATE TABLE b(k PRIMARY KEY, v) WITHOUT ROWID;"
	"CREATE TABLE c(k PRIMARY KEY COLLATE app, v) WITHOUT ROWID;"
	"CREATE TABLE d(x);"
	"CREATE TABLE e(x, y);"
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	" WHERE i < 9000) INSERT INTO a SELECT i, 'value ' || i FROM n;"
	"INSERT INTO b SELECT v, id FROM a;"
	"INSERT INTO c SELECT v, id FROM a WHERE id < 500;"
	"INSERT INTO e VALUES('MARKER', NULL), (hex(zeroblob(50000)), 1);"
	"INSERT INTO e SELECT v, 2 FROM a";

#define TABLES 5

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* A database, what it is, and what is expected of it. */
struct world {
	struct sample s;
	struct object_id content;
	struct object_id folders[TABLES];
	struct catalog *catalog;                        /* with false digests */
	unsigned char sha256[TABLES][HASH_SHA256_SIZE]; /* the true ones */
	struct export_expected expected;
};

static void read_catalog(struct sample *s)
{
	struct error err = ERROR_INIT;

	if (database_catalog(s->db, &s->catalog, &err) < 0)
		fail_msg("%s", err.message);
}

static void take_folder(struct world *w, size_t table)
{
	struct source *source = memory_store_source(w->s.store, &w->content);
	struct error err = ERROR_INIT;
	char path[32];

	snprintf(path, sizeof(path), "tables/%s",
		 w->catalog->tables[table].folder);
	if (w->catalog->tables[table].rows)
		assert_int_equal(
			source_tree_id(source, path, &w->folders[table], &err),
			0);
	source_free(source);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	sample_open(&w->s, tables);
	sample_export(&w->s, &w->content);
	w->catalog = w->s.catalog;
	assert_int_equal(w->catalog->table_count, TABLES);
	for (size_t i = 0; i < TABLES; i++) {
		struct table *t = &w->catalog->tables[i];

		take_folder(w, i);
		memcpy(w->sha256[i], t->sha256, sizeof(w->sha256[i]));
		memset(t->sha256, 0xab, sizeof(t->sha256));
	}
	w->expected = (struct export_expected){ w->catalog, w->folders };
	read_catalog(&w->s);
	memory_store_batches(w->s.store, 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	catalog_free(w->catalog);
	sample_close(&w->s);
	free(w);
	return 0;
}

static void export_as(struct world *w, const struct export_expected *expected,
		      struct export_cache *cache, unsigned int jobs,
		      struct object_id *content)
{
	struct export_progress p = { .jobs = jobs,
				     .cache = cache,
				     .expected = expected };
	struct error err = ERROR_INIT;

	if (export_data(w->s.db, w->s.catalog, memory_store_sink(w->s.store),
			&p, content, &err) < 0)
		fail_msg("%s", err.message);
}

/* Whose digests are not those of their rows. */
static void assert_taken(const struct world *w, const char *names)
{
	char taken[TABLES + 1] = "";
	size_t count = 0;

	for (size_t i = 0; i < TABLES; i++) {
		const struct table *t = &w->s.catalog->tables[i];

		assert_int_equal(t->rows, w->catalog->tables[i].rows);
		if (!memcmp(t->sha256, w->sha256[i], sizeof(t->sha256)))
			continue;
		assert_memory_equal(t->sha256, w->catalog->tables[i].sha256,
				    sizeof(t->sha256));
		taken[count++] = *t->name;
	}
	assert_string_equal(taken, names);
}

/* With any number of threads. */
static void expect_taken(struct world *w, const char *names)
{
	struct object_id content;

	for (unsigned int jobs = 1; jobs < 5; jobs++) {
		catalog_free(w->s.catalog);
		w->s.catalog = NULL;
		read_catalog(&w->s);
		export_as(w, &w->expected, NULL, jobs, &content);
		assert_taken(w, names);
		/* the manifest tells the digests */
		assert_int_equal(
			!memcmp(&content, &w->content, sizeof(content)),
			!*names);
	}
}

static void what_comes_out_as_expected_is_what_it_would_be(void **state)
{
	struct world *w = *state;
	struct object_id content;

	for (size_t i = 0; i < TABLES; i++)
		memcpy(w->catalog->tables[i].sha256, w->sha256[i],
		       sizeof(w->sha256[i]));
	export_as(w, &w->expected, NULL, 3, &content);
	assert_memory_equal(&content, &w->content, sizeof(content));
	for (size_t i = 0; i < TABLES; i++) {
		const struct table *t = &w->s.catalog->tables[i];

		assert_int_equal(t->rows, w->catalog->tables[i].rows);
		assert_int_equal(t->bytes, w->catalog->tables[i].bytes);
		assert_memory_equal(t->sha256, w->sha256[i], sizeof(t->sha256));
	}
}

static void digests_of_equal_folders_are_taken_over(void **state)
{
	expect_taken(*state, "abce");
}

static void another_folder_takes_nothing_over_from_there_on(void **state)
{
	/* d has no rows, so any folder is another one */
	static const char *const taken[TABLES] = { "", "a", "ab", "abc",
						   "abc" };
	struct world *w = *state;

	for (size_t i = 0; i < TABLES; i++) {
		w->folders[i].bytes[19] ^= 1;
		expect_taken(w, taken[i]);
		w->folders[i].bytes[19] ^= 1;
	}
}

static void another_number_of_rows_takes_nothing_over(void **state)
{
	struct world *w = *state;
	struct object_id content;

	w->catalog->tables[2].rows++;
	export_as(w, &w->expected, NULL, 2, &content);
	w->catalog->tables[2].rows--;
	assert_taken(w, "ab");
}

static void a_folder_that_is_not_known_is_hashed(void **state)
{
	static const struct object_id unknown;
	struct world *w = *state;

	w->folders[1] = unknown;
	w->catalog->tables[4].name[0] = 'f';
	expect_taken(w, "ac");
	w->expected.folders = NULL;
	expect_taken(w, "");
}

static void tables_that_are_not_expected_are_hashed(void **state)
{
	struct world *w = *state;

	w->catalog->table_count = 2;
	expect_taken(w, "ab");
	w->catalog->table_count = TABLES;
}

/* A NULL of a kind that the file format reserves: such a table is done twice
 * already. */
static void odd_pages_come_out_as_expected_or_not(void **state)
{
	struct world *w = *state;
	struct buffer file = BUFFER_INIT;
	struct error err = ERROR_INIT;
	const char *at;
	FILE *f = fopen(w->s.path, "r+");

	assert_non_null(f);
	assert_int_equal(file_read(w->s.path, 1 << 28, &file, &err), 0);
	at = memmem(file.data, file.size, "MARKER", 6);
	assert_non_null(at);
	assert_int_equal(fseek(f, at - file.data - 1, SEEK_SET), 0);
	assert_int_equal(fputc(10, f), 10);
	assert_int_equal(fclose(f), 0);
	buffer_release(&file);
	expect_taken(w, "abce");
	w->folders[4].bytes[0] ^= 1;
	expect_taken(w, "abc");
	w->folders[0].bytes[0] ^= 1;
	expect_taken(w, "");
}

static void reopen(struct sample *s, int building)
{
	const struct database_options open = { .building = building };
	struct error err = ERROR_INIT;

	catalog_free(s->catalog);
	s->catalog = NULL;
	database_close(s->db);
	s->db = NULL;
	if (database_open(&s->db, s->path, &open, &err) < 0 ||
	    database_begin(s->db, &err) < 0)
		fail_msg("%s", err.message);
	read_catalog(s);
}

/* Export early, and by what that found. */
static void expect_taken_early(struct world *w, const char *names)
{
	struct export_progress p = { .jobs = 3, .expected = &w->expected };
	struct error err = ERROR_INIT;
	struct sink *hash = NULL;
	struct object_id content;

	assert_int_equal(export_cache_new(&p.cache, &err), 0);
	assert_int_equal(hash_sink_new(&hash, &err), 0);
	reopen(&w->s, 1);
	assert_int_equal(export_early(w->s.db, w->s.catalog, hash, &p), 0);
	reopen(&w->s, 0);
	export_cache_turn(p.cache);
	export_as(w, NULL, p.cache, 2, &content);
	assert_taken(w, names);
	hash_sink_free(hash);
	export_cache_free(p.cache);
}

static void what_is_found_early_is_taken_over_as_well(void **state)
{
	expect_taken_early(*state, "abe");
}

/* What is behind it is as good as before. */
static void early_a_table_that_is_another_is_left_out(void **state)
{
	struct world *w = *state;

	w->folders[1].bytes[0] ^= 1;
	expect_taken_early(w, "ae");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(what_comes_out_as_expected_is_what_it_would_be),
		WITH_WORLD(digests_of_equal_folders_are_taken_over),
		WITH_WORLD(another_folder_takes_nothing_over_from_there_on),
		WITH_WORLD(another_number_of_rows_takes_nothing_over),
		WITH_WORLD(a_folder_that_is_not_known_is_hashed),
		WITH_WORLD(tables_that_are_not_expected_are_hashed),
		WITH_WORLD(odd_pages_come_out_as_expected_or_not),
		WITH_WORLD(what_is_found_early_is_taken_over_as_well),
		WITH_WORLD(early_a_table_that_is_another_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
