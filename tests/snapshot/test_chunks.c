/*
 * test_chunks.c - rows into files and back
 */
#include "tests/snapshot/files.h"

#include <inttypes.h>

#include "base/hash.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"
#include "snapshot/row.h"
#include "snapshot/value.h"
#include "tests/support/table_writer.h"

/* A table with the columns id and text, its rows in files, and a reader. */
struct world {
	struct catalog *catalog;
	struct table *t;
	struct keep *keep;
	struct table_writer *writer;
	struct files *files;
	struct chunk_reader *reader;
	struct error err;
	struct value values[2];
	struct object_id id;
};

static int setup(void **state)
{
	static const char *const names[] = { "id", "text" };
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->catalog = catalog_new();
	w->t = catalog_add_table(w->catalog);
	w->t->name = strdup("users");
	w->t->folder = strdup("users");
	for (size_t i = 0; i < 2; i++)
		table_add_column(w->t)->name = strdup(names[i]);
	w->t->columns[0].key = 1;
	w->t->order = ORDER_ROWID;
	w->t->rowid_key = strdup("id");
	w->t->rowid_column = 0;
	w->keep = keep_new();
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	table_writer_free(w->writer);
	chunk_reader_free(w->reader);
	if (w->files)
		source_free(&w->files->source);
	keep_free(w->keep);
	catalog_free(w->catalog);
	free(w);
	return 0;
}

static void begin(struct world *w)
{
	table_writer_free(w->writer);
	assert_int_equal(
		table_writer_new(&w->writer, w->t, &w->keep->sink, &w->err), 0);
}

static int add(struct world *w, int64_t id, const char *text, size_t size)
{
	struct value values[2] = {
		{ .class = VALUE_INTEGER, .integer = id },
		{ .class = VALUE_TEXT, .data = text, .size = size }
	};

	if (!w->writer)
		begin(w);
	return table_writer_row(w->writer, id, values, &w->err);
}

static void add_text(struct world *w, int64_t id, const char *text)
{
	assert_int_equal(add(w, id, text, strlen(text)), 0);
}

/* Finish the table and unfold it into w->files. */
static void finish(struct world *w)
{
	if (!w->writer)
		begin(w);
	assert_int_equal(table_writer_finish(w->writer, w->t, &w->id, &w->err),
			 0);
	if (w->files)
		source_free(&w->files->source);
	w->files = files_new();
	keep_unfold(w->keep, &w->id, "data/tables/users", w->files);
}

/* @return the last result: 0 at the end or -1 */
static int read_all(struct world *w, uint64_t *rows)
{
	int64_t rowid;
	int rc;

	*rows = 0;
	chunk_reader_free(w->reader);
	rc = chunk_reader_new(&w->reader, w->t, &w->files->source, &w->err);
	while (!rc) {
		rc = chunk_reader_next(w->reader, &rowid, w->values, &w->err);
		if (rc <= 0)
			return rc;
		++*rows;
		rc = 0;
	}
	return rc;
}

static void assert_sound(struct world *w)
{
	uint64_t rows;
	int64_t rowid;

	if (read_all(w, &rows) != 0)
		print_error("%s\n", w->err.message);
	assert_int_equal(w->err.code, ERROR_NONE);
	assert_int_equal(rows, w->t->rows);
	/* all that was told was read, in that order */
	assert_int_equal(w->files->told.size, 0);
	/* the end stays the end */
	assert_int_equal(
		chunk_reader_next(w->reader, &rowid, w->values, &w->err), 0);
}

static void assert_damage(struct world *w, const char *message)
{
	uint64_t rows;

	error_clear(&w->err);
	assert_int_equal(read_all(w, &rows), -1);
	assert_string_equal(w->err.message, message);
	assert_int_equal(w->err.code, ERROR_DAMAGE);
}

static void assert_file(struct world *w, const char *path, const char *text)
{
	struct file *file = files_find(w->files, path);

	assert_non_null(file);
	assert_string_equal(buffer_cstr(&file->data), text);
}

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

/* ---- rowids with hashes of our choice ---- */

/* The odd number that undoes a multiplication by `a`. */
static uint64_t inverse(uint64_t a)
{
	uint64_t x = a;

	for (int i = 0; i < 6; i++)
		x *= 2 - a * x;
	return x;
}

/* hash_mix64() backwards */
static uint64_t unmix(uint64_t h)
{
	h ^= h >> 31 ^ h >> 62;
	h *= inverse(UINT64_C(0x94d049bb133111eb));
	h ^= h >> 27 ^ h >> 54;
	h *= inverse(UINT64_C(0xbf58476d1ce4e5b9));
	return h ^ h >> 30 ^ h >> 60;
}

static uint64_t second(uint64_t hash)
{
	return hash_mix64(hash ^ UINT64_C(0x9e3779b97f4a7c15));
}

static int compare_rowids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* `count` rowids in order that all begin a chunk; with `mask`, those bits of
 * the second hash are zero. */
static int64_t *cutting_rowids(size_t count, uint64_t mask)
{
	int64_t *ids = calloc(count, sizeof(*ids));
	uint64_t hash = 1;

	assert_non_null(ids);
	for (size_t i = 0; i < count; hash++)
		if (!(second(hash) & mask))
			ids[i++] = (int64_t)unmix(hash);
	qsort(ids, count, sizeof(*ids), compare_rowids);
	return ids;
}

/* `count` ids whose lines {"id":N,"text":"x"} begin a chunk each in a table of
 * order 'scan'. */
static int64_t *cutting_lines(size_t count)
{
	int64_t *ids = calloc(count, sizeof(*ids)), id = 1;
	char line[64];

	assert_non_null(ids);
	for (size_t i = 0; i < count; id++) {
		size_t size = (size_t)snprintf(
			line, sizeof(line),
			"{\"id\":%" PRId64 ",\"text\":\"x\"}", id);

		if (hash_bytes64(line, size) >> 48 <= size)
			ids[i++] = id;
	}
	return ids;
}

static void add_rows(struct world *w, const int64_t *ids, size_t count)
{
	begin(w);
	for (size_t i = 0; i < count; i++)
		add_text(w, ids[i], "x");
	finish(w);
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

static void order_by(struct world *w, enum table_order order)
{
	w->t->order = order;
	w->t->rowid_column = -1;
	free(w->t->rowid_key);
	w->t->rowid_key = NULL;
}

static void chunks_are_listed_where_names_do_not_sort(void **state)
{
	struct world *w = *state;
	struct buffer list = BUFFER_INIT;
	char text[2000], name[32];
	unsigned char digest[HASH_SHA256_SIZE];
	struct hasher *h;

	order_by(w, ORDER_KEY);
	memset(text, 'x', sizeof(text));
	assert_int_equal(hasher_new(&h, HASH_SHA256, NULL), 0);
	buffer_str(&list, "0.jsonl\n");
	for (int64_t id = 1; id <= 1000; id++) {
		char key[16];
		int size = snprintf(key, sizeof(key), "[%d]", (int)id);
		int line = snprintf(NULL, 0, "{\"id\":%d,\"text\":\"\"}\n",
				    (int)id) +
			   (int)sizeof(text);

		assert_int_equal(add(w, id, text, sizeof(text)), 0);
		if (id == 1 ||
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

/* ---- segments ---- */

struct span {
	int64_t first, end; /* rowids */
};

/* Write rows of 500 to 700 bytes in segments that know nothing of each
 * other, but for the first; @return what the writer said last */
static int write_spans(struct world *w, const struct span *spans, size_t count)
{
	struct chunk_writer *writer;
	char text[700];
	int rc = 0;

	memset(text, 'x', sizeof(text));
	assert_int_equal(
		chunk_writer_new(&writer, w->t, &w->keep->sink, &w->err), 0);
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

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

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
		IN_WORLD(files_do_not_depend_on_segments),
		IN_WORLD(empty_segments_change_nothing),
		IN_WORLD(a_forced_cut_needs_to_know_what_is_in_front),
		IN_WORLD(tables_in_scan_order_take_no_lines),
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
