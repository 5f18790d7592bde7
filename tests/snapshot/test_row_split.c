/*
 * test_row_split.c - where the values stand in a line
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/row.h"

enum { COLUMNS = 3 };

struct world {
	struct catalog *catalog;
	struct table *t; /* a, b (key: no rowid in the row) and c */
	struct row_shape *shape;
	struct row_span rowid, values[COLUMNS];
	struct error err;
};

static int setup(void **state)
{
	static const char *const names[COLUMNS] = { "a", "b\"", "c" };
	struct world *w = calloc(1, sizeof(*w));

	w->catalog = catalog_new();
	w->t = catalog_add_table(w->catalog);
	w->t->name = strdup("t");
	w->t->order = ORDER_SCAN;
	for (int i = 0; i < COLUMNS; i++)
		table_add_column(w->t)->name = strdup(names[i]);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	row_shape_free(w->shape);
	catalog_free(w->catalog);
	free(w);
	return 0;
}

static int split(struct world *w, const char *line)
{
	error_clear(&w->err);
	if (!w->shape)
		assert_int_equal(row_shape_new(&w->shape, w->t, &w->err), 0);
	return row_split(w->shape, line, strlen(line), &w->rowid, w->values,
			 &w->err);
}

static void expect(const struct row_span *s, const char *text)
{
	if (!text) {
		assert_null(s->data);
		return;
	}
	assert_non_null(s->data);
	assert_int_equal(s->size, strlen(text));
	assert_memory_equal(s->data, text, s->size);
}

static void takes(struct world *w, const char *line, const char *a,
		  const char *b, const char *c)
{
	if (split(w, line) < 0)
		fail_msg("%s: %s", line, w->err.message);
	expect(&w->values[0], a);
	expect(&w->values[1], b);
	expect(&w->values[2], c);
}

static void refuses(struct world *w, const char *line, const char *message)
{
	if (split(w, line) == 0)
		fail_msg("%s was taken", line);
	assert_int_equal(w->err.code, ERROR_DAMAGE);
	assert_string_equal(w->err.message, message);
}

static void values_are_found_and_left_as_they_are(void **state)
{
	struct world *w = *state;

	takes(w, "{}", NULL, NULL, NULL);
	takes(w, "{\"a\":1,\"b\\\"\":-0.5e+10,\"c\":\"x\"}", "1", "-0.5e+10",
	      "\"x\"");
	takes(w, "{\"b\\\"\":{\"$int\":\"9007199254740993\"}}", NULL,
	      "{\"$int\":\"9007199254740993\"}", NULL);
	takes(w, "{\"a\":\"\\\"\\\\\\u0000}{,é😀\",\"c\":[[],{},[{\"x\":[0]}]]}",
	      "\"\\\"\\\\\\u0000}{,é😀\"", NULL, "[[],{},[{\"x\":[0]}]]");
	takes(w, " { \"a\": true ,\t\"c\" :null } ", "true", NULL, "null");
}

/* Strings are looked at in blocks. */
static void a_string_ends_where_it_does_whatever_its_length(void **state)
{
	struct world *w = *state;
	char want[256], line[300];

	for (size_t size = 0; size < 100; size++) {
		memset(want, 'x', sizeof(want));
		want[0] = '"';
		memcpy(want + 1 + size, "\\\"é,:", 6);
		memset(want + 7 + size, '}', size);
		memcpy(want + 7 + 2 * size, "\"", 2);
		snprintf(line, sizeof(line), "{\"a\":%s,\"c\":7}", want);
		takes(w, line, want, NULL, "7");
	}
}

static void the_rowid_is_a_column_or_stands_in_front(void **state)
{
	struct world *w = *state;

	w->t->order = ORDER_ROWID;
	w->t->rowid_key = strdup("rowid");
	takes(w, "{\"rowid\":-3,\"c\":1}", NULL, NULL, "1");
	expect(&w->rowid, "-3");
	takes(w, "{\"rowid\":4}", NULL, NULL, NULL);
	expect(&w->rowid, "4");
	refuses(w, "{}", "the row does not begin with its rowid");
	refuses(w, "{\"a\":1}", "the row does not begin with its rowid");
	row_shape_free(w->shape);
	w->shape = NULL;
	w->t->rowid_column = 0;
	takes(w, "{\"a\":5}", "5", NULL, NULL);
	expect(&w->rowid, "5");
}

static void arrays_hold_all_values(void **state)
{
	struct world *w = *state;

	w->t->form_array = 1;
	takes(w, "[1,null,\"x\"]", "1", NULL, "\"x\"");
	refuses(w, "[1,2]", "the row has too few values");
	refuses(w, "[1,2,3,4]", "the row has too many values");
	refuses(w, "{}", "the row is no array");
	refuses(w, "[1,2,3]x", "the row has something behind its end");
}

static void what_is_no_row_is_refused(void **state)
{
	static const char misplaced[] =
		"the row has a key that is no column of this table, or not in "
		"its place";
	static const char behind[] =
		"the row has something else where ',' or '}' must stand";
	struct world *w = *state;

	refuses(w, "", "the row is no object");
	refuses(w, "[1]", "the row is no object");
	refuses(w, "{", misplaced);
	refuses(w, "{\"d\":1}", misplaced);
	refuses(w, "{\"c\":1,\"a\":1}", misplaced);
	refuses(w, "{\"a\":1,\"a\":1}", misplaced);
	refuses(w, "{\"a\":1,}", misplaced);
	refuses(w, "{\"a\":1", behind);
	refuses(w, "{\"a\":{\"$int\":\"1\"}", behind);
	refuses(w, "{\"a\":1]", behind);
	refuses(w, "{\"a\":01}", behind);
	refuses(w, "{\"a\":1}}", "the row has something behind its end");
}

static void what_is_no_value_is_refused(void **state)
{
	static const char *const values[] = {
		"",
		"x",
		"-",
		"1.",
		"1e",
		"1e+",
		".5",
		"+1",
		"nul",
		"\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"\"\x01\"",
		"\"\\",
		"\"\xff\"",
		"\"\xc3\"",
		"\"\xed\xa0\x80\"",
		"[",
		"[1",
		"[1,",
		"[1,]",
		"[,]",
		"[}",
		"{\"x\"",
		"{\"x\":",
		"{x:1}",
		"{\"x\":1,}",
		"{\"x\":1]",
		"{,}",
		"[1 2]",
		"{\"x\" 1}",
		"{1:2}",
		"]",
	};
	struct world *w = *state;
	char line[64];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(line, sizeof(line), "{\"a\":%s", values[i]);
		refuses(w, line, "the row has a value that is no JSON");
	}
}

static void nest(char *line, size_t depth)
{
	static const char begin[] = "{\"a\":";
	char *p = line + sizeof(begin) - 1;

	memcpy(line, begin, sizeof(begin) - 1);
	memset(p, '[', depth);
	memset(p + depth, ']', depth);
	memcpy(p + 2 * depth, "}", 2);
}

static void brackets_may_be_open_up_to_a_limit(void **state)
{
	struct world *w = *state;
	char line[2000];

	nest(line, 512);
	assert_int_equal(split(w, line), 0);
	assert_int_equal(w->values[0].size, 1024);
	nest(line, 513);
	refuses(w, line, "the row has a value that is no JSON");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(values_are_found_and_left_as_they_are),
		T(a_string_ends_where_it_does_whatever_its_length),
		T(the_rowid_is_a_column_or_stands_in_front),
		T(arrays_hold_all_values),
		T(what_is_no_row_is_refused),
		T(what_is_no_value_is_refused),
		T(brackets_may_be_open_up_to_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
