/*
 * model_map.c - the file that tells how models are kept
 */
#include "snapshot/model_map.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"

/* Nobody writes such a file by hand. */
#define SIZE_MAX_MAP ((size_t)4 << 20)

static int keep(char **out, const json_t *text, struct error *err)
{
	const char *value = json_string_value(text);

	if (!value)
		return 0;
	free(*out);
	*out = strdup(value);
	return *out ? 0 : error_nomem(err);
}

static int wrong(const struct model_map *m, const char *model,
		 const char *problem, struct error *err)
{
	return error_set(err, ERROR_USAGE,
			 "'%s': model '%.200s' %s; see docs/django.md", m->path,
			 model, problem);
}

static int read_field(struct model_map *m, struct mapped_model *model,
		      const char *name, const json_t *value, struct error *err)
{
	struct mapped_field *f = &model->fields[model->field_count++];
	const json_t *type = json_object_get(value, "type");
	const json_t *column = json_object_get(value, "column");

	if (json_is_string(value))
		column = value;
	else if (!json_is_object(value) ||
		 json_object_size(value) != (size_t) !!type + !!column ||
		 (type && !json_is_string(type)) ||
		 (column && !json_is_string(column)))
		return wrong(m, model->name,
			     "has a field that is neither a column's name nor "
			     "{\"column\":\"NAME\",\"type\":\"TYPE\"}",
			     err);
	if (type) {
		f->has_class = 1;
		if (field_class_named(&f->class, json_string_value(type)) < 0)
			return wrong(m, model->name,
				     "has a field of a type that is none of "
				     "bool, integer, bigint, duration, real, "
				     "decimal, datetime, date, time, uuid, "
				     "json, blob, text",
				     err);
	}
	f->name = strdup(name);
	return f->name ? keep(&f->column, column, err) : error_nomem(err);
}

static int read_fields(struct model_map *m, struct mapped_model *model,
		       json_t *fields, struct error *err)
{
	const char *name;
	json_t *value;

	if (!fields)
		return 0;
	if (!json_is_object(fields))
		return wrong(m, model->name, "has 'fields' that are no object",
			     err);
	model->fields =
		calloc(json_object_size(fields) + 1, sizeof(*model->fields));
	if (!model->fields)
		return error_nomem(err);
	json_object_foreach(fields, name,
			    value) if (read_field(m, model, name, value, err) <
				       0) return -1;
	return 0;
}

static int read_model(struct model_map *m, const char *name, json_t *value,
		      struct error *err)
{
	struct mapped_model *model = &m->models[m->model_count++];
	json_t *table = json_object_get(value, "table");
	json_t *fields = json_object_get(value, "fields");

	model->name = strdup(name);
	if (!model->name)
		return error_nomem(err);
	if (json_is_string(value))
		return keep(&model->table, value, err);
	if (!json_is_object(value) ||
	    json_object_size(value) != (size_t) !!table + !!fields ||
	    (table && !json_is_string(table)))
		return wrong(m, name,
			     "is neither a table's name nor "
			     "{\"table\":\"NAME\",\"fields\":{...}}",
			     err);
	if (keep(&model->table, table, err) < 0)
		return -1;
	return read_fields(m, model, fields, err);
}

static int read_top(struct model_map *m, const json_t *top, struct error *err)
{
	json_t *models = json_object_get(top, "models");
	json_t *zone = json_object_get(top, "use_tz");
	const char *name;
	json_t *value;

	if (!json_is_object(top) || (models && !json_is_object(models)) ||
	    (zone && !json_is_boolean(zone)) ||
	    json_object_size(top) != (size_t) !!models + !!zone)
		return error_set(err, ERROR_USAGE,
				 "'%s' is not {\"use_tz\":BOOLEAN,"
				 "\"models\":{...}}; see docs/django.md",
				 m->path);
	m->no_zone = json_is_false(zone);
	m->models = calloc(json_object_size(models) + 1, sizeof(*m->models));
	if (!m->models)
		return error_nomem(err);
	json_object_foreach(models, name, value)
	{
		if (model_map_find(m, name))
			return wrong(m, name, "stands there twice", err);
		if (read_model(m, name, value, err) < 0)
			return -1;
	}
	return 0;
}

int model_map_read(struct model_map **out, const char *path, struct error *err)
{
	struct buffer text = BUFFER_INIT;
	struct model_map *m = NULL;
	json_t *top = NULL;
	json_error_t cause;
	int rc;

	*out = NULL;
	rc = file_read(path, SIZE_MAX_MAP, &text, err);
	if (rc > 0)
		rc = error_set(err, ERROR_USAGE, "there is no file '%s'", path);
	if (rc < 0)
		goto done;
	m = calloc(1, sizeof(*m));
	if (m)
		m->path = strdup(path);
	if (!m || !m->path) {
		rc = error_nomem(err);
		goto done;
	}
	top = json_loadb(text.size ? text.data : "", text.size,
			 JSON_REJECT_DUPLICATES, &cause);
	rc = top ? read_top(m, top, err)
		 : error_set(err, ERROR_USAGE, "'%s', line %d: %s", path,
			     cause.line, cause.text);
done:
	json_decref(top);
	buffer_release(&text);
	if (rc < 0)
		model_map_free(m);
	else
		*out = m;
	return rc;
}

void model_map_free(struct model_map *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->model_count; i++) {
		struct mapped_model *model = &m->models[i];

		for (size_t j = 0; j < model->field_count; j++) {
			free(model->fields[j].name);
			free(model->fields[j].column);
		}
		free(model->fields);
		free(model->name);
		free(model->table);
	}
	free(m->models);
	free(m->path);
	free(m);
}

const struct mapped_model *model_map_find(const struct model_map *m,
					  const char *name)
{
	for (size_t i = 0; m && i < m->model_count; i++)
		if (m->models[i].name && !strcasecmp(m->models[i].name, name))
			return &m->models[i];
	return NULL;
}

const struct mapped_field *mapped_field_find(const struct mapped_model *m,
					     const char *name, size_t size)
{
	for (size_t i = 0; m && i < m->field_count; i++)
		if (m->fields[i].name && strlen(m->fields[i].name) == size &&
		    !memcmp(m->fields[i].name, name, size))
			return &m->fields[i];
	return NULL;
}
