/*
 * scratch.c - files and folders of one run, and what killed runs left
 *
 * Names are PREFIX.BOOT-PID-RANDOM: the first 8 digits of the boot id, our
 * process id, 16 random hex digits.  Whoever makes one also holds an flock on
 * it.  The name alone would not do: in a container that shares a folder with
 * its host the same boot has other process ids.  The lock alone would not do
 * either: not every file system has it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/file_internal.h"
#include "base/hash.h"

#define BOOT_DIGITS   8
#define RANDOM_DIGITS 16

static pthread_once_t boot_once = PTHREAD_ONCE_INIT;
static char boot[64] = "0";

static void read_boot(void)
{
	char text[64];
	size_t used = 0;
	ssize_t n, i;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	for (i = 0; i < n && text[i] != '\n'; i++)
		if (text[i] != '-')
			boot[used++] = text[i];
	if (used)
		boot[used] = '\0';
}

const char *boot_id(void)
{
	pthread_once(&boot_once, read_boot);
	return boot;
}

int scratch_name(char out[SCRATCH_NAME_SIZE], const char *prefix)
{
	unsigned char bytes[RANDOM_DIGITS / 2];
	char digits[RANDOM_DIGITS + 1];
	int n;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -1;
	hex_encode(digits, bytes, sizeof(bytes));
	n = snprintf(out, SCRATCH_NAME_SIZE, "%s.%.*s-%ld-%s", prefix,
		     BOOT_DIGITS, boot_id(), (long)getpid(), digits);
	if (n >= SCRATCH_NAME_SIZE) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

/* Folders that this process holds, with the locks on them. */
struct held {
	struct held *next;
	char *path;
	int fd;
};

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static struct held *held;

static int hold(const char *path, int fd)
{
	struct held *h = malloc(sizeof(*h));

	if (h)
		h->path = strdup(path);
	if (!h || !h->path) {
		free(h);
		return -1;
	}
	h->fd = fd;
	pthread_mutex_lock(&held_lock);
	h->next = held;
	held = h;
	pthread_mutex_unlock(&held_lock);
	return 0;
}

static void let_go(const char *path)
{
	struct held **at, *h;

	pthread_mutex_lock(&held_lock);
	for (at = &held; *at && strcmp((*at)->path, path) != 0;)
		at = &(*at)->next;
	h = *at;
	if (h)
		*at = h->next;
	pthread_mutex_unlock(&held_lock);
	if (h) {
		close(h->fd);
		free(h->path);
		free(h);
	}
}

/* 1: made and locked; 0: a sweep elsewhere was quicker than our lock; -1 */
static int make_locked(const char *path, struct error *err)
{
	struct stat ours, there;
	int fd;

	if (mkdir(path, 0700) < 0)
		return error_errno(err, ERROR_FAILED,
				   "cannot make the folder '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0
				       : error_errno(err, ERROR_FAILED,
						     "cannot open '%s'", path);
	flock(fd, LOCK_EX | LOCK_NB);
	if (fstat(fd, &ours) < 0 || lstat(path, &there) < 0 ||
	    ours.st_ino != there.st_ino || ours.st_dev != there.st_dev) {
		close(fd);
		return 0;
	}
	if (hold(path, fd) < 0) {
		close(fd);
		rmdir(path);
		return error_nomem(err);
	}
	return 1;
}

int scratch_make(char **out, const char *parent, const char *prefix,
		 struct error *err)
{
	char name[SCRATCH_NAME_SIZE];
	char *path = NULL;
	int made = 0, attempt;

	*out = NULL;
	for (attempt = 0; attempt < 10 && !made; attempt++) {
		free(path);
		path = NULL;
		if (scratch_name(name, prefix) < 0)
			return error_errno(err, ERROR_FAILED,
					   "cannot make a folder in '%s'",
					   parent);
		path = path_join(parent, name);
		if (!path)
			return error_nomem(err);
		made = make_locked(path, err);
	}
	if (made <= 0) {
		free(path);
		return error_set(err, ERROR_FAILED,
				 "cannot keep a folder in '%s'; something "
				 "removes it at once",
				 parent);
	}
	*out = path;
	return 0;
}

void scratch_remove(const char *path)
{
	char *paths[2] = { NULL, NULL };
	FTSENT *e;
	FTS *walk;

	if (!path)
		return;
	paths[0] = strdup(path);
	walk = paths[0] ? fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL)
			: NULL;
	while (walk && (e = fts_read(walk))) {
		if (e->fts_info == FTS_DP || e->fts_info == FTS_DNR)
			rmdir(e->fts_accpath);
		else if (e->fts_info != FTS_D)
			unlink(e->fts_accpath);
	}
	if (walk)
		fts_close(walk);
	free(paths[0]);
	/* Last: until now nobody else could think it theirs to sweep. */
	let_go(path);
}

/* Does NAME read PREFIX.BOOT-PID-RANDOM?  1, and its boot and pid; else 0. */
static int is_scratch(const char *name, const char *prefix, int *same_boot,
		      pid_t *pid)
{
	size_t size = strlen(prefix), digits = strlen(boot_id());
	const char *p = name + size;
	char *end;
	long number;

	if (strncmp(name, prefix, size) != 0 || *p++ != '.')
		return 0;
	if (digits > BOOT_DIGITS)
		digits = BOOT_DIGITS;
	*same_boot = strncmp(p, boot_id(), digits) == 0 && p[digits] == '-';
	p += strspn(p, "0123456789abcdef");
	if (*p != '-' || p[1] < '1' || p[1] > '9')
		return 0;
	errno = 0;
	number = strtol(p + 1, &end, 10);
	if (errno || number > INT32_MAX || *end != '-' ||
	    strspn(end + 1, "0123456789abcdef") != RANDOM_DIGITS ||
	    end[1 + RANDOM_DIGITS])
		return 0;
	*pid = (pid_t)number;
	return 1;
}

/* Take the lock that its maker would hold.  The descriptor, -1 when somebody
 * holds it, -2 when the file system can't tell. */
static int take(int folder, const char *name)
{
	int fd = openat(folder, name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int busy;

	if (fd < 0)
		return -2;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	busy = errno == EWOULDBLOCK;
	close(fd);
	return busy ? -1 : -2;
}

static void sweep_one(const char *parent, int folder, const char *name)
{
	int fd = take(folder, name);
	char *path;

	if (fd == -1)
		return;
	path = path_join(parent, name);
	scratch_remove(path);
	free(path);
	if (fd >= 0)
		close(fd);
}

void scratch_sweep(const char *parent, const char *prefix)
{
	DIR *folder = opendir(parent);
	struct dirent *e;
	int same_boot;
	pid_t pid;

	if (!folder)
		return;
	while ((e = readdir(folder))) {
		if (!is_scratch(e->d_name, prefix, &same_boot, &pid))
			continue;
		if (same_boot && (!kill(pid, 0) || errno != ESRCH))
			continue;
		sweep_one(parent, dirfd(folder), e->d_name);
	}
	closedir(folder);
}
