#!/usr/bin/env python3
"""A fresh clone has the remote-tracking branch and no branch: the first write
goes on from it. Also what settings and names of branches may be."""
import json, os, subprocess, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

REMOTE = "refs/remotes/origin/database-backups"
ON = "note: 'refs/heads/database-backups' is not here; going on from '" + REMOTE + "' (%d snapshots)"


def change(n):
    sql("app.db", "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v); INSERT OR REPLACE INTO t VALUES(%d, %d)" % (n, n))


def listed(repo, *more):
    return json.loads(dbstow("list", "--json", "--repo", repo, *more).out)


def ids(repo, *more):
    return [s["id"] for s in listed(repo, *more)["snapshots"]]


def export(repo, *options, **kw):
    return dbstow("export", "app.db", "--repo", repo, *options, **kw)


def clone(name, *options):
    r = run("git", "clone", "-q", *options, "file://" + os.path.abspath("origin"), name)
    check(r.status == 0, "clone: " + r.err)


new_repo("origin")
git("commit", "-q", "--allow-empty", "-m", "application", repo="origin")
made = []
for n in range(5):
    change(n)
    made.insert(0, export("origin", "--keep", "6").out.strip())
dbstow("pin", made[4], "--repo", "origin")
dbstow("delete", made[3], "--yes", "--repo", "origin")
gone = made.pop(3)
before = tip("origin")

# ---- equal content: nothing is added ----
clone("same")
r = export("same")
check(r.err.splitlines()[0] == ON % 4, "not said: " + r.err)
check(r.out.strip() == made[0] and "unchanged: snapshot %s" % made[0][:8] in r.err, "equal content: " + r.err)
check(ids("same") == made, "list: %s" % ids("same"))
check(dbstow("list", "--repo", "same").err == "", "the lists differ")
fsck("same")

# ---- new content: on top, with pins, tombstones, retention ----
change(5)
clone("new")
check(ids("new") == made, "list before the first export")
check(tip("new") is None, "reading made a branch")
r = export("new")
check(r.err.splitlines()[0] == ON % 4 and "; 5 on the branch" in r.err, "not said: " + r.err)
newest = r.out.strip()
check(ids("new") == [newest] + made, "list: %s" % ids("new"))
check(listed("new")["keep"] == 6 and listed("new")["snapshots"][4]["pinned"], "retention or pin is lost")
check("Deleted: " + gone in git("log", "-1", "--format=%B", "database-backups", repo="new"), "no tombstone")
check("t: 6 rows (+1)" in git("log", "-1", "--format=%B", newest, repo="new"), "no changed rows")
check(git("rev-parse", REMOTE, repo="new") == before, "the remote-tracking branch moved")
export("new", err="~unchanged: snapshot %s holds the same content.*" % newest[:8])
dbstow("verify", "--all", "--drill", "--repo", "new")
fsck("new")
# ... which the origin takes as a whole
git("push", "-q", "origin", "+database-backups", repo="new")
check(ids("origin") == [newest] + made, "pushed: %s" % ids("origin"))

# ---- a branch holds one source ----
clone("other")
sql("other.db", "CREATE TABLE o(x)")
dbstow("export", "other.db", "--repo", "other", status=6,
       err="dbstow: branch 'database-backups' holds snapshots of 'app.db', not of 'other.db'; use --branch NAME for "
       "another database, or --source app.db if it is the same one")
check(tip("other") is None, "refused, but made")

# ---- pin and delete see the same list ----
for argv, count in ((("pin", made[1]), 5), (("delete", made[1], "--yes"), 4)):
    clone(argv[0])
    dbstow(*argv, "--repo", argv[0])
    check(len(ids(argv[0])) == count and tip(argv[0]), argv[0])
    fsck(argv[0])

# ---- several exporters at once in a fresh clone lose nothing ----
clone("busy")
for k in range(3):
    sql("busy%d.db" % k, "CREATE TABLE t(x); INSERT INTO t VALUES(%d)" % k)
running = [subprocess.Popen([DBSTOW, "export", "busy%d.db" % k, "--source", "app.db", "--repo", "busy", "--keep", "20"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE) for k in range(3)]
stored = set()
for p in running:
    out, err = p.communicate()
    check(p.returncode == 0, "a concurrent exporter failed: %s" % err.decode())
    stored.add(out.decode().strip())
check(stored == set(ids("busy")[:3]) and ids("busy")[3:] == [newest] + made, "snapshots were lost: %s" % ids("busy"))
fsck("busy")

# ---- a shallow clone: what cannot be taken over is said, and what to do helps ----
clone("shallow", "--depth", "1", "--no-single-branch")
export("shallow", status=6,
       err="dbstow: snapshot %s of '%s' is not in this repository, and its list cannot be taken over without it; run "
       "'git fetch --unshallow' or work in a full clone" % (newest[:7], REMOTE))
check(tip("shallow") is None, "refused, but made")
git("fetch", "-q", "--unshallow", repo="shallow")
check(export("shallow").out.strip() == newest and ids("shallow") == [newest] + made, "unshallowed")

# ---- a branch named in full ----
export("same", "--branch", "refs/heads/full")
check(tip("same", "full") and ids("same", "--branch", "full") == ids("same", "--branch", "refs/heads/full"), "refs/heads/full")
export("same", "--branch", REMOTE, status=2,
       err="dbstow: '%s' is no branch of this repository; give the name of one, like 'database-backups'" % REMOTE)

# ---- settings that make no sense are not passed over ----
def setting(text):
    with open("same/.dbstow", "w") as f:
        f.write(text)


before = tip("same")
for wrong in ("zero", "0", "-1", "1.5", "8 snapshots", "1000001", "99999999999999999999", ""):
    setting("[dbstow]\n\tkeep = %s\n" % wrong)
    export("same", status=2, err="dbstow: '.dbstow': dbstow.keep is '%s', not a whole number from 1 to 1000000" % wrong)
    check(export("same", "--branch", "full", "--keep", "3").status == 0, "--keep comes first")
for wrong in ("", "a..b", "refs/tags/x"):
    setting("[dbstow]\n\tbranch = %s\n" % wrong)
    for argv in (("list",), ("export", "app.db")):
        dbstow(*argv, "--repo", "same", status=2, err="dbstow: '.dbstow': dbstow.branch is '%s', not the name of a branch" % wrong)
setting("[dbstow\n\tkeep = 3\n")
export("same", status=2, err="~dbstow: cannot read '.*/same/.dbstow': failed to parse config file: .*")
check(tip("same") == before, "refused, but moved")
setting("[dbstow]\n\tkeep = 2\n\tbranch = refs/heads/full\n")
change(6)
export("same")
change(7)
export("same")
check(len(ids("same")) == 2 and tip("same") == before, "settings")
os.unlink("same/.dbstow")
git("config", "dbstow.keep", "many", repo="same")
export("same", status=2, err="dbstow: git's configuration: dbstow.keep is 'many', not a whole number from 1 to 1000000")
