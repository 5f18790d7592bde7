#!/usr/bin/env python3
"""git collects garbage, and leaves nothing of it for a moment, while a sync is
at work: at the remote, which loses nothing that it took, and here."""
import os, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

ENV = "unset $(git rev-parse --local-env-vars); "
far = os.path.abspath("far.git")
new_repo("far.git", "--bare", "-b", "main")
new_repo("a")
git("remote", "add", "origin", far, repo="a")


def insert(n):
    os.environ["SOURCE_DATE_EPOCH"] = str(1780000000 + n)
    sql("app.db", "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(%d, 'row')" % n)


def hook(name, script):
    path = "far.git/hooks/" + name
    if os.path.exists(path):
        os.remove(path)
    if script:
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + ENV + script)
        os.chmod(path, 0o755)


# ---- the remote prunes when it has the objects, and before the branch moves ----
insert(1)
dbstow("export", "app.db", "--repo", "a")
hook("update", "cd '%s' && git prune --expire=now && git repack -adq && git prune --expire=now\n" % far)
for n in 2, 3:
    insert(n)
    dbstow("export", "app.db", "--repo", "a", "--push")
    check(tip("far.git") == tip("a"), "the two tips differ")
    fsck("far.git")
hook("update", None)
