#!/usr/bin/env python3
"""The branch over HTTPS, with a real git server: first push, update, reading,
wrong tokens, a repository that the world can read, a token that must appear
nowhere."""
import json, os, re, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *
from servers import *

CANARY = "ghp_CanaryThatMustAppearNowhere0123456789"


def insert(n):
    sql("app.db", "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(%d, 'row %d')" % (n, n))


def export(repo, *options, **kw):
    return dbstow("export", "app.db", "--repo", repo, *options, **kw).out.strip()


def listed(repo, *options, **kw):
    return [s["id"] for s in json.loads(dbstow("list", "--json", "--repo", repo, *options, **kw).out)["snapshots"]]


def sync(repo, *options, **kw):
    r = dbstow("sync", "--repo", repo, *options, **kw)
    check(CANARY not in r.out + r.err, "the token is shown: " + r.out + r.err)
    return r


insert(1)
new_repo("a"), new_repo("b")
one = export("a")
with Authority("ca") as ca, GitServer("web", ca, token=CANARY) as web:
    far = web.new_repo("app.git")
    url = web.url("app.git")
    git("remote", "add", "origin", url, repo="a")

    # ---- unknown authority, no token, a wrong one: nothing is sent ----
    r = sync("a", status=5)
    check("certificate" in r.err, "unknown authority: " + r.err)
    r = sync("a", "--cacert", ca.pem, status=5)
    web.forget_requests()
    r = sync("a", "--cacert", ca.pem, status=5, env={"DBSTOW_TOKEN": "wrong"})
    check("DBSTOW_TOKEN" in r.err and "wrong" not in r.err.replace("DBSTOW_TOKEN was wrong", ""), r.err)
    asked = [q for q in web.requests() if q[2] != "-"]
    check([q[0] for q in asked] == [401], "not exactly one 401: %s" % asked)
    check(tip(far) is None, "something was pushed")

    # ---- first push, update, reading ----
    env = {"DBSTOW_TOKEN": CANARY, "DBSTOW_CACERT": ca.pem}
    r = sync("a", env=env)
    check(re.fullmatch(r"origin: stored off-site, 1 snapshot there; sent 1 snapshot, [0-9.]+ kB\n", r.out), r.out)
    check(tip(far) == tip("a"), "the tips differ")
    insert(2)
    two = export("a", "--push", env=env)
    check(listed("b", "--remote", url, env=env) == [two, one], "list --remote")
    dbstow("restore", one, "--repo", "b", "--remote", url, "--to", "old.db", env=env)
    check(query("old.db", "SELECT count(*) FROM t") == [(1,)], "restore --remote")
    with open("token", "w") as f:
        f.write(CANARY + "\n")
    os.chmod("token", 0o600)
    sync("b", url, "--cacert", ca.pem, "--token-file", "token")
    check(tip("b") == tip("a"), "pull")
    insert(3)
    three = export("b")
    git("config", "dbstow.tokenfile", os.path.abspath("token"), repo="b")
    check(listed("b", "--remote", url, "--cacert", ca.pem) == [two, one], "dbstow.tokenfile")
    git("config", "--unset", "dbstow.tokenfile", repo="b")
    sync("b", url, env=env), sync("a", env=env)
    check(listed("a") == [three, two, one] and tip("a") == tip("b") == tip(far), "both ways")
    fsck(far), fsck("a"), fsck("b")

    # ---- the token is nowhere ----
    for folder in ("a", "b", "home"):
        for name, data in tree(folder).items():
            data = data.encode() if isinstance(data, str) else data
            check(CANARY.encode() not in data, "the token lies in " + name)
    r = dbstow("sync", url.replace("https://", "https://x:%s@" % CANARY), "--repo", "a", status=6, env=env)
    check(CANARY not in r.out + r.err, "userinfo: " + r.err)

# ---- servers that do otherwise ----
with Authority("ca3") as ca, GitServer("other", ca, token=CANARY) as other:
    far = other.new_repo("app.git")
    env = {"DBSTOW_TOKEN": CANARY, "DBSTOW_CACERT": ca.pem}
    with GitServer("moved", ca, token=CANARY, more="location = /app.git/info/refs { return 302 %s; }" %
                   other.url("app.git/info/refs")) as web:
        r = sync("a", web.url("app.git"), status=5, env=env)
        check(other.requests() == [] and "localhost" in r.err, "a redirect was followed: " + r.err)
    for code in (403, 404, 429, 500):
        with GitServer("says%d" % code, ca, token=CANARY, more="location = /app.git/info/refs { return %d; }" % code) as web:
            r = sync("a", web.url("app.git"), status=5, env=env)
            check(str(code) in r.err or (code == 404 and "not" in r.err), "%d: %s" % (code, r.err))
    with GitServer("small", ca, token=CANARY, more="client_max_body_size 1k;") as web:
        far = web.new_repo("app.git")
        r = sync("a", web.url("app.git"), status=5, env=env)
        check("413" in r.err or "too" in r.err, "413: " + r.err)
        check(tip(far) is None, "413: pushed")

# ---- what the world can read ----
with Authority("ca2") as ca, GitServer("open", ca, token=CANARY, public=True) as web:
    far = web.new_repo("app.git")
    env = {"DBSTOW_TOKEN": CANARY, "DBSTOW_CACERT": ca.pem}
    url = web.url("app.git")
    sync("a", url, status=6, env=env,
         err="dbstow: the remote '%s' can be read without a password: the whole world would see every row; make the "
         "repository private, or use --allow-public" % url)
    check(tip(far) is None, "the world has it")
    r = export("a", "--push=" + url, status=6, env=env)
    check(tip(far) is None, "the world has it by export")
    sync("a", url, "--allow-public", env=env)
    check(tip(far) == tip("a"), "--allow-public")
