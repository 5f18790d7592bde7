/*
 * remotes.h - a folder as a remote
 */
#ifndef TESTS_GITSTORE_REMOTES_H
#define TESTS_GITSTORE_REMOTES_H

#include "gitstore/remote_internal.h"
#include "tests/gitstore/store.h"

#define REF "refs/heads/" GITSTORE_BRANCH

/* `git init there.git` beside the repository. */
static inline void make_remote(struct fixture *f)
{
	assert_int_equal(
		repo_sh(f->folder, "git init -q --bare -b main there.git"), 0);
}

static inline struct remote *open_remote(struct fixture *f, const char *name)
{
	char *path = path_join(f->folder, name);
	struct remote_options o = { .name = "there", .url = path };
	struct remote *r;

	assert_ok(remote_open(&r, f->g, &o, &f->err), &f->err);
	free(path);
	return r;
}

static inline struct object_id tip_of(struct fixture *f)
{
	struct object_id id;

	assert_int_equal(ref_read(f->g, REF, &id, &f->err), 0);
	return id;
}

static inline struct remote_push push_of(struct fixture *f,
					 const struct object_id *old)
{
	struct remote_push p = { .ref = REF, .id = tip_of(f) };

	if (old)
		p.old = *old;
	return p;
}

static inline void push(struct fixture *f, struct remote *r,
			const struct object_id *old,
			struct remote_push_result *out)
{
	struct remote_push p = push_of(f, old);

	assert_ok(remote_push(r, &p, out, &f->err), &f->err);
}

static inline void push_ok(struct fixture *f, struct remote *r,
			   const struct object_id *old)
{
	struct remote_push_result out;

	push(f, r, old, &out);
	if (out.outcome != REMOTE_PUSHED)
		fail_msg("not pushed: %s", out.reason ? out.reason : "moved");
	remote_push_result_release(&out);
}

/* 2,000 rows; row `changed` is another. */
static inline char *rows(int changed)
{
	struct buffer text = BUFFER_INIT;
	int i;

	for (i = 0; i < 2000; i++)
		buffer_printf(&text, "{\"id\":%d,\"name\":\"%x\"}\n", i,
			      (unsigned int)i * 2654435761u +
				      (i == changed ? 7 : 0));
	return buffer_detach(&text);
}

static inline struct object_id add_rows(struct fixture *f, int changed, int at)
{
	char *text = rows(changed);
	struct object_id id = add(f, text, at);

	free(text);
	return id;
}

static inline void assert_sound(struct fixture *f, const char *name)
{
	char *path = path_join(f->folder, name);
	char *out = repo_out(path, FSCK);

	assert_string_equal(out, "");
	free(out);
	free(path);
}

#endif /* TESTS_GITSTORE_REMOTES_H */
