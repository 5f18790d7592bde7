/*
 * test_round_trip.c - random databases come back as they were
 *
 * usage: property_test_round_trip [ROUNDS [FIRST_SEED]]
 *
 * Each round prints nothing; a failing one prints its seed, and
 * "property_test_round_trip 1 SEED" repeats it, keeping both files.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/proof.h"
#include "database/database.h"
#include "export/export.h"
#include "snapshot/catalog.h"
#include "snapshot/manifest.h"
#include "tests/property/random_db.h"
#include "tests/property/same_db.h"
#include "tests/support/memory_store.h"

/** Export `path` into `sink`; @return the root and data trees */
static int export_to(const char *path, struct sink *sink,
		     struct object_id *root, struct object_id *content,
		     struct error *err)
{
	struct snapshot_info info = { 0 };
	struct database_options o = { .busy_timeout_ms = 1000 };
	struct database *db = NULL;
	struct catalog *c = NULL;
	int rc = -1;

	if (database_open(&db, path, &o, err) == 0 &&
	    database_begin(db, err) == 0 &&
	    database_catalog(db, &c, err) == 0 &&
	    export_data(db, c, sink, NULL, content, err) == 0) {
		info.source = (char[]){ "random.db" };
		info.tool_version = (char[]){ "test" };
		info.kind = (char[]){ "manual" };
		info.content = *content;
		info.page_size = c->page_size;
		info.auto_vacuum = c->auto_vacuum;
		info.wal = c->wal;
		rc = export_root(&info, c, content, sink, root, err);
	}
	catalog_free(c);
	database_close(db);
	return rc;
}

/** What cannot be proven whole must come back with stand-ins, its rows equal:
 *  proof_build() compares those. */
static int with_stand_ins(const struct cmd *quiet, struct source *s,
			  const struct catalog *c,
			  const struct object_id *content, const char *to,
			  struct error *err)
{
	struct proof_options o = { .what = "test", .stand_ins = 1 };
	struct proof proof = { 0 };
	int rc;

	error_clear(err);
	rc = proof_build(quiet, s, c, content, to, &o, &proof, err);
	if (rc == 0 && !proof.stand_ins)
		rc = error_set(err, ERROR_DAMAGE, "needed no stand-ins");
	proof_release(&proof);
	return rc < 0 ? -1 : 1;
}

/** @return 0 came back whole; 1 with stand-ins; -1 */
static int round_trip(const char *from, const char *to, struct error *err)
{
	struct cmd quiet = { .name = "test", .quiet = 1 };
	struct proof_options o = { .what = "test" };
	struct memory_store *m = memory_store_new();
	struct object_id root, content, recorded, again, again_root;
	struct proof proof = { 0 };
	struct catalog *c = NULL;
	struct source *s = NULL;
	char why[512];
	int rc = -1;

	if (export_to(from, memory_store_sink(m), &root, &content, err) < 0)
		goto done;
	s = memory_store_source(m, &root);
	if (proof_open(s, &c, &recorded, err) < 0 ||
	    proof_intact(s, c, &content, err) < 0)
		goto done;
	if (proof_build(&quiet, s, c, &content, to, &o, &proof, err) < 0) {
		if (err->code == ERROR_STANDIN)
			rc = with_stand_ins(&quiet, s, c, &content, to, err);
		goto done;
	}
	if (!same_db(from, to, why, sizeof(why))) {
		error_set(err, ERROR_DAMAGE, "not the same: %s", why);
		goto done;
	}
	if (export_to(to, memory_store_sink(m), &again_root, &again, err) < 0)
		goto done;
	if (memcmp(&again, &content, sizeof(content))) {
		error_set(err, ERROR_DAMAGE, "exports differently");
		goto done;
	}
	rc = 0;
done:
	catalog_free(c);
	source_free(s);
	proof_release(&proof);
	memory_store_free(m);
	return rc;
}

static void remove_db(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
	char name[512];

	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		if (unlink(name) && errno != ENOENT)
			abort();
	}
}

int main(int argc, char **argv)
{
	uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10)
				 : (uint64_t)time(NULL) * 1000003;
	const char *tmp = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	char from[512], to[512], *folder = NULL;
	struct error err = ERROR_INIT;
	uint64_t failed = 0, stood_in = 0;
	int outcome;

	if (scratch_make(&folder, tmp, "dbstow-property", &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	snprintf(from, sizeof(from), "%s/from.db", folder);
	snprintf(to, sizeof(to), "%s/to.db", folder);
	printf("%" PRIu64 " rounds from seed %" PRIu64 "\n", rounds, seed);
	for (uint64_t i = 0; i < rounds; i++) {
		error_clear(&err);
		random_db(from, seed + i);
		outcome = round_trip(from, to, &err);
		stood_in += outcome > 0;
		if (outcome < 0 && !is_malformed(from)) {
			printf("seed %" PRIu64 ": %s\n", seed + i, err.message);
			failed++;
			if (rounds == 1) {
				printf("kept in %s\n", folder);
				return 1;
			}
		}
		remove_db(from);
		remove_db(to);
	}
	scratch_remove(folder);
	free(folder);
	printf("%" PRIu64 " needed stand-ins\n", stood_in);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", rounds - failed,
	       failed);
	return failed != 0;
}
