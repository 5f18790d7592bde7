/* cmd_show.c - dbstow show: one snapshot, its facts and its tables */

#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/proof.h"
#include "cmd/snapshots.h"
#include "gitstore/gitstore.h"
#include "snapshot/catalog.h"
#include "snapshot/records.h"
#include "snapshot/text.h"

static const char *const kinds[] = {
	[TABLE_ORDINARY] = "table",
	[TABLE_SHADOW] = "shadow",
	[TABLE_INTERNAL] = "internal",
};

static void print_fact(const char *what, const char *text)
{
	struct buffer shown = BUFFER_INIT;

	if (!text)
		return;
	text_display(&shown, text, strlen(text), 2000);
	printf("%-12s %s\n", what, shown.size ? buffer_cstr(&shown) : "");
	buffer_release(&shown);
}

static void print_table(const struct table *t)
{
	struct buffer name = BUFFER_INIT;
	char rows[CMD_NUMBER_SIZE];

	text_display(&name, t->name, strlen(t->name), 200);
	printf("%14s  %s%s%s\n", cmd_number(rows, t->rows),
	       name.size ? buffer_cstr(&name) : "",
	       t->kind == TABLE_ORDINARY ? "" : "  ",
	       t->kind == TABLE_ORDINARY ? "" : kinds[t->kind]);
	buffer_release(&name);
}

static void print_left_out(const struct left_out *l)
{
	struct buffer text = BUFFER_INIT;

	text_display(&text, l->name, strlen(l->name), 200);
	buffer_str(&text, ": ");
	text_display(&text, l->why, strlen(l->why), 500);
	printf("%14s  %s\n", "left out", text.size ? buffer_cstr(&text) : "");
	buffer_release(&text);
}

static void print_text(const struct snapshot *s, const struct catalog *c)
{
	char id[OBJECT_HEX_SIZE], content[OBJECT_HEX_SIZE];
	char when[CLOCK_TEXT_SIZE], size[CMD_NUMBER_SIZE];

	object_hex(id, &s->id);
	object_hex(content, &s->content);
	clock_text(when, s->created_at_s);
	print_fact("snapshot", id);
	print_fact("content", content);
	print_fact("created", when);
	print_fact("source", s->source);
	print_fact("name", s->name);
	print_fact("kind", s->kind);
	print_fact("description", s->description);
	print_fact("drill", s->drill);
	print_fact("schema", s->schema_revision);
	print_fact("size", cmd_bytes(size, s->bytes));
	print_fact("pinned", s->pinned ? "yes" : NULL);
	print_fact("partial", s->partial);
	printf("\n%14s  %s\n", "ROWS",
	       records_are(c) ? "MODEL" : "TABLE (in dependency order)");
	for (size_t i = 0; i < c->table_count; i++)
		print_table(&c->tables[i]);
	for (size_t i = 0; i < c->left_out_count; i++)
		print_left_out(&c->left_out[i]);
}

static void print_json(const struct snapshot *s, const struct catalog *c)
{
	json_t *o = snapshot_json(s), *tables = json_array();
	json_t *left_out = json_array();

	for (size_t i = 0; i < c->left_out_count; i++)
		json_array_append_new(left_out,
				      json_pack("{s:o, s:o}", "name",
						json_text(c->left_out[i].name),
						"why",
						json_text(c->left_out[i].why)));

	for (size_t i = 0; i < c->table_count; i++) {
		const struct table *t = &c->tables[i];

		json_array_append_new(
			tables,
			json_pack("{s:o, s:s, s:s, s:I}", "name",
				  json_text(t->name), "kind",
				  records_are(c) ? "model" : kinds[t->kind],
				  "folder", t->folder, "rows",
				  (json_int_t)t->rows));
	}
	json_object_set_new(o, "table_list", tables);
	json_object_set_new(o, "left_out", left_out);
	json_print(o);
}

int cmd_show(struct cmd *c, int argc, char **argv, struct error *err)
{
	struct snapshot_choice choice = { 0 };
	struct catalog *catalog = NULL;
	struct object_id content;
	struct source *s = NULL;
	const struct cmd_option options[] = {
		CMD_REMOTE_OPTIONS(c),
		{ .name = NULL },
	};
	const char *what;
	int rc;

	rc = cmd_parse(c, options, argc, argv, &what, 0, 1, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	rc = -1;
	if (snapshot_choose(c, what, &choice, err) < 0 ||
	    snapshot_source(&choice, snapshot_chosen(&choice), &s, err) < 0 ||
	    proof_open(s, &catalog, &content, err) < 0)
		goto done;
	if (c->json)
		print_json(snapshot_chosen(&choice), catalog);
	else
		print_text(snapshot_chosen(&choice), catalog);
	rc = 0;
done:
	catalog_free(catalog);
	source_free(s);
	snapshot_choice_release(&choice);
	return rc;
}
