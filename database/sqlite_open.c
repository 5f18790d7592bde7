/*
 * sqlite_open.c - connections, and what can be wrong with a file
 *
 * A database is opened READWRITE, because only then SQLite rolls a hot journal
 * back and recovers a WAL: without that a reader gets a crashed writer's
 * half-done pages.  Where SQLite would have to write and may not, the file is
 * copied aside with its journals, and that copy is opened (sqlite_copy.c).
 *
 * The database file is never opened behind SQLite's back while it is open in
 * this process: closing any descriptor of a file drops all POSIX locks that
 * the process has on it.
 */
#include "base/error.h"
#include "base/file.h"
#include "database/distrust.h"
#include "database/sqlite_copy.h"
#include "database/sqlite_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUSY_TIMEOUT_MS 30000
#define BEGIN_TRIES     5

struct database *database_new(const char *name)
{
	struct database *db = calloc(1, sizeof(*db));

	if (db)
		db->name = strdup(name);
	if (db && !db->name) {
		free(db);
		db = NULL;
	}
	return db;
}

void database_close(struct database *db)
{
	if (!db)
		return;
	build_free(db->build);
	pages_free(db->pages);
	/* statements are the callers': a scan that outlives its database is
	 * a zombie until it is freed, not a crash */
	sqlite3_close_v2(db->sql);
	scratch_remove(db->copy);
	names_release(&db->collations);
	names_release(&db->functions);
	names_release(&db->left_out);
	names_release(&db->violated);
	buffer_release(&db->told);
	free(db->missing);
	free(db->copy);
	free(db->path);
	free(db->name);
	free(db);
}

int connection_harden(struct database *db, sqlite3 *sql)
{
	static const struct {
		int option, on;
	} options[] = {
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
		{ SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(*options); i++)
		sqlite3_db_config(sql, options[i].option, options[i].on, NULL);
	sqlite3_extended_result_codes(sql, 1);
	sqlite3_limit(sql, SQLITE_LIMIT_ATTACHED, 0);
	/* virtual tables are carried as text and shadow tables: what the module
	 * would say depends on the library's build */
	if (sqlite3_drop_modules(sql, NULL) != SQLITE_OK)
		return -1;
	/* before the first statement: once SQLite has missed a collation it
	 * does without that index, and a WITHOUT ROWID table can't be read */
	if (sqlite3_collation_needed(sql, db, collation_needed) != SQLITE_OK)
		return -1;
	return distrust_schema(sql);
}

/* While another connection of this process builds the file, whose lock would
 * keep us out.  That lock is not lost when we close: SQLite keeps a descriptor
 * while the process has locks on its file. */
static int connect_building(struct database *db, const char *path)
{
	struct buffer uri = BUFFER_INIT;
	int rc = SQLITE_NOMEM;

	buffer_str(&uri, "file:");
	for (; *path; path++) {
		if (strchr("%?#", *path))
			buffer_printf(&uri, "%%%02x", (unsigned char)*path);
		else
			buffer_add(&uri, path, 1);
	}
	buffer_str(&uri, "?nolock=1");
	if (buffer_cstr(&uri))
		rc = sqlite3_open_v2(uri.data, &db->sql,
				     SQLITE_OPEN_READONLY | SQLITE_OPEN_URI |
					     SQLITE_OPEN_NOMUTEX,
				     NULL);
	buffer_release(&uri);
	return rc;
}

static int connect_file(struct database *db, const char *path,
			struct error *err)
{
	sqlite3_close_v2(db->sql);
	db->sql = NULL;
	free(db->path);
	db->path = strdup(path);
	if (!db->path)
		return error_nomem(err);
	/* the path is absolute, so that "file:..." and ":memory:" are files */
	if ((db->building ? connect_building(db, path)
			  : sqlite3_open_v2(path, &db->sql,
					    SQLITE_OPEN_READWRITE |
						    SQLITE_OPEN_NOMUTEX,
					    NULL)) != SQLITE_OK)
		return 1;
	if (connection_harden(db, db->sql) < 0)
		return sql_error(db->sql, err, "cannot open '%.500s'",
				 db->name);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_busy_timeout(db->sql, db->busy_timeout_ms);
	return sql_run(db->sql,
		       "PRAGMA query_only = ON; PRAGMA cell_size_check = ON;"
		       "PRAGMA ignore_check_constraints = ON",
		       err);
}

int sql_file_size(sqlite3 *sql, uint64_t *size, uint64_t *pages,
		  uint64_t *page_size)
{
	unsigned char header[100];
	sqlite3_file *file = NULL;
	sqlite3_int64 bytes;

	if (sqlite3_file_control(sql, "main", SQLITE_FCNTL_FILE_POINTER,
				 &file) != SQLITE_OK ||
	    !file || !file->pMethods ||
	    file->pMethods->xFileSize(file, &bytes) != SQLITE_OK ||
	    file->pMethods->xRead(file, header, sizeof(header), 0) != SQLITE_OK)
		return -1;
	*size = (uint64_t)bytes;
	*pages = (uint64_t)header[28] << 24 | (uint64_t)header[29] << 16 |
		 (uint64_t)header[30] << 8 | header[31];
	/* SQLite before 3.7.0 wrote no page count: then the change counter
	 * has moved on from the one that the count was written for */
	if (memcmp(header + 24, header + 92, 4) != 0)
		*pages = 0;
	*page_size = (uint64_t)header[16] << 8 | header[17];
	if (*page_size == 1)
		*page_size = 65536;
	return 0;
}

/* @return -1 when the file is shorter than its header tells, else 0 */
static int check_truncated(struct database *db, struct error *err)
{
	uint64_t size, pages, page_size;

	if (sql_file_size(db->sql, &size, &pages, &page_size) < 0 ||
	    size >= pages * page_size)
		return 0;
	return error_set(err, ERROR_DAMAGE,
			 "'%.500s' is truncated: it has %llu bytes, its header "
			 "tells of %llu pages of %llu bytes",
			 db->name, (unsigned long long)size,
			 (unsigned long long)pages,
			 (unsigned long long)page_size);
}

static int stayed_locked(struct database *db, struct error *err)
{
	char time[32];

	if (db->busy_timeout_ms % 1000)
		snprintf(time, sizeof(time), "%d ms", db->busy_timeout_ms);
	else
		snprintf(time, sizeof(time), "%d s",
			 db->busy_timeout_ms / 1000);
	return error_set(err, ERROR_FAILED,
			 "database '%.500s' stayed locked for %s; try again "
			 "when the program that writes to it has finished",
			 db->name, time);
}

/* The message for a first read that failed. */
static int first_read_failed(struct database *db, struct error *err)
{
	switch (sqlite3_errcode(db->sql) & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_PROTOCOL:
		return stayed_locked(db, err);
	case SQLITE_NOTADB:
		return error_set(err, ERROR_FAILED,
				 "'%.500s' is not a SQLite database (or it is "
				 "encrypted)",
				 db->name);
	case SQLITE_CORRUPT:
		if (check_truncated(db, err) < 0)
			return -1;
		break;
	}
	return sql_error(db->sql, err, "cannot read database '%.500s'",
			 db->name);
}

/* Read the schema once. */
static int first_read(struct database *db)
{
	return sqlite3_exec(db->sql,
			    "SELECT type FROM main.sqlite_schema LIMIT 1", NULL,
			    NULL, NULL) == SQLITE_OK
		       ? 0
		       : -1;
}

/* Must SQLite write to answer, and may not? */
static int wants_to_write(sqlite3 *sql)
{
	switch (sqlite3_extended_errcode(sql)) {
	case SQLITE_IOERR_SHMOPEN:
	case SQLITE_IOERR_SHMSIZE:
	case SQLITE_IOERR_SHMMAP:
		return 1;
	}
	switch (sqlite3_errcode(sql) & 0xff) {
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return 1;
	}
	return 0;
}

/* @return 0; 1: it works only on a copy; -1 */
static int try_open(struct database *db, const char *path, struct error *err)
{
	int rc = connect_file(db, path, err);

	if (rc == 0 && first_read(db) == 0)
		return 0;
	if (rc < 0)
		return -1;
	return wants_to_write(db->sql) && !db->building
		       ? 1
		       : first_read_failed(db, err);
}

static int open_copy(struct database *db, const char *real,
		     const struct database_options *options, struct error *err)
{
	const char *parent = options ? options->scratch : NULL;
	char *copied = NULL;
	int rc;

	/* our locks must be gone before the file is read otherwise */
	sqlite3_close_v2(db->sql);
	db->sql = NULL;
	if (copy_aside(&db->copy, &copied, db->name, real, parent, err) < 0)
		return -1;
	rc = try_open(db, copied, err);
	if (rc > 0)
		rc = sql_error(db->sql, err, "cannot open '%.500s'", db->name);
	free(copied);
	return rc;
}

/* The real path of a regular file. */
static int locate(const char *name, char **real, struct error *err)
{
	struct stat st;

	*real = realpath(name, NULL);
	if (!*real && (errno == ENOENT || errno == ENOTDIR || !*name))
		return error_set(err, ERROR_FAILED,
				 "database '%.500s' does not exist", name);
	if (!*real || stat(*real, &st) < 0)
		return error_errno(err, ERROR_FAILED, "cannot open '%.500s'",
				   name);
	if (S_ISDIR(st.st_mode))
		return error_set(err, ERROR_FAILED,
				 "'%.500s' is a folder, not a database", name);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_FAILED,
				 "'%.500s' is not a regular file", name);
	return 0;
}

static int refuse_empty(struct database *db, struct error *err)
{
	int64_t pages;

	if (sql_integer(db->sql, "PRAGMA main.page_count", &pages, err) < 0)
		return -1;
	if (pages || db->allow_empty)
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "'%.500s' is a zero-byte file; if an empty database "
			 "is meant, say --allow-empty",
			 db->name);
}

static struct database *new_for(const char *target,
				const struct database_options *options)
{
	struct database *db;

	if (!strncmp(target, "sqlite:", 7))
		target += 7;
	db = database_new(target);
	if (!db)
		return NULL;
	db->stand_ins = 1;
	db->busy_timeout_ms = options && options->busy_timeout_ms > 0
				      ? options->busy_timeout_ms
				      : BUSY_TIMEOUT_MS;
	db->allow_empty = options && options->allow_empty;
	db->building = options && options->building;
	return db;
}

int database_open(struct database **out, const char *target,
		  const struct database_options *options, struct error *err)
{
	struct database *db = new_for(target, options);
	char *real = NULL;
	int rc = -1;

	*out = NULL;
	if (!db)
		return error_nomem(err);
	if (locate(db->name, &real, err) < 0)
		goto done;
	rc = try_open(db, real, err);
	if (rc > 0)
		rc = open_copy(db, real, options, err);
	if (rc == 0)
		rc = refuse_empty(db, err);
done:
	free(real);
	if (rc < 0)
		database_close(db);
	else
		*out = db;
	return rc;
}

int database_probe(const char *target, const struct database_options *options,
		   struct error *err)
{
	struct database *db = new_for(target, options);
	char *real = NULL;
	int rc = -1;

	if (!db)
		return error_nomem(err);
	if (locate(db->name, &real, err) == 0)
		rc = try_open(db, real, err);
	if (rc == 0)
		rc = refuse_empty(db, err);
	free(real);
	database_close(db);
	return rc < 0 ? -1 : 0;
}

/* In WAL mode the file may be behind its header for a while, unless there is
 * nothing in the WAL. */
static int is_settled(struct database *db)
{
	struct stat st;
	char *wal = NULL;
	int settled = 0;

	wal = malloc(strlen(db->path) + sizeof("-wal"));
	if (wal) {
		snprintf(wal, strlen(db->path) + sizeof("-wal"), "%s-wal",
			 db->path);
		settled = stat(wal, &st) < 0 || st.st_size == 0;
	}
	free(wal);
	return settled;
}

/* Begin, and learn which state was fixed; while others write without a pause
 * that may fail, and then pages can't be read but by SQL. */
static int begin(struct database *db, struct error *err)
{
	int tries;

	pages_free(db->pages);
	db->pages = NULL;
	db->pages_tried = 0;
	for (tries = 1;; tries++) {
		pages_before(db);
		if (sql_run(db->sql, "BEGIN", err) < 0)
			return -1;
		/* BEGIN alone takes no lock and so fixes no state */
		if (first_read(db) < 0)
			return first_read_failed(db, err);
		if (pages_after(db) == 0 || tries == BEGIN_TRIES)
			return 0;
		if (sql_run(db->sql, "ROLLBACK", err) < 0)
			return -1;
	}
}

int database_begin(struct database *db, struct error *err)
{
	int rc = begin(db, err);

	if (rc == 0 && is_settled(db))
		rc = check_truncated(db, err);
	if (rc == 0)
		rc = sql_encoding(db->sql, &db->encoding, err);
	if (rc < 0)
		sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int database_size(struct database *db, uint64_t *bytes, struct error *err)
{
	int64_t pages, size;

	if (sql_integer(db->sql, "PRAGMA main.page_count", &pages, err) < 0 ||
	    sql_integer(db->sql, "PRAGMA main.page_size", &size, err) < 0)
		return -1;
	*bytes = (uint64_t)pages * (uint64_t)size;
	return 0;
}
