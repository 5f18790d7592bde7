/*
 * info.c - snapshot.json: facts of one run
 *
 * Facts, not content: a reader takes what it knows and leaves the rest, so a
 * newer dbstow can tell more without a new format.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest_internal.h"
#include "snapshot/records.h"

/* ---- writing ---- */

static void put_string(struct buffer *out, const char *key, const char *value)
{
	if (!value)
		return;
	buffer_printf(out, ",\n \"%s\": ", key);
	json_file_put(out, value);
}

int snapshot_info_write(struct buffer *out, const struct snapshot_info *i,
			struct error *err)
{
	char when[CLOCK_TEXT_SIZE], content[OBJECT_HEX_SIZE];

	clock_iso(when, i->created_at_s);
	object_hex(content, &i->content);
	buffer_printf(out, "{\n \"created_at\": \"%s\"", when);
	put_string(out, "source", i->source);
	put_string(out, "tool_version", i->tool_version);
	put_string(out, "name", i->name);
	put_string(out, "description", i->description);
	put_string(out, "kind", i->kind);
	put_string(out, "schema_revision", i->schema_revision);
	put_string(out, "app_commit", i->app_commit);
	buffer_printf(out,
		      ",\n \"tables\": %" PRIu64 ",\n \"rows\": %" PRIu64
		      ",\n \"bytes\": %" PRIu64 ",\n \"content\": \"%s\"",
		      i->tables, i->rows, i->bytes, content);
	put_string(out, "engine", i->engine);
	if (!i->engine)
		buffer_printf(out,
			      ",\n \"page_size\": %" PRId32
			      ",\n \"auto_vacuum\": %" PRId32 ",\n \"wal\": %s",
			      i->page_size, i->auto_vacuum,
			      i->wal ? "true" : "false");
	buffer_str(out, "\n}\n");
	return buffer_failed(out) ? error_nomem(err) : 0;
}

/* ---- reading ---- */

static int read_string(const struct json_file *f, const json_t *top,
		       const char *key, char **out, struct error *err)
{
	const json_t *value = json_object_get(top, key);

	return value ? json_file_bytes(f, value, key, out, err) : 0;
}

static int read_strings(const struct json_file *f, const json_t *top,
			struct snapshot_info *i, struct error *err)
{
	if (read_string(f, top, "source", &i->source, err) < 0 ||
	    read_string(f, top, "tool_version", &i->tool_version, err) < 0 ||
	    read_string(f, top, "name", &i->name, err) < 0 ||
	    read_string(f, top, "description", &i->description, err) < 0 ||
	    read_string(f, top, "kind", &i->kind, err) < 0 ||
	    read_string(f, top, "schema_revision", &i->schema_revision, err) <
		    0 ||
	    read_string(f, top, "app_commit", &i->app_commit, err) < 0 ||
	    read_string(f, top, "engine", &i->engine, err) < 0)
		return -1;
	return 0;
}

static int read_created(const struct json_file *f, const json_t *top,
			struct snapshot_info *i, struct error *err)
{
	const json_t *value =
		json_file_member(f, top, "created_at", JSON_STRING, err);

	if (!value)
		return -1;
	if (clock_parse(&i->created_at_s, json_string_value(value)) < 0)
		return json_file_damage(f, err,
					"'created_at' is no time: '%.80s'",
					json_string_value(value));
	return 0;
}

static int read_totals(const struct json_file *f, const json_t *top,
		       struct snapshot_info *i, struct error *err)
{
	int64_t tables, rows, bytes;

	if (json_file_integer(f, top, "tables", 0, INT64_MAX, &tables, err) <
		    0 ||
	    json_file_integer(f, top, "rows", 0, INT64_MAX, &rows, err) < 0 ||
	    json_file_integer(f, top, "bytes", 0, INT64_MAX, &bytes, err) < 0 ||
	    json_file_hex(f, top, "content", i->content.bytes,
			  sizeof(i->content.bytes), err) < 0)
		return -1;
	i->tables = (uint64_t)tables;
	i->rows = (uint64_t)rows;
	i->bytes = (uint64_t)bytes;
	return 0;
}

static int read_layout(const struct json_file *f, const json_t *top,
		       struct snapshot_info *i, struct error *err)
{
	int64_t page_size, auto_vacuum;
	const json_t *wal;

	if (i->engine && !strcmp(i->engine, RECORDS_ENGINE))
		return 0;
	if (json_file_integer(f, top, "page_size", 512, 65536, &page_size,
			      err) < 0 ||
	    json_file_integer(f, top, "auto_vacuum", 0, 2, &auto_vacuum, err) <
		    0)
		return -1;
	if (page_size & (page_size - 1))
		return json_file_damage(f, err,
					"'page_size' is no power of two");
	wal = json_file_member(f, top, "wal", JSON_TRUE, err);
	if (!wal)
		return -1;
	i->page_size = (int32_t)page_size;
	i->auto_vacuum = (int32_t)auto_vacuum;
	i->wal = json_is_true(wal);
	return 0;
}

int snapshot_info_read(struct snapshot_info *out, struct source *s,
		       struct error *err)
{
	struct json_file f = { .source = s, .path = INFO_PATH };
	json_t *top = NULL;
	int rc = -1;

	memset(out, 0, sizeof(*out));
	if (json_file_load(&top, &f, err) < 0)
		goto done;
	if (!json_is_object(top)) {
		json_file_damage(&f, err, "it is not an object");
		goto done;
	}
	if (read_created(&f, top, out, err) < 0 ||
	    read_strings(&f, top, out, err) < 0 ||
	    read_totals(&f, top, out, err) < 0 ||
	    read_layout(&f, top, out, err) < 0)
		goto done;
	rc = 0;
done:
	json_decref(top);
	if (rc < 0)
		snapshot_info_release(out);
	return rc;
}

void snapshot_info_apply(const struct snapshot_info *i, struct catalog *c)
{
	c->page_size = i->page_size;
	c->auto_vacuum = i->auto_vacuum;
	c->wal = i->wal;
}

void snapshot_info_release(struct snapshot_info *i)
{
	free(i->source);
	free(i->tool_version);
	free(i->name);
	free(i->description);
	free(i->kind);
	free(i->schema_revision);
	free(i->app_commit);
	free(i->engine);
	memset(i, 0, sizeof(*i));
}
