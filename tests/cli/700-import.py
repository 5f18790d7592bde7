#!/usr/bin/env python3
"""A document becomes a snapshot, from a file or a pipe: proven like an
export's; where it is not whole, nothing happened."""
import json, os, re, signal, subprocess, sys, time
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

sql("app.db", """PRAGMA page_size=1024;
CREATE TABLE team(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE member(id INTEGER PRIMARY KEY AUTOINCREMENT, team REFERENCES team, born REAL, photo BLOB);
CREATE TABLE tag(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
CREATE VIEW v AS SELECT name FROM team;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO team SELECT i, 'team ' || i FROM n;
INSERT INTO member(team, born, photo) SELECT id, id / 7.0, randomblob(20) FROM team;
INSERT INTO member(team, photo) VALUES(1, zeroblob(2500000));
INSERT INTO tag VALUES('a', 1), ('b', 9223372036854775807);""")
dbstow("export", "app.db", "--output", "app.json", env={"SOURCE_DATE_EPOCH": "1700000000"})
document = open("app.json", "rb").read()
new_repo()
new_repo("local")
dbstow("export", "app.db", "--repo", "local")

# the same content as an export's own, proven, at the document's time
r = dbstow("import", "app.json", "--repo", "repo",
           err="~stored as snapshot [0-9a-f]{8} \\(restorable: restored once and equal\\); 1 on the branch")
first = r.out.strip()
check(content() == content("local"), "another content id")
fsck()
shown = json.loads(dbstow("show", "--repo", "repo", "--json").out)
check((shown["kind"], shown["source"], shown["drill"], shown["created_at"]) ==
      ("imported", "app.db", "ok", "2023-11-14T22:13:20Z"), "shown: %s" % shown)
dbstow("restore", "--repo", "repo", "--to", "back.db")
same("app.db", "back.db")

# again, through a pipe: the branch only notes that it looked
with open("app.json", "rb") as f:
    r = dbstow("import", "-", "--repo", "repo", "--json", stdin=f,
               err="unchanged: snapshot %s holds the same content" % first[:8])
r = json.loads(r.out)
check((r["snapshot"], r["changed"], r["read"], r["drill"]) == (first, False, True, "ok"), "again: %s" % r)

# an export after it knows the content, and an import knows an export's changes
sql("app.db", "DELETE FROM tag WHERE k = 'a'")
dbstow("export", "app.db", "--output", "next.json")
r = dbstow("import", "next.json", "--repo", "repo", "--name", "second", "-m", "less", "--kind", "weekly", "--jobs", "1")
message = git("log", "-1", "--format=%B", r.out.strip())
check("tag: 1 row (-1)" in message and "Snapshot-Name: second" in message and "Kind: weekly" in message, message)
dbstow("import", "next.json", "--repo", "repo", "--always", "--keep", "2", "--no-drill",
       err="~stored as snapshot [0-9a-f]{8} \\(not proven\\); 2 on the branch, retention dropped older ones")
dbstow("import", "next.json", "--repo", "repo", "--source", "other.db", status=6,
       err="~dbstow: .*'other.db'.*")

# what is not whole changes nothing and leaves nothing
os.mkdir("tmp")
scratch = {"TMPDIR": os.path.abspath("tmp")}


def folder(repo):
    return sorted(n for n in os.listdir(os.path.join(repo, ".git", "dbstow")) if not n.startswith("cache"))


def refused(data, message, status=3):
    open("bad.json", "wb").write(data)
    before = tip(), folder("repo"), sorted(tree("repo/.git/objects")), sorted(os.listdir("."))
    dbstow("import", "bad.json", "--repo", "repo", status=status, env=scratch, err="~" + re.escape("dbstow: 'bad.json'") + message)
    check((tip(), folder("repo"), sorted(tree("repo/.git/objects")), sorted(os.listdir("."))) == before, "something was left")
    check(os.listdir("tmp") == [], "scratch stayed")


open("bad.json", "wb").close()
for cut in (len(document) - 2, len(document) - 20, len(document) // 2, 500):
    refused(document[:cut], r" is incomplete: it ends in line \d+; get it again")
refused(b"", " is empty; get it again")
refused(b"<!DOCTYPE html><html>", " is no document that dbstow knows: .*", 1)
refused(document.replace(b'"team 77"', b'"team 78"', 1), ": table 'team': the rows do not have the digest that its end tells; get it again")
refused(document + b"{}", r": line \d+: something stands behind the end")
refused(document.replace(b'"source":"app.db"', b'"source":""', 1),
        " does not tell what the database is called; give a name with --source", 2)
dbstow("import", "none.json", "--repo", "repo", status=1, err="dbstow: cannot open 'none.json': No such file or directory")
dbstow("import", ".", "--repo", "repo", status=1, err="dbstow: cannot read '.': Is a directory")
dbstow("import", status=2)
dbstow("import", "next.json", "--repo", "repo", "--set-policy", status=2, err="dbstow: --set-policy needs --keep N beside it")

# ended by a signal while it waits for more
before = tip()
p = subprocess.Popen([DBSTOW, "import", "-", "--repo", "repo"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=False)
p.stdin.write(document[:len(document) // 2])
p.stdin.flush()
time.sleep(1)
p.send_signal(signal.SIGTERM)
err = p.stderr.read().decode()
check(p.wait() == 130 and err == "dbstow: interrupted\n", "signal: %s %s" % (p.returncode, err))
check(tip() == before and not [n for n in folder("repo") if "tmp" in n or "drill" in n], "left: %s" % folder("repo"))
fsck()
