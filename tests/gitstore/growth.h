/*
 * growth.h - versions of a table, as a repository grows by them
 */
#ifndef TESTS_GITSTORE_GROWTH_H
#define TESTS_GITSTORE_GROWTH_H

#include "tests/gitstore/store.h"

#define ROWS 3000

/* Rows of a table that does not compress away; each version changes some. */
static inline char *rows(unsigned int seed, unsigned int version)
{
	struct buffer b = BUFFER_INIT;
	unsigned int i, v;

	for (i = 0; i < ROWS; i++) {
		/* the last version up to now that changed this row */
		for (v = version; v && (i * 7 + v) % 97; v--)
			;
		buffer_printf(&b, "{\"id\":%u,\"v\":\"%08x%08x\"}\n", i,
			      (i + seed) * 2654435761U,
			      (v + seed * 31 + 1) * 40503U * (i + 3));
	}
	return buffer_detach(&b);
}

static inline struct object_id add_keep(struct fixture *f, unsigned int seed,
					unsigned int version, int at,
					unsigned int keep)
{
	struct gitstore_snapshot s = snapshot_of("ok", T0 + at);
	struct gitstore_result r;
	char *text = rows(seed, version);

	s.keep = keep;
	assert_ok(publish(f->g, text, &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	free(text);
	return r.id;
}

static inline struct object_id add_version(struct fixture *f,
					   unsigned int version)
{
	return add_keep(f, 0, version, (int)version, 0);
}

/* What git and our own reader make of the file */
static inline void assert_version(struct fixture *f, const struct object_id *id,
				  unsigned int seed, unsigned int version)
{
	struct buffer b = BUFFER_INIT;
	char *want = rows(seed, version), *path = path_join(f->folder, "want");
	struct source *s;
	char hex[OBJECT_HEX_SIZE];

	object_hex(hex, id);
	assert_ok(gitstore_source(f->g, id, &s, &f->err), &f->err);
	assert_ok(s->read(s, "data/tables/t/0.jsonl", &b, &f->err), &f->err);
	assert_string_equal(buffer_cstr(&b), want);
	source_free(s);
	assert_ok(file_write(path, want, strlen(want), 0600, &f->err), &f->err);
	assert_git(f, "",
		   "git cat-file blob %s:data/tables/t/0.jsonl | cmp - ../want",
		   hex);
	buffer_release(&b);
	free(path);
	free(want);
}

static inline long number(struct fixture *f, const char *command)
{
	char *out = repo_out(f->repo, "%s", command);
	long n = strtol(out, NULL, 10);

	free(out);
	return n;
}

#define PACKS "ls .git/objects/pack/*.pack | wc -l"
#define BYTES "cat .git/objects/pack/* | wc -c"
#define VERIFY                                                                 \
	"for i in .git/objects/pack/*.idx; do git verify-pack -v $i; done"
#define DELTAS VERIFY " | grep -c -E '^[0-9a-f]{40} blob +[0-9 ]+ [0-9a-f]{40}'"
#define DEPTH                                                                   \
	VERIFY " | sed -n 's/^chain length = \\([0-9]*\\):.*/\\1/p' | sort -n " \
	       "| tail -1"

/* Six exports of which each is new from the first row to the last */
static inline void add_others(struct fixture *f, unsigned int first)
{
	unsigned int i;

	for (i = first; i < first + 6; i++)
		add_keep(f, i, 0, (int)i, 2);
}

#endif /* TESTS_GITSTORE_GROWTH_H */
