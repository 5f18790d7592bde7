#!/usr/bin/env python3
"""A document is as good as a snapshot: restored and verified from a file or a
pipe, refused when it is not whole."""
import json, os, re, subprocess, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

sql("app.db", """PRAGMA page_size=1024;
CREATE TABLE team(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE member(id INTEGER PRIMARY KEY AUTOINCREMENT, team REFERENCES team, born REAL, photo BLOB);
CREATE TABLE tag(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
CREATE INDEX by_team ON member(team);
CREATE VIEW v AS SELECT name FROM team;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO team SELECT i, 'team ' || i FROM n;
INSERT INTO member(team, born, photo) SELECT id, id / 7.0, randomblob(20) FROM team;
INSERT INTO member(team, photo) VALUES(1, zeroblob(2500000));
INSERT INTO tag VALUES('a', 1), ('b', 9223372036854775807), ('ä', x'00ff');""")
dbstow("export", "app.db", "--output", "app.json")
document = open("app.json", "rb").read()

dbstow("restore", "--from", "app.json", "--to", "new.db",
       err="restored 'new.db'; every table read back equal to the snapshot")
same("app.db", "new.db")
check(query("new.db", "PRAGMA page_size") == [(1024,)], "layout")
check(query("new.db", "PRAGMA integrity_check") == [("ok",)], "integrity")

# from a pipe, and onto a database that is there
with open("app.json", "rb") as f:
    dbstow("restore", "--from", "-", "--to", "piped.db", stdin=f)
same("app.db", "piped.db")
sql("piped.db", "DELETE FROM tag")
dbstow("restore", "--from", "app.json", "--to", "piped.db", "--yes")
same("app.db", "piped.db")
sql("piped.db", "DELETE FROM tag")
dbstow("restore", "--from", "app.json", "--to", "piped.db", "--table", "tag", "--yes")
same("app.db", "piped.db")

# verify, with and without a drill
r = json.loads(dbstow("verify", "--from", "app.json", "--json").out)
check(r["results"][0]["result"] == "intact", "verify: %s" % r)
r = json.loads(dbstow("verify", "--from", "app.json", "--drill", "--json").out)
check(r["results"][0]["result"] == "restorable", "drill: %s" % r)

# what is not whole is refused, and nothing is left
def refused(data, message, status=3):
    open("bad.json", "wb").write(data)
    before = sorted(os.listdir("."))
    dbstow("restore", "--from", "bad.json", "--to", "bad.db", status=status, err="~" + re.escape("dbstow: 'bad.json'" + message).replace("LINE", r"\d+"))
    check(sorted(os.listdir(".")) == before, "left: %s" % os.listdir("."))


lines = document.count(b"\n")
refused(document[:-20], " is incomplete: it ends in line LINE; get it again")
refused(document[:len(document) // 2], " is incomplete: it ends in line LINE; get it again")
refused(b"", " is empty; get it again")
refused(b"<!DOCTYPE html><html>", " is no document that dbstow knows: it begins neither with {\"format\":\"dbstow-export/1\" "
        "nor as a list of records does", status=1)
refused(document.replace(b'"team 77"', b'"team 78"', 1), ": table 'team': the rows do not have the digest that its end tells; "
        "get it again")
refused(document.replace(b'{"id":77,"name":"team 77"},\n', b"", 1), ": table 'team': 4999 rows were read, its end tells another "
        "number; get it again")
refused(document + b"{}", ": line %d: something stands behind the end" % (lines + 1))
dbstow("restore", "--from", "none.json", "--to", "bad.db", status=1,
       err="dbstow: cannot open 'none.json': No such file or directory")
check([n for n in os.listdir(os.environ.get("TMPDIR") or "/tmp") if n.startswith("dbstow-from.")] == [], "scratch stayed")

# a full disk for the scratch files is said
if os.path.exists("/dev/full"):
    p = subprocess.run([DBSTOW, "restore", "--from", "app.json", "--to", "x.db", "--scratch", "/dev/full"],
                       capture_output=True, text=True)
    check(p.returncode == 1 and "/dev/full" in p.stderr, p.stderr)
