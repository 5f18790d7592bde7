/*
 * into_internal.h - what the files of restore_into() share
 *
 * One connection has the target as "main", the snapshot's database as "staged"
 * and lists of keys in "temp".  In all statements `s` is a staged row, `t` one
 * of the target, `w` one of a list.
 */
#ifndef RESTORE_INTO_INTERNAL_H
#define RESTORE_INTO_INTERNAL_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct catalog;

struct side_column {
	char *name;
	int generated;   /* computed, holds no value of its own */
	int needs_value; /* NOT NULL without a default */
	int key;         /* place in the primary key from 1, or 0 */
	int integer;     /* declared INTEGER, and nothing else */
};

enum side_kind {
	SIDE_ABSENT,        /* no such table */
	SIDE_OTHER,         /* a view or a virtual table */
	SIDE_ROWID,         /* key is a rowid that is no column */
	SIDE_ALIAS,         /* key is an INTEGER PRIMARY KEY */
	SIDE_WITHOUT_ROWID, /* key is the primary key */
	SIDE_NO_KEY         /* rowid that can't be reached */
};

/** A table as it is in one of the two databases. */
struct side {
	enum side_kind kind;
	struct side_column *columns;
	size_t column_count;
	const char **keys; /* borrowed from the columns or constant */
	char **collations; /* WITHOUT ROWID: of the keys, which may differ from
			      those of the columns; else NULL */
	size_t key_count;
};

/** @param schema  "main" or "staged" */
int side_read(struct side *out, sqlite3 *db, const char *schema,
	      const char *name, struct error *err);
void side_release(struct side *s);
/** The column of that name (ASCII case counts not), or NULL. */
const struct side_column *side_column(const struct side *s, const char *name);

/** A table that is restored, or whose rows are parents of such rows. */
struct into_table {
	char *name;
	char *label; /* table 'NAME', for messages */
	int selected;
	struct side staged, target;
	const char **columns; /* values that go over; borrowed from `staged` */
	size_t column_count;
	const char **extras; /* columns that only the target has */
	size_t extra_count;
	struct buffer problems; /* why it can't go over; empty: it can */
	size_t problem_count;

	/* of parents: the list of staged keys that are needed */
	int list;              /* number of its list in temp, or -1 */
	int64_t listed, asked; /* rows in the list; rows whose own parents were
				  asked for */

	uint64_t inserted, updated, deleted;
};

/** "table 'NAME'" in new memory, or NULL. */
char *table_label(const char *name);

/** Read both sides and compare them; what does not fit goes to `problems`. */
int into_table_read(struct into_table *t, sqlite3 *db, const char *name,
		    struct error *err);
void into_table_release(struct into_table *t);

/** A foreign key of the target. */
struct link {
	char *child, *parent;
	char *label; /* table 'CHILD', for messages */
	char **child_columns, **parent_columns;
	size_t count;
	struct side child_side; /* for its key */
	int parent_absent;      /* the target has no such table */
	int loose;   /* SQLite can't enforce it: leads to no columns */
	int watched; /* rows of child or parent may change */
	sqlite3_stmt *ask, *ask_listed; /* see into_parents.c */
};

struct into {
	sqlite3 *db;
	const char *target;
	const struct catalog *catalog;
	const struct staged_records *records; /* or NULL */
	struct into_table *tables; /* selected ones in dependency order, then
				      parents as they are found */
	size_t table_count, selected_count;
	struct link *links;
	size_t link_count;
	int triggers;
	int lists; /* numbers of lists given so far */
};

/** The table of that name (ASCII case counts not), or NULL. */
struct into_table *into_find(struct into *in, const char *name);
/** Append a table, read; the pointers to others become invalid. */
int into_add(struct into *in, const char *name, int selected,
	     struct error *err);

/* ---- into_staged.c ---- */

/** Remove from the snapshot's database what is not to be read. */
int into_strip(const char *staged, struct error *err);

/* ---- into_select.c ---- */

/** Read the selected tables; fails with all that does not fit. */
int into_select(struct into *in, const char *const *names, size_t count,
		struct error *err);
/** Record that a table does not fit. */
int into_misfit(const struct into *in, const char *problems, struct error *err);

/* ---- into_rows.c ---- */

/** Delete rows that the snapshot does not have. */
int into_delete(struct into *in, struct into_table *t, struct error *err);
/** Update rows that differ, insert rows that are missing. */
int into_write(struct into *in, struct into_table *t, struct error *err);
/** Insert the rows of a parent's list. */
int into_insert_listed(struct into *in, struct into_table *t,
		       struct error *err);
/** Fails unless the target's rows are the snapshot's, bit by bit. */
int into_verify(struct into *in, struct into_table *t, struct error *err);
/** Raise the AUTOINCREMENT counter to the snapshot's. */
int into_sequence(struct into *in, struct into_table *t, struct error *err);

/* ---- into_links.c, into_parents.c ---- */

/** Read the target's foreign keys and note the orphans there are. */
int into_links(struct into *in, struct error *err);
/** Fails when there is an orphan that was none. */
int into_check_links(struct into *in, struct error *err);
void links_release(struct into *in);
/** Have the columns of the foreign key the same names in the snapshot? */
int link_known(const struct link *l, const struct side *child,
	       const struct side *parent);
/** List the missing parents of restored rows, theirs, and so on. */
int into_list_parents(struct into *in, struct error *err);

/* ---- into_sql.c: pieces of statements ---- */

/** s."a", s."b" ... */
void add_columns(sqlite3_str *sql, const char *alias, const char *const *names,
		 size_t count);
/** "a", "b" ... */
void add_names(sqlite3_str *sql, const char *const *names, size_t count);
/** k0, k1 ... with `prefix` before each */
void add_list_keys(sqlite3_str *sql, const char *prefix, size_t count);
/** The `i`th key column of a row: t."id", s."k" COLLATE "NOCASE" */
void add_key(sqlite3_str *sql, const char *alias, const struct side *s,
	     size_t i);
/** t."id" = s."id" AND ... : the same key, in the eyes of the target */
void add_key_match(sqlite3_str *sql, const struct into_table *t);
/** The same for other aliases. */
void add_key_match_as(sqlite3_str *sql, const struct into_table *t,
		      const char *target, const char *staged);
/** s."id" = w.k0 AND ... */
void add_key_in_list(sqlite3_str *sql, const char *alias, const struct side *s);
/** t."id" = (SELECT w.k0 FROM temp.LIST AS w WHERE w.n = ?1) AND ... */
void add_key_listed(sqlite3_str *sql, const char *alias, const struct side *s,
		    int list);
/** All values of `s` and `t` the same, as an expression in brackets. */
void add_same(sqlite3_str *sql, const struct into_table *t);
/** The key of a row for people: 5 or ('a', 2). */
void add_key_text(sqlite3_str *sql, const char *alias, const struct side *s);
/** Create temp.dbstow_list_N(n INTEGER PRIMARY KEY, k0 ..., at). */
int list_create(struct into *in, size_t key_count, int *list,
		struct error *err);
int list_drop(struct into *in, int list, struct error *err);

#endif /* RESTORE_INTO_INTERNAL_H */
