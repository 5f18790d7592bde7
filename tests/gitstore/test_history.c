/*
 * test_history.c - reading the branch, finding a snapshot, shallow and hostile
 */
#include "tests/gitstore/store.h"

static void a_repository_without_the_branch_has_an_empty_history(void **state)
{
	struct fixture *f = *state;
	struct history *h;
	size_t at;

	assert_ok(gitstore_history(f->g, 1, &h, NULL, &f->err), &f->err);
	assert_int_equal(h->exists, 0);
	assert_int_equal(h->count, 0);
	assert_null(h->source);
	assert_refused(history_find(h, "latest", &at, &f->err), &f->err,
		       ERROR_FAILED,
		       "there is no snapshot here yet; 'dbstow export' makes "
		       "one, 'dbstow sync --pull' brings a remote's");
	assert_refused(history_find_at(h, T0, &at, &f->err), &f->err,
		       ERROR_FAILED,
		       "there is no snapshot here yet; 'dbstow export' makes "
		       "one, 'dbstow sync --pull' brings a remote's");
	history_free(h);
}

static void all_that_was_said_of_a_snapshot_is_read_back(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct gitstore_result r;
	struct history *h;

	s.name = "before 2.0";
	s.kind = "manual";
	s.description = "two\nlines";
	s.schema_revision = "alembic 1234";
	s.tables = 3;
	s.rows = 4;
	s.bytes = 5;
	s.keep = 11;
	s.pin = 1;
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	h = read_history(f);
	assert_int_equal(h->exists, 1);
	assert_int_equal(h->keep, 11);
	assert_string_equal(h->source, "app.db");
	assert_string_equal(h->ref, "refs/heads/database-backups");
	assert_int_equal(h->count, 1);
	assert_same(&h->snapshots[0].id, &r.id);
	assert_same(&h->snapshots[0].content, &s.content);
	assert_int_equal(h->snapshots[0].created_at_s, T0);
	assert_string_equal(h->snapshots[0].source, "app.db");
	assert_string_equal(h->snapshots[0].name, "before 2.0");
	assert_string_equal(h->snapshots[0].kind, "manual");
	assert_string_equal(h->snapshots[0].description, "two lines");
	assert_string_equal(h->snapshots[0].drill, "ok");
	assert_string_equal(h->snapshots[0].schema_revision, "alembic 1234");
	assert_int_equal(h->snapshots[0].tables, 3);
	assert_int_equal(h->snapshots[0].rows, 4);
	assert_int_equal(h->snapshots[0].bytes, 5);
	assert_int_equal(h->snapshots[0].pinned, 1);
	assert_int_equal(h->snapshots[0].absent, 0);
	history_free(h);
}

static void order_is_the_recorded_one_newest_first(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[4];
	struct history *h;
	char rows[16];
	int i;

	for (i = 0; i < 4; i++) { /* all in one second */
		snprintf(rows, sizeof(rows), "%d\n", i);
		ids[i] = add(f, rows, 0);
	}
	h = read_history(f);
	assert_int_equal(h->count, 4);
	for (i = 0; i < 4; i++)
		assert_same(&h->snapshots[i].id, &ids[3 - i]);
	history_free(h);
}

/* Three snapshots that are made up. */
static struct history *made_up(void)
{
	static const char *names[] = { NULL, "upgrade", "abcd1" };
	static const int64_t times[] = { T0 + 86400, T0 + 3600, T0 };
	struct history *h = history_new();
	struct error err = ERROR_INIT;
	int i;

	for (i = 2; i >= 0; i--) {
		struct snapshot s;

		memset(&s, 0, sizeof(s));
		memset(s.id.bytes, 0xab, 20);
		s.id.bytes[1] = (unsigned char)(0xcd + (i == 1));
		s.id.bytes[3] = (unsigned char)i;
		s.created_at_s = times[i];
		s.name = names[i] ? strdup(names[i]) : NULL;
		assert_ok(history_prepend(h, &s, &err), &err);
	}
	return h;
}

static void assert_finds(const char *what, size_t want)
{
	struct history *h = made_up();
	struct error err = ERROR_INIT;
	size_t at;

	assert_ok(history_find(h, what, &at, &err), &err);
	assert_int_equal(at, want);
	history_free(h);
}

static void assert_finds_not(const char *what, const char *want)
{
	struct history *h = made_up();
	struct error err = ERROR_INIT;
	size_t at;

	assert_refused(history_find(h, what, &at, &err), &err, ERROR_FAILED,
		       want);
	history_free(h);
}

#define ALL                                                                    \
	"abcdab0 (2026-11-21 02:35:22Z), abceab0 (2026-11-20 03:35:22Z, "      \
	"upgrade), abcdab0 (2026-11-20 02:35:22Z, abcd1)"

static void a_snapshot_is_found_by_all_its_names(void **state)
{
	(void)state;
	assert_finds("latest", 0);
	assert_finds("latest~0", 0);
	assert_finds("latest~2", 2);
	assert_finds("abcdab00", 0);
	assert_finds("ABCDAB00", 0);
	assert_finds("abcdab02", 2);
	assert_finds("abce", 1);
	assert_finds("upgrade", 1);
	assert_finds("abcd1", 2);
	assert_finds("2026-11-20", 1);
	assert_finds("2026-11", 0);
	assert_finds("2026-11-20T02", 2);
	assert_finds("2026-11-20 02:35:22Z", 2);
}

static void what_is_not_there_is_answered_with_what_is(void **state)
{
	(void)state;
	assert_finds_not("latest~3",
			 "there is no snapshot 'latest~3'; there are: " ALL);
	assert_finds_not("latest~x",
			 "there is no snapshot 'latest~x'; there are: " ALL);
	assert_finds_not("abc", "there is no snapshot 'abc'; there are: " ALL);
	assert_finds_not("2025",
			 "there is no snapshot '2025'; there are: " ALL);
	assert_finds_not("", "there is no snapshot ''; there are: " ALL);
}

static void a_prefix_of_two_is_not_guessed_at(void **state)
{
	struct history *h;
	struct error err = ERROR_INIT;
	size_t at;

	(void)state;
	assert_finds_not("abcd", "'abcd' could be any of: abcdab0 (2026-11-21 "
				 "02:35:22Z), abcdab0 (2026-11-20 02:35:22Z, "
				 "abcd1)");
	/* a name that looks like another's id */
	h = made_up();
	free(h->snapshots[2].name);
	h->snapshots[2].name = strdup("abce");
	assert_refused(history_find(h, "abce", &at, &err), &err, ERROR_FAILED,
		       "'abce' could be any of: abceab0 (2026-11-20 03:35:22Z, "
		       "upgrade), abcdab0 (2026-11-20 02:35:22Z, abce)");
	/* "latest" is the newest, whatever somebody was named */
	free(h->snapshots[2].name);
	h->snapshots[2].name = strdup("latest");
	assert_ok(history_find(h, "latest", &at, &err), &err);
	assert_int_equal(at, 0);
	history_free(h);
}

static void the_newest_not_newer_than_a_time_is_found(void **state)
{
	struct history *h = made_up();
	struct error err = ERROR_INIT;
	size_t at;

	(void)state;
	assert_ok(history_find_at(h, T0 + 90000, &at, &err), &err);
	assert_int_equal(at, 0);
	assert_ok(history_find_at(h, T0 + 3600, &at, &err), &err);
	assert_int_equal(at, 1);
	assert_ok(history_find_at(h, T0 + 3599, &at, &err), &err);
	assert_int_equal(at, 2);
	assert_refused(history_find_at(h, T0 - 1, &at, &err), &err,
		       ERROR_FAILED,
		       "there is no snapshot as old as 2026-11-20 02:35:21Z; "
		       "the oldest is of 2026-11-20 02:35:22Z");
	history_free(h);
}

static void history_is_read_at_any_commit(void **state)
{
	struct fixture *f = *state;
	struct object_id a = add(f, "a\n", 0), b;
	char hex[OBJECT_HEX_SIZE];
	struct history *h;

	assert_int_equal(repo_sh(f->repo, "git tag -a -m x old "
					  "database-backups"),
			 0);
	b = add(f, "b\n", 1);
	assert_ok(gitstore_history_at(f->g, "old", &h, &f->err), &f->err);
	assert_int_equal(h->count, 1);
	assert_string_equal(h->ref, "old");
	history_free(h);
	assert_ok(gitstore_history_at(f->g, "database-backups^2", &h, &f->err),
		  &f->err);
	assert_int_equal(h->count, 1);
	assert_same(&h->snapshots[0].id, &b);
	assert_string_equal(h->source, "app.db");
	history_free(h);
	object_hex(hex, &a);
	assert_ok(gitstore_history_at(f->g, hex, &h, &f->err), &f->err);
	assert_same(&h->snapshots[0].id, &a);
	history_free(h);
	assert_int_equal(repo_sh(f->repo, "git commit -q --allow-empty -m x"),
			 0);
	assert_refused(gitstore_history_at(f->g, "main", &h, &f->err), &f->err,
		       ERROR_FAILED,
		       "'main' is no snapshot of dbstow; 'dbstow list' shows "
		       "what there is");
	assert_refused(gitstore_history_at(f->g, "nothing", &h, &f->err),
		       &f->err, ERROR_FAILED,
		       "'nothing' is no snapshot of dbstow; 'dbstow list' "
		       "shows what there is");
}

/* A clone of depth 1 of our branch, in "c"; the store is on that. */
static void shallow_clone(struct fixture *f)
{
	assert_int_equal(repo_sh(f->folder,
				 "git clone -q --depth 1 -b "
				 "database-backups file://%s c && "
				 "cd c && git checkout -q --detach",
				 f->repo),
			 0);
	free(f->repo);
	f->repo = path_join(f->folder, "c");
	reopen(f);
}

static void in_a_clone_of_depth_1_the_newest_can_be_read(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3];
	struct source *source;
	struct buffer text = BUFFER_INIT;
	struct history *h;

	ids[0] = add(f, "a\n", 0);
	ids[1] = add(f, "b\n", 1);
	ids[2] = add(f, "c\n", 2);
	assert_ok(gitstore_pin(f->g, &ids[0], 1, &f->err), &f->err);
	shallow_clone(f);
	h = read_history(f);
	assert_int_equal(h->count, 3);
	assert_same(&h->snapshots[0].id, &ids[2]);
	assert_int_equal(h->snapshots[0].absent, 0);
	assert_int_equal(h->snapshots[0].created_at_s, T0 + 2);
	assert_string_equal(h->snapshots[0].drill, "ok");
	assert_int_equal(h->snapshots[1].absent, 1);
	assert_int_equal(h->snapshots[1].created_at_s, T0 + 1);
	assert_same(&h->snapshots[2].id, &ids[0]);
	assert_int_equal(h->snapshots[2].pinned, 1);
	assert_ok(gitstore_source(f->g, &ids[2], &source, &f->err), &f->err);
	assert_int_equal(
		source->read(source, "data/tables/t/0.jsonl", &text, &f->err),
		0);
	assert_memory_equal(text.data, "c\n", 2);
	source_free(source);
	assert_int_equal(gitstore_source(f->g, &ids[1], &source, &f->err), -1);
	assert_int_equal(f->err.code, ERROR_DAMAGE);
	error_clear(&f->err);
	buffer_release(&text);
	history_free(h);
}

static void in_a_shallow_clone_nothing_is_written(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add(f, "a\n", 0);
	char hex[SHORT_HEX_SIZE], want[512];

	object_short(hex, &id);
	shallow_clone(f);
	snprintf(want, sizeof(want),
		 "snapshot %s of branch 'database-backups' is not in this "
		 "repository, and its list cannot be written without it; run "
		 "'git fetch --unshallow' or work in a full clone",
		 hex);
	assert_refused(gitstore_check(f->g, "app.db", 0, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_refused(gitstore_pin(f->g, &id, 1, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_git(f, "", FSCK);
}

static void the_newer_of_local_and_remote_branch_is_read(void **state)
{
	struct fixture *f = *state;
	struct history *h;
	char *note;

	add(f, "a\n", 0);
	assert_int_equal(repo_sh(f->folder, "git clone -q -n r c 2>&1"), 0);
	free(f->repo);
	f->repo = path_join(f->folder, "c");
	reopen(f);
	/* no local branch yet */
	assert_ok(gitstore_history(f->g, 1, &h, &note, &f->err), &f->err);
	assert_string_equal(note, "'refs/heads/database-backups' is not here; "
				  "reading "
				  "'refs/remotes/origin/database-backups'");
	assert_int_equal(h->count, 1);
	free(note);
	history_free(h);
	/* the same */
	assert_int_equal(repo_sh(f->repo, "git branch -q database-backups "
					  "origin/database-backups"),
			 0);
	assert_ok(gitstore_history(f->g, 1, &h, &note, &f->err), &f->err);
	assert_null(note);
	assert_string_equal(h->ref, "refs/heads/database-backups");
	history_free(h);
	/* the local one has gone on from there */
	add(f, "b\n", 60);
	assert_ok(gitstore_history(f->g, 1, &h, &note, &f->err), &f->err);
	assert_null(note);
	assert_int_equal(h->count, 2);
	history_free(h);
	/* the remote one is newer */
	assert_int_equal(repo_sh(f->repo,
				 "git update-ref refs/remotes/o/"
				 "database-backups database-backups && git "
				 "branch -q -f database-backups "
				 "origin/database-backups"),
			 0);
	assert_ok(gitstore_history(f->g, 1, &h, &note, &f->err), &f->err);
	assert_string_equal(h->ref, "refs/remotes/o/database-backups");
	assert_int_equal(h->count, 2);
	free(note);
	history_free(h);
	assert_ok(gitstore_history(f->g, 0, &h, &note, &f->err), &f->err);
	assert_string_equal(h->ref, "refs/heads/database-backups");
	assert_null(note);
	history_free(h);
}

static void a_tip_whose_files_were_changed_by_hand_is_damage(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add(f, "a\n", 0);
	char *tip, hex[SHORT_HEX_SIZE], want[512];
	struct history *h;

	object_short(hex, &id);
	assert_int_equal(
		repo_sh(f->repo,
			"c=$(git cat-file commit database-backups | sed "
			"\"s/^tree .*/tree $(git mktree </dev/null)/\" | git "
			"hash-object -w -t commit --stdin) && git update-ref "
			"refs/heads/database-backups $c"),
		0);
	tip = repo_out(f->repo, "git rev-parse database-backups");
	snprintf(want, sizeof(want),
		 "index commit %.7s does not hold the files of its newest "
		 "snapshot %s; somebody changed the branch by hand",
		 tip, hex);
	assert_refused(gitstore_history(f->g, 0, &h, NULL, &f->err), &f->err,
		       ERROR_DAMAGE, want);
	free(tip);
}

/* Make an index commit with this message over what `database-backups` has. */
static void forge(struct fixture *f, const char *message)
{
	struct error err = ERROR_INIT;
	char *path = path_join(f->folder, "message");

	assert_ok(file_write(path, message, strlen(message), 0600, &err), &err);
	assert_int_equal(
		repo_sh(f->repo,
			"c=$( (git cat-file commit database-backups | sed "
			"'/^$/,$d'; echo; cat ../message) | git hash-object -w "
			"-t commit --stdin) && git update-ref "
			"refs/heads/database-backups $c"),
		0);
	free(path);
}

static void a_newer_layout_is_told_apart(void **state)
{
	struct fixture *f = *state;
	struct history *h;

	add(f, "a\n", 0);
	forge(f, "x\n\nDbstow-Branch: 2\n");
	assert_refused(gitstore_history(f->g, 0, &h, NULL, &f->err), &f->err,
		       ERROR_REFUSED,
		       "the branch is laid out in a newer way ('2') than this "
		       "dbstow knows; update it");
}

static void trailers_out_of_place_do_no_harm(void **state)
{
	struct fixture *f = *state;
	struct history *h;

	add(f, "a\n", 0);
	forge(f, "x\n\nDbstow-Branch: 1\nRetention: keep=-5\n"
		 "Pinned: 1111111111111111111111111111111111111111\n"
		 "Pinned: zz\nDeleted: \nDeleted: 12 34\nChecked: never\n"
		 "Deleted: 1111111111111111111111111111111111111111 "
		 "2026-11-20T02:35:22Z\nno colon\n: \nSnapshot: x\n");
	h = read_history(f);
	assert_int_equal(h->count, 1);
	assert_int_equal(h->keep, 0);
	assert_int_equal(h->checked_at_s, 0);
	assert_int_equal(h->deleted_count, 1);
	assert_int_equal(h->deleted[0].deleted_at_s, T0);
	assert_int_equal(h->snapshots[0].pinned, 0);
	history_free(h);
	/* only the last paragraph counts */
	forge(f, "x\n\nDbstow-Branch: 1\n\nSource: x\n");
	assert_int_equal(gitstore_history(f->g, 0, &h, NULL, &f->err), -1);
	assert_int_equal(f->err.code, ERROR_REFUSED);
	error_clear(&f->err);
}

static void a_snapshot_commit_that_is_damaged_is_absent(void **state)
{
	struct fixture *f = *state;
	struct object_id a = add(f, "a\n", 0);
	char hex[OBJECT_HEX_SIZE];
	struct history *h;

	add(f, "b\n", 1);
	object_hex(hex, &a);
	assert_int_equal(
		repo_sh(f->repo,
			"mkdir ../p && mv .git/objects/pack/* ../p && for p in "
			"../p/*.pack; do git unpack-objects -q <$p; done && "
			"o=.git/objects/%.2s/%s && chmod u+w $o && printf xx | "
			"dd of=$o bs=1 seek=20 conv=notrunc",
			hex, hex + 2),
		0);
	reopen(f);
	h = read_history(f);
	assert_int_equal(h->count, 2);
	assert_int_equal(h->snapshots[0].absent, 0);
	assert_int_equal(h->snapshots[1].absent, 1);
	assert_int_equal(h->snapshots[1].created_at_s, T0);
	history_free(h);
}

static void a_tip_that_is_missing_is_damage(void **state)
{
	struct fixture *f = *state;
	struct history *h;

	assert_int_equal(
		repo_sh(f->repo,
			"echo 1111111111111111111111111111111111111111 "
			">.git/refs/heads/database-backups"),
		0);
	assert_refused(gitstore_history(f->g, 0, &h, NULL, &f->err), &f->err,
		       ERROR_DAMAGE,
		       "commit 1111111, where 'refs/heads/database-backups' "
		       "points, is missing or damaged; 'git fsck' tells more");
}

static void a_reflog_is_kept_only_where_git_would_keep_one(void **state)
{
	struct fixture *f = *state;
	const char *log = ".git/logs/refs/heads/database-backups";

	assert_int_equal(repo_sh(f->repo, "git config core.logAllRefUpdates "
					  "false"),
			 0);
	reopen(f);
	add(f, "a\n", 0);
	assert_int_equal(repo_sh(f->repo, "test -e %s", log), 1);
	assert_int_equal(repo_sh(f->repo, "git config core.logAllRefUpdates "
					  "always"),
			 0);
	reopen(f);
	add(f, "b\n", 1);
	add(f, "c\n", 2);
	assert_git(f, "1", "wc -l <%s", log);
	assert_git(f, "database-backups@{0} dbstow: export",
		   "git log -g --format='%%gd %%gs' database-backups");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_repository_without_the_branch_has_an_empty_history,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			all_that_was_said_of_a_snapshot_is_read_back, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			order_is_the_recorded_one_newest_first, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_snapshot_is_found_by_all_its_names, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_not_there_is_answered_with_what_is, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_prefix_of_two_is_not_guessed_at, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_newest_not_newer_than_a_time_is_found, setup,
			teardown),
		cmocka_unit_test_setup_teardown(history_is_read_at_any_commit,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			in_a_clone_of_depth_1_the_newest_can_be_read, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			in_a_shallow_clone_nothing_is_written, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_newer_of_local_and_remote_branch_is_read, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_tip_whose_files_were_changed_by_hand_is_damage, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_newer_layout_is_told_apart,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			trailers_out_of_place_do_no_harm, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_snapshot_commit_that_is_damaged_is_absent, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_tip_that_is_missing_is_damage,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_reflog_is_kept_only_where_git_would_keep_one, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
