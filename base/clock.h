/*
 * clock.h - the present time and how times are written
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_TEXT_SIZE 32

/* What is further ahead than this was written by a clock that is wrong. */
#define CLOCK_AHEAD_S ((int64_t)24 * 3600)

/** Seconds since 1970-01-01 UTC; SOURCE_DATE_EPOCH, where it is set to a
 *  decimal number, is the present time. */
int64_t clock_now(void);

/** "2026-11-20T02:35:22Z" */
void clock_iso(char out[CLOCK_TEXT_SIZE], int64_t when_s);

/** "2026-11-20 02:35:22Z" */
void clock_text(char out[CLOCK_TEXT_SIZE], int64_t when_s);

/** Age for people: "12 s", "5 min", "3 h", "9 days"; "in 3 h" for the future */
void clock_age(char out[CLOCK_TEXT_SIZE], int64_t age_s);

/**
 * Read "2026-11-20", "2026-11-20T02:35[:22]" or with a blank for the T, with
 * an optional Z or +hh:mm; UTC unless an offset is given.
 * @return 0, or -1 when the text is no such time
 */
int clock_parse(int64_t *out, const char *text);

/**
 * Read a length of time: "90s", "30min", "26h", "8d", "2w", or hours without a
 * unit; at most 100 years.
 * @return 0, or -1 when the text is none
 */
int clock_parse_span(int64_t *out_s, const char *text);

#endif /* BASE_CLOCK_H */
