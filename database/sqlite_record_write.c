/*
 * sqlite_record_write.c - a row as SQLite keeps it: a record
 *
 * The same bytes as SQLite makes (sqlite3VdbeExec(), OP_MakeRecord): numbers as
 * short as they can be; a whole number of a REAL column as an integer, unless
 * that takes eight bytes as well; the INTEGER PRIMARY KEY as NULL, for it is
 * the rowid.  Other conversions of values don't happen here: who writes pages
 * has no value that a column would change (sqlite_load.c).
 */
#include "database/sqlite_page_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VARINT_MAX 9

/* What a serial type is; 1 to 6 are integers, see integer_size. */
enum { TYPE_NULL = 0, TYPE_REAL = 7, TYPE_ZERO = 8, TYPE_BLOB = 12 };

void number_write(unsigned char *out, uint64_t number, size_t size)
{
	while (size--) {
		out[size] = (unsigned char)number;
		number >>= 8;
	}
}

size_t varint_size(uint64_t value)
{
	size_t size = 1;

	while (size < VARINT_MAX && value >> 7 * size)
		size++;
	return size;
}

unsigned char *varint_write(unsigned char *out, uint64_t value)
{
	size_t size, i;

	if (value < 0x80) {
		*out = (unsigned char)value;
		return out + 1;
	}
	size = varint_size(value);
	i = size;
	/* the ninth byte has eight bits */
	if (size == VARINT_MAX) {
		out[--i] = (unsigned char)value;
		value >>= 8;
	}
	while (i--) {
		out[i] = (unsigned char)(value | 0x80);
		value >>= 7;
	}
	if (size < VARINT_MAX)
		out[size - 1] &= 0x7f;
	return out + size;
}

int record_writer_init(struct record_writer *r, const enum affinity *affinities,
		       size_t count, int rowid_value)
{
	memset(r, 0, sizeof(*r));
	r->affinities = affinities;
	r->count = count;
	r->rowid_value = rowid_value;
	r->room = malloc((count + 1) * VARINT_MAX);
	r->pieces = calloc(count + 1, sizeof(*r->pieces));
	return r->room && r->pieces ? SQLITE_OK : SQLITE_NOMEM;
}

void record_writer_release(struct record_writer *r)
{
	free(r->room);
	free(r->pieces);
	memset(r, 0, sizeof(*r));
}

/* ---- one value; @return its serial type ---- */

static unsigned set_integer(struct record_piece *p, int64_t integer)
{
	static const uint64_t most[] = { 0x7f, 0x7fff, 0x7fffff, 0x7fffffff,
					 0x7fffffffffff };
	static const unsigned char sizes[] = { 1, 2, 3, 4, 6, 8 };
	uint64_t size = integer < 0 ? ~(uint64_t)integer : (uint64_t)integer;
	unsigned i = 0;

	if (size <= 1 && integer >= 0) {
		p->size = 0;
		return TYPE_ZERO + (unsigned)integer;
	}
	while (i < 5 && size > most[i])
		i++;
	p->number = (uint64_t)integer;
	p->size = sizes[i];
	return i + 1;
}

static unsigned set_real(struct record_piece *p, double real, int whole)
{
	unsigned type;

	if (isnan(real)) {
		p->size = 0;
		return TYPE_NULL;
	}
	if (whole && real > -9223372036854775808.0 &&
	    real < 9223372036854775808.0 && real == (double)(int64_t)real) {
		type = set_integer(p, (int64_t)real);
		if (p->size < 8)
			return type;
	}
	memcpy(&p->number, &real, sizeof(p->number));
	p->size = 8;
	return TYPE_REAL;
}

static uint64_t set_value(struct record_piece *p, const struct value *v,
			  enum affinity affinity)
{
	p->data = NULL;
	switch (v->class) {
	case VALUE_INTEGER:
		return set_integer(p, v->integer);
	case VALUE_REAL:
		return set_real(p, v->real, affinity == AFFINITY_REAL);
	case VALUE_TEXT:
	case VALUE_TEXT16:
	case VALUE_BLOB:
		p->data = v->size ? v->data : "";
		p->size = v->size;
		return TYPE_BLOB + 2 * (uint64_t)v->size +
		       (v->class != VALUE_BLOB);
	default:
		p->size = 0;
		return TYPE_NULL;
	}
}

/* ---- the record ---- */

void record_writer_set(struct record_writer *r, const struct value *values)
{
	unsigned char *types = r->room + VARINT_MAX, *end = types;
	size_t size, length;
	uint64_t bytes = 0, type;
	size_t i;

	for (i = 0; i < r->count; i++) {
		struct record_piece *p = &r->pieces[i];

		if ((int)i == r->rowid_value) {
			p->data = NULL;
			p->size = 0;
			*end++ = TYPE_NULL;
			continue;
		}
		type = set_value(p, &values[i], r->affinities[i]);
		if (type < 0x80) /* most are */
			*end++ = (unsigned char)type;
		else
			end = varint_write(end, type);
		bytes += p->size;
	}
	/* the header's size counts itself */
	size = (size_t)(end - types);
	length = varint_size(size + 1);
	length = varint_size(size + length);
	varint_write(types - length, size + length);
	r->header = types - length;
	r->header_size = size + length;
	r->size = bytes + r->header_size;
}

unsigned char *record_write(const struct record_writer *r, unsigned char *out)
{
	size_t i;

	memcpy(out, r->header, r->header_size);
	out += r->header_size;
	for (i = 0; i < r->count; i++) {
		const struct record_piece *p = &r->pieces[i];

		if (p->data)
			memcpy(out, p->data, p->size);
		else
			number_write(out, p->number, p->size);
		out += p->size;
	}
	return out;
}
