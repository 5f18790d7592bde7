/*
 * sqlite_check.c - is a database sound, as SQLite sees it?
 *
 * integrity_check also tells of rows that violate CHECK, NOT NULL or a STRICT
 * type.  Those are the source's own: they are content, and the content id
 * covers them.
 *
 * What it tells is what counts, but it is not run where its answer is known:
 * quick_check has all of it but indexes and the order of primary keys, and a
 * sweep over a table (sqlite_sweep.c) mostly knows of its indexes that they are
 * right, and of its foreign keys that they hold.  SQLite is asked about the
 * others.
 */
#include "base/error.h"
#include "database/sqlite_pages.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PROBLEMS_MAX    100
#define TABLE_LINES_MAX 100 /* as integrity_check tells of one table */

void database_check_release(struct database_check *c)
{
	size_t i;

	for (i = 0; i < c->problem_count; i++)
		free(c->problems[i]);
	for (i = 0; i < c->orphan_count; i++) {
		free(c->orphans[i].table);
		free(c->orphans[i].parent);
	}
	for (i = 0; i < c->unchecked_count; i++)
		free(c->unchecked[i]);
	free(c->problems);
	free(c->orphans);
	free(c->unchecked);
	memset(c, 0, sizeof(*c));
}

static int add_text(char ***list, size_t *count, const char *text,
		    struct error *err)
{
	char **grown = realloc(*list, (*count + 1) * sizeof(*grown));

	if (!grown)
		return error_nomem(err);
	*list = grown;
	grown[*count] = strdup(text);
	return grown[(*count)++] ? 0 : error_nomem(err);
}

static int begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* "NULL value in t.a", "TEXT value in", "NUMERIC value in", "non-INTEGER value
 * in" and "CHECK constraint failed in t" */
static int is_content(const char *line)
{
	const char *space = strchr(line, ' ');

	if (begins(line, "CHECK constraint failed in "))
		return 1;
	return space && begins(space, " value in ") &&
	       (begins(line, "NULL ") || begins(line, "TEXT ") ||
		begins(line, "NUMERIC ") || begins(line, "non-"));
}

/* ---- what stand-ins make of indexes ---- */

static int ends(const char *line, const char *name)
{
	size_t a = strlen(line), b = strlen(name);

	return a > b && line[a - b - 1] == ' ' && !strcmp(line + a - b, name);
}

/* Does the index sort by a collation that is stood in for? */
static int sorts_strangely(struct database *db, const char *index,
			   struct error *err)
{
	sqlite3_stmt *st;
	int rc, strange = 0;

	if (sql_prepare(db->sql, &st, err, "PRAGMA main.index_xinfo(\"%w\")",
			index) < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *order = (const char *)sqlite3_column_text(st, 4);

		if (order && names_has(&db->collations, order))
			strange = 1;
	}
	sqlite3_finalize(st);
	return rc < 0 ? -1 : strange;
}

static int mentions_function(struct database *db, const char *text)
{
	size_t i;

	for (i = 0; text && i < db->functions.count; i++)
		if (statement_mentions(text, db->functions.items[i]))
			return 1;
	return 0;
}

/* Names of indexes (and WITHOUT ROWID tables) about which integrity_check
 * can't say anything, because it compares by stand-ins. */
static int find_doubtful(struct database *db, struct names *out,
			 struct error *err)
{
	sqlite3_stmt *st;
	int rc, doubtful;

	if (!db->collations.count && !db->functions.count)
		return 0;
	if (sql_prepare(db->sql, &st, err,
			"SELECT x.name, x.sql, t.sql FROM main.sqlite_schema x "
			"LEFT JOIN main.sqlite_schema t ON t.type = 'table' "
			"AND t.name = x.tbl_name "
			"WHERE x.type IN ('index', 'table')") < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *name = (const char *)sqlite3_column_text(st, 0);
		const char *text = (const char *)sqlite3_column_text(st, 1);
		const char *table = (const char *)sqlite3_column_text(st, 2);

		if (!name)
			continue;
		doubtful = mentions_function(db, text) ||
			   mentions_function(db, table);
		if (!doubtful)
			doubtful = sorts_strangely(db, name, err);
		if (doubtful < 0 || (doubtful && names_add(out, name) < 0)) {
			rc = doubtful < 0 ? -1 : error_nomem(err);
			break;
		}
	}
	sqlite3_finalize(st);
	return rc;
}

static int is_doubtful(const struct names *doubtful, const char *line)
{
	size_t i;

	if (!strstr(line, "index ") && !begins(line, "row not in PRIMARY KEY"))
		return 0;
	for (i = 0; i < doubtful->count; i++)
		if (ends(line, doubtful->items[i]))
			return 1;
	return 0;
}

/* ---- integrity ---- */

static int is_known(const struct database_check *c, const char *line)
{
	size_t i;

	for (i = 0; i < c->problem_count; i++)
		if (!strcmp(c->problems[i], line))
			return 1;
	return 0;
}

/* @param lines  receives how many there were, content as well */
static int add_lines(sqlite3_stmt *st, const struct names *doubtful,
		     struct database_check *out, size_t *lines,
		     struct error *err)
{
	int rc;

	*lines = 0;
	while ((rc = sql_step(st, err)) > 0) {
		const char *line = (const char *)sqlite3_column_text(st, 0);

		++*lines;
		if (!line || !strcmp(line, "ok") || is_content(line) ||
		    is_doubtful(doubtful, line) || is_known(out, line))
			continue;
		if (add_text(&out->problems, &out->problem_count, line, err) <
		    0)
			return -1;
		if (out->problem_count >= PROBLEMS_MAX)
			return 0;
	}
	return rc;
}

/* Prepare a statement that may compile CHECKs and expressions. */
static int prepare_check(struct database *db, const char *text,
			 sqlite3_stmt **out, struct error *err)
{
	int rc, tries = 0;

	*out = NULL;
	do {
		rc = sqlite3_prepare_v2(db->sql, text, -1, out, NULL) ==
				     SQLITE_OK
			     ? 0
			     : stand_in_after(db, db->sql, "the database",
					      &tries, err);
	} while (rc > 0);
	if (rc == 0 && !*out)
		rc = sql_error(db->sql, err, "cannot check '%.500s'", db->name);
	return rc;
}

/* @param run  0: it is only compiled */
static int run_check(struct database *db, const char *text, int run,
		     struct database_check *out, size_t *lines,
		     struct error *err)
{
	struct names doubtful = { NULL, 0, 0 };
	sqlite3_stmt *st = NULL;
	int rc;

	rc = prepare_check(db, text, &st, err);
	if (rc == 0 && run)
		rc = find_doubtful(db, &doubtful, err);
	if (rc == 0 && run)
		rc = add_lines(st, &doubtful, out, lines, err);
	sqlite3_finalize(st);
	names_release(&doubtful);
	return rc;
}

/* No limit but ours: a hundred rows that violate a CHECK must not hide the
 * damage behind them. */
static int check_all(struct database *db, int run, struct database_check *out,
		     struct error *err)
{
	size_t lines;

	return run_check(db, "PRAGMA main.integrity_check(2000000000)", run,
			 out, &lines, err);
}

static int check_pages(struct database *db, struct database_check *out,
		       struct error *err)
{
	size_t lines;

	return run_check(db, "PRAGMA main.quick_check(2000000000)", 1, out,
			 &lines, err);
}

/* A table's name may look like a number, which would be a limit. */
static int check_indexes(struct database *db, const char *table,
			 struct database_check *out, struct error *err)
{
	size_t lines = TABLE_LINES_MAX;
	char *text;
	int rc = 0;

	if (!strchr("0123456789+-", *table)) {
		text = sqlite3_mprintf("PRAGMA main.integrity_check(\"%w\")",
				       table);
		if (!text)
			return error_nomem(err);
		rc = run_check(db, text, 1, out, &lines, err);
		sqlite3_free(text);
	}
	return rc < 0 || lines < TABLE_LINES_MAX ? rc
						 : check_all(db, 1, out, err);
}

/* ---- foreign keys ---- */

static int count_orphan(struct database_check *out, size_t first,
			const char *table, const char *parent,
			struct error *err)
{
	struct orphan *list, *o;
	size_t i;

	for (i = first; i < out->orphan_count; i++) {
		if (!strcmp(out->orphans[i].parent, parent)) {
			out->orphans[i].rows++;
			return 0;
		}
	}
	list = realloc(out->orphans, (out->orphan_count + 1) * sizeof(*list));
	if (!list)
		return error_nomem(err);
	out->orphans = list;
	o = &list[out->orphan_count];
	o->table = strdup(table);
	o->parent = strdup(parent);
	o->rows = 1;
	out->orphan_count++;
	return o->table && o->parent ? 0 : error_nomem(err);
}

static int compare_parents(const void *a, const void *b)
{
	return strcmp(((const struct orphan *)a)->parent,
		      ((const struct orphan *)b)->parent);
}

/* A parent without a unique key for the columns, or one that is a view. */
static int is_mismatch(sqlite3 *sql)
{
	return (sqlite3_errcode(sql) & 0xff) == SQLITE_ERROR;
}

/*
 * Has every row its parent?  SQLite's check looks each child's parent up in the
 * order of the rows; asked this way, the planner reads an index of the children
 * where there is one, and the look-ups come in the parents' order.  The unary
 * plus takes the child's affinity off, so that the parent's affinity and
 * collation decide, as foreign keys want it
 * (https://sqlite.org/foreignkeys.html, section 3).
 *
 * @return 1: yes; 0: not all, or it can't be told this way
 */
static int key_holds(sqlite3 *sql, const char *table, const char *from,
		     const char *parent, const char *to)
{
	sqlite3_stmt *st = NULL;
	char *text = sqlite3_mprintf(
		"SELECT 1 FROM main.\"%w\" AS c WHERE c.\"%w\" IS NOT NULL "
		"AND NOT EXISTS (SELECT 1 FROM main.\"%w\" AS p "
		"WHERE p.\"%w\" = +c.\"%w\") LIMIT 1",
		table, from, parent, to, from);
	int holds;

	holds = text &&
		sqlite3_prepare_v2(sql, text, -1, &st, NULL) == SQLITE_OK &&
		sqlite3_step(st) == SQLITE_DONE;
	sqlite3_finalize(st);
	sqlite3_free(text);
	return holds;
}

static int is_swept(const struct swept *s, int id)
{
	return id >= 0 && (size_t)id < s->key_count && s->keys[id];
}

/* Keys of several columns, and those that name no column of the parent, are
 * SQLite's.  @return as key_holds() */
static int keys_hold(sqlite3 *sql, const char *table, const struct swept *swept)
{
	sqlite3_stmt *st;
	int rc, holds = 1;

	if (sql_prepare(sql, &st, NULL, "PRAGMA main.foreign_key_list(\"%w\")",
			table) < 0)
		return 0;
	while (holds && (rc = sqlite3_step(st)) != SQLITE_DONE) {
		const char *parent = (const char *)sqlite3_column_text(st, 2);
		const char *from = (const char *)sqlite3_column_text(st, 3);
		const char *to = (const char *)sqlite3_column_text(st, 4);

		if (rc == SQLITE_ROW &&
		    is_swept(swept, sqlite3_column_int(st, 0)))
			continue;
		holds = rc == SQLITE_ROW && !sqlite3_column_int(st, 1) &&
			parent && from && to &&
			key_holds(sql, table, from, parent, to);
	}
	sqlite3_finalize(st);
	return holds;
}

static int check_keys(struct database *db, const char *table,
		      const struct swept *swept, struct database_check *out,
		      struct error *err)
{
	size_t first = out->orphan_count;
	sqlite3_stmt *st = NULL;
	char *text;
	int rc;

	text = sqlite3_mprintf("PRAGMA main.foreign_key_check(\"%w\")", table);
	if (!text)
		return error_nomem(err);
	/* this alone tells keys that can't be checked */
	rc = sqlite3_prepare_v2(db->sql, text, -1, &st, NULL);
	sqlite3_free(text);
	if (rc == SQLITE_OK && keys_hold(db->sql, table, swept))
		rc = SQLITE_DONE;
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		const char *parent;

		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		parent = (const char *)sqlite3_column_text(st, 2);
		if (count_orphan(out, first, table, parent ? parent : "", err) <
		    0) {
			sqlite3_finalize(st);
			return -1;
		}
	}
	/* the order of a table's keys is the library's affair */
	if (out->orphan_count > first)
		qsort(out->orphans + first, out->orphan_count - first,
		      sizeof(*out->orphans), compare_parents);
	if (rc == SQLITE_DONE)
		rc = 0;
	else if (is_mismatch(db->sql))
		rc = add_text(&out->unchecked, &out->unchecked_count, table,
			      err);
	else
		rc = sql_error(db->sql, err,
			       "cannot check foreign keys of table '%.200s'",
			       table);
	sqlite3_finalize(st);
	return rc;
}

static int has_foreign_keys(sqlite3 *sql, const char *table, struct error *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sql_prepare(sql, &st, err, "PRAGMA main.foreign_key_list(\"%w\")",
			table) < 0)
		return -1;
	rc = sql_step(st, err);
	sqlite3_finalize(st);
	return rc;
}

/* ---- pieces ---- */

static int check_table(struct database *db, struct sweep *sweep,
		       const char *table, struct database_check *out,
		       struct error *err)
{
	struct swept swept;
	int rc, has;

	if (sweep_table(sweep, table, &swept, err) < 0)
		return -1;
	rc = swept.indexes ? 0 : check_indexes(db, table, out, err);
	has = rc < 0 ? -1 : has_foreign_keys(db->sql, table, err);
	if (has > 0)
		has = check_keys(db, table, &swept, out, err);
	swept_release(&swept);
	return has < 0 ? -1 : 0;
}

static int check_tables(struct database *db, struct check_share *share,
			struct database_check *out, struct error *err)
{
	struct table_sizes tables = { NULL, 0 };
	struct sweep *sweep = NULL;
	size_t at;
	int rc = sweep_new(&sweep, db, err);

	if (rc == 0)
		rc = table_sizes_read(&tables, db, err);
	while (rc == 0) {
		at = atomic_fetch_add(&share->next, 1) - 1;
		if (at >= tables.count)
			break;
		rc = check_table(db, sweep, tables.items[at].name, out, err);
	}
	table_sizes_release(&tables);
	sweep_free(sweep);
	return rc;
}

/* Piece 0 is quick_check, the tables follow, large ones first.
 * integrity_check is compiled in any case: then what is missing is stood in
 * for, and foreign keys find it. */
static int check_pieces(struct database *db, struct check_share *share,
			struct database_check *out, struct error *err)
{
	size_t none = 0;

	if (check_all(db, 0, out, err) < 0)
		return -1;
	if (atomic_compare_exchange_strong(&share->next, &none, 1) &&
	    check_pages(db, out, err) < 0)
		return -1;
	return check_tables(db, share, out, err);
}

/* ---- in one order, whoever took which table ---- */

static int compare_orphans(const void *a, const void *b)
{
	const struct orphan *x = a, *y = b;
	int order = strcmp(x->table, y->table);

	return order ? order : strcmp(x->parent, y->parent);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_in_order(struct database_check *c)
{
	if (c->problem_count)
		qsort(c->problems, c->problem_count, sizeof(*c->problems),
		      compare_texts);
	if (c->orphan_count)
		qsort(c->orphans, c->orphan_count, sizeof(*c->orphans),
		      compare_orphans);
	if (c->unchecked_count)
		qsort(c->unchecked, c->unchecked_count, sizeof(*c->unchecked),
		      compare_texts);
}

int database_check(struct database *db, struct check_share *share,
		   struct database_check *out, struct error *err)
{
	struct check_share alone = { 0 };

	memset(out, 0, sizeof(*out));
	/* Each child's parent and each index entry is looked up: with the
	 * small cache of a scan that is one read of the file a row.  Two
	 * threads with 24 MB each were no faster. */
	if (sql_run(db->sql, "PRAGMA main.cache_size = -16384", err) < 0)
		return -1;
	if (check_pieces(db, share ? share : &alone, out, err) < 0) {
		database_check_release(out);
		return -1;
	}
	put_in_order(out);
	return 0;
}

/* ---- two results into one ---- */

static int append(void *to, size_t *to_count, void *from, size_t *from_count,
		  size_t size, struct error *err)
{
	char **list = to;
	char *grown;

	if (!*from_count)
		return 0;
	grown = realloc(*list, (*to_count + *from_count) * size);
	if (!grown)
		return error_nomem(err);
	memcpy(grown + *to_count * size, from, *from_count * size);
	*list = grown;
	*to_count += *from_count;
	*from_count = 0;
	return 0;
}

int database_check_merge(struct database_check *to, struct database_check *from,
			 struct error *err)
{
	if (append(&to->problems, &to->problem_count, from->problems,
		   &from->problem_count, sizeof(*to->problems), err) < 0 ||
	    append(&to->orphans, &to->orphan_count, from->orphans,
		   &from->orphan_count, sizeof(*to->orphans), err) < 0 ||
	    append(&to->unchecked, &to->unchecked_count, from->unchecked,
		   &from->unchecked_count, sizeof(*to->unchecked), err) < 0)
		return -1;
	put_in_order(to);
	return 0;
}
