/*
 * test_row_parts.c - values of a row that lie in part files
 */
#include "tests/snapshot/row_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(part_path_is_told_by_digest_and_number),
		cmocka_unit_test(big_values_go_to_files_and_come_back),
		cmocka_unit_test(value_of_several_parts_names_them_all),
		cmocka_unit_test(value_at_the_limit_stays_in_the_line),
		cmocka_unit_test(full_line_sends_further_values_to_files),
		cmocka_unit_test(failing_store_leaves_the_buffer_as_it_was),
		cmocka_unit_test(
			parts_that_are_not_what_they_should_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
