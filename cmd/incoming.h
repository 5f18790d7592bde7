/*
 * incoming.h - a document on its way in, of ours or of others
 *
 *   incoming_open() -> incoming_put() -> incoming_catalog()
 *
 * dbstow's own tell what they hold in front of their rows; others are known by
 * their shape, hold records (snapshot/dump.h), and tell it at their end.
 */
#ifndef CMD_INCOMING_H
#define CMD_INCOMING_H

#include "snapshot/dump.h"

struct catalog;
struct document;
struct error;
struct export_progress;
struct object_id;
struct sink;
struct snapshot_info;

/** Zero it. */
struct incoming {
	const char *label;         /* "'x.json'"; borrowed */
	struct document *document; /* ours, or NULL */
	struct dump *dump;         /* records of others, or NULL */
	struct dump_look look;
	struct catalog *catalog; /* of the records, once they were put */
};

/** @param from, label  borrowed until incoming_release() */
int incoming_open(struct incoming *in, struct byte_input *from,
		  const char *label, struct error *err);

/** NULL for records that were not put yet.  Borrowed. */
struct catalog *incoming_catalog(struct incoming *in);

/** Read it to its end and put data/.
 *  @param partial  take records also where the application left models out */
int incoming_put(struct incoming *in, int partial, struct sink *s,
		 struct export_progress *p, struct object_id *content,
		 struct error *err);

/** What it says of the run that made it, after incoming_put(); the strings are
 *  borrowed, and `source` may be NULL. */
void incoming_info(const struct incoming *in, struct snapshot_info *info);

void incoming_release(struct incoming *in);

#endif /* CMD_INCOMING_H */
