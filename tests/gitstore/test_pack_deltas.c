/*
 * test_pack_deltas.c - deltas in packs, as our own reader applies them
 */
#include "tests/gitstore/pack_by_hand.h"

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

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_delta_is_applied_to_its_base),
		CASE(a_distance_is_counted_as_git_does),
		CASE(a_delta_that_does_not_fit_is_left_alone),
		CASE(a_delta_bigger_than_the_limit_is_left_alone),
		CASE(a_chain_ends_somewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
