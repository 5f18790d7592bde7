/*
 * sqlite_models.c - which tables are models, and what their columns keep
 */
#include "database/models.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/error.h"
#include "database/sqlite_internal.h"
#include "snapshot/model_map.h"

void models_free(struct models *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->count; i++) {
		struct model *model = &m->items[i];

		for (size_t j = 0; j < model->table->column_count; j++) {
			free(model->columns ? model->columns[j].field : NULL);
			free(model->columns ? model->columns[j].fallback
					    : NULL);
		}
		free(model->columns);
		for (size_t j = 0; j < model->list_count; j++)
			free(model->lists[j].field);
		free(model->lists);
		free(model->label);
	}
	free(m->items);
	free(m);
}

/* ---- names ---- */

static size_t find_table(const struct models *m, const char *name)
{
	for (size_t i = 0; i < m->count; i++)
		if (!sqlite3_stricmp(m->items[i].table->name, name))
			return i;
	return NO_MODEL;
}

static int find_column(const struct model *m, const char *name, size_t size)
{
	for (size_t i = 0; i < m->table->column_count; i++)
		if (strlen(m->columns[i].name) == size &&
		    !memcmp(m->columns[i].name, name, size))
			return (int)i;
	return -1;
}

/* Models that come with Django and name their table themselves. */
static const char *own_table(const char *model)
{
	static const char *const names[][2] = {
		{ "admin.logentry", "django_admin_log" },
		{ "contenttypes.contenttype", "django_content_type" },
		{ "flatpages.flatpage", "django_flatpage" },
		{ "redirects.redirect", "django_redirect" },
		{ "sessions.session", "django_session" },
		{ "sites.site", "django_site" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(names[i][0], model))
			return names[i][1];
	return NULL;
}

/* "shop.Order" is shop_order; the case of letters counts in neither. */
static size_t find_by_name(const struct models *m, const char *name)
{
	const char *own = own_table(name), *dot = strchr(name, '.');
	size_t found;
	char *table;

	if (own)
		return find_table(m, own);
	if (!dot || dot == name || !dot[1])
		return NO_MODEL;
	table = strdup(name);
	if (!table)
		return NO_MODEL;
	table[dot - name] = '_';
	found = find_table(m, table);
	free(table);
	return found;
}

size_t models_find(const struct models *m, const char *name)
{
	const struct mapped_model *mapped = model_map_find(m->map, name);

	if (mapped && mapped->table)
		return find_table(m, mapped->table);
	return find_by_name(m, name);
}

int model_column_of(const struct model *m, const char *field, size_t size)
{
	const struct mapped_field *mapped =
		mapped_field_find(m->mapped, field, size);
	int exact = find_column(m, field, size);

	if (exact >= 0 && !(mapped && mapped->column))
		return exact;
	for (size_t i = 0; i < m->table->column_count; i++)
		if (strlen(m->columns[i].field) == size &&
		    !memcmp(m->columns[i].field, field, size))
			return (int)i;
	/* a foreign key that the database does not know of */
	for (size_t i = 0; i < m->table->column_count; i++)
		if (strlen(m->columns[i].name) == size + 3 &&
		    !memcmp(m->columns[i].name, field, size) &&
		    !strcmp(m->columns[i].name + size, "_id"))
			return (int)i;
	return -1;
}

int model_list_of(const struct model *m, const char *field, size_t size)
{
	for (size_t i = 0; i < m->list_count; i++)
		if (strlen(m->lists[i].field) == size &&
		    !memcmp(m->lists[i].field, field, size))
			return (int)i;
	return -1;
}

/* ---- columns ---- */

/* Is there a CHECK that the column is JSON?  Django writes
 * JSON_VALID("column"). */
static int checks_json(const char *sql, const char *column)
{
	size_t size = strlen(column);

	while ((sql = strcasestr(sql, "json_valid("))) {
		sql += strlen("json_valid(");
		if ((*sql == '"' || *sql == '`' || *sql == '[') &&
		    !strncmp(sql + 1, column, size) && sql[1 + size] &&
		    sql[2 + size] == ')')
			return 1;
		if (!strncmp(sql, column, size) && sql[size] == ')')
			return 1;
	}
	return 0;
}

static const char *table_sql(const struct catalog *c, const char *name)
{
	for (size_t i = 0; i < c->entry_count; i++)
		if (c->entries[i].type == ENTRY_TABLE &&
		    !strcmp(c->entries[i].name, name))
			return c->entries[i].sql;
	return "";
}

/* A type that SQLite takes as it takes this one, and no alias of the rowid. */
static const char *affinity_type(const char *type, int strict)
{
	switch (affinity_of(type, strict)) {
	case AFFINITY_TEXT:
		return "TEXT";
	case AFFINITY_NUMERIC:
		return "NUMERIC";
	case AFFINITY_INTEGER:
		return "INT";
	case AFFINITY_REAL:
		return "REAL";
	case AFFINITY_NONE:
		break;
	}
	return "BLOB";
}

/* No key is a duration. */
static void be_key(struct model_column *c)
{
	if (c->class == FIELD_BIGINT)
		c->class = FIELD_INTEGER;
}

static int read_column(struct model *m, sqlite3_stmt *st, const char *sql,
		       int strict)
{
	const char *name = (const char *)sqlite3_column_text(st, 1);
	const char *type = (const char *)sqlite3_column_text(st, 2);
	const char *fallback = (const char *)sqlite3_column_text(st, 4);
	int at = name ? find_column(m, name, strlen(name)) : -1;
	struct model_column *c;

	if (at < 0)
		return 0;
	c = &m->columns[at];
	c->class = field_class_of(type ? type : "");
	if (c->class == FIELD_TEXT && checks_json(sql, name))
		c->class = FIELD_JSON;
	c->affinity = affinity_type(type ? type : "", strict);
	c->not_null = sqlite3_column_int(st, 3);
	if (m->table->columns[at].key) {
		m->key = m->key == -1 ? at : -2;
		c->not_null = 1;
		be_key(c);
	}
	if (!fallback)
		return 0;
	c->fallback = strdup(fallback);
	return c->fallback ? 0 : -1;
}

static int is_strict(const char *sql)
{
	const char *close = strrchr(sql, ')');

	return close && strcasestr(close, "strict");
}

static int read_columns(struct model *m, struct database *db,
			const struct catalog *catalog, struct error *err)
{
	const char *sql = table_sql(catalog, m->table->name);
	sqlite3_stmt *st;
	int rc;

	m->columns = calloc(m->table->column_count + 1, sizeof(*m->columns));
	if (!m->columns)
		return error_nomem(err);
	m->key = -1;
	for (size_t i = 0; i < m->table->column_count; i++) {
		m->columns[i].name = m->table->columns[i].name;
		m->columns[i].generated = m->table->columns[i].generated;
		m->columns[i].parent = NO_MODEL;
	}
	if (sql_prepare(db->sql, &st, err, "PRAGMA main.table_xinfo(\"%w\")",
			m->table->name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		if (read_column(m, st, sql, is_strict(sql)) < 0) {
			rc = error_nomem(err);
			break;
		}
	}
	sqlite3_finalize(st);
	if (m->key < -1)
		m->key = -1;
	return rc;
}

/* ---- foreign keys ---- */

/* Foreign keys of several columns are none of Django's. */
static int read_parents(struct models *m, struct model *child,
			struct database *db, struct error *err)
{
	struct model_column *last = NULL;
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(db->sql, &st, err,
			"PRAGMA main.foreign_key_list(\"%w\")",
			child->table->name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *table = (const char *)sqlite3_column_text(st, 2);
		const char *from = (const char *)sqlite3_column_text(st, 3);
		const char *to = (const char *)sqlite3_column_text(st, 4);
		size_t parent = table ? find_table(m, table) : NO_MODEL;
		int at = from ? find_column(child, from, strlen(from)) : -1;

		if (sqlite3_column_int(st, 1) > 0) {
			if (last)
				last->parent = NO_MODEL;
			continue;
		}
		last = NULL;
		if (at < 0 || parent == NO_MODEL)
			continue;
		last = &child->columns[at];
		last->parent_column =
			to ? find_column(&m->items[parent], to, strlen(to))
			   : m->items[parent].key;
		if (last->parent_column >= 0) {
			last->parent = parent;
			be_key(last);
		}
	}
	sqlite3_finalize(st);
	return rc;
}

/* "author_id" is kept for field "author", if no other column is. */
static int name_fields(struct model *m)
{
	for (size_t i = 0; i < m->table->column_count; i++) {
		struct model_column *c = &m->columns[i];
		size_t size = strlen(c->name);

		if (c->parent != NO_MODEL && size > 3 &&
		    !strcmp(c->name + size - 3, "_id") &&
		    find_column(m, c->name, size - 3) < 0)
			size -= 3;
		c->field = strndup(c->name, size);
		if (!c->field)
			return -1;
	}
	return 0;
}

/* ---- labels ---- */

static int map_problem(const struct models *m, const struct mapped_model *model,
		       const char *name, const char *what, struct error *err)
{
	return error_set(err, ERROR_USAGE,
			 "'%s': model '%.200s': the database has no %s "
			 "'%.200s'",
			 m->map->path, model->name, what, name);
}

static int label(struct model *m, char *text)
{
	free(m->label);
	m->label = text;
	return text ? 0 : -1;
}

static int label_mapped(struct models *m, struct error *err)
{
	for (size_t i = 0; m->map && i < m->map->model_count; i++) {
		const struct mapped_model *mapped = &m->map->models[i];
		size_t found = models_find(m, mapped->name);

		if (found == NO_MODEL && mapped->table)
			return map_problem(m, mapped, mapped->table, "table",
					   err);
		if (found == NO_MODEL)
			return map_problem(m, mapped, mapped->name,
					   "table of the name that Django "
					   "gives to model",
					   err);
		m->items[found].mapped = mapped;
		if (label(&m->items[found], strdup(mapped->name)) < 0)
			return error_nomem(err);
	}
	return 0;
}

static int label_type(struct models *m, struct database *db, sqlite3_stmt *st,
		      struct error *err)
{
	char *app = NULL, *name = NULL;
	struct buffer text = BUFFER_INIT;
	size_t size, found;
	int rc = -1;

	if (sql_text(db, st, 0, &app, &size, err) < 0 ||
	    sql_text(db, st, 1, &name, &size, err) < 0)
		goto done;
	rc = 0;
	if (!app || !name)
		goto done;
	buffer_printf(&text, "%s.%s", app, name);
	if (!buffer_cstr(&text)) {
		rc = error_nomem(err);
		goto done;
	}
	found = find_by_name(m, text.data);
	if (found != NO_MODEL && !m->items[found].label &&
	    label(&m->items[found], buffer_detach(&text)) < 0)
		rc = error_nomem(err);
done:
	buffer_release(&text);
	free(app);
	free(name);
	return rc;
}

static int label_content_types(struct models *m, struct database *db,
			       struct error *err)
{
	size_t at = find_table(m, "django_content_type");
	sqlite3_stmt *st;
	int rc;

	if (at == NO_MODEL || find_column(&m->items[at], "app_label", 9) < 0 ||
	    find_column(&m->items[at], "model", 5) < 0)
		return 0;
	if (sql_prepare(db->sql, &st, err,
			"SELECT app_label, model FROM main.django_content_type "
			"NOT INDEXED") < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0)
		if ((rc = label_type(m, db, st, err)) < 0)
			break;
	sqlite3_finalize(st);
	return rc;
}

/* ---- lists ---- */

static int add_list(struct model *m, const char *field, size_t table, int own,
		    int other)
{
	struct model_list *lists =
		reallocarray(m->lists, m->list_count + 1, sizeof(*lists));

	if (!lists)
		return -1;
	m->lists = lists;
	lists += m->list_count;
	*lists = (struct model_list){ strdup(field), table, own, other };
	if (!lists->field)
		return -1;
	m->list_count++;
	return 0;
}

/* A join table has a key and two foreign keys.  @return 1 when it is one */
static int join_columns(const struct model *join, int ends[2])
{
	int count = 0;

	if (join->key < 0)
		return 0;
	for (size_t i = 0; i < join->table->column_count; i++) {
		if ((int)i == join->key)
			continue;
		if (count == 2 || join->columns[i].parent == NO_MODEL)
			return 0;
		ends[count++] = (int)i;
	}
	return count == 2;
}

/* Which of the two leads to the model at `at`?  Where both do, one is called
 * from_author_id and the other to_author_id.  @return 0 or 1, or -1 */
static int own_end(const struct model *join, const int ends[2], size_t at)
{
	int first = join->columns[ends[0]].parent == at;
	int second = join->columns[ends[1]].parent == at;

	if (first != second)
		return second;
	if (!first)
		return -1;
	for (int i = 0; i < 2; i++)
		if (!strncmp(join->columns[ends[i]].name, "from_", 5) &&
		    !strncmp(join->columns[ends[1 - i]].name, "to_", 3))
			return i;
	return -1;
}

/* The field of a model that the join table's name tells: the model's table has
 * the longest name that it begins with. */
static int find_owner(struct models *m, size_t table, struct error *err)
{
	struct model *join = &m->items[table];
	const char *name = join->table->name;
	size_t longest = 0, owner = NO_MODEL;
	int ends[2], own = -1;

	if (join->label || !join_columns(join, ends))
		return 0;
	for (int i = 0; i < 2; i++) {
		size_t at = join->columns[ends[i]].parent;
		const char *begin = m->items[at].table->name;
		size_t size = strlen(begin);

		if (size > longest &&
		    !sqlite3_strnicmp(name, begin, (int)size) &&
		    name[size] == '_' && name[size + 1]) {
			longest = size;
			owner = at;
		}
	}
	if (owner != NO_MODEL)
		own = own_end(join, ends, owner);
	if (own < 0)
		return 0;
	join->joins = 1;
	if (add_list(&m->items[owner], name + longest + 1, table, ends[own],
		     ends[1 - own]) < 0)
		return error_nomem(err);
	return 0;
}

/* ---- what the map says of fields ---- */

static int map_list(struct models *m, struct model *model,
		    const struct mapped_field *f, struct error *err)
{
	size_t table = find_table(m, f->column),
	       at = (size_t)(model - m->items);
	int ends[2], own;

	if (table == NO_MODEL || !join_columns(&m->items[table], ends) ||
	    (own = own_end(&m->items[table], ends, at)) < 0)
		return map_problem(m, model->mapped, f->column,
				   "column, or join table,", err);
	m->items[table].joins = 1;
	for (size_t i = 0; i < model->list_count; i++) {
		if (model->lists[i].table != table)
			continue;
		free(model->lists[i].field);
		model->lists[i].field = strdup(f->name);
		return model->lists[i].field ? 0 : error_nomem(err);
	}
	return add_list(model, f->name, table, ends[own], ends[1 - own]) < 0
		       ? error_nomem(err)
		       : 0;
}

static int map_field(struct models *m, struct model *model,
		     const struct mapped_field *f, struct error *err)
{
	const char *name = f->column ? f->column : f->name;
	int at = f->column ? find_column(model, name, strlen(name))
			   : model_column_of(model, name, strlen(name));
	struct model_column *c;

	if (at < 0 && f->column && !f->has_class)
		return map_list(m, model, f, err);
	if (at < 0)
		return map_problem(m, model->mapped, name, "column", err);
	c = &model->columns[at];
	if (f->has_class)
		c->class = f->class;
	free(c->field);
	c->field = strdup(f->name);
	return c->field ? 0 : error_nomem(err);
}

static int map_fields(struct models *m, struct error *err)
{
	for (size_t i = 0; i < m->count; i++) {
		struct model *model = &m->items[i];

		for (size_t j = 0;
		     model->mapped && j < model->mapped->field_count; j++)
			if (map_field(m, model, &model->mapped->fields[j],
				      err) < 0)
				return -1;
	}
	return 0;
}

/* ---- all of it ---- */

static int read_all(struct models *m, struct database *db,
		    const struct catalog *c, struct error *err)
{
	for (size_t i = 0; i < m->count; i++)
		if (read_columns(&m->items[i], db, c, err) < 0)
			return -1;
	for (size_t i = 0; i < m->count; i++) {
		if (read_parents(m, &m->items[i], db, err) < 0)
			return -1;
		if (name_fields(&m->items[i]) < 0)
			return error_nomem(err);
	}
	if (label_mapped(m, err) < 0 || label_content_types(m, db, err) < 0)
		return -1;
	for (size_t i = 0; i < m->count; i++)
		if (find_owner(m, i, err) < 0)
			return -1;
	return map_fields(m, err);
}

int models_read(struct models **out, struct database *db,
		const struct catalog *c, const struct model_map *map,
		struct error *err)
{
	struct models *m = calloc(1, sizeof(*m));

	*out = NULL;
	if (!m)
		return error_nomem(err);
	m->map = map;
	m->items = calloc(c->table_count + 1, sizeof(*m->items));
	for (size_t i = 0; m->items && i < c->table_count; i++)
		if (c->tables[i].kind == TABLE_ORDINARY)
			m->items[m->count++].table = &c->tables[i];
	if (m->items ? read_all(m, db, c, err) < 0 : error_nomem(err)) {
		models_free(m);
		return -1;
	}
	*out = m;
	return 0;
}
