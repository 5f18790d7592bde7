/*
 * sqlite_key_values.c - what stands in a column that foreign keys point to
 *
 * Kept as hashes under a random key, so that a value which is not there is
 * taken for one that is with a chance of 2^-128 or so.
 */
#include "base/error.h"
#include "database/sqlite_pages.h"

#include <stdlib.h>

#define SLOTS_MIN 64

/* 0, 0 is no hash of a value: it marks a free slot. */
static XXH128_hash_t hash_of(const struct key_value_sets *s,
			     const struct value *v)
{
	XXH128_hash_t h;

	if (v->class == VALUE_INTEGER)
		h = XXH3_128bits_withSecret(&v->integer, sizeof(v->integer),
					    s->key, PARTS_KEY_SIZE);
	else
		h = XXH3_128bits_withSecret(v->size ? v->data : "", v->size,
					    s->key, PARTS_KEY_SIZE);
	h.high64 ^= (uint64_t)v->class;
	h.low64 += !h.low64;
	return h;
}

/* @return its slot, or the free one where it would be */
static XXH128_hash_t *slot_of(const struct key_values *k, XXH128_hash_t h)
{
	size_t at = (size_t)h.low64 & (k->capacity - 1);

	while (k->slots[at].low64 && !XXH128_isEqual(k->slots[at], h))
		at = (at + 1) & (k->capacity - 1);
	return &k->slots[at];
}

/* Half of the slots stay free. */
static int grow(struct key_values *k)
{
	struct key_values wider = *k;
	size_t i;

	if (2 * (k->count + 1) <= k->capacity)
		return 0;
	wider.capacity = k->capacity ? 2 * k->capacity : SLOTS_MIN;
	wider.slots = calloc(wider.capacity, sizeof(*wider.slots));
	if (!wider.slots)
		return -1;
	for (i = 0; i < k->capacity; i++)
		if (k->slots[i].low64)
			*slot_of(&wider, k->slots[i]) = k->slots[i];
	free(k->slots);
	*k = wider;
	return 0;
}

/* @return 0; 1: that is too many; -1: memory ran out */
static int add(const struct key_value_sets *s, struct key_values *k,
	       const struct value *v)
{
	XXH128_hash_t *slot, h;

	if (v->class == VALUE_NULL || v->class == VALUE_REAL)
		return 0;
	if (s->count_of_all + k->count == KEY_VALUES_MAX)
		return 1;
	if (grow(k) < 0)
		return -1;
	h = hash_of(s, v);
	slot = slot_of(k, h);
	k->count += !slot->low64;
	*slot = h;
	return 0;
}

/* @return 0; 1: it can't be read, or has too many rows; -1 */
static int read_values(const struct key_value_sets *s, struct database *db,
		       const struct table *t, struct key_values *k,
		       struct error *err)
{
	size_t at = (size_t)table_value(t, k->column);
	struct parts *parts = NULL;
	struct scan *scan = NULL;
	struct value *values = calloc(t->column_count + 1, sizeof(*values));
	unsigned char *wanted = calloc(t->column_count + 1, 1);
	int64_t rowid;
	int rc = values && wanted ? database_parts(db, t, &parts, err)
				  : error_nomem(err);

	if (rc == 0) {
		wanted[at] = 1;
		parts_narrow(parts, wanted);
		rc = parts_scan(parts, NULL, NULL, &scan, err);
	}
	if (rc == 0)
		rc = scan_part(scan, 0, parts_count(parts));
	while (rc == 0) {
		rc = scan_next(scan, &rowid, values, err);
		if (rc != 1) {
			rc = rc == 2 ? 1 : rc;
			break;
		}
		rc = add(s, k, &values[at]);
		if (rc < 0)
			error_nomem(err);
	}
	scan_free(scan);
	parts_free(parts);
	free(values);
	free(wanted);
	return rc;
}

/* The affinity that a child's value takes before it is compared. */
static enum affinity affinity_for(struct database *db, const struct table *t,
				  int column)
{
	const char *type = NULL;

	if (sqlite3_table_column_metadata(db->sql, "main", t->name,
					  t->columns[column].name, &type, NULL,
					  NULL, NULL, NULL) != SQLITE_OK)
		return AFFINITY_REAL; /* which takes nothing as it is */
	/* without `strict` ANY counts as NUMERIC, which takes less */
	return affinity_of(type ? type : "", 0);
}

int key_values_find(struct key_value_sets *s, struct database *db,
		    const struct table *t, int column, size_t *out,
		    struct error *err)
{
	struct key_values k = { .root = pages_root(s->pages, t->name),
				.column = column },
			  *grown;
	int rc;

	for (*out = 0; *out < s->count; ++*out)
		if (s->sets[*out].root == k.root &&
		    s->sets[*out].column == column)
			return s->sets[*out].unknown;
	k.affinity = affinity_for(db, t, column);
	rc = k.root ? read_values(s, db, t, &k, err) : 1;
	k.unknown = rc > 0; /* and it is not tried again */
	if (rc) {
		free(k.slots);
		k.slots = NULL;
		k.count = k.capacity = 0;
	}
	if (rc < 0)
		return -1;
	grown = realloc(s->sets, (s->count + 1) * sizeof(*grown));
	if (!grown) {
		free(k.slots);
		return error_nomem(err);
	}
	s->sets = grown;
	s->count_of_all += k.count;
	s->sets[s->count++] = k;
	return rc;
}

int key_values_have(const struct key_value_sets *s, size_t set,
		    const struct value *v)
{
	const struct key_values *k = &s->sets[set];

	if (!k->count)
		return 0;
	switch (v->class) {
	case VALUE_INTEGER:
		if (k->affinity == AFFINITY_TEXT ||
		    k->affinity == AFFINITY_REAL)
			return 0;
		break;
	case VALUE_TEXT:
		if (k->affinity != AFFINITY_TEXT &&
		    k->affinity != AFFINITY_NONE)
			return 0;
		break;
	case VALUE_BLOB:
		break;
	default:
		return 0;
	}
	return slot_of(k, hash_of(s, v))->low64 != 0;
}

void key_values_release(struct key_value_sets *s)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		free(s->sets[i].slots);
	free(s->sets);
	s->sets = NULL;
	s->count = s->count_of_all = 0;
}
