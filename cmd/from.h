/*
 * from.h - what --from names: a folder with a snapshot's files, or a document
 */
#ifndef CMD_FROM_H
#define CMD_FROM_H

#include "snapshot/json_stream.h"
#include "snapshot/object.h"

struct cmd;
struct error;
struct gitstore;

/** A document in a file or on standard input. */
struct document_file {
	struct byte_input input; /* first: its reader hands it back */
	int fd;
	char label[160]; /* "'x.json'": what messages begin with */
};

/** @param path  "-": standard input */
int document_file_open(struct document_file *f, const char *path,
		       struct error *err);
void document_file_close(struct document_file *f);

struct from {
	struct source *source;
	char label[160]; /* "folder 'x'", "document 'x.json'" */
	int is_folder;   /* its files were not checked yet */
	/* the scratch repository that a document was read into */
	char *scratch;
	struct gitstore *store;
};

/**
 * Open it.  A document is read to its end, so that only a whole one counts.
 *
 * @param path     "-": a document from standard input
 * @param scratch  where a document's files go; NULL: TMPDIR
 */
int from_open(struct from *f, const struct cmd *c, const char *path,
	      const char *scratch, struct error *err);

/** A zeroed one is allowed. */
void from_release(struct from *f);

#endif /* CMD_FROM_H */
