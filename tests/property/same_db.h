/*
 * same_db.h - do two databases hold the same, looked at without our own code
 */
#ifndef TESTS_PROPERTY_SAME_DB_H
#define TESTS_PROPERTY_SAME_DB_H

#include <stddef.h>

/** @return 1 when schema texts, settings and every value of every row (class
 *  and bytes, rowids too) are the same; else 0 with the first difference in
 *  `why` */
int same_db(const char *a, const char *b, char *why, size_t why_size);

/** @return 1 when SQLite itself calls the file malformed: some random changes
 * to the schema make it so, and then there is nothing to compare with */
int is_malformed(const char *path);

#endif /* TESTS_PROPERTY_SAME_DB_H */
