/*
 * test_remote.c - a folder as a remote: asking, fetching, pushing
 */
#include "gitstore/remote_internal.h"
#include "tests/gitstore/store.h"

#define REF "refs/heads/" GITSTORE_BRANCH

/* `git init there.git` beside the repository. */
static void make_remote(struct fixture *f)
{
	assert_int_equal(
		repo_sh(f->folder, "git init -q --bare -b main there.git"), 0);
}

static struct remote *open_remote(struct fixture *f, const char *name)
{
	char *path = path_join(f->folder, name);
	struct remote_options o = { .name = "there", .url = path };
	struct remote *r;

	assert_ok(remote_open(&r, f->g, &o, &f->err), &f->err);
	free(path);
	return r;
}

static struct object_id tip_of(struct fixture *f)
{
	struct object_id id;

	assert_int_equal(ref_read(f->g, REF, &id, &f->err), 0);
	return id;
}

static struct remote_push push_of(struct fixture *f,
				  const struct object_id *old)
{
	struct remote_push p = { .ref = REF, .id = tip_of(f) };

	if (old)
		p.old = *old;
	return p;
}

static void push(struct fixture *f, struct remote *r,
		 const struct object_id *old, struct remote_push_result *out)
{
	struct remote_push p = push_of(f, old);

	assert_ok(remote_push(r, &p, out, &f->err), &f->err);
}

static void push_ok(struct fixture *f, struct remote *r,
		    const struct object_id *old)
{
	struct remote_push_result out;

	push(f, r, old, &out);
	if (out.outcome != REMOTE_PUSHED)
		fail_msg("not pushed: %s", out.reason ? out.reason : "moved");
	remote_push_result_release(&out);
}

/* 2,000 rows; row `changed` is another. */
static char *rows(int changed)
{
	struct buffer text = BUFFER_INIT;
	int i;

	for (i = 0; i < 2000; i++)
		buffer_printf(&text, "{\"id\":%d,\"name\":\"%x\"}\n", i,
			      (unsigned int)i * 2654435761u +
				      (i == changed ? 7 : 0));
	return buffer_detach(&text);
}

static struct object_id add_rows(struct fixture *f, int changed, int at)
{
	char *text = rows(changed);
	struct object_id id = add(f, text, at);

	free(text);
	return id;
}

static void assert_sound(struct fixture *f, const char *name)
{
	char *path = path_join(f->folder, name);
	char *out = repo_out(path, FSCK);

	assert_string_equal(out, "");
	free(out);
	free(path);
}

static void assert_there(struct fixture *f, const struct object_id *id)
{
	char hex[OBJECT_HEX_SIZE];
	char *out = repo_out(f->folder,
			     "git -C there.git rev-parse -q --verify " REF
			     " || true");

	object_hex(hex, id);
	assert_string_equal(out, hex);
	free(out);
}

/* ---- pushing ---- */

static void an_empty_folder_takes_the_first_push(void **state)
{
	struct fixture *f = *state;
	struct remote_ref ref;
	struct object_id tip;
	struct remote *r;

	add(f, "{\"id\":1}\n", 0);
	add(f, "{\"id\":2}\n", 1);
	tip = tip_of(f);
	make_remote(f);
	r = open_remote(f, "there.git");
	assert_ok(remote_refs(r, REF, &ref, &f->err), &f->err);
	assert_int_equal(ref.exists, 0);
	assert_int_equal(ref.empty, 1);
	assert_int_equal(ref.any_commit, 1);
	assert_int_equal(strncmp(ref.agent, "git/", 4), 0);
	push_ok(f, r, NULL);
	assert_there(f, &tip);
	assert_sound(f, "there.git");
	assert_ok(remote_refs(r, REF, &ref, &f->err), &f->err);
	assert_int_equal(ref.exists, 1);
	assert_int_equal(ref.empty, 0);
	assert_same(&ref.id, &tip);
	remote_free(r);
}

static void an_update_sends_what_changed(void **state)
{
	struct fixture *f = *state;
	struct remote_push_result out;
	struct object_id old;
	struct remote *r;
	uint64_t first;

	add_rows(f, -1, 0);
	old = tip_of(f);
	make_remote(f);
	r = open_remote(f, "there.git");
	push(f, r, NULL, &out);
	assert_int_equal(out.outcome, REMOTE_PUSHED);
	assert_int_equal(out.deltas, 0);
	first = out.bytes;
	assert_true(first > 10000);
	remote_push_result_release(&out);

	add_rows(f, 1000, 1);
	push(f, r, &old, &out);
	assert_int_equal(out.outcome, REMOTE_PUSHED);
	/* index commit, snapshot, 4 folders, run file, rows */
	assert_int_equal(out.objects, 8);
	assert_int_equal(out.deltas, 1);
	assert_true(out.bytes < 1500);
	remote_push_result_release(&out);
	old = tip_of(f);
	assert_there(f, &old);
	assert_sound(f, "there.git");
	remote_free(r);
}

static void snapshots_are_deltas_of_each_other(void **state)
{
	struct fixture *f = *state;
	struct remote_push_result out;
	struct remote *r;
	int i;

	for (i = 0; i < 5; i++)
		add_rows(f, i * 100, i);
	make_remote(f);
	r = open_remote(f, "there.git");
	push(f, r, NULL, &out);
	assert_int_equal(out.outcome, REMOTE_PUSHED);
	assert_true(out.deltas >= 4);
	assert_true(out.bytes < 40000);
	remote_push_result_release(&out);
	assert_sound(f, "there.git");
	remote_free(r);
}

static void a_ref_that_moved_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct remote_push_result out;
	struct object_id old, theirs;
	struct remote *r;

	add(f, "{\"id\":1}\n", 0);
	old = tip_of(f);
	make_remote(f);
	r = open_remote(f, "there.git");
	push_ok(f, r, NULL);
	add(f, "{\"id\":2}\n", 1);
	theirs = tip_of(f);
	push_ok(f, r, &old);

	add(f, "{\"id\":3}\n", 2);
	push(f, r, &old, &out);
	assert_int_equal(out.outcome, REMOTE_MOVED);
	remote_push_result_release(&out);
	push(f, r, NULL, &out);
	assert_int_equal(out.outcome, REMOTE_MOVED);
	remote_push_result_release(&out);
	assert_there(f, &theirs);
	remote_free(r);
}

/* The hook runs between our look at the refs and the update. */
static void the_server_compares_again(void **state)
{
	struct fixture *f = *state;
	struct remote_push_result out;
	struct object_id first, second;
	char hex[OBJECT_HEX_SIZE];
	struct remote *r;

	add(f, "{\"id\":1}\n", 0);
	first = tip_of(f);
	make_remote(f);
	r = open_remote(f, "there.git");
	push_ok(f, r, NULL);
	add(f, "{\"id\":2}\n", 1);
	second = tip_of(f);
	push_ok(f, r, &first);

	add(f, "{\"id\":3}\n", 2);
	object_hex(hex, &first);
	assert_int_equal(
		repo_sh(f->folder,
			"printf '#!/bin/sh\\nunset GIT_QUARANTINE_PATH\\n"
			"git update-ref %s %s\\n' >there.git/hooks/pre-receive "
			"&& chmod +x there.git/hooks/pre-receive",
			REF, hex),
		0);
	push(f, r, &second, &out);
	assert_int_equal(out.outcome, REMOTE_MOVED);
	assert_there(f, &first);
	remote_push_result_release(&out);
	remote_free(r);
}

static void a_hook_that_refuses_is_quoted(void **state)
{
	struct fixture *f = *state;
	struct remote_push_result out;
	struct remote *r;

	add(f, "{\"id\":1}\n", 0);
	make_remote(f);
	assert_int_equal(
		repo_sh(f->folder,
			"cd there.git/hooks && cat >pre-receive <<'EOF'\n"
			"#!/bin/sh\n"
			"printf 'no \\033[31mroom\\n12\\r34\\rgo away\\n' >&2\n"
			"exit 1\n"
			"EOF\n"
			"chmod +x pre-receive"),
		0);
	r = open_remote(f, "there.git");
	push(f, r, NULL, &out);
	assert_int_equal(out.outcome, REMOTE_REJECTED);
	assert_string_equal(out.reason, "pre-receive hook declined");
	assert_string_equal(out.messages, "no [31mroom\ngo away\n");
	remote_push_result_release(&out);
	remote_free(r);
}

static void a_dry_run_sends_nothing_and_tells_how_much(void **state)
{
	struct fixture *f = *state;
	struct remote_push_result out;
	struct remote_push p;
	struct remote_ref ref;
	struct remote *r;

	add_rows(f, -1, 0);
	make_remote(f);
	r = open_remote(f, "there.git");
	p = push_of(f, NULL);
	p.dry_run = 1;
	assert_ok(remote_push(r, &p, &out, &f->err), &f->err);
	assert_int_equal(out.objects, 8);
	assert_true(out.bytes > 10000);
	assert_true(out.largest_bytes > 40000);
	assert_int_equal(out.largest_folder, 2);
	remote_push_result_release(&out);
	assert_ok(remote_refs(r, REF, &ref, &f->err), &f->err);
	assert_int_equal(ref.exists, 0);

	p.max_bytes = 9000;
	assert_int_equal(remote_push(r, &p, &out, &f->err), -1);
	assert_int_equal(f->err.code, ERROR_REFUSED);
	assert_non_null(strstr(f->err.message,
			       "is more than the 0 MB that one push may have"));
	remote_push_result_release(&out);
	remote_free(r);
}

static void a_commit_that_is_not_stored_yet_can_be_pushed(void **state)
{
	struct fixture *f = *state;
	struct new_commit c = { .body = BUFFER_INIT };
	struct remote_push_result out;
	struct object_id snapshot;
	struct raw_commit raw;
	struct remote_push p;
	struct remote *r;

	snapshot = add(f, "{\"id\":1}\n", 0);
	assert_int_equal(raw_commit_read(f->g, &snapshot, &raw, &f->err), 0);
	assert_ok(commit_build(f->g, &raw.tree, &snapshot, 1, T0, "new\n", &c,
			       &f->err),
		  &f->err);
	make_remote(f);
	r = open_remote(f, "there.git");
	p = push_of(f, NULL);
	p.id = c.id;
	p.body = c.body.data;
	p.body_size = c.body.size;
	assert_ok(remote_push(r, &p, &out, &f->err), &f->err);
	assert_int_equal(out.outcome, REMOTE_PUSHED);
	assert_there(f, &c.id);
	assert_sound(f, "there.git");
	assert_int_equal(object_exists(f->g, &c.id), 0);
	remote_push_result_release(&out);
	raw_commit_release(&raw);
	buffer_release(&c.body);
	remote_free(r);
}

/* ---- fetching ---- */

/* Three snapshots in there.git; ours is another, empty repository. */
static struct object_id fill_remote(struct fixture *f, struct object_id ids[3])
{
	struct object_id tip;
	struct remote *r;
	int i;

	for (i = 0; i < 3; i++)
		ids[i] = add_rows(f, i, i);
	tip = tip_of(f);
	make_remote(f);
	r = open_remote(f, "there.git");
	push_ok(f, r, NULL);
	remote_free(r);
	assert_int_equal(repo_sh(f->folder, "git init -q -b main fresh"), 0);
	free(f->repo);
	f->repo = path_join(f->folder, "fresh");
	reopen(f);
	return tip;
}

static int can_read(struct remote *r, const struct object_id *id)
{
	struct gitstore *g = remote_store(r, NULL);
	struct buffer out = BUFFER_INIT;
	struct source *s = NULL;
	int rc = gitstore_source(g, id, &s, NULL);

	if (!rc)
		rc = s->read(s, "data/tables/t/0.jsonl", &out, NULL);
	source_free(s);
	rc = !rc && out.size > 10000;
	buffer_release(&out);
	return rc;
}

static void all_is_fetched_and_kept(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3], tip = fill_remote(f, ids);
	struct move m = { .ref = REF, .id = tip, .log = "test" };
	struct remote *r = open_remote(f, "there.git");
	struct history *h;

	assert_ok(remote_fetch(r, &tip, 1, REMOTE_WHOLE, &f->err), &f->err);
	assert_ok(gitstore_history(remote_store(r, &f->err), 0, &h, NULL,
				   &f->err),
		  &f->err);
	assert_int_equal(h->count, 3);
	assert_same(&h->snapshots[0].id, &ids[2]);
	history_free(h);
	assert_true(can_read(r, &ids[0]));
	assert_true(can_read(r, &ids[2]));
	assert_int_equal(object_exists(f->g, &tip), 0);

	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_ok(remote_keep(r, &m, &f->err), &f->err);
	assert_int_equal(ref_move(f->g, &m, &f->err), MOVE_DONE);
	placed_release(f->g);
	store_unlock(f->g);
	remote_free(r);
	assert_sound(f, "fresh");
	h = read_history(f);
	assert_int_equal(h->count, 3);
	history_free(h);
	reopen(f);
	assert_git(f, "", "ls .git/objects/pack | grep keep || true");
	assert_git(f, "", "ls .git/dbstow | grep tmp || true");
}

static void what_is_not_kept_is_gone(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3], tip = fill_remote(f, ids);
	struct remote *r = open_remote(f, "there.git");

	assert_ok(remote_fetch(r, &tip, 1, REMOTE_WHOLE, &f->err), &f->err);
	remote_free(r);
	assert_git(f, "", "find .git/objects -type f; ls .git/dbstow");
}

static void only_what_is_missing_is_fetched(void **state)
{
	struct fixture *f = *state;
	struct object_id id, tip;
	struct remote *r;
	char *count;

	add_rows(f, 0, 0);
	add_rows(f, 1, 1);
	assert_int_equal(repo_sh(f->folder, "cp -r r fresh"), 0);
	id = add_rows(f, 2, 2);
	tip = tip_of(f);
	make_remote(f);
	r = open_remote(f, "there.git");
	push_ok(f, r, NULL);
	remote_free(r);
	free(f->repo);
	f->repo = path_join(f->folder, "fresh");
	reopen(f);
	r = open_remote(f, "there.git");
	assert_ok(remote_fetch(r, &tip, 1, REMOTE_WHOLE, &f->err), &f->err);
	assert_true(can_read(r, &id));
	/* 2 commits, 4 folders, 2 files, and the base of a delta */
	count = repo_out(f->repo, "git show-index <$(ls .git/dbstow/tmp.*/"
				  "transfer/objects/pack/*.idx) | wc -l");
	assert_int_equal(strtol(count, NULL, 10), 9);
	free(count);
	remote_free(r);
}

static void one_old_snapshot_comes_alone(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3], tip = fill_remote(f, ids);
	struct remote *r = open_remote(f, "there.git");
	struct history *h;

	assert_ok(remote_fetch(r, &tip, 1, REMOTE_LIST, &f->err), &f->err);
	assert_ok(gitstore_history(remote_store(r, &f->err), 0, &h, NULL,
				   &f->err),
		  &f->err);
	assert_int_equal(h->count, 3);
	history_free(h);
	assert_false(can_read(r, &ids[0]));
	assert_ok(remote_fetch(r, &ids[0], 1, REMOTE_TIP, &f->err), &f->err);
	assert_true(can_read(r, &ids[0]));
	assert_false(can_read(r, &ids[1]));
	remote_free(r);
}

static void lists_come_without_files_where_the_server_can(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3], tip = fill_remote(f, ids);
	struct remote *r = open_remote(f, "there.git");
	struct raw_commit c;
	struct remote_ref ref;

	assert_int_equal(repo_sh(f->folder, "git -C there.git config "
					    "uploadpack.allowFilter true"),
			 0);
	assert_ok(remote_refs(r, REF, &ref, &f->err), &f->err);
	assert_int_equal(ref.filters, 1);
	assert_ok(remote_fetch(r, &tip, 1, REMOTE_LIST, &f->err), &f->err);
	assert_int_equal(raw_commit_read(r->transfer, &ids[0], &c, &f->err), 0);
	raw_commit_release(&c);
	assert_false(can_read(r, &ids[2]));
	assert_ok(remote_fetch(r, &tip, 1, REMOTE_WHOLE, &f->err), &f->err);
	assert_true(can_read(r, &ids[2]));
	assert_true(can_read(r, &ids[0]));
	remote_free(r);
}

/* A list and one snapshot: the others' commits must not come without files. */
static void commits_are_kept_only_with_their_files(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3], tip = fill_remote(f, ids);
	struct move m = { .ref = "refs/heads/one", .log = "test" };
	struct remote *r = open_remote(f, "there.git");

	m.id = ids[1];
	assert_int_equal(repo_sh(f->folder, "git -C there.git config "
					    "uploadpack.allowFilter true"),
			 0);
	assert_ok(remote_fetch(r, &tip, 1, REMOTE_LIST, &f->err), &f->err);
	assert_ok(remote_fetch(r, &ids[1], 1, REMOTE_WHOLE, &f->err), &f->err);
	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_ok(remote_keep(r, &m, &f->err), &f->err);
	assert_int_equal(ref_move(f->g, &m, &f->err), MOVE_DONE);
	placed_release(f->g);
	store_unlock(f->g);
	assert_true(object_exists(f->g, &ids[1]));
	assert_false(object_exists(f->g, &ids[0]));
	assert_false(object_exists(f->g, &tip));
	remote_free(r);
	assert_sound(f, "fresh");
}

/* Files that are here need no second coming, their commit does. */
static void a_commit_whose_files_were_here_is_kept(void **state)
{
	struct fixture *f = *state;
	struct object_id ids[3], tip = fill_remote(f, ids);
	struct move m = { .ref = REF, .id = tip, .log = "test" };
	struct remote *r;

	assert_int_equal(
		repo_sh(f->folder,
			"git -C there.git config uploadpack.allowFilter true; "
			"rm -rf fresh && git clone -q --depth=1 -b "
			"database-backups file://$PWD/there.git fresh && "
			"git -C fresh checkout -q --detach && "
			"git -C fresh branch -D database-backups"),
		0);
	reopen(f);
	r = open_remote(f, "there.git");
	assert_ok(remote_fetch(r, &ids[0], 1, REMOTE_WHOLE, &f->err), &f->err);
	assert_ok(remote_fetch(r, &ids[1], 1, REMOTE_WHOLE, &f->err), &f->err);
	assert_ok(remote_fetch(r, &ids[2], 1, REMOTE_LIST, &f->err), &f->err);
	assert_ok(store_lock(f->g, &f->err), &f->err);
	assert_ok(remote_keep(r, &m, &f->err), &f->err);
	assert_true(object_exists(f->g, &ids[2]));
	placed_release(f->g);
	store_unlock(f->g);
	remote_free(r);
	assert_sound(f, "fresh");
}

/* ---- what can't be used ---- */

static void urls_that_cannot_be_used_are_refused(void **state)
{
	static const struct {
		const char *url, *message;
		enum error_code code;
	} cases[] = {
		{ "https://me:secret@host/x.git",
		  "the URL 'https://...@host/x.git' holds a user name or a "
		  "password, which others can see there; leave it out, and "
		  "put a token into DBSTOW_TOKEN or a file for --token-file",
		  ERROR_REFUSED },
		{ "ssh://me:secret@host/x.git",
		  "the URL 'ssh://...@host/x.git' holds a user name or a "
		  "password, which others can see there; leave it out, and "
		  "put a token into DBSTOW_TOKEN or a file for --token-file",
		  ERROR_REFUSED },
		{ "http://host/x.git",
		  "'http://host/x.git' is not encrypted: everybody on the way "
		  "could read the data; use https://",
		  ERROR_REFUSED },
		{ "git://host/x.git",
		  "cannot use a remote like 'git:...'; dbstow talks https://, "
		  "ssh:// and to folders",
		  ERROR_USAGE },
		{ "ext::sh -c x",
		  "cannot use a remote like 'ext::sh -c x...'; dbstow talks "
		  "https://, ssh:// and to folders",
		  ERROR_USAGE },
		{ "ssh://-oProxyCommand=x/y",
		  "cannot use the remote's URL 'ssh://-oProxyCommand=x/y': it "
		  "names no host",
		  ERROR_USAGE },
		{ "-oProxyCommand=x:y",
		  "cannot use the remote's URL '-oProxyCommand=x:y': it names "
		  "no host",
		  ERROR_USAGE },
		{ "host:-x",
		  "cannot use the remote's URL 'host:-x': it names no "
		  "repository",
		  ERROR_USAGE },
		{ "ssh://host:ab/x",
		  "cannot use the remote's URL 'ssh://host:ab/x': its port is "
		  "no number",
		  ERROR_USAGE },
		{ "https://host",
		  "cannot use the remote's URL 'https://host': it is not like "
		  "'https://host/folder/name.git'",
		  ERROR_USAGE },
		{ "a\nb",
		  "a remote's URL is empty, too long or holds control "
		  "characters",
		  ERROR_USAGE },
		{ "/nowhere/x.git",
		  "cannot find the remote '/nowhere/x.git': No such file or "
		  "directory",
		  ERROR_NETWORK },
	};
	struct error err = ERROR_INIT;
	struct remote_url u;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_refused(remote_url_parse(&u, cases[i].url, 0, &err),
			       &err, cases[i].code, cases[i].message);
}

static void urls_are_read_as_git_reads_them(void **state)
{
	static const struct {
		const char *url;
		enum remote_kind kind;
		const char *host, *port, *path;
	} cases[] = {
		{ "https://host/x.git", REMOTE_HTTPS, "host", NULL, NULL },
		{ "https://host:8443/x.git", REMOTE_HTTPS, "host", NULL, NULL },
		{ "http://127.0.0.1:80/x", REMOTE_HTTPS, "127.0.0.1", NULL,
		  NULL },
		{ "ssh://me@host:22/a%20b", REMOTE_SSH, "me@host", "22",
		  "/a b" },
		{ "ssh://host/~me/x", REMOTE_SSH, "host", NULL, "~me/x" },
		{ "ssh://[::1]:22/x", REMOTE_SSH, "::1", "22", "/x" },
		{ "git@host:a/b.git", REMOTE_SSH, "git@host", NULL, "a/b.git" },
		{ "host:/a", REMOTE_SSH, "host", NULL, "/a" },
		{ "[::1]:a", REMOTE_SSH, "::1", NULL, "a" },
		{ "file:///t%6dp", REMOTE_FILE, NULL, NULL, "/tmp" },
		{ "/tmp/", REMOTE_FILE, NULL, NULL, "/tmp" },
	};
	struct error err = ERROR_INIT;
	struct remote_url u;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_ok(remote_url_parse(&u, cases[i].url, 1, &err), &err);
		assert_int_equal(u.kind, cases[i].kind);
		assert_string_equal(u.host ? u.host : "-",
				    cases[i].host ? cases[i].host : "-");
		assert_string_equal(u.port ? u.port : "-",
				    cases[i].port ? cases[i].port : "-");
		assert_string_equal(u.path ? u.path : "-",
				    cases[i].path ? cases[i].path : "-");
		remote_url_release(&u);
	}
}

static void a_folder_that_is_no_repository_is_told(void **state)
{
	struct fixture *f = *state;
	struct remote_ref ref;
	struct remote *r;

	assert_int_equal(repo_sh(f->folder, "mkdir there.git"), 0);
	r = open_remote(f, "there.git");
	assert_int_equal(remote_refs(r, REF, &ref, &f->err), -1);
	assert_int_equal(f->err.code, ERROR_NETWORK);
	assert_non_null(strstr(f->err.message, "cannot talk to the remote "
					       "'there' ("));
	assert_non_null(strstr(f->err.message,
			       "does not appear to be a git repository"));
	remote_free(r);
}

/* ---- pkt-lines ---- */

struct taken {
	char text[256];
	int last; /* stop at this one */
	int count;
};

static int take(void *payload, enum pkt kind, const char *data, size_t size,
		struct error *err)
{
	struct taken *t = payload;
	size_t used = strlen(t->text);

	(void)err;
	snprintf(t->text + used, sizeof(t->text) - used, "%s%.*s|",
		 kind == PKT_FLUSH ? "FLUSH"
				   : (kind == PKT_DELIMITER ? "DELIM" : ""),
		 (int)size, data);
	return ++t->count == t->last;
}

static void lines_come_in_any_pieces(void **state)
{
	static const char text[] = "0009hello0004000100000006ab";
	struct pkt_reader *in = malloc(sizeof(*in));
	struct error err = ERROR_INIT;
	size_t piece, i;

	(void)state;
	for (piece = 1; piece < sizeof(text); piece++) {
		struct taken t = { "", 5, 0 };

		pkt_reader_init(in, "'x'", take, &t);
		for (i = 0; i < sizeof(text) - 1; i += piece)
			assert_ok(pkt_feed(in, text + i,
					   piece < sizeof(text) - 1 - i
						   ? piece
						   : sizeof(text) - 1 - i,
					   &err),
				  &err);
		assert_string_equal(t.text, "hello||DELIM|FLUSH|ab|");
		assert_int_equal(in->done, 1);
	}
	free(in);
}

static void what_is_no_pkt_line_is_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "<html>", "the remote 'x' does not answer as git does: "
			    "'<htm'" },
		{ "0003", "the remote 'x' does not answer as git does: "
			  "'0003'" },
		{ "fff1", "the remote 'x' does not answer as git does: "
			  "'fff1'" },
		{ "-001", "the remote 'x' does not answer as git does: "
			  "'-001'" },
		{ "0010ERR no \033way\n", "the remote 'x' says: no way" },
	};
	struct pkt_reader *in = malloc(sizeof(*in));
	struct taken t = { "", -1, 0 };
	struct error err = ERROR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		pkt_reader_init(in, "'x'", take, &t);
		assert_refused(pkt_feed(in, cases[i].text,
					strlen(cases[i].text), &err),
			       &err, ERROR_NETWORK, cases[i].message);
	}
	free(in);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_empty_folder_takes_the_first_push),
		T(an_update_sends_what_changed),
		T(snapshots_are_deltas_of_each_other),
		T(a_ref_that_moved_is_left_alone),
		T(the_server_compares_again),
		T(a_hook_that_refuses_is_quoted),
		T(a_dry_run_sends_nothing_and_tells_how_much),
		T(a_commit_that_is_not_stored_yet_can_be_pushed),
		T(all_is_fetched_and_kept),
		T(what_is_not_kept_is_gone),
		T(only_what_is_missing_is_fetched),
		T(one_old_snapshot_comes_alone),
		T(lists_come_without_files_where_the_server_can),
		T(commits_are_kept_only_with_their_files),
		T(a_commit_whose_files_were_here_is_kept),
		cmocka_unit_test(urls_that_cannot_be_used_are_refused),
		cmocka_unit_test(urls_are_read_as_git_reads_them),
		T(a_folder_that_is_no_repository_is_told),
		cmocka_unit_test(lines_come_in_any_pieces),
		cmocka_unit_test(what_is_no_pkt_line_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
