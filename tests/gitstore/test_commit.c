/*
 * test_commit.c - adding snapshots: what lands in git, equal content, retention
 */
#include <signal.h>
#include <sys/resource.h>

#include "tests/gitstore/store.h"

static void
a_first_snapshot_makes_the_branch_and_nothing_else_changes(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct gitstore_result r;
	char hex[OBJECT_HEX_SIZE];

	s.tables = 12;
	s.rows = 15607;
	s.changes = "users: 1,204 rows (+3)\n";
	assert_ok(publish(f->g, "{\"id\":1}\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_int_equal(r.unchanged, 0);
	assert_int_equal(r.retained, 1);
	assert_int_equal(r.dropped, 0);
	object_hex(hex, &r.id);
	assert_git(f, hex, "git rev-parse database-backups^");
	assert_git(f,
		   "[skip ci] app.db: 1 snapshot, newest 2026-11-20 "
		   "02:35:22Z",
		   "git log -1 --format=%%s database-backups");
	assert_git(f,
		   "app.db 2026-11-20 02:35:22Z: 12 tables, 15,607 rows\n\n"
		   "users: 1,204 rows (+3)\n\n"
		   "Snapshot-Source: app.db\n"
		   "Snapshot-Content: c0\n"
		   "Snapshot-Tables: 12\nSnapshot-Rows: 15607\n"
		   "Snapshot-Bytes: 10\n"
		   "Snapshot-Created: 2026-11-20T02:35:22Z\nDrill: ok",
		   "git log -1 --format=%%B %s | sed 's/^\\(Snapshot-Content: "
		   "\\).*/\\1c0/'",
		   hex);
	assert_git(f, "Ada <ada@example.org> 1795142122",
		   "git log -1 --format='%%cn <%%ce> %%ct' database-backups");
	assert_git(f, "{\"id\":1}",
		   "git show database-backups:data/tables/t/0.jsonl");
	assert_git(f, "refs/heads/database-backups",
		   "git for-each-ref --format='%%(refname)'");
	assert_git(f, "", "git status --porcelain");
	assert_git(f, "", FSCK);
	reopen(f); /* the scratch folder goes with the store */
	assert_git(f, "lock", "ls .git/dbstow");
	assert_git(f, "2", "ls .git/objects/pack | wc -l");
}

static void equal_content_adds_nothing_but_the_time_it_was_checked(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 60);
	struct object_id first = add(f, "one\n", 0);
	struct gitstore_result r;
	struct history *h;

	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_int_equal(r.unchanged, 1);
	assert_int_equal(r.retained, 1);
	assert_same(&r.id, &first);
	/* and that of the list alone */
	assert_git(f, "2", "ls .git/objects/pack/*.pack | wc -l");
	assert_git(f, "Checked: 2026-11-20T02:36:22Z",
		   "git log -1 --format=%%B database-backups | grep Checked");
	h = read_history(f);
	assert_int_equal(h->count, 1);
	assert_int_equal(h->checked_at_s, T0 + 60);
	history_free(h);
	assert_git(f, "", FSCK);
}

static void equal_content_is_added_when_it_is_asked_for_or_named(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct gitstore_result r, again;

	add(f, "one\n", 0);
	s.always = 1; /* the same second, the same tree */
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_int_equal(r.retained, 2);
	assert_git(f, "Snapshot-Serial: 2",
		   "git log -1 --format=%%B database-backups^2 | grep Serial");
	s.always = 0;
	s.name = "before-upgrade";
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &again, &f->err), &f->err);
	assert_int_equal(again.retained, 3);
	assert_git(f, "", FSCK);
}

static void a_proof_that_was_missing_is_worth_a_snapshot(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("none (no space)", T0);
	struct gitstore_result r;

	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	s = snapshot_of("none (no space)", T0 + 1);
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_int_equal(r.unchanged, 1);
	s = snapshot_of("ok", T0 + 2);
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_int_equal(r.unchanged, 0);
	assert_int_equal(r.retained, 2);
}

static void retention_keeps_the_newest_and_gc_removes_the_rest(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 20);
	struct object_id ids[5];
	struct gitstore_result r;
	char hex[OBJECT_HEX_SIZE], rows[32];
	int i;

	for (i = 0; i < 5; i++) {
		snprintf(rows, sizeof(rows), "row %d\n", i);
		ids[i] = add(f, rows, i);
	}
	s.keep = 3;
	assert_ok(publish(f->g, "newest\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_int_equal(r.retained, 3);
	assert_int_equal(r.dropped, 3);
	assert_git(f, "Retention: keep=3",
		   "git log -1 --format=%%B database-backups | grep Retention");
	assert_git(f, "1", "git reflog show database-backups | wc -l");
	assert_git(f, "0000000000000000000000000000000000000000",
		   "cut -d' ' -f1 .git/logs/refs/heads/database-backups");
	assert_int_equal(repo_sh(f->repo, "git gc -q --prune=now"), 0);
	for (i = 0; i < 5; i++) {
		object_hex(hex, &ids[i]);
		assert_int_equal(repo_sh(f->repo, "git cat-file -e %s", hex) ==
					 0,
				 i >= 3);
	}
	assert_git(f, "", FSCK);
	/* remembered */
	add(f, "one more\n", 30);
	assert_git(f, "newest",
		   "git show database-backups^:data/tables/t/0.jsonl");
	assert_git(f, "4", "git rev-list --count database-backups");
	assert_git(f, "", FSCK);
}

static void retention_spares_the_last_one_that_was_proven(void **state)
{
	struct fixture *f = *state;
	struct object_id proven = add(f, "proven\n", 0);
	struct gitstore_result r;
	struct history *h;
	char rows[32];
	int i;

	for (i = 1; i < 6; i++) {
		struct gitstore_snapshot s = snapshot_of("none (x)", T0 + i);

		s.keep = 2;
		snprintf(rows, sizeof(rows), "row %d\n", i);
		assert_ok(publish(f->g, rows, &s, &f->err), &f->err);
		assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	}
	h = read_history(f);
	assert_int_equal(h->count, 3);
	assert_same(&h->snapshots[2].id, &proven);
	history_free(h);
	/* another proven one frees it */
	add(f, "proven again\n", 9);
	h = read_history(f);
	assert_int_equal(h->count, 2);
	assert_string_equal(h->snapshots[0].drill, "ok");
	history_free(h);
}

static void parents_are_the_previous_the_newest_then_the_older(void **state)
{
	struct fixture *f = *state;
	struct object_id a = add(f, "a\n", 0), b = add(f, "b\n", 1);
	struct object_id c = add(f, "c\n", 2);
	char x[OBJECT_HEX_SIZE], y[OBJECT_HEX_SIZE], z[OBJECT_HEX_SIZE];
	char want[3 * OBJECT_HEX_SIZE];

	object_hex(x, &a);
	object_hex(y, &b);
	object_hex(z, &c);
	snprintf(want, sizeof(want), "%s %s %s", y, z, x);
	assert_git(f, want, "git log -1 --format=%%P database-backups");
	assert_git(f, "", "git diff database-backups database-backups^2");
	assert_git(f, "-b\n+c",
		   "git diff database-backups^ database-backups -- data | grep "
		   "'^[-+][a-z]'");
}

static void another_source_is_refused(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct gitstore_result r;
	const char *want =
		"branch 'database-backups' holds snapshots of 'app.db', not of "
		"'other.db'; use --branch NAME for another database, or "
		"--source app.db if it is the same one";

	add(f, "one\n", 0);
	assert_refused(gitstore_check(f->g, "other.db", 0, &f->err), &f->err,
		       ERROR_REFUSED, want);
	s.source = "other.db";
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_refused(gitstore_commit(f->g, &s, &r, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_ok(gitstore_check(f->g, "app.db", 0, &f->err), &f->err);
}

static void make_theirs(struct fixture *f)
{
	assert_int_equal(repo_sh(f->repo,
				 "echo x >f && git add f && git commit "
				 "-qm theirs && git branch "
				 "database-backups"),
			 0);
}

static void a_branch_that_is_not_ours_is_refused(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct gitstore_result r;
	struct history *h;
	const char *want =
		"branch 'database-backups' exists and holds something else; "
		"use --branch NAME, or --adopt to rename it to "
		"'database-backups-before-dbstow' first";

	make_theirs(f);
	assert_refused(gitstore_check(f->g, "app.db", 0, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_null(gitstore_sink(f->g, &f->err));
	assert_string_equal(f->err.message, want);
	error_clear(&f->err);
	assert_refused(gitstore_history(f->g, 0, &h, NULL, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_refused(gitstore_commit(f->g, &s, &r, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_git(f, "theirs", "git log --format=%%s database-backups");
}

static void adopting_keeps_the_old_branch_under_a_new_name(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct gitstore_result r;

	make_theirs(f);
	s.adopt = 1;
	assert_ok(gitstore_check(f->g, "app.db", 1, &f->err), &f->err);
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_int_equal(r.retained, 1);
	assert_git(f, "theirs",
		   "git log --format=%%s database-backups-before-dbstow");
	assert_git(f, "2", "git rev-list --count database-backups");
	assert_git(f, "", FSCK);
}

static void adopting_never_overwrites(void **state)
{
	struct fixture *f = *state;

	make_theirs(f);
	assert_int_equal(repo_sh(f->repo,
				 "git commit -q --allow-empty -m second && git "
				 "branch database-backups-before-dbstow"),
			 0);
	assert_refused(
		gitstore_check(f->g, "app.db", 1, &f->err), &f->err,
		ERROR_REFUSED,
		"branch 'database-backups-before-dbstow' exists already; "
		"rename or remove it before --adopt");
}

static void a_symbolic_ref_is_no_branch_to_write(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(repo_sh(f->repo, "git symbolic-ref "
					  "refs/heads/database-backups "
					  "refs/heads/main"),
			 0);
	assert_refused(gitstore_check(f->g, "app.db", 0, &f->err), &f->err,
		       ERROR_REFUSED,
		       "'refs/heads/database-backups' stands for another ref, "
		       "'refs/heads/main'; use --branch NAME");
}

static void a_branch_beside_its_own_folder_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(repo_sh(f->repo,
				 "git commit -q --allow-empty -m x && git "
				 "branch database-backups/x && git pack-refs "
				 "--all"),
			 0);
	assert_refused(gitstore_check(f->g, "app.db", 0, &f->err), &f->err,
		       ERROR_REFUSED,
		       "cannot create 'refs/heads/database-backups' beside "
		       "'refs/heads/database-backups/x'; use --branch NAME");
	open_at(f, f->repo, "main/backups");
	assert_refused(gitstore_check(f->g, "app.db", 0, &f->err), &f->err,
		       ERROR_REFUSED,
		       "cannot create 'refs/heads/main/backups' beside "
		       "'refs/heads/main'; use --branch NAME");
}

static void names_cannot_forge_trailers(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct gitstore_result r;
	struct history *h;

	s.name = "x\nDrill: ok";
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_refused(gitstore_commit(f->g, &s, &r, &f->err), &f->err,
		       ERROR_USAGE,
		       "the name 'x?Drill: ok' holds a control character; "
		       "choose another");
	s.name = "latest";
	assert_refused(gitstore_commit(f->g, &s, &r, &f->err), &f->err,
		       ERROR_USAGE,
		       "a snapshot cannot be named 'latest'; choose another");
	s.name = "na\xff";
	assert_refused(gitstore_commit(f->g, &s, &r, &f->err), &f->err,
		       ERROR_USAGE, "the name is not UTF-8; choose another");
	s.name = "a: b";
	s.drill = "none (off)";
	s.description = "first line\n\nDrill: ok\nSnapshot-Rows: 99\n";
	s.changes = "Snapshot-Name: forged\n\nPinned: forged\n";
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	h = read_history(f);
	assert_string_equal(h->snapshots[0].drill, "none (off)");
	assert_string_equal(h->snapshots[0].name, "a: b");
	assert_string_equal(h->snapshots[0].description,
			    "first line Drill: ok Snapshot-Rows: 99");
	assert_int_equal(h->snapshots[0].rows, 1);
	assert_int_equal(h->snapshots[0].pinned, 0);
	history_free(h);
	assert_git(f, "first line",
		   "git log -1 --format=%%B database-backups^ | sed -n 3p");
}

static void what_was_put_must_be_published_first(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct gitstore_result r;

	assert_ok(put_files(f->g, "one\n", "{}", &s, &f->err), &f->err);
	assert_refused(gitstore_commit(f->g, &s, &r, &f->err), &f->err,
		       ERROR_FAILED, "what was put is not published yet");
}

static void freeing_the_store_leaves_the_repository_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);

	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_git(f, "new0.idx new0.pack", "echo $(ls .git/dbstow/tmp*)");
	reopen(f);
	assert_git(f, "0", "find .git/objects -type f | wc -l");
	assert_git(f, "", "git for-each-ref");
	assert_git(f, "", "ls .git/dbstow");
}

static void a_tree_that_is_not_there_is_not_committed(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct gitstore_result r;

	memset(&s.tree, 0x11, sizeof(s.tree));
	assert_refused(gitstore_commit(f->g, &s, &r, &f->err), &f->err,
		       ERROR_CONFLICT,
		       "object 1111111 went away while the export ran; run it "
		       "again");
}

static void without_a_user_dbstow_signs(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(repo_sh(f->folder, "rm home/.gitconfig"), 0);
	reopen(f);
	add(f, "one\n", 0);
	assert_git(f, "dbstow <dbstow@localhost>",
		   "git log -1 --format='%%an <%%ae>' database-backups");
}

static void a_user_name_cannot_add_header_lines(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(repo_sh(f->repo, "git config user.name "
					  "\"$(printf 'A\\nparent x')\""),
			 0);
	reopen(f);
	add(f, "one\n", 0);
	assert_git(f, "Aparent x", "git log -1 --format=%%an database-backups");
	assert_git(f, "", FSCK);
}

static void unchanged_content_can_still_be_pinned(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 60);
	struct gitstore_result r;
	struct history *h;

	add(f, "one\n", 0);
	s.pin = 1;
	s.keep = 5;
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_int_equal(r.unchanged, 1);
	h = read_history(f);
	assert_int_equal(h->snapshots[0].pinned, 1);
	assert_int_equal(h->keep, 5);
	history_free(h);
}

static int export_many(struct fixture *f, const char *salt, int at)
{
	struct gitstore_snapshot s = snapshot_of("ok", T0 + at);
	struct sink *sink = gitstore_sink(f->g, &f->err);
	struct tree t = { NULL, 0, 0 };
	struct gitstore_result r;
	struct object_id id;
	char name[32];
	int i, rc = sink ? 0 : -1;

	for (i = 0; !rc && i < 3000; i++) {
		char text[64];

		snprintf(name, sizeof(name), "%d.jsonl", i);
		snprintf(text, sizeof(text), "%s %d\n", salt, i);
		rc = sink->put(sink, OBJECT_BLOB, name, text, strlen(text), &id,
			       &f->err);
		if (!rc)
			rc = tree_add(&t, name, 0, &id, &f->err);
	}
	if (!rc)
		rc = tree_put(&t, sink, &s.tree, &f->err);
	tree_release(&t);
	s.content = s.tree;
	if (!rc)
		rc = gitstore_publish(f->g, &f->err);
	return rc ? rc : gitstore_commit(f->g, &s, &r, &f->err);
}

/* Files may not grow over a size that is a little bigger each time. */
static void wherever_the_disk_is_full_the_branch_stays_as_it_was(void **state)
{
	struct fixture *f = *state;
	static const rlim_t sizes[] = { 0, 10, 100, 700, 1000, 20000, 80000 };
	struct rlimit before, limit;
	struct object_id tip, now;
	size_t i;
	int rc;

	signal(SIGXFSZ, SIG_IGN);
	add(f, "one\n", 0);
	assert_int_equal(ref_read(f->g, f->g->ref, &tip, &f->err), 0);
	getrlimit(RLIMIT_FSIZE, &before);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		reopen(f);
		limit = before;
		limit.rlim_cur = sizes[i];
		setrlimit(RLIMIT_FSIZE, &limit);
		rc = export_many(f, "x", 1);
		setrlimit(RLIMIT_FSIZE, &before);
		assert_int_equal(rc, -1);
		assert_non_null(strstr(f->err.message, "File too large"));
		error_clear(&f->err);
		assert_int_equal(ref_read(f->g, f->g->ref, &now, &f->err), 0);
		assert_same(&now, &tip);
		reopen(f);
		assert_git(f, "", FSCK);
		assert_git(f, "lock", "ls .git/dbstow");
		assert_git(f, "2", "ls .git/objects/pack | wc -l");
	}
	reopen(f);
	assert_ok(export_many(f, "x", 1), &f->err);
	assert_git(f, "", FSCK);
	assert_git(f, "3000", "git ls-tree database-backups | wc -l");
}

static void a_reflog_that_cannot_be_written_stops_the_move(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 1);
	struct gitstore_result r;

	assert_int_equal(repo_sh(f->repo, "mkdir -p .git/logs/refs/heads/"
					  "database-backups/x"),
			 0);
	assert_ok(publish(f->g, "two\n", &s, &f->err), &f->err);
	assert_int_equal(gitstore_commit(f->g, &s, &r, &f->err), -1);
	assert_int_equal(f->err.code, ERROR_FAILED);
	assert_non_null(strstr(f->err.message, "cannot write the reflog of "
					       "'refs/heads/database-"
					       "backups': "));
	error_clear(&f->err);
	reopen(f);
	assert_git(f, "", "git for-each-ref");
	assert_git(f, "0", "find .git/objects -type f | wc -l");
	assert_git(f, "", "find .git -name '*.lock'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_first_snapshot_makes_the_branch_and_nothing_else_changes,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			equal_content_adds_nothing_but_the_time_it_was_checked,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			equal_content_is_added_when_it_is_asked_for_or_named,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_proof_that_was_missing_is_worth_a_snapshot, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			retention_keeps_the_newest_and_gc_removes_the_rest,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			retention_spares_the_last_one_that_was_proven, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			parents_are_the_previous_the_newest_then_the_older,
			setup, teardown),
		cmocka_unit_test_setup_teardown(another_source_is_refused,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_branch_that_is_not_ours_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			adopting_keeps_the_old_branch_under_a_new_name, setup,
			teardown),
		cmocka_unit_test_setup_teardown(adopting_never_overwrites,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_symbolic_ref_is_no_branch_to_write, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_branch_beside_its_own_folder_is_refused, setup,
			teardown),
		cmocka_unit_test_setup_teardown(names_cannot_forge_trailers,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_was_put_must_be_published_first, setup, teardown),
		cmocka_unit_test_setup_teardown(
			freeing_the_store_leaves_the_repository_as_it_was,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_tree_that_is_not_there_is_not_committed, setup,
			teardown),
		cmocka_unit_test_setup_teardown(without_a_user_dbstow_signs,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_user_name_cannot_add_header_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(
			unchanged_content_can_still_be_pinned, setup, teardown),
		cmocka_unit_test_setup_teardown(
			wherever_the_disk_is_full_the_branch_stays_as_it_was,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_reflog_that_cannot_be_written_stops_the_move, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
