/*
 * remote.c - a remote and the transfer repository
 *
 * libgit2 1.5 cannot fetch into or push from a shallow clone, 1.7 breaks it,
 * and both empty the user's FETCH_HEAD.  So what comes from a remote arrives in
 * a bare repository of our own, which borrows the user's objects, and whose
 * packs move over when a ref is about to reach them.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/https.h"
#include "gitstore/credentials.h"
#include "gitstore/remote_internal.h"

#define OBJECT_MAX ((size_t)128 << 20)

/* ---- the transfer repository ---- */

static int write_alternates(struct remote *r, const char *path,
			    struct error *err)
{
	struct buffer text = BUFFER_INIT;
	char *file = path_join(path, "objects/info/alternates");
	int rc = -1;

	/* A line ends such a path; nothing could quote it. */
	if (strpbrk(r->g->objects, "\r\n")) {
		error_set(err, ERROR_FAILED,
			  "cannot work with a remote from the repository "
			  "'%s': there is a line break in its path",
			  r->g->where);
		goto done;
	}
	buffer_printf(&text, "%s\n", r->g->objects);
	if (!file || buffer_failed(&text))
		error_nomem(err);
	else
		rc = file_write(file, text.data, text.size, 0600, err);
done:
	buffer_release(&text);
	free(file);
	return rc;
}

static int make_transfer(struct remote *r, struct error *err)
{
	const char *folder = gitstore_folder(r->g, err);
	struct gitstore_options o = { NULL, r->g->branch };
	char *path = NULL;
	int rc = -1;

	if (!folder)
		return -1;
	scratch_sweep(folder, "tmp");
	if (scratch_make(&r->folder, folder, "tmp", err) < 0)
		return -1;
	path = path_join(r->folder, "transfer");
	o.path = path;
	if (!path)
		error_nomem(err);
	else if (!gitstore_make(path, err) && !write_alternates(r, path, err))
		rc = gitstore_open(&r->transfer, &o, err);
	free(path);
	if (rc < 0) {
		scratch_remove(r->folder);
		free(r->folder);
		r->folder = NULL;
	}
	return rc;
}

struct gitstore *remote_store(struct remote *r, struct error *err)
{
	if (!r->transfer && make_transfer(r, err) < 0)
		return NULL;
	return r->transfer;
}

char *remote_pack_folder(struct remote *r, struct error *err)
{
	char *path;

	if (!remote_store(r, err))
		return NULL;
	path = path_join(r->transfer->objects, "pack");
	if (!path)
		error_nomem(err);
	return path;
}

int remote_add_fetched(struct remote *r, char *stem, int commits_only,
		       struct error *err)
{
	struct fetched *all =
		realloc(r->fetched, (r->fetched_count + 1) * sizeof(*all));

	if (!all)
		return error_nomem(err);
	r->fetched = all;
	all[r->fetched_count].stem = stem;
	all[r->fetched_count++].commits_only = commits_only;
	return 0;
}

/* Most lie whole in a pack of the user's: that is much faster. */
int remote_object(struct remote *r, const struct object_id *id,
		  enum pack_type type, struct buffer *out, struct error *err)
{
	static const git_object_t types[] = {
		[PACK_COMMIT] = GIT_OBJECT_COMMIT,
		[PACK_TREE] = GIT_OBJECT_TREE,
		[PACK_BLOB] = GIT_OBJECT_BLOB,
	};
	git_odb_object *object = NULL;
	git_object_t is;
	git_oid oid;
	size_t size;
	int rc = 1;

	if (!remote_store(r, err))
		return -1;
	if (type != PACK_COMMIT)
		rc = store_read(r->g, id, type, OBJECT_MAX, out, err);
	if (rc <= 0)
		return rc;
	object_to_oid(&oid, id);
	if (git_odb_read_header(&size, &is, r->transfer->odb, &oid) < 0 ||
	    is != types[type] || size > OBJECT_MAX ||
	    git_odb_read(&object, r->transfer->odb, &oid) < 0)
		return 1;
	buffer_add(out, git_odb_object_data(object),
		   git_odb_object_size(object));
	git_odb_object_free(object);
	return buffer_failed(out) ? error_nomem(err) : 0;
}

/* ---- opening ---- */

static char *make_label(const char *name, const char *url)
{
	struct buffer text = BUFFER_INIT;

	if (name && strcmp(name, url) != 0)
		buffer_printf(&text, "'%s' (%s)", name, url);
	else
		buffer_printf(&text, "'%s'", url);
	return buffer_detach(&text);
}

int remote_open(struct remote **out, struct gitstore *g,
		const struct remote_options *o, struct error *err)
{
	struct remote *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (!r)
		return error_nomem(err);
	r->g = g;
	r->interrupted = o->interrupted;
	r->allow_http_loopback = o->allow_http_loopback;
	if (remote_url_parse(&r->url, o->url, o->allow_http_loopback, err) < 0)
		goto failed;
	r->label = make_label(o->name, r->url.text);
	r->cacert = o->cacert ? strdup(o->cacert) : NULL;
	r->token_file = o->token_file ? strdup(o->token_file) : NULL;
	if (!r->label || (o->cacert && !r->cacert) ||
	    (o->token_file && !r->token_file)) {
		error_nomem(err);
		goto failed;
	}
	*out = r;
	return 0;
failed:
	remote_free(r);
	return -1;
}

void remote_free(struct remote *r)
{
	if (!r)
		return;
	gitstore_free(r->transfer);
	scratch_remove(r->folder);
	while (r->fetched_count)
		free(r->fetched[--r->fetched_count].stem);
	free(r->fetched);
	remote_url_release(&r->url);
	https_free(r->https);
	credentials_free(r->credentials);
	free(r->folder);
	free(r->label);
	free(r->cacert);
	free(r->token_file);
	free(r);
}

const char *remote_label(const struct remote *r)
{
	return r->label;
}

enum remote_kind remote_kind(const struct remote *r)
{
	return r->url.kind;
}

const char *remote_host(const struct remote *r)
{
	const char *at = r->url.host ? strrchr(r->url.host, '@') : NULL;

	return at ? at + 1 : r->url.host;
}

/* ---- what is there ---- */

int channel_open(struct channel **out, struct remote *r,
		 enum remote_service service, struct error *err)
{
	return r->url.kind == REMOTE_HTTPS
		       ? https_channel(out, r, service, err)
		       : process_channel(out, r, service, err);
}

void channel_close(struct channel *c)
{
	if (c)
		c->close(c);
}

static void tell_agent(char *out, size_t size, const char *words)
{
	const char *agent = advert_word(words, "agent");
	struct buffer text = BUFFER_INIT;

	out[0] = '\0';
	if (agent && *agent == '=') {
		server_text_join(&text, agent + 1, strcspn(agent + 1, " "));
		if (buffer_cstr(&text))
			snprintf(out, size, "%s", text.data);
	}
	buffer_release(&text);
}

int remote_refs(struct remote *r, const char *ref, struct remote_ref *out,
		struct error *err)
{
	struct channel *c = NULL;
	struct advert a;
	int rc;

	memset(out, 0, sizeof(*out));
	if (channel_open(&c, r, SERVICE_FETCH, err) < 0)
		return -1;
	rc = advert_read(&a, r, c, ref, err);
	channel_close(c);
	if (rc < 0)
		return -1;
	out->id = a.id;
	out->exists = !object_is_zero(&a.id);
	out->empty = !a.branches;
	out->any_commit = advert_any_commit(&a);
	out->filters = advert_filters(&a);
	tell_agent(out->agent, sizeof(out->agent), a.words);
	advert_release(&a);
	return 0;
}
