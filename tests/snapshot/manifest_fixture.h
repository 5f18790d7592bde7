/*
 * manifest_fixture.h - files of a snapshot, and one change of them
 */
#ifndef TESTS_SNAPSHOT_MANIFEST_FIXTURE_H
#define TESTS_SNAPSHOT_MANIFEST_FIXTURE_H

#include "tests/snapshot/files.h"

#include "snapshot/catalog.h"
#include "snapshot/manifest.h"

struct world {
	struct files *files;
	struct catalog *catalog;
	struct snapshot_info info;
	struct error err;
};

/* An empty folder. */
static inline int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->files = files_new();
	*state = w;
	return 0;
}

static inline int drop_world(void **state)
{
	struct world *w = *state;

	catalog_free(w->catalog);
	snapshot_info_release(&w->info);
	source_free(&w->files->source);
	free(w);
	return 0;
}

/* One change of a file and what it must lead to. */
struct change {
	const char *find, *replace, *message;
};

/* Replace the first `find` in a file's good text. */
static inline void change_file(struct world *w, const char *path,
			       const char *good, const struct change *c)
{
	struct buffer b = BUFFER_INIT;
	const char *at = strstr(good, c->find);

	assert_non_null(at);
	buffer_add(&b, good, (size_t)(at - good));
	buffer_str(&b, c->replace);
	buffer_str(&b, at + strlen(c->find));
	files_put(w->files, path, b.data, b.size);
	buffer_release(&b);
}

static inline void assert_refused(struct world *w, const char *path,
				  const char *message)
{
	char expected[512];

	snprintf(expected, sizeof(expected), "snapshot 1f2e3d4: %s: %s", path,
		 message);
	assert_string_equal(w->err.message, expected);
	assert_int_equal(w->err.code, ERROR_DAMAGE);
}

/* A test file has a setup() that puts the files as they should be. */
#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, drop_world)

#endif /* TESTS_SNAPSHOT_MANIFEST_FIXTURE_H */
