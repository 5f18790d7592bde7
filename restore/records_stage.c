/*
 * records_stage.c - records of an application, staged for restore_into()
 *
 * The records are turned into rows in a database of their own, with the
 * target's tables and types.  Replaying them is then what it is for any
 * snapshot: the same transaction, the same proof, the same undo.
 */
#include "restore/restore.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "database/database.h"
#include "restore/records_internal.h"
#include "restore/restore_internal.h"

/* A message tells at most so much of what there is. */
#define LIST_MAX 1000

/* ---- opening ---- */

static int open_target(struct stage *s, struct error *err)
{
	const struct database_options o = { .busy_timeout_ms =
						    s->how->busy_timeout_ms };

	if (database_open(&s->database, s->target, &o, err) < 0 ||
	    database_begin(s->database, err) < 0 ||
	    database_catalog(s->database, &s->catalog, err) < 0 ||
	    models_read(&s->models, s->database, s->catalog, s->how->map, err) <
		    0)
		return -1;
	s->tables = calloc(s->models->count + 1, sizeof(*s->tables));
	if (!s->tables)
		return error_nomem(err);
	for (size_t i = 0; i < s->models->count; i++)
		s->tables[i].model = &s->models->items[i];
	return 0;
}

static const char *encoding_pragma(enum encoding e)
{
	switch (e) {
	case ENCODING_UTF16LE:
		return "PRAGMA encoding = 'UTF-16le'";
	case ENCODING_UTF16BE:
		return "PRAGMA encoding = 'UTF-16be'";
	case ENCODING_UTF8:
		break;
	}
	return "PRAGMA encoding = 'UTF-8'";
}

static int open_staged(struct stage *s, const char *path, struct error *err)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno(err, ERROR_FAILED, "cannot make '%s'", path);
	close(fd);
	if (target_open(&s->db, path, s->how->busy_timeout_ms, OPEN_TRUSTED,
			err) < 0)
		return -1;
	/* the file is nobody's but ours, and thrown away after a failure */
	if (target_exec(s->db, err, encoding_pragma(s->catalog->encoding)) <
		    0 ||
	    target_exec(s->db, err,
			"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; "
			"PRAGMA foreign_keys = OFF") < 0 ||
	    target_run(s->db,
		       sqlite3_mprintf("ATTACH '%s%q' AS target",
				       *s->target == '/' ? "" : "./",
				       s->target),
		       err, "cannot attach the target") < 0)
		return -1;
	return target_exec(s->db, err, "BEGIN");
}

/* ---- which models ---- */

static int is_named(const struct restore_records *how, const char *model,
		    const char *table, size_t *which)
{
	for (size_t i = 0; i < how->model_count; i++) {
		if (strcasecmp(how->models[i], model) &&
		    (!table || strcasecmp(how->models[i], table)))
			continue;
		*which = i;
		return 1;
	}
	return !how->model_count;
}

static int no_table(const struct stage *s, const struct table *model,
		    struct error *err)
{
	return error_set(err, ERROR_FAILED,
			 "'%s' has no table for model '%.200s'; migrate it, or "
			 "name the table with --map",
			 s->how->name ? s->how->name : s->target, model->name);
}

static int choose_model(struct stage *s, const struct table *model,
			unsigned char *used, struct error *err)
{
	size_t at = models_find(s->models, model->name), which = 0;
	struct staged_table *t = at == NO_MODEL ? NULL : &s->tables[at];
	int chosen = is_named(s->how, model->name,
			      t ? t->model->table->name : NULL, &which);

	used[which] |= (unsigned char)chosen;
	if (!t)
		return chosen ? no_table(s, model, err) : 0;
	if (t->label)
		return error_set(err, ERROR_FAILED,
				 "models '%.200s' and '%.200s' are both in "
				 "table '%.200s'",
				 t->label, model->name, t->model->table->name);
	if (t->model->key < 0)
		return error_set(err, ERROR_FAILED,
				 "table '%.200s' of model '%.200s' has no "
				 "primary key of one column",
				 t->model->table->name, model->name);
	t->label = model->name;
	t->chosen = chosen;
	return 0;
}

static int unknown_model(const struct catalog *c, const char *name,
			 struct error *err)
{
	struct buffer there = BUFFER_INIT;
	const char *list;

	for (size_t i = 0; i < c->table_count; i++)
		buffer_printf(&there, "%s'%s'", i ? ", " : "",
			      c->tables[i].name);
	list = buffer_cstr(&there);
	error_set(err, ERROR_USAGE,
		  "the snapshot has no model '%.200s'; it has %.*s%s", name,
		  LIST_MAX, list ? list : "",
		  there.size > LIST_MAX ? "..." : "");
	buffer_release(&there);
	return -1;
}

/* Lists of the chosen ones whose rows are records themselves. */
static void choose_joins(struct stage *s)
{
	for (size_t i = 0; i < s->models->count; i++) {
		const struct model *m = s->tables[i].model;

		for (size_t j = 0; s->tables[i].chosen && j < m->list_count;
		     j++)
			s->tables[m->lists[j].table].chosen = 1;
	}
}

static int choose_models(struct stage *s, struct error *err)
{
	const struct catalog *c = records_catalog(s->records);
	unsigned char *used = calloc(s->how->model_count + 1, 1);
	int rc = used ? 0 : error_nomem(err);

	for (size_t i = 0; rc == 0 && i < c->table_count; i++)
		rc = choose_model(s, &c->tables[i], used, err);
	for (size_t i = 0; rc == 0 && i < s->how->model_count; i++)
		if (!used[i])
			rc = unknown_model(c, s->how->models[i], err);
	choose_joins(s);
	free(used);
	return rc;
}

static int stage_models(struct stage *s, struct error *err)
{
	const struct catalog *c = records_catalog(s->records);

	for (size_t i = 0; i < c->table_count; i++) {
		size_t at = models_find(s->models, c->tables[i].name);

		if (at != NO_MODEL &&
		    records_stage(s, &s->tables[at], &c->tables[i], err) < 0)
			return -1;
	}
	return 0;
}

/* ---- what restore_into() wants to know ---- */

static int name_rows(const struct staged_table *t, struct staged_name *out)
{
	int key = t->list ? t->list->own : t->model->key;

	out->model = strdup(t->label);
	out->key = strdup(t->model->columns[key].name);
	if (t->list)
		out->field = strdup(t->list->field);
	return out->model && out->key && (out->field || !t->list) ? 0 : -1;
}

static int describe(struct stage *s, struct staged_records *out,
		    struct error *err)
{
	size_t count = 0;

	out->catalog = catalog_new();
	out->names = calloc(s->models->count + 1, sizeof(*out->names));
	if (!out->catalog || !out->names)
		return error_nomem(err);
	out->catalog->encoding = s->catalog->encoding;
	for (size_t i = 0; i < s->models->count; i++) {
		struct table *t;

		if (!s->tables[i].here)
			continue;
		t = catalog_add_table(out->catalog);
		if (t)
			t->name = strdup(s->tables[i].model->table->name);
		if (!t || !t->name ||
		    name_rows(&s->tables[i],
			      &out->names[out->catalog->table_count - 1]) < 0)
			return error_nomem(err);
		t->rows = s->tables[i].rows;
		count += (size_t)s->tables[i].chosen;
	}
	out->tables = calloc(count + 1, sizeof(*out->tables));
	if (!out->tables)
		return error_nomem(err);
	for (size_t i = 0, j = 0; i < s->models->count; i++) {
		if (!s->tables[i].here)
			continue;
		if (s->tables[i].chosen)
			out->tables[out->table_count++] =
				out->catalog->tables[j].name;
		j++;
	}
	return 0;
}

static void stage_release(struct stage *s)
{
	for (size_t i = 0; s->tables && i < s->models->count; i++) {
		struct staged_table *t = &s->tables[i];

		sqlite3_finalize(t->insert);
		for (size_t j = 0;
		     t->fallbacks && j < t->model->table->column_count; j++)
			sqlite3_value_free(t->fallbacks[j]);
		free(t->fallbacks);
		free(t->has);
		free(t->seen);
		free(t->first);
	}
	free(s->tables);
	sqlite3_close(s->db);
	models_free(s->models);
	catalog_free(s->catalog);
	database_close(s->database);
	buffer_release(&s->text);
}

static int commit(struct stage *s, struct error *err)
{
	for (size_t i = 0; i < s->models->count; i++) {
		sqlite3_finalize(s->tables[i].insert);
		s->tables[i].insert = NULL;
	}
	return target_exec(s->db, err, "COMMIT; DETACH target");
}

int restore_records(struct records *r, const char *target, const char *path,
		    const struct restore_records *how,
		    struct staged_records *out, struct error *err)
{
	struct stage s = { .how = how, .target = target, .records = r };
	int made, rc = -1;

	memset(out, 0, sizeof(*out));
	if (open_target(&s, err) < 0 || choose_models(&s, err) < 0 ||
	    open_staged(&s, path, err) < 0 || stage_models(&s, err) < 0 ||
	    records_check_links(&s, err) < 0 || commit(&s, err) < 0)
		goto done;
	rc = describe(&s, out, err);
done:
	if (rc < 0)
		staged_records_release(out);
	made = s.db != NULL;
	stage_release(&s);
	if (rc < 0 && made)
		database_remove(path);
	return rc;
}

void staged_records_release(struct staged_records *s)
{
	for (size_t i = 0; s->names && i < s->catalog->table_count; i++) {
		free(s->names[i].model);
		free(s->names[i].field);
		free(s->names[i].key);
	}
	free(s->names);
	catalog_free(s->catalog);
	free(s->tables);
	memset(s, 0, sizeof(*s));
}
