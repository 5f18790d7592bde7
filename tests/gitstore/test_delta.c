/*
 * test_delta.c - deltas made, applied, and given to git
 */
#include "base/hash.h"
#include "tests/gitstore/store.h"

#define NO_LIMIT ((size_t)1 << 30)

static uint64_t state_of_random;

static uint32_t pick(uint32_t below)
{
	state_of_random = state_of_random * UINT64_C(6364136223846793005) + 1;
	return (uint32_t)((state_of_random >> 33) % below);
}

/* Make a delta and see that it leads back. @return its size */
static size_t there_and_back(const struct buffer *base,
			     const struct buffer *target)
{
	struct buffer delta = BUFFER_INIT, again = BUFFER_INIT;
	struct error err = ERROR_INIT;
	uint64_t from, to;
	size_t size;

	buffer_str(&delta, "x");
	buffer_str(&again, "y");
	assert_int_equal(delta_make(base->data, base->size, target->data,
				    target->size, NO_LIMIT, &delta, &err),
			 0);
	size = delta.size - 1;
	assert_int_equal(delta_sizes(delta.data + 1, size, &from, &to), 0);
	assert_int_equal(from, base->size);
	assert_int_equal(to, target->size);
	assert_int_equal(delta_apply(base->data, base->size, delta.data + 1,
				     size, &again, &err),
			 0);
	assert_int_equal(again.size, target->size + 1);
	if (target->size)
		assert_memory_equal(again.data + 1, target->data, target->size);
	/* the limit is exact, and what is over it leaves nothing */
	delta.size = 1;
	assert_int_equal(delta_make(base->data, base->size, target->data,
				    target->size, size - 1, &delta, &err),
			 1);
	assert_int_equal(delta.size, 1);
	assert_int_equal(delta_make(base->data, base->size, target->data,
				    target->size, size, &delta, &err),
			 0);
	assert_int_equal(delta.size, size + 1);
	buffer_release(&delta);
	buffer_release(&again);
	return size;
}

static void assert_delta(const char *base, const char *target, const void *want,
			 size_t size)
{
	struct buffer delta = BUFFER_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(delta_make(base, strlen(base), target, strlen(target),
				    NO_LIMIT, &delta, &err),
			 0);
	assert_int_equal(delta.size, size);
	assert_memory_equal(delta.data, want, size);
	buffer_release(&delta);
}

#define ANN "{\"id\":1,\"name\":\"ann\",\"n\":1111}\n" /* 31 bytes */
#define BOB "{\"id\":2,\"name\":\"bob\",\"n\":2222}\n"
#define CID "{\"id\":3,\"name\":\"cid\",\"n\":3333}\n"
#define DAN "{\"id\":4,\"name\":\"dan\",\"n\":4444}\n"

static void a_delta_names_what_changed(void **state)
{
	(void)state;
	assert_delta("", "", "\0\0", 2);
	assert_delta("a", "", "\1\0", 2);
	assert_delta("", "ab", "\0\2\2ab", 5);
	assert_delta(ANN BOB, ANN BOB, "\x3e\x3e\x90\x3e", 4);
	/* a row comes, at every place */
	assert_delta(BOB CID, ANN BOB CID, "\x3e\x5d\x1f" ANN "\x90\x3e",
		     2 + 32 + 2);
	assert_delta(ANN CID, ANN BOB CID,
		     "\x3e\x5d\x90\x1f\x1f" BOB "\x91\x1f\x1f", 2 + 2 + 32 + 3);
	assert_delta(ANN BOB, ANN BOB CID, "\x3e\x5d\x90\x3e\x1f" CID,
		     2 + 2 + 32);
	/* and goes */
	assert_delta(ANN BOB CID, BOB CID, "\x5d\x3e\x91\x1f\x3e", 5);
	assert_delta(ANN BOB CID, ANN CID, "\x5d\x3e\x90\x1f\x91\x3e\x1f", 7);
	assert_delta(ANN BOB CID, ANN BOB, "\x5d\x3e\x90\x3e", 4);
	/* one changes inside */
	assert_delta(ANN BOB CID,
		     ANN "{\"id\":2,\"name\":\"robert\",\"n\":"
			 "2222}\n" CID,
		     "\x5d\x60\x90\x2f\6robert\x91\x32\x2b", 2 + 2 + 7 + 3);
}

static void rows_are_paired_by_their_heads(void **state)
{
	struct buffer base = BUFFER_INIT, target = BUFFER_INIT;
	int i;

	(void)state;
	/* every row changes, and every seventh is gone */
	for (i = 0; i < 2000; i++) {
		buffer_printf(&base,
			      "{\"id\":%d,\"at\":%d,\"text\":\"some "
			      "words that stay as they are %d\"}\n",
			      i, i * 3, i * 7919);
		if (i % 7)
			buffer_printf(&target,
				      "{\"id\":%d,\"at\":%d,\"text\":\"some "
				      "words that stay as they are %d\"}\n",
				      i, i * 3 + 100000, i * 7919);
	}
	/* 6 digits, and two instructions */
	assert_in_range(there_and_back(&base, &target), 1714 * 8, 1714 * 18);
	buffer_release(&base);
	buffer_release(&target);
}

static void long_copies_are_cut_as_git_does(void **state)
{
	struct buffer base = BUFFER_INIT, delta = BUFFER_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	while (base.size < 0x20005)
		buffer_byte(&base, (char)pick(256));
	base.size = 0x20005;
	assert_int_equal(delta_make(base.data, base.size, base.data, base.size,
				    NO_LIMIT, &delta, &err),
			 0);
	assert_int_equal(delta.size, 6 + 1 + 2 + 3);
	assert_memory_equal(delta.data + 6, "\x80\x84\x01\x94\x02\x05", 6);
	buffer_release(&base);
	buffer_release(&delta);
}

/* ---- random ones ---- */

static void add_row(struct buffer *b, uint32_t id)
{
	uint32_t n = pick(5);

	buffer_printf(b, "{\"id\":%u,\"x\":%u", id, pick(1000));
	while (n--)
		buffer_printf(b, ",\"column%u\":\"%u\"", n, pick(100000));
	buffer_str(b, "}\n");
}

static void change_row(struct buffer *out, const char *row, size_t size)
{
	size_t at = pick((uint32_t)size), gone = pick(12);

	buffer_add(out, row, at);
	while (pick(3))
		buffer_byte(out, (char)('0' + pick(10)));
	if (at + gone < size)
		buffer_add(out, row + at + gone, size - at - gone);
}

/* Another version: `odds` in a thousand rows are changed, dropped, new. */
static void edit(const struct buffer *base, struct buffer *out, uint32_t odds)
{
	size_t at = 0, size;

	for (; at < base->size; at += size) {
		const char *row = base->data + at;
		const char *feed = memchr(row, '\n', base->size - at);

		size = feed ? (size_t)(feed - row) + 1 : base->size - at;
		if (pick(1000) >= odds) {
			buffer_add(out, row, size);
			continue;
		}
		switch (pick(4)) {
		case 0:
			break;
		case 1:
			add_row(out, pick(1000));
			buffer_add(out, row, size);
			break;
		default:
			change_row(out, row, size);
		}
	}
}

static void any_edit_leads_back(void **state)
{
	const uint32_t odds[] = { 0, 10, 100, 500, 1000 };
	struct buffer base = BUFFER_INIT, target = BUFFER_INIT;
	uint32_t i, rows;

	(void)state;
	for (i = 0; i < 1500; i++) {
		state_of_random = i;
		buffer_clear(&base);
		buffer_clear(&target);
		for (rows = pick(i % 10 ? 30 : 600); rows; rows--)
			add_row(&base, rows);
		if (base.size && i % 3 == 0)
			base.size--;
		edit(&base, &target, odds[i % 5]);
		there_and_back(&base, &target);
		there_and_back(&target, &base);
	}
	buffer_release(&base);
	buffer_release(&target);
}

static void any_bytes_lead_back(void **state)
{
	const uint32_t kinds[] = { 2, 3, 12, 256 };
	struct buffer base = BUFFER_INIT, target = BUFFER_INIT;
	uint32_t i, n, kind;

	(void)state;
	for (i = 0; i < 1500; i++) {
		state_of_random = i;
		kind = kinds[i % 4];
		buffer_clear(&base);
		buffer_clear(&target);
		for (n = pick(i % 10 ? 100 : 5000); n; n--)
			buffer_byte(&base, (char)(kind < 256 ? '\n' + pick(kind)
							     : pick(kind)));
		for (n = 0; n < base.size; n++) {
			if (pick(40))
				buffer_byte(&target, base.data[n]);
			if (!pick(40))
				buffer_byte(&target, (char)pick(256));
		}
		there_and_back(&base, &target);
		/* of one size */
		buffer_clear(&target);
		for (n = 0; n < base.size; n++)
			buffer_byte(&target,
				    pick(40) ? base.data[n] : (char)pick(256));
		there_and_back(&base, &target);
	}
	buffer_release(&base);
	buffer_release(&target);
}

static void a_tree_costs_its_new_ids(void **state)
{
	struct buffer base = BUFFER_INIT, target = BUFFER_INIT;
	int i, k;

	(void)state;
	for (i = 0; i < 500; i++) {
		buffer_printf(&base, "100644 k%015x.jsonl", i);
		buffer_byte(&base, '\0');
		for (k = 0; k < 20; k++)
			buffer_byte(&base, (char)pick(256));
	}
	buffer_add(&target, base.data, base.size);
	for (i = 0; i < 500; i += 2)
		for (k = 0; k < 20; k++)
			target.data[i * 50 + 30 + k] ^= (char)(1 + pick(255));
	assert_int_equal(base.size, 500 * 50);
	assert_in_range(there_and_back(&base, &target), 250 * 21, 250 * 27);
	buffer_release(&base);
	buffer_release(&target);
}

static void many_rows_gone_are_stepped_over(void **state)
{
	struct buffer base = BUFFER_INIT, target = BUFFER_INIT;
	uint32_t i;

	(void)state;
	for (i = 0; i < 20000; i++)
		add_row(&base, i);
	/* nearer than a search looks, then farther */
	buffer_add(&target, base.data + base.size / 8,
		   base.size - base.size / 8);
	while (target.data[0] != '{')
		memmove(target.data, target.data + 1, --target.size);
	assert_in_range(there_and_back(&base, &target), 1, 300);
	target.size /= 2;
	there_and_back(&base, &target);
	there_and_back(&target, &base);
	buffer_release(&base);
	buffer_release(&target);
}

/* ---- malformed ones ---- */

static int applies(const char *delta, size_t size)
{
	struct buffer out = BUFFER_INIT;
	struct error err = ERROR_INIT;
	char *exact = malloc(size ? size : 1);
	int rc;

	memcpy(exact, delta, size);
	buffer_str(&out, "x");
	rc = delta_apply("0123456789", 10, exact, size, &out, &err);
	if (rc)
		assert_int_equal(out.size, 1);
	assert_int_equal(err.code, ERROR_NONE);
	buffer_release(&out);
	free(exact);
	return rc;
}

static void a_malformed_delta_is_told(void **state)
{
	(void)state;
	assert_int_equal(applies("\12\3\x91\7\3", 5), 0);
	/* of another base; without end */
	assert_int_equal(applies("\11\3\x91\7\3", 5), 1);
	assert_int_equal(applies("", 0), 1);
	assert_int_equal(applies("\12", 1), 1);
	assert_int_equal(applies("\x8a", 1), 1);
	assert_int_equal(applies("\12\x83", 2), 1);
	assert_int_equal(
		applies("\12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1", 12),
		1);
	/* cut short */
	assert_int_equal(applies("\12\3\x91\7", 4), 1);
	assert_int_equal(applies("\12\3\x91", 3), 1);
	assert_int_equal(applies("\12\3\3ab", 5), 1);
	/* too little, too much, both at the end */
	assert_int_equal(applies("\12\3", 2), 1);
	assert_int_equal(applies("\12\3\2ab", 5), 1);
	assert_int_equal(applies("\12\3\4abcd", 7), 1);
	assert_int_equal(applies("\12\3\3abc\1d", 8), 1);
	/* beyond the base */
	assert_int_equal(applies("\12\3\x91\10\3", 5), 1);
	assert_int_equal(applies("\12\3\x91\13\3", 5), 1);
	assert_int_equal(applies("\12\3\x9f\xff\xff\xff\xff\3", 8), 1);
	assert_int_equal(applies("\12\x80\x80\4\x80", 5), 1);
	/* the reserved instruction */
	assert_int_equal(applies("\12\3\0\3abc", 7), 1);
	/* more than there is memory: no instruction makes that much */
	assert_int_equal(applies("\12\xff\xff\xff\xff\xff\xff\xff\x7f\1a", 11),
			 1);
}

static void noise_is_harmless(void **state)
{
	char delta[24];
	uint32_t i, k, size, sound = 0;

	(void)state;
	for (i = 0; i < 200000; i++) {
		state_of_random = i;
		size = 2 + pick(sizeof(delta) - 2);
		for (k = 0; k < size; k++)
			delta[k] = (char)(pick(2) ? pick(256) : pick(8));
		delta[0] = 10;
		sound += !applies(delta, size);
	}
	assert_int_not_equal(sound, 0);
}

/* ---- git ---- */

static int append(void *payload, const void *data, size_t size,
		  struct error *err)
{
	(void)err;
	buffer_add(payload, data, size);
	return 0;
}

static void add_entry(struct buffer *pack, unsigned int type,
		      const struct object_id *base, const struct buffer *data,
		      struct error *err)
{
	struct deflater *d;
	size_t left = data->size >> 4;

	buffer_byte(pack,
		    (char)(type << 4 | (data->size & 15) | (left ? 0x80 : 0)));
	for (; left; left >>= 7)
		buffer_byte(pack,
			    (char)((left & 0x7f) | (left > 0x7f ? 0x80 : 0)));
	if (base)
		buffer_add(pack, base->bytes, sizeof(base->bytes));
	assert_ok(deflater_new(&d, err), err);
	assert_ok(deflater_run(d, data->data, data->size, append, pack, err),
		  err);
	deflater_free(d);
}

static void git_takes_our_deltas(void **state)
{
	struct fixture *f = *state;
	struct buffer base = BUFFER_INIT, target = BUFFER_INIT;
	struct buffer delta = BUFFER_INIT, pack = BUFFER_INIT;
	struct object_id from, to, hash;
	char hex[OBJECT_HEX_SIZE];
	char *path = path_join(f->folder, "p");
	uint32_t i;

	state_of_random = 7;
	for (i = 0; i < 4000; i++)
		add_row(&base, i);
	edit(&base, &target, 20);
	object_hash(f->g->hasher, "blob", base.data, base.size, &from);
	object_hash(f->g->hasher, "blob", target.data, target.size, &to);
	assert_int_equal(delta_make(base.data, base.size, target.data,
				    target.size, target.size / 10, &delta,
				    &f->err),
			 0);
	buffer_add(&pack, "PACK\0\0\0\2\0\0\0\2", 12);
	add_entry(&pack, 3, NULL, &base, &f->err);
	add_entry(&pack, 7, &from, &delta, &f->err);
	hasher_reset(f->g->hasher);
	hasher_add(f->g->hasher, pack.data, pack.size);
	hasher_final(f->g->hasher, hash.bytes);
	buffer_add(&pack, hash.bytes, sizeof(hash.bytes));
	assert_ok(file_write(path, pack.data, pack.size, 0600, &f->err),
		  &f->err);
	assert_int_equal(repo_sh(f->repo, "git index-pack --stdin --strict "
					  "<../p >/dev/null && git verify-pack "
					  ".git/objects/pack/*.idx"),
			 0);
	object_hex(hex, &to);
	assert_int_equal(repo_sh(f->repo, "git cat-file blob %s >../t", hex),
			 0);
	buffer_clear(&pack);
	free(path);
	path = path_join(f->folder, "t");
	assert_ok(file_read(path, NO_LIMIT, &pack, &f->err), &f->err);
	assert_int_equal(pack.size, target.size);
	assert_memory_equal(pack.data, target.data, target.size);
	buffer_release(&base);
	buffer_release(&target);
	buffer_release(&delta);
	buffer_release(&pack);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_delta_names_what_changed),
		cmocka_unit_test(rows_are_paired_by_their_heads),
		cmocka_unit_test(long_copies_are_cut_as_git_does),
		cmocka_unit_test(any_edit_leads_back),
		cmocka_unit_test(any_bytes_lead_back),
		cmocka_unit_test(a_tree_costs_its_new_ids),
		cmocka_unit_test(many_rows_gone_are_stepped_over),
		cmocka_unit_test(a_malformed_delta_is_told),
		cmocka_unit_test(noise_is_harmless),
		cmocka_unit_test_setup_teardown(git_takes_our_deltas, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
