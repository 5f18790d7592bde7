/*
 * index_twins.h - the same index, made by us and by SQLite
 *
 * Both files hold the same rows.  The entries must be the same byte for byte
 * and in the same order, SQLite must find nothing wrong, and our file must not
 * be the larger one.
 */
#ifndef TESTS_DATABASE_INDEX_TWINS_H
#define TESTS_DATABASE_INDEX_TWINS_H

#include "tests/database/page_twins.h"

#include "database/sqlite_index_make.h"

/* What is made; zeroed: the usual. */
struct index_case {
	int page_size, reserved;
	const char *setup;  /* tables, rows */
	const char *create; /* CREATE INDEX i ON t(...) */
	size_t sort_bytes;
	int partial;
	int refused; /* out: SQLite says that the rows violate it */
};

static inline void get_entries(const char *path, uint32_t root,
			       struct buffer *out, int64_t *count)
{
	struct reader r = reader_open(path);
	struct pages *p = database_pages(r.db);
	struct buffer payload = BUFFER_INIT;
	unsigned char *page;
	struct leaves leaves;
	struct cells cells;
	struct cell c;
	int rc;

	assert_non_null(p);
	page = malloc(PAGES_RUN_BYTES);
	assert_int_equal(leaves_find(&leaves, p, root), 0);
	assert_int_equal(cells_open(&cells, &leaves), 0);
	cells_range(&cells, 0, SIZE_MAX);
	*count = 0;
	while ((rc = cells_next(&cells, &c)) == 1) {
		assert_int_equal(cell_payload(p, &c, page, &payload), 0);
		buffer_add(out, &payload.size, sizeof(payload.size));
		buffer_add(out, payload.data, payload.size);
		++*count;
	}
	assert_int_equal(rc, 0);
	free(page);
	buffer_release(&payload);
	cells_release(&cells);
	leaves_release(&leaves);
	reader_close(&r);
}

static inline int64_t assert_same_entries(struct fixture *f, uint32_t ours,
					  uint32_t theirs)
{
	struct buffer a = BUFFER_INIT, b = BUFFER_INIT;
	int64_t count, other;

	get_entries(f->a, ours, &a, &count);
	get_entries(f->b, theirs, &b, &other);
	assert_int_equal(count, other);
	assert_int_equal(a.size, b.size);
	if (a.size)
		assert_memory_equal(a.data, b.data, a.size);
	buffer_release(&a);
	buffer_release(&b);
	return count;
}

static inline void tell_schema(sqlite3 *sql, const char *create, uint32_t root)
{
	char *text = sqlite3_mprintf(
		"PRAGMA writable_schema = ON; INSERT INTO sqlite_schema "
		"VALUES('index', 'i', 't', %u, %Q)",
		root, create);

	app_run(sql, text);
	sqlite3_free(text);
	app_run(sql, "PRAGMA writable_schema = RESET");
}

/* Is it an index that must be unique? */
static inline int is_unique(const char *create)
{
	return !sqlite3_strnicmp(create, "CREATE UNIQUE", 13);
}

/* Plan by what SQLite made in `theirs`, make it in `ours`.
 * @return as index_make() */
static inline int make_index(struct database *ours, struct database *theirs,
			     const struct index_case *c, uint32_t *root)
{
	struct table t;
	struct record_plan rows;
	struct index_plan plan;
	struct error err = ERROR_INIT;
	struct index_making m = {
		.db = ours,
		.table = &t,
		.table_root = root_of(ours->sql, "t"),
		.rows = &rows,
		.plan = &plan,
		.what = "index 'i'",
		.sort_bytes = c->sort_bytes ? c->sort_bytes : INDEX_SORT_BYTES,
	};
	int rc;

	memset(&t, 0, sizeof(t));
	memset(&plan, 0, sizeof(plan));
	assert_int_equal(table_read(theirs->sql, "t", &t, &err), 0);
	assert_int_equal(record_plan(theirs, &t, &rows, &err), 0);
	assert_int_equal(index_plan_read(&plan, theirs, &t, &rows, "i",
					 c->partial, &err),
			 0);
	assert_int_equal(plan.filter >= 0, c->partial);
	plan.unique = is_unique(c->create);
	rc = index_make(&m, root, &err);
	if (rc < 0)
		fail_msg("%s", err.message);
	index_plan_release(&plan);
	record_plan_release(&rows);
	table_release(&t);
	return rc;
}

/* Make both. @return as index_make(), and the number of entries */
static inline int index_twins(struct fixture *f, struct index_case *c,
			      int64_t *count)
{
	int size = c->page_size ? c->page_size : 512;
	struct database ours = { .path = f->a }, theirs = { .path = f->b };
	uint32_t root = 0, their_root;
	int64_t before;
	int rc;

	ours.sql = make_file(f->a, size, c->reserved, c->setup);
	theirs.sql = make_file(f->b, size, c->reserved, c->setup);
	app_run(ours.sql, "SELECT * FROM t"); /* for SQLite to keep in mind */
	before = file_bytes(f->a);
	c->refused = sqlite3_exec(theirs.sql, c->create, NULL, NULL, NULL) ==
		     SQLITE_CONSTRAINT;
	if (c->refused) {
		/* the plan is that of an index which is not unique */
		char *plain = sqlite3_mprintf("CREATE %s", c->create + 14);

		app_run(theirs.sql, plain);
		sqlite3_free(plain);
	}
	rc = make_index(&ours, &theirs, c, &root);
	if (rc) {
		assert_int_equal(file_bytes(f->a), before);
		assert_sound(ours.sql);
	} else {
		tell_schema(ours.sql, c->create, root);
		assert_sound(ours.sql);
	}
	their_root = root_of(theirs.sql, "i");
	sqlite3_close(ours.sql);
	sqlite3_close(theirs.sql);
	if (!rc) {
		*count = assert_same_entries(f, root, their_root);
		/* where sizes differ much, SQLite may fit them better */
		assert_true(file_bytes(f->a) <= file_bytes(f->b) + size);
	}
	return rc;
}

static inline void assert_made(struct fixture *f, struct index_case *c,
			       int64_t want)
{
	int64_t count = -1;

	assert_int_equal(index_twins(f, c, &count), 0);
	assert_int_equal(count, want);
}

#endif /* TESTS_DATABASE_INDEX_TWINS_H */
