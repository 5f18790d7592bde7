/*
 * pack_internal.h - the packs there are (pack_files.c), and their bytes
 *
 * A pack is shared by all threads that read: everything in it stays as it was
 * when it was opened, and it lives while somebody holds it.
 */
#ifndef GITSTORE_PACK_INTERNAL_H
#define GITSTORE_PACK_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct error;
struct object_id;
struct pack_entry;
struct pack_reader;

struct pack {
	char *stem; /* the path without "idx" or "pack" */
	struct timespec mtime;
	unsigned int holders; /* the list and cursors; under the list's lock */
	int opened;           /* -1: it is of no use; under the list's lock */
	int idx, fd;          /* -1: not open */
	struct pack_entry *entries; /* sorted by id, instead of an index: the
				       pack is still being written */
	size_t entry_count;
	uint32_t fan[256];  /* how many ids up to a first byte */
	uint64_t far_count; /* offsets in the table of 64 bits */
	uint64_t end;       /* of the entries */
};

/** Read exactly `size` bytes of a file. @return 0 or -1 */
int pack_read_at(int fd, void *data, size_t size, uint64_t at);

static inline uint32_t pack_get32(const unsigned char *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	       (uint32_t)b[2] << 8 | b[3];
}

/** @return 0 with the offset of an entry; -1: not in this pack */
int pack_find(const struct pack *p, const struct object_id *id,
	      uint64_t *offset);

/** The list stays while it is held, as a pack does. */
void pack_reader_hold(struct pack_reader *r);

/** Hold the nth pack, newest first.
 *  @return 0, `*out` is NULL where it is of no use; 1: there are no more */
int pack_hold(struct pack_reader *r, size_t nth, struct pack **out);

/** NULL is allowed. */
void pack_let_go(struct pack_reader *r, struct pack *p);

/** Counts how often the list was made. */
unsigned int pack_list_number(struct pack_reader *r);

/** Somebody exported or repacked, maybe: look again.
 *  @param number  of the list that something is not in
 *  @return 1: there is another list now; 0; -1: out of memory */
int pack_list_again(struct pack_reader *r, unsigned int number,
		    struct error *err);

#endif /* GITSTORE_PACK_INTERNAL_H */
