/*
 * test_row.c - one row as one line of JSON, and back
 */
#include "tests/snapshot/row_fixture.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "snapshot/text.h"

static void line_is(struct fixture *f, const char *expected)
{
	assert_non_null(buffer_cstr(&f->line));
	assert_string_equal(f->line.data, expected);
}

static void encode(struct fixture *f, int64_t rowid, const struct value *values)
{
	buffer_clear(&f->line);
	if (row_encode(&f->line, f->shape, rowid, values, NULL, &f->err) < 0)
		fail_msg("%s", f->err.message);
}

/* Decode the fixture's line and compare. */
static void decodes_to(struct fixture *f, int64_t rowid,
		       const struct value *values)
{
	struct value found[COLUMNS_MAX];
	int64_t found_rowid;
	size_t i;

	if (row_decode(f->shape, f->line.data, f->line.size, &found_rowid,
		       found, &f->files, &f->err) < 0)
		fail_msg("%s: %s", f->err.message, buffer_cstr(&f->line));
	assert_true(found_rowid == rowid);
	for (i = 0; i < row_shape_values(f->shape); i++)
		assert_same_value(&found[i], &values[i]);
}

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

/* ---- part files ---- */

static void part_path_is_told_by_digest_and_number(void **state)
{
	unsigned char sha256[32];
	char path[ROW_PART_PATH_SIZE];

	(void)state;
	memset(sha256, 0xab, sizeof(sha256));
	sha256[0] = 0x0f;
	row_part_path(path, sha256, 4294967295u);
	assert_string_equal(path, "values/0f/"
				  "abababababababababababababababab"
				  "ababababababababababababababab"
				  "-4294967295");
}

static char *filled(size_t size, char c)
{
	char *data = malloc(size);

	assert_non_null(data);
	memset(data, c, size);
	return data;
}

static void encode_with_files(struct fixture *f, const struct value *values)
{
	buffer_clear(&f->line);
	if (row_encode(&f->line, f->shape, 1, values, &f->files, &f->err) < 0)
		fail_msg("%s", f->err.message);
}

static void big_values_go_to_files_and_come_back(void **state)
{
	const size_t size = VALUE_INLINE_MAX + 1;
	char *a = filled(size, 'a'), *b = filled(size + 1, '\xff');
	struct value values[3] = { bytes_value(VALUE_TEXT, a, size),
				   bytes_value(VALUE_BLOB, b, size + 1),
				   bytes_value(VALUE_TEXT16, b, size) };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	encode_with_files(&f, values);
	assert_int_equal(f.stored_count, 3);
	assert_int_equal(f.stored[0].size, size);
	assert_true(f.line.size < 1000);
	assert_non_null(strstr(buffer_cstr(&f.line),
			       "{\"rowid\":1,\"a\":{\"$file\":{\"class\":"
			       "\"text\",\"bytes\":1048577,\"sha256\":\""));
	assert_non_null(
		strstr(f.line.data, "\"class\":\"blob\",\"bytes\":1048578,"));
	assert_non_null(
		strstr(f.line.data, "\"class\":\"text16\",\"bytes\":1048577,"));
	decodes_to(&f, 1, values);
	decodes_to(&f, 1, values);
	fixture_release(&f);
	free(a);
	free(b);
}

static void value_of_several_parts_names_them_all(void **state)
{
	const size_t size = ROW_PART_MAX * 2 + 1;
	char *a = filled(size, 'a');
	struct value values[3] = { bytes_value(VALUE_BLOB, a, size),
				   null_value(), null_value() };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	encode_with_files(&f, values);
	line_is(&f, "{\"rowid\":1,\"a\":{\"$file\":{\"class\":\"blob\","
		    "\"bytes\":67108865,\"sha256\":\""
		    "0ed59c6929ac1c013be3a95779b6edf6"
		    "4fd7d9858e28fc246964c5bddce58ba2\",\"parts\":["
		    "\"values/0e/d59c6929ac1c013be3a95779b6edf6"
		    "4fd7d9858e28fc246964c5bddce58ba2-0\","
		    "\"values/0e/d59c6929ac1c013be3a95779b6edf6"
		    "4fd7d9858e28fc246964c5bddce58ba2-1\","
		    "\"values/0e/d59c6929ac1c013be3a95779b6edf6"
		    "4fd7d9858e28fc246964c5bddce58ba2-2\"]}}}\n");
	decodes_to(&f, 1, values);
	fixture_release(&f);
	free(a);
}

static void value_at_the_limit_stays_in_the_line(void **state)
{
	char *a = filled(VALUE_INLINE_MAX, 'a');
	struct value values[3] = { bytes_value(VALUE_TEXT, a, VALUE_INLINE_MAX),
				   null_value(), null_value() };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	encode_with_files(&f, values);
	assert_int_equal(f.stored_count, 0);
	decodes_to(&f, 1, values);
	fixture_release(&f);
	free(a);
}

/* Four times 1 MiB fill the line; what comes then goes out, if it has bytes */
static void full_line_sends_further_values_to_files(void **state)
{
	char *a = filled(VALUE_INLINE_MAX + 1, 'a');
	struct value values[8];
	struct fixture f;
	int i;

	(void)state;
	fixture_init(&f);
	f.table.column_count = 8;
	fixture_open(&f);
	for (i = 0; i < 5; i++)
		values[i] = bytes_value(i % 2 ? VALUE_BLOB : VALUE_TEXT, a,
					VALUE_INLINE_MAX);
	values[3].size++; /* too big by itself: takes no room */
	values[5] = bytes_value(VALUE_TEXT, a, 1);
	values[6] = bytes_value(VALUE_BLOB, a, 0);
	values[7] = integer_value(1);
	encode_with_files(&f, values);
	assert_int_equal(f.stored_count, 2);
	assert_int_equal(f.stored[0].size, VALUE_INLINE_MAX + 1);
	assert_int_equal(f.stored[1].size, 1);
	decodes_to(&f, 1, values);

	/* One byte of room is left for one byte. */
	values[4].size--;
	encode_with_files(&f, values);
	assert_int_equal(f.stored_count, 3);
	decodes_to(&f, 1, values);
	values[5].size++;
	encode_with_files(&f, values);
	assert_int_equal(f.stored_count, 5);
	assert_int_equal(f.stored[4].size, 2);
	decodes_to(&f, 1, values);

	/* Documents keep all in the line. */
	encode(&f, 1, values);
	assert_int_equal(f.stored_count, 5);
	decodes_to(&f, 1, values);
	fixture_release(&f);
	free(a);
}

static void failing_store_leaves_the_buffer_as_it_was(void **state)
{
	char *a = filled(VALUE_INLINE_MAX + 1, 'a');
	struct value values[3] = { bytes_value(VALUE_BLOB, a,
					       VALUE_INLINE_MAX + 1),
				   null_value(), null_value() };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	f.fails = 1;
	buffer_str(&f.line, "kept");
	assert_int_equal(
		row_encode(&f.line, f.shape, 1, values, &f.files, &f.err), -1);
	assert_int_equal(f.err.code, ERROR_NOSPACE);
	line_is(&f, "kept");
	fixture_release(&f);
	free(a);
}

static void load_fails(struct fixture *f, struct row_files *files,
		       const char *message)
{
	struct value found[COLUMNS_MAX];
	int64_t rowid;

	error_clear(&f->err);
	assert_int_equal(row_decode(f->shape, f->line.data, f->line.size,
				    &rowid, found, files, &f->err),
			 -1);
	assert_int_equal(f->err.code, ERROR_DAMAGE);
	assert_string_equal(f->err.message, message);
}

static void parts_that_are_not_what_they_should_be_are_refused(void **state)
{
	char *a = filled(VALUE_INLINE_MAX + 1, 'a');
	struct value values[3] = {
		null_value(), bytes_value(VALUE_BLOB, a, VALUE_INLINE_MAX + 1),
		null_value()
	};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	encode_with_files(&f, values);
	load_fails(&f, NULL,
		   "key 'b' lies in part files, and there are none here");
	f.short_by = 1;
	load_fails(&f, &f.files, "key 'b' has part files of another size");
	f.short_by = 0;
	f.differs = 1;
	load_fails(&f, &f.files, "key 'b' has part files whose sha256 differs");
	f.differs = 0;
	f.fails = 1;
	load_fails(&f, &f.files, "a part file is missing");
	f.fails = 0;
	decodes_to(&f, 1, values);
	fixture_release(&f);
	free(a);
}

/* ---- anything ---- */

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Random text, mostly well-formed. */
static void random_text(struct buffer *out, uint64_t *x)
{
	static const char *const pieces[] = { "a",
					      "hello ",
					      "\"",
					      "\\",
					      "\n",
					      "\x01",
					      "\x7f",
					      "\xc3\xb6",
					      "\xe2\x80\xa8",
					      "\xe2\x82\xac",
					      "\xf0\x9f\x98\x80",
					      "/",
					      "\xff",
					      "0123456789abcdef",
					      "{}[]:,",
					      "\t" };
	size_t n = next_random(x) % 12;

	while (n--)
		buffer_str(out, pieces[next_random(x) % 16]);
}

static struct value random_value(struct buffer *bytes, uint64_t *x)
{
	size_t at = bytes->size, i, size;
	struct value v = null_value();
	uint64_t r = next_random(x);

	switch (next_random(x) % 8) {
	case 0:
	case 1:
		break;
	case 2:
		v = integer_value((int64_t)(r >> r % 64));
		break;
	case 3:
		v.class = VALUE_REAL;
		memcpy(&v.real, &r, sizeof(r));
		if (isnan(v.real))
			v.real = INFINITY;
		break;
	case 4:
	case 5:
		random_text(bytes, x);
		v = bytes_value(VALUE_TEXT, bytes->data + at, bytes->size - at);
		break;
	default:
		size = next_random(x) % 40;
		for (i = 0; i < size; i++)
			buffer_byte(bytes, (char)next_random(x));
		v = bytes_value(r & 1 ? VALUE_BLOB : VALUE_TEXT16,
				bytes->data + at, size);
	}
	return v;
}

/* What jansson makes of the line must be what we meant. */
static void jansson_agrees(struct fixture *f, const struct value *values)
{
	json_error_t error;
	json_t *row = json_loadb(f->line.data, f->line.size,
				 JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
				 &error);
	size_t i, n = row_shape_values(f->shape);

	if (!row)
		fail_msg("%s: %s", error.text, buffer_cstr(&f->line));
	for (i = 0; i < n; i++) {
		const struct value *v = &values[i];
		json_t *j = f->table.form_array
				    ? json_array_get(row, i + 1)
				    : json_object_get(row, f->columns[i].name);

		if (v->class == VALUE_NULL)
			assert_true(!j || json_is_null(j));
		else if (v->class == VALUE_INTEGER && json_is_integer(j))
			assert_true(json_integer_value(j) == v->integer);
		else if (v->class == VALUE_REAL && json_is_real(j))
			assert_true(json_real_value(j) == v->real);
		else if (v->class == VALUE_TEXT && json_is_string(j))
			assert_memory_equal(json_string_value(j), v->data,
					    v->size);
		else
			assert_int_equal(json_object_size(j), 1);
		if (v->class == VALUE_TEXT)
			assert_int_equal(json_is_string(j),
					 text_is_utf8(v->data, v->size));
	}
	json_decref(row);
}

/*
 * The same row as another program may write it: white space between tokens,
 * letters as escapes.
 */
static void rewritten(struct buffer *out, const struct buffer *line,
		      uint64_t *x)
{
	int quoted = 0;
	size_t i;

	for (i = 0; i < line->size; i++) {
		char c = line->data[i];

		if (quoted && c == '\\') {
			buffer_byte(out, c);
			c = line->data[++i];
			buffer_byte(out, c);
			if (c == 'u') {
				buffer_add(out, line->data + i + 1, 4);
				i += 4;
			}
			continue;
		}
		if (c == '"')
			quoted = !quoted;
		if (quoted && c > 0x20 && c < 0x7f && c != '"' &&
		    next_random(x) % 3 == 0) {
			buffer_printf(
				out, next_random(x) & 1 ? "\\u%04x" : "\\u%04X",
				c);
			continue;
		}
		buffer_byte(out, c);
		if (!quoted && strchr("{}[]:,\"", c))
			buffer_add(out, " \t\n\r", next_random(x) % 5);
	}
}

static void random_rows(int form_array, int rounds)
{
	uint64_t x = UINT64_C(0x853c49e6748fea9b);
	struct buffer bytes = BUFFER_INIT, other = BUFFER_INIT;
	struct value values[8];
	struct fixture f;

	print_message("seed %#llx\n", (unsigned long long)x);
	fixture_init(&f);
	f.table.column_count = 8;
	f.table.form_array = form_array;
	fixture_open(&f);
	/* Values point into `bytes`, so it may not move. */
	assert_int_equal(buffer_reserve(&bytes, 1 << 16), 0);
	while (rounds--) {
		int64_t rowid = (int64_t)next_random(&x);
		int i;

		buffer_clear(&bytes);
		for (i = 0; i < 8; i++)
			values[i] = random_value(&bytes, &x);
		encode(&f, rowid, values);
		decodes_to(&f, rowid, values);
		jansson_agrees(&f, values);
		buffer_clear(&other);
		rewritten(&other, &f.line, &x);
		buffer_clear(&f.line);
		buffer_add(&f.line, other.data, other.size);
		decodes_to(&f, rowid, values);
	}
	fixture_release(&f);
	buffer_release(&bytes);
	buffer_release(&other);
}

static void random_rows_come_back_and_jansson_reads_them_alike(void **state)
{
	(void)state;
	random_rows(0, 20000);
	random_rows(1, 5000);
}

/*
 * Base64 with an escape in it is decoded where the escape was taken out:
 * beside it there would be no room, and values read before would move.
 */
static void long_base64_with_an_escape_moves_nothing(void **state)
{
	const size_t size = 40000;
	char *zeros = calloc(1, size);
	struct value values[3] = { text_value("\n"), null_value(),
				   text_value("\t") };
	struct fixture f;
	size_t i;

	(void)state;
	assert_non_null(zeros);
	values[1] = bytes_value(VALUE_BLOB, zeros, size / 4 * 3);
	fixture_init(&f);
	fixture_open(&f);
	buffer_str(&f.line, "{\"rowid\":1,\"a\":\"\\n\",\"b\":{\"$blob\":\""
			    "\\u0041");
	for (i = 1; i < size; i++)
		buffer_byte(&f.line, 'A');
	buffer_str(&f.line, "\"},\"c\":\"\\t\"}");
	decodes_to(&f, 1, values);
	fixture_release(&f);
	free(zeros);
}

/* Whatever is accepted is a row: written again, it is read the same. */
static void damaged_lines_are_refused_or_rows(void **state)
{
	uint64_t x = UINT64_C(0xda3e39cb94b95bdb);
	struct buffer bytes = BUFFER_INIT, line = BUFFER_INIT;
	struct value values[8], found[8];
	struct fixture f;
	int round, accepted = 0;
	int64_t rowid;

	(void)state;
	fixture_init(&f);
	f.table.column_count = 8;
	fixture_open(&f);
	assert_int_equal(buffer_reserve(&bytes, 1 << 16), 0);
	for (round = 0; round < 60000; round++) {
		size_t i;

		if (round % 20 == 0) {
			buffer_clear(&bytes);
			for (i = 0; i < 8; i++)
				values[i] = random_value(&bytes, &x);
			encode(&f, round, values);
		}
		/* A copy of its own size, so that ASan sees each step over. */
		buffer_release(&line);
		buffer_add(&line, f.line.data, f.line.size - 1);
		line.data[next_random(&x) % line.size] =
			"{}[]:,\"\\$u0e-.n \xff\xc3"[next_random(&x) % 18];
		if (row_decode(f.shape, line.data, line.size, &rowid, found,
			       NULL, &f.err) < 0) {
			assert_int_equal(f.err.code, ERROR_DAMAGE);
			error_clear(&f.err);
			continue;
		}
		accepted++;
		{
			struct buffer again = BUFFER_INIT;
			struct value copy[8];
			struct row_shape *other;
			int64_t rowid_again;

			assert_int_equal(row_encode(&again, f.shape, rowid,
						    found, NULL, &f.err),
					 0);
			assert_int_equal(
				row_shape_new(&other, &f.table, &f.err), 0);
			assert_int_equal(row_decode(other, again.data,
						    again.size, &rowid_again,
						    copy, NULL, &f.err),
					 0);
			assert_true(rowid_again == rowid);
			for (i = 0; i < 8; i++)
				assert_same_value(&copy[i], &found[i]);
			row_shape_free(other);
			buffer_release(&again);
		}
	}
	assert_true(accepted > 100);
	fixture_release(&f);
	buffer_release(&bytes);
	buffer_release(&line);
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
		cmocka_unit_test(arrays_hold_every_value_in_order),
		cmocka_unit_test(table_without_columns_has_rows_all_the_same),
		cmocka_unit_test(tables_that_cannot_be_have_no_shape),
		cmocka_unit_test(key_is_the_primary_key_in_its_own_order),
		cmocka_unit_test(line_is_the_key_where_there_is_none),
		cmocka_unit_test(part_path_is_told_by_digest_and_number),
		cmocka_unit_test(big_values_go_to_files_and_come_back),
		cmocka_unit_test(value_of_several_parts_names_them_all),
		cmocka_unit_test(value_at_the_limit_stays_in_the_line),
		cmocka_unit_test(full_line_sends_further_values_to_files),
		cmocka_unit_test(failing_store_leaves_the_buffer_as_it_was),
		cmocka_unit_test(
			parts_that_are_not_what_they_should_be_are_refused),
		cmocka_unit_test(
			random_rows_come_back_and_jansson_reads_them_alike),
		cmocka_unit_test(long_base64_with_an_escape_moves_nothing),
		cmocka_unit_test(damaged_lines_are_refused_or_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
