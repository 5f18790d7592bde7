/*
 * remote_plan.c - which objects a push has to send, and what they are made from
 *
 * The remote's index commit tells which snapshots it has; all that these reach
 * need not be sent.  What is new is laid beside the snapshot before it: of two
 * files with one path, the other side has one and gets the other as a delta.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gitstore/remote_internal.h"

/* Deltas of deltas; git itself stops at 50. */
#define CHAIN_MAX 50

struct entry {
	const char *name; /* in the tree's bytes */
	unsigned int mode;
	struct object_id id;
};

struct entries {
	struct buffer bytes;
	struct entry *list;
	size_t count, capacity;
};

struct pair {
	struct object_id base, id; /* base: all zero where there is none */
};

struct planning {
	struct plan *plan;
	struct remote *r;
	const struct remote_push *push;
	int thin;
	struct id_set there;     /* at the remote */
	struct id_set sent;      /* in the plan */
	struct object_id theirs; /* tree of the remote's newest; or zero */
	struct id_list commits;  /* to send, newest first, known ones between */
	struct pair *todo;       /* trees */
	size_t todo_count, todo_capacity;
};

/* ---- the plan ---- */

static int plan_add(struct planning *p, enum pack_type type,
		    const struct object_id *id, const struct object_id *base,
		    struct error *err)
{
	struct plan *plan = p->plan;
	struct plan_object *o;
	size_t capacity;

	if (plan->count == plan->capacity) {
		capacity = plan->capacity ? plan->capacity * 2 : 256;
		o = realloc(plan->objects, capacity * sizeof(*o));
		if (!o)
			return error_nomem(err);
		plan->objects = o;
		plan->capacity = capacity;
	}
	o = &plan->objects[plan->count++];
	memset(o, 0, sizeof(*o));
	o->id = *id;
	o->type = type;
	if (object_is_zero(base))
		return 0;
	if (!id_set_has(&p->sent, base)) {
		if (!p->thin)
			return 0;
		plan->outside = 1;
	}
	o->base = *base;
	return 0;
}

void plan_release(struct plan *p)
{
	free(p->objects);
	memset(p, 0, sizeof(*p));
}

/* ---- trees side by side ---- */

static int entry_add(void *payload, unsigned int mode, const char *name,
		     const struct object_id *id, struct error *err)
{
	struct entries *e = payload;
	struct entry *list;

	if (e->count == e->capacity) {
		e->capacity = e->capacity ? e->capacity * 2 : 64;
		list = realloc(e->list, e->capacity * sizeof(*list));
		if (!list)
			return error_nomem(err);
		e->list = list;
	}
	e->list[e->count].name = name;
	e->list[e->count].mode = mode;
	e->list[e->count++].id = *id;
	return 0;
}

/* @return 0; 1: it is not there or no sound tree; -1 */
static int entries_read(struct entries *e, struct remote *r,
			const struct object_id *id, struct error *err)
{
	int rc = remote_object(r, id, PACK_TREE, &e->bytes, err);

	if (!rc && e->bytes.size)
		rc = tree_each(e->bytes.data, e->bytes.size, entry_add, e, err);
	return rc;
}

static void entries_release(struct entries *e)
{
	buffer_release(&e->bytes);
	free(e->list);
	memset(e, 0, sizeof(*e));
}

static int push_pair(struct planning *p, const struct object_id *base,
		     const struct object_id *id, struct error *err)
{
	size_t capacity = p->todo_capacity ? p->todo_capacity * 2 : 64;
	struct pair *todo;

	if (p->todo_count == p->todo_capacity) {
		todo = realloc(p->todo, capacity * sizeof(*todo));
		if (!todo)
			return error_nomem(err);
		p->todo = todo;
		p->todo_capacity = capacity;
	}
	p->todo[p->todo_count].base = *base;
	p->todo[p->todo_count++].id = *id;
	return 0;
}

/* Git's order: a folder's name as if it ended in '/' */
static int compare(const struct entry *a, const struct entry *b)
{
	size_t i = 0;
	int x, y;

	while (a->name[i] && a->name[i] == b->name[i])
		i++;
	x = a->name[i] ? (unsigned char)a->name[i]
		       : (a->mode == 040000 ? '/' : 0);
	y = b->name[i] ? (unsigned char)b->name[i]
		       : (b->mode == 040000 ? '/' : 0);
	return x - y;
}

static int plan_entry(struct planning *p, const struct entry *e,
		      const struct object_id *base, struct error *err)
{
	int rc;

	if (id_set_has(&p->there, &e->id) || id_set_has(&p->sent, &e->id))
		return 0;
	if (e->mode == 040000)
		return push_pair(p, base, &e->id, err);
	rc = plan_add(p, PACK_BLOB, &e->id, base, err);
	return rc < 0 || id_set_add(&p->sent, &e->id, err) < 0 ? -1 : 0;
}

static int plan_entries(struct planning *p, const struct entries *old,
			const struct entries *now, struct error *err)
{
	static const struct object_id none;
	size_t i, at = 0;
	int rc = 0;

	for (i = 0; !rc && i < now->count; i++) {
		while (at < old->count &&
		       compare(&old->list[at], &now->list[i]) < 0)
			at++;
		rc = plan_entry(p, &now->list[i],
				at < old->count && !compare(&old->list[at],
							    &now->list[i])
					? &old->list[at].id
					: &none,
				err);
	}
	if (now->count > p->plan->largest_folder)
		p->plan->largest_folder = now->count;
	return rc;
}

static int missing(struct planning *p, const struct object_id *id,
		   struct error *err)
{
	char hex[SHORT_HEX_SIZE];

	object_short(hex, id);
	return error_set(err, ERROR_DAMAGE,
			 "object %s, which the remote %s lacks, is missing or "
			 "damaged in the repository '%s'",
			 hex, p->r->label, p->r->g->where);
}

static int plan_tree(struct planning *p, const struct pair *pair,
		     struct error *err)
{
	struct entries old = { BUFFER_INIT, NULL, 0, 0 };
	struct entries now = { BUFFER_INIT, NULL, 0, 0 };
	int rc, added;

	if (id_set_has(&p->there, &pair->id))
		return 0;
	added = id_set_add(&p->sent, &pair->id, err);
	if (added <= 0)
		return added;
	rc = entries_read(&now, p->r, &pair->id, err);
	if (rc > 0)
		rc = missing(p, &pair->id, err);
	/* a base that can't be read is none */
	if (!rc && !object_is_zero(&pair->base))
		rc = entries_read(&old, p->r, &pair->base, err) < 0 ? -1 : 0;
	if (!rc)
		rc = plan_add(p, PACK_TREE, &pair->id, &pair->base, err);
	if (!rc)
		rc = plan_entries(p, &old, &now, err);
	entries_release(&old);
	entries_release(&now);
	return rc;
}

static int plan_trees(struct planning *p, const struct object_id *base,
		      const struct object_id *tree, struct error *err)
{
	int rc = push_pair(p, base, tree, err);

	while (!rc && p->todo_count) {
		struct pair pair = p->todo[--p->todo_count];

		rc = plan_tree(p, &pair, err);
	}
	return rc;
}

/* ---- commits ---- */

static int read_commit(struct planning *p, const struct object_id *id,
		       struct raw_commit *c, struct error *err)
{
	const struct remote_push *push = p->push;
	int rc;

	if (push->body && object_same(id, &push->id)) {
		memset(c, 0, sizeof(*c));
		rc = raw_commit_parse(c, push->body, push->body_size, err);
	} else {
		rc = raw_commit_read(p->r->transfer, id, c, err);
	}
	return rc > 0 ? missing(p, id, err) : rc;
}

/* What the remote has, as far as it can be told here. */
static int plan_theirs(struct planning *p, struct error *err)
{
	struct raw_commit tip, c;
	size_t i;
	int rc;

	if (object_is_zero(&p->push->old))
		return 0;
	rc = raw_commit_read(p->r->transfer, &p->push->old, &tip, err);
	if (rc) /* not fetched: all is sent */
		return rc < 0 ? -1 : 0;
	p->theirs = tip.tree;
	if (id_set_add(&p->there, &p->push->old, err) < 0 ||
	    tree_ids(p->r, &tip.tree, &p->there, err) < 0)
		rc = -1;
	for (i = 0; !rc && i < tip.parent_count; i++) {
		if (id_set_add(&p->there, &tip.parents[i], err) < 0 ||
		    raw_commit_read(p->r->transfer, &tip.parents[i], &c, err) <
			    0)
			rc = -1;
		else if (c.message &&
			 tree_ids(p->r, &c.tree, &p->there, err) < 0)
			rc = -1;
		raw_commit_release(&c);
	}
	raw_commit_release(&tip);
	return rc;
}

/* An index commit's parents from newest to oldest: its second comes first. */
static const struct object_id *nth_parent(const struct raw_commit *c, size_t n)
{
	return &c->parents[c->parent_count > 1 && n < 2 ? 1 - n : n];
}

/* All commits from the new tip to those that the remote has. */
static int list_commits(struct planning *p, struct error *err)
{
	struct id_set seen = { NULL, 0, 0 };
	struct raw_commit c;
	size_t at, i;
	int rc = id_list_add(&p->commits, &p->push->id, err);

	for (at = 0; !rc && at < p->commits.count; at++) {
		struct object_id id = p->commits.ids[at];

		if (id_set_has(&p->there, &id))
			continue;
		rc = read_commit(p, &id, &c, err);
		for (i = 0; !rc && i < c.parent_count; i++) {
			int added = id_set_add(&seen, nth_parent(&c, i), err);

			if (added > 0)
				rc = id_list_add(&p->commits, nth_parent(&c, i),
						 err);
			else
				rc = added;
		}
		raw_commit_release(&c);
	}
	id_set_release(&seen);
	return rc;
}

/* The tree of a commit that the remote has is what the next is laid beside. */
static int take_base(struct planning *p, const struct object_id *id,
		     struct object_id *base, struct error *err)
{
	struct raw_commit c;
	int rc = raw_commit_read(p->r->transfer, id, &c, err);

	if (!rc && id_set_has(&p->there, &c.tree))
		*base = c.tree;
	raw_commit_release(&c);
	return rc < 0 ? -1 : 0;
}

static int plan_commits(struct planning *p, struct error *err)
{
	static const struct object_id none;
	struct object_id base = p->theirs;
	unsigned int chain = 0;
	struct raw_commit c;
	size_t left = p->commits.count;
	int rc = 0;

	while (!rc && left) {
		const struct object_id *id = &p->commits.ids[--left];

		if (id_set_has(&p->there, id)) {
			rc = take_base(p, id, &base, err);
			chain = 0;
			continue;
		}
		rc = read_commit(p, id, &c, err);
		if (!rc)
			rc = plan_add(p, PACK_COMMIT, id, &none, err);
		if (!rc)
			rc = plan_trees(p, chain < CHAIN_MAX ? &base : &none,
					&c.tree, err);
		chain = chain < CHAIN_MAX ? chain + 1 : 0;
		base = c.tree;
		raw_commit_release(&c);
	}
	return rc;
}

int plan_make(struct plan *out, struct remote *r, const struct remote_push *p,
	      int thin, struct error *err)
{
	struct planning planning = {
		.plan = out, .r = r, .push = p, .thin = thin
	};
	int rc = -1;

	memset(out, 0, sizeof(*out));
	if (remote_store(r, err) && !plan_theirs(&planning, err) &&
	    !list_commits(&planning, err))
		rc = plan_commits(&planning, err);
	id_set_release(&planning.there);
	id_set_release(&planning.sent);
	free(planning.commits.ids);
	free(planning.todo);
	if (rc < 0)
		plan_release(out);
	return rc;
}
