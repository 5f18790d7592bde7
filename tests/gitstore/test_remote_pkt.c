/*
 * test_remote_pkt.c - pkt-lines, in any pieces and hostile
 */
#include "gitstore/remote_internal.h"
#include "tests/gitstore/store.h"

struct taken {
	char text[256];
	int last; /* stop at this one */
	int count;
};

static int take(void *payload, enum pkt kind, const char *data, size_t size,
		struct error *err)
{
	struct taken *t = payload;
	size_t used = strlen(t->text);

	(void)err;
	snprintf(t->text + used, sizeof(t->text) - used, "%s%.*s|",
		 kind == PKT_FLUSH ? "FLUSH"
				   : (kind == PKT_DELIMITER ? "DELIM" : ""),
		 (int)size, data);
	return ++t->count == t->last;
}

static void lines_come_in_any_pieces(void **state)
{
	static const char text[] = "0009hello0004000100000006ab";
	struct pkt_reader *in = malloc(sizeof(*in));
	struct error err = ERROR_INIT;
	size_t piece, i;

	(void)state;
	for (piece = 1; piece < sizeof(text); piece++) {
		struct taken t = { "", 5, 0 };

		pkt_reader_init(in, "'x'", take, &t);
		for (i = 0; i < sizeof(text) - 1; i += piece)
			assert_ok(pkt_feed(in, text + i,
					   piece < sizeof(text) - 1 - i
						   ? piece
						   : sizeof(text) - 1 - i,
					   &err),
				  &err);
		assert_string_equal(t.text, "hello||DELIM|FLUSH|ab|");
		assert_int_equal(in->done, 1);
	}
	free(in);
}

static void what_is_no_pkt_line_is_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "<html>", "the remote 'x' does not answer as git does: "
			    "'<htm'" },
		{ "0003", "the remote 'x' does not answer as git does: "
			  "'0003'" },
		{ "fff1", "the remote 'x' does not answer as git does: "
			  "'fff1'" },
		{ "-001", "the remote 'x' does not answer as git does: "
			  "'-001'" },
		{ "0010ERR no \033way\n", "the remote 'x' says: no way" },
	};
	struct pkt_reader *in = malloc(sizeof(*in));
	struct taken t = { "", -1, 0 };
	struct error err = ERROR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		pkt_reader_init(in, "'x'", take, &t);
		assert_refused(pkt_feed(in, cases[i].text,
					strlen(cases[i].text), &err),
			       &err, ERROR_NETWORK, cases[i].message);
	}
	free(in);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_in_any_pieces),
		cmocka_unit_test(what_is_no_pkt_line_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
