/*
 * dump.h - records out of the documents of others, as a stream
 *
 * Known by their shape:
 *
 *   {"export_date":…,"models":{"auth.User":[{"pk":…,"fields":{…}},…],…}}
 *   [{"model":"auth.user","pk":…,"fields":{…}},…]     Django's dumpdata
 *   {"model":"auth.user","pk":…,"fields":{…}}         the same as JSON lines:
 *   {"model":"auth.user","pk":…,"fields":{…}}         as many as there are
 *
 * Members stand in any order, records of a model anywhere, white space where
 * JSON allows it.  None of these tells how much there should be: a document is
 * complete when its brackets are, and JSON lines that are cut at the end of a
 * line look complete.
 */
#ifndef SNAPSHOT_DUMP_H
#define SNAPSHOT_DUMP_H

#include <stdint.h>

#include "snapshot/json_stream.h"
#include "snapshot/record.h"

struct error;

/** A model's name has at most this many bytes. */
#define DUMP_MODEL_MAX 200

enum dump_shape {
	DUMP_NONE,   /* a document of ours, or none at all */
	DUMP_MODELS, /* an object with "models" */
	DUMP_LIST,
	DUMP_LINES
};

/** An input that was looked into: reads as if it had not been. */
struct dump_look {
	struct byte_input input; /* first: its reader hands it back */
	struct byte_input *from;
	struct buffer head;
	size_t at; /* bytes of `head` that were read again */
};

/**
 * Look at the beginning of a document.
 *
 * @param look   zeroed; its `input` is to be read afterwards
 * @param from   borrowed as long as `look` is used
 * @param label  "'x.json'": what messages begin with
 * @return 0; -1: it cannot be read, or is UTF-16
 */
int dump_look(struct dump_look *look, struct byte_input *from,
	      const char *label, enum dump_shape *shape, struct error *err);
void dump_look_release(struct dump_look *look);

struct dump;

/** @param input, label  borrowed until dump_free() */
int dump_open(struct dump **out, struct byte_input *input, const char *label,
	      enum dump_shape shape, struct error *err);

enum dump_event {
	DUMP_END,   /* the document is complete, and nothing is behind it */
	DUMP_MODEL, /* there is such a model; records may follow or not */
	DUMP_LEFT_OUT /* the application could not export it: see `why` */,
	DUMP_RECORD
};

/** What dump_next() found; borrowed until the next call. */
struct dump_item {
	struct json_piece model; /* 1 to DUMP_MODEL_MAX bytes of UTF-8 that
				    can be shown as they are */
	struct json_piece why;   /* UTF-8 */
	struct record record;
	uint64_t line; /* of the document */
};

/** @return a dump_event, or -1: ERROR_DAMAGE that names line, record, model
 *          and pk as far as they are known */
int dump_next(struct dump *d, struct dump_item *out, struct error *err);

/** When the data were so, as the document says; 0: it does not say.  Known at
 *  its end. */
int64_t dump_created_s(const struct dump *d);

/** NULL is allowed. */
void dump_free(struct dump *d);

#endif /* SNAPSHOT_DUMP_H */
