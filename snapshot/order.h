/*
 * order.h - dependency order of tables
 *
 * Parents come before children.  Where that leaves a choice the name decides
 * (bytewise), so equal schemas give equal orders:
 *
 *   c -> a, b -> a, d          gives  a, b, c, d
 *   x <-> y, z -> x            gives  x, y, z      and the cycle {x, y}
 *
 * A strongly connected component with more than one table is a cycle: it is
 * placed as one, under the smallest of its names, its tables by name.  A table
 * that names itself is no cycle.  Without recursion: a chain of any length
 * works.  O((n + e) log n).
 */
#ifndef SNAPSHOT_ORDER_H
#define SNAPSHOT_ORDER_H

#include <stddef.h>

struct error;

struct order_edge {
	size_t child;  /* index of the table with the foreign key */
	size_t parent; /* index of the table it names */
};

/**
 * @param names  `count` distinct names
 * @param order  receives the `count` indices in order
 * @param group  receives for each *index* (not place) the number of its
 *               component, or 0 when it is in none of several tables;
 *               components are numbered from 1 in the order they were placed
 * @return number of such components, or -1 with ERROR_NOMEM
 */
int order_tables(const char *const *names, size_t count,
		 const struct order_edge *edges, size_t edge_count,
		 size_t *order, int *group, struct error *err);

#endif /* SNAPSHOT_ORDER_H */
