/* safety.c - a snapshot of the target before it is changed */

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/safety.h"
#include "cmd/shell.h"
#include "database/database.h"
#include "export/export.h"
#include "gitstore/gitstore.h"
#include "restore/restore.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest.h"

static int open_catalog(const char *path, struct database **db,
			struct catalog **c, struct error *err)
{
	const struct database_options o = { .allow_empty = 1 };

	*db = NULL;
	*c = NULL;
	if (database_open(db, path, &o, err) == 0 &&
	    database_begin(*db, err) == 0 && database_catalog(*db, c, err) == 0)
		return 0;
	database_close(*db);
	*db = NULL;
	return -1;
}

char *safety_schema_revision(const char *target)
{
	struct error quiet = ERROR_INIT;
	struct database *db;
	struct catalog *c;
	char *revision = NULL;

	if (open_catalog(target, &db, &c, &quiet) < 0)
		return NULL;
	if (c->schema_revision)
		revision = strdup(c->schema_revision);
	catalog_free(c);
	database_close(db);
	return revision;
}

static int describe_undo(const struct cmd *c, const char *name,
			 const char *target, char **undo, struct error *err)
{
	struct buffer b = BUFFER_INIT;

	buffer_printf(&b, "dbstow restore %s --yes --to ", name);
	shell_quote(&b, target);
	if (c->repo) {
		buffer_str(&b, " --repo ");
		shell_quote(&b, c->repo);
	}
	*undo = buffer_detach(&b);
	return *undo ? 0 : error_nomem(err);
}

static int keep_in_repository(const struct cmd *c, struct gitstore *store,
			      const char *target, char **undo,
			      struct error *err)
{
	struct gitstore_snapshot s = { .kind = "safety",
				       .drill = "none (safety copy)" };
	struct export_progress how = { .jobs = c->jobs };
	struct snapshot_info info = { 0 };
	struct catalog *catalog = NULL;
	struct database *db = NULL;
	struct object_id id;
	struct sink *sink;
	char *name = NULL;
	int rc = -1;

	if (open_catalog(target, &db, &catalog, err) < 0)
		return -1;
	info.source = (char *)path_base(target);
	info.tool_version = (char[]){ DBSTOW_VERSION };
	info.kind = (char[]){ "safety" };
	info.created_at_s = clock_now();
	info.page_size = catalog->page_size;
	info.auto_vacuum = catalog->auto_vacuum;
	info.wal = catalog->wal;
	if (!(sink = gitstore_undo_sink(store, err)) ||
	    export_data(db, catalog, sink, &how, &info.content, err) < 0)
		goto done;
	for (size_t i = 0; i < catalog->table_count; i++) {
		info.tables += catalog->tables[i].kind != TABLE_INTERNAL;
		info.rows += catalog->tables[i].rows;
		info.bytes += catalog->tables[i].bytes;
	}
	if (export_root(&info, catalog, &info.content, sink, &s.tree, err) < 0)
		goto done;
	s.content = info.content;
	s.created_at_s = info.created_at_s;
	s.source = info.source;
	s.tables = info.tables;
	s.rows = info.rows;
	s.bytes = info.bytes;
	if (gitstore_publish(store, err) < 0 ||
	    gitstore_keep_undo(store, &s, &name, &id, err) < 0)
		goto done;
	cmd_note(c, "kept the old content as '%s'", name);
	rc = describe_undo(c, name, target, undo, err);
done:
	free(name);
	catalog_free(catalog);
	database_close(db);
	return rc;
}

static int keep_beside(const struct cmd *c, const char *target, char **undo,
		       struct error *err)
{
	struct buffer b = BUFFER_INIT;
	char *copy = NULL;

	if (restore_copy_aside(target, &copy, err) < 0)
		return -1;
	cmd_note(c, "kept the old content as '%s'", copy);
	buffer_str(&b, "cp ");
	shell_quote(&b, copy);
	buffer_byte(&b, ' ');
	shell_quote(&b, target);
	buffer_str(&b, " (with no process having it open)");
	free(copy);
	*undo = buffer_detach(&b);
	return *undo ? 0 : error_nomem(err);
}

int safety_keep(const struct cmd *c, const char *target, char **undo,
		struct error *err)
{
	struct error none = ERROR_INIT;
	struct gitstore *store = NULL;
	int rc;

	if (cmd_open_store(c, &store, &none) < 0) {
		if (c->repo)
			return error_set(err, none.code, "%s", none.message);
		return keep_beside(c, target, undo, err);
	}
	rc = keep_in_repository(c, store, target, undo, &none);
	gitstore_free(store);
	if (rc == 0 || none.code == ERROR_DAMAGE ||
	    none.code == ERROR_INTERRUPTED)
		return rc < 0 ? error_set(err, none.code, "%s", none.message)
			      : 0;
	/* A repository that can't be written must not stand in the way of a
	 * restore from it. */
	cmd_note(c,
		 "note: the old content cannot be kept in the repository: "
		 "%s",
		 none.message);
	return keep_beside(c, target, undo, err);
}
