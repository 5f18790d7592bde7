/*
 * test_growth.c - deltas, packs that take others along, and what may go
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/hash.h"
#include "tests/gitstore/store.h"

/* libgit2 1.5 leaks while it looks for extensions. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpcre2\n";
}

#define ROWS 3000

/* Rows of a table that does not compress away; each version changes some. */
static char *rows(unsigned int seed, unsigned int version)
{
	struct buffer b = BUFFER_INIT;
	unsigned int i, v;

	for (i = 0; i < ROWS; i++) {
		/* the last version up to now that changed this row */
		for (v = version; v && (i * 7 + v) % 97; v--)
			;
		buffer_printf(&b, "{\"id\":%u,\"v\":\"%08x%08x\"}\n", i,
			      (i + seed) * 2654435761U,
			      (v + seed * 31 + 1) * 40503U * (i + 3));
	}
	return buffer_detach(&b);
}

static struct object_id add_keep(struct fixture *f, unsigned int seed,
				 unsigned int version, int at,
				 unsigned int keep)
{
	struct gitstore_snapshot s = snapshot_of("ok", T0 + at);
	struct gitstore_result r;
	char *text = rows(seed, version);

	s.keep = keep;
	assert_ok(publish(f->g, text, &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	free(text);
	return r.id;
}

static struct object_id add_version(struct fixture *f, unsigned int version)
{
	return add_keep(f, 0, version, (int)version, 0);
}

/* What git and our own reader make of the file */
static void assert_version(struct fixture *f, const struct object_id *id,
			   unsigned int seed, unsigned int version)
{
	struct buffer b = BUFFER_INIT;
	char *want = rows(seed, version), *path = path_join(f->folder, "want");
	struct source *s;
	char hex[OBJECT_HEX_SIZE];

	object_hex(hex, id);
	assert_ok(gitstore_source(f->g, id, &s, &f->err), &f->err);
	assert_ok(s->read(s, "data/tables/t/0.jsonl", &b, &f->err), &f->err);
	assert_string_equal(buffer_cstr(&b), want);
	source_free(s);
	assert_ok(file_write(path, want, strlen(want), 0600, &f->err), &f->err);
	assert_git(f, "",
		   "git cat-file blob %s:data/tables/t/0.jsonl | cmp - ../want",
		   hex);
	buffer_release(&b);
	free(path);
	free(want);
}

static long number(struct fixture *f, const char *command)
{
	char *out = repo_out(f->repo, "%s", command);
	long n = strtol(out, NULL, 10);

	free(out);
	return n;
}

#define PACKS "ls .git/objects/pack/*.pack | wc -l"
#define BYTES "cat .git/objects/pack/* | wc -c"
#define VERIFY                                                                 \
	"for i in .git/objects/pack/*.idx; do git verify-pack -v $i; done"
#define DELTAS VERIFY " | grep -c -E '^[0-9a-f]{40} blob +[0-9 ]+ [0-9a-f]{40}'"
#define DEPTH                                                                   \
	VERIFY " | sed -n 's/^chain length = \\([0-9]*\\):.*/\\1/p' | sort -n " \
	       "| tail -1"

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
	assert_true(number(f, BYTES) <
		    first * (2 + (long)keep / 3) * (keep > 9 ? 1 : 1) * 6 / 5);
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

/* ---- what may go ---- */

/* Six exports of which each is new from the first row to the last */
static void add_others(struct fixture *f, unsigned int first)
{
	unsigned int i;

	for (i = first; i < first + 6; i++)
		add_keep(f, i, 0, (int)i, 2);
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

/* ---- what is left alone ---- */

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
		WITH_STORE(a_pack_with_a_file_of_gits_beside_it_stays),
		WITH_STORE(an_index_over_all_packs_keeps_each),
		WITH_STORE(a_pack_is_left_alone_while_git_collects),
		WITH_STORE(a_pack_of_the_users_is_never_touched),
		WITH_STORE(a_small_change_does_not_copy_a_big_pack),
		WITH_STORE(a_damaged_base_is_gone_without),
		WITH_STORE(packs_that_a_killed_run_left_go),
		WITH_STORE(half_a_pack_that_a_killed_run_left_goes),
		WITH_STORE(half_a_pack_that_nobody_removed_stays),
		WITH_STORE(a_folder_with_a_file_missing_is_not_relied_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
