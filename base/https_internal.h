/*
 * https_internal.h - what the files of base/https share
 */
#ifndef BASE_HTTPS_INTERNAL_H
#define BASE_HTTPS_INTERNAL_H

#include <curl/curl.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/https.h"

/** Variables that name a proxy for https, the first that is set counts. */
#define HTTPS_PROXY_NAMES 4
extern const char *const https_proxy_names[HTTPS_PROXY_NAMES];

struct https {
	CURL *curl;
	struct https_options o; /* its texts are not ours: NULL here */
	char *cacert, *agent;
	char *authorities; /* PEM, the system's and the user's; or NULL */
	size_t authorities_size;
	struct secret *proxies[HTTPS_PROXY_NAMES]; /* passwords in their URLs */
	char text[CURL_ERROR_SIZE];
};

/** One request while it runs. */
struct exchange {
	struct https *h;
	const struct https_request *r;
	struct https_reply *reply;
	struct error *err;
	char *url;  /* for people */
	char *host; /* "host[:port]" */
	struct buffer said;
	uint64_t body_at;    /* how much of the body was sent */
	size_t header_bytes; /* what came so far */
	int64_t length;      /* of the answer's body, as announced; -1 */
};

/* ---- https_url.c ---- */

/** As https_url_check(); `out` receives the parsed URL for libcurl. */
int https_url_parse(CURLU **out, const char *url, int allow_http_loopback,
		    struct error *err);
char *https_url_host(CURLU *u);

/* ---- https_trust.c ---- */

/** Read the authorities into h->authorities when there is a file of the
 *  user's. */
int https_trust(struct https *h, struct error *err);

/* ---- https_error.c ---- */

/** Say why libcurl gave up. @return -1 */
int https_failed(struct exchange *x, CURLcode code);

#endif /* BASE_HTTPS_INTERNAL_H */
