/*
 * pack_by_hand.h - our own reader of packs, and packs for it to read
 */
#ifndef TESTS_GITSTORE_PACK_BY_HAND_H
#define TESTS_GITSTORE_PACK_BY_HAND_H

#include "tests/gitstore/store.h"

#define LIMIT ((size_t)1 << 20)

static inline void fill(unsigned char *out, size_t size, uint64_t seed)
{
	size_t i;

	for (i = 0; i < size; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		/* half of them easy to compress */
		out[i] = seed >> 63 ? 'a' : (unsigned char)(seed >> 56);
	}
}

static inline struct pack_cursor *reader_of(struct fixture *f,
					    const char *folder)
{
	char *path = path_join(f->folder, folder);
	struct pack_cursor *c;
	struct pack_reader *r;

	assert_ok(pack_reader_new(&r, path, NULL, &f->err), &f->err);
	assert_ok(pack_cursor_new(&c, r, &f->err), &f->err);
	pack_reader_free(r);
	free(path);
	return c;
}

/* Read behind bytes that must stay. @return 1: not here */
static inline int reads(struct fixture *f, struct pack_cursor *r,
			enum pack_type type, const struct object_id *id,
			const void *want, size_t size)
{
	struct buffer b = BUFFER_INIT;
	int rc;

	buffer_str(&b, "before");
	rc = pack_cursor_read(r, id, type, LIMIT, &b, &f->err);
	assert_ok(rc, &f->err);
	assert_int_equal(b.size, rc ? 6 : 6 + size);
	assert_memory_equal(b.data, "before", 6);
	if (!rc && size)
		assert_memory_equal(b.data + 6, want, size);
	buffer_release(&b);
	return rc;
}

static inline struct object_id id_of(struct fixture *f, const void *data,
				     size_t size)
{
	struct object_id id;

	object_hash(f->g->hasher, "blob", data, size, &id);
	return id;
}

/* ---- packs put together by hand, in the folder "p" ---- */

struct by_hand {
	struct buffer pack;
	struct pack_entry entries[5000];
	size_t count;
};

static inline int append(void *payload, const void *data, size_t size,
			 struct error *err)
{
	(void)err;
	buffer_add(payload, data, size);
	return 0;
}

/* An entry that announces `size` and holds a stream of `data` */
static inline void add_entry(struct fixture *f, struct by_hand *h,
			     const struct object_id *id, const char *header,
			     size_t header_size, const void *data, size_t size)
{
	struct deflater *d;

	if (!h->pack.size)
		buffer_add(&h->pack, "PACK\0\0\0\2\0\0\0\1", 12);
	h->entries[h->count].id = *id;
	h->entries[h->count].crc32 = 0;
	h->entries[h->count++].offset = h->pack.size;
	buffer_add(&h->pack, header, header_size);
	assert_ok(deflater_new(&d, &f->err), &f->err);
	assert_ok(deflater_run(d, data, size, append, &h->pack, &f->err),
		  &f->err);
	deflater_free(d);
}

static inline void write_by_hand(struct fixture *f, struct by_hand *h,
				 const char *trailer)
{
	char *pack = path_join(f->folder, "p/pack-1.pack");
	char *idx = path_join(f->folder, "p/pack-1.idx");

	repo_sh(f->folder, "mkdir -p p; rm -f p/*");
	buffer_add(&h->pack, trailer, strlen(trailer));
	assert_ok(file_write(pack, h->pack.data, h->pack.size, 0600, &f->err),
		  &f->err);
	assert_ok(pack_index_write(idx, h->entries, h->count,
				   (const unsigned char *)trailer, &f->err),
		  &f->err);
	buffer_release(&h->pack);
	free(pack);
	free(idx);
}

#define TRAILER "01234567890123456789"

/* One entry; does a reader give `want` of it? */
static inline int reads_entry(struct fixture *f, const char *header,
			      size_t header_size, const char *data,
			      const char *want)
{
	struct by_hand h = { BUFFER_INIT, { { { { 0 } }, 0, 0 } }, 0 };
	struct object_id id = id_of(f, want, strlen(want));
	struct pack_cursor *r;
	int rc;

	add_entry(f, &h, &id, header, header_size, data, strlen(data));
	write_by_hand(f, &h, TRAILER);
	r = reader_of(f, "p");
	rc = reads(f, r, PACK_BLOB, &id, want, strlen(want));
	pack_cursor_free(r);
	return rc;
}

static inline void write_pack(struct fixture *f, const char *folder,
			      size_t count)
{
	char *path = path_join(f->folder, folder);
	unsigned char *data = malloc(LIMIT);
	struct pack_writer *w;
	struct object_id id;
	size_t i, size;

	repo_sh(f->folder, "mkdir -p %s", folder);
	assert_ok(pack_writer_new(&w, path, "pack-1", &f->err), &f->err);
	for (i = 0; i < count; i++) {
		size = i < 40 ? i : i * i * i % 300000;
		fill(data, size, i);
		id = id_of(f, data, size);
		assert_ok(
			pack_writer_put(w, PACK_BLOB, &id, data, size, &f->err),
			&f->err);
	}
	assert_ok(pack_writer_close(w, &f->err), &f->err);
	pack_writer_free(w);
	free(data);
	free(path);
}

#endif /* TESTS_GITSTORE_PACK_BY_HAND_H */
