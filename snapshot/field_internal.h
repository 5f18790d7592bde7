/*
 * field_internal.h - what the files of field.h share
 */
#ifndef SNAPSHOT_FIELD_INTERNAL_H
#define SNAPSHOT_FIELD_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot/value.h"

struct buffer;

/* ---- field_time.c; all in microseconds ---- */

/** "2026-01-02T03:04:05.678Z": since 1970, in UTC where the text tells its
 *  offset.  @return 0, or -1: it is none, or not in the years 1 to 9999 */
int moment_parse(int64_t *out, const char *text, size_t size);
/** @param between  ' ' as stored, 'T' as in a record */
void moment_put(struct buffer *out, int64_t moment, char between);

/** "2026-01-02": days since 1970. */
int date_parse(int64_t *out, const char *text, size_t size);
void date_put(struct buffer *out, int64_t days);

/** "03:04:05.678" */
int clock_parse_day(int64_t *out, const char *text, size_t size);
/** @param stored  a fraction has six digits; else three where that does */
void clock_put(struct buffer *out, int64_t clock, int stored);

/** "1 02:00:00.5", "P1DT2H0.5S" */
int duration_parse(int64_t *out, const char *text, size_t size);
/** "1 02:00:00.500000" */
void duration_put(struct buffer *out, int64_t duration);

/* ---- field_number.c ---- */

/** The integer that the text is: sign and digits, nothing else.
 *  @return 0; 1: it is no integer; 2: it takes more than 64 bits */
int integer_parse(int64_t *out, const char *text, size_t size);

/**
 * The number that a NUMERIC column keeps for a decimal: VALUE_INTEGER or
 * VALUE_REAL.
 *
 * @return 0; 1: it is no decimal; 2: not all of its digits would be kept
 */
int decimal_parse(struct value *out, const char *text, size_t size);

#endif /* SNAPSHOT_FIELD_INTERNAL_H */
