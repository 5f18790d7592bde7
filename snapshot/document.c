/*
 * document.c - read a document back
 */
#include "snapshot/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest_internal.h"
#include "snapshot/object.h"
#include "snapshot/records.h"
#include "snapshot/row.h"
#include "snapshot/text.h"

#define FORMAT_STEM "dbstow-export/"
/* Of a key or a short member. */
#define SHORT_MAX ((size_t)1 << 20)
/* A row has at most SQLite's 10^9 bytes, and each may need four. */
#define ROW_TEXT_MAX ((size_t)4 << 30)
#define HEX_SIZE     (2 * HASH_SHA256_SIZE + 1)

/* What was read of a table. */
struct counted {
	uint64_t rows;
	unsigned char sha256[HASH_SHA256_SIZE];
};

struct document {
	struct json_stream in;
	char *label;
	struct catalog *catalog;
	struct snapshot_info info;
	struct hasher *all;   /* lines of all rows */
	struct hasher *table; /* lines of this table's */
	struct row_shape *shape;
	const struct table *current; /* whose rows are being read, or NULL */
	struct counted *counted; /* one a table; the catalog is the caller's */
	struct buffer line;      /* canonical */
	size_t tables;           /* begun so far */
	uint64_t rows;           /* of all tables */
	int entered;             /* into "tables" */
};

/* ---- the head, given to the readers of a snapshot's files ---- */

/* A document's head as the files of a snapshot. */
struct head_source {
	struct source base;
	struct buffer manifest, schema, info;
};

static int head_read(struct source *s, const char *path, struct buffer *out,
		     struct error *err)
{
	struct head_source *h = (struct head_source *)s;
	const struct buffer *b = !strcmp(path, MANIFEST_PATH) ? &h->manifest
				 : !strcmp(path, SCHEMA_PATH) ? &h->schema
				 : !strcmp(path, INFO_PATH)   ? &h->info
							      : NULL;

	if (!b)
		return 1;
	buffer_add(out, b->data, b->size);
	return buffer_failed(out) ? error_nomem(err) : 0;
}

static int dump_to_buffer(const char *data, size_t size, void *out)
{
	buffer_add(out, data, size);
	return 0;
}

/* Append the JSON `text` after `add` put in the members that a document has
 * elsewhere. */
static int complete(struct document *d, struct buffer *out, const char *text,
		    size_t size, const char *member, int (*add)(json_t *),
		    struct error *err)
{
	json_error_t trouble;
	json_t *json = json_loadb(
		text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &trouble);
	int rc = -1;

	if (!json) {
		json_stream_damage(&d->in, err, "'%s': %s", member,
				   trouble.text);
		goto done;
	}
	if (add(json) < 0) {
		json_stream_damage(&d->in, err,
				   "'%s' is not as dbstow writes it", member);
		goto done;
	}
	json_dump_callback(json, dump_to_buffer, out, JSON_COMPACT);
	rc = buffer_failed(out) ? error_nomem(err) : 0;
done:
	json_decref(json);
	return rc;
}

static int add_totals(json_t *snapshot)
{
	static const char content[] =
		"0000000000000000000000000000000000000000";

	if (json_object_get(snapshot, "rows") ||
	    json_object_get(snapshot, "bytes") ||
	    json_object_get(snapshot, "content"))
		return -1;
	return json_object_set_new(snapshot, "rows", json_integer(0)) ||
			       json_object_set_new(snapshot, "bytes",
						   json_integer(0)) ||
			       json_object_set_new(snapshot, "content",
						   json_string(content))
		       ? -1
		       : 0;
}

static int add_counts(json_t *manifest)
{
	static const char digest[] = "00000000000000000000000000000000"
				     "00000000000000000000000000000000";
	json_t *table;
	size_t i;

	json_array_foreach(json_object_get(manifest, "tables"), i, table)
	{
		if (json_object_get(table, "rows") ||
		    json_object_get(table, "sha256") ||
		    json_object_set_new(table, "rows", json_integer(0)) ||
		    json_object_set_new(table, "sha256", json_string(digest)))
			return -1;
	}
	return 0;
}

static int add_nothing(json_t *schema)
{
	(void)schema;
	return 0;
}

/* ---- tokens ---- */

/* Take `"key":`, told by its text or not as JSON may write it otherwise. */
static int take_key(struct document *d, const char *key, size_t key_size,
		    struct error *err)
{
	const char *text;
	size_t size;
	json_t *json = NULL;
	int same;

	if (json_stream_value(&d->in, SHORT_MAX, &text, &size, err) < 0)
		return -1;
	json = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	same = json_is_string(json) && json_string_length(json) == key_size &&
	       !memcmp(json_string_value(json), key, key_size);
	json_decref(json);
	if (!same)
		return json_stream_damage(
			&d->in, err, "member '%.80s' expected, not %.*s", key,
			(int)(size < 80 ? size : 80), text);
	return json_stream_expect(&d->in, ':', err);
}

static int take_member(struct document *d, const char *key, struct error *err)
{
	if (json_stream_expect(&d->in, ',', err) < 0)
		return -1;
	return take_key(d, key, strlen(key), err);
}

/* Is it a document at all, and one that this program knows? */
static int check_format(struct document *d, struct error *err)
{
	struct error first = ERROR_INIT;
	const char *text = "";
	size_t size = 0;
	int next = json_stream_peek(&d->in, err);

	if (next < 0)
		return -1;
	if (!next)
		return error_set(err, ERROR_DAMAGE, "%s is empty; get it again",
				 d->label);
	if (json_stream_expect(&d->in, '{', &first) < 0 ||
	    take_key(d, "format", 6, &first) < 0 ||
	    json_stream_value(&d->in, SHORT_MAX, &text, &size, &first) < 0) {
		if (first.code != ERROR_DAMAGE)
			return error_set(err, first.code, "%s", first.message);
		return error_set(err, ERROR_FAILED,
				 "%s is no document that dbstow knows: it "
				 "begins neither with {\"format\":"
				 "\"" DOCUMENT_FORMAT "\" nor as a list of "
				 "records does",
				 d->label);
	}
	if (size == sizeof(DOCUMENT_FORMAT) + 1 &&
	    !memcmp(text + 1, DOCUMENT_FORMAT, size - 2))
		return 0;
	if (size > sizeof(FORMAT_STEM) &&
	    !memcmp(text + 1, FORMAT_STEM, sizeof(FORMAT_STEM) - 1))
		return error_set(err, ERROR_FAILED,
				 "%s has the format %.*s, which is newer than "
				 "this dbstow reads (" DOCUMENT_FORMAT
				 "); install a newer dbstow",
				 d->label, (int)(size < 80 ? size : 80), text);
	return error_set(err, ERROR_FAILED,
			 "%s is no dbstow document: its format is %.*s",
			 d->label, (int)(size < 80 ? size : 80), text);
}

static int take_head(struct document *d, struct head_source *h,
		     struct error *err)
{
	const char *text;
	size_t size;

	if (take_member(d, "snapshot", err) < 0 ||
	    json_stream_value(&d->in, SOURCE_FILE_MAX, &text, &size, err) < 0 ||
	    complete(d, &h->info, text, size, "snapshot", add_totals, err) <
		    0 ||
	    take_member(d, "manifest", err) < 0 ||
	    json_stream_value(&d->in, SOURCE_FILE_MAX, &text, &size, err) < 0 ||
	    complete(d, &h->manifest, text, size, "manifest", add_counts, err) <
		    0 ||
	    take_member(d, "schema", err) < 0 ||
	    json_stream_value(&d->in, SOURCE_FILE_MAX, &text, &size, err) < 0 ||
	    complete(d, &h->schema, text, size, "schema", add_nothing, err) < 0)
		return -1;
	if (manifest_read(&d->catalog, &h->base, err) < 0 ||
	    snapshot_info_read(&d->info, &h->base, err) < 0)
		return -1;
	if (records_are(d->catalog) || d->info.engine)
		return json_stream_damage(&d->in, err,
					  "it says that it holds records, and "
					  "such a document has tables");
	snapshot_info_apply(&d->info, d->catalog);
	return 0;
}

int document_open(struct document **out, struct byte_input *input,
		  const char *label, struct error *err)
{
	struct head_source h = {
		.base = { .label = label, .read = head_read },
	};
	struct document *d = calloc(1, sizeof(*d));
	int rc = -1;

	*out = NULL;
	if (!d || !(d->label = strdup(label))) {
		error_nomem(err);
		goto done;
	}
	d->in.input = input;
	d->in.label = d->label;
	if (hasher_new(&d->all, HASH_SHA256, err) < 0 ||
	    hasher_new(&d->table, HASH_SHA256, err) < 0)
		goto done;
	hasher_reset(d->all);
	if (check_format(d, err) < 0 || take_head(d, &h, err) < 0)
		goto done;
	d->counted = calloc(d->catalog->table_count + 1, sizeof(*d->counted));
	if (!d->counted) {
		error_nomem(err);
		goto done;
	}
	*out = d;
	d = NULL;
	rc = 0;
done:
	buffer_release(&h.manifest);
	buffer_release(&h.schema);
	buffer_release(&h.info);
	document_free(d);
	return rc;
}

struct catalog *document_catalog(struct document *d)
{
	return d->catalog;
}

const struct snapshot_info *document_info(const struct document *d)
{
	return &d->info;
}

/* ---- rows ---- */

/* The key that a table's rows stand under. */
static const char *table_key(const struct table *t)
{
	return text_is_utf8(t->name, strlen(t->name)) ? t->name : t->folder;
}

int document_table(struct document *d, const struct table *t, struct error *err)
{
	const char *key = table_key(t);

	if (!d->entered) {
		if (take_member(d, "tables", err) < 0 ||
		    json_stream_expect(&d->in, '{', err) < 0)
			return -1;
		d->entered = 1;
	} else if (json_stream_expect(&d->in, ',', err) < 0) {
		return -1;
	}
	if (take_key(d, key, strlen(key), err) < 0 ||
	    json_stream_expect(&d->in, '[', err) < 0)
		return -1;
	row_shape_free(d->shape);
	d->shape = NULL;
	if (row_shape_new(&d->shape, t, err) < 0)
		return -1;
	d->current = t;
	d->tables++;
	hasher_reset(d->table);
	return 0;
}

static struct counted *counted(struct document *d)
{
	return &d->counted[d->tables - 1];
}

/* A row that is wrong, or was refused: say which one. */
static int row_wrong(struct document *d, const struct error *why,
		     struct error *err)
{
	if (why->code != ERROR_DAMAGE)
		return error_set(err, why->code, "%s", why->message);
	return json_stream_damage(
		&d->in, err, "table '%.80s', row %llu: %s", d->current->name,
		(unsigned long long)counted(d)->rows + 1, why->message);
}

/* The digests are over canonical lines, whatever white space stands here. */
static int count_row(struct document *d, int64_t rowid,
		     const struct value *values, struct error *err)
{
	buffer_clear(&d->line);
	if (row_encode(&d->line, d->shape, rowid, values, NULL, err) < 0)
		return -1;
	hasher_add(d->all, d->line.data, d->line.size);
	hasher_add(d->table, d->line.data, d->line.size);
	counted(d)->rows++;
	d->rows++;
	return 0;
}

int document_row(struct document *d, int64_t *rowid, struct value *values,
		 struct error *err)
{
	struct error why = ERROR_INIT;
	const char *text;
	size_t size;
	int next = json_stream_peek(&d->in, err);

	if (next < 0)
		return -1;
	if (next == ']') {
		hasher_final(d->table, counted(d)->sha256);
		return json_stream_expect(&d->in, ']', err);
	}
	if (counted(d)->rows && json_stream_expect(&d->in, ',', err) < 0)
		return -1;
	if (json_stream_value(&d->in, ROW_TEXT_MAX, &text, &size, err) < 0)
		return -1;
	if (row_decode(d->shape, text, size, rowid, values, NULL, &why) < 0)
		return row_wrong(d, &why, err);
	return count_row(d, *rowid, values, err) < 0 ? -1 : 1;
}

/* ---- the end ---- */

static int check_digest(struct document *d, const json_t *from,
			const unsigned char *digest, const char *what,
			struct error *err)
{
	const char *told = json_string_value(json_object_get(from, "sha256"));
	char hex[HEX_SIZE];

	hex_encode(hex, digest, HASH_SHA256_SIZE);
	if (told && !strcmp(told, hex))
		return 0;
	return error_set(err, ERROR_DAMAGE,
			 "%s: %s: the rows do not have the digest that its end "
			 "tells; get it again",
			 d->label, what);
}

static int check_count(struct document *d, const json_t *from, const char *key,
		       uint64_t count, const char *what, struct error *err)
{
	const json_t *told = json_object_get(from, key);

	if (json_is_integer(told) && json_integer_value(told) >= 0 &&
	    (uint64_t)json_integer_value(told) == count)
		return 0;
	return error_set(err, ERROR_DAMAGE,
			 "%s: %s: %llu %s were read, its end tells another "
			 "number; get it again",
			 d->label, what, (unsigned long long)count, key);
}

static int check_tables(struct document *d, const json_t *each,
			struct error *err)
{
	char what[128];

	if (json_array_size(each) != d->catalog->table_count)
		return json_stream_damage(&d->in, err,
					  "'end' does not tell of each table");
	for (size_t i = 0; i < d->catalog->table_count; i++) {
		const struct table *t = &d->catalog->tables[i];
		const json_t *told = json_array_get(each, i);
		const char *name =
			json_string_value(json_object_get(told, "table"));

		snprintf(what, sizeof(what), "table '%.80s'", t->name);
		if (!name || strcmp(name, table_key(t)))
			return json_stream_damage(
				&d->in, err, "'end' does not tell of %s", what);
		if (check_count(d, told, "rows", d->counted[i].rows, what,
				err) < 0 ||
		    check_digest(d, told, d->counted[i].sha256, what, err) < 0)
			return -1;
	}
	return 0;
}

/* Digests of tables first: they name the one that is wrong. */
static int check_end(struct document *d, const json_t *end, struct error *err)
{
	unsigned char digest[HASH_SHA256_SIZE];

	hasher_final(d->all, digest);
	if (check_tables(d, json_object_get(end, "each"), err) < 0 ||
	    check_count(d, end, "tables", d->tables, "all tables", err) < 0 ||
	    check_count(d, end, "rows", d->rows, "all tables", err) < 0)
		return -1;
	return check_digest(d, end, digest, "all tables", err);
}

int document_end(struct document *d, struct error *err)
{
	json_error_t trouble;
	json_t *end = NULL;
	const char *text;
	size_t size;
	int next, rc = -1;

	if (!d->entered && (take_member(d, "tables", err) < 0 ||
			    json_stream_expect(&d->in, '{', err) < 0))
		return -1;
	if (json_stream_expect(&d->in, '}', err) < 0 ||
	    take_member(d, "end", err) < 0 ||
	    json_stream_value(&d->in, SOURCE_FILE_MAX, &text, &size, err) < 0)
		return -1;
	end = json_loadb(text, size, JSON_REJECT_DUPLICATES, &trouble);
	if (!end) {
		json_stream_damage(&d->in, err, "'end': %s", trouble.text);
		goto done;
	}
	if (json_stream_expect(&d->in, '}', err) < 0 ||
	    (next = json_stream_peek(&d->in, err)) < 0)
		goto done;
	if (next) {
		json_stream_damage(&d->in, err,
				   "something stands behind the end");
		goto done;
	}
	rc = check_end(d, end, err);
done:
	json_decref(end);
	return rc;
}

void document_free(struct document *d)
{
	if (!d)
		return;
	json_stream_release(&d->in);
	catalog_free(d->catalog);
	snapshot_info_release(&d->info);
	hasher_free(d->all);
	hasher_free(d->table);
	row_shape_free(d->shape);
	buffer_release(&d->line);
	free(d->counted);
	free(d->label);
	free(d);
}
