/*
 * records.h - a record snapshot: an application's records, model by model
 *
 * What dbstow makes of documents that have no schema (docs/format.md, section
 * "Records").  It reads like any other snapshot, from any source:
 *
 *   records_open() -> records_catalog()
 *                  -> records_begin() records_next() ...   for each model
 *
 * manifest_read() gives such a snapshot's catalog too: its engine is
 * RECORDS_ENGINE, its tables are the models, by name, of order ORDER_RECORDS,
 * and it has neither columns nor schema.  A document in a file is read into a
 * scratch snapshot first (cmd/from.h), so there is no other way to read one.
 */
#ifndef SNAPSHOT_RECORDS_H
#define SNAPSHOT_RECORDS_H

#include "snapshot/record.h"

struct catalog;
struct error;
struct records;
struct source;
struct table;

#define RECORDS_FORMAT "dbstow-records/1"
#define RECORDS_ENGINE "records"

/** Is it a catalog of a record snapshot? */
int records_are(const struct catalog *c);

/** Append a model to a catalog of records, behind those with smaller names. */
int records_add_model(struct catalog *c, const char *name, struct error *err);

/** Put the models that were left out into order, by name. */
void records_sort_left_out(struct catalog *c);

/** @param s  borrowed until records_free()
 *  @return 0; -1: ERROR_DAMAGE; ERROR_FAILED when it is no record snapshot */
int records_open(struct records **out, struct source *s, struct error *err);

/** The models: `name` and `rows` of its tables.  Borrowed. */
const struct catalog *records_catalog(const struct records *r);

/** Begin with the records of a model, each model any number of times. */
int records_begin(struct records *r, const struct table *model,
		  struct error *err);

/**
 * The model's next record, in the snapshot's order.  Memory holds one file.
 *
 * @param out  borrowed until the next call
 * @return 1; 0 behind the last, when count and digest were found right; -1:
 *         ERROR_DAMAGE that names model, file and line
 */
int records_next(struct records *r, struct record *out, struct error *err);

/** NULL is allowed. */
void records_free(struct records *r);

#endif /* SNAPSHOT_RECORDS_H */
