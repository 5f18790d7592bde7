/*
 * spool.c - a document between the thread that makes it and its client
 *
 * A ring in a file that has no name.  It is as large as the document may
 * become, so that making it waits for nobody and the database's transaction is
 * as short as it can be, whatever the client is like.  Of a client that keeps
 * up little ever lies there, always at the file's begin, which hardly comes to
 * a disk.  Without a folder the file is a small one in memory, and who is slow
 * is waited for.
 *
 * One thread puts, one takes; neither holds the lock while it reads or writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "serve/serve_internal.h"

#define MEMORY_BYTES ((uint64_t)256 << 10)
#define FREE_PART    4 /* of what is free, one part at most */

struct spool {
	int fd, wake;
	uint64_t room;
	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	uint64_t from, to; /* where is taken and put */
	uint64_t fill;
	int awaited; /* who takes found nothing */
	int stop;
};

/* ---- the file ---- */

static int open_file(const char *folder, struct error *err)
{
	char *path = path_join(folder, "dbstow-serve.XXXXXX");
	int fd;

	if (!path)
		return error_nomem(err);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		error_errno(err, ERROR_FAILED, "cannot make a file in '%s'",
			    folder);
	else
		unlink(path); /* nothing is left when we are killed */
	free(path);
	return fd;
}

/* Never so much that the application's own files have no place. */
static int find_room(uint64_t *room, const char *folder, struct error *err)
{
	uint64_t left;

	if (file_free_bytes(folder, &left, err) < 0)
		return -1;
	if (*room > left / FREE_PART)
		*room = left / FREE_PART;
	return *room > MEMORY_BYTES
		       ? 0
		       : error_set(err, ERROR_NOSPACE,
				   "there is no space left in '%s'", folder);
}

int spool_check(const char *folder, uint64_t most, struct error *err)
{
	int fd = find_room(&most, folder, err) < 0 ? -1
						   : open_file(folder, err);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int open_any(struct spool *s, const char *folder, uint64_t most,
		    struct error *err)
{
	struct error quiet = ERROR_INIT;

	s->fd = -1;
	s->room = most;
	if (folder && find_room(&s->room, folder, &quiet) == 0)
		s->fd = open_file(folder, &quiet);
	if (s->fd >= 0)
		return 0;
	s->room = MEMORY_BYTES;
	s->fd = memfd_create("dbstow", MFD_CLOEXEC);
	return s->fd < 0 ? error_errno(err, ERROR_FAILED,
				       "cannot make a file in memory")
			 : 0;
}

int spool_new(struct spool **out, const char *folder, uint64_t most, int wake,
	      struct error *err)
{
	struct spool *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return error_nomem(err);
	s->wake = wake;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (open_any(s, folder, most, err) < 0) {
		spool_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- putting ---- */

static int write_at(const struct spool *s, const unsigned char *data,
		    size_t size, uint64_t at, struct error *err)
{
	while (size) {
		ssize_t n = pwrite(s->fd, data, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, ERROR_FAILED,
					   "cannot keep the document until its "
					   "client takes it");
		data += n;
		size -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

/* How much goes where s->to is, without what lies there already. */
static size_t room_at(struct spool *s, size_t size)
{
	uint64_t most;

	if (!s->fill)
		s->from = s->to = 0;
	most = s->room - s->fill;
	if (most > s->room - s->to)
		most = s->room - s->to;
	return size < most ? size : (size_t)most;
}

static void has_put(struct spool *s, size_t size)
{
	const uint64_t one = 1;

	s->to = (s->to + size) % s->room;
	s->fill += size;
	if (!s->awaited)
		return;
	s->awaited = 0;
	/* it cannot fail but where the reader is about to be woken anyway */
	if (write(s->wake, &one, sizeof(one)) < 0)
		return;
}

int spool_put(struct spool *s, const void *data, size_t size, struct error *err)
{
	const unsigned char *from = data;
	size_t piece;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	while (size && !s->stop && rc == 0) {
		uint64_t to;

		piece = room_at(s, size);
		if (!piece) {
			pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		to = s->to;
		pthread_mutex_unlock(&s->lock);
		rc = write_at(s, from, piece, to, err);
		pthread_mutex_lock(&s->lock);
		if (rc == 0)
			has_put(s, piece);
		from += piece;
		size -= piece;
	}
	if (s->stop && rc == 0 && size)
		rc = error_set(err, ERROR_INTERRUPTED, "stopped");
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void spool_stop(struct spool *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = 1;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* ---- taking ---- */

ssize_t spool_take(struct spool *s, void *out, size_t room, struct error *err)
{
	uint64_t from;
	ssize_t got;

	pthread_mutex_lock(&s->lock);
	if (room > s->fill)
		room = (size_t)s->fill;
	if (room > s->room - s->from)
		room = (size_t)(s->room - s->from);
	s->awaited = !room;
	from = s->from;
	pthread_mutex_unlock(&s->lock);
	if (!room)
		return 0;
	do
		got = pread(s->fd, out, room, (off_t)from);
	while (got < 0 && errno == EINTR);
	if (got <= 0) {
		if (!got)
			errno = EIO; /* it was put there */
		return error_errno(err, ERROR_FAILED,
				   "cannot read the document back");
	}
	pthread_mutex_lock(&s->lock);
	s->from = (s->from + (uint64_t)got) % s->room;
	s->fill -= (uint64_t)got;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return got;
}

int spool_filled(struct spool *s)
{
	int filled;

	pthread_mutex_lock(&s->lock);
	filled = s->fill > 0;
	pthread_mutex_unlock(&s->lock);
	return filled;
}
