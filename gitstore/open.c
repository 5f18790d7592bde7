/*
 * open.c - finding and opening the repository, its configuration
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "gitstore/gitstore_internal.h"

#define LOCK_WAIT_MS 60000
#define TRIES        20

/* Packs are read through maps of this size; what is mapped counts as ours. */
#define WINDOW_BYTES ((size_t)16 << 20)
#define MAPPED_BYTES ((size_t)64 << 20)
#define CACHE_BYTES  ((ssize_t)8 << 20)

int git_failed(struct error *err, enum error_code code, const char *fmt, ...)
{
	const git_error *last = git_error_last();
	/* where libgit2 gives no reason, the system call that failed did */
	const char *why = last && last->message ? last->message
						: strerror(errno);
	struct buffer text = BUFFER_INIT;
	char what[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (code == ERROR_FAILED &&
	    (strstr(why, strerror(ENOSPC)) || strstr(why, strerror(EDQUOT))))
		code = ERROR_NOSPACE;
	buffer_release(&text);
	return error_set(err, code, "%s: %s", what, why);
}

/* Process-wide settings of libgit2; setting them again does no harm. */
static void set_options(void)
{
	/* They change how git's own commands behave, nothing that we read. */
	static const char *harmless[] = { "worktreeconfig", "preciousobjects",
					  "relativeworktrees" };

	git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, harmless,
			 sizeof(harmless) / sizeof(*harmless));
	git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
	git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, WINDOW_BYTES);
	git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, MAPPED_BYTES);
	git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, CACHE_BYTES);
}

/* The path that git wants in safe.directory: the work tree, or the git folder
 * of a bare repository. */
static char *safe_path(const char *path)
{
	git_buf found = { NULL, 0, 0 };
	char *out = NULL;
	size_t size;

	if (git_repository_discover(&found, path, 0, NULL) < 0)
		return realpath(path, NULL);
	size = strlen(found.ptr);
	while (size > 1 && found.ptr[size - 1] == '/')
		size--;
	if (size > 5 && !strncmp(found.ptr + size - 5, "/.git", 5))
		size -= 5;
	out = strndup(found.ptr, size);
	git_buf_dispose(&found);
	return out;
}

/*
 * libgit2 1.5 answers ENOTFOUND about 'safe.directory' where that setting is
 * nowhere, later ones EOWNER.
 */
static int is_ownership(int rc)
{
	const git_error *last = git_error_last();

	return rc == GIT_EOWNER ||
	       (rc == GIT_ENOTFOUND && last && last->message &&
		strstr(last->message, "safe.directory"));
}

/*
 * libgit2 1.5 says "unsupported extension name", others say other things, and
 * one that is built for it opens such a repository: the configuration is asked.
 */
static int is_sha256(const char *path)
{
	static const char *const files[] = { "config", "../../config" };
	git_buf found = { NULL, 0, 0 }, value = { NULL, 0, 0 };
	git_config *config;
	char *file;
	int is = 0;
	size_t i;

	if (git_repository_discover(&found, path, 0, NULL) < 0)
		return 0;
	/* the second: from the folder of a linked work tree */
	for (i = 0; i < 2 && !is; i++) {
		config = NULL;
		file = path_join(found.ptr, files[i]);
		if (file && file_exists(file) &&
		    !git_config_open_ondisk(&config, file) &&
		    !git_config_get_string_buf(&value, config,
					       "extensions.objectformat"))
			is = value.ptr && !strcmp(value.ptr, "sha256");
		git_buf_dispose(&value);
		git_config_free(config);
		free(file);
	}
	git_buf_dispose(&found);
	git_error_clear(); /* or a later failure would be told so */
	return is;
}

static int sha256_refused(const char *path, struct error *err)
{
	return error_set(err, ERROR_FAILED,
			 "repository '%s' uses SHA-256 object ids, which "
			 "dbstow cannot write yet; use one made with 'git init "
			 "--object-format=sha1'",
			 path);
}

static int open_failed(int rc, const char *path, struct error *err)
{
	struct error why = ERROR_INIT;
	char *safe;

	/* libgit2 remembers its last failure only, and more may follow */
	git_failed(&why, ERROR_FAILED, "cannot open the repository '%s'", path);
	if (is_ownership(rc)) {
		safe = safe_path(path);
		error_set(err, ERROR_REFUSED,
			  "the repository at '%s' belongs to another user; if "
			  "you trust it, run: git config --global --add "
			  "safe.directory '%s'",
			  path, safe ? safe : path);
		free(safe);
		return -1;
	}
	if (!file_exists(path))
		return error_set(err, ERROR_FAILED, "there is no folder '%s'",
				 path);
	if (is_sha256(path))
		return sha256_refused(path, err);
	if (rc == GIT_ENOTFOUND)
		return error_set(err, ERROR_FAILED,
				 "no git repository at '%s'; run 'git init' "
				 "there or name one with --repo",
				 path);
	return error_set(err, why.code, "%s", why.message);
}

/* "a/b/" -> "a/b" in new memory */
static char *without_slash(const char *path)
{
	size_t size = path ? strlen(path) : 0;

	while (size > 1 && path[size - 1] == '/')
		size--;
	return path ? strndup(path, size) : NULL;
}

static int set_paths(struct gitstore *g, struct error *err)
{
	git_buf objects = { NULL, 0, 0 };

	if (git_repository_item_path(&objects, g->repo,
				     GIT_REPOSITORY_ITEM_OBJECTS) < 0)
		return git_failed(err, ERROR_FAILED,
				  "cannot open the repository '%s'", g->where);
	g->objects = without_slash(objects.ptr);
	git_buf_dispose(&objects);
	g->common = without_slash(git_repository_commondir(g->repo));
	return g->objects && g->common ? 0 : error_nomem(err);
}

int gitstore_branch_name(const char *branch, const char **out,
			 struct error *err)
{
	const char *name = branch;
	int valid = 0, rc;

	/* a name in full; nobody means "refs/heads/refs/heads/x" */
	if (!strncmp(name, "refs/heads/", strlen("refs/heads/")))
		name += strlen("refs/heads/");
	if (!strncmp(name, "refs/", strlen("refs/")))
		return error_set(err, ERROR_USAGE,
				 "'%s' is no branch of this repository; give "
				 "the name of one, like '%s'",
				 branch, GITSTORE_BRANCH);
	/* perhaps no repository is open yet */
	if (git_libgit2_init() < 0)
		return git_failed(err, ERROR_FAILED, "cannot start libgit2");
	rc = git_branch_name_is_valid(&valid, name);
	git_libgit2_shutdown();
	/* libgit2 lets a DEL pass, git doesn't */
	if (rc < 0 || !valid || strchr(name, 0x7f))
		return error_set(err, ERROR_USAGE,
				 "'%s' cannot be the name of a branch", branch);
	*out = name;
	return 0;
}

static int set_branch(struct gitstore *g, const char *branch, struct error *err)
{
	const char *name;
	size_t size;

	if (gitstore_branch_name(branch, &name, err) < 0)
		return -1;
	size = strlen("refs/heads/") + strlen(name) + 1;
	g->branch = strdup(name);
	g->ref = malloc(size);
	if (!g->branch || !g->ref)
		return error_nomem(err);
	snprintf(g->ref, size, "refs/heads/%s", name);
	return 0;
}

int gitstore_open(struct gitstore **out, const struct gitstore_options *o,
		  struct error *err)
{
	const char *path = o->path ? o->path : ".";
	struct gitstore *g;
	int rc;

	*out = NULL;
	if (git_libgit2_init() < 0)
		return git_failed(err, ERROR_FAILED, "cannot start libgit2");
	set_options();
	g = calloc(1, sizeof(*g));
	if (!g) {
		git_libgit2_shutdown();
		return error_nomem(err);
	}
	pthread_mutex_init(&g->known_lock, NULL);
	g->lock_fd = -1;
	g->lock_wait_ms = LOCK_WAIT_MS;
	g->tries = TRIES;
	g->where = strdup(path);
	if (!g->where) {
		error_nomem(err);
		goto failed;
	}
	if (set_branch(g, o->branch ? o->branch : GITSTORE_BRANCH, err) < 0 ||
	    hasher_new(&g->hasher, HASH_SHA1, err) < 0)
		goto failed;
	rc = git_repository_open_ext(&g->repo, path, 0, NULL);
	if (rc < 0) {
		open_failed(rc, path, err);
		goto failed;
	}
	if (is_sha256(path)) {
		sha256_refused(path, err);
		goto failed;
	}
	if (git_repository_odb(&g->odb, g->repo) < 0) {
		git_failed(err, ERROR_FAILED, "cannot read the repository '%s'",
			   path);
		goto failed;
	}
	if (set_paths(g, err) < 0)
		goto failed;
	*out = g;
	return 0;
failed:
	gitstore_free(g);
	return -1;
}

void gitstore_free(struct gitstore *g)
{
	if (!g)
		return;
	placed_discard(g);
	publish_forget(g);
	store_unlock(g);
	scratch_remove(g->scratch);
	batch_free(g->puts);
	buffer_release(&g->copied);
	pthread_mutex_destroy(&g->known_lock);
	hasher_free(g->hasher);
	deflater_free(g->deflater);
	git_odb_free(g->odb);
	git_repository_free(g->repo);
	free(g->where);
	free(g->branch);
	free(g->ref);
	free(g->common);
	free(g->objects);
	free(g->folder);
	free(g->scratch);
	free(g);
	git_libgit2_shutdown();
}

const char *gitstore_folder(struct gitstore *g, struct error *err)
{
	char *path;

	if (g->folder)
		return g->folder;
	path = path_join(g->common, "dbstow");
	if (!path) {
		error_nomem(err);
		return NULL;
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		error_errno(err, ERROR_FAILED,
			    "cannot write to the repository '%s': '%s'",
			    g->where, path);
		free(path);
		return NULL;
	}
	g->folder = path;
	return path;
}

const char *gitstore_scratch(struct gitstore *g, struct error *err)
{
	const char *folder;

	if (g->scratch)
		return g->scratch;
	folder = gitstore_folder(g, err);
	if (!folder)
		return NULL;
	scratch_sweep(folder, "tmp");
	if (scratch_make(&g->scratch, folder, "tmp", err) < 0)
		return NULL;
	return g->scratch;
}

const char *gitstore_ref(const struct gitstore *g)
{
	return g->ref;
}

/* ---- configuration ---- */

/* @return 0, with *out NULL where there is no such key; libgit2's error code */
static int config_value(git_config *config, const char *key, char **out)
{
	git_buf value = { NULL, 0, 0 };
	int rc = git_config_get_string_buf(&value, config, key);

	*out = rc ? NULL : strdup(value.ptr ? value.ptr : "");
	git_buf_dispose(&value);
	if (rc != GIT_ENOTFOUND)
		return rc ? rc : *out ? 0 : -1;
	git_error_clear(); /* or a later failure would be told so */
	return 0;
}

/* A file that is there and cannot be read must not pass for none: retention
 * would fall back to the default, and drop what was to be kept. */
static int read_work_tree_file(const char *path, const char *key, char **out,
			       struct error *err)
{
	git_config *config = NULL;
	struct stat st;
	int rc = 0;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0
				       : error_errno(err, ERROR_USAGE,
						     "cannot read '%s'", path);
	/* of this work tree, not a way out of it */
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_USAGE,
				 "'%s' is not a regular file; make it one or "
				 "remove it",
				 path);
	if (git_config_open_ondisk(&config, path) < 0 ||
	    config_value(config, key, out) < 0)
		rc = git_failed(err, ERROR_USAGE, "cannot read '%s'", path);
	git_config_free(config);
	return rc;
}

int gitstore_work_tree_config(struct gitstore *g, const char *key, char **out,
			      struct error *err)
{
	const char *top = git_repository_workdir(g->repo);
	char *path;
	int rc;

	*out = NULL;
	if (!top)
		return 0;
	path = path_join(top, ".dbstow");
	if (!path)
		return error_nomem(err);
	rc = read_work_tree_file(path, key, out, err);
	free(path);
	return rc;
}

static int repository_value(struct gitstore *g, const char *key, char **out,
			    struct error *err)
{
	git_config *config = NULL;
	int rc = 0;

	*out = NULL;
	if (git_repository_config(&config, g->repo) < 0 ||
	    config_value(config, key, out) < 0)
		rc = git_failed(err, ERROR_USAGE,
				"cannot read git's configuration");
	git_config_free(config);
	return rc;
}

char *repository_config(struct gitstore *g, const char *key)
{
	char *out;

	return repository_value(g, key, &out, NULL) < 0 ? NULL : out;
}

int gitstore_config(struct gitstore *g, const char *key, char **out,
		    struct error *err)
{
	int rc = gitstore_work_tree_config(g, key, out, err);

	if (!rc && !*out)
		rc = repository_value(g, key, out, err);
	return rc;
}

int gitstore_config_wrong(struct gitstore *g, const char *key,
			  const char *wanted, struct error *err)
{
	const char *where = "'.dbstow'";
	char *value;

	if (gitstore_work_tree_config(g, key, &value, err) < 0)
		return -1;
	if (!value) {
		where = "git's configuration";
		value = repository_config(g, key);
	}
	error_set(err, ERROR_USAGE, "%s: %s is '%s', not %s", where, key,
		  value ? value : "", wanted);
	free(value);
	return -1;
}

int store_is_partial(struct gitstore *g)
{
	char *path = path_join(g->objects, "pack");
	DIR *d = path ? opendir(path) : NULL;
	struct dirent *e;
	const char *end;
	int partial = 0;

	while (d && !partial && (e = readdir(d))) {
		end = strrchr(e->d_name, '.');
		partial = end && !strcmp(end, ".promisor");
	}
	if (d)
		closedir(d);
	free(path);
	return partial;
}

/* ---- ids ---- */

void object_short(char out[SHORT_HEX_SIZE], const struct object_id *id)
{
	char hex[OBJECT_HEX_SIZE];

	object_hex(hex, id);
	memcpy(out, hex, SHORT_HEX_SIZE - 1);
	out[SHORT_HEX_SIZE - 1] = '\0';
}

int object_same(const struct object_id *a, const struct object_id *b)
{
	return !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int object_is_zero(const struct object_id *id)
{
	static const struct object_id zero;

	return object_same(id, &zero);
}

void object_to_oid(git_oid *out, const struct object_id *id)
{
	memset(out, 0, sizeof(*out));
	git_oid_fromraw(out, id->bytes);
}

void object_from_oid(struct object_id *out, const git_oid *id)
{
	memcpy(out->bytes, id->id, sizeof(out->bytes));
}

const char *gitstore_branch(const struct gitstore *g)
{
	return g->branch;
}
