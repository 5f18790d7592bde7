/*
 * models.h - the tables of a database as an application's models
 *
 * As Django names them: model "auth.User" is table auth_user, field "author" of
 * a foreign key is column author_id, a many-to-many field "tags" of shop_book
 * is table shop_book_tags with a foreign key to either side.  Where an
 * application has other names, a map tells (snapshot/model_map.h).
 */
#ifndef DATABASE_MODELS_H
#define DATABASE_MODELS_H

#include <stddef.h>

#include "snapshot/field.h"

struct buffer;
struct catalog;
struct database;
struct error;
struct mapped_model;
struct model_map;
struct table;

#define NO_MODEL ((size_t)-1)

struct model_column {
	const char *name;       /* borrowed from the catalog */
	char *field;            /* what records call it */
	enum field_class class; /* how it keeps that */
	const char *affinity;   /* a type that keeps values as its own does */
	int not_null;
	int generated;
	char *fallback; /* SQL of its DEFAULT, or NULL */
	/* a foreign key over this column alone, or NO_MODEL */
	size_t parent;
	int parent_column;
};

/** A many-to-many field: rows of a join table. */
struct model_list {
	char *field;
	size_t table;   /* of the join table in `models` */
	int own, other; /* its columns: to the model, to what is listed */
};

/** An ordinary table. */
struct model {
	const struct table *table; /* of the catalog, with the same columns */
	char *label;               /* "shop.book"; NULL: not known */
	const struct mapped_model *mapped; /* or NULL */
	struct model_column *columns;
	int key; /* the column that is the pk, or -1: none, or several */
	struct model_list *lists;
	size_t list_count;
	int joins; /* it is the join table of a list */
};

struct models {
	struct model *items; /* in dependency order */
	size_t count;
	const struct model_map *map; /* or NULL */
};

/**
 * Read them.  Labels come from the map and from django_content_type.
 *
 * @param c    of that database; borrowed as long as the models
 * @param map  borrowed as well; may be NULL.  What it names must be there.
 */
int models_read(struct models **out, struct database *db,
		const struct catalog *c, const struct model_map *map,
		struct error *err);
/** NULL is allowed. */
void models_free(struct models *m);

/** The table of a model, or NO_MODEL. */
size_t models_find(const struct models *m, const char *name);

/** The column that keeps a field, or -1. */
int model_column_of(const struct model *m, const char *field, size_t size);
/** The list of that name, or -1. */
int model_list_of(const struct model *m, const char *field, size_t size);

/* ---- rows, as records have them ---- */

struct model_rows;

/** @param model  in `m`, with a key; all is borrowed until model_rows_free() */
int model_rows_open(struct model_rows **out, struct database *db,
		    const struct models *m, size_t model, struct error *err);

/** Go to the next row, in the order of their keys.
 *  @return 1; 0 behind the last; -1 */
int model_rows_next(struct model_rows *r, struct error *err);

/** Go to the row with that key.  @return 1; 0: there is none; -1 */
int model_rows_find(struct model_rows *r, const struct value *key,
		    struct error *err);

/**
 * Append the JSON of a column of the row.
 *
 * @param class  usually the column's
 * @return 0, or -1 with an error that does not say where ("holds 'x', which is
 *         no date")
 */
int model_rows_column(struct model_rows *r, int column, enum field_class class,
		      struct buffer *out, struct error *err);

/** Append the JSON array that a list of the row is. */
int model_rows_list(struct model_rows *r, size_t list, struct buffer *out,
		    struct error *err);

/** NULL is allowed. */
void model_rows_free(struct model_rows *r);

#endif /* DATABASE_MODELS_H */
