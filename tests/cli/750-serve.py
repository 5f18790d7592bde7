#!/usr/bin/env python3
"""dbstow serve: the document over HTTP to those who have a key, what the others
get, and how it begins, changes its keys and ends."""
import gzip, hashlib, json, os, re, signal, socket, sys, time
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *
from serving import Serving
from servers import Authority, Proxy, free_port

KEY, OTHER = "canary-5d1c0ffee-of-serve", "another-canary-0f-serve"

sql("app.db", """CREATE TABLE team(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE member(id INTEGER PRIMARY KEY, team REFERENCES team, photo BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO team SELECT i, 'team ' || i FROM n;
INSERT INTO member(team, photo) SELECT id, randomblob(300) FROM team;
INSERT INTO member(team, photo) VALUES(1, zeroblob(1500000));""")
new_repo("local")
dbstow("export", "app.db", "--repo", "local")
dbstow("export", "app.db", "--output", "app.json")


def body_of(document):
    """All but what tells when and how it was made."""
    return b"\n".join(l for l in document.split(b"\n") if not l.startswith(b'"snapshot":'))


expected = body_of(open("app.json", "rb").read())


def error(answer, status, code, message, **headers):
    check(answer.status == status, "%s, not %d: %s" % (answer.status, status, answer.text))
    check(json.loads(answer.text) == {"error": {"code": code, "message": message}}, answer.text)
    for name, value in dict(headers, content_type="application/json", cache_control="no-store",
                            x_content_type_options="nosniff", connection="close").items():
        check(answer.headers.get(name.replace("_", "-")) == value, "%s: %s" % (name, answer.headers))


# ---- it does not begin without need ----
def refused(message, *argv, status=2, db="app.db", **env):
    dbstow("serve", db, *argv, status=status, err="dbstow: " + message, timeout=20,
           env=dict({"DBSTOW_SERVE_KEYS": KEY}, **env))


refused("no key is configured, and without one anybody could have the database; set DBSTOW_SERVE_KEYS or give "
        "--keys-file FILE", DBSTOW_SERVE_KEYS="")
refused("key 2 of DBSTOW_SERVE_KEYS has not 16 to 512 characters; make one with: openssl rand -hex 32",
        DBSTOW_SERVE_KEYS=KEY + ", short")
with open("keys", "w") as f:
    f.write("# who may\nci:%s\n" % KEY)
os.chmod("keys", 0o640)
refused("others can read the secret in 'keys' (mode 0640); run: chmod 600 'keys'", "--keys-file", "keys", status=6)
os.chmod("keys", 0o600)
for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:80"):
    refused("'http://%s' can be reached from other machines, and keys and data would go over the network in the clear; "
            "listen on 127.0.0.1 or unix:PATH behind a proxy with TLS, or say --allow-public-bind" % address,
            "--listen", address, status=6)
for address in ("example.org:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:http", ":80", "::1:80", "[::1:80", ""):
    refused("--listen '%s' is no address; give ADDRESS:PORT, with an IP address, or unix:PATH" % address, "--listen", address)
refused("'keys' is no socket, and was left as it is; give --listen another path", "--listen", "unix:keys", status=6)
refused("the path of a socket has 1 to 107 bytes, not '%s'" % ("x" * 108), "--listen", "unix:" + "x" * 108)
check(os.path.isfile("keys"), "a file is gone")
with socket.create_server(("127.0.0.1", 0)) as taken:
    refused("cannot listen on '127.0.0.1:%d': Address already in use" % taken.getsockname()[1],
            "--listen", "127.0.0.1:%d" % taken.getsockname()[1], status=1)

with Serving("app.db", "--host", "db.example", keys="%s,ci:%s" % (OTHER, KEY), log="main.log") as s:
    environ = open("/proc/%d/environ" % s.process.pid, "rb").read()
    command = open("/proc/%d/cmdline" % s.process.pid, "rb").read()
    check(b"canary" not in environ + command, "a key in the process list")
    files = s.files()

    # ---- whether it is well, to anybody ----
    a = s.ask("/healthz")
    check((a.status, a.text) == (200, '{"status":"ok"}\n'), "healthz: %s %s" % (a.status, a.text))
    check(s.ask("/healthz", "HEAD").status == 200, "HEAD /healthz")

    # ---- who may have it ----
    error(s.ask(), 401, "unauthorized", "a key is needed: Authorization: Bearer KEY", www_authenticate="Bearer")
    error(s.ask(headers=["Authorization: Basic " + KEY]), 401, "unauthorized",
          "a key is needed: Authorization: Bearer KEY", www_authenticate="Bearer")
    for key in (KEY[:-1], KEY + "x", KEY.upper(), "x", hashlib.sha256(KEY.encode()).hexdigest()):
        error(s.ask(key=key), 403, "forbidden", "this key may not have the export")
    error(s.ask(key="x" * 5000), 403, "forbidden", "this key may not have the export")
    check(s.ask(method="HEAD").status == 401, "HEAD without a key")

    # ---- the document ----
    a = s.ask(key=KEY)
    check(a.status == 200 and a.whole and body_of(a.body) == expected, "another document: %s" % a.text[:300])
    tag = a.headers["etag"]
    check(tag == 'W/"%s"' % content("local"), "the tag is %s" % tag)
    check(a.headers["vary"] == "Accept-Encoding" and a.headers["content-type"] == "application/json"
          and "content-encoding" not in a.headers, "headers: %s" % a.headers)
    with open("served.json", "wb") as f:
        f.write(a.body)
    new_repo("imported")
    dbstow("import", "served.json", "--repo", "imported")
    check(content("imported") == content("local"), "another content")
    check(json.loads(dbstow("show", "--repo", "imported", "--json").out)["source"] == "app.db", "source")

    for accept, packed in (("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False), ("br", False)):
        a = s.ask(key=OTHER, headers=["Accept-Encoding: " + accept])
        check((a.headers.get("content-encoding") == "gzip") == packed, "%s: %s" % (accept, a.headers))
        check(body_of(gzip.decompress(a.body) if packed else a.body) == expected and a.whole, accept)
        check(a.headers["etag"] == tag and a.headers["vary"] == "Accept-Encoding", "tag of %s" % accept)
    error(s.ask(key=KEY, headers=["Accept-Encoding: identity;q=0"]), 406, "not_acceptable",
          "an export comes as it is or with gzip")
    a = s.ask(method="HEAD", key=KEY)
    check((a.status, a.body) == (200, b""), "HEAD /export")

    # HTTP/1.0: no chunks, the end is the connection's
    a = s.send(b"GET /export HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % KEY.encode())
    check(a.status == 200 and "transfer-encoding" not in a.headers and body_of(a.body) == expected, "HTTP/1.0")

    # ---- what somebody has already ----
    for value in (tag, tag[2:], '"x", ' + tag, "*"):
        a = s.ask(key=KEY, headers=["If-None-Match: " + value])
        check((a.status, a.body, a.headers["etag"]) == (304, b"", tag), "%s: %s" % (value, a.status))
    a = s.ask(key=KEY, headers=['If-None-Match: "%s"' % ("0" * 40)])
    check(a.status == 200, "another tag")
    # written to, but the same content: read to find out
    sql("app.db", "CREATE TABLE x(i); DROP TABLE x;")
    check(s.ask(key=KEY, headers=["If-None-Match: " + tag]).status == 304, "the same content")
    sql("app.db", "UPDATE team SET name = 'new' WHERE id = 7")
    a = s.ask(key=KEY, headers=["If-None-Match: " + tag])
    check(a.status == 200 and a.headers["etag"] != tag and b'{"id":7,"name":"new"}' in a.body, "changed, but not seen")
    sql("app.db", "UPDATE team SET name = 'team 7' WHERE id = 7")

    # ---- what there is not ----
    for path in ("/", "/export/", "/Export", "//export", "/./export", "/%65xport", "/export%00", "/export?x=1", "/healthz?x",
                 "/../app.db", "/app.db", "http://127.0.0.1/export", "/export;x", "/healthz/", "/healthzx", "/" + "x" * 3000):
        error(s.ask(path, key=KEY), 404, "not_found", "there is /export and /healthz, without a query")
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get"):
        error(s.ask(method=method, key=KEY), 405, "method_not_allowed", "this is read with GET or HEAD", allow="GET, HEAD")
    error(s.send(s.head("POST", headers=["Content-Length: 3"]) + b"abc"), 413, "too_large", "no request here has a body")
    error(s.ask(key=KEY, headers=["Content-Length: 999999999999"]), 413, "too_large", "no request here has a body")
    check(s.ask(key=KEY, headers=["Content-Length: 0"]).status == 200, "an empty body is none")
    for host in ("localhost:1", "[::1]", "DB.example", "127.0.0.1:%d" % s.port):
        check(s.ask("/healthz", host=host).status == 200, "host " + host)
    for host in ("evil.example", "db.example.evil", "10.0.0.1", "localhost@evil"):
        error(s.ask("/healthz", host=host), 421, "wrong_host", "this host is not served here; see --host")

    # ---- the log ----
    s.ask("/a b\"\x01/" + KEY + "/x")
    s.ask("/" + KEY)
    s.ask("/export&key=" + KEY + "&x")
    s.ask("/" + "x" * 80 + KEY)
    s.ask("/export?key=" + KEY, key=KEY)
    s.wait_for(r'127\.0\.0\.1 "GET /export" 404 ')
    said = s.said()
    check("canary" not in said, "a key in the log:\n" + said)
    check(re.search(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ 127\.0\.0\.1 "GET /export" 200 \d+ bytes \d+ ms key=key-1$', said, re.M),
          "an export by the first key: " + said)
    check(' ms gzip key=key-1\n' in said and '"HEAD /export" 200 0 bytes' in said and '"GET /%65xport" 404' in said
          and '"GET /***" 404' in said, said)
    s.check_files(files)
    s.process.send_signal(signal.SIGHUP)
    s.wait_for("dbstow: keys of DBSTOW_SERVE_KEYS stay as they are; use --keys-file to change them while serving\n")
    check(s.ask("/healthz").status == 200, "after SIGHUP")

# ---- keys that change while it serves ----
with Serving("app.db", "--keys-file", "keys", "--quiet", log="keys.log") as s:
    def becomes(text, said, **statuses):
        with open("keys", "w") as f:
            f.write(text)
        s.process.send_signal(signal.SIGHUP)
        s.wait_for(said)
        check((s.ask(method="HEAD", key=KEY).status, s.ask(method="HEAD", key=OTHER).status) == (statuses["old"], statuses["new"]),
              "after: " + said)

    check(s.ask(method="HEAD", key=KEY).status == 200 and s.ask(method="HEAD", key=OTHER).status == 403, "at first")
    becomes("%s\nnew:sha256:%s\n" % (KEY, hashlib.sha256(OTHER.encode()).hexdigest()), "read 2 keys from 'keys'", old=200, new=200)
    becomes("new:" + OTHER, "read 1 key from 'keys'", old=403, new=200)
    becomes("oops", "keys stay as they were: key 1 of 'keys' has not 16 to 512 characters", old=403, new=200)
    os.chmod("keys", 0o644)
    becomes(KEY, "keys stay as they were: others can read the secret in 'keys' \\(mode 0644\\)", old=403, new=200)
    os.chmod("keys", 0o600)
    check("GET" not in s.said() and "HEAD" not in s.said() and "canary" not in s.said(), "--quiet: " + s.said())

# ---- a database that cannot be opened ----
os.rename("app.db", "away.db")
with Serving("app.db", keys=KEY, log="gone.log") as s:
    s.wait_for("dbstow: the database cannot be opened: database 'app.db' does not exist\n")
    error(s.ask("/healthz"), 503, "unavailable", "the database cannot be opened")
    error(s.ask(key=KEY), 503, "unavailable", "the database cannot be opened", retry_after="15")
    s.wait_for("dbstow: an export failed: database 'app.db' does not exist\n")
    check(s.said().count("dbstow: the database cannot be opened: database 'app.db' does not exist\n") == 1, s.said())
    os.rename("away.db", "app.db")
    end = time.monotonic() + 20
    while s.ask("/healthz").status != 200:
        check(time.monotonic() < end, "it stays ill")
        time.sleep(0.1)
    s.wait_for("dbstow: the database can be opened again\n")
    check(s.ask(key=KEY).status == 200, "an export at last")

# ---- one that is damaged where it was not looked at yet ----
sql("bad.db", """PRAGMA page_size=4096; CREATE TABLE t(x);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT hex(randomblob(50)) FROM n;""")
with open("bad.db", "r+b") as f:
    f.seek(4096 * 20)
    f.write(b"\xff" * 4096)
with Serving("bad.db", keys=KEY, log="bad.log") as s:
    error(s.ask(key=KEY), 500, "failed", "the database cannot be exported; the server's log says why")
    s.wait_for("dbstow: an export failed: table 't' can't be read behind rowid \\d+: database disk image is malformed\n")
    check(s.ask("/healthz").status == 200, "it opens")

# ---- a unix socket ----
with Serving("app.db", keys=KEY, listen="unix:sock", log="unix.log") as s:
    check(os.stat("sock").st_mode & 0o777 == 0o660, "mode of the socket")
    a = s.ask(key=KEY, host="localhost")
    check(a.status == 200 and body_of(a.body) == expected, "over a socket")
    s.wait_for('Z unix "GET /export" 200')
    refused("cannot listen on 'sock': another process does", "--listen", "unix:sock", status=1)
    s.process.kill()
    s.process.wait()
    s.process.returncode = 0
check(os.path.exists("sock"), "a killed server leaves it")
with Serving("app.db", keys=KEY, listen="unix:sock", log="unix2.log") as s:
    check(s.ask("/healthz").status == 200, "in place of what was left")
check(not os.path.exists("sock"), "the socket is left")

# ---- systemd: it is told, and hands over a socket ----
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, socket.create_server(("127.0.0.1", 0)) as door:
    manager.bind("manager")
    manager.settimeout(20)
    with Serving("app.db", keys=KEY, listen=None, log="systemd.log", handed=door.fileno(),
                 env={"NOTIFY_SOCKET": os.path.abspath("manager")}) as s:
        check(manager.recv(100) == b"READY=1", "ready")
        check(s.port == door.getsockname()[1] and s.ask("/healthz").status == 200, "the socket of systemd")
    check(manager.recv(100) == b"STOPPING=1", "stopping")

# ---- there and back, with TLS ----
with Authority("ca") as ca, Serving("app.db", keys=KEY, log="wire.log") as s, \
        Proxy("proxy", ca, "127.0.0.1:%d" % s.port) as proxy:
    new_repo()
    env = {"DBSTOW_FETCH_KEY": KEY, "DBSTOW_CACERT": ca.pem, "no_proxy": "*"}
    r = dbstow("fetch", proxy.url("export"), "--repo", "repo", env=env, err="~stored as snapshot [0-9a-f]{8} \\(restorable: .*")
    first = r.out.strip()
    check(content() == content("local"), "another content id over the wire")
    dbstow("fetch", proxy.url("export"), "--repo", "repo", env=env,
           err="unchanged: snapshot %s holds the same content; the server has no other" % first[:8])
    check(s.said().count('"GET /export" 304 0 bytes') == 1 and " gzip key=key-1\n" in s.said(), s.said())
    sql("app.db", "DELETE FROM member WHERE id = 5")
    dbstow("fetch", proxy.url("export"), "--repo", "repo", env=env, err="~stored as snapshot .*; 2 on the branch")
    r = dbstow("fetch", proxy.url("export"), "--repo", "repo", env=dict(env, DBSTOW_FETCH_KEY="wrong"), status=5)
    check("answered 403 (Forbidden)" in r.err and "this key may not have the export" in r.err, r.err)
    dbstow("fetch", "http://localhost:%d/export" % s.port, "--allow-http", "--repo", "repo", env=env, err="~unchanged: .*")
    fsck()

for name, data in tree(".").items():
    check(name == "./keys" or KEY.encode() not in data.replace(b'"Bearer', b""), "a key stands in " + name) \
        if not name.startswith("./proxy") else None
