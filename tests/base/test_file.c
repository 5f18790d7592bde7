/*
 * test_file.c - whole files, paths, scratch folders
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"

/* Each test runs in an empty folder. */
static int enter(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *path = path_join(tmp ? tmp : "/tmp", "dbstow-test-XXXXXX");

	if (!path || !mkdtemp(path) || chdir(path) < 0)
		return -1;
	*state = path;
	return 0;
}

static int leave(void **state)
{
	if (chdir("/") < 0)
		return -1;
	scratch_remove(*state);
	if (file_exists(*state))
		return -1;
	free(*state);
	return 0;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputs(text, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
}

/* Names in the current folder but '.' and '..'. */
static int entries(void)
{
	DIR *d = opendir(".");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void read_fails(const char *path, size_t limit, const char *message)
{
	struct buffer b = BUFFER_INIT;
	struct error err = ERROR_INIT;

	buffer_str(&b, "kept");
	assert_int_equal(file_read(path, limit, &b, &err), -1);
	assert_int_equal(err.code, ERROR_FAILED);
	assert_string_equal(err.message, message);
	assert_int_equal(b.size, 4);
	buffer_release(&b);
}

static void content_is_appended(void **state)
{
	struct buffer b = BUFFER_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	put("a", "hello");
	put("empty", "");
	buffer_str(&b, "> ");
	assert_int_equal(file_read("a", 5, &b, &err), 0);
	assert_int_equal(file_read("empty", 0, &b, &err), 0);
	assert_string_equal(buffer_cstr(&b), "> hello");
	buffer_release(&b);
}

static void missing_file_is_no_error(void **state)
{
	struct buffer b = BUFFER_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	put("a", "");
	assert_int_equal(file_read("nowhere", 9, &b, &err), 1);
	assert_int_equal(file_read("nowhere/a", 9, &b, &err), 1);
	assert_int_equal(file_read("a/b", 9, &b, &err), 1);
	assert_int_equal(err.code, ERROR_NONE);
	assert_null(b.data);
}

static void file_over_the_limit_is_refused(void **state)
{
	(void)state;
	put("a", "hello");
	read_fails("a", 4, "'a' is bigger than the 4 bytes it may have");
}

/* Its size is said to be 0, so the limit has to hold while reading. */
static void file_without_a_size_is_read_to_its_end(void **state)
{
	struct buffer b = BUFFER_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(file_read("/proc/self/status", 1 << 20, &b, &err), 0);
	assert_true(b.size > 5);
	assert_memory_equal(b.data, "Name:", 5);
	buffer_release(&b);
	read_fails("/proc/self/status", 10,
		   "'/proc/self/status' is bigger than the 10 bytes it may "
		   "have");
}

static void only_regular_files_are_read(void **state)
{
	(void)state;
	put("a", "hello");
	assert_int_equal(symlink("a", "link"), 0);
	assert_int_equal(mkdir("folder", 0700), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	read_fails("link", 9, "'link' is a symbolic link, not a regular file");
	read_fails("folder", 9, "'folder' is a folder, not a file");
	read_fails("fifo", 9, "'fifo' is not a regular file");
	read_fails("/dev/null", 9, "'/dev/null' is not a regular file");
}

static void content_of_is(const char *path, const char *expected)
{
	struct buffer b = BUFFER_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(file_read(path, 1 << 20, &b, &err), 0);
	assert_string_equal(buffer_cstr(&b), expected);
	buffer_release(&b);
}

static void written_file_replaces_the_old_one(void **state)
{
	struct error err = ERROR_INIT;
	struct stat st;

	(void)state;
	umask(022);
	put("a", "a longer old text");
	assert_int_equal(file_write("a", "new", 3, 0, &err), 0);
	content_of_is("a", "new");
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_write("./b", "", 0, 0644, &err), 0);
	content_of_is("b", "");
	assert_int_equal(stat("b", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(entries(), 2);
}

static void link_is_replaced_and_not_written_through(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	put("a", "old");
	assert_int_equal(symlink("a", "link"), 0);
	assert_int_equal(file_write("link", "new", 3, 0, &err), 0);
	content_of_is("a", "old");
	content_of_is("link", "new");
}

static void write_fails(const char *path, const char *message)
{
	struct error err = ERROR_INIT;

	assert_int_equal(file_write(path, "new", 3, 0, &err), -1);
	assert_string_equal(err.message, message);
}

static void failed_write_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(mkdir("folder", 0700), 0);
	write_fails("no/a", "cannot write 'no/a': No such file or directory");
	write_fails("folder", "cannot write 'folder': Is a directory");
	assert_int_equal(entries(), 1);
}

static void next_write_sweeps_what_a_killed_one_left(void **state)
{
	char name[128], kept[128];
	struct error err = ERROR_INIT;

	(void)state;
	snprintf(name, sizeof(name), ".dbstow-new.%.8s-%d-0123456789abcdef",
		 boot_id(), 4194305); /* above the highest process id */
	snprintf(kept, sizeof(kept), ".dbstow-new.%.8s-%d-0123456789abcdef",
		 boot_id(), (int)getpid());
	put(name, "half");
	put(kept, "half");
	assert_int_equal(file_write("a", "new", 3, 0, &err), 0);
	assert_false(file_exists(name));
	assert_true(file_exists(kept));
}

static void sync_tells_what_it_could_not_sync(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	put("a", "x");
	assert_int_equal(file_sync("a", &err), 0);
	assert_int_equal(file_sync(".", &err), 0);
	assert_int_equal(file_sync("nowhere", &err), -1);
	assert_string_equal(err.message,
			    "cannot sync 'nowhere': No such file or directory");
}

static void dangling_link_exists(void **state)
{
	(void)state;
	assert_int_equal(symlink("nowhere", "link"), 0);
	assert_int_equal(file_exists("link"), 1);
	assert_int_equal(file_exists("nowhere"), 0);
}

static void free_space_is_told(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t bytes;

	(void)state;
	assert_int_equal(file_free_bytes(".", &bytes, &err), 0);
	assert_true(bytes > 0);
	assert_int_equal(file_free_bytes("nowhere", &bytes, &err), -1);
	assert_string_equal(err.message,
			    "cannot tell the free space of 'nowhere': No such "
			    "file or directory");
}

static void folder_is(const char *path, const char *folder, const char *base)
{
	char *found = path_folder(path);

	assert_string_equal(found, folder);
	assert_string_equal(path_base(path), base);
	free(found);
}

static void paths_come_apart(void **state)
{
	(void)state;
	folder_is("a", ".", "a");
	folder_is("a/b", "a", "b");
	folder_is("/a", "/", "a");
	folder_is("//a", "/", "a");
	folder_is("a//b", "a", "b");
	folder_is("a/b/", "a/b", "");
	folder_is("", ".", "");
}

static void join_is(const char *folder, const char *name, const char *expected)
{
	char *found = path_join(folder, name);

	assert_string_equal(found, expected);
	free(found);
}

static void paths_are_joined_by_one_slash(void **state)
{
	(void)state;
	join_is("a", "b", "a/b");
	join_is("a/", "b", "a/b");
	join_is("/", "b", "/b");
	join_is("", "b", "b");
}

static void scratch_folder_is_ours_alone(void **state)
{
	struct error err = ERROR_INIT;
	struct stat st;
	char *a, *b, start[64];

	(void)state;
	assert_int_equal(scratch_make(&a, ".", "drill", &err), 0);
	assert_int_equal(scratch_make(&b, ".", "drill", &err), 0);
	snprintf(start, sizeof(start), "./drill.%.8s-%d-", boot_id(),
		 (int)getpid());
	assert_memory_equal(a, start, strlen(start));
	assert_string_not_equal(a, b);
	assert_int_equal(stat(a, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	scratch_remove(b);
	scratch_remove(a);
	scratch_remove(NULL);
	scratch_remove("nowhere");
	assert_int_equal(entries(), 0);
	free(a);
	free(b);
}

static void scratch_without_a_parent_fails(void **state)
{
	struct error err = ERROR_INIT;
	char prefix[300], *path = prefix;

	(void)state;
	assert_int_equal(scratch_make(&path, "nowhere", "x", &err), -1);
	assert_null(path);
	assert_int_equal(err.code, ERROR_FAILED);
	assert_memory_equal(err.message, "cannot make the folder 'nowhere/x.",
			    34);
	error_clear(&err);
	memset(prefix, 'x', sizeof(prefix));
	prefix[sizeof(prefix) - 1] = '\0';
	assert_int_equal(scratch_make(&path, ".", prefix, &err), -1);
	assert_string_equal(err.message,
			    "cannot make a folder in '.': File name too long");
}

static void removing_never_follows_links(void **state)
{
	struct error err = ERROR_INIT;
	char *path, *inner, *link;

	(void)state;
	assert_int_equal(mkdir("precious", 0700), 0);
	put("precious/a", "x");
	assert_int_equal(scratch_make(&path, ".", "s", &err), 0);
	inner = path_join(path, "deeper");
	assert_int_equal(mkdir(inner, 0700), 0);
	link = path_join(inner, "link");
	assert_int_equal(symlink("../../precious", link), 0);
	scratch_remove(path);
	assert_false(file_exists(path));
	assert_true(file_exists("precious/a"));
	assert_int_equal(symlink("precious", "top"), 0);
	scratch_remove("top");
	assert_true(file_exists("precious/a"));
	assert_false(file_exists("top"));
	free(path);
	free(inner);
	free(link);
}

static void deep_folders_are_removed(void **state)
{
	char path[2048] = "deep";
	int i;

	(void)state;
	for (i = 0; i < 500; i++) {
		assert_int_equal(mkdir(path, 0700), 0);
		memcpy(path + strlen(path), "/d", 3);
	}
	scratch_remove("deep");
	assert_int_equal(entries(), 0);
}

static void living_scratch_stays_when_swept(void **state)
{
	struct error err = ERROR_INIT;
	char *path;

	(void)state;
	assert_int_equal(scratch_make(&path, ".", "s", &err), 0);
	scratch_sweep(".", "s");
	assert_true(file_exists(path));
	scratch_remove(path);
	free(path);
}

/* A child that makes a scratch folder and dies without cleaning up. */
static void abandon(void)
{
	struct error err = ERROR_INIT;
	char *path;
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		if (scratch_make(&path, ".", "s", &err) < 0)
			_exit(1);
		free(path);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void scratch_of_a_dead_process_is_swept(void **state)
{
	(void)state;
	abandon();
	assert_int_equal(entries(), 1);
	scratch_sweep(".", "other");
	assert_int_equal(entries(), 1);
	scratch_sweep(".", "s");
	assert_int_equal(entries(), 0);
	scratch_sweep("nowhere", "s");
}

static void scratch_of_another_boot_is_swept(void **state)
{
	char name[128];

	(void)state;
	snprintf(name, sizeof(name), "s.zzzzzzzz-%d-0123456789abcdef",
		 (int)getpid());
	assert_int_equal(mkdir(name, 0700), 0);
	scratch_sweep(".", "s");
	assert_true(file_exists(name)); /* 'z' is no digit: not ours */
	snprintf(name, sizeof(name), "s.00000000-%d-0123456789abcdef",
		 (int)getpid());
	assert_int_equal(mkdir(name, 0700), 0);
	scratch_sweep(".", "s");
	assert_false(file_exists(name));
}

/* A container that shares the folder has other process ids, one boot. */
static void locked_scratch_stays_whatever_its_name_says(void **state)
{
	char name[128];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "s.%.8s-%d-0123456789abcdef", boot_id(),
		 4194305);
	assert_int_equal(mkdir(name, 0700), 0);
	fd = open(name, O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	scratch_sweep(".", "s");
	assert_true(file_exists(name));
	close(fd);
	scratch_sweep(".", "s");
	assert_false(file_exists(name));
}

static void names_that_are_not_ours_are_never_swept(void **state)
{
	static const char *const names[] = {
		"s",
		"s.00000000",
		"s.00000000-",
		"s.00000000-0-0123456789abcdef",
		"s.00000000-1",
		"s.00000000-1-0123456789abcde",
		"s.00000000-1-0123456789abcdef0",
		"s.00000000-1-0123456789abcdeg",
		"s.00000000-99999999999-0123456789abcdef",
		"s.00000000-1x-0123456789abcdef",
		"sx.00000000-1-0123456789abcdef",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(mkdir(names[i], 0700), 0);
	scratch_sweep(".", "s");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!file_exists(names[i]))
			fail_msg("'%s' was swept", names[i]);
}

static void boot_id_is_hex_without_dashes(void **state)
{
	(void)state;
	assert_true(strlen(boot_id()) >= 1);
	assert_int_equal(strspn(boot_id(), "0123456789abcdef"),
			 strlen(boot_id()));
	assert_ptr_equal(boot_id(), boot_id());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(content_is_appended),
		TEST(missing_file_is_no_error),
		TEST(file_over_the_limit_is_refused),
		TEST(file_without_a_size_is_read_to_its_end),
		TEST(only_regular_files_are_read),
		TEST(written_file_replaces_the_old_one),
		TEST(link_is_replaced_and_not_written_through),
		TEST(failed_write_leaves_nothing),
		TEST(next_write_sweeps_what_a_killed_one_left),
		TEST(sync_tells_what_it_could_not_sync),
		TEST(dangling_link_exists),
		TEST(free_space_is_told),
		TEST(paths_come_apart),
		TEST(paths_are_joined_by_one_slash),
		TEST(scratch_folder_is_ours_alone),
		TEST(scratch_without_a_parent_fails),
		TEST(removing_never_follows_links),
		TEST(deep_folders_are_removed),
		TEST(living_scratch_stays_when_swept),
		TEST(scratch_of_a_dead_process_is_swept),
		TEST(scratch_of_another_boot_is_swept),
		TEST(locked_scratch_stays_whatever_its_name_says),
		TEST(names_that_are_not_ours_are_never_swept),
		TEST(boot_id_is_hex_without_dashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
