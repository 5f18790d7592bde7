/*
 * order.c - dependency order of tables
 *
 * Tarjan's algorithm finds the components, with a stack of its own in place
 * of recursion; then components without unplaced parents wait in a heap under
 * the smallest of their names.  Names are compared once, when they are
 * sorted: from there on a table is its rank.
 */
#include "snapshot/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define NONE ((size_t)-1)

struct named {
	const char *name;
	size_t index;
};

/* A visit that waits for the one it began. */
struct visit {
	size_t node, edge;
};

struct work {
	size_t count;
	size_t *rank_of;    /* of each index */
	size_t *index_of;   /* of each rank */
	size_t *first;      /* parents of rank r: parent[first[r] ..] */
	size_t *parent;     /* ranks */
	size_t *seen, *low; /* Tarjan's numbers, by rank */
	size_t *stack;
	struct visit *visits;
	size_t *part; /* component of each rank */
	size_t parts;
	size_t *smallest; /* by component: smallest rank in it */
	size_t *size;     /* by component: tables in it */
	size_t *waits;    /* by component: edges to unplaced parents */
	size_t *child_first, *child; /* by component: components */
	size_t *heap, heap_size;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name,
		      ((const struct named *)b)->name);
}

/* Give every table its rank by name. */
static int rank_names(struct work *w, const char *const *names)
{
	struct named *all = calloc(w->count + 1, sizeof(*all));
	size_t i;

	if (!all)
		return -1;
	for (i = 0; i < w->count; i++) {
		all[i].name = names[i];
		all[i].index = i;
	}
	qsort(all, w->count, sizeof(*all), by_name);
	for (i = 0; i < w->count; i++) {
		w->index_of[i] = all[i].index;
		w->rank_of[all[i].index] = i;
	}
	free(all);
	return 0;
}

static int names_itself(const struct order_edge *e)
{
	return e->child == e->parent;
}

/* Lists of parents, one behind the other. */
static void list_parents(struct work *w, const struct order_edge *edges,
			 size_t edge_count)
{
	size_t i;

	for (i = 0; i < edge_count; i++)
		if (!names_itself(&edges[i]))
			w->first[w->rank_of[edges[i].child] + 1]++;
	for (i = 0; i < w->count; i++)
		w->first[i + 1] += w->first[i];
	/* Filled from the back, so that first[] ends as the beginnings. */
	memcpy(w->low, w->first + 1, w->count * sizeof(*w->low));
	for (i = 0; i < edge_count; i++)
		if (!names_itself(&edges[i]))
			w->parent[--w->low[w->rank_of[edges[i].child]]] =
				w->rank_of[edges[i].parent];
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* All on the stack down to `node` are one component. */
static void close_part(struct work *w, size_t node, size_t *depth)
{
	size_t member;

	w->smallest[w->parts] = NONE;
	do {
		member = w->stack[--*depth];
		w->part[member] = w->parts;
		w->smallest[w->parts] = smaller(w->smallest[w->parts], member);
		w->size[w->parts]++;
	} while (member != node);
	w->parts++;
}

/* Visit everything that can be reached from `root`. */
static void find_from(struct work *w, size_t root, size_t *number)
{
	size_t depth = 0, visits = 1, parent, node;
	struct visit *v;

	w->visits[0] = (struct visit){ root, w->first[root] };
	w->seen[root] = w->low[root] = (*number)++;
	w->stack[depth++] = root;
	while (visits) {
		v = &w->visits[visits - 1];
		node = v->node;
		if (v->edge < w->first[node + 1]) {
			parent = w->parent[v->edge++];
			if (w->seen[parent] == NONE) {
				w->seen[parent] = w->low[parent] = (*number)++;
				w->stack[depth++] = parent;
				w->visits[visits++] =
					(struct visit){ parent,
							w->first[parent] };
			} else if (w->part[parent] == NONE) {
				w->low[node] =
					smaller(w->low[node], w->seen[parent]);
			}
			continue;
		}
		if (w->low[node] == w->seen[node])
			close_part(w, node, &depth);
		if (--visits) {
			v = &w->visits[visits - 1];
			w->low[v->node] =
				smaller(w->low[v->node], w->low[node]);
		}
	}
}

static void find_parts(struct work *w)
{
	size_t i, number = 0;

	for (i = 0; i < w->count; i++)
		w->seen[i] = w->part[i] = NONE;
	for (i = 0; i < w->count; i++)
		if (w->seen[i] == NONE)
			find_from(w, i, &number);
}

/* For each component, the components that wait for it. */
static void list_children(struct work *w)
{
	size_t i, e, mine, other;

	for (i = 0; i < w->count; i++) {
		for (e = w->first[i]; e < w->first[i + 1]; e++) {
			mine = w->part[i];
			other = w->part[w->parent[e]];
			if (mine != other) {
				w->waits[mine]++;
				w->child_first[other + 1]++;
			}
		}
	}
	for (i = 0; i < w->parts; i++)
		w->child_first[i + 1] += w->child_first[i];
	memcpy(w->low, w->child_first + 1, w->parts * sizeof(*w->low));
	for (i = 0; i < w->count; i++) {
		for (e = w->first[i]; e < w->first[i + 1]; e++) {
			mine = w->part[i];
			other = w->part[w->parent[e]];
			if (mine != other)
				w->child[--w->low[other]] = mine;
		}
	}
}

static void heap_push(struct work *w, size_t part)
{
	size_t at = w->heap_size++, up;

	while (at) {
		up = (at - 1) / 2;
		if (w->smallest[w->heap[up]] <= w->smallest[part])
			break;
		w->heap[at] = w->heap[up];
		at = up;
	}
	w->heap[at] = part;
}

static size_t heap_pop(struct work *w)
{
	size_t top = w->heap[0], last = w->heap[--w->heap_size];
	size_t at = 0, down;

	for (;;) {
		down = 2 * at + 1;
		if (down >= w->heap_size)
			break;
		if (down + 1 < w->heap_size &&
		    w->smallest[w->heap[down + 1]] < w->smallest[w->heap[down]])
			down++;
		if (w->smallest[last] <= w->smallest[w->heap[down]])
			break;
		w->heap[at] = w->heap[down];
		at = down;
	}
	w->heap[at] = last;
	return top;
}

/* Give each component its place and number; @return how many are cycles */
static int place_parts(struct work *w, size_t *place, int *number)
{
	size_t i, next = 0, part;
	int cycles = 0;

	for (i = 0; i < w->parts; i++)
		if (!w->waits[i])
			heap_push(w, i);
	while (w->heap_size) {
		part = heap_pop(w);
		place[part] = next;
		next += w->size[part];
		number[part] = w->size[part] > 1 ? ++cycles : 0;
		for (i = w->child_first[part]; i < w->child_first[part + 1];
		     i++)
			if (!--w->waits[w->child[i]])
				heap_push(w, w->child[i]);
	}
	return cycles;
}

static int arrange(struct work *w, size_t *order, int *group)
{
	size_t *place = calloc(w->parts + 1, sizeof(*place));
	int *number = calloc(w->parts + 1, sizeof(*number));
	size_t rank, part;
	int cycles = -1;

	if (place && number) {
		cycles = place_parts(w, place, number);
		/* In order of rank: so a cycle's tables come by name. */
		for (rank = 0; rank < w->count; rank++) {
			part = w->part[rank];
			order[place[part]++] = w->index_of[rank];
			group[w->index_of[rank]] = number[part];
		}
	}
	free(place);
	free(number);
	return cycles;
}

static void work_release(struct work *w)
{
	free(w->rank_of);
	free(w->index_of);
	free(w->first);
	free(w->parent);
	free(w->seen);
	free(w->low);
	free(w->stack);
	free(w->visits);
	free(w->part);
	free(w->smallest);
	free(w->size);
	free(w->waits);
	free(w->child_first);
	free(w->child);
	free(w->heap);
}

static int work_init(struct work *w, size_t count, size_t edge_count)
{
	size_t n = count + 1;

	memset(w, 0, sizeof(*w));
	w->count = count;
	w->rank_of = calloc(n, sizeof(size_t));
	w->index_of = calloc(n, sizeof(size_t));
	w->first = calloc(n, sizeof(size_t));
	w->parent = calloc(edge_count + 1, sizeof(size_t));
	w->seen = calloc(n, sizeof(size_t));
	w->low = calloc(n, sizeof(size_t));
	w->stack = calloc(n, sizeof(size_t));
	w->visits = calloc(n, sizeof(*w->visits));
	w->part = calloc(n, sizeof(size_t));
	w->smallest = calloc(n, sizeof(size_t));
	w->size = calloc(n, sizeof(size_t));
	w->waits = calloc(n, sizeof(size_t));
	w->child_first = calloc(n, sizeof(size_t));
	w->child = calloc(edge_count + 1, sizeof(size_t));
	w->heap = calloc(n, sizeof(size_t));
	return w->rank_of && w->index_of && w->first && w->parent && w->seen &&
			       w->low && w->stack && w->visits && w->part &&
			       w->smallest && w->size && w->waits &&
			       w->child_first && w->child && w->heap
		       ? 0
		       : -1;
}

int order_tables(const char *const *names, size_t count,
		 const struct order_edge *edges, size_t edge_count,
		 size_t *order, int *group, struct error *err)
{
	struct work w;
	int cycles = -1;

	if (!work_init(&w, count, edge_count) && !rank_names(&w, names)) {
		list_parents(&w, edges, edge_count);
		find_parts(&w);
		list_children(&w);
		cycles = arrange(&w, order, group);
	}
	if (cycles < 0)
		error_nomem(err);
	work_release(&w);
	return cycles;
}
