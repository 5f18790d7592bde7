#!/usr/bin/env python3
"""The branch over ssh, with a real sshd: first push, update, reading; a host
that is not known."""
import json, os, re, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *
from servers import *


def listed(repo, *options, **kw):
    return [s["id"] for s in json.loads(dbstow("list", "--json", "--repo", repo, *options, **kw).out)["snapshots"]]


sql("app.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 'one')")
new_repo("a"), new_repo("b"), new_repo("far.git", "--bare")
one = dbstow("export", "app.db", "--repo", "a").out.strip()
with Sshd("ssh", "rsa") as ssh:
    far = os.path.abspath("far.git")
    git("remote", "add", "origin", ssh.url(far), repo="a")
    r = dbstow("sync", "--repo", "a", env=ssh.env)
    check(r.out.startswith("origin: stored off-site, 1 snapshot there; sent 1 snapshot, "), r.out)
    check(tip("far.git") == tip("a"), "the tips differ")
    sql("app.db", "INSERT INTO t VALUES(2, 'two')")
    two = dbstow("export", "app.db", "--repo", "a", "--push", env=ssh.env).out.strip()
    check(listed("b", "--remote", ssh.scp_url(far), env=ssh.env) == [two, one], "list --remote")
    dbstow("restore", one, "--repo", "b", "--remote", ssh.url(far), "--to", "old.db", env=ssh.env)
    check(query("old.db", "SELECT count(*) FROM t") == [(1,)], "restore --remote")
    dbstow("sync", ssh.url(far), "--repo", "b", env=ssh.env)
    check(tip("b") == tip("a"), "pull")
    fsck("far.git"), fsck("b")
    # a host that nobody has met: ssh's own words
    r = dbstow("sync", "--repo", "a", status=5,
               env={"GIT_SSH_COMMAND": ssh.env["GIT_SSH_COMMAND"] + " -o UserKnownHostsFile=/dev/null"})
    check("ost key verification failed" in r.err, r.err)
