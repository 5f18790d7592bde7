#!/usr/bin/env python3
"""dbstow status: fresh, proven, and what it says and exits with where not."""
import json, os, re, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

T0 = 1795219200  # 2026-11-21 00:00:00Z
HOUR, DAY = 3600, 86400


def at(seconds):
    return {"SOURCE_DATE_EPOCH": str(T0 + seconds)}


def status(seconds, *options, expect=0, said=None):
    r = dbstow("status", "--repo", "repo", *options, status=expect, env=at(seconds))
    attention = [l for l in r.err.splitlines() if l.startswith("dbstow: attention: ")]
    check(attention == ["dbstow: attention: " + s for s in said or []], "attention: %s" % r.err)
    return r.out


NEVER = "the newest snapshot was never restored; export without --no-drill to prove it"

new_repo()
check(status(0, expect=7, said=["there is no snapshot; make one with 'dbstow export DB'"]) == "", "nothing to tell")
empty = json.loads(status(0, "--json", expect=7, said=["there is no snapshot; make one with 'dbstow export DB'"]))
check(empty["newest"] is None and empty["snapshots"] == 0, "empty: %s" % empty)

sql("app.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,'a')")
first = dbstow("export", "app.db", "--repo", "repo", env=at(0)).out.strip()
check(status(3 * HOUR) == "branch    1 snapshot of app.db\n"
      "newest    %s of 2026-11-21 00:00:00Z, 3 h old\n"
      "proven    %s of 2026-11-21 00:00:00Z, 3 h old\n"
      "size      17 bytes in 1 row\n" % (first[:8], first[:8]), "text: " + status(3 * HOUR))

# a time that is yet to come is no age
check("newest    %s of 2026-11-21 00:00:00Z, in 24 h\n" % first[:8] in status(-DAY, "--max-age", "1h"), "an hour or so")
status(-DAY - 1, "--max-age", "1h", expect=7, said=["the newest snapshot is of 2026-11-21 00:00:00Z, which is yet to "
       "come: a clock was wrong, and nobody can tell how old it is"])

# a run that finds nothing new counts as fresh
status(26 * HOUR, "--max-age", "26h")
late = "stale: the database was last looked at %s ago; is the schedule still running?"
status(26 * HOUR + 1, "--max-age", "26h", expect=7, said=[late % "26 h"])
status(26 * HOUR + 1, "--max-age", "2d")
dbstow("export", "app.db", "--repo", "repo", env=at(30 * HOUR))
out = status(31 * HOUR, "--max-age", "26h")
check("newest    %s of 2026-11-21 00:00:00Z, 31 h old; unchanged 60 min ago\n" % first[:8] in out
      or "newest    %s of 2026-11-21 00:00:00Z, 31 h old; unchanged 1 h ago\n" % first[:8] in out, out)

r = dbstow("status", "--repo", "repo", status=7, env=dict(at(10 * DAY), DBSTOW_MAX_AGE="8d"),
           err="dbstow: attention: " + late % "8 days")

# an unproven one is told, with the newest that is proven
sql("app.db", "INSERT INTO t VALUES(2,'bcd')")
second = dbstow("export", "app.db", "--repo", "repo", "--no-drill", env=at(2 * DAY)).out.strip()
out = status(2 * DAY, expect=7, said=[NEVER])
check("newest    %s of 2026-11-23 00:00:00Z, 0 s old\n" % second[:8] in out, out)
check("proven    %s of 2026-11-21 00:00:00Z, 2 days old\n" % first[:8] in out, out)
check("size      36 bytes in 2 rows; +19 bytes since the one before\n" in out, out)
facts = json.loads(status(2 * DAY, "--json", expect=7, said=[NEVER]))
check(facts["newest"]["id"] == second and facts["proven"]["id"] == first, "ids: %s" % facts)
check(facts["seen_at"] == "2026-11-23T00:00:00Z" and facts["proven_at"] == "2026-11-21T00:00:00Z", "times: %s" % facts)
check(facts["sizes"] == [36, 17] and facts["attention"] == [NEVER], "facts: %s" % facts)

# metrics
dbstow("status", "--json", "--prometheus", status=2, err="dbstow: --json and --prometheus exclude each other")
lines = status(2 * DAY, "--prometheus", expect=7, said=[NEVER]).splitlines()
for name, value in (("snapshots", 2), ("seen_timestamp_seconds", T0 + 2 * DAY), ("size_bytes", 36), ("rows", 2),
                    ("proven_timestamp_seconds", T0), ("attention", 1)):
    check('dbstow_%s{source="app.db"} %d' % (name, value) in lines, "%s: %s" % (name, lines))
    check("# TYPE dbstow_%s gauge" % name in lines, name)

# it only reads
before = tree("repo")
status(2 * DAY, expect=7, said=[NEVER])
check(tree("repo") == before, "status changed the repository")

# ---- off-site: what the remotes had when they were asked last ----
def remotes(seconds, *options, **kw):
    return json.loads(status(seconds, "--json", *options, expect=7, **kw))["remotes"]


new_repo("far.git", "--bare"), new_repo("other.git", "--bare")
far, other = os.path.abspath("far.git"), os.path.abspath("other.git")
git("remote", "add", "origin", far), git("remote", "add", "disk", other)
check(remotes(2 * DAY, said=[NEVER]) == [], "origin may be there for other things")
git("config", "dbstow.remote", "origin disk")
UNSEEN = "the remote '%s' was never synced with; run 'dbstow sync'"
out = status(2 * DAY, expect=7, said=[NEVER, UNSEEN % "disk", UNSEEN % "origin"])
check(out.endswith("\noff-site  disk: never synced with\noff-site  origin: never synced with\n"), out)
dbstow("sync", "origin", "--repo", "repo", env=at(2 * DAY))
dbstow("sync", other, "--repo", "repo", env=at(2 * DAY))  # not by its name
found = {r["remote"]: (r["seen_at"], r["snapshots"], r["lacks"]) for r in remotes(2 * DAY, said=[NEVER, UNSEEN % "disk"])}
check(found == {"origin": ("2026-11-23T00:00:00Z", 2, 0), other: ("2026-11-23T00:00:00Z", 2, 0), "disk": (None, 0, 2)},
      "remotes: %s" % found)
third = dbstow("export", "app.db", "--repo", "repo", "--always", env=at(3 * DAY)).out.strip()
LACKS = "the remote '%s' does not have the newest snapshot (asked %s ago); run 'dbstow sync'"
out = status(4 * DAY, expect=7, said=[UNSEEN % "disk", LACKS % ("origin", "2 days")])
check("\noff-site  origin, 2 days ago: 2 of 3 snapshots\n" in out, out)
lines = status(4 * DAY, "--prometheus", expect=7,
               said=[UNSEEN % "disk", LACKS % ("origin", "2 days")]).splitlines()
for line in ('dbstow_remote_lacks{source="app.db",remote="origin"} 1',
             'dbstow_remote_lacks{source="app.db",remote="disk"} 3',
             'dbstow_remote_seen_timestamp_seconds{source="app.db",remote="origin"} %d' % (T0 + 2 * DAY),
             'dbstow_remote_seen_timestamp_seconds{source="app.db",remote="disk"} 0',
             "# TYPE dbstow_remote_lacks gauge", "# TYPE dbstow_remote_seen_timestamp_seconds gauge"):
    check(lines.count(line) == 1, "%s: %s" % (line, lines))

# every line as Prometheus reads it; a family's lines together, its help and type first
LABEL = r'[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"'


def parsed(text):
    check(text.endswith("\n"), "the last line has no end")
    families, family = [], None
    for line in text[:-1].split("\n"):
        head = re.fullmatch(r"# (HELP|TYPE) ([a-z_]+) (.+)", line)
        if head and head.group(1) == "HELP":
            family = head.group(2)
            check(family not in families, "in two places: " + family)
            families.append(family)
        elif head:
            check(head.group(2) == family and head.group(3) == "gauge", line)
        else:
            found = re.fullmatch(r"([a-z_]+)\{%s(?:,%s)*\} -?[0-9]+" % (LABEL, LABEL), line)
            check(found and found.group(1) == family, "no sample of %s: %s" % (family, line))
    return families


check(len(parsed("\n".join(lines) + "\n")) == 8, "families")

# somebody else brought it there: only asking tells
dbstow("sync", far, "--repo", "repo", env=at(4 * DAY))
status(5 * DAY, expect=7, said=[UNSEEN % "disk", LACKS % ("origin", "3 days")])
out = status(5 * DAY, "--ask", expect=7, said=[LACKS % ("disk", "0 s")])
check("off-site  origin, 0 s ago: 3 of 3 snapshots\n" in out and "off-site  disk, 0 s ago: 2 of 3 snapshots\n" in out, out)
os.rename(other, other + ".away")
status(6 * DAY, "--ask", expect=7, said=["cannot find the remote '%s': No such file or directory" % other,
                                         LACKS % ("disk", "24 h")])
os.rename(other + ".away", other)
git("update-ref", "-d", "refs/heads/database-backups", repo="far.git")
dbstow("sync", "disk", "--repo", "repo", env=at(6 * DAY))
status(6 * DAY, "--ask", expect=7, said=[LACKS % ("origin", "0 s")])
dbstow("sync", "--repo", "repo", env=at(6 * DAY))
status(6 * DAY, "--ask")
status(6 * DAY)
git("config", "--unset", "dbstow.remote"), git("remote", "remove", "origin")
dbstow("status", "--ask", "--repo", "repo", status=2, env=at(6 * DAY), err="dbstow: there is no remote 'origin'; name "
       "one (dbstow sync URL), or set it: git config dbstow.remote URL")

for wrong in ("x", "", "0h", "5 h", "-1h", "101000000w"):
    dbstow("status", "--repo", "repo", "--max-age", wrong, status=2,
           err="dbstow: --max-age is '%s'; give a length of time like 26h, 8d or 90min" % wrong)

# ---- a remote that is gone for good ----
names = lambda: [r["remote"] for r in json.loads(status(6 * DAY, "--json"))["remotes"]]
was = names()
check(other in was and "disk" in was, "remotes: %s" % was)
for options in (["--forget"], ["--forget", "disk", "--pull"], ["--forget", "disk", "--dry-run"]):
    dbstow("sync", *options, "--repo", "repo", status=2, err="dbstow: --forget takes the remotes' names, and no other option")
r = dbstow("sync", "--forget", other, "--repo", "repo")
check(r.out == other + ": forgotten; what is there stays\n" and r.err == "" and tip("other.git"), r.out + r.err)
check(names() == [n for n in was if n != other], "remotes: %s" % names())
dbstow("sync", "--forget", other, "--repo", "repo", status=2,
       err="dbstow: nothing is remembered of a remote '%s'; 'dbstow status' names those that are" % other)
check(json.loads(dbstow("sync", "--forget", "disk", "--json", "--repo", "repo").out) ==
      {"remotes": [{"remote": "disk", "forgotten": True}]}, "JSON")
check(names() == [n for n in was if n not in (other, "disk")], "remotes: %s" % names())
git("config", "dbstow.remote", "disk")
dbstow("sync", "disk", "--repo", "repo", env=at(6 * DAY))
r = dbstow("sync", "--forget", "disk", "--repo", "repo")
check(r.err == "note: a plain 'dbstow sync' goes to 'disk' still: see dbstow.remote and origin in git's configuration\n", r.err)
status(6 * DAY, expect=7, said=[UNSEEN % "disk"])
git("config", "--unset", "dbstow.remote")

# ---- a file's name may hold anything ----
new_repo("odd")
dbstow("export", "app.db", "--repo", "odd", "--source", 'a "b"\\\u00fc', env=at(0))
out = dbstow("status", "--repo", "odd", "--prometheus", env=at(0)).out
parsed(out)
check('dbstow_rows{source="a \\"b\\"\\\\\u00fc"} 2\n' in out, out)
new_repo("odd\udcff.git", "--bare")
dbstow("sync", os.path.abspath("odd\udcff.git"), "--repo", "odd", env=at(0))
out = dbstow("status", "--repo", "odd", "--prometheus", env=at(0)).out
parsed(out)
check('/odd\\\\xff.git"} 0\n' in out and "\ufffd" not in out, out)

# ---- from anywhere, with read access alone: what the branch there says ----
new_repo("there.git", "--bare"), new_repo("elsewhere")
there = os.path.abspath("there.git")


def look(seconds, *options, expect=0, said=None):
    r = dbstow("status", "--repo", "elsewhere", "--remote", there, *options, status=expect, env=at(seconds))
    attention = [l for l in r.err.splitlines() if l.startswith("dbstow: attention: ")]
    check(attention == ["dbstow: attention: " + s for s in said or []], "attention: %s" % r.err)
    return r.out


NONE = "the remote '%s' has no branch 'database-backups'" % there
check(look(0, expect=7, said=[NONE]) == "", "nothing to tell")
facts = json.loads(look(0, "--json", expect=7, said=[NONE]))
check(facts["newest"] is None and facts["attention"] == [NONE] and facts["remotes"] == [], "none: %s" % facts)
dbstow("sync", there, "--repo", "repo", env=at(6 * DAY))
out = look(6 * DAY)
check(out.startswith("branch    3 snapshots of app.db\nnewest    %s " % third[:8]) and "off-site" not in out, out)
look(12 * DAY, "--max-age", "9d")
look(12 * DAY, "--max-age", "8d", expect=7, said=[late % "9 days"])
check(tip("elsewhere") is None, "status made a branch")
dbstow("status", "--repo", "elsewhere", "--remote", there, "--ask", status=2,
       err="dbstow: --remote and --ask exclude each other; --remote always asks")
