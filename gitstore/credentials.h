/*
 * credentials.h - who we are to a git server over HTTPS
 *
 *   credentials_for()  ->  credentials_header() with each request
 *   answered 401       ->  credentials_ask(), once; then again with its header
 *                          or credentials_refused()
 *   answered 2xx       ->  credentials_accepted()
 *
 * In this order, and only the first that there is: DBSTOW_TOKEN, GITHUB_TOKEN
 * (for github.com and GITHUB_SERVER_URL's host alone), a token file, git's
 * credential helpers.  The helpers are asked only after a 401, as git does:
 * they may open a window.
 */
#ifndef GITSTORE_CREDENTIALS_H
#define GITSTORE_CREDENTIALS_H

struct credentials;
struct error;
struct gitstore;
struct https_reply;
struct secret;

struct credentials_options {
	const char *url;          /* https:// or, on loopback, http:// */
	const char *token_file;   /* mode 0600; or NULL */
	int (*interrupted)(void); /* or NULL */
};

/**
 * Look what there is for a URL; nothing is sent or asked.
 *
 * DBSTOW_TOKEN is for one host: once it was used for one, another one is
 * refused it, as if it were not set.
 *
 * @param g  its configuration names the helpers; NULL: the user's
 * @return 0, or -1: the token file is open to others, the URL is none ...
 */
int credentials_for(struct credentials **out, struct gitstore *g,
		    const struct credentials_options *o, struct error *err);

/** Value of the Authorization header, or NULL: send none.  Borrowed. */
const struct secret *credentials_header(const struct credentials *c);

/** The same secret as "Bearer ...", for the API of that server; the caller
 *  frees it.  NULL where there is none. */
int credentials_bearer(const struct credentials *c, struct secret **out,
		       struct error *err);

/** A server answered 401 or 403 where nothing was sent: ask git's helpers.
 *  @return 0: there is a header now; 1: there is none, or one was sent
 *          already; -1: interrupted, out of memory */
int credentials_ask(struct credentials *c, struct error *err);

/** They worked: the helper that gave them may keep them. */
void credentials_accepted(struct credentials *c);

/** They did not: the helper that gave them forgets them (after a 401), and an
 *  error names what was tried and what the server said. @return -1,
 *  ERROR_NETWORK */
int credentials_refused(struct credentials *c, const struct https_reply *reply,
			struct error *err);

/** What was tried, for messages, never its value: "the token in DBSTOW_TOKEN".
 *  Borrowed. */
const char *credentials_tried(const struct credentials *c);

/** NULL is allowed. */
void credentials_free(struct credentials *c);

#endif /* GITSTORE_CREDENTIALS_H */
