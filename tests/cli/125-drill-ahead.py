#!/usr/bin/env python3
"""Of a big database each table is drilled as soon as it is stored, in a thread of
its own, from the bytes that were written; and what is wrong there is found."""
import os, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

# A library in front of SQLite's and C's.  It tells in which thread tables are
# loaded, can end the run there, can spoil a page of the drill's database, and can
# change a byte of the pack, on their way to the disk.
SPOIL = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
""" + SPOIL_PAGES + r"""
int sqlite3_create_module_v2(sqlite3 *db, const char *name, const sqlite3_module *m, void *payload, void (*destroy)(void *))
{
	static int (*real)(sqlite3 *, const char *, const sqlite3_module *, void *, void (*)(void *));
	const char *log = getenv("SPOIL_LOG");
	FILE *f;

	if (!real)
		real = dlsym(RTLD_NEXT, "sqlite3_create_module_v2");
	if (m && getenv("SPOIL_KILL") && !strncmp(name, "dbstow", 6))
		kill(getpid(), SIGKILL);
	if (m && log && !strncmp(name, "dbstow", 6) && (f = fopen(log, "a"))) {
		fputs(syscall(SYS_gettid) == getpid() ? "main\n" : "beside\n", f);
		fclose(f);
	}
	return real(db, name, m, payload, destroy);
}

static ssize_t spoil(int fd, const void *data, size_t size, off_t at, const char *name)
{
	ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, name);
	const char *victim = getenv("SPOIL_BYTE");
	char path[64], file[4096], *copy;
	ssize_t n, done;

	copy = spoil_pages(data, size);
	if (copy != data) {
		done = real(fd, copy, size, at);
		free(copy);
		return done;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = victim ? readlink(path, file, sizeof(file) - 1) : -1;
	if (n < 5 || memcmp(file + n - 5, ".pack", 5) || atoll(victim) < at || atoll(victim) >= at + (off_t)size)
		return real(fd, data, size, at);
	copy = malloc(size);
	memcpy(copy, data, size);
	copy[atoll(victim) - at] ^= 0x10;
	done = real(fd, copy, size, at);
	free(copy);
	return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return spoil(fd, data, size, at, "pwrite"); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return spoil(fd, data, size, at, "pwrite64"); }
"""

LOADED = preload(SPOIL)


def spoil(**what):
    return dict(LOADED, **what)


def loaded():
    """Where tables were loaded since it was asked last."""
    lines = open("log").read().split() if os.path.exists("log") else []
    if lines:
        os.unlink("log")
    return lines


def scratch():
    return [n for n in os.listdir("repo/.git/dbstow") if n != "lock" and not n.startswith("cache-")]


# noise that does not compress; tables are stored in the order of their names
sql("app.db", """CREATE TABLE a(id INTEGER PRIMARY KEY, x BLOB); CREATE TABLE b(id INTEGER PRIMARY KEY, n INT, x BLOB REFERENCES a(x));
  CREATE TABLE c(k TEXT PRIMARY KEY, x) WITHOUT ROWID; CREATE TABLE d(x); CREATE INDEX i ON b(n);
  WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n<3000) INSERT INTO a SELECT n, randomblob(1000) FROM i;
  WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n<500) INSERT INTO b SELECT n, n*1000+7, randomblob(300) FROM i;
  INSERT INTO c VALUES('k', 1), ('l', NULL);""")
new_repo()
r = dbstow("export", "app.db", "--repo", "repo", env=spoil(SPOIL_LOG="log"))
check("restorable: restored once and equal" in r.err, r.err)
lines = loaded()
if not lines:
    print("this dbstow does not take SQLite from a shared library; not tried")
    sys.exit(0)
check(lines == ["beside"] * 4, "tables were loaded: %s" % lines)
check(not scratch(), "scratch stayed: %s" % scratch())
fsck()
dbstow("restore", "--repo", "repo", "--to", "out.db")
same("app.db", "out.db")

# what is unchanged is not drilled, what changed little is drilled afterwards
dbstow("export", "app.db", "--repo", "repo", env=spoil(SPOIL_LOG="log"))
check(loaded() == [], "an unchanged database was drilled")
sql("app.db", "UPDATE b SET n = 1 WHERE id = 7")
dbstow("export", "app.db", "--repo", "repo", env=spoil(SPOIL_LOG="log"))
check(loaded() == ["main"] * 4, "a small change")
dbstow("export", "app.db", "--repo", "repo", "--no-drill", "--always", env=spoil(SPOIL_LOG="log"))
check(loaded() == [], "--no-drill")

# a changed table among others that the repository has already; and what runs
# that were killed left, which is as big as the database, goes
sql("app.db", "UPDATE a SET x = randomblob(1000) WHERE id > 1000")
dbstow("export", "app.db", "--repo", "repo", status=-9, env=spoil(SPOIL_KILL="1"))
check([n for n in scratch() if n.startswith("drill.")], "the killed run left no drill: %s" % scratch())
dbstow("export", "app.db", "--repo", "repo", env=spoil(SPOIL_LOG="log"))
check(loaded() == ["beside"] * 4, "a big change")
check(not scratch(), "of a killed run there is still: %s" % scratch())
os.unlink("out.db")
dbstow("restore", "--repo", "repo", "--to", "out.db")
same("app.db", "out.db")

# a value that does not come back
sql("app.db", "UPDATE a SET x = randomblob(1000)")
old = tip()
before = tree("repo")


def nothing_changed(what):
    check(tip() == old, what + ": the branch moved")
    after = tree("repo")
    changed = {k for k in set(before) | set(after) if before.get(k) != after.get(k) and "/dbstow/" not in k}
    check(not changed, "%s: left in the repository: %s" % (what, changed))
    check(not scratch(), "%s: scratch stayed: %s" % (what, scratch()))


r = dbstow("export", "app.db", "--repo", "repo", status=3, env=spoil(SPOIL_PAGE="0500038464012ccf 0500038464012cd0", SPOIL_LOG="log"))
check(r.err.startswith("dbstow: drill: table 'b', row 77 differs after restoring: {\"id\":77,\"n\":77007,"), r.err[:200])
lines = loaded()
check(lines[:4] == ["beside"] * 4 and lines[4:] == ["main"] * 4, "a wrong value: %s" % lines)
nothing_changed("a wrong value")

# a byte that changes on its way to the disk, in a table drilled ahead
for at in ("500000", "2500000"):
    r = dbstow("export", "app.db", "--repo", "repo", status=3, env=spoil(SPOIL_BYTE=at, SPOIL_LOG="log"))
    check("'data/tables/a/" in r.err and "is damaged" in r.err, "byte %s: %s" % (at, r.err))
    nothing_changed("byte " + at)

# interrupted, or without room for the scratch database: as ever
dbstow("export", "app.db", "--repo", "repo", "--scratch", "/proc", status=1, env=spoil(SPOIL_LOG="log"))
nothing_changed("no scratch folder")
dbstow("export", "app.db", "--repo", "repo")
os.unlink("out.db")
dbstow("restore", "--repo", "repo", "--to", "out.db")
same("app.db", "out.db")
fsck()
