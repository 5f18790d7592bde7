/*
 * process.c - another program, spoken to over its standard streams
 *
 * Its stdin is one end of a socket pair, not a pipe: a write to a program that
 * is gone is then an error and no SIGPIPE, without touching our own signals.
 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/said.h"

#define SAID_BYTES  4096
#define AHEAD_BYTES ((size_t)1 << 20)
#define STEP_BYTES  ((size_t)64 << 10)
#define LOOK_MS     200 /* how often interrupted() is asked */
#define SHORT_MS    5

extern char **environ;

struct process {
	pid_t pid;
	int in, out, error; /* our ends; -1: closed */
	int ended, status;
	char *what;
	unsigned int stall_s;
	int (*interrupted)(void);
	struct buffer ahead; /* read while we wrote */
	size_t ahead_used;
	char tail[SAID_BYTES]; /* of its stderr, a ring */
	size_t tail_at, tail_size;
	char said[2 * SAID_BYTES]; /* a line's end may become two */
};

/* Ours: no program that we run has any use for them. */
static const char *const private_names[] = { "DBSTOW_TOKEN", "DBSTOW_FETCH_KEY",
					     "GITHUB_TOKEN", NULL };

/* ---- starting ---- */

static int is_named(const char *pair, const char *const *names)
{
	for (; names && *names; names++) {
		size_t size = strcspn(*names, "=");

		if (!strncmp(pair, *names, size) && pair[size] == '=')
			return 1;
	}
	return 0;
}

/* The environment that it gets: pointers to text that stays where it is. */
static const char **environment(const struct process_options *o)
{
	size_t count = 1, used = 0;
	const char **out;

	for (char **e = environ; e && *e; e++)
		count++;
	for (const char *const *e = o->set; e && *e; e++)
		count++;
	out = calloc(count, sizeof(*out));
	if (!out)
		return NULL;
	for (char **e = environ; e && *e; e++) {
		if (!is_named(*e, private_names) && !is_named(*e, o->unset) &&
		    !is_named(*e, o->set))
			out[used++] = *e;
	}
	for (const char *const *e = o->set; e && *e; e++)
		out[used++] = *e;
	return out;
}

/* Where argv[0] is: execvpe() may allocate, which a child of a program with
 * threads must not. */
static char *find_program(const char *name)
{
	const char *path = getenv("PATH"), *end;
	char *out = NULL;

	if (strchr(name, '/'))
		return strdup(name);
	if (!path || !*path)
		path = "/usr/local/bin:/usr/bin:/bin";
	for (;; path = end + 1) {
		end = strchrnul(path, ':');
		/* an empty entry is the current folder: never */
		if (end > path && asprintf(&out, "%.*s/%s", (int)(end - path),
					   path, name) >= 0) {
			if (!access(out, X_OK))
				return out;
			free(out);
			out = NULL;
		}
		if (!*end)
			break;
	}
	errno = ENOENT;
	return NULL;
}

struct child {
	char *program;
	char *const *argv;
	char *const *env;
	const char *folder;
	pid_t parent;
	int in, out, error, failed; /* its ends */
};

/* In the child, between fork and exec: async-signal-safe calls only. */
__attribute__((noreturn)) static void become(const struct child *c)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;
	int number;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != c->parent) /* died before that call */
		_exit(127);
	sigemptyset(&none);
	for (int i = 1; i < NSIG; i++)
		sigaction(i, &usual, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if ((!c->folder || !chdir(c->folder)) && dup2(c->in, 0) == 0 &&
	    dup2(c->out, 1) == 1 && dup2(c->error, 2) == 2) {
		/* libraries may have opened some without close-on-exec */
		close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
		execve(c->program, c->argv, c->env);
	}
	number = errno;
	while (write(c->failed, &number, sizeof(number)) < 0 && errno == EINTR)
		;
	_exit(127);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Above 2, so that none of them is hit by the child's dup2() calls. */
static int raise_fd(int *fd)
{
	int other;

	if (*fd > 2)
		return 0;
	other = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
	if (other < 0)
		return -1;
	close(*fd);
	*fd = other;
	return 0;
}

static int make_streams(int in[2], int out[2], int error[2], int failed[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0 ||
	    pipe2(out, O_CLOEXEC) < 0 || pipe2(error, O_CLOEXEC) < 0 ||
	    pipe2(failed, O_CLOEXEC) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		if (raise_fd(&in[i]) < 0 || raise_fd(&out[i]) < 0 ||
		    raise_fd(&error[i]) < 0 || raise_fd(&failed[i]) < 0)
			return -1;
	}
	if (fcntl(in[0], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(out[0], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(error[0], F_SETFL, O_NONBLOCK) < 0)
		return -1;
	return 0;
}

/* 0, or the errno of the child's exec. */
static int exec_failed(int fd)
{
	int number = 0;
	ssize_t n;

	do
		n = read(fd, &number, sizeof(number));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(number) ? number : 0;
}

/* Fork with every signal held back: a handler of ours must not run in there. */
static pid_t fork_child(const struct child *c)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (!pid)
		become(c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static int launch(struct process *p, const struct process_options *o,
		  struct child *c)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	int error[2] = { -1, -1 }, failed[2] = { -1, -1 };
	int number = 0;

	c->folder = o->folder;
	c->parent = getpid();
	if (make_streams(in, out, error, failed) < 0) {
		number = errno;
		goto done;
	}
	c->in = in[1];
	c->out = out[1];
	c->error = error[1];
	c->failed = failed[1];
	p->pid = fork_child(c);
	if (p->pid < 0) {
		number = errno;
		goto done;
	}
	close_fd(&failed[1]);
	number = exec_failed(failed[0]);
	if (number)
		goto done;
	p->in = in[0];
	p->out = out[0];
	p->error = error[0];
	in[0] = out[0] = error[0] = -1;
done:
	for (int i = 0; i < 2; i++) {
		close_fd(&in[i]);
		close_fd(&out[i]);
		close_fd(&error[i]);
		close_fd(&failed[i]);
	}
	errno = number;
	return number ? -1 : 0;
}

int process_start(struct process **out, const struct process_options *o,
		  struct error *err)
{
	struct process *p = calloc(1, sizeof(*p));
	const char **env = environment(o);
	struct child c = { 0 };
	int rc = -1;

	*out = NULL;
	if (p) {
		p->pid = p->in = p->out = p->error = -1;
		p->what = strdup(o->what ? o->what : o->argv[0]);
	}
	if (!p || !env || !p->what) {
		error_nomem(err);
		goto done;
	}
	p->stall_s = o->stall_s ? o->stall_s : PROCESS_STALL_S;
	p->interrupted = o->interrupted;
	c.program = find_program(o->argv[0]);
	c.argv = (char *const *)o->argv;
	c.env = (char *const *)env;
	if (!c.program || launch(p, o, &c) < 0) {
		error_errno(err, ERROR_FAILED, "cannot run '%s'", o->argv[0]);
		goto done;
	}
	*out = p;
	p = NULL;
	rc = 0;
done:
	free(c.program);
	free(env);
	process_free(p);
	return rc;
}

/* ---- its words on stderr ---- */

static void keep_tail(struct process *p, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		p->tail[p->tail_at] = data[i];
		p->tail_at = (p->tail_at + 1) % SAID_BYTES;
		if (p->tail_size < SAID_BYTES)
			p->tail_size++;
	}
}

/* Take what is there without waiting. */
static void hear(struct process *p)
{
	char data[1024];
	ssize_t n;

	/* bounded: one that talks without end must not hold us */
	for (int i = 0; i < 64 && p->error >= 0; i++) {
		n = read(p->error, data, sizeof(data));
		if (n > 0)
			keep_tail(p, data, (size_t)n);
		else if (!n || (errno != EINTR && errno != EAGAIN))
			close_fd(&p->error);
		else if (errno == EAGAIN)
			return;
	}
}

const char *process_said(struct process *p)
{
	char data[SAID_BYTES];
	size_t first = p->tail_size < SAID_BYTES ? 0 : p->tail_at;

	hear(p);
	memcpy(data, p->tail + first, p->tail_size - first);
	memcpy(data + p->tail_size - first, p->tail, first);
	said_line(p->said, sizeof(p->said), data, p->tail_size);
	return p->said;
}

/* ---- waiting ---- */

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Who comes next would only wait as long again. */
static int stalled(struct process *p, const char *does, struct error *err)
{
	const char *said = process_said(p);

	if (!p->ended)
		kill(-p->pid, SIGKILL);
	return error_set(err, ERROR_NETWORK, "'%s' %s for %u s%s%s", p->what,
			 does, p->stall_s, *said ? ": " : "", said);
}

/*
 * Wait until one of the streams is ready, or for LOOK_MS; SHORT_MS where the
 * first is closed and can wake nobody.
 *
 * @param since  when something moved last
 * @return 0, or -1
 */
static int wait_for(struct process *p, struct pollfd *fds, nfds_t count,
		    long long since, const char *does, struct error *err)
{
	if (p->interrupted && p->interrupted())
		return error_set(err, ERROR_INTERRUPTED, "interrupted");
	if (now_ms() - since >= (long long)p->stall_s * 1000)
		return stalled(p, does, err);
	for (nfds_t i = 0; i < count; i++)
		fds[i].revents = 0;
	if (poll(fds, count, fds[0].fd < 0 ? SHORT_MS : LOOK_MS) < 0 &&
	    errno != EINTR)
		return error_errno(err, ERROR_FAILED, "cannot wait for '%s'",
				   p->what);
	hear(p);
	return 0;
}

/* ---- reading and writing ---- */

static size_t take_ahead(struct process *p, void *data, size_t room)
{
	size_t n = p->ahead.size - p->ahead_used;

	if (n > room)
		n = room;
	if (n)
		memcpy(data, p->ahead.data + p->ahead_used, n);
	p->ahead_used += n;
	if (p->ahead_used == p->ahead.size) {
		buffer_clear(&p->ahead);
		p->ahead_used = 0;
	}
	return n;
}

int process_read(struct process *p, void *data, size_t room, size_t *got,
		 struct error *err)
{
	long long since = now_ms();
	struct pollfd fds[2];
	ssize_t n;

	*got = take_ahead(p, data, room);
	while (!*got && p->out >= 0) {
		n = read(p->out, data, room);
		if (n > 0) {
			*got = (size_t)n;
			break;
		}
		if (!n) {
			close_fd(&p->out);
			break;
		}
		if (errno != EAGAIN && errno != EINTR)
			return error_errno(err, ERROR_FAILED,
					   "cannot read from '%s'", p->what);
		fds[0] = (struct pollfd){ p->out, POLLIN, 0 };
		fds[1] = (struct pollfd){ p->error, POLLIN, 0 };
		if (wait_for(p, fds, 2, since, "sent nothing", err) < 0)
			return -1;
	}
	return 0;
}

/* It may have to get rid of words before it listens on. */
static int read_ahead(struct process *p, struct error *err)
{
	ssize_t n;

	if (p->out < 0 || p->ahead.size >= AHEAD_BYTES)
		return 0;
	if (buffer_reserve(&p->ahead, STEP_BYTES) < 0)
		return error_nomem(err);
	n = read(p->out, p->ahead.data + p->ahead.size, STEP_BYTES);
	if (n > 0)
		p->ahead.size += (size_t)n;
	else if (!n)
		close_fd(&p->out);
	return 0;
}

static int hung_up(struct process *p, struct error *err)
{
	struct pollfd fds[1] = { { p->error, POLLIN, 0 } };
	const char *said;

	/* Its reason may be on the way still. */
	for (int i = 0; i < 5 && p->error >= 0; i++) {
		poll(fds, 1, LOOK_MS);
		hear(p);
	}
	said = process_said(p);
	return error_set(err, ERROR_NETWORK, "'%s' takes no more%s%s", p->what,
			 *said ? ": " : "", said);
}

int process_write(struct process *p, const void *data, size_t size,
		  struct error *err)
{
	const char *at = data;
	long long since = now_ms();
	struct pollfd fds[3];
	ssize_t n;

	while (size) {
		n = p->in < 0 ? -1 : send(p->in, at, size, MSG_NOSIGNAL);
		if (n > 0) {
			at += n;
			size -= (size_t)n;
			since = now_ms();
			continue;
		}
		if (p->in < 0 || (errno != EAGAIN && errno != EINTR))
			return hung_up(p, err);
		fds[0] = (struct pollfd){ p->in, POLLOUT, 0 };
		fds[1] = (struct pollfd){ p->error, POLLIN, 0 };
		fds[2] = (struct pollfd){ p->out, POLLIN, 0 };
		if (p->ahead.size >= AHEAD_BYTES)
			fds[2].fd = -1;
		if (wait_for(p, fds, 3, since, "took nothing", err) < 0 ||
		    read_ahead(p, err) < 0)
			return -1;
	}
	return 0;
}

void process_close_input(struct process *p)
{
	close_fd(&p->in);
}

/* ---- the end ---- */

static void reap(struct process *p, int options)
{
	int status;
	pid_t pid;

	if (p->ended)
		return;
	do
		pid = waitpid(p->pid, &status, options);
	while (pid < 0 && errno == EINTR);
	if (!pid)
		return;
	p->ended = 1;
	p->status = pid < 0             ? 127
		    : WIFEXITED(status) ? WEXITSTATUS(status)
					: 128 + WTERMSIG(status);
}

int process_end(struct process *p, int *status, struct error *err)
{
	long long since = now_ms();
	struct pollfd fds[1];
	char rest[4096];
	size_t got = 1;

	process_close_input(p);
	while (got) {
		if (process_read(p, rest, sizeof(rest), &got, err) < 0)
			return -1;
		/* one that never stops talking does not end either */
		if (now_ms() - since >= (long long)p->stall_s * 1000)
			return stalled(p, "did not end", err);
	}
	for (reap(p, WNOHANG); !p->ended; reap(p, WNOHANG)) {
		/* a grandchild may hold stderr open: no reason to wait */
		fds[0] = (struct pollfd){ p->error, POLLIN, 0 };
		if (wait_for(p, fds, 1, since, "did not end", err) < 0)
			return -1;
	}
	hear(p);
	*status = p->status;
	return 0;
}

void process_free(struct process *p)
{
	if (!p)
		return;
	close_fd(&p->in);
	close_fd(&p->out);
	close_fd(&p->error);
	if (p->pid > 0) {
		/* Not reaped yet, so the number is still its own. */
		if (!p->ended)
			kill(-p->pid, SIGKILL);
		reap(p, 0);
	}
	buffer_release(&p->ahead);
	free(p->what);
	free(p);
}
