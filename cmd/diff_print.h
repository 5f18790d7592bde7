/*
 * diff_print.h - what differs, for people and as JSON
 */
#ifndef CMD_DIFF_PRINT_H
#define CMD_DIFF_PRINT_H

#include <stddef.h>

#include "base/buffer.h"
#include "snapshot/diff.h"

struct catalog;
struct snapshot;

/** Which of the changes are told. */
struct diff_choice {
	const char *const *tables; /* only these; NULL: all */
	size_t table_count;
	int stat;           /* counts only */
	unsigned int limit; /* rows told of each table */
};

/** One of the two, for the heading. */
struct diff_end {
	const struct snapshot *snapshot; /* or NULL: */
	const char *path;                /* where it came from */
	const struct catalog *catalog;
};

int diff_is_chosen(const struct diff_choice *c, const char *table);

/** A setting of the database that differs; @return how many. */
#define DIFF_SETTINGS 3
struct diff_setting {
	const char *name;
	char values[2][16];
};
size_t diff_settings(const struct diff_end ends[2],
		     struct diff_setting out[DIFF_SETTINGS]);

/** The rows of a table that are told, collected as they come. */
struct diff_rows_text {
	struct diff_taker taker; /* first: hand it to diff_rows() */
	const struct diff_choice *choice;
	int json;
	struct buffer text;
	size_t told;
	/* of the table at hand */
	struct diff_cells *cells;
};

void diff_rows_begin(struct diff_rows_text *r, const struct diff_choice *c,
		     int json);
void diff_rows_release(struct diff_rows_text *r);

/* All append to `out`. */
void diff_text_heading(struct buffer *out, const struct diff_end ends[2]);
void diff_text_schema(struct buffer *out, const struct diff_choice *c,
		      const struct diff_entry *e, size_t count,
		      const struct diff_setting *s, size_t settings);
void diff_text_table(struct buffer *out, const struct diff_choice *c,
		     const struct diff_table *t,
		     const struct diff_rows_text *rows);

void diff_json_heading(struct buffer *out, const struct diff_end ends[2]);
void diff_json_schema(struct buffer *out, const struct diff_entry *e,
		      size_t count, const struct diff_setting *s,
		      size_t settings);
void diff_json_table(struct buffer *out, const struct diff_choice *c,
		     const struct diff_table *t,
		     const struct diff_rows_text *rows, int first);

#endif /* CMD_DIFF_PRINT_H */
