/*
 * test_document_read.c - a document read back, whole and damaged
 */
#include "tests/export/sample.h"

#include "snapshot/document.h"
#include "snapshot/row.h"
#include "snapshot/value.h"

static const char sample_sql[] =
	"CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, score REAL);"
	"CREATE TABLE empty(x);"
	"CREATE TABLE tags(k TEXT PRIMARY KEY, v) WITHOUT ROWID;"
	"INSERT INTO users VALUES(1,'Ada \"\\ {[',0.1),(2,NULL,-0.5),"
	"(-5,'line' || char(10) || 'two',9e999);"
	"INSERT INTO tags VALUES('a',x'00ff'),('b',9223372036854775807);";

static int take(void *payload, const void *data, size_t size, struct error *err)
{
	(void)err;
	buffer_add(payload, data, size);
	return 0;
}

/* The document of a database. */
static void write_document(const char *sql, struct buffer *out)
{
	struct snapshot_info info = { .created_at_s = 1763607322,
				      .source = (char *)"app.db",
				      .page_size = 4096 };
	struct error err = ERROR_INIT;
	struct sample s;

	sample_open(&s, sql);
	if (export_document(s.db, s.catalog, &info, take, out, &err) < 0)
		fail_msg("%s", err.message);
	sample_close(&s);
}

/* Bytes that arrive `piece` at a time. */
struct text_input {
	struct byte_input base;
	const char *data;
	size_t size, at, piece;
};

static ssize_t read_text(struct byte_input *input, void *data, size_t size,
			 struct error *err)
{
	struct text_input *t = (struct text_input *)input;
	size_t n = t->size - t->at;

	(void)err;
	if (n > size)
		n = size;
	if (n > t->piece)
		n = t->piece;
	memcpy(data, t->data + t->at, n);
	t->at += n;
	return (ssize_t)n;
}

static int read_table(struct document *d, size_t at, struct buffer *lines,
		      struct error *err)
{
	const struct table *t = &document_catalog(d)->tables[at];
	struct row_shape *shape;
	struct value values[8];
	int64_t rowid;
	int more;

	if (document_table(d, t, err) < 0)
		return -1;
	assert_int_equal(row_shape_new(&shape, t, err), 0);
	while ((more = document_row(d, &rowid, values, err)) > 0)
		row_encode(lines, shape, rowid, values, NULL, err);
	row_shape_free(shape);
	return more;
}

/* Read a document to its end; `lines` gets the rows of all tables. */
static int read_document(const char *data, size_t size, size_t piece,
			 struct buffer *lines, struct error *err)
{
	struct text_input in = { { read_text }, data, size, 0, piece };
	struct document *d;
	int rc = -1;

	if (document_open(&d, &in.base, "'x.json'", err) < 0)
		return -1;
	for (size_t i = 0; i < document_catalog(d)->table_count; i++) {
		if (read_table(d, i, lines, err) < 0)
			goto done;
	}
	rc = document_end(d, err);
done:
	document_free(d);
	return rc;
}

static const char expected[] =
	"{\"k\":\"a\",\"v\":{\"$blob\":\"AP8=\"}}\n"
	"{\"k\":\"b\",\"v\":{\"$int\":\"9223372036854775807\"}}\n"
	"{\"id\":-5,\"name\":\"line\\ntwo\",\"score\":{\"$real\":\"inf\"}}\n"
	"{\"id\":1,\"name\":\"Ada \\\"\\\\ {[\",\"score\":0.1}\n"
	"{\"id\":2,\"score\":-0.5}\n";

static void what_was_written_is_read(void **state)
{
	static const size_t pieces[] = { 1, 2, 7, 1000000 };
	struct buffer text = BUFFER_INIT;

	(void)state;
	write_document(sample_sql, &text);
	for (size_t i = 0; i < 4; i++) {
		struct buffer lines = BUFFER_INIT;
		struct error err = ERROR_INIT;

		if (read_document(text.data, text.size, pieces[i], &lines,
				  &err) < 0)
			fail_msg("%s", err.message);
		assert_string_equal(buffer_cstr(&lines), expected);
		buffer_release(&lines);
	}
	buffer_release(&text);
}

static void facts_of_the_run_are_read(void **state)
{
	struct buffer text = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct text_input in;
	struct document *d;

	(void)state;
	write_document(sample_sql, &text);
	in = (struct text_input){ { read_text }, text.data, text.size, 0, 9 };
	assert_int_equal(document_open(&d, &in.base, "'x.json'", &err), 0);
	assert_string_equal(document_info(d)->source, "app.db");
	assert_int_equal(document_info(d)->created_at_s, 1763607322);
	assert_int_equal(document_catalog(d)->page_size, 4096);
	assert_int_equal(document_catalog(d)->table_count, 3);
	document_free(d);
	buffer_release(&text);
}

static void an_empty_database_is_read(void **state)
{
	struct buffer text = BUFFER_INIT, lines = BUFFER_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	write_document("", &text);
	assert_int_equal(read_document(text.data, text.size, 5, &lines, &err),
			 0);
	assert_int_equal(lines.size, 0);
	buffer_release(&text);
}

/* White space wherever JSON allows it. */
static void spread_out(struct buffer *out, const struct buffer *text)
{
	int in_string = 0;

	for (size_t i = 0; i < text->size; i++) {
		char c = text->data[i];

		buffer_byte(out, c);
		if (in_string && c == '\\')
			buffer_byte(out, text->data[++i]);
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && strchr("{}[],:", c))
			buffer_str(out, "\r\n\t ");
	}
}

static void any_white_space_is_accepted(void **state)
{
	struct buffer text = BUFFER_INIT, wide = BUFFER_INIT;
	struct buffer lines = BUFFER_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	write_document(sample_sql, &text);
	spread_out(&wide, &text);
	if (read_document(wide.data, wide.size, 100, &lines, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(buffer_cstr(&lines), expected);
	buffer_release(&text);
	buffer_release(&wide);
	buffer_release(&lines);
}

static void a_document_that_ends_early_is_refused(void **state)
{
	struct buffer text = BUFFER_INIT;

	(void)state;
	write_document(sample_sql, &text);
	/* all but its last newline */
	for (size_t size = 0; size < text.size - 1; size++) {
		struct buffer lines = BUFFER_INIT;
		struct error err = ERROR_INIT;

		if (read_document(text.data, size, 4096, &lines, &err) == 0)
			fail_msg("%zu of %zu bytes were enough", size,
				 text.size);
		assert_true(err.code == ERROR_DAMAGE ||
			    err.code == ERROR_FAILED);
		buffer_release(&lines);
	}
	buffer_release(&text);
}

static void a_changed_byte_of_a_row_is_found(void **state)
{
	struct buffer text = BUFFER_INIT;
	size_t first, last;

	(void)state;
	write_document(sample_sql, &text);
	first = (size_t)(strstr(buffer_cstr(&text), "\"tables\":{\"") -
			 text.data);
	last = (size_t)(strstr(text.data, "\"end\"") - text.data);
	for (size_t i = first; i < last; i++) {
		struct buffer lines = BUFFER_INIT;
		struct error err = ERROR_INIT;

		if (strchr(" \r\n\t", text.data[i]))
			continue;
		text.data[i] ^= 1;
		if (read_document(text.data, text.size, 4096, &lines, &err) ==
		    0)
			fail_msg("byte %zu: %.20s", i, text.data + i);
		text.data[i] ^= 1;
		buffer_release(&lines);
	}
	buffer_release(&text);
}

/* The document with the first `from` in it replaced, and what reading says. */
static void refused(const char *from, const char *to, enum error_code code,
		    const char *message)
{
	struct buffer text = BUFFER_INIT, changed = BUFFER_INIT;
	struct buffer lines = BUFFER_INIT;
	struct error err = ERROR_INIT;
	const char *at;

	write_document(sample_sql, &text);
	at = strstr(buffer_cstr(&text), from);
	assert_non_null(at);
	buffer_add(&changed, text.data, (size_t)(at - text.data));
	buffer_str(&changed, to);
	buffer_str(&changed, at + strlen(from));
	assert_int_equal(
		read_document(changed.data, changed.size, 100, &lines, &err),
		-1);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, code);
	buffer_release(&text);
	buffer_release(&changed);
	buffer_release(&lines);
}

static void errors_say_where_and_what(void **state)
{
	(void)state;
	refused("{\"format\"", "<!DOCTYPE html>{", ERROR_FAILED,
		"'x.json' is no document that dbstow knows: it begins neither "
		"with {\"format\":\"dbstow-export/1\" nor as a list of "
		"records does");
	refused("dbstow-export/1", "dbstow-export/2", ERROR_FAILED,
		"'x.json' has the format \"dbstow-export/2\", which is newer "
		"than this dbstow reads (dbstow-export/1); install a newer "
		"dbstow");
	refused("dbstow-export/1", "other", ERROR_FAILED,
		"'x.json' is no dbstow document: its format is \"other\"");
	refused("\"empty\":[", "\"void\":[", ERROR_DAMAGE,
		"'x.json': line 9: member 'empty' expected, not \"void\"");
	refused("\"score\":0.1", "\"score\":0.2", ERROR_DAMAGE,
		"'x.json': table 'users': the rows do not have the digest "
		"that its end tells; get it again");
	refused("{\"id\":2,", "{\"id\":\"2\",", ERROR_DAMAGE,
		"'x.json': line 15: table 'users', row 3: key 'id' is "
		"the rowid, and no integer");
	refused("]}}\n", "]}", ERROR_DAMAGE,
		"'x.json' is incomplete: it ends in line 21; get it again");
	refused(",\n{\"id\":2,\"score\":-0.5}", "", ERROR_DAMAGE,
		"'x.json': table 'users': 2 rows were read, its end tells "
		"another number; get it again");
	refused("]}}\n", "]}}\n{}", ERROR_DAMAGE,
		"'x.json': line 22: something stands behind the end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(facts_of_the_run_are_read),
		cmocka_unit_test(an_empty_database_is_read),
		cmocka_unit_test(any_white_space_is_accepted),
		cmocka_unit_test(a_document_that_ends_early_is_refused),
		cmocka_unit_test(a_changed_byte_of_a_row_is_found),
		cmocka_unit_test(errors_say_where_and_what),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
