/*
 * json_walk.c - the parts of canonical JSON, which was read before
 */
#include "snapshot/record.h"

#include <string.h>

#include "base/buffer.h"
#include "snapshot/json_string.h"

void json_walk_begin(struct json_walk *w, struct json_piece text)
{
	w->p = text.data + 1;
	w->end = text.data + text.size - 1;
}

/* Behind the string whose opening quote is at `p`. */
static const char *skip_string(const char *p, const char *end)
{
	int high = 0;

	for (p++; p < end; p += 2) {
		p = json_plain_end(p, end, &high);
		if (p < end && *p == '"')
			return p + 1;
	}
	return end;
}

static const char *skip_value(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
		} else if (*p == '{' || *p == '[') {
			depth++;
			p++;
		} else if (depth && (*p == '}' || *p == ']')) {
			depth--;
			p++;
		} else if (!depth && *p == ',') {
			break;
		} else {
			p++;
		}
	}
	return p;
}

int json_walk_next(struct json_walk *w, struct json_piece *name,
		   struct json_piece *value)
{
	const char *begin = w->p, *stop;

	if (name)
		*name = (struct json_piece){ NULL, 0 };
	if (w->p >= w->end)
		return 0;
	stop = *begin == '"' ? skip_string(begin, w->end) : begin;
	if (stop > begin && stop < w->end && *stop == ':') {
		if (name)
			*name = (struct json_piece){ begin,
						     (size_t)(stop - begin) };
		begin = stop + 1;
	}
	stop = skip_value(begin, w->end);
	*value = (struct json_piece){ begin, (size_t)(stop - begin) };
	w->p = stop + 1;
	return 1;
}

void json_piece_text(struct buffer *out, struct json_piece string)
{
	const char *p = string.data + 1;

	json_string_decode(out, &p, string.data + string.size);
}

int json_piece_is(struct json_piece string, const char *text)
{
	size_t size = strlen(text);

	return string.size == size + 2 && !memcmp(string.data + 1, text, size);
}
