#!/usr/bin/env python3
"""Repositories that cannot be used, and unusual ones that can: one clear line
for each that cannot, and nothing in it is changed."""
import os, shutil, stat, sys, time
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

ROOT = os.getuid() == 0
NOBODY = 65534
NONE_YET = "dbstow: there is no snapshot here yet; 'dbstow export' makes one, 'dbstow sync --pull' brings a remote's"
# LeakSanitizer cannot run under a tracer.
TRACED = {"ASAN_OPTIONS": "detect_leaks=0"}


def files(repo):
    """All but our own folder, where a lock file may appear."""
    return {k: v for k, v in tree(repo).items() if "/.git/dbstow/" not in k}


def refused(repo, message, *argv, status=1, **kw):
    """The command fails with this line and changes no file of `repo`."""
    before = files(repo)
    r = dbstow(*argv, "--repo", repo, status=status, err=message, **kw)
    check(files(repo) == before, "%s: '%s' changed the repository: %s" %
          (repo, " ".join(argv), set(files(repo)) ^ set(before)))
    said = [l for l in r.err.splitlines() if l.startswith("dbstow:")]
    check(len(said) == 1, "%s: not one line: %s" % (repo, r.err))
    check(not os.path.exists("out.db"), repo + ": a database was made")
    return r


EVERY = (("export", "app.db"), ("list",), ("show",), ("verify",), ("verify", "--all"), ("restore", "--to", "out.db"),
         ("pin", "latest"), ("delete", "latest", "--yes"))


def all_refused(repo, message, status=1):
    for argv in EVERY:
        refused(repo, message, *argv, status=status)


def insert(value):
    sql("app.db", "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) VALUES('%s')" % value)


def export(repo, *options, at=None, **kw):
    env = {"SOURCE_DATE_EPOCH": str(at)} if at else {}
    return dbstow("export", "app.db", "--repo", repo, *options, env=env, **kw).out.strip()


# libgit2 1.5 leaks while it looks for extensions.
with open("suppressions", "w") as f:
    f.write("leak:libpcre2\n")
os.environ["LSAN_OPTIONS"] = "print_suppressions=0:suppressions=" + os.path.abspath("suppressions")
os.chmod("suppressions", 0o644)

insert("one")

# ---- none at all ----
os.mkdir("empty")
all_refused("empty", "dbstow: no git repository at 'empty'; run 'git init' there or name one with --repo")
dbstow("list", "--repo", "nowhere", status=1, err="dbstow: there is no folder 'nowhere'")
dbstow("export", "app.db", "--repo", "app.db", status=1, err="~dbstow: no git repository at 'app.db'; .*")
os.mkdir("dangling")
with open("dangling/.git", "w") as f:
    f.write("gitdir: ../gone\n")
all_refused("dangling", "~dbstow: .*'dangling'.*")

# ---- without any commit: nothing to read, but a place to export to ----
new_repo("fresh")
before = tree("fresh")
check(dbstow("list", "--repo", "fresh").out == "no snapshots\n", "list of a repository without commits")
for argv in EVERY[2:]:
    refused("fresh", NONE_YET, *argv)
check({k for k in tree("fresh") if "/.git/dbstow/" not in k} == set(before), "reading made files")
export("fresh")
check(git("for-each-ref", "--format=%(refname)", repo="fresh") == "refs/heads/database-backups", "other refs")
fsck("fresh")

# ---- what this library cannot read ----
for name, key, value in (("reftable", "refstorage", "reftable"), ("unknown", "notinventedyet", "true")):
    new_repo(name)
    with open(name + "/.git/config", "a") as f:
        f.write("[core]\n\trepositoryformatversion = 1\n[extensions]\n\t%s = %s\n" % (key, value))
    all_refused(name, "~dbstow: cannot open the repository '%s': .*%s.*" % (name, key))
new_repo("sha256", "--object-format=sha256")
all_refused("sha256", "dbstow: repository 'sha256' uses SHA-256 object ids, which dbstow cannot write yet; use one made "
            "with 'git init --object-format=sha1'")
new_repo("newer")
with open("newer/.git/config", "a") as f:
    f.write("[core]\n\trepositoryformatversion = 2\n")
all_refused("newer", "~dbstow: cannot open the repository 'newer': .*version 2.*")

# ---- names: spaces, non-ASCII, a quote; branches with slashes ----
odd = "Müller's repo – 数据"
new_repo(odd)
branch = "team/β/nightly"
first = dbstow("export", "app.db", "--repo", odd, "--branch", branch).out.strip()
check(dbstow("list", "--repo", odd, "--branch", branch).out.count(first[:8]) == 1, "branch with slashes")
dbstow("restore", "--repo", odd, "--branch", branch, "--to", "ä b.db")
same("app.db", "ä b.db")
# ... the undo line can be pasted
r = dbstow("restore", "--repo", odd, "--branch", branch, "--to", "ä b.db", "--yes")
undo = [l for l in r.err.splitlines() if l.startswith("undo with: ")]
check(len(undo) == 1, "no undo line: " + r.err)
r = run("sh", "-c", undo[0][len("undo with: "):].replace("dbstow", "\"$DBSTOW\"", 1))
check(r.status == 0, "the undo line does not work: %s\n%s" % (undo[0], r.err))
for other, beside in (("team", branch), (branch + "/more", branch)):
    refused(odd, "dbstow: cannot create 'refs/heads/%s' beside 'refs/heads/%s'; use --branch NAME" % (other, beside),
            "export", "app.db", "--branch", other, status=6)
for bad in ("a..b", "-x", "x.lock", "a b", "HEAD^", ""):
    refused(odd, "dbstow: '%s' cannot be the name of a branch" % bad, "export", "app.db", "--branch=" + bad, status=2)
fsck(odd)

# ---- GIT_DIR and its like in the environment, as in a git hook ----
new_repo("mine")
new_repo("wrong")
before = tree("wrong")
hook = {"GIT_DIR": os.path.abspath("wrong/.git"), "GIT_WORK_TREE": os.path.abspath("wrong"),
        "GIT_INDEX_FILE": os.path.abspath("wrong/.git/index"), "GIT_OBJECT_DIRECTORY": os.path.abspath("wrong/.git/objects")}
os.mkdir("mine/inside")
dbstow("export", "app.db", "--repo", "mine/inside", env=hook)
os.chdir("mine/inside")
dbstow("export", "../../app.db", "--always", env=hook)
os.chdir("../..")
check(tree("wrong") == before, "GIT_DIR was followed, not the folder")
check(git("rev-list", "--count", "database-backups", repo="mine") == "3", "GIT_DIR hid the repository")
fsck("mine")

# ---- a submodule: in its own repository, the one around it stays as it is ----
new_repo("around")
git("commit", "-q", "--allow-empty", "-m", "start", repo="around")
new_repo("part")
git("commit", "-q", "--allow-empty", "-m", "start", repo="part")
git("-c", "protocol.file.allow=always", "submodule", "add", "-q", os.path.abspath("part"), "sub", repo="around")
git("commit", "-qm", "sub", repo="around")
outside = {k: v for k, v in tree("around").items() if "/.git/modules/" not in k}
export("around/sub")
check({k: v for k, v in tree("around").items() if "/.git/modules/" not in k} == outside, "the repository around was touched")
check(tip("around") is None and tip("around/sub"), "not in the submodule's repository")
check(git("status", "--porcelain", repo="around") == "", "git status is not clean")
dbstow("verify", "--drill", "--repo", "around/sub")
fsck("around/sub")

# ---- a ref lock that somebody else holds: named with its age, left alone ----
new_repo("locked")
export("locked")
lock = os.path.abspath("locked/.git/refs/heads/database-backups.lock")
open(lock, "w").close()
os.utime(lock, (time.time() - 3 * 3600 - 60,) * 2)
old = git("show-ref", repo="locked"), tip("locked")
for argv in (("export", "app.db", "--always"), ("export", "app.db"), ("pin", "latest")):
    dbstow(*argv, "--repo", "locked", status=4,
           err="dbstow: 'refs/heads/database-backups' is locked by the file '%s', made 3 h ago; wait for the git "
           "process that made it, or remove that file if there is none" % lock)
check((git("show-ref", repo="locked"), tip("locked")) == old and os.path.exists(lock), "the branch or its lock changed")
dbstow("verify", "--repo", "locked")  # reading needs no lock
os.remove(lock)
export("locked", "--always")
fsck("locked")

# ---- one that a killed run of ours left: removed ----
traceable = shutil.which("strace") and \
    run("strace", "-qq", "-o", "/dev/null", "true").status == 0
if traceable:
    insert("killed")
    shutil.copytree("locked", "count")
    r = run("strace", "-f", "-qq", "-o", "trace", "-e", "trace=rename", DBSTOW, "export", "app.db", "--repo", "count",
            env=TRACED)
    check(r.status == 0, r.err)
    renames = [l for l in open("trace", errors="replace") if "rename(" in l]
    at = [n for n, l in enumerate(renames, 1) if "refs/heads/database-backups.lock\"" in l and "/logs/" not in l]
    check(len(at) == 1, "one rename moves the ref: %s" % at)
    old = tip("locked")
    run("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=rename", "-e", "inject=rename:signal=KILL:when=%d" % at[0],
        DBSTOW, "export", "app.db", "--repo", "locked", env=TRACED)
    check(os.path.exists(lock) and tip("locked") == old, "the run was not killed with the lock in its hands")
    check(os.path.exists("locked/.git/dbstow/intent"), "no intent")
    dbstow("verify", "--repo", "locked")
    export("locked")
    check(not os.path.exists(lock) and not os.path.exists("locked/.git/dbstow/intent"), "the stale lock stayed")
    check(tip("locked") != old, "not exported")
    fsck("locked")
else:
    print("no strace: stale locks not tried")

# ---- shallow: the newest is there, the rest is told, .git/shallow stays ----
new_repo("origin")
HOUR = 1700000000
made = []
for n in range(3):
    insert("shallow %d" % n)
    made.append(export("origin", at=HOUR + 3600 * n))
url = "file://" + os.path.abspath("origin")
check(run("git", "clone", "-q", "--depth", "1", "--branch", "database-backups", url, "shallow").status == 0, "clone")
before = tree("shallow")
grafts = open("shallow/.git/shallow").read()
listed = dbstow("list", "--repo", "shallow").out.splitlines()
check(listed[1].startswith(made[2][:8]) and listed[1].rstrip().endswith("ok"), "the newest: " + listed[1])
check([l for l in listed[2:4]] == ["%s  (not in this repository)" % i[:8] for i in made[1::-1]], "the rest: %s" % listed)
check(listed[4] == "3 snapshots of 'app.db', 1 proven restorable, keeping 8", "total: " + listed[4])
dbstow("restore", "--repo", "shallow", "--to", "shallow.db")
same("app.db", "shallow.db")
dbstow("verify", "--all", "--drill", "--repo", "shallow")
for argv in (("show", "latest~1"), ("verify", made[1]), ("restore", made[1][:10], "--to", "out.db")):
    refused("shallow", "dbstow: snapshot %s is not in this repository (a shallow clone?); get it with: dbstow sync --pull" %
            made[1][:8], *argv)
refused("shallow", "~dbstow: branch 'database-backups' is checked out at '.*/shallow'; .*", "export", "app.db", status=6)
git("checkout", "-q", "--detach", repo="shallow")
refused("shallow", "dbstow: snapshot %s of branch 'database-backups' is not in this repository, and its list cannot be "
        "written without it; run 'git fetch --unshallow' or work in a full clone" % made[2][:7], "export", "app.db", status=6)
check(open("shallow/.git/shallow").read() == grafts, ".git/shallow changed")
git("fetch", "-q", "--unshallow", repo="shallow")
insert("unshallowed")
export("shallow")
check(len(dbstow("list", "--repo", "shallow").out.splitlines()) == 6, "after --unshallow")
fsck("shallow")

# ---- partial: objects that git would fetch when it needs them ----
git("config", "uploadpack.allowFilter", "true", repo="origin")
check(run("git", "clone", "-q", "--bare", "--filter=blob:none", url, "partial").status == 0, "clone")
listed = dbstow("list", "--repo", "partial").out
check(all(i[:8] in listed for i in made) and "not in this" not in listed, "list: " + listed)
before = tree("partial")
dbstow("restore", "--repo", "partial", "--to", "out.db", status=1, err="dbstow: 'data/manifest.json' of snapshot %s is not in "
       "this repository, a partial clone; get it with: dbstow sync --pull" % made[2][:7])
check(not os.path.exists("out.db") and tree("partial") == before, "partial: something was left")
export("partial")  # what the new snapshot needs is stored, whatever is missing
dbstow("verify", "--drill", "--repo", "partial")
dbstow("restore", "--repo", "partial", "--to", "partial.db")
same("app.db", "partial.db")

# ---- a remote-tracking branch newer than the local one: used, and said ----
check(run("git", "clone", "-q", "origin", "down").status == 0, "clone")
remote, local = "refs/remotes/origin/database-backups", "refs/heads/database-backups"
note = "note: '%s' is not here; reading '%s'" % (local, remote)
for argv in (("list",), ("show",), ("verify",), ("restore", "--to", "down0.db")):
    check(dbstow(*argv, "--repo", "down").err.splitlines()[0] == note, "%s: not said" % argv[0])
git("branch", "-q", "--no-track", "database-backups", "origin/database-backups", repo="down")
check(dbstow("list", "--repo", "down").err == "", "equal branches differ")
insert("upstream")
newest = export("origin", at=HOUR + 4 * 3600)
git("fetch", "-q", repo="down")
note = "note: '%s' (newest 2023-11-15 02:13:20Z) and '%s' (newest 2023-11-15 00:13:20Z) differ; reading the first" % (remote, local)
for argv in (("list",), ("show",), ("verify",), ("restore", "--to", "down.db")):
    r = dbstow(*argv, "--repo", "down")
    check(r.err.splitlines()[0] == note, "%s: not said: %s" % (argv[0], r.err))
same("app.db", "down.db")
check(dbstow("list", "--repo", "down").out.splitlines()[1].startswith(newest[:8]), "list: not the newer")
# ... and the other way round
insert("downstream")
mine = export("down", at=HOUR + 5 * 3600)
r = dbstow("show", "--repo", "down")
check(mine in r.out and r.err.startswith("note: '%s' (newest " % local), "the local one is newer: " + r.err)
fsck("down")

# ---- somebody else's: the line to type works ----
if ROOT:
    for name, bare in (("theirs", ()), ("theirs bare", ("--bare",))):
        new_repo(name, *bare)
        os.mkdir(name + "/folder")
        for folder, _, names in os.walk(name):
            for n in ["."] + names:
                os.lchown(os.path.join(folder, n), 12345, 12345)
        line = "git config --global --add safe.directory '%s'" % os.path.abspath(name)
        for at in (name, name + "/folder") if not bare else (name,):
            message = "dbstow: the repository at '%s' belongs to another user; if you trust it, run: %s" % (at, line)
            all_refused(at, message, 6)
        check(run("sh", "-c", line).status == 0, "the line cannot be run")
        export(name)
        dbstow("verify", "--drill", "--repo", name)
else:
    print("not root: somebody else's repository not tried")

# ---- read-only ----
new_repo("readonly")
export("readonly")
shutil.copy(DBSTOW, "dbstow")
os.mkdir("out")
shutil.copy("app.db", "out/existing.db")
insert("more")
kw = {}
if ROOT:
    # Modes do not bind root, so somebody else runs it.
    os.chmod(".", 0o755)
    os.chmod("home", 0o755)
    os.chmod("dbstow", 0o755)
    os.chmod("out", 0o777)
    os.chmod("out/existing.db", 0o666)
    sh = "git config --global --add safe.directory '%s'" % os.path.abspath("readonly")
    check(run("sh", "-c", sh).status == 0, "git config")
    os.chmod("home/.gitconfig", 0o644)
    AS = [sys.executable, "-c", "import os, sys; os.setgroups([]); os.setgid(%d); os.setuid(%d); os.execv('./dbstow', "
          "['dbstow'] + sys.argv[1:])" % (NOBODY, NOBODY)]
else:
    AS = ["./dbstow"]
for folder, folders, names in os.walk("readonly"):
    os.chmod(folder, 0o555)
    for n in names:
        os.chmod(os.path.join(folder, n), 0o444)


def readonly(*argv, status=0, err=None):
    before = tree("readonly")
    r = run(*AS, *argv, "--repo", "readonly")
    said = r.err.strip().splitlines()[-1] if r.err.strip() else ""
    check(r.status == status and (err is None or re.fullmatch(err, said)),
          "%s: expected %d %s\n  got %d %s" % (" ".join(argv), status, err, r.status, r.err))
    check(tree("readonly") == before, "%s changed the repository" % argv[0])
    return r


if run(*AS, "version").status:
    print("another user cannot get here: the read-only repository not tried")
else:
    readonly("list")
    readonly("show")
    readonly("verify")
    readonly("restore", "--to", "out/new.db")
    DENIED = "dbstow: cannot write to the repository 'readonly': '.*': Permission denied"
    readonly("export", "app.db", status=1, err=DENIED)
    readonly("export", "app.db", "--always", status=1, err=DENIED)
    readonly("pin", "latest", status=1, err=DENIED)
    readonly("delete", "latest", "--yes", status=1, err=DENIED)
    readonly("verify", "--drill")
    readonly("verify", "--drill", "--scratch", "out")
for folder, folders, names in os.walk("readonly"):
    os.chmod(folder, 0o755)
    for n in names:
        os.chmod(os.path.join(folder, n), 0o644)

# ... and where the file system is: every call that would write
if traceable:
    for call in ("mkdir", "openat"):
        before = tree("readonly")
        if call == "openat":
            # only those that create: the lock is the first
            r = run("strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=mkdir,rename,unlink,link,ftruncate,pwrite64:error=EROFS",
                    "-P", os.path.abspath("readonly/.git/dbstow/lock"), "-e", "inject=openat:error=EROFS",
                    DBSTOW, "export", "app.db", "--repo", "readonly", env=TRACED)
        else:
            r = run("strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=mkdir:error=EROFS",
                    DBSTOW, "export", "app.db", "--repo", "readonly", env=TRACED)
        check(r.status == 1 and r.err.startswith("dbstow: ") and "Read-only file system" in r.err.splitlines()[-1],
              "%s EROFS: %d %s" % (call, r.status, r.err))
        check(files("readonly") == {k: v for k, v in before.items() if "/.git/dbstow/" not in k}, call + ": changed")
    export("readonly")
    fsck("readonly")
