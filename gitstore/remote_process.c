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

static int open_ssh(struct channel **out, struct remote *r,
		    enum remote_service service, struct error *err)
{
	const char *argv[20];
	struct buffer there = BUFFER_INIT, script = BUFFER_INIT;
	int shell, rc = -1;
	char *ssh = ssh_command(r, &shell);
	size_t n = 0;

	buffer_str(&there, service == SERVICE_FETCH ? "git-upload-pack "
						    : "git-receive-pack ");
	add_quoted(&there, r->url.path);
	if (ssh)
		buffer_printf(&script, "%s \"$@\"", ssh);
	if (!ssh || !buffer_cstr(&there) || !buffer_cstr(&script)) {
		error_nomem(err);
		goto done;
	}
	if (shell) {
		argv[n++] = "sh";
		argv[n++] = "-c";
		argv[n++] = script.data;
	}
	argv[n++] = ssh; /* $0 of the script */
	argv[n++] = "-oBatchMode=yes";
	argv[n++] = "-oConnectTimeout=15";
	argv[n++] = "-oServerAliveInterval=15";
	argv[n++] = "-oServerAliveCountMax=2";
	if (service == SERVICE_FETCH)
		argv[n++] = "-oSendEnv=GIT_PROTOCOL";
	if (r->url.port) {
		argv[n++] = "-p";
		argv[n++] = r->url.port;
	}
	argv[n++] = r->url.host;
	argv[n++] = there.data;
	argv[n] = NULL;
	rc = start(out, r, service, argv, err);
done:
	buffer_release(&there);
	buffer_release(&script);
	free(ssh);
	return rc;
}

int process_channel(struct channel **out, struct remote *r,
		    enum remote_service service, struct error *err)
{
	return r->url.kind == REMOTE_SSH ? open_ssh(out, r, service, err)
					 : open_folder(out, r, service, err);
}
