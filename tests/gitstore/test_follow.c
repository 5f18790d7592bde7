/*
 * test_follow.c - what was put, read back while more is put
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/gitstore/store.h"

/* Put a folder with one file "rows" in it. */
static struct object_id put_folder(struct fixture *f, const char *rows)
{
	struct sink *s = gitstore_sink(f->g, &f->err);
	struct tree t = { 0 };
	struct object_id id;

	assert_non_null(s);
	assert_ok(
		s->put(s, OBJECT_BLOB, NULL, rows, strlen(rows), &id, &f->err),
		&f->err);
	assert_ok(tree_add(&t, "rows", 0, &id, &f->err), &f->err);
	assert_ok(tree_put(&t, s, &id, &f->err), &f->err);
	return id;
}

/* @return as a source's read(), after asserting what was read */
static int read_rows(struct fixture *f, struct follower *follower,
		     const struct object_id *folder, const char *want)
{
	struct buffer b = BUFFER_INIT;
	struct source *s;
	int rc;

	assert_ok(follower_source(follower, folder, &s, &f->err), &f->err);
	rc = s->read(s, "rows", &b, &f->err);
	if (!rc)
		assert_string_equal(buffer_cstr(&b), want);
	source_free(s);
	buffer_release(&b);
	return rc;
}

static void what_was_put_is_read_after_a_look(void **state)
{
	struct fixture *f = *state;
	struct follower *follower;
	struct object_id one, two;
	char hex[OBJECT_HEX_SIZE], want[128];

	assert_ok(follower_new(&follower, f->g, &f->err), &f->err);
	assert_int_equal(follower_look(follower, 1, &f->err), 0);
	one = put_folder(f, "first\n");
	assert_int_equal(follower_look(follower, 0, &f->err), 0);
	assert_int_equal(follower_look(follower, 1, &f->err), 1);
	assert_int_equal(read_rows(f, follower, &one, "first\n"), 0);
	two = put_folder(f, "second\n");
	object_hex(hex, &two);
	snprintf(want, sizeof(want), "'' of tree %.7s cannot be read yet", hex);
	assert_refused(read_rows(f, follower, &two, NULL), &f->err,
		       ERROR_FAILED, want);
	assert_int_equal(follower_look(follower, 1, &f->err), 1);
	assert_int_equal(read_rows(f, follower, &two, "second\n"), 0);
	assert_int_equal(read_rows(f, follower, &one, "first\n"), 0);
	/* and on while the pack is finished */
	assert_ok(gitstore_publish(f->g, &f->err), &f->err);
	assert_int_equal(read_rows(f, follower, &two, "second\n"), 0);
	follower_free(follower);
}

static void what_the_repository_has_is_read_as_well(void **state)
{
	struct fixture *f = *state;
	struct buffer b = BUFFER_INIT;
	struct follower *follower;
	struct object_id content, id;
	struct history *h;
	struct source *s;

	add(f, "old\n", 1);
	h = read_history(f);
	content = h->snapshots[0].content;
	history_free(h);
	assert_ok(follower_new(&follower, f->g, &f->err), &f->err);
	put_folder(f, "new\n");
	assert_int_equal(follower_look(follower, 1, &f->err), 1);
	assert_ok(follower_source(follower, &content, &s, &f->err), &f->err);
	assert_int_equal(s->read(s, "tables/t/0.jsonl", &b, &f->err), 0);
	assert_string_equal(buffer_cstr(&b), "old\n");
	assert_int_equal(gitstore_folder_id(s, "tables/t", &id, &f->err), 0);
	assert_int_equal(gitstore_folder_id(s, "tables/u", &id, &f->err), 1);
	assert_int_equal(
		gitstore_folder_id(s, "tables/t/0.jsonl", &id, &f->err), 1);
	source_free(s);
	buffer_release(&b);
	follower_free(follower);
}

static void much_that_is_new_is_shown(void **state)
{
	const size_t size = (size_t)3 << 20;
	struct fixture *f = *state;
	struct follower *follower;
	char *noise = malloc(size + 1);
	unsigned int x = 1;
	struct object_id id;

	assert_non_null(noise);
	for (size_t i = 0; i < size; i++) {
		x = x * 1103515245 + 12345;
		noise[i] = (char)('!' + (x >> 16) % 90);
	}
	noise[size] = '\0';
	assert_ok(follower_new(&follower, f->g, &f->err), &f->err);
	id = put_folder(f, noise);
	assert_int_equal(follower_look(follower, 0, &f->err), 1);
	assert_int_equal(read_rows(f, follower, &id, noise), 0);
	put_folder(f, "little\n");
	assert_int_equal(follower_look(follower, 0, &f->err), 0);
	follower_free(follower);
	free(noise);
}

/* What was written is read, not what was meant. */
static void a_changed_byte_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct follower *follower;
	struct object_id id;
	unsigned char byte;
	int fd;

	assert_ok(follower_new(&follower, f->g, &f->err), &f->err);
	id = put_folder(f, "a line that is stored\n");
	assert_int_equal(follower_look(follower, 1, &f->err), 1);
	assert_int_equal(chmod(pack_writer_pack(f->g->pack), 0600), 0);
	fd = open(pack_writer_pack(f->g->pack), O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &byte, 1, 24), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 24), 1);
	close(fd);
	assert_int_equal(read_rows(f, follower, &id, NULL), -1);
	assert_int_equal(f->err.code, ERROR_FAILED);
	follower_free(follower);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_was_put_is_read_after_a_look, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_the_repository_has_is_read_as_well, setup,
			teardown),
		cmocka_unit_test_setup_teardown(much_that_is_new_is_shown,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_changed_byte_is_noticed,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
