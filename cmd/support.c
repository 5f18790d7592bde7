/* support.c - what commands share: the store, notes, numbers, progress */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "cmd/cmd.h"
#include "gitstore/gitstore.h"

int cmd_open_store(const struct cmd *c, struct gitstore **out,
		   struct error *err)
{
	struct gitstore_options o = { .path = c->repo, .branch = c->branch };
	struct error failed = ERROR_INIT;
	struct gitstore *named = NULL;
	char *branch = NULL;
	int rc;

	if (gitstore_open(out, &o, err) < 0)
		return -1;
	if (c->branch)
		return 0;
	rc = gitstore_config(*out, "dbstow.branch", &branch, err);
	if (!rc && !branch)
		return 0;
	o.branch = branch;
	if (!rc && gitstore_open(&named, &o, &failed) < 0)
		rc = failed.code == ERROR_USAGE
			     ? gitstore_config_wrong(*out, "dbstow.branch",
						     "the name of a branch",
						     err)
			     : error_set(err, failed.code, "%s",
					 failed.message);
	gitstore_free(*out);
	*out = named;
	free(branch);
	return rc;
}

int cmd_database(const char *text, const char **path, struct error *err)
{
	const char *scheme = strstr(text, "://");

	*path = text;
	if (!strncmp(text, "sqlite:///", 10))
		*path = text + 10;
	else if (!strncmp(text, "sqlite:", 7) && !scheme)
		*path = text + 7;
	else if (scheme &&
		 strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+") ==
			 (size_t)(scheme - text))
		return error_set(err, ERROR_USAGE,
				 "cannot export from a '%.*s' database: dbstow "
				 "reads SQLite files; give a path or "
				 "sqlite:PATH",
				 (int)(scheme - text), text);
	if (!**path)
		return error_set(err, ERROR_USAGE,
				 "the database's name is empty; give a path or "
				 "sqlite:PATH");
	return 0;
}

/* Where a progress line stands on the terminal, a note has to clear it. */
static int line_open;

static void clear_line(void)
{
	if (line_open)
		fputs("\r\033[K", stderr);
	line_open = 0;
}

void cmd_note(const struct cmd *c, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet)
		return;
	clear_line();
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void cmd_warn(const char *fmt, ...)
{
	va_list ap;

	clear_line();
	fputs("dbstow: attention: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

const char *cmd_number(char out[CMD_NUMBER_SIZE], uint64_t n)
{
	char digits[CMD_NUMBER_SIZE];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

const char *cmd_bytes(char out[CMD_NUMBER_SIZE], uint64_t bytes)
{
	static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
	double n = (double)bytes;
	size_t unit = 0;

	while (n >= 999.5 && unit < 4) {
		n /= 1000;
		unit++;
	}
	snprintf(out, CMD_NUMBER_SIZE, n < 10 && unit ? "%.1f %s" : "%.0f %s",
		 n, units[unit]);
	return out;
}

int cmd_bytes_parse(uint64_t *out, const char *text)
{
	static const char units[] = "kMG";
	size_t digits = strspn(text, "0123456789");
	const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;

	/* 10^9 of the greatest unit are what 64 bits hold */
	if (!digits || digits > (unit ? 9 : 12) || (text[digits] && !unit) ||
	    (unit && text[digits + 1]))
		return -1;
	*out = strtoull(text, NULL, 10);
	for (const char *u = units; unit && u <= unit; u++)
		*out *= 1000;
	return 0;
}

const char *cmd_count(char out[CMD_NUMBER_SIZE * 2], uint64_t n,
		      const char *what)
{
	char number[CMD_NUMBER_SIZE];

	snprintf(out, CMD_NUMBER_SIZE * 2, "%s %s%s", cmd_number(number, n),
		 what, n == 1 ? "" : "s");
	return out;
}

/* Set by a signal; see cmd_catch_signals(). */
static volatile sig_atomic_t interrupted;

/*
 * A ^C that came before the read would be waited out in it: signals are let in
 * only while ppoll() waits for the line, which a terminal hands over whole.
 */
static int wait_for_line(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	sigset_t block, before;
	int rc = -1;

	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &block, &before);
	while (!interrupted && rc < 0) {
		rc = ppoll(&in, 1, NULL, &before);
		if (rc < 0 && errno != EINTR)
			break;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc > 0 && !interrupted ? 0 : -1;
}

char *cmd_answer(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len = -1;

	fflush(stderr);
	if (!wait_for_line())
		len = getline(&line, &size, stdin);
	if (len <= 0 || interrupted) {
		free(line);
		return NULL;
	}
	if (line[len - 1] == '\n')
		line[len - 1] = '\0';
	return line;
}

int cmd_confirm(const char *question, const char *expected)
{
	char *line;
	int yes;

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return 0;
	fprintf(stderr, "%s ", question);
	line = cmd_answer();
	yes = line && !strcmp(line, expected);
	free(line);
	return yes;
}

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

void cmd_catch_signals(void)
{
	/*
	 * SA_RESETHAND: the first signal asks for an orderly end, the second
	 * one ends the process where it is.  Both are safe; the first is tidy.
	 */
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

int cmd_interrupted(void)
{
	return interrupted;
}

int cmd_thread(pthread_t *out, void *(*work)(void *payload), void *payload)
{
	sigset_t all, before;
	int begun;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	begun = !pthread_create(out, NULL, work, payload);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return begun;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void cmd_progress_begin(struct cmd_progress *p, const struct cmd *c,
			const char *what, uint64_t total)
{
	p->cmd = c;
	p->what = what;
	p->total = total;
	p->done_before = 0;
	p->started_ms = p->shown_ms = now_ms();
	p->shown = 0;
}

static void show(struct cmd_progress *p, const char *table, uint64_t rows,
		 int64_t now)
{
	char number[CMD_NUMBER_SIZE], rate[CMD_NUMBER_SIZE], left[48] = "";
	double seconds = (double)(now - p->started_ms) / 1000;
	double per_second = seconds > 0 ? (double)rows / seconds : 0;

	if (p->total > rows && per_second > 0)
		snprintf(left, sizeof(left), ", %.0f s left",
			 (double)(p->total - rows) / per_second);
	fprintf(stderr, "\r\033[K%s: %s rows, %s/s%s  %.40s", p->what,
		cmd_number(number, rows),
		cmd_number(rate, (uint64_t)per_second), left, table);
	fflush(stderr);
	line_open = 1;
}

int cmd_progress_tick(struct cmd_progress *p, const char *table, uint64_t rows)
{
	int64_t now;

	if (interrupted)
		return 1;
	if (p->cmd->quiet || !isatty(STDERR_FILENO))
		return 0;
	now = now_ms();
	if (now - p->shown_ms >= 200) {
		p->shown_ms = now;
		show(p, table, rows, now);
	}
	return 0;
}

void cmd_progress_end(struct cmd_progress *p)
{
	(void)p;
	clear_line();
}
