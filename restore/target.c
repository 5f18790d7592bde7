/*
 * target.c - what lies where a database shall go
 */
#include "restore/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "restore/restore_internal.h"

/* What every SQLite file begins with, its NUL included. */
#define MAGIC "SQLite format 3"
/* Somebody who holds the lock that long is at work in there. */
#define LOOK_TIMEOUT_MS 1000

/* The shm file is only an index of the -wal and made anew from it. */
const char *const side_suffixes[SIDE_COUNT] = { "-wal", "-journal", "-shm" };

char *path_with(const char *path, const char *suffix)
{
	struct buffer b = BUFFER_INIT;

	buffer_str(&b, path);
	buffer_str(&b, suffix);
	return buffer_detach(&b);
}

const char *side_file(const char *path)
{
	for (size_t i = 0; i < SIDE_COUNT; i++) {
		char *side = path_with(path, side_suffixes[i]);
		int there = side && file_exists(side);

		free(side);
		if (there)
			return side_suffixes[i];
	}
	return NULL;
}

void database_remove(const char *path)
{
	for (size_t i = 0; i < SIDE_COUNT; i++) {
		char *side = path_with(path, side_suffixes[i]);

		if (side)
			(void)unlink(side);
		free(side);
	}
	(void)unlink(path);
}

/* ---- restore_inspect() ---- */

static int check_name(const char *target, struct error *err)
{
	size_t size = strlen(target);

	if (!size)
		return error_set(err, ERROR_USAGE, "the target has no name");
	if (*target == ':' || !strncmp(target, "file:", 5) ||
	    strstr(target, "://"))
		return error_set(err, ERROR_USAGE,
				 "'%s' is no path; give the path of a file",
				 target);
	for (size_t i = 0; i < SIDE_COUNT; i++) {
		size_t n = strlen(side_suffixes[i]);

		if (size > n && !strcmp(target + size - n, side_suffixes[i]))
			return error_set(err, ERROR_USAGE,
					 "'%s' is the name of a file that "
					 "SQLite keeps beside '%.*s'; choose "
					 "another",
					 target, (int)(size - n), target);
	}
	return 0;
}

static int check_folder(const char *path, struct error *err)
{
	char *folder = path_folder(path);
	struct stat st;
	int rc = -1;

	if (!folder)
		return error_nomem(err);
	if (stat(folder, &st) < 0 && errno == ENOENT)
		error_set(err, ERROR_FAILED,
			  "folder '%s' of the target does not exist; create it "
			  "first",
			  folder);
	else if (stat(folder, &st) < 0)
		error_errno(err, ERROR_FAILED,
			    "cannot look into folder '%s' of the target",
			    folder);
	else if (!S_ISDIR(st.st_mode))
		error_set(err, ERROR_FAILED,
			  "'%s', where the target shall lie, is no folder",
			  folder);
	else if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0)
		error_errno(err, ERROR_FAILED,
			    "folder '%s' of the target is not writable",
			    folder);
	else
		rc = 0;
	free(folder);
	return rc;
}

/* Follow a link to the file it means: SQLite does so too, and puts the side
 * files there. */
static int resolve(const char *target, char **real, struct error *err)
{
	struct stat st;

	if (lstat(target, &st) < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return error_errno(err, ERROR_FAILED,
					   "cannot look at target '%s'",
					   target);
		*real = strdup(target);
		return *real ? 0 : error_nomem(err);
	}
	if (!S_ISLNK(st.st_mode)) {
		*real = strdup(target);
		return *real ? 0 : error_nomem(err);
	}
	*real = realpath(target, NULL);
	if (*real)
		return 0;
	if (errno == ENOENT)
		return error_set(err, ERROR_FAILED,
				 "target '%s' is a link to something that does "
				 "not exist; remove the link, or name the file "
				 "itself",
				 target);
	return error_errno(err, ERROR_FAILED, "cannot follow link '%s'",
			   target);
}

static int damaged(enum restore_target *out, char **why, const char *text,
		   struct error *err)
{
	*out = TARGET_DAMAGED;
	if (!why)
		return 0;
	*why = strdup(text);
	return *why ? 0 : error_nomem(err);
}

/* SQLite's file format, section 1.3: page size, format versions, fractions. */
static int is_header(const unsigned char *head)
{
	unsigned int page_size = (unsigned int)head[16] << 8 | head[17];

	return !memcmp(head, MAGIC, sizeof MAGIC) &&
	       (page_size == 1 ||
		(page_size >= 512 && !(page_size & (page_size - 1)))) &&
	       head[18] >= 1 && head[18] <= 2 && head[19] >= 1 &&
	       head[19] <= 2 && head[21] == 64 && head[22] == 32 &&
	       head[23] == 32;
}

/*
 * @return 1 when the file begins as a database does, 0 when not, -1
 *
 * Looked at before SQLite opens it: that would remove a journal that it cannot
 * make sense of, and what is damaged must be kept whole.
 */
static int has_header(const char *path, struct error *err)
{
	unsigned char head[24];
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, ERROR_FAILED, "cannot read '%s'", path);
	got = pread(fd, head, sizeof head, 0);
	if (got < 0)
		error_errno(err, ERROR_FAILED, "cannot read '%s'", path);
	close(fd);
	if (got < 0)
		return -1;
	return got == (ssize_t)sizeof head && is_header(head);
}

/*
 * Read the schema as any application would at first.  A file that is locked
 * is a database that somebody uses.
 */
static int try_schema(const char *path, enum restore_target *out, char **why,
		      struct error *err)
{
	sqlite3 *db = NULL;
	int rc;

	if (target_open(&db, path, LOOK_TIMEOUT_MS, OPEN_TRUSTED, err) < 0)
		return -1;
	rc = sqlite3_exec(db, "SELECT count(*) FROM main.sqlite_schema", NULL,
			  NULL, NULL);
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		*out = TARGET_DATABASE;
		rc = 0;
		break;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
	case SQLITE_ERROR: /* "malformed database schema" */
		rc = damaged(out, why, sqlite3_errmsg(db), err);
		break;
	default:
		rc = target_failed(db, err, "cannot open '%s'", path);
	}
	sqlite3_close(db);
	return rc;
}

static int classify(const char *path, enum restore_target *out, char **why,
		    struct error *err)
{
	struct stat st;
	int rc;

	if (lstat(path, &st) < 0) {
		if (errno != ENOENT)
			return error_errno(err, ERROR_FAILED,
					   "cannot look at target '%s'", path);
		*out = side_file(path) ? TARGET_SIDE_FILES : TARGET_ABSENT;
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return error_set(err, ERROR_FAILED,
				 "target '%s' is a folder; name a file in it",
				 path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_FAILED,
				 "target '%s' is no regular file", path);
	if (!st.st_size) {
		*out = TARGET_EMPTY;
		return 0;
	}
	rc = has_header(path, err);
	if (rc < 0)
		return -1;
	if (!rc)
		return damaged(out, why,
			       "it does not begin as a SQLite database does "
			       "(another kind of file, or encrypted)",
			       err);
	return try_schema(path, out, why, err);
}

int restore_inspect(const char *target, enum restore_target *out, char **real,
		    char **why, struct error *err)
{
	char *path = NULL;
	int rc = -1;

	if (why)
		*why = NULL;
	*real = NULL;
	if (!strncmp(target, "sqlite:", 7))
		target += 7;
	if (check_name(target, err) < 0 || resolve(target, &path, err) < 0)
		goto done;
	if (check_folder(path, err) < 0 || classify(path, out, why, err) < 0)
		goto done;
	*real = path;
	path = NULL;
	rc = 0;
done:
	free(path);
	return rc;
}
