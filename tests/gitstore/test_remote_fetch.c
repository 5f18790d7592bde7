/*
 * test_remote_fetch.c - fetching from a folder, and keeping what came
 */
#include "tests/gitstore/remotes.h"

/* Three snapshots in there.git; ours is another, empty repository. */
static struct object_id fill_remote(struct fixture *f, struct object_id ids[3])
{
	struct object_id tip;
	struct remote *r;
	int i;

	for (i = 0; i < 3; i++)
		ids[i] = add_rows(f, i, i);
	tip = tip_of(f);
	make_remote(f);
	r = open_remote(f, "there.git");
	push_ok(f, r, NULL);
	remote_free(r);
	assert_int_equal(repo_sh(f->folder, "git init -q -b main fresh"), 0);
	free(f->repo);
	f->repo = path_join(f->folder, "fresh");
	reopen(f);
	return tip;
}

static int can_read(struct remote *r, const struct object_id *id)
{
	struct gitstore *g = remote_store(r, NULL);
	struct buffer out = BUFFER_INIT;
	struct source *s = NULL;
	int rc = gitstore_source(g, id, &s, NULL);

	if (!rc)
		rc = s->read(s, "data/tables/t/0.jsonl", &out, NULL);
	source_free(s);
	rc = !rc && out.size > 10000;
	buffer_release(&out);
	return rc;
}

static void all_is_fetched_and_kept(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3], tip = fill_remote(f, ids);
	struct move m = { .ref = REF, .id = tip, .log = "test" };
	struct remote *r = open_remote(f, "there.git");
	struct history *h;

	assert_ok(remote_fetch(r, &tip, 1, REMOTE_WHOLE, &f->err), &f->err);
	assert_ok(gitstore_history(remote_store(r, &f->err), 0, &h, NULL,
				   &f->err),
		  &f->err);
	assert_int_equal(h->count, 3);
	assert_same(&h->snapshots[0].id, &ids[2]);
	history_free(h);
	assert_true(can_read(r, &ids[0]));
	assert_true(can_read(r, &ids[2]));
	assert_int_equal(object_exists(f->g, &tip), 0);

	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_ok(remote_keep(r, &m, &f->err), &f->err);
	assert_int_equal(ref_move(f->g, &m, &f->err), MOVE_DONE);
	placed_release(f->g);
	store_unlock(f->g);
	remote_free(r);
	assert_sound(f, "fresh");
	h = read_history(f);
	assert_int_equal(h->count, 3);
	history_free(h);
	reopen(f);
	assert_git(f, "", "ls .git/objects/pack | grep keep || true");
	assert_git(f, "", "ls .git/dbstow | grep tmp || true");
}

static void what_is_not_kept_is_gone(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3], tip = fill_remote(f, ids);
	struct remote *r = open_remote(f, "there.git");

	assert_ok(remote_fetch(r, &tip, 1, REMOTE_WHOLE, &f->err), &f->err);
	remote_free(r);
	assert_git(f, "", "find .git/objects -type f; ls .git/dbstow");
}

static void only_what_is_missing_is_fetched(void **state)
{
	struct fixture *f = *state;
	struct object_id id, tip;
	struct remote *r;
	char *count;

	add_rows(f, 0, 0);
	add_rows(f, 1, 1);
	assert_int_equal(repo_sh(f->folder, "cp -r r fresh"), 0);
	id = add_rows(f, 2, 2);
	tip = tip_of(f);
	make_remote(f);
	r = open_remote(f, "there.git");
	push_ok(f, r, NULL);
	remote_free(r);
	free(f->repo);
	f->repo = path_join(f->folder, "fresh");
	reopen(f);
	r = open_remote(f, "there.git");
	assert_ok(remote_fetch(r, &tip, 1, REMOTE_WHOLE, &f->err), &f->err);
	assert_true(can_read(r, &id));
	/* 2 commits, 4 folders, 2 files, and the base of a delta */
	count = repo_out(f->repo, "git show-index <$(ls .git/dbstow/tmp.*/"
				  "transfer/objects/pack/*.idx) | wc -l");
	assert_int_equal(strtol(count, NULL, 10), 9);
	free(count);
	remote_free(r);
}

static void one_old_snapshot_comes_alone(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3], tip = fill_remote(f, ids);
	struct remote *r = open_remote(f, "there.git");
	struct history *h;

	assert_ok(remote_fetch(r, &tip, 1, REMOTE_LIST, &f->err), &f->err);
	assert_ok(gitstore_history(remote_store(r, &f->err), 0, &h, NULL,
				   &f->err),
		  &f->err);
	assert_int_equal(h->count, 3);
	history_free(h);
	assert_false(can_read(r, &ids[0]));
	assert_ok(remote_fetch(r, &ids[0], 1, REMOTE_TIP, &f->err), &f->err);
	assert_true(can_read(r, &ids[0]));
	assert_false(can_read(r, &ids[1]));
	remote_free(r);
}

static void lists_come_without_files_where_the_server_can(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3], tip = fill_remote(f, ids);
	struct remote *r = open_remote(f, "there.git");
	struct raw_commit c;
	struct remote_ref ref;

	assert_int_equal(repo_sh(f->folder, "git -C there.git config "
					    "uploadpack.allowFilter true"),
			 0);
	assert_ok(remote_refs(r, REF, &ref, &f->err), &f->err);
	assert_int_equal(ref.filters, 1);
	assert_ok(remote_fetch(r, &tip, 1, REMOTE_LIST, &f->err), &f->err);
	assert_int_equal(raw_commit_read(r->transfer, &ids[0], &c, &f->err), 0);
	raw_commit_release(&c);
	assert_false(can_read(r, &ids[2]));
	assert_ok(remote_fetch(r, &tip, 1, REMOTE_WHOLE, &f->err), &f->err);
	assert_true(can_read(r, &ids[2]));
	assert_true(can_read(r, &ids[0]));
	remote_free(r);
}

/* A list and one snapshot: the others' commits must not come without files. */
static void commits_are_kept_only_with_their_files(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3], tip = fill_remote(f, ids);
	struct move m = { .ref = "refs/heads/one", .log = "test" };
	struct remote *r = open_remote(f, "there.git");

	m.id = ids[1];
	assert_int_equal(repo_sh(f->folder, "git -C there.git config "
					    "uploadpack.allowFilter true"),
			 0);
	assert_ok(remote_fetch(r, &tip, 1, REMOTE_LIST, &f->err), &f->err);
	assert_ok(remote_fetch(r, &ids[1], 1, REMOTE_WHOLE, &f->err), &f->err);
	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_ok(remote_keep(r, &m, &f->err), &f->err);
	assert_int_equal(ref_move(f->g, &m, &f->err), MOVE_DONE);
	placed_release(f->g);
	store_unlock(f->g);
	assert_true(object_exists(f->g, &ids[1]));
	assert_false(object_exists(f->g, &ids[0]));
	assert_false(object_exists(f->g, &tip));
	remote_free(r);
	assert_sound(f, "fresh");
}

/* Files that are here need no second coming, their commit does. */
static void a_commit_whose_files_were_here_is_kept(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3], tip = fill_remote(f, ids);
	struct move m = { .ref = REF, .id = tip, .log = "test" };
	struct remote *r;

	assert_int_equal(
		repo_sh(f->folder,
			"git -C there.git config uploadpack.allowFilter true; "
			"rm -rf fresh && git clone -q --depth=1 -b "
			"database-backups file://$PWD/there.git fresh && "
			"git -C fresh checkout -q --detach && "
			"git -C fresh branch -D database-backups"),
		0);
	reopen(f);
	r = open_remote(f, "there.git");
	assert_ok(remote_fetch(r, &ids[0], 1, REMOTE_WHOLE, &f->err), &f->err);
	assert_ok(remote_fetch(r, &ids[1], 1, REMOTE_WHOLE, &f->err), &f->err);
	assert_ok(remote_fetch(r, &ids[2], 1, REMOTE_LIST, &f->err), &f->err);
	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_ok(remote_keep(r, &m, &f->err), &f->err);
	assert_true(object_exists(f->g, &ids[2]));
	placed_release(f->g);
	store_unlock(f->g);
	remote_free(r);
	assert_sound(f, "fresh");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(all_is_fetched_and_kept),
		T(what_is_not_kept_is_gone),
		T(only_what_is_missing_is_fetched),
		T(one_old_snapshot_comes_alone),
		T(lists_come_without_files_where_the_server_can),
		T(commits_are_kept_only_with_their_files),
		T(a_commit_whose_files_were_here_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
