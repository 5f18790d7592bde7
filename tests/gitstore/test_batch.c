/*
 * test_batch.c - objects put by several threads at once
 */
#include <pthread.h>

#include "tests/gitstore/store.h"

#define WORKERS 4
#define OBJECTS 200

struct worker {
	pthread_t thread;
	struct sink *sink;
	struct put_batch *batch;
	unsigned int nth;
	struct error err;
	int rc;
};

/* What the nth worker puts; each third is what all of them put. */
static size_t content(char out[64], unsigned int nth, unsigned int i)
{
	return (size_t)snprintf(out, 64, "worker %u, object %u\n",
				i % 3 ? nth : 0, i);
}

static void *work(void *payload)
{
	struct worker *w = payload;
	struct object_id id;
	unsigned int i;
	char text[64];

	for (i = 0; !w->rc && i < OBJECTS; i++)
		w->rc = w->sink->batch_put(w->batch, OBJECT_BLOB, NULL, text,
					   content(text, w->nth, i), &id,
					   &w->err);
	return NULL;
}

static void put_all(struct fixture *f, struct sink *s)
{
	struct worker w[WORKERS];
	unsigned int i;

	memset(w, 0, sizeof(w));
	for (i = 0; i < WORKERS; i++) {
		w[i].sink = s;
		w[i].nth = i;
		assert_ok(s->batch_new(s, &w[i].batch, &f->err), &f->err);
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (i = 0; i < WORKERS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_ok(w[i].rc, &w[i].err);
		assert_ok(s->batch_store(s, w[i].batch, &f->err), &f->err);
	}
	for (i = 0; i < WORKERS; i++)
		s->batch_free(w[i].batch);
	s->batch_free(NULL);
}

static void batches_of_many_threads_hold_what_was_put(void **state)
{
	struct fixture *f = *state;
	struct sink *s = gitstore_sink(f->g, &f->err);

	put_all(f, s);
	assert_ok(gitstore_publish(f->g, &f->err), &f->err);
	/* 67 that are shared, 133 of each worker's own; in one order */
	assert_git(f, "599",
		   "git show-index <$(ls .git/dbstow/tmp*/new0.idx) | wc -l");
	assert_git(f, "", "cp .git/dbstow/tmp*/new0.idx ../first");
	reopen(f);
	s = gitstore_sink(f->g, &f->err);
	put_all(f, s);
	assert_ok(gitstore_publish(f->g, &f->err), &f->err);
	assert_git(f, "", "cmp .git/dbstow/tmp*/new0.idx ../first");
}

static void a_batch_gives_the_objects_that_put_gives(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot snapshot = snapshot_of("ok", T0);
	struct sink *s = gitstore_sink(f->g, &f->err);
	struct gitstore_result r;
	struct put_batch *b;
	struct tree t = { NULL, 0, 0 };
	struct object_id id, same;
	char *big = malloc(3000000);
	int round;

	memset(big, 'b', 3000000);
	assert_ok(s->batch_new(s, &b, &f->err), &f->err);
	for (round = 0; round < 2; round++) {
		assert_ok(
			s->batch_put(b, OBJECT_BLOB, "x", "", 0, &id, &f->err),
			&f->err);
		assert_ok(tree_add(&t, "empty", 0, &id, &f->err), &f->err);
		assert_ok(s->batch_put(b, OBJECT_BLOB, "y", big, 3000000, &id,
				       &f->err),
			  &f->err);
		assert_ok(tree_add(&t, "big", 0, &id, &f->err), &f->err);
		assert_ok(s->batch_store(s, b, &f->err), &f->err);
	}
	assert_ok(s->put(s, OBJECT_BLOB, NULL, big, 3000000, &same, &f->err),
		  &f->err);
	assert_same(&id, &same);
	assert_ok(tree_put(&t, s, &snapshot.tree, &f->err), &f->err);
	/* what is not stored does no harm */
	assert_ok(s->batch_put(b, OBJECT_BLOB, "z", "z", 1, &id, &f->err),
		  &f->err);
	s->batch_free(b);
	assert_ok(gitstore_publish(f->g, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &snapshot, &r, &f->err), &f->err);
	assert_git(f, "", FSCK);
	assert_git(f, "3000000", "git cat-file -s database-backups:big");
	assert_git(f, "0", "git cat-file -s database-backups:empty");
	assert_git(f, "5",
		   "git show-index <$(ls .git/objects/pack/*.idx) | wc -l");
	free(big);
}

static void a_file_too_big_is_refused_in_a_batch_too(void **state)
{
	struct fixture *f = *state;
	struct sink *s = gitstore_sink(f->g, &f->err);
	struct put_batch *b;
	struct object_id id;

	assert_ok(s->batch_new(s, &b, &f->err), &f->err);
	assert_refused(s->batch_put(b, OBJECT_BLOB, "data/x", "",
				    SOURCE_FILE_MAX + 1, &id, &f->err),
		       &f->err, ERROR_FAILED,
		       "'data/x' would have 100663297 bytes, more than a "
		       "snapshot's file may have");
	s->batch_free(b);
}

#define WITH_STORE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(batches_of_many_threads_hold_what_was_put),
		WITH_STORE(a_batch_gives_the_objects_that_put_gives),
		WITH_STORE(a_file_too_big_is_refused_in_a_batch_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
