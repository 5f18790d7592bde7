/*
 * value.h - one value of one column, as an engine hands it out and takes it
 */
#ifndef SNAPSHOT_VALUE_H
#define SNAPSHOT_VALUE_H

#include <stddef.h>
#include <stdint.h>

/** Values above this many bytes lie raw in part files beside the rows. */
#define VALUE_INLINE_MAX ((size_t)1 << 20)

enum value_class {
	VALUE_NULL = 0,
	VALUE_INTEGER,
	VALUE_REAL,
	VALUE_TEXT,   /* bytes meant as UTF-8, perhaps not well-formed */
	VALUE_TEXT16, /* raw UTF-16 of a UTF-16 database that has no UTF-8
			 form (a lone surrogate, an odd number of bytes) */
	VALUE_BLOB
};

/** `data` is borrowed: from the engine until its next step, from a row reader
 *  until its next row.  It may be NULL when `size` is 0. */
struct value {
	enum value_class class;
	union {
		int64_t integer;
		double real;
	};
	const char *data;
	size_t size; /* bytes */
};

#endif /* SNAPSHOT_VALUE_H */
