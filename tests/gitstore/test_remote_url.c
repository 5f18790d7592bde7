/*
 * test_remote_url.c - URLs of remotes, and what can't be one
 */
#include "tests/gitstore/remotes.h"

static void urls_that_cannot_be_used_are_refused(void **state)
{
	static const struct {
		const char *url, *message;
		enum error_code code;
	} cases[] = {
		{ "https://me:secret@host/x.git",
		  "the URL 'https://...@host/x.git' holds a user name or a "
		  "password, which others can see there; leave it out, and "
		  "put a token into DBSTOW_TOKEN or a file for --token-file",
		  ERROR_REFUSED },
		{ "ssh://me:secret@host/x.git",
		  "the URL 'ssh://...@host/x.git' holds a user name or a "
		  "password, which others can see there; leave it out, and "
		  "put a token into DBSTOW_TOKEN or a file for --token-file",
		  ERROR_REFUSED },
		{ "http://host/x.git",
		  "'http://host/x.git' is not encrypted: everybody on the way "
		  "could read the data; use https://",
		  ERROR_REFUSED },
		{ "git://host/x.git",
		  "cannot use a remote like 'git:...'; dbstow talks https://, "
		  "ssh:// and to folders",
		  ERROR_USAGE },
		{ "ext::sh -c x",
		  "cannot use a remote like 'ext::sh -c x...'; dbstow talks "
		  "https://, ssh:// and to folders",
		  ERROR_USAGE },
		{ "ssh://-oProxyCommand=x/y",
		  "cannot use the remote's URL 'ssh://-oProxyCommand=x/y': it "
		  "names no host",
		  ERROR_USAGE },
		{ "-oProxyCommand=x:y",
		  "cannot use the remote's URL '-oProxyCommand=x:y': it names "
		  "no host",
		  ERROR_USAGE },
		{ "host:-x",
		  "cannot use the remote's URL 'host:-x': it names no "
		  "repository",
		  ERROR_USAGE },
		{ "ssh://host:ab/x",
		  "cannot use the remote's URL 'ssh://host:ab/x': its port is "
		  "no number",
		  ERROR_USAGE },
		{ "https://host",
		  "cannot use the remote's URL 'https://host': it is not like "
		  "'https://host/folder/name.git'",
		  ERROR_USAGE },
		{ "a\nb",
		  "a remote's URL is empty, too long or holds control "
		  "characters",
		  ERROR_USAGE },
		{ "/nowhere/x.git",
		  "cannot find the remote '/nowhere/x.git': No such file or "
		  "directory",
		  ERROR_NETWORK },
	};
	struct error err = ERROR_INIT;
	struct remote_url u;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_refused(remote_url_parse(&u, cases[i].url, 0, &err),
			       &err, cases[i].code, cases[i].message);
}

static void urls_are_read_as_git_reads_them(void **state)
{
	static const struct {
		const char *url;
		enum remote_kind kind;
		const char *host, *port, *path;
	} cases[] = {
		{ "https://host/x.git", REMOTE_HTTPS, "host", NULL, NULL },
		{ "https://host:8443/x.git", REMOTE_HTTPS, "host", NULL, NULL },
		{ "http://127.0.0.1:80/x", REMOTE_HTTPS, "127.0.0.1", NULL,
		  NULL },
		{ "ssh://me@host:22/a%20b", REMOTE_SSH, "me@host", "22",
		  "/a b" },
		{ "ssh://host/~me/x", REMOTE_SSH, "host", NULL, "~me/x" },
		{ "ssh://[::1]:22/x", REMOTE_SSH, "::1", "22", "/x" },
		{ "git@host:a/b.git", REMOTE_SSH, "git@host", NULL, "a/b.git" },
		{ "host:/a", REMOTE_SSH, "host", NULL, "/a" },
		{ "[::1]:a", REMOTE_SSH, "::1", NULL, "a" },
		{ "file:///t%6dp", REMOTE_FILE, NULL, NULL, "/tmp" },
		{ "/tmp/", REMOTE_FILE, NULL, NULL, "/tmp" },
	};
	struct error err = ERROR_INIT;
	struct remote_url u;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_ok(remote_url_parse(&u, cases[i].url, 1, &err), &err);
		assert_int_equal(u.kind, cases[i].kind);
		assert_string_equal(u.host ? u.host : "-",
				    cases[i].host ? cases[i].host : "-");
		assert_string_equal(u.port ? u.port : "-",
				    cases[i].port ? cases[i].port : "-");
		assert_string_equal(u.path ? u.path : "-",
				    cases[i].path ? cases[i].path : "-");
		remote_url_release(&u);
	}
}

static void a_folder_that_is_no_repository_is_told(void **state)
{
	struct fixture *f = *state;
	struct remote_ref ref;
	struct remote *r;

	assert_int_equal(repo_sh(f->folder, "mkdir there.git"), 0);
	r = open_remote(f, "there.git");
	assert_int_equal(remote_refs(r, REF, &ref, &f->err), -1);
	assert_int_equal(f->err.code, ERROR_NETWORK);
	assert_non_null(strstr(f->err.message, "cannot talk to the remote "
					       "'there' ("));
	assert_non_null(strstr(f->err.message,
			       "does not appear to be a git repository"));
	remote_free(r);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_that_cannot_be_used_are_refused),
		cmocka_unit_test(urls_are_read_as_git_reads_them),
		T(a_folder_that_is_no_repository_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
