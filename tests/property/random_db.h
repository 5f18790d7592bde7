/*
 * random_db.h - a random database from a seed
 */
#ifndef TESTS_PROPERTY_RANDOM_DB_H
#define TESTS_PROPERTY_RANDOM_DB_H

#include <stdint.h>

/** Make `path` (nothing may be there) from `seed`: random encoding, layout,
 *  tables of every kind, rows of every storage class, foreign keys, indexes,
 *  views and triggers. */
void random_db(const char *path, uint64_t seed);

#endif /* TESTS_PROPERTY_RANDOM_DB_H */
