/*
 * test_keep.c - pins, deletion, tombstones, safety snapshots
 */
#include "tests/gitstore/store.h"

static void a_pinned_snapshot_stays_outside_the_count(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 10);
	struct object_id first = add(f, "a\n", 0);
	struct gitstore_result r;
	struct history *h;
	char hex[OBJECT_HEX_SIZE], want[80];

	add(f, "b\n", 1);
	assert_ok(gitstore_pin(f->g, &first, 1, &f->err), &f->err);
	object_hex(hex, &first);
	snprintf(want, sizeof(want), "Pinned: %s", hex);
	assert_git(f, want,
		   "git log -1 --format=%%B database-backups | grep Pinned | "
		   "cut -c1-48");
	s.keep = 1;
	assert_ok(publish(f->g, "c\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_int_equal(r.retained, 2);
	assert_int_equal(r.dropped, 1);
	h = read_history(f);
	assert_same(&h->snapshots[1].id, &first);
	assert_int_equal(h->snapshots[1].pinned, 1);
	history_free(h);
	assert_ok(gitstore_pin(f->g, &first, 0, &f->err), &f->err);
	add(f, "d\n", 20);
	h = read_history(f);
	assert_int_equal(h->count, 1);
	history_free(h);
	assert_git(f, "", FSCK);
}

static void pinning_twice_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add(f, "a\n", 0), before, after, none;

	assert_ok(gitstore_pin(f->g, &id, 1, &f->err), &f->err);
	assert_int_equal(ref_read(f->g, f->g->ref, &before, &f->err), 0);
	assert_ok(gitstore_pin(f->g, &id, 1, &f->err), &f->err);
	assert_int_equal(ref_read(f->g, f->g->ref, &after, &f->err), 0);
	assert_same(&before, &after);
	memset(&none, 0x11, sizeof(none));
	assert_refused(gitstore_pin(f->g, &none, 1, &f->err), &f->err,
		       ERROR_FAILED,
		       "branch 'database-backups' has no snapshot 1111111");
}

static void deleting_leaves_a_tombstone(void **state)
{
	struct fixture *f = *state;
	struct object_id a = add(f, "a\n", 0), b = add(f, "b\n", 1);
	char hex[OBJECT_HEX_SIZE], want[100];
	struct history *h;

	setenv("SOURCE_DATE_EPOCH", "1795142182", 1);
	assert_ok(gitstore_delete(f->g, &b, &f->err), &f->err);
	h = read_history(f);
	assert_int_equal(h->count, 1);
	assert_same(&h->snapshots[0].id, &a);
	assert_int_equal(h->deleted_count, 1);
	assert_same(&h->deleted[0].id, &b);
	assert_int_equal(h->deleted[0].deleted_at_s, T0 + 60);
	history_free(h);
	object_hex(hex, &b);
	snprintf(want, sizeof(want), "Deleted: %s 2026-11-20T02:36:22Z", hex);
	assert_git(f, want,
		   "git log -1 --format=%%B database-backups | grep Deleted");
	assert_git(f, "a", "git show database-backups:data/tables/t/0.jsonl");
	assert_int_equal(repo_sh(f->repo, "git gc -q --prune=now"), 0);
	assert_int_not_equal(repo_sh(f->repo, "git cat-file -e %s", hex), 0);
	assert_git(f, "", FSCK);
	unsetenv("SOURCE_DATE_EPOCH");
}

static void an_equal_export_does_not_bring_a_deleted_one_back(void **state)
{
	struct fixture *f = *state;
	struct object_id b, again;

	add(f, "a\n", 0);
	b = add(f, "b\n", 1);
	assert_ok(gitstore_delete(f->g, &b, &f->err), &f->err);
	again = add(f, "b\n", 1);
	assert_int_not_equal(memcmp(&b, &again, sizeof(b)), 0);
}

static void what_must_not_be_deleted_is_refused(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("none (x)", T0 + 1);
	struct object_id proven = add(f, "a\n", 0);
	struct gitstore_result r;
	char hex[SHORT_HEX_SIZE], want[200];

	object_short(hex, &proven);
	snprintf(want, sizeof(want),
		 "snapshot %s is the last one; export again first", hex);
	assert_refused(gitstore_delete(f->g, &proven, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_ok(publish(f->g, "b\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	snprintf(want, sizeof(want),
		 "snapshot %s is the last one that was proven restorable; "
		 "export again first",
		 hex);
	assert_refused(gitstore_delete(f->g, &proven, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_ok(gitstore_pin(f->g, &r.id, 1, &f->err), &f->err);
	object_short(hex, &r.id);
	snprintf(want, sizeof(want), "snapshot %s is pinned; unpin it first",
		 hex);
	assert_refused(gitstore_delete(f->g, &r.id, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_ok(gitstore_pin(f->g, &r.id, 0, &f->err), &f->err);
	assert_ok(gitstore_delete(f->g, &r.id, &f->err), &f->err);
}

static char *keep_undo_of(struct fixture *f, const char *source,
			  const char *rows, int64_t when_s,
			  struct object_id *id)
{
	struct gitstore_snapshot s = snapshot_of("none (safety)", when_s);
	char *name;

	s.kind = "safety";
	s.source = source;
	assert_ok(publish(f->g, rows, &s, &f->err), &f->err);
	assert_ok(gitstore_keep_undo(f->g, &s, &name, id, &f->err), &f->err);
	return name;
}

static char *keep_undo(struct fixture *f, const char *rows, int64_t when_s,
		       struct object_id *id)
{
	return keep_undo_of(f, "app.db", rows, when_s, id);
}

static void a_safety_snapshot_lies_outside_the_branch(void **state)
{
	struct fixture *f = *state;
	struct object_id id, again;
	struct source *source;
	struct buffer text = BUFFER_INIT;
	struct history *h;
	char *name, *second;

	add(f, "a\n", 0);
	name = keep_undo(f, "undo\n", T0, &id);
	assert_string_equal(name, "undo/20261120T023522Z");
	second = keep_undo(f, "other\n", T0, &again);
	assert_string_equal(second, "undo/20261120T023522Z-2");
	free(second);
	h = read_history(f);
	assert_int_equal(h->count, 1);
	history_free(h);
	assert_ok(gitstore_history_at(f->g, name, &h, &f->err), &f->err);
	assert_int_equal(h->count, 1);
	assert_same(&h->snapshots[0].id, &id);
	assert_string_equal(h->snapshots[0].kind, "safety");
	assert_ok(gitstore_source(f->g, &id, &source, &f->err), &f->err);
	assert_int_equal(
		source->read(source, "data/tables/t/0.jsonl", &text, &f->err),
		0);
	assert_memory_equal(text.data, "undo\n", 5);
	source_free(source);
	buffer_release(&text);
	history_free(h);
	free(name);
	assert_int_equal(repo_sh(f->repo, "git gc -q --prune=now"), 0);
	assert_git(f, "", FSCK);
	assert_git(f, "", "ls .git/objects/pack | grep keep || true");
}

static void only_the_newest_five_safety_snapshots_stay(void **state)
{
	struct fixture *f = *state;
	struct object_id id;
	char rows[32];
	int i;

	for (i = 0; i < 12; i++) {
		snprintf(rows, sizeof(rows), "%d\n", i);
		free(keep_undo(f, rows, T0, &id));
		if (i == 7)
			assert_int_equal(
				repo_sh(f->repo, "git pack-refs --all"), 0);
	}
	/* numbers, not letters: -10 is newer than -9 */
	assert_git(f,
		   "20261120T023522Z-10\n20261120T023522Z-11\n"
		   "20261120T023522Z-12\n20261120T023522Z-8\n"
		   "20261120T023522Z-9",
		   "git for-each-ref --format='%%(refname:lstrip=3)'");
	free(keep_undo(f, "later\n", T0 + 1, &id));
	assert_git(f, "20261120T023523Z",
		   "git for-each-ref --format='%%(refname:lstrip=3)' | tail "
		   "-1");
	assert_git(f, "", FSCK);
}

static void a_source_keeps_its_five_whatever_others_do(void **state)
{
	struct fixture *f = *state;
	struct object_id id, first;
	char rows[32], *name;
	int i;

	name = keep_undo_of(f, "quiet.db", "quiet\n", T0, &first);
	for (i = 1; i < 8; i++) {
		snprintf(rows, sizeof(rows), "%d\n", i);
		free(keep_undo(f, rows, T0 + i, &id));
	}
	assert_git(f,
		   "20261120T023522Z\n20261120T023525Z\n20261120T023526Z\n"
		   "20261120T023527Z\n20261120T023528Z\n20261120T023529Z",
		   "git for-each-ref --format='%%(refname:lstrip=3)'");
	assert_git(f, "quiet", "git show refs/dbstow/%s:data/tables/t/0.jsonl",
		   name);
	free(name);
	/* what is not a safety snapshot is neither counted nor removed */
	assert_int_equal(repo_sh(f->repo, "git update-ref "
					  "refs/dbstow/undo/20200101T000000Z "
					  "$(git commit-tree -m x $(git "
					  "mktree </dev/null))"),
			 0);
	free(keep_undo(f, "8\n", T0 + 8, &id));
	assert_git(f, "7", "git for-each-ref refs/dbstow/undo | wc -l");
	assert_git(f, "", FSCK);
}

static void a_damaged_branch_is_no_reason_to_go_without(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("none (test)", T0 + 5);
	struct object_id id = add(f, "one\n", 0), tree;
	struct sink *sink;
	char *name;

	(void)id;
	assert_int_equal(
		repo_sh(f->repo,
			"git rev-parse database-backups >../tip && mv "
			".git/objects/pack/*.pack ../p && rm -f "
			".git/objects/pack/* && git unpack-objects -q <../p && "
			"t=$(cat ../tip) && rm -f .git/objects/$(echo $t | cut "
			"-c1-2)/$(echo $t | cut -c3-)"),
		0);
	reopen(f);
	assert_null(gitstore_sink(f->g, &f->err));
	assert_int_equal(f->err.code, ERROR_DAMAGE);
	error_clear(&f->err);
	sink = gitstore_undo_sink(f->g, &f->err);
	assert_non_null(sink);
	assert_ok(put_into(sink, "one\n", "run", &s, &f->err), &f->err);
	tree = s.tree;
	assert_ok(gitstore_publish(f->g, &f->err), &f->err);
	assert_ok(gitstore_keep_undo(f->g, &s, &name, &id, &f->err), &f->err);
	assert_same(&tree, &s.tree);
	assert_git(f, "one", "git show refs/dbstow/%s:data/tables/t/0.jsonl",
		   name);
	free(name);
}

static void equal_content_takes_no_second_place(void **state)
{
	struct fixture *f = *state;
	struct object_id one, id, tip;
	char *name;

	free(keep_undo(f, "one\n", T0, &one));
	/* another source's is another matter */
	free(keep_undo_of(f, "b.db", "one\n", T0 + 1, &id));
	assert_int_not_equal(memcmp(&one, &id, sizeof(id)), 0);
	name = keep_undo(f, "one\n", T0 + 2, &id);
	assert_string_equal(name, "undo/20261120T023522Z");
	assert_same(&id, &one);
	free(name);
	assert_int_equal(ref_read(f->g, "refs/dbstow/undo/20261120T023522Z",
				  &tip, &f->err),
			 0);
	assert_same(&tip, &one);
	assert_git(f, "2", "git for-each-ref refs/dbstow/undo | wc -l");
	/* the second pack took the first one along */
	assert_git(f, "1", "ls .git/objects/pack/*.pack | wc -l");
	assert_git(f, "", "ls .git/dbstow/tmp.*");
	/* the newest only: what was there before is another state */
	free(keep_undo(f, "two\n", T0 + 3, &id));
	name = keep_undo(f, "one\n", T0 + 4, &id);
	assert_string_equal(name, "undo/20261120T023526Z");
	free(name);
	/* the store can be used further */
	add(f, "three\n", 5);
	assert_git(f, "", FSCK);
}

static void an_equal_one_that_lost_a_file_is_no_safety(void **state)
{
	struct fixture *f = *state;
	struct object_id one, id;
	char *name;

	free(keep_undo(f, "one\n", T0, &one));
	assert_int_equal(
		repo_sh(f->repo,
			"mv .git/objects/pack/*.pack .. && rm -f "
			".git/objects/pack/* && cat ../*.pack | git "
			"unpack-objects -q && f=$(echo one | git hash-object "
			"--stdin) && rm -f .git/objects/$(echo $f | cut -c "
			"1-2)/$(echo $f | cut -c 3-)"),
		0);
	reopen(f);
	name = keep_undo(f, "one\n", T0 + 2, &id);
	assert_string_equal(name, "undo/20261120T023524Z");
	assert_int_not_equal(memcmp(&one, &id, sizeof(id)), 0);
	assert_git(f, "one", "git show refs/dbstow/%s:data/tables/t/0.jsonl",
		   name);
	free(name);
	assert_git(f, "", FSCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_pinned_snapshot_stays_outside_the_count, setup,
			teardown),
		cmocka_unit_test_setup_teardown(pinning_twice_changes_nothing,
						setup, teardown),
		cmocka_unit_test_setup_teardown(deleting_leaves_a_tombstone,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_equal_export_does_not_bring_a_deleted_one_back,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_must_not_be_deleted_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_safety_snapshot_lies_outside_the_branch, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			only_the_newest_five_safety_snapshots_stay, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_source_keeps_its_five_whatever_others_do, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			equal_content_takes_no_second_place, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_damaged_branch_is_no_reason_to_go_without, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			an_equal_one_that_lost_a_file_is_no_safety, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
