/*
 * journals.h - journals and WALs as crashed writers leave them
 */
#ifndef TESTS_DATABASE_JOURNALS_H
#define TESTS_DATABASE_JOURNALS_H

#include "tests/database/fixture.h"

#include <dirent.h>
#include <sys/wait.h>

static inline void crash_in(const char *path, const char *text)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		sqlite3 *sql;

		sqlite3_open(path, &sql);
		sqlite3_exec(sql, text, NULL, NULL, NULL);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* Half of a transaction is in the file, the way back in the journal. */
static inline void make_hot(const char *path)
{
	char journal[600];

	make(path, "CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
		   "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 "
		   "FROM c WHERE i<500) INSERT INTO t SELECT i,'old' FROM c");
	crash_in(path, "PRAGMA cache_size=2; BEGIN IMMEDIATE;"
		       "UPDATE t SET v='DIRTY' || hex(zeroblob(40));"
		       "CREATE TABLE dirty(x);"
		       "INSERT INTO dirty SELECT hex(zeroblob(900)) FROM t");
	snprintf(journal, sizeof(journal), "%s-journal", path);
	assert_true(file_exists(journal));
}

/* Database and WAL as a crash leaves them, without -shm. */
static inline void make_wal(const char *path)
{
	char side[600];

	make(path, "PRAGMA journal_mode=WAL; CREATE TABLE t(id INTEGER PRIMARY "
		   "KEY, v); INSERT INTO t VALUES(1,'in the file')");
	crash_in(path, "PRAGMA wal_autocheckpoint=0;"
		       "INSERT INTO t VALUES(2,'only in the wal')");
	snprintf(side, sizeof(side), "%s-shm", path);
	unlink(side);
	snprintf(side, sizeof(side), "%s-wal", path);
	assert_true(file_exists(side));
}

static inline size_t count_names(const char *folder)
{
	DIR *d = opendir(folder);
	size_t count = 0;

	assert_non_null(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count - 2; /* . and .. */
}

#endif /* TESTS_DATABASE_JOURNALS_H */
