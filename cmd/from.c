/*
 * from.c - a snapshot that lies in a folder or in a document
 *
 * A document can be read only once and in order, and only its end tells whether
 * it is whole.  So it is read into a scratch repository, as an export would be,
 * and the snapshot there is what is restored or verified.
 */
#include "cmd/from.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/incoming.h"
#include "cmd/storing.h"
#include "export/export.h"
#include "gitstore/gitstore.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest.h"

#define SCRATCH_PREFIX "dbstow-from"

/* ---- a document's bytes ---- */

static ssize_t read_file(struct byte_input *input, void *data, size_t size,
			 struct error *err)
{
	struct document_file *f = (struct document_file *)input;
	ssize_t got;

	do
		got = read(f->fd, data, size);
	while (got < 0 && errno == EINTR && !cmd_interrupted());
	if (cmd_interrupted())
		return error_set(err, ERROR_INTERRUPTED, "interrupted");
	if (got < 0)
		error_errno(err, ERROR_FAILED, "cannot read %s", f->label);
	return got;
}

int document_file_open(struct document_file *f, const char *path,
		       struct error *err)
{
	f->input.read = read_file;
	f->fd = STDIN_FILENO;
	if (!strcmp(path, "-")) {
		snprintf(f->label, sizeof(f->label),
			 "the document on standard input");
		return 0;
	}
	snprintf(f->label, sizeof(f->label), "'%.100s'", path);
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		return error_errno(err, ERROR_FAILED, "cannot open '%s'", path);
	return 0;
}

void document_file_close(struct document_file *f)
{
	if (f->fd > STDIN_FILENO)
		close(f->fd);
}

/* ---- a scratch repository ---- */

static int make_store(struct from *f, const char *scratch, struct error *err)
{
	struct gitstore_options o = { NULL, NULL };
	const char *parent = scratch ? scratch : getenv("TMPDIR");
	char *path;
	int rc = -1;

	if (!parent || !*parent)
		parent = "/tmp";
	scratch_sweep(parent, SCRATCH_PREFIX);
	if (scratch_make(&f->scratch, parent, SCRATCH_PREFIX, err) < 0)
		return -1;
	path = path_join(f->scratch, "git");
	o.path = path;
	if (!path)
		error_nomem(err);
	else if (!gitstore_make(path, err))
		rc = gitstore_open(&f->store, &o, err);
	free(path);
	return rc;
}

struct tick {
	struct export_progress base;
	struct cmd_progress shown;
};

static int tick(struct export_progress *p, const char *table, uint64_t rows)
{
	return cmd_progress_tick(&((struct tick *)p)->shown, table, rows);
}

static int put_document(struct from *f, const struct cmd *c,
			struct incoming *in, struct error *err)
{
	struct tick t = { .base = { .tick = tick, .jobs = c->jobs } };
	struct snapshot_info info;
	struct object_id root, content;
	struct sink *sink = gitstore_undo_sink(f->store, err);
	int rc;

	if (!sink)
		return -1;
	cmd_progress_begin(&t.shown, c, "read", 0);
	rc = incoming_put(in, 0, sink, &t.base, &content, err);
	cmd_progress_end(&t.shown);
	if (rc < 0)
		return -1;
	incoming_info(in, &info);
	storing_count(&info, incoming_catalog(in), &content);
	if (export_root(&info, incoming_catalog(in), &content, sink, &root,
			err) < 0 ||
	    gitstore_publish(f->store, err) < 0)
		return -1;
	return gitstore_tree_source(f->store, &root, &f->source, err);
}

static int open_document(struct from *f, const struct cmd *c, const char *path,
			 const char *scratch, struct error *err)
{
	struct document_file in = { 0 };
	struct incoming d = { 0 };
	int rc = -1;

	if (document_file_open(&in, path, err) == 0 &&
	    incoming_open(&d, &in.input, in.label, err) == 0 &&
	    make_store(f, scratch, err) == 0)
		rc = put_document(f, c, &d, err);
	memcpy(f->label, in.label, sizeof(f->label));
	incoming_release(&d);
	document_file_close(&in);
	return rc;
}

int from_open(struct from *f, const struct cmd *c, const char *path,
	      const char *scratch, struct error *err)
{
	struct stat st;

	memset(f, 0, sizeof(*f));
	if (!strcmp(path, "-") || stat(path, &st) || !S_ISDIR(st.st_mode))
		return open_document(f, c, path, scratch, err);
	snprintf(f->label, sizeof(f->label), "folder '%.100s'", path);
	f->is_folder = 1;
	return folder_source_open(&f->source, path, err);
}

void from_release(struct from *f)
{
	source_free(f->source);
	gitstore_free(f->store);
	scratch_remove(f->scratch);
	free(f->scratch);
	memset(f, 0, sizeof(*f));
}
