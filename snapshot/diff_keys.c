/*
 * diff_keys.c - lines by key, and those of one key joined
 *
 * What is sorted, bytewise: the key, the line, a newline, the side.  The key is
 * a rowid as eight bytes that sort as the number does, or the JSON of the
 * key's values with a NUL behind them, or nothing: the line itself tells rows
 * apart.  No line holds a NUL or a newline.  Records have the key that they are
 * sorted by in a snapshot, with a NUL behind it; without a pk it is their first
 * byte alone, and the line tells them apart.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sorter.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks_internal.h"
#include "snapshot/diff_internal.h"
#include "snapshot/record.h"
#include "snapshot/row_internal.h"

#define ROWID_BYTES 8

enum key_kind { KEY_ROWID, KEY_VALUES, KEY_RECORD, KEY_NONE };

struct diff_keys {
	enum key_kind kind;
	struct row_shape *shapes[2];   /* NULL: the side has no such table */
	struct row_span *values;       /* of the line at hand */
	struct record_reader *records; /* KEY_RECORD */
	struct sorter *sorter;
	struct buffer record, shown;

	/* while they come out */
	int (*take)(void *payload, const struct diff_row *row,
		    struct error *err);
	void *payload;
	struct buffer line;  /* key and line of the lines that came last */
	size_t key_size;     /* of its key */
	int64_t surplus;     /* how many more of them B has; A: below 0 */
	struct buffer waits; /* one whose like in key may come */
	size_t waits_key;
	enum diff_side waits_side;
	int is_waiting;
};

/* ---- what is a row's key on both sides? ---- */

/* Column names of the key, in its order; @return how many */
static size_t key_names(const struct row_shape *s, const char **names)
{
	const struct table *t = s->table;
	size_t i;

	if (t->order == ORDER_ROWID) {
		names[0] = t->rowid_key;
		return 1;
	}
	for (i = 0; i < s->key_count; i++)
		names[i] = s->names[s->key[i]].name;
	return s->key_count;
}

static int same_key(const struct row_shape *a, const struct row_shape *b,
		    int *same, struct error *err)
{
	const char **x = calloc(a->count + 1, sizeof(*x));
	const char **y = calloc(b->count + 1, sizeof(*y));
	size_t count, i;

	if (x && y) {
		count = key_names(a, x);
		*same = count > 0 && count == key_names(b, y);
		for (i = 0; *same && i < count; i++)
			*same = !strcmp(x[i], y[i]);
	}
	free(x);
	free(y);
	return x && y ? 0 : error_nomem(err);
}

static int choose_kind(struct diff_keys *k, struct error *err)
{
	const struct row_shape *a = k->shapes[DIFF_A], *b = k->shapes[DIFF_B];
	int same = 0;

	if (a->table->order == ORDER_RECORDS &&
	    b->table->order == ORDER_RECORDS) {
		k->kind = KEY_RECORD;
		return record_reader_new(&k->records, err);
	}
	/* a rowid may be called otherwise now, and is still the rowid */
	if (a->table->order == ORDER_ROWID && b->table->order == ORDER_ROWID) {
		k->kind = KEY_ROWID;
		return 0;
	}
	if (same_key(a, b, &same, err) < 0)
		return -1;
	k->kind = same ? KEY_VALUES : KEY_NONE;
	return 0;
}

int diff_keys_new(struct diff_keys **out, const struct table *const t[2],
		  struct error *err)
{
	struct diff_keys *k = calloc(1, sizeof(*k));
	size_t values = 1;
	int side;

	*out = NULL;
	if (!k)
		return error_nomem(err);
	for (side = DIFF_A; side <= DIFF_B; side++) {
		if (row_shape_new(&k->shapes[side], t[side], err) < 0)
			goto failed;
		if (values <= k->shapes[side]->count)
			values = k->shapes[side]->count + 1;
	}
	k->values = calloc(values, sizeof(*k->values));
	if (!k->values) {
		error_nomem(err);
		goto failed;
	}
	if (choose_kind(k, err) < 0 ||
	    chunk_shown(&k->shown, t[DIFF_B], err) < 0 ||
	    sorter_new(&k->sorter, NULL, SORTER_RUN_BYTES, err) < 0)
		goto failed;
	*out = k;
	return 0;
failed:
	diff_keys_free(k);
	return -1;
}

void diff_keys_free(struct diff_keys *k)
{
	if (!k)
		return;
	row_shape_free(k->shapes[DIFF_A]);
	row_shape_free(k->shapes[DIFF_B]);
	free(k->values);
	record_reader_free(k->records);
	sorter_free(k->sorter);
	buffer_release(&k->record);
	buffer_release(&k->shown);
	buffer_release(&k->line);
	buffer_release(&k->waits);
	free(k);
}

/* ---- lines in ---- */

/* The integer that a value's text is: 42, or {"$int":"9007199254740993"} */
static int read_integer(const struct row_span *v, int64_t *out)
{
	static const char open[] = "{\"$int\":\"", close[] = "\"}";
	const char *p = v->data, *end = p + v->size;
	uint64_t x = 0, limit;
	int negative;

	if (v->size > sizeof(open) - 1 + sizeof(close) - 1 &&
	    !memcmp(p, open, sizeof(open) - 1) &&
	    !memcmp(end - (sizeof(close) - 1), close, sizeof(close) - 1)) {
		p += sizeof(open) - 1;
		end -= sizeof(close) - 1;
	}
	negative = *p == '-';
	limit = (uint64_t)INT64_MAX + (uint64_t)negative;
	p += negative;
	if (p == end)
		return -1;
	for (; p < end; p++) {
		uint64_t digit = (uint64_t)((unsigned char)*p - '0');

		if (digit > 9 || x > (limit - digit) / 10)
			return -1;
		x = x * 10 + digit;
	}
	*out = negative ? (int64_t)(0 - x) : (int64_t)x;
	return 0;
}

static int put_rowid(struct diff_keys *k, const struct row_span *rowid,
		     struct error *err)
{
	char bytes[ROWID_BYTES];
	int64_t n;
	uint64_t x;
	int i;

	if (!rowid->data || read_integer(rowid, &n) < 0)
		return error_set(err, ERROR_DAMAGE,
				 "the row has no rowid that is an integer");
	x = (uint64_t)n ^ (UINT64_C(1) << 63);
	for (i = ROWID_BYTES - 1; i >= 0; i--, x >>= 8)
		bytes[i] = (char)(x & 255);
	buffer_add(&k->record, bytes, sizeof(bytes));
	return 0;
}

/* An INTEGER PRIMARY KEY may have become a key like others. */
static void put_values(struct diff_keys *k, const struct row_shape *s,
		       const struct row_span *rowid)
{
	size_t i, count = s->table->order == ORDER_ROWID ? 1 : s->key_count;

	for (i = 0; i < count; i++) {
		const struct row_span *v = s->table->order == ORDER_ROWID
						   ? rowid
						   : &k->values[s->key[i]];

		if (i)
			buffer_byte(&k->record, ',');
		if (v->data)
			buffer_add(&k->record, v->data, v->size);
		else
			buffer_str(&k->record, "null");
	}
	buffer_byte(&k->record, '\0');
}

static int put_record(struct diff_keys *k, const char *line, size_t size,
		      struct error *err)
{
	struct record r;

	if (record_from_line(k->records, line, size, &r, err) < 0)
		return -1;
	buffer_add(&k->record, r.key.data, r.pk.data ? r.key.size : 1);
	buffer_byte(&k->record, '\0');
	return 0;
}

static int put_key(struct diff_keys *k, enum diff_side side, const char *line,
		   size_t size, struct error *err)
{
	struct row_shape *s = k->shapes[side];
	struct row_span rowid;

	if (size > ROW_LINE_MAX)
		return error_set(err, ERROR_DAMAGE, "%zu bytes are too long",
				 size);
	if (k->kind == KEY_RECORD)
		return put_record(k, line, size, err);
	if (row_split(s, line, size, &rowid, k->values, err) < 0)
		return -1;
	if (k->kind == KEY_ROWID)
		return put_rowid(k, &rowid, err);
	if (k->kind == KEY_VALUES)
		put_values(k, s, &rowid);
	return 0;
}

int diff_keys_add(struct diff_keys *k, enum diff_side side, const char *line,
		  size_t size, struct error *err)
{
	struct error cause = ERROR_INIT;

	buffer_clear(&k->record);
	if (put_key(k, side, line, size, &cause) < 0)
		return error_set(err, cause.code, "table '%s': %s",
				 k->shown.data, cause.message);
	buffer_add(&k->record, line, size);
	buffer_byte(&k->record, '\n');
	buffer_byte(&k->record, (char)('0' + side));
	if (buffer_failed(&k->record))
		return error_nomem(err);
	return sorter_add(k->sorter, k->record.data, k->record.size, err);
}

/* ---- rows out ---- */

static int give(struct diff_keys *k, enum diff_side side,
		const struct buffer *record, size_t key_size, struct error *err)
{
	struct diff_row row = {
		.change = side == DIFF_A ? DIFF_REMOVED : DIFF_ADDED,
	};

	row.lines[side] = record->data + key_size;
	row.sizes[side] = record->size - key_size;
	return k->take(k->payload, &row, err);
}

static int give_changed(struct diff_keys *k, struct error *err)
{
	struct diff_row row = { .change = DIFF_CHANGED };
	enum diff_side old = k->waits_side;

	row.lines[old] = k->waits.data + k->waits_key;
	row.sizes[old] = k->waits.size - k->waits_key;
	row.lines[!old] = k->line.data + k->key_size;
	row.sizes[!old] = k->line.size - k->key_size;
	k->is_waiting = 0;
	return k->take(k->payload, &row, err);
}

/* What waits has no like on the other side. */
static int give_waiting(struct diff_keys *k, struct error *err)
{
	if (!k->is_waiting)
		return 0;
	k->is_waiting = 0;
	return give(k, k->waits_side, &k->waits, k->waits_key, err);
}

static int wait_for_like(struct diff_keys *k, enum diff_side side,
			 struct error *err)
{
	buffer_clear(&k->waits);
	buffer_add(&k->waits, k->line.data, k->line.size);
	k->waits_key = k->key_size;
	k->waits_side = side;
	k->is_waiting = 1;
	return buffer_failed(&k->waits) ? error_nomem(err) : 0;
}

/* Lines that are told apart by nothing but themselves. */
static int is_keyless(const struct diff_keys *k)
{
	return k->kind == KEY_NONE || (k->kind == KEY_RECORD && k->line.size &&
				       k->line.data[0] == RECORD_KEY_NONE);
}

/* All lines that are equal to k->line have come. */
static int end_line(struct diff_keys *k, struct error *err)
{
	enum diff_side side = k->surplus < 0 ? DIFF_A : DIFF_B;
	uint64_t count = k->surplus < 0 ? 0 - (uint64_t)k->surplus
					: (uint64_t)k->surplus;

	for (; count; count--) {
		int rc;

		if (is_keyless(k))
			rc = give(k, side, &k->line, k->key_size, err);
		else if (k->is_waiting && k->waits_side != side)
			rc = give_changed(k, err);
		else if (!(rc = give_waiting(k, err)))
			rc = wait_for_like(k, side, err);
		if (rc < 0)
			return -1;
	}
	k->surplus = 0;
	return 0;
}

static size_t key_size(const struct diff_keys *k, const char *record,
		       size_t size)
{
	const char *nul;

	if (k->kind == KEY_ROWID)
		return ROWID_BYTES;
	if (k->kind == KEY_NONE)
		return 0;
	if (k->kind == KEY_RECORD)
		return record_key_size(record) + 1;
	nul = memchr(record, '\0', size);
	return (size_t)(nul - record) + 1;
}

/* A record came; its line, without newline and side, has `size` bytes. */
static int take_record(struct diff_keys *k, const char *record, size_t size,
		       struct error *err)
{
	enum diff_side side = record[size + 1] == '0' ? DIFF_A : DIFF_B;

	if (size != k->line.size || memcmp(record, k->line.data, size) != 0) {
		size_t key = key_size(k, record, size);

		if (end_line(k, err) < 0)
			return -1;
		if (k->kind != KEY_NONE &&
		    (key != k->key_size ||
		     memcmp(record, k->line.data, key) != 0) &&
		    give_waiting(k, err) < 0)
			return -1;
		buffer_clear(&k->line);
		buffer_add(&k->line, record, size);
		if (buffer_failed(&k->line))
			return error_nomem(err);
		k->key_size = key;
	}
	k->surplus += side == DIFF_B ? 1 : -1;
	return 0;
}

int diff_keys_finish(struct diff_keys *k,
		     int (*take)(void *payload, const struct diff_row *row,
				 struct error *err),
		     void *payload, struct error *err)
{
	const char *record;
	size_t size;
	int more;

	k->take = take;
	k->payload = payload;
	if (sorter_finish(k->sorter, err) < 0)
		return -1;
	while ((more = sorter_next(k->sorter, &record, &size, err)) > 0)
		if (take_record(k, record, size - 2, err) < 0)
			return -1;
	if (more < 0 || end_line(k, err) < 0)
		return -1;
	return give_waiting(k, err);
}
