/* shell.c - run a command of the user's */

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "cmd/shell.h"

extern char **environ;

static int outcome(int status, const char *command, const char *option,
		   struct error *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		return error_set(err, ERROR_FAILED,
				 "the %s command '%s' exited with %d", option,
				 command, WEXITSTATUS(status));
	return error_set(err, ERROR_FAILED,
			 "the %s command '%s' was ended by signal %d", option,
			 command, WTERMSIG(status));
}

int shell_run(const char *command, const char *option, struct error *err)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, NULL, NULL };
	posix_spawn_file_actions_t actions;
	char *text = strdup(command);
	int status = 0, rc;
	pid_t pid;

	if (!text)
		return error_nomem(err);
	argv[2] = text;
	posix_spawn_file_actions_init(&actions);
	/* Our stdout is data for scripts: keep the command's words out. */
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO,
					 STDOUT_FILENO);
	rc = posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	free(text);
	if (rc) {
		errno = rc;
		return error_errno(err, ERROR_FAILED,
				   "cannot run the %s command", option);
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_errno(err, ERROR_FAILED,
					   "cannot wait for the %s command",
					   option);
	}
	return outcome(status, command, option, err);
}

void shell_quote(struct buffer *out, const char *word)
{
	buffer_byte(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buffer_str(out, "'\\''");
		else
			buffer_byte(out, *word);
	}
	buffer_byte(out, '\'');
}
