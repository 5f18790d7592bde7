#!/usr/bin/env python3
"""The branch over HTTPS, where the server or what lies between goes wrong: old
TLS, certificates that don't hold, a connection cut in the middle of a pack in
either direction, a server that falls silent, one that is not there.  Both sides
stay sound, and the next sync finishes the work."""
import os, re, socket, ssl, sys, threading, time
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *
from servers import *


class Relay:
    """Passes connections on to `port`, and breaks the one that carries more
    than `limit` bytes in the direction `up` (to the server) or down: it closes
    both ends, or with `stall` passes nothing any more."""

    def __init__(self, port, up, limit, stall=False):
        self.far, self.up, self.limit, self.stall = port, up, limit, stall
        self.broken = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.open = []

    def url(self, name):
        return "https://localhost:%d/%s" % (self.port, name)

    def pass_on(self, a, b, counted):
        left, broken = self.limit, False
        try:
            while data := a.recv(16384):
                if counted and (broken or len(data) > left):
                    broken = True
                    self.broken.set()
                    if not self.stall:
                        break
                    continue  # read, but never passed on
                left -= len(data) if counted else 0
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self):
        while True:
            try:
                near, _ = self.socket.accept()
                far = socket.create_connection(("127.0.0.1", self.far))
            except OSError:
                return
            self.open += [near, far]
            for a, b, counted in ((near, far, self.up), (far, near, not self.up)):
                threading.Thread(target=self.pass_on, args=(a, b, counted), daemon=True).start()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        for s in [self.socket, *self.open]:
            s.close()
        return False


def sync(repo, *options, **kw):
    r = dbstow("sync", "--repo", repo, *options, **kw)
    check("t0ken" not in r.out + r.err, "the token is shown: " + r.out + r.err)
    return r


def private_left(repo):
    return [name for name in tree(os.path.join(repo, ".git", "dbstow")) if "transfer" in name or "scratch" in name]


# texts that do not compress, so that a pack has some length
sql("app.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);"
    "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO t SELECT i, randomblob(1000) FROM n")
new_repo("a")
dbstow("export", "app.db", "--repo", "a")
one = tip("a")

with Authority("ca") as ca, GitServer("web", ca, token="t0ken") as web:
    env = {"DBSTOW_TOKEN": "t0ken", "DBSTOW_CACERT": ca.pem}
    far = web.new_repo("app.git")

    # ---- certificates and versions ----
    with Tcp(lambda c: None, ca.certificate(), (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)) as old:
        r = sync("a", old.url("app.git"), env=env, status=5)
        check("TLS" in r.err or "protocol version" in r.err, "TLS 1.1: " + r.err)
    for what, certificate in (("expired", ca.certificate(days=-1)), ("name", ca.certificate("elsewhere", ("DNS:elsewhere",)))):
        asked = []
        with Tcp(lambda c: asked.append(c.recv(100)), certificate) as bad:
            r = sync("a", bad.url("app.git"), env=env, status=5)
            check("certificate" in r.err or "does not match" in r.err, "%s: %s" % (what, r.err))
            check(b"".join(asked) == b"", what + ": the server was asked something")
    with socket.socket() as nobody:  # bound, but not listening
        nobody.bind(("127.0.0.1", 0))
        url = "https://localhost:%d/app.git" % nobody.getsockname()[1]
        r = sync("a", url, env=env, status=5)
        check(r.err == "dbstow: cannot connect to '%s': Connection refused\n" % url.split("/")[2], "no server: " + r.err)
    r = sync("a", web.url("app.git"), env=dict(env, https_proxy="http://user:t0ken@127.0.0.1:9/"), status=5)
    check(r.err == "dbstow: cannot connect to the proxy that https_proxy names: Connection refused\n", "no proxy: " + r.err)
    check(tip(far) is None and tip("a") == one, "something moved")

    # ---- cut in the middle of what is sent ----
    for limit in (2000, 60000, 300000):
        with Relay(web.port, True, limit) as relay:
            r = sync("a", relay.url("app.git"), env=env, status=5)
            check(relay.broken.is_set(), "cut at %d: nothing was cut" % limit)
            check("localhost:%d' was cut " % relay.port in r.err, "cut at %d: %s" % (limit, r.err))
        check(tip(far) is None and tip("a") == one, "cut at %d: a branch moved" % limit)
        check(not private_left("a"), "cut at %d: left behind: %s" % (limit, private_left("a")))
        fsck(far), fsck("a")
    sync("a", web.url("app.git"), env=env)
    check(tip(far) == one, "the next sync did not finish the work")

    # ---- cut in the middle of what comes ----
    new_repo("b")
    for limit in (6000, 60000, 300000):
        with Relay(web.port, False, limit) as relay:
            r = sync("b", relay.url("app.git"), env=env, status=5)
            check(relay.broken.is_set(), "cut at %d: nothing was cut" % limit)
        check(tip("b") is None, "cut at %d: a branch came" % limit)
        check(not private_left("b"), "cut at %d: left behind: %s" % (limit, private_left("b")))
        r = dbstow("restore", "--repo", "b", "--remote", relay.url("app.git"), "--to", "no.db", env=env, status=5)
        check(not os.path.exists("no.db"), "cut at %d: a database came" % limit)
    sync("b", web.url("app.git"), env=env)
    check(tip("b") == one, "the next sync did not bring the branch")
    fsck("b")

    # ---- silence in the middle of what is sent, and refs that come a byte now and then: an end within a minute ----
    def drip(c):
        read_request(c)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-receive-pack-advertisement\r\n\r\nfff0")
        while True:
            c.sendall(b"c")
            time.sleep(0.2)

    sql("app.db", "UPDATE t SET v = randomblob(1000)")
    dbstow("export", "app.db", "--repo", "a")
    with Relay(web.port, True, 60000, stall=True) as relay, Tcp(drip, ca.certificate()) as slow:
        ends = {}
        other = threading.Thread(target=lambda: ends.update(slow=run(DBSTOW, "sync", slow.url("app.git"), "--repo", "b", env=env, timeout=60)))
        other.start()
        r = run(DBSTOW, "sync", relay.url("app.git"), "--repo", "a", env=env, timeout=60)
        check(relay.broken.is_set(), "silence: nothing was held back")
        said = "dbstow: '%s/git-receive-pack' sent nothing for 45 s, after 0 bytes\n" % relay.url("app.git")
        check(r.status == 5 and r.err == said, "silence: %d %s" % (r.status, r.err))
        other.join()
        r = ends["slow"]
        said = "dbstow: '%s/info/refs' did not finish within 55 s\n" % slow.url("app.git")
        check(r.status == 5 and r.err == said, "drip: %d %s" % (r.status, r.err))
    check(tip(far) == one, "silence: the branch moved")
    sync("a", web.url("app.git"), env=env)
    check(tip(far) == tip("a"), "after the silence")
    fsck(far)
