/*
 * test_secret.c - where secrets come from and where they never go
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"
#include "base/secret.h"

static struct secret *made(const char *value)
{
	struct error err = ERROR_INIT;
	struct secret *s;

	assert_int_equal(secret_new(&s, "TEST", value, strlen(value), &err), 0);
	return s;
}

static void a_live_value_is_redacted_in_every_form(void **state)
{
	struct secret *s = made("canary/1\n");
	char text[] = "a canary/1 b canary%2F1 c Y2FuYXJ5LzE= d "
		      "eC1hY2Nlc3MtdG9rZW46Y2FuYXJ5LzE= canary/";

	(void)state;
	assert_string_equal(secret_value(s), "canary/1");
	secret_redact(text);
	assert_string_equal(text, "a *** b *** c *** d *** canary/");
	secret_redact_cut(text);
	assert_string_equal(text, "a *** b *** c *** d *** ***");
	secret_free(s);
}

static void errors_never_hold_one(void **state)
{
	struct secret *s = made("my-canary");
	struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, ERROR_NETWORK, "server said '%s'", "my-canary?");
	assert_string_equal(err.message, "server said '***?'");
	error_clear(&err);
	error_set(&err, ERROR_NETWORK, "%2040smy-canary", "");
	assert_string_equal(err.message + 2037, "   ***");
	secret_free(s);
}

static void a_variable_is_wiped_and_remembered(void **state)
{
	struct error err = ERROR_INIT;
	struct secret *a, *b;
	char *place;

	(void)state;
	setenv("DBSTOW_TEST_TOKEN", "my-canary", 1);
	place = getenv("DBSTOW_TEST_TOKEN");
	assert_int_equal(secret_from_environment(&a, "DBSTOW_TEST_TOKEN", &err),
			 0);
	assert_null(getenv("DBSTOW_TEST_TOKEN"));
	assert_string_equal(place, "");
	secret_free(a);
	assert_int_equal(secret_from_environment(&b, "DBSTOW_TEST_TOKEN", &err),
			 0);
	assert_string_equal(secret_value(b), "my-canary");
	secret_free(b);
	assert_int_equal(secret_from_environment(&a, "DBSTOW_NO_TOKEN", &err),
			 1);
	assert_null(a);
}

static void what_cannot_be_a_token_is_refused(void **state)
{
	struct error err = ERROR_INIT;
	struct secret *s;

	(void)state;
	assert_int_equal(secret_new(&s, "DBSTOW_TOKEN", "\n", 1, &err), -1);
	assert_int_equal(err.code, ERROR_USAGE);
	assert_string_equal(err.message, "DBSTOW_TOKEN is empty");
	error_clear(&err);
	assert_int_equal(secret_new(&s, "DBSTOW_TOKEN", "a\nb", 3, &err), -1);
	assert_string_equal(err.message,
			    "DBSTOW_TOKEN holds a character that cannot stand "
			    "in a header; is it the token and nothing else?");
	assert_null(s);
}

static void a_file_must_be_private(void **state)
{
	char path[] = "/tmp/dbstow-secret.XXXXXX", wanted[256];
	struct error err = ERROR_INIT;
	int fd = mkstemp(path);
	struct secret *s;

	(void)state;
	assert_int_equal(write(fd, "my-token\r\n", 10), 10);
	assert_int_equal(secret_from_file(&s, path, &err), 0);
	assert_string_equal(secret_value(s), "my-token");
	assert_string_equal(secret_where(s), path);
	secret_free(s);
	assert_int_equal(fchmod(fd, 0640), 0);
	assert_int_equal(secret_from_file(&s, path, &err), -1);
	assert_int_equal(err.code, ERROR_REFUSED);
	snprintf(wanted, sizeof(wanted),
		 "others can read the secret in '%s' (mode 0640); run: chmod "
		 "600 '%s'",
		 path, path);
	assert_string_equal(err.message, wanted);
	close(fd);
	unlink(path);
	error_clear(&err);
	assert_int_equal(secret_from_file(&s, "/dev", &err), -1);
	assert_string_equal(err.message, "'/dev' is no regular file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_live_value_is_redacted_in_every_form),
		cmocka_unit_test(errors_never_hold_one),
		cmocka_unit_test(a_variable_is_wiped_and_remembered),
		cmocka_unit_test(what_cannot_be_a_token_is_refused),
		cmocka_unit_test(a_file_must_be_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
