/*
 * test_fresh_clone.c - a clone has the remote-tracking branch, not the branch
 */
#include "tests/gitstore/store.h"

#define REMOTE "refs/remotes/origin/database-backups"

/* Go on in a clone "c" of the repository that the tests began with. */
static void move_to_clone(struct fixture *f, const char *options)
{
	assert_int_equal(repo_sh(f->folder,
				 "git clone -q -n %s file://%s c 2>&1", options,
				 f->repo),
			 0);
	free(f->repo);
	f->repo = path_join(f->folder, "c");
	reopen(f);
}

static struct history *read_with_note(struct fixture *f, int newest,
				      const char *want)
{
	struct history *h;
	char *note;

	assert_ok(gitstore_history(f->g, newest, &h, &note, &f->err), &f->err);
	if (want)
		assert_string_equal(note, want);
	else
		assert_null(note);
	free(note);
	return h;
}

static void the_first_export_goes_on_from_the_remote_s_list(void **state)
{
	struct fixture *f = *state;
	struct object_id a = add(f, "a\n", 0), b = add(f, "b\n", 1);
	struct object_id c = add(f, "c\n", 2), d;
	struct history *h;

	assert_ok(gitstore_pin(f->g, &a, 1, &f->err), &f->err);
	assert_ok(gitstore_delete(f->g, &b, &f->err), &f->err);
	move_to_clone(f, "");
	h = read_with_note(f, 0,
			   "'refs/heads/database-backups' is not here; going "
			   "on from '" REMOTE "' (2 snapshots)");
	assert_int_equal(h->count, 2);
	assert_int_equal(h->exists, 0);
	assert_string_equal(h->ref, REMOTE);
	history_free(h);
	assert_ok(gitstore_check(f->g, "app.db", 0, &f->err), &f->err);
	assert_git(f, REMOTE,
		   "git for-each-ref --format='%%(refname)' "
		   "'**/database-backups'");
	d = add(f, "d\n", 3);
	h = read_with_note(f, 0, NULL);
	assert_int_equal(h->count, 3);
	assert_int_equal(h->exists, 1);
	assert_string_equal(h->ref, "refs/heads/database-backups");
	assert_same(&h->snapshots[0].id, &d);
	assert_same(&h->snapshots[1].id, &c);
	assert_same(&h->snapshots[2].id, &a);
	assert_int_equal(h->snapshots[2].pinned, 1);
	assert_int_equal(h->keep, GITSTORE_KEEP);
	assert_int_equal(h->deleted_count, 1);
	assert_same(&h->deleted[0].id, &b);
	history_free(h);
	assert_git(f, "3", "git rev-list --count " REMOTE);
	assert_git(f, "", FSCK);
}

static void the_remote_s_retention_goes_on(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 1);
	struct gitstore_result r;

	add(f, "a\n", 0);
	s.keep = 2;
	assert_ok(publish(f->g, "b\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	move_to_clone(f, "");
	s = snapshot_of("ok", T0 + 2);
	assert_ok(publish(f->g, "c\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_int_equal(r.retained, 2);
	assert_int_equal(r.dropped, 1);
}

static void equal_content_adds_nothing_but_the_branch(void **state)
{
	struct fixture *f = *state;
	struct object_id a = add(f, "a\n", 0);
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 60);
	struct gitstore_result r;
	struct history *h;

	move_to_clone(f, "");
	assert_ok(publish(f->g, "a\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_int_equal(r.unchanged, 1);
	assert_int_equal(r.retained, 1);
	assert_same(&r.id, &a);
	h = read_with_note(f, 1, NULL);
	assert_int_equal(h->exists, 1);
	assert_int_equal(h->checked_at_s, T0 + 60);
	history_free(h);
	assert_git(f, "2", "git rev-list --count database-backups");
	assert_git(f, "", FSCK);
}

static void what_the_remote_s_list_holds_is_not_stored_again(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 60);
	struct gitstore_result r;

	add(f, "a\n", 0);
	move_to_clone(f, "");
	s.always = 1;
	assert_ok(publish(f->g, "a\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	/* snapshot.json, the root, the snapshot, the index commit */
	assert_git(f, "4",
		   "git show-index <$(ls -t .git/objects/pack/*.idx | while "
		   "read -r i; do git show-index <$i | grep -q \"$(git "
		   "rev-parse database-backups)\" && echo $i; done) | wc -l");
	assert_git(f, "", FSCK);
}

static void a_branch_holds_one_source_there_too(void **state)
{
	struct fixture *f = *state;

	add(f, "a\n", 0);
	move_to_clone(f, "");
	assert_refused(gitstore_check(f->g, "other.db", 0, &f->err), &f->err,
		       ERROR_REFUSED,
		       "branch 'database-backups' holds snapshots of 'app.db', "
		       "not of 'other.db'; use --branch NAME for another "
		       "database, or --source app.db if it is the same one");
	open_at(f, f->repo, "others");
	assert_ok(gitstore_check(f->g, "other.db", 0, &f->err), &f->err);
}

static void pins_and_deletes_begin_the_branch(void **state)
{
	struct fixture *f = *state;
	struct object_id a = add(f, "a\n", 0);
	struct history *h;

	add(f, "b\n", 1);
	move_to_clone(f, "");
	/* what is so already is no reason to make a branch */
	assert_ok(gitstore_pin(f->g, &a, 0, &f->err), &f->err);
	assert_git(f, "", "git for-each-ref refs/heads/database-backups");
	assert_ok(gitstore_pin(f->g, &a, 1, &f->err), &f->err);
	h = read_with_note(f, 0, NULL);
	assert_int_equal(h->count, 2);
	assert_int_equal(h->snapshots[1].pinned, 1);
	history_free(h);
	assert_int_equal(repo_sh(f->repo, "git update-ref -d "
					  "refs/heads/database-backups"),
			 0);
	assert_ok(gitstore_delete(f->g, &a, &f->err), &f->err);
	h = read_with_note(f, 0, NULL);
	assert_int_equal(h->count, 1);
	assert_same(&h->deleted[0].id, &a);
	history_free(h);
	assert_git(f, "", FSCK);
}

static void a_branch_that_is_there_stays_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct history *h;

	add(f, "a\n", 0);
	assert_int_equal(repo_sh(f->repo, "git branch old database-backups"),
			 0);
	add(f, "b\n", 1);
	move_to_clone(f, "");
	assert_int_equal(repo_sh(f->repo, "git branch -q database-backups "
					  "origin/old"),
			 0);
	h = read_with_note(f, 1,
			   "'" REMOTE "' (newest 2026-11-20 02:35:23Z) and "
			   "'refs/heads/database-backups' (newest 2026-11-20 "
			   "02:35:22Z) differ; reading the first");
	history_free(h);
	add(f, "c\n", 2);
	h = read_with_note(f, 0, NULL);
	assert_int_equal(h->count, 2);
	history_free(h);
}

static void of_several_remotes_the_newest_is_taken(void **state)
{
	struct fixture *f = *state;
	struct object_id b;
	struct history *h;

	add(f, "a\n", 0);
	assert_int_equal(repo_sh(f->repo, "git branch old database-backups"),
			 0);
	b = add(f, "b\n", 1);
	move_to_clone(f, "");
	/* the newer one behind, in front, and in a remote with a slash */
	assert_int_equal(repo_sh(f->repo,
				 "git update-ref refs/remotes/a/"
				 "database-backups origin/old && git "
				 "update-ref refs/remotes/z/database-backups "
				 "origin/old"),
			 0);
	h = read_with_note(f, 0,
			   "'refs/heads/database-backups' is not here; going "
			   "on from '" REMOTE "' (2 snapshots)");
	assert_same(&h->snapshots[0].id, &b);
	history_free(h);
	assert_int_equal(repo_sh(f->repo, "git update-ref refs/remotes/team/x/"
					  "database-backups " REMOTE " && git "
					  "update-ref " REMOTE " origin/old"),
			 0);
	/* until there is such a remote, that may be another branch of 'team' */
	h = read_history(f);
	assert_int_equal(h->count, 1);
	history_free(h);
	assert_int_equal(repo_sh(f->repo, "git remote add team/x /nowhere"), 0);
	h = read_with_note(f, 0,
			   "'refs/heads/database-backups' is not here; going "
			   "on from 'refs/remotes/team/x/database-backups' (2 "
			   "snapshots)");
	history_free(h);
}

static void a_remote_branch_that_is_not_ours_is_passed_over(void **state)
{
	struct fixture *f = *state;
	struct history *h;

	assert_int_equal(repo_sh(f->repo, "git commit -q --allow-empty -m x && "
					  "git branch database-backups"),
			 0);
	move_to_clone(f, "");
	assert_ok(gitstore_check(f->g, "app.db", 0, &f->err), &f->err);
	add(f, "a\n", 0);
	h = read_with_note(f, 1, NULL);
	assert_int_equal(h->count, 1);
	history_free(h);
}

/* A list of its own beside one that can't be read would be the same mistake. */
static void a_remote_branch_that_cannot_be_read_is_refused(void **state)
{
	static const char want[] =
		"cannot go on from '" REMOTE "': the branch is laid out in a "
		"newer way ('2') than this dbstow knows; update it";
	struct fixture *f = *state;
	struct history *h;

	add(f, "a\n", 0);
	move_to_clone(f, "");
	assert_int_equal(
		repo_sh(f->repo,
			"git update-ref refs/remotes/z/database-backups " REMOTE
			" && git update-ref " REMOTE " $(git log -1 "
			"--format=%%B " REMOTE " | sed 's/^Dbstow-Branch: 1/"
			"Dbstow-Branch: 2/' | git commit-tree " REMOTE "^{tree}"
			" -p " REMOTE "^1)"),
		0);
	/* another one will do */
	h = read_history(f);
	assert_string_equal(h->ref, "refs/remotes/z/database-backups");
	history_free(h);
	assert_int_equal(repo_sh(f->repo, "git update-ref -d "
					  "refs/remotes/z/database-backups"),
			 0);
	assert_refused(gitstore_check(f->g, "app.db", 0, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_refused(gitstore_history(f->g, 1, &h, NULL, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_git(f, "", "git for-each-ref refs/heads/database-backups");
}

static void what_a_shallow_clone_lacks_is_said(void **state)
{
	struct fixture *f = *state;
	struct object_id a = add(f, "a\n", 0), b = add(f, "b\n", 1);
	char hex[SHORT_HEX_SIZE], want[512];
	struct history *h;

	move_to_clone(f, "--depth 1 --no-single-branch");
	h = read_with_note(f, 1,
			   "'refs/heads/database-backups' is not here; reading "
			   "'" REMOTE "'");
	assert_int_equal(h->count, 2);
	assert_int_equal(h->snapshots[0].absent, 0);
	assert_int_equal(h->snapshots[1].absent, 1);
	history_free(h);
	object_short(hex, &b);
	snprintf(want, sizeof(want),
		 "snapshot %s of '" REMOTE "' is not in this repository, and "
		 "its list cannot be taken over without it; run 'git fetch "
		 "--unshallow' or work in a full clone",
		 hex);
	assert_refused(gitstore_check(f->g, "app.db", 0, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_refused(gitstore_pin(f->g, &a, 1, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_git(f, "", "git for-each-ref refs/heads/database-backups");
	/* and what is said to help does */
	assert_int_equal(repo_sh(f->repo, "git fetch -q --unshallow"), 0);
	reopen(f);
	add(f, "c\n", 2);
	h = read_history(f);
	assert_int_equal(h->count, 3);
	history_free(h);
	assert_git(f, "", FSCK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_export_goes_on_from_the_remote_s_list),
		TEST(the_remote_s_retention_goes_on),
		TEST(equal_content_adds_nothing_but_the_branch),
		TEST(what_the_remote_s_list_holds_is_not_stored_again),
		TEST(a_branch_holds_one_source_there_too),
		TEST(pins_and_deletes_begin_the_branch),
		TEST(a_branch_that_is_there_stays_as_it_is),
		TEST(of_several_remotes_the_newest_is_taken),
		TEST(a_remote_branch_that_is_not_ours_is_passed_over),
		TEST(a_remote_branch_that_cannot_be_read_is_refused),
		TEST(what_a_shallow_clone_lacks_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
