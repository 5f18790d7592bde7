/*
 * test_model_map.c - what the user says of models and tables
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "snapshot/model_map.h"

static char path[] = "/tmp/dbstow-map-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static int read_text(struct model_map **out, const char *text,
		     struct error *err)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	return model_map_read(out, path, err);
}

static struct model_map *map(const char *text)
{
	struct error err = ERROR_INIT;
	struct model_map *m;

	if (read_text(&m, text, &err) < 0)
		fail_msg("%s", err.message);
	return m;
}

/* %s of the message is the file. */
static void fails(const char *text, const char *message)
{
	struct error err = ERROR_INIT;
	struct model_map *m;
	char want[1024];

	assert_int_equal(read_text(&m, text, &err), -1);
	assert_null(m);
	snprintf(want, sizeof want, "'%s'%s", path, message);
	assert_string_equal(err.message, want);
	assert_int_equal(err.code, ERROR_USAGE);
}

static void models_are_found_whatever_their_case(void **state)
{
	struct model_map *m = map("{\"models\":{\"shop.Order\":\"orders\"}}");
	const struct mapped_model *found = model_map_find(m, "SHOP.order");

	(void)state;
	assert_non_null(found);
	assert_string_equal(found->table, "orders");
	assert_null(model_map_find(m, "shop.Orders"));
	assert_null(model_map_find(NULL, "shop.Order"));
	assert_int_equal(m->no_zone, 0);
	model_map_free(m);
}

static void fields_have_columns_and_types(void **state)
{
	struct model_map *m =
		map("{\"use_tz\":false,\"models\":{\"a.B\":{\"fields\":{"
		    "\"x\":\"col\",\"y\":{\"type\":\"duration\"},"
		    "\"z\":{\"column\":\"zz\",\"type\":\"json\"}}}}}");
	const struct mapped_model *b = model_map_find(m, "a.b");
	const struct mapped_field *f;

	(void)state;
	assert_int_equal(m->no_zone, 1);
	assert_null(b->table);
	f = mapped_field_find(b, "xyz", 1);
	assert_string_equal(f->column, "col");
	assert_int_equal(f->has_class, 0);
	f = mapped_field_find(b, "y", 1);
	assert_null(f->column);
	assert_int_equal(f->has_class, 1);
	assert_int_equal(f->class, FIELD_DURATION);
	f = mapped_field_find(b, "z", 1);
	assert_string_equal(f->column, "zz");
	assert_int_equal(f->class, FIELD_JSON);
	assert_null(mapped_field_find(b, "X", 1));
	model_map_free(m);
}

static void an_empty_map_says_nothing(void **state)
{
	struct model_map *m = map("{}");

	(void)state;
	assert_int_equal(m->model_count, 0);
	model_map_free(m);
}

static void what_is_not_known_is_an_error(void **state)
{
	static const char no_field[] =
		": model 'a.B' has a field that is neither a column's name nor "
		"{\"column\":\"NAME\",\"type\":\"TYPE\"}; see docs/django.md";
	static const char no_model[] =
		": model 'a.B' is neither a table's name nor "
		"{\"table\":\"NAME\",\"fields\":{...}}; see docs/django.md";
	static const char no_map[] =
		" is not {\"use_tz\":BOOLEAN,\"models\":{...}}; see "
		"docs/django.md";

	(void)state;
	fails("{\"modles\":{}}", no_map);
	fails("[]", no_map);
	fails("{\"use_tz\":1}", no_map);
	fails("{\"models\":[]}", no_map);
	fails("{\"models\":{\"a.B\":5}}", no_model);
	fails("{\"models\":{\"a.B\":{\"tabel\":\"x\"}}}", no_model);
	fails("{\"models\":{\"a.B\":{\"fields\":[]}}}",
	      ": model 'a.B' has 'fields' that are no object; see "
	      "docs/django.md");
	fails("{\"models\":{\"a.B\":{\"fields\":{\"x\":1}}}}", no_field);
	fails("{\"models\":{\"a.B\":{\"fields\":{\"x\":{\"col\":\"y\"}}}}}",
	      no_field);
	fails("{\"models\":{\"a.B\":{\"fields\":{\"x\":{\"type\":\"int\"}}}}}",
	      ": model 'a.B' has a field of a type that is none of bool, "
	      "integer, bigint, duration, real, decimal, datetime, date, time, "
	      "uuid, json, blob, text; see docs/django.md");
	fails("{\"models\":{\"a.B\":\"x\",\"A.b\":\"y\"}}",
	      ": model 'A.b' stands there twice; see docs/django.md");
	fails("{\n\"models\": {,\n",
	      ", line 2: string or '}' expected near ','");
}

static void a_missing_file_is_named(void **state)
{
	struct error err = ERROR_INIT;
	struct model_map *m;

	(void)state;
	assert_int_equal(model_map_read(&m, "/nowhere/map.json", &err), -1);
	assert_string_equal(err.message,
			    "there is no file '/nowhere/map.json'");
	assert_int_equal(err.code, ERROR_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(models_are_found_whatever_their_case),
		cmocka_unit_test(fields_have_columns_and_types),
		cmocka_unit_test(an_empty_map_says_nothing),
		cmocka_unit_test(what_is_not_known_is_an_error),
		cmocka_unit_test(a_missing_file_is_named),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
