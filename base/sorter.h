/*
 * sorter.h - lines sorted bytewise, or pairs of numbers, in bounded memory
 */
#ifndef BASE_SORTER_H
#define BASE_SORTER_H

#include <stddef.h>
#include <stdint.h>

struct error;

/** Bytes of lines that are sorted at once. */
#define SORTER_RUN_BYTES ((size_t)32 << 20)

struct sorter;

/** @param folder     where lines go that don't fit into memory, into a file
 *                    without a name; NULL: that of temporary files
 *  @param run_bytes  SORTER_RUN_BYTES, or less */
int sorter_new(struct sorter **out, const char *folder, size_t run_bytes,
	       struct error *err);

/** Add a line; it is copied. */
int sorter_add(struct sorter *s, const char *line, size_t size,
	       struct error *err);

/** Add a pair of numbers, to a sorter without lines: pairs are sorted by their
 *  first numbers.  The second ones must ascend as pairs are added; so they do
 *  where first ones are equal. */
int sorter_add_pair(struct sorter *s, uint64_t first, uint64_t second,
		    struct error *err);

/** No more come: get ready for sorter_next(), or sorter_next_pair(). */
int sorter_finish(struct sorter *s, struct error *err);

/** @return 1 with the next line, borrowed until the next call; 0 at the end;
 *  -1 */
int sorter_next(struct sorter *s, const char **line, size_t *size,
		struct error *err);

/** As sorter_next(), where pairs were added. */
int sorter_next_pair(struct sorter *s, uint64_t *first, uint64_t *second,
		     struct error *err);
void sorter_free(struct sorter *s);

#endif /* BASE_SORTER_H */
