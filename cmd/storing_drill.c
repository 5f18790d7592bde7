/*
 * storing_drill.c - the drill: a snapshot is restored once before it is shown
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "cmd/ahead.h"
#include "cmd/cmd.h"
#include "cmd/proof.h"
#include "cmd/staging.h"
#include "cmd/storing.h"
#include "restore/restore.h"
#include "snapshot/catalog.h"
#include "snapshot/records.h"

static int drill_without_whole_proof(struct storing *s, const struct error *why)
{
	snprintf(s->drill, sizeof(s->drill), "none (%.480s)", why->message);
	return 0;
}

/** @param built  the database lies in the folder already */
static int drill_in(struct storing *s, const char *folder, int built,
		    struct source *from, struct error *err)
{
	struct proof_options o = { .built = built,
				   .beside = built ? ahead_beside(s->ahead)
						   : NULL,
				   .what = "drill",
				   .scratch = folder };
	struct error missing = ERROR_INIT, further = ERROR_INIT;
	struct proof p = { 0 };
	struct catalog *c = NULL;
	struct object_id content;
	char *path = path_join(folder, DRILL_DB);
	int rc = -1;

	if (!path) {
		error_nomem(err);
		goto done;
	}
	if (proof_open(from, &c, &content, err) < 0)
		goto done;
	rc = proof_build(s->cmd, from, c, &s->content, path, &o, &p, &missing);
	if (rc < 0 && missing.code == ERROR_STANDIN) {
		o.stand_ins = 1;
		o.built = 0;
		rc = proof_build(s->cmd, from, c, &s->content, path, &o, &p,
				 &further);
		if (rc < 0 && further.code != ERROR_STANDIN)
			error_set(err, further.code, "drill: %s",
				  further.message);
		else
			rc = drill_without_whole_proof(s, &missing);
	} else if (rc < 0 && missing.code == ERROR_NOSPACE) {
		rc = drill_without_whole_proof(s, &missing);
	} else if (rc < 0) {
		error_set(err, missing.code,
			  missing.code == ERROR_DAMAGE
				  ? "drill: %s; nothing was stored"
				  : "%s",
			  missing.message);
	} else {
		snprintf(s->drill, sizeof(s->drill), "ok");
		s->drilled = 1;
		proof_note_orphans(s->cmd, &p.check);
	}
	if (rc == 0)
		unlink(path);
done:
	catalog_free(c);
	proof_release(&p);
	free(path);
	return rc;
}

static int make_folder(struct storing *s, char **out, struct error *err)
{
	const char *parent = s->o->scratch;

	if (!parent && !(parent = gitstore_folder(s->store, err)))
		return -1;
	scratch_sweep(parent, "drill");
	return scratch_make(out, parent, "drill", err);
}

static int drill_from_start(struct storing *s, struct source *from,
			    struct error *err)
{
	char *folder = NULL;
	int rc;

	if (make_folder(s, &folder, err) < 0)
		return -1;
	rc = drill_in(s, folder, 0, from, err);
	scratch_remove(folder);
	free(folder);
	return rc;
}

static void forget_ahead(struct storing *s)
{
	ahead_free(s->ahead);
	s->ahead = NULL;
}

/** Without a schema: all that was written is read, checked and compared. */
static int read_back(struct storing *s, struct source *from, struct error *err)
{
	struct error why = ERROR_INIT;
	struct catalog *c = NULL;
	struct object_id content;
	int rc = -1;

	if (proof_open(from, &c, &content, &why) == 0 &&
	    proof_read(from, c, &why) == 0)
		rc = proof_intact(from, c, &s->content, &why);
	catalog_free(c);
	if (rc < 0)
		return error_set(err, why.code,
				 why.code == ERROR_DAMAGE
					 ? "read back: %s; nothing was stored"
					 : "%s",
				 why.message);
	snprintf(s->drill, sizeof(s->drill), GITSTORE_NO_SCHEMA);
	return 0;
}

/** With one: restored into `copy` of that database, and compared there. */
static int drill_records_in(struct storing *s, const char *copy,
			    struct source *from, struct error *err)
{
	struct error why = ERROR_INIT;
	struct staging staging = { 0 };
	int rc = -1;

	staging.how.name = s->o->schema_db;
	if (staging_open(&staging, s->cmd, from, s->o->map, &why) == 0)
		rc = staging_drill(&staging, copy, &why);
	staging_release(&staging);
	if (rc < 0 && (why.code == ERROR_FAILED || why.code == ERROR_REFUSED ||
		       why.code == ERROR_DAMAGE))
		return error_set(err, ERROR_DAMAGE,
				 "drill: %s; nothing was stored", why.message);
	if (rc < 0)
		return error_set(err, why.code, "%s", why.message);
	snprintf(s->drill, sizeof(s->drill), "ok");
	s->drilled = 1;
	return 0;
}

static int drill_records(struct storing *s, struct source *from,
			 struct error *err)
{
	char *folder = NULL, *copy = NULL;
	int rc = -1;

	if (read_back(s, from, err) < 0)
		return -1;
	if (!s->o->schema_db)
		return 0;
	if (make_folder(s, &folder, err) < 0)
		return -1;
	copy = path_join(folder, DRILL_DB);
	if (!copy)
		error_nomem(err);
	else if (restore_copy(s->o->schema_db, copy, err) == 0)
		rc = drill_records_in(s, copy, from, err);
	scratch_remove(folder);
	free(copy);
	free(folder);
	return rc;
}

int storing_drill(struct storing *s, const struct object_id *root,
		  struct error *err)
{
	const char *folder = NULL;
	struct source *from = NULL;
	int rc;

	if (gitstore_tree_source(s->store, root, &from, err) < 0)
		return -1;
	if (records_are(s->catalog)) {
		rc = drill_records(s, from, err);
		goto done;
	}
	if (s->ahead)
		folder = ahead_end(s->ahead, from, &s->content);
	if (folder) {
		rc = drill_in(s, folder, 1, from, err);
		forget_ahead(s);
	} else {
		forget_ahead(s);
		rc = drill_from_start(s, from, err);
	}
done:
	source_free(from);
	return rc;
}
