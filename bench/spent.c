/* spent.c - run a command and say what it took
 *
 *   spent FILE COMMAND
 *
 * Runs COMMAND with sh, writes "wall cpu peak" (seconds, seconds, bytes) to
 * FILE, and ends as it did. A program of its own because the peak memory of a
 * process counts what its starter had at the moment of exec: started from
 * Python, nothing would be below 20 MB.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct rusage used;
	double start = now(), wall;
	int status;
	FILE *out;
	pid_t pid = argc == 3 ? fork() : -1;

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", argv[2], (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 126;
	wall = now() - start;
	getrusage(RUSAGE_CHILDREN, &used);
	out = fopen(argv[1], "w");
	if (!out)
		return 126;
	fprintf(out, "%.6f %.6f %ld\n", wall,
		seconds(used.ru_utime) + seconds(used.ru_stime),
		used.ru_maxrss * 1024);
	if (fclose(out) != 0)
		return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
