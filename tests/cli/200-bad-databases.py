#!/usr/bin/env python3
"""Databases that cannot be exported: one clear line each, nothing written."""
import os, sqlite3, subprocess, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

new_repo()
sql("good.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v); "
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000) INSERT INTO t SELECT i, hex(zeroblob(50)) FROM n")
os.mkdir("folder")
open("zero.db", "w").close()
open("text.db", "w").write("This is no database.\n" * 300)
open("random.db", "wb").write(bytes((i * 7919 + 13) % 251 for i in range(40960)))
whole = open("good.db", "rb").read()
open("cut.db", "wb").write(whole[:len(whole) // 2])
torn = bytearray(whole)
torn[4096 * 20:4096 * 21] = b"\xaa" * 4096
open("torn.db", "wb").write(torn)
sql("schema.db", "CREATE TABLE t(x); PRAGMA writable_schema=ON; "
    "UPDATE sqlite_schema SET sql='CREATE TABLE t(x' WHERE name='t';")
holder = sqlite3.connect("locked.db", isolation_level=None)
holder.execute("CREATE TABLE t(x)")
holder.execute("BEGIN EXCLUSIVE")

before = tree("repo")
cases = (
    ("missing.db", 1, "dbstow: database 'missing.db' does not exist"),
    ("folder", 1, "~dbstow: 'folder' is a folder.*"),
    ("zero.db", 6, "~dbstow: 'zero.db' is a zero-byte file.*--allow-empty.*"),
    ("text.db", 1, "~dbstow: 'text.db' is not a SQLite database.*"),
    ("random.db", 1, "~dbstow: 'random.db' is not a SQLite database \\(or it is encrypted\\).*"),
    ("cut.db", 3, "~dbstow: 'cut.db' is .*"),
    ("torn.db", 3, "~dbstow: .*table 't'.*"),
    ("schema.db", 3, "~dbstow: .*malformed database schema \\(t\\).*"),
    ("locked.db", 1, "~dbstow: database 'locked.db' stayed locked for 1 s.*"),
    ("postgresql://user:secret@host/db", 2, "dbstow: cannot export from a 'postgresql' database: dbstow reads SQLite files; "
     "give a path or sqlite:PATH"),
)
for path, status, message in cases:
    r = dbstow("export", path, "--repo", "repo", "--timeout", "1", status=status, err=message)
    check(r.out == "", path + ": something on stdout")
    check("secret" not in r.err, "a password is shown: " + r.err)
    check(len([l for l in r.err.splitlines() if l.startswith("dbstow:")]) == 1, path + ": not one line: " + r.err)
    after = {k: v for k, v in tree("repo").items() if "/dbstow/" not in k}
    check(after == before, path + ": the repository changed: %s" % (set(after) ^ set(before)))
check(tip() is None, "a branch was made")
dbstow("export", "zero.db", "--repo", "repo", "--allow-empty")
