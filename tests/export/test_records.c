/*
 * test_records.c - documents of others to record snapshots, and back
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
#include "export/export.h"
#include "snapshot/catalog.h"
#include "snapshot/dump.h"
#include "snapshot/manifest.h"
#include "snapshot/records.h"
#include "tests/support/memory_store.h"

struct text_input {
	struct byte_input base;
	const char *text;
	size_t size;
};

static ssize_t read_text(struct byte_input *input, void *data, size_t size,
			 struct error *err)
{
	struct text_input *t = (struct text_input *)input;
	size_t n = t->size < size ? t->size : size;

	(void)err;
	memcpy(data, t->text, n);
	t->text += n;
	t->size -= n;
	return (ssize_t)n;
}

/* A snapshot of a document. */
struct made {
	struct memory_store *store;
	struct catalog *catalog;
	struct object_id content, root;
	struct source *source;
};

static int make(struct made *m, const char *text, size_t size, int partial,
		struct error *err)
{
	struct text_input in = { { read_text }, text, size };
	struct dump_look look = { .at = 0 };
	struct snapshot_info info = { .engine = (char *)RECORDS_ENGINE,
				      .source = (char *)"app" };
	struct sink *sink;
	enum dump_shape shape;
	struct dump *d = NULL;
	int rc;

	memset(m, 0, sizeof(*m));
	m->store = memory_store_new();
	sink = memory_store_sink(m->store);
	assert_int_equal(dump_look(&look, &in.base, "'x'", &shape, err), 0);
	assert_int_equal(dump_open(&d, &look.input, "'x'", shape, err), 0);
	rc = export_records(d, "'x'", partial, sink, NULL, &m->catalog,
			    &m->content, err);
	if (rc == 0) {
		assert_int_equal(export_root(&info, m->catalog, &m->content,
					     sink, &m->root, err),
				 0);
		m->source = memory_store_source(m->store, &m->root);
	}
	dump_free(d);
	dump_look_release(&look);
	return rc;
}

static void release(struct made *m)
{
	source_free(m->source);
	catalog_free(m->catalog);
	memory_store_free(m->store);
}

static void made(struct made *m, const char *text)
{
	struct error err = ERROR_INIT;

	if (make(m, text, strlen(text), 0, &err) < 0)
		fail_msg("%s", err.message);
}

static void refused(const char *text, enum error_code code, const char *message)
{
	struct error err = ERROR_INIT;
	struct made m;

	if (make(&m, text, strlen(text), 0, &err) == 0)
		fail_msg("accepted: %s", text);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, code);
	assert_null(m.catalog);
	release(&m);
}

/* What the snapshot's reader gives, "model: line\n" each. */
static void read_back(const struct made *m, struct buffer *out)
{
	struct error err = ERROR_INIT;
	const struct catalog *c;
	struct records *r;
	struct record record;
	int rc = 0;

	buffer_clear(out);
	assert_int_equal(records_open(&r, m->source, &err), 0);
	c = records_catalog(r);
	for (size_t i = 0; i < c->table_count; i++) {
		uint64_t rows = 0;

		assert_int_equal(records_begin(r, &c->tables[i], &err), 0);
		while ((rc = records_next(r, &record, &err)) > 0) {
			buffer_printf(out, "%s: ", c->tables[i].name);
			buffer_add(out, record.line.data, record.line.size);
			buffer_byte(out, '\n');
			rows++;
		}
		if (rc < 0)
			fail_msg("%s", err.message);
		assert_int_equal(rows, c->tables[i].rows);
	}
	records_free(r);
}

static void reads_back_as(const char *text, const char *records)
{
	struct buffer out = BUFFER_INIT;
	struct made m;

	made(&m, text);
	read_back(&m, &out);
	assert_string_equal(buffer_cstr(&out), records);
	buffer_release(&out);
	release(&m);
}

static void the_same(const char *a, const char *b)
{
	struct made x, y;

	made(&x, a);
	made(&y, b);
	assert_memory_equal(&x.content, &y.content, sizeof(x.content));
	release(&x);
	release(&y);
}

static void equal_records_are_equal_content(void **state)
{
	static const char list[] =
		"[{\"model\":\"b\",\"pk\":2,\"fields\":{\"x\":1,\"y\":2}},"
		"{\"model\":\"a\",\"pk\":1,\"fields\":{}},"
		"{\"model\":\"b\",\"pk\":1,\"fields\":{}}]";

	(void)state;
	/* other orders, other white space, other shapes */
	the_same(list,
		 "[ {\"model\":\"b\",\"pk\":1,\"fields\":{} },"
		 "{\"fields\":{\"y\":2,\"x\":1},\"model\":\"b\",\"pk\":2},"
		 "{\"model\":\"a\",\"pk\":1,\"fields\":{}}]");
	the_same(list,
		 "{\"model\":\"a\",\"pk\":1,\"fields\":{}}\n"
		 "{\"model\":\"b\",\"pk\":1,\"fields\":{}}\n"
		 "{\"model\":\"b\",\"pk\":2,\"fields\":{\"x\":1,\"y\":2}}");
	the_same(list, "{\"export_date\":\"2026-01-01\",\"models\":{"
		       "\"b\":[{\"fields\":{\"x\":1,\"y\":2},\"pk\":2},"
		       "{\"pk\":1,\"fields\":{}}],"
		       "\"a\":[{\"pk\":1,\"fields\":{}}]}}");
}

static void records_lie_by_model_and_pk(void **state)
{
	(void)state;
	reads_back_as("{\"model\":\"b\",\"pk\":10,\"fields\":{}}"
		      "{\"model\":\"b\",\"pk\":\"x\",\"fields\":{}}"
		      "{\"model\":\"b\",\"fields\":{\"z\":1}}"
		      "{\"model\":\"a.b\",\"pk\":1,\"fields\":{}}"
		      "{\"model\":\"b\",\"pk\":1.50,\"fields\":{}}"
		      "{\"model\":\"b\",\"pk\":1.5,\"fields\":{}}"
		      "{\"model\":\"b\",\"pk\":-3,\"fields\":{}}"
		      "{\"model\":\"a\",\"pk\":1,\"fields\":{}}"
		      "{\"model\":\"b\",\"pk\":9,\"fields\":{}}"
		      "{\"model\":\"b\",\"fields\":{\"a\":1}}"
		      "{\"model\":\"b\",\"pk\":-20,\"fields\":{}}"
		      "{\"model\":\"b\",\"pk\":99999999999999999999,"
		      "\"fields\":{}}",
		      "a: {\"pk\":1,\"fields\":{}}\n"
		      "a.b: {\"pk\":1,\"fields\":{}}\n"
		      "b: {\"pk\":-20,\"fields\":{}}\n"
		      "b: {\"pk\":-3,\"fields\":{}}\n"
		      "b: {\"pk\":9,\"fields\":{}}\n"
		      "b: {\"pk\":10,\"fields\":{}}\n"
		      "b: {\"pk\":99999999999999999999,\"fields\":{}}\n"
		      "b: {\"pk\":\"x\",\"fields\":{}}\n"
		      "b: {\"pk\":1.5,\"fields\":{}}\n"
		      "b: {\"pk\":1.50,\"fields\":{}}\n"
		      "b: {\"fields\":{\"a\":1}}\n"
		      "b: {\"fields\":{\"z\":1}}\n");
}

static void records_without_a_pk_may_be_equal(void **state)
{
	(void)state;
	reads_back_as("[{\"model\":\"a\",\"fields\":{\"x\":1}},"
		      "{\"model\":\"a\",\"pk\":null,\"fields\":{\"x\":1}}]",
		      "a: {\"fields\":{\"x\":1}}\n"
		      "a: {\"fields\":{\"x\":1}}\n");
}

static void a_record_that_is_there_twice_is_refused(void **state)
{
	(void)state;
	refused("[{\"model\":\"a\",\"pk\":7,\"fields\":{\"x\":2}},\n"
		"{\"model\":\"b\",\"pk\":7,\"fields\":{}},\n"
		"{\"model\":\"a\",\"pk\":7,\"fields\":{\"x\":1}}]",
		ERROR_DAMAGE,
		"'x': line 3: model 'a', pk 7: it is there a second time, after "
		"line 1");
	refused("{\"model\":\"a\",\"pk\":\"k\",\"fields\":{}}\n"
		"{\"model\":\"a\",\"pk\":\"\\u006b\",\"fields\":{}}\n",
		ERROR_DAMAGE,
		"'x': line 2: model 'a', pk \"k\": it is there a second time, "
		"after line 1");
}

static void a_model_that_is_there_twice_is_refused(void **state)
{
	(void)state;
	refused("{\"models\":{\"a\":[],\"b\":[],\n\"\\u0061\":[]}}",
		ERROR_DAMAGE, "'x': line 2: model 'a' is there twice");
}

static void a_document_without_records_is_refused(void **state)
{
	static const char said[] = "'x' holds no record; an empty document is "
				   "no backup, and is not stored";

	(void)state;
	refused("[]", ERROR_REFUSED, said);
	refused("{\"models\":{}}", ERROR_REFUSED, said);
	refused("{\"models\":{\"a\":[],\"b\":[]}}", ERROR_REFUSED, said);
}

static void manifest_is(const struct made *m, const char *text)
{
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(
		m->source->read(m->source, "data/manifest.json", &out, &err),
		0);
	assert_string_equal(buffer_cstr(&out), text);
	buffer_release(&out);
}

static void a_model_that_was_left_out_is_on_record(void **state)
{
	static const char text[] =
		"{\"models\":{\"b\":[{\"pk\":1,\"fields\":{}}],\"a\":[],"
		"\"d\":{\"error\":\"no \\\"d\\\"\"},\"c\":{\"error\":\"x\"}}}";
	struct error err = ERROR_INIT;
	struct catalog *c;
	struct made m;

	(void)state;
	refused(text, ERROR_FAILED,
		"'x': the application could not export model 'd': no \"d\"; mend "
		"that, or import with --allow-partial to store the others");
	assert_int_equal(make(&m, text, strlen(text), 1, &err), 0);
	manifest_is(
		&m,
		"{\n\"format\": \"dbstow-records/1\",\n\"tables\": [\n {\n"
		"  \"name\": \"a\",\n  \"dir\": \"a\",\n  \"rows\": 0,\n"
		"  \"sha256\": \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b"
		"934ca495991b7852b855\"\n },\n {\n"
		"  \"name\": \"b\",\n  \"dir\": \"b\",\n  \"rows\": 1,\n"
		"  \"sha256\": \"a5db9f2be8f051f22264da5e4d82070f8945b1789ec4"
		"8aec6d2d470f773266e0\"\n }\n],\n\"partial\": {\n"
		" \"c\": \"x\",\n \"d\": \"no \\\"d\\\"\"\n}\n}\n");
	assert_int_equal(manifest_read(&c, m.source, &err), 0);
	assert_true(records_are(c));
	assert_int_equal(c->left_out_count, 2);
	assert_string_equal(c->left_out[0].name, "c");
	assert_string_equal(c->left_out[1].why, "no \"d\"");
	catalog_free(c);
	release(&m);
}

static void a_model_of_any_name_has_a_folder(void **state)
{
	struct buffer out = BUFFER_INIT;
	struct made m;

	(void)state;
	made(&m, "[{\"model\":\"../x\",\"pk\":1,\"fields\":{}},"
		 "{\"model\":\"auth.User\",\"pk\":1,\"fields\":{}},"
		 "{\"model\":\"auth.user\",\"pk\":1,\"fields\":{}}]");
	read_back(&m, &out);
	assert_string_equal(buffer_cstr(&out),
			    "../x: {\"pk\":1,\"fields\":{}}\n"
			    "auth.User: {\"pk\":1,\"fields\":{}}\n"
			    "auth.user: {\"pk\":1,\"fields\":{}}\n");
	buffer_release(&out);
	release(&m);
}

/* ---- many records ---- */

/* `count` records; that of pk `changed` has other fields. */
static void write_many(struct buffer *out, int count, int changed)
{
	buffer_byte(out, '[');
	for (int i = 0; i < count; i++)
		buffer_printf(
			out,
			"%s{\"model\":\"m\",\"pk\":%d,\"fields\":{\"name\":"
			"\"%s of record %d\"}}",
			i ? "," : "", i,
			i == changed ? "another and longer name" : "the name",
			i);
	buffer_byte(out, ']');
}

/* The files of a model, "name size" a line. */
static size_t list_files(const struct made *m, struct buffer *out)
{
	struct source_names names = { 0 };
	struct error err = ERROR_INIT;
	size_t count;

	assert_int_equal(
		m->source->list(m->source, "data/tables/m", &names, &err), 0);
	for (size_t i = 0; i < names.count; i++)
		buffer_printf(out, "%s\n", names.names[i].name);
	count = names.count;
	source_names_release(&names);
	return count;
}

static void an_edited_record_changes_one_line(void **state)
{
	struct buffer text = BUFFER_INIT, edited = BUFFER_INIT;
	struct buffer before = BUFFER_INIT, after = BUFFER_INIT;
	struct made a, b;
	char *x, *y;
	int lines = 0;

	(void)state;
	write_many(&text, 20000, -1);
	write_many(&edited, 20000, 12345);
	made(&a, buffer_cstr(&text));
	made(&b, buffer_cstr(&edited));
	assert_true(list_files(&a, &before) > 10);
	list_files(&b, &after);
	assert_string_equal(buffer_cstr(&before), buffer_cstr(&after));
	read_back(&a, &before);
	read_back(&b, &after);
	x = (char *)(uintptr_t)buffer_cstr(&before);
	y = (char *)(uintptr_t)buffer_cstr(&after);
	while (*x && *y) {
		size_t n = strcspn(x, "\n"), k = strcspn(y, "\n");

		lines += n != k || memcmp(x, y, n) != 0;
		x += n + 1;
		y += k + 1;
	}
	assert_int_equal(lines, 1);
	assert_int_equal(*x | *y, 0);
	buffer_release(&text);
	buffer_release(&edited);
	buffer_release(&before);
	buffer_release(&after);
	release(&a);
	release(&b);
}

/* Only the pk decides on cuts and names, also in front of an edited record. */
static void edited_records_rename_no_file(void **state)
{
	struct buffer text = BUFFER_INIT, edited = BUFFER_INIT;
	struct buffer before = BUFFER_INIT, after = BUFFER_INIT;
	struct made a, b;
	char *at;

	(void)state;
	write_many(&text, 20000, -1);
	write_many(&edited, 20000, -1);
	at = (char *)(uintptr_t)buffer_cstr(&edited);
	while ((at = strstr(at, "the name")))
		memcpy(at, "NEW", 3);
	made(&a, buffer_cstr(&text));
	made(&b, buffer_cstr(&edited));
	assert_true(list_files(&a, &before) > 10);
	list_files(&b, &after);
	assert_string_equal(buffer_cstr(&before), buffer_cstr(&after));
	assert_memory_not_equal(&a.content, &b.content, sizeof(a.content));
	buffer_release(&text);
	buffer_release(&edited);
	buffer_release(&before);
	buffer_release(&after);
	release(&a);
	release(&b);
}

/* More than is sorted at once, and models one among the other. */
static void records_that_fill_several_runs_are_sorted(void **state)
{
	struct buffer text = BUFFER_INIT, out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct records *r;
	struct record record;
	struct made m;

	(void)state;
	for (int i = 79; i >= 0; i--) {
		buffer_printf(
			&text,
			"{\"model\":\"%c\",\"pk\":%d,\"fields\":{\"x\":\"",
			i % 2 ? 'o' : 'e', i);
		for (int k = 0; k < 10000; k++)
			buffer_add(&text,
				   "0123456789abcdef0123456789abcdef0123"
				   "456789abcdef0123456789abcdef",
				   64);
		buffer_str(&text, "\"}}\n");
	}
	assert_int_equal(make(&m, text.data, text.size, 0, &err), 0);
	assert_int_equal(records_open(&r, m.source, &err), 0);
	for (int model = 0; model < 2; model++) {
		int pk = model;

		assert_int_equal(
			records_begin(r, &records_catalog(r)->tables[model],
				      &err),
			0);
		while (records_next(r, &record, &err) > 0) {
			buffer_clear(&out);
			buffer_add(&out, record.pk.data, record.pk.size);
			assert_int_equal(strtol(buffer_cstr(&out), NULL, 10),
					 pk);
			pk += 2;
		}
		assert_int_equal(pk, 80 + model);
	}
	assert_int_equal(err.code, 0);
	records_free(r);
	release(&m);
	buffer_release(&text);
	buffer_release(&out);
}

/* ---- progress ---- */

struct counting {
	struct export_progress base;
	int calls, stop_at;
};

static int count_tick(struct export_progress *p, const char *table,
		      uint64_t rows)
{
	struct counting *c = (struct counting *)p;

	(void)table;
	(void)rows;
	return ++c->calls == c->stop_at;
}

static void an_import_of_records_can_be_stopped(void **state)
{
	struct counting counting = { .base = { .tick = count_tick },
				     .stop_at = 3 };
	struct buffer text = BUFFER_INIT;
	struct text_input in = { .base = { read_text } };
	struct error err = ERROR_INIT;
	struct catalog *c = NULL;
	struct object_id content;
	struct sink *hash;
	struct dump *d;

	(void)state;
	write_many(&text, 20000, -1);
	in.text = text.data;
	in.size = text.size;
	assert_int_equal(hash_sink_new(&hash, &err), 0);
	assert_int_equal(dump_open(&d, &in.base, "'x'", DUMP_LIST, &err), 0);
	assert_int_equal(export_records(d, "'x'", 0, hash, &counting.base, &c,
					&content, &err),
			 -1);
	assert_int_equal(err.code, ERROR_INTERRUPTED);
	assert_int_equal(counting.calls, 3);
	dump_free(d);
	hash_sink_free(hash);
	buffer_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_records_are_equal_content),
		cmocka_unit_test(records_lie_by_model_and_pk),
		cmocka_unit_test(records_without_a_pk_may_be_equal),
		cmocka_unit_test(a_record_that_is_there_twice_is_refused),
		cmocka_unit_test(a_model_that_is_there_twice_is_refused),
		cmocka_unit_test(a_document_without_records_is_refused),
		cmocka_unit_test(a_model_that_was_left_out_is_on_record),
		cmocka_unit_test(a_model_of_any_name_has_a_folder),
		cmocka_unit_test(an_edited_record_changes_one_line),
		cmocka_unit_test(edited_records_rename_no_file),
		cmocka_unit_test(records_that_fill_several_runs_are_sorted),
		cmocka_unit_test(an_import_of_records_can_be_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
