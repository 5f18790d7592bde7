/*
 * pack_read.c - objects out of packs, wherever that is simple
 *
 * libgit2 reads everything, but at 40 to 60 MB/s.  Nearly all that a source
 * reads lies whole in a pack with an index of version 2, and that is all there
 * is here: no deltas, no loose objects, no alternates.  What this file cannot
 * read soundly, for whatever reason, is left to libgit2, which also finds the
 * words for it; so nothing here is an error but a lack of memory.
 *
 * Files are not mapped: a disk's read error or a file cut short would be a
 * signal then, and memory must stay flat.  Nothing in them is believed; an
 * object is handed out when its SHA-1 is the id that was asked for.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"

/* Two descriptors each; older packs are for libgit2. */
#define PACKS_MAX 64

/* A snapshot's objects mostly lie in the order in which they are read. */
#define WINDOW_BYTES ((size_t)128 << 10)

/* As pack_index.c tells */
#define IDS_AT     (8 + 256 * 4)
#define HASH_BYTES ((uint64_t)HASH_SHA1_SIZE)

struct pack {
	char *stem; /* the path without "idx" or "pack" */
	struct timespec mtime;
	int opened;         /* -1: it is of no use */
	int idx, fd;        /* -1: not open */
	uint32_t fan[256];  /* how many ids up to a first byte */
	uint64_t far_count; /* offsets in the table of 64 bits */
	uint64_t end;       /* of the entries */
};

struct pack_reader {
	char *folder, *own;
	struct hasher *hasher;
	struct inflater *inflater;
	struct pack *packs[PACKS_MAX]; /* the one that served last, then newest
					  to oldest */
	size_t count;
	struct timespec listed; /* the folder's time before it was read */
	/* Bytes of a pack, as they were read last */
	const struct pack *window_of;
	uint64_t window_at;
	size_t window_size;
	unsigned char window[WINDOW_BYTES];
};

/* ---- files ---- */

static int read_at(int fd, void *data, size_t size, uint64_t at)
{
	unsigned char *p = data;

	while (size) {
		ssize_t n = pread(fd, p, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

static uint32_t get32(const unsigned char *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	       (uint32_t)b[2] << 8 | b[3];
}

/* @return a descriptor of a regular file, or -1 */
static int open_file(const struct pack *p, const char *end, uint64_t *size)
{
	struct buffer path = BUFFER_INIT;
	struct stat st;
	int fd = -1;

	buffer_printf(&path, "%s%s", p->stem, end);
	if (buffer_cstr(&path))
		fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	buffer_release(&path);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -1;
	}
	*size = fd >= 0 ? (uint64_t)st.st_size : 0;
	return fd;
}

static int open_idx(struct pack *p)
{
	unsigned char head[IDS_AT];
	uint64_t size, least;
	size_t i;

	p->idx = open_file(p, "idx", &size);
	if (p->idx < 0 || read_at(p->idx, head, sizeof(head), 0) < 0 ||
	    memcmp(head, "\377tOc\0\0\0\2", 8) != 0)
		return -1;
	for (i = 0; i < 256; i++) {
		p->fan[i] = get32(head + 8 + i * 4);
		if (i && p->fan[i] < p->fan[i - 1])
			return -1;
	}
	least = IDS_AT + p->fan[255] * UINT64_C(28) + 2 * HASH_BYTES;
	if (size < least || (size - least) % 8)
		return -1;
	p->far_count = (size - least) / 8;
	return 0;
}

static int open_pack(struct pack *p)
{
	unsigned char head[12];
	uint64_t size;

	p->fd = open_file(p, "pack", &size);
	if (p->fd < 0 || size < sizeof(head) + HASH_BYTES ||
	    read_at(p->fd, head, sizeof(head), 0) < 0 ||
	    memcmp(head, "PACK\0\0\0\2", 8) != 0)
		return -1;
	p->end = size - HASH_BYTES;
	return 0;
}

static void pack_close(struct pack *p)
{
	if (p->idx >= 0)
		close(p->idx);
	if (p->fd >= 0)
		close(p->fd);
	p->idx = p->fd = -1;
}

static int pack_ready(struct pack *p)
{
	if (!p->opened) {
		p->opened = open_idx(p) < 0 || open_pack(p) < 0 ? -1 : 1;
		if (p->opened < 0)
			pack_close(p);
	}
	return p->opened > 0;
}

/* ---- which packs there are ---- */

static void pack_free(struct pack *p)
{
	pack_close(p);
	free(p->stem);
	free(p);
}

static void forget_packs(struct pack_reader *r)
{
	while (r->count)
		pack_free(r->packs[--r->count]);
	r->window_of = NULL;
}

static int is_newer(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec
				      : a->tv_nsec > b->tv_nsec;
}

/* Put a pack in its place by time; the oldest has to go when it is full. */
static int add_pack(struct pack_reader *r, const char *idx,
		    const struct timespec *mtime, struct error *err)
{
	size_t at = r->count;
	struct pack *p;

	while (at && is_newer(mtime, &r->packs[at - 1]->mtime))
		at--;
	if (at == PACKS_MAX)
		return 0;
	p = calloc(1, sizeof(*p));
	if (!p)
		return error_nomem(err);
	p->idx = p->fd = -1;
	p->mtime = *mtime;
	p->stem = strndup(idx, strlen(idx) - strlen("idx"));
	if (!p->stem) {
		pack_free(p);
		return error_nomem(err);
	}
	if (r->count == PACKS_MAX)
		pack_free(r->packs[--r->count]);
	memmove(r->packs + at + 1, r->packs + at,
		(r->count++ - at) * sizeof(p));
	r->packs[at] = p;
	return 0;
}

static int add_listed(struct pack_reader *r, int folder, const char *name,
		      struct error *err)
{
	size_t size = strlen(name);
	struct buffer path = BUFFER_INIT;
	struct stat st;
	int rc;

	if (size < 5 || strcmp(name + size - 4, ".idx") != 0 ||
	    fstatat(folder, name, &st, 0) < 0)
		return 0;
	buffer_printf(&path, "%s/%s", r->folder, name);
	rc = buffer_cstr(&path) ? add_pack(r, path.data, &st.st_mtim, err)
				: error_nomem(err);
	buffer_release(&path);
	return rc;
}

static struct timespec folder_time(const struct pack_reader *r)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	if (stat(r->folder, &st) < 0)
		st.st_mtim.tv_sec = 0;
	return st.st_mtim;
}

static int list_packs(struct pack_reader *r, struct error *err)
{
	struct timespec now = { INT32_MAX, 0 }; /* ours is the newest */
	struct dirent *e;
	int rc = 0;
	DIR *d;

	forget_packs(r);
	r->listed = folder_time(r);
	d = opendir(r->folder);
	while (d && !rc && (e = readdir(d)))
		rc = add_listed(r, dirfd(d), e->d_name, err);
	if (d)
		closedir(d);
	return !rc && r->own ? add_pack(r, r->own, &now, err) : rc;
}

static int is_changed(const struct pack_reader *r)
{
	struct timespec now = folder_time(r);

	return now.tv_sec != r->listed.tv_sec ||
	       now.tv_nsec != r->listed.tv_nsec;
}

/* ---- one object ---- */

/* @return 0 with the offset of an entry; -1: not in this pack */
static int offset_of(const struct pack *p, uint32_t nth, uint64_t *offset)
{
	uint64_t at = IDS_AT + p->fan[255] * UINT64_C(24) + nth * UINT64_C(4);
	unsigned char b[8];

	if (read_at(p->idx, b, 4, at) < 0)
		return -1;
	*offset = get32(b);
	if (*offset & 0x80000000) {
		*offset &= 0x7fffffff;
		at = IDS_AT + p->fan[255] * UINT64_C(28) + *offset * 8;
		if (*offset >= p->far_count || read_at(p->idx, b, 8, at) < 0)
			return -1;
		*offset = (uint64_t)get32(b) << 32 | get32(b + 4);
	}
	return *offset >= 12 && *offset < p->end ? 0 : -1;
}

static int find(const struct pack *p, const struct object_id *id,
		uint64_t *offset)
{
	unsigned int first = id->bytes[0];
	uint32_t low = first ? p->fan[first - 1] : 0, high = p->fan[first], at;
	struct object_id there;
	int diff;

	while (low < high) {
		at = low + (high - low) / 2;
		if (read_at(p->idx, there.bytes, sizeof(there.bytes),
			    IDS_AT + at * UINT64_C(20)) < 0)
			return -1;
		diff = memcmp(id->bytes, there.bytes, sizeof(there.bytes));
		if (!diff)
			return offset_of(p, at, offset);
		if (diff < 0)
			high = at;
		else
			low = at + 1;
	}
	return -1;
}

/* The bytes of a pack from `at` on, as many as are at hand; borrowed.
 * @return NULL: there are none */
static const unsigned char *
bytes_at(struct pack_reader *r, const struct pack *p, uint64_t at, size_t *size)
{
	if (at >= p->end)
		return NULL;
	if (r->window_of != p || at < r->window_at ||
	    at - r->window_at >= r->window_size) {
		r->window_of = NULL;
		r->window_at = at;
		r->window_size = p->end - at < WINDOW_BYTES
					 ? (size_t)(p->end - at)
					 : WINDOW_BYTES;
		if (read_at(p->fd, r->window, r->window_size, at) < 0)
			return NULL;
		r->window_of = p;
	}
	*size = r->window_size - (size_t)(at - r->window_at);
	return r->window + (at - r->window_at);
}

/* Step over an entry's header (see pack_write.c) that must announce `type`.
 * @return 0, or -1: another type, a delta, no header */
static int entry_begin(struct pack_reader *r, const struct pack *p,
		       uint64_t *at, enum pack_type type, uint64_t *size)
{
	const unsigned char *b;
	unsigned int shift;
	size_t n;

	b = bytes_at(r, p, (*at)++, &n);
	if (!b || (*b >> 4 & 7) != (int)type)
		return -1;
	*size = *b & 15;
	for (shift = 4; *b & 0x80; shift += 7) {
		b = bytes_at(r, p, (*at)++, &n);
		if (!b || shift > 53)
			return -1;
		*size |= (uint64_t)(*b & 0x7f) << shift;
	}
	return 0;
}

/* `room` has size + 1 bytes. */
static int entry_inflate(struct pack_reader *r, const struct pack *p,
			 uint64_t at, void *room, uint32_t size)
{
	const unsigned char *b;
	int ended = 0;
	size_t n;

	inflater_begin(r->inflater, room, size + 1);
	while (!ended) {
		b = bytes_at(r, p, at, &n);
		if (!b)
			return -1;
		ended = inflater_add(r->inflater, b, (uint32_t)n);
		at += n;
	}
	return ended > 0 && inflater_left(r->inflater) == 1 ? 0 : -1;
}

/* @return 0, 1: not in this pack, or not soundly; -1 */
static int read_from(struct pack_reader *r, struct pack *p,
		     const struct object_id *id, enum pack_type type,
		     size_t limit, struct buffer *out, struct error *err)
{
	struct object_id is;
	uint64_t at, size;
	char *room;

	if (!pack_ready(p) || find(p, id, &at) < 0 ||
	    entry_begin(r, p, &at, type, &size) < 0 || size > limit ||
	    size >= UINT32_MAX)
		return 1;
	if (buffer_reserve(out, (size_t)size + 1) < 0)
		return error_nomem(err);
	room = out->data + out->size;
	if (entry_inflate(r, p, at, room, (uint32_t)size) < 0)
		return 1;
	object_hash(r->hasher, type == PACK_TREE ? "tree" : "blob", room,
		    (size_t)size, &is);
	if (!object_same(&is, id))
		return 1;
	out->size += (size_t)size;
	return 0;
}

/* A pack that cannot serve may have a neighbour that can. */
static int read_any(struct pack_reader *r, const struct object_id *id,
		    enum pack_type type, size_t limit, struct buffer *out,
		    struct error *err)
{
	struct pack *p;
	size_t i;
	int rc;

	for (i = 0; i < r->count; i++) {
		p = r->packs[i];
		rc = read_from(r, p, id, type, limit, out, err);
		if (rc > 0)
			continue;
		memmove(r->packs + 1, r->packs, i * sizeof(p));
		r->packs[0] = p;
		return rc;
	}
	return 1;
}

/* ---- the reader ---- */

int pack_reader_new(struct pack_reader **out, const char *folder,
		    const char *own, struct hasher *hasher, struct error *err)
{
	struct pack_reader *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (!r)
		return error_nomem(err);
	r->hasher = hasher;
	r->folder = strdup(folder);
	r->own = own ? strdup(own) : NULL;
	if (!r->folder || (own && !r->own)) {
		error_nomem(err);
		goto failed;
	}
	if (inflater_new(&r->inflater, err) < 0 || list_packs(r, err) < 0)
		goto failed;
	*out = r;
	return 0;
failed:
	pack_reader_free(r);
	return -1;
}

int pack_reader_read(struct pack_reader *r, const struct object_id *id,
		     enum pack_type type, size_t limit, struct buffer *out,
		     struct error *err)
{
	int rc = read_any(r, id, type, limit, out, err);

	/* somebody exported or repacked */
	if (rc > 0 && is_changed(r)) {
		if (list_packs(r, err) < 0)
			return -1;
		rc = read_any(r, id, type, limit, out, err);
	}
	return rc;
}

void pack_reader_free(struct pack_reader *r)
{
	if (!r)
		return;
	forget_packs(r);
	inflater_free(r->inflater);
	free(r->folder);
	free(r->own);
	free(r);
}
