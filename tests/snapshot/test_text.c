/*
 * test_text.c - strict UTF-8, UTF-16, and JSON strings
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "snapshot/json_string.h"
#include "snapshot/text.h"

/* The size of a literal, which may have NUL inside. */
#define TEXT(literal) literal, sizeof(literal) - 1

/* Where a fast path looks at eight bytes at once, every place is tried. */
static int well_formed(const char *data, size_t size)
{
	char text[64];
	size_t before, after;
	int all = 1, any = 0;

	for (before = 0; before < 18; before++) {
		for (after = 0; after < 18; after++) {
			int yes;

			memset(text, 'x', sizeof(text));
			memcpy(text + before, data, size);
			yes = text_is_utf8(text, before + size + after);
			all &= yes;
			any |= yes;
		}
	}
	assert_int_equal(all, any);
	return all;
}

static void well_formed_text_is_recognised(void **state)
{
	(void)state;
	assert_true(text_is_utf8(NULL, 0));
	assert_true(well_formed(TEXT("")));
	assert_true(well_formed(TEXT("a\0b")));
	assert_true(well_formed(TEXT("\x7f")));
	assert_true(well_formed(TEXT("\xc2\x80")));
	assert_true(well_formed(TEXT("\xdf\xbf")));
	assert_true(well_formed(TEXT("\xe0\xa0\x80")));
	assert_true(well_formed(TEXT("\xed\x9f\xbf")));
	assert_true(well_formed(TEXT("\xee\x80\x80")));
	assert_true(well_formed(TEXT("\xef\xbf\xbe"))); /* U+FFFE */
	assert_true(well_formed(TEXT("\xef\xbf\xbf")));
	assert_true(well_formed(TEXT("\xf0\x90\x80\x80")));
	assert_true(well_formed(TEXT("\xf4\x8f\xbf\xbf")));
	assert_true(well_formed(TEXT("\xc3\xb6\xe2\x82\xac\xf0\x9f\x98\x80")));
}

static void ill_formed_text_is_recognised(void **state)
{
	(void)state;
	assert_false(well_formed(TEXT("\x80")));
	assert_false(well_formed(TEXT("\xbf")));
	assert_false(well_formed(TEXT("\xc0\x80"))); /* overlong */
	assert_false(well_formed(TEXT("\xc1\xbf")));
	assert_false(well_formed(TEXT("\xe0\x80\x80")));
	assert_false(well_formed(TEXT("\xe0\x9f\xbf")));
	assert_false(well_formed(TEXT("\xf0\x80\x80\x80")));
	assert_false(well_formed(TEXT("\xf0\x8f\xbf\xbf")));
	assert_false(well_formed(TEXT("\xed\xa0\x80"))); /* surrogate */
	assert_false(well_formed(TEXT("\xed\xbf\xbf")));
	assert_false(well_formed(TEXT("\xf4\x90\x80\x80"))); /* too high */
	assert_false(well_formed(TEXT("\xf5\x80\x80\x80")));
	assert_false(well_formed(TEXT("\xff")));
	assert_false(well_formed(TEXT("\xc3")));
	assert_false(well_formed(TEXT("\xe2\x82")));
	assert_false(well_formed(TEXT("\xf0\x9f\x98")));
	assert_false(well_formed(TEXT("\xc3\xc3")));
	assert_false(well_formed(TEXT("\xe2\x82x")));
	assert_false(well_formed(TEXT("\xe2x\x82")));
	assert_false(well_formed(TEXT("\xf0\x9f\x98x")));
	assert_false(well_formed(TEXT("\xc3\xb6\xb6")));
}

/* A sequence is cut where the text ends, whatever lies behind it. */
static void text_ends_where_its_size_says(void **state)
{
	(void)state;
	assert_false(text_is_utf8("\xe2\x82\xac", 2));
	assert_true(text_is_utf8("a\xe2\x82\xac", 1));
	assert_false(text_is_utf8("aaaaaaa\xe2\x82\xac", 8));
}

/* By the definition: code points but surrogates, in their shortest form. */
static void all_sequences_are_judged_as_defined(void **state)
{
	uint32_t x;
	unsigned int good = 0;

	(void)state;
	for (x = 0; x < UINT32_C(1) << 24; x++) {
		char three[3] = { (char)(x >> 16), (char)(x >> 8), (char)x };

		if ((x >> 16) >= 0xe0 && (x >> 16) < 0xf0)
			good += (unsigned int)text_is_utf8(three, 3);
	}
	assert_int_equal(good, 0x10000 - 0x800 - 0x800);
}

static void from16_is(const char *data, size_t size, int big_endian,
		      const char *expected)
{
	struct buffer b = BUFFER_INIT;

	buffer_str(&b, "> ");
	assert_int_equal(text_from_utf16(&b, data, size, big_endian), 0);
	assert_int_equal(b.size, strlen(expected) + 2);
	assert_memory_equal(b.data + 2, expected, strlen(expected));
	buffer_clear(&b);
	text_to_utf16(&b, expected, strlen(expected), big_endian);
	assert_int_equal(b.size, size);
	assert_memory_equal(b.data, data, size);
	buffer_release(&b);
}

static void utf16_goes_to_utf8_and_back(void **state)
{
	(void)state;
	from16_is(TEXT(""), 0, "");
	from16_is(TEXT("a\0b\0"), 0, "ab");
	from16_is(TEXT("\0a\0b"), 1, "ab");
	from16_is(TEXT("\xff\x07"), 0, "\xdf\xbf");
	from16_is(TEXT("\x08\x00"), 1, "\xe0\xa0\x80");
	from16_is(TEXT("\x20\xac"), 1, "\xe2\x82\xac");
	from16_is(TEXT("\xff\xfe"), 1, "\xef\xbf\xbe");
	from16_is(TEXT("\xd7\xff\xe0\x00"), 1, "\xed\x9f\xbf\xee\x80\x80");
	from16_is(TEXT("\xd8\x00\xdc\x00"), 1, "\xf0\x90\x80\x80");
	from16_is(TEXT("\x3d\xd8\x00\xde!\0"), 0, "\xf0\x9f\x98\x80!");
	from16_is(TEXT("\xdb\xff\xdf\xff"), 1, "\xf4\x8f\xbf\xbf");
}

static void every_code_point_survives_utf16(void **state)
{
	struct buffer utf8 = BUFFER_INIT, utf16 = BUFFER_INIT,
		      back = BUFFER_INIT;
	uint32_t c;

	(void)state;
	for (c = 0; c < 0x110000; c++) {
		char pair[4];
		size_t size = 2;
		uint32_t high = c;

		if (c >= 0xd800 && c < 0xe000)
			continue;
		if (c >= 0x10000) {
			uint32_t low = 0xdc00 + ((c - 0x10000) & 0x3ff);

			high = 0xd800 + ((c - 0x10000) >> 10);
			pair[2] = (char)(low >> 8);
			pair[3] = (char)low;
			size = 4;
		}
		pair[0] = (char)(high >> 8);
		pair[1] = (char)high;
		buffer_add(&utf16, pair, size);
	}
	assert_int_equal(text_from_utf16(&utf8, utf16.data, utf16.size, 1), 0);
	assert_true(text_is_utf8(utf8.data, utf8.size));
	assert_int_equal(utf8.size, 0x80 + 0x780 * 2 +
					    (0x10000 - 0x800 - 0x800) * 3 +
					    0x100000 * 4);
	text_to_utf16(&back, utf8.data, utf8.size, 1);
	assert_int_equal(back.size, utf16.size);
	assert_memory_equal(back.data, utf16.data, utf16.size);
	buffer_release(&utf8);
	buffer_release(&utf16);
	buffer_release(&back);
}

static void from16_refuses(const char *data, size_t size)
{
	struct buffer b = BUFFER_INIT;

	buffer_str(&b, "kept");
	assert_int_equal(text_from_utf16(&b, data, size, 1), 1);
	assert_int_equal(b.size, 4);
	assert_memory_equal(b.data, "kept", 4);
	assert_false(buffer_failed(&b));
	buffer_release(&b);
}

static void ill_formed_utf16_leaves_the_buffer_as_it_was(void **state)
{
	(void)state;
	from16_refuses(TEXT("a"));
	from16_refuses(TEXT("\0a\0"));
	from16_refuses(TEXT("\0a\xd8\x00"));
	from16_refuses(TEXT("\0a\xdb\xff\0b"));
	from16_refuses(TEXT("\0a\xdc\x00\0b"));
	from16_refuses(TEXT("\xdf\xff\xd8\x00"));
	from16_refuses(TEXT("\xd8\x00\xd8\x00\xdc\x00"));
}

static void json_is(const char *data, size_t size, const char *expected)
{
	struct buffer b = BUFFER_INIT;

	assert_int_equal(text_json_string(&b, data, size), 0);
	assert_string_equal(buffer_cstr(&b), expected);
	buffer_release(&b);
}

static void json_strings_escape_what_they_must(void **state)
{
	(void)state;
	json_is(NULL, 0, "\"\"");
	json_is(TEXT("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
	json_is(TEXT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
	json_is(TEXT("\0\x01\x07\x0b\x0e\x1f\x7f"),
		"\"\\u0000\\u0001\\u0007\\u000b\\u000e\\u001f\\u007f\"");
	json_is(TEXT("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\"");
	json_is(TEXT("\xe2\x80\xa7\xe2\x80\xaa\xe2\x81\xa8"),
		"\"\xe2\x80\xa7\xe2\x80\xaa\xe2\x81\xa8\"");
	json_is(TEXT("Gr\xc3\xb6\xc3\x9f"
		     "e \xf0\x9f\x98\x80 \xc2\x85"),
		"\"Gr\xc3\xb6\xc3\x9f"
		"e \xf0\x9f\x98\x80 \xc2\x85\"");
}

/* The same by one byte at a time, for strings of every length and place. */
static void slow_json(struct buffer *out, const char *p, size_t size)
{
	size_t i;

	buffer_byte(out, '"');
	for (i = 0; i < size; i++) {
		unsigned char c = (unsigned char)p[i];

		if (size - i >= 3 && !memcmp(p + i, "\xe2\x80\xa8", 3)) {
			buffer_str(out, "\\u2028");
			i += 2;
		} else if (size - i >= 3 && !memcmp(p + i, "\xe2\x80\xa9", 3)) {
			buffer_str(out, "\\u2029");
			i += 2;
		} else if (c == '"' || c == '\\') {
			buffer_byte(out, '\\');
			buffer_byte(out, (char)c);
		} else if (c == '\n') {
			buffer_str(out, "\\n");
		} else if (c < 0x20 || c == 0x7f) {
			buffer_printf(out, "\\u%04x", c);
		} else {
			buffer_byte(out, (char)c);
		}
	}
	buffer_byte(out, '"');
}

static void json_strings_are_the_same_at_every_place(void **state)
{
	static const char *const pieces[] = { "a",
					      "bc",
					      "defghijk",
					      "\"",
					      "\\",
					      "\n",
					      "\x01",
					      "\x7f",
					      "\xe2\x80\xa8",
					      "\xe2\x82\xac",
					      "\xc3\xb6",
					      "\xf0\x9f\x98\x80",
					      " !#[]~",
					      "\x1f" };
	struct buffer text = BUFFER_INIT, fast = BUFFER_INIT,
		      slow = BUFFER_INIT;
	uint64_t x = 88172645463325252u;
	int round, i;

	(void)state;
	for (round = 0; round < 20000; round++) {
		buffer_clear(&text);
		buffer_clear(&fast);
		buffer_clear(&slow);
		for (i = 0; i < round % 30; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			buffer_str(&text, pieces[x % 14]);
		}
		text_json_string(&fast, text.data, text.size);
		slow_json(&slow, text.data, text.size);
		assert_int_equal(fast.size, slow.size);
		assert_memory_equal(fast.data, slow.data, slow.size);
	}
	buffer_release(&text);
	buffer_release(&fast);
	buffer_release(&slow);
}

/* In memory that ends where the text does, into memory that has no more room
 * than is asked for. */
static void same_in_narrow_memory(const char *data, size_t size)
{
	char *text = malloc(size ? size : 1);
	struct buffer fast = BUFFER_INIT, slow = BUFFER_INIT;
	size_t room;

	assert_non_null(text);
	memcpy(text, data, size);
	slow_json(&slow, text, size);
	for (room = size + 2; room <= size + 32; room += 3) {
		fast.data = malloc(room);
		assert_non_null(fast.data);
		fast.capacity = room;
		assert_int_equal(text_json_string(&fast, text, size), 0);
		assert_int_equal(fast.size, slow.size);
		assert_memory_equal(fast.data, slow.data, slow.size);
		buffer_release(&fast);
	}
	buffer_release(&slow);
	free(text);
}

static void strings_of_all_lengths_stay_in_their_memory(void **state)
{
	static const char *const pieces[] = { "a",
					      "\"",
					      "\\",
					      "\x01",
					      "\x1f",
					      " ",
					      "~",
					      "\x7f",
					      "\n",
					      "\xe2\x80\xa9",
					      "\xc3\xb6",
					      "\xe2\x82\xac",
					      "\xf0\x9f\x98\x80" };
	char text[48];
	size_t size, at, i, n;

	(void)state;
	for (size = 0; size <= 40; size++) {
		memset(text, 'x', sizeof(text));
		same_in_narrow_memory(text, size);
		for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
			n = strlen(pieces[i]);
			for (at = 0; at + n <= size; at++) {
				memset(text, 'x', sizeof(text));
				memcpy(text + at, pieces[i], n);
				same_in_narrow_memory(text, size);
			}
		}
		memset(text, '\x02', sizeof(text));
		same_in_narrow_memory(text, size);
	}
}

static void json_strings_are_read_into_a_buffer_that_grows(void **state)
{
	char text[401], want[300];
	struct buffer b = BUFFER_INIT;
	const char *p = text;

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		memcpy(text + 4 * i, "a\\\"b", 4);
		memcpy(want + 3 * i, "a\"b", 3);
	}
	text[400] = '"';
	assert_null(json_string_decode(&b, &p, text + sizeof(text)));
	assert_ptr_equal(p, text + sizeof(text));
	assert_int_equal(b.size, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
	buffer_release(&b);
}

/* Ill-formed at every place of texts that are longer than a block. */
static void json_strings_refuse_what_is_no_utf8(void **state)
{
	static const char *const bad[] = { "\x80",         "\xff",
					   "\xc3",         "\xc3(",
					   "\xed\xa0\x80", "\xe2\x80",
					   "\xf0\x9f\x98" };
	char text[64];
	size_t i, at;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (at = 0; at + 4 < sizeof(text); at++) {
			struct buffer b = BUFFER_INIT;

			memset(text, at % 3 ? 'x' : '\n', sizeof(text));
			memcpy(text + at, bad[i], strlen(bad[i]));
			buffer_str(&b, "before");
			assert_int_equal(
				text_json_string(&b, text, sizeof(text)), 1);
			assert_int_equal(
				text_json_string(&b, text, at + strlen(bad[i])),
				1);
			assert_string_equal(buffer_cstr(&b), "before");
			buffer_release(&b);
		}
	}
}

static void base64_is_appended(void **state)
{
	struct buffer b = BUFFER_INIT;

	(void)state;
	text_base64(&b, NULL, 0);
	assert_int_equal(b.size, 0);
	buffer_byte(&b, '"');
	text_base64(&b, "foobar!", 7);
	assert_string_equal(buffer_cstr(&b), "\"Zm9vYmFyIQ==");
	buffer_release(&b);
}

static void sizes_that_cannot_be_fail_the_buffer(void **state)
{
	struct buffer b = BUFFER_INIT;

	(void)state;
	text_base64(&b, "", SIZE_MAX);
	assert_true(buffer_failed(&b));
	buffer_clear(&b);
	text_json_string(&b, "", SIZE_MAX);
	assert_true(buffer_failed(&b));
	buffer_clear(&b);
	text_to_utf16(&b, "", SIZE_MAX, 0);
	assert_true(buffer_failed(&b));
	buffer_clear(&b);
	assert_int_equal(text_from_utf16(&b, "", SIZE_MAX - 1, 0), 0);
	assert_true(buffer_failed(&b));
	buffer_release(&b);
}

static void display_is(const char *data, size_t size, size_t limit,
		       const char *expected)
{
	struct buffer b = BUFFER_INIT;

	text_display(&b, data, size, limit);
	assert_string_equal(buffer_cstr(&b), expected);
	buffer_release(&b);
}

static void people_see_no_control_characters(void **state)
{
	(void)state;
	display_is(NULL, 0, 5, "");
	display_is(TEXT("Gr\xc3\xb6\xc3\x9f"
			"e"),
		   99,
		   "Gr\xc3\xb6\xc3\x9f"
		   "e");
	display_is(TEXT("a\0b\n\x1b[2J\x7f"), 99, "a\\x00b\\x0a\\x1b[2J\\x7f");
	display_is(TEXT("\xc2\x9b|\xc2\xa0"), 99, "\\xc2\\x9b|\xc2\xa0");
	display_is(TEXT("\xff\xc3|\xe2\x82"), 99, "\\xff\\xc3|\\xe2\\x82");
	display_is(TEXT("\xe2\x80\xae|\xe2\x81\xa9|\xe2\x80\xa9"), 99,
		   "\\xe2\\x80\\xae|\\xe2\\x81\\xa9|\\xe2\\x80\\xa9");
}

static void long_text_is_cut_between_characters(void **state)
{
	(void)state;
	display_is(TEXT("abcdef"), 6, "abcdef");
	display_is(TEXT("abcdef"), 5, "abcde...");
	display_is(TEXT("abcd\xc3\xb6"), 6, "abcd\xc3\xb6");
	display_is(TEXT("abcd\xc3\xb6"), 5, "abcd...");
	display_is(TEXT("a"), 0, "...");
	display_is(TEXT("\xff\xff"), 1, "\\xff...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_text_is_recognised),
		cmocka_unit_test(ill_formed_text_is_recognised),
		cmocka_unit_test(text_ends_where_its_size_says),
		cmocka_unit_test(all_sequences_are_judged_as_defined),
		cmocka_unit_test(utf16_goes_to_utf8_and_back),
		cmocka_unit_test(every_code_point_survives_utf16),
		cmocka_unit_test(ill_formed_utf16_leaves_the_buffer_as_it_was),
		cmocka_unit_test(json_strings_escape_what_they_must),
		cmocka_unit_test(json_strings_are_the_same_at_every_place),
		cmocka_unit_test(
			json_strings_are_read_into_a_buffer_that_grows),
		cmocka_unit_test(strings_of_all_lengths_stay_in_their_memory),
		cmocka_unit_test(json_strings_refuse_what_is_no_utf8),
		cmocka_unit_test(base64_is_appended),
		cmocka_unit_test(sizes_that_cannot_be_fail_the_buffer),
		cmocka_unit_test(people_see_no_control_characters),
		cmocka_unit_test(long_text_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
