/*
 * test_https.c - requests to servers that behave and that don't
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/https.h"
#include "base/process.h"
#include "base/secret.h"

enum server { GOOD, EXPIRED, OTHER_NAME, OLD_TLS, SILENT, PLAIN, SERVERS };

struct fixture {
	char *folder;
	struct process *servers;
	int ports[SERVERS];
	char cacert[256];
	/* of the last request */
	struct error err;
	struct https_reply reply;
	struct buffer body;
};

static int read_ports(struct fixture *f)
{
	struct error err = ERROR_INIT;
	char line[256] = "";
	size_t used = 0, got = 1;

	while (got && used < sizeof(line) - 1 && !strchr(line, '\n')) {
		if (process_read(f->servers, line + used,
				 sizeof(line) - 1 - used, &got, &err) < 0)
			break;
		used += got;
	}
	if (sscanf(line, "%d %d %d %d %d %d", &f->ports[0], &f->ports[1],
		   &f->ports[2], &f->ports[3], &f->ports[4],
		   &f->ports[5]) == SERVERS)
		return 0;
	print_error("no servers: %s\n", process_said(f->servers));
	return -1;
}

static int start(void **state)
{
	const char *argv[] = { "python3", TESTS "/support/faults.py", NULL,
			       NULL };
	struct fixture *f = calloc(1, sizeof(*f));
	struct error err = ERROR_INIT;

	*state = f;
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	if (scratch_make(&f->folder, "/tmp", "dbstow-test", &err) < 0)
		return -1;
	argv[2] = f->folder;
	snprintf(f->cacert, sizeof(f->cacert), "%s/ca/ca.pem", f->folder);
	if (process_start(
		    &f->servers,
		    &(struct process_options){ .argv = argv, .stall_s = 60 },
		    &err) < 0)
		return -1;
	return read_ports(f);
}

static int forget(void **state)
{
	struct fixture *f = *state;

	error_clear(&f->err);
	https_reply_release(&f->reply);
	buffer_release(&f->body);
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	process_free(f->servers);
	scratch_remove(f->folder);
	free(f->folder);
	free(f);
	return 0;
}

static int keep(void *payload, const void *data, size_t size, struct error *err)
{
	struct fixture *f = payload;

	(void)err;
	buffer_add(&f->body, data, size);
	return 0;
}

static int ask_at(struct fixture *f, enum server server, const char *scheme,
		  const char *path, struct https_options o,
		  struct https_request r)
{
	struct https *h;
	char url[256];
	int rc;

	snprintf(url, sizeof(url), "%s://localhost:%d/%s", scheme,
		 f->ports[server], path);
	r.url = url;
	r.take = keep;
	r.payload = f;
	if (!o.stall_s)
		o.stall_s = 2;
	assert_int_equal(https_open(&h, &o, &f->err), 0);
	rc = https_send(h, &r, &f->reply, &f->err);
	https_free(h);
	return rc;
}

/* Ask the good server for `path`. */
static int ask(struct fixture *f, const char *path, struct https_request r)
{
	return ask_at(f, GOOD, "https", path,
		      (struct https_options){ .cacert = f->cacert }, r);
}

#define NOTHING ((struct https_request){ 0 })

/* The message with every "localhost:PORT" as "HOST". */
static void assert_said(const struct fixture *f, const char *wanted)
{
	struct buffer text = BUFFER_INIT;
	const char *p = f->err.message;

	assert_int_equal(f->err.code, ERROR_NETWORK);
	for (const char *at; (at = strstr(p, "localhost:"));) {
		buffer_add(&text, p, (size_t)(at - p));
		buffer_str(&text, "HOST");
		p = at + 10 + strspn(at + 10, "0123456789");
	}
	buffer_str(&text, p);
	assert_string_equal(buffer_cstr(&text), wanted);
	buffer_release(&text);
}

static void an_answer_streams_to_its_taker(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "text", NOTHING), 0);
	assert_int_equal(f->reply.status, 200);
	assert_string_equal(f->reply.content_type, "text/plain");
	assert_string_equal(f->reply.etag, "\"e1\"");
	assert_int_equal(f->reply.body_bytes, 5);
	assert_string_equal(buffer_cstr(&f->body), "hello");
}

static void a_body_is_sent_whole(void **state)
{
	struct fixture *f = *state;
	int fd = memfd_create("body", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, 300000), 0);
	assert_int_equal(ask(f, "count",
			     (struct https_request){ .post = 1,
						     .body_fd = fd,
						     .body_bytes = 300000 }),
			 0);
	assert_string_equal(buffer_cstr(&f->body), "300000");
	assert_int_equal(f->reply.sent_bytes, 300000);
	close(fd);
}

static void what_arrives_is_counted_after_decompression(void **state)
{
	struct fixture *f = *state;
	struct https_request r = { .compressed = 1, .limit_bytes = 100000 };

	assert_int_equal(ask(f, "gzip", r), 0);
	assert_int_equal(f->reply.body_bytes, 100000);
	assert_true(f->reply.wire_bytes < 1000);
	forget(state);
	r.limit_bytes = 99999;
	assert_int_equal(ask(f, "gzip", r), -1);
	assert_said(f, "'https://HOST/gzip' sent more than the 99999 bytes it "
		       "may");
}

static void
a_refusal_is_told_without_control_characters_and_secrets(void **state)
{
	struct fixture *f = *state;
	struct https_request r = { .secret_name = "Authorization" };
	struct secret *token, *header;
	char url[64] = "https://localhost/echo?key=1";

	assert_int_equal(
		secret_new(&token, "TEST", "canary-token", 12, &f->err), 0);
	assert_int_equal(
		secret_header(&header, token, "Bearer ", NULL, &f->err), 0);
	r.secret = header;
	assert_int_equal(ask(f, "echo", r), 0);
	assert_int_equal(f->reply.status, 403);
	assert_string_equal(f->reply.said, "no:; *** ?");
	r.url = url;
	assert_int_equal(https_refused(&r, &f->reply, &f->err), -1);
	assert_string_equal(f->err.message,
			    "'https://localhost/echo' answered 403 "
			    "(Forbidden): no:; *** ?");
	secret_free(header);
	secret_free(token);
}

static void a_wait_is_told_in_seconds(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "busy", NOTHING), 0);
	assert_int_equal(f->reply.status, 503);
	assert_int_equal(f->reply.retry_after_s, 7);
	assert_true(f->reply.transient);
	assert_string_equal(f->reply.said, "");
	forget(state);
	assert_int_equal(ask(f, "later", NOTHING), 0);
	assert_in_range(f->reply.retry_after_s, 60, 100);
}

static void nothing_follows_a_redirect(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "away", NOTHING), -1);
	assert_said(f, "'https://HOST/away' redirects to "
		       "'https://elsewhere.example/x', which is not followed; "
		       "if you trust that address, use it");
	forget(state);
	assert_int_equal(ask(f, "nowhere", NOTHING), -1);
	assert_said(f, "'https://HOST/nowhere' answered 302, a redirect that "
		       "does not say where to; is it the right address?");
	forget(state);
	assert_int_equal(ask(f, "same", NOTHING), 0);
	assert_int_equal(f->reply.status, 304);
}

static void answers_that_are_not_whole_are_refused(void **state)
{
	static const struct {
		const char *path, *message;
	} cases[] = {
		{ "cut", "the connection to 'HOST' was cut after 10 of 100 "
			 "bytes" },
		{ "cutchunk", "the connection to 'HOST' was cut after 5 "
			      "bytes" },
		{ "nothing", "the connection to 'HOST' was cut after 0 bytes" },
		{ "stall", "'https://HOST/stall' sent nothing for 2 s, after "
			   "10 bytes" },
		{ "headers", "'https://HOST/headers' sent more than 256 KiB "
			     "of headers" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(ask(f, cases[i].path, NOTHING), -1);
		assert_said(f, cases[i].message);
		forget(state);
	}
}

static void another_content_type_is_refused(void **state)
{
	struct fixture *f = *state;
	struct https_request r = { .accept = "text/plain" };

	assert_int_equal(ask(f, "text", r), 0);
	forget(state);
	assert_int_equal(ask(f, "html", r), -1);
	assert_said(f, "'https://HOST/html' answered with 'text/html', not "
		       "'text/plain'; is it the right address?");
	assert_int_equal(f->body.size, 0);
}

static void only_trusted_servers_are_spoken_to(void **state)
{
	static const struct {
		enum server server;
		const char *message;
	} cases[] = {
		{ EXPIRED, "the certificate of 'HOST' has expired; it is not "
			   "trusted" },
		{ OTHER_NAME, "the certificate of 'HOST' is for another host; "
			      "it is not trusted" },
		{ OLD_TLS, "'HOST' offers no TLS 1.2 or newer; it is not "
			   "trusted" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(
			ask_at(f, cases[i].server, "https", "text",
			       (struct https_options){ .cacert = f->cacert },
			       NOTHING),
			-1);
		assert_said(f, cases[i].message);
		forget(state);
	}
	assert_int_equal(ask_at(f, GOOD, "https", "text",
				(struct https_options){ 0 }, NOTHING),
			 -1);
	assert_said(f, "the certificate of 'HOST' is from an unknown "
		       "authority; name its certificate with --cacert FILE if "
		       "you trust it");
}

static void a_silent_server_is_left(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask_at(f, SILENT, "https", "",
				(struct https_options){ .connect_s = 1 },
				NOTHING),
			 -1);
	assert_said(f, "no connection to 'HOST' within 1 s");
	assert_true(f->reply.transient);
}

static void plain_http_is_for_this_machine_and_on_demand(void **state)
{
	struct fixture *f = *state;
	char *host = NULL, *path = NULL;

	assert_int_equal(
		ask_at(f, PLAIN, "http", "text",
		       (struct https_options){ .allow_http_loopback = 1 },
		       NOTHING),
		0);
	assert_int_equal(f->reply.status, 200);
	assert_int_equal(
		https_url_check("http://localhost/", 0, NULL, NULL, &f->err),
		-1);
	assert_int_equal(f->err.code, ERROR_USAGE);
	assert_string_equal(f->err.message,
			    "'http://localhost/' is not encrypted; use "
			    "https://, or allow it on this machine with "
			    "--allow-http");
	error_clear(&f->err);
	assert_int_equal(https_url_check("http://localhost.example/?a=b", 1,
					 NULL, NULL, &f->err),
			 -1);
	assert_string_equal(f->err.message,
			    "'http://localhost.example/' is not encrypted; use "
			    "https://");
	error_clear(&f->err);
	assert_int_equal(https_url_check("https://Git.Example:8443/a/b.git", 0,
					 &host, &path, &f->err),
			 0);
	assert_string_equal(host, "git.example:8443");
	assert_string_equal(path, "/a/b.git");
	free(host);
	free(path);
}

static void urls_with_passwords_are_refused_and_not_shown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(https_url_check("https://me:canary@h/x?k=v", 0, NULL,
					 NULL, &f->err),
			 -1);
	assert_string_equal(f->err.message,
			    "the URL 'https://h/x' holds a user name or "
			    "password, which would be seen by others; take it "
			    "out, and give the key by an environment variable "
			    "or a file (see --help)");
	error_clear(&f->err);
	assert_int_equal(https_url_check("https://h/x\r\nHost: y", 0, NULL,
					 NULL, &f->err),
			 -1);
	assert_string_equal(f->err.message,
			    "'?' is no URL; one is 'https://HOST/PATH'");
}

static void a_header_cannot_carry_another(void **state)
{
	struct fixture *f = *state;
	struct https_header evil = { "X-A", "1\r\nX-B: 2" };

	assert_int_equal(ask(f, "text",
			     (struct https_request){ .headers = &evil,
						     .header_count = 1 }),
			 -1);
	assert_int_equal(f->err.code, ERROR_USAGE);
	assert_string_equal(f->err.message, "the header 'X-A' cannot be sent");
}

#define TEST(name) cmocka_unit_test_teardown(name, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_streams_to_its_taker),
		TEST(a_body_is_sent_whole),
		TEST(what_arrives_is_counted_after_decompression),
		TEST(a_refusal_is_told_without_control_characters_and_secrets),
		TEST(a_wait_is_told_in_seconds),
		TEST(nothing_follows_a_redirect),
		TEST(answers_that_are_not_whole_are_refused),
		TEST(another_content_type_is_refused),
		TEST(only_trusted_servers_are_spoken_to),
		TEST(a_silent_server_is_left),
		TEST(plain_http_is_for_this_machine_and_on_demand),
		TEST(urls_with_passwords_are_refused_and_not_shown),
		TEST(a_header_cannot_carry_another),
	};

	return cmocka_run_group_tests(tests, start, end);
}
