/*
 * sqlite_record.c - what lies in a page: cells, payloads, records
 *
 * Sizes are checked against what is there before they are used.  Checks are as
 * strict as SQLite's or stricter: where it would stop, so must we.
 */
#include "base/error.h"
#include "database/sqlite_pages.h"

#include <math.h>
#include <stdlib.h>

#define LEAF_HEADER     8
#define INTERIOR_HEADER 12
#define CELL_MIN        4

const unsigned char *varint_read(const unsigned char *at,
				 const unsigned char *end, uint64_t *out)
{
	uint64_t value = 0;
	int i;

	for (i = 0; i < 8; i++) {
		if (at == end)
			return NULL;
		value = value << 7 | (*at & 0x7f);
		if (!(*at++ & 0x80)) {
			*out = value;
			return at;
		}
	}
	/* the ninth byte has eight bits */
	if (at == end)
		return NULL;
	*out = value << 8 | *at;
	return at + 1;
}

/* Most varints are one byte, and nearly all of the others two or three. */
static inline const unsigned char *
get_varint(const unsigned char *at, const unsigned char *end, uint64_t *out)
{
	if (at < end && *at < 0x80) {
		*out = *at;
		return at + 1;
	}
	if (end - at < 3)
		return varint_read(at, end, out);
	if (at[1] < 0x80) {
		*out = (uint64_t)(at[0] & 0x7f) << 7 | at[1];
		return at + 2;
	}
	if (at[2] < 0x80) {
		*out = (uint64_t)(at[0] & 0x7f) << 14 |
		       (uint64_t)(at[1] & 0x7f) << 7 | at[2];
		return at + 3;
	}
	return varint_read(at, end, out);
}

size_t payload_local(uint32_t usable, uint64_t size, int of_table)
{
	uint64_t most = of_table ? usable - 35 : (usable - 12) * 64 / 255 - 23;
	uint64_t least = (usable - 12) * 32 / 255 - 23, some;

	if (size <= most)
		return (size_t)size;
	some = least + (size - least) % (usable - 4);
	return (size_t)(some <= most ? some : least);
}

int cell_read(const struct pages *p, const unsigned char *page, unsigned cells,
	      unsigned i, struct cell *out)
{
	int of_table = page[0] == PAGE_TABLE_LEAF;
	int interior = page[0] == PAGE_INDEX_INTERIOR;
	uint32_t header = interior ? INTERIOR_HEADER : LEAF_HEADER;
	uint32_t offset = get16(page + header + 2 * i);
	const unsigned char *end = page + p->usable, *at;
	uint64_t rowid = 0;

	if (offset < header + 2 * cells || offset + CELL_MIN > p->usable)
		return 1;
	at = get_varint(page + offset + (interior ? 4 : 0), end, &out->size);
	if (at && of_table)
		at = get_varint(at, end, &rowid);
	if (!at)
		return 1;
	out->rowid = (int64_t)rowid;
	out->local = at;
	out->local_size =
		of_table && out->size <= p->usable - 35
			? (size_t)out->size
			: payload_local(p->usable, out->size, of_table);
	if (out->local_size > (size_t)(end - at))
		return 1;
	out->overflow = 0;
	if (out->local_size == out->size)
		return 0;
	if ((size_t)(end - at) - out->local_size < 4 ||
	    out->size > p->value_limit ||
	    out->size / (p->usable - 4) >= p->count)
		return 1;
	out->overflow = get32(at + out->local_size);
	return 0;
}

/* Of a run of pages that was read on trust those that are the chain's: each
 * points to the next. @return the page that comes then */
static uint32_t take_chain(const struct pages *p, uint32_t page, uint32_t count,
			   const unsigned char *room, size_t *left,
			   struct buffer *out)
{
	uint32_t next = page;

	for (; *left && count && next == page; count--, page++) {
		size_t most = p->usable - 4;
		size_t some = *left < most ? *left : most;

		buffer_add(out, room + 4, some);
		*left -= some;
		next = get32(room);
		room += p->size;
	}
	return next;
}

int cell_payload(const struct pages *p, const struct cell *c,
		 unsigned char *room, struct buffer *out)
{
	size_t left = (size_t)c->size - c->local_size;
	uint32_t most = PAGES_RUN_BYTES / p->size, next = c->overflow;

	buffer_clear(out);
	if (buffer_reserve(out, (size_t)c->size))
		return -1;
	buffer_add(out, c->local, c->local_size);
	while (left) {
		size_t pages = (left - 1) / (p->usable - 4) + 1;
		uint32_t count = pages < most ? (uint32_t)pages : most;
		uint32_t begin = next;

		if (begin && begin <= p->count && count > p->count - begin + 1)
			count = p->count - begin + 1;
		if (pages_read(p, begin, count, room))
			return 1;
		next = take_chain(p, begin, count, room, &left, out);
		if (next != begin + count)
			most = 1; /* they lie here and there */
	}
	return 0;
}

/* ---- records ---- */

static inline uint64_t get64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

/* An integer of 1 to 8 bytes, the last ones of a word where the record has one
 * that ends there. */
static inline int64_t get_integer(const unsigned char *record,
				  const unsigned char *p, unsigned size)
{
	unsigned rest = 64 - 8 * size;
	uint64_t v = 0;
	unsigned i;

	if (p + size - record >= 8)
		v = get64(p + size - 8);
	else
		for (i = 0; i < size; i++)
			v = v << 8 | p[i];
	return (int64_t)(v << rest) >> rest;
}

static inline void set_real(struct value *v, uint64_t bits)
{
	memcpy(&v->real, &bits, sizeof(v->real));
	v->class = VALUE_REAL;
	if (isnan(v->real)) { /* as SQLite reads it */
		v->class = VALUE_NULL;
		v->integer = 0;
	}
}

static const unsigned char number_sizes[12] = { 0, 1, 2, 3, 4, 6,
						8, 8, 0, 0, 0, 0 };

/* What stands behind a value of any serial type, or NULL. */
static inline const unsigned char *
skip_value(uint64_t type, const unsigned char *at, const unsigned char *end)
{
	uint64_t size = type < 12 ? number_sizes[type] : (type - 12) / 2;

	if (type == 10 || type == 11 || size > (uint64_t)(end - at))
		return NULL;
	return at + size;
}

/* A value of serial type below 12. @return what stands behind it, or NULL */
static inline const unsigned char *set_number(struct value *v, unsigned type,
					      const unsigned char *record,
					      const unsigned char *at,
					      const unsigned char *end)
{
	unsigned size = number_sizes[type];

	if (type >= 10 || size > (size_t)(end - at))
		return NULL;
	v->data = NULL;
	v->size = 0;
	v->class = type ? VALUE_INTEGER : VALUE_NULL;
	if (type == 7)
		set_real(v, (uint64_t)get_integer(record, at, 8));
	else if (size)
		v->integer = get_integer(record, at, size);
	else
		v->integer = type == 9;
	return at + size;
}

static int set_missing(const struct field *f, const struct field *end,
		       struct value *values)
{
	for (; f < end; f++) {
		if (f->value < 0)
			continue;
		if (f->strange)
			return 1;
		values[f->value] = f->missing;
	}
	return 0;
}

int record_read(const struct record_plan *plan, const unsigned char *record,
		size_t size, int64_t rowid, struct value *values)
{
	const struct field *f = plan->fields, *fields = f + plan->field_count;
	const unsigned char *end = record + size, *types, *types_end, *at;
	struct value *v;
	uint64_t header, type;

	types = get_varint(record, end, &header);
	if (!types || header > size || record + header < types)
		return 1;
	at = types_end = record + header;
	for (; f < fields && types < types_end; f++) {
		types = get_varint(types, types_end, &type);
		if (!types)
			return 1;
		if (f->value < 0) {
			at = skip_value(type, at, end);
			if (!at)
				return 1;
			continue;
		}
		v = &values[f->value];
		if (type >= 12) {
			if ((type - 12) / 2 > (uint64_t)(end - at))
				return 1;
			v->class = type & 1 ? VALUE_TEXT : VALUE_BLOB;
			v->data = (const char *)at;
			v->size = (size_t)((type - 12) / 2);
			at += v->size;
			continue;
		}
		at = set_number(v, (unsigned)type, record, at, end);
		if (!at)
			return 1;
		if (f->real && v->class == VALUE_INTEGER) {
			v->class = VALUE_REAL;
			v->real = (double)v->integer;
		}
	}
	/* a record that is read to its end must end there */
	if (types == types_end && at != end)
		return 1;
	if (f < fields && set_missing(f, fields, values))
		return 1;
	if (plan->rowid_value >= 0) {
		v = &values[plan->rowid_value];
		v->class = VALUE_INTEGER;
		v->integer = rowid;
		v->data = NULL;
		v->size = 0;
	}
	return 0;
}

/* ---- how a table's records are to be read ---- */

/* At most nine digits: what SQLite takes for an integer at once. */
static int integer_default(struct field *f, const char *text)
{
	int negative = *text == '-';
	size_t i, size;

	text += negative;
	size = strlen(text);
	if (!size || size > 9)
		return 1;
	f->missing.class = VALUE_INTEGER;
	f->missing.integer = 0;
	for (i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 1;
		f->missing.integer = 10 * f->missing.integer + text[i] - '0';
	}
	if (negative)
		f->missing.integer = -f->missing.integer;
	return 0;
}

/* 'text', where '' is a '. */
static int text_default(struct field *f, const char *text)
{
	size_t size = strlen(text), i;

	if (size < 2 || text[0] != '\'' || text[size - 1] != '\'')
		return 1;
	f->text = malloc(size);
	if (!f->text)
		return 1;
	f->missing.class = VALUE_TEXT;
	f->missing.data = f->text;
	for (i = 1; i < size - 1; i++) {
		if (text[i] == '\'' && text[++i] != '\'')
			return 1;
		f->text[f->missing.size++] = text[i];
	}
	return i != size - 1;
}

/* What a column is in rows that are older than it.  Only literals that its
 * affinity does not change: SQL knows all the others. */
static int read_default(struct field *f, enum affinity affinity,
			enum encoding encoding, const char *text)
{
	f->missing.class = VALUE_NULL;
	if (!text || !sqlite3_stricmp(text, "NULL"))
		return 0;
	if (*text == '\'')
		return encoding != ENCODING_UTF8 ||
		       (affinity != AFFINITY_TEXT &&
			affinity != AFFINITY_NONE) ||
		       text_default(f, text);
	if (affinity == AFFINITY_TEXT || integer_default(f, text))
		return 1;
	if (f->real) {
		f->missing.class = VALUE_REAL;
		f->missing.real = (double)f->missing.integer;
	}
	return 0;
}

/* Add what PRAGMA table_xinfo tells of a column; virtual ones are not in the
 * record. */
static void add_field(struct record_plan *plan, const struct table *t,
		      size_t column, enum encoding encoding, sqlite3_stmt *st)
{
	const char *type = (const char *)sqlite3_column_text(st, 2);
	enum affinity affinity = affinity_of(type ? type : "", 0);
	struct field *f = &plan->fields[plan->field_count];
	int generated = t->columns[column].generated;

	if (generated == 1)
		return;
	plan->field_count++;
	f->value = generated ? -1 : (int)plan->value_count++;
	f->real = affinity == AFFINITY_REAL;
	f->not_null = sqlite3_column_int(st, 3);
	f->strange = read_default(f, affinity, encoding,
				  (const char *)sqlite3_column_text(st, 4));
	if (t->rowid_column == (int)column) {
		plan->rowid_value = f->value;
		f->value = -1;
	}
}

/* Which field is that of a column? */
static size_t field_of(const struct table *t, int column)
{
	size_t field = 0;
	int i;

	for (i = 0; i < column; i++)
		field += t->columns[i].generated != 1;
	return field;
}

/* A table without rowids keeps its rows as entries of its primary key's index,
 * where the columns of the key stand in front.
 * @param fields  as many as the plan's
 * @return 0; 1; -1 */
static int read_order(struct database *db, const struct table *t,
		      const struct record_plan *plan, struct field *fields,
		      struct error *err)
{
	sqlite3_stmt *st;
	size_t count = 0;
	int rc, column;

	/* the name of such a table stands for that index */
	if (sql_prepare(db->sql, &st, err, "PRAGMA main.index_xinfo(\"%w\")",
			t->name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		column = sqlite3_column_int(st, 1);
		if (count == plan->field_count || column < 0 ||
		    column >= (int)t->column_count ||
		    t->columns[column].generated == 1)
			break;
		fields[count++] = plan->fields[field_of(t, column)];
	}
	sqlite3_finalize(st);
	return rc < 0 ? -1 : rc > 0 || count != plan->field_count;
}

static int put_in_order(struct database *db, const struct table *t,
			struct record_plan *plan, struct error *err)
{
	struct field *fields = calloc(t->column_count + 1, sizeof(*fields));
	int rc = fields ? read_order(db, t, plan, fields, err)
			: error_nomem(err);

	if (rc == 0)
		memcpy(plan->fields, fields,
		       plan->field_count * sizeof(*fields));
	free(fields);
	return rc;
}

int record_plan(struct database *db, const struct table *t,
		struct record_plan *out, struct error *err)
{
	sqlite3_stmt *st;
	size_t column = 0;
	int rc;

	memset(out, 0, sizeof(*out));
	out->rowid_value = -1;
	out->fields = calloc(t->column_count + 1, sizeof(*out->fields));
	if (!out->fields)
		return error_nomem(err);
	if (sql_prepare(db->sql, &st, err, "PRAGMA main.table_xinfo(\"%w\")",
			t->name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0 && column < t->column_count)
		add_field(out, t, column++, db->encoding, st);
	sqlite3_finalize(st);
	if (rc < 0)
		return -1;
	if (rc > 0 || column != t->column_count)
		return 1;
	return t->order == ORDER_KEY ? put_in_order(db, t, out, err) : 0;
}

void record_plan_narrow(struct record_plan *plan, const unsigned char *wanted)
{
	size_t count = 0, i;

	for (i = 0; i < plan->field_count; i++) {
		struct field *f = &plan->fields[i];

		if (f->value >= 0 && !wanted[f->value])
			f->value = -1;
		if (f->value >= 0)
			count = i + 1;
	}
	for (i = count; i < plan->field_count; i++)
		free(plan->fields[i].text);
	plan->field_count = count;
}

void record_plan_release(struct record_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->field_count; i++)
		free(plan->fields[i].text);
	free(plan->fields);
	memset(plan, 0, sizeof(*plan));
}
