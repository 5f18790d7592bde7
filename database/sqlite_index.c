/*
 * sqlite_index.c - all entries of an index, in order, from its pages
 *
 * An entry is a record of the index's columns with the rowid behind them.
 */
#include "database/sqlite_pages.h"

#include <stdlib.h>

/* ---- which of two entries comes first ---- */

/* NULL, then numbers, then texts, then blobs. */
static int class_rank(const struct value *v)
{
	switch (v->class) {
	case VALUE_NULL:
		return 0;
	case VALUE_INTEGER:
	case VALUE_REAL:
		return 1;
	case VALUE_BLOB:
		return 3;
	default:
		return 2;
	}
}

/* A long double holds every INTEGER and every REAL exactly. */
static int compare_numbers(const struct value *a, const struct value *b)
{
	long double x, y;

	if (a->class == VALUE_REAL && b->class == VALUE_REAL)
		return a->real < b->real ? -1 : a->real > b->real;
	x = a->class == VALUE_REAL ? (long double)a->real
				   : (long double)a->integer;
	y = b->class == VALUE_REAL ? (long double)b->real
				   : (long double)b->integer;
	return x < y ? -1 : x > y;
}

static int compare_bytes(const char *a, size_t a_size, const char *b,
			 size_t b_size)
{
	size_t size = a_size < b_size ? a_size : b_size;
	int order = size ? memcmp(a, b, size) : 0;

	return order ? order : a_size < b_size ? -1 : a_size > b_size;
}

static size_t without_spaces(const struct value *v)
{
	size_t size = v->size;

	while (size && v->data[size - 1] == ' ')
		size--;
	return size;
}

static int compare_values(const struct value *a, const struct value *b,
			  enum index_collation collation)
{
	int x, y, order;
	size_t size;

	if (a->class == VALUE_INTEGER && b->class == VALUE_INTEGER)
		return a->integer < b->integer ? -1 : a->integer > b->integer;
	x = class_rank(a);
	y = class_rank(b);
	if (x != y || !x)
		return x < y ? -1 : x > y;
	if (x == 1)
		return compare_numbers(a, b);
	if (x == 2 && collation == COLLATION_RTRIM)
		return compare_bytes(a->data, without_spaces(a), b->data,
				     without_spaces(b));
	if (x == 3 || collation != COLLATION_NOCASE)
		return compare_bytes(a->data, a->size, b->data, b->size);
	size = a->size < b->size ? a->size : b->size;
	order = size ? sqlite3_strnicmp(a->data, b->data, (int)size) : 0;
	return order ? order : a->size < b->size ? -1 : a->size > b->size;
}

/* Does an entry `b` come behind `a`? */
static int in_order(const struct index_plan *x, const struct value *a,
		    const struct value *const *b)
{
	int nulls = 0, order = 0;
	size_t i;

	for (i = 0; i < x->column_count && !order; i++) {
		const struct index_column *c = &x->columns[i];

		/* entries with a NULL are never each other's equal */
		if (x->unique && i == x->key_count && !nulls)
			return 0;
		nulls |= b[i]->class == VALUE_NULL;
		order = compare_values(&a[i], b[i], c->collation);
		if (c->descending)
			order = -order;
	}
	return order < 0;
}

/* Texts and blobs have to stay when their page is left. */
static int keep(struct index_order *o, const struct value *const *values,
		size_t count)
{
	size_t room = 0, i;
	char *at;

	for (i = 0; i < count; i++) {
		o->last[i] = *values[i];
		if (values[i]->class >= VALUE_TEXT)
			room += values[i]->size;
	}
	if (!room)
		return 0;
	buffer_clear(&o->bytes);
	if (buffer_reserve(&o->bytes, room))
		return -1;
	at = o->bytes.data;
	for (i = 0; i < count; i++) {
		struct value *v = &o->last[i];

		if (v->class < VALUE_TEXT || !v->size)
			continue;
		memcpy(at, v->data, v->size);
		v->data = at;
		at += v->size;
	}
	return 0;
}

int index_order_next(struct index_order *o, const struct index_plan *x,
		     const struct value *const *values)
{
	if (!o->last) {
		o->last = calloc(x->column_count, sizeof(*o->last));
		if (!o->last)
			return -1;
	} else if (!in_order(x, o->last, values)) {
		return 1;
	}
	return keep(o, values, x->column_count);
}

void index_order_release(struct index_order *o)
{
	buffer_release(&o->bytes);
	free(o->last);
	o->last = NULL;
}

/* ---- sums ---- */

static unsigned char *put(unsigned char *at, const void *bytes, size_t size)
{
	if (size)
		memcpy(at, bytes, size);
	return at + size;
}

/* Class, length and bytes of a value. */
static unsigned char *put_value(unsigned char *at, const struct value *v)
{
	unsigned char class = (unsigned char)v->class;

	at = put(at, &class, 1);
	if (v->class == VALUE_NULL)
		return at;
	if (v->class == VALUE_INTEGER || v->class == VALUE_REAL)
		return put(at, &v->integer, sizeof(v->integer));
	at = put(at, &v->size, sizeof(v->size));
	return put(at, v->data, v->size);
}

int index_sum_add(struct index_sum *s, const struct value *const *values,
		  size_t count, const unsigned char *key)
{
	size_t room = count * (1 + sizeof(values[0]->size)), i;
	unsigned char *at;
	XXH128_hash_t hash;

	for (i = 0; i < count; i++)
		if (values[i]->class >= VALUE_TEXT)
			room += values[i]->size;
	buffer_clear(&s->room);
	if (buffer_reserve(&s->room, room))
		return -1;
	at = (unsigned char *)s->room.data;
	for (i = 0; i < count; i++)
		at = put_value(at, values[i]);
	hash = XXH3_128bits_withSecret(
		s->room.data, (size_t)(at - (unsigned char *)s->room.data), key,
		PARTS_KEY_SIZE);
	s->low += hash.low64;
	s->high += hash.high64;
	s->count++;
	return 0;
}

int index_sums_equal(const struct index_sum *a, const struct index_sum *b)
{
	return a->count == b->count && a->low == b->low && a->high == b->high;
}

/* ---- all of an index ---- */

struct entries {
	struct value *values;
	const struct value **places; /* of each of them */
	struct index_order order;
	struct buffer payload; /* of an entry that overflows */
	unsigned char *more;   /* overflow pages */
};

static int prepare(struct entries *e, size_t count)
{
	size_t i;

	e->more = malloc(PAGES_RUN_BYTES);
	e->values = calloc(count, sizeof(*e->values));
	e->places = calloc(count, sizeof(*e->places));
	if (!e->more || !e->values || !e->places)
		return -1;
	for (i = 0; i < count; i++)
		e->places[i] = &e->values[i];
	return 0;
}

static void release(struct entries *e)
{
	index_order_release(&e->order);
	buffer_release(&e->payload);
	free(e->values);
	free(e->places);
	free(e->more);
}

/* @return 0; 1; -1 */
static int take(const struct index_plan *x, const struct pages *p,
		struct entries *e, const struct cell *c)
{
	const unsigned char *record = c->local;
	int rc;

	if (c->local_size < c->size) {
		rc = cell_payload(p, c, e->more, &e->payload);
		if (rc)
			return rc;
		record = (const unsigned char *)e->payload.data;
	}
	return record_read(&x->record, record, (size_t)c->size, 0, e->values);
}

/* @return 0; 1; -1 */
static int sum_entries(const struct index_plan *x, struct cells *cells,
		       struct entries *e, const unsigned char *key,
		       struct index_sum *out)
{
	struct cell c;
	int rc;

	while ((rc = cells_next(cells, &c)) == 1) {
		rc = take(x, cells->leaves->pages, e, &c);
		if (rc == 0)
			rc = index_order_next(&e->order, x, e->places);
		if (rc)
			return rc;
		if (index_sum_add(out, e->places, x->column_count, key) < 0)
			return -1;
	}
	return rc == 2 ? 1 : rc;
}

int index_read(const struct index_plan *x, const struct pages *p,
	       const unsigned char *key, struct index_sum *out)
{
	struct cells cells = { .leaves = NULL };
	struct leaves leaves;
	struct entries e;
	int rc;

	memset(&e, 0, sizeof(e));
	rc = leaves_find(&leaves, p, x->root);
	if (rc == 0 && leaves.of_table)
		rc = 1;
	if (rc == 0 && (prepare(&e, x->column_count) < 0 ||
			cells_open(&cells, &leaves) < 0))
		rc = -1;
	if (rc == 0) {
		cells_range(&cells, 0, leaves.leaf_count);
		rc = sum_entries(x, &cells, &e, key, out);
	}
	cells_release(&cells);
	leaves_release(&leaves);
	release(&e);
	return rc;
}
