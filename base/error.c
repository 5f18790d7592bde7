/*
 * error.c - one error, said once, where it was found
 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"

/* Length of `text` without a UTF-8 sequence that was cut at its end. */
static size_t whole_characters(const char *text, size_t size)
{
	size_t back = 0;
	unsigned char c;

	while (back < 3 && back < size &&
	       ((unsigned char)text[size - 1 - back] & 0xc0) == 0x80)
		back++;
	if (back == size)
		return size;
	c = (unsigned char)text[size - 1 - back];
	if ((c >= 0xf0 && back < 3) || (c >= 0xe0 && c < 0xf0 && back < 2) ||
	    (c >= 0xc0 && c < 0xe0 && back < 1))
		return size - 1 - back;
	return size;
}

/*
 * C0 and DEL, and the C1 controls in their UTF-8 form (some terminals obey
 * U+009B as they do ESC [).
 */
static void disarm(char *text)
{
	unsigned char *p = (unsigned char *)text;

	for (; *p; p++) {
		if (*p < 0x20 || *p == 0x7f) {
			*p = '?';
		} else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) {
			p[0] = '?';
			p[1] = '?';
		}
	}
}

__attribute__((format(printf, 3, 0))) static void
record(struct error *err, enum error_code code, const char *fmt, va_list args)
{
	int n = vsnprintf(err->message, sizeof(err->message), fmt, args);

	err->code = code;
	if (n < 0)
		snprintf(err->message, sizeof(err->message), "%s", fmt);
	else if ((size_t)n >= sizeof(err->message))
		err->message[whole_characters(err->message,
					      sizeof(err->message) - 1)] = '\0';
	if (n >= 0 && (size_t)n < sizeof(err->message))
		secret_redact(err->message);
	else
		secret_redact_cut(err->message);
	disarm(err->message);
}

int error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
	va_list args;

	if (err && err->code == ERROR_NONE) {
		va_start(args, fmt);
		record(err, code, fmt, args);
		va_end(args);
	}
	return -1;
}

int error_errno(struct error *err, enum error_code code, const char *fmt, ...)
{
	int number = errno;
	char why[128];
	size_t used;
	va_list args;

	if (!err || err->code != ERROR_NONE)
		return -1;
	if (code == ERROR_FAILED && (number == ENOSPC || number == EDQUOT))
		code = ERROR_NOSPACE;
	va_start(args, fmt);
	record(err, code, fmt, args);
	va_end(args);
	used = strlen(err->message);
	snprintf(err->message + used, sizeof(err->message) - used, ": %s",
		 strerror_r(number, why, sizeof(why)));
	return -1;
}

int error_nomem(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "out of memory");
}

void error_clear(struct error *err)
{
	if (err) {
		err->code = ERROR_NONE;
		err->message[0] = '\0';
	}
}
