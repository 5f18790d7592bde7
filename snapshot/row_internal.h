/*
 * row_internal.h - what the files of row share
 */
#ifndef SNAPSHOT_ROW_INTERNAL_H
#define SNAPSHOT_ROW_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "snapshot/row.h"

#define NO_VALUE ((size_t)-1)

/* Integers below this in size are plain numbers (RFC 7493, section 2.2). */
#define PLAIN_LIMIT (INT64_C(1) << 53)

/* Keys are copied by so many bytes: that is faster than byte-exact. */
#define ROW_KEY_STEP 16

/* Room that a value takes beside its text or bytes, with what stands in front
 * of it but its key: the longest is {"$int":"-9223372036854775808"} */
#define ROW_VALUE_ROOM 64

/* No value of an engine is bigger. */
#define ROW_VALUE_MAX ((int64_t)INT32_MAX)

struct row_name {
	const char *name; /* as the table has it; borrowed */
	size_t name_size;
	char *key; /* ,"name": and room for whole ROW_KEY_STEPs; in an array
		      only the comma */
	size_t key_size;
};

struct row_shape {
	const struct table *table;
	struct row_name *names; /* of the values, in column order */
	size_t count;
	size_t room; /* what a line takes beside its texts and bytes */
	struct row_name rowid; /* key of a rowid that is no column */
	int separate;          /* the rowid stands in front of the values */
	size_t rowid_value;    /* the value that is the rowid, or NO_VALUE */
	size_t *key;           /* primary key: values in key order */
	size_t key_count;
	struct hasher *sha256;

	/* of the row that was decoded last */
	struct buffer text;   /* strings and bytes that don't lie in the line */
	struct buffer loaded; /* values out of part files */
	size_t *loaded_at;    /* where in `loaded`, or NO_VALUE, by value */
};

/** How many part files hold `size` bytes. */
static inline size_t row_part_count(size_t size)
{
	return (size + ROW_PART_MAX - 1) / ROW_PART_MAX;
}

/** Append one value as it stands in a line; never NULL to a file.
 *  @return 0 or -1 */
int row_put_value(struct buffer *out, const struct value *v, struct error *err);

#endif /* SNAPSHOT_ROW_INTERNAL_H */
