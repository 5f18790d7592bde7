/*
 * records_manifest.c - data/manifest.json of a record snapshot
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest_internal.h"
#include "snapshot/name.h"
#include "snapshot/records.h"

#define MODELS_MAX 1000000

int records_are(const struct catalog *c)
{
	return c->engine && !strcmp(c->engine, RECORDS_ENGINE);
}

int records_add_model(struct catalog *c, const char *name, struct error *err)
{
	char folder[NAME_FOLDER_SIZE];
	struct table *t = catalog_add_table(c);

	if (!t)
		return error_nomem(err);
	t->order = ORDER_RECORDS;
	t->name = strdup(name);
	if (t->name && name_folder(folder, name, strlen(name), err) < 0)
		return -1;
	t->folder = t->name ? strdup(folder) : NULL;
	return t->folder ? 0 : error_nomem(err);
}

/* ---- writing ---- */

static void put_model(struct buffer *out, const struct table *t)
{
	char hex[2 * HASH_SHA256_SIZE + 1];

	hex_encode(hex, t->sha256, sizeof(t->sha256));
	buffer_str(out, " {\n  \"name\": ");
	json_file_put(out, t->name);
	buffer_str(out, ",\n  \"dir\": ");
	json_file_put(out, t->folder);
	buffer_printf(out,
		      ",\n  \"rows\": %" PRIu64 ",\n  \"sha256\": \"%s\"\n }",
		      t->rows, hex);
}

static void put_left_out(struct buffer *out, const struct catalog *c)
{
	for (size_t i = 0; i < c->left_out_count; i++) {
		buffer_str(out, i ? ",\n " : ",\n\"partial\": {\n ");
		json_file_put(out, c->left_out[i].name);
		buffer_str(out, ": ");
		json_file_put(out, c->left_out[i].why);
	}
	if (c->left_out_count)
		buffer_str(out, "\n}");
}

int records_manifest_write(struct buffer *out, const struct catalog *c,
			   struct error *err)
{
	buffer_str(out, "{\n\"format\": \"" RECORDS_FORMAT "\",\n"
			"\"tables\": [");
	for (size_t i = 0; i < c->table_count; i++) {
		buffer_str(out, i ? ",\n" : "\n");
		put_model(out, &c->tables[i]);
	}
	buffer_str(out, "\n]");
	put_left_out(out, c);
	buffer_str(out, "\n}\n");
	return buffer_failed(out) ? error_nomem(err) : 0;
}

/* ---- reading ---- */

static int read_facts(const struct json_file *f, const json_t *object,
		      struct table *t, struct error *err)
{
	static const char *const keys[] = { "name", "dir", "rows", "sha256",
					    NULL };
	const json_t *dir;
	int64_t rows;

	dir = json_file_member(f, object, "dir", JSON_STRING, err);
	if (!dir || json_file_keys(f, object, keys, err) < 0)
		return -1;
	if (strcmp(json_string_value(dir), t->folder) != 0)
		return json_file_damage(
			f, err,
			"its folder is '%.80s', not '%s' as its name gives",
			json_string_value(dir), t->folder);
	if (json_file_integer(f, object, "rows", 0, INT64_MAX, &rows, err) <
		    0 ||
	    json_file_hex(f, object, "sha256", t->sha256, sizeof(t->sha256),
			  err) < 0)
		return -1;
	t->rows = (uint64_t)rows;
	return 0;
}

static int read_model(struct json_file *f, const json_t *object,
		      struct catalog *c, size_t number, struct error *err)
{
	const struct table *before = number > 1 ? &c->tables[number - 2] : NULL;
	char *name = NULL;
	int rc;

	json_file_where(f, "model", NULL, number);
	if (!json_is_object(object))
		return json_file_damage(f, err, "it is not an object");
	if (json_file_bytes(f, json_object_get(object, "name"), "name", &name,
			    err) < 0)
		return -1;
	json_file_where(f, "model", name, number);
	if (before && strcmp(before->name, name) >= 0)
		rc = json_file_damage(f, err, "it is not in its place");
	else
		rc = records_add_model(c, name, err);
	free(name);
	return rc < 0 ? -1 : read_facts(f, object, &c->tables[number - 1], err);
}

static int read_left_out(struct json_file *f, const json_t *top,
			 struct catalog *c, struct error *err)
{
	json_t *partial = json_object_get(top, "partial"), *why;
	const char *name;

	if (!partial)
		return 0;
	if (!json_is_object(partial) || !json_object_size(partial))
		return json_file_damage(f, err, "'partial' names no models");
	json_object_foreach(partial, name, why)
	{
		struct left_out *l = catalog_add_left_out(c);

		if (!l)
			return error_nomem(err);
		if (json_file_bytes(f, why, name, &l->why, err) < 0)
			return -1;
		l->name = strdup(name);
		if (!l->name)
			return error_nomem(err);
		if (catalog_table(c, name))
			return json_file_damage(
				f, err,
				"model '%.80s' is there and in 'partial'",
				name);
	}
	return 0;
}

static int compare_left_out(const void *a, const void *b)
{
	return strcmp(((const struct left_out *)a)->name,
		      ((const struct left_out *)b)->name);
}

void records_sort_left_out(struct catalog *c)
{
	if (c->left_out_count > 1)
		qsort(c->left_out, c->left_out_count, sizeof(*c->left_out),
		      compare_left_out);
}

int records_manifest_read(struct catalog *c, struct json_file *f,
			  const json_t *top, struct error *err)
{
	static const char *const keys[] = { "format", "tables", "partial",
					    NULL };
	const json_t *models;
	size_t i, count;

	if (json_file_keys(f, top, keys, err) < 0)
		return -1;
	c->engine = strdup(RECORDS_ENGINE);
	if (!c->engine)
		return error_nomem(err);
	models = json_file_member(f, top, "tables", JSON_ARRAY, err);
	if (!models)
		return -1;
	count = json_array_size(models);
	if (count > MODELS_MAX)
		return json_file_damage(f, err, "%zu tables are too many",
					count);
	for (i = 0; i < count; i++)
		if (read_model(f, json_array_get(models, i), c, i + 1, err) < 0)
			return -1;
	*f->where = '\0';
	if (read_left_out(f, top, c, err) < 0)
		return -1;
	records_sort_left_out(c);
	return 0;
}
