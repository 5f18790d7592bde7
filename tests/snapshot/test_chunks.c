/*
 * test_chunks.c - rows into files and back
 */
#include "tests/snapshot/chunks_fixture.h"

static void assert_table_sha(const struct table *t, const void *data,
			     size_t size)
{
	unsigned char digest[HASH_SHA256_SIZE];
	struct hasher *h;

	assert_int_equal(hasher_new(&h, HASH_SHA256, NULL), 0);
	hasher_add(h, data, size);
	hasher_final(h, digest);
	assert_memory_equal(digest, t->sha256, sizeof(digest));
	hasher_free(h);
}

/* ---- writing ---- */

static void a_small_table_is_one_file(void **state)
{
	static const char text[] = "{\"id\":1,\"text\":\"Ada\"}\n"
				   "{\"id\":2,\"text\":\"Bob\"}\n";
	struct world *w = *state;

	add_text(w, 1, "Ada");
	add_text(w, 2, "Bob");
	finish(w);
	assert_int_equal(w->files->count, 1);
	assert_file(w, "data/tables/users/0.jsonl", text);
	assert_int_equal(w->t->rows, 2);
	assert_int_equal(w->t->bytes, sizeof(text) - 1);
	assert_table_sha(w->t, text, sizeof(text) - 1);
	assert_sound(w);
}

static void a_table_without_rows_has_no_folder(void **state)
{
	struct world *w = *state;
	struct object_id untouched = w->id;

	begin(w);
	assert_int_equal(table_writer_finish(w->writer, w->t, &w->id, &w->err),
			 1);
	assert_memory_equal(&untouched, &w->id, sizeof(untouched));
	assert_int_equal(w->keep->puts, 0);
	assert_int_equal(w->t->rows, 0);
	assert_table_sha(w->t, "", 0);
	w->files = files_new();
	assert_sound(w);
	files_text(w->files, "data/tables/users/0.jsonl", "{\"id\":1}\n");
	assert_damage(w, "table 'users': folder 'data/tables/users' is there, "
			 "but the manifest says that the table has no rows");
}

/* Compute the cuts again, from the rule as docs/format.md has it. */
static void cuts_follow_the_rule_and_names_the_first_row(void **state)
{
	struct world *w = *state;
	char text[2000], name[64] = "data/tables/users/0.jsonl";
	struct buffer expected = BUFFER_INIT;
	size_t chunks = 0;

	memset(text, 'x', sizeof(text));
	for (int64_t id = -500; id < 1500; id++) {
		size_t size = (size_t)(id & 1023) + 500;

		assert_int_equal(add(w, id, text, size), 0);
	}
	finish(w);
	for (int64_t id = -500; id < 1500; id++) {
		size_t size = (size_t)(id & 1023) + 500;
		uint64_t line = size + 18;

		for (int64_t n = id; n <= -10 || n >= 10; n /= 10)
			line++;
		line += id < 0;
		if (id > -500 && hash_mix64((uint64_t)id) >> 48 < line) {
			assert_file(w, name, buffer_cstr(&expected));
			chunks++;
			buffer_clear(&expected);
			snprintf(name, sizeof(name),
				 "data/tables/users/%016" PRIx64 ".jsonl",
				 (uint64_t)id + (UINT64_C(1) << 63));
		}
		buffer_printf(&expected,
			      "{\"id\":%" PRId64 ",\"text\":\"%.*s\"}\n", id,
			      (int)size, text);
	}
	assert_file(w, name, buffer_cstr(&expected));
	assert_true(chunks > 10);
	assert_int_equal(w->files->count, chunks + 1);
	buffer_release(&expected);
	assert_sound(w);
}

static void a_row_of_64_kib_always_begins_a_file(void **state)
{
	struct world *w = *state;
	char *text = malloc(CHUNK_MEAN_BYTES);
	struct buffer line = BUFFER_INIT;
	/* the hashes of these rowids would never cut */
	const int64_t ids[] = { (int64_t)unmix(UINT64_MAX),
				(int64_t)unmix(UINT64_MAX - 1) };
	size_t size = CHUNK_MEAN_BYTES;

	memset(text, 'x', size);
	assert_true(ids[0] < ids[1]);
	add_text(w, ids[0], "x");
	w->values[0].class = VALUE_INTEGER;
	w->values[0].integer = ids[1];
	w->values[1].class = VALUE_TEXT;
	assert_int_equal(
		table_writer_encode(w->writer, 0, w->values, &line, &w->err),
		0);
	size -= line.size;
	assert_int_equal(add(w, ids[1], text, size - 1), 0);
	finish(w);
	assert_int_equal(w->files->count, 1);
	begin(w);
	add_text(w, ids[0], "x");
	assert_int_equal(add(w, ids[1], text, size), 0);
	finish(w);
	assert_int_equal(w->files->count, 2);
	assert_sound(w);
	buffer_release(&line);
	free(text);
}

static void no_file_grows_over_32_mib(void **state)
{
	struct world *w = *state;
	enum { ROWS = 560, SIZE = 60000 };
	char *text = malloc(SIZE);
	int64_t ids[ROWS];

	memset(text, 'x', SIZE);
	for (size_t i = 0; i < ROWS; i++)
		ids[i] = (int64_t)unmix(UINT64_MAX - i);
	qsort(ids, ROWS, sizeof(*ids), compare_rowids);
	for (size_t i = 0; i < ROWS; i++)
		assert_int_equal(add(w, ids[i], text, SIZE), 0);
	finish(w);
	assert_int_equal(w->files->count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(w->files->files[i].data.size <= CHUNK_MAX_BYTES);
	assert_true(w->files->files[0].data.size + SIZE + 64 > CHUNK_MAX_BYTES);
	assert_sound(w);
	free(text);
}

/* An insertion changes the file it falls into and no other name. */
static void an_insertion_moves_no_other_boundary(void **state)
{
	struct world *w = *state;
	struct files *before;
	char text[1000];
	size_t changed = 0;

	memset(text, 'x', sizeof(text));
	for (int64_t id = 0; id < 2000; id += 2)
		assert_int_equal(add(w, id, text, sizeof(text)), 0);
	finish(w);
	before = w->files;
	w->files = NULL;
	begin(w);
	for (int64_t id = 0; id < 2000; id += id == 1000 || id == 1001 ? 1 : 2)
		assert_int_equal(add(w, id, text, sizeof(text)), 0);
	finish(w);
	assert_int_equal(w->t->rows, 1001);
	assert_int_equal(w->files->count, before->count);
	for (size_t i = 0; i < before->count; i++) {
		struct file *old = &before->files[i];
		struct file *new = files_find(w->files, old->path);

		assert_non_null(new);
		changed += old->data.size != new->data.size ||
			   memcmp(old->data.data, new->data.data,
				  old->data.size) != 0;
	}
	assert_int_equal(changed, 1);
	source_free(&before->source);
}

static void rowids_that_do_not_rise_are_refused(void **state)
{
	struct world *w = *state;

	add_text(w, 7, "x");
	assert_int_equal(add(w, 7, "y", 1), -1);
	assert_int_equal(w->err.code, ERROR_FAILED);
	assert_string_equal(w->err.message,
			    "table 'users' gives rowid 7 after rowid 7; the "
			    "database is damaged, see what 'PRAGMA "
			    "integrity_check' says");
}

/* The examples of docs/format.md, section "Chunks". */
static void hashes_are_those_of_the_specification(void **state)
{
	(void)state;
	assert_true(hash_mix64(1) == UINT64_C(0x5692161d100b05e5));
	assert_true(hash_mix64(UINT64_MAX) == UINT64_C(0xb4d055fcf2cbbd7b));
	assert_true(hash_bytes64("[1]", 3) == UINT64_C(0x3484ccc6142b2bc2));
	assert_true(second(hash_mix64(1)) == UINT64_C(0x07776f161bd8ea27));
	assert_true(unmix(hash_mix64(12345)) == 12345);
}

/* ---- folders ---- */

static size_t files_below(const struct files *f, const char *folder)
{
	size_t n = 0;

	for (size_t i = 0; i < f->count; i++)
		n += !strncmp(f->files[i].path, folder, strlen(folder));
	return n;
}

static void a_thousand_files_lie_flat_and_one_more_makes_folders(void **state)
{
	struct world *w = *state;
	int64_t *ids = cutting_rowids(1001, 0);
	size_t group = 1, groups = 1;
	char path[128] = "data/tables/users/0/";

	add_rows(w, ids, 1000);
	assert_int_equal(w->files->count, 1000);
	for (size_t i = 0; i < 1000; i++)
		assert_null(strchr(w->files->files[i].path +
					   strlen("data/tables/users/"),
				   '/'));
	assert_sound(w);
	add_rows(w, ids, 1001);
	assert_int_equal(w->files->count, 1001);
	assert_non_null(files_find(w->files, "data/tables/users/0/0.jsonl"));
	for (size_t i = 1; i <= 1001; i++) {
		if (i < 1001 && second(hash_mix64((uint64_t)ids[i])) & 255) {
			group++;
			continue;
		}
		assert_int_equal(files_below(w->files, path), group);
		if (i == 1001)
			break;
		snprintf(path, sizeof(path),
			 "data/tables/users/%016" PRIx64 "/",
			 (uint64_t)ids[i] + (UINT64_C(1) << 63));
		group = 1;
		groups++;
	}
	assert_true(groups > 1);
	assert_sound(w);
	free(ids);
}

static void a_group_ends_at_a_thousand_files(void **state)
{
	struct world *w = *state;
	int64_t *ids = cutting_rowids(3000, 0);
	size_t kept = 0;

	/* only rowids that begin no group */
	for (size_t i = 0; i < 3000; i++)
		if (second(hash_mix64((uint64_t)ids[i])) & 255)
			ids[kept++] = ids[i];
	add_rows(w, ids, 2001);
	assert_int_equal(files_below(w->files, "data/tables/users/0/"), 1000);
	assert_int_equal(w->files->count, 2001);
	assert_sound(w);
	free(ids);
}

static void a_thousand_folders_go_into_folders(void **state)
{
	struct world *w = *state;
	int64_t *ids = cutting_rowids(1001, 255);
	struct source_names names = { 0 };

	add_rows(w, ids, 1000); /* flat, however their bits are */
	assert_null(files_find(w->files, "data/tables/users/0/0.jsonl"));
	add_rows(w, ids, 1001); /* 1001 groups of one: two levels */
	assert_int_equal(w->files->count, 1001);
	assert_non_null(files_find(w->files, "data/tables/users/0/0/0.jsonl"));
	assert_int_equal(w->files->source.list(&w->files->source,
					       "data/tables/users", &names,
					       &w->err),
			 0);
	assert_in_range(names.count, 2, 20);
	source_names_release(&names);
	assert_sound(w);
	free(ids);
}

static void the_source_is_told_what_will_be_read(void **state)
{
	struct world *w = *state;
	int64_t *ids = cutting_rowids(1001, 0);
	struct object_id id;

	add_rows(w, ids, 1);
	assert_sound(w);
	assert_int_equal(w->files->tells, 0);
	add_rows(w, ids, 1001); /* in folders */
	assert_sound(w);
	assert_in_range(w->files->tells, 900, 1000);
	add_rows(w, ids, 1000); /* in one */
	assert_sound(w);
	/* the first is read at once, the others are told in front of it */
	assert_int_equal(w->files->tells, 999);
	assert_int_equal(w->files->most, 1 + SOURCE_AHEAD);
	w->files->tells = w->files->most = 0;
	assert_int_equal(
		source_tree_id(&w->files->source, "data", &id, &w->err), 0);
	assert_int_equal(w->files->tells, 999);
	assert_int_equal(w->files->told.size, 0);
	assert_int_equal(w->files->most, 1 + SOURCE_AHEAD);
	free(ids);
}

/* ---- tables whose names don't sort ---- */

static void chunks_are_listed_where_names_do_not_sort(void **state)
{
	struct world *w = *state;
	struct buffer list = BUFFER_INIT;
	char text[20000], name[32];
	unsigned char digest[HASH_SHA256_SIZE];
	struct hasher *h;

	order_by(w, ORDER_KEY);
	memset(text, 'x', sizeof(text));
	assert_int_equal(hasher_new(&h, HASH_SHA256, NULL), 0);
	buffer_str(&list, "0.jsonl\n");
	for (int64_t i = 1; i <= 1000; i++) {
		/* keys that begin alike, for a few bytes and for many */
		int64_t id = i < 300 ? i : INT64_C(1000000000000) + i * i * i;
		char key[32];
		int size = snprintf(key, sizeof(key), "[%" PRId64 "]", id);
		int line = size + 16 + (int)sizeof(text); /* names, too */

		assert_int_equal(add(w, id, text, sizeof(text)), 0);
		if (i == 1 ||
		    hash_bytes64(key, (size_t)size) >> 48 >= (uint64_t)line)
			continue;
		hasher_add(h, key, (size_t)size);
		hasher_final(h, digest);
		hex_encode(name, digest, 8);
		buffer_printf(&list, "%s.jsonl\n", name);
	}
	finish(w);
	assert_true(w->files->count > 5);
	assert_file(w, "data/tables/users/chunks", buffer_cstr(&list));
	assert_sound(w);
	hasher_free(h);
	buffer_release(&list);
}

/* Rows that are the same in all their bytes, each with a file of its own. */
static void names_that_clash_in_a_folder_are_numbered(void **state)
{
	struct world *w = *state;
	char *text = malloc(CHUNK_MEAN_BYTES);
	struct file *list;
	char name[128];

	order_by(w, ORDER_SCAN);
	memset(text, 'x', CHUNK_MEAN_BYTES);
	for (int i = 0; i < 4; i++)
		assert_int_equal(add(w, 1, text, CHUNK_MEAN_BYTES), 0);
	finish(w);
	list = files_find(w->files, "data/tables/users/chunks");
	assert_non_null(list);
	/* 0.jsonl, X.jsonl, X-2.jsonl, X-3.jsonl */
	assert_memory_equal(list->data.data + 8 + 16, ".jsonl\n", 7);
	assert_memory_equal(list->data.data + 31 + 16, "-2.jsonl\n", 9);
	assert_memory_equal(list->data.data + 56 + 16, "-3.jsonl\n", 9);
	snprintf(name, sizeof(name), "data/tables/users/%.24s",
		 list->data.data + 31);
	assert_non_null(files_find(w->files, name));
	assert_sound(w);
	free(text);
}

static void each_folder_lists_what_is_in_it(void **state)
{
	struct world *w = *state;
	int64_t *ids = cutting_lines(1001);
	struct file *list;

	order_by(w, ORDER_SCAN);
	add_rows(w, ids, 1001);
	list = files_find(w->files, "data/tables/users/chunks");
	assert_non_null(list);
	assert_memory_equal(list->data.data, "0\n", 2);
	list = files_find(w->files, "data/tables/users/0/chunks");
	assert_non_null(list);
	assert_memory_equal(list->data.data, "0.jsonl\n", 8);
	assert_sound(w);
	free(ids);
}

static void sorted_tables_take_lines(void **state)
{
	static const char *const lines[] = { "{\"id\":1,\"text\":\"a\"}\n",
					     "{\"id\":1,\"text\":\"a\"}\n",
					     "{\"id\":2}\n" };
	struct world *w = *state;
	struct buffer line = BUFFER_INIT;

	order_by(w, ORDER_SORTED);
	begin(w);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(table_writer_line(w->writer, lines[i],
						   strlen(lines[i]), &w->err),
				 0);
	w->values[0] = (struct value){ .class = VALUE_INTEGER, .integer = 9 };
	w->values[1] = (struct value){ .class = VALUE_NULL };
	assert_int_equal(
		table_writer_encode(w->writer, 0, w->values, &line, &w->err),
		0);
	assert_string_equal(buffer_cstr(&line), "{\"id\":9}\n");
	finish(w);
	assert_int_equal(w->t->rows, 3);
	assert_file(w, "data/tables/users/chunks", "0.jsonl\n");
	assert_sound(w);
	buffer_release(&line);
}

/* The line moves to the front of the buffer at the cut, over what was there:
 * its file must be named by the line as it is. */
static void a_long_line_behind_a_short_one_names_its_file(void **state)
{
	struct world *w = *state;
	struct buffer line = BUFFER_INIT, list = BUFFER_INIT;
	unsigned char digest[HASH_SHA256_SIZE];
	struct hasher *h;
	char name[17];

	order_by(w, ORDER_SORTED);
	begin(w);
	buffer_str(&line, "{\"id\":1,\"text\":\"");
	for (int i = 0; i < CHUNK_MEAN_BYTES; i++)
		buffer_byte(&line, (char)('a' + i % 23));
	buffer_str(&line, "\"}\n");
	assert_int_equal(
		table_writer_line(w->writer, "{\"id\":0}\n", 9, &w->err), 0);
	assert_int_equal(
		table_writer_line(w->writer, line.data, line.size, &w->err), 0);
	finish(w);
	assert_int_equal(hasher_new(&h, HASH_SHA256, NULL), 0);
	hasher_add(h, line.data, line.size - 1);
	hasher_final(h, digest);
	hex_encode(name, digest, 8);
	buffer_printf(&list, "0.jsonl\n%s.jsonl\n", name);
	assert_file(w, "data/tables/users/chunks", buffer_cstr(&list));
	assert_sound(w);
	hasher_free(h);
	buffer_release(&line);
	buffer_release(&list);
}

static void tables_in_scan_order_take_no_lines(void **state)
{
	struct world *w = *state;

	begin(w);
	assert_int_equal(table_writer_line(w->writer, "{}\n", 3, &w->err), -1);
	assert_string_equal(w->err.message,
			    "table 'users' takes rows, not lines");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_small_table_is_one_file),
		IN_WORLD(a_table_without_rows_has_no_folder),
		IN_WORLD(cuts_follow_the_rule_and_names_the_first_row),
		IN_WORLD(a_row_of_64_kib_always_begins_a_file),
		IN_WORLD(no_file_grows_over_32_mib),
		IN_WORLD(an_insertion_moves_no_other_boundary),
		IN_WORLD(rowids_that_do_not_rise_are_refused),
		IN_WORLD(hashes_are_those_of_the_specification),
		IN_WORLD(a_thousand_files_lie_flat_and_one_more_makes_folders),
		IN_WORLD(a_group_ends_at_a_thousand_files),
		IN_WORLD(a_thousand_folders_go_into_folders),
		IN_WORLD(the_source_is_told_what_will_be_read),
		IN_WORLD(chunks_are_listed_where_names_do_not_sort),
		IN_WORLD(names_that_clash_in_a_folder_are_numbered),
		IN_WORLD(each_folder_lists_what_is_in_it),
		IN_WORLD(sorted_tables_take_lines),
		IN_WORLD(a_long_line_behind_a_short_one_names_its_file),
		IN_WORLD(tables_in_scan_order_take_no_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
