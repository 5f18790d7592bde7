/*
 * replace.c - new content for a database that is in use
 *
 * SQLite's backup API writes all pages in one transaction of the target: other
 * connections go on reading the old content, then see the new one, and a kill
 * leaves a journal (or half a -wal) that gives the old content back.  Three
 * things of the target must not follow the built file:
 *
 *   page size     can't change while the target is in WAL mode, and readers of
 *                 a rollback database would have to start over: so the file is
 *                 built with the target's page size from the start
 *                 (restore_layout()).  Rewriting it here would mean VACUUM,
 *                 which needs every collation and function of the schema.
 *   journal mode  stands in the two bytes of the header that are copied with
 *                 page 1.  A target in WAL mode puts them back itself; for one
 *                 that is not, the built file leaves WAL mode before.
 *   encoding      can't be kept.  Tried: a connection that was open before
 *                 gets "attached databases must use the same text encoding as
 *                 main database" for every statement until it is opened anew,
 *                 and reads or writes nothing wrong.  Hence the note.
 */
#include "restore/restore.h"

#include <sqlite3.h>

#include "base/buffer.h"
#include "restore/restore_internal.h"

struct layout {
	int64_t pages, page_size, auto_vacuum;
	int wal;
	char *encoding;
};

static int read_layout(sqlite3 *db, struct layout *l, struct error *err)
{
	char *mode = NULL;

	if (target_number(db, &l->pages, "PRAGMA main.page_count", err) < 0 ||
	    target_number(db, &l->page_size, "PRAGMA main.page_size", err) <
		    0 ||
	    target_number(db, &l->auto_vacuum, "PRAGMA main.auto_vacuum", err) <
		    0 ||
	    target_text(db, &l->encoding, "PRAGMA main.encoding", err) < 0 ||
	    target_text(db, &mode, "PRAGMA main.journal_mode", err) < 0)
		return -1;
	l->wal = !strcmp(mode, "wal");
	free(mode);
	return 0;
}

int restore_layout(const char *target, int32_t *page_size, int *wal,
		   struct error *err)
{
	struct layout l = { 0 };
	sqlite3 *db = NULL;
	int rc = -1;

	if (target_open(&db, target, 0, OPEN_PAGES, err) < 0 ||
	    read_layout(db, &l, err) < 0)
		goto done;
	/* a zero-byte file has no layout of its own yet */
	*page_size = l.pages ? (int32_t)l.page_size : 0;
	*wal = l.wal;
	rc = 0;
done:
	free(l.encoding);
	sqlite3_close(db);
	return rc;
}

/* The header bytes that say "WAL" must not reach a target that is not. */
static int leave_wal(sqlite3 *built, struct error *err)
{
	char *mode = NULL;
	int left;

	if (target_text(built, &mode, "PRAGMA main.journal_mode=DELETE", err) <
	    0)
		return -1;
	left = !strcmp(mode, "delete");
	free(mode);
	if (!left)
		return error_set(err, ERROR_FAILED,
				 "the restored file '%s' is still in use",
				 sqlite3_db_filename(built, "main"));
	return 0;
}

static int check_fit(sqlite3 *built, const struct layout *from, sqlite3 *target,
		     const struct layout *to, struct error *err)
{
	const char *name = sqlite3_db_filename(target, "main");

	if (sqlite3_db_readonly(target, "main") == 1)
		return error_set(err, ERROR_FAILED, "'%s' cannot be written",
				 name);
	if (!to->pages)
		return 0;
	if (from->page_size != to->page_size)
		return error_set(err, ERROR_FAILED,
				 "'%s' has pages of %lld bytes, the restored "
				 "file of %lld; restore again",
				 name, (long long)to->page_size,
				 (long long)from->page_size);
	return from->wal && !to->wal ? leave_wal(built, err) : 0;
}

static int copy_pages(sqlite3 *built, sqlite3 *target, struct error *err)
{
	sqlite3_backup *b;
	int rc = SQLITE_ERROR;

	/* the old content must be back after a power cut, too */
	if (target_exec(target, err, "PRAGMA main.synchronous=FULL") < 0)
		return -1;
	b = sqlite3_backup_init(target, "main", built, "main");
	if (b) {
		/* all at once: between two steps the target would stay locked
		 * and half new */
		rc = sqlite3_backup_step(b, -1);
		sqlite3_backup_finish(b);
	}
	if (rc == SQLITE_DONE)
		return 0;
	target_failed(target, err, "cannot replace '%s'",
		      sqlite3_db_filename(target, "main"));
	/* on a full disk the journal stays for whoever opens it next: be that
	 */
	target_exec(target, NULL, "BEGIN IMMEDIATE; ROLLBACK");
	return -1;
}

static void add_note(struct buffer *b, const char *what, const char *was,
		     const char *is)
{
	buffer_printf(b, "%s%s was %s and is %s now", b->size ? "; " : "", what,
		      was, is);
}

static const char *auto_vacuum_name(int64_t mode)
{
	return mode == 0 ? "none" : mode == 1 ? "full" : "incremental";
}

/* One line on what the target's users may notice. */
static int make_note(const struct layout *from, const struct layout *to,
		     char **note, struct error *err)
{
	struct buffer b = BUFFER_INIT;

	if (!to->pages)
		return 0;
	if (from->wal != to->wal)
		buffer_printf(&b,
			      "the journal mode stays %s, the snapshot's "
			      "is %s",
			      to->wal ? "wal" : "delete",
			      from->wal ? "wal" : "delete");
	if (from->auto_vacuum != to->auto_vacuum)
		add_note(&b, "auto_vacuum", auto_vacuum_name(to->auto_vacuum),
			 auto_vacuum_name(from->auto_vacuum));
	if (strcmp(from->encoding, to->encoding)) {
		add_note(&b, "the text encoding", to->encoding, from->encoding);
		buffer_str(&b, ": connections that are open must be opened "
			       "anew");
	}
	if (!b.size && !b.failed)
		return 0;
	*note = buffer_detach(&b);
	return *note ? 0 : error_nomem(err);
}

/* What a new connection finds. */
static int check_result(const char *target, const struct layout *from,
			const struct layout *to, int busy_timeout_ms,
			struct error *err)
{
	struct layout now = { 0 };
	sqlite3 *db = NULL;
	int64_t entries;
	int wal = to->pages ? to->wal : from->wal;
	int rc = -1;

	if (target_open(&db, target, busy_timeout_ms, OPEN_PAGES, err) < 0 ||
	    target_number(db, &entries,
			  "SELECT count(*) FROM main.sqlite_schema", err) < 0 ||
	    read_layout(db, &now, err) < 0)
		goto done;
	if (now.page_size != from->page_size || now.wal != wal ||
	    strcmp(now.encoding, from->encoding))
		error_set(err, ERROR_DAMAGE,
			  "'%s' is not as it was written; another program "
			  "changed its settings",
			  target);
	else
		rc = 0;
done:
	free(now.encoding);
	sqlite3_close(db);
	return rc;
}

int restore_replace(const char *built, const char *target, int busy_timeout_ms,
		    char **note, struct error *err)
{
	struct layout from = { 0 }, to = { 0 };
	sqlite3 *source = NULL, *db = NULL;
	int rc = -1;

	*note = NULL;
	if (target_open(&source, built, busy_timeout_ms, OPEN_PAGES, err) < 0 ||
	    read_layout(source, &from, err) < 0 ||
	    target_open(&db, target, busy_timeout_ms, OPEN_PAGES, err) < 0 ||
	    read_layout(db, &to, err) < 0)
		goto done;
	if (check_fit(source, &from, db, &to, err) < 0 ||
	    copy_pages(source, db, err) < 0)
		goto done;
	if (check_result(target, &from, &to, busy_timeout_ms, err) < 0)
		goto done;
	rc = make_note(&from, &to, note, err);
done:
	sqlite3_close(source);
	sqlite3_close(db);
	free(from.encoding);
	free(to.encoding);
	return rc;
}
