#!/usr/bin/env python3
"""SIGKILL in the middle of a restore onto an existing database: it holds the old
or the new content, and the next restore succeeds and sweeps what was left."""
import os, shutil, subprocess, sys, time
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

ENV = {"ASAN_OPTIONS": "detect_leaks=0"}


def make(path, rows, word):
    sql(path, """CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d)
      INSERT INTO t SELECT i, '%s '||i FROM n; CREATE INDEX tv ON t(v);""" % (rows, word))


def state():
    """The target as SQLite shows it after recovery: 'old', 'new' or what else."""
    rows = query("target.db", "SELECT count(*), min(substr(v,1,3)), max(substr(v,1,3)) FROM t")[0]
    check(query("target.db", "PRAGMA integrity_check") == [("ok",)], "target is not sound")
    if rows == (OLD, "old", "old"):
        return "old"
    if rows == (NEW, "new", "new"):
        return "new"
    fail("target is neither: %r" % (rows,))


def fresh(wal):
    for name in os.listdir("."):
        if name.startswith("target.db") or name.startswith(".dbstow-restore"):
            shutil.rmtree(name) if os.path.isdir(name) else os.remove(name)
    shutil.copyfile("old.db", "target.db")
    if wal:
        query("target.db", "PRAGMA journal_mode=WAL")
    shutil.rmtree("repo", ignore_errors=True)
    shutil.copytree("base", "repo", symlinks=True)


def after_kill(what, thorough):
    now = state()
    fsck()
    if thorough:
        dbstow("restore", "--repo", "repo", "--to", "target.db", "--yes", env=ENV)
        check(state() == "new", what + ": the next restore failed")
        left = [n for n in os.listdir(".") if n.startswith(".dbstow-restore") or
                n in ("target.db-journal",)]
        check(not left, what + ": left behind: %s" % left)
    return now


def prepare(old, new):
    global OLD, NEW
    OLD, NEW = old, new
    for name in ("old.db", "new.db"):
        if os.path.exists(name):
            os.remove(name)
    shutil.rmtree("base", ignore_errors=True)
    make("old.db", old, "old")
    make("new.db", new, "new")
    new_repo("base")
    dbstow("export", "new.db", "--repo", "base")


COMMAND = [DBSTOW, "restore", "--repo", "repo", "--to", "target.db", "--yes"]

prepare(30, 50)
names = ("write", "pwrite64", "rename", "renameat2", "linkat", "unlink", "unlinkat", "rmdir", "fsync",
         "fdatasync", "ftruncate", "mkdir")
step = int(os.environ.get("KILL_STEP", "1"))
for wal in (False, True):
    fresh(wal)
    r = run("strace", "-f", "-qq", "-o", "trace", *COMMAND, env=ENV)
    check(r.status == 0, "strace: " + r.err)
    calls = {}
    for line in open("trace", errors="replace"):
        name = line.split(None, 1)[1].split("(")[0] if " " in line else ""
        calls[name] = calls.get(name, 0) + 1
    moments = [(n, k) for n in names for k in range(1, calls.get(n, 0) + 1)][::step]
    seen = {"old": 0, "new": 0}
    for at, (name, k) in enumerate(moments):
        fresh(wal)
        run("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + name,
            "-e", "inject=%s:signal=KILL:when=%d" % (name, k), *COMMAND, env=ENV)
        seen[after_kill("killed at %s %d" % (name, k), at % 4 == 0)] += 1
    check(seen["old"] and seen["new"], "one side was never seen: %r" % seen)
    print("wal" if wal else "rollback", "at %d system calls:" % len(moments), seen)

prepare(40000, 60000)
rounds = int(os.environ.get("KILL_ROUNDS", "100"))
fresh(False)
began = time.monotonic()
check(run(*COMMAND).status == 0, "restore failed")
whole = time.monotonic() - began
seen = {"old": 0, "new": 0}
for k in range(rounds):
    fresh(k % 2 == 1)
    p = subprocess.Popen(COMMAND, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(whole * (k + 0.5) / rounds)
    p.kill()
    p.wait()
    seen[after_kill("killed after %d/%d" % (k, rounds), k % 10 == 0)] += 1
print("at %d moments:" % rounds, seen)
