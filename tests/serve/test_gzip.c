/* test_gzip.c - what is compressed comes back, however it was cut */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/buffer.h"
#include "base/error.h"
#include "serve/serve_internal.h"

static int keep(void *payload, const void *data, size_t size, struct error *err)
{
	(void)err;
	buffer_add(payload, data, size);
	return 0;
}

static void fill(struct buffer *b, size_t size, uint32_t noise)
{
	uint32_t x = 7;

	while (b->size < size) {
		x = x * 1664525 + 1013904223;
		buffer_byte(b, x % 100 < noise ? (char)(x >> 24) : 'a');
	}
}

static void compress_in_pieces(const struct buffer *from, size_t piece,
			       struct buffer *out)
{
	struct error err = ERROR_INIT;
	struct gzip *g = NULL;
	size_t at, n;

	assert_int_equal(gzip_new(&g, &err), 0);
	for (at = 0; at < from->size; at += n) {
		n = from->size - at < piece ? from->size - at : piece;
		assert_int_equal(
			gzip_add(g, from->data + at, n, 0, keep, out, &err), 0);
	}
	assert_int_equal(gzip_add(g, "", 0, 1, keep, out, &err), 0);
	gzip_free(g);
}

/* zlib is the oracle. */
static void comes_back(const struct buffer *from, const struct buffer *packed)
{
	static unsigned char out[1 << 20];
	z_stream z = { .next_in = (Bytef *)packed->data,
		       .avail_in = (uInt)packed->size,
		       .next_out = out,
		       .avail_out = sizeof(out) };

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.total_out, from->size);
	if (from->size)
		assert_memory_equal(out, from->data, from->size);
	inflateEnd(&z);
}

static void streams_come_back_however_they_were_cut(void **state)
{
	static const size_t sizes[] = { 0, 1, 65536, 700001 };
	static const size_t pieces[] = { 1000, 65536, 1 << 20 };
	struct buffer from = BUFFER_INIT, packed = BUFFER_INIT;
	(void)state;

	for (size_t i = 0; i < 4; i++) {
		for (uint32_t noise = 0; noise <= 100; noise += 50) {
			buffer_clear(&from);
			fill(&from, sizes[i], noise);
			for (size_t k = 0; k < 3; k++) {
				buffer_clear(&packed);
				compress_in_pieces(&from, pieces[k], &packed);
				comes_back(&from, &packed);
			}
		}
	}
	buffer_release(&from);
	buffer_release(&packed);
}

static int refuse(void *payload, const void *data, size_t size,
		  struct error *err)
{
	(void)payload;
	(void)data;
	(void)size;
	return error_set(err, ERROR_INTERRUPTED, "stopped");
}

static void error_of_the_taker_comes_through(void **state)
{
	struct error err = ERROR_INIT;
	struct gzip *g = NULL;
	(void)state;

	assert_int_equal(gzip_new(&g, &err), 0);
	assert_int_equal(gzip_add(g, "x", 1, 1, refuse, NULL, &err), -1);
	assert_int_equal(err.code, ERROR_INTERRUPTED);
	assert_string_equal(err.message, "stopped");
	gzip_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_come_back_however_they_were_cut),
		cmocka_unit_test(error_of_the_taker_comes_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
