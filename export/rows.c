/*
 * rows.c - scan a table and hand its rows over in the snapshot's order
 */
#include "export/export_internal.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/sorter.h"
#include "database/database.h"
#include "snapshot/catalog.h"
#include "snapshot/document.h"
#include "snapshot/value.h"

size_t export_values(const struct table *t)
{
	size_t count = 0;

	for (size_t i = 0; i < t->column_count; i++)
		count += !t->columns[i].generated;
	return count;
}

/* One table: every row goes to `taker`, or into `sorter` where there is one. */
struct walk {
	struct scan *scan;         /* or NULL: */
	struct document *document; /* the table's rows there */
	struct value *values;
	struct sorter *sorter; /* or NULL */
	struct buffer line;
};

static int take_row(struct walk *w, struct row_taker *taker, int64_t rowid,
		    struct error *err)
{
	if (!w->sorter)
		return taker->row(taker, rowid, w->values, err);
	buffer_clear(&w->line);
	if (taker->encode(taker, rowid, w->values, &w->line, err) < 0)
		return -1;
	return sorter_add(w->sorter, w->line.data, w->line.size, err);
}

static int scan_all(struct walk *w, struct row_taker *taker, struct error *err)
{
	int64_t rowid;
	int more;

	for (;;) {
		more = w->scan ? scan_next(w->scan, &rowid, w->values, err)
			       : document_row(w->document, &rowid, w->values,
					      err);
		if (more <= 0)
			return more;
		if (take_row(w, taker, rowid, err) < 0)
			return -1;
	}
}

static int hand_over_sorted(struct sorter *s, struct row_taker *taker,
			    struct error *err)
{
	const char *line;
	size_t size;
	int more;

	if (sorter_finish(s, err) < 0)
		return -1;
	while ((more = sorter_next(s, &line, &size, err)) > 0) {
		if (taker->line(taker, line, size, NULL, 0, err) < 0)
			return -1;
	}
	return more;
}

/* Get to the table's first row. */
static int begin(struct walk *w, const struct row_origin *from,
		 const struct table *t, struct error *err)
{
	if (from->db)
		return database_scan(from->db, t, &w->scan, err);
	w->document = from->document;
	return document_table(from->document, t, err);
}

int export_rows(const struct row_origin *from, const struct table *t,
		struct row_taker *taker, struct error *err)
{
	struct walk w = { .line = BUFFER_INIT };
	int rc = -1;

	if (from->records)
		return sorted_records_rows(from->records, t, taker, err);
	w.values = calloc(export_values(t) + 1, sizeof(*w.values));
	if (!w.values) {
		error_nomem(err);
		goto done;
	}
	if (t->order == ORDER_SORTED &&
	    sorter_new(&w.sorter, NULL, SORTER_RUN_BYTES, err) < 0)
		goto done;
	if (begin(&w, from, t, err) < 0 || scan_all(&w, taker, err) < 0)
		goto done;
	if (w.sorter && hand_over_sorted(w.sorter, taker, err) < 0)
		goto done;
	rc = 0;
done:
	scan_free(w.scan);
	sorter_free(w.sorter);
	buffer_release(&w.line);
	free(w.values);
	return rc;
}
