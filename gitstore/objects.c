/*
 * objects.c - commits and trees as git stores them
 *
 * Commits are read and written raw.  In a shallow clone libgit2 may hide a
 * commit's parents or refuse to name one that is not there, and the list of
 * snapshots *is* that list of parents.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"

#define COMMIT_MAX ((size_t)16 << 20)

static int read_once(git_odb_object **out, struct gitstore *g,
		     const git_oid *oid, git_object_t type, size_t limit)
{
	git_object_t is;
	size_t size;

	*out = NULL;
	if (git_odb_read_header(&size, &is, g->odb, oid) < 0 || is != type ||
	    size > limit)
		return 1;
	return git_odb_read(out, g->odb, oid) < 0;
}

int object_read(git_odb_object **out, struct gitstore *g,
		const struct object_id *id, git_object_t type, size_t limit)
{
	git_oid oid;

	object_to_oid(&oid, id);
	if (!read_once(out, g, &oid, type, limit))
		return 0;
	/* a gc may have put it into another pack this moment */
	if (store_look_again(g, NULL) < 0)
		return 1;
	return read_once(out, g, &oid, type, limit);
}

int object_exists(struct gitstore *g, const struct object_id *id)
{
	git_oid oid;

	object_to_oid(&oid, id);
	if (git_odb_exists_ext(g->odb, &oid, GIT_ODB_LOOKUP_NO_REFRESH))
		return 1;
	return !store_look_again(g, NULL) && git_odb_exists(g->odb, &oid);
}

/* "NAME <hex>\n" at *p: take the id and step over the line; 1, else 0 */
static int header_id(const char **p, const char *end, const char *name,
		     struct object_id *id)
{
	size_t size = strlen(name);

	if ((size_t)(end - *p) < size + 42 || memcmp(*p, name, size) != 0 ||
	    (*p)[size] != ' ' || (*p)[size + 41] != '\n' ||
	    hex_decode(id->bytes, *p + size + 1, sizeof(id->bytes)) < 0)
		return 0;
	*p += size + 42;
	return 1;
}

static int add_parent(struct raw_commit *c, const struct object_id *id,
		      struct error *err)
{
	struct object_id *parents;

	/* powers of two are when the room is used up */
	if (!(c->parent_count & (c->parent_count - 1))) {
		parents = realloc(c->parents,
				  (c->parent_count + 1) * 2 * sizeof(*parents));
		if (!parents)
			return error_nomem(err);
		c->parents = parents;
	}
	c->parents[c->parent_count++] = *id;
	return 0;
}

/* "committer A <a@b> 1763606122 +0000" */
static int64_t committer_time(const char *line, const char *end)
{
	const char *mail_end = memrchr(line, '>', (size_t)(end - line));
	char digits[32];
	size_t size;

	if (!mail_end || end - mail_end < 3)
		return 0;
	size = (size_t)(end - mail_end - 2);
	if (size >= sizeof(digits))
		size = sizeof(digits) - 1;
	memcpy(digits, mail_end + 2, size);
	digits[size] = '\0';
	return strtoll(digits, NULL, 10);
}

static int parse_commit(struct raw_commit *c, const char *data, size_t size,
			struct error *err)
{
	const char *p = data, *end = data + size, *eol;
	struct object_id parent;

	if (!header_id(&p, end, "tree", &c->tree))
		return 1;
	while (header_id(&p, end, "parent", &parent))
		if (add_parent(c, &parent, err) < 0)
			return -1;
	while (p < end && *p != '\n') {
		eol = memchr(p, '\n', (size_t)(end - p));
		if (!eol)
			return 1;
		if (eol - p > 10 && !memcmp(p, "committer ", 10))
			c->created_at_s = committer_time(p, eol);
		p = eol + 1;
	}
	if (p < end)
		p++;
	c->message = strndup(p, (size_t)(end - p));
	return c->message ? 0 : error_nomem(err);
}

int raw_commit_parse(struct raw_commit *out, const char *data, size_t size,
		     struct error *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = parse_commit(out, data, size, err);
	if (rc)
		raw_commit_release(out);
	return rc;
}

int raw_commit_read(struct gitstore *g, const struct object_id *id,
		    struct raw_commit *out, struct error *err)
{
	git_odb_object *object;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = object_read(&object, g, id, GIT_OBJECT_COMMIT, COMMIT_MAX);
	if (!rc)
		rc = raw_commit_parse(out, git_odb_object_data(object),
				      git_odb_object_size(object), err);
	git_odb_object_free(object);
	return rc;
}

void raw_commit_release(struct raw_commit *c)
{
	free(c->parents);
	free(c->message);
	memset(c, 0, sizeof(*c));
}

void object_hash(struct hasher *h, const char *type, const void *data,
		 size_t size, struct object_id *id)
{
	char head[32];
	int length = snprintf(head, sizeof(head), "%s %zu", type, size);

	hasher_reset(h);
	hasher_add(h, head, (size_t)length + 1); /* its NUL counts */
	hasher_add(h, data, size);
	hasher_final(h, id->bytes);
}

/* A name in a commit's header: one line without angle brackets. */
static void add_person(struct buffer *out, const char *text, const char *none)
{
	size_t before = out->size;

	for (; text && *text; text++)
		if ((unsigned char)*text >= ' ' && *text != '<' &&
		    *text != '>' && *text != 0x7f)
			buffer_byte(out, *text);
	if (out->size == before)
		buffer_str(out, none);
}

static void add_signature(struct gitstore *g, struct buffer *out,
			  const char *role, int64_t when_s)
{
	git_signature *who = NULL;

	if (git_signature_default(&who, g->repo) < 0)
		who = NULL;
	buffer_printf(out, "%s ", role);
	add_person(out, who ? who->name : NULL, "dbstow");
	buffer_str(out, " <");
	add_person(out, who ? who->email : NULL, "dbstow@localhost");
	buffer_printf(out, "> %lld +0000\n",
		      when_s > 0 ? (long long)when_s : 0LL);
	git_signature_free(who);
}

int commit_build(struct gitstore *g, const struct object_id *tree,
		 const struct object_id *parents, size_t parent_count,
		 int64_t when_s, const char *message, struct new_commit *out,
		 struct error *err)
{
	struct buffer *body = &out->body;
	char hex[OBJECT_HEX_SIZE];
	size_t i;

	buffer_clear(body);
	object_hex(hex, tree);
	buffer_printf(body, "tree %s\n", hex);
	for (i = 0; i < parent_count; i++) {
		object_hex(hex, &parents[i]);
		buffer_printf(body, "parent %s\n", hex);
	}
	add_signature(g, body, "author", when_s);
	add_signature(g, body, "committer", when_s);
	buffer_byte(body, '\n');
	buffer_str(body, message);
	if (buffer_failed(body))
		return error_nomem(err);
	object_hash(g->hasher, "commit", body->data, body->size, &out->id);
	return 0;
}

/* ---- trees ---- */

int tree_each(const void *data, size_t size,
	      int (*each)(void *payload, unsigned int mode, const char *name,
			  const struct object_id *id, struct error *err),
	      void *payload, struct error *err)
{
	const char *p = data, *end = p + size, *nul;
	struct object_id id;
	unsigned int mode;
	int rc;

	while (p < end) {
		for (mode = 0;
		     p < end && *p >= '0' && *p <= '7' && mode < 01000000; p++)
			mode = mode * 8 + (unsigned int)(*p - '0');
		if (p == end || *p++ != ' ')
			return 1;
		nul = memchr(p, '\0', (size_t)(end - p));
		if (!nul || nul == p ||
		    (size_t)(end - nul) < 1 + sizeof(id.bytes))
			return 1;
		memcpy(id.bytes, nul + 1, sizeof(id.bytes));
		rc = each(payload, mode, p, &id, err);
		if (rc)
			return rc;
		p = nul + 1 + sizeof(id.bytes);
	}
	return 0;
}
