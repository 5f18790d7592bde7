/*
 * test_chunks_damage.c - files that are not as they were written, and disks
 * that fill
 */
#include "tests/snapshot/chunks_fixture.h"

/* ---- big values ---- */

#define BIG ((size_t)33 << 20)

static char big_path[2][ROW_PART_PATH_SIZE + 32];

/* Two rows with the same text of 33 MiB, and one with another of 2 MiB. */
static void add_big(struct world *w)
{
	unsigned char digest[HASH_SHA256_SIZE];
	char part[ROW_PART_PATH_SIZE];
	char *text = malloc(BIG);
	struct hasher *h;

	memset(text, 'x', BIG);
	assert_int_equal(add(w, 1, text, BIG), 0);
	assert_int_equal(add(w, 2, text, BIG), 0);
	assert_int_equal(add(w, 3, text, (size_t)2 << 20), 0);
	finish(w);
	assert_int_equal(hasher_new(&h, HASH_SHA256, NULL), 0);
	hasher_add(h, text, BIG);
	hasher_final(h, digest);
	for (unsigned int i = 0; i < 2; i++) {
		row_part_path(part, digest, i);
		snprintf(big_path[i], sizeof(big_path[i]),
			 "data/tables/users/%s", part);
	}
	hasher_free(h);
	free(text);
}

static void big_values_lie_in_part_files_once(void **state)
{
	struct world *w = *state;
	struct file *file;

	add_big(w);
	assert_int_equal(w->files->count, 4);
	/* blobs, two subfolders, values, the chunk and the table's folder */
	assert_int_equal(w->keep->puts, 3 + 2 + 1 + 1 + 1);
	file = files_find(w->files, big_path[0]);
	assert_non_null(file);
	assert_int_equal(file->data.size, ROW_PART_MAX);
	file = files_find(w->files, big_path[1]);
	assert_non_null(file);
	assert_int_equal(file->data.size, BIG - ROW_PART_MAX);
	assert_sound(w);
	assert_int_equal(w->values[1].size, (size_t)2 << 20);
}

static void damaged_part_files_are_named(void **state)
{
	struct world *w = *state;
	char expected[512];
	struct file *file;

	add_big(w);
	file = files_find(w->files, big_path[1]);
	file->data.data[5] ^= 1;
	assert_damage(w, "table 'users', file 'data/tables/users/0.jsonl', "
			 "line 1: a value in 'values' does not have the "
			 "SHA-256 its row names");
	file->data.size--;
	snprintf(expected, sizeof(expected),
		 "table 'users', file 'data/tables/users/0.jsonl', line 1: "
		 "file '%s' has 1048575 bytes, not 1048576",
		 big_path[1]);
	assert_damage(w, expected);
	files_remove(w->files, big_path[1]);
	snprintf(expected, sizeof(expected),
		 "table 'users', file 'data/tables/users/0.jsonl', line 1: "
		 "file '%s' is missing",
		 big_path[1]);
	assert_damage(w, expected);
}

static void a_part_file_that_no_row_names_is_damage(void **state)
{
	struct world *w = *state;

	add_big(w);
	files_text(w->files, "data/tables/users/values/ab/more-0", "x");
	assert_damage(w, "table 'users': folder 'data/tables/users/values' has "
			 "4 files, its rows name 3");
}

/* ---- disks that fill, files that cannot be read ---- */

/* A table with 1001 files, so with folders and lists, and a big value. */
static int write_large(struct world *w, const int64_t *ids, const char *text)
{
	struct table *t = w->t;
	int rc = 0;

	for (size_t i = 0; !rc && i < 1001; i++)
		rc = add(w, ids[i], "x", 1);
	if (!rc)
		rc = add(w, 1, text, VALUE_INLINE_MAX + 1);
	return rc ? rc : table_writer_finish(w->writer, t, &w->id, &w->err);
}

static void a_sink_that_fails_stops_the_writer(void **state)
{
	struct world *w = *state;
	int64_t *ids = cutting_lines(1001);
	char *text = malloc(VALUE_INLINE_MAX + 1), expected[64];
	size_t puts, n;

	memset(text, 'x', VALUE_INLINE_MAX + 1);
	order_by(w, ORDER_SCAN);
	assert_int_equal(write_large(w, ids, text), 0);
	puts = w->keep->puts;
	assert_true(puts > 1005);
	for (n = 1; n <= puts; n += n == 2 ? 990 : 1) {
		snprintf(expected, sizeof(expected), "call %zu fails", n);
		keep_free(w->keep);
		w->keep = keep_new();
		w->keep->fails_at = n;
		error_clear(&w->err);
		begin(w);
		assert_int_equal(write_large(w, ids, text), -1);
		assert_int_equal(w->err.code, ERROR_NOSPACE);
		assert_string_equal(w->err.message, expected);
	}
	free(text);
	free(ids);
}

static void a_source_that_fails_stops_the_reader(void **state)
{
	struct world *w = *state;
	char *text = malloc(VALUE_INLINE_MAX + 1);
	uint64_t rows;
	size_t calls, n;

	memset(text, 'x', VALUE_INLINE_MAX + 1);
	order_by(w, ORDER_KEY);
	add_text(w, 1, "a");
	assert_int_equal(add(w, 2, text, VALUE_INLINE_MAX), 0);
	assert_int_equal(add(w, 3, text, VALUE_INLINE_MAX + 1), 0);
	finish(w);
	assert_sound(w);
	calls = w->files->calls;
	/* two lists of names, "chunks", two files or more, the value and the
	 * two folders that hold it */
	assert_true(calls >= 7);
	for (n = 1; n <= calls; n++) {
		w->files->fails_at = n;
		w->files->calls = 0;
		error_clear(&w->err);
		assert_int_equal(read_all(w, &rows), -1);
		assert_int_equal(w->err.code, ERROR_NOSPACE);
	}
	free(text);
}

/* ---- damage ---- */

#define FIRST    "data/tables/users/0.jsonl"
#define IN_FIRST "table 'users', file '" FIRST "'"

static void add_two(struct world *w)
{
	add_text(w, 1, "Ada");
	add_text(w, 2, "Bob");
	finish(w);
}

static void a_changed_row_is_damage(void **state)
{
	struct world *w = *state;

	add_two(w);
	files_text(
		w->files, FIRST,
		"{\"id\":1,\"text\":\"Ada\"}\n{\"id\":2,\"text\":\"Eve\"}\n");
	assert_damage(w, "table 'users': its rows do not have the SHA-256 that "
			 "the manifest names");
	files_text(w->files, FIRST,
		   "{\"id\":1,\"text\":\"Ada\"}\n"
		   "{\"id\":2,\"text\":{\"$foo\":\"x\"}}\n");
	assert_damage(w, IN_FIRST
		      ", line 2: key 'text' has the unknown tag '$foo'; a "
		      "newer dbstow may know it");
	files_text(
		w->files, FIRST,
		"{\"id\":2,\"text\":\"Bob\"}\n{\"id\":1,\"text\":\"Ada\"}\n");
	assert_damage(w, IN_FIRST ", line 2: rowid 1 comes after 2");
}

static void a_row_too_many_or_too_few_is_damage(void **state)
{
	struct world *w = *state;

	add_two(w);
	files_text(w->files, FIRST, "{\"id\":1,\"text\":\"Ada\"}\n");
	assert_damage(w, "table 'users': 1 rows where the manifest says 2");
	files_text(w->files, FIRST, "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
	assert_damage(w, IN_FIRST ", line 3: more rows than the 2 that the "
				  "manifest names");
	files_text(w->files, FIRST,
		   "{\"id\":1,\"text\":\"Ada\"}\n{\"id\":2,\"te");
	assert_damage(w, IN_FIRST ": its last line is cut short");
	files_text(w->files, FIRST, "");
	assert_damage(w, IN_FIRST ": it is empty");
}

static void changed_line_endings_are_told(void **state)
{
	struct world *w = *state;

	add_two(w);
	files_text(w->files, FIRST,
		   "{\"id\":1,\"text\":\"Ada\"}\r\n"
		   "{\"id\":2,\"text\":\"Bob\"}\r\n");
	assert_damage(w, IN_FIRST
		      ", line 1: line endings were changed by git (CR LF); "
		      "check out again with core.autocrlf=false, or use git "
		      "archive");
}

static void a_missing_folder_is_damage(void **state)
{
	struct world *w = *state;

	add_two(w);
	files_remove(w->files, FIRST);
	assert_damage(w, "table 'users': folder 'data/tables/users' is "
			 "missing");
	files_text(w->files, "data/tables/users/values/ab/x-0", "x");
	assert_damage(w, "table 'users': folder 'data/tables/users' has no "
			 "rows");
}

static void files_of_other_names_are_damage(void **state)
{
	static const char *const names[] = {
		"1.jsonl",
		"0.json",
		"0-2.jsonl",
		"readme",
		"0/0.jsonl",
		"000000000000000A.jsonl",
		"0000000000000001-2.jsonl",
		"0000000000000001",
	};
	struct world *w = *state;
	char path[128], expected[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		add_two(w);
		begin(w);
		snprintf(path, sizeof(path), "data/tables/users/%s", names[i]);
		snprintf(expected, sizeof(expected),
			 "table 'users': 'data/tables/users/%s' does not "
			 "belong there",
			 strchr(names[i], '/') ? "0.jsonl" : names[i]);
		files_text(w->files, path, "{\"id\":9}\n");
		assert_damage(w, expected);
	}
	add_two(w);
	files_text(w->files, "data/tables/users/chunks", "0.jsonl\n");
	assert_damage(w, "table 'users': file 'data/tables/users/chunks' does "
			 "not belong there");
}

static void the_list_of_files_is_held_against_the_folder(void **state)
{
	static const char list[] = "data/tables/users/chunks";
	struct world *w = *state;
	char *text = malloc(CHUNK_MEAN_BYTES);
	struct buffer good = BUFFER_INIT;
	struct file *file;

	order_by(w, ORDER_SCAN);
	memset(text, 'x', CHUNK_MEAN_BYTES);
	for (int64_t i = 0; i < 2; i++)
		assert_int_equal(add(w, i, text, CHUNK_MEAN_BYTES), 0);
	finish(w);
	file = files_find(w->files, list);
	buffer_add(&good, file->data.data, file->data.size);
	files_text(w->files, list, "0.jsonl\n");
	assert_damage(w, "table 'users', file 'data/tables/users/chunks': 1 of "
			 "2 files are listed");
	files_text(w->files, list, "0.jsonl\n0.jsonl\n");
	assert_damage(w, "table 'users', file 'data/tables/users/chunks': "
			 "'0.jsonl' is listed twice");
	files_text(w->files, list, "0.jsonl\n../x\n");
	assert_damage(w, "table 'users', file 'data/tables/users/chunks': "
			 "'../x' is not there");
	files_text(w->files, list, "0.jsonl\r\n");
	assert_damage(w, "table 'users', file 'data/tables/users/chunks': line "
			 "endings were changed by git (CR LF); check out again "
			 "with core.autocrlf=false, or use git archive");
	files_put(w->files, list, good.data, good.size - 1);
	assert_damage(w, "table 'users', file 'data/tables/users/chunks': its "
			 "last line is cut short");
	files_remove(w->files, list);
	assert_damage(w, "table 'users': file 'data/tables/users/chunks' is "
			 "missing");
	files_put(w->files, list, good.data, good.size);
	error_clear(&w->err);
	assert_sound(w);
	buffer_release(&good);
	free(text);
}

static void folders_of_bottomless_depth_are_refused(void **state)
{
	struct world *w = *state;

	add_two(w);
	files_remove(w->files, FIRST);
	files_text(w->files, "data/tables/users/0/0/0/0/0/0/0/0/0.jsonl",
		   "{\"id\":1}\n");
	assert_damage(w, "table 'users': folder "
			 "'data/tables/users/0/0/0/0/0/0/0/0' lies too deep");
}

static void a_folder_with_too_many_files_is_refused(void **state)
{
	struct world *w = *state;
	char path[128];

	add_two(w);
	for (int i = 1; i <= 1000; i++) {
		snprintf(path, sizeof(path), "data/tables/users/%016x.jsonl",
			 (unsigned int)i);
		files_text(w->files, path, "{\"id\":9}\n");
	}
	assert_damage(w, "table 'users': folder 'data/tables/users' has 1001 "
			 "files");
}

static void names_in_messages_are_fit_to_be_shown(void **state)
{
	struct world *w = *state;

	add_two(w);
	free(w->t->name);
	w->t->name = strdup("us\x1b[31mers\xff");
	files_remove(w->files, FIRST);
	assert_damage(w, "table 'us\\x1b[31mers\\xff': folder "
			 "'data/tables/users' is missing");
}

static void the_line_of_a_row_is_at_hand(void **state)
{
	struct world *w = *state;
	const char *line;
	int64_t rowid;
	size_t size;

	add_two(w);
	assert_int_equal(
		chunk_reader_new(&w->reader, w->t, &w->files->source, &w->err),
		0);
	assert_int_equal(
		chunk_reader_next(w->reader, &rowid, w->values, &w->err), 1);
	assert_int_equal(rowid, 1);
	assert_memory_equal(w->values[1].data, "Ada", 3);
	assert_int_equal(
		chunk_reader_next(w->reader, &rowid, w->values, &w->err), 1);
	assert_int_equal(rowid, 2);
	line = chunk_reader_line(w->reader, &size);
	assert_int_equal(size, strlen("{\"id\":2,\"text\":\"Bob\"}"));
	assert_memory_equal(line, "{\"id\":2,\"text\":\"Bob\"}", size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(big_values_lie_in_part_files_once),
		IN_WORLD(damaged_part_files_are_named),
		IN_WORLD(a_part_file_that_no_row_names_is_damage),
		IN_WORLD(a_sink_that_fails_stops_the_writer),
		IN_WORLD(a_source_that_fails_stops_the_reader),
		IN_WORLD(a_changed_row_is_damage),
		IN_WORLD(a_row_too_many_or_too_few_is_damage),
		IN_WORLD(changed_line_endings_are_told),
		IN_WORLD(a_missing_folder_is_damage),
		IN_WORLD(files_of_other_names_are_damage),
		IN_WORLD(the_list_of_files_is_held_against_the_folder),
		IN_WORLD(folders_of_bottomless_depth_are_refused),
		IN_WORLD(a_folder_with_too_many_files_is_refused),
		IN_WORLD(names_in_messages_are_fit_to_be_shown),
		IN_WORLD(the_line_of_a_row_is_at_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
