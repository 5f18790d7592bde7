/*
 * sample.h - a database made from SQL, opened for export, and a store for what
 * comes out
 */
#ifndef TESTS_EXPORT_SAMPLE_H
#define TESTS_EXPORT_SAMPLE_H

/* cmocka.h wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "database/database.h"
#include "export/export.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest.h"
#include "tests/support/memory_store.h"

struct sample {
	char *folder, *path;
	struct database *db;
	struct catalog *catalog;
	struct memory_store *store;
};

/* A collation that the application has and dbstow has not: backwards. */
static inline int sample_collate(void *payload, int a_size, const void *a,
				 int b_size, const void *b)
{
	int order = memcmp(b, a, (size_t)(a_size < b_size ? a_size : b_size));

	(void)payload;
	return order ? order : b_size - a_size;
}

/** @param sql  may use the collation "app" */
static inline void sample_open(struct sample *s, const char *sql)
{
	const struct database_options options = { .allow_empty = 1 };
	const char *parent = getenv("TMPDIR");
	struct error err = ERROR_INIT;
	sqlite3 *db;

	assert_int_equal(scratch_make(&s->folder, parent ? parent : "/tmp",
				      "dbstow-test", &err),
			 0);
	s->path = path_join(s->folder, "sample.db");
	assert_int_equal(sqlite3_open(s->path, &db), SQLITE_OK);
	sqlite3_create_collation(db, "app", SQLITE_UTF8, NULL, sample_collate);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	s->store = memory_store_new();
	s->db = NULL;
	s->catalog = NULL;
	if (database_open(&s->db, s->path, &options, &err) < 0 ||
	    database_begin(s->db, &err) < 0 ||
	    database_catalog(s->db, &s->catalog, &err) < 0)
		fail_msg("%s", err.message);
}

static inline void sample_close(struct sample *s)
{
	catalog_free(s->catalog);
	database_close(s->db);
	memory_store_free(s->store);
	scratch_remove(s->folder);
	free(s->path);
	free(s->folder);
}

/** Export data/; the snapshot's files are read with sample_file(). */
static inline void sample_export(struct sample *s, struct object_id *content)
{
	struct error err = ERROR_INIT;

	if (export_data(s->db, s->catalog, memory_store_sink(s->store), NULL,
			content, &err) < 0)
		fail_msg("%s", err.message);
}

/** A file below the tree `id`, NUL-terminated; NULL when it is not there. The
 *  caller frees it. */
static inline char *sample_file(struct sample *s, const struct object_id *id,
				const char *path, size_t *size)
{
	struct source *source = memory_store_source(s->store, id);
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	int rc = source->read(source, path, &out, &err);

	assert_true(rc >= 0);
	source_free(source);
	if (size)
		*size = out.size;
	if (rc > 0) {
		buffer_release(&out);
		return NULL;
	}
	return buffer_detach(&out);
}

/* A sink whose n-th object finds the disk full. */
struct full_sink {
	struct sink sink;
	struct sink *behind;
	int left;
};

static inline int full_sink_put(struct sink *sink, enum object_type type,
				const char *name, const void *data, size_t size,
				struct object_id *id, struct error *err)
{
	struct full_sink *f = (struct full_sink *)sink;

	if (!f->left--)
		return error_set(err, ERROR_NOSPACE, "the disk is full");
	return f->behind->put(f->behind, type, name, data, size, id, err);
}

#endif /* TESTS_EXPORT_SAMPLE_H */
