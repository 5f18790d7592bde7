/*
 * publish.c - objects into a pack of ours, the pack into the repository
 *
 * No ref reaches a pack when it is placed, so `git gc --prune=now` would
 * remove it: a .keep file goes in front.  It says "dbstow PID BOOT", is held by
 * an flock while we live, and is removed when a ref reaches the pack.
 *
 * A pack that no ref will reach is removed again, but only where nobody can
 * have come to rely on it: while it lies there, `git gc` leaves out of its own
 * packs what ours holds too, and `git add` does not store what it finds there.
 * So it must hold nothing that the repository had already, and its time must
 * be as we set it (git touches a pack that it uses instead of writing).  Else
 * only the .keep goes, and git's own gc decides.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"

#define KEEP_MAX   ((size_t)4096)
#define COMMITTING "committing\n"

/* ---- the sink ---- */

static int put(struct sink *s, enum object_type type, const char *name,
	       const void *data, size_t size, struct object_id *id,
	       struct error *err)
{
	struct gitstore *g = (struct gitstore *)s;
	const char *scratch;

	if (size > SOURCE_FILE_MAX)
		return error_set(err, ERROR_FAILED,
				 "'%s' would have %zu bytes, more than a "
				 "snapshot's file may have",
				 name ? name : "a folder", size);
	if (!g->known_loaded && known_load(g, err) < 0)
		return -1;
	object_hash(g->hasher, type == OBJECT_TREE ? "tree" : "blob", data,
		    size, id);
	if (id_set_has(&g->known, id))
		return 0;
	if (!g->pack) {
		scratch = gitstore_scratch(g, err);
		if (!scratch || pack_writer_new(&g->pack, scratch, err) < 0)
			return -1;
	}
	if (pack_writer_put(g->pack,
			    type == OBJECT_TREE ? PACK_TREE : PACK_BLOB, id,
			    data, size, err) < 0)
		return -1;
	return id_set_add(&g->known, id, err) < 0 ? -1 : 0;
}

struct sink *gitstore_sink(struct gitstore *g, struct error *err)
{
	if (!g->checked && gitstore_check(g, NULL, g->adopt, err) < 0)
		return NULL;
	return gitstore_undo_sink(g, err);
}

struct sink *gitstore_undo_sink(struct gitstore *g, struct error *err)
{
	if (!g->known_loaded && known_load(g, err) < 0)
		return NULL;
	g->sink.put = put;
	return &g->sink;
}

/* ---- placing ---- */

int object_place(const char *from, const char *to, struct error *err)
{
	char *folder;
	int rc;

	if (rename(from, to) < 0)
		return error_errno(err, ERROR_FAILED, "cannot write '%s'", to);
	folder = path_folder(to);
	if (!folder)
		return error_nomem(err);
	rc = file_sync(folder, err);
	free(folder);
	return rc;
}

/*
 * pack-<40 hex>.{pack,idx,keep}.  The digits are not the pack's own hash alone:
 * two runs that write equal packs would share one file, and the one that fails
 * would remove it under the other.
 */
static int name_files(struct gitstore *g, struct published *p,
		      const unsigned char *pack_hash, struct error *err)
{
	unsigned char salt[16], digest[HASH_SHA1_SIZE];
	char hex[OBJECT_HEX_SIZE];
	char **paths[] = { &p->pack, &p->idx, &p->keep };
	const char *ends[] = { "pack", "idx", "keep" };
	struct buffer path = BUFFER_INIT;
	size_t i;

	if (getrandom(salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
		return error_errno(err, ERROR_FAILED, "cannot name a pack");
	hasher_reset(g->hasher);
	hasher_add(g->hasher, pack_hash, HASH_SHA1_SIZE);
	hasher_add(g->hasher, salt, sizeof(salt));
	hasher_final(g->hasher, digest);
	hex_encode(hex, digest, sizeof(digest));
	for (i = 0; i < 3; i++) {
		buffer_printf(&path, "%s/pack/pack-%s.%s", g->objects, hex,
			      ends[i]);
		if (!buffer_cstr(&path)) {
			buffer_release(&path);
			return error_nomem(err);
		}
		*paths[i] = buffer_detach(&path);
	}
	return 0;
}

/* Is none of the pack's objects in the repository already? */
static int is_alone(struct gitstore *g)
{
	const struct pack_entry *entries;
	size_t count, i;
	git_oid oid;

	entries = pack_writer_entries(g->pack, &count);
	git_odb_refresh(g->odb);
	for (i = 0; i < count; i++) {
		object_to_oid(&oid, &entries[i].id);
		if (git_odb_exists_ext(g->odb, &oid, GIT_ODB_LOOKUP_NO_REFRESH))
			return 0;
	}
	return 1;
}

/* Set the pack's time a second back: touched now is then never equal. */
static int set_time(struct published *p, const char *pack, struct error *err)
{
	struct timespec times[2];
	struct stat st;

	if (stat(pack, &st) < 0)
		return error_errno(err, ERROR_FAILED, "cannot read '%s'", pack);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	times[1].tv_sec--;
	if (utimensat(AT_FDCWD, pack, times, 0) < 0 || stat(pack, &st) < 0)
		return error_errno(err, ERROR_FAILED, "cannot write '%s'",
				   pack);
	p->mtime = st.st_mtim; /* as the file system keeps it */
	return 0;
}

/* Complete and locked before it gets its name: a sweep never sees it else. */
static int write_keep(struct published *p, const char *path, struct error *err)
{
	struct buffer text = BUFFER_INIT;
	int rc = -1;

	buffer_printf(&text, "dbstow %ld %s\npack %lld.%09ld %d\n",
		      (long)getpid(), boot_id(), (long long)p->mtime.tv_sec,
		      p->mtime.tv_nsec, p->removable);
	unlink(path);
	p->keep_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (buffer_failed(&text))
		error_nomem(err);
	else if (p->keep_fd < 0 || flock(p->keep_fd, LOCK_EX | LOCK_NB) < 0 ||
		 write(p->keep_fd, text.data, text.size) !=
			 (ssize_t)text.size ||
		 fsync(p->keep_fd) < 0)
		error_errno(err, ERROR_FAILED, "cannot write '%s'", path);
	else
		rc = 0;
	buffer_release(&text);
	return rc;
}

static void remove_files(const struct published *p)
{
	/* The index first: a pack without one is read by nobody. */
	if (p->idx)
		unlink(p->idx);
	if (p->pack)
		unlink(p->pack);
	if (p->keep)
		unlink(p->keep);
}

static void published_release_one(struct published *p)
{
	if (p->keep_fd >= 0)
		close(p->keep_fd);
	free(p->pack);
	free(p->idx);
	free(p->keep);
	memset(p, 0, sizeof(*p));
	p->keep_fd = -1;
}

/* Shared repositories (core.sharedRepository) let others read what one wrote */
static void share(struct gitstore *g, const char *pack, const char *idx)
{
	char *shared = gitstore_config(g, "core.sharedrepository");

	if (shared && *shared && strcmp(shared, "umask") != 0 &&
	    strcmp(shared, "false") != 0 && strcmp(shared, "0") != 0) {
		chmod(pack, 0444);
		chmod(idx, 0444);
	}
	free(shared);
}

static int place_files(struct published *p, const char *pack, const char *idx,
		       const char *keep, struct error *err)
{
	char *folder = path_folder(p->pack);
	int rc = -1;

	if (!folder)
		return error_nomem(err);
	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		error_errno(err, ERROR_FAILED, "cannot make the folder '%s'",
			    folder);
	else if (object_place(keep, p->keep, err) < 0)
		;
	else if (rename(pack, p->pack) < 0 || rename(idx, p->idx) < 0)
		error_errno(err, ERROR_FAILED, "cannot write to '%s'", folder);
	else
		rc = file_sync(folder, err);
	if (rc < 0)
		remove_files(p);
	free(folder);
	return rc;
}

static int place(struct gitstore *g, struct published *p, struct error *err)
{
	char *pack = path_join(g->scratch, "pack");
	char *idx = path_join(g->scratch, "idx");
	char *keep = path_join(g->scratch, "keep");
	int rc = -1;

	if (!pack || !idx || !keep) {
		error_nomem(err);
		goto done;
	}
	p->removable = is_alone(g);
	if (name_files(g, p, pack_writer_hash(g->pack), err) < 0 ||
	    set_time(p, pack, err) < 0 || write_keep(p, keep, err) < 0 ||
	    store_lock(g, err) < 0)
		goto done;
	share(g, pack, idx);
	rc = place_files(p, pack, idx, keep, err);
	store_unlock(g);
done:
	if (rc < 0 && pack)
		unlink(pack);
	if (rc < 0 && idx)
		unlink(idx);
	free(pack);
	free(idx);
	free(keep);
	return rc;
}

int gitstore_publish(struct gitstore *g, struct error *err)
{
	struct published *all, *p;
	int rc = -1;

	if (!g->pack)
		return 0; /* everything was there */
	all = realloc(g->published, (g->published_count + 1) * sizeof(*all));
	if (!all)
		return error_nomem(err);
	g->published = all;
	p = &all[g->published_count];
	memset(p, 0, sizeof(*p));
	p->keep_fd = -1;
	if (pack_writer_close(g->pack, err) < 0 || place(g, p, err) < 0) {
		published_release_one(p);
		goto done;
	}
	g->published_count++;
	if (git_odb_refresh(g->odb) < 0)
		git_failed(err, ERROR_FAILED, "cannot read the repository '%s'",
			   g->where);
	else
		rc = 0;
done:
	pack_writer_free(g->pack);
	g->pack = NULL;
	return rc;
}

int check_published(struct gitstore *g, struct error *err)
{
	if (g->pack)
		return error_set(err, ERROR_FAILED,
				 "what was put is not published yet");
	return 0;
}

/* ---- afterwards ---- */

int published_committing(struct gitstore *g, struct error *err)
{
	size_t i;

	for (i = 0; i < g->published_count; i++) {
		struct published *p = &g->published[i];

		if (lseek(p->keep_fd, 0, SEEK_END) < 0 ||
		    write(p->keep_fd, COMMITTING, strlen(COMMITTING)) < 0 ||
		    fsync(p->keep_fd) < 0)
			return error_errno(err, ERROR_FAILED,
					   "cannot write '%s'", p->keep);
	}
	return 0;
}

/* Nobody used the pack since it was placed? */
static int is_untouched(const char *pack, const struct timespec *mtime)
{
	struct stat st;

	return !stat(pack, &st) && st.st_mtim.tv_sec == mtime->tv_sec &&
	       st.st_mtim.tv_nsec == mtime->tv_nsec;
}

static void forget(struct gitstore *g)
{
	free(g->published);
	g->published = NULL;
	g->published_count = 0;
	/* What was known may be on no branch any more. */
	id_set_release(&g->known);
	g->known_loaded = 0;
}

void published_release(struct gitstore *g)
{
	size_t i;

	for (i = 0; i < g->published_count; i++) {
		unlink(g->published[i].keep);
		published_release_one(&g->published[i]);
	}
	forget(g);
}

void published_discard(struct gitstore *g)
{
	size_t i;

	for (i = 0; i < g->published_count; i++) {
		struct published *p = &g->published[i];

		if (p->removable && is_untouched(p->pack, &p->mtime))
			remove_files(p);
		else
			unlink(p->keep);
		published_release_one(p);
	}
	forget(g);
}

/* ---- what killed runs left ---- */

struct left {
	long pid;
	struct timespec mtime;
	int removable;
	int committing;
};

/* Read a .keep file of ours. @return 1, or 0: not ours, or its run lives */
static int left_read(const char *path, struct left *l)
{
	char text[KEEP_MAX + 1];
	long long seconds;
	ssize_t size;
	int alive, n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	memset(l, 0, sizeof(*l));
	if (fd < 0)
		return 0;
	size = read(fd, text, KEEP_MAX);
	alive = flock(fd, LOCK_EX | LOCK_NB) < 0;
	close(fd);
	if (size < 0 || alive)
		return 0;
	text[size] = '\0';
	n = sscanf(text, "dbstow %ld %*[0-9a-f]\npack %lld.%ld %d", &l->pid,
		   &seconds, &l->mtime.tv_nsec, &l->removable);
	if (n < 1)
		return 0;
	if (n < 4)
		l->removable = 0;
	else
		l->mtime.tv_sec = (time_t)seconds;
	l->committing = strstr(text, "\n" COMMITTING) != NULL;
	return 1;
}

static void sweep_one(const char *keep, long unmoved_pid)
{
	size_t stem = strlen(keep) - strlen("keep");
	struct published p = { NULL, NULL, NULL, -1, 0, { 0, 0 } };
	struct left l;

	if (!left_read(keep, &l))
		return;
	p.keep = strdup(keep);
	p.pack = malloc(stem + 5);
	p.idx = malloc(stem + 5);
	if (!p.keep || !p.pack || !p.idx)
		goto done;
	snprintf(p.pack, stem + 5, "%.*spack", (int)stem, keep);
	snprintf(p.idx, stem + 5, "%.*sidx", (int)stem, keep);
	if (!file_exists(p.idx) ||
	    (l.removable && is_untouched(p.pack, &l.mtime) &&
	     (!l.committing || l.pid == unmoved_pid)))
		remove_files(&p);
	else
		unlink(keep);
done:
	published_release_one(&p);
}

void keep_sweep(struct gitstore *g, long unmoved_pid)
{
	char *folder = path_join(g->objects, "pack");
	DIR *d = folder ? opendir(folder) : NULL;
	struct dirent *e;
	char *path;

	while (d && (e = readdir(d))) {
		size_t size = strlen(e->d_name);

		if (size != strlen("pack-.keep") + 40 ||
		    strncmp(e->d_name, "pack-", 5) != 0 ||
		    strcmp(e->d_name + size - 5, ".keep") != 0)
			continue;
		path = path_join(folder, e->d_name);
		if (path)
			sweep_one(path, unmoved_pid);
		free(path);
	}
	if (d)
		closedir(d);
	free(folder);
}
