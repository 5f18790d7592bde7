/*
 * diff_print.c - what differs, for people and as JSON
 *
 * Values are handed on as they stand in the snapshot, whose JSON was checked:
 * read and written again, 0.1 could become another number's text.
 */
#include "cmd/diff_print.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "cmd/cmd.h"
#include "cmd/snapshots.h"
#include "gitstore/gitstore.h"
#include "snapshot/catalog.h"
#include "snapshot/text.h"

#define NAME_SHOWN  200
#define VALUE_SHOWN 60
#define ROW_SHOWN   200
#define SQL_SHOWN   500

/* Of two long values that begin alike, so much is shown of what is alike. */
#define ALIKE_SHOWN 12

/* A value whose JSON has more bytes is not told. */
#define JSON_VALUE_MAX 4096

static const char *const change_names[] = {
	[DIFF_ADDED] = "added",
	[DIFF_CHANGED] = "changed",
	[DIFF_REMOVED] = "removed",
};

static const char change_signs[] = {
	[DIFF_ADDED] = '+',
	[DIFF_CHANGED] = '~',
	[DIFF_REMOVED] = '-',
};

static const char *const type_names[] = {
	[ENTRY_TABLE] = "table",
	[ENTRY_INDEX] = "index",
	[ENTRY_VIEW] = "view",
	[ENTRY_TRIGGER] = "trigger",
};

int diff_is_chosen(const struct diff_choice *c, const char *table)
{
	size_t i;

	for (i = 0; i < c->table_count; i++)
		if (!strcmp(c->tables[i], table))
			return 1;
	return !c->table_count;
}

size_t diff_settings(const struct diff_end ends[2],
		     struct diff_setting out[DIFF_SETTINGS])
{
	static const char *const encodings[] = {
		[ENCODING_UTF8] = "UTF-8",
		[ENCODING_UTF16LE] = "UTF-16le",
		[ENCODING_UTF16BE] = "UTF-16be",
	};
	struct diff_setting all[DIFF_SETTINGS] = {
		{ .name = "encoding" },
		{ .name = "user_version" },
		{ .name = "application_id" },
	};
	size_t count = 0, i;
	int side;

	for (side = DIFF_A; side <= DIFF_B; side++) {
		const struct catalog *c = ends[side].catalog;
		size_t room = sizeof(all[0].values[side]);

		snprintf(all[0].values[side], room, "%s",
			 encodings[c->encoding]);
		snprintf(all[1].values[side], room, "%" PRId32,
			 c->user_version);
		snprintf(all[2].values[side], room, "%" PRId32,
			 c->application_id);
	}
	for (i = 0; i < DIFF_SETTINGS; i++)
		if (strcmp(all[i].values[DIFF_A], all[i].values[DIFF_B]) != 0)
			out[count++] = all[i];
	return count;
}

/* ---- pieces of text ---- */

static void put_name(struct buffer *out, const char *name)
{
	text_display(out, name, strlen(name), NAME_SHOWN);
}

/* Where the values begin to differ, as far as it is worth leaving out. */
static size_t begin_of(const struct diff_cell *c)
{
	const struct row_span *a = &c->values[DIFF_A], *b = &c->values[DIFF_B];
	size_t n = 0;

	if (!a->data || !b->data ||
	    (a->size <= VALUE_SHOWN && b->size <= VALUE_SHOWN))
		return 0;
	while (n < a->size && n < b->size && a->data[n] == b->data[n])
		n++;
	if (n <= VALUE_SHOWN / 2)
		return 0;
	n -= ALIKE_SHOWN;
	while (n && ((unsigned char)a->data[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void put_value(struct buffer *out, const struct row_span *v,
		      size_t begin)
{
	if (!v->data) {
		buffer_str(out, "null");
		return;
	}
	if (begin)
		buffer_str(out, "...");
	text_display(out, v->data + begin, v->size - begin, VALUE_SHOWN);
}

static void put_json(struct buffer *out, const char *text)
{
	struct buffer shown = BUFFER_INIT;

	if (!text_json_string(out, text, strlen(text)))
		return;
	text_display(&shown, text, strlen(text), 4096);
	text_json_string(out, shown.data, shown.size);
	buffer_release(&shown);
}

static void put_json_value(struct buffer *out, const struct row_span *v)
{
	if (!v->data)
		buffer_str(out, "null");
	else if (v->size > JSON_VALUE_MAX)
		buffer_printf(out, "{\"$long\":%zu}", v->size);
	else
		buffer_add(out, v->data, v->size);
}

/* ---- rows ---- */

static const struct row_span *present(const struct diff_cell *c)
{
	return &c->values[c->values[DIFF_B].data ? DIFF_B : DIFF_A];
}

static void text_changed(struct buffer *out, const struct diff_cell *cells,
			 size_t count)
{
	const char *comma = "";
	size_t i;

	for (i = 0; i < count; i++) {
		if (!cells[i].key)
			continue;
		buffer_str(out, comma);
		put_name(out, cells[i].name);
		buffer_byte(out, '=');
		put_value(out, present(&cells[i]), 0);
		comma = ", ";
	}
	comma = ": ";
	for (i = 0; i < count; i++) {
		size_t begin;

		if (!diff_cell_differs(&cells[i]))
			continue;
		begin = begin_of(&cells[i]);
		buffer_str(out, comma);
		put_name(out, cells[i].name);
		buffer_byte(out, ' ');
		put_value(out, &cells[i].values[DIFF_A], begin);
		buffer_str(out, " -> ");
		put_value(out, &cells[i].values[DIFF_B], begin);
		comma = "; ";
	}
}

static void text_row(struct buffer *out, const struct diff_row *row,
		     const struct diff_cell *cells, size_t count)
{
	int side = row->lines[DIFF_B] ? DIFF_B : DIFF_A;

	buffer_printf(out, "  %c ", change_signs[row->change]);
	if (row->change == DIFF_CHANGED)
		text_changed(out, cells, count);
	else
		text_display(out, row->lines[side], row->sizes[side],
			     ROW_SHOWN);
	buffer_byte(out, '\n');
}

/* The cells that `which` names as an object: 0 all that are there, 1 keys,
 * 2 those that differ, with both values. */
static void json_cells(struct buffer *out, const struct diff_cell *cells,
		       size_t count, int which)
{
	const char *comma = "";
	size_t i;

	buffer_byte(out, '{');
	for (i = 0; i < count; i++) {
		const struct diff_cell *c = &cells[i];

		if (which == 2   ? !diff_cell_differs(c)
		    : which == 1 ? !c->key
				 : !present(c)->data)
			continue;
		buffer_str(out, comma);
		put_json(out, c->name);
		buffer_byte(out, ':');
		if (which == 2) {
			buffer_str(out, "{\"old\":");
			put_json_value(out, &c->values[DIFF_A]);
			buffer_str(out, ",\"new\":");
			put_json_value(out, &c->values[DIFF_B]);
			buffer_byte(out, '}');
		} else {
			put_json_value(out, present(c));
		}
		comma = ",";
	}
	buffer_byte(out, '}');
}

static void json_row(struct buffer *out, const struct diff_row *row,
		     const struct diff_cell *cells, size_t count)
{
	buffer_printf(out, "{\"change\":\"%s\",", change_names[row->change]);
	if (row->change == DIFF_CHANGED) {
		buffer_str(out, "\"key\":");
		json_cells(out, cells, count, 1);
		buffer_str(out, ",\"columns\":");
		json_cells(out, cells, count, 2);
	} else {
		buffer_str(out, "\"row\":");
		json_cells(out, cells, count, 0);
	}
	buffer_byte(out, '}');
}

static int take_row(struct diff_taker *taker, const struct diff_table *t,
		    const struct diff_row *row, struct error *err)
{
	struct diff_rows_text *r = (struct diff_rows_text *)taker;
	const struct diff_cell *cells;
	size_t count;

	if (r->told == r->choice->limit)
		return 1;
	if ((!r->cells && diff_cells_new(&r->cells, t, err) < 0) ||
	    diff_cells_split(r->cells, row, &cells, &count, err) < 0)
		return -1;
	if (r->json && r->told)
		buffer_str(&r->text, ",\n   ");
	if (r->json)
		json_row(&r->text, row, cells, count);
	else
		text_row(&r->text, row, cells, count);
	r->told++;
	return buffer_failed(&r->text) ? error_nomem(err) : 0;
}

void diff_rows_begin(struct diff_rows_text *r, const struct diff_choice *c,
		     int json)
{
	buffer_clear(&r->text);
	diff_cells_free(r->cells);
	r->cells = NULL;
	r->choice = c;
	r->json = json;
	r->told = 0;
	r->taker.row = c->stat ? NULL : take_row;
}

void diff_rows_release(struct diff_rows_text *r)
{
	buffer_release(&r->text);
	diff_cells_free(r->cells);
	memset(r, 0, sizeof(*r));
}

/* ---- for people ---- */

static void text_end(struct buffer *out, const char *sign,
		     const struct diff_end *e)
{
	const struct snapshot *s = e->snapshot;
	char id[OBJECT_HEX_SIZE], when[CLOCK_TEXT_SIZE];

	buffer_str(out, sign);
	if (!s) {
		put_name(out, e->path);
		buffer_byte(out, '\n');
		return;
	}
	object_hex(id, &s->id);
	clock_text(when, s->created_at_s);
	buffer_printf(out, "%.8s  %s", id, when);
	if (s->name) {
		buffer_str(out, "  ");
		put_name(out, s->name);
	}
	if (s->description) {
		buffer_str(out, "  ");
		text_display(out, s->description, strlen(s->description), 60);
	}
	buffer_byte(out, '\n');
}

void diff_text_heading(struct buffer *out, const struct diff_end ends[2])
{
	text_end(out, "--- ", &ends[DIFF_A]);
	text_end(out, "+++ ", &ends[DIFF_B]);
}

/* Lines of SQL. */
struct sql {
	const char *text;
	size_t size;
};

/* Step over the lines with which both begin. */
static void skip_alike(struct sql *a, struct sql *b)
{
	size_t n = 0, line = 0;

	while (n < a->size && n < b->size && a->text[n] == b->text[n])
		if (a->text[n++] == '\n')
			line = n;
	a->text += line;
	a->size -= line;
	b->text += line;
	b->size -= line;
}

/* And over those with which both end. */
static void cut_alike(struct sql *a, struct sql *b)
{
	size_t n = 0, line = 0;

	while (n < a->size && n < b->size &&
	       a->text[a->size - n - 1] == b->text[b->size - n - 1])
		if (a->text[a->size - ++n] == '\n')
			line = n;
	a->size -= line;
	b->size -= line;
}

static void put_sql(struct buffer *out, char sign, struct sql s)
{
	while (s.size) {
		const char *newline = memchr(s.text, '\n', s.size);
		size_t n = newline ? (size_t)(newline - s.text) : s.size;

		buffer_printf(out, "      %c ", sign);
		text_display(out, s.text, n, SQL_SHOWN);
		buffer_byte(out, '\n');
		n += newline != NULL;
		s.text += n;
		s.size -= n;
	}
}

static void text_entry(struct buffer *out, const struct diff_choice *c,
		       const struct diff_entry *e)
{
	const struct entry *any = e->b ? e->b : e->a;
	struct sql a = { NULL, 0 }, b = { NULL, 0 };

	buffer_printf(out, "  %c %s ", change_signs[e->change],
		      type_names[any->type]);
	put_name(out, any->name);
	if (any->type == ENTRY_INDEX || any->type == ENTRY_TRIGGER) {
		buffer_str(out, " on ");
		put_name(out, any->table);
	}
	buffer_str(out, e->moved ? ": fires in another order\n" : "\n");
	if (c->stat || e->change != DIFF_CHANGED || e->moved)
		return;
	a = (struct sql){ e->a->sql, e->a->sql_size };
	b = (struct sql){ e->b->sql, e->b->sql_size };
	skip_alike(&a, &b);
	cut_alike(&a, &b);
	put_sql(out, '-', a);
	put_sql(out, '+', b);
}

void diff_text_schema(struct buffer *out, const struct diff_choice *c,
		      const struct diff_entry *e, size_t count,
		      const struct diff_setting *s, size_t settings)
{
	size_t i;

	if (!count && !settings)
		return;
	buffer_str(out, "schema:\n");
	for (i = 0; i < settings; i++)
		buffer_printf(out, "  ~ %s %s -> %s\n", s[i].name,
			      s[i].values[DIFF_A], s[i].values[DIFF_B]);
	for (i = 0; i < count; i++)
		text_entry(out, c, &e[i]);
}

static void put_count(struct buffer *out, const char **comma, uint64_t n,
		      const char *what)
{
	char number[CMD_NUMBER_SIZE];

	if (!n)
		return;
	buffer_printf(out, "%s%s %s", *comma, cmd_number(number, n), what);
	*comma = ", ";
}

void diff_text_table(struct buffer *out, const struct diff_choice *c,
		     const struct diff_table *t,
		     const struct diff_rows_text *rows)
{
	uint64_t all = t->added + t->changed + t->removed;
	char number[CMD_NUMBER_SIZE];
	const char *comma = ": ";

	if (!all)
		return;
	put_name(out, t->name);
	put_count(out, &comma, t->added, change_names[DIFF_ADDED]);
	put_count(out, &comma, t->changed, change_names[DIFF_CHANGED]);
	put_count(out, &comma, t->removed, change_names[DIFF_REMOVED]);
	buffer_byte(out, '\n');
	if (c->stat)
		return;
	buffer_add(out, rows->text.data, rows->text.size);
	if (all > rows->told)
		buffer_printf(out, "  ... and %s more\n",
			      cmd_number(number, all - rows->told));
}

/* ---- JSON ---- */

static void json_end(struct buffer *out, const struct diff_end *e)
{
	json_t *o = e->snapshot ? snapshot_json(e->snapshot)
				: json_pack("{s:n, s:o}", "id", "from",
					    json_text(e->path));
	char *text = json_dumps(o, JSON_INDENT(2));

	buffer_str(out, text ? text : "null");
	free(text);
	json_decref(o);
}

void diff_json_heading(struct buffer *out, const struct diff_end ends[2])
{
	buffer_str(out, "{\n\"a\": ");
	json_end(out, &ends[DIFF_A]);
	buffer_str(out, ",\n\"b\": ");
	json_end(out, &ends[DIFF_B]);
}

static void json_sql(struct buffer *out, const struct entry *e)
{
	if (e && e->sql)
		put_json(out, e->sql);
	else
		buffer_str(out, "null");
}

void diff_json_schema(struct buffer *out, const struct diff_entry *e,
		      size_t count, const struct diff_setting *s,
		      size_t settings)
{
	const char *comma = "\n  ";
	size_t i;

	buffer_str(out, ",\n\"schema\": [");
	for (i = 0; i < settings; i++) {
		buffer_printf(out,
			      "%s{\"change\":\"changed\",\"type\":\"setting\","
			      "\"name\":\"%s\",\"table\":null,\"old\":\"%s\","
			      "\"new\":\"%s\"}",
			      comma, s[i].name, s[i].values[DIFF_A],
			      s[i].values[DIFF_B]);
		comma = ",\n  ";
	}
	for (i = 0; i < count; i++) {
		const struct entry *any = e[i].b ? e[i].b : e[i].a;

		buffer_printf(out, "%s{\"change\":\"%s\",\"type\":\"%s\",",
			      comma,
			      e[i].moved ? "moved" : change_names[e[i].change],
			      type_names[any->type]);
		buffer_str(out, "\"name\":");
		put_json(out, any->name);
		buffer_str(out, ",\"table\":");
		put_json(out, any->table);
		buffer_str(out, ",\"old\":");
		json_sql(out, e[i].a);
		buffer_str(out, ",\"new\":");
		json_sql(out, e[i].b);
		buffer_byte(out, '}');
		comma = ",\n  ";
	}
	buffer_str(out, "]");
}

void diff_json_table(struct buffer *out, const struct diff_choice *c,
		     const struct diff_table *t,
		     const struct diff_rows_text *rows, int first)
{
	buffer_str(out, first ? "\n  {\"name\":" : ",\n  {\"name\":");
	put_json(out, t->name);
	buffer_printf(out,
		      ",\"added\":%" PRIu64 ",\"changed\":%" PRIu64
		      ",\"removed\":%" PRIu64,
		      t->added, t->changed, t->removed);
	if (!c->stat) {
		buffer_str(out, ",\"rows\":[");
		buffer_add(out, rows->text.data, rows->text.size);
		buffer_byte(out, ']');
	}
	buffer_byte(out, '}');
}
