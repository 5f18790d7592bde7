/*
 * in_repo.h - files below .git
 */
#ifndef TESTS_GITSTORE_IN_REPO_H
#define TESTS_GITSTORE_IN_REPO_H

#include "tests/gitstore/store.h"

static inline void put_file(const char *path, const char *text)
{
	struct error err = ERROR_INIT;

	assert_ok(file_write(path, text, strlen(text), 0644, &err), &err);
}

static inline char *in_repo(struct fixture *f, const char *name)
{
	struct buffer path = BUFFER_INIT;

	buffer_printf(&path, "%s/.git/%s", f->repo, name);
	assert_non_null(buffer_cstr(&path));
	return buffer_detach(&path);
}

static inline void write_in(struct fixture *f, const char *name,
			    const char *text)
{
	char *path = in_repo(f, name);
	char *folder = path_folder(path);

	assert_int_equal(repo_sh("/", "mkdir -p '%s'", folder), 0);
	put_file(path, text);
	free(folder);
	free(path);
}

static inline int is_there(struct fixture *f, const char *name)
{
	char *path = in_repo(f, name);
	int there = file_exists(path);

	free(path);
	return there;
}

#endif /* TESTS_GITSTORE_IN_REPO_H */
