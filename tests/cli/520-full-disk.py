#!/usr/bin/env python3
"""A full disk, a read-only one, one that cannot sync: at each call that writes,
and on a small file system.  One clear line; branch and target are the old or the
new ones; with space again the next run succeeds and leaves nothing stale."""
import re, json, os, random, shutil, stat, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

# LeakSanitizer cannot run under a tracer.
ENV = {"ASAN_OPTIONS": "detect_leaks=0"}
ALL = bool(os.environ.get("FULL_ALL"))
REASONS = {"ENOSPC": "No space left on device|disk is full|disk I/O error|unable to open database file",
           "EROFS": "Read-only file system|disk I/O error|unable to open database file|readonly database",
           "EIO": "Input/output error|disk I/O error"}


def make(path, rows, word):
    sql(path, """CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
      CREATE TABLE c(id INTEGER PRIMARY KEY, t REFERENCES t(id));
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d)
      INSERT INTO t SELECT i, '%s '||i FROM n; CREATE INDEX tv ON t(v);
      INSERT INTO c SELECT id, id FROM t WHERE id %% 3 = 0;""" % (rows, word))


def stale(repo):
    """What no run may leave in a repository, whether it failed or not."""
    bad = []
    for folder, folders, names in os.walk(os.path.join(repo, ".git")):
        for n in names + folders:
            full = os.path.join(folder, n)
            if n.endswith((".keep", ".lock")) or n.startswith("tmp_") or ("/.git/dbstow/" in full and n != "lock"
                                                                             and not re.fullmatch("cache-[0-9a-f]{16}", n)):
                bad.append(full)
    packs = os.listdir(os.path.join(repo, ".git", "objects", "pack"))
    stems = {os.path.splitext(p)[0] for p in packs}
    return bad + [s for s in stems if s + ".pack" not in packs or s + ".idx" not in packs]


def stale_beside():
    return [n for n in os.listdir(".") if n.startswith((".dbstow-restore", "target.db-journal")) or n.endswith(".tmp")]


def moments(command):
    """Each call that writes, as (call, errno, number); what goes to the terminal is none."""
    r = run("strace", "-f", "-qq", "-o", "trace", "-e", "trace=openat,mkdir,write,pwrite64,ftruncate,fallocate,rename,link,fsync,"
            "fdatasync", *command, env=ENV)
    check(r.status in (0, 7), "strace: " + r.err)
    counts, found = {}, set()
    for line in open("trace", errors="replace"):
        thread, _, call = line.partition(" ")
        call = call.strip()
        name = call.split("(")[0]
        if not name.isidentifier():
            continue
        n = counts[thread, name] = counts.get((thread, name), 0) + 1
        if (name == "openat" and "O_CREAT" not in call) or "EEXIST" in call or call.startswith(("write(2,", "write(1,")) or \
                '"/proc/' in call or '"/dev/' in call:
            continue
        if name in ("fsync", "fdatasync"):
            found.add((name, "EIO", n))
        else:
            found.add((name, "ENOSPC", n))
        if name in ("openat", "mkdir", "rename", "link"):
            found.add((name, "EROFS", n))
    return sorted(found)


def some(all_of_them, most):
    """An even share, each kind of call in it."""
    if ALL or len(all_of_them) <= most:
        return all_of_them
    step = len(all_of_them) / most
    return [all_of_them[int(k * step)] for k in range(most)]


def failing(moment, command, for_good=False):
    name, error, k = moment
    return run("strace", "-f", "-qq", "-o", "trace", "-e", "trace=" + name,
               "-e", "inject=%s:error=%s:when=%d%s" % (name, error, k, "+" if for_good else ""), *command, env=ENV)


def one_line(what, r, error):
    said = [l for l in r.err.splitlines() if l.startswith("dbstow: ") and not l.startswith("dbstow: attention: ")]
    check(len(said) == 1 and re.search(REASONS[error], said[0]) and said[0] == r.err.strip().splitlines()[-1],
          "%s: exit %d, not one clear line:\n%s" % (what, r.status, r.err))


def sound(what, said=""):
    r = run("git", "-C", "repo", "fsck", "--full", "--strict", "--no-dangling")
    wrong = [l for l in (r.out + r.err).splitlines() if not l.startswith(("notice: ", "dangling "))]
    check(not wrong, "%s: git fsck: %s%s\n%s" % (what, r.out, r.err, said))


def share(seen, status):
    seen[status] = seen.get(status, 0) + 1


# ---- export ----
def export_part():
    make("app.db", 40, "row")
    new_repo("base")
    dbstow("export", "app.db", "--repo", "base")
    sql("app.db", "UPDATE t SET v = v || '!' WHERE id % 7 = 0; DELETE FROM c WHERE id < 20")
    shutil.copytree("base", "final")
    dbstow("export", "app.db", "--repo", "final")
    global OLD_TIP
    old, new = tip("base"), content("final")
    OLD_TIP = old
    command = [DBSTOW, "export", "app.db", "--repo", "repo"]

    def fresh():
        shutil.rmtree("repo", ignore_errors=True)
        shutil.copytree("base", "repo", symlinks=True)

    fresh()
    every, seen = moments(command), {}
    tried = [(m, False) for m in some(every, 70)] + \
        [(m, True) for m in some([m for m in every if m[0] in ("pwrite64", "ftruncate", "fallocate", "mkdir",
                                                         "rename", "link")], 15)]
    for moment, for_good in tried:
        what = "export, %s %s at %d%s" % (moment[1], moment[0], moment[2], "+" if for_good else "")
        fresh()
        r = failing(moment, command, for_good)
        share(seen, r.status)
        if r.status in (0, 7):
            check(content("repo") == new, "%s: exit %d, but the branch is not the new one" % (what, r.status))
            drill = json.loads(dbstow("list", "--json", "--repo", "repo").out)["snapshots"][0]["drill"]
            check((drill == "ok") == (r.status == 0), "%s: exit %d with 'Drill: %s'" % (what, r.status, drill))
            dbstow("verify", "--drill", "--repo", "repo")
        else:
            check(r.status == 1, "%s: exit %d\n%s" % (what, r.status, r.err))
            one_line(what, r, moment[1])
            check(tip("repo") == old or content("repo") == new, what + ": the branch is neither old nor new")
        sound(what, r.err)
        # the intent is there for the next run to read
        left = [n for n in stale("repo") if not n.endswith("/dbstow/intent")]
        check(not left, "%s: exit %d, left %s\n%s" % (what, r.status, left, r.err))
        dbstow("export", "app.db", "--repo", "repo")
        check(content("repo") == new and not stale("repo"), what + ": the next export differs, or leaves something")
        sound(what)
    check(seen.get(1, 0) > len(tried) // 2, "hardly any failed: %r" % seen)
    print("export: %d tries at %d places that write, by exit status: %r" % (len(tried), len(every), seen))


# ---- restore ----
def restore_part(kind, prepare, *options):
    global OLD_TIP
    command = [DBSTOW, "restore", "--repo", "repo", "--to", "target.db", *options]

    def fresh():
        for n in os.listdir("."):
            if n.startswith(("target.db", ".dbstow-restore")):
                shutil.rmtree(n) if os.path.isdir(n) else os.remove(n)
        shutil.rmtree("repo", ignore_errors=True)
        shutil.copytree("base", "repo", symlinks=True)
        prepare()

    def state():
        if not os.path.exists("target.db"):
            return "none"
        check(query("target.db", "PRAGMA integrity_check") == [("ok",)], kind + ": the target is not sound")
        rows = query("target.db", "SELECT count(*), min(substr(v,1,3)), max(substr(v,1,3)) FROM t")[0]
        return {(30, "old", "old"): "old", (50, "new", "new"): "new"}.get(rows, repr(rows))

    fresh()
    before = state()
    every, seen = moments(command), {}
    for moment in some(every, 30):
        what = "restore %s, %s %s at %d" % (kind, moment[1], moment[0], moment[2])
        fresh()
        OLD_TIP = old_tip = tip()
        r = failing(moment, command)
        share(seen, r.status)
        now = state()
        if r.status == 0:
            check(now == "new", "%s: exit 0, but the target is '%s'" % (what, now))
        else:
            check(r.status == 1, "%s: exit %d\n%s" % (what, r.status, r.err))
            one_line(what, r, moment[1])
            check(now in (before, "new"), "%s: the target is '%s'" % (what, now))
        check(tip() == old_tip, what + ": the branch moved")
        sound(what, r.err)
        left = [n for n in stale("repo") if not n.endswith("/dbstow/intent")] + stale_beside()
        check(not left, "%s: exit %d, left %s\n%s" % (what, r.status, left, r.err))
        dbstow(*command[1:], *([] if "--yes" in options else ["--yes"]))
        check(state() == "new" and not stale("repo") and not stale_beside(),
              "%s: after the next restore: %s %s" % (what, state(), stale("repo") + stale_beside()))
    # where the safety copy fails in the repository, it is made beside the target
    check(seen.get(1, 0) > min(30, len(every)) // 4, "hardly any failed: %r" % seen)
    print("restore %s: %d of %d places that write, by exit status: %r" % (kind, min(30, len(every)), len(every), seen))


# ---- --output ----
def output_part():
    dbstow("export", "new.db", "--output", "doc.json")
    want = open("doc.json").read()
    command = [DBSTOW, "export", "app.db", "--output", "doc.json"]
    for moment in moments(command):
        what = "--output, %s %s at %d" % (moment[1], moment[0], moment[2])
        with open("doc.json", "w") as f:
            f.write(want)
        r = failing(moment, command)
        check(r.status == 1, "%s: exit %d" % (what, r.status))
        one_line(what, r, moment[1])
        now = open("doc.json").read()
        check(now == want or json.loads(now)["snapshot"]["source"] == "app.db", what + ": the document is neither old nor new")
        check(not [n for n in os.listdir(".") if n.startswith("doc.json.")], what + ": left something")
    # what is no file is written to, not replaced; a link stays one
    os.symlink("doc.json", "link.json")
    dbstow("export", "app.db", "--output", "link.json")
    check(os.path.islink("link.json") and json.load(open("doc.json"))["snapshot"]["source"] == "app.db", "the link was replaced")
    os.mkfifo("pipe")
    r = run("sh", "-c", "cat pipe & \"$DBSTOW\" export app.db --quiet --output pipe; wait")
    check(stat.S_ISFIFO(os.stat("pipe").st_mode) and json.loads(r.out)["end"]["tables"] == 2, "--output to a pipe: " + r.err)
    try:
        os.mknod("full", stat.S_IFCHR | 0o666, os.makedev(1, 7))
        with open("full", "w"):
            pass
    except OSError:
        print("no device can be made here: not tried")
    else:
        dbstow("export", "app.db", "--output", "full", status=1, err="dbstow: cannot write 'full': No space left on device")
        check(stat.S_ISCHR(os.stat("full").st_mode), "the device was replaced")


# ---- a small file system, in a mount namespace of its own ----
def small_part():
    os.mkdir("small")
    r = run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "small")
    if r.status:
        print("no mount: the small file system not tried")
        return
    noise = random.Random(1)
    sql("big.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
    db = sqlite3.connect("big.db")
    db.executemany("INSERT INTO t(v) VALUES(?)", ((noise.randbytes(3000),) for _ in range(1000)))
    db.commit()
    db.close()
    sql("little.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 'x')")
    full = "~dbstow: .*(No space left on device|disk is full).*"

    # the repository on it
    run("git", "init", "-q", "--template=", "small/repo")
    dbstow("export", "little.db", "--source", "app", "--repo", "small/repo")
    old = tip("small/repo")
    for _ in range(2):
        dbstow("export", "big.db", "--source", "app", "--repo", "small/repo", status=1, err=full)
        check(tip("small/repo") == old and not stale("small/repo"), "small repository: left %s" % stale("small/repo"))
        fsck("small/repo")
    sql("little.db", "INSERT INTO t VALUES(2, 'y')")
    dbstow("export", "little.db", "--source", "app", "--repo", "small/repo")
    dbstow("verify", "--all", "--drill", "--repo", "small/repo")
    shutil.rmtree("small/repo")

    # only the scratch on it: stored, and said not to be proven
    new_repo("roomy")
    os.mkdir("small/scratch")
    r = dbstow("export", "big.db", "--repo", "roomy", "--scratch", "small/scratch", status=7,
               err="~dbstow: attention: stored, but not proven restorable: (?:drill )?none \\(.*(No space left on device|disk is full).*\\)")
    drill = json.loads(dbstow("list", "--json", "--repo", "roomy").out)["snapshots"][0]["drill"]
    check(re.fullmatch("none \\(.*(No space left on device|disk is full).*\\)", drill), "Drill: " + drill)
    check("Drill: " + drill in git("log", "-1", "--format=%B", "database-backups^1", repo="roomy").splitlines(), "in the commit")
    check(os.listdir("small/scratch") == [], "scratch: %s" % os.listdir("small/scratch"))
    dbstow("verify", "--repo", "roomy")
    dbstow("verify", "--drill", "--repo", "roomy", "--scratch", "small/scratch", status=7,
           err="~dbstow: attention: .* is intact, but not proven restorable: .*(No space left on device|disk is full).*")
    check(os.listdir("small/scratch") == [] and not stale("roomy"), "left %s" % (os.listdir("small/scratch") + stale("roomy")))
    # ... and where there is room it is proven and takes the other's place
    dbstow("export", "big.db", "--repo", "roomy")
    check(json.loads(dbstow("list", "--json", "--repo", "roomy").out)["snapshots"][0]["drill"] == "ok", "not proven")

    # the target on it
    dbstow("restore", "--repo", "roomy", "--to", "small/big.db", status=1, err=full)
    check(os.listdir("small") == ["scratch"], "left %s" % os.listdir("small"))
    shutil.copy("little.db", "small/live.db")
    for options in ((), ("--scratch", ".")):
        dbstow("restore", "--repo", "roomy", "--to", "small/live.db", "--yes", *options, status=1, err=full)
        check(sorted(os.listdir("small")) == ["live.db", "scratch"], "left %s" % os.listdir("small"))
        same("little.db", "small/live.db")
    dbstow("export", "big.db", "--output", "small/doc.json", status=1, err="~dbstow: cannot write '.*doc.json': No space left on device")
    check(sorted(os.listdir("small")) == ["live.db", "scratch"], "left %s" % os.listdir("small"))

    # an index that can't be sorted beside the target is sorted elsewhere
    os.mkdir("narrow")
    texts = ((noise.randbytes(100).hex(),) for _ in range(40000))
    numbers = ((noise.randrange(1 << 24),) for _ in range(550000))
    for name, kind, values in ("wide", "TEXT", texts), ("long", "INTEGER", numbers):
        sql(name + ".db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v %s); CREATE INDEX tv ON t(v)" % kind)
        db = sqlite3.connect(name + ".db")
        db.executemany("INSERT INTO t(v) VALUES(?)", values)
        db.commit()
        db.close()
        sql(name + ".db", "VACUUM")
        size = os.path.getsize(name + ".db")
        run("mount", "-t", "tmpfs", "-o", "size=%d" % (size + (4 << 20)), "tmpfs", "narrow")
        new_repo(name)
        dbstow("export", name + ".db", "--repo", name, "--no-drill")
        dbstow("restore", "--repo", name, "--to", "narrow/%s.db" % name, env={"TMPDIR": os.getcwd()})
        same(name + ".db", "narrow/%s.db" % name)
        check(os.path.getsize("narrow/%s.db" % name) == size, "size")
        check(os.listdir("narrow") == [name + ".db"], "left %s" % os.listdir("narrow"))
        run("umount", "narrow")
    print("a small file system: done")


if sys.argv[1:] == ["small"]:
    small_part()
    sys.exit(0)

if shutil.which("strace") and run("strace", "-qq", "-o", "trace", "true").status == 0:
    export_part()
    shutil.rmtree("base")
    make("old.db", 30, "old")
    make("new.db", 50, "new")
    new_repo("base")
    dbstow("export", "new.db", "--repo", "base")
    restore_part("to a new file", lambda: None)
    restore_part("onto an existing one", lambda: shutil.copyfile("old.db", "target.db"), "--yes")
    restore_part("into an existing one", lambda: shutil.copyfile("old.db", "target.db"), "--yes", "--into")
    output_part()
else:
    print("strace cannot trace here: single calls not tried")

if run("unshare", "-m", "true").status:
    print("no mount namespace: the small file system not tried")
else:
    r = run("unshare", "-m", sys.executable, os.path.abspath(__file__), "small")
    check(r.status == 0, "on a small file system:\n" + r.out + r.err)
    print(r.out.strip())
