/*
 * own_pack.h - the packs that we wrote: what is in them, and taking it along
 *
 * Git wants a delta and its base in one pack.  So a pack that holds deltas
 * takes their bases along from the pack where they lie, entry by entry, as
 * they are; and where most of an older pack would be taken along, it takes all
 * of it, so that the older one can go.
 *
 *   own_packs_load()  ->  own_find(), own_read()     any thread
 *                     ->  own_copy()                 one at a time
 *   packs_merge()                                    before the pack's end
 *   packs_tidy()                                     after the ref has moved
 */
#ifndef GITSTORE_OWN_PACK_H
#define GITSTORE_OWN_PACK_H

#include "gitstore/gitstore_internal.h"

/* As a pack numbers a delta that names its base by the id */
#define PACK_DELTA 7

/* A chain of more deltas than that is not ours, and not read. */
#define CHAIN_MAX 64

/* ---- own_pack.c ---- */

struct own_entry {
	struct object_id id;
	uint32_t crc32;  /* of the entry as it lies in the pack */
	uint32_t size;   /* of the same */
	uint64_t offset; /* of the same */
};

struct own_pack {
	char *stem; /* the path without "idx" or "pack" */
	int fd;
	uint64_t size;
	struct timespec mtime;
	int touched;               /* somebody may rely on it: it stays */
	struct own_entry *entries; /* by id */
	size_t count;
};

struct own_packs {
	struct own_pack *packs; /* newest first */
	size_t count;
};

/** Make a pack's name, which tells later that it is ours.
 *  @param pack_hash  its last 20 bytes */
int own_name(char hex[OBJECT_HEX_SIZE], const unsigned char *pack_hash,
	     struct hasher *hasher, struct error *err);

/** The nanoseconds that we set in a pack's time.  Git touches a pack that holds
 *  what it was to write; then they are others.  @param stem  with its path */
long own_time(const char *stem);

/**
 * Look which packs in `folder` are ours.  Those that cannot be read soundly
 * and those with a .keep file are left out.
 * @param hasher  for SHA-1; borrowed for the call
 * @return 0, or -1: out of memory
 */
int own_packs_load(struct own_packs *o, const char *folder,
		   struct hasher *hasher, struct error *err);
void own_packs_release(struct own_packs *o);

/** Is it as it was when it was loaded: nobody touched it, nor put a file
 *  beside it? */
int own_pack_unchanged(const struct own_pack *p);

const struct own_entry *own_pack_find(const struct own_pack *p,
				      const struct object_id *id);

/** Its entries in the order in which they lie; the caller frees the array.
 *  @return NULL: out of memory */
struct own_entry **own_in_order(const struct own_pack *p, struct error *err);

/** Where an object lies. @return 0, or -1: in none of them */
int own_find(const struct own_packs *o, const struct object_id *id,
	     const struct own_pack **p, const struct own_entry **e);

/** An entry's bytes, taken apart. */
struct own_view {
	unsigned int type;          /* enum pack_type or PACK_DELTA */
	uint64_t size;              /* of the content, or of the delta */
	struct object_id base;      /* of a delta */
	const unsigned char *bytes; /* the zlib stream; borrowed */
	size_t bytes_size;
};

/** @return 0, or -1: none that we write */
int own_view(struct own_view *v, const void *entry, size_t size);

/** Append an entry as it lies in the pack; its CRC32 is checked.
 *  @return 0, 1: it cannot be read soundly, -1: out of memory */
int own_entry_raw(const struct own_pack *p, const struct own_entry *e,
		  struct buffer *out, struct error *err);

/** The base of a delta.
 *  @return 0: `*base` is set, or NULL where the entry is whole; -1: neither */
int own_base(const struct own_pack *p, const struct own_entry *e,
	     const struct own_entry **base);

int own_is_commit(const struct own_pack *p, const struct own_entry *e);

/** Memory that one thread reads with. */
struct own_reader {
	struct inflater *inflater;
	struct buffer raw, delta, base, content;
};

void own_reader_release(struct own_reader *r);

/**
 * Read a blob that is whole or a delta into r->content.
 *
 * @param limit  bytes that are too many by one more
 * @param depth  receives how many deltas it is made with
 * @param step   called with each version that the chain goes through and the
 *               one made from it; NULL: nobody is
 * @return 0; 1: bigger, or damaged; -1: out of memory, or as `step` returned
 */
typedef int (*own_step)(void *payload, const struct own_entry *older,
			const struct buffer *older_content,
			const struct own_entry *newer,
			const struct buffer *newer_content, struct error *err);
int own_read(struct own_reader *r, const struct own_pack *p,
	     const struct own_entry *e, size_t limit, unsigned int *depth,
	     own_step step, void *payload, struct error *err);

/* ---- reach.c ---- */

/**
 * Add all objects that anything in the repository reaches.
 *
 * @param budget  objects that may be read for it
 * @return 0; 1: it cannot be told; -1: out of memory
 */
int reach_load(struct gitstore *g, struct id_set *reached, size_t budget,
	       struct error *err);

/* ---- merge.c ---- */

/** Append an entry to g->pack unless its object is there already, and its
 *  bases before it.
 *  @return 0; 1: it cannot be read soundly; -1 */
int own_copy(struct gitstore *g, const struct own_pack *p,
	     const struct own_entry *e, struct error *err);

/** Take the packs along that are not much bigger than the new one. */
int packs_merge(struct gitstore *g, struct error *err);

/** Take along the packs that hold nothing but commits: each list of snapshots
 *  comes in a pack of its own, and they shall not become hundreds. */
int packs_take_lists(struct gitstore *g, struct pack_writer *w,
		     struct error *err);

/** Remove packs of ours all of whose objects lie in another one of ours.  The
 *  lock is held.  What cannot be removed now is left to the next run. */
void packs_tidy(struct gitstore *g);

#endif /* GITSTORE_OWN_PACK_H */
