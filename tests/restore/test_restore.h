/*
 * test_restore.h - a folder and databases for the tests of restore/
 */
#ifndef TESTS_RESTORE_TEST_RESTORE_H
#define TESTS_RESTORE_TEST_RESTORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "restore/restore.h"

/* A folder of its own for each test; its path is the test's state. */
static inline int make_folder(void **state)
{
	const char *parent = getenv("TMPDIR");
	char path[512];

	snprintf(path, sizeof path, "%s/dbstow-test-XXXXXX",
		 parent ? parent : "/tmp");
	if (!mkdtemp(path))
		return -1;
	*state = strdup(path);
	return *state ? 0 : -1;
}

static inline int drop_folder(void **state)
{
	scratch_remove(*state);
	free(*state);
	return 0;
}

#define FOLDER_TEST(f)                                                         \
	cmocka_unit_test_setup_teardown(f, make_folder, drop_folder)

/* A path in the test's folder; up to eight at a time. */
static inline const char *in_folder(void **state, const char *name)
{
	static char paths[8][1024];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof paths[0], "%s/%s", (char *)*state, name);
	return path;
}

static inline sqlite3 *opened(const char *path)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 100);
	return db;
}

static inline void run(sqlite3 *db, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
}

static inline void sql(const char *path, const char *text)
{
	sqlite3 *db = opened(path);

	run(db, text);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* All rows as text: values by '|', rows by '/'. Four results at a time. */
static inline const char *rows_of(sqlite3 *db, const char *query)
{
	static char results[4][4096];
	static int next;
	const size_t room = sizeof results[0];
	char *out = results[next++ % 4];
	sqlite3_stmt *stmt;
	size_t used = 0;

	if (sqlite3_prepare_v2(db, query, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", query, sqlite3_errmsg(db));
	out[0] = 0;
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(stmt); i++) {
			const char *v =
				(const char *)sqlite3_column_text(stmt, i);

			used += (size_t)snprintf(out + used, room - used,
						 "%s%s",
						 i      ? "|"
						 : used ? "/"
							: "",
						 v ? v : "NULL");
			assert_true(used < room);
		}
	}
	if (sqlite3_finalize(stmt) != SQLITE_OK)
		fail_msg("%s: %s", query, sqlite3_errmsg(db));
	return out;
}

static inline const char *rows(const char *path, const char *query)
{
	sqlite3 *db = opened(path);
	const char *out = rows_of(db, query);

	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return out;
}

static inline void write_bytes(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

/* What an error must be; `fmt` may hold paths. */
static inline void assert_error(const struct error *err, enum error_code code,
				const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static inline void assert_error(const struct error *err, enum error_code code,
				const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	assert_string_equal(err->message, text);
	assert_int_equal(err->code, code);
}

/* What is at `path`? */
static inline enum restore_target look(const char *path)
{
	struct error err = ERROR_INIT;
	enum restore_target found = TARGET_DAMAGED;
	char *real = NULL;

	if (restore_inspect(path, &found, &real, NULL, &err) < 0)
		fail_msg("%s", err.message);
	free(real);
	return found;
}

#endif /* TESTS_RESTORE_TEST_RESTORE_H */
