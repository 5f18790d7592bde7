/*
 * listen.c - where requests come from, and the service manager
 *
 * A socket of systemd's: sd_listen_fds(3); words to it: sd_notify(3).  Both
 * are a few lines of environment and sockets, and no reason for a library.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/serve_internal.h"

#define FIRST_HANDED 3 /* SD_LISTEN_FDS_START */
#define BACKLOG      512
#define FLAGS        (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

/* ---- addresses ---- */

static int is_local(const union address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	if (a->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
	return a->any.sa_family == AF_UNIX;
}

/* What people and Host call it; of a wildcard address Host holds another. */
static void describe(struct place *p, const union address *a)
{
	char name[INET6_ADDRSTRLEN] = "?";
	uint16_t port = 0;

	p->local = is_local(a);
	if (a->any.sa_family == AF_UNIX) {
		snprintf(p->text, sizeof(p->text), "unix:%s",
			 a->local.sun_path);
		return;
	}
	if (a->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->v4.sin_addr, name, sizeof(name));
		port = ntohs(a->v4.sin_port);
		snprintf(p->host, sizeof(p->host), "%s", name);
	} else if (a->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->v6.sin6_addr, name, sizeof(name));
		port = ntohs(a->v6.sin6_port);
		snprintf(p->host, sizeof(p->host), "[%s]", name);
	}
	snprintf(p->text, sizeof(p->text), "http://%s:%u", p->host,
		 (unsigned int)port);
}

/* "127.0.0.1:80", "[::1]:80", "localhost:80", "80" */
static int parse(const char *text, union address *out, socklen_t *size)
{
	const char *colon = strrchr(text, ':'),
		   *port = colon ? colon + 1 : text;
	char host[INET6_ADDRSTRLEN + 2] = "127.0.0.1", *name = host;
	size_t length = colon ? (size_t)(colon - text) : 0;
	unsigned long number;

	memset(out, 0, sizeof(*out));
	if (!*port || port[strspn(port, "0123456789")] || strlen(port) > 5 ||
	    length >= sizeof(host) || (colon && !length))
		return -1;
	number = strtoul(port, NULL, 10);
	if (colon && strncmp(text, "localhost:", 10) != 0) {
		memcpy(host, text, length);
		host[length] = '\0';
	}
	if (number > 65535)
		return -1;
	if (*name == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons((uint16_t)number);
		*size = sizeof(out->v6);
		return inet_pton(AF_INET6, name + 1, &out->v6.sin6_addr) == 1
			       ? 0
			       : -1;
	}
	out->v4.sin_family = AF_INET;
	out->v4.sin_port = htons((uint16_t)number);
	*size = sizeof(out->v4);
	return inet_pton(AF_INET, name, &out->v4.sin_addr) == 1 ? 0 : -1;
}

static int refuse_public(const struct place *p, const struct serve_options *o,
			 struct error *err)
{
	if (p->local || o->public_bind)
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "'%s' can be reached from other machines, and keys "
			 "and data would go over the network in the clear; "
			 "listen on 127.0.0.1 or unix:PATH behind a proxy with "
			 "TLS, or say --allow-public-bind",
			 p->text);
}

/* ---- TCP ---- */

static int listen_tcp(struct place *p, const char *text,
		      const struct serve_options *o, struct error *err)
{
	union address a;
	socklen_t size;
	const int on = 1;

	if (parse(text, &a, &size) < 0)
		return error_set(err, ERROR_USAGE,
				 "--listen '%s' is no address; give "
				 "ADDRESS:PORT, with an IP address, or "
				 "unix:PATH",
				 text);
	describe(p, &a);
	if (refuse_public(p, o, err) < 0)
		return -1;
	p->fd = socket(a.any.sa_family, FLAGS, 0);
	if (p->fd < 0)
		return error_errno(err, ERROR_FAILED, "cannot listen on '%s'",
				   text);
	setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a.any.sa_family == AF_INET6)
		setsockopt(p->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(p->fd, &a.any, size) < 0 || listen(p->fd, BACKLOG) < 0 ||
	    getsockname(p->fd, &a.any, &size) < 0)
		return error_errno(err, ERROR_FAILED, "cannot listen on '%s'",
				   text);
	describe(p, &a); /* port 0 became one */
	return 0;
}

/* ---- unix sockets ---- */

/* What a server that was killed left goes; nothing else does. */
static int clear_path(const char *path, const union address *a,
		      struct error *err)
{
	struct stat st;
	int fd, taken;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, ERROR_REFUSED,
				 "'%s' is no socket, and was left as it is; "
				 "give --listen another path",
				 path);
	fd = socket(AF_UNIX, FLAGS, 0);
	if (fd < 0)
		return error_errno(err, ERROR_FAILED, "cannot listen on '%s'",
				   path);
	taken = connect(fd, &a->any, sizeof(a->local)) == 0 ||
		errno != ECONNREFUSED;
	close(fd);
	if (taken)
		return error_set(err, ERROR_FAILED,
				 "cannot listen on '%s': another process does",
				 path);
	unlink(path);
	return 0;
}

static int listen_unix(struct place *p, const char *path, struct error *err)
{
	union address a;
	struct stat st;
	mode_t before;
	int rc;

	memset(&a, 0, sizeof(a));
	a.local.sun_family = AF_UNIX;
	if (!*path || strlen(path) >= sizeof(a.local.sun_path))
		return error_set(err, ERROR_USAGE,
				 "the path of a socket has 1 to %zu bytes, not "
				 "'%s'",
				 sizeof(a.local.sun_path) - 1, path);
	memcpy(a.local.sun_path, path, strlen(path));
	if (clear_path(path, &a, err) < 0)
		return -1;
	p->fd = socket(AF_UNIX, FLAGS, 0);
	before = umask(0117); /* owner and group: a proxy's is the group */
	rc = p->fd < 0 ? -1 : bind(p->fd, &a.any, sizeof(a.local));
	umask(before);
	if (rc < 0 || listen(p->fd, BACKLOG) < 0)
		return error_errno(err, ERROR_FAILED, "cannot listen on '%s'",
				   path);
	describe(p, &a);
	p->path = strdup(path);
	if (!p->path)
		return error_nomem(err);
	if (lstat(path, &st) == 0) {
		p->device = st.st_dev;
		p->inode = st.st_ino;
	}
	return 0;
}

/* ---- a socket that systemd hands over ---- */

/* @return 1: there is one; 0; -1 */
static int handed_over(struct place *p, const struct serve_options *o,
		       struct error *err)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int on = 0, type = 0;
	socklen_t size = sizeof(union address), length = sizeof(on);
	union address a;

	if (!pid || !count || strtol(pid, NULL, 10) != (long)getpid())
		return 0;
	if (o->listen || strcmp(count, "1") != 0)
		return error_set(err, ERROR_USAGE,
				 "systemd hands over '%s' sockets; one is "
				 "wanted, and no --listen",
				 count);
	memset(&a, 0, sizeof(a));
	if (getsockopt(FIRST_HANDED, SOL_SOCKET, SO_ACCEPTCONN, &on, &length) <
		    0 ||
	    getsockopt(FIRST_HANDED, SOL_SOCKET, SO_TYPE, &type, &length) < 0 ||
	    getsockname(FIRST_HANDED, &a.any, &size) < 0 || !on ||
	    type != SOCK_STREAM)
		return error_set(err, ERROR_USAGE,
				 "what systemd hands over is no socket that "
				 "listens; use ListenStream=");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	p->fd = FIRST_HANDED;
	fcntl(p->fd, F_SETFD, FD_CLOEXEC);
	fcntl(p->fd, F_SETFL, fcntl(p->fd, F_GETFL) | O_NONBLOCK);
	describe(p, &a);
	return refuse_public(p, o, err) < 0 ? -1 : 1;
}

int place_open(struct place *out, const struct serve_options *o,
	       struct error *err)
{
	const char *text = o->listen ? o->listen : SERVE_LISTEN;
	int rc;

	*out = (struct place){ .fd = -1 };
	rc = handed_over(out, o, err);
	if (rc == 0)
		rc = strncmp(text, "unix:", 5) == 0
			     ? listen_unix(out, text + 5, err)
			     : listen_tcp(out, text, o, err);
	if (rc < 0)
		place_close(out);
	return rc < 0 ? -1 : 0;
}

void place_close(struct place *p)
{
	struct stat st;

	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	if (p->path && lstat(p->path, &st) == 0 && st.st_dev == p->device &&
	    st.st_ino == p->inode)
		unlink(p->path);
	free(p->path);
	p->path = NULL;
}

void manager_tell(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (length < 2 || length >= sizeof(a.sun_path) ||
	    (*path != '/' && *path != '@'))
		return;
	memcpy(a.sun_path, path, length);
	if (*path == '@') /* an abstract one */
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* whoever does not listen does not hear */
	(void)!sendto(
		fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&a,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	close(fd);
}
