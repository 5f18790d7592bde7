/* cmd_serve.c - dbstow serve: the endpoint that dbstow fetch asks */

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/storing.h"
#include "serve/serve.h"

static void say(void *payload, const char *line)
{
	(void)payload;
	fprintf(stderr, "dbstow: %s\n", line);
}

static void log_request(void *payload, const char *line)
{
	(void)payload;
	fprintf(stderr, "%s\n", line);
}

static int check(struct serve_options *o, struct error *err)
{
	if (!o->db)
		o->db = getenv("DBSTOW_DB");
	if (!o->db)
		o->db = getenv("DATABASE_URL");
	if (!o->db || !*o->db)
		return error_set(err, ERROR_USAGE,
				 "no database given; usage: dbstow serve DB, "
				 "or set DBSTOW_DB");
	if (cmd_database(o->db, &o->db, err) < 0)
		return -1;
	if (!o->source)
		o->source = path_base(o->db);
	if (!storing_printable(o->source))
		return error_set(err, ERROR_USAGE,
				 "the name has control characters; give a "
				 "plain name with --source");
	return 0;
}

/* More than a process should have in memory, which /tmp may be. */
static int find_spool(struct serve_options *o, const char *bytes,
		      struct error *err)
{
	const char *folder = o->scratch ? o->scratch : getenv("TMPDIR");

	if (bytes && cmd_bytes_parse(&o->spool_bytes, bytes) < 0)
		return error_set(err, ERROR_USAGE,
				 "--spool '%s' is no number of bytes such as "
				 "500M or 10G",
				 bytes);
	if (o->spool_bytes)
		o->spool = folder && *folder ? folder : "/var/tmp";
	return 0;
}

int cmd_serve(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct serve_options o = {
		.version = DBSTOW_VERSION,
		.jobs = 1,
		.spool_bytes = SERVE_SPOOL_BYTES,
		.queue = SERVE_QUEUE,
		.timeout_s = SERVE_TIMEOUT_S,
		.idle_s = SERVE_IDLE_S,
		.grace_s = SERVE_GRACE_S,
		.connections = SERVE_CONNECTIONS,
		.interrupted = cmd_interrupted,
		.say = say,
	};
	struct cmd_list hosts = { NULL, 0 };
	const char *spool = NULL;
	const struct cmd_option options[] = {
		{ .name = "listen",
		  .text = &o.listen,
		  .arg = "ADDR:PORT|unix:PATH",
		  .env = "DBSTOW_SERVE_LISTEN",
		  .help = "where to listen (default: " SERVE_LISTEN ")" },
		{ .name = "allow-public-bind",
		  .flag = &o.public_bind,
		  .help = "listen also where other machines reach it, in the "
			  "clear" },
		{ .name = "keys-file",
		  .text = &o.keys_file,
		  .arg = "FILE",
		  .env = "DBSTOW_SERVE_KEYS_FILE",
		  .help = "file with the keys, mode 0600 (default: the "
			  "variable " SERVE_KEYS_VARIABLE ")" },
		{ .name = "host",
		  .list = &hosts,
		  .arg = "NAME",
		  .help = "a name that requests may have as Host, besides "
			  "localhost; may be repeated" },
		{ .name = "source",
		  .text = &o.source,
		  .arg = "NAME",
		  .env = "DBSTOW_SOURCE",
		  .help = "what the database is called (default: its file "
			  "name)" },
		{ .name = "queue",
		  .number = &o.queue,
		  .arg = "N",
		  .help = "exports that may wait for the one (default: 4)" },
		{ .name = "timeout",
		  .number = &o.timeout_s,
		  .arg = "SECONDS",
		  .help = "for one export (default: 3600)" },
		{ .name = "idle",
		  .number = &o.idle_s,
		  .arg = "SECONDS",
		  .help = "that a client may take nothing (default: 30)" },
		{ .name = "grace",
		  .number = &o.grace_s,
		  .arg = "SECONDS",
		  .help = "for a running export after SIGTERM (default: 30)" },
		{ .name = "connections",
		  .number = &o.connections,
		  .arg = "N",
		  .help = "at once (default: 2048)" },
		{ .name = "per-client",
		  .number = &o.per_client,
		  .arg = "N",
		  .help = "connections of one address (default: all on "
			  "loopback, else 32)" },
		{ .name = "jobs",
		  .number = &c->jobs,
		  .arg = "N",
		  .env = "DBSTOW_JOBS",
		  .help = "threads that look for a change (default: 1)" },
		{ .name = "scratch",
		  .text = &o.scratch,
		  .arg = "DIR",
		  .env = "DBSTOW_SCRATCH",
		  .help = "folder for documents on their way, and for a copy "
			  "where the database cannot be read in place "
			  "(default: TMPDIR, or /var/tmp)" },
		{ .name = "spool",
		  .text = &spool,
		  .arg = "BYTES",
		  .help = "keep so much of a document for a slow client, in "
			  "the scratch folder (default: 1G; 0: nothing)" },
		{ .name = "allow-empty",
		  .flag = &o.allow_empty,
		  .help = "take a zero-byte file for an empty database" },
		{ .name = NULL },
	};
	int rc;

	rc = cmd_parse(c, options, argc, argv, &o.db, 0, 1, err);
	if (rc == 0)
		rc = check(&o, err);
	if (rc == 0)
		rc = find_spool(&o, spool, err);
	if (rc == 0) {
		o.hosts = hosts.items;
		o.host_count = hosts.count;
		o.jobs = c->jobs ? c->jobs : 1;
		o.log = c->quiet ? NULL : log_request;
		rc = serve_run(&o, err);
	}
	cmd_list_release(&hosts);
	return rc < 0 ? -1 : 0;
}
