/*
 * pack_files.c - which packs there are, and where in them an object lies
 *
 * The packs are listed once, and again when something is not found and their
 * folder changed.  Several threads may look at once, each with a cursor of its
 * own (pack_read.c): the list has a lock, a pack in it is opened when it is
 * first asked for and stays as it is from then on.
 *
 * Files are not mapped: a disk's read error or a file cut short would be a
 * signal then, and memory must stay flat.  Nothing in them is believed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"
#include "gitstore/pack_internal.h"

/* Two descriptors each; older packs are for libgit2. */
#define PACKS_MAX 64

/* As pack_index.c tells */
#define IDS_AT     (8 + 256 * 4)
#define HASH_BYTES ((uint64_t)HASH_SHA1_SIZE)

struct pack_reader {
	char *folder, *own;
	pthread_mutex_t lock;          /* for all below */
	unsigned int holders;          /* who opened it, and cursors */
	unsigned int number;           /* of the list */
	struct pack *open;             /* being written, or NULL */
	struct pack *packs[PACKS_MAX]; /* newest to oldest */
	size_t count;
	struct timespec listed; /* the folder's time before it was read */
};

/* ---- files ---- */

int pack_read_at(int fd, void *data, size_t size, uint64_t at)
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
	if (p->idx < 0 || pack_read_at(p->idx, head, sizeof(head), 0) < 0 ||
	    memcmp(head, "\377tOc\0\0\0\2", 8) != 0)
		return -1;
	for (i = 0; i < 256; i++) {
		p->fan[i] = pack_get32(head + 8 + i * 4);
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
	    pack_read_at(p->fd, head, sizeof(head), 0) < 0 ||
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

static void pack_open(struct pack *p)
{
	if (!p->opened) {
		p->opened = open_idx(p) < 0 || open_pack(p) < 0 ? -1 : 1;
		if (p->opened < 0)
			pack_close(p);
	}
}

/* ---- ids ---- */

/* @return 0 with the offset of an entry; -1: not in this pack */
static int offset_of(const struct pack *p, uint32_t nth, uint64_t *offset)
{
	uint64_t at = IDS_AT + p->fan[255] * UINT64_C(24) + nth * UINT64_C(4);
	unsigned char b[8];

	if (pack_read_at(p->idx, b, 4, at) < 0)
		return -1;
	*offset = pack_get32(b);
	if (*offset & 0x80000000) {
		*offset &= 0x7fffffff;
		at = IDS_AT + p->fan[255] * UINT64_C(28) + *offset * 8;
		if (*offset >= p->far_count ||
		    pack_read_at(p->idx, b, 8, at) < 0)
			return -1;
		*offset = (uint64_t)pack_get32(b) << 32 | pack_get32(b + 4);
	}
	return *offset >= 12 && *offset < p->end ? 0 : -1;
}

static int compare_entries(const void *a, const void *b)
{
	return memcmp(((const struct pack_entry *)a)->id.bytes,
		      ((const struct pack_entry *)b)->id.bytes,
		      sizeof(((const struct pack_entry *)a)->id.bytes));
}

static int find_entry(const struct pack *p, const struct object_id *id,
		      uint64_t *offset)
{
	const struct pack_entry key = { .id = *id }, *e;

	e = bsearch(&key, p->entries, p->entry_count, sizeof(*e),
		    compare_entries);
	if (e)
		*offset = e->offset;
	return e ? 0 : -1;
}

int pack_find(const struct pack *p, const struct object_id *id,
	      uint64_t *offset)
{
	unsigned int first = id->bytes[0];
	uint32_t low = first ? p->fan[first - 1] : 0, high = p->fan[first], at;
	struct object_id there;
	int diff;

	if (p->entries)
		return find_entry(p, id, offset);
	while (low < high) {
		at = low + (high - low) / 2;
		if (pack_read_at(p->idx, there.bytes, sizeof(there.bytes),
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

/* ---- which packs there are ---- */

/* The lock is held. */
static void let_go(struct pack *p)
{
	if (!p || --p->holders)
		return;
	pack_close(p);
	free(p->entries);
	free(p->stem);
	free(p);
}

static void forget_packs(struct pack_reader *r)
{
	while (r->count)
		let_go(r->packs[--r->count]);
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
	p->holders = 1;
	p->mtime = *mtime;
	p->stem = strndup(idx, strlen(idx) - strlen("idx"));
	if (!p->stem) {
		let_go(p);
		return error_nomem(err);
	}
	if (r->count == PACKS_MAX)
		let_go(r->packs[--r->count]);
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
	r->number++;
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

/* ---- the list ---- */

int pack_reader_new(struct pack_reader **out, const char *folder,
		    const char *own, struct error *err)
{
	struct pack_reader *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (!r)
		return error_nomem(err);
	pthread_mutex_init(&r->lock, NULL);
	r->holders = 1;
	r->folder = strdup(folder);
	r->own = own ? strdup(own) : NULL;
	if (!r->folder || (own && !r->own)) {
		error_nomem(err);
		goto failed;
	}
	if (list_packs(r, err) < 0)
		goto failed;
	*out = r;
	return 0;
failed:
	pack_reader_free(r);
	return -1;
}

void pack_reader_hold(struct pack_reader *r)
{
	pthread_mutex_lock(&r->lock);
	r->holders++;
	pthread_mutex_unlock(&r->lock);
}

void pack_reader_free(struct pack_reader *r)
{
	unsigned int holders;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	holders = --r->holders;
	pthread_mutex_unlock(&r->lock);
	if (holders)
		return;
	forget_packs(r);
	let_go(r->open);
	pthread_mutex_destroy(&r->lock);
	free(r->folder);
	free(r->own);
	free(r);
}

int pack_hold(struct pack_reader *r, size_t nth, struct pack **out)
{
	struct pack *p = NULL;
	int rc = 1;

	*out = NULL;
	pthread_mutex_lock(&r->lock);
	if (r->open && !nth)
		p = r->open;
	else if (nth - !!r->open < r->count)
		p = r->packs[nth - !!r->open];
	if (p) {
		rc = 0;
		pack_open(p);
		if (p->opened > 0) {
			*out = p;
			p->holders++;
		}
	}
	pthread_mutex_unlock(&r->lock);
	return rc;
}

int pack_reader_follow(struct pack_reader *r, int fd, uint64_t end,
		       struct pack_entry *entries, size_t count,
		       struct error *err)
{
	struct pack *p = calloc(1, sizeof(*p));

	if (!p) {
		free(entries);
		close(fd);
		return error_nomem(err);
	}
	p->idx = -1;
	p->fd = fd;
	p->end = end;
	p->holders = p->opened = 1;
	p->entries = entries;
	p->entry_count = count;
	qsort(entries, count, sizeof(*entries), compare_entries);
	pthread_mutex_lock(&r->lock);
	let_go(r->open);
	r->open = p;
	pthread_mutex_unlock(&r->lock);
	return 0;
}

void pack_let_go(struct pack_reader *r, struct pack *p)
{
	pthread_mutex_lock(&r->lock);
	let_go(p);
	pthread_mutex_unlock(&r->lock);
}

unsigned int pack_list_number(struct pack_reader *r)
{
	unsigned int number;

	pthread_mutex_lock(&r->lock);
	number = r->number;
	pthread_mutex_unlock(&r->lock);
	return number;
}

int pack_list_again(struct pack_reader *r, unsigned int number,
		    struct error *err)
{
	int rc = 1;

	pthread_mutex_lock(&r->lock);
	if (r->number == number)
		rc = !is_changed(r) ? 0 : list_packs(r, err) < 0 ? -1 : 1;
	pthread_mutex_unlock(&r->lock);
	return rc;
}
