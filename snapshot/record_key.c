/*
 * record_key.c - what decides on a record's place
 *
 * A byte for the kind of pk, and behind it what sorts as pks of that kind do:
 * of an integer the number of its digits and the digits, with all bits turned
 * where it is negative; of another pk its text; without a pk the line.
 */
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "snapshot/record_internal.h"
#include "snapshot/text.h"

#define PK_SHOWN 80

enum key_kind {
	KEY_NEGATIVE = 1,
	KEY_NATURAL,
	KEY_OTHER,
	KEY_NONE = RECORD_KEY_NONE
};

static void put_integer(struct buffer *key, const char *text, size_t size)
{
	int negative = *text == '-';
	unsigned char flip = negative ? 0xff : 0;
	uint32_t count = (uint32_t)(size - (size_t)negative);

	buffer_byte(key, negative ? KEY_NEGATIVE : KEY_NATURAL);
	for (int shift = 24; shift >= 0; shift -= 8)
		buffer_byte(key, (char)((count >> shift & 0xff) ^ flip));
	for (size_t i = (size_t)negative; i < size; i++)
		buffer_byte(key, (char)((unsigned char)text[i] ^ flip));
}

/* "-0" is none: it would be 0 a second time. */
static int is_integer(const char *text, size_t size)
{
	const char *end = text + size, *p = text + (*text == '-');

	if (p == end || (*p == '0' && p > text))
		return 0;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p == end;
}

void record_put_key(struct buffer *key, const struct record *record)
{
	const struct json_piece *pk = &record->pk;

	buffer_clear(key);
	if (!pk->data) {
		buffer_byte(key, KEY_NONE);
		buffer_add(key, record->line.data, record->line.size);
	} else if (is_integer(pk->data, pk->size)) {
		put_integer(key, pk->data, pk->size);
	} else {
		buffer_byte(key, KEY_OTHER);
		buffer_add(key, pk->data, pk->size);
	}
}

size_t record_key_size(const char *key)
{
	unsigned char flip = *key == KEY_NEGATIVE ? 0xff : 0;
	size_t count = 0;

	if (*key == KEY_NONE)
		return 1;
	if (*key == KEY_OTHER)
		return strlen(key);
	for (size_t i = 1; i <= 4; i++)
		count = count << 8 | (size_t)((unsigned char)key[i] ^ flip);
	return 5 + count;
}

int record_compare_names(struct json_piece a, struct json_piece b)
{
	/* without the quote at the end: so a name goes before a longer one */
	size_t shorter = (a.size < b.size ? a.size : b.size) - 1;
	int order = memcmp(a.data, b.data, shorter);

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

void record_show_pk(struct buffer *out, const struct record *record)
{
	if (!record->pk.data) {
		buffer_str(out, "no pk");
		return;
	}
	buffer_str(out, "pk ");
	text_display(out, record->pk.data, record->pk.size, PK_SHOWN);
}
