/*
 * data.c - the folder data/ of a snapshot: rows, manifest, schema
 */
#include "export/export.h"

#include "base/buffer.h"
#include "base/error.h"
#include "export/export_internal.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"
#include "snapshot/manifest.h"

/* Rows of one table on their way into chunks. */
struct chunk_taker {
	struct row_taker taker; /* first: the callbacks get its address */
	struct chunk_writer *writer;
};

static int take_row(struct row_taker *taker, int64_t rowid,
		    const struct value *values, struct error *err)
{
	struct chunk_taker *c = (struct chunk_taker *)taker;

	return chunk_writer_row(c->writer, rowid, values, err);
}

static int take_unsorted(struct row_taker *taker, int64_t rowid,
			 const struct value *values, struct buffer *out,
			 struct error *err)
{
	struct chunk_taker *c = (struct chunk_taker *)taker;

	return chunk_writer_encode(c->writer, rowid, values, out, err);
}

static int take_line(struct row_taker *taker, const char *line, size_t size,
		     struct error *err)
{
	struct chunk_taker *c = (struct chunk_taker *)taker;

	return chunk_writer_line(c->writer, line, size, err);
}

/* Put one table's folder into `tables`; a table without rows has none. */
static int put_table(struct database *db, struct table *t, struct sink *s,
		     struct row_ticker *ticker, struct tree *tables,
		     struct error *err)
{
	struct chunk_taker c = {
		.taker = { take_row, take_unsorted, take_line },
	};
	struct object_id id;
	int rc = -1;

	if (chunk_writer_new(&c.writer, t, s, err) < 0 ||
	    export_rows(db, t, &c.taker, ticker, err) < 0)
		goto done;
	rc = chunk_writer_finish(c.writer, t, &id, err);
	if (rc == 0)
		rc = tree_add(tables, t->folder, 1, &id, err);
	else if (rc == 1)
		rc = 0;
done:
	chunk_writer_free(c.writer);
	return rc;
}

/* Put data/tables, if any table has rows. */
static int put_tables(struct database *db, struct catalog *c, struct sink *s,
		      struct export_progress *p, struct tree *data,
		      struct error *err)
{
	struct row_ticker ticker = { .progress = p };
	struct tree tables = { 0 };
	struct object_id id;
	int rc = -1;

	for (size_t i = 0; i < c->table_count; i++) {
		if (put_table(db, &c->tables[i], s, &ticker, &tables, err) < 0)
			goto done;
	}
	rc = 0;
	/* git has no empty folders */
	if (tables.count && (tree_put(&tables, s, &id, err) < 0 ||
			     tree_add(data, "tables", 1, &id, err) < 0))
		rc = -1;
done:
	tree_release(&tables);
	return rc;
}

/* Put the file that `write` makes of the catalog as data/NAME. */
static int put_text(const struct catalog *c, struct sink *s, struct tree *data,
		    const char *name, const char *path,
		    int (*write)(struct buffer *, const struct catalog *,
				 struct error *),
		    struct error *err)
{
	struct buffer text = BUFFER_INIT;
	struct object_id id;
	int rc = -1;

	if (write(&text, c, err) < 0)
		goto done;
	if (buffer_failed(&text)) {
		error_nomem(err);
		goto done;
	}
	/* A reader would refuse it: then the snapshot must not come to be. */
	if (text.size > SOURCE_FILE_MAX) {
		error_set(err, ERROR_FAILED,
			  "the schema is too big: '%s' would have %zu bytes",
			  path, text.size);
		goto done;
	}
	if (s->put(s, OBJECT_BLOB, path, text.data, text.size, &id, err) < 0)
		goto done;
	rc = tree_add(data, name, 0, &id, err);
done:
	buffer_release(&text);
	return rc;
}

int export_data(struct database *db, struct catalog *c, struct sink *s,
		struct export_progress *p, struct object_id *content,
		struct error *err)
{
	struct tree data = { 0 };
	int rc = -1;

	/* The manifest last: it holds the row counts and digests. */
	if (put_tables(db, c, s, p, &data, err) < 0 ||
	    put_text(c, s, &data, "schema.json", "data/schema.json",
		     schema_write, err) < 0 ||
	    put_text(c, s, &data, "manifest.json", "data/manifest.json",
		     manifest_write, err) < 0)
		goto done;
	rc = tree_put(&data, s, content, err);
done:
	tree_release(&data);
	return rc;
}
