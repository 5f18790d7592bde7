/*
 * test_own_pack.c - packs that take others along, and those left alone
 */
#include "tests/gitstore/growth.h"

static void a_pack_with_a_file_of_gits_beside_it_stays(void **state)
{
	static const char *const ends[] = { "keep", "bitmap", "promisor",
					    "mtimes", "rev" };
	struct fixture *f = *state;
	struct object_id two;
	size_t i;

	add_version(f, 0);

	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		assert_int_equal(
			repo_sh(f->repo,
				"for p in .git/objects/pack/*.pack; do touch "
				"${p%%pack}%s; done; ls .git/objects/pack/*.p* "
				"> ../before",
				ends[i]),
			0);
		reopen(f);
		two = add_version(f, (unsigned int)i + 1);
		assert_git(f, "",
			   "ls .git/objects/pack/*.p* | comm -13 - ../before");
		repo_sh(f->repo, "rm -f .git/objects/pack/*.%s", ends[i]);
		assert_version(f, &two, 0, (unsigned int)i + 1);
		/* and then it can go */
		reopen(f);
		two = add_version(f, (unsigned int)i + 50);
		assert_git(f, "1", PACKS);
	}
	assert_git(f, "", FSCK);
}

static void an_index_over_all_packs_keeps_each(void **state)
{
	struct fixture *f = *state;
	struct object_id id;

	add_version(f, 0);
	assert_int_equal(repo_sh(f->repo, "git multi-pack-index write"), 0);
	reopen(f);
	id = add_version(f, 1);
	assert_git(f, "2", PACKS);
	assert_version(f, &id, 0, 1);
	assert_git(f, "", FSCK);
	assert_git(f, "", "git multi-pack-index verify 2>&1");
}

static void a_pack_is_left_alone_while_git_collects(void **state)
{
	struct fixture *f = *state;

	add_version(f, 0);
	assert_int_equal(repo_sh(f->repo, "echo 1 here >.git/gc.pid"), 0);
	add_version(f, 1);
	assert_git(f, "2", PACKS);
	assert_int_equal(repo_sh(f->repo, "rm .git/gc.pid"), 0);
	add_version(f, 2);
	assert_git(f, "1", PACKS);
	assert_git(f, "", FSCK);
}

static void a_pack_of_the_users_is_never_touched(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		repo_sh(f->repo,
			"seq 9999 >a && git add a && git -c "
			"user.name=a -c user.email=a commit -qm a && "
			"git repack -adq && ls .git/objects/pack/* "
			">../names && stat $(cat ../names) >../before"),
		0);
	reopen(f);
	add_others(f, 1);
	assert_git(f, "2", PACKS);
	assert_git(f, "",
		   "stat $(cat ../names) | grep -v Access: | diff - "
		   "../before | grep '^<' || true");
}

/* A big repository's pack is not copied for a row. */
static void a_small_change_does_not_copy_a_big_pack(void **state)
{
	struct fixture *f = *state;
	struct sink *s = gitstore_sink(f->g, &f->err);
	struct gitstore_snapshot snapshot = snapshot_of("ok", T0);
	struct gitstore_result r;
	struct tree t = { NULL, 0, 0 };
	struct object_id id;
	unsigned int i;
	long before, after;
	char name[16];

	for (i = 0; i < 30; i++) {
		char *text = rows(i, 0);

		snprintf(name, sizeof(name), "f%u", i);
		assert_ok(s->put(s, OBJECT_BLOB, name, text, strlen(text), &id,
				 &f->err),
			  &f->err);
		assert_ok(tree_add(&t, name, 0, &id, &f->err), &f->err);
		free(text);
	}
	assert_ok(tree_put(&t, s, &snapshot.tree, &f->err), &f->err);
	assert_ok(gitstore_publish(f->g, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &snapshot, &r, &f->err), &f->err);
	before = number(f, BYTES);
	add(f, "one\n", 1);
	assert_git(f, "2", PACKS);
	add(f, "two\n", 2);
	assert_git(f, "2", PACKS);
	after = number(f, BYTES);
	assert_true(after < before + before / 20);
	assert_git(f, "", FSCK);
}

/* Killed between the move of the branch and the removal of what is needless */
static void packs_that_a_killed_run_left_go(void **state)
{
	struct fixture *f = *state;
	struct object_id one = add_version(f, 0), two;

	assert_int_equal(repo_sh(f->repo,
				 "cp -pr .git/objects/pack ../saved && "
				 "chmod -R u+w ../saved"),
			 0);
	two = add_version(f, 1);
	assert_int_equal(
		repo_sh(f->repo, "cp -pn ../saved/* .git/objects/pack"), 0);
	assert_git(f, "2", PACKS);
	reopen(f);
	add_keep(f, 0, 1, 2, 0); /* unchanged: the list alone */
	assert_git(f, "2", PACKS);
	assert_version(f, &one, 0, 0);
	assert_version(f, &two, 0, 1);
	assert_git(f, "", FSCK);
}

/* Killed after the index of a pack went, and before the pack did */
static void half_a_pack_that_a_killed_run_left_goes(void **state)
{
	struct fixture *f = *state;

	add_version(f, 0);
	assert_git(f, "",
		   "cd .git/objects/pack && p=$(basename *.idx .idx) && "
		   "cp -p $p.pack ../../../../saved && echo $p "
		   ">../../../../name");
	add_version(f, 1);
	assert_git(f, "",
		   "n=$(cat ../name) && o=.git/objects/pack && "
		   "cp -p ../saved $o/$n.pack && echo $n "
		   ">.git/dbstow/removing && ls $o/*.idx | sed "
		   "'s,.*/\\(.*\\).idx,\\1,' >>.git/dbstow/removing && "
		   "echo ../../HEAD >>.git/dbstow/removing");
	assert_git(f, "2", PACKS);
	reopen(f);
	add_keep(f, 0, 1, 2, 0); /* unchanged: the list alone */
	assert_git(f, "2", PACKS);
	assert_git(f, "", "ls .git/dbstow/removing 2>/dev/null || true");
	assert_git(f, "", FSCK);
}

/* Half a pack that is not on the list may be one that lost its index. */
static void half_a_pack_that_nobody_removed_stays(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add_version(f, 0);

	assert_git(f, "", "mv .git/objects/pack/*.idx ../saved");
	reopen(f);
	assert_true(gitstore_check(f->g, "app.db", 0, &f->err) < 0);
	error_clear(&f->err);
	/* somebody else takes the lock */
	open_at(f, f->repo, "other");
	add_keep(f, 1, 0, 1, 0);
	assert_git(f, "2", PACKS);
	assert_git(f, "",
		   "for p in .git/objects/pack/*.pack; do git index-pack $p "
		   ">/dev/null; done");
	reopen(f);
	assert_version(f, &id, 0, 0);
	assert_git(f, "", FSCK);
}

#define WITH_STORE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_pack_with_a_file_of_gits_beside_it_stays),
		WITH_STORE(an_index_over_all_packs_keeps_each),
		WITH_STORE(a_pack_is_left_alone_while_git_collects),
		WITH_STORE(a_pack_of_the_users_is_never_touched),
		WITH_STORE(a_small_change_does_not_copy_a_big_pack),
		WITH_STORE(packs_that_a_killed_run_left_go),
		WITH_STORE(half_a_pack_that_a_killed_run_left_goes),
		WITH_STORE(half_a_pack_that_nobody_removed_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
