/* init_check.c - what can be found out before anything is written */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/https.h"
#include "cmd/init.h"
#include "cmd/storing.h"
#include "cmd/sync.h"
#include "database/database.h"
#include "snapshot/catalog.h"

/* ---- the database ---- */

int init_check_database(struct init *in, struct error *err)
{
	struct database_options o = { .scratch = in->scratch };
	char tables[CMD_NUMBER_SIZE * 2], size[CMD_NUMBER_SIZE];
	struct database *db = NULL;
	struct catalog *c = NULL;
	uint64_t bytes = 0;
	int rc = -1;

	if (in->database_checked)
		return 0;
	if (database_open(&db, in->database, &o, err) == 0 &&
	    database_begin(db, err) == 0 &&
	    database_catalog(db, &c, err) == 0 &&
	    database_size(db, &bytes, err) == 0) {
		init_say(in, "checked", "%s: %s, %s", in->database,
			 cmd_count(tables, storing_tables(c), "table"),
			 cmd_bytes(size, bytes));
		in->database_checked = 1;
		rc = 0;
	}
	catalog_free(c);
	database_close(db);
	return rc;
}

static int check_url(struct init *in, struct error *err)
{
	const char *key = getenv("DBSTOW_FETCH_KEY");

	if (https_url_check(in->what, in->allow_http, NULL, NULL, err) < 0)
		return -1;
	if (!in->key_file && (!key || !*key))
		cmd_note(in->cmd,
			 "no key is set (DBSTOW_FETCH_KEY or --key-file): the "
			 "export is asked for without one");
	return 0;
}

/* ---- the repository ---- */

static int check_repository(struct init *in, struct error *err)
{
	const char *where = in->cmd->repo ? in->cmd->repo : ".";
	char question[512];
	int agreed;

	gitstore_free(in->store); /* perhaps of another branch */
	in->store = NULL;
	if (!gitstore_is_there(in->cmd->repo)) {
		snprintf(question, sizeof(question),
			 "There is no git repository at '%s'. Make one?",
			 where);
		agreed = init_agree(in, question, err);
		if (agreed < 0)
			return -1;
		if (!agreed)
			return error_set(err, ERROR_REFUSED,
					 "no git repository at '%s'; run 'git "
					 "init' there, name one with --repo, "
					 "or add --yes to have it made",
					 where);
		if (gitstore_make_work_tree(in->cmd->repo, err) < 0)
			return -1;
		init_say(in, "made", "git repository %s", where);
	}
	return cmd_open_store(in->cmd, &in->store, err);
}

static int say_branch(struct init *in, struct error *err)
{
	char count[CMD_NUMBER_SIZE * 2];
	struct history *h = NULL;

	if (gitstore_history(in->store, 0, &h, NULL, err) < 0)
		return -1;
	if (h->count)
		init_say(in, "there", "branch %s: %s of '%s'",
			 gitstore_branch(in->store),
			 cmd_count(count, h->count, "snapshot"), h->source);
	history_free(h);
	return 0;
}

static const char *source_name(const struct init *in)
{
	if (in->source)
		return in->source;
	return in->database ? path_base(in->database) : NULL;
}

/* Could a snapshot be added?  Of a URL, the source's name may show later. */
static int check_branch(struct init *in, struct error *err)
{
	const char *source = source_name(in);

	if (source && gitstore_check(in->store, source, 0, err) < 0)
		return -1;
	return say_branch(in, err);
}

/* ---- the remote ---- */

static int refuse_public(struct init *in, struct remote *r, struct error *err)
{
	enum remote_readers readers;

	if (remote_readers(r, in->allow_public, &readers, err) < 0)
		return -1;
	if (readers == READERS_WORLD)
		cmd_warn("the whole world can read %s", remote_label(r));
	if (readers == READERS_UNKNOWN)
		cmd_warn("it could not be asked whether the whole world can "
			 "read %s; see that the repository is private",
			 remote_label(r));
	return 0;
}

/* Another database's branch is told now, and not after an export. */
static int check_list(struct init *in, struct remote *r,
		      const struct remote_ref *ref, struct error *err)
{
	const char *source = source_name(in);
	char count[CMD_NUMBER_SIZE * 2];
	struct history *h = NULL;
	int rc = 0;

	if (!ref->exists)
		return 0;
	if (sync_read(r, in->store, ref, &h, err) < 0)
		return -1;
	if (source && h->source && strcmp(source, h->source) != 0)
		rc = error_set(err, ERROR_REFUSED,
			       "the branch '%s' of the remote %s holds '%s', "
			       "not '%s'; give this one another --branch, or "
			       "the name with --source",
			       gitstore_branch(in->store), remote_label(r),
			       h->source, source);
	else
		init_say(in, "there", "remote %s: %s", remote_label(r),
			 cmd_count(count, h->count, "snapshot"));
	in->branch_there = h->count > 0;
	history_free(h);
	return rc;
}

/* Copies on one disk are lost together. */
static void warn_same_disk(struct init *in, const char *url)
{
	const char *folder = gitstore_folder(in->store, NULL);
	struct stat here, there;

	if (!strncmp(url, "file://", 7))
		url += 7;
	if (folder && !stat(folder, &here) && !stat(url, &there) &&
	    here.st_dev == there.st_dev)
		cmd_warn("'%s' lies on the same disk as the repository: that "
			 "is a copy, but not off-site",
			 url);
}

/* Whoever pushes may be free of the rules; only a push tells. */
static int say_rules(struct init *in, struct remote *r, struct error *err)
{
	const char *branch = gitstore_branch(in->store);
	char *words;
	int rc = remote_rules(r, branch, &words, err);

	if (rc == 0 && words) {
		cmd_warn("the rules of %s for the branch '%s' may stand in the "
			 "way: %s; let them not hold for it",
			 remote_label(r), branch, words);
		in->status = EXIT_ATTENTION;
	} else if (rc == 0) {
		init_say(in, "checked",
			 "remote %s: no rule stands in the way of '%s'",
			 remote_label(r), branch);
	}
	free(words);
	return rc < 0 ? -1 : 0;
}

/* Who may read, as was just seen, may not push yet. */
static int check_push(struct remote *r, const char *ref, struct error *err)
{
	struct error why = ERROR_INIT;

	if (remote_may_push(r, ref, &why) == 0)
		return 0;
	return error_set(err, why.code,
			 "the remote %s can be read, but would take no push: "
			 "%s",
			 remote_label(r), why.message);
}

static int look_at(struct init *in, struct remote *r, const char *url,
		   struct error *err)
{
	const char *ref = gitstore_ref(in->store);
	struct remote_ref there;

	if (remote_refs(r, ref, &there, err) < 0 ||
	    refuse_public(in, r, err) < 0 || check_push(r, ref, err) < 0)
		return -1;
	if (remote_kind(r) == REMOTE_FILE)
		warn_same_disk(in, url);
	init_say(in, "checked", "remote %s: reached, and would take a push",
		 remote_label(r));
	if (say_rules(in, r, err) < 0)
		return -1;
	return check_list(in, r, &there, err);
}

size_t init_remotes(const struct init *in)
{
	/* the configuration may name several */
	return !in->configured || strcmp(in->remote, in->configured) != 0;
}

/* A folder is written down so that it is found from everywhere. */
static int settle_folder(struct init *in, struct error *err)
{
	char *real;

	if (init_remotes(in) == 0 || !strchr(in->remote, '/') ||
	    !file_exists(in->remote))
		return 0;
	real = realpath(in->remote, NULL);
	if (!real)
		return error_errno(err, ERROR_FAILED, "cannot find '%s'",
				   in->remote);
	in->answers[in->answer_count++] = real;
	in->remote = real;
	return 0;
}

static int check_remotes(struct init *in, struct error *err)
{
	struct sync_names names;
	int rc = 0;

	if (in->no_remote)
		return 0;
	if (settle_folder(in, err) < 0 ||
	    sync_names_find(in->store, init_remotes(in) ? in->remote : NULL,
			    &names, err) < 0)
		return -1;
	in->url = strdup(names.urls[0]);
	if (!in->url)
		rc = error_nomem(err);
	for (size_t i = 0; rc == 0 && i < names.count; i++) {
		struct remote *r = NULL;

		rc = sync_open_remote(in->cmd, in->store, names.names[i], &r,
				      err);
		if (rc == 0)
			rc = look_at(in, r, names.urls[i], err);
		remote_free(r);
	}
	sync_names_release(&names);
	return rc;
}

int init_check(struct init *in, struct error *err)
{
	if (in->database ? init_check_database(in, err) < 0
			 : check_url(in, err) < 0)
		return -1;
	if (check_repository(in, err) < 0 || check_branch(in, err) < 0 ||
	    check_remotes(in, err) < 0)
		return -1;
	return 0;
}
