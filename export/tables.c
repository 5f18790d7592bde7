/*
 * tables.c - all tables into the folder data/tables, by a crew
 *
 * A job is a run of one table's rows, told by the leaves they lie in: whoever
 * has a job scans, encodes, hashes and compresses its rows, and shares nothing
 * with the others.  Ending jobs in order joins their ends and stores their
 * chunks.  The jobs of all tables are one sequence, so that nobody waits where
 * a table ends.
 *
 * Tables that can't be read so are scanned and encoded here, and a job is to
 * hash and compress the lines.  A table whose pages turn out not to be as they
 * should is done again that way: then SQLite says what is wrong.  A table that
 * does not come out as expected is done again, too, and nothing is expected of
 * it and those behind it.
 *
 * Of a file that is being completed all that SQLite has to tell is asked
 * before the first row, and what is not read from pages is left out.
 */
#include "export/export.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/processors.h"
#include "database/database.h"
#include "export/cache.h"
#include "export/export_internal.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"
#include "snapshot/value.h"

/* About so much text in a job: sixteen chunks, of which one is put together
 * and put in order, by one thread at a time. */
#define JOB_BYTES ((size_t)1 << 20)

/* A job that grows over this hands over what it has, when its turn has come. */
#define JOB_MAX ((size_t)8 << 20)

/* Leaves that are looked at to tell how many make a job. */
#define SAMPLES      16
#define SAMPLE_BYTES ((size_t)8 << 20)

/* From so many leaves on a table is worth threads. */
#define WORTH_LEAVES 64

/* Often enough for a smooth display and a prompt Ctrl-C, seldom enough not to
 * be felt; rows with big values count by their bytes. */
#define TICK_ROWS  1000
#define TICK_BYTES ((size_t)8 << 20)

struct exporter;

/* What is known of a table while its jobs are on their way. */
struct passage {
	struct table *table;
	size_t values;       /* a row */
	struct parts *parts; /* NULL: its rows come through this thread */
	struct chunk_writer *writer;
	int odd;             /* its pages are: not in parts */
	int other;           /* it is not what was expected */
	size_t slot;         /* in the cache, or SIZE_MAX */
	struct leaf_sum sum; /* for it, of jobs that ended */
	struct leaf_digests digests;
	int digested;            /* `digests` is set */
	atomic_int done;         /* 1: the member below is set */
	struct object_id folder; /* all zero: no rows, no folder */
};

struct job {
	struct chunk_turn turn; /* first: the segment hands us this */
	struct exporter *exporter;
	size_t place;
	struct chunk_segment *segment;
	struct chunk_place at;
	struct passage *passage;
	size_t first, end;    /* leaves */
	int last;             /* the table's last job */
	struct buffer prints; /* of the leaves, for the cache */
	uint64_t rows;        /* not counted yet */
	size_t tick_rows;
	uint64_t tick_taken; /* by its segment, at the last tick */
};

struct exporter {
	struct crew_work work; /* first: the crew hands us this */
	const struct row_origin *from;
	const struct catalog *catalog;
	struct sink *sink;
	struct export_progress *progress;       /* or NULL */
	struct export_cache *cache;             /* or NULL */
	const struct export_expected *expected; /* or NULL */
	struct crew *crew;
	struct job jobs[2 * CREW_JOBS_MAX];
	struct passage *passages; /* of the catalog's tables */
	size_t passage_count;
	size_t told; /* tables of which the caller knows that they are stored */
	const struct table *current;
	struct tree tables;
	atomic_ullong rows; /* in jobs that ended */
};

/* ---- in any thread ---- */

static int wait_turn(struct chunk_turn *turn, struct error *err)
{
	struct job *j = (struct job *)turn;

	(void)err;
	return crew_turn(j->exporter->crew, j->place);
}

static int count_row(struct job *j)
{
	uint64_t taken = chunk_segment_taken(j->segment);

	j->rows++;
	if (++j->tick_rows < TICK_ROWS && taken - j->tick_taken < TICK_BYTES)
		return 0;
	j->tick_rows = 0;
	j->tick_taken = taken;
	return crew_pause(j->exporter->crew);
}

static int add_segment(struct job *j, struct error *err)
{
	int rc = chunk_writer_add(j->passage->writer, j->segment, err);

	if (!rc)
		j->exporter->rows += j->rows;
	j->rows = 0;
	return rc;
}

/* @return 0; 1: not in parts; -1 */
static int take_row(struct job *j, int64_t rowid, const struct value *values,
		    struct error *err)
{
	int rc = chunk_segment_row(j->segment, rowid, values, err);

	if (!rc)
		rc = chunk_segment_put(j->segment, err);
	if (rc || chunk_segment_bytes(j->segment) < JOB_MAX)
		return rc;
	rc = crew_turn(j->exporter->crew, j->place);
	return rc ? rc : add_segment(j, err);
}

static int scan_leaves(struct job *j, struct scan *scan, struct value *values,
		       struct error *err)
{
	int64_t rowid;
	int rc;

	if (scan_part(scan, j->first, j->end) < 0)
		return 1;
	while ((rc = scan_next(scan, &rowid, values, err)) == 1) {
		rc = take_row(j, rowid, values, err);
		if (!rc)
			rc = count_row(j);
		if (rc)
			return rc;
	}
	return rc == 2 ? 1 : rc;
}

static int run_job(struct crew_work *work, size_t place, struct error *err)
{
	struct job *j = &((struct exporter *)work)->jobs[place];
	struct export_cache *cache = j->exporter->cache;
	struct passage *p = j->passage;
	int print = p->slot != SIZE_MAX;
	struct scan *scan = NULL;
	struct value *values;
	int rc = -1;

	if (!p->parts)
		return chunk_segment_put(j->segment, err);
	values = calloc(p->values + 1, sizeof(*values));
	if (!values)
		error_nomem(err);
	else if (parts_scan(p->parts, print ? export_cache_key(cache) : NULL,
			    print ? &j->prints : NULL, &scan, err) == 0)
		rc = scan_leaves(j, scan, values, err);
	scan_free(scan);
	free(values);
	return rc;
}

/* ---- in order ---- */

static void forget(struct passage *p)
{
	chunk_writer_free(p->writer);
	p->writer = NULL;
	parts_free(p->parts);
	p->parts = NULL;
	leaf_sum_release(&p->sum);
}

/* Tables that are as they were the last time are done at once, perhaps before
 * those in front of them. */
static void tell_stored(struct exporter *e)
{
	static const struct object_id none;
	struct export_progress *p = e->progress;

	for (; e->told < e->passage_count; e->told++) {
		const struct passage *is = &e->passages[e->told];

		if (!is->done)
			break;
		if (p && p->stored)
			p->stored(p, e->told,
				  memcmp(&is->folder, &none, sizeof(none))
					  ? &is->folder
					  : NULL);
	}
}

static int end_job(struct crew_work *work, size_t place, struct error *err)
{
	struct exporter *e = (struct exporter *)work;
	struct job *j = &e->jobs[place];
	struct passage *p = j->passage;
	int rc = add_segment(j, err);

	if (!rc && j->prints.size)
		leaf_sum_add(&p->sum, &j->prints);
	if (rc || !j->last)
		return rc;
	rc = chunk_writer_finish(p->writer, p->table, &p->folder, err);
	p->other = rc == 2;
	if (p->other && !e->from->early)
		return 1;
	p->digested = !p->other && leaf_sum_end(&p->sum, &p->digests);
	p->done = rc >= 0;
	forget(p);
	if (rc >= 0)
		tell_stored(e);
	return rc < 0 ? -1 : 0;
}

/* ---- giving jobs ---- */

static int tick(struct crew_work *work, struct error *err)
{
	struct exporter *e = (struct exporter *)work;
	struct export_progress *p = e->progress;

	if (p && p->tick && e->current && p->tick(p, e->current->name, e->rows))
		return error_set(err, ERROR_INTERRUPTED, "interrupted");
	return 0;
}

/* @return 0; 1: all stops */
static int next_job(struct exporter *e, struct passage *p,
		    struct chunk_place at, struct job **out)
{
	struct error err = ERROR_INIT;
	struct job *j;
	size_t place;
	int rc = 0;

	*out = NULL;
	if (crew_place(e->crew, &place))
		return 1;
	j = &e->jobs[place];
	j->turn.wait = wait_turn;
	j->exporter = e;
	j->place = place;
	j->passage = p;
	j->at = at;
	j->last = 0;
	j->rows = 0;
	buffer_clear(&j->prints);
	if (!j->segment)
		rc = chunk_segment_new(&j->segment, e->sink, &err);
	if (!rc)
		rc = chunk_segment_begin(j->segment, p->table, &j->at, &j->turn,
					 &err);
	if (rc < 0) {
		crew_fail(e->crew, place, &err);
		return 1;
	}
	*out = j;
	return 0;
}

/* Bytes of text that leaf `leaf` makes, roughly. */
static size_t leaf_bytes(struct scan *scan, size_t leaf, struct value *values,
			 size_t count)
{
	struct error ignored = ERROR_INIT;
	size_t bytes = 0;
	int64_t rowid;

	scan_part(scan, leaf, leaf + 1);
	while (bytes < SAMPLE_BYTES &&
	       scan_next(scan, &rowid, values, &ignored) == 1) {
		for (size_t i = 0; i < count; i++)
			bytes += 16 + (values[i].class >= VALUE_TEXT
					       ? values[i].size
					       : 0);
	}
	return bytes;
}

/* How many leaves make a job.  It depends on the table alone, so that what is
 * stored does as well. */
static size_t leaves_a_job(const struct passage *p)
{
	size_t leaves = parts_count(p->parts), bytes = 0, i;
	struct value *values = calloc(p->values + 1, sizeof(*values));
	struct error ignored = ERROR_INIT;
	struct scan *scan = NULL;

	if (leaves > SAMPLES && values &&
	    !parts_scan(p->parts, NULL, NULL, &scan, &ignored)) {
		for (i = 0; i < SAMPLES && bytes < SAMPLE_BYTES; i++)
			bytes += leaf_bytes(scan, leaves / SAMPLES * i, values,
					    p->values);
		leaves = JOB_BYTES / (bytes / i + 1) + 1;
	}
	scan_free(scan);
	free(values);
	return leaves;
}

/* @return 0; 1: all stops */
static int give_leaves(struct exporter *e, struct passage *p)
{
	size_t leaves = parts_count(p->parts), step = leaves_a_job(p), at = 0;
	struct chunk_place start = { .exact = 1 };
	struct job *j;

	while (at < leaves) {
		if (next_job(e, p, start, &j))
			return 1;
		j->first = at;
		at = leaves - at > step ? at + step : leaves;
		j->end = at;
		j->last = at == leaves;
		crew_give(e->crew, j->place, leaves > WORTH_LEAVES);
		/* what is in front of the others is not known to them */
		start = (struct chunk_place){ .exact = 0, .rows = 1 };
	}
	return 0;
}

/* Rows that come through this thread. */
struct stream {
	struct row_taker taker; /* first: the callbacks get its address */
	struct exporter *exporter;
	struct passage *passage;
	struct job *job; /* being filled; NULL: all stops */
};

static int fill(struct stream *s)
{
	struct chunk_place at = s->job->at;

	if (chunk_segment_bytes(s->job->segment) < JOB_BYTES)
		return 0;
	crew_give(s->exporter->crew, s->job->place, 1);
	return next_job(s->exporter, s->passage, at, &s->job) ? -1 : 0;
}

static int stream_row(struct row_taker *taker, int64_t rowid,
		      const struct value *values, struct error *err)
{
	struct stream *s = (struct stream *)taker;
	if (chunk_segment_row(s->job->segment, rowid, values, err) < 0 ||
	    count_row(s->job) < 0)
		return -1;
	return fill(s);
}

static int stream_unsorted(struct row_taker *taker, int64_t rowid,
			   const struct value *values, struct buffer *out,
			   struct error *err)
{
	struct stream *s = (struct stream *)taker;

	if (count_row(s->job) < 0)
		return -1;
	return chunk_segment_encode(s->job->segment, rowid, values, out, err);
}

static int stream_line(struct row_taker *taker, const char *line, size_t size,
		       const char *key, size_t key_size, struct error *err)
{
	struct stream *s = (struct stream *)taker;

	if (chunk_segment_line(s->job->segment, line, size, key, key_size,
			       err) < 0)
		return -1;
	return fill(s);
}

/* @return 0; 1: all stops */
static int give_rows(struct exporter *e, struct passage *p)
{
	struct stream s = {
		.taker = { stream_row, stream_unsorted, stream_line },
		.exporter = e,
		.passage = p,
	};
	struct chunk_place start = { .exact = 1 };
	struct error err = ERROR_INIT;
	int rc;

	if (next_job(e, p, start, &s.job))
		return 1;
	rc = export_rows(e->from, p->table, &s.taker, &err);
	if (rc < 0 && s.job)
		crew_fail(e->crew, s.job->place, &err);
	if (rc < 0)
		return 1;
	s.job->last = 1;
	crew_give(e->crew, s.job->place, 0);
	return 0;
}

/* Are a table's leaves those that the last export found?  Then its folder is
 * there. */
static int is_as_before(struct exporter *e, struct passage *p,
			struct error *err)
{
	int rc = export_cache_table(e->cache, e->catalog, p->table, p->parts,
				    e->sink, &p->folder, &p->slot, err);

	if (rc == 1) {
		e->rows += p->table->rows;
		p->done = 1;
		forget(p);
	} else if (rc == 0 && p->slot != SIZE_MAX) {
		rc = leaf_sum_begin(&p->sum, parts_count(p->parts), err);
	}
	return rc < 0 ? -1 : 0;
}

/* Tables lie in the same order there; where one does not, it is hashed. */
static void expect(const struct exporter *e, const struct passage *p)
{
	static const struct object_id none;
	const struct export_expected *x = e->expected;
	size_t i = (size_t)(p - e->passages);

	if (x && x->folders && i < x->catalog->table_count &&
	    memcmp(&x->folders[i], &none, sizeof(none)) != 0 &&
	    !strcmp(x->catalog->tables[i].name, p->table->name))
		chunk_writer_expect(p->writer, &x->catalog->tables[i],
				    &x->folders[i]);
}

/* @return 0; 1: all stops */
static int give_table(struct exporter *e, struct passage *p)
{
	struct error err = ERROR_INIT;
	size_t place;
	int rc;

	e->current = p->table;
	p->slot = SIZE_MAX;
	p->digested = 0;
	p->other = 0;
	if (e->from->early && !p->parts)
		return 0;
	rc = chunk_writer_new(&p->writer, p->table, e->sink, &err);
	if (!rc)
		expect(e, p);
	if (!rc && !p->odd && !p->parts && e->from->db)
		rc = database_parts(e->from->db, p->table, &p->parts, &err);
	if (rc == 0 && p->parts)
		rc = is_as_before(e, p, &err);
	if (rc >= 0 && p->done)
		return 0;
	if (rc >= 0)
		return p->parts ? give_leaves(e, p) : give_rows(e, p);
	if (!crew_place(e->crew, &place))
		crew_fail(e->crew, place, &err);
	return 1;
}

/* Ask SQLite now for all that it is to tell. @return 0 or -1 */
static int prepare_early(struct exporter *e, struct error *err)
{
	for (size_t i = 0; i < e->passage_count; i++) {
		struct passage *p = &e->passages[i];

		if (database_parts(e->from->db, p->table, &p->parts, err) < 0)
			return -1;
	}
	if (e->progress->prepared)
		e->progress->prepared(e->progress);
	return 0;
}

/* From the table on that was found to be odd, or another than was expected, all
 * is done again. */
static int give_tables(struct exporter *e, size_t count, struct error *err)
{
	struct passage *p;
	size_t i = 0, place;
	int rc;

	for (;;) {
		while (i < count && !give_table(e, &e->passages[i]))
			i++;
		rc = crew_wait(e->crew, &place, err);
		if (rc <= 0 || e->from->early)
			return rc;
		p = e->jobs[place].passage;
		if (p->other)
			e->expected = NULL;
		else
			p->odd = 1;
		for (i = count; &e->passages[i] != p;) {
			forget(&e->passages[--i]);
			e->passages[i].done = 0;
			e->passages[i].folder = (struct object_id){ { 0 } };
		}
	}
}

/* Neither tables without rows have a folder, nor has git empty ones. */
static int put_folder(struct exporter *e, size_t count, struct tree *data,
		      struct error *err)
{
	static const struct object_id none;
	struct object_id id;

	tell_stored(e);
	for (size_t i = 0; i < count; i++) {
		const struct passage *p = &e->passages[i];

		if (p->digested)
			export_cache_note(e->cache, p->slot, p->table,
					  &p->digests, &p->folder);
		if (memcmp(&p->folder, &none, sizeof(none)) != 0 &&
		    tree_add(&e->tables, p->table->folder, 1, &p->folder, err) <
			    0)
			return -1;
	}

	if (!e->tables.count)
		return 0;
	if (tree_put(&e->tables, e->sink, &id, err) < 0)
		return -1;
	return tree_add(data, "tables", 1, &id, err);
}

/* As for crew_new(). */
static unsigned int count_jobs(const struct exporter *e)
{
	unsigned int jobs = e->progress ? e->progress->jobs : 0;

	if (!e->from->early)
		return jobs;
	return (jobs ? jobs : (unsigned int)processors_for_us()) - 1;
}

static void free_job(struct job *j)
{
	chunk_segment_free(j->segment);
	buffer_release(&j->prints);
}

int export_tables(const struct row_origin *from, struct catalog *c,
		  struct sink *s, struct export_progress *p, struct tree *data,
		  struct error *err)
{
	struct exporter *e = calloc(1, sizeof(*e));
	int rc = -1;

	if (!e)
		return error_nomem(err);
	e->work = (struct crew_work){ run_job, end_job, tick };
	e->from = from;
	e->catalog = c;
	e->sink = s;
	e->progress = p;
	e->cache = p ? p->cache : NULL;
	e->expected = p ? p->expected : NULL;
	e->passages = calloc(c->table_count + 1, sizeof(*e->passages));
	if (!e->passages) {
		error_nomem(err);
		goto done;
	}
	e->passage_count = c->table_count;
	for (size_t i = 0; i < c->table_count; i++) {
		e->passages[i].table = &c->tables[i];
		e->passages[i].values = export_values(&c->tables[i]);
	}
	if ((!from->early || prepare_early(e, err) == 0) &&
	    crew_new(&e->crew, s->batch_new ? count_jobs(e) : 1, &e->work,
		     err) == 0 &&
	    give_tables(e, c->table_count, err) == 0)
		rc = put_folder(e, c->table_count, data, err);
done:
	crew_free(e->crew);
	for (size_t i = 0; i < 2 * CREW_JOBS_MAX; i++)
		free_job(&e->jobs[i]);
	for (size_t i = 0; e->passages && i < c->table_count; i++)
		forget(&e->passages[i]);
	tree_release(&e->tables);
	free(e->passages);
	free(e);
	return rc;
}
