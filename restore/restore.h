/*
 * restore.h - the files of a snapshot as a database
 *
 *   restore_build()     a new database file from a source, rows in dependency
 *                       order, indexes, then the rest of the schema
 *   restore_inspect()   what lies at the target now
 *   restore_install()   rename a built file into an empty place
 *   restore_replace()   put a built file's content into an existing database
 *   restore_into()      replay records into the schema that is there
 *   restore_records()   an application's records as rows to replay
 *
 * Proving the built file (exporting it again and comparing content ids) needs
 * export/ and so is done in cmd/ between build and install.
 */
#ifndef RESTORE_RESTORE_H
#define RESTORE_RESTORE_H

#include <stddef.h>
#include <stdint.h>

struct catalog;
struct error;
struct model_map;
struct records;
struct source;

struct restore_progress {
	int (*tick)(struct restore_progress *, const char *table,
		    uint64_t rows_done);
};

/** Where the source is still being written. */
struct restore_gate {
	/* Wait until the catalog's table number `table` has its row count and
	 * digest, and its files can be read.  @return 0 or -1 */
	int (*wait)(struct restore_gate *, size_t table, struct error *err);
};

/** Who wants to know how far a build is. */
struct restore_watch {
	/* All rows are in the file: it can be opened as
	 * database_rows_done() tells.  The build goes on after the return. */
	void (*rows_done)(struct restore_watch *, const char *path);
};

struct restore_build {
	int stand_ins;           /* see database_build */
	const char *const *bare; /* tables to build bare, or NULL */
	size_t bare_count;
	struct restore_progress *progress; /* or NULL */
	struct restore_gate *gate;         /* or NULL */
	struct restore_watch *watch;       /* or NULL */
	/* Threads that read and decode, this one included; 0: as many as there
	 * are processors for us, at most 16. */
	unsigned int jobs;
};

struct restore_report {
	char *stand_ins; /* what was stood in for, or NULL */
	uint64_t rows;
};

/**
 * Build the database at `path` (nothing may be there) from a snapshot.  On
 * failure nothing is left at `path`.  A table that refuses rows is built bare
 * by itself, the file begun anew.  The file is not synced: restore_install()
 * does that.
 *
 * @param c  from manifest_read() of the same source, with
 *           snapshot_info_apply(); borrowed
 */
int restore_build(struct source *s, const struct catalog *c, const char *path,
		  const struct restore_build *how, struct restore_report *out,
		  struct error *err);
void restore_report_release(struct restore_report *r);

enum restore_target {
	TARGET_ABSENT,     /* nothing there, no side files */
	TARGET_SIDE_FILES, /* no database, but -wal, -journal or -shm */
	TARGET_DATABASE,   /* a database that opens */
	TARGET_EMPTY,      /* a zero-byte file */
	TARGET_DAMAGED     /* something that is no sound database */
};

/**
 * Look at the target.  Errors: its folder is missing or not writable, it is a
 * folder, a device, a dangling link.  A symbolic link to a database is
 * followed; `*real` receives the path meant (the caller frees it).
 * @param why  for TARGET_DAMAGED: what is wrong, in new memory; may be NULL
 */
int restore_inspect(const char *target, enum restore_target *out, char **real,
		    char **why, struct error *err);

/** Move database, -wal, -shm and -journal (those that are there) together to
 *  NAME.pre-restore-TIME (-2, -3 ... when taken); `*moved` receives the new
 *  name of the main one; the caller frees it. */
int restore_move_aside(const char *target, char **moved, struct error *err);

/** Copy a database that may be in use, with SQLite's backup API, to
 *  NAME.pre-restore-TIME (synced); `*copy` receives its name; the caller frees
 *  it. */
int restore_copy_aside(const char *target, char **copy, struct error *err);

/**
 * Sync the built file and rename it to `target` (nothing there), by way of a
 * copy when it lies on another file system, and sync the folder.  Refuses to
 * replace anything.
 *
 * @param like  a file (what restore_move_aside() made) whose mode and, where
 *              possible, owner and group the target gets; NULL, or nothing
 *              there: those of a new database
 */
int restore_install(const char *built, const char *target, const char *like,
		    struct error *err);

/**
 * What a database that is to be replaced must keep: its page size goes into
 * the catalog before restore_build(), because it can't be changed later
 * without losing something (layout is no part of the content id).
 *
 * @param page_size  receives 0 for a zero-byte file, which has none yet
 */
int restore_layout(const char *target, int32_t *page_size, int *wal,
		   struct error *err);

/**
 * Put the content of the built file into the existing database `target` with
 * SQLite's backup API, in one transaction: other connections see the old or
 * the new content.  Page size and WAL mode of the target are kept: the file
 * must have been built with the target's page size (restore_layout()), and it
 * leaves WAL mode where the target is not in it.  A zero-byte target takes
 * everything from the built file.
 *
 * @param busy_timeout_ms  how long to wait for other connections; 0: 30 s
 * @param note  receives a line when journal mode, auto_vacuum or encoding
 *              differed from the snapshot's, else NULL; the caller frees it
 */
int restore_replace(const char *built, const char *target, int busy_timeout_ms,
		    char **note, struct error *err);

struct staged_records;

struct restore_selection {
	const char *const *tables; /* the user's --table, or NULL: all */
	size_t table_count;
	const struct staged_records *records; /* rows are called what they are
						 of these; or NULL */
	int triggers;                         /* let triggers run */
	int busy_timeout_ms;
	int dry_run; /* roll back at the end */
};

struct restore_change {
	char *table;
	uint64_t inserted, updated, deleted;
	int parent; /* only touched to insert missing parents */
};

/** Tables that were as in the snapshot already are left out. */
struct restore_changes {
	struct restore_change *changes;
	size_t count;
};

/**
 * Replay records into the existing schema of `target`, in one transaction with
 * foreign keys enforced (deferred, checked before commit), no cascades, no
 * triggers unless asked for: afterwards the selected tables hold exactly the
 * snapshot's rows.  Rows of other tables never change, but that missing
 * foreign-key parents of restored rows are inserted from the snapshot.  What
 * would leave an orphan that is not one already: ERROR_REFUSED that names
 * table and key.  Orphans of the snapshot come back where child and parent are
 * both restored.  An AUTOINCREMENT counter is the greater of both afterwards.
 * Unknown columns or missing tables are errors before anything is written.
 *
 * @param staged  the snapshot as a database file (restore_build()); its views,
 *                triggers and most indexes are removed
 */
int restore_into(const char *staged, const struct catalog *c,
		 const char *target, const struct restore_selection *what,
		 struct restore_changes *out, struct error *err);
void restore_changes_release(struct restore_changes *c);

/* ---- records of an application, which have no schema ---- */

struct restore_records {
	const struct model_map *map; /* the user's --map, or NULL */
	const char *const *models;   /* the user's --table: names of models or
					of their tables; NULL: all */
	size_t model_count;
	const char *name; /* of the target in messages; NULL: its path */
	int busy_timeout_ms;
	int new_links; /* rows of join tables don't keep the target's keys, so
			  that lists come back in the snapshot's order */
	struct restore_progress *progress; /* or NULL */
};

/** What a table's rows are to those who know the records. */
struct staged_name {
	char *model; /* "shop.Book"; of a join table: whose list it keeps */
	char *field; /* of that list, or NULL */
	char *key;   /* column with the pk */
};

struct staged_records {
	struct catalog *catalog; /* for restore_into() */
	const char **tables;     /* chosen ones, join tables too; borrowed from
				    the catalog */
	size_t table_count;
	struct staged_name *names; /* of the catalog's tables */
};

/**
 * Put records as rows into a new database, whose tables are those of `target`
 * as far as the records go: what restore_into() replays.  Nothing is written
 * to the target.  A row that it has keeps its rowid, so replaying what is there
 * already changes nothing.
 *
 * Whatever does not fit is ERROR_FAILED, which names model, pk and field: a
 * model without a table, a field without a column, a value of another type, a
 * NOT NULL column without a value, a foreign key that leads nowhere.
 *
 * @param r     just opened
 * @param path  nothing may be there
 */
int restore_records(struct records *r, const char *target, const char *path,
		    const struct restore_records *how,
		    struct staged_records *out, struct error *err);
void staged_records_release(struct staged_records *s);

/**
 * Read all records back from a database that they were restored into, and
 * compare: the application will see what it saw.  ERROR_DAMAGE names model, pk
 * and field.
 */
int restore_records_check(struct records *r, const char *path,
			  const struct restore_records *how, struct error *err);

/** Copy a database that may be in use, with SQLite's backup API, to `to`, where
 *  nothing may be. */
int restore_copy(const char *from, const char *to, struct error *err);

#endif /* RESTORE_RESTORE_H */
