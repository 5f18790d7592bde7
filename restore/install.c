/*
 * install.c - put a built file where a database shall lie
 */
#include "restore/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "restore/restore_internal.h"

/* Rename only into an empty place.  Where the file system can't say so in one
 * step, a second name is made, which never replaces anything either. */
static int rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (link(from, to) < 0)
		return -1;
	return unlink(from);
}

static int sync_folder_of(const char *path, struct error *err)
{
	char *folder = path_folder(path);
	int rc;

	if (!folder)
		return error_nomem(err);
	rc = file_sync(folder, err);
	free(folder);
	return rc;
}

/* The mode that SQLite gives a new file here.  Only by making one the umask
 * (and a folder's own defaults) can be known without changing it. */
static int usual_mode(const char *built, mode_t *mode)
{
	char *probe = path_with(built, "-mode");
	struct stat st;
	int fd, rc = -1;

	if (!probe)
		return -1;
	fd = open(probe, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
	if (fd >= 0) {
		rc = fstat(fd, &st);
		*mode = st.st_mode & 0777;
		close(fd);
		(void)unlink(probe);
	}
	free(probe);
	return rc;
}

/* Owner and group as those of the other file, as far as we may; what its group
 * could do, another group may not. */
static mode_t take_owner(int fd, const struct stat *like)
{
	mode_t mode = like->st_mode & 0777, others = mode & 07;
	struct stat st;

	if (fchown(fd, like->st_uid, like->st_gid) < 0 &&
	    fchown(fd, (uid_t)-1, like->st_gid) < 0 &&
	    (fstat(fd, &st) < 0 || st.st_gid != like->st_gid))
		mode &= ~(mode_t)070 | others << 3;
	return mode;
}

/* It was built for our eyes only. */
static int set_access(const char *built, const char *like, struct error *err)
{
	struct stat st;
	mode_t mode = 0600;
	int fd = open(built, O_RDWR | O_NOFOLLOW | O_CLOEXEC), rc = -1;

	if (fd < 0)
		goto done;
	if (like && lstat(like, &st) == 0 && S_ISREG(st.st_mode))
		mode = take_owner(fd, &st);
	else if (usual_mode(built, &mode) < 0)
		goto done;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		goto done;
	rc = 0;
done:
	if (rc < 0)
		error_errno(err, ERROR_FAILED,
			    "cannot set the access rights of '%s'", built);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int copy_bytes(int from, int to)
{
	char data[1 << 16];
	ssize_t got, put;

	while ((got = read(from, data, sizeof data)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		for (ssize_t at = 0; at < got; at += put) {
			put = write(to, data + at, (size_t)(got - at));
			if (put < 0 && errno != EINTR)
				return -1;
			if (put < 0)
				put = 0;
		}
	}
	return 0;
}

/* The scratch folder lies on another file system: a copy beside the target is
 * what is renamed. */
static int copy_over(const char *built, const char *copy, struct error *err)
{
	int from = open(built, O_RDONLY | O_CLOEXEC), to = -1, rc = -1;

	if (from >= 0)
		to = open(copy, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (to >= 0)
		rc = copy_bytes(from, to);
	if (rc < 0)
		error_errno(err, ERROR_FAILED,
			    "cannot copy the restored file to '%s'", copy);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return rc;
}

static int install(const char *built, const char *target, const char *like,
		   struct error *err)
{
	if (set_access(built, like, err) < 0)
		return -1;
	if (rename_new(built, target) == 0)
		return 0;
	if (errno == EXDEV)
		return 1;
	if (errno == EEXIST)
		return error_set(err, ERROR_REFUSED,
				 "'%s' appeared meanwhile; nothing was "
				 "replaced",
				 target);
	return error_errno(err, ERROR_FAILED,
			   "cannot move the restored file to '%s'", target);
}

static int install_copy(const char *built, const char *target, const char *like,
			struct error *err)
{
	char *beside = path_folder(target), *folder = NULL, *copy = NULL;
	int rc = -1;

	if (!beside) {
		error_nomem(err);
		goto done;
	}
	if (scratch_make(&folder, beside, ".dbstow-restore", err) < 0)
		goto done;
	copy = path_join(folder, "restored.db");
	if (!copy) {
		error_nomem(err);
		goto done;
	}
	if (copy_over(built, copy, err) < 0 ||
	    install(copy, target, like, err) < 0)
		goto done;
	(void)unlink(built);
	rc = 0;
done:
	scratch_remove(folder);
	free(beside);
	free(folder);
	free(copy);
	return rc;
}

int restore_install(const char *built, const char *target, const char *like,
		    struct error *err)
{
	const char *side = side_file(built);
	int rc;

	/* what stands in the built file's own -wal would be left behind */
	if (side)
		return error_set(err, ERROR_FAILED,
				 "'%s%s' lies beside the restored file: it is "
				 "still open",
				 built, side);
	/* SQLite would play a stale -wal or -journal into the new file */
	side = side_file(target);
	if (side)
		return error_set(err, ERROR_REFUSED,
				 "'%s%s' is there without its database; move "
				 "it away first",
				 target, side);
	rc = install(built, target, like, err);
	if (rc == 1)
		rc = install_copy(built, target, like, err);
	if (rc < 0)
		return -1;
	return sync_folder_of(target, err);
}
