/*
 * test_field.c - fields of records and columns, either way
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/error.h"
#include "snapshot/field.h"
#include "snapshot/field_internal.h"

static struct json_piece piece(const char *text)
{
	return (struct json_piece){ text, strlen(text) };
}

/* A value as SQLite's shell would show it. */
static const char *shown(const struct value *v)
{
	static char out[400];
	size_t used = 0;

	switch (v->class) {
	case VALUE_NULL:
		return "NULL";
	case VALUE_INTEGER:
		snprintf(out, sizeof out, "%lld", (long long)v->integer);
		return out;
	case VALUE_REAL:
		snprintf(out, sizeof out, "real %.17g", v->real);
		return out;
	case VALUE_TEXT:
		snprintf(out, sizeof out, "'%.*s'", (int)v->size, v->data);
		return out;
	default:
		break;
	}
	used = (size_t)snprintf(out, sizeof out, "x'");
	for (size_t i = 0; i < v->size; i++)
		used += (size_t)snprintf(out + used, sizeof out - used, "%02x",
					 (unsigned char)v->data[i]);
	snprintf(out + used, sizeof out - used, "'");
	return out;
}

static void keeps(enum field_class class, const char *json, const char *value)
{
	struct buffer text = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct value v;

	if (field_decode(class, piece(json), &text, &v, &err) < 0)
		fail_msg("%s: %s", json, err.message);
	assert_string_equal(shown(&v), value);
	buffer_release(&text);
}

static void refuses(enum field_class class, const char *json,
		    const char *message)
{
	struct buffer text = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct value v;

	if (field_decode(class, piece(json), &text, &v, &err) == 0)
		fail_msg("%s: kept as %s", json, shown(&v));
	assert_int_equal(err.code, ERROR_FAILED);
	assert_string_equal(err.message, message);
	buffer_release(&text);
}

static int encoded(enum field_class class, const struct value *v, int utc,
		   struct buffer *out, struct error *err)
{
	struct record_reader *reader;
	int rc;

	assert_int_equal(record_reader_new(&reader, err), 0);
	rc = field_encode(class, v, utc, reader, out, err);
	record_reader_free(reader);
	return rc;
}

static void gives_as(enum field_class class, const struct value *v, int utc,
		     const char *json)
{
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;

	if (encoded(class, v, utc, &out, &err) < 0)
		fail_msg("%s: %s", json, err.message);
	assert_string_equal(buffer_cstr(&out), json);
	buffer_release(&out);
}

static struct value text(const char *data)
{
	return (struct value){ .class = VALUE_TEXT,
			       .data = data,
			       .size = strlen(data) };
}

static struct value integer(int64_t n)
{
	return (struct value){ .class = VALUE_INTEGER, .integer = n };
}

static struct value real(double n)
{
	return (struct value){ .class = VALUE_REAL, .real = n };
}

static void gives(enum field_class class, struct value v, const char *json)
{
	gives_as(class, &v, 1, json);
}

static void holds_not(enum field_class class, struct value v,
		      const char *message)
{
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(encoded(class, &v, 1, &out, &err), -1);
	assert_int_equal(err.code, ERROR_FAILED);
	assert_string_equal(err.message, message);
	buffer_release(&out);
}

/* There and back. */
static void both(enum field_class class, const char *json, struct value v)
{
	char want[400];

	snprintf(want, sizeof want, "%s", shown(&v));
	keeps(class, json, want);
	gives(class, v, json);
}

/* ---- what Django declares ---- */

static void declared_types_tell_the_class(void **state)
{
	static const struct {
		const char *type;
		enum field_class class;
	} types[] = {
		{ "integer", FIELD_INTEGER },
		{ "INTEGER", FIELD_INTEGER },
		{ "integer unsigned", FIELD_INTEGER },
		{ "smallint unsigned", FIELD_INTEGER },
		{ "bigint", FIELD_BIGINT },
		{ "bigint unsigned", FIELD_BIGINT },
		{ "bool", FIELD_BOOL },
		{ "datetime", FIELD_DATETIME },
		{ "date", FIELD_DATE },
		{ "time", FIELD_TIME },
		{ "decimal", FIELD_DECIMAL },
		{ "decimal(10,2)", FIELD_DECIMAL },
		{ "real", FIELD_REAL },
		{ "char(32)", FIELD_UUID },
		{ "char(39)", FIELD_TEXT },
		{ "varchar(32)", FIELD_TEXT },
		{ "varchar", FIELD_TEXT },
		{ "text", FIELD_TEXT },
		{ "BLOB", FIELD_BLOB },
		{ "", FIELD_ANY },
		{ "timestamp", FIELD_ANY },
		{ "point", FIELD_ANY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_int_equal(field_class_of(types[i].type), types[i].class);
}

static void a_map_names_classes(void **state)
{
	enum field_class class;

	(void)state;
	assert_int_equal(field_class_named(&class, "duration"), 0);
	assert_int_equal(class, FIELD_DURATION);
	assert_int_equal(field_class_named(&class, "Duration"), -1);
}

/* ---- values ---- */

static void null_is_null_in_every_class(void **state)
{
	(void)state;
	for (int i = FIELD_ANY; i <= FIELD_TEXT; i++) {
		keeps((enum field_class)i, "null", "NULL");
		gives((enum field_class)i,
		      (struct value){ .class = VALUE_NULL }, "null");
	}
}

static void booleans_are_0_and_1(void **state)
{
	(void)state;
	both(FIELD_BOOL, "true", integer(1));
	both(FIELD_BOOL, "false", integer(0));
	keeps(FIELD_BOOL, "1", "1");
	refuses(FIELD_BOOL, "2", "'2' is no boolean");
	refuses(FIELD_BOOL, "10", "'10' is no boolean");
	refuses(FIELD_BOOL, "\"true\"", "'true' is no boolean");
	refuses(FIELD_INTEGER, "true", "'true' is no integer");
	holds_not(FIELD_BOOL, integer(2), "holds 2, which is no boolean");
	holds_not(FIELD_BOOL, integer(-1), "holds -1, which is no boolean");
}

static void integers_are_exact_up_to_64_bits(void **state)
{
	(void)state;
	both(FIELD_INTEGER, "0", integer(0));
	both(FIELD_BIGINT, "9223372036854775807", integer(INT64_MAX));
	both(FIELD_BIGINT, "-9223372036854775808", integer(INT64_MIN));
	refuses(FIELD_INTEGER, "9223372036854775808",
		"'9223372036854775808' is an integer of more than 64 bits, "
		"which SQLite does not have");
	refuses(FIELD_INTEGER, "-9223372036854775809",
		"'-9223372036854775809' is an integer of more than 64 bits, "
		"which SQLite does not have");
	refuses(FIELD_INTEGER, "1.0", "'1.0' is no integer");
	keeps(FIELD_INTEGER, "\"5\"", "5");
	keeps(FIELD_INTEGER, "\"-9223372036854775808\"",
	      "-9223372036854775808");
	refuses(FIELD_INTEGER, "\"9223372036854775808\"",
		"'9223372036854775808' is an integer of more than 64 bits, "
		"which SQLite does not have");
	refuses(FIELD_INTEGER, "\"\"", "'' is no integer");
	refuses(FIELD_INTEGER, "\"5 \"", "'5 ' is no integer");
	refuses(FIELD_INTEGER, "\"5.0\"", "'5.0' is no integer");
	refuses(FIELD_BIGINT, "\"5\"", "'5' is no integer and no duration");
	refuses(FIELD_INTEGER, "[1]", "'[1]' is no integer");
	holds_not(FIELD_INTEGER, text("5"), "holds '5', which is no integer");
	holds_not(FIELD_INTEGER, real(5), "holds a real, which is no integer");
}

static void reals_keep_their_bits(void **state)
{
	(void)state;
	both(FIELD_REAL, "5e-324", real(5e-324));
	both(FIELD_REAL, "1.7976931348623157e+308",
	     real(1.7976931348623157e308));
	both(FIELD_REAL, "0.1", real(0.1));
	keeps(FIELD_REAL, "3", "real 3");
	keeps(FIELD_REAL, "-0.0", "real -0");
	both(FIELD_REAL, "\"Infinity\"", real(1e308 * 10));
	both(FIELD_REAL, "\"-Infinity\"", real(-1e308 * 10));
	refuses(FIELD_REAL, "1e400", "'1e400' is no number");
	refuses(FIELD_REAL, "\"NaN\"", "'NaN' is no number");
	refuses(FIELD_REAL, "\"1.5\"", "'1.5' is no number");
}

static void decimals_are_what_a_numeric_column_makes_of_them(void **state)
{
	(void)state;
	keeps(FIELD_DECIMAL, "\"10.50\"", "real 10.5");
	keeps(FIELD_DECIMAL, "\"10.00\"", "10");
	keeps(FIELD_DECIMAL, "\"0.00\"", "0");
	keeps(FIELD_DECIMAL, "\"-0.01\"", "real -0.01");
	keeps(FIELD_DECIMAL, "\"1E+3\"", "1000");
	keeps(FIELD_DECIMAL, "\"100000000000000000000\"", "real 1e+20");
	keeps(FIELD_DECIMAL, "12.5", "real 12.5");
	keeps(FIELD_DECIMAL, "\"9223372036854775807.0\"",
	      "9223372036854775807");
	keeps(FIELD_DECIMAL, "\"123456789012.345\"", "real 123456789012.345");
	refuses(FIELD_DECIMAL, "\"1234567890123456789.01\"",
		"'1234567890123456789.01' has more digits than SQLite keeps "
		"of a decimal");
	refuses(FIELD_DECIMAL, "\"0.12345678901234567890\"",
		"'0.12345678901234567890' has more digits than SQLite keeps "
		"of a decimal");
	refuses(FIELD_DECIMAL, "\"1e9999\"",
		"'1e9999' has more digits than SQLite keeps of a decimal");
	refuses(FIELD_DECIMAL, "\"ten\"", "'ten' is no decimal");
	refuses(FIELD_DECIMAL, "\"\"", "'' is no decimal");
	refuses(FIELD_DECIMAL, "\"1.2.3\"", "'1.2.3' is no decimal");
	refuses(FIELD_DECIMAL, "\"1e\"", "'1e' is no decimal");
	gives(FIELD_DECIMAL, real(10.5), "\"10.5\"");
	gives(FIELD_DECIMAL, real(3), "\"3\"");
	gives(FIELD_DECIMAL, integer(10), "\"10\"");
	holds_not(FIELD_DECIMAL, text("ten"),
		  "holds 'ten', which is no decimal");
}

static void dates_and_times_are_kept_as_django_writes_them(void **state)
{
	struct value naive = text("2026-01-02 03:04:05");

	(void)state;
	both(FIELD_DATETIME, "\"2026-01-02T03:04:05.678Z\"",
	     text("2026-01-02 03:04:05.678000"));
	both(FIELD_DATETIME, "\"2026-01-02T03:04:05.678901Z\"",
	     text("2026-01-02 03:04:05.678901"));
	both(FIELD_DATETIME, "\"2026-01-02T03:04:05Z\"",
	     text("2026-01-02 03:04:05"));
	gives_as(FIELD_DATETIME, &naive, 0, "\"2026-01-02T03:04:05\"");
	keeps(FIELD_DATETIME, "\"2026-01-02T03:04:05\"",
	      "'2026-01-02 03:04:05'");
	keeps(FIELD_DATETIME, "\"2026-01-01T00:30:00+02:00\"",
	      "'2025-12-31 22:30:00'");
	keeps(FIELD_DATETIME, "\"2024-02-28T22:00:00-0330\"",
	      "'2024-02-29 01:30:00'");
	keeps(FIELD_DATETIME, "\"1969-12-31T23:59:59.5Z\"",
	      "'1969-12-31 23:59:59.500000'");
	keeps(FIELD_DATETIME, "\"2026-1-2 3:04\"", "'2026-01-02 03:04:00'");
	keeps(FIELD_DATETIME, "\"0001-01-01T00:00:00Z\"",
	      "'0001-01-01 00:00:00'");
	keeps(FIELD_DATETIME, "\"9999-12-31T23:59:59.999999Z\"",
	      "'9999-12-31 23:59:59.999999'");
	both(FIELD_DATE, "\"2024-02-29\"", text("2024-02-29"));
	both(FIELD_DATE, "\"1900-03-01\"", text("1900-03-01"));
	both(FIELD_TIME, "\"03:04:05.678\"", text("03:04:05.678000"));
	both(FIELD_TIME, "\"23:59:59\"", text("23:59:59"));
}

/* Of some centuries, against the C library. */
static void every_day_is_counted_right(void **state)
{
	(void)state;
	for (int64_t day = -150000; day < 160000; day++) {
		time_t seconds = (time_t)(day * 86400);
		struct buffer out = BUFFER_INIT;
		char want[32];
		struct tm tm;
		int64_t back;

		assert_non_null(gmtime_r(&seconds, &tm));
		strftime(want, sizeof want, "%Y-%m-%d", &tm);
		date_put(&out, day);
		assert_string_equal(buffer_cstr(&out), want);
		assert_int_equal(date_parse(&back, out.data, out.size), 0);
		assert_int_equal(back, day);
		buffer_release(&out);
	}
}

static void what_is_no_date_is_refused(void **state)
{
	static const char *const moments[] = {
		"2026-02-29T00:00:00",         "2026-13-01T00:00:00",
		"2026-01-01T24:00:00",         "2026-01-01T00:60:00",
		"2026-01-01T00:00:60",         "2026-01-01",
		"2026-01-01T00:00:00+",        "2026-01-01T00:00:00.",
		"2026-01-01T00:00:00.1234567", "0000-01-01T00:00:00",
		"0001-01-01T00:00:00+01:00",   "9999-12-31T23:59:59-01:00",
		"2026-01-01T00:00:00Zx",       "",
	};
	char json[64], message[128];

	(void)state;
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		snprintf(json, sizeof json, "\"%s\"", moments[i]);
		snprintf(message, sizeof message, "'%s' is no date and time",
			 moments[i]);
		refuses(FIELD_DATETIME, json, message);
	}
	refuses(FIELD_DATE, "\"1900-02-29\"", "'1900-02-29' is no date");
	refuses(FIELD_DATE, "\"2026-01-01T00:00:00\"",
		"'2026-01-01T00:00:00' is no date");
	refuses(FIELD_TIME, "\"25:00\"", "'25:00' is no time");
	refuses(FIELD_TIME, "5", "'5' is no time");
	holds_not(FIELD_DATETIME, integer(1767322800),
		  "holds 1767322800, which is no date and time");
	holds_not(FIELD_DATETIME, text("now"),
		  "holds 'now', which is no date and time");
}

static void a_time_of_six_digits_may_end_in_zeros(void **state)
{
	(void)state;
	keeps(FIELD_TIME, "\"00:00:00.1000000\"", "'00:00:00.100000'");
}

static void durations_are_microseconds(void **state)
{
	(void)state;
	both(FIELD_DURATION, "\"1 02:00:00\"", integer(93600000000));
	both(FIELD_DURATION, "\"-1 00:00:00.000005\"", integer(-86399999995));
	both(FIELD_DURATION, "\"00:00:00\"", integer(0));
	keeps(FIELD_BIGINT, "\"1 day, 02:00:00\"", "93600000000");
	keeps(FIELD_BIGINT, "\"-2 days 0:00:01\"", "-172799000000");
	keeps(FIELD_BIGINT, "\"-0:00:01\"", "-1000000");
	keeps(FIELD_BIGINT, "\"P1DT2H\"", "93600000000");
	keeps(FIELD_BIGINT, "\"-P0DT00H00M01.5S\"", "-1500000");
	keeps(FIELD_BIGINT, "\"PT3M\"", "180000000");
	refuses(FIELD_DURATION, "\"P\"", "'P' is no duration");
	refuses(FIELD_DURATION, "\"PT\"", "'PT' is no duration");
	refuses(FIELD_DURATION, "\"P1H\"", "'P1H' is no duration");
	refuses(FIELD_DURATION, "\"P1DT1D\"", "'P1DT1D' is no duration");
	refuses(FIELD_DURATION, "\"PT1S1M\"", "'PT1S1M' is no duration");
	refuses(FIELD_DURATION, "\"P1D2D\"", "'P1D2D' is no duration");
	refuses(FIELD_DURATION, "\"PT1.5H\"", "'PT1.5H' is no duration");
	refuses(FIELD_DURATION, "\"999999999 00:00:00\"",
		"'999999999 00:00:00' is no duration");
	refuses(FIELD_DURATION, "\"1 day\"", "'1 day' is no duration");
	refuses(FIELD_DURATION, "5", "'5' is no duration");
}

static void uuids_are_32_digits(void **state)
{
	(void)state;
	both(FIELD_UUID, "\"01234567-89ab-cdef-0123-456789abcdef\"",
	     text("0123456789abcdef0123456789abcdef"));
	keeps(FIELD_UUID, "\"0123456789ABCDEF0123456789ABCDEF\"",
	      "'0123456789abcdef0123456789abcdef'");
	refuses(FIELD_UUID, "\"0123456789abcdef0123456789abcdeg\"",
		"'0123456789abcdef0123456789abcdeg' is no UUID");
	refuses(FIELD_UUID, "\"012345678-9ab-cdef-0123-456789abcdef\"",
		"'012345678-9ab-cdef-0123-456789abcdef' is no UUID");
	refuses(FIELD_UUID, "\"\"", "'' is no UUID");
	holds_not(FIELD_UUID, text("x"), "holds 'x', which is no UUID");
}

static void json_is_spelled_as_python_does(void **state)
{
	(void)state;
	both(FIELD_JSON, "{\"a\":[1,1.0,1e+20,null,true],\"b\":{}}",
	     text("{\"a\": [1, 1.0, 1e+20, null, true], \"b\": {}}"));
	keeps(FIELD_JSON, "\"a,b:c\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\"",
	      "'\"a,b:c\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\"'");
	keeps(FIELD_JSON, "[\"\xe2\x82\xac\x7f\xf0\x9f\x98\x80\"]",
	      "'[\"\\u20ac\\u007f\\ud83d\\ude00\"]'");
	keeps(FIELD_JSON, "\"\"", "'\"\"'");
	keeps(FIELD_JSON, "[]", "'[]'");
	keeps(FIELD_JSON, "5", "'5'");
	gives(FIELD_JSON, text(" [ 1 , \"\\u20ac\" ] "),
	      "[1,\"\xe2\x82\xac\"]");
	gives(FIELD_JSON, text("null"), "null");
	holds_not(FIELD_JSON, text("[1"), "holds '[1', which is no JSON");
	holds_not(FIELD_JSON, text(""), "holds '', which is no JSON");
	holds_not(FIELD_JSON, text("1,\"model\":\"x\""),
		  "holds '1,\"model\":\"x\"', which is no JSON");
	holds_not(FIELD_JSON, text("1},\"x\":{"),
		  "holds '1},\"x\":{', which is no JSON");
	holds_not(FIELD_JSON, integer(5), "holds 5, which is no JSON");
}

static void bytes_are_base64(void **state)
{
	struct value bytes = { .class = VALUE_BLOB,
			       .data = "\0\xff",
			       .size = 2 };

	(void)state;
	both(FIELD_BLOB, "\"AP8=\"", bytes);
	keeps(FIELD_BLOB, "\"\"", "x''");
	refuses(FIELD_BLOB, "\"AP8\"", "'AP8' is no base64");
	holds_not(FIELD_BLOB, text("x"), "holds 'x', which is no blob");
}

static void text_is_text(void **state)
{
	(void)state;
	both(FIELD_TEXT, "\"q'\\\"\\\\\"", text("q'\"\\"));
	both(FIELD_TEXT, "\"\"", text(""));
	refuses(FIELD_TEXT, "5", "'5' is no text");
	refuses(FIELD_TEXT, "{\"a\":1}", "'{\"a\":1}' is no text");
	refuses(FIELD_TEXT, "false", "'false' is no text");
	holds_not(FIELD_TEXT, (struct value){ .class = VALUE_BLOB },
		  "holds a blob, which is no text");
	holds_not(FIELD_TEXT, text("\xff"), "holds '\\xff', which is no text");
}

static void without_a_type_the_value_tells(void **state)
{
	(void)state;
	both(FIELD_ANY, "5", integer(5));
	both(FIELD_ANY, "1.5", real(1.5));
	both(FIELD_ANY, "\"x\"", text("x"));
	keeps(FIELD_ANY, "true", "1");
	refuses(FIELD_ANY, "[]", "'[]' is no value");
}

static int same(enum field_class class, const char *a, const char *b)
{
	struct error err = ERROR_INIT;

	return field_same(class, piece(a), piece(b), &err);
}

static void what_the_application_sees_alike_is_the_same(void **state)
{
	(void)state;
	assert_int_equal(same(FIELD_DECIMAL, "\"10.50\"", "\"10.5\""), 1);
	assert_int_equal(same(FIELD_DECIMAL, "\"10.50\"", "\"10.51\""), 0);
	assert_int_equal(same(FIELD_DATETIME, "\"2026-01-01T01:00:00+01:00\"",
			      "\"2026-01-01T00:00:00Z\""),
			 1);
	assert_int_equal(same(FIELD_UUID,
			      "\"01234567-89AB-CDEF-0123-456789ABCDEF\"",
			      "\"0123456789abcdef0123456789abcdef\""),
			 1);
	assert_int_equal(same(FIELD_REAL, "-0.0", "0.0"), 1);
	assert_int_equal(same(FIELD_REAL, "1", "1.0"), 1);
	assert_int_equal(same(FIELD_INTEGER, "1", "null"), 0);
	assert_int_equal(same(FIELD_INTEGER, "1", "\"1\""), 1);
	assert_int_equal(same(FIELD_TEXT, "\"a\"", "\"b\""), 0);
	assert_int_equal(same(FIELD_TEXT, "\"a\"", "1"), 0);
	assert_int_equal(same(FIELD_JSON, "[1]", "[1]"), 1);
	assert_int_equal(same(FIELD_JSON, "[1]", "[1.0]"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(declared_types_tell_the_class),
		cmocka_unit_test(a_map_names_classes),
		cmocka_unit_test(null_is_null_in_every_class),
		cmocka_unit_test(booleans_are_0_and_1),
		cmocka_unit_test(integers_are_exact_up_to_64_bits),
		cmocka_unit_test(reals_keep_their_bits),
		cmocka_unit_test(
			decimals_are_what_a_numeric_column_makes_of_them),
		cmocka_unit_test(
			dates_and_times_are_kept_as_django_writes_them),
		cmocka_unit_test(every_day_is_counted_right),
		cmocka_unit_test(what_is_no_date_is_refused),
		cmocka_unit_test(a_time_of_six_digits_may_end_in_zeros),
		cmocka_unit_test(durations_are_microseconds),
		cmocka_unit_test(uuids_are_32_digits),
		cmocka_unit_test(json_is_spelled_as_python_does),
		cmocka_unit_test(bytes_are_base64),
		cmocka_unit_test(text_is_text),
		cmocka_unit_test(without_a_type_the_value_tells),
		cmocka_unit_test(what_the_application_sees_alike_is_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
