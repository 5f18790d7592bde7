#!/usr/bin/env python3
"""What the branch keeps: retention, pins, deletes, one source, others' branches,
bare repositories, linked worktrees, reflogs, concurrent exporters."""
import json, os, subprocess, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *


def change(n):
    sql("app.db", "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v); INSERT OR REPLACE INTO t VALUES(1, %d)" % n)


def ids(repo="repo", *more):
    return [s["id"] for s in json.loads(dbstow("list", "--json", "--repo", repo, *more).out)["snapshots"]]


def export(*options, **kw):
    return dbstow("export", "app.db", "--repo", "repo", *options, **kw).out.strip()


new_repo()
made = []
for n in range(10):
    change(n)
    made.append(export("--no-drill") if n % 2 else export())
check(ids() == made[:1:-1], "keep 8, newest first")
check(git("rev-list", "--count", "database-backups") == "9", "nine commits: index and eight snapshots")
parents = git("log", "-1", "--format=%P", "database-backups").split()
check(parents == [made[8], made[9]] + made[7:1:-1], "parents: previous, newest, older ones")

# pins stay, outside the count
dbstow("pin", made[2], "--repo", "repo")
change(20)
made.append(export("--keep", "3"))
check(ids() == [made[10], made[9], made[8], made[2]], "pinned stays: %s" % ids())
change(21)
made.append(export())
check(len(ids()) == 4, "--keep is remembered")
dbstow("delete", made[2], "--yes", "--repo", "repo", status=6, err="~dbstow: snapshot '?%s.*is pinned.*" % made[2][:7])
dbstow("unpin", made[2], "--repo", "repo")
change(22)
made.append(export())
check(made[2] not in ids() and len(ids()) == 3, "unpinned leaves: %s" % ids())

# what was dropped is really gone
git("gc", "-q", "--prune=now")
for gone in made[:9]:
    check(run("git", "-C", "repo", "cat-file", "-e", gone).status != 0, "%s is still there after git gc" % gone)
fsck()
dbstow("verify", "--all", "--repo", "repo")

# delete asks; never the last proven one
dbstow("delete", "latest", "--repo", "repo", status=6,
       err="dbstow: snapshot %s was not deleted; confirm with --yes" % made[12][:8])
dbstow("delete", made[11], "--yes", "--repo", "repo")
check(ids() == [made[12], made[10]], "delete: %s" % ids())
check("Deleted: " + made[11] in git("log", "-1", "--format=%B", "database-backups"), "no tombstone")
dbstow("delete", made[10], "--yes", "--repo", "repo")
dbstow("delete", "latest", "--yes", "--repo", "repo", status=6, err="~dbstow: snapshot '?%s.*last.*" % made[12][:7])

# one source a branch
sql("other.db", "CREATE TABLE o(x)")
old = tip()
dbstow("export", "other.db", "--repo", "repo", status=6,
       err="dbstow: branch 'database-backups' holds snapshots of 'app.db', not of 'other.db'; use --branch NAME for "
       "another database, or --source app.db if it is the same one")
check(tip() == old, "refused, but moved")
dbstow("export", "other.db", "--repo", "repo", "--branch", "others")
check(len(ids("repo", "--branch", "others")) == 1, "another branch")

# a branch that is not ours
new_repo("theirs")
open("theirs/f", "w").write("x")
git("add", "f", repo="theirs")
git("commit", "-qm", "theirs", repo="theirs")
git("branch", "database-backups", repo="theirs")
old = tip("theirs")
dbstow("export", "app.db", "--repo", "theirs", status=6,
       err="dbstow: branch 'database-backups' exists and holds something else; use --branch NAME, or --adopt to rename it "
       "to 'database-backups-before-dbstow' first")
dbstow("list", "--repo", "theirs", status=6, err="~dbstow: branch 'database-backups' exists and holds something else.*")
check(tip("theirs") == old, "refused, but moved")
dbstow("export", "app.db", "--repo", "theirs", "--adopt")
check(tip("theirs", "database-backups-before-dbstow") == old, "not renamed")
dbstow("verify", "--drill", "--repo", "theirs")

# bare, worktree, from inside a folder, no commit yet
new_repo("bare", "--bare")
dbstow("export", "app.db", "--repo", "bare")
dbstow("verify", "--repo", "bare")
git("worktree", "add", "-q", "../linked", "HEAD", repo="theirs")
sql("app.db", "INSERT INTO t VALUES(50,50)")
dbstow("export", "app.db", "--repo", "linked")
check(len(ids("theirs")) == 2, "a linked worktree shares the branch")
git("checkout", "-q", "database-backups", repo="linked")
dbstow("export", "app.db", "--repo", "theirs", "--always", status=6, err="~dbstow: branch 'database-backups' is checked out.*")
os.mkdir("no-repo")
dbstow("export", "app.db", "--repo", "no-repo", status=1,
       err="dbstow: no git repository at 'no-repo'; run 'git init' there or name one with --repo")

# two exporters at once lose nothing
new_repo("busy")
for k in range(6):
    sql("busy%d.db" % k, "CREATE TABLE t(x); INSERT INTO t VALUES(%d)" % k)
running = [subprocess.Popen([DBSTOW, "export", "busy%d.db" % k, "--source", "busy", "--repo", "busy"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE) for k in range(6)]
stored = set()
for p in running:
    out, err = p.communicate()
    check(p.returncode == 0, "a concurrent exporter failed: %s" % err.decode())
    stored.add(out.decode().strip())
check(len(stored) == 6 and stored == set(ids("busy")), "snapshots were lost: %d stored, %d listed" % (len(stored), len(ids("busy"))))
fsck("busy")
