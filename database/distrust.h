/*
 * distrust.h - make a connection safe for a schema that others wrote
 *
 * Also for connections that are not opened by database_open(), so that there
 * is one opinion on what is unsafe.
 */
#ifndef DATABASE_DISTRUST_H
#define DATABASE_DISTRUST_H

struct sqlite3;

/**
 * No function that could do harm may run from the text of a schema: from then
 * on a schema that calls one counts as malformed.  Call it before the first
 * statement.
 *
 * JSON's functions stay allowed where the library marks them unsafe by mistake
 * (releases around 3.40): schemas are full of them.
 *
 * @return 0, or -1 when memory ran out
 */
int distrust_schema(struct sqlite3 *sql);

#endif /* DATABASE_DISTRUST_H */
