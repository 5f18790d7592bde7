/*
 * into.c - replay records into a schema that is there
 *
 * One connection, one transaction.  The snapshot lies beside the target as a
 * database of its own ("staged"), so values go from one to the other within
 * SQLite.  Rows are told apart by their keys and only those that differ are
 * touched; at the end every row is compared with the snapshot's, bit by bit,
 * because types and constraints of the target may be others by now.
 */
#include "restore/restore.h"

#include "base/buffer.h"
#include "restore/into_internal.h"
#include "restore/restore_internal.h"
#include "snapshot/catalog.h"

static const char *encoding_name(enum encoding e)
{
	switch (e) {
	case ENCODING_UTF16LE:
		return "UTF-16le";
	case ENCODING_UTF16BE:
		return "UTF-16be";
	case ENCODING_UTF8:
		break;
	}
	return "UTF-8";
}

/* Text that is not well-formed has no equal in another encoding, and SQLite
 * does not attach a database with one. */
static int check_encoding(struct into *in, struct error *err)
{
	const char *there = encoding_name(in->catalog->encoding);
	char *here = NULL;
	int rc = 0;

	if (target_text(in->db, &here, "PRAGMA main.encoding", err) < 0)
		return -1;
	if (strcmp(here, there))
		rc = error_set(err, ERROR_FAILED,
			       "'%s' keeps text as %s, the snapshot as %s; "
			       "records can't go over unchanged; restore to a "
			       "new file",
			       in->target, here, there);
	free(here);
	return rc;
}

static int attach(struct into *in, const char *staged, struct error *err)
{
	/* as in target_open(): never a URI */
	return target_run(in->db,
			  sqlite3_mprintf("ATTACH '%s%q' AS staged",
					  *staged == '/' ? "" : "./", staged),
			  err, "cannot attach the snapshot");
}

static int configure(struct into *in, struct error *err)
{
	/* why foreign keys are off: see into_links.c */
	if (sqlite3_db_config(in->db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL) ||
	    sqlite3_db_config(in->db, SQLITE_DBCONFIG_ENABLE_TRIGGER,
			      in->triggers, NULL) ||
	    sqlite3_db_config(in->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL))
		return target_failed(in->db, err, "cannot open '%s'",
				     in->target);
	return target_add_functions(in->db, err);
}

/*
 * Distrusted, because the snapshot's tables will be seen through the same
 * connection, unless the target needs what that takes away; its triggers, when
 * they shall run, may need anything.
 */
static int open_target(struct into *in, int busy_timeout_ms, struct error *err)
{
	int rc;

	if (in->triggers)
		return target_open(&in->db, in->target, busy_timeout_ms,
				   OPEN_WITH_MODULES, err);
	if (target_open(&in->db, in->target, busy_timeout_ms, OPEN_DISTRUSTED,
			err) < 0)
		return -1;
	rc = sqlite3_exec(in->db, "SELECT 1 FROM main.sqlite_schema LIMIT 1",
			  NULL, NULL, NULL);
	if ((rc & 0xff) != SQLITE_ERROR && (rc & 0xff) != SQLITE_CORRUPT)
		return 0;
	sqlite3_close(in->db);
	in->db = NULL;
	return target_open(&in->db, in->target, busy_timeout_ms, OPEN_TRUSTED,
			   err);
}

static int begin(struct into *in, const char *staged, int busy_timeout_ms,
		 struct error *err)
{
	if (into_strip(staged, err) < 0 ||
	    open_target(in, busy_timeout_ms, err) < 0)
		return -1;
	if (sqlite3_db_readonly(in->db, "main") == 1)
		return error_set(err, ERROR_FAILED, "'%s' cannot be written",
				 in->target);
	if (configure(in, err) < 0 || check_encoding(in, err) < 0 ||
	    attach(in, staged, err) < 0)
		return -1;
	return target_exec(in->db, err, "BEGIN IMMEDIATE");
}

/*
 * Children go before their parents and parents come before their children:
 * the order is of no consequence to us (foreign keys are looked at in the end)
 * but triggers may count on it.
 */
static int write_rows(struct into *in, struct error *err)
{
	for (size_t i = in->selected_count; i-- > 0;)
		if (into_delete(in, &in->tables[i], err) < 0)
			return -1;
	for (size_t i = in->selected_count; i < in->table_count; i++)
		if (in->tables[i].listed &&
		    into_insert_listed(in, &in->tables[i], err) < 0)
			return -1;
	for (size_t i = 0; i < in->selected_count; i++)
		if (into_write(in, &in->tables[i], err) < 0)
			return -1;
	return 0;
}

static int prove(struct into *in, struct error *err)
{
	for (size_t i = 0; i < in->table_count; i++) {
		struct into_table *t = &in->tables[i];

		if ((t->selected || t->listed) && into_verify(in, t, err) < 0)
			return -1;
		if (t->selected && into_sequence(in, t, err) < 0)
			return -1;
	}
	return into_check_links(in, err);
}

static int report(const struct into *in, struct restore_changes *out,
		  struct error *err)
{
	out->changes = calloc(in->table_count + 1, sizeof *out->changes);
	if (!out->changes)
		return error_nomem(err);
	for (size_t i = 0; i < in->table_count; i++) {
		const struct into_table *t = &in->tables[i];
		struct restore_change *c = &out->changes[out->count];

		if (!t->inserted && !t->updated && !t->deleted)
			continue;
		c->table = strdup(t->name);
		if (!c->table)
			return error_nomem(err);
		c->inserted = t->inserted;
		c->updated = t->updated;
		c->deleted = t->deleted;
		c->parent = !t->selected;
		out->count++;
	}
	return 0;
}

static void into_release(struct into *in)
{
	links_release(in);
	for (size_t i = 0; i < in->table_count; i++)
		into_table_release(&in->tables[i]);
	free(in->tables);
	/* what was not committed is rolled back */
	sqlite3_close(in->db);
}

int restore_into(const char *staged, const struct catalog *c,
		 const char *target, const struct restore_selection *what,
		 struct restore_changes *out, struct error *err)
{
	struct into in = { .target = target,
			   .catalog = c,
			   .records = what->records,
			   .triggers = what->triggers };
	int rc = -1;

	memset(out, 0, sizeof *out);
	/* all that can be wrong with the selection is found before anything
	 * is written */
	if (begin(&in, staged, what->busy_timeout_ms, err) < 0 ||
	    into_select(&in, what->tables, what->table_count, err) < 0 ||
	    into_links(&in, err) < 0 || into_list_parents(&in, err) < 0)
		goto done;
	if (write_rows(&in, err) < 0 || prove(&in, err) < 0 ||
	    report(&in, out, err) < 0)
		goto done;
	rc = target_exec(in.db, err, what->dry_run ? "ROLLBACK" : "COMMIT");
done:
	if (rc < 0)
		restore_changes_release(out);
	into_release(&in);
	return rc;
}

void restore_changes_release(struct restore_changes *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->changes[i].table);
	free(c->changes);
	memset(c, 0, sizeof *c);
}
