/*
 * gzip.c - a stream's bytes, compressed, by ISA-L where it is there, else by
 * zlib
 *
 * Fast rather than small: whoever waits for an export waits for this, too.
 */
#include <stdlib.h>

#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#include "serve/serve_internal.h"

#define OUT_BYTES ((size_t)64 << 10)

#ifdef HAVE_ISAL

struct gzip {
	struct isal_zstream stream;
	unsigned char level[ISAL_DEF_LVL1_DEFAULT];
	unsigned char out[OUT_BYTES];
};

int gzip_new(struct gzip **out, struct error *err)
{
	struct gzip *g = malloc(sizeof(*g));

	*out = g;
	if (!g)
		return error_nomem(err);
	isal_deflate_init(&g->stream);
	g->stream.level = 1;
	g->stream.level_buf = g->level;
	g->stream.level_buf_size = sizeof(g->level);
	g->stream.gzip_flag = IGZIP_GZIP;
	return 0;
}

void gzip_free(struct gzip *g)
{
	free(g);
}

static void feed(struct gzip *g, const void *data, size_t size, int last)
{
	/* the library's pointer is not const, its use of it is */
	g->stream.next_in = (uint8_t *)(uintptr_t)data;
	g->stream.avail_in = (uint32_t)size;
	g->stream.end_of_stream = last ? 1 : 0;
}

/* Fill g->out once. @return 1: there may be more to come; 0; -1 */
static int step(struct gzip *g, size_t *used)
{
	g->stream.next_out = g->out;
	g->stream.avail_out = OUT_BYTES;
	if (isal_deflate(&g->stream) != COMP_OK)
		return -1;
	*used = OUT_BYTES - g->stream.avail_out;
	return g->stream.internal_state.state != ZSTATE_END &&
	       (g->stream.avail_out == 0 || g->stream.avail_in > 0);
}

#else

struct gzip {
	z_stream stream;
	int flush;
	unsigned char out[OUT_BYTES];
};

int gzip_new(struct gzip **out, struct error *err)
{
	struct gzip *g = calloc(1, sizeof(*g));

	*out = NULL;
	/* 16 more than the window's bits: with gzip's header (zlib.h) */
	if (!g || deflateInit2(&g->stream, 1, Z_DEFLATED, 15 + 16, 8,
			       Z_DEFAULT_STRATEGY) != Z_OK) {
		free(g);
		return error_nomem(err);
	}
	*out = g;
	return 0;
}

void gzip_free(struct gzip *g)
{
	if (g)
		deflateEnd(&g->stream);
	free(g);
}

static void feed(struct gzip *g, const void *data, size_t size, int last)
{
	g->stream.next_in = (Bytef *)(uintptr_t)data;
	g->stream.avail_in = (uInt)size;
	g->flush = last ? Z_FINISH : Z_NO_FLUSH;
}

static int step(struct gzip *g, size_t *used)
{
	int rc;

	g->stream.next_out = g->out;
	g->stream.avail_out = (uInt)OUT_BYTES;
	rc = deflate(&g->stream, g->flush);
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return -1;
	*used = OUT_BYTES - g->stream.avail_out;
	return rc != Z_STREAM_END &&
	       (g->stream.avail_out == 0 || g->stream.avail_in > 0);
}

#endif

/* Both libraries count in 32 bits. */
#define PIECE ((size_t)1 << 30)

int gzip_add(struct gzip *g, const void *data, size_t size, int last,
	     int (*write)(void *payload, const void *data, size_t size,
			  struct error *err),
	     void *payload, struct error *err)
{
	const unsigned char *at = data;
	size_t piece, used;
	int more;

	do {
		piece = size < PIECE ? size : PIECE;
		feed(g, at, piece, last && piece == size);
		at += piece;
		size -= piece;
		do {
			more = step(g, &used);
			if (more < 0)
				return error_set(err, ERROR_FAILED,
						 "cannot compress");
			if (used && write(payload, g->out, used, err) < 0)
				return -1;
		} while (more);
	} while (size);
	return 0;
}
