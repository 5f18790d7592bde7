/*
 * cache.c - what spares the next export work
 *
 * In a file that is
 *
 *   entries, one a table
 *   footer
 *   SHA-256 of all that
 *
 * in the machine's own byte order: it never leaves it.  Between two exports of
 * one run it needs no file.
 */
#include "export/cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "database/database.h"
#include "snapshot/catalog.h"

#define MAGIC "dbstow3"

/* So many of a table's leaves are looked at first, or a few less or more. */
#define SOME_LEAVES 16

/* Leaves whose fingerprints are in memory at once */
#define LEAVES_AT_ONCE 1024

struct entry_of_table {
	unsigned char about[HASH_SHA256_SIZE];
	unsigned char sha256[HASH_SHA256_SIZE];
	struct leaf_digests digests;
	uint64_t leaves;
	uint64_t rows, bytes;
	struct object_id folder; /* all zero: no rows */
	uint32_t known;          /* 1: the members above are set */
};

struct footer {
	char magic[8];
	unsigned char about[HASH_SHA256_SIZE];
	unsigned char identity[HASH_SHA256_SIZE];
	struct object_id content;
	uint32_t identified; /* 1: `identity` is set */
	uint64_t count;      /* entries */
	unsigned char key[PARTS_KEY_SIZE];
};

struct export_cache {
	char *path;  /* the file; NULL: in memory */
	char *fresh; /* the next one beside it */
	struct hasher *hasher;
	/* as the last run left it */
	unsigned char *map; /* or NULL */
	size_t map_size;
	const struct entry_of_table *old;
	struct footer last;
	/* the next one */
	FILE *out; /* or NULL: it can't be written */
	struct footer next;
	struct buffer entries, before; /* before: `old` in memory */
};

static void sha256(struct hasher *h, const void *data, size_t size,
		   unsigned char *digest)
{
	hasher_reset(h);
	hasher_add(h, data, size);
	hasher_final(h, digest);
}

/* ---- reading the last one ---- */

static void drop_old(struct export_cache *c)
{
	if (c->map)
		munmap(c->map, c->map_size);
	c->map = NULL;
	c->old = NULL;
	memset(&c->last, 0, sizeof(c->last));
}

static void map_file(struct export_cache *c)
{
	int fd = open(c->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat s;

	if (fd < 0)
		return;
	if (fstat(fd, &s) == 0 && S_ISREG(s.st_mode) &&
	    s.st_size >= (off_t)(sizeof(struct footer) + HASH_SHA256_SIZE)) {
		c->map_size = (size_t)s.st_size;
		/* private: it is replaced by renaming, never changed */
		c->map = mmap(NULL, c->map_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (c->map == MAP_FAILED)
			c->map = NULL;
	}
	close(fd);
}

/* Are there as many entries as the footer tells? */
static int is_sound(const struct export_cache *c, size_t body)
{
	const struct footer *f = &c->last;
	size_t room = body - sizeof(*f);

	return !memcmp(f->magic, MAGIC, sizeof(f->magic)) &&
	       f->count == room / sizeof(*c->old) &&
	       room % sizeof(*c->old) == 0;
}

static void read_old(struct export_cache *c)
{
	unsigned char digest[HASH_SHA256_SIZE];
	size_t body;

	map_file(c);
	if (!c->map)
		return;
	body = c->map_size - HASH_SHA256_SIZE;
	sha256(c->hasher, c->map, body, digest);
	memcpy(&c->last, c->map + body - sizeof(c->last), sizeof(c->last));
	if (memcmp(digest, c->map + body, sizeof(digest)) != 0 ||
	    !is_sound(c, body) ||
	    memcmp(c->last.about, c->next.about, sizeof(c->next.about)) != 0) {
		drop_old(c);
		return;
	}
	c->old = (const void *)c->map;
	memcpy(c->next.key, c->last.key, sizeof(c->next.key));
}

int export_cache_content(const struct export_cache *c, const void *identity,
			 size_t size, struct object_id *content)
{
	unsigned char digest[HASH_SHA256_SIZE];

	if (!c->old || !c->last.identified)
		return 0;
	sha256(c->hasher, identity, size, digest);
	if (memcmp(digest, c->last.identity, sizeof(digest)) != 0)
		return 0;
	*content = c->last.content;
	return 1;
}

/* ---- writing the next one ---- */

int export_cache_begin(struct export_cache *c, const char *path,
		       struct error *err)
{
	int fd;

	memcpy(c->next.magic, MAGIC, sizeof(c->next.magic));
	c->fresh = strdup(path);
	if (!c->fresh)
		return error_nomem(err);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && !(c->out = fdopen(fd, "w")))
		close(fd);
	if (!c->out)
		return error_errno(err, ERROR_FAILED, "cannot create '%s'",
				   path);
	return 0;
}

static void give_up_next(struct export_cache *c)
{
	if (c->out)
		fclose(c->out);
	c->out = NULL;
	if (c->fresh)
		unlink(c->fresh);
	free(c->fresh);
	c->fresh = NULL;
}

int export_cache_open(struct export_cache **out, const char *path,
		      const char *about, int rescan, struct error *err)
{
	struct export_cache *c = NULL;

	*out = NULL;
	if (export_cache_new(&c, err) < 0)
		return -1;
	c->path = strdup(path);
	if (!c->path) {
		export_cache_free(c);
		return error_nomem(err);
	}
	sha256(c->hasher, about, strlen(about), c->next.about);
	if (!rescan)
		read_old(c);
	*out = c;
	return 0;
}

/* ---- in memory ---- */

int export_cache_new(struct export_cache **out, struct error *err)
{
	struct export_cache *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return error_nomem(err);
	if (hasher_new(&c->hasher, HASH_SHA256, err) < 0) {
		export_cache_free(c);
		return -1;
	}
	if (getrandom(c->next.key, sizeof(c->next.key), 0) !=
	    (ssize_t)sizeof(c->next.key)) {
		error_errno(err, ERROR_FAILED, "cannot get random bytes");
		export_cache_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

void export_cache_turn(struct export_cache *c)
{
	buffer_release(&c->before);
	c->before = c->entries;
	c->entries = (struct buffer)BUFFER_INIT;
	c->last = c->next;
	c->last.count = c->before.size / sizeof(*c->old);
	c->old = (const void *)c->before.data;
}

/* ---- leaves ---- */

/* Every how manyth leaf is one of the few; the last one is as well, for new
 * rows mostly come there. */
static size_t some_step(size_t leaves)
{
	return leaves / SOME_LEAVES + 1;
}

int leaf_sum_begin(struct leaf_sum *s, size_t leaves, struct error *err)
{
	leaf_sum_release(s);
	s->leaves = leaves;
	if (hasher_new(&s->all, HASH_SHA256, err) < 0)
		return -1;
	return hasher_new(&s->some, HASH_SHA256, err);
}

void leaf_sum_add(struct leaf_sum *s, const struct buffer *prints)
{
	size_t step = some_step(s->leaves), at;

	hasher_add(s->all, prints->data, prints->size);
	for (at = 0; at < prints->size; at += PARTS_FINGERPRINT_SIZE) {
		if (s->seen % step == 0 || s->seen + 1 == s->leaves)
			hasher_add(s->some, prints->data + at,
				   PARTS_FINGERPRINT_SIZE);
		s->seen++;
	}
}

int leaf_sum_end(struct leaf_sum *s, struct leaf_digests *out)
{
	if (!s->all || s->seen != s->leaves)
		return 0;
	hasher_final(s->all, out->all);
	hasher_final(s->some, out->some);
	return 1;
}

void leaf_sum_release(struct leaf_sum *s)
{
	hasher_free(s->all);
	hasher_free(s->some);
	memset(s, 0, sizeof(*s));
}

/* ---- tables ---- */

const unsigned char *export_cache_key(const struct export_cache *c)
{
	return c->next.key;
}

/* The last export's entry of a table like this one. */
static const struct entry_of_table *find_old(const struct export_cache *c,
					     const struct entry_of_table *now)
{
	for (uint64_t i = 0; c->old && i < c->last.count; i++) {
		const struct entry_of_table *e = &c->old[i];

		if (e->known && e->leaves == now->leaves &&
		    !memcmp(e->about, now->about, sizeof(e->about)))
			return e;
	}
	return NULL;
}

static struct entry_of_table *entry_at(struct export_cache *c, size_t slot)
{
	return (struct entry_of_table *)(void *)c->entries.data + slot;
}

/* Are the leaves that are looked at first as they were?
 * @return 1, 0 or -1 */
static int some_are(struct export_cache *c, struct parts *p,
		    const struct entry_of_table *old, struct error *err)
{
	unsigned char digest[HASH_SHA256_SIZE];
	struct buffer prints = BUFFER_INIT;
	size_t at = 0, step = some_step(old->leaves);
	int rc = 0;

	while (!rc && at < old->leaves) {
		rc = parts_fingerprint(p, c->next.key, at, at + 1, &prints,
				       err);
		if (at + 1 < old->leaves && at + step >= old->leaves)
			at = old->leaves - 1;
		else
			at += step;
	}
	if (!rc)
		sha256(c->hasher, prints.data, prints.size, digest);
	buffer_release(&prints);
	if (rc)
		return rc < 0 ? -1 : 0;
	return !memcmp(digest, old->digests.some, sizeof(digest));
}

/* Are all?  @return 1, 0 or -1 */
static int all_are(struct export_cache *c, struct parts *p,
		   const struct entry_of_table *old, struct error *err)
{
	unsigned char digest[HASH_SHA256_SIZE];
	struct buffer prints = BUFFER_INIT;
	size_t at;
	int rc = 0;

	hasher_reset(c->hasher);
	for (at = 0; !rc && at < old->leaves; at += LEAVES_AT_ONCE) {
		buffer_clear(&prints);
		rc = parts_fingerprint(p, c->next.key, at, at + LEAVES_AT_ONCE,
				       &prints, err);
		hasher_add(c->hasher, prints.data, prints.size);
	}
	hasher_final(c->hasher, digest);
	buffer_release(&prints);
	if (rc)
		return rc < 0 ? -1 : 0;
	return !memcmp(digest, old->digests.all, sizeof(digest));
}

static int is_none(const struct object_id *id)
{
	static const struct object_id none;

	return !memcmp(id, &none, sizeof(none));
}

/* Has the sink the folder?  In memory it is one of this run. */
static int is_there(const struct export_cache *c, struct sink *s,
		    const struct object_id *folder)
{
	return !c->path || (s->has && (is_none(folder) || s->has(s, folder)));
}

/* What besides its leaves decides on the text of a table's rows. */
static void about_table(struct hasher *h, const struct catalog *c,
			const struct table *t, unsigned char *digest)
{
	int32_t facts[4] = { (int32_t)c->encoding, (int32_t)t->order,
			     t->form_array, t->rowid_column };

	hasher_reset(h);
	hasher_add(h, facts, sizeof(facts));
	hasher_add(h, t->name, strlen(t->name) + 1);
	if (t->rowid_key)
		hasher_add(h, t->rowid_key, strlen(t->rowid_key) + 1);
	for (size_t i = 0; i < t->column_count; i++) {
		const struct column *column = &t->columns[i];

		hasher_add(h, column->name, strlen(column->name) + 1);
		hasher_add(h, &column->generated, sizeof(column->generated));
		hasher_add(h, &column->key, sizeof(column->key));
	}
	/* types and defaults */
	for (size_t i = 0; i < c->entry_count; i++) {
		const struct entry *e = &c->entries[i];

		if (e->type == ENTRY_TABLE && !strcmp(e->name, t->name))
			hasher_add(h, e->sql, e->sql_size);
	}
	hasher_final(h, digest);
}

int export_cache_table(struct export_cache *c, const struct catalog *catalog,
		       struct table *t, struct parts *p, struct sink *sink,
		       struct object_id *folder, size_t *slot,
		       struct error *err)
{
	struct entry_of_table e = { .leaves = parts_count(p) };
	const struct entry_of_table *old;
	int rc;

	*slot = SIZE_MAX;
	if (!c || (c->path && !c->fresh))
		return 0;
	about_table(c->hasher, catalog, t, e.about);
	*slot = c->entries.size / sizeof(e);
	buffer_add(&c->entries, &e, sizeof(e));
	if (buffer_failed(&c->entries))
		return error_nomem(err);
	old = find_old(c, &e);
	if (!old || !is_there(c, sink, &old->folder))
		return 0;
	rc = some_are(c, p, old, err);
	if (rc > 0)
		rc = all_are(c, p, old, err);
	if (rc <= 0)
		return rc;
	t->rows = old->rows;
	t->bytes = old->bytes;
	memcpy(t->sha256, old->sha256, sizeof(t->sha256));
	*folder = old->folder;
	*entry_at(c, *slot) = *old;
	*slot = SIZE_MAX;
	return 1;
}

void export_cache_note(struct export_cache *c, size_t slot,
		       const struct table *t,
		       const struct leaf_digests *digests,
		       const struct object_id *folder)
{
	struct entry_of_table *e;

	if (slot == SIZE_MAX)
		return;
	e = entry_at(c, slot);
	e->rows = t->rows;
	e->bytes = t->bytes;
	memcpy(e->sha256, t->sha256, sizeof(e->sha256));
	e->digests = *digests;
	e->folder = *folder;
	e->known = 1;
}

/* ---- the end ---- */

static void write_out(struct export_cache *c, const void *data, size_t size)
{
	hasher_add(c->hasher, data, size);
	if (c->out && size && fwrite(data, size, 1, c->out) != 1)
		give_up_next(c);
}

static void finish_file(struct export_cache *c)
{
	unsigned char digest[HASH_SHA256_SIZE];

	c->next.count = c->entries.size / sizeof(struct entry_of_table);
	hasher_reset(c->hasher);
	write_out(c, c->entries.data, c->entries.size);
	write_out(c, &c->next, sizeof(c->next));
	hasher_final(c->hasher, digest);
	if (c->out && fwrite(digest, sizeof(digest), 1, c->out) != 1)
		give_up_next(c);
}

void export_cache_save(struct export_cache *c, const void *identity,
		       size_t size, const struct object_id *content)
{
	if (!c || !c->out)
		return;
	if (identity) {
		sha256(c->hasher, identity, size, c->next.identity);
		c->next.identified = 1;
	}
	c->next.content = *content;
	finish_file(c);
	if (!c->out)
		return;
	/* not synced: what is lost in a crash is not believed after the next
	 * boot, and what is torn has another digest */
	if (fclose(c->out) == 0 && rename(c->fresh, c->path) == 0) {
		free(c->fresh);
		c->fresh = NULL;
	}
	c->out = NULL;
	give_up_next(c);
}

void export_cache_free(struct export_cache *c)
{
	if (!c)
		return;
	give_up_next(c);
	drop_old(c);
	hasher_free(c->hasher);
	buffer_release(&c->entries);
	buffer_release(&c->before);
	free(c->path);
	free(c);
}
