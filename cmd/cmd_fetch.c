/* cmd_fetch.c - dbstow fetch: a running application's export, over HTTPS */

#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/https.h"
#include "base/secret.h"
#include "cmd/cmd.h"
#include "cmd/importing.h"
#include "cmd/incoming.h"
#include "cmd/output.h"
#include "cmd/snapshots.h"
#include "cmd/storing.h"
#include "export/fetch.h"
#include "snapshot/catalog.h"

#define KEY_VARIABLE "DBSTOW_FETCH_KEY"
#define MAX_BYTES    UINT64_C(10000000000)
#define TIMEOUT_S    3600
#define SEEN_FORMAT  "dbstow-fetch/1"
#define SEEN_BYTES   ((size_t)16 << 10)

struct fetch_command {
	struct cmd *cmd;
	struct storing_options storing;
	const char *url, *key_file, *header, *max_bytes, *output;
	unsigned int timeout_s;
	int allow_http;
	struct secret *key, *value; /* value: as the header has it */
	struct fetch_options fetch;
	/* what the last run found */
	char *seen_path;
	char *etag;
};

/* ---- options ---- */

static int find_key(struct fetch_command *f, struct error *err)
{
	int rc;

	if (f->key_file)
		rc = secret_from_file(&f->key, f->key_file, err);
	else
		rc = secret_from_environment(&f->key, KEY_VARIABLE, err);
	if (rc < 0)
		return -1;
	if (!f->key)
		return f->header ? error_set(err, ERROR_USAGE,
					     "--header needs a key; give it "
					     "with " KEY_VARIABLE
					     " or --key-file")
				 : 0;
	f->fetch.secret_name = f->header ? f->header : "Authorization";
	if (secret_header(&f->value, f->key, f->header ? "" : "Bearer ", NULL,
			  err) < 0)
		return -1;
	f->fetch.secret = f->value;
	return 0;
}

static void waiting(void *payload, const char *why, int64_t wait_s)
{
	cmd_note(payload, "%s; asking again in %" PRId64 " s", why, wait_s);
}

static int prepare(struct fetch_command *f, struct error *err)
{
	struct fetch_options *o = &f->fetch;

	o->url = f->url;
	o->https.cacert = f->cmd->access.cacert;
	o->https.allow_http_loopback = f->allow_http;
	o->https.agent = "dbstow/" DBSTOW_VERSION;
	o->https.interrupted = cmd_interrupted;
	o->total_s = f->timeout_s;
	o->waiting = waiting;
	o->payload = f->cmd;
	o->limit_bytes = MAX_BYTES;
	if (f->max_bytes &&
	    (cmd_bytes_parse(&o->limit_bytes, f->max_bytes) < 0 ||
	     !o->limit_bytes))
		return error_set(err, ERROR_USAGE,
				 "--max-bytes '%s' is no number of bytes such "
				 "as 500M or 10G",
				 f->max_bytes);
	if (f->output && f->storing.push)
		return error_set(err, ERROR_USAGE,
				 "--output writes no snapshot that --push "
				 "could bring to a remote");
	if (storing_check(&f->storing, err) < 0 ||
	    https_url_check(f->url, f->allow_http, NULL, NULL, err) < 0)
		return -1;
	return find_key(f, err);
}

/* ---- what was seen last: an ETag, and the content that it stood for ---- */

/* One file a branch, like the cache of exports. */
static char *find_seen(struct gitstore *g)
{
	const char *folder = gitstore_folder(g, NULL);
	const char *branch = gitstore_branch(g);
	struct buffer path = BUFFER_INIT;

	if (!folder)
		return NULL;
	buffer_printf(&path, "%s/fetch-%016llx", folder,
		      (unsigned long long)hash_bytes64(branch, strlen(branch)));
	return buffer_detach(&path);
}

/* The lines in front of the ETag.  The URL may hold a secret: only its hash. */
static int seen_head(const struct fetch_command *f,
		     const struct object_id *content, struct buffer *out)
{
	char hex[OBJECT_HEX_SIZE];

	object_hex(hex, content);
	buffer_printf(out, SEEN_FORMAT "\n%016llx\n%s\n",
		      (unsigned long long)hash_bytes64(f->url, strlen(f->url)),
		      hex);
	return buffer_cstr(out) ? 0 : -1;
}

/* The ETag for the newest snapshot's content, where nothing else than that
 * content is wanted.  Whatever cannot be read: the document is fetched. */
static int recall(struct fetch_command *f, struct storing *s, struct error *err)
{
	struct buffer head = BUFFER_INIT, seen = BUFFER_INIT;

	if (s->o->adopt)
		return 0;
	if (storing_history(s, err) < 0)
		return -1;
	if (!s->history->count)
		return 0;
	s->content = s->history->snapshots[0].content;
	f->seen_path = find_seen(s->store);
	if (storing_is_stored(s) && f->seen_path &&
	    file_read(f->seen_path, SEEN_BYTES, &seen, NULL) == 0 &&
	    seen_head(f, &s->content, &head) == 0 && buffer_cstr(&seen) &&
	    seen.size > head.size && !memcmp(seen.data, head.data, head.size))
		f->etag = strndup(seen.data + head.size,
				  strcspn(seen.data + head.size, "\n"));
	buffer_release(&head);
	buffer_release(&seen);
	return 0;
}

/* A server may send the key back: that is not written down. */
static int holds_secret(const char *etag)
{
	char *shown = strdup(etag);
	int holds;

	if (shown)
		secret_redact(shown);
	holds = !shown || strcmp(shown, etag) != 0;
	free(shown);
	return holds;
}

/* Without it, the next run fetches what it would not have to. */
static void remember(struct fetch_command *f, struct storing *s,
		     const char *etag)
{
	struct buffer seen = BUFFER_INIT;

	if (!f->seen_path)
		f->seen_path = find_seen(s->store);
	if (!f->seen_path)
		return;
	/* of a partial one the models are asked for again */
	if (!etag || s->partial || holds_secret(etag))
		unlink(f->seen_path);
	else if (seen_head(f, &s->content, &seen) == 0) {
		buffer_printf(&seen, "%s\n", etag);
		if (buffer_cstr(&seen))
			file_write(f->seen_path, seen.data, seen.size, 0600,
				   NULL);
	}
	buffer_release(&seen);
}

/* ---- onto the branch ---- */

/* The server says that nothing changed.  @return 0; 1: but the branch did */
static int found_again(struct storing *s, struct error *err)
{
	const char *source = s->o->source;

	s->info.created_at_s = clock_now();
	s->info.source = strdup(source ? source : s->history->source);
	if (!s->info.source)
		return error_nomem(err);
	s->unread = "the server has no other";
	if (storing_note_engine(s, err) < 0)
		return -1;
	return storing_found_again(s, err);
}

static int fetch_and_put(struct fetch_command *f, struct storing *s,
			 struct error *err)
{
	struct fetch *in = NULL;
	char *host = NULL;
	int rc;

	if (https_url_check(f->url, f->allow_http, &host, NULL, err) < 0)
		return -1;
	f->fetch.known_etag = f->etag;
	rc = fetch_open(&in, &f->fetch, err);
	if (rc > 0)
		rc = found_again(s, err);
	else if (rc == 0) {
		rc = importing_put(s, fetch_input(in), fetch_label(in), host,
				   "fetch", "fetched", err);
		if (rc == 0)
			remember(f, s, fetch_etag(in));
	}
	fetch_free(in);
	free(host);
	return rc;
}

static int to_branch(struct fetch_command *f, struct error *err)
{
	struct storing s = { .cmd = f->cmd, .o = &f->storing };
	const char *source;
	int rc = -1;

	if (storing_open(&s, err) < 0 || recall(f, &s, err) < 0)
		goto done;
	/* what can be told before the server is asked */
	source = f->storing.source ? f->storing.source
		 : s.history       ? s.history->source
				   : NULL;
	if (source && storing_allowed(&s, source, err) < 0)
		goto done;
	rc = fetch_and_put(f, &s, err);
	if (rc > 0) { /* others stored something meanwhile */
		free(f->etag);
		f->etag = NULL;
		s.unread = NULL;
		snapshot_info_release(&s.info);
		rc = fetch_and_put(f, &s, err);
	}
	if (rc == 0)
		rc = storing_end(&s, err);
done:
	storing_release(&s);
	return rc;
}

/* ---- --output: the document itself ---- */

struct saving {
	struct output output;
	struct byte_input input; /* reads, and writes down what it read */
	struct fetch *from;
	int (*write)(void *payload, const void *data, size_t size,
		     struct error *err);
	void *payload;
	uint64_t rows, tables;
	int partial; /* --allow-partial */
	int records; /* it has models, not tables */
	size_t left_out;
};

static ssize_t read_and_write(struct byte_input *input, void *data, size_t size,
			      struct error *err)
{
	struct saving *v = (struct saving *)((char *)input -
					     offsetof(struct saving, input));
	struct byte_input *from = fetch_input(v->from);
	ssize_t got = from->read(from, data, size, err);

	if (got > 0 && v->write(v->payload, data, (size_t)got, err) < 0)
		return -1;
	return got;
}

/* Read it to its end as if it were stored, so that only a whole one counts. */
static int save(struct output *o,
		int (*write)(void *payload, const void *data, size_t size,
			     struct error *err),
		void *payload, struct error *err)
{
	struct saving *v = (struct saving *)o;
	struct snapshot_info totals = { 0 };
	struct incoming in = { 0 };
	struct object_id content;
	struct sink *hash = NULL;
	int rc = -1;

	v->write = write;
	v->payload = payload;
	if (hash_sink_new(&hash, err) == 0 &&
	    incoming_open(&in, &v->input, fetch_label(v->from), err) == 0)
		rc = incoming_put(&in, v->partial, hash, NULL, &content, err);
	if (rc == 0) {
		storing_count(&totals, incoming_catalog(&in), &content);
		v->records = in.dump != NULL;
		v->left_out = incoming_catalog(&in)->left_out_count;
		v->tables = totals.tables;
		v->rows = totals.rows;
	}
	incoming_release(&in);
	hash_sink_free(hash);
	return rc;
}

static void tell_saved(const struct fetch_command *f, const struct saving *v)
{
	char tables[CMD_NUMBER_SIZE * 2], rows[CMD_NUMBER_SIZE * 2];
	const char *path = strcmp(f->output, "-") ? f->output : NULL;

	if (f->cmd->json && path)
		json_print(json_pack(
			"{s:o, s:I, s:I}", "output", json_text(path), "tables",
			(json_int_t)v->tables, "rows", (json_int_t)v->rows));
	cmd_note(f->cmd, "%s: %s, %s written to %s", fetch_label(v->from),
		 cmd_count(tables, v->tables, v->records ? "model" : "table"),
		 cmd_count(rows, v->rows, v->records ? "record" : "row"),
		 path ? path : "standard output");
}

static int to_file(struct fetch_command *f, struct error *err)
{
	struct saving v = { .output = { .make = save },
			    .input = { read_and_write },
			    .partial = f->storing.allow_partial };
	int rc = -1;

	if (output_check(f->output, NULL, err) < 0)
		return -1;
	if (fetch_open(&v.from, &f->fetch, err) == 0)
		rc = output_write(&v.output, f->output, err);
	if (rc == 0)
		tell_saved(f, &v);
	fetch_free(v.from);
	if (rc == 0 && v.left_out) {
		cmd_warn("saved, but partial: the application left models out");
		rc = EXIT_ATTENTION;
	}
	return rc;
}

/* ---- the command ---- */

int cmd_fetch(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct fetch_command f = { .cmd = c, .timeout_s = TIMEOUT_S };
	const struct cmd_option options[] = {
		{ .name = "key-file",
		  .text = &f.key_file,
		  .arg = "FILE",
		  .env = "DBSTOW_FETCH_KEY_FILE",
		  .help = "file with the key, mode 0600 (default: the variable " KEY_VARIABLE
			  ")" },
		{ .name = "header",
		  .text = &f.header,
		  .arg = "NAME",
		  .help = "send the key as this header (default: "
			  "Authorization: Bearer)" },
		{ .name = "allow-http",
		  .flag = &f.allow_http,
		  .help = "http without TLS to this machine itself" },
		{ .name = "max-bytes",
		  .text = &f.max_bytes,
		  .arg = "N",
		  .help = "take no longer document (default: 10G)" },
		{ .name = "timeout",
		  .number = &f.timeout_s,
		  .arg = "SECONDS",
		  .help = "for all of it (default: 3600)" },
		CMD_STORING_OPTIONS(c, &f.storing),
		{ .name = "kind",
		  .text = &f.storing.kind,
		  .arg = "KIND",
		  .help = "fetched (default; records for records), or a "
			  "word of yours" },
		CMD_INCOMING_OPTIONS(&f.storing),
		{ .name = "output",
		  .letter = 'o',
		  .text = &f.output,
		  .arg = "FILE|-",
		  .help = "save the document instead; no git" },
		{ .name = NULL },
	};
	int rc;

	rc = cmd_parse(c, options, argc, argv, &f.url, 1, 1, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	rc = prepare(&f, err);
	if (rc == 0)
		rc = f.output ? to_file(&f, err) : to_branch(&f, err);
	secret_free(f.value);
	secret_free(f.key);
	free(f.seen_path);
	free(f.etag);
	return rc;
}
