/*
 * test_lock.c - several writers, and the locks of killed ones
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "tests/gitstore/in_repo.h"

/* A process id that is nobody's: a child that is gone. */
static long gone_pid(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	return (long)pid;
}

#define REF_LOCK "refs/heads/database-backups.lock"

/* An intent as a killed run leaves it. */
static void leave_intent(struct fixture *f)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "ref refs/heads/database-backups\n"
		 "old 0000000000000000000000000000000000000000\n"
		 "new 1111111111111111111111111111111111111111\n"
		 "pid %ld\nboot %s\n",
		 gone_pid(), boot_id());
	write_in(f, "dbstow/intent", text);
}

static void an_empty_ref_lock_of_a_killed_run_is_removed(void **state)
{
	struct fixture *f = *state;

	leave_intent(f);
	write_in(f, REF_LOCK, "");
	write_in(f, "logs/" REF_LOCK, "");
	add(f, "one\n", 0);
	assert_int_equal(is_there(f, REF_LOCK), 0);
	assert_int_equal(is_there(f, "logs/" REF_LOCK), 0);
	assert_int_equal(is_there(f, "dbstow/intent"), 0);
}

static void a_ref_lock_with_the_id_of_a_killed_run_is_removed(void **state)
{
	struct fixture *f = *state;
	char *path = in_repo(f, REF_LOCK);

	leave_intent(f);
	write_in(f, REF_LOCK, "1111111111111111111111111111111111111111\n");
	/* however late it was written */
	assert_int_equal(repo_sh("/", "touch -d '+1 hour' '%s'", path), 0);
	add(f, "one\n", 0);
	assert_int_equal(is_there(f, REF_LOCK), 0);
	free(path);
}

static void assert_locked(struct fixture *f)
{
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct gitstore_result r;
	char want[1024];

	reopen(f);
	f->g->tries = 2;
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_int_equal(gitstore_commit(f->g, &s, &r, &f->err), -1);
	assert_int_equal(f->err.code, ERROR_CONFLICT);
	snprintf(want, sizeof(want),
		 "'refs/heads/database-backups' is locked by the file "
		 "'%s/.git/" REF_LOCK "', made 3 h ago; wait for the git "
		 "process that made it, or remove that file if there is none",
		 f->repo);
	assert_string_equal(f->err.message, want);
	error_clear(&f->err);
	assert_int_equal(is_there(f, REF_LOCK), 1);
	assert_git(f, "", "git for-each-ref");
}

static void a_foreign_ref_lock_is_named_and_left_alone(void **state)
{
	struct fixture *f = *state;
	char *path = in_repo(f, REF_LOCK);

	write_in(f, REF_LOCK, "");
	assert_int_equal(repo_sh("/", "touch -d '-3 hours' '%s'", path), 0);
	assert_locked(f);
	/* an intent does not make it ours when it holds another id */
	leave_intent(f);
	write_in(f, REF_LOCK, "2222222222222222222222222222222222222222\n");
	assert_int_equal(repo_sh("/", "touch -d '-3 hours' '%s'", path), 0);
	assert_locked(f);
	/* nor when it is empty and from another time */
	leave_intent(f);
	write_in(f, REF_LOCK, "");
	assert_int_equal(repo_sh("/", "touch -d '-3 hours' '%s'", path), 0);
	assert_locked(f);
	free(path);
}

static void the_lock_is_waited_for_and_its_holder_named(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct object_id id = add(f, "one\n", 0);
	struct gitstore_result r;
	char *path = in_repo(f, "dbstow/lock"), want[512];
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "4711\n", 5, 0), 5);
	f->g->lock_wait_ms = 50;
	snprintf(want, sizeof(want),
		 "another dbstow (process 4711) has been writing to the "
		 "repository '%s' for 0 s; wait for it and try again",
		 f->repo);
	assert_refused(gitstore_pin(f->g, &id, 1, &f->err), &f->err,
		       ERROR_CONFLICT, want);
	assert_ok(publish(f->g, "two\n", &s, &f->err), &f->err);
	assert_refused(gitstore_commit(f->g, &s, &r, &f->err), &f->err,
		       ERROR_CONFLICT, want);
	close(fd);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_ok(gitstore_pin(f->g, &id, 1, &f->err), &f->err);
	free(path);
}

static void a_hand_that_moves_the_branch_again_and_again_wins(void **state)
{
	struct fixture *f = *state;

	add(f, "one\n", 0);
	f->g->tries = 0;
	{
		struct gitstore_snapshot s = snapshot_of("ok", T0 + 1);
		struct gitstore_result r;

		assert_ok(publish(f->g, "two\n", &s, &f->err), &f->err);
		assert_refused(
			gitstore_commit(f->g, &s, &r, &f->err), &f->err,
			ERROR_CONFLICT,
			"the branch 'database-backups' kept moving while "
			"it was to be written, 0 times; try again");
	}
}

static void the_ref_moves_only_from_where_it_was_read(void **state)
{
	struct fixture *f = *state;
	struct object_id wrong, id, now;
	struct move m;

	add(f, "one\n", 0);
	assert_int_equal(ref_read(f->g, f->g->ref, &now, &f->err), 0);
	memset(&wrong, 0x22, sizeof(wrong));
	memset(&id, 0x33, sizeof(id));
	assert_ok(store_lock(f->g, &f->err), &f->err);
	m.ref = f->g->ref;
	m.log = "x";
	m.id = id;
	m.old = wrong;
	assert_int_equal(ref_move(f->g, &m, &f->err), MOVE_CHANGED);
	memset(&m.old, 0, sizeof(m.old)); /* "only if absent" */
	assert_int_equal(ref_move(f->g, &m, &f->err), MOVE_CHANGED);
	store_unlock(f->g);
	assert_int_equal(ref_read(f->g, f->g->ref, &id, &f->err), 0);
	assert_same(&id, &now);
	assert_int_equal(is_there(f, REF_LOCK), 0);
	assert_int_equal(is_there(f, "dbstow/intent"), 0);
}

static void what_another_writer_added_meanwhile_stays(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 5);
	struct gitstore_result r;
	struct fixture other = { .repo = f->repo };
	struct history *h;
	struct object_id theirs;

	add(f, "one\n", 0);
	assert_ok(publish(f->g, "two\n", &s, &f->err), &f->err);
	reopen(&other);
	theirs = add(&other, "three\n", 1);
	gitstore_free(other.g);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	h = read_history(f);
	assert_int_equal(h->count, 3);
	assert_same(&h->snapshots[0].id, &r.id);
	assert_same(&h->snapshots[1].id, &theirs);
	history_free(h);
	assert_git(f, "", FSCK);
}

static void objects_that_a_gc_took_meanwhile_are_missed(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 5);
	struct gitstore_result r;

	add(f, "one\n", 0);
	/* what lies in a pack of ours would be taken along */
	assert_int_equal(repo_sh(f->repo, "git repack -adq"), 0);
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	s.always = 1;
	assert_int_equal(repo_sh(f->repo, "git branch -qD database-backups && "
					  "git gc -q --prune=now"),
			 0);
	assert_int_equal(gitstore_commit(f->g, &s, &r, &f->err), -1);
	assert_int_equal(f->err.code, ERROR_CONFLICT);
	assert_non_null(strstr(f->err.message,
			       "went away while the export ran; run it again"));
	error_clear(&f->err);
	assert_git(f, "", "git for-each-ref");
}

/* Each child adds `count` snapshots of its own. */
static void child_adds(const char *repo, int child, int count)
{
	struct gitstore_options o = { repo, NULL };
	struct error err = ERROR_INIT;
	char rows[64];
	int i;

	for (i = 0; i < count; i++) {
		struct gitstore_snapshot s =
			snapshot_of("ok", T0 + child * 100 + i);
		struct gitstore_result r;
		struct gitstore *g;

		s.keep = 100;
		snprintf(rows, sizeof(rows), "child %d row %d\n", child, i);
		if (gitstore_open(&g, &o, &err) < 0 ||
		    publish(g, rows, &s, &err) < 0 ||
		    gitstore_commit(g, &s, &r, &err) < 0) {
			fprintf(stderr, "child: %s\n", err.message);
			_exit(1);
		}
		gitstore_free(g);
	}
	_exit(0);
}

static void two_writers_at_once_lose_no_snapshot(void **state)
{
	struct fixture *f = *state;
	struct history *h;
	pid_t pids[3];
	int i, status;

	gitstore_free(f->g);
	f->g = NULL;
	for (i = 0; i < 3; i++) {
		pids[i] = fork();
		if (!pids[i])
			child_adds(f->repo, i, 8);
	}
	/* and git itself in between */
	for (i = 0; i < 5; i++)
		repo_sh(f->repo, "git pack-refs --all; git gc -q --prune=now");
	for (i = 0; i < 3; i++) {
		waitpid(pids[i], &status, 0);
		assert_int_equal(status, 0);
	}
	reopen(f);
	h = read_history(f);
	assert_int_equal(h->count, 24);
	history_free(h);
	assert_git(f, "", FSCK);
	assert_git(f, "lock", "ls .git/dbstow");
	assert_git(f, "", "ls .git/objects/pack | grep keep || true");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_empty_ref_lock_of_a_killed_run_is_removed, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_ref_lock_with_the_id_of_a_killed_run_is_removed,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_foreign_ref_lock_is_named_and_left_alone, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			the_lock_is_waited_for_and_its_holder_named, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_hand_that_moves_the_branch_again_and_again_wins,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_ref_moves_only_from_where_it_was_read, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			what_another_writer_added_meanwhile_stays, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			objects_that_a_gc_took_meanwhile_are_missed, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			two_writers_at_once_lose_no_snapshot, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
