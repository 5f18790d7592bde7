#!/usr/bin/env python3
"""Damaged and hostile snapshots, from a folder and from a branch: one clear line,
no file made, nothing outside the target created or read."""
import glob, hashlib, json, os, re, shutil, subprocess, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

sql("app.db", """CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT);
  CREATE TABLE keyed(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
  CREATE INDEX un ON users(name); CREATE VIEW uv AS SELECT name FROM users;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<50) INSERT INTO users SELECT i, 'name '||i FROM n;
  DELETE FROM keyed; INSERT INTO keyed VALUES('a', 1), ('b', x'00');
  CREATE TABLE big(id INTEGER PRIMARY KEY, v); INSERT INTO big VALUES(1, zeroblob(1500000));
  CREATE TRIGGER ut AFTER INSERT ON users BEGIN INSERT INTO keyed VALUES('trigger ran', 1); END;""")
new_repo()
dbstow("export", "app.db", "--repo", "repo")
run("git", "clone", "-q", "--branch", "database-backups", "repo", "sound")
dbstow("verify", "--from", "sound", "--drill")
USERS = "data/tables/users/0.jsonl"


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def broken(change):
    shutil.rmtree("bad", ignore_errors=True)
    shutil.copytree("sound", "bad", symlinks=True)
    change("bad/")


def manifest_of(folder):
    return json.loads(read(folder + "data/manifest.json"))


def forge(folder):
    """Make a changed folder agree with itself, as an attacker would."""
    m = manifest_of(folder)
    for t in m["tables"]:
        path = folder + "data/tables/" + t["dir"] + "/0.jsonl"
        if os.path.exists(path):
            rows = read(path)
            t["rows"] = rows.count(b"\n")
            t["sha256"] = hashlib.sha256(rows).hexdigest()
    write(folder + "data/manifest.json", json.dumps(m))
    forge_content(folder)


def forge_content(folder):
    run("git", "-C", folder, "add", "-A", "-f")
    tree_id = git("write-tree", repo=folder)
    info = json.loads(read(folder + "snapshot.json"))
    for key in ("content", "content_id"):
        if key in info:
            info[key] = git("rev-parse", tree_id + ":data", repo=folder)
    write(folder + "snapshot.json", json.dumps(info))


def refused(what, message, status=3):
    r = dbstow("restore", "--from", "bad", "--to", "out.db", status=status, err=message)
    left = [n for n in os.listdir(".") if n.startswith("out.db") or n.startswith(".dbstow")]
    check(not left, "%s: left %s" % (what, left))
    return r


# ---- damage ----
def remove(path):
    return lambda d: os.remove(d + path)


def edit(path, old, new):
    def change(d):
        data = read(d + path)
        check(old in data, "nothing to edit in " + path)
        write(d + path, data.replace(old, new, 1))
    return change


damaged = (
    ("a file missing", remove(USERS), "~dbstow: .*users.*"),
    ("a file cut short", lambda d: write(d + USERS, read(d + USERS)[:100]), "~dbstow: .*"),
    ("one byte changed", edit(USERS, b"name 7", b"name 8"),
     "dbstow: table 'users': its rows do not have the SHA-256 that the manifest names"),
    ("a row too many", lambda d: write(d + USERS, read(d + USERS) + b'{"id":51,"name":"x"}\n'), "~dbstow: .*"),
    ("a file too many", lambda d: write(d + "data/tables/users/1.jsonl", b"{}\n"), "~dbstow: .*"),
    ("manifest missing", remove("data/manifest.json"), "~dbstow: .*manifest.json.*"),
    ("manifest no JSON", lambda d: write(d + "data/manifest.json", b"{"), "~dbstow: .*manifest.json.*"),
    ("schema missing", remove("data/schema.json"), "~dbstow: .*schema.json.*"),
    ("snapshot.json missing", remove("snapshot.json"), "~dbstow: .*snapshot.json.*"),
    ("line endings", lambda d: write(d + USERS, read(d + USERS).replace(b"\n", b"\r\n")), "~dbstow: .*line endings.*"),
)
for what, change, message in damaged:
    broken(change)
    r = run(DBSTOW, "restore", "--from", "bad", "--to", "out.db")
    check(r.status in (1, 3) and r.status != 0, "%s: exit %d %s" % (what, r.status, r.err))
    refused(what, message, status=r.status)
    check(run(DBSTOW, "verify", "--from", "bad").status == r.status, what + ": verify")

os.mkdir("empty")
dbstow("restore", "--from", "empty", "--to", "out.db", status=3,
       err="dbstow: folder 'empty' is no snapshot: it has no file 'data/manifest.json'")
dbstow("restore", "--from", "nowhere", "--to", "out.db", status=1, err="~dbstow: .*'nowhere'.*")

# ---- self-consistent, but not what the format allows ----
secret = os.path.abspath("secret")
write(secret, b"{}\n")


def forged(change):
    def both(d):
        change(d)
        forge(d)
    return both


def set_manifest(change):
    def edit_manifest(d):
        forge(d)
        m = manifest_of(d)
        change(m)
        write(d + "data/manifest.json", json.dumps(m))
        forge_content(d)
    return edit_manifest


def set_schema(change):
    def edit_schema(d):
        s = json.loads(read(d + "data/schema.json"))
        change(s)
        write(d + "data/schema.json", json.dumps(s))
        forge_content(d)
    return edit_schema


def entry(s, name):
    return next(e for e in s if e["name"] == name)


def symlink(d):
    os.remove(d + USERS)
    os.symlink(secret, d + USERS)


def symlinked_folder(d):
    shutil.move(d + "data/tables/users", "elsewhere")
    os.symlink(os.path.abspath("elsewhere"), d + "data/tables/users")


def table_sql(name, text):
    return set_schema(lambda s: entry(s, name).update(sql=text))


hostile = (
    ("unknown tag", forged(edit(USERS, b'"name 7"', b'{"$exec":"x"}')), "~dbstow: .*'users'.*line 7.*\\$exec.*"),
    ("unknown key", forged(edit(USERS, b'"name":"name 7"', b'"nome":"name 7"')), "~dbstow: .*'users'.*line 7.*"),
    ("duplicate key", forged(edit(USERS, b'"name":"name 7"', b'"name":"x","name":"y"')), "~dbstow: .*'users'.*line 7.*"),
    ("rows out of order", forged(edit(USERS, b'"id":7,', b'"id":70,')), "~dbstow: .*'users'.*"),
    ("bad UTF-8", forged(edit(USERS, b"name 7", b"name \xff")), "~dbstow: .*'users'.*line 7.*"),
    ("deep nesting", forged(edit(USERS, b'"name 7"', b"[" * 100000 + b"]" * 100000)), "~dbstow: .*'users'.*line 7.*"),
    ("part outside", forged(edit("data/tables/big/0.jsonl", b"values/", b"../../../")), "~dbstow: .*'big'.*"),
    ("newer format", set_manifest(lambda m: m.update(format="dbstow-snapshot/2")),
     "~dbstow: .*'dbstow-snapshot/2' is newer than this dbstow reads.*"),
    ("other format", set_manifest(lambda m: m.update(format="other/1")), "~dbstow: .*other/1.*"),
    ("folder ../x", set_manifest(lambda m: m["tables"][0].update(dir="../x")), "~dbstow: .*'\\.\\./x'.*"),
    ("a table twice", set_manifest(lambda m: m["tables"].append(dict(m["tables"][0]))), "~dbstow: .*"),
    ("a negative count", set_manifest(lambda m: m["tables"][0].update(rows=-1)), "~dbstow: .*"),
    ("a symlink", symlink, "~dbstow: .*symbolic link.*"),
    ("a symlinked folder", symlinked_folder, "~dbstow: .*symbolic link.*"),
    ("two statements", table_sql("users", "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT); ATTACH 'owned.db' AS x"), "~dbstow: .*'users'.*"),
    ("attach", table_sql("users", "ATTACH 'owned.db' AS x"), "~dbstow: .*'users'.*"),
    ("as select", table_sql("users", "CREATE TABLE users AS SELECT 1 AS id, 'x' AS name"), "~dbstow: .*'users'.*"),
    ("other name", table_sql("users", "CREATE TABLE usurp(id INTEGER PRIMARY KEY, name TEXT)"), "~dbstow: .*'users'.*"),
    ("temp table", table_sql("users", "CREATE TEMP TABLE users(id INTEGER PRIMARY KEY, name TEXT)"), "~dbstow: .*'users'.*"),
    ("pragma as index", table_sql("un", "PRAGMA writable_schema=ON"), "~dbstow: .*'un'.*"),
    ("index of another", table_sql("un", "CREATE INDEX other ON users(name)"), "~dbstow: .*'un'.*"),
    ("index function", table_sql("un", "CREATE INDEX un ON users(load_extension('x'))"), "~dbstow: .*'un'.*"),
    ("view is a table", table_sql("uv", "CREATE TABLE uv(x)"), "~dbstow: .*'uv'.*"),
    ("view of another name", table_sql("uv", "CREATE VIEW vu AS SELECT 1"), "~dbstow: .*'uv'.*"),
    ("two views", table_sql("uv", "CREATE VIEW uv AS SELECT 1; CREATE VIEW uw AS SELECT 2"), "~dbstow: .*'uv'.*"),
    ("trigger on another", table_sql("ut", "CREATE TRIGGER ut AFTER INSERT ON keyed BEGIN SELECT 1; END"), "~dbstow: .*'ut'.*"),
    ("other type", set_schema(lambda s: entry(s, "uv").update(type="trigger")), "~dbstow: .*'uv'.*"),
    ("sqlite name", set_schema(lambda s: entry(s, "uv").update(name="sqlite_schema")), "~dbstow: .*"),
)
for what, change, message in hostile:
    broken(change)
    r = run(DBSTOW, "restore", "--from", "bad", "--to", "out.db")
    check(r.status in (1, 3), "%s: exit %d %s" % (what, r.status, r.err))
    check("content id" not in r.err, "%s: not forged well: %s" % (what, r.err))
    refused(what, message, status=r.status)
    check(not os.path.exists("owned.db"), what + ": a file was made outside")
    if os.path.exists("elsewhere"):
        shutil.rmtree("elsewhere")

# a hostile branch: a symlink, a submodule and an odd mode in the tree
def with_mode(tree_id, path, mode):
    """The tree with the entry at `path` given another mode."""
    head, _, rest = path.partition("/")
    lines = []
    for line in git("ls-tree", tree_id, repo="evil").splitlines():
        meta, name = line.split("\t")
        old_mode, kind, object_id = meta.split()
        if name == head and rest:
            object_id = with_mode(object_id, rest, mode)
        elif name == head:
            old_mode = mode
            if mode == "160000":
                kind, object_id = "commit", "1" * 40
        lines.append("%s %s %s\t%s\n" % (old_mode, kind, object_id, name))
    write("listing", "".join(lines))
    with open("listing", "rb") as listing:
        return run("git", "-C", "evil", "mktree", "--missing", stdin=listing).out.strip()


for mode, kind in (("120000", "symbolic link"), ("160000", "submodule"), ("100755", "mode 100755")):
    shutil.rmtree("evil", ignore_errors=True)
    shutil.copytree("repo", "evil")
    made = with_mode(git("rev-parse", "database-backups^{tree}", repo="evil"), USERS, mode)
    commit = git("commit-tree", made, "-m", git("log", "-1", "--format=%B", "database-backups^1", repo="evil"), repo="evil")
    dbstow("restore", commit, "--repo", "evil", "--to", "out.db", status=3, err="~dbstow: .*0\\.jsonl.*")
    check(not os.path.exists("out.db"), kind + " was taken")

# damage in the repository itself: an object changed on disk
shutil.rmtree("evil", ignore_errors=True)
shutil.copytree("repo", "evil")
for root, _, files in os.walk("evil/.git/objects/pack"):
    for name in files:
        if name.endswith(".pack"):
            full = os.path.join(root, name)
            os.chmod(full, 0o644)
            data = bytearray(read(full))
            for at in range(12, len(data), 40):
                data[at] ^= 0xFF
            write(full, bytes(data))
r = run(DBSTOW, "restore", "--repo", "evil", "--to", "out.db")
check(r.status in (1, 3) and not os.path.exists("out.db"), "damaged pack: %d %s" % (r.status, r.err))
check(run(DBSTOW, "verify", "--repo", "evil").status in (1, 3), "damaged pack: verify")

# ... and at a remote, where git itself cannot read one: damage, not the network
far = os.path.abspath("far.git")
new_repo(far, "--bare"), new_repo("asks")
shutil.copy("app.db", "later.db")
sql("later.db", "INSERT INTO users VALUES(51, 'later')")
old = git("rev-parse", "database-backups^1", repo="repo")
new = dbstow("export", "later.db", "--source", "app.db", "--repo", "repo").out.strip()
dbstow("sync", far, "--repo", "repo")
# each object in a file of its own, one of which can be spoiled
for pack in glob.glob(os.path.join(far, "objects", "pack", "*.pack")):
    os.rename(pack, "unpacked")
    os.remove(pack[:-len("pack")] + "idx")
    with open("unpacked", "rb") as objects:
        subprocess.run(["git", "-C", far, "unpack-objects", "-q"], stdin=objects, check=True)
blob = git("rev-parse", new + ":" + USERS, repo=far)
loose = os.path.join(far, "objects", blob[:2], blob[2:])
os.chmod(loose, 0o644)
write(loose, "")
damaged = (r"the remote '.*/far\.git' cannot read its own objects: fatal: .*%s.*; run 'git fsck' there, and sync a sound copy "
           "to a new repository" % blob)
dbstow("verify", "--all", "--repo", "asks", "--remote", far, status=3, err="~dbstow: " + damaged)
git("config", "uploadpack.allowFilter", "true", repo=far)
r = dbstow("verify", "--all", "--json", "--repo", "asks", "--remote", far, status=3)
found = {one["snapshot"]: one for one in json.loads(r.out)["results"]}
check(found[old]["result"] == "intact" and found[new]["result"] == "damaged" and re.fullmatch(damaged, found[new]["message"]),
      r.out)
dbstow("sync", "--pull", far, "--repo", "asks", status=3, err="~dbstow: " + damaged)

# a table in the middle cut into files otherwise than an export does: its rows are
# whole, and no export gives that snapshot
sql("cut.db", "".join("""CREATE TABLE %s(id INTEGER PRIMARY KEY, name TEXT);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20) INSERT INTO %s SELECT i, 'name '||i FROM n;""" % (t, t) for t in "abc"))
new_repo("cut")
dbstow("export", "cut.db", "--repo", "cut")
run("git", "clone", "-q", "--branch", "database-backups", "cut", "by-hand")
rows = read("by-hand/data/tables/b/0.jsonl").splitlines(True)
write("by-hand/data/tables/b/0.jsonl", b"".join(rows[:10]))
write("by-hand/data/tables/b/800000000000000b.jsonl", b"".join(rows[10:]))


def commit_by_hand(content_id):
    git("add", "-A", repo="by-hand")
    message = git("log", "-1", "--format=%B", "database-backups^1", repo="by-hand").replace(content("by-hand"), content_id)
    return git("commit-tree", git("write-tree", repo="by-hand"), "-m", message, repo="by-hand")


# snapshot.json names the content id that comes out
commit = commit_by_hand(content("by-hand"))
dbstow("restore", commit, "--repo", "by-hand", "--to", "cut-out.db")
same("cut.db", "cut-out.db")
os.remove("cut-out.db")
# ... and that which lies there
forge_content("by-hand/")
commit = commit_by_hand(json.loads(read("by-hand/snapshot.json"))["content"])
otherwise = "dbstow: all rows came back, but schema or settings differ after restoring"
dbstow("verify", commit, "--repo", "by-hand")
for jobs in "1", "2":
    dbstow("verify", commit, "--repo", "by-hand", "--drill", "--jobs", jobs, status=3, err=otherwise)
    dbstow("restore", commit, "--repo", "by-hand", "--to", "cut-out.db", "--jobs", jobs, status=3, err=otherwise)
    check(not os.path.exists("cut-out.db"), "left: cut-out.db")
dbstow("verify", "--from", "by-hand", "--drill", status=3, err=otherwise)

# triggers and views did not run
dbstow("restore", "--from", "sound", "--to", "out.db")
check(query("out.db", "SELECT count(*) FROM keyed") == [(2,)], "a trigger ran during restore")
same("app.db", "out.db")
