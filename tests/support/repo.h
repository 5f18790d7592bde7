/*
 * repo.h - git repositories for tests, and running git itself on them
 */
#ifndef TESTS_SUPPORT_REPO_H
#define TESTS_SUPPORT_REPO_H

/** A new empty folder under TMPDIR or /tmp, HOME set to a folder in it without
 *  any configuration but user.name and user.email.  Free with repo_remove(). */
char *repo_folder(void);

/** Remove what repo_folder() made, and free the path. */
void repo_remove(char *folder);

/** Run a shell command in `folder`.
 *  @return its exit status */
__attribute__((format(printf, 2, 3))) int repo_sh(const char *folder,
						  const char *fmt, ...);

/** As repo_sh(); what it wrote to standard output and error in new memory,
 *  without newlines at its end.  A failure of the command fails the test. */
__attribute__((format(printf, 2, 3))) char *repo_out(const char *folder,
						     const char *fmt, ...);

#endif /* TESTS_SUPPORT_REPO_H */
