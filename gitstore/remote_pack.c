/*
 * remote_pack.c - the pack that a push sends
 *
 * Into a file without a name first: its size is known then before anybody is
 * asked to take it, and a server is not kept waiting while it is made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "gitstore/remote_internal.h"

#define ROOM      ((size_t)256 << 10)
#define REF_DELTA ((enum pack_type)7)

struct wire {
	int fd;
	struct remote *r;
	const struct remote_push *push;
	struct hasher *hasher;
	struct deflater *deflater;
	struct buffer object, base, delta;
	uint64_t size, limit;
	size_t used;
	unsigned char room[ROOM];
};

static int flush(struct wire *w, struct error *err)
{
	const unsigned char *p = w->room;
	size_t left = w->used;

	hasher_add(w->hasher, w->room, w->used);
	w->used = 0;
	while (left) {
		ssize_t n = write(w->fd, p, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, ERROR_FAILED,
					   "cannot write the pack for the "
					   "remote %s",
					   w->r->label);
		p += n;
		left -= (size_t)n;
	}
	return 0;
}

static int too_big(const struct wire *w, struct error *err)
{
	return error_set(err, ERROR_REFUSED,
			 "what the remote %s lacks is more than the %llu MB "
			 "that one push may have",
			 w->r->label, (unsigned long long)(w->limit >> 20));
}

static int add(void *payload, const void *data, size_t size, struct error *err)
{
	struct wire *w = payload;
	const unsigned char *p = data;
	size_t n;

	w->size += size;
	if (w->size > w->limit)
		return too_big(w, err);
	while (size) {
		n = ROOM - w->used < size ? ROOM - w->used : size;
		memcpy(w->room + w->used, p, n);
		w->used += n;
		p += n;
		size -= n;
		if (w->used == ROOM && flush(w, err) < 0)
			return -1;
	}
	return 0;
}

/* The size is that of the delta for a delta. */
static int add_entry(struct wire *w, enum pack_type type,
		     const struct object_id *base, const struct buffer *data,
		     struct error *err)
{
	unsigned char header[PACK_HEADER_MAX];

	if (add(w, header, pack_entry_header(header, type, data->size), err) <
		    0 ||
	    (base && add(w, base->bytes, sizeof(base->bytes), err) < 0))
		return -1;
	return deflater_run(w->deflater, data->size ? data->data : "",
			    data->size, add, w, err);
}

static int read_one(struct wire *w, const struct plan_object *o,
		    struct error *err)
{
	char hex[SHORT_HEX_SIZE];
	int rc;

	buffer_clear(&w->object);
	if (w->push->body && object_same(&o->id, &w->push->id)) {
		buffer_add(&w->object, w->push->body, w->push->body_size);
		return buffer_failed(&w->object) ? error_nomem(err) : 0;
	}
	rc = remote_object(w->r, &o->id, o->type, &w->object, err);
	if (rc <= 0)
		return rc;
	object_short(hex, &o->id);
	return error_set(err, ERROR_DAMAGE,
			 "object %s, which the remote %s lacks, is missing or "
			 "damaged in the repository '%s'",
			 hex, w->r->label, w->r->g->where);
}

/* @return 0: w->delta makes the object from its base; 1: it is not worth it */
static int make_delta(struct wire *w, const struct plan_object *o,
		      struct error *err)
{
	int rc;

	if (object_is_zero(&o->base) || !w->object.size)
		return 1;
	buffer_clear(&w->base);
	buffer_clear(&w->delta);
	rc = remote_object(w->r, &o->base, o->type, &w->base, err);
	if (rc || !w->base.size)
		return rc < 0 ? -1 : 1;
	return delta_make(w->base.data, w->base.size, w->object.data,
			  w->object.size, w->object.size - w->object.size / 4,
			  &w->delta, err);
}

static int add_object(struct wire *w, const struct plan_object *o,
		      struct remote_push_result *out, struct error *err)
{
	int rc = read_one(w, o, err);

	if (rc < 0)
		return -1;
	if (w->object.size > out->largest_bytes) {
		out->largest_bytes = w->object.size;
		out->largest = o->id;
	}
	rc = make_delta(w, o, err);
	if (rc < 0)
		return -1;
	if (rc)
		return add_entry(w, o->type, NULL, &w->object, err);
	out->deltas++;
	return add_entry(w, REF_DELTA, &o->base, &w->delta, err);
}

static int add_objects(struct wire *w, const struct plan *plan,
		       struct remote_push_result *out, struct error *err)
{
	unsigned char head[12] = { 'P', 'A', 'C', 'K', 0, 0, 0, 2 };
	unsigned char hash[HASH_SHA1_SIZE];
	size_t i;

	if (plan->count > UINT32_MAX)
		return error_set(err, ERROR_FAILED,
				 "too many objects for one push");
	for (i = 0; i < 4; i++)
		head[8 + i] = (unsigned char)(plan->count >> (24 - 8 * i));
	if (add(w, head, sizeof(head), err) < 0)
		return -1;
	for (i = 0; i < plan->count; i++) {
		if (add_object(w, &plan->objects[i], out, err) < 0)
			return -1;
		if (w->r->interrupted && w->r->interrupted())
			return error_set(err, ERROR_INTERRUPTED, "interrupted");
	}
	if (flush(w, err) < 0)
		return -1;
	hasher_final(w->hasher, hash);
	if (add(w, hash, sizeof(hash), err) < 0 || flush(w, err) < 0)
		return -1;
	out->objects = plan->count;
	out->bytes = w->size;
	return 0;
}

/* A file system without O_TMPFILE gets a name for a moment. */
static int open_file(struct remote *r, struct error *err)
{
	int fd = open(r->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *path;

	if (fd >= 0)
		return fd;
	path = path_join(r->folder, "pack");
	if (!path)
		return error_nomem(err);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		error_errno(err, ERROR_FAILED, "cannot write '%s'", path);
	else
		unlink(path);
	free(path);
	return fd;
}

static void wire_free(struct wire *w)
{
	buffer_release(&w->object);
	buffer_release(&w->base);
	buffer_release(&w->delta);
	deflater_free(w->deflater);
	hasher_free(w->hasher);
	free(w);
}

int remote_pack(struct remote *r, const struct remote_push *p,
		const struct plan *plan, int *fd_out,
		struct remote_push_result *out, struct error *err)
{
	struct wire *w = calloc(1, sizeof(*w));
	int rc = -1;

	*fd_out = -1;
	if (!w)
		return error_nomem(err);
	w->r = r;
	w->push = p;
	w->limit = p->max_bytes ? p->max_bytes : REMOTE_PACK_MAX;
	w->fd = open_file(r, err);
	if (w->fd >= 0 && !hasher_new(&w->hasher, HASH_SHA1, err) &&
	    !deflater_new(&w->deflater, err))
		rc = add_objects(w, plan, out, err);
	if (!rc)
		*fd_out = w->fd;
	else if (w->fd >= 0)
		close(w->fd);
	wire_free(w);
	return rc;
}
