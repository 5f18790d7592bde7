#!/usr/bin/env python3
"""Records replayed into the schema that is there: tables chosen, missing parents
inserted, nothing else touched, nothing half done."""
import json, os, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

SCHEMA = """CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT);
  CREATE TABLE orders(id INTEGER PRIMARY KEY, user INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE, total REAL);
  CREATE TABLE lines(id INTEGER PRIMARY KEY, "order" INTEGER REFERENCES orders(id) ON DELETE CASCADE, what TEXT);
  CREATE TABLE other(id INTEGER PRIMARY KEY, v);
  CREATE TRIGGER t1 AFTER INSERT ON orders BEGIN INSERT INTO other(v) VALUES('trigger'); END;"""
sql("app.db", SCHEMA + """INSERT INTO users VALUES(1,'Ada'),(2,'Bob');
  INSERT INTO orders VALUES(10,1,1.0),(11,2,2.5); INSERT INTO lines VALUES(100,10,'x'),(101,11,'y'); DELETE FROM other;
  INSERT INTO other VALUES(1,'kept');""")
new_repo()
dbstow("export", "app.db", "--repo", "repo")


def rows(table):
    return query("live.db", "SELECT * FROM %s ORDER BY 1" % table)


def live(script):
    if os.path.exists("live.db"):
        os.remove("live.db")
    sql("live.db", SCHEMA + script)


# one table: its rows are the snapshot's, its missing parents come along, the rest stays
live("INSERT INTO users VALUES(2,'Robert'); INSERT INTO other VALUES(7,'mine')")
r = dbstow("restore", "--table", "orders", "--repo", "repo", "--to", "live.db", "--yes")
check(rows("orders") == [(10, 1, 1.0), (11, 2, 2.5)], "orders: %r" % rows("orders"))
check(rows("users") == [(1, "Ada"), (2, "Robert")], "parents: %r" % rows("users"))
check(rows("other") == [(7, "mine")], "another table changed, or a trigger ran: %r" % rows("other"))
check(rows("lines") == [], "lines were not asked for")
check("users: 1 inserted, 0 updated, 0 deleted (missing parents only)" in r.err, r.err)

# rows that the snapshot lacks go, changed ones change, no cascade
live("INSERT INTO users VALUES(1,'Ada'),(2,'Bob'); INSERT INTO orders VALUES(10,1,9.0),(11,2,2.5),(12,2,1.0); DELETE FROM other;")
r = dbstow("restore", "--table", "orders", "--repo", "repo", "--to", "live.db", "--yes")
check("orders: 0 inserted, 1 updated, 1 deleted" in r.err, r.err)
check(rows("orders") == [(10, 1, 1.0), (11, 2, 2.5)], "orders")

# what would become an orphan is refused, and nothing is changed
live("INSERT INTO users VALUES(1,'Ada'),(2,'Bob'); INSERT INTO orders VALUES(10,1,9.0),(12,2,1.0); INSERT INTO lines VALUES(5,12,'child'); DELETE FROM other;")
before = (rows("users"), rows("orders"), rows("lines"), rows("other"))
dbstow("restore", "--table", "orders", "--repo", "repo", "--to", "live.db", "--yes", status=6, err="~dbstow: .*'lines'.*")
check((rows("users"), rows("orders"), rows("lines"), rows("other")) == before, "changed although refused")

# dry run counts and changes nothing
live("INSERT INTO users VALUES(2,'Robert')")
r = dbstow("restore", "--table", "orders", "--repo", "repo", "--to", "live.db", "--dry-run")
check("orders: 2 would be inserted" in r.err and rows("orders") == [], r.err)

# everything
dbstow("restore", "--into", "--repo", "repo", "--to", "live.db", "--yes")
check(rows("users") == [(1, "Ada"), (2, "Bob")] and rows("lines") == [(100, 10, "x"), (101, 11, "y")] and
      rows("other") == [(1, "kept")], "--into")
undo = [l for l in dbstow("restore", "--into", "--repo", "repo", "--to", "live.db", "--yes").err.splitlines() if "undo with" in l]
check(undo, "no undo")

# what is as in the snapshot is not told
r = dbstow("restore", "--into", "--repo", "repo", "--to", "live.db", "--yes")
check(" inserted, " not in r.err, r.err)
sql("live.db", "UPDATE users SET name = 'Eve' WHERE id = 1")
r = dbstow("restore", "--into", "--repo", "repo", "--to", "live.db", "--yes", "--json")
check([c["table"] for c in json.loads(r.out)["changes"]] == ["users"], r.out)
check([l for l in r.err.splitlines() if " inserted, " in l] == ["users: 0 inserted, 1 updated, 0 deleted"], r.err)

# triggers only when asked for
live("DELETE FROM other;")
dbstow("restore", "--table", "orders", "--triggers", "--repo", "repo", "--to", "live.db", "--yes")
check(len(rows("other")) == 2, "--triggers: %r" % rows("other"))

# unknown names, other schemas
dbstow("restore", "--table", "nope", "--repo", "repo", "--to", "live.db", "--yes", status=2,
       err="dbstow: the snapshot has no table 'nope'; it has 'other', 'users', 'orders', 'lines'")
os.remove("live.db")
sql("live.db", "CREATE TABLE users(id INTEGER PRIMARY KEY)")
dbstow("restore", "--table", "users", "--repo", "repo", "--to", "live.db", "--yes", status=1, err="~dbstow: .*'name'.*")
dbstow("restore", "--table", "users", "--repo", "repo", "--to", "absent.db", "--yes", status=6, err="~dbstow: .*absent.db.*")
check(not os.path.exists("absent.db"), "made a file")

# orphans, views that say main., keys with collations of their own, counters
HARD = """CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
  CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p);
  CREATE TABLE a(k TEXT COLLATE NOCASE, j TEXT COLLATE RTRIM, v, PRIMARY KEY(k, j COLLATE BINARY)) WITHOUT ROWID;
  CREATE VIEW v AS SELECT * FROM main.p;"""
sql("hard.db", HARD + """INSERT INTO p VALUES(1,'x'),(90,'gone'); DELETE FROM p WHERE id = 90; INSERT INTO c VALUES(1,1),(2,77);
  INSERT INTO a VALUES('b','x ',1),('B','x',4)""")
new_repo("repo3")
dbstow("export", "hard.db", "--repo", "repo3")
for target in ("", "INSERT INTO p VALUES(5,'y'); INSERT INTO a VALUES('b','x  ',1),('B','x',5)"):
    if os.path.exists("live.db"):
        os.remove("live.db")
    sql("live.db", HARD + target)
    dbstow("restore", "--table", "c", "--repo", "repo3", "--to", "live.db", "--yes", status=6,
           err="dbstow: row 2 of table 'c' would be an orphan: nothing in table 'p' has its p = 77; nothing was changed; restore both tables together")
    dbstow("restore", "--table", "c", "--table", "p", "--repo", "repo3", "--to", "live.db", "--yes")
    check(rows("c") == [(1, 1), (2, 77)], "orphans: %r" % rows("c"))
    dbstow("restore", "--into", "--repo", "repo3", "--to", "live.db", "--yes")
    same("hard.db", "live.db")
sql("live.db", "INSERT INTO p VALUES(200,'z'); UPDATE a SET v = 9")
dbstow("restore", "--into", "--repo", "repo3", "--to", "live.db", "--yes")
check(rows("sqlite_sequence") == [("p", 200)] and rows("p") == [(1, "x")], "the counter: %r" % rows("sqlite_sequence"))
check(query("live.db", "SELECT k, j, v FROM a ORDER BY v") == [("b", "x ", 1), ("B", "x", 4)], "keys: %r" % rows("a"))
