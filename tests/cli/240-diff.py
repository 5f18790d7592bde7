#!/usr/bin/env python3
"""What changed between two snapshots: text and JSON, rows and schema, from the
branch, a checkout, a document and a remote."""
import json, os, shutil, subprocess, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

sql("app.db", """CREATE TABLE team(id INTEGER PRIMARY KEY, name TEXT, score REAL);
CREATE TABLE tag(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
CREATE TABLE gone(a);
CREATE TABLE quiet(a);
CREATE INDEX by_name ON team(name);
CREATE TRIGGER one AFTER INSERT ON tag BEGIN SELECT 1; END;
CREATE TRIGGER two AFTER INSERT ON tag BEGIN SELECT 2; END;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO team SELECT i, 'team ' || i, i / 7.0 FROM n;
INSERT INTO tag VALUES('a', 1), ('b', 'long ' || printf('%.200c', 'x')), ('c', x'00');
INSERT INTO gone VALUES(1);
INSERT INTO quiet VALUES(1);""")
new_repo()
first = dbstow("export", "app.db", "--repo", "repo", "--name", "first").out.strip()
dbstow("diff", "--repo", "repo", status=1, err="~dbstow: there is no snapshot 'latest~1'; .*")
git("worktree", "add", "-q", "--detach", "../checkout", "database-backups")
dbstow("export", "app.db", "-o", "first.json")

sql("app.db", """UPDATE team SET score = score + 1 WHERE id IN (7, 4000);
INSERT INTO team VALUES(9000, 'new\x1b[31m', NULL);
DELETE FROM team WHERE id = 8;
UPDATE tag SET v = v || 'y' WHERE k = 'b';
UPDATE tag SET k = 'z' WHERE k = 'c';
DROP TABLE gone;
CREATE TABLE neu(q);
INSERT INTO neu VALUES(1), (2), (3);
CREATE VIEW v AS SELECT 1;
DROP INDEX by_name;
CREATE INDEX by_name ON team(name,
  score);
DROP TRIGGER one;
CREATE TRIGGER one AFTER INSERT ON tag BEGIN SELECT 1; END;
PRAGMA user_version = 5""")
second = dbstow("export", "app.db", "--repo", "repo", "-m", "an hour later").out.strip()

r = dbstow("diff", "--repo", "repo", "--limit", "2", err="4 tables: 5 rows added, 3 changed, 3 removed")
lines = r.out.splitlines()
check(lines[0].startswith("--- " + first[:8] + "  20") and lines[0].endswith("Z  first"), r.out)
check(lines[1].startswith("+++ " + second[:8] + "  20") and lines[1].endswith("Z  an hour later"), r.out)
expected = r"""schema:
  ~ user_version 0 -> 5
  - table gone
  + table neu
  ~ index by_name on team
      - CREATE INDEX by_name ON team(name)
      + CREATE INDEX by_name ON team(name,
      +   score)
  + view v
  ~ trigger two on tag: fires in another order
neu: 3 added
  + {"rowid":1,"q":1}
  + {"rowid":2,"q":2}
  ... and 1 more
tag: 1 added, 1 changed, 1 removed
  ~ k="b": v ...xxxxxxxxxxxx" -> ...xxxxxxxxxxxxy"
  - {"k":"c","v":{"$blob":"AA=="}}
  ... and 1 more
team: 1 added, 2 changed, 1 removed
  ~ id=7: score 1.0 -> 2.0
  - {"id":8,"name":"team 8","score":1.1428571428571428}
  ... and 2 more
gone: 1 removed
  - {"rowid":1,"a":1}
"""
check("\n".join(lines[2:]) + "\n" == expected, "got:\n%s" % r.out)
check("\x1b" not in dbstow("diff", "--repo", "repo").out, "a control character came through")
stat = dbstow("diff", "--repo", "repo", "--stat").out.splitlines()[2:]
check([l for l in stat if not l.startswith(" ")] == ["schema:"] + [l for l in expected.splitlines() if l[0] not in " s"],
      "--stat: %s" % stat)
check(not [l for l in stat if l.startswith("      ") or "... and" in l], "--stat tells more: %s" % stat)

# named the other way round, and only some tables
r = dbstow("diff", "latest", "first", "--repo", "repo", "--table", "team", "--table", "gone", "--stat",
           err="2 tables: 2 rows added, 2 changed, 1 removed")
check(r.out.splitlines()[2:] == ["schema:", "  + table gone", "  ~ index by_name on team", "gone: 1 added",
                                 "team: 1 added, 2 changed, 1 removed"], r.out)
r = dbstow("diff", "first", "--repo", "repo", "--table", "quiet", err="no difference")
check(len(r.out.splitlines()) == 2, r.out)
dbstow("diff", "--repo", "repo", "--table", "qiet", status=2, err="dbstow: neither snapshot has a table 'qiet'")

# JSON
d = json.loads(dbstow("diff", "--repo", "repo", "--json").out)
check((d["a"]["id"], d["b"]["id"], d["a"]["name"]) == (first, second, "first"), d)
check(d["schema"][0] == {"change": "changed", "type": "setting", "name": "user_version", "table": None, "old": "0", "new": "5"}, d)
check([(e["change"], e["type"], e["name"], e["table"], e["old"] is None, e["new"] is None) for e in d["schema"][1:]] ==
      [("removed", "table", "gone", "gone", False, True), ("added", "table", "neu", "neu", True, False),
       ("changed", "index", "by_name", "team", False, False), ("added", "view", "v", "v", True, False),
       ("moved", "trigger", "two", "tag", False, False)], d["schema"])
tables = {t["name"]: t for t in d["tables"]}
check({n: (t["added"], t["changed"], t["removed"]) for n, t in tables.items()} ==
      {"neu": (3, 0, 0), "tag": (1, 1, 1), "team": (1, 2, 1), "gone": (0, 0, 1)}, tables)
check(tables["team"]["rows"] == [
    {"change": "changed", "key": {"id": 7}, "columns": {"score": {"old": 1.0, "new": 2.0}}},
    {"change": "removed", "row": {"id": 8, "name": "team 8", "score": 8 / 7}},
    {"change": "changed", "key": {"id": 4000}, "columns": {"score": {"old": 4000 / 7, "new": 4000 / 7 + 1}}},
    {"change": "added", "row": {"id": 9000, "name": "new\x1b[31m"}}], tables["team"])
check(tables["tag"]["rows"][0] == {"change": "changed", "key": {"k": "b"}, "columns": {
    "v": {"old": "long " + "x" * 200, "new": "long " + "x" * 200 + "y"}}}, tables["tag"])
s = json.loads(dbstow("diff", "--repo", "repo", "--json", "--stat").out)
check(s["tables"] == [{k: v for k, v in t.items() if k != "rows"} for t in d["tables"]] and s["schema"] == d["schema"], s)

# values that nobody wants to see
sql("app.db", "UPDATE tag SET v = printf('%.5000c', 'w') WHERE k = 'a'; UPDATE tag SET v = zeroblob(2000000) WHERE k = 'b'")
dbstow("export", "app.db", "--repo", "repo")
d = json.loads(dbstow("diff", "--repo", "repo", "--json").out)
rows = d["tables"][0]["rows"]
check(rows[0]["columns"]["v"] == {"old": 1, "new": {"$long": 5002}}, rows)
check(rows[1]["columns"]["v"]["new"]["$file"]["bytes"] == 2000000, rows)
check(len(dbstow("diff", "--repo", "repo").out) < 1000, "long values are shown in full")

# the exit status, only where asked for
for a, b, status in (("latest", "latest", 0), ("latest~1", "latest", 7)):
    check(dbstow("diff", a, b, "--repo", "repo", "--exit-code", "--quiet", status=status).err == "", "--quiet")
dbstow("diff", "latest", "latest", "--repo", "repo", err="no difference")

# a checkout, a document, a pipe
for path in ("checkout", "first.json", "-"):
    stdin = open("first.json", "rb") if path == "-" else None
    r = dbstow("diff", "first", "--from", path, "--repo", "repo", "--exit-code", err="no difference", stdin=stdin)
    check(r.out.splitlines()[1] == "+++ " + path, r.out)
d = json.loads(dbstow("diff", "--from", "checkout", "--repo", "repo", "--json").out)
check(d["a"]["id"] != first and d["b"] == {"id": None, "from": "checkout"}, d)
check([t["name"] for t in d["tables"]] == ["gone", "tag", "team", "neu"], d["tables"])
path = "checkout/data/tables/team/0.jsonl"
text = open(path).read()
open(path, "w").write(text.replace('"team 5"', '"TEAM 5"'))
r = dbstow("diff", "first", "--from", "checkout", "--repo", "repo", err="1 table: 0 rows added, 1 changed, 0 removed")
check(r.out.splitlines()[2:] == ["team: 1 changed", '  ~ id=5: name "team 5" -> "TEAM 5"'], r.out)
open(path, "w").write(text.replace('{"id":5,', '{"id":5'))
dbstow("diff", "first", "--from", "checkout", "--repo", "repo", status=3,
       err="dbstow: table 'team': the row has something else where ',' or '}' must stand")
open(path, "w").write(text.split("\n", 1)[1])
dbstow("diff", "first", "--from", "checkout", "--repo", "repo", status=3,
       err="dbstow: table 'team': its files have 0 rows more and 1 fewer, but the manifests say 5000 and 5000; see what "
           "'dbstow verify' says of both")
dbstow("diff", "first", "latest", "--from", "checkout", "--repo", "repo", status=2,
       err="dbstow: give a second snapshot or --from, not both")
error = json.loads(dbstow("diff", "first", "--from", "checkout", "--repo", "repo", "--json", status=3).out)
check(error["error"]["code"] == "damage", error)

# a remote
new_repo("there.git", "--bare")
git("remote", "add", "origin", os.path.abspath("there.git"))
dbstow("sync", "--repo", "repo")
new_repo("other")
r = dbstow("diff", "first", second[:8], "--repo", "other", "--remote", os.path.abspath("there.git"), "--stat",
           err="4 tables: 5 rows added, 3 changed, 3 removed")
check(tip("other") is None, "something was written")

# a column with another name is in each row that has a value there
sql("app.db", "ALTER TABLE team RENAME COLUMN name TO title; ALTER TABLE team ADD COLUMN more")
dbstow("export", "app.db", "--repo", "repo")
r = dbstow("diff", "--repo", "repo", "--limit", "1", err="1 table: 0 rows added, 5,000 changed, 0 removed")
check('  ~ id=1: title null -> "team 1"; name "team 1" -> null' in r.out.splitlines(), r.out)

# records without a schema, by pk
new_repo("records")
for x, more in ((1, []), (2, [{"model": "a.B", "pk": "z", "fields": {}}])):
    with open("dump.json", "w") as f:
        json.dump([{"model": "a.B", "pk": 7, "fields": {"x": x, "same": True}}] + more, f)
    dbstow("import", "dump.json", "--source", "dump", "--repo", "records")
r = dbstow("diff", "--repo", "records", err="1 table: 1 row added, 1 changed, 0 removed")
check(r.out.splitlines()[2:] == ["a.B: 1 added, 1 changed", "  ~ pk=7: x 1 -> 2", '  + {"pk":"z","fields":{}}'], r.out)
