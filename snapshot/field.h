/*
 * field.h - a field of an application's record, and a column that keeps it
 *
 * A record's field is JSON as Django's serializers write it; a column keeps it
 * as Django's SQLite backend does.  What a column declares tells which way:
 *
 *     declared              in a record                  in the database
 *     bool                  true                         1
 *     integer, smallint     42, or "42"                  42
 *     bigint                42, or a duration            42, microseconds
 *     real                  1.5, "Infinity"              1.5, infinite
 *     decimal               "10.50"                      10.5
 *     datetime              "2026-01-02T03:04:05.678Z"   '2026-01-02
 *                                                          03:04:05.678000'
 *     date                  "2026-01-02"                 '2026-01-02'
 *     time                  "03:04:05.678"               '03:04:05.678000'
 *     char(32)              "0a1b2c3d-..." (a UUID)      '0a1b2c3d...'
 *     text with JSON_VALID  {"a":[1]}                    '{"a": [1]}'
 *     BLOB                  "AP8="                       x'00ff'
 *     varchar, text ...     "text"                       'text'
 *
 * Found by experiment with Django 3.2, and in its documentation.
 */
#ifndef SNAPSHOT_FIELD_H
#define SNAPSHOT_FIELD_H

#include "snapshot/record.h"
#include "snapshot/value.h"

struct buffer;
struct error;

enum field_class {
	FIELD_ANY, /* nothing known is declared: the value tells */
	FIELD_BOOL,
	FIELD_INTEGER,
	FIELD_BIGINT, /* an integer, or a duration */
	FIELD_DURATION,
	FIELD_REAL,
	FIELD_DECIMAL,
	FIELD_DATETIME,
	FIELD_DATE,
	FIELD_TIME,
	FIELD_UUID,
	FIELD_JSON,
	FIELD_BLOB,
	FIELD_TEXT
};

/** @param type  as declared: "varchar(20)"; "" for none */
enum field_class field_class_of(const char *type);

/** By the name that a map gives: "duration".  @return 0; -1: there is no such
 *  class */
int field_class_named(enum field_class *out, const char *name);

/**
 * What the database keeps for a record's field.
 *
 * @param json  canonical JSON; null gives VALUE_NULL in every class
 * @param text  holds the bytes of `out`; cleared first
 * @return 0, or -1 with ERROR_FAILED: "'x' is no date" (the caller adds which
 *         field of which record)
 */
int field_decode(enum field_class class, struct json_piece json,
		 struct buffer *text, struct value *out, struct error *err);

/**
 * Append the JSON that a record has for a value of the database; the way back.
 *
 * @param v     text as UTF-8
 * @param utc   dates with a time are in UTC, and say so ("Z")
 * @param json  its memory is used for reading FIELD_JSON
 * @return 0, or -1 with ERROR_FAILED: "holds 'x', which is no date"
 */
int field_encode(enum field_class class, const struct value *v, int utc,
		 struct record_reader *json, struct buffer *out,
		 struct error *err);

/** Do both mean the same to the application?  "10.5" and "10.50" are one
 *  decimal.  @return 1 or 0; -1: memory ran out */
int field_same(enum field_class class, struct json_piece a, struct json_piece b,
	       struct error *err);

#endif /* SNAPSHOT_FIELD_H */
