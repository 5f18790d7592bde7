/*
 * serve.h - a database's document over HTTP, to those who have a key
 *
 *   GET, HEAD /export   the document ("dbstow-export/1"), one committed state
 *   GET, HEAD /healthz  {"status":"ok"} while the database can be opened
 *
 * Plain HTTP, meant for this machine or for a socket: TLS is a proxy's.  One
 * request a connection, no bodies, nothing of a request names a file.  One
 * thread speaks HTTP (libmicrohttpd); an export runs in a thread of its own
 * and writes into a bounded file, from which the client is fed: a slow one
 * keeps neither the database's transaction open nor others waiting.
 */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include <stddef.h>
#include <stdint.h>

struct error;

#define SERVE_LISTEN        "127.0.0.1:8790"
#define SERVE_KEYS_VARIABLE "DBSTOW_SERVE_KEYS"

#define SERVE_SPOOL_BYTES UINT64_C(1000000000)
#define SERVE_QUEUE       4
#define SERVE_TIMEOUT_S   3600
#define SERVE_IDLE_S      30
#define SERVE_GRACE_S     30
#define SERVE_CONNECTIONS 2048
#define SERVE_PER_CLIENT  32 /* where not only this machine is listened to */

/** Everything is borrowed for as long as serve_run() runs. */
struct serve_options {
	const char *db;        /* path */
	const char *source;    /* what the database is called in documents */
	const char *version;   /* of this tool */
	const char *scratch;   /* see database_options; or NULL */
	const char *spool;     /* folder for documents on their way; NULL: none,
				  they are made as fast as they are taken */
	uint64_t spool_bytes;  /* of one at most */
	const char *listen;    /* "127.0.0.1:8790", "[::1]:0", "8790",
				  "unix:PATH"; NULL: SERVE_LISTEN, or the socket
				  that systemd hands over */
	int public_bind;       /* other addresses than loopback may be bound */
	const char *keys_file; /* NULL: the variable SERVE_KEYS_VARIABLE */
	const char *const *hosts; /* names that Host may hold, besides
				     localhost, 127.0.0.1, [::1] */
	size_t host_count;
	int allow_empty;          /* see database_options */
	unsigned int jobs;        /* threads that look for a change */
	unsigned int queue;       /* exports that may wait for the one */
	unsigned int timeout_s;   /* for one export, all in all */
	unsigned int idle_s;      /* that a client may take nothing */
	unsigned int grace_s;     /* for the running export at the end */
	unsigned int connections; /* at once */
	unsigned int per_client;  /* of one address; 0: SERVE_PER_CLIENT, none
				     on loopback, where a proxy is the client */
	int (*interrupted)(void); /* a signal came before serve_run() did; or
				     NULL */
	/* Told one line, without a newline: what people have to know.  From
	 * one thread. */
	void (*say)(void *payload, const char *line);
	/* Told one line a request; NULL: nobody wants to know. */
	void (*log)(void *payload, const char *line);
	void *payload;
};

/**
 * Serve until SIGTERM or SIGINT; SIGHUP reads the keys' file again.  A second
 * SIGTERM ends a running export, too.  These signals and SIGPIPE are blocked in
 * the calling thread until it returns.
 *
 * @return 0, or -1: ERROR_USAGE (an option, no key), ERROR_REFUSED (a public
 *         address, a keys' file that others can read), ERROR_FAILED (the
 *         address is taken ...)
 */
int serve_run(const struct serve_options *o, struct error *err);

#endif /* SERVE_SERVE_H */
