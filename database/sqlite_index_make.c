/*
 * sqlite_index_make.c - an index from the rows of its table
 *
 * For each row there is a line: a key that sorts as SQLite's entries do, with
 * the rowid at its end, the entry, and how long the key is.  An index whose
 * rows are in its own order, as a column of times often is, is written while
 * they are read.  At the first that is not, all is begun anew, by way of a
 * sorter.
 *
 * An index over one column of numbers takes no line: number and rowid tell all
 * of an entry.  They are sorted as a pair, as long as all are INTEGER, or REAL.
 * NULLs come first and by rowid, so their entries are written at once.  What
 * cannot be a pair lets all begin anew with lines.
 *
 * What would violate a UNIQUE index is left to SQLite, which says so.
 */
#include "database/sqlite_index_make.h"
#include "base/error.h"
#include "base/file.h"
#include "base/sorter.h"
#include "database/sqlite_page_write.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_BETWEEN 4096 /* questions whether to stop */

/* SQLite can leave the rest of a longer row where it is. */
#define ROW_MAX ((uint64_t)8 << 20)

/* A header of three bytes, two numbers of up to eight. */
#define ENTRY_OF_NUMBERS 19

#define SIGN ((uint64_t)1 << 63)

/* What stands at the end of a line. */
struct line_end {
	uint32_t key_size; /* with the rowid */
	uint32_t has_null;
};

enum { MADE = 0, FOR_SQLITE = 1, ANEW = 2 };

struct maker {
	const struct index_making *m;
	struct index_writer w;
	struct pages pages;
	struct leaves leaves;
	struct cells cells;
	struct record_plan plan; /* only the columns that are needed */
	struct record_writer record;
	enum affinity *affinities;
	struct value *values; /* as in an entry, and that of the filter */
	size_t filter;        /* which one that is */
	unsigned char *more;  /* for what overflows */
	struct buffer payload, line, last;
	struct sorter *sorter;  /* NULL: rows come in order */
	int paired;             /* it sorts pairs */
	enum value_class class; /* of their numbers; VALUE_NULL: not known */
	uint64_t steps;
};

static int failed(const struct maker *k, int rc, struct error *err)
{
	return sql_file_error(k->m->db->sql, rc, err, k->m->what);
}

static int step(struct maker *k, struct error *err)
{
	const struct build *b = k->m->db->build;

	if (++k->steps % ROWS_BETWEEN || !b || !b->stopped ||
	    !b->stopped(b->payload))
		return 0;
	return failed(k, SQLITE_INTERRUPT, err);
}

/* ---- a row's line ---- */

/* Which values a column of the table is. @return 0; FOR_SQLITE: more than one
 */
static int plan_field(struct maker *k, size_t column)
{
	const struct index_plan *x = k->m->plan;
	const struct field *from = &k->m->rows->fields[column];
	struct field *f = &k->plan.fields[column];
	size_t i;

	f->value = -1;
	f->strange = 1; /* we wrote all of a record */
	f->real = from->real;
	for (i = 0; i < x->column_count && from->value >= 0; i++) {
		if (x->columns[i].value != from->value)
			continue;
		if (f->value >= 0)
			return FOR_SQLITE;
		f->value = (int)i;
		if (f->real)
			k->affinities[i] = AFFINITY_REAL;
	}
	if (from->value >= 0 && from->value == x->filter) {
		if (f->value < 0)
			f->value = (int)x->column_count;
		k->filter = (size_t)f->value;
	}
	if (f->value >= 0)
		k->plan.field_count = column + 1;
	return 0;
}

/* The columns, in the order of the index; what stands behind the last of them
 * in a record is not looked at. */
static int plan_record(struct maker *k, struct error *err)
{
	size_t count = k->m->plan->column_count, i;
	int rc = 0;

	k->plan.rowid_value = -1;
	k->plan.fields =
		calloc(k->m->rows->field_count + 1, sizeof(*k->plan.fields));
	k->affinities = calloc(count, sizeof(*k->affinities));
	k->values = calloc(count + 1, sizeof(*k->values));
	if (!k->plan.fields || !k->affinities || !k->values ||
	    record_writer_init(&k->record, k->affinities, count, -1) !=
		    SQLITE_OK)
		return error_nomem(err);
	for (i = 0; rc == 0 && i < k->m->rows->field_count; i++)
		rc = plan_field(k, i);
	return rc;
}

static int has_entry(const struct maker *k)
{
	return index_plan_takes(k->m->plan, &k->values[k->filter]);
}

/* Most of a long row is not needed. @return 0; 1; -1 */
static int read_values(struct maker *k, const struct cell *c)
{
	const struct index_plan *x = k->m->plan;
	size_t i;
	int rc;

	rc = record_read(&k->plan, c->local, c->local_size, 0, k->values);
	if (rc && c->size > ROW_MAX)
		return 1;
	if (rc && c->local_size < c->size) {
		rc = cell_payload(&k->pages, c, k->more, &k->payload);
		if (rc)
			return rc;
		rc = record_read(&k->plan,
				 (const unsigned char *)k->payload.data,
				 k->payload.size, 0, k->values);
	}
	for (i = 0; i < x->column_count; i++) {
		int value = x->columns[i].value;

		/* an INTEGER PRIMARY KEY is the rowid too */
		if (value >= 0 && value != k->m->rows->rowid_value)
			continue;
		k->values[i].class = VALUE_INTEGER;
		k->values[i].integer = c->rowid;
	}
	return rc;
}

/* @return 0; FOR_SQLITE; -1 */
static int make_line(struct maker *k, const struct cell *c, struct error *err)
{
	const struct index_plan *x = k->m->plan;
	struct line_end end = { 0, 0 };
	size_t i;

	buffer_clear(&k->line);
	for (i = 0; i + 1 < x->column_count; i++) {
		const struct index_column *column = &x->columns[i];

		if (k->values[i].class >= VALUE_TEXT &&
		    k->values[i].size > INDEX_ENTRY_MAX)
			return FOR_SQLITE;
		if (index_key_add(&k->line, &k->values[i], column->collation,
				  column->descending))
			return FOR_SQLITE;
		end.has_null |= k->values[i].class == VALUE_NULL;
	}
	index_key_add_rowid(&k->line, c->rowid);
	end.key_size = (uint32_t)k->line.size;
	record_writer_set(&k->record, k->values);
	if (k->line.size + k->record.size > INDEX_ENTRY_MAX)
		return FOR_SQLITE;
	if (buffer_reserve(&k->line, (size_t)k->record.size) == 0) {
		record_write(&k->record,
			     (unsigned char *)k->line.data + k->line.size);
		k->line.size += (size_t)k->record.size;
	}
	buffer_add(&k->line, &end, sizeof(end));
	return buffer_failed(&k->line) ? error_nomem(err) : 0;
}

/* ---- a line's entry ---- */

static int same_key(const struct maker *k, const char *line,
		    const struct line_end *end)
{
	return k->last.size == end->key_size && !end->has_null &&
	       !memcmp(k->last.data, line, end->key_size - INDEX_ROWID_SIZE);
}

/* @return 0; FOR_SQLITE; -1 */
static int write_entry(struct maker *k, const void *entry, size_t size,
		       struct error *err)
{
	int rc = index_writer_add(&k->w, entry, size);

	if (rc == SQLITE_TOOBIG)
		return FOR_SQLITE;
	return rc == SQLITE_OK ? 0 : failed(k, rc, err);
}

/* @return 0; FOR_SQLITE; ANEW; -1 */
static int write_line(struct maker *k, const char *line, size_t size,
		      struct error *err)
{
	struct line_end end;

	size -= sizeof(end);
	memcpy(&end, line + size, sizeof(end));
	if (k->m->plan->unique && same_key(k, line, &end))
		return FOR_SQLITE;
	/* keys differ, and none begins another */
	if (!k->sorter && k->last.size &&
	    memcmp(k->last.data, line,
		   k->last.size < end.key_size ? k->last.size : end.key_size) >
		    0)
		return ANEW;
	if (!k->sorter || k->m->plan->unique) {
		buffer_clear(&k->last);
		buffer_add(&k->last, line, end.key_size);
		if (buffer_failed(&k->last))
			return error_nomem(err);
	}
	return write_entry(k, line + end.key_size, size - end.key_size, err);
}

/* ---- a pair of numbers, instead of a line ---- */

/* After a row that is not in order: perhaps it is worth it. */
static int may_be_pairs(const struct maker *k)
{
	return k->m->plan->column_count == 2 &&
	       k->values[0].class <= VALUE_REAL;
}

/* The entry of the row, or pair, whose values are set. */
static int write_numbers(struct maker *k, struct error *err)
{
	unsigned char entry[ENTRY_OF_NUMBERS];

	record_writer_set(&k->record, k->values);
	record_write(&k->record, entry);
	return write_entry(k, entry, (size_t)k->record.size, err);
}

/* The bits of a number as those of one that ascends with it; and back. */
static uint64_t turn(enum value_class class, uint64_t bits)
{
	return class == VALUE_REAL && bits & SIGN ? ~bits : bits ^ SIGN;
}

static uint64_t turn_back(enum value_class class, uint64_t turned)
{
	return class == VALUE_REAL && !(turned & SIGN) ? ~turned
						       : turned ^ SIGN;
}

/* @return 0; FOR_SQLITE; ANEW; -1 */
static int add_pair(struct maker *k, int64_t rowid, struct error *err)
{
	const struct value *v = &k->values[0];
	int descending = k->m->plan->columns[0].descending;
	uint64_t number;

	if (v->class == VALUE_NULL && !descending)
		return write_numbers(k, err);
	if (k->class == VALUE_NULL && v->class <= VALUE_REAL)
		k->class = v->class;
	if (v->class == VALUE_NULL || v->class != k->class)
		return ANEW;
	memcpy(&number, &v->integer, sizeof(number));
	if (v->class == VALUE_REAL && number == SIGN)
		return ANEW; /* -0.0 and 0.0 are the same, and yet are not */
	number = turn(v->class, number);
	return sorter_add_pair(k->sorter, descending ? ~number : number,
			       turn(VALUE_INTEGER, (uint64_t)rowid), err);
}

/* @return 0; FOR_SQLITE; -1 */
static int write_pair(struct maker *k, uint64_t number, uint64_t rowid,
		      struct error *err)
{
	if (k->m->plan->columns[0].descending)
		number = ~number;
	number = turn_back(k->class, number);
	k->values[0].class = k->class;
	memcpy(&k->values[0].integer, &number, sizeof(number));
	k->values[1].class = VALUE_INTEGER;
	k->values[1].integer = (int64_t)turn_back(VALUE_INTEGER, rowid);
	return write_numbers(k, err);
}

static int write_pairs(struct maker *k, struct error *err)
{
	uint64_t number, rowid, last = 0;
	int rc, more, any = 0;

	while ((more = sorter_next_pair(k->sorter, &number, &rowid, err)) ==
	       1) {
		if (k->m->plan->unique && any && number == last)
			return FOR_SQLITE;
		any = 1;
		last = number;
		rc = write_pair(k, number, rowid, err);
		if (rc)
			return rc;
		if (step(k, err) < 0)
			return -1;
	}
	return more;
}

/* ---- all of them ---- */

/* @return 0; FOR_SQLITE; ANEW; -1 */
static int take_row(struct maker *k, const struct cell *c, struct error *err)
{
	int rc;

	if (k->paired)
		return add_pair(k, c->rowid, err);
	rc = make_line(k, c, err);
	if (rc)
		return rc;
	return k->sorter
		       ? sorter_add(k->sorter, k->line.data, k->line.size, err)
		       : write_line(k, k->line.data, k->line.size, err);
}

/* @return 0; FOR_SQLITE; ANEW; -1 */
static int take_rows(struct maker *k, struct error *err)
{
	struct cell c;
	int rc, more;

	while ((more = cells_next(&k->cells, &c)) == 1) {
		rc = read_values(k, &c);
		if (rc)
			return rc < 0 ? error_nomem(err) : FOR_SQLITE;
		if (step(k, err) < 0)
			return -1;
		if (!has_entry(k))
			continue;
		rc = take_row(k, &c, err);
		if (rc)
			return rc;
	}
	return more < 0 ? error_nomem(err) : more ? FOR_SQLITE : 0;
}

static int write_lines(struct maker *k, struct error *err)
{
	const char *line;
	size_t size;
	int rc, more;

	while ((more = sorter_next(k->sorter, &line, &size, err)) == 1) {
		rc = write_line(k, line, size, err);
		if (rc)
			return rc;
		if (step(k, err) < 0)
			return -1;
	}
	return more;
}

static int write_sorted(struct maker *k, struct error *err)
{
	if (sorter_finish(k->sorter, err) < 0)
		return -1;
	return k->paired ? write_pairs(k, err) : write_lines(k, err);
}

/* Begin to read and to write. @return 0; FOR_SQLITE; -1 */
static int begin(struct maker *k, uint32_t root, struct error *err)
{
	int rc = index_writer_open(&k->w, k->m->db->sql, root);

	if (rc == SQLITE_NOTADB)
		return FOR_SQLITE;
	if (rc != SQLITE_OK)
		return failed(k, rc, err);
	if (k->more) {
		cells_range(&k->cells, 0, k->leaves.leaf_count);
		return 0;
	}
	k->pages.file = k->w.out.file;
	k->pages.size = k->w.out.size;
	k->pages.usable = k->w.out.usable;
	k->pages.count = k->w.out.first;
	k->pages.value_limit = (size_t)k->w.out.length_limit;
	k->more = malloc(PAGES_RUN_BYTES);
	if (!k->more)
		return error_nomem(err);
	rc = leaves_find(&k->leaves, &k->pages, k->m->table_root);
	if (rc == 0 && !k->leaves.of_table)
		rc = FOR_SQLITE;
	if (rc == 0 && cells_open(&k->cells, &k->leaves) < 0)
		rc = -1;
	if (rc < 0)
		return error_nomem(err);
	if (rc == 0)
		cells_range(&k->cells, 0, k->leaves.leaf_count);
	return rc;
}

static int new_sorter(struct maker *k, struct error *err)
{
	char *folder = path_folder(k->m->db->path);
	int rc;

	if (!folder)
		return error_nomem(err);
	sorter_free(k->sorter);
	rc = sorter_new(&k->sorter, folder, k->m->sort_bytes, err);
	free(folder);
	return rc;
}

/* Nothing of the index is seen until its header is written. */
static int attempt(struct maker *k, uint32_t *root, struct error *err)
{
	int rc = begin(k, *root, err), undone;

	buffer_clear(&k->last);
	if (rc == 0)
		rc = take_rows(k, err);
	if (rc == 0 && k->sorter)
		rc = write_sorted(k, err);
	if (rc == 0) {
		rc = index_writer_end(&k->w);
		if (rc != SQLITE_OK)
			rc = failed(k, rc, err);
	}
	if (rc == 0) {
		*root = k->w.root;
	} else if (k->w.out.held) {
		undone = page_file_undo(&k->w.out);
		if (undone != SQLITE_OK && rc > 0)
			rc = failed(k, undone, err);
	}
	index_writer_release(&k->w);
	return rc;
}

/* What is sorted takes more room than the index, for a while and beside it.
 * SQLite sorts elsewhere, and has its words for a disk that is really full. */
static int attempt_sorted(struct maker *k, uint32_t *root, struct error *err)
{
	int rc = new_sorter(k, err);

	if (rc == 0)
		rc = attempt(k, root, err);
	if (rc >= 0 || !err || err->code != ERROR_NOSPACE)
		return rc;
	error_clear(err);
	return FOR_SQLITE;
}

int index_make(const struct index_making *m, uint32_t *root, struct error *err)
{
	struct maker k;
	int rc;

	memset(&k, 0, sizeof(k));
	k.m = m;
	rc = plan_record(&k, err);
	if (rc == 0)
		rc = attempt(&k, root, err);
	k.paired = rc == ANEW && may_be_pairs(&k);
	if (k.paired)
		rc = attempt_sorted(&k, root, err);
	k.paired = 0;
	if (rc == ANEW)
		rc = attempt_sorted(&k, root, err);
	sorter_free(k.sorter);
	cells_release(&k.cells);
	leaves_release(&k.leaves);
	record_writer_release(&k.record);
	record_plan_release(&k.plan);
	buffer_release(&k.payload);
	buffer_release(&k.line);
	buffer_release(&k.last);
	free(k.affinities);
	free(k.values);
	free(k.more);
	return rc;
}
