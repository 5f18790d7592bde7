/* proof.c - restore, export again, compare */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "cmd/beside.h"
#include "cmd/cmd.h"
#include "cmd/proof.h"
#include "export/export.h"
#include "restore/restore.h"
#include "snapshot/catalog.h"
#include "snapshot/chunks.h"
#include "snapshot/manifest.h"
#include "snapshot/records.h"
#include "snapshot/row.h"
#include "snapshot/text.h"

struct build_tick {
	struct restore_progress base;
	struct cmd_progress shown;
};

static int tick_build(struct restore_progress *p, const char *table,
		      uint64_t rows)
{
	return cmd_progress_tick(&((struct build_tick *)p)->shown, table, rows);
}

struct scan_tick {
	struct export_progress base;
	struct cmd_progress shown;
};

static int tick_scan(struct export_progress *p, const char *table,
		     uint64_t rows)
{
	return cmd_progress_tick(&((struct scan_tick *)p)->shown, table, rows);
}

static uint64_t all_rows(const struct catalog *c)
{
	uint64_t rows = 0;

	for (size_t i = 0; i < c->table_count; i++)
		rows += c->tables[i].rows;
	return rows;
}

/** SQLite's own checks, on a connection of their own beside the scan; who has
 *  scanned helps. */
struct check_run {
	pthread_t thread;
	int threaded;
	struct check_share share;
	const char *path;
	const struct database_options *open;
	struct database_check *out;
	struct error err;
	int rc;
};

static void *check_work(void *payload)
{
	struct check_run *c = payload;
	struct database *db = NULL;

	c->rc = -1;
	if (database_open(&db, c->path, c->open, &c->err) == 0 &&
	    database_begin(db, &c->err) == 0)
		c->rc = database_check(db, &c->share, c->out, &c->err);
	database_close(db);
	return NULL;
}

static void check_begin(struct check_run *c, const char *path,
			const struct database_options *open,
			struct database_check *out)
{
	memset(c, 0, sizeof(*c));
	c->path = path;
	c->open = open;
	c->out = out;
	c->threaded = cmd_thread(&c->thread, check_work, c);
}

static int check_end(struct check_run *c, struct error *err)
{
	if (c->threaded)
		pthread_join(c->thread, NULL);
	else
		check_work(c);
	return c->rc < 0 ? error_set(err, c->err.code, "%s", c->err.message)
			 : 0;
}

/** Take what nobody has begun with, wait for the rest. */
static int check_finish(struct check_run *c, struct database *db,
			struct error *err)
{
	struct database_check mine = { 0 };
	int rc = database_check(db, &c->share, &mine, err);

	if (check_end(c, err) < 0)
		rc = -1;
	if (rc == 0)
		rc = database_check_merge(c->out, &mine, err);
	database_check_release(&mine);
	return rc;
}

/** The file goes to the disk while it is checked.  Its descriptor is closed
 *  when SQLite has closed its own: that would drop their locks. */
struct flush {
	pthread_t thread;
	int threaded;
	int fd;
	int failed; /* errno, or 0 */
};

static void *flush_work(void *payload)
{
	struct flush *f = payload;

	if (fsync(f->fd) < 0)
		f->failed = errno;
	return NULL;
}

static void flush_begin(struct flush *f, const char *path)
{
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		f->failed = errno;
	else
		f->threaded = cmd_thread(&f->thread, flush_work, f);
}

static int flush_end(struct flush *f, const char *path, struct error *err)
{
	if (f->threaded)
		pthread_join(f->thread, NULL);
	else if (f->fd >= 0)
		flush_work(f);
	if (f->fd >= 0)
		close(f->fd);
	if (!f->failed)
		return 0;
	errno = f->failed;
	return error_errno(err, ERROR_FAILED, "cannot sync '%s'", path);
}

static int build(const struct cmd *cmd, struct source *s,
		 const struct catalog *c, const char *path,
		 const struct proof_options *o, struct restore_build *how,
		 struct proof *out, struct error *err)
{
	struct build_tick built = { .base.tick = tick_build };
	struct restore_report report = { NULL, 0 };
	int rc;

	how->progress = &built.base;
	cmd_progress_begin(&built.shown, cmd, o->what, all_rows(c));
	rc = restore_build(s, c, path, how, &report, err);
	cmd_progress_end(&built.shown);
	if (rc < 0)
		return -1;
	free(out->stand_ins);
	out->stand_ins = report.stand_ins;
	return 0;
}

static int compare_names(const void *key, const void *entry)
{
	return strcmp(key, ((const struct source_name *)entry)->name);
}

/** The ids of the tables' folders, all zero where the source does not tell
 *  one at hand; NULL: it tells none. */
static struct object_id *list_folders(struct source *s, const struct catalog *c)
{
	struct object_id *ids = calloc(c->table_count + 1, sizeof(*ids));
	struct source_names names = { 0 };
	struct error ignored = ERROR_INIT;
	const struct source_name *n;

	if (!ids || s->list(s, "data/tables", &names, &ignored) != 0 ||
	    !names.count) {
		source_names_release(&names);
		free(ids);
		return NULL;
	}
	for (size_t i = 0; i < c->table_count; i++) {
		n = bsearch(c->tables[i].folder, names.names, names.count,
			    sizeof(*n), compare_names);
		if (n && n->folder && n->known)
			ids[i] = n->id;
	}
	source_names_release(&names);
	return ids;
}

/** Check the file, and export it again into a hash.
 *  @param beside  it watched the build, or NULL */
static int scan_again(const struct cmd *cmd, const char *path,
		      const struct proof_options *o, struct beside *beside,
		      const struct export_expected *expected, struct proof *out,
		      struct catalog **again, struct object_id *content,
		      struct error *err)
{
	struct scan_tick scanned = { .base = { .tick = tick_scan,
					       .jobs = cmd->jobs,
					       .expected = expected } };
	struct database_options open = { .scratch = o->scratch };
	struct database *db = NULL;
	struct flush flush = { .fd = -1 };
	struct sink *hash = NULL;
	struct check_run check;
	int rc = -1;

	cmd_progress_begin(&scanned.shown, cmd, "compare",
			   all_rows(expected->catalog));
	database_check_release(&out->check);
	if (o->stays)
		flush_begin(&flush, path);
	check_begin(&check, path, &open, &out->check);
	scanned.base.cache = beside_end(beside);
	if (hash_sink_new(&hash, err) == 0 &&
	    database_open(&db, path, &open, err) == 0 &&
	    database_begin(db, err) == 0 &&
	    database_catalog(db, again, err) == 0)
		rc = export_data(db, *again, hash, &scanned.base, content, err);
	rc = rc < 0 ? (check_end(&check, err), -1)
		    : check_finish(&check, db, err);
	cmd_progress_end(&scanned.shown);
	database_close(db);
	if (flush_end(&flush, path, rc < 0 ? NULL : err) < 0)
		rc = -1;
	hash_sink_free(hash);
	return rc;
}

static int same_rows(const struct table *a, const struct table *b)
{
	return a->rows == b->rows && !memcmp(a->sha256, b->sha256, 32);
}

/** Where a table begins to differ: its row, for people. */
static int name_first_difference(struct source *s, const struct table *t,
				 const char *path, struct error *err)
{
	struct database_options open = { .allow_empty = 1 };
	struct buffer mine = BUFFER_INIT, shown = BUFFER_INIT;
	struct chunk_reader *want = NULL;
	struct row_shape *shape = NULL;
	struct database *db = NULL;
	struct scan *have = NULL;
	struct value *values = NULL, *theirs = NULL;
	struct error quiet = ERROR_INIT;
	uint64_t row = 0;
	int64_t rowid = 0, want_rowid = 0;

	if (row_shape_new(&shape, t, &quiet) < 0)
		goto done;
	values = calloc(row_shape_values(shape) + 1, sizeof(*values));
	theirs = calloc(row_shape_values(shape) + 1, sizeof(*theirs));
	if (!values || !theirs || database_open(&db, path, &open, &quiet) < 0 ||
	    database_begin(db, &quiet) < 0 ||
	    database_scan(db, t, &have, &quiet) < 0 ||
	    chunk_reader_new(&want, t, s, &quiet) < 0)
		goto done;
	for (;;) {
		int a = chunk_reader_next(want, &want_rowid, theirs, &quiet);
		int b = scan_next(have, &rowid, values, &quiet);
		const char *line;
		size_t size;

		row += a == 1 || b == 1;
		if (a != 1 || b != 1)
			break;
		line = chunk_reader_line(want, &size);
		buffer_clear(&mine);
		if (row_encode(&mine, shape, rowid, values, NULL, &quiet) < 0)
			break;
		if (mine.size != size + 1 || memcmp(mine.data, line, size)) {
			text_display(&shown, line, size, 200);
			break;
		}
	}
done:
	error_set(err, ERROR_DAMAGE,
		  "table '%s', row %llu differs after restoring: %s", t->name,
		  (unsigned long long)row,
		  shown.size ? buffer_cstr(&shown) : "(row missing)");
	scan_free(have);
	database_close(db);
	chunk_reader_free(want);
	row_shape_free(shape);
	buffer_release(&mine);
	buffer_release(&shown);
	free(values);
	free(theirs);
	return -1;
}

/** Add the tables whose rows came back different to the bare ones.
 *  @return how many are new, or -1 */
static int mark_changed(const struct catalog *want, const struct catalog *have,
			struct restore_build *how, const char **bare,
			const struct table **first, struct error *err)
{
	int added = 0;

	for (size_t i = 0; i < want->table_count; i++) {
		const struct table *t = &want->tables[i];
		const struct table *got = catalog_table(have, t->name);
		size_t k;

		if (got && same_rows(t, got))
			continue;
		for (k = 0; k < how->bare_count; k++) {
			if (!strcmp(bare[k], t->name))
				break;
		}
		if (!*first)
			*first = t;
		if (k < how->bare_count)
			continue;
		bare[how->bare_count++] = t->name;
		added++;
	}
	(void)err;
	return added;
}

/**
 * All rows are equal, but SQLite finds fault with the file: an index that could
 * not be made as the source has it.  Nothing is lost (REINDEX mends it), so it
 * is no damage of the snapshot; it is no proof either.
 */
static int is_sound(const struct proof_options *o, struct proof *p,
		    struct error *err)
{
	if (!p->check.problem_count)
		return 0;
	if (!o->stand_ins)
		return error_set(err, ERROR_STANDIN,
				 "all rows come back, but the restored "
				 "database is not sound: %s; restore with "
				 "--stand-ins to have it all the same",
				 p->check.problems[0]);
	if (!p->stand_ins)
		p->stand_ins = strdup(p->check.problems[0]);
	return p->stand_ins ? 0 : error_nomem(err);
}

int proof_build(const struct cmd *cmd, struct source *s,
		const struct catalog *c, const struct object_id *content,
		const char *path, const struct proof_options *o,
		struct proof *out, struct error *err)
{
	const char **bare;
	struct restore_build how = { .stand_ins = o->stand_ins,
				     .jobs = cmd->jobs };
	struct beside *mine = NULL, *beside = o->built ? o->beside : NULL;
	struct export_expected expected = { c, NULL };
	struct object_id *folders;
	struct catalog *again = NULL;
	int built = o->built, rc = -1;

	if (records_are(c))
		return error_set(err, ERROR_STANDIN,
				 "records have no schema to restore into");
	how.bare = bare = calloc(c->table_count + 1, sizeof(*bare));
	if (!bare)
		return error_nomem(err);
	expected.folders = folders = list_folders(s, c);
	/*
	 * A column's type can change a value on its way in ('12' stored as
	 * text in an INTEGER column).  Such tables show as different rows; they
	 * are built again without types, and compared again.
	 */
	for (;;) {
		const struct table *first = NULL;
		struct object_id got;
		int added;

		catalog_free(again);
		again = NULL;
		if (!built) {
			beside_free(mine);
			beside = mine = beside_new(cmd->jobs, &expected);
			how.watch = beside_watch(mine);
			if (build(cmd, s, c, path, o, &how, out, err) < 0)
				break;
		}
		built = 0;
		if (scan_again(cmd, path, o, beside, &expected, out, &again,
			       &got, err) < 0)
			break;
		added = mark_changed(c, again, &how, bare, &first, err);
		if (added > 0) {
			unlink(path);
			continue;
		}
		if (first) {
			name_first_difference(s, first, path, err);
			break;
		}
		if (memcmp(&got, content, sizeof(got)) && !out->stand_ins) {
			error_set(err, ERROR_DAMAGE,
				  "all rows came back, but schema or settings "
				  "differ after restoring");
			break;
		}
		rc = is_sound(o, out, err);
		break;
	}
	if (rc < 0)
		unlink(path);
	beside_free(mine);
	catalog_free(again);
	free(folders);
	free(bare);
	return rc;
}

void proof_release(struct proof *p)
{
	free(p->stand_ins);
	p->stand_ins = NULL;
	database_check_release(&p->check);
}

int proof_open(struct source *s, struct catalog **c, struct object_id *content,
	       struct error *err)
{
	struct snapshot_info info = { 0 };

	if (manifest_read(c, s, err) < 0)
		return -1;
	if (snapshot_info_read(&info, s, err) < 0) {
		catalog_free(*c);
		*c = NULL;
		return -1;
	}
	if (records_are(*c) != (info.engine != NULL)) {
		error_set(err, ERROR_DAMAGE,
			  "%s: snapshot.json is another engine's than "
			  "data/manifest.json",
			  s->label);
		catalog_free(*c);
		*c = NULL;
	} else {
		snapshot_info_apply(&info, *c);
		*content = info.content;
	}
	snapshot_info_release(&info);
	return *c ? 0 : -1;
}

int proof_read(struct source *s, const struct catalog *c, struct error *err)
{
	for (size_t i = 0; i < c->table_count; i++) {
		struct row_shape *shape = NULL;
		struct chunk_reader *r = NULL;
		struct value *values = NULL;
		int64_t rowid;
		int rc = -1;

		if (row_shape_new(&shape, &c->tables[i], err) < 0)
			return -1;
		values = calloc(row_shape_values(shape) + 1, sizeof(*values));
		row_shape_free(shape);
		if (!values)
			return error_nomem(err);
		if (!chunk_reader_new(&r, &c->tables[i], s, err)) {
			do
				rc = chunk_reader_next(r, &rowid, values, err);
			while (rc > 0 && !cmd_interrupted());
		}
		chunk_reader_free(r);
		free(values);
		if (rc < 0)
			return -1;
		if (cmd_interrupted())
			return error_set(err, ERROR_INTERRUPTED, "interrupted");
	}
	return 0;
}

int proof_intact(struct source *s, const struct catalog *c,
		 const struct object_id *content, struct error *err)
{
	char want[OBJECT_HEX_SIZE], have[OBJECT_HEX_SIZE];
	struct object_id id;

	if (source_tree_id(s, "data", &id, err) < 0)
		return -1;
	if (!memcmp(&id, content, sizeof(id)))
		return 0;
	if (proof_read(s, c, err) < 0)
		return -1;
	object_hex(want, content);
	object_hex(have, &id);
	return error_set(err, ERROR_DAMAGE,
			 "%s: all rows are whole, but the files of data/ give "
			 "content id %.12s and snapshot.json says %.12s; a "
			 "file was changed, added or left out",
			 s->label, have, want);
}

void proof_note_orphans(const struct cmd *cmd,
			const struct database_check *check)
{
	for (size_t i = 0; i < check->orphan_count; i++) {
		const struct orphan *o = &check->orphans[i];
		char count[CMD_NUMBER_SIZE * 2];

		cmd_note(cmd,
			 "note: %s of '%s' point to no row of '%s'; the source "
			 "has it so, and so has the restored database",
			 cmd_count(count, o->rows, "row"), o->table, o->parent);
	}
}
