/*
 * document.c - a whole snapshot as one JSON document, written as a stream
 *
 *   {"format":"dbstow-export/1",
 *   "snapshot":{...},
 *   "manifest":{...},
 *   "schema":[
 *   {...},
 *   {...}
 *   ],
 *   "tables":{"users":[
 *   {"id":1,"name":"Ada"},
 *   {"id":2}
 *   ],"empty":[]},
 *   "end":{"tables":2,"rows":2,"sha256":"...","each":[
 *   {"table":"users","rows":2,"sha256":"..."},
 *   {"table":"empty","rows":0,"sha256":"..."}
 *   ]}}
 *
 * with a newline at its end.  The members stand in this order; a reader that
 * streams may insist on it, and accepts any JSON white space between tokens.
 *
 * "snapshot"  snapshot.json without what is known only at the end: "rows",
 *             "bytes" and "content".
 * "manifest"  data/manifest.json whose tables have no "rows" and "sha256".
 * "schema"    data/schema.json.
 * "tables"    one member a table, in the manifest's order, also for tables
 *             without rows.  Its key is the table's name, or its folder's name
 *             where the name is not UTF-8; a reader goes by the order and
 *             checks the key.  Rows are as in the table's files, but for big
 *             values: they stay in their row ("$file" does not occur), so a
 *             row's line has no bound but SQLite's.  Tables that are sorted by
 *             their lines are sorted by these lines.
 * "end"       "tables" and "rows" count them all.  A line is the canonical
 *             text of a row, as a table's file would have it but for big
 *             values, and one newline; white space does not count.
 *             "sha256" is over all lines of all tables in order, the "sha256"
 *             of each table over its own lines.  Where no value of a table is
 *             in a part file, that is also the digest in the snapshot's
 *             manifest.  A document without "end" is incomplete.
 */
#include "export/export.h"

#include <jansson.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "export/export_internal.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest.h"
#include "snapshot/row.h"
#include "snapshot/text.h"

#define FLUSH_BYTES ((size_t)64 << 10)
#define HEX_SIZE    (2 * HASH_SHA256_SIZE + 1)

struct written {
	struct row_taker taker; /* first: the callbacks get its address */
	int (*write)(void *payload, const void *data, size_t size,
		     struct error *err);
	void *payload;
	struct buffer out;    /* not yet written */
	struct hasher *all;   /* rows of all tables */
	struct hasher *table; /* rows of this table */
	struct row_shape *shape;
	struct table *current;
	uint64_t rows;
};

static int flush(struct written *d, struct error *err)
{
	if (buffer_failed(&d->out))
		return error_nomem(err);
	if (d->out.size &&
	    d->write(d->payload, d->out.data, d->out.size, err) < 0)
		return -1;
	buffer_clear(&d->out);
	return 0;
}

/* ---- rows ---- */

/* What stands in front of a row: lines need no look behind. */
static void begin_line(struct written *d)
{
	buffer_str(&d->out, d->current->rows ? ",\n" : "[\n");
}

/* The bytes of `out` from `at` on are a row's line: count it and take its
 * newline off again, as a comma may have to stand there. */
static int end_line(struct written *d, size_t at, struct error *err)
{
	size_t size;

	if (buffer_failed(&d->out))
		return error_nomem(err);
	size = d->out.size - at;
	hasher_add(d->all, d->out.data + at, size);
	hasher_add(d->table, d->out.data + at, size);
	d->current->rows++;
	d->current->bytes += size;
	d->out.size--;
	return d->out.size >= FLUSH_BYTES ? flush(d, err) : 0;
}

static int take_row(struct row_taker *taker, int64_t rowid,
		    const struct value *values, struct error *err)
{
	struct written *d = (struct written *)taker;
	size_t at;

	begin_line(d);
	at = d->out.size;
	if (row_encode(&d->out, d->shape, rowid, values, NULL, err) < 0)
		return -1;
	return end_line(d, at, err);
}

static int take_unsorted(struct row_taker *taker, int64_t rowid,
			 const struct value *values, struct buffer *out,
			 struct error *err)
{
	struct written *d = (struct written *)taker;

	return row_encode(out, d->shape, rowid, values, NULL, err);
}

static int take_line(struct row_taker *taker, const char *line, size_t size,
		     const char *key, size_t key_size, struct error *err)
{
	struct written *d = (struct written *)taker;
	size_t at;

	(void)key;
	(void)key_size;
	begin_line(d);
	at = d->out.size;
	buffer_add(&d->out, line, size);
	return end_line(d, at, err);
}

/* A table's key: its name, if JSON can hold it. */
static void add_key(struct buffer *out, const struct table *t)
{
	size_t size = strlen(t->name);

	if (text_json_string(out, t->name, size))
		text_json_string(out, t->folder, strlen(t->folder));
}

static int add_table(struct written *d, struct database *db, struct table *t,
		     struct error *err)
{
	const struct row_origin from = { .db = db };
	int rc = -1;

	d->current = t;
	t->rows = 0;
	t->bytes = 0;
	add_key(&d->out, t);
	buffer_byte(&d->out, ':');
	if (row_shape_new(&d->shape, t, err) < 0 ||
	    export_rows(&from, t, &d->taker, err) < 0)
		goto done;
	hasher_final(d->table, t->sha256);
	buffer_str(&d->out, t->rows ? "\n]" : "[]");
	d->rows += t->rows;
	rc = 0;
done:
	row_shape_free(d->shape);
	d->shape = NULL;
	return rc;
}

static int add_tables(struct written *d, struct database *db, struct catalog *c,
		      struct error *err)
{
	buffer_str(&d->out, ",\n\"tables\":{");
	for (size_t i = 0; i < c->table_count; i++) {
		if (i)
			buffer_byte(&d->out, ',');
		if (add_table(d, db, &c->tables[i], err) < 0)
			return -1;
	}
	buffer_byte(&d->out, '}');
	return 0;
}

/* ---- before and behind the rows ---- */

static int dump_to_buffer(const char *data, size_t size, void *out)
{
	buffer_add(out, data, size);
	return 0;
}

/* Append the JSON text `from` after `drop` took members out of it. */
static int add_without(struct buffer *out, const struct buffer *from,
		       void (*drop)(json_t *), struct error *err)
{
	json_error_t trouble;
	json_t *json;
	int rc;

	if (buffer_failed(from))
		return error_nomem(err);
	json = json_loadb(from->data, from->size, 0, &trouble);
	if (!json)
		return error_set(err, ERROR_FAILED,
				 "cannot read what was just written: %s",
				 trouble.text);
	drop(json);
	rc = json_dump_callback(json, dump_to_buffer, out, JSON_COMPACT);
	json_decref(json);
	return rc < 0 ? error_nomem(err) : 0;
}

static void drop_totals(json_t *snapshot)
{
	json_object_del(snapshot, "rows");
	json_object_del(snapshot, "bytes");
	json_object_del(snapshot, "content");
}

static void drop_counts(json_t *manifest)
{
	json_t *table;
	size_t i;

	json_array_foreach(json_object_get(manifest, "tables"), i, table)
	{
		json_object_del(table, "rows");
		json_object_del(table, "sha256");
	}
}

/* JSON texts of files end in a newline, inside the document they don't. */
static void trim_newline(struct buffer *b)
{
	if (b->size && b->data[b->size - 1] == '\n')
		b->size--;
}

static int add_head(struct written *d, const struct catalog *c,
		    const struct snapshot_info *info, struct error *err)
{
	struct buffer text = BUFFER_INIT;
	int rc = -1;

	buffer_str(&d->out, "{\"format\":\"dbstow-export/1\",\n\"snapshot\":");
	if (snapshot_info_write(&text, info, err) < 0 ||
	    add_without(&d->out, &text, drop_totals, err) < 0)
		goto done;
	buffer_clear(&text);
	buffer_str(&d->out, ",\n\"manifest\":");
	if (manifest_write(&text, c, err) < 0 ||
	    add_without(&d->out, &text, drop_counts, err) < 0)
		goto done;
	buffer_str(&d->out, ",\n\"schema\":");
	if (schema_write(&d->out, c, err) < 0)
		goto done;
	trim_newline(&d->out);
	rc = 0;
done:
	buffer_release(&text);
	return rc;
}

static void add_end(struct written *d, const struct catalog *c)
{
	unsigned char digest[HASH_SHA256_SIZE];
	char hex[HEX_SIZE];

	hasher_final(d->all, digest);
	hex_encode(hex, digest, sizeof(digest));
	buffer_printf(&d->out,
		      ",\n\"end\":{\"tables\":%zu,\"rows\":%llu,"
		      "\"sha256\":\"%s\",\"each\":[",
		      c->table_count, (unsigned long long)d->rows, hex);
	for (size_t i = 0; i < c->table_count; i++) {
		const struct table *t = &c->tables[i];

		buffer_str(&d->out, i ? ",\n{\"table\":" : "\n{\"table\":");
		add_key(&d->out, t);
		hex_encode(hex, t->sha256, sizeof(t->sha256));
		buffer_printf(&d->out, ",\"rows\":%llu,\"sha256\":\"%s\"}",
			      (unsigned long long)t->rows, hex);
	}
	buffer_str(&d->out, c->table_count ? "\n]}}\n" : "]}}\n");
}

int export_document(struct database *db, struct catalog *c,
		    const struct snapshot_info *info,
		    int (*write)(void *payload, const void *data, size_t size,
				 struct error *err),
		    void *payload, struct error *err)
{
	struct written d = {
		.taker = { take_row, take_unsorted, take_line },
		.write = write,
		.payload = payload,
	};
	int rc = -1;

	if (hasher_new(&d.all, HASH_SHA256, err) < 0 ||
	    hasher_new(&d.table, HASH_SHA256, err) < 0)
		goto done;
	hasher_reset(d.all);
	hasher_reset(d.table);
	if (add_head(&d, c, info, err) < 0 || add_tables(&d, db, c, err) < 0)
		goto done;
	add_end(&d, c);
	rc = flush(&d, err);
done:
	hasher_free(d.all);
	hasher_free(d.table);
	buffer_release(&d.out);
	return rc;
}
