/*
 * real.h - doubles as the shortest digits that read back to the same bits
 *
 * Of several shortest candidates the one closest to the value is taken (as
 * Python's repr and ECMAScript's Number::toString do).  With the decimal
 * exponent e of the first digit: plain notation for -5 <= e <= 15
 * ("0.00001", "1.0", "1234567890123456.0"), else "d.ddde-7", "1e+308",
 * "5e-324": exponent with sign, no leading zeros.  There is always a '.' or
 * an 'e', so a reader can tell REAL from INTEGER.  "-0.0" keeps its sign.
 */
#ifndef SNAPSHOT_REAL_H
#define SNAPSHOT_REAL_H

#include <stddef.h>

#define REAL_TEXT_SIZE 32

/** Write a finite double; @return the number of characters, no NUL written */
size_t real_format(char out[REAL_TEXT_SIZE], double value);

/** Read a JSON number's text (digits, '.', exponent), correctly rounded, in
 *  the C locale's syntax whatever the locale.
 *  @return 0, or -1 when it is no JSON number or not finite */
int real_parse(double *out, const char *text, size_t size);

/** The same for most numbers in a row, faster: a point, few digits, and no
 *  exponent.
 *  @return where it ends; NULL: it is not such a number, or none at all */
const char *real_parse_few(double *out, const char *p, const char *end);

#endif /* SNAPSHOT_REAL_H */
