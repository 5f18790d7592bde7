/*
 * manifest_write.c - data/manifest.json
 *
 * Laid out for 'git diff': what changes from week to week, the rows and their
 * SHA-256, stands on lines of its own; a list of names takes one line.
 */
#include <inttypes.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest_internal.h"
#include "snapshot/records.h"

static const char *const encodings[] = { "UTF-8", "UTF-16le", "UTF-16be" };
static const char *const kinds[] = { "table", "shadow", "internal" };
static const char *const orders[] = { "rowid", "key", "scan", "sorted" };

/* "[" or ", " in front of an element of a list on one line */
static void put_separator(struct buffer *out, size_t before)
{
	buffer_str(out, before ? ", " : "[");
}

static void put_columns(struct buffer *out, const struct table *t)
{
	size_t i;

	buffer_str(out, "  \"columns\": ");
	for (i = 0; i < t->column_count; i++) {
		put_separator(out, i);
		json_file_put(out, t->columns[i].name);
	}
	buffer_str(out, t->column_count ? "],\n" : "[],\n");
}

/* @return how many columns of this kind were put */
static size_t put_generated(struct buffer *out, const struct table *t, int kind,
			    const char *before)
{
	size_t i, n = 0;

	for (i = 0; i < t->column_count; i++) {
		if (t->columns[i].generated != kind)
			continue;
		if (!n)
			buffer_printf(out, "%s\"%s\": ", before,
				      kind == 1 ? "virtual" : "stored");
		put_separator(out, n++);
		json_file_put(out, t->columns[i].name);
	}
	if (n)
		buffer_byte(out, ']');
	return n;
}

static void put_all_generated(struct buffer *out, const struct table *t)
{
	size_t n;

	n = put_generated(out, t, 1, "  \"generated\": {");
	n += put_generated(out, t, 2, n ? ", " : "  \"generated\": {");
	if (n)
		buffer_str(out, "},\n");
}

/* The primary key's columns in key order; place 1 to n, each once. */
static void put_key(struct buffer *out, const struct table *t)
{
	size_t i, n;

	for (n = 0;; n++) {
		for (i = 0; i < t->column_count; i++)
			if (t->columns[i].key == (int)n + 1)
				break;
		if (i == t->column_count)
			break;
		if (!n)
			buffer_str(out, "  \"key\": ");
		put_separator(out, n);
		json_file_put(out, t->columns[i].name);
	}
	if (n)
		buffer_str(out, "],\n");
}

static void put_member(struct buffer *out, const char *key, const char *bytes)
{
	buffer_printf(out, "  \"%s\": ", key);
	json_file_put(out, bytes);
	buffer_str(out, ",\n");
}

/* A column that is the rowid gives the key its name. */
static const char *rowid_key(const struct table *t)
{
	if (t->rowid_column >= 0)
		return t->columns[t->rowid_column].name;
	return t->rowid_key ? t->rowid_key : "rowid";
}

static void put_table(struct buffer *out, const struct table *t)
{
	char hex[2 * HASH_SHA256_SIZE + 1];

	hex_encode(hex, t->sha256, sizeof(t->sha256));
	buffer_str(out, " {\n");
	put_member(out, "name", t->name);
	put_member(out, "dir", t->folder);
	put_member(out, "kind", kinds[t->kind]);
	if (t->form_array)
		put_member(out, "form", "array");
	put_columns(out, t);
	put_all_generated(out, t);
	put_key(out, t);
	put_member(out, "order", orders[t->order]);
	if (t->order == ORDER_ROWID)
		put_member(out, "rowid", rowid_key(t));
	buffer_printf(out, "  \"rows\": %" PRIu64 ",\n  \"sha256\": \"%s\"\n }",
		      t->rows, hex);
}

static void put_cycles(struct buffer *out, const struct catalog *c)
{
	size_t i, j;

	buffer_str(out, "\"cycles\": [");
	for (i = 0; i < c->cycle_count; i++) {
		buffer_str(out, i ? ",\n " : "\n ");
		for (j = 0; j < c->cycles[i].count; j++) {
			put_separator(out, j);
			json_file_put(out, c->cycles[i].tables[j]);
		}
		buffer_byte(out, ']');
	}
	buffer_str(out, c->cycle_count ? "\n]\n" : "]\n");
}

int manifest_write(struct buffer *out, const struct catalog *c,
		   struct error *err)
{
	size_t i;

	if (records_are(c))
		return records_manifest_write(out, c, err);
	buffer_str(out, "{\n\"format\": \"" MANIFEST_FORMAT "\",\n");
	buffer_str(out, "\"engine\": ");
	json_file_put(out, c->engine);
	buffer_printf(out,
		      ",\n\"settings\": {\n"
		      " \"encoding\": \"%s\",\n"
		      " \"user_version\": %" PRId32 ",\n"
		      " \"application_id\": %" PRId32 "\n},\n",
		      encodings[c->encoding], c->user_version,
		      c->application_id);
	buffer_str(out, "\"tables\": [");
	for (i = 0; i < c->table_count; i++) {
		buffer_str(out, i ? ",\n" : "\n");
		put_table(out, &c->tables[i]);
	}
	buffer_str(out, c->table_count ? "\n],\n" : "],\n");
	put_cycles(out, c);
	buffer_str(out, "}\n");
	return buffer_failed(out) ? error_nomem(err) : 0;
}
