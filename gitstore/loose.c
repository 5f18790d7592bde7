/*
 * loose.c - a commit as a loose object
 *
 * Our own writing and not libgit2's, since that leaves objects/tmp_object_*
 * behind when it is killed; our scratch folder is swept by the next run.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "gitstore/gitstore_internal.h"

struct loose {
	int fd;
	const char *path;
};

static int loose_add(void *payload, const void *data, size_t size,
		     struct error *err)
{
	struct loose *l = payload;
	const char *p = data;

	while (size) {
		ssize_t n = write(l->fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, ERROR_FAILED,
					   "cannot write '%s'", l->path);
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Write the object to a scratch file, synced. */
static int loose_fill(struct gitstore *g, const char *path,
		      const struct buffer *raw, struct error *err)
{
	struct loose l = { -1, path };
	int rc = -1;

	if (!g->deflater && deflater_new(&g->deflater, err) < 0)
		return -1;
	unlink(path);
	l.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (l.fd < 0)
		return error_errno(err, ERROR_FAILED, "cannot write '%s'",
				   path);
	if (deflater_run(g->deflater, raw->data, raw->size, loose_add, &l,
			 err) < 0)
		goto done;
	if (fsync(l.fd) < 0) {
		error_errno(err, ERROR_FAILED, "cannot write '%s'", path);
		goto done;
	}
	rc = 0;
done:
	close(l.fd);
	return rc;
}

/* Make <objects>/xx, so that it lasts. */
static int make_folder(struct gitstore *g, const char *path, struct error *err)
{
	if (!mkdir(path, 0777))
		return file_sync(g->objects, err);
	if (errno == EEXIST)
		return 0;
	return error_errno(err, ERROR_FAILED, "cannot make the folder '%s'",
			   path);
}

/* <objects>/xx/yyyy..., its folder made; the caller frees it */
static char *loose_path(struct gitstore *g, const struct object_id *id,
			struct error *err)
{
	struct buffer path = BUFFER_INIT;
	char hex[OBJECT_HEX_SIZE];
	int rc;

	object_hex(hex, id);
	buffer_printf(&path, "%s/%.2s", g->objects, hex);
	rc = buffer_cstr(&path) ? make_folder(g, path.data, err)
				: error_nomem(err);
	buffer_printf(&path, "/%s", hex + 2);
	if (!rc && !buffer_cstr(&path))
		rc = error_nomem(err);
	if (rc < 0)
		buffer_release(&path);
	return rc < 0 ? NULL : buffer_detach(&path);
}

static int loose_write(struct gitstore *g, const char *to,
		       const struct new_commit *c, struct error *err)
{
	const char *scratch = gitstore_scratch(g, err);
	char *from = scratch ? path_join(scratch, "object") : NULL;
	struct buffer raw = BUFFER_INIT;
	int rc = -1;

	if (!scratch)
		return -1;
	buffer_printf(&raw, "commit %zu", c->body.size);
	buffer_byte(&raw, '\0');
	buffer_add(&raw, c->body.data, c->body.size);
	if (!from || buffer_failed(&raw))
		error_nomem(err);
	else if (!loose_fill(g, from, &raw, err))
		rc = object_place(from, to, err);
	buffer_release(&raw);
	free(from);
	return rc;
}

int commit_write_loose(struct gitstore *g, const struct new_commit *c,
		       struct error *err)
{
	char *to = loose_path(g, &c->id, err);
	int rc = -1;

	if (!to)
		return -1;
	rc = file_exists(to) ? 0 : loose_write(g, to, c, err);
	free(to);
	return rc;
}
