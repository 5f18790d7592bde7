/*
 * json_stream.c - find the values of a JSON text while it arrives
 */
#include "snapshot/json_stream.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

#define READ_BYTES ((size_t)64 << 10)

void json_stream_release(struct json_stream *s)
{
	buffer_release(&s->bytes);
}

int json_stream_damage(const struct json_stream *s, struct error *err,
		       const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(err, ERROR_DAMAGE, "%s: line %llu: %s", s->label,
			 (unsigned long long)s->lines + 1, text);
}

/* Get more bytes.  What was taken makes room first, so that the buffer grows
 * with a value, not with the text.  @return 1; 0 at the end; -1 */
static int refill(struct json_stream *s, struct error *err)
{
	ssize_t got;

	if (s->ended)
		return 0;
	if (s->at) {
		memmove(s->bytes.data, s->bytes.data + s->at,
			s->bytes.size - s->at);
		s->bytes.size -= s->at;
		s->at = 0;
	}
	if (buffer_reserve(&s->bytes, READ_BYTES) < 0)
		return error_nomem(err);
	got = s->input->read(s->input, s->bytes.data + s->bytes.size,
			     READ_BYTES, err);
	if (got < 0)
		return -1;
	s->bytes.size += (size_t)got;
	s->ended = !got;
	return got > 0;
}

static int incomplete(struct json_stream *s, struct error *err)
{
	return error_set(err, ERROR_DAMAGE,
			 "%s is incomplete: it ends in line %llu; get it again",
			 s->label, (unsigned long long)s->lines + 1);
}

/* Take `size` bytes. */
static void take(struct json_stream *s, size_t size)
{
	const char *p = s->bytes.data + s->at, *end = p + size;

	while ((p = memchr(p, '\n', (size_t)(end - p)))) {
		s->lines++;
		p++;
	}
	s->at += size;
}

int json_stream_peek(struct json_stream *s, struct error *err)
{
	for (;;) {
		int more;

		while (s->at < s->bytes.size) {
			char c = s->bytes.data[s->at];

			if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
				return (unsigned char)c ? (unsigned char)c
							: 0x100;
			s->lines += c == '\n';
			s->at++;
		}
		more = refill(s, err);
		if (more <= 0)
			return more;
	}
}

int json_stream_expect(struct json_stream *s, char c, struct error *err)
{
	int next = json_stream_peek(s, err);

	if (next < 0)
		return -1;
	if (!next)
		return incomplete(s, err);
	if (next != (unsigned char)c)
		return json_stream_damage(s, err, "'%c' expected, not '%c'", c,
					  next < 0x80 ? next : '?');
	take(s, 1);
	return 0;
}

/* Where in a value the scan is. */
struct place {
	size_t depth;
	int in_string, escaped, scalar;
};

/* Look at the bytes from `from` on.  @return the value's end behind them, or
 * `to` when it goes on (`p->depth` tells when that is not its end too) */
static const char *scan(struct place *p, const char *from, const char *to,
			int *done)
{
	*done = 0;
	for (; from < to; from++) {
		char c = *from;

		if (p->in_string) {
			if (p->escaped)
				p->escaped = 0;
			else if (c == '\\')
				p->escaped = 1;
			else if (c == '"')
				p->in_string = 0;
			if (p->in_string || p->depth)
				continue;
			*done = 1;
			return from + 1;
		}
		if (p->scalar) {
			if (c != ',' && c != ']' && c != '}' && c != ':' &&
			    c != ' ' && c != '\n' && c != '\r' && c != '\t')
				continue;
			*done = 1;
			return from;
		}
		if (c == '"') {
			p->in_string = 1;
		} else if (c == '{' || c == '[') {
			p->depth++;
		} else if (c == '}' || c == ']') {
			if (p->depth && --p->depth)
				continue;
			*done = 1;
			return from + 1;
		} else if (!p->depth) {
			p->scalar = 1;
		}
	}
	return to;
}

int json_stream_value(struct json_stream *s, size_t limit, const char **text,
		      size_t *size, struct error *err)
{
	struct place p = { 0 };
	size_t seen = 0;
	int first = json_stream_peek(s, err), done = 0, more;

	if (first < 0)
		return -1;
	if (!first)
		return incomplete(s, err);
	if (strchr(",:]}", first & 0xff))
		return json_stream_damage(s, err, "a value expected, not '%c'",
					  first & 0xff);
	for (;;) {
		const char *from = s->bytes.data + s->at;
		const char *end = scan(&p, from + seen,
				       s->bytes.data + s->bytes.size, &done);

		seen = (size_t)(end - from);
		if (seen > limit)
			return json_stream_damage(
				s, err, "a value of more than %zu bytes",
				limit);
		if (done)
			break;
		more = refill(s, err);
		if (more < 0)
			return -1;
		if (!more && !(p.scalar && seen))
			return incomplete(s, err);
		if (!more)
			break;
	}
	*text = s->bytes.data + s->at;
	*size = seen;
	take(s, seen);
	return 0;
}
