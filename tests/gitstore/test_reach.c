/*
 * test_reach.c - what leaves our packs, and what stays as something reaches it
 */
#include "tests/gitstore/growth.h"

/* libgit2 1.5 leaks while it looks for extensions. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpcre2\n";
}

static int is_there(struct fixture *f, const struct object_id *id)
{
	char hex[OBJECT_HEX_SIZE];

	object_hex(hex, id);
	return !repo_sh(f->repo,
			"git cat-file -e %s:data/tables/t/0.jsonl 2>/dev/null",
			hex);
}

static void what_retention_dropped_leaves_our_packs(void **state)
{
	struct fixture *f = *state;
	struct object_id old = add_keep(f, 100, 0, 0, 2);
	long one = number(f, BYTES);

	add_others(f, 1);
	assert_int_equal(is_there(f, &old), 0);
	assert_true(number(f, BYTES) < one * 4);
	assert_git(f, "", FSCK);
	assert_git(f, "1", PACKS);
}

static void stays(struct fixture *f, const char *because)
{
	struct object_id old = add_keep(f, 100, 0, 0, 2);
	char hex[OBJECT_HEX_SIZE];

	object_hex(hex, &old);
	assert_int_equal(repo_sh(f->repo,
				 "s=%s; id=\"-c user.name=a -c user.email=a\"; "
				 "%s",
				 hex, because),
			 0);
	reopen(f);
	add_others(f, 1);
	assert_int_equal(is_there(f, &old), 1);
	assert_git(f, "", FSCK);
}

static void what_a_tag_reaches_stays(void **state)
{
	stays(*state, "git $id tag -a -m x mine $s");
}

static void what_another_commit_holds_stays(void **state)
{
	struct fixture *f = *state;
	struct object_id old = add_keep(f, 100, 0, 0, 2);
	char hex[OBJECT_HEX_SIZE];

	object_hex(hex, &old);
	assert_int_equal(
		repo_sh(f->repo,
			"git checkout -q %s -- data && git -c user.name=a -c "
			"user.email=a commit -qm taken && git rm -qr data && "
			"git -c user.name=a -c user.email=a commit -qm gone",
			hex),
		0);
	reopen(f);
	add_others(f, 1);
	assert_git(f, "",
		   "git cat-file -e HEAD~1:data/tables/t/0.jsonl && git "
		   "checkout -q HEAD~1");
	assert_git(f, "", FSCK);
}

static void what_only_the_index_names_stays(void **state)
{
	struct fixture *f = *state;
	struct object_id old = add_keep(f, 100, 0, 0, 2);
	char hex[OBJECT_HEX_SIZE];

	object_hex(hex, &old);
	assert_int_equal(repo_sh(f->repo, "git checkout -q %s -- data", hex),
			 0);
	reopen(f);
	add_others(f, 1);
	assert_git(f, "",
		   "rm -r data && git checkout -q -- data && "
		   "git status --porcelain | grep -v '^A' || true");
}

static void what_a_reflog_names_stays(void **state)
{
	stays(*state, "git checkout -q $s && git checkout -q --orphan main");
}

static void a_rebase_at_work_keeps_everything(void **state)
{
	stays(*state, "mkdir .git/rebase-merge && git tag keep $s");
}

static void commits_in_gits_graph_stay(void **state)
{
	struct fixture *f = *state;
	struct object_id old = add_keep(f, 100, 0, 0, 2);

	assert_int_equal(repo_sh(f->repo, "git commit-graph write --reachable"),
			 0);
	add_others(f, 1);
	assert_int_equal(is_there(f, &old), 0);
	assert_git(f, "", FSCK);
	assert_git(f, "", "git commit-graph verify 2>&1");
	assert_int_equal(repo_sh(f->repo, "git gc -q --prune=now"), 0);
	assert_git(f, "", FSCK);
}

static void a_command_at_work_keeps_everything(void **state)
{
	/* as `git commit FILE` while its editor is open */
	stays(*state, "GIT_INDEX_FILE=.git/next-index-7.lock git read-tree $s");
}

static void another_index_keeps_everything(void **state)
{
	stays(*state, "GIT_INDEX_FILE=.git/index.mine git read-tree $s");
}

static void what_the_log_of_a_damaged_ref_names_stays(void **state)
{
	struct fixture *f = *state;
	struct object_id old = add_keep(f, 100, 0, 0, 2);
	char hex[OBJECT_HEX_SIZE];

	object_hex(hex, &old);
	/* as a loss of power leaves it */
	assert_int_equal(repo_sh(f->repo,
				 "git branch mine %s && : "
				 ">.git/refs/heads/mine",
				 hex),
			 0);
	reopen(f);
	add_others(f, 1);
	assert_git(f, "",
		   "cut -c42-81 .git/logs/refs/heads/mine "
		   ">.git/refs/heads/mine");
	assert_int_equal(is_there(f, &old), 1);
	assert_git(f, "", FSCK);
}

static void what_grafts_tell_of_stays(void **state)
{
	stays(*state,
	      "mkdir -p .git/info && echo $s >.git/info/grafts && git config advice.graftFileDeprecated false");
}

static void nothing_goes_where_git_never_prunes(void **state)
{
	stays(*state, "git config gc.pruneExpire never");
}

static void nothing_goes_from_an_object_folder_that_others_share(void **state)
{
	stays(*state, "mv .git/objects ../theirs && "
		      "ln -s ../../theirs .git/objects");
}

/* git clone --shared and the like: `git repack -d` refuses there, too */
static void precious_objects_stay_and_so_do_their_packs(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(repo_sh(f->repo,
				 "git config core.repositoryformatversion 1 && "
				 "git config extensions.preciousObjects true"),
			 0);
	reopen(f);
	stays(f, "true");
	assert_git(f, "7", PACKS);
}

/* As `git add` of that very content does; what names it may follow. */
static void a_pack_that_git_touched_stays_for_two_weeks(void **state)
{
	struct fixture *f = *state;
	struct object_id old = add_keep(f, 100, 0, 0, 1);
	unsigned int i;

	assert_git(f, "",
		   "git cat-file blob database-backups:data/tables/t/0.jsonl | "
		   "git hash-object -w --stdin >/dev/null && "
		   "ls .git/objects/pack/*.pack >../touched");
	reopen(f);
	for (i = 1; i < 5; i++)
		add_keep(f, i, 0, (int)i, 1);
	assert_int_equal(is_there(f, &old), 1);
	assert_git(f, "2", PACKS);
	assert_git(f, "", "touch -d '15 days ago' $(cat ../touched)");
	reopen(f);
	add_keep(f, 5, 0, 5, 1);
	assert_int_equal(is_there(f, &old), 0);
	assert_git(f, "1", PACKS);
	assert_git(f, "", FSCK);
}

#define WITH_STORE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(what_retention_dropped_leaves_our_packs),
		WITH_STORE(what_a_tag_reaches_stays),
		WITH_STORE(what_another_commit_holds_stays),
		WITH_STORE(what_only_the_index_names_stays),
		WITH_STORE(what_a_reflog_names_stays),
		WITH_STORE(a_rebase_at_work_keeps_everything),
		WITH_STORE(commits_in_gits_graph_stay),
		WITH_STORE(a_command_at_work_keeps_everything),
		WITH_STORE(another_index_keeps_everything),
		WITH_STORE(what_the_log_of_a_damaged_ref_names_stays),
		WITH_STORE(what_grafts_tell_of_stays),
		WITH_STORE(nothing_goes_where_git_never_prunes),
		WITH_STORE(
			nothing_goes_from_an_object_folder_that_others_share),
		WITH_STORE(precious_objects_stay_and_so_do_their_packs),
		WITH_STORE(a_pack_that_git_touched_stays_for_two_weeks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
