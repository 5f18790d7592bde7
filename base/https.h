/*
 * https.h - one request at a time over HTTPS
 *
 *   https_open()  ->  https_send() ...  ->  https_free()
 *
 * TLS 1.2 or newer, certificates and host names always checked, no redirects,
 * no cookies, no .netrc; the proxy is the environment's (https_proxy,
 * no_proxy).  Bodies stream both ways: nothing grows with their size.
 * Connections to a host stay open between requests.
 *
 * An answer of any status but a redirect is no error here: the caller looks at
 * reply->status and uses https_refused() for what it did not expect.
 *
 * A handle is used by one thread at a time.
 */
#ifndef BASE_HTTPS_H
#define BASE_HTTPS_H

#include <stddef.h>
#include <stdint.h>

struct error;
struct https;
struct secret;

#define HTTPS_CONNECT_S 15
#define HTTPS_STALL_S   30
#define HTTPS_SAID      4096

struct https_options {
	const char *cacert;       /* PEM file with certificate authorities that
				     are trusted besides the system's, or NULL */
	int allow_http_loopback;  /* http:// to 127.0.0.1, [::1], localhost */
	const char *agent;        /* NULL: "dbstow" */
	unsigned int connect_s;   /* 0: HTTPS_CONNECT_S */
	unsigned int stall_s;     /* without a byte; 0: HTTPS_STALL_S */
	int (*interrupted)(void); /* asked about once a second; or NULL */
};

struct https_header {
	const char *name, *value;
};

struct https_request {
	const char *url;
	int post;                           /* else GET */
	const struct https_header *headers; /* nothing secret */
	size_t header_count;
	const char *secret_name;     /* "Authorization", or NULL */
	const struct secret *secret; /* its value; goes to the URL's own host
					and, as nothing follows redirects,
					nowhere else */
	/* For post: the head, then a file, read from its start. */
	const void *head; /* or NULL */
	size_t head_bytes;
	int body_fd;
	uint64_t body_bytes;  /* of the file */
	const char *accept;   /* content types of which a 2xx answer must have
				 one, parted by ", "; NULL: any */
	int compressed;       /* ask for gzip and what else libcurl can undo */
	uint64_t limit_bytes; /* of the answer, after decompression; 0: none */
	unsigned int total_s; /* for all of it; 0: as long as bytes flow */
	/* Take a piece of a 2xx answer's body; NULL: it is passed over.
	 * @return 0, or -1 with an error, which ends the request */
	int (*take)(void *payload, const void *data, size_t size,
		    struct error *err);
	/* Asked about once a second whether to stop; or NULL. */
	int (*stopped)(void *payload);
	void *payload;
};

struct https_reply {
	int status;            /* 0: there was none */
	char *content_type;    /* without parameters; or NULL */
	char *etag;            /* or NULL */
	char *redirect;        /* the URL that a redirect leads to; or NULL */
	int64_t retry_after_s; /* -1: the server did not say */
	uint64_t sent_bytes;   /* of the body */
	uint64_t wire_bytes;   /* body as it came */
	uint64_t body_bytes;   /* after decompression */
	int transient; /* trying again later may help: no connection, or cut
			  off, or 429, 502, 503, 504 */
	char said[HTTPS_SAID]; /* begin of the body of an answer that is not
				  2xx: one line, no control characters; "" for
			  a web page */
};

/** @return 0, or -1: `cacert` cannot be read or holds no certificate */
int https_open(struct https **out, const struct https_options *o,
	       struct error *err);

/** NULL is allowed. */
void https_free(struct https *h);

/**
 * Send one request and take the answer.
 *
 * @param out  filled in any case; https_reply_release() frees it
 * @return 0 when there was a whole answer, whatever its status; -1 with
 *         ERROR_USAGE (the URL or a header is none), ERROR_NETWORK (not
 *         reached, not trusted, stalled, cut off, redirected, too big, wrong
 *         content type), ERROR_INTERRUPTED, or what take() recorded
 */
int https_send(struct https *h, const struct https_request *r,
	       struct https_reply *out, struct error *err);

void https_reply_release(struct https_reply *reply);

/** Record that the answer was not the expected one: "'URL' answered 404 (Not
 *  Found): TEXT".  @return -1, ERROR_NETWORK */
int https_refused(const struct https_request *r,
		  const struct https_reply *reply, struct error *err);

/** What a status means, "" for an unknown one. */
const char *https_status_text(int status);

/** A URL for people: without user, password, query and fragment; "?" when it
 *  is none.  New memory; NULL: out of memory */
char *https_url_text(const char *url);

/**
 * Check a URL as https_send() would: scheme, no user or password in it, no
 * control characters.
 *
 * @param host  receives the host in lower case, with ":PORT" when it is not
 *              the scheme's own; the caller frees it; may be NULL
 * @param path  receives the path; may be NULL
 */
int https_url_check(const char *url, int allow_http_loopback, char **host,
		    char **path, struct error *err);

#endif /* BASE_HTTPS_H */
