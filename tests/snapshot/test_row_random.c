/*
 * test_row_random.c - any row as one line of JSON, and any line as a row
 */
#include "tests/snapshot/row_fixture.h"

#include <jansson.h>
#include <math.h>

#include "snapshot/text.h"

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
		cmocka_unit_test(
			random_rows_come_back_and_jansson_reads_them_alike),
		cmocka_unit_test(long_base64_with_an_escape_moves_nothing),
		cmocka_unit_test(damaged_lines_are_refused_or_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
