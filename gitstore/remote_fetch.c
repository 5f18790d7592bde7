/*
 * remote_fetch.c - objects from a remote into the transfer repository
 *
 * upload-pack, version 2 where the server has it, else 0: one request with all
 * that we want and have, one answer with a pack, which libgit2's indexer checks
 * and writes.  libgit2's own fetch cannot ask for a commit that is no ref's
 * tip, nor leave out files, and wants to update refs.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "gitstore/remote_internal.h"

/* "PACK", version, count */
#define HEAD_BYTES 12

struct fetch {
	struct remote *r;
	const struct advert *advert;
	enum remote_depth depth;
	git_indexer *indexer;
	git_indexer_progress progress;
	int begun; /* the pack began */
	unsigned char head[HEAD_BYTES];
	size_t head_size;
	struct server_text said;
};

/* ---- what the server can do ---- */

int advert_any_commit(const struct advert *a)
{
	return a->version == 2 ||
	       advert_word(a->words, "allow-reachable-sha1-in-want") ||
	       advert_word(a->words, "allow-any-sha1-in-want");
}

int advert_filters(const struct advert *a)
{
	return advert_word(a->version == 2 ? a->fetch : a->words, "filter") !=
	       NULL;
}

static int can_be_shallow(const struct advert *a)
{
	return advert_word(a->version == 2 ? a->fetch : a->words, "shallow") !=
	       NULL;
}

/* ---- the question ---- */

static void add_depth(const struct fetch *f, struct buffer *out)
{
	if (f->depth == REMOTE_LIST && advert_filters(f->advert))
		pkt_printf(out, "filter tree:0\n");
	else if (f->depth != REMOTE_WHOLE && can_be_shallow(f->advert))
		pkt_printf(out, "deepen 1\n");
}

static void add_ids(struct buffer *out, const char *what,
		    const struct object_id *ids, size_t count)
{
	char hex[OBJECT_HEX_SIZE];
	size_t i;

	for (i = 0; i < count; i++) {
		object_hex(hex, &ids[i]);
		pkt_printf(out, "%s %s\n", what, hex);
	}
}

static void ask_v2(const struct fetch *f, const struct object_id *wants,
		   size_t count, const struct id_list *haves,
		   struct buffer *out)
{
	pkt_printf(out, "command=fetch\n");
	pkt_printf(out, "agent=dbstow/%s\n", DBSTOW_VERSION);
	if (advert_word(f->advert->words, "object-format"))
		pkt_printf(out, "object-format=sha1\n");
	pkt_delimiter(out);
	pkt_printf(out, "thin-pack\n");
	pkt_printf(out, "ofs-delta\n");
	pkt_printf(out, "no-progress\n");
	add_depth(f, out);
	add_ids(out, "want", wants, count);
	add_ids(out, "have", haves->ids, haves->count);
	pkt_printf(out, "done\n");
	pkt_flush(out);
}

static void ask_v0(const struct fetch *f, const struct object_id *wants,
		   size_t count, const struct id_list *haves,
		   struct buffer *out)
{
	const char *words = f->advert->words;
	char hex[OBJECT_HEX_SIZE];

	object_hex(hex, &wants[0]);
	pkt_printf(out, "want %s side-band-64k%s%s%s%s agent=dbstow/%s\n", hex,
		   advert_word(words, "thin-pack") ? " thin-pack" : "",
		   advert_word(words, "ofs-delta") ? " ofs-delta" : "",
		   advert_word(words, "no-progress") ? " no-progress" : "",
		   f->depth == REMOTE_LIST && advert_filters(f->advert)
			   ? " filter"
			   : "",
		   DBSTOW_VERSION);
	add_ids(out, "want", wants + 1, count - 1);
	add_depth(f, out);
	pkt_flush(out);
	add_ids(out, "have", haves->ids, haves->count);
	pkt_printf(out, "done\n");
}

/* ---- the answer ---- */

static int unsound(struct fetch *f, struct error *err)
{
	const git_error *last = git_error_last();
	int ours = last && (last->klass == GIT_ERROR_OS ||
			    last->klass == GIT_ERROR_NOMEMORY ||
			    last->klass == GIT_ERROR_FILESYSTEM);

	return git_failed(err, ours ? ERROR_FAILED : ERROR_DAMAGE,
			  "cannot take what the remote %s sends", f->r->label);
}

static int begin_pack(struct fetch *f, struct error *err)
{
	char *folder = remote_pack_folder(f->r, err);
	int rc = 0;

	if (!folder)
		return -1;
	if (git_indexer_new(&f->indexer, folder, 0, f->r->transfer->odb, NULL) <
	    0)
		rc = unsound(f, err);
	free(folder);
	return rc;
}

/* The begin is held back: libgit2 does not like a pack of no objects. */
static int add_pack(struct fetch *f, const char *data, size_t size,
		    struct error *err)
{
	static const unsigned char none[4];
	size_t n = HEAD_BYTES - f->head_size;

	f->begun = 1;
	if (f->head_size < HEAD_BYTES) {
		n = n < size ? n : size;
		memcpy(f->head + f->head_size, data, n);
		f->head_size += n;
		data += n;
		size -= n;
		if (f->head_size < HEAD_BYTES ||
		    !memcmp(f->head + 8, none, sizeof(none)))
			return 0;
		if (begin_pack(f, err) < 0)
			return -1;
		if (git_indexer_append(f->indexer, f->head, HEAD_BYTES,
				       &f->progress) < 0)
			return unsound(f, err);
	}
	if (f->indexer && size &&
	    git_indexer_append(f->indexer, data, size, &f->progress) < 0)
		return unsound(f, err);
	return 0;
}

/* The line in which git there named an object that it could not send; NULL:
 * there is none.  The line is cut out of `lines`. */
static const char *fatal_line(char *lines)
{
	char *line = lines;

	while (line && strncmp(line, "fatal: ", 7) != 0) {
		line = strchr(line, '\n');
		line += line != NULL;
	}
	if (!line)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	for (const char *p = line; *p; p++)
		if (strspn(p, "0123456789abcdef") >= OBJECT_HEX_SIZE - 1)
			return line;
	return NULL;
}

static int gave_up(struct fetch *f, const char *data, size_t size,
		   struct error *err)
{
	struct buffer said = BUFFER_INIT;
	char *lines = server_text_detach(&f->said);
	const char *why = fatal_line(lines);

	/* git says "possible repository corruption" of a lack of memory, too,
	 * but names no object then */
	if (why) {
		error_set(err, ERROR_DAMAGE,
			  "the remote %s cannot read its own objects: %.300s; "
			  "run 'git fsck' there, and sync a sound copy to a "
			  "new repository",
			  f->r->label, why);
		free(lines);
		return -1;
	}
	free(lines);
	server_text_join(&said, data, size);
	error_set(err, ERROR_NETWORK, "the remote %s gave up: %s", f->r->label,
		  buffer_cstr(&said) ? said.data : "");
	buffer_release(&said);
	return -1;
}

/* Section names, ACK, NAK and shallow lines don't begin with a band's byte;
 * since "done" was said, they tell nothing that matters. */
static int take(void *payload, enum pkt kind, const char *data, size_t size,
		struct error *err)
{
	struct fetch *f = payload;

	if (kind == PKT_FLUSH)
		return f->begun || f->advert->version == 2;
	if (kind != PKT_LINE || !size)
		return 0;
	if (data[0] == 1)
		return add_pack(f, data + 1, size - 1, err);
	if (data[0] == 2)
		server_text_add(&f->said, data + 1, size - 1);
	else if (data[0] == 3)
		return gave_up(f, data + 1, size - 1, err);
	return 0;
}

/* ---- afterwards ---- */

static char *stem_of(struct fetch *f, struct error *err)
{
	struct buffer stem = BUFFER_INIT;
	char *folder = remote_pack_folder(f->r, err), *out;

	if (!folder)
		return NULL;
	buffer_printf(&stem, "%s/pack-%s", folder,
		      git_indexer_name(f->indexer));
	free(folder);
	out = buffer_detach(&stem);
	if (!out)
		error_nomem(err);
	return out;
}

static int end_pack(struct fetch *f, struct error *err)
{
	char *stem;

	if (f->head_size < HEAD_BYTES)
		return error_set(err, ERROR_NETWORK,
				 "the remote %s sent no pack", f->r->label);
	if (!f->indexer)
		return 0; /* nothing that we lack */
	if (git_indexer_commit(f->indexer, &f->progress) < 0)
		return unsound(f, err);
	stem = stem_of(f, err);
	if (!stem)
		return -1;
	if (remote_add_fetched(f->r, stem,
			       f->depth == REMOTE_LIST &&
				       advert_filters(f->advert),
			       err) < 0) {
		free(stem);
		return -1;
	}
	return store_look_again(f->r->transfer, err);
}

static int receive(struct fetch *f, struct channel *c, const struct request *q,
		   struct error *err)
{
	struct pkt_reader *in = malloc(sizeof(*in));
	int rc;

	if (!in)
		return error_nomem(err);
	pkt_reader_init(in, f->r->label, take, f);
	rc = c->ask(c, q, in, err);
	if (!rc)
		rc = end_pack(f, err);
	git_indexer_free(f->indexer);
	free(server_text_detach(&f->said));
	free(in);
	return rc;
}

static int negotiate(struct fetch *f, struct channel *c,
		     const struct object_id *wants, size_t count,
		     struct error *err)
{
	struct request q = { BUFFER_INIT, -1, 0 };
	struct id_list haves = { NULL, 0, 0 };
	int rc = -1;

	if (f->advert->version == 0 &&
	    !advert_word(f->advert->words, "side-band-64k")) {
		error_set(err, ERROR_NETWORK,
			  "the remote %s speaks a git protocol that is too old",
			  f->r->label);
	} else if (!haves_find(&haves, f->r, err)) {
		if (f->advert->version == 2)
			ask_v2(f, wants, count, &haves, &q.head);
		else
			ask_v0(f, wants, count, &haves, &q.head);
		rc = buffer_failed(&q.head) ? error_nomem(err)
					    : receive(f, c, &q, err);
	}
	buffer_release(&q.head);
	free(haves.ids);
	return rc;
}

/* @return 0: all that was wanted is here; 1: not; -1 */
static int is_here(struct remote *r, const struct object_id *wants,
		   size_t count, enum remote_depth depth, struct error *err)
{
	struct raw_commit c;
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < count; i++) {
		if (depth != REMOTE_LIST) {
			rc = commit_is_whole(r, &wants[i],
					     depth == REMOTE_WHOLE, err);
		} else {
			rc = raw_commit_read(r->transfer, &wants[i], &c, err);
			raw_commit_release(&c);
		}
	}
	return rc;
}

static int set_branch(struct remote *r, const struct object_id *id,
		      struct error *err)
{
	git_reference *ref = NULL;
	git_oid oid;

	object_to_oid(&oid, id);
	if (git_reference_create(&ref, r->transfer->repo, r->transfer->ref,
				 &oid, 1, NULL) < 0)
		return git_failed(err, ERROR_FAILED,
				  "cannot write to the repository for the "
				  "transfer");
	git_reference_free(ref);
	return 0;
}

static int not_sent(struct remote *r, struct error *err)
{
	return error_set(err, ERROR_DAMAGE,
			 "the remote %s lacks objects of its own commits; run "
			 "'git fsck' there",
			 r->label);
}

/* Told to be where the branch is, and refused: does it still say so?
 * @return 1; 0: it has moved since, or cannot be asked */
static int is_tip_lost(struct remote *r, const struct advert *a,
		       const struct object_id *want, const struct error *err)
{
	struct remote_ref now;

	return a->version == 2 && object_same(&a->id, want) && err &&
	       err->code == ERROR_NETWORK &&
	       strstr(err->message, "not our ref") &&
	       !remote_refs(r, r->transfer->ref, &now, NULL) &&
	       object_same(&now.id, want);
}

static int tip_lost(struct remote *r, const struct object_id *id,
		    struct error *err)
{
	char hex[SHORT_HEX_SIZE];

	object_short(hex, id);
	error_clear(err);
	return error_set(err, ERROR_DAMAGE,
			 "the branch '%s' of the remote %s points to commit "
			 "%s, which is not there any more; run 'git fsck' "
			 "there, and 'git update-ref -d %s' there to have all "
			 "that is here stored anew by the next sync",
			 r->g->branch, r->label, hex, r->g->ref);
}

/* A server that gives out nothing but tips was asked for one of a moment ago:
 * in version 0, each question is a conversation of its own. */
static int was_moved(struct remote *r, const struct advert *a,
		     const struct object_id *want, struct error *err)
{
	if (is_tip_lost(r, a, want, err))
		return tip_lost(r, want, err);
	if (!err || err->code != ERROR_NETWORK || advert_any_commit(a) ||
	    object_is_zero(&a->id) || object_same(&a->id, want))
		return -1;
	error_clear(err);
	return error_set(err, ERROR_CONFLICT,
			 "the branch of the remote %s moved while it was read; "
			 "try again",
			 r->label);
}

static int fetch(struct remote *r, const struct object_id *wants, size_t count,
		 enum remote_depth depth, struct error *err)
{
	struct fetch f = { .r = r, .depth = depth };
	struct channel *c = NULL;
	struct advert a;
	int rc;

	if (channel_open(&c, r, SERVICE_FETCH, err) < 0)
		return -1;
	rc = advert_read(&a, r, c, r->transfer->ref, err);
	if (!rc) {
		f.advert = &a;
		rc = negotiate(&f, c, wants, count, err);
		if (rc < 0)
			rc = was_moved(r, &a, &wants[0], err);
		advert_release(&a);
	}
	channel_close(c);
	return rc;
}

int remote_fetch(struct remote *r, const struct object_id *wants, size_t count,
		 enum remote_depth depth, struct error *err)
{
	int rc;

	if (!count)
		return 0;
	if (!remote_store(r, err))
		return -1;
	rc = is_here(r, wants, count, depth, err);
	if (rc > 0) {
		rc = fetch(r, wants, count, depth, err);
		if (!rc)
			rc = is_here(r, wants, count, depth, err);
		if (rc > 0)
			rc = not_sent(r, err);
	}
	return rc < 0 ? -1 : set_branch(r, &wants[0], err);
}
