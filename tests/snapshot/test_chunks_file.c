/*
 * test_chunks_file.c - files of rows decoded ahead, as far as that goes
 */
#include "tests/snapshot/chunks_fixture.h"

#include "snapshot/chunks_internal.h"

/* The first file, prepared. */
static struct chunk_file *prepared(struct world *w, struct source_reader **by)
{
	struct chunk_file *f;

	w->files->source.reader = files_reader;
	assert_int_equal(
		chunk_reader_new(&w->reader, w->t, &w->files->source, &w->err),
		0);
	assert_int_equal(chunk_file_new(&f, w->t, &w->err), 0);
	*by = chunk_reader_reader(w->reader);
	assert_int_equal(chunk_reader_find(w->reader, f, &w->err), 1);
	chunk_file_prepare(f, *by);
	return f;
}

static void done(struct chunk_file *f, struct source_reader *by)
{
	by->free(by);
	chunk_file_free(f);
}

/* Rows that all lie in one file. */
static void add_uncut(struct world *w, size_t count)
{
	struct value values[2] = { { .class = VALUE_INTEGER },
				   { .class = VALUE_NULL } };
	int64_t id = 0;

	begin(w);
	for (size_t i = 0; i < count; i++) {
		do
			id++;
		while (hash_mix64((uint64_t)id) >> 48 < 64);
		values[0].integer = id;
		assert_int_equal(
			table_writer_row(w->writer, id, values, &w->err), 0);
	}
	finish(w);
	assert_int_equal(w->files->count, 1);
}

static void a_file_is_decoded_before_its_turn(void **state)
{
	struct world *w = *state;
	struct source_reader *by;
	struct chunk_file *f;

	add_uncut(w, 1000);
	f = prepared(w, &by);
	assert_int_equal(f->row_count, 1000);
	assert_int_equal(f->rowids[0], 1);
	assert_int_equal(f->values[2 * 999].integer, f->rowids[999]);
	done(f, by);
	assert_sound(w);
}

static void of_many_values_the_rest_is_decoded_in_turn(void **state)
{
	struct world *w = *state;
	struct source_reader *by;
	struct chunk_file *f;

	add_uncut(w, 20000);
	f = prepared(w, &by);
	/* 2^14 rows of two values would take 2^15 and room for one more */
	assert_int_equal(f->row_count, 16384);
	done(f, by);
	assert_sound(w);
}

static void decoding_ahead_ends_in_front_of_what_is_wrong(void **state)
{
	static const char *const lines[] = {
		"{\"id\":3,\"text\":\"x\"\n", "{\"id\":3}\r\n", "\n",
		"{\"id\":3,\"text\":{\"$file\":\"ab\"}}\n"
	};
	struct world *w = *state;
	struct source_reader *by;
	struct chunk_file *f;
	struct buffer text = BUFFER_INIT;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		add_text(w, 1, "a");
		add_text(w, 2, "b");
		add_text(w, 3, "c");
		add_text(w, 4, "d");
		finish(w);
		buffer_clear(&text);
		buffer_printf(&text, "{\"id\":1}\n{\"id\":2}\n%s{\"id\":4}\n",
			      lines[i]);
		files_put(w->files, "data/tables/users/0.jsonl", text.data,
			  text.size);
		f = prepared(w, &by);
		assert_int_equal(f->row_count, 2);
		done(f, by);
		chunk_reader_free(w->reader);
		w->reader = NULL;
		begin(w);
	}
	buffer_release(&text);
}

static void what_no_reader_reads_is_read_in_turn(void **state)
{
	struct world *w = *state;
	const struct value *values;
	struct source_reader *by;
	struct chunk_file *f;
	int64_t rowid;

	add_text(w, 7, "a");
	finish(w);
	f = prepared(w, &by);
	assert_int_equal(f->row_count, 1);
	chunk_file_forget(f);
	chunk_file_prepare(f, NULL);
	assert_int_equal(f->row_count, 0);
	assert_int_equal(chunk_reader_open(w->reader, f, &w->err), 0);
	assert_int_equal(
		chunk_reader_row(w->reader, f, &rowid, &values, &w->err), 1);
	assert_int_equal(rowid, 7);
	assert_memory_equal(values[1].data, "a", 1);
	assert_int_equal(
		chunk_reader_row(w->reader, f, &rowid, &values, &w->err), 0);
	assert_int_equal(chunk_reader_find(w->reader, f, &w->err), 0);
	assert_int_equal(chunk_reader_end(w->reader, &w->err), 0);
	done(f, by);
}

/* So that the git source's readers find files of tables that list theirs. */
static void what_a_list_tells_of_ids_is_kept(void **state)
{
	struct world *w = *state;
	struct source_reader *by;
	struct chunk_file *f;

	order_by(w, ORDER_KEY);
	add_text(w, 1, "a");
	finish(w);
	w->files->tells_ids = 1;
	f = prepared(w, &by);
	assert_int_equal(f->known, 1);
	done(f, by);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_file_is_decoded_before_its_turn),
		IN_WORLD(of_many_values_the_rest_is_decoded_in_turn),
		IN_WORLD(decoding_ahead_ends_in_front_of_what_is_wrong),
		IN_WORLD(what_no_reader_reads_is_read_in_turn),
		IN_WORLD(what_a_list_tells_of_ids_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
