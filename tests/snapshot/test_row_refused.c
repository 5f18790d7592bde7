/*
 * test_row_refused.c - lines that are no rows
 */
#include "tests/snapshot/row_fixture.h"

static void refused_by(struct fixture *f, const char *line, size_t size,
		       const char *message)
{
	struct value values[COLUMNS_MAX];
	char *copy = malloc(size + 1); /* of its own size, for ASan */
	int64_t rowid;
	int rc;

	assert_non_null(copy);
	memcpy(copy, line, size);
	error_clear(&f->err);
	rc = row_decode(f->shape, copy, size, &rowid, values, &f->files,
			&f->err);
	free(copy);
	if (rc >= 0)
		fail_msg("'%s' was accepted", line);
	assert_string_equal(f->err.message, message);
	assert_int_equal(f->err.code, ERROR_DAMAGE);
}

/* A row {"rowid":1,...} with columns a, b, c. */
static void refused(const char *line, const char *message)
{
	struct fixture f;

	fixture_init(&f);
	fixture_open(&f);
	refused_by(&f, line, strlen(line), message);
	fixture_release(&f);
}

static void value_refused(const char *value, const char *problem)
{
	char line[512], message[512];

	snprintf(line, sizeof(line), "{\"rowid\":1,\"b\":%s}", value);
	snprintf(message, sizeof(message), "key 'b' %s", problem);
	refused(line, message);
}

static void what_is_no_object(void **state)
{
	(void)state;
	refused("", "the row is no object");
	refused("  ", "the row is no object");
	refused("[1,2,3,4]", "the row is no object");
	refused("1", "the row is no object");
	refused("null", "the row is no object");
	refused("\xef\xbb\xbf{\"rowid\":1}", "the row is no object");
	refused("{\"rowid\":1}x", "the row has something behind its end");
	refused("{\"rowid\":1}{}", "the row has something behind its end");
	refused("{\"rowid\":1,\"a\":2} ,",
		"the row has something behind its end");
}

static void rows_that_are_cut_short(void **state)
{
	static const char line[] = "{\"rowid\":1,\"a\":\"x\\n\",\"b\":{"
				   "\"$blob\":\"AAEC\"},\"c\":-2.5e+3}";
	struct value values[COLUMNS_MAX];
	struct fixture f;
	int64_t rowid;
	size_t size;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	for (size = 0; size < sizeof(line) - 1; size++) {
		char *copy = malloc(size + 1);

		assert_non_null(copy);
		memcpy(copy, line, size);
		error_clear(&f.err);
		if (!row_decode(f.shape, copy, size, &rowid, values, NULL,
				&f.err))
			fail_msg("%zu bytes were accepted", size);
		free(copy);
	}
	error_clear(&f.err);
	assert_int_equal(
		row_decode(f.shape, line, size, &rowid, values, NULL, &f.err),
		0);
	fixture_release(&f);
	refused("{", "the row has something else where a key must stand");
	refused("{\"rowid\":1",
		"the row has something else where ',' or '}' must stand");
	refused("{\"rowid\":1,",
		"the row has something else where a key must stand");
	refused("{\"rowid\":1,\"a\":", "key 'a' has no value");
	refused("{\"rowid\":1,\"a\":2",
		"the row has something else where ',' or '}' must stand");
	refused("{\"rowid\":1,\"a\":\"x",
		"key 'a' has a string without an end");
}

static void punctuation_that_is_missing_or_too_much(void **state)
{
	(void)state;
	refused("{,}", "the row has something else where a key must stand");
	refused("{\"rowid\":1,}",
		"the row has something else where a key must stand");
	refused("{\"rowid\":1,,\"a\":2}",
		"the row has something else where a key must stand");
	refused("{\"rowid\":1 \"a\":2}",
		"the row has something else where ',' or '}' must stand");
	refused("{\"rowid\":1,\"a\":2 3}",
		"the row has something else where ',' or '}' must stand");
	refused("{\"rowid\" 1}", "key 'rowid' has no ':' behind it");
	refused("{\"rowid\":1,\"a\" 1}", "key 'a' has no ':' behind it");
	refused("{\"rowid\":1,\"a\"::1}",
		"key 'a' has a value of a kind that no row holds");
	refused("{\"rowid\":1,a:1}",
		"the row has something else where a key must stand");
	refused("{\"rowid\":1,'a':1}",
		"the row has something else where a key must stand");
}

static void keys_that_are_no_column_or_not_in_their_place(void **state)
{
	(void)state;
	refused("{\"rowid\":1,\"d\":2}", "key 'd' is no column of this table");
	refused("{\"rowid\":1,\"A\":2}", "key 'A' is no column of this table");
	refused("{\"rowid\":1,\"a\\u0000\":2}",
		"key 'a\\x00' is no column of this table");
	refused("{\"rowid\":1,\"\":2}", "key '' is no column of this table");
	refused("{\"rowid\":1,\"b\":2,\"a\":2}",
		"key 'a' stands twice or in the wrong place");
	refused("{\"rowid\":1,\"b\":2,\"b\":2}",
		"key 'b' stands twice or in the wrong place");
	refused("{\"rowid\":1,\"c\":2,\"c\":2}",
		"key 'c' stands twice or in the wrong place");
	refused("{\"rowid\":1,\"a\":2,\"rowid\":1}",
		"key 'rowid' stands twice or in the wrong place");
	refused("{\"rowid\":1,\"\\u001b[2J\":2}",
		"key '\\x1b[2J' is no column of this table");
	refused("{\"rowid\":1,\"\\ud800\":2}",
		"the row has half of a surrogate pair");
}

static void rowids_that_are_none(void **state)
{
	(void)state;
	refused("{}", "key 'rowid' is missing");
	refused("{\"a\":1}", "key 'rowid' is not the first in the row");
	refused("{\"a\":1,\"rowid\":1}",
		"key 'rowid' is not the first in the row");
	refused("{\"rowid\":null}", "key 'rowid' is no integer");
	refused("{\"rowid\":1.0}", "key 'rowid' is no integer");
	refused("{\"rowid\":\"1\"}", "key 'rowid' is no integer");
	refused("{\"rowid\":{\"$blob\":\"\"}}", "key 'rowid' is no integer");
}

static void column_that_is_the_rowid_holds_an_integer(void **state)
{
	const char *message = "key 'b' is the rowid, and no integer";
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.table.rowid_column = 1;
	fixture_open(&f);
	refused_by(&f, "{}", 2, message);
	refused_by(&f, "{\"b\":\"1\"}", 9, message);
	refused_by(&f, "{\"b\":1.5}", 9, message);
	refused_by(&f, "{\"rowid\":1,\"b\":1}", 17,
		   "key 'rowid' is no column of this table");
	row_shape_free(f.shape);
	f.table.form_array = 1;
	fixture_open(&f);
	refused_by(&f, "[1,null,2]", 10,
		   "value 2 is the rowid, and no integer");
	fixture_release(&f);
}

static void generated_column_has_no_key(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.columns[1].generated = 1;
	fixture_open(&f);
	refused_by(&f, "{\"rowid\":1,\"b\":1}", 17,
		   "key 'b' is no column of this table");
	fixture_release(&f);
}

static void values_of_no_kind(void **state)
{
	const char *problem = "has a value of a kind that no row holds";

	(void)state;
	value_refused("true", problem);
	value_refused("false", problem);
	value_refused("[]", problem);
	value_refused("nul", problem);
	value_refused("NaN", problem);
	value_refused("Infinity", problem);
	value_refused("+1", problem);
	value_refused(".5", problem);
	value_refused("", problem);
	value_refused("null", "is null, and must be left out");
	refused("{\"rowid\":1,\"b\":nullx}", "key 'b' is null, and must be "
					     "left out");
}

static void integers_that_are_not_canonical(void **state)
{
	const char *none = "is no integer that can be read";
	const char *big = "is an integer of 2^53 or more, which must be "
			  "written as '$int'";

	(void)state;
	value_refused("-0", none);
	value_refused("00", none);
	value_refused("01", none);
	value_refused("-01", none);
	value_refused("-", none);
	value_refused("--1", none);
	value_refused("1-1", none);
	value_refused("1+", none);
	value_refused("9223372036854775808", none);
	value_refused("-9223372036854775809", none);
	value_refused("18446744073709551617", none); /* 2^64 + 1 */
	value_refused("-18446744073709551617", none);
	value_refused("184467440737095516170", none);
	value_refused("99999999999999999999999999", none);
	value_refused("9007199254740992", big);
	value_refused("-9007199254740992", big);
	value_refused("9223372036854775807", big);
	value_refused("-9223372036854775808", big);
	refused("{\"rowid\":9007199254740992}",
		"key 'rowid' is an integer of 2^53 or more, which must be "
		"written as '$int'");
}

static void reals_that_are_none(void **state)
{
	const char *problem = "is no number that can be read";

	(void)state;
	value_refused("1.", problem);
	value_refused("1e", problem);
	value_refused("1.5.5", problem);
	value_refused("01.5", problem);
	value_refused("-.5", problem);
	value_refused("1e999", problem);
	value_refused("1.5-", problem);
	value_refused("{\"$real\":\"nan\"}",
		      "has a '$real' that is neither 'inf' nor '-inf'");
	value_refused("{\"$real\":\"+inf\"}",
		      "has a '$real' that is neither 'inf' nor '-inf'");
	value_refused("{\"$real\":1.5}", "has no string where one must stand");
}

static void strings_that_are_none(void **state)
{
	const char *escape = "has an escape that is none";
	const char *half = "has half of a surrogate pair";
	const char *utf8 = "has a string that is not UTF-8";

	(void)state;
	value_refused("\"\\x41\"", escape);
	value_refused("\"\\'\"", escape);
	value_refused("\"\\u12\"", escape);
	value_refused("\"\\u12g4\"", escape);
	value_refused("\"\\U0041\"", escape);
	value_refused("\"\\ud800\"", half);
	value_refused("\"\\udc00\"", half);
	value_refused("\"\\ud800x\"", half);
	value_refused("\"\\ud800\\n\"", half);
	value_refused("\"\\ud800\\ud800\"", half);
	value_refused("\"\\udc00\\ud800\"", half);
	value_refused("\"\\ud83d\\u0041\"", half);
	value_refused("\"a\tb\"", "has a control character in a string");
	value_refused("\"a\\n\tb\"", "has a control character in a string");
	value_refused("\"\xff\"", utf8);
	value_refused("\"\\n\xff\"", utf8);
	value_refused("\"\xed\xa0\x80\"", utf8);
	value_refused("\"\xe2\\u0082\"", utf8);
	value_refused("\"\xc3\"", utf8);
	refused("{\"rowid\":1,\"\xff\":1}",
		"the row has a string that is not UTF-8");
	refused("{\"rowid\":1,\"b\":\"\\", "key 'b' has a string without an "
					   "end");
}

static void escaped_nul_is_no_escape_character(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	refused_by(&f, "{\"rowid\":1,\"b\":\"\\\0\"}", 19,
		   "key 'b' has an escape that is none");
	fixture_release(&f);
}

static void tags_that_nobody_knows(void **state)
{
	(void)state;
	value_refused("{\"$date\":\"2026\"}",
		      "has the unknown tag '$date'; a newer dbstow may know "
		      "it");
	value_refused("{\"\":1}", "has the unknown tag ''; a newer dbstow may "
				  "know it");
	value_refused("{\"$BLOB\":\"\"}",
		      "has the unknown tag '$BLOB'; a newer dbstow may know "
		      "it");
	value_refused("{}", "has an object without a tag");
	value_refused("{1:2}", "has an object without a tag");
	value_refused("{\"$blob\"}", "has a tag without a value");
	value_refused("{\"$blob\":\"\",\"$int\":\"1\"}", "has more than one "
							 "tag");
	value_refused("{\"$blob\":\"\",}", "has more than one tag");
}

static void big_integers_that_are_not_canonical(void **state)
{
	const char *none = "has an '$int' that is no 64-bit integer";
	const char *small = "has an '$int' below 2^53, which must be a plain "
			    "number";

	(void)state;
	value_refused("{\"$int\":\"\"}", none);
	value_refused("{\"$int\":\"-\"}", none);
	value_refused("{\"$int\":\"9223372036854775808\"}", none);
	value_refused("{\"$int\":\"-9223372036854775809\"}", none);
	value_refused("{\"$int\":\"99999999999999999999\"}", none);
	value_refused("{\"$int\":\"09223372036854775807\"}", none);
	value_refused("{\"$int\":\"+9223372036854775807\"}", none);
	value_refused("{\"$int\":\" 9223372036854775807\"}", none);
	value_refused("{\"$int\":\"9223372036854775807 \"}", none);
	value_refused("{\"$int\":\"0x7fffffffffffffff\"}", none);
	value_refused("{\"$int\":\"-0\"}", none);
	value_refused("{\"$int\":\"0\"}", small);
	value_refused("{\"$int\":\"9007199254740991\"}", small);
	value_refused("{\"$int\":\"-9007199254740991\"}", small);
	value_refused("{\"$int\":9223372036854775807}",
		      "has no string where one must stand");
}

static void bytes_that_are_not_canonical(void **state)
{
	const char *problem = "has bytes that are not canonical base64";

	(void)state;
	value_refused("{\"$blob\":\"A\"}", problem);
	value_refused("{\"$blob\":\"AA\"}", problem);
	value_refused("{\"$blob\":\"AB==\"}", problem);
	value_refused("{\"$blob\":\"AA=A\"}", problem);
	value_refused("{\"$blob\":\"AA-_\"}", problem);
	value_refused("{\"$blob\":\"AAAA\\n\"}", problem);
	value_refused("{\"$text16\":\"!\"}", problem);
	value_refused("{\"$text\":\"!\"}", problem);
	value_refused("{\"$blob\":null}", "has no string where one must stand");
	value_refused("{\"$text\":\"YQ==\"}",
		      "has a '$text' that is UTF-8, which must be a plain "
		      "string");
	value_refused("{\"$text\":\"\"}",
		      "has a '$text' that is UTF-8, which must be a plain "
		      "string");
}

/* ---- part files ---- */

#define REST                                                                   \
	"aa0000000000000000000000000000"                                       \
	"0000000000000000000000000000000f"
#define SHA  "00" REST
#define PATH "values/00/" REST

static void file_refused(const char *inner, const char *problem)
{
	char value[1024], line[1100], message[200];
	struct fixture f;

	snprintf(value, sizeof(value), "{\"$file\":%s}", inner);
	snprintf(line, sizeof(line), "{\"rowid\":1,\"b\":%s}", value);
	snprintf(message, sizeof(message), "key 'b' %s", problem);
	fixture_init(&f);
	fixture_open(&f);
	refused_by(&f, line, strlen(line), message);
	fixture_release(&f);
}

static void part_files_that_are_told_wrongly(void **state)
{
	const char *keys = "has a '$file' that does not read class, bytes, "
			   "sha256, parts";
	const char *sha = "has a '$file' whose sha256 is not 64 lower-case "
			  "hex digits";
	const char *size = "has a '$file' of a size that cannot be";

	(void)state;
	file_refused("1", keys);
	file_refused("{}", keys);
	file_refused("{\"bytes\":1}", keys);
	file_refused("{\"class\":\"blob\"}", keys);
	file_refused("{\"class\":\"blob\",\"sha256\":\"\"}", keys);
	file_refused("{\"class\":\"integer\",\"bytes\":1}",
		     "has a '$file' of an unknown class");
	file_refused("{\"class\":\"blob\",\"bytes\":0}", size);
	file_refused("{\"class\":\"blob\",\"bytes\":-1}", size);
	file_refused("{\"class\":\"blob\",\"bytes\":\"1\"}", size);
	file_refused("{\"class\":\"blob\",\"bytes\":2147483648}", size);
	file_refused("{\"class\":\"blob\",\"bytes\":99999999999999999999}",
		     size);
	file_refused("{\"class\":\"blob\",\"bytes\":1.5,\"sha256\":\"\"}",
		     keys);
	file_refused("{\"class\":\"blob\",\"bytes\":1,\"sha256\":\"00\"}", sha);
	file_refused("{\"class\":\"blob\",\"bytes\":1,\"sha256\":\"" SHA "0\"}",
		     sha);
	file_refused("{\"class\":\"blob\",\"bytes\":1,\"sha256\":\"G" SHA "\"}",
		     sha);
}

static void part_files_that_lie_elsewhere(void **state)
{
	const char *few = "has a '$file' with too few parts";
	const char *where = "has a '$file' with a part that is not where its "
			    "sha256 puts it";
	const char *much = "has a '$file' with too much in it";

	(void)state;
#define ONE "{\"class\":\"blob\",\"bytes\":1,\"sha256\":\"" SHA "\","
#define TWO "{\"class\":\"blob\",\"bytes\":33554433,\"sha256\":\"" SHA "\","
	file_refused(ONE "\"parts\":[]}", few);
	file_refused(ONE "\"parts\":\"" PATH "-0\"}", few);
	file_refused(ONE "\"parts\":[1]}", few);
	file_refused(TWO "\"parts\":[\"" PATH "-0\"]}", few);
	file_refused(ONE "\"parts\":[\"../../../etc/passwd\"]}", where);
	file_refused(ONE "\"parts\":[\"" PATH "-1\"]}", where);
	file_refused(ONE "\"parts\":[\"" PATH "-00\"]}", where);
	file_refused(ONE "\"parts\":[\"" PATH "\"]}", where);
	file_refused(TWO "\"parts\":[\"" PATH "-0\",\"" PATH "-0\"]}", where);
	file_refused(ONE "\"parts\":[\"" PATH "-0\",\"" PATH "-1\"]}", much);
	file_refused(ONE "\"parts\":[\"" PATH "-0\"],\"x\":1}", much);
}

static void part_file_that_is_missing(void **state)
{
	struct fixture f;
	const char *line = "{\"rowid\":1,\"b\":{\"$file\":" ONE
			   "\"parts\":[\"" PATH "-0\"]}}}";

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	refused_by(&f, line, strlen(line), "a part file is missing");
	line = "{\"rowid\":{\"$file\":" ONE "\"parts\":[\"" PATH "-0\"]}}}";
	refused_by(&f, line, strlen(line), "a part file is missing");
	fixture_release(&f);
}

/* ---- arrays ---- */

static void array_refused(const char *line, const char *message)
{
	struct fixture f;

	fixture_init(&f);
	f.table.form_array = 1;
	fixture_open(&f);
	refused_by(&f, line, strlen(line), message);
	fixture_release(&f);
}

static void arrays_that_are_too_short_or_too_long(void **state)
{
	(void)state;
	array_refused("", "the row is no array");
	array_refused("{\"rowid\":1}", "the row is no array");
	array_refused("[]", "value 1 has a value of a kind that no row holds");
	array_refused("[1]", "the row has too few values");
	array_refused("[1,2,3]", "the row has too few values");
	array_refused("[1,2,3,4,5]", "the row has too many values");
	array_refused("[1,2,3,4", "the row has too many values");
	array_refused("[1,2,3,4,]", "the row has too many values");
	array_refused("[1,2,3,4]]", "the row has something behind its end");
	array_refused("[1,,3,4]",
		      "value 2 has a value of a kind that no row holds");
	array_refused("[null,2,3,4]", "value 1 is no integer");
	array_refused("[1,2,3,01]", "value 4 is no integer that can be read");
}

static void deep_nesting_is_no_danger(void **state)
{
	const size_t size = 1 << 20;
	char *line = malloc(size);
	struct fixture f;

	(void)state;
	assert_non_null(line);
	fixture_init(&f);
	f.table.form_array = 1;
	fixture_open(&f);
	memset(line, '[', size);
	refused_by(&f, line, size,
		   "value 1 has a value of a kind that no row holds");
	memset(line + 1, '{', size - 1);
	refused_by(&f, line, size, "value 1 has an object without a tag");
	fixture_release(&f);
	free(line);
}

/* What was refused leaves nothing behind in the next row. */
static void good_row_after_a_bad_one_is_read(void **state)
{
	struct value values[COLUMNS_MAX];
	struct fixture f;
	int64_t rowid;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	refused_by(&f, "{\"rowid\":5,\"a\":\"\\n\",\"b\":tru}", 29,
		   "key 'b' has a value of a kind that no row holds");
	error_clear(&f.err);
	assert_int_equal(row_decode(f.shape, "{\"rowid\":6,\"b\":\"\\t\"}", 20,
				    &rowid, values, NULL, &f.err),
			 0);
	assert_int_equal(rowid, 6);
	assert_int_equal(values[0].class, VALUE_NULL);
	assert_int_equal(values[1].class, VALUE_TEXT);
	assert_int_equal(values[1].size, 1);
	assert_memory_equal(values[1].data, "\t", 1);
	assert_int_equal(values[2].class, VALUE_NULL);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_object),
		cmocka_unit_test(rows_that_are_cut_short),
		cmocka_unit_test(punctuation_that_is_missing_or_too_much),
		cmocka_unit_test(keys_that_are_no_column_or_not_in_their_place),
		cmocka_unit_test(rowids_that_are_none),
		cmocka_unit_test(column_that_is_the_rowid_holds_an_integer),
		cmocka_unit_test(generated_column_has_no_key),
		cmocka_unit_test(values_of_no_kind),
		cmocka_unit_test(integers_that_are_not_canonical),
		cmocka_unit_test(reals_that_are_none),
		cmocka_unit_test(strings_that_are_none),
		cmocka_unit_test(escaped_nul_is_no_escape_character),
		cmocka_unit_test(tags_that_nobody_knows),
		cmocka_unit_test(big_integers_that_are_not_canonical),
		cmocka_unit_test(bytes_that_are_not_canonical),
		cmocka_unit_test(part_files_that_are_told_wrongly),
		cmocka_unit_test(part_files_that_lie_elsewhere),
		cmocka_unit_test(part_file_that_is_missing),
		cmocka_unit_test(arrays_that_are_too_short_or_too_long),
		cmocka_unit_test(deep_nesting_is_no_danger),
		cmocka_unit_test(good_row_after_a_bad_one_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
