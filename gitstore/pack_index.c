/*
 * pack_index.c - a pack's index, version 2
 *
 *   "\377tOc", version 2, 256 running counts by the id's first byte, the ids
 *   in order, a CRC32 each, an offset each (31 bits; or with the top bit set a
 *   position in the table that follows), offsets of 64 bits, the pack's SHA-1,
 *   the SHA-1 of all this.  Numbers are big-endian.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"

#define WRITE_BYTES ((size_t)64 << 10)
#define FAR         UINT64_C(0x80000000)

struct index_file {
	int fd;
	const char *path;
	struct hasher *hasher;
	struct buffer data;
};

static int flush(struct index_file *f, struct error *err)
{
	size_t at = 0;

	if (buffer_failed(&f->data))
		return error_nomem(err);
	hasher_add(f->hasher, f->data.data, f->data.size);
	while (at < f->data.size) {
		ssize_t n = write(f->fd, f->data.data + at, f->data.size - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, ERROR_FAILED,
					   "cannot write '%s'", f->path);
		at += (size_t)n;
	}
	buffer_clear(&f->data);
	return 0;
}

static int add(struct index_file *f, const void *data, size_t size,
	       struct error *err)
{
	buffer_add(&f->data, data, size);
	return f->data.size < WRITE_BYTES ? 0 : flush(f, err);
}

static int add32(struct index_file *f, uint64_t n, struct error *err)
{
	unsigned char b[4] = { (unsigned char)(n >> 24),
			       (unsigned char)(n >> 16),
			       (unsigned char)(n >> 8), (unsigned char)n };

	return add(f, b, sizeof(b), err);
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(((const struct pack_entry *)a)->id.bytes,
		      ((const struct pack_entry *)b)->id.bytes,
		      sizeof(struct object_id));
}

static int add_fanout(struct index_file *f, const struct pack_entry *entries,
		      size_t count, struct error *err)
{
	size_t at = 0;
	int byte;

	for (byte = 0; byte < 256; byte++) {
		while (at < count && entries[at].id.bytes[0] <= byte)
			at++;
		if (add32(f, at, err) < 0)
			return -1;
	}
	return 0;
}

static int add_offsets(struct index_file *f, const struct pack_entry *entries,
		       size_t count, struct error *err)
{
	uint64_t far = 0;
	size_t i;

	for (i = 0; i < count; i++)
		if (add32(f,
			  entries[i].offset < FAR ? entries[i].offset
						  : FAR | far++,
			  err) < 0)
			return -1;
	for (i = 0; i < count && far; i++)
		if (entries[i].offset >= FAR &&
		    (add32(f, entries[i].offset >> 32, err) < 0 ||
		     add32(f, entries[i].offset & UINT32_MAX, err) < 0))
			return -1;
	return 0;
}

static int add_all(struct index_file *f, const struct pack_entry *entries,
		   size_t count, const unsigned char *pack_hash,
		   struct error *err)
{
	size_t i;

	if (add(f, "\377tOc\0\0\0\2", 8, err) < 0 ||
	    add_fanout(f, entries, count, err) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (add(f, entries[i].id.bytes, sizeof(entries[i].id), err) < 0)
			return -1;
	for (i = 0; i < count; i++)
		if (add32(f, entries[i].crc32, err) < 0)
			return -1;
	if (add_offsets(f, entries, count, err) < 0)
		return -1;
	return add(f, pack_hash, HASH_SHA1_SIZE, err) < 0 ? -1 : flush(f, err);
}

int pack_index_write(const char *path, struct pack_entry *entries, size_t count,
		     const unsigned char *pack_hash, struct error *err)
{
	struct index_file f = { -1, path, NULL, BUFFER_INIT };
	unsigned char digest[HASH_SHA1_SIZE];
	int rc = -1;

	if (count > UINT32_MAX)
		return error_set(err, ERROR_FAILED, "too many objects");
	if (count)
		qsort(entries, count, sizeof(*entries), compare_ids);
	if (hasher_new(&f.hasher, HASH_SHA1, err) < 0)
		goto done;
	f.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (f.fd < 0) {
		error_errno(err, ERROR_FAILED, "cannot write '%s'", path);
		goto done;
	}
	if (add_all(&f, entries, count, pack_hash, err) < 0)
		goto done;
	hasher_final(f.hasher, digest);
	if (add(&f, digest, sizeof(digest), err) < 0 || flush(&f, err) < 0)
		goto done;
	if (fsync(f.fd) < 0) {
		error_errno(err, ERROR_FAILED, "cannot write '%s'", path);
		goto done;
	}
	rc = 0;
done:
	if (f.fd >= 0)
		close(f.fd);
	hasher_free(f.hasher);
	buffer_release(&f.data);
	return rc;
}
