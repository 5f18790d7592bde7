/* copy_aside.c - a copy of a live database before it is changed */

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "restore/restore.h"

/** "NAME.pre-restore-20261120T023522Z", with "-2" ... when taken. */
static char *free_name(const char *target)
{
	char when[CLOCK_TEXT_SIZE], compact[CLOCK_TEXT_SIZE];
	size_t at = 0;

	clock_iso(when, clock_now());
	for (const char *p = when; *p; p++) {
		if (*p != '-' && *p != ':')
			compact[at++] = *p;
	}
	compact[at] = '\0';
	for (int n = 1; n < 1000; n++) {
		struct buffer b = BUFFER_INIT;
		char *name;

		buffer_printf(&b, "%s.pre-restore-%s", target, compact);
		if (n > 1)
			buffer_printf(&b, "-%d", n);
		name = buffer_detach(&b);
		if (!name || !file_exists(name))
			return name;
		free(name);
	}
	return NULL;
}

static int copy_pages(const char *from, const char *to, struct error *err)
{
	sqlite3 *source = NULL, *copy = NULL;
	sqlite3_backup *b = NULL;
	int rc = -1;

	if (sqlite3_open_v2(from, &source, SQLITE_OPEN_READWRITE, NULL) ||
	    sqlite3_open_v2(to, &copy,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL)) {
		error_set(err, ERROR_FAILED, "cannot copy '%s' to '%s': %s",
			  from, to, sqlite3_errmsg(copy ? copy : source));
		goto done;
	}
	sqlite3_busy_timeout(source, 30000);
	b = sqlite3_backup_init(copy, "main", source, "main");
	if (!b || sqlite3_backup_step(b, -1) != SQLITE_DONE) {
		error_set(err, ERROR_FAILED, "cannot copy '%s' to '%s': %s",
			  from, to, sqlite3_errmsg(copy));
		goto done;
	}
	rc = 0;
done:
	if (b && sqlite3_backup_finish(b) && rc == 0)
		rc = error_set(err, ERROR_FAILED, "cannot copy '%s' to '%s'",
			       from, to);
	sqlite3_close(source);
	sqlite3_close(copy);
	return rc;
}

int restore_copy_aside(const char *target, char **copy, struct error *err)
{
	char *name = free_name(target), *folder = path_folder(target);
	int rc = -1;

	*copy = NULL;
	if (!name || !folder) {
		error_nomem(err);
		goto done;
	}
	if (copy_pages(target, name, err) < 0 || file_sync(name, err) < 0 ||
	    file_sync(folder, err) < 0) {
		unlink(name);
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
