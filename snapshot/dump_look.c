/*
 * dump_look.c - what kind of a document is it?
 */
#include <string.h>

#include "base/error.h"
#include "snapshot/dump.h"
#include "snapshot/json_string.h"

/* Whoever puts so much white space in front of the first member has no
 * document that we know. */
#define LOOK_MAX  ((size_t)64 << 10)
#define LOOK_STEP ((size_t)4 << 10)

static ssize_t read_again(struct byte_input *input, void *data, size_t size,
			  struct error *err)
{
	struct dump_look *l = (struct dump_look *)input;
	size_t left = l->head.size - l->at;

	if (!left)
		return l->from->read(l->from, data, size, err);
	if (size > left)
		size = left;
	memcpy(data, l->head.data + l->at, size);
	l->at += size;
	return (ssize_t)size;
}

/* @return 1; 0 at the end, or where enough was read; -1 */
static int read_more(struct dump_look *l, struct error *err)
{
	ssize_t got;

	if (l->head.size >= LOOK_MAX)
		return 0;
	if (buffer_reserve(&l->head, LOOK_STEP) < 0)
		return error_nomem(err);
	got = l->from->read(l->from, l->head.data + l->head.size, LOOK_STEP,
			    err);
	if (got > 0)
		l->head.size += (size_t)got;
	return got < 0 ? -1 : got > 0;
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* The shape that the name of an object's first member tells; -1: it is not all
 * there. */
static int shape_of_name(const char *p, const char *end)
{
	static const char *const names[] = { "format", "model", "pk",
					     "fields" };
	struct buffer name = BUFFER_INIT;
	int shape = DUMP_MODELS;
	const char *quote;

	for (quote = p; quote < end && *quote != '"'; quote++)
		quote += *quote == '\\';
	if (quote >= end)
		return -1;
	json_string_decode(&name, &p, end);
	for (size_t i = 0; i < 4 && !buffer_failed(&name); i++) {
		if (name.size == strlen(names[i]) &&
		    !memcmp(name.data, names[i], name.size))
			shape = i ? DUMP_LINES : DUMP_NONE;
	}
	buffer_release(&name);
	return shape;
}

/* -1: more has to be read */
static int shape_of(const char *p, const char *end)
{
	p = skip_space(p, end);
	if (p == end)
		return -1;
	if (*p == '[')
		return DUMP_LIST;
	if (*p != '{')
		return DUMP_NONE;
	p = skip_space(p + 1, end);
	if (p == end)
		return -1;
	return *p == '"' ? shape_of_name(p + 1, end) : DUMP_MODELS;
}

/* The program that undoes the compression, or NULL: there is none. */
static const char *packed_with(const char *head)
{
	static const struct {
		char magic[3];
		const char *program;
	} kinds[] = {
		{ { '\x1f', '\x8b', '\x08' }, "gzip" },
		{ { '\x28', '\xb5', '\x2f' }, "zstd" },
		{ { 'B', 'Z', 'h' }, "bzip2" },
		{ { '\xfd', '7', 'z' }, "xz" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!memcmp(head, kinds[i].magic, sizeof(kinds[i].magic)))
			return kinds[i].program;
	return NULL;
}

/* @return 0; 1: too short to tell; -1 */
static int pass_mark(struct dump_look *l, const char *label, struct error *err)
{
	static const char utf8[] = "\xef\xbb\xbf", le[] = "\xff\xfe",
			  be[] = "\xfe\xff";
	const char *program;

	if (l->head.size < 3)
		return 1;
	program = packed_with(l->head.data);
	if (program)
		return error_set(err, ERROR_FAILED,
				 "%s is compressed; decompress it first, such "
				 "as with: %s -dc FILE | dbstow import -",
				 label, program);
	if (!memcmp(l->head.data, le, 2) || !memcmp(l->head.data, be, 2))
		return error_set(
			err, ERROR_FAILED,
			"%s is UTF-16, and JSON is UTF-8; let the "
			"application write the file itself (a shell "
			"such as PowerShell recodes what it redirects)",
			label);
	if (!memcmp(l->head.data, utf8, 3))
		l->at = 3;
	return 0;
}

int dump_look(struct dump_look *l, struct byte_input *from, const char *label,
	      enum dump_shape *shape, struct error *err)
{
	int found = -1, more, marked = 1;

	l->input.read = read_again;
	l->from = from;
	*shape = DUMP_NONE;
	do {
		more = read_more(l, err);
		if (more < 0)
			return -1;
		if (marked > 0)
			marked = pass_mark(l, label, err);
		if (marked < 0)
			return -1;
		if (l->head.size)
			found = shape_of(l->head.data + l->at,
					 l->head.data + l->head.size);
	} while (more && (marked || found < 0));
	if (found >= 0)
		*shape = (enum dump_shape)found;
	return 0;
}

void dump_look_release(struct dump_look *l)
{
	buffer_release(&l->head);
}
