#!/usr/bin/env python3
"""SIGKILL in the middle of a sync that has to send and to fetch: at its system
calls, and at those of the git that takes what it sends.  Each side's list is a
whole one, no snapshot is lost, git fsck is clean on both, the next sync
finishes the work and nothing is left behind."""
import json, os, re, shutil, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

# LeakSanitizer cannot run under a tracer.
os.environ["ASAN_OPTIONS"] = "detect_leaks=0"


def export(repo, n):
    sql("app.db", "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(%d, 'row %d')" % (n, n))
    return dbstow("export", "app.db", "--repo", repo, "--no-drill").out.strip()


def listed(repo):
    return [s["id"] for s in json.loads(dbstow("list", "--json", "--repo", repo).out)["snapshots"]]


def fresh():
    shutil.rmtree("now", ignore_errors=True)
    shutil.copytree("base", "now", symlinks=True)


def leftovers(repo):
    bad = []
    for folder, dirs, files in os.walk(os.path.join(repo, ".git")):
        for name in files + dirs:
            if name.endswith((".keep", ".lock")) or name.startswith("tmp"):
                bad.append(os.path.join(folder, name))
    return bad


os.mkdir("base")
new_repo("base/far.git", "--bare")
for repo in ("base/a", "base/b"):
    new_repo(repo)
    git("remote", "add", "origin", "../far.git", repo=repo)
one = export("base/a", 1)
dbstow("sync", "--repo", "base/a")
dbstow("sync", "--repo", "base/b")
two = export("base/a", 2)
three = export("base/b", 3)
dbstow("pin", one, "--repo", "base/b")
dbstow("sync", "--repo", "base/b")
fresh()
r = run("strace", "-qq", "-o", "trace", DBSTOW, "sync", "--repo", "now/a")
check(r.status == 0, "strace does not work here: " + r.err)
want = listed("now/a")
check(sorted(want) == sorted([one, two, three]), "the whole: %s" % want)


def after_kill(what):
    for repo in ("now/a", "now/far.git"):
        fsck(repo)
    here, there = listed("now/a"), listed("now/far.git")
    check(set(here) in ({one, two}, set(want)) and set(there) in ({one, three}, set(want)),
          "%s: half a list: %s, %s" % (what, here, there))
    # what moves second is never ahead
    check(set(here) != set(want) or set(there) == set(want), what + ": ours moved before the remote's")
    dbstow("sync", "--repo", "now/a")
    check(listed("now/a") == listed("now/far.git") and set(listed("now/a")) == set(want), what + ": the next sync")
    check(not leftovers("now/a"), "%s: left behind: %s" % (what, leftovers("now/a")))
    for repo in ("now/a", "now/far.git"):
        fsck(repo)
    dbstow("verify", "--all", "--repo", "now/a")


calls = {}
for line in open("trace", errors="replace"):
    name = line.split("(")[0]
    if name.isidentifier():
        calls[name] = calls.get(name, 0) + 1
changing = [n for n in ("write", "pwrite64", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat",
                        "mkdir", "mkdirat", "rmdir", "fsync", "fdatasync", "ftruncate", "chmod", "fchmod", "flock",
                        "clone", "clone3", "vfork", "kill", "wait4", "waitid", "poll", "ppoll") if n in calls]
step = int(os.environ.get("KILL_STEP", "5"))
moments = [(n, k, ()) for n in changing for k in range(1, calls[n] + 1)][::step]
# the other side, too: whichever process comes there first
moments += [(n, k, ("-f",)) for n in ("write", "rename", "link", "unlink") for k in (1, 2, 3)]
killed = 0
for name, k, more in moments:
    fresh()
    r = run("strace", "-qq", *more, "-o", "/dev/null", "-e", "trace=" + name,
            "-e", "inject=%s:signal=KILL:when=%d" % (name, k), DBSTOW, "sync", "--repo", "now/a")
    killed += r.status != 0
    after_kill("killed at %s %d %s" % (name, k, " ".join(more)))
check(killed > len(moments) // 2, "only %d of %d runs were killed" % (killed, len(moments)))
print("%d of %d system calls killed" % (killed, len(moments)))
