/*
 * https.c - one request at a time over HTTPS
 */
#include "base/https.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/https_internal.h"
#include "base/said.h"
#include "base/secret.h"

/* A server may send headers without end; libcurl limits a line only. */
#define HEADER_BYTES ((size_t)256 << 10)

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static int curl_ready;

static void start_curl(void)
{
	curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* ---- the handle ---- */

const char *const https_proxy_names[HTTPS_PROXY_NAMES] = {
	"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"
};

/* A password in a proxy's URL would stand in libcurl's messages. */
static int hide_proxies(struct https *h, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < HTTPS_PROXY_NAMES && !rc; i++) {
		const char *value = getenv(https_proxy_names[i]);
		char *password = NULL;
		CURLU *u = curl_url();

		if (value && u &&
		    !curl_url_set(u, CURLUPART_URL, value,
				  CURLU_GUESS_SCHEME) &&
		    !curl_url_get(u, CURLUPART_PASSWORD, &password, 0) &&
		    *password)
			rc = secret_new(&h->proxies[i], https_proxy_names[i],
					password, strlen(password), err);
		curl_free(password);
		curl_url_cleanup(u);
	}
	return rc;
}

int https_open(struct https **out, const struct https_options *o,
	       struct error *err)
{
	struct https *h = calloc(1, sizeof(*h));
	int rc = -1;

	*out = NULL;
	if (!h)
		return error_nomem(err);
	pthread_once(&curl_once, start_curl);
	h->o = *o;
	h->o.cacert = h->o.agent = NULL;
	if (!h->o.connect_s)
		h->o.connect_s = HTTPS_CONNECT_S;
	if (!h->o.stall_s)
		h->o.stall_s = HTTPS_STALL_S;
	h->curl = curl_ready ? curl_easy_init() : NULL;
	h->agent = strdup(o->agent ? o->agent : "dbstow");
	h->cacert = o->cacert ? strdup(o->cacert) : NULL;
	if (!h->curl || !h->agent || (o->cacert && !h->cacert)) {
		error_nomem(err);
		goto done;
	}
	if (https_trust(h, err) < 0 || hide_proxies(h, err) < 0)
		goto done;
	*out = h;
	h = NULL;
	rc = 0;
done:
	https_free(h);
	return rc;
}

void https_free(struct https *h)
{
	if (!h)
		return;
	if (h->curl)
		curl_easy_cleanup(h->curl);
	for (size_t i = 0; i < sizeof(h->proxies) / sizeof(*h->proxies); i++)
		secret_free(h->proxies[i]);
	free(h->authorities);
	free(h->cacert);
	free(h->agent);
	free(h);
}

void https_reply_release(struct https_reply *reply)
{
	free(reply->content_type);
	free(reply->etag);
	free(reply->redirect);
	memset(reply, 0, sizeof(*reply));
	reply->retry_after_s = -1;
}

/* ---- what comes back ---- */

static int is_success(const struct https_reply *reply)
{
	return reply->status >= 200 && reply->status < 300;
}

/* The value of header `name` if this is its line, in new memory. */
static char *header_value(const char *line, size_t size, const char *name)
{
	size_t n = strlen(name);

	if (size <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	line += n + 1;
	size -= n + 1;
	while (size && (*line == ' ' || *line == '\t')) {
		line++;
		size--;
	}
	while (size && (unsigned char)line[size - 1] <= ' ')
		size--;
	return strndup(line, size);
}

static void replace(char **at, char *value)
{
	if (value) {
		free(*at);
		*at = value;
	}
}

static size_t on_header(char *line, size_t one, size_t count, void *payload)
{
	struct exchange *x = payload;
	size_t size = one * count;
	char *length;

	x->header_bytes += size;
	if (x->header_bytes > HEADER_BYTES) {
		error_set(x->err, ERROR_NETWORK,
			  "'%s' sent more than %zu KiB of headers", x->url,
			  HEADER_BYTES >> 10);
		return 0;
	}
	/* a new answer: what an interim one said does not count */
	if (size >= 5 && !memcmp(line, "HTTP/", 5))
		replace(&x->reply->etag, strdup(""));
	replace(&x->reply->etag, header_value(line, size, "etag"));
	length = header_value(line, size, "content-length");
	if (length)
		x->length = strtoll(length, NULL, 10);
	free(length);
	return size;
}

/* @param wanted  one or more, parted by ", " */
static int type_is(const char *type, const char *wanted)
{
	while (type && *wanted) {
		size_t n = strcspn(wanted, ",");

		if (!strncasecmp(type, wanted, n) &&
		    (!type[n] || type[n] == ';' || type[n] == ' '))
			return 1;
		wanted += n + strspn(wanted + n, ", ");
	}
	return 0;
}

static int check_type(struct exchange *x)
{
	const char *type = NULL;
	char shown[128];

	curl_easy_getinfo(x->h->curl, CURLINFO_CONTENT_TYPE, &type);
	if (!x->r->accept || type_is(type, x->r->accept))
		return 0;
	said_line(shown, sizeof(shown), type ? type : "",
		  type ? strlen(type) : 0);
	return error_set(x->err, ERROR_NETWORK,
			 "'%s' answered with '%s', not '%.*s'; is it the right "
			 "address?",
			 x->url, *shown ? shown : "no content type",
			 (int)strcspn(x->r->accept, ","), x->r->accept);
}

/* The first piece of a body: now the status and the headers are known. */
static int begin_body(struct exchange *x)
{
	long status = 0;

	curl_easy_getinfo(x->h->curl, CURLINFO_RESPONSE_CODE, &status);
	x->reply->status = (int)status;
	return is_success(x->reply) ? check_type(x) : 0;
}

static size_t on_body(char *data, size_t one, size_t count, void *payload)
{
	struct exchange *x = payload;
	const struct https_request *r = x->r;
	size_t size = one * count;

	if (!x->reply->status && begin_body(x) < 0)
		return 0;
	x->reply->body_bytes += size;
	if (!is_success(x->reply)) {
		/* enough of it; the rest is passed over, within limits */
		if (x->said.size < HTTPS_SAID)
			buffer_add(&x->said, data,
				   size < HTTPS_SAID ? size : HTTPS_SAID);
		return x->reply->body_bytes > HEADER_BYTES ? 0 : size;
	}
	if (r->limit_bytes && x->reply->body_bytes > r->limit_bytes) {
		error_set(x->err, ERROR_NETWORK,
			  "'%s' sent more than the %llu bytes it may", x->url,
			  (unsigned long long)r->limit_bytes);
		return 0;
	}
	if (r->take && r->take(r->payload, data, size, x->err) < 0)
		return 0;
	return size;
}

/* ---- what goes out ---- */

static size_t on_send(char *room, size_t one, size_t count, void *payload)
{
	struct exchange *x = payload;
	uint64_t head = x->r->head_bytes;
	uint64_t end = x->body_at < head ? head : head + x->r->body_bytes;
	size_t size = one * count;
	ssize_t n;

	if (size > end - x->body_at)
		size = (size_t)(end - x->body_at);
	if (!size)
		return 0;
	if (x->body_at < head) {
		memcpy(room, (const char *)x->r->head + x->body_at, size);
		x->body_at += size;
		return size;
	}
	do
		n = pread(x->r->body_fd, room, size,
			  (off_t)(x->body_at - head));
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		if (!n)
			errno = EIO; /* shorter than we were told */
		error_errno(x->err, ERROR_FAILED,
			    "cannot read what is to be sent");
		return CURL_READFUNC_ABORT;
	}
	x->body_at += (uint64_t)n;
	return (size_t)n;
}

/* A connection that was kept open turned out to be closed: from the start. */
static int on_seek(void *payload, curl_off_t offset, int origin)
{
	struct exchange *x = payload;

	if (origin != SEEK_SET || offset < 0 ||
	    (uint64_t)offset > x->r->head_bytes + x->r->body_bytes)
		return CURL_SEEKFUNC_FAIL;
	x->body_at = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static int on_progress(void *payload, curl_off_t a, curl_off_t b, curl_off_t c,
		       curl_off_t d)
{
	struct exchange *x = payload;

	(void)a, (void)b, (void)c, (void)d;
	return (x->h->o.interrupted && x->h->o.interrupted()) ||
	       (x->r->stopped && x->r->stopped(x->r->payload));
}

/* ---- the request ---- */

static int is_header(const char *name, const char *value)
{
	if (!*name)
		return 0;
	for (; *name; name++)
		if ((unsigned char)*name <= ' ' || *name >= 0x7f ||
		    *name == ':')
			return 0;
	for (; *value; value++)
		if (((unsigned char)*value < ' ' && *value != '\t') ||
		    *value == 0x7f)
			return 0;
	return 1;
}

static int add_header(struct curl_slist **list, const char *name,
		      const char *value, struct error *err)
{
	struct curl_slist *longer;
	char *line = NULL;

	if (!is_header(name, value))
		return error_set(err, ERROR_USAGE,
				 "the header '%s' cannot be sent", name);
	/* curl: "NAME:" would take the header out */
	if (asprintf(&line, *value ? "%s: %s" : "%s;", name, value) < 0)
		return error_nomem(err);
	longer = curl_slist_append(*list, line);
	explicit_bzero(line, strlen(line));
	free(line);
	if (!longer)
		return error_nomem(err);
	*list = longer;
	return 0;
}

static void free_headers(struct curl_slist *list)
{
	for (struct curl_slist *l = list; l; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(list);
}

static int make_headers(struct curl_slist **list, const struct https_request *r,
			struct error *err)
{
	struct curl_slist *longer;

	for (size_t i = 0; i < r->header_count; i++)
		if (add_header(list, r->headers[i].name, r->headers[i].value,
			       err) < 0)
			return -1;
	if (r->accept && add_header(list, "Accept", r->accept, err) < 0)
		return -1;
	if (r->secret &&
	    add_header(list, r->secret_name, secret_value(r->secret), err) < 0)
		return -1;
	/* Waiting for "100 Continue" costs a second where nobody says it. */
	longer = curl_slist_append(*list, "Expect:");
	if (!longer)
		return error_nomem(err);
	*list = longer;
	return 0;
}

/* Every option we rely on; the first that this libcurl lacks, or 0. */
static CURLcode set_safety(struct https *h, CURLU *u)
{
	struct curl_blob authorities = { h->authorities, h->authorities_size,
					 CURL_BLOB_NOCOPY };
	CURL *c = h->curl;
	CURLcode rc = CURLE_OK;
	char *scheme = NULL;

#define SET(option, value)                                                     \
	do {                                                                   \
		if (!rc)                                                       \
			rc = curl_easy_setopt(c, option, value);               \
	} while (0)
	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0))
		return CURLE_OUT_OF_MEMORY;
	SET(CURLOPT_CURLU, u);
	SET(CURLOPT_PROTOCOLS_STR, scheme); /* https, or loopback's http */
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_MAXREDIRS, 0L);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
	if (h->authorities) {
		SET(CURLOPT_CAINFO_BLOB, &authorities);
		SET(CURLOPT_PROXY_CAINFO_BLOB, &authorities);
	}
	/* no proxy is between us and ourselves */
	if (!strcmp(scheme, "http"))
		SET(CURLOPT_PROXY, "");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, (long)h->o.connect_s);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, (long)h->o.stall_s);
	SET(CURLOPT_USERAGENT, h->agent);
	SET(CURLOPT_ERRORBUFFER, h->text);
	curl_free(scheme);
	return rc;
}

static CURLcode set_request(struct exchange *x, struct curl_slist *headers)
{
	const struct https_request *r = x->r;
	CURL *c = x->h->curl;
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_HTTPHEADER, headers);
	SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, x);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, x);
	SET(CURLOPT_NOPROGRESS, 0L);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, x);
	SET(CURLOPT_TIMEOUT, (long)r->total_s);
	if (r->compressed)
		SET(CURLOPT_ACCEPT_ENCODING, "");
	if (r->post) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)(r->head_bytes + r->body_bytes));
		SET(CURLOPT_READFUNCTION, on_send);
		SET(CURLOPT_READDATA, x);
		SET(CURLOPT_SEEKFUNCTION, on_seek);
		SET(CURLOPT_SEEKDATA, x);
	}
#undef SET
	return rc;
}

/* A peer that is gone is told by an error; its SIGPIPE is for nobody. */
static CURLcode perform(CURL *curl)
{
	struct timespec none = { 0, 0 };
	sigset_t pipe, before, pending;
	CURLcode rc;
	int was;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	was = sigismember(&pending, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, &before);
	rc = curl_easy_perform(curl);
	if (!was)
		while (sigtimedwait(&pipe, NULL, &none) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static int redirected(struct exchange *x)
{
	char *target = NULL;

	/* one that is relative to our own address, too */
	curl_easy_getinfo(x->h->curl, CURLINFO_REDIRECT_URL, &target);
	if (!target)
		return error_set(x->err, ERROR_NETWORK,
				 "'%s' answered %d, a redirect that does not "
				 "say where to; is it the right address?",
				 x->url, x->reply->status);
	x->reply->redirect = strdup(target);
	target = https_url_text(target);
	error_set(x->err, ERROR_NETWORK,
		  "'%s' redirects to '%s', which is not followed; if you trust "
		  "that address, use it",
		  x->url, target ? target : "?");
	free(target);
	return -1;
}

static void note_reply(struct exchange *x)
{
	struct https_reply *reply = x->reply;
	CURL *c = x->h->curl;
	const char *type = NULL;
	curl_off_t number = 0;
	long status = 0;

	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	reply->status = (int)status;
	if (!curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type) && type)
		reply->content_type = strndup(type, strcspn(type, "; "));
	if (!curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &number) && number > 0)
		reply->retry_after_s = number;
	if (!curl_easy_getinfo(c, CURLINFO_SIZE_UPLOAD_T, &number))
		reply->sent_bytes = (uint64_t)number;
	if (!curl_easy_getinfo(c, CURLINFO_SIZE_DOWNLOAD_T, &number))
		reply->wire_bytes = (uint64_t)number;
	if (reply->etag && !*reply->etag) {
		free(reply->etag);
		reply->etag = NULL;
	}
	/* a page for browsers tells nothing in one line */
	if (!is_success(reply) &&
	    !(reply->content_type && type_is(reply->content_type, "text/html")))
		said_line(reply->said, sizeof(reply->said), x->said.data,
			  x->said.size);
	reply->transient = reply->status == 429 || reply->status == 502 ||
			   reply->status == 503 || reply->status == 504;
}

static int conclude(struct exchange *x, CURLcode code)
{
	int cut_error = code == CURLE_WRITE_ERROR && x->reply->status &&
			!is_success(x->reply);

	note_reply(x);
	if (x->err->code != ERROR_NONE)
		return -1;
	/* An error's page that is longer than anybody reads: its begin will
	 * do. */
	if (code && !cut_error)
		return https_failed(x, code);
	if (x->reply->status >= 300 && x->reply->status < 400 &&
	    x->reply->status != 304)
		return redirected(x);
	if (is_success(x->reply) && !x->reply->body_bytes)
		return check_type(x);
	return 0;
}

int https_send(struct https *h, const struct https_request *r,
	       struct https_reply *out, struct error *err)
{
	struct error own = ERROR_INIT;
	struct exchange x = {
		.h = h, .r = r, .reply = out, .err = &own, .length = -1
	};
	struct curl_slist *headers = NULL;
	CURLU *u = NULL;
	CURLcode code;
	int rc = -1;

	memset(out, 0, sizeof(*out));
	out->retry_after_s = -1;
	if (https_url_parse(&u, r->url, h->o.allow_http_loopback, &own) < 0)
		goto done;
	x.url = https_url_text(r->url);
	x.host = https_url_host(u);
	if (!x.url || !x.host) {
		error_nomem(&own);
		goto done;
	}
	if (make_headers(&headers, r, &own) < 0)
		goto done;
	curl_easy_reset(h->curl); /* connections stay */
	h->text[0] = '\0';
	code = set_safety(h, u);
	if (!code)
		code = set_request(&x, headers);
	if (code) {
		error_set(&own, ERROR_FAILED,
			  "libcurl cannot make a safe connection: %s",
			  curl_easy_strerror(code));
		goto done;
	}
	rc = conclude(&x, perform(h->curl));
done:
	/* libcurl keeps pointers to what is freed now */
	if (h->curl)
		curl_easy_reset(h->curl);
	free_headers(headers);
	curl_url_cleanup(u);
	buffer_release(&x.said);
	free(x.url);
	free(x.host);
	if (rc < 0)
		error_set(err, own.code, "%s", own.message);
	return rc;
}
