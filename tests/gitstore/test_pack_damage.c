/*
 * test_pack_damage.c - packs and indexes that are damaged or hostile
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/gitstore/pack_by_hand.h"

/* Cut `path` to every length, then change every byte, and back. */
static void damage_all(struct fixture *f, const char *name, size_t *unread,
		       size_t *total)
{
	char *path = path_join(f->folder, name);
	struct buffer whole = BUFFER_INIT;
	unsigned char data[39], bad;
	struct object_id id;
	struct pack_cursor *r;
	size_t i, k;
	int fd;

	fill(data, 39, 39);
	id = id_of(f, data, 39);
	assert_ok(file_read(path, LIMIT, &whole, &f->err), &f->err);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	*unread = *total = 0;
	for (k = 0; k < 2; k++)
		for (i = 0; i < whole.size; i++) {
			bad = (unsigned char)(whole.data[i] ^ (1 << i % 8));
			if (k)
				assert_int_equal(pwrite(fd, &bad, 1, (off_t)i),
						 1);
			else
				assert_int_equal(ftruncate(fd, (off_t)i), 0);
			r = reader_of(f, "p");
			*unread +=
				(size_t)reads(f, r, PACK_BLOB, &id, data, 39);
			*total += 1;
			pack_cursor_free(r);
			assert_int_equal(pwrite(fd, whole.data, whole.size, 0),
					 whole.size);
		}
	close(fd);
	buffer_release(&whole);
	free(path);
}

static void no_damage_makes_it_give_other_bytes(void **state)
{
	struct fixture *f = *state;
	size_t unread, total;

	write_pack(f, "p", 40);
	assert_int_equal(repo_sh(f->folder, "chmod 600 p/*"), 0);
	damage_all(f, "p/pack-1.pack", &unread, &total);
	/* the object is the last one, so any cut but of the trailer hits */
	assert_in_range(unread, total / 2, total - 20);
	damage_all(f, "p/pack-1.idx", &unread, &total);
	/* every length but those that lack whole far offsets; the header, the
	 * fan-out where it rises wrongly, the id, the offset */
	assert_in_range(unread, total / 2, total - 600);
}

static void a_stream_of_another_length_is_not_read(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reads_entry(f, "\x35", 1, "hello", "hello"), 0);
	/* the announced part has the right SHA-1 */
	assert_int_equal(reads_entry(f, "\x35", 1, "hello!", "hello"), 1);
	assert_int_equal(reads_entry(f, "\x36", 1, "hello", "hello"), 1);
	assert_int_equal(reads_entry(f, "\x34", 1, "hello", "hell"), 1);
	assert_int_equal(reads_entry(f, "\x30", 1, "hello", ""), 1);
	/* a sound stream of bytes with another id */
	assert_int_equal(reads_entry(f, "\x35", 1, "HELLO", "hello"), 1);
}

static void a_stream_that_swells_is_stopped(void **state)
{
	struct fixture *f = *state;
	char *zeros = malloc(LIMIT * 8);

	memset(zeros, '0', LIMIT * 8);
	zeros[LIMIT * 8 - 1] = '\0';
	assert_int_equal(reads_entry(f, "\x35", 1, zeros, "00000"), 1);
	free(zeros);
}

static void headers_that_make_no_sense_are_not_read(void **state)
{
	struct fixture *f = *state;
	char endless[40];

	/* 5 in more digits than needed; git takes it, too */
	assert_int_equal(reads_entry(f, "\xb5\x80\x00", 3, "hello", "hello"),
			 0);
	memset(endless, 0x80, sizeof(endless));
	endless[0] = (char)0xb5;
	assert_int_equal(
		reads_entry(f, endless, sizeof(endless), "hello", "hello"), 1);
	/* 2^59 bytes, 5 GiB, a type that is none */
	assert_int_equal(reads_entry(f, "\xb5\x80\x80\x80\x80\x80\x80\x80\x40",
				     9, "hello", "hello"),
			 1);
	assert_int_equal(
		reads_entry(f, "\xb5\x80\x80\x80\x80\x01", 6, "hello", "hello"),
		1);
	assert_int_equal(reads_entry(f, "\x55", 1, "hello", "hello"), 1);
}

/* Change the index of a pack of "hello" and see whether it is read. */
static int reads_with(struct fixture *f, off_t at, const char *bytes,
		      size_t size)
{
	struct object_id id = id_of(f, "hello", 5);
	char *path = path_join(f->folder, "p/pack-1.idx");
	struct pack_cursor *r;
	int fd, rc;

	assert_int_equal(reads_entry(f, "\x35", 1, "hello", "hello"), 0);
	assert_int_equal(chmod(path, 0600), 0);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, bytes, size, at), size);
	close(fd);
	r = reader_of(f, "p");
	rc = reads(f, r, PACK_BLOB, &id, "hello", 5);
	pack_cursor_free(r);
	free(path);
	return rc;
}

static void an_index_that_points_anywhere_is_harmless(void **state)
{
	struct fixture *f = *state;
	const off_t fan = 8, last = fan + 255 * 4, offset = 1032 + 20 + 4;
	const char *trailer = "0123456789012345678901234567890123456789";
	char far[48];

	/* beyond the file, its trailer, its header; no table of far ones */
	assert_int_equal(reads_with(f, offset, "\x7f\xff\xff\xff", 4), 1);
	assert_int_equal(reads_with(f, offset, "\0\0\0\x1a", 4), 1);
	assert_int_equal(reads_with(f, offset, "\0\0\0\0", 4), 1);
	assert_int_equal(reads_with(f, offset, "\x80\0\0\0", 4), 1);
	assert_int_equal(reads_with(f, offset, "\xff\xff\xff\xff", 4), 1);
	/* four thousand million objects; more in front than at the end */
	assert_int_equal(reads_with(f, last, "\xff\xff\xff\xff", 4), 1);
	assert_int_equal(reads_with(f, fan, "\0\0\0\2", 4), 1);
	/* a table with one far offset: beyond everything, then the right one */
	memcpy(far, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	memcpy(far + 8, trailer, 40);
	assert_int_equal(reads_with(f, offset + 4, far, 48), 0);
	memcpy(far, "\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xf0", 12);
	memcpy(far + 12, trailer, 36);
	assert_int_equal(reads_with(f, offset, far, 48), 1);
}

static void a_far_offset_is_taken_from_the_table(void **state)
{
	struct fixture *f = *state;
	const uint64_t at = UINT64_C(0x123456780);
	struct by_hand h = { BUFFER_INIT, { { { { 0 } }, 0, 0 } }, 0 };
	struct object_id id = id_of(f, "hello", 5), empty = id_of(f, "", 0);
	struct buffer raw = BUFFER_INIT;
	char *path = path_join(f->folder, "p/pack-1.pack");
	struct pack_cursor *r;
	struct deflater *d;
	int fd;

	add_entry(f, &h, &empty, "\x30", 1, "", 0);
	h.entries[h.count].id = id;
	h.entries[h.count].crc32 = 0;
	h.entries[h.count++].offset = at;
	write_by_hand(f, &h, TRAILER);
	assert_ok(deflater_new(&d, &f->err), &f->err);
	buffer_byte(&raw, 0x35);
	assert_ok(deflater_run(d, "hello", 5, append, &raw, &f->err), &f->err);
	deflater_free(d);
	buffer_str(&raw, TRAILER);
	fd = open(path, O_WRONLY); /* 4.9 GB, nearly all of it a hole */
	assert_int_equal(pwrite(fd, raw.data, raw.size, (off_t)at), raw.size);
	close(fd);
	r = reader_of(f, "p");
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "hello", 5), 0);
	assert_int_equal(reads(f, r, PACK_BLOB, &empty, "", 0), 0);
	pack_cursor_free(r);
	buffer_release(&raw);
	free(path);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(no_damage_makes_it_give_other_bytes),
		CASE(a_stream_of_another_length_is_not_read),
		CASE(a_stream_that_swells_is_stopped),
		CASE(headers_that_make_no_sense_are_not_read),
		CASE(an_index_that_points_anywhere_is_harmless),
		CASE(a_far_offset_is_taken_from_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
