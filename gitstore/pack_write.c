/*
 * pack_write.c - a pack, written front to back
 *
 * "PACK", version 2, the number of objects, then each object: its type and
 * size, 7 bits a byte after the first 4, and a zlib stream; at the end the
 * SHA-1 of all that.  The number is known only at the end, so the header is
 * written again then and the file read once more for its hash.
 *
 * In between a pack can be made readable: it has an index then, but zeros for
 * its SHA-1.  What usually follows are a few commits, whose number is told, so
 * that the long part is hashed before anybody waits for us.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"

#define BUFFER_BYTES ((size_t)256 << 10)
#define HEADER_BYTES 12

/* After so many the disk is told to begin, so that little is left to wait for
 * when all has to be on it. */
#define BEGIN_BYTES ((uint64_t)8 << 20)

struct pack_writer {
	int fd;
	int failed;
	char *pack, *idx;
	struct deflater *deflater;
	struct pack_entry *entries;
	size_t count, capacity;
	uint64_t offset; /* of the next byte */
	uint64_t begun;  /* bytes that the disk was told to begin with */
	uint32_t crc32;  /* of the entry being written */
	struct hasher *hasher;
	size_t expected; /* objects, as the header that was hashed says */
	uint64_t hashed; /* bytes in the hasher */
	unsigned char hash[HASH_SHA1_SIZE];
	size_t used;
	unsigned char buffer[BUFFER_BYTES];
};

static int write_at(struct pack_writer *w, const unsigned char *data,
		    size_t size, uint64_t at, struct error *err)
{
	while (size) {
		ssize_t n = pwrite(w->fd, data, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, ERROR_FAILED,
					   "cannot write '%s'", w->pack);
		data += n;
		size -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

/* That it can't is no error: it is fsync() that counts. */
static void begin_sync(struct pack_writer *w)
{
	sync_file_range(w->fd, (off_t)w->begun, (off_t)(w->offset - w->begun),
			SYNC_FILE_RANGE_WRITE);
	w->begun = w->offset;
}

static int flush(struct pack_writer *w, struct error *err)
{
	size_t used = w->used;

	w->used = 0;
	if (write_at(w, w->buffer, used, w->offset - used, err) < 0)
		return -1;
	if (w->offset - w->begun >= BEGIN_BYTES)
		begin_sync(w);
	return 0;
}

static int add(struct pack_writer *w, const void *data, size_t size,
	       struct error *err)
{
	const unsigned char *p = data;

	while (size) {
		size_t n = BUFFER_BYTES - w->used;

		if (n > size)
			n = size;
		memcpy(w->buffer + w->used, p, n);
		w->used += n;
		w->offset += n;
		p += n;
		size -= n;
		if (w->used == BUFFER_BYTES && flush(w, err) < 0)
			return -1;
	}
	return 0;
}

static void make_header(unsigned char out[HEADER_BYTES], size_t count)
{
	memcpy(out, "PACK\0\0\0\2", 8);
	out[8] = (unsigned char)(count >> 24);
	out[9] = (unsigned char)(count >> 16);
	out[10] = (unsigned char)(count >> 8);
	out[11] = (unsigned char)count;
}

static char *file_name(const char *folder, const char *name, const char *end)
{
	struct buffer path = BUFFER_INIT;

	buffer_printf(&path, "%s/%s.%s", folder, name, end);
	return buffer_detach(&path);
}

int pack_writer_new(struct pack_writer **out, const char *folder,
		    const char *name, struct error *err)
{
	struct pack_writer *w = calloc(1, sizeof(*w));
	unsigned char header[HEADER_BYTES];

	*out = NULL;
	if (!w)
		return error_nomem(err);
	w->fd = -1;
	w->pack = file_name(folder, name, "pack");
	w->idx = file_name(folder, name, "idx");
	if (!w->pack || !w->idx) {
		error_nomem(err);
		goto failed;
	}
	if (deflater_new(&w->deflater, err) < 0 ||
	    hasher_new(&w->hasher, HASH_SHA1, err) < 0)
		goto failed;
	/* Its last mode from the start; the descriptor may write all the same
	 */
	w->fd = open(w->pack, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (w->fd < 0) {
		error_errno(err, ERROR_FAILED, "cannot write '%s'", w->pack);
		goto failed;
	}
	make_header(header, 0);
	if (add(w, header, sizeof(header), err) < 0)
		goto failed;
	*out = w;
	return 0;
failed:
	pack_writer_free(w);
	return -1;
}

static int remember(struct pack_writer *w, const struct object_id *id,
		    uint64_t offset, uint32_t crc32, struct error *err)
{
	struct pack_entry *entries;
	size_t capacity;

	if (w->count == w->capacity) {
		capacity = w->capacity ? w->capacity * 2 : 256;
		if (capacity > UINT32_MAX ||
		    capacity > SIZE_MAX / sizeof(*entries))
			return error_set(err, ERROR_FAILED,
					 "too many objects for one pack");
		entries = realloc(w->entries, capacity * sizeof(*entries));
		if (!entries)
			return error_nomem(err);
		w->entries = entries;
		w->capacity = capacity;
	}
	w->entries[w->count].id = *id;
	w->entries[w->count].crc32 = crc32;
	w->entries[w->count++].offset = offset;
	return 0;
}

size_t pack_entry_header(unsigned char out[PACK_HEADER_MAX], unsigned int type,
			 uint64_t size)
{
	/* 300 bytes of a blob: 0xbc 0x12, that is 1 011 1100, 0 0010010 */
	unsigned int byte = type << 4 | (size & 15);
	size_t n = 0;

	size >>= 4;
	while (size) {
		out[n++] = (unsigned char)(byte | 0x80);
		byte = size & 0x7f;
		size >>= 7;
	}
	out[n++] = (unsigned char)byte;
	return n;
}

static int begin_entry(struct pack_writer *w, struct error *err)
{
	if (w->failed)
		return error_set(err, ERROR_FAILED,
				 "cannot go on writing '%s' after a failure",
				 w->pack);
	w->failed = 1;
	return 0;
}

int pack_writer_entry(struct pack_writer *w, const struct object_id *id,
		      uint32_t crc32, const void *entry, size_t size,
		      struct error *err)
{
	uint64_t offset = w->offset;

	if (begin_entry(w, err) < 0 || add(w, entry, size, err) < 0 ||
	    remember(w, id, offset, crc32, err) < 0)
		return -1;
	w->failed = 0;
	return 0;
}

/* What is added counts for the entry's CRC32 */
static int add_counted(void *payload, const void *data, size_t size,
		       struct error *err)
{
	struct pack_writer *w = payload;

	w->crc32 = pack_crc32(w->crc32, data, size);
	return add(w, data, size, err);
}

int pack_writer_put(struct pack_writer *w, enum pack_type type,
		    const struct object_id *id, const void *data, size_t size,
		    struct error *err)
{
	uint64_t offset = w->offset;
	unsigned char header[PACK_HEADER_MAX];

	if (begin_entry(w, err) < 0)
		return -1;
	w->crc32 = 0;
	if (add_counted(w, header, pack_entry_header(header, type, size), err) <
		    0 ||
	    deflater_run(w->deflater, data, size, add_counted, w, err) < 0 ||
	    remember(w, id, offset, w->crc32, err) < 0)
		return -1;
	w->failed = 0;
	return 0;
}

/* Hash up to the end, as if the header said that there are `expected`. */
static int hash_on(struct pack_writer *w, size_t expected, struct error *err)
{
	unsigned char header[HEADER_BYTES];

	if (!w->hashed || w->expected != expected) {
		make_header(header, expected);
		hasher_reset(w->hasher);
		hasher_add(w->hasher, header, sizeof(header));
		w->hashed = sizeof(header);
		w->expected = expected;
	}
	while (w->hashed < w->offset) {
		size_t most = w->offset - w->hashed < BUFFER_BYTES
				      ? (size_t)(w->offset - w->hashed)
				      : BUFFER_BYTES;
		ssize_t n = pread(w->fd, w->buffer, most, (off_t)w->hashed);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n ? errno : EIO;
			return error_errno(err, ERROR_FAILED,
					   "cannot read '%s'", w->pack);
		}
		hasher_add(w->hasher, w->buffer, (size_t)n);
		w->hashed += (uint64_t)n;
	}
	return 0;
}

/* Header, the last 20 bytes and the index, all on the disk. */
static int complete(struct pack_writer *w, struct error *err)
{
	unsigned char header[HEADER_BYTES];

	make_header(header, w->count);
	if (write_at(w, header, sizeof(header), 0, err) < 0 ||
	    write_at(w, w->hash, sizeof(w->hash), w->offset, err) < 0)
		return -1;
	if (fsync(w->fd) < 0)
		return error_errno(err, ERROR_FAILED, "cannot write '%s'",
				   w->pack);
	unlink(w->idx);
	return pack_index_write(w->idx, w->entries, w->count, w->hash, err);
}

static int begin_end(struct pack_writer *w, struct error *err)
{
	if (w->failed)
		return error_set(err, ERROR_FAILED,
				 "cannot finish '%s' after a failure", w->pack);
	w->failed = 1;
	return flush(w, err);
}

int pack_writer_readable(struct pack_writer *w, size_t more, struct error *err)
{
	memset(w->hash, 0, sizeof(w->hash));
	if (begin_end(w, err) < 0 || hash_on(w, w->count + more, err) < 0 ||
	    complete(w, err) < 0)
		return -1;
	w->failed = 0;
	return 0;
}

int pack_writer_share(struct pack_writer *w, int *fd, uint64_t *end,
		      struct pack_entry **entries, size_t *count,
		      struct error *err)
{
	if (begin_end(w, err) < 0)
		return -1;
	w->failed = 0;
	*end = w->offset;
	*count = w->count;
	*entries = malloc((w->count + 1) * sizeof(**entries));
	if (!*entries)
		return error_nomem(err);
	memcpy(*entries, w->entries, w->count * sizeof(**entries));
	*fd = fcntl(w->fd, F_DUPFD_CLOEXEC, 0);
	if (*fd >= 0)
		return 0;
	free(*entries);
	return error_errno(err, ERROR_FAILED, "cannot read '%s'", w->pack);
}

int pack_writer_close(struct pack_writer *w, struct error *err)
{
	if (begin_end(w, err) < 0 || hash_on(w, w->count, err) < 0)
		return -1;
	hasher_final(w->hasher, w->hash);
	return complete(w, err);
}

const struct pack_entry *pack_writer_entries(const struct pack_writer *w,
					     size_t *count)
{
	*count = w->count;
	return w->entries;
}

uint64_t pack_writer_size(const struct pack_writer *w)
{
	return w->offset;
}

const unsigned char *pack_writer_hash(const struct pack_writer *w)
{
	return w->hash;
}

const char *pack_writer_pack(const struct pack_writer *w)
{
	return w->pack;
}

const char *pack_writer_idx(const struct pack_writer *w)
{
	return w->idx;
}

void pack_writer_free(struct pack_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	deflater_free(w->deflater);
	hasher_free(w->hasher);
	free(w->entries);
	free(w->pack);
	free(w->idx);
	free(w);
}
