#!/usr/bin/env python3
"""The main job: export, list, show, verify, restore; what each prints."""
import json, os, re, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

sql("app.db", """CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, "e-mail" TEXT);
  CREATE TABLE orders(id INTEGER PRIMARY KEY, user INTEGER REFERENCES users(id), total REAL);
  CREATE INDEX orders_user ON orders(user);
  INSERT INTO users VALUES(1,'Ada','ada@example.org'),(2,NULL,NULL);
  INSERT INTO orders VALUES(10,1,1.0),(11,2,-0.5);""")
new_repo()
open("repo/work.txt", "w").write("mine")
git("add", "work.txt")
before = git("status", "--porcelain=v2", "--branch")

r = dbstow("export", "app.db", "--repo", "repo")
first = r.out.strip()
check(re.fullmatch("[0-9a-f]{40}", first), "stdout is not one id: %r" % r.out)
check(r.err == "app.db: 2 tables, 4 rows, 121 bytes of JSON\n"
      "stored as snapshot %s (restorable: restored once and equal); 1 on the branch\n" % first[:8],
      "stderr: " + r.err)
check(git("rev-parse", "database-backups^1") == first, "the tip's parent is not the snapshot")
check(git("rev-parse", "database-backups^{tree}") == git("rev-parse", first + "^{tree}"), "trees differ")
check(git("rev-list", "--parents", "-1", first) == first, "a snapshot has parents")
check(git("status", "--porcelain=v2", "--branch") == before, "the work tree was touched")
check(git("show", "database-backups:data/tables/users/0.jsonl") ==
      '{"id":1,"name":"Ada","e-mail":"ada@example.org"}\n{"id":2}', "rows look different")
check(git("show", "database-backups:data/tables/orders/0.jsonl") ==
      '{"id":10,"user":1,"total":1.0}\n{"id":11,"user":2,"total":-0.5}', "rows look different")
fsck()

# equal content adds no snapshot, other content does
r = dbstow("export", "app.db", "--repo", "repo")
check(r.out.strip() == first, "equal content gave another snapshot")
check("unchanged: snapshot %s holds the same content" % first[:8] in r.err, r.err)
check(git("rev-list", "--count", "database-backups") == "2", "equal content added a commit to the list")
sql("app.db", "VACUUM")
check(dbstow("export", "app.db", "--repo", "repo").out.strip() == first, "VACUUM changed the content id")
sql("app.db", "UPDATE users SET name = 'Bob' WHERE id = 2; INSERT INTO orders VALUES(12,2,5)")
second = dbstow("export", "app.db", "--repo", "repo", "-m", "before the move", "--name", "move").out.strip()
check(second != first, "a change gave no snapshot")
check(git("diff", "--stat", "database-backups^", "database-backups", "--", "data/tables/users").count("|") == 1,
      "git diff of the tip does not show the change")
check("users: 2 rows (changed)\norders: 3 rows (+1)" in git("log", "-1", "--format=%B", second),
      git("log", "-1", "--format=%B", second))

# list and show
text = dbstow("list", "--repo", "repo").out
check(text.splitlines()[0].split() == ["ID", "AGE", "DATE", "ROWS", "SIZE", "DRILL", "NAME,", "DESCRIPTION"], text)
check(text.splitlines()[1].startswith(second[:8]) and text.splitlines()[1].endswith("ok     move before the move"), text)
check(text.splitlines()[2].startswith(first[:8]), text)
check(text.splitlines()[3].startswith("2 snapshots of 'app.db', 2 proven restorable, keeping 8"), text)
listed = json.loads(dbstow("list", "--repo", "repo", "--json").out)
check([s["id"] for s in listed["snapshots"]] == [second, first], "list --json: order")
check(listed["snapshots"][0]["drill"] == "ok" and listed["snapshots"][0]["rows"] == 5, "list --json: facts")
shown = json.loads(dbstow("show", "--repo", "repo", "--json").out)
check([t["name"] for t in shown["table_list"]] == ["users", "orders"], "show: dependency order")
check("ROWS  TABLE (in dependency order)" in dbstow("show", "move", "--repo", "repo").out, "show")

# every way to name a snapshot
for name, want in (("latest", second), ("latest~1", first), (first, first), (first[:7], first), ("move", second)):
    got = json.loads(dbstow("show", name, "--repo", "repo", "--json").out)["id"]
    check(got == want, "%s names %s" % (name, got))
dbstow("show", "nothing", "--repo", "repo", status=1, err="~dbstow: .*'nothing'.*")

# verify
check(dbstow("verify", "--repo", "repo").out == second[:8] + "  intact\n", "verify")
check(dbstow("verify", "--all", "--drill", "--repo", "repo").out ==
      "%s  restorable\n%s  restorable\n" % (second[:8], first[:8]), "verify --all --drill")

# restore: newest, older, from a plain checkout, from an archive; all as it was
os.rename("app.db", "original.db")
dbstow("restore", "--repo", "repo", "--to", "app.db",
       err="restored 'app.db'; every table read back equal to the snapshot")
same("original.db", "app.db")
dbstow("restore", "latest~1", "--repo", "repo", "--to", "older.db")
check(query("older.db", "SELECT name FROM users WHERE id = 2") == [(None,)], "older snapshot")
run("git", "clone", "-q", "--branch", "database-backups", "repo", "checkout")
dbstow("restore", "--from", "checkout", "--to", "checked.db")
same("original.db", "checked.db")
os.mkdir("unpacked")
run("sh", "-c", "git -C repo archive database-backups | tar -x -C unpacked")
dbstow("restore", "--from", "unpacked", "--to", "unpacked.db")
same("original.db", "unpacked.db")
check(dbstow("verify", "--from", "unpacked", "--drill").out == "unpacked  restorable\n", "verify --from")
check(run(DBSTOW, "export", "checked.db", "--source", "app.db", "--repo", "repo").out.strip() == second, "not identical again")

# a dry run changes nothing
dbstow("restore", "--repo", "repo", "--to", "dry.db", "--dry-run", err="dry run: nothing was changed")
check(not os.path.exists("dry.db"), "a dry run made a file")

# the document
dbstow("export", "app.db", "--output", "app.json")
doc = json.load(open("app.json"))
check(doc["format"] == "dbstow-export/1" and doc["end"]["rows"] == 5 and doc["tables"]["users"][1] == {"id": 2, "name": "Bob"},
      "document")
check(json.loads(dbstow("export", "app.db", "--output", "-").out)["end"] == doc["end"], "document on stdout")

# usage
dbstow("export", status=2, err="dbstow: no database given; usage: dbstow export DB, or set DBSTOW_DB")
dbstow("export", "a", "b", status=2, err="~dbstow: unexpected argument 'b'; usage: dbstow export DB .*")
dbstow("export", "--nothing", status=2, err="dbstow: unknown option '--nothing'; see 'dbstow help export'")
dbstow("restore", "--repo", "repo", status=2, err="~dbstow: --to is missing; usage: .*")
dbstow("nothing", status=2, err="dbstow: unknown command 'nothing'; see 'dbstow help'")
dbstow("export", "app.db", "--keep", "0", status=2, err="dbstow: --keep takes a whole number from 1 to 1000000, not '0'")
error = json.loads(run(DBSTOW, "show", "nothing", "--repo", "repo", "--json").out)["error"]
check(error["exit"] == 1 and error["code"] == "failed" and "'nothing'" in error["message"], "JSON error")
for command in ("export", "list", "show", "verify", "restore", "pin", "unpin", "delete"):
    check(dbstow("help", command).out.startswith("usage: dbstow %s " % command), "help " + command)
