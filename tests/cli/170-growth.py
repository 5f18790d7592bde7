#!/usr/bin/env python3
"""A repository grows by what changed, whatever happens to it in between: tables
dropped and brought back, VACUUM, git gc, a killed run's packs; git reads it all."""
import json, os, subprocess, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *


def size():
    return sum(os.path.getsize(os.path.join("repo/.git/objects/pack", f))
               for f in os.listdir("repo/.git/objects/pack"))


def export(*options):
    return dbstow("export", "app.db", "--repo", "repo", *options).out.strip()


def change(n):
    """One row in a hundred, in every part of the table."""
    sql("app.db", "UPDATE t SET v = v + 1 WHERE (id * 7 + %d) %% 100 = 0; "
                  "INSERT INTO t(v, w) VALUES(%d, hex(randomblob(20)))" % (n, n))


sql("app.db", """CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER, w TEXT);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<30000)
  INSERT INTO t SELECT i, i, hex(randomblob(20)) FROM n;
  CREATE TABLE extra(k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID;
  INSERT INTO extra SELECT w, 'x' || id FROM t WHERE id % 3 = 0;""")
new_repo()
made = [export()]
first = size()

# one percent of all rows: less than a twentieth of the first export
for n in range(1, 13):
    before = size()
    change(n)
    made.append(export())
    check(size() - before < first // 20, "export %d took %d bytes, the first one %d" % (n, size() - before, first))
check(size() < first * 3 // 2, "twelve exports: %d bytes, the first one %d" % (size(), first))
fsck()

# equal content in another layout adds nothing but a list that tells when it was looked at
before = size()
sql("app.db", "VACUUM")
check(export() == made[-1] and size() - before < 4096, "VACUUM")

# a table goes and comes back
sql("app.db", "ALTER TABLE extra RENAME TO gone")
sql("app.db", "CREATE TABLE keep AS SELECT * FROM gone; DROP TABLE gone")
made.append(export())
sql("app.db", """CREATE TABLE extra(k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID;
  INSERT INTO extra SELECT * FROM keep; DROP TABLE keep""")
before = size()
made.append(export())
check(size() - before < first // 20, "a table that came back: %d bytes" % (size() - before))
fsck()

# git takes over, and we go on
for command in (["repack", "-adq"], ["gc", "-q", "--prune=now"], ["gc", "-q", "--aggressive", "--prune=now"]):
    git(*command)
    change(20)
    made.append(export())
    before = size()
    change(30)
    made.append(export())
    check(size() - before < first // 20, "second export after git %s: %d bytes" % (command[0], size() - before))
    fsck()
    dbstow("verify", "--all", "--repo", "repo")

# all that is on the branch is what it was, for git and for us
listed = [s["id"] for s in json.loads(dbstow("list", "--json", "--repo", "repo").out)["snapshots"]]
check(listed == made[::-1][:8], "list: %s" % listed)
subprocess.run("git clone -q --bare file://$PWD/repo clone -b database-backups && cd clone && "
               "git log -p -m > /dev/null && git fsck --full --strict 2> /dev/null", shell=True, check=True)
dbstow("restore", "latest", "--to", "back.db", "--repo", "repo", "--yes")
same("app.db", "back.db")
dbstow("restore", listed[-1], "--to", "old.db", "--repo", "repo", "--yes")
dbstow("verify", "--all", "--drill", "--repo", "clone")
