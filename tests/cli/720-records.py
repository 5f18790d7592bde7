#!/usr/bin/env python3
"""Documents without a schema become record snapshots: each shape, in any
order, digit for digit; cut, doubled or hostile ones change nothing."""
import gzip, json, os, re, shutil, subprocess, sys, tarfile
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *
from servers import Tcp, read_request

os.mkdir("tmp")
scratch = {"TMPDIR": os.path.abspath("tmp")}


def write(path, data):
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def record(i, name=None):
    return ('{"model": "auth.user", "pk": %d, "fields": {"username": "user %s", "joined": "2026-01-02T03:04:05.678Z", '
            '"score": %d.50, "big": 1%030d, "data": {"z": [1.0, {"b": null}], "a": "\\u00e9\\n"}}}' % (i, name or i, i, abs(i)))


users = [record(i) for i in range(3000)]
rest = ['{"model": "app.tag", "pk": "x", "fields": {}}', '{"fields": {"k": -0.0}, "model": "app.tag", "pk": null}',
        '{"pk": -5, "model": "app.tag", "fields": {"k": 1e3}}']
write("dump.json", "[\n" + ",\n".join(users + rest) + "\n]\n")
write("dump.jsonl", "\n".join(rest[::-1] + users[::-1]) + "\n")
under = [re.sub(r'"model": "[a-z.]+",? ?', "", r) for r in users + rest]
write("models.json", '{"export_date": "2026-11-20T02:35:22.5+00:00", "django_version": "3.2.19",\n "models": {"auth.user": [%s],\n "app.tag": [%s]}}'
      % (", ".join(under[:3000]), ",\n\n".join(under[3000:])))

# ---- a snapshot, read back and compared ----
new_repo()
with open("dump.json") as f:
    dbstow("import", "-", "--repo", "repo", stdin=f, status=2,
           err="dbstow: the document on standard input does not tell what the database is called; give a name with --source")
new_repo("named")
dbstow("import", "./dump.json", "--repo", "named")
dbstow("import", "dump.jsonl", "--repo", "named")
check(json.loads(dbstow("list", "--repo", "named", "--json").out)["snapshots"][0]["source"] == "dump.json", "called otherwise")
r = dbstow("import", "dump.json", "--repo", "repo", "--source", "app", env=scratch,
           err="~stored as snapshot [0-9a-f]{8} \\(intact: read back and equal; there is no schema to restore into\\); 1 on the branch")
first = r.out.strip()
fsck()
shown = json.loads(dbstow("show", "--repo", "repo", "--json").out)
check((shown["kind"], shown["source"], shown["drill"], shown["partial"], shown["tables"], shown["rows"]) ==
      ("records", "app", "none (no schema)", None, 2, 3003), "shown: %s" % shown)
check([(t["name"], t["kind"], t["rows"]) for t in shown["table_list"]] == [("app.tag", "model", 3), ("auth.user", "model", 3000)], "models: %s" % shown)
out = dbstow("show", "--repo", "repo").out
check(re.search(r"ROWS  MODEL\n +3  app.tag\n +3,000  auth.user\n", out), out)
files = git("ls-tree", "-r", "--name-only", "database-backups").split("\n")
check({"README.md", ".gitattributes", "snapshot.json", "restore.py", "data/manifest.json"} <= set(files) and "data/schema.json" not in files, "files: %s" % files)
tags = git("cat-file", "blob", "database-backups:" + next(f for f in files if "app%2Etag" in f and f.endswith("0.jsonl")))
check(tags == '{"pk":-5,"fields":{"k":1e3}}\n{"pk":"x","fields":{}}\n{"fields":{"k":-0.0}}', tags)
check("records of `app`" in git("show", "database-backups:README.md"), "README")

# ---- other shapes, other orders: the same content ----
for name in ("dump.jsonl", "models.json", "dump.json"):
    with open(name, "rb") as f:
        r = json.loads(dbstow("import", "-", "--repo", "repo", "--json", stdin=f, env=scratch,
                              err="unchanged: snapshot %s holds the same content" % first[:8]).out)
    check((r["snapshot"], r["changed"], r["drill"], r["partial"]) == (first, False, "none (no schema)", None), "%s: %s" % (name, r))
r = dbstow("import", "models.json", "--repo", "repo", "--always", "--kind", "weekly", "--jobs", "1", "--no-drill")
shown = json.loads(dbstow("show", "--repo", "repo", "--json").out)
check((shown["created_at"], shown["kind"], shown["content"]) == ("2026-11-20T02:35:22Z", "weekly", content()), "shown: %s" % shown)
dbstow("import", "dump.json", "--repo", "repo", err="~stored as snapshot [0-9a-f]{8} \\(intact.*")  # the last was not read back

# ---- one edited record is one changed line ----
users[1234] = record(1234, "with another and longer name")
write("dump.json", "[" + ",".join(users + rest) + "]")
r = dbstow("import", "dump.json", "--repo", "repo")
diff = git("diff", "--numstat", "database-backups^", "database-backups", "--", "data")
check(re.fullmatch(r"1\t1\tdata/manifest.json\n1\t1\tdata/tables/auth%2Euser~[0-9a-f]{16}/[0-9a-f]+\.jsonl", diff), "diff:\n" + diff)
users.insert(0, record(-7))
users.append(record(3000))
write("dump.json", "[" + ",".join(users + rest) + "]")
dbstow("import", "dump.json", "--repo", "repo", "--name", "more")
check("auth.user: 3,002 rows (+2)" in git("log", "-1", "--format=%B", "database-backups^2"), git("log", "-1", "--format=%B", "database-backups^2"))
out = dbstow("list", "--repo", "repo").out
check("more" in out and "5 snapshots of 'app', 0 proven restorable" in out, out)
check(dbstow("status", "--repo", "repo").out.startswith("branch    5 snapshots of app\n"), "status")

# ---- what changed, by pk and field ----
r = json.loads(dbstow("diff", "latest~2", "latest~1", "--repo", "repo", "--json").out)
check(r["schema"] == [] and r["tables"] == [
    {"name": "auth.user", "added": 0, "changed": 1, "removed": 0, "rows": [
        {"change": "changed", "key": {"pk": 1234}, "columns": {"username": {"old": "user 1234", "new": "user with another and longer name"}}}]}], "diff: %s" % r)
out = dbstow("diff", "--repo", "repo", err="1 table: 2 rows added, 0 changed, 0 removed").out
check(re.search(r'\n  \+ {"pk":-7,"fields":{"big":10+7,.*"username":"user -7"}}\n  \+ {"pk":3000,', out), out)
new_repo("two")
for text in ('[{"model":"a","pk":10,"fields":{"x":1.0,"y":null,"ab":1}},{"model":"a","pk":9,"fields":{}},{"model":"a","pk":"k","fields":{"x":1}},'
             '{"model":"b","fields":{"x":1}},{"model":"b","fields":{"x":1}},{"model":"c","pk":1,"fields":{"x":1}}]',
             '[{"model":"a","pk":10,"fields":{"x":1.00,"z\\n":"t","ab":1}},{"model":"a","pk":-9,"fields":{}},{"model":"a","pk":"k","fields":{"x":2}},'
             '{"model":"b","fields":{"x":1}},{"model":"b","fields":{"x":2}},{"model":"d","pk":1,"fields":{"x":1}}]'):
    write("two.json", text)
    dbstow("import", "two.json", "--repo", "two", "--source", "two")
r = json.loads(dbstow("diff", "--repo", "two", "--json").out)
check([(t["name"], t["added"], t["changed"], t["removed"]) for t in r["tables"]] == [("a", 1, 2, 1), ("b", 1, 0, 1), ("d", 1, 0, 0), ("c", 0, 0, 1)],
      "diff: %s" % r)
check(r["tables"][0]["rows"] == [
    {"change": "added", "row": {"pk": -9}}, {"change": "removed", "row": {"pk": 9}},
    {"change": "changed", "key": {"pk": 10}, "columns": {"x": {"old": 1.0, "new": 1.0}, "y": {"old": None, "new": None}, "z\n": {"old": None, "new": "t"}}},
    {"change": "changed", "key": {"pk": "k"}, "columns": {"x": {"old": 1, "new": 2}}}], "diff: %s" % r)
check(r["tables"][1]["rows"] == [{"change": "removed", "row": {"x": 1}}, {"change": "added", "row": {"x": 2}}], "diff: %s" % r)
dbstow("diff", "--repo", "two", "--from", "two.json", "--exit-code", err="no difference", env=scratch)

# ---- verified, and not without a schema proven ----
dbstow("verify", "--repo", "repo", "--all", env=scratch)
r = json.loads(dbstow("verify", "--repo", "repo", "--drill", "--json", status=7,
                      err="~dbstow: attention: [0-9a-f]{8} is intact, but not proven restorable: records have no schema to restore into").out)
check(r["results"][0]["result"] == "intact", "verify: %s" % r)
for name in ("dump.json", "dump.jsonl", "models.json"):
    with open(name, "rb") as f:
        check(dbstow("verify", "--from", "-", stdin=f, env=scratch).out == "-  intact\n", name)
dbstow("restore", "--repo", "repo", "--to", "new.db", status=2,
       err="~dbstow: snapshot [0-9a-f]{8} of .* holds records, which have no schema; let the application make the database's "
           "tables \\(migrate\\), then add --into")
dbstow("restore", "--from", "dump.json", "--to", "new.db", status=2, env=scratch,
       err="dbstow: 'dump.json' holds records, which have no schema; let the application make the database's tables (migrate), then add --into")
check(not os.path.exists("new.db") and os.listdir("tmp") == [], "something was left")

# ---- by hand: a list again, and of it the same content ----
subprocess.run("mkdir hand && git -C repo archive database-backups | tar -x -C hand", shell=True, check=True)
r = run(sys.executable, "hand/restore.py", "again.json")
check((r.status, r.out, r.err) == (0, "'again.json': 2 models, 3005 records\n", ""), r.out + r.err)
check(len(json.load(open("again.json"))) == 3005, "again.json")
dbstow("import", "again.json", "--repo", "repo", err="~unchanged: snapshot [0-9a-f]{8} holds the same content")
r = run(sys.executable, "hand/restore.py", "again.json")
check(r.status == 1 and r.err == "restore.py: '%s' is there; give another name\n" % os.path.abspath("again.json"), r.err)

# ---- files that were changed ----
dbstow("verify", "--from", "hand")
tag_folder = next(os.path.join("hand/data/tables", n) for n in os.listdir("hand/data/tables") if n.startswith("app"))
tag_file = os.path.join(tag_folder, "0.jsonl")
lines = open(tag_file, "rb").read().splitlines(True)


def damaged(path, data, message):
    was = open(path, "rb").read()
    write(path, data)
    dbstow("verify", "--from", "hand", status=3, err="~dbstow: " + message)
    r = run(sys.executable, "hand/restore.py", "x.json")
    check(r.status == 1 and not os.path.exists("x.json") and not [n for n in os.listdir(".") if n.startswith(".restore")], "restore.py: " + r.err)
    write(path, was)


at = "table 'app.tag', file 'data/tables/app%2Etag~[0-9a-f]{16}/0.jsonl', line "
damaged(tag_file, b"".join([lines[1], lines[0], lines[2]]), at + "2: the record is not in its place")
damaged(tag_file, b"".join([lines[0], lines[0], lines[2]]), at + "2: the record is there twice")
damaged(tag_file, b"".join([lines[0].replace(b"1e3", b"1000"), lines[1], lines[2]]),
        "table 'app.tag': its rows do not have the SHA-256 that the manifest names")
damaged(tag_file, b"".join([lines[0].replace(b":-5", b": -5"), lines[1], lines[2]]), at + "1: it is not written in the one way that a record is")
damaged(tag_file, b"".join(lines[:2]), "table 'app.tag': 2 rows where the manifest says 3")
damaged(tag_file, b"".join([lines[0].replace(b"\n", b"\r\n"), *lines[1:]]), at + "1: line endings were changed by git.*")
manifest = open("hand/data/manifest.json").read()
where = "folder 'hand': data/manifest.json: "
for old, new, message in (
        ("records/1", "records/2", None),
        ('"app.tag"', '"zzz"', "model 'zzz': its folder is 'app%2Etag~[0-9a-f]{16}', not 'zzz' as its name gives"),
        ('"app.tag"', '"auth.user"', ".*"),
        ('"rows": 3,', '"rows": 3, "kind": "table",', "model 'app.tag': 'kind' is not known"),
        ("\n]\n}", '\n],\n"partial": {}\n}', "'partial' names no models"),
        ("\n]\n}", '\n],\n"partial": {"app.tag": "x"}\n}', "model 'app.tag' is there and in 'partial'")):
    check(old in manifest, old)
    write("hand/data/manifest.json", manifest.replace(old, new, 1))
    if message:
        dbstow("verify", "--from", "hand", status=3, err="~dbstow: " + where + message)
    else:
        dbstow("verify", "--from", "hand", status=1,
               err="dbstow: snapshot format 'dbstow-records/2' is newer than this dbstow reads (dbstow-records/1); install a newer dbstow")
write("hand/data/manifest.json", manifest)
info = open("hand/snapshot.json").read()
write("hand/snapshot.json", info.replace(',\n "engine": "records"', ',\n "page_size": 4096,\n "auto_vacuum": 0,\n "wal": false'))
dbstow("verify", "--from", "hand", status=3, err="dbstow: folder 'hand': snapshot.json is another engine's than data/manifest.json")
write("hand/snapshot.json", info)
dbstow("verify", "--from", "hand")


# ---- what is not whole, or not records, changes nothing and leaves nothing ----
def state():
    return tip(), sorted(n for n in os.listdir("repo/.git/dbstow")), sorted(tree("repo/.git/objects")), os.listdir("tmp")


def refused(data, message, status=3, *argv):
    write("bad.json", data)
    before = state()
    dbstow("import", "bad.json", "--repo", "repo", *argv, status=status, env=scratch, err="~" + re.escape("dbstow: 'bad.json'") + message)
    check(state() == before, "something was left: %s" % (state(),))


for cut in (1, 20, 500000):
    refused(open("dump.json", "rb").read()[:-cut], r" is incomplete: it ends in line \d+; get it again")
refused('[%s,\n%s]' % (users[5], users[5]), r": line 2: model 'auth.user', pk 4: it is there a second time, after line 1")
refused("[]", " holds no record; an empty document is no backup, and is not stored", 6)
refused('{"detail": "Not found."}', ' is no document that dbstow knows: it has neither "format":"dbstow-export/1" nor "models"', 1)
refused('[{"model": "a", "pk": 1, "fields": {"x": NaN}}]',
        r": line 1: record 1 \(a, pk 1\): field 'x' has a number that JSON does not have \(NaN or Infinity\)")
refused("[" * 100000, " is incomplete.*|: line 1: record 1: .*")
refused('[{"model": "a", "pk": 1, "fields": {"x": %s}}]' % ("[" * 5000 + "]" * 5000), r": line 1: record 1 \(a, pk 1\): field 'x' is nested too deeply")
refused('[{"model": "a\\u001b[31m", "pk": 1, "fields": {}}]', r": line 1: record 1 \(pk 1\): its 'model' is no model's name")
refused("[%s]" % users[0].replace("joined", "username"), r": line 1: record 1 \(auth.user, pk -7\): it has the member 'username' twice")
refused("\ufeff[]".encode("utf-16-le"), " is UTF-16, and JSON is UTF-8; let the application write the file itself .*", 1)
refused(gzip.compress(b"[]"), " is compressed; decompress it first, such as with: gzip -dc FILE \\| dbstow import -", 1)
dbstow("import", "dump.json", "--repo", "repo", "--source", "other", status=6)

# every cut of a small one, in both shapes
for text in ('[{"model":"a","pk":1,"fields":{"x":"\\u00e9"}}]', '{"models":{"a":[{"pk":1,"fields":{}}],"b":[]}}'):
    for size in range(len(text)):
        write("bad.json", text[:size])
        r = run(DBSTOW, "verify", "--from", "bad.json", env=scratch)
        check(r.status in (1, 3) and r.err.count("\n") == 1, "%d bytes: %d %s" % (size, r.status, r.err))
check(os.listdir("tmp") == [], "scratch stayed")

# ---- a model that the application could not export ----
partial = '{"models": {"a.B": [{"pk": 1, "fields": {}}], "a.C": {"error": "no such table: a_c"}, "a.D": {"error": "\\u001b[31mtimeout"}}}'
new_repo("parts")
before = state()
write("partial.json", partial)
dbstow("import", "partial.json", "--repo", "parts", "--source", "p", status=1,
       err="dbstow: 'partial.json': the application could not export model 'a.C': no such table: a_c; mend that, or import with "
           "--allow-partial to store the others")
check(tip("parts") is None, "stored")
dbstow("verify", "--from", "partial.json", status=1)
for again in (0, 1):
    r = dbstow("import", "partial.json", "--repo", "parts", "--source", "p", "--allow-partial", "--json", status=7,
               err="dbstow: attention: stored, but partial: the application left out a.C, a.D")
    check(json.loads(r.out)["partial"] == "a.C, a.D" and json.loads(r.out)["changed"] == (not again), r.out)
message = git("log", "-1", "--format=%B", "database-backups^", repo="parts")
check("a.C: left out (no such table: a_c)\n" in message and "\nPartial: a.C, a.D" in message and "\x1b" not in message, message)
check("  partial\n" in git("log", "-1", "--format=%B", "database-backups", repo="parts"), "index")
check("(partial)" in dbstow("list", "--repo", "parts").out, "list")
out = dbstow("show", "--repo", "parts").out
check("partial      a.C, a.D\n" in out and "left out  a.C: no such table: a_c\n" in out and "\x1b" not in out, out)
shown = json.loads(dbstow("show", "--repo", "parts", "--json").out)
check(shown["left_out"][0] == {"name": "a.C", "why": "no such table: a_c"} and shown["partial"] == "a.C, a.D", "show: %s" % shown)
dbstow("status", "--repo", "parts", status=7,
       err="dbstow: attention: the newest snapshot is partial: the application left models out (see 'dbstow show')")
check(json.loads(git("show", "database-backups:data/manifest.json", repo="parts"))["partial"]["a.C"] == "no such table: a_c", "manifest")
dbstow("verify", "--repo", "parts")

# ---- a branch holds databases or records, not both ----
sql("app.db", "CREATE TABLE t(x); INSERT INTO t VALUES(1)")
dbstow("export", "app.db", "--repo", "parts", "--source", "p", status=6,
       err="dbstow: the branch 'database-backups' holds snapshots of records, not of a database; take another one with --branch NAME")
dbstow("export", "app.db", "--repo", "parts", "--branch", "db")
dbstow("import", "dump.json", "--repo", "parts", "--branch", "db", status=6, env=scratch,
       err="dbstow: the branch 'db' holds snapshots of a database, not of records; take another one with --branch NAME")

dbstow("import", "dump.json", "--repo", "parts", "--branch", "db", "--source", "app.db", "--adopt", status=6, env=scratch)
git("update-ref", "refs/heads/ours", git("commit-tree", "-m", "x", git("mktree", repo="parts"), repo="parts"), repo="parts")
dbstow("import", "dump.json", "--repo", "parts", "--branch", "ours", "--source", "app", status=6, env=scratch)
dbstow("import", "dump.json", "--repo", "parts", "--branch", "ours", "--source", "app", "--adopt", env=scratch)

# ---- synced, found there ----
new_repo("far", "--bare")
dbstow("sync", os.path.abspath("far"), "--repo", "parts")
shown = json.loads(dbstow("list", "--repo", "parts", "--remote", os.path.abspath("far"), "--json").out)
check(shown["snapshots"][0]["partial"] == "a.C, a.D" and shown["snapshots"][0]["kind"] == "records", "there: %s" % shown)
new_repo("near")
dbstow("sync", os.path.abspath("far"), "--repo", "near", "--pull")
check(tip("near") == tip("parts"), "pulled another tip")
dbstow("verify", "--repo", "near")


# ---- over HTTP, and an ETag ----
def serve(c):
    first_line, headers, _ = read_request(c)
    path = first_line.split()[1].strip("/")
    if headers.get("if-none-match") == '"%s"' % path:
        return c.sendall(b'HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n')
    body = open(path.split("-cut")[0], "rb").read()
    if path.endswith("-cut"):
        body = body[:-100]
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"%s\"\r\nConnection: close\r\n\r\n" % path.encode() + body)


with Tcp(serve) as web:
    env = dict(scratch, no_proxy="*")

    def fetch(path, *argv, **kw):
        return dbstow("fetch", web.url(path), "--allow-http", *argv, env=env, **kw)

    fetch("dump.json", "--repo", "repo", err="~unchanged: snapshot [0-9a-f]{8} holds the same content")
    r = json.loads(fetch("dump.json", "--repo", "repo", "--json", err="~unchanged: .*; the server has no other").out)
    check((r["read"], r["drill"]) == (False, "none (no schema)"), "etag: %s" % r)
    r = fetch("dump.json", "--repo", "repo")
    check(r.err.startswith("app: 2 models, 3,005 records, 528 kB of JSON\nunchanged: "), r.err)
    for name in ("dump.json", "models.json"):
        before = state()
        fetch(name + "-cut", "--repo", "repo", status=3, err="~dbstow: '.*' is incomplete: it ends in line \\d+; get it again")
        check(state() == before, "something was left")
    fetch("partial.json", "--repo", "parts", "--allow-partial", status=7)
    fetch("partial.json", "--repo", "parts", status=1)  # no ETag was kept for it
    fetch("models.json", "--output", "saved.json", err="~'.*/models.json': 2 models, 3,003 records written to saved.json")
    check(open("saved.json", "rb").read() == open("models.json", "rb").read(), "saved otherwise")
    fetch("dump.json-cut", "--output", "none.json", status=3)
    fetch("partial.json", "--output", "none.json", status=1)
    check(not os.path.exists("none.json"), "a part was saved")
    fetch("partial.json", "--output", "part.json", "--allow-partial", status=7,
          err="dbstow: attention: saved, but partial: the application left models out")
check(os.listdir("tmp") == [], "scratch stayed")
fsck()
