/*
 * sqlite_page_write.h - writing the pages of tables and indexes ourselves
 *
 *   record_writer_init() -> table_writer_open()
 *   -> record_writer_set() + table_writer_add() per row -> table_writer_end()
 *
 * The counterpart of sqlite_pages.h: rows that come in the order of their
 * rowids, or entries of an index in theirs, are laid into leaves one after
 * another, and the interior pages above them follow.  The format:
 * https://sqlite.org/fileformat2.html.
 *
 * The pages are put behind the end of a file that SQLite has open, between two
 * of its transactions, and through its own file object.  The root page and the
 * header come last; the header's change counter then makes SQLite forget what
 * it had read.  Functions return SQLite's result codes, SQLITE_OK among them.
 */
#ifndef DATABASE_SQLITE_PAGE_WRITE_H
#define DATABASE_SQLITE_PAGE_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "database/sqlite_internal.h"
#include "database/sqlite_pages.h"
#include "snapshot/value.h"

/* ---- sqlite_record_write.c ---- */

/* A column as it will lie in a record: bytes, or a number. */
struct record_piece {
	const char *data; /* NULL: the last `size` bytes of `number` */
	uint64_t number;
	size_t size;
};

struct record_writer {
	const enum affinity *affinities; /* by value, borrowed */
	size_t count;                    /* of values */
	int rowid_value; /* the value that is the rowid, or -1 */

	/* the row that was set last */
	unsigned char *room;         /* where its header is made */
	const unsigned char *header; /* in there */
	size_t header_size;
	struct record_piece *pieces;
	uint64_t size; /* of the whole record */
};

/** Release it in any case. @return SQLITE_OK or SQLITE_NOMEM */
int record_writer_init(struct record_writer *r, const enum affinity *affinities,
		       size_t count, int rowid_value);
void record_writer_release(struct record_writer *r);

/** Find the form in which SQLite would keep the values.  They and what they
 *  point to must stay until the record was written. */
void record_writer_set(struct record_writer *r, const struct value *values);

/** Write the record; `out` has room for all of it. @return its end */
unsigned char *record_write(const struct record_writer *r, unsigned char *out);

/** Write a number as its last `size` bytes, the greatest first. */
void number_write(unsigned char *out, uint64_t number, size_t size);

/** Write a varint; up to nine bytes. @return its end */
unsigned char *varint_write(unsigned char *out, uint64_t value);
size_t varint_size(uint64_t value);

/* ---- sqlite_page_file.c ---- */

struct page_file {
	struct sqlite3_file *file; /* SQLite's own */
	uint32_t size, usable;     /* bytes of a page */
	uint32_t first;            /* pages that there were */
	uint32_t count;            /* pages of the file, with those given out */
	uint32_t next;             /* the page that is given out next */
	uint32_t most;             /* pages that SQLite allows */
	uint32_t lock_page;
	uint64_t length_limit; /* bytes of a record */

	/* pages that are yet to be written, one behind the other */
	unsigned char *held;
	uint32_t held_first, held_count, held_room;

	/* what is left of a record that overflows, and where it goes */
	unsigned char *at;
	size_t room;
	uint64_t left;
};

/**
 * Begin to write, while no transaction is open.  Release it in any case.
 *
 * @return SQLITE_OK; SQLITE_NOTADB: the file is not one to write to like this;
 *         or what else went wrong
 */
int page_file_open(struct page_file *f, sqlite3 *sql);

/** Give out the next page. `*page` is for the caller to fill, before the next
 *  one is given out. */
int page_file_next(struct page_file *f, unsigned char **page, uint32_t *number);

/** Give out the number of a page that is written last, by page_file_end(). */
int page_file_reserve(struct page_file *f, uint32_t *number);

/** Write a part of a record that overflows, of which `left` bytes are still to
 *  come; `room` of them go to `at`, the others to pages of their own. */
int page_file_pour(struct page_file *f, const void *data, size_t size);

/** Write what is held, the root page and the header. */
int page_file_end(struct page_file *f, const unsigned char *page,
		  uint32_t root);

/** Take back what was written, if page_file_end() was not called. */
int page_file_undo(struct page_file *f);
void page_file_release(struct page_file *f);

static inline void put16(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

static inline void put32(unsigned char *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* ---- sqlite_page_write.c ---- */

/* More than SQLite's limit of pages can be, with 32 or more children each. */
#define WRITER_LEVELS 12

struct table_writer {
	struct page_file out;
	uint32_t root;

	/* the leaf that is being filled */
	unsigned char *leaf;
	uint32_t cells, content;
	int64_t last; /* rowid of its last cell */

	/* Interior pages that are being filled, from the leaves upwards. */
	struct writer_level {
		struct writer_child {
			int64_t upto; /* greatest rowid below it */
			uint32_t page;
		} * children;
		size_t count;
		size_t full; /* so many fill a page; 0: they don't yet */
		size_t bytes;
	} levels[WRITER_LEVELS];
};

/**
 * Begin to write the table whose empty root page is `root`, while no
 * transaction is open.  Release it in any case.
 *
 * @return SQLITE_OK; SQLITE_NOTADB: the file is not one to write to like this,
 *         nothing was written; or what else went wrong
 */
int table_writer_open(struct table_writer *w, sqlite3 *sql, uint32_t root);

/**
 * Add a row whose rowid is greater than that of the one before.
 * @return SQLITE_TOOBIG: the record is longer than SQLite allows
 */
int table_writer_add(struct table_writer *w, int64_t rowid,
		     const struct record_writer *record);

/** Write what is left, the root page and the header: only now is there a
 *  table. */
int table_writer_end(struct table_writer *w);
void table_writer_release(struct table_writer *w);

/* ---- sqlite_index_write.c ---- */

/* More than there can be, with five or more children each: SQLite's own. */
#define INDEX_LEVELS 20

struct index_writer {
	struct page_file out;
	uint32_t root;
	unsigned char *cell; /* that of the entry that is added */

	/* Pages that are being filled, from the leaves upwards. */
	struct index_level {
		unsigned char *page; /* NULL: it did not come to that */
		uint32_t cells, content;

		/* the cell that did not fit: it goes up when another comes */
		unsigned char *waiting;
		size_t waiting_size; /* 0: there is none */
		uint32_t waiting_child;
	} levels[INDEX_LEVELS];
};

/**
 * Begin to write an index, while no transaction is open.  Release it in any
 * case.
 *
 * @param root  its empty root page; 0: it has none yet, see index_writer.root
 * @return as table_writer_open()
 */
int index_writer_open(struct index_writer *w, sqlite3 *sql, uint32_t root);

/**
 * Add an entry that comes after the one before.
 * @param record  of its columns and rowid
 * @return SQLITE_TOOBIG: the record is longer than SQLite allows
 */
int index_writer_add(struct index_writer *w, const void *record, size_t size);

/** Write what is left, the root page and the header: only now is there an
 *  index.  A new one is still to be told to SQLite. */
int index_writer_end(struct index_writer *w);
void index_writer_release(struct index_writer *w);

/* ---- sqlite_key_write.c ---- */

struct key_writer {
	struct index_writer out;
	struct record_writer record;
	/* by place in a record: the key's columns first */
	struct key_column {
		size_t value;
		enum index_collation collation;
		int descending;
	} * columns;
	enum affinity *affinities;
	struct value *values; /* the row that was added last */
	size_t count, key_count;
	struct buffer bytes;   /* its record */
	struct buffer keys[2]; /* its key, and that of the one before, in turn
				*/
	uint64_t rows;
};

/**
 * Find out how a WITHOUT ROWID table's rows are to be written.  Release it in
 * any case.
 *
 * @param affinities  of the values, copied
 * @return 0; 1: INSERT has to write them; -1
 */
int key_writer_plan(struct key_writer *w, sqlite3 *sql, const struct table *t,
		    const enum affinity *affinities, size_t values,
		    struct error *err);

/** As table_writer_open(). */
int key_writer_open(struct key_writer *w, sqlite3 *sql, uint32_t root);

/**
 * Add a row.
 * @return SQLITE_CONSTRAINT: its key does not come after that of the row
 *         before, or cannot be told to; SQLITE_TOOBIG
 */
int key_writer_add(struct key_writer *w, const struct value *values);

/** As table_writer_end(). */
int key_writer_end(struct key_writer *w);
void key_writer_release(struct key_writer *w);

#endif /* DATABASE_SQLITE_PAGE_WRITE_H */
