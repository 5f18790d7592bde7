/*
 * sqlite_sweep.c - do a table's indexes and foreign keys fit its rows?
 *
 * PRAGMA integrity_check looks each row up in each index, and foreign keys look
 * each child's parent up: random reads, once a database is larger than the
 * caches.  Here both are read in their own order, once.
 *
 * An index is right when it has an entry for each row and no other, and they
 * ascend.  That no entry is missing, wrong or left over shows in two sums, of
 * the entries and of what the rows ask for: of hashes under a random key, so
 * that sets which differ have equal sums with a chance of 2^-128.  A table
 * without rowids is an index itself: its rows ascend.
 *
 * A foreign key to an INTEGER PRIMARY KEY holds when each child's integer is in
 * the set of its parent's rowids, one bit each; one to another column when each
 * child's value stands there just as it is.
 *
 * What is not known to be right is not judged: SQLite checks it, and says what
 * is wrong.
 */
#include "base/error.h"
#include "database/sqlite_pages.h"

#include <stdlib.h>
#include <sys/random.h>

struct sweep {
	struct database *db;
	const struct pages *pages;
	unsigned char key[PARTS_KEY_SIZE];
	struct rowid_sets parents;
	struct key_value_sets values; /* of parents without such a key */
};

/* One index while its table is read. */
struct swept_index {
	struct index_plan plan;
	const struct value **places;  /* of its columns, in the table's row */
	const struct value *filtered; /* by what the plan's filter asks */
	struct index_sum rows;
};

/* A table without rowids is its primary key's index. */
struct swept_order {
	struct index_plan plan;
	const struct value **places;
	struct index_order rows;
};

/* A foreign key of one column. */
struct swept_key {
	int id;     /* in PRAGMA foreign_key_list */
	int value;  /* of the table's scan */
	int fails;  /* it is not known to hold */
	int rowids; /* `set` is one of rowids */
	size_t set; /* of what its parent has */
};

/* One table. */
struct sweeping {
	struct sweep *sweep;
	struct table table;
	struct record_plan plan;
	struct value *values, rowid;
	struct swept_index *indexes;
	size_t index_count;
	struct swept_order order; /* without columns: it has rowids */
	int judged; /* all indexes can be read; else SQLite looks at them */
	struct swept_key *keys;
	size_t key_count;
};

int sweep_new(struct sweep **out, struct database *db, struct error *err)
{
	struct sweep *s = calloc(1, sizeof(*s));

	*out = s;
	if (!s)
		return error_nomem(err);
	s->db = db;
	s->pages = database_pages(db);
	/* SQLite compares texts of a UTF-16 database in ways of its own */
	if (db->encoding != ENCODING_UTF8 ||
	    getrandom(s->key, sizeof(s->key), 0) != sizeof(s->key))
		s->pages = NULL;
	s->values.pages = s->pages;
	s->values.key = s->key;
	return 0;
}

void sweep_free(struct sweep *s)
{
	if (!s)
		return;
	rowid_sets_release(&s->parents);
	key_values_release(&s->values);
	free(s);
}

/* ---- indexes ---- */

/* Only SQL can say which rows it has. */
static int is_for_sql(const struct index_plan *x)
{
	return x->where && x->filter < 0;
}

/* Where an index's columns are while the table is read; NULL: out of memory */
static const struct value **find_places(const struct sweeping *w,
					const struct index_plan *x)
{
	const struct value **places = calloc(x->column_count, sizeof(*places));
	size_t i;

	for (i = 0; places && i < x->column_count; i++) {
		int value = x->columns[i].value;

		places[i] = value < 0 ? &w->rowid : &w->values[value];
	}
	return places;
}

/* What PRAGMA index_list tells of an index. @return 0; 1; -1 */
static int add_index(struct sweeping *w, sqlite3_stmt *st, struct error *err)
{
	const char *name = (const char *)sqlite3_column_text(st, 1);
	struct swept_index *grown, *x;
	int rc;

	if (!name)
		return error_nomem(err);
	grown = realloc(w->indexes, (w->index_count + 1) * sizeof(*grown));
	if (!grown)
		return error_nomem(err);
	w->indexes = grown;
	x = &grown[w->index_count++];
	memset(x, 0, sizeof(*x));
	x->plan.unique = sqlite3_column_int(st, 2);
	rc = index_plan_read(&x->plan, w->sweep->db, &w->table, &w->plan, name,
			     sqlite3_column_int(st, 4), err);
	if (rc)
		return rc;
	x->places = find_places(w, &x->plan);
	if (!x->places)
		return error_nomem(err);
	x->filtered = x->plan.filter < 0 ? NULL : &w->values[x->plan.filter];
	return 0;
}

/* @return 0; 1; -1 */
static int find_order(struct sweeping *w, struct error *err)
{
	struct swept_order *o = &w->order;
	int rc = index_plan_key(&o->plan, w->sweep->db, &w->table, err);

	if (rc)
		return rc;
	o->places = find_places(w, &o->plan);
	return o->places ? 0 : error_nomem(err);
}

/* A table without rowids has its own one; others of it are left to SQLite. */
static int take_index(struct sweeping *w, sqlite3_stmt *st, struct error *err)
{
	const char *origin = (const char *)sqlite3_column_text(st, 3);

	if (w->table.order == ORDER_ROWID)
		return add_index(w, st, err);
	return origin && !strcmp(origin, "pk") ? find_order(w, err) : 1;
}

static int find_indexes(struct sweeping *w, struct error *err)
{
	sqlite3_stmt *st;
	int rc, other = 0;

	if (sql_prepare(w->sweep->db->sql, &st, err,
			"PRAGMA main.index_list(\"%w\")", w->table.name) < 0)
		return -1;
	while (!other && (rc = sql_step(st, err)) > 0)
		other = take_index(w, st, err);
	sqlite3_finalize(st);
	return other ? other : rc;
}

/* ---- foreign keys ---- */

/* The column that `to` names, in any case, or (NULL) that is the primary key;
 * -1: none, or several. */
static int parent_column(const struct table *t, const char *to)
{
	int column = -1;
	size_t i;

	for (i = 0; i < t->column_count; i++) {
		const struct column *c = &t->columns[i];

		if (to ? sqlite3_stricmp(c->name, to) != 0 : !c->key)
			continue;
		if (column >= 0 || c->generated)
			return -1;
		column = (int)i;
	}
	return column;
}

/* What the parent has. @return 0; 1: not known; -1 */
static int find_parent(struct sweep *s, const char *parent, const char *to,
		       struct swept_key *k, struct error *err)
{
	uint32_t root = pages_root(s->pages, parent);
	struct table t;
	int rc, column;

	if (!root)
		return 1;
	memset(&t, 0, sizeof(t));
	rc = table_read(s->db->sql, parent, &t, err);
	column = rc == 0 ? parent_column(&t, to) : -1;
	k->rowids = column >= 0 && t.order == ORDER_ROWID &&
		    t.rowid_column == column;
	if (k->rowids)
		rc = rowid_sets_find(&s->parents, s->pages, root, &k->set, err);
	else if (rc == 0)
		rc = column < 0 ? 1
				: key_values_find(&s->values, s->db, &t, column,
						  &k->set, err);
	table_release(&t);
	return rc;
}

/* What PRAGMA foreign_key_list tells of a key; those of several columns are
 * left to SQLite. @return 0 or -1 */
static int add_key(struct sweeping *w, sqlite3_stmt *st, struct error *err)
{
	const char *parent = (const char *)sqlite3_column_text(st, 2);
	const char *from = (const char *)sqlite3_column_text(st, 3);
	const char *to = (const char *)sqlite3_column_text(st, 4);
	struct swept_key *grown, *k;
	int column, rc;

	grown = realloc(w->keys, (w->key_count + 1) * sizeof(*grown));
	if (!grown)
		return error_nomem(err);
	w->keys = grown;
	k = &grown[w->key_count++];
	memset(k, 0, sizeof(*k));
	k->id = sqlite3_column_int(st, 0);
	column = from ? table_column(&w->table, from) : -1;
	k->fails = sqlite3_column_int(st, 1) > 0 || !parent || column < 0 ||
		   w->table.columns[column].generated;
	if (k->fails)
		return 0;
	k->value = table_value(&w->table, column);
	rc = find_parent(w->sweep, parent, to, k, err);
	k->fails = rc > 0;
	return rc < 0 ? -1 : 0;
}

static int find_keys(struct sweeping *w, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(w->sweep->db->sql, &st, err,
			"PRAGMA main.foreign_key_list(\"%w\")",
			w->table.name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0)
		if (add_key(w, st, err) < 0) {
			rc = -1;
			break;
		}
	sqlite3_finalize(st);
	return rc;
}

/* A value that is not found may still have a parent: it is converted. */
static int has_parent(const struct sweep *s, const struct swept_key *k,
		      const struct value *v)
{
	if (v->class == VALUE_NULL)
		return 1;
	if (!k->rowids)
		return key_values_have(&s->values, k->set, v);
	return v->class == VALUE_INTEGER &&
	       rowid_set_has(&s->parents.sets[k->set], v->integer);
}

static void try_keys(struct sweeping *w)
{
	size_t i;

	for (i = 0; i < w->key_count; i++) {
		struct swept_key *k = &w->keys[i];

		if (!k->fails)
			k->fails =
				!has_parent(w->sweep, k, &w->values[k->value]);
	}
}

/* ---- rows ---- */

/* @return 0 or -1: memory ran out */
static int take_order(struct sweeping *w)
{
	struct swept_order *o = &w->order;
	int rc = 0;

	if (w->judged && o->plan.column_count)
		rc = index_order_next(&o->rows, &o->plan, o->places);
	if (rc > 0)
		w->judged = 0;
	return rc < 0 ? -1 : 0;
}

static int take_row(struct sweeping *w)
{
	size_t i;

	if (take_order(w) < 0)
		return -1;
	for (i = 0; w->judged && i < w->index_count; i++) {
		struct swept_index *x = &w->indexes[i];

		if (is_for_sql(&x->plan) ||
		    !index_plan_takes(&x->plan, x->filtered))
			continue;
		if (index_sum_add(&x->rows, x->places, x->plan.column_count,
				  w->sweep->key) < 0)
			return -1;
	}
	try_keys(w);
	return 0;
}

static void want_index(const struct index_plan *x, unsigned char *wanted)
{
	size_t i;

	for (i = 0; i < x->column_count; i++)
		if (x->columns[i].value >= 0)
			wanted[x->columns[i].value] = 1;
	if (x->filter >= 0)
		wanted[x->filter] = 1;
}

/* Read no more of a row than indexes and keys ask for. */
static int narrow(const struct sweeping *w, struct parts *parts)
{
	unsigned char *wanted = calloc(w->table.column_count + 1, 1);
	size_t i;

	if (!wanted)
		return -1;
	for (i = 0; w->judged && i < w->index_count; i++)
		want_index(&w->indexes[i].plan, wanted);
	if (w->judged)
		want_index(&w->order.plan, wanted);
	for (i = 0; i < w->key_count; i++)
		if (!w->keys[i].fails)
			wanted[w->keys[i].value] = 1;
	parts_narrow(parts, wanted);
	free(wanted);
	return 0;
}

/* @return 0; 1: SQLite is to look; -1 */
static int take_rows(struct sweeping *w, struct error *err)
{
	struct parts *parts = NULL;
	struct scan *scan = NULL;
	int rc = database_parts(w->sweep->db, &w->table, &parts, err);

	if (rc == 0 && narrow(w, parts) < 0)
		rc = error_nomem(err);
	if (rc == 0)
		rc = parts_scan(parts, NULL, NULL, &scan, err);
	if (rc == 0)
		rc = scan_part(scan, 0, parts_count(parts));
	w->rowid.class = VALUE_INTEGER;
	while (rc == 0) {
		rc = scan_next(scan, &w->rowid.integer, w->values, err);
		if (rc != 1)
			break;
		rc = take_row(w) < 0 ? error_nomem(err) : 0;
	}
	scan_free(scan);
	parts_free(parts);
	return rc < 0 ? -1 : rc != 0;
}

/* ---- rows of a partial index ---- */

static char *partial_text(const struct sweeping *w, const struct index_plan *x)
{
	sqlite3_str *text = sqlite3_str_new(w->sweep->db->sql);
	const struct table *t = &w->table;
	size_t i;

	for (i = 0; i < x->column_count; i++) {
		const struct column *c = t->columns;
		int value = x->columns[i].value;

		for (; value >= 0 && (value || c->generated); c++)
			value -= !c->generated;
		sqlite3_str_appendf(text, "%s\"%w\"", i ? "," : "SELECT ",
				    value < 0 ? t->rowid_key : c->name);
	}
	/* it may end with a comment */
	sqlite3_str_appendf(text, " FROM main.\"%w\" NOT INDEXED WHERE %s\n",
			    t->name, x->where);
	return sqlite3_str_finish(text);
}

/* SQL says which rows it has. @return 0; 1; -1 */
static int take_partial(const struct sweeping *w, struct swept_index *x)
{
	size_t count = x->plan.column_count, i;
	char *text = partial_text(w, &x->plan);
	struct value *values = calloc(count, sizeof(*values));
	const struct value **places = calloc(count, sizeof(*places));
	sqlite3_stmt *st = NULL;
	int rc = -1;

	if (!text || !values || !places)
		goto done;
	for (i = 0; i < count; i++)
		places[i] = &values[i];
	rc = sqlite3_prepare_v2(w->sweep->db->sql, text, -1, &st, NULL) !=
	     SQLITE_OK;
	while (rc == 0 && sqlite3_step(st) == SQLITE_ROW) {
		for (i = 0; i < count; i++)
			sql_value(w->sweep->db, st, (int)i, &values[i]);
		rc = index_sum_add(&x->rows, places, count, w->sweep->key);
	}
	if (sqlite3_finalize(st) != SQLITE_OK && rc == 0)
		rc = 1;
done:
	sqlite3_free(text);
	free(values);
	free(places);
	return rc;
}

/* ---- a table ---- */

/* Has the index what the rows ask for? @return 0: yes; 1; -1 */
static int compare_index(const struct sweeping *w, struct swept_index *x)
{
	struct index_sum entries;
	int rc = is_for_sql(&x->plan) ? take_partial(w, x) : 0;

	memset(&entries, 0, sizeof(entries));
	if (rc == 0)
		rc = index_read(&x->plan, w->sweep->pages, w->sweep->key,
				&entries);
	buffer_release(&entries.room);
	return rc ? rc : !index_sums_equal(&entries, &x->rows);
}

static void release(struct sweeping *w)
{
	size_t i;

	for (i = 0; i < w->index_count; i++) {
		index_plan_release(&w->indexes[i].plan);
		buffer_release(&w->indexes[i].rows.room);
		free(w->indexes[i].places);
	}
	index_plan_release(&w->order.plan);
	index_order_release(&w->order.rows);
	free(w->order.places);
	free(w->indexes);
	free(w->keys);
	free(w->values);
	record_plan_release(&w->plan);
	table_release(&w->table);
}

/* @return 0; 1: SQLite is to look; -1 */
static int prepare(struct sweeping *w, const char *table, struct error *err)
{
	struct sweep *s = w->sweep;

	if (table_read(s->db->sql, table, &w->table, err) < 0)
		return -1;
	if (!s->pages ||
	    (w->table.order != ORDER_ROWID && w->table.order != ORDER_KEY))
		return 1;
	w->values = calloc(w->table.column_count + 1, sizeof(*w->values));
	if (!w->values)
		return error_nomem(err);
	return record_plan(s->db, &w->table, &w->plan, err);
}

/* A key holds when all of its columns do. */
static int report_keys(const struct sweeping *w, struct swept *out,
		       struct error *err)
{
	size_t i;

	out->keys = calloc(w->key_count + 1, 1);
	if (!out->keys)
		return error_nomem(err);
	/* ids count from 0, a column each */
	for (i = 0; i < w->key_count; i++) {
		size_t id = (size_t)w->keys[i].id;

		if (id >= w->key_count) {
			out->key_count = 0;
			return 0;
		}
		if (id >= out->key_count)
			out->key_count = id + 1;
	}
	memset(out->keys, 1, out->key_count);
	for (i = 0; i < w->key_count; i++)
		if (w->keys[i].fails)
			out->keys[w->keys[i].id] = 0;
	return 0;
}

static int has_indexes(struct sweep *s, const char *table, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(s->db->sql, &st, err, "PRAGMA main.index_list(\"%w\")",
			table) < 0)
		return -1;
	rc = sql_step(st, err);
	sqlite3_finalize(st);
	return rc;
}

int sweep_table(struct sweep *s, const char *table, struct swept *out,
		struct error *err)
{
	struct sweeping w = { .sweep = s };
	int rc, indexes, has;
	size_t i;

	memset(out, 0, sizeof(*out));
	has = has_indexes(s, table, err);
	out->indexes = has == 0;
	if (has < 0)
		return -1;
	/* what is kept of parents is bounded, and begun anew in between */
	if (s->parents.bits > ROWID_BITS_MAX / 2)
		rowid_sets_release(&s->parents);
	if (s->values.count_of_all > KEY_VALUES_MAX / 2)
		key_values_release(&s->values);
	rc = prepare(&w, table, err);
	if (rc == 0)
		rc = find_keys(&w, err);
	indexes = 1;
	if (rc == 0 && (indexes = find_indexes(&w, err)) < 0)
		rc = -1;
	w.judged = !indexes;
	if (rc == 0 && ((w.judged && has) || w.key_count))
		rc = take_rows(&w, err);
	indexes = !w.judged;
	for (i = 0; rc == 0 && !indexes && i < w.index_count; i++) {
		indexes = compare_index(&w, &w.indexes[i]);
		if (indexes < 0)
			rc = error_nomem(err);
	}
	if (rc == 0) {
		out->indexes = !indexes;
		rc = report_keys(&w, out, err);
	}
	release(&w);
	return rc < 0 ? -1 : 0;
}

void swept_release(struct swept *s)
{
	free(s->keys);
	s->keys = NULL;
}
