#!/usr/bin/env python3
"""dbstow serve and clients that mean harm, or are slow, or leave: the others are
served, no export is wrong, and neither files nor memory nor transactions are
left behind."""
import json, os, random, re, signal, socket, sqlite3, subprocess, sys, threading, time
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *
from serving import Answer, Serving

KEY = "canary-5d1c0ffee-of-serve"
K = KEY.encode()

sql("app.db", """PRAGMA journal_mode=wal;
CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
CREATE TABLE move(id INTEGER PRIMARY KEY, a REFERENCES account(id), b REFERENCES account(id), x);
CREATE TABLE ballast(id INTEGER PRIMARY KEY, data TEXT);
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<999) INSERT INTO account SELECT i, 1000 FROM n;""")
# more than sockets and pipes hold, so that a client that does not read stops the export
sql("big.db", """PRAGMA journal_mode=delete; CREATE TABLE t(id INTEGER PRIMARY KEY, data TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<40000) INSERT INTO t SELECT i, hex(randomblob(400)) FROM n;""")
dbstow("export", "big.db", "--output", "big.json")
big = os.path.getsize("big.json") - 2000


def whole(a):
    return a.status == 200 and a.whole and a.body.rstrip().endswith(b"]}}") and len(a.body) > 200


def exchange(s, request):
    """Send it, and no more; -> what came, whole or not."""
    data = b""
    with s.connect(20) as c:
        try:
            c.sendall(request)
            c.shutdown(socket.SHUT_WR)
            while piece := c.recv(65536):
                data += piece
        except OSError:
            pass
    return data


# ---- requests that are none, or two ----
GET = b"GET /export HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + K + b"\r\n"
odd = {
    "two lengths": (400, GET + b"Content-Length: 0\r\nContent-Length: 1\r\n\r\n"),
    "the same length twice": (400, GET + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    "a length and a coding": (400, GET + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "two codings": (400, GET + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "a length in a list": (400, GET + b"Content-Length: 0,0\r\n\r\n"),
    "a length with a sign": (400, GET + b"Content-Length: +0\r\n\r\n"),
    "a length below 0": (400, GET + b"Content-Length: -1\r\n\r\n"),
    "a blank in a name": (400, GET + b"Content-Length : 5\r\n\r\n"),
    "a name without colon": (400, GET + b"Nonsense\r\n\r\n"),
    "two hosts": (400, GET + b"Host: localhost\r\n\r\n"),
    "no host": (400, b"GET /healthz HTTP/1.1\r\n\r\n"),
    "no host, HTTP/1.0": (400, b"GET /healthz HTTP/1.0\r\n\r\n"),
    "an empty host": (421, b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n"),
    "two keys": (400, GET + b"Authorization: Bearer x\r\n\r\n"),
    "chunks": (413, GET + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    "a coding that there is not": ((400, 413), GET + b"Transfer-Encoding: cow\r\n\r\n"),
    "too long a head": (431, GET + b"X: " + b"x" * 40000 + b"\r\n\r\n"),
    "too many headers": (431, GET + b"".join(b"X%d: y\r\n" % i for i in range(4000)) + b"\r\n"),
    "a blank in the path": (None, b"GET /export x HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "no version": (400, b"GET /export\r\nHost: localhost\r\n\r\n"),
    "HTTP/2": (None, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": (None, bytes.fromhex("16030100a5010000a10303") + bytes(100)),
    "nothing": (None, b"\r\n\r\n\r\n"),
}
with Serving("app.db", keys=KEY, log="odd.log") as s:
    files = s.files()
    for name, (status, request) in odd.items():
        data = exchange(s, request)
        a = Answer(data)
        # what is closed with bytes unread may reach a client as a reset
        # libmicrohttpd refuses some itself, each version its own
        check(a.status == status or (isinstance(status, tuple) and a.status in status) or (status == 431 and not data) or (status is None and a.status in (None, 400, 405, 505)), "%s: %s %s" % (name, a.status, a.text[:200]))
        check(b"dbstow-export/1" not in data, "%s: a document" % name)
    # a second request on the connection is not looked at
    a = s.send(GET + b"\r\n" + GET + b"\r\n")
    check(whole(a) and a.body.count(b'"format":"dbstow-export/1"') == 1, "two requests")
    a = s.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
    check(a.text == '{"status":"ok"}\n', "fifty requests: " + a.text)

    # ---- a few hundred that chance made ----
    rnd = random.Random(755)
    seeds = [GET + b"\r\n", GET.replace(K, b"x" * 20) + b"Accept-Encoding: gzip;q=0.5, *;q=0\r\nIf-None-Match: W/\"a\", \"b\"\r\n\r\n",
             b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
             b"POST /export?a=b&c=%00 HTTP/1.0\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nCookie: a=b; c=\"d\"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
    pieces = [b"\0", b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"%", b"%zz", b"\xff\xfe", b"?", b"#", b"/..", b"A" * 5000, b"\r\n ", b",", b";", b'"',
              b"Host: localhost\r\n", b"Content-Length: 18446744073709551616\r\n", b"Expect: 100-continue\r\n", b"Connection: keep-alive\r\n", b"HTTP/9.9"]
    statuses = {}
    for i in range(500):
        request = bytearray(rnd.choice(seeds))
        for _ in range(rnd.randrange(1, 6)):
            at = rnd.randrange(len(request) + 1)
            what = rnd.randrange(4)
            if what == 0:
                request[at:at] = rnd.choice(pieces)
            elif what == 1:
                del request[at:at + rnd.randrange(1, 12)]
            elif what == 2 and at < len(request):
                request[at] = rnd.randrange(256)
            else:
                other = rnd.choice(seeds)
                request[at:at] = other[rnd.randrange(len(other)):][:40]
        data = exchange(s, request)
        a = Answer(data)
        statuses[a.status] = statuses.get(a.status, 0) + 1
        check(b"dbstow-export/1" not in data or K in request, "a document for %r" % bytes(request))
        check(a.status in (None, 100, 200, 400, 401, 403, 404, 405, 406, 411, 413, 414, 421, 431, 501, 505), "%s for %r" % (a.status, bytes(request)))
    check(len(statuses) > 6 and s.ask("/healthz").status == 200 and s.process.poll() is None, "statuses: %s" % statuses)
    s.check_files(files)
    check("canary" not in s.said(), "the key in the log")

# ---- heads that come a byte at a time ----
with Serving("app.db", "--connections", "60", keys=KEY, log="drip.log") as s:
    stop = threading.Event()

    def drip():
        while not stop.is_set():
            try:
                with s.connect(5) as c:
                    for i in range(10000):
                        if stop.wait(0.2):
                            return
                        c.sendall(GET[i % len(GET):i % len(GET) + 1] if i < len(GET) else b"x")
            except OSError:
                pass

    drippers = [threading.Thread(target=drip, daemon=True) for _ in range(80)]
    for t in drippers:
        t.start()
    time.sleep(1)
    for _ in range(3):
        check(s.ask("/healthz", timeout=30).status == 200 and whole(s.ask(key=KEY, timeout=60)), "a healthy client was not served")
    stop.set()
    for t in drippers:
        t.join()
with Serving("app.db", keys=KEY, log="drip2.log") as s:
    with s.connect(30) as c:  # no byte extends the time
        began, ended = time.monotonic(), False
        while not ended and time.monotonic() - began < 25:
            try:
                c.sendall(b"X")
                c.settimeout(0.5)
                ended = not c.recv(100)
            except TimeoutError:
                pass
            except OSError:
                ended = True
        check(ended, "a head may drip for ever")

with Serving("app.db", "--per-client", "2", keys=KEY, log="each.log") as s:
    with s.connect() as a, s.connect() as b:
        time.sleep(0.3)
        check(s.ask("/healthz").status is None, "a third connection")
    time.sleep(0.3)
    check(s.ask("/healthz").status == 200, "after the two")

# ---- who does not take what he asked for: neither others nor writers wait for him ----
with Serving("big.db", "--scratch", ".", keys=KEY, log="kept.log") as s:
    files, before = s.files(), sorted(os.listdir("."))
    slow = []
    for _ in range(3):
        c = s.connect(60)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        c.sendall(s.head(key=KEY))
        slow.append((c, c.recv(12)))
    check([head for _, head in slow] == [b"HTTP/1.1 200"] * 3, "slow ones: %s" % slow)
    check(whole(s.ask(key=KEY)), "somebody beside them")
    query("big.db", "UPDATE t SET data = '' WHERE id = 1")
    check(sorted(os.listdir(".")) == before, "there is a file with a name")
    # it lies there for them to the end, as it was
    for c, head in slow:
        data = bytearray(head)
        while piece := c.recv(1 << 20):
            data += piece
        c.close()
        a = Answer(bytes(data))
        check(whole(a) and len(a.body) > big and b'{"id":1,"data":""}' not in a.body, "a slow one: %s" % a.status)
    s.check_files(files)
    check(" cut off" not in s.said(), s.said())

    # more than may lie here wait for their turn
    many = [s.connect(60) for _ in range(16)]
    for c in many:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.sendall(s.head(key=KEY))
        check(c.recv(12) == b"HTTP/1.1 200", "one of many")
    waiting = []
    t = threading.Thread(target=lambda: waiting.append(s.ask(key=KEY)))
    t.start()
    t.join(1)
    check(t.is_alive() and s.ask("/healthz").status == 200, "more than may lie here: %s" % waiting)
    for c in many:
        c.close()
    t.join()
    check(whole(waiting[0]), "who waited for room")
    s.check_files(files)

# without a place for it
for how, said in ((["--spool", "0"], ""),
                  (["--scratch", "nowhere"], "dbstow: exports cannot be kept for slow clients: cannot tell the free space of 'nowhere': No such "
                   "file or directory; give another folder with --scratch, or --spool 0\n")):
    with Serving("app.db", *how, keys=KEY, log="none.log") as s:
        check(whole(s.ask(key=KEY)) and s.said().startswith(said + "dbstow: serving"), s.said())
dbstow("serve", "app.db", "--spool", "1T", status=2, err="dbstow: --spool '1T' is no number of bytes such as 500M or 10G", env={"DBSTOW_SERVE_KEYS": KEY})

# ---- then an export is made as fast as it is taken, and the others wait ----
with Serving("big.db", "--spool", "0", "--idle", "2", "--queue", "1", keys=KEY, log="slow.log") as s:
    files = s.files()
    slow = s.connect()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(s.head(key=KEY))
    check(slow.recv(12) == b"HTTP/1.1 200", "slow")
    waiting = []
    t = threading.Thread(target=lambda: waiting.append(s.ask(key=KEY)))
    t.start()
    time.sleep(0.5)
    a = s.ask(key=KEY)
    check((a.status, a.headers.get("retry-after")) == (503, "15"), "the queue has no end: %s" % a.status)
    check(json.loads(a.text)["error"]["code"] == "busy", a.text)
    check(s.ask("/healthz").status == 200, "healthz while an export runs")
    t.join()
    check(whole(waiting[0]) and len(waiting[0].body) > big, "who waited was not served")
    check(re.search(r'"GET /export" 200 \d+ bytes \d+ ms key=key-1 cut off\n', s.said()), s.said())
    slow.close()

    # ---- who leaves: the transaction ends, and writers get on ----
    for how in ("sending", "waiting"):
        gone = s.connect()
        gone.sendall(s.head(key=KEY))
        if how == "sending":
            gone.recv(12)
        gone.close()
    query("big.db", "UPDATE t SET data = '' WHERE id = 1")
    check(whole(s.ask(key=KEY)), "after those that left")
    s.check_files(files)
    check(s.memory_kb() < 400000, "memory: %d kB" % s.memory_kb())  # a build with sanitizers has some hundred MB

# ---- the end of it all, with an export on its way ----
def slowly(s, answers, began):
    data = bytearray()
    with s.connect(60) as c:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        c.sendall(s.head(key=KEY))
        data += c.recv(100)
        began.set()
        time.sleep(1)
        try:
            while piece := c.recv(1 << 20):
                data += piece
        except ConnectionResetError:
            pass
    answers.append(Answer(bytes(data)))


s = Serving("big.db", "--spool", "0", keys=KEY, log="end.log")
answers, began, queued = [], threading.Event(), []
t = threading.Thread(target=slowly, args=(s, answers, began))
t.start()
began.wait()
q = threading.Thread(target=lambda: queued.append(s.ask(key=KEY)))
q.start()
time.sleep(0.3)
s.process.send_signal(signal.SIGTERM)
check(s.process.wait(60) == 0, "exit %d: %s" % (s.process.returncode, s.said()))
t.join()
q.join()
check(whole(answers[0]) and len(answers[0].body) > big, "the running export was cut off: %s" % s.said())
check(queued[0].status == 503, "the waiting one: %s" % queued[0].status)
try:
    s.connect(5).close()
    fail("it still listens")
except ConnectionRefusedError:
    pass

for how in ("twice", "grace"):
    s = Serving("big.db", *(["--grace", "1"] if how == "grace" else []), keys=KEY, log="end-%s.log" % how)
    with s.connect() as c:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.sendall(s.head(key=KEY))
        c.recv(12)
        s.process.send_signal(signal.SIGTERM)
        if how == "twice":
            time.sleep(0.3)
            s.process.send_signal(signal.SIGTERM)
        check(s.process.wait(20) == 0, "exit %d" % s.process.returncode)
    check(s.said().endswith("cut off\n") and "dbstow: 1 export was cut off\n" in s.said(), s.said())
    query("big.db", "UPDATE t SET data = '1' WHERE id = 1")

# ---- exports while somebody writes: each is one committed state ----
WRITER = """
import random, sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
db.execute("PRAGMA synchronous=OFF")
rnd = random.Random(7); stop = time.monotonic() + float(sys.argv[2])
while time.monotonic() < stop:
    a, b, x = rnd.randrange(1000), rnd.randrange(1000), rnd.randrange(100)
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE account SET balance = balance - ? WHERE id = ?", (x, a))
    db.execute("UPDATE account SET balance = balance + ? WHERE id = ?", (x, b))
    db.execute("INSERT INTO move(a, b, x) VALUES(?, ?, ?)", (a, b, x))
    db.execute("COMMIT")
    time.sleep(0.002)
"""
with Serving("app.db", "--queue", "8", keys=KEY, log="load.log") as s:
    files = s.files()
    writer = subprocess.Popen([sys.executable, "-c", WRITER, "app.db", "6"])
    documents, others = [], []

    def ask():
        while writer.poll() is None:
            a = s.ask(key=KEY, headers=["Accept-Encoding: identity"])
            (documents if a.status == 200 else others).append(a)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(writer.returncode == 0 and len(documents) >= 5, "%d exports, %d others" % (len(documents), len(others)))
    states = set()
    for a in documents:
        check(whole(a), "not whole")
        d = json.loads(a.text)["tables"]
        balances = {r["id"]: r["balance"] for r in d["account"]}
        check(sum(balances.values()) == 1000000, "balances add up to %d" % sum(balances.values()))
        for m in d["move"]:
            balances[m["a"]] += m["x"]
            balances[m["b"]] -= m["x"]
        check(set(balances.values()) == {1000}, "balances do not fit the moves")
        states.add((len(d["move"]), a.headers["etag"]))
    check(len(states) > 2 and len({n for n, _ in states}) == len({t for _, t in states}), "states and tags: %s" % states)
    s.wait_for(r"ms key=key-1\n$")
    s.check_files(files)
