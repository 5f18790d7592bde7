/*
 * catalog.h - what a database consists of, but for its rows
 *
 * database/ fills a catalog from an open database, snapshot/manifest.h writes
 * it to a snapshot and reads it back, restore/ builds a database from it.
 *
 * Names and SQL text are bytes, mostly but not always UTF-8, never with NUL
 * inside, and NUL-terminated.
 */
#ifndef SNAPSHOT_CATALOG_H
#define SNAPSHOT_CATALOG_H

#include <stddef.h>
#include <stdint.h>

struct error;

enum table_kind {
	TABLE_ORDINARY,
	TABLE_SHADOW,  /* holds a virtual table's data; rows like any other */
	TABLE_INTERNAL /* sqlite_sequence, sqlite_stat1, sqlite_stat4 ... */
};

/** In which order rows lie, and what their key is. */
enum table_order {
	ORDER_ROWID,  /* by rowid; `rowid_key` tells where it stands */
	ORDER_KEY,    /* WITHOUT ROWID: by primary key, as its b-tree */
	ORDER_SCAN,   /* rowid cannot be reached: in rowid order, without it */
	ORDER_SORTED, /* by the bytes of the row's line: internal tables, and
			WITHOUT ROWID keys under an unknown collation */
	ORDER_RECORDS /* a model's records, by pk (record.h) */
};

struct column {
	char *name;
	int generated; /* 0: stored as a value; 1 virtual, 2 stored: computed,
			  not in the rows */
	int key;       /* place in the primary key from 1, or 0 */
};

struct table {
	char *name;
	char *folder; /* name_folder() of the name */
	enum table_kind kind;
	enum table_order order;
	int form_array; /* rows are arrays: a column name is not UTF-8 */
	struct column *columns;
	size_t column_count;
	char *rowid_key;  /* ORDER_ROWID: key of the rowid in the row */
	int rowid_column; /* column that *is* the rowid (INTEGER PRIMARY
			     KEY), or -1: then rowid_key is no column */
	char **parents;   /* names of tables that foreign keys name, as they
			     stand there; not in the manifest */
	size_t parent_count;

	/* known after the rows were written or read */
	uint64_t rows;
	uint64_t bytes; /* of the row lines and of big values beside them */
	unsigned char sha256[32]; /* over all row lines in order */
};

enum entry_type { ENTRY_TABLE, ENTRY_INDEX, ENTRY_VIEW, ENTRY_TRIGGER };

/** One object of the schema with its exact text. */
struct entry {
	enum entry_type type;
	int virtual_table; /* ENTRY_TABLE with CREATE VIRTUAL TABLE */
	char *name;
	char *table; /* the table it belongs to (tbl_name) */
	char *sql;
	size_t sql_size;
};

enum encoding { ENCODING_UTF8, ENCODING_UTF16LE, ENCODING_UTF16BE };

struct cycle {
	char **tables; /* by name */
	size_t count;
};

/** A model that the application could not export. */
struct left_out {
	char *name;
	char *why; /* as the application says */
};

struct catalog {
	char *engine; /* "sqlite"; "records": see records.h */
	/* content */
	enum encoding encoding;
	int32_t user_version;
	int32_t application_id;
	/* layout: restored all the same, but not part of the content id */
	int32_t page_size;
	int32_t auto_vacuum; /* 0 none, 1 full, 2 incremental */
	int wal;

	struct table *tables; /* in dependency order, internal tables last */
	size_t table_count;
	struct entry *entries; /* in canonical order */
	size_t entry_count;
	struct cycle *cycles;
	size_t cycle_count;
	struct left_out *left_out; /* of records, by name */
	size_t left_out_count;
	char *schema_revision; /* alembic or django revision, or NULL;
				  goes to snapshot.json, not the manifest */
};

/** @return a catalog with nothing in it, or NULL when memory ran out */
struct catalog *catalog_new(void);

/** NULL is allowed. */
void catalog_free(struct catalog *c);

/** Append a zeroed table (rowid_column -1); NULL when memory ran out.
 *  The pointer is valid until the next call. */
struct table *catalog_add_table(struct catalog *c);
struct entry *catalog_add_entry(struct catalog *c);
struct left_out *catalog_add_left_out(struct catalog *c);
/** Append a zeroed column; NULL when memory ran out. */
struct column *table_add_column(struct table *t);
/** Free what the table holds, and zero it: for one that is in no catalog. */
void table_release(struct table *t);

/** The table of that exact name, or NULL. Borrowed. */
struct table *catalog_table(const struct catalog *c, const char *name);

/**
 * Put tables into dependency order (parents first; by name where free; see
 * order.h), internal tables last by name, fill `cycles`, and put the entries
 * into canonical order: tables in the order of the tables (virtual tables
 * behind them by name), indexes by (table, name), views by name, triggers by
 * table and, within one, in the order they were added (their firing order).
 */
int catalog_arrange(struct catalog *c, struct error *err);

#endif /* SNAPSHOT_CATALOG_H */
