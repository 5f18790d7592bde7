/*
 * https_error.c - why a request failed, in a sentence
 */
#include <stdlib.h>
#include <string.h>

#include "base/https_internal.h"
#include "base/said.h"

/* Numbers of OpenSSL's X509_V_ERR_...; libcurl hands them through. */
enum verify {
	NOT_YET_VALID = 9,
	EXPIRED = 10,
	SELF_SIGNED = 18,
	SELF_SIGNED_IN_CHAIN = 19,
	NO_ISSUER = 20,
	NO_ISSUER_LEAF = 21
};

static int untrusted(struct exchange *x)
{
	long why = 0;

	curl_easy_getinfo(x->h->curl, CURLINFO_SSL_VERIFYRESULT, &why);
	switch ((enum verify)why) {
	case EXPIRED:
		return error_set(x->err, ERROR_NETWORK,
				 "the certificate of '%s' has expired; it is "
				 "not trusted",
				 x->host);
	case NOT_YET_VALID:
		return error_set(x->err, ERROR_NETWORK,
				 "the certificate of '%s' is not valid yet; is "
				 "this machine's clock right?",
				 x->host);
	case SELF_SIGNED:
	case SELF_SIGNED_IN_CHAIN:
	case NO_ISSUER:
	case NO_ISSUER_LEAF:
		return error_set(x->err, ERROR_NETWORK,
				 "the certificate of '%s' is from an unknown "
				 "authority; name its certificate with "
				 "--cacert FILE if you trust it",
				 x->host);
	}
	if (strstr(x->h->text, "match"))
		return error_set(x->err, ERROR_NETWORK,
				 "the certificate of '%s' is for another host; "
				 "it is not trusted",
				 x->host);
	return error_set(x->err, ERROR_NETWORK,
			 "the certificate of '%s' is not trusted: %s", x->host,
			 x->h->text);
}

static int no_handshake(struct exchange *x)
{
	const char *text = x->h->text;

	if (strstr(text, "protocol version") ||
	    strstr(text, "unsupported protocol") ||
	    strstr(text, "version too low"))
		return error_set(x->err, ERROR_NETWORK,
				 "'%s' offers no TLS 1.2 or newer; it is not "
				 "trusted",
				 x->host);
	x->reply->transient = 1;
	return error_set(x->err, ERROR_NETWORK,
			 "no secure connection to '%s': %s", x->host, text);
}

/* libcurl says only in its message which of both it could not reach.
 * @return the variable that names the proxy, or NULL: it was the host */
static const char *unreached_proxy(const struct exchange *x)
{
	const char *found = NULL;

	for (size_t i = 0; i < HTTPS_PROXY_NAMES && !found; i++) {
		const char *value = getenv(https_proxy_names[i]);
		char *host = NULL, *port = NULL, needle[300];
		CURLU *u = curl_url();

		if (value && u &&
		    !curl_url_set(u, CURLUPART_URL, value,
				  CURLU_GUESS_SCHEME) &&
		    !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
		    !curl_url_get(u, CURLUPART_PORT, &port, 0)) {
			snprintf(needle, sizeof(needle), " %s port %s ", host,
				 port);
			if (strstr(x->h->text, needle))
				found = https_proxy_names[i];
		}
		curl_free(host);
		curl_free(port);
		curl_url_cleanup(u);
	}
	return found;
}

static int not_connected(struct exchange *x)
{
	const char *proxy = unreached_proxy(x);
	long number = 0;
	char why[128];

	x->reply->transient = 1;
	curl_easy_getinfo(x->h->curl, CURLINFO_OS_ERRNO, &number);
	if (proxy)
		return error_set(
			x->err, ERROR_NETWORK,
			"cannot connect to the proxy that %s names: %s", proxy,
			number ? strerror_r((int)number, why, sizeof(why))
			       : "no connection");
	if (number)
		return error_set(x->err, ERROR_NETWORK,
				 "cannot connect to '%s': %s", x->host,
				 strerror_r((int)number, why, sizeof(why)));
	return error_set(x->err, ERROR_NETWORK, "cannot connect to '%s': %s",
			 x->host, x->h->text);
}

static int timed_out(struct exchange *x)
{
	CURL *c = x->h->curl;
	curl_off_t ready = 0, sent = 0, got = 0;

	x->reply->transient = 1;
	/* when the connection and, with TLS, its handshake were done */
	curl_easy_getinfo(c, CURLINFO_PRETRANSFER_TIME_T, &ready);
	curl_easy_getinfo(c, CURLINFO_SIZE_UPLOAD_T, &sent);
	curl_easy_getinfo(c, CURLINFO_SIZE_DOWNLOAD_T, &got);
	if (!ready)
		return error_set(x->err, ERROR_NETWORK,
				 "no connection to '%s' within %u s", x->host,
				 x->h->o.connect_s);
	if (!strstr(x->h->text, "too slow"))
		return error_set(x->err, ERROR_NETWORK,
				 "'%s' did not finish within %u s", x->url,
				 x->r->total_s);
	if (x->r->post && (uint64_t)sent < x->r->body_bytes)
		return error_set(x->err, ERROR_NETWORK,
				 "'%s' took nothing for %u s, after %llu of "
				 "%llu bytes",
				 x->url, x->h->o.stall_s,
				 (unsigned long long)sent,
				 (unsigned long long)x->r->body_bytes);
	return error_set(x->err, ERROR_NETWORK,
			 "'%s' sent nothing for %u s, after %llu bytes", x->url,
			 x->h->o.stall_s, (unsigned long long)got);
}

static int cut_off(struct exchange *x)
{
	curl_off_t got = 0;

	x->reply->transient = 1;
	curl_easy_getinfo(x->h->curl, CURLINFO_SIZE_DOWNLOAD_T, &got);
	if (x->r->post && x->body_at < x->r->body_bytes)
		return error_set(x->err, ERROR_NETWORK,
				 "the connection to '%s' was cut while %llu of "
				 "%llu bytes were sent",
				 x->host, (unsigned long long)x->body_at,
				 (unsigned long long)x->r->body_bytes);
	if (x->length >= 0)
		return error_set(x->err, ERROR_NETWORK,
				 "the connection to '%s' was cut after %llu of "
				 "%llu bytes",
				 x->host, (unsigned long long)got,
				 (unsigned long long)x->length);
	return error_set(x->err, ERROR_NETWORK,
			 "the connection to '%s' was cut after %llu bytes",
			 x->host, (unsigned long long)got);
}

static int no_authorities(struct exchange *x)
{
	if (x->h->cacert)
		return error_set(x->err, ERROR_USAGE,
				 "the certificates in '%s' cannot be read",
				 x->h->cacert);
	return error_set(x->err, ERROR_NETWORK,
			 "this machine has no list of certificate authorities; "
			 "install the package ca-certificates");
}

int https_failed(struct exchange *x, CURLcode code)
{
	char line[CURL_ERROR_SIZE];

	if (!x->h->text[0])
		snprintf(x->h->text, sizeof(x->h->text), "%s",
			 curl_easy_strerror(code));
	said_line(line, sizeof(line), x->h->text, strlen(x->h->text));
	memcpy(x->h->text, line, sizeof(line));
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return error_nomem(x->err);
	case CURLE_ABORTED_BY_CALLBACK:
		return error_set(x->err, ERROR_INTERRUPTED, "interrupted");
	case CURLE_COULDNT_RESOLVE_HOST:
		x->reply->transient = 1;
		return error_set(x->err, ERROR_NETWORK,
				 "the host '%s' is not known to this network",
				 x->host);
	case CURLE_COULDNT_RESOLVE_PROXY:
		return error_set(x->err, ERROR_NETWORK,
				 "the proxy for '%s' is not known to this "
				 "network; see https_proxy in the environment",
				 x->host);
	case CURLE_COULDNT_CONNECT:
		return not_connected(x);
	case CURLE_PEER_FAILED_VERIFICATION:
		return untrusted(x);
	case CURLE_SSL_CONNECT_ERROR:
		return no_handshake(x);
	case CURLE_SSL_CACERT_BADFILE:
		return no_authorities(x);
	case CURLE_OPERATION_TIMEDOUT:
		return timed_out(x);
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return cut_off(x);
	case CURLE_BAD_CONTENT_ENCODING:
		return error_set(x->err, ERROR_NETWORK,
				 "what '%s' sent cannot be decompressed: %s",
				 x->url, x->h->text);
	default:
		return error_set(x->err, ERROR_NETWORK,
				 "cannot talk to '%s': %s", x->url, x->h->text);
	}
}

const char *https_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 402, "Payment Required" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 451, "Unavailable For Legal Reasons" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "";
}

int https_refused(const struct https_request *r,
		  const struct https_reply *reply, struct error *err)
{
	const char *text = https_status_text(reply->status);
	char *url = https_url_text(r->url);
	char wait[64] = "";

	if (reply->retry_after_s >= 0)
		snprintf(wait, sizeof(wait), "; try again in %lld s",
			 (long long)reply->retry_after_s);
	error_set(err, ERROR_NETWORK, "'%s' answered %d%s%s%s%s%.1000s%s",
		  url ? url : "?", reply->status, *text ? " (" : "", text,
		  *text ? ")" : "", *reply->said ? ": " : "", reply->said,
		  wait);
	free(url);
	return -1;
}
