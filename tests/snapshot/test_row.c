/*
 * test_row.c - one row as one line of JSON, and back
 */
#include "tests/snapshot/row_fixture.h"

#include <math.h>

/* One value in one column, there and back. */
static void value_is(struct value v, const char *expected)
{
	struct value values[3] = { v, null_value(), null_value() };
	struct fixture f;
	char line[256];

	fixture_init(&f);
	fixture_open(&f);
	encode(&f, 1, values);
	snprintf(line, sizeof(line), "{\"rowid\":1,\"a\":%s}\n", expected);
	line_is(&f, line);
	decodes_to(&f, 1, values);
	fixture_release(&f);
}

static void integers_below_2_to_53_are_plain(void **state)
{
	(void)state;
	value_is(integer_value(0), "0");
	value_is(integer_value(42), "42");
	value_is(integer_value(-1), "-1");
	value_is(integer_value(9007199254740991), "9007199254740991");
	value_is(integer_value(-9007199254740991), "-9007199254740991");
}

static void integers_that_readers_would_round_are_tagged(void **state)
{
	(void)state;
	value_is(integer_value(9007199254740992),
		 "{\"$int\":\"9007199254740992\"}");
	value_is(integer_value(-9007199254740992),
		 "{\"$int\":\"-9007199254740992\"}");
	value_is(integer_value(INT64_MAX),
		 "{\"$int\":\"9223372036854775807\"}");
	value_is(integer_value(INT64_MIN),
		 "{\"$int\":\"-9223372036854775808\"}");
}

static void reals_are_told_from_integers(void **state)
{
	(void)state;
	value_is(real_value(1), "1.0");
	value_is(real_value(-0.0), "-0.0");
	value_is(real_value(0.1), "0.1");
	value_is(real_value(5e-324), "5e-324");
	value_is(real_value(1e308), "1e+308");
	value_is(real_value(INFINITY), "{\"$real\":\"inf\"}");
	value_is(real_value(-INFINITY), "{\"$real\":\"-inf\"}");
}

static void text_is_a_string_where_it_can_be(void **state)
{
	(void)state;
	value_is(text_value(""), "\"\"");
	value_is(bytes_value(VALUE_TEXT, NULL, 0), "\"\"");
	value_is(text_value("Gr\xc3\xb6\xc3\x9f"
			    "e \"x\" \\ \n"),
		 "\"Gr\xc3\xb6\xc3\x9f"
		 "e \\\"x\\\" \\\\ \\n\"");
	value_is(bytes_value(VALUE_TEXT, "a\0b", 3), "\"a\\u0000b\"");
	value_is(text_value("{\"$blob\":\"\"}"),
		 "\"{\\\"$blob\\\":\\\"\\\"}\"");
	value_is(text_value("\xff"), "{\"$text\":\"/w==\"}");
	value_is(text_value("\xed\xa0\x80"), "{\"$text\":\"7aCA\"}");
	value_is(bytes_value(VALUE_TEXT16, "\xd8\x00", 2),
		 "{\"$text16\":\"2AA=\"}");
}

static void blobs_are_base64_also_when_empty(void **state)
{
	(void)state;
	value_is(bytes_value(VALUE_BLOB, NULL, 0), "{\"$blob\":\"\"}");
	value_is(bytes_value(VALUE_BLOB, "\0\1\2", 3), "{\"$blob\":\"AAEC\"}");
	value_is(bytes_value(VALUE_BLOB, "text", 4),
		 "{\"$blob\":\"dGV4dA==\"}");
}

static void nan_is_refused(void **state)
{
	struct value values[3] = { integer_value(1), real_value(NAN),
				   null_value() };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	buffer_str(&f.line, "kept");
	assert_int_equal(row_encode(&f.line, f.shape, 1, values, NULL, &f.err),
			 -1);
	assert_string_equal(f.err.message,
			    "a value is not a number (NaN), which no database "
			    "can store");
	line_is(&f, "kept");
	fixture_release(&f);
}

/* ---- shapes ---- */

static void nulls_are_left_out_and_come_back(void **state)
{
	struct value values[3] = { null_value(), integer_value(2),
				   null_value() };
	struct value none[3] = { null_value(), null_value(), null_value() };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	encode(&f, -5, values);
	line_is(&f, "{\"rowid\":-5,\"b\":2}\n");
	decodes_to(&f, -5, values);
	encode(&f, 7, none);
	line_is(&f, "{\"rowid\":7}\n");
	decodes_to(&f, 7, none);
	fixture_release(&f);
}

static void column_that_is_the_rowid_stands_once(void **state)
{
	struct value values[3] = { text_value("x"), integer_value(INT64_MIN),
				   null_value() };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.table.rowid_column = 1;
	f.table.rowid_key = f.columns[1].name;
	fixture_open(&f);
	encode(&f, 99, values);
	line_is(&f, "{\"a\":\"x\",\"b\":{\"$int\":\"-9223372036854775808\"}}"
		    "\n");
	decodes_to(&f, INT64_MIN, values);
	fixture_release(&f);
}

static void table_without_a_rowid_has_only_columns(void **state)
{
	struct value values[3] = { text_value("x"), null_value(),
				   integer_value(1) };
	struct value none[3] = { null_value(), null_value(), null_value() };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.table.order = ORDER_SORTED;
	f.table.rowid_key = NULL;
	fixture_open(&f);
	encode(&f, 99, values);
	line_is(&f, "{\"a\":\"x\",\"c\":1}\n");
	decodes_to(&f, 0, values);
	encode(&f, 99, none);
	line_is(&f, "{}\n");
	decodes_to(&f, 0, none);
	fixture_release(&f);
}

static void generated_columns_are_no_values(void **state)
{
	struct value values[2] = { integer_value(1), integer_value(3) };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.columns[1].generated = 2;
	f.table.rowid_column = 2;
	fixture_open(&f);
	assert_int_equal(row_shape_values(f.shape), 2);
	encode(&f, 3, values);
	line_is(&f, "{\"a\":1,\"c\":3}\n");
	decodes_to(&f, 3, values);
	fixture_release(&f);
}

static void names_are_escaped_like_any_string(void **state)
{
	char odd[] = "a\"b\\\n\xe2\x80\xa8", empty[] = "", same[] = "rowid";
	struct value values[3] = { integer_value(1), integer_value(2),
				   integer_value(3) };
	struct fixture f;
	char oid[] = "_rowid_";

	(void)state;
	fixture_init(&f);
	f.columns[0].name = odd;
	f.columns[1].name = empty;
	f.columns[2].name = same;
	f.table.rowid_key = oid;
	fixture_open(&f);
	encode(&f, 9, values);
	line_is(&f, "{\"_rowid_\":9,\"a\\\"b\\\\\\n\\u2028\":1,\"\":2,"
		    "\"rowid\":3}\n");
	decodes_to(&f, 9, values);
	fixture_release(&f);
}

/* Keys are compared many bytes at a time. */
static void names_that_differ_in_one_byte_are_told_apart(void **state)
{
	struct value values[3] = { null_value(), integer_value(2),
				   null_value() };
	char a[42], b[42], c[42];

	(void)state;
	for (size_t size = 1; size < 40; size++) {
		for (size_t at = 0; at < size; at++) {
			struct fixture f;

			memset(a, 'x', size + 1);
			a[size] = a[size + 1] = '\0';
			memcpy(b, a, sizeof(b));
			memcpy(c, a, sizeof(c));
			b[at] = 'y';
			c[size] = 'x';
			fixture_init(&f);
			f.columns[0].name = a;
			f.columns[1].name = b;
			f.columns[2].name = c;
			fixture_open(&f);
			encode(&f, 1, values);
			decodes_to(&f, 1, values);
			fixture_release(&f);
		}
	}
}

static void escapes_are_read_at_every_place(void **state)
{
	struct value values[3] = { null_value(), null_value(), null_value() };
	char text[48];
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	for (size_t size = 1; size < sizeof(text); size++) {
		for (size_t at = 0; at < size; at++) {
			memset(text, 'x', size);
			text[at] = "\"\n\\"[at % 3];
			values[0] = bytes_value(VALUE_TEXT, text, size);
			values[2] =
				bytes_value(VALUE_TEXT, text + at, size - at);
			encode(&f, 1, values);
			decodes_to(&f, 1, values);
		}
	}
	fixture_release(&f);
}

static void arrays_hold_every_value_in_order(void **state)
{
	char bad[] = "\xff";
	struct value values[3] = { null_value(), text_value("x"),
				   null_value() };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.columns[0].name = bad;
	f.table.form_array = 1;
	fixture_open(&f);
	encode(&f, 5, values);
	line_is(&f, "[5,null,\"x\",null]\n");
	decodes_to(&f, 5, values);
	row_shape_free(f.shape);
	f.table.order = ORDER_SCAN;
	fixture_open(&f);
	encode(&f, 5, values);
	line_is(&f, "[null,\"x\",null]\n");
	decodes_to(&f, 0, values);
	row_shape_free(f.shape);
	f.table.order = ORDER_ROWID;
	f.table.rowid_column = 1;
	fixture_open(&f);
	values[1] = integer_value(8);
	encode(&f, 8, values);
	line_is(&f, "[null,8,null]\n");
	decodes_to(&f, 8, values);
	fixture_release(&f);
}

static void table_without_columns_has_rows_all_the_same(void **state)
{
	struct value none[1] = { null_value() };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.table.column_count = 0;
	fixture_open(&f);
	encode(&f, 5, none);
	line_is(&f, "{\"rowid\":5}\n");
	decodes_to(&f, 5, none);
	row_shape_free(f.shape);
	f.table.form_array = 1;
	f.table.order = ORDER_SCAN;
	fixture_open(&f);
	encode(&f, 5, none);
	line_is(&f, "[]\n");
	decodes_to(&f, 0, none);
	fixture_release(&f);
}

static void shape_fails(struct fixture *f, const char *message)
{
	assert_int_equal(row_shape_new(&f->shape, &f->table, &f->err), -1);
	assert_null(f->shape);
	assert_int_equal(f->err.code, ERROR_DAMAGE);
	assert_string_equal(f->err.message, message);
	fixture_release(f);
}

static void tables_that_cannot_be_have_no_shape(void **state)
{
	char bad[] = "\xff";
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.columns[1].name = bad;
	shape_fails(&f, "a column's name is not UTF-8, so rows must be arrays");
	fixture_init(&f);
	f.table.rowid_key = NULL;
	shape_fails(&f, "the rowid's key is missing");
	fixture_init(&f);
	f.table.rowid_column = 3;
	shape_fails(&f, "the rowid's column does not exist");
	fixture_init(&f);
	f.table.rowid_column = 1;
	f.columns[1].generated = 1;
	shape_fails(&f, "the rowid's column does not exist");
	fixture_init(&f);
	f.columns[0].key = 1;
	f.columns[2].key = 1;
	shape_fails(&f, "the primary key has two columns in one place");
	fixture_init(&f);
	f.columns[0].key = 2000000000;
	shape_fails(&f, "the primary key has two columns in one place");
	row_shape_free(NULL);
}

/* ---- keys ---- */

static void key_is(struct fixture *f, const struct value *values,
		   const char *expected)
{
	struct buffer key = BUFFER_INIT;

	encode(f, 7, values);
	assert_int_equal(row_key_bytes(&key, f->shape, values, f->line.data,
				       f->line.size, &f->err),
			 0);
	assert_string_equal(buffer_cstr(&key), expected);
	buffer_clear(&key);
	assert_int_equal(row_key_bytes(&key, f->shape, values, f->line.data,
				       f->line.size - 1, &f->err),
			 0);
	assert_string_equal(buffer_cstr(&key), expected);
	buffer_release(&key);
}

static void key_is_the_primary_key_in_its_own_order(void **state)
{
	struct value values[3] = { text_value("x"), null_value(),
				   real_value(2) };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.table.order = ORDER_KEY;
	f.columns[0].key = 3;
	f.columns[1].key = 2;
	f.columns[2].key = 1;
	fixture_open(&f);
	key_is(&f, values, "[2.0,null,\"x\"]");
	fixture_release(&f);
}

static void line_is_the_key_where_there_is_none(void **state)
{
	struct value values[3] = { text_value("x"), null_value(),
				   null_value() };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.table.order = ORDER_SORTED;
	fixture_open(&f);
	key_is(&f, values, "{\"a\":\"x\"}");
	fixture_release(&f);
}

/* A line that begins with so much room, and no more, is the same. */
static void line_fits(struct fixture *f, const struct value *values,
		      size_t room)
{
	struct buffer narrow = { malloc(room), 0, room, 0 };

	assert_non_null(narrow.data);
	assert_int_equal(
		row_encode(&narrow, f->shape, INT64_MIN, values, NULL, &f->err),
		0);
	assert_int_equal(narrow.size, f->line.size);
	assert_memory_equal(narrow.data, f->line.data, narrow.size);
	buffer_release(&narrow);
}

static void lines_stay_within_the_room_that_they_make(void **state)
{
	char blob[3000], name[200];
	struct value values[8] = { integer_value(INT64_MIN),
				   integer_value(INT64_MIN),
				   text_value("\x01\x02 and more"),
				   real_value(-1.5e-300),
				   integer_value(INT64_MAX),
				   bytes_value(VALUE_BLOB, blob, 0),
				   real_value(-INFINITY),
				   integer_value(-1) };
	struct fixture f;
	size_t room;

	(void)state;
	memset(blob, 'b', sizeof(blob));
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	fixture_init(&f);
	f.table.column_count = 8;
	f.columns[4].name = name;
	for (f.table.form_array = 0; f.table.form_array < 2;
	     f.table.form_array++) {
		fixture_open(&f);
		for (room = 1; room < 2048; room++) {
			values[5].size = sizeof(blob) - room % 7;
			encode(&f, INT64_MIN, values);
			line_fits(&f, values, room);
		}
		row_shape_free(f.shape);
		f.shape = NULL;
	}
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_below_2_to_53_are_plain),
		cmocka_unit_test(integers_that_readers_would_round_are_tagged),
		cmocka_unit_test(reals_are_told_from_integers),
		cmocka_unit_test(text_is_a_string_where_it_can_be),
		cmocka_unit_test(blobs_are_base64_also_when_empty),
		cmocka_unit_test(nan_is_refused),
		cmocka_unit_test(nulls_are_left_out_and_come_back),
		cmocka_unit_test(column_that_is_the_rowid_stands_once),
		cmocka_unit_test(table_without_a_rowid_has_only_columns),
		cmocka_unit_test(generated_columns_are_no_values),
		cmocka_unit_test(names_are_escaped_like_any_string),
		cmocka_unit_test(names_that_differ_in_one_byte_are_told_apart),
		cmocka_unit_test(escapes_are_read_at_every_place),
		cmocka_unit_test(arrays_hold_every_value_in_order),
		cmocka_unit_test(table_without_columns_has_rows_all_the_same),
		cmocka_unit_test(tables_that_cannot_be_have_no_shape),
		cmocka_unit_test(key_is_the_primary_key_in_its_own_order),
		cmocka_unit_test(line_is_the_key_where_there_is_none),
		cmocka_unit_test(lines_stay_within_the_room_that_they_make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
