/*
 * diff_cells.c - the values of a row, those of both sides beside each other
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/diff_internal.h"
#include "snapshot/record.h"
#include "snapshot/row_internal.h"

/* Where a side has the value: in a column, or as a rowid that is none. */
#define NOWHERE  ((size_t)-1)
#define AT_ROWID ((size_t)-2)

struct place {
	size_t at[2];
};

struct diff_cells {
	struct row_shape *shapes[2]; /* NULL: the side has no such table */
	struct row_span *values[2];
	struct diff_cell *cells;
	struct place *places;
	size_t count;
	/* of records, whose cells are found anew for each */
	int are_records;
	size_t capacity;
	struct buffer names;
};

/* ---- records ---- */

/* The names move while more come: a cell's stands at its place until then. */
static int add_field(struct diff_cells *c, struct json_piece name,
		     struct error *err)
{
	size_t capacity = c->capacity ? c->capacity * 2 : 64;
	struct diff_cell *cells;
	struct place *places;

	if (c->count == c->capacity) {
		cells = reallocarray(c->cells, capacity, sizeof(*cells));
		if (!cells)
			return error_nomem(err);
		c->cells = cells;
		places = reallocarray(c->places, capacity, sizeof(*places));
		if (!places)
			return error_nomem(err);
		c->places = places;
		c->capacity = capacity;
	}
	memset(&c->cells[c->count], 0, sizeof(*c->cells));
	c->places[c->count++].at[0] = c->names.size;
	if (name.data)
		json_piece_text(&c->names, name);
	else
		buffer_str(&c->names, "pk");
	buffer_byte(&c->names, '\0');
	return buffer_failed(&c->names) ? error_nomem(err) : 0;
}

/* One side's record on its way. */
struct walk {
	struct json_walk fields;
	struct json_piece name, value; /* the next field */
	int more;
};

static void step(struct walk *w)
{
	w->more = json_walk_next(&w->fields, &w->name, &w->value);
}

/* @return its pk; not there: it has none */
static struct json_piece begin_record(struct walk *w, const char *line,
				      size_t size)
{
	struct json_piece pk = { NULL, 0 }, name, value = { "{}", 2 };
	struct json_walk members;

	if (line) {
		json_walk_begin(&members, (struct json_piece){ line, size });
		json_walk_next(&members, &name, &value);
		if (json_piece_is(name, "pk")) {
			pk = value;
			json_walk_next(&members, &name, &value);
		}
	}
	json_walk_begin(&w->fields, value);
	step(w);
	return pk;
}

static void set_value(struct diff_cells *c, int side, struct json_piece value)
{
	c->cells[c->count - 1].values[side] =
		(struct row_span){ value.data, value.size };
}

/* Fields are sorted by name on both sides. */
static int split_records(struct diff_cells *c, const struct diff_row *row,
			 struct error *err)
{
	struct json_piece pks[2];
	struct walk w[2];
	int side;

	c->count = 0;
	buffer_clear(&c->names);
	for (side = DIFF_A; side <= DIFF_B; side++)
		pks[side] = begin_record(&w[side], row->lines[side],
					 row->sizes[side]);
	if (pks[DIFF_A].data || pks[DIFF_B].data) {
		if (add_field(c, (struct json_piece){ NULL, 0 }, err) < 0)
			return -1;
		c->cells[0].key = 1;
		set_value(c, DIFF_A, pks[DIFF_A]);
		set_value(c, DIFF_B, pks[DIFF_B]);
	}
	while (w[DIFF_A].more || w[DIFF_B].more) {
		int order = !w[DIFF_A].more ? 1
			    : !w[DIFF_B].more
				    ? -1
				    : record_compare_names(w[DIFF_A].name,
							   w[DIFF_B].name);
		int first = order <= 0 ? DIFF_A : DIFF_B;

		if (add_field(c, w[first].name, err) < 0)
			return -1;
		for (side = DIFF_A; side <= DIFF_B; side++) {
			if (order && side != first)
				continue;
			set_value(c, side, w[side].value);
			step(&w[side]);
		}
	}
	for (size_t i = 0; i < c->count; i++)
		c->cells[i].name = c->names.data + c->places[i].at[0];
	return 0;
}

/* ---- rows ---- */

static struct diff_cell *add_cell(struct diff_cells *c, const char *name)
{
	struct diff_cell *cell = &c->cells[c->count];

	c->places[c->count].at[DIFF_A] = NOWHERE;
	c->places[c->count].at[DIFF_B] = NOWHERE;
	c->count++;
	cell->name = name;
	return cell;
}

/* The cell of that name; columns mostly have one order, so the next cell is
 * looked at first. */
static size_t find_cell(const struct diff_cells *c, const char *name,
			size_t next)
{
	size_t i, at;

	for (i = 0; i < c->count; i++) {
		at = (next + i) % c->count;
		if (!strcmp(c->cells[at].name, name))
			return at;
	}
	return NOWHERE;
}

static int is_key(const struct table *t, size_t column)
{
	return t->columns[column].key > 0 ||
	       (t->order == ORDER_ROWID && t->rowid_column == (int)column);
}

/* Add the columns of a side, behind those that are there. */
static void add_side(struct diff_cells *c, enum diff_side side,
		     const struct table *t)
{
	size_t value = 0, next = 0, i;

	if (c->shapes[side]->separate) {
		/* it may have another name on the other side */
		next = c->count && c->places[0].at[!side] == AT_ROWID
			       ? 0
			       : find_cell(c, t->rowid_key, 0);
		if (next == NOWHERE) {
			next = c->count;
			add_cell(c, t->rowid_key)->key = 1;
		}
		c->places[next++].at[side] = AT_ROWID;
	}
	for (i = 0; i < t->column_count; i++) {
		size_t at;

		if (t->columns[i].generated)
			continue;
		at = find_cell(c, t->columns[i].name, next);
		if (at == NOWHERE) {
			at = c->count;
			add_cell(c, t->columns[i].name)->key = is_key(t, i);
		}
		c->places[at].at[side] = value++;
		next = at + 1;
	}
}

int diff_cells_new(struct diff_cells **out, const struct diff_table *t,
		   struct error *err)
{
	struct diff_cells *c = calloc(1, sizeof(*c));
	size_t room = 2;
	int side;

	*out = NULL;
	if (!c)
		return error_nomem(err);
	if (t->sides[t->sides[DIFF_B] ? DIFF_B : DIFF_A]->order ==
	    ORDER_RECORDS) {
		c->are_records = 1;
		*out = c;
		return 0;
	}
	for (side = DIFF_A; side <= DIFF_B; side++)
		room += t->sides[side] ? t->sides[side]->column_count + 1 : 0;
	c->cells = calloc(room, sizeof(*c->cells));
	c->places = calloc(room, sizeof(*c->places));
	if (!c->cells || !c->places) {
		error_nomem(err);
		goto failed;
	}
	/* B's columns stand first, as B is what is there now */
	for (side = DIFF_B; side >= (int)DIFF_A; side--) {
		if (!t->sides[side])
			continue;
		c->values[side] = calloc(room, sizeof(*c->values[side]));
		if (!c->values[side]) {
			error_nomem(err);
			goto failed;
		}
		if (row_shape_new(&c->shapes[side], t->sides[side], err) < 0)
			goto failed;
		add_side(c, side, t->sides[side]);
	}
	*out = c;
	return 0;
failed:
	diff_cells_free(c);
	return -1;
}

void diff_cells_free(struct diff_cells *c)
{
	if (!c)
		return;
	row_shape_free(c->shapes[DIFF_A]);
	row_shape_free(c->shapes[DIFF_B]);
	free(c->values[DIFF_A]);
	free(c->values[DIFF_B]);
	free(c->cells);
	free(c->places);
	buffer_release(&c->names);
	free(c);
}

int diff_cells_split(struct diff_cells *c, const struct diff_row *row,
		     const struct diff_cell **out, size_t *count,
		     struct error *err)
{
	static const struct row_span none = { NULL, 0 };
	int side;
	size_t i;

	if (c->are_records) {
		if (split_records(c, row, err) < 0)
			return -1;
		*out = c->cells;
		*count = c->count;
		return 0;
	}
	for (side = DIFF_A; side <= DIFF_B; side++) {
		struct row_span rowid = none;

		if (row->lines[side] &&
		    row_split(c->shapes[side], row->lines[side],
			      row->sizes[side], &rowid, c->values[side],
			      err) < 0)
			return -1;
		for (i = 0; i < c->count; i++) {
			size_t at = c->places[i].at[side];

			if (!row->lines[side] || at == NOWHERE)
				c->cells[i].values[side] = none;
			else
				c->cells[i].values[side] =
					at == AT_ROWID ? rowid
						       : c->values[side][at];
		}
	}
	*out = c->cells;
	*count = c->count;
	return 0;
}

int diff_cell_differs(const struct diff_cell *c)
{
	const struct row_span *a = &c->values[DIFF_A], *b = &c->values[DIFF_B];

	if (!a->data || !b->data)
		return a->data != b->data;
	return a->size != b->size || memcmp(a->data, b->data, a->size) != 0;
}
