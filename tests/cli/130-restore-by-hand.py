#!/usr/bin/env python3
"""restore.py, the script in every snapshot: gives the database back from a
checkout, without dbstow, or says why it does not."""
import json, os, re, shutil, subprocess, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *


def checkout(rev, folder):
    os.mkdir(folder)
    archive = subprocess.run(["git", "-C", "repo", "archive", rev],
                             stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)


def restore_py(folder, target, status=0, said=None):
    """Run the script; its one line must be this (~: a regular expression)."""
    before = sorted(os.listdir("."))
    r = run(sys.executable, os.path.join(folder, "restore.py"), target)
    line = (r.err or r.out).strip()
    ok = r.status == status
    if said is not None:
        ok = ok and (re.fullmatch(said[1:], line) if said[0] == "~" else line == said)
    check(ok, "restore.py %s %s\n  expected %s: %s\n  got      %s: %s" %
          (folder, target, status, said, r.status, line))
    if status:
        check(sorted(os.listdir(".")) == before, "it left something: %s" % os.listdir("."))


def export(script, name):
    """A database of SQL, exported; its checkout in folder NAME."""
    if script:
        sql(name + ".db", script)
    dbstow("export", name + ".db", "--repo", "repo", "--source", "one", "--no-drill")
    checkout("database-backups", name)


def edit(path, change):
    with open(path, "rb") as f:
        data = f.read()
    with open(path, "wb") as f:
        f.write(change(data))


new_repo()

# the sample application with its awkward values, newest and older
with open(os.path.join(TESTS, "..", "demo", "lab_queue.sql"), encoding="utf-8") as f:
    export(f.read(), "lab")
first = git("rev-parse", "database-backups^1")
restore_py("lab", "lab_new.db", said="'lab_new.db': 13 tables, 12849 rows, each value read back")
same("lab.db", "lab_new.db")
shutil.copy("lab.db", "lab_first.db")
with open(os.path.join(TESTS, "..", "demo", "change.sql"), encoding="utf-8") as f:
    sql("lab.db", f.read())
dbstow("export", "lab.db", "--repo", "repo", "--source", "one")
checkout(first, "older")
restore_py("older", "older.db")
same("lab_first.db", "older.db")
git("clone", "-q", "--branch", "database-backups", "repo", "clone", repo=".")
restore_py("clone", "clone.db")
same("lab.db", "clone.db")

# page layout, WAL, big values in parts, key order in 'chunks', leftovers
export("""PRAGMA page_size = 1024; PRAGMA auto_vacuum = 2; PRAGMA journal_mode = WAL;
  CREATE TABLE gone(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO gone VALUES(5);
  CREATE TABLE big(id INTEGER PRIMARY KEY, t TEXT, b BLOB, s AS (length(b)) STORED);
  INSERT INTO big(id, t, b) VALUES(-9223372036854775808, CAST(zeroblob(1100000) AS TEXT), zeroblob(34000000)),
    (9223372036854775807, CAST(replace(hex(zeroblob(1100000)), '00', 'aÿ') || x'ff' AS TEXT), x''), (0, '', NULL);
  CREATE TABLE w(k TEXT, n, PRIMARY KEY(k DESC, n)) WITHOUT ROWID;
  WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 20000)
  INSERT INTO w SELECT 'key ' || (n * 7919 % 20000), n * 0.25 FROM i;
  CREATE TABLE "odd "" name"("a ""b", 'rowid', x DEFAULT (strftime('%s', 'now')));
  INSERT INTO "odd "" name"(_rowid_, rowid) VALUES(7, 'seven'), (-3, NULL);
  CREATE TABLE " .git/../naïve"(x); INSERT INTO " .git/../naïve" VALUES(1);
  CREATE UNIQUE INDEX u ON big(t COLLATE NOCASE) WHERE id > 0;
  CREATE VIEW broken AS SELECT * FROM nowhere;
  CREATE TRIGGER z AFTER INSERT ON big BEGIN DELETE FROM big; END;
  CREATE TRIGGER a AFTER INSERT ON big BEGIN SELECT raise(ABORT, 'no'); END;
  PRAGMA user_version = -7; PRAGMA application_id = 2147483647;
  ANALYZE; DROP TABLE gone;""", "hard")
check(len(os.listdir("hard/data/tables/w")) > 3, "the table has only one chunk")
check(os.path.isdir("hard/data/tables/big/values"), "the big values are not in parts")
restore_py("hard", "hard_new.db", said="~'hard_new.db': 4 tables, [0-9]+ rows, each value read back")
same("hard.db", "hard_new.db")

# UTF-16: text without a UTF-8 form, and what SQLite would turn into U+FFFD
for encoding, odd in ("UTF-16le", "410000d84200"), ("UTF-16be", "0041d8000042"):
    export("""PRAGMA encoding = '%s'; CREATE TABLE t(id INTEGER PRIMARY KEY, x);
      CREATE TABLE raw(x); INSERT INTO raw VALUES(x'%s');
      INSERT INTO t VALUES(1, 'plain ä 🌱' || char(0) || 'z'), (2, char(65279) || 'mark'), (3, ''), (4, x'00');
      INSERT INTO t SELECT 5, CAST(x AS TEXT) FROM raw;
      INSERT INTO t VALUES(6, CAST(x'%s' AS TEXT));""" %
           (encoding, odd, "feff6100" if encoding.endswith("le") else "fffe0061"), encoding)
    restore_py(encoding, encoding + "_new.db")
    same(encoding + ".db", encoding + "_new.db")

# what it cannot do, it says, and leaves nothing
export("CREATE TABLE t(x NOT NULL); INSERT INTO t VALUES(1); PRAGMA writable_schema = ON;"
       "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(x NOT NULL, y NOT NULL)'", "notnull")
restore_py("notnull", "x.db", 1, "restore.py: table 't': NOT NULL constraint failed: t.y; dbstow can restore this")
export("CREATE TABLE t(x); INSERT INTO t VALUES('1'); PRAGMA writable_schema = ON;"
       "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(x INTEGER)'", "affinity")
restore_py("affinity", "x.db", 1, "restore.py: table 't': some values came back changed; dbstow can restore this")
restore_py("lab", "lab.db", 1, "~restore.py: '.*/lab.db' is there; give another name")
open("y.db-wal", "w").close()
restore_py("lab", "y.db", 1, "~restore.py: '.*/y.db-wal' is there; give another name")
restore_py("lab", "no/folder/x.db", 1, "~restore.py: FileNotFoundError: .*")


# damage is found
def damaged(change, said):
    shutil.copytree("lab", "damaged")
    change("damaged/data/")
    restore_py("damaged", "x.db", 1, said)
    shutil.rmtree("damaged")


rows = "restore.py: table '%s': the files do not hold the rows that the manifest names (were line endings changed?)"
users = "tables/users/0.jsonl"
damaged(lambda d: edit(d + users, lambda b: b.replace(b"Sam", b"Tim", 1)), rows % "users")
damaged(lambda d: edit(d + users, lambda b: b.replace(b"\n", b"\r\n")), rows % "users")
damaged(lambda d: edit(d + users, lambda b: b[:-20]), rows % "users")
damaged(lambda d: edit(d + users, lambda b: b + b'{"id":9999,"login":"x","name":"y","created_at":1}\n'), rows % "users")
damaged(lambda d: os.remove(d + "tables/notifications/8000000000000548.jsonl"), rows % "notifications")
damaged(lambda d: os.remove(d + "tables/notification_preferences/6222d5fecd8c4607.jsonl"),
        "~restore.py: file '.*6222d5fecd8c4607.jsonl' is missing")
damaged(lambda d: edit(d + "tables/machines/chunks", lambda b: b"../users/0.jsonl\n"),
        "~restore.py: '../users/0.jsonl' in '.*/tables/machines' does not belong there")
damaged(lambda d: os.symlink("/etc/passwd", d + "tables/users/f.jsonl"), "~restore.py: file '.*f.jsonl' is missing")
damaged(lambda d: os.remove(d + "schema.json"), "~restore.py: file '.*schema.json' is missing")
damaged(lambda d: edit(d + "manifest.json", lambda b: b.replace(b"snapshot/1", b"snapshot/2")),
        "restore.py: this is 'dbstow-snapshot/2', made by a newer dbstow")
damaged(lambda d: edit(d + "manifest.json", lambda b: b.replace(b'"dir": "users"', b'"dir": "../users"')),
        "restore.py: '../users' is no table's folder")


# a schema text does what its entry says and nothing else
def schema(text, said):
    def change(d):
        entries = json.load(open(d + "schema.json", encoding="utf-8"))
        next(e for e in entries if e["name"] == "waiting")["sql"] = text
        json.dump(entries, open(d + "schema.json", "w"))
    damaged(change, said)
    check(not os.path.exists("evil"), "the schema wrote a file")


schema("ATTACH 'evil' AS e", "restore.py: 'waiting' is not made by CREATE")
schema("CREATE INDEX waiting ON users (id); ATTACH 'evil' AS e",
       "~restore.py: .*You can only execute one statement at a time.*")
schema("CREATE TABLE other AS SELECT 1 AS x", "restore.py: the schema came back changed; dbstow can restore this")
schema("CREATE INDEX other ON users (id)", "restore.py: the schema came back changed; dbstow can restore this")
