/*
 * test_object.c - ids and trees as git has them, and folders as sources
 */
#include "tests/snapshot/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char folder[64];
static struct error err;

static int make_folder(void **state)
{
	const char *parent = getenv("TMPDIR");

	(void)state;
	error_clear(&err);
	snprintf(folder, sizeof(folder), "%.40s/dbstow-test-XXXXXX",
		 parent ? parent : "/tmp");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	scratch_remove(folder);
	return 0;
}

static const char *at(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	assert_int_equal(file_write(at(name), text, strlen(text), 0644, &err),
			 0);
}

static void make_dir(const char *name)
{
	assert_int_equal(mkdir(at(name), 0755), 0);
}

static struct source *opened(void)
{
	struct source *s;

	assert_int_equal(folder_source_open(&s, folder, &err), 0);
	return s;
}

/* The message behind "folder '/tmp/dbstow-test-123456': " */
static const char *said(void)
{
	char begin[128];

	snprintf(begin, sizeof(begin), "folder '%s': ", folder);
	assert_memory_equal(err.message, begin, strlen(begin));
	return err.message + strlen(begin);
}

static void assert_id(const struct object_id *id, const char *hex)
{
	char text[OBJECT_HEX_SIZE];

	object_hex(text, id);
	assert_string_equal(text, hex);
}

static void ids_are_those_that_git_gives(void **state)
{
	struct object_id id;
	struct tree t = { 0 };
	struct sink *s;

	(void)state;
	assert_int_equal(hash_sink_new(&s, &err), 0);
	assert_int_equal(s->put(s, OBJECT_BLOB, NULL, "hello\n", 6, &id, &err),
			 0);
	assert_id(&id, "ce013625030ba8dba906f756967f9e9ca394464a");
	assert_int_equal(s->put(s, OBJECT_BLOB, NULL, "", 0, &id, &err), 0);
	assert_id(&id, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
	assert_int_equal(tree_put(&t, s, &id, &err), 0);
	assert_id(&id, "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
	hash_sink_free(s);
	hash_sink_free(NULL);
}

/* In a tree the folder "a" stands between "a.b" and "a0". */
static void trees_are_ordered_as_git_orders_them(void **state)
{
	struct object_id empty, hello, z, a, data;
	struct tree t = { 0 };
	struct sink *s;

	(void)state;
	assert_int_equal(hash_sink_new(&s, &err), 0);
	s->put(s, OBJECT_BLOB, NULL, "hello\n", 6, &hello, &err);
	s->put(s, OBJECT_BLOB, NULL, "", 0, &empty, &err);
	s->put(s, OBJECT_BLOB, NULL, "z", 1, &z, &err);
	assert_int_equal(tree_add(&t, "x", 0, &hello, &err), 0);
	assert_int_equal(tree_put(&t, s, &a, &err), 0);
	assert_int_equal(t.count, 0);
	assert_int_equal(tree_add(&t, "a0", 0, &z, &err), 0);
	assert_int_equal(tree_add(&t, "a", 1, &a, &err), 0);
	assert_int_equal(tree_add(&t, "a.b", 0, &empty, &err), 0);
	/* the same file twice counts once */
	assert_int_equal(tree_add(&t, "a0", 0, &z, &err), 0);
	assert_int_equal(tree_put(&t, s, &data, &err), 0);
	assert_id(&data, "8caf3c6071add5c7279e592fa0b858930b560fad");
	hash_sink_free(s);
}

static void a_tree_has_no_two_files_of_one_name(void **state)
{
	struct object_id one = { { 1 } }, two = { { 2 } }, id;
	struct tree t = { 0 };
	struct sink *s;

	(void)state;
	assert_int_equal(hash_sink_new(&s, &err), 0);
	tree_add(&t, "b", 0, &one, &err);
	tree_add(&t, "a", 0, &one, &err);
	tree_add(&t, "a", 0, &one, &err);
	tree_add(&t, "a", 1, &one, &err);
	tree_add(&t, "c", 0, &two, &err);
	assert_int_equal(tree_put(&t, s, &id, &err), -1);
	assert_int_equal(err.code, ERROR_FAILED);
	assert_string_equal(err.message,
			    "two files of one folder are both named 'a'");
	hash_sink_free(s);
}

static void names_that_no_tree_can_have_are_refused(void **state)
{
	static const char *const names[] = { "",    ".",    "..",
					     "a/b", ".git", ".GIT" };
	struct object_id id = { { 1 } };
	struct tree t = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		error_clear(&err);
		assert_int_equal(tree_add(&t, names[i], 0, &id, &err), -1);
		assert_int_equal(err.code, ERROR_FAILED);
	}
	assert_string_equal(err.message,
			    "'.GIT' cannot be a name in a git tree");
	assert_int_equal(t.count, 0);
	tree_release(&t);
}

static void make_data(void)
{
	make_dir("data");
	make_dir("data/a");
	write_file("data/a/x", "hello\n");
	write_file("data/a.b", "");
	write_file("data/a0", "z");
}

static void a_folder_has_the_tree_id_that_git_gives_it(void **state)
{
	struct object_id id;
	struct source *s;

	(void)state;
	make_data();
	make_dir(".git");
	write_file("junk of mine", "");
	make_dir("data/empty"); /* git knows no empty folders */
	s = opened();
	assert_int_equal(source_tree_id(s, "data", &id, &err), 0);
	assert_id(&id, "8caf3c6071add5c7279e592fa0b858930b560fad");
	source_free(s);
}

static void files_are_read_and_listed(void **state)
{
	struct source_names names = { 0 };
	struct buffer b = BUFFER_INIT;
	struct source *s;

	(void)state;
	make_data();
	s = opened();
	buffer_str(&b, "before ");
	assert_int_equal(s->read(s, "data/a/x", &b, &err), 0);
	assert_string_equal(buffer_cstr(&b), "before hello\n");
	assert_int_equal(s->read(s, "data/a/y", &b, &err), 1);
	assert_int_equal(s->read(s, "data/b/y", &b, &err), 1);
	assert_int_equal(s->list(s, "data/b", &names, &err), 1);
	assert_int_equal(s->list(s, "data", &names, &err), 0);
	assert_int_equal(names.count, 3);
	assert_string_equal(names.names[0].name, "a");
	assert_int_equal(names.names[0].folder, 1);
	assert_string_equal(names.names[1].name, "a.b");
	assert_int_equal(names.names[1].folder, 0);
	assert_string_equal(names.names[2].name, "a0");
	assert_int_equal(err.code, ERROR_NONE);
	source_names_release(&names);
	buffer_release(&b);
	source_free(s);
	source_free(NULL);
}

static void no_symbolic_link_is_followed(void **state)
{
	struct source_names names = { 0 };
	struct buffer b = BUFFER_INIT;
	struct object_id id;
	struct source *s;

	(void)state;
	make_data();
	assert_int_equal(symlink("a0", at("data/link")), 0);
	assert_int_equal(symlink("a", at("data/way")), 0);
	s = opened();
	assert_int_equal(s->read(s, "data/link", &b, &err), -1);
	assert_int_equal(err.code, ERROR_DAMAGE);
	assert_string_equal(said(), "'data/link' is a symbolic link; a "
				    "snapshot has only files and folders");
	error_clear(&err);
	assert_int_equal(s->read(s, "data/way/x", &b, &err), -1);
	assert_string_equal(said(), "'data/way' is a symbolic link; a snapshot "
				    "has only files and folders");
	error_clear(&err);
	assert_int_equal(s->list(s, "data/way", &names, &err), -1);
	error_clear(&err);
	assert_int_equal(source_tree_id(s, "data", &id, &err), -1);
	assert_string_equal(said(), "'data/link' is a symbolic link; a "
				    "snapshot has only files and folders");
	assert_int_equal(b.size, 0);
	source_names_release(&names);
	buffer_release(&b);
	source_free(s);
}

static int reads_by(struct source_reader *by, const char *path, size_t limit,
		    size_t want)
{
	struct buffer b = BUFFER_INIT;
	int rc;

	buffer_str(&b, "before");
	rc = by->read(by, path, NULL, limit, &b);
	assert_int_equal(b.size, want);
	buffer_release(&b);
	return rc;
}

/* Who asks the source instead hears what is wrong. */
static void a_reader_reads_files_and_nothing_else(void **state)
{
	struct source_reader *by;
	struct source *s;

	(void)state;
	make_data();
	assert_int_equal(symlink("a0", at("data/link")), 0);
	s = opened();
	by = s->reader(s);
	assert_int_equal(reads_by(by, "data/a/x", 6, 6 + 6), 0);
	assert_int_equal(reads_by(by, "data/a/x", 5, 6), 1);
	assert_int_equal(reads_by(by, "data/none", 100, 6), 1);
	assert_int_equal(reads_by(by, "data/link", 100, 6), 1);
	assert_int_equal(reads_by(by, "data/a", 100, 6), 1);
	assert_int_equal(reads_by(by, "../x", 100, 6), 1);
	by->free(by);
	source_free(s);
}

static void a_link_to_the_folder_itself_is_the_users_own(void **state)
{
	char link[512];
	struct buffer b = BUFFER_INIT;
	struct source *s;

	(void)state;
	make_data();
	snprintf(link, sizeof(link), "%s", at("here"));
	assert_int_equal(symlink(".", link), 0);
	assert_int_equal(folder_source_open(&s, link, &err), 0);
	assert_int_equal(s->read(s, "data/a0", &b, &err), 0);
	buffer_release(&b);
	source_free(s);
}

static void only_files_and_folders_count(void **state)
{
	struct source_names names = { 0 };
	struct buffer b = BUFFER_INIT;
	struct source *s;

	(void)state;
	make_data();
	assert_int_equal(mkfifo(at("data/pipe"), 0600), 0);
	s = opened();
	assert_int_equal(s->read(s, "data/pipe", &b, &err), -1);
	assert_int_equal(err.code, ERROR_DAMAGE);
	assert_string_equal(said(), "'data/pipe' is neither a file nor a "
				    "folder");
	error_clear(&err);
	assert_int_equal(s->list(s, "data", &names, &err), -1);
	assert_string_equal(said(), "'data/pipe' is neither a file nor a "
				    "folder");
	error_clear(&err);
	assert_int_equal(s->read(s, "data/a", &b, &err), -1);
	assert_string_equal(said(), "'data/a' is a folder where a file should "
				    "be");
	error_clear(&err);
	assert_int_equal(s->list(s, "data/a0", &names, &err), -1);
	assert_string_equal(said(), "'data/a0' is a file where a folder should "
				    "be");
	source_names_release(&names);
	buffer_release(&b);
	source_free(s);
}

static void no_path_leads_out_of_the_folder(void **state)
{
	static const char *const paths[] = { "../x",     "data/../x", "/etc/x",
					     "data//a0", "data/.git", "" };
	struct buffer b = BUFFER_INIT;
	struct source *s;

	(void)state;
	make_data();
	s = opened();
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		error_clear(&err);
		assert_int_equal(s->read(s, paths[i], &b, &err), -1);
		assert_int_equal(err.code, ERROR_DAMAGE);
		if (i == 1)
			assert_string_equal(said(), "'data/..' is no name of "
						    "a snapshot's file");
	}
	buffer_release(&b);
	source_free(s);
}

static void what_others_left_in_a_folder_is_named(void **state)
{
	struct source_names names = { 0 };
	struct source *s;

	(void)state;
	make_data();
	write_file("data/a/.DS_Store", "");
	s = opened();
	assert_int_equal(s->list(s, "data/a", &names, &err), -1);
	assert_int_equal(err.code, ERROR_DAMAGE);
	assert_string_equal(said(), "'data/a/.DS_Store' does not belong to a "
				    "snapshot; remove it");
	source_names_release(&names);
	source_free(s);
}

static void a_folder_of_bottomless_depth_is_refused(void **state)
{
	char path[64] = "data";
	struct object_id id;
	struct source *s;

	(void)state;
	make_dir(path);
	for (int i = 0; i < 12; i++) {
		memcpy(path + strlen(path), "/d", 3);
		make_dir(path);
	}
	s = opened();
	assert_int_equal(source_tree_id(s, "data", &id, &err), -1);
	assert_int_equal(err.code, ERROR_DAMAGE);
	assert_string_equal(said(),
			    "'data/d/d/d/d/d/d/d/d/d/d/d/d' lies deeper than "
			    "any folder of a snapshot");
	source_free(s);
}

static void a_file_bigger_than_any_is_refused(void **state)
{
	struct buffer b = BUFFER_INIT;
	struct source *s;

	(void)state;
	make_data();
	assert_int_equal(truncate(at("data/a0"), (off_t)SOURCE_FILE_MAX + 1),
			 0);
	s = opened();
	assert_int_equal(s->read(s, "data/a0", &b, &err), -1);
	assert_int_equal(err.code, ERROR_DAMAGE);
	assert_string_equal(said(), "'data/a0' is bigger than any file of a "
				    "snapshot");
	buffer_release(&b);
	source_free(s);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
	struct object_id id;
	struct source *s;
	char expected[256];

	(void)state;
	assert_int_equal(folder_source_open(&s, at("none"), &err), -1);
	assert_null(s);
	snprintf(expected, sizeof(expected),
		 "cannot open folder '%s/none': No such file or directory",
		 folder);
	assert_int_equal(err.code, ERROR_FAILED);
	assert_string_equal(err.message, expected);
	error_clear(&err);
	snprintf(expected, sizeof(expected),
		 "'%s/x.json' is a file; --from takes a folder: a checkout or "
		 "an unpacked archive of the branch",
		 folder);
	write_file("x.json", "{}");
	assert_int_equal(folder_source_open(&s, at("x.json"), &err), -1);
	assert_int_equal(err.code, ERROR_FAILED);
	assert_string_equal(err.message, expected);
	error_clear(&err);
	s = opened();
	assert_int_equal(source_tree_id(s, "data", &id, &err), -1);
	assert_int_equal(err.code, ERROR_DAMAGE);
	assert_string_equal(said(), "folder 'data' is missing");
	source_free(s);
}

static void a_batch_hashes_as_put_does(void **state)
{
	struct put_batch *b;
	struct object_id one, other;
	struct sink *s;

	(void)state;
	assert_int_equal(hash_sink_new(&s, &err), 0);
	assert_int_equal(s->batch_new(s, &b, &err), 0);
	assert_int_equal(s->put(s, OBJECT_TREE, NULL, "ab", 2, &one, &err), 0);
	assert_int_equal(
		s->batch_put(b, OBJECT_TREE, NULL, "ab", 2, &other, &err), 0);
	assert_memory_equal(&one, &other, sizeof(one));
	assert_int_equal(s->batch_store(s, b, &err), 0);
	s->batch_free(b);
	s->batch_free(NULL);
	hash_sink_free(s);
}

#define WITH_FOLDER(f)                                                         \
	cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(ids_are_those_that_git_gives),
		WITH_FOLDER(trees_are_ordered_as_git_orders_them),
		WITH_FOLDER(a_tree_has_no_two_files_of_one_name),
		WITH_FOLDER(names_that_no_tree_can_have_are_refused),
		WITH_FOLDER(a_folder_has_the_tree_id_that_git_gives_it),
		WITH_FOLDER(files_are_read_and_listed),
		WITH_FOLDER(no_symbolic_link_is_followed),
		WITH_FOLDER(a_reader_reads_files_and_nothing_else),
		WITH_FOLDER(a_link_to_the_folder_itself_is_the_users_own),
		WITH_FOLDER(only_files_and_folders_count),
		WITH_FOLDER(no_path_leads_out_of_the_folder),
		WITH_FOLDER(what_others_left_in_a_folder_is_named),
		WITH_FOLDER(a_folder_of_bottomless_depth_is_refused),
		WITH_FOLDER(a_file_bigger_than_any_is_refused),
		WITH_FOLDER(a_folder_that_is_not_there_is_an_error),
		cmocka_unit_test(a_batch_hashes_as_put_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
