/*
 * pack_write.c - a pack, written front to back
 *
 * "PACK", version 2, the number of objects, then each object: its type and
 * size, 7 bits a byte after the first 4, and a zlib stream; at the end the
 * SHA-1 of all that.  The number is known only at the end, so the header is
 * written again then and the file read once more for its hash.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"

#define BUFFER_BYTES ((size_t)256 << 10)
#define HEADER_BYTES 12

struct pack_writer {
	int fd;
	int failed;
	char *pack, *idx;
	struct deflater *deflater;
	struct pack_entry *entries;
	size_t count, capacity;
	uint64_t offset; /* of the next byte */
	uint32_t crc32;  /* of the entry being written */
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

static int flush(struct pack_writer *w, struct error *err)
{
	size_t used = w->used;

	w->used = 0;
	return write_at(w, w->buffer, used, w->offset - used, err);
}

static int add(void *payload, const void *data, size_t size, struct error *err)
{
	struct pack_writer *w = payload;
	const unsigned char *p = data;

	w->crc32 = (uint32_t)crc32_z(w->crc32, data, size);
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

int pack_writer_new(struct pack_writer **out, const char *folder,
		    struct error *err)
{
	struct pack_writer *w = calloc(1, sizeof(*w));
	unsigned char header[HEADER_BYTES];

	*out = NULL;
	if (!w)
		return error_nomem(err);
	w->fd = -1;
	w->pack = path_join(folder, "pack");
	w->idx = path_join(folder, "idx");
	if (!w->pack || !w->idx) {
		error_nomem(err);
		goto failed;
	}
	if (deflater_new(&w->deflater, err) < 0)
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
		    uint64_t offset, struct error *err)
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
	w->entries[w->count].crc32 = w->crc32;
	w->entries[w->count++].offset = offset;
	return 0;
}

/* 300 bytes of a blob: 0xbc 0x12, that is 1 011 1100, 0 0010010 */
static size_t entry_header(unsigned char out[10], enum pack_type type,
			   uint64_t size)
{
	unsigned int byte = (unsigned int)type << 4 | (size & 15);
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

int pack_writer_put(struct pack_writer *w, enum pack_type type,
		    const struct object_id *id, const void *data, size_t size,
		    struct error *err)
{
	uint64_t offset = w->offset;
	unsigned char header[10];

	if (w->failed)
		return error_set(err, ERROR_FAILED,
				 "cannot go on writing '%s' after a failure",
				 w->pack);
	w->failed = 1;
	w->crc32 = 0;
	if (add(w, header, entry_header(header, type, size), err) < 0 ||
	    deflater_run(w->deflater, data, size, add, w, err) < 0 ||
	    remember(w, id, offset, err) < 0)
		return -1;
	w->failed = 0;
	return 0;
}

static int hash_pack(struct pack_writer *w, struct error *err)
{
	struct hasher *h;
	uint64_t at = 0;
	int rc = -1;

	if (hasher_new(&h, HASH_SHA1, err) < 0)
		return -1;
	while (at < w->offset) {
		ssize_t n = pread(w->fd, w->buffer, BUFFER_BYTES, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (!n)
				errno = EIO;
			error_errno(err, ERROR_FAILED, "cannot read '%s'",
				    w->pack);
			goto done;
		}
		hasher_add(h, w->buffer, (size_t)n);
		at += (uint64_t)n;
	}
	hasher_final(h, w->hash);
	rc = 0;
done:
	hasher_free(h);
	return rc;
}

int pack_writer_close(struct pack_writer *w, struct error *err)
{
	unsigned char header[HEADER_BYTES];

	if (w->failed)
		return error_set(err, ERROR_FAILED,
				 "cannot finish '%s' after a failure", w->pack);
	w->failed = 1;
	make_header(header, w->count);
	if (flush(w, err) < 0 ||
	    write_at(w, header, sizeof(header), 0, err) < 0 ||
	    hash_pack(w, err) < 0 ||
	    write_at(w, w->hash, sizeof(w->hash), w->offset, err) < 0)
		return -1;
	if (fsync(w->fd) < 0)
		return error_errno(err, ERROR_FAILED, "cannot write '%s'",
				   w->pack);
	return pack_index_write(w->idx, w->entries, w->count, w->hash, err);
}

const struct pack_entry *pack_writer_entries(const struct pack_writer *w,
					     size_t *count)
{
	*count = w->count;
	return w->entries;
}

const unsigned char *pack_writer_hash(const struct pack_writer *w)
{
	return w->hash;
}

void pack_writer_free(struct pack_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	deflater_free(w->deflater);
	free(w->entries);
	free(w->pack);
	free(w->idx);
	free(w);
}
