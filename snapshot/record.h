/*
 * record.h - one record of an application's model as one line of JSON
 *
 * docs/format.md, section "Records", is the specification.  Others write
 *
 *     {"model": "auth.user", "pk": 1, "fields": {"name": "Ada", "age": 36.0}}
 *
 * with members in any order and any white space.  Our line of it is
 *
 *     {"pk":1,"fields":{"age":36.0,"name":"Ada"}}
 *
 * without white space, strings written in one way, the names in `fields`
 * sorted; numbers are kept digit for digit, and so is the order of members
 * inside of a field's value.  A pk of null is left out.
 */
#ifndef SNAPSHOT_RECORD_H
#define SNAPSHOT_RECORD_H

#include <stddef.h>

#include "snapshot/chunks.h"

struct buffer;
struct error;

/** Arrays and objects in a record, one in the other, the record included. */
#define RECORD_DEPTH_MAX 1000

/** Bytes of a line, with its newline: none outgrows a file of a snapshot. */
#define RECORD_LINE_MAX CHUNK_MAX_BYTES

/** A piece of a text, not NUL-terminated.  `data` NULL: it is not there. */
struct json_piece {
	const char *data;
	size_t size;
};

/** A record that was read; all is borrowed from its reader until the next. */
struct record {
	struct json_piece line;   /* canonical, without a newline */
	struct json_piece pk;     /* its JSON text in `line`; or not there */
	struct json_piece fields; /* the object's, in `line` */
	struct json_piece model;  /* its name as UTF-8 without quotes and
				     escapes; or not there */
	/*
	 * What decides on its place: records of a model lie in the bytewise
	 * order of this.  It depends on the pk alone, or on the line where
	 * there is none.
	 */
	struct json_piece key;
};

/** Has the memory that reading needs. */
struct record_reader;

int record_reader_new(struct record_reader **out, struct error *err);
/** NULL is allowed. */
void record_reader_free(struct record_reader *r);

/**
 * Read a record as others write it.
 *
 * @param text  a JSON object, and nothing else
 * @param out   set as far as was read also when it failed: model and pk may
 *              help to name it
 * @return 0, or -1 with ERROR_DAMAGE that says what is wrong with which field
 *         (the caller knows the place and adds it)
 */
int record_from_json(struct record_reader *r, const char *text, size_t size,
		     struct record *out, struct error *err);

/** Read a line of ours, which must be canonical in each byte. */
int record_from_line(struct record_reader *r, const char *line, size_t size,
		     struct record *out, struct error *err);

/** What the key of a record without a pk begins with. */
#define RECORD_KEY_NONE 4

/** The size of a key that has a NUL behind it; 1 for that of a record without a
 *  pk, whose line follows. */
size_t record_key_size(const char *key);

/** The order of two names as they stand in `fields`, with their quotes.
 *  @return as memcmp() */
int record_compare_names(struct json_piece a, struct json_piece b);

/** Append `pk 7`, `pk "x"` or `no pk` for people, cut where it is long. */
void record_show_pk(struct buffer *out, const struct record *record);

/* ---- walking in canonical JSON, which was read before and is sound ---- */

/** The members of an object, or the elements of an array. */
struct json_walk {
	const char *p, *end;
};

/** @param text  "{...}" or "[...]" */
void json_walk_begin(struct json_walk *w, struct json_piece text);

/**
 * Go to the next one.
 *
 * @param name   receives a member's name with its quotes, not there in arrays;
 *               may be NULL
 * @param value  receives its JSON text; its first byte tells the type
 * @return 1; 0 behind the last
 */
int json_walk_next(struct json_walk *w, struct json_piece *name,
		   struct json_piece *value);

/** Append a string's bytes, given with its quotes; NUL may be among them. */
void json_piece_text(struct buffer *out, struct json_piece string);

/** Is it this string (given without quotes; plain ASCII)? */
int json_piece_is(struct json_piece string, const char *text);

#endif /* SNAPSHOT_RECORD_H */
