/*
 * sqlite_check_tables.c - in which order tables are checked
 *
 * Whoever is done takes the next one: when the largest come first, nobody waits
 * in the end for one that was begun late.
 */
#include "base/error.h"
#include "database/sqlite_pages.h"

#include <stdlib.h>

void table_sizes_release(struct table_sizes *t)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		free(t->items[i].name);
	free(t->items);
	memset(t, 0, sizeof(*t));
}

/* @return how many, as far as can be told; -1: memory ran out */
static int64_t count_leaves(const struct pages *p, const char *table)
{
	uint32_t root = p ? pages_root(p, table) : 0;
	struct leaves leaves;
	int64_t count;
	int rc;

	if (!root)
		return 0;
	rc = leaves_find(&leaves, p, root);
	count = rc ? 0 : (int64_t)leaves.leaf_count;
	leaves_release(&leaves);
	return rc < 0 ? -1 : count;
}

static int add(struct table_sizes *t, const struct pages *p, const char *name)
{
	struct table_size *grown =
		realloc(t->items, (t->count + 1) * sizeof(*grown));

	if (!grown)
		return -1;
	t->items = grown;
	grown[t->count].leaves = count_leaves(p, name);
	grown[t->count].name = strdup(name);
	if (!grown[t->count++].name)
		return -1;
	return grown[t->count - 1].leaves < 0 ? -1 : 0;
}

static int compare_sizes(const void *a, const void *b)
{
	const struct table_size *x = a, *y = b;

	if (x->leaves != y->leaves)
		return x->leaves > y->leaves ? -1 : 1;
	return strcmp(x->name, y->name);
}

int table_sizes_read(struct table_sizes *out, struct database *db,
		     struct error *err)
{
	const struct pages *p = database_pages(db);
	sqlite3_stmt *st;
	int rc;

	memset(out, 0, sizeof(*out));
	if (sql_prepare(db->sql, &st, err,
			"SELECT name FROM main.sqlite_schema "
			"WHERE type = 'table' AND rootpage > 0") < 0)
		return -1;
	while ((rc = sql_step(st, err)) > 0) {
		const char *name = (const char *)sqlite3_column_text(st, 0);

		if (name && add(out, p, name) < 0) {
			rc = error_nomem(err);
			break;
		}
	}
	sqlite3_finalize(st);
	if (rc == 0 && out->count)
		qsort(out->items, out->count, sizeof(*out->items),
		      compare_sizes);
	return rc;
}
