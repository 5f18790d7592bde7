/*
 * sorter.c - lines or pairs of numbers sorted, in bounded memory
 *
 * Lines are collected until they fill a run, a run is sorted (sorter_run.c) and
 * written to a file without a name, runs are merged, at most MERGE_RUNS at
 * once. What fits into one run never touches the disk.  In memory and in the
 * file each line stands behind its size, as a uint64_t of this machine: nobody
 * else reads it.  A pair is a piece that has no line.
 */
#include "base/sorter_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"

/* Few, because each run being merged holds a line, and lines may be long. */
#define MERGE_RUNS   16
#define CURSOR_BYTES ((size_t)256 << 10)

/* A sorted run in the file. */
struct run {
	off_t at, end;
};

/* A run being read. */
struct cursor {
	struct run rest; /* not yet in `bytes` */
	struct buffer bytes;
	size_t used; /* of `bytes`, up to and with the current line */
	const char *line;
	size_t size;
	uint64_t word;   /* the line's first; a pair's first number */
	uint64_t second; /* of a pair; 0 of a line */
};

struct sorter {
	char *folder; /* for the file, or NULL */
	size_t run_bytes;
	int paired;
	struct buffer lines;
	struct piece *pieces;
	size_t count, capacity;
	size_t next; /* piece, when all fitted into memory */

	int fd; /* -1 while nothing was written */
	off_t file_end;
	struct buffer out; /* on its way to the file */
	struct run *runs;
	size_t first_run, run_count, run_capacity;

	/* The merge: a heap of cursors, the smallest line in front. */
	struct cursor cursors[MERGE_RUNS];
	struct cursor *heap[MERGE_RUNS];
	size_t heap_count;
	int handed_out; /* the front's line was: go on behind it */
};

int sorter_new(struct sorter **out, const char *folder, size_t run_bytes,
	       struct error *err)
{
	struct sorter *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return error_nomem(err);
	s->run_bytes = run_bytes;
	s->fd = -1;
	s->folder = folder ? strdup(folder) : NULL;
	if (folder && !s->folder) {
		free(s);
		return error_nomem(err);
	}
	*out = s;
	return 0;
}

void sorter_free(struct sorter *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < MERGE_RUNS; i++)
		buffer_release(&s->cursors[i].bytes);
	if (s->fd >= 0)
		close(s->fd);
	buffer_release(&s->lines);
	buffer_release(&s->out);
	free(s->pieces);
	free(s->runs);
	free(s->folder);
	free(s);
}

/* A run is sorted in place, with as many pieces beside them. */
static int sort_pieces(struct sorter *s, struct error *err)
{
	int rc = s->paired
			 ? sorter_run_sort_words(s->pieces, s->count)
			 : sorter_run_sort(s->pieces, s->count, s->lines.data);

	return rc < 0 ? error_nomem(err) : 0;
}

/* ---- the file ---- */

static int open_file(struct sorter *s, struct error *err)
{
	const char *folder = s->folder ? s->folder : getenv("TMPDIR");
	char *path;

	if (s->fd >= 0)
		return 0;
	if (!folder || !*folder)
		folder = "/tmp";
	/* not every file system has files that never had a name */
	s->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->fd >= 0)
		return 0;
	path = path_join(folder, "dbstow-sort.XXXXXX");
	if (!path)
		return error_nomem(err);
	s->fd = mkostemp(path, O_CLOEXEC);
	if (s->fd < 0)
		error_errno(err, ERROR_FAILED,
			    "cannot create a file for sorting in '%s'", folder);
	else
		unlink(path); /* no name: nothing is left when we are killed */
	free(path);
	return s->fd < 0 ? -1 : 0;
}

static int write_bytes(struct sorter *s, const void *data, size_t size,
		       struct error *err)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(s->fd, (const char *)data + done,
				   size - done, s->file_end);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, ERROR_FAILED,
					   "cannot write a file for sorting");
		done += (size_t)n;
		s->file_end += n;
	}
	return 0;
}

static int flush(struct sorter *s, struct error *err)
{
	if (buffer_failed(&s->out))
		return error_nomem(err);
	if (write_bytes(s, s->out.data, s->out.size, err) < 0)
		return -1;
	buffer_clear(&s->out);
	return 0;
}

static int write_line(struct sorter *s, const char *line, size_t size,
		      struct error *err)
{
	uint64_t prefix = size;

	buffer_add(&s->out, &prefix, sizeof(prefix));
	buffer_add(&s->out, line, size);
	return s->out.size >= CURSOR_BYTES ? flush(s, err) : 0;
}

static int write_pair(struct sorter *s, const struct cursor *c,
		      struct error *err)
{
	struct piece pair = { .word = c->word, .at = c->second };

	buffer_add(&s->out, &pair, sizeof(pair));
	return s->out.size >= CURSOR_BYTES ? flush(s, err) : 0;
}

static int begin_run(struct sorter *s, struct error *err)
{
	if (open_file(s, err) < 0)
		return -1;
	if (s->run_count == s->run_capacity) {
		size_t capacity = s->run_capacity ? s->run_capacity * 2 : 64;
		struct run *runs =
			reallocarray(s->runs, capacity, sizeof(*runs));

		if (!runs)
			return error_nomem(err);
		s->runs = runs;
		s->run_capacity = capacity;
	}
	s->runs[s->run_count].at = s->file_end;
	return 0;
}

static int end_run(struct sorter *s, struct error *err)
{
	if (flush(s, err) < 0)
		return -1;
	s->runs[s->run_count++].end = s->file_end;
	return 0;
}

/* Write the lines in memory, which are sorted. */
static int write_lines(struct sorter *s, struct error *err)
{
	const char *line;
	uint64_t size;

	for (size_t i = 0; i < s->count; i++) {
		sorter_expect(s->lines.data, &s->pieces[i], s->count - i);
		line = sorter_line(s->lines.data, &s->pieces[i], &size);
		if (write_line(s, line, size, err) < 0)
			return -1;
	}
	return 0;
}

/* Write what is in memory as a sorted run. */
static int spill(struct sorter *s, struct error *err)
{
	int rc;

	if (begin_run(s, err) < 0 || sort_pieces(s, err) < 0)
		return -1;
	rc = s->paired ? write_bytes(s, s->pieces,
				     s->count * sizeof(*s->pieces), err)
		       : write_lines(s, err);
	if (rc < 0)
		return -1;
	s->count = 0;
	buffer_clear(&s->lines);
	return end_run(s, err);
}

/* Keep a piece; what it tells of is in `lines`. */
static int add_piece(struct sorter *s, uint64_t word, uint64_t at,
		     struct error *err)
{
	if (s->count == s->capacity) {
		size_t capacity = s->capacity ? s->capacity * 2 : 256;
		struct piece *pieces =
			reallocarray(s->pieces, capacity, sizeof(*pieces));

		if (!pieces)
			return error_nomem(err);
		s->pieces = pieces;
		s->capacity = capacity;
	}
	s->pieces[s->count].word = word;
	s->pieces[s->count++].at = at;
	if (s->lines.size + 2 * s->count * sizeof(*s->pieces) < s->run_bytes)
		return 0;
	return spill(s, err);
}

int sorter_add(struct sorter *s, const char *line, size_t size,
	       struct error *err)
{
	uint64_t prefix = size, at = s->lines.size;

	buffer_add(&s->lines, &prefix, sizeof(prefix));
	buffer_add(&s->lines, line, size);
	if (buffer_failed(&s->lines))
		return error_nomem(err);
	return add_piece(s, sorter_word(line, size, 0), at, err);
}

int sorter_add_pair(struct sorter *s, uint64_t first, uint64_t second,
		    struct error *err)
{
	s->paired = 1;
	return add_piece(s, first, second, err);
}

/* ---- the merge ---- */

/* Have `need` bytes behind `used`. */
static int cursor_need(struct sorter *s, struct cursor *c, size_t need,
		       struct error *err)
{
	size_t have = c->bytes.size - c->used, want;

	if (have >= need)
		return 0;
	if (c->used)
		memmove(c->bytes.data, c->bytes.data + c->used, have);
	c->bytes.size = have;
	c->used = 0;
	want = need > CURSOR_BYTES ? need : CURSOR_BYTES;
	if (buffer_reserve(&c->bytes, want - have) < 0)
		return error_nomem(err);
	while (c->bytes.size < want && c->rest.at < c->rest.end) {
		size_t room = want - c->bytes.size;
		off_t left = c->rest.end - c->rest.at;
		ssize_t n = pread(s->fd, c->bytes.data + c->bytes.size,
				  (off_t)room < left ? room : (size_t)left,
				  c->rest.at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, ERROR_FAILED,
					   "cannot read a file for sorting");
		if (n == 0)
			break;
		c->bytes.size += (size_t)n;
		c->rest.at += n;
	}
	if (c->bytes.size < need)
		return error_set(err, ERROR_FAILED,
				 "the file for sorting is cut short");
	return 0;
}

static int cursor_next_pair(struct sorter *s, struct cursor *c,
			    struct error *err)
{
	struct piece pair;

	if (cursor_need(s, c, sizeof(pair), err) < 0)
		return -1;
	memcpy(&pair, c->bytes.data + c->used, sizeof(pair));
	c->used += sizeof(pair);
	c->word = pair.word;
	c->second = pair.at;
	return 1;
}

/* Go to the run's next line; @return 1, or 0 at its end. */
static int cursor_next(struct sorter *s, struct cursor *c, struct error *err)
{
	uint64_t size;

	if (c->used == c->bytes.size && c->rest.at == c->rest.end)
		return 0;
	if (s->paired)
		return cursor_next_pair(s, c, err);
	if (cursor_need(s, c, sizeof(size), err) < 0)
		return -1;
	memcpy(&size, c->bytes.data + c->used, sizeof(size));
	c->used += sizeof(size);
	if (cursor_need(s, c, size, err) < 0)
		return -1;
	c->line = c->bytes.data + c->used;
	c->size = size;
	c->used += size;
	c->word = sorter_word(c->line, size, 0);
	return 1;
}

static int comes_before(const struct cursor *a, const struct cursor *b)
{
	if (a->word != b->word)
		return a->word < b->word;
	if (a->second != b->second)
		return a->second < b->second;
	return sorter_compare(a->line, a->size, b->line, b->size) < 0;
}

static void sift_down(struct sorter *s, size_t at)
{
	for (;;) {
		size_t least = at;

		for (size_t i = 2 * at + 1;
		     i <= 2 * at + 2 && i < s->heap_count; i++) {
			if (comes_before(s->heap[i], s->heap[least]))
				least = i;
		}
		if (least == at)
			return;
		struct cursor *c = s->heap[at];
		s->heap[at] = s->heap[least];
		s->heap[least] = c;
		at = least;
	}
}

/* Open the next runs, at most MERGE_RUNS of them. */
static int begin_merge(struct sorter *s, struct error *err)
{
	s->heap_count = 0;
	s->handed_out = 0;
	for (size_t i = 0; i < MERGE_RUNS && s->first_run < s->run_count; i++) {
		struct cursor *c = &s->cursors[i];
		int more;

		buffer_clear(&c->bytes);
		c->used = 0;
		c->rest = s->runs[s->first_run++];
		more = cursor_next(s, c, err);
		if (more < 0)
			return -1;
		if (more)
			s->heap[s->heap_count++] = c;
	}
	for (size_t i = s->heap_count / 2; i-- > 0;)
		sift_down(s, i);
	return 0;
}

/* @return 1, 0 or -1; what comes next is in front of the heap */
static int merge_next(struct sorter *s, struct error *err)
{
	if (s->handed_out) {
		int more = cursor_next(s, s->heap[0], err);

		if (more < 0)
			return -1;
		if (!more)
			s->heap[0] = s->heap[--s->heap_count];
		sift_down(s, 0);
	}
	s->handed_out = s->heap_count > 0;
	return s->handed_out;
}

/* Merge the oldest runs into one at the end of the file. */
static int merge_some(struct sorter *s, struct error *err)
{
	int more, rc;

	if (begin_run(s, err) < 0 || begin_merge(s, err) < 0)
		return -1;
	while ((more = merge_next(s, err)) > 0) {
		const struct cursor *c = s->heap[0];

		rc = s->paired ? write_pair(s, c, err)
			       : write_line(s, c->line, c->size, err);
		if (rc < 0)
			return -1;
	}
	return more < 0 ? -1 : end_run(s, err);
}

int sorter_finish(struct sorter *s, struct error *err)
{
	if (!s->run_count)
		return sort_pieces(s, err);
	if (s->count && spill(s, err) < 0)
		return -1;
	buffer_release(&s->lines);
	free(s->pieces);
	s->pieces = NULL;
	s->capacity = 0;
	while (s->run_count - s->first_run > MERGE_RUNS) {
		if (merge_some(s, err) < 0)
			return -1;
	}
	return begin_merge(s, err);
}

/* Of the merge a cursor, or what is in memory. @return 1, 0 or -1 */
static int next(struct sorter *s, const struct cursor **merged,
		const struct piece **piece, struct error *err)
{
	int more = s->run_count ? merge_next(s, err) : s->next < s->count;

	*merged = s->run_count ? s->heap[0] : NULL;
	*piece = s->run_count || !more ? NULL : &s->pieces[s->next++];
	return more;
}

int sorter_next(struct sorter *s, const char **line, size_t *size,
		struct error *err)
{
	const struct cursor *merged;
	const struct piece *piece;
	uint64_t bytes;
	int more = next(s, &merged, &piece, err);

	if (more <= 0)
		return more;
	if (merged) {
		*line = merged->line;
		*size = merged->size;
	} else {
		sorter_expect(s->lines.data, piece, s->count - s->next + 1);
		*line = sorter_line(s->lines.data, piece, &bytes);
		*size = (size_t)bytes;
	}
	return 1;
}

int sorter_next_pair(struct sorter *s, uint64_t *first, uint64_t *second,
		     struct error *err)
{
	const struct cursor *merged;
	const struct piece *piece;
	int more = next(s, &merged, &piece, err);

	if (more <= 0)
		return more;
	*first = merged ? merged->word : piece->word;
	*second = merged ? merged->second : piece->at;
	return 1;
}
