/*
 * history.c - the list of snapshots that a branch tells
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"

struct history *history_new(void)
{
	return calloc(1, sizeof(struct history));
}

void history_free(struct history *h)
{
	size_t i;

	if (!h)
		return;
	for (i = 0; i < h->count; i++)
		snapshot_release(&h->snapshots[i]);
	free(h->snapshots);
	free(h->deleted);
	free(h->unpinned);
	free(h->source);
	free(h->ref);
	free(h);
}

int history_index(const struct history *h, const struct object_id *id,
		  size_t *at)
{
	for (*at = 0; *at < h->count; (*at)++)
		if (object_same(&h->snapshots[*at].id, id))
			return 1;
	return 0;
}

static int make_room(struct history *h, struct error *err)
{
	struct snapshot *all =
		realloc(h->snapshots, (h->count + 1) * sizeof(*all));

	if (!all)
		return error_nomem(err);
	h->snapshots = all;
	return 0;
}

int history_prepend(struct history *h, const struct snapshot *s,
		    struct error *err)
{
	if (make_room(h, err) < 0)
		return -1;
	memmove(h->snapshots + 1, h->snapshots,
		h->count * sizeof(*h->snapshots));
	h->snapshots[0] = *s;
	h->count++;
	return 0;
}

void history_remove(struct history *h, size_t at)
{
	snapshot_release(&h->snapshots[at]);
	h->count--;
	memmove(h->snapshots + at, h->snapshots + at + 1,
		(h->count - at) * sizeof(*h->snapshots));
}

static int is_proven(const struct snapshot *s)
{
	return s->drill && !strcmp(s->drill, "ok");
}

/*
 * The newest `keep` that are not pinned stay, and the pinned ones.  If none of
 * them was ever restored, the newest that was stays too.
 */
size_t history_retain(struct history *h, unsigned int keep)
{
	size_t i, counted = 0, dropped = 0, proven = h->count;
	int have_proven = 0;

	for (i = 0; i < h->count; i++) {
		int stays = h->snapshots[i].pinned || counted++ < keep;

		if (is_proven(&h->snapshots[i]) && proven == h->count)
			proven = i;
		if (stays && is_proven(&h->snapshots[i]))
			have_proven = 1;
	}
	for (i = h->count, counted = 0; i-- > 0;)
		counted += !h->snapshots[i].pinned;
	for (i = h->count; i-- > 0;) {
		if (h->snapshots[i].pinned)
			continue;
		if (counted-- > keep && (have_proven || i != proven)) {
			history_remove(h, i);
			dropped++;
		}
	}
	return dropped;
}

/* ---- reading ---- */

/* "<40 hex>[ <time>]" */
static int parse_id_time(const char *text, struct object_id *id, int64_t *when)
{
	char hex[OBJECT_HEX_SIZE];

	*when = 0;
	if (strlen(text) < 40)
		return -1;
	memcpy(hex, text, 40);
	hex[40] = '\0';
	if (hex_decode(id->bytes, hex, sizeof(id->bytes)) < 0)
		return -1;
	if (!text[40])
		return 0;
	return text[40] == ' ' ? clock_parse(when, text + 41) : -1;
}

/* The lines that come more than once. */
static int take_state(struct history *h, const char *key, const char *value,
		      struct error *err)
{
	struct object_id id;
	int64_t when_s;
	size_t at;

	if (parse_id_time(value, &id, &when_s) < 0)
		return 0;
	if (!strcmp(key, "Deleted"))
		return tombstone_add(&h->deleted, &h->deleted_count, &id,
				     when_s, err);
	if (!strcmp(key, "Unpinned"))
		return tombstone_add(&h->unpinned, &h->unpinned_count, &id,
				     when_s, err);
	if (!history_index(h, &id, &at))
		return 0;
	if (!strcmp(key, "Pinned")) {
		h->snapshots[at].pinned = 1;
		h->snapshots[at].pinned_at_s = when_s;
	} else if (!strcmp(key, "Snapshot") && h->snapshots[at].absent &&
		   !h->snapshots[at].created_at_s) {
		h->snapshots[at].created_at_s = when_s;
	}
	return 0;
}

/* "keep=8" -> 8, anything else 0 */
static unsigned int parse_keep(const char *text)
{
	size_t digits;

	if (strncmp(text, "keep=", 5) != 0)
		return 0;
	digits = strspn(text + 5, "0123456789");
	if (!digits || digits > 9 || text[5 + digits])
		return 0;
	return (unsigned int)strtoul(text + 5, NULL, 10);
}

static int take_trailers(struct history *h, const struct trailers *t,
			 struct error *err)
{
	const char *text;
	size_t i;

	text = trailers_get(t, "Source");
	h->source = strdup(text ? text : "");
	if (!h->source)
		return error_nomem(err);
	text = trailers_get(t, "Retention");
	if (text)
		h->keep = parse_keep(text);
	text = trailers_get(t, "Retention-Set");
	if (text && clock_parse(&h->keep_set_s, text) < 0)
		h->keep_set_s = 0;
	text = trailers_get(t, "Checked");
	if (text && clock_parse(&h->checked_at_s, text) < 0)
		h->checked_at_s = 0;
	for (i = 0; i < t->count; i++)
		if (take_state(h, t->items[i].key, t->items[i].value, err) < 0)
			return -1;
	return 0;
}

/* Fill in what the snapshot's own commit says; `tree` receives its tree.
 * @return 0; 1: the commit is not here; -1 */
static int read_snapshot(struct gitstore *g, struct snapshot *s,
			 struct object_id *tree, struct error *err)
{
	struct raw_commit c;
	struct trailers t;
	int rc = raw_commit_read(g, &s->id, &c, err);

	if (rc)
		return rc;
	*tree = c.tree;
	rc = trailers_parse(&t, c.message, err);
	if (!rc) {
		rc = snapshot_from_trailers(s, &t, err);
		trailers_release(&t);
	}
	if (!rc && c.parent_count) {
		snapshot_release(s);
		rc = 1;
	}
	raw_commit_release(&c);
	return rc;
}

/* Parents are: the previous one, the newest, then older and older ones. */
static const struct object_id *nth_newest(const struct raw_commit *c, size_t n)
{
	if (c->parent_count < 2 || n > 1)
		return &c->parents[n];
	return &c->parents[1 - n];
}

/* The newest one's facts stand in the index commit too, and its files in the
 * index commit's tree. */
static int newest_from_index(struct gitstore *g, struct history *h,
			     const struct trailers *t, struct error *err)
{
	struct object_id id = h->snapshots[0].id;
	int rc = snapshot_from_trailers(&h->snapshots[0], t, err);

	if (rc < 0)
		return -1;
	h->snapshots[0].absent = rc;
	h->snapshots[0].id = id;
	g->newest = id;
	g->newest_tip = h->tip;
	return 0;
}

static int tip_mismatch(const struct history *h, struct error *err)
{
	char tip[SHORT_HEX_SIZE], id[SHORT_HEX_SIZE];

	object_short(tip, &h->tip);
	object_short(id, &h->snapshots[0].id);
	return error_set(
		err, ERROR_DAMAGE,
		"index commit %s does not hold the files of its newest "
		"snapshot %s; somebody changed the branch by hand",
		tip, id);
}

static int read_list(struct gitstore *g, struct history *h,
		     const struct raw_commit *c, const struct trailers *t,
		     struct error *err)
{
	struct object_id tree;
	size_t i, at;
	int rc;

	for (i = 0; i < c->parent_count; i++) {
		const struct object_id *id = nth_newest(c, i);
		struct snapshot *s;

		if (history_index(h, id, &at))
			continue;
		if (make_room(h, err) < 0)
			return -1;
		s = &h->snapshots[h->count++];
		memset(s, 0, sizeof(*s));
		s->id = *id;
		rc = read_snapshot(g, s, &tree, err);
		if (rc < 0)
			return -1;
		if (rc) {
			memset(s, 0, sizeof(*s));
			s->id = *id;
			s->absent = 1;
		}
		if (!i && !rc && !object_same(&tree, &c->tree))
			return tip_mismatch(h, err);
	}
	if (h->count && h->snapshots[0].absent &&
	    newest_from_index(g, h, t, err) < 0)
		return -1;
	return 0;
}

/* In version 2 the last parent is the index commit before.
 * @return 0, or 1 where it is not */
static int take_previous(struct history *h, struct raw_commit *c,
			 const struct trailers *t)
{
	const char *text = trailers_get(t, "Previous");
	int64_t when_s;

	if (!text || parse_id_time(text, &h->previous, &when_s) < 0 ||
	    c->parent_count < 2 ||
	    !object_same(&c->parents[c->parent_count - 1], &h->previous))
		return 1;
	c->parent_count--;
	return 0;
}

static int read_index(struct gitstore *g, struct history *h,
		      struct raw_commit *c, const struct trailers *t,
		      struct error *err)
{
	const char *version = trailers_get(t, "Dbstow-Branch");

	if (strcmp(version, "1") != 0 &&
	    (strcmp(version, "2") != 0 || take_previous(h, c, t)))
		return error_set(err, ERROR_REFUSED,
				 "the branch is laid out in a newer way ('%s') "
				 "than this dbstow knows; update it",
				 version);
	if (!c->parent_count)
		return 1;
	if (read_list(g, h, c, t, err) < 0)
		return -1;
	return take_trailers(h, t, err);
}

/* A snapshot alone: a list of one. */
static int read_single(struct gitstore *g, struct history *h, struct error *err)
{
	struct object_id tree;
	struct snapshot s;
	int rc;

	memset(&s, 0, sizeof(s));
	s.id = h->tip;
	rc = read_snapshot(g, &s, &tree, err);
	if (rc)
		return rc;
	if (history_prepend(h, &s, err) < 0) {
		snapshot_release(&s);
		return -1;
	}
	h->source = strdup(s.source);
	return h->source ? 0 : error_nomem(err);
}

int history_read(struct gitstore *g, const struct object_id *tip, int what,
		 struct history **out, struct error *err)
{
	struct history *h = history_new();
	struct trailers t = { NULL, NULL, 0 };
	struct raw_commit c = { .parents = NULL };
	int rc;

	*out = NULL;
	if (!h)
		return error_nomem(err);
	h->tip = *tip;
	h->exists = 1;
	rc = raw_commit_read(g, tip, &c, err);
	if (!rc)
		rc = trailers_parse(&t, c.message, err);
	if (!rc && trailers_get(&t, "Dbstow-Branch"))
		rc = read_index(g, h, &c, &t, err);
	else if (!rc)
		rc = what == HISTORY_ANY ? read_single(g, h, err) : 1;
	trailers_release(&t);
	raw_commit_release(&c);
	if (rc) {
		history_free(h);
		return rc;
	}
	*out = h;
	return 0;
}
