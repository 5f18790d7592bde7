/*
 * store.h - what the tests of gitstore/ share: a repository, small snapshots
 */
#ifndef TESTS_GITSTORE_STORE_H
#define TESTS_GITSTORE_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "gitstore/gitstore_internal.h"
#include "tests/support/repo.h"

#define T0 INT64_C(1795142122) /* 2026-11-20 02:35:22Z */

#define assert_ok(rc, e)                                                       \
	do {                                                                   \
		if ((rc) < 0)                                                  \
			fail_msg("failed: %s", (e)->message);                  \
	} while (0)

#define assert_refused(rc, e, want_code, want_message)                         \
	do {                                                                   \
		assert_int_equal((rc), -1);                                    \
		assert_string_equal((e)->message, (want_message));             \
		assert_int_equal((e)->code, (want_code));                      \
		error_clear(e);                                                \
	} while (0)

/* A test's folder with a repository "r" in it and a store on that. */
struct fixture {
	char *folder;
	char *repo; /* <folder>/r */
	struct gitstore *g;
	struct error err;
};

static inline void open_at(struct fixture *f, const char *path,
			   const char *branch)
{
	struct gitstore_options o = { path, branch };

	gitstore_free(f->g);
	f->g = NULL;
	assert_ok(gitstore_open(&f->g, &o, &f->err), &f->err);
}

static inline void reopen(struct fixture *f)
{
	open_at(f, f->repo, NULL);
}

static inline int setup_with(void **state, const char *init)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->folder = repo_folder();
	f->repo = path_join(f->folder, "r");
	assert_int_equal(repo_sh(f->folder, "%s", init), 0);
	reopen(f);
	*state = f;
	return 0;
}

static inline int setup(void **state)
{
	return setup_with(state, "git init -q -b main r");
}

static inline int setup_bare(void **state)
{
	return setup_with(state, "git init -q --bare -b main r");
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	gitstore_free(f->g);
	free(f->repo);
	repo_remove(f->folder);
	free(f);
	return 0;
}

/** Put a snapshot's files: data/tables/t/0.jsonl with `rows`, and what is
 *  different in each run. */
static inline int put_into(struct sink *sink, const char *rows, const char *run,
			   struct gitstore_snapshot *s, struct error *err)
{
	struct tree t = { NULL, 0, 0 };
	struct object_id id;

	if (!sink ||
	    sink->put(sink, OBJECT_BLOB, "data/tables/t/0.jsonl", rows,
		      strlen(rows), &id, err) < 0 ||
	    tree_add(&t, "0.jsonl", 0, &id, err) < 0 ||
	    tree_put(&t, sink, &id, err) < 0 ||
	    tree_add(&t, "t", 1, &id, err) < 0 ||
	    tree_put(&t, sink, &id, err) < 0 ||
	    tree_add(&t, "tables", 1, &id, err) < 0 ||
	    tree_put(&t, sink, &s->content, err) < 0 ||
	    sink->put(sink, OBJECT_BLOB, "snapshot.json", run, strlen(run), &id,
		      err) < 0 ||
	    tree_add(&t, "data", 1, &s->content, err) < 0 ||
	    tree_add(&t, "snapshot.json", 0, &id, err) < 0)
		return -1;
	return tree_put(&t, sink, &s->tree, err);
}

static inline int put_files(struct gitstore *g, const char *rows,
			    const char *run, struct gitstore_snapshot *s,
			    struct error *err)
{
	return put_into(gitstore_sink(g, err), rows, run, s, err);
}

static inline struct gitstore_snapshot snapshot_of(const char *drill,
						   int64_t when_s)
{
	struct gitstore_snapshot s = { .created_at_s = when_s,
				       .source = "app.db",
				       .drill = drill,
				       .tables = 1,
				       .rows = 1,
				       .bytes = 10 };

	return s;
}

/** Put and publish `rows`, ready to be committed. */
static inline int publish(struct gitstore *g, const char *rows,
			  struct gitstore_snapshot *s, struct error *err)
{
	char run[64];

	snprintf(run, sizeof(run), "{\"at\":%lld}\n",
		 (long long)s->created_at_s);
	if (put_files(g, rows, run, s, err) < 0)
		return -1;
	return gitstore_publish(g, err);
}

/** Export `rows`, `at` seconds after T0. */
static inline struct object_id add(struct fixture *f, const char *rows, int at)
{
	struct gitstore_snapshot s = snapshot_of("ok", T0 + at);
	struct gitstore_result r;

	assert_ok(publish(f->g, rows, &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	return r.id;
}

static inline struct history *read_history(struct fixture *f)
{
	struct history *h;

	assert_ok(gitstore_history(f->g, 0, &h, NULL, &f->err), &f->err);
	return h;
}

static inline void assert_same(const struct object_id *a,
			       const struct object_id *b)
{
	assert_memory_equal(a->bytes, b->bytes, sizeof(a->bytes));
}

/** What git says; compared and freed. */
#define assert_git(f, want, ...)                                               \
	do {                                                                   \
		char *out_ = repo_out((f)->repo, __VA_ARGS__);                 \
		assert_string_equal(out_, (want));                             \
		free(out_);                                                    \
	} while (0)

/* Silent when all is well (an unborn HEAD is). */
#define FSCK                                                                   \
	"git fsck --full --strict --no-dangling >../fsck 2>&1 || echo failed;" \
	" grep -v 'HEAD points to an unborn' ../fsck || true"

#endif /* TESTS_GITSTORE_STORE_H */
