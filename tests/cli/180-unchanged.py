#!/usr/bin/env python3
"""What the last export found spares the next one work, and never hides a
change: the content id is always the one that reading everything gives."""
import json, os, random, re, shutil, sqlite3, sys, time
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

REPO = ("--repo", "repo", "--no-drill")


def export(*options, **kw):
    return json.loads(dbstow("export", "app.db", "--json", *REPO, *options, **kw).out)


def settle():
    time.sleep(0.3)  # file systems' times advance in steps


def cache():
    return [os.path.join("repo/.git/dbstow", f) for f in os.listdir("repo/.git/dbstow") if f.startswith("cache-")]


def quiet(what):
    """An export that need not read; then one that does says the same."""
    r = export()
    check(r["read"] is False and r["changed"] is False, "%s: read again: %s" % (what, r))
    check(export("--rescan")["content"] == r["content"], what)


def noticed(what):
    r = export()
    check(r["changed"] is True and r["read"] is True, "%s: not noticed: %s" % (what, r))
    check(export("--rescan")["content"] == r["content"], what)


new_repo()
sql("app.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE big(x);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
    "INSERT INTO t SELECT i, 'value ' || i FROM n; INSERT INTO big VALUES(zeroblob(100000))")
first = export()
check(first["read"] and first["changed"], "first: %s" % first)

# while its times are not past, a further write may not show in them
soon = time.time_ns() + 10 ** 9 * 3600
os.utime("app.db", ns=(soon, soon))
check(export()["read"], "other times")
check(export()["read"], "times to come were trusted")
os.utime("app.db")
settle()
check(export()["read"], "what an unsettled export noted is not used")
quiet("nothing written")
dbstow("export", "app.db", *REPO, err="~unchanged: snapshot %s holds the same content; "
       "the file was not written to since" % first["snapshot"][:8])

# whatever is written is seen, also where counter and size stay
sql("app.db", "UPDATE t SET v = 'other' WHERE id = 5")
noticed("an update")
settle()
export()
quiet("after an update")
size = os.path.getsize("app.db")
header = open("app.db", "rb").read(100)
sql("app.db", "PRAGMA journal_mode=WAL; ")
settle()
export()
counter = open("app.db", "rb").read(100)[24:28]
sql("app.db", "UPDATE t SET v = 'again' WHERE id = 5")
check(open("app.db", "rb").read(100)[24:28] == counter and os.path.getsize("app.db") == size,
      "the case that this is about: counter and size as they were")
noticed("an update in WAL mode, closed")

# in whichever leaf: a few are looked at before the others
for id in range(7, 20000, 1511):
    sql("app.db", "UPDATE t SET v = 'vaLue ' || substr(v, 7) WHERE id = %d" % id)
    noticed("an update of row %d" % id)

# a writer that stays: frames in the WAL
db = sqlite3.connect("app.db", isolation_level=None)
db.execute("PRAGMA wal_autocheckpoint=0")
db.execute("UPDATE t SET v = 'in the WAL' WHERE id = 6")
noticed("a commit in the WAL")
settle()
export()
quiet("a WAL that stays")
db.execute("UPDATE t SET v = 'in the WAL, too' WHERE id = 6")
noticed("a further commit in the WAL")
db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
check(export()["changed"] is False, "a checkpoint changes nothing")
db.close()

# another file at the same path, with all its times
settle()
export()
quiet("before it is replaced")
shutil.copy2("app.db", "new.db")
sql("new.db", "UPDATE t SET v = 'new' WHERE id = 7")
s = os.stat("app.db")
os.utime("new.db", ns=(s.st_atime_ns, s.st_mtime_ns))
os.rename("new.db", "app.db")
noticed("another file")

# the branch went elsewhere: what is not on it is stored again
settle()
export()
quiet("before the branch moves")
git("update-ref", "-d", "refs/heads/database-backups")
check(export()["changed"], "a branch that is gone is made again")

# --always and names read, and store
settle()
export()
check(export("--always")["changed"] and export("--name", "x")["read"], "what has to be stored is stored")

# a cache that is damaged, cut, or of another source counts as none
settle()
export()
for damage in (lambda b: b[:-1], lambda b: b"", lambda b: b[:40] + bytes([b[40] ^ 1]) + b[41:],
               lambda b: b[:-60] + bytes([b[-60] ^ 1]) + b[-59:], lambda b: b + b"x", lambda b: os.urandom(len(b))):
    path, = cache()
    good = open(path, "rb").read()
    open(path, "wb").write(damage(good))
    check(export()["read"], "a damaged cache was believed")
    open(path, "wb").write(good)
    quiet("the cache as it was")
    export("--rescan")
os.remove(cache()[0])
check(export()["read"], "no cache")
mode = os.stat(cache()[0]).st_mode & 0o777
check(mode == 0o600, "mode of the cache: %o" % mode)
check(os.path.getsize(cache()[0]) <= 0.004 * os.path.getsize("app.db") + 4096, "size of the cache")

# an unproven snapshot is proven when asked, though nobody wrote
settle()
export()
r = json.loads(dbstow("export", "app.db", "--json", "--repo", "repo").out)
check(r["drill"] == "ok" and r["changed"], "drill of what is stored already: %s" % r)

# random changes: each time what is found is what reading everything finds
rng = random.Random(os.environ.get("DBSTOW_TEST_SEED", "1"))
changes = [
    lambda c: c.execute("UPDATE t SET v = ? WHERE id = ?", (str(rng.random()), rng.randrange(20000))),
    lambda c: c.execute("DELETE FROM t WHERE id BETWEEN ? AND ?", [rng.randrange(20000)] * 2),
    lambda c: c.execute("INSERT OR REPLACE INTO t VALUES(?, ?)", (rng.randrange(-100, 30000), os.urandom(rng.choice((3, 9000))))),
    lambda c: c.execute("UPDATE t SET id = id + 100000 WHERE id = ?", (rng.randrange(20000),)),
    lambda c: c.execute("UPDATE big SET x = zeroblob(?)", (rng.randrange(200000),)),
    lambda c: c.execute("UPDATE big SET x = CAST(substr(x, 1, 50000) || ? || substr(x, 50002) AS BLOB)", (rng.choice("ab"),)),
    lambda c: c.execute("INSERT INTO w VALUES(?, ?)", (rng.random(), rng.random())),
    lambda c: c.execute("ALTER TABLE t ADD COLUMN c%d DEFAULT %d" % (rng.randrange(10 ** 9), rng.randrange(9))),
    lambda c: c.execute("CREATE INDEX IF NOT EXISTS tv ON t(v)"),
    lambda c: c.execute("DROP INDEX IF EXISTS tv"),
    lambda c: c.executescript("CREATE TABLE u AS SELECT * FROM t WHERE id % 7; DROP TABLE t; ALTER TABLE u RENAME TO t;"),
    lambda c: c.execute("VACUUM"),
    lambda c: c.execute("PRAGMA journal_mode=WAL"),
    lambda c: c.execute("PRAGMA journal_mode=DELETE"),
    lambda c: c.execute("PRAGMA wal_checkpoint"),
    lambda c: c.execute("PRAGMA user_version = %d" % rng.randrange(1000)),
    lambda c: None,
]
sql("app.db", "CREATE TABLE w(a PRIMARY KEY, b) WITHOUT ROWID")
stays = None
for n in range(int(os.environ.get("DBSTOW_TEST_ROUNDS", "40"))):
    c = sqlite3.connect("app.db", isolation_level=None, timeout=5)
    for _ in range(rng.randrange(1, 4)):
        change = rng.choice(changes)
        try:
            change(c)
        except sqlite3.OperationalError as e:
            check("locked" in str(e) or "columns" in str(e) or "mode" in str(e) or "no such column" in str(e), str(e))
    if rng.random() < 0.3:  # a connection that stays keeps the WAL
        stays, c = c, stays
    if c:
        c.close()
    r = export()
    check(export("--rescan")["content"] == r["content"], "round %d: not what reading everything gives" % n)
fsck()
dbstow("verify", "--all", "--repo", "repo")

# a snapshot that somebody changed by hand does not hold what its message says
settle()
export()
quiet("before")
r = export()
path = [l for l in git("ls-tree", "-r", "--name-only", "database-backups").splitlines() if re.match("data/tables/.*jsonl$", l)][0]
rewrite("repo", r["snapshot"], path, b'"', b'"!')
again = export()
check(again["changed"] and again["content"] == r["content"] == content(), "%s: %s" % (r, again))
check(json.loads(dbstow("verify", "--json", "--repo", "repo").out)["results"][0]["result"] == "intact", "verify")
quiet("afterwards")
