/*
 * test_diff.c - what differs between random databases is what a look at all
 * their rows says
 *
 * usage: property_test_diff [ROUNDS [FIRST_SEED]]
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "database/database.h"
#include "export/export.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"
#include "snapshot/diff.h"
#include "snapshot/manifest.h"
#include "snapshot/row_internal.h"
#include "tests/property/another_db.h"
#include "tests/property/random_db.h"
#include "tests/support/memory_store.h"

/* ---- snapshots in memory ---- */

struct side {
	struct memory_store *store;
	struct source *source;
	struct catalog *catalog; /* as read back */
	struct object_id content;
};

static void side_release(struct side *s)
{
	catalog_free(s->catalog);
	source_free(s->source);
	memory_store_free(s->store);
}

static int side_open(struct side *s, const char *path, struct error *err)
{
	struct snapshot_info info = { .source = (char[]){ "random.db" },
				      .tool_version = (char[]){ "test" },
				      .kind = (char[]){ "manual" } };
	struct database_options o = { .busy_timeout_ms = 1000 };
	struct database *db = NULL;
	struct catalog *c = NULL;
	struct object_id root;
	int rc = -1;

	s->store = memory_store_new();
	if (database_open(&db, path, &o, err) == 0 &&
	    database_begin(db, err) == 0 &&
	    database_catalog(db, &c, err) == 0 &&
	    export_data(db, c, memory_store_sink(s->store), NULL, &s->content,
			err) == 0) {
		info.content = s->content;
		info.page_size = c->page_size;
		rc = export_root(&info, c, &s->content,
				 memory_store_sink(s->store), &root, err);
	}
	catalog_free(c);
	database_close(db);
	if (rc < 0)
		return -1;
	s->source = memory_store_source(s->store, &root);
	return manifest_read(&s->catalog, s->source, err);
}

/* ---- a look at all rows ---- */

struct naive_row {
	char *key, *line; /* line: in hex, to be text */
	int side;
};

struct naive {
	struct naive_row *rows;
	size_t count;
	char **said; /* what differs, a text each */
	size_t said_count;
};

static char *hex(const char *data, size_t size)
{
	char *out = malloc(2 * size + 1);

	hex_encode(out, (const unsigned char *)data, size);
	out[2 * size] = '\0';
	return out;
}

static void say(struct naive *n, char *text)
{
	n->said = realloc(n->said, (n->said_count + 1) * sizeof(*n->said));
	n->said[n->said_count++] = text;
}

static char *change_text(const char *a, const char *b)
{
	struct buffer out = BUFFER_INIT;

	buffer_printf(&out, "%s>%s", a ? a : "", b ? b : "");
	return buffer_detach(&out);
}

/* Names of the key's columns, one behind the other. */
static void key_text(const struct table *t, struct buffer *out)
{
	if (t->order == ORDER_ROWID) {
		buffer_printf(out, "%s\n", t->rowid_key);
		return;
	}
	for (int place = 1;; place++) {
		size_t i = 0;

		while (i < t->column_count && t->columns[i].key != place)
			i++;
		if (i == t->column_count || t->columns[i].generated)
			return;
		buffer_printf(out, "%s\n", t->columns[i].name);
	}
}

/* By what rows are told apart: 0 lines, 1 rowids, 2 values of the key */
static int kind_of(const struct table *a, const struct table *b)
{
	struct buffer x = BUFFER_INIT, y = BUFFER_INIT;
	int same;

	if (a->order == ORDER_ROWID && b->order == ORDER_ROWID)
		return 1;
	key_text(a, &x);
	key_text(b, &y);
	same = x.size && x.size == y.size && !memcmp(x.data, y.data, x.size);
	buffer_release(&x);
	buffer_release(&y);
	return same ? 2 : 0;
}

static char *row_text(struct row_shape *s, int kind, int64_t rowid,
		      const struct value *values)
{
	struct buffer out = BUFFER_INIT;
	struct value v = { .class = VALUE_INTEGER, .integer = rowid };
	size_t i;

	if (kind == 1 || (kind == 2 && s->table->order == ORDER_ROWID))
		row_put_value(&out, &v, NULL);
	for (i = 0;
	     kind == 2 && s->table->order != ORDER_ROWID && i < s->key_count;
	     i++) {
		if (i)
			buffer_byte(&out, ',');
		row_put_value(&out, &values[s->key[i]], NULL);
	}
	buffer_cstr(&out);
	return buffer_detach(&out);
}

static int read_rows(struct naive *n, struct side *s, int side,
		     const struct table *t, int kind, struct error *err)
{
	struct chunk_reader *r = NULL;
	struct row_shape *shape = NULL;
	struct value *values = calloc(t->column_count + 1, sizeof(*values));
	int64_t rowid;
	int more = -1;

	if (row_shape_new(&shape, t, err) < 0 ||
	    chunk_reader_new(&r, t, s->source, err) < 0)
		goto done;
	while ((more = chunk_reader_next(r, &rowid, values, err)) > 0) {
		size_t size;
		const char *line = chunk_reader_line(r, &size);
		struct naive_row *row;

		n->rows = realloc(n->rows, (n->count + 1) * sizeof(*n->rows));
		row = &n->rows[n->count++];
		row->key = row_text(shape, kind, rowid, values);
		row->line = hex(line, size);
		row->side = side;
	}
done:
	row_shape_free(shape);
	chunk_reader_free(r);
	free(values);
	return more;
}

static int compare_rows(const void *a, const void *b)
{
	const struct naive_row *x = a, *y = b;
	int diff = strcmp(x->key, y->key);

	if (!diff)
		diff = strcmp(x->line, y->line);
	return diff ? diff : x->side - y->side;
}

static void drop_row(struct naive *n, size_t at)
{
	free(n->rows[at].key);
	free(n->rows[at].line);
	memmove(&n->rows[at], &n->rows[at + 1],
		(--n->count - at) * sizeof(*n->rows));
}

/* Rows of equal lines go out in pairs. */
static void drop_equal(struct naive *n)
{
	size_t i = 0, j;

	while (i < n->count) {
		for (j = i + 1;
		     j < n->count && !strcmp(n->rows[i].key, n->rows[j].key) &&
		     !strcmp(n->rows[i].line, n->rows[j].line);
		     j++)
			if (n->rows[i].side != n->rows[j].side)
				break;
		if (j < n->count && n->rows[i].side != n->rows[j].side &&
		    !strcmp(n->rows[i].key, n->rows[j].key) &&
		    !strcmp(n->rows[i].line, n->rows[j].line)) {
			drop_row(n, j);
			drop_row(n, i);
		} else {
			i++;
		}
	}
}

static void say_rows(struct naive *n, int kind)
{
	for (size_t i = 0; i < n->count; i++) {
		const struct naive_row *row = &n->rows[i], *next = row + 1;
		int pair = kind && i + 1 < n->count &&
			   row->side != next->side &&
			   !strcmp(row->key, next->key);
		const char *lines[2] = { NULL, NULL };

		lines[row->side] = row->line;
		if (pair)
			lines[next->side] = next->line;
		say(n, change_text(lines[0], lines[1]));
		i += (size_t)pair;
	}
}

static int look(struct naive *n, struct side sides[2],
		const struct diff_table *t, int kind, struct error *err)
{
	for (int side = 0; side < 2; side++)
		if (t->sides[side] && read_rows(n, &sides[side], side,
						t->sides[side], kind, err) < 0)
			return -1;
	if (n->count)
		qsort(n->rows, n->count, sizeof(*n->rows), compare_rows);
	drop_equal(n);
	say_rows(n, kind);
	return 0;
}

static void naive_release(struct naive *n)
{
	while (n->count)
		drop_row(n, n->count - 1);
	while (n->said_count)
		free(n->said[--n->said_count]);
	free(n->rows);
	free(n->said);
}

/* ---- the comparison under test ---- */

struct taken {
	struct diff_taker base; /* first */
	struct naive said;
	struct diff_cells *cells;
	uint64_t counts[3];
	int64_t last_rowid;
	size_t rows;
};

static int take(struct diff_taker *base, const struct diff_table *t,
		const struct diff_row *row, struct error *err)
{
	struct taken *k = (struct taken *)base;
	char *lines[2] = { NULL, NULL };
	const struct diff_cell *cells;
	size_t count;

	for (int side = 0; side < 2; side++)
		if (row->lines[side])
			lines[side] = hex(row->lines[side], row->sizes[side]);
	say(&k->said, change_text(lines[0], lines[1]));
	free(lines[0]);
	free(lines[1]);
	k->counts[row->change]++;
	if ((row->change == DIFF_ADDED) != !row->lines[DIFF_A] ||
	    (row->change == DIFF_REMOVED) != !row->lines[DIFF_B])
		return error_set(err, ERROR_DAMAGE, "lines are missing");
	if (!k->cells && diff_cells_new(&k->cells, t, err) < 0)
		return -1;
	return diff_cells_split(k->cells, row, &cells, &count, err);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int same_said(struct naive *a, struct naive *b)
{
	if (a->said_count != b->said_count)
		return 0;
	if (a->said_count) {
		qsort(a->said, a->said_count, sizeof(*a->said), compare_texts);
		qsort(b->said, b->said_count, sizeof(*b->said), compare_texts);
	}
	for (size_t i = 0; i < a->said_count; i++)
		if (strcmp(a->said[i], b->said[i]) != 0)
			return 0;
	return 1;
}

static int check_table(struct diff *d, struct side sides[2],
		       struct diff_table *t, struct error *err)
{
	struct taken k = { .base = { .row = take } };
	struct naive n = { 0 };
	int kind = t->sides[0] && t->sides[1] && t->sides[0]->rows &&
				   t->sides[1]->rows
			   ? kind_of(t->sides[0], t->sides[1])
			   : 0;
	int rc = -1;

	if (diff_rows(d, t, &k.base, err) < 0 ||
	    look(&n, sides, t, kind, err) < 0)
		goto done;
	if (!same_said(&n, &k.said))
		error_set(err, ERROR_DAMAGE,
			  "table '%s': %zu rows differ, not %zu", t->name,
			  n.said_count, k.said.said_count);
	else if (k.counts[DIFF_ADDED] != t->added ||
		 k.counts[DIFF_CHANGED] != t->changed ||
		 k.counts[DIFF_REMOVED] != t->removed)
		error_set(err, ERROR_DAMAGE, "table '%s': wrong counts",
			  t->name);
	else
		rc = k.said.said_count > 0;
done:
	diff_cells_free(k.cells);
	naive_release(&n);
	naive_release(&k.said);
	return rc;
}

/** @return 1 something differs, 0, -1 */
static int check(struct side sides[2], struct error *err)
{
	struct source *const sources[2] = { sides[0].source, sides[1].source };
	const struct catalog *const catalogs[2] = { sides[0].catalog,
						    sides[1].catalog };
	struct diff_entry *entries = NULL;
	struct diff_table *tables;
	struct diff *d = NULL;
	size_t count, i;
	int differ = 0, rc = -1;

	if (diff_new(&d, sources, catalogs, err) < 0 ||
	    diff_schema(d, &entries, &count, err) < 0)
		goto done;
	differ = count > 0;
	tables = diff_tables(d, &count);
	for (i = 0; i < count; i++) {
		rc = check_table(d, sides, &tables[i], err);
		if (rc < 0)
			goto done;
		differ |= rc;
	}
	rc = differ;
done:
	free(entries);
	diff_free(d);
	return rc;
}

static int same_settings(const struct catalog *a, const struct catalog *b)
{
	return a->encoding == b->encoding &&
	       a->user_version == b->user_version &&
	       a->application_id == b->application_id;
}

/** @return 1: one of both cannot be exported; 0; -1 */
static int round_of(const char *from, const char *to, struct error *err)
{
	struct side sides[2] = { { 0 }, { 0 } };
	int rc = 1, equal;

	if (side_open(&sides[0], from, err) == 0 &&
	    side_open(&sides[1], to, err) == 0) {
		rc = check(sides, err);
		equal = !memcmp(&sides[0].content, &sides[1].content,
				sizeof(sides[0].content));
		if (rc >= 0 &&
		    same_settings(sides[0].catalog, sides[1].catalog) &&
		    equal == rc)
			rc = error_set(err, ERROR_DAMAGE,
				       equal ? "equal contents differ"
					     : "nothing differs but the ids");
		else if (rc > 0)
			rc = 0;
	}
	side_release(&sides[0]);
	side_release(&sides[1]);
	return rc;
}

static void remove_db(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
	char name[512];

	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
}

int main(int argc, char **argv)
{
	uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10)
				 : (uint64_t)time(NULL) * 1000003;
	const char *tmp = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	char from[512], to[512], *folder = NULL;
	struct error err = ERROR_INIT;
	uint64_t failed = 0, passed_over = 0;

	if (scratch_make(&folder, tmp, "dbstow-property", &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	snprintf(from, sizeof(from), "%s/from.db", folder);
	snprintf(to, sizeof(to), "%s/to.db", folder);
	printf("%" PRIu64 " rounds from seed %" PRIu64 "\n", rounds, seed);
	for (uint64_t i = 0; i < rounds; i++) {
		int rc;

		error_clear(&err);
		random_db(from, seed + i);
		another_db(from, to, seed + i);
		rc = round_of(from, to, &err);
		passed_over += rc > 0;
		if (rc < 0) {
			printf("seed %" PRIu64 ": %s\n", seed + i, err.message);
			failed++;
			if (rounds == 1) {
				printf("kept in %s\n", folder);
				return 1;
			}
		}
		remove_db(from);
		remove_db(to);
	}
	scratch_remove(folder);
	free(folder);
	printf("%" PRIu64 " could not be exported\n", passed_over);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", rounds - failed,
	       failed);
	return failed != 0;
}
