/* test_keys.c - keys are read, kept as digests and found */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "serve/serve_internal.h"

#define LONG_KEY "0123456789abcdef"

/* echo -n 0123456789abcdef | sha256sum */
#define LONG_KEY_SHA256                                                        \
	"9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f"

static struct keys *parsed(const char *text)
{
	struct error err = ERROR_INIT;
	struct keys *k = NULL;

	assert_int_equal(keys_parse(&k, "'f'", text, strlen(text), &err), 0);
	assert_string_equal(err.message, "");
	return k;
}

static void refused(const char *text, const char *message)
{
	struct error err = ERROR_INIT;
	struct keys *k = NULL;

	assert_int_equal(keys_parse(&k, "'f'", text, strlen(text), &err), -1);
	assert_int_equal(err.code, ERROR_USAGE);
	assert_string_equal(err.message, message);
	assert_null(k);
}

static void keys_are_parted_by_blanks_commas_and_lines(void **state)
{
	struct keys *k = parsed("# old ones\n" LONG_KEY "\r\n\n \tci:" LONG_KEY
				"-2," LONG_KEY "-3 " LONG_KEY
				"-4 # new " LONG_KEY);
	(void)state;

	assert_int_equal(keys_count(k), 4);
	assert_string_equal(keys_find(k, LONG_KEY, 16), "key-1");
	assert_string_equal(keys_find(k, LONG_KEY "-2", 18), "ci");
	assert_string_equal(keys_find(k, LONG_KEY "-3", 18), "key-3");
	keys_free(k);
}

static void keys_that_differ_in_a_byte_are_not_found(void **state)
{
	struct keys *k = parsed(LONG_KEY);
	(void)state;

	assert_null(keys_find(k, LONG_KEY, 15));
	assert_null(keys_find(k, LONG_KEY "\0", 17));
	assert_null(keys_find(k, "0123456789abcdeF", 16));
	assert_null(keys_find(k, "", 0));
	keys_free(k);
}

static void digest_stands_for_its_key(void **state)
{
	struct keys *k = parsed("sha256:" LONG_KEY_SHA256
				"\nold:sha256:" LONG_KEY_SHA256);
	(void)state;

	assert_string_equal(keys_find(k, LONG_KEY, 16), "old");
	/* who has read the file has no key */
	assert_null(keys_find(k, LONG_KEY_SHA256, 64));
	assert_null(keys_find(k, "sha256:" LONG_KEY_SHA256, 71));
	keys_free(k);
}

static void keys_that_are_none_are_refused_without_being_shown(void **state)
{
	(void)state;
	refused(LONG_KEY "x short",
		"key 2 of 'f' has not 16 to 512 characters; make one with: "
		"openssl rand -hex 32");
	refused("name:short",
		"key 1 of 'f' has not 16 to 512 characters; make one with: "
		"openssl rand -hex 32");
	refused("0123456789\"abcdef",
		"key 1 of 'f' holds a character that cannot stand in a Bearer "
		"token; make one with: openssl rand -hex 32");
	refused("na/me:" LONG_KEY,
		"the name of key 1 of 'f' is not 1 to 32 letters, digits, dots, "
		"dashes or underscores");
	refused(":" LONG_KEY,
		"the name of key 1 of 'f' is not 1 to 32 letters, digits, dots, "
		"dashes or underscores");
	refused("sha256:" LONG_KEY,
		"key 1 of 'f' has sha256: without 64 lower-case hex digits "
		"behind it");
	refused("# nothing\n \n",
		"'f' holds no key; make one with: openssl rand -hex 32");
}

static void more_keys_than_there_is_room_for_are_refused(void **state)
{
	char text[(KEYS_MOST + 1) * 17 + 1];
	struct keys *k;
	(void)state;

	for (size_t i = 0; i <= KEYS_MOST; i++)
		memcpy(text + i * 17, LONG_KEY "\n", 17);
	text[KEYS_MOST * 17] = '\0';
	k = parsed(text);
	assert_int_equal(keys_count(k), KEYS_MOST);
	keys_free(k);
	text[KEYS_MOST * 17] = '0';
	text[sizeof(text) - 1] = '\0';
	refused(text, "'f' holds more than 64 keys");
}

static void variable_is_gone_once_it_was_read(void **state)
{
	struct error err = ERROR_INIT;
	struct keys *k = NULL;
	const char *value;
	(void)state;

	setenv("DBSTOW_SERVE_KEYS", LONG_KEY "," LONG_KEY "-2", 1);
	value = getenv("DBSTOW_SERVE_KEYS");
	assert_int_equal(keys_load(&k, NULL, &err), 0);
	assert_int_equal(keys_count(k), 2);
	assert_null(getenv("DBSTOW_SERVE_KEYS"));
	assert_string_equal(value, "");
	keys_free(k);
	assert_int_equal(keys_load(&k, NULL, &err), -1);
	assert_int_equal(err.code, ERROR_USAGE);
	assert_string_equal(err.message,
			    "no key is configured, and without one anybody "
			    "could have the database; set DBSTOW_SERVE_KEYS or "
			    "give --keys-file FILE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_parted_by_blanks_commas_and_lines),
		cmocka_unit_test(keys_that_differ_in_a_byte_are_not_found),
		cmocka_unit_test(digest_stands_for_its_key),
		cmocka_unit_test(
			keys_that_are_none_are_refused_without_being_shown),
		cmocka_unit_test(more_keys_than_there_is_room_for_are_refused),
		cmocka_unit_test(variable_is_gone_once_it_was_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
