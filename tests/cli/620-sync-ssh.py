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
    # both have gone on; a server that speaks version 0 gives out tips alone,
    # and ours is there by then
    sql("app.db", "INSERT INTO t VALUES(3, 'three')")
    three = dbstow("export", "app.db", "--repo", "a", "--push", env=ssh.env).out.strip()
    sql("app.db", "INSERT INTO t VALUES(4, 'four')")
    four = dbstow("export", "app.db", "--repo", "b").out.strip()
    r = dbstow("sync", ssh.url(far), "--repo", "b", env=ssh.env)
    check("stored off-site, 4 snapshots there; sent 1 snapshot, " in r.out and r.out.endswith("; fetched 1 snapshot\n"),
          r.out)
    check(listed("b") == [four, three, two, one] and tip("b") == tip("far.git"), "united: %s" % listed("b"))
    # somebody else's tip between our question and our fetch
    dbstow("delete", four, "--yes", "--repo", "b")
    with open("quicker", "w") as f:
        f.write("""#!/bin/sh
n=$(cat count 2>/dev/null || echo 0); n=$((n + 1)); echo $n >count
[ $n != 2 ] || %s sync %s --repo b -q >/dev/null 2>&1
exec ssh -F '%s' "$@"
""" % (DBSTOW, far, ssh.path("config")))
    os.chmod("quicker", 0o755)
    quick = {"GIT_SSH_COMMAND": os.path.abspath("quicker")}
    r = dbstow("list", "--repo", "a", "--remote", "origin", status=4, env=quick)
    check(r.err == "dbstow: the branch of the remote 'origin' (%s) moved while it was read; try again\n" % ssh.url(far),
          r.err)
    dbstow("unpin", three, "--repo", "b"), dbstow("pin", three, "--repo", "b")
    os.remove("count")
    dbstow("sync", "--repo", "a", env=quick)
    check(open("count").read().strip() > "3", "nobody was quicker")
    check(tip("a") == tip("b") == tip("far.git") and listed("a") == [three, two, one], "quicker: %s" % listed("a"))
    # a host that nobody has met: ssh's own words
    r = dbstow("sync", "--repo", "a", status=5,
               env={"GIT_SSH_COMMAND": ssh.env["GIT_SSH_COMMAND"] + " -o UserKnownHostsFile=/dev/null"})
    check("ost key verification failed" in r.err, r.err)
