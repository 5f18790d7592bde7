/*
 * test_record.c - records that end where their memory does
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "database/sqlite_pages.h"

#define COLUMNS 12

/* A record being made, as https://sqlite.org/fileformat2.html#record_format
 * says; all its serial types are of one byte. */
struct made {
	unsigned char types[COLUMNS], body[COLUMNS * 8];
	size_t columns, size;
};

static void add_integer(struct made *m, unsigned type, unsigned bytes,
			int64_t x)
{
	m->types[m->columns++] = (unsigned char)type;
	while (bytes--)
		m->body[m->size++] =
			(unsigned char)((uint64_t)x >> 8 * bytes & 255);
}

static void add_text(struct made *m, const char *text)
{
	m->types[m->columns++] = (unsigned char)(13 + 2 * strlen(text));
	memcpy(m->body + m->size, text, strlen(text));
	m->size += strlen(text);
}

/* Read it without its last `less` bytes. @return as record_read() */
static int read_made(const struct made *m, size_t less, struct value *values)
{
	size_t size = 1 + m->columns + m->size - less, i;
	unsigned char whole[1 + COLUMNS + COLUMNS * 8];
	unsigned char *record = malloc(size);
	struct field fields[COLUMNS] = { 0 };
	struct record_plan plan = { .fields = fields,
				    .field_count = m->columns,
				    .value_count = m->columns,
				    .rowid_value = -1 };
	int rc;

	assert_non_null(record);
	for (i = 0; i < m->columns; i++)
		fields[i].value = (int)i;
	whole[0] = (unsigned char)(1 + m->columns);
	memcpy(whole + 1, m->types, m->columns);
	memcpy(whole + 1 + m->columns, m->body, m->size);
	memcpy(record, whole, size);
	rc = record_read(&plan, record, size, 0, values);
	free(record);
	return rc;
}

static const struct {
	unsigned type, bytes;
} widths[] = { { 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 4 }, { 5, 6 }, { 6, 8 } };

/* The integer `x` with texts in front and behind, in all places that a word
 * may have in a record. */
static void is_read(unsigned type, unsigned bytes, int64_t x)
{
	static const char text[] = "abcdefgh";
	struct value values[COLUMNS];
	size_t front, behind;

	for (front = 0; front < sizeof(text); front++)
		for (behind = 0; behind < sizeof(text); behind++) {
			struct made m = { 0 };

			if (front)
				add_text(&m, text + front);
			add_integer(&m, type, bytes, x);
			if (behind)
				add_text(&m, text + behind);
			assert_int_equal(read_made(&m, 0, values), 0);
			assert_int_equal(values[front > 0].class,
					 VALUE_INTEGER);
			assert_true(values[front > 0].integer == x);
		}
}

static void integers_of_all_widths_are_read_in_all_places(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		int64_t top = INT64_MAX >> (64 - 8 * widths[i].bytes);

		is_read(widths[i].type, widths[i].bytes, top);
		is_read(widths[i].type, widths[i].bytes, -top - 1);
		is_read(widths[i].type, widths[i].bytes, top / 3);
		is_read(widths[i].type, widths[i].bytes, -1);
		is_read(widths[i].type, widths[i].bytes, 0);
	}
	is_read(8, 0, 0);
	is_read(9, 0, 1);
}

static void integers_that_are_cut_short_are_odd(void **state)
{
	struct value values[COLUMNS];
	size_t i, less;

	(void)state;
	for (i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
		for (less = 1; less <= widths[i].bytes; less++) {
			struct made m = { 0 };

			add_integer(&m, widths[i].type, widths[i].bytes, -2);
			assert_int_equal(read_made(&m, less, values), 1);
		}
}

static void types_that_are_reserved_are_odd(void **state)
{
	struct value values[COLUMNS];
	unsigned type;

	(void)state;
	for (type = 10; type < 12; type++) {
		struct made m = { 0 };

		add_integer(&m, type, 0, 0);
		add_text(&m, "");
		assert_int_equal(read_made(&m, 0, values), 1);
	}
}

static void reals_and_nothing_are_read(void **state)
{
	struct value values[COLUMNS];
	struct made m = { 0 };

	(void)state;
	add_integer(&m, 7, 8, INT64_C(0x3ff8000000000000));
	add_integer(&m, 0, 0, 0);
	add_integer(&m, 7, 8, (int64_t)UINT64_C(0xfff0000000000000));
	add_integer(&m, 7, 8, INT64_C(0x7ff8000000000001));
	assert_int_equal(read_made(&m, 0, values), 0);
	assert_int_equal(values[0].class, VALUE_REAL);
	assert_true(values[0].real == 1.5);
	assert_int_equal(values[1].class, VALUE_NULL);
	assert_int_equal(values[2].class, VALUE_REAL);
	assert_true(values[2].real < -1e308);
	assert_int_equal(values[3].class, VALUE_NULL); /* NaN */
	assert_int_equal(read_made(&m, 1, values), 1);
}

/* Sizes of one to three bytes, whose last byte is the header's last, too. */
static void sizes_of_all_lengths_are_read(void **state)
{
	static const size_t sizes[] = { 0,    57,      58,      8185,   8186,
					8187, 1048569, 1048570, 3000000 };
	struct field field = { 0 };
	struct record_plan plan = { &field, 1, 1, -1 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t type = 12 + 2 * (uint64_t)sizes[i];
		size_t bytes = type < 1 << 7    ? 1
			       : type < 1 << 14 ? 2
			       : type < 1 << 21 ? 3
						: 4;
		size_t size = 1 + bytes + sizes[i], k;
		unsigned char *record = calloc(1, size);
		struct value v;

		assert_non_null(record);
		record[0] = (unsigned char)(1 + bytes);
		for (k = 0; k < bytes; k++)
			record[1 + k] =
				(unsigned char)((type >> 7 * (bytes - 1 - k) &
						 127) |
						(k + 1 < bytes ? 128 : 0));
		assert_int_equal(record_read(&plan, record, size, 0, &v), 0);
		assert_int_equal(v.class, VALUE_BLOB);
		assert_int_equal(v.size, sizes[i]);
		assert_ptr_equal(v.data, record + 1 + bytes);
		if (sizes[i])
			assert_int_equal(
				record_read(&plan, record, size - 1, 0, &v), 1);
		record[0]--;
		assert_int_equal(record_read(&plan, record, size, 0, &v), 1);
		free(record);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_of_all_widths_are_read_in_all_places),
		cmocka_unit_test(integers_that_are_cut_short_are_odd),
		cmocka_unit_test(types_that_are_reserved_are_odd),
		cmocka_unit_test(reals_and_nothing_are_read),
		cmocka_unit_test(sizes_of_all_lengths_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
