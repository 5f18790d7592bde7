/*
 * name.h - the folder of a table, from its name alone
 *
 * Plain if it matches [A-Za-z0-9_][A-Za-z0-9_-]{0,99} and is no device name
 * of Windows (CON PRN AUX NUL COM0-9 LPT0-9, any case); else every byte
 * outside [A-Za-z0-9_-] as %XX (upper-case hex), a leading '-' as %2D, cut to
 * 80 bytes (never inside a %XX), then '~' and the first 16 hex digits of the
 * name's SHA-256.  No two tables of a database share a folder, on any file
 * system, and adding a table renames no other.
 */
#ifndef SNAPSHOT_NAME_H
#define SNAPSHOT_NAME_H

#include <stddef.h>

struct error;

#define NAME_FOLDER_SIZE 128

/** Write the folder's name, NUL-terminated. */
int name_folder(char out[NAME_FOLDER_SIZE], const char *name, size_t size,
		struct error *err);

/** @return 1 when `name` can be one path component of a snapshot: 1 to 255
 *  bytes of [A-Za-z0-9._~%-], no leading '.' or '-', else 0 */
int name_is_safe(const char *name);

#endif /* SNAPSHOT_NAME_H */
