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
 * that sets which differ have equal sums with a chance of 2^-128.
 *
 * A foreign key to an INTEGER PRIMARY KEY holds when each child's integer is in
 * the set of its parent's rowids, one bit each.
 *
 * What is not known to be right is not judged: SQLite checks it, and says what
 * is wrong.
 */
#include "base/error.h"
#include "database/sqlite_pages.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>

#define SET_BITS_MAX ((uint64_t)1 << 25) /* 4 MB */

/* Rowids of a table. */
struct rowid_set {
	uint32_t root;
	int64_t first;
	uint64_t size; /* rowids from first on, those that are not there too */
	uint64_t *bits;
};

struct sweep {
	struct database *db;
	const struct pages *pages;
	unsigned char key[PARTS_KEY_SIZE];
	struct rowid_set *sets;
	size_t set_count;
	uint64_t set_bits; /* of all of them */
};

/* One index while its table is read. */
struct swept_index {
	struct index_plan plan;
	const struct value **places; /* of its columns, in the table's row */
	struct index_sum rows;
};

/* A foreign key of one column. */
struct swept_key {
	int id;    /* in PRAGMA foreign_key_list */
	int value; /* of the table's scan */
	int fails; /* it is not known to hold */
	size_t set;
};

/* One table. */
struct sweeping {
	struct sweep *sweep;
	struct table table;
	struct record_plan plan;
	struct value *values, rowid;
	struct swept_index *indexes;
	size_t index_count;
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
	/* texts of a UTF-16 database would have to be compared as SQLite does
	 */
	if (db->encoding != ENCODING_UTF8 ||
	    getrandom(s->key, sizeof(s->key), 0) != sizeof(s->key))
		s->pages = NULL;
	return 0;
}

static void forget_sets(struct sweep *s)
{
	size_t i;

	for (i = 0; i < s->set_count; i++)
		free(s->sets[i].bits);
	free(s->sets);
	s->sets = NULL;
	s->set_count = 0;
	s->set_bits = 0;
}

void sweep_free(struct sweep *s)
{
	if (!s)
		return;
	forget_sets(s);
	free(s);
}

/* ---- columns ---- */

static int value_of(const struct table *t, int column)
{
	int value = 0, i;

	for (i = 0; i < column; i++)
		value += !t->columns[i].generated;
	return value;
}

/* How a column lies in a record; virtual ones are not there. */
static const struct field *field_of(const struct sweeping *w, int column)
{
	const struct field *f = w->plan.fields;
	int i;

	for (i = 0; i < column; i++)
		f += w->table.columns[i].generated != 1;
	return f;
}

/* ---- indexes ---- */

static void plan_release(struct index_plan *x)
{
	record_plan_release(&x->record);
	free(x->columns);
	free(x->where);
	memset(x, 0, sizeof(*x));
}

static int collation_of(const char *name, enum index_collation *out)
{
	static const char *const names[] = { "BINARY", "NOCASE", "RTRIM" };
	int i;

	for (i = 0; name && i < 3; i++) {
		if (!strcasecmp(name, names[i])) {
			*out = (enum index_collation)i;
			return 0;
		}
	}
	return 1;
}

/* Add what PRAGMA index_xinfo tells of a column; room is there.
 * @return 0; 1: it is none that we read */
static int add_column(const struct sweeping *w, struct index_plan *x,
		      sqlite3_stmt *st)
{
	const struct table *t = &w->table;
	struct index_column *c = &x->columns[x->column_count];
	struct field *f = &x->record.fields[x->column_count];
	int column = sqlite3_column_int(st, 1);

	if (column < -1 || column >= (int)t->column_count ||
	    (column >= 0 && t->columns[column].generated) ||
	    collation_of((const char *)sqlite3_column_text(st, 4),
			 &c->collation))
		return 1;
	c->value = column < 0 ? -1 : value_of(t, column);
	c->descending = sqlite3_column_int(st, 3);
	f->value = (int)x->column_count++;
	f->real = column >= 0 && field_of(w, column)->real;
	f->strange = 1; /* an entry has all columns */
	x->key_count += sqlite3_column_int(st, 5) != 0;
	x->record.field_count = x->record.value_count = x->column_count;
	return 0;
}

static int plan_columns(const struct sweeping *w, const char *name,
			struct index_plan *x, struct error *err)
{
	/* each column of the table, an expression each, the rowid: an index can
	 * name a column more than once */
	size_t room = 2 * w->table.column_count + 2;
	sqlite3_stmt *st;
	int rc, other = 0;

	x->columns = calloc(room, sizeof(*x->columns));
	x->record.fields = calloc(room, sizeof(*x->record.fields));
	x->record.rowid_value = -1;
	if (!x->columns || !x->record.fields)
		return error_nomem(err);
	if (sql_prepare(w->sweep->db->sql, &st, err,
			"PRAGMA main.index_xinfo(\"%w\")", name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0 && !other)
		other = x->column_count == room || add_column(w, x, st);
	sqlite3_finalize(st);
	if (rc < 0)
		return -1;
	/* the rowid stands last, and is no part of the key */
	return other || x->column_count < 2 ||
	       x->key_count != x->column_count - 1 ||
	       x->columns[x->key_count].value != -1;
}

/* Root page, and which rows it is about. @return 0; 1; -1 */
static int plan_rows(const struct sweeping *w, const char *name, int partial,
		     struct index_plan *x, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(w->sweep->db->sql, &st, err,
			"SELECT rootpage, sql FROM main.sqlite_schema "
			"WHERE type = 'index' AND name = '%q'",
			name) < 0)
		return -1;
	rc = sql_step(st, err);
	if (rc > 0) {
		const char *text = (const char *)sqlite3_column_text(st, 1);
		const char *where = text ? statement_where(text) : NULL;

		x->root = (uint32_t)sqlite3_column_int64(st, 0);
		if (where && !(x->where = strdup(where)))
			rc = error_nomem(err);
	}
	sqlite3_finalize(st);
	if (rc < 0)
		return -1;
	return !rc || x->root < 2 || !x->where != !partial;
}

/* What PRAGMA index_list tells of an index. @return 0; 1; -1 */
static int add_index(struct sweeping *w, sqlite3_stmt *st, struct error *err)
{
	const char *name = (const char *)sqlite3_column_text(st, 1);
	struct swept_index *grown, *x;
	size_t i;
	int rc;

	grown = realloc(w->indexes, (w->index_count + 1) * sizeof(*grown));
	if (!grown || !name)
		return error_nomem(err);
	w->indexes = grown;
	x = &grown[w->index_count++];
	memset(x, 0, sizeof(*x));
	x->plan.unique = sqlite3_column_int(st, 2);
	rc = plan_columns(w, name, &x->plan, err);
	if (rc == 0)
		rc = plan_rows(w, name, sqlite3_column_int(st, 4), &x->plan,
			       err);
	if (rc)
		return rc;
	x->places = calloc(x->plan.column_count, sizeof(*x->places));
	if (!x->places)
		return error_nomem(err);
	for (i = 0; i < x->plan.column_count; i++) {
		int value = x->plan.columns[i].value;

		x->places[i] = value < 0 ? &w->rowid : &w->values[value];
	}
	return 0;
}

static int find_indexes(struct sweeping *w, struct error *err)
{
	sqlite3_stmt *st;
	int rc, other = 0;

	if (sql_prepare(w->sweep->db->sql, &st, err,
			"PRAGMA main.index_list(\"%w\")", w->table.name) < 0)
		return -1;
	while (!other && (rc = sql_step(st, err)) > 0)
		other = add_index(w, st, err);
	sqlite3_finalize(st);
	return other ? other : rc;
}

/* ---- sets of rowids ---- */

/* Call `each` for all rowids of a table, ascending. @return 0; 1; -1 */
static int read_rowids(const struct leaves *t, size_t from,
		       int (*each)(struct rowid_set *, int64_t),
		       struct rowid_set *set)
{
	struct leaf_cursor cursor = { .leaves = t };
	unsigned char *page = malloc(t->pages->size);
	unsigned i, cells = 0;
	struct leaf leaf;
	struct cell c;
	int rc = page ? 0 : -1;

	for (; rc == 0 && from < t->leaf_count; from++) {
		rc = leaf_find(&cursor, from, &leaf);
		if (rc == 0)
			rc = leaf_read(t, leaf.page, page, &cells);
		for (i = 0; rc == 0 && i < cells; i++) {
			rc = cell_read(t->pages, page, cells, i, &c);
			if (rc == 0 &&
			    (c.rowid < leaf.from || c.rowid > leaf.upto))
				rc = 1;
			if (rc == 0)
				rc = each(set, c.rowid);
		}
	}
	leaf_cursor_release(&cursor);
	free(page);
	return rc;
}

/* Of the last leaf's rowids the greatest; of the first row the rowid. */
static int note_last(struct rowid_set *set, int64_t rowid)
{
	set->size = (uint64_t)rowid;
	return 0;
}

static int note_first(struct rowid_set *set, int64_t rowid)
{
	set->first = rowid;
	return 2; /* that is all */
}

static int add_rowid(struct rowid_set *set, int64_t rowid)
{
	uint64_t bit = (uint64_t)rowid - (uint64_t)set->first;

	if (bit >= set->size)
		return 1;
	set->bits[bit / 64] |= (uint64_t)1 << bit % 64;
	return 0;
}

static int has_rowid(const struct rowid_set *set, int64_t rowid)
{
	uint64_t bit = (uint64_t)rowid - (uint64_t)set->first;

	return bit < set->size && set->bits[bit / 64] >> bit % 64 & 1;
}

/* From which rowid to which. @return 0; 1: too far; -1 */
static int measure(const struct leaves *t, struct rowid_set *set)
{
	int rc = read_rowids(t, 0, note_first, set);

	if (rc == 0) /* there is none */
		return 0;
	if (rc != 2)
		return rc;
	rc = read_rowids(t, t->leaf_count - 1, note_last, set);
	if (rc)
		return rc;
	set->size -= (uint64_t)set->first;
	return set->size++ >= SET_BITS_MAX;
}

static int fill_set(struct sweep *s, const struct leaves *t,
		    struct rowid_set *set)
{
	int rc = measure(t, set);

	if (rc)
		return rc;
	if (s->set_bits + set->size > SET_BITS_MAX)
		return 1;
	set->bits = calloc(set->size / 64 + 1, sizeof(*set->bits));
	return set->bits ? read_rowids(t, 0, add_rowid, set) : -1;
}

/* The set of a table's rowids. @return 0; 1; -1 */
static int find_set(struct sweep *s, uint32_t root, size_t *out,
		    struct error *err)
{
	struct rowid_set set = { .root = root }, *grown;
	struct leaves leaves;
	int rc;

	for (*out = 0; *out < s->set_count; ++*out)
		if (s->sets[*out].root == root)
			return !s->sets[*out].bits;
	rc = leaves_find(&leaves, s->pages, root);
	if (rc == 0)
		rc = fill_set(s, &leaves, &set);
	leaves_release(&leaves);
	grown = rc < 0 ? NULL
		       : realloc(s->sets, (s->set_count + 1) * sizeof(*grown));
	if (!grown) {
		free(set.bits);
		return error_nomem(err);
	}
	s->sets = grown;
	if (rc > 0) { /* and it is not tried again */
		free(set.bits);
		set.bits = NULL;
	}
	s->set_bits += set.bits ? set.size : 0;
	s->sets[s->set_count++] = set;
	return rc;
}

/* ---- foreign keys ---- */

/* The root of a parent whose INTEGER PRIMARY KEY is column `to` (NULL: its
 * primary key), or 0. @return 0 or -1 */
static int find_parent(struct sweep *s, const char *parent, const char *to,
		       uint32_t *root, struct error *err)
{
	struct table t;
	int rc;

	*root = pages_root(s->pages, parent);
	if (!*root)
		return 0;
	memset(&t, 0, sizeof(t));
	rc = table_read(s->db->sql, parent, &t, err);
	if (rc == 0 &&
	    (t.order != ORDER_ROWID || t.rowid_column < 0 ||
	     (to && sqlite3_stricmp(to, t.columns[t.rowid_column].name))))
		*root = 0;
	table_read_release(&t);
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
	uint32_t root = 0;
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
	k->value = value_of(&w->table, column);
	if (find_parent(w->sweep, parent, to, &root, err) < 0)
		return -1;
	rc = root ? find_set(w->sweep, root, &k->set, err) : 1;
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

/* A value that is no integer may still have a parent: it is converted. */
static void try_keys(struct sweeping *w)
{
	size_t i;

	for (i = 0; i < w->key_count; i++) {
		struct swept_key *k = &w->keys[i];
		const struct value *v;

		if (k->fails)
			continue;
		v = &w->values[k->value];
		k->fails = v->class != VALUE_NULL &&
			   (v->class != VALUE_INTEGER ||
			    !has_rowid(&w->sweep->sets[k->set], v->integer));
	}
}

/* ---- rows ---- */

static int take_row(struct sweeping *w)
{
	size_t i;

	for (i = 0; w->judged && i < w->index_count; i++) {
		struct swept_index *x = &w->indexes[i];

		if (!x->plan.where &&
		    index_sum_add(&x->rows, x->places, x->plan.column_count,
				  w->sweep->key) < 0)
			return -1;
	}
	try_keys(w);
	return 0;
}

/* @return 0; 1: SQLite is to look; -1 */
static int take_rows(struct sweeping *w, struct error *err)
{
	struct parts *parts = NULL;
	struct scan *scan = NULL;
	int rc = database_parts(w->sweep->db, &w->table, &parts, err);

	if (rc == 0)
		rc = parts_scan(parts, &scan, err);
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

static void take_column(sqlite3_stmt *st, int i, struct value *v)
{
	memset(v, 0, sizeof(*v));
	switch (sqlite3_column_type(st, i)) {
	case SQLITE_NULL:
		return;
	case SQLITE_INTEGER:
		v->class = VALUE_INTEGER;
		v->integer = sqlite3_column_int64(st, i);
		return;
	case SQLITE_FLOAT:
		v->class = VALUE_REAL;
		v->real = sqlite3_column_double(st, i);
		return;
	case SQLITE_TEXT:
		v->class = VALUE_TEXT;
		v->data = (const char *)sqlite3_column_text(st, i);
		break;
	default:
		v->class = VALUE_BLOB;
		v->data = sqlite3_column_blob(st, i);
	}
	v->size = (size_t)sqlite3_column_bytes(st, i);
}

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
			take_column(st, (int)i, &values[i]);
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
	int rc = x->plan.where ? take_partial(w, x) : 0;

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
		plan_release(&w->indexes[i].plan);
		buffer_release(&w->indexes[i].rows.room);
		free(w->indexes[i].places);
	}
	free(w->indexes);
	free(w->keys);
	free(w->values);
	record_plan_release(&w->plan);
	table_read_release(&w->table);
}

/* Tables without rowids are read through SQL. @return 0; 1; -1 */
static int prepare(struct sweeping *w, const char *table, struct error *err)
{
	struct sweep *s = w->sweep;

	if (table_read(s->db->sql, table, &w->table, err) < 0)
		return -1;
	if (!s->pages || w->table.order != ORDER_ROWID)
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
	int rc, indexes;
	size_t i;

	memset(out, 0, sizeof(*out));
	indexes = has_indexes(s, table, err);
	out->indexes = indexes == 0;
	if (indexes < 0)
		return -1;
	/* what is kept of parents is bounded, and begun anew in between */
	if (s->set_bits > SET_BITS_MAX / 2)
		forget_sets(s);
	rc = prepare(&w, table, err);
	if (rc == 0)
		rc = find_keys(&w, err);
	if (rc == 0 && (indexes = find_indexes(&w, err)) < 0)
		rc = -1;
	w.judged = !indexes;
	if (rc == 0 && ((w.judged && w.index_count) || w.key_count))
		rc = take_rows(&w, err);
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
