/*
 * root.c - what lies beside data/: how to read it, and facts of this run
 */
#include "export/export.h"

#include "base/buffer.h"
#include "base/error.h"
#include "export/export_internal.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest.h"
#include "snapshot/records.h"
#include "snapshot/text.h"

/* A name is shown, not repeated in full. */
#define SOURCE_SHOWN_BYTES 120

/*
 * The source's name for the heading, in a Markdown code span: without what
 * would end the span or begin an
 * HTML tag where a page does not keep to Markdown.
 */
static void show_source(struct buffer *out, const char *source)
{
	struct buffer shown = BUFFER_INIT;

	if (!source || !*source)
		source = "database";
	text_display(&shown, source, strlen(source), SOURCE_SHOWN_BYTES);
	for (size_t i = 0; i < shown.size; i++) {
		char c = shown.data[i];

		buffer_byte(out, c == '`' || c == '<' || c == '>' ? '?' : c);
	}
	if (buffer_failed(&shown))
		out->failed = 1;
	buffer_release(&shown);
}

/* The README: constant but for one name, so snapshots share it. */
static void write_readme(struct buffer *out, const struct snapshot_info *info,
			 int records)
{
	static const char mark[] = "@SOURCE@";
	const char *text =
		(const char *)(records ? branch_recordsreadme : branch_readme);
	const char *end = text + (records ? branch_recordsreadme_size
					  : branch_readme_size);
	const char *at;

	while ((at = memmem(text, (size_t)(end - text), mark,
			    sizeof(mark) - 1))) {
		buffer_add(out, text, (size_t)(at - text));
		show_source(out, info->source);
		text = at + sizeof(mark) - 1;
	}
	buffer_add(out, text, (size_t)(end - text));
}

static int put_file(struct sink *s, struct tree *root, const char *name,
		    const void *data, size_t size, struct error *err)
{
	struct object_id id;

	if (s->put(s, OBJECT_BLOB, name, data, size, &id, err) < 0)
		return -1;
	return tree_add(root, name, 0, &id, err);
}

/* The script that reads the snapshot without dbstow, where there is one. */
static int put_script(struct sink *s, struct tree *root,
		      const struct catalog *c, struct error *err)
{
	if (records_are(c))
		return put_file(s, root, "restore.py", branch_recordsscript,
				branch_recordsscript_size, err);
	if (c->engine && !strcmp(c->engine, "sqlite"))
		return put_file(s, root, "restore.py", branch_restore,
				branch_restore_size, err);
	return 0;
}

static int put_buffer(struct sink *s, struct tree *root, const char *name,
		      const struct buffer *b, struct error *err)
{
	if (buffer_failed(b))
		return error_nomem(err);
	return put_file(s, root, name, b->data, b->size, err);
}

int export_root(const struct snapshot_info *info, const struct catalog *c,
		const struct object_id *content, struct sink *s,
		struct object_id *root, struct error *err)
{
	struct buffer readme = BUFFER_INIT, facts = BUFFER_INIT;
	struct tree tree = { 0 };
	int rc = -1;

	write_readme(&readme, info, records_are(c));
	if (snapshot_info_write(&facts, info, err) < 0)
		goto done;
	if (put_file(s, &tree, ".gitattributes", branch_gitattributes,
		     branch_gitattributes_size, err) < 0 ||
	    put_buffer(s, &tree, "README.md", &readme, err) < 0 ||
	    put_buffer(s, &tree, "snapshot.json", &facts, err) < 0)
		goto done;
	if (put_script(s, &tree, c, err) < 0)
		goto done;
	if (tree_add(&tree, "data", 1, content, err) < 0)
		goto done;
	rc = tree_put(&tree, s, root, err);
done:
	tree_release(&tree);
	buffer_release(&readme);
	buffer_release(&facts);
	return rc;
}
