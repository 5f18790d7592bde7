/*
 * records_rows.c - a model's records as rows of its table and join tables
 */
#include "restore/records_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "restore/restore_internal.h"
#include "snapshot/text.h"

#define TICK_ROWS  1024
#define NAME_SHOWN 100

/* ---- what is wrong with a record ---- */

static void add_shown(struct buffer *out, struct json_piece piece)
{
	text_display(out, piece.data, piece.size, NAME_SHOWN);
}

int records_refuse(const struct staged_table *t, const char *pk,
		   struct json_piece field, struct error *err, const char *fmt,
		   ...)
{
	struct buffer where = BUFFER_INIT;
	const char *text;
	char what[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	if (field.data) {
		buffer_str(&where, ", field '");
		add_shown(&where, field);
		buffer_byte(&where, '\'');
	}
	text = buffer_cstr(&where);
	error_set(err, ERROR_FAILED, "model '%.200s', %s%s: %s", t->label, pk,
		  text ? text : "", what);
	buffer_release(&where);
	return -1;
}

/* A field's name stands in its quotes. */
static struct json_piece bare(struct json_piece name)
{
	if (name.data)
		return (struct json_piece){ name.data + 1, name.size - 2 };
	return name;
}

static char *pk_text(const struct record *r)
{
	struct buffer b = BUFFER_INIT;

	record_show_pk(&b, r);
	return buffer_detach(&b);
}

static int refuse(struct staged_table *t, const struct record *r,
		  struct json_piece name, const char *what, struct error *err)
{
	char *pk = pk_text(r);

	records_refuse(t, pk ? pk : "pk ?", bare(name), err, "%s", what);
	free(pk);
	return -1;
}

/* ---- where fields go ---- */

static int find_place(struct stage *s, const struct model *m,
		      struct json_piece name, struct place *p,
		      struct error *err)
{
	buffer_clear(&s->text);
	json_piece_text(&s->text, name);
	free(p->name);
	p->name = malloc(name.size);
	if (!p->name || buffer_failed(&s->text) || !buffer_cstr(&s->text))
		return error_nomem(err);
	memcpy(p->name, name.data, name.size);
	p->size = name.size;
	p->column = model_column_of(m, s->text.data, s->text.size);
	p->list = p->column < 0 ? model_list_of(m, s->text.data, s->text.size)
				: -1;
	return 0;
}

/* Records of a model have their fields in the same order, so that the `nth` of
 * this one is mostly that of the last one. */
static int place_of(struct stage *s, struct staged_table *t, size_t nth,
		    struct json_piece name, struct place **out,
		    struct error *err)
{
	if (nth == s->place_count) {
		struct place *grown =
			reallocarray(s->places, nth + 1, sizeof(*grown));

		if (!grown)
			return error_nomem(err);
		s->places = grown;
		memset(&grown[nth], 0, sizeof(*grown));
		s->place_count++;
	}
	*out = &s->places[nth];
	if ((*out)->size == name.size &&
	    !memcmp((*out)->name, name.data, name.size))
		return 0;
	return find_place(s, t->model, name, *out, err);
}

static int unknown_field(struct stage *s, struct staged_table *t,
			 const struct record *r, struct json_piece name,
			 struct error *err)
{
	char what[600];

	(void)s;
	snprintf(what, sizeof what,
		 "table '%.200s' has neither such a column nor a join table "
		 "for it; migrate the database, or name it with --map",
		 t->model->table->name);
	return refuse(t, r, name, what, err);
}

/* ---- lists ---- */

static struct staged_table *join_of(struct stage *s, struct staged_table *t,
				    int list)
{
	return &s->tables[t->model->lists[list].table];
}

/* The join table that a list's rows go to, made when it is first named. */
static int use_join(struct stage *s, struct staged_table *t, int list,
		    struct error *err)
{
	struct staged_table *join = join_of(s, t, list);

	if (join->here)
		return 0;
	join->label = t->label;
	join->list = &t->model->lists[list];
	join->chosen = t->chosen;
	if (records_create(s, join, err) < 0)
		return -1;
	return records_prepare(s, join, err);
}

/* Records may have the join table's rows as a model of their own. */
static int is_own_model(const struct staged_table *join)
{
	return join->label && !join->list;
}

/* Its rows' keys are ours to choose. */
static int check_join(const struct staged_table *join, struct staged_table *t,
		      const struct record *r, struct json_piece name,
		      struct error *err)
{
	const struct table *table = join->model->table;
	char what[300];

	if (table->order == ORDER_ROWID &&
	    table->rowid_column == join->model->key)
		return 0;
	snprintf(what, sizeof what,
		 "the keys of table '%.200s' are no integers, and no record "
		 "tells them",
		 table->name);
	return refuse(t, r, name, what, err);
}

static int decode(struct stage *s, struct staged_table *t,
		  const struct record *r, struct json_piece name,
		  enum field_class class, struct json_piece json,
		  struct value *v, struct error *err)
{
	struct error why = ERROR_INIT;

	if (field_decode(class, json, &s->text, v, &why) == 0)
		return 0;
	if (why.code == ERROR_NOMEM)
		return error_nomem(err);
	return refuse(t, r, name, why.message, err);
}

static int stage_element(struct stage *s, struct staged_table *t, int list,
			 const struct record *r, struct json_piece name,
			 struct json_piece json, struct error *err)
{
	struct staged_table *join = join_of(s, t, list);
	const struct model_column *c = &join->model->columns[join->list->other];
	struct value v;
	int rc;

	if (*json.data == '[')
		return refuse(t, r, name,
			      "it lists natural keys; dump without "
			      "--natural-foreign",
			      err);
	if (*json.data == 'n')
		return refuse(t, r, name, "it lists null", err);
	if (decode(s, t, r, name, c->class, json, &v, err) < 0 ||
	    records_bind(s, join, join->list->other, &v, err) < 0)
		return -1;
	rc = records_insert(s, join, err);
	if (rc > 0)
		return refuse(t, r, name, "it lists the same twice", err);
	return rc;
}

static int stage_list(struct stage *s, struct staged_table *t, int list,
		      const struct record *r, struct json_piece name,
		      struct json_piece json, struct error *err)
{
	struct staged_table *join = join_of(s, t, list);
	const struct model_column *own;
	struct json_piece element;
	struct json_walk walk;
	struct value v;

	if (*json.data != '[')
		return refuse(t, r, name, "it should be a list", err);
	if (is_own_model(join))
		return 0;
	if (check_join(join, t, r, name, err) < 0 ||
	    use_join(s, t, list, err) < 0)
		return -1;
	own = &join->model->columns[join->list->own];
	if (decode(s, t, r, name, own->class, r->pk, &v, err) < 0 ||
	    records_bind(s, join, join->list->own, &v, err) < 0)
		return -1;
	json_walk_begin(&walk, json);
	while (json_walk_next(&walk, NULL, &element))
		if (stage_element(s, t, list, r, name, element, err) < 0)
			return -1;
	return 0;
}

/* ---- columns ---- */

/* Columns that the table has already have to be there in every record. */
static int lacks_field(struct staged_table *t, const char *pk, int column,
		       struct error *err)
{
	const struct model_column *c = &t->model->columns[column];

	return records_refuse(
		t, pk, (struct json_piece){ c->field, strlen(c->field) }, err,
		"it is missing, and column '%s' takes no NULL", c->name);
}

static int has_value(const struct model_column *c)
{
	return !c->not_null || c->fallback;
}

static int add_column(struct stage *s, struct staged_table *t, int column,
		      struct error *err)
{
	if (t->rows && !has_value(&t->model->columns[column]))
		return lacks_field(t, t->first, column, err);
	return records_add_column(s, t, column, err);
}

/* Which columns the record has, before any value is bound. */
static int find_columns(struct stage *s, struct staged_table *t,
			const struct record *r, struct error *err)
{
	struct json_piece name, json;
	struct json_walk walk;
	struct place *p = NULL;
	size_t nth = 0;

	t->at++;
	json_walk_begin(&walk, r->fields);
	while (json_walk_next(&walk, &name, &json)) {
		if (place_of(s, t, nth++, name, &p, err) < 0)
			return -1;
		if (p->column < 0 && p->list < 0)
			return unknown_field(s, t, r, name, err);
		if (p->column < 0 || p->column == t->model->key ||
		    t->model->columns[p->column].generated)
			continue;
		if (t->seen[p->column] == t->at)
			return refuse(t, r, name,
				      "another field goes to the same column",
				      err);
		t->seen[p->column] = t->at;
		if (!t->has[p->column] && add_column(s, t, p->column, err) < 0)
			return -1;
	}
	return t->insert ? 0 : records_prepare(s, t, err);
}

static int bind_column(struct stage *s, struct staged_table *t, int column,
		       const struct record *r, struct json_piece name,
		       struct json_piece json, struct error *err)
{
	const struct model_column *c = &t->model->columns[column];
	struct value v;

	if (*json.data == '[' && c->parent != NO_MODEL)
		return refuse(t, r, name,
			      "it is a natural key; dump without "
			      "--natural-foreign",
			      err);
	if (decode(s, t, r, name, c->class, json, &v, err) < 0)
		return -1;
	if (v.class == VALUE_NULL && c->not_null) {
		char what[400];

		snprintf(what, sizeof what,
			 "it is null, and column '%.200s' takes no NULL",
			 c->name);
		return refuse(t, r, name, what, err);
	}
	return records_bind(s, t, column, &v, err);
}

/* A pk that stands among the fields, too. */
static int same_key(struct staged_table *t, const struct record *r,
		    struct json_piece name, struct json_piece json,
		    struct error *err)
{
	int same = field_same(t->model->columns[t->model->key].class, r->pk,
			      json, err);

	if (same > 0)
		return 0;
	return same < 0 ? -1 : refuse(t, r, name, "it is not the pk", err);
}

static int bind_fields(struct stage *s, struct staged_table *t,
		       const struct record *r, struct error *err)
{
	struct json_piece name, json;
	struct json_walk walk;
	size_t nth = 0;
	int rc = 0;

	json_walk_begin(&walk, r->fields);
	while (rc == 0 && json_walk_next(&walk, &name, &json)) {
		const struct place *p = &s->places[nth++];

		if (p->column < 0 || t->model->columns[p->column].generated)
			continue;
		rc = p->column == t->model->key
			     ? same_key(t, r, name, json, err)
			     : bind_column(s, t, p->column, r, name, json, err);
	}
	return rc;
}

static int bind_missing(struct stage *s, struct staged_table *t,
			const struct record *r, struct error *err)
{
	for (size_t i = 0; i < t->model->table->column_count; i++) {
		char *pk;

		if (!t->has[i] || (int)i == t->model->key ||
		    t->seen[i] == t->at)
			continue;
		if (has_value(&t->model->columns[i])) {
			if (records_bind_fallback(s, t, (int)i, err) < 0)
				return -1;
			continue;
		}
		pk = pk_text(r);
		lacks_field(t, pk ? pk : "pk ?", (int)i, err);
		free(pk);
		return -1;
	}
	return 0;
}

/* ---- records ---- */

static int bind_key(struct stage *s, struct staged_table *t,
		    const struct record *r, struct error *err)
{
	static const struct json_piece none;
	const struct model_column *c = &t->model->columns[t->model->key];
	struct value v;

	if (!r->pk.data)
		return refuse(
			t, r, none,
			"records are told apart by their pk; dump without "
			"--natural-primary",
			err);
	if (*r->pk.data == '[' || *r->pk.data == '{')
		return refuse(t, r, none, "its pk is no single value", err);
	if (decode(s, t, r, none, c->class, r->pk, &v, err) < 0)
		return -1;
	return records_bind(s, t, t->model->key, &v, err);
}

static int stage_lists(struct stage *s, struct staged_table *t,
		       const struct record *r, struct error *err)
{
	struct json_piece name, json;
	struct json_walk walk;
	size_t nth = 0;

	json_walk_begin(&walk, r->fields);
	while (json_walk_next(&walk, &name, &json)) {
		int list = s->places[nth++].list;

		if (list >= 0 && stage_list(s, t, list, r, name, json, err) < 0)
			return -1;
	}
	return 0;
}

static int stage_record(struct stage *s, struct staged_table *t,
			const struct record *r, struct error *err)
{
	int rc;

	if (find_columns(s, t, r, err) < 0 || bind_key(s, t, r, err) < 0 ||
	    bind_fields(s, t, r, err) < 0 || bind_missing(s, t, r, err) < 0)
		return -1;
	rc = records_insert(s, t, err);
	if (rc < 0)
		return -1;
	if (rc > 0)
		return refuse(t, r, (struct json_piece){ NULL, 0 },
			      "another record has the same key, as the "
			      "database sees it",
			      err);
	if (!t->first && !(t->first = pk_text(r)))
		return error_nomem(err);
	return stage_lists(s, t, r, err);
}

/* ---- a model ---- */

/* Without records there is no telling what they have: all. */
static int use_all(struct stage *s, struct staged_table *t, struct error *err)
{
	const struct model *m = t->model;

	for (size_t i = 0; i < m->table->column_count; i++)
		if (!t->has[i] && !m->columns[i].generated &&
		    records_add_column(s, t, (int)i, err) < 0)
			return -1;
	for (size_t i = 0; i < m->list_count; i++) {
		const struct staged_table *join = join_of(s, t, (int)i);

		if (!join->label && use_join(s, t, (int)i, err) < 0)
			return -1;
	}
	return 0;
}

static int check_columns(struct staged_table *t, struct error *err)
{
	const struct model *m = t->model;

	for (size_t i = 0; i < m->table->column_count; i++)
		if (!t->has[i] && !m->columns[i].generated &&
		    !has_value(&m->columns[i]))
			return lacks_field(t, t->first, (int)i, err);
	return 0;
}

static void forget_places(struct stage *s)
{
	for (size_t i = 0; i < s->place_count; i++)
		free(s->places[i].name);
	free(s->places);
	s->places = NULL;
	s->place_count = 0;
}

static int stage_all(struct stage *s, struct staged_table *t,
		     const struct table *model, struct error *err)
{
	struct restore_progress *p = s->how->progress;
	struct record r;
	int rc;

	if (records_begin(s->records, model, err) < 0)
		return -1;
	while ((rc = records_next(s->records, &r, err)) > 0) {
		if (stage_record(s, t, &r, err) < 0)
			return -1;
		if (t->rows % TICK_ROWS == 0 && p &&
		    p->tick(p, t->label, t->rows))
			return error_set(err, ERROR_INTERRUPTED, "interrupted");
	}
	return rc;
}

int records_stage(struct stage *s, struct staged_table *t,
		  const struct table *model, struct error *err)
{
	int rc;

	if (records_create(s, t, err) < 0)
		return -1;
	rc = stage_all(s, t, model, err);
	forget_places(s);
	if (rc < 0)
		return -1;
	return t->rows ? check_columns(t, err) : use_all(s, t, err);
}
