/*
 * sqlite_page_file.c - pages behind the end of a database file
 *
 * Pages are numbered when they are written, so the file is written from front
 * to back, and what is held in memory are the pages up to the next write.
 */
#include "database/sqlite_page_write.h"
#include "database/sqlite_pages.h"

#include <stdlib.h>
#include <string.h>

#define DATABASE_HEADER 100
#define HELD_BYTES      ((uint32_t)64 << 10) /* unix xWrite takes < 128 KiB */
#define LOCK_BYTE       ((uint32_t)1 << 30) /* SQLite locks; no page is there */
#define MOST_DEFAULT    1073741823          /* SQLITE_MAX_PAGE_COUNT */

static int write_at(struct page_file *f, const void *data, size_t size,
		    uint32_t page)
{
	return f->file->pMethods->xWrite(f->file, data, (int)size,
					 (sqlite3_int64)(page - 1) * f->size);
}

static int write_held(struct page_file *f)
{
	int rc = SQLITE_OK;

	if (f->held_count)
		rc = write_at(f, f->held, (size_t)f->held_count * f->size,
			      f->held_first);
	f->held_count = 0;
	return rc;
}

static void skip_lock_page(struct page_file *f)
{
	if (f->next == f->lock_page)
		f->next++;
}

int page_file_next(struct page_file *f, unsigned char **page, uint32_t *number)
{
	int rc;

	if (f->held_count == f->held_room ||
	    (f->held_count && f->held_first + f->held_count != f->next)) {
		rc = write_held(f);
		if (rc != SQLITE_OK)
			return rc;
	}
	if (f->next > f->most)
		return SQLITE_FULL;
	if (!f->held_count)
		f->held_first = f->next;
	*page = f->held + (size_t)f->held_count++ * f->size;
	*number = f->count = f->next++;
	skip_lock_page(f);
	return SQLITE_OK;
}

int page_file_reserve(struct page_file *f, uint32_t *number)
{
	if (f->next > f->most)
		return SQLITE_FULL;
	*number = f->count = f->next++;
	skip_lock_page(f);
	return SQLITE_OK;
}

/* ---- what overflows ---- */

int page_file_pour(struct page_file *f, const void *data, size_t size)
{
	const char *from = data;
	unsigned char *page;
	uint32_t number;
	size_t some;
	int rc;

	while (size) {
		if (!f->room) {
			rc = page_file_next(f, &page, &number);
			if (rc != SQLITE_OK)
				return rc;
			f->room = f->usable - 4;
			put32(page, f->left > f->room ? f->next : 0);
			f->at = page + 4;
			if (f->left < f->room)
				memset(f->at + f->left, 0,
				       f->room - (size_t)f->left);
			memset(page + f->usable, 0, f->size - f->usable);
		}
		some = size < f->room ? size : f->room;
		memcpy(f->at, from, some);
		f->at += some;
		f->room -= some;
		f->left -= some;
		from += some;
		size -= some;
	}
	return SQLITE_OK;
}

/* ---- the beginning and the end ---- */

/* Is it the file of a database as SQLite makes it for us? */
static int read_header(struct page_file *f)
{
	unsigned char h[DATABASE_HEADER];
	sqlite3_int64 bytes;
	int rc = f->file->pMethods->xRead(f->file, h, sizeof(h), 0);

	if (rc == SQLITE_OK)
		rc = f->file->pMethods->xFileSize(f->file, &bytes);
	if (rc != SQLITE_OK)
		return rc;
	f->size = get16(h + 16) == 1 ? 65536 : get16(h + 16);
	f->usable = f->size - h[20];
	f->count = get32(h + 28);
	/* a rollback journal; cells of today; no pages that point back */
	if (memcmp(h, "SQLite format 3", 16) != 0 || h[18] != 1 || h[19] != 1 ||
	    f->size < 512 || (f->size & (f->size - 1)) || f->usable < 480 ||
	    get32(h + 44) != 4 || get32(h + 52) != 0 ||
	    memcmp(h + 24, h + 92, 4) != 0 ||
	    (uint64_t)bytes != (uint64_t)f->count * f->size)
		return SQLITE_NOTADB;
	return SQLITE_OK;
}

static int prepare(struct page_file *f)
{
	f->held_room = HELD_BYTES / f->size;
	f->held = malloc((size_t)f->held_room * f->size);
	if (!f->held)
		return SQLITE_NOMEM;
	f->most = MOST_DEFAULT;
	f->lock_page = LOCK_BYTE / f->size + 1;
	f->first = f->count;
	f->next = f->count + 1;
	skip_lock_page(f);
	return SQLITE_OK;
}

int page_file_open(struct page_file *f, sqlite3 *sql)
{
	int limit = sqlite3_limit(sql, SQLITE_LIMIT_LENGTH, -1), rc;

	memset(f, 0, sizeof(*f));
	f->length_limit = limit > 0 ? (uint64_t)limit : 0;
	if (!pages_plain(sql) || !sqlite3_get_autocommit(sql))
		return SQLITE_NOTADB;
	f->file = pages_file(sql);
	if (!f->file)
		return SQLITE_NOTADB;
	rc = read_header(f);
	return rc == SQLITE_OK ? prepare(f) : rc;
}

/* How many pages there are now, and that SQLite's cache is out of date. */
static int write_header(struct page_file *f)
{
	unsigned char h[DATABASE_HEADER];
	int rc = f->file->pMethods->xRead(f->file, h, sizeof(h), 0);
	uint32_t changes = get32(h + 24) + 1;

	if (rc != SQLITE_OK)
		return rc;
	put32(h + 24, changes);
	put32(h + 28, f->count);
	put32(h + 92, changes);
	return write_at(f, h, sizeof(h), 1);
}

int page_file_end(struct page_file *f, const unsigned char *page, uint32_t root)
{
	int rc = write_held(f);

	if (rc == SQLITE_OK)
		rc = write_at(f, page, f->size, root);
	return rc == SQLITE_OK ? write_header(f) : rc;
}

int page_file_undo(struct page_file *f)
{
	f->held_count = 0;
	return f->file->pMethods->xTruncate(f->file,
					    (sqlite3_int64)f->first * f->size);
}

void page_file_release(struct page_file *f)
{
	free(f->held);
	memset(f, 0, sizeof(*f));
}
