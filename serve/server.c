/*
 * server.c - the loop
 *
 * libmicrohttpd is run by us ("external" epoll): its callbacks, the signals and
 * the words of other threads come one after another, in one thread, and none of
 * its state needs a lock.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "serve/server_internal.h"

#define HEAD_BYTES ((size_t)16 << 10) /* a request's head; also a chunk */
#define LOOK_MS    250
#define IDLE_MS                                                                \
	1000         /* without a connection: nothing is due, but then a       \
			  slip of the library's mends itself */
#define OTHER_FDS 64 /* than connections: files, pipes, the database */

int64_t server_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void server_say(struct server *s, const char *fmt, ...)
{
	char line[2304];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	s->o->say(s->o->payload, line);
}

/* ---- connections ---- */

static void describe(struct client *c, const struct sockaddr *a)
{
	const void *from = NULL;

	if (a && a->sa_family == AF_INET)
		from = &((const struct sockaddr_in *)(const void *)a)->sin_addr;
	else if (a && a->sa_family == AF_INET6)
		from = &((const struct sockaddr_in6 *)(const void *)a)
				->sin6_addr;
	if (!from ||
	    !inet_ntop(a->sa_family, from, c->address, sizeof(c->address)))
		snprintf(c->address, sizeof(c->address), "unix");
}

static void connected(struct server *s, struct MHD_Connection *connection,
		      void **context)
{
	const union MHD_ConnectionInfo *info;
	struct client *c;
	int fd;

	/* both answers lie in the same place in libmicrohttpd 1.0 */
	info = MHD_get_connection_info(connection,
				       MHD_CONNECTION_INFO_CONNECTION_FD);
	fd = info ? info->connect_fd : -1;
	*context = c = fd < 0 ? NULL : calloc(1, sizeof(*c));
	if (!c) { /* request_new() ends it */
		shutdown(fd, SHUT_RDWR);
		return;
	}
	info = MHD_get_connection_info(connection,
				       MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	describe(c, info ? info->client_addr : NULL);
	c->fd = fd;
	c->since_ms = server_now_ms();
	c->before = s->newest;
	*(s->newest ? &s->newest->next : &s->oldest) = c;
	s->newest = c;
	s->client_count++;
}

static void disconnected(struct server *s, struct client *c)
{
	*(c->before ? &c->before->next : &s->oldest) = c->next;
	*(c->next ? &c->next->before : &s->newest) = c->before;
	s->client_count--;
	/* at the limit libmicrohttpd took its socket out of the epoll set; it
	 * puts it back when it is run */
	s->run_again = 1;
	free(c);
}

static void on_connection(void *cls, struct MHD_Connection *connection,
			  void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		connected(cls, connection, context);
	else if (*context)
		disconnected(cls, *context);
}

/* Paths stay as they were sent: "%65xport" is no way to say "export". */
static size_t leave_escaped(void *cls, struct MHD_Connection *connection,
			    char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

static unsigned int per_client(const struct server *s)
{
	if (s->o->per_client || s->place.local)
		return s->o->per_client;
	return SERVE_PER_CLIENT;
}

static int start_http(struct server *s, struct error *err)
{
	s->http = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		request_take, s, MHD_OPTION_LISTEN_SOCKET, s->place.fd,
		MHD_OPTION_NOTIFY_COMPLETED, request_done, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
		MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
		MHD_OPTION_CONNECTION_LIMIT, s->o->connections,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_client(s),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEAD_BYTES,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!s->http)
		return error_set(err, ERROR_FAILED, "cannot serve on '%s'",
				 s->place.text);
	return 0;
}

/* ---- signals ---- */

static void read_keys_again(struct server *s)
{
	struct error err = ERROR_INIT;
	struct keys *keys = NULL;

	if (!s->o->keys_file) {
		server_say(s, "keys of " SERVE_KEYS_VARIABLE
			      " stay as they are; use --keys-file to change "
			      "them while serving");
		return;
	}
	if (keys_load(&keys, s->o->keys_file, &err) < 0) {
		server_say(s, "keys stay as they were: %s", err.message);
		return;
	}
	keys_free(s->keys);
	s->keys = keys;
	server_say(s, "read %zu key%s from '%s'", keys_count(keys),
		   keys_count(keys) == 1 ? "" : "s", s->o->keys_file);
}

/* No new connections; what waits for its turn will not have it. */
static void begin_to_stop(struct server *s)
{
	s->stop_by_ms = server_now_ms() + (int64_t)s->o->grace_s * 1000;
	manager_tell("STOPPING=1");
	MHD_quiesce_daemon(s->http);
	place_close(&s->place);
	for (struct request *r = s->exports; r; r = r->next)
		r->refused = 1;
}

static void take_signals(struct server *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			read_keys_again(s);
		else if (s->stop_by_ms)
			s->stop_now = 1;
		else
			begin_to_stop(s);
	}
}

static int catch_signals(struct server *s, sigset_t *before, struct error *err)
{
	sigset_t ours, pipe;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE); /* of whoever reads the log */
	pthread_sigmask(SIG_BLOCK, &ours, before);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	s->signals = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
	s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->signals < 0 || s->wake < 0)
		return error_errno(err, ERROR_FAILED, "cannot serve");
	return 0;
}

/* ---- the database ---- */

int server_ask_health(struct server *s)
{
	struct error why = ERROR_INIT;
	int healthy = health_ask(s->health);

	if (health_news(s->health, &why))
		server_say(s, "the database %s%s",
			   why.code ? "cannot be opened: "
				    : "can be opened again",
			   why.message);
	s->looked = s->looked || healthy >= 0;
	return healthy;
}

/* ---- the loop ---- */

static int timeout_ms(struct server *s)
{
	MHD_UNSIGNED_LONG_LONG most;
	int ms = s->client_count || s->stop_by_ms ? LOOK_MS : IDLE_MS;

	/* nothing in the epoll set tells of that */
	if (s->run_again)
		return 0;
	if (MHD_get_timeout(s->http, &most) == MHD_YES &&
	    most < (MHD_UNSIGNED_LONG_LONG)ms)
		ms = (int)most;
	return ms;
}

static void round_of_all(struct server *s, int epoll, int64_t *swept_ms)
{
	struct pollfd fds[] = {
		{ .fd = epoll, .events = POLLIN },
		{ .fd = s->wake, .events = POLLIN },
		{ .fd = s->signals, .events = POLLIN },
	};
	uint64_t count;

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms(s)) > 0) {
		if (fds[1].revents && read(s->wake, &count, sizeof(count)) < 0)
			count = 0;
		if (fds[2].revents)
			take_signals(s);
	}
	/* nobody has to ask before a wrong path is told */
	if (!s->looked)
		server_ask_health(s);
	s->run_again = 0;
	MHD_run(s->http);
	sweep_turns(s);
	if (server_now_ms() - *swept_ms >= LOOK_MS) {
		sweep_deadlines(s);
		sweep_turns(s);
		*swept_ms = server_now_ms();
	}
}

static int is_over(const struct server *s)
{
	return s->stop_by_ms && (!s->client_count || s->stop_now ||
				 server_now_ms() > s->stop_by_ms);
}

static void loop(struct server *s)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(s->http, MHD_DAEMON_INFO_EPOLL_FD);
	const int epoll = info->epoll_fd;
	int64_t swept_ms = 0;

	while (!is_over(s))
		round_of_all(s, epoll, &swept_ms);
}

/* Nobody waits any more: libmicrohttpd must not be stopped while it was told
 * to leave a connection alone. */
static void cut_off(struct server *s)
{
	size_t cut = 0;

	for (struct client *c = s->oldest; c; c = c->next) {
		if (!c->request)
			continue;
		cut += c->request->stage == STAGE_SENDING;
		c->request->gone = 1;
		if (c->request->suspended)
			request_resume(c->request);
	}
	if (cut)
		server_say(s, "%zu export%s cut off", cut,
			   cut == 1 ? " was" : "s were");
	MHD_run(s->http);
}

/* ---- the whole ---- */

/* Connections are files, too. */
static int allow_files(const struct server *s, struct error *err)
{
	rlim_t want = (rlim_t)s->o->connections + OTHER_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= want)
		return 0;
	if (limit.rlim_max < want)
		return error_set(err, ERROR_USAGE,
				 "%u connections need %ju open files, and %ju "
				 "are allowed; give fewer --connections, or "
				 "raise the limit",
				 s->o->connections, (uintmax_t)want,
				 (uintmax_t)limit.rlim_max);
	limit.rlim_cur = want;
	setrlimit(RLIMIT_NOFILE, &limit);
	return 0;
}

/* It works without, but whoever is slow is then waited for. */
static void check_spool(struct server *s)
{
	struct error why = ERROR_INIT;

	if (s->o->spool &&
	    spool_check(s->o->spool, s->o->spool_bytes, &why) < 0)
		server_say(s,
			   "exports cannot be kept for slow clients: %s; give "
			   "another folder with --scratch, or --spool 0",
			   why.message);
}

static int start(struct server *s, struct error *err)
{
	const struct serve_options *o = s->o;
	size_t keys;

	check_spool(s);
	if (keys_load(&s->keys, o->keys_file, err) < 0 ||
	    allow_files(s, err) < 0 || place_open(&s->place, o, err) < 0 ||
	    health_new(&s->health, o->db, o->allow_empty, s->wake, err) < 0 ||
	    start_http(s, err) < 0)
		return -1;
	keys = keys_count(s->keys);
	server_say(s, "serving '%s' on %s, %zu key%s", o->source, s->place.text,
		   keys, keys == 1 ? "" : "s");
	manager_tell("READY=1");
	return 0;
}

static void server_release(struct server *s)
{
	if (s->http) {
		if (s->place.fd >= 0)
			MHD_quiesce_daemon(s->http); /* it is ours to close */
		cut_off(s);
		MHD_stop_daemon(s->http);
	}
	place_close(&s->place);
	job_free(s->running);
	health_free(s->health);
	keys_free(s->keys);
	buffer_release(&s->known.identity);
	if (s->wake >= 0)
		close(s->wake);
	if (s->signals >= 0)
		close(s->signals);
}

int serve_run(const struct serve_options *o, struct error *err)
{
	struct server s = {
		.o = o, .wake = -1, .signals = -1, .place = { .fd = -1 }
	};
	sigset_t before;
	int rc;

	rc = catch_signals(&s, &before, err);
	if (rc == 0)
		rc = start(&s, err);
	if (rc == 0 && (!o->interrupted || !o->interrupted()))
		loop(&s);
	server_release(&s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}
