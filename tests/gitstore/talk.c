/*
 * talk.c - a remote from the command line, for servers.py
 *
 *   talk REPO add N             a snapshot of 2,000 rows, the Nth changed
 *   talk REPO refs URL
 *   talk REPO public URL
 *   talk REPO push URL [OLD]    our branch; OLD: "-" for none, an id; or what
 *                               is there
 *   talk REPO fetch URL whole|tip|list [ID]
 *
 * Prints what came of it; an error as "error CODE: MESSAGE" with status 1.
 * CACERT in the environment is a certificate authority's file.
 */
#include "base/hash.h"
#include "gitstore/remote_internal.h"
#include "tests/gitstore/store.h"

#define REF "refs/heads/" GITSTORE_BRANCH

/* libgit2 1.5 leaks while it looks at configurations. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpcre2\n";
}

struct talk {
	struct fixture f;
	struct remote *r;
	char **argv;
};

static int add_rows(struct talk *t)
{
	long nth = strtol(t->argv[0], NULL, 10), i;
	struct buffer text = BUFFER_INIT;

	for (i = 0; i < 2000; i++)
		buffer_printf(&text, "{\"id\":%ld,\"name\":\"%x\"}\n", i,
			      (unsigned int)i * 2654435761u +
				      (i == nth ? 7 : 0));
	add(&t->f, buffer_cstr(&text), (int)nth);
	buffer_release(&text);
	return 0;
}

static int refs(struct talk *t)
{
	struct error *err = &t->f.err;
	struct remote_ref ref;
	char hex[OBJECT_HEX_SIZE];

	if (remote_refs(t->r, REF, &ref, err) < 0)
		return -1;
	object_hex(hex, &ref.id);
	printf("%s empty=%d any=%d filters=%d %s\n", ref.exists ? hex : "none",
	       ref.empty, ref.any_commit, ref.filters, ref.agent);
	return 0;
}

static int public(struct talk *t)
{
	enum remote_readers readers;

	if (remote_readers(t->r, 1, &readers, &t->f.err) < 0)
		return -1;
	printf("%s\n", readers == READERS_WORLD ? "public" : "private");
	return 0;
}

static int push(struct talk *t)
{
	static const char *const outcomes[] = { "pushed", "moved", "rejected" };
	struct error *err = &t->f.err;
	struct remote_push_result out;
	struct remote_push p = { .ref = REF };
	struct remote_ref ref;
	int rc;

	ref_read(t->f.g, REF, &p.id, err);
	if (!t->argv[0]) {
		if (remote_refs(t->r, REF, &ref, err) < 0 ||
		    (ref.exists &&
		     remote_fetch(t->r, &ref.id, 1, REMOTE_WHOLE, err) < 0))
			return -1;
		p.old = ref.id;
	} else if (strcmp(t->argv[0], "-") != 0) {
		hex_decode(p.old.bytes, t->argv[0], sizeof(p.old.bytes));
	}
	rc = remote_push(t->r, &p, &out, err);
	if (!rc)
		printf("%s objects=%zu deltas=%zu bytes=%llu reason=%s\n%s",
		       outcomes[out.outcome], out.objects, out.deltas,
		       (unsigned long long)out.bytes,
		       out.reason ? out.reason : "",
		       out.messages ? out.messages : "");
	remote_push_result_release(&out);
	return rc;
}

static int fetch(struct talk *t)
{
	enum remote_depth depth = !strcmp(t->argv[0], "whole") ? REMOTE_WHOLE
				  : !strcmp(t->argv[0], "tip") ? REMOTE_TIP
							       : REMOTE_LIST;
	struct error *err = &t->f.err;
	struct object_id id;
	struct remote_ref ref;

	if (remote_refs(t->r, REF, &ref, err) < 0)
		return -1;
	id = ref.id;
	if (t->argv[1])
		hex_decode(id.bytes, t->argv[1], sizeof(id.bytes));
	if (remote_fetch(t->r, &id, 1, depth, err) < 0)
		return -1;
	printf("fetched whole=%d packs=%zu\n",
	       !commit_is_whole(t->r, &id, 1, err), t->r->fetched_count);
	return 0;
}

static int run(struct talk *t, const char *what)
{
	struct remote_options o = { .url = t->argv[0],
				    .cacert = getenv("CACERT") };

	if (!strcmp(what, "add"))
		return add_rows(t);
	if (remote_open(&t->r, t->f.g, &o, &t->f.err) < 0)
		return -1;
	t->argv++;
	if (!strcmp(what, "refs"))
		return refs(t);
	if (!strcmp(what, "public"))
		return public(t);
	return !strcmp(what, "push") ? push(t) : fetch(t);
}

int main(int argc, char **argv)
{
	struct talk t = { .f = { .repo = argv[1] } };
	int rc;

	if (argc < 4)
		return 2;
	reopen(&t.f);
	t.argv = argv + 3;
	rc = run(&t, argv[2]);
	if (rc < 0)
		printf("error %d: %s\n", (int)t.f.err.code, t.f.err.message);
	remote_free(t.r);
	gitstore_free(t.f.g);
	return rc < 0;
}
