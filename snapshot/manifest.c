/*
 * manifest.c - read data/manifest.json
 *
 * A manifest comes from a branch that others can write to.  So every member is
 * known, every folder is the one its table's name gives, and what does not
 * agree with itself is refused before a row is looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest_internal.h"
#include "snapshot/name.h"
#include "snapshot/records.h"
#include "snapshot/text.h"

#define TABLES_MAX  1000000
#define COLUMNS_MAX 32767 /* SQLite's hard limit */

/* The kinds of snapshot: a database's, and records without a schema. */
static const struct {
	const char *stem, *format;
	unsigned long version;
} formats[] = { { "dbstow-snapshot/", MANIFEST_FORMAT, 1 },
		{ "dbstow-records/", RECORDS_FORMAT, 1 } };

#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

static const char *const encodings[] = { "UTF-8", "UTF-16le", "UTF-16be",
					 NULL };
static const char *const kinds[] = { "table", "shadow", "internal", NULL };
static const char *const orders[] = { "rowid", "key", "scan", "sorted", NULL };

/* ---- format and settings ---- */

/* A newer version of a format of ours?  It may have anything else in it. */
static int is_newer(const char *format, size_t kind)
{
	size_t stem = strlen(formats[kind].stem);
	char *end;

	if (strncmp(format, formats[kind].stem, stem) != 0)
		return 0;
	format += stem;
	return *format >= '1' && *format <= '9' &&
	       strtoul(format, &end, 10) > formats[kind].version && !*end;
}

/* Looked at before all else.  @return the format's index, or -1 */
static int check_format(const struct json_file *f, const json_t *top,
			struct error *err)
{
	const json_t *value;
	const char *format;
	size_t i;

	if (!json_is_object(top))
		return json_file_damage(f, err, "it is not an object");
	value = json_file_member(f, top, "format", JSON_STRING, err);
	if (!value)
		return -1;
	format = json_string_value(value);
	for (i = 0; i < FORMAT_COUNT; i++) {
		if (!strcmp(format, formats[i].format))
			return (int)i;
		if (is_newer(format, i))
			return error_set(
				err, ERROR_FAILED,
				"snapshot format '%.80s' is newer than this "
				"dbstow reads (%s); install a newer dbstow",
				format, formats[i].format);
	}
	return json_file_damage(f, err, "format '%.80s' is not known", format);
}

static int read_settings(struct json_file *f, const json_t *top,
			 struct catalog *c, struct error *err)
{
	static const char *const keys[] = { "encoding", "user_version",
					    "application_id", NULL };
	static const char *const engines[] = { "sqlite", NULL };
	const json_t *settings;
	int64_t user_version, application_id;
	int encoding, engine;

	if (json_file_word(f, top, "engine", engines, &engine, err) < 0)
		return -1;
	settings = json_file_member(f, top, "settings", JSON_OBJECT, err);
	if (!settings || json_file_keys(f, settings, keys, err) < 0 ||
	    json_file_word(f, settings, "encoding", encodings, &encoding, err) <
		    0 ||
	    json_file_integer(f, settings, "user_version", INT32_MIN, INT32_MAX,
			      &user_version, err) < 0 ||
	    json_file_integer(f, settings, "application_id", INT32_MIN,
			      INT32_MAX, &application_id, err) < 0)
		return -1;
	c->encoding = (enum encoding)encoding;
	c->user_version = (int32_t)user_version;
	c->application_id = (int32_t)application_id;
	c->engine = strdup(engines[engine]);
	return c->engine ? 0 : error_nomem(err);
}

/* ---- columns ---- */

static int ascii_lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

/* As SQLite compares names: ASCII letters alone have no case. */
static int compare_nocase(const char *a, const char *b)
{
	while (*a && ascii_lower((unsigned char)*a) ==
			     ascii_lower((unsigned char)*b)) {
		a++;
		b++;
	}
	return ascii_lower((unsigned char)*a) - ascii_lower((unsigned char)*b);
}

static int compare_columns(const void *a, const void *b)
{
	return compare_nocase((*(struct column *const *)a)->name,
			      (*(struct column *const *)b)->name);
}

static int compare_column_key(const void *name, const void *b)
{
	return compare_nocase(name, (*(struct column *const *)b)->name);
}

/* A table being read, and its columns by name. */
struct reading {
	struct json_file *file;
	struct table *table;
	struct column **sorted;
};

/* @return the column of that name in any case of ASCII letters, or NULL */
static struct column *find_column(const struct reading *r, const char *name)
{
	struct column **found;

	found = bsearch(name, r->sorted, r->table->column_count,
			sizeof(*r->sorted), compare_column_key);
	return found ? *found : NULL;
}

static int sort_columns(struct reading *r, struct error *err)
{
	struct table *t = r->table;
	size_t i;

	r->sorted = malloc(t->column_count * sizeof(struct column *));
	if (!r->sorted)
		return error_nomem(err);
	for (i = 0; i < t->column_count; i++)
		r->sorted[i] = &t->columns[i];
	qsort(r->sorted, t->column_count, sizeof(struct column *),
	      compare_columns);
	for (i = 1; i < t->column_count; i++)
		if (!compare_columns(&r->sorted[i - 1], &r->sorted[i]))
			return json_file_damage(r->file, err,
						"column '%.80s' is there twice",
						r->sorted[i]->name);
	return 0;
}

static int read_columns(struct reading *r, const json_t *object,
			struct error *err)
{
	const json_t *names;
	struct column *column;
	int all_utf8 = 1;
	size_t i, count;

	names = json_file_member(r->file, object, "columns", JSON_ARRAY, err);
	if (!names)
		return -1;
	count = json_array_size(names);
	if (!count || count > COLUMNS_MAX)
		return json_file_damage(r->file, err, "%zu columns", count);
	for (i = 0; i < count; i++) {
		column = table_add_column(r->table);
		if (!column)
			return error_nomem(err);
		if (json_file_bytes(r->file, json_array_get(names, i),
				    "columns", &column->name, err) < 0)
			return -1;
		if (!text_is_utf8(column->name, strlen(column->name)))
			all_utf8 = 0;
	}
	if (r->table->form_array == all_utf8)
		return json_file_damage(
			r->file, err, "'form' does not agree with the columns");
	return sort_columns(r, err);
}

/* The column that a list names, exactly. */
static struct column *listed_column(const struct reading *r,
				    const json_t *value, const char *key,
				    struct error *err)
{
	struct column *column = NULL;
	char *name;

	if (json_file_bytes(r->file, value, key, &name, err) < 0)
		return NULL;
	column = find_column(r, name);
	if (column && strcmp(column->name, name) != 0)
		column = NULL;
	if (!column)
		json_file_damage(r->file, err, "'%s' names no column: '%.80s'",
				 key, name);
	free(name);
	return column;
}

static int read_generated_kind(const struct reading *r, const json_t *generated,
			       const char *key, int kind, struct error *err)
{
	json_t *names;
	struct column *column;
	size_t i;

	if (!json_object_get(generated, key))
		return 0;
	names = json_file_member(r->file, generated, key, JSON_ARRAY, err);
	if (!names)
		return -1;
	if (!json_array_size(names))
		return json_file_damage(r->file, err, "'%s' is empty", key);
	for (i = 0; i < json_array_size(names); i++) {
		column = listed_column(r, json_array_get(names, i), key, err);
		if (!column)
			return -1;
		if (column->generated)
			return json_file_damage(
				r->file, err, "'generated' names '%.80s' twice",
				column->name);
		column->generated = kind;
	}
	return 0;
}

static int read_generated(const struct reading *r, const json_t *object,
			  struct error *err)
{
	static const char *const keys[] = { "virtual", "stored", NULL };
	const json_t *generated;

	if (!json_object_get(object, "generated"))
		return 0;
	generated = json_file_member(r->file, object, "generated", JSON_OBJECT,
				     err);
	if (!generated)
		return -1;
	if (!json_object_size(generated))
		return json_file_damage(r->file, err, "'generated' is empty");
	if (json_file_keys(r->file, generated, keys, err) < 0 ||
	    read_generated_kind(r, generated, "virtual", 1, err) < 0 ||
	    read_generated_kind(r, generated, "stored", 2, err) < 0)
		return -1;
	return 0;
}

static int read_key(const struct reading *r, const json_t *object,
		    struct error *err)
{
	const json_t *key;
	struct column *column;
	size_t i;

	if (!json_object_get(object, "key"))
		return 0;
	key = json_file_member(r->file, object, "key", JSON_ARRAY, err);
	if (!key)
		return -1;
	if (!json_array_size(key))
		return json_file_damage(r->file, err, "'key' is empty");
	for (i = 0; i < json_array_size(key); i++) {
		column = listed_column(r, json_array_get(key, i), "key", err);
		if (!column)
			return -1;
		if (column->key)
			return json_file_damage(r->file, err,
						"'key' names '%.80s' twice",
						column->name);
		column->key = (int)i + 1;
	}
	return 0;
}

/* ---- order ---- */

/* The rowid stands under a column that is it, or under one of SQLite's three
 * names for it that is no column in any case of letters. */
static int read_rowid(const struct reading *r, const json_t *object,
		      struct error *err)
{
	static const char *const names[] = { "rowid", "_rowid_", "oid" };
	struct table *t = r->table;
	const struct column *column;
	size_t i;

	if (json_file_bytes(r->file, json_object_get(object, "rowid"), "rowid",
			    &t->rowid_key, err) < 0)
		return -1;
	column = find_column(r, t->rowid_key);
	if (column) {
		t->rowid_column = (int)(column - t->columns);
		if (!strcmp(column->name, t->rowid_key) && !column->generated)
			return 0;
	} else {
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (!strcmp(names[i], t->rowid_key))
				return 0;
	}
	return json_file_damage(r->file, err, "'rowid' cannot be '%.80s'",
				t->rowid_key);
}

static int read_order(const struct reading *r, const json_t *object,
		      struct error *err)
{
	struct table *t = r->table;
	int order, has_key = 0;
	size_t i;

	if (json_file_word(r->file, object, "order", orders, &order, err) < 0)
		return -1;
	t->order = (enum table_order)order;
	if (t->order == ORDER_ROWID)
		return read_rowid(r, object, err);
	if (json_object_get(object, "rowid"))
		return json_file_damage(r->file, err,
					"'rowid' goes with order 'rowid' only");
	for (i = 0; i < t->column_count; i++)
		has_key |= t->columns[i].key;
	if (t->order == ORDER_KEY && !has_key)
		return json_file_damage(r->file, err, "'key' is missing");
	return 0;
}

/* ---- tables ---- */

static int read_name(struct json_file *f, const json_t *object, struct table *t,
		     size_t number, struct error *err)
{
	char folder[NAME_FOLDER_SIZE];
	const json_t *dir;

	if (json_file_bytes(f, json_object_get(object, "name"), "name",
			    &t->name, err) < 0)
		return -1;
	json_file_where(f, "table", t->name, number);
	dir = json_file_member(f, object, "dir", JSON_STRING, err);
	if (!dir || name_folder(folder, t->name, strlen(t->name), err) < 0)
		return -1;
	if (strcmp(json_string_value(dir), folder) != 0)
		return json_file_damage(
			f, err,
			"its folder is '%.80s', not '%s' as its "
			"name gives",
			json_string_value(dir), folder);
	t->folder = strdup(folder);
	return t->folder ? 0 : error_nomem(err);
}

static int read_members(struct reading *r, const json_t *object,
			struct error *err)
{
	static const char *const forms[] = { "array", NULL };
	struct json_file *f = r->file;
	struct table *t = r->table;
	int kind, form;
	int64_t rows;

	if (json_file_word(f, object, "kind", kinds, &kind, err) < 0)
		return -1;
	t->kind = (enum table_kind)kind;
	if (json_object_get(object, "form")) {
		if (json_file_word(f, object, "form", forms, &form, err) < 0)
			return -1;
		t->form_array = 1;
	}
	if (read_columns(r, object, err) < 0 ||
	    read_generated(r, object, err) < 0 ||
	    read_key(r, object, err) < 0 || read_order(r, object, err) < 0 ||
	    json_file_integer(f, object, "rows", 0, INT64_MAX, &rows, err) <
		    0 ||
	    json_file_hex(f, object, "sha256", t->sha256, sizeof(t->sha256),
			  err) < 0)
		return -1;
	t->rows = (uint64_t)rows;
	return 0;
}

static int read_table(struct json_file *f, const json_t *object,
		      struct catalog *c, size_t number, struct error *err)
{
	static const char *const keys[] = { "name", "dir",     "kind",
					    "form", "columns", "generated",
					    "key",  "order",   "rowid",
					    "rows", "sha256",  NULL };
	struct reading r = { .file = f, .table = catalog_add_table(c) };
	int rc = -1;

	if (!r.table)
		return error_nomem(err);
	json_file_where(f, "table", NULL, number);
	if (!json_is_object(object)) {
		json_file_damage(f, err, "it is not an object");
		/* catalog_free() copes with a table without a name */
		return -1;
	}
	if (read_name(f, object, r.table, number, err) < 0 ||
	    json_file_keys(f, object, keys, err) < 0 ||
	    read_members(&r, object, err) < 0)
		goto done;
	rc = 0;
done:
	free(r.sorted);
	return rc;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Table names, sorted; NULL after an error.  Each must be there once. */
static const char **sorted_names(struct json_file *f, const struct catalog *c,
				 struct error *err)
{
	const char **names = malloc((c->table_count + 1) * sizeof(*names));
	size_t i;

	if (!names) {
		error_nomem(err);
		return NULL;
	}
	for (i = 0; i < c->table_count; i++)
		names[i] = c->tables[i].name;
	qsort(names, c->table_count, sizeof(*names), compare_strings);
	for (i = 1; i < c->table_count; i++) {
		if (strcmp(names[i - 1], names[i]) != 0)
			continue;
		json_file_where(f, "table", names[i], i);
		json_file_damage(f, err, "it is there twice");
		free(names);
		return NULL;
	}
	return names;
}

/* ---- cycles ---- */

static int read_cycle(struct json_file *f, const json_t *list,
		      struct cycle *cycle, const char *const *names,
		      size_t name_count, struct error *err)
{
	size_t i, count = json_array_size(list);

	if (count < 2)
		return json_file_damage(f, err, "it is no list of tables");
	cycle->tables = calloc(count, sizeof(*cycle->tables));
	if (!cycle->tables)
		return error_nomem(err);
	for (i = 0; i < count; i++) {
		if (json_file_bytes(f, json_array_get(list, i), "cycles",
				    &cycle->tables[i], err) < 0)
			return -1;
		cycle->count++;
		if (!bsearch(&cycle->tables[i], names, name_count,
			     sizeof(*names), compare_strings))
			return json_file_damage(f, err,
						"there is no table '%.80s'",
						cycle->tables[i]);
	}
	return 0;
}

static int read_cycles(struct json_file *f, const json_t *top,
		       struct catalog *c, struct error *err)
{
	const json_t *cycles =
		json_file_member(f, top, "cycles", JSON_ARRAY, err);
	const char **names = NULL;
	size_t i, count;
	int rc = -1;

	if (!cycles)
		return -1;
	names = sorted_names(f, c, err);
	if (!names)
		return -1;
	count = json_array_size(cycles);
	c->cycles = calloc(count + 1, sizeof(*c->cycles));
	if (!c->cycles) {
		error_nomem(err);
		goto done;
	}
	for (i = 0; i < count; i++) {
		json_file_where(f, "cycle", NULL, i + 1);
		c->cycle_count++;
		if (read_cycle(f, json_array_get(cycles, i), &c->cycles[i],
			       names, c->table_count, err) < 0)
			goto done;
	}
	rc = 0;
done:
	free(names);
	return rc;
}

/* ---- the file ---- */

static int read_tables(struct json_file *f, const json_t *top,
		       struct catalog *c, struct error *err)
{
	const json_t *tables =
		json_file_member(f, top, "tables", JSON_ARRAY, err);
	size_t i, count;

	if (!tables)
		return -1;
	count = json_array_size(tables);
	if (count > TABLES_MAX)
		return json_file_damage(f, err, "%zu tables are too many",
					count);
	for (i = 0; i < count; i++)
		if (read_table(f, json_array_get(tables, i), c, i + 1, err) < 0)
			return -1;
	*f->where = '\0';
	return 0;
}

static int read_database(struct catalog *c, struct json_file *f,
			 const json_t *top, struct error *err)
{
	static const char *const keys[] = { "format", "engine", "settings",
					    "tables", "cycles", NULL };

	if (json_file_keys(f, top, keys, err) < 0 ||
	    read_settings(f, top, c, err) < 0 ||
	    read_tables(f, top, c, err) < 0 || read_cycles(f, top, c, err) < 0)
		return -1;
	return schema_read(c, f->source, err);
}

int manifest_read(struct catalog **out, struct source *s, struct error *err)
{
	struct json_file f = { .source = s, .path = MANIFEST_PATH };
	struct catalog *c = NULL;
	json_t *top = NULL;
	int format, rc = -1;

	*out = NULL;
	if (json_file_load(&top, &f, err) < 0)
		goto done;
	format = check_format(&f, top, err);
	if (format < 0)
		goto done;
	c = catalog_new();
	if (!c) {
		error_nomem(err);
		goto done;
	}
	rc = format ? records_manifest_read(c, &f, top, err)
		    : read_database(c, &f, top, err);
	if (rc == 0) {
		*out = c;
		c = NULL;
	}
done:
	catalog_free(c);
	json_decref(top);
	return rc;
}
