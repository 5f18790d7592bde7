/*
 * test_place.c - packs that no ref reaches yet: git at work beside us, killed
 * runs
 */
#include <signal.h>
#include <sys/wait.h>

#include "tests/gitstore/in_repo.h"

static void a_gc_between_publish_and_commit_takes_nothing(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct gitstore_result r;

	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_int_equal(repo_sh(f->repo, "git gc -q --prune=now"), 0);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_git(f, "", FSCK);
	assert_git(f, "one", "git show database-backups:data/tables/t/0.jsonl");
	assert_git(f, "", "ls .git/objects/pack | grep keep || true");
	assert_int_equal(repo_sh(f->repo, "git gc -q --prune=now"), 0);
	assert_git(f, "", FSCK);
}

/* Publish and place `rows`, as gitstore_commit() does before the ref moves. */
static int place(struct gitstore *g, const char *rows, struct new_commit *c,
		 struct move *m, struct error *err)
{
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	const struct new_commit *commits[] = { c };

	memset(c, 0, sizeof(*c));
	memset(m, 0, sizeof(*m));
	if (publish(g, rows, &s, err) < 0 ||
	    commit_build(g, &s.tree, NULL, 0, T0, "x\n", c, err) < 0 ||
	    store_lock(g, err) < 0)
		return -1;
	m->ref = g->ref;
	m->id = c->id;
	m->log = "x";
	return place_commits(g, commits, 1, 1, m, err);
}

static void a_gc_between_place_and_move_takes_nothing(void **state)
{
	struct fixture *f = *state;
	struct new_commit c;
	struct move m;

	assert_ok(place(f->g, "one\n", &c, &m, &f->err), &f->err);
	assert_git(f, "idx\nkeep\npack",
		   "ls .git/objects/pack | sed 's/.*[.]//'");
	assert_int_equal(repo_sh(f->repo, "git gc -q --prune=now"), 0);
	assert_int_equal(ref_move(f->g, &m, &f->err), MOVE_DONE);
	placed_release(f->g);
	assert_git(f, "", FSCK);
	assert_git(f, "one", "git show database-backups:data/tables/t/0.jsonl");
	buffer_release(&c.body);
}

static void a_pack_whose_ref_did_not_move_is_removed(void **state)
{
	struct fixture *f = *state;
	struct new_commit c;
	struct move m;

	assert_ok(place(f->g, "one\n", &c, &m, &f->err), &f->err);
	reopen(f);
	assert_git(f, "0", "find .git/objects -type f | wc -l");
	/* but not when it moved after all */
	buffer_release(&c.body);
	assert_ok(place(f->g, "one\n", &c, &m, &f->err), &f->err);
	assert_int_equal(ref_move(f->g, &m, &f->err), MOVE_DONE);
	placed_discard(f->g);
	assert_git(f, "", FSCK);
	buffer_release(&c.body);
}

/* A run that is killed when it has placed its pack, or a moment later. */
static void killed_after_place(struct fixture *f, int moved)
{
	struct gitstore_options o = { f->repo, NULL };
	struct error err = ERROR_INIT;
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct new_commit c;
		struct gitstore *g;
		struct move m;

		if (gitstore_open(&g, &o, &err) < 0 ||
		    place(g, "killed\n", &c, &m, &err) < 0 ||
		    (moved && ref_move(g, &m, &err) != MOVE_DONE))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_git(f, "idx\nkeep\npack",
		   "ls .git/objects/pack | sed 's/.*[.]//'");
}

static void what_a_killed_run_placed_is_swept(void **state)
{
	struct fixture *f = *state;

	killed_after_place(f, 0);
	assert_git(f, "2", "ls .git/dbstow | wc -l");
	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_git(f, "0", "ls .git/objects/pack | wc -l");
	assert_git(f, "lock", "ls .git/dbstow");
}

static void a_pack_that_the_ref_reaches_is_not_swept(void **state)
{
	struct fixture *f = *state;

	killed_after_place(f, 1);
	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_git(f, "idx\npack", "ls .git/objects/pack | sed 's/.*[.]//'");
	assert_git(f, "", FSCK);
}

static void a_pack_that_somebody_came_to_rely_on_is_not_swept(void **state)
{
	struct fixture *f = *state;

	killed_after_place(f, 0);
	/* git does not store what it finds in our pack */
	assert_int_equal(repo_sh(f->repo, "echo killed >x && git add x"), 0);
	assert_git(f, "3", "find .git/objects -type f | wc -l");
	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_git(f, "killed", "git show :x");
	assert_git(f, "idx\npack", "ls .git/objects/pack | sed 's/.*[.]//'");
}

static void a_pack_with_what_was_there_before_is_not_removed(void **state)
{
	struct fixture *f = *state;
	struct new_commit c;
	struct move m;

	assert_int_equal(repo_sh(f->repo, "echo one >x && git add x && git "
					  "commit -qm x"),
			 0);
	assert_ok(place(f->g, "one\n", &c, &m, &f->err), &f->err);
	/* leaves out of its own pack what ours holds, drops the loose one */
	assert_int_equal(repo_sh(f->repo, "git gc -q --prune=now"), 0);
	reopen(f);
	assert_git(f, "one", "git show HEAD:x");
	assert_git(f, "", FSCK);
	buffer_release(&c.body);
}

static void the_keep_files_of_others_are_left_alone(void **state)
{
	struct fixture *f = *state;
	const char *name = "objects/pack/"
			   "pack-1234567890123456789012345678901234567890.keep";

	write_in(f, name, "receive-pack 4711 on host\n");
	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_int_equal(is_there(f, name), 1);
	write_in(f, name, "");
	store_unlock(f->g);
	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_int_equal(is_there(f, name), 1);
}

static void a_pack_of_a_run_that_lives_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct fixture other = { .repo = f->repo };
	struct new_commit c;
	struct move m;

	assert_ok(place(f->g, "one\n", &c, &m, &f->err), &f->err);
	store_unlock(f->g);
	reopen(&other);
	assert_ok(store_lock(other.g, &f->err), &f->err);
	gitstore_free(other.g);
	assert_git(f, "idx\nkeep\npack",
		   "ls .git/objects/pack | sed 's/.*[.]//'");
	buffer_release(&c.body);
}

static void half_a_pack_of_a_killed_run_is_swept(void **state)
{
	struct fixture *f = *state;

	killed_after_place(f, 0);
	assert_int_equal(repo_sh(f->repo, "rm -f .git/objects/pack/*.idx"), 0);
	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_git(f, "0", "ls .git/objects/pack | wc -l");
}

#define PACKS "ls .git/objects/pack/*.pack | wc -l"
#define LOOSE "find .git/objects/?? -type f 2>/dev/null | wc -l"

static void
a_prune_before_and_after_the_move_leaves_a_changed_list(void **state)
{
	struct fixture *f = *state;
	struct new_commit c = { .body = BUFFER_INIT };
	const struct new_commit *commits[] = { &c };
	struct object_id tip;
	struct raw_commit old;
	struct move m = { .ref = f->g->ref, .log = "x" };

	add(f, "one\n", 0);
	assert_int_equal(ref_read(f->g, f->g->ref, &tip, &f->err), 0);
	assert_int_equal(raw_commit_read(f->g, &tip, &old, &f->err), 0);
	assert_ok(commit_build(f->g, &old.tree, old.parents, old.parent_count,
			       T0 + 1, old.message, &c, &f->err),
		  &f->err);
	m.old = tip;
	m.id = c.id;
	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_ok(place_commits(f->g, commits, 1, 0, &m, &f->err), &f->err);
	assert_git(f, "", "git prune --expire=now; git repack -adq");
	assert_int_equal(ref_move(f->g, &m, &f->err), MOVE_DONE);
	placed_release(f->g);
	/* one that looked at the refs before takes loose objects only */
	assert_git(f, "0", LOOSE);
	assert_git(f, "", FSCK);
	raw_commit_release(&old);
	buffer_release(&c.body);
}

static void many_changes_of_the_list_are_one_pack(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add(f, "one\n", 0);
	int i;

	for (i = 0; i < 12; i++) {
		assert_ok(gitstore_pin(f->g, &id, i % 2 == 0, &f->err),
			  &f->err);
		assert_git(f, "2", PACKS);
	}
	assert_git(f, "0", LOOSE);
	assert_git(f, "", "ls .git/objects/pack | grep keep || true");
	/* the snapshot, and each list */
	assert_git(f, "14",
		   "git cat-file --batch-all-objects --batch-check | "
		   "grep -c commit");
	assert_git(f, "", FSCK);
}

/* No pack may go while it is at work. */
static void while_a_gc_runs_a_changed_list_leaves_the_one_before(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add(f, "one\n", 0);

	assert_ok(gitstore_pin(f->g, &id, 1, &f->err), &f->err);
	assert_git(f, "2", PACKS);
	write_in(f, "gc.pid", "4711 host\n");
	assert_ok(gitstore_pin(f->g, &id, 0, &f->err), &f->err);
	assert_git(f, "3", PACKS);
	assert_git(f, "", "rm .git/gc.pid");
	assert_ok(gitstore_pin(f->g, &id, 1, &f->err), &f->err);
	assert_git(f, "2", PACKS);
	assert_git(f, "", FSCK);
}

/* git prunes nothing there, and we remove no pack */
static void a_changed_list_is_loose_where_objects_are_precious(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add(f, "one\n", 0);

	assert_git(f, "",
		   "git config core.repositoryFormatVersion 1 && "
		   "git config extensions.preciousObjects true");
	assert_ok(gitstore_pin(f->g, &id, 1, &f->err), &f->err);
	assert_git(f, "1", PACKS);
	assert_git(f, "1", LOOSE);
	assert_git(f, "", FSCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_gc_between_publish_and_commit_takes_nothing, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_gc_between_place_and_move_takes_nothing, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_pack_whose_ref_did_not_move_is_removed, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			what_a_killed_run_placed_is_swept, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_pack_that_the_ref_reaches_is_not_swept, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_pack_that_somebody_came_to_rely_on_is_not_swept,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_pack_with_what_was_there_before_is_not_removed, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			the_keep_files_of_others_are_left_alone, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_pack_of_a_run_that_lives_is_left_alone, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			half_a_pack_of_a_killed_run_is_swept, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_prune_before_and_after_the_move_leaves_a_changed_list,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			many_changes_of_the_list_are_one_pack, setup, teardown),
		cmocka_unit_test_setup_teardown(
			while_a_gc_runs_a_changed_list_leaves_the_one_before,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_changed_list_is_loose_where_objects_are_precious,
			setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
