/*
 * diff_cells.c - the values of a row, those of both sides beside each other
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/diff_internal.h"
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
};

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
	free(c);
}

int diff_cells_split(struct diff_cells *c, const struct diff_row *row,
		     const struct diff_cell **out, size_t *count,
		     struct error *err)
{
	static const struct row_span none = { NULL, 0 };
	int side;
	size_t i;

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
