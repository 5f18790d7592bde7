/*
 * test_base64.c - RFC 4648 section 4, strictly
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/base64.h"

static void round_trip(const char *plain, const char *coded)
{
	size_t size = strlen(plain), used;
	unsigned char back[64];
	char text[64];

	assert_int_equal(base64_size(size), strlen(coded));
	base64_encode(text, (const unsigned char *)plain, size);
	assert_memory_equal(text, coded, strlen(coded));
	assert_int_equal(base64_decode(back, &used, coded, strlen(coded)), 0);
	assert_int_equal(used, size);
	assert_memory_equal(back, plain, size);
}

static void examples_of_the_rfc(void **state)
{
	(void)state;
	round_trip("", "");
	round_trip("f", "Zg==");
	round_trip("fo", "Zm8=");
	round_trip("foo", "Zm9v");
	round_trip("foob", "Zm9vYg==");
	round_trip("fooba", "Zm9vYmE=");
	round_trip("foobar", "Zm9vYmFy");
}

static void every_byte_reads_back_at_every_place(void **state)
{
	unsigned char bytes[256 + 3], back[300];
	char text[400];
	size_t i, cut, used;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7);
	for (cut = 0; cut < 3; cut++) {
		for (i = 0; i <= 256; i++) {
			base64_encode(text, bytes + cut, i);
			assert_int_equal(base64_decode(back, &used, text,
						       base64_size(i)),
					 0);
			assert_int_equal(used, i);
			assert_memory_equal(back, bytes + cut, i);
		}
	}
}

static void decoding_onto_itself_works(void **state)
{
	char text[] = "Zm9vYmFyZm9vYmE=";
	size_t used;

	(void)state;
	assert_int_equal(base64_decode((unsigned char *)text, &used, text, 16),
			 0);
	assert_int_equal(used, 11);
	assert_memory_equal(text, "foobarfooba", 11);
}

static void refused(const char *text)
{
	unsigned char out[64];
	size_t used;

	if (!base64_decode(out, &used, text, strlen(text)))
		fail_msg("'%s' was accepted", text);
}

static void whatever_is_not_canonical_is_refused(void **state)
{
	(void)state;
	refused("Z");
	refused("Zg");
	refused("Zg=");
	refused("Zg===");
	refused("Zh=="); /* bits behind the end */
	refused("Zm9="); /* the same, of three characters */
	refused("Zo==");
	refused("Zm+=");
	refused("Zg==Zg==");
	refused("Zm8=Zm9v");
	refused("====");
	refused("Z===");
	refused("Zg=v");
	refused("=g==");
	refused("Zm 9v");
	refused("Zm9v\n");
	refused("Zm9\n");
	refused("Zm-_");
	refused("Zm-_Zm9v");
	refused("Zm\xff"
		"9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_rfc),
		cmocka_unit_test(every_byte_reads_back_at_every_place),
		cmocka_unit_test(decoding_onto_itself_works),
		cmocka_unit_test(whatever_is_not_canonical_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
