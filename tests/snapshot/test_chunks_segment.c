/*
 * test_chunks_segment.c - rows of a table, written in pieces
 */
#include "tests/snapshot/chunks_fixture.h"

struct span {
	int64_t first, end; /* rowids */
};

/* Write rows of 500 to 700 bytes in segments that know nothing of each
 * other, but for the first; @return what the writer said last
 * @param expected  or NULL, with the folder's id */
static int write_expected(struct world *w, const struct span *spans,
			  size_t count, const struct table *expected,
			  const struct object_id *folder)
{
	struct chunk_writer *writer;
	char text[700];
	int rc = 0;

	memset(text, 'x', sizeof(text));
	assert_int_equal(
		chunk_writer_new(&writer, w->t, &w->keep->sink, &w->err), 0);
	if (expected)
		chunk_writer_expect(writer, expected, folder);
	for (size_t i = 0; !rc && i < count; i++) {
		struct chunk_place place = { .exact = !i, .rows = i > 0 };
		struct chunk_segment *s;

		assert_int_equal(chunk_segment_new(&s, &w->keep->sink, &w->err),
				 0);
		assert_int_equal(
			chunk_segment_begin(s, w->t, &place, NULL, &w->err), 0);
		for (int64_t id = spans[i].first; id < spans[i].end; id++) {
			w->values[0].class = VALUE_INTEGER;
			w->values[0].integer = id;
			w->values[1].class = VALUE_TEXT;
			w->values[1].data = text;
			w->values[1].size = (size_t)(id % 200) + 500;
			assert_int_equal(
				chunk_segment_row(s, id, w->values, &w->err),
				0);
		}
		rc = chunk_writer_add(writer, s, &w->err);
		chunk_segment_free(s);
	}
	if (!rc)
		rc = chunk_writer_finish(writer, w->t, &w->id, &w->err);
	chunk_writer_free(writer);
	return rc;
}

static int write_spans(struct world *w, const struct span *spans, size_t count)
{
	return write_expected(w, spans, count, NULL, NULL);
}

static void files_do_not_depend_on_segments(void **state)
{
	struct world *w = *state;
	const struct span whole = { 1, 3000 };
	struct span pieces[3000];
	unsigned char sha256[32];
	struct object_id id;
	size_t count;

	assert_int_equal(write_spans(w, &whole, 1), 0);
	id = w->id;
	memcpy(sha256, w->t->sha256, sizeof(sha256));
	for (int64_t step = 1; step < 3000; step = step * 5 + 2) {
		count = 0;
		for (int64_t at = 1; at < 3000; at += step)
			pieces[count++] = (struct span){ at, at + step < 3000
								     ? at + step
								     : 3000 };
		assert_int_equal(write_spans(w, pieces, count), 0);
		assert_memory_equal(&id, &w->id, sizeof(id));
		assert_memory_equal(sha256, w->t->sha256, sizeof(sha256));
		assert_int_equal(w->t->rows, 2999);
	}
}

static void empty_segments_change_nothing(void **state)
{
	static const struct span some[] = {
		{ 1, 1 }, { 1, 90 }, { 90, 90 }, { 90, 99 }, { 99, 99 }
	};
	static const struct span whole = { 1, 99 };
	struct world *w = *state;
	struct object_id id;

	assert_int_equal(write_spans(w, &whole, 1), 0);
	id = w->id;
	/* a table can't begin in a segment that doesn't know it */
	assert_int_equal(write_spans(w, some, 5), 1);
	assert_int_equal(write_spans(w, some + 1, 4), 0);
	assert_memory_equal(&id, &w->id, sizeof(id));
}

static void an_expected_folder_tells_the_digest(void **state)
{
	static const struct span some[] = { { 1, 900 }, { 900, 3000 } };
	struct world *w = *state;
	struct table expected = { .rows = 2999, .sha256 = "not computed" };
	struct object_id folder;
	uint64_t bytes;

	assert_int_equal(write_spans(w, some, 2), 0);
	folder = w->id;
	bytes = w->t->bytes;
	w->t->rows = w->t->bytes = 0;
	assert_int_equal(write_expected(w, some, 2, &expected, &folder), 0);
	assert_memory_equal(&w->id, &folder, sizeof(folder));
	assert_memory_equal(w->t->sha256, expected.sha256, 32);
	assert_int_equal(w->t->rows, 2999);
	assert_int_equal(w->t->bytes, bytes);
}

static void another_folder_than_expected_has_no_digest(void **state)
{
	static const struct span all[] = { { 1, 3000 } }, less[] = { { 1, 1 } };
	struct world *w = *state;
	struct table expected = { .rows = 2999 };
	struct object_id folder;

	assert_int_equal(write_spans(w, all, 1), 0);
	folder = w->id;
	expected.rows = 2998;
	assert_int_equal(write_expected(w, all, 1, &expected, &folder), 2);
	expected.rows = 2999;
	assert_int_equal(write_expected(w, less, 1, &expected, &folder), 2);
	expected.rows = 0;
	assert_int_equal(write_expected(w, less, 1, &expected, &folder), 2);
	expected.rows = 2999;
	folder.bytes[19] ^= 1;
	assert_int_equal(write_expected(w, all, 1, &expected, &folder), 2);
	assert_int_equal(w->err.code, ERROR_NONE);
}

/* Rows that never cut, more than a file may have: only who knows all that is
 * in front can tell where the forced cut is. */
static void a_forced_cut_needs_to_know_what_is_in_front(void **state)
{
	struct world *w = *state;
	struct value values[2] = { { .class = VALUE_INTEGER },
				   { .class = VALUE_TEXT } };
	struct chunk_writer *writer;
	struct chunk_segment *s;
	char *text = calloc(1, 60000);
	int rc;

	memset(text, 'x', 60000);
	values[1].data = text;
	values[1].size = 60000;
	assert_int_equal(
		chunk_writer_new(&writer, w->t, &w->keep->sink, &w->err), 0);
	assert_int_equal(chunk_segment_new(&s, &w->keep->sink, &w->err), 0);
	for (size_t i = 0, n = 0; i < 3; i++) {
		struct chunk_place place = { .exact = !i, .rows = i > 0 };

		assert_int_equal(
			chunk_segment_begin(s, w->t, &place, NULL, &w->err), 0);
		for (size_t end = n + 200; n < end; n++) {
			/* rising, with hashes that don't cut */
			do {
				values[0].integer++;
			} while (hash_mix64((uint64_t)values[0].integer) >>
				 48 <= 61000);
			assert_int_equal(
				chunk_segment_row(s, 0, values, &w->err), 0);
		}
		rc = chunk_writer_add(writer, s, &w->err);
		assert_int_equal(rc, i == 2 ? 1 : 0);
	}
	assert_int_equal(w->err.code, ERROR_NONE);
	chunk_segment_free(s);
	chunk_writer_free(writer);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(files_do_not_depend_on_segments),
		IN_WORLD(empty_segments_change_nothing),
		IN_WORLD(an_expected_folder_tells_the_digest),
		IN_WORLD(another_folder_than_expected_has_no_digest),
		IN_WORLD(a_forced_cut_needs_to_know_what_is_in_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
