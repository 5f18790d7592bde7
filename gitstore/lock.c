/*
 * lock.c - one writer at a time, and what a killed one left
 *
 * The lock is an flock on <git folder>/dbstow/lock, so it goes with its
 * process.  Before a ref is moved an intent file says which and where to.  Who
 * takes the lock and finds one knows that its writer died on the way (nobody
 * else has the lock), and can tell a ref lock of that writer from a foreign
 * one.  A process id alone would not do: in containers everybody is process 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"

#define POLL_MS 20

/* An empty ref lock is the killed run's if it appeared this soon after the
 * intent; later it may be a git process that is at work now. */
#define SOON_S 10

struct intent {
	char *ref;
	struct object_id id;
	time_t when;
};

static char *path_of(struct gitstore *g, const char *name, struct error *err)
{
	const char *folder = gitstore_folder(g, err);
	char *path = folder ? path_join(folder, name) : NULL;

	if (folder && !path)
		error_nomem(err);
	return path;
}

int intent_write(struct gitstore *g, const struct move *m, struct error *err)
{
	char *path = path_of(g, "intent", err);
	char old_hex[OBJECT_HEX_SIZE], hex[OBJECT_HEX_SIZE];
	struct buffer text = BUFFER_INIT;
	int rc = -1;

	if (!path)
		return -1;
	object_hex(old_hex, &m->old);
	object_hex(hex, &m->id);
	buffer_printf(&text, "ref %s\nold %s\nnew %s\npid %ld\nboot %s\n",
		      m->ref, old_hex, hex, (long)getpid(), boot_id());
	if (buffer_failed(&text))
		error_nomem(err);
	else
		rc = file_write(path, text.data, text.size, 0600, err);
	buffer_release(&text);
	free(path);
	return rc;
}

void intent_remove(struct gitstore *g)
{
	char *path = path_of(g, "intent", NULL);

	if (path)
		unlink(path);
	free(path);
}

/* The value of the line "KEY VALUE" in new memory, or NULL. */
static char *value_of(const char *text, const char *key)
{
	size_t size = strlen(key);
	const char *line = text;

	while (line && *line) {
		if (!strncmp(line, key, size) && line[size] == ' ')
			return strndup(line + size + 1,
				       strcspn(line + size + 1, "\n"));
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return NULL;
}

/* 1: read; 0: there is none, or it says nothing */
static int intent_read(struct gitstore *g, struct intent *i)
{
	char *path = path_of(g, "intent", NULL);
	char *id = NULL;
	struct buffer text = BUFFER_INIT;
	struct stat st;
	int found = 0;

	memset(i, 0, sizeof(*i));
	if (!path || lstat(path, &st) < 0 ||
	    file_read(path, 4096, &text, NULL) || !buffer_cstr(&text))
		goto done;
	i->ref = value_of(text.data, "ref");
	id = value_of(text.data, "new");
	i->when = st.st_mtime;
	found = i->ref && id && strlen(id) == 40 &&
		!hex_decode(i->id.bytes, id, sizeof(i->id)) &&
		!strncmp(i->ref, "refs/", 5) && !strstr(i->ref, "..");
done:
	if (!found)
		free(i->ref);
	free(id);
	free(path);
	buffer_release(&text);
	return found;
}

/* Remove a lock file of the killed run: `prefix`REF.lock */
static void remove_ref_lock(struct gitstore *g, const char *prefix,
			    const struct intent *i)
{
	struct buffer path = BUFFER_INIT, text = BUFFER_INIT;
	char hex[OBJECT_HEX_SIZE];
	struct stat st;
	int ours = 0;

	object_hex(hex, &i->id);
	buffer_printf(&path, "%s/%s%s.lock", g->common, prefix, i->ref);
	if (!buffer_cstr(&path) || lstat(path.data, &st) < 0 ||
	    file_read(path.data, (size_t)1 << 20, &text, NULL) ||
	    !buffer_cstr(&text))
		goto done;
	if (!text.size)
		ours = st.st_mtime >= i->when - 1 &&
		       st.st_mtime <= i->when + SOON_S;
	else
		ours = strstr(text.data, hex) != NULL;
	if (ours)
		unlink(path.data);
done:
	buffer_release(&path);
	buffer_release(&text);
}

static void recover(struct gitstore *g)
{
	struct intent i;

	if (intent_read(g, &i)) {
		remove_ref_lock(g, "", &i);
		remove_ref_lock(g, "logs/", &i);
		free(i.ref);
	}
	intent_remove(g);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int held_by_other(struct gitstore *g, const char *path,
			 struct error *err)
{
	struct buffer text = BUFFER_INIT;
	const char *pid = "unknown";

	if (!file_read(path, 64, &text, NULL) && buffer_cstr(&text) &&
	    text.size > 1)
		pid = text.data;
	error_set(err, ERROR_CONFLICT,
		  "another dbstow (process %.*s) has been writing to the "
		  "repository '%s' for %u s; wait for it and try again",
		  (int)strcspn(pid, "\n"), pid, g->where,
		  g->lock_wait_ms / 1000);
	buffer_release(&text);
	return -1;
}

static int wait_for_lock(struct gitstore *g, int fd, const char *path,
			 struct error *err)
{
	const struct timespec pause = { 0, POLL_MS * 1000000L };
	int64_t end = now_ms() + g->lock_wait_ms;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return error_errno(err, ERROR_FAILED,
					   "cannot lock '%s'", path);
		if (now_ms() >= end)
			return held_by_other(g, path, err);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* For whoever waits; of no weight if it fails. */
static void write_pid(int fd)
{
	char pid[32];
	int size = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)size, 0) < 0)
		errno = 0;
}

int store_lock(struct gitstore *g, struct error *err)
{
	char *path;
	int fd;

	if (g->lock_fd >= 0)
		return 0;
	path = path_of(g, "lock", err);
	if (!path)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		error_errno(err, ERROR_FAILED,
			    "cannot write to the repository '%s': '%s'",
			    g->where, path);
	} else if (wait_for_lock(g, fd, path, err) < 0) {
		close(fd);
		fd = -1;
	}
	free(path);
	if (fd < 0)
		return -1;
	write_pid(fd);
	g->lock_fd = fd;
	scratch_sweep(g->folder, "tmp");
	recover(g);
	packs_remove_rest(g);
	keep_sweep(g);
	return 0;
}

void store_unlock(struct gitstore *g)
{
	if (g->lock_fd >= 0)
		close(g->lock_fd);
	g->lock_fd = -1;
}
