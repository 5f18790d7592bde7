/*
 * repo.c - git repositories for tests, and running git itself on them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "tests/support/repo.h"

extern char **environ;

static void run(const char *command, int out, int *status)
{
	posix_spawn_file_actions_t actions;
	char *const argv[] = { (char *)(uintptr_t) "sh",
			       (char *)(uintptr_t) "-c",
			       (char *)(uintptr_t)command, NULL };
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, out, 2);
	assert_int_equal(
		posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	while (waitpid(pid, status, 0) < 0)
		assert_int_equal(errno, EINTR);
}

static void add_quoted(struct buffer *out, const char *text)
{
	buffer_byte(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buffer_str(out, "'\\'");
		buffer_byte(out, *text);
	}
	buffer_byte(out, '\'');
}

__attribute__((format(printf, 2, 0))) static void command_in(struct buffer *out,
							     const char *fmt,
							     va_list args,
							     const char *folder)
{
	char text[4096];
	int size = vsnprintf(text, sizeof(text), fmt, args);

	assert_true(size >= 0 && (size_t)size < sizeof(text));
	buffer_str(out, "cd ");
	add_quoted(out, folder);
	buffer_printf(out, " && { %s\n}", text);
	assert_non_null(buffer_cstr(out));
}

int repo_sh(const char *folder, const char *fmt, ...)
{
	struct buffer command = BUFFER_INIT;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), status = -1;
	va_list args;

	va_start(args, fmt);
	command_in(&command, fmt, args, folder);
	va_end(args);
	run(command.data, null, &status);
	buffer_release(&command);
	close(null);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

char *repo_out(const char *folder, const char *fmt, ...)
{
	struct buffer command = BUFFER_INIT, text = BUFFER_INIT;
	char name[] = "/tmp/repo_outXXXXXX", piece[4096];
	int fd = mkstemp(name), status = -1;
	va_list args;
	ssize_t n;

	assert_true(fd >= 0);
	unlink(name);
	va_start(args, fmt);
	command_in(&command, fmt, args, folder);
	va_end(args);
	run(command.data, fd, &status);
	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		buffer_add(&text, piece, (size_t)n);
	close(fd);
	while (text.size && text.data[text.size - 1] == '\n')
		text.size--;
	assert_non_null(buffer_cstr(&text));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("'%s' failed: %s", command.data, text.data);
	buffer_release(&command);
	return buffer_detach(&text);
}

char *repo_folder(void)
{
	const char *parent = getenv("TMPDIR");
	struct buffer path = BUFFER_INIT;

	buffer_printf(&path, "%s/dbstow-test-XXXXXX", parent ? parent : "/tmp");
	assert_non_null(buffer_cstr(&path));
	assert_non_null(mkdtemp(path.data));
	assert_int_equal(repo_sh(path.data,
				 "mkdir home && printf '[user]\\n\\tname = "
				 "Ada\\n\\temail = ada@example.org\\n' "
				 "> home/.gitconfig"),
			 0);
	buffer_str(&path, "/home");
	setenv("HOME", buffer_cstr(&path), 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("LC_ALL", "C", 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("SOURCE_DATE_EPOCH");
	path.size -= strlen("/home");
	return (char *)(uintptr_t)buffer_cstr(&path);
}

void repo_remove(char *folder)
{
	assert_int_equal(repo_sh("/", "chmod -R u+rwX '%s' && rm -rf '%s'",
				 folder, folder),
			 0);
	free(folder);
}
