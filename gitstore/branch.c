/*
 * branch.c - moving a ref, and when not to
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "gitstore/gitstore_internal.h"

#define HEAD_MAX ((size_t)4096)

int ref_read(struct gitstore *g, const char *ref, struct object_id *id,
	     struct error *err)
{
	git_reference *r = NULL;
	int rc;

	memset(id, 0, sizeof(*id));
	rc = git_reference_lookup(&r, g->repo, ref);
	if (rc == GIT_ENOTFOUND)
		return 1;
	if (rc < 0)
		return git_failed(err, ERROR_FAILED, "cannot read '%s'", ref);
	if (git_reference_type(r) == GIT_REFERENCE_DIRECT) {
		object_from_oid(id, git_reference_target(r));
		rc = 0;
	} else {
		rc = error_set(err, ERROR_REFUSED,
			       "'%s' stands for another ref, '%s'; use "
			       "--branch NAME",
			       ref, git_reference_symbolic_target(r));
	}
	git_reference_free(r);
	return rc;
}

/* ---- checked out? ---- */

/* Does the file HEAD in `folder` name our branch? */
static int head_is_ours(struct gitstore *g, const char *folder)
{
	char *path = path_join(folder, "HEAD");
	struct buffer text = BUFFER_INIT;
	const char *name;
	int ours = 0;

	if (path && !file_read(path, HEAD_MAX, &text, NULL) &&
	    buffer_cstr(&text) && !strncmp(text.data, "ref:", 4)) {
		name = text.data + 4 + strspn(text.data + 4, " \t");
		ours = strlen(g->ref) == strcspn(name, "\n") &&
		       !strncmp(name, g->ref, strlen(g->ref));
	}
	buffer_release(&text);
	free(path);
	return ours;
}

static int is_checked_out(struct gitstore *g, const char *at, struct error *err)
{
	size_t size = strlen(at);

	while (size > 1 && at[size - 1] == '/')
		size--;
	return error_set(err, ERROR_REFUSED,
			 "branch '%s' is checked out at '%.*s'; switch that "
			 "work tree to another branch or use --branch NAME",
			 g->branch, (int)size, at);
}

/* The folder of a linked work tree: its file "gitdir" names its ".git". */
static int linked_is_checked_out(struct gitstore *g, const char *folder,
				 struct error *err)
{
	char *path = path_join(folder, "gitdir");
	struct buffer text = BUFFER_INIT;
	size_t size = 0;

	if (path && !file_read(path, HEAD_MAX, &text, NULL) &&
	    buffer_cstr(&text)) {
		size = strcspn(text.data, "\n");
		if (size > 5 && !strncmp(text.data + size - 5, "/.git", 5))
			size -= 5;
		text.data[size] = '\0';
	}
	is_checked_out(g, size ? text.data : folder, err);
	buffer_release(&text);
	free(path);
	return -1;
}

static int linked_not_checked_out(struct gitstore *g, struct error *err)
{
	char *all = path_join(g->common, "worktrees");
	DIR *d = all ? opendir(all) : NULL;
	struct dirent *e;
	char *folder;
	int rc = 0;

	while (d && !rc && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		folder = path_join(all, e->d_name);
		if (folder && head_is_ours(g, folder))
			rc = linked_is_checked_out(g, folder, err);
		free(folder);
	}
	if (d)
		closedir(d);
	free(all);
	return rc;
}

/* The HEAD of a bare repository is no work tree's. */
static int is_bare(struct gitstore *g)
{
	git_repository *main_one = NULL;
	int bare;

	if (!git_repository_is_worktree(g->repo))
		return git_repository_is_bare(g->repo);
	if (git_repository_open(&main_one, g->common) < 0)
		return 0;
	bare = git_repository_is_bare(main_one);
	git_repository_free(main_one);
	return bare;
}

int branch_not_checked_out(struct gitstore *g, struct error *err)
{
	const char *at = git_repository_is_worktree(g->repo)
				 ? NULL
				 : git_repository_workdir(g->repo);
	char *folder = NULL;
	int rc = 0;

	/* Read as files: libgit2 tells only of a branch that exists, and an
	 * unborn HEAD may name ours. */
	if (head_is_ours(g, g->common) && !is_bare(g)) {
		folder = path_folder(g->common);
		rc = is_checked_out(g,
				    at       ? at
				    : folder ? folder
					     : g->common,
				    err);
	}
	free(folder);
	return rc < 0 ? rc : linked_not_checked_out(g, err);
}

/* ---- is the name free? ---- */

static int name_taken(const char *ref, const char *by, struct error *err)
{
	return error_set(err, ERROR_REFUSED,
			 "cannot create '%s' beside '%s'; use --branch NAME",
			 ref, by);
}

/* A ref "a/b" can't stand beside "a"; in packed refs nothing else stops it */
int branch_name_free(struct gitstore *g, const char *ref, struct error *err)
{
	git_reference_iterator *all = NULL;
	struct buffer below = BUFFER_INIT;
	struct object_id id;
	const char *name;
	char *part = strdup(ref);
	char *slash;
	int rc = -1;

	buffer_printf(&below, "%s/*", ref);
	if (!part || !buffer_cstr(&below)) {
		error_nomem(err);
		goto done;
	}
	if (!git_reference_iterator_glob_new(&all, g->repo, below.data) &&
	    !git_reference_next_name(&name, all)) {
		name_taken(ref, name, err);
		goto done;
	}
	while ((slash = strrchr(part, '/')) && strchr(part, '/') != slash) {
		*slash = '\0';
		if (!ref_read(g, part, &id, NULL)) {
			name_taken(ref, part, err);
			goto done;
		}
	}
	rc = 0;
done:
	git_reference_iterator_free(all);
	buffer_release(&below);
	free(part);
	return rc;
}

/* ---- moving ---- */

static int is_log_wanted(struct gitstore *g, const char *ref)
{
	char *value = repository_config(g, "core.logallrefupdates");
	int wanted;

	if (git_reference_has_log(g->repo, ref) == 1)
		wanted = 1;
	else if (value && !strcmp(value, "always"))
		wanted = 1;
	else if (strncmp(ref, "refs/heads/", 11) != 0)
		wanted = 0;
	else if (value && *value)
		wanted = strcmp(value, "false") != 0 &&
			 strcmp(value, "0") != 0 && strcmp(value, "no") != 0 &&
			 strcmp(value, "off") != 0;
	else
		wanted = !is_bare(g);
	free(value);
	return wanted;
}

static int make_signature(struct gitstore *g, git_signature **out,
			  struct error *err)
{
	git_signature *who = NULL;
	int rc;

	if (git_signature_default(&who, g->repo) < 0) {
		who = NULL;
		git_error_clear(); /* or a later failure would be told so */
	}
	rc = git_signature_new(out, who ? who->name : "dbstow",
			       who ? who->email : "dbstow@localhost",
			       (git_time_t)clock_now(), 0);
	git_signature_free(who);
	return rc < 0 ? git_failed(err, ERROR_FAILED, "cannot sign") : 0;
}

/*
 * One entry is left, "from nothing to this": what an older one names would stay
 * reachable, and so would every snapshot that retention dropped.
 */
static int set_log(struct gitstore *g, git_transaction *t, const char *ref,
		   const git_oid *id, const git_signature *who, const char *log,
		   struct error *err)
{
	git_reflog *entries = NULL;
	int rc = -1;

	if (!is_log_wanted(g, ref))
		return 0;
	if (git_reference_ensure_log(g->repo, ref) < 0 ||
	    git_reflog_read(&entries, g->repo, ref) < 0)
		goto done;
	while (git_reflog_entrycount(entries))
		if (git_reflog_drop(entries, 0, 0) < 0)
			goto done;
	if (git_reflog_append(entries, id, who, log) < 0 ||
	    git_transaction_set_reflog(t, ref, entries) < 0)
		goto done;
	rc = 0;
done:
	if (rc < 0)
		git_failed(err, ERROR_FAILED, "cannot write the reflog of '%s'",
			   ref);
	git_reflog_free(entries);
	return rc;
}

static int move_locked(struct gitstore *g, git_transaction *t,
		       const struct move *m, struct error *err)
{
	git_signature *who = NULL;
	struct object_id now;
	git_oid oid;
	int rc = ref_read(g, m->ref, &now, err);

	if (rc < 0)
		return -1;
	if (!object_same(&now, &m->old)) /* absent reads as all zero */
		return MOVE_CHANGED;
	if (make_signature(g, &who, err) < 0)
		return -1;
	object_to_oid(&oid, &m->id);
	rc = -1;
	if (set_log(g, t, m->ref, &oid, who, m->log, err) < 0)
		goto done;
	if (git_transaction_set_target(t, m->ref, &oid, who, m->log) < 0 ||
	    git_transaction_commit(t) < 0) {
		git_failed(err, ERROR_FAILED, "cannot move '%s'", m->ref);
		goto done;
	}
	rc = MOVE_DONE;
done:
	git_signature_free(who);
	return rc;
}

/*
 * libgit2 writes the log before the ref.  Where the ref then could not be
 * written, the log names a commit whose pack will be taken away: it gets the
 * entry back that it had, as far as the disk lets us.
 */
static void mend_log(struct gitstore *g, const struct move *m)
{
	git_reflog *entries = NULL;
	git_signature *who = NULL;
	struct error quiet = ERROR_INIT;
	struct object_id now;
	git_oid old;

	if (!is_log_wanted(g, m->ref) ||
	    ref_read(g, m->ref, &now, &quiet) < 0 ||
	    !object_same(&now, &m->old))
		return;
	if (object_is_zero(&m->old)) {
		(void)git_reflog_delete(g->repo, m->ref);
		return;
	}
	object_to_oid(&old, &m->old);
	if (make_signature(g, &who, &quiet) == 0 &&
	    git_reflog_read(&entries, g->repo, m->ref) == 0) {
		while (git_reflog_entrycount(entries) &&
		       git_reflog_drop(entries, 0, 0) == 0)
			;
		if (git_reflog_append(entries, &old, who, "dbstow") == 0)
			(void)git_reflog_write(entries);
	}
	git_reflog_free(entries);
	git_signature_free(who);
}

static int move(struct gitstore *g, const struct move *m, struct error *err)
{
	git_transaction *t = NULL;
	int rc;

	if (git_transaction_new(&t, g->repo) < 0)
		return git_failed(err, ERROR_FAILED, "cannot move '%s'",
				  m->ref);
	rc = git_transaction_lock_ref(t, m->ref);
	if (rc == GIT_ELOCKED)
		rc = MOVE_LOCKED;
	else if (rc < 0)
		rc = git_failed(err, ERROR_FAILED, "cannot lock '%s'", m->ref);
	else
		rc = move_locked(g, t, m, err);
	git_transaction_free(t);
	if (rc < 0)
		mend_log(g, m);
	return rc;
}

int ref_move(struct gitstore *g, const struct move *m, struct error *err)
{
	sigset_t block, before;
	int rc;

	if (object_is_zero(&m->old) && branch_name_free(g, m->ref, err) < 0)
		return -1;
	/* Between intent and move no ^C: there would be a lock to clean up. */
	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &block, &before);
	rc = intent_write(g, m, err);
	if (!rc)
		rc = move(g, m, err);
	intent_remove(g);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int ref_locked(struct gitstore *g, const char *ref, struct error *err)
{
	char age[CLOCK_TEXT_SIZE] = "unknown age";
	struct buffer path = BUFFER_INIT;
	struct timespec now;
	struct stat st;

	buffer_printf(&path, "%s/%s.lock", g->common, ref);
	if (!buffer_cstr(&path)) {
		buffer_release(&path);
		return error_nomem(err);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	if (!lstat(path.data, &st))
		clock_age(age, (int64_t)now.tv_sec - (int64_t)st.st_mtime);
	error_set(err, ERROR_CONFLICT,
		  "'%s' is locked by the file '%s', made %s ago; wait for the "
		  "git process that made it, or remove that file if there is "
		  "none",
		  ref, path.data, age);
	buffer_release(&path);
	return -1;
}
