/*
 * test_dumpdata.c - a database as the list that Django's loaddata takes
 */
#include "tests/export/sample.h"

#include <stdlib.h>
#include <string.h>

#include "snapshot/model_map.h"

/* As Django's migrations make them. */
static const char types[] =
	"CREATE TABLE django_content_type(id integer PRIMARY KEY, app_label "
	"varchar(100) NOT NULL, model varchar(100) NOT NULL);"
	"INSERT INTO django_content_type VALUES(1,'shop','author'),"
	"(2,'shop','book'),(3,'shop','proxy'),(4,'sessions','session');"
	"CREATE TABLE django_migrations(id integer PRIMARY KEY, app text);";

static const char shop[] =
	"CREATE TABLE shop_book(id integer NOT NULL PRIMARY KEY, author_id "
	"integer NULL REFERENCES shop_author(id), other_id integer, price "
	"decimal, ok bool, at datetime, data text CHECK ((JSON_VALID(\"data\")"
	" OR \"data\" IS NULL)), raw BLOB, size AS (length(raw)));"
	"CREATE TABLE shop_author(id char(32) NOT NULL PRIMARY KEY, \"x\"\"y\" "
	"text);"
	"CREATE TABLE shop_book_readers(id integer PRIMARY KEY, book_id "
	"integer REFERENCES shop_book(id), author_id char(32) REFERENCES "
	"shop_author(id));"
	"CREATE TABLE shop_book_next(id integer PRIMARY KEY, to_book_id "
	"integer REFERENCES shop_book(id), from_book_id integer REFERENCES "
	"shop_book(id));"
	"INSERT INTO shop_author VALUES('0000000000000000000000000000000b',"
	"'q\"'),('0000000000000000000000000000000a',NULL);"
	"INSERT INTO shop_book VALUES(2,NULL,NULL,NULL,0,NULL,NULL,NULL),"
	"(1,NULL,7,10.5,1,'2026-01-02 03:04:05.678000','{\"a\": [1]}',"
	"x'00ff');"
	"INSERT INTO shop_book_readers VALUES"
	"(1,2,'0000000000000000000000000000000b'),"
	"(2,2,'0000000000000000000000000000000a');"
	"INSERT INTO shop_book_next VALUES(1,2,1);";

static int take(void *payload, const void *data, size_t size, struct error *err)
{
	(void)err;
	buffer_add(payload, data, size);
	return 0;
}

static struct model_map *map_of(struct sample *s, const char *text)
{
	char *path = path_join(s->folder, "map.json");
	struct error err = ERROR_INIT;
	struct model_map *map;
	FILE *f = fopen(path, "w");

	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	if (model_map_read(&map, path, &err) < 0)
		fail_msg("%s", err.message);
	free(path);
	return map;
}

/* @param map  its text, or NULL */
static int dump(const char *sql, const char *more, const char *map,
		struct buffer *out, struct dumpdata_report *report,
		char left_out[200], struct error *err)
{
	struct buffer all = BUFFER_INIT;
	struct model_map *m = NULL;
	struct sample s;
	int rc;

	buffer_printf(&all, "%s%s%s", types, sql, more);
	sample_open(&s, buffer_cstr(&all));
	if (map)
		m = map_of(&s, map);
	rc = export_dumpdata(s.db, s.catalog, m, NULL, take, out, report, err);
	left_out[0] = '\0';
	for (size_t i = 0; rc == 0 && i < report->left_out_count; i++)
		snprintf(left_out + strlen(left_out), 200 - strlen(left_out),
			 "%s ", report->left_out[i]);
	dumpdata_report_release(report);
	model_map_free(m);
	sample_close(&s);
	buffer_release(&all);
	return rc;
}

static void dumps(const char *sql, const char *more, const char *map,
		  const char *expected, const char *expected_left_out)
{
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct dumpdata_report report;
	char left_out[200];

	if (dump(sql, more, map, &out, &report, left_out, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(buffer_cstr(&out), expected);
	assert_string_equal(left_out, expected_left_out);
	buffer_release(&out);
}

static void fails(const char *more, const char *map, enum error_code code,
		  const char *message)
{
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct dumpdata_report report;
	char left_out[200];

	assert_int_equal(dump(shop, more, map, &out, &report, left_out, &err),
			 -1);
	/* the map lies in a folder of its own */
	if (!strstr(err.message, message))
		fail_msg("%s", err.message);
	assert_int_equal(err.code, code);
	buffer_release(&out);
}

static void rows_are_records(void **state)
{
	(void)state;
	dumps(shop, "DELETE FROM django_content_type WHERE id = 1;", NULL,
	      "[{\"model\":\"shop.book\",\"pk\":1,\"fields\":{\"author\":null,"
	      "\"other_id\":7,\"price\":\"10.5\",\"ok\":true,\"at\":\"2026-01-"
	      "02T03:04:05.678Z\",\"data\":{\"a\":[1]},\"raw\":\"AP8=\","
	      "\"next\":[2],\"readers\":[]}},\n"
	      "{\"model\":\"shop.book\",\"pk\":2,\"fields\":{\"author\":null,"
	      "\"other_id\":null,\"price\":null,\"ok\":false,\"at\":null,"
	      "\"data\":null,\"raw\":null,\"next\":[],\"readers\":["
	      "\"00000000-0000-0000-0000-00000000000b\","
	      "\"00000000-0000-0000-0000-00000000000a\"]}}]\n",
	      "django_content_type shop_author ");
}

static void a_map_gives_names_and_types(void **state)
{
	(void)state;
	dumps("CREATE TABLE t(k integer PRIMARY KEY, a_id integer, took bigint, "
	      "at datetime); INSERT INTO t VALUES(1,2,93600000000,"
	      "'2026-01-02 03:04:05');",
	      "",
	      "{\"use_tz\":false,\"models\":{\"my.Thing\":{\"table\":\"T\","
	      "\"fields\":{\"a\":\"a_id\",\"took\":{\"type\":\"duration\"}}"
	      "}}}",
	      "[{\"model\":\"my.Thing\",\"pk\":1,\"fields\":{\"a\":2,\"took\":"
	      "\"1 02:00:00\",\"at\":\"2026-01-02T03:04:05\"}}]\n",
	      "django_content_type ");
}

/* What has a model is no list, whatever it looks like. */
static void a_join_table_that_is_a_model_stands_by_itself(void **state)
{
	(void)state;
	dumps("CREATE TABLE shop_book(id integer PRIMARY KEY);"
	      "CREATE TABLE shop_book_next(id integer PRIMARY KEY, from_id "
	      "integer REFERENCES shop_book(id), to_id integer REFERENCES "
	      "shop_book(id));"
	      "INSERT INTO shop_book VALUES(1);"
	      "INSERT INTO shop_book_next VALUES(7,1,1);"
	      "INSERT INTO django_content_type VALUES(9,'shop','book_next');",
	      "", NULL,
	      "[{\"model\":\"shop.book\",\"pk\":1,\"fields\":{}},\n"
	      "{\"model\":\"shop.book_next\",\"pk\":7,\"fields\":{\"from\":1,"
	      "\"to\":1}}]\n",
	      "django_content_type ");
}

static void no_rows_are_an_empty_list(void **state)
{
	(void)state;
	dumps("CREATE TABLE shop_book(id integer PRIMARY KEY);", "", NULL,
	      "[]\n", "django_content_type ");
}

static void models_have_to_be_known(void **state)
{
	(void)state;
	fails("DROP TABLE django_content_type;", NULL, ERROR_FAILED,
	      "the database has no django_content_type that tells its models; "
	      "name them with --map");
}

static void values_that_are_not_djangos_are_named(void **state)
{
	(void)state;
	fails("UPDATE shop_book SET at = 5 WHERE id = 1;", NULL, ERROR_FAILED,
	      "table 'shop_book', pk 1, column 'at' holds 5, which is no "
	      "date and time; give the column's type with --map");
	fails("INSERT INTO shop_author VALUES('x',NULL);", NULL, ERROR_FAILED,
	      "table 'shop_author', pk ?, column 'id' holds 'x', which is no "
	      "UUID; give the column's type with --map");
	fails("UPDATE shop_book_readers SET author_id = 'x' WHERE id = 2;",
	      NULL, ERROR_FAILED,
	      "table 'shop_book', pk 2, column 'readers' holds 'x', which is "
	      "no UUID; give the column's type with --map");
	fails("CREATE TABLE shop_proxy(a, b, PRIMARY KEY(a, b));", NULL,
	      ERROR_FAILED,
	      "table 'shop_proxy' of model 'shop.proxy' has no primary key of "
	      "one column");
}

static void a_map_that_does_not_fit_is_an_error(void **state)
{
	(void)state;
	fails("", "{\"models\":{\"a.B\":\"nope\"}}", ERROR_USAGE,
	      "map.json': model 'a.B': the database has no table 'nope'");
	fails("", "{\"models\":{\"a.B\":{\"fields\":{}}}}", ERROR_USAGE,
	      "map.json': model 'a.B': the database has no table of the name "
	      "that Django gives to model 'a.B'");
	fails("", "{\"models\":{\"shop.book\":{\"fields\":{\"x\":\"y\"}}}}",
	      ERROR_USAGE,
	      "map.json': model 'shop.book': the database has no column, or "
	      "join table, 'y'");
	fails("",
	      "{\"models\":{\"shop.book\":{\"fields\":{\"x\":{\"type\":"
	      "\"bool\"}}}}}",
	      ERROR_USAGE,
	      "map.json': model 'shop.book': the database has no column 'x'");
	fails("",
	      "{\"models\":{\"shop.book\":{\"fields\":{\"x\":"
	      "\"django_migrations\"}}}}",
	      ERROR_USAGE,
	      "map.json': model 'shop.book': the database has no column, or "
	      "join table, 'django_migrations'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_records),
		cmocka_unit_test(a_map_gives_names_and_types),
		cmocka_unit_test(a_join_table_that_is_a_model_stands_by_itself),
		cmocka_unit_test(no_rows_are_an_empty_list),
		cmocka_unit_test(models_have_to_be_known),
		cmocka_unit_test(values_that_are_not_djangos_are_named),
		cmocka_unit_test(a_map_that_does_not_fit_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
