/* test_headers.c - what headers of requests mean */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "serve/serve_internal.h"

static void gzip_is_taken_where_it_is_wanted(void **state)
{
	(void)state;
	assert_int_equal(headers_coding("gzip"), CODING_GZIP);
	assert_int_equal(headers_coding("deflate, GZIP ; q=0.5, br"),
			 CODING_GZIP);
	assert_int_equal(headers_coding("x-gzip"), CODING_GZIP);
	assert_int_equal(headers_coding("*"), CODING_GZIP);
	assert_int_equal(headers_coding("br;q=1.0, gzip;q=0.8, *;q=0.1"),
			 CODING_GZIP);
	assert_int_equal(headers_coding("identity;q=0, gzip;q=0.001"),
			 CODING_GZIP);
	assert_int_equal(headers_coding("gzip;q=1.000"), CODING_GZIP);
	assert_int_equal(headers_coding("gzip;q=1,identity;q=1"), CODING_GZIP);
}

static void without_it_nothing_is_compressed(void **state)
{
	(void)state;
	assert_int_equal(headers_coding(NULL), CODING_IDENTITY);
	assert_int_equal(headers_coding(""), CODING_IDENTITY);
	assert_int_equal(headers_coding("br, zstd"), CODING_IDENTITY);
	assert_int_equal(headers_coding("gzip;q=0"), CODING_IDENTITY);
	assert_int_equal(headers_coding("gzip;q=0.000, *"), CODING_IDENTITY);
	assert_int_equal(headers_coding("gzip;q=0.5, identity"),
			 CODING_IDENTITY);
	assert_int_equal(headers_coding("gzipped"), CODING_IDENTITY);
	/* no quality counts as none */
	assert_int_equal(headers_coding("gzip;q=2"), CODING_IDENTITY);
	assert_int_equal(headers_coding("gzip;q=1.001"), CODING_IDENTITY);
	assert_int_equal(headers_coding("gzip;q=0.0001"), CODING_IDENTITY);
	assert_int_equal(headers_coding("gzip;q="), CODING_IDENTITY);
	assert_int_equal(headers_coding("gzip;q=nan"), CODING_IDENTITY);
}

static void nothing_may_be_what_is_left(void **state)
{
	(void)state;
	assert_int_equal(headers_coding("identity;q=0"), CODING_NONE);
	assert_int_equal(headers_coding("*;q=0"), CODING_NONE);
	assert_int_equal(headers_coding("br, *;q=0, gzip;q=0"), CODING_NONE);
	assert_int_equal(headers_coding("identity;q=0.5, *;q=0"),
			 CODING_IDENTITY);
}

static void odd_lists_are_read_to_their_end(void **state)
{
	(void)state;
	assert_int_equal(headers_coding(",,;,;;,gzip;;q=1;,"), CODING_GZIP);
	assert_int_equal(headers_coding(";q=1"), CODING_IDENTITY);
	assert_int_equal(headers_coding("gzip;x=\",\";q=0"), CODING_GZIP);
	assert_int_equal(headers_coding("\xff\xfe;q=\x80"), CODING_IDENTITY);
}

static void tags_match_weak_or_strong(void **state)
{
	(void)state;
	assert_true(headers_match("W/\"abc\"", "abc"));
	assert_true(headers_match("\"abc\"", "abc"));
	assert_true(headers_match(" \"x\",W/\"y,\" , W/\"abc\"", "abc"));
	assert_true(headers_match("*", "abc"));
	assert_true(headers_match(" * ", ""));
}

static void other_tags_do_not_match(void **state)
{
	(void)state;
	assert_false(headers_match(NULL, "abc"));
	assert_false(headers_match("", "abc"));
	assert_false(headers_match("W/\"ab\"", "abc"));
	assert_false(headers_match("\"abcd\"", "abc"));
	assert_false(headers_match("\"abc", "abc"));
	assert_false(headers_match("abc", "abc"));
	assert_false(headers_match("w/\"abc\"", "abc"));
	assert_false(headers_match("\"\"", ""));
	assert_false(headers_match("*x", "abc"));
	assert_false(headers_match("\"x\" garbage \"abc\"", "abc"));
}

static void bearer(const char *header, const char *token)
{
	size_t size = 0;
	const char *found = headers_bearer(header, &size);

	if (!token) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_int_equal(size, strlen(token));
	assert_memory_equal(found, token, size);
}

static void token_is_what_stands_behind_bearer(void **state)
{
	(void)state;
	bearer("Bearer abc", "abc");
	bearer("bEARER   a.b-c=", "a.b-c=");
	bearer(NULL, NULL);
	bearer("", NULL);
	bearer("Bearer", NULL);
	bearer("Bearer ", NULL);
	bearer("Bearerabc", NULL);
	bearer("Bearer\tabc", NULL);
	bearer("Bearer abc def", NULL);
	bearer("Basic abc", NULL);
}

static void hosts_are_those_on_the_list(void **state)
{
	static const char *const names[] = { "db.example", "[fe80::1]" };
	const struct serve_options o = { .hosts = names, .host_count = 2 };
	(void)state;

	assert_true(headers_host("localhost", "", &o));
	assert_true(headers_host("LOCALHOST:8790", "", &o));
	assert_true(headers_host("127.0.0.1:1", "", &o));
	assert_true(headers_host("[::1]:65535", "", &o));
	assert_true(headers_host("db.Example:443", "", &o));
	assert_true(headers_host("[fe80::1]", "", &o));
	assert_true(headers_host("10.0.0.1:80", "10.0.0.1", &o));
	assert_false(headers_host("10.0.0.1:80", "", &o));
	assert_false(headers_host("", "", &o));
	assert_false(headers_host(":80", "", &o));
	assert_false(headers_host("db.example.evil", "", &o));
	assert_false(headers_host("evil.db.example", "", &o));
	assert_false(headers_host("localhost@evil", "", &o));
	assert_false(headers_host("localhost:80:80", "", &o));
	assert_false(headers_host("localhost:x", "", &o));
	assert_false(headers_host("localhost:123456", "", &o));
	assert_false(headers_host("[::1", "", &o));
	assert_false(headers_host("[::1]x", "", &o));
	assert_false(headers_host("localhost, evil", "", &o));
}

static void lengths_are_digits(void **state)
{
	uint64_t n = 1;
	(void)state;

	assert_int_equal(headers_length("0", &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(headers_length("0012", &n), 0);
	assert_int_equal(n, 12);
	assert_int_equal(headers_length("99999999999999999999999999", &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(headers_length("", &n), -1);
	assert_int_equal(headers_length("-1", &n), -1);
	assert_int_equal(headers_length("+1", &n), -1);
	assert_int_equal(headers_length("1 ", &n), -1);
	assert_int_equal(headers_length("1,1", &n), -1);
	assert_int_equal(headers_length("0x10", &n), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gzip_is_taken_where_it_is_wanted),
		cmocka_unit_test(without_it_nothing_is_compressed),
		cmocka_unit_test(nothing_may_be_what_is_left),
		cmocka_unit_test(odd_lists_are_read_to_their_end),
		cmocka_unit_test(tags_match_weak_or_strong),
		cmocka_unit_test(other_tags_do_not_match),
		cmocka_unit_test(token_is_what_stands_behind_bearer),
		cmocka_unit_test(hosts_are_those_on_the_list),
		cmocka_unit_test(lengths_are_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
