/*
 * same_parts.h - are the rows from the pages the rows from SQL?
 */
#ifndef TESTS_DATABASE_SAME_PARTS_H
#define TESTS_DATABASE_SAME_PARTS_H

#include "tests/database/fixture.h"

/* Rows of a scan from where it stands, and how it ended. */
static inline int take_rows(struct scan *s, const struct table *t,
			    struct buffer *out, struct error *err)
{
	struct value *values = calloc(value_count(t) + 1, sizeof(*values));
	int64_t rowid;
	size_t i;
	int rc;

	assert_non_null(values);
	while ((rc = scan_next(s, &rowid, values, err)) == 1) {
		buffer_printf(out, "%lld:", (long long)rowid);
		for (i = 0; i < value_count(t); i++) {
			buffer_printf(out, " %d/%zu:", (int)values[i].class,
				      values[i].size);
			if (values[i].class >= VALUE_TEXT)
				buffer_add(out, values[i].data, values[i].size);
			else
				buffer_add(out, &values[i].integer,
					   sizeof(values[i].integer));
		}
		buffer_byte(out, '\n');
	}
	free(values);
	return rc;
}

static inline void assert_equal(const struct buffer *a, const struct buffer *b,
				const char *table)
{
	if (a->size != b->size ||
	    (a->size && memcmp(a->data, b->data, a->size)))
		fail_msg("table '%s' differs", table);
}

/* What a scan tells of its leaves is what reading them alone tells. */
static inline void assert_prints(struct parts *p, const unsigned char *key,
				 struct buffer *prints)
{
	struct buffer alone = BUFFER_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(parts_fingerprint(p, key, 0, SIZE_MAX, &alone, &err),
			 0);
	assert_equal(&alone, prints, "of fingerprints");
	buffer_release(&alone);
}

/* Scan in runs of `step` leaves, over two scans in turn. */
static inline int take_parts(struct parts *p, const struct table *t,
			     size_t step, struct buffer *out)
{
	static const unsigned char key[PARTS_KEY_SIZE] = { 1, 6, 1, 8 };
	struct buffer prints = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct scan *scans[2];
	size_t at, turn = 0;
	int rc = 0;

	assert_int_equal(parts_scan(p, key, &prints, &scans[0], &err), 0);
	assert_int_equal(parts_scan(p, key, &prints, &scans[1], &err), 0);
	for (at = 0; rc == 0 && at < parts_count(p); at += step, turn = !turn) {
		assert_int_equal(scan_part(scans[turn], at, at + step), 0);
		rc = take_rows(scans[turn], t, out, &err);
	}
	assert_int_equal(err.code, ERROR_NONE);
	if (rc == 0)
		assert_prints(p, key, &prints);
	buffer_release(&prints);
	scan_free(scans[0]);
	scan_free(scans[1]);
	return rc;
}

/* In runs of `step` leaves, 0: all at once.  What parts give, SQL must give
 * too.
 * @return 0: the same by parts; 1: not in parts; 2: odd */
static inline int compare_table(struct database *db, const struct table *t,
				size_t step)
{
	struct buffer sql = BUFFER_INIT, parts = BUFFER_INIT;
	struct error err = ERROR_INIT;
	struct parts *p;
	struct scan *s;
	int rc, ended;

	rc = database_parts(db, t, &p, &err);
	if (rc) {
		assert_int_equal(rc, 1);
		assert_int_equal(err.code, ERROR_NONE);
		return 1;
	}
	rc = take_parts(p, t, step ? step : parts_count(p), &parts);
	if (rc == 0) {
		if (database_scan(db, t, &s, &err) < 0)
			fail_msg("%s", err.message);
		ended = take_rows(s, t, &sql, &err);
		if (ended)
			fail_msg("only SQL stops: %s", err.message);
		scan_free(s);
		assert_equal(&sql, &parts, t->name);
	}
	parts_free(p);
	buffer_release(&sql);
	buffer_release(&parts);
	return rc;
}

#endif /* TESTS_DATABASE_SAME_PARTS_H */
