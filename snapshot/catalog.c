/*
 * catalog.c - memory of a catalog, and the canonical order of what it holds
 *
 * Arrays carry no capacity: they grow when their count is a power of two, so
 * any array made here has room up to the next one.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "snapshot/catalog.h"
#include "snapshot/order.h"

/* Make room for one element more; @return the array, or NULL */
static void *grown(void *array, size_t count, size_t size)
{
	size_t capacity = count ? count * 2 : 1;

	if (count & (count - 1))
		return array;
	if (capacity > SIZE_MAX / 2 / size)
		return NULL;
	return realloc(array, capacity * size);
}

struct catalog *catalog_new(void)
{
	return calloc(1, sizeof(struct catalog));
}

void table_release(struct table *t)
{
	size_t i;

	for (i = 0; i < t->column_count; i++)
		free(t->columns[i].name);
	for (i = 0; i < t->parent_count; i++)
		free(t->parents[i]);
	free(t->columns);
	free(t->parents);
	free(t->name);
	free(t->folder);
	free(t->rowid_key);
	memset(t, 0, sizeof(*t));
}

static void cycles_release(struct catalog *c)
{
	size_t i, j;

	for (i = 0; i < c->cycle_count; i++) {
		for (j = 0; j < c->cycles[i].count; j++)
			free(c->cycles[i].tables[j]);
		free(c->cycles[i].tables);
	}
	free(c->cycles);
	c->cycles = NULL;
	c->cycle_count = 0;
}

void catalog_free(struct catalog *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->table_count; i++)
		table_release(&c->tables[i]);
	for (i = 0; i < c->entry_count; i++) {
		free(c->entries[i].name);
		free(c->entries[i].table);
		free(c->entries[i].sql);
	}
	for (i = 0; i < c->left_out_count; i++) {
		free(c->left_out[i].name);
		free(c->left_out[i].why);
	}
	cycles_release(c);
	free(c->left_out);
	free(c->tables);
	free(c->entries);
	free(c->engine);
	free(c->schema_revision);
	free(c);
}

struct table *catalog_add_table(struct catalog *c)
{
	struct table *t = grown(c->tables, c->table_count, sizeof(*t));

	if (!t)
		return NULL;
	c->tables = t;
	t += c->table_count++;
	memset(t, 0, sizeof(*t));
	t->rowid_column = -1;
	return t;
}

struct entry *catalog_add_entry(struct catalog *c)
{
	struct entry *e = grown(c->entries, c->entry_count, sizeof(*e));

	if (!e)
		return NULL;
	c->entries = e;
	e += c->entry_count++;
	memset(e, 0, sizeof(*e));
	return e;
}

struct left_out *catalog_add_left_out(struct catalog *c)
{
	struct left_out *l = grown(c->left_out, c->left_out_count, sizeof(*l));

	if (!l)
		return NULL;
	c->left_out = l;
	l += c->left_out_count++;
	memset(l, 0, sizeof(*l));
	return l;
}

struct column *table_add_column(struct table *t)
{
	struct column *column =
		grown(t->columns, t->column_count, sizeof(*column));

	if (!column)
		return NULL;
	t->columns = column;
	column += t->column_count++;
	memset(column, 0, sizeof(*column));
	return column;
}

struct table *catalog_table(const struct catalog *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->table_count; i++)
		if (!strcmp(c->tables[i].name, name))
			return &c->tables[i];
	return NULL;
}

/* ---- tables ---- */

/* As SQLite compares names: ASCII letters alone have no case. */
static int compare_nocase(const char *a, const char *b)
{
	unsigned char x, y;

	do {
		x = (unsigned char)*a++;
		y = (unsigned char)*b++;
		if (x >= 'A' && x <= 'Z')
			x = (unsigned char)(x + 'a' - 'A');
		if (y >= 'A' && y <= 'Z')
			y = (unsigned char)(y + 'a' - 'A');
	} while (x == y && x);
	return (x > y) - (x < y);
}

struct named {
	const char *name;
	size_t index;
};

static int compare_named(const void *a, const void *b)
{
	return compare_nocase(((const struct named *)a)->name,
			      ((const struct named *)b)->name);
}

static int compare_exact(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name,
		      ((const struct named *)b)->name);
}

/* What catalog_arrange() works with: the tables that foreign keys order, and
 * their graph. */
struct graph {
	struct named *byname; /* all but internal tables, by name */
	struct named *internal;
	const char **names; /* of node i */
	size_t *tables;     /* its index in the catalog */
	size_t *nodes;      /* node of a table of the catalog */
	size_t *order;
	int *group;
	struct order_edge *edges;
	size_t count, internal_count, edge_count;
};

static void graph_release(struct graph *g)
{
	free(g->byname);
	free(g->internal);
	free(g->names);
	free(g->tables);
	free(g->nodes);
	free(g->order);
	free(g->group);
	free(g->edges);
}

static int graph_new(struct graph *g, const struct catalog *c,
		     struct error *err)
{
	size_t n = c->table_count + 1, edges = 1, i;

	memset(g, 0, sizeof(*g));
	for (i = 0; i < c->table_count; i++)
		edges += c->tables[i].parent_count;
	g->byname = calloc(n, sizeof(*g->byname));
	g->internal = calloc(n, sizeof(*g->internal));
	g->names = calloc(n, sizeof(*g->names));
	g->tables = calloc(n, sizeof(*g->tables));
	g->nodes = calloc(n, sizeof(*g->nodes));
	g->order = calloc(n, sizeof(*g->order));
	g->group = calloc(n, sizeof(*g->group));
	g->edges = calloc(edges, sizeof(*g->edges));
	if (!g->byname || !g->internal || !g->names || !g->tables ||
	    !g->nodes || !g->order || !g->group || !g->edges)
		return error_nomem(err);
	return 0;
}

static void graph_nodes(struct graph *g, const struct catalog *c)
{
	size_t i;

	for (i = 0; i < c->table_count; i++) {
		struct named n = { c->tables[i].name, i };

		if (c->tables[i].kind == TABLE_INTERNAL) {
			g->internal[g->internal_count++] = n;
			continue;
		}
		g->byname[g->count] = n;
		g->names[g->count] = n.name;
		g->tables[g->count] = i;
		g->nodes[i] = g->count++;
	}
	qsort(g->byname, g->count, sizeof(*g->byname), compare_named);
	qsort(g->internal, g->internal_count, sizeof(*g->internal),
	      compare_exact);
}

static void graph_edges(struct graph *g, const struct catalog *c)
{
	size_t node, i;

	for (node = 0; node < g->count; node++) {
		const struct table *t = &c->tables[g->tables[node]];

		for (i = 0; i < t->parent_count; i++) {
			struct named key = { t->parents[i], 0 }, *parent;

			parent = bsearch(&key, g->byname, g->count, sizeof(key),
					 compare_named);
			if (!parent) /* SQLite allows keys to what isn't there
				      */
				continue;
			g->edges[g->edge_count].child = node;
			g->edges[g->edge_count++].parent =
				g->nodes[parent->index];
		}
	}
}

/* Put the tables themselves into the order found. */
static int reorder_tables(struct catalog *c, const struct graph *g,
			  struct error *err)
{
	struct table *old;
	size_t i;

	if (!c->table_count)
		return 0;
	old = malloc(c->table_count * sizeof(*old));
	if (!old)
		return error_nomem(err);
	memcpy(old, c->tables, c->table_count * sizeof(*old));
	for (i = 0; i < g->count; i++)
		c->tables[i] = old[g->tables[g->order[i]]];
	for (i = 0; i < g->internal_count; i++)
		c->tables[g->count + i] = old[g->internal[i].index];
	free(old);
	return 0;
}

static int cycle_add(struct cycle *cycle, const char *name)
{
	char **names = grown(cycle->tables, cycle->count, sizeof(*names));

	if (!names)
		return -1;
	cycle->tables = names;
	names[cycle->count] = strdup(name);
	if (!names[cycle->count])
		return -1;
	cycle->count++;
	return 0;
}

/* A cycle's tables stand together and by name in the order. */
static int fill_cycles(struct catalog *c, const struct graph *g, int cycles,
		       struct error *err)
{
	size_t i;

	cycles_release(c);
	if (cycles <= 0)
		return 0;
	c->cycles = calloc((size_t)cycles, sizeof(*c->cycles));
	if (!c->cycles)
		return error_nomem(err);
	c->cycle_count = (size_t)cycles;
	for (i = 0; i < g->count; i++) {
		int group = g->group[g->order[i]];

		if (group > 0 && group <= cycles &&
		    cycle_add(&c->cycles[group - 1], g->names[g->order[i]]))
			return error_nomem(err);
	}
	return 0;
}

static int arrange_tables(struct catalog *c, struct error *err)
{
	struct graph g;
	int cycles, rc = -1;

	if (graph_new(&g, c, err) < 0)
		goto done;
	graph_nodes(&g, c);
	graph_edges(&g, c);
	cycles = order_tables(g.names, g.count, g.edges, g.edge_count, g.order,
			      g.group, err);
	if (cycles < 0 || fill_cycles(c, &g, cycles, err) < 0 ||
	    reorder_tables(c, &g, err) < 0)
		goto done;
	rc = 0;
done:
	graph_release(&g);
	return rc;
}

/* ---- entries ---- */

struct place {
	struct entry entry;
	size_t table; /* ENTRY_TABLE: place of the table, virtual ones last */
	size_t index; /* order in which they were added */
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int diff = 0;

	if (x->entry.type != y->entry.type)
		return x->entry.type < y->entry.type ? -1 : 1;
	if (x->entry.type == ENTRY_TABLE && x->table != y->table)
		return x->table < y->table ? -1 : 1;
	/* A trigger's table is spelled as in CREATE TRIGGER: "T" is "t". */
	if (x->entry.type == ENTRY_INDEX || x->entry.type == ENTRY_TRIGGER)
		diff = strcasecmp(x->entry.table, y->entry.table);
	/* Triggers of a table fire in the order they were made in. */
	if (!diff && x->entry.type != ENTRY_TRIGGER)
		diff = strcmp(x->entry.name, y->entry.name);
	if (!diff)
		diff = x->index < y->index ? -1 : x->index > y->index;
	return diff;
}

static int arrange_entries(struct catalog *c, struct error *err)
{
	struct named *tables = calloc(c->table_count + 1, sizeof(*tables));
	struct place *places = calloc(c->entry_count + 1, sizeof(*places));
	size_t i;
	int rc = -1;

	if (!tables || !places) {
		error_nomem(err);
		goto done;
	}
	for (i = 0; i < c->table_count; i++) {
		tables[i].name = c->tables[i].name;
		tables[i].index = i;
	}
	qsort(tables, c->table_count, sizeof(*tables), compare_exact);
	for (i = 0; i < c->entry_count; i++) {
		struct named key = { c->entries[i].name, 0 }, *found;

		found = bsearch(&key, tables, c->table_count, sizeof(key),
				compare_exact);
		places[i].entry = c->entries[i];
		places[i].table = found ? found->index : c->table_count;
		places[i].index = i;
	}
	qsort(places, c->entry_count, sizeof(*places), compare_places);
	for (i = 0; i < c->entry_count; i++)
		c->entries[i] = places[i].entry;
	rc = 0;
done:
	free(tables);
	free(places);
	return rc;
}

int catalog_arrange(struct catalog *c, struct error *err)
{
	if (arrange_tables(c, err) < 0 || arrange_entries(c, err) < 0)
		return -1;
	return 0;
}
