/*
 * sqlite_pages.c - pages as the open read transaction sees them
 *
 * They are read through SQLite's own file objects: a descriptor of ours would
 * drop the locks of the process when it is closed.  The unix VFS reads with
 * pread(), so that threads can read at once.
 *
 * With a rollback journal, the SHARED lock of our transaction keeps the file
 * as it is.
 *
 * With a WAL, the snapshot of our transaction is the header of the WAL's index
 * that SQLite found when the transaction began: when it is the same before and
 * after (every commit counts in it), it is that one.  A page is then in its
 * last frame up to the header's mxFrame; where there is none, in the database
 * file.  While we read nobody moves them away (the comments on WalCkptInfo in
 * SQLite's wal.c say so):
 *
 * - A checkpoint copies frames only up to the least read mark in use, and our
 *   mark is at most mxFrame; the pages that it writes have frames that we
 *   read instead.  Frames up to nBackfill are in the file already, and may be
 *   left out.
 * - The WAL starts anew only when nobody holds a read mark but 0.  We hold 0
 *   only when nBackfill was mxFrame at the beginning: then all is in the file,
 *   and nobody writes to that while 0 is held.
 *
 * So what matters is nBackfill at any time after the beginning, as long as the
 * WAL did not start anew meanwhile, which would show in the header.
 */
#include "database/sqlite_pages.h"
#include "base/error.h"

#include <stdlib.h>
#include <strings.h>

#define INDEX_REGION  32768 /* bytes that wal.c maps at a time */
#define INDEX_VERSION 3007000
#define WAL_HEADER    32
#define FRAME_HEADER  24

static sqlite3_file *file_of(sqlite3 *sql, int which)
{
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(sql, "main", which, &file) != SQLITE_OK ||
	    !file || !file->pMethods)
		return NULL;
	return file;
}

sqlite3_file *pages_file(sqlite3 *sql)
{
	return file_of(sql, SQLITE_FCNTL_FILE_POINTER);
}

/* ---- which snapshot ---- */

static int journal_is_wal(sqlite3 *sql)
{
	sqlite3_stmt *st = NULL;
	int is = -1;

	if (sql_prepare(sql, &st, NULL, "PRAGMA main.journal_mode") < 0)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW) {
		const char *mode = (const char *)sqlite3_column_text(st, 0);

		is = mode && !strcasecmp(mode, "wal");
	}
	sqlite3_finalize(st);
	return is;
}

/* Copy the header of the WAL's index. @return 0, or -1: it is being written,
 * or is none that we know */
static int read_index(sqlite3 *sql, unsigned char *header, uint32_t *backfill)
{
	sqlite3_file *file = pages_file(sql);
	unsigned char again[INDEX_HEADER];
	void volatile *map = NULL;
	uint32_t version;

	if (!file || file->pMethods->iVersion < 2 || !file->pMethods->xShmMap ||
	    file->pMethods->xShmMap(file, 0, INDEX_REGION, 0, &map) !=
		    SQLITE_OK ||
	    !map)
		return -1;
	memcpy(header, (const void *)map, INDEX_HEADER);
	file->pMethods->xShmBarrier(file);
	memcpy(again, (const char *)map + INDEX_HEADER, INDEX_HEADER);
	memcpy(backfill, (const char *)map + 2 * INDEX_HEADER,
	       sizeof(*backfill));
	file->pMethods->xShmBarrier(file);
	memcpy(&version, header, sizeof(version));
	if (memcmp(header, again, INDEX_HEADER) != 0 || !header[12] ||
	    version != INDEX_VERSION)
		return -1;
	return 0;
}

void pages_before(struct database *db)
{
	uint32_t unused;

	/* only where SQLite has the index open: we must not create one */
	db->view.journal = JOURNAL_UNKNOWN;
	if (journal_is_wal(db->sql) == 1 &&
	    read_index(db->sql, db->view.index, &unused) == 0)
		db->view.journal = JOURNAL_WAL;
}

int pages_after(struct database *db)
{
	int noted = db->view.journal == JOURNAL_WAL;
	int wal = journal_is_wal(db->sql);
	unsigned char now[INDEX_HEADER];
	uint32_t unused;

	db->view.journal = JOURNAL_UNKNOWN;
	if (wal < 0)
		return 0;
	if (!wal) {
		db->view.journal = JOURNAL_ROLLBACK;
		return 0;
	}
	/* nBackfill is set to 0 behind the header when the WAL starts anew: it
	 * is read in between */
	if (!noted || read_index(db->sql, now, &db->view.backfill) < 0 ||
	    memcmp(now, db->view.index, INDEX_HEADER) != 0 ||
	    read_index(db->sql, now, &unused) < 0 ||
	    memcmp(now, db->view.index, INDEX_HEADER) != 0)
		return 1;
	db->view.journal = JOURNAL_WAL;
	return 0;
}

/* ---- opening ---- */

static int compare_frames(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t frame_offset(const struct pages *p, uint32_t frame)
{
	return WAL_HEADER +
	       (uint64_t)(frame - 1) * ((uint64_t)p->size + FRAME_HEADER);
}

/* Keep the last frame of each page. */
static void drop_old_frames(struct pages *p)
{
	size_t i, kept = 0;

	qsort(p->frames, p->frame_count, sizeof(*p->frames), compare_frames);
	for (i = 0; i < p->frame_count; i++) {
		if (kept && p->frames[kept - 1] >> 32 == p->frames[i] >> 32)
			kept--;
		p->frames[kept++] = p->frames[i];
	}
	p->frame_count = kept;
}

/* Which page is in which frame, for frames `first` to `last`. */
static int read_frames(struct pages *p, const unsigned char *salts,
		       uint32_t first, uint32_t last)
{
	unsigned char header[FRAME_HEADER];
	uint32_t frame;

	p->frames = malloc(((size_t)last - first + 1) * sizeof(*p->frames));
	if (!p->frames)
		return -1;
	for (frame = first; frame <= last; frame++) {
		if (p->wal->pMethods->xRead(p->wal, header, FRAME_HEADER,
					    (sqlite3_int64)frame_offset(
						    p, frame)) != SQLITE_OK ||
		    memcmp(header + 8, salts, 8) != 0)
			return -1;
		p->frames[p->frame_count++] = (uint64_t)get32(header) << 32 |
					      frame;
	}
	drop_old_frames(p);
	return 0;
}

/* What the index of the WAL tells; its numbers are in the machine's order,
 * the salts as they lie in the WAL. */
static int open_wal(struct pages *p, const struct database *db)
{
	uint32_t last, size;
	sqlite3_int64 bytes;
	uint16_t raw;

	memcpy(&raw, db->view.index + 14, sizeof(raw));
	memcpy(&last, db->view.index + 16, sizeof(last));
	memcpy(&p->count, db->view.index + 20, sizeof(p->count));
	size = raw == 1 ? 65536 : raw;
	p->size = size;
	if (!last || db->view.backfill >= last)
		return db->view.backfill > last ? -1 : 0;
	p->wal = file_of(db->sql, SQLITE_FCNTL_JOURNAL_POINTER);
	if (!p->wal ||
	    p->wal->pMethods->xFileSize(p->wal, &bytes) != SQLITE_OK ||
	    size < 512 || (uint64_t)bytes < frame_offset(p, last) + size)
		return -1;
	return read_frames(p, db->view.index + 32, db->view.backfill + 1, last);
}

/* With an empty WAL the index may not tell the sizes: so they always come
 * from the header of page 1. */
static int read_header(struct pages *p, const struct database *db)
{
	unsigned char h[100];
	uint64_t at = 0;
	sqlite3_file *file = p->file;
	sqlite3_int64 bytes;
	uint32_t size, count;

	if (p->frame_count && p->frames[0] >> 32 == 1) {
		file = p->wal;
		at = frame_offset(p, (uint32_t)p->frames[0]) + FRAME_HEADER;
	}
	if (file->pMethods->xRead(file, h, sizeof(h), (sqlite3_int64)at) !=
		    SQLITE_OK ||
	    memcmp(h, "SQLite format 3", 16) != 0 || h[19] > 2 ||
	    p->file->pMethods->xFileSize(p->file, &bytes) != SQLITE_OK)
		return -1;
	size = get16(h + 16) == 1 ? 65536 : get16(h + 16);
	if (size < 512 || size > 65536 || (size & (size - 1)) ||
	    size - h[20] < 480 || (p->frame_count && size != p->size))
		return -1;
	/* the count is good while it was written for this change counter */
	count = memcmp(h + 24, h + 92, 4) == 0 ? get32(h + 28) : 0;
	if (db->view.journal == JOURNAL_ROLLBACK || !p->count)
		p->count = count;
	if (!p->count && (uint64_t)bytes / size <= UINT32_MAX)
		p->count = (uint32_t)((uint64_t)bytes / size);
	p->size = size;
	p->usable = size - h[20];
	return 0;
}

int pages_plain(sqlite3 *sql)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
	sqlite3_int64 map = -1;
	char *name = NULL;
	int plain;

	plain = vfs && vfs->iVersion >= 3 &&
		(vfs->xGetSystemCall(vfs, "pread") ||
		 vfs->xGetSystemCall(vfs, "pread64")) &&
		sqlite3_file_control(sql, "main", SQLITE_FCNTL_VFSNAME,
				     &name) == SQLITE_OK &&
		name && !strcmp(name, "unix") &&
		(sqlite3_file_control(sql, "main", SQLITE_FCNTL_MMAP_SIZE,
				      &map) != SQLITE_OK ||
		 map <= 0);
	sqlite3_free(name);
	return plain;
}

/* ---- root pages ---- */

static int compare_roots(const void *a, const void *b)
{
	const struct root *x = a, *y = b;

	return strcmp(x->table, y->table);
}

static int add_root(struct pages *p, char *table, sqlite3_int64 page)
{
	size_t room = p->root_count;
	struct root *grown;

	if ((room & (room + 1)) == 0) { /* 0, 1, 3, 7 ... are full */
		grown = realloc(p->roots, (2 * room + 1) * sizeof(*grown));
		if (!grown)
			return -1;
		p->roots = grown;
	}
	p->roots[room].table = table;
	p->roots[room].page = page > 1 && page <= p->count ? (uint32_t)page : 0;
	p->root_count++;
	return 0;
}

static void sort_roots(struct pages *p)
{
	size_t i;

	if (p->root_count)
		qsort(p->roots, p->root_count, sizeof(*p->roots),
		      compare_roots);
	for (i = 1; i < p->root_count; i++)
		if (!strcmp(p->roots[i - 1].table, p->roots[i].table))
			p->roots[i - 1].page = p->roots[i].page = 0;
}

static int read_roots(struct database *db, struct pages *p)
{
	sqlite3_stmt *st;
	char *name;
	size_t size;
	int rc;

	if (sql_prepare(db->sql, &st, NULL,
			"SELECT name, rootpage FROM main.sqlite_schema "
			"WHERE type = 'table' AND rootpage") < 0)
		return -1;
	while ((rc = sql_step(st, NULL)) > 0) {
		if (sql_text(db, st, 0, &name, &size, NULL) != 0 ||
		    add_root(p, name, sqlite3_column_int64(st, 1)) < 0) {
			free(name);
			rc = -1;
			break;
		}
	}
	sqlite3_finalize(st);
	sort_roots(p);
	return rc;
}

uint32_t pages_root(const struct pages *p, const char *table)
{
	size_t low = 0, high = p->root_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(p->roots[middle].table, table);

		if (order == 0)
			return p->roots[middle].page;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

/* ---- the rest ---- */

void pages_free(struct pages *p)
{
	size_t i;

	if (!p)
		return;
	for (i = 0; i < p->root_count; i++)
		free(p->roots[i].table);
	free(p->roots);
	free(p->frames);
	free(p);
}

static int pages_open(struct database *db, struct pages *p)
{
	int limit = sqlite3_limit(db->sql, SQLITE_LIMIT_LENGTH, -1);

	if (!pages_plain(db->sql) || db->view.journal == JOURNAL_UNKNOWN)
		return -1;
	p->value_limit = limit > 0 ? (size_t)limit : 0;
	p->file = pages_file(db->sql);
	if (!p->file)
		return -1;
	if (db->view.journal == JOURNAL_WAL && open_wal(p, db) < 0)
		return -1;
	if (read_header(p, db) < 0)
		return -1;
	return read_roots(db, p);
}

struct pages *database_pages(struct database *db)
{
	if (db->pages || db->pages_tried)
		return db->pages;
	db->pages_tried = 1;
	db->pages = calloc(1, sizeof(*db->pages));
	if (db->pages && pages_open(db, db->pages) < 0) {
		pages_free(db->pages);
		db->pages = NULL;
	}
	return db->pages;
}

/* @return the first of the frames whose page is `page` or comes behind it */
static size_t frame_from(const struct pages *p, uint32_t page)
{
	size_t low = 0, high = p->frame_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->frames[middle] >> 32 < page)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Read as many of the pages as lie in one piece.  @return their number, or 0 */
static uint32_t read_piece(const struct pages *p, uint32_t page, uint32_t count,
			   unsigned char *out)
{
	sqlite3_file *file = p->file;
	uint64_t at = (uint64_t)(page - 1) * p->size;
	size_t i = frame_from(p, page);
	uint32_t found;

	if (i < p->frame_count) {
		found = (uint32_t)(p->frames[i] >> 32);
		if (found == page) {
			file = p->wal;
			at = frame_offset(p, (uint32_t)p->frames[i]) +
			     FRAME_HEADER;
			count = 1;
		} else if (found - page < count) {
			count = found - page;
		}
	}
	return file->pMethods->xRead(file, out, (int)(count * p->size),
				     (sqlite3_int64)at) == SQLITE_OK
		       ? count
		       : 0;
}

int pages_read(const struct pages *p, uint32_t page, uint32_t count,
	       unsigned char *out)
{
	uint32_t got;

	if (!page || page > p->count || count > p->count - page + 1)
		return 1;
	for (; count; count -= got, page += got) {
		got = read_piece(p, page, count, out);
		if (!got)
			return 1;
		out += (size_t)got * p->size;
	}
	return 0;
}
