/*
 * file.c - whole files and paths
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file_internal.h"

#define READ_STEP ((size_t)64 << 10)

/* Open for reading; never waits (a FIFO) and never follows a link. */
static int open_regular(int *out, struct stat *st, const char *path,
			struct error *err)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
				    O_NOCTTY);

	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 1;
		if (errno == ELOOP)
			return error_set(err, ERROR_FAILED,
					 "'%s' is a symbolic link, not a "
					 "regular file",
					 path);
		return error_errno(err, ERROR_FAILED, "cannot open '%s'", path);
	}
	if (fstat(fd, st) < 0) {
		error_errno(err, ERROR_FAILED, "cannot read '%s'", path);
		close(fd);
		return -1;
	}
	if (!S_ISREG(st->st_mode)) {
		close(fd);
		return error_set(err, ERROR_FAILED, "'%s' is %s", path,
				 S_ISDIR(st->st_mode) ? "a folder, not a file"
						      : "not a regular file");
	}
	*out = fd;
	return 0;
}

static int read_all(int fd, const char *path, size_t limit, struct buffer *out,
		    struct error *err)
{
	size_t got = 0;

	for (;;) {
		ssize_t n;

		if (buffer_reserve(out, READ_STEP) < 0)
			return error_nomem(err);
		n = read(fd, out->data + out->size, out->capacity - out->size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, ERROR_FAILED,
					   "cannot read '%s'", path);
		if (!n)
			return 0;
		got += (size_t)n;
		if (got > limit)
			return error_set(err, ERROR_FAILED,
					 "'%s' is bigger than the %zu bytes "
					 "it may have",
					 path, limit);
		out->size += (size_t)n;
	}
}

int file_read(const char *path, size_t limit, struct buffer *out,
	      struct error *err)
{
	size_t before = out->size;
	struct stat st;
	int fd = -1, rc;

	rc = open_regular(&fd, &st, path, err);
	if (rc)
		return rc;
	/* One byte more than there is, so that the end is seen at once. */
	if (st.st_size > 0 && (uintmax_t)st.st_size <= limit &&
	    buffer_reserve(out, (size_t)st.st_size + READ_STEP) < 0)
		rc = error_nomem(err);
	else
		rc = read_all(fd, path, limit, out, err);
	if (rc < 0)
		out->size = before;
	close(fd);
	return rc;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Make the new file beside `path`, held by a lock while we write it, so that
 * the next run can tell that a killed one left it. */
static int beside(int *fd, char **out, const char *folder, unsigned int mode,
		  const char *path, struct error *err)
{
	char name[SCRATCH_NAME_SIZE];

	if (scratch_name(name, TEMPORARY_PREFIX) < 0)
		return error_errno(err, ERROR_FAILED, "cannot write '%s'",
				   path);
	*out = path_join(folder, name);
	if (!*out)
		return error_nomem(err);
	*fd = open(*out, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		   mode);
	if (*fd < 0)
		return error_errno(err, ERROR_FAILED, "cannot write '%s'",
				   path);
	flock(*fd, LOCK_EX | LOCK_NB);
	return 0;
}

int file_write(const char *path, const void *data, size_t size,
	       unsigned int mode, struct error *err)
{
	char *folder = path_folder(path), *temporary = NULL;
	int fd = -1, made = 0, rc = -1;

	if (!folder) {
		error_nomem(err);
		goto done;
	}
	scratch_sweep(folder, TEMPORARY_PREFIX);
	if (beside(&fd, &temporary, folder, mode ? mode : 0600, path, err) < 0)
		goto done;
	made = 1;
	if (write_all(fd, data, size) < 0 || fsync(fd) < 0 ||
	    rename(temporary, path) < 0) {
		error_errno(err, ERROR_FAILED, "cannot write '%s'", path);
		goto done;
	}
	made = 0;
	rc = file_sync(folder, err);
done:
	if (made)
		unlink(temporary);
	if (fd >= 0)
		close(fd);
	free(temporary);
	free(folder);
	return rc;
}

int file_sync(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc = 0;

	/*
	 * EINVAL: the file system can't sync this kind of file (folders on
	 * some network file systems); there is nothing more to be had.
	 */
	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		rc = error_errno(err, ERROR_FAILED, "cannot sync '%s'", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

int file_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

int file_free_bytes(const char *path, uint64_t *bytes, struct error *err)
{
	struct statvfs st;

	*bytes = 0;
	if (statvfs(path, &st) < 0)
		return error_errno(err, ERROR_FAILED,
				   "cannot tell the free space of '%s'", path);
	if (__builtin_mul_overflow((uint64_t)st.f_bavail, (uint64_t)st.f_frsize,
				   bytes))
		*bytes = UINT64_MAX;
	return 0;
}

char *path_join(const char *folder, const char *name)
{
	size_t a = strlen(folder), b = strlen(name);
	size_t slash = a && folder[a - 1] != '/';
	char *out = malloc(a + slash + b + 1);

	if (!out)
		return NULL;
	memcpy(out, folder, a);
	if (slash)
		out[a] = '/';
	memcpy(out + a + slash, name, b + 1);
	return out;
}

char *path_folder(const char *path)
{
	size_t size = (size_t)(path_base(path) - path);

	if (!size)
		return strdup(".");
	while (size > 1 && path[size - 1] == '/')
		size--;
	return strndup(path, size);
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
