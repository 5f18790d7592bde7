/*
 * test_read_ahead.c - what is told is read by a thread, and nothing is lost
 */
#include "tests/gitstore/store.h"

#define COUNT 40

struct ahead_fixture {
	struct fixture *f;
	struct read_ahead *ahead;
	struct object_id ids[COUNT];
};

static void text_of(char out[16], int i)
{
	snprintf(out, 16, "%05d\n", i);
}

/* Blobs in a pack, "big" too, and a thread that reads there */
static void prepare(struct ahead_fixture *a, void **state)
{
	struct fixture *f = *state;
	struct pack_cursor *c;
	char text[16];
	int i;

	a->f = f;
	for (i = 0; i < COUNT; i++) {
		text_of(text, i);
		object_hash(f->g->hasher, "blob", text, strlen(text),
			    &a->ids[i]);
	}
	assert_int_equal(
		repo_sh(f->repo,
			"for i in $(seq 0 %d); do printf '%%05d\\n' $i >$i; "
			"done; git hash-object -w [0-9]* | git pack-objects -q "
			".git/objects/pack/pack >/dev/null; rm -r "
			".git/objects/[0-9a-f][0-9a-f] [0-9]*",
			COUNT - 1),
		0);
	reopen(f);
	assert_ok(store_cursor_new(f->g, &c, &f->err), &f->err);
	assert_int_equal(read_ahead_new(&a->ahead, c), 0);
}

/* @return 1: it was not there */
static int takes(struct ahead_fixture *a, int i, const char *before)
{
	struct buffer b = BUFFER_INIT;
	char text[16], want[32];
	int rc;

	text_of(text, i);
	buffer_str(&b, before);
	rc = read_ahead_take(a->ahead, &a->ids[i], &b, &a->f->err);
	assert_ok(rc, &a->f->err);
	snprintf(want, sizeof(want), "%s%s", before, rc ? "" : text);
	assert_string_equal(buffer_cstr(&b), want);
	buffer_release(&b);
	return rc;
}

static void what_is_told_is_there_when_it_is_needed(void **state)
{
	struct ahead_fixture a;
	int i, k, told = 1;

	prepare(&a, state);
	/* as readers do: those that follow are told, then it is read */
	for (i = 0; i < COUNT; i++) {
		for (; told <= i + SOURCE_AHEAD && told < COUNT; told++)
			read_ahead_tell(a.ahead, &a.ids[told]);
		assert_int_equal(takes(&a, i, i % 2 ? "before" : ""), i == 0);
	}
	/* and it is handed out once */
	for (k = 0; k < COUNT; k++)
		assert_int_equal(takes(&a, k, ""), 1);
	read_ahead_free(a.ahead);
}

static void what_is_not_needed_does_not_block(void **state)
{
	struct ahead_fixture a;
	int i;

	prepare(&a, state);
	for (i = 0; i < 4; i++)
		read_ahead_tell(a.ahead, &a.ids[i]);
	/* those in front of it are forgotten */
	assert_int_equal(takes(&a, 2, ""), 0);
	assert_int_equal(takes(&a, 0, ""), 1);
	assert_int_equal(takes(&a, 3, ""), 0);
	/* a whole queue that nobody wants makes room as it is read */
	for (i = 0; i <= SOURCE_AHEAD; i++)
		read_ahead_tell(a.ahead, &a.ids[i]);
	for (i = 0; i < 10000; i++) {
		read_ahead_tell(a.ahead, &a.ids[20]);
		if (!takes(&a, 20, ""))
			break;
		usleep(1000);
	}
	assert_in_range(i, 0, 9999);
	read_ahead_free(a.ahead);
}

static void what_the_thread_cannot_read_is_left_to_others(void **state)
{
	struct ahead_fixture a;
	struct object_id absent;
	struct buffer b = BUFFER_INIT;
	struct pack_cursor *c;
	char *zeros = calloc(1, (2 << 20) + 1);
	struct object_id big;

	prepare(&a, state);
	read_ahead_free(a.ahead);
	memset(&absent, 0xab, sizeof(absent));
	memset(zeros, '0', 2 << 20);
	object_hash(a.f->g->hasher, "blob", zeros, 2 << 20, &big);
	assert_int_equal(repo_sh(a.f->repo,
				 "head -c 2097152 /dev/zero | tr '\\0' 0 | git "
				 "hash-object -w --stdin | git pack-objects -q "
				 ".git/objects/pack/pack >/dev/null"),
			 0);
	reopen(a.f);
	assert_ok(store_cursor_new(a.f->g, &c, &a.f->err), &a.f->err);
	assert_int_equal(read_ahead_new(&a.ahead, c), 0);
	read_ahead_tell(a.ahead, &absent);
	read_ahead_tell(a.ahead, &big);
	read_ahead_tell(a.ahead, &a.ids[1]);
	assert_int_equal(read_ahead_take(a.ahead, &absent, &b, &a.f->err), 1);
	assert_int_equal(read_ahead_take(a.ahead, &big, &b, &a.f->err), 1);
	assert_int_equal(b.size, 0);
	assert_int_equal(takes(&a, 1, ""), 0);
	/* it is there, but it would take too much memory */
	assert_int_equal(
		store_read(a.f->g, &big, PACK_BLOB, 2 << 20, &b, &a.f->err), 0);
	buffer_release(&b);
	read_ahead_free(a.ahead);
	free(zeros);
}

static void it_ends_with_much_to_do(void **state)
{
	struct ahead_fixture a;
	int i;

	prepare(&a, state);
	for (i = 0; i < COUNT; i++)
		read_ahead_tell(a.ahead, &a.ids[i]);
	read_ahead_free(a.ahead);
	read_ahead_free(NULL);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_is_told_is_there_when_it_is_needed),
		CASE(what_is_not_needed_does_not_block),
		CASE(what_the_thread_cannot_read_is_left_to_others),
		CASE(it_ends_with_much_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
