/*
 * deflate.c - zlib streams and CRCs
 *
 * Three libraries, each where it is best.  With AVX-512 ISA-L is more than
 * twice as fast as without; where a processor has none, or ISA-L is not built
 * for it, what is not too big goes through libdeflate: a sixth faster than
 * ISA-L then, and a bit smaller.  zlib does what is left.
 */
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif
#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif

#include "base/error.h"
#include "gitstore/gitstore_internal.h"

#define OUT_BYTES ((size_t)64 << 10)
#define INPUT_MAX ((size_t)1 << 30) /* per call; both count in 32 bits */

#ifdef HAVE_ISAL

uint32_t pack_crc32(uint32_t crc, const void *data, size_t size)
{
	return crc32_gzip_refl(crc, data, size);
}

struct stream {
	struct isal_zstream stream;
	unsigned char level[ISAL_DEF_LVL3_DEFAULT];
	unsigned char out[OUT_BYTES];
};

/* ISA-L's level 3 takes 0.4 of the time with it. */
static int isal_has_avx512(void)
{
#ifdef __x86_64__
	return __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512cd") &&
	       __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl");
#else
	return 0;
#endif
}

static int stream_open(struct stream *d)
{
	(void)d;
	return 0;
}

static void stream_close(struct stream *d)
{
	(void)d;
}

static void begin(struct stream *d, int in_haste)
{
	isal_deflate_init(&d->stream);
	d->stream.level = in_haste ? 2 : 3;
	d->stream.level_buf = d->level;
	d->stream.level_buf_size = sizeof(d->level);
	d->stream.gzip_flag = IGZIP_ZLIB;
}

/* Fill d->out once. @return 1 when the stream is complete, 0, or -1 */
static int step(struct stream *d, size_t *used)
{
	d->stream.next_out = d->out;
	d->stream.avail_out = OUT_BYTES;
	if (isal_deflate(&d->stream) != COMP_OK)
		return -1;
	*used = OUT_BYTES - d->stream.avail_out;
	return d->stream.internal_state.state == ZSTATE_END;
}

static void feed(struct stream *d, const unsigned char *data, size_t size,
		 int last)
{
	/* the library's pointer is not const, its use of it is */
	d->stream.next_in = (uint8_t *)(uintptr_t)data;
	d->stream.avail_in = (uint32_t)size;
	d->stream.end_of_stream = last ? 1 : 0;
}

static int hungry(const struct stream *d)
{
	return d->stream.avail_in == 0;
}

#else

uint32_t pack_crc32(uint32_t crc, const void *data, size_t size)
{
	return (uint32_t)crc32_z(crc, data, size);
}

struct stream {
	z_stream stream;
	int flush;
	unsigned char out[OUT_BYTES];
};

static int stream_open(struct stream *d)
{
	return deflateInit(&d->stream, 1) == Z_OK ? 0 : -1;
}

static void stream_close(struct stream *d)
{
	deflateEnd(&d->stream);
}

static void begin(struct stream *d, int in_haste)
{
	(void)in_haste; /* it is at its fastest */
	deflateReset(&d->stream);
}

static int step(struct stream *d, size_t *used)
{
	int rc;

	d->stream.next_out = d->out;
	d->stream.avail_out = (uInt)OUT_BYTES;
	rc = deflate(&d->stream, d->flush);
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return -1;
	*used = OUT_BYTES - d->stream.avail_out;
	return rc == Z_STREAM_END;
}

static void feed(struct stream *d, const unsigned char *data, size_t size,
		 int last)
{
	d->stream.next_in = (Bytef *)(uintptr_t)data;
	d->stream.avail_in = (uInt)size;
	d->flush = last ? Z_FINISH : Z_NO_FLUSH;
}

static int hungry(const struct stream *d)
{
	return d->stream.avail_in == 0;
}

#endif

/* ---- all at once ---- */

#ifdef HAVE_LIBDEFLATE

/* Chunks are rarely bigger, and the room for what comes out is as big. */
#define WHOLE_MAX   ((size_t)640 << 10)
#define WHOLE_LEVEL 1

struct whole {
	struct libdeflate_compressor *compressor; /* or NULL: not in use */
	unsigned char *out;
	size_t room;
};

static int whole_open(struct whole *w)
{
#ifdef HAVE_ISAL
	if (isal_has_avx512())
		return 0;
#endif
	w->compressor = libdeflate_alloc_compressor(WHOLE_LEVEL);
	if (!w->compressor)
		return -1;
	w->room = libdeflate_zlib_compress_bound(w->compressor, WHOLE_MAX);
	w->out = malloc(w->room);
	return w->out ? 0 : -1;
}

static void whole_close(struct whole *w)
{
	if (w->compressor)
		libdeflate_free_compressor(w->compressor);
	free(w->out);
}

/* @return the size of what is in w->out; 0: that is not for here */
static size_t whole_run(struct whole *w, const void *data, size_t size)
{
	if (!w->compressor || size > WHOLE_MAX)
		return 0;
	return libdeflate_zlib_compress(w->compressor, data, size, w->out,
					w->room);
}

#else

struct whole {
	unsigned char *out;
};

static int whole_open(struct whole *w)
{
	(void)w;
	return 0;
}

static void whole_close(struct whole *w)
{
	(void)w;
}

static size_t whole_run(struct whole *w, const void *data, size_t size)
{
	(void)w;
	(void)data;
	(void)size;
	return 0;
}

#endif

struct deflater {
	struct whole whole;
	struct stream stream;
	int streams;   /* `stream` is open */
	uint64_t done; /* bytes that were compressed */
};

/*
 * Who compresses more than this waits for it.  Without AVX-512 ISA-L's level 2
 * takes a quarter of the time of what is otherwise used, where both processors
 * do it, and makes 2 % more.
 */
#define HASTE_BYTES ((uint64_t)24 << 20)

static int in_haste(const struct deflater *d)
{
#ifdef HAVE_ISAL
	return d->done > HASTE_BYTES && !isal_has_avx512();
#else
	(void)d;
	return 0;
#endif
}

int deflater_new(struct deflater **out, struct error *err)
{
	struct deflater *d = calloc(1, sizeof(*d));

	*out = d;
	if (d)
		d->streams = !stream_open(&d->stream);
	if (d && d->streams && whole_open(&d->whole) == 0)
		return 0;
	deflater_free(d);
	*out = NULL;
	return error_nomem(err);
}

void deflater_free(struct deflater *d)
{
	if (!d)
		return;
	whole_close(&d->whole);
	if (d->streams)
		stream_close(&d->stream);
	free(d);
}

static int run_stream(struct stream *d, int in_haste, const void *data,
		      size_t size,
		      int (*write)(void *payload, const void *data, size_t size,
				   struct error *err),
		      void *payload, struct error *err)
{
	const unsigned char *p = data;
	size_t piece, used;
	int ended = 0;

	begin(d, in_haste);
	piece = size < INPUT_MAX ? size : INPUT_MAX;
	feed(d, p, piece, piece == size);
	while (!ended) {
		if (hungry(d) && piece < size) {
			p += piece;
			size -= piece;
			piece = size < INPUT_MAX ? size : INPUT_MAX;
			feed(d, p, piece, piece == size);
		}
		ended = step(d, &used);
		if (ended < 0)
			return error_set(err, ERROR_FAILED, "cannot compress");
		if (used && write(payload, d->out, used, err) < 0)
			return -1;
	}
	return 0;
}

int deflater_run(struct deflater *d, const void *data, size_t size,
		 int (*write)(void *payload, const void *data, size_t size,
			      struct error *err),
		 void *payload, struct error *err)
{
	int haste = in_haste(d);
	size_t used = haste ? 0 : whole_run(&d->whole, data, size);

	d->done += size;
	return used ? write(payload, d->whole.out, used, err)
		    : run_stream(&d->stream, haste, data, size, write, payload,
				 err);
}
