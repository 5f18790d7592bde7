/*
 * message.c - what commits of ours say, to people and to us
 *
 * Only the last paragraph of a message is read back.  We write that paragraph
 * ourselves, a line a trailer, and no value that is put there holds a newline,
 * so neither a description nor a table's name can pose as a trailer.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"
#include "snapshot/text.h"

#define NAME_BYTES 255

/* ---- reading ---- */

/* Begin of the last paragraph of `text`, whose end is trimmed. */
static char *last_paragraph(char *text)
{
	size_t size = strlen(text);
	char *at;

	while (size && (text[size - 1] == '\n' || text[size - 1] == ' '))
		text[--size] = '\0';
	for (at = text + size; at > text; at--)
		if (at - text >= 2 && at[-1] == '\n' && at[-2] == '\n')
			break;
	return at;
}

static int add_trailer(struct trailers *t, char *line, struct error *err)
{
	char *colon = strstr(line, ": ");
	void *items;

	if (!colon)
		return 0;
	if (!(t->count & (t->count - 1))) {
		items = realloc(t->items,
				(t->count + 1) * 2 * sizeof(*t->items));
		if (!items)
			return error_nomem(err);
		t->items = items;
	}
	*colon = '\0';
	t->items[t->count].key = line;
	t->items[t->count++].value = colon + 2;
	return 0;
}

int trailers_parse(struct trailers *t, const char *message, struct error *err)
{
	char *line, *next;

	memset(t, 0, sizeof(*t));
	t->text = strdup(message);
	if (!t->text)
		return error_nomem(err);
	for (line = last_paragraph(t->text); line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (add_trailer(t, line, err) < 0) {
			trailers_release(t);
			return -1;
		}
	}
	return 0;
}

const char *trailers_get(const struct trailers *t, const char *key)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		if (!strcmp(t->items[i].key, key))
			return t->items[i].value;
	return NULL;
}

void trailers_release(struct trailers *t)
{
	free(t->items);
	free(t->text);
	memset(t, 0, sizeof(*t));
}

/* A number, 0 where it is none. */
static uint64_t number_of(const struct trailers *t, const char *key)
{
	const char *text = trailers_get(t, key);
	char *end;
	unsigned long long n;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	return errno || *end ? 0 : n;
}

/* Copy a value; absent stays NULL. @return 0, -1 */
static int copy_of(char **out, const struct trailers *t, const char *key,
		   struct error *err)
{
	const char *text = trailers_get(t, key);

	if (!text)
		return 0;
	*out = strdup(text);
	return *out ? 0 : error_nomem(err);
}

int snapshot_from_trailers(struct snapshot *s, const struct trailers *t,
			   struct error *err)
{
	const char *content = trailers_get(t, "Snapshot-Content");
	const char *created = trailers_get(t, "Snapshot-Created");

	if (!trailers_get(t, "Snapshot-Source") || !content || !created ||
	    strlen(content) != 40 ||
	    hex_decode(s->content.bytes, content, sizeof(s->content)) < 0 ||
	    clock_parse(&s->created_at_s, created) < 0)
		return 1;
	s->tables = number_of(t, "Snapshot-Tables");
	s->rows = number_of(t, "Snapshot-Rows");
	s->bytes = number_of(t, "Snapshot-Bytes");
	if (copy_of(&s->source, t, "Snapshot-Source", err) < 0 ||
	    copy_of(&s->name, t, "Snapshot-Name", err) < 0 ||
	    copy_of(&s->kind, t, "Snapshot-Kind", err) < 0 ||
	    copy_of(&s->description, t, "Snapshot-Description", err) < 0 ||
	    copy_of(&s->drill, t, "Drill", err) < 0 ||
	    copy_of(&s->schema_revision, t, "Schema-Revision", err) < 0 ||
	    copy_of(&s->partial, t, "Partial", err) < 0) {
		snapshot_release(s);
		return -1;
	}
	return 0;
}

void snapshot_release(struct snapshot *s)
{
	free(s->source);
	free(s->name);
	free(s->kind);
	free(s->description);
	free(s->drill);
	free(s->schema_revision);
	free(s->partial);
	memset(s, 0, sizeof(*s));
}

/* ---- writing ---- */

int message_check_line(const char *what, const char *text, struct error *err)
{
	size_t size = strlen(text), i;

	if (!size || size > NAME_BYTES)
		return error_set(err, ERROR_USAGE,
				 "a %s must have 1 to %d bytes, '%.40s' has "
				 "%zu",
				 what, NAME_BYTES, text, size);
	for (i = 0; i < size; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return error_set(err, ERROR_USAGE,
					 "the %s '%s' holds a control character"
					 "; choose another",
					 what, text);
	if (!text_is_utf8(text, size))
		return error_set(err, ERROR_USAGE,
				 "the %s is not UTF-8; choose another", what);
	if (text[0] == ' ' || text[size - 1] == ' ')
		return error_set(
			err, ERROR_USAGE,
			"the %s '%s' begins or ends in a blank; choose "
			"another",
			what, text);
	return 0;
}

/* Words that history_find() takes for something else. */
static int is_reserved(const char *name)
{
	return !strcmp(name, "latest") || !strncmp(name, "latest~", 7) ||
	       !strncmp(name, "undo/", 5);
}

int message_check(const struct gitstore_snapshot *s, struct error *err)
{
	if (message_check_line("source name", s->source, err) < 0 ||
	    (s->name && message_check_line("name", s->name, err) < 0) ||
	    (s->kind && message_check_line("kind", s->kind, err) < 0))
		return -1;
	if (s->name && is_reserved(s->name))
		return error_set(err, ERROR_USAGE,
				 "a snapshot cannot be named '%s'; choose "
				 "another",
				 s->name);
	if (s->description &&
	    !text_is_utf8(s->description, strlen(s->description)))
		return error_set(err, ERROR_USAGE,
				 "the description is not UTF-8");
	return 0;
}

/* 15607 -> "15,607" */
static void add_count(struct buffer *out, uint64_t n, const char *noun)
{
	char digits[24];
	int size = snprintf(digits, sizeof(digits), "%" PRIu64, n), i;

	for (i = 0; i < size; i++) {
		if (i && (size - i) % 3 == 0)
			buffer_byte(out, ',');
		buffer_byte(out, digits[i]);
	}
	buffer_printf(out, " %s%s", noun, n == 1 ? "" : "s");
}

/* Lines of text for people, ended by a newline; other control characters go. */
static void add_body(struct buffer *out, const char *text)
{
	if (!text || !*text)
		return;
	for (; *text; text++)
		if (*text == '\n' || *text == '\t' ||
		    ((unsigned char)*text >= ' ' && *text != 0x7f))
			buffer_byte(out, *text);
	while (out->size && out->data[out->size - 1] == '\n')
		out->size--;
	buffer_str(out, "\n\n");
}

/* One trailer; what would end its line becomes a blank, runs of them one. */
static void add_line(struct buffer *out, const char *key, const char *value)
{
	size_t begin;
	int blank = 0;

	if (!value || !*value)
		return;
	buffer_printf(out, "%s: ", key);
	begin = out->size;
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c <= ' ' || c == 0x7f) {
			blank = 1;
			continue;
		}
		if (blank && out->size > begin)
			buffer_byte(out, ' ');
		buffer_byte(out, *value);
		blank = 0;
	}
	buffer_byte(out, '\n');
}

static void add_number(struct buffer *out, const char *key, uint64_t n)
{
	buffer_printf(out, "%s: %" PRIu64 "\n", key, n);
}

static void add_facts(struct buffer *out, const struct snapshot *s)
{
	char text[CLOCK_TEXT_SIZE], hex[OBJECT_HEX_SIZE];

	add_line(out, "Snapshot-Source", s->source);
	add_line(out, "Snapshot-Name", s->name);
	add_line(out, "Snapshot-Kind", s->kind);
	add_line(out, "Snapshot-Description", s->description);
	object_hex(hex, &s->content);
	add_line(out, "Snapshot-Content", hex);
	add_number(out, "Snapshot-Tables", s->tables);
	add_number(out, "Snapshot-Rows", s->rows);
	add_number(out, "Snapshot-Bytes", s->bytes);
	clock_iso(text, s->created_at_s);
	add_line(out, "Snapshot-Created", text);
	add_line(out, "Drill", s->drill);
	add_line(out, "Schema-Revision", s->schema_revision);
	add_line(out, "Partial", s->partial);
}

/* The strings stay the caller's: only to be read, never released. */
static struct snapshot as_snapshot(const struct gitstore_snapshot *s)
{
	struct snapshot out = { .content = s->content,
				.created_at_s = s->created_at_s,
				.tables = s->tables,
				.rows = s->rows,
				.bytes = s->bytes };

	out.source = (char *)(uintptr_t)s->source;
	out.name = (char *)(uintptr_t)s->name;
	out.kind = (char *)(uintptr_t)s->kind;
	out.description = (char *)(uintptr_t)s->description;
	out.drill = (char *)(uintptr_t)s->drill;
	out.schema_revision = (char *)(uintptr_t)s->schema_revision;
	out.partial = (char *)(uintptr_t)s->partial;
	return out;
}

int message_snapshot(struct buffer *out, const struct gitstore_snapshot *s,
		     unsigned int serial, struct error *err)
{
	struct snapshot facts = as_snapshot(s);
	char text[CLOCK_TEXT_SIZE];

	clock_text(text, s->created_at_s);
	buffer_printf(out, "%s %s: ", s->source, text);
	add_count(out, s->tables, "table");
	buffer_str(out, ", ");
	add_count(out, s->rows, "row");
	buffer_str(out, "\n\n");
	add_body(out, s->description);
	add_body(out, s->changes);
	add_facts(out, &facts);
	if (serial > 1)
		add_number(out, "Snapshot-Serial", serial);
	return buffer_cstr(out) ? 0 : error_nomem(err);
}

/* "1f2e3d4  2026-11-20 02:35:22Z  15,607 rows  drill ok  pinned  'name'" */
static void add_row(struct buffer *out, const struct snapshot *s)
{
	char hex[SHORT_HEX_SIZE], text[CLOCK_TEXT_SIZE];

	object_short(hex, &s->id);
	clock_text(text, s->created_at_s);
	buffer_printf(out, "%s  %s  ", hex, text);
	add_count(out, s->rows, "row");
	if (s->drill)
		buffer_printf(out, "  drill %s", s->drill);
	if (s->partial)
		buffer_str(out, "  partial");
	if (s->pinned)
		buffer_str(out, "  pinned");
	if (s->name)
		buffer_printf(out, "  '%s'", s->name);
	buffer_byte(out, '\n');
}

/* "KEY: ID TIME"; a time of 0 is not known */
static void add_event(struct buffer *out, const char *key,
		      const struct object_id *id, int64_t when_s)
{
	char hex[OBJECT_HEX_SIZE], text[CLOCK_TEXT_SIZE];

	object_hex(hex, id);
	buffer_printf(out, "%s: %s", key, hex);
	if (when_s) {
		clock_iso(text, when_s);
		buffer_printf(out, " %s", text);
	}
	buffer_byte(out, '\n');
}

static void add_time(struct buffer *out, const char *key, int64_t when_s)
{
	char text[CLOCK_TEXT_SIZE];

	if (!when_s)
		return;
	clock_iso(text, when_s);
	add_line(out, key, text);
}

static void add_state(struct buffer *out, const struct history *h)
{
	const struct snapshot *s = h->snapshots;
	size_t i;

	if (h->keep)
		buffer_printf(out, "Retention: keep=%u\n", h->keep);
	add_time(out, "Retention-Set", h->keep_set_s);
	for (i = 0; i < h->count; i++)
		add_event(out, "Snapshot", &s[i].id, s[i].created_at_s);
	for (i = 0; i < h->count; i++)
		if (s[i].pinned)
			add_event(out, "Pinned", &s[i].id, s[i].pinned_at_s);
	for (i = 0; i < h->unpinned_count; i++)
		add_event(out, "Unpinned", &h->unpinned[i].id,
			  h->unpinned[i].deleted_at_s);
	for (i = 0; i < h->deleted_count; i++)
		add_event(out, "Deleted", &h->deleted[i].id,
			  h->deleted[i].deleted_at_s);
	add_time(out, "Checked", h->checked_at_s);
}

int message_index(struct buffer *out, const struct history *h,
		  struct error *err)
{
	char text[CLOCK_TEXT_SIZE];
	size_t i;

	clock_text(text, h->snapshots[0].created_at_s);
	buffer_printf(out, "[skip ci] %s: ", h->source);
	add_count(out, h->count, "snapshot");
	buffer_printf(out, ", newest %s\n\n", text);
	for (i = 0; i < h->count; i++)
		add_row(out, &h->snapshots[i]);
	buffer_byte(out, '\n');
	/* A reader of 1 would take that commit for a snapshot. */
	if (object_is_zero(&h->previous)) {
		add_line(out, "Dbstow-Branch", "1");
	} else {
		add_line(out, "Dbstow-Branch", "2");
		add_event(out, "Previous", &h->previous, 0);
	}
	add_line(out, "Source", h->source);
	add_state(out, h);
	/* The newest one's facts once more: a clone of depth 1 has its files
	 * but not its commit. */
	add_facts(out, &h->snapshots[0]);
	return buffer_cstr(out) ? 0 : error_nomem(err);
}
