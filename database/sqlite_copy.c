/*
 * sqlite_copy.c - a private copy of a database that can't be opened in place
 *
 * In a folder where we may not write, SQLite can neither roll a hot journal
 * back nor make the -shm file that WAL mode needs.  Opening the file as
 * immutable would read a crashed writer's pages and miss the WAL, so database
 * and journals are copied together, and SQLite recovers the copy.
 */
#include "database/sqlite_copy.h"
#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_PREFIX "dbstow-copy"
#define COPY_TRIES  5
#define COPY_BYTES  ((size_t)1 << 20)

static const char *const suffixes[] = { "-journal", "-wal", "" };
#define SUFFIX_COUNT (sizeof(suffixes) / sizeof(*suffixes))

struct state {
	struct stat files[SUFFIX_COUNT]; /* zeroed where there is none */
};

static char *with_suffix(const char *path, const char *suffix)
{
	size_t size = strlen(path) + strlen(suffix) + 1;
	char *out = malloc(size);

	if (out)
		snprintf(out, size, "%s%s", path, suffix);
	return out;
}

static int look(const char *real, struct state *out, struct error *err)
{
	size_t i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < SUFFIX_COUNT; i++) {
		char *path = with_suffix(real, suffixes[i]);
		int rc;

		if (!path)
			return error_nomem(err);
		rc = stat(path, &out->files[i]);
		if (rc < 0 && errno != ENOENT) {
			error_errno(err, ERROR_FAILED, "cannot read '%.500s'",
				    path);
			free(path);
			return -1;
		}
		if (rc < 0)
			memset(&out->files[i], 0, sizeof(out->files[i]));
		free(path);
	}
	return 0;
}

static int same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int same_state(const struct state *a, const struct state *b)
{
	size_t i;

	for (i = 0; i < SUFFIX_COUNT; i++)
		if (!same_file(&a->files[i], &b->files[i]))
			return 0;
	return 1;
}

/* @return 0, or -1 with errno; `*writing`: it was the write that failed */
static int copy_bytes(int from, int to, char *bytes, int *writing)
{
	for (;;) {
		ssize_t got = read(from, bytes, COPY_BYTES), at = 0, put;

		*writing = 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -1 : 0;
		*writing = 1;
		while (at < got) {
			put = write(to, bytes + at, (size_t)(got - at));
			if (put < 0 && errno != EINTR)
				return -1;
			if (put > 0)
				at += put;
		}
	}
}

static int copy_file(const char *from, const char *to, struct error *err)
{
	int in = -1, out = -1, writing = 0, rc = -1;
	char *bytes = malloc(COPY_BYTES);

	if (!bytes)
		return error_nomem(err);
	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0) {
		error_errno(err, ERROR_FAILED, "cannot read '%.500s'", from);
		goto done;
	}
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		   0600);
	if (out < 0 || copy_bytes(in, out, bytes, &writing) < 0) {
		int written = out < 0 || writing;

		error_errno(err, ERROR_FAILED, "cannot %s '%.500s'",
			    written ? "write" : "read", written ? to : from);
		goto done;
	}
	rc = 0;
done:
	if (in >= 0)
		close(in);
	if (out >= 0 && close(out) < 0 && rc == 0)
		rc = error_errno(err, ERROR_FAILED, "cannot write '%.500s'",
				 to);
	free(bytes);
	return rc;
}

static int copy_all(const char *real, const char *copied,
		    const struct state *state, struct error *err)
{
	size_t i;

	for (i = 0; i < SUFFIX_COUNT; i++) {
		char *from = with_suffix(real, suffixes[i]);
		char *to = with_suffix(copied, suffixes[i]);
		int rc = 0;

		if (!from || !to)
			rc = error_nomem(err);
		else if (state->files[i].st_nlink)
			rc = copy_file(from, to, err);
		else
			unlink(to); /* of an earlier try */
		free(from);
		free(to);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int check_space(const char *name, const char *parent,
		       const struct state *state, struct error *err)
{
	uint64_t need = 0, space;
	size_t i;

	for (i = 0; i < SUFFIX_COUNT; i++)
		need += (uint64_t)state->files[i].st_size;
	if (file_free_bytes(parent, &space, err) < 0)
		return -1;
	if (space >= need)
		return 0;
	return error_set(
		err, ERROR_NOSPACE,
		"a private copy of '%.500s' takes %llu bytes, '%.500s' "
		"has %llu; name another folder with --scratch",
		name, (unsigned long long)need, parent,
		(unsigned long long)space);
}

int copy_aside(char **folder, char **copied, const char *name, const char *real,
	       const char *parent, struct error *err)
{
	struct state before, after;
	int tries;

	*folder = *copied = NULL;
	if (!parent)
		parent = getenv("TMPDIR");
	if (!parent || !*parent)
		parent = "/tmp";
	scratch_sweep(parent, COPY_PREFIX);
	if (look(real, &before, err) < 0 ||
	    check_space(name, parent, &before, err) < 0 ||
	    scratch_make(folder, parent, COPY_PREFIX, err) < 0)
		return -1;
	*copied = path_join(*folder, "database");
	if (!*copied)
		return error_nomem(err);
	for (tries = 0; tries < COPY_TRIES; tries++) {
		if (copy_all(real, *copied, &before, err) < 0 ||
		    look(real, &after, err) < 0)
			break;
		if (same_state(&before, &after))
			return 0;
		before = after;
	}
	free(*copied);
	*copied = NULL;
	if (tries < COPY_TRIES)
		return -1;
	return error_set(err, ERROR_FAILED,
			 "'%.500s' can't be opened in place and changes while "
			 "it is copied; stop the program that writes to it, or "
			 "make its folder writable",
			 name);
}
