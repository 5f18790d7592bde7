/*
 * test_remote_push.c - pushing to a folder
 */
#include "tests/gitstore/remotes.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
