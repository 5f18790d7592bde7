/*
 * model_map.h - what the user says of models and tables (--map FILE)
 *
 *     {"use_tz": false,
 *      "models": {
 *        "shop.Order": {"table": "legacy_orders",
 *                       "fields": {"buyer": "who",
 *                                  "took": {"type": "duration"}}},
 *        "shop.Item": "items"}}
 *
 * All of it may be left out.  A field's text is its column, or the join table
 * of a many-to-many field.
 */
#ifndef SNAPSHOT_MODEL_MAP_H
#define SNAPSHOT_MODEL_MAP_H

#include <stddef.h>

#include "snapshot/field.h"

struct error;

struct mapped_field {
	char *name;
	char *column; /* or join table; NULL: as it is called */
	int has_class;
	enum field_class class;
};

struct mapped_model {
	char *name;  /* "shop.Order" */
	char *table; /* NULL: as Django names it */
	struct mapped_field *fields;
	size_t field_count;
};

struct model_map {
	char *path;  /* for messages */
	int no_zone; /* "use_tz" is false: dates and times are local */
	struct mapped_model *models;
	size_t model_count;
};

/** Read it; what is not known in it is an error. */
int model_map_read(struct model_map **out, const char *path, struct error *err);
/** NULL is allowed. */
void model_map_free(struct model_map *m);

/** Names of models are the same whatever the case of their letters.
 *  @param m  may be NULL  @return NULL: nothing is said of it */
const struct mapped_model *model_map_find(const struct model_map *m,
					  const char *name);
/** @param m  may be NULL */
const struct mapped_field *mapped_field_find(const struct mapped_model *m,
					     const char *name, size_t size);

#endif /* SNAPSHOT_MODEL_MAP_H */
