/*
 * sqlite_affinity.c - what SQLite would make of a value in a column
 *
 * https://sqlite.org/datatype3.html, sections 3 and 4.
 */
#include "database/sqlite_internal.h"

#include <math.h>
#include <string.h>

static int contains(const char *type, const char *word)
{
	size_t size = strlen(word);

	for (; *type; type++)
		if (!sqlite3_strnicmp(type, word, (int)size))
			return 1;
	return 0;
}

enum affinity affinity_of(const char *type, int strict)
{
	if (strict && !sqlite3_stricmp(type, "ANY"))
		return AFFINITY_NONE;
	if (contains(type, "INT"))
		return AFFINITY_INTEGER;
	if (contains(type, "CHAR") || contains(type, "CLOB") ||
	    contains(type, "TEXT"))
		return AFFINITY_TEXT;
	if (!*type || contains(type, "BLOB"))
		return AFFINITY_NONE;
	if (contains(type, "REAL") || contains(type, "FLOA") ||
	    contains(type, "DOUB"))
		return AFFINITY_REAL;
	return AFFINITY_NUMERIC;
}

static size_t skip_spaces(const char *s, size_t size, size_t at)
{
	while (at < size && (s[at] == ' ' || (s[at] >= 9 && s[at] <= 13)))
		at++;
	return at;
}

static size_t skip_digits(const char *s, size_t size, size_t at)
{
	while (at < size && s[at] >= '0' && s[at] <= '9')
		at++;
	return at;
}

/* Is the whole text a number in SQLite's eyes: " -12.5e3 ", "7.", ".5"? */
static int looks_numeric(const char *s, size_t size)
{
	size_t at = skip_spaces(s, size, 0), from, digits;

	if (at < size && (s[at] == '+' || s[at] == '-'))
		at++;
	from = at;
	at = skip_digits(s, size, at);
	digits = at - from;
	if (at < size && s[at] == '.') {
		from = at + 1;
		at = skip_digits(s, size, from);
		digits += at - from;
	}
	if (!digits)
		return 0;
	if (at < size && (s[at] == 'e' || s[at] == 'E')) {
		at++;
		if (at < size && (s[at] == '+' || s[at] == '-'))
			at++;
		from = at;
		at = skip_digits(s, size, at);
		if (at == from)
			return 0;
	}
	return skip_spaces(s, size, at) == size;
}

/* Would it become an INTEGER? */
static int is_integral(double r)
{
	return r > -9223372036854775808.0 && r < 9223372036854775808.0 &&
	       r == (double)(int64_t)r;
}

const char *affinity_conversion(enum affinity a, const struct value *v)
{
	int numeric;

	switch (a) {
	case AFFINITY_NONE:
		return NULL;
	case AFFINITY_TEXT:
		return v->class == VALUE_INTEGER || v->class == VALUE_REAL
			       ? "text"
			       : NULL;
	default:
		break;
	}
	/* ill-formed UTF-16 may begin with a number: better bare than sorry */
	numeric = v->class == VALUE_TEXT16 ||
		  (v->class == VALUE_TEXT && looks_numeric(v->data, v->size));
	if (numeric)
		return "a number";
	if (a == AFFINITY_REAL) {
		/* SQLite keeps whole numbers of REAL columns as integers, and
		 * there is no integer -0 */
		if (v->class == VALUE_REAL && v->real == 0 && signbit(v->real))
			return "0.0";
		return v->class == VALUE_INTEGER ? "a real" : NULL;
	}
	return v->class == VALUE_REAL && is_integral(v->real) ? "an integer"
							      : NULL;
}
