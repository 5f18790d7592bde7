/*
 * remote_pkt.c - pkt-lines, and what servers tell people
 *
 * "0009hello": 4 hex digits, the size with them; "0000" ends a section, "0001"
 * divides one.  git's documentation gitprotocol-common has it all.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gitstore/remote_internal.h"

#define DIGITS 4

/* Enough for GitHub's longest refusals, little enough for a terminal. */
#define TEXT_MAX ((size_t)16 << 10)
#define LINE_MAX ((size_t)1000)

void pkt_reader_init(struct pkt_reader *p, const char *label,
		     int (*take)(void *payload, enum pkt kind, const char *data,
				 size_t size, struct error *err),
		     void *payload)
{
	p->take = take;
	p->payload = payload;
	p->label = label;
	p->done = 0;
	p->used = 0;
}

/* The size that 4 digits tell; -1: they are none */
static int read_size(const char *digits)
{
	int i, size = 0;

	for (i = 0; i < DIGITS; i++) {
		char c = digits[i];

		if (c >= '0' && c <= '9')
			size = size * 16 + (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			size = size * 16 + ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return size;
}

static int not_git(const struct pkt_reader *p, struct error *err)
{
	struct buffer said = BUFFER_INIT;

	server_text_join(&said, p->bytes, p->used);
	error_set(err, ERROR_NETWORK,
		  "the remote %s does not answer as git does: '%.*s'", p->label,
		  (int)(said.size < 200 ? said.size : 200),
		  buffer_cstr(&said) ? said.data : "");
	buffer_release(&said);
	return -1;
}

static int said_error(const struct pkt_reader *p, const char *data, size_t size,
		      struct error *err)
{
	struct buffer said = BUFFER_INIT;

	server_text_join(&said, data + 4, size - 4);
	error_set(err, ERROR_NETWORK, "the remote %s says: %s", p->label,
		  buffer_cstr(&said) ? said.data : "");
	buffer_release(&said);
	return -1;
}

/* p->bytes holds one packet of `size` bytes. */
static int take(struct pkt_reader *p, int size, struct error *err)
{
	const char *data = p->bytes + DIGITS;
	int rc;

	p->used = 0;
	if (size < DIGITS)
		rc = p->take(p->payload, size ? PKT_DELIMITER : PKT_FLUSH, "",
			     0, err);
	else if (size >= DIGITS + 4 && !memcmp(data, "ERR ", 4))
		return said_error(p, data, (size_t)size - DIGITS, err);
	else
		rc = p->take(p->payload, PKT_LINE, data, (size_t)size - DIGITS,
			     err);
	p->done = rc > 0;
	return rc < 0 ? -1 : 0;
}

int pkt_feed(struct pkt_reader *p, const void *data, size_t size,
	     struct error *err)
{
	const char *from = data;
	size_t n, want;
	int told = 0;

	while (size && !p->done) {
		want = DIGITS;
		if (p->used >= DIGITS) {
			told = read_size(p->bytes);
			want = (size_t)told;
		}
		n = want - p->used < size ? want - p->used : size;
		memcpy(p->bytes + p->used, from, n);
		p->used += n;
		from += n;
		size -= n;
		if (p->used < DIGITS)
			return 0;
		told = read_size(p->bytes);
		/* 2 ends an answer in version 2 over some transports; we never
		 * ask that way */
		if (told < 0 || told == 2 || told == 3 || told > PKT_MAX)
			return not_git(p, err);
		if ((told < DIGITS || p->used == (size_t)told) &&
		    take(p, told, err) < 0)
			return -1;
	}
	return 0;
}

void pkt_printf(struct buffer *out, const char *fmt, ...)
{
	char line[PKT_MAX - DIGITS];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(line)) {
		out->failed = 1;
		return;
	}
	buffer_printf(out, "%04x", (unsigned int)n + DIGITS);
	buffer_add(out, line, (size_t)n);
}

void pkt_flush(struct buffer *out)
{
	buffer_str(out, "0000");
}

void pkt_delimiter(struct buffer *out)
{
	buffer_str(out, "0001");
}

size_t pkt_trim(const char *data, size_t size)
{
	return size && data[size - 1] == '\n' ? size - 1 : size;
}

/* ---- what servers tell people ---- */

/* C0, DEL, and C1 in its UTF-8 form move a terminal's cursor. */
static void add_clean(struct buffer *out, const char *data, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c == 0xc2 && i + 1 < size &&
		    ((unsigned char)data[i + 1] & 0xe0) == 0x80)
			i++;
		else if (c == '\t')
			buffer_byte(out, ' ');
		else if (c >= ' ' && c != 0x7f)
			buffer_byte(out, (char)c);
	}
}

static void end_line(struct server_text *t)
{
	const struct buffer *l = &t->line;
	size_t size = l->size;

	while (size && l->data[size - 1] == ' ')
		size--;
	if (size && t->lines.size + size < TEXT_MAX) {
		add_clean(&t->lines, l->data, size);
		buffer_byte(&t->lines, '\n');
	}
	buffer_clear(&t->line);
}

/* Progress ends in '\r' and is overwritten: it is not kept. */
void server_text_add(struct server_text *t, const char *data, size_t size)
{
	for (; size; data++, size--) {
		if (*data == '\n')
			end_line(t);
		else if (*data == '\r' && (size == 1 || data[1] != '\n'))
			buffer_clear(&t->line);
		else if (*data != '\r' && t->line.size < LINE_MAX)
			buffer_byte(&t->line, *data);
	}
}

char *server_text_detach(struct server_text *t)
{
	char *text = NULL;

	end_line(t);
	if (t->lines.size)
		text = buffer_detach(&t->lines);
	buffer_release(&t->lines);
	buffer_release(&t->line);
	return text;
}

void server_text_join(struct buffer *out, const char *data, size_t size)
{
	struct server_text t = { BUFFER_INIT, BUFFER_INIT };
	char *text, *eol;

	server_text_add(&t, data, size);
	text = server_text_detach(&t);
	if (!text)
		return;
	while ((eol = strchr(text, '\n')))
		*eol = eol[1] ? '\f' : '\0';
	for (eol = text; *eol; eol++)
		if (*eol == '\f')
			buffer_str(out, " / ");
		else
			buffer_byte(out, *eol);
	free(text);
}
