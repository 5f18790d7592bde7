#!/usr/bin/env python3
"""dbstow fetch: an export over HTTPS, from servers that do well and from those
that do not: one clear line each, nothing stored, nothing left, and the key
nowhere but in its header."""
import email.utils, gzip, json, os, re, sys, threading, time, zlib
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *
from servers import Authority, Tcp, free_port, read_request

KEY = "canary-5d1c0ffee-of-the-fetch"

sql("app.db", """CREATE TABLE team(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE member(id INTEGER PRIMARY KEY, team REFERENCES team, photo BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO team SELECT i, 'team ' || i FROM n;
INSERT INTO member(team, photo) SELECT id, randomblob(300) FROM team;
INSERT INTO member(team, photo) VALUES(1, zeroblob(1500000));""")
dbstow("export", "app.db", "--output", "app.json")
new_repo("local")
dbstow("export", "app.db", "--repo", "local")
new_repo()
os.mkdir("tmp")
document = open("app.json", "rb").read()
sql("short.db", "CREATE TABLE a(b); INSERT INTO a VALUES(1)")
dbstow("export", "short.db", "--output", "short.json")
short = open("short.json", "rb").read()
seen, counts, lock = [], {}, threading.Lock()


def answer(c, body, status="200 OK", type="application/json", headers=(), framing="length", cut=None):
    head = ["HTTP/1.1 " + status, "Content-Type: " + type, *headers]
    if framing == "chunked":
        head.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in
                        (body[i:i + 10000] for i in range(0, len(body), 10000))) + b"0\r\n\r\n"
    elif framing == "length":
        head.append("Content-Length: %d" % len(body))
    head.append("Connection: close")
    c.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body[:cut])


def bomb(c):
    """1 GB of white space in a megabyte, where a document begins"""
    z = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = z.compress(document[:document.index(b"[{")]) + b"".join(z.compress(b" " * 1000000) for _ in range(1000)) + z.flush()
    answer(c, body, headers=["Content-Encoding: gzip"])


def endless(c):
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + document[:-100])
    while True:
        c.sendall(b" " * 65536)


def serve(c):
    first, headers, _ = read_request(c)
    path = first.split()[1].split("?")[0]
    with lock:
        seen.append((path, headers))
        n = counts[path] = counts.get(path, 0) + 1
    parts = path.strip("/").split("/")
    if headers.get("authorization") != "Bearer " + KEY and headers.get("x-key") != KEY and parts[0] != "open":
        return answer(c, b'{"detail":"who are you?"}', "401 Unauthorized")
    kind = parts[0]
    if kind in ("good", "open"):
        if len(parts) > 1 and parts[1] == "gzip" and "gzip" in headers.get("accept-encoding", ""):
            return answer(c, gzip.compress(document), headers=["Content-Encoding: gzip"], framing=parts[2])
        return answer(c, document, framing=parts[1] if len(parts) > 1 else "length")
    if kind == "etag":
        if headers.get("if-none-match") == '"v1"':
            return c.sendall(b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nConnection: close\r\n\r\n')
        return answer(c, document, headers=['ETag: "v1"'])
    if kind == "echo":
        return answer(c, document, headers=['ETag: "%s"' % KEY])
    if kind == "status":
        return answer(c, b'{"detail":"said \x1b[31m %s"}' % KEY.encode(), parts[1] + " X")
    if kind == "busy":
        if n > 1:
            return answer(c, document)
        when = parts[1] if parts[1] != "date" else email.utils.formatdate(time.time() + 2, usegmt=True)
        return answer(c, b"{}", parts[2] + " X", headers=["Retry-After: " + when])
    if kind == "flaky":
        return answer(c, document) if n > 1 else None
    if kind == "redirect":
        return answer(c, b"", "302 Found", headers=["Location: " + ("http://other.example/x?key=" + KEY if parts[1] == "http" else "https://other.example/x")])
    if kind == "cut":
        body = gzip.compress(document) if parts[1] == "gzip" else document
        more = ["Content-Encoding: gzip"] if parts[1] == "gzip" else []
        return answer(c, body, headers=more, framing=parts[2], cut=int(float(parts[3]) * len(body)))
    if kind == "byte":
        body = gzip.compress(short) if parts[1] == "gzip" else short
        more = ["Content-Encoding: gzip"] if parts[1] == "gzip" else []
        return answer(c, body, headers=more, framing=parts[2], cut=int(parts[3]))
    if kind == "bomb":
        return bomb(c)
    if kind == "endless":
        return endless(c)
    if kind == "lines":
        return answer(c, b'{"model":"a.b","pk":1,"fields":{}}\n{"model":"a.b","pk":2,"fields":{}}\n', type="application/x-ndjson; charset=utf-8")
    if kind == "csv":
        return answer(c, b"a,b\n1,2\n", type="text/csv")
    if kind == "login":
        return answer(c, b"<!DOCTYPE html><title>Log in</title>", type="text/html; charset=utf-8")
    if kind == "page":
        return answer(c, b"<!DOCTYPE html><title>Log in</title>")
    if kind == "empty":
        return answer(c, b"")
    if kind == "notgzip":
        return answer(c, document, headers=["Content-Encoding: gzip"])
    if kind == "stall":
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(document) + document[:200000])
        time.sleep(50)
    if kind == "junk":  # damage, and then silence: the reader does not wait for it
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999999\r\n\r\n" + b'{"format":"dbstow-export/1","snapshot":nonsense,' + b" " * 70000)
        time.sleep(50)


env = {"DBSTOW_FETCH_KEY": KEY, "TMPDIR": os.path.abspath("tmp"), "no_proxy": "*"}


def no_key(r):
    check(KEY not in r.out + r.err and "\x1b" not in r.err, "the key was shown:\n%s%s" % (r.out, r.err))


def state():
    place = "repo/.git/dbstow"
    return (tip(), sorted(os.listdir(place)) if os.path.exists(place) else [], sorted(tree("repo/.git/objects")),
            sorted(os.listdir(".")), os.listdir("tmp"))


with Authority("ca") as ca, Tcp(serve, ca.certificate()) as web:
    env["DBSTOW_CACERT"] = ca.pem

    def fetch(path, *argv, url=None, repo="repo", **kw):
        r = dbstow("fetch", url or web.url(path), *(["--repo", repo] if repo else []), *argv, env=dict(env, **kw.pop("env", {})), **kw)
        no_key(r)
        return r

    def refused(path, message, *argv, status=5, most=20, **kw):
        kw.setdefault("url", web.url(path))
        before, began = state(), time.monotonic()
        r = fetch(path, *argv, status=status, err="~" + re.escape("dbstow: " + message.replace("URL", "'%s'" % kw["url"])).replace("NUMBER", r"\d+"), **kw)
        check(state() == before, "%s left something:\n%s\n%s" % (path, before, state()))
        check(time.monotonic() - began < most, "%s took %d s" % (path, time.monotonic() - began))
        return r

    # ---- it arrives: each framing, compressed or not, gives the content id of a local export ----
    r = fetch("good", err="~stored as snapshot [0-9a-f]{8} \\(restorable: restored once and equal\\); 1 on the branch")
    first = r.out.strip()
    check(content() == content("local"), "another content id")
    check(json.loads(dbstow("show", "--repo", "repo", "--json").out)["kind"] == "fetched", "kind")
    for path in ("good/chunked", "good/close", "good/gzip/length", "good/gzip/chunked", "good/gzip/close"):
        fetch(path, err="unchanged: snapshot %s holds the same content" % first[:8])
    check(seen[-1][1]["user-agent"].startswith("dbstow/"), "agent: %s" % seen[-1][1])
    fsck()

    # ---- what the server says is unchanged is not sent again ----
    fetch("etag", err="unchanged: snapshot %s holds the same content" % first[:8])
    r = json.loads(fetch("etag", "--json", env={"SOURCE_DATE_EPOCH": "4000000000"},
                         err="unchanged: snapshot %s holds the same content; the server has no other" % first[:8]).out)
    check((r["snapshot"], r["changed"], r["read"], r["drill"]) == (first, False, False, "ok"), "unchanged: %s" % r)
    check(seen[-1][1].get("if-none-match") == '"v1"', "not asked")
    check("Checked: 2096-10-02T07:06:40Z" in git("log", "-1", "--format=%B", "database-backups"), "Checked: stayed")
    fetch("etag", "--always")
    check("if-none-match" not in seen[-1][1], "asked although it is stored in any case")
    fetch("good?etag", "--name", "named")
    check("if-none-match" not in seen[-1][1], "another address's ETag")

    fetch("echo")  # an ETag that is the key: see the end

    # ---- keys ----
    with open("key", "w") as f:
        f.write(KEY + "\n")
    os.chmod("key", 0o600)
    without = {"DBSTOW_FETCH_KEY": ""}
    fetch("good", "--key-file", "key", env=without)
    fetch("good", "--key-file", "key", "--header", "X-Key", env=without)
    check("authorization" not in seen[-1][1] and seen[-1][1]["x-key"] == KEY, "header")
    fetch("open", env=without)
    check("authorization" not in seen[-1][1], "a key out of nothing")
    os.chmod("key", 0o644)
    fetch("good", "--key-file", "key", env=without, status=6)
    fetch("good", "--header", "X-Key", env=without, status=2, err="dbstow: --header needs a key; give it with DBSTOW_FETCH_KEY or --key-file")
    refused("good", "URL answered 401 (Unauthorized): {\"detail\":\"who are you?\"}; give a key with DBSTOW_FETCH_KEY or --key-file", env=without)

    # ---- servers that say no ----
    said = ": {\"detail\":\"said ***\"}"
    refused("status/401", "URL answered 401 (Unauthorized)" + said + "; is the key right, and may it do this?")
    refused("status/403", "URL answered 403 (Forbidden)" + said + "; is the key right, and may it do this?")
    refused("status/404", "URL answered 404 (Not Found)" + said)
    refused("status/500", "URL answered 500 (Internal Server Error)" + said)
    check(counts["/status/500"] == 1, "a 500 was tried again")
    refused("redirect/https", "URL redirects to 'https://other.example/x', which is not followed; if you trust that address, use it")
    refused("redirect/http", "URL redirects to 'http://other.example/x', which is not followed; if you trust that address, use it")
    for code in ("429", "503"):
        for when in ("1", "date"):
            r = fetch("busy/%s/%s" % (when, code))
            check("; asking again in " in r.err and counts["/busy/%s/%s" % (when, code)] == 2, "busy: " + r.err)
    refused("busy/3600/429", "URL answered 429 (Too Many Requests): {}; try again in 3600 s")
    fetch("flaky")

    # ---- cut anywhere: exit 5 where the framing tells, else the document has no end ----
    for framing in ("length", "chunked", "close"):
        for how in ("plain", "gzip"):
            for at in ("0.003", "0.5", "0.99"):
                path = "cut/%s/%s/%s" % (how, framing, at)
                before = state()
                r = run(DBSTOW, "fetch", web.url(path), "--repo", "repo", env=env)
                no_key(r)
                said = r.err.strip().splitlines()
                check(len(said) == 1 and said[0].startswith("dbstow: "), "%s: not one line: %s" % (path, r.err))
                check(r.status == 5 or (framing == "close" and r.status in (1, 3)), "%s: %d %s" % (path, r.status, r.err))
                check(state() == before, "%s left something" % path)
    check("is incomplete: it ends in line" in run(DBSTOW, "fetch", web.url("cut/plain/close/0.5"), "--repo", "repo", env=env).err, "incomplete")

    # ---- cut at many bytes, or with CUT_STEP=1 at each; what lacks nothing but a line's end is whole ----
    step = int(os.environ.get("CUT_STEP", "151"))
    new_repo("cut")
    for how, size in (("plain", len(short)), ("gzip", len(gzip.compress(short)))):
        for framing, more in (("length", 0), ("chunked", 11), ("close", 0)):
            for at in sorted({*range(1, size, step), *range(size + more - 9, size + more)}):
                r = run(DBSTOW, "fetch", web.url("byte/%s/%s/%d" % (how, framing, at)), "--repo", "cut", "--timeout", "1", env=env)
                name = "%s, %s, cut at %d of %d: " % (how, framing, at, size)
                no_key(r)
                if framing == "close" and (r.status == 0 or at >= size - (8 if how == "gzip" else 1)):
                    check(at >= size - 9 and r.status == 0, "%sa part counted: %d %s" % (name, r.status, r.err))
                    git("update-ref", "-d", "refs/heads/database-backups", repo="cut")
                    continue
                said = r.err.splitlines()
                check(len(said) == 1 and said[0].startswith("dbstow: "), name + r.err)
                check(r.status == 5 or (framing == "close" and r.status in (1, 3)), "%s%d %s" % (name, r.status, r.err))
                check(tip("cut") is None and os.listdir("tmp") == [], name + "something is left")
    fsck("cut")

    # ---- records, a line each; they are called after the host ----
    new_repo("lines")
    fetch("lines", repo="lines")
    one = json.loads(dbstow("list", "--repo", "lines", "--json").out)["snapshots"][0]
    check((one["source"], one["rows"]) == ("localhost:%d" % web.port, 2), "lines: %s" % one)

    # ---- what is no document, or too much of it ----
    refused("bomb", "URL sent more than the 20000000 bytes it may", "--max-bytes", "20M", most=60)
    refused("endless", "URL sent more than the 8000000 bytes it may", "--max-bytes", "8M", most=60)
    refused("csv", "URL answered with 'text/csv', not 'application/json'; is it the right address?")
    refused("login", "URL answered with 'text/html; charset=utf-8', not 'application/json'; is it the right address?")
    refused("page", "URL is no document that dbstow knows: it begins neither with {\"format\":\"dbstow-export/1\" "
            "nor as a list of records does", status=1)
    refused("empty", "URL is empty; get it again", status=3)
    fetch("notgzip", status=5, err="~dbstow: .*")
    fetch("junk", status=3, err="~dbstow: .*", timeout=20)

    # ---- whom it is from ----
    with Tcp(serve, ca.certificate("old", days=-1)) as old:
        refused("", "the certificate of 'localhost:%d' has expired; it is not trusted" % old.port, url=old.url("good"))
    with Tcp(serve, ca.certificate("other", names=("DNS:other.example",))) as other:
        refused("", "the certificate of 'localhost:%d' is for another host; it is not trusted" % other.port, url=other.url("good"))
    refused("", "the certificate of 'localhost:%d' is from an unknown authority; name its certificate with --cacert FILE if you trust it" % web.port,
            url=web.url("good"), env={"DBSTOW_CACERT": ""})
    port = free_port()
    refused("", "cannot connect to 'localhost:%d': Connection refused" % port, url="https://localhost:%d/x" % port)
    with Tcp(serve) as plain:
        fetch("", url=plain.url("good"), status=2)
        fetch("", "--allow-http", url=plain.url("good"))
    fetch("", "--allow-http", url="http://other.example/x", status=2)
    fetch("", url="https://user:%s@localhost/x" % KEY, status=2)

    # ---- --output ----
    fetch("good/gzip/chunked", "--output", "saved.json", repo=None, err="~'.*/good/gzip/chunked': 2 tables, 4,001 rows written to saved.json")
    check(open("saved.json", "rb").read() == document, "saved otherwise")
    before = sorted(os.listdir("."))
    fetch("cut/plain/close/0.9", "--output", "saved.json", repo=None, status=3)
    fetch("cut/plain/length/0.9", "--output", "none.json", repo=None, status=5)
    fetch("good", "--output", "app.db", repo=None, status=6, err="dbstow: 'app.db' is a SQLite database and was not replaced; give --output another name")
    check(open("saved.json", "rb").read() == document and sorted(os.listdir(".")) == before, "a part was saved")

    # ---- slips ----
    for text in ("0", "x", "10T", "99999999999999G", "-1", "G"):
        fetch("good", "--max-bytes", text, status=2, err="dbstow: --max-bytes '%s' is no number of bytes such as 500M or 10G" % text)

    # ---- silence ends within a minute ----
    refused("stall", "URL sent nothing for 30 s, after NUMBER bytes", most=60)

# the key is in no file that was written
os.remove("key")
for name, data in tree(".").items():
    check(KEY.encode() not in data, "the key stands in " + name)
check(KEY not in git("log", "--all", "--format=%B"), "the key stands in a commit")
fsck()
