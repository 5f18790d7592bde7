/*
 * file_internal.h - what file.c and scratch.c share
 */
#ifndef BASE_FILE_INTERNAL_H
#define BASE_FILE_INTERNAL_H

/* Files of file_write() that are not yet renamed begin with this. */
#define TEMPORARY_PREFIX ".dbstow-new"

#define SCRATCH_NAME_SIZE 256

/* Write PREFIX.BOOT-PID-RANDOM; -1 with errno when it does not fit. */
int scratch_name(char out[SCRATCH_NAME_SIZE], const char *prefix);

#endif /* BASE_FILE_INTERNAL_H */
