/*
 * place.c - packs and commits into the repository, just before a ref reaches
 * them
 *
 * `git gc --prune=now` removes what no ref reaches yet, so a .keep file goes in
 * front of a pack.  It says "dbstow PID BOOT", is held by an flock while we
 * live, and is removed when the ref has moved.
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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "gitstore/own_pack.h"

#define KEEP_MAX ((size_t)4096)

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
static int name_files(struct gitstore *g, struct placed *p,
		      const unsigned char *pack_hash, struct error *err)
{
	char hex[OBJECT_HEX_SIZE];
	char **paths[] = { &p->pack, &p->idx, &p->keep };
	const char *ends[] = { "pack", "idx", "keep" };
	struct buffer path = BUFFER_INIT;
	size_t i;

	if (own_name(hex, pack_hash, g->hasher, err) < 0)
		return -1;
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

/* Set the pack's time a second back: touched now is then never equal.  Later
 * its nanoseconds tell whether it was touched since. */
static int set_time(struct placed *p, const char *pack, struct error *err)
{
	struct timespec times[2];
	struct stat st;

	if (stat(pack, &st) < 0)
		return error_errno(err, ERROR_FAILED, "cannot read '%s'", pack);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	times[1].tv_sec--;
	times[1].tv_nsec = own_time(p->pack);
	if (utimensat(AT_FDCWD, pack, times, 0) < 0 || stat(pack, &st) < 0)
		return error_errno(err, ERROR_FAILED, "cannot write '%s'",
				   pack);
	p->mtime = st.st_mtim; /* as the file system keeps it */
	return 0;
}

/* Complete and locked before it gets its name: a sweep never sees it else. */
static int write_keep(struct placed *p, const char *path, const struct move *m,
		      struct error *err)
{
	struct buffer text = BUFFER_INIT;
	char old[OBJECT_HEX_SIZE];
	int rc = -1;

	object_hex(old, &m->old);
	buffer_printf(&text,
		      "dbstow %ld %s\npack %lld.%09ld %d\nold %s\nref %s\n",
		      (long)getpid(), boot_id(), (long long)p->mtime.tv_sec,
		      p->mtime.tv_nsec, p->removable, old, m->ref);
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

static void remove_files(const struct placed *p)
{
	/* The index first: a pack without one is read by nobody. */
	if (p->idx)
		unlink(p->idx);
	if (p->pack)
		unlink(p->pack);
	if (p->keep)
		unlink(p->keep);
}

static void placed_release_one(struct placed *p)
{
	if (p->keep_fd >= 0)
		close(p->keep_fd);
	free(p->pack);
	free(p->idx);
	free(p->keep);
	free(p->ref);
	memset(p, 0, sizeof(*p));
	p->keep_fd = -1;
}

/* Shared repositories (core.sharedRepository) let others read what one wrote */
static void share(struct gitstore *g, const char *pack, const char *idx)
{
	char *shared = repository_config(g, "core.sharedrepository");

	if (shared && *shared && strcmp(shared, "umask") != 0 &&
	    strcmp(shared, "false") != 0 && strcmp(shared, "0") != 0) {
		chmod(pack, 0444);
		chmod(idx, 0444);
	}
	free(shared);
}

static int place_files(struct placed *p, const char *pack, const char *idx,
		       const char *keep, struct error *err)
{
	char *folder = path_folder(p->pack);
	int rc = -1;

	if (!folder)
		return error_nomem(err);
	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		error_errno(err, ERROR_FAILED, "cannot make the folder '%s'",
			    folder);
	/* the .keep in front is for who runs meanwhile: nothing is lost when
	 * the machine stops and it is gone, as the ref has not moved */
	else if (rename(keep, p->keep) < 0 || rename(pack, p->pack) < 0 ||
		 rename(idx, p->idx) < 0)
		error_errno(err, ERROR_FAILED, "cannot write to '%s'", folder);
	else
		rc = file_sync(folder, err);
	if (rc < 0)
		remove_files(p);
	free(folder);
	return rc;
}

/* A pack in a scratch folder, complete. */
struct finished {
	const char *pack, *idx; /* paths */
	const unsigned char *hash;
};

/* Make the files' names and the .keep, then rename all into objects/pack. */
static int place_pack(struct gitstore *g, const struct finished *f,
		      struct placed *p, const struct move *m, struct error *err)
{
	const char *scratch = gitstore_scratch(g, err);
	char *keep = scratch ? path_join(scratch, "keep") : NULL;
	int rc = -1;

	if (!scratch)
		return -1;
	if (!keep)
		return error_nomem(err);
	p->id = m->id;
	p->ref = strdup(m->ref);
	if (!p->ref)
		error_nomem(err);
	else if (!name_files(g, p, f->hash, err) &&
		 !set_time(p, f->pack, err) && !write_keep(p, keep, m, err)) {
		share(g, f->pack, f->idx);
		rc = place_files(p, f->pack, f->idx, keep, err);
	}
	free(keep);
	return rc;
}

static int add_finished(struct gitstore *g, const struct finished *f,
			int removable, const struct move *m, struct error *err)
{
	struct placed *all =
		realloc(g->placed, (g->placed_count + 1) * sizeof(*all));
	struct placed *p;

	if (!all)
		return error_nomem(err);
	g->placed = all;
	p = &all[g->placed_count];
	memset(p, 0, sizeof(*p));
	p->keep_fd = -1;
	p->removable = removable;
	if (place_pack(g, f, p, m, err) < 0) {
		placed_release_one(p);
		return -1;
	}
	g->placed_count++;
	return 0;
}

static int add_placed(struct gitstore *g, struct pack_writer *w, int removable,
		      const struct move *m, struct error *err)
{
	const struct finished f = { pack_writer_pack(w), pack_writer_idx(w),
				    pack_writer_hash(w) };

	return add_finished(g, &f, removable, m, err);
}

int place_fetched(struct gitstore *g, const char *pack, const char *idx,
		  int alone, const struct move *m, struct error *err)
{
	unsigned char hash[HASH_SHA1_SIZE] = { 0 };
	const struct finished f = { pack, idx, hash };

	/* the names of such files are salted, so no hash is needed */
	return add_finished(g, &f, alone, m, err);
}

/* ---- commits ---- */

static int put_commits(struct pack_writer *w,
		       const struct new_commit *const *commits, size_t count,
		       struct error *err)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (pack_writer_put(w, PACK_COMMIT, &commits[i]->id,
				    commits[i]->body.data,
				    commits[i]->body.size, err) < 0)
			return -1;
	return 0;
}

/* With the objects that were published. */
static int place_with_pack(struct gitstore *g,
			   const struct new_commit *const *commits,
			   size_t count, const struct move *m,
			   struct error *err)
{
	struct pack_writer *w = g->pack;
	int rc = -1;

	if (!put_commits(w, commits, count, err) &&
	    !pack_writer_close(w, err) && !add_placed(g, w, g->alone, m, err))
		rc = 0;
	/* It can't be added to a second time, whatever came of it. */
	pack_writer_free(w);
	g->pack = NULL;
	g->published = 0;
	return rc;
}

static int place_alone(struct gitstore *g,
		       const struct new_commit *const *commits, size_t count,
		       const struct move *m, struct error *err)
{
	const char *scratch = gitstore_scratch(g, err);
	struct pack_writer *w = NULL;
	size_t objects;
	char name[32];
	int rc = -1;

	snprintf(name, sizeof(name), "new%u", g->packs++);
	if (scratch && !pack_writer_new(&w, scratch, name, err) &&
	    !put_commits(w, commits, count, err) &&
	    !packs_take_lists(g, w, err)) {
		pack_writer_entries(w, &objects);
		if (!pack_writer_close(w, err) &&
		    !add_placed(g, w, objects == count, m, err))
			rc = 0;
	}
	pack_writer_free(w);
	return rc;
}

/* What the ref will point to must be readable where everybody reads. */
static int check_placed(struct gitstore *g, const struct move *m,
			struct error *err)
{
	struct raw_commit c;
	char hex[SHORT_HEX_SIZE];
	int rc = store_look_again(g, err);

	if (rc < 0)
		return -1;
	rc = raw_commit_read(g, &m->id, &c, err);
	raw_commit_release(&c);
	if (rc <= 0)
		return rc;
	object_short(hex, &m->id);
	return error_set(err, ERROR_DAMAGE,
			 "commit %s was stored in the repository '%s' and "
			 "cannot be read back",
			 hex, g->where);
}

/*
 * A commit that only changes the list gets a pack, too.  As a loose object it
 * would be lost to a `git prune` that looked at the refs before ours moved,
 * however quick we are, and with it the whole list.  Only where git prunes
 * nothing, and we remove no pack, it is one: packs would soon be hundreds.
 */
int place_commits(struct gitstore *g, const struct new_commit *const *commits,
		  size_t count, int with_pack, const struct move *m,
		  struct error *err)
{
	size_t i;
	int rc = 0;

	if (with_pack && g->pack)
		rc = place_with_pack(g, commits, count, m, err);
	else if (with_pack || g->placed_count || !is_precious(g))
		rc = place_alone(g, commits, count, m, err);
	else
		for (i = 0; !rc && i < count; i++)
			rc = commit_write_loose(g, commits[i], err);
	return rc < 0 ? -1 : check_placed(g, m, err);
}

/* ---- afterwards ---- */

static void forget_placed(struct gitstore *g)
{
	free(g->placed);
	g->placed = NULL;
	g->placed_count = 0;
}

void placed_release(struct gitstore *g)
{
	size_t i;

	for (i = 0; i < g->placed_count; i++) {
		unlink(g->placed[i].keep);
		placed_release_one(&g->placed[i]);
	}
	forget_placed(g);
}

/* Nobody used the pack since it was placed? */
static int is_untouched(const char *pack, const struct timespec *mtime)
{
	struct stat st;

	return !stat(pack, &st) && st.st_mtim.tv_sec == mtime->tv_sec &&
	       st.st_mtim.tv_nsec == mtime->tv_nsec;
}

/* A move that failed may have happened all the same: the rename done, its sync
 * refused by the disk. */
static int may_be_reached(struct gitstore *g)
{
	struct object_id now;
	size_t i;

	for (i = 0; i < g->placed_count; i++)
		if (ref_read(g, g->placed[i].ref, &now, NULL) < 0 ||
		    object_same(&now, &g->placed[i].id))
			return 1;
	return 0;
}

void placed_discard(struct gitstore *g)
{
	size_t i;

	if (may_be_reached(g)) {
		placed_release(g);
		return;
	}

	for (i = 0; i < g->placed_count; i++) {
		struct placed *p = &g->placed[i];

		if (p->removable && is_untouched(p->pack, &p->mtime))
			remove_files(p);
		else
			unlink(p->keep);
		placed_release_one(p);
	}
	forget_placed(g);
}

/* ---- what killed runs left ---- */

struct left {
	struct timespec mtime;
	int removable;
	struct object_id old;
	char ref[1024];
};

static int left_parse(const char *text, struct left *l)
{
	char old[OBJECT_HEX_SIZE];
	long long seconds;
	int n;

	if (strncmp(text, "dbstow ", 7) != 0)
		return 0;
	n = sscanf(text,
		   "dbstow %*d %*[0-9a-f]\npack %lld.%ld %d\nold %40s\nref "
		   "%1023s",
		   &seconds, &l->mtime.tv_nsec, &l->removable, old, l->ref);
	l->mtime.tv_sec = n == 5 ? (time_t)seconds : 0;
	if (n < 5 || strlen(old) != 40 ||
	    hex_decode(l->old.bytes, old, sizeof(l->old)) < 0)
		l->removable = 0;
	return 1;
}

/* Read a .keep file of ours. @return 1, or 0: not ours, or its run lives */
static int left_read(const char *path, struct left *l)
{
	char text[KEEP_MAX + 1];
	ssize_t size;
	int alive;
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
	return left_parse(text, l);
}

/* Is the ref still where it was before the run that was killed? */
static int is_unmoved(struct gitstore *g, const struct left *l)
{
	struct object_id now;
	int rc = ref_read(g, l->ref, &now, NULL);

	return rc >= 0 && object_same(&now, &l->old);
}

static void sweep_one(struct gitstore *g, const char *keep)
{
	size_t stem = strlen(keep) - strlen("keep");
	struct placed p = { .keep_fd = -1 };
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
	     is_unmoved(g, &l)))
		remove_files(&p);
	else
		unlink(keep);
done:
	placed_release_one(&p);
}

void keep_sweep(struct gitstore *g)
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
			sweep_one(g, path);
		free(path);
	}
	if (d)
		closedir(d);
	free(folder);
}
