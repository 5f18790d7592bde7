/*
 * test_open.c - kinds of repositories, configuration, what is refused
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "tests/gitstore/store.h"

/* libgit2 1.5 leaks while it looks for extensions. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpcre2\n";
}

static int try_open(const char *path, const char *branch, struct error *err)
{
	struct gitstore_options o = { path, branch };
	struct gitstore *g;
	int rc = gitstore_open(&g, &o, err);

	gitstore_free(g);
	return rc;
}

static void no_repository_is_told_with_what_to_do(void **state)
{
	struct fixture *f = *state;
	char want[512];

	assert_int_equal(repo_sh(f->folder, "mkdir empty"), 0);
	setenv("GIT_CEILING_DIRECTORIES", f->folder, 1);
	free(f->repo);
	f->repo = path_join(f->folder, "empty");
	snprintf(want, sizeof(want),
		 "no git repository at '%s'; run 'git init' there or name one "
		 "with --repo",
		 f->repo);
	assert_refused(try_open(f->repo, NULL, &f->err), &f->err, ERROR_FAILED,
		       want);
	free(f->repo);
	f->repo = path_join(f->folder, "nowhere");
	snprintf(want, sizeof(want), "there is no folder '%s'", f->repo);
	assert_refused(try_open(f->repo, NULL, &f->err), &f->err, ERROR_FAILED,
		       want);
}

static void a_folder_in_the_repository_will_do(void **state)
{
	struct fixture *f = *state;
	char *deep = path_join(f->repo, "a/b");

	assert_int_equal(repo_sh(f->repo, "mkdir -p a/b"), 0);
	open_at(f, deep, NULL);
	add(f, "one\n", 0);
	assert_git(f, "2", "git rev-list --count database-backups");
	free(deep);
}

static void a_name_that_is_no_branch_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_refused(try_open(f->repo, "a..b", &f->err), &f->err, ERROR_USAGE,
		       "'a..b' cannot be the name of a branch");
	assert_refused(try_open(f->repo, "-x", &f->err), &f->err, ERROR_USAGE,
		       "'-x' cannot be the name of a branch");
	assert_refused(try_open(f->repo, "", &f->err), &f->err, ERROR_USAGE,
		       "'' cannot be the name of a branch");
	assert_refused(try_open(f->repo, "a\nb", &f->err), &f->err, ERROR_USAGE,
		       "'a?b' cannot be the name of a branch");
}

static void what_git_takes_for_a_branch_we_take(void **state)
{
	static const char *const names[] = {
		"a",      "a/b",  "a.b",    "@",    "@/a",      "\303\244",
		".a",     "a/.b", "a.lock", "a./b", "x.lock/b", "a.",
		"a/",     "/a",   "a//b",   "a b",  "a~b",      "a^b",
		"a:b",    "a?b",  "a*b",    "a[b",  "a\\b",     "a@{b",
		"a\177b", "HEAD", "HEAD/a", "-a",   "a-",       "",
	};
	struct fixture *f = *state;
	size_t i;
	int git;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		git = repo_sh(f->repo,
			      "git check-ref-format --branch '%s' >../o 2>&1",
			      names[i]);
		if (try_open(f->repo, names[i], &f->err) != (git ? -1 : 0))
			fail_msg("'%s': git says %d, we say '%s'", names[i],
				 git, f->err.message);
		error_clear(&f->err);
	}
}

static void a_branch_may_be_named_in_full(void **state)
{
	struct fixture *f = *state;

	open_at(f, f->repo, "refs/heads/a/b");
	assert_string_equal(f->g->branch, "a/b");
	add(f, "one\n", 0);
	assert_git(f, "refs/heads/a/b",
		   "git for-each-ref "
		   "--format='%%(refname)'");
	assert_refused(try_open(f->repo, "refs/heads/", &f->err), &f->err,
		       ERROR_USAGE,
		       "'refs/heads/' cannot be the name of a branch");
	assert_refused(try_open(f->repo, "refs/heads/refs/heads/a", &f->err),
		       &f->err, ERROR_USAGE,
		       "'refs/heads/refs/heads/a' is no branch of this "
		       "repository; give the name of one, like "
		       "'database-backups'");
	assert_refused(try_open(f->repo, "refs/remotes/o/a", &f->err), &f->err,
		       ERROR_USAGE,
		       "'refs/remotes/o/a' is no branch of this repository; "
		       "give the name of one, like 'database-backups'");
}

static void a_bare_repository_works(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(repo_sh(f->folder, "git init -q --bare -b "
					    "database-backups bare"),
			 0);
	free(f->repo);
	f->repo = path_join(f->folder, "bare");
	reopen(f);
	/* its HEAD names our branch: no work tree, so no harm */
	add(f, "one\n", 0);
	add(f, "two\n", 1);
	assert_git(f, "two", "git show HEAD:data/tables/t/0.jsonl");
	assert_git(f, "", FSCK);
	assert_git(f, "", "ls logs 2>/dev/null || true");
}

static void a_linked_work_tree_shares_branch_and_lock(void **state)
{
	struct fixture *f = *state;
	struct history *h;
	char *linked = path_join(f->folder, "linked");

	assert_int_equal(repo_sh(f->repo, "git commit -q --allow-empty -m x && "
					  "git worktree add -q ../linked"),
			 0);
	open_at(f, linked, NULL);
	add(f, "one\n", 0);
	reopen(f);
	h = read_history(f);
	assert_int_equal(h->count, 1);
	history_free(h);
	assert_git(f, "lock", "ls .git/dbstow");
	assert_int_equal(repo_sh(f->repo, "test -e .git/worktrees/linked/"
					  "dbstow"),
			 1);
	free(linked);
}

static void the_head_of_a_bare_repository_is_no_work_tree_s(void **state)
{
	struct fixture *f = *state;
	char *linked = path_join(f->folder, "linked");

	assert_int_equal(
		repo_sh(f->repo,
			"git commit -q --allow-empty -m x && git clone -q "
			"--bare . ../b && cd ../b && git worktree add -q "
			"../linked -b side && git symbolic-ref HEAD "
			"refs/heads/database-backups"),
		0);
	open_at(f, linked, NULL);
	add(f, "one\n", 0);
	free(linked);
}

static void a_submodule_keeps_its_own(void **state)
{
	struct fixture *f = *state;
	char *sub = path_join(f->repo, "sub");

	assert_int_equal(
		repo_sh(f->folder,
			"git init -q s && git -C s commit -q --allow-empty -m "
			"x && git -C r -c protocol.file.allow=always submodule "
			"--quiet add ../s sub"),
		0);
	open_at(f, sub, NULL);
	add(f, "one\n", 0);
	assert_git(f, "2",
		   "git -C sub rev-list --count database-backups && git "
		   "rev-parse -q --verify database-backups || true");
	free(sub);
}

static void a_branch_that_is_checked_out_is_refused(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add(f, "one\n", 0);
	char want[512];

	assert_int_equal(repo_sh(f->repo, "git checkout -q database-backups"),
			 0);
	snprintf(want, sizeof(want),
		 "branch 'database-backups' is checked out at '%s'; switch "
		 "that work tree to another branch or use --branch NAME",
		 f->repo);
	assert_refused(gitstore_check(f->g, "app.db", 0, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_refused(gitstore_pin(f->g, &id, 1, &f->err), &f->err,
		       ERROR_REFUSED, want);
	assert_git(f, "", "git status --porcelain");
	assert_int_equal(repo_sh(f->repo, "git checkout -q --detach && git "
					  "worktree add -q ../linked "
					  "database-backups"),
			 0);
	snprintf(want, sizeof(want),
		 "branch 'database-backups' is checked out at '%s/linked'; "
		 "switch that work tree to another branch or use --branch NAME",
		 f->folder);
	assert_refused(gitstore_pin(f->g, &id, 1, &f->err), &f->err,
		       ERROR_REFUSED, want);
}

static void a_branch_that_head_waits_for_is_refused(void **state)
{
	struct fixture *f = *state;
	char want[512];

	assert_int_equal(repo_sh(f->repo, "git symbolic-ref HEAD "
					  "refs/heads/database-backups"),
			 0);
	snprintf(want, sizeof(want),
		 "branch 'database-backups' is checked out at '%s'; switch "
		 "that work tree to another branch or use --branch NAME",
		 f->repo);
	assert_refused(gitstore_check(f->g, "app.db", 0, &f->err), &f->err,
		       ERROR_REFUSED, want);
}

static void harmless_extensions_are_no_obstacle(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		repo_sh(f->repo,
			"git config core.repositoryformatversion 1 && git "
			"config extensions.worktreeConfig true && git config "
			"extensions.preciousObjects true"),
		0);
	reopen(f);
	add(f, "one\n", 0);
}

static void another_object_format_is_refused(void **state)
{
	static const char *const paths[] = { "big", "big/sub", "linked",
					     "bare" };
	struct fixture *f = *state;
	char want[512];
	char *path;
	size_t i;

	assert_int_equal(
		repo_sh(f->folder,
			"git init -q --object-format=sha256 big && cd big && "
			"mkdir sub && git commit -q --allow-empty -m x && git "
			"worktree add -q ../linked 2>&1 && git init -q --bare "
			"--object-format=sha256 ../bare"),
		0);
	for (i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		path = path_join(f->folder, paths[i]);
		snprintf(
			want, sizeof(want),
			"repository '%s' uses SHA-256 object ids, which dbstow "
			"cannot write yet; use one made with 'git init "
			"--object-format=sha1'",
			path);
		assert_refused(try_open(path, NULL, &f->err), &f->err,
			       ERROR_FAILED, want);
		free(path);
	}
}

static void assert_config(struct fixture *f, const char *key, const char *want)
{
	char *value;

	assert_ok(gitstore_config(f->g, key, &value, &f->err), &f->err);
	if (want)
		assert_string_equal(value, want);
	else
		assert_null(value);
	free(value);
}

static void settings_come_from_the_work_tree_first(void **state)
{
	struct fixture *f = *state;

	assert_config(f, "dbstow.keep", NULL);
	assert_int_equal(repo_sh(f->repo, "git config dbstow.keep 5 && git "
					  "config dbstow.other x"),
			 0);
	assert_config(f, "dbstow.keep", "5");
	assert_refused(gitstore_config_wrong(f->g, "dbstow.keep", "7", &f->err),
		       &f->err, ERROR_USAGE,
		       "git's configuration: dbstow.keep is '5', not 7");
	assert_int_equal(repo_sh(f->repo, "git config -f .dbstow dbstow.keep "
					  "30"),
			 0);
	assert_config(f, "dbstow.keep", "30");
	assert_config(f, "dbstow.other", "x");
	assert_refused(gitstore_config_wrong(f->g, "dbstow.keep", "7", &f->err),
		       &f->err, ERROR_USAGE,
		       "'.dbstow': dbstow.keep is '30', not 7");
	/* a key without a value is there */
	assert_int_equal(repo_sh(f->repo, "printf '[dbstow]\\nkeep\\n' "
					  ">.dbstow"),
			 0);
	assert_config(f, "dbstow.keep", "");
}

static void
a_file_of_settings_that_cannot_be_read_is_no_absent_one(void **state)
{
	struct fixture *f = *state;
	char *value, want[512];

	assert_int_equal(repo_sh(f->repo, "printf '[dbstow\\nkeep = 30\\n' "
					  ">.dbstow"),
			 0);
	snprintf(want, sizeof(want),
		 "cannot read '%s/.dbstow': failed to parse config file: "
		 "missing ']' in section header (in %s/.dbstow:1)",
		 f->repo, f->repo);
	assert_refused(gitstore_config(f->g, "dbstow.keep", &value, &f->err),
		       &f->err, ERROR_USAGE, want);
	assert_null(value);
	/* a way out of the work tree is not followed, and not passed over */
	assert_int_equal(repo_sh(f->repo, "git config -f ../d dbstow.keep 3 && "
					  "ln -sf ../d .dbstow"),
			 0);
	snprintf(want, sizeof(want),
		 "'%s/.dbstow' is not a regular file; make it one or remove it",
		 f->repo);
	assert_refused(gitstore_config(f->g, "dbstow.keep", &value, &f->err),
		       &f->err, ERROR_USAGE, want);
	assert_null(value);
	assert_int_equal(repo_sh(f->repo, "rm .dbstow && mkdir .dbstow"), 0);
	assert_refused(gitstore_config(f->g, "dbstow.keep", &value, &f->err),
		       &f->err, ERROR_USAGE, want);
}

/* As the user nobody, who owns nothing here. */
static void as_nobody(struct fixture *f, void (*what)(struct fixture *f))
{
	int status;
	pid_t pid;

	gitstore_free(f->g);
	f->g = NULL;
	pid = fork();
	if (!pid) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		what(f);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void expect(int rc, const struct error *err, enum error_code code,
		   const char *message)
{
	if (rc != -1 || err->code != code ||
	    strcmp(err->message, message) != 0) {
		fprintf(stderr, "%d %d: %s\nnot: %s\n", rc, (int)err->code,
			err->message, message);
		_exit(1);
	}
}

static void is_unsafe(struct fixture *f)
{
	char want[1024];

	snprintf(want, sizeof(want),
		 "the repository at '%s' belongs to another user; if you trust "
		 "it, run: git config --global --add safe.directory '%s'",
		 f->repo, f->repo);
	expect(try_open(f->repo, NULL, &f->err), &f->err, ERROR_REFUSED, want);
}

static void is_read_only(struct fixture *f)
{
	char want[1024];

	reopen(f);
	snprintf(want, sizeof(want),
		 "cannot write to the repository '%s': '%s/.git': Permission "
		 "denied",
		 f->repo, f->repo);
	expect(gitstore_check(f->g, "app.db", 0, &f->err), &f->err,
	       ERROR_FAILED, want);
	error_clear(&f->err);
	snprintf(want, sizeof(want),
		 "cannot write to the repository '%s': '%s/.git/dbstow': "
		 "Permission denied",
		 f->repo, f->repo);
	expect(gitstore_folder(f->g, &f->err) ? 0 : -1, &f->err, ERROR_FAILED,
	       want);
	gitstore_free(f->g);
}

static void
the_repository_of_another_user_is_told_with_what_to_type(void **state)
{
	struct fixture *f = *state;

	if (geteuid())
		skip();
	assert_int_equal(repo_sh(f->folder, "chmod -R go+rX ."), 0);
	as_nobody(f, is_unsafe);
	/* another form of the same: libgit2 found the setting, for others */
	assert_int_equal(repo_sh(f->folder, "git config --global --add "
					    "safe.directory /elsewhere"),
			 0);
	as_nobody(f, is_unsafe);
}

static void a_repository_that_is_read_only_is_told(void **state)
{
	struct fixture *f = *state;

	if (geteuid())
		skip();
	assert_int_equal(repo_sh(f->folder,
				 "chmod -R go+rX . && git config --global "
				 "--add safe.directory '%s'",
				 f->repo),
			 0);
	as_nobody(f, is_read_only);
	assert_git(f, "0", "find .git/objects -type f | wc -l");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			no_repository_is_told_with_what_to_do, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_folder_in_the_repository_will_do, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_name_that_is_no_branch_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_git_takes_for_a_branch_we_take, setup, teardown),
		cmocka_unit_test_setup_teardown(a_branch_may_be_named_in_full,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_bare_repository_works, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_linked_work_tree_shares_branch_and_lock, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			the_head_of_a_bare_repository_is_no_work_tree_s, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_submodule_keeps_its_own,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_branch_that_is_checked_out_is_refused, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_branch_that_head_waits_for_is_refused, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			harmless_extensions_are_no_obstacle, setup, teardown),
		cmocka_unit_test_setup_teardown(
			another_object_format_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			settings_come_from_the_work_tree_first, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_file_of_settings_that_cannot_be_read_is_no_absent_one,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_repository_of_another_user_is_told_with_what_to_type,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_repository_that_is_read_only_is_told, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
