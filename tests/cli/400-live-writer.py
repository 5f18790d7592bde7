#!/usr/bin/env python3
"""Exports while a writer commits: each snapshot is one committed state (the
balances add up), in WAL and in rollback mode, and the writer gets on."""
import json, os, sqlite3, subprocess, sys, time
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

WRITER = """
import random, sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
db.execute("PRAGMA synchronous=OFF")
rnd = random.Random(7); n = 0; stop = time.monotonic() + float(sys.argv[2]); worst = 0.0
begin = time.monotonic()
while time.monotonic() < stop:
    a, b, x = rnd.randrange(1000), rnd.randrange(1000), rnd.randrange(100)
    t = time.monotonic()
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE account SET balance = balance - ? WHERE id = ?", (x, a))
    db.execute("UPDATE account SET balance = balance + ? WHERE id = ?", (x, b))
    db.execute("INSERT INTO move(a, b, x) VALUES(?, ?, ?)", (a, b, x))
    db.execute("COMMIT")
    n += 1; worst = max(worst, time.monotonic() - t)
    ahead = begin + n / 500.0 - time.monotonic()
    if ahead > 0: time.sleep(ahead)
print(n, worst)
"""

for mode in ("wal", "delete"):
    db = mode + ".db"
    sql(db, """PRAGMA journal_mode=%s;
      CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
      CREATE TABLE move(id INTEGER PRIMARY KEY, a REFERENCES account(id), b REFERENCES account(id), x);
      WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<999)
      INSERT INTO account SELECT i, 1000 FROM n;""" % mode)
    repo = mode + "-repo"
    new_repo(repo)
    seconds = 12
    writer = subprocess.Popen([sys.executable, "-c", WRITER, db, str(seconds)], stdout=subprocess.PIPE)
    stop = time.monotonic() + seconds - 1.5
    exports = 0
    while time.monotonic() < stop:
        dbstow("export", db, "--repo", repo, "--keep", "100", "--no-drill")
        exports += 1
    said = writer.communicate()[0].decode().split()
    commits, worst = int(said[0]), float(said[1])
    check(exports >= 3, "only %d exports" % exports)
    states = set()
    for snap in json.loads(dbstow("list", "--json", "--repo", repo).out)["snapshots"]:
        out = "r-%s.db" % snap["id"][:12]
        dbstow("restore", snap["id"], "--repo", repo, "--to", out)
        total, = query(out, "SELECT sum(balance) FROM account")[0]
        check(total == 1000000, "%s: balances add up to %d" % (mode, total))
        # the moves and the balances belong to the same commit
        wrong = query(out, """SELECT count(*) FROM account WHERE balance <> 1000
            - (SELECT ifnull(sum(x),0) FROM move WHERE a = account.id)
            + (SELECT ifnull(sum(x),0) FROM move WHERE b = account.id)""")[0][0] \
            if not states else 0
        check(wrong == 0, "%s: %d balances do not fit their moves" % (mode, wrong))
        states.add(query(out, "SELECT count(*) FROM move")[0][0])
        os.remove(out)
    check(len(states) > 1, "the writer did not get on between exports")
    check(commits > 100, "the writer was starved: %d commits in %d s" % (commits, seconds))
    check(worst < 10, "a commit waited %.1f s" % worst)
    print("%s: %d exports, %d states, %d commits, longest %.2f s" % (mode, exports, len(states), commits, worst))
