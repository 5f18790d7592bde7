/*
 * memory_store.h - a snapshot in memory: a sink that keeps what it is given,
 * and a source that reads a tree of it
 */
#ifndef TESTS_SUPPORT_MEMORY_STORE_H
#define TESTS_SUPPORT_MEMORY_STORE_H

#include "snapshot/object.h"

struct memory_store;

struct memory_store *memory_store_new(void);
void memory_store_free(struct memory_store *m);
struct sink *memory_store_sink(struct memory_store *m);

/** From now on the sink takes batches.
 *  @param fails_at  the batch of that number is not stored; 0: all are */
void memory_store_batches(struct memory_store *m, size_t fails_at);

/** A source over the root tree `id`; free with source_free(). */
struct source *memory_store_source(struct memory_store *m,
				   const struct object_id *id);

#endif /* TESTS_SUPPORT_MEMORY_STORE_H */
