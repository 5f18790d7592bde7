/*
 * find.c - which snapshot somebody means
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "gitstore/gitstore_internal.h"

#define LISTED_MAX 8
#define PREFIX_MIN 4
#define DATE_MIN   7 /* "2026-11" */

/* What `what` can be taken for. */
enum match { MATCH_NONE, MATCH_NAME, MATCH_ID, MATCH_DATE };

static void add_one(struct buffer *out, const struct snapshot *s)
{
	char hex[SHORT_HEX_SIZE], text[CLOCK_TEXT_SIZE];

	object_short(hex, &s->id);
	clock_text(text, s->created_at_s);
	buffer_printf(out, "%s%s (%s%s%s)", out->size ? ", " : "", hex, text,
		      s->name ? ", " : "", s->name ? s->name : "");
}

static int empty(struct error *err)
{
	return error_set(err, ERROR_FAILED,
			 "there is no snapshot here yet; 'dbstow export' makes "
			 "one, 'dbstow sync --pull' brings a remote's");
}

static int not_found(const struct history *h, const char *what,
		     struct error *err)
{
	struct buffer list = BUFFER_INIT;
	size_t i;

	if (!h->count)
		return empty(err);
	for (i = 0; i < h->count && i < LISTED_MAX; i++)
		add_one(&list, &h->snapshots[i]);
	if (i < h->count)
		buffer_str(&list, " ...");
	if (!buffer_cstr(&list))
		error_nomem(err);
	else
		error_set(err, ERROR_FAILED,
			  "there is no snapshot '%s'; there are: %s", what,
			  list.data);
	buffer_release(&list);
	return -1;
}

/* "latest", "latest~2". @return 1: found, 0: it is none of these, -1 */
static int find_latest(const struct history *h, const char *what, size_t *at,
		       struct error *err)
{
	unsigned long n = 0;
	char *end;

	if (strncmp(what, "latest", 6) != 0)
		return 0;
	if (what[6]) {
		if (what[6] != '~' || !isdigit((unsigned char)what[7]))
			return 0;
		errno = 0;
		n = strtoul(what + 7, &end, 10);
		if (errno || *end)
			return not_found(h, what, err);
	}
	if (n >= h->count)
		return not_found(h, what, err);
	*at = n;
	return 1;
}

static int is_id_prefix(const char *what, const struct snapshot *s)
{
	char hex[OBJECT_HEX_SIZE];
	size_t size = strlen(what), i;

	if (size < PREFIX_MIN || size > 40)
		return 0;
	object_hex(hex, &s->id);
	for (i = 0; i < size; i++)
		if (tolower((unsigned char)what[i]) != hex[i])
			return 0;
	return 1;
}

/* "2026-11", "2026-11-20", "2026-11-20T02:35" or with a blank */
static int is_date_prefix(const char *what, const struct snapshot *s)
{
	char iso[CLOCK_TEXT_SIZE];
	size_t size = strlen(what), i;

	clock_iso(iso, s->created_at_s);
	if (size < DATE_MIN || size > strlen(iso))
		return 0;
	for (i = 0; i < size; i++)
		if (what[i] != iso[i] &&
		    !(i == 10 && (what[i] == ' ' || what[i] == 't')))
			return 0;
	return 1;
}

static enum match match_of(const char *what, const struct snapshot *s)
{
	if (s->name && !strcmp(s->name, what))
		return MATCH_NAME;
	if (is_id_prefix(what, s))
		return MATCH_ID;
	return is_date_prefix(what, s) ? MATCH_DATE : MATCH_NONE;
}

static int ambiguous(const struct history *h, const char *what,
		     struct error *err)
{
	struct buffer list = BUFFER_INIT;
	size_t i, listed = 0;
	enum match m;

	for (i = 0; i < h->count && listed < LISTED_MAX; i++) {
		m = match_of(what, &h->snapshots[i]);
		if (m == MATCH_NAME || m == MATCH_ID) {
			add_one(&list, &h->snapshots[i]);
			listed++;
		}
	}
	if (!buffer_cstr(&list))
		error_nomem(err);
	else
		error_set(err, ERROR_FAILED, "'%s' could be any of: %s", what,
			  list.data);
	buffer_release(&list);
	return -1;
}

/*
 * A name wins over a date, the newest of several that share it; a name that
 * reads like the id of another one is refused, not guessed at: others can put
 * names on a branch.
 */
int history_find(const struct history *h, const char *what, size_t *at,
		 struct error *err)
{
	size_t first[4] = { SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX };
	size_t ids = 0, i;
	enum match m;
	int rc;

	if (!h->count)
		return empty(err);
	rc = find_latest(h, what, at, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	for (i = 0; i < h->count; i++) {
		m = match_of(what, &h->snapshots[i]);
		if (first[m] == SIZE_MAX)
			first[m] = i;
		ids += m == MATCH_ID;
	}
	if (ids > 1 || (ids && first[MATCH_NAME] != SIZE_MAX))
		return ambiguous(h, what, err);
	for (m = MATCH_NAME; m <= MATCH_DATE; m++)
		if (first[m] != SIZE_MAX) {
			*at = first[m];
			return 0;
		}
	return not_found(h, what, err);
}

int history_find_at(const struct history *h, int64_t when_s, size_t *at,
		    struct error *err)
{
	char text[CLOCK_TEXT_SIZE], oldest[CLOCK_TEXT_SIZE];
	int64_t first = INT64_MAX;
	size_t i, found = h->count;

	if (!h->count)
		return empty(err);
	for (i = 0; i < h->count; i++) {
		int64_t then = h->snapshots[i].created_at_s;

		if (then < first)
			first = then;
		if (then <= when_s && (found == h->count ||
				       then > h->snapshots[found].created_at_s))
			found = i;
	}
	if (found < h->count) {
		*at = found;
		return 0;
	}
	clock_text(text, when_s);
	clock_text(oldest, first);
	return error_set(err, ERROR_FAILED,
			 "there is no snapshot as old as %s; the oldest is of "
			 "%s",
			 text, oldest);
}
