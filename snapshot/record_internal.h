/*
 * record_internal.h - what record.c and record_key.c share
 */
#ifndef SNAPSHOT_RECORD_INTERNAL_H
#define SNAPSHOT_RECORD_INTERNAL_H

#include "snapshot/record.h"

struct buffer;

/** Put the key of a record, whose pk and line are set, into `key`. */
void record_put_key(struct buffer *key, const struct record *record);

#endif /* SNAPSHOT_RECORD_INTERNAL_H */
