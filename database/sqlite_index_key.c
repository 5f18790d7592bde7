/*
 * sqlite_index_key.c - values as bytes that compare as SQLite compares values
 *
 * A byte tells the class: NULL, number, text, blob.  Numbers are a REAL, with
 * its bits turned so that they ascend, and what an INTEGER differs from it:
 * both ascend with the number, and 1 and 1.0 are the same.  In texts and blobs
 * 0 is 0 255, and 0 0 ends them, so that a value comes before those it begins.
 * A text under NOCASE that has a 0 ends with 0 1 and its size instead.
 * All bytes are turned where the column descends.
 */
#include "database/sqlite_index_make.h"
#include "database/sqlite_page_write.h"

#include <string.h>

enum { KEY_NULL = 1, KEY_NUMBER, KEY_TEXT, KEY_BLOB };

#define NUMBER_SIZE 11
#define SIGN        ((uint64_t)1 << 63)

/* What an INTEGER is more than the REAL it is rounded to: up to 512. */
static int rounded_by(int64_t integer, double real)
{
	if (real >= 9223372036854775808.0)
		return (int)(integer - INT64_MAX) - 1;
	return (int)(integer - (int64_t)real);
}

static void add_number(struct buffer *out, const struct value *v)
{
	unsigned char bytes[NUMBER_SIZE] = { KEY_NUMBER };
	double real = v->class == VALUE_REAL ? v->real : (double)v->integer;
	int more = v->class == VALUE_REAL ? 0 : rounded_by(v->integer, real);
	uint64_t bits;

	if (real == 0)
		real = 0; /* -0.0 is the same */
	memcpy(&bits, &real, sizeof(bits));
	number_write(bytes + 1, bits & SIGN ? ~bits : bits | SIGN, 8);
	number_write(bytes + 9, (uint64_t)(more + 0x8000), 2);
	buffer_add(out, bytes, sizeof(bytes));
}

static void add_bytes(struct buffer *out, const char *data, size_t size)
{
	const char *zero;

	while (size && (zero = memchr(data, 0, size))) {
		size_t some = (size_t)(zero - data) + 1;

		buffer_add(out, data, some);
		buffer_byte(out, (char)255);
		data += some;
		size -= some;
	}
	buffer_add(out, data, size);
	buffer_add(out, "\0", 2);
}

/* NOCASE looks no further than the first 0: behind it only lengths count. */
static void add_folded(struct buffer *out, const char *data, size_t size)
{
	unsigned char end[10] = { 0, 0 };
	const char *zero = size ? memchr(data, 0, size) : NULL;
	size_t plain = zero ? (size_t)(zero - data) : size, i;

	for (i = 0; i < plain; i++) {
		char c = data[i];

		buffer_byte(out, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
	}
	if (zero) {
		end[1] = 1;
		number_write(end + 2, size, 8);
	}
	buffer_add(out, end, zero ? sizeof(end) : 2);
}

static void add_text(struct buffer *out, const struct value *v,
		     enum index_collation collation)
{
	size_t size = v->size;

	buffer_byte(out, KEY_TEXT);
	if (collation == COLLATION_RTRIM)
		while (size && v->data[size - 1] == ' ')
			size--;
	if (collation == COLLATION_NOCASE)
		add_folded(out, v->data, size);
	else
		add_bytes(out, v->data, size);
}

int index_key_add(struct buffer *out, const struct value *v,
		  enum index_collation collation, int descending)
{
	size_t first = out->size, i;
	int rc = 0;

	switch (v->class) {
	case VALUE_NULL:
		buffer_byte(out, KEY_NULL);
		break;
	case VALUE_INTEGER:
	case VALUE_REAL:
		add_number(out, v);
		break;
	case VALUE_TEXT:
		add_text(out, v, collation);
		break;
	case VALUE_BLOB:
		buffer_byte(out, KEY_BLOB);
		add_bytes(out, v->data, v->size);
		break;
	default:
		rc = 1;
	}
	for (i = first; descending && i < out->size; i++)
		out->data[i] = (char)~out->data[i];
	return rc;
}

void index_key_add_rowid(struct buffer *out, int64_t rowid)
{
	unsigned char bytes[INDEX_ROWID_SIZE];

	number_write(bytes, (uint64_t)rowid ^ SIGN, sizeof(bytes));
	buffer_add(out, bytes, sizeof(bytes));
}
