/*
 * test_growth.c - changed files are stored as deltas of what is there
 */
#include <sys/wait.h>

#include "base/hash.h"
#include "tests/gitstore/growth.h"

static void a_changed_file_is_stored_as_a_delta(void **state)
{
	struct fixture *f = *state;
	struct object_id one = add_version(f, 0), two;
	long before = number(f, BYTES);

	two = add_version(f, 1);
	assert_int_equal(number(f, DELTAS), 1);
	assert_git(f, "1", PACKS);
	assert_true(number(f, BYTES) < before + before / 20);
	assert_version(f, &one, 0, 0);
	assert_version(f, &two, 0, 1);
	assert_git(f, "", FSCK);
	assert_int_equal(
		repo_sh(f->folder,
			"git clone -q -b database-backups --bare "
			"file://$PWD/r c && cd c && git log -p -m >/dev/null "
			"&& git fsck --full --strict 2>/dev/null"),
		0);
}

static void content_that_comes_back_is_not_stored_again(void **state)
{
	struct fixture *f = *state;
	struct object_id one = add_version(f, 0), two = add_version(f, 1), id;

	id = add_keep(f, 0, 0, 2, 0);
	assert_int_equal(number(f, DELTAS), 1);
	assert_version(f, &one, 0, 0);
	assert_version(f, &two, 0, 1);
	assert_version(f, &id, 0, 0);
	assert_git(f, "", FSCK);
}

/* Dropped by retention, the old content is a base still: A, B, A without the
 * first A on the branch. */
static void content_that_was_dropped_and_comes_back_makes_no_cycle(void **state)
{
	struct fixture *f = *state;
	struct object_id id;
	int i;

	for (i = 0; i < 6; i++) {
		id = add_keep(f, 0, (unsigned int)(i % 2), i, 1);
		assert_version(f, &id, 0, (unsigned int)(i % 2));
		assert_git(f, "", FSCK);
	}
}

static void long_chain(struct fixture *f, unsigned int keep, unsigned int count)
{
	struct object_id *ids = calloc(count, sizeof(*ids));
	unsigned int i;
	long first = 0;

	for (i = 0; i < count; i++) {
		ids[i] = add_keep(f, 0, i, (int)i, keep);
		if (!i)
			first = number(f, BYTES);
		/* whoever reads one after another finds each one sound */
		assert_version(f, &ids[i], 0, i);
		assert_true(number(f, DEPTH) <= 10);
	}
	for (i = count > keep ? count - keep : 0; i < count; i++)
		assert_version(f, &ids[i], 0, i);
	assert_git(f, "", FSCK);
	assert_git(f, "1", PACKS);
	/* a whole one for each ten or less */
	assert_true(number(f, BYTES) < first * (2 + (long)keep / 3) * 6 / 5);
	if (keep < 10)
		assert_true(number(f, BYTES) < first * 2);
	free(ids);
}

static void a_long_chain_is_turned_round(void **state)
{
	long_chain(*state, 8, 30);
}

static void many_snapshots_have_several_whole_versions(void **state)
{
	long_chain(*state, 25, 30);
}

static void git_may_repack_in_between(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[6];
	unsigned int i;

	for (i = 0; i < 6; i++) {
		ids[i] = add_version(f, i);
		if (i == 1 || i == 4)
			assert_int_equal(repo_sh(f->repo, "git repack -adq"),
					 0);
		if (i == 2)
			assert_int_equal(
				repo_sh(f->repo,
					"git -c gc.writeCommitGraph=false gc -q --prune=now"),
				0);
	}
	for (i = 0; i < 6; i++)
		assert_version(f, &ids[i], 0, i);
	assert_git(f, "", FSCK);
}

static void two_exporters_at_once_need_nothing_that_one_removed(void **state)
{
	struct fixture *f = *state, other = { .repo = f->repo };
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 2);
	struct object_id one = add_version(f, 0), theirs;
	struct gitstore_result r;
	char *text = rows(0, 2);

	assert_ok(publish(f->g, text, &s, &f->err), &f->err);
	reopen(&other);
	theirs = add_version(&other, 1);
	gitstore_free(other.g);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_version(f, &one, 0, 0);
	assert_version(f, &theirs, 0, 1);
	assert_version(f, &r.id, 0, 2);
	assert_git(f, "", FSCK);
	/* the next one brings them together */
	r.id = add_version(f, 3);
	assert_git(f, "1", PACKS);
	assert_version(f, &theirs, 0, 1);
	assert_version(f, &r.id, 0, 3);
	assert_git(f, "", FSCK);
	free(text);
}

static void exporters_at_once_leave_a_sound_repository(void **state)
{
	struct fixture *f = *state;
	pid_t children[3];
	int i, k, status;

	add_version(f, 0);
	for (i = 0; i < 3; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		reopen(f);
		for (k = 0; k < 4; k++) {
			struct gitstore_snapshot s =
				snapshot_of("ok", T0 + 1 + i * 10 + k);
			struct gitstore_result r;
			struct error err = ERROR_INIT;
			char *text = rows(0, (unsigned int)(i * 10 + k + 1));

			/* who finds his objects dropped does it again */
			while (publish(f->g, text, &s, &err) < 0 ||
			       gitstore_commit(f->g, &s, &r, &err) < 0) {
				if (err.code != ERROR_CONFLICT)
					_exit(1);
				error_clear(&err);
				reopen(f);
			}
			free(text);
		}
		_exit(0);
	}
	for (i = 0; i < 3; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_git(f, "", FSCK);
	reopen(f);
	add_version(f, 50);
	assert_git(f, "", FSCK);
	assert_git(f, "1", PACKS);
}

static void a_damaged_base_is_gone_without(void **state)
{
	struct fixture *f = *state;
	struct object_id two;

	add_version(f, 0);
	/* in the middle of what is by far the biggest entry */
	assert_int_equal(
		repo_sh(f->repo,
			"p=$(ls .git/objects/pack/*.pack) && chmod 600 $p && "
			"printf XXXXXXXX | dd of=$p bs=1 seek=$(($(stat -c %%s "
			"$p) / 2)) conv=notrunc 2>/dev/null"),
		0);
	reopen(f);
	two = add_version(f, 1);
	assert_version(f, &two, 0, 1);
	assert_git(f, "2", PACKS);
	assert_git(f, "0",
		   "for i in .git/objects/pack/*.idx; do git verify-pack -v $i "
		   "2>/dev/null; done | grep -c chain || true");
}

static void a_folder_with_a_file_missing_is_not_relied_on(void **state)
{
	struct fixture *f = *state;
	struct object_id folder, id = add_version(f, 0);
	struct sink *s;
	char hex[OBJECT_HEX_SIZE], *text;

	object_hex(hex, &id);
	text = repo_out(f->repo, "git rev-parse %s:data/tables/t", hex);
	assert_int_equal(hex_decode(folder.bytes, text, sizeof(folder.bytes)),
			 0);
	free(text);
	reopen(f);
	s = gitstore_sink(f->g, &f->err);
	assert_true(s->has(s, &folder));
	assert_int_equal(
		repo_sh(f->repo,
			"mv .git/objects/pack/*.pack ../p && rm -f "
			".git/objects/pack/* && git unpack-objects -q <../p && "
			"b=$(git rev-parse %s:data/tables/t/0.jsonl) && rm -f "
			".git/objects/$(echo $b | sed 's,^..,&/,')",
			hex),
		0);
	reopen(f);
	s = gitstore_sink(f->g, &f->err);
	assert_false(s->has(s, &folder));
}

#define WITH_STORE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_changed_file_is_stored_as_a_delta),
		WITH_STORE(content_that_comes_back_is_not_stored_again),
		WITH_STORE(
			content_that_was_dropped_and_comes_back_makes_no_cycle),
		WITH_STORE(a_long_chain_is_turned_round),
		WITH_STORE(many_snapshots_have_several_whole_versions),
		WITH_STORE(git_may_repack_in_between),
		WITH_STORE(two_exporters_at_once_need_nothing_that_one_removed),
		WITH_STORE(exporters_at_once_leave_a_sound_repository),
		WITH_STORE(a_damaged_base_is_gone_without),
		WITH_STORE(a_folder_with_a_file_missing_is_not_relied_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
