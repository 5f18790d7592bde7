/*
 * setup.c - a repository and its settings, for who begins with dbstow
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "gitstore/gitstore_internal.h"

int gitstore_is_there(const char *path)
{
	git_buf found = { NULL, 0, 0 };
	int rc;

	if (git_libgit2_init() < 0)
		return 0;
	rc = git_repository_discover(&found, path ? path : ".", 0, NULL);
	git_buf_dispose(&found);
	git_error_clear();
	git_libgit2_shutdown();
	return rc != GIT_ENOTFOUND;
}

/* A repository, where nothing is yet. */
static int make(const char *path, uint32_t flags, struct error *err)
{
	git_repository_init_options o;
	git_repository *repo = NULL;
	int rc;

	if (git_libgit2_init() < 0)
		return git_failed(err, ERROR_FAILED, "cannot start libgit2");
	git_repository_init_options_init(&o,
					 GIT_REPOSITORY_INIT_OPTIONS_VERSION);
	o.flags = flags | GIT_REPOSITORY_INIT_MKDIR |
		  GIT_REPOSITORY_INIT_NO_REINIT;
	rc = git_repository_init_ext(&repo, path, &o);
	if (rc < 0)
		git_failed(err, ERROR_FAILED, "cannot make the repository '%s'",
			   path);
	git_repository_free(repo);
	git_libgit2_shutdown();
	return rc < 0 ? -1 : 0;
}

int gitstore_make(const char *path, struct error *err)
{
	return make(path, GIT_REPOSITORY_INIT_BARE, err);
}

int gitstore_make_work_tree(const char *path, struct error *err)
{
	return make(path ? path : ".", 0, err);
}

const char *gitstore_work_tree(const struct gitstore *g)
{
	return git_repository_workdir(g->repo);
}

static int set(git_config *config, const char *where, const char *key,
	       const char *value, struct error *err)
{
	if (git_config_set_string(config, key, value) < 0)
		return git_failed(err, ERROR_FAILED, "cannot write '%s'",
				  where);
	return 0;
}

int gitstore_config_set(struct gitstore *g, const char *key, const char *value,
			struct error *err)
{
	git_config *all = NULL, *own = NULL;
	int rc = -1;

	if (git_repository_config(&all, g->repo) < 0 ||
	    git_config_open_level(&own, all, GIT_CONFIG_LEVEL_LOCAL) < 0)
		git_failed(err, ERROR_FAILED,
			   "cannot read git's configuration");
	else
		rc = set(own, "git's configuration", key, value, err);
	git_config_free(own);
	git_config_free(all);
	return rc;
}

int gitstore_work_tree_set(struct gitstore *g, const char *key,
			   const char *value, struct error *err)
{
	const char *top = git_repository_workdir(g->repo);
	char *path = top ? path_join(top, ".dbstow") : NULL;
	git_config *config = NULL;
	int rc = -1;

	if (!top)
		return error_set(err, ERROR_FAILED,
				 "the repository '%s' has no work tree",
				 g->where);
	if (!path)
		return error_nomem(err);
	if (git_config_open_ondisk(&config, path) < 0)
		git_failed(err, ERROR_FAILED, "cannot read '%s'", path);
	else
		rc = set(config, path, key, value, err);
	git_config_free(config);
	free(path);
	return rc;
}
