#!/usr/bin/env python3
"""SIGKILL in the middle of an export: at a hundred moments of a larger one, and
at every system call of a small one.  The branch is the old or the new one, git
fsck is clean, the next export succeeds and sweeps what was left."""
import os, random, shutil, subprocess, sys, time
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

# LeakSanitizer cannot run under a tracer.
ENV = {"ASAN_OPTIONS": "detect_leaks=0"}


def leftovers(repo):
    """What no run may leave once another one has finished."""
    bad = []
    for folder, dirs, files in os.walk(os.path.join(repo, ".git")):
        for name in files + dirs:
            full = os.path.join(folder, name)
            if name.endswith((".keep", ".lock")) or name.startswith("tmp_") or \
                    ("dbstow/" in full and name != "lock" and not name.startswith("cache-")):
                bad.append(full)
    packs = os.listdir(os.path.join(repo, ".git", "objects", "pack"))
    stems = {os.path.splitext(p)[0] for p in packs}
    bad += [s for s in stems if s + ".pack" not in packs or s + ".idx" not in packs]
    return bad


def after_kill(repo, db, old, new_content, what):
    now = tip(repo)
    if now != old:
        check(content(repo) == new_content, what + ": the branch is neither old nor new")
    fsck(repo)
    dbstow("export", db, "--repo", repo, env=ENV)
    check(content(repo) == new_content, what + ": the next export differs")
    fsck(repo)
    left = leftovers(repo)
    check(not left, what + ": left behind: %s" % left)


def make(path, rows):
    sql(path, """CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
      CREATE TABLE c(id INTEGER PRIMARY KEY, t REFERENCES t(id));
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d)
      INSERT INTO t SELECT i, 'row '||i||hex(i*i) FROM n;
      INSERT INTO c SELECT id, id FROM t WHERE id %% 3 = 0;""" % rows)


def prepare(rows):
    """A repository with one snapshot, and a database that has moved on."""
    for leftover in ("base", "a.db"):
        shutil.rmtree(leftover, ignore_errors=True)
    make("a.db", rows)
    new_repo("base")
    dbstow("export", "a.db", "--repo", "base")
    sql("a.db", "UPDATE t SET v = v || '!' WHERE id % 7 = 0; DELETE FROM c WHERE id < 30")
    shutil.copytree("base", "final")
    dbstow("export", "a.db", "--repo", "final")
    return tip("base"), content("final")


def fresh(old):
    shutil.rmtree("repo", ignore_errors=True)
    shutil.copytree("base", "repo", symlinks=True)


# at every system call of a small export
old, new = prepare(40)
fresh(old)
r = run("strace", "-f", "-qq", "-o", "trace", DBSTOW, "export", "a.db", "--repo", "repo", env=ENV)
check(r.status == 0, "strace does not work here: " + r.err)
calls = {}
for line in open("trace", errors="replace"):
    name = line.split(None, 1)[1].split("(")[0] if " " in line else ""
    if name.isidentifier():
        calls[name] = calls.get(name, 0) + 1
# Calls that change nothing outside the process are as good as their neighbours.
changing = [n for n in ("openat", "write", "pwrite64", "rename", "renameat", "renameat2", "link",
                        "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "fsync", "fdatasync",
                        "ftruncate", "chmod", "fchmod", "flock", "fcntl", "close") if n in calls]
step = int(os.environ.get("KILL_STEP", "1"))
moments = [(n, k) for n in changing for k in range(1, calls[n] + 1)
           if n not in ("openat", "close", "fcntl") or k % (7 * step) == 0 or k > calls[n] - 20]
moments = moments[::step]
killed = 0
for name, k in moments:
    fresh(old)
    r = run("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + name,
            "-e", "inject=%s:signal=KILL:when=%d" % (name, k),
            DBSTOW, "export", "a.db", "--repo", "repo", env=ENV)
    killed += r.status != 0
    after_kill("repo", "a.db", old, new, "killed at %s %d" % (name, k))
check(killed > len(moments) // 2, "only %d of %d runs were killed" % (killed, len(moments)))
print("%d of %d system calls killed" % (killed, len(moments)))

# at a hundred moments spread over a larger one
for leftover in ("base", "final", "repo"):
    shutil.rmtree(leftover)
os.remove("a.db")
old, new = prepare(60000)
fresh(old)
began = time.monotonic()
dbstow("export", "a.db", "--repo", "repo")
whole = time.monotonic() - began
killed = moved = 0
rounds = int(os.environ.get("KILL_ROUNDS", "100"))
for k in range(rounds):
    fresh(old)
    p = subprocess.Popen([DBSTOW, "export", "a.db", "--repo", "repo"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    time.sleep(whole * (k + 0.5) / rounds)
    p.kill()
    killed += p.wait() != 0
    moved += tip("repo") != old
    if k % 5 == 0:
        after_kill("repo", "a.db", old, new, "killed after %d/%d" % (k, rounds))
    else:
        fsck("repo")
        check(tip("repo") == old or content("repo") == new, "neither old nor new")
check(killed > rounds // 4, "only %d of %d runs were killed" % (killed, rounds))
print("%d of %d moments killed, %d after the branch had moved" % (killed, rounds, moved))
