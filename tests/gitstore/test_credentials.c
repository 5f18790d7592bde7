/*
 * test_credentials.c - who we are, and that it goes to nobody else
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/https.h"
#include "base/secret.h"
#include "gitstore/credentials.h"

/* A helper that knows one host and writes down what it is asked. */
static const char helper[] =
	"[credential]\n"
	"\thelper = \"!f() { echo \\\"$1\\\" >>$LOG; grep -v ^path= >>$LOG; "
	"test \\\"$1\\\" != get || "
	"{ echo username=me; echo password=canary; }; }; f\"\n";

struct fixture {
	char *folder, *log;
	struct credentials *c;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct error err = ERROR_INIT;
	char *config;

	assert_int_equal(scratch_make(&f->folder, "/tmp", "dbstow-test", &err),
			 0);
	config = path_join(f->folder, "config");
	f->log = path_join(f->folder, "log");
	assert_int_equal(file_write(config, helper, strlen(helper), 0600, &err),
			 0);
	setenv("GIT_CONFIG_GLOBAL", config, 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("LOG", f->log, 1);
	unsetenv("GITHUB_SERVER_URL");
	free(config);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	credentials_free(f->c);
	scratch_remove(f->folder);
	free(f->folder);
	free(f->log);
	free(f);
	return 0;
}

static int look(struct fixture *f, const char *url, const char *file)
{
	credentials_free(f->c);
	return credentials_for(
		&f->c, NULL,
		&(struct credentials_options){ .url = url, .token_file = file },
		&f->err);
}

static void assert_log(struct fixture *f, const char *wanted)
{
	struct buffer text = BUFFER_INIT;

	assert_int_equal(file_read(f->log, 4096, &text, &f->err), 0);
	assert_string_equal(buffer_cstr(&text), wanted);
	buffer_release(&text);
}

static void why_there_is_no_token_is_said_beside_the_helpers(void **state)
{
	struct fixture *f = *state;

	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	setenv("GITHUB_TOKEN", "gh-canary", 1);
	assert_int_equal(look(f, "https://github.com.evil.example/a", NULL), 0);
	assert_int_equal(credentials_ask(f->c, &f->err), 1);
	assert_string_equal(credentials_tried(f->c),
			    "no token (GITHUB_TOKEN is for GitHub alone), and "
			    "git's credential helpers know none");
}

static void githubs_token_goes_to_github_alone(void **state)
{
	struct fixture *f = *state;

	setenv("GITHUB_TOKEN", "gh-canary", 1);
	setenv("GITHUB_SERVER_URL", "https://git.corp.example", 1);
	assert_int_equal(look(f, "https://github.com.evil.example/a", NULL), 0);
	assert_null(credentials_header(f->c));
	assert_int_equal(look(f, "https://github.com:8443/a", NULL), 0);
	assert_null(credentials_header(f->c));
	assert_int_equal(look(f, "https://git.corp.example/a", NULL), 0);
	assert_non_null(credentials_header(f->c));
	assert_int_equal(look(f, "https://GitHub.com/a", NULL), 0);
	assert_string_equal(secret_value(credentials_header(f->c)),
			    "Basic eC1hY2Nlc3MtdG9rZW46Z2gtY2FuYXJ5");
	assert_string_equal(credentials_tried(f->c),
			    "the token in GITHUB_TOKEN");
	assert_null(getenv("GITHUB_TOKEN"));
}

static void a_token_of_ours_is_for_one_host(void **state)
{
	struct fixture *f = *state;

	/* the cases above asked for this one first */
	setenv("DBSTOW_TOKEN", "my-canary", 1);
	assert_int_equal(look(f, "https://other.example/a", NULL), 0);
	assert_null(credentials_header(f->c));
	assert_string_equal(credentials_tried(f->c),
			    "no token (DBSTOW_TOKEN is for the host that was "
			    "asked first)");
	assert_int_equal(look(f, "https://github.com.evil.example/b", NULL), 0);
	assert_string_equal(credentials_tried(f->c),
			    "the token in DBSTOW_TOKEN");
}

static void a_refused_token_is_named_and_not_shown(void **state)
{
	struct https_reply reply = { .status = 401, .said = "bad my-token" };
	struct fixture *f = *state;
	char *path = path_join(f->folder, "token"), wanted[512];

	assert_int_equal(file_write(path, "my-token\n", 9, 0600, &f->err), 0);
	assert_int_equal(look(f, "https://h.example/a?b=c", path), 0);
	assert_int_equal(credentials_ask(f->c, &f->err), 1);
	assert_false(file_exists(f->log));
	assert_int_equal(credentials_refused(f->c, &reply, &f->err), -1);
	assert_int_equal(f->err.code, ERROR_NETWORK);
	snprintf(wanted, sizeof(wanted),
		 "'https://h.example/a' refused the token in the file '%s' "
		 "(401 Unauthorized): bad ***; has it expired, or may it not "
		 "do this here?",
		 path);
	assert_string_equal(f->err.message, wanted);
	free(path);
}

static void helpers_are_asked_once_and_told_the_outcome(void **state)
{
	struct https_reply reply = { .status = 401 };
	struct fixture *f = *state;

	assert_int_equal(look(f, "https://h.example:444/a/b", NULL), 0);
	assert_null(credentials_header(f->c));
	assert_int_equal(credentials_ask(f->c, &f->err), 0);
	assert_string_equal(secret_value(credentials_header(f->c)),
			    "Basic bWU6Y2FuYXJ5");
	assert_int_equal(credentials_ask(f->c, &f->err), 1);
	assert_int_equal(credentials_refused(f->c, &reply, &f->err), -1);
	assert_string_equal(f->err.message,
			    "'https://h.example:444/a/b' refused what git's "
			    "credential helpers gave for the user 'me' (401 "
			    "Unauthorized); has it expired, or may it not do "
			    "this here?");
	assert_log(f, "get\nprotocol=https\nhost=h.example:444\n"
		      "erase\nprotocol=https\nhost=h.example:444\n"
		      "username=me\npassword=canary\n");
}

static void what_worked_is_kept_by_its_helper(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(look(f, "https://h.example/a", NULL), 0);
	assert_int_equal(credentials_ask(f->c, &f->err), 0);
	credentials_accepted(f->c);
	credentials_accepted(f->c);
	assert_log(f, "get\nprotocol=https\nhost=h.example\n"
		      "store\nprotocol=https\nhost=h.example\n"
		      "username=me\npassword=canary\n");
}

static void without_any_it_is_said_what_to_do(void **state)
{
	struct https_reply reply = { .status = 401 };
	struct fixture *f = *state;

	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	assert_int_equal(look(f, "https://h.example/a", NULL), 0);
	assert_int_equal(credentials_ask(f->c, &f->err), 1);
	assert_int_equal(credentials_refused(f->c, &reply, &f->err), -1);
	assert_string_equal(f->err.message,
			    "'https://h.example/a' wants to know who we are "
			    "(401 Unauthorized), and there is no token "
			    "(DBSTOW_TOKEN is for the host that was asked "
			    "first), and git's credential helpers know none; "
			    "set DBSTOW_TOKEN or name a file with "
			    "--token-file");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(why_there_is_no_token_is_said_beside_the_helpers),
		TEST(githubs_token_goes_to_github_alone),
		TEST(a_token_of_ours_is_for_one_host),
		TEST(a_refused_token_is_named_and_not_shown),
		TEST(helpers_are_asked_once_and_told_the_outcome),
		TEST(what_worked_is_kept_by_its_helper),
		TEST(without_any_it_is_said_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
