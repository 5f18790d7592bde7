/*
 * another_db.h - a random database, most often one much like another
 */
#ifndef TESTS_PROPERTY_ANOTHER_DB_H
#define TESTS_PROPERTY_ANOTHER_DB_H

#include <stdint.h>

/** Make `to` (nothing may be there) from `seed`: a copy of the database `from`
 *  with up to five changes of its rows or schema, or a new one. */
void another_db(const char *from, const char *to, uint64_t seed);

#endif /* TESTS_PROPERTY_ANOTHER_DB_H */
