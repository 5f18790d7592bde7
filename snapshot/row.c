/*
 * row.c - what the row codec knows of a table in advance
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/row_internal.h"
#include "snapshot/text.h"

void row_part_path(char out[ROW_PART_PATH_SIZE], const unsigned char sha256[32],
		   unsigned int part)
{
	char hex[2 * HASH_SHA256_SIZE + 1];

	hex_encode(hex, sha256, HASH_SHA256_SIZE);
	snprintf(out, ROW_PART_PATH_SIZE, "values/%.2s/%s-%u", hex, hex + 2,
		 part);
}

static int put_key(struct buffer *key, const char *name, size_t size,
		   struct error *err)
{
	if (text_json_string(key, name, size))
		return error_set(err, ERROR_DAMAGE,
				 "a column's name is not UTF-8, so rows must "
				 "be arrays");
	buffer_byte(key, ':');
	return 0;
}

/* The comma is part of the key: all but a row's first are written so. */
static int make_name(struct row_shape *s, struct row_name *n, const char *name,
		     struct error *err)
{
	static const char padding[ROW_KEY_STEP] = { 0 };
	struct buffer key = BUFFER_INIT;

	n->name = name;
	n->name_size = strlen(name);
	buffer_byte(&key, ',');
	if (!s->table->form_array &&
	    put_key(&key, name, n->name_size, err) < 0) {
		buffer_release(&key);
		return -1;
	}
	n->key_size = key.size;
	s->room += key.size + ROW_KEY_STEP + ROW_VALUE_ROOM;
	buffer_add(&key, padding, sizeof(padding));
	n->key = buffer_detach(&key);
	return n->key ? 0 : error_nomem(err);
}

/* Places of the primary key's columns among the values, in key order. */
static int find_key(struct row_shape *s, const size_t *value_of,
		    struct error *err)
{
	const struct table *t = s->table;
	size_t i;

	s->key = malloc((s->count + 1) * sizeof(*s->key));
	if (!s->key)
		return error_nomem(err);
	for (i = 0; i < s->count; i++)
		s->key[i] = NO_VALUE;
	for (i = 0; i < t->column_count; i++) {
		size_t place = (size_t)t->columns[i].key;

		if (t->columns[i].key <= 0 || value_of[i] == NO_VALUE)
			continue;
		if (place > s->count || s->key[place - 1] != NO_VALUE)
			return error_set(err, ERROR_DAMAGE,
					 "the primary key has two columns in "
					 "one place");
		s->key[place - 1] = value_of[i];
	}
	while (s->key_count < s->count && s->key[s->key_count] != NO_VALUE)
		s->key_count++;
	return 0;
}

/* What is the rowid: a column, a key of its own, or nothing? */
static int find_rowid(struct row_shape *s, const size_t *value_of,
		      struct error *err)
{
	const struct table *t = s->table;

	s->rowid_value = NO_VALUE;
	if (t->order != ORDER_ROWID)
		return 0;
	if (t->rowid_column >= 0) {
		if ((size_t)t->rowid_column < t->column_count)
			s->rowid_value = value_of[t->rowid_column];
		if (s->rowid_value == NO_VALUE)
			return error_set(err, ERROR_DAMAGE,
					 "the rowid's column does not exist");
		return 0;
	}
	s->separate = 1;
	if (!t->rowid_key && !t->form_array)
		return error_set(err, ERROR_DAMAGE,
				 "the rowid's key is missing");
	return make_name(s, &s->rowid, t->rowid_key ? t->rowid_key : "rowid",
			 err);
}

static int find_values(struct row_shape *s, size_t *value_of, struct error *err)
{
	const struct table *t = s->table;
	size_t i;

	for (i = 0; i < t->column_count; i++) {
		value_of[i] = NO_VALUE;
		if (t->columns[i].generated)
			continue;
		if (make_name(s, &s->names[s->count], t->columns[i].name, err) <
		    0)
			return -1;
		s->loaded_at[s->count] = NO_VALUE;
		value_of[i] = s->count++;
	}
	return 0;
}

int row_shape_new(struct row_shape **out, const struct table *t,
		  struct error *err)
{
	struct row_shape *s = calloc(1, sizeof(*s));
	size_t *value_of = calloc(t->column_count + 1, sizeof(*value_of));
	int rc = -1;

	*out = NULL;
	if (!s || !value_of) {
		error_nomem(err);
		goto done;
	}
	s->table = t;
	s->room = ROW_VALUE_ROOM; /* brackets, newline */
	s->names = calloc(t->column_count + 1, sizeof(*s->names));
	s->loaded_at = calloc(t->column_count + 1, sizeof(*s->loaded_at));
	if (!s->names || !s->loaded_at) {
		error_nomem(err);
		goto done;
	}
	if (hasher_new(&s->sha256, HASH_SHA256, err) < 0 ||
	    find_values(s, value_of, err) < 0 ||
	    find_rowid(s, value_of, err) < 0 || find_key(s, value_of, err) < 0)
		goto done;
	*out = s;
	s = NULL;
	rc = 0;
done:
	row_shape_free(s);
	free(value_of);
	return rc;
}

void row_shape_free(struct row_shape *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->count; i++)
		free(s->names[i].key);
	free(s->rowid.key);
	free(s->names);
	free(s->loaded_at);
	free(s->key);
	hasher_free(s->sha256);
	buffer_release(&s->text);
	buffer_release(&s->loaded);
	free(s);
}

size_t row_shape_values(const struct row_shape *s)
{
	return s->count;
}

int row_key_bytes(struct buffer *out, struct row_shape *s,
		  const struct value *values, const char *line, size_t size,
		  struct error *err)
{
	size_t i;

	if (s->table->order != ORDER_KEY) {
		/* With its newline or without, a line is the same key. */
		if (size && line[size - 1] == '\n')
			size--;
		buffer_add(out, line, size);
	} else {
		buffer_byte(out, '[');
		for (i = 0; i < s->key_count; i++) {
			if (i)
				buffer_byte(out, ',');
			if (row_put_value(out, &values[s->key[i]], err) < 0)
				return -1;
		}
		buffer_byte(out, ']');
	}
	return buffer_failed(out) ? error_nomem(err) : 0;
}
