/*
 * own_pack.c - the packs that we wrote, as tables of their entries
 *
 * A pack of ours is told by its name: 16 digits of salt, and 24 that are a hash
 * over the salt and the pack's own hash.  No other program names one so, and
 * there is no list that could get lost or be wrong after a crash.
 *
 * Objects in them are whole, or deltas that name their base by its id
 * (REF_DELTA), so an entry can go into another pack byte for byte.  What is
 * not as we write it makes a pack one that is not ours.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "gitstore/own_pack.h"
#include "gitstore/pack_internal.h"

#define SALT_BYTES ((size_t)8)
#define HASH_BYTES ((size_t)HASH_SHA1_SIZE)
#define HEAD_BYTES ((size_t)12)

/* As pack_index.c tells */
#define IDS_AT ((size_t)8 + 256 * 4)

/* git prunes nothing that was written or touched since (gc.pruneExpire) */
#define TOUCHED_S (14 * 24 * 3600)

/* What stands before the zlib stream of a delta */
#define DELTA_HEADER_MAX (PACK_HEADER_MAX + 20)

/* ---- names ---- */

static void name_of(char hex[OBJECT_HEX_SIZE], const unsigned char *salt,
		    const unsigned char *pack_hash, struct hasher *hasher)
{
	unsigned char digest[HASH_SHA1_SIZE];

	hasher_reset(hasher);
	hasher_add(hasher, "dbstow pack", sizeof("dbstow pack"));
	hasher_add(hasher, salt, SALT_BYTES);
	hasher_add(hasher, pack_hash, HASH_BYTES);
	hasher_final(hasher, digest);
	memmove(digest + SALT_BYTES, digest, HASH_BYTES - SALT_BYTES);
	memcpy(digest, salt, SALT_BYTES);
	hex_encode(hex, digest, sizeof(digest));
}

int own_name(char hex[OBJECT_HEX_SIZE], const unsigned char *pack_hash,
	     struct hasher *hasher, struct error *err)
{
	unsigned char salt[SALT_BYTES];

	if (getrandom(salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
		return error_errno(err, ERROR_FAILED, "cannot name a pack");
	name_of(hex, salt, pack_hash, hasher);
	return 0;
}

static int is_own_name(const char *hex, const unsigned char *pack_hash,
		       struct hasher *hasher)
{
	unsigned char salt[SALT_BYTES];
	char want[OBJECT_HEX_SIZE];

	if (hex_decode(salt, hex, sizeof(salt)) < 0)
		return 0;
	name_of(want, salt, pack_hash, hasher);
	return !memcmp(hex, want, OBJECT_HEX_SIZE - 1);
}

long own_time(const char *stem)
{
	const char *name = path_base(stem);

	/* microseconds: not every file system keeps more */
	return (long)(hash_bytes64(name, strlen("pack-") + 40) % 1000000) *
	       1000;
}

/* ---- files ---- */

static char *with_end(const struct own_pack *p, const char *end)
{
	struct buffer path = BUFFER_INIT;

	buffer_printf(&path, "%s%s", p->stem, end);
	return buffer_detach(&path);
}

/* @return a descriptor of a regular file, or -1 */
static int open_file(const struct own_pack *p, const char *end, struct stat *st)
{
	char *path = with_end(p, end);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	free(path);
	if (fd >= 0 && (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* ---- the table ---- */

static int compare_offsets(const void *a, const void *b)
{
	const struct own_entry *x = *(struct own_entry *const *)a;
	const struct own_entry *y = *(struct own_entry *const *)b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

struct own_entry **own_in_order(const struct own_pack *p, struct error *err)
{
	struct own_entry **all = calloc(p->count + 1, sizeof(*all));
	size_t i;

	if (!all) {
		error_nomem(err);
		return NULL;
	}
	for (i = 0; i < p->count; i++)
		all[i] = &p->entries[i];
	qsort(all, p->count, sizeof(*all), compare_offsets);
	return all;
}

/* An entry ends where the next one begins. @return 0, 1: it is unsound, -1 */
static int set_sizes(struct own_pack *p, struct error *err)
{
	struct own_entry **all = own_in_order(p, err);
	uint64_t end = p->size - HASH_BYTES, size;
	size_t i;
	int rc = 0;

	if (!all)
		return -1;
	for (i = p->count; !rc && i-- > 0; end = all[i]->offset) {
		size = end - all[i]->offset;
		rc = all[i]->offset < HEAD_BYTES || all[i]->offset >= end ||
		     size > UINT32_MAX;
		all[i]->size = (uint32_t)size;
	}
	free(all);
	return rc;
}

/* The index, read whole: is it sound, and this pack's? */
static int is_sound(const struct own_pack *p, const unsigned char *idx,
		    size_t size, const unsigned char *pack_hash,
		    struct hasher *hasher)
{
	unsigned char digest[HASH_SHA1_SIZE];
	size_t least = IDS_AT + 2 * HASH_BYTES;

	if (size < least || memcmp(idx, "\377tOc\0\0\0\2", 8) != 0 ||
	    pack_get32(idx + IDS_AT - 4) > (size - least) / 28 ||
	    pack_get32(idx + IDS_AT - 4) != p->count ||
	    memcmp(idx + size - 2 * HASH_BYTES, pack_hash, HASH_BYTES) != 0)
		return 0;
	hasher_reset(hasher);
	hasher_add(hasher, idx, size - HASH_BYTES);
	hasher_final(hasher, digest);
	return !memcmp(idx + size - HASH_BYTES, digest, HASH_BYTES);
}

/* @return 0, 1: it is unsound, -1 */
static int fill_table(struct own_pack *p, const unsigned char *idx, size_t size,
		      struct error *err)
{
	const unsigned char *ids = idx + IDS_AT;
	const unsigned char *crcs = ids + p->count * 20;
	const unsigned char *offsets = crcs + p->count * 4;
	const unsigned char *far = offsets + p->count * 4;
	size_t far_count = (size - 2 * HASH_BYTES - (size_t)(far - idx)) / 8, i;

	p->entries = calloc(p->count + 1, sizeof(*p->entries));
	if (!p->entries)
		return error_nomem(err);
	for (i = 0; i < p->count; i++) {
		struct own_entry *e = &p->entries[i];
		uint32_t offset = pack_get32(offsets + i * 4);

		memcpy(e->id.bytes, ids + i * 20, sizeof(e->id.bytes));
		e->crc32 = pack_get32(crcs + i * 4);
		e->offset = offset;
		if (offset & 0x80000000) {
			offset &= 0x7fffffff;
			if (offset >= far_count)
				return 1;
			e->offset = (uint64_t)pack_get32(far + offset * 8UL)
					    << 32 |
				    pack_get32(far + offset * 8UL + 4);
		}
		if (i &&
		    memcmp(&p->entries[i - 1].id, &e->id, sizeof(e->id)) >= 0)
			return 1;
	}
	return set_sizes(p, err);
}

static int read_table(struct own_pack *p, const unsigned char *pack_hash,
		      struct hasher *hasher, struct error *err)
{
	struct buffer idx = BUFFER_INIT;
	const unsigned char *data;
	struct stat st;
	int fd = open_file(p, "idx", &st);
	int rc = 1;

	if (fd < 0)
		return 1;
	if (buffer_reserve(&idx, (size_t)st.st_size + 1) < 0) {
		rc = error_nomem(err);
	} else if (!pack_read_at(fd, idx.data, (size_t)st.st_size, 0)) {
		data = (const unsigned char *)idx.data;
		if (is_sound(p, data, (size_t)st.st_size, pack_hash, hasher))
			rc = fill_table(p, data, (size_t)st.st_size, err);
	}
	close(fd);
	buffer_release(&idx);
	return rc;
}

/* Who writes an object that he finds in a pack touches that instead, and may
 * name the object in a ref days later. */
static int is_touched(const struct own_pack *p)
{
	return p->mtime.tv_nsec != own_time(p->stem) &&
	       p->mtime.tv_sec > time(NULL) - TOUCHED_S;
}

/* @return 0, 1: not ours or unsound, -1 */
static int open_pack(struct own_pack *p, struct hasher *hasher,
		     struct error *err)
{
	unsigned char head[HEAD_BYTES], hash[HASH_BYTES];
	struct stat st;

	p->fd = open_file(p, "pack", &st);
	if (p->fd < 0 || (uint64_t)st.st_size < HEAD_BYTES + HASH_BYTES)
		return 1;
	p->size = (uint64_t)st.st_size;
	p->mtime = st.st_mtim;
	p->touched = is_touched(p);
	if (pack_read_at(p->fd, head, sizeof(head), 0) < 0 ||
	    pack_read_at(p->fd, hash, sizeof(hash), p->size - HASH_BYTES) < 0 ||
	    memcmp(head, "PACK\0\0\0\2", 8) != 0 ||
	    !is_own_name(path_base(p->stem) + strlen("pack-"), hash, hasher))
		return 1;
	p->count = pack_get32(head + 8);
	return read_table(p, hash, hasher, err);
}

/* ---- which there are ---- */

static void pack_release(struct own_pack *p)
{
	if (p->fd >= 0)
		close(p->fd);
	free(p->stem);
	free(p->entries);
}

/* Does git keep the pack, or know something of it that we don't? */
static int is_kept(const struct own_pack *p)
{
	static const char *const ends[] = { "keep", "bitmap", "promisor",
					    "mtimes", "rev" };
	int kept = 0;
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(*ends) && !kept; i++) {
		char *path = with_end(p, ends[i]);

		kept = !path || file_exists(path);
		free(path);
	}
	return kept;
}

int own_pack_unchanged(const struct own_pack *p)
{
	char *path = with_end(p, "pack");
	struct stat st;
	int same = path && !stat(path, &st) &&
		   st.st_mtim.tv_sec == p->mtime.tv_sec &&
		   st.st_mtim.tv_nsec == p->mtime.tv_nsec;

	free(path);
	return same && !is_kept(p);
}

static int add_pack(struct own_packs *o, const char *folder, const char *name,
		    struct hasher *hasher, struct error *err)
{
	struct own_pack p = { .fd = -1 }, *packs;
	int rc;

	p.stem = path_join(folder, name);
	packs = realloc(o->packs, (o->count + 1) * sizeof(*packs));
	if (packs)
		o->packs = packs;
	if (!p.stem || !packs) {
		rc = error_nomem(err);
	} else {
		p.stem[strlen(p.stem) - strlen("pack")] = '\0';
		rc = is_kept(&p) ? 1 : open_pack(&p, hasher, err);
	}
	if (rc)
		pack_release(&p);
	else
		o->packs[o->count++] = p;
	return rc < 0 ? -1 : 0;
}

static int compare_times(const void *a, const void *b)
{
	const struct own_pack *x = a, *y = b;

	if (x->mtime.tv_sec != y->mtime.tv_sec)
		return x->mtime.tv_sec < y->mtime.tv_sec ? 1 : -1;
	if (x->mtime.tv_nsec != y->mtime.tv_nsec)
		return x->mtime.tv_nsec < y->mtime.tv_nsec ? 1 : -1;
	return strcmp(x->stem, y->stem);
}

int own_packs_load(struct own_packs *o, const char *folder,
		   struct hasher *hasher, struct error *err)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int rc = 0;

	memset(o, 0, sizeof(*o));
	while (d && !rc && (e = readdir(d)))
		if (strlen(e->d_name) == strlen("pack-.pack") + 40 &&
		    !strncmp(e->d_name, "pack-", 5) &&
		    !strcmp(e->d_name + 45, ".pack"))
			rc = add_pack(o, folder, e->d_name, hasher, err);
	if (d)
		closedir(d);
	if (rc < 0)
		own_packs_release(o);
	else if (o->count)
		qsort(o->packs, o->count, sizeof(*o->packs), compare_times);
	return rc;
}

void own_packs_release(struct own_packs *o)
{
	while (o->count)
		pack_release(&o->packs[--o->count]);
	free(o->packs);
	memset(o, 0, sizeof(*o));
}

const struct own_entry *own_pack_find(const struct own_pack *p,
				      const struct object_id *id)
{
	size_t low = 0, high = p->count, at;
	int diff;

	while (low < high) {
		at = low + (high - low) / 2;
		diff = memcmp(id, &p->entries[at].id, sizeof(*id));
		if (!diff)
			return &p->entries[at];
		if (diff < 0)
			high = at;
		else
			low = at + 1;
	}
	return NULL;
}

int own_find(const struct own_packs *o, const struct object_id *id,
	     const struct own_pack **p, const struct own_entry **e)
{
	size_t i;

	for (i = 0; i < o->count; i++) {
		*p = &o->packs[i];
		*e = own_pack_find(*p, id);
		if (*e)
			return 0;
	}
	return -1;
}

/* ---- entries ---- */

int own_view(struct own_view *v, const void *entry, size_t size)
{
	const unsigned char *b = entry, *end = b + size;
	unsigned int shift;

	memset(v, 0, sizeof(*v));
	if (b == end)
		return -1;
	v->type = *b >> 4 & 7;
	v->size = *b & 15;
	for (shift = 4; *b & 0x80; shift += 7) {
		if (++b == end || shift > 53)
			return -1;
		v->size |= (uint64_t)(*b & 0x7f) << shift;
	}
	b++;
	if (v->type == PACK_DELTA) {
		if ((size_t)(end - b) < sizeof(v->base))
			return -1;
		memcpy(v->base.bytes, b, sizeof(v->base));
		b += sizeof(v->base);
	} else if (v->type < PACK_COMMIT || v->type > PACK_BLOB) {
		return -1;
	}
	v->bytes = b;
	v->bytes_size = (size_t)(end - b);
	return 0;
}

int own_entry_raw(const struct own_pack *p, const struct own_entry *e,
		  struct buffer *out, struct error *err)
{
	char *room;

	if (buffer_reserve(out, e->size) < 0)
		return error_nomem(err);
	room = out->data + out->size;
	if (pack_read_at(p->fd, room, e->size, e->offset) < 0 ||
	    pack_crc32(0, room, e->size) != e->crc32)
		return 1;
	out->size += e->size;
	return 0;
}

int own_base(const struct own_pack *p, const struct own_entry *e,
	     const struct own_entry **base)
{
	unsigned char head[DELTA_HEADER_MAX];
	size_t size = e->size < sizeof(head) ? e->size : sizeof(head);
	struct own_view v;

	*base = NULL;
	if (pack_read_at(p->fd, head, size, e->offset) < 0 ||
	    own_view(&v, head, size) < 0)
		return -1;
	if (v.type != PACK_DELTA)
		return 0;
	*base = own_pack_find(p, &v.base);
	return *base ? 0 : -1;
}

int own_is_commit(const struct own_pack *p, const struct own_entry *e)
{
	unsigned char head;

	return !pack_read_at(p->fd, &head, 1, e->offset) &&
	       (head >> 4 & 7) == PACK_COMMIT;
}

/* ---- content ---- */

/* What one entry holds, into `out` alone. */
static int inflate_view(struct own_reader *r, const struct own_view *v,
			struct buffer *out, struct error *err)
{
	buffer_clear(out);
	if (v->size >= UINT32_MAX || v->bytes_size > UINT32_MAX)
		return 1;
	if ((!r->inflater && inflater_new(&r->inflater, err) < 0) ||
	    buffer_reserve(out, (size_t)v->size + 1) < 0)
		return error_nomem(err);
	inflater_begin(r->inflater, out->data, (uint32_t)v->size + 1);
	if (inflater_add(r->inflater, v->bytes, (uint32_t)v->bytes_size) != 1 ||
	    inflater_left(r->inflater) != 1)
		return 1;
	out->size = (size_t)v->size;
	return 0;
}

static int read_view(struct own_reader *r, const struct own_pack *p,
		     const struct own_entry *e, struct own_view *v,
		     struct error *err)
{
	int rc;

	buffer_clear(&r->raw);
	rc = own_entry_raw(p, e, &r->raw, err);
	return rc ? rc : own_view(v, r->raw.data, r->raw.size) < 0;
}

/* r->content becomes what entry `e` makes of it. */
static int apply_entry(struct own_reader *r, const struct own_pack *p,
		       const struct own_entry *e, size_t limit,
		       struct error *err)
{
	uint64_t base_size, size;
	struct own_view v;
	struct buffer swap;
	int rc = read_view(r, p, e, &v, err);

	if (!rc)
		rc = v.size > limit ? 1 : inflate_view(r, &v, &r->delta, err);
	if (!rc)
		rc = delta_sizes(r->delta.data, r->delta.size, &base_size,
				 &size) ||
		     size > limit;
	if (rc)
		return rc;
	swap = r->base;
	r->base = r->content;
	r->content = swap;
	buffer_clear(&r->content);
	return delta_apply(r->base.data, r->base.size, r->delta.data,
			   r->delta.size, &r->content, err);
}

int own_read(struct own_reader *r, const struct own_pack *p,
	     const struct own_entry *e, size_t limit, unsigned int *depth,
	     own_step step, void *payload, struct error *err)
{
	const struct own_entry *chain[CHAIN_MAX], *base = e;
	struct own_view v;
	size_t count = 0;
	int rc;

	while (base) {
		if (count == CHAIN_MAX)
			return 1;
		chain[count++] = base;
		if (own_base(p, base, &base) < 0)
			return 1;
	}
	*depth = (unsigned int)count - 1;
	rc = read_view(r, p, chain[--count], &v, err);
	if (!rc)
		rc = v.type != PACK_BLOB || v.size > limit
			     ? 1
			     : inflate_view(r, &v, &r->content, err);
	while (!rc && count) {
		rc = apply_entry(r, p, chain[--count], limit, err);
		if (!rc && step)
			rc = step(payload, chain[count + 1], &r->base,
				  chain[count], &r->content, err);
	}
	return rc;
}

void own_reader_release(struct own_reader *r)
{
	inflater_free(r->inflater);
	buffer_release(&r->raw);
	buffer_release(&r->delta);
	buffer_release(&r->base);
	buffer_release(&r->content);
	memset(r, 0, sizeof(*r));
}
