/*
 * test_diff_pool.c - lines that both sides have go out
 */
#include "tests/snapshot/diff_fixture.h"

struct rest {
	struct diff_rest base; /* first */
	int64_t more[100];     /* of each line B has than A */
	size_t calls, fails_at;
};

static int line_left(struct diff_rest *base, enum diff_side side,
		     const char *line, size_t size, struct error *err)
{
	struct rest *r = (struct rest *)base;
	int n = 0;

	if (++r->calls == r->fails_at)
		return error_set(err, ERROR_NOSPACE, "no more");
	assert_true(size > 4 && !memcmp(line, "line", 4));
	for (size_t i = 4; i < size; i++)
		n = n * 10 + line[i] - '0';
	r->more[n] += side == DIFF_B ? 1 : -1;
	return 0;
}

static void what_both_sides_have_goes_out_however_small_the_pool(void **state)
{
	static const size_t sizes[] = { 1, 100, 1000, 1 << 20 };
	struct buffer lines[2] = { BUFFER_INIT, BUFFER_INIT };
	uint64_t seed = 1;

	(void)state;
	for (size_t round = 0; round < 40; round++) {
		struct error err = ERROR_INIT;
		struct rest r = { .base = { line_left } };
		struct diff_pool *p;
		int64_t more[100] = { 0 };

		assert_int_equal(
			diff_pool_new(&p, sizes[round % 4], &r.base, &err), 0);
		for (int i = 0; i < 20; i++) {
			for (int side = 0; side < 2; side++) {
				buffer_clear(&lines[side]);
				for (uint64_t n = draw(&seed, 30); n; n--) {
					uint64_t x = draw(&seed, 100);

					buffer_printf(&lines[side],
						      "line%" PRIu64 "\n", x);
					more[x] += side ? 1 : -1;
				}
			}
			assert_int_equal(diff_pool_add(p, lines, &err), 0);
		}
		assert_int_equal(diff_pool_finish(p, &err), 0);
		assert_memory_equal(r.more, more, sizeof(more));
		/* nothing had to go before its time */
		for (int i = 0; round % 4 == 3 && i < 100; i++)
			r.calls -= (size_t)(more[i] < 0 ? -more[i] : more[i]);
		if (round % 4 == 3)
			assert_int_equal(r.calls, 0);
		diff_pool_free(p);
	}
	buffer_release(&lines[0]);
	buffer_release(&lines[1]);
}

static void a_line_put_in_front_leaves_the_others_alone(void **state)
{
	struct buffer lines[2] = { BUFFER_INIT, BUFFER_INIT };
	struct rest r = { .base = { line_left } };
	struct error err = ERROR_INIT;
	struct diff_pool *p;

	(void)state;
	/* so small that nothing waits: only those side by side go out */
	assert_int_equal(diff_pool_new(&p, 0, &r.base, &err), 0);
	buffer_str(&lines[DIFF_A], "line1\nline2\nline3\nline9\nline4\n");
	buffer_str(&lines[DIFF_B],
		   "line7\nline1\nline2\nline3\nline4\nline8\n");
	assert_int_equal(diff_pool_add(p, lines, &err), 0);
	assert_int_equal(diff_pool_finish(p, &err), 0);
	assert_int_equal(r.calls, 3);
	assert_int_equal(r.more[7], 1);
	assert_int_equal(r.more[9], -1);
	assert_int_equal(r.more[8], 1);
	diff_pool_free(p);
	buffer_release(&lines[0]);
	buffer_release(&lines[1]);
}

static void what_fails_behind_the_pool_ends_it(void **state)
{
	struct buffer lines[2] = { BUFFER_INIT, BUFFER_INIT };
	struct rest r = { .base = { line_left }, .fails_at = 1 };
	struct error err = ERROR_INIT;
	struct diff_pool *p;

	(void)state;
	assert_int_equal(diff_pool_new(&p, 0, &r.base, &err), 0);
	buffer_str(&lines[DIFF_A], "line1\nline2\nline3\n");
	assert_int_equal(diff_pool_add(p, lines, &err), -1);
	assert_string_equal(err.message, "no more");
	diff_pool_free(p);
	buffer_release(&lines[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(what_both_sides_have_goes_out_however_small_the_pool),
		IN_WORLD(a_line_put_in_front_leaves_the_others_alone),
		IN_WORLD(what_fails_behind_the_pool_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
