/*
 * test_record.c - one record of others, one line of ours
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/error.h"
#include "snapshot/record.h"

/* Read `text` from memory of its own size, for ASan. */
static int read_exact(struct record_reader *r, const char *text, size_t size,
		      struct record *out, struct error *err)
{
	char *copy = malloc(size + 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, text, size);
	error_clear(err);
	rc = record_from_json(r, copy, size, out, err);
	free(copy);
	return rc;
}

static struct record_reader *reader(void)
{
	struct record_reader *r;

	assert_int_equal(record_reader_new(&r, NULL), 0);
	return r;
}

static void gives(const char *text, const char *line)
{
	struct record_reader *r = reader();
	struct error err = ERROR_INIT;
	struct record out;
	char *again;

	if (read_exact(r, text, strlen(text), &out, &err) < 0)
		fail_msg("'%s': %s", text, err.message);
	assert_int_equal(out.line.size, strlen(line));
	assert_memory_equal(out.line.data, line, out.line.size);
	/* a line of ours gives itself */
	again = strndup(out.line.data, out.line.size);
	assert_int_equal(record_from_line(r, again, strlen(again), &out, &err),
			 0);
	free(again);
	record_reader_free(r);
}

static void refused(const char *text, const char *message)
{
	struct record_reader *r = reader();
	struct error err = ERROR_INIT;
	struct record out;

	if (read_exact(r, text, strlen(text), &out, &err) == 0)
		fail_msg("'%s' was accepted", text);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, ERROR_DAMAGE);
	record_reader_free(r);
}

/* A record with the field f. */
static void value_refused(const char *value, const char *problem)
{
	char text[512], message[512];

	snprintf(text, sizeof(text), "{\"pk\":1,\"fields\":{\"f\":%s}}", value);
	snprintf(message, sizeof(message), "field 'f' %s", problem);
	refused(text, message);
}

static void value_gives(const char *value, const char *written)
{
	char text[512], line[512];

	snprintf(text, sizeof(text), "{\"fields\":{\"f\": %s }}", value);
	snprintf(line, sizeof(line), "{\"fields\":{\"f\":%s}}", written);
	gives(text, line);
}

static void members_in_any_order_give_one_line(void **state)
{
	static const char line[] = "{\"pk\":1,\"fields\":{\"a\":1,\"b\":2}}";

	(void)state;
	gives("{\"model\":\"m\",\"pk\":1,\"fields\":{\"a\":1,\"b\":2}}", line);
	gives("{\"fields\":{\"b\":2,\"a\":1},\"pk\":1,\"model\":\"m\"}", line);
	gives(" {\t\"pk\" : 1 ,\r\n\"fields\" : { \"b\" : 2 , \"a\" : 1 } } ",
	      line);
	gives("{\"\\u0070k\":1,\"fields\":{\"\\u0062\":2,\"a\":1}}", line);
	gives("{\"pk\":1,\"fields\":{}}", "{\"pk\":1,\"fields\":{}}");
	gives("{\"fields\":{\"ab\":1,\"a\":2,\"b\":3,\"a!\":4,\"B\":5}}",
	      "{\"fields\":{\"B\":5,\"a\":2,\"a!\":4,\"ab\":1,\"b\":3}}");
}

static void order_inside_of_a_value_is_data(void **state)
{
	(void)state;
	value_gives("{\"z\": 1, \"a\": [2, {\"y\": 3, \"b\": 4}], \"\": {}}",
		    "{\"z\":1,\"a\":[2,{\"y\":3,\"b\":4}],\"\":{}}");
	value_gives("[ [ ] , { } , [ 1 ] ]", "[[],{},[1]]");
}

static void numbers_keep_their_digits(void **state)
{
	static const char *const numbers[] = {
		"0",       "-0",      "1.0",
		"1.50",    "1e5",     "1E+05",
		"-2.5e-7", "1e999",   "9007199254740993",
		"0.1000",  "-0.0e-0", "1000000000000000000000000000000"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		value_gives(numbers[i], numbers[i]);
	gives("{\"pk\":1000000000000000000000000000000,\"fields\":{}}",
	      "{\"pk\":1000000000000000000000000000000,\"fields\":{}}");
}

static void strings_are_written_in_one_way(void **state)
{
	(void)state;
	value_gives("\"\\u00e9\\/\\ud83d\\ude00\"", "\"é/😀\"");
	value_gives("\"\\u0000\\u001f\\u007f\\u2028\"",
		    "\"\\u0000\\u001f\\u007f\\u2028\"");
	value_gives("\"\\n\\u000A\\\"\\\\\"", "\"\\n\\n\\\"\\\\\"");
	value_gives("\"\x7f\"", "\"\\u007f\"");
	value_gives("[true,false,null]", "[true,false,null]");
}

static void a_pk_of_null_is_none(void **state)
{
	struct record_reader *r = reader();
	struct error err = ERROR_INIT;
	struct buffer shown = BUFFER_INIT;
	struct record out;

	(void)state;
	gives("{\"model\":\"m\",\"pk\":null,\"fields\":{\"a\":1}}",
	      "{\"fields\":{\"a\":1}}");
	gives("{\"model\":\"m\",\"fields\":{\"a\":1}}",
	      "{\"fields\":{\"a\":1}}");
	gives("{\"pk\":[1, \"x\"],\"fields\":{}}",
	      "{\"pk\":[1,\"x\"],\"fields\":{}}");
	assert_int_equal(read_exact(r, "{\"fields\":{}}", 13, &out, &err), 0);
	assert_null(out.pk.data);
	assert_null(out.model.data);
	record_show_pk(&shown, &out);
	assert_string_equal(buffer_cstr(&shown), "no pk");
	buffer_release(&shown);
	record_reader_free(r);
}

static void the_parts_of_a_record_are_told(void **state)
{
	static const char text[] = "{\"fields\":{\"b\":[1],\"a\":\"x\"},"
				   "\"model\":\"caf\\u00e9.m\",\"pk\":\"k\"}";
	struct buffer shown = BUFFER_INIT;
	struct record_reader *r = reader();
	struct error err = ERROR_INIT;
	struct json_piece name, value;
	struct json_walk w;
	struct record out;

	(void)state;
	assert_int_equal(read_exact(r, text, strlen(text), &out, &err), 0);
	assert_int_equal(out.model.size, 7);
	assert_memory_equal(out.model.data, "café.m", 7);
	assert_true(json_piece_is(out.pk, "k"));
	record_show_pk(&shown, &out);
	assert_string_equal(buffer_cstr(&shown), "pk \"k\"");
	json_walk_begin(&w, out.fields);
	assert_int_equal(json_walk_next(&w, &name, &value), 1);
	assert_true(json_piece_is(name, "a"));
	assert_true(json_piece_is(value, "x"));
	assert_int_equal(json_walk_next(&w, &name, &value), 1);
	assert_true(json_piece_is(name, "b"));
	assert_int_equal(value.size, 3);
	json_walk_begin(&w, value);
	assert_int_equal(json_walk_next(&w, &name, &value), 1);
	assert_null(name.data);
	assert_int_equal(value.size, 1);
	assert_int_equal(json_walk_next(&w, &name, &value), 0);
	buffer_release(&shown);
	record_reader_free(r);
}

static void walking_finds_every_part(void **state)
{
	static const char text[] = "{\"\":{},\"a,\\\"b\":[{\"x\":[\"]\",1]},"
				   "\"}\"],\"c\":-1.5e3,\"d\":\"\\\\\","
				   "\"e\":null}";
	static const char *const names[] = { "\"\"", "\"a,\\\"b\"", "\"c\"",
					     "\"d\"", "\"e\"" };
	static const char *const values[] = { "{}", "[{\"x\":[\"]\",1]},\"}\"]",
					      "-1.5e3", "\"\\\\\"", "null" };
	struct buffer decoded = BUFFER_INIT;
	struct json_piece name, value;
	struct json_walk w;

	(void)state;
	json_walk_begin(&w, (struct json_piece){ text, strlen(text) });
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(json_walk_next(&w, &name, &value), 1);
		assert_int_equal(name.size, strlen(names[i]));
		assert_memory_equal(name.data, names[i], name.size);
		assert_int_equal(value.size, strlen(values[i]));
		assert_memory_equal(value.data, values[i], value.size);
	}
	assert_int_equal(json_walk_next(&w, NULL, &value), 0);
	json_piece_text(&decoded, (struct json_piece){ "\"\\u0000a\\n\"", 11 });
	assert_int_equal(decoded.size, 3);
	assert_memory_equal(decoded.data, "\0a\n", 3);
	buffer_release(&decoded);
}

/* ---- the order of keys ---- */

static void add_key(struct buffer *out, const char *pk)
{
	struct record_reader *r = reader();
	struct error err = ERROR_INIT;
	struct record record;
	char text[256];

	snprintf(text, sizeof(text), "{\"pk\":%s,\"fields\":{}}", pk);
	assert_int_equal(read_exact(r, text, strlen(text), &record, &err), 0);
	buffer_clear(out);
	buffer_add(out, record.key.data, record.key.size);
	record_reader_free(r);
}

static void keys_are_in_the_order_of_the_snapshot(void **state)
{
	static const char *const order[] = { "-100000000000000000000",
					     "-99999999999999999999",
					     "-256",
					     "-255",
					     "-10",
					     "-9",
					     "-1",
					     "0",
					     "1",
					     "9",
					     "10",
					     "255",
					     "256",
					     "18446744073709551616",
					     "99999999999999999999",
					     "100000000000000000000",
					     "\"\"",
					     "\"10\"",
					     "\"9\"",
					     "\"a!\"",
					     "\"a\"",
					     "\"b\"",
					     "-0",
					     "-1.5",
					     "1.5",
					     "1.50",
					     "1e3",
					     "[1]",
					     "false",
					     "true",
					     "null" };
	struct buffer a = BUFFER_INIT, b = BUFFER_INIT;
	size_t count = sizeof(order) / sizeof(*order), i, j;

	(void)state;
	for (i = 0; i < count; i++) {
		for (j = i + 1; j < count; j++) {
			size_t shorter;
			int cmp;

			add_key(&a, order[i]);
			add_key(&b, order[j]);
			shorter = a.size < b.size ? a.size : b.size;
			cmp = memcmp(a.data, b.data, shorter);
			if (cmp > 0 || (!cmp && a.size >= b.size))
				fail_msg("%s is not before %s", order[i],
					 order[j]);
		}
	}
	buffer_release(&a);
	buffer_release(&b);
}

/* ---- what is refused ---- */

static void what_is_no_record(void **state)
{
	(void)state;
	refused("", "it is no object");
	refused("[]", "it is no object");
	refused("1", "it is no object");
	refused("{}", "it is empty");
	refused("{\"pk\":1}", "it has no 'fields'");
	refused("{\"pk\":1,\"fields\":[]}",
		"it has 'fields' that are no object");
	refused("{\"pk\":1,\"fields\":null}",
		"it has 'fields' that are no object");
	refused("{\"model\":1,\"fields\":{}}",
		"it has a 'model' that is no string");
	refused("{\"pk\":1,\"fields\":{},\"extra\":2}",
		"it has the member 'extra' and should have none but 'model', "
		"'pk' and 'fields'");
	refused("{\"pk\":1,\"fields\":{}} {}",
		"it has something behind its end");
	refused("{\"pk\":1,}", "it has something else where a name must stand");
	refused("{\"pk\":1 \"fields\":{}}",
		"it has something else where ',' or '}' must stand");
	refused("{\"pk\" 1}", "it has the member 'pk' without a ':' behind it");
	refused("{\"pk\":,\"fields\":{}}",
		"its pk has something else where a value must stand");
	refused("{\"pk\":01,\"fields\":{}}",
		"its pk has a number that is none in JSON");
}

static void names_that_are_there_twice(void **state)
{
	(void)state;
	refused("{\"pk\":1,\"pk\":1,\"fields\":{}}",
		"it has the member 'pk' twice");
	refused("{\"fields\":{},\"pk\":1,\"f\\u0069elds\":{}}",
		"it has the member 'fields' twice");
	refused("{\"pk\":1,\"fields\":{\"b\":1,\"a\":2,\"b\":3}}",
		"it has the member 'b' twice");
	refused("{\"pk\":1,\"fields\":{\"a\":1,\"\\u0061\":2}}",
		"it has the member 'a' twice");
	value_refused("{\"x\":[{\"y\":1,\"y\":1}]}",
		      "has the member 'y' twice");
	value_refused(
		"{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,"
		"\"h\":1,\"i\":1,\"d\":1}",
		"has the member 'd' twice");
	/* not in one object: */
	value_gives("{\"x\":{\"x\":{\"x\":1}},\"f\":2}",
		    "{\"x\":{\"x\":{\"x\":1}},\"f\":2}");
}

static void strings_that_are_none(void **state)
{
	(void)state;
	value_refused("\"\\ud83d\"", "has half of a surrogate pair");
	value_refused("\"\\ude00\"", "has half of a surrogate pair");
	value_refused("\"\\ud83d\\u0041\"", "has half of a surrogate pair");
	value_refused("\"\xff\"", "has a string that is not UTF-8");
	value_refused("\"\xed\xa0\x80\"", "has a string that is not UTF-8");
	value_refused("\"\xff\\n\"", "has a string that is not UTF-8");
	value_refused("\"\\x\"", "has an escape that is none");
	value_refused("\"\\u12g4\"", "has an escape that is none");
	value_refused("\"a\nb\"", "has a control character in a string");
	refused("{\"model\":\"\\ud800\",\"fields\":{}}",
		"it has half of a surrogate pair");
	refused("{\"fields\":{\"\\ud800\":1}}",
		"it has half of a surrogate pair");
	refused("{\"pk\":\"\xc0\x80\",\"fields\":{}}",
		"its pk has a string that is not UTF-8");
}

static void values_that_are_none(void **state)
{
	static const char *const numbers[] = { "1.",  ".5",   "01",  "-",
					       "1e",  "1e+",  "+1",  "0x1",
					       "-01", "1.e1", "-.5", "--1" };

	(void)state;
	value_refused("NaN", "has a number that JSON does not have (NaN or "
			     "Infinity)");
	value_refused("[-Infinity]",
		      "has a number that JSON does not have (NaN "
		      "or Infinity)");
	value_refused("True", "has something else where a value must stand");
	value_refused("'x'", "has something else where a value must stand");
	value_refused("[1,]", "has something else where a value must stand");
	value_refused("{\"a\":1,}",
		      "has something else where a name must stand");
	value_refused("{a:1}", "has something else where a name must stand");
	value_refused("[1}", "has something else where ',' or ']' must stand");
	value_refused("{\"a\":1]",
		      "has something else where ',' or '}' must stand");
	value_refused("{\"a\"}", "has the member 'a' without a ':' behind it");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		struct record_reader *r = reader();
		struct error err = ERROR_INIT;
		struct record out;
		char text[64];

		snprintf(text, sizeof(text), "{\"fields\":{\"f\":%s}}",
			 numbers[i]);
		if (read_exact(r, text, strlen(text), &out, &err) == 0)
			fail_msg("%s was accepted", numbers[i]);
		record_reader_free(r);
	}
}

/* `open` as often as `depth` says, and `close` behind it. */
static int nested(size_t depth, const char *open, const char *close,
		  struct error *err)
{
	struct record_reader *r = reader();
	struct buffer text = BUFFER_INIT;
	struct record out;
	int rc;

	buffer_str(&text, "{\"fields\":{\"f\":");
	for (size_t i = 0; i < depth; i++)
		buffer_str(&text, open);
	buffer_str(&text, "1");
	for (size_t i = 0; i < depth; i++)
		buffer_str(&text, close);
	buffer_str(&text, "}}");
	rc = read_exact(r, text.data, text.size, &out, err);
	buffer_release(&text);
	record_reader_free(r);
	return rc;
}

static void nesting_has_an_end(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(nested(RECORD_DEPTH_MAX - 2, "[", "]", &err), 0);
	assert_int_equal(nested(RECORD_DEPTH_MAX - 2, "{\"a\":", "}", &err), 0);
	assert_int_equal(nested(RECORD_DEPTH_MAX - 1, "[", "]", &err), -1);
	assert_string_equal(err.message, "field 'f' is nested too deeply");
	assert_int_equal(nested(100000, "{\"a\":[", "]}", &err), -1);
	assert_string_equal(err.message, "field 'f' is nested too deeply");
}

static int of_size(struct record_reader *r, size_t size, struct error *err)
{
	static const char head[] = "{\"fields\":{\"f\":\"", tail[] = "\"}}";
	char *text = malloc(size);
	struct record out;
	int rc;

	assert_non_null(text);
	memset(text, 'x', size);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + size - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	error_clear(err);
	rc = record_from_json(r, text, size, &out, err);
	free(text);
	return rc;
}

static void a_line_has_a_greatest_size(void **state)
{
	struct record_reader *r = reader();
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(of_size(r, RECORD_LINE_MAX - 1, &err), 0);
	assert_int_equal(of_size(r, RECORD_LINE_MAX, &err), -1);
	assert_string_equal(err.message, "it takes more bytes as JSON than a "
					 "snapshot's line may have");
	record_reader_free(r);
}

static void records_that_are_cut_short(void **state)
{
	static const char text[] =
		"{\"model\":\"a.b\",\"pk\":-1.5e+3,\"fields\":{\"x\":[1,{\"y\":"
		"\"\\u00e9\\n\xc3\xa9\"}],\"z\":null,\"t\":true}}";
	struct record_reader *r = reader();
	struct error err = ERROR_INIT;
	struct record out;
	size_t size;

	(void)state;
	for (size = 0; size < sizeof(text) - 1; size++)
		if (read_exact(r, text, size, &out, &err) == 0)
			fail_msg("%zu bytes were accepted", size);
	assert_int_equal(read_exact(r, text, size, &out, &err), 0);
	record_reader_free(r);
}

static void a_line_of_ours_has_one_form(void **state)
{
	static const char *const lines[] = {
		"{\"pk\": 1,\"fields\":{}}",
		"{\"fields\":{},\"pk\":1}",
		"{\"pk\":null,\"fields\":{}}",
		"{\"model\":\"a\",\"pk\":1,\"fields\":{}}",
		"{\"pk\":1,\"fields\":{\"b\":1,\"a\":1}}",
		"{\"pk\":1,\"fields\":{\"a\":\"\\/\"}}",
		"{\"pk\":1,\"fields\":{}} ",
	};
	struct record_reader *r = reader();
	struct record out;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct error err = ERROR_INIT;

		if (record_from_line(r, lines[i], strlen(lines[i]), &out,
				     &err) == 0)
			fail_msg("'%s' was accepted", lines[i]);
		assert_string_equal(err.message,
				    "it is not written in the one way that a "
				    "record is");
	}
	record_reader_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_in_any_order_give_one_line),
		cmocka_unit_test(order_inside_of_a_value_is_data),
		cmocka_unit_test(numbers_keep_their_digits),
		cmocka_unit_test(strings_are_written_in_one_way),
		cmocka_unit_test(a_pk_of_null_is_none),
		cmocka_unit_test(the_parts_of_a_record_are_told),
		cmocka_unit_test(walking_finds_every_part),
		cmocka_unit_test(keys_are_in_the_order_of_the_snapshot),
		cmocka_unit_test(what_is_no_record),
		cmocka_unit_test(names_that_are_there_twice),
		cmocka_unit_test(strings_that_are_none),
		cmocka_unit_test(values_that_are_none),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(a_line_has_a_greatest_size),
		cmocka_unit_test(records_that_are_cut_short),
		cmocka_unit_test(a_line_of_ours_has_one_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
