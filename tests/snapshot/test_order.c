/*
 * test_order.c - dependency order of tables
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/order.h"

#define FEW 16

/*
 * Order "c a b", with edges "ca ba" (child, parent), and compare with
 * "a b c"; cycles are in brackets: "(xy) z".
 */
static void order_is(const char *names, const char *edges, const char *expected)
{
	const char *name[FEW] = { NULL };
	char text[FEW][2], found[64];
	struct order_edge edge[FEW] = { { 0, 0 } };
	size_t order[FEW], count = 0, edge_count = 0, used = 0, i;
	struct error err = ERROR_INIT;
	int group[FEW], groups, open = 0, highest = 0;

	for (; *names; names++) {
		if (*names == ' ')
			continue;
		text[count][0] = *names;
		text[count][1] = '\0';
		name[count] = text[count];
		count++;
	}
	for (; *edges; edges += edges[2] ? 3 : 2) {
		for (i = 0; i < count; i++) {
			if (text[i][0] == edges[0])
				edge[edge_count].child = i;
			if (text[i][0] == edges[1])
				edge[edge_count].parent = i;
		}
		edge_count++;
	}
	groups =
		order_tables(name, count, edge, edge_count, order, group, &err);
	for (i = 0; i < count; i++) {
		int g = group[order[i]];

		if (open && g != open)
			found[used++] = ')';
		if (used && (!g || g != open))
			found[used++] = ' ';
		if (g && g != open)
			found[used++] = '(';
		found[used++] = name[order[i]][0];
		if (g && g != open)
			assert_int_equal(g, ++highest);
		open = g;
	}
	if (open)
		found[used++] = ')';
	found[used] = '\0';
	assert_string_equal(found, expected);
	assert_int_equal(groups, highest);
}

static void parents_come_first_and_names_decide(void **state)
{
	(void)state;
	order_is("", "", "");
	order_is("d c b a", "", "a b c d");
	order_is("d c b a", "ca ba", "a b c d");
	order_is("a b c", "ab bc", "c b a");
	order_is("a b z", "az", "b z a");
	order_is("a b c d", "ab cd", "b a d c");
	order_is("a b c d", "ad bd cd", "d a b c");
	order_is("a b c d e", "ac ad ae", "b c d e a");
}

static void cycle_is_placed_as_one_under_its_smallest_name(void **state)
{
	(void)state;
	order_is("x y z", "xy yx zx", "(xy) z");
	order_is("z y x", "xy yx zx", "(xy) z");
	order_is("a m z", "az za", "(az) m");
	order_is("b m z", "bz zb", "(bz) m");
	order_is("n m z", "nz zn", "m (nz)");
	order_is("a b c d", "ab ba cd dc", "(ab) (cd)");
	order_is("a b c d", "ab ba cd dc ac", "(cd) (ab)");
	order_is("a b c d", "ab bc cd da", "(abcd)");
	order_is("a b c d", "ab bc cb da", "(bc) a d");
	order_is("a b c d e", "ab ba bc cd dc de", "e (cd) (ab)");
}

static void table_that_names_itself_is_no_cycle(void **state)
{
	(void)state;
	order_is("a b", "aa", "a b");
	order_is("a b", "aa ab bb", "b a");
	order_is("a b", "aa ab ba", "(ab)");
}

static void edge_that_comes_twice_counts_once(void **state)
{
	(void)state;
	order_is("a b c", "ab ab ab", "b a c");
	order_is("a b c", "ab ba ab ba ca ca", "(ab) c");
}

static void names_compare_as_bytes(void **state)
{
	const char *name[] = { "b", "\xc3\xa4", "B", "a", "_", "a0" };
	size_t order[6], i;
	const size_t expected[] = { 2, 4, 3, 5, 0, 1 };
	int group[6];
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(order_tables(name, 6, NULL, 0, order, group, &err), 0);
	for (i = 0; i < 6; i++) {
		assert_int_equal(order[i], expected[i]);
		assert_int_equal(group[i], 0);
	}
}

/* ---- many ---- */

struct schema {
	size_t count, edge_count;
	char (*text)[24];
	const char **name;
	struct order_edge *edge;
	size_t *order;
	int *group;
};

static void schema_init(struct schema *s, size_t count, size_t edge_count)
{
	size_t i;

	s->count = count;
	s->edge_count = edge_count;
	s->text = calloc(count, sizeof(*s->text));
	s->name = calloc(count, sizeof(*s->name));
	s->edge = calloc(edge_count + 1, sizeof(*s->edge));
	s->order = calloc(count, sizeof(*s->order));
	s->group = calloc(count, sizeof(*s->group));
	assert_true(s->text && s->name && s->edge && s->order && s->group);
	for (i = 0; i < count; i++) {
		snprintf(s->text[i], sizeof(s->text[i]), "t%06zu", i);
		s->name[i] = s->text[i];
	}
}

static void schema_release(struct schema *s)
{
	free(s->text);
	free(s->name);
	free(s->edge);
	free(s->order);
	free(s->group);
}

static int schema_order(struct schema *s)
{
	struct error err = ERROR_INIT;

	return order_tables(s->name, s->count, s->edge, s->edge_count, s->order,
			    s->group, &err);
}

static void chain_of(size_t count)
{
	struct schema s;
	size_t i;

	schema_init(&s, count, count - 1);
	for (i = 0; i + 1 < count; i++)
		s.edge[i] = (struct order_edge){ i, i + 1 };
	assert_int_equal(schema_order(&s), 0);
	for (i = 0; i < count; i++)
		assert_int_equal(s.order[i], count - 1 - i);
	schema_release(&s);
}

static void chains_of_any_length_are_ordered(void **state)
{
	(void)state;
	chain_of(3000);
	chain_of(100000);
}

static void ring_of_any_length_is_one_cycle(void **state)
{
	const size_t count = 100000;
	struct schema s;
	size_t i;

	(void)state;
	schema_init(&s, count, count);
	for (i = 0; i < count; i++)
		s.edge[i] = (struct order_edge){ i, (i + 1) % count };
	assert_int_equal(schema_order(&s), 1);
	for (i = 0; i < count; i++) {
		assert_int_equal(s.order[i], i);
		assert_int_equal(s.group[i], 1);
	}
	schema_release(&s);
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* reach[a * n + b]: a needs b, over any number of steps */
static void close_over(char *reach, const struct schema *s)
{
	size_t n = s->count, i, j, k;

	memset(reach, 0, n * n);
	for (i = 0; i < s->edge_count; i++)
		reach[s->edge[i].child * n + s->edge[i].parent] = 1;
	for (k = 0; k < n; k++)
		for (i = 0; i < n; i++)
			for (j = 0; j < n; j++)
				reach[i * n + j] |= reach[i * n + k] &
						    reach[k * n + j];
}

/* Groups are those of tables that need each other, parents come before. */
static void check_against(const char *reach, const struct schema *s)
{
	size_t n = s->count, i, j;

	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j++) {
			size_t a = s->order[i], b = s->order[j];
			int both = reach[a * n + b] && reach[b * n + a];

			if (a == b)
				continue;
			assert_int_equal(both,
					 s->group[a] &&
						 s->group[a] == s->group[b]);
			if (reach[a * n + b] && !both)
				assert_true(j < i);
			if (both)
				assert_int_equal(i < j, a < b);
		}
	}
}

/* Shuffle tables and edges: the names come out in the same order. */
static void check_shuffled(const struct schema *s, uint64_t *seed)
{
	size_t n = s->count, i, at[64];
	struct schema t;

	schema_init(&t, n, s->edge_count);
	for (i = 0; i < n; i++)
		at[i] = i;
	for (i = n; i > 1; i--) {
		size_t j = next_random(seed) % i, keep = at[i - 1];

		at[i - 1] = at[j];
		at[j] = keep;
	}
	for (i = 0; i < n; i++)
		t.name[at[i]] = s->name[i];
	for (i = 0; i < s->edge_count; i++) {
		t.edge[s->edge_count - 1 - i].child = at[s->edge[i].child];
		t.edge[s->edge_count - 1 - i].parent = at[s->edge[i].parent];
	}
	schema_order(&t);
	for (i = 0; i < n; i++) {
		assert_string_equal(t.name[t.order[i]], s->name[s->order[i]]);
		assert_int_equal(t.group[t.order[i]], s->group[s->order[i]]);
	}
	schema_release(&t);
}

static void random_schemas_are_in_order_however_they_are_given(void **state)
{
	uint64_t seed = UINT64_C(0x5eed0fdb57);
	char reach[20 * 20];
	int round;
	size_t i;

	(void)state;
	for (round = 0; round < 2000; round++) {
		uint64_t began = seed;
		struct schema s;
		size_t n = 1 + next_random(&seed) % 20;

		schema_init(&s, n, next_random(&seed) % (n + n / 2 + 1));
		for (i = 0; i < s.edge_count; i++) {
			s.edge[i].child = next_random(&seed) % n;
			s.edge[i].parent = next_random(&seed) % n;
		}
		if (schema_order(&s) < 0)
			fail_msg("seed %#llx", (unsigned long long)began);
		close_over(reach, &s);
		check_against(reach, &s);
		check_shuffled(&s, &seed);
		schema_release(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parents_come_first_and_names_decide),
		cmocka_unit_test(
			cycle_is_placed_as_one_under_its_smallest_name),
		cmocka_unit_test(table_that_names_itself_is_no_cycle),
		cmocka_unit_test(edge_that_comes_twice_counts_once),
		cmocka_unit_test(names_compare_as_bytes),
		cmocka_unit_test(chains_of_any_length_are_ordered),
		cmocka_unit_test(ring_of_any_length_is_one_cycle),
		cmocka_unit_test(
			random_schemas_are_in_order_however_they_are_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
