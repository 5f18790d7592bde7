/*
 * output.h - where a document goes
 */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include <stddef.h>

struct catalog;
struct database;
struct error;
struct snapshot_info;

/** What is written; all borrowed. */
struct output {
	/* Makes the document; NULL: it is `db`'s.  Its bytes become a file's
	 * only when it returned 0. */
	int (*make)(struct output *o,
		    int (*write)(void *payload, const void *data, size_t size,
				 struct error *err),
		    void *payload, struct error *err);
	struct database *db; /* after database_begin() */
	struct catalog *catalog;
	const struct snapshot_info *info;
};

/**
 * A mistyped name must not cost a database: documents replace documents.
 *
 * @param db  the database that is read; NULL: none
 * @return 0, or -1 with ERROR_REFUSED when `output` is that database, a file
 *         that belongs to it, or another SQLite database
 */
int output_check(const char *output, const char *db, struct error *err);

/** Write the document to `path` ("-": standard output).  A regular file is the
 *  old or the new one at any instant, mode 0600 when new. */
int output_write(struct output *o, const char *path, struct error *err);

#endif /* CMD_OUTPUT_H */
