/*
 * aside.c - move a database out of the way, whole
 *
 * A database is up to four files, and half of them is worse than none: without
 * its -wal it has lost commits, with a stranger's -journal it is destroyed.
 * So the new names are made first as second names (hard links), the database
 * last, and only then the old ones go, the database first: whenever we are
 * killed, under one of the two names lies all of it, and what may be left
 * under the other is side files alone, which restore_inspect() reports.
 */
#include "restore/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "restore/restore_internal.h"

#define FILE_COUNT (SIDE_COUNT + 1)
/* Names to try for one second. */
#define NAME_TRIES 1000

struct pair {
	char *from, *to; /* NULL where there is no such file */
};

/* The files in the order in which they get their new names. */
struct move {
	struct pair files[FILE_COUNT];
};

static void move_release(struct move *m)
{
	for (size_t i = 0; i < FILE_COUNT; i++) {
		free(m->files[i].from);
		free(m->files[i].to);
	}
	memset(m, 0, sizeof *m);
}

/* The main database comes last. */
static const char *suffix(size_t i)
{
	return i < SIDE_COUNT ? side_suffixes[i] : "";
}

/* @return number of files to move, or -1 */
static int find_files(struct move *m, const char *target, const char *name,
		      struct error *err)
{
	int count = 0;

	for (size_t i = 0; i < FILE_COUNT; i++) {
		struct pair *p = &m->files[i];

		p->from = path_with(target, suffix(i));
		p->to = path_with(name, suffix(i));
		if (!p->from || !p->to)
			return error_nomem(err);
		if (!file_exists(p->from)) {
			free(p->from);
			free(p->to);
			p->from = p->to = NULL;
			continue;
		}
		count++;
	}
	return count;
}

static void unlink_first(const struct move *m, size_t count)
{
	while (count--)
		if (m->files[count].to)
			(void)unlink(m->files[count].to);
}

/* @return 0; 1 when the file system has no links; -1 with errno */
static int link_all(const struct move *m)
{
	for (size_t i = 0; i < FILE_COUNT; i++) {
		const struct pair *p = &m->files[i];
		int saved;

		if (!p->from || link(p->from, p->to) == 0)
			continue;
		saved = errno;
		unlink_first(m, i);
		errno = saved;
		return errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK
			       ? 1
			       : -1;
	}
	return 0;
}

/* The old names go, the database's first. */
static int unlink_old(const struct move *m)
{
	for (size_t i = FILE_COUNT; i-- > 0;) {
		const struct pair *p = &m->files[i];

		if (p->from && unlink(p->from) < 0 && errno != ENOENT)
			return -1;
	}
	return 0;
}

/* Without links: one rename after the other, all taken back if one fails. */
static int rename_all(const struct move *m)
{
	for (size_t i = 0; i < FILE_COUNT; i++) {
		const struct pair *p = &m->files[i];
		int saved;

		if (!p->from || rename(p->from, p->to) == 0)
			continue;
		saved = errno;
		while (i-- > 0)
			if (m->files[i].to)
				(void)rename(m->files[i].to, m->files[i].from);
		errno = saved;
		return -1;
	}
	return 0;
}

/* "x.db.pre-restore-20261120T023522Z", then with "-2", "-3" ... */
static char *new_name(const char *target, unsigned int n)
{
	struct buffer b = BUFFER_INIT;
	char when[CLOCK_TEXT_SIZE];

	clock_iso(when, clock_now());
	buffer_printf(&b, "%s.pre-restore-", target);
	for (const char *c = when; *c; c++)
		if (*c != '-' && *c != ':')
			buffer_byte(&b, *c);
	if (n > 1)
		buffer_printf(&b, "-%u", n);
	return buffer_detach(&b);
}

int aside_name(const char *target, char **out, struct error *err)
{
	for (unsigned int n = 1; n <= NAME_TRIES; n++) {
		char *name = new_name(target, n);

		if (!name)
			return error_nomem(err);
		if (!file_exists(name) && !side_file(name)) {
			*out = name;
			return 0;
		}
		free(name);
	}
	return error_set(err, ERROR_FAILED,
			 "too many files '%s.pre-restore-...'; remove some",
			 target);
}

static int move_files(const struct move *m, const char *folder,
		      struct error *err)
{
	int rc = link_all(m);

	if (rc == 1)
		return rename_all(m);
	if (rc < 0)
		return -1;
	/* the new names must last before the old ones go */
	if (file_sync(folder, err) < 0) {
		unlink_first(m, FILE_COUNT);
		return -1;
	}
	return unlink_old(m);
}

int restore_move_aside(const char *target, char **moved, struct error *err)
{
	char *name = NULL, *folder = path_folder(target);
	struct move m = { 0 };
	int count, rc = -1;

	*moved = NULL;
	if (!folder) {
		error_nomem(err);
		goto done;
	}
	if (aside_name(target, &name, err) < 0)
		goto done;
	count = find_files(&m, target, name, err);
	if (count < 0)
		goto done;
	if (!count) {
		error_set(err, ERROR_FAILED,
			  "there is nothing at '%s' to move aside", target);
		goto done;
	}
	if (move_files(&m, folder, err) < 0) {
		error_errno(err, ERROR_FAILED, "cannot move '%s' aside to '%s'",
			    target, name);
		goto done;
	}
	if (file_sync(folder, err) < 0)
		goto done;
	*moved = name;
	name = NULL;
	rc = 0;
done:
	move_release(&m);
	free(name);
	free(folder);
	return rc;
}
