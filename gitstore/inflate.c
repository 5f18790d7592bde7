/*
 * inflate.c - zlib streams back, by ISA-L where it is there, else by zlib
 */
#include <stdlib.h>

#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#include "base/error.h"
#include "gitstore/gitstore_internal.h"

/*
 * The room is always a byte more than a sound stream fills, so a stream that
 * used it all up is too long; and the library never waits for room before it
 * looks at the checksum.
 */

#ifdef HAVE_ISAL

struct inflater {
	struct inflate_state stream;
};

int inflater_new(struct inflater **out, struct error *err)
{
	*out = malloc(sizeof(**out));
	if (!*out)
		return error_nomem(err);
	isal_inflate_init(&(*out)->stream);
	return 0;
}

void inflater_free(struct inflater *f)
{
	free(f);
}

void inflater_begin(struct inflater *f, void *room, uint32_t size)
{
	isal_inflate_reset(&f->stream);
	f->stream.crc_flag = ISAL_ZLIB;
	f->stream.next_out = room;
	f->stream.avail_out = size;
}

int inflater_add(struct inflater *f, const void *data, uint32_t size)
{
	/* the library's pointer is not const, its use of it is */
	f->stream.next_in = (uint8_t *)(uintptr_t)data;
	f->stream.avail_in = size;
	if (isal_inflate(&f->stream) != ISAL_DECOMP_OK || !f->stream.avail_out)
		return -1;
	if (f->stream.block_state == ISAL_BLOCK_FINISH)
		return 1;
	return f->stream.avail_in ? -1 : 0;
}

#else

struct inflater {
	z_stream stream;
};

int inflater_new(struct inflater **out, struct error *err)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return error_nomem(err);
	if (inflateInit(&(*out)->stream) != Z_OK) {
		free(*out);
		*out = NULL;
		return error_nomem(err);
	}
	return 0;
}

void inflater_free(struct inflater *f)
{
	if (f)
		inflateEnd(&f->stream);
	free(f);
}

void inflater_begin(struct inflater *f, void *room, uint32_t size)
{
	inflateReset(&f->stream);
	f->stream.next_out = room;
	f->stream.avail_out = size;
}

int inflater_add(struct inflater *f, const void *data, uint32_t size)
{
	int rc;

	f->stream.next_in = (Bytef *)(uintptr_t)data;
	f->stream.avail_in = size;
	rc = inflate(&f->stream, Z_NO_FLUSH);
	if ((rc != Z_OK && rc != Z_STREAM_END) || !f->stream.avail_out)
		return -1;
	if (rc == Z_STREAM_END)
		return 1;
	return f->stream.avail_in ? -1 : 0;
}

#endif

uint32_t inflater_left(const struct inflater *f)
{
	return f->stream.avail_out;
}
