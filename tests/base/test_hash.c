/*
 * test_hash.c - digests, hex, mixing
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"

static void digest_is(struct hasher *h, const char *expected, size_t size)
{
	unsigned char digest[HASH_SHA256_SIZE];
	char hex[2 * HASH_SHA256_SIZE + 1];

	hasher_final(h, digest);
	hex_encode(hex, digest, size);
	assert_string_equal(hex, expected);
}

static void digests_are_those_of_the_standard(void **state)
{
	struct error err = ERROR_INIT;
	struct hasher *sha1, *sha256;

	(void)state;
	assert_int_equal(hasher_new(&sha1, HASH_SHA1, &err), 0);
	assert_int_equal(hasher_new(&sha256, HASH_SHA256, &err), 0);
	hasher_add(sha1, "ab", 2);
	hasher_add(sha1, NULL, 0);
	hasher_add(sha1, "c", 1);
	digest_is(sha1, "a9993e364706816aba3e25717850c26c9cd0d89d", 20);
	hasher_add(sha256, "abc", 3);
	digest_is(sha256,
		  "ba7816bf8f01cfea414140de5dae2223"
		  "b00361a396177a9cb410ff61f20015ad",
		  32);
	hasher_free(sha1);
	hasher_free(sha256);
}

static void hasher_begins_anew_after_each_digest(void **state)
{
	const char *empty = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
	struct error err = ERROR_INIT;
	struct hasher *h;

	(void)state;
	assert_int_equal(hasher_new(&h, HASH_SHA1, &err), 0);
	hasher_add(h, "abc", 3);
	digest_is(h, "a9993e364706816aba3e25717850c26c9cd0d89d", 20);
	digest_is(h, empty, 20);
	hasher_add(h, "forgotten", 9);
	hasher_reset(h);
	digest_is(h, empty, 20);
	hasher_free(h);
	hasher_free(NULL);
}

static void hex_reads_back(void **state)
{
	unsigned char bytes[256], back[256];
	char hex[513];
	int i;

	(void)state;
	for (i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	hex_encode(hex, bytes, 256);
	assert_memory_equal(hex, "000102", 6);
	assert_string_equal(hex + 506, "fdfeff");
	assert_int_equal(hex_decode(back, hex, 256), 0);
	assert_memory_equal(back, bytes, 256);
}

static void hex_takes_lower_case_digits_only(void **state)
{
	unsigned char out[2];

	(void)state;
	assert_int_equal(hex_decode(out, "0fA0", 2), -1);
	assert_int_equal(hex_decode(out, "0g", 1), -1);
	assert_int_equal(hex_decode(out, "g0", 1), -1);
	assert_int_equal(hex_decode(out, "/0", 1), -1);
	assert_int_equal(hex_decode(out, "0:", 1), -1);
	assert_int_equal(hex_decode(out, "`0", 1), -1);
	assert_int_equal(hex_decode(out, "0f", 2), -1);
	assert_int_equal(hex_decode(out, "0f0", 2), -1);
	assert_int_equal(hex_decode(out, "", 0), 0);
}

/* The format cuts chunks by these, so they may never change. */
static void mixing_hash_is_as_the_format_says(void **state)
{
	(void)state;
	assert_true(hash_mix64(0) == 0);
	assert_true(hash_mix64(1) == UINT64_C(0x5692161d100b05e5));
	assert_true(hash_bytes64("", 0) ==
		    hash_mix64(UINT64_C(0xcbf29ce484222325)));
	assert_true(hash_bytes64("a", 1) ==
		    hash_mix64(UINT64_C(0xaf63dc4c8601ec8c)));
	assert_true(hash_bytes64("foobar", 6) ==
		    hash_mix64(UINT64_C(0x85944171f73967e8)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_those_of_the_standard),
		cmocka_unit_test(hasher_begins_anew_after_each_digest),
		cmocka_unit_test(hex_reads_back),
		cmocka_unit_test(hex_takes_lower_case_digits_only),
		cmocka_unit_test(mixing_hash_is_as_the_format_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
