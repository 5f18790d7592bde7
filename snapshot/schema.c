/*
 * schema.c - data/schema.json: the exact text of each object of the schema
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest_internal.h"

#define ENTRIES_MAX 1000000

static const char *const types[] = { "table", "index", "view", "trigger",
				     NULL };

/* ---- writing ---- */

int schema_write(struct buffer *out, const struct catalog *c, struct error *err)
{
	size_t i;

	buffer_byte(out, '[');
	for (i = 0; i < c->entry_count; i++) {
		const struct entry *e = &c->entries[i];

		buffer_printf(out,
			      "%s\n{\"type\":\"%s\",\"name\":", i ? "," : "",
			      types[e->type]);
		json_file_put(out, e->name);
		buffer_str(out, ",\"table\":");
		json_file_put(out, e->table);
		buffer_str(out, ",\"sql\":");
		json_file_put(out, e->sql);
		buffer_byte(out, '}');
	}
	buffer_str(out, c->entry_count ? "\n]\n" : "]\n");
	return buffer_failed(out) ? error_nomem(err) : 0;
}

/* ---- is it a virtual table? ---- */

static const char *skip_space(const char *s)
{
	const char *end;

	for (;;) {
		if (*s && strchr(" \t\n\f\r", *s)) {
			s++;
		} else if (s[0] == '-' && s[1] == '-') {
			s += strcspn(s, "\n");
		} else if (s[0] == '/' && s[1] == '*') {
			end = strstr(s + 2, "*/");
			s = end ? end + 2 : s + strlen(s);
		} else {
			return s;
		}
	}
}

static int is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '$' ||
	       (unsigned char)c >= 0x80;
}

/* @return what follows the keyword, or NULL when another word stands there */
static const char *skip_word(const char *s, const char *word)
{
	size_t size = strlen(word);

	s = skip_space(s);
	if (strncasecmp(s, word, size) != 0 || is_word_byte(s[size]))
		return NULL;
	return s + size;
}

static int is_virtual(const char *sql)
{
	sql = skip_word(sql, "create");
	if (sql)
		sql = skip_word(sql, "virtual");
	return sql && skip_word(sql, "table") != NULL;
}

/* ---- reading ---- */

static int read_entry(struct json_file *f, const json_t *object,
		      struct catalog *c, size_t number, struct error *err)
{
	static const char *const keys[] = { "type", "name", "table", "sql",
					    NULL };
	struct entry *e = catalog_add_entry(c);
	int type;

	if (!e)
		return error_nomem(err);
	json_file_where(f, "entry", NULL, number);
	if (!json_is_object(object))
		return json_file_damage(f, err, "it is not an object");
	if (json_file_bytes(f, json_object_get(object, "name"), "name",
			    &e->name, err) < 0)
		return -1;
	json_file_where(f, "entry", e->name, number);
	if (json_file_keys(f, object, keys, err) < 0 ||
	    json_file_word(f, object, "type", types, &type, err) < 0 ||
	    json_file_bytes(f, json_object_get(object, "table"), "table",
			    &e->table, err) < 0 ||
	    json_file_bytes(f, json_object_get(object, "sql"), "sql", &e->sql,
			    err) < 0)
		return -1;
	e->type = (enum entry_type)type;
	e->sql_size = strlen(e->sql);
	if (!e->sql_size)
		return json_file_damage(f, err, "its SQL is empty");
	e->virtual_table = e->type == ENTRY_TABLE && is_virtual(e->sql);
	if ((e->type == ENTRY_TABLE || e->type == ENTRY_VIEW) &&
	    strcmp(e->name, e->table) != 0)
		return json_file_damage(f, err, "its 'table' is another name");
	return 0;
}

/* ---- entries against tables ---- */

/* Tables, indexes and views share their names, triggers have their own. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a;
	const struct entry *y = *(struct entry *const *)b;
	int trigger = x->type == ENTRY_TRIGGER;

	if (trigger != (y->type == ENTRY_TRIGGER))
		return trigger ? 1 : -1;
	return strcmp(x->name, y->name);
}

static int compare_tables(const void *a, const void *b)
{
	return strcmp((*(struct table *const *)a)->name,
		      (*(struct table *const *)b)->name);
}

/* One entry per table of the manifest, in the order of names both. */
static int match_tables(struct json_file *f, struct entry **entries,
			size_t entry_count, struct table **tables,
			size_t table_count, struct error *err)
{
	size_t i, next = 0;

	for (i = 0; i < entry_count; i++) {
		const struct entry *e = entries[i];
		int diff;

		if (e->type != ENTRY_TABLE)
			continue;
		diff = next < table_count ? strcmp(tables[next]->name, e->name)
					  : 1;
		if (diff < 0)
			break;
		if (diff && e->virtual_table)
			continue;
		json_file_where(f, "entry", e->name, i);
		if (diff)
			return json_file_damage(
				f, err, "the manifest has no such table");
		if (e->virtual_table)
			return json_file_damage(
				f, err,
				"a virtual table has no rows, but "
				"the manifest has it");
		next++;
	}
	if (next == table_count)
		return 0;
	json_file_where(f, "table", tables[next]->name, next);
	return json_file_damage(f, err, "it is in the manifest, but not here");
}

static int check_entries(struct json_file *f, const struct catalog *c,
			 struct error *err)
{
	struct entry **entries;
	struct table **tables;
	size_t i;
	int rc = -1;

	entries = calloc(c->entry_count + 1, sizeof(struct entry *));
	tables = calloc(c->table_count + 1, sizeof(struct table *));
	if (!entries || !tables) {
		error_nomem(err);
		goto done;
	}
	for (i = 0; i < c->entry_count; i++)
		entries[i] = &c->entries[i];
	for (i = 0; i < c->table_count; i++)
		tables[i] = &c->tables[i];
	qsort(entries, c->entry_count, sizeof(struct entry *), compare_entries);
	qsort(tables, c->table_count, sizeof(struct table *), compare_tables);
	for (i = 1; i < c->entry_count; i++) {
		if (compare_entries(&entries[i - 1], &entries[i]) != 0)
			continue;
		json_file_where(f, "entry", entries[i]->name, i);
		json_file_damage(f, err, "it is there twice");
		goto done;
	}
	rc = match_tables(f, entries, c->entry_count, tables, c->table_count,
			  err);
done:
	free(entries);
	free(tables);
	return rc;
}

int schema_read(struct catalog *c, struct source *s, struct error *err)
{
	struct json_file f = { .source = s, .path = SCHEMA_PATH };
	json_t *top = NULL;
	size_t i, count;
	int rc = -1;

	if (json_file_load(&top, &f, err) < 0)
		goto done;
	if (!json_is_array(top)) {
		json_file_damage(&f, err, "it is not an array");
		goto done;
	}
	count = json_array_size(top);
	if (count > ENTRIES_MAX) {
		json_file_damage(&f, err, "%zu entries are too many", count);
		goto done;
	}
	for (i = 0; i < count; i++)
		if (read_entry(&f, json_array_get(top, i), c, i + 1, err) < 0)
			goto done;
	rc = check_entries(&f, c, err);
done:
	json_decref(top);
	return rc;
}
