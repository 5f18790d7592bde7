/*
 * sqlite_load.c - rows into a table, exactly as they were
 *
 * SQLite converts a value to its column's affinity on the way in.  The values
 * of a sound table went that way once and so stay as they are; but a table can
 * hold others (its text was edited, it was filled by another version).  Such a
 * value is found before it is bound: then the table has to be built bare.
 */
#include "base/error.h"
#include "database/sqlite_internal.h"
#include "snapshot/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loader {
	struct database *db;
	const struct table *table;
	sqlite3_stmt *insert;
	const struct bare_table *bare; /* or NULL */
	enum affinity *affinities;     /* by value */
	size_t value_count;
	int rowid_value; /* index of the value that is the rowid, or -1 */
	int has_rowid;   /* the last parameter is the rowid */
};

void loader_free(struct loader *l)
{
	if (!l)
		return;
	sqlite3_finalize(l->insert);
	free(l->affinities);
	free(l);
}

static int contains(const char *type, const char *word)
{
	size_t size = strlen(word);

	for (; *type; type++)
		if (!sqlite3_strnicmp(type, word, (int)size))
			return 1;
	return 0;
}

enum affinity affinity_of(const char *type, int strict)
{
	if (strict && !sqlite3_stricmp(type, "ANY"))
		return AFFINITY_NONE;
	if (contains(type, "INT"))
		return AFFINITY_INTEGER;
	if (contains(type, "CHAR") || contains(type, "CLOB") ||
	    contains(type, "TEXT"))
		return AFFINITY_TEXT;
	if (!*type || contains(type, "BLOB"))
		return AFFINITY_NONE;
	if (contains(type, "REAL") || contains(type, "FLOA") ||
	    contains(type, "DOUB"))
		return AFFINITY_REAL;
	return AFFINITY_NUMERIC;
}

/* There are no views yet that PRAGMA table_list would have to compile. */
static int is_strict(sqlite3 *sql, const char *table, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(sql, &st, err, "PRAGMA main.table_list(\"%w\")",
			table) < 0)
		return -1;
	rc = sql_step(st, err);
	if (rc > 0)
		rc = sqlite3_column_int(st, 5);
	sqlite3_finalize(st);
	return rc;
}

static int read_affinities(struct loader *l, struct error *err)
{
	sqlite3 *sql = l->db->sql;
	const char *name = l->table->name;
	int strict = is_strict(sql, name, err), rc;
	sqlite3_stmt *st;
	size_t i = 0;

	if (strict < 0 ||
	    sql_prepare(sql, &st, err, "PRAGMA main.table_xinfo(\"%w\")",
			name) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *type = (const char *)sqlite3_column_text(st, 2);

		if (sqlite3_column_int(st, 6) < 2 && i < l->value_count)
			l->affinities[i++] =
				affinity_of(type ? type : "", strict);
	}
	sqlite3_finalize(st);
	if (rc == 0 && i != l->value_count)
		rc = error_set(err, ERROR_FAILED,
			       "table '%.200s' has other columns", name);
	return rc;
}

static int prepare_insert(struct loader *l, struct error *err)
{
	sqlite3_str *text = sqlite3_str_new(l->db->sql);
	const struct table *t = l->table;
	const char *comma = "";
	char what[320], *sql;
	size_t i;
	int rc, tries = 0;

	/* OR ABORT outranks the ON CONFLICT clauses of constraints, which
	 * would replace a NULL or skip a row without a word */
	sqlite3_str_appendf(text, "INSERT OR ABORT INTO main.\"%w\"(", t->name);
	for (i = 0; i < t->column_count; i++) {
		if (t->columns[i].generated)
			continue;
		sqlite3_str_appendf(text, "%s\"%w\"", comma,
				    t->columns[i].name);
		comma = ",";
	}
	if (l->has_rowid)
		sqlite3_str_appendf(text, ",%s", t->rowid_key);
	sqlite3_str_appendall(text, ")VALUES(?");
	for (i = 1; i < l->value_count + (size_t)l->has_rowid; i++)
		sqlite3_str_appendall(text, ",?");
	sqlite3_str_appendall(text, ")");
	sql = sqlite3_str_finish(text);
	if (!sql)
		return error_nomem(err);
	snprintf(what, sizeof(what), "table '%.200s'", t->name);
	do {
		rc = sqlite3_prepare_v3(l->db->sql, sql, -1,
					SQLITE_PREPARE_PERSISTENT, &l->insert,
					NULL) == SQLITE_OK
			     ? 0
			     : stand_in_after(l->db, l->db->sql, what, &tries,
					      err);
	} while (rc > 0);
	if (rc == 0 && !l->insert)
		rc = sql_error(l->db->sql, err, "cannot load table '%.200s'",
			       t->name);
	sqlite3_free(sql);
	return rc;
}

/* The rows that AUTOINCREMENT wrote while other tables were loaded are not
 * the database's. */
static int begin_sequence(struct database *db, const struct table *t,
			  struct error *err)
{
	if (strcmp(t->name, "sqlite_sequence") != 0 ||
	    db->build->sequence_loaded)
		return 0;
	db->build->sequence_loaded = 1;
	return sql_run(db->sql, "DELETE FROM main.sqlite_sequence", err);
}

int database_load(struct database *db, const struct table *t,
		  struct loader **out, struct error *err)
{
	struct loader *l = calloc(1, sizeof(*l));
	size_t i;

	*out = NULL;
	if (!l)
		return error_nomem(err);
	l->db = db;
	l->table = t;
	l->bare = bare_find(db, t->name);
	l->rowid_value = -1;
	l->has_rowid = t->order == ORDER_ROWID && t->rowid_column < 0;
	for (i = 0; i < t->column_count; i++) {
		if (t->columns[i].generated)
			continue;
		if (t->order == ORDER_ROWID && t->rowid_column == (int)i)
			l->rowid_value = (int)l->value_count;
		l->value_count++;
	}
	l->affinities = calloc(l->value_count + 1, sizeof(*l->affinities));
	if (!l->affinities)
		error_nomem(err);
	if (!l->affinities || begin_sequence(db, t, err) < 0 ||
	    read_affinities(l, err) < 0 || prepare_insert(l, err) < 0) {
		loader_free(l);
		return -1;
	}
	*out = l;
	return 0;
}

/* ---- what SQLite would make of a value ---- */

static size_t skip_spaces(const char *s, size_t size, size_t at)
{
	while (at < size && (s[at] == ' ' || (s[at] >= 9 && s[at] <= 13)))
		at++;
	return at;
}

static size_t skip_digits(const char *s, size_t size, size_t at)
{
	while (at < size && s[at] >= '0' && s[at] <= '9')
		at++;
	return at;
}

/* Is the whole text a number in SQLite's eyes: " -12.5e3 ", "7.", ".5"? */
static int looks_numeric(const char *s, size_t size)
{
	size_t at = skip_spaces(s, size, 0), from, digits;

	if (at < size && (s[at] == '+' || s[at] == '-'))
		at++;
	from = at;
	at = skip_digits(s, size, at);
	digits = at - from;
	if (at < size && s[at] == '.') {
		from = at + 1;
		at = skip_digits(s, size, from);
		digits += at - from;
	}
	if (!digits)
		return 0;
	if (at < size && (s[at] == 'e' || s[at] == 'E')) {
		at++;
		if (at < size && (s[at] == '+' || s[at] == '-'))
			at++;
		from = at;
		at = skip_digits(s, size, at);
		if (at == from)
			return 0;
	}
	return skip_spaces(s, size, at) == size;
}

/* Would it become an INTEGER? */
static int is_integral(double r)
{
	return r > -9223372036854775808.0 && r < 9223372036854775808.0 &&
	       r == (double)(int64_t)r;
}

/* @return the class that the column would turn the value into, or NULL */
static const char *conversion(enum affinity a, const struct value *v)
{
	int numeric;

	switch (a) {
	case AFFINITY_NONE:
		return NULL;
	case AFFINITY_TEXT:
		return v->class == VALUE_INTEGER || v->class == VALUE_REAL
			       ? "text"
			       : NULL;
	default:
		break;
	}
	/* ill-formed UTF-16 may begin with a number: better bare than sorry */
	numeric = v->class == VALUE_TEXT16 ||
		  (v->class == VALUE_TEXT && looks_numeric(v->data, v->size));
	if (numeric)
		return "a number";
	if (a == AFFINITY_REAL) {
		/* SQLite keeps whole numbers of REAL columns as integers, and
		 * there is no integer -0 */
		if (v->class == VALUE_REAL && v->real == 0 && signbit(v->real))
			return "0.0";
		return v->class == VALUE_INTEGER ? "a real" : NULL;
	}
	return v->class == VALUE_REAL && is_integral(v->real) ? "an integer"
							      : NULL;
}

static const struct column *value_column(const struct loader *l, size_t value)
{
	const struct column *c = l->table->columns;

	for (;; c++) {
		if (c->generated)
			continue;
		if (!value--)
			return c;
	}
}

/* @return 0, 1 or -1 as loader_row() */
static int check_row(struct loader *l, const struct value *values,
		     struct error *err)
{
	const char *becomes;
	size_t i;

	if (l->rowid_value >= 0 &&
	    values[l->rowid_value].class != VALUE_INTEGER)
		return error_set(err, ERROR_DAMAGE,
				 "table '%.200s': a row's INTEGER PRIMARY KEY "
				 "is no integer",
				 l->table->name);
	if (l->bare && !l->bare->typed)
		return 0;
	for (i = 0; i < l->value_count; i++) {
		if ((int)i == l->rowid_value)
			continue;
		becomes = conversion(l->affinities[i], &values[i]);
		if (!becomes)
			continue;
		error_set(
			err, l->bare ? ERROR_STANDIN : ERROR_FAILED,
			"table '%.200s' would turn a value of column '%.200s' "
			"into %s%s",
			l->table->name, value_column(l, i)->name, becomes,
			l->bare ? ", and its generated columns need the types"
				: "");
		return l->bare ? -1 : 1;
	}
	return 0;
}

/* ---- binding ---- */

static int bind_value(struct loader *l, int parameter, const struct value *v,
		      struct error *err)
{
	sqlite3_stmt *st = l->insert;
	int rc = SQLITE_OK;

	switch (v->class) {
	case VALUE_NULL:
		rc = sqlite3_bind_null(st, parameter);
		break;
	case VALUE_INTEGER:
		rc = sqlite3_bind_int64(st, parameter, v->integer);
		break;
	case VALUE_REAL:
		rc = sqlite3_bind_double(st, parameter, v->real);
		break;
	case VALUE_TEXT:
		return sql_bind_text(l->db, st, parameter, v->data, v->size,
				     err);
	case VALUE_TEXT16:
		if (l->db->encoding == ENCODING_UTF8)
			return error_set(err, ERROR_DAMAGE,
					 "table '%.200s': UTF-16 in a UTF-8 "
					 "database",
					 l->table->name);
		/* SQLite would cut the last byte off.  No SQL makes such a
		 * text, only an edited file has it */
		if (v->size % 2)
			return error_set(err, ERROR_FAILED,
					 "table '%.200s': UTF-16 text with an "
					 "odd number of bytes can't be written",
					 l->table->name);
		return sql_bind_text16(l->db, st, parameter, v->data, v->size,
				       err);
	case VALUE_BLOB:
		/* a NULL pointer would bind NULL */
		rc = v->size ? sqlite3_bind_blob64(st, parameter, v->data,
						   v->size, SQLITE_STATIC)
			     : sqlite3_bind_zeroblob(st, parameter, 0);
		break;
	}
	if (rc != SQLITE_OK)
		return sql_error(l->db->sql, err, "table '%.200s'",
				 l->table->name);
	return 0;
}

static int bind_row(struct loader *l, int64_t rowid, const struct value *values,
		    struct error *err)
{
	size_t i;

	for (i = 0; i < l->value_count; i++)
		if (bind_value(l, (int)i + 1, &values[i], err) < 0)
			return -1;
	if (l->has_rowid)
		sqlite3_bind_int64(l->insert, (int)l->value_count + 1, rowid);
	return 0;
}

static void describe_row(char out[320], const struct loader *l, int64_t rowid)
{
	if (l->table->order == ORDER_ROWID)
		snprintf(out, 320, "table '%.200s', rowid %lld", l->table->name,
			 (long long)rowid);
	else
		snprintf(out, 320, "table '%.200s'", l->table->name);
}

static int step_row(struct loader *l, int64_t rowid, struct error *err)
{
	char what[320];
	int rc = sqlite3_step(l->insert) & 0xff;

	if (rc == SQLITE_DONE)
		return 0;
	describe_row(what, l, rowid);
	if (rc != SQLITE_CONSTRAINT && rc != SQLITE_MISMATCH)
		return sql_error(l->db->sql, err, "%s", what);
	error_set(err, ERROR_DAMAGE, "%s is refused: %s", what,
		  sqlite3_errmsg(l->db->sql));
	return l->bare ? -1 : 1;
}

int loader_row(struct loader *l, int64_t rowid, const struct value *values,
	       struct error *err)
{
	int rc = check_row(l, values, err);

	if (rc)
		return rc;
	rc = bind_row(l, rowid, values, err);
	if (rc == 0)
		rc = step_row(l, rowid, err);
	sqlite3_reset(l->insert);
	return rc;
}
