/*
 * records_internal.h - what the files of restore_records() share
 *
 * One connection has the new database as "main" and the one that the records
 * are for as "target".
 */
#ifndef RESTORE_RECORDS_INTERNAL_H
#define RESTORE_RECORDS_INTERNAL_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "database/models.h"
#include "restore/restore.h"
#include "snapshot/catalog.h"
#include "snapshot/records.h"

/** A table of the target, and what is staged of it. */
struct staged_table {
	const struct model *model;
	const char *label; /* of records: "shop.Book"; of a join table: of the
			      records that have the list; NULL: none */
	const struct model_list *list; /* whose join table it is, or NULL */
	int here;                      /* there is such a staged table */
	int chosen;
	unsigned char *has; /* by column: the staged table has it */
	sqlite3_stmt *insert;
	sqlite3_value **fallbacks; /* by column, or NULL */
	uint64_t rows;
	int64_t next;       /* free rowid */
	char *first;        /* "pk 5" of the first record */
	unsigned int at;    /* record being read, for `seen` */
	unsigned int *seen; /* by column */
};

/** Where a record's field goes; fields come in the same order mostly. */
struct place {
	char *name; /* with its quotes */
	size_t size;
	int column, list; /* one of them, the other is -1 */
};

struct stage {
	const struct restore_records *how;
	const char *target; /* its path */
	struct records *records;
	struct database *database; /* the target */
	struct catalog *catalog;   /* its */
	struct models *models;
	struct staged_table *tables; /* as models->items */
	sqlite3 *db;
	struct buffer text;
	struct place *places; /* of the model being read */
	size_t place_count;
};

/** Record what is wrong with a record.
 *  @param pk     "pk 5"
 *  @param field  without quotes, or not there */
int records_refuse(const struct staged_table *t, const char *pk,
		   struct json_piece field, struct error *err, const char *fmt,
		   ...) __attribute__((format(printf, 5, 6)));

/* ---- records_tables.c ---- */

/** Create the staged table, with its key's column only; join tables whole. */
int records_create(struct stage *s, struct staged_table *t, struct error *err);

/** Add a column that records turned out to have. */
int records_add_column(struct stage *s, struct staged_table *t, int column,
		       struct error *err);

/** Prepare what inserts a row: a parameter for each column the table has, by
 *  its number from 1. */
int records_prepare(struct stage *s, struct staged_table *t, struct error *err);

/** Bind a value for the column. */
int records_bind(struct stage *s, struct staged_table *t, int column,
		 const struct value *v, struct error *err);

/** The value of a column's DEFAULT. */
int records_bind_fallback(struct stage *s, struct staged_table *t, int column,
			  struct error *err);

/** Insert the row.  @return 0; 1: its key is there already; -1 */
int records_insert(struct stage *s, struct staged_table *t, struct error *err);

/* ---- records_rows.c ---- */

/** Stage the records of a model. */
int records_stage(struct stage *s, struct staged_table *t,
		  const struct table *model, struct error *err);

/* ---- records_links.c ---- */

/** Does every foreign key lead to a row? */
int records_check_links(struct stage *s, struct error *err);

#endif /* RESTORE_RECORDS_INTERNAL_H */
