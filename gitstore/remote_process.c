/*
 * remote_process.c - a channel through a program: `ssh HOST git-...`, or git
 * itself on a folder
 *
 * git's own programs take the locks and compare the ref that is to move, which
 * libgit2 does not do where it writes into a folder itself.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/process.h"
#include "gitstore/remote_internal.h"

#define CHUNK ((size_t)64 << 10)

/* Of what `ssh -G` says; the name of the host is among the first lines. */
#define SETTINGS_SIZE    16384
#define SETTINGS_STALL_S 5

/* What points git at a repository (`git rev-parse --local-env-vars`): not the
 * one that we mean. */
static const char *const unset[] = { "GIT_ALTERNATE_OBJECT_DIRECTORIES",
				     "GIT_CONFIG",
				     "GIT_CONFIG_PARAMETERS",
				     "GIT_CONFIG_COUNT",
				     "GIT_OBJECT_DIRECTORY",
				     "GIT_DIR",
				     "GIT_WORK_TREE",
				     "GIT_IMPLICIT_WORK_TREE",
				     "GIT_GRAFT_FILE",
				     "GIT_INDEX_FILE",
				     "GIT_NO_REPLACE_OBJECTS",
				     "GIT_REPLACE_REF_BASE",
				     "GIT_PREFIX",
				     "GIT_SHALLOW_FILE",
				     "GIT_COMMON_DIR",
				     "GIT_NAMESPACE",
				     "GIT_QUARANTINE_PATH",
				     NULL };

struct program {
	struct channel channel; /* first */
	struct process *process;
	const char *label;
	char chunk[CHUNK];
};

/* It ended, or does not go on: its own words say most. */
static int ended(struct program *p, struct error *err)
{
	const char *said;
	int status;

	if (process_end(p->process, &status, err) < 0)
		return -1;
	said = process_said(p->process);
	if (*said)
		return error_set(err, ERROR_NETWORK,
				 "cannot talk to the remote %s: %s", p->label,
				 said);
	return error_set(err, ERROR_NETWORK,
			 "the remote %s ended the connection in the middle of "
			 "an answer",
			 p->label);
}

static int receive(struct program *p, struct pkt_reader *in, struct error *err)
{
	size_t got;

	while (!in->done) {
		if (process_read(p->process, p->chunk, CHUNK, &got, err) < 0)
			return -1;
		if (!got)
			return ended(p, err);
		if (pkt_feed(in, p->chunk, got, err) < 0)
			return -1;
	}
	return 0;
}

static int greet(struct channel *c, struct pkt_reader *in, struct error *err)
{
	return receive((struct program *)c, in, err);
}

static int send_body(struct program *p, const struct request *q,
		     struct error *err)
{
	uint64_t at = 0;
	ssize_t n;

	while (at < q->body_size) {
		n = pread(q->body_fd, p->chunk, CHUNK, (off_t)at);
		if (n <= 0)
			return error_errno(err, ERROR_FAILED,
					   "cannot read the pack for the "
					   "remote %s",
					   p->label);
		if (process_write(p->process, p->chunk, (size_t)n, err) < 0)
			return -1;
		at += (uint64_t)n;
	}
	return 0;
}

/*
 * Who refuses often says why and goes away before it took everything: the
 * answer is read even when not all could be sent.
 */
static int ask(struct channel *c, const struct request *q,
	       struct pkt_reader *in, struct error *err)
{
	struct program *p = (struct program *)c;
	struct error sending = ERROR_INIT;

	if (process_write(p->process, q->head.data, q->head.size, &sending) <
		    0 ||
	    send_body(p, q, &sending) < 0) {
		if (sending.code == ERROR_NETWORK && !receive(p, in, NULL))
			return 0;
		return error_set(err, sending.code, "%s", sending.message);
	}
	return receive(p, in, err);
}

static void close_program(struct channel *c)
{
	struct program *p = (struct program *)c;
	int status;

	/* it may still be running hooks that come after the report */
	if (p->process)
		process_end(p->process, &status, NULL);
	process_free(p->process);
	free(p);
}

static int start(struct channel **out, struct remote *r,
		 enum remote_service service, const char *const *argv,
		 struct error *err)
{
	/* version 2 lets us ask for one branch, and for any commit */
	static const char *const v2[] = { "GIT_PROTOCOL=version=2", NULL };
	static const char *const v0[] = { "GIT_PROTOCOL=", NULL };
	struct process_options o = { .argv = argv,
				     .set = service == SERVICE_FETCH ? v2 : v0,
				     .unset = unset,
				     .what = r->url.host,
				     .stall_s = REMOTE_STALL_S,
				     .interrupted = r->interrupted };
	struct program *p = calloc(1, sizeof(*p));

	if (!p)
		return error_nomem(err);
	p->channel.greet = greet;
	p->channel.ask = ask;
	p->channel.close = close_program;
	p->label = r->label;
	if (process_start(&p->process, &o, err) < 0) {
		free(p);
		return -1;
	}
	*out = &p->channel;
	return 0;
}

/* What is pushed stays a pack: git has a .keep file beside that until the ref
 * has moved.  Loose objects, which it makes of a small push, are lost to a `git
 * prune` that looked at the refs before. */
static int open_folder(struct channel **out, struct remote *r,
		       enum remote_service service, struct error *err)
{
	const char *fetch[] = { "git", "upload-pack", r->url.path, NULL };
	const char *push[] = { "git",
			       "-c",
			       "receive.unpackLimit=1",
			       "-c",
			       "transfer.unpackLimit=1",
			       "receive-pack",
			       r->url.path,
			       NULL };

	return start(out, r, service, service == SERVICE_FETCH ? fetch : push,
		     err);
}

/* 'it'\''s' */
static void add_quoted(struct buffer *out, const char *text)
{
	buffer_byte(out, '\'');
	for (; *text; text++)
		if (*text == '\'' || *text == '!') {
			buffer_str(out, "'\\");
			buffer_byte(out, *text);
			buffer_byte(out, '\'');
		} else {
			buffer_byte(out, *text);
		}
	buffer_byte(out, '\'');
}

/* The user's own ssh, as git finds it: a piece of shell, or a program. */
static char *ssh_command(struct remote *r, int *shell)
{
	const char *own = getenv("GIT_SSH_COMMAND");
	char *configured;

	*shell = 1;
	if (own && *own)
		return strdup(own);
	configured = repository_config(r->g, "core.sshcommand");
	if (configured && *configured)
		return configured;
	free(configured);
	*shell = 0;
	own = getenv("GIT_SSH");
	return strdup(own && *own ? own : "ssh");
}

/* A command line that begins with the user's ssh. */
struct command {
	const char *argv[20];
	size_t count;
	char *ssh;
	struct buffer script;
};

static int command_begin(struct command *c, struct remote *r, struct error *err)
{
	int shell;

	*c = (struct command){ .script = BUFFER_INIT };
	c->ssh = ssh_command(r, &shell);
	if (c->ssh)
		buffer_printf(&c->script, "%s \"$@\"", c->ssh);
	if (!c->ssh || !buffer_cstr(&c->script))
		return error_nomem(err);
	if (shell) {
		c->argv[c->count++] = "sh";
		c->argv[c->count++] = "-c";
		c->argv[c->count++] = c->script.data;
	}
	c->argv[c->count++] = c->ssh; /* $0 of the script */
	return 0;
}

static void command_host(struct command *c, const struct remote *r)
{
	if (r->url.port) {
		c->argv[c->count++] = "-p";
		c->argv[c->count++] = r->url.port;
	}
	c->argv[c->count++] = r->url.host;
}

static void command_release(struct command *c)
{
	buffer_release(&c->script);
	free(c->ssh);
}

static int open_ssh(struct channel **out, struct remote *r,
		    enum remote_service service, struct error *err)
{
	struct buffer there = BUFFER_INIT;
	struct command c;
	int rc = -1;

	buffer_str(&there, service == SERVICE_FETCH ? "git-upload-pack "
						    : "git-receive-pack ");
	add_quoted(&there, r->url.path);
	if (command_begin(&c, r, err) < 0)
		goto done;
	if (!buffer_cstr(&there)) {
		error_nomem(err);
		goto done;
	}
	c.argv[c.count++] = "-oBatchMode=yes";
	c.argv[c.count++] = "-oConnectTimeout=15";
	c.argv[c.count++] = "-oServerAliveInterval=15";
	c.argv[c.count++] = "-oServerAliveCountMax=2";
	if (service == SERVICE_FETCH)
		c.argv[c.count++] = "-oSendEnv=GIT_PROTOCOL";
	command_host(&c, r);
	c.argv[c.count++] = there.data;
	rc = start(out, r, service, c.argv, err);
done:
	buffer_release(&there);
	command_release(&c);
	return rc;
}

/* The value of "hostname" among lines "NAME VALUE"; NULL: it is not there */
static char *find_hostname(const char *text)
{
	static const char name[] = "hostname ";
	const char *line = text;

	while (line && strncmp(line, name, strlen(name)) != 0) {
		line = strchr(line, '\n');
		line += line != NULL;
	}
	if (!line)
		return NULL;
	line += strlen(name);
	return strndup(line, strcspn(line, "\r\n"));
}

/* All that it says, up to `room` - 1 bytes. */
static int read_all(struct process *p, char *text, size_t room,
		    struct error *err)
{
	size_t size = 0, got;

	do {
		if (process_read(p, text + size, room - 1 - size, &got, err) <
		    0)
			return -1;
		size += got;
	} while (got && size < room - 1);
	text[size] = '\0';
	return 0;
}

/* `ssh -G` tells its settings for a host; git too finds out with it what kind
 * of program an unknown one is (ssh.variant), so that it bears it. */
int remote_ssh_host(struct remote *r, char **out, struct error *err)
{
	struct process_options o = { .unset = unset,
				     .stall_s = SETTINGS_STALL_S,
				     .interrupted = r->interrupted };
	struct error why = ERROR_INIT;
	struct process *p = NULL;
	char text[SETTINGS_SIZE];
	struct command c;
	int rc = 1;

	*out = NULL;
	if (command_begin(&c, r, &why) < 0)
		goto done;
	c.argv[c.count++] = "-G";
	command_host(&c, r);
	o.argv = c.argv;
	if (process_start(&p, &o, &why) < 0)
		goto done;
	process_close_input(p);
	if (!read_all(p, text, sizeof(text), &why))
		*out = find_hostname(text);
	rc = *out ? 0 : 1;
done:
	process_free(p);
	command_release(&c);
	if (why.code == ERROR_INTERRUPTED || why.code == ERROR_NOMEM)
		rc = error_set(err, why.code, "%s", why.message);
	return rc;
}

int process_channel(struct channel **out, struct remote *r,
		    enum remote_service service, struct error *err)
{
	return r->url.kind == REMOTE_SSH ? open_ssh(out, r, service, err)
					 : open_folder(out, r, service, err);
}
