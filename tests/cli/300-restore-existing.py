#!/usr/bin/env python3
"""Restores onto what is there: consent, the old content kept, other connections
open, side files, damaged targets, --before and --after, bad targets."""
import json, os, sqlite3, sys, tempfile
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

sql("app.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,'good')")
new_repo()
dbstow("export", "app.db", "--repo", "repo")


def content_of(path):
    return [v for v, in query(path, "SELECT v FROM t ORDER BY id")]


def wreck(path, *pragmas):
    for end in ("", "-wal", "-shm", "-journal"):
        if os.path.exists(path + end):
            os.remove(path + end)
    sql(path, "".join("PRAGMA %s;" % p for p in pragmas) +
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,'broken'),(2,'more')")


# consent, and the way back
wreck("live.db")
dbstow("restore", "--repo", "repo", "--to", "live.db", status=6,
       err="dbstow: 'live.db' exists and was not touched; to replace its content add --yes (the old content is kept)")
check(content_of("live.db") == ["broken", "more"], "touched without consent")
r = dbstow("restore", "--repo", "repo", "--to", "live.db", "--yes")
check(content_of("live.db") == ["good"], "not restored")
undo = [l for l in r.err.splitlines() if l.startswith("undo with: ")]
check(len(undo) == 1, "no undo command: " + r.err)
check(git("for-each-ref", "refs/dbstow/undo").count("\n") == 0, "undo refs")
check(run("sh", "-c", undo[0][len("undo with: "):].replace("dbstow", DBSTOW, 1)).status == 0, "undo failed")
check(content_of("live.db") == ["broken", "more"], "undo did not bring the old content back")
for n in range(7):
    sql("live.db", "INSERT INTO t(v) VALUES(%d)" % n)
    dbstow("restore", "--repo", "repo", "--to", "live.db", "--yes")
check(len(git("for-each-ref", "refs/dbstow/undo").splitlines()) == 5, "more than five undo snapshots")
check(json.loads(dbstow("list", "--json", "--repo", "repo").out)["snapshots"].__len__() == 1, "undo is on the branch")
fsck()

# other connections stay sound, in both modes; page size and mode stay
for mode, size in (("delete", 4096), ("wal", 4096), ("wal", 1024), ("delete", 8192)):
    wreck("live.db", "page_size=%d" % size, "journal_mode=%s" % mode)
    other = sqlite3.connect("live.db", isolation_level=None)
    check(other.execute("SELECT count(*) FROM t").fetchone() == (2,), "before")
    dbstow("restore", "--repo", "repo", "--to", "live.db", "--yes")
    check(other.execute("SELECT v FROM t").fetchall() == [("good",)], "%s: an open connection sees something else" % mode)
    other.execute("INSERT INTO t VALUES(5,'after')")
    check(other.execute("PRAGMA journal_mode").fetchone()[0] == mode, "journal mode changed")
    other.close()
    check(content_of("live.db") == ["good", "after"], "%s: a write after the restore was lost" % mode)
    check(query("live.db", "PRAGMA page_size") == [(size,)], "page size changed")
    check(query("live.db", "PRAGMA integrity_check") == [("ok",)], "not sound")

# a reader that stays in its transaction: told, not harmed
wreck("live.db")
other = sqlite3.connect("live.db", isolation_level=None)
other.execute("BEGIN")
other.execute("SELECT * FROM t").fetchall()
dbstow("restore", "--repo", "repo", "--to", "live.db", "--yes", "--timeout", "1", status=1, err="~dbstow: cannot replace '.*live.db': the database stayed locked; stop what uses it, or try again")
other.execute("COMMIT")
other.close()
check(content_of("live.db") == ["broken", "more"], "changed although locked")

# without a repository the safety copy is a file
run("git", "clone", "-q", "--branch", "database-backups", "repo", "checkout")
wreck("live.db")
r = dbstow("restore", "--from", "checkout", "--to", "live.db", "--yes")
copies = [n for n in os.listdir(".") if n.startswith("live.db.pre-restore-")]
check(len(copies) == 1 and content_of(copies[0]) == ["broken", "more"], "no copy: %s" % copies)
check(content_of("live.db") == ["good"], "not restored")
os.remove(copies[0])

# side files without a database
os.remove("live.db")
open("live.db-wal", "wb").write(b"old wal")
dbstow("restore", "--repo", "repo", "--to", "live.db", status=6, err="~dbstow: 'live.db' is not there, but its -wal.*")
check(not os.path.exists("live.db"), "made a file")
dbstow("restore", "--repo", "repo", "--to", "live.db", "--yes")
check(content_of("live.db") == ["good"] and not os.path.exists("live.db-wal"), "side file stayed")
moved = [n for n in os.listdir(".") if n.startswith("live.db.pre-restore-")]
check(len(moved) == 1 and open(moved[0], "rb").read() == b"old wal", "side file not kept: %s" % moved)
os.remove(moved[0])

# a damaged target moves aside whole
open("live.db", "wb").write(b"SQLite format 3\0" + b"\xaa" * 5000)
open("live.db-journal", "wb").write(b"journal")
dbstow("restore", "--repo", "repo", "--to", "live.db", status=6, err="~dbstow: 'live.db' exists and was not touched.*")
dbstow("restore", "--repo", "repo", "--to", "live.db", "--yes")
moved = sorted(n for n in os.listdir(".") if n.startswith("live.db.pre-restore-"))
check(len(moved) == 2 and moved[1].endswith("-journal"), "not moved together: %s" % moved)
check(content_of("live.db") == ["good"], "not restored")
for n in moved:
    os.remove(n)

# damage further in than the schema: kept as files, too
sql("live.db", "CREATE TABLE u(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000) INSERT INTO u SELECT hex(i) FROM n")
page = bytearray(open("live.db", "rb").read())
page[4096 * 5:4096 * 6] = b"\xaa" * 4096
# ... wherever the new file was built
away = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
for options in ((), ("--scratch", away)):
    open("live.db", "wb").write(page)
    os.chmod("live.db", 0o640)
    dbstow("restore", "--repo", "repo", "--to", "live.db", "--yes", *options)
    moved = [n for n in os.listdir(".") if n.startswith("live.db.pre-restore-")]
    check(len(moved) == 1 and open(moved[0], "rb").read() == bytes(page), "not kept: %s" % moved)
    check(content_of("live.db") == ["good"] and os.stat("live.db").st_mode & 0o777 == 0o640, "not restored")
    os.remove(moved[0])
check(not os.listdir(away), "left behind: %s" % os.listdir(away))
os.rmdir(away)

# what takes the place of something has its mode; what is new has SQLite's
def mode_of(path):
    return os.stat(path).st_mode & 0o7777


for umask, mode in ((0o022, 0o644), (0o077, 0o600)):
    before = os.umask(umask)
    dbstow("restore", "--repo", "repo", "--to", "new.db")
    os.umask(before)
    check(mode_of("new.db") == mode, "a new database has mode %o" % mode_of("new.db"))
    os.remove("new.db")
for what in (b"", b"no database"):
    open("odd.db", "wb").write(what)
    os.chmod("odd.db", 0o640)
    dbstow("restore", "--repo", "repo", "--to", "odd.db", "--yes")
    check(mode_of("odd.db") == 0o640 and content_of("odd.db") == ["good"], "mode %o" % mode_of("odd.db"))
    for n in os.listdir("."):
        if n.startswith("odd.db"):
            os.remove(n)
wreck("live.db")
os.chmod("live.db", 0o600)
dbstow("restore", "--repo", "repo", "--to", "live.db", "--yes")
check(mode_of("live.db") == 0o600, "mode of a live database")

# JSON in CHECKs, indexes and computed columns; what only the application can use
JSON = """CREATE TABLE o(id INTEGER PRIMARY KEY, payload TEXT NOT NULL CHECK(JSON_VALID(payload) OR payload IS NULL),
    k AS (json_extract(payload, '$.k')) STORED);
  CREATE INDEX o_k ON o(json_extract(payload, '$.k') DESC, id + 1); CREATE INDEX o_low ON o(lower(payload)) WHERE payload -> 'k' IS NOT NULL;
  CREATE VIEW v AS SELECT json_extract(payload, '$.k') AS k FROM main.o;
  CREATE TRIGGER g AFTER INSERT ON o WHEN json_valid(new.payload) BEGIN UPDATE o SET payload = json(payload) WHERE id = new.id; END;"""
sql("json.db", JSON + """INSERT INTO o VALUES(1,'{"k":1}'),(2,'{"k":2}')""")
new_repo("repo2")
dbstow("export", "json.db", "--repo", "repo2")
for start in (None, "CREATE TABLE q(a)", JSON + """INSERT INTO o VALUES(2,'{"k":3}'),(3,'{}')"""):
    for options in ((), ("--into",), ("--table", "o")):
        if options and start and "TABLE o" not in start:
            continue
        if os.path.exists("j.db"):
            os.remove("j.db")
        if start:
            sql("j.db", start)
        else:
            open("j.db", "wb").write(open("json.db", "rb").read())
        r = dbstow("restore", "--repo", "repo2", "--to", "j.db", "--yes", *options)
        check("to      j.db, which is a database" in r.err.splitlines(), r.err)
        check("undo with" in r.err, r.err)
        same("json.db", "j.db")
check(not [n for n in os.listdir(".") if n.startswith("j.db.pre")], "moved aside")

db = sqlite3.connect("theirs.db")
db.create_collation("app", lambda a, b: (a > b) - (a < b))
db.create_function("fold", 1, str.lower, deterministic=True)
db.executescript("""CREATE TABLE t(a TEXT COLLATE app PRIMARY KEY, b); CREATE INDEX f ON t(fold(b)); CREATE INDEX c ON t(b COLLATE app);
  INSERT INTO t VALUES('x','Y');""")
db.close()
theirs = open("theirs.db", "rb").read()
for repo in ("--repo", "repo"), ("--from", "checkout"):
    open("live.db", "wb").write(theirs)
    r = dbstow("restore", *repo, "--to", "live.db", "--yes")
    check("to      live.db, which is a database" in r.err.splitlines() and "undo with" in r.err, r.err)
    check(content_of("live.db") == ["good"], "not restored")
copies = [n for n in os.listdir(".") if n.startswith("live.db.pre-restore-")]
check(len(copies) == 1 and query(copies[0], "SELECT name FROM sqlite_schema WHERE sql NOT NULL") == [("t",), ("f",), ("c",)],
      "no copy: %s" % copies)
os.remove(copies[0])

# a file has to be a document
open("a.json", "w").write("{}")
dbstow("restore", "--from", "a.json", "--to", "live.db", "--yes", status=1,
       err="dbstow: 'a.json' is no document that dbstow knows: it has neither \"format\":\"dbstow-export/1\" nor \"models\"")

# --before and --after
wreck("live.db")
dbstow("restore", "--repo", "repo", "--to", "live.db", "--yes", "--before", "exit 3", "--after", "touch after-ran", status=1,
       err="dbstow: the --before command 'exit 3' exited with 3")
check(content_of("live.db") == ["broken", "more"] and os.path.exists("after-ran"), "--before failed, yet went on")
os.remove("after-ran")
dbstow("restore", "--repo", "repo", "--to", "live.db", "--yes", "--before", "touch before-ran", "--after", "test -e before-ran && touch after-ran")
check(content_of("live.db") == ["good"] and os.path.exists("after-ran"), "--before, --after")

# bad targets
os.mkdir("folder")
dbstow("restore", "--repo", "repo", "--to", "folder", status=1, err="dbstow: target 'folder' is a folder; name a file in it")
dbstow("restore", "--repo", "repo", "--to", "none/live.db", status=1, err="~dbstow: .*'none'.* does not exist.*")
if os.getuid():
    os.chmod("folder", 0o555)
    dbstow("restore", "--repo", "repo", "--to", "folder/x.db", status=1, err="~dbstow: .*'folder'.*")
    os.chmod("folder", 0o755)
check(not [n for n in os.listdir(".") if n.startswith(".dbstow")], "scratch left behind")
