/*
 * sqlite_copy.h - a private copy of a database that can't be opened in place
 */
#ifndef DATABASE_SQLITE_COPY_H
#define DATABASE_SQLITE_COPY_H

struct error;

/**
 * Copy `real` with its -wal and -journal into a new scratch folder.  All must
 * be unchanged while they are copied; it is tried a few times.
 *
 * @param folder  receives the scratch folder; the caller removes and frees it,
 *                also after a failure
 * @param copied  receives the path of the copy; the caller frees it
 * @param name    what the user calls the database
 * @param parent  where the folder goes; NULL: TMPDIR
 */
int copy_aside(char **folder, char **copied, const char *name, const char *real,
	       const char *parent, struct error *err);

#endif /* DATABASE_SQLITE_COPY_H */
