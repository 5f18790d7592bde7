/*
 * document.h - read a whole snapshot from one JSON document, as a stream
 *
 * "dbstow-export/1" is described in export/document.c, which writes it, and in
 * docs/format.md, section "Document".  The members come in that order; any
 * JSON white space between them is accepted.
 *
 *   document_open()                          head: catalog and facts of the run
 *   document_table() document_row() ...      for each table, in order
 *   document_end()                           counts and digests agree
 *
 * Until document_end() returned 0 nothing of it is known to be complete.
 */
#ifndef SNAPSHOT_DOCUMENT_H
#define SNAPSHOT_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot/json_stream.h"

struct catalog;
struct document;
struct error;
struct snapshot_info;
struct table;
struct value;

#define DOCUMENT_FORMAT "dbstow-export/1"

/**
 * Read what stands in front of the rows.
 *
 * @param input  borrowed until document_free()
 * @param label  "'x.json'": what messages begin with; copied
 * @return 0; -1: ERROR_DAMAGE with the line, ERROR_FAILED when it is no
 *         document of ours or a newer one
 */
int document_open(struct document **out, struct byte_input *input,
		  const char *label, struct error *err);

/** The tables and settings it holds; rows, bytes and sha256 of a table are not
 *  known.  Borrowed; the caller may change it. */
struct catalog *document_catalog(struct document *d);

/** What it says of the run that made it; totals are 0.  Borrowed. */
const struct snapshot_info *document_info(const struct document *d);

/** Begin the rows of a table of the catalog; each in turn. */
int document_table(struct document *d, const struct table *t,
		   struct error *err);

/**
 * The table's next row.
 *
 * @param values  receives the columns that are not generated; borrowed until
 *                the next call
 * @return 1 with a row, 0 after the last one, -1
 */
int document_row(struct document *d, int64_t *rowid, struct value *values,
		 struct error *err);

/** Behind the last table: nothing is missing, and nothing follows. */
int document_end(struct document *d, struct error *err);

/** NULL is allowed. */
void document_free(struct document *d);

#endif /* SNAPSHOT_DOCUMENT_H */
