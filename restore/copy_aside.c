/* copy_aside.c - a copy of a live database before it is changed */

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "restore/restore.h"
#include "restore/restore_internal.h"

static int copy_pages(const char *from, sqlite3 *source, const char *to,
		      sqlite3 *copy, struct error *err)
{
	sqlite3_backup *b = sqlite3_backup_init(copy, "main", source, "main");
	int rc = SQLITE_ERROR;

	if (b) {
		rc = sqlite3_backup_step(b, -1);
		/* only this gives the reason to sqlite3_errmsg() */
		sqlite3_backup_finish(b);
	}
	if (rc != SQLITE_DONE)
		return target_failed(copy, err, "cannot copy '%s' to '%s'",
				     from, to);
	return 0;
}

/* An empty file that nobody else made; a copy of data is not for everybody. */
static int create_file(const char *path, struct error *err)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno(err, ERROR_FAILED, "cannot make '%s'", path);
	close(fd);
	return 0;
}

int restore_copy(const char *from, const char *to, struct error *err)
{
	sqlite3 *source = NULL, *copy = NULL;
	int rc = -1;

	if (target_open(&source, from, 0, OPEN_PAGES, err) < 0)
		goto done;
	if (create_file(to, err) < 0 ||
	    target_open(&copy, to, 0, OPEN_PAGES, err) < 0)
		goto done;
	rc = copy_pages(from, source, to, copy, err);
done:
	sqlite3_close(source);
	sqlite3_close(copy);
	return rc;
}

int restore_copy_aside(const char *target, char **copy, struct error *err)
{
	char *name = NULL, *folder = path_folder(target);
	int rc = -1;

	*copy = NULL;
	if (!folder) {
		error_nomem(err);
		goto done;
	}
	if (aside_name(target, &name, err) < 0)
		goto done;
	if (restore_copy(target, name, err) < 0 || file_sync(name, err) < 0 ||
	    file_sync(folder, err) < 0) {
		database_remove(name);
		goto done;
	}
	*copy = name;
	name = NULL;
	rc = 0;
done:
	free(name);
	free(folder);
	return rc;
}
