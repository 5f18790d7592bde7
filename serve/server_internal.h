/*
 * server_internal.h - the server, its connections and their requests
 *
 * All of this belongs to one thread, which libmicrohttpd's callbacks run in,
 * too.  Other threads (jobs, health) write to `wake`.
 */
#ifndef SERVE_SERVER_INTERNAL_H
#define SERVE_SERVER_INTERNAL_H

#include <microhttpd.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/serve_internal.h"

struct request;

/** A connection. */
struct client {
	struct client *next, *before; /* oldest first */
	int fd;
	int64_t since_ms;        /* connected */
	struct request *request; /* NULL: it did not say what it wants yet */
	int served;              /* it had its one request */
	char address[64];
};

enum stage {
	STAGE_ANSWERED, /* the answer is on its way, and short */
	STAGE_HEALTH,   /* waits for health_ask() */
	STAGE_QUEUED,   /* waits for its turn */
	STAGE_BEGUN,    /* waits for its job's first word */
	STAGE_SENDING   /* the document is on its way */
};

struct request {
	struct server *server;
	struct MHD_Connection *connection;
	struct client *client;
	struct request *next; /* of those that want an export */
	enum stage stage;
	int suspended; /* libmicrohttpd leaves it alone until it is resumed */
	int gone;      /* nobody waits for it, or not any more */
	int refused;   /* it will not have its turn */
	int made;      /* its job has ended: only the client is waited for */
	struct job *job;
	enum coding coding;
	char *if_none_match;
	int64_t begun_ms;
	int64_t moved_ms; /* when the client last took something */
	unsigned int status;
	uint64_t bytes;                                 /* of the body */
	char method[12], path[100], key[KEY_NAME_SIZE]; /* for the log */
};

struct server {
	const struct serve_options *o;
	struct MHD_Daemon *http;
	struct place place;
	struct keys *keys;
	struct health *health;
	struct known known;
	struct client *oldest, *newest;
	size_t client_count;
	struct request *exports; /* in the order in which they came */
	size_t export_count;     /* that wait or run */
	size_t made_count;       /* that are only taken any more */
	size_t health_waiting;
	int looked;          /* at the database, once by itself */
	struct job *running; /* the one that may have a transaction */
	int wake, signals;
	int run_again;      /* libmicrohttpd is to be run without a wait */
	int64_t stop_by_ms; /* 0: it is to go on */
	int stop_now;
};

int64_t server_now_ms(void);

/** Tell people something. */
void server_say(struct server *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** Can the database be opened?  As health_ask(); a change is told. */
int server_ask_health(struct server *s);

/* ---- request.c: libmicrohttpd's callbacks ---- */

enum MHD_Result request_take(void *cls, struct MHD_Connection *connection,
			     const char *url, const char *method,
			     const char *version, const char *upload_data,
			     size_t *upload_size, void **context);
void request_done(void *cls, struct MHD_Connection *connection, void **context,
		  enum MHD_RequestTerminationCode how);

/** Let libmicrohttpd look at it again. */
void request_resume(struct request *r);

/* ---- reply.c: answers ---- */

/** A short answer in JSON; @param name, value  one more header, or NULL */
enum MHD_Result reply_error(struct request *r, unsigned int status,
			    const char *code, const char *message,
			    const char *name, const char *value);
enum MHD_Result reply_healthy(struct request *r);
enum MHD_Result reply_unchanged(struct request *r);
/** The document that the job makes; for HEAD, where there is no job, only what
 *  stands in front of it. */
enum MHD_Result reply_document(struct request *r);

/** One line for the log. */
void reply_log(struct request *r, int cut);

/* ---- sweep.c: deadlines, turns ---- */

/** Whose turn is it, and who has something new to hear? */
void sweep_turns(struct server *s);
/** Who kept us waiting for too long? */
void sweep_deadlines(struct server *s);

#endif /* SERVE_SERVER_INTERNAL_H */
