/*
 * test_pack_read.c - our own reader of packs, on sound and on hostile ones
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "tests/gitstore/store.h"

#define LIMIT ((size_t)1 << 20)

static void fill(unsigned char *out, size_t size, uint64_t seed)
{
	size_t i;

	for (i = 0; i < size; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		/* half of them easy to compress */
		out[i] = seed >> 63 ? 'a' : (unsigned char)(seed >> 56);
	}
}

static struct pack_cursor *reader_of(struct fixture *f, const char *folder)
{
	char *path = path_join(f->folder, folder);
	struct pack_cursor *c;
	struct pack_reader *r;

	assert_ok(pack_reader_new(&r, path, NULL, &f->err), &f->err);
	assert_ok(pack_cursor_new(&c, r, &f->err), &f->err);
	pack_reader_free(r);
	free(path);
	return c;
}

/* Read behind bytes that must stay. @return 1: not here */
static int reads(struct fixture *f, struct pack_cursor *r, enum pack_type type,
		 const struct object_id *id, const void *want, size_t size)
{
	struct buffer b = BUFFER_INIT;
	int rc;

	buffer_str(&b, "before");
	rc = pack_cursor_read(r, id, type, LIMIT, &b, &f->err);
	assert_ok(rc, &f->err);
	assert_int_equal(b.size, rc ? 6 : 6 + size);
	assert_memory_equal(b.data, "before", 6);
	if (!rc && size)
		assert_memory_equal(b.data + 6, want, size);
	buffer_release(&b);
	return rc;
}

static struct object_id id_of(struct fixture *f, const void *data, size_t size)
{
	struct object_id id;

	object_hash(f->g->hasher, "blob", data, size, &id);
	return id;
}

/* ---- packs put together by hand, in the folder "p" ---- */

struct by_hand {
	struct buffer pack;
	struct pack_entry entries[5000];
	size_t count;
};

static int append(void *payload, const void *data, size_t size,
		  struct error *err)
{
	(void)err;
	buffer_add(payload, data, size);
	return 0;
}

/* An entry that announces `size` and holds a stream of `data` */
static void add_entry(struct fixture *f, struct by_hand *h,
		      const struct object_id *id, const char *header,
		      size_t header_size, const void *data, size_t size)
{
	struct deflater *d;

	if (!h->pack.size)
		buffer_add(&h->pack, "PACK\0\0\0\2\0\0\0\1", 12);
	h->entries[h->count].id = *id;
	h->entries[h->count].crc32 = 0;
	h->entries[h->count++].offset = h->pack.size;
	buffer_add(&h->pack, header, header_size);
	assert_ok(deflater_new(&d, &f->err), &f->err);
	assert_ok(deflater_run(d, data, size, append, &h->pack, &f->err),
		  &f->err);
	deflater_free(d);
}

static void write_by_hand(struct fixture *f, struct by_hand *h,
			  const char *trailer)
{
	char *pack = path_join(f->folder, "p/pack-1.pack");
	char *idx = path_join(f->folder, "p/pack-1.idx");

	repo_sh(f->folder, "mkdir -p p; rm -f p/*");
	buffer_add(&h->pack, trailer, strlen(trailer));
	assert_ok(file_write(pack, h->pack.data, h->pack.size, 0600, &f->err),
		  &f->err);
	assert_ok(pack_index_write(idx, h->entries, h->count,
				   (const unsigned char *)trailer, &f->err),
		  &f->err);
	buffer_release(&h->pack);
	free(pack);
	free(idx);
}

#define TRAILER "01234567890123456789"

/* One entry; does a reader give `want` of it? */
static int reads_entry(struct fixture *f, const char *header,
		       size_t header_size, const char *data, const char *want)
{
	struct by_hand h = { BUFFER_INIT, { { { { 0 } }, 0, 0 } }, 0 };
	struct object_id id = id_of(f, want, strlen(want));
	struct pack_cursor *r;
	int rc;

	add_entry(f, &h, &id, header, header_size, data, strlen(data));
	write_by_hand(f, &h, TRAILER);
	r = reader_of(f, "p");
	rc = reads(f, r, PACK_BLOB, &id, want, strlen(want));
	pack_cursor_free(r);
	return rc;
}

/* ---- round trip ---- */

static void write_pack(struct fixture *f, const char *folder, size_t count)
{
	char *path = path_join(f->folder, folder);
	unsigned char *data = malloc(LIMIT);
	struct pack_writer *w;
	struct object_id id;
	size_t i, size;

	repo_sh(f->folder, "mkdir -p %s", folder);
	assert_ok(pack_writer_new(&w, path, "pack-1", &f->err), &f->err);
	for (i = 0; i < count; i++) {
		size = i < 40 ? i : i * i * i % 300000;
		fill(data, size, i);
		id = id_of(f, data, size);
		assert_ok(
			pack_writer_put(w, PACK_BLOB, &id, data, size, &f->err),
			&f->err);
	}
	assert_ok(pack_writer_close(w, &f->err), &f->err);
	pack_writer_free(w);
	free(data);
	free(path);
}

static void what_was_written_is_read_in_any_order(void **state)
{
	struct fixture *f = *state;
	unsigned char *data = malloc(LIMIT);
	struct pack_cursor *r;
	struct object_id id;
	size_t i, k, size;

	write_pack(f, "p", 200);
	r = reader_of(f, "p");
	for (k = 0; k < 400; k++) {
		i = k < 200 ? k : k * 77 % 200;
		size = i < 40 ? i : i * i * i % 300000;
		fill(data, size, i);
		id = id_of(f, data, size);
		assert_int_equal(reads(f, r, PACK_BLOB, &id, data, size), 0);
	}
	id.bytes[19] ^= 1;
	assert_int_equal(reads(f, r, PACK_BLOB, &id, data, size), 1);
	pack_cursor_free(r);
	free(data);
}

static void another_type_and_what_is_too_big_are_left_alone(void **state)
{
	struct fixture *f = *state;
	struct object_id big, id = id_of(f, "", 0);
	struct buffer b = BUFFER_INIT;
	unsigned char data[39];
	struct pack_cursor *r;

	write_pack(f, "p", 40);
	fill(data, 39, 39);
	big = id_of(f, data, 39);
	r = reader_of(f, "p");
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "", 0), 0);
	assert_int_equal(reads(f, r, PACK_TREE, &id, "", 0), 1);
	assert_int_equal(pack_cursor_read(r, &big, PACK_BLOB, 38, &b, &f->err),
			 1);
	assert_null(b.data);
	assert_int_equal(pack_cursor_read(r, &big, PACK_BLOB, 39, &b, &f->err),
			 0);
	pack_cursor_free(r);
	buffer_release(&b);
}

static void no_folder_of_packs_is_none(void **state)
{
	struct fixture *f = *state;
	struct object_id id = id_of(f, "", 0);
	struct pack_cursor *r = reader_of(f, "nowhere");

	assert_int_equal(reads(f, r, PACK_BLOB, &id, "", 0), 1);
	pack_cursor_free(r);
}

/* ---- damage ---- */

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

/* ---- deltas ---- */

#define NOTHING                                                                \
	{                                                                      \
		BUFFER_INIT, { { { { 0 } }, 0, 0 } }, 0                        \
	}

/* An entry that is a delta of what lies `distance` in front of it */
static void add_ofs(struct fixture *f, struct by_hand *h, const char *want,
		    const char *distance, size_t distance_size,
		    const char *delta, size_t size)
{
	struct object_id id = id_of(f, want, strlen(want));
	char header[16] = { (char)(0x60 | size) };

	memcpy(header + 1, distance, distance_size);
	add_entry(f, h, &id, header, 1 + distance_size, delta, size);
}

/* ... or of an object */
static void add_ref(struct fixture *f, struct by_hand *h, const char *want,
		    const char *base, const char *delta, size_t size)
{
	struct object_id id = id_of(f, want, strlen(want));
	struct object_id base_id = id_of(f, base, strlen(base));
	char header[21] = { (char)(0x70 | size) };

	memcpy(header + 1, base_id.bytes, 20);
	add_entry(f, h, &id, header, 21, delta, size);
}

static void add_whole(struct fixture *f, struct by_hand *h, const char *data)
{
	struct object_id id = id_of(f, data, strlen(data));
	char header = (char)(0x30 | strlen(data));

	add_entry(f, h, &id, &header, 1, data, strlen(data));
}

static int reads_of(struct fixture *f, struct by_hand *h, const char *want)
{
	struct object_id id = id_of(f, want, strlen(want));
	struct pack_cursor *r;
	int rc;

	write_by_hand(f, h, TRAILER);
	h->count = 0;
	r = reader_of(f, "p");
	rc = reads(f, r, PACK_BLOB, &id, want, strlen(want));
	assert_int_equal(reads(f, r, PACK_TREE, &id, want, strlen(want)), 1);
	pack_cursor_free(r);
	return rc;
}

static void a_delta_is_applied_to_its_base(void **state)
{
	static struct by_hand h = NOTHING;
	struct fixture *f = *state;
	char distance;

	/* the base behind its delta, by its id */
	add_ref(f, &h, "hello!", "hello", "\5\6\x90\5\1!", 6);
	add_whole(f, &h, "hello");
	assert_int_equal(reads_of(f, &h, "hello!"), 0);
	/* one in front, by its place, with a delta of its own */
	add_whole(f, &h, "hello");
	distance = (char)(h.pack.size - 12);
	add_ofs(f, &h, "hell", &distance, 1, "\5\4\x90\4", 4);
	add_ref(f, &h, "shell", "hell", "\4\5\1s\x90\4", 6);
	assert_int_equal(reads_of(f, &h, "shell"), 0);
	/* an empty one */
	add_whole(f, &h, "hello");
	add_ofs(f, &h, "", &distance, 1, "\5\0", 2);
	assert_int_equal(reads_of(f, &h, ""), 0);
}

static void a_distance_is_counted_as_git_does(void **state)
{
	static struct by_hand h = NOTHING;
	struct fixture *f = *state;
	unsigned char noise[20000];
	struct object_id id;
	size_t far;
	char distance[3];

	add_whole(f, &h, "hello");
	fill(noise, sizeof(noise), 1);
	id = id_of(f, noise, sizeof(noise));
	/* 20000 = 0b10011100010 0000 */
	add_entry(f, &h, &id, "\xb0\xe2\x09", 3, noise, sizeof(noise));
	far = h.pack.size - 12;
	assert_in_range(far, 128 + 128, 128 + 128 * 128 - 1);
	distance[0] = (char)(0x80 | ((far - 128) >> 7));
	distance[1] = (char)((far - 128) & 0x7f);
	add_ofs(f, &h, "hell", distance, 2, "\5\4\x90\4", 4);
	assert_int_equal(reads_of(f, &h, "hell"), 0);
	/* in front of the pack, in itself, before zero */
	add_whole(f, &h, "hello");
	add_ofs(f, &h, "hell", "\x7f", 1, "\5\4\x90\4", 4);
	assert_int_equal(reads_of(f, &h, "hell"), 1);
	add_whole(f, &h, "hello");
	add_ofs(f, &h, "hell", "\0", 1, "\5\4\x90\4", 4);
	assert_int_equal(reads_of(f, &h, "hell"), 1);
	add_whole(f, &h, "hello");
	add_ofs(f, &h, "hell", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10,
		"\5\4\x90\4", 4);
	assert_int_equal(reads_of(f, &h, "hell"), 1);
}

static void a_delta_that_does_not_fit_is_left_alone(void **state)
{
	static struct by_hand h = NOTHING;
	struct fixture *f = *state;

	/* no base here; another base; another result */
	add_ref(f, &h, "hell", "hello", "\5\4\x90\4", 4);
	assert_int_equal(reads_of(f, &h, "hell"), 1);
	add_ref(f, &h, "hell", "hallo", "\5\4\x90\4", 4);
	add_whole(f, &h, "hallo");
	assert_int_equal(reads_of(f, &h, "hell"), 1);
	add_ref(f, &h, "hell", "hello", "\6\4\x90\4", 4);
	add_whole(f, &h, "hello");
	assert_int_equal(reads_of(f, &h, "hell"), 1);
	/* malformed; cut; too big */
	add_ref(f, &h, "hell", "hello", "\5\4\x90\x6", 4);
	add_whole(f, &h, "hello");
	assert_int_equal(reads_of(f, &h, "hell"), 1);
	add_ref(f, &h, "hell", "hello", "\5", 1);
	add_whole(f, &h, "hello");
	assert_int_equal(reads_of(f, &h, "hell"), 1);
	add_ref(f, &h, "hell", "hello", "\5\x84\x80\x80\1\x90\4", 7);
	add_whole(f, &h, "hello");
	assert_int_equal(reads_of(f, &h, "hell"), 1);
	/* its own base, and each other's */
	add_ref(f, &h, "hell", "hell", "\4\4\x90\4", 4);
	assert_int_equal(reads_of(f, &h, "hell"), 1);
	add_ref(f, &h, "hell", "hello", "\5\4\x90\4", 4);
	add_ref(f, &h, "hello", "hell", "\4\5\x90\4\1o", 6);
	assert_int_equal(reads_of(f, &h, "hell"), 1);
}

static void a_delta_bigger_than_the_limit_is_left_alone(void **state)
{
	static struct by_hand h = NOTHING;
	struct fixture *f = *state;
	struct object_id id = id_of(f, "hell", 4);
	struct buffer b = BUFFER_INIT;
	struct pack_cursor *r;

	add_ref(f, &h, "hell", "hello", "\5\4\x90\4", 4);
	add_whole(f, &h, "hello");
	assert_int_equal(reads_of(f, &h, "hell"), 0);
	r = reader_of(f, "p");
	assert_int_equal(pack_cursor_read(r, &id, PACK_BLOB, 3, &b, &f->err),
			 1);
	assert_int_equal(b.size, 0);
	/* its base may be bigger */
	assert_int_equal(pack_cursor_read(r, &id, PACK_BLOB, 4, &b, &f->err),
			 0);
	assert_string_equal(buffer_cstr(&b), "hell");
	pack_cursor_free(r);
	buffer_release(&b);
}

static void a_chain_ends_somewhere(void **state)
{
	static struct by_hand h = NOTHING;
	struct fixture *f = *state;
	char want[6], delta[9] = "\5\5\5";
	struct object_id id;
	struct pack_cursor *r;
	size_t i, before;
	char distance;

	add_whole(f, &h, "00000");
	before = 12;
	for (i = 1; i <= 4097; i++) {
		snprintf(want, sizeof(want), "%05zu", i);
		memcpy(delta + 3, want, 5);
		distance = (char)(h.pack.size - before);
		before = h.pack.size;
		add_ofs(f, &h, want, &distance, 1, delta, 8);
	}
	write_by_hand(f, &h, TRAILER);
	r = reader_of(f, "p");
	id = id_of(f, "04096", 5);
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "04096", 5), 0);
	id = id_of(f, "04097", 5);
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "04097", 5), 1);
	pack_cursor_free(r);
}

/* ---- several packs ---- */

static void a_damaged_pack_has_a_sound_neighbour(void **state)
{
	struct fixture *f = *state;
	struct object_id id = id_of(f, "hello", 5);
	struct pack_cursor *r;

	assert_int_equal(reads_entry(f, "\x35", 1, "hello", "hello"), 0);
	assert_int_equal(repo_sh(f->folder, "mkdir q; mv p/pack-1.pack q/0.pack"
					    " && mv p/pack-1.idx q/0.idx"),
			 0);
	assert_int_equal(reads_entry(f, "\x35", 1, "HELLO", "hello"), 1);
	assert_int_equal(
		repo_sh(f->folder,
			"cp p/pack-1.pack q/1.pack; cp p/pack-1.idx q/1.idx; "
			"cp p/pack-1.idx q/2.idx; >q/3.idx; mkfifo q/4.idx; "
			"mkdir q/5.idx; ln -s /dev/zero q/6.idx"),
		0);
	r = reader_of(f, "q");
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "hello", 5), 0);
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "hello", 5), 0);
	pack_cursor_free(r);
}

static void a_hundred_packs_are_not_all_held_open(void **state)
{
	struct fixture *f = *state;
	struct object_id id = id_of(f, "hello", 5);
	struct pack_cursor *r;

	assert_int_equal(reads_entry(f, "\x35", 1, "hello", "hello"), 0);
	assert_int_equal(
		repo_sh(f->folder,
			"touch -d @1000 p/*; mkdir e; git init -q e/r; cd e; "
			"printf x >x; git -C r hash-object -w --stdin <x | git "
			"-C r pack-objects -q ../e >/dev/null; cd ..; for i in "
			"$(seq 100); do cp e/e-*.pack p/$i.pack; cp e/e-*.idx "
			"p/$i.idx; done"),
		0);
	r = reader_of(f, "p");
	/* the oldest is for libgit2 */
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "hello", 5), 1);
	id = id_of(f, "x", 1);
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "x", 1), 0);
	id = id_of(f, "y", 1);
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "y", 1), 1);
	assert_git(f, "128", "ls -l /proc/%ld/fd | grep -c '/p/[0-9]*[.]'",
		   (long)getpid());
	pack_cursor_free(r);
}

static void a_pack_that_came_later_is_found(void **state)
{
	struct fixture *f = *state;
	struct object_id id = id_of(f, "hello", 5);
	struct pack_cursor *r;

	assert_int_equal(repo_sh(f->folder, "mkdir -p p; touch -d @1000 p"), 0);
	r = reader_of(f, "p");
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "hello", 5), 1);
	assert_int_equal(reads_entry(f, "\x35", 1, "hello", "hello"), 0);
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "hello", 5), 0);
	pack_cursor_free(r);
}

/* ---- in a store ---- */

static char *many_rows(int changed)
{
	struct buffer b = BUFFER_INIT;
	int i;

	for (i = 0; i < 2000; i++)
		buffer_printf(&b, "{\"id\":%d,\"x\":%d}\n", i,
			      i * 7919 + (i == changed));
	assert_non_null(buffer_cstr(&b));
	return b.data;
}

static void assert_rows(struct fixture *f, struct source *s, const char *want)
{
	struct buffer b = BUFFER_INIT;

	assert_ok(s->read(s, "data/tables/t/0.jsonl", &b, &f->err), &f->err);
	assert_string_equal(buffer_cstr(&b), want);
	buffer_release(&b);
}

static void a_repack_in_between_changes_nothing(void **state)
{
	struct fixture *f = *state;
	char *rows[3], *packed;
	struct object_id ids[3], blob;
	struct source *s[3];
	struct pack_cursor *r;
	int i, read = 0;

	for (i = 0; i < 3; i++) {
		rows[i] = many_rows(i * 500);
		ids[i] = add(f, rows[i], i);
	}
	for (i = 0; i < 3; i++) {
		assert_ok(gitstore_source(f->g, &ids[i], &s[i], &f->err),
			  &f->err);
		assert_rows(f, s[i], rows[i]);
	}
	assert_int_equal(repo_sh(f->repo, "git repack -adfq"), 0);
	for (i = 0; i < 3; i++) {
		assert_rows(f, s[i], rows[i]);
		source_free(s[i]);
	}
	reopen(f);
	r = reader_of(f, "r/.git/objects/pack");
	for (i = 0; i < 3; i++) {
		assert_ok(gitstore_source(f->g, &ids[i], &s[i], &f->err),
			  &f->err);
		assert_rows(f, s[i], rows[i]);
		blob = id_of(f, rows[i], strlen(rows[i]));
		read += !reads(f, r, PACK_BLOB, &blob, rows[i],
			       strlen(rows[i]));
	}
	/* one lies whole, the others are deltas */
	assert_git(f, "2",
		   "git verify-pack -v .git/objects/pack/*.idx | "
		   "grep -c ' blob .* [12] [0-9a-f]*$'");
	assert_int_equal(read, 3);
	pack_cursor_free(r);
	/* loose ones are for libgit2 */
	assert_int_equal(repo_sh(f->repo, "mv .git/objects/pack/*.pack ../x; rm"
					  " -f .git/objects/pack/*; git "
					  "unpack-objects -q <../x"),
			 0);
	reopen(f);
	packed = repo_out(f->repo, "git count-objects -v | grep in-pack");
	assert_string_equal(packed, "in-pack: 0");
	free(packed);
	for (i = 0; i < 3; i++) {
		source_free(s[i]);
		assert_ok(gitstore_source(f->g, &ids[i], &s[i], &f->err),
			  &f->err);
		assert_rows(f, s[i], rows[i]);
		source_free(s[i]);
		free(rows[i]);
	}
}

/* ---- several threads ---- */

#define VERSIONS 8

struct reading {
	pthread_t thread;
	struct pack_cursor *cursor;
	char **rows;
	const struct object_id *ids;
	unsigned int seed;
	size_t read, wrong;
};

static void *read_versions(void *payload)
{
	struct reading *r = payload;
	struct error err = ERROR_INIT;
	struct buffer b = BUFFER_INIT;
	size_t i, k;
	int rc;

	for (i = 0; i < 400; i++) {
		k = (i * 7 + r->seed) % VERSIONS;
		buffer_clear(&b);
		rc = pack_cursor_read(r->cursor, &r->ids[k], PACK_BLOB, LIMIT,
				      &b, &err);
		r->read += !rc;
		r->wrong += rc < 0 ||
			    (!rc && (b.size != strlen(r->rows[k]) ||
				     memcmp(b.data, r->rows[k], b.size) != 0));
	}
	buffer_release(&b);
	return NULL;
}

static void threads_read_while_git_repacks(void **state)
{
	struct fixture *f = *state;
	struct reading r[4];
	struct object_id ids[VERSIONS];
	char *rows[VERSIONS];
	int i;

	for (i = 0; i < VERSIONS; i++) {
		rows[i] = many_rows(i * 50);
		ids[i] = id_of(f, rows[i], strlen(rows[i]));
		add(f, rows[i], i);
	}
	for (i = 0; i < 4; i++) {
		memset(&r[i], 0, sizeof(r[i]));
		r[i].rows = rows;
		r[i].ids = ids;
		r[i].seed = (unsigned int)i;
		assert_ok(store_cursor_new(f->g, &r[i].cursor, &f->err),
			  &f->err);
	}
	/* a cursor outlives what the store knows of packs */
	assert_ok(store_look_again(f->g, &f->err), &f->err);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&r[i].thread, NULL,
						read_versions, &r[i]),
				 0);
	assert_int_equal(repo_sh(f->repo, "git repack -adq; git repack -adfq"),
			 0);
	for (i = 0; i < 4; i++) {
		pthread_join(r[i].thread, NULL);
		pack_cursor_free(r[i].cursor);
		assert_int_equal(r[i].wrong, 0);
		/* whatever is not there this moment is for libgit2 */
		assert_in_range(r[i].read, 300, 400);
	}
	for (i = 0; i < VERSIONS; i++)
		free(rows[i]);
}

static void what_was_published_is_read_before_it_is_placed(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct object_id id = id_of(f, "one\n", 4);
	struct buffer b = BUFFER_INIT;

	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_int_equal(store_read(f->g, &id, PACK_BLOB, LIMIT, &b, &f->err),
			 0);
	assert_string_equal(buffer_cstr(&b), "one\n");
	publish_forget(f->g);
	assert_int_equal(store_read(f->g, &id, PACK_BLOB, LIMIT, &b, &f->err),
			 1);
	buffer_release(&b);
}

static void damage_in_a_pack_is_told(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add(f, "one\n", 0);
	struct buffer b = BUFFER_INIT;
	struct source *s;

	/* in front of the deflated "one" lie 2 bytes of zlib's */
	assert_int_equal(
		repo_sh(f->repo,
			"b=$(git rev-parse "
			"database-backups:data/tables/t/0.jsonl); at=$(git "
			"verify-pack -v .git/objects/pack/*.idx | grep $b | "
			"cut -d' ' -f6); chmod 600 .git/objects/pack/*.pack; "
			"printf '\\377\\377' | dd of=$(ls "
			".git/objects/pack/*.pack) bs=1 seek=$((at + 4)) "
			"conv=notrunc 2>/dev/null"),
		0);
	reopen(f);
	assert_ok(gitstore_source(f->g, &id, &s, &f->err), &f->err);
	assert_int_equal(s->read(s, "data/tables/t/0.jsonl", &b, &f->err), -1);
	assert_int_equal(f->err.code, ERROR_DAMAGE);
	assert_non_null(strstr(f->err.message, "'data/tables/t/0.jsonl' of "
					       "snapshot "));
	assert_int_equal(b.size, 0);
	error_clear(&f->err);
	/* ... unless it can be had elsewhere, be that looked at later */
	assert_int_equal(
		repo_sh(f->folder,
			"git init -q e; cd e; echo one | git hash-object -w "
			"--stdin | git pack-objects -q pack >/dev/null; touch "
			"-d @1000 pack-*; mv pack-* ../r/.git/objects/pack"),
		0);
	assert_ok(s->read(s, "data/tables/t/0.jsonl", &b, &f->err), &f->err);
	assert_string_equal(buffer_cstr(&b), "one\n");
	buffer_release(&b);
	source_free(s);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_was_written_is_read_in_any_order),
		CASE(another_type_and_what_is_too_big_are_left_alone),
		CASE(no_folder_of_packs_is_none),
		CASE(no_damage_makes_it_give_other_bytes),
		CASE(a_stream_of_another_length_is_not_read),
		CASE(a_stream_that_swells_is_stopped),
		CASE(headers_that_make_no_sense_are_not_read),
		CASE(an_index_that_points_anywhere_is_harmless),
		CASE(a_far_offset_is_taken_from_the_table),
		CASE(a_delta_is_applied_to_its_base),
		CASE(a_distance_is_counted_as_git_does),
		CASE(a_delta_that_does_not_fit_is_left_alone),
		CASE(a_delta_bigger_than_the_limit_is_left_alone),
		CASE(a_chain_ends_somewhere),
		CASE(a_damaged_pack_has_a_sound_neighbour),
		CASE(a_hundred_packs_are_not_all_held_open),
		CASE(a_pack_that_came_later_is_found),
		CASE(a_repack_in_between_changes_nothing),
		CASE(threads_read_while_git_repacks),
		CASE(what_was_published_is_read_before_it_is_placed),
		CASE(damage_in_a_pack_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
