/*
 * records_fixture.h - a record snapshot in memory, and a target
 */
#ifndef TESTS_RESTORE_RECORDS_FIXTURE_H
#define TESTS_RESTORE_RECORDS_FIXTURE_H

#include "tests/restore/test_restore.h"

#include "base/buffer.h"
#include "restore/restore.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"
#include "snapshot/manifest.h"
#include "snapshot/model_map.h"
#include "snapshot/name.h"
#include "snapshot/object.h"
#include "snapshot/records.h"
#include "tests/support/memory_store.h"

/* A model's records as others write them, in the order of their pks. */
struct given_model {
	const char *name;
	const char *records[8];
};

struct given {
	struct memory_store *store;
	struct source *source;
	struct records *records;
	struct model_map *map;
	struct restore_records how;
};

static inline struct table *given_table(struct catalog *c, const char *name)
{
	struct table *t = catalog_add_table(c);
	char folder[NAME_FOLDER_SIZE];

	assert_non_null(t);
	assert_int_equal(name_folder(folder, name, strlen(name), NULL), 0);
	t->order = ORDER_RECORDS;
	t->name = strdup(name);
	t->folder = strdup(folder);
	return t;
}

static inline void put_line(struct chunk_segment *to, const char *text)
{
	struct record_reader *reader;
	struct buffer line = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct record r;

	assert_int_equal(record_reader_new(&reader, &err), 0);
	if (record_from_json(reader, text, strlen(text), &r, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	buffer_add(&line, r.line.data, r.line.size);
	buffer_byte(&line, '\n');
	assert_int_equal(chunk_segment_line(to, line.data, line.size, r.pk.data,
					    r.pk.size, &err),
			 0);
	buffer_release(&line);
	record_reader_free(reader);
}

static inline void put_records(struct table *t, const struct given_model *m,
			       struct sink *s, struct object_id *id)
{
	struct chunk_place place = { .exact = 1 };
	struct chunk_segment *segment = NULL;
	struct chunk_writer *writer = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(chunk_writer_new(&writer, t, s, &err), 0);
	assert_int_equal(chunk_segment_new(&segment, s, &err), 0);
	assert_int_equal(chunk_segment_begin(segment, t, &place, NULL, &err),
			 0);
	for (size_t i = 0; m->records[i]; i++)
		put_line(segment, m->records[i]);
	assert_int_equal(chunk_segment_put(segment, &err), 0);
	assert_int_equal(chunk_writer_add(writer, segment, &err), 0);
	if (chunk_writer_finish(writer, t, id, &err) < 0)
		fail_msg("%s", err.message);
	chunk_segment_free(segment);
	chunk_writer_free(writer);
}

static inline void put_folder(struct tree *t, struct sink *s, struct tree *in,
			      const char *name)
{
	struct error err = ERROR_INIT;
	struct object_id id;

	assert_int_equal(tree_put(t, s, &id, &err), 0);
	if (in)
		assert_int_equal(tree_add(in, name, 1, &id, &err), 0);
}

/* The models end with one that has no name. */
static inline void given_models(struct given *g,
				const struct given_model *models)
{
	struct catalog *c = catalog_new();
	struct tree root = { 0 }, data = { 0 }, tables = { 0 };
	struct buffer manifest = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct object_id id;
	struct sink *s;

	memset(g, 0, sizeof(*g));
	g->store = memory_store_new();
	s = memory_store_sink(g->store);
	c->engine = strdup(RECORDS_ENGINE);
	for (; models->name; models++) {
		struct table *t = given_table(c, models->name);

		put_records(t, models, s, &id);
		if (t->rows)
			assert_int_equal(
				tree_add(&tables, t->folder, 1, &id, &err), 0);
	}
	assert_int_equal(manifest_write(&manifest, c, &err), 0);
	assert_int_equal(s->put(s, OBJECT_BLOB, NULL, manifest.data,
				manifest.size, &id, &err),
			 0);
	assert_int_equal(tree_add(&data, "manifest.json", 0, &id, &err), 0);
	if (tables.count)
		put_folder(&tables, s, &data, "tables");
	put_folder(&data, s, &root, "data");
	assert_int_equal(tree_put(&root, s, &id, &err), 0);
	g->source = memory_store_source(g->store, &id);
	if (records_open(&g->records, g->source, &err) < 0)
		fail_msg("%s", err.message);
	buffer_release(&manifest);
	catalog_free(c);
}

static inline void given_release(struct given *g)
{
	model_map_free(g->map);
	records_free(g->records);
	source_free(g->source);
	memory_store_free(g->store);
}

static inline void given_map(struct given *g, void **state, const char *text)
{
	const char *path = in_folder(state, "map.json");
	struct error err = ERROR_INIT;

	write_bytes(path, text, strlen(text));
	if (model_map_read(&g->map, path, &err) < 0)
		fail_msg("%s", err.message);
	g->how.map = g->map;
}

/* Stage for app.db and replay there.  @return as restore_records() */
static inline int staged_into(void **state, struct given *g, int dry_run,
			      struct restore_changes *changes,
			      struct error *err)
{
	struct restore_selection what = { .dry_run = dry_run };
	struct staged_records staged;
	int rc;

	memset(changes, 0, sizeof(*changes));
	unlink(in_folder(state, "staged.db"));
	rc = restore_records(g->records, in_folder(state, "app.db"),
			     in_folder(state, "staged.db"), &g->how, &staged,
			     err);
	if (rc < 0) {
		assert_false(file_exists(in_folder(state, "staged.db")));
		return rc;
	}
	what.records = &staged;
	what.tables = staged.tables;
	what.table_count = staged.table_count;
	rc = restore_into(in_folder(state, "staged.db"), staged.catalog,
			  in_folder(state, "app.db"), &what, changes, err);
	staged_records_release(&staged);
	return rc;
}

/* "table +1 ~2 -3, ..." */
static inline void restores(void **state, struct given *g, const char *expected)
{
	struct buffer text = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct restore_changes c;

	if (staged_into(state, g, 0, &c, &err) < 0)
		fail_msg("%s", err.message);
	for (size_t i = 0; i < c.count; i++)
		buffer_printf(&text, "%s%s +%d ~%d -%d", i ? ", " : "",
			      c.changes[i].table, (int)c.changes[i].inserted,
			      (int)c.changes[i].updated,
			      (int)c.changes[i].deleted);
	assert_string_equal(buffer_cstr(&text), expected);
	buffer_release(&text);
	restore_changes_release(&c);
}

static inline void refuses(void **state, struct given *g, enum error_code code,
			   const char *message)
{
	struct error err = ERROR_INIT;
	struct restore_changes c;

	assert_int_equal(staged_into(state, g, 0, &c, &err), -1);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, code);
}

static inline void reads_back(void **state, struct given *g)
{
	struct error err = ERROR_INIT;

	if (restore_records_check(g->records, in_folder(state, "app.db"),
				  &g->how, &err) < 0)
		fail_msg("%s", err.message);
}

static inline void differs_as(void **state, struct given *g,
			      const char *message)
{
	struct error err = ERROR_INIT;

	assert_int_equal(restore_records_check(g->records,
					       in_folder(state, "app.db"),
					       &g->how, &err),
			 -1);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, ERROR_DAMAGE);
}

#endif /* TESTS_RESTORE_RECORDS_FIXTURE_H */
