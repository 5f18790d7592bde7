/*
 * sqlite_build.c - a new database from a catalog
 *
 * The catalog may come from a branch that others can write.  CREATE TABLE and
 * CREATE INDEX have to run, because they make b-trees, or say how we are to
 * (sqlite_index_build.c): each is checked first (sql_text.c) and runs guarded
 * (sqlite_entry.c).  All else goes into the
 * schema as a row, so nothing of it runs: views and triggers keep their exact
 * text and order, whatever they refer to.
 */
#include "base/error.h"
#include "base/file.h"
#include "database/sqlite_index_make.h"
#include "database/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_BETWEEN 20000 /* of SQLite's machine: some milliseconds */

/* ---- connections ---- */

int build_connect(struct database *db, const char *path, sqlite3 **out,
		  struct error *err)
{
	if (sqlite3_open_v2(path, out,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK ||
	    connection_harden(db, *out) < 0)
		return sql_error(*out, err, "cannot open '%.500s'", path);
	sqlite3_db_config(*out, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	sqlite3_db_config(*out, SQLITE_DBCONFIG_DQS_DDL, 1, NULL);
	sqlite3_db_config(*out, SQLITE_DBCONFIG_DQS_DML, 1, NULL);
	/* without its lock between transactions SQLite looks what others wrote
	 * there: we do (sqlite_page_file.c) */
	return sql_run(*out,
		       "PRAGMA locking_mode = NORMAL;"
		       "PRAGMA journal_mode = OFF;"
		       "PRAGMA synchronous = OFF;"
		       "PRAGMA secure_delete = OFF;"
		       "PRAGMA cache_size = -8000;"
		       "PRAGMA foreign_keys = OFF;"
		       "PRAGMA ignore_check_constraints = ON;"
		       "PRAGMA writable_schema = ON",
		       err);
}

static const char *encoding_name(enum encoding e)
{
	return e == ENCODING_UTF16LE   ? "UTF-16le"
	       : e == ENCODING_UTF16BE ? "UTF-16be"
				       : "UTF-8";
}

static int has_trees(const struct catalog *c)
{
	return c->table_count > 0;
}

/* What can be said only before the first table. */
static int set_layout(struct database *db, const struct catalog *c,
		      struct error *err)
{
	char text[160];
	int32_t size = c->page_size, vacuum = c->auto_vacuum;

	if (size < 512 || size > 65536 || (size & (size - 1)))
		size = 4096;
	if (vacuum < 0 || vacuum > 2)
		vacuum = 0;
	snprintf(text, sizeof(text),
		 "PRAGMA page_size = %d; PRAGMA auto_vacuum = %d;"
		 "PRAGMA encoding = '%s'",
		 (int)size, (int)vacuum, encoding_name(c->encoding));
	if (sql_run(db->sql, text, err) < 0)
		return -1;
	/* the encoding is written down with the first table */
	if (!has_trees(c) &&
	    sql_run(db->sql, "CREATE TABLE t(x); DROP TABLE t", err) < 0)
		return -1;
	if (sql_encoding(db->sql, &db->encoding, err) < 0)
		return -1;
	if (db->encoding != c->encoding)
		return error_set(err, ERROR_FAILED,
				 "cannot make a database in %s",
				 encoding_name(c->encoding));
	return sql_run(db->sql, "BEGIN", err);
}

/* SQLite would take an old journal beside the new file for its own. */
static int check_side_files(const char *path, struct error *err)
{
	static const char *const suffixes[] = { "-journal", "-wal" };
	char side[PATH_MAX];
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(side, sizeof(side), "%s%s", path, suffixes[i]);
		if (file_exists(side))
			return error_set(err, ERROR_FAILED,
					 "'%.500s' is in the way", side);
	}
	return 0;
}

static int create_file(struct database *db, const char *path, struct error *err)
{
	int fd;

	if (check_side_files(path, err) < 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	if (fd < 0)
		return error_errno(err, ERROR_FAILED, "cannot create '%.500s'",
				   path);
	close(fd);
	/* absolute, so that no name is taken for a URI */
	db->path = realpath(path, NULL);
	if (!db->path)
		return error_errno(err, ERROR_FAILED, "cannot open '%.500s'",
				   path);
	return 0;
}

int database_create(struct database **out, const char *path,
		    const struct catalog *c, const struct database_build *how,
		    struct error *err)
{
	struct database *db = database_new(path);

	*out = NULL;
	if (!db)
		return error_nomem(err);
	db->stand_ins = how && how->stand_ins;
	db->build = calloc(1, sizeof(*db->build));
	if (!db->build) {
		database_close(db);
		return error_nomem(err);
	}
	db->build->catalog = c;
	db->build->stopped = how ? how->stopped : NULL;
	db->build->payload = how ? how->payload : NULL;
	if (create_file(db, path, err) < 0) {
		database_close(db);
		return -1;
	}
	if (build_connect(db, db->path, &db->sql, err) < 0 ||
	    set_layout(db, c, err) < 0) {
		unlink(db->path);
		database_close(db);
		return -1;
	}
	if (how && how->stopped)
		sqlite3_progress_handler(db->sql, STEPS_BETWEEN, how->stopped,
					 how->payload);
	*out = db;
	return 0;
}

void build_free(struct build *b)
{
	size_t i, j;

	if (!b)
		return;
	for (i = 0; i < b->bare_count; i++) {
		struct bare_table *t = &b->bare[i];

		for (j = 0; j < t->index_count; j++) {
			free(t->indexes[j].name);
			free(t->indexes[j].making);
			free(t->indexes[j].sql);
			free(t->indexes[j].plain);
		}
		free(t->indexes);
	}
	free(b->bare);
	database_close(b->twin);
	free(b);
}

/* ---- tables ---- */

static int differs(const struct table *t, const char *what, struct error *err)
{
	return error_set(err, ERROR_DAMAGE,
			 "table '%.200s': manifest and schema text disagree "
			 "about its %s",
			 t->name, what);
}

int build_compare(const struct table *want, const struct table *made,
		  struct error *err)
{
	size_t i;

	if (want->column_count != made->column_count)
		return differs(want, "columns", err);
	for (i = 0; i < want->column_count; i++) {
		const struct column *a = &want->columns[i];
		const struct column *b = &made->columns[i];

		if (strcmp(a->name, b->name) != 0 ||
		    a->generated != b->generated)
			return differs(want, "columns", err);
		if (a->key != b->key)
			return differs(want, "primary key", err);
	}
	if (want->order != made->order ||
	    want->rowid_column != made->rowid_column ||
	    !want->rowid_key != !made->rowid_key ||
	    (want->rowid_key && strcmp(want->rowid_key, made->rowid_key) != 0))
		return differs(want, "rowid", err);
	return 0;
}

const struct entry *build_entry(const struct database *db,
				const struct table *t)
{
	const struct catalog *c = db->build->catalog;
	size_t i;

	for (i = 0; i < c->entry_count; i++)
		if (c->entries[i].type == ENTRY_TABLE &&
		    !c->entries[i].virtual_table &&
		    !strcmp(c->entries[i].name, t->name))
			return &c->entries[i];
	return NULL;
}

static int create_plain(struct database *db, const struct table *t,
			const struct entry *e, struct error *err)
{
	struct table made;
	int64_t last;
	int rc;

	if (entry_last_row(db, &last, err) < 0 ||
	    entry_run(db, db->sql, e, err) < 0 ||
	    entry_check_made(db, e, last, err) < 0)
		return -1;
	memset(&made, 0, sizeof(made));
	rc = table_read(db->sql, t->name, &made, err);
	if (rc == 0)
		rc = build_compare(t, &made, err);
	table_release(&made);
	return rc;
}

/* sqlite_sequence came with the first AUTOINCREMENT table. */
static int adopt_sequence(struct database *db, const struct entry *e,
			  struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(db->sql, &st, err,
			"SELECT type, name, tbl_name, sql, rowid "
			"FROM main.sqlite_schema WHERE type = 'table' "
			"AND name = 'sqlite_sequence'") < 0)
		return -1;
	rc = sql_step(st, err);
	if (rc > 0)
		rc = entry_adopt_row(db, st, e, err);
	sqlite3_finalize(st);
	return rc;
}

int database_create_table(struct database *db, const struct table *t, int bare,
			  struct error *err)
{
	const struct entry *e = build_entry(db, t);
	int rc;

	if (!e)
		return error_set(err, ERROR_DAMAGE,
				 "the schema has no table '%.200s'", t->name);
	if (statement_check(e, err) < 0)
		return -1;
	if (!strcmp(t->name, "sqlite_sequence")) {
		rc = adopt_sequence(db, e, err);
		if (rc)
			return rc < 0 ? -1 : 0;
	} else if (!catalog_table(db->build->catalog, "sqlite_sequence") &&
		   statement_mentions(e->sql, "AUTOINCREMENT")) {
		bare = 1; /* or sqlite_sequence would come along */
	}
	return bare ? bare_create(db, t, e, err) : create_plain(db, t, e, err);
}

/* ---- completing ---- */

/* Read the schema again as it stands in the file now. */
static int reload_schema(struct database *db, struct error *err)
{
	return sql_run(db->sql,
		       "PRAGMA writable_schema = RESET;"
		       "PRAGMA writable_schema = ON",
		       err);
}

static int finish_bare(struct database *db, struct error *err)
{
	struct build *b = db->build;
	size_t i;

	for (i = 0; i < b->bare_count; i++)
		if (bare_finish(db, &b->bare[i], err) < 0)
			return -1;
	return b->bare_count ? reload_schema(db, err) : 0;
}

static int leave_out(struct database *db, const struct entry *e,
		     struct error *err)
{
	char what[320];

	snprintf(what, sizeof(what), "left out index '%.200s'", e->name);
	error_clear(err);
	return names_add(&db->left_out, what) < 0 ? error_nomem(err) : 0;
}

static int create_index(struct database *db, const struct entry *e,
			struct error *err)
{
	int64_t last;
	int rc;

	if (statement_check(e, err) < 0)
		return -1;
	rc = index_create(db, e, err);
	if (rc <= 0)
		return rc;
	if (entry_last_row(db, &last, err) < 0)
		return -1;
	rc = entry_run(db, db->sql, e, err);
	if (rc > 0)
		return db->stand_ins ? leave_out(db, e, err) : -1;
	return rc < 0 ? -1 : entry_check_made(db, e, last, err);
}

static int create_indexes(struct database *db, struct error *err)
{
	const struct catalog *c = db->build->catalog;
	size_t i;

	for (i = 0; i < c->entry_count; i++)
		if (c->entries[i].type == ENTRY_INDEX &&
		    create_index(db, &c->entries[i], err) < 0)
			return -1;
	return 0;
}

static int insert_entry(struct database *db, sqlite3_stmt *st,
			const struct entry *e, struct error *err)
{
	static const char *const types[] = { "table", "index", "view",
					     "trigger" };
	const char *type = types[e->type];
	int rc = -1;

	if (statement_check(e, err) < 0)
		return -1;
	if (sql_bind_text(db, st, 1, type, strlen(type), err) == 0 &&
	    sql_bind_text(db, st, 2, e->name, strlen(e->name), err) == 0 &&
	    sql_bind_text(db, st, 3, e->table, strlen(e->table), err) == 0 &&
	    sql_bind_text(db, st, 4, e->sql, e->sql_size, err) == 0)
		rc = sql_step(st, err);
	sqlite3_reset(st);
	return rc;
}

/* Views, triggers, virtual tables: rows of the schema, nothing runs. */
static int insert_entries(struct database *db, struct error *err)
{
	const struct catalog *c = db->build->catalog;
	sqlite3_stmt *st;
	int rc = 0;
	size_t i;

	if (sql_prepare(db->sql, &st, err,
			"INSERT INTO main.sqlite_schema"
			"(type, name, tbl_name, rootpage, sql) "
			"VALUES(?1, ?2, ?3, 0, ?4)") < 0)
		return -1;
	for (i = 0; rc == 0 && i < c->entry_count; i++) {
		const struct entry *e = &c->entries[i];

		if (e->type == ENTRY_VIEW || e->type == ENTRY_TRIGGER ||
		    e->virtual_table)
			rc = insert_entry(db, st, e, err);
	}
	sqlite3_finalize(st);
	return rc;
}

static int set_versions(struct database *db, struct error *err)
{
	const struct catalog *c = db->build->catalog;
	char text[96];

	snprintf(text, sizeof(text),
		 "PRAGMA user_version = %ld; PRAGMA application_id = %ld",
		 (long)c->user_version, (long)c->application_id);
	return sql_run(db->sql, text, err);
}

/* Read the schema with SQLite's own strictness, which compares type and name
 * of every row with its text, and count the rows. */
static int check_schema(struct database *db, struct error *err)
{
	struct error cause = ERROR_INIT;
	int64_t count;
	size_t want = db->build->catalog->entry_count - db->left_out.count;

	if (sql_run(db->sql, "PRAGMA writable_schema = RESET", err) < 0)
		return -1;
	if (sql_integer(db->sql,
			"SELECT count(*) FROM main.sqlite_schema "
			"WHERE sql IS NOT NULL",
			&count, &cause) < 0)
		return sql_error(db->sql, err,
				 "the schema would make a database that does "
				 "not open");
	if (count != (int64_t)want)
		return error_set(err, ERROR_DAMAGE,
				 "the schema has %lld entries instead of %zu",
				 (long long)count, want);
	return 0;
}

static int set_wal(struct database *db, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (!db->build->catalog->wal)
		return 0;
	if (sql_prepare(db->sql, &st, err, "PRAGMA main.journal_mode = WAL") <
	    0)
		return -1;
	rc = sql_step(st, err);
	if (rc > 0) {
		const char *mode = (const char *)sqlite3_column_text(st, 0);

		rc = mode && !strcmp(mode, "wal")
			     ? 0
			     : error_set(err, ERROR_FAILED,
					 "cannot set WAL mode for '%.500s'",
					 db->name);
	}
	sqlite3_finalize(st);
	return rc;
}

int database_rows_done(struct database *db, struct error *err)
{
	const struct catalog *c = db->build->catalog;

	if (!db->build->sequence_loaded &&
	    catalog_table(c, "sqlite_sequence") &&
	    sql_run(db->sql, "DELETE FROM main.sqlite_sequence", err) < 0)
		return -1;
	/* An index that its rows violate must roll back as one statement.  What
	 * it adds is new pages, so the journal in memory stays small. */
	if (sql_run(db->sql, "COMMIT; PRAGMA journal_mode = MEMORY", err) < 0)
		return -1;
	db->build->rows_done = 1;
	return 0;
}

int database_complete(struct database *db, struct error *err)
{
	if (!db->build->rows_done && database_rows_done(db, err) < 0)
		return -1;
	if (finish_bare(db, err) < 0 || create_indexes(db, err) < 0)
		return -1;
	/* nobody writes beside SQLite any more (sqlite_page_file.c): it may
	 * keep its lock */
	if (sql_run(db->sql, "PRAGMA locking_mode = EXCLUSIVE; BEGIN", err) <
		    0 ||
	    insert_entries(db, err) < 0 || set_versions(db, err) < 0 ||
	    sql_run(db->sql, "COMMIT", err) < 0)
		return -1;
	return check_schema(db, err) < 0 ? -1 : set_wal(db, err);
}
