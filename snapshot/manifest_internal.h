/*
 * manifest_internal.h - JSON files of a snapshot, written and read strictly
 *
 * What is wrong with a file is said once, as ERROR_DAMAGE:
 * "snapshot 1f2e3d4: data/manifest.json: table 'users': 'rows' is missing".
 */
#ifndef SNAPSHOT_MANIFEST_INTERNAL_H
#define SNAPSHOT_MANIFEST_INTERNAL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot/manifest.h"

#define MANIFEST_PATH "data/manifest.json"
#define SCHEMA_PATH   "data/schema.json"
#define INFO_PATH     "snapshot.json"

struct buffer;
struct catalog;
struct error;

/** A file being read: what messages begin with. */
struct json_file {
	struct source *source;
	const char *path;
	char where[160]; /* "table 'users'", or empty for the whole file */
};

/** Say that what follows is about this table, entry ...
 *  @param name  NULL where it is not known yet: then its number is told */
void json_file_where(struct json_file *f, const char *what, const char *name,
		     size_t number);

/** Record damage of this file; @return always -1 */
int json_file_damage(const struct json_file *f, struct error *err,
		     const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Read and parse the file; the caller releases `*out`. */
int json_file_load(json_t **out, const struct json_file *f, struct error *err);

/** Refuse keys that are not in `keys`, a list that ends with NULL. */
int json_file_keys(const struct json_file *f, const json_t *object,
		   const char *const *keys, struct error *err);

/** The member, or NULL after recording that it is missing or of another type.
 */
json_t *json_file_member(const struct json_file *f, const json_t *object,
			 const char *key, json_type type, struct error *err);

/**
 * A string, or bytes that are not UTF-8 as {"$text":"base64"}: a new string
 * without NUL inside.
 *
 * @param value  may be NULL: then `key` is missing
 */
int json_file_bytes(const struct json_file *f, const json_t *value,
		    const char *key, char **out, struct error *err);

int json_file_integer(const struct json_file *f, const json_t *object,
		      const char *key, int64_t min, int64_t max, int64_t *out,
		      struct error *err);

/**
 * One of a set of words.
 *
 * @param words  ends with NULL
 * @param out    receives its index
 */
int json_file_word(const struct json_file *f, const json_t *object,
		   const char *key, const char *const *words, int *out,
		   struct error *err);

/** Exactly `size` bytes as lower-case hex. */
int json_file_hex(const struct json_file *f, const json_t *object,
		  const char *key, unsigned char *out, size_t size,
		  struct error *err);

/** Append the form that json_file_bytes() reads. */
void json_file_put(struct buffer *out, const char *s);

/** Read data/schema.json into the catalog's entries and hold them against its
 *  tables. */
int schema_read(struct catalog *c, struct source *s, struct error *err);

/* ---- records_manifest.c: data/manifest.json of a record snapshot ---- */

int records_manifest_write(struct buffer *out, const struct catalog *c,
			   struct error *err);
/** @param top  of a format that is known; `c` is empty */
int records_manifest_read(struct catalog *c, struct json_file *f,
			  const json_t *top, struct error *err);

#endif /* SNAPSHOT_MANIFEST_INTERNAL_H */
