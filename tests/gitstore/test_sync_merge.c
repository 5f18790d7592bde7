/*
 * test_sync_merge.c - two copies of a branch become one list
 */
#include "tests/gitstore/store.h"

/*
 * A history from a line: words, newest first.
 *
 *   "d3 c2! a1*7 -b5 ~c6 keep=8@4 seen=9"
 *
 * d3: snapshot d of second 3, proven; c2!: not proven; a1*7: pinned at second
 * 7; -b5: b was deleted at 5; ~c6: unpinned at 6; keep=8@4: the policy, and
 * when it was set for all; seen=9: checked; ?: absent
 */
static struct object_id id_of(char letter)
{
	struct object_id id;

	memset(&id, letter, sizeof(id));
	return id;
}

static void take_snapshot(struct history *h, const char *word)
{
	struct error err = ERROR_INIT;
	struct snapshot s;
	char *rest;

	memset(&s, 0, sizeof(s));
	s.id = id_of(word[0]);
	s.created_at_s = strtol(word + 1, &rest, 10);
	s.source = strdup("app.db");
	s.drill = strdup(*rest == '!' ? "none (as told)" : "ok");
	if (*rest == '*') {
		s.pinned = 1;
		s.pinned_at_s = strtol(rest + 1, NULL, 10);
	}
	s.absent = *rest == '?';
	assert_ok(history_prepend(h, &s, &err), &err);
}

static struct history *told(const char *line)
{
	struct history *h = history_new();
	struct error err = ERROR_INIT;
	char *text = strdup(line), *rest = text + strlen(text), *word;
	struct object_id id;

	h->source = strdup("app.db");
	while (rest > text) { /* from the last word: the oldest */
		while (rest > text && rest[-1] == ' ')
			*--rest = '\0';
		while (rest > text && rest[-1] != ' ')
			rest--;
		word = rest;
		id = id_of(word[1] ? word[1] : 'z');
		if (!strncmp(word, "keep=", 5)) {
			h->keep = (unsigned int)strtol(word + 5, &word, 10);
			h->keep_set_s =
				*word == '@' ? strtol(word + 1, NULL, 10) : 0;
		} else if (!strncmp(word, "seen=", 5)) {
			h->checked_at_s = strtol(word + 5, NULL, 10);
		} else if (*word == '-') {
			assert_ok(tombstone_add(&h->deleted, &h->deleted_count,
						&id, strtol(word + 2, NULL, 10),
						&err),
				  &err);
		} else if (*word == '~') {
			assert_ok(tombstone_add(
					  &h->unpinned, &h->unpinned_count, &id,
					  strtol(word + 2, NULL, 10), &err),
				  &err);
		} else {
			take_snapshot(h, word);
		}
	}
	free(text);
	return h;
}

/* The other way round, tombstones sorted as a merge leaves them. */
static char *tell(const struct history *h)
{
	struct buffer out = BUFFER_INIT;
	size_t i;

	for (i = 0; i < h->count; i++) {
		const struct snapshot *s = &h->snapshots[i];

		buffer_printf(&out, "%s%c%ld", out.size ? " " : "",
			      s->id.bytes[0], (long)s->created_at_s);
		if (s->pinned)
			buffer_printf(&out, "*%ld", (long)s->pinned_at_s);
		if (strcmp(s->drill, "ok") != 0)
			buffer_str(&out, "!");
		if (s->absent)
			buffer_str(&out, "?");
	}
	for (i = 0; i < h->deleted_count; i++)
		buffer_printf(&out, " -%c%ld", h->deleted[i].id.bytes[0],
			      (long)h->deleted[i].deleted_at_s);
	for (i = 0; i < h->unpinned_count; i++)
		buffer_printf(&out, " ~%c%ld", h->unpinned[i].id.bytes[0],
			      (long)h->unpinned[i].deleted_at_s);
	if (h->keep)
		buffer_printf(&out, " keep=%u", h->keep);
	if (h->keep_set_s)
		buffer_printf(&out, "@%ld", (long)h->keep_set_s);
	if (h->checked_at_s)
		buffer_printf(&out, " seen=%ld", (long)h->checked_at_s);
	return buffer_detach(&out);
}

static struct history *merged(const struct history *a, const struct history *b)
{
	struct error err = ERROR_INIT;
	struct history *out = NULL;

	assert_ok(history_merge(&out, a, b, &err), &err);
	return out;
}

static void assert_tells(const struct history *h, const char *want)
{
	char *got = tell(h);

	assert_string_equal(got, want);
	free(got);
}

/* Both ways, and again with what each side has. */
static void assert_merges(const char *a, const char *b, const char *want)
{
	struct history *x = told(a), *y = told(b);
	struct history *m = merged(x, y), *n = merged(y, x);
	struct history *again = merged(x, m), *back = merged(m, y);
	struct error err = ERROR_INIT;

	assert_tells(m, want);
	assert_tells(n, want);
	assert_tells(again, want);
	assert_tells(back, want);
	assert_int_equal(history_same(m, back, &err), 1);
	history_free(x);
	history_free(y);
	history_free(m);
	history_free(n);
	history_free(again);
	history_free(back);
}

static void assert_no_merge(const char *a, const char *b, const char *want)
{
	struct history *x = told(a), *y = told(b), *out = NULL;
	struct error err = ERROR_INIT;

	assert_refused(history_merge(&out, x, y, &err), &err, ERROR_REFUSED,
		       want);
	assert_null(out);
	assert_refused(history_merge(&out, y, x, &err), &err, ERROR_REFUSED,
		       want);
	history_free(x);
	history_free(y);
}

/* ---- order ---- */

static void what_only_one_side_has_is_united(void **state)
{
	(void)state;
	assert_merges("", "", "");
	assert_merges("b2 a1", "", "b2 a1");
	assert_merges("b2 a1", "b2 a1", "b2 a1");
	assert_merges("b2 a1", "a1", "b2 a1");
	assert_merges("d4 b2 a1", "c3 b2 a1", "d4 c3 b2 a1");
	assert_merges("c3 a1", "d4 b2", "d4 c3 b2 a1");
}

static void two_snapshots_of_one_second_come_in_one_order(void **state)
{
	(void)state;
	assert_merges("b2 a1", "c2 a1", "c2 b2 a1");
	assert_merges("c2 a1", "b2 a1", "c2 b2 a1");
}

static void recorded_order_beats_time(void **state)
{
	(void)state;
	/* b was made while the clock was wrong */
	assert_merges("c3 b99 a1", "b99 a1", "c3 b99 a1");
	assert_merges("c3 b99 a1", "d4 a1", "d4 c3 b99 a1");
	assert_merges("c3 b99 a1", "d2 b99 a1", "c3 d2 b99 a1");
	assert_merges("a5 b5 c5", "c5", "a5 b5 c5");
}

static void what_stands_between_stays_between(void **state)
{
	(void)state;
	assert_merges("e9 c3 a1", "c3 b2 a1", "e9 c3 b2 a1");
	assert_merges("e9 b2", "c3 b2 a1", "e9 c3 b2 a1");
	/* the younger one behind, as the other side had it */
	assert_merges("c3 a1", "c3 b7 a1", "c3 b7 a1");
}

static void sides_that_contradict_each_other_agree_on_time(void **state)
{
	(void)state;
	assert_merges("a1 b2 c3", "c3 b2 a1", "c3 b2 a1");
	assert_merges("a1 d4 b2", "b2 c3 a1", "d4 c3 b2 a1");
}

static void what_is_absent_here_is_told_by_the_other_side(void **state)
{
	(void)state;
	assert_merges("c3 b2? a1?", "b2 a1?", "c3 b2 a1?");
}

/* ---- what was said ---- */

static void a_deleted_snapshot_does_not_come_back(void **state)
{
	(void)state;
	assert_merges("c3 a1 -b5", "c3 b2 a1", "c3 a1 -b5");
	assert_merges("c3 a1 -b5", "d4 b2 a1 -b6", "d4 c3 a1 -b6");
	assert_merges("c3 a1 -b5", "c3 b2*7 a1", "c3 a1 -b5");
	assert_merges("c3 -b5 -a4", "c3 -d2", "c3 -a4 -b5 -d2");
	/* of one list alone, somebody wrote it by hand */
	assert_merges("c3 b2 a1 -b5 -b4", "c3 b2", "c3 a1 -b5");
}

static void the_later_word_on_a_pin_counts(void **state)
{
	(void)state;
	assert_merges("b2 a1*5", "b2 a1", "b2 a1*5");
	assert_merges("b2 a1*5", "b2*6 a1", "b2*6 a1*5");
	assert_merges("b2 a1*5", "b2 a1 ~a6", "b2 a1 ~a6");
	assert_merges("b2 a1*7", "b2 a1 ~a6", "b2 a1*7");
	assert_merges("b2 a1*6", "b2 a1 ~a6", "b2 a1*6");
	assert_merges("b2 a1*0", "b2 a1 ~a6", "b2 a1 ~a6");
	assert_merges("b2 a1*5", "b2 a1*9", "b2 a1*9");
	assert_merges("b2 a1 ~a3", "b2 a1 ~a6", "b2 a1 ~a6");
}

static void an_unpinned_snapshot_that_retention_took_stays_unpinned(void **s)
{
	(void)s;
	assert_merges("c3 b2 ~a6", "c3 b2 a1*5", "c3 b2 a1 ~a6");
	assert_merges("c3 b2 ~a6", "c3 b2 -a7", "c3 b2 -a7");
}

static void the_policy_that_keeps_more_counts_until_one_is_set(void **state)
{
	(void)state;
	assert_merges("a1 keep=8", "a1 keep=365", "a1 keep=365");
	assert_merges("a1", "a1 keep=3", "a1 keep=3");
	assert_merges("a1 keep=8@5", "a1 keep=365", "a1 keep=8@5");
	assert_merges("a1 keep=8@5", "a1 keep=30@7", "a1 keep=30@7");
	assert_merges("a1 keep=8@5", "a1 keep=4@7", "a1 keep=4@7");
	assert_merges("a1 keep=8@5", "a1 keep=9@5", "a1 keep=9@5");
}

static void a_check_counts_for_the_snapshot_it_was_about(void **state)
{
	(void)state;
	assert_merges("b2 a1 seen=9", "b2 seen=8", "b2 a1 seen=9");
	assert_merges("b2 a1", "a1 seen=9", "b2 a1");
	assert_merges("b2 a1 seen=4", "a1 seen=9", "b2 a1 seen=4");
}

static void different_databases_are_not_merged(void **state)
{
	struct history *a = told("a1"), *b = told("b2"), *out;
	struct error err = ERROR_INIT;

	(void)state;
	free(b->source);
	b->source = strdup("crm.db");
	assert_refused(history_merge(&out, a, b, &err), &err, ERROR_REFUSED,
		       "the branch holds snapshots of 'app.db' here and of "
		       "'crm.db' there; use --branch NAME for one of them");
	history_free(a);
	history_free(b);
}

static void deletions_on_both_sides_leave_something(void **state)
{
	(void)state;
	assert_no_merge("a1 -b3", "b2 -a3",
			"of the snapshots here and there none would be left, "
			"as each was deleted on one side; export again first");
	assert_no_merge("c4! a1 -b3", "c4! b2 -a3",
			"no snapshot that was proven restorable would be left, "
			"as each was deleted on one side; export again first");
	assert_merges("c4! a1! -b3", "c4! b2! -a3", "c4! -a3 -b3");
}

/* ---- retention ---- */

static void what_retention_dropped_falls_off_again(void **state)
{
	struct history *a = told("d4 c3 b2 keep=3");
	struct history *b = told("c3 b2 a1 keep=3"), *m;

	(void)state;
	m = merged(a, b);
	assert_int_equal(history_retain(m, m->keep), 1);
	assert_tells(m, "d4 c3 b2 keep=3");
	history_free(a);
	history_free(b);
	history_free(m);
}

static void a_client_that_keeps_few_thins_out_nobody(void **state)
{
	struct history *a = told("e5 d4 keep=2");
	struct history *b = told("d4 c3 b2 a1 keep=8"), *m;

	(void)state;
	m = merged(a, b);
	assert_int_equal(history_retain(m, m->keep), 0);
	assert_tells(m, "e5 d4 c3 b2 a1 keep=8");
	history_free(a);
	history_free(b);
	history_free(m);
}

/* ---- pins and policies over time ---- */

static void a_slow_clock_does_not_weaken_what_is_said(void **state)
{
	struct history *h = told("b2 a1*50");
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(history_pin(h, 1, 0, 10, &err), &err);
	assert_tells(h, "b2 a1 ~a51");
	assert_ok(history_pin(h, 1, 1, 20, &err), &err);
	assert_tells(h, "b2 a1*51");
	history_set_keep(h, 5, 1, 30);
	assert_tells(h, "b2 a1*51 keep=5@30");
	history_set_keep(h, 4, 1, 20);
	assert_tells(h, "b2 a1*51 keep=4@31");
	history_set_keep(h, 9, 0, 40);
	assert_tells(h, "b2 a1*51 keep=9@31");
	assert_ok(history_pin(h, 1, 0, 60, &err), &err);
	assert_ok(history_delete(h, 1, 70, &err), &err);
	assert_tells(h, "b2 -a70 keep=9@31");
	history_free(h);
}

static void all_that_was_said_travels_in_the_index_commit(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct object_id a = add(f, "a\n", 0), b = add(f, "b\n", 1);
	struct gitstore_result r;
	struct history *h;
	char *text;

	assert_ok(gitstore_pin(f->g, &a, 1, &f->err), &f->err);
	assert_ok(gitstore_pin(f->g, &b, 1, &f->err), &f->err);
	assert_ok(gitstore_pin(f->g, &b, 0, &f->err), &f->err);
	s.created_at_s = T0 + 2;
	s.keep = 5;
	s.set_policy = 1;
	assert_ok(publish(f->g, "c\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	h = read_history(f);
	assert_int_equal(h->keep, 5);
	assert_int_equal(h->keep_set_s, T0 + 2);
	assert_int_equal(h->unpinned_count, 1);
	assert_same(&h->unpinned[0].id, &b);
	assert_true(h->unpinned[0].deleted_at_s > T0);
	assert_same(&h->snapshots[2].id, &a);
	assert_int_equal(h->snapshots[2].pinned, 1);
	assert_true(h->snapshots[2].pinned_at_s > T0);
	history_free(h);
	text = repo_out(f->repo, "git log -1 --format=%%B database-backups | "
				 "grep -Ec '^(Pinned|Unpinned): [0-9a-f]{40} "
				 "[0-9TZ:-]{20}$|^Retention: keep=5$|"
				 "^Retention-Set: 2026-11-20T02:35:24Z$'");
	assert_string_equal(text, "4");
	free(text);
}

/* ---- properties ---- */

static uint32_t seed = 1;

static unsigned int draw(unsigned int below)
{
	seed = seed * 1664525U + 1013904223U;
	return (seed >> 8) % below;
}

/* One writer's step on its own copy, at second `now`. */
static void step(struct history *h, char letter, int64_t now)
{
	struct error err = ERROR_INIT;
	char word[32];
	size_t at = h->count ? draw((unsigned int)h->count) : 0;

	switch (h->count < 2 ? 0 : draw(6)) {
	case 0:
	case 1:
	case 2:
		snprintf(word, sizeof(word), "%c%ld", letter, (long)now);
		take_snapshot(h, word);
		h->checked_at_s = 0;
		h->keep = h->keep ? h->keep : 4;
		history_retain(h, h->keep);
		break;
	case 3:
		assert_ok(
			history_pin(h, at, !h->snapshots[at].pinned, now, &err),
			&err);
		break;
	case 4:
		if (!h->snapshots[at].pinned)
			assert_ok(history_delete(h, at, now, &err), &err);
		break;
	default:
		history_set_keep(h, 3 + draw(4), draw(2) != 0, now);
		h->checked_at_s = now;
	}
}

static void assert_same_list(const struct history *a, const struct history *b)
{
	char *x = tell(a), *y = tell(b);
	struct error err = ERROR_INIT;

	assert_string_equal(x, y);
	assert_int_equal(history_same(a, b, &err), 1);
	free(x);
	free(y);
}

/* As a sync does it; NULL when each deleted what the other one had. */
static struct history *synced(const struct history *a, const struct history *b)
{
	struct error err = ERROR_INIT;
	struct history *out = NULL, *back = NULL;

	if (history_merge(&out, a, b, &err) < 0) {
		assert_int_equal(err.code, ERROR_REFUSED);
		return NULL;
	}
	history_retain(out, out->keep);
	assert_ok(history_merge(&back, b, a, &err), &err);
	history_retain(back, back->keep);
	assert_same_list(out, back);
	history_free(back);
	return out;
}

/* Replace both by what they become together, which changes neither again.
 * @return 0, or 1 when they cannot be merged */
static int meet(struct history **a, struct history **b)
{
	struct history *m = synced(*a, *b), *again;

	if (!m)
		return 1;
	again = synced(m, *b);
	assert_same_list(m, again);
	history_free(again);
	again = synced(m, *a);
	assert_same_list(m, again);
	history_free(again);
	history_free(*a);
	history_free(*b);
	*a = m;
	*b = merged(m, m);
	assert_same_list(*a, *b);
	return 0;
}

/* Three copies on which people work, and which meet in pairs. */
static void copies_that_meet_become_equal(void **state)
{
	struct history *copy[3];
	unsigned int round, i, k;
	int stuck;

	(void)state;
	for (round = 1; round <= 300; round++) {
		seed = round;
		for (i = 0; i < 3; i++)
			copy[i] = told("Z1 keep=4");
		for (k = stuck = 0; k < 24 && !stuck; k++) {
			i = draw(3);
			step(copy[i], (char)('A' + k), (int64_t)k + 2);
			if (!draw(3))
				stuck = meet(&copy[i], &copy[(i + 1) % 3]);
		}
		if (!stuck && !meet(&copy[0], &copy[1]) &&
		    !meet(&copy[0], &copy[2]) && !meet(&copy[0], &copy[1]))
			assert_same_list(copy[1], copy[2]);
		for (i = 0; i < 3; i++)
			history_free(copy[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_only_one_side_has_is_united),
		cmocka_unit_test(two_snapshots_of_one_second_come_in_one_order),
		cmocka_unit_test(recorded_order_beats_time),
		cmocka_unit_test(what_stands_between_stays_between),
		cmocka_unit_test(
			sides_that_contradict_each_other_agree_on_time),
		cmocka_unit_test(what_is_absent_here_is_told_by_the_other_side),
		cmocka_unit_test(a_deleted_snapshot_does_not_come_back),
		cmocka_unit_test(the_later_word_on_a_pin_counts),
		cmocka_unit_test(
			an_unpinned_snapshot_that_retention_took_stays_unpinned),
		cmocka_unit_test(
			the_policy_that_keeps_more_counts_until_one_is_set),
		cmocka_unit_test(a_check_counts_for_the_snapshot_it_was_about),
		cmocka_unit_test(different_databases_are_not_merged),
		cmocka_unit_test(deletions_on_both_sides_leave_something),
		cmocka_unit_test(what_retention_dropped_falls_off_again),
		cmocka_unit_test(a_client_that_keeps_few_thins_out_nobody),
		cmocka_unit_test(a_slow_clock_does_not_weaken_what_is_said),
		cmocka_unit_test(copies_that_meet_become_equal),
		cmocka_unit_test_setup_teardown(
			all_that_was_said_travels_in_the_index_commit, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
