/*
 * follow.c - what was put, read while more is put
 *
 * The drill of an export needs not wait for its end: a table that lies in the
 * pack is restored from there while the next is scanned.
 */
#include <stdlib.h>

#include "base/error.h"
#include "base/file.h"
#include "gitstore/gitstore_internal.h"

/* Bytes that are worth a look, and which part of what was shown already: so
 * that all looks together copy about as much as the last one. */
#define LOOK_BYTES ((uint64_t)1 << 20)
#define LOOK_PART  16

struct follower {
	struct gitstore *g;
	struct pack_reader *reader;
	struct pack_cursor *cursor; /* or NULL until needed */
	uint64_t shown;             /* bytes of the pack */
};

int follower_new(struct follower **out, struct gitstore *g, struct error *err)
{
	struct follower *f = calloc(1, sizeof(*f));
	char *folder = path_join(g->objects, "pack");
	int rc = -1;

	*out = NULL;
	if (!f || !folder)
		error_nomem(err);
	else
		rc = pack_reader_new(&f->reader, folder, NULL, err);
	free(folder);
	if (rc < 0) {
		free(f);
		return -1;
	}
	f->g = g;
	*out = f;
	return 0;
}

int follower_look(struct follower *f, int all, struct error *err)
{
	struct pack_writer *w = f->g->pack;
	struct pack_entry *entries;
	uint64_t size = w ? pack_writer_size(w) : 0, end;
	size_t count;
	int fd;

	if (!w || (!all && size - f->shown < LOOK_BYTES + f->shown / LOOK_PART))
		return 0;
	if (pack_writer_share(w, &fd, &end, &entries, &count, err) < 0 ||
	    pack_reader_follow(f->reader, fd, end, entries, count, err) < 0)
		return -1;
	f->shown = end;
	return 1;
}

struct pack_cursor *follower_cursor(struct follower *f, struct error *err)
{
	if (!f->cursor)
		pack_cursor_new(&f->cursor, f->reader, err);
	return f->cursor;
}

int follower_cursor_new(struct follower *f, struct pack_cursor **out,
			struct error *err)
{
	return pack_cursor_new(out, f->reader, err);
}

void follower_free(struct follower *f)
{
	if (!f)
		return;
	pack_cursor_free(f->cursor);
	pack_reader_free(f->reader);
	free(f);
}
