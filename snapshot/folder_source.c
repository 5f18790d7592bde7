/*
 * folder_source.c - a plain checkout or an unpacked archive as a source
 *
 * Whoever can push to the branch can put anything into a checkout.  So each
 * component of a path is opened by itself, relative to the folder above it and
 * never through a symbolic link, and only regular files and folders count.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "snapshot/name.h"
#include "snapshot/object.h"

/* More names than this in one folder are no snapshot of ours. */
#define FOLDER_NAMES_MAX ((size_t)1 << 20)
#define READ_STEP        ((size_t)64 << 10)

struct folder_source {
	struct source source; /* first: the pointer we hand out */
	int root;
	char *label;
};

/* Say what stands in the way at `path`, whose last component is `name`. */
static int refuse_kind(const struct folder_source *f, const char *path,
		       const struct stat *st, struct error *err)
{
	if (S_ISLNK(st->st_mode))
		return error_set(err, ERROR_DAMAGE,
				 "%s: '%s' is a symbolic link; a snapshot has "
				 "only files and folders",
				 f->label, path);
	if (S_ISDIR(st->st_mode))
		return error_set(err, ERROR_DAMAGE,
				 "%s: '%s' is a folder where a file should be",
				 f->label, path);
	if (S_ISREG(st->st_mode))
		return error_set(err, ERROR_DAMAGE,
				 "%s: '%s' is a file where a folder should be",
				 f->label, path);
	return error_set(err, ERROR_DAMAGE,
			 "%s: '%s' is neither a file nor a folder", f->label,
			 path);
}

/*
 * Open one component.
 *
 * @param path  whole path up to it, for messages
 * @return descriptor, -1 with an error, or -2 when there is none
 */
static int open_component(const struct folder_source *f, int at,
			  const char *name, const char *path, int folder,
			  struct stat *st, struct error *err)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC, fd;

	if (!name_is_safe(name))
		return error_set(err, ERROR_DAMAGE,
				 "%s: '%s' is no name of a snapshot's file",
				 f->label, path);
	/* Looked at before it is opened: opening a device can act on it. */
	if (fstatat(at, name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -2
				       : error_errno(err, ERROR_FAILED,
						     "%s: cannot read '%s'",
						     f->label, path);
	if (folder ? !S_ISDIR(st->st_mode) : !S_ISREG(st->st_mode))
		return refuse_kind(f, path, st, err);
	flags |= folder ? O_DIRECTORY : O_NONBLOCK | O_NOCTTY;
	fd = openat(at, name, flags);
	if (fd < 0)
		return error_errno(err, ERROR_FAILED, "%s: cannot open '%s'",
				   f->label, path);
	/* Nobody put something else there in between. */
	if (fstat(fd, st) < 0 ||
	    (folder ? !S_ISDIR(st->st_mode) : !S_ISREG(st->st_mode))) {
		close(fd);
		return refuse_kind(f, path, st, err);
	}
	return fd;
}

/* Walk down to `path`; the result as of open_component(). */
static int open_path(const struct folder_source *f, const char *path,
		     int folder, struct stat *st, struct error *err)
{
	char *copy = strdup(path), *name = copy, *slash;
	int at = f->root, fd = -1;

	if (!copy)
		return error_nomem(err);
	for (;;) {
		slash = strchr(name, '/');
		if (slash)
			*slash = '\0';
		/* `copy` now ends behind this component */
		fd = open_component(f, at, name, copy, slash ? 1 : folder, st,
				    err);
		if (at != f->root)
			close(at);
		if (fd < 0 || !slash)
			break;
		at = fd;
		*slash = '/';
		name = slash + 1;
	}
	free(copy);
	return fd;
}

static int refuse_size(const struct folder_source *f, const char *path,
		       struct error *err)
{
	return error_set(err, ERROR_DAMAGE,
			 "%s: '%s' is bigger than any file of a snapshot",
			 f->label, path);
}

static int read_all(const struct folder_source *f, int fd, const char *path,
		    struct buffer *out, struct error *err)
{
	size_t total = 0;
	ssize_t got;

	for (;;) {
		if (buffer_reserve(out, READ_STEP) < 0)
			return error_nomem(err);
		got = read(fd, out->data + out->size,
			   out->capacity - out->size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, ERROR_FAILED,
					   "%s: cannot read '%s'", f->label,
					   path);
		if (!got)
			return 0;
		out->size += (size_t)got;
		total += (size_t)got;
		if (total > SOURCE_FILE_MAX)
			return refuse_size(f, path, err);
	}
}

/* In one piece of memory for a file of the size it tells. */
static int read_open(const struct folder_source *f, int fd, const char *path,
		     size_t size, struct buffer *out, struct error *err)
{
	if (buffer_reserve(out, size + READ_STEP) < 0)
		return error_nomem(err);
	return read_all(f, fd, path, out, err);
}

static int folder_read(struct source *s, const char *path, struct buffer *out,
		       struct error *err)
{
	struct folder_source *f = (struct folder_source *)s;
	struct stat st;
	int fd, rc;

	fd = open_path(f, path, 0, &st, err);
	if (fd < 0)
		return fd == -2 ? 1 : -1;
	if (st.st_size > (off_t)SOURCE_FILE_MAX)
		rc = refuse_size(f, path, err);
	else
		rc = read_open(f, fd, path, (size_t)st.st_size, out, err);
	close(fd);
	return rc;
}

/* ---- for other threads ---- */

struct folder_reader {
	struct source_reader reader; /* first */
	const struct folder_source *of;
};

static int folder_reader_read(struct source_reader *reader, const char *path,
			      const struct object_id *id, size_t limit,
			      struct buffer *out)
{
	const struct folder_source *f = ((struct folder_reader *)reader)->of;
	size_t before = out->size;
	struct stat st;
	int fd = open_path(f, path, 0, &st, NULL), rc = 1;

	(void)id;
	if (fd < 0)
		return 1;
	if (st.st_size <= (off_t)limit)
		rc = read_open(f, fd, path, (size_t)st.st_size, out, NULL);
	close(fd);
	if (rc)
		out->size = before;
	return rc;
}

static void folder_reader_free(struct source_reader *reader)
{
	free(reader);
}

static struct source_reader *folder_reader(struct source *s)
{
	struct folder_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->reader.read = folder_reader_read;
	r->reader.free = folder_reader_free;
	r->of = (const struct folder_source *)s;
	return &r->reader;
}

/* ---- folders ---- */

static int list_name(const struct folder_source *f, int fd, const char *path,
		     const char *name, struct source_names *out,
		     struct error *err)
{
	struct buffer full = BUFFER_INIT;
	struct stat st;
	int rc = -1;

	buffer_printf(&full, "%s/%s", path, name);
	if (!buffer_cstr(&full)) {
		error_nomem(err);
		goto done;
	}
	if (!name_is_safe(name)) {
		error_set(err, ERROR_DAMAGE,
			  "%s: '%s' does not belong to a snapshot; remove it",
			  f->label, full.data);
		goto done;
	}
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		error_errno(err, ERROR_FAILED, "%s: cannot read '%s'", f->label,
			    full.data);
		goto done;
	}
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		refuse_kind(f, full.data, &st, err);
		goto done;
	}
	if (out->count >= FOLDER_NAMES_MAX) {
		error_set(err, ERROR_DAMAGE,
			  "%s: folder '%s' holds more than any of a snapshot",
			  f->label, path);
		goto done;
	}
	rc = source_names_add(out, name, S_ISDIR(st.st_mode), err);
done:
	buffer_release(&full);
	return rc;
}

static int list_open(const struct folder_source *f, DIR *d, const char *path,
		     struct source_names *out, struct error *err)
{
	const struct dirent *e;

	for (;;) {
		errno = 0;
		e = readdir(d);
		if (!e && errno)
			return error_errno(err, ERROR_FAILED,
					   "%s: cannot list '%s'", f->label,
					   path);
		if (!e)
			return 0;
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (list_name(f, dirfd(d), path, e->d_name, out, err) < 0)
			return -1;
	}
}

static int folder_list(struct source *s, const char *path,
		       struct source_names *out, struct error *err)
{
	struct folder_source *f = (struct folder_source *)s;
	struct stat st;
	DIR *d;
	int fd, rc;

	fd = open_path(f, path, 1, &st, err);
	if (fd < 0)
		return fd == -2 ? 1 : -1;
	d = fdopendir(fd);
	if (!d) {
		error_errno(err, ERROR_FAILED, "%s: cannot list '%s'", f->label,
			    path);
		close(fd);
		return -1;
	}
	rc = list_open(f, d, path, out, err);
	closedir(d);
	source_names_sort(out);
	return rc;
}

static void folder_free(struct source *s)
{
	struct folder_source *f = (struct folder_source *)s;

	if (f->root >= 0)
		close(f->root);
	free(f->label);
	free(f);
}

static void cannot_open(const char *path, struct error *err)
{
	int reason = errno;
	struct stat st;

	if (reason == ENOTDIR && stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
		error_set(err, ERROR_FAILED,
			  "'%s' is a file; --from takes a folder: a checkout "
			  "or an unpacked archive of the branch",
			  path);
		return;
	}
	errno = reason;
	error_errno(err, ERROR_FAILED, "cannot open folder '%s'", path);
}

int folder_source_open(struct source **out, const char *path, struct error *err)
{
	struct folder_source *f = calloc(1, sizeof(*f));
	struct buffer label = BUFFER_INIT;

	*out = NULL;
	if (!f)
		return error_nomem(err);
	f->root = -1;
	f->source.read = folder_read;
	f->source.list = folder_list;
	f->source.free = folder_free;
	f->source.reader = folder_reader;
	buffer_printf(&label, "folder '%s'", path);
	f->label = buffer_detach(&label);
	f->source.label = f->label;
	if (!f->label) {
		error_nomem(err);
		goto failed;
	}
	f->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->root < 0) {
		cannot_open(path, err);
		goto failed;
	}
	*out = &f->source;
	return 0;
failed:
	folder_free(&f->source);
	return -1;
}
