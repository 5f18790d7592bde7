/*
 * test_source.c - reading files of a snapshot, damaged and hostile ones too
 */
#include "base/hash.h"
#include "tests/gitstore/store.h"

/* A source over the tree that `git mktree` makes of `lines`. */
static struct source *source_of(struct fixture *f, const char *lines)
{
	char *hex =
		repo_out(f->repo, "printf '%s' | git mktree --missing", lines);
	struct object_id id;
	struct source *s;

	assert_int_equal(strlen(hex), 40);
	assert_int_equal(hex_decode(id.bytes, hex, 20), 0);
	free(hex);
	reopen(f);
	assert_ok(gitstore_tree_source(f->g, &id, &s, &f->err), &f->err);
	return s;
}

static void assert_reads(struct fixture *f, struct source *s, const char *path,
			 const char *want)
{
	struct buffer b = BUFFER_INIT;
	int rc = s->read(s, path, &b, &f->err);

	assert_ok(rc, &f->err);
	assert_int_equal(rc, want ? 0 : 1);
	if (want)
		assert_string_equal(buffer_cstr(&b), want);
	buffer_release(&b);
}

static void assert_damaged(struct fixture *f, struct source *s,
			   const char *path, const char *want)
{
	struct buffer b = BUFFER_INIT;

	assert_refused(s->read(s, path, &b, &f->err), &f->err, ERROR_DAMAGE,
		       want);
	buffer_release(&b);
}

static char *listing(struct fixture *f, struct source *s, const char *path)
{
	struct source_names n = { NULL, 0, 0 };
	struct buffer b = BUFFER_INIT;
	size_t i;

	assert_ok(s->list(s, path, &n, &f->err), &f->err);
	for (i = 0; i < n.count; i++)
		buffer_printf(&b, "%s%s ", n.names[i].name,
			      n.names[i].folder ? "/" : "");
	source_names_release(&n);
	buffer_cstr(&b);
	return b.data;
}

static void files_are_read_and_listed_by_path(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add(f, "one\n", 0);
	struct source_names n = { NULL, 0, 0 };
	char hex[SHORT_HEX_SIZE], want[64], *names;
	struct source *s;

	assert_ok(gitstore_source(f->g, &id, &s, &f->err), &f->err);
	object_short(hex, &id);
	snprintf(want, sizeof(want), "snapshot %s", hex);
	assert_string_equal(s->label, want);
	assert_reads(f, s, "data/tables/t/0.jsonl", "one\n");
	assert_reads(f, s, "snapshot.json", "{\"at\":1795142122}\n");
	assert_reads(f, s, "data/tables/t/0.jsonl", "one\n");
	assert_reads(f, s, "data/tables/t/1.jsonl", NULL);
	assert_reads(f, s, "data/tables/x/0.jsonl", NULL);
	assert_reads(f, s, "data/tables", NULL);
	assert_reads(f, s, "snapshot.json/x", NULL);
	assert_reads(f, s, "", NULL);
	assert_reads(f, s, "../x", NULL);
	assert_reads(f, s, "/snapshot.json", NULL);
	names = listing(f, s, "");
	assert_string_equal(names, "data/ snapshot.json ");
	free(names);
	names = listing(f, s, "data/tables");
	assert_string_equal(names, "t/ ");
	free(names);
	assert_int_equal(s->list(s, "data/no", &n, &f->err), 1);
	source_free(s);
}

static void names_are_listed_bytewise_and_found_in_git_s_order(void **state)
{
	struct fixture *f = *state;
	char *blob = repo_out(f->repo, "echo x | git hash-object -w --stdin");
	char *tree = repo_out(f->repo, "git mktree </dev/null");
	char lines[512], *names;
	struct source *s;

	snprintf(lines, sizeof(lines),
		 "040000 tree %s\\ta\\n100644 blob %s\\ta.b\\n"
		 "100644 blob %s\\ta0\\n",
		 tree, blob, blob);
	s = source_of(f, lines);
	names = listing(f, s, "");
	assert_string_equal(names, "a/ a.b a0 ");
	assert_reads(f, s, "a.b", "x\n");
	assert_reads(f, s, "a0", "x\n");
	free(names);
	names = listing(f, s, "a");
	assert_string_equal(names, "");
	free(names);
	source_free(s);
	free(blob);
	free(tree);
}

static void links_submodules_and_programs_are_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const entries[] = {
		"120000 blob 0123456789012345678901234567890123456789",
		"160000 commit 0123456789012345678901234567890123456789",
		"100755 blob 0123456789012345678901234567890123456789"
	};
	struct source_names n = { NULL, 0, 0 };
	char lines[256], want[256];
	struct source *s;
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(lines, sizeof(lines), "%s\\tx\\n", entries[i]);
		s = source_of(f, lines);
		snprintf(want, sizeof(want),
			 "'x' of %s is neither a regular file nor a folder "
			 "(mode %.6s)",
			 s->label, entries[i]);
		assert_damaged(f, s, "x", want);
		assert_refused(s->list(s, "", &n, &f->err), &f->err,
			       ERROR_DAMAGE, want);
		source_names_release(&n);
		source_free(s);
	}
}

static void a_file_that_is_missing_is_named(void **state)
{
	struct fixture *f = *state;
	char want[256];
	struct source *s = source_of(
		f, "100644 blob 1111111111111111111111111111111111111111\\tx\\n"
		   "040000 tree 2222222222222222222222222222222222222222"
		   "\\ty\\n");

	snprintf(want, sizeof(want), "'x' of %s is missing in the repository",
		 s->label);
	assert_damaged(f, s, "x", want);
	snprintf(want, sizeof(want), "'y' of %s is missing in the repository",
		 s->label);
	assert_damaged(f, s, "y/z", want);
	source_free(s);
}

static void add_entry(struct buffer *out, const char *mode_and_name,
		      const char *hex)
{
	unsigned char id[20];

	assert_int_equal(hex_decode(id, hex, 20), 0);
	buffer_add(out, mode_and_name, strlen(mode_and_name) + 1);
	buffer_add(out, id, sizeof(id));
}

static void an_object_of_another_type_is_damage(void **state)
{
	struct fixture *f = *state;
	char *tree = repo_out(f->repo, "git mktree </dev/null");
	char *blob = repo_out(f->repo, "echo x | git hash-object -w --stdin");
	char *path = path_join(f->folder, "raw"), want[256], *hex;
	struct buffer raw = BUFFER_INIT;
	struct object_id id;
	struct source *s;

	/* git mktree would not make these */
	add_entry(&raw, "100644 x", tree);
	add_entry(&raw, "40000 y", blob);
	assert_ok(file_write(path, raw.data, raw.size, 0600, &f->err), &f->err);
	hex = repo_out(f->repo,
		       "git hash-object -w -t tree --literally ../raw");
	assert_int_equal(hex_decode(id.bytes, hex, 20), 0);
	reopen(f);
	assert_ok(gitstore_tree_source(f->g, &id, &s, &f->err), &f->err);
	snprintf(want, sizeof(want),
		 "'x' of %s is damaged: its object is of another type",
		 s->label);
	assert_damaged(f, s, "x", want);
	snprintf(want, sizeof(want),
		 "'y' of %s is damaged: its object is of another type",
		 s->label);
	assert_damaged(f, s, "y/z", want);
	source_free(s);
	buffer_release(&raw);
	free(path);
	free(hex);
	free(tree);
	free(blob);
}

static void assert_bad_tree(struct fixture *f, const char *entries)
{
	char *raw = repo_out(f->repo,
			     "z=aaaaaaaaaaaaaaaaaaaa; %s | git hash-object -w "
			     "-t tree --literally --stdin",
			     entries);
	struct object_id id;
	struct source *s;
	char want[256];

	assert_int_equal(hex_decode(id.bytes, raw, 20), 0);
	reopen(f);
	assert_ok(gitstore_tree_source(f->g, &id, &s, &f->err), &f->err);
	snprintf(want, sizeof(want), "'' of %s is damaged: no sound git tree",
		 s->label);
	assert_damaged(f, s, "x", want);
	source_free(s);
	free(raw);
}

static void trees_that_git_would_not_make_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_bad_tree(f, "printf \"100644 b\\0${z}100644 a\\0$z\"");
	assert_bad_tree(f, "printf \"100644 a\\0${z}100644 a\\0$z\"");
	assert_bad_tree(f, "printf \"100644 a/b\\0$z\"");
	assert_bad_tree(f, "printf \"100644 ..\\0$z\"");
	assert_bad_tree(f, "printf \"40000 .\\0$z\"");
	assert_bad_tree(f, "printf \"100644 \\0$z\"");
	assert_bad_tree(f, "printf \"100644 a\\0short\"");
	assert_bad_tree(f, "printf \"100644\"");
	assert_bad_tree(f, "printf \"x a\\0$z\"");
}

static void a_file_and_a_folder_of_one_name_are_refused(void **state)
{
	struct fixture *f = *state;
	struct source_names n = { NULL, 0, 0 };
	char want[256];
	char *raw = repo_out(f->repo,
			     "z=aaaaaaaaaaaaaaaaaaaa; printf \"100644 "
			     "a\\0${z}100644 a.b\\0${z}40000 a\\0$z\" | git "
			     "hash-object -w -t tree --literally --stdin");
	struct object_id id;
	struct source *s;

	assert_int_equal(hex_decode(id.bytes, raw, 20), 0);
	reopen(f);
	assert_ok(gitstore_tree_source(f->g, &id, &s, &f->err), &f->err);
	snprintf(want, sizeof(want),
		 "'' of %s holds a file and a folder of one name", s->label);
	assert_refused(s->list(s, "", &n, &f->err), &f->err, ERROR_DAMAGE,
		       want);
	source_names_release(&n);
	source_free(s);
	free(raw);
}

static void one_changed_byte_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add(f, "one\n", 0);
	struct buffer b = BUFFER_INIT;
	struct source *s;
	char *hex = repo_out(f->repo, "git rev-parse "
				      "database-backups:data/tables/t/0.jsonl");

	/* a sound zlib stream, of other bytes */
	assert_int_equal(
		repo_sh(f->repo,
			"mkdir ../p && mv .git/objects/pack/* ../p && git "
			"unpack-objects -q <$(ls ../p/*.pack) && o=$(echo ONE "
			"| git hash-object -w --stdin) && cp -f "
			".git/objects/$(echo $o | cut -c1-2)/$(echo $o | cut "
			"-c3-) .git/objects/%.2s/%s",
			hex, hex + 2),
		0);
	reopen(f);
	assert_ok(gitstore_source(f->g, &id, &s, &f->err), &f->err);
	assert_int_equal(s->read(s, "data/tables/t/0.jsonl", &b, &f->err), -1);
	assert_int_equal(f->err.code, ERROR_DAMAGE);
	assert_non_null(strstr(f->err.message, "'data/tables/t/0.jsonl' of "
					       "snapshot "));
	assert_non_null(strstr(f->err.message, " is damaged: "));
	error_clear(&f->err);
	source_free(s);
	buffer_release(&b);
	free(hex);
}

static void a_file_bigger_than_any_may_be_is_refused(void **state)
{
	struct fixture *f = *state;
	char *blob = repo_out(f->repo,
			      "head -c 100663297 /dev/zero | git -c "
			      "core.compression=1 hash-object -w --stdin");
	char lines[128], want[256];
	struct source *s;

	snprintf(lines, sizeof(lines), "100644 blob %s\\tx\\n", blob);
	s = source_of(f, lines);
	snprintf(want, sizeof(want),
		 "'x' of %s has 100663297 bytes, more than a snapshot's file "
		 "may have",
		 s->label);
	assert_damaged(f, s, "x", want);
	source_free(s);
	free(blob);
}

static void a_commit_that_is_missing_is_named(void **state)
{
	struct fixture *f = *state;
	struct object_id id;
	struct source *s;
	char want[256];

	memset(id.bytes, 0x11, 20);
	snprintf(want, sizeof(want),
		 "snapshot 1111111 is missing or damaged in the repository "
		 "'%s'",
		 f->repo);
	assert_refused(gitstore_source(f->g, &id, &s, &f->err), &f->err,
		       ERROR_DAMAGE, want);
}

static void a_hint_changes_nothing_but_time(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add(f, "one\n", 0);
	struct source *s;

	assert_ok(gitstore_source(f->g, &id, &s, &f->err), &f->err);
	/* of what is not there, of a folder, of nothing, of a file */
	s->will_read(s, "data/tables/t/1.jsonl");
	s->will_read(s, "data/tables/x/0.jsonl");
	s->will_read(s, "data/tables");
	s->will_read(s, "/");
	s->will_read(s, "");
	s->will_read(s, "data/tables/t/0.jsonl");
	assert_reads(f, s, "data/tables/t/1.jsonl", NULL);
	assert_reads(f, s, "snapshot.json", "{\"at\":1795142122}\n");
	assert_reads(f, s, "data/tables/t/0.jsonl", "one\n");
	assert_reads(f, s, "data/tables/t/0.jsonl", "one\n");
	s->will_read(s, "snapshot.json");
	source_free(s);
}

static int reads_by(struct source_reader *by, const struct object_id *id,
		    size_t limit, const char *want)
{
	struct buffer b = BUFFER_INIT;
	int rc;

	buffer_str(&b, "before ");
	rc = by->read(by, "no matter", id, limit, &b);
	assert_string_equal(buffer_cstr(&b), want);
	buffer_release(&b);
	return rc;
}

/* Who asks the source instead hears what is wrong. */
static void a_reader_reads_by_id_what_lies_in_packs(void **state)
{
	struct fixture *f = *state;
	struct source_names names = { 0 };
	struct object_id id = add(f, "one\n", 0), none;
	struct source_reader *by, *other;
	struct source *s;

	assert_ok(gitstore_source(f->g, &id, &s, &f->err), &f->err);
	assert_ok(s->list(s, "data/tables/t", &names, &f->err), &f->err);
	assert_int_equal(names.count, 1);
	assert_true(names.names[0].known);
	id = names.names[0].id;
	by = s->reader(s);
	other = s->reader(s);
	assert_int_equal(reads_by(by, &id, 4, "before one\n"), 0);
	assert_int_equal(reads_by(other, &id, 4, "before one\n"), 0);
	assert_int_equal(reads_by(by, &id, 3, "before "), 1);
	assert_int_equal(reads_by(by, NULL, 4, "before "), 1);
	memset(&none, 0x11, sizeof(none));
	assert_int_equal(reads_by(by, &none, 4, "before "), 1);
	assert_int_equal(reads_by(by, &id, 4, "before one\n"), 0);
	by->free(by);
	other->free(other);
	source_names_release(&names);
	source_free(s);
}

static void what_is_told_and_missing_is_an_error_when_it_is_read(void **state)
{
	struct fixture *f = *state;
	struct source *s = source_of(
		f, "100644 blob 1234567890123456789012345678901234567890\ta\n");
	char want[128];

	snprintf(want, sizeof(want), "'a' of %s is missing in the repository",
		 s->label);
	s->will_read(s, "a");
	assert_damaged(f, s, "a", want);
	s->will_read(s, "a");
	assert_damaged(f, s, "a", want);
	source_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			files_are_read_and_listed_by_path, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hint_changes_nothing_but_time,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_reader_reads_by_id_what_lies_in_packs, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			what_is_told_and_missing_is_an_error_when_it_is_read,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			names_are_listed_bytewise_and_found_in_git_s_order,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			links_submodules_and_programs_are_refused, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_file_that_is_missing_is_named,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_object_of_another_type_is_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(
			trees_that_git_would_not_make_are_refused, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_file_and_a_folder_of_one_name_are_refused, setup,
			teardown),
		cmocka_unit_test_setup_teardown(one_changed_byte_is_noticed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_file_bigger_than_any_may_be_is_refused, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_commit_that_is_missing_is_named, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
