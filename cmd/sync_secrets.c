/*
 * sync_secrets.c - what a host's secret scanner found, in words of the database
 *
 * GitHub refuses a push that holds what looks like a password (GH013) and names
 * commits and files:
 *
 *     locations:
 *       - commit: 8728dbe6...
 *         path: data/tables/users/0.jsonl:4
 *
 * People know tables, rows and snapshots.
 */
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/error.h"
#include "cmd/cmd.h"
#include "cmd/proof.h"
#include "cmd/sync.h"
#include "gitstore/gitstore.h"
#include "snapshot/catalog.h"
#include "snapshot/text.h"

#define TOLD_MAX 10

/* One place that the server named. */
struct place {
	char commit[OBJECT_HEX_SIZE]; /* perhaps only its first digits */
	char path[512];
	unsigned long line; /* from 1; 0: not told */
};

/* ---- reading what the server said ---- */

/* The text behind "KEY:" in a line, or NULL. */
static const char *value_of(const char *line, size_t size, const char *key)
{
	const char *end = line + size;
	size_t n = strlen(key);

	while (line < end && strchr(" \t-*", *line))
		line++;
	if ((size_t)(end - line) <= n || strncasecmp(line, key, n) != 0 ||
	    line[n] != ':')
		return NULL;
	for (line += n + 1; line < end && *line == ' '; line++)
		;
	return line;
}

static void take_commit(struct place *p, const char *text)
{
	size_t n = strspn(text, "0123456789abcdef");

	p->commit[0] = '\0';
	if (n >= 7 && n < sizeof(p->commit)) {
		memcpy(p->commit, text, n);
		p->commit[n] = '\0';
	}
}

/* "data/tables/users/0.jsonl:4" @return 1 when it is one of a table's files */
static int take_path(struct place *p, const char *text, const char *end)
{
	size_t n = (size_t)(end - text);
	char *colon;

	if (n >= sizeof(p->path))
		return 0;
	memcpy(p->path, text, n);
	p->path[n] = '\0';
	p->line = 0;
	colon = strrchr(p->path, ':');
	if (colon && isdigit((unsigned char)colon[1])) {
		p->line = strtoul(colon + 1, NULL, 10);
		*colon = '\0';
	}
	return !strncmp(p->path, "data/tables/", 12) && p->commit[0];
}

/* ---- finding the row ---- */

static int find_snapshot(const struct history *h, const char *commit,
			 size_t *at)
{
	char hex[OBJECT_HEX_SIZE];

	for (*at = 0; *at < h->count; (*at)++) {
		object_hex(hex, &h->snapshots[*at].id);
		if (!strncmp(hex, commit, strlen(commit)))
			return 1;
	}
	*at = 0; /* an index commit has the newest one's files */
	return h->count > 0;
}

static const struct table *find_table(const struct catalog *c, const char *path)
{
	const char *folder = path + strlen("data/tables/");
	size_t n = strcspn(folder, "/");

	for (size_t i = 0; i < c->table_count; i++)
		if (strlen(c->tables[i].folder) == n &&
		    !strncmp(c->tables[i].folder, folder, n))
			return &c->tables[i];
	return NULL;
}

/* The n-th line of a file, as JSON; NULL: there is none */
static json_t *read_row(struct source *s, const struct place *p)
{
	struct buffer text = BUFFER_INIT;
	const char *line = NULL, *end;
	json_t *row = NULL;
	unsigned long n;

	if (p->line && !s->read(s, p->path, &text, NULL))
		line = buffer_cstr(&text);
	end = line ? line + text.size : NULL;
	for (n = 1; line && n < p->line; n++) {
		line = memchr(line, '\n', (size_t)(end - line));
		line = line ? line + 1 : NULL;
	}
	if (line && line < end)
		row = json_loadb(line, strcspn(line, "\n"), 0, NULL);
	buffer_release(&text);
	return row;
}

/* "id 4": numbers only, as a text might be the very secret. */
static void add_key(struct buffer *out, const struct table *t,
		    const json_t *row)
{
	const char *name = t->order == ORDER_RECORDS ? "pk" : t->rowid_key;
	const json_t *value = name ? json_object_get(row, name) : NULL;

	if (json_is_integer(value))
		buffer_printf(out, ", row with %s %lld", name,
			      (long long)json_integer_value(value));
}

/* Where it is, as far as the snapshot can tell. */
static void describe(struct gitstore *g, const struct snapshot *snap,
		     const struct place *p, struct buffer *out)
{
	struct catalog *c = NULL;
	struct object_id content;
	const struct table *t = NULL;
	struct source *s = NULL;
	struct error quiet = ERROR_INIT;
	json_t *row;

	if (!gitstore_source(g, &snap->id, &s, &quiet) &&
	    !proof_open(s, &c, &content, &quiet))
		t = find_table(c, p->path);
	if (t) {
		buffer_str(out, "table '");
		text_display(out, t->name, strlen(t->name), 100);
		buffer_str(out, "'");
		row = read_row(s, p);
		if (row)
			add_key(out, t, row);
		json_decref(row);
		buffer_str(out, ", ");
	}
	text_display(out, p->path, strlen(p->path), 200);
	if (p->line)
		buffer_printf(out, " line %lu", p->line);
	catalog_free(c);
	source_free(s);
}

static void tell(struct gitstore *g, const struct history *h,
		 const struct place *p)
{
	struct buffer text = BUFFER_INIT;
	char hex[OBJECT_HEX_SIZE];
	size_t at;

	if (!find_snapshot(h, p->commit, &at))
		return;
	object_hex(hex, &h->snapshots[at].id);
	describe(g, &h->snapshots[at], p, &text);
	if (buffer_cstr(&text))
		cmd_warn("the host sees a secret in snapshot %.8s: %s; take it "
			 "out of the database and export again, then 'dbstow "
			 "delete %.8s' frees the way",
			 hex, text.data, hex);
	buffer_release(&text);
}

void sync_tell_secrets(struct gitstore *g, const char *messages)
{
	struct place p = { .commit = "" };
	struct history *h = NULL;
	const char *line, *end, *value;
	int told = 0;

	if (!messages || !strstr(messages, "GH013") ||
	    gitstore_history(g, 0, &h, NULL, NULL) < 0)
		return;
	for (line = messages; *line && told < TOLD_MAX;
	     line = end + (*end == '\n')) {
		end = line + strcspn(line, "\n");
		value = value_of(line, (size_t)(end - line), "commit");
		if (value)
			take_commit(&p, value);
		value = value_of(line, (size_t)(end - line), "path");
		if (value && take_path(&p, value, end)) {
			tell(g, h, &p);
			told++;
		}
	}
	history_free(h);
}
