/*
 * build.c - a new database file from the files of a snapshot
 *
 * The file is built where nobody looks, without a journal.  A table whose types
 * or constraints refuse or change a row (an old schema that was altered by
 * hand) is built bare; as a table cannot change its mind in the middle, the
 * file is then begun anew.
 */
#include "restore/restore.h"

#include <sqlite3.h>
#include <unistd.h>

#include "base/file.h"
#include "database/database.h"
#include "restore/restore_internal.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"
#include "snapshot/object.h"

/* Rows between two calls of the progress function. */
#define TICK_ROWS 4096

struct builder {
	struct source *source;
	const char *path;
	const struct catalog *catalog;
	const struct restore_build *how;
	unsigned char *bare; /* one flag a table */
	uint64_t rows;
	/* what was told last */
	const struct table *table;
	uint64_t table_rows;
};

static int tick(struct builder *b, const struct table *t, uint64_t rows,
		struct error *err)
{
	struct restore_progress *p = b->how->progress;

	b->table = t;
	b->table_rows = rows;
	if (p && p->tick(p, t->name, rows))
		return error_set(err, ERROR_INTERRUPTED, "interrupted");
	return 0;
}

/* Indexes of many rows take a while, too. */
static int stopped(void *payload)
{
	struct builder *b = payload;

	return b->table && tick(b, b->table, b->table_rows, NULL) < 0;
}

/* One table's rows on their way into the database. */
struct table_rows {
	struct row_source source; /* first: the database hands us its address */
	struct builder *builder;
	const struct table *table;
	struct rows_ahead *ahead;
	uint64_t rows;
};

static int next_row(struct row_source *source, int64_t *rowid,
		    const struct value **values, struct error *err)
{
	struct table_rows *r = (struct table_rows *)source;
	int rc = rows_ahead_next(r->ahead, rowid, values, err);

	if (rc > 0 && ++r->rows % TICK_ROWS == 0 &&
	    tick(r->builder, r->table, r->rows, err) < 0)
		return -1;
	return rc;
}

/* @return as database_load() */
static int load_table(struct builder *b, struct database *db,
		      const struct table *t, struct error *err)
{
	struct table_rows r = { { next_row }, b, t, NULL, 0 };
	struct chunk_reader *reader = NULL;
	int rc = -1;

	if (chunk_reader_new(&reader, t, b->source, err) < 0)
		return -1;
	if (rows_ahead_new(&r.ahead, reader, t, b->how->jobs, err) == 0)
		rc = database_load(db, t, &r.source, err);
	if (rc == 0) {
		b->rows += r.rows;
		rc = tick(b, t, r.rows, err);
	}
	rows_ahead_free(r.ahead);
	chunk_reader_free(reader);
	return rc;
}

/* @return 0; 1 when table `*refused` must be bare; -1 */
static int fill(struct builder *b, struct database *db, size_t *refused,
		struct error *err)
{
	const struct catalog *c = b->catalog;
	int rc;

	b->rows = 0;
	for (size_t i = 0; i < c->table_count; i++) {
		const struct table *t = &c->tables[i];
		struct restore_gate *gate = b->how->gate;

		if (gate && gate->wait(gate, i, err) < 0)
			return -1;
		if (database_create_table(db, t, b->bare[i], err) < 0)
			return -1;
		rc = load_table(b, db, t, err);
		if (rc) {
			*refused = i;
			return rc;
		}
	}
	if (database_rows_done(db, err) < 0)
		return -1;
	if (b->how->watch)
		b->how->watch->rows_done(b->how->watch, b->path);
	return database_complete(db, err);
}

static int keep_stand_ins(struct restore_report *out, const struct database *db,
			  struct error *err)
{
	const char *text = database_stand_ins(db);

	if (!text)
		return 0;
	out->stand_ins = strdup(text);
	return out->stand_ins ? 0 : error_nomem(err);
}

/* One attempt; @return 0; 1 when one more table is in the bare set; -1 */
static int attempt(struct builder *b, const char *path,
		   struct restore_report *out, struct error *err)
{
	struct database_build how = { .stand_ins = b->how->stand_ins,
				      .stopped = stopped,
				      .payload = b };
	struct database *db = NULL;
	size_t refused = 0;
	int rc = -1;

	if (database_create(&db, path, b->catalog, &how, err) < 0)
		goto done;
	rc = fill(b, db, &refused, err);
	if (rc == 1 && b->bare[refused]) {
		/* even the bare table refused: the error says why */
		rc = -1;
	} else if (rc == 1) {
		b->bare[refused] = 1;
		error_clear(err);
	} else if (rc == 0) {
		rc = keep_stand_ins(out, db, err);
	}
done:
	database_close(db);
	if (rc)
		database_remove(path);
	return rc;
}

static int named(const struct restore_build *how, const char *name)
{
	for (size_t i = 0; i < how->bare_count; i++)
		if (!strcmp(how->bare[i], name))
			return 1;
	return 0;
}

static int prepare(struct builder *b, struct error *err)
{
	const struct catalog *c = b->catalog;

	b->bare = calloc(c->table_count + 1, 1);
	if (!b->bare)
		return error_nomem(err);
	for (size_t i = 0; i < c->table_count; i++)
		b->bare[i] = (unsigned char)named(b->how, c->tables[i].name);
	return 0;
}

int restore_build(struct source *s, const struct catalog *c, const char *path,
		  const struct restore_build *how, struct restore_report *out,
		  struct error *err)
{
	static const struct restore_build defaults;
	struct builder b = { .source = s,
			     .path = path,
			     .catalog = c,
			     .how = how ? how : &defaults };
	struct error local = ERROR_INIT;
	int rc = -1;

	memset(out, 0, sizeof *out);
	if (!err)
		err = &local; /* attempts are told apart by it */
	if (file_exists(path) || side_file(path)) {
		error_set(err, ERROR_REFUSED, "'%s' is there already", path);
		goto done;
	}
	if (prepare(&b, err) < 0)
		goto done;
	/* Each further round has one more table in the bare set, so there are
	 * no more rounds than tables. */
	do {
		rc = attempt(&b, path, out, err);
	} while (rc == 1);
	out->rows = b.rows;
done:
	if (rc < 0)
		restore_report_release(out);
	free(b.bare);
	return rc;
}

void restore_report_release(struct restore_report *r)
{
	free(r->stand_ins);
	memset(r, 0, sizeof *r);
}
