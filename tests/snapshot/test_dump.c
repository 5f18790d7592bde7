/*
 * test_dump.c - documents of others
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
#include "snapshot/dump.h"

/* A text as an input that gives `step` bytes at a time. */
struct text_input {
	struct byte_input base;
	const char *text;
	size_t size, step;
};

static ssize_t read_text(struct byte_input *input, void *data, size_t size,
			 struct error *err)
{
	struct text_input *t = (struct text_input *)input;
	size_t n = t->step < t->size ? t->step : t->size;

	(void)err;
	n = n < size ? n : size;
	memcpy(data, t->text, n);
	t->text += n;
	t->size -= n;
	return (ssize_t)n;
}

static void add_item(struct buffer *out, int event, const struct dump_item *i)
{
	static const char *const words[] = { "end", "model", "left out",
					     "record" };

	buffer_printf(out, "%s %.*s", words[event], (int)i->model.size,
		      i->model.size ? i->model.data : "");
	if (event == DUMP_LEFT_OUT)
		buffer_printf(out, ": %.*s", (int)i->why.size, i->why.data);
	if (event == DUMP_RECORD)
		buffer_printf(out, ", line %d: %.*s", (int)i->line,
			      (int)i->record.line.size, i->record.line.data);
	buffer_byte(out, '\n');
}

/* Read a document; append what it gives, a line an event.
 * @return 0, or -1 with the error */
static int read_all(const char *text, size_t size, size_t step,
		    struct buffer *out, int64_t *created_s, struct error *err)
{
	struct text_input in = { { read_text }, text, size, step };
	struct dump_look look = { .at = 0 };
	enum dump_shape shape;
	struct dump *d = NULL;
	struct dump_item item;
	int event = -1;

	buffer_clear(out);
	if (dump_look(&look, &in.base, "'x.json'", &shape, err) < 0)
		goto done;
	if (shape == DUMP_NONE) {
		buffer_str(out, "none\n");
		event = 0;
		goto done;
	}
	if (dump_open(&d, &look.input, "'x.json'", shape, err) < 0)
		goto done;
	while ((event = dump_next(d, &item, err)) > 0)
		add_item(out, event, &item);
	if (created_s)
		*created_s = dump_created_s(d);
done:
	dump_free(d);
	dump_look_release(&look);
	return event;
}

static void gives_at(const char *text, size_t step, const char *events,
		     int64_t created_s)
{
	struct error err = ERROR_INIT;
	struct buffer out = BUFFER_INIT;
	int64_t got_s = 0;

	if (read_all(text, strlen(text), step, &out, &got_s, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	assert_string_equal(out.size ? buffer_cstr(&out) : "", events);
	assert_int_equal(got_s, created_s);
	buffer_release(&out);
}

static void gives(const char *text, const char *events)
{
	gives_at(text, 100000, events, 0);
	gives_at(text, 1, events, 0);
}

static void refused_as(const char *text, size_t size, enum error_code code,
		       const char *message)
{
	struct error err = ERROR_INIT;
	struct buffer out = BUFFER_INIT;

	if (read_all(text, size, 7, &out, NULL, &err) == 0)
		fail_msg("accepted: %s", text);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, code);
	buffer_release(&out);
}

static void refused(const char *text, const char *message)
{
	refused_as(text, strlen(text), ERROR_DAMAGE, message);
}

static const char list[] =
	"[\n{\"model\": \"a.b\", \"pk\": 1, \"fields\": {\"x\": \"\\u00e9]\"}},"
	"\n{\"pk\": 2, \"fields\": {}, \"model\": \"a.c\"}\n]\n";
static const char lines[] =
	"{\"model\":\"a.b\",\"pk\":1,\"fields\":{\"x\":[1,{}]}}\n"
	"{\"fields\":{},\"pk\":2,\"model\":\"a.c\"}\n";
static const char models[] =
	"{\"export_date\": \"2026-11-20T02:35:22.123456+00:00\",\n"
	" \"django_version\": \"4.2\", \"n\": -1.5, \"ok\": true,\n"
	" \"models\": {\"a.B\": [{\"pk\": 1, \"fields\": {\"x\": null}},\n"
	"  {\"fields\": {}, \"pk\": 2}], \"a.C\": [],\n"
	"  \"a.D\": [{\"model\": \"a.D\", \"pk\": 3, \"fields\": {}}]},\n"
	" \"note\": null}\n";

static void documents_are_known_by_their_shape(void **state)
{
	(void)state;
	gives(list, "record a.b, line 2: {\"pk\":1,\"fields\":{\"x\":\"é]\"}}\n"
		    "record a.c, line 3: {\"pk\":2,\"fields\":{}}\n");
	gives(lines,
	      "record a.b, line 1: {\"pk\":1,\"fields\":{\"x\":[1,{}]}}\n"
	      "record a.c, line 2: {\"pk\":2,\"fields\":{}}\n");
	gives_at(models, 1,
		 "model a.B\n"
		 "record a.B, line 3: {\"pk\":1,\"fields\":{\"x\":null}}\n"
		 "record a.B, line 4: {\"pk\":2,\"fields\":{}}\n"
		 "model a.C\n"
		 "model a.D\n"
		 "record a.D, line 5: {\"pk\":3,\"fields\":{}}\n",
		 1795142122);
	gives("[]", "");
	gives(" \n [ ] \n ", "");
	gives("{\"models\":{}}", "");
	gives("{\"models\":{\"a\":[]}}", "model a\n");
}

static void what_is_not_for_us_is_left_to_others(void **state)
{
	static const char *const texts[] = {
		"",     "<html>", "{\"format\":\"dbstow-export/1\"",
		"null", "\"x\"",  " {\"f\\u006frmat\":1}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		gives(texts[i], "none\n");
}

static void looking_takes_nothing_away(void **state)
{
	struct buffer text = BUFFER_INIT, out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct dump_look look = { .at = 0 };
	struct text_input in = { .base = { read_text } };
	enum dump_shape shape;
	char byte;

	(void)state;
	/* more white space than is looked at */
	for (size_t i = 0; i < 100000; i++)
		buffer_byte(&text, ' ');
	buffer_str(&text, "[]");
	in.text = text.data;
	in.size = text.size;
	in.step = 1000;
	assert_int_equal(dump_look(&look, &in.base, "'x'", &shape, &err), 0);
	assert_int_equal(shape, DUMP_NONE);
	while (look.input.read(&look.input, &byte, 1, &err) == 1)
		buffer_byte(&out, byte);
	assert_int_equal(out.size, text.size);
	assert_memory_equal(out.data, text.data, out.size);
	dump_look_release(&look);
	buffer_release(&text);
	buffer_release(&out);
}

static void a_byte_order_mark_is_passed_over(void **state)
{
	(void)state;
	gives("\xef\xbb\xbf[{\"model\":\"a\",\"fields\":{}}]",
	      "record a, line 1: {\"fields\":{}}\n");
	gives("\xef\xbb\xbf", "none\n");
	refused_as("\xff\xfe[\0]\0", 6, ERROR_FAILED,
		   "'x.json' is UTF-16, and JSON is UTF-8; let the application "
		   "write the file itself (a shell such as PowerShell recodes "
		   "what it redirects)");
	refused_as("\xfe\xff\0[\0]", 6, ERROR_FAILED,
		   "'x.json' is UTF-16, and JSON is UTF-8; let the application "
		   "write the file itself (a shell such as PowerShell recodes "
		   "what it redirects)");
}

static void what_is_compressed_is_told_with_what_undoes_it(void **state)
{
	static const struct {
		const char *head, *program;
	} files[] = { { "\x1f\x8b\x08", "gzip" },
		      { "\x28\xb5\x2f\xfd", "zstd" },
		      { "BZh9", "bzip2" },
		      { "\xfd"
			"7zXZ",
			"xz" } };
	char message[200];

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(message, sizeof(message),
			 "'x.json' is compressed; decompress it first, such as "
			 "with: %s -dc FILE | dbstow import -",
			 files[i].program);
		refused_as(files[i].head, strlen(files[i].head), ERROR_FAILED,
			   message);
	}
}

/* Cut at every byte, a list and a model document are never complete. */
static void cut(const char *text)
{
	struct buffer out = BUFFER_INIT;
	size_t end = strlen(text), size;

	while (text[end - 1] == '\n')
		end--;
	for (size = 1; size < end; size++) {
		struct error err = ERROR_INIT;

		if (read_all(text, size, 3, &out, NULL, &err) == 0 &&
		    strcmp(buffer_cstr(&out), "none\n") != 0)
			fail_msg("%zu bytes are a document", size);
	}
	buffer_release(&out);
}

static void a_document_that_is_cut_is_none(void **state)
{
	struct buffer out = BUFFER_INIT;
	size_t first = (size_t)(strchr(lines, '\n') - lines), size;

	(void)state;
	cut(list);
	cut(models);
	/* lines are, at the end of a line */
	for (size = 8; size < sizeof(lines) - 2; size++) {
		struct error err = ERROR_INIT;
		int rc = read_all(lines, size, 3, &out, NULL, &err);

		if (size == first || size == first + 1)
			assert_int_equal(rc, 0);
		else
			assert_int_equal(rc, -1);
	}
	refused("[{\"model\":\"a\",\n\"fields\":{}}",
		"'x.json' is incomplete: it ends in line 2; get it again");
	buffer_release(&out);
}

static void nothing_stands_behind_the_end(void **state)
{
	(void)state;
	refused("[]\n[]", "'x.json': line 2: something stands behind the end");
	refused("{\"models\":{}}x",
		"'x.json': line 1: something stands behind the end");
	refused("[{\"model\":\"a\",\"fields\":{}}]}",
		"'x.json': line 1: something stands behind the end");
}

static void a_record_that_is_wrong_is_named(void **state)
{
	(void)state;
	refused("[{\"model\":\"a.b\",\"pk\":1,\"fields\":{}},\n\n"
		"{\"model\":\"a.b\",\"pk\":\"k\",\"fields\":{\"x\":\"\\ud800\"}}]",
		"'x.json': line 3: record 2 (a.b, pk \"k\"): field 'x' has half "
		"of a surrogate pair");
	refused("[{\"pk\":7,\"fields\":{\"x\":tru}}]",
		"'x.json': line 1: record 1 (pk 7): field 'x' has something "
		"else where a value must stand");
	refused("[{\"fields\":{\"x\":tru},\"model\":\"a\",\"pk\":7}]",
		"'x.json': line 1: record 1: field 'x' has something else where "
		"a value must stand");
	refused("{\"models\":{\"a.B\":[{\"pk\":7,\"fields\":{\"x\":NaN}}]}}",
		"'x.json': line 1: record 1 (a.B, pk 7): field 'x' has a number "
		"that JSON does not have (NaN or Infinity)");
	refused("[{\"pk\":7,\"fields\":{}}]",
		"'x.json': line 1: record 1 (pk 7): it has no 'model'");
	refused("[{\"model\":\"\",\"pk\":7,\"fields\":{}}]",
		"'x.json': line 1: record 1 (pk 7): its 'model' is no model's "
		"name");
	refused("[{\"model\":\"a\\u0000b\",\"pk\":7,\"fields\":{}}]",
		"'x.json': line 1: record 1 (pk 7): its 'model' is no model's "
		"name");
	refused("[{\"model\":\"a\\u202eb\",\"pk\":7,\"fields\":{}}]",
		"'x.json': line 1: record 1 (pk 7): its 'model' is no model's "
		"name");
	refused("{\"models\":{\"a\":[{\"model\":\"b\",\"fields\":{}}]}}",
		"'x.json': line 1: record 1 (a): its 'model' is another than it "
		"stands under");
	refused("[1]", "'x.json': line 1: record 1: it is no object");
	refused("{\"pk\":1}{\"x\":1}",
		"'x.json': line 1: record 1 (pk 1): it has no 'fields'");
	refused("{\"pk\":1,\"fields\":{},\"model\":\"a\"}\n{\"x\":1}",
		"'x.json': line 2: record 2: it has the member 'x' and should "
		"have none but 'model', 'pk' and 'fields'");
}

static void punctuation_that_is_missing_or_too_much(void **state)
{
	(void)state;
	refused("[,]", "'x.json': line 1: a value expected, not ','");
	refused("[{\"model\":\"a\",\"fields\":{}},]",
		"'x.json': line 1: a value expected, not ']'");
	refused("[{\"model\":\"a\",\"fields\":{}} {}]",
		"'x.json': line 1: ',' expected, not '{'");
	refused("{\"models\":{\"a\":[]},}",
		"'x.json': line 1: a value expected, not '}'");
	refused("{\"models\" {}}", "'x.json': line 1: ':' expected, not '{'");
	refused("{\"models\":[]}",
		"'x.json': line 1: 'models' is no object of models");
	refused("{1:2}", "'x.json': line 1: a member's name expected, not 1");
	refused("{\"models\":{\"a\":[] \"b\":[]}}",
		"'x.json': line 1: ',' expected, not '\"'");
}

static void members_that_may_be_data_are_not_passed_over(void **state)
{
	(void)state;
	refused("{\"models\":{},\n\"files\":{\"a\":1}}",
		"'x.json': line 2: the member 'files' is neither 'models' nor a "
		"plain value; dbstow does not know whether it is data");
	refused("{\"files\":[],\"models\":{}}",
		"'x.json': line 1: the member 'files' is neither 'models' nor a "
		"plain value; dbstow does not know whether it is data");
	refused("{\"models\":{},\"models\":{}}",
		"'x.json': line 1: 'models' is there twice");
	refused("{\"x\":nonsense,\"models\":{}}",
		"'x.json': line 1: 'x': invalid token near 'nonsense'");
	refused_as("{\"detail\":\"not found\"}", 22, ERROR_FAILED,
		   "'x.json' is no document that dbstow knows: it has neither "
		   "\"format\":\"dbstow-export/1\" nor \"models\"");
	refused_as("{}", 2, ERROR_FAILED,
		   "'x.json' is no document that dbstow knows: it has neither "
		   "\"format\":\"dbstow-export/1\" nor \"models\"");
}

static void a_model_can_be_left_out(void **state)
{
	(void)state;
	gives("{\"models\":{\"a.B\":{\"error\":\"no such\\ntable\"},\"c\":[]}}",
	      "left out a.B: no such\\x0atable\nmodel c\n");
	gives("{\"models\":{\"a\":{\"count\":0,\"error\":{\"code\":5}}}}",
	      "left out a: {\"code\":5}\n");
	refused("{\"models\":{\"a\":{\"count\":0}}}",
		"'x.json': line 1: model 'a' has neither a list of records nor "
		"an 'error'");
	refused("{\"models\":{\"a\":null}}",
		"'x.json': line 1: model 'a' has neither a list of records nor "
		"an 'error'");
	refused("{\"models\":{\"\":[]}}",
		"'x.json': line 1: a model has a name that is none");
}

static void a_date_that_is_none_is_no_date(void **state)
{
	static const struct {
		const char *text;
		int64_t s;
	} dates[] = { { "\"2023-11-14T22:13:20+00:00\"", 1700000000 },
		      { "\"2023-11-14T23:13:20.5+01:00\"", 1700000000 },
		      { "\"2023-11-14 22:13:20.999999\"", 1700000000 },
		      { "\"2023-11-14T22:13:20Z\"", 1700000000 },
		      { "\"1960-01-01\"", 0 },
		      { "\"yesterday\"", 0 },
		      { "1700000000", 0 },
		      { "null", 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
		char text[128];

		snprintf(text, sizeof(text),
			 "{\"models\":{},\"export_date\":%s}", dates[i].text);
		gives_at(text, 5, "", dates[i].s);
	}
}

/* A record that is too long is told before all of it is in memory. */
static ssize_t read_endless(struct byte_input *input, void *data, size_t size,
			    struct error *err)
{
	static const char head[] = "[{\"model\":\"a\",\"pk\":1,\"fields\":{"
				   "\"x\":\"";
	struct text_input *t = (struct text_input *)input;

	(void)err;
	memset(data, 'x', size);
	if (!t->size)
		memcpy(data, head, sizeof(head) - 1);
	t->size += size;
	assert_true(t->size < (size_t)100 << 20);
	return (ssize_t)size;
}

static void a_record_without_end_is_refused(void **state)
{
	struct text_input in = { .base = { read_endless } };
	struct error err = ERROR_INIT;
	struct dump_item item;
	struct dump *d;

	(void)state;
	assert_int_equal(dump_open(&d, &in.base, "'x.json'", DUMP_LIST, &err),
			 0);
	assert_int_equal(dump_next(d, &item, &err), -1);
	assert_string_equal(err.message,
			    "'x.json': line 1: record 1: it takes more bytes "
			    "than a snapshot's line may have");
	dump_free(d);
}

/* All of it came, and then the connection broke: perhaps more was to come. */
static ssize_t read_broken(struct byte_input *input, void *data, size_t size,
			   struct error *err)
{
	struct text_input *t = (struct text_input *)input;

	if (!t->size)
		return error_set(err, ERROR_NETWORK, "it broke");
	return read_text(input, data, size, err);
}

static void an_input_that_breaks_at_the_end_is_no_document(void **state)
{
	static const struct {
		const char *text;
		enum dump_shape shape;
	} texts[] = { { list, DUMP_LIST },
		      { lines, DUMP_LINES },
		      { models, DUMP_MODELS } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct text_input in = { { read_broken },
					 texts[i].text,
					 strlen(texts[i].text),
					 1000 };
		struct error err = ERROR_INIT;
		struct dump_item item;
		struct dump *d;
		int event;

		assert_int_equal(
			dump_open(&d, &in.base, "'x'", texts[i].shape, &err),
			0);
		while ((event = dump_next(d, &item, &err)) > 0)
			;
		assert_int_equal(event, -1);
		assert_string_equal(err.message, "it broke");
		dump_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_are_known_by_their_shape),
		cmocka_unit_test(what_is_not_for_us_is_left_to_others),
		cmocka_unit_test(looking_takes_nothing_away),
		cmocka_unit_test(a_byte_order_mark_is_passed_over),
		cmocka_unit_test(
			what_is_compressed_is_told_with_what_undoes_it),
		cmocka_unit_test(a_document_that_is_cut_is_none),
		cmocka_unit_test(nothing_stands_behind_the_end),
		cmocka_unit_test(a_record_that_is_wrong_is_named),
		cmocka_unit_test(punctuation_that_is_missing_or_too_much),
		cmocka_unit_test(members_that_may_be_data_are_not_passed_over),
		cmocka_unit_test(a_model_can_be_left_out),
		cmocka_unit_test(a_date_that_is_none_is_no_date),
		cmocka_unit_test(a_record_without_end_is_refused),
		cmocka_unit_test(
			an_input_that_breaks_at_the_end_is_no_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
